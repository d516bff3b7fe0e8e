// The outline of a document.
#include "driver/lsp.h"

enum { // SymbolKind
    CLASS = 5,
    PROPERTY = 7,
    FIELD = 8,
    FUNCTION = 12,
    VARIABLE = 13,
    NAMESPACE = 3,
    EVENT = 24,
    TYPE_PARAMETER = 26,
    OBJECT = 19,
};

static json_t *symbol(const tct_lsp_server *s, const tct_diag *d, const tct_name *name, int kind,
                      tct_span whole, json_t *children) {
    // What is selected is a part of the whole.
    if (whole.begin > name->span.begin) whole.begin = name->span.begin;
    if (whole.end < name->span.end) whole.end = name->span.end;
    json_t *out = json_pack("{s:s, s:i, s:o, s:o}", "name", name->text, "kind", kind, "range",
                            tct_lsp_span(s, d, whole), "selectionRange", tct_lsp_span(s, d, name->span));
    if (json_array_size(children))
        json_object_set_new(out, "children", children);
    else
        json_decref(children);
    return out;
}

static void members(const tct_lsp_server *s, const tct_diag *d, const tct_member *m, uint32_t n,
                    json_t *out) {
    for (uint32_t k = 0; k < n; k++) {
        int kind = m[k].kind == TCT_MEMBER_AXIS    ? TYPE_PARAMETER
                   : m[k].kind == TCT_MEMBER_LET   ? VARIABLE
                   : m[k].kind == TCT_MEMBER_PARAM ? FIELD
                   : m[k].kind == TCT_MEMBER_PART  ? OBJECT
                                                   : 0;
        if (kind && m[k].name.text)
            json_array_append_new(out, symbol(s, d, &m[k].name, kind, m[k].span, json_array()));
        members(s, d, m[k].members, m[k].n_members, out);
        members(s, d, m[k].otherwise, m[k].n_otherwise, out);
    }
}

static void entries(const tct_lsp_server *s, const tct_diag *d, const tct_config_entry *e, uint32_t n,
                    json_t *out) {
    for (uint32_t k = 0; k < n; k++) {
        json_t *inner = json_array();
        entries(s, d, e[k].entries, e[k].n_entries, inner);
        json_array_append_new(out,
                              symbol(s, d, &e[k].name, e[k].group ? NAMESPACE : PROPERTY, e[k].span, inner));
    }
}

static void stages(const tct_lsp_server *s, const tct_diag *d, const tct_block *b, json_t *out) {
    for (uint32_t k = 0; b && k < b->n_stmts; k++)
        if (b->stmts[k]->kind == TCT_STMT_STAGE)
            json_array_append_new(
                out, symbol(s, d, &b->stmts[k]->names[0], EVENT, b->stmts[k]->span, json_array()));
}

json_t *tct_lsp_symbols(tct_lsp_server *s, tct_lsp_document *doc) {
    const tct_lsp_analysis *a = doc->analysis;
    json_t *list = json_array();
    for (uint32_t k = 0; a->ast && k < a->ast->n_items; k++) {
        const tct_item *item = a->ast->items[k];
        int kind = item->kind == TCT_ITEM_MODEL || item->kind == TCT_ITEM_OPTIMIZER   ? CLASS
                   : item->kind == TCT_ITEM_CONFIG || item->kind == TCT_ITEM_PIPELINE ? NAMESPACE
                                                                                      : FUNCTION;
        if (item->kind == TCT_ITEM_USE || !item->name.text) continue;
        json_t *children = json_array();
        members(s, &a->diag, item->members, item->n_members, children);
        entries(s, &a->diag, item->entries, item->n_entries, children);
        if (item->kind == TCT_ITEM_PIPELINE) stages(s, &a->diag, item->body, children);
        json_array_append_new(list, symbol(s, &a->diag, &item->name, kind, item->span, children));
    }
    return list;
}
