#include "driver/phase_options.h"

#include "base/file.h"
#include "ir/diff.h"

#include <string.h>

enum { KEY_AFTER = 3000, KEY_DIFF, KEY_DIR, KEY_ISA, KEY_BARE, KEY_VERIFY };

static const struct argp_option options[] = {
    {"after", KEY_AFTER, "PASS", 0,
     "The graph after a pass; PASS#2 is its second run, `ir` the graph before all of them", 0},
    {"diff", KEY_DIFF, "PASS", 0, "What a pass changed", 0},
    {"dump-dir", KEY_DIR, "DIR", 0,
     "Write every phase into a folder, numbered; each graph goes on with `tercet opt --from`", 0},
    {"isa", KEY_ISA, "SET", 0,
     "Compile for base, avx2, avx512, avx512bf16 or amx (default: the best of this machine)", 0},
    {"bare", KEY_BARE, NULL, 0, "Leave out where everything comes from: places in the source, and passes", 0},
    {"verify-each", KEY_VERIFY, NULL, 0, "Verify the graph after every pass", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_phase_options *o = state->input;
    switch (key) {
    case KEY_AFTER:
        o->after = arg;
        return 0;
    case KEY_DIFF:
        o->diff = arg;
        return 0;
    case KEY_DIR:
        o->dump_dir = arg;
        return 0;
    case KEY_ISA:
        o->isa = arg;
        return 0;
    case KEY_BARE:
        o->bare = true;
        return 0;
    case KEY_VERIFY:
        o->verify_each = true;
        return 0;
    case ARGP_KEY_END:
        if (!!o->after + !!o->diff + !!o->dump_dir > 1)
            argp_error(state, "--after, --diff and --dump-dir exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp tct_phase_argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};

typedef struct showing {
    tct_diag *d;
    const tct_phases_shown *s;
    tct_buf *out;
    tct_phase last; // of those with a graph
    bool ok;
} showing;

static void print_phase(showing *w, const tct_phase *phase, tct_buf *out) {
    if (phase->graph && w->s->print)
        w->s->print(phase->graph, w->d, out);
    else
        tct_phase_text(phase, w->d, w->s->options->bare, out);
}

static void show_diff(showing *w, const tct_phase *phase) {
    if (!phase->before) {
        w->ok = tct_error(w->d, "E0602", TCT_NO_SPAN, "'%s' is no pass, so it changed nothing", phase->name);
        return;
    }
    if (tct_ir_diff(phase->before, phase->graph, phase->name, w->d, w->s->options->bare, w->out)) return;
    bool equal = tct_ir_equal(phase->before, phase->graph);
    tct_buf_printf(w->out, "; %s changed nothing%s\n", phase->name, equal ? "" : " but the order of nodes");
}

// A graph says in its first line how to go on from it.
static void write_file(showing *w, const tct_phase *phase) {
    const char *file = tct_phase_file(&w->d->arena, phase);
    tct_buf text = {0};
    if (phase->graph)
        tct_buf_printf(&text, "; on with: tercet opt %s --passes %s --from %s\n", file, phase->list,
                       phase->name);
    print_phase(w, phase, &text);
    const char *path = tct_path_join(&w->d->arena, w->s->options->dump_dir, file);
    w->ok = w->ok && tct_file_write(w->d, path, text.data, text.len);
    tct_buf_free(&text);
}

static void each(void *ctx, const tct_phase *phase) {
    showing *w = ctx;
    const tct_phase_options *o = w->s->options;
    bool starts_here = phase->graph && !phase->before;
    if (w->s->each) w->s->each(w->s->ctx, phase);
    if (o->dump_dir) {
        if (!starts_here || !w->s->from) write_file(w, phase);
    } else if (o->after) {
        if (tct_phase_is(phase, o->after)) print_phase(w, phase, w->out);
    } else if (o->diff) {
        if (tct_phase_is(phase, o->diff)) show_diff(w, phase);
    } else if (w->s->stage) {
        if (tct_phase_is(phase, w->s->stage)) print_phase(w, phase, w->out);
    } else if (phase->graph) {
        w->last = *phase;
    }
}

static bool is_code(const char *stage) {
    static const char *const code[] = {"kernel", "llvm", "asm", "plan", "memory"};
    bool is = false;
    for (size_t k = 0; k < sizeof code / sizeof *code; k++) is = is || strcmp(stage, code[k]) == 0;
    return is;
}

bool tct_phases_show(tct_diag *d, tct_graph *g, const tct_phases_shown *s, tct_buf *out) {
    const tct_phase_options *o = s->options;
    showing w = {.d = d, .s = s, .out = out, .ok = true};
    const char *wanted = o->after ? o->after : o->diff;
    if (wanted && !tct_phase_known(d, s->passes, wanted)) return false;
    if (o->dump_dir && !tct_make_dir(d, o->dump_dir)) return false;
    tct_phases_request r = {.passes = s->passes,
                            .from = s->from,
                            .verify_each = o->verify_each,
                            .isa = o->isa,
                            .each = each,
                            .ctx = &w};
    const char *unknown = o->dump_dir ? tct_phases_unknown_size(g) : NULL;
    if (o->dump_dir)
        r.code = !unknown;
    else
        r.code = !wanted && s->stage && is_code(s->stage);
    bool ok = tct_phases_run(d, g, &r) && w.ok;
    if (ok && unknown)
        tct_warning(d, "E0904", TCT_NO_SPAN, "%s: the size of %s is not known, so there are no kernels",
                    g->name, unknown);
    if (ok && w.last.graph) print_phase(&w, &w.last, out);
    if (ok && wanted && !out->len)
        ok = tct_error(d, "E0602", TCT_NO_SPAN, "phase '%s' is over where the graph stands, at '%s'", wanted,
                       s->from);
    return ok;
}
