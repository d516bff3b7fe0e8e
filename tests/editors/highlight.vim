" Writes the highlighting of a file, word by word, as `line word group`: vim -u NONE -es -S highlight.vim. The
" environment names the plugin's folder, the file and where to write.
set nocompatible nomore
execute 'set runtimepath^=' . $TERCET_VIM
filetype plugin on
syntax on
execute 'edit ' . $TERCET_SAMPLE
let s:out = ['filetype ' . &filetype, 'commentstring ' . &commentstring, 'shiftwidth ' . &shiftwidth]
for s:line in range(1, line('$'))
  let s:column = 0
  while 1
    let [s:word, s:begin, s:end] = matchstrpos(getline(s:line), '\h\w*\|\d[0-9.e-]*\|"\|//*\|\\.\|->\|\.\.', s:column)
    if s:begin < 0
      break
    endif
    call add(s:out, s:line . ' ' . s:word . ' ' . synIDattr(synID(s:line, s:begin + 1, 1), 'name'))
    let s:column = s:end
  endwhile
endfor
call writefile(s:out, $TERCET_OUT)
qall!
