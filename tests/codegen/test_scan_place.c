// Bodies of scans read operands where they lie, rows apart from each other, or of a copy where that is
// better.
#include "runtime/plan.h"
#include "tests/codegen/compare.h"

// Steps of the plan outside of its scan.
static uint32_t copies(const tct_plan *plan) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < plan->n_steps; k++) n += plan->steps[k].kind == TCT_STEP_KERNEL;
    return n;
}

static void check(const char *text, uint32_t expected, const uint64_t *bytes) {
    for (int threads = 1; threads <= 5; threads += 2) {
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_compiler *c = tct_compiler_new(&d, NULL, threads);
        tct_graph *g = compare_parse(&d, m, text);
        compare_graph(c, g, 5, &(compare_options){.passes = "", .relative = 1e-4, .absolute = 1e-4});
        const tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.passes = ""});
        assert_non_null(plan);
        assert_int_equal(plan->n_scans, 1);
        assert_int_equal(copies(plan), expected);
        const tct_plan *body = plan->scans[0].body;
        for (uint32_t k = 0; k < body->n_inputs; k++) assert_int_equal(body->inputs[k].bytes, bytes[k]);
        tct_compiler_free(c);
        tct_ir_module_free(m);
        tct_diag_free(&d);
    }
}

// Rows of the heads of a batch.
static void test_rows_apart(void **state) {
    (void)state;
    check("axis B = 2 axis T = 37 axis H = 3 axis D = 40 axis R = 37 graph g {"
          " %x: f32[B, T, H, D] = input #0 \"x\" %y: f32[B, R, H, D] = input #1 \"y\""
          " %s: (f32[B, H, T, R], f32[B, H, T]) = scan %x, %y {B, H} #0 by 1 body {"
          "  %x: f32[T, D] = input #0 \"x\" %y: f32[R, D] = input #1 \"y\""
          "  %p: f32[T, R] = dot %x, %y {D} %e: f32[T, D] = exp %x %z: f32[T] = sum %e {D}"
          "  return p = %p, z = %z }"
          " %p: f32[B, H, T, R] = get %s #0 %z: f32[B, H, T] = get %s #1 return p = %p, z = %z }",
          0, (const uint64_t[]){4 * (36 * 120 + 40), 4 * (36 * 120 + 40)});
}

// In part of wider rows, and along several axes.
static void test_part_of_rows(void **state) {
    (void)state;
    check("axis B = 3 axis T = 9 axis C = 5 axis D = 33 axis W = 100 graph g {"
          " %x: f32[T, B, C, W] = input #0 \"x\" %v: f32[T, B, C, D] = slice %x {W} -> {D} #7 by 1"
          " %s: (f32[B, T, C]) = scan %v {B} #0 by 1 body {"
          "  %x: f32[T, C, D] = input #0 \"x\" %e: f32[T, C, D] = exp %x %z: f32[T, C] = sum %e {D}"
          "  return z = %z }"
          " %z: f32[B, T, C] = get %s #0 return z = %z }",
          0, (const uint64_t[]){4 * (8 * 1500 + 4 * 100 + 33)});
}

// Short stretches, and rows that fall into few places of a cache, are put together first.
static void test_copied(void **state) {
    (void)state;
    const char *text = "axis B = 2 axis T = 16 axis H = %d axis D = %d graph g {"
                       " %%x: f32[B, T, H, D] = input #0 \"x\""
                       " %%s: (f32[B, H, T]) = scan %%x {B, H} #0 by 1 body {"
                       "  %%x: f32[T, D] = input #0 \"x\" %%e: f32[T, D] = exp %%x %%z: f32[T] = sum %%e {D}"
                       "  return z = %%z } %%z: f32[B, H, T] = get %%s #0 return z = %%z }";
    const int sizes[][2] = {{6, 8}, {16, 64}};
    for (int k = 0; k < 2; k++) {
        tct_buf full = {0};
        tct_buf_printf(&full, text, sizes[k][0], sizes[k][1]);
        check(full.data, 1, (const uint64_t[]){(uint64_t)(4 * 16 * sizes[k][1])});
        tct_buf_free(&full);
    }
}

// Results that a copy would bring into another order are written there, rows apart; short rows are copied.
static void test_results(void **state) {
    (void)state;
    const char *text = "axis B = 2 axis T = 37 axis H = 5 axis D = %d graph g {"
                       " %%x: f32[B, T, H, D] = input #0 \"x\""
                       " %%s: (f32[B, H, T, D], f32[B, H, T]) = scan %%x {B, H} #0 by 1 body {"
                       "  %%x: f32[T, D] = input #0 \"x\" %%e: f32[T, D] = exp %%x %%z: f32[T] = sum %%e {D}"
                       "  return e = %%e, z = %%z }"
                       " %%e: f32[B, H, T, D] = get %%s #0 %%z: f32[B, H, T] = get %%s #1"
                       " %%c: f32[B, T, H, D] = cast %%e return c = %%c, z = %%z }";
    const int sizes[] = {40, 64, 16}; // of which 64 are whole lines
    for (int k = 0; k < 3; k++) {
        tct_buf full = {0};
        tct_buf_printf(&full, text, sizes[k]);
        bool apart = sizes[k] >= 32;
        uint64_t input = (uint64_t)(apart ? 36 * 5 + 1 : 37) * 4 * (uint64_t)sizes[k];
        check(full.data, apart ? 0 : 2, &input);
        tct_buf_free(&full);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_apart),
        cmocka_unit_test(test_part_of_rows),
        cmocka_unit_test(test_copied),
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
