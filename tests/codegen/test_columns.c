// Sums of columns that are added up on the way through rows, of products by their epilogues: against the
// interpreter, for rows of any number and length.
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

// Of an epilogue: its results and a sum of each column of two values, of rows that no register tile divides,
// few (streams) or many, and k in parts; on every instruction set.
static void test_rows_of_products(void **state) {
    (void)state;
    static const char *const isas[] = {"base", "avx2", "avx512", "avx512bf16", "amx"};
    static const int sizes[][3] = {{129, 128, 70}, {300, 765, 31},  {64, 512, 96},   {30, 1001, 40},
                                   {8, 4096, 96},  {700, 97, 2100}, {2053, 16, 130}, {16500, 1, 9}};
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        tct_diag d = {0};
        if (i > (size_t)tct_isa_host()) break;
        tct_compiler *c = tct_compiler_new(&d, isas[i], 1);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            char text[MOST_TEXT];
            snprintf(
                text, sizeof text,
                "axis M = %d axis N = %d axis K = %d graph g { %%x: f32[M, K] = input #0 \"x\""
                " %%w: f32[K, N] = input #1 \"w\" %%b: f32[N] = input #2 \"b\""
                " %%p: f32[M, N] = dot %%x, %%w {K} %%q: f32[M, N] = add %%p, %%b"
                " %%t: f32[M, N] = tanh %%q %%u: f32[M, N] = mul %%t, %%q"
                " %%v: f32[N] = sum %%u {M} %%y: f32[N] = sum %%p {M} return t = %%t, v = %%v, y = %%y }",
                sizes[k][0], sizes[k][1], sizes[k][2]);
            compare_text(c, text, &(compare_options){.passes = "", .relative = 5e-4, .absolute = 2e-2});
        }
        tct_compiler_free(c);
        tct_diag_free(&d);
    }
}

static bool has_kernel(const char *text, const char *label) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    const tct_plan *plan = tct_compile_graph(&d, c, compare_parse(&d, m, text), NULL);
    bool found = false;
    for (uint32_t k = 0; k < plan->n_steps; k++) found |= strcmp(plan->steps[k].label, label) == 0;
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
    return found;
}

// The square of a gradient's norm is summed up with the product. Where columns are few, rows lie across
// memory, or somebody in the kernel would wait for the sum, it isn't.
static void test_norms_of_products(void **state) {
    (void)state;
    static const char norm
        [] = "axis M = 300 axis N = 200 axis K = 64 graph g { %x: f32[K, M] = input #0 \"x\""
             " %w: f32[K, N] = input #1 \"w\" %p: f32[M, N] = dot %x, %w {K} %q: f32[M, N] = mul %p, %p"
             " %s: f32 = sum %q {M, N} return p = %p, s = %s }",
    several[] =
        "axis A = 30 axis B = 10 axis H = 8 axis E = 25 axis K = 64 graph g {"
        " %x: f32[K, A, B] = input #0 \"x\" %w: f32[K, H, E] = input #1 \"w\""
        " %p: f32[A, B, H, E] = dot %x, %w {K} %q: f32[A, B, H, E] = mul %p, %p"
        " %s: f32 = sum %q {A, B, H, E} %v: f32[H, E] = sum %p {A, B} return p = %p, s = %s, v = %v }",
    half[] =
        "axis A = 30 axis B = 10 axis H = 8 axis E = 25 axis K = 64 graph g {"
        " %x: f32[K, A, B] = input #0 \"x\" %w: f32[K, H, E] = input #1 \"w\""
        " %p: f32[A, B, H, E] = dot %x, %w {K} %v: f32[B, H, E] = sum %p {A} %u: f32[A, B, E] = sum %p {H}"
        " return p = %p, v = %v, u = %u }",
    batched[] = "axis Z = 5 axis M = 300 axis N = 70 axis K = 64 graph g { %x: f32[Z, K, M] = input #0 \"x\""
                " %w: f32[Z, K, N] = input #1 \"w\" %p: f32[Z, M, N] = dot %x, %w {K}"
                " %s: f32[Z, N] = sum %p {M} %v: f32[N] = sum %p {Z, M} return p = %p, s = %s, v = %v }",
    few[] = "axis M = 9000 axis N = 3 axis K = 64 graph g { %x: f32[K, M] = input #0 \"x\""
            " %w: f32[K, N] = input #1 \"w\" %p: f32[M, N] = dot %x, %w {K} %q: f32[M, N] = mul %p, %p"
            " %s: f32 = sum %q {M, N} return p = %p, s = %s }",
    waits[] = "axis M = 300 axis N = 200 axis K = 64 graph g { %x: f32[K, M] = input #0 \"x\""
              " %w: f32[K, N] = input #1 \"w\" %p: f32[M, N] = dot %x, %w {K} %v: f32[N] = sum %p {M}"
              " %q: f32[M, N] = sub %p, %v %s: f32[N] = sum %q {M} return q = %q, s = %s }",
    doubles[] = "axis M = 300 axis N = 200 axis K = 64 graph g { %x: f64[K, M] = input #0 \"x\""
                " %w: f64[K, N] = input #1 \"w\" %p: f64[M, N] = dot %x, %w {K} %v: f64[N] = sum %p {M}"
                " return p = %p, v = %v }";
    static const char *const all[] = {norm, several, half, batched, few, waits, doubles};
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    compare_options close = {.relative = 5e-4, .absolute = 2e-2};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) compare_text(c, all[k], &close);
    assert_true(has_kernel(norm, "dot+mul+sum"));
    assert_true(has_kernel(several, "dot+sum+mul") || has_kernel(several, "dot+mul+sum"));
    assert_true(has_kernel(half, "dot"));
    assert_true(has_kernel(batched, "dot"));
    assert_true(has_kernel(few, "dot"));
    tct_compiler_free(c);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_beside_rows),
        cmocka_unit_test(test_more_axes),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_other_layouts),
        cmocka_unit_test(test_by_rows),
        cmocka_unit_test(test_rows_of_products),
        cmocka_unit_test(test_norms_of_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
