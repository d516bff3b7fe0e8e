// Rows of which a mask leaves the first elements: gone through without a test up to where it may fail, to the
// same values.
#include "codegen/loop.h"
#include "tests/codegen/compare.h"

// Softmax over S of what a comparison leaves; `finds`: whether the kernel knows which lanes come first.
static void check(const char *left, const char *op, const char *right, int rows, int columns, bool finds) {
    tct_buf text = {0};
    tct_buf_printf(&text,
                   "axis T = %d axis S = %d axis U = %d graph g { %%x: f32[T, S] = input #0 \"x\""
                   " %%i: i32[S] = iota %%u: i32[U] = iota %%j: i32[T] = slice %%u {U} -> {T} #50 by 1"
                   " %%f: i32[S] = flip %%i {S} %%c: bool[T, S] = %s %s, %s %%n: f32 = const -1e30"
                   " %%y: f32[T, S] = where %%c, %%x, %%n %%m: f32[T] = reduce_max %%y {S}"
                   " %%d: f32[T, S] = sub %%y, %%m %%e: f32[T, S] = exp %%d %%s: f32[T] = sum %%e {S}"
                   " %%r: f32[T, S] = div %%e, %%s return out = %%r, top = %%m }",
                   rows, columns, rows + 50, op, left, right);
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = compare_parse(&d, m, text.data);
    compare_graph(c, g, 11, &(compare_options){.passes = "", .relative = 1e-5, .absolute = 1e-6});
    const tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.passes = ""});
    assert_non_null(plan);
    tct_buf kernels = {0};
    tct_compiler_dump(c, plan, TCT_DUMP_KERNEL, NULL, &kernels);
    if ((strstr(kernels.data, "first lanes where") != NULL) != finds)
        fail_msg("%s\n%s", text.data, kernels.data);
    tct_buf_free(&kernels);
    tct_buf_free(&text);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// Rows that see a few elements, many, and all; lengths that no vector divides.
static void test_comparisons(void **state) {
    (void)state;
    for (int columns = 128; columns < 420; columns += 97) {
        check("%i", "le", "%j", 300, columns, true);
        check("%i", "lt", "%j", 300, columns, true);
        check("%j", "ge", "%i", 300, columns, true);
        check("%j", "gt", "%i", 300, columns, true);
    }
}

// What holds at the end of a row, or for lanes that fall, is tested everywhere, as are short rows.
static void test_others(void **state) {
    (void)state;
    check("%i", "ge", "%j", 70, 257, false);
    check("%j", "lt", "%i", 70, 257, false);
    check("%f", "le", "%j", 70, 257, false);
    check("%i", "eq", "%j", 70, 257, false);
    check("%i", "le", "%j", 70, 60, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
