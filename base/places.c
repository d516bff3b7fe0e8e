#include "base/places.h"

#include <stdlib.h>
#include <string.h>

typedef struct place {
    const char *path;
    uint32_t line;
} place;

static int compare(const void *a, const void *b) {
    const place *x = a, *y = b;
    int path = strcmp(x->path, y->path);
    if (path) return path;
    return x->line < y->line ? -1 : x->line > y->line;
}

void tct_places_print(const tct_diag *sources, const tct_span *spans, size_t n, tct_buf *out) {
    place *all = tct_alloc((n + 1) * sizeof *all);
    size_t count = 0;
    for (size_t k = 0; k < n; k++) {
        const tct_source *s = tct_diag_source(sources, spans[k].file);
        uint32_t col;
        if (!s) continue;
        all[count].path = s->path;
        tct_diag_line_col(s, spans[k].begin, &all[count++].line, &col);
    }
    qsort(all, count, sizeof *all, compare);
    for (size_t k = 0; k < count;) {
        size_t end = k + 1; // of a run of lines that follow each other
        while (end < count && strcmp(all[end].path, all[k].path) == 0 &&
               all[end].line - all[end - 1].line <= 1)
            end++;
        bool new_file = k == 0 || strcmp(all[k].path, all[k - 1].path) != 0;
        if (new_file)
            tct_buf_printf(out, "%s%s:", k ? "; " : "", all[k].path);
        else
            tct_buf_puts(out, ", ");
        tct_buf_printf(out, "%u", all[k].line);
        if (all[end - 1].line > all[k].line) tct_buf_printf(out, "-%u", all[end - 1].line);
        k = end;
    }
    tct_heap_free(all);
}
