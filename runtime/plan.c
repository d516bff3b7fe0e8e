// Runs plans, one step after the other; the parallelism is inside the steps.
#include "runtime/plan.h"

#include "runtime/foreign.h"
#include "runtime/gemm.h"
#include "runtime/trace.h"

#include <assert.h>
#include <string.h>

enum { OPERANDS_ON_STACK = 32 };

// One run of one plan.
typedef struct run {
    tct_diag *d;
    const tct_plan *plan;
    tct_pool *pool;
    void *const *inputs, *const *outputs;
    unsigned char *arena;
    tct_trace *trace;
} run;

static void *place_of(const run *r, const tct_plan_buffer *b) {
    switch ((tct_place)b->place) {
    case TCT_PLACE_ARENA:
        return r->arena + b->offset;
    case TCT_PLACE_INPUT:
        return (unsigned char *)r->inputs[b->index] + b->offset;
    case TCT_PLACE_OUTPUT:
        return (unsigned char *)r->outputs[b->index] + b->offset;
    case TCT_PLACE_CONST:
        return (unsigned char *)r->plan->constants + b->offset;
    }
    return NULL;
}

typedef struct kernel_call {
    tct_kernel_fn fn;
    void *const *bufs;
    const int64_t *args;
    tct_pool *pool;
} kernel_call;

static void run_kernel_tasks(void *ctx, int64_t begin, int64_t end, int thread) {
    const kernel_call *c = ctx;
    c->fn(c->bufs, c->args, begin, end, tct_pool_scratch(c->pool, thread));
}

static uint64_t aligned(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

uint64_t tct_plan_scan_workspace(const tct_plan_scan *scan) { return aligned(scan->body->arena_bytes); }

// Carried values lie where the last of them belongs from the start; the body takes each over from the step
// before.
static bool run_scan(const run *r, const tct_plan_scan *scan, void *const *operands) {
    const tct_plan *body = scan->body;
    uint32_t n = scan->n_in + scan->n_out;
    for (uint32_t i = 0; i < scan->n_carries; i++)
        if (body->inputs[i].bytes) memcpy(operands[scan->n_in + i], operands[i], body->inputs[i].bytes);
    void **ports = tct_alloc((n + 1) * sizeof *ports);
    bool ok = true;
    for (int64_t t = 0; ok && t < scan->trips; t++) {
        int64_t at = scan->reverse ? scan->trips - 1 - t : t;
        for (uint32_t i = 0; i < n; i++) ports[i] = (unsigned char *)operands[i] + scan->stride[i] * at;
        for (uint32_t i = 0; i < scan->n_carries; i++) ports[i] = operands[scan->n_in + i];
        ok = tct_plan_run(r->d, body, r->pool, ports, ports + scan->n_in, operands[n], r->trace);
    }
    tct_heap_free(ports);
    return ok;
}

static bool run_step(const run *r, const tct_step *s, void *const *operands) {
    const tct_plan *plan = r->plan;
    const int64_t *args = plan->args ? plan->args + s->arg : NULL;
    switch ((tct_step_kind)s->kind) {
    case TCT_STEP_KERNEL: {
        kernel_call call = {(tct_kernel_fn)plan->kernels[s->kernel].fn, operands, args, r->pool};
        tct_pool_run(r->pool, s->n_tasks, run_kernel_tasks, &call);
        return true;
    }
    case TCT_STEP_GEMM:
        tct_gemm_run(r->pool, (const tct_gemm_args *)args, plan->kernels + s->kernel, operands,
                     args + TCT_GEMM_N_ARGS);
        return true;
    case TCT_STEP_SCAN:
        return run_scan(r, &plan->scans[s->kernel], operands);
    case TCT_STEP_FOREIGN:
        return tct_foreign_call(r->d, &plan->foreigns[s->kernel], operands);
    }
    assert(!"a step has one of the kinds above");
    return false;
}

static bool run_steps(const run *r, tct_trace_plan *traced) {
    const tct_plan *plan = r->plan;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const tct_step *s = &plan->steps[i];
        void *few[OPERANDS_ON_STACK], **operands = few;
        if (s->n_operands > OPERANDS_ON_STACK) operands = tct_alloc(s->n_operands * sizeof *operands);
        for (uint32_t k = 0; k < s->n_operands; k++)
            operands[k] = place_of(r, &plan->buffers[plan->operands[s->operand + k]]);
        tct_trace_mark mark = tct_trace_begin(r->trace);
        bool ok = run_step(r, s, operands);
        if (traced) tct_trace_end_step(r->trace, traced, i, mark);
        if (operands != few) tct_heap_free(operands);
        if (!ok) return false;
    }
    return true;
}

bool tct_plan_run(tct_diag *d, const tct_plan *plan, tct_pool *pool, void *const *inputs,
                  void *const *outputs, void *arena, tct_trace *trace) {
    run r = {d, plan, pool, inputs, outputs, arena, trace};
    tct_pool_reserve_scratch(pool, plan->scratch_bytes);
    tct_trace_plan *traced = tct_trace_plan_of(trace, plan);
    tct_trace_mark mark = tct_trace_begin(trace);
    bool ok = run_steps(&r, traced);
    if (traced) tct_trace_end_plan(trace, traced, mark);
    return ok;
}
