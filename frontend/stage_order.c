// The order of the axes of what an expression of stage code gives. Rows are the first axis and elements
// follow each other in this order, so it follows from what is written: a call's results stand as their types
// say, and of other expressions the axes stand in the order in which the tensors name them, from left to
// right. How it is computed has no part in that.
#include "frontend/stage_internal.h"

#include <string.h>

typedef struct axes {
    tct_axis axis[TCT_IR_MAX_AXES];
    uint32_t n;
} axes;

static void add(axes *to, tct_axis a) {
    for (uint32_t i = 0; i < to->n; i++)
        if (to->axis[i] == a) return;
    if (to->n < TCT_IR_MAX_AXES) to->axis[to->n++] = a;
}

static bool among(const tct_axis *list, uint32_t n, tct_axis a) {
    for (uint32_t i = 0; i < n; i++)
        if (list[i] == a) return true;
    return false;
}

// The operand's order, with the axes that the operation replaces where they stood: split and merge, slice,
// rename …
static void moved(const tct_node *n, const axes *x, axes *out) {
    bool placed = false;
    for (uint32_t i = 0; i < x->n; i++) {
        if (!among(n->attr.axes, n->attr.n_axes, x->axis[i]))
            add(out, x->axis[i]);
        else if (!placed) {
            placed = true;
            for (uint32_t k = 0; k < n->attr.n_to; k++) add(out, n->attr.to[k]);
        }
    }
}

static void as_it_stands(const tct_node *n, axes *out) {
    out->n = n->n_axes;
    memcpy(out->axis, n->axes, n->n_axes * sizeof *n->axes);
}

static void order_of(const tct_node *n, const axes *all, axes *out) {
    tct_ir_class cls = tct_ir_ops[n->op].cls;
    if (cls == TCT_CLASS_ELEMENTWISE) {
        for (uint32_t k = 0; k < n->n_in; k++)
            for (uint32_t i = 0; i < all[n->in[k]].n; i++) add(out, all[n->in[k]].axis[i]);
    } else if (n->op == TCT_IR_RENAME || n->op == TCT_IR_SPLIT || n->op == TCT_IR_MERGE ||
               n->op == TCT_IR_SLICE || n->op == TCT_IR_PAD) {
        moved(n, &all[n->in[0]], out);
    } else if (cls == TCT_CLASS_REDUCTION) {
        for (uint32_t i = 0; i < all[n->in[0]].n; i++)
            if (!among(n->attr.axes, n->attr.n_axes, all[n->in[0]].axis[i])) add(out, all[n->in[0]].axis[i]);
    } else if (n->op == TCT_IR_BROADCAST || n->op == TCT_IR_FLIP) {
        *out = all[n->in[0]];
        for (uint32_t i = 0; n->op == TCT_IR_BROADCAST && i < n->attr.n_axes; i++) add(out, n->attr.axes[i]);
    } else {
        as_it_stands(n, out);
    }
    bool fits = out->n == n->n_axes;
    for (uint32_t i = 0; i < out->n && fits; i++) fits = among(n->axes, n->n_axes, out->axis[i]);
    if (!fits) as_it_stands(n, out);
}

static bool among_values(const tct_builder *b, tct_value v) {
    for (uint32_t i = 0; i < b->n_ordered; i++)
        if (b->ordered[i] == v) return true;
    return false;
}

tct_value tct_stage_in_order(const tct_builder *b, tct_value v) {
    tct_graph *g = b->graph;
    if (tct_node_of(g, v)->op == TCT_IR_INPUT) return v;
    axes *all = tct_alloc(((size_t)v + 1) * sizeof *all);
    for (tct_value i = 0; i <= v; i++) {
        const tct_node *n = tct_node_of(g, i);
        if (among_values(b, i))
            as_it_stands(n, &all[i]);
        else
            order_of(n, all, &all[i]);
    }
    tct_value out = tct_elab_reordered(g, v, all[v].axis);
    tct_heap_free(all);
    return out;
}
