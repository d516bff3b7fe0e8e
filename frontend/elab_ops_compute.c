// Operations that compute: elementwise functions, reductions, products, conversions, and tensors that are
// made.
#include "frontend/elab_ops.h"

#include <string.h>

tct_val *tct_op_elementwise(op_call *c, tct_ir_op op, uint32_t n) {
    tct_elab *e = c->e;
    tct_val *v[3];
    tct_dtype dtype = TCT_F32;
    bool have = false;
    for (uint32_t i = 0; i < n; i++) {
        v[i] = tct_op_val(c, i);
        if (v[i]->kind == V_ERROR) return tct_op_fail(c);
        if (!(op == TCT_IR_WHERE && i == 0) && !have) have = tct_elab_dtype(e, v[i], &dtype);
    }
    tct_value in[3];
    for (uint32_t i = 0; i < n; i++) {
        bool condition = op == TCT_IR_WHERE && i == 0;
        tct_dtype want = condition || (!have && tct_val_static_kind(e, v[i]) == V_BOOL) ? TCT_BOOL : dtype;
        in[i] = tct_elab_operand(e, v[i], want, c->arg[i]->span);
        if (in[i] == TCT_NO_VALUE) return tct_op_fail(c);
    }
    tct_elab_at(e, c->x->span);
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), e->d, op, in, n, NULL));
}

tct_val *tct_op_where(op_call *c) { return tct_op_elementwise(c, TCT_IR_WHERE, 3); }

static tct_val *reduce(op_call *c, tct_ir_op op) {
    tct_value x = tct_op_tensor(c, 0);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (x == TCT_NO_VALUE || !tct_elab_axes(c->e, c->arg[1], axes, &n)) return tct_op_fail(c);
    for (uint32_t i = 0; i < n; i++)
        if (!tct_op_has(c, x, axes[i], c->arg[1]->span)) return tct_op_fail(c);
    return tct_op_done(c, tct_ir_reduce(tct_op_graph(c), c->e->d, op, x, axes, n));
}

tct_val *tct_op_sum(op_call *c) { return reduce(c, TCT_IR_SUM); }
tct_val *tct_op_any(op_call *c) { return reduce(c, TCT_IR_ANY); }
tct_val *tct_op_all(op_call *c) { return reduce(c, TCT_IR_ALL); }
tct_val *tct_op_argmax(op_call *c) { return reduce(c, TCT_IR_ARGMAX); }

tct_val *tct_op_mean(op_call *c) {
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    tct_val *s = reduce(c, TCT_IR_SUM);
    if (s->kind == V_ERROR || !tct_elab_axes(c->e, c->arg[1], axes, &n)) return s;
    tct_ir_attr attr = {.n_axes = (uint8_t)n, .dtype = tct_op_node(c, s->value)->dtype};
    memcpy(attr.axes, axes, n * sizeof *axes);
    tct_value count = tct_ir_emit(tct_op_graph(c), c->e->d, TCT_IR_SIZE, NULL, 0, &attr);
    return tct_op_done(c, tct_ir_binary(tct_op_graph(c), c->e->d, TCT_IR_DIV, s->value, count));
}

// max(x, V) reduces, max(a, b) compares.
tct_val *tct_op_max(op_call *c) {
    return tct_elab_is_axis(c->e, c->arg[1]) ? reduce(c, TCT_IR_REDUCE_MAX)
                                             : tct_op_elementwise(c, TCT_IR_MAX, 2);
}
tct_val *tct_op_min(op_call *c) {
    return tct_elab_is_axis(c->e, c->arg[1]) ? reduce(c, TCT_IR_REDUCE_MIN)
                                             : tct_op_elementwise(c, TCT_IR_MIN, 2);
}

tct_val *tct_op_dot(op_call *c) {
    tct_value a = tct_op_tensor(c, 0), b = tct_op_tensor(c, 1);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (a == TCT_NO_VALUE || b == TCT_NO_VALUE || !tct_elab_axes(c->e, c->arg[2], axes, &n))
        return tct_op_fail(c);
    for (uint32_t i = 0; i < n; i++)
        if (!tct_op_has(c, a, axes[i], c->arg[2]->span) || !tct_op_has(c, b, axes[i], c->arg[2]->span))
            return tct_op_fail(c);
    return tct_op_done(c, tct_ir_dot(tct_op_graph(c), c->e->d, a, b, axes, n));
}

static tct_val *filled(op_call *c, double value) {
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (!tct_elab_axes(c->e, c->arg[0], axes, &n)) return tct_op_fail(c);
    tct_elab_at(c->e, c->x->span);
    tct_value x = tct_ir_const(tct_op_graph(c), TCT_F32, value);
    return tct_op_done(c, tct_elab_broadcast(c->e, x, axes, n, c->x->span));
}
tct_val *tct_op_zeros(op_call *c) { return filled(c, 0); }
tct_val *tct_op_ones(op_call *c) { return filled(c, 1); }

tct_val *tct_op_iota(op_call *c) {
    tct_elab *e = c->e;
    tct_ir_attr attr = {.n_axes = 1, .dtype = TCT_I32};
    if (!tct_elab_axis(e, c->arg[0], &attr.axes[0])) return tct_op_fail(c);
    tct_elab_at(e, c->x->span);
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), e->d, TCT_IR_IOTA, NULL, 0, &attr));
}

tct_val *tct_op_one_hot(op_call *c) {
    tct_elab *e = c->e;
    tct_value index = tct_op_tensor_of(c, 0, TCT_I32);
    tct_ir_attr attr = {.n_axes = 1, .dtype = TCT_I32};
    if (index == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &attr.axes[0])) return tct_op_fail(c);
    tct_value at = tct_ir_emit(tct_op_graph(c), e->d, TCT_IR_IOTA, NULL, 0, &attr);
    return tct_op_done(
        c, tct_ir_cast(tct_op_graph(c), tct_ir_binary(tct_op_graph(c), e->d, TCT_IR_EQ, index, at), TCT_F32));
}

tct_val *tct_op_size(op_call *c) {
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (!tct_elab_axes(c->e, c->arg[0], axes, &n)) return tct_op_fail(c);
    tct_val *v = tct_val_int(c->e, 1, c->x->span);
    for (uint32_t i = 0; i < n; i++) {
        if (__builtin_mul_overflow(v->i, tct_op_size_of(c, axes[i]), &v->i)) {
            tct_elab_error(c->e, "E0341", c->x->span, "the size doesn't fit into 64 bits");
            return tct_op_fail(c);
        }
        if (tct_op_size_of(c, axes[i]) == 0) v->known = false;
    }
    v->size_of = n == 1;
    v->axis = axes[0];
    return v;
}

tct_val *tct_op_random(op_call *c) {
    tct_elab *e = c->e;
    tct_value key = tct_op_tensor_of(c, 0, TCT_I64);
    tct_ir_attr attr = {.i = e->n_random++};
    uint32_t n;
    if (key == TCT_NO_VALUE || !tct_elab_axes(e, c->arg[1], attr.axes, &n)) return tct_op_fail(c);
    attr.n_axes = (uint8_t)n;
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), e->d, TCT_IR_RANDOM, &key, 1, &attr));
}

tct_val *tct_op_rank(op_call *c) {
    tct_value x = tct_op_tensor(c, 0);
    if (x == TCT_NO_VALUE) return tct_op_fail(c);
    return tct_val_int(c->e, tct_op_node(c, x)->n_axes, c->x->span);
}

tct_val *tct_op_cast_to(op_call *c, tct_dtype to) {
    tct_val *v = tct_op_val(c, 0);
    // A static number in a conversion is meant to be that number.
    tct_val_kind kind = tct_val_static_kind(c->e, v);
    tct_dtype from = kind == V_FLOAT ? TCT_F64 : kind == V_INT ? TCT_I64 : TCT_BOOL;
    tct_value x = tct_elab_operand(c->e, v, from, c->arg[0]->span);
    if (x == TCT_NO_VALUE) return tct_op_fail(c);
    tct_elab_at(c->e, c->x->span);
    return tct_op_done(c, tct_ir_cast(tct_op_graph(c), x, to));
}
