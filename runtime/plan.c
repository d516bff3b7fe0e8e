// Runs plans, one step after the other; the parallelism is inside the steps.
#include "runtime/plan.h"

#include "runtime/foreign.h"
#include "runtime/gemm.h"
#include "runtime/trace.h"

#include <assert.h>
#include <emmintrin.h>
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

// What fits into the threads' own caches goes to those that had its neighbours before; what doesn't is taken
// in turns, so that all read memory in one place.
static void run_tasks(tct_pool *pool, int64_t n, double bytes, tct_task_fn task, void *ctx) {
    const double own_cache = 2 << 20;
    if (bytes <= own_cache * tct_pool_threads(pool))
        tct_pool_run_near(pool, n, task, ctx);
    else
        tct_pool_run(pool, n, task, ctx);
}

static uint64_t aligned(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

tct_dtype tct_plan_step_dtype(const tct_plan *plan, const tct_step *step) {
    if (step->kind == TCT_STEP_GEMM) {
        const tct_gemm_args *g = (const tct_gemm_args *)(plan->args + step->arg);
        if (g->k_unit > 1 && g->pieces_a == 1 && g->pieces_b == 1) return TCT_BF16;
    }
    bool f64 = step->n_operands && plan->buffers[plan->operands[step->operand]].dtype == TCT_F64;
    return f64 ? TCT_F64 : TCT_F32;
}

uint64_t tct_plan_scan_workspace(const tct_plan_scan *scan) { return aligned(scan->body->arena_bytes); }

uint64_t tct_plan_shared(const tct_plan *plan) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const tct_step *s = &plan->steps[i];
        uint64_t bytes = 0;
        if (s->kind == TCT_STEP_GEMM)
            bytes = aligned(tct_gemm_shared((const tct_gemm_args *)(plan->args + s->arg)));
        if (s->kind == TCT_STEP_SCAN && !plan->scans[s->kernel].apart)
            bytes = tct_plan_shared(plan->scans[s->kernel].body);
        if (bytes > most) most = bytes;
    }
    return most;
}

// Of a trip's results that lie in memory of the thread first.
static uint64_t rows_bytes(const tct_plan_scan *scan) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < scan->n_out; i++)
        if (scan->rows[i].bytes) bytes += aligned(scan->body->outputs[i].bytes);
    return bytes;
}

uint64_t tct_plan_scan_scratch(const tct_plan_scan *scan) {
    const tct_plan *body = scan->body;
    if (!scan->apart) return body->scratch_bytes;
    return tct_plan_scan_workspace(scan) + rows_bytes(scan) + aligned(body->scratch_bytes) +
           tct_plan_shared(body);
}

// Where the operands stand in trip t.
static void place_ports(const tct_plan_scan *scan, void *const *operands, int64_t t, void **ports) {
    uint32_t n = scan->n_in + scan->n_out, axes = scan->n_axes;
    int64_t rest = scan->reverse ? scan->trips - 1 - t : t;
    for (uint32_t i = 0; i < n; i++) ports[i] = operands[i];
    for (uint32_t a = axes; a-- > 0; rest /= scan->size[a]) {
        int64_t at = rest % scan->size[a];
        for (uint32_t i = 0; i < n; i++)
            ports[i] = (unsigned char *)ports[i] + at * scan->stride[(size_t)i * axes + a];
    }
}

// Carried values lie where the last of them belongs from the start; the body takes each over from the step
// before.
static bool run_scan_in_turn(const run *r, const tct_plan_scan *scan, void *const *operands) {
    const tct_plan *body = scan->body;
    uint32_t n = scan->n_in + scan->n_out;
    for (uint32_t i = 0; i < scan->n_carries; i++)
        if (body->inputs[i].bytes && operands[scan->n_in + i] != operands[i])
            memcpy(operands[scan->n_in + i], operands[i], body->inputs[i].bytes);
    void **ports = tct_alloc((n + 1) * sizeof *ports);
    bool ok = true;
    for (int64_t t = 0; ok && t < scan->trips; t++) {
        place_ports(scan, operands, t, ports);
        for (uint32_t i = 0; i < scan->n_carries; i++) ports[i] = operands[scan->n_in + i];
        ok = tct_plan_run(r->d, body, r->pool, ports, ports + scan->n_in, operands[n], r->trace);
    }
    tct_heap_free(ports);
    return ok;
}

typedef struct trips_apart {
    const run *r;
    const tct_plan_scan *scan;
    void *const *operands;
} trips_apart;

// Whole lines past the caches: what the next trips need stays there.
static void bring_rows(const tct_plan_rows *rows, const char *from, uint64_t bytes, char *to) {
    enum { LINE = 64 };
    bool lines = ((uintptr_t)to | (uint64_t)rows->bytes | (uint64_t)rows->apart) % LINE == 0;
    for (const char *end = from + bytes; from < end; from += rows->bytes, to += rows->apart) {
        if (!lines) memcpy(to, from, (size_t)rows->bytes);
        for (int64_t i = 0; lines && i < rows->bytes; i += (int64_t)sizeof(__m128i))
            _mm_stream_si128((__m128i *)(to + i), _mm_loadu_si128((const __m128i *)(from + i)));
    }
    if (lines) _mm_sfence();
}

// One trip, results in rows apart from each other by way of `memory`.
static void run_trip(const trips_apart *c, tct_pool *alone, void **ports, char *arena, char *memory,
                     tct_trace *trace) {
    const tct_plan_scan *scan = c->scan;
    void **out = ports + scan->n_in, **to = out + scan->n_out;
    memcpy(to, out, scan->n_out * sizeof *to);
    for (uint32_t i = 0; i < scan->n_out; i++) {
        if (!scan->rows[i].bytes) continue;
        out[i] = memory;
        memory += aligned(scan->body->outputs[i].bytes);
    }
    // Cannot fail: there are no foreign calls in it.
    tct_plan_run(c->r->d, scan->body, alone, ports, out, arena, trace);
    for (uint32_t i = 0; i < scan->n_out; i++)
        if (scan->rows[i].bytes) bring_rows(&scan->rows[i], out[i], scan->body->outputs[i].bytes, to[i]);
}

// A thread's trips, on a pool of its own: the body's arena and that pool's memory are the thread's scratch.
static void run_trips(void *ctx, int64_t begin, int64_t end, int thread) {
    const trips_apart *c = ctx;
    const tct_plan *body = c->scan->body;
    char *memory = tct_pool_scratch(c->r->pool, thread);
    uint64_t workspace = tct_plan_scan_workspace(c->scan), rows = rows_bytes(c->scan);
    tct_pool *alone = tct_pool_new(1);
    if (memory) // else none is needed
        tct_pool_lend(alone, memory + workspace + rows, aligned(body->scratch_bytes), tct_plan_shared(body));
    void **ports = tct_alloc((c->scan->n_in + 2 * c->scan->n_out + 1) * sizeof *ports);
    for (int64_t t = begin; t < end; t++) {
        place_ports(c->scan, c->operands, t, ports);
        run_trip(c, alone, ports, memory, rows ? memory + workspace : NULL, thread == 0 ? c->r->trace : NULL);
    }
    tct_heap_free(ports);
    tct_pool_free(alone);
}

static bool run_scan(const run *r, const tct_plan_scan *scan, void *const *operands) {
    if (!scan->apart) return run_scan_in_turn(r, scan, operands);
    trips_apart c = {r, scan, operands};
    tct_trace_apart(r->trace, true);
    tct_pool_run(r->pool, scan->trips, run_trips, &c);
    tct_trace_apart(r->trace, false);
    return true;
}

static bool run_step(const run *r, const tct_step *s, void *const *operands) {
    const tct_plan *plan = r->plan;
    const int64_t *args = plan->args ? plan->args + s->arg : NULL;
    switch ((tct_step_kind)s->kind) {
    case TCT_STEP_KERNEL: {
        kernel_call call = {(tct_kernel_fn)plan->kernels[s->kernel].fn, operands, args, r->pool};
        run_tasks(r->pool, s->n_tasks, s->bytes, run_kernel_tasks, &call);
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

static void place_operands(const run *r, const tct_step *s, void **operands) {
    for (uint32_t k = 0; k < s->n_operands; k++)
        operands[k] = place_of(r, &r->plan->buffers[r->plan->operands[s->operand + k]]);
}

// Kernels of one dispatch, their tasks one after the other.
typedef struct dispatch {
    kernel_call call[TCT_PLAN_MOST_BESIDE];
    int64_t end[TCT_PLAN_MOST_BESIDE]; // of a kernel's tasks among all
    void *operands[TCT_PLAN_MOST_OPERANDS_BESIDE];
} dispatch;

static void run_dispatched(void *ctx, int64_t begin, int64_t end, int thread) {
    const dispatch *d = ctx;
    int64_t first = 0;
    for (uint32_t i = 0; begin < end; first = d->end[i++]) {
        if (begin >= d->end[i]) continue;
        int64_t last = end < d->end[i] ? end : d->end[i];
        run_kernel_tasks((void *)&d->call[i], begin - first, last - first, thread);
        begin = last;
    }
}

// Steps first to last - 1, which share a dispatch. So little work that waking others takes longer is done
// here.
static void run_beside(const run *r, uint32_t first, uint32_t last) {
    const double least_work = 65536; // operations and bytes
    const tct_plan *plan = r->plan;
    dispatch d;
    int64_t tasks = 0;
    double work = 0, bytes = 0;
    void **operands = d.operands;
    for (uint32_t i = first; i < last; i++) {
        const tct_step *s = &plan->steps[i];
        place_operands(r, s, operands);
        const int64_t *args = plan->args ? plan->args + s->arg : NULL;
        d.call[i - first] =
            (kernel_call){(tct_kernel_fn)plan->kernels[s->kernel].fn, operands, args, r->pool};
        d.end[i - first] = tasks += s->n_tasks;
        operands += s->n_operands;
        work += s->flops + s->bytes;
        bytes += s->bytes;
    }
    if (work < least_work)
        run_dispatched(&d, 0, tasks, 0);
    else
        run_tasks(r->pool, tasks, bytes, run_dispatched, &d);
}

static bool run_steps(const run *r, tct_trace_plan *traced) {
    const tct_plan *plan = r->plan;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const tct_step *s = &plan->steps[i];
        uint32_t end = i + 1;
        while (!r->trace && end < plan->n_steps && plan->steps[end].beside) end++;
        if (end > i + 1) { // a trace wants their times one by one
            run_beside(r, i, end);
            i = end - 1;
            continue;
        }
        void *few[OPERANDS_ON_STACK], **operands = few;
        if (s->n_operands > OPERANDS_ON_STACK) operands = tct_alloc(s->n_operands * sizeof *operands);
        place_operands(r, s, operands);
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
