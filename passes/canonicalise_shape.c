// Canonical form of reductions, contractions and data movement.
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

static tct_ir_attr with_axes(const tct_axis *axes, uint32_t n) {
    tct_ir_attr attr = {.n_axes = (uint8_t)n};
    if (n) memcpy(attr.axes, axes, n * sizeof *axes);
    return attr;
}

// x reduced over some axes; x itself over none.
static tct_value make_reduce(tct_canon *c, tct_ir_op op, tct_value x, const tct_axis *axes, uint32_t n) {
    tct_ir_attr attr = with_axes(axes, n);
    return n ? make_one(c, op, x, &attr) : x;
}

// x times the number of points along the axes.
static tct_value times_size(tct_canon *c, tct_value x, const tct_axis *axes, uint32_t n) {
    tct_graph *to = c->r.to;
    tct_dtype dtype = (tct_dtype)node(c, x)->dtype;
    int64_t size = 1;
    for (uint32_t k = 0; k < n; k++) size *= size_of(c, axes[k]);
    tct_ir_attr attr = with_axes(axes, n);
    attr.dtype = dtype;
    bool known = size != 0 && size < INT32_MAX;
    return tct_canon_bin(c, TCT_IR_MUL, x,
                         known ? tct_const_int(to, dtype, size)
                               : tct_ir_emit(to, NULL, TCT_IR_SIZE, NULL, 0, &attr));
}

// No axis of the reduction is known to be empty; unknown ones count as not empty.
static bool sums_broadcast(tct_canon *c, tct_ir_op op, attributes attr, const tct_node *x) {
    for (int k = 0; k < attr->n_axes; k++)
        if (op != TCT_IR_SUM && size_of(c, attr->axes[k]) == 0) return false; // -inf for an empty axis
    return x->op == TCT_IR_BROADCAST;
}

// Over axes along which x is the same: x, or x times their size.
static tct_value reduce_broadcast(tct_canon *c, tct_ir_op op, attributes attr, const tct_node *x) {
    tct_axis same[TCT_IR_MAX_AXES], other[TCT_IR_MAX_AXES], left[TCT_IR_MAX_AXES];
    uint32_t n_same = tct_axes_common(same, attr->axes, attr->n_axes, x->attr.axes, x->attr.n_axes);
    uint32_t n_other = tct_axes_minus(other, attr->axes, attr->n_axes, same, n_same);
    uint32_t n_left = tct_axes_minus(left, x->attr.axes, x->attr.n_axes, same, n_same);
    tct_value y = make_reduce(c, op, x->in[0], other, n_other);
    if (op == TCT_IR_SUM && n_same) y = times_size(c, y, same, n_same);
    return tct_canon_widen(c, y, left, n_left);
}

// sum(a * b) over axes of both is a contraction, where each has an axis that the other lacks.
static bool is_contraction(tct_canon *c, const tct_node *product, attributes attr) {
    const tct_node *a = node(c, product->in[0]), *b = node(c, product->in[1]);
    tct_axis scratch[TCT_IR_MAX_AXES];
    for (int k = 0; k < attr->n_axes; k++)
        if (!tct_node_has_axis(a, attr->axes[k]) || !tct_node_has_axis(b, attr->axes[k])) return false;
    return (tct_dtype_is_float((tct_dtype)a->dtype) || a->dtype == TCT_I32) &&
           tct_axes_minus(scratch, a->axes, a->n_axes, b->axes, b->n_axes) &&
           tct_axes_minus(scratch, b->axes, b->n_axes, a->axes, a->n_axes);
}

// The sum of a contraction: over batch axes it contracts them, too; over free axes of one side that is summed
// first.
static tct_value sum_of_dot(tct_canon *c, attributes attr, const tct_node *dot) {
    tct_value a = dot->in[0], b = dot->in[1];
    tct_ir_attr contracted = dot->attr;
    tct_axis mine[TCT_IR_MAX_AXES], yours[TCT_IR_MAX_AXES];
    uint32_t n_mine = 0, n_yours = 0;
    for (int k = 0; k < attr->n_axes; k++) {
        bool in_a = tct_node_has_axis(node(c, a), attr->axes[k]),
             in_b = tct_node_has_axis(node(c, b), attr->axes[k]);
        if (in_a && in_b)
            contracted.axes[contracted.n_axes++] = attr->axes[k];
        else if (in_a)
            mine[n_mine++] = attr->axes[k];
        else
            yours[n_yours++] = attr->axes[k];
    }
    a = make_reduce(c, TCT_IR_SUM, a, mine, n_mine);
    b = make_reduce(c, TCT_IR_SUM, b, yours, n_yours);
    return tct_canon_make(c, TCT_IR_DOT, (tct_value[]){a, b}, 2, &contracted);
}

// 0 <= index < size of the axis.
static tct_value is_inside(tct_canon *c, tct_value index, tct_axis along) {
    tct_value size = tct_const_int(c->r.to, TCT_I32, size_of(c, along));
    tct_value below = tct_canon_bin(c, TCT_IR_LT, index, size);
    tct_value above = tct_canon_bin(c, TCT_IR_GE, index, tct_const_int(c->r.to, TCT_I32, 0));
    return tct_canon_bin(c, TCT_IR_AND, above, below);
}

// v is true at index i (returned) along the axis, and nowhere else: a comparison with an iota.
static tct_value position(const tct_canon *c, tct_value v, tct_axis along) {
    const tct_node *n = node(c, v);
    if (n->op != TCT_IR_EQ) return TCT_NO_VALUE;
    for (int k = 0; k < 2; k++) {
        const tct_node *iota = node(c, n->in[k]), *index = node(c, n->in[1 - k]);
        bool counts = iota->op == TCT_IR_IOTA && iota->attr.axes[0] == along && iota->dtype == TCT_I32;
        if (counts && !tct_node_has_axis(index, along)) return n->in[1 - k];
    }
    return TCT_NO_VALUE;
}

// The sum of something that is 0 but at one position: that, where the position is inside.
static tct_value sum_of_one(tct_canon *c, attributes attr, const tct_node *choice) {
    for (int k = 0; k < attr->n_axes; k++) {
        tct_axis along = attr->axes[k];
        double zero;
        tct_value index = position(c, choice->in[0], along), x = choice->in[1], none = choice->in[2];
        bool one = index != TCT_NO_VALUE && tct_canon_const(c, none, &zero) && zero == 0 &&
                   !tct_node_has_axis(node(c, x), along) && size_of(c, along) > 0;
        if (!one) continue;
        tct_value inside = is_inside(c, index, along);
        tct_value y = tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){inside, x, none}, 3, NULL);
        tct_axis rest[TCT_IR_MAX_AXES];
        uint32_t n_rest = tct_axes_minus(rest, attr->axes, attr->n_axes, &along, 1);
        return make_reduce(c, TCT_IR_SUM, y, rest, n_rest);
    }
    return TCT_NO_VALUE;
}

static tct_value shape_reduce(tct_canon *c, tct_ir_op op, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (op == TCT_IR_ARGMAX) return TCT_NO_VALUE;
    if (sums_broadcast(c, op, attr, x)) return reduce_broadcast(c, op, attr, x);
    if (op == TCT_IR_SUM && x->op == TCT_IR_WHERE) return sum_of_one(c, attr, x);
    if (!tct_canon_single(c, v)) return TCT_NO_VALUE;
    if (x->op == op) {
        tct_ir_attr both = x->attr;
        for (int k = 0; k < attr->n_axes; k++) both.axes[both.n_axes++] = attr->axes[k];
        return make_one(c, op, x->in[0], &both);
    }
    if (op != TCT_IR_SUM) return TCT_NO_VALUE;
    if (x->op == TCT_IR_NEG) return tct_canon_un(c, TCT_IR_NEG, make_one(c, op, x->in[0], attr));
    if (x->op == TCT_IR_DOT) return sum_of_dot(c, attr, x);
    if (x->op == TCT_IR_MUL && is_contraction(c, x, attr))
        return tct_canon_make(c, TCT_IR_DOT, x->in, 2, attr);
    return TCT_NO_VALUE;
}

static tct_value shape_dot(tct_canon *c, const tct_value *in, attributes attr) {
    if (!attr->n_axes) return tct_canon_bin(c, TCT_IR_MUL, in[0], in[1]);
    for (int k = 0; k < 2; k++) {
        const tct_node *x = node(c, in[k]), *y = node(c, in[1 - k]);
        tct_value other = in[1 - k];
        if (x->op == TCT_IR_NEG) {
            tct_value plain[] = {k == 0 ? x->in[0] : other, k == 0 ? other : x->in[0]};
            return tct_canon_un(c, TCT_IR_NEG, tct_canon_make(c, TCT_IR_DOT, plain, 2, attr));
        }
        if (x->op != TCT_IR_BROADCAST) continue;
        // Contracted axes along which x is the same sum y alone; x need not be broadcast at all.
        tct_axis same[TCT_IR_MAX_AXES], all[2 * TCT_IR_MAX_AXES], wide[2 * TCT_IR_MAX_AXES];
        uint32_t n_same = tct_axes_common(same, attr->axes, attr->n_axes, x->attr.axes, x->attr.n_axes),
                 n_all = 0;
        for (int a = 0; a < x->n_axes; a++) all[n_all++] = x->axes[a];
        for (int a = 0; a < y->n_axes; a++) all[n_all++] = y->axes[a];
        uint32_t n_wide = tct_axes_minus(wide, all, n_all, attr->axes, attr->n_axes);
        for (uint32_t a = n_wide; a-- > 0;) // an axis of both stands twice
            if (tct_axes_have(wide, a, wide[a])) wide[a] = wide[--n_wide];
        tct_ir_attr left = {0};
        left.n_axes = (uint8_t)tct_axes_minus(left.axes, attr->axes, attr->n_axes, same, n_same);
        tct_value plain = x->in[0];
        other = make_reduce(c, TCT_IR_SUM, other, same, n_same);
        tct_value pair[] = {k == 0 ? plain : other, k == 0 ? other : plain};
        return tct_canon_widen(c, tct_canon_make(c, TCT_IR_DOT, pair, 2, &left), wide, n_wide);
    }
    return TCT_NO_VALUE;
}

static tct_value shape_broadcast(tct_canon *c, tct_value v, attributes attr) {
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

static tct_value shape_rename(tct_canon *c, tct_value v, attributes attr) {
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

static tct_value shape_slice(tct_canon *c, tct_value v, attributes attr) {
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

static tct_value shape_pad(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    int64_t size = size_of(c, attr->axes[0]);
    if (size && size == size_of(c, attr->to[0])) return make_rename(c, v, attr->axes[0], attr->to[0]);
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

static tct_value shape_split(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (attr->n_to == 1) return make_rename(c, v, attr->axes[0], attr->to[0]);
    if (x->op == TCT_IR_BROADCAST) return move_broadcast(c, TCT_IR_SPLIT, x, attr);
    if (x->op != TCT_IR_MERGE || x->attr.to[0] != attr->axes[0] || x->attr.n_axes != attr->n_to)
        return TCT_NO_VALUE;
    if (memcmp(x->attr.axes, attr->to, attr->n_to * sizeof *attr->to) == 0) return x->in[0];
    return rename_all(c, x->in[0], x->attr.axes, attr->to, attr->n_to);
}

static tct_value shape_merge(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (attr->n_axes == 1) return make_rename(c, v, attr->axes[0], attr->to[0]);
    if (x->op != TCT_IR_SPLIT || !tct_same_order(x->attr.to, x->attr.n_to, attr->axes, attr->n_axes))
        return TCT_NO_VALUE;
    return make_rename(c, x->in[0], x->attr.axes[0], attr->to[0]);
}

static tct_value shape_flip(tct_canon *c, tct_value v, attributes attr) {
    const tct_node *x = node(c, v);
    if (size_of(c, attr->axes[0]) == 1) return v;
    if (x->op == TCT_IR_FLIP && x->attr.axes[0] == attr->axes[0]) return x->in[0];
    if (x->op == TCT_IR_BROADCAST && tct_axes_have(x->attr.axes, x->attr.n_axes, attr->axes[0])) return v;
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

// Row k at place k; and what is picked from an elementwise operation is computed for that alone.
static tct_value shape_gather(tct_canon *c, const tct_value *in, attributes attr) {
    const tct_node *index = node(c, in[1]);
    int64_t picked = picked_elements(c, in, attr);
    if (picks_few(c, in[0], picked) && size_of(c, attr->axes[0]) > 0) {
        tct_dtype dtype = (tct_dtype)node(c, in[0])->dtype;
        tct_value inside = is_inside(c, in[1], attr->axes[0]);
        picker p = {.c = c, .index = in[1], .attr = attr, .elements = picked};
        tct_value there = pick(&p, in[0]);
        tct_value none = tct_const_int(c->r.to, dtype, 0);
        return tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){inside, there, none}, 3, NULL);
    }
    if (index->op != TCT_IR_IOTA) return TCT_NO_VALUE;
    tct_axis to = index->attr.axes[0];
    int64_t size = size_of(c, to);
    bool all = size && size == size_of(c, attr->axes[0]) && !tct_node_has_axis(node(c, in[0]), to);
    return all ? make_rename(c, in[0], attr->axes[0], to) : TCT_NO_VALUE;
}

// Zeros but for one position of each row, which lies along axes of the base: a choice, point by point, that
// joins what uses it. (Where several updates can meet, a real scatter is needed.)
static tct_value shape_scatter(tct_canon *c, const tct_value *in, attributes attr) {
    const tct_node *base = node(c, in[0]), *index = node(c, in[1]);
    double zero;
    tct_axis meet[TCT_IR_MAX_AXES];
    if (!tct_canon_const(c, in[0], &zero) || zero != 0 ||
        tct_axes_minus(meet, index->axes, index->n_axes, base->axes, base->n_axes))
        return TCT_NO_VALUE;
    tct_value none = tct_const_like(c->r.to, in[0], 0);
    tct_ir_attr along = {.n_axes = 1, .axes = {attr->axes[0]}, .dtype = TCT_I32};
    tct_value iota = tct_ir_emit(c->r.to, NULL, TCT_IR_IOTA, NULL, 0, &along);
    tct_value here = tct_canon_bin(c, TCT_IR_EQ, iota, in[1]);
    return tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){here, in[2], none}, 3, NULL);
}

tct_value tct_canon_shape(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                          const tct_ir_attr *attr) {
    switch (op) {
    case TCT_IR_SUM:
    case TCT_IR_REDUCE_MAX:
    case TCT_IR_REDUCE_MIN:
    case TCT_IR_ANY:
    case TCT_IR_ALL:
        return shape_reduce(c, op, in[0], attr);
    case TCT_IR_DOT:
        return shape_dot(c, in, attr);
    case TCT_IR_BROADCAST:
        return shape_broadcast(c, in[0], attr);
    case TCT_IR_RENAME:
        return shape_rename(c, in[0], attr);
    case TCT_IR_SLICE:
        return shape_slice(c, in[0], attr);
    case TCT_IR_PAD:
        return shape_pad(c, in[0], attr);
    case TCT_IR_CONCAT:
        return n_in == 1 ? make_rename(c, in[0], attr->axes[0], attr->to[0]) : TCT_NO_VALUE;
    case TCT_IR_SPLIT:
        return shape_split(c, in[0], attr);
    case TCT_IR_MERGE:
        return shape_merge(c, in[0], attr);
    case TCT_IR_FLIP:
        return shape_flip(c, in[0], attr);
    case TCT_IR_GATHER:
        return shape_gather(c, in, attr);
    case TCT_IR_SCATTER_ADD:
        return shape_scatter(c, in, attr);
    default:
        return TCT_NO_VALUE;
    }
}
