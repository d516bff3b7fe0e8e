#include "base/places.h"

#include <stdlib.h>

typedef struct place {
    uint32_t file, line;
} place;

static int compare(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

void tct_places_print(const tct_diag *sources, const tct_span *spans, size_t n, tct_buf *out) {
    place *all = tct_alloc((n + 1) * sizeof *all);
    size_t count = 0;
    for (size_t k = 0; k < n; k++) {
        const tct_source *s = tct_diag_source(sources, spans[k].file);
        uint32_t col;
        if (!s) continue;
        all[count].file = spans[k].file;
        tct_diag_line_col(s, spans[k].begin, &all[count++].line, &col);
    }
    qsort(all, count, sizeof *all, compare);
    for (size_t k = 0; k < count;) {
        size_t end = k + 1; // of a run of lines that follow each other
        while (end < count && all[end].file == all[k].file && all[end].line - all[end - 1].line <= 1) end++;
        bool new_file = k == 0 || all[k].file != all[k - 1].file;
        if (new_file)
            tct_buf_printf(out, "%s%s:", k ? "; " : "", tct_diag_source(sources, all[k].file)->path);
        else
            tct_buf_puts(out, ", ");
        tct_buf_printf(out, "%u", all[k].line);
        if (all[end - 1].line > all[k].line) tct_buf_printf(out, "-%u", all[end - 1].line);
        k = end;
    }
    tct_heap_free(all);
}
