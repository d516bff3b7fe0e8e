// What the report on fusion says of random graphs and of a model: that it is the fusion that the pass makes,
// that every value between two kernels has a reason, and that what reasons name is there.
#include "passes/fusion.h"
#include "passes/passes.h"
#include "tests/passes/tiny_gpt.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool has(const tct_fusion_edge *e, tct_fusion_reason r) { return e->reasons >> r & 1; }

static bool reaches(const tct_graph *g, tct_value from, tct_value to) {
    bool *seen = tct_alloc(g->nodes.len + 1);
    seen[from] = true;
    for (tct_value v = from + 1; v <= to && v < g->nodes.len; v++)
        for (uint32_t k = 0; k < tct_node_of(g, v)->n_in; k++) seen[v] |= seen[tct_node_of(g, v)->in[k]];
    bool found = from <= to && seen[to];
    tct_heap_free(seen);
    return found;
}

static bool is_kernel(const tct_node *n) {
    return n->op == TCT_IR_FUSED || n->op == TCT_IR_DOT || n->op == TCT_IR_SCAN || n->op == TCT_IR_FOREIGN;
}

static bool same_domain(const tct_fusion_domain *a, const tct_fusion_domain *b) {
    return a->n_axes == b->n_axes && a->n_reduced == b->n_reduced &&
           memcmp(a->axes, b->axes, a->n_axes * sizeof *a->axes) == 0 &&
           memcmp(a->reduced, b->reduced, a->n_reduced * sizeof *a->reduced) == 0;
}

static const char *check_edge(const tct_fusion_report *r, const tct_fusion_edge *e) {
    const tct_graph *g = r->graph;
    if (!e->reasons) return "no reason";
    if (!is_kernel(tct_node_of(r->fused, e->from)) || !is_kernel(tct_node_of(r->fused, e->to)))
        return "an end that is no kernel";
    if (e->from >= e->to || !reaches(r->fused, e->from, e->to)) return "ends that aren't connected";
    if (!reaches(g, e->value, e->user)) return "a value that its user doesn't use";
    if (has(e, TCT_APART_BETWEEN) && e->between == TCT_NO_VALUE) return "nothing between";
    if (has(e, TCT_APART_MOVED) && e->movement == TCT_NO_VALUE) return "no movement";
    if (has(e, TCT_APART_DOMAIN) && same_domain(&e->from_domain, &e->to_domain)) return "the same domain";
    if (has(e, TCT_APART_LARGE) && e->operations <= e->most_operations &&
        e->reductions <= e->most_reductions && e->inputs <= e->most_inputs)
        return "nothing large";
    if (has(e, TCT_APART_PIECES) && e->pieces >= e->points) return "pieces enough";
    if (has(e, TCT_APART_OPERAND) && tct_node_of(g, e->user)->op != TCT_IR_DOT) return "no product";
    if (e->again == TCT_AGAIN_COSTLY && e->again_cost <= 15) return "nothing costly";
    if (e->again == TCT_AGAIN_READS && e->again_large + e->again_small < 2) return "nothing to read";
    if (e->again == TCT_AGAIN_RESULT && e->again_cost <= 5) return "nothing but a sum";
    return NULL;
}

static void check(tct_graph *g, const bool *forward, uint64_t seed, uint32_t *counts) {
    tct_fusion_report r;
    tct_fusion_report_make(g, forward, &r);
    assert_true(tct_ir_equal(r.fused, tct_pass_fuse(g)));
    for (size_t k = 0; k < r.edges.len; k++) {
        const tct_fusion_edge *e = &r.edges.data[k];
        const char *wrong = check_edge(&r, e);
        if (wrong) {
            tct_buf text = {0};
            tct_ir_print(r.graph, &text, NULL);
            print_error("%s\nseed %d, %%%u -> %%%u: %s\n", text.data, (int)seed, e->value, e->user, wrong);
            tct_buf_free(&text);
            fail();
        }
        for (int why = 0; why < TCT_N_APART; why++) counts[why] += has(e, (tct_fusion_reason)why);
        if (k && r.edges.data[k - 1].to == e->to) assert_true(r.edges.data[k - 1].value < e->value);
    }
    for (size_t k = 0; k < r.copies.len; k++) {
        assert_true(r.copies.data[k].n_kernels >= 2);
        for (uint32_t i = 0; i < r.copies.data[k].n_kernels; i++)
            assert_int_equal(tct_node_of(r.fused, r.copies.data[k].kernels[i])->op, TCT_IR_FUSED);
    }
    tct_fusion_report_free(&r);
}

// Half of them with axes so large that products are products and pieces count.
static tct_graph *random_graph(tct_ir_module *m, uint64_t seed) {
    tct_random_graph_options o = {.seed = seed, .n_nodes = 20 + (int)(seed % 60), .tame = true};
    o.permute = seed % 3 == 0;
    o.aliases = seed % 4 < 2;
    if (seed % 2) {
        static const int64_t sizes[] = {32, 16, 48, 24};
        memcpy(o.sizes, sizes, sizeof sizes);
        o.max_elements = 200000;
        o.dtypes = 1u << TCT_F32 | 1u << TCT_BOOL;
        o.classes = 1u << TCT_CLASS_ELEMENTWISE | 1u << TCT_CLASS_CONTRACTION;
        if (seed % 4 == 1) o.classes |= 1u << TCT_CLASS_REDUCTION;
        if (seed % 8 == 1) o.classes |= 1u << TCT_CLASS_MOVEMENT;
    }
    return tct_random_graph(m, &o);
}

static void random_graphs(void **state) {
    (void)state;
    uint32_t counts[TCT_N_APART] = {0};
    for (uint64_t seed = 0; seed < 2000; seed++) {
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g = tct_passes_run(&d, random_graph(m, seed), "default", NULL);
        assert_non_null(g);
        check(g, NULL, seed, counts);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
    for (int why = 0; why < TCT_N_APART; why++) // among them all that these graphs can show
        if (why != TCT_APART_FOREIGN && why != TCT_APART_PRODUCT && !counts[why])
            fail_msg("no %s", tct_fusion_reason_names[why]);
}

static void a_model(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tiny_gpt shape = {
        .batch = 2, .length = 32, .width = 32, .heads = 4, .hidden = 64, .vocabulary = 50, .layers = 2};
    tct_graph *g = gpt_loss(m, &shape, TCT_F32);
    uint32_t wrt[128], n = 0, counts[TCT_N_APART] = {0};
    for (uint32_t k = 3; k < g->inputs.len; k++) wrt[n++] = k;
    g = tct_passes_run(&d, g, "early", NULL);
    g = tct_grad(&d, g, 0, wrt, n);
    g = tct_passes_run(&d, g, "default", NULL);
    bool *forward = tct_alloc(g->outputs.len);
    forward[0] = true;
    check(g, forward, 0, counts);
    tct_fusion_report r;
    tct_fusion_report_make(g, forward, &r);
    uint32_t saved = 0, copied = 0, parts[4] = {0};
    for (size_t k = 0; k < r.edges.len; k++) saved += r.edges.data[k].saved;
    for (size_t k = 0; k < r.copies.len; k++) copied += r.copies.data[k].backward;
    for (tct_value v = 0; v < r.fused->nodes.len; v++) parts[r.part[v]]++;
    assert_true(saved > 10 && copied > 0);
    assert_true(parts[TCT_FUSION_FORWARD] > 10 && parts[TCT_FUSION_BACKWARD] > 10);
    tct_fusion_report_free(&r);
    tct_heap_free(forward);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs), cmocka_unit_test(a_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
