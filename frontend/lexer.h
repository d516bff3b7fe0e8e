// Text to tokens. Brackets always balance in what comes out: frontend/brackets.c reports and repairs them, so
// that one forgotten brace is one message.
#ifndef TCT_FRONTEND_LEXER_H
#define TCT_FRONTEND_LEXER_H

#include "base/diag.h"

// Words that can't be names: X(id, spelling). All other words of the grammar (config, model, axis, param,
// part, state, clip, as, from, reverse, …) mean something only where the grammar expects them.
#define TCT_KEYWORDS(X)                                                                                      \
    X(USE, "use")                                                                                            \
    X(GRAPH, "graph")                                                                                        \
    X(OPTIMIZER, "optimizer")                                                                                \
    X(EXTERN, "extern")                                                                                      \
    X(FN, "fn")                                                                                              \
    X(PIPELINE, "pipeline")                                                                                  \
    X(STAGE, "stage")                                                                                        \
    X(LET, "let")                                                                                            \
    X(VAR, "var")                                                                                            \
    X(FOR, "for")                                                                                            \
    X(IN, "in")                                                                                              \
    X(WHILE, "while")                                                                                        \
    X(IF, "if")                                                                                              \
    X(ELSE, "else")                                                                                          \
    X(RETURN, "return")                                                                                      \
    X(YIELD, "yield")                                                                                        \
    X(ASSERT, "assert")                                                                                      \
    X(BREAK, "break")                                                                                        \
    X(CONTINUE, "continue")                                                                                  \
    X(SCAN, "scan")                                                                                          \
    X(MINIMIZE, "minimize")                                                                                  \
    X(WITH, "with")                                                                                          \
    X(INOUT, "inout")                                                                                        \
    X(AND, "and")                                                                                            \
    X(OR, "or")                                                                                              \
    X(NOT, "not")                                                                                            \
    X(DIV, "div")                                                                                            \
    X(TRUE, "true")                                                                                          \
    X(FALSE, "false")

// X(id, spelling), longer spellings before their beginnings.
#define TCT_PUNCTUATION(X)                                                                                   \
    X(ARROW, "->")                                                                                           \
    X(DOTS, "..")                                                                                            \
    X(EQ, "==")                                                                                              \
    X(NE, "!=")                                                                                              \
    X(LE, "<=")                                                                                              \
    X(GE, ">=")                                                                                              \
    X(POWER, "**")                                                                                           \
    X(LPAREN, "(")                                                                                           \
    X(RPAREN, ")")                                                                                           \
    X(LBRACKET, "[")                                                                                         \
    X(RBRACKET, "]")                                                                                         \
    X(LBRACE, "{")                                                                                           \
    X(RBRACE, "}")                                                                                           \
    X(COMMA, ",")                                                                                            \
    X(COLON, ":")                                                                                            \
    X(DOT, ".")                                                                                              \
    X(ASSIGN, "=")                                                                                           \
    X(LT, "<")                                                                                               \
    X(GT, ">")                                                                                               \
    X(PLUS, "+")                                                                                             \
    X(MINUS, "-")                                                                                            \
    X(STAR, "*")                                                                                             \
    X(SLASH, "/")                                                                                            \
    X(PERCENT, "%")

typedef enum tct_token_kind {
    TCT_TOK_END, // of the file
    TCT_TOK_NAME,
    TCT_TOK_INT,
    TCT_TOK_FLOAT,
    TCT_TOK_STRING,
#define TCT_TOKEN_ENUM(id, spelling) TCT_TOK_##id,
    TCT_KEYWORDS(TCT_TOKEN_ENUM) TCT_PUNCTUATION(TCT_TOKEN_ENUM)
#undef TCT_TOKEN_ENUM
        TCT_N_TOKENS
} tct_token_kind;

#define TCT_NO_TOKEN UINT32_MAX

typedef struct tct_token {
    tct_token_kind kind;
    uint32_t begin, end; // bytes of the source
    bool newline;        // first on its line
    bool inserted;       // a closing bracket that was missing: begin == end
    bool broken;         // errors here are the echo of one reported: of a missing ) or ], of a bad character
    bool starts;         // layout, set by the parser: begins an item, statement, member or value
    bool tight_before;   // layout: no space before (a call's parenthesis)
    bool tight_after;    // no space after (unary minus, the brace of a structure)
    bool in_value;       // the brace of an if or scan that stands in an expression
    uint32_t open;       // index of the innermost bracket that it stands in, TCT_NO_TOKEN outside
    uint32_t match;      // brackets: index of the other one
    const char *text;    // NAME: interned; STRING: its value; keywords: their spelling
    const char *doc;     // the `///` lines above it joined by newlines, or NULL
    int64_t i;
    double f;
} tct_token;

typedef struct tct_comment {
    uint32_t begin, end; // from // to before the end of the line, trailing spaces not counted
    bool own_line;       // nothing but spaces before it
} tct_comment;

// The tokens of one file, the last of kind END. Owner: whoever called tct_lex; texts live in the arena.
typedef struct tct_tokens {
    uint32_t file;
    TCT_VEC(tct_token) list;
    TCT_VEC(tct_comment) comments;
} tct_tokens;

// Reads all of source `file` of `d`. Any bytes will do: what isn't a token is reported and left out.
void tct_lex(tct_diag *d, uint32_t file, tct_arena *arena, tct_tokens *out);
void tct_tokens_free(tct_tokens *t);

// Fills open and match of every token, after inserting closing brackets that are missing and dropping those
// that close nothing; reports each. frontend/brackets.c
void tct_match_brackets(tct_diag *d, tct_tokens *t);

// "`let`", "the name `x`", "the number 3", "a string", "the end of the file": for messages.
const char *tct_token_describe(tct_diag *d, uint32_t file, const tct_token *t);
// Spelling of keywords and punctuation, NULL for the other kinds.
const char *tct_token_spelling(tct_token_kind kind);

#endif
