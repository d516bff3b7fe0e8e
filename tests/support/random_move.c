// Random data movement.
#include "tests/support/random_core.h"

static tct_value make_rename(maker *k, tct_value x, tct_ir_attr attr) {
    attr.n_to = 1;
    attr.to[0] = rg_fresh_axis(k, rg_size_of(k, attr.axes[0]));
    for (int a = 0; a < MAX_POOL; a++) // back into the pool, so that the result meets others
        if (rg_size_of(k, k->pool[a]) == rg_size_of(k, attr.axes[0]) && rg_chance(k, 60))
            attr.to[0] = k->pool[a];
    return rg_put(k, TCT_IR_RENAME, &x, 1, &attr);
}

static tct_value make_slice(maker *k, tct_value x, tct_ir_attr attr) {
    int64_t size = rg_size_of(k, attr.axes[0]);
    attr.step = 1 + rg_below(k, 3);
    attr.i = rg_below(k, (int)size);
    attr.n_to = 1;
    attr.to[0] = rg_fresh_axis(k, 1 + rg_below(k, (int)((size - 1 - attr.i) / attr.step + 1)));
    return rg_put(k, TCT_IR_SLICE, &x, 1, &attr);
}

static tct_value make_pad(maker *k, tct_value x, tct_ir_attr attr) {
    attr.i = rg_below(k, 4);
    attr.f = rg_below(k, 3) - 1;
    attr.n_to = 1;
    attr.to[0] = rg_fresh_axis(k, rg_size_of(k, attr.axes[0]) + attr.i + rg_below(k, 4));
    return rg_put(k, TCT_IR_PAD, &x, 1, &attr);
}

static tct_value make_concat(maker *k, tct_value x, tct_ir_attr attr) {
    tct_value in[3] = {x, x, x};
    int n = 1 + rg_below(k, 3);
    int64_t size = rg_size_of(k, attr.axes[0]);
    for (int i = 1; i < n; i++) {
        attr.axes[i] = attr.axes[0];
        if (rg_chance(k, 50)) {
            in[i] = make_slice(k, x, (tct_ir_attr){.n_axes = 1, .axes = {attr.axes[0]}});
            if (in[i] == TCT_NO_VALUE) return in[i];
            attr.axes[i] = rg_node(k, in[i])->axes[0];
            for (int a = 0; a < rg_node(k, in[i])->n_axes; a++) // the one that x lacks
                if (!tct_node_has_axis(rg_node(k, x), rg_node(k, in[i])->axes[a]))
                    attr.axes[i] = rg_node(k, in[i])->axes[a];
        }
        size += rg_size_of(k, attr.axes[i]);
    }
    attr.n_axes = (uint8_t)n;
    attr.n_to = 1;
    attr.to[0] = rg_fresh_axis(k, size);
    return rg_put(k, TCT_IR_CONCAT, in, (uint32_t)n, &attr);
}

static tct_value make_split(maker *k, tct_value x, tct_ir_attr attr) {
    int64_t size = rg_size_of(k, attr.axes[0]), factor = 1 + rg_below(k, (int)size);
    while (size % factor) factor--;
    attr.n_to = 2;
    attr.to[0] = rg_fresh_axis(k, factor);
    attr.to[1] = rg_fresh_axis(k, size / factor);
    return rg_put(k, TCT_IR_SPLIT, &x, 1, &attr);
}

static tct_value make_merge(maker *k, tct_value x) {
    tct_ir_attr attr = rg_some_axes(k, rg_node(k, x), true);
    int64_t size = 1;
    for (int a = 0; a < attr.n_axes; a++) size *= rg_size_of(k, attr.axes[a]);
    if (attr.n_axes > 1 && rg_chance(k, 50)) {
        tct_axis t = attr.axes[0];
        attr.axes[0] = attr.axes[1];
        attr.axes[1] = t;
    }
    attr.n_to = 1;
    attr.to[0] = rg_fresh_axis(k, size);
    return rg_put(k, TCT_IR_MERGE, &x, 1, &attr);
}

// Positions along an axis of this size, some of them outside.
static tct_value make_index(maker *k, int64_t size) {
    tct_value x = rg_pick(k, 1u << TCT_I32, 0);
    if (x == TCT_NO_VALUE)
        x = rg_put(k, TCT_IR_IOTA, NULL, 0,
                   &(tct_ir_attr){.dtype = TCT_I32, .n_axes = 1, .axes = {k->pool[rg_below(k, MAX_POOL)]}});
    x = rg_binary(k, TCT_IR_MOD, x, rg_constant(k, TCT_I32, (double)size + 2));
    return rg_binary(k, TCT_IR_SUB, x, rg_constant(k, TCT_I32, 1));
}

static tct_value make_indexed(maker *k, tct_ir_op op, tct_value x, tct_ir_attr attr) {
    tct_value index = make_index(k, rg_size_of(k, attr.axes[0]));
    tct_value picked = rg_put(k, TCT_IR_GATHER, (tct_value[]){x, index}, 2, &attr);
    if (op == TCT_IR_GATHER || picked == TCT_NO_VALUE) return picked;
    if (rg_node(k, x)->dtype != TCT_BOOL) picked = rg_binary(k, TCT_IR_ADD, picked, picked);
    return rg_put(k, op, (tct_value[]){x, index, picked}, 3, &attr);
}

tct_value rg_make_movement(maker *k) {
    tct_ir_op op = (tct_ir_op)(TCT_IR_RENAME + rg_below(k, TCT_IR_PUT - TCT_IR_RENAME + 1));
    tct_value x = rg_pick(k, op == TCT_IR_SCATTER_ADD ? NUMBERS : ANY_DTYPE, op == TCT_IR_BROADCAST ? 0 : 1);
    if (x == TCT_NO_VALUE) return x;
    if (op == TCT_IR_BROADCAST)
        return rg_put(k, op, &x, 1, &(tct_ir_attr){.n_axes = 1, .axes = {k->pool[rg_below(k, MAX_POOL)]}});
    if (op == TCT_IR_AFTER)
        return rg_put(k, op, (tct_value[]){x, rg_pick(k, ANY_DTYPE, 0)}, 2, &(tct_ir_attr){0});
    if (op == TCT_IR_MERGE) return make_merge(k, x);
    tct_ir_attr attr = rg_one_axis(k, x);
    switch (op) {
    case TCT_IR_RENAME:
        return make_rename(k, x, attr);
    case TCT_IR_SLICE:
        return make_slice(k, x, attr);
    case TCT_IR_PAD:
        return make_pad(k, x, attr);
    case TCT_IR_CONCAT:
        return make_concat(k, x, attr);
    case TCT_IR_SPLIT:
        return make_split(k, x, attr);
    case TCT_IR_FLIP:
        return rg_put(k, op, &x, 1, &attr);
    default:
        return make_indexed(k, op, x, attr);
    }
}
