// tercet std: the library's modules, one of its files, or the built-in procedures.
#include "base/file.h"
#include "driver/driver.h"
#include "frontend/modules.h"

#include <stdio.h>
#include <string.h>

typedef struct tct_std_options {
    bool builtins;
    const char *name;
} tct_std_options;

static const struct argp_option options[] = {
    {"builtins", 'b', NULL, 0, "Print the built-in procedures of stages", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    tct_std_options *o = state->input;
    switch (key) {
    case 'b':
        o->builtins = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->name) argp_error(state, "one MODULE at most");
        o->name = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_builtins(tct_buf *out) {
    static const struct {
        const char *name, *signature, *doc;
    } builtins[] = {
#define BUILTIN(id, name, signature, doc) {name, signature, doc},
#include "runtime/builtins.def"
#undef BUILTIN
    };
    for (size_t k = 0; k < sizeof builtins / sizeof builtins[0]; k++)
        tct_buf_printf(out, "%s%s\n    %s\n", builtins[k].name, builtins[k].signature, builtins[k].doc);
}

// The first line of a file's first comment.
static void add_summary(tct_buf *out, const char *text) {
    if (strncmp(text, "//", 2) != 0) return;
    while (*text == '/') text++;
    while (*text == ' ') text++;
    tct_buf_add(out, text, strcspn(text, "\r\n"));
}

static bool list_modules(tct_diag *d, tct_buf *out, const tct_module *modules, size_t n) {
    int width = 0;
    for (size_t k = 0; k < n; k++)
        if ((int)strlen(modules[k].name) > width) width = (int)strlen(modules[k].name);
    for (size_t k = 0; k < n; k++) {
        char *text;
        if (!tct_file_read(d, modules[k].path, &text, NULL)) return false;
        tct_buf_printf(out, "%-*s  ", width, modules[k].name);
        add_summary(out, text);
        while (out->len && out->data[out->len - 1] == ' ') out->len--;
        tct_buf_putc(out, '\n');
        tct_heap_free(text);
    }
    return true;
}

static bool print_module(tct_diag *d, tct_buf *out, const char *name, const tct_module *modules, size_t n) {
    const char *full = strncmp(name, "std.", 4) == 0 ? name : tct_arena_printf(&d->arena, "std.%s", name);
    const char **names = TCT_NEW_ARRAY(&d->arena, const char *, n);
    for (size_t k = 0; k < n; k++) {
        names[k] = modules[k].name;
        if (strcmp(names[k], full) != 0) continue;
        char *text;
        size_t len;
        if (!tct_file_read(d, modules[k].path, &text, &len)) return false;
        tct_buf_add(out, text, len);
        tct_heap_free(text);
        return true;
    }
    tct_error(d, "E0902", TCT_NO_SPAN, "there is no module `%s`", full);
    const char *near = tct_nearest(full, names, n);
    if (near)
        tct_help(d, "did you mean `%s`?", near);
    else
        tct_help(d, "`tercet std` lists the modules");
    return false;
}

static bool print_library(tct_diag *d, tct_buf *out, const char *name) {
    size_t n;
    const char *dir = tct_std_dir(&d->arena);
    const tct_module *modules = tct_modules(&d->arena, dir, &n);
    if (n == 0) {
        tct_error(d, "E0701", TCT_NO_SPAN, "no library in %s", dir);
        tct_help(d, "set the environment variable TERCET_STD to the folder that holds core.tct");
        return false;
    }
    return name ? print_module(d, out, name, modules, n) : list_modules(d, out, modules, n);
}

int tct_cmd_std(int argc, char **argv) {
    static const struct argp argp = {
        options,
        parse_option,
        "[MODULE]",
        "Lists the modules of the library; with MODULE (loss.rm or std.loss.rm), prints its file.",
        NULL,
        NULL,
        NULL};
    tct_std_options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {0};
    tct_buf text = {0};
    bool ok = true;
    if (o.builtins)
        print_builtins(&text);
    else
        ok = print_library(&d, &text, o.name);
    if (ok) tct_write_out(&d, &text);
    tct_buf_free(&text);
    return tct_report(&d);
}
