// Values computed again for late users: the same numbers, and less that is kept.
#include "passes/recompute.h"
#include "tests/codegen/compare.h"

// Two layers with a norm, a softmax and a smooth step behind products.
static const char *const LAYERS =
    "axis B = 16 axis C = 24 axis F = 40 graph loss {\n"
    "%x: f32[B, C] = input #0 \"x\"\n%u: f32[C, F] = input #1 \"u\"\n%d: f32[F, C] = input #2 \"d\"\n"
    "%m: f32[B] = sum %x {C}\n%n: f32[B, C] = sub %x, %m\n%a: f32[B, F] = dot %n, %u {C}\n"
    "%t: f32[B, F] = tanh %a\n%g: f32[B, F] = mul %a, %t\n%y: f32[B, C] = dot %g, %d {F}\n"
    "%r: f32[B, C] = add %x, %y\n%a2: f32[B, F] = dot %r, %u {C}\n%e: f32[B, F] = exp %a2\n"
    "%s: f32[B] = sum %e {F}\n%p: f32[B, F] = div %e, %s\n%z: f32[B, C] = dot %p, %d {F}\n"
    "%q: f32[B, C] = mul %z, %z\n%l: f32 = sum %q {B, C}\nreturn loss = %l\n}";

static tct_graph *gradient(tct_diag *d, tct_ir_module *m) {
    return compare_gradient(d, m, LAYERS, 0, 3,
                            "drop_stops,canonicalise,fold,cse,stable,canonicalise,cse,dce");
}

static void layers(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = gradient(&d, m);
    tct_graph *after = tct_recompute(g, &(tct_recompute_limits){.bytes = 1, .cost = 48});
    assert_ptr_not_equal(after, g);
    assert_true(compare_count(after, TCT_IR_AFTER) > 0);
    assert_int_equal(compare_count(after, TCT_IR_DOT), compare_count(g, TCT_IR_DOT)); // products are kept
    assert_true(compare_count(after, TCT_IR_TANH) > compare_count(g, TCT_IR_TANH));
    compare_interpreted(g, after, "recompute", 1, 0); // the same operations on the same values
    compare_graph(c, after, 1, &(compare_options){.relative = 1e-3, .absolute = 1e-3});

    // No second tanh at a price that only arithmetic has; nothing at all for small values.
    tct_graph *cheap = tct_recompute(g, &(tct_recompute_limits){.bytes = 1, .cost = 10});
    assert_int_equal(compare_count(cheap, TCT_IR_TANH), compare_count(g, TCT_IR_TANH));
    assert_ptr_equal(tct_recompute(g, &(tct_recompute_limits){.bytes = 1e6, .cost = 48}), g);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// The first late user of tanh is its square, which waits for nothing but tanh: that one is computed again
// too.
static void square_first(void **state) {
    (void)state;
    static const char *const text =
        "axis B = 16 axis C = 24 axis F = 400 graph loss {\n"
        "%x: f32[B, C] = input #0 \"x\"\n%u: f32[C, F] = input #1 \"u\"\n%d: f32[F, C] = input #2 \"d\"\n"
        "%a: f32[B, F] = dot %x, %u {C}\n%t: f32[B, F] = tanh %a\n%y: f32[B, C] = dot %t, %d {F}\n"
        "%s: f32[B, C] = exp %y\n%w: f32[B, F] = dot %s, %u {C}\n%l: f32 = sum %w {B, F}\n"
        "%e: f32[B, C] = dot %w, %d {F}\n%q: f32[B, F] = mul %t, %t\n%g: f32[B, F] = mul %q, %a\n"
        "%h: f32[B, C] = dot %g, %d {F}\nreturn loss = %l, e = %e, h = %h\n}";
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = tct_ir_parse(&d, m, "test.tir", text, strlen(text));
    assert_non_null(g);
    tct_graph *after = tct_recompute(g, &(tct_recompute_limits){.bytes = 1, .cost = 48});
    assert_int_equal(compare_count(after, TCT_IR_TANH), 2);
    compare_interpreted(g, after, "recompute", 1, 0);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// What is computed again is no longer kept: the plan needs less memory.
static void saves_memory(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = gradient(&d, m);
    tct_compile_options plain = {.passes = "layout"};
    const tct_plan *kept = tct_compile_graph(&d, c, g, &plain);
    const tct_plan *again =
        tct_compile_graph(&d, c, tct_recompute(g, &(tct_recompute_limits){.bytes = 1, .cost = 48}), &plain);
    assert_non_null(kept);
    assert_non_null(again);
    assert_true(again->arena_bytes < kept->arena_bytes);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

static void random_graphs(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    int changed = 0;
    for (uint64_t seed = 1; seed <= 700; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_random_graph_options o = {.seed = seed,
                                      .n_nodes = 60,
                                      .classes = 1u << TCT_CLASS_ELEMENTWISE | 1u << TCT_CLASS_REDUCTION |
                                                 1u << TCT_CLASS_CONTRACTION,
                                      .dtypes = 1u << TCT_F32 | 1u << TCT_I32 | 1u << TCT_BOOL,
                                      .permute = seed % 2,
                                      .tame = true,
                                      .continuous = true};
        tct_graph *g = tct_passes_run(&d, tct_random_graph(m, &o), "cse,dce", NULL);
        tct_graph *after = tct_recompute(g, &(tct_recompute_limits){.bytes = 1, .cost = 200});
        if (after != g) {
            changed++;
            compare_interpreted(g, after, "recompute", seed, 0);
            compare_graph(c, after, seed, &(compare_options){.relative = 1e-3, .absolute = 1e-3});
        }
        tct_ir_module_free(m);
    }
    assert_true(changed >= 20);
    tct_compiler_free(c);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers),
        cmocka_unit_test(square_first),
        cmocka_unit_test(saves_memory),
        cmocka_unit_test(random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
