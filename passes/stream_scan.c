// A region as a scan: over parts of its rows, with sums as carries; or over the elements of a batch, beside
// each other.
#include "passes/stream_region.h"

#include <assert.h>
#include <string.h>

typedef struct maker {
    const tct_region *r;
    tct_rewrite *to;
    tct_graph *body;
    tct_axis outer, inner; // of the rows: parts, and rows of a part
    tct_value *map;        // into the body
    TCT_VEC(tct_value) operands;
} maker;

static const tct_node *node(const tct_region *r, tct_value v) { return tct_region_node(r, v); }

// Axes as the body has them, over themselves: parts of rows instead of rows, no batch. Returns how many.
static uint8_t substitute(const maker *m, tct_axis *axes, uint32_t n) {
    const tct_region *r = m->r;
    uint8_t left = 0;
    for (uint32_t k = 0; k < n; k++) {
        bool cut = tct_axes_have(r->axes, r->n_axes, axes[k]);
        if (!cut || r->parts) axes[left++] = cut ? m->inner : axes[k];
    }
    return left;
}

static tct_axis *substituted(const maker *m, const tct_axis *axes, uint8_t *n) {
    tct_axis *out = TCT_NEW_ARRAY(&m->r->g->module->arena, tct_axis, *n + 1u);
    if (*n) memcpy(out, axes, *n * sizeof *out);
    *n = substitute(m, out, *n);
    return out;
}

static tct_value body_input(maker *m, tct_value operand, const tct_node *like) {
    const char *name = tct_arena_printf(&m->r->g->module->arena, "x%zu", m->operands.len);
    TCT_PUSH(&m->operands, operand);
    m->body->span = like->span;
    uint8_t n = like->n_axes;
    const tct_axis *axes = substituted(m, like->axes, &n);
    return tct_ir_input(m->body, name, (tct_dtype)like->dtype, axes, n);
}

static void add_entry(maker *m, tct_value v) {
    if (m->map[v] != TCT_NO_VALUE) return;
    const tct_node *n = node(m->r, v);
    if (!tct_region_is_entry(m->r, v)) {
        for (uint32_t k = 0; m->r->place[v] == TCT_OUTSIDE && k < n->n_in; k++) add_entry(m, n->in[k]);
        m->map[v] =
            m->r->place[v] == TCT_OUTSIDE ? tct_ir_copy_node(m->body, m->r->g, v, m->map) : TCT_NO_VALUE;
        return;
    }
    tct_value operand = m->to->map[v];
    if (m->r->parts && tct_region_is_cut(m->r, v)) {
        tct_rewrite_at(m->to, v);
        tct_ir_attr attr = {.n_axes = 1, .axes = {m->r->axes[0]}, .n_to = 2, .to = {m->outer, m->inner}};
        operand = tct_ir_emit(m->to->to, NULL, TCT_IR_SPLIT, &operand, 1, &attr);
    }
    m->map[v] = body_input(m, operand, n);
}

static void add_step(maker *m, tct_value v) {
    tct_node n = *node(m->r, v);
    tct_arena *arena = &m->r->g->module->arena;
    tct_value *in = TCT_NEW_ARRAY(arena, tct_value, n.n_in + 1);
    for (uint32_t k = 0; k < n.n_in; k++) in[k] = m->map[n.in[k]];
    n.in = in;
    n.axes = substituted(m, n.axes, &n.n_axes);
    n.attr.n_axes = substitute(m, n.attr.axes, n.attr.n_axes);
    // Within a part all is in cache and at hand: nothing waits, and along the batch alone nothing is
    // repeated.
    if (n.op == TCT_IR_AFTER || (n.op == TCT_IR_BROADCAST && n.attr.n_axes == 0)) {
        m->body->span = n.span;
        m->map[v] = tct_in_order(m->body, in[0], n.axes, n.n_axes, NULL);
        return;
    }
    m->map[v] = tct_ir_append(m->body, &n);
}

// Result `index` of the scan stands for node v.
static void hand_out(maker *m, tct_value scan, uint32_t index, tct_value v) {
    const tct_node *n = node(m->r, v);
    tct_graph *to = m->to->to;
    tct_rewrite_at(m->to, v);
    tct_value x = tct_ir_get(to, scan, index);
    if (m->r->parts && m->r->place[v] == TCT_INSIDE) {
        tct_ir_attr attr = {.n_axes = 2, .axes = {m->outer, m->inner}, .n_to = 1, .to = {m->r->axes[0]}};
        x = tct_ir_emit(to, NULL, TCT_IR_MERGE, &x, 1, &attr);
    }
    m->to->map[v] = tct_in_order(to, x, n->axes, n->n_axes, NULL);
}

static void make_scan(maker *m, tct_value product, const tct_stream_limits *within) {
    const tct_region *r = m->r;
    tct_graph *to = m->to->to;
    TCT_VEC(tct_value) results = {0};
    m->body = tct_graph_new(r->g->module, "body");
    m->body->pass = m->to->pass;
    size_t n = r->g->nodes.len;
    tct_value *carried = TCT_NEW_ARRAY(r->arena, tct_value, n);
    for (tct_value v = 0; v < n; v++) {
        if (r->place[v] != TCT_SUMMED) continue;
        const tct_node *s = node(r, v);
        tct_rewrite_at(m->to, v);
        carried[v] = body_input(m, tct_zeros(to, (tct_dtype)s->dtype, s->axes, s->n_axes), s);
        TCT_PUSH(&results, v);
    }
    size_t carries = results.len;
    for (tct_value v = 0; v < n; v++) {
        if (r->place[v] == TCT_OUTSIDE) continue;
        for (uint32_t k = 0; k < node(r, v)->n_in; k++) add_entry(m, node(r, v)->in[k]);
        add_step(m, v);
        if (r->place[v] == TCT_INSIDE && tct_region_leaves(r, v)) TCT_PUSH(&results, v);
    }
    for (size_t k = 0; k < results.len; k++) {
        tct_value y = m->map[results.data[k]];
        m->body->span = node(r, results.data[k])->span;
        if (k < carries) {
            const tct_node *s = node(r, results.data[k]);
            y = tct_bin(m->body, TCT_IR_ADD, carried[results.data[k]], y);
            tct_set_order(m->body, y, s->axes, s->n_axes);
        }
        tct_ir_output(m->body, tct_arena_printf(&r->g->module->arena, "y%zu", k), y, -1);
    }
    tct_rewrite_at(m->to, product);
    if (within) m->body = tct_stream(m->body, within);
    tct_ir_attr attr = {.n_axes = 1, .axes = {m->outer}, .i = (int64_t)carries, .step = 1, .body = m->body};
    if (!r->parts) {
        attr.n_axes = (uint8_t)r->n_axes;
        memcpy(attr.axes, r->axes, r->n_axes * sizeof *r->axes);
    }
    tct_value scan = tct_ir_emit(to, NULL, TCT_IR_SCAN, m->operands.data, (uint32_t)m->operands.len, &attr);
    for (uint32_t k = 0; k < results.len; k++) hand_out(m, scan, k, results.data[k]);
    TCT_VEC_FREE(&results);
    TCT_VEC_FREE(&m->operands);
}

// What doesn't depend on the region, the region, what does.
tct_graph *tct_region_scan(const tct_region *r, tct_value product, const tct_stream_limits *within) {
    tct_rewrite to;
    tct_rewrite_begin(&to, r->g, "stream");
    tct_ir_module *module = r->g->module;
    maker m = {.r = r, .to = &to, .map = TCT_NEW_ARRAY(&to.arena, tct_value, r->g->nodes.len)};
    if (r->parts) {
        const tct_axis_info rows = *tct_axis_of(module, r->axes[0]);
        const char *outer = tct_arena_printf(&module->arena, "%s_parts", rows.name),
                   *inner = tct_arena_printf(&module->arena, "%s_part", rows.name);
        m.outer = tct_axis_get(module, outer, r->parts);
        m.inner = tct_axis_get(module, inner, rows.size / r->parts);
    }
    memset(m.map, 0xFF, r->g->nodes.len * sizeof *m.map); // TCT_NO_VALUE
    for (int later = 0; later < 2; later++) {
        for (tct_value v = 0; v < r->g->nodes.len; v++)
            if (node(r, v)->op != TCT_IR_INPUT && r->place[v] == TCT_OUTSIDE && r->below[v] == (later != 0))
                tct_rewrite_copy(&to, v);
        if (!later) make_scan(&m, product, within);
    }
    to.changed = true;
    return tct_rewrite_finish(&to);
}
