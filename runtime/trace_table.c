// The table at the end of a trace: steps that do the same for the same place of the source are one kernel.
#include "runtime/trace_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    const tct_plan *plan;
    const tct_step *step;
    const tct_trace_step *of;
    uint64_t calls;
    double own;
} row;

static bool same_arguments(const row *r, const tct_plan *plan, const tct_step *s) {
    return r->step->n_args == s->n_args &&
           (s->n_args == 0 ||
            memcmp(r->plan->args + r->step->arg, plan->args + s->arg, s->n_args * sizeof *plan->args) == 0);
}

static bool same_place(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool is_same(const row *r, const tct_plan *plan, const tct_step *s, const tct_trace_step *of) {
    return r->step->kind == s->kind && strcmp(r->of->name, of->name) == 0 &&
           same_place(r->of->place, of->place) && r->step->flops == s->flops && r->step->bytes == s->bytes &&
           same_arguments(r, plan, s);
}

static int by_time(const void *a, const void *b) {
    const row *x = a, *y = b;
    return x->own < y->own ? 1 : x->own > y->own ? -1 : 0;
}

// Rows by what is the same, most expensive first.
static size_t collect(const tct_trace *t, row **out) {
    TCT_VEC(row) rows = {0};
    for (size_t i = 0; i < t->plans.len; i++) {
        const tct_trace_plan *p = t->plans.data[i];
        for (uint32_t k = 0; k < p->plan->n_steps; k++) {
            const tct_step *s = &p->plan->steps[k];
            size_t r = 0;
            if (!p->sums[k].calls) continue;
            while (r < rows.len && !is_same(&rows.data[r], p->plan, s, &p->steps[k])) r++;
            if (r == rows.len) TCT_PUSH(&rows, (row){.plan = p->plan, .step = s, .of = &p->steps[k]});
            rows.data[r].calls += p->sums[k].calls;
            rows.data[r].own += p->sums[k].own;
        }
    }
    if (rows.len) qsort(rows.data, rows.len, sizeof *rows.data, by_time);
    *out = rows.data;
    return rows.len;
}

static void print_row(const row *r, double total, tct_buf *out) {
    double calls = (double)r->calls, own = r->own > 0 ? r->own : 1e-9;
    tct_buf_printf(out, "%6.1f%% %9" PRIu64 " %11.3f", 100 * r->own / total, r->calls, r->own * 1e3);
    bool scan = r->step->kind == TCT_STEP_SCAN; // its work is done by the kernels within
    if (!scan && r->step->flops > 0)
        tct_buf_printf(out, " %9.1f", r->step->flops * calls / own * 1e-9);
    else
        tct_buf_printf(out, " %9s", "-");
    if (!scan && r->step->bytes > 0)
        tct_buf_printf(out, " %8.1f", r->step->bytes * calls / own * 1e-9);
    else
        tct_buf_printf(out, " %8s", "-");
    if (!scan && r->of->least > 0)
        tct_buf_printf(out, " %6.1f%% of %-7s", 100 * r->of->least * calls / own,
                       tct_limit_name((tct_limit)r->of->limit));
    else
        tct_buf_printf(out, " %18s", "");
    tct_buf_printf(out, "  %s", r->of->name);
    if (r->of->place) tct_buf_printf(out, " at %s", r->of->place);
    tct_buf_putc(out, '\n');
}

static void print_extent(const tct_trace *t, tct_buf *out) {
    tct_trace_extent x = tct_trace_file_extent(t->file);
    if (x.failed) return;
    tct_buf_printf(out, "%s: %" PRIu64 " events, %.1f MB", x.path, x.events, (double)x.bytes / (1 << 20));
    if (x.full)
        tct_buf_printf(out, "; full after %.1f s, %" PRIu64 " events left out: --trace-limit takes more",
                       (double)x.full_at * 1e-9, x.left_out);
    tct_buf_putc(out, '\n');
}

void tct_trace_table(const tct_trace *t, int lines, tct_buf *out) {
    row *rows;
    size_t n = collect(t, &rows);
    double total = 0, shown = 0;
    for (size_t i = 0; i < n; i++) {
        total += rows[i].own;
        if ((int)i < lines) shown += rows[i].own;
    }
    if (n && (size_t)lines < n)
        tct_buf_printf(out, "the %d most expensive of %zu kernels, %.0f %% of %.3f s\n", lines, n,
                       100 * shown / total, total);
    else
        tct_buf_printf(out, "%zu kernel%s, %.3f s\n", n, n == 1 ? "" : "s", total);
    if (n)
        tct_buf_printf(out, "%7s %9s %11s %9s %8s %18s  %s\n", "share", "calls", "ms", "GFLOP/s", "GB/s",
                       "peak", "kernel");
    for (size_t i = 0; i < n && (int)i < lines; i++) print_row(&rows[i], total, out);
    tct_buf_printf(out,
                   "peak of %d thread%s: %.0f GFLOP/s in f32, %.0f in f64; %.0f GB/s from memory, %.0f from "
                   "cache\n",
                   t->peak.threads, t->peak.threads == 1 ? "" : "s", t->peak.f32 * 1e-9, t->peak.f64 * 1e-9,
                   t->peak.memory * 1e-9, t->peak.cache * 1e-9);
    if (t->file) print_extent(t, out);
    tct_heap_free(rows);
}
