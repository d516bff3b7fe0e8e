// Messages of the protocol: headers that end with an empty line, then as many bytes of JSON as they say.
#include "driver/lsp.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MAX_CONTENT = 64 << 20, MAX_HEADER = 1024 };
static const char length_header[] = "Content-Length:";

// One line without its end, cut where it is too long; false at the end of the input.
static bool read_line(FILE *in, char line[MAX_HEADER]) {
    size_t n = 0;
    int c;
    while ((c = getc(in)) != EOF && c != '\n')
        if (n + 1 < MAX_HEADER) line[n++] = c ? (char)c : '?';
    bool more = c != EOF || n > 0;
    if (n && line[n - 1] == '\r') n--;
    line[n] = 0;
    return more;
}

// A number and nothing else.
static bool parse_length(const char *text, unsigned long long *out) {
    char *end;
    while (*text == ' ' || *text == '\t') text++;
    if (!isdigit((unsigned char)*text)) return false;
    *out = strtoull(text, &end, 10); // what is too large becomes the largest number
    while (*end == ' ' || *end == '\t') end++;
    return *end == 0;
}

static bool is_header(const char *line) {
    size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");
    return name > 0 && line[name] == ':';
}

static tct_lsp_received malformed(tct_lsp_reader *r, const char **why, const char *text) {
    *why = text;
    r->lost = true;
    return TCT_LSP_MALFORMED;
}

// Reads headers up to the empty line. What is no header is told once, and the input skipped to the next
// length: where a length was wrong, that may begin in the middle of a line.
static tct_lsp_received read_headers(tct_lsp_reader *r, unsigned long long *length, const char **why) {
    char line[MAX_HEADER];
    bool has_length = false, any = false;
    while (read_line(r->in, line)) {
        const char *found = strcasestr(line, length_header);
        if (found && parse_length(found + sizeof length_header - 1, length)) {
            has_length = any = true;
            r->lost = false;
        } else if (!line[0] && has_length) {
            return TCT_LSP_MESSAGE;
        } else if (!line[0] && any && !r->lost) {
            return malformed(r, why, "a message without Content-Length");
        } else if (!r->lost && found) {
            return malformed(r, why, "Content-Length is no number");
        } else if (!r->lost && line[0] && !is_header(line)) {
            return malformed(r, why, "this is no header of a message");
        } else {
            any = any || line[0];
        }
    }
    return TCT_LSP_END;
}

tct_lsp_received tct_lsp_receive(tct_lsp_reader *r, tct_buf *content, const char **why) {
    unsigned long long left = 0;
    content->len = 0;
    tct_lsp_received got = read_headers(r, &left, why);
    if (got != TCT_LSP_MESSAGE) return got;
    bool too_large = left > MAX_CONTENT;
    char chunk[65536];
    while (left) { // memory is taken for what arrives, not for what is promised
        size_t n = fread(chunk, 1, left < sizeof chunk ? left : sizeof chunk, r->in);
        if (n == 0) return malformed(r, why, "the input ends within a message");
        if (!too_large) tct_buf_add(content, chunk, n);
        left -= n;
    }
    if (!content->data) tct_buf_puts(content, "");
    return too_large ? malformed(r, why, "a message of more than 64 MiB") : TCT_LSP_MESSAGE;
}

void tct_lsp_send(FILE *out, json_t *message) {
    char *text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    if (!text) return;
    fprintf(out, "Content-Length: %zu\r\n\r\n%s", strlen(text), text);
    fflush(out);
    free(text);
}

json_t *tct_lsp_text(const char *text, size_t n) {
    json_t *string = json_stringn(text, n);
    if (string) return string;
    tct_buf clean = {0};
    for (size_t at = 0; at < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t len =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(n - at), &c);
        tct_buf_add(&clean, len > 0 ? text + at : "\xEF\xBF\xBD", len > 0 ? (size_t)len : 3);
        at += len > 0 ? (size_t)len : 1;
    }
    string = json_stringn(clean.data, clean.len);
    tct_buf_free(&clean);
    return string;
}
