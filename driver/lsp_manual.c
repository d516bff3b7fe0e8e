// What declarations look like and what is written about them; operations and procedures.
#include "driver/lsp.h"

#include "frontend/elab.h"

#include <string.h>

// The text between two bytes of a source, in the arena, without what spaces surround it.
static const char *slice(tct_arena *arena, const tct_diag *d, uint32_t file, uint32_t begin, uint32_t end) {
    const tct_source *s = tct_diag_source(d, file);
    while (end > begin && strchr(" \t\r\n", s->text[end - 1])) end--;
    return tct_arena_strndup(arena, s->text + begin, end - begin);
}

static const char *span_text(tct_arena *arena, const tct_diag *d, tct_span span) {
    return slice(arena, d, span.file, span.begin, span.end);
}

// Up to the block; a model's and a config's begin with the first brace.
static const char *head(tct_arena *arena, const tct_diag *d, const tct_item *item) {
    if (item->body) return slice(arena, d, item->span.file, item->span.begin, item->body->span.begin);
    if (item->kind == TCT_ITEM_EXTERN) return span_text(arena, d, item->span);
    uint32_t after = item->name.span.end;
    for (uint32_t k = 0; k < item->n_params; k++) {
        const tct_param *p = &item->params[k];
        after = p->value ? p->value->span.end : p->type ? p->type->span.end : p->name.span.end;
    }
    const tct_source *s = tct_diag_source(d, item->span.file);
    const char *brace = memchr(s->text + after, '{', item->span.end - after);
    return slice(arena, d, item->span.file, item->span.begin,
                 brace ? (uint32_t)(brace - s->text) : item->span.end);
}

static const char *param_text(tct_arena *arena, const tct_diag *d, const tct_param *p) {
    const char *type = p->type ? span_text(arena, d, p->type->span) : NULL;
    const char *value = p->value ? span_text(arena, d, p->value->span) : NULL;
    return tct_arena_printf(arena, "%s%s%s%s%s%s", p->inout ? "inout " : "", p->name.text, type ? ": " : "",
                            type ? type : "", value ? " = " : "", value ? value : "");
}

static const char *entry_text(tct_arena *arena, const tct_diag *d, const tct_lsp_declaration *decl) {
    const tct_config_entry *e = decl->entry;
    const char *name = tct_arena_printf(arena, "config.%s%s", decl->config, e->name.text);
    if (e->group || !e->type || !e->value) return name;
    const char *text = tct_arena_printf(arena, "%s: %s = %s", name, span_text(arena, d, e->type->span),
                                        span_text(arena, d, e->value->span));
    if (!e->low || !e->high) return text;
    return tct_arena_printf(arena, "%s in %s .. %s", text, span_text(arena, d, e->low->span),
                            span_text(arena, d, e->high->span));
}

const char *tct_lsp_signature(tct_arena *arena, const tct_diag *d, const tct_lsp_declaration *decl) {
    if (decl->param) return param_text(arena, d, decl->param);
    if (decl->result)
        return tct_arena_printf(arena, "%s: %s", decl->name.text,
                                span_text(arena, d, decl->result->type->span));
    if (decl->member) return span_text(arena, d, decl->member->span);
    if (decl->entry) return entry_text(arena, d, decl);
    if (decl->stage) return tct_arena_printf(arena, "stage %s", decl->name.text);
    if (decl->local) return decl->name.text;
    return head(arena, d, decl->item);
}

const char *tct_lsp_doc(const tct_lsp_declaration *decl) {
    if (decl->param) return decl->param->doc;
    if (decl->result || decl->local) return NULL;
    if (decl->member) return decl->member->doc;
    if (decl->entry) return decl->entry->doc;
    if (decl->stage) return decl->stage->doc;
    return decl->item->doc;
}

static const tct_lsp_manual_entry procedures[] = {
#define BUILTIN(id, name, signature, doc) {name, doc, name signature},
#include "runtime/builtins.def"
#undef BUILTIN
    {"log", "Writes a line of metrics: numbers, bools and strings by name.", "log(name = value, …)"},
    {"summary", "Writes a row of the table at the end of the run, and of summary.json.",
     "summary(group: string, name = value, …)"},
};

bool tct_lsp_procedure(size_t k, tct_lsp_manual_entry *out) {
    if (k >= sizeof procedures / sizeof *procedures) return false;
    *out = procedures[k];
    return true;
}

bool tct_lsp_operation(size_t k, tct_lsp_manual_entry *out) {
    tct_operation op;
    if (!tct_operation_at(k, &op)) return false;
    *out = (tct_lsp_manual_entry){op.name, op.doc, op.usage};
    return true;
}

bool tct_lsp_manual(const char *name, bool stage, tct_lsp_manual_entry *out) {
    for (size_t k = 0; stage && tct_lsp_procedure(k, out); k++)
        if (strcmp(out->name, name) == 0) return true;
    for (size_t k = 0; tct_lsp_operation(k, out); k++)
        if (strcmp(out->name, name) == 0) return true;
    for (size_t k = 0; tct_lsp_procedure(k, out); k++)
        if (strcmp(out->name, name) == 0) return true;
    return false;
}
