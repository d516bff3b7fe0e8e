// Rebuilding a graph node by node.
#include "passes/rewrite.h"

#include <assert.h>
#include <string.h>

bool tct_axes_have(const tct_axis *a, uint32_t n, tct_axis x) {
    for (uint32_t k = 0; k < n; k++)
        if (a[k] == x) return true;
    return false;
}

bool tct_same_order(const tct_axis *a, uint32_t n, const tct_axis *b, uint32_t m) {
    return n == m && (n == 0 || memcmp(a, b, n * sizeof *a) == 0);
}

bool tct_same_axes(const tct_axis *a, uint32_t n, const tct_axis *b, uint32_t m) {
    if (n != m) return false;
    for (uint32_t k = 0; k < n; k++)
        if (!tct_axes_have(b, m, a[k])) return false;
    return true;
}

uint32_t tct_axes_minus(tct_axis *out, const tct_axis *b, uint32_t n, const tct_axis *c, uint32_t m) {
    uint32_t len = 0;
    for (uint32_t k = 0; k < n; k++)
        if (!tct_axes_have(c, m, b[k])) out[len++] = b[k];
    return len;
}

uint32_t tct_axes_common(tct_axis *out, const tct_axis *b, uint32_t n, const tct_axis *c, uint32_t m) {
    uint32_t len = 0;
    for (uint32_t k = 0; k < n; k++)
        if (tct_axes_have(c, m, b[k])) out[len++] = b[k];
    return len;
}

void tct_rewrite_begin(tct_rewrite *r, const tct_graph *from, const char *pass) {
    *r = (tct_rewrite){.from = from, .pass = pass, .to = tct_graph_new(from->module, from->name)};
    r->map = TCT_NEW_ARRAY(&r->arena, tct_value, from->nodes.len);
    for (size_t v = 0; v < from->nodes.len; v++) r->map[v] = TCT_NO_VALUE;
    for (size_t k = 0; k < from->inputs.len; k++) tct_ir_copy_node(r->to, from, from->inputs.data[k], r->map);
}

void tct_rewrite_at(tct_rewrite *r, tct_value v) {
    r->to->span = tct_node_of(r->from, v)->span;
    r->to->pass = r->pass;
}

// The order of operand k's axes matters to node n. (A scan gives final values the order of initial ones.)
static bool pins_operand(const tct_node *n, uint32_t k) {
    switch (n->op) {
    case TCT_IR_SCAN:
        return k < n->attr.i;
    case TCT_IR_FOREIGN:
    case TCT_IR_FUSED:
        return true;
    default:
        return n->op == TCT_IR_PUT && k == 1;
    }
}

tct_value tct_rewrite_copy(tct_rewrite *r, tct_value v) {
    tct_value copy = tct_ir_copy_node(r->to, r->from, v, r->map);
    const tct_node *old = tct_node_of(r->from, v);
    for (uint32_t k = 0; k < old->n_in; k++) {
        if (!pins_operand(old, k)) continue;
        const tct_node *was = tct_node_of(r->from, old->in[k]), *is = tct_node_of(r->to, r->map[old->in[k]]);
        if (tct_same_order(was->axes, was->n_axes, is->axes, is->n_axes)) continue;
        // The copy of the operand has to come before the node: take that off, and append it again.
        tct_node n = r->to->nodes.data[copy];
        r->to->nodes.len--;
        tct_rewrite_at(r, v);
        n.in[k] = tct_in_order(r->to, n.in[k], was->axes, was->n_axes, NULL);
        r->changed = true;
        copy = r->map[v] = tct_ir_append(r->to, &n);
    }
    return copy;
}

tct_value tct_rewrite_copy_with_body(tct_rewrite *r, tct_value v, tct_graph *body) {
    tct_value copy = tct_rewrite_copy(r, v);
    tct_node *n = &r->to->nodes.data[copy];
    if (n->attr.body != body) {
        n->attr.body = body;
        r->changed = true;
    }
    return copy;
}

tct_graph *tct_rewrite_finish(tct_rewrite *r) {
    const tct_graph *from = r->from;
    tct_graph *to = r->to;
    bool changed = r->changed;
    to->pass = r->pass;
    bool *pinned = changed ? tct_find_pinned(&r->arena, to, from->outputs.len) : NULL;
    for (size_t k = 0; k < from->outputs.len && changed; k++) {
        const tct_output *o = &from->outputs.data[k];
        const tct_node *n = tct_node_of(from, o->value);
        to->span = n->span;
        tct_ir_output(to, o->name, tct_in_order(to, r->map[o->value], n->axes, n->n_axes, pinned), o->alias);
    }
    to->span = from->span;
    to->pass = from->pass;
    tct_arena_free(&r->arena);
    if (changed) return to;
    TCT_VEC_FREE(&to->nodes);
    TCT_VEC_FREE(&to->inputs);
    return (tct_graph *)from;
}

void tct_set_order(tct_graph *g, tct_value v, const tct_axis *axes, uint32_t n) {
    tct_node *node = &g->nodes.data[v];
    assert(tct_same_axes(node->axes, node->n_axes, axes, n));
    assert(node->op != TCT_IR_INPUT && node->op != TCT_IR_GET && !node->bundle);
    if (n) memcpy(node->axes, axes, n * sizeof *axes);
}

bool *tct_find_pinned(tct_arena *arena, const tct_graph *g, size_t extra) {
    bool *pinned = TCT_NEW_ARRAY(arena, bool, g->nodes.len + extra);
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT || n->op == TCT_IR_GET || n->bundle) pinned[v] = true;
        for (uint32_t k = 0; k < n->n_in; k++)
            if (pins_operand(n, k)) pinned[n->in[k]] = true;
    }
    for (size_t k = 0; k < g->outputs.len; k++) pinned[g->outputs.data[k].value] = true;
    return pinned;
}

bool tct_may_have_order(const tct_graph *g, tct_value v, const tct_axis *axes) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op != TCT_IR_DOT || !n->n_axes) return true;
    const tct_node *a = tct_node_of(g, n->in[0]), *b = tct_node_of(g, n->in[1]);
    bool any_free = n->n_axes + n->attr.n_axes > a->n_axes || n->n_axes + n->attr.n_axes > b->n_axes;
    tct_axis last = axes[n->n_axes - 1];
    return !any_free || !tct_node_has_axis(a, last) || !tct_node_has_axis(b, last);
}

tct_value tct_in_order(tct_graph *g, tct_value v, const tct_axis *axes, uint32_t n, bool *pinned) {
    const tct_node *node = tct_node_of(g, v);
    if (!tct_same_order(node->axes, node->n_axes, axes, n)) {
        if (!pinned || pinned[v] || !tct_may_have_order(g, v, axes)) {
            tct_ir_attr attr = {.dtype = (tct_dtype)node->dtype};
            v = tct_ir_emit(g, NULL, TCT_IR_CAST, &v, 1, &attr);
        }
        tct_set_order(g, v, axes, n);
    }
    if (pinned) pinned[v] = true;
    return v;
}

uint32_t *tct_count_uses(tct_arena *arena, const tct_graph *g) {
    uint32_t *uses = TCT_NEW_ARRAY(arena, uint32_t, g->nodes.len);
    for (size_t k = 0; k < g->outputs.len; k++) uses[g->outputs.data[k].value]++;
    for (size_t v = g->nodes.len; v-- > 0;) {
        const tct_node *n = &g->nodes.data[v];
        for (uint32_t k = 0; k < n->n_in && uses[v]; k++) uses[n->in[k]]++;
    }
    return uses;
}

tct_value tct_const_like(tct_graph *g, tct_value like, double value) {
    return tct_ir_const(g, (tct_dtype)tct_node_of(g, like)->dtype, value);
}

tct_value tct_const_int(tct_graph *g, tct_dtype dtype, int64_t value) {
    if (tct_dtype_is_float(dtype)) return tct_ir_const(g, dtype, (double)value);
    tct_ir_attr attr = {.dtype = dtype, .i = value};
    return tct_ir_emit(g, NULL, TCT_IR_CONST, NULL, 0, &attr);
}

tct_value tct_zeros(tct_graph *g, tct_dtype dtype, const tct_axis *axes, uint32_t n) {
    return tct_ir_broadcast(g, tct_ir_const(g, dtype, 0), axes, n);
}

tct_value tct_sum(tct_graph *g, tct_value x, const tct_axis *axes, uint32_t n) {
    return n ? tct_ir_reduce(g, NULL, TCT_IR_SUM, x, axes, n) : x;
}

tct_value tct_contract(tct_graph *g, tct_value a, tct_value b, const tct_axis *axes, uint32_t n) {
    return n ? tct_ir_dot(g, NULL, a, b, axes, n) : tct_bin(g, TCT_IR_MUL, a, b);
}
