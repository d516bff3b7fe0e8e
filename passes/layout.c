// Layout: the order of the axes of every intermediate. Contract: any graph before fusion; inputs, outputs,
// operands of scans, calls and fused groups keep theirs; results are the same numbers.
//
// A matrix product reads its operands as M x K and N x K, where M, N and K are groups of axes. It is fast
// when the axes of a group lie next to each other in the same order on both sides, so that each group is one
// stride, and when the last axis of its result is a free one. Its result may stand in any order, so that is
// where layouts are chosen: of all orders, the one that costs least by tct_layout_cost over its own groups
// and what the users would like (passes/layout_wants.c); among equals the default one, then the one nearest
// to the operands' own. So the attention output [B, H, T, D], consumed by dot over (H, D), becomes [B, T, H,
// D]. Elementwise operations follow their operands, weighed by size; everything else takes the default order.
#include "passes/layout.h"

#include "passes/passes.h"

#include <string.h>

enum { MAX_PERMUTED = 6 };

// What is known of a node of the new graph.
typedef struct made {
    bool flexible; // made from smaller operands alone: any order is as good, and its user's the best
    bool pinned;
} made;

typedef struct layout {
    tct_rewrite r;
    const tct_wants *wants;
    TCT_VEC(made) made; // by node of r.to
} layout;

static bool is_flexible(const layout *l, const tct_node *n) {
    if (n->op == TCT_IR_BROADCAST) return true;
    if (tct_ir_ops[n->op].cls != TCT_CLASS_ELEMENTWISE) return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (tct_node_of(l->r.to, n->in[k])->n_axes == n->n_axes && !l->made.data[n->in[k]].flexible)
            return false;
    return true;
}

// Operands in another order are read across: that costs their elements.
static double cost_of_reading(const layout *l, const tct_node *n, const tct_axis *order) {
    double cost = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *x = tct_node_of(l->r.to, n->in[k]);
        tct_axis seen[TCT_IR_MAX_AXES];
        uint32_t n_seen = tct_axes_common(seen, order, n->n_axes, x->axes, x->n_axes);
        if (l->made.data[n->in[k]].flexible || tct_same_order(seen, n_seen, x->axes, x->n_axes)) continue;
        cost += (double)tct_node_elements(l->r.to, x);
    }
    return cost;
}

typedef struct orders {
    const tct_ir_module *m;
    const tct_want *wants;
    int n_wants, n_axes;
    uint32_t inner_mask; // positions in `start` that may come last
    const tct_axis *start;
    const tct_node *reader; // what it costs that one to read its operands counts as well; may be NULL
    const layout *l;        // with `reader`
    // Among orders of equal cost the one that turns round fewest pairs of their axes; may be NULL.
    const tct_node *a, *b;
    tct_axis best[TCT_IR_MAX_AXES];
    double cost; // of `best`
    int turned;
} orders;

// Pairs of axes that stand the other way round in x.
static int turned_pairs(const tct_axis *order, int n, const tct_node *x) {
    int count = 0, last[TCT_IR_MAX_AXES], n_last = 0;
    for (int k = 0; k < n && x; k++) {
        int at = 0;
        while (at < x->n_axes && x->axes[at] != order[k]) at++;
        if (at == x->n_axes) continue;
        for (int j = 0; j < n_last; j++) count += last[j] > at;
        last[n_last++] = at;
    }
    return count;
}

static void consider(orders *o, const tct_axis *order) {
    double cost = tct_layout_cost(o->m, o->wants, o->n_wants, order, o->n_axes);
    if (o->reader) cost += cost_of_reading(o->l, o->reader, order);
    if (o->cost >= 0 && cost > o->cost) return;
    int turned = turned_pairs(order, o->n_axes, o->a) + turned_pairs(order, o->n_axes, o->b);
    if (order == o->start) turned = -1; // the default order wins among equals
    if (o->cost >= 0 && cost == o->cost && turned >= o->turned) return;
    o->cost = cost;
    o->turned = turned;
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
                .cost = -1,
                .a = a,
                .b = b};
    for (int k = 0; k < n->n_axes; k++)
        if (!tct_node_has_axis(a, start[k]) || !tct_node_has_axis(b, start[k])) o.inner_mask |= 1u << k;
    if (!o.inner_mask) o.inner_mask = UINT32_MAX;
    tct_axis order[TCT_IR_MAX_AXES];
    consider(&o, start);
    if (n->n_axes <= MAX_PERMUTED) permute(&o, order, 0, 0);
    memcpy(out, o.best, n->n_axes * sizeof *out);
}

// An elementwise node: its old order, the default one, or that of an operand which has all axes; any at all
// if no operand has them all and can't be turned.
static void order_of_elementwise(const layout *l, const tct_node *n, const tct_wants *users,
                                 const tct_axis *start, tct_axis *out) {
    const tct_graph *to = l->r.to;
    orders o = {.m = to->module, .wants = users->list, .n_wants = users->n, .n_axes = n->n_axes, .cost = -1};
    o.l = l;
    o.reader = n;
    o.start = start;
    o.a = tct_node_of(to, n->in[0]);
    o.b = tct_node_of(to, n->in[n->n_in - 1]);
    consider(&o, start);
    consider(&o, n->axes);
    bool rigid = false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *x = tct_node_of(to, n->in[k]);
        if (x->n_axes != n->n_axes) continue;
        consider(&o, x->axes);
        rigid = rigid || !l->made.data[n->in[k]].flexible;
    }
    tct_axis order[TCT_IR_MAX_AXES];
    o.inner_mask = UINT32_MAX;
    if (!rigid && n->n_axes <= MAX_PERMUTED) permute(&o, order, 0, 0);
    memcpy(out, o.best, n->n_axes * sizeof *out);
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

static void choose(const layout *l, const tct_node *n, const tct_wants *users, tct_axis *out) {
    const tct_graph *to = l->r.to;
    tct_node plain = *n;
    bool fits = tct_ir_infer(to, NULL, &plain, n->span);
    const tct_axis *start = fits ? plain.axes : n->axes;
    memcpy(out, start, n->n_axes * sizeof *out);
    if (n->op == TCT_IR_DOT)
        order_of_dot(to, n, users, start, out);
    else if (n->op == TCT_IR_BROADCAST)
        order_of_broadcast(to, n, users, start, out);
    else if (tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE)
        order_of_elementwise(l, n, users, start, out);
    else if (tct_ir_ops[n->op].cls == TCT_CLASS_LEAF)
        memcpy(out, n->axes, n->n_axes * sizeof *out);
}

static void set_order(layout *l, tct_value v, const tct_axis *order, uint32_t n_axes) {
    const tct_node *n = tct_node_of(l->r.to, v);
    if (tct_same_order(order, n_axes, n->axes, n->n_axes)) return;
    tct_set_order(l->r.to, v, order, n_axes);
    l->r.changed = true;
}

static void visit(layout *l, tct_value v) {
    tct_rewrite *r = &l->r;
    const tct_node *old = tct_node_of(r->from, v);
    bool copies = old->op == TCT_IR_CAST && tct_node_of(r->from, old->in[0])->dtype == old->dtype;
    if (copies && !l->wants[v].pinned) { // of layout alone
        r->map[v] = r->map[old->in[0]];
        r->changed = true;
        return;
    }
    tct_value copy = old->op == TCT_IR_SCAN
                         ? tct_rewrite_copy_with_body(r, v, tct_pass_layout(old->attr.body))
                         : tct_rewrite_copy(r, v);
    const tct_node *n = tct_node_of(r->to, copy);
    if (n->bundle || n->op == TCT_IR_GET || n->n_axes < 2) return;
    tct_axis order[TCT_IR_MAX_AXES];
    if (l->wants[v].pinned && tct_may_have_order(r->to, copy, old->axes))
        memcpy(order, old->axes, n->n_axes * sizeof *order);
    else
        choose(l, n, &l->wants[v], order);
    set_order(l, copy, order, n->n_axes);
}

// Flexible operands of elementwise nodes stand as these do; users come before what they use.
static void follow_users(layout *l) {
    for (size_t v = l->r.to->nodes.len; v-- > 0;) {
        const tct_node *n = &l->r.to->nodes.data[v];
        if (tct_ir_ops[n->op].cls != TCT_CLASS_ELEMENTWISE) continue;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const tct_node *x = tct_node_of(l->r.to, n->in[k]);
            tct_axis order[TCT_IR_MAX_AXES];
            if (!l->made.data[n->in[k]].flexible || l->made.data[n->in[k]].pinned) continue;
            uint32_t n_order = tct_axes_common(order, n->axes, n->n_axes, x->axes, x->n_axes);
            set_order(l, n->in[k], order, n_order);
        }
    }
}

static void note_new_nodes(layout *l) {
    while (l->made.len < l->r.to->nodes.len) {
        made m = {.flexible = is_flexible(l, &l->r.to->nodes.data[l->made.len])};
        TCT_PUSH(&l->made, m);
    }
}

tct_graph *tct_pass_layout(tct_graph *g) {
    layout l = {0};
    tct_rewrite_begin(&l.r, g, "layout");
    l.wants = tct_layout_wants(&l.r.arena, g);
    note_new_nodes(&l);
    for (tct_value v = 0; v < g->nodes.len; v++) {
        if (g->nodes.data[v].op != TCT_IR_INPUT) visit(&l, v);
        note_new_nodes(&l);
        if (l.wants[v].pinned) l.made.data[l.r.map[v]].pinned = true;
    }
    follow_users(&l);
    TCT_VEC_FREE(&l.made);
    return tct_rewrite_finish(&l.r);
}
