// Axes named in expressions.
#include "frontend/elab_internal.h"

#include <string.h>

tct_symbol *tct_elab_axis_symbol(tct_elab *e, const char *name) {
    tct_symbol *var = tct_scope_find(e, name, false);
    if (var) return var->val->kind == V_AXIS ? var : NULL;
    for (tct_scope *f = tct_scope_function(e); f;) { // axes live in the function's scope, whatever block asks
        for (size_t i = 0; i < f->symbols.len; i++)
            if (f->symbols.data[i].is_axis && strcmp(f->symbols.data[i].name, name) == 0)
                return &f->symbols.data[i];
        break;
    }
    return NULL;
}

bool tct_elab_is_axis(tct_elab *e, const tct_expr *x) {
    if (x->kind == TCT_EXPR_NAME) {
        tct_symbol *var = tct_scope_find(e, x->name.text, false);
        if (!var) return tct_elab_axis_symbol(e, x->name.text) != NULL;
        if (var->val->kind == V_LIST) return var->val->n_items && var->val->items[0]->kind == V_AXIS;
        return var->val->kind == V_AXIS;
    }
    if (x->kind != TCT_EXPR_LIST || x->n_args == 0) return false;
    return x->args[0].name.text || tct_elab_is_axis(e, x->args[0].value);
}

static bool no_such_axis(tct_elab *e, const tct_name *name) {
    tct_scope *f = tct_scope_function(e);
    TCT_VEC(const char *) names = {0};
    tct_buf list = {0};
    for (size_t i = 0; i < f->symbols.len; i++)
        if (f->symbols.data[i].is_axis) {
            TCT_PUSH(&names, f->symbols.data[i].name);
            tct_buf_printf(&list, "%s%s", list.len ? ", " : "", f->symbols.data[i].name);
        }
    if (tct_scope_find(e, name->text, false))
        tct_elab_error(e, "E0331", name->span, "`%s` is no axis", name->text);
    else
        tct_elab_error(e, "E0331", name->span, "unknown axis `%s`", name->text);
    const char *near = tct_nearest(name->text, names.data, names.len);
    if (near)
        tct_elab_help(e, "did you mean `%s`?", near);
    else if (list.len)
        tct_elab_help(e, "axes in scope: %s", list.data);
    else
        tct_elab_help(e, "`axis %s = 4` makes one", name->text);
    TCT_VEC_FREE(&names);
    tct_buf_free(&list);
    return false;
}

bool tct_elab_axis(tct_elab *e, const tct_expr *x, tct_axis *out) {
    if (x->kind == TCT_EXPR_NAME) {
        tct_symbol *s = tct_elab_axis_symbol(e, x->name.text);
        if (e->index) tct_index_scope(e, x->span);
        if (!s) return no_such_axis(e, &x->name);
        if (e->index) tct_index_name_at(e, x->span, s->span, s->val);
        *out = s->val->axis;
        return true;
    }
    tct_elab_error(e, "E0331", x->span, "the name of an axis is expected here");
    if (x->kind == TCT_EXPR_INT) tct_elab_help(e, "axes have names, not numbers: sum(x, T)");
    if (x->kind == TCT_EXPR_LIST) tct_elab_help(e, "one axis, not a list");
    return false;
}

bool tct_elab_axes(tct_elab *e, const tct_expr *x, tct_axis out[TCT_IR_MAX_AXES], uint32_t *n) {
    *n = 0;
    if (x->kind == TCT_EXPR_NAME) {
        tct_symbol *var = tct_scope_find(e, x->name.text, false);
        if (var && var->val->kind == V_LIST) {
            for (uint32_t i = 0; i < var->val->n_items && *n < TCT_IR_MAX_AXES; i++)
                if (var->val->items[i]->kind == V_AXIS) out[(*n)++] = var->val->items[i]->axis;
            return true;
        }
    }
    if (x->kind != TCT_EXPR_LIST) {
        if (!tct_elab_axis(e, x, &out[0])) return false;
        *n = 1;
        return true;
    }
    for (uint32_t i = 0; i < x->n_args; i++) {
        if (*n == TCT_IR_MAX_AXES)
            return tct_elab_error(e, "E0331", x->span, "%u axes: a tensor has at most %d", x->n_args,
                                  TCT_IR_MAX_AXES);
        tct_axis axis;
        if (!tct_elab_axis(e, x->args[i].value, &axis)) return false;
        for (uint32_t k = 0; k < *n; k++)
            if (out[k] == axis)
                return tct_elab_error(e, "E0331", x->args[i].value->span, "axis %s is named twice",
                                      tct_axis_local_name(e, axis));
        out[(*n)++] = axis;
    }
    return true;
}
