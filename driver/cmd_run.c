// tercet run: compiles a pipeline just in time and runs it.
#include "driver/compile_program.h"
#include "driver/driver.h"
#include "runtime/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tct_run_arguments {
    tct_compile_request compile;
    tct_run_options run;
    TCT_VEC(tct_setting) sets;
} tct_run_arguments;

enum { KEY_OUT = 256, KEY_SEED, KEY_RESUME, KEY_CHECKPOINT, KEY_FROM, KEY_TO, KEY_PIPELINE, KEY_ISA };

static const struct argp_option options[] = {
    {"set", 's', "KEY=VALUE", 0, "Give a config value, as in --set ppo.lr=1e-6", 0},
    {"out", KEY_OUT, "DIR", 0, "The run's folder (default: runs/ and the pipeline's name)", 0},
    {"threads", 't', "N", 0, "Threads (default: all cores). The result doesn't depend on it", 0},
    {"seed", KEY_SEED, "N", 0, "Seed of everything random (default: 0)", 0},
    {"resume", KEY_RESUME, NULL, 0, "Go on from the checkpoint in the run's folder", 0},
    {"checkpoint-every", KEY_CHECKPOINT, "SECONDS", 0,
     "Write a checkpoint so often (default: 120; 0: only at the ends of stages)", 0},
    {"from-stage", KEY_FROM, "STAGE", 0, "Begin with this stage, from what the one before it left", 0},
    {"to-stage", KEY_TO, "STAGE", 0, "End after this stage", 0},
    {"pipeline", KEY_PIPELINE, "NAME", 0, "Which pipeline, where the file has several", 0},
    {"isa", KEY_ISA, "SET", 0, "Compile for base, avx2 or avx512 (default: the best of this machine)", 0},
    {0},
};

static long number(struct argp_state *state, const char *name, const char *arg, long low, long high) {
    char *end;
    long n = strtol(arg, &end, 10);
    if (end == arg || *end || n < low || n > high)
        argp_error(state, "--%s takes a number from %ld to %ld, not `%s`", name, low, high, arg);
    return n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_run_arguments *o = state->input;
    switch (key) {
    case 's': {
        char *equals = strchr(arg, '=');
        if (!equals || equals == arg) argp_error(state, "--set takes KEY=VALUE, not `%s`", arg);
        *equals = 0;
        TCT_PUSH(&o->sets, (tct_setting){arg, equals + 1});
        return 0;
    }
    case 't':
        o->run.threads = (int)number(state, "threads", arg, 1, 1024);
        return 0;
    case KEY_OUT:
        o->run.out = arg;
        return 0;
    case KEY_SEED:
        o->run.seed = (uint64_t)number(state, "seed", arg, 0, 0x7fffffffffffffff);
        return 0;
    case KEY_RESUME:
        o->run.resume = true;
        return 0;
    case KEY_CHECKPOINT: {
        char *end;
        o->run.checkpoint_seconds = strtod(arg, &end);
        if (end == arg || *end || !(o->run.checkpoint_seconds >= 0))
            argp_error(state, "--checkpoint-every takes seconds, not `%s`", arg);
        return 0;
    }
    case KEY_FROM:
        o->run.from_stage = arg;
        return 0;
    case KEY_TO:
        o->run.to_stage = arg;
        return 0;
    case KEY_PIPELINE:
        o->compile.pipeline = arg;
        return 0;
    case KEY_ISA:
        o->compile.isa = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->compile.file) argp_error(state, "one FILE, please; `%s` is a second", arg);
        o->compile.file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int tct_cmd_run(int argc, char **argv) {
    static const struct argp argp = {
        options, parse_option, "FILE", "Compiles the pipeline of a program and runs it.", NULL, NULL, NULL};
    tct_run_arguments o = {.run = {.checkpoint_seconds = 120}};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    o.compile.sets = o.sets.data;
    o.compile.n_sets = o.sets.len;
    o.compile.threads = o.run.threads;
    o.run.progress = true;
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_compiled c = {0};
    if (tct_program_compile(&d, &o.compile, &c)) {
        const tct_compile_stats s = tct_compiler_stats(c.compiler);
        fprintf(stderr, "compiled %u graphs to %u kernels in %.2f s\n", s.graphs, s.kernels, c.seconds);
        if (!o.run.out) o.run.out = tct_arena_printf(&d.arena, "runs/%s", c.draft->program.name);
        tct_program_run(&d, &c.draft->program, &o.run);
    }
    tct_compiled_free(&c);
    TCT_VEC_FREE(&o.sets);
    return tct_report(&d);
}
