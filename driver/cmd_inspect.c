// tercet inspect: what is inside of a trainer.
#include "driver/driver.h"
#include "driver/inspect.h"

typedef struct arguments {
    const char *file;
    bool json;
    tct_inspect_options show;
} arguments;

enum { KEY_JSON = 256, KEY_PLAN, KEY_SOURCE };

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "A JSON object", 0},
    {"plan", KEY_PLAN, NULL, 0, "With the plan of every graph: steps, kernels, buffers", 0},
    {"source", KEY_SOURCE, NULL, 0, "With the text of the program and of the modules that it uses", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    arguments *o = state->input;
    switch (key) {
    case KEY_JSON:
        o->json = true;
        return 0;
    case KEY_PLAN:
        o->show.plan = true;
        return 0;
    case KEY_SOURCE:
        o->show.source = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file) argp_error(state, "one TRAINER, please; `%s` is a second", arg);
        o->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int tct_cmd_inspect(int argc, char **argv) {
    static const struct argp argp = {
        options, parse_option, "TRAINER", "Tells what is inside of an executable that `tercet build` made.",
        NULL,    NULL,         NULL};
    arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {0};
    tct_inspection x = {0};
    tct_buf text = {0};
    if (tct_inspect(&d, o.file, &x)) {
        (o.json ? tct_inspect_json : tct_inspect_text)(&d, &x, &o.show, &text);
        tct_write_out(&d, &text);
    }
    tct_buf_free(&text);
    tct_inspection_close(&x);
    return tct_report(&d);
}
