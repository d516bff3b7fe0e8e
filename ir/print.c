// The text form, written. docs/ir.md has the grammar.
#include "ir/ir.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct printer {
    tct_buf *out;
    const tct_ir_module *m;
    const tct_diag *sources; // may be NULL
    uint32_t *suffix;        // by axis: 1 + its number among the printed axes of its name; 0: not printed
} printer;

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

static void declare_axis(printer *p, tct_axis a) {
    if (p->suffix[a]) return;
    const tct_axis_info *info = tct_axis_of(p->m, a);
    uint32_t number = 1;
    for (size_t k = 0; k < p->m->axes.len; k++)
        if (p->suffix[k] && strcmp(p->m->axes.data[k].name, info->name) == 0) number++;
    p->suffix[a] = number;
    tct_buf_puts(p->out, "axis ");
    print_axis(p, a);
    if (info->size)
        tct_buf_printf(p->out, " = %lld\n", (long long)info->size);
    else
        tct_buf_puts(p->out, " = ?\n");
}

// In the order of first use, bodies where they stand.
static void declare_axes(printer *p, const tct_graph *g) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        for (int k = 0; k < n->n_axes; k++) declare_axis(p, n->axes[k]);
        for (int k = 0; k < n->attr.n_axes; k++) declare_axis(p, n->attr.axes[k]);
        for (int k = 0; k < n->attr.n_to; k++) declare_axis(p, n->attr.to[k]);
        if (n->attr.body) declare_axes(p, n->attr.body);
    }
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

static void print_place(printer *p, tct_span span) {
    const tct_source *s = p->sources ? tct_diag_source(p->sources, span.file) : NULL;
    if (!s) return;
    uint32_t line, col;
    tct_diag_line_col(s, span.begin, &line, &col);
    tct_buf_printf(p->out, " ; %s:%u:%u", s->path, line, col);
}

static void indent(printer *p, int depth) {
    for (int k = 0; k < depth; k++) tct_buf_puts(p->out, "  ");
}

// "{", one line a node, the results, "}", no line end behind.
static void print_block(printer *p, const tct_graph *g, int depth) {
    tct_buf_puts(p->out, "{\n");
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        indent(p, depth + 1);
        tct_buf_printf(p->out, "%%%zu: ", v);
        print_result_type(p, g, n);
        tct_buf_printf(p->out, " = %s", tct_ir_ops[n->op].name);
        for (uint32_t k = 0; k < n->n_in; k++) tct_buf_printf(p->out, "%s %%%u", k ? "," : "", n->in[k]);
        print_attributes(p, n);
        if (n->attr.body) {
            tct_buf_puts(p->out, " body ");
            print_block(p, n->attr.body, depth + 1);
        }
        if (n->pass) {
            tct_buf_puts(p->out, " @");
            print_name(p->out, n->pass);
        }
        print_place(p, n->span);
        tct_buf_putc(p->out, '\n');
    }
    indent(p, depth + 1);
    tct_buf_puts(p->out, "return");
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        tct_buf_puts(p->out, k ? ", " : " ");
        print_name(p->out, o->name);
        tct_buf_printf(p->out, " = %%%u", o->value);
        if (o->alias >= 0) tct_buf_printf(p->out, " into %d", (int)o->alias);
    }
    tct_buf_putc(p->out, '\n');
    indent(p, depth);
    tct_buf_putc(p->out, '}');
}

void tct_ir_print(const tct_graph *g, tct_buf *out, const tct_diag *sources) {
    printer p = {.out = out, .m = g->module, .sources = sources};
    p.suffix = tct_alloc(g->module->axes.len * sizeof *p.suffix);
    declare_axes(&p, g);
    tct_buf_puts(out, "graph ");
    print_name(out, g->name);
    tct_buf_putc(out, ' ');
    print_block(&p, g, 0);
    tct_buf_putc(out, '\n');
    tct_heap_free(p.suffix);
}
