// Hover and definition: what the name at a place means.
#include "driver/lsp_complete.h"

#include <string.h>

// Everything that stands above a file's first item: what it is about.
static void file_doc(tct_buf *out, const tct_source *s) {
    const char *line = s->text;
    while (strncmp(line, "//", 2) == 0) {
        size_t n = strcspn(line, "\n");
        const char *text = line + strspn(line, "/ ");
        if (text < line + n) tct_buf_printf(out, "%.*s\n", (int)(line + n - text), text);
        line += n + (line[n] == '\n');
    }
}

static void hover_use(tct_lsp_analysis *a, const tct_item *use, tct_buf *out) {
    const tct_source *s = use->used ? tct_diag_source(&a->diag, use->used->file) : NULL;
    if (!s) return;
    tct_buf_printf(out, "`%s`\n\n", s->path);
    file_doc(out, s);
    for (uint32_t k = 0; k < use->used->n_items; k++) {
        const tct_item *item = use->used->items[k];
        tct_lsp_declaration decl;
        if (item->kind == TCT_ITEM_USE || item->kind == TCT_ITEM_CONFIG || !item->name.text) continue;
        if (!tct_lsp_declared_at(&a->package, &a->diag.arena, item->name.span, &decl)) continue;
        tct_buf_printf(out, "\n- `%s`", tct_lsp_signature(&a->diag.arena, &a->diag, &decl));
        if (item->doc) tct_buf_printf(out, " %.*s", (int)strcspn(item->doc, "\n"), item->doc);
    }
}

static void hover_declaration(tct_lsp_analysis *a, const tct_lsp_meaning *m, tct_buf *out) {
    const tct_lsp_declaration *decl = &m->declaration;
    const char *type = m->entry ? m->entry->type : NULL;
    bool axis = type && strncmp(type, "axis ", 5) == 0;
    tct_buf_puts(out, "```tercet\n");
    if (decl->local && axis)
        tct_buf_puts(out, type);
    else if (decl->local)
        tct_buf_printf(out, "%s%s%s", decl->name.text, type ? ": " : "", type ? type : "");
    else
        tct_buf_puts(out, tct_lsp_signature(&a->diag.arena, &a->diag, decl));
    tct_buf_puts(out, "\n```\n");
    bool item =
        !decl->local && !decl->param && !decl->result && !decl->member && !decl->entry && !decl->stage;
    if (type && !decl->local) tct_buf_printf(out, "\n%s: `%s`\n", item ? "gives here" : "here", type);
    const char *doc = tct_lsp_doc(decl);
    if (doc) tct_buf_printf(out, "\n%s\n", doc);
}

// Whether a name is that of a procedure before that of an operation: in stage code, but for what gives
// tensors.
static bool is_procedure(const tct_lsp_analysis *a, const tct_lsp_meaning *m) {
    const tct_item *item = tct_lsp_item_at(a, m->word.begin);
    const char *type = m->entry && m->entry->type ? m->entry->type : "";
    for (int t = 0; t < TCT_N_DTYPES; t++) {
        size_t n = strlen(tct_dtype_name((tct_dtype)t));
        bool dtype = strncmp(type, tct_dtype_name((tct_dtype)t), n) == 0 && (!type[n] || type[n] == '[');
        if (dtype && t != TCT_BOOL) return false;
    }
    return item && (item->kind == TCT_ITEM_PIPELINE || item->kind == TCT_ITEM_FN);
}

// The parameter of a procedure that an argument names; NULL: it is none.
static const char *procedure_parameter(tct_lsp_analysis *a, const tct_source *s, uint32_t offset) {
    tct_lsp_place p;
    tct_lsp_list l;
    const char *found = NULL;
    tct_lsp_place_at(&a->diag.arena, s->text, s->len, offset, &p);
    const char *after = s->text + p.word_end + strspn(s->text + p.word_end, " ");
    if (!p.call || after[0] != '=' || after[1] == '=') return NULL;
    tct_lsp_list_begin(&l, s->text + p.word_begin, p.word_end - p.word_begin);
    tct_lsp_named_arguments(&l, a, &p);
    json_t *list = tct_lsp_list_end(&l);
    const char *name =
        tct_arena_printf(&a->diag.arena, "%.*s = ", (int)(p.word_end - p.word_begin), s->text + p.word_begin);
    size_t k;
    const json_t *item;
    json_array_foreach(json_object_get(list, "items"), k,
                       item) if (strcmp(json_string_value(json_object_get(item, "label")), name) == 0) found =
        tct_arena_strdup(&a->diag.arena, json_string_value(json_object_get(item, "detail")));
    json_decref(list);
    return found;
}

static void hover_word(tct_lsp_analysis *a, const tct_lsp_meaning *m, tct_buf *out) {
    tct_lsp_manual_entry manual;
    const tct_source *s = tct_diag_source(&a->diag, a->ast->file);
    bool field = m->word.begin > 0 && s->text[m->word.begin - 1] == '.';
    const char *parameter = procedure_parameter(a, s, m->word.begin);
    if (parameter)
        tct_buf_printf(out, "```tercet\n%s\n```\n", parameter);
    else if (!field && tct_lsp_manual(m->word.text, is_procedure(a, m), &manual)) {
        const char *call = manual.signature;
        if (!call) call = tct_arena_printf(&a->diag.arena, "%s(x)", manual.name);
        tct_buf_printf(out, "```tercet\n%s\n```\n", call);
        if (m->entry && m->entry->type) tct_buf_printf(out, "\ngives here: `%s`\n", m->entry->type);
        tct_buf_printf(out, "\n%s\n", manual.doc);
    } else if (m->entry && m->entry->type) {
        tct_buf_printf(out, "```tercet\n%s: %s\n```\n", m->word.text, m->entry->type);
    }
}

json_t *tct_lsp_hover(tct_lsp_server *s, tct_lsp_document *doc, uint32_t offset) {
    tct_lsp_analysis *a = doc->analysis;
    tct_lsp_meaning m = tct_lsp_meaning_at(a, offset);
    tct_buf text = {0};
    tct_span span = {a->ast ? a->ast->file : 0, m.word.begin, m.word.end};
    if (m.use) {
        hover_use(a, m.use, &text);
        span = m.use->name.span;
    } else if (m.has_declaration) {
        hover_declaration(a, &m, &text);
    } else if (m.word.begin < m.word.end) {
        hover_word(a, &m, &text);
    }
    json_t *hover = json_null();
    if (text.len)
        hover = json_pack("{s:{s:s, s:o}, s:o}", "contents", "kind", "markdown", "value",
                          tct_lsp_text(text.data, text.len), "range", tct_lsp_span(s, &a->diag, span));
    tct_buf_free(&text);
    return hover;
}

json_t *tct_lsp_definition(tct_lsp_server *s, tct_lsp_document *doc, uint32_t offset) {
    tct_lsp_analysis *a = doc->analysis;
    tct_lsp_meaning m = tct_lsp_meaning_at(a, offset);
    if (m.use && m.use->used) return tct_lsp_location(s, &a->diag, (tct_span){m.use->used->file, 0, 0});
    if (!m.has_declaration) return json_null();
    return tct_lsp_location(s, &a->diag, m.declaration.name.span);
}
