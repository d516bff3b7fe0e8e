// Choices that are the same for all lanes: what the other side doesn't want isn't read, and nothing else
// changes.
#include "tests/codegen/compare.h"

// Holds a text to the interpreter on every instruction set, and returns how many of its loads have a
// condition.
static int loads_spared(const char *text) {
    static const char *const isas[] = {"base", "avx2", "avx512"};
    int found = 0;
    for (size_t i = 0; i < sizeof isas / sizeof *isas && i <= (size_t)tct_isa_host(); i++) {
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_compiler *c = tct_compiler_new(&d, isas[i], 1);
        tct_graph *g = compare_parse(&d, m, text);
        compare_graph(c, g, 7, &(compare_options){.passes = "", .relative = 1e-5, .absolute = 1e-5});
        const tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.passes = ""});
        assert_non_null(plan);
        tct_buf kernels = {0};
        tct_compiler_dump(c, plan, TCT_DUMP_KERNEL, NULL, &kernels);
        found = 0;
        for (const char *at = kernels.data; (at = strstr(at, "] if %")); at++) found++;
        tct_buf_free(&kernels);
        tct_compiler_free(c);
        tct_ir_module_free(m);
        tct_diag_free(&d);
    }
    return found;
}

#define AXES "axis B = 30 axis Q = 3 axis D = 83 graph g { %z: f32 = const 0 "

// The parts of a concatenation, one of them computed, with sums over its rows.
static void test_parts(void **state) {
    (void)state;
    static const char text[] =
        AXES "%a: f32[B, D] = input #0 \"a\" %b: f32[B, D] = input #1 \"b\" %c: f32[B, D] = input #2 \"c\""
             " %s: f32[B] = input #3 \"s\" %q: i32[Q] = iota %i: i32 = const 0 %j: i32 = const 1"
             " %u: bool[Q] = eq %q, %i %v: bool[Q] = eq %q, %j %n: bool[Q] = or %u, %v %w: bool[Q] = not %n"
             " %x: f32[B, D] = mul %b, %s %p: f32[B, Q, D] = where %u, %a, %z"
             " %r: f32[B, Q, D] = where %v, %x, %z %t: f32[B, Q, D] = where %w, %c, %z"
             " %e: f32[B, Q, D] = add %p, %r %f: f32[B, Q, D] = add %e, %t %y: f32[Q, D] = sum %f {B}"
             " return f = %f, y = %y }";
    assert_int_equal(loads_spared(text), 3);
}

// Rows that a mask leaves out, in a kernel of several passes; what stands for them needn't be zero.
static void test_rows(void **state) {
    (void)state;
    static const char text[] =
        AXES "%x: f32[B, D] = input #0 \"x\" %m: bool[B] = input #1 \"m\" %f: f32 = const 0.25"
             " %e: f32[B, D] = exp %x %w: f32[B, D] = where %m, %e, %f %s: f32[B] = sum %w {D}"
             " %r: f32[B, D] = div %w, %s return r = %r }";
    assert_int_equal(loads_spared(text), 1);
}

// Conditions that differ by lane, or in a loop further in than what is read; what somebody wants in any case.
static void test_read_anyway(void **state) {
    (void)state;
    static const char by_lane[] =
        AXES "%x: f32[B, D] = input #0 \"x\" %m: bool[D] = input #1 \"m\""
             " %w: f32[B, D] = where %m, %x, %z %e: f32[B, D] = exp %w return e = %e }",
                      further_in[] = AXES "%x: f32[D] = input #0 \"x\" %m: bool[B] = input #1 \"m\""
                                          " %w: f32[B, D] = where %m, %x, %z %e: f32[B, D] = exp %w"
                                          " %s: f32[D] = sum %e {B} return s = %s }",
                      twice[] = AXES
                      "%x: f32[B, D] = input #0 \"x\" %m: bool[B] = input #1 \"m\""
                      " %w: f32[B, D] = where %m, %x, %z %e: f32[B, D] = exp %w %y: f32[B, D] = sub %e, %x"
                      " return y = %y }",
                      other_side[] =
                          AXES "%x: f32[B, D] = input #0 \"x\" %m: bool[B] = input #1 \"m\""
                               " %w: f32[B, D] = where %m, %z, %x %e: f32[B, D] = exp %w return e = %e }";
    assert_int_equal(loads_spared(by_lane), 0);
    assert_int_equal(loads_spared(further_in), 0);
    assert_int_equal(loads_spared(twice), 0);
    assert_int_equal(loads_spared(other_side), 0);
}

// A choice within a choice, by the outer one's condition; results that lie where an operand was.
static void test_nested(void **state) {
    (void)state;
    static const char text[] =
        AXES "%x: f32[B, D] = input #0 \"x\" %m: bool[B] = input #1 \"m\" %n: bool[B] = input #2 \"n\""
             " %w: f32[B, D] = where %m, %x, %z %e: f32[B, D] = exp %w %v: f32[B, D] = where %n, %e, %z"
             " %y: f32[B, D] = tanh %v return y = %y into 0 }";
    assert_int_equal(loads_spared(text), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_read_anyway),
        cmocka_unit_test(test_nested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
