// libFuzzer target of the language: any bytes are safe to parse, and what has no errors prints the same tree
// after it was formatted, once and for all.
#include "frontend/ast.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The printed tree; its errors are counted in *errors.
static tct_buf tree(const char *text, size_t size, size_t *errors) {
    tct_diag d = {0};
    tct_ast *ast = tct_parse(&d, tct_diag_add_source(&d, "fuzz.tct", text, size));
    tct_buf out = {0};
    tct_ast_print(ast, &out);
    if (!out.data) tct_buf_puts(&out, "");
    *errors = d.n_errors;
    tct_buf messages = {0};
    tct_diag_render(&d, &messages, false);
    tct_buf_free(&messages);
    tct_ast_free(ast);
    tct_diag_free(&d);
    return out;
}

static tct_buf format(const char *text, size_t size) {
    tct_diag d = {0};
    tct_buf out = {0};
    if (!tct_format(&d, tct_diag_add_source(&d, "fuzz.tct", text, size), &out)) abort();
    tct_diag_free(&d);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t errors;
    tct_buf before = tree((const char *)data, size, &errors);
    if (errors == 0) {
        tct_buf once = format((const char *)data, size), twice = format(once.data, once.len);
        tct_buf after = tree(once.data, once.len, &errors);
        if (errors || strcmp(before.data, after.data) != 0 || strcmp(once.data, twice.data) != 0) abort();
        tct_buf_free(&once);
        tct_buf_free(&twice);
        tct_buf_free(&after);
    }
    tct_buf_free(&before);
    return 0;
}
