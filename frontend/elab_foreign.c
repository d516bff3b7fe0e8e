// Calls of extern functions on tensors: a foreign node with the declared result types.
#include "base/file.h"
#include "frontend/elab_internal.h"

#include <string.h>

// An axis of a result: one that an argument bound, or a new one where the type gives its size.
static bool result_axis(tct_elab *e, const tct_type_axis *a, tct_axis *out) {
    tct_symbol *s = tct_scope_find(e, a->name.text, true);
    if (s) {
        *out = s->val->axis;
        return true;
    }
    if (!a->size)
        return tct_elab_error(e, "E0331", a->name.span, "no argument has the axis %s, and it has no size",
                              a->name.text);
    tct_val *v = tct_elab_static(e, a->size, V_INT, tct_elab_sizes_axis(e, a->name.text));
    if (!v) return false;
    *out = tct_scope_new_axis(e, a->name.text, v->known ? v->i : 0, a->name.span);
    return true;
}

// Relative to the main file's folder; runtime/library.h tells where it is looked for. "": the program itself.
const char *tct_elab_library(tct_elab *e, const tct_item *item) {
    const char *file = tct_elab_item_file(e, item)->path, *library = item->library.text;
    if (!library || !library[0]) return "";
    const char *path = tct_path_join(&e->arena, tct_path_dir(&e->arena, file), library);
    return tct_arena_strdup(&e->module->arena, tct_elab_beside(e, path));
}

static bool tensor_arg(tct_elab *e, const tct_item *item, const tct_param *p, tct_val *v, tct_value *out,
                       tct_span span, tct_scope *caller) {
    tct_dtype dtype;
    if (!p->type || !tct_elab_dtype_name(p->type->name.text, &dtype))
        return tct_elab_error(e, "E0333", p->name.span, "%s can be called in stages only: %s is no tensor",
                              item->name.text, p->name.text);
    if (v->kind == V_ERROR) return false;
    *out = tct_elab_operand(e, v, dtype, span);
    if (*out == TCT_NO_VALUE) return false;
    const tct_node *n = tct_elab_node(e, *out);
    if (n->dtype != dtype || n->n_axes != p->type->n_axes) {
        tct_elab_error(e, "E0333", span, "%s of %s is %s with %u axes, found %s", p->name.text,
                       item->name.text, p->type->name.text, p->type->n_axes,
                       tct_val_describe(e, tct_val_tensor(e, *out, span)));
        return false;
    }
    for (uint32_t i = 0; i < p->type->n_axes; i++) {
        const char *want = p->type->axes[i].name.text;
        bool found = false;
        for (uint32_t k = 0; k < n->n_axes && !found; k++) {
            tct_scope *inner = e->scope;
            e->scope = caller;
            const char *name = tct_axis_local_name(e, n->axes[k]);
            e->scope = inner;
            if (strcmp(name, want) != 0) continue;
            if (!tct_scope_bind_axis(e, want, n->axes[k], span)) return false;
            found = true;
        }
        if (!found) {
            tct_elab_error(e, "E0334", span, "%s of %s lacks the axis %s, found %s", p->name.text,
                           item->name.text, want, tct_val_describe(e, tct_val_tensor(e, *out, span)));
            tct_elab_note(e, p->type->span, "declared here");
            return false;
        }
    }
    return true;
}

tct_val *tct_elab_foreign(tct_elab *e, const tct_item *item, tct_actual *actuals, uint32_t n, tct_span span) {
    if (!e->builder) {
        tct_elab_error(e, "E0343", span, "%s works on tensors, and there are none outside of graphs",
                       item->name.text);
        return tct_val_error(e);
    }
    int32_t *which = TCT_NEW_ARRAY(&e->arena, int32_t, item->n_params + 1);
    if (!tct_elab_match(e, item->name.text, item->params, item->n_params, actuals, n, span, which))
        return tct_val_error(e);
    tct_value *in = TCT_NEW_ARRAY(&e->arena, tct_value, item->n_params + 1);
    for (uint32_t k = 0; k < item->n_params; k++)
        if (which[k] >= 0 && !actuals[which[k]].val)
            actuals[which[k]].val = tct_elab_expr(e, actuals[which[k]].expr);
    tct_scope *caller = e->scope;
    tct_scope *f = tct_scope_push(e, true);
    f->item = item;
    f->call = span;
    bool ok = true;
    tct_graph *body = tct_graph_new(e->module, "types");
    for (uint32_t k = 0; k < item->n_params && ok; k++) {
        const tct_param *p = &item->params[k];
        tct_val *v = which[k] < 0 ? tct_elab_expr(e, p->value) : actuals[which[k]].val;
        ok = tensor_arg(e, item, p, v, &in[k], span, caller);
        if (!ok) break;
        // The function sees each operand row-major in the order that its declaration names the axes.
        tct_axis axes[TCT_IR_MAX_AXES];
        for (uint32_t i = 0; i < p->type->n_axes; i++)
            axes[i] = tct_scope_find(e, p->type->axes[i].name.text, true)->val->axis;
        body->span = p->name.span;
        tct_ir_input(body, tct_arena_strdup(&e->module->arena, p->name.text),
                     (tct_dtype)tct_elab_node(e, in[k])->dtype, axes, p->type->n_axes);
    }
    for (uint32_t r = 0; r < item->n_results && ok; r++) {
        const tct_type *t = item->results[r].type;
        tct_dtype dtype;
        if (!tct_elab_dtype_name(t->name.text, &dtype)) {
            ok = tct_elab_error(e, "E0333", t->span, "%s can be called in stages only: it gives no tensor",
                                item->name.text);
            break;
        }
        tct_axis axes[TCT_IR_MAX_AXES];
        for (uint32_t i = 0; i < t->n_axes && ok; i++) ok = result_axis(e, &t->axes[i], &axes[i]);
        if (!ok) break;
        const char *name = item->results[r].name.text ? item->results[r].name.text : "out";
        name = tct_arena_strdup(&e->module->arena, name);
        ok = tct_elab_shape(e, axes, t->n_axes, t->span);
        if (!ok) break;
        body->span = t->span;
        tct_ir_output(body, name, tct_ir_broadcast(body, tct_ir_const(body, dtype, 0), axes, t->n_axes), -1);
    }
    tct_val *out = tct_val_error(e);
    if (ok) {
        tct_ir_attr attr = {.body = body, .i = (int64_t)item->n_results};
        attr.name = tct_arena_printf(&e->module->arena, item->gradient.text ? "%s:%s:%s" : "%s:%s",
                                     tct_elab_library(e, item), item->name.text, item->gradient.text);
        size_t before = e->d->messages.len;
        tct_elab_at(e, span);
        tct_value v = tct_ir_emit(e->builder->graph, e->d, TCT_IR_FOREIGN, in, item->n_params, &attr);
        tct_elab_after_report(e, before);
        if (v != TCT_NO_VALUE && item->n_results == 1 && !item->results[0].name.text)
            out = tct_val_tensor(e, tct_ir_get(e->builder->graph, v, 0), span);
        else if (v != TCT_NO_VALUE) {
            out = tct_val_new(e, V_STRUCT, span);
            for (uint32_t r = 0; r < item->n_results; r++)
                tct_val_add_field(e, out, item->results[r].name.text ? item->results[r].name.text : "out",
                                  tct_val_tensor(e, tct_ir_get(e->builder->graph, v, r), span));
        }
    }
    if (ok) tct_elab_export_axes(e, item, caller);
    tct_scope_pop(e);
    return out;
}
