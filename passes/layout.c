// Layout: the order of the axes of every intermediate. Contract: any graph before fusion; inputs, outputs,
// operands of scans, calls and fused groups keep theirs; results are the same numbers.
//
// A matrix product reads its operands as M x K and N x K, where M, N and K are groups of axes. It is fast
// when the axes of a group lie next to each other in the same order on both sides, so that each group is one
// stride, and when the last axis of its result is a free one. Its result may stand in any order, so that is
// where layouts are chosen: of all orders, the one that costs least by tct_layout_cost over its own groups
// and what the users would like (passes/layout_wants.c), the default one among equals. So the attention
// output [B, H, T, D], consumed by dot over (H, D), becomes [B, T, H, D]. Elementwise operations follow their
// operands, weighed by size; everything else takes the default order.
#include "passes/layout.h"

#include "passes/passes.h"

#include <string.h>

enum { MAX_PERMUTED = 6 };

typedef struct orders {
    const tct_ir_module *m;
    const tct_want *wants;
    int n_wants, n_axes;
    uint32_t inner_mask; // positions in `start` that may come last
    const tct_axis *start;
    tct_axis best[TCT_IR_MAX_AXES];
    double cost; // of `best`
} orders;

static void consider(orders *o, const tct_axis *order) {
    double cost = tct_layout_cost(o->m, o->wants, o->n_wants, order, o->n_axes);
    if (o->cost >= 0 && cost >= o->cost) return;
    o->cost = cost;
    if (o->n_axes) memcpy(o->best, order, (size_t)o->n_axes * sizeof *order);
}

// All permutations of `start` from position `at` on, in lexicographic order; `used` are the positions taken.
static void permute(orders *o, tct_axis *order, int at, uint32_t used) {
    if (at == o->n_axes) {
        consider(o, order);
        return;
    }
    for (int k = 0; k < o->n_axes; k++) {
        if (used >> k & 1) continue;
        if (at == o->n_axes - 1 && !(o->inner_mask >> k & 1)) continue;
        order[at] = o->start[k];
        permute(o, order, at + 1, used | 1u << k);
    }
}

static void add_want(const tct_ir_module *m, tct_wants *w, const tct_axis *axes, uint32_t n, double weight) {
    tct_want want = {.n = (uint8_t)n, .weight = weight};
    if (n) memcpy(want.axes, axes, n * sizeof *axes);
    tct_layout_want(m, w, &want);
}

// The best order of dot `n`, whose default order is `start`.
static void order_of_dot(const tct_graph *to, const tct_node *n, const tct_wants *users,
                         const tct_axis *start, tct_axis *out) {
    const tct_node *a = tct_node_of(to, n->in[0]), *b = tct_node_of(to, n->in[1]);
    tct_wants wants = *users;
    double elements = (double)tct_node_elements(to, n);
    tct_axis open[TCT_IR_MAX_AXES];
    // Its own groups, in the operands' order.
    uint32_t n_open = tct_axes_minus(open, a->axes, a->n_axes, b->axes, b->n_axes);
    add_want(to->module, &wants, open, n_open, elements);
    n_open = tct_axes_minus(open, b->axes, b->n_axes, a->axes, a->n_axes);
    add_want(to->module, &wants, open, n_open, elements);
    orders o = {.m = to->module,
                .wants = wants.list,
                .n_wants = wants.n,
                .n_axes = n->n_axes,
                .start = start,
                .cost = -1};
    for (int k = 0; k < n->n_axes; k++)
        if (!tct_node_has_axis(a, start[k]) || !tct_node_has_axis(b, start[k])) o.inner_mask |= 1u << k;
    if (!o.inner_mask) o.inner_mask = UINT32_MAX;
    tct_axis order[TCT_IR_MAX_AXES];
    if (n->n_axes <= MAX_PERMUTED)
        permute(&o, order, 0, 0);
    else
        consider(&o, start);
    memcpy(out, o.best, n->n_axes * sizeof *out);
}

// Operands in another order are read across: that costs their elements.
static double cost_of_reading(const tct_graph *to, const tct_node *n, const tct_axis *order) {
    double cost = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *x = tct_node_of(to, n->in[k]);
        tct_axis seen[TCT_IR_MAX_AXES];
        uint32_t n_seen = tct_axes_common(seen, order, n->n_axes, x->axes, x->n_axes);
        if (!tct_same_order(seen, n_seen, x->axes, x->n_axes)) cost += (double)tct_node_elements(to, x);
    }
    return cost;
}

// An elementwise node: its old order, the default one, or that of an operand which has all axes.
static void order_of_elementwise(const tct_graph *to, const tct_node *n, const tct_wants *users,
                                 const tct_axis *start, tct_axis *out) {
    double best = -1;
    for (uint32_t k = 0; k < n->n_in + 2; k++) {
        const tct_axis *order = k == 0 ? start : k == 1 ? n->axes : tct_node_of(to, n->in[k - 2])->axes;
        if (k >= 2 && tct_node_of(to, n->in[k - 2])->n_axes != n->n_axes) continue;
        double cost = cost_of_reading(to, n, order) +
                      tct_layout_cost(to->module, users->list, users->n, order, n->n_axes);
        if (best >= 0 && cost >= best) continue;
        best = cost;
        memmove(out, order, n->n_axes * sizeof *out);
    }
}

// A broadcast has no operand worth following: as its users like it, if one of them says it all.
static void order_of_broadcast(const tct_graph *to, const tct_node *n, const tct_wants *users,
                               const tct_axis *start, tct_axis *out) {
    orders o = {.m = to->module, .wants = users->list, .n_wants = users->n, .n_axes = n->n_axes, .cost = -1};
    consider(&o, start);
    for (int k = 0; k < users->n; k++)
        if (tct_same_axes(users->list[k].axes, users->list[k].n, n->axes, n->n_axes))
            consider(&o, users->list[k].axes);
    memcpy(out, o.best, n->n_axes * sizeof *out);
}

static void choose(const tct_graph *to, const tct_node *n, const tct_wants *users, tct_axis *out) {
    tct_node plain = *n;
    bool fits = tct_ir_infer(to, NULL, &plain, n->span);
    const tct_axis *start = fits ? plain.axes : n->axes;
    memcpy(out, start, n->n_axes * sizeof *out);
    if (n->op == TCT_IR_DOT)
        order_of_dot(to, n, users, start, out);
    else if (n->op == TCT_IR_BROADCAST)
        order_of_broadcast(to, n, users, start, out);
    else if (tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE)
        order_of_elementwise(to, n, users, start, out);
    else if (tct_ir_ops[n->op].cls == TCT_CLASS_LEAF)
        memcpy(out, n->axes, n->n_axes * sizeof *out);
}

static void visit(tct_rewrite *r, tct_value v, const tct_wants *wants) {
    const tct_node *old = tct_node_of(r->from, v);
    bool copies = old->op == TCT_IR_CAST && tct_node_of(r->from, old->in[0])->dtype == old->dtype;
    if (copies && !wants[v].pinned) { // of layout alone
        r->map[v] = r->map[old->in[0]];
        r->changed = true;
        return;
    }
    tct_value copy = tct_rewrite_copy(r, v);
    const tct_node *n = tct_node_of(r->to, copy);
    if (n->bundle || n->op == TCT_IR_GET || n->n_axes < 2) return;
    tct_axis order[TCT_IR_MAX_AXES];
    if (wants[v].pinned && tct_may_have_order(r->to, copy, old->axes))
        memcpy(order, old->axes, n->n_axes * sizeof *order);
    else
        choose(r->to, n, &wants[v], order);
    if (tct_same_order(order, n->n_axes, old->axes, old->n_axes)) return;
    tct_set_order(r->to, copy, order, n->n_axes);
    r->changed = true;
}

tct_graph *tct_pass_layout(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "layout");
    const tct_wants *wants = tct_layout_wants(&r.arena, g);
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (n->op == TCT_IR_SCAN)
            tct_rewrite_copy_with_body(&r, v, tct_pass_layout(n->attr.body));
        else
            visit(&r, v, wants);
    }
    return tct_rewrite_finish(&r);
}
