#include "driver/graph_options.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_AXIS = 1000, KEY_MODEL };

static const struct argp_option options[] = {
    {"graph", 'g', "NAME", 0, "The graph", 0},
    {"set", 's', "NAME=VALUE", 0,
     "A config value (ppo.lr), a hyper-parameter of a model (m.layers), a static or scalar argument (clip), "
     "or names "
     "for the axes of `..` (x.rest=\"B T\")",
     0},
    {"axis", KEY_AXIS, "NAME=SIZE", 0, "The size of an axis", 0},
    {"model", KEY_MODEL, "NAME=DIR", 0,
     "Take the hyper-parameters of a model parameter from a Hugging Face folder, and its tensors where there "
     "are inputs",
     0},
    {0},
};

static tct_setting split(struct argp_state *state, const char *option, char *arg, const char *form) {
    tct_setting s;
    if (!tct_split_setting(arg, &s)) argp_error(state, "--%s takes %s, not `%s`", option, form, arg);
    return s;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_graph_options *o = state->input;
    switch (key) {
    case 'g':
        o->graph = arg;
        return 0;
    case 's':
        TCT_PUSH(&o->sets, split(state, "set", arg, "NAME=VALUE"));
        return 0;
    case KEY_AXIS: {
        tct_setting s = split(state, "axis", arg, "NAME=SIZE");
        char *end;
        long long size = strtoll(s.value, &end, 10);
        if (end == s.value || *end || size < 1 || size > INT32_MAX)
            argp_error(state, "--axis %s takes a size from 1 on, not `%s`", s.name, s.value);
        TCT_PUSH(&o->axes, s);
        return 0;
    }
    case KEY_MODEL:
        TCT_PUSH(&o->models, split(state, "model", arg, "NAME=DIR"));
        return 0;
    case ARGP_KEY_ARG:
        if (o->file) argp_error(state, "one FILE at a time");
        o->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->file) argp_error(state, "FILE is missing");
        if (!o->graph && !o->no_graph) argp_error(state, "--graph NAME is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp tct_graph_argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};

tct_graph_request tct_graph_options_request(const tct_graph_options *o) {
    return (tct_graph_request){.file = o->file,
                               .graph = o->graph,
                               .sets = o->sets.data,
                               .n_sets = o->sets.len,
                               .axes = o->axes.data,
                               .n_axes = o->axes.len,
                               .models = o->models.data,
                               .n_models = o->models.len};
}

void tct_graph_options_free(tct_graph_options *o) {
    TCT_VEC_FREE(&o->sets);
    TCT_VEC_FREE(&o->axes);
    TCT_VEC_FREE(&o->models);
}
