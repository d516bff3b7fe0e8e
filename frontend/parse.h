// What the files of the parser share. Recursive descent over tokens whose brackets balance. A function that
// meets an error reports it and returns NULL (or false); the list that it was called from goes on at its next
// entry.
#ifndef TCT_FRONTEND_PARSE_H
#define TCT_FRONTEND_PARSE_H

#include "frontend/ast.h"
#include "frontend/lexer.h"

typedef struct tct_parser {
    tct_diag *d;
    tct_ast *ast;
    tct_tokens *tokens;
    tct_token *list; // tokens->list.data
    uint32_t n, pos;
    uint32_t entry;                // first token of the statement, member, value or item being read
    uint32_t depth;                // of recursion
    bool too_deep;                 // E0105 was reported
    tct_item_kind in;              // the item being read
    uint32_t loops, scans, stages; // how many of them we are in
    uint32_t n_bad;                // statements that were left out because of an error
} tct_parser;

// Parses as tct_parse does and hands out the tokens with their layout marks, for the formatter.
tct_ast *tct_parse_tokens(tct_diag *d, uint32_t file, tct_tokens *tokens);

// Appends to an array of the tree; its room doubles, so that it needs no capacity of its own.
#define TCT_TREE_PUSH(p, array, n, ...)                                                                      \
    do {                                                                                                     \
        if (((n) & ((n) - 1)) == 0)                                                                          \
            (array) = tct_arena_realloc(&(p)->ast->arena, (array), (n) * sizeof *(array),                    \
                                        ((n) ? 2 * (size_t)(n) : 1) * sizeof *(array));                      \
        (array)[(n)++] = (__VA_ARGS__);                                                                      \
    } while (0)

// Tokens (parse.c)
static inline tct_token *tct_tok(tct_parser *p) { return &p->list[p->pos]; }
static inline tct_token *tct_tok_at(tct_parser *p, uint32_t k) {
    return &p->list[p->pos + k < p->n ? p->pos + k : p->n - 1];
}
static inline bool tct_is(tct_parser *p, tct_token_kind kind) { return tct_tok(p)->kind == kind; }
void tct_begin_entry(tct_parser *p); // the current token begins an item, statement, member or value
bool tct_is_word(const tct_token *t, const char *word); // a NAME spelled so
tct_token *tct_take(tct_parser *p);                     // the current token; moves on but at the end
// Whether lines matter where `t` stands: not in parentheses, brackets and structures.
bool tct_in_lines(const tct_parser *p, const tct_token *t);
bool tct_accept(tct_parser *p, tct_token_kind kind);
bool tct_accept_word(tct_parser *p, const char *word);
// Reports when the current token isn't `kind`. `what` says what it is for ("a parameter list"), or NULL.
bool tct_expect(tct_parser *p, tct_token_kind kind, const char *what);
bool tct_expect_name(tct_parser *p, const char *what, tct_name *out);
tct_span tct_token_span(const tct_parser *p, const tct_token *t);
// From the first byte of token number `first` to the last byte taken.
tct_span tct_span_from(const tct_parser *p, uint32_t first);

// Errors. Inside brackets that were reported as unclosed nothing more is reported. True when reported: only
// then may a help or note be attached.
bool tct_syntax_error(tct_parser *p, const char *code, tct_span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// "expected <what>, found <token>", at the current token, or after the last one at the end of a line.
bool tct_expected(tct_parser *p, const char *what);
bool tct_missing(tct_parser *p, const char *what); // the same, but always false
// Entering a level of recursion; false (reported once) when there are too many. Leave only after true.
bool tct_enter(tct_parser *p);
void tct_leave(tct_parser *p);
// Reports a tree that is too high; the height otherwise.
bool tct_check_height(tct_parser *p, uint32_t height, tct_span span);
// Moves to the next beginning of a line inside the bracket with index `open` (TCT_NO_TOKEN: outside all), or
// to its end; at least past token number `first`.
void tct_skip_entry(tct_parser *p, uint32_t open, uint32_t first);
// True at the end of a line of a list of entries; else reports and moves there. `what`: "statement".
void tct_end_entry(tct_parser *p, uint32_t open, const char *what);

// Parts of the grammar
tct_expr *tct_parse_expr(tct_parser *p);
tct_expr *tct_parse_values(tct_parser *p); // of return and yield: an expression or a tuple
// The arguments up to the closing bracket, which is taken. `open` is the index of the opening one, already
// taken.
bool tct_parse_args(tct_parser *p, uint32_t open, tct_arg **args, uint32_t *n);
tct_type *tct_parse_type(tct_parser *p);
// `{ … }`; `value`: of an if expression, whose last statement is an expression.
tct_block *tct_parse_block(tct_parser *p, const char *what, bool value);
bool tct_parse_params(tct_parser *p, tct_param **params, uint32_t *n);
bool tct_parse_member_block(tct_parser *p, tct_member **members, uint32_t *n);
bool tct_parse_config_block(tct_parser *p, tct_config_entry **entries, uint32_t *n);
// The condition of if and while: as an expression, but `=` is answered with `==`.
tct_expr *tct_parse_condition(tct_parser *p);

#endif
