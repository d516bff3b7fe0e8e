// Formatting: the canonical layout as one edit of what changes.
#include "driver/lsp.h"

#include <string.h>

// Bytes that two texts have in common at their beginning, up to a line's.
static size_t common_begin(const char *a, const char *b, size_t most) {
    size_t n = 0;
    while (n < most && a[n] == b[n]) n++;
    while (n > 0 && a[n - 1] != '\n') n--;
    return n;
}

static size_t common_end(const char *a_end, const char *b_end, size_t most) {
    size_t n = 0, line = 0;
    for (; n < most && a_end[-1 - (ptrdiff_t)n] == b_end[-1 - (ptrdiff_t)n]; n++)
        if (a_end[-1 - (ptrdiff_t)n] == '\n') line = n; // what follows the line's end
    return line;
}

json_t *tct_lsp_formatting(tct_lsp_server *s, tct_lsp_document *doc, char **why) {
    tct_diag d = {0};
    tct_buf out = {0};
    const char *old = doc->text.data;
    size_t len = doc->text.len;
    json_t *edits = NULL;
    if (tct_format(&d, tct_diag_add_source(&d, doc->path, old, len), &out)) {
        const char *fresh = out.data ? out.data : "";
        size_t most = out.len < len ? out.len : len;
        size_t begin = common_begin(old, fresh, most);
        size_t end = common_end(old + len, fresh + out.len, most - begin);
        edits = json_array();
        if (out.len != len || memcmp(old, fresh, len) != 0)
            json_array_append_new(
                edits, json_pack("{s:o, s:o}", "range",
                                 tct_lsp_range(old, len, (uint32_t)begin, (uint32_t)(len - end), s->utf8),
                                 "newText", tct_lsp_text(fresh + begin, out.len - begin - end)));
    } else {
        *why = tct_strdup(d.messages.data[0].text);
    }
    tct_buf_free(&out);
    tct_diag_free(&d);
    return edits;
}
