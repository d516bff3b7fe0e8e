// Values that are not kept but computed again: less memory, the same bits.
#include "base/size.h"
#include "passes/passes.h"
#include "passes/remat.h"
#include "passes/stream.h"
#include "tests/codegen/compare.h"

#include <math.h>

enum { LAYERS = 8 };

// Layers with a residual: x + tanh(x · u) · d.
static tct_graph *layers(tct_diag *d, tct_ir_module *m) {
    tct_buf t = {0};
    tct_buf_puts(&t, "axis B = 64 axis C = 16 axis F = 64 graph loss {\n%x0: f32[B, C] = input #0 \"x\"\n");
    for (int k = 0; k < LAYERS; k++)
        tct_buf_printf(&t,
                       "%%u%d: f32[C, F] = input #%d \"u%d\"\n%%d%d: f32[F, C] = input #%d \"d%d\"\n"
                       "%%a%d: f32[B, F] = dot %%x%d, %%u%d {C}\n%%t%d: f32[B, F] = tanh %%a%d\n"
                       "%%g%d: f32[B, F] = mul %%a%d, %%t%d\n%%y%d: f32[B, C] = dot %%g%d, %%d%d {F}\n"
                       "%%x%d: f32[B, C] = add %%x%d, %%y%d\n",
                       k, 2 * k + 1, k, k, 2 * k + 2, k, k, k, k, k, k, k, k, k, k, k, k, k + 1, k, k);
    tct_buf_printf(&t, "%%q: f32[B, C] = mul %%x%d, %%x%d\n%%l: f32 = sum %%q {B, C}\nreturn loss = %%l\n}",
                   LAYERS, LAYERS);
    tct_graph *g = compare_gradient(d, m, t.data, 1, 2 * LAYERS, "default");
    tct_buf_free(&t);
    return g;
}

static const tct_plan *plan_of(tct_diag *d, tct_compiler *c, tct_graph *g) {
    const tct_plan *plan = tct_compile_graph(d, c, g, &(tct_compile_options){.passes = ""});
    assert_non_null(plan);
    return plan;
}

// The plans of both graphs give the same bits.
static void same_bits(tct_compiler *c, tct_graph *a, tct_graph *b, uint64_t seed) {
    tct_diag d = {0};
    tct_arena arena = {0};
    size_t n = a->outputs.len;
    tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, a->inputs.len + 1);
    tct_ir_tensor *x = TCT_NEW_ARRAY(&arena, tct_ir_tensor, n), *y = TCT_NEW_ARRAY(&arena, tct_ir_tensor, n);
    tct_random_inputs(a, &arena, seed, false, in);
    const tct_plan *p = plan_of(&d, c, a), *q = plan_of(&d, c, b);
    compare_run(a, p, 2, in, &arena, x);
    compare_run(b, q, 2, in, &arena, y);
    for (size_t k = 0; k < n; k++) assert_memory_equal(x[k].data, y[k].data, p->outputs[k].bytes);
    tct_arena_free(&arena);
    tct_diag_free(&d);
}

// All that can be had: the layers' inputs are kept, a layer is computed again when its gradient is.
static void as_much_as_there_is(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = layers(&d, m);
    tct_remat_done done;
    tct_graph *after = tct_remat(g, &(tct_remat_limits){INFINITY, INFINITY}, &done);
    assert_ptr_not_equal(after, g);
    assert_true(tct_ir_verify(&d, after, "remat"));
    assert_true(done.values >= LAYERS - 1);
    assert_true(compare_count(after, TCT_IR_DOT) >= compare_count(g, TCT_IR_DOT) + LAYERS - 1);
    // No layer's second product: that would be computing the forward pass from its beginning.
    assert_true(compare_count(after, TCT_IR_DOT) < compare_count(g, TCT_IR_DOT) + 2 * LAYERS - 2);
    assert_true(done.cost < tct_remat_cost(g) / 3);
    compare_interpreted(g, after, "remat", 1, 0);
    same_bits(c, g, after, 1);
    uint64_t before = plan_of(&d, c, g)->arena_bytes, now = plan_of(&d, c, after)->arena_bytes;
    if (2 * now >= before)
        fail_msg("%llu of %llu bytes", (unsigned long long)now, (unsigned long long)before);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// No more than is asked for, and nothing that costs too much.
static void as_much_as_it_takes(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = layers(&d, m);
    tct_remat_done done, all;
    tct_remat(g, &(tct_remat_limits){INFINITY, INFINITY}, &all);
    tct_graph *some = tct_remat(g, &(tct_remat_limits){all.bytes / 3, INFINITY}, &done);
    assert_ptr_not_equal(some, g);
    assert_true(done.bytes >= all.bytes / 3 && done.bytes < all.bytes);
    assert_true(done.cost > 0 && done.cost < all.cost / 2);
    compare_interpreted(g, some, "remat", 1, 0);
    assert_ptr_equal(tct_remat(g, &(tct_remat_limits){0, INFINITY}, &done), g);
    assert_ptr_equal(tct_remat(g, &(tct_remat_limits){INFINITY, 0}, &done), g);
    assert_int_equal(done.values, 0);
    tct_remat(g, &(tct_remat_limits){INFINITY, all.cost / 2}, &done);
    assert_true(done.values > 0 && done.cost <= all.cost / 2);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// A scan is computed again, and what is kept of it meanwhile are its operands; views of one product are had
// by computing that again.
static void scans(void **state) {
    (void)state;
    static const char *const text =
        "axis B = 16 axis T = 32 axis C = 4 axis K = 24 axis Q = 8 axis P = 3 axis R = 8 axis F = 200 graph "
        "g {\n"
        "%x: f32[T, B, C] = input #0 \"x\"\n%w: f32[C, K] = input #1 \"w\"\n%h: f32[B, Q] = input #2 \"h\"\n"
        "%u: f32[Q, F] = input #3 \"u\"\n%k: f32[T, B, K] = dot %x, %w {C}\n"
        "%y: f32[T, B, P, Q] = split %k {K} -> {P, Q}\n"
        "%z: f32[T, B, P, R] = rename %y {Q} -> {R}\n%o: f32[T, B, R] = sum %z {P}\n"
        "%v: f32[T, B, Q] = rename %o {R} -> {Q}\n"
        "%s: (f32[B, Q], f32[T, B, Q]) = scan %h, %v {T} #1 by 1 body {\n"
        "%a: f32[B, Q] = input #0 \"a\"\n%b: f32[B, Q] = input #1 \"b\"\n%c: f32[B, Q] = add %a, %b\n"
        "%d: f32[B, Q] = tanh %c\nreturn a = %d, d = %d\n}\n"
        "%e: f32[T, B, Q] = get %s #1\n%f: f32[T, B, F] = dot %e, %u {Q}\n%g: f32[T, B, F] = exp %f\n"
        "%i: f32[T, B, Q] = dot %g, %u {F}\n%j: f32[T, B, Q] = mul %i, %e\n%l: f32 = sum %j {T, B, Q}\n"
        "%m: f32[T, B, P, Q] = mul %y, %l\n%n: f32 = sum %m {T, B, P, Q}\nreturn l = %l, n = %n\n}";
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = tct_ir_parse(&d, m, "test.tir", text, strlen(text));
    if (!g) compare_fail("not parsed", tct_graph_new(m, "none"), NULL, &d);
    tct_remat_done done;
    tct_graph *after = tct_remat(g, &(tct_remat_limits){INFINITY, INFINITY}, &done);
    assert_int_equal(compare_count(after, TCT_IR_SCAN), 2);
    assert_int_equal(compare_count(after, TCT_IR_DOT), compare_count(g, TCT_IR_DOT) + 1);
    assert_int_equal(compare_count(after, TCT_IR_SPLIT), 2);
    assert_true(tct_ir_verify(&d, after, "remat"));
    compare_interpreted(g, after, "remat", 1, 0);
    same_bits(c, g, after, 1);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// A compiler with a limit keeps to it, or says what it would take.
static void limits(void **state) {
    (void)state;
    tct_diag d = {.max_errors = 20};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = layers(&d, m);
    const tct_plan *whole = plan_of(&d, c, g);
    uint64_t ports = 0;
    for (uint32_t k = 0; k < whole->n_inputs; k++) ports += whole->inputs[k].bytes;
    for (uint32_t k = 0; k < whole->n_outputs; k++) ports += whole->outputs[k].bytes;
    tct_compiler_memory(c, ports + whole->arena_bytes); // enough
    assert_int_equal(plan_of(&d, c, g)->arena_bytes, whole->arena_bytes);
    assert_int_equal(tct_compiler_stats(c).again, 0);
    tct_compiler_memory(c, ports + whole->arena_bytes * 2 / 3);
    assert_true(plan_of(&d, c, g)->arena_bytes <= whole->arena_bytes * 2 / 3);
    tct_compile_stats some = tct_compiler_stats(c);
    assert_true(some.again > 0 && some.kept_to <= some.kept_from * 2 / 3);
    tct_compiler_memory(c, TCT_LEAST_MEMORY);
    assert_true(plan_of(&d, c, g)->arena_bytes < whole->arena_bytes / 2);
    assert_true(tct_compiler_stats(c).again_most > some.again_most &&
                tct_compiler_stats(c).again_most < 1.0 / 3);
    assert_int_equal(d.n_errors, 0);
    for (int little = 0; little < 2; little++) {
        tct_compiler_memory(c, little ? ports / 2 : ports + 1024);
        assert_null(tct_compile_graph(&d, c, g, &(tct_compile_options){.passes = ""}));
        assert_int_equal(d.n_errors, little + 1);
        assert_string_equal(d.messages.data[d.messages.len - 1].code, "E0848");
    }
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

static void sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes; // 0: refused
    } cases[] = {{"1", 1},
                 {"500M", 500ull << 20},
                 {"1.5G", 3ull << 29},
                 {"64KiB", 64 << 10},
                 {"2TB", 2ull << 40},
                 {"10B", 10},
                 {"", 0},
                 {"0", 0},
                 {"-1", 0},
                 {"inf", 0},
                 {"1X", 0},
                 {"1MM", 0},
                 {"1e30", 0},
                 {"0.1", 0},
                 {"1 G", 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        uint64_t bytes = 0;
        assert_int_equal(tct_bytes_parse(cases[k].text, &bytes), cases[k].bytes != 0);
        assert_int_equal(bytes, cases[k].bytes);
    }
}

static void random_graphs(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    int changed = 0;
    for (uint64_t seed = 1; seed <= 250; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_random_graph_options o = {.seed = seed,
                                      .n_nodes = 60,
                                      .classes = ~(1u << TCT_CLASS_OPAQUE),
                                      .dtypes = 1u << TCT_F32 | 1u << TCT_I32 | 1u << TCT_BOOL,
                                      .permute = seed % 2,
                                      .tame = true,
                                      .continuous = true};
        tct_graph *g = tct_passes_run(&d, tct_random_graph(m, &o), "cse,dce", NULL);
        tct_remat_done done;
        tct_graph *after = tct_remat(g, &(tct_remat_limits){INFINITY, INFINITY}, &done);
        if (after != g) {
            changed++;
            compare_interpreted(g, after, "remat", seed, 0);
            compare_graph(c, after, seed,
                          &(compare_options){.passes = "", .relative = 1e-3, .absolute = 1e-3});
        }
        tct_ir_module_free(m);
    }
    assert_true(changed >= 8);
    tct_compiler_free(c);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_much_as_there_is),
        cmocka_unit_test(as_much_as_it_takes),
        cmocka_unit_test(scans),
        cmocka_unit_test(limits),
        cmocka_unit_test(sizes),
        cmocka_unit_test(random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
