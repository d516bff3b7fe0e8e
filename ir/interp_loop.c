// Leaves, elementwise operations, reductions and contractions of the interpreter, and the walk that all cases
// use.
#include "ir/interp_core.h"

#include <math.h>
#include <string.h>

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011); docs/ir.md says what is key and counter.
static uint32_t philox_word(uint64_t key, uint64_t stream, uint64_t index) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint64_t block = index / 4;
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k1,
                            (uint32_t)p0};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c[index % 4];
}

static tct_scalar whole_number(tct_dtype t, int64_t x) {
    return tct_scalar_cast(TCT_I64, t, (tct_scalar){.i = x});
}

void tct_interp_leaf(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                     const tct_ir_tensor *out) {
    const tct_ir_attr *attr = &n->attr;
    if (n->op == TCT_IR_CONST) {
        tct_scalar_store(out, 0, (tct_scalar){.f = attr->f, .i = attr->i});
        return;
    }
    int64_t product = 1;
    for (int k = 0; k < attr->n_axes; k++) product *= tct_interp_size(c, attr->axes[k]);
    if (n->op == TCT_IR_SIZE) {
        tct_scalar_store(out, 0, whole_number(out->dtype, product));
        return;
    }
    tct_walk w;
    tct_walk_begin(&w, c->m, attr->axes, attr->n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    uint64_t key = n->op == TCT_IR_RANDOM ? (uint64_t)tct_scalar_load(&in[0], 0).i : 0;
    for (int64_t k = 0; k < w.count; k++, tct_walk_next(&w)) {
        tct_scalar x = whole_number(out->dtype, k); // iota
        if (n->op == TCT_IR_RANDOM)
            x.f = (double)(philox_word(key, (uint64_t)attr->i, (uint64_t)k) >> 8) * 0x1p-24;
        tct_scalar_store(out, w.at[0], x);
    }
}

void tct_interp_elementwise(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                            const tct_ir_tensor *out) {
    tct_ir_op op = (tct_ir_op)n->op;
    tct_walk w;
    tct_walk_begin(&w, c->m, n->axes, n->n_axes);
    tct_walk_operand(&w, c->m, 0, out);
    for (uint32_t k = 0; k < n->n_in; k++) tct_walk_operand(&w, c->m, (int)k + 1, &in[k]);
    for (int64_t step = 0; step < w.count; step++, tct_walk_next(&w)) {
        tct_scalar x = tct_scalar_load(&in[0], w.at[1]);
        if (op == TCT_IR_CAST)
            x = tct_scalar_cast(in[0].dtype, out->dtype, x);
        else if (op == TCT_IR_WHERE)
            x = x.i ? tct_scalar_load(&in[1], w.at[2]) : tct_scalar_load(&in[2], w.at[3]);
        else if (n->n_in == 2)
            x = tct_scalar_binary(op, in[0].dtype, x, tct_scalar_load(&in[1], w.at[2]));
        else
            x = tct_scalar_unary(op, in[0].dtype, x);
        tct_scalar_store(out, w.at[0], x);
    }
}

// One more value into a reduction; the first one is `x` itself.
static tct_scalar combine(tct_ir_op op, tct_dtype t, tct_scalar acc, tct_scalar x) {
    switch (op) {
    case TCT_IR_SUM: // of f32 and bf16 in double, rounded once
        return tct_scalar_binary(TCT_IR_ADD, tct_dtype_is_float(t) ? TCT_F64 : t, acc, x);
    case TCT_IR_REDUCE_MAX:
        return tct_scalar_binary(TCT_IR_MAX, t, acc, x);
    case TCT_IR_REDUCE_MIN:
        return tct_scalar_binary(TCT_IR_MIN, t, acc, x);
    case TCT_IR_ANY:
        return tct_scalar_binary(TCT_IR_OR, t, acc, x);
    default: // all
        return tct_scalar_binary(TCT_IR_AND, t, acc, x);
    }
}

// NaN counts as the largest, as for reduce_max.
static bool larger(tct_dtype t, tct_scalar x, tct_scalar best) {
    if (!tct_dtype_is_float(t)) return x.i > best.i;
    return x.f > best.f || (isnan(x.f) && !isnan(best.f));
}

void tct_interp_reduction(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                          const tct_ir_tensor *out) {
    tct_ir_op op = (tct_ir_op)n->op;
    tct_walk outer, inner;
    tct_walk_begin(&outer, c->m, n->axes, n->n_axes);
    tct_walk_operand(&outer, c->m, 0, out);
    tct_walk_operand(&outer, c->m, 1, &in[0]);
    tct_walk_begin(&inner, c->m, n->attr.axes, n->attr.n_axes);
    tct_walk_operand(&inner, c->m, 0, &in[0]);
    for (int64_t step = 0; step < outer.count; step++, tct_walk_next(&outer)) {
        inner.at[0] = outer.at[1];
        tct_scalar acc = tct_scalar_load(&in[0], inner.at[0]);
        int64_t position = 0;
        tct_walk_next(&inner);
        for (int64_t k = 1; k < inner.count; k++, tct_walk_next(&inner)) {
            tct_scalar x = tct_scalar_load(&in[0], inner.at[0]);
            if (op != TCT_IR_ARGMAX) {
                acc = combine(op, in[0].dtype, acc, x);
            } else if (larger(in[0].dtype, x, acc)) {
                acc = x;
                position = k;
            }
        }
        tct_scalar_store(out, outer.at[0], op == TCT_IR_ARGMAX ? (tct_scalar){.i = position} : acc);
    }
}

void tct_interp_dot(const tct_interp *c, const tct_node *n, const tct_ir_tensor *in,
                    const tct_ir_tensor *out) {
    tct_walk outer, inner;
    tct_walk_begin(&outer, c->m, n->axes, n->n_axes);
    tct_walk_operand(&outer, c->m, 0, out);
    tct_walk_begin(&inner, c->m, n->attr.axes, n->attr.n_axes);
    for (int k = 0; k < 2; k++) {
        tct_walk_operand(&outer, c->m, k + 1, &in[k]);
        tct_walk_operand(&inner, c->m, k, &in[k]);
    }
    // Products of f32 are exact in double; the sum is rounded once.
    tct_dtype wide = tct_dtype_is_float(in[0].dtype) ? TCT_F64 : TCT_I64;
    for (int64_t step = 0; step < outer.count; step++, tct_walk_next(&outer)) {
        inner.at[0] = outer.at[1];
        inner.at[1] = outer.at[2];
        tct_scalar acc = {0};
        for (int64_t k = 0; k < inner.count; k++, tct_walk_next(&inner)) {
            tct_scalar product = tct_scalar_binary(TCT_IR_MUL, wide, tct_scalar_load(&in[0], inner.at[0]),
                                                   tct_scalar_load(&in[1], inner.at[1]));
            acc = tct_scalar_binary(TCT_IR_ADD, wide, acc, product);
        }
        tct_scalar_store(out, outer.at[0], acc);
    }
}
