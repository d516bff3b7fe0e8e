// Positions of the protocol (a line and a number of UTF-16 units, or of bytes) and bytes of a text.
#include "driver/lsp.h"

#include <string.h>

// Bytes and UTF-16 units of the character at `text`; a byte that isn't UTF-8 counts as one of each.
static uint32_t character(const char *text, size_t left, uint32_t *units) {
    unsigned char c = (unsigned char)text[0];
    uint32_t n = c < 0x80 ? 1 : c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (n > left) n = 1;
    for (uint32_t k = 1; k < n; k++)
        if (((unsigned char)text[k] & 0xC0) != 0x80) n = 1;
    *units = n == 4 ? 2 : 1;
    return n;
}

// Bytes of the line's end at `text`, 0: there is none.
static uint32_t line_end(const char *text, size_t left) {
    if (left && text[0] == '\n') return 1;
    if (left && text[0] == '\r') return left > 1 && text[1] == '\n' ? 2 : 1;
    return 0;
}

bool tct_lsp_offset(const char *text, size_t len, const json_t *position, bool utf8, uint32_t *out) {
    const json_t *line = json_object_get(position, "line"), *column = json_object_get(position, "character");
    if (!json_is_integer(line) || !json_is_integer(column)) return false;
    json_int_t lines = json_integer_value(line), left = json_integer_value(column);
    if (lines < 0 || left < 0) return false;
    size_t at = 0;
    while (lines > 0 && at < len) {
        uint32_t end = line_end(text + at, len - at);
        at += end ? end : 1;
        lines -= end != 0;
    }
    while (lines == 0 && left > 0 && at < len && !line_end(text + at, len - at)) {
        uint32_t units, n = character(text + at, len - at, &units);
        if (utf8) units = n;
        if ((json_int_t)units > left) break; // in the middle of a character
        left -= units;
        at += n;
    }
    *out = (uint32_t)at;
    return true;
}

json_t *tct_lsp_position(const char *text, size_t len, uint32_t offset, bool utf8) {
    if (offset > len) offset = (uint32_t)len;
    json_int_t line = 0, column = 0;
    for (size_t at = 0; at < offset;) {
        uint32_t units, end = line_end(text + at, len - at);
        if (end && at + end <= offset) {
            at += end;
            line++;
            column = 0;
            continue;
        }
        uint32_t n = character(text + at, len - at, &units);
        if (at + n > offset) break;
        at += n;
        column += utf8 ? n : units;
    }
    return json_pack("{s:I, s:I}", "line", line, "character", column);
}

json_t *tct_lsp_range(const char *text, size_t len, uint32_t begin, uint32_t end, bool utf8) {
    return json_pack("{s:o, s:o}", "start", tct_lsp_position(text, len, begin, utf8), "end",
                     tct_lsp_position(text, len, end, utf8));
}

json_t *tct_lsp_span(const tct_lsp_server *s, const tct_diag *d, tct_span span) {
    const tct_source *source = tct_diag_source(d, span.file);
    if (!source) return tct_lsp_range("", 0, 0, 0, s->utf8);
    return tct_lsp_range(source->text, source->len, span.begin, span.end, s->utf8);
}

json_t *tct_lsp_location(const tct_lsp_server *s, const tct_diag *d, tct_span span) {
    const tct_source *source = tct_diag_source(d, span.file);
    if (!source) return json_null();
    char *uri = tct_lsp_uri(s, source->path);
    json_t *location = json_pack("{s:s, s:o}", "uri", uri, "range", tct_lsp_span(s, d, span));
    tct_heap_free(uri);
    return location;
}
