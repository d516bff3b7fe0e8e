// A GPT-2 as a graph of primitive operations: loss of next-token prediction over masked targets, and AdamW on
// top. For tests of the whole pipeline at any size.
#ifndef TCT_TESTS_PASSES_TINY_GPT_H
#define TCT_TESTS_PASSES_TINY_GPT_H

#include "passes/passes.h"

#include <stdio.h>

typedef struct tiny_gpt {
    int64_t batch, length, width, heads, hidden, vocabulary;
    int layers;
} tiny_gpt;

typedef struct gpt_maker {
    tct_graph *g;
    tct_dtype dtype;
    tct_axis b, t, s, c, h, d, f, v;
    int layer;
} gpt_maker;

static inline tct_value gpt_const(gpt_maker *k, double x) { return tct_ir_const(k->g, k->dtype, x); }
static inline tct_value gpt_bin(gpt_maker *k, tct_ir_op op, tct_value a, tct_value b) {
    return tct_ir_binary(k->g, NULL, op, a, b);
}
static inline tct_value gpt_param(gpt_maker *k, const char *name, const tct_axis *axes, uint32_t n) {
    char full[64];
    snprintf(full, sizeof full, "block.%d.%s", k->layer, name);
    return tct_ir_input(k->g, full, k->dtype, axes, n);
}
static inline tct_value gpt_linear(gpt_maker *k, const char *name, tct_value x, tct_axis from, tct_axis to) {
    char bias[32];
    snprintf(bias, sizeof bias, "%s.bias", name);
    tct_value w = gpt_param(k, name, (tct_axis[]){from, to}, 2), b = gpt_param(k, bias, &to, 1);
    return gpt_bin(k, TCT_IR_ADD, tct_ir_dot(k->g, NULL, x, w, &from, 1), b);
}

static inline tct_value gpt_mean(gpt_maker *k, tct_value x, tct_axis a) {
    tct_value sum = tct_ir_reduce(k->g, NULL, TCT_IR_SUM, x, &a, 1);
    tct_ir_attr attr = {.n_axes = 1, .axes = {a}, .dtype = k->dtype};
    return gpt_bin(k, TCT_IR_DIV, sum, tct_ir_emit(k->g, NULL, TCT_IR_SIZE, NULL, 0, &attr));
}

static inline tct_value gpt_norm(gpt_maker *k, const char *name, tct_value x) {
    char bias[32];
    snprintf(bias, sizeof bias, "%s.bias", name);
    tct_value centred = gpt_bin(k, TCT_IR_SUB, x, gpt_mean(k, x, k->c));
    tct_value variance = gpt_mean(k, gpt_bin(k, TCT_IR_MUL, centred, centred), k->c);
    tct_value deviation =
        tct_ir_unary(k->g, NULL, TCT_IR_SQRT, gpt_bin(k, TCT_IR_ADD, variance, gpt_const(k, 1e-5)));
    tct_value y = gpt_bin(k, TCT_IR_DIV, centred, deviation);
    y = gpt_bin(k, TCT_IR_MUL, y, gpt_param(k, name, &k->c, 1));
    return gpt_bin(k, TCT_IR_ADD, y, gpt_param(k, bias, &k->c, 1));
}

static inline tct_value gpt_heads(gpt_maker *k, const char *name, tct_value x) {
    tct_value y =
        gpt_linear(k, name, x, k->c, tct_axis_get(k->g->module, "Q", tct_axis_of(k->g->module, k->c)->size));
    tct_axis q = tct_axis_get(k->g->module, "Q", tct_axis_of(k->g->module, k->c)->size);
    tct_ir_attr attr = {.n_axes = 1, .axes = {q}, .n_to = 2, .to = {k->h, k->d}};
    return tct_ir_emit(k->g, NULL, TCT_IR_SPLIT, &y, 1, &attr);
}

static inline tct_value gpt_attention(gpt_maker *k, tct_value x) {
    tct_graph *g = k->g;
    tct_value q = gpt_heads(k, "q", x), key = gpt_heads(k, "k", x), value = gpt_heads(k, "v", x);
    key = tct_ir_rename(g, NULL, key, k->t, k->s);
    value = tct_ir_rename(g, NULL, value, k->t, k->s);
    tct_value score = tct_ir_dot(g, NULL, q, key, &k->d, 1);
    score = gpt_bin(k, TCT_IR_MUL, score, gpt_const(k, 0.125));
    tct_value i = tct_ir_emit(g, NULL, TCT_IR_IOTA, NULL, 0,
                              &(tct_ir_attr){.n_axes = 1, .axes = {k->t}, .dtype = TCT_I32});
    tct_value j = tct_ir_emit(g, NULL, TCT_IR_IOTA, NULL, 0,
                              &(tct_ir_attr){.n_axes = 1, .axes = {k->s}, .dtype = TCT_I32});
    tct_value past = gpt_bin(k, TCT_IR_LE, j, i);
    score = tct_ir_where(g, NULL, past, score, gpt_const(k, -1.0 / 0.0));
    tct_value top = tct_ir_unary(g, NULL, TCT_IR_STOP_GRADIENT,
                                 tct_ir_reduce(g, NULL, TCT_IR_REDUCE_MAX, score, &k->s, 1));
    tct_value e = tct_ir_unary(g, NULL, TCT_IR_EXP, gpt_bin(k, TCT_IR_SUB, score, top));
    tct_value p = gpt_bin(k, TCT_IR_DIV, e, tct_ir_reduce(g, NULL, TCT_IR_SUM, e, &k->s, 1));
    tct_value o = tct_ir_dot(g, NULL, p, value, &k->s, 1);
    tct_axis q_axis = tct_axis_get(g->module, "Q", tct_axis_of(g->module, k->c)->size);
    tct_ir_attr merge = {.n_axes = 2, .axes = {k->h, k->d}, .n_to = 1, .to = {q_axis}};
    o = tct_ir_emit(g, NULL, TCT_IR_MERGE, &o, 1, &merge);
    return gpt_linear(k, "o", o, q_axis, k->c);
}

static inline tct_value gpt_gelu(gpt_maker *k, tct_value x) {
    tct_value cube = gpt_bin(k, TCT_IR_POW, x, gpt_const(k, 3));
    tct_value inner = gpt_bin(k, TCT_IR_ADD, x, gpt_bin(k, TCT_IR_MUL, gpt_const(k, 0.044715), cube));
    tct_value t =
        tct_ir_unary(k->g, NULL, TCT_IR_TANH, gpt_bin(k, TCT_IR_MUL, gpt_const(k, 0.7978845608), inner));
    return gpt_bin(k, TCT_IR_MUL, gpt_bin(k, TCT_IR_MUL, gpt_const(k, 0.5), x),
                   gpt_bin(k, TCT_IR_ADD, gpt_const(k, 1), t));
}

// Output 0 "loss"; inputs tokens, target (i32), mask (bool), then parameters.
static inline tct_graph *gpt_loss(tct_ir_module *m, const tiny_gpt *o, tct_dtype dtype) {
    gpt_maker k = {.g = tct_graph_new(m, "gpt"), .dtype = dtype};
    k.b = tct_axis_get(m, "B", o->batch), k.t = tct_axis_get(m, "T", o->length),
    k.s = tct_axis_get(m, "S", o->length);
    k.c = tct_axis_get(m, "C", o->width), k.h = tct_axis_get(m, "H", o->heads);
    k.d = tct_axis_get(m, "D", o->width / o->heads), k.f = tct_axis_get(m, "F", o->hidden);
    k.v = tct_axis_get(m, "V", o->vocabulary);
    tct_axis bt[] = {k.b, k.t};
    tct_value token = tct_ir_input(k.g, "token", TCT_I32, bt, 2),
              target = tct_ir_input(k.g, "target", TCT_I32, bt, 2);
    tct_value mask = tct_ir_input(k.g, "mask", TCT_BOOL, bt, 2);
    k.layer = -1;
    tct_value wte = gpt_param(&k, "wte", (tct_axis[]){k.v, k.c}, 2),
              wpe = gpt_param(&k, "wpe", (tct_axis[]){k.t, k.c}, 2);
    tct_ir_attr rows = {.n_axes = 1, .axes = {k.v}};
    tct_value x = tct_ir_emit(k.g, NULL, TCT_IR_GATHER, (tct_value[]){wte, token}, 2, &rows);
    x = gpt_bin(&k, TCT_IR_ADD, x, wpe);
    for (k.layer = 0; k.layer < o->layers; k.layer++) {
        x = gpt_bin(&k, TCT_IR_ADD, x, gpt_attention(&k, gpt_norm(&k, "ln1", x)));
        tct_value y = gpt_gelu(&k, gpt_linear(&k, "up", gpt_norm(&k, "ln2", x), k.c, k.f));
        x = gpt_bin(&k, TCT_IR_ADD, x, gpt_linear(&k, "down", y, k.f, k.c));
    }
    tct_value logit = tct_ir_dot(k.g, NULL, gpt_norm(&k, "ln", x), wte, &k.c, 1);
    tct_value e = tct_ir_unary(k.g, NULL, TCT_IR_EXP, logit);
    tct_value p = gpt_bin(&k, TCT_IR_DIV, e, tct_ir_reduce(k.g, NULL, TCT_IR_SUM, e, &k.v, 1));
    tct_value logp = tct_ir_unary(k.g, NULL, TCT_IR_LOG, p);
    tct_value mine = tct_ir_emit(k.g, NULL, TCT_IR_GATHER, (tct_value[]){logp, target}, 2, &rows);
    mine = tct_ir_where(k.g, NULL, mask, mine, gpt_const(&k, 0));
    tct_value count = tct_ir_reduce(k.g, NULL, TCT_IR_SUM, tct_ir_cast(k.g, mask, dtype), bt, 2);
    tct_value total = tct_ir_unary(k.g, NULL, TCT_IR_NEG, tct_ir_reduce(k.g, NULL, TCT_IR_SUM, mine, bt, 2));
    tct_ir_output(k.g, "loss",
                  gpt_bin(&k, TCT_IR_DIV, total, gpt_bin(&k, TCT_IR_MAX, count, gpt_const(&k, 1))), -1);
    return k.g;
}

// One AdamW step: gradients are outputs 1.. of g, for inputs `wrt`; they are clipped by their norm, and
// replaced by new parameters and moments that take over the memory of the old ones.
static inline tct_graph *gpt_adamw(tct_graph *g, tct_dtype dtype, const uint32_t *wrt, uint32_t n) {
    gpt_maker k = {.g = tct_graph_copy(g, "step"), .dtype = dtype};
    k.g->outputs.len = 1;
    tct_value norm = gpt_const(&k, 0);
    for (uint32_t w = 0; w < n; w++) {
        tct_value d = g->outputs.data[1 + w].value, square = gpt_bin(&k, TCT_IR_MUL, d, d);
        const tct_node *x = tct_node_of(k.g, d);
        norm =
            gpt_bin(&k, TCT_IR_ADD, norm, tct_ir_reduce(k.g, NULL, TCT_IR_SUM, square, x->axes, x->n_axes));
    }
    norm = tct_ir_unary(k.g, NULL, TCT_IR_SQRT, norm);
    tct_value clip =
        gpt_bin(&k, TCT_IR_MIN, gpt_const(&k, 1), gpt_bin(&k, TCT_IR_DIV, gpt_const(&k, 1), norm));
    tct_value step = tct_ir_input(k.g, "step", dtype, NULL, 0),
              rate = tct_ir_input(k.g, "lr", dtype, NULL, 0);
    for (uint32_t w = 0; w < n; w++) {
        tct_value p = k.g->inputs.data[wrt[w]];
        const tct_node *x = tct_node_of(k.g, p);
        tct_axis axes[TCT_IR_MAX_AXES];
        uint32_t n_axes = x->n_axes;
        for (uint32_t a = 0; a < n_axes; a++) axes[a] = x->axes[a];
        tct_value moment[2], one = gpt_const(&k, 1),
                             d = gpt_bin(&k, TCT_IR_MUL, g->outputs.data[1 + w].value, clip);
        tct_value best[2];
        char name[64];
        for (int i = 0; i < 2; i++) {
            double beta = i ? 0.999 : 0.9;
            snprintf(name, sizeof name, "%c.%u", "mv"[i], w);
            tct_value old = tct_ir_input(k.g, name, dtype, axes, n_axes),
                      add = i ? gpt_bin(&k, TCT_IR_MUL, d, d) : d;
            moment[i] = gpt_bin(&k, TCT_IR_ADD, gpt_bin(&k, TCT_IR_MUL, gpt_const(&k, beta), old),
                                gpt_bin(&k, TCT_IR_MUL, gpt_const(&k, 1 - beta), add));
            snprintf(name, sizeof name, "new.%c.%u", "mv"[i], w);
            tct_ir_output(k.g, name, moment[i], (int32_t)k.g->inputs.len - 1);
            tct_value power = gpt_bin(&k, TCT_IR_POW, gpt_const(&k, beta), step);
            best[i] = gpt_bin(&k, TCT_IR_DIV, moment[i], gpt_bin(&k, TCT_IR_SUB, one, power));
        }
        tct_value below =
            gpt_bin(&k, TCT_IR_ADD, tct_ir_unary(k.g, NULL, TCT_IR_SQRT, best[1]), gpt_const(&k, 1e-8));
        tct_value decay = gpt_bin(&k, TCT_IR_MUL, gpt_const(&k, 0.01), p);
        tct_value change = gpt_bin(&k, TCT_IR_ADD, gpt_bin(&k, TCT_IR_DIV, best[0], below), decay);
        snprintf(name, sizeof name, "new.%u", w);
        tct_ir_output(k.g, name, gpt_bin(&k, TCT_IR_SUB, p, gpt_bin(&k, TCT_IR_MUL, rate, change)),
                      (int32_t)wrt[w]);
    }
    return k.g;
}

#endif
