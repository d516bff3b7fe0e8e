#include "frontend/index.h"

#include "frontend/stage_internal.h"

#include <string.h>

void tct_index_begin(tct_index *x, const tct_diag *d, uint32_t file, uint32_t cursor) {
    x->file = file;
    x->cursor = cursor;
    x->len = (uint32_t)tct_diag_source(d, file)->len;
    x->number_at = TCT_NEW_ARRAY(&x->arena, uint32_t, (size_t)x->len + 1);
}

void tct_index_free(tct_index *x) {
    TCT_VEC_FREE(&x->entries);
    TCT_VEC_FREE(&x->scope);
    TCT_VEC_FREE(&x->fields);
    tct_arena_free(&x->arena);
}

const tct_index_entry *tct_index_at(const tct_index *x, uint32_t offset) {
    enum { LONGEST = 256 }; // of a name that is looked for from its end
    for (uint32_t k = offset > x->len ? x->len : offset, n = 0; n < LONGEST; k--, n++) {
        const tct_index_entry *e = x->number_at[k] ? &x->entries.data[x->number_at[k] - 1] : NULL;
        if (e) return e->end >= offset ? e : NULL;
        if (k == 0) break;
    }
    return NULL;
}

// Types as text

static void axes_text(tct_elab *e, tct_buf *out, tct_dtype dtype, const tct_axis *axes, uint32_t n) {
    tct_buf_puts(out, tct_dtype_name(dtype));
    for (uint32_t i = 0; i < n; i++) {
        tct_buf_printf(out, "%s%s", i ? ", " : "[", tct_axis_local_name(e, axes[i]));
        int64_t size = tct_axis_of(e->module, axes[i])->size;
        if (size) tct_buf_printf(out, " = %lld", (long long)size);
    }
    if (n) tct_buf_putc(out, ']');
}

static const char *kind_name(tct_kind k) {
    static const char *const names[] = {
        [TCT_KIND_INT] = "int",       [TCT_KIND_FLOAT] = "float", [TCT_KIND_BOOL] = "bool",
        [TCT_KIND_STRING] = "string", [TCT_KIND_LIST] = "list",   [TCT_KIND_RECORDS] = "records",
    };
    return (size_t)k < sizeof names / sizeof *names && names[k] ? names[k] : "?";
}

static void reg_text(tct_elab *e, tct_buf *out, const tct_val *v) {
    if (v->is_tensor_reg) {
        axes_text(e, out, v->dtype, v->param_axes, v->n_param_axes);
        return;
    }
    if (!e->stage || v->reg >= e->stage->regs.len) return;
    const tct_reg_type *t = tct_stage_type(e, v->reg);
    tct_buf_puts(out, kind_name((tct_kind)t->kind));
    if (t->kind != TCT_KIND_LIST || t->element == TCT_KIND_NONE) return;
    if (t->element == TCT_KIND_LIST && t->element2 != TCT_KIND_NONE)
        tct_buf_printf(out, "[list[%s]]", kind_name((tct_kind)t->element2));
    else
        tct_buf_printf(out, "[%s]", kind_name((tct_kind)t->element));
}

static void value_text(tct_elab *e, tct_buf *out, const tct_val *v, int depth);

static void struct_text(tct_elab *e, tct_buf *out, const tct_val *v, int depth) {
    enum { MAX_FIELDS = 12, MAX_DEPTH = 2 };
    if (v->model || v->s) {
        tct_buf_puts(out, v->model ? v->model->name.text : v->s);
        return;
    }
    tct_buf_putc(out, '{');
    for (uint32_t i = 0; i < v->n_fields && i < MAX_FIELDS; i++) {
        tct_buf_printf(out, "%s%s: ", i ? ", " : "", v->fields[i].name);
        if (depth < MAX_DEPTH) value_text(e, out, v->fields[i].val, depth + 1);
    }
    tct_buf_puts(out, v->n_fields > MAX_FIELDS ? ", …}" : "}");
}

static void list_text(tct_elab *e, tct_buf *out, const tct_val *v, int depth) {
    tct_buf_puts(out, "list");
    if (v->n_items == 0) return;
    tct_buf first = {0};
    value_text(e, &first, v->items[0], depth + 1);
    size_t type = first.data ? strcspn(first.data, "=") : 0; // without a value
    while (type && first.data[type - 1] == ' ') type--;
    bool cut = first.data && strchr(first.data, '[') && strchr(first.data, '[') < first.data + type;
    tct_buf_printf(out, "[%.*s] of %u", (int)(cut ? first.len : type), first.data ? first.data : "",
                   v->n_items);
    tct_buf_free(&first);
}

static void value_text(tct_elab *e, tct_buf *out, const tct_val *v, int depth) {
    enum { MAX_STRING = 40 };
    if (v->fold) v = v->fold; // config, with the value that it has here
    switch (v->kind) {
    case V_INT:
        tct_buf_puts(out, "int");
        if (v->known) tct_buf_printf(out, " = %lld", (long long)v->i);
        break;
    case V_FLOAT:
        tct_buf_puts(out, "float");
        if (v->known) tct_buf_printf(out, " = %g", v->f);
        break;
    case V_BOOL:
        tct_buf_puts(out, "bool");
        if (v->known) tct_buf_puts(out, v->i ? " = true" : " = false");
        break;
    case V_STRING:
        tct_buf_puts(out, "string");
        if (v->known && strlen(v->s) <= MAX_STRING) tct_buf_printf(out, " = \"%s\"", v->s);
        break;
    case V_TENSOR: {
        const tct_node *n = tct_node_of(v->builder->graph, v->value);
        axes_text(e, out, (tct_dtype)n->dtype, n->axes, n->n_axes);
        break;
    }
    case V_PARAM:
        axes_text(e, out, v->dtype, v->param_axes, v->n_param_axes);
        break;
    case V_REG:
        reg_text(e, out, v);
        break;
    case V_LIST:
        list_text(e, out, v, depth);
        break;
    case V_STRUCT:
        struct_text(e, out, v, depth);
        break;
    case V_AXIS: {
        int64_t size = tct_axis_of(e->module, v->axis)->size;
        tct_buf_printf(out, "axis %s", tct_axis_local_name(e, v->axis));
        if (size) tct_buf_printf(out, " = %lld", (long long)size);
        break;
    }
    case V_OPAQUE:
        tct_buf_puts(out, v->s ? v->s : "");
        if (v->s && strcmp(v->s, "an optimizer") == 0)
            tct_buf_printf(out, ": %s", ((const stage_optimizer *)v->data)->item->name.text);
        break;
    case V_NONE:
    case V_ERROR:
        break;
    }
}

static const char *type_text(tct_elab *e, const tct_val *v) {
    if (!v) return NULL;
    tct_buf text = {0};
    value_text(e, &text, v, 0);
    const char *kept = text.len ? tct_arena_strdup(&e->index->arena, text.data) : NULL;
    tct_buf_free(&text);
    return kept;
}

// Entries

static bool by_itself(tct_elab *e) {
    const tct_scope *f = tct_scope_function(e);
    return !f || !f->call.file;
}

static bool is_written(const tct_elab *e, tct_span span, const char *name) {
    const tct_source *s = tct_diag_source(e->d, span.file);
    size_t n = strlen(name);
    return span.end - span.begin == n && span.end <= s->len && memcmp(s->text + span.begin, name, n) == 0;
}

void tct_index_name_at(tct_elab *e, tct_span span, tct_span declared, const tct_val *v) {
    tct_index *x = e->index;
    if (span.file != x->file || span.begin > x->len) return;
    tct_index_entry *old = x->number_at[span.begin] ? &x->entries.data[x->number_at[span.begin] - 1] : NULL;
    bool itself = by_itself(e);
    // What is known of a name is what was learned first, but from its item by itself if that can be had.
    if (old && (old->by_itself || !itself) && (old->type || !v || v->kind == V_ERROR)) return;
    tct_index_entry entry = {.begin = span.begin,
                             .end = span.end,
                             .declared = declared,
                             .type = type_text(e, v),
                             .by_itself = itself};
    if (old) {
        if (!entry.type) entry.type = old->type;
        if (!entry.declared.file) entry.declared = old->declared;
        *old = entry;
        return;
    }
    TCT_PUSH(&x->entries, entry);
    x->number_at[span.begin] = (uint32_t)x->entries.len;
}

void tct_index_declared(tct_elab *e, const char *name, tct_span span, const tct_val *v) {
    if (span.file == e->index->file && is_written(e, span, name)) tct_index_name_at(e, span, span, v);
}

// Where a model declares a field.
static tct_span member_span(const tct_member *m, uint32_t n, const char *name) {
    for (uint32_t i = 0; i < n; i++) {
        if (m[i].kind == TCT_MEMBER_IF) {
            tct_span s = member_span(m[i].members, m[i].n_members, name);
            if (!s.file) s = member_span(m[i].otherwise, m[i].n_otherwise, name);
            if (s.file) return s;
        } else if (m[i].name.text && m[i].kind != TCT_MEMBER_DECODE && strcmp(m[i].name.text, name) == 0) {
            return m[i].name.span;
        }
    }
    return TCT_NO_SPAN;
}

static tct_span parameter_span(const tct_item *item, const char *name) {
    for (uint32_t i = 0; i < item->n_params; i++)
        if (strcmp(item->params[i].name.text, name) == 0) return item->params[i].name.span;
    return TCT_NO_SPAN;
}

static tct_span field_span(const tct_val *v, const char *name) {
    if (v->kind != V_STRUCT) return TCT_NO_SPAN;
    for (uint32_t i = 0; !v->model && i < v->n_fields; i++)
        if (strcmp(v->fields[i].name, name) == 0) return v->fields[i].span;
    if (!v->model) return TCT_NO_SPAN;
    tct_span s = parameter_span(v->model, name);
    return s.file ? s : member_span(v->model->members, v->model->n_members, name);
}

static const tct_config_entry *find_config(const tct_config_entry *entries, uint32_t n, const char *name) {
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(entries[i].name.text, name) == 0) return &entries[i];
    return NULL;
}

// config.a.b: every part of it. The entry, NULL where there is none; `config` itself has none, *root says so.
static const tct_config_entry *index_config(tct_elab *e, const tct_expr *x, const tct_val *v, bool *root) {
    *root = x->kind == TCT_EXPR_NAME && strcmp(x->name.text, "config") == 0;
    if (x->kind != TCT_EXPR_FIELD) return NULL;
    bool first;
    const tct_config_entry *outer = index_config(e, x->a, NULL, &first), *found = NULL;
    if (outer) found = find_config(outer->entries, outer->n_entries, x->name.text);
    for (size_t f = 0; first && !found && f < e->package->files.len; f++)
        for (uint32_t i = 0; !found && i < e->package->files.data[f]->n_items; i++) {
            const tct_item *item = e->package->files.data[f]->items[i];
            found = find_config(item->entries, item->n_entries, x->name.text);
        }
    if (found) tct_index_name_at(e, x->name.span, found->name.span, v);
    return found;
}

static bool at_cursor(const tct_index *x, tct_span span) {
    return x->cursor != TCT_NO_CURSOR && span.file == x->file && x->cursor >= span.begin &&
           x->cursor <= span.end;
}

static void add_name(tct_elab *e, bool field, const char *name, const tct_val *v, tct_span declared,
                     bool axis) {
    tct_index *x = e->index;
    for (size_t i = 0; !field && i < x->scope.len; i++)
        if (strcmp(x->scope.data[i].name, name) == 0) return;
    tct_index_name n = {tct_arena_strdup(&x->arena, name), type_text(e, v), declared, axis};
    if (field)
        TCT_PUSH(&x->fields, n);
    else
        TCT_PUSH(&x->scope, n);
}

static void index_fields(tct_elab *e, const tct_val *v) {
    e->index->fields.len = 0;
    for (uint32_t i = 0; v->kind == V_STRUCT && i < v->n_fields; i++)
        add_name(e, true, v->fields[i].name, v->fields[i].val, field_span(v, v->fields[i].name), false);
}

static void index_field(tct_elab *e, const tct_expr *x, const tct_val *v) {
    bool config = false;
    const tct_expr *root = x;
    while (root->kind == TCT_EXPR_FIELD) root = root->a;
    if (root->kind == TCT_EXPR_NAME && strcmp(root->name.text, "config") == 0 &&
        !tct_scope_find(e, "config", false)) {
        index_config(e, x, v, &config);
        return;
    }
    const tct_val *a = e->index->last_expr == x->a ? e->index->last_val : NULL;
    tct_index_name_at(e, x->name.span, a ? field_span(a, x->name.text) : TCT_NO_SPAN, v);
    if (a && at_cursor(e->index, x->name.span)) index_fields(e, a);
}

void tct_index_arguments(tct_elab *e, const tct_item *item, const tct_expr *call) {
    for (uint32_t i = 0; i < call->n_args; i++)
        if (call->args[i].name.text)
            tct_index_name_at(e, call->args[i].name.span, parameter_span(item, call->args[i].name.text),
                              NULL);
}

static void index_call(tct_elab *e, const tct_expr *x, tct_val *v) {
    const tct_expr *callee = x->a->kind == TCT_EXPR_INDEX ? x->a->a : x->a;
    if (callee->kind != TCT_EXPR_NAME) return;
    const tct_item *item = tct_elab_item(e, callee->name.text);
    tct_index_name_at(e, callee->span, item ? item->name.span : TCT_NO_SPAN, v);
    if (item) tct_index_arguments(e, item, x);
    // A call that fails may leave its arguments alone.
    for (uint32_t i = 0; v->kind == V_ERROR && !e->index->reached && i < x->n_args; i++)
        if (at_cursor(e->index, x->args[i].value->span)) tct_elab_expr(e, x->args[i].value);
}

// Scopes

static void index_scope(tct_elab *e) {
    tct_index *x = e->index;
    bool itself = by_itself(e);
    if (x->scope.len && x->scope_by_itself && !itself) return;
    x->scope.len = 0;
    x->scope_by_itself = itself;
    for (const tct_scope *s = e->scope; s; s = s->parent)
        for (size_t i = s->symbols.len; i-- > 0;) {
            const tct_symbol *y = &s->symbols.data[i];
            add_name(e, false, y->name, y->val, y->span, y->is_axis || y->val->kind == V_AXIS);
        }
}

void tct_index_scope(tct_elab *e, tct_span span) {
    if (at_cursor(e->index, span)) index_scope(e);
}

void tct_index_expr(tct_elab *e, const tct_expr *x, tct_val *v) {
    tct_index *index = e->index;
    if (x->span.file == index->file) {
        if (x->kind == TCT_EXPR_NAME) {
            const tct_symbol *s = tct_scope_find(e, x->name.text, false);
            if (!s) s = tct_elab_axis_symbol(e, x->name.text);
            if (s) tct_index_name_at(e, x->span, s->span, v);
            tct_index_scope(e, x->span); // with the axes that the expression has brought so far
            index->reached |= at_cursor(index, x->span);
        } else if (x->kind == TCT_EXPR_FIELD) {
            index_field(e, x, v);
            index->reached |= at_cursor(index, x->name.span);
        } else if (x->kind == TCT_EXPR_CALL) {
            index_call(e, x, v);
        }
    }
    index->last_expr = x;
    index->last_val = v;
}

void tct_index_statement(tct_elab *e, const tct_block *b, uint32_t i, bool ends) {
    uint32_t begin = i ? b->stmts[i - 1]->span.end + 1 : b->span.begin;
    uint32_t end = ends || i >= b->n_stmts ? b->span.end : b->stmts[i]->span.end;
    tct_index_scope(e, (tct_span){b->span.file, begin, end});
}
