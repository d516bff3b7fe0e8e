// Models: hyper-parameters, axes, and a structure with a leaf for every parameter.
#include "frontend/elab_internal.h"

#include <string.h>

enum { MAX_NESTING = 16, REPRESENTATIVE_COUNT = 2 };

typedef struct instance {
    tct_elab *e;
    tct_val *out;
    const char *path, *file_prefix;
    bool representative;
    tct_leaf_fn leaf;
    void *ctx;
    TCT_VEC(tct_axis_binding) axes;
} instance;

static tct_val *hyper_value(tct_elab *e, const tct_item *item, const tct_param *p, tct_val *v,
                            bool representative, tct_span span) {
    const char *type = p->type ? p->type->name.text : "int";
    if (!v && p->value) v = tct_elab_expr(e, p->value);
    if (!v) {
        if (!representative) {
            tct_elab_error(e, "E0340", span, "%s lacks its hyper-parameter `%s`", item->name.text,
                           p->name.text);
            tct_elab_note(e, p->name.span, "declared here");
            return tct_val_error(e);
        }
        v = strcmp(type, "float") == 0  ? tct_val_float(e, 1, span)
            : strcmp(type, "bool") == 0 ? tct_val_bool(e, false, span)
            : strcmp(type, "int") == 0  ? tct_val_int(e, 1, span)
                                        : tct_val_string(e, "", span);
        v->known = false;
    }
    v = tct_elab_fix(
        e, v, v->span,
        tct_arena_printf(&e->arena, "is the hyper-parameter %s of %s", p->name.text, item->name.text));
    if (v->kind == V_ERROR) return v;
    bool fits = (strcmp(type, "int") == 0 && v->kind == V_INT) ||
                (strcmp(type, "bool") == 0 && v->kind == V_BOOL) ||
                (strcmp(type, "string") == 0 && v->kind == V_STRING) ||
                (strcmp(type, "float") == 0 && tct_val_is_number(v));
    if (!fits) {
        tct_elab_error(e, "E0337", v->span, "%s of %s is %s, found %s", p->name.text, item->name.text, type,
                       tct_val_describe(e, v));
        tct_elab_note(e, p->name.span, "declared here");
        return tct_val_error(e);
    }
    if (strcmp(type, "float") == 0 && v->kind == V_INT) {
        tct_val *f = tct_val_float(e, (double)v->i, v->span);
        f->known = v->known;
        return f;
    }
    return v;
}

static const char *join(tct_elab *e, const char *a, const char *b) {
    return a[0] ? tct_arena_printf(&e->module->arena, "%s.%s", a, b) : tct_arena_strdup(&e->module->arena, b);
}

static bool members(instance *in, const tct_member *m, uint32_t n);

static bool axis_member(instance *in, const tct_member *m) {
    tct_elab *e = in->e;
    int64_t size = 0;
    tct_axis axis;
    if (m->value) {
        tct_val *v = tct_elab_static(e, m->value, V_INT, tct_elab_sizes_axis(e, m->name.text));
        if (!v) return false;
        if (v->known && v->i < 1)
            return tct_elab_error(e, "E0302", m->value->span, "an axis has at least one position, found %lld",
                                  (long long)v->i);
        size = v->known ? v->i : 0;
        axis = tct_axis_get(e->module, m->name.text, size);
    } else {
        // Bound where the model is used: by the graph that has it as a parameter.
        tct_scope *inner = e->scope;
        e->scope = inner->caller;
        tct_scope *f = tct_scope_function(e);
        tct_symbol *s = NULL;
        for (size_t i = 0; f && i < f->symbols.len && !s; i++)
            if (f->symbols.data[i].is_axis && strcmp(f->symbols.data[i].name, m->name.text) == 0)
                s = &f->symbols.data[i];
        e->scope = inner;
        axis = s ? s->val->axis : tct_axis_get(e->module, m->name.text, 0);
    }
    if (!tct_scope_bind_axis(e, m->name.text, axis, m->name.span)) return false;
    TCT_PUSH(&in->axes, (tct_axis_binding){m->name.text, axis, m->name.span});
    return true;
}

static bool param_member(instance *in, const tct_member *m) {
    tct_elab *e = in->e;
    tct_dtype dtype;
    tct_axis axes[TCT_IR_MAX_AXES];
    if (!tct_elab_dtype_name(m->type->name.text, &dtype))
        return tct_elab_error(e, "E0333", m->type->span, "a parameter is a tensor, found %s",
                              m->type->name.text);
    if (m->type->n_axes > TCT_IR_MAX_AXES)
        return tct_elab_error(e, "E0331", m->type->span, "%u axes: a tensor has at most %d", m->type->n_axes,
                              TCT_IR_MAX_AXES);
    for (uint32_t i = 0; i < m->type->n_axes; i++) {
        const tct_type_axis *a = &m->type->axes[i];
        if (a->size) { // an axis of this parameter's own
            tct_val *v = tct_elab_static(e, a->size, V_INT, tct_elab_sizes_axis(e, a->name.text));
            if (!v) return false;
            if (v->known && v->i < 1)
                return tct_elab_error(e, "E0302", a->size->span,
                                      "an axis has at least one position, found %lld", (long long)v->i);
            axes[i] = tct_axis_get(e->module, a->name.text, v->known ? v->i : 0);
            if (!tct_scope_bind_axis(e, a->name.text, axes[i], a->name.span)) return false;
            bool listed = false;
            for (size_t k = 0; k < in->axes.len; k++) listed |= in->axes.data[k].axis == axes[i];
            if (!listed) TCT_PUSH(&in->axes, (tct_axis_binding){a->name.text, axes[i], a->name.span});
            continue;
        }
        tct_expr name = {.kind = TCT_EXPR_NAME, .name = a->name, .span = a->name.span};
        if (!tct_elab_axis(e, &name, &axes[i])) return false;
    }
    tct_val *leaf = in->leaf(e, in->ctx, join(e, in->path, m->name.text), m, dtype, axes, m->type->n_axes,
                             e->scope, in->file_prefix);
    tct_val_add_field(e, in->out, m->name.text, leaf);
    return leaf->kind != V_ERROR;
}

// "h.{}" with number 3 is "h.3".
static const char *file_part(tct_elab *e, const char *prefix, const tct_name *as, const char *fallback,
                             int64_t number) {
    tct_buf b = {0};
    const char *text = as->text ? as->text : fallback;
    if (prefix[0] && text[0])
        tct_buf_printf(&b, "%s.", prefix);
    else
        tct_buf_puts(&b, prefix);
    const char *hole = number >= 0 ? strstr(text, "{}") : NULL;
    if (hole)
        tct_buf_printf(&b, "%.*s%lld%s", (int)(hole - text), text, (long long)number, hole + 2);
    else if (number >= 0)
        tct_buf_printf(&b, "%s.%lld", text, (long long)number);
    else
        tct_buf_puts(&b, text);
    char *s = tct_arena_strdup(&e->module->arena, b.data ? b.data : "");
    tct_buf_free(&b);
    return s;
}

static bool part_member(instance *in, const tct_member *m) {
    tct_elab *e = in->e;
    const tct_item *item = tct_elab_item(e, m->type->name.text);
    if (!item || item->kind != TCT_ITEM_MODEL) {
        tct_elab_error(e, "E0201", m->type->span, item ? "`%s` is no model" : "unknown model `%s`",
                       m->type->name.text);
        const char *near = item ? NULL : tct_elab_suggest(e, m->type->name.text);
        if (near) tct_elab_help(e, "did you mean `%s`?", near);
        return false;
    }
    tct_actual *args = TCT_NEW_ARRAY(&e->arena, tct_actual, m->n_args + 1);
    for (uint32_t i = 0; i < m->n_args; i++) {
        args[i].name = m->args[i].name;
        args[i].expr = m->args[i].value;
        args[i].val = tct_elab_expr(e, m->args[i].value);
        if (args[i].val->kind == V_ERROR) return false;
    }
    const char *path = join(e, in->path, m->name.text);
    if (!m->count) {
        tct_val *v = tct_elab_model(e, item, args, m->n_args, path,
                                    file_part(e, in->file_prefix, &m->as, m->name.text, -1),
                                    in->representative, in->leaf, in->ctx, m->span);
        tct_val_add_field(e, in->out, m->name.text, v);
        return v->kind != V_ERROR;
    }
    tct_val *count = tct_elab_static(e, m->count, V_INT, "decides how many parts a model has");
    if (!count) return false;
    int64_t n = count->known ? count->i : REPRESENTATIVE_COUNT;
    if (n < 0 || n > 100000)
        return tct_elab_error(e, "E0337", m->count->span, "a list has 0 to 100000 parts, found %lld",
                              (long long)n);
    tct_val *list = tct_val_new(e, V_LIST, m->span);
    list->items = TCT_NEW_ARRAY(&e->arena, tct_val *, (size_t)n);
    list->n_items = (uint32_t)n;
    for (int64_t k = 0; k < n; k++) {
        list->items[k] = tct_elab_model(e, item, args, m->n_args,
                                        tct_arena_printf(&e->module->arena, "%s.%lld", path, (long long)k),
                                        file_part(e, in->file_prefix, &m->as, m->name.text, k),
                                        in->representative, in->leaf, in->ctx, m->span);
        if (list->items[k]->kind == V_ERROR) return false;
    }
    tct_val_add_field(e, in->out, m->name.text, list);
    return true;
}

static bool members(instance *in, const tct_member *m, uint32_t n) {
    tct_elab *e = in->e;
    for (uint32_t i = 0; i < n; i++) {
        bool ok = true;
        if (e->index) tct_index_scope(e, m[i].span);
        switch (m[i].kind) {
        case TCT_MEMBER_AXIS:
            ok = axis_member(in, &m[i]);
            break;
        case TCT_MEMBER_LET: {
            tct_val *v = tct_elab_expr(e, m[i].value);
            tct_scope_bind(e, m[i].name.text, v, m[i].name.span, false);
            tct_val_add_field(e, in->out, m[i].name.text, v);
            ok = v->kind != V_ERROR;
            break;
        }
        case TCT_MEMBER_PARAM:
            ok = param_member(in, &m[i]);
            break;
        case TCT_MEMBER_PART:
            ok = part_member(in, &m[i]);
            break;
        case TCT_MEMBER_IF: {
            tct_val *c = tct_elab_static(e, m[i].value, V_BOOL, "decides which parts a model has");
            if (!c) return false;
            ok = c->i || !c->known ? members(in, m[i].members, m[i].n_members)
                                   : members(in, m[i].otherwise, m[i].n_otherwise);
            break;
        }
        case TCT_MEMBER_HUGGINGFACE:
        case TCT_MEMBER_DECODE:
            break; // read when a folder or a generator is made
        }
        if (!ok) return false;
    }
    return true;
}

tct_val *tct_elab_model(tct_elab *e, const tct_item *item, const tct_actual *args, uint32_t n_args,
                        const char *path, const char *file_prefix, bool representative, tct_leaf_fn leaf,
                        void *ctx, tct_span span) {
    if (!tct_elab_one_more(e, span)) return tct_val_error(e);
    if (e->depth > MAX_NESTING) {
        tct_elab_error(e, "E0345", span, "the model %s contains itself", item->name.text);
        return tct_val_error(e);
    }
    int32_t *which = TCT_NEW_ARRAY(&e->arena, int32_t, item->n_params + 1);
    // Defaults are filled in below, so a missing argument is reported with the model's own words.
    tct_param *optional = TCT_NEW_ARRAY(&e->arena, tct_param, item->n_params + 1);
    static const tct_expr present = {0};
    for (uint32_t k = 0; k < item->n_params; k++) {
        optional[k] = item->params[k];
        optional[k].value = (tct_expr *)(uintptr_t)&present;
    }
    if (!tct_elab_match(e, item->name.text, optional, item->n_params, args, n_args, span, which))
        return tct_val_error(e);
    instance in = {.e = e,
                   .path = path,
                   .file_prefix = file_prefix,
                   .representative = representative,
                   .leaf = leaf,
                   .ctx = ctx};
    in.out = tct_val_new(e, V_STRUCT, span);
    in.out->model = item;
    struct tct_stage_state *stage = e->stage;
    const tct_ast *file = e->file;
    e->stage = NULL;
    e->file = tct_elab_item_file(e, item);
    tct_scope *scope = tct_scope_push(e, true);
    scope->item = item;
    scope->call = span;
    e->depth++;
    bool ok = true;
    for (uint32_t k = 0; k < item->n_params && ok; k++) {
        const tct_param *p = &item->params[k];
        tct_val *v = hyper_value(e, item, p, which[k] < 0 ? NULL : args[which[k]].val, representative, span);
        ok = v->kind != V_ERROR;
        tct_scope_bind(e, p->name.text, v, p->name.span, false);
        tct_val_add_field(e, in.out, p->name.text, v);
    }
    ok = ok && members(&in, item->members, item->n_members);
    e->depth--;
    tct_scope_pop(e);
    e->stage = stage;
    e->file = file;
    tct_axis_binding *axes = TCT_NEW_ARRAY(&e->arena, tct_axis_binding, in.axes.len);
    if (in.axes.len) memcpy(axes, in.axes.data, in.axes.len * sizeof *axes);
    in.out->axes = axes;
    in.out->n_axes = (uint32_t)in.axes.len;
    TCT_VEC_FREE(&in.axes);
    return ok ? in.out : tct_val_error(e);
}
