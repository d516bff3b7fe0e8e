// What several products pack is packed once, and what they compute is the same.
#include "runtime/gemm.h"
#include "tests/codegen/compare.h"

// Of a plan's products, in their order: what each finds packed; -1: it keeps nothing.
static uint32_t done(const tct_plan *plan, int64_t *out) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < plan->n_steps; k++) {
        const tct_step *s = &plan->steps[k];
        if (s->kind != TCT_STEP_GEMM) continue;
        const tct_gemm_args *g = (const tct_gemm_args *)(plan->args + s->arg);
        out[n++] = !g->b_kept ? -1 : g->b_done_steps ? g->b_done_steps : g->b_done;
    }
    return n;
}

static void check(const char *text, uint32_t n, const int64_t *expected) {
    if (tct_isa_host() < TCT_ISA_AMX) {
        print_message("this machine has no amx: skipped\n");
        return;
    }
    for (int threads = 1; threads <= 2; threads++) {
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_compiler *c = tct_compiler_new(&d, "amx", threads);
        tct_graph *g = compare_parse(&d, m, text);
        compare_graph(c, g, 7, &(compare_options){.passes = "", .relative = 1e-4, .absolute = 1e-4});
        const tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.passes = ""});
        assert_non_null(plan);
        int64_t found[16];
        assert_int_equal(done(plan, found), n);
        for (uint32_t k = 0; k < n; k++) assert_int_equal(found[k], expected[k]);
        tct_compiler_free(c);
        tct_ir_module_free(m);
        tct_diag_free(&d);
    }
}

#define AXES                                                                                                 \
    "axis T = 128 axis D = 64 axis S = 512 axis A = 128 axis B = 256 axis C = 111 graph g {"                 \
    " %k: f32[S, D] = input #0 \"k\" %x: f32[T, D] = input #1 \"x\" %y: f32[T, D] = input #2 \"y\""          \
    " %z: f32[T, D] = input #3 \"z\" %a: f32[A, D] = slice %k {S} -> {A} #0 by 1"                            \
    " %b: f32[B, D] = slice %k {S} -> {B} #0 by 1 "

// More and more columns, as attention's blocks of rows read.
static void test_growing(void **state) {
    (void)state;
    check(AXES "%p: f32[T, A] = dot %x, %a {D} %q: f32[T, B] = dot %y, %b {D} %r: f32[T, S] = dot %z, %k {D}"
               " return p = %p, q = %q, r = %r }",
          3, (const int64_t[]){0, 128, 256});
}

// Fewer columns than there are, and an odd number of them, of which the last ones are packed again.
static void test_shrinking(void **state) {
    (void)state;
    check(AXES "%c: f32[C, D] = slice %k {S} -> {C} #0 by 1 %p: f32[T, B] = dot %x, %b {D}"
               " %q: f32[T, C] = dot %y, %c {D} %r: f32[T, S] = dot %z, %k {D}"
               " return p = %p, q = %q, r = %r }",
          3, (const int64_t[]){0, 96, 256});
    check(AXES "%c: f32[C, D] = slice %k {S} -> {C} #0 by 1 %q: f32[T, C] = dot %y, %c {D}"
               " %r: f32[T, S] = dot %z, %k {D} return q = %q, r = %r }",
          2, (const int64_t[]){0, 96});
}

// More and more steps of k, as attention's probabilities read values; fewer than there are; and an odd
// number, which isn't kept.
static void test_steps(void **state) {
    (void)state;
    const char *axes =
        "axis T = 128 axis D = 64 axis S = 512 axis A = 128 axis B = 256 axis C = 200 graph g {"
        " %v: f32[S, D] = input #0 \"v\" %x: f32[T, A] = input #1 \"x\""
        " %y: f32[T, B] = input #2 \"y\" %z: f32[T, S] = input #3 \"z\""
        " %w: f32[T, C] = input #4 \"w\" %a: f32[A, D] = slice %v {S} -> {A} #0 by 1"
        " %b: f32[B, D] = slice %v {S} -> {B} #0 by 1"
        " %c: f32[C, D] = slice %v {S} -> {C} #0 by 1";
    tct_buf text = {0};
    tct_buf_printf(&text,
                   "%s %%p: f32[T, D] = dot %%x, %%a {A} %%q: f32[T, D] = dot %%y, %%b {B}"
                   " %%r: f32[T, D] = dot %%z, %%v {S} return p = %%p, q = %%q, r = %%r }",
                   axes);
    check(text.data, 3, (const int64_t[]){0, 128, 256});
    text.len = 0;
    tct_buf_printf(&text,
                   "%s %%r: f32[T, D] = dot %%z, %%v {S} %%s: f32[T, D] = dot %%w, %%c {C}"
                   " %%q: f32[T, D] = dot %%y, %%b {B} return r = %%r, s = %%s, q = %%q }",
                   axes);
    check(text.data, 3, (const int64_t[]){-1, 0, 256});
    tct_buf_free(&text);
}

// Columns from elsewhere, and another matrix, have nothing to do with it.
static void test_others(void **state) {
    (void)state;
    check(AXES "%c: f32[A, D] = slice %k {S} -> {A} #128 by 1 %p: f32[T, A] = dot %x, %a {D}"
               " %q: f32[T, A] = dot %y, %c {D} return p = %p, q = %q }",
          2, (const int64_t[]){-1, -1});
    check(AXES "%h: f32[S, D] = exp %k %p: f32[T, S] = dot %x, %k {D} %q: f32[T, S] = dot %y, %h {D}"
               " return p = %p, q = %q }",
          2, (const int64_t[]){-1, -1});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_shrinking),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
