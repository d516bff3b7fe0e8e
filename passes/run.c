// The table of passes, and running a list of them.
#include "passes/passes.h"

#include <string.h>
#include <time.h>

const tct_pass tct_passes[] = {
#define PASS(name, doc) {#name, doc, tct_pass_##name},
#include "passes/passes.def"
#undef PASS
};
const size_t tct_n_passes = sizeof tct_passes / sizeof *tct_passes;

const char *const tct_passes_early = "canonicalise,fold,cse,stable,dce";
const char *const tct_passes_default = "drop_stops,canonicalise,fold,cse,stable,canonicalise,cse,dce,layout";

const tct_pass *tct_pass_by_name(const char *name, size_t len) {
    for (size_t k = 0; k < tct_n_passes; k++)
        if (strlen(tct_passes[k].name) == len && memcmp(tct_passes[k].name, name, len) == 0)
            return &tct_passes[k];
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool unknown_pass(tct_diag *d, const char *name, size_t len) {
    enum { MOST = 64 };
    const char *names[MOST];
    size_t n = 0;
    for (size_t k = 0; k < tct_n_passes && n < MOST; k++) names[n++] = tct_passes[k].name;
    char *word = tct_arena_strndup(&d->arena, name, len);
    tct_error(d, "E0602", TCT_NO_SPAN, "there is no pass called '%s'", word);
    const char *near = tct_nearest(word, names, n);
    if (near) {
        tct_help(d, "did you mean '%s'?", near);
    } else {
        tct_buf all = {0};
        for (size_t k = 0; k < tct_n_passes; k++) tct_buf_printf(&all, "%s%s", k ? ", " : "", names[k]);
        tct_help(d, "passes are: %s; 'default' and 'early' are lists of them", all.data);
        tct_buf_free(&all);
    }
    return false;
}

static tct_graph *run_one(tct_diag *d, tct_graph *g, const tct_pass *pass, const tct_pass_trace *trace) {
    double start = now();
    g = pass->run(g);
    double seconds = now() - start;
    if (trace && trace->verify_each && !tct_ir_verify(d, g, pass->name)) return NULL;
    if (trace && trace->after) trace->after(trace->ctx, pass, g, seconds);
    return g;
}

// Every name of the list is known; reports the first that isn't.
static bool check_list(tct_diag *d, const char *list) {
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");
        bool known = (len == 7 && memcmp(at, "default", 7) == 0) || (len == 5 && memcmp(at, "early", 5) == 0);
        if (!known && !tct_pass_by_name(at, len)) return unknown_pass(d, at, len);
        at += len;
        if (*at == ',') at++;
    }
    return true;
}

static tct_graph *run_list(tct_diag *d, tct_graph *g, const char *list, const tct_pass_trace *trace) {
    for (const char *at = list; *at && g;) {
        size_t len = strcspn(at, ",");
        const tct_pass *pass = tct_pass_by_name(at, len);
        if (pass)
            g = run_one(d, g, pass, trace);
        else
            g = run_list(d, g, *at == 'd' ? tct_passes_default : tct_passes_early, trace);
        at += len;
        if (*at == ',') at++;
    }
    return g;
}

tct_graph *tct_passes_run(tct_diag *d, tct_graph *g, const char *list, const tct_pass_trace *trace) {
    return check_list(d, list) ? run_list(d, g, list, trace) : NULL;
}
