#include "base/setting.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tct_literal_kind_of(const char *type, tct_literal_kind *out) {
    static const struct {
        const char *type;
        tct_literal_kind kind;
    } types[] = {{"int", TCT_LITERAL_INT},
                 {"float", TCT_LITERAL_FLOAT},
                 {"bool", TCT_LITERAL_BOOL},
                 {"string", TCT_LITERAL_TEXT},
                 {"path", TCT_LITERAL_TEXT}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].type) == 0) {
            *out = types[i].kind;
            return true;
        }
    return false;
}

static bool read_bool(const char *text, bool *out) {
    *out = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *out || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

bool tct_literal_read(tct_literal_kind kind, const char *text, tct_literal *out) {
    char *end = NULL;
    *out = (tct_literal){.kind = kind};
    errno = 0;
    switch (kind) {
    case TCT_LITERAL_INT:
        out->i = strtoll(text, &end, 10);
        return end != text && !*end && errno == 0;
    case TCT_LITERAL_FLOAT:
        out->f = strtod(text, &end);
        return end != text && !*end && isfinite(out->f);
    case TCT_LITERAL_BOOL:
        return read_bool(text, &out->b);
    default:
        out->s = text;
        return true;
    }
}

void tct_print_double(double f, tct_buf *out) {
    if (isnan(f)) {
        tct_buf_puts(out, "nan");
        return;
    }
    if (isinf(f)) {
        tct_buf_puts(out, f < 0 ? "-inf" : "inf");
        return;
    }
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, f);
        if (strtod(text, NULL) == f) break;
    }
    tct_buf_puts(out, text);
}

void tct_literal_print(const tct_literal *l, tct_buf *out) {
    switch (l->kind) {
    case TCT_LITERAL_INT:
        tct_buf_printf(out, "%lld", (long long)l->i);
        return;
    case TCT_LITERAL_FLOAT:
        tct_print_double(l->f, out);
        return;
    case TCT_LITERAL_BOOL:
        tct_buf_puts(out, l->b ? "true" : "false");
        return;
    default:
        tct_buf_puts(out, l->s);
    }
}

tct_span tct_setting_place(tct_diag *d, const tct_setting *s) {
    uint32_t file = tct_diag_add_source(d, "command line", s->name, strlen(s->name));
    return (tct_span){file, 0, (uint32_t)strlen(s->name)};
}

static const char *all_of(tct_diag *d, const char *const *names, size_t n) {
    enum { MAX_SHOWN = 12 };
    const char *text = "";
    for (size_t i = 0; i < n && i < MAX_SHOWN; i++)
        text = tct_arena_printf(&d->arena, "%s%s%s", text, i ? ", " : "", names[i]);
    return n > MAX_SHOWN ? tct_arena_printf(&d->arena, "%s, …", text) : text;
}

int64_t tct_setting_find(tct_diag *d, const tct_setting *s, tct_span place, const char *const *names,
                         size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], s->name) == 0) return (int64_t)i;
    const char *near = tct_nearest(s->name, names, n);
    for (size_t i = 0; i < n && !near; i++) { // perhaps only the last part was given
        const char *dot = strrchr(names[i], '.');
        if (dot && strcmp(dot + 1, s->name) == 0) near = names[i];
    }
    tct_error(d, "E0405", place, "unknown config value `%s`", s->name);
    if (near)
        tct_help(d, "did you mean `%s`?", near);
    else if (n == 0)
        tct_help(d, "this program declares no config");
    else
        tct_help(d, "there are %s", all_of(d, names, n));
    return -1;
}

bool tct_setting_read(tct_diag *d, const tct_setting *s, tct_span place, const char *type, tct_literal *out) {
    tct_literal_kind kind;
    if (tct_literal_kind_of(type, &kind) && tct_literal_read(kind, s->value, out)) return true;
    return tct_error(d, "E0402", place, "config.%s is declared %s, found \"%s\"", s->name, type, s->value);
}

bool tct_setting_in_range(tct_diag *d, const char *name, const tct_literal *value, double low, double high,
                          tct_span place) {
    if (value->kind != TCT_LITERAL_INT && value->kind != TCT_LITERAL_FLOAT) return true;
    double x = value->kind == TCT_LITERAL_INT ? (double)value->i : value->f;
    if (x >= low && x <= high) return true;
    tct_buf text = {0};
    tct_literal_print(value, &text);
    tct_error(d, "E0403", place, "config.%s is from %g to %g, found %s", name, low, high, text.data);
    tct_buf_free(&text);
    return false;
}
