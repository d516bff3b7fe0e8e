// What plans say that their kernels compute and move, for graphs where one can count.
#include "codegen/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct cost {
    double flops, bytes;
} cost;

// Checks the steps of a graph's plan, in order.
static void check(const char *text, uint32_t n, const cost *want) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = tct_ir_parse(&d, m, "test.tir", text, strlen(text));
    assert_non_null(g);
    tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.defer = true});
    assert_non_null(plan);
    if (plan->n_steps != n) fail_msg("%u steps", plan->n_steps);
    for (uint32_t i = 0; i < n; i++)
        if (plan->steps[i].flops != want[i].flops || plan->steps[i].bytes != want[i].bytes)
            fail_msg("step %u: %.0f flops, %.0f bytes", i, plan->steps[i].flops, plan->steps[i].bytes);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}
#define CHECK(text, ...) check(text, sizeof((cost[]){__VA_ARGS__}) / sizeof(cost), (cost[]){__VA_ARGS__})

static void products(void **state) {
    (void)state;
    CHECK("axis M = 128 axis K = 64 axis N = 256 graph g { %x: f32[M, K] = input #0 \"x\""
          " %w: f32[K, N] = input #1 \"w\" %y: f32[M, N] = dot %x, %w {K} return y = %y }",
          {2.0 * 128 * 256 * 64, 4.0 * (128 * 64 + 64 * 256 + 128 * 256)});
    CHECK("axis B = 3 axis M = 40 axis K = 24 axis N = 56 graph g { %x: f64[B, M, K] = input #0 \"x\""
          " %w: f64[B, K, N] = input #1 \"w\" %y: f64[B, M, N] = dot %x, %w {K} return y = %y }",
          {3 * 2.0 * 40 * 56 * 24, 3 * 8.0 * (40 * 24 + 24 * 56 + 40 * 56)});
    // Shared by all of a batch: its rows are one long list.
    CHECK("axis B = 3 axis M = 40 axis K = 24 axis N = 56 graph g { %x: f32[B, M, K] = input #0 \"x\""
          " %w: f32[K, N] = input #1 \"w\" %y: f32[B, M, N] = dot %x, %w {K} return y = %y }",
          {3 * 2.0 * 40 * 56 * 24, 4.0 * (3 * 40 * 24 + 24 * 56 + 3 * 40 * 56)});
}

// The product itself stays in cache; bias and result move.
static void epilogues(void **state) {
    (void)state;
    CHECK("axis M = 128 axis K = 64 axis N = 256 graph g { %x: f32[M, K] = input #0 \"x\""
          " %w: f32[K, N] = input #1 \"w\" %b: f32[N] = input #2 \"b\" %p: f32[M, N] = dot %x, %w {K}"
          " %s: f32[M, N] = add %p, %b %y: f32[M, N] = tanh %s return y = %y }",
          {2.0 * 128 * 256 * 64 + 17 * 128 * 256, 4.0 * (128 * 64 + 64 * 256 + 128 * 256 + 256)});
    // Both are results.
    CHECK("axis M = 128 axis K = 64 axis N = 256 graph g { %x: f32[M, K] = input #0 \"x\""
          " %w: f32[K, N] = input #1 \"w\" %p: f32[M, N] = dot %x, %w {K} %y: f32[M, N] = tanh %p"
          " return p = %p, y = %y }",
          {2.0 * 128 * 256 * 64 + 16 * 128 * 256, 4.0 * (128 * 64 + 64 * 256 + 2 * 128 * 256)});
}

static void loops(void **state) {
    (void)state;
    CHECK("axis M = 96 axis K = 50 graph g { %x: f32[M, K] = input #0 \"x\" %b: f32[K] = input #1 \"b\""
          " %y: f32[M, K] = add %x, %b %z: f32[M, K] = mul %y, %y return z = %z }",
          {2.0 * 96 * 50, 4.0 * (2 * 96 * 50 + 50)});
    // Row by row: maximum, difference, exponential, sum, quotient. The row is read once from memory.
    CHECK("axis M = 96 axis K = 50 graph g { %x: f32[M, K] = input #0 \"x\" %m: f32[M] = reduce_max %x {K}"
          " %s: f32[M, K] = sub %x, %m %e: f32[M, K] = exp %s %t: f32[M] = sum %e {K}"
          " %y: f32[M, K] = div %e, %t return y = %y }",
          {(1 + 1 + 16 + 1 + 6) * 96.0 * 50, 4.0 * 2 * 96 * 50});
    // What doesn't vary along an axis is computed once: here in a kernel of its own.
    CHECK("axis M = 96 axis K = 50 graph g { %x: f32[M, K] = input #0 \"x\" %s: f32 = input #1 \"s\""
          " %e: f32 = exp %s %y: f32[M, K] = mul %x, %e return y = %y }",
          {16, 8}, {96 * 50, 4.0 * (2 * 96 * 50 + 1)});
    CHECK("axis M = 96 axis K = 50 graph g { %x: bf16[M, K] = input #0 \"x\" %y: bf16[M, K] = neg %x"
          " return y = %y }",
          {96.0 * 50, 2.0 * 2 * 96 * 50});
}

// Of a table only the rows that are taken.
static void movement(void **state) {
    (void)state;
    CHECK("axis V = 1000 axis M = 96 axis K = 50 graph g { %w: f32[V, K] = input #0 \"w\""
          " %i: i32[M] = input #1 \"i\" %x: f32[M, K] = gather %w, %i {V} %y: f32[M, K] = mul %x, %x"
          " return y = %y }",
          {96.0 * 50, 4.0 * (2 * 96 * 50 + 96)});
    CHECK("axis M = 96 axis N = 10 axis K = 50 graph g { %x: f32[M, K] = input #0 \"x\""
          " %p: f32[N, K] = slice %x {M} -> {N} #3 by 2 %y: f32[N, K] = mul %p, %p return y = %y }",
          {10.0 * 50, 4.0 * 2 * 10 * 50});
    // Added to where it lies: read and written.
    CHECK("axis V = 1000 axis M = 96 axis K = 50 graph g { %w: f32[V, K] = input #0 \"w\""
          " %i: i32[M] = input #1 \"i\" %x: f32[M, K] = input #2 \"x\""
          " %y: f32[V, K] = scatter_add %w, %i, %x {V} return y = %y into 0 }",
          {0, 4.0 * (3 * 96 * 50 + 96)});
}

static void scans(void **state) {
    (void)state;
    // Each step of the scan: h' = h * x, from memory to memory.
    CHECK("axis T = 7 axis K = 50 graph g { %h: f32[K] = input #0 \"h\" %x: f32[T, K] = input #1 \"x\""
          " %s: (f32[K]) = scan %h, %x {T} #1 by 1 body { %a: f32[K] = input #0 \"a\""
          " %b: f32[K] = input #1 \"b\" %c: f32[K] = mul %a, %b return c = %c }"
          " %y: f32[K] = get %s #0 return y = %y }",
          {7 * 50.0, 7 * 4.0 * 3 * 50});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products), cmocka_unit_test(epilogues), cmocka_unit_test(loops),
        cmocka_unit_test(movement), cmocka_unit_test(scans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
