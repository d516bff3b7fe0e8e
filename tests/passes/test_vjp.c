// Every derivative against central differences, over the table of operations: an operation that has one and
// no case here fails the test.
#include "tests/passes/gradient_check.h"

#include "passes/vjp.h"

#define AXES "axis A = 3 axis B = 2 axis C = 4 axis D = 1 axis E = 3 axis F = 6 axis G = 5 axis H = 8 "
#define X(type) "%0: f64" type " = input #0 \"x\" "
#define Y(type) "%1: f64" type " = input #1 \"y\" "
#define Z(type) "%2: f64" type " = input #2 \"z\" "
#define I(n, type) "%" #n ": i32" type " = input #" #n " \"i\" "

static const struct {
    tct_ir_op op;
    const char *body; // of a graph; results to differentiate as outputs
} cases[] = {
    {TCT_IR_CAST, X("[A]") "%1: f32[A] = cast %0 %2: f64[A] = cast %1 %3: f64[A] = mul %2, %0 return y = %3"},
    {TCT_IR_WHERE,
     X("[A]") Y("[A, B]") "%2: bool[B] = input #2 \"c\" %3: f64[A, B] = where %2, %0, %1 return y = %3"},
    {TCT_IR_WHERE, X("[A]") Y("") "%2: bool[A] = input #2 \"c\" %3: f64[A] = where %2, %1, %0 return y = %3"},
    {TCT_IR_SUM, X("[A, B, C]") "%1: f64[B] = sum %0 {C, A} %2: f64[A, B, C] = mul %0, %1 return y = %2"},
    {TCT_IR_SUM, X("[A, D]") "%1: f64[A] = sum %0 {D} return y = %1"},
    {TCT_IR_REDUCE_MAX,
     X("[A, C]") "%1: f64[A] = reduce_max %0 {C} %2: f64 = reduce_max %1 {A} return y = %1, z = %2"},
    {TCT_IR_REDUCE_MIN, X("[A, D, C]") "%1: f64[C] = reduce_min %0 {D, A} return y = %1"},
    {TCT_IR_DOT, X("[A, B, C]") Y("[C, B, E]") "%2: f64[B, A, E] = dot %0, %1 {C} return y = %2"},
    {TCT_IR_DOT, X("[A, B, C]") Y("[B, C]") "%2: f64[A] = dot %0, %1 {B, C} return y = %2"},
    {TCT_IR_DOT, X("[A, C]") Y("[A, C]") "%2: f64[A] = dot %0, %1 {C} return y = %2"},
    {TCT_IR_DOT, X("[A, C]") Y("[C, A]") "%2: f64 = dot %0, %1 {A, C} return y = %2"},
    {TCT_IR_DOT, X("[D, A]") Y("[A, C]") "%2: f64[C, D] = dot %0, %1 {A} return y = %2"},
    {TCT_IR_DOT, X("[A, B]") Y("[B, C]") "%2: f64[A, B, C] = dot %0, %1 {} return y = %2"},
    {TCT_IR_DOT,
     X("[A, C]") "%1: f64[E, C] = rename %0 {A} -> {E} %2: f64[A, E] = dot %0, %1 {C} return y = %2"},
    {TCT_IR_DOT, X("[A, C]") "%1: f64[A] = dot %0, %0 {C} return y = %1"},
    {TCT_IR_RENAME,
     X("[A, B]") "%1: f64[E, B] = rename %0 {A} -> {E} %2: f64[A, B, E] = mul %0, %1 return y = %2"},
    {TCT_IR_BROADCAST, X("[B]") "%1: f64[A, C, B] = broadcast %0 {A, C} return y = %1"},
    {TCT_IR_BROADCAST, X("") "%1: f64[D] = broadcast %0 {D} return y = %1"},
    {TCT_IR_SLICE, X("[F, B]") "%1: f64[A, B] = slice %0 {F} -> {A} #2 by 1 return y = %1"},
    {TCT_IR_SLICE, X("[F, B]") "%1: f64[A, B] = slice %0 {F} -> {A} #1 by 2 return y = %1"},
    {TCT_IR_SLICE, X("[F]") "%1: f64[D] = slice %0 {F} -> {D} #5 by 3 return y = %1"},
    {TCT_IR_PAD, X("[A, B]") "%1: f64[F, B] = pad %0 {A} -> {F} #2 fill 1.5 return y = %1"},
    {TCT_IR_CONCAT,
     X("[A, B]") Y("[B, D]") Z("[C, B]") "%3: f64[B, H] = concat %0, %1, %2 {A, D, C} -> {H} return y = %3"},
    {TCT_IR_SPLIT, X("[B, F]") "%1: f64[B, A, D'2] = split %0 {F} -> {A, D'2} return y = %1"},
    {TCT_IR_MERGE, X("[B, A, C]") "%1: f64[C, F] = merge %0 {A, B} -> {F} return y = %1"},
    {TCT_IR_FLIP, X("[B, A]") "%1: f64[B, A] = flip %0 {A} return y = %1"},
    {TCT_IR_AFTER, X("[A, B]") Y("[C]") "%2: f64[A, B] = after %0, %1 return y = %2"},
    {TCT_IR_GATHER, X("[C, B]") I(1, "[F]") "%2: f64[F, B] = gather %0, %1 {C} return y = %2"},
    {TCT_IR_GATHER, X("[A, C]") I(1, "[A, B]") "%2: f64[A, B] = gather %0, %1 {C} return y = %2"},
    {TCT_IR_GATHER, X("[A, C]") I(1, "") "%2: f64[A] = gather %0, %1 {C} return y = %2"},
    {TCT_IR_SCATTER_ADD,
     X("[C, B]") I(1, "[F]") Z("[F, B]") "%3: f64[C, B] = scatter_add %0, %1, %2 {C} return y = %3"},
    {TCT_IR_SCATTER_ADD,
     X("[A, C]") I(1, "[A]") Z("[A]") "%3: f64[A, C] = scatter_add %0, %1, %2 {C} return y = %3"},
    {TCT_IR_PUT, X("[C, B]") I(1, "[F]") Z("[F, B]") "%3: f64[C, B] = put %0, %1, %2 {C} return y = %3"},
    {TCT_IR_PUT,
     X("[A, C]") I(1, "[A, B, E]") Z("[A, B, E]") "%3: f64[A, C] = put %0, %1, %2 {C} return y = %3"},
    {TCT_IR_PUT, X("[A, C]") I(1, "[A]") Z("[A]") "%3: f64[A, C] = put %0, %1, %2 {C} return y = %3"},
    {TCT_IR_PUT, X("[C]") I(1, "") Z("") "%3: f64[C] = put %0, %1, %2 {C} return y = %3"},
    // A recurrence with a sliced and a whole operand, both results used; backwards; without carries; in one
    // another.
    {TCT_IR_SCAN,
     X("[B]") Y("[A, B]")
         Z("[B]") "%3: (f64[B], f64[A, B]) = scan %0, %1, %2 {A} #1 by 1 body {"
                  " %0: f64[B] = input #0 \"h\" %1: f64[B] = input #1 \"x\" %2: f64[B] = input #2 \"w\""
                  " %3: f64[B] = mul %0, %2 %4: f64[B] = add %3, %1 %5: f64[B] = tanh %4 %6: f64[B] = mul "
                  "%5, %1"
                  " return h = %5, y = %6 } %4: f64[B] = get %3 #0 %5: f64[A, B] = get %3 #1 return h = %4, "
                  "y = %5"},
    {TCT_IR_SCAN,
     X("[A, B]")
         Y("") "%2: f64 = const 0 %3: f64[B] = broadcast %2 {B}"
               "%4: (f64[B], f64[A, B]) = scan %3, %0, %1 {A} #1 by -1 body {"
               " %0: f64[B] = input #0 \"acc\" %1: f64[B] = input #1 \"r\" %2: f64 = input #2 \"gamma\""
               " %3: f64[B] = mul %0, %2 %4: f64[B] = add %3, %1 return acc = %4, g = %4 }"
               " %5: f64[A, B] = get %4 #1 return y = %5"},
    {TCT_IR_SCAN,
     X("[A, B]") Y("[B]") "%2: (f64[A, B]) = scan %0, %1 {A} #0 by 1 body {"
                          " %0: f64[B] = input #0 \"x\" %1: f64[B] = input #1 \"y\" %2: f64[B] = mul %0, %1"
                          " return y = %2 } %3: f64[A, B] = get %2 #0 return y = %3"},
    {TCT_IR_SCAN,
     X("") Y(
         "[A, B]") "%2: (f64) = scan %0, %1 {A} #1 by 1 body {"
                   " %0: f64 = input #0 \"s\" %1: f64[B] = input #1 \"row\""
                   " %2: (f64, f64[B]) = scan %0, %1 {B} #1 by -1 body {"
                   "  %0: f64 = input #0 \"s\" %1: f64 = input #1 \"x\" %2: f64 = mul %0, %1 %3: f64 = sin %2"
                   "  return s = %3, t = %0 }"
                   " %3: f64 = get %2 #0 %4: f64[B] = get %2 #1 %5: f64 = sum %4 {B} %6: f64 = add %3, %5"
                   " return s = %6 } %3: f64 = get %2 #0 return s = %3"},
    // Along two axes, with an operand that has one of them.
    {TCT_IR_SCAN,
     X("[A, B, C]") Y("[B, C]")
         Z("[C]") "%3: (f64[C], f64[B, A, C]) = scan %2, %0, %1 {B, A} #1 by 1 body {"
                  " %0: f64[C] = input #0 \"h\" %1: f64[C] = input #1 \"x\" %2: f64[C] = input #2 \"y\""
                  " %3: f64[C] = mul %1, %2 %4: f64[C] = add %3, %0 %5: f64[C] = tanh %4"
                  " return h = %5, z = %3 } %4: f64[C] = get %3 #0 %5: f64[B, A, C] = get %3 #1"
                  " return h = %4, z = %5"},
    {TCT_IR_GET, X("[A]") "%1: (f64[A], f64[A]) = scan %0 {B} #1 by 1 body {"
                          " %0: f64[A] = input #0 \"x\" %1: f64[A] = sin %0 return x = %1, y = %0 }"
                          " %2: f64[A] = get %1 #0 return y = %2"},
    {TCT_IR_FOREIGN,
     X("[A]") "%1: (f64[A]) = foreign %0 #0 \"test:cube:cube_grad\" body {"
              " %0: f64[A] = input #0 \"x\" return y = %0 } %2: f64[A] = get %1 #0 return y = %2"},
};

static bool has_derivative(int op) { return strcmp(tct_ir_ops[op].derivative, "vjp") == 0; }

static bool wants_positive(int op) {
    return op == TCT_IR_LOG || op == TCT_IR_LOG1P || op == TCT_IR_SQRT || op == TCT_IR_RSQRT ||
           op == TCT_IR_POW;
}

static void test_rules_are_those_of_the_table(void **state) {
    (void)state;
    for (int op = 0; op < TCT_IR_N_OPS; op++)
        if (has_derivative(op) != (tct_vjp_of((tct_ir_op)op) != NULL))
            fail_msg("%s: the table says '%s', and passes/vjp.c %s a rule", tct_ir_ops[op].name,
                     tct_ir_ops[op].derivative, tct_vjp_of((tct_ir_op)op) ? "has" : "lacks");
}

static int check_unary(int op) {
    const char *const shapes[] = {"", "[A]", "[D]", "[B, A]"};
    int n = 0;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++, n++) {
        char text[512];
        snprintf(text, sizeof text,
                 AXES "graph g { %%0: f64%s = input #0 \"x\" %%1: f64%s = %s %%0 return y = %%1 }", shapes[k],
                 shapes[k], tct_ir_ops[op].name);
        check_text(text, wants_positive(op));
    }
    return n;
}

static int check_binary(int op) {
    const char *const shapes[][3] = {{"", "", ""},
                                     {"[A]", "[A]", "[A]"},
                                     {"[A]", "", "[A]"},
                                     {"", "[A]", "[A]"},
                                     {"[A]", "[B]", "[B, A]"},
                                     {"[A, B]", "[B]", "[A, B]"},
                                     {"[D]", "[A]", "[D, A]"},
                                     {"[D]", "[D]", "[D]"},
                                     {"[B, D]", "[A, D]", "[B, D, A]"}};
    int n = 0;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++, n++) {
        char text[512];
        snprintf(text, sizeof text,
                 AXES
                 "graph g { %%0: f64%s = input #0 \"x\" %%1: f64%s = input #1 \"y\" %%2: f64%s = %s %%0, %%1 "
                 "return y = %%2 }",
                 shapes[k][0], shapes[k][1], shapes[k][2], tct_ir_ops[op].name);
        check_text(text, wants_positive(op));
    }
    return n;
}

static void test_every_derivative(void **state) {
    (void)state;
    for (int op = 0; op < TCT_IR_N_OPS; op++) {
        if (!has_derivative(op)) continue;
        int n = 0;
        bool plain = tct_ir_ops[op].cls == TCT_CLASS_ELEMENTWISE && op != TCT_IR_CAST;
        if (plain && tct_ir_ops[op].arity == 1) n += check_unary(op);
        if (plain && tct_ir_ops[op].arity == 2) n += check_binary(op);
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            if ((int)cases[k].op != op) continue;
            char text[2048];
            snprintf(text, sizeof text, AXES "axis D'2 = 2 graph g { %s }", cases[k].body);
            if (op == TCT_IR_FOREIGN) { // the gradient declares none of its own
                tct_ir_module *m = tct_ir_module_new();
                tct_arena arena = {0};
                tct_diag d = {0};
                tct_graph *g = with_loss(parse_text(&d, m, text), 0);
                check_gradient(g, make_inputs(g, &arena, false), 1e-7);
                tct_diag_free(&d);
                tct_arena_free(&arena);
                tct_ir_module_free(m);
            } else {
                check_text(text, false);
            }
            n++;
        }
        if (!n) fail_msg("%s has a derivative and no test", tct_ir_ops[op].name);
    }
}

// One graph, inputs given, the gradient to input 0.
static void expect_gradient(const char *text, const double *x, const double *want, size_t n) {
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = with_loss(parse_text(&d, m, text), 1);
    g->outputs.len = 1; // the loss of the text itself
    uint32_t wrt = 0;
    tct_graph *with = tct_grad(&d, g, 0, &wrt, 1);
    if (!with) fail_with(&d, g, "grad");
    tct_arena arena = {0};
    tct_ir_tensor *in = make_inputs(with, &arena, false);
    memcpy(in[0].data, x, n * sizeof *x);
    const double *have = interpret(with, &arena, in)[1].data;
    for (size_t k = 0; k < n; k++)
        if (!(fabs(have[k] - want[k]) < 1e-12)) {
            char what[100];
            snprintf(what, sizeof what, "element %zu: %.17g, not %.17g", k, have[k], want[k]);
            fail_with(&d, with, what);
        }
    tct_arena_free(&arena);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_ties_share(void **state) {
    (void)state;
    const double x[] = {1, 3, 3}, share[] = {0, 0.5, 0.5}, low[] = {1, 0, 0}, half[] = {0.5, 0.5, 0.5};
    expect_gradient(
        "axis A = 3 graph g { %0: f64[A] = input #0 \"x\" %1: f64 = reduce_max %0 {A} return l = %1 }", x,
        share, 3);
    expect_gradient(
        "axis A = 3 graph g { %0: f64[A] = input #0 \"x\" %1: f64 = reduce_min %0 {A} return l = %1 }", x,
        low, 3);
    const double three[] = {3, 3, 3};
    for (int k = 0; k < 2; k++) {
        char text[300];
        snprintf(
            text, sizeof text,
            "axis A = 3 graph g { %%0: f64[A] = input #0 \"x\" %%1: f64 = const 3 %%2: f64[A] = %s %%0, %%1 "
            "%%3: f64 = sum %%2 {A} return l = %%3 }",
            k ? "min" : "max");
        expect_gradient(text, three, half, 3);
    }
}

static void test_where_keeps_the_side_not_taken_out(void **state) {
    (void)state;
    // log, division, sqrt, pow and an overflowing exp, each where it isn't taken.
    const double x[] = {-1, 0, 2}, d_log[] = {0, 0, 0.5}, d_root[] = {0, 0, 0.5 / sqrt(2)},
                 d_over[] = {0, 0, -0.25};
    const char *frame =
        "axis A = 3 graph g { %%0: f64[A] = input #0 \"x\" %%1: f64 = const 0 %%2: bool[A] = gt %%0, %%1 "
        "%%3: f64 = const 1 %s %%9: f64[A] = where %%2, %%8, %%1 %%10: f64 = sum %%9 {A} return l = %%10 }";
    const struct {
        const char *body;
        const double *want;
    } sides[] = {
        {"%8: f64[A] = log %0", d_log},
        {"%8: f64[A] = sqrt %0", d_root},
        {"%8: f64[A] = div %3, %0", d_over},
        {"%4: f64[A] = log %0 %5: f64[A] = neg %4 %6: f64[A] = sub %3, %5 %8: f64[A] = add %6, %3", d_log},
        {"%4: f64[A] = log %0 %5: f64[A] = exp %4 %6: f64[A] = log %5 %8: f64[A] = mul %6, %3", d_log},
    };
    for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
        char text[700];
        snprintf(text, sizeof text, frame, sides[k].body);
        expect_gradient(text, x, sides[k].want, 3);
    }
}

static void test_flat_operations_give_zero(void **state) {
    (void)state;
    const double x[] = {0.3, 1.7}, zero[] = {0, 0};
    const char *const names[] = {"floor", "round", "sign", "stop_gradient"};
    for (size_t k = 0; k < 4; k++) {
        char text[300];
        snprintf(
            text, sizeof text,
            "axis A = 2 graph g { %%0: f64[A] = input #0 \"x\" %%1: f64[A] = %s %%0 %%2: f64 = sum %%1 {A} "
            "return l = %%2 }",
            names[k]);
        expect_gradient(text, x, zero, 2);
    }
    expect_gradient("axis A = 2 graph g { %0: f64[A] = input #0 \"x\" %1: f64 = const 1 return l = %1 }", x,
                    zero, 2);
}

static void expect_error(const char *text, uint32_t wrt, const char *code, const char *words) {
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = parse_text(&d, m, text);
    assert_null(tct_grad(&d, g, 0, &wrt, 1));
    assert_int_equal(d.n_errors, 1);
    assert_string_equal(d.messages.data[0].code, code);
    if (!strstr(d.messages.data[0].text, words)) fail_msg("'%s' lacks '%s'", d.messages.data[0].text, words);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_errors(void **state) {
    (void)state;
    expect_error("axis A = 2 graph g { %0: f32[A] = input #0 \"x\" return l = %0 }", 0, "E0620", "f32[A]");
    expect_error("graph g { %0: i32 = input #0 \"x\" return l = %0 }", 0, "E0620", "i32");
    expect_error("graph g { %0: f32 = input #0 \"x\" %1: i32 = input #1 \"n\" return l = %0 }", 1, "E0621",
                 "'n'");
    expect_error("graph g { %0: f64 = input #0 \"x\" %1: (f64) = foreign %0 #0 \"lib:f\" body { %0: f64 = "
                 "input #0 \"x\" "
                 "return y = %0 } %2: f64 = get %1 #0 return l = %2 }",
                 0, "E0622", "lib:f");
    expect_error(
        "graph g { %0: f64 = input #0 \"x\" %1: (f64) = fused %0 \"loop\" body { %0: f64 = input #0 \"x\" "
        "return y = %0 } %2: f64 = get %1 #0 return l = %2 }",
        0, "E0622", "fused");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_are_those_of_the_table),
        cmocka_unit_test(test_every_derivative),
        cmocka_unit_test(test_ties_share),
        cmocka_unit_test(test_where_keeps_the_side_not_taken_out),
        cmocka_unit_test(test_flat_operations_give_zero),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
