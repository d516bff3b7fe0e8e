// Canonical form of elementwise operations.
#include "passes/canonicalise.h"

#include <math.h>

static const tct_node *node(const tct_canon *c, tct_value v) { return tct_canon_node(c, v); }
static bool is(const tct_canon *c, tct_value v, tct_ir_op op) { return tct_canon_is(c, v, op); }

static bool is_scalar_const(const tct_canon *c, tct_value v, double *out) {
    return is(c, v, TCT_IR_CONST) && tct_canon_const(c, v, out);
}

static bool is_value(const tct_canon *c, tct_value v, double want) {
    double have;
    return is_scalar_const(c, v, &have) && have == want;
}

static bool is_float(const tct_canon *c, tct_value v) {
    return tct_dtype_is_float((tct_dtype)node(c, v)->dtype);
}

// ±2^n, far from the ends of the range of every float: products with it are exact.
static bool is_power_of_two(double f) {
    int exponent;
    return fabs(frexp(f, &exponent)) == 0.5 && exponent > -60 && exponent < 60;
}

static tct_value constant(tct_canon *c, tct_value like, double value) {
    return tct_const_like(c->r.to, like, value);
}

// -c of a constant; false where it can't be written.
static bool negated(tct_canon *c, tct_value v, tct_value *out) {
    const tct_node *n = node(c, v);
    if (n->op != TCT_IR_CONST) return false;
    tct_dtype dtype = (tct_dtype)n->dtype;
    if (is_float(c, v)) {
        *out = constant(c, v, -n->attr.f);
        return true;
    }
    if (n->attr.i == tct_dtype_least(dtype)) return false;
    *out = tct_const_int(c->r.to, dtype, -n->attr.i);
    return true;
}

// Operand 0 of v when v is `op`, otherwise TCT_NO_VALUE.
static tct_value inside(const tct_canon *c, tct_value v, tct_ir_op op) {
    return is(c, v, op) ? node(c, v)->in[0] : TCT_NO_VALUE;
}

static tct_value arith_neg(tct_canon *c, tct_value x) {
    tct_value y = inside(c, x, TCT_IR_NEG);
    if (y != TCT_NO_VALUE || negated(c, x, &y)) return y;
    const tct_node *n = node(c, x);
    tct_value a = n->n_in ? n->in[0] : 0, b = n->n_in > 1 ? n->in[1] : 0;
    if (n->op == TCT_IR_SUB) return tct_canon_bin(c, TCT_IR_SUB, b, a);
    if (n->op == TCT_IR_MUL && tct_canon_single(c, x) && negated(c, b, &y))
        return tct_canon_bin(c, TCT_IR_MUL, a, y);
    return TCT_NO_VALUE;
}

// zeros scattered into, and added to something: scattered into that.
static tct_value add_scattered(tct_canon *c, tct_value x, tct_value scattered) {
    const tct_node *n = node(c, scattered), *base = node(c, x);
    double zero;
    if (n->op != TCT_IR_SCATTER_ADD || !tct_canon_single(c, scattered) ||
        !tct_canon_const(c, n->in[0], &zero) || zero != 0 ||
        !tct_same_axes(n->axes, n->n_axes, base->axes, base->n_axes))
        return TCT_NO_VALUE;
    tct_ir_attr attr = n->attr;
    return tct_canon_make(c, TCT_IR_SCATTER_ADD, (tct_value[]){x, n->in[1], n->in[2]}, 3, &attr);
}

// op(op(x, c1), c2) = op(x, c) with c = op(c1, c2), for wrapping integers and exact products.
static tct_value chain_of_constants(tct_canon *c, tct_ir_op op, tct_value a, tct_value b) {
    const tct_node *n = node(c, a);
    double c1, c2;
    if (n->op != op || !is_scalar_const(c, b, &c2) || !is_scalar_const(c, n->in[1], &c1)) return TCT_NO_VALUE;
    tct_value x = n->in[0];
    if (is_float(c, b)) {
        bool exact = op == TCT_IR_MUL && (is_power_of_two(c1) || is_power_of_two(c2)) && isnormal(c1 * c2);
        return exact ? tct_canon_bin(c, op, x, constant(c, b, c1 * c2)) : TCT_NO_VALUE;
    }
    uint64_t i1 = (uint64_t)node(c, n->in[1])->attr.i, i2 = (uint64_t)node(c, b)->attr.i;
    int64_t both = (int64_t)(op == TCT_IR_ADD ? i1 + i2 : i1 * i2);
    tct_dtype dtype = (tct_dtype)node(c, b)->dtype;
    if (dtype == TCT_I32) both = (int32_t)(uint32_t)(uint64_t)both;
    if (dtype == TCT_I8) both = (int8_t)(uint8_t)(uint64_t)both;
    return tct_canon_bin(c, op, x, tct_const_int(c->r.to, dtype, both));
}

static tct_value arith_add(tct_canon *c, tct_value a, tct_value b) {
    if (is_value(c, b, 0)) return a;
    tct_value y = inside(c, b, TCT_IR_NEG);
    if (y != TCT_NO_VALUE) return tct_canon_bin(c, TCT_IR_SUB, a, y);
    y = inside(c, a, TCT_IR_NEG);
    if (y != TCT_NO_VALUE) return tct_canon_bin(c, TCT_IR_SUB, b, y);
    y = add_scattered(c, a, b);
    if (y == TCT_NO_VALUE) y = add_scattered(c, b, a);
    return y != TCT_NO_VALUE ? y : chain_of_constants(c, TCT_IR_ADD, a, b);
}

static tct_value arith_sub(tct_canon *c, tct_value a, tct_value b) {
    tct_value y = inside(c, b, TCT_IR_NEG);
    if (y != TCT_NO_VALUE) return tct_canon_bin(c, TCT_IR_ADD, a, y);
    if (is_value(c, a, 0)) return tct_canon_un(c, TCT_IR_NEG, b);
    if (negated(c, b, &y)) return tct_canon_bin(c, TCT_IR_ADD, a, y);
    return TCT_NO_VALUE;
}

// A minus of either operand of a product or quotient goes outside, where sums take it up.
static tct_value minus_outside(tct_canon *c, tct_ir_op op, tct_value a, tct_value b) {
    tct_value x = inside(c, a, TCT_IR_NEG), y = inside(c, b, TCT_IR_NEG), minus;
    if (x == TCT_NO_VALUE && y == TCT_NO_VALUE) return TCT_NO_VALUE;
    if (x != TCT_NO_VALUE && y != TCT_NO_VALUE) return tct_canon_bin(c, op, x, y);
    if (x != TCT_NO_VALUE && negated(c, b, &minus)) return tct_canon_bin(c, op, x, minus);
    if (y != TCT_NO_VALUE && negated(c, a, &minus)) return tct_canon_bin(c, op, minus, y);
    return tct_canon_un(c, TCT_IR_NEG,
                        tct_canon_bin(c, op, x != TCT_NO_VALUE ? x : a, y != TCT_NO_VALUE ? y : b));
}

static tct_value arith_mul(tct_canon *c, tct_value a, tct_value b) {
    if (is_value(c, b, 1)) return a;
    if (is_value(c, b, -1)) return tct_canon_un(c, TCT_IR_NEG, a);
    tct_value y = minus_outside(c, TCT_IR_MUL, a, b);
    return y != TCT_NO_VALUE ? y : chain_of_constants(c, TCT_IR_MUL, a, b);
}

static tct_value arith_div(tct_canon *c, tct_value a, tct_value b) {
    double by;
    if (is_value(c, b, 1)) return a;
    if (!is_float(c, a)) return TCT_NO_VALUE;
    if (is_value(c, b, -1)) return tct_canon_un(c, TCT_IR_NEG, a);
    if (is_scalar_const(c, b, &by) && is_power_of_two(by))
        return tct_canon_bin(c, TCT_IR_MUL, a, constant(c, b, 1 / by));
    return minus_outside(c, TCT_IR_DIV, a, b);
}

static tct_value arith_pow(tct_canon *c, tct_value a, tct_value b) {
    if (is_value(c, b, 1)) return a;
    if (is_value(c, b, 2)) return tct_canon_bin(c, TCT_IR_MUL, a, a);
    if (is_value(c, b, 3)) return tct_canon_bin(c, TCT_IR_MUL, tct_canon_bin(c, TCT_IR_MUL, a, a), a);
    if (is_value(c, b, -1)) return tct_canon_bin(c, TCT_IR_DIV, constant(c, b, 1), a);
    return TCT_NO_VALUE;
}

// Every value of `from` is one of `to`.
static bool is_lossless(tct_dtype from, tct_dtype to) {
    if (from == TCT_BOOL || from == to) return true;
    if (from == TCT_BF16) return to == TCT_F32 || to == TCT_F64;
    if (from == TCT_F32) return to == TCT_F64;
    if (from == TCT_I32) return to == TCT_I64 || to == TCT_F64;
    if (from == TCT_I8) return to != TCT_BOOL;
    return false;
}

static tct_value arith_cast(tct_canon *c, tct_value x, tct_dtype to) {
    const tct_node *n = node(c, x);
    if (n->dtype == to) return x;
    if (n->op != TCT_IR_CAST) return TCT_NO_VALUE;
    tct_value y = n->in[0];
    tct_dtype first = (tct_dtype)node(c, y)->dtype;
    if (!is_lossless(first, (tct_dtype)n->dtype)) return TCT_NO_VALUE;
    tct_ir_attr attr = {.dtype = to};
    return first == to ? y : tct_canon_make(c, TCT_IR_CAST, &y, 1, &attr);
}

static tct_value arith_not(tct_canon *c, tct_value x) {
    tct_value y = inside(c, x, TCT_IR_NOT);
    if (y != TCT_NO_VALUE) return y;
    const tct_node *n = node(c, x); // eq and ne are opposites for NaN, too; lt and ge are not
    if (n->op == TCT_IR_EQ) return tct_canon_bin(c, TCT_IR_NE, n->in[0], n->in[1]);
    if (n->op == TCT_IR_NE) return tct_canon_bin(c, TCT_IR_EQ, n->in[0], n->in[1]);
    return TCT_NO_VALUE;
}

static tct_value arith_logic(tct_canon *c, tct_ir_op op, tct_value a, tct_value b) {
    bool neutral = op == TCT_IR_AND;
    if (a == b || is_value(c, b, neutral)) return a;
    if (!is_value(c, b, !neutral)) return TCT_NO_VALUE;
    const tct_node *n = node(c, a);
    return tct_canon_widen(c, b, n->axes, n->n_axes);
}

// x with the axes of all of where's operands.
static tct_value chosen(tct_canon *c, tct_value x, const tct_value *in) {
    for (int k = 0; k < 3; k++) {
        const tct_node *n = node(c, in[k]);
        x = tct_canon_widen(c, x, n->axes, n->n_axes);
    }
    return x;
}

static tct_value arith_where(tct_canon *c, const tct_value *in) {
    tct_value condition = in[0], a = in[1], b = in[2], y;
    double known;
    if (is_scalar_const(c, condition, &known)) return chosen(c, known != 0 ? a : b, in);
    if (a == b) return chosen(c, a, in);
    y = inside(c, condition, TCT_IR_NOT);
    if (y != TCT_NO_VALUE) return tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){y, b, a}, 3, NULL);
    const tct_node *n = node(c, a), *m = node(c, b); // the same choice twice
    tct_value inner = TCT_NO_VALUE;
    if (n->op == TCT_IR_WHERE && n->in[0] == condition)
        inner = tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){condition, n->in[1], b}, 3, NULL);
    else if (m->op == TCT_IR_WHERE && m->in[0] == condition)
        inner = tct_canon_make(c, TCT_IR_WHERE, (tct_value[]){condition, a, m->in[2]}, 3, NULL);
    return inner == TCT_NO_VALUE ? inner : chosen(c, inner, in);
}

static bool commutes(tct_ir_op op) {
    return op == TCT_IR_ADD || op == TCT_IR_MUL || op == TCT_IR_MAX || op == TCT_IR_MIN || op == TCT_IR_EQ ||
           op == TCT_IR_NE || op == TCT_IR_AND || op == TCT_IR_OR;
}

static tct_value binary(tct_canon *c, tct_ir_op op, tct_value a, tct_value b) {
    if (commutes(op) && is(c, a, TCT_IR_CONST) && !is(c, b, TCT_IR_CONST)) return tct_canon_bin(c, op, b, a);
    switch (op) {
    case TCT_IR_ADD:
        return arith_add(c, a, b);
    case TCT_IR_SUB:
        return arith_sub(c, a, b);
    case TCT_IR_MUL:
        return arith_mul(c, a, b);
    case TCT_IR_DIV:
        return arith_div(c, a, b);
    case TCT_IR_POW:
        return arith_pow(c, a, b);
    case TCT_IR_MAX:
    case TCT_IR_MIN:
        return a == b ? a : TCT_NO_VALUE;
    case TCT_IR_AND:
    case TCT_IR_OR:
        return arith_logic(c, op, a, b);
    default:
        return TCT_NO_VALUE;
    }
}

tct_value tct_canon_arith(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                          const tct_ir_attr *attr) {
    if (n_in == 2) return binary(c, op, in[0], in[1]);
    switch (op) {
    case TCT_IR_NEG:
        return arith_neg(c, in[0]);
    case TCT_IR_ABS:
        if (is(c, in[0], TCT_IR_NEG)) return tct_canon_un(c, TCT_IR_ABS, inside(c, in[0], TCT_IR_NEG));
        return is(c, in[0], TCT_IR_ABS) ? in[0] : TCT_NO_VALUE;
    case TCT_IR_STOP_GRADIENT:
        return is(c, in[0], TCT_IR_STOP_GRADIENT) ? in[0] : TCT_NO_VALUE;
    case TCT_IR_CAST:
        return arith_cast(c, in[0], attr->dtype);
    case TCT_IR_NOT:
        return arith_not(c, in[0]);
    case TCT_IR_WHERE:
        return arith_where(c, in);
    default:
        return TCT_NO_VALUE;
    }
}
