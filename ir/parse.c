// The text form, read. docs/ir.md has the grammar. Stops at the first error; whatever comes back has been
// verified.
#include "ir/ir.h"
#include "ir/lex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32, MAX_OPERANDS = 1 << 16 };

typedef struct named_axis {
    const char *name;
    int64_t number; // after the apostrophe, 0 without
    tct_axis axis;
} named_axis;

typedef struct named_source {
    const char *name;
    uint32_t file;
} named_source;

// Where a node comes from as the text says. Set when the graph has been verified, so that messages until then
// point into the text.
typedef struct origin {
    tct_graph *g;
    tct_value v;
    tct_span span;
} origin;

typedef struct parser {
    tct_ir_lexer lexer;
    tct_ir_token t; // the next one
    tct_diag *d;
    tct_ir_module *m;
    tct_arena scratch; // texts of tokens
    TCT_VEC(named_axis) axes;
    TCT_VEC(named_source) sources;
    TCT_VEC(origin) origins;
    const char *graph; // its name, once it is known
    int depth;
} parser;

// Labels of one graph: open addressing, at most half full.
typedef struct labels {
    struct {
        const char *label;
        tct_value value;
    } *slots;
    size_t n_slots, used;
} labels;

typedef struct type {
    bool bundle;
    tct_dtype dtype;
    uint8_t n_axes;
    tct_axis axes[TCT_IR_MAX_AXES];
} type;

static void advance(parser *p) { p->t = tct_ir_lex(&p->lexer); }

static const char *describe(parser *p) {
    switch (p->t.kind) {
    case TCT_TOKEN_END:
        return "the end of the text";
    case TCT_TOKEN_MARK:
        return tct_arena_printf(&p->scratch, "'%c'", p->t.mark);
    case TCT_TOKEN_VALUE:
        return tct_arena_printf(&p->scratch, "%%%s", p->t.text);
    case TCT_TOKEN_STRING:
        return "a string";
    default:
        return tct_arena_printf(&p->scratch, "'%s'", p->t.text);
    }
}

static bool expected(parser *p, const char *what) {
    if (p->t.kind == TCT_TOKEN_BAD) return false; // the lexer has reported it
    if (p->t.kind == TCT_TOKEN_END) {
        if (p->graph)
            tct_error(p->d, "E0604", p->t.span, "the text ends in the middle of graph %s: expected %s",
                      p->graph, what);
        else
            tct_error(p->d, "E0604", p->t.span, "the text ends before its graph: expected %s", what);
        tct_help(p->d, "the file may have been cut off; `tercet dump` makes it anew");
        return false;
    }
    return tct_error(p->d, "E0601", p->t.span, "expected %s, found %s", what, describe(p));
}

static bool at_mark(const parser *p, char mark) { return p->t.kind == TCT_TOKEN_MARK && p->t.mark == mark; }

static bool take_mark(parser *p, char mark) {
    if (!at_mark(p, mark)) return false;
    advance(p);
    return true;
}

static bool want_mark(parser *p, char mark) {
    return take_mark(p, mark) || expected(p, (const char[]){'\'', mark, '\'', 0});
}

static bool at_word(const parser *p, const char *word) {
    return p->t.kind == TCT_TOKEN_WORD && strcmp(p->t.text, word) == 0;
}

static bool take_word(parser *p, const char *word) {
    if (!at_word(p, word)) return false;
    advance(p);
    return true;
}

static bool parse_name(parser *p, const char *what, const char **name) {
    if (p->t.kind != TCT_TOKEN_WORD && p->t.kind != TCT_TOKEN_STRING) return expected(p, what);
    *name = p->t.text;
    advance(p);
    return true;
}

static bool parse_int(parser *p, const char *what, int64_t *value) {
    if (p->t.kind != TCT_TOKEN_NUMBER) return expected(p, what);
    char *end;
    errno = 0;
    long long x = strtoll(p->t.text, &end, 10);
    if (errno || *end || end == p->t.text) return expected(p, what);
    *value = x;
    advance(p);
    return true;
}

// Decimal, or inf or nan.
static bool parse_double(parser *p, double *value) {
    const char *text = p->t.text;
    if (p->t.kind != TCT_TOKEN_NUMBER && !at_word(p, "inf") && !at_word(p, "nan"))
        return expected(p, "a number");
    char *end;
    *value = strtod(text, &end);
    bool hex = strpbrk(text, "xX") != NULL;
    if (*end || end == text || hex) return expected(p, "a number");
    advance(p);
    return true;
}

// NAME or NAME'1, with the number after the apostrophe.
static bool parse_axis_name(parser *p, const char **name, int64_t *number) {
    *number = 0;
    if (!parse_name(p, "the name of an axis", name)) return false;
    return !take_mark(p, '\'') || parse_int(p, "a number after the apostrophe", number);
}

static const named_axis *find_axis(const parser *p, const char *name, int64_t number) {
    for (size_t k = 0; k < p->axes.len; k++)
        if (p->axes.data[k].number == number && strcmp(p->axes.data[k].name, name) == 0)
            return &p->axes.data[k];
    return NULL;
}

static bool parse_axis(parser *p, tct_axis *axis) {
    tct_span span = p->t.span;
    const char *name = "";
    int64_t number;
    if (!parse_axis_name(p, &name, &number)) return false;
    const named_axis *known = find_axis(p, name, number);
    if (!known) {
        tct_error(p->d, "E0601", span, "axis %s has no line of its own above the graph", name);
        tct_help(p->d, "write, for example: axis %s = 64", name);
        return false;
    }
    *axis = known->axis;
    return true;
}

static bool parse_axes(parser *p, char close, tct_axis axes[TCT_IR_MAX_AXES], uint8_t *n) {
    *n = 0;
    if (take_mark(p, close)) return true;
    do {
        if (*n == TCT_IR_MAX_AXES)
            return tct_error(p->d, "E0601", p->t.span, "more than %d axes", TCT_IR_MAX_AXES);
        if (!parse_axis(p, &axes[*n])) return false;
        ++*n;
    } while (take_mark(p, ','));
    return want_mark(p, close);
}

static bool parse_axis_line(parser *p) {
    tct_span span = p->t.span;
    const char *name = "";
    int64_t number, size = 0;
    if (!parse_axis_name(p, &name, &number) || !want_mark(p, '=')) return false;
    if (!take_mark(p, '?')) {
        tct_span at = p->t.span;
        if (!parse_int(p, "the size of the axis, or ?", &size)) return false;
        if (size < 1) return tct_error(p->d, "E0601", at, "an axis has at least size 1");
    }
    if (find_axis(p, name, number)) return tct_error(p->d, "E0601", span, "axis %s is there already", name);
    named_axis a = {name, number, tct_axis_get(p->m, name, size)};
    TCT_PUSH(&p->axes, a);
    return true;
}

static bool parse_source_line(parser *p) {
    tct_span span = p->t.span;
    const char *name = "";
    if (!parse_name(p, "the name of a source", &name) || !want_mark(p, '=')) return false;
    if (p->t.kind != TCT_TOKEN_STRING) return expected(p, "the path of the source in quotes");
    for (size_t k = 0; k < p->sources.len; k++)
        if (strcmp(p->sources.data[k].name, name) == 0)
            return tct_error(p->d, "E0601", span, "source %s is there already", name);
    named_source s = {name, tct_diag_add_places(p->d, p->t.text)};
    TCT_PUSH(&p->sources, s);
    advance(p);
    return true;
}

static bool parse_plain_type(parser *p, type *t) {
    if (p->t.kind != TCT_TOKEN_WORD || !tct_dtype_parse(p->t.text, &t->dtype))
        return expected(p, "a type, such as f32[B, T]");
    advance(p);
    t->n_axes = 0;
    return !take_mark(p, '[') || parse_axes(p, ']', t->axes, &t->n_axes);
}

// A bundle's types are read over: inference gives them from the body.
static bool parse_type(parser *p, type *t) {
    *t = (type){.bundle = take_mark(p, '(')};
    if (!t->bundle) return parse_plain_type(p, t);
    if (take_mark(p, ')')) return true;
    type ignored;
    do
        if (!parse_plain_type(p, &ignored)) return false;
    while (take_mark(p, ','));
    return want_mark(p, ')');
}

static size_t slot_of(const labels *l, const char *label) {
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a
    for (const char *s = label; *s; s++) hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
    size_t at = (size_t)(hash >> 20) & (l->n_slots - 1);
    while (l->slots[at].label && strcmp(l->slots[at].label, label) != 0) at = (at + 1) & (l->n_slots - 1);
    return at;
}

// false: the label is taken.
static bool define(labels *l, const char *label, tct_value v) {
    if (2 * (l->used + 1) > l->n_slots) {
        labels bigger = {.n_slots = l->n_slots ? 2 * l->n_slots : 64, .used = l->used};
        bigger.slots = tct_alloc(bigger.n_slots * sizeof *bigger.slots);
        for (size_t k = 0; k < l->n_slots; k++)
            if (l->slots[k].label) bigger.slots[slot_of(&bigger, l->slots[k].label)] = l->slots[k];
        tct_heap_free(l->slots);
        *l = bigger;
    }
    size_t at = slot_of(l, label);
    if (l->slots[at].label) return false;
    l->slots[at].label = label;
    l->slots[at].value = v;
    l->used++;
    return true;
}

static bool parse_value(parser *p, const labels *l, tct_value *v) {
    if (p->t.kind != TCT_TOKEN_VALUE) return expected(p, "a value, such as %3");
    size_t at = l->n_slots ? slot_of(l, p->t.text) : 0;
    if (!l->n_slots || !l->slots[at].label)
        return tct_error(p->d, "E0601", p->t.span, "there is no %%%s above this line", p->t.text);
    *v = l->slots[at].value;
    advance(p);
    return true;
}

static bool parse_operands(parser *p, const labels *l, tct_node *n) {
    if (p->t.kind != TCT_TOKEN_VALUE || tct_ir_ops[n->op].arity == 0)
        return true; // the next line begins with one
    TCT_VEC(tct_value) in = {0};
    bool ok;
    do {
        tct_value v = 0;
        ok = in.len < MAX_OPERANDS
                 ? parse_value(p, l, &v)
                 : tct_error(p->d, "E0601", p->t.span, "more than %d operands", MAX_OPERANDS);
        if (ok) TCT_PUSH(&in, v);
    } while (ok && take_mark(p, ','));
    n->n_in = (uint32_t)in.len;
    n->in = TCT_NEW_ARRAY(&p->m->arena, tct_value, in.len);
    if (in.len) memcpy(n->in, in.data, in.len * sizeof *n->in);
    TCT_VEC_FREE(&in);
    return ok;
}

static bool parse_const(parser *p, tct_ir_attr *attr) {
    if (tct_dtype_is_float(attr->dtype)) return parse_double(p, &attr->f);
    if (attr->dtype != TCT_BOOL) return parse_int(p, "an integer", &attr->i);
    attr->i = at_word(p, "true");
    if (!attr->i && !at_word(p, "false")) return expected(p, "true or false");
    advance(p);
    return true;
}

static bool parse_block(parser *p, tct_graph *g);

static bool parse_attributes(parser *p, tct_node *n, const type *t) {
    unsigned uses = tct_ir_ops[n->op].attrs;
    tct_ir_attr *attr = &n->attr;
    if (uses & TCT_IR_DTYPE) attr->dtype = t->dtype;
    if (n->op == TCT_IR_CONST) return parse_const(p, attr);
    if (n->op == TCT_IR_INPUT || n->op == TCT_IR_IOTA) {
        attr->n_axes = t->n_axes;
        memcpy(attr->axes, t->axes, t->n_axes * sizeof *t->axes);
    } else if (uses & TCT_IR_AXES) {
        if (!want_mark(p, '{') || !parse_axes(p, '}', attr->axes, &attr->n_axes)) return false;
    }
    if (uses & TCT_IR_TO) {
        if (p->t.kind != TCT_TOKEN_ARROW) return expected(p, "->");
        advance(p);
        if (!want_mark(p, '{') || !parse_axes(p, '}', attr->to, &attr->n_to)) return false;
    }
    if (uses & TCT_IR_INT) {
        if (!want_mark(p, '#') || !parse_int(p, "an integer", &attr->i)) return false;
        if (take_word(p, "by") && !parse_int(p, "an integer", &attr->step)) return false;
    }
    if (uses & TCT_IR_FLOAT) {
        if (!take_word(p, "fill")) return expected(p, "fill");
        if (!parse_double(p, &attr->f)) return false;
    }
    if (uses & TCT_IR_NAME) {
        if (p->t.kind != TCT_TOKEN_STRING) return expected(p, "a name in quotes");
        attr->name = tct_arena_strdup(&p->m->arena, p->t.text);
        advance(p);
    }
    if (!(uses & TCT_IR_BODY)) return true;
    if (!take_word(p, "body")) return expected(p, "body");
    if (p->depth == MAX_DEPTH)
        return tct_error(p->d, "E0601", p->t.span, "bodies are nested deeper than %d", MAX_DEPTH);
    p->depth++;
    attr->body = tct_graph_new(p->m, "body");
    bool ok = parse_block(p, attr->body);
    p->depth--;
    return ok;
}

// What was written against what inference says: the same dtype, and the same axes in an order of the writer's
// choice.
static bool settle_type(parser *p, const tct_graph *g, tct_node *n, const type *t) {
    if (!tct_ir_infer(g, p->d, n, n->span)) return false;
    if (n->bundle != t->bundle)
        return tct_error(p->d, "E0601", n->span, "%s gives %s", tct_ir_ops[n->op].name,
                         n->bundle ? "a bundle: its type is a list in parentheses" : "one tensor");
    if (n->bundle) return true;
    if (n->dtype != t->dtype)
        return tct_error(p->d, "E0601", n->span, "the type says %s, and the result is %s",
                         tct_dtype_name(t->dtype), tct_dtype_name((tct_dtype)n->dtype));
    bool same = n->n_axes == t->n_axes;
    for (int k = 0; same && k < n->n_axes; k++) {
        bool found = false;
        for (int other = 0; other < t->n_axes; other++) found = found || t->axes[other] == n->axes[k];
        same = found;
    }
    if (!same)
        return tct_error(p->d, "E0601", n->span, "the type has other axes than the result of %s",
                         tct_ir_ops[n->op].name);
    if (n->n_axes) memcpy(n->axes, t->axes, n->n_axes * sizeof *n->axes);
    return true;
}

static bool no_operation(parser *p) {
    bool word = p->t.kind == TCT_TOKEN_WORD;
    expected(p, "an operation");
    if (!word) return false;
    const char *names[TCT_IR_N_OPS];
    for (int op = 0; op < TCT_IR_N_OPS; op++) names[op] = tct_ir_ops[op].name;
    const char *near = tct_nearest(p->t.text, names, TCT_IR_N_OPS);
    if (near)
        tct_help(p->d, "did you mean %s?", near);
    else
        tct_help(p->d, "`tercet ops` lists the operations; the file may be of another version of Tercet");
    return false;
}

static bool parse_number_of_place(parser *p, uint32_t *number) {
    tct_span at = p->t.span;
    int64_t x = 0;
    if (!want_mark(p, ':') || !parse_int(p, "a number of a place, as in rm.tct:4:9", &x)) return false;
    *number = (uint32_t)x;
    return (x >= 1 && x <= UINT32_MAX) ||
           tct_error(p->d, "E0601", at, "lines and columns are counted from 1");
}

// Behind "@": a pass, a place, or a place "by" a pass.
static bool parse_origin(parser *p, tct_node *n, tct_span *place) {
    tct_span at = p->t.span;
    const char *name = "";
    if (!parse_name(p, "the name of a source or pass", &name)) return false;
    if (at_mark(p, ':')) {
        uint32_t file = 0, line, col;
        for (size_t k = 0; k < p->sources.len; k++)
            if (strcmp(p->sources.data[k].name, name) == 0) file = p->sources.data[k].file;
        if (!file) {
            tct_error(p->d, "E0601", at, "source %s has no line of its own above the graph", name);
            tct_help(p->d, "write, for example: source %s = \"loss/%s\"", name, name);
            return false;
        }
        if (!parse_number_of_place(p, &line) || !parse_number_of_place(p, &col)) return false;
        *place = tct_diag_place(p->d, file, line, col);
        if (!take_word(p, "by")) return true;
        if (!parse_name(p, "the name of a pass", &name)) return false;
    }
    n->pass = tct_arena_strdup(&p->m->arena, name);
    return true;
}

static bool parse_node(parser *p, tct_graph *g, labels *l) {
    const char *label = p->t.text;
    tct_span label_span = p->t.span;
    type t;
    advance(p);
    if (!want_mark(p, ':') || !parse_type(p, &t) || !want_mark(p, '=')) return false;
    tct_node n = {.span = p->t.span};
    tct_ir_op op =
        p->t.kind == TCT_TOKEN_WORD ? tct_ir_op_by_name(p->t.text, strlen(p->t.text)) : TCT_IR_N_OPS;
    if (op == TCT_IR_N_OPS) return no_operation(p);
    n.op = (uint16_t)op;
    advance(p);
    if (!parse_operands(p, l, &n) || !parse_attributes(p, &n, &t)) return false;
    tct_span place = TCT_NO_SPAN;
    if (take_mark(p, '@') && !parse_origin(p, &n, &place)) return false;
    if (op == TCT_IR_INPUT && (n.attr.i < 0 || (uint64_t)n.attr.i > g->nodes.len))
        return tct_error(p->d, "E0601", n.span, "inputs are numbered from 0 without gaps");
    if (!settle_type(p, g, &n, &t)) return false;
    tct_value v = tct_ir_append(g, &n);
    if (p->sources.len) TCT_PUSH(&p->origins, ((origin){g, v, place}));
    return define(l, label, v) || tct_error(p->d, "E0601", label_span, "%%%s is there already", label);
}

static bool parse_results(parser *p, tct_graph *g, const labels *l) {
    if (at_mark(p, '}')) return true;
    do {
        const char *name = "";
        tct_value v;
        int64_t alias = -1;
        if (!parse_name(p, "the name of a result", &name) || !want_mark(p, '=') || !parse_value(p, l, &v))
            return false;
        tct_span at = p->t.span;
        if (take_word(p, "into")) {
            if (!parse_int(p, "the number of an input", &alias)) return false;
            if (alias < 0 || (uint64_t)alias >= g->inputs.len)
                return tct_error(p->d, "E0601", at, "there is no input %lld", (long long)alias);
        }
        tct_ir_output(g, name, v, (int32_t)alias);
    } while (take_mark(p, ','));
    return true;
}

static bool parse_block(parser *p, tct_graph *g) {
    labels l = {0};
    bool ok = want_mark(p, '{');
    while (ok && p->t.kind == TCT_TOKEN_VALUE) ok = parse_node(p, g, &l);
    ok = ok && (take_word(p, "return") || expected(p, "a value or return")) && parse_results(p, g, &l) &&
         want_mark(p, '}');
    tct_heap_free(l.slots);
    return ok;
}

// The first word is none of the text form.
static void no_graph(parser *p) {
    if (p->t.kind == TCT_TOKEN_BAD) return;
    if (p->t.kind == TCT_TOKEN_END)
        tct_error(p->d, "E0604", p->t.span, "there is no graph in this text: it is empty");
    else
        tct_error(p->d, "E0604", p->t.span,
                  "this is no graph in text form, which begins with source, axis or graph");
    tct_help(p->d, "`tercet dump FILE.tct --graph NAME --stage ir` writes a graph of a program in text form");
}

static tct_graph *parse_file(parser *p) {
    const char *name = "";
    advance(p);
    bool known = at_word(p, "source") || at_word(p, "axis") || at_word(p, "graph");
    while (take_word(p, "source"))
        if (!parse_source_line(p)) return NULL;
    while (take_word(p, "axis"))
        if (!parse_axis_line(p)) return NULL;
    if (!take_word(p, "graph")) {
        if (known)
            expected(p, "source, axis or graph");
        else
            no_graph(p);
        return NULL;
    }
    if (!parse_name(p, "the name of the graph", &name)) return NULL;
    p->graph = name;
    tct_graph *g = tct_graph_new(p->m, name);
    if (!parse_block(p, g)) return NULL;
    if (p->t.kind != TCT_TOKEN_END) {
        expected(p, "the end of the text");
        return NULL;
    }
    return g;
}

tct_graph *tct_ir_parse(tct_diag *d, tct_ir_module *m, const char *path, const char *text, size_t len) {
    if (len > UINT32_MAX / 2) {
        tct_error(d, "E0601", TCT_NO_SPAN, "%s is too long for one graph", path);
        return NULL;
    }
    parser p = {.d = d, .m = m};
    if (len && memchr(text, 0, len)) {
        tct_error(d, "E0604", TCT_NO_SPAN, "%s is no graph in text form: it holds bytes that are no text",
                  path);
        tct_help(d,
                 "`tercet dump FILE.tct --graph NAME --stage ir` writes a graph of a program in text form");
        return NULL;
    }
    uint32_t file = tct_diag_add_source(d, path, text, len);
    p.lexer = (tct_ir_lexer){
        .d = d, .arena = &p.scratch, .text = tct_diag_source(d, file)->text, .len = len, .file = file};
    tct_graph *g = parse_file(&p);
    if (g && !tct_ir_verify(d, g, NULL)) g = NULL;
    for (size_t k = 0; k < p.origins.len; k++)
        p.origins.data[k].g->nodes.data[p.origins.data[k].v].span = p.origins.data[k].span;
    tct_arena_free(&p.scratch);
    TCT_VEC_FREE(&p.axes);
    TCT_VEC_FREE(&p.sources);
    TCT_VEC_FREE(&p.origins);
    return g;
}
