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

const char *const tct_passes_early = "canonicalise,fold,cse,pick,stable,dce";
#define DEFAULT                                                                                              \
    "drop_stops,canonicalise,fold,cse,pick,stable,canonicalise,cse,narrow,dce,recompute,layout,stream"
const char *const tct_passes_default = DEFAULT;
const char *const tct_passes_mixed = DEFAULT ",bf16";

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

static const char grad_name[] = "grad";

static bool is_grad(const char *name, size_t len) {
    return len == strlen(grad_name) && memcmp(name, grad_name, len) == 0;
}

static bool unknown_pass(tct_diag *d, const char *name, size_t len) {
    enum { MOST = 64 };
    const char *names[MOST];
    size_t n = 0;
    for (size_t k = 0; k < tct_n_passes && n < MOST - 1; k++) names[n++] = tct_passes[k].name;
    names[n++] = grad_name;
    char *word = tct_arena_strndup(&d->arena, name, len);
    tct_error(d, "E0602", TCT_NO_SPAN, "there is no pass called '%s'", word);
    const char *near = tct_nearest(word, names, n);
    if (near) {
        tct_help(d, "did you mean '%s'?", near);
    } else {
        tct_buf all = {0};
        for (size_t k = 0; k < n; k++) tct_buf_printf(&all, "%s%s", k ? ", " : "", names[k]);
        tct_help(d, "passes are: %s; 'default', 'early' and 'mixed' are lists of them", all.data);
        tct_buf_free(&all);
    }
    return false;
}

// The list that a name stands for, or NULL.
static const char *list_named(const char *name, size_t len) {
    if (len == 7 && memcmp(name, "default", 7) == 0) return tct_passes_default;
    if (len == 5 && memcmp(name, "mixed", 5) == 0) return tct_passes_mixed;
    return len == 5 && memcmp(name, "early", 5) == 0 ? tct_passes_early : NULL;
}

const char *tct_passes_expand(tct_diag *d, tct_arena *arena, const char *list) {
    const char *all = "";
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");
        const char *named = list_named(at, len);
        if (!named && !is_grad(at, len) && !tct_pass_by_name(at, len)) {
            unknown_pass(d, at, len);
            return NULL;
        }
        all = tct_arena_printf(arena, "%s%s%.*s", all, *all ? "," : "", named ? (int)strlen(named) : (int)len,
                               named ? named : at);
        at += len;
        if (*at == ',') at++;
    }
    return all;
}

static tct_graph *gradient(tct_diag *d, const tct_graph *g) {
    if (!g->outputs.len) {
        tct_error(d, "E0620", TCT_NO_SPAN, "graph %s has no result that could be differentiated", g->name);
        return NULL;
    }
    uint32_t *wrt = tct_alloc((g->inputs.len + 1) * sizeof *wrt), n = 0;
    for (uint32_t k = 0; k < g->inputs.len; k++)
        if (tct_dtype_is_float((tct_dtype)tct_node_of(g, g->inputs.data[k])->dtype)) wrt[n++] = k;
    tct_graph *result = tct_grad(d, g, 0, wrt, n);
    tct_heap_free(wrt);
    return result;
}

static tct_graph *run_one(tct_diag *d, tct_graph *g, const char *name, size_t len,
                          const tct_pass_trace *trace) {
    double start = now();
    const tct_pass *pass = tct_pass_by_name(name, len);
    const tct_graph *before = g;
    g = pass ? pass->run(g) : gradient(d, g);
    double seconds = now() - start;
    const char *called = pass ? pass->name : grad_name;
    if (g && trace && trace->verify_each && !tct_ir_verify(d, g, called)) return NULL;
    if (g && trace && trace->after) trace->after(trace->ctx, called, before, g, seconds);
    return g;
}

tct_graph *tct_passes_run(tct_diag *d, tct_graph *g, const char *list, const tct_pass_trace *trace) {
    tct_arena arena = {0};
    const char *all = tct_passes_expand(d, &arena, list);
    for (const char *at = all; at && *at && g;) {
        size_t len = strcspn(at, ",");
        g = run_one(d, g, at, len, trace);
        at += len;
        if (*at == ',') at++;
    }
    tct_arena_free(&arena);
    return all ? g : NULL;
}
