#include "base/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t tct_diag_add_source(tct_diag *d, const char *path, const char *text, size_t len) {
    tct_source s = {.path = tct_arena_strdup(&d->arena, path),
                    .text = tct_arena_strndup(&d->arena, text, len),
                    .len = len};
    TCT_PUSH(&s.lines, 0);
    for (const char *at = s.text; (at = memchr(at, '\n', len - (size_t)(at - s.text)));)
        TCT_PUSH(&s.lines, (uint32_t)(++at - s.text));
    TCT_PUSH(&d->sources, s);
    return (uint32_t)d->sources.len;
}

uint32_t tct_diag_add_places(tct_diag *d, const char *path) {
    tct_source s = {.path = tct_arena_strdup(&d->arena, path)};
    TCT_PUSH(&d->sources, s);
    return (uint32_t)d->sources.len;
}

tct_span tct_diag_place(tct_diag *d, uint32_t file, uint32_t line, uint32_t col) {
    tct_source *s = &d->sources.data[file - 1];
    size_t n = s->places.len;
    bool again = n && s->places.data[n - 1].line == line && s->places.data[n - 1].col == col;
    if (!again) TCT_PUSH(&s->places, ((tct_line_col){line, col}));
    uint32_t at = (uint32_t)s->places.len - 1;
    return (tct_span){file, at, at};
}

const tct_source *tct_diag_source(const tct_diag *d, uint32_t file) {
    return file == 0 || file > d->sources.len ? NULL : &d->sources.data[file - 1];
}

static void report(tct_diag *d, tct_severity severity, const char *code, tct_span span, const char *fmt,
                   va_list ap) {
    if (severity == TCT_ERROR) d->n_errors++;
    if (d->max_errors && d->n_errors > d->max_errors) return;
    tct_message m = {.severity = severity, .code = code, .span = span};
    m.text = tct_arena_vprintf(&d->arena, fmt, ap);
    TCT_PUSH(&d->messages, m);
}

bool tct_error(tct_diag *d, const char *code, tct_span span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    report(d, TCT_ERROR, code, span, fmt, ap);
    va_end(ap);
    return false;
}

void tct_warning(tct_diag *d, const char *code, tct_span span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    report(d, TCT_WARNING, code, span, fmt, ap);
    va_end(ap);
}

// The message that notes attach to; NULL when the last one was dropped by max_errors.
static tct_message *last_message(tct_diag *d) {
    if (d->max_errors && d->n_errors > d->max_errors) return NULL;
    return d->messages.len ? &d->messages.data[d->messages.len - 1] : NULL;
}

void tct_label(tct_diag *d, const char *fmt, ...) {
    tct_message *m = last_message(d);
    if (!m) return;
    va_list ap;
    va_start(ap, fmt);
    m->label = tct_arena_vprintf(&d->arena, fmt, ap);
    va_end(ap);
}

void tct_note_at(tct_diag *d, tct_span span, const char *fmt, ...) {
    tct_message *m = last_message(d);
    if (!m) return;
    va_list ap;
    va_start(ap, fmt);
    tct_note n = {span, tct_arena_vprintf(&d->arena, fmt, ap)};
    va_end(ap);
    m->notes = tct_arena_realloc(&d->arena, m->notes, m->n_notes * sizeof n, (m->n_notes + 1) * sizeof n);
    m->notes[m->n_notes++] = n;
}

void tct_help(tct_diag *d, const char *fmt, ...) {
    tct_message *m = last_message(d);
    if (!m) return;
    va_list ap;
    va_start(ap, fmt);
    m->help = tct_arena_vprintf(&d->arena, fmt, ap);
    va_end(ap);
}

void tct_diag_line_col(const tct_source *s, uint32_t offset, uint32_t *line, uint32_t *col) {
    *line = 1;
    *col = 1;
    if (!s->text) {
        if (offset >= s->places.len) return;
        *line = s->places.data[offset].line;
        *col = s->places.data[offset].col;
        return;
    }
    size_t low = 0, high = s->lines.len; // the last line that doesn't begin behind it
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(s->lines.data[middle] <= offset ? &low : &high) = middle;
    }
    *line = (uint32_t)low + 1;
    for (uint32_t i = s->lines.data[low]; i < offset && i < s->len; i++)
        *col += ((unsigned char)s->text[i] & 0xC0) != 0x80;
}

// "  --> file:3:7", the source line and a caret row under the span (its first line only).
static void render_place(const tct_diag *d, tct_buf *out, tct_span span, const char *label,
                         const char *caret_color, const char *reset) {
    const tct_source *s = tct_diag_source(d, span.file);
    if (!s) return;
    uint32_t line, col;
    uint32_t at = span.begin <= s->len || !s->text ? span.begin : (uint32_t)s->len;
    tct_diag_line_col(s, at, &line, &col);
    tct_buf_printf(out, "  --> %s:%u:%u%s%s\n", s->path, line, col, s->text || !label ? "" : ": ",
                   s->text || !label ? "" : label);
    if (!s->text) return;
    size_t begin = at, end = at;
    while (begin > 0 && s->text[begin - 1] != '\n') begin--;
    while (end < s->len && s->text[end] != '\n' && s->text[end] != '\r') end++;
    tct_buf_printf(out, "%5u | ", line);
    for (size_t i = begin; i < end; i++) tct_buf_putc(out, s->text[i] == '\t' ? ' ' : s->text[i]);
    tct_buf_printf(out, "\n      | %s", caret_color);
    for (uint32_t i = 1; i < col; i++) tct_buf_putc(out, ' ');
    size_t stop = span.end > at ? span.end : at + 1;
    if (stop > end) stop = end > at ? end : at + 1;
    for (size_t i = at; i < stop; i++)
        if (i == at || ((unsigned char)s->text[i] & 0xC0) != 0x80) tct_buf_putc(out, '^');
    if (label) tct_buf_printf(out, " %s", label);
    tct_buf_printf(out, "%s\n", reset);
}

void tct_diag_render(const tct_diag *d, tct_buf *out, bool color) {
    const char *bold = color ? "\033[1m" : "", *reset = color ? "\033[0m" : "";
    const char *red = color ? "\033[1;31m" : "", *yellow = color ? "\033[1;33m" : "";
    for (size_t i = 0; i < d->messages.len; i++) {
        const tct_message *m = &d->messages.data[i];
        bool error = m->severity == TCT_ERROR;
        const char *tint = error ? red : yellow;
        tct_buf_printf(out, "%s%s[%s]%s: %s%s%s\n", tint, error ? "error" : "warning", m->code, reset, bold,
                       m->text, reset);
        render_place(d, out, m->span, m->label, tint, reset);
        for (size_t k = 0; k < m->n_notes; k++) {
            tct_buf_printf(out, "  note: %s\n", m->notes[k].text);
            render_place(d, out, m->notes[k].span, NULL, bold, reset);
        }
        if (m->help) tct_buf_printf(out, "  help: %s\n", m->help);
    }
    if (d->max_errors && d->n_errors > d->max_errors)
        tct_buf_printf(out, "%zu more errors not shown\n", d->n_errors - d->max_errors);
}

void tct_diag_free(tct_diag *d) {
    tct_arena_free(&d->arena);
    TCT_VEC_FREE(&d->messages);
    for (size_t i = 0; i < d->sources.len; i++) {
        TCT_VEC_FREE(&d->sources.data[i].lines);
        TCT_VEC_FREE(&d->sources.data[i].places);
    }
    TCT_VEC_FREE(&d->sources);
    d->n_errors = 0;
}

bool tct_diag_report(tct_diag *d) {
    const char *no_color = getenv("NO_COLOR");
    bool color = isatty(STDERR_FILENO) && !(no_color && no_color[0]), ok = d->n_errors == 0;
    tct_buf text = {0};
    tct_diag_render(d, &text, color);
    if (text.len) fwrite(text.data, 1, text.len, stderr);
    tct_buf_free(&text);
    tct_diag_free(d);
    return ok;
}

// Optimal string alignment distance, given up past `limit`; words longer than the rows are never near.
static size_t edit_distance(const char *a, const char *b, size_t limit) {
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b), rows[3][MAX + 1];
    if (n > MAX || m > MAX || (n > m ? n - m : m - n) > limit) return limit + 1;
    for (size_t j = 0; j <= m; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            if (up[j] + 1 < best) best = up[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && up2[j - 2] + 1 < best) best = up2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *tct_nearest(const char *word, const char *const *names, size_t n) {
    size_t len = strlen(word), limit = len <= 1 ? 0 : len <= 3 ? 1 : len <= 7 ? 2 : 3, best = limit + 1;
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t dist = edit_distance(word, names[i], limit);
        if (dist < best) {
            best = dist;
            found = names[i];
        }
    }
    return found;
}
