#include "ir/diff.h"

#include "base/linediff.h"
#include "ir/match.h"
#include "ir/print.h"

#include <string.h>

typedef TCT_VEC(tct_line) lines;

typedef struct writer {
    tct_arena arena;
    tct_ir_printer printer; // one for both: an axis has one name
    lines *out;
} writer;

static void add_line(writer *w, int depth, const char *text, const char *origin) {
    int blanks = 2 * depth;
    tct_line line = {.key = tct_arena_printf(&w->arena, "%*s%s", blanks, "", text)};
    line.text = *origin ? tct_arena_printf(&w->arena, "%s%s", line.key, origin) : line.key;
    TCT_PUSH(w->out, line);
}

// --- The order of the graph after ---

// v and what it needs, as far as that doesn't stand yet, into order[]. By a stack: graphs can be deep.
static void put(const tct_graph *g, tct_value v, bool *stands, tct_value *order, size_t *n) {
    typedef struct visit {
        tct_value v;
        uint32_t next; // operand
    } visit;
    TCT_VEC(visit) stack = {0};
    if (!stands[v]) TCT_PUSH(&stack, ((visit){v, 0}));
    while (stack.len) {
        visit *top = &stack.data[stack.len - 1];
        const tct_node *x = &g->nodes.data[top->v];
        if (top->next < x->n_in) {
            tct_value operand = x->in[top->next++];
            if (!stands[operand]) TCT_PUSH(&stack, ((visit){operand, 0}));
            continue;
        }
        if (!stands[top->v]) order[(*n)++] = top->v;
        stands[top->v] = true;
        stack.len--;
    }
    TCT_VEC_FREE(&stack);
}

// As the partners stood before; what is new in front of its first user.
static tct_value *order_of(writer *w, const tct_graph *before, const tct_graph *after,
                           const tct_ir_match *m) {
    tct_value *order = TCT_NEW_ARRAY(&w->arena, tct_value, after->nodes.len);
    bool *stands = TCT_NEW_ARRAY(&w->arena, bool, after->nodes.len);
    size_t n = 0;
    for (size_t v = 0; v < before->nodes.len; v++)
        if (m->to_after[v] != TCT_NO_VALUE) put(after, m->to_after[v], stands, order, &n);
    for (tct_value v = 0; v < after->nodes.len; v++) put(after, v, stands, order, &n);
    return order;
}

static uint32_t *labels_of(writer *w, const tct_graph *before, const tct_graph *after, const tct_ir_match *m,
                           const tct_value *order) {
    uint32_t *labels = TCT_NEW_ARRAY(&w->arena, uint32_t, after->nodes.len),
             next = (uint32_t)before->nodes.len;
    for (size_t k = 0; k < after->nodes.len; k++) {
        tct_value v = order[k];
        labels[v] = m->to_before[v] != TCT_NO_VALUE ? m->to_before[v] : next++;
    }
    return labels;
}

// --- Lines ---

static void block_lines(writer *w, const tct_graph *before, const tct_graph *g, int depth);

static void node_lines(writer *w, const tct_graph *before, const tct_graph *g, tct_value v,
                       const uint32_t *labels, int depth) {
    const tct_node *n = &g->nodes.data[v];
    tct_buf text = {0}, origin = {0};
    tct_ir_print_node(&w->printer, g, v, labels, &text);
    tct_ir_print_origin(&w->printer, n, &origin);
    const char *end = origin.data ? origin.data : "";
    if (n->attr.body) {
        tct_buf_puts(&text, " body {");
        add_line(w, depth, text.data, "");
        block_lines(w, before, n->attr.body, depth + 1);
        add_line(w, depth, "}", end);
    } else {
        add_line(w, depth, text.data, end);
    }
    tct_buf_free(&text);
    tct_buf_free(&origin);
}

// The nodes and results of g, numbered and ordered after `before`, which is NULL for a graph that has nothing
// before it.
static void block_lines(writer *w, const tct_graph *before, const tct_graph *g, int depth) {
    tct_ir_match m = {0};
    const tct_value *order = NULL;
    const uint32_t *labels = NULL;
    if (before && before != g) {
        tct_ir_match_graphs(&w->arena, before, g, &m);
        order = order_of(w, before, g, &m);
        labels = labels_of(w, before, g, &m, order);
    }
    for (size_t k = 0; k < g->nodes.len; k++) {
        tct_value v = order ? order[k] : (tct_value)k, was = order ? m.to_before[v] : TCT_NO_VALUE;
        const tct_graph *inner = was != TCT_NO_VALUE ? before->nodes.data[was].attr.body : NULL;
        node_lines(w, inner, g, v, labels, depth);
    }
    tct_buf text = {0};
    tct_ir_print_return(&w->printer, g, labels, &text);
    add_line(w, depth, text.data, "");
    tct_buf_free(&text);
}

static void mark_axes(const tct_graph *g, bool *used) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        for (int k = 0; k < n->n_axes; k++) used[n->axes[k]] = true;
        for (int k = 0; k < n->attr.n_axes; k++) used[n->attr.axes[k]] = true;
        for (int k = 0; k < n->attr.n_to; k++) used[n->attr.to[k]] = true;
        if (n->attr.body) mark_axes(n->attr.body, used);
    }
}

static void graph_lines(writer *w, const tct_graph *before, const tct_graph *g, lines *out) {
    w->out = out;
    bool *used = TCT_NEW_ARRAY(&w->arena, bool, g->module->axes.len);
    mark_axes(g, used);
    tct_buf text = {0};
    for (size_t k = 0; k < w->printer.axes.len; k++) {
        if (!used[w->printer.axes.data[k]]) continue;
        text.len = 0;
        tct_ir_print_axis_line(&w->printer, w->printer.axes.data[k], &text);
        add_line(w, 0, text.data, "");
    }
    text.len = 0;
    tct_ir_print_graph_name(g, &text);
    tct_buf_puts(&text, " {");
    add_line(w, 0, text.data, "");
    tct_buf_free(&text);
    block_lines(w, before, g, 1);
    add_line(w, 0, "}", "");
}

bool tct_ir_diff(const tct_graph *before, const tct_graph *after, const char *name, const tct_diag *sources,
                 bool bare, tct_buf *out) {
    if (before == after) return false;
    writer w = {0};
    lines a = {0}, b = {0};
    tct_ir_printer_begin(&w.printer, before->module, bare ? NULL : sources);
    w.printer.no_pass = bare;
    tct_ir_printer_names(&w.printer, before);
    tct_ir_printer_names(&w.printer, after);
    graph_lines(&w, NULL, before, &a);
    graph_lines(&w, before, after, &b);
    tct_buf hunks = {0};
    bool any = tct_linediff(a.data, a.len, b.data, b.len, &hunks);
    if (any) {
        tct_buf_printf(out, "--- before %s\n+++ after %s\n", name, name);
        tct_buf_add(out, hunks.data, hunks.len);
    }
    tct_buf_free(&hunks);
    TCT_VEC_FREE(&a);
    TCT_VEC_FREE(&b);
    tct_ir_printer_end(&w.printer);
    tct_arena_free(&w.arena);
    return any;
}
