// The explanation for programs.
#include "driver/explain.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *text_of(tct_buf *b) {
    json_t *s = json_stringn(b->data ? b->data : "", b->len);
    tct_buf_free(b);
    return s;
}

static json_t *place(const tct_explanation *e, tct_span span) {
    tct_buf b = {0};
    tct_explain_place(e->sources, span, &b);
    if (b.len) return text_of(&b);
    tct_buf_free(&b);
    return json_null();
}

static json_t *operation(const tct_explanation *e, const tct_node *n) {
    json_t *o = json_pack("{s:s, s:o}", "op", tct_ir_ops[n->op].name, "source", place(e, n->span));
    if (n->pass) json_object_set_new(o, "pass", json_string(n->pass));
    return o;
}

static json_t *number_of(const tct_explained *x, uint32_t step) {
    tct_buf b = {0};
    tct_buf_printf(&b, "%s%u", x->prefix, step);
    return text_of(&b);
}

static json_t *axes(const tct_graph *g, const tct_axis *a, uint32_t n) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < n; k++) {
        const tct_axis_info *i = tct_axis_of(g->module, a[k]);
        json_array_append_new(list, json_pack("{s:s, s:I}", "name", i->name, "size", (json_int_t)i->size));
    }
    return list;
}

static json_t *value(const tct_explanation *e, const tct_graph *g, const tct_node *n) {
    json_t *o = operation(e, n);
    json_object_set_new(o, "dtype", json_string(tct_dtype_name((tct_dtype)n->dtype)));
    json_object_set_new(o, "axes", axes(g, n->axes, n->n_axes));
    json_object_set_new(
        o, "bytes", json_integer(tct_node_elements(g, n) * (json_int_t)tct_dtype_size((tct_dtype)n->dtype)));
    return o;
}

static json_t *edge_json(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge) {
    const tct_graph *g = x->report.graph;
    json_t *reasons = json_array();
    for (int why = 0; why < TCT_N_APART; why++) {
        if (!(edge->reasons >> why & 1)) continue;
        tct_buf b = {0};
        tct_explain_reason(e, x, edge, (tct_fusion_reason)why, &b);
        json_array_append_new(
            reasons, json_pack("{s:s, s:o}", "reason", tct_fusion_reason_names[why], "text", text_of(&b)));
    }
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "from", number_of(x, x->step_of[edge->from]), "value",
                          value(e, g, tct_node_of(g, edge->value)), "user",
                          operation(e, tct_node_of(g, edge->user)), "reasons", reasons);
    json_object_set_new(o, "again", json_string(tct_fusion_again_names[edge->again]));
    tct_buf again = {0}, advice = {0};
    tct_explain_again(x, edge, &again);
    if (again.len) json_object_set_new(o, "again_text", text_of(&again));
    tct_explain_advice(e, x, edge, &advice);
    if (advice.len)
        json_object_set_new(o, "advice", text_of(&advice));
    else
        tct_buf_free(&advice);
    json_object_set_new(o, "kept_for_backward", json_boolean(edge->saved));
    return o;
}

static json_t *operations(const tct_explanation *e, const tct_explained *x, uint32_t step) {
    json_t *list = json_array();
    tct_value only;
    const tct_graph *g = tct_explain_operations(x, step, &only);
    for (tct_value v = 0; g && v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if ((only != TCT_NO_VALUE && v != only) || !tct_explain_is_operation(n)) continue;
        json_array_append_new(list, operation(e, n));
    }
    return list;
}

static json_t *plan_json(const tct_explanation *e, const tct_explained *x);

static json_t *kernel(const tct_explanation *e, const tct_explained *x, uint32_t step) {
    static const char *const kinds[] = {"loop", "product", "scan", "foreign"};
    static const char *const parts[] = {"planning", "forward", "backward", "both"};
    const tct_step *s = &x->plan->steps[step];
    tct_kernel_figures f = tct_explain_figures(e, x, step);
    tct_fusion_domain d = tct_explain_domain(x, step);
    tct_buf name = {0};
    tct_plan_step_name(x->plan, step, &name);
    json_t *k =
        json_pack("{s:o, s:s, s:o, s:o, s:s}", "number", number_of(x, step), "kind", kinds[s->kind], "name",
                  text_of(&name), "source", place(e, s->span), "part", parts[tct_explain_part(x, step)]);
    json_object_set_new(k, "axes", axes(x->origin->graph, d.axes, d.n_axes));
    json_object_set_new(k, "reduced", axes(x->origin->graph, d.reduced, d.n_reduced));
    json_object_set_new(k, "operations", operations(e, x, step));
    json_object_set_new(k, "flops", json_real(f.flops));
    json_object_set_new(k, "bytes", json_real(f.bytes));
    json_object_set_new(k, "flops_per_byte", json_real(f.intensity));
    json_object_set_new(k, "bound", json_string(tct_limit_name(f.limit)));
    json_object_set_new(k, "least_seconds", json_real(f.least));
    json_object_set_new(k, "tasks", json_integer(s->n_tasks));
    if (s->kind == TCT_STEP_KERNEL)
        json_object_set_new(k, "symbol", json_string(x->plan->kernels[s->kernel].symbol));
    if (f.calls && f.seconds > 0)
        json_object_set_new(k, "measured",
                            json_pack("{s:I, s:f, s:f, s:f, s:f}", "calls", (json_int_t)f.calls, "seconds",
                                      f.seconds, "gflops", f.flops / f.seconds * 1e-9, "gb_per_s",
                                      f.bytes / f.seconds * 1e-9, "of_peak", f.least / f.seconds));
    json_t *apart = json_array();
    for (size_t i = 0; i < x->report.edges.len; i++)
        if (x->step_of[x->report.edges.data[i].to] == step)
            json_array_append_new(apart, edge_json(e, x, &x->report.edges.data[i]));
    json_object_set_new(k, "apart", apart);
    if (s->kind == TCT_STEP_SCAN) {
        json_object_set_new(k, "trips", json_integer(x->plan->scans[s->kernel].trips));
        json_object_set_new(k, "body", plan_json(e, &x->scans[s->kernel]));
    }
    return k;
}

static json_t *copy_json(const tct_explanation *e, const tct_explained *x, const tct_fusion_copy *c) {
    json_t *o = value(e, x->report.graph, tct_node_of(x->report.graph, c->node)), *kernels = json_array();
    for (uint32_t k = 0; k < c->n_kernels; k++)
        json_array_append_new(kernels, number_of(x, x->step_of[c->kernels[k]]));
    json_object_set_new(o, "kernels", kernels);
    json_object_set_new(o, "cost", json_integer(c->cost));
    json_object_set_new(o, "for_backward", json_boolean(c->backward));
    return o;
}

static json_t *plan_json(const tct_explanation *e, const tct_explained *x) {
    json_t *kernels = json_array(), *copies = json_array();
    for (uint32_t s = 0; s < x->plan->n_steps; s++) json_array_append_new(kernels, kernel(e, x, s));
    for (size_t k = 0; k < x->report.copies.len; k++)
        json_array_append_new(copies, copy_json(e, x, &x->report.copies.data[k]));
    return json_pack("{s:o, s:o}", "kernels", kernels, "computed_again", copies);
}

void tct_explain_json(const tct_explanation *e, tct_buf *out) {
    const tct_peak *p = &e->peak;
    json_t *root = plan_json(e, &e->top);
    json_object_set_new(root, "graph", json_string(e->name));
    json_object_set_new(root, "gradient", json_boolean(e->backward));
    json_object_set_new(root, "arena_bytes", json_integer((json_int_t)e->top.plan->arena_bytes));
    json_object_set_new(root, "peak",
                        json_pack("{s:b, s:s, s:i, s:f, s:f, s:f, s:f, s:I}", "measured", e->trace != NULL,
                                  "isa", tct_isa_name(p->isa), "threads", p->threads, "flops_f32", p->f32,
                                  "flops_f64", p->f64, "memory_bytes_per_s", p->memory, "cache_bytes_per_s",
                                  p->cache, "cache_bytes", (json_int_t)p->cache_bytes));
    if (e->trace)
        json_object_set_new(root, "run", json_pack("{s:f, s:i}", "seconds", e->seconds, "runs", e->runs));
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
    tct_buf_puts(out, text);
    tct_buf_putc(out, '\n');
    free(text);
    json_decref(root);
}
