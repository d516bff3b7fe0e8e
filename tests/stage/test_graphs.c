// Graphs as stage code calls them, and what elaboration refuses: with one message, and without running out of
// stack, memory or time.
#include "tests/stage/pipeline.h"

static void graphs(void **state) {
    (void)state;
    pipeline_holds("graphs.tct");
}

// A graph by itself, as `tercet check` sees it.
static void refused(const char *text, const char *code, const char *words) {
    tct_diag d = {0};
    tct_package package = {0};
    bool ok = tct_package_load_text(&d, &package, "test.tct", text, strlen(text), TERCET_SOURCE_DIR "/std") &&
              tct_check(&d, &package, NULL, 0, false, NULL);
    const tct_message *m = d.messages.len ? &d.messages.data[0] : NULL;
    bool as_expected = !ok && d.n_errors == 1 && strcmp(m->code, code) == 0 && strstr(m->text, words);
    if (!as_expected) {
        tct_buf out = {0};
        tct_diag_render(&d, &out, false);
        print_error("%.2000s\nexpected %s with \"%s\", found:\n%s", text, code, words,
                    out.data ? out.data : "");
        tct_buf_free(&out);
    }
    assert_true(as_expected);
    tct_package_free(&package);
    tct_diag_free(&d);
}

#define GRAPH(body) "graph f(x: f32[T], y: f32[S]) -> f32[T] {\n" body "\n}\n"

static void scans(void **state) {
    (void)state;
    refused(GRAPH("var z = 0.0\n return scan T (t = 0.0) {\n z = z + x\n yield t + z\n}"), "E0205",
            "outside of this scan");
    refused(GRAPH("return scan T (t = 0.0) {\n t = t + f32(iota(T))\n yield t\n}"), "E0345",
            "gets the axis T");
    refused(GRAPH("let z = nothing\n return scan T (t = 0.0) {\n t = t + x\n yield z\n}"), "E0201",
            "`nothing`");
    refused(GRAPH("let z = nothing\n return scan T (t = 0.0) {\n t = z\n yield t\n}"), "E0201", "`nothing`");
    // The same fault from two places is told once, and the second time is a fault as well.
    refused("graph g(x: f32[T]) -> f32[T] {\n return scan T (t = 0.0) {\n t = t + nothing\n yield "
            "t\n}\n}\n" GRAPH("return g(x) + g(2.0 * x)"),
            "E0201", "`nothing`");
}

static void types(void **state) {
    (void)state;
    refused(GRAPH("let z: f32[S] = x\n return x"), "E0333", "declared f32[S], but the value is f32[T]");
    refused(GRAPH("let z: i32[T] = x\n return x"), "E0333", "declared i32[T]");
    refused(GRAPH("let z: int = 1.5\n return x"), "E0333", "declared int");
    refused(GRAPH("return if 3 and 4 { x } else { x }"), "E0341", "and doesn't work");
    refused(GRAPH("return if true and 4 { x } else { x }"), "E0341", "and doesn't work");
    refused("graph g(a: f32[P, Q]) -> f32[P] {\n return sum(a, Q)\n}\n" GRAPH(
                "return rename(g[P = T, Q = T](x), T -> T)"),
            "E0334", "axis Q is missing");
    refused("graph g(inout a: f32[T]) -> f32[T] {\n a = 2.0 * a\n return a\n}\n" GRAPH("return g(x)"),
            "E0205", "`x` can't be changed");
}

static void sizes(void **state) {
    (void)state;
    refused(GRAPH("axis A = 1099511627776, B = 1099511627776\n return x + sum(ones([A, B]), [A, B])"),
            "E0104", "");
    refused(GRAPH("axis A = 1099511627776\n axis B = 1099511627776\n return x + sum(ones([A, B]), [A, B])"),
            "E0612", "more than 2^48 elements");
    refused("graph f(x: f32[A = 1099511627776, B = 1099511627776]) -> f32 {\n return sum(x, [A, B])\n}",
            "E0612", "2^48");
    refused("model M() {\n axis A = 1099511627776, B = 1099511627776\n param w: f32[A, B] = 0.0\n}", "E0612",
            "2^48");
    refused("graph f(x: f32[A, B, C, D, E, F, G, H]) -> f32[A, B, C, D, E, F, G, H] {\n axis I = 2\n"
            " return x + sum(broadcast(x, I), I)\n}",
            "E0612", "9 axes");
    refused(GRAPH("axis U = 4\n return x + sum(pad(ones(U), U -> W, 9223372036854775807, 2), W)"), "E0302",
            "64 bits");
    refused(GRAPH("axis U = 4611686018427387904\n axis W = 4\n return x + f32(size([U, W]))"), "E0341",
            "64 bits");
    refused(GRAPH("var z = x\n for i in range(-9223372036854775807, 9223372036854775807) {\n z = z + "
                  "1.0\n}\n return z"),
            "E0345", "18446744073709551614 turns");
}

// What is written out is bounded, in depth and in number.
static void hostile(void **state) {
    (void)state;
    refused("graph f(x: f32[T]) -> f32[T] {\n return f(x)\n}", "E0345", "f calls itself");
    tct_buf b = {0};
    tct_buf_puts(&b, "graph f(x: f32[T]) -> f32[T] {\n return ");
    for (int i = 0; i < 200; i++) tct_buf_puts(&b, "1.0 + (");
    tct_buf_puts(&b, "f(x)");
    for (int i = 0; i < 200; i++) tct_buf_puts(&b, ")");
    tct_buf_puts(&b, "\n}\n");
    refused(b.data, "E0345", "inside each other");
    b.len = 0;
    tct_buf_puts(&b, "graph g0(x: f32[T]) -> f32[T] {\n return x\n}\n");
    for (int i = 1; i < 60; i++)
        tct_buf_printf(&b, "graph g%d(x: f32[T]) -> f32[T] {\n return g%d(x) + g%d(x)\n}\n", i, i - 1, i - 1);
    refused(b.data, "E0345", "more than 200000 calls");
    b.len = 0;
    tct_buf_puts(
        &b, GRAPH("var z = x\n for i in range(90000) {\n for j in range(90000) {\n z = x\n}\n}\n return z"));
    refused(b.data, "E0345", "more than 200000 calls");
    b.len = 0;
    tct_buf_puts(&b, "model M0() {\n param w: f32 = 0.0\n}\n");
    for (int i = 1; i < 12; i++) tct_buf_printf(&b, "model M%d() {\n part p: M%d()[100]\n}\n", i, i - 1);
    refused(b.data, "E0345", "more than 200000 calls");
    b.len = 0;
    tct_buf_puts(&b, "config {\n c0: int = 1\n");
    for (int i = 20000; i > 0; i--) tct_buf_printf(&b, "c%d: int = config.c%d + 1\n", i, i - 1);
    tct_buf_puts(&b, "}\n");
    refused(b.data, "E0345", "inside each other");
    b.len = 0;
    tct_buf_puts(&b, GRAPH("var s = \"a\"\n for i in range(60) {\n s = s + s\n}\n return x"));
    refused(b.data, "E0341", "a string of more than");
    b.len = 0;
    tct_buf_puts(&b, "pipeline p {\n let x = ");
    for (int i = 0; i < 60; i++) tct_buf_puts(&b, "abs(");
    tct_buf_puts(&b, "-1");
    for (int i = 0; i < 60; i++) tct_buf_puts(&b, ")");
    tct_buf_puts(&b, "\n assert x == 2, \"no\"\n}\n");
    pipeline_refused(b.data, "E0813", "no");
    b.len = 0;
    tct_buf_puts(&b, "fn f0() -> int {\n return 1\n}\n");
    for (int i = 1; i < 40; i++)
        tct_buf_printf(&b, "fn f%d() -> int {\n return f%d() + f%d()\n}\n", i, i - 1, i - 1);
    tct_buf_puts(&b, "pipeline p {\n print(f39())\n}\n");
    pipeline_refused(b.data, "E0345", "more than 20000 calls");
    tct_buf_free(&b);
}

static void in_stages(void **state) {
    (void)state;
    static const char given[] = "graph f(x: f32[A], n: i32) -> f32[A] {\n return x * f32(n)\n}\n"
                                "graph g(inout x: f32[A]) -> f32[A] {\n x = 2.0 * x\n return x\n}\n"
                                "pipeline p {\n var x = tensor([1.0, 2.0], \"A\", 2)\n var r = 0.5\n";
    char text[1000];
    snprintf(text, sizeof text, "%s let y = f(x, r)\n}\n", given);
    pipeline_refused(text, "E0333", "a float can't become i32");
    snprintf(text, sizeof text, "%s let y = i32(x) * r\n}\n", given);
    pipeline_refused(text, "E0333", "a float can't become i32");
    snprintf(text, sizeof text, "%s let y = x * (r > 0.0)\n}\n", given);
    pipeline_refused(text, "E0333", "a bool can't become f32");
    snprintf(text, sizeof text, "%s let y = g(x)\n}\n", given);
    pipeline_refused(text, "E0501", "inout");
    snprintf(text, sizeof text,
             "%s let y = x + nothing\n let z = sum(y, A) + 1.0\n let w = [y, x]\n print(z)\n}\n", given);
    pipeline_refused(text, "E0201", "`nothing`");
    snprintf(text, sizeof text, "%s let y = x * [1, 2]\n}\n", given);
    pipeline_refused(text, "E0332", "a list of 2 elements");
    snprintf(text, sizeof text, "%s x = tensor([1.0], \"A\", 1)\n}\n", given);
    pipeline_refused(text, "E0502", "the variable is f32[A]");
    snprintf(text, sizeof text, "%s let xs = [x, x]\n var i = 1\n let y = xs[i]\n}\n", given);
    pipeline_refused(text, "E0502", "a list holds numbers");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs), cmocka_unit_test(scans),   cmocka_unit_test(types),
        cmocka_unit_test(sizes),  cmocka_unit_test(hostile), cmocka_unit_test(in_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
