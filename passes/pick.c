// What is gathered from the results of products is computed for the rows that are gathered, and for no other:
// a gather goes down through everything that treats positions of its axis alike and apart, products with
// weights included, where nobody wants the other positions. Needs canonical gathers (canonicalise has taken
// them through what is elementwise); one walk for each index. Bodies of scans are left alone.
#include "passes/passes.h"
#include "passes/rewrite.h"

// Rounds, and multiply-adds saved for each element that is gathered where the walk ends: gathering costs
// memory's time, its gradient a scatter.
enum { MAX_ROUNDS = 8, WORTH = 64 };

// All gathers by one index along one axis.
typedef struct group {
    const tct_graph *g;
    tct_axis along;
    tct_value index;
    bool *inside; // by node: everything that wants it is a gather of the group, or inside
} group;

static bool belongs(const group *p, const tct_node *n) {
    return n->op == TCT_IR_GATHER && n->attr.axes[0] == p->along && n->in[1] == p->index;
}

static const tct_node *index_of(const group *p) { return tct_node_of(p->g, p->index); }

static bool shared(const group *p, const tct_axis *axes, uint32_t n) {
    tct_axis common[TCT_IR_MAX_AXES];
    return tct_axes_common(common, axes, n, index_of(p)->axes, index_of(p)->n_axes) > 0;
}

static bool moves_others(const group *p, const tct_node *n) {
    const tct_ir_attr *a = &n->attr;
    return !tct_axes_have(a->axes, a->n_axes, p->along) && !tct_axes_have(a->to, a->n_to, p->along) &&
           !shared(p, a->axes, a->n_axes) && !shared(p, a->to, a->n_to);
}

// A merge of the axis with axes of size 1, which ends them: positions are what they were.
static bool drops_ones(const group *p, const tct_node *n) {
    if (n->op != TCT_IR_MERGE || n->attr.to[0] != p->along || !index_of(p)->n_axes) return false;
    for (int k = 0; k < n->attr.n_axes; k++)
        if (n->attr.axes[k] != p->along && tct_axis_of(p->g->module, n->attr.axes[k])->size != 1)
            return false;
    return tct_axes_have(n->attr.axes, n->attr.n_axes, p->along) && !shared(p, n->attr.axes, n->attr.n_axes);
}

// A factor that hasn't the axis has to be the same for all rows that the index tells apart, as weights are.
static bool multiplies_apart(const group *p, const tct_node *n) {
    for (int k = 0; k < 2; k++) {
        const tct_node *x = tct_node_of(p->g, n->in[k]);
        if (!tct_node_has_axis(x, p->along) && shared(p, x->axes, x->n_axes)) return false;
    }
    return !shared(p, n->attr.axes, n->attr.n_axes);
}

// Its value at a position is that of its operands there.
static bool goes_by_position(const group *p, const tct_node *n) {
    if (n->bundle || !tct_node_has_axis(n, p->along)) return false;
    if (n->n_axes - 1 + index_of(p)->n_axes > TCT_IR_MAX_AXES) return false;
    switch (n->op) {
    case TCT_IR_DOT:
        return multiplies_apart(p, n);
    case TCT_IR_SLICE:
    case TCT_IR_SPLIT:
    case TCT_IR_MERGE:
    case TCT_IR_RENAME:
    case TCT_IR_BROADCAST:
        return moves_others(p, n) || drops_ones(p, n);
    default:
        if (tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION) return !shared(p, n->attr.axes, n->attr.n_axes);
        return tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE;
    }
}

static void find_inside(group *p, const uint32_t *uses, tct_arena *arena) {
    const tct_graph *g = p->g;
    bool *elsewhere = TCT_NEW_ARRAY(arena, bool, g->nodes.len),
         *here = TCT_NEW_ARRAY(arena, bool, g->nodes.len);
    p->inside = TCT_NEW_ARRAY(arena, bool, g->nodes.len);
    for (size_t k = 0; k < g->outputs.len; k++) elsewhere[g->outputs.data[k].value] = true;
    for (size_t v = g->nodes.len; v-- > 0;) {
        const tct_node *n = &g->nodes.data[v];
        if (!uses[v]) continue;
        bool gathers = belongs(p, n);
        p->inside[v] = !gathers && here[v] && !elsewhere[v] && goes_by_position(p, n);
        for (uint32_t k = 0; k < n->n_in; k++)
            *(p->inside[v] || (gathers && k == 0) ? &here[n->in[k]] : &elsewhere[n->in[k]]) = true;
    }
}

// Where a size isn't known, it is the same on both sides of every comparison.
static double size_of(const group *p, tct_axis a) {
    int64_t size = tct_axis_of(p->g->module, a)->size;
    return size ? (double)size : 1;
}

static double elements(const group *p, const tct_node *n) {
    double all = 1;
    for (int k = 0; k < n->n_axes; k++) all *= size_of(p, n->axes[k]);
    return all;
}

static double picked(const group *p, const tct_node *n) {
    const tct_node *index = index_of(p);
    double all = elements(p, n) / size_of(p, p->along);
    for (int k = 0; k < index->n_axes; k++)
        if (!tct_node_has_axis(n, index->axes[k])) all *= size_of(p, index->axes[k]);
    return all;
}

// Multiply-adds less, beside what has to be gathered for them.
static bool is_worth_it(const group *p, const uint32_t *uses, tct_arena *arena) {
    const tct_graph *g = p->g;
    bool *counted = TCT_NEW_ARRAY(arena, bool, g->nodes.len);
    double saved = 0, gathered = 0;
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (!uses[v] || (!p->inside[v] && !belongs(p, n))) continue;
        if (p->inside[v] && n->op == TCT_IR_DOT) {
            double each = 1;
            for (int k = 0; k < n->attr.n_axes; k++) each *= size_of(p, n->attr.axes[k]);
            saved += each * (elements(p, n) - picked(p, n));
        }
        for (uint32_t k = 0; k < (p->inside[v] ? n->n_in : 1); k++) {
            tct_value from = n->in[k];
            const tct_node *x = tct_node_of(g, from);
            if (p->inside[from] || counted[from] || !tct_node_has_axis(x, p->along)) continue;
            counted[from] = true;
            gathered += elements(p, x) + picked(p, x);
        }
    }
    return saved > WORTH * gathered;
}

// A graph on its way to be rewritten for a group.
typedef struct picker {
    tct_rewrite r;
    const group *p;
    tct_value *there;        // by old node: its value where the index points to
    tct_value index, exists; // an index that points somewhere in any case, and whether the old one did
} picker;

// What is picked outside of the axis is never seen, but computed with, so it has to be as good as the rest.
static void begin_picking(picker *x) {
    tct_graph *to = x->r.to;
    tct_value index = x->r.map[x->p->index], zero = tct_const_int(to, TCT_I32, 0);
    int64_t size = tct_axis_of(to->module, x->p->along)->size;
    tct_value last = tct_const_int(to, TCT_I32, size - 1);
    tct_value not_below = tct_bin(to, TCT_IR_GE, index, zero),
              not_above = tct_bin(to, TCT_IR_LE, index, last);
    x->exists = tct_bin(to, TCT_IR_AND, not_below, not_above);
    x->index = tct_bin(to, TCT_IR_MAX, tct_bin(to, TCT_IR_MIN, index, last), zero);
}

static tct_value there(picker *x, tct_value v) {
    if (!tct_node_has_axis(tct_node_of(x->p->g, v), x->p->along)) return x->r.map[v];
    if (x->there[v] == TCT_NO_VALUE) { // where the walk ends
        tct_ir_attr attr = {.n_axes = 1, .axes = {x->p->along}};
        x->there[v] =
            tct_ir_emit(x->r.to, NULL, TCT_IR_GATHER, (tct_value[]){x->r.map[v], x->index}, 2, &attr);
    }
    return x->there[v];
}

// All inside nodes from `from` to `to`, whose operands are there already.
static void pick_inside(picker *x, tct_value from, tct_value to) {
    for (tct_value v = from; v < to; v++) {
        const tct_node *n = tct_node_of(x->p->g, v);
        if (!x->p->inside[v]) continue;
        tct_value in[3];
        for (uint32_t k = 0; k < n->n_in; k++) in[k] = there(x, n->in[k]);
        tct_rewrite_at(&x->r, v);
        tct_ir_attr attr = n->attr;
        if (drops_ones(x->p, n)) { // into an axis of the index instead
            tct_axis beside = index_of(x->p)->axes[index_of(x->p)->n_axes - 1];
            for (int k = 0; k < attr.n_axes; k++)
                if (attr.axes[k] == x->p->along) attr.axes[k] = beside;
            attr.to[0] = beside;
        }
        x->there[v] = tct_ir_emit(x->r.to, NULL, (tct_ir_op)n->op, in, n->n_in, &attr);
    }
}

static tct_value chosen(picker *x, tct_value v, const tct_node *n) {
    tct_value value = there(x, n->in[0]);
    tct_rewrite_at(&x->r, v);
    tct_value none = tct_const_like(x->r.to, value, 0);
    value = tct_ir_where(x->r.to, NULL, x->exists, value, none);
    tct_set_order(x->r.to, value, n->axes, n->n_axes);
    return value;
}

static tct_graph *apply(const group *p) {
    const tct_graph *g = p->g;
    picker x = {.p = p};
    tct_rewrite_begin(&x.r, g, "pick");
    x.there = TCT_NEW_ARRAY(&x.r.arena, tct_value, g->nodes.len);
    for (size_t v = 0; v < g->nodes.len; v++) x.there[v] = TCT_NO_VALUE;
    tct_value done = 0;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (n->op == TCT_IR_INPUT || p->inside[v]) continue;
        if (!belongs(p, n)) {
            tct_rewrite_copy(&x.r, v);
            continue;
        }
        tct_rewrite_at(&x.r, v);
        if (!done) begin_picking(&x);
        pick_inside(&x, done, v);
        done = v;
        x.r.map[v] = chosen(&x, v, n);
    }
    x.r.changed = true;
    return tct_rewrite_finish(&x.r);
}

// The group of gather v, if it is the first of it and the index may be any position.
static bool begins_group(const tct_graph *g, tct_value v, group *out) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op != TCT_IR_GATHER || !tct_axis_of(g->module, n->attr.axes[0])->size) return false;
    *out = (group){.g = g, .along = n->attr.axes[0], .index = n->in[1]};
    if (tct_node_has_axis(index_of(out), out->along)) return false;
    for (tct_value w = 0; w < v; w++)
        if (belongs(out, tct_node_of(g, w))) return false;
    return true;
}

static tct_graph *one_round(tct_graph *g) {
    tct_arena arena = {0};
    const uint32_t *uses = tct_count_uses(&arena, g);
    tct_graph *next = g;
    for (tct_value v = 0; v < g->nodes.len && next == g; v++) {
        group p;
        if (!uses[v] || !begins_group(g, v, &p)) continue;
        find_inside(&p, uses, &arena);
        if (is_worth_it(&p, uses, &arena)) next = apply(&p);
    }
    tct_arena_free(&arena);
    return next;
}

tct_graph *tct_pass_pick(tct_graph *g) {
    for (int round = 0; round < MAX_ROUNDS; round++) {
        tct_graph *next = one_round(g);
        if (next == g) break;
        g = next;
    }
    return g;
}
