#include "runtime/summary.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void tct_html_text(const char *s, tct_buf *out) {
    for (; *s; s++) {
        if (*s == '<')
            tct_buf_puts(out, "&lt;");
        else if (*s == '>')
            tct_buf_puts(out, "&gt;");
        else if (*s == '&')
            tct_buf_puts(out, "&amp;");
        else if (*s == '"')
            tct_buf_puts(out, "&quot;");
        else
            tct_buf_putc(out, *s);
    }
}

// A cell as text, in `out`.
static void cell(const json_t *v, tct_buf *out) {
    out->len = 0;
    tct_buf_puts(out, "");
    if (json_is_string(v)) {
        tct_buf_puts(out, json_string_value(v));
    } else if (json_is_boolean(v)) {
        tct_buf_puts(out, json_is_true(v) ? "yes" : "no");
    } else if (json_is_integer(v)) {
        tct_buf_printf(out, "%lld", (long long)json_integer_value(v));
    } else if (json_is_real(v)) {
        double x = json_real_value(v);
        bool plain = x == 0 || (fabs(x) >= 1e-3 && fabs(x) < 1e6);
        tct_buf_printf(out, plain ? "%.4f" : "%.4g", x);
    } else {
        tct_buf_puts(out, "-");
    }
}

static bool same_keys(const json_t *a, const json_t *b) {
    if (json_object_size(a) != json_object_size(b)) return false;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)a, key, value) if (!json_object_get(b, key)) return false;
    return true;
}

static size_t columns_of(const char *s) {
    size_t n = 0;
    for (; *s; s++) n += (*s & 0xC0) != 0x80;
    return n;
}

static void pad_to(tct_buf *out, const char *text, size_t width, bool right) {
    size_t columns = columns_of(text);
    if (!right) tct_buf_puts(out, text);
    for (size_t i = columns; i < width; i++) tct_buf_putc(out, ' ');
    if (right) tct_buf_puts(out, text);
}

// One table: the groups with the keys of `first`. Walks them with their names.
#define FOR_ROWS(summary, first, name, group)                                                                \
    json_object_foreach((json_t *)(summary), name, group) if (same_keys(first, group))

static void text_table(const json_t *summary, const json_t *first, tct_buf *out) {
    tct_buf text = {0};
    const char *name, *key;
    json_t *group, *ignored;
    size_t names = 0;
    FOR_ROWS(summary, first, name, group) if (columns_of(name) > names) names = columns_of(name);
    size_t n = json_object_size(first), i = 0;
    size_t *width = tct_alloc((n + 1) * sizeof *width);
    json_object_foreach((json_t *)first, key, ignored) {
        width[i] = columns_of(key);
        FOR_ROWS(summary, first, name, group) {
            cell(json_object_get(group, key), &text);
            if (columns_of(text.data) > width[i]) width[i] = columns_of(text.data);
        }
        i++;
    }
    pad_to(out, "", names, false);
    i = 0;
    json_object_foreach((json_t *)first, key, ignored) {
        tct_buf_puts(out, "  ");
        pad_to(out, key, width[i++], true);
    }
    tct_buf_putc(out, '\n');
    FOR_ROWS(summary, first, name, group) {
        pad_to(out, name, names, false);
        i = 0;
        json_object_foreach((json_t *)first, key, ignored) {
            cell(json_object_get(group, key), &text);
            tct_buf_puts(out, "  ");
            pad_to(out, text.data, width[i++], true);
        }
        tct_buf_putc(out, '\n');
    }
    free(width);
    tct_buf_free(&text);
}

static void html_table(const json_t *summary, const json_t *first, tct_buf *out) {
    tct_buf text = {0};
    const char *name, *key;
    json_t *group, *ignored;
    tct_buf_puts(out, "<table><tr><th></th>");
    json_object_foreach((json_t *)first, key, ignored) {
        tct_buf_puts(out, "<th>");
        tct_html_text(key, out);
        tct_buf_puts(out, "</th>");
    }
    tct_buf_puts(out, "</tr>\n");
    FOR_ROWS(summary, first, name, group) {
        tct_buf_puts(out, "<tr><th>");
        tct_html_text(name, out);
        tct_buf_puts(out, "</th>");
        json_object_foreach((json_t *)first, key, ignored) {
            cell(json_object_get(group, key), &text);
            tct_buf_puts(out, "<td>");
            tct_html_text(text.data, out);
            tct_buf_puts(out, "</td>");
        }
        tct_buf_puts(out, "</tr>\n");
    }
    tct_buf_puts(out, "</table>\n");
    tct_buf_free(&text);
}

// Calls `table` once for each set of keys, in the order of their first groups.
static void each_table(const json_t *summary, tct_buf *out,
                       void (*table)(const json_t *, const json_t *, tct_buf *)) {
    const char *name, *earlier;
    json_t *group, *other;
    bool any = false;
    json_object_foreach((json_t *)summary, name, group) {
        bool seen = false;
        json_object_foreach((json_t *)summary, earlier, other) {
            if (other == group) break;
            seen |= same_keys(other, group);
        }
        if (seen) continue;
        if (any) tct_buf_putc(out, '\n');
        any = true;
        table(summary, group, out);
    }
}

void tct_summary_text(const json_t *summary, tct_buf *out) { each_table(summary, out, text_table); }
void tct_summary_html(const json_t *summary, tct_buf *out) { each_table(summary, out, html_table); }
