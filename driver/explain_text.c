// The explanation for people: kernels in the order in which they run, then what is kept and what is computed
// again. A kernel that is as one before it (the layers of a model) is told of once.
#include "driver/explain.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

typedef struct printing {
    const tct_explanation *e;
    tct_buf *out;
    tct_arena arena;
    int depth; // of scans
    uint32_t kernels;
    double flops, bytes;
} printing;

// "1.23 MFLOP", "45.6 kB", "12"
static void add_quantity(tct_buf *out, double x, const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    int p = 0;
    while (x >= 999.5 && p < 5) x /= 1000, p++;
    tct_buf_printf(out,
                   p == 0      ? "%.0f %s%s"
                   : x < 9.995 ? "%.2f %s%s"
                   : x < 99.95 ? "%.1f %s%s"
                               : "%.0f %s%s",
                   x, prefixes[p], unit);
}

static void add_seconds(tct_buf *out, double s) {
    if (s < 1e-6)
        tct_buf_printf(out, "%.3g ns", s * 1e9);
    else if (s < 1e-3)
        tct_buf_printf(out, "%.3g us", s * 1e6);
    else if (s < 1)
        tct_buf_printf(out, "%.3g ms", s * 1e3);
    else
        tct_buf_printf(out, "%.3g s", s);
}

static void indent(const printing *p, int more) {
    for (int i = 0; i < 4 * p->depth + more; i++) tct_buf_putc(p->out, ' ');
}

static double bytes_of(const tct_graph *g, const tct_node *n) {
    return (double)tct_node_elements(g, n) * (double)tct_dtype_size((tct_dtype)n->dtype);
}

// --- One kernel ---

static void print_axes(printing *p, const tct_graph *g, const tct_fusion_domain *d) {
    if (!d->n_axes) return;
    tct_buf_puts(p->out, " over ");
    for (uint32_t k = 0; k < d->n_axes; k++) {
        const tct_axis_info *a = tct_axis_of(g->module, d->axes[k]);
        tct_buf_printf(p->out, "%s%s=%" PRId64, k ? " " : "", a->name, a->size);
    }
    for (uint32_t k = 0; k < d->n_reduced; k++)
        tct_buf_printf(p->out, "%s%s", k ? " " : ", reducing ", tct_axis_of(g->module, d->reduced[k])->name);
}

static void print_part(printing *p, uint8_t part) {
    static const char *const names[] = {"", "; forward", "; backward", "; forward and backward"};
    if (p->e->backward && part) tct_buf_puts(p->out, names[part]);
}

static void print_figures(printing *p, const tct_explained *x, uint32_t step) {
    tct_kernel_figures f = tct_explain_figures(p->e, x, step);
    indent(p, 4);
    add_quantity(p->out, f.flops, "FLOP");
    tct_buf_puts(p->out, ", ");
    add_quantity(p->out, f.bytes, "B");
    if (f.flops > 0 && f.bytes > 0) tct_buf_printf(p->out, ", %.3g FLOP/B", f.intensity);
    if (f.least > 0) {
        tct_buf_printf(p->out, "; bound by %s, at least ", tct_limit_name(f.limit));
        add_seconds(p->out, f.least);
    }
    if (f.calls && f.seconds > 0) {
        tct_buf_puts(p->out, "; took ");
        add_seconds(p->out, f.seconds);
        tct_buf_printf(p->out, ", %.1f GFLOP/s, %.1f GB/s, %.0f %% of peak", f.flops / f.seconds * 1e-9,
                       f.bytes / f.seconds * 1e-9, 100 * f.least / f.seconds);
    }
    tct_buf_putc(p->out, '\n');
}

// "file:line" of a node, "" where it has no place.
static const char *line_of(printing *p, const tct_node *n) {
    const tct_source *s = tct_diag_source(p->e->sources, n->span.file);
    if (!s) return "";
    uint32_t line, column;
    tct_diag_line_col(s, n->span.begin, &line, &column);
    return tct_arena_printf(&p->arena, "%s:%u", s->path, line);
}

// A step that planning added: a copy, or sums of what an earlier step, `writer`, has summed in parts.
static void print_added(printing *p, const tct_plan *plan, uint32_t step) {
    const tct_step *s = &plan->steps[step];
    indent(p, 4);
    if (strcmp(s->label, TCT_SUM_OF_PARTS) != 0) {
        tct_buf_puts(p->out, "added by the plan: a value that is wanted in two places\n");
        return;
    }
    for (uint32_t writer = step; writer-- > 0;) {
        const tct_step *w = &plan->steps[writer];
        for (uint32_t k = 0; k < w->n_operands; k++) {
            if (plan->operands[w->operand + k] != plan->operands[s->operand]) continue;
            tct_buf_printf(p->out, "added by the plan: adds up sums of columns that %u makes in parts\n",
                           writer);
            return;
        }
    }
    assert(!"somebody makes the parts");
}

// A line for each line of the source, with the operations that it caused.
static void print_operations(printing *p, const tct_explained *x, uint32_t step) {
    tct_value only;
    const tct_graph *g = tct_explain_operations(x, step, &only);
    if (!g) {
        print_added(p, x->plan, step);
        return;
    }
    const char **lines = TCT_NEW_ARRAY(&p->arena, const char *, g->nodes.len);
    size_t width = 0;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if ((only != TCT_NO_VALUE && v != only) || !tct_explain_is_operation(n)) continue;
        lines[v] = line_of(p, n);
        if (strlen(lines[v]) > width) width = strlen(lines[v]);
    }
    for (tct_value v = 0; v < g->nodes.len; v++) {
        if (!lines[v]) continue;
        indent(p, 4);
        tct_buf_printf(p->out, "%-*s ", (int)width, lines[v]);
        const char *line = lines[v];
        for (tct_value w = v; w < g->nodes.len; w++) {
            if (!lines[w] || strcmp(lines[w], line) != 0) continue;
            tct_buf_printf(p->out, " %s", tct_ir_ops[tct_node_of(g, w)->op].name);
            lines[w] = NULL;
        }
        tct_buf_putc(p->out, '\n');
    }
}

// A sentence, if there is one, which then is empty.
static void print_line(printing *p, const char *before, tct_buf *text) {
    if (!text->len) return;
    indent(p, 8);
    tct_buf_printf(p->out, "%s%s\n", before, text->data);
    text->len = 0;
}

static void print_edge(printing *p, const tct_explained *x, const tct_fusion_edge *edge) {
    const tct_fusion_report *r = &x->report;
    const tct_node *value = tct_node_of(r->graph, edge->value);
    indent(p, 4);
    tct_buf_printf(p->out, "apart from %s%u, ", x->prefix, x->step_of[edge->from]);
    tct_explain_operation(p->e, value, p->out);
    tct_buf_puts(p->out, ", ");
    add_quantity(p->out, bytes_of(r->graph, value), "B");
    tct_buf_puts(p->out, ":\n");
    for (int why = 0; why < TCT_N_APART; why++) {
        if (!(edge->reasons >> why & 1)) continue;
        indent(p, 8);
        tct_explain_reason(p->e, x, edge, (tct_fusion_reason)why, p->out);
        tct_buf_putc(p->out, '\n');
    }
    tct_buf more = {0};
    tct_explain_again(x, edge, &more);
    print_line(p, "", &more);
    tct_explain_advice(p->e, x, edge, &more);
    print_line(p, "help: ", &more);
    tct_buf_free(&more);
}

static bool is_into(const tct_explained *x, const tct_fusion_edge *edge, uint32_t step) {
    return x->step_of[edge->to] == step;
}

// What a kernel is, but for the numbers of others: kernels with the same are told of once.
static const char *signature(printing *p, const tct_explained *x, uint32_t step) {
    const tct_step *s = &x->plan->steps[step];
    tct_buf b = {0};
    tct_value only;
    const tct_graph *g = tct_explain_operations(x, step, &only);
    tct_plan_step_name(x->plan, step, &b);
    tct_buf_printf(&b, "|%u|%.0f|%.0f", s->kind, s->flops, s->bytes);
    for (uint32_t k = 0; k < s->n_args; k++) tct_buf_printf(&b, " %" PRId64, x->plan->args[s->arg + k]);
    for (tct_value v = 0; g && v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if ((only != TCT_NO_VALUE && v != only) || !tct_explain_is_operation(n)) continue;
        tct_buf_printf(&b, "|%u %u:%u", n->op, n->span.file, n->span.begin);
    }
    for (size_t k = 0; k < x->report.edges.len; k++) {
        const tct_fusion_edge *edge = &x->report.edges.data[k];
        if (!is_into(x, edge, step)) continue;
        const tct_node *n = tct_node_of(x->report.graph, edge->value);
        tct_buf_printf(&b, "|%u %u:%u %x", n->op, n->span.file, n->span.begin, edge->reasons);
    }
    const char *text = tct_arena_strdup(&p->arena, b.data);
    tct_buf_free(&b);
    return text;
}

static void print_plan(printing *p, const tct_explained *x);

static void print_kernel(printing *p, const tct_explained *x, uint32_t step) {
    const tct_step *s = &x->plan->steps[step];
    tct_fusion_domain domain = tct_explain_domain(x, step);
    indent(p, 0);
    tct_buf_printf(p->out, "%s%u  ", x->prefix, step);
    tct_plan_step_name(x->plan, step, p->out);
    print_axes(p, x->origin->graph, &domain);
    print_part(p, tct_explain_part(x, step));
    tct_buf_putc(p->out, '\n');
    print_figures(p, x, step);
    print_operations(p, x, step);
    for (size_t k = 0; k < x->report.edges.len; k++)
        if (is_into(x, &x->report.edges.data[k], step)) print_edge(p, x, &x->report.edges.data[k]);
    if (s->kind == TCT_STEP_SCAN) {
        p->depth++;
        print_plan(p, &x->scans[s->kernel]);
        p->depth--;
    }
}

static void print_plan(printing *p, const tct_explained *x) {
    uint32_t n = x->plan->n_steps;
    const char **signatures = TCT_NEW_ARRAY(&p->arena, const char *, n + 1);
    for (uint32_t s = 0; s < n; s++) {
        signatures[s] = signature(p, x, s);
        uint32_t same = 0;
        while (strcmp(signatures[same], signatures[s]) != 0) same++;
        if (same == s) {
            print_kernel(p, x, s);
            continue;
        }
        indent(p, 0);
        tct_buf_printf(p->out, "%s%u  ", x->prefix, s);
        tct_plan_step_name(x->plan, s, p->out);
        tct_buf_printf(p->out, ", as %s%u", x->prefix, same);
        tct_kernel_figures f = tct_explain_figures(p->e, x, s);
        if (f.calls && f.seconds > 0) {
            tct_buf_puts(p->out, "; took ");
            add_seconds(p->out, f.seconds);
            tct_buf_printf(p->out, ", %.0f %% of peak", 100 * f.least / f.seconds);
        }
        tct_buf_putc(p->out, '\n');
    }
}

// --- What is kept, what is computed again ---

// Lines of equal text once, with how often they are there.
typedef struct line {
    const char *text;
    uint32_t times;
} line;

typedef struct line_list {
    TCT_VEC(line) all;
} line_list;

static void add_line(line_list *list, const char *text) {
    for (size_t k = 0; k < list->all.len; k++) {
        if (strcmp(list->all.data[k].text, text) != 0) continue;
        list->all.data[k].times++;
        return;
    }
    TCT_PUSH(&list->all, (line){text, 1});
}

static void print_lines(printing *p, line_list *list) {
    for (size_t k = 0; k < list->all.len; k++) {
        tct_buf_printf(p->out, "    %s", list->all.data[k].text);
        if (list->all.data[k].times > 1) tct_buf_printf(p->out, " (%u times)", list->all.data[k].times);
        tct_buf_putc(p->out, '\n');
    }
    TCT_VEC_FREE(&list->all);
}

static bool told_before(const tct_fusion_report *r, size_t edge) {
    for (size_t k = 0; k < edge; k++)
        if (r->edges.data[k].saved && r->edges.data[k].value == r->edges.data[edge].value) return true;
    return false;
}

static void why_kept(const tct_explained *x, const tct_fusion_edge *edge, tct_buf *out) {
    const tct_node *n = tct_node_of(x->report.graph, edge->value);
    const tct_node *user = tct_node_of(x->report.graph, edge->user);
    size_t before = out->len;
    tct_explain_again(x, edge, out);
    if (out->len > before) return;
    if (edge->again != TCT_AGAIN_WHOLE)
        tct_buf_printf(out, "a %s takes it from memory",
                       user->op == TCT_IR_DOT    ? "product"
                       : user->op == TCT_IR_SCAN ? "scan"
                                                 : "foreign function");
    else if (n->op == TCT_IR_DOT)
        tct_buf_puts(out, "a product is not computed again");
    else if (tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION)
        tct_buf_puts(out, "a reduction is not computed again: it would read all that it reduces");
    else
        tct_buf_puts(out, "the results of scans, calls and scatters are not computed again");
}

static void print_kept(printing *p) {
    const tct_explained *x = &p->e->top;
    const tct_fusion_report *r = &x->report;
    line_list lines = {0};
    double bytes = 0;
    uint32_t n = 0;
    for (size_t k = 0; k < r->edges.len; k++) {
        const tct_fusion_edge *edge = &r->edges.data[k];
        const tct_node *value = tct_node_of(r->graph, edge->value);
        if (!edge->saved || told_before(r, k)) continue;
        tct_buf text = {0};
        add_quantity(&text, bytes_of(r->graph, value), "B");
        tct_buf_puts(&text, " ");
        tct_explain_operation(p->e, value, &text);
        tct_buf_puts(&text, ": ");
        why_kept(x, edge, &text);
        add_line(&lines, tct_arena_strdup(&p->arena, text.data));
        tct_buf_free(&text);
        bytes += bytes_of(r->graph, value);
        n++;
    }
    tct_buf_printf(p->out, "\nkept for the backward pass: %u value%s, ", n, n == 1 ? "" : "s");
    add_quantity(p->out, bytes, "B");
    tct_buf_putc(p->out, '\n');
    print_lines(p, &lines);
}

static void print_copies(printing *p, bool backward) {
    const tct_fusion_report *r = &p->e->top.report;
    line_list lines = {0};
    uint32_t n = 0;
    for (size_t k = 0; k < r->copies.len; k++) {
        const tct_fusion_copy *c = &r->copies.data[k];
        const tct_node *node = tct_node_of(r->graph, c->node);
        if (c->backward != backward) continue;
        tct_buf text = {0};
        tct_explain_operation(p->e, node, &text);
        tct_buf_printf(&text, " in %u kernels: %u operation%s an element, cheaper than %zu byte%s of memory",
                       c->n_kernels, c->cost, c->cost == 1 ? "" : "s", tct_dtype_size((tct_dtype)node->dtype),
                       tct_dtype_size((tct_dtype)node->dtype) == 1 ? "" : "s");
        add_line(&lines, tct_arena_strdup(&p->arena, text.data));
        tct_buf_free(&text);
        n++;
    }
    if (!n) return;
    tct_buf_printf(p->out, "\ncomputed again %s: %u value%s\n",
                   backward ? "for the backward pass" : "by every kernel that wants it", n,
                   n == 1 ? "" : "s");
    print_lines(p, &lines);
}

// --- The whole ---

static void add_up(printing *p, const tct_explained *x) {
    for (uint32_t s = 0; s < x->plan->n_steps; s++) {
        p->flops += x->plan->steps[s].flops;
        p->bytes += x->plan->steps[s].bytes;
    }
}

static uint32_t count_kernels(const tct_plan *plan) {
    uint32_t n = 0;
    for (uint32_t s = 0; s < plan->n_steps; s++)
        n +=
            plan->steps[s].kind == TCT_STEP_SCAN ? count_kernels(plan->scans[plan->steps[s].kernel].body) : 1;
    return n;
}

static void print_head(printing *p) {
    const tct_explanation *e = p->e;
    const tct_peak *k = &e->peak;
    p->kernels = count_kernels(e->top.plan);
    add_up(p, &e->top);
    tct_buf_printf(p->out, "%s%s: %u kernel%s, ", e->name, e->backward ? ", with its gradient" : "",
                   p->kernels, p->kernels == 1 ? "" : "s");
    add_quantity(p->out, p->flops, "FLOP");
    tct_buf_puts(p->out, ", ");
    add_quantity(p->out, p->bytes, "B");
    tct_buf_puts(p->out, " moved, ");
    add_quantity(p->out, (double)e->top.plan->arena_bytes, "B");
    tct_buf_puts(p->out, " of intermediates\n");
    tct_buf_printf(p->out, "peak (%s): ", e->trace ? "measured" : "assumed; --measure measures it");
    tct_buf_printf(p->out,
                   "%.0f GFLOP/s in f32, %.0f GB/s from memory, %.0f GB/s from cache; %d thread%s, %s\n",
                   k->f32 * 1e-9, k->memory * 1e-9, k->cache * 1e-9, k->threads, k->threads == 1 ? "" : "s",
                   tct_isa_name(k->isa));
    if (e->trace) {
        tct_buf_puts(p->out, "a run took ");
        add_seconds(p->out, e->seconds);
        tct_buf_printf(p->out, ", the best of %d\n", e->runs);
    }
    tct_buf_putc(p->out, '\n');
}

void tct_explain_text(const tct_explanation *e, tct_buf *out) {
    printing p = {.e = e, .out = out};
    print_head(&p);
    print_plan(&p, &e->top);
    if (e->backward) {
        print_kept(&p);
        print_copies(&p, true);
    }
    print_copies(&p, false);
    tct_arena_free(&p.arena);
}
