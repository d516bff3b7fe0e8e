// tercet opt: runs passes on a graph in text form.
#include "base/file.h"
#include "driver/driver.h"
#include "driver/pass_stats.h"
#include "driver/phase_options.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct opt_arguments {
    const char *file, *passes, *from, *stage, *output;
    tct_phase_options phases;
    bool print_after_all, time_passes, json;
    tct_pass_stats stats;
    const tct_diag *sources;
} opt_arguments;

enum { KEY_PASSES = 256, KEY_FROM, KEY_STAGE, KEY_PRINT, KEY_TIME, KEY_STATS, KEY_JSON };

static const struct argp_option options[] = {
    {"passes", KEY_PASSES, "LIST", 0,
     "Passes, separated by commas; `early`, `default` and `mixed` stand for lists, `grad` differentiates the "
     "first "
     "result "
     "(default: default,fuse)",
     0},
    {"from", KEY_FROM, "PASS", 0,
     "The graph is what this pass of the list has left (PASS#2: its second run, `ir`: none has run): go on "
     "behind it",
     0},
    {"stage", KEY_STAGE, "STAGE", 0, "Print kernel, llvm, asm, plan or memory of what comes out", 0},
    {"output", 'o', "FILE", 0, "Write what is printed into a file", 0},
    {"print-after-all", KEY_PRINT, NULL, 0, "Print the graph after every pass, on the error output", 0},
    {"time-passes", KEY_TIME, NULL, 0, "Print what every pass took, on the error output", 0},
    {"stats", KEY_STATS, NULL, 0, "Print what every pass made, removed and rewrote, on the error output", 0},
    {"json", KEY_JSON, NULL, 0, "Print times and stats as JSON, and no graph", 0},
    {0},
};

static void check_stage(const char *stage, struct argp_state *state) {
    static const char *const stages[] = {"kernel", "llvm", "asm", "plan", "memory"};
    for (size_t k = 0; k < sizeof stages / sizeof *stages; k++)
        if (strcmp(stages[k], stage) == 0) return;
    argp_error(state, "--stage is kernel, llvm, asm, plan or memory, not `%s`", stage);
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    opt_arguments *o = state->input;
    switch (key) {
    case KEY_PASSES:
        o->passes = arg;
        return 0;
    case KEY_FROM:
        o->from = arg;
        return 0;
    case KEY_STAGE:
        check_stage(arg, state);
        o->stage = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case KEY_PRINT:
        o->print_after_all = true;
        return 0;
    case KEY_TIME:
        o->time_passes = true;
        return 0;
    case KEY_STATS:
        o->stats.count = true;
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case ARGP_KEY_INIT:
        o->passes = "default,fuse";
        state->child_inputs[0] = &o->phases;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file) argp_error(state, "one FILE at a time");
        o->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->file) argp_error(state, "FILE is missing");
        if (o->stage && (o->phases.after || o->phases.diff || o->phases.dump_dir))
            argp_error(state, "--after, --diff and --dump-dir stand in place of --stage");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void each(void *ctx, const tct_phase *phase) {
    opt_arguments *o = ctx;
    tct_pass_stats_add(&o->stats, phase);
    if (!o->print_after_all || !phase->before) return;
    tct_buf text = {0};
    tct_phase_text(phase, o->sources, o->phases.bare, &text);
    fprintf(stderr, "; after %s\n%s", phase->name, text.data);
    tct_buf_free(&text);
}

static void print_stats(const opt_arguments *o, tct_buf *out) {
    tct_buf text = {0};
    if (o->json) {
        out->len = 0;
        tct_pass_stats_json(&o->stats, out);
    } else if (o->time_passes || o->stats.count) {
        tct_pass_stats_print(&o->stats, o->time_passes, &text);
        fputs(text.data, stderr);
    }
    tct_buf_free(&text);
}

// The texts of the files that the graph comes from, for assembly that shows their lines: as far as they are
// there and older than the graph, whose lines may be others otherwise.
static void load_sources(tct_diag *d, const char *graph) {
    struct stat ours, theirs;
    size_t n = d->sources.len;
    for (size_t k = 0; k < n && stat(graph, &ours) == 0; k++) {
        const char *path = d->sources.data[k].path;
        char *text;
        size_t len;
        if (d->sources.data[k].text || stat(path, &theirs) != 0 || !S_ISREG(theirs.st_mode) ||
            theirs.st_mtime > ours.st_mtime)
            continue;
        tct_diag unread = {0};
        if (tct_file_read(&unread, path, &text, &len)) {
            tct_diag_add_source(d, path, text, len);
            tct_heap_free(text);
        }
        tct_diag_free(&unread);
    }
}

static bool optimise(tct_diag *d, opt_arguments *o, tct_ir_module *m, tct_buf *out) {
    char *text;
    size_t len;
    if (!tct_file_read(d, o->file, &text, &len)) return false;
    tct_graph *g = tct_ir_parse(d, m, o->file, text, len);
    tct_heap_free(text);
    o->sources = d;
    load_sources(d, o->file);
    tct_phases_shown show = {.options = &o->phases,
                             .passes = o->passes,
                             .from = o->from,
                             .stage = o->stage,
                             .each = each,
                             .ctx = o};
    bool ok = g && tct_phases_show(d, g, &show, out);
    if (ok) print_stats(o, out);
    return ok;
}

int tct_cmd_opt(int argc, char **argv) {
    static const struct argp_child children[] = {{&tct_phase_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse_option,
                                     "FILE",
                                     "Runs passes on a graph in text form, as `tercet dump` prints it and "
                                     "docs/ir.md describes it, and prints what "
                                     "comes out.",
                                     children,
                                     NULL,
                                     NULL};
    opt_arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_ir_module *m = tct_ir_module_new();
    tct_buf text = {0};
    bool ok = optimise(&d, &o, m, &text);
    if (ok && o.output)
        tct_file_write(&d, o.output, text.data ? text.data : "", text.len);
    else if (ok)
        tct_write_out(&d, &text);
    tct_buf_free(&text);
    TCT_VEC_FREE(&o.stats.passes);
    tct_ir_module_free(m);
    return tct_report(&d);
}
