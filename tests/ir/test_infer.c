// Inference: default layouts, and what is refused with which words.
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char HEAD[] =
    "axis A = 2\naxis B = 3\naxis C = 4\naxis D = 2\naxis E = 5\naxis F = 6\naxis B'1 = 7\naxis B'2 = "
    "?\naxis L = ?\n"
    "axis G1 = 2\naxis G2 = 2\naxis G3 = 2\naxis G4 = 2\naxis G5 = 2\naxis G6 = 2\naxis G7 = 2\n"
    "axis H = 100000000\naxis I = 200000000\naxis J = 300000000\ngraph g {\n"
    "%a: f32[A] = input #0 \"a\" %b: f32[B] = input #1 \"b\" %ab: f32[A, B] = input #2 \"ab\"\n"
    "%ba: f32[B, A] = input #3 \"ba\" %bc: f32[B, C] = input #4 \"bc\" %abc: f32[A, B, C] = input #5 "
    "\"abc\"\n"
    "%b1: f32[B'1] = input #6 \"b1\" %bu: f32[B'2] = input #7 \"bu\" %s: f32 = input #8 \"s\"\n"
    "%ib: i32[B] = input #9 \"ib\" %p: bool[A, B] = input #10 \"p\" %k: i64 = input #11 \"k\"\n"
    "%ia: i32[A] = input #12 \"ia\" %ie: i32[E, A] = input #13 \"ie\" %de: f32[D, E] = input #14 \"de\"\n"
    "%l: f32[L, A] = input #15 \"l\" %g: f32[G1, G2, G3, G4, G5, G6, G7] = input #16 \"g\" %big: f32[H] = "
    "input #17 \"h\"\n"
    "%big2: f32[I] = input #18 \"i\" %f: f32[F] = input #19 \"f\" %ea: f32[E, A] = input #20 \"ea\"\n"
    "%aeb: f32[A, E] = input #21 \"ae\" %d64: f64[A] = input #22 \"d\" %l64: i64[A] = input #23 \"l64\"\n";

// The type with axes in the default order; where the parser would take any order, inference is asked.
typedef struct layout {
    const char *node, *axes;
} layout;

static const layout layouts[] = {
    {"f32[A, B] = add %ab, %ba", "A B"},
    {"f32[A, B] = add %b, %ab", "A B"},
    {"f32[A, B, C] = add %ab, %bc", "A B C"},
    {"f32[A, B, C] = add %bc, %a", "A B C"},
    {"f32[A, B] = add %b, %a", "A B"},
    {"f32[B, A] = add %a, %b", "B A"},
    {"f32[D, E, A, B] = add %ab, %de", "D E A B"},
    {"f32[A, B] = where %p, %a, %b", "A B"},
    {"f32[A] = sum %ba {B}", "A"},
    {"f32[B, A, D, E] = dot %ba, %de {}", "B A D E"},
    {"f32[A, C] = dot %ab, %bc {B}", "A C"},
    {"f32[A, C] = dot %abc, %b {B}", "A C"},
    {"f32[B, A] = dot %abc, %bc {C}", "B A"},
    {"f32[D, B] = rename %ab {A} -> {D}", "D B"},
    {"f32[C, A, B] = broadcast %ab {C}", "C A B"},
    {"f32[A, D] = slice %ab {B} -> {D} #0 by 1", "A D"},
    {"f32[E, A] = pad %ba {B} -> {E} #1 fill 0", "E A"},
    {"f32[A, F] = concat %ab, %ba {B, B} -> {F}", "A F"},
    {"f32[D, B] = split %f {F} -> {D, B}", "D B"},
    {"f32[F, C] = merge %abc {A, B} -> {F}", "F C"},
    {"f32[B, A] = flip %ba {A}", "B A"},
    {"f32[E, A, C] = gather %abc, %ie {B}", "E A C"},
    {"f32[A, B] = scatter_add %ab, %ie, %ea {B}", "A B"},
    {"f32[L, A] = neg %l", "L A"},
    {"f32[D, A] = slice %l {L} -> {D} #5 by 3", "D A"},
};

static void test_default_layouts(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof layouts / sizeof *layouts; k++) {
        const layout *l = &layouts[k];
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        tct_buf text = {0}, order = {0};
        tct_buf_printf(&text, "%s%%x: %s return out = %%x }", HEAD, l->node);
        tct_graph *g = tct_ir_parse(&d, m, "layout", text.data, text.len);
        if (!g) fail_msg("%s: %s", l->node, d.messages.data[0].text);
        tct_node n = g->nodes.data[g->nodes.len - 1];
        assert_true(tct_ir_infer(g, &d, &n, TCT_NO_SPAN));
        for (int a = 0; a < n.n_axes; a++)
            tct_buf_printf(&order, "%s%s", a ? " " : "", tct_axis_of(m, n.axes[a])->name);
        assert_string_equal(order.data, l->axes);
        tct_buf_free(&text);
        tct_buf_free(&order);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
}

typedef struct refusal {
    const char *code, *node, *message;
} refusal;

static const refusal refusals[] = {
    {"E0301", "f32 = add %a, %ia", "add takes operands of one dtype, and these are f32[A] and i32[A]"},
    {"E0301", "f32 = where %p, %a, %ia",
     "where takes operands of one dtype, and these are f32[A] and i32[A]"},
    {"E0301", "f32 = gather %ab, %b {B}", "gather: the index must be i32, and is f32[B]"},
    {"E0301", "f32 = random %s {A} #0", "random: the key must be one i64, and is f32"},
    {"E0301", "f32 = scatter_add %ab, %ie, %ie {B}",
     "scatter_add: base and update must have one dtype, and are f32[A, B] and i32[E, A]"},
    {"E0302", "f32 = add %b, %b1", "add: axis B is 3 here and 7 there"},
    {"E0302", "f32 = add %b, %bu", "add: axis B is 3 here and unknown there"},
    {"E0302", "f32 = sum %ab {B'1}", "sum: axis B is 3 here and 7 there"},
    {"E0302", "f32 = dot %ab, %b1 {B}", "dot: axis B is 7 here and 3 there"},
    {"E0302", "f32 = dot %ab, %b1 {}", "dot: axis B is 3 here and 7 there"},
    {"E0302", "f32 = broadcast %ab {B'1}", "broadcast: axis B is 7 here and 3 there"},
    {"E0303", "f32 = sum %ab {C}", "sum: the operand is f32[A, B] and has no axis C"},
    {"E0303", "f32 = dot %ab, %a {B}", "dot: the second operand is f32[A] and has no axis B"},
    {"E0303", "f32 = flip %s {B}", "flip: the operand is f32 and has no axis B"},
    {"E0303", "f32 = concat %ab, %b {B, B} -> {F}", "concat: an operand is f32[B] and has no axis A"},
    {"E0303", "f32 = concat %b, %ab {B, B} -> {F}", "concat: the first operand is f32[B] and has no axis A"},
    {"E0303", "f32 = put %ab, %ie, %a {B}", "put: the update is f32[A] and has no axis E"},
    {"E0303", "f32 = put %ab, %ia, %ab {B}", "put: the update is f32[A, B] and should have axes [A]"},
    {"E0611", "f32 = broadcast %ab {B}", "broadcast: the result would have axis B twice"},
    {"E0611", "f32 = sum %ab {B, B}", "sum: axis B is named twice"},
    {"E0611", "f32 = merge %ab {A, A} -> {C}", "merge: axis A is named twice"},
    {"E0611", "f32 = gather %ab, %ib {B}", "gather: the index is i32[B] and has the selected axis B itself"},
    {"E0611", "f32 = rename %ab {A} -> {B}", "rename: the result would have axis B twice"},
    {"E0612", "f32 = add %g, %ab", "add: the result would have more than 8 axes"},
    {"E0612", "f32 = add %big, %big2", "add: the result would have more than 2^48 elements"},
    {"E0613", "f32 = add %a", "add takes 2 operands, not 1"},
    {"E0613", "f32 = sum %ab {}", "sum takes at least one axis"},
    {"E0613", "i32 = argmax %ab {A, B}", "argmax takes 1 axis, not 2"},
    {"E0613", "f32 = split %f {F} -> {}", "split takes at least one new axis"},
    {"E0613", "f32 = rename %ab {A} -> {C, D}", "rename takes 1 new axis, not 2"},
    {"E0613", "f32 = concat {} -> {F}", "concat takes 1 to 8 operands, not 0"},
    {"E0614", "bool = add %p, %p", "add takes numbers, and this is bool[A, B]"},
    {"E0614", "i32 = exp %ia", "exp takes floats, and this is i32[A]"},
    {"E0614", "f32 = mod %a, %a", "mod takes integers, and this is f32[A]"},
    {"E0614", "bool = not %a", "not takes bool, and this is f32[A]"},
    {"E0614", "bool = lt %p, %p", "lt takes numbers, and this is bool[A, B]"},
    {"E0614", "f32 = where %a, %a, %a", "where: the condition must be bool, and is f32[A]"},
    {"E0614", "i64 = dot %l64, %l64 {A}", "dot takes floats and i32, and this is i64[A]"},
    {"E0614", "i32 = argmax %p {A}", "argmax takes numbers, and this is bool[A, B]"},
    {"E0614", "bool[A] = iota", "iota counts, and can't be bool"},
    {"E0615", "f32 = rename %ab {A} -> {C}", "rename from A (2) to C (4): the size must stay the same"},
    {"E0615", "f32 = slice %ab {B} -> {C} #0 by 1", "slice from B (3) to C (4): it reaches past the end"},
    {"E0615", "f32 = slice %ab {B} -> {D} #1 by 2", "slice from B (3) to D (2): it reaches past the end"},
    {"E0615", "f32 = slice %ab {B} -> {D} #-1 by 1", "slice from B (3) to D (2): it starts before 0"},
    {"E0615", "f32 = slice %ab {B} -> {D} #0 by 0", "slice from B (3) to D (2): the step must be at least 1"},
    {"E0615", "f32 = slice %ab {B} -> {D} #0 by 9223372036854775807",
     "slice from B (3) to D (2): it reaches past the end"},
    {"E0615", "f32 = pad %ab {B} -> {C} #2 fill 0",
     "pad from B (3) to C (4): the new axis is too short for what it should hold"},
    {"E0615", "f32 = pad %ab {B} -> {C} #9223372036854775807 fill 0",
     "pad from B (3) to C (4): the new axis is too short for what it should hold"},
    {"E0615", "f32 = concat %ab, %ab {B, B} -> {E}",
     "concat from B (3), B (3) to E (5): the new axis must be as long as the others together"},
    {"E0615", "f32 = split %f {F} -> {D, E}",
     "split from F (6) to D (2), E (5): the product of the sizes must stay the same"},
    {"E0615", "f32 = merge %ab {A, B} -> {E}",
     "merge from A (2), B (3) to E (5): the product of the sizes must stay the same"},
    {"E0616", "(f32) = fused %a \"loop\" body { return }", "fused has 1 operands and its body 0 inputs"},
    {"E0616", "(f32) = fused %ab \"loop\" body { %0: f32[B, A] = input #0 \"x\" return y = %0 }",
     "fused: operand 0 is f32[A, B], and the body takes f32[B, A] there"},
    {"E0616",
     "() = scan %a, %ab {B} #1 by 2 body { %0: f32[A] = input #0 \"s\" %1: f32[A] = input #1 \"x\" return s "
     "= %0 }",
     "scan runs with step 1 or -1, not 2"},
    {"E0616",
     "() = scan %a, %ab {B} #1 by 1 body { %0: f32[A] = input #0 \"s\" %1: f32[A] = input #1 \"x\" return }",
     "scan: 1 values are carried, with 2 operands and 0 results"},
    {"E0616",
     "() = scan %s, %ab {B} #1 by 1 body { %0: f32 = input #0 \"s\" %1: f32[A] = input #1 \"x\" return s = "
     "%1 }",
     "scan: value 0 starts as f32 and is f32[A] after a step"},
    {"E0616",
     "() = scan %s, %ab {B} #1 by 1 body { %0: f32 = input #0 \"s\" %1: f32[A, B] = input #1 \"x\" return s "
     "= %0 }",
     "scan: operand 1 is f32[A, B], and the body takes f32[A, B] there"},
    {"E0611",
     "() = scan %b, %ab {B} #1 by 1 body { %0: f32 = input #0 \"s\" %1: f32[A] = input #1 \"x\" return s = "
     "%0 }",
     "scan: the initial value 0 has the axis B that the scan runs along"},
    {"E0617", "f32 = get %a #0", "get takes several results together, and this is f32[A]"},
};

static void test_refusals(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) {
        const refusal *r = &refusals[k];
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        tct_buf text = {0};
        tct_buf_printf(&text, "%s%%x: %s return out = %%x }", HEAD, r->node);
        if (tct_ir_parse(&d, m, "refused", text.data, text.len)) fail_msg("%s was taken", r->node);
        assert_int_equal(d.messages.len, 1);
        assert_string_equal(d.messages.data[0].text, r->message);
        assert_string_equal(d.messages.data[0].code, r->code);
        tct_buf_free(&text);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
}

static void test_bundles_are_read_by_get_alone(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_buf text = {0};
    const char *bundle =
        "%z: (f32[A]) = fused %a \"loop\" body { %0: f32[A] = input #0 \"x\" return y = %0 }";
    tct_buf_printf(&text, "%s%s %%x: f32[A] = neg %%z return out = %%x }", HEAD, bundle);
    assert_null(tct_ir_parse(&d, m, "bundle", text.data, text.len));
    assert_string_equal(d.messages.data[0].text, "neg: operand 0 is several results together");
    tct_buf_free(&text);
    tct_buf_printf(&text, "%s%s %%x: f32[A] = get %%z #1 return out = %%x }", HEAD, bundle);
    assert_null(tct_ir_parse(&d, m, "bundle", text.data, text.len));
    assert_string_equal(d.messages.data[1].text, "get: there is no result 1 among 1");
    tct_buf_free(&text);
    tct_buf_printf(&text, "%s%s return out = %%z }", HEAD, bundle);
    assert_null(tct_ir_parse(&d, m, "bundle", text.data, text.len));
    assert_string_equal(d.messages.data[2].text, "graph g: output out is a bundle");
    tct_buf_free(&text);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_one_mistake_is_reported_once(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = tct_graph_new(m, "g");
    tct_axis b = tct_axis_get(m, "B", 3), other = tct_axis_get(m, "B", 4);
    tct_value x = tct_ir_input(g, "x", TCT_F32, &b, 1), y = tct_ir_input(g, "y", TCT_F32, &other, 1);
    tct_value bad = tct_ir_binary(g, &d, TCT_IR_ADD, x, y);
    assert_int_equal(bad, TCT_NO_VALUE);
    assert_int_equal(tct_ir_unary(g, &d, TCT_IR_NEG, bad), TCT_NO_VALUE);
    assert_int_equal(tct_ir_cast(g, bad, TCT_F64), TCT_NO_VALUE);
    assert_int_equal(tct_ir_broadcast(g, bad, &b, 1), TCT_NO_VALUE);
    assert_int_equal(tct_ir_get(g, bad, 0), TCT_NO_VALUE);
    assert_int_equal(d.n_errors, 1);
    assert_int_equal(g->nodes.len, 2);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_builders_leave_out_what_changes_nothing(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = tct_graph_new(m, "g");
    tct_axis b = tct_axis_get(m, "B", 3), c = tct_axis_get(m, "C", 4);
    tct_value x = tct_ir_input(g, "x", TCT_F32, &b, 1);
    assert_int_equal(tct_ir_cast(g, x, TCT_F32), x);
    assert_int_equal(tct_ir_broadcast(g, x, &b, 1), x);
    tct_value wide = tct_ir_broadcast(g, x, (tct_axis[]){b, c}, 2);
    assert_int_equal(tct_node_of(g, wide)->n_axes, 2);
    assert_int_equal(tct_node_elements(g, tct_node_of(g, wide)), 12);
    tct_ir_module_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_layouts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bundles_are_read_by_get_alone),
        cmocka_unit_test(test_one_mistake_is_reported_once),
        cmocka_unit_test(test_builders_leave_out_what_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
