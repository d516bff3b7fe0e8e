// The text form, written. docs/ir.md has the grammar.
#include "ir/print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef tct_ir_printer printer;

void tct_ir_print_double(tct_buf *out, double x) {
    if (isnan(x)) {
        tct_buf_puts(out, "nan");
        return;
    }
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    tct_buf_puts(out, text);
}

static void print_string(tct_buf *out, const char *s) {
    tct_buf_putc(out, '"');
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\')
            tct_buf_printf(out, "\\%c", ch);
        else if (ch < 32 || ch == 127)
            tct_buf_printf(out, "\\x%02x", ch);
        else
            tct_buf_putc(out, (char)ch);
    }
    tct_buf_putc(out, '"');
}

static bool is_word(const char *s) {
    size_t n = strlen(s);
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return n && strchr(letters, s[0]) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.") == n;
}

static void print_name(tct_buf *out, const char *s) {
    if (is_word(s))
        tct_buf_puts(out, s);
    else
        print_string(out, s);
}

static void print_axis(printer *p, tct_axis a) {
    print_name(p->out, tct_axis_of(p->m, a)->name);
    if (p->suffix[a] > 1) tct_buf_printf(p->out, "'%u", p->suffix[a] - 1);
}

static void print_axes(printer *p, const tct_axis *axes, int n, char open, char close) {
    tct_buf_putc(p->out, open);
    for (int k = 0; k < n; k++) {
        if (k) tct_buf_puts(p->out, ", ");
        print_axis(p, axes[k]);
    }
    tct_buf_putc(p->out, close);
}

static void print_type(printer *p, tct_dtype dtype, const tct_axis *axes, int n_axes) {
    tct_buf_puts(p->out, tct_dtype_name(dtype));
    if (n_axes) print_axes(p, axes, n_axes, '[', ']');
}

static void name_axis(printer *p, tct_axis a) {
    if (p->suffix[a]) return;
    uint32_t number = 1;
    for (size_t k = 0; k < p->m->axes.len; k++)
        if (p->suffix[k] && strcmp(p->m->axes.data[k].name, tct_axis_of(p->m, a)->name) == 0) number++;
    p->suffix[a] = number;
    TCT_PUSH(&p->axes, a);
}

// A name for a source that no other one has: the last part of its path, with a number where that is taken.
static void name_source(printer *p, uint32_t file) {
    const tct_source *s = p->sources ? tct_diag_source(p->sources, file) : NULL;
    if (!s || p->source_name[file]) return;
    const char *slash = strrchr(s->path, '/'), *base = slash && slash[1] ? slash + 1 : s->path, *name = base;
    bool taken = true;
    for (int number = 2; taken; number++) {
        taken = false;
        for (size_t k = 0; k < p->files.len && !taken; k++)
            taken = strcmp(p->source_name[p->files.data[k]], name) == 0;
        if (taken) name = tct_arena_printf(&p->arena, "%s.%d", base, number);
    }
    p->source_name[file] = name;
    TCT_PUSH(&p->files, file);
}

void tct_ir_printer_names(printer *p, const tct_graph *g) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        name_source(p, n->span.file);
        for (int k = 0; k < n->n_axes; k++) name_axis(p, n->axes[k]);
        for (int k = 0; k < n->attr.n_axes; k++) name_axis(p, n->attr.axes[k]);
        for (int k = 0; k < n->attr.n_to; k++) name_axis(p, n->attr.to[k]);
        if (n->attr.body) tct_ir_printer_names(p, n->attr.body);
    }
}

void tct_ir_printer_begin(printer *p, const tct_ir_module *m, const tct_diag *sources) {
    *p = (printer){.m = m, .sources = sources};
    p->suffix = TCT_NEW_ARRAY(&p->arena, uint32_t, m->axes.len);
    p->source_name = TCT_NEW_ARRAY(&p->arena, const char *, (sources ? sources->sources.len : 0) + 1);
}

void tct_ir_printer_end(printer *p) {
    TCT_VEC_FREE(&p->axes);
    TCT_VEC_FREE(&p->files);
    tct_arena_free(&p->arena);
}

void tct_ir_print_source_line(printer *p, uint32_t file, tct_buf *out) {
    p->out = out;
    tct_buf_puts(out, "source ");
    print_name(out, p->source_name[file]);
    tct_buf_puts(out, " = ");
    print_string(out, tct_diag_source(p->sources, file)->path);
}

void tct_ir_print_axis_line(printer *p, tct_axis a, tct_buf *out) {
    p->out = out;
    tct_buf_puts(out, "axis ");
    print_axis(p, a);
    int64_t size = tct_axis_of(p->m, a)->size;
    if (size)
        tct_buf_printf(out, " = %lld", (long long)size);
    else
        tct_buf_puts(out, " = ?");
}

static void print_result_type(printer *p, const tct_graph *g, const tct_node *n) {
    if (!n->bundle) {
        print_type(p, (tct_dtype)n->dtype, n->axes, n->n_axes);
        return;
    }
    tct_buf_putc(p->out, '(');
    for (uint32_t k = 0; k < tct_ir_bundle_count(n); k++) {
        tct_dtype dtype;
        tct_axis axes[TCT_IR_MAX_AXES];
        uint8_t n_axes;
        tct_ir_bundle_result(g, n, k, &dtype, axes, &n_axes);
        if (k) tct_buf_puts(p->out, ", ");
        print_type(p, dtype, axes, n_axes);
    }
    tct_buf_putc(p->out, ')');
}

static void print_const(printer *p, const tct_ir_attr *attr) {
    tct_buf_putc(p->out, ' ');
    if (tct_dtype_is_float(attr->dtype))
        tct_ir_print_double(p->out, attr->f);
    else if (attr->dtype == TCT_BOOL)
        tct_buf_puts(p->out, attr->i ? "true" : "false");
    else
        tct_buf_printf(p->out, "%lld", (long long)attr->i);
}

static void print_attributes(printer *p, const tct_node *n) {
    unsigned uses = tct_ir_ops[n->op].attrs;
    const tct_ir_attr *attr = &n->attr;
    if (n->op == TCT_IR_CONST) {
        print_const(p, attr);
        return;
    }
    if (uses & TCT_IR_AXES && n->op != TCT_IR_INPUT && n->op != TCT_IR_IOTA) { // there the type says it
        tct_buf_putc(p->out, ' ');
        print_axes(p, attr->axes, attr->n_axes, '{', '}');
    }
    if (uses & TCT_IR_TO) {
        tct_buf_puts(p->out, " -> ");
        print_axes(p, attr->to, attr->n_to, '{', '}');
    }
    if (uses & TCT_IR_INT) {
        tct_buf_printf(p->out, " #%lld", (long long)attr->i);
        if (attr->step) tct_buf_printf(p->out, " by %lld", (long long)attr->step);
    }
    if (uses & TCT_IR_FLOAT) {
        tct_buf_puts(p->out, " fill ");
        tct_ir_print_double(p->out, attr->f);
    }
    if (uses & TCT_IR_NAME) {
        tct_buf_putc(p->out, ' ');
        print_string(p->out, attr->name);
    }
}

static uint32_t label_of(const uint32_t *labels, tct_value v) { return labels ? labels[v] : v; }

void tct_ir_print_node(printer *p, const tct_graph *g, tct_value v, const uint32_t *labels, tct_buf *out) {
    const tct_node *n = &g->nodes.data[v];
    p->out = out;
    tct_buf_printf(out, "%%%u: ", label_of(labels, v));
    print_result_type(p, g, n);
    tct_buf_printf(out, " = %s", tct_ir_ops[n->op].name);
    for (uint32_t k = 0; k < n->n_in; k++)
        tct_buf_printf(out, "%s %%%u", k ? "," : "", label_of(labels, n->in[k]));
    print_attributes(p, n);
}

void tct_ir_print_origin(printer *p, const tct_node *n, tct_buf *out) {
    const tct_source *s = p->sources ? tct_diag_source(p->sources, n->span.file) : NULL;
    const char *pass = p->no_pass ? NULL : n->pass;
    if (!s && !pass) return;
    tct_buf_puts(out, " @");
    if (s) {
        uint32_t line, col;
        tct_diag_line_col(s, n->span.begin, &line, &col);
        tct_buf_putc(out, ' ');
        print_name(out, p->source_name[n->span.file]);
        tct_buf_printf(out, ":%u:%u", line, col);
    }
    if (!pass) return;
    if (s) tct_buf_puts(out, " by ");
    print_name(out, pass);
}

void tct_ir_print_return(printer *p, const tct_graph *g, const uint32_t *labels, tct_buf *out) {
    p->out = out;
    tct_buf_puts(out, "return");
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        tct_buf_puts(out, k ? ", " : " ");
        print_name(out, o->name);
        tct_buf_printf(out, " = %%%u", label_of(labels, o->value));
        if (o->alias >= 0) tct_buf_printf(out, " into %d", (int)o->alias);
    }
}

void tct_ir_print_graph_name(const tct_graph *g, tct_buf *out) {
    tct_buf_puts(out, "graph ");
    print_name(out, g->name);
}

static void indent(tct_buf *out, int depth) {
    for (int k = 0; k < depth; k++) tct_buf_puts(out, "  ");
}

// "{", one line a node, the results, "}", no line end behind.
static void print_block(printer *p, const tct_graph *g, int depth, tct_buf *out) {
    tct_buf_puts(out, "{\n");
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        indent(out, depth + 1);
        tct_ir_print_node(p, g, v, NULL, out);
        if (n->attr.body) {
            tct_buf_puts(out, " body ");
            print_block(p, n->attr.body, depth + 1, out);
        }
        tct_ir_print_origin(p, n, out);
        tct_buf_putc(out, '\n');
    }
    indent(out, depth + 1);
    tct_ir_print_return(p, g, NULL, out);
    tct_buf_putc(out, '\n');
    indent(out, depth);
    tct_buf_putc(out, '}');
}

static void print_graph(printer *p, const tct_graph *g, tct_buf *out) {
    tct_ir_printer_names(p, g);
    for (size_t k = 0; k < p->files.len; k++) {
        tct_ir_print_source_line(p, p->files.data[k], out);
        tct_buf_putc(out, '\n');
    }
    for (size_t k = 0; k < p->axes.len; k++) {
        tct_ir_print_axis_line(p, p->axes.data[k], out);
        tct_buf_putc(out, '\n');
    }
    tct_ir_print_graph_name(g, out);
    tct_buf_putc(out, ' ');
    print_block(p, g, 0, out);
    tct_buf_putc(out, '\n');
    tct_ir_printer_end(p);
}

void tct_ir_print(const tct_graph *g, tct_buf *out, const tct_diag *sources) {
    printer p;
    tct_ir_printer_begin(&p, g->module, sources);
    print_graph(&p, g, out);
}

void tct_ir_print_bare(const tct_graph *g, tct_buf *out) {
    printer p;
    tct_ir_printer_begin(&p, g->module, NULL);
    p.no_pass = true;
    print_graph(&p, g, out);
}
