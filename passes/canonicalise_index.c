// Canonical form of what goes by index: gather and scatter_add.
#include "passes/canonicalise.h"

#include <string.h>

typedef const tct_ir_attr *attributes;

static const tct_node *node(const tct_canon *c, tct_value v) { return tct_canon_node(c, v); }
static int64_t size_of(const tct_canon *c, tct_axis a) { return tct_axis_of(c->r.to->module, a)->size; }

// 0 <= index < size of the axis.
tct_value tct_canon_inside(tct_canon *c, tct_value index, tct_axis along) {
    tct_value size = tct_const_int(c->r.to, TCT_I32, size_of(c, along));
    tct_value below = tct_canon_bin(c, TCT_IR_LT, index, size);
    tct_value above = tct_canon_bin(c, TCT_IR_GE, index, tct_const_int(c->r.to, TCT_I32, 0));
    return tct_canon_bin(c, TCT_IR_AND, above, below);
}

// v is true at index i (returned) along the axis, and nowhere else: a comparison with an iota.
tct_value tct_canon_position(const tct_canon *c, tct_value v, tct_axis along) {
    const tct_node *n = node(c, v);
    if (n->op != TCT_IR_EQ) return TCT_NO_VALUE;
    for (int k = 0; k < 2; k++) {
        const tct_node *iota = node(c, n->in[k]), *index = node(c, n->in[1 - k]);
        bool counts = iota->op == TCT_IR_IOTA && iota->attr.axes[0] == along && iota->dtype == TCT_I32;
        if (counts && !tct_node_has_axis(index, along)) return n->in[1 - k];
    }
    return TCT_NO_VALUE;
}

// Elementwise, along the axis, and not worth computing everywhere for the sake of what the index picks.
static bool picks_few(const tct_canon *c, tct_value v, int64_t picked) {
    const tct_node *n = node(c, v);
    int64_t all = tct_node_elements(c->r.to, n);
    return tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE && picked > 0 && all > 0 &&
           (tct_canon_single(c, v) ? picked <= all : picked <= all / 4);
}

enum { MAX_PICKED = 32 };

// One gather on its way down: what was picked already, so that shared operands are picked once.
typedef struct picker {
    tct_canon *c;
    tct_value index;
    const tct_ir_attr *attr;
    int64_t elements; // of what is picked
    tct_value from[MAX_PICKED], there[MAX_PICKED];
    int n;
} picker;

// v at the index, as the operation on what its operands are there.
static tct_value pick(picker *p, tct_value v) {
    const tct_node *n = node(p->c, v);
    if (!tct_node_has_axis(n, p->attr->axes[0])) return v;
    for (int k = 0; k < p->n; k++)
        if (p->from[k] == v) return p->there[k];
    tct_value there = TCT_NO_VALUE;
    if (p->n < MAX_PICKED - 4 && picks_few(p->c, v, p->elements)) {
        tct_ir_op op = (tct_ir_op)n->op;
        tct_ir_attr own = n->attr;
        uint32_t n_in = n->n_in;
        tct_value in[3];
        memcpy(in, n->in, n_in * sizeof *in);
        for (uint32_t k = 0; k < n_in; k++) in[k] = pick(p, in[k]);
        there = tct_canon_make(p->c, op, in, n_in, &own);
    } else { // as it is: what didn't fit into this walk may go down in the next round
        there = tct_ir_emit(p->c->r.to, NULL, TCT_IR_GATHER, (tct_value[]){v, p->index}, 2, p->attr);
    }
    if (p->n < MAX_PICKED) {
        p->from[p->n] = v;
        p->there[p->n++] = there;
    }
    return there;
}

// Elements of the gather's result, 0 when unknown.
static int64_t picked_elements(const tct_canon *c, const tct_value *in, attributes attr) {
    const tct_node *x = node(c, in[0]), *index = node(c, in[1]);
    int64_t picked = tct_node_elements(c->r.to, index);
    for (int k = 0; k < x->n_axes; k++)
        if (x->axes[k] != attr->axes[0] && !tct_node_has_axis(index, x->axes[k]))
            picked *= size_of(c, x->axes[k]);
    return picked;
}

// Rows 0, 1, ...: the first rows, under another name.
static tct_value gather_first(tct_canon *c, const tct_value *in, attributes attr, tct_axis to) {
    int64_t size = size_of(c, to);
    if (!size || size > size_of(c, attr->axes[0]) || tct_node_has_axis(node(c, in[0]), to))
        return TCT_NO_VALUE;
    tct_ir_attr slice = {.n_axes = 1, .axes = {attr->axes[0]}, .n_to = 1, .to = {to}, .step = 1};
    return tct_canon_make(c, TCT_IR_SLICE, in, 1, &slice);
}

// One row that is known: a slice of size 1, which goes into a neighbouring axis. Both are views.
static tct_value gather_one(tct_canon *c, const tct_value *in, attributes attr) {
    const tct_node *x = node(c, in[0]), *index = node(c, in[1]);
    tct_axis along = attr->axes[0];
    if (index->attr.i < 0 || index->attr.i >= size_of(c, along) || x->n_axes < 2) return TCT_NO_VALUE;
    int at = 0;
    while (x->axes[at] != along) at++;
    tct_axis beside = x->axes[at + 1 < x->n_axes ? at + 1 : at - 1];
    tct_axis one = tct_axis_get(c->r.to->module, tct_axis_of(c->r.to->module, along)->name, 1);
    tct_ir_attr slice = {.n_axes = 1, .axes = {along}, .n_to = 1, .to = {one}, .i = index->attr.i, .step = 1};
    return tct_canon_drop_axis(c, tct_canon_make(c, TCT_IR_SLICE, in, 1, &slice), one, beside);
}

// What is picked from an elementwise operation is computed for that alone.
static tct_value simplify_gather(tct_canon *c, const tct_value *in, attributes attr) {
    const tct_node *index = node(c, in[1]);
    tct_value direct = TCT_NO_VALUE;
    if (index->op == TCT_IR_IOTA) direct = gather_first(c, in, attr, index->attr.axes[0]);
    if (index->op == TCT_IR_CONST) direct = gather_one(c, in, attr);
    if (direct != TCT_NO_VALUE) return direct;
    int64_t picked = picked_elements(c, in, attr);
    if (picks_few(c, in[0], picked) && size_of(c, attr->axes[0]) > 0) {
        tct_dtype dtype = (tct_dtype)node(c, in[0])->dtype;
        tct_value inside = tct_canon_inside(c, in[1], attr->axes[0]);
        picker p = {.c = c, .index = in[1], .attr = attr, .elements = picked};
        tct_value there = pick(&p, in[0]);
        tct_value none = tct_const_int(c->r.to, dtype, 0);
        return tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){inside, there, none}, 3, NULL);
    }
    return TCT_NO_VALUE;
}

// Updates of rows 0, 1, ... of zeros: these rows, and zeros behind.
static tct_value scatter_first(tct_canon *c, tct_value update, attributes attr, tct_axis from) {
    int64_t size = size_of(c, from);
    if (!size || size > size_of(c, attr->axes[0])) return TCT_NO_VALUE;
    tct_ir_attr pad = {.n_axes = 1, .axes = {from}, .n_to = 1, .to = {attr->axes[0]}};
    return tct_canon_make(c, TCT_IR_PAD, &update, 1, &pad);
}

// Zeros but for one position of each row, which lies along axes of the base: a choice, point by point, that
// joins what uses it. (Where several updates can meet, a real scatter is needed.)
static tct_value simplify_scatter(tct_canon *c, const tct_value *in, attributes attr) {
    const tct_node *base = node(c, in[0]), *index = node(c, in[1]);
    double zero;
    tct_axis meet[TCT_IR_MAX_AXES];
    if (!tct_canon_const(c, in[0], &zero) || zero != 0) return TCT_NO_VALUE;
    bool meets = tct_axes_minus(meet, index->axes, index->n_axes, base->axes, base->n_axes) > 0;
    if (meets && index->op == TCT_IR_IOTA) return scatter_first(c, in[2], attr, index->attr.axes[0]);
    if (meets) return TCT_NO_VALUE;
    tct_value none = tct_const_like(c->r.to, in[0], 0);
    tct_ir_attr along = {.n_axes = 1, .axes = {attr->axes[0]}, .dtype = TCT_I32};
    tct_value iota = tct_ir_emit(c->r.to, NULL, TCT_IR_IOTA, NULL, 0, &along);
    tct_value here = tct_canon_bin(c, TCT_IR_EQ, iota, in[1]);
    return tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){here, in[2], none}, 3, NULL);
}

tct_value tct_canon_index(tct_canon *c, tct_ir_op op, const tct_value *in, const tct_ir_attr *attr) {
    if (op == TCT_IR_GATHER) return simplify_gather(c, in, attr);
    return op == TCT_IR_SCATTER_ADD ? simplify_scatter(c, in, attr) : TCT_NO_VALUE;
}
