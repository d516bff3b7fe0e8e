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
    static const tct_dtype dtypes[] = {TCT_F32, TCT_F64, TCT_BF16};
    for (int i = 0; i < 3; i++) {
        tct_dtype dtype = dtypes[i];
        if (!tct_peak_has(o->isa, dtype)) continue;
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

// Factors of a measured product.
typedef struct factors {
    tct_gemm_factor a, b;
} factors;

static tct_gemm_problem problem_of(const tct_bench_shape *s, factors f) {
    bool ta = s->layout[0] == 't', tb = s->layout[1] == 't';
    return (tct_gemm_problem){
        .dtype = TCT_F32,
        .a = f.a,
        .b = f.b,
        .n_axes = 4,
        .axes = {{s->batch, s->m * s->k, s->n * s->k, s->m * s->n, true, true, true},
                 {s->m, ta ? 1 : s->k, 0, s->n, true, false, true},
                 {s->n, 0, tb ? s->k : 1, 1, false, true, true},
                 {s->k, ta ? s->m : 1, tb ? 1 : s->n, 0, true, true, false}},
    };
}

static void *memory_of(int64_t n, size_t element) {
    void *x = tct_try_alloc((size_t)n * element + 64, 64);
    if (!x) tct_out_of_memory((size_t)n * element);
    return x;
}

static void *numbers(int64_t n, tct_gemm_factor factor) {
    bool bf16 = factor == TCT_FACTOR_BF16, i8 = factor == TCT_FACTOR_I8;
    void *x = memory_of(n, i8 ? 1 : bf16 ? sizeof(tct_bf16) : sizeof(float));
    for (int64_t i = 0; i < n; i++) {
        float v = (float)(i % 251) / 251 - 0.5f;
        if (i8)
            ((int8_t *)x)[i] = (int8_t)(i % 251 - 125);
        else if (bf16)
            ((tct_bf16 *)x)[i] = tct_f32_to_bf16(v);
        else
            ((float *)x)[i] = v;
    }
    return x;
}

// A product that is ready to run.
typedef struct product {
    bench *b;
    tct_gemm_plan plan;
    tct_jit *jit; // of its own: shapes share kernels, and a session has each symbol once
    tct_plan_kernel kernels[TCT_GEMM_MAX_KERNELS];
    void *bufs[3];
} product;

static bool open_product(tct_diag *d, bench *b, const tct_bench_shape *s, factors f, product *p) {
    tct_gemm_problem problem = problem_of(s, f);
    *p = (product){.b = b, .jit = tct_jit_new(d)};
    tct_gemm_plan_make(&problem, &b->target, &p->plan);
    bool ok = p->jit != NULL && (!b->o->jit.perf || tct_jit_use_perf(d, p->jit));
    for (uint32_t i = 0; ok && i < p->plan.n_kernels; i++) {
        const char *symbol = p->plan.symbol[i];
        tct_target target = tct_target_of(tct_gemm_symbol_isa(symbol));
        tct_unit unit = tct_gemm_unit(symbol);
        tct_objects objects;
        ok = tct_units_compile(d, &target, &unit, 1, 1, NULL, &objects) && tct_jit_add(d, p->jit, &objects);
        if (!ok) break;
        p->kernels[i] = (tct_plan_kernel){symbol, tct_jit_lookup(d, p->jit, symbol)};
        ok = p->kernels[i].fn != NULL;
    }
    if (!ok) return false;
    tct_pool_reserve_scratch(b->pool, p->plan.scratch);
    bool swapped = p->plan.swapped;
    p->bufs[0] = numbers(s->batch * s->m * s->n, TCT_FACTOR_EXACT);
    p->bufs[swapped ? 2 : 1] = numbers(s->batch * s->m * s->k, f.a);
    p->bufs[swapped ? 1 : 2] = numbers(s->batch * s->n * s->k, f.b);
    return true;
}

static void close_product(product *p) {
    for (int i = 0; i < 3; i++) free(p->bufs[i]);
    tct_jit_free(p->jit);
}

static void call_product(void *ctx) {
    const product *p = ctx;
    tct_gemm_run(p->b->pool, &p->plan.args, p->kernels, p->bufs, NULL);
}

// What is measured in turns: a product or a peak loop.
typedef struct turn {
    void (*call)(void *);
    void *ctx;
    double flops;
    int64_t runs;
    double gflops; // the best of the turns
} turn;

static void take_turns(bench *b, turn *turns, int n) {
    for (int i = 0; i < n; i++) turns[i].runs = calls_in(b, turns[i].call, turns[i].ctx, slice(b) / 2);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < n; i++) {
            double rate = turns[i].flops / seconds_of(b, turns[i].call, turns[i].ctx, turns[i].runs) * 1e-9;
            if (rate > turns[i].gflops) turns[i].gflops = rate;
        }
}

static const char *const factor_names[] = {"f32", "rounded", "bf16", "int8"};

static void print_figures(const bench *b, const tct_bench_shape *s, double gflops, double peak, double exact,
                          FILE *out) {
    bool json = b->o->json;
    fprintf(out,
            json ? "{\"bench\": \"gemm\", \"m\": %" PRId64 ", \"n\": %" PRId64 ", \"k\": %" PRId64
                   ", \"batch\": %" PRId64 ", \"layout\": \"%s\", \"dtype\": \"%s\", \"isa\": \"%s\", "
                   "\"threads\": %d, \"gflops\": %.1f, \"peak_gflops\": %.1f, \"fraction\": %.3f"
                 : "%6" PRId64 " x%6" PRId64 " x%6" PRId64 "  batch %-4" PRId64
                   " %s %s %s, %d threads: %7.1f of %7.1f GFLOP/s, %.3f",
            s->m, s->n, s->k, s->batch, s->layout,
            factor_names[b->o->weights ? b->o->weights : b->o->factors], tct_isa_name(b->o->isa),
            tct_pool_threads(b->pool), gflops, peak, gflops / peak);
    if (exact > 0)
        fprintf(out, json ? ", \"f32_gflops\": %.1f, \"f32_ratio\": %.2f" : "; %.1f in f32, %.2f times that",
                exact, gflops / exact);
    fputs(json ? "}\n" : "\n", out);
    fflush(out);
}

static bool bench_shape(tct_diag *d, bench *b, const tct_bench_shape *s, FILE *out) {
    factors f = {b->o->factors, b->o->weights ? b->o->weights : b->o->factors};
    bool narrow = f.b != TCT_FACTOR_EXACT;
    tct_dtype dtype = f.a != TCT_FACTOR_EXACT && tct_peak_has(b->o->isa, TCT_BF16) ? TCT_BF16 : TCT_F32;
    product p[2] = {0};
    bool ok = open_product(d, b, s, f, &p[0]) &&
              (!narrow || open_product(d, b, s, (factors){TCT_FACTOR_EXACT, TCT_FACTOR_EXACT}, &p[1]));
    if (ok) {
        peak_call peak = peak_of(b, dtype);
        turn turns[] = {{.call = call_peak, .ctx = &peak, .flops = peak_flops(&peak, dtype)},
                        {.call = call_product, .ctx = &p[0], .flops = p[0].plan.flops},
                        {.call = call_product, .ctx = &p[1], .flops = p[1].plan.flops}};
        take_turns(b, turns, narrow ? 3 : 2);
        print_figures(b, s, turns[1].gflops, turns[0].gflops, turns[2].gflops, out);
    }
    close_product(&p[0]);
    close_product(&p[1]);
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
