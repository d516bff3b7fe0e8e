// Texts of kernels with the places that are written into them apart: places repeat in every line, and the
// page wants them as numbers.
#include "driver/page_data.h"

#include <stdlib.h>
#include <string.h>

typedef struct place {
    int32_t source, line; // source -1: none
} place;

// "PATH:LINE" and what may follow, of a known source.
static bool read_place(tct_page_data *p, const char *s, place *out) {
    for (uint32_t file = 1; file <= p->d->sources.len; file++) {
        const char *path = tct_diag_source(p->d, file)->path;
        size_t len = strlen(path);
        if (strncmp(s, path, len) != 0 || s[len] != ':') continue;
        char *end;
        unsigned long line = strtoul(s + len + 1, &end, 10);
        if (end == s + len + 1 || line == 0 || line > INT32_MAX) continue;
        *out = (place){(int32_t)tct_page_source(p, file), (int32_t)line};
        return true;
    }
    return false;
}

typedef struct splitting {
    tct_page_data *p;
    tct_buf text;
    json_t *runs; // [lines, source, line, …]
    place last;
    json_int_t count;
} splitting;

static void end_run(splitting *s) {
    if (!s->count) return;
    json_array_append_new(s->runs, json_integer(s->count));
    json_array_append_new(s->runs, json_integer(s->last.source));
    json_array_append_new(s->runs, json_integer(s->last.line));
    s->count = 0;
}

static void add_line(splitting *s, const char *line, size_t len, place at) {
    if (at.source != s->last.source || at.line != s->last.line) end_run(s);
    s->last = at;
    s->count++;
    tct_buf_add(&s->text, line, len);
    tct_buf_putc(&s->text, '\n');
}

// Kernel IR and LLVM IR have a place behind each line: "; PATH:LINE:COLUMN".
static void split_behind(splitting *s, char *line) {
    place at = {-1, 0};
    char *mark = strstr(line, " ; ");
    for (char *next = mark; next && (next = strstr(next + 1, " ; "));) mark = next;
    size_t len = strlen(line);
    if (mark && read_place(s->p, mark + 3, &at)) {
        len = (size_t)(mark - line);
        while (len && line[len - 1] == ' ') len--;
    }
    add_line(s, line, len, at);
}

// Assembly has one in a line of its own in front of the instructions that are for it: "# PATH:LINE | text".
static void split_front(splitting *s, char *line, place *current) {
    const char *first = line + strspn(line, " \t");
    if (strncmp(first, "# ", 2) == 0 && read_place(s->p, first + 2, current)) return;
    bool code = *line == '\t' && line[1] != '.';
    add_line(s, line, strlen(line), code ? *current : (place){-1, 0});
}

json_t *tct_page_kernel_text(tct_page_data *p, char *text, bool assembly) {
    splitting s = {.p = p, .runs = json_array(), .last = {-1, 0}};
    place current = {-1, 0};
    char *rest, *line = text;
    for (; line && *line; line = rest) {
        rest = strchr(line, '\n');
        if (rest) *rest++ = 0;
        if (assembly)
            split_front(&s, line, &current);
        else
            split_behind(&s, line);
    }
    end_run(&s);
    json_t *out = json_pack("{s:o, s:o}", "text", tct_page_string(s.text.data, s.text.len), "at", s.runs);
    tct_buf_free(&s.text);
    return out;
}
