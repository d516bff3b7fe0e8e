// Messages as the protocol's diagnostics.
#include "driver/lsp.h"

#include "base/file.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *code, *title;
} codes[] = {
#define CODE(id, text) {#id, text},
#include "base/codes.def"
#undef CODE
};

// Where docs/errors.md explains a code; NULL where the manual isn't beside the library.
static json_t *code_link(const tct_lsp_server *s, tct_arena *a, const char *code) {
    const char *manual = tct_path_join(a, s->std_dir, "../docs/errors.md");
    if (access(manual, F_OK) != 0) return NULL;
    tct_buf link = {0};
    char *uri = tct_lsp_uri(s, manual);
    tct_buf_printf(&link, "%s#", uri);
    tct_heap_free(uri);
    for (const char *c = code; *c; c++) tct_buf_putc(&link, (char)tolower((unsigned char)*c));
    for (size_t k = 0; k < sizeof codes / sizeof *codes; k++) {
        if (strcmp(codes[k].code, code) != 0) continue;
        tct_buf_putc(&link, '-'); // as the anchors of headings are made
        for (const char *c = codes[k].title; *c; c++)
            if (*c == ' ')
                tct_buf_putc(&link, '-');
            else if (isalnum((unsigned char)*c) || *c == '-' || *c == '_')
                tct_buf_putc(&link, (char)tolower((unsigned char)*c));
    }
    json_t *out = json_pack("{s:s}", "href", link.data);
    tct_buf_free(&link);
    return out;
}

// The `use` of the document through which it comes to a file; its beginning where there is none.
static bool leads_to(const tct_package *p, const tct_ast *from, uint32_t file, size_t seen) {
    if (from->file == file) return true;
    for (uint32_t k = 0; seen <= p->files.len && k < from->n_items; k++)
        if (from->items[k]->used && leads_to(p, from->items[k]->used, file, seen + 1)) return true;
    return false;
}

static tct_span use_of(const tct_lsp_analysis *a, uint32_t file) {
    for (uint32_t k = 0; k < a->ast->n_items; k++)
        if (a->ast->items[k]->used && leads_to(&a->package, a->ast->items[k]->used, file, 0))
            return a->ast->items[k]->name.span;
    return (tct_span){a->ast->file, 0, 0};
}

static json_t *related(const tct_lsp_server *s, const tct_diag *d, tct_span span, const char *text) {
    return json_pack("{s:o, s:s}", "location", tct_lsp_location(s, d, span), "message", text);
}

// NULL where the message is about another document.
static json_t *diagnostic(const tct_lsp_server *s, tct_lsp_analysis *a, const tct_message *m) {
    tct_span span = m->span;
    for (size_t k = 0; !span.file && k < m->n_notes; k++) span = m->notes[k].span; // E0701: why it is read
    tct_buf text = {0};
    json_t *information = json_array();
    uint32_t file = a->ast ? a->ast->file : 0;
    if (span.file && span.file != file) {
        const tct_source *source = tct_diag_source(&a->diag, span.file);
        uint32_t line, column;
        tct_diag_line_col(source, span.begin, &line, &column);
        tct_buf_printf(&text, "%s:%u: ", source->path, line);
        json_array_append_new(information, related(s, &a->diag, span, m->text));
    }
    bool elsewhere = text.len > 0;
    tct_buf_puts(&text, m->text);
    if (m->label) tct_buf_printf(&text, " (%s)", m->label);
    for (size_t k = 0; k < m->n_notes; k++)
        if (m->notes[k].span.file)
            json_array_append_new(information, related(s, &a->diag, m->notes[k].span, m->notes[k].text));
        else
            tct_buf_printf(&text, "\nnote: %s", m->notes[k].text);
    if (m->help) tct_buf_printf(&text, "\nhelp: %s", m->help);
    tct_span place = elsewhere && a->ast ? use_of(a, span.file) : span;
    json_t *out = json_pack("{s:o, s:i, s:s, s:s, s:o}", "range", tct_lsp_span(s, &a->diag, place),
                            "severity", m->severity == TCT_ERROR ? 1 : 2, "code", m->code, "source", "tercet",
                            "message", tct_lsp_text(text.data, text.len));
    json_t *link = code_link(s, &a->diag.arena, m->code);
    if (link) json_object_set_new(out, "codeDescription", link);
    if (json_array_size(information))
        json_object_set_new(out, "relatedInformation", information);
    else
        json_decref(information);
    tct_buf_free(&text);
    return out;
}

static void publish(const tct_lsp_server *s, json_t *params) {
    tct_lsp_send(s->out, json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method",
                                   "textDocument/publishDiagnostics", "params", params));
}

void tct_lsp_publish(tct_lsp_server *s, const tct_lsp_document *doc) {
    tct_lsp_analysis *a = doc->analysis;
    json_t *list = json_array();
    for (size_t k = 0; k < a->diag.messages.len; k++) {
        const tct_message *m = &a->diag.messages.data[k];
        // As a part of a program it has its own mistakes, and not the others'.
        if (!a->own && (!m->span.file || !a->ast || m->span.file != a->ast->file)) continue;
        json_array_append_new(list, diagnostic(s, a, m));
    }
    publish(s, json_pack("{s:s, s:I, s:o}", "uri", doc->uri, "version", doc->version, "diagnostics", list));
}

void tct_lsp_publish_none(tct_lsp_server *s, const char *uri) {
    publish(s, json_pack("{s:s, s:[]}", "uri", uri, "diagnostics"));
}
