// Where a sum of products is wanted, or has anything to add: masks that are known only at run time, as that
// of a cache's places that are not filled yet. What they hide needn't be read.
#include "passes/fuse.h"
#include "passes/rewrite.h"

enum {
    DEAREST_MASK = 8, // operations of a mask, which is computed again beside the product
    DEEPEST = 8,      // operations from a factor back to its mask
};

#define NOWHERE (TCT_NO_VALUE - 1) // nobody wants it

// By node: what a mask made of positions costs (integers and truths alone); 0: it is none.
static int *position_costs(tct_arena *arena, const tct_graph *g) {
    int *cost = TCT_NEW_ARRAY(arena, int, g->nodes.len);
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        bool leaf =
            n->op == TCT_IR_INPUT || n->op == TCT_IR_CONST || n->op == TCT_IR_IOTA || n->op == TCT_IR_SIZE;
        bool through = tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE || n->op == TCT_IR_BROADCAST;
        if (n->bundle || tct_dtype_is_float((tct_dtype)n->dtype) || (!leaf && !through)) continue;
        int sum = 1;
        for (uint32_t k = 0; k < n->n_in && sum; k++) sum = cost[n->in[k]] ? sum + cost[n->in[k]] : 0;
        cost[v] = sum;
    }
    return cost;
}

static bool is_mask(const tct_fuse_masks *m, tct_value v) {
    return m->cost[v] > 0 && m->cost[v] <= DEAREST_MASK && tct_node_of(m->g, v)->dtype == TCT_BOOL;
}

static bool has_all(const tct_node *n, const tct_node *of) {
    for (int k = 0; k < of->n_axes; k++)
        if (!tct_node_has_axis(n, of->axes[k])) return false;
    return true;
}

// Where operand k of u is wanted, as far as u wants it.
static tct_value wanted_by(const tct_fuse_masks *m, tct_value u, uint32_t k) {
    const tct_node *n = tct_node_of(m->g, u);
    tct_value where = TCT_NO_VALUE;
    if (m->where[u] == NOWHERE) return m->where[u];
    if (n->op == TCT_IR_WHERE && k == 1 && is_mask(m, n->in[0]))
        where = n->in[0];
    else if (tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE)
        where = m->where[u];
    bool fits = where != TCT_NO_VALUE && has_all(tct_node_of(m->g, n->in[k]), tct_node_of(m->g, where));
    return fits ? where : TCT_NO_VALUE;
}

tct_fuse_masks tct_fuse_find_masks(tct_arena *arena, const tct_graph *g) {
    tct_fuse_masks m = {
        .g = g, .cost = position_costs(arena, g), .where = TCT_NEW_ARRAY(arena, tct_value, g->nodes.len)};
    for (tct_value v = 0; v < g->nodes.len; v++) m.where[v] = NOWHERE;
    for (size_t k = 0; k < g->outputs.len; k++) m.where[g->outputs.data[k].value] = TCT_NO_VALUE;
    for (tct_value u = (tct_value)g->nodes.len; u-- > 0;) {
        const tct_node *n = tct_node_of(g, u);
        for (uint32_t k = 0; k < n->n_in; k++) {
            tct_value *where = &m.where[n->in[k]], by = wanted_by(&m, u, k);
            if (by == NOWHERE) continue;
            *where = *where == NOWHERE || *where == by ? by : TCT_NO_VALUE;
        }
    }
    for (tct_value v = 0; v < g->nodes.len; v++)
        if (m.where[v] == NOWHERE) m.where[v] = TCT_NO_VALUE;
    return m;
}

static bool has_any(const tct_node *n, const tct_axis *axes, uint32_t n_axes) {
    for (uint32_t k = 0; k < n_axes; k++)
        if (tct_node_has_axis(n, axes[k])) return true;
    return false;
}

// Whether v is one number all along `axes` where a mask hides it, made by an exponential on the way (exp).
static bool is_hidden(const tct_fuse_masks *m, tct_value v, const tct_axis *axes, uint32_t n_axes, int depth,
                      bool *exp) {
    const tct_node *n = tct_node_of(m->g, v);
    if (depth == DEEPEST || tct_ir_ops[n->op].cls != TCT_CLASS_ELEMENTWISE) return false;
    if (n->op == TCT_IR_WHERE && is_mask(m, n->in[0]))
        return !has_any(tct_node_of(m->g, n->in[2]), axes, n_axes);
    bool any = false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (!has_any(tct_node_of(m->g, n->in[k]), axes, n_axes)) continue;
        if (!is_hidden(m, n->in[k], axes, n_axes, depth + 1, exp)) return false;
        any = true;
    }
    *exp |= n->op == TCT_IR_EXP;
    return any;
}

int tct_fuse_vanishing(const tct_fuse_masks *m, const tct_node *dot) {
    for (int k = 0; k < 2; k++) {
        bool exp = false;
        if (is_hidden(m, dot->in[k], dot->attr.axes, dot->attr.n_axes, 0, &exp) && exp) return k;
    }
    return -1;
}
