// Loop kernels against the interpreter: the forms that matter by name, on every instruction set.
#include "tests/codegen/compare.h"

static const char *const sets[] = {"base", "avx2", "avx512"};

static void on_all_sets(const char *text) {
    static const compare_options close = {.relative = 1e-5, .absolute = 1e-6};
    tct_isa host = tct_isa_host();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        tct_isa isa;
        assert_true(tct_isa_parse(sets[k], &isa));
        if (isa > host) continue;
        tct_diag d = {0};
        tct_compiler *c = tct_compiler_new(&d, sets[k], 1);
        assert_non_null(c);
        compare_text(c, text, &close);
        tct_compiler_free(c);
        tct_diag_free(&d);
    }
}

static void test_elementwise(void **state) {
    (void)state;
    on_all_sets("axis A = 37 axis B = 53 graph g {"
                " %x: f32[A, B] = input #0 \"x\" %y: f32[B] = input #1 \"y\""
                " %a: f32[A, B] = mul %x, %y %b: f32[A, B] = tanh %a %c: f32[A, B] = add %b, %x return c = "
                "%c, b = %b }");
    on_all_sets("graph g { %x: f32 = input #0 \"x\" %y: f32 = exp %x return y = %y }");
}

static void test_softmax(void **state) {
    (void)state;
    on_all_sets("axis B = 5 axis V = 133 graph softmax {"
                " %0: f32[B, V] = input #0 \"x\" %1: f32[B] = reduce_max %0 {V} %2: f32[B, V] = sub %0, %1"
                " %3: f32[B, V] = exp %2 %4: f32[B] = sum %3 {V} %5: f32[B, V] = div %3, %4 return out = %5, "
                "s = %4 }");
}

static void test_column_sums(void **state) {
    (void)state;
    on_all_sets(
        "axis B = 7 axis T = 33 axis C = 131 graph g {"
        " %x: f32[B, T, C] = input #0 \"x\" %s: f32[C] = sum %x {B, T} %m: f32[C] = reduce_max %x {B, T}"
        " return s = %s, m = %m }");
    on_all_sets(
        "axis A = 12 axis B = 17 graph g { %x: f32[A, B] = input #0 \"x\" %m: f32[B] = reduce_max %x {A}"
        " %d: f32[A, B] = sub %x, %m %e: f32[A, B] = exp %d %s: f32[B] = sum %e {A} %y: f32[A, B] = div %e, "
        "%s "
        " return y = %y }");
}

// Reductions over axes of size 1; the arguments of argmax; logic.
static void test_odd_reductions(void **state) {
    (void)state;
    on_all_sets("axis A = 5 axis O = 1 graph g { %x: f32[A, O] = input #0 \"x\" %a: f32[A] = sum %x {O}"
                " %b: f32[O] = reduce_max %x {A} %c: f32 = sum %b {O} %i: i32[O] = argmax %x {A}"
                " %j: i32[A] = argmax %x {O} return a = %a, b = %b, c = %c, i = %i, j = %j }");
    on_all_sets("axis A = 9 axis B = 77 graph g { %x: f32[A, B] = input #0 \"x\" %i: i32[A] = argmax %x {B}"
                " %j: i32[B] = argmax %x {A} %m: f32[A] = reduce_min %x {B} %p: bool[A, B] = gt %x, %m"
                " %u: bool[A] = all %p {B} %v: bool[B] = any %p {A} return i = %i, j = %j, u = %u, v = %v }");
}

static void test_movement(void **state) {
    (void)state;
    on_all_sets(
        "axis B = 3 axis T = 5 axis C = 24 axis H = 4 axis D = 6 axis E = 12 graph g {"
        " %x: f32[B, T, C] = input #0 \"x\" %s: f32[B, T, H, D] = split %x {C} -> {H, D}"
        " %t: f32[B, H, T, D] = mul %s, %s %m: f32[B, T, C] = merge %t {H, D} -> {C}"
        " %f: f32[B, T, C] = flip %m {C} %h: f32[B, T, E] = slice %f {C} -> {E} #1 by 2 "
        " %p: f32[B, T, C] = pad %h {E} -> {C} #5 fill 2 %c: f32[B, T, C] = concat %h, %h {E, E} -> {C}"
        " %y: f32[B, T, C] = add %p, %c return y = %y, m = %m }");
}

static void test_gather_scatter(void **state) {
    (void)state;
    on_all_sets("axis B = 4 axis T = 6 axis V = 9 axis C = 20 graph g {"
                " %w: f32[V, C] = input #0 \"w\" %i: i32[B, T] = input #1 \"i\""
                " %e: f32[B, T, C] = gather %w, %i {V} %u: f32[B, T, C] = mul %e, %e"
                " %s: f32[V, C] = scatter_add %w, %i, %u {V} return e = %e, s = %s }");
}

// What is added, and where, is the same all along the index: it is added as often as the index is long.
static void test_scatter_same(void **state) {
    (void)state;
    on_all_sets("axis T = 7 axis N = 96 axis V = 9 axis C = 20 graph g {"
                " %w: f32[V, C] = input #0 \"w\" %u: f32[C] = input #1 \"u\" %b: f32[V] = input #2 \"b\""
                " %f: i32 = input #3 \"f\" %n: i32 = size {V} %r: i32 = mod %f, %n %i: i32[N] = broadcast %r "
                "{N} %j: i32[T] = iota"
                " %k: i32[N, T] = broadcast %j {N} %v: f32[N, C] = broadcast %u {N}"
                " %x: f32[N, T, C] = broadcast %u {N, T} %h: f32 = const 0.5 %o: f32[N] = broadcast %h {N}"
                " %s: f32[V, C] = scatter_add %w, %i, %v {V} %t: f32[V] = scatter_add %b, %i, %o {V}"
                " %y: f32[V, C] = scatter_add %w, %k, %x {V} %p: f32[V, C] = put %w, %i, %v {V}"
                " return s = %s, t = %t, y = %y, p = %p }");
}

static void test_products(void **state) {
    (void)state;
    on_all_sets(
        "axis B = 9 axis K = 40 axis N = 33 graph g {"
        " %x: f32[B, K] = input #0 \"x\" %w: f32[K, N] = input #1 \"w\" %b: f32[N] = input #2 \"b\""
        " %d: f32[B, N] = dot %x, %w {K} %y: f32[B, N] = add %d, %b %z: f32[B, N] = tanh %y return z = %z }");
}

static void test_in_place(void **state) {
    (void)state;
    on_all_sets(
        "axis A = 70 graph g { %p: f32[A] = input #0 \"p\" %m: f32[A] = input #1 \"m\" %g: f32[A] = input #2 "
        "\"g\""
        " %c: f32 = const 0.9 %n: f32[A] = mul %m, %c %k: f32[A] = add %n, %g %q: f32[A] = sub %p, %k "
        " return p = %q into 0, m = %k into 1 }");
}

static void test_large_sum(void **state) {
    (void)state;
    on_all_sets(
        "axis A = 100003 graph g { %x: f32[A] = input #0 \"x\" %y: f32[A] = mul %x, %x %s: f32 = sum %y {A}"
        " %m: f32 = reduce_max %x {A} return s = %s, m = %m }");
    on_all_sets("axis A = 401 axis B = 97 graph g { %x: f32[A, B] = input #0 \"x\" %y: f32[A, B] = mul %x, %x"
                " %s: f32 = sum %y {A, B} return s = %s }");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise),  cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_column_sums),  cmocka_unit_test(test_odd_reductions),
        cmocka_unit_test(test_movement),     cmocka_unit_test(test_gather_scatter),
        cmocka_unit_test(test_scatter_same), cmocka_unit_test(test_products),
        cmocka_unit_test(test_in_place),     cmocka_unit_test(test_large_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
