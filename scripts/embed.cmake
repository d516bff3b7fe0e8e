# cmake -DNAME=n -DINPUT=file|file -DOUTPUT=file.c -P embed.cmake: the files, one behind the other, as the C array
# tct_embed_n.
string(REPLACE "|" ";" inputs "${INPUT}")
set(hex "")
foreach(input ${inputs})
  file(READ ${input} part HEX)
  string(APPEND hex "${part}")
endforeach()
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," hex "${hex}")
string(REGEX REPLACE "((0x..,){20})" "\\1\n" hex "${hex}")
file(WRITE ${OUTPUT} "#include <stddef.h>\n\n"
  "extern const unsigned char tct_embed_${NAME}[];\nextern const size_t tct_embed_${NAME}_len;\n\n"
  "const unsigned char tct_embed_${NAME}[] = {\n${hex}0};\nconst size_t tct_embed_${NAME}_len = ${bytes};\n")
