// Gradients against central differences, in f64 with the reference interpreter. Included by the tests of this
// folder.
#ifndef TCT_TESTS_PASSES_GRADIENT_CHECK_H
#define TCT_TESTS_PASSES_GRADIENT_CHECK_H

#include "ir/interp.h"
#include "passes/passes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail_with(tct_diag *d, const tct_graph *g, const char *what) {
    tct_buf text = {0};
    tct_buf_printf(&text, "%s\n", what);
    tct_diag_render(d, &text, false);
    if (g) tct_ir_print(g, &text, NULL);
    fprintf(stderr, "%s\n", text.data); // cmocka's own printing has a limit
    tct_buf_free(&text);
    fail();
}

static inline tct_graph *parse_text(tct_diag *d, tct_ir_module *m, const char *text) {
    tct_graph *g = tct_ir_parse(d, m, "test.tir", text, strlen(text));
    if (!g) fail_with(d, NULL, text);
    return g;
}

// Foreign functions of the tests: "test:cube" y = x^3 and its gradient "test:cube_grad" (x, dy) → dx.
static bool call_foreign(void *ctx, tct_diag *d, const tct_node *n, const tct_graph *g,
                         const tct_ir_tensor *in, tct_ir_tensor *out) {
    (void)ctx, (void)d;
    bool gradient = strcmp(n->attr.name, "test:cube_grad") == 0;
    assert_true(gradient || strncmp(n->attr.name, "test:cube", 9) == 0);
    int64_t count = 1;
    for (int k = 0; k < in[0].n_axes; k++) count *= tct_axis_of(g->module, in[0].axes[k])->size;
    for (int64_t i = 0; i < count; i++) {
        double x = ((const double *)in[0].data)[i];
        ((double *)out[0].data)[i] = gradient ? 3 * x * x * ((const double *)in[1].data)[i] : x * x * x;
    }
    return true;
}

// Runs g; outputs in the arena.
static inline tct_ir_tensor *interpret(const tct_graph *g, tct_arena *arena, const tct_ir_tensor *in) {
    tct_diag d = {0};
    tct_ir_tensor *out = TCT_NEW_ARRAY(arena, tct_ir_tensor, g->outputs.len);
    tct_ir_interp_options options = {.f64 = true, .foreign = call_foreign};
    if (!tct_ir_interp(&d, arena, g, in, out, &options)) fail_with(&d, g, "interpreter");
    tct_diag_free(&d);
    return out;
}

static inline int64_t count_of(const tct_ir_module *m, const tct_ir_tensor *t) {
    int64_t count = 1;
    for (int k = 0; k < t->n_axes; k++) count *= tct_axis_of(m, t->axes[k])->size;
    return count;
}

// Distinct floats away from kinks: in ±(0.1, 2), or in (0.3, 2.3); integers from -1 to 4; bools.
static inline void fill(const tct_ir_module *m, tct_ir_tensor *t, int number, bool positive) {
    int64_t count = count_of(m, t);
    for (int64_t i = 0; i < count; i++) {
        double u = fmod(0.137 + 0.6180339887 * (double)(i + 1) + 0.317 * number, 1.0),
               sign = (i + number) % 2 ? -1 : 1;
        if (t->dtype == TCT_F64)
            ((double *)t->data)[i] = positive ? 0.3 + 2 * u : sign * (0.1 + 1.9 * u);
        else if (t->dtype == TCT_I32)
            ((int32_t *)t->data)[i] = (int32_t)((i * 5 + number) % 6) - 1;
        else if (t->dtype == TCT_I64)
            ((int64_t *)t->data)[i] = (i * 5 + number) % 6 - 1;
        else
            ((uint8_t *)t->data)[i] = (i + number) % 3 == 0;
    }
}

static inline tct_ir_tensor *make_inputs(const tct_graph *g, tct_arena *arena, bool positive) {
    tct_ir_tensor *in = TCT_NEW_ARRAY(arena, tct_ir_tensor, g->inputs.len);
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        bool is_float = tct_dtype_is_float((tct_dtype)n->dtype);
        in[k] = (tct_ir_tensor){.dtype = is_float ? TCT_F64 : (tct_dtype)n->dtype, .n_axes = n->n_axes};
        if (n->n_axes) memcpy(in[k].axes, n->axes, n->n_axes * sizeof *n->axes);
        in[k].data = tct_arena_alloc_array(arena, 8, (size_t)count_of(g->module, &in[k]));
        fill(g->module, &in[k], (int)k, positive);
    }
    return in;
}

// g with one more output, "loss": the sum of its float outputs from number `first` on, each point with a
// weight of its own.
static inline tct_graph *with_loss(const tct_graph *g, size_t first) {
    tct_graph *w = tct_graph_copy(g, g->name);
    tct_value loss = tct_ir_const(w, TCT_F64, 0);
    for (size_t k = first; k < g->outputs.len; k++) {
        tct_value y = g->outputs.data[k].value;
        const tct_node *n = tct_node_of(w, y);
        if (!tct_dtype_is_float((tct_dtype)n->dtype)) continue;
        tct_axis axes[TCT_IR_MAX_AXES];
        uint32_t n_axes = n->n_axes;
        if (n_axes) memcpy(axes, n->axes, n_axes * sizeof *axes);
        y = tct_ir_cast(w, y, TCT_F64);
        tct_value phase = tct_ir_const(w, TCT_F64, 0.4 + 0.3 * (double)k);
        for (uint32_t a = 0; a < n_axes; a++) {
            tct_ir_attr attr = {.dtype = TCT_F64, .n_axes = 1, .axes = {axes[a]}};
            tct_value i = tct_ir_emit(w, NULL, TCT_IR_IOTA, NULL, 0, &attr);
            i = tct_ir_binary(w, NULL, TCT_IR_MUL, i, tct_ir_const(w, TCT_F64, 1.7 + a));
            phase = tct_ir_binary(w, NULL, TCT_IR_ADD, phase, i);
        }
        tct_value weight = tct_ir_unary(w, NULL, TCT_IR_COS, phase);
        y = tct_ir_binary(w, NULL, TCT_IR_MUL, y, weight);
        if (n_axes) y = tct_ir_reduce(w, NULL, TCT_IR_SUM, y, axes, n_axes);
        loss = tct_ir_binary(w, NULL, TCT_IR_ADD, loss, y);
    }
    char name[32];
    snprintf(name, sizeof name, "loss%zu", first);
    tct_ir_output(w, name, loss, -1);
    return w;
}

static inline double loss_at(const tct_graph *g, const tct_ir_tensor *in) {
    tct_arena arena = {0};
    tct_ir_tensor *out = interpret(g, &arena, in);
    double loss = *(const double *)out[g->outputs.len - 1].data;
    tct_arena_free(&arena);
    return loss;
}

static inline uint32_t float_inputs(const tct_graph *g, uint32_t wrt[64]) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < g->inputs.len; k++)
        if (tct_dtype_is_float((tct_dtype)tct_node_of(g, g->inputs.data[k])->dtype)) wrt[n++] = k;
    return n;
}

// The last output of g is a loss: its gradient to every float input against central differences. Returns the
// graph with the gradients.
static inline tct_graph *check_gradient(const tct_graph *g, const tct_ir_tensor *in, double tolerance) {
    tct_diag d = {0};
    uint32_t wrt[64], n_wrt = float_inputs(g, wrt);
    tct_graph *with = tct_grad(&d, g, (uint32_t)g->outputs.len - 1, wrt, n_wrt);
    if (!with || !tct_ir_verify(&d, with, "grad")) fail_with(&d, with ? with : g, "grad");
    tct_arena arena = {0};
    tct_ir_tensor *out = interpret(with, &arena, in);
    for (uint32_t w = 0; w < n_wrt; w++) {
        const tct_ir_tensor *x = &in[wrt[w]], *dx = &out[g->outputs.len + w];
        assert_int_equal(dx->n_axes, x->n_axes);
        assert_memory_equal(dx->axes, x->axes, x->n_axes * sizeof *x->axes);
        for (int64_t i = 0; i < count_of(g->module, x); i++) {
            double *at = &((double *)x->data)[i], was = *at, h = 1e-5;
            *at = was + h;
            double up = loss_at(g, in);
            *at = was - h;
            double down = loss_at(g, in);
            *at = was;
            double want = (up - down) / (2 * h), have = ((const double *)dx->data)[i];
            if (fabs(want - have) <= tolerance * (1 + fabs(want))) continue;
            char what[160];
            snprintf(what, sizeof what,
                     "gradient to input %u, element %d: %.12g, and central differences say %.12g", wrt[w],
                     (int)i, have, want);
            fail_with(&d, with, what);
        }
    }
    tct_arena_free(&arena);
    tct_diag_free(&d);
    return with;
}

// First derivatives of all float outputs of g, then second ones.
static inline void check_twice(const tct_graph *g, bool positive) {
    tct_arena arena = {0};
    tct_ir_tensor *in = make_inputs(g, &arena, positive);
    tct_graph *once = check_gradient(with_loss(g, 0), in, 1e-7);
    check_gradient(with_loss(once, g->outputs.len + 1), in, 1e-6);
    tct_arena_free(&arena);
}

static inline void check_text(const char *text, bool positive) {
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    check_twice(parse_text(&d, m, text), positive);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

#endif
