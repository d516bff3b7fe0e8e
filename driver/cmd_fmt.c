// tercet fmt: canonical layout.
#include "base/file.h"
#include "driver/driver.h"
#include "frontend/ast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tct_fmt_options {
    bool check, in_place;
    TCT_VEC(char *) files;
} tct_fmt_options;

static const struct argp_option options[] = {
    {"check", 'c', NULL, 0,
     "Write nothing; list the files whose layout would change, and exit with 1 if there are any", 0},
    {"in-place", 'i', NULL, 0, "Rewrite the files", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_fmt_options *o = state->input;
    switch (key) {
    case 'c':
        o->check = true;
        return 0;
    case 'i':
        o->in_place = true;
        return 0;
    case ARGP_KEY_ARG:
        TCT_PUSH(&o->files, arg);
        return 0;
    case ARGP_KEY_END:
        if (o->check && o->in_place) argp_error(state, "--check and --in-place exclude each other");
        if (o->in_place && o->files.len == 0) argp_error(state, "--in-place needs a FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void read_stdin(tct_buf *text) {
    char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0) tct_buf_add(text, chunk, n);
    if (!text->data) tct_buf_add(text, "", 0);
}

// Formats one text; what changes is listed, written or printed, as the options say.
static int format_text(tct_diag *d, const tct_fmt_options *o, const char *path, const char *text,
                       size_t len) {
    tct_buf out = {0};
    int status = TCT_EXIT_ERROR;
    if (tct_format(d, tct_diag_add_source(d, path, text, len), &out)) {
        bool same = out.len == len && memcmp(out.data, text, len) == 0;
        status = TCT_EXIT_OK;
        if (o->check && !same) {
            printf("%s\n", path);
            status = TCT_EXIT_ERROR;
        } else if (o->in_place && !same) {
            tct_file_write(d, path, out.data, out.len);
        } else if (!o->check && !o->in_place) {
            tct_write_out(d, &out);
        }
    }
    tct_buf_free(&out);
    return status;
}

static int format_file(const tct_fmt_options *o, const char *path) {
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    int status = TCT_EXIT_ERROR;
    if (strcmp(path, "-") == 0) {
        tct_buf text = {0};
        read_stdin(&text);
        status = format_text(&d, o, "<stdin>", text.data, text.len);
        tct_buf_free(&text);
    } else {
        char *text;
        size_t len;
        if (tct_file_read(&d, path, &text, &len)) {
            status = format_text(&d, o, path, text, len);
            tct_heap_free(text);
        }
    }
    return tct_report(&d) == TCT_EXIT_OK ? status : TCT_EXIT_ERROR;
}

int tct_cmd_fmt(int argc, char **argv) {
    static const struct argp argp = {options,
                                     parse_option,
                                     "[FILE...]",
                                     "Writes programs in their canonical layout to the standard output: four "
                                     "columns a level, one space between "
                                     "tokens, at most one empty line; comments stay.\vWithout FILE, or where "
                                     "it is -, reads the standard input.",
                                     NULL,
                                     NULL,
                                     NULL};
    tct_fmt_options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    int status = TCT_EXIT_OK;
    if (o.files.len == 0) status = format_file(&o, "-");
    for (size_t k = 0; k < o.files.len; k++)
        if (format_file(&o, o.files.data[k]) != TCT_EXIT_OK) status = TCT_EXIT_ERROR;
    TCT_VEC_FREE(&o.files);
    return status;
}
