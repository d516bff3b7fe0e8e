#include "driver/explain.h"

#include "passes/fuse.h"

#include <assert.h>
#include <string.h>

// Results that depend on nothing that differentiation made.
static bool *forward_outputs(tct_arena *a, const tct_graph *g, bool *backward) {
    bool *made = TCT_NEW_ARRAY(a, bool, g->nodes.len), *forward = TCT_NEW_ARRAY(a, bool, g->outputs.len + 1);
    *backward = false;
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        made[v] = n->pass && strcmp(n->pass, "grad") == 0;
        *backward |= made[v];
        for (uint32_t k = 0; k < n->n_in; k++) made[v] |= made[n->in[k]];
    }
    for (size_t k = 0; k < g->outputs.len; k++) forward[k] = !made[g->outputs.data[k].value];
    return forward;
}

// What the plan does without a step, parts being written where they belong, stands apart from nothing.
static void forget_stepless(tct_explained *x) {
    size_t kept = 0;
    for (size_t k = 0; k < x->report.edges.len; k++) {
        const tct_fusion_edge *e = &x->report.edges.data[k];
        if (x->step_of[e->from] != UINT32_MAX && x->step_of[e->to] != UINT32_MAX)
            x->report.edges.data[kept++] = *e;
    }
    x->report.edges.len = kept;
}

// `g` is as it was before fusion.
static void explain_plan(const tct_plan *plan, const tct_plan_origin *origin, tct_graph *g,
                         const bool *forward, const char *prefix, tct_explained *x) {
    x->plan = plan;
    x->origin = origin;
    x->prefix = tct_strdup(prefix);
    tct_fusion_report_make(g, forward, &x->report);
    size_t n = x->report.fused->nodes.len;
    assert(n == origin->graph->nodes.len); // fusion gives the same graph every time
    x->step_of = tct_alloc((n + 1) * sizeof *x->step_of);
    x->scans = tct_alloc((plan->n_scans + 1) * sizeof *x->scans);
    for (size_t v = 0; v < n; v++) x->step_of[v] = UINT32_MAX;
    for (uint32_t s = 0; s < plan->n_steps; s++) {
        if (origin->node[s] == TCT_NO_VALUE) continue;
        x->step_of[origin->node[s]] = s;
        if (plan->steps[s].kind != TCT_STEP_SCAN) continue;
        uint32_t k = plan->steps[s].kernel;
        tct_buf within = {0};
        tct_buf_printf(&within, "%s%u.", prefix, s);
        const tct_node *scan = tct_node_of(origin->graph, origin->node[s]);
        explain_plan(plan->scans[k].body, origin->scans[k], tct_scan_body(origin->graph, scan, NULL), NULL,
                     within.data, &x->scans[k]);
        tct_buf_free(&within);
    }
    forget_stepless(x);
}

bool tct_explanation_make(tct_diag *d, tct_compiler *c, tct_graph *g, bool run, const tct_pass_trace *trace,
                          tct_explanation *out) {
    tct_arena arena = {0};
    *out = (tct_explanation){.sources = d, .name = g->name};
    bool *forward = forward_outputs(&arena, g, &out->backward);
    g = tct_passes_run(d, g, tct_compiler_pass_list(c, g), trace);
    const tct_plan *plan = NULL;
    if (g) plan = tct_compile_graph(d, c, g, &(tct_compile_options){.passes = "", .defer = !run});
    if (plan) explain_plan(plan, tct_compiler_origin(c, plan), g, forward, "", &out->top);
    tct_arena_free(&arena);
    return plan != NULL;
}

static void free_explained(tct_explained *x) {
    for (uint32_t k = 0; x->plan && k < x->plan->n_scans; k++) free_explained(&x->scans[k]);
    tct_fusion_report_free(&x->report);
    tct_heap_free(x->step_of);
    tct_heap_free(x->scans);
    tct_heap_free(x->prefix);
}

void tct_explanation_free(tct_explanation *e) {
    free_explained(&e->top);
    *e = (tct_explanation){0};
}

tct_kernel_figures tct_explain_figures(const tct_explanation *e, const tct_explained *x, uint32_t step) {
    const tct_step *s = &x->plan->steps[step];
    tct_kernel_figures f = {.flops = s->flops, .bytes = s->bytes};
    f.intensity = s->bytes > 0 ? s->flops / s->bytes : 0;
    f.least = tct_peak_seconds(&e->peak, tct_plan_step_dtype(x->plan, s), s->flops, s->bytes, &f.limit);
    const tct_trace_sum *sums = e->trace ? tct_trace_sums(e->trace, x->plan) : NULL;
    if (sums && sums[step].calls) {
        f.calls = sums[step].calls;
        f.seconds = sums[step].shortest;
    }
    return f;
}

bool tct_explain_is_operation(const tct_node *n) {
    return n->op != TCT_IR_INPUT && n->op != TCT_IR_CONST && n->op != TCT_IR_GET && n->op != TCT_IR_SIZE;
}

const tct_graph *tct_explain_operations(const tct_explained *x, uint32_t step, tct_value *only) {
    tct_value v = x->origin->node[step];
    *only = TCT_NO_VALUE;
    if (v == TCT_NO_VALUE) return NULL;
    const tct_node *n = tct_node_of(x->origin->graph, v);
    if (n->op == TCT_IR_FUSED) return n->attr.body;
    *only = v;
    return x->origin->graph;
}

uint8_t tct_explain_part(const tct_explained *x, uint32_t step) {
    tct_value v = x->origin->node[step];
    return v == TCT_NO_VALUE ? 0 : x->report.part[v];
}

static void add_axis(tct_axis *axes, uint32_t *n, tct_axis a) {
    for (uint32_t k = 0; k < *n; k++)
        if (axes[k] == a) return;
    if (*n < TCT_IR_MAX_AXES) axes[(*n)++] = a;
}

static bool is_reduction(const tct_node *n) {
    return tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION || n->op == TCT_IR_DOT;
}

// The operation with most points tells: they all run over the same.
tct_fusion_domain tct_explain_domain(const tct_explained *x, uint32_t step) {
    tct_fusion_domain d = {0};
    tct_value only;
    const tct_graph *g = tct_explain_operations(x, step, &only);
    if (!g || x->plan->steps[step].kind == TCT_STEP_SCAN || x->plan->steps[step].kind == TCT_STEP_FOREIGN)
        return d;
    const tct_node *most = NULL;
    int64_t points = 0;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if ((only != TCT_NO_VALUE && v != only) || !tct_explain_is_operation(n) || n->bundle) continue;
        tct_ir_class cls = tct_ir_ops[n->op].cls;
        if (cls == TCT_CLASS_MOVEMENT && n->op != TCT_IR_SCATTER_ADD && n->op != TCT_IR_PUT && most) continue;
        int64_t here = tct_node_elements(g, n);
        for (int k = 0; k < n->attr.n_axes && is_reduction(n); k++)
            here *= tct_axis_of(g->module, n->attr.axes[k])->size;
        if (!most || here > points || (here == points && is_reduction(n) && !is_reduction(most))) {
            most = n;
            points = here;
        }
    }
    if (!most) return d;
    for (int k = 0; k < most->n_axes; k++) add_axis(d.axes, &d.n_axes, most->axes[k]);
    for (int k = 0; k < most->attr.n_axes && is_reduction(most); k++) {
        add_axis(d.axes, &d.n_axes, most->attr.axes[k]);
        add_axis(d.reduced, &d.n_reduced, most->attr.axes[k]);
    }
    return d;
}
