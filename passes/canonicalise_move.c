// Canonical form of data movement.
#include "passes/canonicalise.h"

#include <string.h>

typedef const tct_ir_attr *attributes;

static const tct_node *node(const tct_canon *c, tct_value v) { return tct_canon_node(c, v); }
static int64_t size_of(const tct_canon *c, tct_axis a) { return tct_axis_of(c->r.to->module, a)->size; }

static tct_value make_one(tct_canon *c, tct_ir_op op, tct_value x, const tct_ir_attr *attr) {
    return tct_canon_make(c, op, &x, 1, attr);
}

static tct_value make_rename(tct_canon *c, tct_value x, tct_axis from, tct_axis to) {
    if (from == to) return x;
    return make_one(c, TCT_IR_RENAME, x, &(tct_ir_attr){.n_axes = 1, .axes = {from}, .n_to = 1, .to = {to}});
}

static tct_value simplify_broadcast(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (x->op != TCT_IR_BROADCAST) return TCT_NO_VALUE;
    tct_ir_attr both = *attr;
    for (int k = 0; k < x->attr.n_axes; k++) both.axes[both.n_axes++] = x->attr.axes[k];
    return make_one(c, TCT_IR_BROADCAST, x->in[0], &both);
}

// A move of axis `from` to `to` of a broadcast: nothing but another broadcast along that axis, the move below
// the broadcast elsewhere.
static tct_value move_broadcast(tct_canon *c, tct_ir_op op, const tct_node *x, attributes attr) {
    tct_value inner = x->in[0];
    tct_ir_attr wide = {0};
    wide.n_axes = (uint8_t)tct_axes_minus(wide.axes, x->attr.axes, x->attr.n_axes, attr->axes, 1);
    bool along = wide.n_axes < x->attr.n_axes;
    if (along)
        for (int k = 0; k < attr->n_to; k++) wide.axes[wide.n_axes++] = attr->to[k];
    else
        inner = make_one(c, op, inner, attr);
    return tct_canon_widen(c, inner, wide.axes, wide.n_axes);
}

static tct_value simplify_rename(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    tct_axis from = attr->axes[0], to = attr->to[0];
    if (from == to) return v;
    if (x->op == TCT_IR_RENAME && x->attr.to[0] == from) return make_rename(c, x->in[0], x->attr.axes[0], to);
    if (x->op == TCT_IR_BROADCAST) return move_broadcast(c, TCT_IR_RENAME, x, attr);
    if (x->op == TCT_IR_IOTA) {
        tct_ir_attr iota = x->attr;
        iota.axes[0] = to;
        return tct_ir_emit(c->r.to, NULL, TCT_IR_IOTA, NULL, 0, &iota);
    }
    return TCT_NO_VALUE;
}

// The positions lie in one operand of the concat.
static tct_value slice_concat(tct_canon *c, const tct_node *x, attributes attr) {
    int64_t first = attr->i, last = first + (size_of(c, attr->to[0]) - 1) * attr->step, start = 0;
    for (uint32_t k = 0; k < x->n_in; k++) {
        int64_t size = size_of(c, x->attr.axes[k]);
        if (!size) return TCT_NO_VALUE;
        if (first >= start && last < start + size) {
            tct_ir_attr part = *attr;
            part.axes[0] = x->attr.axes[k];
            part.i -= start;
            return make_one(c, TCT_IR_SLICE, x->in[k], &part);
        }
        start += size;
    }
    return TCT_NO_VALUE;
}

static tct_value simplify_slice(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    tct_axis from = attr->axes[0], to = attr->to[0];
    int64_t whole = size_of(c, from), part = size_of(c, to);
    if (!whole || !part) return TCT_NO_VALUE;
    if (whole == part) return make_rename(c, v, from, to);
    tct_ir_attr inner = *attr;
    bool along = x->attr.n_to > 0 && x->attr.to[0] == from;
    switch (x->op) {
    case TCT_IR_BROADCAST:
        return move_broadcast(c, TCT_IR_SLICE, x, attr);
    case TCT_IR_SLICE:
        if (!along) return TCT_NO_VALUE;
        inner.axes[0] = x->attr.axes[0];
        inner.i = x->attr.i + attr->i * x->attr.step;
        inner.step = attr->step * x->attr.step;
        return make_one(c, TCT_IR_SLICE, x->in[0], &inner);
    case TCT_IR_RENAME:
        if (!along) return TCT_NO_VALUE;
        inner.axes[0] = x->attr.axes[0];
        return make_one(c, TCT_IR_SLICE, x->in[0], &inner);
    case TCT_IR_PAD: {
        int64_t end = x->attr.i + size_of(c, x->attr.axes[0]), last = attr->i + (part - 1) * attr->step;
        if (!along || attr->i < x->attr.i || last >= end) return TCT_NO_VALUE;
        inner.axes[0] = x->attr.axes[0];
        inner.i -= x->attr.i;
        return make_one(c, TCT_IR_SLICE, x->in[0], &inner);
    }
    case TCT_IR_CONCAT:
        return along ? slice_concat(c, x, attr) : TCT_NO_VALUE;
    default:
        return TCT_NO_VALUE;
    }
}

tct_value tct_canon_drop_axis(tct_canon *c, tct_value x, tct_axis one, tct_axis beside) {
    const tct_node *n = node(c, x);
    bool split_off = n->op == TCT_IR_SPLIT && n->attr.n_to == 2 && tct_axes_have(n->attr.to, 2, one);
    if (split_off) return make_rename(c, n->in[0], n->attr.axes[0], n->attr.to[n->attr.to[0] == one ? 1 : 0]);
    tct_ir_attr merge = {.n_axes = 2, .axes = {one, beside}, .n_to = 1, .to = {beside}};
    return make_one(c, TCT_IR_MERGE, x, &merge);
}

// One position and the same value everywhere else is a choice.
static tct_value pad_one(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (x->n_axes < 2) return TCT_NO_VALUE;
    tct_axis one = attr->axes[0], beside = x->axes[x->axes[0] == one ? 1 : 0];
    tct_graph *to = c->r.to;
    tct_value fill = tct_const_like(to, v, attr->f), there = tct_canon_drop_axis(c, v, one, beside);
    tct_ir_attr along = {.n_axes = 1, .axes = {attr->to[0]}, .dtype = TCT_I32};
    tct_value iota = tct_ir_emit(to, NULL, TCT_IR_IOTA, NULL, 0, &along);
    tct_value here = tct_canon_bin(c, TCT_IR_EQ, iota, tct_const_int(to, TCT_I32, attr->i));
    return tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){here, there, fill}, 3, NULL);
}

static tct_value simplify_pad(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    int64_t size = size_of(c, attr->axes[0]);
    if (size && size == size_of(c, attr->to[0])) return make_rename(c, v, attr->axes[0], attr->to[0]);
    if (size == 1 && size_of(c, attr->to[0]) > 0) {
        tct_value choice = pad_one(c, v, attr);
        if (choice != TCT_NO_VALUE) return choice;
    }
    if (x->op != TCT_IR_PAD || x->attr.to[0] != attr->axes[0] || x->attr.f != attr->f) return TCT_NO_VALUE;
    tct_ir_attr both = *attr;
    both.axes[0] = x->attr.axes[0];
    both.i += x->attr.i;
    return make_one(c, TCT_IR_PAD, x->in[0], &both);
}

// Renames x's axes from[k] to to[k], where they have equal sizes and no name meets another on the way.
static tct_value rename_all(tct_canon *c, tct_value v, const tct_axis *from, const tct_axis *to, int n) {
    const tct_node *x = node(c, v);
    for (int k = 0; k < n; k++) {
        if (from[k] != to[k] && tct_node_has_axis(x, to[k])) return TCT_NO_VALUE;
        if (!size_of(c, from[k]) || size_of(c, from[k]) != size_of(c, to[k])) return TCT_NO_VALUE;
    }
    for (int k = 0; k < n; k++) v = make_rename(c, v, from[k], to[k]);
    return v;
}

static tct_value simplify_split(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (attr->n_to == 1) return make_rename(c, v, attr->axes[0], attr->to[0]);
    if (x->op == TCT_IR_BROADCAST) return move_broadcast(c, TCT_IR_SPLIT, x, attr);
    if (x->op != TCT_IR_MERGE || x->attr.to[0] != attr->axes[0] || x->attr.n_axes != attr->n_to)
        return TCT_NO_VALUE;
    if (memcmp(x->attr.axes, attr->to, attr->n_to * sizeof *attr->to) == 0) return x->in[0];
    return rename_all(c, x->in[0], x->attr.axes, attr->to, attr->n_to);
}

static tct_value simplify_merge(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (attr->n_axes == 1) return make_rename(c, v, attr->axes[0], attr->to[0]);
    if (x->op != TCT_IR_SPLIT || !tct_same_order(x->attr.to, x->attr.n_to, attr->axes, attr->n_axes))
        return TCT_NO_VALUE;
    return make_rename(c, x->in[0], x->attr.axes[0], attr->to[0]);
}

static tct_value simplify_flip(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (size_of(c, attr->axes[0]) == 1) return v;
    if (x->op == TCT_IR_FLIP && x->attr.axes[0] == attr->axes[0]) return x->in[0];
    if (x->op == TCT_IR_BROADCAST && tct_axes_have(x->attr.axes, x->attr.n_axes, attr->axes[0])) return v;
    return TCT_NO_VALUE;
}

tct_value tct_canon_move(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                         const tct_ir_attr *attr) {
    switch (op) {
    case TCT_IR_BROADCAST:
        return simplify_broadcast(c, in[0], attr);
    case TCT_IR_RENAME:
        return simplify_rename(c, in[0], attr);
    case TCT_IR_SLICE:
        return simplify_slice(c, in[0], attr);
    case TCT_IR_PAD:
        return simplify_pad(c, in[0], attr);
    case TCT_IR_CONCAT:
        return n_in == 1 ? make_rename(c, in[0], attr->axes[0], attr->to[0]) : TCT_NO_VALUE;
    case TCT_IR_SPLIT:
        return simplify_split(c, in[0], attr);
    case TCT_IR_MERGE:
        return simplify_merge(c, in[0], attr);
    case TCT_IR_FLIP:
        return simplify_flip(c, in[0], attr);
    default:
        return tct_canon_index(c, op, in, attr);
    }
}
