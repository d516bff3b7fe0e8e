// tercet ops: the manual of the operations.
#include "driver/driver.h"
#include "ir/ir.h"

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    const char **name = state->input;
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    if (*name) argp_error(state, "one NAME at most");
    *name = arg;
    return 0;
}

static void unknown_operation(tct_diag *d, const char *name) {
    const char *names[TCT_IR_N_OPS];
    for (int k = 0; k < TCT_IR_N_OPS; k++) names[k] = tct_ir_ops[k].name;
    tct_error(d, "E0902", TCT_NO_SPAN, "there is no operation `%s`", name);
    const char *near = tct_nearest(name, names, TCT_IR_N_OPS);
    if (near)
        tct_help(d, "did you mean `%s`?", near);
    else
        tct_help(d, "`tercet ops` lists them; functions made of operations are in the library: `tercet std`");
}

int tct_cmd_ops(int argc, char **argv) {
    static const struct argp argp = {
        NULL, parse_option, "[NAME]", "Prints the manual of the operation NAME, or of all, as Markdown.",
        NULL, NULL,         NULL};
    const char *name = NULL;
    argp_parse(&argp, argc, argv, 0, NULL, &name);
    tct_diag d = {0};
    tct_buf text = {0};
    if (tct_ir_ops_manual(&text, name))
        tct_write_out(&d, &text);
    else
        unknown_operation(&d, name);
    tct_buf_free(&text);
    return tct_report(&d);
}
