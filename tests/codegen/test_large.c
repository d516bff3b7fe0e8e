// What kernels do with buffers that no cache holds, and with a divisor that all lanes share: the same bits.
#include "tests/codegen/compare.h"

#include <math.h>

typedef struct session {
    tct_diag d;
    tct_ir_module *m;
    tct_compiler *c;
    const tct_plan *plan;
    tct_pool *pool;
} session;

static void open_session(session *s, const char *text) {
    *s = (session){.m = tct_ir_module_new(), .pool = tct_pool_new(2)};
    s->c = tct_compiler_new(&s->d, NULL, 1);
    tct_graph *g = tct_ir_parse(&s->d, s->m, "test.tir", text, strlen(text));
    assert_non_null(g);
    s->plan = tct_compile_graph(&s->d, s->c, g, NULL);
    assert_non_null(s->plan);
}

static void close_session(session *s) {
    tct_pool_free(s->pool);
    tct_compiler_free(s->c);
    tct_ir_module_free(s->m);
    tct_diag_free(&s->d);
}

static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

// Every number by every number, and a spread of ordinary ones.
static void test_shared_divisor(void **state) {
    (void)state;
    enum { N = 1000 };
    static const float edges[] = {0,     -0.0F,  1,         -1,       3,        7,         49,
                                  1e30F, -1e30F, 1e-30F,    3e38F,    1e-38F,   INFINITY,  -INFINITY,
                                  NAN,   0.1F,   0x1p-126F, 0x1p127F, 0x1p-64F, 0x1.8p64F, 0x1.fffffep-65F};
    enum { N_EDGES = sizeof edges / sizeof *edges };
    session s;
    open_session(&s, "axis A = 1000 graph g { %x: f32[A] = input #0 \"x\" %d: f32 = input #1 \"d\""
                     " %y: f32[A] = div %x, %d return y = %y }");
    float x[N], y[N], by;
    for (int i = 0; i < N; i++)
        x[i] = i < N_EDGES ? edges[i] : (float)(i * 7919 % 1009) * ldexpf(1, i % 40 - 20);
    void *in[] = {x, &by}, *out[] = {y};
    for (int k = 0; k < N_EDGES + 200; k++) {
        by = k < N_EDGES ? edges[k] : (float)k * 1.37F;
        assert_true(tct_plan_run(&s.d, s.plan, s.pool, in, out, NULL, NULL));
        for (int i = 0; i < N; i++) {
            float exact = x[i] / by;
            bool tiny = fabsf(exact) < 0x1p-125F && exact != 0 && fabsf(y[i] - exact) <= 0x1p-149F;
            if (!same(y[i], exact) && !tiny)
                fail_msg("%a / %a is %a, not %a", (double)x[i], (double)by, (double)y[i], (double)exact);
        }
    }
    close_session(&s);
}

// A result of 16 MB goes past the caches, wherever the caller wants it.
static void test_past_the_caches(void **state) {
    (void)state;
    enum { N = (1 << 22) + 21 };
    session s;
    open_session(&s, "axis A = 4194325 graph g { %x: f32[A] = input #0 \"x\" %y: f32[A] = add %x, %x"
                     " return y = %y }");
    tct_buf text = {0};
    tct_compiler_dump(s.c, s.plan, TCT_DUMP_KERNEL, NULL, &text);
    assert_non_null(strstr(text.data, "past the caches"));
    assert_non_null(strstr(text.data, "2048 bytes ahead"));
    tct_buf_free(&text);
    float *x = tct_try_alloc((N + 1) * sizeof *x, 64), *y = tct_try_alloc((N + 1) * sizeof *y, 64);
    assert_true(x && y);
    for (int i = 0; i < N + 1; i++) x[i] = (float)i;
    for (int shift = 0; shift < 2; shift++) {
        memset(y, 0, (N + 1) * sizeof *y);
        void *in[] = {x + shift}, *out[] = {y + shift};
        assert_true(tct_plan_run(&s.d, s.plan, s.pool, in, out, NULL, NULL));
        for (int i = 0; i < N; i++)
            if (y[i + shift] != 2 * x[i + shift]) fail_msg("element %d is %g", i, (double)y[i + shift]);
    }
    free(x);
    free(y);
    close_session(&s);
}

// Sums over rows of so many columns, which nobody else has: their kernel's text has `stored` and `ahead` in
// it, and keeps exponentials or not.
static void check_rows(int columns, const char *stored, const char *ahead, bool keeps) {
    enum { ROWS = 4121 };
    const int n = ROWS * columns;
    session s;
    char graph[600];
    snprintf(graph, sizeof graph,
             "axis A = 4121 axis B = %d graph g { %%x: f32[A, B] = input #0 \"x\" %%s: f32[A] = sum %%x {B}"
             " %%m: f32[A] = reduce_max %%x {B} %%d: f32[A, B] = sub %%x, %%m %%e: f32[A, B] = exp %%d"
             " %%t: f32[A] = sum %%e {B} %%p: f32[A, B] = mul %%e, %%s %%y: f32[A, B] = sub %%p, %%t return "
             "y = %%y }",
             columns);
    open_session(&s, graph);
    tct_buf text = {0};
    tct_compiler_dump(s.c, s.plan, TCT_DUMP_KERNEL, NULL, &text);
    assert_non_null(strstr(text.data, stored));
    assert_non_null(strstr(text.data, ahead));
    assert_int_equal(strstr(text.data, "keep from pass") != NULL, keeps);
    tct_buf_free(&text);
    float *x = tct_try_alloc((size_t)n * sizeof *x, 64), *y = tct_try_alloc((size_t)(n + 32) * sizeof *y, 64);
    void *arena = tct_try_alloc(s.plan->arena_bytes + 64, 64);
    assert_true(x && y && arena);
    for (int i = 0; i < n; i++) x[i] = (float)((int64_t)i * 7919 % 1013) / 1013;
    for (int shift = 0; shift < 16; shift += 5) {
        for (int i = 0; i < n + 32; i++) y[i] = 77;
        void *in[] = {x}, *out[] = {y + shift};
        assert_true(tct_plan_run(&s.d, s.plan, s.pool, in, out, arena, NULL));
        for (int i = 0; i < n + 32; i++)
            if ((i < shift || i >= shift + n) && y[i] != 77)
                fail_msg("wrote beside the rows, at %d", i - shift);
        for (int r = 0; r < ROWS; r += 37) {
            const float *row = x + r * columns, *of = y + shift + r * columns;
            double sum = 0, most = 0, total = 0;
            for (int k = 0; k < columns; k++) {
                sum += (double)row[k];
                most = fmax(most, (double)row[k]);
            }
            for (int k = 0; k < columns; k++) total += exp((double)row[k] - most);
            for (int k = 0; k < columns; k++) {
                double right = exp((double)row[k] - most) * sum - total;
                if (fabs((double)of[k] - right) > 1e-3)
                    fail_msg("row %d, column %d: %g, not %g", r, k, (double)of[k], right);
            }
        }
    }
    free(x);
    free(y);
    free(arena);
    close_session(&s);
}

// Rows of odd length begin anywhere; vectors of the last pass begin with lines of the cache, and the pass
// before asks for the next row.
static void test_odd_rows(void **state) {
    (void)state;
    check_rows(1021, "past the caches, line by line", "4596 bytes ahead in pass 1", true);
}

// Stores past the caches would hold up those of what is kept: it is computed again.
static void test_even_rows(void **state) {
    (void)state;
    check_rows(1024, "past the caches", "4608 bytes ahead in pass 2", false);
}

// What changes where it lies is in the cache already.
static void test_in_place(void **state) {
    (void)state;
    session s;
    open_session(&s, "axis A = 4194325 graph g { %x: f32[A] = input #0 \"x\" %y: f32[A] = add %x, %x"
                     " return y = %y into 0 }");
    tct_buf text = {0};
    tct_compiler_dump(s.c, s.plan, TCT_DUMP_KERNEL, NULL, &text);
    assert_null(strstr(text.data, "past the caches"));
    tct_buf_free(&text);
    close_session(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_divisor), cmocka_unit_test(test_past_the_caches),
        cmocka_unit_test(test_odd_rows),       cmocka_unit_test(test_even_rows),
        cmocka_unit_test(test_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
