// Values that others are put together to: written where they belong, and right when that can't be.
#include "tests/codegen/compare.h"

// Compiles a text, holds it to the interpreter, and returns how many steps it takes.
static uint32_t steps_of(const char *text, bool donates) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = compare_parse(&d, m, text);
    if (donates) g->outputs.data[0].alias = 0;
    compare_graph(c, g, 3, &(compare_options){.passes = "", .relative = 1e-5, .absolute = 1e-5});
    const tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.passes = ""});
    assert_non_null(plan);
    uint32_t n = plan->n_steps;
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
    return n;
}

#define INPUTS                                                                                               \
    "axis A = 17 axis B = 40 axis C = 23 axis ABC = 80 axis D = 33 axis K = 29 graph g {"                    \
    " %x: f32[A, K] = input #0 \"x\" %y: f32[B, K] = input #1 \"y\" %z: f32[C, D] = input #2 \"z\""          \
    " %w: f32[K, D] = input #3 \"w\" %v: f32[B, D] = input #4 \"v\""                                         \
    " %p: f32[A, D] = dot %x, %w {K} %q: f32[B, D] = dot %y, %w {K} "

// A product, one with an epilogue, and a kernel.
static void test_parts_are_written_in_place(void **state) {
    (void)state;
    assert_int_equal(steps_of(INPUTS "%s: f32[B, D] = add %q, %v %t: f32[C, D] = tanh %z"
                                     " %o: f32[ABC, D] = concat %p, %s, %t {A, B, C} -> {ABC}"
                                     " return out = %o }",
                              false),
                     3);
}

// What reads the whole waits for every part.
static void test_readers_wait_for_all(void **state) {
    (void)state;
    assert_int_equal(steps_of(INPUTS "%s: f32[B, D] = tanh %q %t: f32[C, D] = tanh %z"
                                     " %o: f32[ABC, D] = concat %t, %s, %p {C, B, A} -> {ABC}"
                                     " %r: f32[ABC, K] = dot %o, %w {D} return out = %o, more = %r }",
                              false),
                     4);
}

// Sums for each row are parts, too.
static void test_vectors(void **state) {
    (void)state;
    assert_int_equal(steps_of(INPUTS "%s: f32[B] = sum %v {D} %t: f32[C] = sum %z {D} %u: f32[A] = sum %p {D}"
                                     " %o: f32[ABC] = concat %s, %t, %u {B, C, A} -> {ABC}"
                                     " return out = %o }",
                              false),
                     4);
}

// A part that somebody else reads, or that is a result itself, has a place of its own.
static void test_shared_parts(void **state) {
    (void)state;
    steps_of(INPUTS "%t: f32[C, D] = tanh %z %o: f32[ABC, D] = concat %p, %q, %t {A, B, C} -> {ABC}"
                    " %r: f32[A] = sum %p {D} return out = %o, more = %r }",
             false);
    steps_of(INPUTS "%t: f32[C, D] = tanh %z %o: f32[ABC, D] = concat %p, %q, %t {A, B, C} -> {ABC}"
                    " return out = %o, more = %q }",
             false);
}

// Parts that are inputs, or lie in rows of the whole, are copied.
static void test_other_parts(void **state) {
    (void)state;
    steps_of(INPUTS "%o: f32[ABC, D] = concat %p, %v, %z {A, B, C} -> {ABC} return out = %o }", false);
    steps_of("axis A = 17 axis B = 40 axis AB = 57 axis D = 33 graph g { %x: f32[D, A] = input #0 \"x\""
             " %y: f32[D, B] = input #1 \"y\" %s: f32[D, A] = exp %x %t: f32[D, B] = tanh %y"
             " %o: f32[D, AB] = concat %s, %t {A, B} -> {AB} return out = %o }",
             false);
}

// The whole takes over an input's memory that its parts still read.
static void test_donated(void **state) {
    (void)state;
    steps_of("axis A = 32 axis B = 64 axis AB = 96 axis D = 48 graph g { %x: f32[AB, D] = input #0 \"x\""
             " %y: f32[B, D] = slice %x {AB} -> {B} #32 by 1 %z: f32[A, D] = slice %x {AB} -> {A} #0 by 1"
             " %s: f32[B, D] = exp %y %t: f32[A, D] = tanh %z"
             " %o: f32[AB, D] = concat %s, %t {B, A} -> {AB} return out = %o }",
             true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_written_in_place),
        cmocka_unit_test(test_readers_wait_for_all),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_shared_parts),
        cmocka_unit_test(test_other_parts),
        cmocka_unit_test(test_donated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
