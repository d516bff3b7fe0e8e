#include "driver/library_options.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_LIB = 1100, KEY_AS, KEY_GRAD, KEY_AXIS, KEY_MODEL };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Libraries for C:", 1},
    {"lib", KEY_LIB, "NAME", 0, "Write NAME.h and NAME.a instead of an executable: functions for C programs",
     1},
    {"graph", 'g', "GRAPH", 0,
     "A graph that becomes a function, as often as there are graphs. What follows, up to the next, is about "
     "it; --set, "
     "--axis and --model before the first are about all",
     1},
    {"as", KEY_AS, "FUNCTION", 0, "The function's name (default: the graph's)", 1},
    {"grad", KEY_GRAD, NULL, 0, "It also gives the gradient of its first result to every float input", 1},
    {"axis", KEY_AXIS, "NAME=SIZE", 0, "The size of an axis", 1},
    {"model", KEY_MODEL, "NAME=DIR", 0, "Take the hyper-parameters of a model from a Hugging Face folder", 1},
    {0},
};

static tct_library_graph *last(tct_library_request *r) {
    return r->graphs.len ? &r->graphs.data[r->graphs.len - 1] : NULL;
}

tct_settings *tct_library_sets(tct_library_request *r) { return last(r) ? &last(r)->sets : &r->sets; }

static tct_setting split(struct argp_state *state, const char *option, char *arg, const char *form) {
    tct_setting s;
    if (!tct_split_setting(arg, &s)) argp_error(state, "--%s takes %s, not `%s`", option, form, arg);
    return s;
}

static tct_library_graph *of_graph(struct argp_state *state, const char *option) {
    tct_library_graph *g = last(state->input);
    if (!g) argp_error(state, "--%s belongs to the --graph before it, and there is none", option);
    return g;
}

static void add_axis(struct argp_state *state, tct_settings *to, char *arg) {
    tct_setting s = split(state, "axis", arg, "NAME=SIZE");
    char *end;
    long long size = strtoll(s.value, &end, 10);
    if (end == s.value || *end || size < 1 || size > INT32_MAX)
        argp_error(state, "--axis %s takes a size from 1 on, not `%s`", s.name, s.value);
    TCT_PUSH(to, s);
}

static void check(struct argp_state *state, tct_library_request *r) {
    if (!r->out && (r->graphs.len || r->axes.len || r->models.len))
        argp_error(state, "--graph, --axis and --model are for libraries: --lib NAME");
    r->no_pipeline = r->graphs.len && !r->pipeline;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_library_request *r = state->input;
    switch (key) {
    case KEY_LIB:
        r->out = arg;
        return 0;
    case 'g':
        TCT_PUSH(&r->graphs, (tct_library_graph){.graph = arg});
        return 0;
    case KEY_AS:
        of_graph(state, "as")->as = arg;
        if (!tct_is_c_name(arg)) argp_error(state, "--as takes a name for C, not `%s`", arg);
        return 0;
    case KEY_GRAD:
        of_graph(state, "grad")->gradients = true;
        return 0;
    case KEY_AXIS:
        add_axis(state, last(r) ? &last(r)->axes : &r->axes, arg);
        return 0;
    case KEY_MODEL:
        TCT_PUSH(last(r) ? &last(r)->models : &r->models, split(state, "model", arg, "NAME=DIR"));
        return 0;
    case ARGP_KEY_END:
        check(state, r);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp tct_library_argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};
