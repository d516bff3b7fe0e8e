// tercet opt: runs passes on a graph in text form.
#include "base/file.h"
#include "driver/driver.h"
#include "passes/passes.h"

#include <stdio.h>
#include <string.h>

typedef struct opt_arguments {
    const char *file, *passes;
    bool print_after_all, verify_each, time_passes;
} opt_arguments;

enum { KEY_PASSES = 256, KEY_PRINT, KEY_VERIFY, KEY_TIME };

static const struct argp_option options[] = {
    {"passes", KEY_PASSES, "LIST", 0, "Passes, separated by commas; `early` and `default` stand for lists",
     0},
    {"print-after-all", KEY_PRINT, NULL, 0, "Print the graph after every pass, on the error output", 0},
    {"verify-each", KEY_VERIFY, NULL, 0, "Verify the graph after every pass", 0},
    {"time-passes", KEY_TIME, NULL, 0, "Print what every pass took, on the error output", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    opt_arguments *o = state->input;
    switch (key) {
    case KEY_PASSES:
        o->passes = arg;
        return 0;
    case KEY_PRINT:
        o->print_after_all = true;
        return 0;
    case KEY_VERIFY:
        o->verify_each = true;
        return 0;
    case KEY_TIME:
        o->time_passes = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file) argp_error(state, "one FILE at a time");
        o->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->file) argp_error(state, "FILE is missing");
        if (!o->passes) argp_error(state, "--passes LIST is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void after(void *ctx, const char *pass, const tct_graph *before, const tct_graph *g, double seconds) {
    const opt_arguments *o = ctx;
    (void)before;
    if (o->time_passes) fprintf(stderr, "; %-14s %9.3f ms  %6zu nodes\n", pass, 1e3 * seconds, g->nodes.len);
    if (!o->print_after_all) return;
    tct_buf text = {0};
    tct_ir_print(g, &text, NULL);
    fprintf(stderr, "; after %s\n%s", pass, text.data);
    tct_buf_free(&text);
}

static bool optimise(tct_diag *d, opt_arguments *o, tct_ir_module *m, tct_buf *out) {
    char *text;
    size_t len;
    if (!tct_file_read(d, o->file, &text, &len)) return false;
    tct_graph *g = tct_ir_parse(d, m, o->file, text, len);
    tct_heap_free(text);
    tct_pass_trace trace = {.verify_each = o->verify_each, .after = after, .ctx = o};
    if (g) g = tct_passes_run(d, g, o->passes, &trace);
    if (g) tct_ir_print(g, out, d);
    return g != NULL;
}

int tct_cmd_opt(int argc, char **argv) {
    static const struct argp argp = {
        options,
        parse_option,
        "FILE",
        "Runs passes on a graph in text form, as `tercet dump --stage ir` prints it and "
        "docs/ir.md describes it, and prints what comes out.",
        NULL,
        NULL,
        NULL};
    opt_arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_ir_module *m = tct_ir_module_new();
    tct_buf text = {0};
    if (optimise(&d, &o, m, &text)) tct_write_out(&d, &text);
    tct_buf_free(&text);
    tct_ir_module_free(m);
    return tct_report(&d);
}
