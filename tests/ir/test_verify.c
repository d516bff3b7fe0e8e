// The verifier catches what a pass may break, and names it; the manual knows every operation.
#include "ir/ir.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// %0 input x [A, B], %1 neg, %2 sum over B, %3 fused group of %0, %4 get; outputs out = %2, y = %4
typedef struct fixture {
    tct_ir_module *m;
    tct_graph *g;
    tct_axis a, b;
} fixture;

static fixture make(void) {
    fixture f = {.m = tct_ir_module_new()};
    f.a = tct_axis_get(f.m, "A", 2);
    f.b = tct_axis_get(f.m, "B", 3);
    tct_axis ab[] = {f.a, f.b};
    f.g = tct_graph_new(f.m, "g");
    tct_value x = tct_ir_input(f.g, "x", TCT_F32, ab, 2);
    f.g->pass = "fold";
    tct_value y = tct_ir_unary(f.g, NULL, TCT_IR_NEG, x);
    f.g->pass = NULL;
    tct_ir_output(f.g, "out", tct_ir_reduce(f.g, NULL, TCT_IR_SUM, y, &f.b, 1), -1);
    tct_graph *body = tct_graph_new(f.m, "body");
    tct_ir_output(body, "y", tct_ir_unary(body, NULL, TCT_IR_EXP, tct_ir_input(body, "x", TCT_F32, ab, 2)),
                  -1);
    tct_value fused =
        tct_ir_emit(f.g, NULL, TCT_IR_FUSED, &x, 1, &(tct_ir_attr){.name = "loop", .body = body});
    tct_ir_output(f.g, "y", tct_ir_get(f.g, fused, 0), 0);
    return f;
}

static tct_node *at(fixture *f, tct_value v) { return &f->g->nodes.data[v]; }

static void swap_axes(tct_node *n) {
    tct_axis t = n->axes[0];
    n->axes[0] = n->axes[1];
    n->axes[1] = t;
}

static void operand_below(fixture *f) { at(f, 1)->in[0] = 2; }
static void operand_itself(fixture *f) { at(f, 1)->in[0] = 1; }
static void operand_nowhere(fixture *f) { at(f, 1)->in[0] = TCT_NO_VALUE; }
static void unknown_op(fixture *f) { at(f, 1)->op = 999; }
static void unknown_axis(fixture *f) { at(f, 1)->axes[0] = 77; }
static void unknown_attr_axis(fixture *f) { at(f, 2)->attr.axes[0] = 77; }
static void too_many_axes(fixture *f) { at(f, 2)->attr.n_axes = 9; }
static void wrong_dtype(fixture *f) { at(f, 1)->dtype = TCT_F64; }
static void wrong_axes(fixture *f) { at(f, 2)->axes[0] = f->b; }
static void too_few_axes(fixture *f) { at(f, 1)->n_axes = 1; }
static void wrong_operand_type(fixture *f) { at(f, 2)->attr.axes[0] = tct_axis_get(f->m, "Z", 5); }
static void not_a_bundle(fixture *f) { at(f, 3)->bundle = false; }
static void get_in_another_order(fixture *f) { swap_axes(at(f, 4)); }
static void input_in_another_order(fixture *f) { swap_axes(at(f, 0)); }
static void input_without_name(fixture *f) { at(f, 0)->attr.name = NULL; }
static void input_of_another_number(fixture *f) { at(f, 0)->attr.i = 1; }
static void input_not_listed(fixture *f) { f->g->inputs.len = 0; }
static void no_body(fixture *f) { at(f, 3)->attr.body = NULL; }
static void body_too_much(fixture *f) { at(f, 1)->attr.body = at(f, 3)->attr.body; }
static void broken_body(fixture *f) { at(f, 3)->attr.body->nodes.data[1].dtype = TCT_I32; }
static void body_with_alias(fixture *f) { at(f, 3)->attr.body->outputs.data[0].alias = 0; }
static void body_of_another_layout(fixture *f) {
    tct_node *inner = &at(f, 3)->attr.body->nodes.data[0];
    swap_axes(inner);
    memcpy(inner->attr.axes, inner->axes, 2 * sizeof *inner->axes);
}
static void foreign_body(fixture *f) {
    tct_ir_module *other = tct_ir_module_new(); // the test releases it
    at(f, 3)->attr.body->module = other;
}
static void endless_body(fixture *f) {
    tct_graph *body = at(f, 3)->attr.body;
    tct_node n = *at(f, 3);
    n.in = TCT_NEW(&f->m->arena, tct_value);
    tct_ir_append(body, &n);
}
static void output_nowhere(fixture *f) { f->g->outputs.data[0].value = 99; }
static void output_bundle(fixture *f) { f->g->outputs.data[0].value = 3; }
static void output_name_twice(fixture *f) { f->g->outputs.data[1].name = "out"; }
static void output_without_name(fixture *f) { f->g->outputs.data[1].name = NULL; }
static void alias_of_another_type(fixture *f) { f->g->outputs.data[0].alias = 0; }
static void alias_nowhere(fixture *f) { f->g->outputs.data[1].alias = 5; }
static void alias_negative(fixture *f) { f->g->outputs.data[1].alias = -2; }

typedef struct damage {
    void (*apply)(fixture *f);
    const char *message;
} damage;

static const damage damages[] = {
    {operand_below, "operand 0 is %2, which doesn't come before"},
    {operand_itself, "operand 0 is %1, which doesn't come before"},
    {operand_nowhere, "operand 0 is %4294967295, which doesn't come before"},
    {unknown_op, "there is no operation number 999"},
    {unknown_axis, "an axis that the module doesn't have"},
    {unknown_attr_axis, "an axis that the module doesn't have"},
    {too_many_axes, "an axis that the module doesn't have"},
    {wrong_dtype, "the result is said to be f64, and is f32"},
    {wrong_axes, "the result should have axis A"},
    {too_few_axes, "the result is said to have 1 axes, and has 2"},
    {wrong_operand_type, "sum: the operand is f32[A, B] and has no axis Z"},
    {not_a_bundle, "the result is said to be f32, and is a bundle"},
    {get_in_another_order, "the order of the axes is not the operation's to choose"},
    {input_in_another_order, "the order of the axes is not the operation's to choose"},
    {input_without_name, "an input without a name"},
    {input_of_another_number, "input 0 has no node"},
    {input_not_listed, "an input that isn't number 0 of the graph"},
    {no_body, "the body is missing"},
    {body_too_much, "a body that the operation doesn't have"},
    {broken_body, "the result is said to be i32, and is f32"},
    {body_with_alias, "output 0 of the body takes over an input's memory"},
    {body_of_another_layout, "fused: operand 0 is f32[A, B], and the body takes f32[B, A] there"},
    {foreign_body, "the body belongs to another module"},
    {endless_body, "bodies are nested deeper than 32"},
    {output_nowhere, "output 0 has no node"},
    {output_bundle, "output out is a bundle"},
    {output_name_twice, "two outputs are called out"},
    {output_without_name, "output 1 has no name"},
    {alias_of_another_type, "output out takes over input 0, which has another type"},
    {alias_nowhere, "output y takes over input 5, which there isn't"},
    {alias_negative, "output y takes over input -2, which there isn't"},
};

static void test_damage_is_found(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof damages / sizeof *damages; k++) {
        fixture f = make();
        tct_diag d = {0};
        assert_true(tct_ir_verify(&d, f.g, NULL));
        tct_graph *body = at(&f, 3)->attr.body;
        damages[k].apply(&f);
        if (tct_ir_verify(&d, f.g, "fuse")) fail_msg("not found: %s", damages[k].message);
        assert_int_equal(d.messages.len, 1);
        assert_string_equal(d.messages.data[0].code, "E0603");
        const char *text = strstr(d.messages.data[0].text, ", after pass fuse: ");
        assert_non_null(text);
        assert_string_equal(text + strlen(", after pass fuse: "), damages[k].message);
        if (body->module != f.m) tct_ir_module_free(body->module);
        tct_diag_free(&d);
        tct_ir_module_free(f.m);
    }
}

static void test_the_maker_is_named(void **state) {
    (void)state;
    fixture f = make();
    tct_diag d = {0};
    wrong_dtype(&f);
    assert_false(tct_ir_verify(&d, f.g, NULL));
    assert_string_equal(d.messages.data[0].text, "graph g: the result is said to be f64, and is f32");
    assert_int_equal(d.messages.data[0].n_notes, 1);
    assert_string_equal(d.messages.data[0].notes[0].text, "node %1, neg, made by fold");
    tct_diag_free(&d);
    tct_ir_module_free(f.m);
}

static void test_any_layout_is_valid(void **state) {
    (void)state;
    fixture f = make();
    tct_diag d = {0};
    swap_axes(at(&f, 1));
    assert_true(tct_ir_verify(&d, f.g, NULL));
    tct_ir_module_free(f.m);
}

static void test_copies_are_deep(void **state) {
    (void)state;
    fixture f = make();
    tct_graph *copy = tct_graph_copy(f.g, "copy");
    assert_true(tct_ir_equal(f.g, copy));
    assert_string_equal(copy->nodes.data[1].pass, "fold");
    copy->nodes.data[3].attr.body->nodes.data[1].op = TCT_IR_LOG;
    assert_false(tct_ir_equal(f.g, copy));
    assert_int_equal(f.g->nodes.data[3].attr.body->nodes.data[1].op, TCT_IR_EXP);
    tct_ir_module_free(f.m);
}

static void test_differences_are_seen(void **state) {
    (void)state;
    for (size_t k = 0; k < 6; k++) {
        fixture f = make();
        tct_graph *copy = tct_graph_copy(f.g, "copy");
        switch (k) {
        case 0:
            copy->nodes.data[2].attr.axes[0] = f.a;
            break;
        case 1:
            swap_axes(&copy->nodes.data[1]);
            break;
        case 2:
            copy->nodes.data[4].attr.i = 1;
            break;
        case 3:
            copy->nodes.data[0].attr.name = "z";
            break;
        case 4:
            copy->outputs.data[0].alias = 0;
            break;
        default:
            copy->outputs.len--;
        }
        assert_false(tct_ir_equal(f.g, copy));
        tct_ir_module_free(f.m);
    }
}

static void test_the_manual_has_every_operation(void **state) {
    (void)state;
    tct_buf all = {0};
    assert_true(tct_ir_ops_manual(&all, NULL));
    for (int op = 0; op < TCT_IR_N_OPS; op++) {
        tct_buf one = {0};
        assert_true(tct_ir_ops_manual(&one, tct_ir_ops[op].name));
        assert_non_null(strstr(one.data, tct_ir_ops[op].doc));
        assert_non_null(strstr(all.data, one.data));
        assert_int_equal(tct_ir_op_by_name(tct_ir_ops[op].name, strlen(tct_ir_ops[op].name)), op);
        tct_buf_free(&one);
    }
    tct_buf none = {0};
    assert_false(tct_ir_ops_manual(&none, "nag"));
    assert_int_equal(none.len, 0);
    tct_buf_free(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_is_found),      cmocka_unit_test(test_the_maker_is_named),
        cmocka_unit_test(test_any_layout_is_valid),  cmocka_unit_test(test_copies_are_deep),
        cmocka_unit_test(test_differences_are_seen), cmocka_unit_test(test_the_manual_has_every_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
