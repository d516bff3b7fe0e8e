// A trainer: the program that `tercet build` linked into this executable, run by its command line.
#include "runtime/linked.h"
#include "runtime/run_options.h"
#include "runtime/vm.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

// Exit statuses, as of `tercet`.
enum { EXIT_DONE = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

enum { MAX_ERRORS = 20 };

typedef struct arguments {
    tct_run_request run;
    tct_isa limit;
} arguments;

enum { KEY_ISA = 256 };

static const struct argp_option options[] = {
    {"isa", KEY_ISA, "SET", 0, "Use no better instruction set than avx2, avx512 or avx512bf16", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    arguments *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->run;
        return 0;
    case KEY_ISA:
        if (!tct_isa_parse(arg, &o->limit)) argp_error(state, "there is no instruction set called `%s`", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char name[] = "this trainer";

static bool run(tct_diag *d, arguments *o) {
    tct_image image;
    if (!tct_linked_read(d, name, &image)) return false;
    tct_program *p = &image.program;
    if (!tct_run_options_check(d, p, &o->run.run) || !tct_linked_choose(d, name, &image, o->limit))
        return false;
    if (!o->run.run.out) o->run.run.out = tct_arena_printf(&d->arena, "runs/%s", p->name);
    return tct_program_run(d, p, &o->run.run);
}

int main(int argc, char **argv) {
    static const struct argp_child shared[] = {{&tct_run_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options, parse_option, NULL, NULL, shared, NULL, NULL};
    argp_err_exit_status = EXIT_USAGE;
    arguments o = {.limit = TCT_N_ISAS};
    tct_run_request_init(&o.run);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = MAX_ERRORS};
    run(&d, &o);
    tct_run_request_free(&o.run);
    return tct_diag_report(&d) ? EXIT_DONE : EXIT_ERROR;
}
