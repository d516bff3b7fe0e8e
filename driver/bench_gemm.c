// Measures matrix products against the multiply-add limit of the same machine in the same seconds.
#include "driver/bench_gemm.h"

#include "codegen/gemm.h"
#include "runtime/peak.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PEAK_TURNS = 20000, ROUNDS = 7, SINK_BYTES = 64 };
static const double default_seconds = 0.35;

// What both benchmarks need.
typedef struct bench {
    const tct_bench_options *o;
    tct_target target;
    tct_pool *pool;
} bench;

// Seconds. One thread is timed by its own clock, which stands still while somebody else has the core.
static double now(const bench *b) {
    struct timespec t;
    clock_gettime(tct_pool_threads(b->pool) == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bench open_bench(const tct_bench_options *o) {
    return (bench){.o = o, .target = tct_target_of(o->isa), .pool = tct_pool_new(o->threads)};
}

static void close_bench(bench *b) { tct_pool_free(b->pool); }

static void run_peak(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    _Alignas(SINK_BYTES) double sink[SINK_BYTES / sizeof(double)] = {0};
    for (int64_t i = begin; i < end; i++) (*(tct_peak_fn *)ctx)(PEAK_TURNS, sink);
}

// Seconds that one of `runs` calls takes, once warm. The clocks are too coarse for one call alone.
static double seconds_of(bench *b, void (*call)(void *), void *ctx, int64_t runs) {
    double start = now(b);
    for (int64_t i = 0; i < runs; i++) call(ctx);
    return (now(b) - start) / (double)runs;
}

// As many calls as fill a slice of time.
static int64_t calls_in(bench *b, void (*call)(void *), void *ctx, double seconds) {
    int64_t runs = 1;
    for (double each; (each = seconds_of(b, call, ctx, runs)) * (double)runs < seconds / 4;) runs *= 2;
    double each = seconds_of(b, call, ctx, runs);
    int64_t fitting = (int64_t)(seconds / each);
    return fitting < 1 ? 1 : fitting;
}

typedef struct peak_call {
    bench *b;
    tct_peak_fn fn;
    int64_t tasks;
} peak_call;

static void call_peak(void *ctx) {
    peak_call *c = ctx;
    tct_pool_run(c->b->pool, c->tasks, run_peak, &c->fn);
}

static double slice(const bench *b) { return (b->o->seconds > 0 ? b->o->seconds : default_seconds) / ROUNDS; }

static peak_call peak_of(bench *b, tct_dtype dtype) {
    return (peak_call){b, tct_peak_loop(b->o->isa, dtype), (int64_t)8 * tct_pool_threads(b->pool)};
}

static double peak_flops(const peak_call *c, tct_dtype dtype) {
    return (double)c->tasks * PEAK_TURNS * tct_peak_flops(c->b->o->isa, dtype);
}

void tct_bench_peak(const tct_bench_options *o, FILE *out) {
    bench b = open_bench(o);
    for (int i = 0; i < 2; i++) {
        tct_dtype dtype = i ? TCT_F64 : TCT_F32;
        peak_call call = peak_of(&b, dtype);
        int64_t runs = calls_in(&b, call_peak, &call, slice(&b));
        double best = 0;
        for (int round = 0; round < ROUNDS; round++) {
            double rate = peak_flops(&call, dtype) / seconds_of(&b, call_peak, &call, runs) * 1e-9;
            if (rate > best) best = rate;
        }
        fprintf(out,
                o->json ? "{\"bench\": \"peak\", \"dtype\": \"%s\", \"isa\": \"%s\", \"threads\": %d, "
                          "\"gflops\": %.1f}\n"
                        : "peak %s %s, %d threads: %.1f GFLOP/s\n",
                tct_dtype_name(dtype), tct_isa_name(o->isa), tct_pool_threads(b.pool), best);
    }
    close_bench(&b);
}

bool tct_bench_shape_parse(const char *text, tct_bench_shape *out) {
    int64_t v[4];
    int n = 0, used = 0, more = 0;
    while (n < 4 && sscanf(text + used, n ? "x%" SCNd64 "%n" : "%" SCNd64 "%n", &v[n], &more) == 1) {
        if (v[n] < 0 || v[n] > 1 << 24) return false;
        used += more;
        n++;
    }
    *out = (tct_bench_shape){.batch = 1, .layout = "nn"};
    const char *layout = text + used;
    if (*layout == ':' && strlen(layout) == 3 && strspn(layout + 1, "nt") == 2)
        memcpy(out->layout, layout + 1, 2);
    else if (*layout)
        return false;
    if (n == 4) out->batch = v[0];
    if (n < 3) return false;
    out->m = v[n - 3], out->n = v[n - 2], out->k = v[n - 1];
    return true;
}

static tct_gemm_problem problem_of(const tct_bench_shape *s) {
    bool ta = s->layout[0] == 't', tb = s->layout[1] == 't';
    return (tct_gemm_problem){
        .dtype = TCT_F32,
        .n_axes = 4,
        .axes = {{s->batch, s->m * s->k, s->n * s->k, s->m * s->n, true, true, true},
                 {s->m, ta ? 1 : s->k, 0, s->n, true, false, true},
                 {s->n, 0, tb ? s->k : 1, 1, false, true, true},
                 {s->k, ta ? s->m : 1, tb ? 1 : s->n, 0, true, true, false}},
    };
}

static float *numbers(int64_t n) {
    float *x = tct_try_alloc((size_t)n * sizeof *x + 64, 64);
    if (!x) tct_out_of_memory((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(i % 251) / 251 - 0.5f;
    return x;
}

typedef struct figure {
    double gflops, peak;
} figure;

typedef struct gemm_call {
    bench *b;
    const tct_gemm_plan *plan;
    const tct_plan_kernel *kernels;
    void *const *bufs;
} gemm_call;

static void call_gemm(void *ctx) {
    const gemm_call *c = ctx;
    tct_gemm_run(c->b->pool, &c->plan->args, c->kernels, c->bufs, NULL);
}

// Turns of product and peak loop; the best of each.
static figure measure(bench *b, gemm_call *product) {
    figure best = {0, 0};
    peak_call peak = peak_of(b, TCT_F32);
    int64_t peak_runs = calls_in(b, call_peak, &peak, slice(b) / 2);
    int64_t runs = calls_in(b, call_gemm, product, slice(b) / 2);
    for (int round = 0; round < ROUNDS; round++) {
        double limit = peak_flops(&peak, TCT_F32) / seconds_of(b, call_peak, &peak, peak_runs) * 1e-9;
        double rate = product->plan->flops / seconds_of(b, call_gemm, product, runs) * 1e-9;
        if (limit > best.peak) best.peak = limit;
        if (rate > best.gflops) best.gflops = rate;
    }
    return best;
}

static bool bench_shape(tct_diag *d, bench *b, const tct_bench_shape *s, FILE *out) {
    tct_gemm_problem problem = problem_of(s);
    tct_gemm_plan plan;
    tct_gemm_plan_make(&problem, &b->target, &plan);
    // A session of its own: shapes share kernels, and a session has each symbol once.
    tct_jit *jit = tct_jit_new(d);
    tct_unit units[TCT_GEMM_MAX_KERNELS] = {0};
    tct_plan_kernel kernels[TCT_GEMM_MAX_KERNELS];
    for (uint32_t i = 0; i < plan.n_kernels; i++) units[i] = tct_gemm_unit(plan.symbol[i]);
    tct_objects objects;
    bool ok =
        jit &&
        tct_units_compile(d, &b->target, units, plan.n_kernels, tct_pool_threads(b->pool), NULL, &objects) &&
        tct_jit_add(d, jit, &objects);
    for (uint32_t i = 0; ok && i < plan.n_kernels; i++) {
        kernels[i] = (tct_plan_kernel){plan.symbol[i], tct_jit_lookup(d, jit, plan.symbol[i])};
        ok = kernels[i].fn != NULL;
    }
    if (ok) {
        tct_pool_reserve_scratch(b->pool, plan.scratch);
        float *a = numbers(s->batch * s->m * s->k), *bb = numbers(s->batch * s->n * s->k);
        float *c = numbers(s->batch * s->m * s->n);
        void *bufs[] = {c, plan.swapped ? bb : a, plan.swapped ? a : bb};
        gemm_call product = {b, &plan, kernels, bufs};
        figure f = measure(b, &product);
        fprintf(out,
                b->o->json ? "{\"bench\": \"gemm\", \"m\": %" PRId64 ", \"n\": %" PRId64 ", \"k\": %" PRId64
                             ", \"batch\": %" PRId64
                             ", \"layout\": \"%s\", \"dtype\": \"f32\", \"isa\": \"%s\", "
                             "\"threads\": %d, \"gflops\": %.1f, \"peak_gflops\": %.1f, \"fraction\": %.3f}\n"
                           : "%6" PRId64 " x%6" PRId64 " x%6" PRId64 "  batch %-4" PRId64
                             " %s f32 %s, %d threads: %7.1f of %7.1f GFLOP/s, %.3f\n",
                s->m, s->n, s->k, s->batch, s->layout, tct_isa_name(b->o->isa), tct_pool_threads(b->pool),
                f.gflops, f.peak, f.gflops / f.peak);
        fflush(out);
        free(a), free(bb), free(c);
    }
    tct_jit_free(jit);
    return ok;
}

// GPT-2's products forward and backward, squares in all layouts, attention's batches, and decoding.
static const char *const default_shapes[] = {
    "1024x1024x1024:nn", "1024x1024x1024:nt", "1024x1024x1024:tn", "1024x1024x1024:tt", "2048x2048x2048:nn",
    "256x768x768:nn",    "256x768x768:nt",    "256x2304x768:nn",   "256x3072x768:nn",   "256x3072x768:nt",
    "256x768x3072:nn",   "256x768x3072:nt",   "768x768x256:tn",    "768x3072x256:tn",   "3072x768x256:tn",
    "256x50257x768:nt",  "256x768x50257:nn",  "48x64x64x64:nn",    "48x64x64x64:nt",    "48x64x64x64:tn",
    "1x768x768:nn",      "1x3072x768:nn",     "1x3072x768:nt",     "8x3072x768:nn",     "8x3072x768:nt",
};

bool tct_bench_gemm(tct_diag *d, const tct_bench_options *o, const tct_bench_shape *shapes, size_t n,
                    FILE *out) {
    bench b = open_bench(o);
    bool ok = true;
    size_t count = shapes ? n : sizeof default_shapes / sizeof *default_shapes;
    for (size_t i = 0; ok && i < count; i++) {
        tct_bench_shape shape;
        ok = shapes ? true : tct_bench_shape_parse(default_shapes[i], &shape);
        if (shapes) shape = shapes[i];
        ok = ok && bench_shape(d, &b, &shape, out);
    }
    close_bench(&b);
    return ok;
}

double tct_bench_peak_gflops(const tct_bench_options *o) {
    bench b = open_bench(o);
    peak_call c = peak_of(&b, TCT_F32);
    double best = 0;
    int64_t runs = calls_in(&b, call_peak, &c, slice(&b));
    for (int i = 0; i < ROUNDS; i++) {
        double gflops = peak_flops(&c, TCT_F32) / seconds_of(&b, call_peak, &c, runs) * 1e-9;
        if (gflops > best) best = gflops;
    }
    close_bench(&b);
    return best;
}
