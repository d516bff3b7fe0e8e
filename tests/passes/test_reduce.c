// Reducing graphs: whatever is looked for stays, and hardly anything else.
#include "passes/reduce.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct wanted {
    const char *text; // that a failing graph holds
    size_t smallest;
    int progress;
} wanted;

static bool holds(void *ctx, const char *text, size_t len) {
    const wanted *w = ctx;
    // Everything that is tried is a graph.
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    if (!tct_ir_parse(&d, m, "candidate.tir", text, len)) fail_msg("no graph:\n%s", text);
    tct_diag_free(&d);
    tct_ir_module_free(m);
    return strstr(text, w->text) != NULL;
}

static void progress(void *ctx, const tct_reduce_state *state, const char *text, size_t len) {
    wanted *w = ctx;
    assert_non_null(state->what);
    if (text) assert_int_equal(strlen(text), len);
    w->smallest = state->nodes;
    w->progress++;
}

static char *reduce(wanted *w, const char *text, tct_buf *out) {
    tct_diag d = {0};
    tct_reduce_request r = {.fails = holds, .progress = progress, .ctx = w};
    if (!tct_reduce(&d, "test.tir", text, strlen(text), &r, out)) {
        tct_diag_render(&d, out, false);
        fail_msg("%s", out->data);
    }
    tct_diag_free(&d);
    return out->data;
}

static void check(const char *text, const char *holding, const char *expected) {
    wanted w = {.text = holding};
    tct_buf out = {0}, again = {0};
    assert_string_equal(reduce(&w, text, &out), expected);
    assert_string_equal(reduce(&w, out.data, &again), expected); // nothing is left to do
    tct_buf_free(&out);
    tct_buf_free(&again);
}

static void test_chains(void **state) {
    (void)state;
    check("axis A = 100 axis B = 7 graph g { %x: f32[A, B] = input #0 \"x\" %w: f32[B] = input #1 \"w\""
          " %p: f32[A, B] = mul %x, %w %e: f32[A, B] = exp %p %t: f32[A, B] = tanh %e %s: f32[A] = sum %t {B}"
          " %m: f32 = reduce_max %s {A} %q: f32 = mul %m, %m return a = %s, b = %q, c = %e into 0 }",
          " tanh ",
          "axis A = 1\naxis B = 1\ngraph g {\n  %0: f32[A, B] = input #0 \"x\"\n  %1: f32[A, B] = tanh %0\n"
          "  return a = %1\n}\n");
}

static void test_sizes_hang_together(void **state) {
    (void)state;
    // The size of A follows from those of its parts, and a slice fits.
    check("axis A = 24 axis B = 4 axis C = 6 axis D = 3 graph g { %x: f32[A] = input #0 \"x\""
          " %s: f32[B, C] = split %x {A} -> {B, C} %e: f32[B, C] = exp %s"
          " %d: f32[B, D] = slice %e {C} -> {D} #0 by 1 return y = %d }",
          " split ",
          "axis A = 1\naxis B = 1\naxis C = 1\ngraph g {\n  %0: f32[A] = input #0 \"x\"\n"
          "  %1: f32[B, C] = split %0 {A} -> {B, C}\n  return y = %1\n}\n");
}

#define SCAN                                                                                                 \
    "axis T = 9 axis K = 3 graph g { %h: f32[K] = input #0 \"h\" %x: f32[T, K] = input #1 \"x\""             \
    " %w: f32[K] = input #2 \"w\" %s: (f32[K], f32[T, K], f32[T, K]) = scan %h, %x, %w {T} #1 by 1 body {"   \
    " %h: f32[K] = input #0 \"h\" %x: f32[K] = input #1 \"x\" %w: f32[K] = input #2 \"w\""                   \
    " %a: f32[K] = mul %h, %w %b: f32[K] = add %a, %x %c: f32[K] = tanh %b return h = %c, y = %b, z = %a }"  \
    " %l: f32[K] = get %s #0 %y: f32[T, K] = get %s #1 return last = %l, y = %y }"

static void test_bodies(void **state) {
    (void)state;
    // What is looked for in a body is taken out of it.
    check(SCAN, " tanh ",
          "axis K = 1\ngraph g {\n  %0: f32[K] = input #0 \"h\"\n  %1: f32[K] = tanh %0\n  return last = "
          "%1\n}\n");
    // A scan has to have a body, and little in it.
    check(SCAN, " scan ",
          "axis K = 1\naxis T = 1\ngraph g {\n  %0: f32[K] = input #0 \"h\"\n  %1: (f32[K]) = scan %0 {T} #1 "
          "by 1 body {\n"
          "    %0: f32[K] = input #0 \"h\"\n    return h = %0\n  }\n  %2: f32[K] = get %1 #0\n  return last "
          "= %2\n}\n");
}

static void test_unused_nodes(void **state) {
    (void)state;
    // What fails may be a node that nobody uses: it becomes a result.
    check(
        "axis A = 9 graph g { %x: f32[A] = input #0 \"x\" %e: f32[A] = exp %x %d: f32[A] = tanh %e %f: "
        "f32[A] = neg %d"
        " return y = %e }",
        " tanh ",
        "axis A = 1\ngraph g {\n  %0: f32[A] = input #0 \"x\"\n  %1: f32[A] = tanh %0\n  return y = %1\n}\n");
}

// For every operation of many random graphs: the operation is left, with little else.
static void test_random_graphs(void **state) {
    (void)state;
    int reduced = 0;
    size_t most = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g =
            tct_random_graph(m, &(tct_random_graph_options){.seed = seed, .n_nodes = 30, .aliases = true});
        tct_buf text = {0};
        tct_ir_print(g, &text, NULL);
        for (int op = 0; op < TCT_IR_N_OPS; op++) {
            char word[32];
            snprintf(word, sizeof word, " = %s ", tct_ir_ops[op].name);
            if ((seed + (uint64_t)op) % 5 || op == TCT_IR_INPUT || !strstr(text.data, word)) continue;
            wanted w = {.text = word};
            tct_buf out = {0};
            reduce(&w, text.data, &out);
            assert_non_null(strstr(out.data, word));
            if (w.smallest > most) most = w.smallest;
            if (w.smallest > 8)
                fail_msg("%zu nodes for%s of seed %d:\n%s", w.smallest, word, (int)seed, out.data);
            tct_buf_free(&out);
            reduced++;
        }
        tct_buf_free(&text);
        tct_ir_module_free(m);
    }
    printf("%d graphs reduced, to %zu nodes at most\n", reduced, most);
    assert_true(reduced > 100);
}

static void test_no_graph(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_buf out = {0};
    assert_false(tct_reduce(&d, "x.tir", "graph g {", 9, &(tct_reduce_request){.fails = holds}, &out));
    assert_string_equal(d.messages.data[0].code, "E0604");
    tct_buf_free(&out);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),       cmocka_unit_test(test_sizes_hang_together),
        cmocka_unit_test(test_bodies),       cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_unused_nodes), cmocka_unit_test(test_no_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
