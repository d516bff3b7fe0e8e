// tercet check: everything that can be known to be wrong before a program runs.
#include "driver/driver.h"
#include "driver/hooks.h"
#include "frontend/elab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tct_check_options {
    bool library;
    TCT_VEC(char *) files;
    TCT_VEC(tct_setting) sets;
} tct_check_options;

static const struct argp_option options[] = {
    {"set", 's', "KEY=VALUE", 0, "Give a config value, as in --set ppo.lr=1e-6", 0},
    {"library", 'l', NULL, 0, "Check the library's files that are used as well", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_check_options *o = state->input;
    switch (key) {
    case 's': {
        char *equals = strchr(arg, '=');
        if (!equals || equals == arg) argp_error(state, "--set takes KEY=VALUE, not `%s`", arg);
        *equals = 0;
        TCT_PUSH(&o->sets, (tct_setting){arg, equals + 1});
        return 0;
    }
    case 'l':
        o->library = true;
        return 0;
    case ARGP_KEY_ARG:
        TCT_PUSH(&o->files, arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int check_file(const tct_check_options *o, const char *path) {
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_package package = {0};
    if (tct_package_load(&d, &package, path, tct_std_dir(&d.arena)) &&
        tct_check(&d, &package, o->sets.data, o->sets.len, o->library, &tct_driver_hooks))
        printf("%s: ok\n", path);
    tct_package_free(&package);
    return tct_report(&d);
}

int tct_cmd_check(int argc, char **argv) {
    static const struct argp argp = {
        options,   parse_option,
        "FILE...", "Checks programs without running them: syntax, names, axes, types and config.",
        NULL,      NULL,
        NULL};
    tct_check_options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    int status = TCT_EXIT_OK;
    for (size_t k = 0; k < o.files.len; k++)
        if (check_file(&o, o.files.data[k]) != TCT_EXIT_OK) status = TCT_EXIT_ERROR;
    TCT_VEC_FREE(&o.files);
    TCT_VEC_FREE(&o.sets);
    return status;
}
