// The region of a product: operations of the same extent beside it, everything that reads these, and what
// lies between. It is given up when one of them needs several rows at once.
#include "passes/stream_region.h"

#include <string.h>

static const tct_node *node(const tct_region *r, tct_value v) { return tct_region_node(r, v); }

static int64_t size_of(const tct_graph *g, tct_axis a) { return tct_axis_of(g->module, a)->size; }

static bool is_made_of_nothing(const tct_region *r, tct_value v) {
    enum { MOST_COST = 4 };
    const tct_node *n = node(r, v);
    tct_ir_class cls = tct_ir_ops[n->op].cls;
    if (cls == TCT_CLASS_LEAF) return n->op != TCT_IR_INPUT && n->n_in == 0;
    if (n->op != TCT_IR_BROADCAST &&
        (cls != TCT_CLASS_ELEMENTWISE || tct_ir_op_cost((tct_ir_op)n->op) > MOST_COST))
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (!r->anew[n->in[k]]) return false;
    return true;
}

tct_region tct_region_begin(tct_arena *arena, const tct_graph *g, tct_value product) {
    size_t n = g->nodes.len;
    tct_region r = {.g = g,
                    .arena = arena,
                    .place = TCT_NEW_ARRAY(arena, tct_region_place, n),
                    .output = TCT_NEW_ARRAY(arena, bool, n),
                    .below = TCT_NEW_ARRAY(arena, bool, n),
                    .anew = TCT_NEW_ARRAY(arena, bool, n),
                    .elements = (double)tct_node_elements(g, tct_node_of(g, product))};
    for (size_t k = 0; k < g->outputs.len; k++) r.output[g->outputs.data[k].value] = true;
    for (tct_value v = 0; v < n; v++) r.anew[v] = is_made_of_nothing(&r, v);
    return r;
}

bool tct_region_is_large(const tct_region *r, tct_value v) {
    return !node(r, v)->bundle && 2 * (double)tct_node_elements(r->g, node(r, v)) >= r->elements;
}

// Any of the axes that are cut is among these.
static bool cuts(const tct_region *r, const tct_axis *axes, uint32_t n) {
    for (uint32_t k = 0; k < r->n_axes; k++)
        if (tct_axes_have(axes, n, r->axes[k])) return true;
    return false;
}

bool tct_region_is_cut(const tct_region *r, tct_value v) {
    return !node(r, v)->bundle && cuts(r, node(r, v)->axes, node(r, v)->n_axes);
}

static bool has_rows(const tct_region *r, tct_value v) {
    for (uint32_t k = 0; k < r->n_axes; k++)
        if (!tct_node_has_axis(node(r, v), r->axes[k])) return false;
    return true;
}

bool tct_region_is_row_wise(const tct_region *r, tct_value v) {
    const tct_node *n = node(r, v);
    if (n->bundle || !has_rows(r, v)) return false;
    switch (tct_ir_ops[n->op].cls) {
    case TCT_CLASS_ELEMENTWISE:
        return true;
    case TCT_CLASS_REDUCTION:
    case TCT_CLASS_CONTRACTION:
        return !cuts(r, n->attr.axes, n->attr.n_axes);
    case TCT_CLASS_MOVEMENT:
        if (n->op == TCT_IR_BROADCAST) return true;
        if (n->op == TCT_IR_SCATTER_ADD || n->op == TCT_IR_PUT) return false;
        return !cuts(r, n->attr.axes, n->attr.n_axes) &&
               ((tct_ir_ops[n->op].attrs & TCT_IR_TO) == 0 || !cuts(r, n->attr.to, n->attr.n_to));
    default:
        return false;
    }
}

// Whether node v adds rows up. (Partial sums in bf16 would each be rounded. Elements of a batch run beside
// each other: there is no sum from one to the next.)
static bool is_sum(const tct_region *r, tct_value v) {
    const tct_node *n = node(r, v);
    return r->parts && (n->op == TCT_IR_SUM || n->op == TCT_IR_DOT) && n->dtype != TCT_BF16 &&
           cuts(r, n->attr.axes, n->attr.n_axes);
}

static bool enter(tct_region *r, tct_value v, bool *grown) {
    if (r->place[v] == TCT_INSIDE) return true;
    if (r->place[v] == TCT_SUMMED || !tct_region_is_row_wise(r, v) ||
        (r->output[v] && tct_region_is_large(r, v)))
        return false;
    r->place[v] = TCT_INSIDE;
    *grown = true;
    return true;
}

// Everything that node v wants beside it.
static bool grow_at(tct_region *r, tct_value v, bool *grown) {
    const tct_node *n = node(r, v);
    for (uint32_t k = 0; k < n->n_in; k++) {
        tct_value in = n->in[k];
        bool joins = r->place[v] != TCT_OUTSIDE && r->place[in] == TCT_OUTSIDE &&
                     node(r, in)->op != TCT_IR_INPUT && tct_region_is_large(r, in) && has_rows(r, in);
        if (joins && !enter(r, in, grown)) return false;
        if (r->place[in] != TCT_INSIDE || !tct_region_is_large(r, in) || r->place[v] != TCT_OUTSIDE) continue;
        if (is_sum(r, v)) {
            r->place[v] = TCT_SUMMED;
            *grown = true;
        } else if (!enter(r, v, grown)) {
            return false;
        }
    }
    return true;
}

// What lies on a way from inside to inside belongs there; another product would do its work again for
// nothing.
static bool close_ways(tct_region *r, bool *grown) {
    size_t n = r->g->nodes.len;
    bool *above = TCT_NEW_ARRAY(r->arena, bool, n); // the region depends on it
    memset(r->below, 0, n * sizeof *r->below);
    for (tct_value v = 0; v < n; v++)
        for (uint32_t k = 0; k < node(r, v)->n_in; k++) {
            tct_value in = node(r, v)->in[k];
            r->below[v] |= r->below[in] || r->place[in] != TCT_OUTSIDE;
        }
    for (tct_value v = (tct_value)n; v-- > 0;)
        if (above[v] || r->place[v] != TCT_OUTSIDE)
            for (uint32_t k = 0; k < node(r, v)->n_in; k++) above[node(r, v)->in[k]] = true;
    for (tct_value v = 0; v < n; v++) {
        if (r->place[v] == TCT_SUMMED && above[v]) return false;
        if (!r->below[v] || !above[v] || r->place[v] != TCT_OUTSIDE) continue;
        if (node(r, v)->op == TCT_IR_DOT || !enter(r, v, grown)) return false;
    }
    return true;
}

bool tct_region_is_entry(const tct_region *r, tct_value v) {
    return r->place[v] == TCT_OUTSIDE && (!r->anew[v] || tct_region_is_cut(r, v));
}

bool tct_region_leaves(const tct_region *r, tct_value v) {
    if (r->output[v]) return true;
    for (tct_value u = v + 1; u < r->g->nodes.len; u++)
        for (uint32_t k = 0; r->place[u] == TCT_OUTSIDE && k < node(r, u)->n_in; k++)
            if (node(r, u)->in[k] == v) return true;
    return false;
}

// The memory of operand o consists of pieces, one for each part, one after the other.
static bool in_pieces(const tct_region *r, const tct_node *o) {
    uint32_t at = 0;
    for (uint32_t k = 0; k < r->n_axes; k++) {
        if (!tct_node_has_axis(o, r->axes[k])) continue;
        while (o->axes[at] != r->axes[k] && size_of(r->g, o->axes[at]) == 1) at++;
        if (o->axes[at] != r->axes[k]) return false;
        at++;
    }
    return true;
}

// Otherwise it is copied, and has to be small for that.
static bool entries_fit(const tct_region *r) {
    double copied = r->parts ? 16 : 3;
    for (tct_value v = 0; v < r->g->nodes.len; v++)
        for (uint32_t k = 0; r->place[v] != TCT_OUTSIDE && k < node(r, v)->n_in; k++) {
            tct_value in = node(r, v)->in[k];
            const tct_node *o = node(r, in);
            if (!tct_region_is_entry(r, in) || !tct_region_is_cut(r, in)) continue;
            if (r->parts && o->n_axes >= TCT_IR_MAX_AXES) return false; // rows become two axes
            if (!in_pieces(r, o) && copied * (double)tct_node_elements(r->g, o) > r->elements) return false;
        }
    return true;
}

bool tct_region_grow(tct_region *r, tct_value product) {
    bool grown = false;
    if (!enter(r, product, &grown)) return false;
    do {
        grown = false;
        for (tct_value v = 0; v < r->g->nodes.len; v++)
            if (node(r, v)->n_in && (r->place[v] != TCT_OUTSIDE || !node(r, v)->bundle))
                if (!grow_at(r, v, &grown)) return false;
        // A bundle that reads something large wants it whole.
        for (tct_value v = 0; v < r->g->nodes.len; v++)
            for (uint32_t k = 0; node(r, v)->bundle && k < node(r, v)->n_in; k++)
                if (r->place[node(r, v)->in[k]] == TCT_INSIDE && tct_region_is_large(r, node(r, v)->in[k]))
                    return false;
        if (!close_ways(r, &grown)) return false;
    } while (grown);
    return r->views || entries_fit(r);
}
