// Plans of whole graphs: a training step against the interpreter, kernels shared by layers, memory taken
// over.
#include "tests/codegen/compare.h"
#include "tests/passes/tiny_gpt.h"

static tct_graph *step_of(tct_diag *d, tct_ir_module *m, const tiny_gpt *shape) {
    tct_graph *g = gpt_loss(m, shape, TCT_F32);
    uint32_t wrt[128], n = 0;
    for (uint32_t k = 3; k < g->inputs.len; k++) wrt[n++] = k;
    g = tct_grad(d, g, 0, wrt, n);
    assert_non_null(g);
    return gpt_adamw(g, TCT_F32, wrt, n);
}

static tct_graph *training_step(tct_diag *d, tct_ir_module *m, int layers) {
    tiny_gpt shape = {
        .batch = 2, .length = 8, .width = 32, .heads = 4, .hidden = 64, .vocabulary = 50, .layers = layers};
    return step_of(d, m, &shape);
}

// Numbers like those of a real step: small parameters and moments, positive squares, a step and a rate.
static void make_real(const tct_graph *g, tct_ir_tensor *inputs) {
    for (size_t k = 3; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        float *x = inputs[k].data;
        for (int64_t i = 0; i < tct_node_elements(g, n); i++) {
            x[i] *= 0.1f;
            if (strncmp(n->attr.name, "v.", 2) == 0) x[i] = 0.01f + x[i] * x[i];
        }
        if (strcmp(n->attr.name, "step") == 0) x[0] = 3;
        if (strcmp(n->attr.name, "lr") == 0) x[0] = 0.01f;
    }
}

static void test_training_step(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    compare_options close = {.relative = 1e-4, .absolute = 1e-5, .adjust = make_real};
    compare_graph(c, training_step(&d, m, 2), 5, &close);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// The first row has nothing to learn from; of a batch of one nothing is left.
static void with_empty_row(const tct_graph *g, tct_ir_tensor *inputs) {
    make_real(g, inputs);
    const tct_node *mask = tct_node_of(g, g->inputs.data[2]);
    memset(inputs[2].data, 0, (size_t)tct_axis_of(g->module, mask->axes[1])->size);
}

// Primes, single rows, single tokens, and heads, layers and vocabularies that no vector divides.
static void test_odd_sizes(void **state) {
    (void)state;
    static const tiny_gpt shapes[] = {
        {.batch = 1, .length = 61, .width = 51, .heads = 3, .hidden = 101, .vocabulary = 257, .layers = 1},
        {.batch = 3, .length = 13, .width = 45, .heads = 5, .hidden = 67, .vocabulary = 131, .layers = 2},
        {.batch = 5, .length = 1, .width = 7, .heads = 1, .hidden = 3, .vocabulary = 11, .layers = 1},
        {.batch = 1, .length = 1, .width = 17, .heads = 1, .hidden = 1, .vocabulary = 2, .layers = 1},
        {.batch = 2, .length = 67, .width = 65, .heads = 13, .hidden = 129, .vocabulary = 1009, .layers = 1},
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_compiler *c = tct_compiler_new(&d, NULL, 1);
        tct_graph *g = step_of(&d, m, &shapes[k]);
        compare_graph(c, g, k, &(compare_options){.relative = 1e-3, .absolute = 2e-5, .adjust = make_real});
        compare_graph(c, g, k,
                      &(compare_options){.relative = 1e-3, .absolute = 2e-5, .adjust = with_empty_row});
        tct_compiler_free(c);
        tct_ir_module_free(m);
        tct_diag_free(&d);
    }
}

// Two layers with momentum and no clipping: the updates are epilogues of the products that make the
// gradients, and must wait for whoever reads the old weights.
static void test_updates_as_epilogues(void **state) {
    (void)state;
    const char *text =
        "axis B = 40 axis C = 48 axis F = 80 axis K = 33 graph g { %x: f32[B, C] = input #0 \"x\" %t: f32[B, "
        "K] = input #1 \"t\""
        " %i: i32 = input #2 \"unused\" %v: f32[C, F] = input #3 \"v\" %w: f32[F, K] = input #4 \"w\""
        " %a: f32[B, F] = dot %x, %v {C} %h: f32[B, F] = tanh %a %y: f32[B, K] = dot %h, %w {F}"
        " %e: f32[B, K] = sub %y, %t %q: f32[B, K] = mul %e, %e %l: f32 = sum %q {B, K} return loss = %l }";
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = tct_ir_parse(&d, m, "test.tir", text, strlen(text));
    assert_non_null(g);
    const uint32_t wrt[2] = {3, 4};
    g = tct_grad(&d, g, 0, wrt, 2);
    tct_graph *step = tct_graph_copy(g, "step");
    step->outputs.len = 1;
    for (uint32_t k = 0; k < 2; k++) {
        tct_value p = step->inputs.data[wrt[k]], grad = g->outputs.data[1 + k].value;
        const tct_node *n = tct_node_of(step, p);
        const char *names[2][3] = {{"m.v", "new.m.v", "new.v"}, {"m.w", "new.m.w", "new.w"}};
        tct_axis axes[2] = {n->axes[0], n->axes[1]};
        tct_value old = tct_ir_input(step, names[k][0], TCT_F32, axes, 2);
        tct_value kept = tct_ir_binary(step, NULL, TCT_IR_MUL, old, tct_ir_const(step, TCT_F32, 0.9));
        tct_value moment = tct_ir_binary(step, NULL, TCT_IR_ADD, kept, grad);
        tct_value change = tct_ir_binary(step, NULL, TCT_IR_MUL, moment, tct_ir_const(step, TCT_F32, 0.01));
        tct_ir_output(step, names[k][1], moment, (int32_t)(5 + k));
        tct_ir_output(step, names[k][2], tct_ir_binary(step, NULL, TCT_IR_SUB, p, change), (int32_t)wrt[k]);
    }
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    compare_options close = {.relative = 1e-4, .absolute = 1e-4, .adjust = make_real};
    compare_graph(c, step, 5, &close);
    const tct_plan *plan = tct_compile_graph(&d, c, step, NULL);
    uint32_t products = 0;
    for (uint32_t k = 0; k < plan->n_steps; k++) products += plan->steps[k].kind == TCT_STEP_GEMM;
    assert_int_equal(products, 5);
    assert_true(plan->n_steps <= 8);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

static void test_layers_share_kernels(void **state) {
    (void)state;
    uint32_t kernels[2], steps[2];
    for (int k = 0; k < 2; k++) {
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_compiler *c = tct_compiler_new(&d, NULL, 1);
        assert_non_null(
            tct_compile_graph(&d, c, training_step(&d, m, k ? 6 : 3), &(tct_compile_options){.defer = true}));
        kernels[k] = tct_compiler_stats(c).kernels;
        steps[k] = tct_compiler_stats(c).steps;
        tct_compiler_free(c);
        tct_ir_module_free(m);
        tct_diag_free(&d);
    }
    assert_true(steps[1] > steps[0] + 80);
    assert_true(kernels[1] <= kernels[0] + 4); // sums over all parameters grow with their number
}

static tct_plan *plan_of(tct_diag *d, tct_compiler *c, const char *text) {
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = tct_ir_parse(d, m, "test.tir", text, strlen(text));
    assert_non_null(g);
    tct_plan *plan = tct_compile_graph(d, c, g, NULL);
    assert_non_null(plan);
    tct_ir_module_free(m); // the plan needs nothing of it
    return plan;
}

static void test_memory(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    // An update in place takes no memory and one kernel.
    const tct_plan *plan = plan_of(&d, c,
                                   "axis A = 1000 graph g { %p: f32[A] = input #0 \"p\" %m: f32[A] = input "
                                   "#1 \"m\" %g: f32[A] = input #2 \"g\""
                                   " %a: f32[A] = add %m, %g %r: f32[A] = rsqrt %a %b: f32[A] = sub %p, %r "
                                   "return p = %b into 0, m = %a into 1 }");
    assert_int_equal(plan->n_steps, 1);
    assert_int_equal(plan->arena_bytes, 0);
    // A chain of products needs room for two of them, however long it is.
    const tct_plan *chain = plan_of(
        &d, c,
        "axis A = 64 axis B = 64 graph g { %x: f32[A, B] = input #0 \"x\" %w: f32[A, B] = input #1 \"w\""
        " %a: f32[A, B] = rename %x {B} -> {B} %c: f32[B] = sum %a {A} %y: f32[A, B] = mul %w, %c"
        " %d: f32[A] = sum %y {B} %z: f32[A, B] = mul %x, %d %e: f32[B] = sum %z {A} %u: f32[A, B] = mul %x, "
        "%e"
        " %f: f32[A] = sum %u {B} return f = %f }");
    assert_true(chain->arena_bytes <= 4 * 64 * 4);
    // A view costs no step: both halves are read where they lie.
    const tct_plan *view =
        plan_of(&d, c,
                "axis B = 32 axis C = 64 axis E = 32 axis N = 48 graph g { %x: f32[B, C] = input #0 \"x\""
                " %w: f32[E, N] = input #1 \"w\" %a: f32[B, E] = slice %x {C} -> {E} #0 by 1"
                " %b: f32[B, E] = slice %x {C} -> {E} #32 by 1 %p: f32[B, N] = dot %a, %w {E} %q: f32[B, N] "
                "= dot %b, %w {E}"
                " return p = %p, q = %q }");
    assert_int_equal(view->n_steps, 2);
    tct_compiler_free(c);
    tct_diag_free(&d);
}

// What makes little of a result runs directly behind it, while it is in the caches, whatever the graph's
// order.
static void test_order(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    const tct_plan *plan = plan_of(
        &d, c,
        "axis A = 128 axis B = 128 axis K = 64 graph g { %x: f32[K, A] = input #0 \"x\" %y: f32[K, B] = "
        "input "
        "#1 \"y\" %z: f32[K, B] = input #2 \"z\" %p: f32[A, B] = dot %x, %y {K} %q: f32[A, B] = dot %x, %z "
        "{K} %s: f32[A] = sum %p {B} %m: f32[A] = reduce_max %q {B} return p = %p, q = %q, s = %s, m = %m }");
    assert_int_equal(plan->n_steps, 4);
    for (uint32_t k = 0; k < 4; k += 2) {
        assert_int_equal(plan->steps[k].kind, TCT_STEP_GEMM);
        assert_int_equal(plan->steps[k + 1].kind, TCT_STEP_KERNEL);
        uint32_t product = plan->operands[plan->steps[k].operand];
        assert_int_equal(plan->operands[plan->steps[k + 1].operand], product);
    }
    tct_compiler_free(c);
    tct_diag_free(&d);
}

static uint32_t n_beside(tct_compiler *c, tct_ir_module *m, const char *text) {
    tct_diag d = {0};
    const tct_plan *plan =
        tct_compile_graph(&d, c, tct_ir_parse(&d, m, "test.tir", text, strlen(text)), NULL);
    uint32_t n = 0;
    for (uint32_t k = 0; k < plan->n_steps; k++) n += plan->steps[k].beside;
    tct_diag_free(&d);
    return n;
}

// Kernels of different shapes that need nothing of each other share a dispatch, large or small; one that
// needs another's result, or its memory, doesn't.
static void test_beside(void **state) {
    (void)state;
    static const char
        apart[] = "axis A = 70001 axis B = 40000 axis E = 3 graph g {"
                  " %x: f32[A] = input #0 \"x\" %y: f32[B] = input #1 \"y\" %z: f32[E] = input #2 \"z\""
                  " %a: f32[A] = exp %x %b: f32[B] = tanh %y %c: f32[E] = exp %z"
                  " return a = %a, b = %b into 1, c = %c }",
        small[] = "axis B = 40 axis E = 3 graph g { %y: f32[B] = input #0 \"y\" %z: f32[E] = input #1 \"z\""
                  " %b: f32[B] = tanh %y %c: f32[E] = exp %z return b = %b, c = %c }",
        chained[] = "axis A = 300 axis B = 400 graph g { %x: f32[A, B] = input #0 \"x\""
                    " %s: f32[A] = sum %x {B} %t: f32[B] = sum %x {A} %u: f32 = reduce_max %s {A}"
                    " %v: f32[B] = mul %t, %u return v = %v }";
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    compare_options close = {.relative = 1e-4, .absolute = 1e-5};
    assert_int_equal(n_beside(c, m, apart), 2);
    assert_int_equal(n_beside(c, m, small), 1);
    const char *const all[] = {apart, small, chained};
    for (int k = 0; k < 3; k++) compare_text(c, all[k], &close);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

static void test_dumps(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    const tct_plan *plan = plan_of(&d, c,
                                   "axis A = 100 graph g { %x: f32[A] = input #0 \"x\" %y: f32[A] = exp %x "
                                   "%s: f32 = sum %y {A} return s = %s }");
    const char *const expect[] = {[TCT_DUMP_KERNEL] = "reduce i0 < 100",
                                  [TCT_DUMP_LLVM] = "define void @loop_",
                                  [TCT_DUMP_ASM] = "loop_",
                                  [TCT_DUMP_PLAN] = "exp+sum"};
    for (int stage = 0; stage < 4; stage++) {
        tct_buf out = {0};
        tct_compiler_dump(c, plan, (tct_dump_stage)stage, NULL, &out);
        assert_non_null(strstr(out.data, expect[stage]));
        tct_buf_free(&out);
    }
    tct_compiler_free(c);
    tct_diag_free(&d);
}

static void test_errors(void **state) {
    (void)state;
    tct_diag d = {0};
    assert_null(tct_compiler_new(&d, "sse9", 1));
    assert_string_equal(d.messages.data[0].code, "E0902");
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_ir_module *m = tct_ir_module_new();
    const char *text = "axis A = ? graph g { %x: f32[A] = input #0 \"x\" %y: f32[A] = exp %x return y = %y }";
    tct_graph *g = tct_ir_parse(&d, m, "test.tir", text, strlen(text));
    assert_non_null(g);
    assert_null(tct_compile_graph(&d, c, g, NULL));
    assert_string_equal(d.messages.data[1].code, "E0843");
    tct_ir_module_free(m);
    tct_compiler_free(c);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training_step),
        cmocka_unit_test(test_odd_sizes),
        cmocka_unit_test(test_updates_as_epilogues),
        cmocka_unit_test(test_layers_share_kernels),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
