// Every pass on random graphs: valid afterwards, with the same interface, and the interpreter gives the same
// numbers.
#include "passes/passes.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

enum { SEEDS = 200 };

static void report(const tct_graph *before, const tct_graph *after, const char *what, uint64_t seed,
                   const char *why) {
    tct_buf text = {0};
    tct_ir_print(before, &text, NULL);
    tct_buf_puts(&text, "---\n");
    if (after) tct_ir_print(after, &text, NULL);
    print_error("%s, seed %d: %s\n%s", what, (int)seed, why, text.data);
    tct_buf_free(&text);
}

static void same_interface(const tct_graph *a, const tct_graph *b) {
    assert_int_equal(a->inputs.len, b->inputs.len);
    assert_int_equal(a->outputs.len, b->outputs.len);
    for (size_t k = 0; k < a->inputs.len; k++) {
        const tct_node *x = tct_node_of(a, a->inputs.data[k]), *y = tct_node_of(b, b->inputs.data[k]);
        assert_string_equal(x->attr.name, y->attr.name);
        assert_int_equal(x->dtype, y->dtype);
        assert_true(x->n_axes == y->n_axes && memcmp(x->axes, y->axes, x->n_axes * sizeof *x->axes) == 0);
    }
    for (size_t k = 0; k < a->outputs.len; k++) {
        const tct_node *x = tct_node_of(a, a->outputs.data[k].value),
                       *y = tct_node_of(b, b->outputs.data[k].value);
        assert_string_equal(a->outputs.data[k].name, b->outputs.data[k].name);
        assert_int_equal(a->outputs.data[k].alias, b->outputs.data[k].alias);
        assert_int_equal(x->dtype, y->dtype);
        assert_true(x->n_axes == y->n_axes && memcmp(x->axes, y->axes, x->n_axes * sizeof *x->axes) == 0);
    }
}

static void run(const tct_graph *g, tct_arena *arena, const tct_ir_tensor *in, tct_ir_tensor *out, bool f64) {
    tct_diag d = {0};
    bool ok = tct_ir_interp(&d, arena, g, in, out, &(tct_ir_interp_options){.f64 = f64});
    if (!ok) {
        tct_buf text = {0};
        tct_diag_render(&d, &text, false);
        print_error("%s", text.data);
        tct_buf_free(&text);
    }
    assert_true(ok);
    tct_diag_free(&d);
}

// The sign of a zero may change, and with it that of what is divided by it.
static void no_zeros(const tct_ir_module *m, tct_ir_tensor *in, size_t n) {
    for (size_t k = 0; k < n; k++) {
        int64_t count = 1;
        for (int a = 0; a < in[k].n_axes; a++) count *= tct_axis_of(m, in[k].axes[a])->size;
        for (int64_t i = 0; i < count; i++) {
            if (in[k].dtype == TCT_F64 && ((double *)in[k].data)[i] == 0) ((double *)in[k].data)[i] = 0.125;
            if (in[k].dtype == TCT_F32 && ((float *)in[k].data)[i] == 0) ((float *)in[k].data)[i] = 0.125f;
        }
    }
}

enum { EXACT = 1u << TCT_F64 | 1u << TCT_I32 | 1u << TCT_I64 | 1u << TCT_BOOL };

// One random graph through a list of passes. Half of them compute in f64 alone and are held to its precision;
// the others have f32, too, in which constants are folded, and run as they would.
static void check(const char *list, uint64_t seed, unsigned classes, bool tame) {
    tct_ir_module *m = tct_ir_module_new();
    tct_random_graph_options o = {
        .seed = seed, .n_nodes = 20 + (int)(seed % 40), .tame = tame, .continuous = true};
    o.permute = seed % 3 == 0;
    o.aliases = seed % 2 == 0;
    o.classes = classes;
    bool f64 = seed % 4 < 2;
    o.dtypes = f64 ? EXACT : EXACT | 1u << TCT_F32;
    double tolerance = f64 ? 1e-9 : 1e-3;
    tct_graph *g = tct_random_graph(m, &o);
    tct_graph *kept = tct_graph_copy(g, g->name);
    tct_diag d = {0};
    tct_graph *after = tct_passes_run(&d, g, list, &(tct_pass_trace){.verify_each = true});
    if (!after) {
        tct_buf text = {0};
        tct_diag_render(&d, &text, false);
        report(g, NULL, list, seed, text.data);
        tct_buf_free(&text);
        fail();
    }
    assert_true(tct_ir_equal(g, kept)); // never edited
    same_interface(g, after);
    tct_arena arena = {0};
    tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->inputs.len);
    tct_ir_tensor *a = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->outputs.len);
    tct_ir_tensor *b = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->outputs.len);
    tct_random_inputs(g, &arena, seed, f64, in);
    if (!tame) no_zeros(m, in, g->inputs.len);
    run(g, &arena, in, a, f64);
    run(after, &arena, in, b, f64);
    for (size_t k = 0; k < g->outputs.len; k++) {
        char why[200];
        if (tct_tensors_close(m, &a[k], &b[k], tolerance, tolerance, why)) continue;
        report(g, after, list, seed, why);
        fail_msg("output %zu", k);
    }
    tct_arena_free(&arena);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_each_pass(void **state) {
    (void)state;
    for (size_t p = 0; p < tct_n_passes; p++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) check(tct_passes[p].name, seed, 0, true);
}

static void test_lists(void **state) {
    (void)state;
    for (uint64_t seed = 1000; seed < 1000 + SEEDS; seed++) {
        check("early", seed, 0, true);
        check("default", seed, 0, true);
        check("early,default", seed, ~(1u << TCT_CLASS_OPAQUE | 1u << TCT_CLASS_SCAN), true);
    }
}

// NaN and infinity come out as they did. (`stable` is there to give numbers instead.)
static void test_wild_values(void **state) {
    (void)state;
    for (uint64_t seed = 2000; seed < 2000 + SEEDS; seed++)
        check("canonicalise,fold,cse,dce,layout", seed, 0, false);
}

// Running the same pass again on its own result finds nothing that grows or never ends.
static void test_idempotent(void **state) {
    (void)state;
    const char *const lists[] = {"canonicalise", "fold", "cse", "dce"};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            tct_ir_module *m = tct_ir_module_new();
            tct_graph *g = tct_random_graph(m, &(tct_random_graph_options){.seed = seed, .n_nodes = 40});
            tct_diag d = {0};
            tct_graph *once = tct_passes_run(&d, g, lists[l], NULL),
                      *twice = tct_passes_run(&d, once, lists[l], NULL);
            if (!tct_ir_equal(once, twice)) report(once, twice, lists[l], seed, "not settled");
            assert_true(tct_ir_equal(once, twice));
            tct_diag_free(&d);
            tct_ir_module_free(m);
        }
}

// A loss of all float outputs: the sum of their sines, so that nothing grows.
static tct_graph *with_loss(const tct_graph *g) {
    tct_graph *w = tct_graph_copy(g, g->name);
    tct_value loss = tct_ir_const(w, TCT_F64, 0);
    for (size_t k = 0; k < g->outputs.len; k++) {
        tct_value y = g->outputs.data[k].value;
        const tct_node *n = tct_node_of(g, y);
        if (!tct_dtype_is_float((tct_dtype)n->dtype)) continue;
        y = tct_ir_unary(w, NULL, TCT_IR_SIN, tct_ir_cast(w, y, TCT_F64));
        if (n->n_axes) y = tct_ir_reduce(w, NULL, TCT_IR_SUM, y, n->axes, n->n_axes);
        loss = tct_ir_binary(w, NULL, TCT_IR_ADD, loss, y);
    }
    w->outputs.len = 0;
    tct_ir_output(w, "loss", loss, -1);
    return w;
}

static tct_graph *gradient(const tct_graph *g) {
    tct_diag d = {0};
    uint32_t wrt[64], n = 0;
    for (uint32_t k = 0; k < g->inputs.len && n < 64; k++)
        if (tct_dtype_is_float((tct_dtype)tct_node_of(g, g->inputs.data[k])->dtype)) wrt[n++] = k;
    tct_graph *with = tct_grad(&d, g, 0, wrt, n);
    assert_non_null(with);
    assert_true(tct_ir_verify(&d, with, "grad"));
    tct_diag_free(&d);
    return with;
}

// Differentiated before or after the passes, a graph has the same gradients.
static void test_gradients_survive_passes(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_random_graph_options o = {
            .seed = seed, .n_nodes = 30, .tame = true, .continuous = true, .dtypes = EXACT};
        o.classes = ~(1u << TCT_CLASS_OPAQUE); // fused groups have no derivative
        tct_graph *g = with_loss(tct_random_graph(m, &o));
        tct_diag d = {0};
        tct_graph *plain = gradient(g), *early = gradient(tct_passes_run(&d, g, "early", NULL));
        tct_graph *best = tct_passes_run(&d, early, "default", &(tct_pass_trace){.verify_each = true});
        assert_non_null(best);
        tct_arena arena = {0};
        tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->inputs.len);
        tct_ir_tensor *a = TCT_NEW_ARRAY(&arena, tct_ir_tensor, plain->outputs.len);
        tct_ir_tensor *b = TCT_NEW_ARRAY(&arena, tct_ir_tensor, plain->outputs.len);
        tct_random_inputs(g, &arena, seed, true, in);
        run(plain, &arena, in, a, true);
        run(best, &arena, in, b, true);
        for (size_t k = 0; k < plain->outputs.len; k++) {
            char why[200];
            if (tct_tensors_close(m, &a[k], &b[k], 1e-7, 1e-7, why)) continue;
            report(g, best, plain->outputs.data[k].name, seed, why);
            fail();
        }
        tct_arena_free(&arena);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
}

static double loss_along(const tct_graph *g, const tct_ir_tensor *in, tct_ir_tensor *moved, double h) {
    tct_arena arena = {0};
    tct_ir_tensor out;
    for (size_t k = 0; k < g->inputs.len; k++) {
        int64_t count = 1;
        for (int a = 0; a < in[k].n_axes; a++) count *= tct_axis_of(g->module, in[k].axes[a])->size;
        for (int64_t i = 0; i < count && in[k].dtype == TCT_F64; i++)
            ((double *)moved[k].data)[i] = ((double *)in[k].data)[i] + h * cos(1.3 * (double)i + (double)k);
    }
    run(g, &arena, moved, &out, true);
    double loss = *(const double *)out.data;
    tct_arena_free(&arena);
    return loss;
}

// Along one direction, where two step sizes agree on the slope and there is no kink.
static void test_gradients_against_differences(void **state) {
    (void)state;
    int smooth = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_random_graph_options o = {
            .seed = seed, .n_nodes = 25, .tame = true, .continuous = true, .dtypes = EXACT};
        o.classes = ~(1u << TCT_CLASS_OPAQUE);
        tct_graph *g = tct_pass_drop_stops(with_loss(tct_random_graph(m, &o))), *with = gradient(g);
        tct_arena arena = {0};
        tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->inputs.len);
        tct_ir_tensor *moved = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->inputs.len);
        tct_ir_tensor *out = TCT_NEW_ARRAY(&arena, tct_ir_tensor, with->outputs.len);
        tct_random_inputs(g, &arena, seed, true, in);
        tct_random_inputs(g, &arena, seed, true, moved);
        run(with, &arena, in, out, true);
        double have = 0, slope[2], bend[2], here = loss_along(g, in, moved, 0);
        for (size_t k = 0, w = 1; k < g->inputs.len; k++) {
            if (in[k].dtype != TCT_F64) continue;
            int64_t count = 1;
            for (int a = 0; a < in[k].n_axes; a++) count *= tct_axis_of(m, in[k].axes[a])->size;
            for (int64_t i = 0; i < count; i++)
                have += ((const double *)out[w].data)[i] * cos(1.3 * (double)i + (double)k);
            w++;
        }
        for (int k = 0; k < 2; k++) {
            double h = k ? 1e-5 : 2e-5;
            double ahead = loss_along(g, in, moved, h), behind = loss_along(g, in, moved, -h);
            slope[k] = (ahead - behind) / (2 * h);
            bend[k] = (ahead - here + (behind - here)) / h; // halves with h, but not at a kink
        }
        double error = fabs(slope[0] - slope[1]) + fabs(bend[0] - 2 * bend[1]), scale = 1 + fabs(slope[1]);
        if (error < 1e-6 * scale) {
            smooth++;
            if (!(fabs(have - slope[1]) < 1e-5 * scale)) {
                char why[100];
                snprintf(why, sizeof why, "slope %.10g, and the gradient says %.10g", slope[1], have);
                report(g, with, "grad", seed, why);
                fail();
            }
        }
        tct_arena_free(&arena);
        tct_ir_module_free(m);
    }
    assert_true(smooth > SEEDS / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pass),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_wild_values),
        cmocka_unit_test(test_idempotent),
        cmocka_unit_test(test_gradients_survive_passes),
        cmocka_unit_test(test_gradients_against_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
