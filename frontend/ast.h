// The syntax tree of one .tct file. Nodes live in the arena of the tct_ast; spans point into the diag's
// sources.
#ifndef TCT_FRONTEND_AST_H
#define TCT_FRONTEND_AST_H

#include "base/diag.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct tct_name {
    const char *text; // interned in the ast's arena, NUL-terminated
    tct_span span;
} tct_name;

// No tree is higher than this: a walk over it may recurse.
enum { TCT_MAX_NESTING = 256 };

// Expressions

typedef enum tct_expr_kind {
    TCT_EXPR_INT,      // i
    TCT_EXPR_FLOAT,    // f
    TCT_EXPR_BOOL,     // i
    TCT_EXPR_STRING,   // name.text (escapes resolved)
    TCT_EXPR_NAME,     // name
    TCT_EXPR_UNARY,    // op, a
    TCT_EXPR_BINARY,   // op, a, b
    TCT_EXPR_CALL,     // a = callee, args
    TCT_EXPR_INDEX,    // a, args: x[i] (one unnamed) or f[V = K] (all named)
    TCT_EXPR_FIELD,    // a, name
    TCT_EXPR_LIST,     // args: [a, b]; an element may be named: [H, D = 64]
    TCT_EXPR_TUPLE,    // args: (a, b) or (x = a, y = b); only in return, yield
    TCT_EXPR_STRUCT,   // args, all named: {a = 1, b = c}
    TCT_EXPR_ARROW,    // a -> b; only as an argument
    TCT_EXPR_IF,       // a = condition, then, otherwise (blocks whose last statement is an expression)
    TCT_EXPR_SCAN,     // name = axis, reverse, args = carries (named), then = body
    TCT_EXPR_MINIMIZE, // minimize
} tct_expr_kind;

typedef enum tct_operator {
    TCT_OP_NEG,
    TCT_OP_NOT,
    TCT_OP_ADD,
    TCT_OP_SUB,
    TCT_OP_MUL,
    TCT_OP_DIV,
    TCT_OP_FLOORDIV,
    TCT_OP_MOD,
    TCT_OP_POW,
    TCT_OP_LT,
    TCT_OP_LE,
    TCT_OP_GT,
    TCT_OP_GE,
    TCT_OP_EQ,
    TCT_OP_NE,
    TCT_OP_AND,
    TCT_OP_OR,
} tct_operator;

struct tct_expr;
struct tct_block;

typedef struct tct_arg {
    tct_name name; // text NULL when it has none
    struct tct_expr *value;
} tct_arg;

typedef struct tct_minimize {
    struct tct_expr *objective;
    bool mixed;    // `in bf16`
    tct_name part; // `for part in parts`; text NULL without
    struct tct_expr *parts;
    struct tct_expr **with; // calls: opt(lr = …)
    uint32_t n_with;
    struct tct_expr *clip; // NULL without
} tct_minimize;

typedef struct tct_expr {
    tct_expr_kind kind;
    tct_operator op;
    bool reverse;
    uint16_t height;  // levels of nodes below and including this one, at most TCT_MAX_NESTING
    tct_span span;    // the whole expression
    tct_span op_span; // the operator, the field name, the call's parentheses
    int64_t i;
    double f;
    tct_name name;
    struct tct_expr *a, *b;
    tct_arg *args;
    uint32_t n_args;
    struct tct_block *then, *otherwise;
    tct_minimize *minimize;
} tct_expr;

// Types: f32[B, T = 64], f32[.., C], int, Gpt2, axis

typedef struct tct_type_axis {
    tct_name name;
    tct_expr *size; // NULL when it has none
} tct_type_axis;

typedef struct tct_type {
    tct_name name; // f32, bool, int, Gpt2, list …
    bool has_axes; // brackets were written
    bool rest;     // begins with ..
    tct_type_axis *axes;
    uint32_t n_axes;
    struct tct_type *element; // list[T]: element type
    tct_span span;
} tct_type;

// Statements

typedef enum tct_stmt_kind {
    TCT_STMT_LET,    // names, type (or NULL), value; mutable for var
    TCT_STMT_ASSIGN, // target, value
    TCT_STMT_AXIS,   // names[0], value (or NULL)
    TCT_STMT_FOR,    // names[0], value, body
    TCT_STMT_WHILE,  // value, body
    TCT_STMT_IF,     // value, body, otherwise (a chain: otherwise holds one if statement)
    TCT_STMT_RETURN, // value (or NULL)
    TCT_STMT_YIELD,  // value
    TCT_STMT_ASSERT, // value, message
    TCT_STMT_BREAK,
    TCT_STMT_CONTINUE,
    TCT_STMT_STATE, // names[0], type, value; in optimizers
    TCT_STMT_EXPR,  // value
    TCT_STMT_STAGE, // names[0], doc, body; in pipelines
} tct_stmt_kind;

typedef struct tct_stmt {
    tct_stmt_kind kind;
    tct_span span;
    bool mutable; // var
    bool tuple;   // let (a, b) = …
    tct_name *names;
    uint32_t n_names;
    tct_type *type;
    tct_expr *target, *value, *message;
    struct tct_block *body, *otherwise;
    const char *doc;
} tct_stmt;

typedef struct tct_block {
    tct_stmt **stmts;
    uint32_t n_stmts;
    uint16_t height; // levels of nodes below and including this one
    tct_span span;
} tct_block;

// Items

typedef struct tct_param {
    tct_name name;
    tct_type *type;  // NULL: fn parameters without one
    tct_expr *value; // default or NULL
    bool inout;
    const char *doc;
} tct_param;

typedef struct tct_result {
    tct_name name; // text NULL for the one unnamed result
    tct_type *type;
} tct_result;

typedef enum tct_member_kind {
    TCT_MEMBER_AXIS,        // name, value (or NULL)
    TCT_MEMBER_LET,         // name, value
    TCT_MEMBER_PARAM,       // name, type, value = initialiser, as, dims
    TCT_MEMBER_PART,        // name, type = model name, args, count (or NULL), as
    TCT_MEMBER_IF,          // value, members, otherwise
    TCT_MEMBER_HUGGINGFACE, // as = architecture, args = mapping
    TCT_MEMBER_DECODE,      // name = graph, type = cache model, args
} tct_member_kind;

// The file's dimensions of a parameter: [C, [Q, H, D]] is two, the second merges three axes.
typedef struct tct_dim {
    tct_name *axes;
    uint32_t n_axes;
} tct_dim;

typedef struct tct_member {
    tct_member_kind kind;
    tct_span span;
    tct_name name;
    tct_type *type;
    tct_expr *value, *count;
    tct_arg *args;
    uint32_t n_args;
    tct_name as; // text NULL without
    tct_dim *dims;
    uint32_t n_dims;
    struct tct_member *members, *otherwise; // of an if
    uint32_t n_members, n_otherwise;
    const char *doc;
} tct_member;

typedef struct tct_config_entry {
    tct_name name;
    bool group;
    struct tct_config_entry *entries; // of a group
    uint32_t n_entries;
    tct_type *type;
    tct_expr *value, *low, *high; // low and high NULL without a range
    const char *doc;
    tct_span span;
} tct_config_entry;

typedef enum tct_item_kind {
    TCT_ITEM_USE,       // name.text = "std.loss.rm" (dots kept) or the path of a string; string says which
    TCT_ITEM_CONFIG,    // entries
    TCT_ITEM_MODEL,     // name, params, members
    TCT_ITEM_GRAPH,     // name, params, results, body
    TCT_ITEM_OPTIMIZER, // name, params, body
    TCT_ITEM_EXTERN,    // name, params, results, library, gradient
    TCT_ITEM_FN,        // name, params, results (0 or 1), body
    TCT_ITEM_PIPELINE,  // name, body
} tct_item_kind;

typedef struct tct_item {
    tct_item_kind kind;
    tct_span span; // the whole item
    tct_name name;
    bool string;
    struct tct_ast *used; // of a use: the file it names, set by tct_package_load; NULL where it wasn't found
    tct_param *params;
    uint32_t n_params;
    tct_result *results;
    uint32_t n_results;
    tct_member *members;
    uint32_t n_members;
    tct_config_entry *entries;
    uint32_t n_entries;
    tct_block *body;
    tct_name library, gradient; // strings; text NULL without
    const char *doc;
} tct_item;

typedef struct tct_ast {
    tct_arena arena;
    uint32_t file; // source id
    const char *path;
    tct_item **items;
    uint32_t n_items;
} tct_ast;

// Parses one source (already added to `d`). Always gives a tree, of what could be understood, and reports
// what could not: it resynchronises at statements and items, so that several errors are found in a run.
// Owner: the caller.
tct_ast *tct_parse(tct_diag *d, uint32_t file);
void tct_ast_free(tct_ast *ast);

// Canonical layout, comments kept, into `out`; false when the source has syntax errors. frontend/format.c
bool tct_format(tct_diag *d, uint32_t file, tct_buf *out);
// The tree as text, for `dump --stage ast`. frontend/ast_print.c
void tct_ast_print(const tct_ast *ast, tct_buf *out);

// A file and everything it uses, each once: files[0] is std/core.tct, the last is the file itself, between
// them the others in the order of first use. frontend/load.c
typedef struct tct_package {
    TCT_VEC(tct_ast *) files;
    const char *std_dir; // where `use std.…` looks
    tct_arena arena;
    // What an editor may set. Texts that aren't saved, asked for by canonical path: the text (copied), NULL:
    // what the file system has. And what elaboration fills (frontend/index.h).
    const char *(*unsaved)(void *ctx, const char *path, size_t *len);
    void *unsaved_ctx;
    struct tct_index *index;
} tct_package;
// Into a `u` that is zeroed but for what an editor sets, and which the caller releases in any case. False
// when something was reported: syntax (01xx), a module that isn't there (E0210), a file that can't be read
// (E0701). Trees of all files that were read are in it all the same.
bool tct_package_load(tct_diag *d, tct_package *u, const char *path, const char *std_dir);
// As tct_package_load, with the main file's text given (for tests and editors); files that it uses are looked
// for beside `path`.
bool tct_package_load_text(tct_diag *d, tct_package *u, const char *path, const char *text, size_t len,
                           const char *std_dir);
void tct_package_free(tct_package *u);

#endif
