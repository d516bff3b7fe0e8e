// Numerically stable forms. Expects canonical form (constants to the right, differences with a constant as
// sums), leaves dead nodes behind. Meant to run before differentiation, so that gradients come from the
// stable form; the maximum that is subtracted carries no gradient, since the result doesn't depend on it.
#include "passes/passes.h"
#include "passes/rewrite.h"

#include <math.h>

typedef struct stable {
    tct_rewrite r;
} stable;

static const tct_node *node(const stable *s, tct_value v) { return tct_node_of(s->r.to, v); }

// Operand k of v when v is `op`, otherwise TCT_NO_VALUE; of TCT_NO_VALUE, TCT_NO_VALUE.
static tct_value part(const stable *s, tct_value v, tct_ir_op op, uint32_t k) {
    return v != TCT_NO_VALUE && node(s, v)->op == op ? node(s, v)->in[k] : TCT_NO_VALUE;
}

static bool is_value(const stable *s, tct_value v, double want) {
    if (v == TCT_NO_VALUE) return false;
    const tct_node *n = node(s, v);
    return n->op == TCT_IR_CONST &&
           (tct_dtype_is_float((tct_dtype)n->dtype) ? n->attr.f : (double)n->attr.i) == want;
}

// x when v is x + c.
static tct_value plus(const stable *s, tct_value v, double c) {
    return is_value(s, part(s, v, TCT_IR_ADD, 1), c) ? part(s, v, TCT_IR_ADD, 0) : TCT_NO_VALUE;
}

// x when v is 1 - x.
static tct_value one_minus(const stable *s, tct_value v) {
    return is_value(s, part(s, v, TCT_IR_SUB, 0), 1) ? part(s, v, TCT_IR_SUB, 1) : TCT_NO_VALUE;
}

static tct_value un(stable *s, tct_ir_op op, tct_value x) { return tct_un(s->r.to, op, x); }
static tct_value bin(stable *s, tct_ir_op op, tct_value a, tct_value b) { return tct_bin(s->r.to, op, a, b); }
static tct_value constant(stable *s, tct_value like, double c) { return tct_const_like(s->r.to, like, c); }

static bool lacks_axes(const tct_node *n, const tct_ir_attr *over) {
    for (int k = 0; k < over->n_axes; k++)
        if (tct_node_has_axis(n, over->axes[k])) return false;
    return true;
}

// z is y - m, where m is y's maximum over the axes, as it stands or with infinite ones replaced.
static bool is_shifted(const stable *s, tct_value z, const tct_ir_attr *over) {
    tct_value y = part(s, z, TCT_IR_SUB, 0), m = part(s, z, TCT_IR_SUB, 1);
    if (m == TCT_NO_VALUE || !lacks_axes(node(s, m), over)) return false;
    for (int depth = 0; depth < 4; depth++) {
        const tct_node *n = node(s, m);
        if (n->op == TCT_IR_REDUCE_MAX)
            return n->in[0] == y && tct_same_axes(n->attr.axes, n->attr.n_axes, over->axes, over->n_axes);
        if (n->op == TCT_IR_STOP_GRADIENT)
            m = n->in[0];
        else if (n->op == TCT_IR_WHERE)
            m = n->in[1];
        else
            return false;
    }
    return false;
}

// The maximum of z over the axes; 0 where that is infinite or NaN, so that z - m is NaN nowhere that z isn't.
static tct_value finite_max(stable *s, tct_value z, const tct_ir_attr *over) {
    tct_graph *to = s->r.to;
    tct_value m = tct_ir_reduce(to, NULL, TCT_IR_REDUCE_MAX, z, over->axes, over->n_axes);
    m = un(s, TCT_IR_STOP_GRADIENT, m);
    tct_value infinite = constant(s, m, INFINITY);
    tct_value finite = bin(s, TCT_IR_LT, un(s, TCT_IR_ABS, m), infinite);
    return tct_ir_where(to, NULL, finite, m, constant(s, m, 0));
}

// z when v is the sum of exp(z) over `over`.
static tct_value sum_of_exp(const stable *s, tct_value v, tct_ir_attr *over) {
    tct_value z = part(s, part(s, v, TCT_IR_SUM, 0), TCT_IR_EXP, 0);
    if (z != TCT_NO_VALUE) *over = node(s, v)->attr;
    return z;
}

// log of v, which is the sum of exp(z).
static tct_value logsumexp(stable *s, tct_value v, tct_value z, const tct_ir_attr *over) {
    if (is_shifted(s, z, over)) return un(s, TCT_IR_LOG, v);
    tct_value m = finite_max(s, z, over);
    tct_value e = un(s, TCT_IR_EXP, bin(s, TCT_IR_SUB, z, m));
    return bin(s, TCT_IR_ADD, un(s, TCT_IR_LOG, tct_sum(s->r.to, e, over->axes, over->n_axes)), m);
}

// z when v is exp(z) / sum(exp(z)); `total` is that sum.
static tct_value softmax(const stable *s, tct_value v, tct_value *total, tct_ir_attr *over) {
    tct_value e = part(s, v, TCT_IR_DIV, 0);
    *total = part(s, v, TCT_IR_DIV, 1);
    tct_value z = *total != TCT_NO_VALUE ? sum_of_exp(s, *total, over) : TCT_NO_VALUE;
    return z != TCT_NO_VALUE && part(s, *total, TCT_IR_SUM, 0) == e ? z : TCT_NO_VALUE;
}

static tct_value log_softmax(stable *s, tct_value p) {
    tct_value total;
    tct_ir_attr over;
    tct_value z = softmax(s, p, &total, &over);
    return z == TCT_NO_VALUE ? z : bin(s, TCT_IR_SUB, z, logsumexp(s, total, z, &over));
}

static tct_value stable_log(stable *s, tct_value x) {
    tct_ir_attr over;
    tct_value y = part(s, x, TCT_IR_EXP, 0);
    if (y != TCT_NO_VALUE) return y; // log(exp(y))
    y = sum_of_exp(s, x, &over);
    if (y != TCT_NO_VALUE) return is_shifted(s, y, &over) ? TCT_NO_VALUE : logsumexp(s, x, y, &over);
    y = part(s, x, TCT_IR_SIGMOID, 0);
    if (y != TCT_NO_VALUE) return un(s, TCT_IR_NEG, un(s, TCT_IR_SOFTPLUS, un(s, TCT_IR_NEG, y)));
    y = one_minus(s, x);
    if (y != TCT_NO_VALUE) {
        tct_value z = part(s, y, TCT_IR_SIGMOID, 0);
        return z != TCT_NO_VALUE ? un(s, TCT_IR_NEG, un(s, TCT_IR_SOFTPLUS, z))
                                 : un(s, TCT_IR_LOG1P, un(s, TCT_IR_NEG, y));
    }
    y = plus(s, x, 1);
    if (y != TCT_NO_VALUE) {
        tct_value z = part(s, y, TCT_IR_EXP, 0);
        return z != TCT_NO_VALUE ? un(s, TCT_IR_SOFTPLUS, z) : un(s, TCT_IR_LOG1P, y);
    }
    return log_softmax(s, x);
}

static tct_value stable_log1p(stable *s, tct_value x) {
    tct_value y = part(s, x, TCT_IR_EXP, 0);
    if (y != TCT_NO_VALUE) return un(s, TCT_IR_SOFTPLUS, y);
    y = part(s, part(s, x, TCT_IR_NEG, 0), TCT_IR_SIGMOID, 0);
    return y != TCT_NO_VALUE ? un(s, TCT_IR_NEG, un(s, TCT_IR_SOFTPLUS, y)) : TCT_NO_VALUE;
}

static tct_value times(stable *s, tct_value a, tct_value b) {
    return is_value(s, a, 1) ? b : bin(s, TCT_IR_MUL, a, b);
}

static tct_value stable_div(stable *s, tct_value v, tct_value a, tct_value b) {
    tct_value y = part(s, b, TCT_IR_SQRT, 0), z, total;
    if (y != TCT_NO_VALUE) return times(s, a, un(s, TCT_IR_RSQRT, y));
    y = part(s, plus(s, b, 1), TCT_IR_EXP, 0);
    if (y != TCT_NO_VALUE) { // 1 + exp(y)
        if (part(s, a, TCT_IR_EXP, 0) == y) return un(s, TCT_IR_SIGMOID, y);
        z = part(s, y, TCT_IR_NEG, 0);
        return times(s, a, un(s, TCT_IR_SIGMOID, z != TCT_NO_VALUE ? z : un(s, TCT_IR_NEG, y)));
    }
    tct_ir_attr over;
    z = softmax(s, v, &total, &over);
    if (z == TCT_NO_VALUE || is_shifted(s, z, &over)) return TCT_NO_VALUE;
    tct_value e = un(s, TCT_IR_EXP, bin(s, TCT_IR_SUB, z, finite_max(s, z, &over)));
    return bin(s, TCT_IR_DIV, e, tct_sum(s->r.to, e, over.axes, over.n_axes));
}

// The stable form of v, a node of r.to; TCT_NO_VALUE when it is fine.
static tct_value improve(stable *s, tct_value v) {
    const tct_node *n = node(s, v);
    if (n->bundle || !tct_dtype_is_float((tct_dtype)n->dtype)) return TCT_NO_VALUE;
    tct_value y;
    switch (n->op) {
    case TCT_IR_LOG:
        return stable_log(s, n->in[0]);
    case TCT_IR_LOG1P:
        return stable_log1p(s, n->in[0]);
    case TCT_IR_ADD: // exp(y) - 1
        y = part(s, plus(s, v, -1), TCT_IR_EXP, 0);
        return y != TCT_NO_VALUE ? un(s, TCT_IR_EXPM1, y) : y;
    case TCT_IR_DIV:
        return stable_div(s, v, n->in[0], n->in[1]);
    default:
        return TCT_NO_VALUE;
    }
}

tct_graph *tct_pass_stable(tct_graph *g) {
    stable s;
    tct_rewrite_begin(&s.r, g, "stable");
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (n->op == TCT_IR_SCAN) {
            tct_rewrite_copy_with_body(&s.r, v, tct_pass_stable(n->attr.body));
            continue;
        }
        tct_value copy = tct_rewrite_copy(&s.r, v);
        tct_rewrite_at(&s.r, v);
        tct_value better = improve(&s, copy);
        if (better == TCT_NO_VALUE) continue;
        s.r.map[v] = better;
        s.r.changed = true;
    }
    return tct_rewrite_finish(&s.r);
}
