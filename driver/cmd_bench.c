// tercet bench: how fast this machine is, and how near to it Tercet comes.
#include "driver/bench_gemm.h"
#include "driver/bench_loops.h"
#include "driver/bench_step.h"
#include "driver/driver.h"

#include <stdlib.h>
#include <string.h>

typedef struct tct_bench_arguments {
    tct_bench_options o;
    const char *what, *model;
    int64_t batch, seq, max_new;
    TCT_VEC(tct_bench_shape) shapes;
    TCT_VEC(const char *) kernels;
} tct_bench_arguments;

enum {
    KEY_JSON = 256,
    KEY_MODEL,
    KEY_BATCH,
    KEY_SEQ,
    KEY_NEW,
    KEY_PROFILE,
    KEY_SECONDS,
    KEY_ISA,
    KEY_RUNS,
    KEY_DTYPE,
    KEY_WEIGHTS,
    KEY_TRACE
};

static const struct argp_option options[] = {
    {"threads", 't', "N", 0, "Threads (default: all cores)", 0},
    {"json", KEY_JSON, NULL, 0, "One JSON object a line", 0},
    {"model", KEY_MODEL, "NAME", 0,
     "step, decode: gpt2-124m (default), gpt2-1.5b, gpt2-10m, gpt2-1m or gpt2-260k; step: or FILE.tct", 0},
    {"batch", KEY_BATCH, "N", 0, "step, decode: rows (default: 4)", 0},
    {"seq", KEY_SEQ, "N", 0, "step: tokens a row; decode: tokens of the prompt (default: 64)", 0},
    {"max-new", KEY_NEW, "N", 0, "decode: tokens generated (default: 64)", 0},
    {"profile", KEY_PROFILE, "N", 0, "step, decode: print the N most expensive kernels", 0},
    {"runs", KEY_RUNS, "N", 0, "step: measured ones (default: 5; 0: none, only until it could begin)", 0},
    {"trace", KEY_TRACE, "FILE", 0, "step, decode: write a trace for ui.perfetto.dev", 0},
    {"seconds", KEY_SECONDS, "S", 0, "peak, gemm, loops: time for a figure", 0},
    {"dtype", KEY_DTYPE, "T", 0, "gemm: factors are f32 (default), bf16, or rounded (to bf16, from f32)", 0},
    {"weights", KEY_WEIGHTS, "T", 0,
     "decode: weights are f32 (default), bf16 or int8; gemm: the second factor is, beside f32", 0},
    {"isa", KEY_ISA, "SET", 0,
     "Compile for base, avx2, avx512, avx512bf16 or amx (default: the best of this machine)", 0},
    {0},
};

static int64_t number(struct argp_state *state, const char *name, const char *arg, int64_t low,
                      int64_t high) {
    char *end;
    long long n = strtoll(arg, &end, 10);
    if (end == arg || *end || n < low || n > high)
        argp_error(state, "--%s takes a number from %lld to %lld, not `%s`", name, (long long)low,
                   (long long)high, arg);
    return n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_bench_arguments *a = state->input;
    switch (key) {
    case 't':
        a->o.threads = (int)number(state, "threads", arg, 1, 1024);
        return 0;
    case KEY_JSON:
        a->o.json = true;
        return 0;
    case KEY_MODEL:
        a->model = arg;
        return 0;
    case KEY_BATCH:
        a->batch = number(state, "batch", arg, 1, 65536);
        return 0;
    case KEY_SEQ:
        a->seq = number(state, "seq", arg, 1, 65536);
        return 0;
    case KEY_NEW:
        a->max_new = number(state, "max-new", arg, 1, 65536);
        return 0;
    case KEY_PROFILE:
        a->o.profile = (int)number(state, "profile", arg, 1, 10000);
        return 0;
    case KEY_RUNS:
        a->o.runs = (int)number(state, "runs", arg, 0, 1000000);
        return 0;
    case KEY_TRACE:
        a->o.trace = arg;
        return 0;
    case KEY_SECONDS:
        a->o.seconds = atof(arg);
        return 0;
    case KEY_DTYPE:
        if (strcmp(arg, "f32") != 0 && strcmp(arg, "bf16") != 0 && strcmp(arg, "rounded") != 0)
            argp_error(state, "--dtype takes f32, bf16 or rounded, not `%s`", arg);
        a->o.factors = arg[0] == 'f'   ? TCT_FACTOR_EXACT
                       : arg[0] == 'b' ? TCT_FACTOR_BF16
                                       : TCT_FACTOR_ROUNDED;
        return 0;
    case KEY_WEIGHTS:
        if (strcmp(arg, "f32") != 0 && strcmp(arg, "bf16") != 0 && strcmp(arg, "int8") != 0)
            argp_error(state, "--weights takes f32, bf16 or int8, not `%s`", arg);
        a->o.weights = arg[0] == 'f' ? TCT_FACTOR_EXACT : arg[0] == 'b' ? TCT_FACTOR_BF16 : TCT_FACTOR_I8;
        return 0;
    case KEY_ISA:
        if (!tct_isa_parse(arg, &a->o.isa)) argp_error(state, "there is no instruction set `%s`", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (!a->what)
            a->what = arg;
        else if (strcmp(a->what, "loops") == 0)
            TCT_PUSH(&a->kernels, arg);
        else {
            tct_bench_shape s = {0};
            if (strcmp(a->what, "gemm") != 0 || !tct_bench_shape_parse(arg, &s))
                argp_error(state, "`%s` isn't understood", arg);
            TCT_PUSH(&a->shapes, s);
        }
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->o.jit;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int tct_cmd_bench(int argc, char **argv) {
    static const struct argp_child shared[] = {{&tct_jit_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse_option,
        "peak|gemm|loops|step|decode [SHAPE|KERNEL...]",
        "Measures this machine and Tercet on it: the multiply-add limit, matrix products (shapes as "
        "256x768x768 or 256x768x768:nt), kernels that are none (by name, as softmax), a training step, "
        "generation.",
        shared,
        NULL,
        NULL};
    tct_bench_arguments a = {
        .o = {.isa = tct_isa_host(), .runs = 5}, .model = "gpt2-124m", .batch = 4, .seq = 64, .max_new = 64};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    const char *names;
    const tct_bench_model file = {.name = a.model, .file = a.model, .context = INT32_MAX},
                          *m = tct_bench_model_by_name(a.model, &names);
    size_t len = strlen(a.model);
    if (len > 4 && strcmp(a.model + len - 4, ".tct") == 0) m = &file;
    int status = TCT_EXIT_OK;
    if (!m) {
        tct_error(&d, "E0902", TCT_NO_SPAN, "there is no model %s to measure", a.model);
        tct_help(&d, "models: %s", names);
    } else if (strcmp(a.what, "peak") == 0)
        tct_bench_peak(&a.o, stdout);
    else if (strcmp(a.what, "gemm") == 0)
        tct_bench_gemm(&d, &a.o, a.shapes.len ? a.shapes.data : NULL, a.shapes.len, stdout);
    else if (strcmp(a.what, "loops") == 0)
        tct_bench_loops(&d, &a.o, a.kernels.data, a.kernels.len, stdout);
    else if (strcmp(a.what, "step") == 0)
        tct_bench_step(&d, &a.o, m, a.batch, a.seq, stdout);
    else if (strcmp(a.what, "decode") == 0)
        tct_bench_decode(&d, &a.o, m, a.batch, a.seq, a.max_new, stdout);
    else {
        tct_error(&d, "E0901", TCT_NO_SPAN, "there is no benchmark %s", a.what);
        tct_help(&d, "benchmarks: peak, gemm, loops, step, decode");
        status = TCT_EXIT_USAGE;
    }
    TCT_VEC_FREE(&a.shapes);
    TCT_VEC_FREE(&a.kernels);
    int reported = tct_report(&d);
    return status ? status : reported;
}
