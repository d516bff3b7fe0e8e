// Completion: what may stand at the cursor, from what is in scope there when the text is made whole.
#include "driver/lsp.h"

#include "driver/lsp_complete.h"

#include <string.h>

// The text with a name at the cursor where there is none, so that what is being written parses. Heap.
static tct_buf made_whole(const tct_lsp_document *doc, const tct_lsp_place *p) {
    tct_buf text = {0};
    tct_buf_add(&text, doc->text.data, p->offset);
    if (p->word_begin == p->word_end) tct_buf_puts(&text, "tct_cursor");
    tct_buf_add(&text, doc->text.data + p->offset, doc->text.len - p->offset);
    return text;
}

static int kind_of_item(tct_item_kind kind) {
    return kind == TCT_ITEM_MODEL || kind == TCT_ITEM_OPTIMIZER ? TCT_COMPLETE_CLASS : TCT_COMPLETE_FUNCTION;
}

static void items(tct_lsp_list *l, tct_lsp_analysis *a, bool types) {
    for (size_t f = 0; f < a->package.files.len; f++)
        for (uint32_t k = 0; k < a->package.files.data[f]->n_items; k++) {
            const tct_item *item = a->package.files.data[f]->items[k];
            tct_lsp_declaration decl;
            bool callable = item->kind != TCT_ITEM_USE && item->kind != TCT_ITEM_CONFIG &&
                            item->kind != TCT_ITEM_PIPELINE && item->name.text;
            if (!callable || (types && item->kind != TCT_ITEM_MODEL)) continue;
            if (tct_lsp_item(a, item->name.text) != item) continue; // another goes before it
            if (!tct_lsp_declared_at(&a->package, &a->diag.arena, item->name.span, &decl)) continue;
            tct_lsp_list_add(l, item->name.text, kind_of_item(item->kind), 'c',
                             tct_lsp_signature(&a->diag.arena, &a->diag, &decl), item->doc);
        }
}

static void operations(tct_lsp_list *l, bool stage) {
    tct_lsp_manual_entry m;
    for (size_t k = 0; stage && tct_lsp_procedure(k, &m); k++)
        tct_lsp_list_add(l, m.name, TCT_COMPLETE_FUNCTION, 'd', m.signature, m.doc);
    for (size_t k = 0; tct_lsp_operation(k, &m); k++)
        tct_lsp_list_add(l, m.name, TCT_COMPLETE_FUNCTION, 'd', m.signature, m.doc);
}

static void words(tct_lsp_list *l, const char *list) {
    while (*list) {
        size_t n = strcspn(list, " ");
        char word[32];
        snprintf(word, sizeof word, "%.*s", (int)n, list);
        tct_lsp_list_add(l, word, TCT_COMPLETE_KEYWORD, 'e', NULL, NULL);
        list += n + (list[n] == ' ');
    }
}

static void keywords(tct_lsp_list *l, const tct_lsp_place *p) {
    static const char shared[] = "let var for in if else assert true false and or not div";
    switch (p->in) {
    case TCT_LSP_IN_FILE:
        words(l, "use config model graph optimizer extern fn pipeline");
        break;
    case TCT_LSP_IN_GRAPH:
        words(l, shared);
        words(l, "return axis scan reverse yield inout");
        break;
    case TCT_LSP_IN_OPTIMIZER:
        words(l, shared);
        words(l, "state axis scan reverse yield");
        break;
    case TCT_LSP_IN_STAGES:
        words(l, shared);
        words(l, "return while break continue stage minimize with clip");
        break;
    case TCT_LSP_IN_MODEL:
        words(l, "axis let param part if else as huggingface decode true false and or not div");
        break;
    case TCT_LSP_IN_CONFIG:
        words(l, "in true false and or not div");
        break;
    }
}

static void scope(tct_lsp_list *l, const tct_lsp_analysis *a, bool axes_alone) {
    for (size_t k = 0; k < a->index.scope.len; k++) {
        const tct_index_name *n = &a->index.scope.data[k];
        if (n->axis || !axes_alone)
            tct_lsp_list_add(l, n->name, n->axis ? TCT_COMPLETE_AXIS : TCT_COMPLETE_VARIABLE, 'b', n->type,
                             NULL);
    }
}

static void type_axes(tct_lsp_list *l, const tct_type *t) {
    for (uint32_t k = 0; t && k < t->n_axes; k++)
        tct_lsp_list_add(l, t->axes[k].name.text, TCT_COMPLETE_AXIS, 'b', "axis", NULL);
}

// Axes that the item itself names: they are known while its head is being written, too.
static void item_axes(tct_lsp_list *l, const tct_item *item) {
    for (uint32_t k = 0; k < item->n_params; k++) type_axes(l, item->params[k].type);
    for (uint32_t k = 0; k < item->n_results; k++) type_axes(l, item->results[k].type);
    for (uint32_t k = 0; k < item->n_members; k++)
        if (item->members[k].kind == TCT_MEMBER_AXIS)
            tct_lsp_list_add(l, item->members[k].name.text, TCT_COMPLETE_AXIS, 'b', "axis", NULL);
}

// And while it doesn't parse.
static void written_axes(tct_lsp_list *l, const tct_lsp_place *p) {
    char name[64];
    for (const char *at = p->axes; *at; at += strcspn(at, " ") + 1) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, " "), at);
        tct_lsp_list_add(l, name, TCT_COMPLETE_AXIS, 'b', "axis", NULL);
    }
}

static void types(tct_lsp_list *l, tct_lsp_analysis *a) {
    for (int t = 0; t < TCT_N_DTYPES; t++)
        tct_lsp_list_add(l, tct_dtype_name((tct_dtype)t), TCT_COMPLETE_CLASS, 'a', "dtype", NULL);
    words(l, "int float string path real axis axes list");
    items(l, a, true);
}

static void config(tct_lsp_list *l, tct_lsp_analysis *a, const tct_config_entry *e, uint32_t n,
                   const char *path, const char *groups) {
    for (uint32_t k = 0; k < n; k++) {
        size_t group = strlen(e[k].name.text);
        if (*path) { // deeper
            if (e[k].group && strncmp(path, e[k].name.text, group) == 0 && path[group] == '.')
                config(l, a, e[k].entries, e[k].n_entries, path + group + 1,
                       tct_arena_printf(&a->diag.arena, "%s%s.", groups, e[k].name.text));
            continue;
        }
        const tct_lsp_declaration decl = {.entry = &e[k], .name = e[k].name, .config = groups};
        tct_lsp_list_add(l, e[k].name.text, TCT_COMPLETE_PROPERTY, 'a',
                         tct_lsp_signature(&a->diag.arena, &a->diag, &decl), e[k].doc);
    }
}

static void fields(tct_lsp_list *l, tct_lsp_analysis *a, const tct_lsp_place *p) {
    if (strncmp(p->chain, "config.", 7) == 0) {
        for (size_t f = 0; f < a->package.files.len; f++)
            for (uint32_t k = 0; k < a->package.files.data[f]->n_items; k++) {
                const tct_item *item = a->package.files.data[f]->items[k];
                config(l, a, item->entries, item->n_entries, p->chain + 7, "");
            }
        return;
    }
    for (size_t k = 0; k < a->index.fields.len; k++) {
        const tct_index_name *n = &a->index.fields.data[k];
        tct_lsp_declaration decl;
        bool declared =
            n->declared.file && tct_lsp_declared_at(&a->package, &a->diag.arena, n->declared, &decl);
        tct_lsp_list_add(l, n->name, TCT_COMPLETE_FIELD, 'a', n->type, declared ? tct_lsp_doc(&decl) : NULL);
    }
}

static void names(tct_lsp_list *l, tct_lsp_analysis *a, const tct_lsp_place *p) {
    const tct_item *item = tct_lsp_item_at(a, p->offset);
    if (p->in == TCT_LSP_IN_FILE) {
        keywords(l, p);
        return;
    }
    if (p->after_colon) {
        types(l, a);
        return;
    }
    if (p->in_axes) {
        scope(l, a, true);
        if (item) item_axes(l, item);
        written_axes(l, p);
        return;
    }
    tct_lsp_named_arguments(l, a, p);
    scope(l, a, false);
    if (item) item_axes(l, item);
    if (p->in == TCT_LSP_IN_STAGES || p->in == TCT_LSP_IN_CONFIG)
        tct_lsp_list_add(l, "config", TCT_COMPLETE_PROPERTY, 'b', NULL, NULL);
    if (p->in != TCT_LSP_IN_CONFIG) items(l, a, false);
    if (p->in != TCT_LSP_IN_CONFIG) operations(l, p->in == TCT_LSP_IN_STAGES);
    keywords(l, p);
}

json_t *tct_lsp_completion(tct_lsp_server *s, tct_lsp_document *doc, uint32_t offset) {
    tct_lsp_place p;
    tct_lsp_list l;
    tct_arena arena = {0};
    tct_lsp_place_at(&arena, doc->text.data, doc->text.len, offset, &p);
    tct_lsp_list_begin(&l, doc->text.data + p.word_begin, offset - p.word_begin);
    if (p.use) {
        tct_lsp_modules(&l, s, doc, &p);
    } else if (!p.text) {
        tct_buf whole = made_whole(doc, &p);
        tct_lsp_analysis *a = tct_lsp_analyse(s, doc, whole.data, whole.len, offset);
        if (p.chain[0])
            fields(&l, a, &p);
        else
            names(&l, a, &p);
        tct_lsp_analysis_free(a);
        tct_buf_free(&whole);
    }
    tct_arena_free(&arena);
    return tct_lsp_list_end(&l);
}
