// Derivatives of elementwise operations, and the table of all rules. Every operation that ir/ops.def marks
// "vjp" is in the table; a test compares the two. The rules are written with the same operations, so that
// gradients can be differentiated.
#include "passes/vjp.h"

#include <math.h>

#define RULE(name) static bool name(tct_tape *t, const tct_node *n, tct_value y, tct_value c)
#define UNUSED (void)n, (void)y

static tct_value mul(tct_tape *t, tct_value a, tct_value b) { return tct_bin(t->to, TCT_IR_MUL, a, b); }
static tct_value sub(tct_tape *t, tct_value a, tct_value b) { return tct_bin(t->to, TCT_IR_SUB, a, b); }
static tct_value add(tct_tape *t, tct_value a, tct_value b) { return tct_bin(t->to, TCT_IR_ADD, a, b); }
static tct_value neg(tct_tape *t, tct_value a) { return tct_un(t->to, TCT_IR_NEG, a); }
static tct_value scalar(tct_tape *t, tct_value like, double f) { return tct_const_like(t->to, like, f); }
static tct_value times(tct_tape *t, tct_value a, double f) { return mul(t, a, scalar(t, a, f)); }

// One operand whose derivative is `factor`.
static bool chain(tct_tape *t, tct_value c, tct_value factor) {
    tct_tape_add(t, 0, tct_tape_scale(t, c, factor));
    return true;
}

RULE(vjp_neg) {
    UNUSED;
    tct_tape_add(t, 0, neg(t, c));
    return true;
}
RULE(vjp_abs) {
    UNUSED;
    return chain(t, c, tct_un(t->to, TCT_IR_SIGN, tct_tape_operand(t, 0)));
}
RULE(vjp_exp) {
    UNUSED;
    return chain(t, c, y);
}
RULE(vjp_expm1) {
    UNUSED;
    return chain(t, c, add(t, y, scalar(t, y, 1)));
}
RULE(vjp_log) {
    UNUSED;
    tct_tape_add(t, 0, tct_tape_divide(t, c, tct_tape_operand(t, 0)));
    return true;
}
RULE(vjp_log1p) {
    UNUSED;
    tct_tape_add(t, 0, tct_tape_divide(t, c, add(t, tct_tape_operand(t, 0), scalar(t, c, 1))));
    return true;
}
RULE(vjp_sqrt) {
    UNUSED;
    tct_tape_add(t, 0, tct_tape_divide(t, times(t, c, 0.5), y));
    return true;
}
RULE(vjp_rsqrt) {
    UNUSED;
    tct_value cube = mul(t, y, mul(t, y, y)); // in an order of its own: that of arguments is the compiler's
    return chain(t, times(t, c, -0.5), cube);
}
RULE(vjp_sin) {
    UNUSED;
    return chain(t, c, tct_un(t->to, TCT_IR_COS, tct_tape_operand(t, 0)));
}
RULE(vjp_cos) {
    UNUSED;
    return chain(t, c, neg(t, tct_un(t->to, TCT_IR_SIN, tct_tape_operand(t, 0))));
}
RULE(vjp_tanh) {
    UNUSED;
    tct_value square = mul(t, y, y);
    return chain(t, c, sub(t, scalar(t, y, 1), square));
}
RULE(vjp_erf) {
    UNUSED;
    tct_value x = tct_tape_operand(t, 0);
    tct_value bell = tct_un(t->to, TCT_IR_EXP, neg(t, mul(t, x, x)));
    return chain(t, times(t, c, 2 / sqrt(acos(-1.0))), bell);
}
RULE(vjp_sigmoid) {
    UNUSED;
    return chain(t, c, mul(t, y, sub(t, scalar(t, y, 1), y)));
}
RULE(vjp_softplus) {
    UNUSED;
    return chain(t, c, tct_un(t->to, TCT_IR_SIGMOID, tct_tape_operand(t, 0)));
}
RULE(vjp_cast) {
    UNUSED;
    tct_tape_add(t, 0, tct_ir_cast(t->to, c, (tct_dtype)tct_node_of(t->from, n->in[0])->dtype));
    return true;
}

RULE(vjp_add) {
    UNUSED;
    for (uint32_t k = 0; k < 2; k++)
        if (tct_tape_wants(t, k)) tct_tape_add(t, k, c);
    return true;
}
RULE(vjp_sub) {
    UNUSED;
    if (tct_tape_wants(t, 0)) tct_tape_add(t, 0, c);
    if (tct_tape_wants(t, 1)) tct_tape_add(t, 1, neg(t, c));
    return true;
}
RULE(vjp_mul) {
    UNUSED;
    if (n->in[0] == n->in[1]) { // a square
        tct_tape_add(t, 0, tct_tape_scale(t, times(t, c, 2), tct_tape_operand(t, 0)));
        return true;
    }
    for (uint32_t k = 0; k < 2; k++)
        if (tct_tape_wants(t, k)) tct_tape_add(t, k, tct_tape_scale(t, c, tct_tape_operand(t, 1 - k)));
    return true;
}
// d(a/b) = da / b - (a/b) db / b
RULE(vjp_div) {
    UNUSED;
    tct_value over = tct_tape_divide(t, c, tct_tape_operand(t, 1));
    if (tct_tape_wants(t, 0)) tct_tape_add(t, 0, over);
    if (tct_tape_wants(t, 1)) tct_tape_add(t, 1, neg(t, tct_tape_scale(t, over, y)));
    return true;
}
// d(a^b) = b a^(b-1) da + a^b log(a) db; the first is 0 where b is 0, the second where a <= 0. The operands
// of pow and log are safe on the side not taken, so that derivatives of these are as well.
RULE(vjp_pow) {
    UNUSED;
    tct_value a = tct_tape_operand(t, 0), b = tct_tape_operand(t, 1);
    tct_value one = scalar(t, c, 1), zero = scalar(t, c, 0);
    if (tct_tape_wants(t, 0)) {
        tct_value flat = tct_bin(t->to, TCT_IR_EQ, b, zero);
        tct_value exponent = sub(t, tct_ir_where(t->to, NULL, flat, one, b), one);
        tct_value factor = mul(t, b, tct_bin(t->to, TCT_IR_POW, a, exponent));
        tct_tape_add(t, 0, tct_ir_where(t->to, NULL, flat, zero, tct_tape_scale(t, c, factor)));
    }
    if (tct_tape_wants(t, 1)) {
        tct_value positive = tct_bin(t->to, TCT_IR_GT, a, zero);
        tct_value factor = mul(t, y, tct_un(t->to, TCT_IR_LOG, tct_ir_where(t->to, NULL, positive, a, one)));
        tct_tape_add(t, 1, tct_ir_where(t->to, NULL, positive, tct_tape_scale(t, c, factor), zero));
    }
    return true;
}
// max, min: the operand that wins takes all, equal ones a half each.
RULE(vjp_larger) {
    UNUSED;
    tct_value zero = scalar(t, c, 0), half = times(t, c, 0.5);
    for (uint32_t k = 0; k < 2; k++) {
        if (!tct_tape_wants(t, k)) continue;
        tct_value me = tct_tape_operand(t, k), other = tct_tape_operand(t, 1 - k);
        tct_value wins = tct_bin(t->to, n->op == TCT_IR_MAX ? TCT_IR_GT : TCT_IR_LT, me, other);
        tct_value ties = tct_bin(t->to, TCT_IR_EQ, me, other);
        tct_tape_add(t, k, tct_ir_where(t->to, NULL, wins, c, tct_ir_where(t->to, NULL, ties, half, zero)));
    }
    return true;
}
RULE(vjp_where) {
    UNUSED;
    tct_value condition = tct_tape_operand(t, 0), zero = scalar(t, c, 0);
    t->at_masked = true;
    if (tct_tape_wants(t, 1)) tct_tape_add(t, 1, tct_ir_where(t->to, NULL, condition, c, zero));
    if (tct_tape_wants(t, 2)) tct_tape_add(t, 2, tct_ir_where(t->to, NULL, condition, zero, c));
    return true;
}

static const tct_vjp rules[TCT_IR_N_OPS] = {
    [TCT_IR_NEG] = vjp_neg,
    [TCT_IR_ABS] = vjp_abs,
    [TCT_IR_EXP] = vjp_exp,
    [TCT_IR_EXPM1] = vjp_expm1,
    [TCT_IR_LOG] = vjp_log,
    [TCT_IR_LOG1P] = vjp_log1p,
    [TCT_IR_SQRT] = vjp_sqrt,
    [TCT_IR_RSQRT] = vjp_rsqrt,
    [TCT_IR_SIN] = vjp_sin,
    [TCT_IR_COS] = vjp_cos,
    [TCT_IR_TANH] = vjp_tanh,
    [TCT_IR_ERF] = vjp_erf,
    [TCT_IR_SIGMOID] = vjp_sigmoid,
    [TCT_IR_SOFTPLUS] = vjp_softplus,
    [TCT_IR_CAST] = vjp_cast,
    [TCT_IR_ADD] = vjp_add,
    [TCT_IR_SUB] = vjp_sub,
    [TCT_IR_MUL] = vjp_mul,
    [TCT_IR_DIV] = vjp_div,
    [TCT_IR_POW] = vjp_pow,
    [TCT_IR_MAX] = vjp_larger,
    [TCT_IR_MIN] = vjp_larger,
    [TCT_IR_WHERE] = vjp_where,
    [TCT_IR_SUM] = tct_vjp_sum,
    [TCT_IR_REDUCE_MAX] = tct_vjp_extremum,
    [TCT_IR_REDUCE_MIN] = tct_vjp_extremum,
    [TCT_IR_DOT] = tct_vjp_dot,
    [TCT_IR_RENAME] = tct_vjp_rename,
    [TCT_IR_BROADCAST] = tct_vjp_broadcast,
    [TCT_IR_SLICE] = tct_vjp_slice,
    [TCT_IR_PAD] = tct_vjp_pad,
    [TCT_IR_CONCAT] = tct_vjp_concat,
    [TCT_IR_SPLIT] = tct_vjp_split,
    [TCT_IR_MERGE] = tct_vjp_merge,
    [TCT_IR_FLIP] = tct_vjp_flip,
    [TCT_IR_AFTER] = tct_vjp_after,
    [TCT_IR_GATHER] = tct_vjp_gather,
    [TCT_IR_SCATTER_ADD] = tct_vjp_scatter_add,
    [TCT_IR_PUT] = tct_vjp_put,
    [TCT_IR_SCAN] = tct_vjp_scan,
    [TCT_IR_FOREIGN] = tct_vjp_foreign,
    [TCT_IR_GET] = tct_vjp_get,
};

tct_vjp tct_vjp_of(tct_ir_op op) { return rules[op]; }
