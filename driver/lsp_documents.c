// The documents that the editor has open: their texts, and which files they are.
#include "driver/lsp.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *tct_lsp_path(const char *uri) {
    static const char scheme[] = "file://";
    if (strncmp(uri, scheme, sizeof scheme - 1) != 0) return tct_strdup(uri);
    const char *rest = strchr(uri + sizeof scheme - 1, '/'); // after the host, which is this one
    if (!rest) return tct_strdup(uri);
    tct_buf path = {0};
    for (; *rest; rest++) {
        int high = rest[0] == '%' ? hex_digit(rest[1]) : -1, low = high >= 0 ? hex_digit(rest[2]) : -1;
        bool escape = low >= 0 && high * 16 + low != 0;
        tct_buf_putc(&path, escape ? (char)(high * 16 + low) : *rest);
        if (escape) rest += 2;
    }
    char *real = realpath(path.data, NULL);
    char *found = tct_strdup(real ? real : path.data);
    free(real);
    tct_buf_free(&path);
    return found;
}

char *tct_lsp_uri(const tct_lsp_server *s, const char *path) {
    char *real = realpath(path, NULL);
    const char *whole = real ? real : path;
    for (size_t k = 0; k < s->documents.len; k++)
        if (strcmp(s->documents.data[k]->path, whole) == 0) {
            free(real);
            return tct_strdup(s->documents.data[k]->uri);
        }
    tct_buf uri = {0};
    tct_buf_puts(&uri, "file://");
    for (const char *c = whole; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("/-._~", *c))
            tct_buf_putc(&uri, *c);
        else
            tct_buf_printf(&uri, "%%%02X", (unsigned char)*c);
    free(real);
    char *text = tct_strdup(uri.data);
    tct_buf_free(&uri);
    return text;
}

tct_lsp_document *tct_lsp_find(const tct_lsp_server *s, const char *uri) {
    for (size_t k = 0; k < s->documents.len; k++)
        if (strcmp(s->documents.data[k]->uri, uri) == 0) return s->documents.data[k];
    return NULL;
}

static void document_free(tct_lsp_document *doc) {
    tct_lsp_analysis_free(doc->analysis);
    tct_heap_free(doc->uri);
    tct_heap_free(doc->path);
    tct_buf_free(&doc->text);
    tct_heap_free(doc);
}

void tct_lsp_documents_free(tct_lsp_server *s) {
    for (size_t k = 0; k < s->documents.len; k++) document_free(s->documents.data[k]);
    TCT_VEC_FREE(&s->documents);
}

enum { MAX_TEXT = 64 << 20 }; // bytes, as the loader has it

static bool set_text(tct_lsp_document *doc, const char *text, size_t len) {
    if (len > MAX_TEXT) return false;
    doc->text.len = 0;
    tct_buf_add(&doc->text, text, len);
    return true;
}

bool tct_lsp_did_open(tct_lsp_server *s, const json_t *params) {
    const json_t *opened = json_object_get(params, "textDocument");
    const json_t *text = json_object_get(opened, "text");
    const char *uri = json_string_value(json_object_get(opened, "uri"));
    if (!uri || !json_is_string(text)) return false;
    tct_lsp_document *doc = tct_lsp_find(s, uri);
    if (!doc) {
        doc = tct_alloc(sizeof *doc);
        doc->uri = tct_strdup(uri);
        doc->path = tct_lsp_path(uri);
        TCT_PUSH(&s->documents, doc);
        for (size_t k = s->documents.len - 1; k > 0 && strcmp(s->documents.data[k - 1]->uri, uri) > 0; k--) {
            s->documents.data[k] = s->documents.data[k - 1];
            s->documents.data[k - 1] = doc;
        }
    }
    doc->version = json_integer_value(json_object_get(opened, "version"));
    if (!doc->text.data) tct_buf_puts(&doc->text, "");
    bool ok = set_text(doc, json_string_value(text), json_string_length(text));
    tct_lsp_changed(s, doc->path);
    return ok;
}

// One change: of a range, or of all. Positions are those of the text after the changes before it.
static bool apply(const tct_lsp_server *s, tct_lsp_document *doc, const json_t *change) {
    const json_t *text = json_object_get(change, "text"), *range = json_object_get(change, "range");
    if (!json_is_string(text)) return false;
    const char *fresh = json_string_value(text);
    size_t n = json_string_length(text);
    if (!range) return set_text(doc, fresh, n);
    uint32_t begin, end;
    const char *old = doc->text.data;
    if (!tct_lsp_offset(old, doc->text.len, json_object_get(range, "start"), s->utf8, &begin) ||
        !tct_lsp_offset(old, doc->text.len, json_object_get(range, "end"), s->utf8, &end) || end < begin ||
        doc->text.len - (end - begin) + n > MAX_TEXT)
        return false;
    tct_buf whole = {0};
    tct_buf_add(&whole, old, begin);
    tct_buf_add(&whole, fresh, n);
    tct_buf_add(&whole, old + end, doc->text.len - end);
    tct_buf_free(&doc->text);
    doc->text = whole;
    return true;
}

bool tct_lsp_did_change(tct_lsp_server *s, const json_t *params) {
    const json_t *id = json_object_get(params, "textDocument");
    const json_t *changes = json_object_get(params, "contentChanges");
    const char *uri = json_string_value(json_object_get(id, "uri"));
    tct_lsp_document *doc = uri ? tct_lsp_find(s, uri) : NULL;
    if (!doc || !json_is_array(changes)) return false;
    bool ok = true;
    size_t k;
    const json_t *change;
    json_array_foreach(changes, k, change) ok = ok && apply(s, doc, change);
    doc->version = json_integer_value(json_object_get(id, "version"));
    tct_lsp_changed(s, doc->path);
    return ok;
}

bool tct_lsp_did_close(tct_lsp_server *s, const json_t *params) {
    const char *uri = json_string_value(json_object_get(json_object_get(params, "textDocument"), "uri"));
    tct_lsp_document *doc = uri ? tct_lsp_find(s, uri) : NULL;
    if (!doc) return false;
    size_t k = 0;
    while (s->documents.data[k] != doc) k++;
    memmove(&s->documents.data[k], &s->documents.data[k + 1],
            (s->documents.len - k - 1) * sizeof *s->documents.data);
    s->documents.len--;
    tct_lsp_publish_none(s, doc->uri);
    tct_lsp_changed(s, doc->path); // what uses it reads the file again
    document_free(doc);
    return true;
}
