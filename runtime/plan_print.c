// Plans as text.
#include "runtime/gemm.h"
#include "runtime/plan.h"

#include <inttypes.h>

static const char *const kind_names[] = {"kernel", "gemm", "scan", "foreign"};
static const char *const place_names[] = {"arena", "in", "out", "const"};

static void print_port(const tct_plan_port *p, const char *what, uint32_t i, tct_buf *out) {
    tct_buf_printf(out, "%s%u %s: %s[", what, i, p->name, tct_dtype_name((tct_dtype)p->dtype));
    for (uint32_t a = 0; a < p->n_axes; a++)
        tct_buf_printf(out, "%s%s=%" PRId64, a ? ", " : "", p->axis[a], p->size[a]);
    tct_buf_puts(out, "]");
    if (p->alias >= 0) tct_buf_printf(out, " in place of in%d", p->alias);
    tct_buf_putc(out, '\n');
}

static void print_buffer(const tct_plan *plan, uint32_t id, tct_buf *out) {
    const tct_plan_buffer *b = &plan->buffers[id];
    tct_buf_puts(out, place_names[b->place]);
    if (b->place == TCT_PLACE_INPUT || b->place == TCT_PLACE_OUTPUT) tct_buf_printf(out, "%u", b->index);
    if (b->offset || b->place == TCT_PLACE_ARENA || b->place == TCT_PLACE_CONST)
        tct_buf_printf(out, "+%" PRIu64, b->offset);
}

void tct_plan_step_name(const tct_plan *plan, uint32_t i, tct_buf *out) {
    const tct_step *s = &plan->steps[i];
    tct_buf_puts(out, s->label ? s->label : "step");
    if (s->kind == TCT_STEP_GEMM) {
        const tct_gemm_args *g = (const tct_gemm_args *)(plan->args + s->arg);
        if (g->batch == 1)
            tct_buf_printf(out, " %" PRId64 "x%" PRId64 "x%" PRId64, g->m, g->n, g->k);
        else
            tct_buf_printf(out, " %" PRId64 "x(%" PRId64 "x%" PRId64 "x%" PRId64 ")", g->batch, g->m, g->n,
                           g->k);
    } else if (s->kind == TCT_STEP_SCAN) {
        tct_buf_printf(out, " of %" PRId64, plan->scans[s->kernel].trips);
    }
}

static void print_gemm(const tct_plan *plan, const tct_step *s, tct_buf *out) {
    static const char *const paths[] = {"tiles", "dots", "stream", "bf16"};
    static const char *const feeds[] = {"direct", "copied", "turned", "gathered"};
    const tct_gemm_args *g = (const tct_gemm_args *)(plan->args + s->arg);
    tct_buf_printf(out, " %s%" PRId64 "x%" PRId64 "x%" PRId64, g->accumulate ? "+= " : "", g->m, g->n, g->k);
    if (g->batch != 1) tct_buf_printf(out, " batch %" PRId64, g->batch);
    tct_buf_printf(out, " %s", paths[g->path]);
    if (g->path == TCT_GEMM_TILES)
        tct_buf_printf(out, " a %s b %s box %" PRId64 "x%" PRId64 " kc %" PRId64, feeds[g->feed_a],
                       feeds[g->feed_b], g->mc, g->nc, g->kc);
    if (g->path == TCT_GEMM_STREAM)
        tct_buf_printf(out, " a %s box %" PRId64 "x%" PRId64 " kc %" PRId64, feeds[g->feed_a], g->mc, g->nc,
                       g->kc);
    if (g->path == TCT_GEMM_BF16)
        tct_buf_printf(out,
                       " pieces %" PRId64 "x%" PRId64 " a %s b %s box %" PRId64 "x%" PRId64 " kc %" PRId64,
                       g->pieces_a, g->pieces_b, feeds[g->feed_a], feeds[g->feed_b], g->mc, g->nc, g->kc);
    if (g->b_kept && g->b_done_steps) tct_buf_printf(out, " b kept, %" PRId64 " steps done", g->b_done_steps);
    if (g->b_kept && !g->b_done_steps) tct_buf_printf(out, " b kept, %" PRId64 " done", g->b_done);
    for (int i = 0; i < TCT_GEMM_N_SLOTS; i++)
        if (g->slot[i] >= 0)
            tct_buf_printf(out, "%s%s", i == TCT_GEMM_TILE ? " then " : " ",
                           plan->kernels[s->kernel + g->slot[i]].symbol);
}

static void print_rows(const tct_plan_scan *scan, tct_buf *out) {
    for (uint32_t k = 0; k < scan->n_out; k++)
        if (scan->rows[k].bytes)
            tct_buf_printf(out, ", result %u in rows of %" PRId64 ", %" PRId64 " apart", k,
                           scan->rows[k].bytes, scan->rows[k].apart);
}

void tct_plan_print_step(const tct_plan *plan, uint32_t i, tct_buf *out) {
    const tct_step *s = &plan->steps[i];
    tct_buf_printf(out, "%4u%s %s %s", i, s->beside ? "+" : "", kind_names[s->kind],
                   s->label ? s->label : "");
    switch ((tct_step_kind)s->kind) {
    case TCT_STEP_KERNEL:
        tct_buf_printf(out, " %s", plan->kernels[s->kernel].symbol);
        for (uint32_t k = 0; k < s->n_args; k++) tct_buf_printf(out, " %" PRId64, plan->args[s->arg + k]);
        break;
    case TCT_STEP_GEMM:
        print_gemm(plan, s, out);
        break;
    case TCT_STEP_SCAN:
        tct_buf_printf(out, " %s, %" PRId64 " steps%s", plan->scans[s->kernel].body->name,
                       plan->scans[s->kernel].trips, plan->scans[s->kernel].reverse ? ", last first" : "");
        print_rows(&plan->scans[s->kernel], out);
        break;
    case TCT_STEP_FOREIGN:
        tct_buf_printf(out, " %s", plan->foreigns[s->kernel].symbol);
        break;
    }
    tct_buf_puts(out, " (");
    for (uint32_t k = 0; k < s->n_operands; k++) {
        uint32_t id = plan->operands[s->operand + k];
        tct_buf_printf(out, "%s%%%u ", k ? ", " : "", id);
        print_buffer(plan, id, out);
    }
    tct_buf_printf(out, ") tasks %" PRId64, s->n_tasks);
    if (s->scratch) tct_buf_printf(out, " scratch %" PRIu64, s->scratch);
    if (s->flops > 0) tct_buf_printf(out, " flops %.4g", s->flops);
    if (s->bytes > 0) tct_buf_printf(out, " bytes %.4g", s->bytes);
}

void tct_plan_print_noted(const tct_plan *plan, tct_plan_note note, void *ctx, tct_buf *out) {
    tct_buf_printf(out, "plan %s\n", plan->name);
    for (uint32_t i = 0; i < plan->n_inputs; i++) print_port(&plan->inputs[i], "in", i, out);
    for (uint32_t i = 0; i < plan->n_outputs; i++) print_port(&plan->outputs[i], "out", i, out);
    tct_buf_printf(out, "steps %u\n", plan->n_steps);
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        tct_plan_print_step(plan, i, out);
        if (note) note(ctx, plan, i, out);
        tct_buf_putc(out, '\n');
    }
    tct_buf_printf(out, "memory arena %" PRIu64 " constants %" PRIu64 " scratch %" PRIu64 " a thread\n",
                   plan->arena_bytes, plan->constant_bytes, plan->scratch_bytes);
    for (uint32_t i = 0; i < plan->n_buffers; i++) {
        const tct_plan_buffer *b = &plan->buffers[i];
        tct_buf_printf(out, "%%%u %s ", i, tct_dtype_name((tct_dtype)b->dtype));
        print_buffer(plan, i, out);
        tct_buf_printf(out, " bytes %" PRIu64 " steps %u to %u\n", b->bytes, b->first_step, b->last_step);
    }
    for (uint32_t i = 0; i < plan->n_scans; i++) tct_plan_print_noted(plan->scans[i].body, note, ctx, out);
}

void tct_plan_print(const tct_plan *plan, tct_buf *out) { tct_plan_print_noted(plan, NULL, NULL, out); }
