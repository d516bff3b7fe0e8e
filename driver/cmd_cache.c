// tercet cache: what the compile cache holds, its limit, and an end of it.
#include "driver/driver.h"
#include "driver/jit_options.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct cache_arguments {
    const char *cache; // as of tct_jit_options
    uint64_t limit;    // 0: stays
    bool clear, json;
} cache_arguments;

enum { KEY_CACHE = 256, KEY_CLEAR, KEY_LIMIT, KEY_JSON };

static const struct argp_option options[] = {
    {"cache", KEY_CACHE, "DIR", 0, "The cache's folder (default: TERCET_CACHE, or ~/.cache/tercet)", 0},
    {"clear", KEY_CLEAR, NULL, 0, "Remove everything that it holds", 0},
    {"limit", KEY_LIMIT, "SIZE", 0,
     "Hold at most so much, as in 500M or 2G; what was used least recently goes (default: 1G)", 0},
    {"json", KEY_JSON, NULL, 0, "A JSON object", 0},
    {0},
};

// Bytes; 0 when `text` is no size of at least TCT_CACHE_LEAST_LIMIT.
static uint64_t size_of(const char *text) {
    static const char units[] = "KMGT";
    char *end;
    double n = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (end == text || !(n > 0) || n > 1e15 || (*end && (!unit || end[1]))) return 0;
    for (const char *u = units; unit && u <= unit; u++) n *= 1024;
    return n >= (double)TCT_CACHE_LEAST_LIMIT && n < 0x1p62 ? (uint64_t)n : 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    cache_arguments *o = state->input;
    switch (key) {
    case KEY_CACHE:
        o->cache = arg;
        return 0;
    case KEY_CLEAR:
        o->clear = true;
        return 0;
    case KEY_LIMIT:
        o->limit = size_of(arg);
        if (o->limit == 0)
            argp_error(state, "--limit takes a size from 1M on, as in 500M or 2G, not `%s`", arg);
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "`%s` is no option", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_json(const char *folder, const char *why, const tct_cache_state *s, tct_buf *out) {
    json_t *root = json_object();
    json_object_set_new(root, "path", folder ? json_string(folder) : json_null());
    if (!folder) json_object_set_new(root, "why", json_string(why));
    if (folder) {
        json_object_set_new(root, "bytes", json_integer((json_int_t)s->bytes));
        json_object_set_new(root, "limit", json_integer((json_int_t)s->limit));
        json_object_set_new(root, "entries", json_integer((json_int_t)s->entries));
        json_object_set_new(root, "hits", json_integer((json_int_t)s->hits));
        json_object_set_new(root, "misses", json_integer((json_int_t)s->misses));
    }
    char *text = json_dumps(root, 0);
    tct_buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

static void print_text(const char *folder, const char *why, const tct_cache_state *s, tct_buf *out) {
    if (!folder) {
        tct_buf_printf(out, "there is no compile cache: %s\n", why);
        return;
    }
    tct_buf_printf(out, "path     %s%s\n", folder, s->there ? "" : " (not there yet)");
    tct_buf_printf(out, "size     %.1f MB of %.0f MB\n", (double)s->bytes * 0x1p-20,
                   (double)s->limit * 0x1p-20);
    tct_buf_printf(out, "entries  %" PRIu64 "\n", s->entries);
    tct_buf_printf(out, "hits     %" PRIu64 " of %" PRIu64 " look-ups\n", s->hits, s->hits + s->misses);
}

static bool run(tct_diag *d, const cache_arguments *o) {
    const char *why, *folder = tct_cache_folder(&d->arena, o->cache, &why);
    tct_cache_state state = {0};
    if (folder && o->clear && !tct_cache_clear(d, folder)) return false;
    if (folder && o->limit && !tct_cache_set_limit(d, folder, o->limit)) return false;
    if (folder && !tct_cache_survey(d, folder, &state)) return false;
    tct_buf out = {0};
    (o->json ? print_json : print_text)(folder, why, &state, &out);
    bool ok = tct_write_out(d, &out);
    tct_buf_free(&out);
    return ok;
}

int tct_cmd_cache(int argc, char **argv) {
    static const struct argp argp = {options,
                                     parse_option,
                                     "",
                                     "Shows where compiled kernels are kept, how much they take, and how "
                                     "many of the kernels that were looked for were "
                                     "there.",
                                     NULL,
                                     NULL,
                                     NULL};
    cache_arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    run(&d, &o);
    return tct_report(&d);
}
