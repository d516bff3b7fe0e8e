#include "driver/jit_options.h"

#include "base/file.h"
#include "base/size.h"
#include "codegen/identity.h"
#include "driver/driver.h"
#include "passes/passes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_CACHE = 2000, KEY_DEBUG, KEY_PERF, KEY_VERBOSE, KEY_PRECISION, KEY_MEMORY };

static const struct argp_option cache_options[] = {
    {"cache", KEY_CACHE, "DIR", 0,
     "Keep compiled kernels in this folder, or `off` (default: TERCET_CACHE, or ~/.cache/tercet)", 0},
    {"precision", KEY_PRECISION, "TYPE", 0,
     "Factors of large products: f32 (default), or bf16; all else is computed and kept in f32", 0},
    {"memory", KEY_MEMORY, "SIZE", 0,
     "What a graph may take with parameters, optimizer states and intermediates, as 500M or 2G: values are "
     "computed again "
     "where that is too little; `least`: as little as a third more arithmetic can do",
     0},
    {"verbose", KEY_VERBOSE, NULL, 0, "Say how many kernels were compiled, and what was wrong with the cache",
     0},
    {0},
};

static const struct argp_option jit_options[] = {
    {"debug", KEY_DEBUG, NULL, 0, "Give kernels lines of the source, for gdb. None comes from the cache", 0},
    {"perf", KEY_PERF, NULL, 0,
     "Write the names of kernels to /tmp/perf-PID.map, for `perf report`; with --debug also "
     "code and lines, for `perf inject --jit` and `perf annotate`",
     0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_jit_options *o = state->input;
    switch (key) {
    case KEY_CACHE:
        o->cache = arg;
        return 0;
    case KEY_DEBUG:
        o->debug = true;
        return 0;
    case KEY_PERF:
        o->perf = true;
        return 0;
    case KEY_PRECISION:
        if (strcmp(arg, "f32") != 0 && strcmp(arg, "bf16") != 0)
            argp_error(state, "--precision takes f32 or bf16, not `%s`", arg);
        o->mixed = strcmp(arg, "bf16") == 0;
        return 0;
    case KEY_MEMORY:
        if (strcmp(arg, "least") == 0)
            o->memory = TCT_LEAST_MEMORY;
        else if (!tct_bytes_parse(arg, &o->memory))
            argp_error(state, "--memory takes a size as 500M or 2G, or `least`, not `%s`", arg);
        return 0;
    case KEY_VERBOSE:
        o->verbose = true;
        return 0;
    case ARGP_KEY_INIT:
        if (state->child_inputs) state->child_inputs[0] = o;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp tct_cache_argp = {cache_options, parse_option, NULL, NULL, NULL, NULL, NULL};
static const struct argp_child cache_child[] = {{&tct_cache_argp, 0, NULL, 0}, {0}};
const struct argp tct_jit_argp = {jit_options, parse_option, NULL, NULL, cache_child, NULL, NULL};

static bool is_off(const char *text) { return !*text || strcmp(text, "off") == 0; }

const char *tct_cache_folder(tct_arena *a, const char *option, const char **why) {
    *why = NULL;
    if (option) {
        if (!is_off(option)) return tct_arena_strdup(a, option);
        *why = "--cache switches it off";
        return NULL;
    }
    const char *set = getenv("TERCET_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (set) {
        if (!is_off(set)) return tct_arena_strdup(a, set);
        *why = "TERCET_CACHE switches it off";
        return NULL;
    }
    if (xdg && xdg[0] == '/') return tct_path_join(a, xdg, "tercet"); // the standard ignores relative paths
    if (home && home[0] == '/') return tct_path_join(a, home, ".cache/tercet");
    *why = "HOME is not set, nor are XDG_CACHE_HOME and TERCET_CACHE";
    return NULL;
}

const char *tct_jit_passes(const tct_jit_options *o) {
    return o->mixed ? tct_passes_mixed : tct_passes_default;
}

void tct_jit_prepare(tct_diag *d, const tct_jit_options *o, tct_compiler *c) {
    tct_compiler_passes(c, tct_jit_passes(o));
    tct_compiler_memory(c, o->memory);
    const char *why, *folder = tct_cache_folder(&d->arena, o->cache, &why);
    tct_buf generator = {0};
    if (folder && tct_codegen_identity(&generator, &why))
        tct_compiler_use_cache(c, tct_cache_open(folder, generator.data));
    else if (o->verbose)
        fprintf(stderr, "no compile cache: %s\n", why);
    tct_buf_free(&generator);
}

tct_compiler *tct_jit_compiler(tct_diag *d, const tct_jit_options *o, const char *isa, int threads) {
    tct_compiler *c = tct_compiler_new(d, isa, threads);
    if (!c) return NULL;
    if (o->debug) tct_compiler_debug(c, d);
    if (o->perf && !tct_compiler_use_perf(d, c)) {
        tct_compiler_free(c);
        return NULL;
    }
    tct_jit_prepare(d, o, c);
    return c;
}

static void say_all(const tct_compiler *c, const tct_cache_use *use) {
    const tct_compile_stats s = tct_compiler_stats(c);
    fprintf(stderr, "%" PRIu32 " kernels compiled, %" PRIu32 " taken from the cache", s.compiled, s.cached);
    if (use->replaced) fprintf(stderr, "; %" PRIu64 " entries could not be used", use->replaced);
    fputs("\n", stderr);
    for (size_t k = 0; k < use->n_notes; k++) fprintf(stderr, "%s\n", use->notes[k]);
}

static void say_again(const tct_compiler *c) {
    const tct_compile_stats s = tct_compiler_stats(c);
    tct_buf from = {0}, to = {0};
    tct_bytes_print(s.kept_from, &from);
    tct_bytes_print(s.kept_to, &to);
    if (s.again)
        fprintf(
            stderr,
            "%u values are computed again: %s of intermediates instead of %s, for %.0f %% more arithmetic\n",
            s.again, to.data, from.data, 100 * s.again_most);
    tct_buf_free(&from);
    tct_buf_free(&to);
}

void tct_jit_say(const tct_jit_options *o, const tct_compiler *c) {
    tct_cache *cache = tct_compiler_cache(c);
    tct_cache_use use = {0};
    if (cache) use = tct_cache_used(cache);
    if (o->verbose) say_all(c, &use);
    if (o->memory) say_again(c);
    if (!use.problem) return;
    tct_diag d = {0};
    tct_warning(&d, "E0844", TCT_NO_SPAN, "compiled kernels are not kept for the next start: %s",
                use.problem);
    tct_help(&d, "TERCET_CACHE=DIR names another folder, TERCET_CACHE=off does without");
    tct_report(&d);
}
