// Products that read bf16: compiled against the interpreter, which rounds where the graph has casts; for
// every instruction set of this machine, and on 1, 2 and 3 threads.
#include "passes/passes.h"
#include "tests/codegen/compare.h"

// A number near the middle of two bf16s may go either way, by an ulp, in one of the terms of a sum.
static const double ulp = 0x1p-8;

static void check_text(const char *text, const char *before, bool narrows) {
    static const char *const sets[] = {"base", "avx2", "avx512", "avx512bf16", "amx"};
    for (int i = 0; i <= (int)tct_isa_host(); i++) {
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g = tct_ir_parse(&d, m, "test.tir", text, strlen(text));
        assert_non_null(g);
        g = tct_passes_run(&d, g, before, &(tct_pass_trace){.verify_each = true});
        assert_non_null(g);
        tct_graph *narrow = tct_pass_bf16(g);
        assert_true((narrow != g) == narrows);
        tct_compiler *c = tct_compiler_new(&d, sets[i], 2);
        compare_graph(c, narrow, 3, &(compare_options){.relative = ulp, .absolute = ulp});
        tct_compiler_free(c);
        tct_ir_module_free(m);
        tct_diag_free(&d);
    }
}

// Two layers with a norm between, a bias and a residual, forward and backward.
#define LAYERS(B, C, F)                                                                                      \
    "axis B = " #B " axis C = " #C " axis F = " #F " graph g {\n"                                            \
    "%x: f32[B, C] = input #0 \"x\"\n%up: f32[C, F] = input #1 \"up\"\n%b: f32[F] = input #2 \"b\"\n"        \
    "%down: f32[F, C] = input #3 \"down\"\n%a: f32[B, F] = dot %x, %up {C}\n%ab: f32[B, F] = add %a, %b\n"   \
    "%t: f32[B, F] = tanh %ab\n%s: f32[B] = sum %t {F}\n%k: f32 = const 0.01\n%sk: f32[B] = mul %s, %k\n"    \
    "%n: f32[B, F] = sub %t, %sk\n%y: f32[B, C] = dot %n, %down {F}\n%z: f32[B, C] = add %y, %x\n"           \
    "%w: f32 = const 0.02\n%zw: f32[B, C] = mul %z, %w\n%q: f32[B, C] = tanh %zw\n"                          \
    "%loss: f32 = sum %q {B, C}\nreturn loss = %loss\n}\n"

static void test_layers(void **state) {
    (void)state;
    check_text(LAYERS(64, 80, 256), "early,grad", true);
    check_text(LAYERS(67, 97, 251), "early,grad", true);
    check_text(LAYERS(16, 97, 1024), "early", false); // too few rows
}

// bf16 in memory: factors and results, also where one factor alone is, and a product in bf16 throughout.
static void test_stored(void **state) {
    (void)state;
    check_text(
        "axis B = 64 axis C = 96 axis F = 200 graph g {\n"
        "%x: bf16[B, C] = input #0 \"x\"\n%w: bf16[C, F] = input #1 \"w\"\n%v: f32[F, C] = input #2 \"v\"\n"
        "%fx: f32[B, C] = cast %x\n%fw: f32[C, F] = cast %w\n%a: f32[B, F] = dot %fx, %fw {C}\n"
        "%h: bf16[B, F] = cast %a\n%fh: f32[B, F] = cast %h\n%y: f32[B, C] = dot %fh, %v {F}\n"
        "%z: bf16[B, F] = dot %x, %w {C}\nreturn h = %h, y = %y, z = %z\n}\n",
        "early", true);
}

// In the body of a scan, and beside a factor that is a view of another axis order.
static void test_scan(void **state) {
    (void)state;
    check_text("axis T = 3 axis B = 64 axis C = 128 axis H = 4 axis D = 32 axis F = 160 graph g {\n"
               "%x: f32[T, B, C] = input #0 \"x\"\n%w: f32[F, H, D] = input #1 \"w\"\n"
               "%zero: f32 = const 0\n%c: f32[B, F] = broadcast %zero {B, F}\n"
               "%s: (f32[B, F]) = scan %c, %x, %w {T} #1 by 1 body {\n"
               "  %c: f32[B, F] = input #0 \"c\"\n  %x: f32[B, C] = input #1 \"x\"\n"
               "  %w: f32[F, H, D] = input #2 \"w\"\n  %v: f32[B, H, D] = split %x {C} -> {H, D}\n"
               "  %y: f32[B, F] = dot %v, %w {H, D}\n  %a: f32[B, F] = add %c, %y\n  return c = %a\n}\n"
               "%out: f32[B, F] = get %s #0\nreturn out = %out\n}\n",
               "early", true);
}

// Integers that stand for numbers, in a table that rows are taken from and that is multiplied, contiguous
// along what is summed and across it; by few rows, which read it as it lies, and by many.
#define SCALED(B)                                                                                            \
    "axis B = " #B " axis V = 300 axis C = 96 axis F = 200 graph g {\n"                                      \
    "%table: i8[V, C] = input #0 \"table\"\n%scale: f32[V] = input #1 \"scale\"\n"                           \
    "%token: i32[B] = input #2 \"token\"\n%w: i8[C, F] = input #3 \"w\"\n%s: f32[F] = input #4 \"s\"\n"      \
    "%b: f32[F] = input #5 \"b\"\n%h: bf16[F, C] = input #6 \"h\"\n"                                         \
    "%t: f32[V, C] = cast %table\n%rows: f32[V, C] = mul %t, %scale\n"                                       \
    "%x: f32[B, C] = gather %rows, %token {V}\n%c: f32 = const 0.01\n%xc: f32[B, C] = mul %x, %c\n"          \
    "%fw: f32[C, F] = cast %w\n%ws: f32[C, F] = mul %fw, %s\n%y: f32[B, F] = dot %xc, %ws {C}\n"             \
    "%yc: f32[B, F] = mul %y, %c\n%yb: f32[B, F] = add %yc, %b\n%a: f32[B, F] = tanh %yb\n"                  \
    "%fh: f32[F, C] = cast %h\n%z: f32[B, C] = dot %a, %fh {F}\n%l: f32[B, V] = dot %z, %rows {C}\n"         \
    "return a = %a, z = %z, l = %l\n}\n"

static void test_scaled(void **state) {
    (void)state;
    check_text(SCALED(1), "default", false);
    check_text(SCALED(3), "default", false);
    check_text(SCALED(33), "default", false);
    check_text(SCALED(130), "early", true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers), cmocka_unit_test(test_stored),
                                       cmocka_unit_test(test_scan), cmocka_unit_test(test_scaled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
