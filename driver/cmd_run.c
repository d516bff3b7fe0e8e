// tercet run: compiles a pipeline just in time and runs it.
#include "driver/compile_program.h"
#include "driver/driver.h"
#include "runtime/vm.h"

#include <stdio.h>

typedef struct tct_run_arguments {
    tct_compile_request compile;
    tct_run_request run;
} tct_run_arguments;

enum { KEY_PIPELINE = 256, KEY_ISA };

static const struct argp_option options[] = {
    {"pipeline", KEY_PIPELINE, "NAME", 0, "Which pipeline, where the file has several", 0},
    {"isa", KEY_ISA, "SET", 0,
     "Compile for base, avx2, avx512, avx512bf16 or amx (default: the best of this machine)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_run_arguments *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->run;
        state->child_inputs[1] = &o->compile.jit;
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

static bool list(tct_diag *d, const tct_program *p, bool json) {
    tct_buf out = {0};
    tct_list_stages(p, json, &out);
    bool ok = tct_write_out(d, &out);
    tct_buf_free(&out);
    return ok;
}

static bool run(tct_diag *d, tct_run_arguments *o, tct_compiled *c) {
    if (!tct_program_draft(d, &o->compile, c)) return false;
    tct_program *p = &c->draft->program;
    if (o->run.list_stages) return list(d, p, o->run.json);
    if (!tct_run_options_check(d, p, &o->run.run) || !tct_program_compile(d, &o->compile, c)) return false;
    const tct_compile_stats s = tct_compiler_stats(c->compiler);
    fprintf(stderr, "compiled %u graphs to %u kernels, %u of them from the cache, in %.2f s\n", s.graphs,
            s.kernels, s.cached, c->seconds);
    if (!o->run.run.out) o->run.run.out = tct_arena_printf(&d->arena, "runs/%s", p->name);
    return tct_program_run(d, p, &o->run.run);
}

int tct_cmd_run(int argc, char **argv) {
    static const struct argp_child shared[] = {{&tct_run_argp, 0, NULL, 0}, {&tct_jit_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options, parse_option, "FILE", "Compiles the pipeline of a program and runs it.", shared, NULL, NULL};
    tct_run_arguments o = {0};
    tct_run_request_init(&o.run);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    o.compile.sets = o.run.sets.data;
    o.compile.n_sets = o.run.sets.len;
    o.compile.threads = o.run.run.threads;
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_compiled c = {0};
    run(&d, &o, &c);
    tct_compiled_free(&c);
    tct_run_request_free(&o.run);
    return tct_report(&d);
}
