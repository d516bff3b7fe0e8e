// Large values that are needed twice, with something in between that wants all rows (the rest of the network,
// between attention's forward and backward pass), are computed a second time: their product costs little
// beside what it takes to keep them.
#include "passes/stream_region.h"

typedef struct again {
    const tct_region *r;
    tct_rewrite to;
    int32_t *level;    // how many such things lie between the product and a node; -1: it doesn't depend on it
    tct_value *second; // by node: its copy
    bool dear;         // a product among the copies costs too much
    double most;
} again;

// What comes after it must wait for all of it.
static bool is_barrier(const tct_region *r, tct_value v) {
    return !tct_region_is_row_wise(r, v) ||
           (tct_region_node(r, v)->op == TCT_IR_DOT && !tct_region_is_large(r, v));
}

static int32_t *levels(const tct_region *r, tct_value product) {
    size_t n = r->g->nodes.len;
    int32_t *level = TCT_NEW_ARRAY(r->arena, int32_t, n);
    for (tct_value v = 0; v < n; v++) {
        level[v] = v == product ? 0 : -1;
        for (uint32_t k = 0; k < tct_region_node(r, v)->n_in; k++) {
            tct_value in = tct_region_node(r, v)->in[k];
            if (level[in] < 0) continue;
            int32_t l = level[in] + is_barrier(r, in);
            if (l > level[v]) level[v] = l;
        }
    }
    return level;
}

static bool is_part(const tct_region *r, tct_value v) {
    return tct_region_node(r, v)->op != TCT_IR_INPUT && tct_region_is_large(r, v) &&
           tct_region_is_row_wise(r, v);
}

static double multiply_adds(const tct_region *r, const tct_node *dot) {
    double count = 1;
    for (int k = 0; k < dot->attr.n_axes; k++)
        count *= (double)tct_axis_of(r->g->module, dot->attr.axes[k])->size;
    return count;
}

// v and what it is made of, once more, at the place of its late user.
static tct_value copy(again *a, tct_value v) {
    if (a->second[v] != TCT_NO_VALUE) return a->second[v];
    const tct_node *n = tct_region_node(a->r, v);
    if (!is_part(a->r, v)) return a->second[v] = a->to.map[v];
    if (n->op == TCT_IR_DOT && multiply_adds(a->r, n) > a->most) a->dear = true;
    for (uint32_t k = 0; k < n->n_in; k++) copy(a, n->in[k]);
    tct_rewrite_at(&a->to, v);
    return tct_ir_copy_node(a->to.to, a->r->g, v, a->second);
}

static void visit(again *a, tct_value v) {
    const tct_node *n = tct_region_node(a->r, v);
    tct_value *first = TCT_NEW_ARRAY(&a->to.arena, tct_value, n->n_in + 1);
    for (uint32_t k = 0; k < n->n_in; k++) first[k] = a->to.map[n->in[k]];
    for (uint32_t k = 0; k < n->n_in && a->level[v] > 0; k++) {
        if (a->level[n->in[k]] != 0 || !is_part(a->r, n->in[k])) continue;
        a->to.map[n->in[k]] = copy(a, n->in[k]);
        a->to.changed = true;
    }
    tct_rewrite_copy(&a->to, v);
    for (uint32_t k = 0; k < n->n_in; k++) a->to.map[n->in[k]] = first[k];
}

const tct_graph *tct_region_again(const tct_region *r, tct_value product, const tct_stream_limits *limits,
                                  tct_value *first, tct_value *second) {
    size_t n = r->g->nodes.len;
    again a = {.r = r, .level = levels(r, product), .most = limits->again};
    tct_rewrite_begin(&a.to, r->g, "stream");
    a.second = TCT_NEW_ARRAY(&a.to.arena, tct_value, n);
    for (size_t v = 0; v < n; v++) a.second[v] = TCT_NO_VALUE;
    for (tct_value v = 0; v < n; v++)
        if (tct_region_node(r, v)->op != TCT_IR_INPUT) visit(&a, v);
    bool changed = a.to.changed;
    *first = changed ? a.to.map[product] : product;
    *second = a.second[product];
    const tct_graph *made = tct_rewrite_finish(&a.to);
    return a.dear ? NULL : made;
}
