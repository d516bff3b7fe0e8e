// What changed between two graphs: numbers stay, and only what is different shows.
#include "ir/diff.h"
#include "ir/match.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static tct_graph *parse(tct_diag *d, tct_ir_module *m, const char *text) {
    tct_graph *g = tct_ir_parse(d, m, "test.tir", text, strlen(text));
    assert_non_null(g);
    return g;
}

// The hunks between two graphs, "" for none, without the head.
static void check(const char *before, const char *after, const char *expected) {
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_buf out = {0};
    bool any = tct_ir_diff(parse(&d, m, before), parse(&d, m, after), "p", NULL, false, &out);
    assert_true(any == (strlen(expected) > 0));
    static const char head[] = "--- before p\n+++ after p\n";
    if (any) assert_memory_equal(out.data, head, strlen(head));
    assert_string_equal(any ? out.data + strlen(head) : "", expected);
    tct_buf_free(&out);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

#define HEAD "axis A = 4 graph g { %x: f32[A] = input #0 \"x\" %y: f32[A] = input #1 \"y\" "

static void test_nothing_changed(void **state) {
    (void)state;
    check(HEAD "%a: f32[A] = exp %x %b: f32[A] = mul %a, %y return b = %b }",
          HEAD "%a: f32[A] = exp %x @cse %b: f32[A] = mul %a, %y return b = %b }", "");
    // Another order of nodes is none.
    check(HEAD "%a: f32[A] = exp %x %b: f32[A] = tanh %y %c: f32[A] = mul %a, %b return c = %c }",
          HEAD "%b: f32[A] = tanh %y %a: f32[A] = exp %x %c: f32[A] = mul %a, %b return c = %c }", "");
}

static void test_a_node_is_removed(void **state) {
    (void)state;
    // Users of what is gone are copies with other operands; what uses these is the same.
    check(HEAD "%one: f32 = const 1 @ a %a: f32[A] = mul %x, %one %b: f32[A] = exp %a %c: f32[A] = tanh %b "
               "%d: f32[A] = neg %c return d = %d }",
          HEAD "%b: f32[A] = exp %x %c: f32[A] = tanh %b %d: f32[A] = neg %c return d = %d }",
          "@@ -2,9 +2,7 @@\n graph g {\n   %0: f32[A] = input #0 \"x\"\n   %1: f32[A] = input #1 \"y\"\n"
          "-  %2: f32 = const 1 @a\n-  %3: f32[A] = mul %0, %2\n-  %4: f32[A] = exp %3\n+  %4: f32[A] = exp "
          "%0\n"
          "   %5: f32[A] = tanh %4\n   %6: f32[A] = neg %5\n   return d = %6\n");
}

static void test_a_node_is_replaced(void **state) {
    (void)state;
    // What stands where something else stood has its number, so its users don't show.
    check(HEAD "%two: f32 = const 2 %a: f32[A] = div %x, %two %b: f32[A] = exp %a return b = %b }",
          HEAD "%half: f32 = const 0.5 @p %a: f32[A] = mul %x, %half @p %b: f32[A] = exp %a return b = %b }",
          "@@ -2,8 +2,8 @@\n graph g {\n   %0: f32[A] = input #0 \"x\"\n   %1: f32[A] = input #1 \"y\"\n"
          "-  %2: f32 = const 2\n-  %3: f32[A] = div %0, %2\n+  %5: f32 = const 0.5 @p\n"
          "+  %3: f32[A] = mul %0, %5 @p\n   %4: f32[A] = exp %3\n   return b = %4\n }\n");
}

static void test_bodies(void **state) {
    (void)state;
#define SCAN(step)                                                                                           \
    HEAD "%z: f32 = const 0 %s: (f32) = scan %z, %x {A} #1 by 1 body { %c: f32 = input #0 \"c\" "            \
         "%x: f32 = input #1 \"x\" " step " return c = %n } %o: f32 = get %s #0 return o = %o }"
    check(SCAN("%e: f32 = exp %x %f: f32 = exp %x %p: f32 = mul %e, %f %n: f32 = add %c, %p"),
          SCAN("%e: f32 = exp %x %p: f32 = mul %e, %e %n: f32 = add %c, %p"),
          "@@ -7,8 +7,7 @@\n     %0: f32 = input #0 \"c\"\n     %1: f32 = input #1 \"x\"\n     %2: f32 = exp "
          "%1\n"
          "-    %3: f32 = exp %1\n-    %4: f32 = mul %2, %3\n+    %4: f32 = mul %2, %2\n"
          "     %5: f32 = add %0, %4\n     return c = %5\n   }\n");
}

static void test_axes(void **state) {
    (void)state;
    // A new axis of a name that is taken keeps the old one's name as it was.
    check("axis A = 8 graph g { %x: f32[A] = input #0 \"x\" %s: f32 = sum %x {A} return s = %s }",
          "axis A = 8 axis A'1 = 4 axis B = 2 graph g { %x: f32[A] = input #0 \"x\" "
          "%p: f32[A'1, B] = split %x {A} -> {A'1, B} %s: f32 = sum %p {A'1, B} return s = %s }",
          "@@ -1,6 +1,9 @@\n axis A = 8\n+axis A'1 = 4\n+axis B = 2\n graph g {\n   %0: f32[A] = input #0 "
          "\"x\"\n"
          "-  %1: f32 = sum %0 {A}\n+  %2: f32[A'1, B] = split %0 {A} -> {A'1, B}\n"
          "+  %1: f32 = sum %2 {A'1, B}\n   return s = %1\n }\n");
}

// A graph against itself, and against itself without some nodes: partners are of one type, and each other's.
static void test_random_graphs(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_arena arena = {0};
        tct_graph *a = tct_random_graph(m, &(tct_random_graph_options){.seed = seed, .n_nodes = 40});
        tct_graph *b = tct_random_graph(m, &(tct_random_graph_options){.seed = seed % 50, .n_nodes = 30});
        tct_buf out = {0};
        assert_false(tct_ir_diff(a, tct_graph_copy(a, a->name), "p", NULL, false, &out));
        tct_ir_match x;
        tct_ir_match_graphs(&arena, a, b, &x);
        for (tct_value v = 0; v < a->nodes.len; v++) {
            tct_value w = x.to_after[v];
            assert_true((w == TCT_NO_VALUE) == (x.before[v] == TCT_IR_GONE));
            if (w == TCT_NO_VALUE) continue;
            assert_int_equal(x.to_before[w], v);
            assert_int_equal(x.before[v], x.after[w]);
            assert_int_equal(a->nodes.data[v].n_axes, b->nodes.data[w].n_axes);
        }
        tct_ir_diff(a, b, "p", NULL, false, &out);
        tct_buf_free(&out);
        tct_arena_free(&arena);
        tct_ir_module_free(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_changed),
        cmocka_unit_test(test_a_node_is_removed),
        cmocka_unit_test(test_a_node_is_replaced),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
