// Whole small graphs: gradients of a layer norm, attention, a recurrent net, advantages, a GPT; the pipeline
// on a training step; and its time on one of full size.
#include "tests/passes/gradient_check.h"
#include "tests/passes/tiny_gpt.h"
#include "tests/support/random_graph.h"

#include <time.h>

static void test_layer_norm(void **state) {
    (void)state;
    check_text(
        "axis B = 2 axis C = 5 graph g { %x: f64[B, C] = input #0 \"x\" %w: f64[C] = input #1 \"w\""
        " %b: f64[C] = input #2 \"b\" %n: f64 = size {C} %s: f64[B] = sum %x {C} %m: f64[B] = div %s, %n"
        " %c: f64[B, C] = sub %x, %m %q: f64[B, C] = mul %c, %c %v: f64[B] = sum %q {C} %u: f64[B] = div %v, "
        "%n"
        " %e: f64 = const 1e-5 %ue: f64[B] = add %u, %e %r: f64[B] = rsqrt %ue %y: f64[B, C] = mul %c, %r"
        " %z: f64[B, C] = mul %y, %w %o: f64[B, C] = add %z, %b return y = %o }",
        false);
}

static void test_masked_attention(void **state) {
    (void)state;
    check_text(
        "axis T = 4 axis S = 4 axis D = 3 graph g { %q: f64[T, D] = input #0 \"q\" %k: f64[S, D] = input #1 "
        "\"k\""
        " %v: f64[S, D] = input #2 \"v\" %a: f64[T, S] = dot %q, %k {D} %i: i32[T] = iota %j: i32[S] = iota"
        " %past: bool[S, T] = le %j, %i %no: f64 = const -inf %b: f64[T, S] = where %past, %a, %no"
        " %m: f64[T] = reduce_max %b {S} %c: f64[T, S] = sub %b, %m %e: f64[T, S] = exp %c %s: f64[T] = sum "
        "%e {S}"
        " %p: f64[T, S] = div %e, %s %o: f64[T, D] = dot %p, %v {S} return y = %o }",
        false);
}

static void test_recurrent_net(void **state) {
    (void)state;
    check_text(
        "axis T = 3 axis B = 2 axis C = 3 axis K = 3 graph g { %h: f64[B, K] = input #0 \"h\""
        " %x: f64[B, T, C] = input #1 \"x\" %w: f64[C, K] = input #2 \"w\" %u: f64[K, C] = input #3 \"u\""
        " %s: (f64[B, K], f64[T, B, K]) = scan %h, %x, %w, %u {T} #1 by 1 body { %h: f64[B, K] = input #0 "
        "\"h\""
        " %x: f64[B, C] = input #1 \"x\" %w: f64[C, K] = input #2 \"w\" %u: f64[K, C] = input #3 \"u\""
        " %f: f64[B, C] = dot %h, %u {K} %g: f64[B, C] = add %f, %x %a: f64[B, K] = dot %g, %w {C}"
        " %n: f64[B, K] = tanh %a return h = %n, y = %a } %y: f64[T, B, K] = get %s #1 %l: f64[B, K] = get "
        "%s #0"
        " return y = %y, last = %l }",
        false);
}

// Generalised advantages: a scan from the end, with a mask, as std/rl/gae.tct has it.
static void test_advantages(void **state) {
    (void)state;
    check_text(
        "axis T = 4 axis B = 2 graph g { %r: f64[B, T] = input #0 \"reward\" %v: f64[B, T] = input #1 "
        "\"value\""
        " %m: bool[B, T] = input #2 \"mask\" %z: f64 = const 0 %zero: f64[B] = broadcast %z {B}"
        " %s: (f64[B], f64[B], f64[T, B]) = scan %zero, %zero, %r, %v, %m {T} #2 by -1 body {"
        " %a: f64[B] = input #0 \"a\" %next: f64[B] = input #1 \"next\" %r: f64[B] = input #2 \"r\""
        " %v: f64[B] = input #3 \"v\" %m: bool[B] = input #4 \"m\" %g: f64 = const 0.9 %l: f64 = const 0.8"
        " %gn: f64[B] = mul %next, %g %rg: f64[B] = add %r, %gn %delta: f64[B] = sub %rg, %v"
        " %la: f64[B] = mul %a, %l %new: f64[B] = add %delta, %la %kept: f64[B] = where %m, %new, %a"
        " %vkept: f64[B] = where %m, %v, %next return a = %kept, next = %vkept, y = %kept }"
        " %y: f64[T, B] = get %s #2 return advantage = %y }",
        false);
}

static const tiny_gpt SMALL = {
    .batch = 2, .length = 3, .width = 4, .heads = 2, .hidden = 5, .vocabulary = 7, .layers = 2};

static tct_graph *passes(tct_graph *g, const char *list) {
    tct_diag d = {0};
    tct_graph *after = tct_passes_run(&d, g, list, &(tct_pass_trace){.verify_each = true});
    if (!after) fail_with(&d, g, list);
    tct_diag_free(&d);
    return after;
}

static void test_gpt_gradient(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_arena arena = {0};
    tct_graph *g = gpt_loss(m, &SMALL, TCT_F64);
    const tct_ir_tensor *in = make_inputs(g, &arena, false);
    check_gradient(g, in, 1e-6);
    check_gradient(passes(g, "early"), in, 1e-6);
    tct_arena_free(&arena);
    tct_ir_module_free(m);
}

// What an index outside of the axis picks is 0, and so are its gradients: of a norm, whose derivative at rows
// of zeros there is none.
static void test_rows_that_are_not_there(void **state) {
    (void)state;
    static const char text[] =
        "axis B = 3 axis T = 4 axis N = 2 axis C = 2 axis F = 200 graph g { %x: f64[B, T, C] = input #0 \"x\""
        " %w: f64[C, F] = input #1 \"w\" %place: i32[B, N] = input #2 \"place\" %q: f64[B, T] = dot %x, %x "
        "{C}"
        " %r: f64[B, T] = rsqrt %q %n: f64[B, T, C] = mul %x, %r %h: f64[B, T, F] = dot %n, %w {C}"
        " %y: f64[B, N, F] = gather %h, %place {T} return y = %y }";
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_graph *g = parse_text(&d, m, text), *picked = passes(g, "pick");
    assert_false(tct_ir_equal(g, picked));
    const tct_ir_tensor *in = make_inputs(g, &arena, false);
    int outside = 0;
    for (int i = 0; i < 6; i++)
        outside += ((const int32_t *)in[2].data)[i] < 0 || ((const int32_t *)in[2].data)[i] > 3;
    assert_in_range(outside, 1, 5);
    char why[200];
    if (!tct_tensors_close(m, interpret(g, &arena, in), interpret(picked, &arena, in), 1e-12, 0, why))
        fail_msg("%s", why);
    check_gradient(with_loss(picked, 0), in, 1e-7);
    tct_arena_free(&arena);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static tct_graph *training_step(tct_ir_module *m, const tiny_gpt *o, tct_dtype dtype, bool early) {
    tct_diag d = {0};
    tct_graph *g = gpt_loss(m, o, dtype);
    if (early) g = tct_passes_run(&d, g, "early", NULL);
    uint32_t *wrt = TCT_NEW_ARRAY(&m->arena, uint32_t, g->inputs.len), n = 0;
    for (uint32_t k = 0; k < g->inputs.len; k++)
        if (tct_node_of(g, g->inputs.data[k])->dtype == dtype) wrt[n++] = k;
    tct_graph *with = tct_grad(&d, g, 0, wrt, n);
    assert_non_null(with);
    tct_diag_free(&d);
    return gpt_adamw(with, dtype, wrt, n);
}

static void test_step_through_the_pipeline(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_arena arena = {0};
    tct_graph *plain = training_step(m, &SMALL, TCT_F64, false);
    tct_graph *best = passes(training_step(m, &SMALL, TCT_F64, true), "default");
    const tct_ir_tensor *in = make_inputs(plain, &arena, true);
    const tct_ir_tensor *a = interpret(plain, &arena, in), *b = interpret(best, &arena, in);
    assert_int_equal(plain->outputs.len, best->outputs.len);
    for (size_t k = 0; k < plain->outputs.len; k++) {
        char why[200];
        if (!tct_tensors_close(m, &a[k], &b[k], 1e-6, 1e-7, why))
            fail_msg("%s: %s", plain->outputs.data[k].name, why);
    }
    tct_arena_free(&arena);
    tct_ir_module_free(m);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_time(void *ctx, const char *pass, const tct_graph *before, const tct_graph *g,
                       double time) {
    (void)ctx, (void)before;
    print_message("  %-14s %6.1f ms  %zu nodes\n", pass, 1e3 * time, g->nodes.len);
}

// The passes' work grows with the graph, not with its square: four times the layers take less than ten times
// as long.
static void test_time_is_linear(void **state) {
    (void)state;
    double took[2];
    for (int k = 0; k < 2; k++) {
        tiny_gpt o = {
            .batch = 4, .length = 64, .width = 768, .heads = 12, .hidden = 3072, .vocabulary = 50257};
        o.layers = k ? 24 : 6;
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        double start = seconds();
        tct_graph *g = training_step(m, &o, TCT_F32, true);
        print_message("%d layers: %.1f ms for early passes, gradient and AdamW, %zu nodes\n", o.layers,
                      1e3 * (seconds() - start), g->nodes.len);
        start = seconds();
        tct_graph *best =
            tct_passes_run(&d, g, "drop_stops,canonicalise,fold,cse,stable,canonicalise,cse,dce,layout",
                           &(tct_pass_trace){.after = print_time});
        took[k] = seconds() - start;
        print_message("%d layers: %.1f ms, %zu nodes\n", o.layers, 1e3 * took[k], best->nodes.len);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
    assert_true(took[1] < 10 * took[0] + 0.2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_norm),     cmocka_unit_test(test_masked_attention),
        cmocka_unit_test(test_recurrent_net),  cmocka_unit_test(test_advantages),
        cmocka_unit_test(test_gpt_gradient),   cmocka_unit_test(test_step_through_the_pipeline),
        cmocka_unit_test(test_time_is_linear), cmocka_unit_test(test_rows_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
