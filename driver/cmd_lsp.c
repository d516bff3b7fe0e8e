// tercet lsp: the language server on the standard input and output.
#include "driver/driver.h"
#include "driver/lsp.h"

#include <unistd.h>

static const struct argp_option options[] = {
    {"stdio", 'i', NULL, 0, "Talk over the standard input and output, as it does anyway", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    (void)arg, (void)state;
    return key == 'i' ? 0 : ARGP_ERR_UNKNOWN;
}

int tct_cmd_lsp(int argc, char **argv) {
    static const struct argp argp = {options,
                                     parse_option,
                                     NULL,
                                     "Serves an editor: reads messages of the Language Server Protocol from "
                                     "the standard input and answers "
                                     "on the standard output. docs/editors.md says how editors start it.",
                                     NULL,
                                     NULL,
                                     NULL};
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    tct_arena arena = {0};
    int status = tct_lsp_serve(stdin, stdout, tct_std_dir(&arena));
    tct_arena_free(&arena);
    return status;
}
