// Measures whole plans: a training step, a step of generation.
#include "driver/bench_step.h"

#include "driver/compile_program.h"
#include "driver/driver.h"
#include "driver/ports.h"
#include "runtime/gemm.h"
#include "runtime/peak.h"
#include "runtime/rng.h"
#include "runtime/trace.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const tct_bench_model models[] = {
    {"gpt2-124m", 12, 12, 768, 50257, 1024, NULL}, {"gpt2-1.5b", 48, 25, 1600, 50257, 1024, NULL},
    {"gpt2-10m", 6, 6, 384, 512, 256, NULL},       {"gpt2-1m", 4, 4, 128, 512, 128, NULL},
    {"gpt2-260k", 5, 8, 64, 256, 256, NULL},
};

const tct_bench_model *tct_bench_model_by_name(const char *name, const char **names) {
    if (names) *names = "gpt2-124m, gpt2-1.5b, gpt2-10m, gpt2-1m, gpt2-260k";
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strcmp(models[i].name, name) == 0) return &models[i];
    return NULL;
}

static const double TURN_SECONDS = 0.1;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// One thread is timed by its own clock, which stands still while somebody else has the core.
static double now_of(const tct_pool *pool) {
    struct timespec t;
    if (tct_pool_threads(pool) > 1) return now();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The benchmark is a program like a user's, so that nothing is measured that users don't get.
static void program_text(tct_buf *b, const tct_bench_model *m, int64_t batch, int64_t seq, bool train) {
    tct_buf_printf(b,
                   "use std.model.gpt2\nuse std.loss.sft\nuse std.optim.adamw\n"
                   "graph step_loss(m: Gpt2, key: i64) -> f32 {\n"
                   "    axis B = %" PRId64 "\n    axis T = %" PRId64 "\n"
                   "    let tokens = i32(random(key, [B, T]) * %" PRId64 ")\n"
                   "    return sft_loss(gpt2_logits(m, tokens), shift(tokens, T, -1), iota(T) < %" PRId64
                   " and tokens >= 0)\n}\n",
                   batch, seq, m->vocab, seq - 1);
    tct_buf_printf(b,
                   "pipeline bench {\n"
                   "    let m = Gpt2(layers = %" PRId64 ", heads = %" PRId64 ", d = %" PRId64
                   ", vocab = %" PRId64 ", context = %" PRId64 ")\n",
                   m->layers, m->heads, m->d, m->vocab, m->context);
    if (train)
        tct_buf_puts(b, "    let opt = adamw(m, beta2 = 0.95, decay = 0.1)\n"
                        "    let out = minimize step_loss(m, key()) with opt(lr = 0.0003) clip 1.0\n");
    tct_buf_puts(b, "}\n");
}

// What a port is filled by: parameters as they begin, the rate, the optimizer's first step, the key 1.
typedef struct filling {
    const tct_program *program;
    const tct_bind *binds; // by input
} filling;

static void fill_param(float *x, uint64_t bytes, const tct_model_param *p, uint64_t stream) {
    for (uint64_t i = 0; i < bytes / sizeof *x; i++) {
        if (p->init == TCT_INIT_CONSTANT) {
            x[i] = (float)p->init_a;
            continue;
        }
        const tct_philox r = tct_rng(7, stream, i);
        // Four uniform numbers make one that is normal enough to measure with, and come quickly.
        double sum = ((double)r.v[0] + r.v[1] + r.v[2] + r.v[3]) * 0x1p-32 - 2;
        x[i] = (float)(p->init_a + p->init_b * 1.7320508075688772 * sum);
    }
}

static void fill(void *ctx, uint32_t i, const tct_plan_port *port, void *data) {
    const filling *f = ctx;
    const tct_bind *b = &f->binds[i];
    int64_t key = 1;
    if (b->kind == TCT_BIND_PARAM)
        fill_param(data, port->bytes, &f->program->models[f->program->regs[b->reg].table].params[b->index],
                   i);
    else if (b->kind == TCT_BIND_STEP)
        *(float *)data = 1;
    else if (port->dtype == TCT_F32 && port->n_axes == 0)
        *(float *)data = 0.001F;
    else if (port->dtype == TCT_I64)
        memcpy(data, &key, sizeof key);
}

static double product_flops(const tct_plan *plan) {
    double sum = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const tct_step *s = &plan->steps[i];
        if (s->kind == TCT_STEP_GEMM) sum += s->flops;
        if (s->kind == TCT_STEP_SCAN)
            sum += product_flops(plan->scans[s->kernel].body) * (double)plan->scans[s->kernel].trips;
    }
    return sum;
}

// The trace that the options ask for: for a file, for a table, or none.
static bool open_trace(tct_diag *d, const tct_bench_options *o, tct_pool *pool, tct_trace **out) {
    *out = NULL;
    if (!o->trace && !o->profile) return true;
    *out = tct_trace_open(d, pool, o->trace, 0);
    return *out != NULL;
}

static bool close_trace(tct_diag *d, const tct_bench_options *o, tct_trace *t) {
    if (!t) return true;
    tct_buf table = {0};
    tct_trace_table(t, o->profile ? o->profile : TCT_TRACE_LINES, &table);
    fputs(table.data, stderr);
    tct_buf_free(&table);
    return tct_trace_close(d, t);
}

// Seconds of a plan's steps in all traced runs.
static double seconds_in_steps(const tct_trace *t, const tct_plan *plan) {
    const tct_trace_sum *sums = tct_trace_sums(t, plan);
    double seconds = 0;
    for (uint32_t i = 0; sums && i < plan->n_steps; i++) seconds += sums[i].seconds;
    return seconds;
}

// A file, or the text, of a program; of a file `batch` and `prompt` are config values.
static bool compile(tct_diag *d, const tct_bench_options *o, const char *file, const tct_buf *text,
                    int64_t batch, int64_t prompt, int64_t max_new, tct_compiled *c) {
    stage_weights weights = o->weights == TCT_FACTOR_I8     ? STAGE_WEIGHTS_INT8
                            : o->weights == TCT_FACTOR_BF16 ? STAGE_WEIGHTS_BF16
                                                            : STAGE_WEIGHTS_F32;
    double start = now();
    c->module = tct_ir_module_new();
    const char *std = tct_std_dir(&d->arena);
    if (file ? !tct_package_load(d, &c->package, file, std)
             : !tct_package_load_text(d, &c->package, "bench.tct", text->data, text->len, std))
        return false;
    tct_setting sets[] = {{"batch", tct_arena_printf(&d->arena, "%" PRId64, batch)},
                          {"seq", tct_arena_printf(&d->arena, "%" PRId64, prompt)}};
    c->elab = tct_elab_new(d, &c->package, sets, file ? 2 : 0);
    if (d->n_errors) return false;
    c->draft = max_new ? tct_elab_generator(c->elab, c->module, "m", batch, prompt, max_new, weights,
                                            &tct_driver_hooks)
                       : tct_elab_program(c->elab, c->module, NULL, &tct_driver_hooks);
    if (!c->draft) return false;
    c->compiler = tct_jit_compiler(d, &o->jit, NULL, o->threads);
    if (!c->compiler) return false;
    const tct_plan **plans = TCT_NEW_ARRAY(&d->arena, const tct_plan *, c->draft->n_graphs + 1);
    tct_compile_options options = {.defer = true};
    for (uint32_t i = 0; i < c->draft->n_graphs; i++)
        if (!(plans[i] = tct_compile_graph(d, c->compiler, c->draft->graphs[i], &options))) return false;
    c->draft->program.plans = plans;
    bool ok = tct_compiler_finish(d, c->compiler);
    c->seconds = now() - start;
    if (ok) tct_jit_say(&o->jit, c->compiler);
    return ok;
}

// Seconds since this process was started, to a hundredth; 0 where the system doesn't tell.
static double process_seconds(void) {
    enum { STARTED = 22 - 2 }; // the field, after the name in brackets and the state
    FILE *f = fopen("/proc/self/stat", "r");
    char text[1024] = "";
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    const char *at = strrchr(text, ')');
    for (int k = 0; at && k < STARTED; k++) at = strchr(at + 1, ' ');
    if (!at) return 0;
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec - strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
}

static double peak_rss_mb(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static void print_ready(const tct_bench_options *o, const tct_bench_model *m, int64_t batch, int64_t seq,
                        const tct_compiled *c, double ready, FILE *out) {
    const tct_compile_stats s = tct_compiler_stats(c->compiler);
    fprintf(out,
            o->json ? "{\"bench\": \"step\", \"model\": \"%s\", \"batch\": %" PRId64 ", \"seq\": %" PRId64
                      ", \"compile_ms\": %.1f, \"ready_ms\": %.0f, \"pass_ms\": %.1f, \"plan_ms\": %.1f, "
                      "\"code_ms\": %.1f, \"compiled\": %u, \"cached\": %u}\n"
                    : "%s batch %" PRId64 " seq %" PRId64
                      ": compiled in %.0f ms, ready %.0f ms after the start of the process; passes %.1f ms, "
                      "plans %.1f ms, code %.1f ms; %u kernels compiled, %u from the cache\n",
            m->name, batch, seq, c->seconds * 1e3, ready * 1e3, s.pass_seconds * 1e3, s.plan_seconds * 1e3,
            s.code_seconds * 1e3, s.compiled, s.cached);
}

bool tct_bench_step(tct_diag *d, const tct_bench_options *o, const tct_bench_model *m, int64_t batch,
                    int64_t seq, FILE *out) {
    if (seq > m->context || seq < 2 || batch < 1)
        return tct_error(d, "E0903", TCT_NO_SPAN, "%s takes 2 to %" PRId64 " tokens a row", m->name,
                         m->context);
    tct_buf text = {0};
    if (!m->file) program_text(&text, m, batch, seq, true);
    tct_compiled c = {0};
    tct_ports p = {0};
    const tct_plan *plan = NULL;
    bool ok = compile(d, o, m->file, &text, batch, seq, 0, &c);
    double ready = process_seconds();
    if (ok && o->runs == 0) print_ready(o, m, batch, seq, &c, ready, out);
    if (ok && !c.draft->program.n_runs)
        ok = tct_error(d, "E0903", TCT_NO_SPAN, "the pipeline of %s has no step to measure", m->name);
    if (ok && o->runs > 0) {
        plan = c.draft->program.plans[c.draft->n_graphs - 1];
        filling f = {&c.draft->program, c.draft->program.runs[c.draft->program.n_runs - 1].inputs};
        ok = tct_ports_open(d, plan, fill, &f, &p);
    }
    if (ok && plan) {
        tct_pool *pool = tct_pool_new(o->threads);
        tct_trace *trace;
        double best = INFINITY, peak = 0, total = 0, outside = 0;
        ok = open_trace(d, o, pool, &trace) &&
             tct_plan_run(d, plan, pool, p.in, p.out, p.arena, NULL); // warm: pages touched
        for (int i = 0; ok && i < o->runs; i++) { // in turns with the limit, since the machine's speed drifts
            double seconds, turn = 0;
            do { // a small step many times, as in training
                double start = now();
                ok = tct_plan_run(d, plan, pool, p.in, p.out, p.arena, trace);
                seconds = now() - start;
                if (seconds < best) best = seconds;
                turn += seconds;
            } while (ok && turn + seconds < TURN_SECONDS);
            total += turn;
            double gflops = tct_bench_peak_gflops(
                &(tct_bench_options){.threads = o->threads, .isa = o->isa, .seconds = 0.2});
            if (gflops > peak) peak = gflops;
        }
        if (ok && trace) outside = 1 - seconds_in_steps(trace, plan) / total;
        ok &= close_trace(d, o, trace);
        const tct_compile_stats s = tct_compiler_stats(c.compiler);
        double rss = peak_rss_mb(), fraction = product_flops(plan) / best * 1e-9 / peak;
        if (ok && o->json)
            fprintf(out,
                    "{\"bench\": \"step\", \"model\": \"%s\", \"batch\": %" PRId64 ", \"seq\": %" PRId64
                    ", \"threads\": %d, \"ms\": %.2f, \"tokens_per_s\": %.1f, \"peak_gflops\": %.1f, "
                    "\"peak_fraction\": %.4f"
                    ", \"peak_rss_mb\": %.1f, \"compile_ms\": %.1f, \"ready_ms\": %.0f, \"compiled\": %u, "
                    "\"cached\": %u%s}\n",
                    m->name, batch, seq, tct_pool_threads(pool), best * 1e3, (double)(batch * seq) / best,
                    peak, fraction, rss, c.seconds * 1e3, ready * 1e3, s.compiled, s.cached,
                    o->profile ? tct_arena_printf(&d->arena, ", \"outside_kernels\": %.4f", outside) : "");
        else if (ok)
            fprintf(out,
                    "%s batch %" PRId64 " seq %" PRId64
                    " threads %d: %.1f ms a step, %.0f tokens/s, %.1f %% of %.0f GFLOP/s, "
                    "peak memory %.0f MB, compiled in %.0f ms (%u kernels, %u from the cache), ready after "
                    "%.0f ms%s\n",
                    m->name, batch, seq, tct_pool_threads(pool), best * 1e3, (double)(batch * seq) / best,
                    100 * fraction, peak, rss, c.seconds * 1e3, s.compiled + s.cached, s.cached, ready * 1e3,
                    o->profile ? tct_arena_printf(&d->arena, ", %.1f %% outside of kernels", 100 * outside)
                               : "");
        tct_pool_free(pool);
    }
    if (plan) tct_ports_close(plan, &p);
    tct_compiled_free(&c);
    tct_buf_free(&text);
    return ok;
}

// The parameters of the program's one model as inputs of a plan: its first `n`, by number; the others are
// dropped.
static tct_bind *bind_params(const tct_program *p, uint32_t n_inputs, uint32_t n, const uint32_t *numbers) {
    tct_bind *binds = tct_alloc((n_inputs + 1) * sizeof *binds);
    uint32_t reg = 0;
    while (p->regs[reg].kind != TCT_KIND_MODEL) reg++;
    for (uint32_t i = 0; i < n_inputs; i++) {
        uint32_t param = i < n ? (numbers ? numbers[i] : i) : UINT32_MAX;
        binds[i] = param < p->models[0].n_params
                       ? (tct_bind){.kind = TCT_BIND_PARAM, .reg = reg, .index = param}
                       : (tct_bind){.kind = TCT_BIND_DROP};
    }
    return binds;
}

// Makes the narrow weights that a step takes, and tells how long that took.
static bool convert_weights(tct_diag *d, const tct_program *p, const tct_generator *g, tct_pool *pool,
                            const tct_ports *step, double *seconds) {
    const tct_plan *plan = p->plans[g->convert], *to = p->plans[g->step];
    uint32_t n_params = p->models[0].n_params;
    tct_ports ports = {0};
    tct_bind *binds = bind_params(p, plan->n_inputs, n_params, NULL);
    bool ok = tct_ports_open(d, plan, fill, &(filling){p, binds}, &ports);
    for (int i = 0; ok && i < 2; i++) { // the first touches the pages
        double begin = now_of(pool);
        ok = tct_plan_run(d, plan, pool, ports.in, ports.out, ports.arena, NULL);
        *seconds = now_of(pool) - begin;
    }
    for (uint32_t i = 0; ok && i < g->n_weights; i++)
        if (g->weights[i] >= n_params)
            memcpy(step->in[i], ports.out[g->weights[i] - n_params], to->inputs[i].bytes);
    tct_ports_close(plan, &ports);
    free(binds);
    return ok;
}

static const char *const weight_names[] = {"f32", "", "bf16", "int8"};

bool tct_bench_decode(tct_diag *d, const tct_bench_options *o, const tct_bench_model *m, int64_t batch,
                      int64_t prompt, int64_t max_new, FILE *out) {
    if (m->file) return tct_error(d, "E0903", TCT_NO_SPAN, "decode measures its own models, not files");
    if (prompt + max_new > m->context)
        return tct_error(d, "E0903", TCT_NO_SPAN, "%s has room for %" PRId64 " tokens a row", m->name,
                         m->context);
    tct_buf text = {0};
    program_text(&text, m, batch, prompt, false);
    tct_compiled c = {0};
    tct_ports p = {0};
    const tct_plan *plan = NULL;
    const tct_generator *g = NULL;
    bool ok = compile(d, o, NULL, &text, batch, prompt, max_new, &c);
    const tct_program *program = ok ? &c.draft->program : NULL;
    uint32_t n_weights = 0;
    if (ok) {
        g = &program->generators[program->n_generators - 1];
        plan = program->plans[g->step];
        n_weights = g->n_weights ? g->n_weights : program->models[0].n_params;
        tct_bind *binds = bind_params(program, plan->n_inputs, n_weights, g->weights);
        ok = tct_ports_open(d, plan, fill, &(filling){program, binds}, &p);
        free(binds);
    }
    if (ok) {
        tct_pool *pool = tct_pool_new(o->threads);
        tct_trace *trace = NULL;
        double best = INFINITY, limit = INFINITY, converted = 0;
        if (g->convert != TCT_NO_PLAN) ok = convert_weights(d, program, g, pool, &p, &converted);
        ok = ok && open_trace(d, o, pool, &trace);
        int32_t *start = p.in[plan->n_inputs - 2];
        uint64_t *bytes = tct_alloc((n_weights + 1) * sizeof *bytes), weights = 0;
        for (uint32_t i = 0; i < n_weights; i++) weights += bytes[i] = plan->inputs[i].bytes;
        for (int64_t t = -1; ok && t < max_new; t++) { // the first is warm-up
            for (int64_t b = 0; b < batch; b++) start[b] = (int32_t)(prompt + (t < 0 ? 0 : t));
            double begin = now_of(pool);
            ok = tct_plan_run(d, plan, pool, p.in, p.out, p.arena, t >= 0 ? trace : NULL);
            double seconds = now_of(pool) - begin;
            if (t >= 0 && seconds < best) best = seconds;
            // In turns with the limit, since the machine's speed drifts.
            begin = now_of(pool);
            tct_peak_read(pool, o->isa, (const void *const *)p.in, bytes, n_weights);
            seconds = now_of(pool) - begin;
            if (seconds < limit) limit = seconds;
        }
        ok = ok && close_trace(d, o, trace);
        double rate = (double)batch / best;
        free(bytes);
        if (ok)
            fprintf(out,
                    o->json
                        ? "{\"bench\": \"decode\", \"model\": \"%s\", \"batch\": %" PRId64
                          ", \"weights\": \"%s\", \"threads\": %d, \"ms\": %.3f, "
                          "\"tokens_per_s\": %.1f, \"read_ms\": %.3f, \"read_fraction\": %.4f, "
                          "\"convert_ms\": %.1f}\n"
                        : "%s batch %" PRId64
                          " weights %s threads %d: %.3f ms a step, %.1f tokens/s; the weights are read in "
                          "%.3f ms, %.3f of that, at %.1f GB/s",
                    m->name, batch, weight_names[o->weights], tct_pool_threads(pool), best * 1e3, rate,
                    limit * 1e3, limit / best, o->json ? converted * 1e3 : (double)weights / limit * 1e-9);
        if (ok && !o->json) fprintf(out, converted > 0 ? ", and made in %.1f ms\n" : "\n", converted * 1e3);
        tct_pool_free(pool);
    }
    if (plan) tct_ports_close(plan, &p);
    tct_compiled_free(&c);
    tct_buf_free(&text);
    return ok;
}
