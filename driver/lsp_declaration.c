// From a place of the source to what is declared there, and from a name to its declaration.
#include "driver/lsp.h"

#include "frontend/lexer.h"

#include <ctype.h>
#include <string.h>

const tct_ast *tct_lsp_file(const tct_package *p, uint32_t file) {
    for (size_t k = 0; k < p->files.len; k++)
        if (p->files.data[k]->file == file) return p->files.data[k];
    return NULL;
}

const tct_item *tct_lsp_item_at(const tct_lsp_analysis *a, uint32_t offset) {
    for (uint32_t k = 0; a->ast && k < a->ast->n_items; k++) {
        tct_span span = a->ast->items[k]->span;
        if (offset >= span.begin && offset <= span.end) return a->ast->items[k];
    }
    return NULL;
}

static bool is_library(const tct_package *p, const tct_ast *ast) {
    size_t n = strlen(p->std_dir);
    return strncmp(ast->path, p->std_dir, n) == 0 && ast->path[n] == '/';
}

const tct_item *tct_lsp_item(const tct_lsp_analysis *a, const char *name) {
    const tct_item *found[2] = {NULL, NULL}; // of the program, of the library
    for (size_t f = 0; f < a->package.files.len; f++) {
        const tct_ast *ast = a->package.files.data[f];
        for (uint32_t k = 0; k < ast->n_items; k++) {
            const tct_item *item = ast->items[k];
            bool named = item->name.text && item->kind != TCT_ITEM_USE && item->kind != TCT_ITEM_CONFIG;
            if (named && strcmp(item->name.text, name) == 0) found[is_library(&a->package, ast)] = item;
        }
    }
    bool own = a->ast && is_library(&a->package, a->ast);
    return found[own] ? found[own] : found[!own];
}

static bool same(tct_span a, tct_span b) { return a.begin == b.begin && a.end == b.end && a.file == b.file; }

static bool in_members(const tct_member *m, uint32_t n, tct_span name, tct_lsp_declaration *out) {
    for (uint32_t k = 0; k < n; k++) {
        if (m[k].name.text && m[k].kind != TCT_MEMBER_DECODE && same(m[k].name.span, name)) {
            out->member = &m[k];
            out->name = m[k].name;
            return true;
        }
        if (in_members(m[k].members, m[k].n_members, name, out) ||
            in_members(m[k].otherwise, m[k].n_otherwise, name, out))
            return true;
    }
    return false;
}

static bool in_entries(tct_arena *arena, const tct_config_entry *e, uint32_t n, const char *groups,
                       tct_span name, tct_lsp_declaration *out) {
    for (uint32_t k = 0; k < n; k++) {
        if (same(e[k].name.span, name)) {
            out->entry = &e[k];
            out->name = e[k].name;
            out->config = groups;
            return true;
        }
        if (e[k].group && name.begin >= e[k].span.begin && name.end <= e[k].span.end)
            return in_entries(arena, e[k].entries, e[k].n_entries,
                              tct_arena_printf(arena, "%s%s.", groups, e[k].name.text), name, out);
    }
    return false;
}

static bool in_item(tct_arena *arena, const tct_item *item, tct_span name, tct_lsp_declaration *out) {
    out->item = item;
    out->name = item->name;
    if (item->kind != TCT_ITEM_USE && same(item->name.span, name)) return true;
    for (uint32_t k = 0; k < item->n_params; k++)
        if (same(item->params[k].name.span, name)) {
            out->param = &item->params[k];
            out->name = item->params[k].name;
            return true;
        }
    for (uint32_t k = 0; k < item->n_results; k++)
        if (item->results[k].name.text && same(item->results[k].name.span, name)) {
            out->result = &item->results[k];
            out->name = item->results[k].name;
            return true;
        }
    for (uint32_t k = 0; item->kind == TCT_ITEM_PIPELINE && item->body && k < item->body->n_stmts; k++) {
        const tct_stmt *s = item->body->stmts[k];
        if (s->kind == TCT_STMT_STAGE && same(s->names[0].span, name)) {
            out->stage = s;
            out->name = s->names[0];
            return true;
        }
    }
    return in_members(item->members, item->n_members, name, out) ||
           in_entries(arena, item->entries, item->n_entries, "", name, out);
}

bool tct_lsp_declared_at(const tct_package *p, tct_arena *arena, tct_span name, tct_lsp_declaration *out) {
    *out = (tct_lsp_declaration){.ast = tct_lsp_file(p, name.file)};
    for (uint32_t k = 0; out->ast && k < out->ast->n_items; k++) {
        const tct_item *item = out->ast->items[k];
        if (name.begin >= item->span.begin && name.end <= item->span.end)
            return in_item(arena, item, name, out);
    }
    return false;
}

static bool is_word_byte(char c) { return isalnum((unsigned char)c) || c == '_'; }

tct_lsp_word tct_lsp_word_at(tct_lsp_analysis *a, uint32_t offset) {
    tct_lsp_word w = {offset, offset, ""};
    const tct_source *s = a->ast ? tct_diag_source(&a->diag, a->ast->file) : NULL;
    if (!s || offset > s->len) return w;
    while (w.begin > 0 && is_word_byte(s->text[w.begin - 1])) w.begin--;
    while (w.end < s->len && is_word_byte(s->text[w.end])) w.end++;
    w.text = tct_arena_strndup(&a->diag.arena, s->text + w.begin, w.end - w.begin);
    return w;
}

// Whether the offset is in a comment or a string, where names mean nothing.
static bool in_text(const tct_lsp_analysis *a, uint32_t offset) {
    tct_diag scratch = {0};
    tct_arena arena = {0};
    tct_tokens tokens = {0};
    const tct_source *s = tct_diag_source(&a->diag, a->ast->file);
    tct_lex(&scratch, tct_diag_add_source(&scratch, s->path, s->text, s->len), &arena, &tokens);
    bool found = false;
    for (size_t k = 0; k < tokens.comments.len; k++)
        found |= offset > tokens.comments.data[k].begin && offset <= tokens.comments.data[k].end;
    for (size_t k = 0; k < tokens.list.len; k++)
        found |= tokens.list.data[k].kind == TCT_TOK_STRING && offset > tokens.list.data[k].begin &&
                 offset < tokens.list.data[k].end;
    tct_tokens_free(&tokens);
    tct_arena_free(&arena);
    tct_diag_free(&scratch);
    return found;
}

// An axis that a type names again: what is known of the first that names it in this item.
static const tct_index_entry *axis_entry(const tct_lsp_analysis *a, const tct_item *item, const char *name) {
    const tct_source *s = tct_diag_source(&a->diag, a->ast->file);
    size_t n = strlen(name);
    for (size_t k = 0; k < a->index.entries.len; k++) {
        const tct_index_entry *e = &a->index.entries.data[k];
        if (e->begin < item->span.begin || e->end > item->span.end || e->end - e->begin != n) continue;
        if (e->type && strncmp(e->type, "axis ", 5) == 0 && memcmp(s->text + e->begin, name, n) == 0)
            return e;
    }
    return NULL;
}

tct_lsp_meaning tct_lsp_meaning_at(tct_lsp_analysis *a, uint32_t offset) {
    tct_lsp_meaning m = {.word = tct_lsp_word_at(a, offset)};
    if (!a->ast) return m;
    const tct_item *item = tct_lsp_item_at(a, offset);
    if (item && item->kind == TCT_ITEM_USE) {
        if (item->name.text && offset >= item->name.span.begin && offset <= item->name.span.end) m.use = item;
        return m;
    }
    if (m.word.begin == m.word.end || in_text(a, offset)) return m;
    tct_span here = {a->ast->file, m.word.begin, m.word.end};
    tct_arena *arena = &a->diag.arena;
    m.entry = tct_index_at(&a->index, m.word.begin);
    if (m.entry && m.entry->begin != m.word.begin) m.entry = NULL;
    m.has_declaration = tct_lsp_declared_at(&a->package, arena, here, &m.declaration);
    if (m.has_declaration) return m;
    if (!m.entry && item) m.entry = axis_entry(a, item, m.word.text);
    tct_span declared = m.entry ? m.entry->declared : TCT_NO_SPAN;
    if (declared.file) {
        m.has_declaration = true;
        if (!tct_lsp_declared_at(&a->package, arena, declared, &m.declaration)) {
            const tct_source *s = tct_diag_source(&a->diag, declared.file);
            const char *name =
                tct_arena_strndup(arena, s->text + declared.begin, declared.end - declared.begin);
            m.declaration.local = true;
            m.declaration.name = (tct_name){name, declared};
        }
        return m;
    }
    const tct_item *named = tct_lsp_item(a, m.word.text);
    bool field = m.word.begin > 0 && tct_diag_source(&a->diag, a->ast->file)->text[m.word.begin - 1] == '.';
    if (named && !field)
        m.has_declaration = tct_lsp_declared_at(&a->package, arena, named->name.span, &m.declaration);
    return m;
}
