// Sums of columns that are added up on the way through rows: against the interpreter, for rows of any number
// and length.
#include "tests/codegen/compare.h"

enum { MOST_TEXT = 2000 };

// Compiles a text, holds it to the interpreter, and returns how many steps it takes.
static uint32_t steps_of(const char *text) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = compare_parse(&d, m, text);
    compare_graph(c, g, 3, &(compare_options){.passes = "", .relative = 2e-4, .absolute = 2e-4});
    const tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.passes = ""});
    assert_non_null(plan);
    uint32_t n = plan->n_steps;
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
    return n;
}

// Something of a norm's gradient: of each row a sum, what depends on it at every point, and two sums of
// columns.
#define NORM                                                                                                 \
    "%%s: f32[N] = sum %%x {D} %%c: f32[N, D] = sub %%x, %%s %%r: f32[N] = reduce_max %%c {D}"               \
    " %%e: f32[N, D] = mul %%c, %%d %%y: f32[N, D] = add %%e, %%r"                                           \
    " %%v: f32[D] = sum %%e {N} %%b: f32[D] = sum %%d {N}"
#define ROWS "%%x: f32[N, D] = input #0 \"x\" %%d: f32[N, D] = input #1 \"d\" "

static void test_sums_beside_rows(void **state) {
    (void)state;
    static const int sizes[][2] = {{64, 768}, {300, 765}, {97, 1},    {1000, 3},  {129, 64},
                                   {500, 50}, {70, 2100}, {4500, 17}, {5600, 765}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        char text[MOST_TEXT];
        snprintf(text, sizeof text,
                 "axis N = %d axis D = %d graph g { " ROWS NORM " return y = %%y, v = %%v, b = %%b }",
                 sizes[k][0], sizes[k][1]);
        assert_int_equal(steps_of(text), 2);
        snprintf(text, sizeof text,
                 "axis N = %d axis D = %d graph g { " ROWS NORM " return b = %%b, v = %%v }", sizes[k][0],
                 sizes[k][1]);
        steps_of(text); // sums alone
    }
}

// Rows along several axes, some of which are not one for every value; heads with weights of their own.
static void test_more_axes(void **state) {
    (void)state;
    static const int sizes[][4] = {
        {3, 40, 2, 50}, {7, 11, 5, 64}, {1, 129, 3, 16}, {65, 1, 1, 100}, {2, 33, 4, 1}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        char text[MOST_TEXT];
        snprintf(text, sizeof text,
                 "axis B = %d axis T = %d axis H = %d axis E = %d graph g {"
                 " %%x: f32[B, T, H, E] = input #0 \"x\" %%d: f32[B, T, H, E] = input #1 \"d\""
                 " %%t: f32[T] = input #2 \"t\""
                 " %%s: f32[B, T, H] = sum %%x {E} %%u: f32[B, T, H] = add %%s, %%t"
                 " %%c: f32[B, T, H, E] = sub %%x, %%u %%e: f32[B, T, H, E] = mul %%c, %%d"
                 " %%v: f32[E] = sum %%e {B, T, H} %%w: f32[H, E] = sum %%c {B, T}"
                 " return c = %%c, v = %%v, w = %%w }",
                 sizes[k][0], sizes[k][1], sizes[k][2], sizes[k][3]);
        steps_of(text);
    }
}

// What waits for a sum of columns is another kernel; so are sums of few rows, and those that rows wait for.
static void test_apart(void **state) {
    (void)state;
    char text[MOST_TEXT];
    snprintf(
        text, sizeof text,
        "axis N = 200 axis D = 40 graph g { " ROWS NORM
        " %%z: f32[N, D] = mul %%y, %%v %%m: f32[N] = reduce_max %%z {D} return z = %%z, b = %%b, m = %%m }");
    steps_of(text);
    snprintf(text, sizeof text,
             "axis N = 200 axis D = 40 graph g { " ROWS
             " %%b: f32[D] = sum %%x {N} %%c: f32[N, D] = sub %%x, %%b %%m: f32[N] = sum %%c {D}"
             " %%v: f32[D] = sum %%c {N} return m = %%m, v = %%v }");
    steps_of(text);
    snprintf(text, sizeof text,
             "axis N = 5 axis D = 40 graph g { " ROWS NORM " return y = %%y, v = %%v, b = %%b }");
    steps_of(text);
}

// Rows that lie across memory, and other sums than of f32.
static void test_other_layouts(void **state) {
    (void)state;
    steps_of("axis N = 90 axis D = 70 graph g { %x: f32[D, N] = input #0 \"x\" %s: f32[N] = sum %x {D}"
             " %c: f32[D, N] = sub %x, %s %v: f32[D] = sum %c {N} return c = %c, v = %v }");
    steps_of("axis N = 90 axis D = 70 graph g { %x: f64[N, D] = input #0 \"x\" %s: f64[N] = sum %x {D}"
             " %c: f64[N, D] = sub %x, %s %v: f64[D] = sum %c {N} return c = %c, v = %v }");
    steps_of("axis N = 90 axis D = 70 graph g { %x: f32[N, D] = input #0 \"x\" %s: f32[N] = sum %x {D}"
             " %c: f32[N, D] = sub %x, %s %v: f32[D] = reduce_max %c {N} return c = %c, v = %v }");
}

// Sums of columns alone, of more than a cache holds.
static void test_by_rows(void **state) {
    (void)state;
    assert_int_equal(steps_of("axis N = 8500 axis D = 2001 graph g { %x: f32[N, D] = input #0 \"x\""
                              " %v: f32[D] = sum %x {N} return v = %v }"),
                     2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_beside_rows),
        cmocka_unit_test(test_more_axes),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_other_layouts),
        cmocka_unit_test(test_by_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
