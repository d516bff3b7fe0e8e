// Internal to ir/parse.c: words of the text form.
#ifndef TCT_IR_LEX_H
#define TCT_IR_LEX_H

#include "base/diag.h"

typedef enum tct_ir_token_kind {
    TCT_TOKEN_END,
    TCT_TOKEN_WORD,   // letters, digits, _ and ., not beginning with a digit
    TCT_TOKEN_STRING, // text holds it unescaped
    TCT_TOKEN_NUMBER, // text as written: "12", "-1e-05", "-inf"
    TCT_TOKEN_VALUE,  // %label; text is the label
    TCT_TOKEN_ARROW,  // ->
    TCT_TOKEN_MARK,   // one of { } [ ] ( ) , : = @ # ' ?
    TCT_TOKEN_BAD,    // reported already
} tct_ir_token_kind;

typedef struct tct_ir_token {
    tct_ir_token_kind kind;
    char mark;
    tct_span span;
    const char *text; // NUL-terminated, in the arena; "" for marks
} tct_ir_token;

// Zero-initialise but for the first five. `text` is NUL-terminated.
typedef struct tct_ir_lexer {
    tct_diag *d;
    tct_arena *arena; // for the tokens' texts
    const char *text;
    size_t len;
    uint32_t file;
    size_t at;
} tct_ir_lexer;

// The next token; a character that begins none is reported (E0601).
tct_ir_token tct_ir_lex(tct_ir_lexer *l);

#endif
