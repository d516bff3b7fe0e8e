// Canonical form of reductions and contractions.
#include "passes/canonicalise.h"

#include <string.h>

typedef const tct_ir_attr *attributes;

static const tct_node *node(const tct_canon *c, tct_value v) { return tct_canon_node(c, v); }
static int64_t size_of(const tct_canon *c, tct_axis a) { return tct_axis_of(c->r.to->module, a)->size; }

static tct_value make_one(tct_canon *c, tct_ir_op op, tct_value x, const tct_ir_attr *attr) {
    return tct_canon_make(c, op, &x, 1, attr);
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

// The sum of something that is 0 but at one position: that, where the position is inside.
static tct_value sum_of_one(tct_canon *c, attributes attr, const tct_node *choice) {
    for (int k = 0; k < attr->n_axes; k++) {
        tct_axis along = attr->axes[k];
        double zero;
        tct_value index = tct_canon_position(c, choice->in[0], along), x = choice->in[1],
                  none = choice->in[2];
        bool one = index != TCT_NO_VALUE && tct_canon_const(c, none, &zero) && zero == 0 &&
                   !tct_node_has_axis(node(c, x), along) && size_of(c, along) > 0;
        if (!one) continue;
        tct_value inside = tct_canon_inside(c, index, along);
        tct_value y = tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){inside, x, none}, 3, NULL);
        tct_axis rest[TCT_IR_MAX_AXES];
        uint32_t n_rest = tct_axes_minus(rest, attr->axes, attr->n_axes, &along, 1);
        return make_reduce(c, TCT_IR_SUM, y, rest, n_rest);
    }
    return TCT_NO_VALUE;
}

static bool varies_along(tct_canon *c, tct_value v, attributes attr) {
    for (int k = 0; k < attr->n_axes; k++)
        if (tct_node_has_axis(node(c, v), attr->axes[k])) return true;
    return false;
}

// v = rest * factor, or rest / factor, where only the rest varies along the axes. TCT_NO_VALUE: it isn't
// that.
static tct_value factor_of(tct_canon *c, tct_value v, attributes attr, tct_value *rest) {
    const tct_node *x = node(c, v);
    if (x->op != TCT_IR_MUL && x->op != TCT_IR_DIV) return TCT_NO_VALUE;
    for (int k = x->op == TCT_IR_DIV; k < 2; k++) {
        *rest = x->in[1 - k];
        if (!varies_along(c, x->in[k], attr) && varies_along(c, *rest, attr)) return x->in[k];
    }
    return TCT_NO_VALUE;
}

// sum(x * f) = sum(x) * f, and so with x / f: one multiplication, and no reason to wait for f.
static tct_value sum_of_multiples(tct_canon *c, attributes attr, tct_value v) {
    const tct_node *x = node(c, v);
    if (x->dtype != TCT_F32 && x->dtype != TCT_F64) return TCT_NO_VALUE;
    tct_ir_op op = (tct_ir_op)x->op;
    tct_value rest, factor = factor_of(c, v, attr, &rest), in[2] = {TCT_NO_VALUE, TCT_NO_VALUE};
    if (op == TCT_IR_MUL) memcpy(in, x->in, sizeof in);
    for (int k = 0; k < 2 && op == TCT_IR_MUL && factor == TCT_NO_VALUE; k++) {
        factor = factor_of(c, in[k], attr, &rest);
        if (factor == TCT_NO_VALUE) continue;
        op = (tct_ir_op)node(c, in[k])->op;
        rest = tct_canon_bin(c, TCT_IR_MUL, k == 0 ? rest : in[0], k == 0 ? in[1] : rest);
    }
    if (factor == TCT_NO_VALUE) return TCT_NO_VALUE;
    return tct_canon_bin(c, op, make_one(c, TCT_IR_SUM, rest, attr), factor);
}

static tct_value simplify_reduce(tct_canon *c, tct_ir_op op, tct_value v, attributes attr) {
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
    return sum_of_multiples(c, attr, v);
}

static tct_value simplify_dot(tct_canon *c, const tct_value *in, attributes attr) {
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

tct_value tct_canon_reduce(tct_canon *c, tct_ir_op op, const tct_value *in, const tct_ir_attr *attr) {
    return op == TCT_IR_DOT ? simplify_dot(c, in, attr) : simplify_reduce(c, op, in[0], attr);
}
