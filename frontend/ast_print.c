// The tree as text: one node in parentheses, statements and items on lines of their own, expressions inline.
#include "frontend/ast.h"

#include <inttypes.h>
#include <string.h>

typedef struct tct_printer {
    tct_buf *out;
    int depth;
} tct_printer;

static void print_block(tct_printer *p, const char *what, const tct_block *b);
static void print_members(tct_printer *p, const char *what, const tct_member *m, uint32_t n);

static const char *operator_name(tct_operator op) {
    static const char *const names[] = {
        [TCT_OP_NEG] = "neg", [TCT_OP_NOT] = "not", [TCT_OP_ADD] = "+", [TCT_OP_SUB] = "-",
        [TCT_OP_MUL] = "*",   [TCT_OP_DIV] = "/",   [TCT_OP_MOD] = "%", [TCT_OP_FLOORDIV] = "div",
        [TCT_OP_POW] = "**",  [TCT_OP_LT] = "<",    [TCT_OP_LE] = "<=", [TCT_OP_GT] = ">",
        [TCT_OP_GE] = ">=",   [TCT_OP_EQ] = "==",   [TCT_OP_NE] = "!=", [TCT_OP_AND] = "and",
        [TCT_OP_OR] = "or",
    };
    return names[op];
}

static void put(tct_printer *p, const char *s) { tct_buf_puts(p->out, s); }

// Quoted, on one line.
static void put_string(tct_printer *p, const char *s) {
    tct_buf_putc(p->out, '"');
    for (; *s; s++) {
        if (*s == '\n')
            put(p, "\\n");
        else if (*s == '\t')
            put(p, "\\t");
        else if (*s == '\r')
            put(p, "\\r");
        else if (*s == '"' || *s == '\\')
            tct_buf_printf(p->out, "\\%c", *s);
        else
            tct_buf_putc(p->out, *s);
    }
    tct_buf_putc(p->out, '"');
}

// Begins a node on a line of its own: "\n  (kind".
static void open_line(tct_printer *p, const char *kind) {
    if (p->out->len) tct_buf_putc(p->out, '\n');
    for (int k = 0; k < p->depth; k++) put(p, "  ");
    tct_buf_printf(p->out, "(%s", kind);
    p->depth++;
}

static void close_node(tct_printer *p) {
    tct_buf_putc(p->out, ')');
    p->depth--;
}

static void put_name(tct_printer *p, tct_name name) { tct_buf_printf(p->out, " %s", name.text); }

static void put_doc(tct_printer *p, const char *doc) {
    if (!doc) return;
    put(p, " (doc ");
    put_string(p, doc);
    tct_buf_putc(p->out, ')');
}

static void print_expr(tct_printer *p, const tct_expr *e);

static void print_args(tct_printer *p, const tct_arg *args, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) {
        if (args[k].name.text) {
            tct_buf_printf(p->out, " (= %s", args[k].name.text);
            print_expr(p, args[k].value);
            tct_buf_putc(p->out, ')');
        } else {
            print_expr(p, args[k].value);
        }
    }
}

static void print_minimize(tct_printer *p, const tct_minimize *m) {
    print_expr(p, m->objective);
    if (m->mixed) put(p, " (in bf16)");
    if (m->parts) {
        tct_buf_printf(p->out, " (for %s", m->part.text);
        print_expr(p, m->parts);
        tct_buf_putc(p->out, ')');
    }
    put(p, " (with");
    for (uint32_t k = 0; k < m->n_with; k++) print_expr(p, m->with[k]);
    tct_buf_putc(p->out, ')');
    if (!m->clip) return;
    put(p, " (clip");
    print_expr(p, m->clip);
    tct_buf_putc(p->out, ')');
}

// With a space before it.
static void print_expr(tct_printer *p, const tct_expr *e) {
    static const char *const kinds[] = {
        [TCT_EXPR_CALL] = "call",         [TCT_EXPR_INDEX] = "index", [TCT_EXPR_FIELD] = "field",
        [TCT_EXPR_LIST] = "list",         [TCT_EXPR_TUPLE] = "tuple", [TCT_EXPR_STRUCT] = "struct",
        [TCT_EXPR_ARROW] = "->",          [TCT_EXPR_IF] = "if",       [TCT_EXPR_SCAN] = "scan",
        [TCT_EXPR_MINIMIZE] = "minimize",
    };
    tct_buf_putc(p->out, ' ');
    switch (e->kind) {
    case TCT_EXPR_INT:
        tct_buf_printf(p->out, "%" PRId64, e->i);
        return;
    case TCT_EXPR_FLOAT:
        tct_buf_printf(p->out, "%a", e->f);
        return;
    case TCT_EXPR_BOOL:
        put(p, e->i ? "true" : "false");
        return;
    case TCT_EXPR_STRING:
        put_string(p, e->name.text);
        return;
    case TCT_EXPR_NAME:
        put(p, e->name.text);
        return;
    case TCT_EXPR_UNARY:
    case TCT_EXPR_BINARY:
        tct_buf_printf(p->out, "(%s", operator_name(e->op));
        break;
    default:
        tct_buf_printf(p->out, "(%s", kinds[e->kind]);
    }
    p->depth++;
    if (e->kind == TCT_EXPR_SCAN) {
        put_name(p, e->name);
        if (e->reverse) put(p, " reverse");
    }
    if (e->a) print_expr(p, e->a);
    if (e->b) print_expr(p, e->b);
    if (e->kind == TCT_EXPR_FIELD) put_name(p, e->name);
    print_args(p, e->args, e->n_args);
    if (e->then) print_block(p, "block", e->then);
    if (e->otherwise) print_block(p, "else", e->otherwise);
    if (e->minimize) print_minimize(p, e->minimize);
    close_node(p);
}

static void print_type(tct_printer *p, const tct_type *t) {
    if (!t) return;
    tct_buf_printf(p->out, " (type %s", t->name.text);
    if (t->element) print_type(p, t->element);
    if (t->has_axes) {
        put(p, " (axes");
        if (t->rest) put(p, " ..");
        for (uint32_t k = 0; k < t->n_axes; k++) {
            if (!t->axes[k].size) {
                put_name(p, t->axes[k].name);
                continue;
            }
            tct_buf_printf(p->out, " (= %s", t->axes[k].name.text);
            print_expr(p, t->axes[k].size);
            tct_buf_putc(p->out, ')');
        }
        tct_buf_putc(p->out, ')');
    }
    tct_buf_putc(p->out, ')');
}

static void print_stmt(tct_printer *p, const tct_stmt *s) {
    static const char *const kinds[] = {
        [TCT_STMT_LET] = "let",       [TCT_STMT_ASSIGN] = "assign",     [TCT_STMT_AXIS] = "axis",
        [TCT_STMT_FOR] = "for",       [TCT_STMT_WHILE] = "while",       [TCT_STMT_IF] = "if",
        [TCT_STMT_RETURN] = "return", [TCT_STMT_YIELD] = "yield",       [TCT_STMT_ASSERT] = "assert",
        [TCT_STMT_BREAK] = "break",   [TCT_STMT_CONTINUE] = "continue", [TCT_STMT_STATE] = "state",
        [TCT_STMT_EXPR] = "do",       [TCT_STMT_STAGE] = "stage",
    };
    open_line(p, s->mutable ? "var" : kinds[s->kind]);
    put_doc(p, s->doc);
    if (s->tuple) put(p, " (names");
    for (uint32_t k = 0; k < s->n_names; k++) put_name(p, s->names[k]);
    if (s->tuple) tct_buf_putc(p->out, ')');
    print_type(p, s->type);
    if (s->target) print_expr(p, s->target);
    if (s->value) print_expr(p, s->value);
    if (s->message) print_expr(p, s->message);
    if (s->body) print_block(p, "block", s->body);
    if (s->otherwise) print_block(p, "else", s->otherwise);
    close_node(p);
}

static void print_block(tct_printer *p, const char *what, const tct_block *b) {
    open_line(p, what);
    for (uint32_t k = 0; k < b->n_stmts; k++) print_stmt(p, b->stmts[k]);
    close_node(p);
}

static void print_as(tct_printer *p, const tct_member *m) {
    tct_buf_puts(p->out, " (as ");
    put_string(p, m->as.text);
    for (uint32_t k = 0; k < m->n_dims; k++) {
        put(p, " (dim");
        for (uint32_t j = 0; j < m->dims[k].n_axes; j++) put_name(p, m->dims[k].axes[j]);
        tct_buf_putc(p->out, ')');
    }
    tct_buf_putc(p->out, ')');
}

static void print_member(tct_printer *p, const tct_member *m) {
    static const char *const kinds[] = {
        [TCT_MEMBER_AXIS] = "axis",     [TCT_MEMBER_LET] = "let", [TCT_MEMBER_PARAM] = "param",
        [TCT_MEMBER_PART] = "part",     [TCT_MEMBER_IF] = "if",   [TCT_MEMBER_HUGGINGFACE] = "huggingface",
        [TCT_MEMBER_DECODE] = "decode",
    };
    open_line(p, kinds[m->kind]);
    put_doc(p, m->doc);
    if (m->name.text) put_name(p, m->name);
    print_type(p, m->type);
    print_args(p, m->args, m->n_args);
    if (m->value) print_expr(p, m->value);
    if (m->count) {
        put(p, " (count");
        print_expr(p, m->count);
        tct_buf_putc(p->out, ')');
    }
    if (m->as.text) print_as(p, m);
    if (m->kind == TCT_MEMBER_IF) {
        print_members(p, "members", m->members, m->n_members);
        if (m->n_otherwise) print_members(p, "else", m->otherwise, m->n_otherwise);
    }
    close_node(p);
}

static void print_members(tct_printer *p, const char *what, const tct_member *m, uint32_t n) {
    open_line(p, what);
    for (uint32_t k = 0; k < n; k++) print_member(p, &m[k]);
    close_node(p);
}

static void print_entry(tct_printer *p, const tct_config_entry *e) {
    open_line(p, e->group ? "group" : "value");
    put_doc(p, e->doc);
    put_name(p, e->name);
    print_type(p, e->type);
    if (e->value) print_expr(p, e->value);
    if (e->low) {
        put(p, " (in");
        print_expr(p, e->low);
        print_expr(p, e->high);
        tct_buf_putc(p->out, ')');
    }
    for (uint32_t k = 0; k < e->n_entries; k++) print_entry(p, &e->entries[k]);
    close_node(p);
}

static void print_param(tct_printer *p, const tct_param *a) {
    open_line(p, a->inout ? "inout" : "param");
    put_doc(p, a->doc);
    put_name(p, a->name);
    print_type(p, a->type);
    if (a->value) {
        put(p, " (default");
        print_expr(p, a->value);
        tct_buf_putc(p->out, ')');
    }
    close_node(p);
}

static void print_item(tct_printer *p, const tct_item *item) {
    static const char *const kinds[] = {
        [TCT_ITEM_USE] = "use",     [TCT_ITEM_CONFIG] = "config",       [TCT_ITEM_MODEL] = "model",
        [TCT_ITEM_GRAPH] = "graph", [TCT_ITEM_OPTIMIZER] = "optimizer", [TCT_ITEM_EXTERN] = "extern",
        [TCT_ITEM_FN] = "fn",       [TCT_ITEM_PIPELINE] = "pipeline",
    };
    open_line(p, kinds[item->kind]);
    put_doc(p, item->doc);
    if (item->string) {
        tct_buf_putc(p->out, ' ');
        put_string(p, item->name.text);
    } else if (item->kind != TCT_ITEM_CONFIG) {
        put_name(p, item->name);
    }
    for (uint32_t k = 0; k < item->n_params; k++) print_param(p, &item->params[k]);
    for (uint32_t k = 0; k < item->n_results; k++) {
        open_line(p, "result");
        if (item->results[k].name.text) put_name(p, item->results[k].name);
        print_type(p, item->results[k].type);
        close_node(p);
    }
    tct_name strings[] = {item->library, item->gradient};
    for (int k = 0; k < 2; k++) {
        if (!strings[k].text) continue;
        put(p, k ? " (gradient " : " (from ");
        put_string(p, strings[k].text);
        tct_buf_putc(p->out, ')');
    }
    for (uint32_t k = 0; k < item->n_members; k++) print_member(p, &item->members[k]);
    for (uint32_t k = 0; k < item->n_entries; k++) print_entry(p, &item->entries[k]);
    if (item->body) print_block(p, "block", item->body);
    close_node(p);
}

void tct_ast_print(const tct_ast *ast, tct_buf *out) {
    tct_buf text = {0};
    tct_printer p = {.out = &text};
    for (uint32_t k = 0; k < ast->n_items; k++) print_item(&p, ast->items[k]);
    if (text.len) tct_buf_putc(&text, '\n');
    if (text.len) tct_buf_add(out, text.data, text.len);
    tct_buf_free(&text);
}
