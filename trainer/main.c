// A trainer: the program that `tercet build` linked into this executable, run by its command line.
#include "base/file.h"
#include "runtime/linked.h"
#include "runtime/run_options.h"
#include "runtime/settings.h"
#include "runtime/vm.h"
#include "trainer/help.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

// Exit statuses, as of `tercet`.
enum { EXIT_DONE = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

enum { MAX_ERRORS = 20 };

static const char name[] = "this trainer"; // in messages

typedef struct arguments {
    const tct_image *image;
    tct_run_request run;
    const char *folder;
    tct_isa limit;
} arguments;

enum { KEY_ISA = 256, KEY_FOLDER, KEY_USAGE };

static const struct argp_option options[] = {
    {"isa", KEY_ISA, "SET", 0,
     "Use no better instruction set than this: base, avx2, avx512, avx512bf16 or amx", 0},
    {"folder", KEY_FOLDER, "DIR", 0,
     "Where relative paths of the program begin (default: this trainer's folder)", 0},
    {"help", 'h', NULL, 0, "Print this text", -1},
    {"usage", KEY_USAGE, NULL, 0, "Print a short text", -1},
    {"version", 'V', NULL, 0, "Print what this trainer runs and which Tercet built it", -1},
    {0},
};

static _Noreturn void print_and_exit(void (*print)(const tct_image *image, tct_buf *out),
                                     const tct_image *image) {
    tct_buf text = {0};
    print(image, &text);
    bool ok = fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    tct_buf_free(&text);
    exit(ok ? EXIT_DONE : EXIT_ERROR);
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    arguments *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->run;
        return 0;
    case KEY_ISA:
        if (!tct_isa_parse(arg, &o->limit)) argp_error(state, "there is no instruction set called `%s`", arg);
        return 0;
    case KEY_FOLDER:
        o->folder = arg;
        return 0;
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG);
        print_and_exit(tct_trainer_help, o->image);
    case KEY_USAGE:
        argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
        return 0;
    case 'V':
        print_and_exit(tct_trainer_title, o->image);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse(int argc, char **argv, arguments *o) {
    static const struct argp_child shared[] = {{&tct_run_argp, 0, NULL, 0}, {0}};
    tct_buf title = {0};
    tct_buf_puts(&title, "Runs ");
    tct_trainer_title(o->image, &title);
    struct argp argp = {options, parse_option, NULL, title.data, shared, NULL, NULL};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, o);
    tct_buf_free(&title);
}

static bool list_stages(tct_diag *d, const tct_program *p, bool json) {
    tct_buf text = {0};
    tct_list_stages(p, json, &text);
    bool ok = fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    tct_buf_free(&text);
    return ok || tct_error(d, "E0702", TCT_NO_SPAN, "cannot write the output");
}

static bool run(tct_diag *d, tct_image *image, arguments *o) {
    tct_program *p = &image->program;
    p->folder = o->folder ? o->folder : tct_program_folder(&d->arena);
    if (o->run.list_stages) return list_stages(d, p, o->run.json);
    if (!tct_settings_apply(d, p, o->run.sets.data, o->run.sets.len) ||
        !tct_run_options_check(d, p, &o->run.run) || !tct_linked_choose(d, name, image, o->limit))
        return false;
    if (!o->run.run.out) o->run.run.out = tct_arena_printf(&d->arena, "runs/%s", p->name);
    o->run.run.ahead = true;
    return tct_program_run(d, p, &o->run.run);
}

int main(int argc, char **argv) {
    tct_diag d = {.max_errors = MAX_ERRORS};
    tct_image image;
    arguments o = {.image = &image, .limit = TCT_N_ISAS};
    tct_run_request_init(&o.run);
    if (tct_linked_read(&d, name, &image)) {
        parse(argc, argv, &o);
        run(&d, &image, &o);
    }
    tct_run_request_free(&o.run);
    return tct_diag_report(&d) ? EXIT_DONE : EXIT_ERROR;
}
