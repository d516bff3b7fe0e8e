// Measures loop kernels against the rate at which the machine moves large arrays.
#include "driver/bench_loops.h"

#include "driver/compile_program.h"
#include "driver/driver.h"
#include "driver/graphs.h"
#include "driver/ports.h"
#include "runtime/peak.h"
#include "runtime/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 3, SEED = 5 };
static const double default_seconds = 0.3;

// A graph, of whose results those beginning with `keep` are wanted; with a gradient those are "grad.x".
typedef struct kernel {
    const char *name, *what; // what: parameters and body, after the name
    bool grad;
    const char *keep;
} kernel;

// Every kernel moves 500 MB at least: a large cache that cores share would keep a part of less. Neat sizes
// stand beside odd ones.
#define ROWS "N = 86021, D = 768"
#define ODD_ROWS "N = 86021, D = 765"
#define MORE_ROWS "N = 172042, D = 768"
#define NUMBERS "N = 67108864"
#define MORE_NUMBERS "N = 134217728"
#define LOGITS "N = 3072, V = 50304"
#define ODD_LOGITS "N = 3072, V = 50257"
#define SCORES "N = 65537, D = 1024"
#define ODD_SCORES "N = 65537, D = 1021"
#define TOKENS "B = 4096, T = 16384"

static const kernel kernels[] = {
    {"gelu", "(x: f32[" NUMBERS "]) -> f32[N] { return gelu(x) }", false, ""},
    {"gelu_tanh", "(x: f32[" NUMBERS "]) -> f32[N] { return gelu_tanh(x) }", false, ""},
    {"gelu_backward", "(x, d: f32[" NUMBERS "]) -> f32 { return sum(d * gelu(x), N) }", true, "grad.x"},
    {"gelu_tanh_backward", "(x, d: f32[" NUMBERS "]) -> f32 { return sum(d * gelu_tanh(x), N) }", true,
     "grad.x"},
    {"silu_times", "(x, y: f32[" NUMBERS "]) -> f32[N] { return silu(x) * y }", false, ""},
    {"residual", "(x, y: f32[" NUMBERS "]) -> f32[N] { return x + y }", false, ""},
    {"layer_norm", "(x: f32[" ROWS "], w, b: f32[D]) -> f32[N, D] { return layer_norm(x, D, w, b) }", false,
     ""},
    {"layer_norm_odd", "(x: f32[" ODD_ROWS "], w, b: f32[D]) -> f32[N, D] { return layer_norm(x, D, w, b) }",
     false, ""},
    {"layer_norm_backward",
     "(x, d: f32[" ROWS "], w, b: f32[D]) -> f32 { return sum(d * layer_norm(x, D, w, b), [N, D]) }", true,
     "grad."},
    {"layer_norm_backward_odd",
     "(x, d: f32[" ODD_ROWS "], w, b: f32[D]) -> f32 { return sum(d * layer_norm(x, D, w, b), [N, D]) }",
     true, "grad."},
    {"rms_norm", "(x: f32[" ROWS "], w: f32[D]) -> f32[N, D] { return rms_norm(x, D, w) }", false, ""},
    {"softmax", "(x: f32[" SCORES "]) -> f32[N, D] { return softmax(x, D) }", false, ""},
    {"softmax_odd", "(x: f32[" ODD_SCORES "]) -> f32[N, D] { return softmax(x, D) }", false, ""},
    {"softmax_backward", "(x, d: f32[" SCORES "]) -> f32 { return sum(d * softmax(x, D), [N, D]) }", true,
     "grad.x"},
    {"cross_entropy",
     "(x: f32[" LOGITS "], t: i32[N]) -> f32 { return sum(gather(log_softmax(x, V), V, t), N) }", false, ""},
    {"cross_entropy_odd",
     "(x: f32[" ODD_LOGITS "], t: i32[N]) -> f32 { return sum(gather(log_softmax(x, V), V, t), N) }", false,
     ""},
    {"cross_entropy_backward",
     "(x: f32[" LOGITS "], t: i32[N]) -> f32 { return sum(gather(log_softmax(x, V), V, t), N) }", true,
     "grad.x"},
    {"cross_entropy_backward_odd",
     "(x: f32[" ODD_LOGITS "], t: i32[N]) -> f32 { return sum(gather(log_softmax(x, V), V, t), N) }", true,
     "grad.x"},
    {"sum_of_squares", "(x: f32[" MORE_NUMBERS "]) -> f32 { return sum(x * x, N) }", false, ""},
    {"column_sums", "(x: f32[" MORE_ROWS "]) -> f32[D] { return sum(x, N) }", false, ""},
    {"ppo_policy_loss",
     "(p, q, a: f32[" TOKENS "], m: bool[B, T]) -> f32 { return ppo_policy_loss(p, q, a, m) }", false, ""},
    {"ppo_policy_backward",
     "(p, q, a: f32[" TOKENS "], m: bool[B, T]) -> f32 { return ppo_policy_loss(p, q, a, m) }", true,
     "grad.p"},
    {"ppo_value_backward",
     "(p, q, a: f32[" TOKENS "], m: bool[B, T]) -> f32 { return ppo_value_loss(p, q, a, m) }", true,
     "grad.p"},
};
enum { N_KERNELS = sizeof kernels / sizeof *kernels };

// An optimizer's kernel is that of a program: parameters and moments change where they lie.
static const char adamw[] = "adamw",
                  adamw_text[] =
                      "model Weights() {\n    axis N = 67108864\n    param w: f32[N] = normal(0.0, 1.0)\n}\n"
                      "graph weighted(m: Weights, key: i64) -> f32 { return sum(m.w * m.w, N) }\n"
                      "pipeline bench {\n    let m = Weights()\n"
                      "    let opt = adamw(m, beta2 = 0.95, decay = 0.1)\n"
                      "    let out = minimize weighted(m, key()) with opt(lr = 0.0003)\n}\n";

void tct_bench_loops_names(tct_buf *out) {
    for (int i = 0; i < N_KERNELS; i++) tct_buf_printf(out, "%s, ", kernels[i].name);
    tct_buf_puts(out, adamw);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(void *ctx, uint32_t i, const tct_plan_port *port, void *data) {
    (void)ctx;
    size_t size = tct_dtype_size((tct_dtype)port->dtype);
    for (uint64_t k = 0; k < port->bytes / size; k++) {
        uint32_t r = (uint32_t)(k * 2654435761u) ^ (i * 40503u + SEED);
        if (port->dtype == TCT_F32)
            ((float *)data)[k] = ((float)(r >> 8) * 0x1p-24F - 0.5F) * 4;
        else if (port->dtype == TCT_I32)
            ((int32_t *)data)[k] = (int32_t)(r % 1000);
        else if (port->dtype == TCT_BOOL)
            ((uint8_t *)data)[k] = r >> 9 & 1;
        else
            ((unsigned char *)data)[k] = 0;
    }
}

// Bytes of what goes in and comes out. What isn't read doesn't count: a plan's inputs are all those of the
// graph.
static void bytes_moved(const tct_plan *plan, uint64_t *in, uint64_t *out) {
    *in = *out = 0;
    bool *seen = tct_alloc(plan->n_inputs + 1);
    for (uint32_t s = 0; s < plan->n_steps; s++)
        for (uint32_t k = 0; k < plan->steps[s].n_operands; k++) {
            const tct_plan_buffer *b = &plan->buffers[plan->operands[plan->steps[s].operand + k]];
            if (b->place == TCT_PLACE_INPUT) seen[b->index] = true;
        }
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        *out += plan->outputs[i].bytes;
        if (plan->outputs[i].alias >= 0) seen[plan->outputs[i].alias] = true;
    }
    for (uint32_t i = 0; i < plan->n_inputs; i++)
        if (seen[i]) *in += plan->inputs[i].bytes;
    tct_heap_free(seen);
}

// Of a kernel: its best time, and bytes a second of the triad over as many bytes and of memory that moves in
// and out as the kernel does.
typedef struct figures {
    double seconds, triad, moving;
} figures;

static bool take_turns(tct_diag *d, const tct_bench_options *o, const tct_plan *plan, tct_pool *pool,
                       uint64_t in, uint64_t out, figures *f) {
    tct_ports p;
    void *memory = tct_try_alloc(in + out, 64);
    bool ok = memory || tct_error(d, "E0801", TCT_NO_SPAN, "no memory to measure the machine's speed with");
    if (ok) memset(memory, 1, in + out);
    ok = tct_ports_open(d, plan, fill, NULL, &p) && ok &&
         tct_plan_run(d, plan, pool, p.in, p.out, p.arena, NULL); // pages are touched
    double slice = (o->seconds > 0 ? o->seconds : default_seconds) / (2 * ROUNDS);
    uint64_t third = (in + out) / 3;
    *f = (figures){.seconds = INFINITY};
    for (int round = 0; ok && round < ROUNDS; round++) {
        double begin = now(), start;
        do {
            start = now();
            ok = tct_plan_run(d, plan, pool, p.in, p.out, p.arena, NULL);
            f->seconds = fmin(f->seconds, now() - start);
        } while (ok && now() - begin < slice);
        f->triad = fmax(f->triad, tct_peak_memory_rate(pool, o->isa, memory, 2 * third, third));
        f->moving =
            in > 2 * out ? fmax(f->moving, tct_peak_memory_rate(pool, o->isa, memory, in, out)) : f->triad;
    }
    free(memory);
    tct_ports_close(plan, &p);
    return ok;
}

static bool measure(tct_diag *d, const tct_bench_options *o, const char *name, const tct_plan *plan,
                    tct_pool *pool, FILE *to) {
    uint64_t in, out;
    bytes_moved(plan, &in, &out);
    figures f;
    if (!take_turns(d, o, plan, pool, in, out, &f)) return false;
    double rate = (double)(in + out) / f.seconds;
    fprintf(to,
            o->json ? "{\"bench\": \"loops\", \"kernel\": \"%s\", \"threads\": %d, \"ms\": %.3f, "
                      "\"gbytes_per_s\": %.2f, \"triad\": %.2f, \"fraction\": %.3f, \"moving\": %.2f, "
                      "\"moving_fraction\": %.3f, \"steps\": %u}\n"
                    : "%-28s %d threads %8.3f ms %7.2f of %6.2f GB/s, %.3f; moving %6.2f, %.3f; %u steps\n",
            name, tct_pool_threads(pool), f.seconds * 1e3, rate * 1e-9, f.triad * 1e-9, rate / f.triad,
            f.moving * 1e-9, rate / f.moving, plan->n_steps);
    fflush(to);
    return true;
}

// The graph of a kernel, with the results that are wanted.
static tct_graph *build(tct_diag *d, tct_elab *e, tct_ir_module *m, const kernel *k) {
    tct_buf name = {0};
    tct_buf_printf(&name, "bench_%s", k->name);
    tct_graph *g = tct_elab_graph(e, m, name.data, NULL, 0);
    tct_buf_free(&name);
    if (g && k->grad) g = tct_graph_gradient(d, g, NULL);
    size_t n = 0;
    for (size_t i = 0; g && i < g->outputs.len; i++)
        if (strncmp(g->outputs.data[i].name, k->keep, strlen(k->keep)) == 0)
            g->outputs.data[n++] = g->outputs.data[i];
    if (g) g->outputs.len = n;
    return g;
}

static bool bench_graph(tct_diag *d, const tct_bench_options *o, const kernel *k, tct_pool *pool, FILE *out) {
    tct_buf text = {0};
    tct_buf_printf(&text, "use std.loss.ppo\ngraph bench_%s%s\n", k->name, k->what);
    tct_package package = {0};
    tct_elab *e = NULL;
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = NULL;
    bool ok = tct_package_load_text(d, &package, "bench.tct", text.data, text.len, tct_std_dir(&d->arena)) &&
              (e = tct_elab_new(d, &package, NULL, 0)) &&
              (c = tct_jit_compiler(d, &o->jit, NULL, o->threads));
    tct_graph *g = ok ? build(d, e, m, k) : NULL;
    const tct_plan *plan = g ? tct_compile_graph(d, c, g, NULL) : NULL;
    ok = plan && measure(d, o, k->name, plan, pool, out);
    tct_compiler_free(c);
    if (e) tct_elab_free(e);
    tct_ir_module_free(m);
    tct_package_free(&package);
    tct_buf_free(&text);
    return ok;
}

static bool bench_adamw(tct_diag *d, const tct_bench_options *o, tct_pool *pool, FILE *out) {
    tct_buf text = {0};
    tct_buf_printf(&text, "use std.optim.adamw\n%s", adamw_text);
    tct_compiled c = {.module = tct_ir_module_new()};
    bool ok =
        tct_package_load_text(d, &c.package, "bench.tct", text.data, text.len, tct_std_dir(&d->arena)) &&
        (c.elab = tct_elab_new(d, &c.package, NULL, 0)) &&
        (c.draft = tct_elab_program(c.elab, c.module, NULL, &tct_driver_hooks)) &&
        (c.compiler = tct_jit_compiler(d, &o->jit, NULL, o->threads));
    const tct_plan *plan =
        ok ? tct_compile_graph(d, c.compiler, c.draft->graphs[c.draft->n_graphs - 1], NULL) : NULL;
    ok = plan && measure(d, o, adamw, plan, pool, out);
    tct_compiled_free(&c);
    tct_buf_free(&text);
    return ok;
}

static bool wanted(const char *name, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return n == 0;
}

bool tct_bench_loops(tct_diag *d, const tct_bench_options *o, const char *const *names, size_t n, FILE *out) {
    for (size_t i = 0; i < n; i++) {
        bool known = strcmp(names[i], adamw) == 0;
        for (int k = 0; k < N_KERNELS; k++) known |= strcmp(names[i], kernels[k].name) == 0;
        if (known) continue;
        tct_buf all = {0};
        tct_bench_loops_names(&all);
        tct_error(d, "E0902", TCT_NO_SPAN, "there is no kernel %s to measure", names[i]);
        tct_help(d, "kernels: %s", all.data);
        tct_buf_free(&all);
        return false;
    }
    tct_pool *pool = tct_pool_new(o->threads);
    bool ok = true;
    for (int i = 0; ok && i < N_KERNELS; i++)
        if (wanted(kernels[i].name, names, n)) ok = bench_graph(d, o, &kernels[i], pool, out);
    if (ok && wanted(adamw, names, n)) ok = bench_adamw(d, o, pool, out);
    tct_pool_free(pool);
    return ok;
}
