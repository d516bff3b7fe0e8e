// Where nodes come from: after every pass each node, in bodies too, has a place in the source and the name of
// the pass that made it, or of none when it stands as it was written.
#include "passes/passes.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char written[] = "as written";

// Every node gets a place of its own, and a mark that a copy keeps and a new node lacks.
static void mark(tct_graph *g, uint32_t *next) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        tct_node *n = &g->nodes.data[v];
        ++*next;
        n->span = (tct_span){1, *next, *next};
        n->pass = written;
        if (n->attr.body) mark(n->attr.body, next);
    }
}

static bool is_pass(const char *name) {
    return tct_pass_by_name(name, strlen(name)) || strcmp(name, "grad") == 0;
}

static void check(const tct_graph *g, uint32_t n_places, const char *after) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        const char *op = tct_ir_ops[n->op].name;
        if (!n->pass) fail_msg("%s makes %s and doesn't say so", after, op);
        if (n->pass != written && !is_pass(n->pass))
            fail_msg("%s makes %s and says that it was %s", after, op, n->pass);
        if (n->span.file != 1 || n->span.begin < 1 || n->span.begin > n_places)
            fail_msg("%s leaves %s of %s without a place", after, op, n->pass);
        if (n->attr.body) check(n->attr.body, n_places, after);
    }
}

static tct_graph *random_graph(tct_ir_module *m, uint64_t seed, unsigned classes, uint32_t *places) {
    tct_graph *g = tct_random_graph(
        m, &(tct_random_graph_options){.seed = seed, .n_nodes = 40, .classes = classes, .permute = seed % 2});
    *places = 0;
    mark(g, places);
    return g;
}

static void run(const char *list) {
    for (uint64_t seed = 0; seed < 150; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        uint32_t places;
        tct_graph *g = random_graph(m, seed, 0, &places);
        g = tct_passes_run(&d, g, list, NULL);
        assert_non_null(g);
        check(g, places, list);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
}

static void test_each_pass(void **state) {
    (void)state;
    for (size_t k = 0; k < tct_n_passes; k++) run(tct_passes[k].name);
}

static void test_all_passes(void **state) {
    (void)state;
    run("early,default,fuse");
}

static void test_gradients(void **state) {
    (void)state;
    unsigned classes = 1u << TCT_CLASS_ELEMENTWISE | 1u << TCT_CLASS_REDUCTION | 1u << TCT_CLASS_CONTRACTION |
                       1u << TCT_CLASS_MOVEMENT | 1u << TCT_CLASS_SCAN;
    int gradients = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        uint32_t places, wrt[64], n = 0;
        tct_graph *g = random_graph(m, seed, classes, &places);
        for (uint32_t k = 0; k < g->inputs.len && n < 64; k++)
            if (tct_dtype_is_float((tct_dtype)tct_node_of(g, g->inputs.data[k])->dtype)) wrt[n++] = k;
        // The first float output, summed up, is the loss.
        size_t out = 0;
        while (out < g->outputs.len &&
               !tct_dtype_is_float((tct_dtype)tct_node_of(g, g->outputs.data[out].value)->dtype))
            out++;
        if (out < g->outputs.len) {
            tct_value v = g->outputs.data[out].value;
            const tct_node *x = tct_node_of(g, v);
            tct_axis axes[TCT_IR_MAX_AXES];
            uint8_t n_axes = x->n_axes;
            if (n_axes) memcpy(axes, x->axes, n_axes * sizeof *axes);
            g->span = x->span;
            g->pass = written;
            if (n_axes) v = tct_ir_reduce(g, NULL, TCT_IR_SUM, v, axes, n_axes);
            g->outputs.len = 0;
            tct_ir_output(g, "loss", v, -1);
            tct_graph *grad = tct_grad(&d, g, 0, wrt, n);
            if (grad) {
                check(grad, places, "grad");
                gradients++;
            }
        }
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
    assert_true(gradients > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pass),
        cmocka_unit_test(test_all_passes),
        cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
