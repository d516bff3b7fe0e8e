// Holds compiled graphs to the interpreter. Included by the tests of code generation.
#ifndef TCT_TESTS_CODEGEN_COMPARE_H
#define TCT_TESTS_CODEGEN_COMPARE_H

#include "codegen/compile.h"
#include "ir/interp.h"
#include "passes/passes.h"
#include "runtime/isa.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct compare_options {
    const char *isa, *passes; // NULL: the host's, "default"
    double relative, absolute;
    void (*adjust)(const tct_graph *g, tct_ir_tensor *inputs); // of the random inputs; may be NULL
} compare_options;

static inline uint64_t compare_bytes(const tct_graph *g, const tct_node *n) {
    return (uint64_t)tct_node_elements(g, n) * tct_dtype_size((tct_dtype)n->dtype);
}

// Nodes of an operation.
static inline int compare_count(const tct_graph *g, tct_ir_op op) {
    int n = 0;
    for (size_t v = 0; v < g->nodes.len; v++) n += g->nodes.data[v].op == op;
    return n;
}

static inline tct_graph *compare_parse(tct_diag *d, tct_ir_module *m, const char *text) {
    tct_graph *g = tct_ir_parse(d, m, "test.tir", text, strlen(text));
    tct_buf why = {0};
    tct_diag_render(d, &why, false);
    if (!g) fail_msg("%s\n%s", text, why.data);
    tct_buf_free(&why);
    return g;
}

// The graph of a text whose first output is a loss, with the gradients of inputs `first` to first + n - 1,
// behind `passes`.
static inline tct_graph *compare_gradient(tct_diag *d, tct_ir_module *m, const char *text, uint32_t first,
                                          uint32_t n, const char *passes) {
    uint32_t wrt[32];
    assert_true(n <= 32);
    for (uint32_t k = 0; k < n; k++) wrt[k] = first + k;
    tct_graph *g = tct_passes_run(d, compare_parse(d, m, text), "early", NULL);
    g = g ? tct_grad(d, g, 0, wrt, n) : NULL;
    g = g ? tct_passes_run(d, g, passes, NULL) : NULL;
    assert_non_null(g);
    return g;
}

static inline void compare_fail(const char *what, const tct_graph *g, const tct_plan *plan, tct_diag *d) {
    tct_buf text = {0};
    tct_diag_render(d, &text, false);
    tct_ir_print(g, &text, NULL);
    if (plan) tct_plan_print(plan, &text);
    fprintf(stderr, "%s\n%s\n", what, text.data);
    tct_buf_free(&text);
    fail();
}

// Interpreted, `after`, which pass `what` made, gives what `before` gives.
static inline void compare_interpreted(const tct_graph *before, const tct_graph *after, const char *what,
                                       uint64_t seed, double tolerance) {
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, before->inputs.len + 1);
    tct_ir_tensor *a = TCT_NEW_ARRAY(&arena, tct_ir_tensor, before->outputs.len + 1);
    tct_ir_tensor *b = TCT_NEW_ARRAY(&arena, tct_ir_tensor, before->outputs.len + 1);
    tct_random_inputs(before, &arena, seed, false, in);
    if (!tct_ir_verify(&d, after, what) || !tct_ir_interp(&d, &arena, before, in, a, NULL) ||
        !tct_ir_interp(&d, &arena, after, in, b, NULL))
        compare_fail("a graph is broken", after, NULL, &d);
    for (size_t k = 0; k < before->outputs.len; k++) {
        char why[200], whole[300];
        if (tct_tensors_close(before->module, &a[k], &b[k], tolerance, tolerance, why)) continue;
        snprintf(whole, sizeof whole, "%s, seed %llu, output %s: %s", what, (unsigned long long)seed,
                 before->outputs.data[k].name, why);
        compare_fail(whole, after, NULL, &d);
    }
    tct_arena_free(&arena);
    tct_diag_free(&d);
}

// Runs plan on copies of the inputs; outputs with an alias lie where their input lies.
static inline void compare_run(const tct_graph *g, const tct_plan *plan, int threads,
                               const tct_ir_tensor *inputs, tct_arena *arena, tct_ir_tensor *outputs) {
    tct_diag d = {0};
    tct_pool *pool = tct_pool_new(threads);
    void **in = TCT_NEW_ARRAY(arena, void *, g->inputs.len),
         **out = TCT_NEW_ARRAY(arena, void *, g->outputs.len);
    for (size_t k = 0; k < g->inputs.len; k++) {
        uint64_t bytes = plan->inputs[k].bytes;
        in[k] = tct_arena_alloc(arena, bytes + 1);
        memcpy(in[k], inputs[k].data, bytes);
    }
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->outputs.data[k].value);
        out[k] = plan->outputs[k].alias >= 0 ? in[plan->outputs[k].alias]
                                             : tct_arena_alloc(arena, plan->outputs[k].bytes + 1);
        outputs[k].dtype = (tct_dtype)n->dtype;
        outputs[k].n_axes = n->n_axes;
        if (n->n_axes) memcpy(outputs[k].axes, n->axes, n->n_axes * sizeof *n->axes);
        outputs[k].data = out[k];
    }
    void *memory = tct_try_alloc(plan->arena_bytes + 64, 64);
    memset(memory, 0x5A, plan->arena_bytes);
    bool ok = tct_plan_run(&d, plan, pool, in, out, memory, NULL);
    if (!ok) compare_fail("the plan failed", g, plan, &d);
    free(memory);
    tct_pool_free(pool);
    tct_diag_free(&d);
}

// Every step has a node of its kind, and each node one step; what has none is a copy, or adds up parts.
static inline void compare_origin(const tct_plan *plan, const tct_plan_origin *origin) {
    static const tct_ir_op ops[] = {TCT_IR_FUSED, TCT_IR_DOT, TCT_IR_SCAN, TCT_IR_FOREIGN};
    bool *seen = tct_alloc(origin->graph->nodes.len + 1);
    for (uint32_t k = 0; k < plan->n_steps; k++) {
        const tct_step *s = &plan->steps[k];
        tct_value v = origin->node[k];
        if (v == TCT_NO_VALUE) {
            if (strcmp(s->label, TCT_SUM_OF_PARTS) != 0) assert_string_equal(s->label, "copy");
            continue;
        }
        const tct_node *n = tct_node_of(origin->graph, v);
        assert_true(n->op == ops[s->kind] || (n->op == TCT_IR_FUSED && s->kind == TCT_STEP_GEMM));
        if (n->op == TCT_IR_FUSED)
            assert_string_equal(n->attr.name, s->kind == TCT_STEP_GEMM ? "gemm" : "loop");
        assert_false(seen[v]);
        seen[v] = true;
    }
    free(seen);
    for (uint32_t k = 0; k < plan->n_scans; k++) compare_origin(plan->scans[k].body, origin->scans[k]);
}

// Compiles g, runs it on 1, 2 and 3 threads, which must agree to the bit, and compares with the interpreter.
static inline void compare_graph(tct_compiler *c, tct_graph *g, uint64_t seed, const compare_options *o) {
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_ir_tensor *inputs = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->inputs.len + 1);
    tct_ir_tensor *expected = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->outputs.len + 1);
    tct_random_inputs(g, &arena, seed, false, inputs);
    if (o->adjust) o->adjust(g, inputs);
    if (!tct_ir_interp(&d, &arena, g, inputs, expected, NULL))
        compare_fail("the interpreter failed", g, NULL, &d);
    tct_pass_trace checked = {.verify_each = true};
    if (!tct_passes_run(&d, g, "default,fuse", &checked)) compare_fail("broken by a pass", g, NULL, &d);
    tct_compile_options options = {.passes = o->passes};
    const tct_plan *plan = tct_compile_graph(&d, c, g, &options);
    if (!plan) compare_fail("not compiled", g, NULL, &d);
    compare_origin(plan, tct_compiler_origin(c, plan));
    tct_ir_tensor *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        tct_ir_tensor *outputs = TCT_NEW_ARRAY(&arena, tct_ir_tensor, g->outputs.len + 1);
        compare_run(g, plan, threads, inputs, &arena, outputs);
        for (size_t k = 0; k < g->outputs.len; k++) {
            char why[300], text[200] = "";
            if (first) {
                if (memcmp(first[k].data, outputs[k].data, plan->outputs[k].bytes) != 0)
                    compare_fail("other bits on more threads", g, plan, &d);
                continue;
            }
            if (tct_tensors_close(g->module, &expected[k], &outputs[k], o->relative, o->absolute, text))
                continue;
            snprintf(why, sizeof why, "seed %llu, output %zu: %s", (unsigned long long)seed, k, text);
            compare_fail(why, g, plan, &d);
        }
        first = outputs;
    }
    tct_diag_free(&d);
    tct_arena_free(&arena);
}

static inline void compare_text(tct_compiler *c, const char *text, const compare_options *o) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = tct_ir_parse(&d, m, "test.tir", text, strlen(text));
    if (!g) {
        tct_buf out = {0};
        tct_diag_render(&d, &out, false);
        fprintf(stderr, "%s\n", out.data);
        tct_buf_free(&out);
        fail();
    }
    compare_graph(c, g, 7, o);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

#endif
