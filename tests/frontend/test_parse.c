// Trees: precedence, line ends, every form of the grammar, and how far one error reaches.
#include "frontend/ast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static tct_buf tree(const char *text, size_t *errors) {
    tct_diag d = {0};
    tct_ast *ast = tct_parse(&d, tct_diag_add_source(&d, "test.tct", text, strlen(text)));
    tct_buf out = {0};
    tct_buf_puts(&out, "");
    tct_ast_print(ast, &out);
    if (errors) {
        *errors = d.n_errors;
    } else if (d.n_errors) {
        tct_buf messages = {0};
        tct_diag_render(&d, &messages, false);
        fprintf(stderr, "%s", messages.data);
        tct_buf_free(&messages);
        fail();
    }
    tct_ast_free(ast);
    tct_diag_free(&d);
    return out;
}

static void gives(const char *text, const char *expected) {
    tct_buf got = tree(text, NULL);
    assert_string_equal(got.data, expected);
    tct_buf_free(&got);
}

// The value of `let v = <text>` in a graph.
static void value_is(const char *text, const char *expected) {
    tct_buf program = {0}, whole = {0};
    tct_buf_printf(&program, "graph f() -> f32 {\n let v = %s\n}\n", text);
    tct_buf_printf(&whole, "(graph f\n  (result (type f32))\n  (block\n    (let v %s)))\n", expected);
    gives(program.data, whole.data);
    tct_buf_free(&program);
    tct_buf_free(&whole);
}

static void test_precedence(void **state) {
    (void)state;
    value_is("a or b and not c == d", "(or a (and b (not (== c d))))");
    value_is("not a and b", "(and (not a) b)");
    value_is("not not a", "(not (not a))");
    value_is("a + b * c - d div e % g", "(- (+ a (* b c)) (% (div d e) g))");
    value_is("-x ** -y ** z", "(neg (** x (neg (** y z))))");
    value_is("-a * b", "(* (neg a) b)");
    value_is("a < b + 1", "(< a (+ b 1))");
    value_is("(a + b) * c", "(* (+ a b) c)");
    value_is("m.layer[i + 1].k(x)", "(call (field (index (field m layer) (+ i 1)) k) x)");
    value_is("-x.y", "(neg (field x y))");
}

static void test_primary_expressions(void **state) {
    (void)state;
    value_is("1e-1", "0x1.999999999999ap-4");
    value_is("[H, D = 64]", "(list H (= D 64))");
    value_is("[]", "(list)");
    value_is("{tokens = t, mask = m,}", "(struct (= tokens t) (= mask m))");
    value_is("g[V = K](x, T -> U, from = \"d\")", "(call (index g (= V K)) x (-> T U) (= from \"d\"))");
    value_is("split(x, C -> [H, D = 64])", "(call split x (-> C (list H (= D 64))))");
    value_is("config.in.graph", "(field (field config in) graph)");
}

static void test_lines(void **state) {
    (void)state;
    value_is("a\n  + b\n  and c", "(and (+ a b) c)");
    value_is("a +\n\n  b", "(+ a b)");
    value_is("f(a\n, b\n - c)", "(call f a (- b c))");
    value_is("x\n  .y", "(field x y)");
    gives("fn f() {\n a\n (b)\n [c]\n}", "(fn f\n  (block\n    (do a)\n    (do b)\n    (do (list c))))\n");
    gives("fn f() {\n return\n}", "(fn f\n  (block\n    (return)))\n");
}

static void test_if_values(void **state) {
    (void)state;
    value_is("if a { b } else { c }",
             "(if a\n        (block\n          (do b))\n        (else\n          (do c)))");
    value_is(
        "if a { b } else if c { d } else { e }",
        "(if a\n        (block\n          (do b))\n        (else\n          (do (if c\n              (block\n"
        "                (do d))\n              (else\n                (do e))))))");
    // an `if` at the end of a block that is a value is a value as well
    value_is("if a { let y = b\n if y { 1 } else { 2 } } else { c }",
             "(if a\n        (block\n          (let y b)\n          (do (if y\n              (block\n        "
             "        (do 1))\n"
             "              (else\n                (do 2)))))\n        (else\n          (do c)))");
}

static void test_statements(void **state) {
    (void)state;
    gives("graph f(x: f32, y: f32) -> (a: f32, b: f32) {\n"
          " let (p, q) = g(x)\n var n: i32 = 1\n n = 2\n cache.layer[1].k = 3\n axis J = 4\n axis K\n"
          " assert n == 1, \"why\"\n return (a = p, b = q)\n}",
          "(graph f\n  (param x (type f32))\n  (param y (type f32))\n  (result a (type f32))\n  (result b "
          "(type f32))\n"
          "  (block\n    (let (names p q) (call g x))\n    (var n (type i32) 1)\n    (assign n 2)\n"
          "    (assign (field (index (field cache layer) 1) k) 3)\n    (axis J 4)\n    (axis K)\n"
          "    (assert (== n 1) \"why\")\n    (return (tuple (= a p) (= b q)))))\n");
    gives("graph f() -> f32 {\n return (a + b) * c\n}",
          "(graph f\n  (result (type f32))\n  (block\n    (return (* (+ a b) c))))\n");
    gives("graph f() -> f32 {\n return scan T reverse (acc = 0) {\n yield (acc, 1)\n }\n}",
          "(graph f\n  (result (type f32))\n  (block\n    (return (scan T reverse (= acc 0)\n        (block\n"
          "          (yield (tuple acc 1)))))))\n");
}

static void test_pipelines(void **state) {
    (void)state;
    gives("pipeline p {\n let a = 1\n /// Learns.\n stage s {\n  while true { break }\n"
          "  let o = minimize l(m) for mb in split(b, 4) with o1(lr = 1), o2(lr = 2) clip 1.0\n }\n}",
          "(pipeline p\n  (block\n    (let a 1)\n    (stage (doc \"Learns.\") s\n      (block\n        "
          "(while true\n"
          "          (block\n            (break)))\n        (let o (minimize (call l m) (for mb (call split "
          "b 4)) (with"
          " (call o1 (= lr 1)) (call o2 (= lr 2))) (clip 0x1p+0)))))))\n");
    // clip on the next line continues; where a statement can begin so, it is one
    gives(
        "fn f() {\n minimize l(m)\n with o()\n clip c\n clip = 3\n}",
        "(fn f\n  (block\n    (do (minimize (call l m) (with (call o)) (clip c)))\n    (assign clip 3)))\n");
}

static void test_models(void **state) {
    (void)state;
    gives("/// A model.\nmodel M(d: int = 64) {\n axis C = d, F\n let h = d div 2\n param w: f32[C, F] = "
          "normal(0.0, 1.0) as \"w\" [F, "
          "[C, H], 1]\n part l: Block(h)[d] as \"h.{}\"\n if d == 1 {\n  param z: f32 = 0\n } else if d == 2 "
          "{\n }\n"
          " huggingface \"G\" { a = d b = 1 }\n decode g: Cache(d)\n}",
          "(model (doc \"A model.\") M\n  (param d (type int) (default 64))\n  (axis C d)\n  (axis F)\n"
          "  (let h (div d 2))\n  (param w (type f32 (axes C F)) (call normal 0x0p+0 0x1p+0) (as \"w\" (dim "
          "F) (dim C H) "
          "(dim)))\n  (part l (type Block) h (count d) (as \"h.{}\"))\n  (if (== d 1)\n    (members\n"
          "      (param z (type f32) 0))\n    (else\n      (if (== d 2)\n        (members))))\n"
          "  (huggingface (= a d) (= b 1) (as \"G\"))\n  (decode g (type Cache) d))\n");
}

static void test_other_items(void **state) {
    (void)state;
    gives("use std.loss.rm\nuse \"a b.tct\"", "(use std.loss.rm)\n(use \"a b.tct\")\n");
    gives("config {\n a: int = 1 in 0 .. 3\n g {\n  /// Where.\n  b: path = \"x\"\n }\n}",
          "(config\n  (value a (type int) 1 (in 0 3))\n  (group g\n    (value (doc \"Where.\") b (type path) "
          "\"x\")))\n");
    gives("extern fn s(x: f32[B]) -> f32[B]\n    from \"l.so\" gradient \"g\"",
          "(extern s\n  (param x (type f32 (axes B)))\n  (result (type f32 (axes B))) (from \"l.so\") "
          "(gradient \"g\"))\n");
    gives("optimizer o(lr: f32) {\n state v = 0.0\n state = 1\n param = param - lr * grad\n}",
          "(optimizer o\n  (param lr (type f32))\n  (block\n    (state v 0x0p+0)\n    (assign state 1)\n"
          "    (assign param (- param (* lr grad)))))\n");
    gives("fn f(a, b: int, c: list[f32[.., T = 4]], d) -> bool {\n}",
          "(fn f\n  (param a (type int))\n  (param b (type int))\n"
          "  (param c (type list (type f32 (axes .. (= T 4)))))\n  (param d)\n  (result (type bool))\n  "
          "(block))\n");
    gives("graph f(inout cache: Kv, clip: f32 = 0.5) -> f32[] {\n}",
          "(graph f\n  (inout cache (type Kv))\n  (param clip (type f32) (default 0x1p-1))\n"
          "  (result (type f32 (axes)))\n  (block))\n");
}

// How many errors a text gives, and that the items around it are there.
static void errors_are(const char *text, size_t expected, size_t items) {
    tct_diag d = {0};
    tct_ast *ast = tct_parse(&d, tct_diag_add_source(&d, "test.tct", text, strlen(text)));
    if (d.n_errors != expected) {
        tct_buf messages = {0};
        tct_diag_render(&d, &messages, false);
        fprintf(stderr, "%s\n%s", text, messages.data ? messages.data : "");
        tct_buf_free(&messages);
    }
    assert_int_equal(d.n_errors, expected);
    assert_int_equal(ast->n_items, items);
    tct_ast_free(ast);
    tct_diag_free(&d);
}

static void test_one_mistake_is_one_error(void **state) {
    (void)state;
    errors_are("graph f() -> f32 {\n let a = (1 +\n let b = 2\n return a\n}\ngraph g() -> f32 { return 1 }",
               1, 2);
    errors_are("graph f() -> f32 {\n if a {\n  let b = 1\n return a\n}\ngraph g() -> f32 { return 1 }", 1, 2);
    errors_are("graph f(a: f32 -> f32 {\n return a\n}\ngraph g() -> f32 { return 1 }", 1, 1);
    errors_are("graph f() -> f32 {\n return a }}\ngraph g() -> f32 { return 1 }", 1, 2);
    errors_are("graph f() -> f32 {\n foo(a, b c,\n  d, e)\n return a\n}", 1, 1);
    errors_are("graph f() -> f32 {\n let = 3\n + 4\n return a\n}", 1, 1);
    errors_are("grph f() -> f32 {\n return a\n}\ngraph g() -> f32 { return 1 }", 1, 1);
    errors_are("graph f() -> f32 {\n if = {\n  x = 1\n } else {\n  y = 2\n }\n return a\n}", 1, 1);
}

static void test_several_mistakes_are_several_errors(void **state) {
    (void)state;
    errors_are(
        "graph f() -> f32 {\n let a = )\n let b = * 2\n if x = 1 {\n  let = 3\n }\n return\n}\ngraph (", 6,
        1);
}

static void test_spans(void **state) {
    (void)state;
    const char *text = "graph f(x: f32) -> f32 {\n    return g(x, 1) + x.y\n}\n";
    tct_diag d = {0};
    tct_ast *ast = tct_parse(&d, tct_diag_add_source(&d, "test.tct", text, strlen(text)));
    const tct_expr *e = ast->items[0]->body->stmts[0]->value;
    assert_int_equal(ast->items[0]->span.begin, 0);
    assert_int_equal(ast->items[0]->span.end, strlen(text) - 1);
    assert_memory_equal(text + e->span.begin, "g(x, 1) + x.y", e->span.end - e->span.begin);
    assert_memory_equal(text + e->op_span.begin, "+", e->op_span.end - e->op_span.begin);
    assert_memory_equal(text + e->a->op_span.begin, "(x, 1)", e->a->op_span.end - e->a->op_span.begin);
    assert_memory_equal(text + e->b->op_span.begin, "y", e->b->op_span.end - e->b->op_span.begin);
    tct_ast_free(ast);
    tct_diag_free(&d);
}

// Trees stay low whatever the text: each of these would be many thousand levels high.
static void test_depth_is_bounded(void **state) {
    (void)state;
    static const char *const units[] = {"(",      "[",     "-",       "not ",
                                        "x(",     "x[",    "a + ",    ".x",
                                        "x ** ",  "{a = ", "if a { ", "scan T { yield ",
                                        "a and ", "()",    "[i]",     "if a { b } else "};
    for (size_t k = 0; k < sizeof units / sizeof units[0]; k++) {
        tct_buf text = {0};
        tct_buf_puts(&text, "graph f() -> f32 {\n let v = ");
        if (units[k][0] == '.' || units[k][0] == '(' || units[k][0] == '[') tct_buf_puts(&text, "x");
        for (int n = 0; n < 20000; n++) tct_buf_puts(&text, units[k]);
        tct_buf_puts(&text, "\n}\n");
        size_t errors;
        tct_buf out = tree(text.data, &errors);
        assert_true(errors > 0);
        tct_buf_free(&out);
        tct_buf_free(&text);
    }
    tct_buf text = {0};
    tct_buf_puts(&text, "fn f() {\n");
    for (int n = 0; n < 20000; n++) tct_buf_puts(&text, "if a { } else ");
    tct_buf_puts(&text, "{ }\n}\nmodel M {\n");
    for (int n = 0; n < 20000; n++) tct_buf_puts(&text, "if a { } else ");
    tct_buf_puts(&text, "{ }\n}\n");
    size_t errors;
    tct_buf out = tree(text.data, &errors);
    assert_true(errors > 0);
    tct_buf_free(&out);
    tct_buf_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_primary_expressions),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_if_values),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_pipelines),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_other_items),
        cmocka_unit_test(test_one_mistake_is_one_error),
        cmocka_unit_test(test_several_mistakes_are_several_errors),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
