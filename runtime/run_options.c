#include "runtime/run_options.h"

#include <argp.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_OUT = 1000,
    KEY_SEED,
    KEY_RESUME,
    KEY_CHECKPOINT,
    KEY_FROM,
    KEY_TO,
    KEY_LIST,
    KEY_JSON,
    KEY_TRACE,
    KEY_LIMIT
};

static const struct argp_option options[] = {
    {"set", 's', "KEY=VALUE", 0, "Give a config value, as in --set ppo.lr=1e-6", 0},
    {"out", KEY_OUT, "DIR", 0, "The run's folder (default: runs/ and the pipeline's name)", 0},
    {"threads", 't', "N", 0, "Threads (default: all cores). The result doesn't depend on it", 0},
    {"seed", KEY_SEED, "N", 0, "Seed of everything random (default: 0)", 0},
    {"resume", KEY_RESUME, NULL, 0, "Go on from the checkpoint in the run's folder", 0},
    {"checkpoint-every", KEY_CHECKPOINT, "SECONDS", 0,
     "Write a checkpoint so often (default: 120; 0: only at the ends of stages)", 0},
    {"from-stage", KEY_FROM, "STAGE", 0, "Begin with this stage, from what the one before it left", 0},
    {"to-stage", KEY_TO, "STAGE", 0, "End after this stage", 0},
    {"trace", KEY_TRACE, "FILE", 0,
     "Write what every kernel took as a trace for ui.perfetto.dev, and a table of the most expensive ones",
     0},
    {"trace-limit", KEY_LIMIT, "MB", 0, "Size of the trace (default: 200); the table covers the whole run",
     0},
    {"list-stages", KEY_LIST, NULL, 0, "Print the stages and end", 0},
    {"json", KEY_JSON, NULL, 0, "With --list-stages: as JSON", 0},
    {0},
};

static long number(struct argp_state *state, const char *name, const char *arg, long low, long high) {
    char *end;
    long n = strtol(arg, &end, 10);
    if (end == arg || *end || n < low || n > high)
        argp_error(state, "--%s takes a number from %ld to %ld, not `%s`", name, low, high, arg);
    return n;
}

static double seconds(struct argp_state *state, const char *arg) {
    char *end;
    double s = strtod(arg, &end);
    if (end == arg || *end || !(s >= 0)) argp_error(state, "--checkpoint-every takes seconds, not `%s`", arg);
    return s;
}

static void set(struct argp_state *state, tct_run_request *r, char *arg) {
    char *equals = strchr(arg, '=');
    if (!equals || equals == arg) {
        argp_error(state, "--set takes KEY=VALUE, not `%s`", arg);
        return;
    }
    *equals = 0;
    TCT_PUSH(&r->sets, (tct_setting){arg, equals + 1});
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_run_request *r = state->input;
    switch (key) {
    case 's':
        set(state, r, arg);
        return 0;
    case 't':
        r->run.threads = (int)number(state, "threads", arg, 1, 1024);
        return 0;
    case KEY_OUT:
        r->run.out = arg;
        return 0;
    case KEY_SEED:
        r->run.seed = (uint64_t)number(state, "seed", arg, 0, 0x7fffffffffffffff);
        return 0;
    case KEY_RESUME:
        r->run.resume = true;
        return 0;
    case KEY_CHECKPOINT:
        r->run.checkpoint_seconds = seconds(state, arg);
        return 0;
    case KEY_FROM:
        r->run.from_stage = arg;
        return 0;
    case KEY_TO:
        r->run.to_stage = arg;
        return 0;
    case KEY_TRACE:
        r->run.trace = arg;
        return 0;
    case KEY_LIMIT:
        r->run.trace_limit = (uint64_t)number(state, "trace-limit", arg, 1, 1 << 20) << 20;
        return 0;
    case KEY_LIST:
        r->list_stages = true;
        return 0;
    case KEY_JSON:
        r->json = true;
        return 0;
    case ARGP_KEY_END:
        if (r->run.trace_limit && !r->run.trace) argp_error(state, "--trace-limit belongs to --trace");
        if (r->json && !r->list_stages) argp_error(state, "--json belongs to --list-stages");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp tct_run_argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};

void tct_run_request_init(tct_run_request *r) {
    *r = (tct_run_request){.run = {.checkpoint_seconds = 120, .progress = true}};
}

void tct_run_request_free(tct_run_request *r) { TCT_VEC_FREE(&r->sets); }

// The number of the stage called so; -1 after reporting.
static int64_t stage_number(tct_diag *d, const tct_program *p, const char *option, const char *name) {
    const char **names = TCT_NEW_ARRAY(&d->arena, const char *, p->n_stages + 1);
    const char *all = "";
    for (uint32_t i = 0; i < p->n_stages; i++) {
        names[i] = p->stages[i].name;
        if (strcmp(names[i], name) == 0) return i;
        all = tct_arena_printf(&d->arena, "%s%s%s", all, i ? ", " : "", names[i]);
    }
    tct_error(d, "E0902", TCT_NO_SPAN, "%s: %s has no stage `%s`", option, p->name, name);
    const char *near = tct_nearest(name, names, p->n_stages);
    if (near)
        tct_help(d, "did you mean `%s`?", near);
    else if (p->n_stages)
        tct_help(d, "there are %s", all);
    return -1;
}

bool tct_run_options_check(tct_diag *d, const tct_program *p, const tct_run_options *o) {
    int64_t first = 0, last = INT64_MAX;
    if (o->from_stage && (first = stage_number(d, p, "--from-stage", o->from_stage)) < 0) return false;
    if (o->to_stage && (last = stage_number(d, p, "--to-stage", o->to_stage)) < 0) return false;
    return first <= last ||
           tct_error(d, "E0903", TCT_NO_SPAN, "stage `%s` is after `%s`", o->from_stage, o->to_stage);
}

static void list_as_json(const tct_program *p, tct_buf *out) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->n_stages; i++) {
        const tct_stage_desc *s = &p->stages[i];
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", s->name, "doc", s->doc ? s->doc : ""));
    }
    char *text = json_dumps(list, JSON_INDENT(2));
    tct_buf_puts(out, text);
    tct_buf_putc(out, '\n');
    free(text);
    json_decref(list);
}

void tct_list_stages(const tct_program *p, bool json, tct_buf *out) {
    if (json) {
        list_as_json(p, out);
        return;
    }
    for (uint32_t i = 0; i < p->n_stages; i++) {
        const tct_stage_desc *s = &p->stages[i];
        tct_buf_printf(out, "%s\n", s->name);
        for (const char *line = s->doc ? s->doc : ""; *line;) {
            size_t n = strcspn(line, "\n");
            tct_buf_printf(out, "    %.*s\n", (int)n, line);
            line += n + (line[n] == '\n');
        }
    }
}
