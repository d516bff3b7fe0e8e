// The text form: print, parse, print again; and what the parser refuses.
#include "ir/ir.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *print(const tct_graph *g, tct_buf *out) {
    tct_ir_print(g, out, NULL);
    return out->data;
}

// Parses, and fails with the rendered messages where it can't.
static tct_graph *parse(tct_diag *d, tct_ir_module *m, const char *text) {
    tct_graph *g = tct_ir_parse(d, m, "test.tir", text, strlen(text));
    if (!g) {
        tct_buf out = {0};
        tct_diag_render(d, &out, false);
        print_error("%s\n%s\n", text, out.data);
        tct_buf_free(&out);
        fail();
    }
    return g;
}

static void test_every_feature_prints_as_written(void **state) {
    (void)state;
    const char *text = "axis B = 4\n"
                       "axis V = 10\n"
                       "axis T = ?\n"
                       "axis V'1 = 9\n"
                       "axis \"odd name\" = 2\n"
                       "graph softmax {\n"
                       "  %0: f32[B, V] = input #0 \"x\"\n"
                       "  %1: f32 = const -inf\n"
                       "  %2: f64 = const 0.1\n"
                       "  %3: f32 = const nan\n"
                       "  %4: bool = const true\n"
                       "  %5: i64 = const -9223372036854775808\n"
                       "  %6: i32[T] = iota\n"
                       "  %7: f32 = size {B, V}\n"
                       "  %8: f32[B, V] = random %5 {V, B} #3\n"
                       "  %9: f32[B] = reduce_max %0 {V}\n"
                       "  %10: f32[V'1, B] = slice %0 {V} -> {V'1} #1 by 1 @\"a pass\"\n"
                       "  %11: f32[\"odd name\", B, V] = broadcast %0 {\"odd name\"} @grad\n"
                       "  %12: f32[B, V] = pad %10 {V'1} -> {V} #1 fill -0\n"
                       "  %13: (f32[B], f32[V, B]) = scan %9, %0 {V} #1 by -1 body {\n"
                       "    %0: f32[B] = input #0 \"c\"\n"
                       "    %1: f32[B] = input #1 \"x\"\n"
                       "    %2: f32[B] = add %0, %1\n"
                       "    return c = %2, row = %1\n"
                       "  }\n"
                       "  %14: f32[B] = get %13 #0\n"
                       "  %15: (f32[B]) = foreign %14 #0 \"lib:\\\"f\\\\\\x0a\" body {\n"
                       "    %0: f32[B] = input #0 \"x\"\n"
                       "    return y = %0\n"
                       "  }\n"
                       "  return out = %12 into 0, \"a b\" = %14, grad.x = %11\n"
                       "}\n";
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = parse(&d, m, text);
    tct_buf out = {0};
    assert_string_equal(print(g, &out), text);
    tct_buf_free(&out);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_labels_and_comments_are_free(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *a =
        parse(&d, m,
              "axis B=4 ; batch\ngraph \"any name\" { %first.one:f32[B]=input #0 \"x\" ; \"quoted\n"
              "%b:f32[B]=neg %first.one return out=%b}");
    tct_graph *b =
        parse(&d, m, "axis B=4\ngraph g { %0: f32[B] = input #0 \"x\" %1: f32[B] = neg %0 return out = %1 }");
    assert_true(tct_ir_equal(a, b));
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_places_are_printed_when_asked(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = parse(&d, m, "graph g {\n  %0: f32 = const 1\n  return out = %0\n}\n");
    tct_buf out = {0};
    tct_ir_print(g, &out, &d);
    assert_string_equal(out.data, "source test.tir = \"test.tir\"\ngraph g {\n  %0: f32 = const 1 @ "
                                  "test.tir:2:13\n  return out = %0\n}\n");
    tct_buf_free(&out);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

// Files of one name, names that are no words, places far out, nodes in bodies, nodes without a place.
static void test_places_come_back(void **state) {
    (void)state;
    const char *text = "source rm.tct = \"std/loss/rm.tct\"\n"
                       "source rm.tct.2 = \"mine/rm.tct\"\n"
                       "source \"a b\" = \"a b\"\n"
                       "axis T = 3\n"
                       "graph g {\n"
                       "  %0: f32[T] = input #0 \"x\" @ rm.tct:4:9\n"
                       "  %1: f32 = const 0 @ rm.tct.2:4294967295:4294967295 by stable\n"
                       "  %2: (f32) = scan %1, %0 {T} #1 by 1 body {\n"
                       "    %0: f32 = input #0 \"c\" @ \"a b\":1:1\n"
                       "    %1: f32 = input #1 \"x\"\n"
                       "    %2: f32 = add %0, %1 @ rm.tct:5:7 by \"a pass\"\n"
                       "    return c = %2\n"
                       "  } @grad\n"
                       "  %3: f32 = get %2 #0 @ rm.tct:4:9\n"
                       "  return out = %3\n"
                       "}\n";
    const char *bare = "axis T = 3\n"
                       "graph g {\n"
                       "  %0: f32[T] = input #0 \"x\"\n"
                       "  %1: f32 = const 0\n"
                       "  %2: (f32) = scan %1, %0 {T} #1 by 1 body {\n"
                       "    %0: f32 = input #0 \"c\"\n"
                       "    %1: f32 = input #1 \"x\"\n"
                       "    %2: f32 = add %0, %1\n"
                       "    return c = %2\n"
                       "  }\n"
                       "  %3: f32 = get %2 #0\n"
                       "  return out = %3\n"
                       "}\n";
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = parse(&d, m, text);
    tct_buf out = {0}, without = {0}, message = {0};
    tct_ir_print(g, &out, &d);
    assert_string_equal(out.data, text);
    tct_ir_print_bare(g, &without);
    assert_string_equal(without.data, bare);
    // A message at such a node names the place and shows no text.
    tct_error(&d, "E0620", g->nodes.data[1].span, "no");
    tct_diag_render(&d, &message, false);
    assert_string_equal(message.data, "error[E0620]: no\n  --> mine/rm.tct:4294967295:4294967295\n");
    tct_buf_free(&out);
    tct_buf_free(&without);
    tct_buf_free(&message);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_doubles_keep_their_bits(void **state) {
    (void)state;
    const double values[] = {0.0,   -0.0,          0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308,
                             -1e22, 123456789.123, 1e15};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g = tct_graph_new(m, "g");
        tct_ir_output(g, "out", tct_ir_const(g, TCT_F64, values[k]), -1);
        tct_buf out = {0};
        tct_diag d = {0};
        tct_graph *back = parse(&d, m, print(g, &out));
        assert_memory_equal(&back->nodes.data[0].attr.f, &values[k], sizeof values[k]);
        tct_buf_free(&out);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
}

static void test_random_graphs_come_back_equal(void **state) {
    (void)state;
    unsigned long seen[TCT_IR_N_OPS] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g = tct_random_graph(
            m,
            &(tct_random_graph_options){.seed = seed, .n_nodes = 40, .permute = seed % 2, .aliases = true});
        for (size_t v = 0; v < g->nodes.len; v++) seen[g->nodes.data[v].op]++;
        tct_buf first = {0}, second = {0};
        tct_diag d = {0};
        tct_graph *back = parse(&d, m, print(g, &first));
        assert_true(tct_ir_equal(g, back));
        assert_true(tct_ir_equal(g, tct_graph_copy(g, "copy")));
        back->name = g->name;
        assert_string_equal(print(back, &second), first.data);
        tct_buf_free(&first);
        tct_buf_free(&second);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
    for (int op = 0; op < TCT_IR_N_OPS;
         op++) { // the generator knows every operation that needs no C function
        if (!seen[op] && op != TCT_IR_FOREIGN) fail_msg("no random graph has %s", tct_ir_ops[op].name);
    }
}

typedef struct refusal {
    const char *code, *text, *message;
} refusal;

#define X "axis B = 4\naxis B'1 = 5\naxis T = 3\ngraph g {\n%0: f32[B] = input #0 \"x\"\n"

static const refusal refusals[] = {
    {"E0604", "", "there is no graph in this text: it is empty"},
    {"E0604", " ; nothing", "there is no graph in this text: it is empty"},
    {"E0604", "pipeline p {", "this is no graph in text form, which begins with source, axis or graph"},
    {"E0604", "{\"a\": 1}", "this is no graph in text form, which begins with source, axis or graph"},
    {"E0604", "graph", "the text ends before its graph: expected the name of the graph"},
    {"E0604", "axis B", "the text ends before its graph: expected '='"},
    {"E0604", X "%1: f32[B]", "the text ends in the middle of graph g: expected '='"},
    {"E0604", X "return out = %0", "the text ends in the middle of graph g: expected '}'"},
    {"E0601", "axis B = 4 loss", "expected source, axis or graph, found 'loss'"},
    {"E0601", "source a = b", "expected the path of the source in quotes, found 'b'"},
    {"E0601", "source a = \"b\" source a = \"c\"", "source a is there already"},
    {"E0601", X "%1: f32[B] = neg %0 @ rm.tct:1:1", "source rm.tct has no line of its own above the graph"},
    {"E0601", "source a = \"b\" graph g { %0: f32 = const 0 @ a:0:1", "lines and columns are counted from 1"},
    {"E0601", "source a = \"b\" graph g { %0: f32 = const 0 @ a:1:4294967296",
     "lines and columns are counted from 1"},
    {"E0601", "source a = \"b\" graph g { %0: f32 = const 0 @ a:1 return", "expected ':', found 'return'"},
    {"E0601", X "%1: f32[B] = neg %0 @ %1", "expected the name of a source or pass, found %1"},
    {"E0601", "axis B = 0", "an axis has at least size 1"},
    {"E0601", "axis B = 99999999999999999999",
     "expected the size of the axis, or ?, found '99999999999999999999'"},
    {"E0601", "axis B = 4 axis B = 5", "axis B is there already"},
    {"E0601", "graph g { \x01", "this character begins nothing that the IR has"},
    {"E0601", "graph \"g", "this string has no closing quote"},
    {"E0601", "graph \"g\\", "this string has no closing quote"},
    {"E0601", "graph \"\\q\" {", "a backslash must be followed by \", \\ or x and two hexadecimal digits"},
    {"E0601", "graph \"\\x00\" {", "a string can't hold a NUL byte"},
    {"E0601", "graph g { % }", "% must be followed by the label of a value"},
    {"E0601", X "%1: f32[B] = nag %0", "expected an operation, found 'nag'"},
    {"E0601", X "%1: f32[B] = neg %9", "there is no %9 above this line"},
    {"E0601", X "%0: f32[B] = neg %0", "%0 is there already"},
    {"E0601", X "%1: f33[B] = neg %0", "expected a type, such as f32[B, T], found 'f33'"},
    {"E0601", X "%1: f32[Z] = neg %0", "axis Z has no line of its own above the graph"},
    {"E0601", X "%1: f64[B] = neg %0", "the type says f64, and the result is f32"},
    {"E0601", X "%1: f32[T] = neg %0", "the type has other axes than the result of neg"},
    {"E0601", X "%1: f32[B, B] = neg %0", "the type has other axes than the result of neg"},
    {"E0601", X "%1: (f32[B]) = neg %0", "neg gives one tensor"},
    {"E0601", X "%1: f32 = const x", "expected a number, found 'x'"},
    {"E0601", X "%1: f32 = const 0x10", "expected a number, found '0x10'"},
    {"E0601", X "%1: bool = const 1", "expected true or false, found '1'"},
    {"E0601", X "%1: f32 = const 1 return out = %1 into 7 }", "there is no input 7"},
    {"E0601", X "%1: f32 = input #9 \"y\"", "inputs are numbered from 0 without gaps"},
    {"E0601", X "return out = %0 } more", "expected the end of the text, found 'more'"},
    {"E0603", X "%1: f32 = input #0 \"y\" return out = %1 }",
     "graph g: an input that isn't number 0 of the graph"},
    {"E0603", X "return out = %0, out = %0 }", "graph g: two outputs are called out"},
    {"E0603", X "return a = %0 into 0, b = %0 into 0 }",
     "graph g: two outputs take over the memory of input 0"},
    {"E0614", X "%1: i32 = const 3000000000", "const: 3000000000 is no i32"},
    {"E0302", X "%1: f32[B'1] = input #1 \"y\" %2: f32[B] = add %0, %1", "add: axis B is 4 here and 5 there"},
};

static void test_bad_text_is_refused(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) {
        const refusal *r = &refusals[k];
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        assert_null(tct_ir_parse(&d, m, "test.tir", r->text, strlen(r->text)));
        assert_int_equal(d.messages.len, 1);
        assert_string_equal(d.messages.data[0].text, r->message);
        assert_string_equal(d.messages.data[0].code, r->code);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
}

static void test_nesting_is_limited(void **state) {
    (void)state;
    tct_buf text = {0};
    tct_buf_puts(&text, "graph g {");
    for (int k = 0; k < 100000; k++) tct_buf_puts(&text, "%0: () = foreign #0 \"f\" body {");
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    assert_null(tct_ir_parse(&d, m, "test.tir", text.data, text.len));
    assert_string_equal(d.messages.data[0].text, "bodies are nested deeper than 32");
    tct_buf_free(&text);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

// A byte changed, left out or doubled: whatever the parser accepts prints and comes back equal.
static void test_damaged_text_is_harmless(void **state) {
    (void)state;
    uint32_t random = 12345;
    size_t accepted = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g = tct_random_graph(m, &(tct_random_graph_options){.seed = seed, .n_nodes = 12});
        tct_buf text = {0};
        print(g, &text);
        for (int change = 0; change < 60; change++) {
            tct_buf damaged = {0};
            random = random * 1664525u + 1013904223u;
            size_t at = random % text.len, skip = random >> 28 & 1;
            tct_buf_add(&damaged, text.data, at);
            if (random >> 29 & 1) tct_buf_putc(&damaged, text.data[(random >> 8) % text.len]);
            tct_buf_add(&damaged, text.data + at + skip, text.len - at - skip);
            tct_diag d = {0};
            tct_graph *back = tct_ir_parse(&d, m, "damaged.tir", damaged.data, damaged.len);
            assert_true((back == NULL) == (d.n_errors > 0));
            if (back) {
                tct_buf again = {0};
                accepted++;
                assert_true(tct_ir_equal(back, parse(&d, m, print(back, &again))));
                tct_buf_free(&again);
            }
            tct_buf_free(&damaged);
            tct_diag_free(&d);
        }
        tct_buf_free(&text);
        tct_ir_module_free(m);
    }
    assert_true(accepted > 100);
}

// The graph in docs/ir.md: the block between its first "axis" line and the line "}" is what the printer
// writes.
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_feature_prints_as_written),
        cmocka_unit_test(test_labels_and_comments_are_free),
        cmocka_unit_test(test_places_are_printed_when_asked),
        cmocka_unit_test(test_places_come_back),
        cmocka_unit_test(test_doubles_keep_their_bits),
        cmocka_unit_test(test_random_graphs_come_back_equal),
        cmocka_unit_test(test_bad_text_is_refused),
        cmocka_unit_test(test_nesting_is_limited),
        cmocka_unit_test(test_damaged_text_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
