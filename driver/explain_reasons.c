// The sentences of `tercet explain`.
#include "driver/explain.h"

#include <inttypes.h>
#include <string.h>

void tct_explain_place(const tct_diag *sources, tct_span span, tct_buf *out) {
    const tct_source *s = tct_diag_source(sources, span.file);
    tct_buf_puts(out, "");
    if (!s) return;
    uint32_t line, column;
    tct_diag_line_col(s, span.begin, &line, &column);
    tct_buf_printf(out, "%s:%u:%u", s->path, line, column);
}

void tct_explain_operation(const tct_explanation *e, const tct_node *n, tct_buf *out) {
    if (n->op == TCT_IR_GET)
        tct_buf_printf(out, "result %" PRId64, n->attr.i);
    else
        tct_buf_puts(out, tct_ir_ops[n->op].name);
    if (!tct_diag_source(e->sources, n->span.file)) return;
    tct_buf_puts(out, " at ");
    tct_explain_place(e->sources, n->span, out);
}

static void add_kernel(const tct_explained *x, tct_value fused, tct_buf *out) {
    tct_buf_printf(out, "kernel %s%u", x->prefix, x->step_of[fused]);
}

static void add_axes(const tct_graph *g, const tct_axis *axes, uint32_t n, bool brackets, tct_buf *out) {
    if (brackets) tct_buf_putc(out, '[');
    for (uint32_t k = 0; k < n; k++)
        tct_buf_printf(out, "%s%s", k ? ", " : "", tct_axis_of(g->module, axes[k])->name);
    if (brackets) tct_buf_putc(out, ']');
}

static void add_domain(const tct_graph *g, const tct_fusion_domain *d, tct_buf *out) {
    if (!d->n_axes) {
        tct_buf_puts(out, "computes single numbers");
        return;
    }
    tct_buf_puts(out, "runs over ");
    add_axes(g, d->axes, d->n_axes, true, out);
    if (!d->n_reduced) return;
    tct_buf_puts(out, " and reduces ");
    add_axes(g, d->reduced, d->n_reduced, false, out);
}

static bool has_all(const tct_fusion_domain *d, const tct_axis *axes, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) {
        bool there = false;
        for (uint32_t j = 0; j < d->n_axes; j++) there |= d->axes[j] == axes[k];
        if (!there) return false;
    }
    return true;
}

// How often a value over the axes of `from` would be computed within loops over those of `to`.
static double times_over(const tct_graph *g, const tct_fusion_domain *from, const tct_fusion_domain *to) {
    double times = 1;
    for (uint32_t k = 0; k < to->n_axes; k++)
        if (!has_all(from, &to->axes[k], 1)) times *= (double)tct_axis_of(g->module, to->axes[k])->size;
    return times;
}

static void explain_domain(const tct_explained *x, const tct_fusion_edge *e, tct_buf *out) {
    const tct_graph *g = x->report.graph;
    const tct_fusion_domain *from = &e->from_domain, *to = &e->to_domain;
    add_kernel(x, e->from, out);
    tct_buf_putc(out, ' ');
    add_domain(g, from, out);
    tct_buf_puts(out, ", ");
    add_kernel(x, e->to, out);
    tct_buf_putc(out, ' ');
    add_domain(g, to, out);
    if (from->n_reduced && to->n_reduced) {
        tct_buf_puts(out, ": a kernel reduces over one set of axes");
    } else if (from->n_reduced) {
        tct_buf_puts(out, ": the reduction must be complete before another loop can use it");
    } else if (has_all(to, from->axes, from->n_axes) && times_over(g, from, to) > 1) {
        tct_buf_printf(out, ": within its loops the value would be computed %.0f times over",
                       times_over(g, from, to));
    } else {
        tct_buf_puts(out, ": a kernel has one set of loops");
    }
}

// How often a product reads each element of an operand.
static double reads_of(const tct_explained *x, const tct_fusion_edge *e) {
    const tct_graph *g = x->report.graph;
    const tct_node *dot = tct_node_of(g, e->user);
    double work = (double)tct_node_elements(g, dot), least = 0;
    for (int k = 0; k < dot->attr.n_axes; k++)
        work *= (double)tct_axis_of(g->module, dot->attr.axes[k])->size;
    for (uint32_t k = 0; k < dot->n_in; k++) { // through views there is no telling which of the two it is
        tct_value v = dot->in[k];
        while (v != e->value && tct_ir_ops[tct_node_of(g, v)->op].cls == TCT_CLASS_MOVEMENT)
            v = tct_node_of(g, v)->in[0];
        double size = (double)tct_node_elements(g, tct_node_of(g, dot->in[k]));
        if (v == e->value && size > 0 && (least == 0 || work / size < least)) least = work / size;
    }
    return least;
}

static void explain_between(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge,
                            tct_buf *out) {
    const tct_fusion_report *r = &x->report;
    tct_explain_operation(e, tct_node_of(r->graph, edge->between), out);
    tct_buf_puts(out, " stands between: it needs the one and the other needs it");
}

static void explain_large(const tct_fusion_edge *e, tct_buf *out) {
    const char *and = "";
    tct_buf_puts(out, "together they would have ");
    if (e->operations > e->most_operations) {
        tct_buf_printf(out, "%u operations, where a kernel takes %u", e->operations, e->most_operations);
        and = " and ";
    }
    if (e->reductions > e->most_reductions) {
        tct_buf_printf(out, "%s%u reductions, where a kernel takes %u", and, e->reductions,
                       e->most_reductions);
        and = " and ";
    }
    if (e->inputs > e->most_inputs)
        tct_buf_printf(out, "%s%u operands, where a kernel takes %u", and, e->inputs, e->most_inputs);
}

static void explain_product(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge,
                            tct_buf *out) {
    add_kernel(x, edge->to, out);
    tct_buf_puts(out, " holds a product of its own, and a kernel holds one");
    (void)e;
}

static void explain_shape(const tct_explained *x, const tct_fusion_edge *e, tct_buf *out) {
    const tct_graph *g = x->report.graph;
    tct_buf_puts(out, "the product's axes are ");
    add_axes(g, e->from_domain.axes, e->from_domain.n_axes, true, out);
    tct_buf_puts(out, ", ");
    add_kernel(x, e->to, out);
    tct_buf_puts(out, " runs over ");
    add_axes(g, e->to_domain.axes, e->to_domain.n_axes, true, out);
    tct_buf_puts(out, ": an epilogue has the axes of its product");
}

static void explain_reduces(const tct_explained *x, const tct_fusion_edge *e, tct_buf *out) {
    bool to = e->to_domain.n_reduced > 0;
    const tct_fusion_domain *d = to ? &e->to_domain : &e->from_domain;
    add_kernel(x, to ? e->to : e->from, out);
    tct_buf_puts(out, " reduces ");
    add_axes(x->report.graph, d->reduced, d->n_reduced, false, out);
    tct_buf_puts(out, ": an epilogue sees one tile of its product at a time, and takes sums over its rows "
                      "alone, many of them, for which nothing within it waits");
}

void tct_explain_reason(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge,
                        tct_fusion_reason reason, tct_buf *out) {
    double times;
    switch (reason) {
    case TCT_APART_SCAN:
        tct_buf_puts(out,
                     "the steps of a scan are a plan of their own: what they need and give is in memory");
        return;
    case TCT_APART_FOREIGN:
        tct_buf_puts(out, "a foreign function takes and gives memory");
        return;
    case TCT_APART_OPERAND:
        times = reads_of(x, edge);
        tct_buf_puts(out, "a product reads its operands from memory");
        if (times > 1) tct_buf_printf(out, ", each element %.0f times", times);
        return;
    case TCT_APART_SCATTER:
        tct_buf_puts(out, "a scatter is a kernel by itself, working where its base lies");
        return;
    case TCT_APART_PRODUCT:
        explain_product(e, x, edge, out);
        return;
    case TCT_APART_REDUCES:
        explain_reduces(x, edge, out);
        return;
    case TCT_APART_EPILOGUE:
        tct_buf_puts(out,
                     "one of them is a product with its epilogue, which takes nothing more once it is made");
        return;
    case TCT_APART_SHAPE:
        explain_shape(x, edge, out);
        return;
    case TCT_APART_DOMAIN:
        explain_domain(x, edge, out);
        return;
    case TCT_APART_MOVED:
        tct_explain_operation(e, tct_node_of(x->report.graph, edge->movement), out);
        tct_buf_puts(out, " reads it at other points than it is computed at");
        return;
    case TCT_APART_BETWEEN:
        explain_between(e, x, edge, out);
        return;
    case TCT_APART_LARGE:
        explain_large(edge, out);
        return;
    case TCT_APART_PIECES:
        tct_buf_printf(out,
                       "the reduction has %" PRId64 " results: too few pieces for the other work, on %" PRId64
                       " points",
                       edge->pieces, edge->points);
        return;
    case TCT_APART_COLUMNS:
        tct_buf_puts(out,
                     "sums of columns are added up beside what one of them reduces: nothing in its kernel "
                     "waits for them, and all rows in it lie one after the other in memory");
        return;
    case TCT_N_APART:
        return;
    }
}

void tct_explain_again(const tct_explained *x, const tct_fusion_edge *edge, tct_buf *out) {
    const tct_node *n = tct_node_of(x->report.graph, edge->value);
    tct_ir_op user = (tct_ir_op)tct_node_of(x->report.graph, edge->user)->op;
    if (user == TCT_IR_DOT || user == TCT_IR_SCAN || user == TCT_IR_FOREIGN) return; // they take memory
    switch (edge->again) {
    case TCT_AGAIN_COSTLY:
        tct_buf_printf(out, "computing it again costs %u operations an element against %zu bytes",
                       edge->again_cost, tct_dtype_size((tct_dtype)n->dtype));
        return;
    case TCT_AGAIN_READS:
        tct_buf_printf(out, "computing it again reads %u values", edge->again_large + edge->again_small);
        if (edge->again_small) tct_buf_printf(out, ", %u of them small,", edge->again_small);
        tct_buf_puts(out, " instead of one");
        return;
    case TCT_AGAIN_RESULT:
        tct_buf_printf(
            out,
            "it is made of what reductions give: computing it again costs %u operations wherever it is read",
            edge->again_cost);
        return;
    case TCT_AGAIN_WANTED:
        tct_buf_puts(out, "it is in memory in any case, as a result or for somebody who reads memory");
        return;
    default:
        return;
    }
}

static bool has(const tct_fusion_edge *e, tct_fusion_reason r) { return e->reasons >> r & 1; }

static void advise_scan(const tct_explained *x, const tct_fusion_edge *edge, tct_buf *out) {
    const tct_graph *g = x->report.graph;
    const tct_node *value = tct_node_of(g, edge->value), *scan = tct_node_of(g, edge->user);
    tct_buf names = {0};
    for (int a = 0; a < scan->attr.n_axes; a++)
        if (tct_node_has_axis(value, scan->attr.axes[a]))
            tct_buf_printf(&names, "%s%s", names.len ? ", " : "",
                           tct_axis_of(g->module, scan->attr.axes[a])->name);
    if (names.len && value->op == TCT_IR_CAST)
        tct_buf_printf(
            out,
            "this is a copy with %s outermost, as the scan reads it: a value that has %s there needs none",
            names.data, names.data);
    else if (names.len && edge->again != TCT_AGAIN_WHOLE)
        tct_buf_printf(
            out, "computed within the scan, for one position of %s at a time, it needs no memory for all",
            names.data);
    tct_buf_free(&names);
}

static void advise_moved(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge,
                         tct_buf *out) {
    const tct_graph *g = x->report.graph;
    const tct_node *m = tct_node_of(g, edge->movement);
    if (edge->again != TCT_AGAIN_COSTLY || (m->op != TCT_IR_GATHER && m->op != TCT_IR_SLICE)) return;
    tct_buf_puts(out, "with ");
    tct_explain_operation(e, m, out);
    tct_buf_puts(out, " before ");
    tct_explain_operation(e, tct_node_of(g, edge->value), out);
    tct_buf_puts(out, " only what is read would be computed, where it is read");
}

void tct_explain_advice(const tct_explanation *e, const tct_explained *x, const tct_fusion_edge *edge,
                        tct_buf *out) {
    bool one = (edge->reasons & (edge->reasons - 1)) == 0; // with several there is no single remedy
    tct_buf_puts(out, "");
    if (one && has(edge, TCT_APART_FOREIGN))
        tct_buf_puts(out, "a function written in the language becomes part of the kernels around it");
    else if (one && has(edge, TCT_APART_SCAN) && tct_node_of(x->report.graph, edge->user)->op == TCT_IR_SCAN)
        advise_scan(x, edge, out);
    else if (one && has(edge, TCT_APART_MOVED))
        advise_moved(e, x, edge, out);
    else if (one && has(edge, TCT_APART_PIECES))
        tct_buf_printf(out, "a larger batch makes more results than the %" PRId64 " there are", edge->pieces);
}
