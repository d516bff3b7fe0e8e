// What names of stage code stand for. A `let` keeps its value whatever is assigned later, and a `var` has
// registers of its own: numbers, strings, lists and tensors are values, models and data sets are references.
#include "frontend/stage_internal.h"

#include <string.h>

static bool is_static(const tct_val *v) {
    return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_BOOL || v->kind == V_STRING;
}

static bool is_record(const tct_val *v) { return v->kind == V_STRUCT && !v->model && !v->has_reg; }

static bool is_model(const tct_val *v) { return v->kind == V_STRUCT && v->model && v->has_reg; }

static bool is_variable(const tct_elab *e, uint32_t reg) {
    for (size_t i = e->stage->variables.len; i-- > 0;)
        if (e->stage->variables.data[i] == reg) return true;
    return false;
}

static void move(tct_elab *e, uint32_t to, uint32_t from, tct_span span) {
    if (tct_stage_type(e, from)->kind == TCT_KIND_LIST) tct_stage_same_list(e, to, from);
    tct_stage_emit(e, TCT_I_MOVE, to, from, 0, 0, span);
}

// A copy in a register of its own.
static tct_val *copied(tct_elab *e, tct_val *v, const char *name, tct_span span) {
    tct_reg_type t = *tct_stage_type(e, v->reg);
    t.name = name;
    uint32_t reg = tct_stage_reg(e, t);
    move(e, reg, v->reg, span);
    return v->kind == V_REG ? tct_stage_reg_val(e, reg, span) : tct_stage_model_like(e, v, reg);
}

tct_val *tct_stage_read_param(tct_elab *e, const tct_val *param, tct_span span) {
    stage_run *run = TCT_NEW(&e->arena, stage_run);
    uint32_t n_random = e->n_random;
    tct_builder *outer = e->builder, *b = tct_stage_graph_begin(e, run, span);
    tct_bind bind = {.kind = TCT_BIND_PARAM, .reg = param->reg, .index = (uint32_t)param->i};
    tct_value x = tct_stage_input(e, b, run, "p", param->dtype, param->param_axes, param->n_param_axes, bind);
    tct_val *v = tct_val_tensor(e, x, span);
    e->builder = outer;
    e->n_random = n_random;
    return tct_stage_graph_end(e, b, run, v, span);
}

tct_val *tct_stage_snapshot(tct_elab *e, tct_val *v, const char *name, tct_span span) {
    if (v->kind == V_PARAM) return tct_stage_read_param(e, v, span);
    if (v->kind == V_REG || is_model(v)) return is_variable(e, v->reg) ? copied(e, v, name, span) : v;
    if (v->kind == V_LIST) {
        tct_val *out = tct_val_new(e, V_LIST, v->span);
        out->items = TCT_NEW_ARRAY(&e->arena, tct_val *, v->n_items + 1);
        out->n_items = v->n_items;
        for (uint32_t i = 0; i < v->n_items; i++)
            out->items[i] = tct_stage_snapshot(e, v->items[i], name, span);
        return out;
    }
    if (is_record(v)) {
        tct_val *out = tct_val_new(e, V_STRUCT, v->span);
        for (uint32_t i = 0; i < v->n_fields; i++)
            tct_val_keep_field(e, out, &v->fields[i], tct_stage_snapshot(e, v->fields[i].val, name, span));
        return out;
    }
    return v;
}

tct_val *tct_stage_variable(tct_elab *e, tct_val *v, const char *name, tct_span span) {
    if (v->kind == V_PARAM) v = tct_stage_read_param(e, v, span);
    if (is_record(v)) {
        tct_val *out = tct_val_new(e, V_STRUCT, span);
        for (uint32_t i = 0; i < v->n_fields; i++)
            tct_val_keep_field(e, out, &v->fields[i], tct_stage_variable(e, v->fields[i].val, name, span));
        return out;
    }
    if (v->kind == V_LIST || is_static(v)) {
        uint32_t reg = tct_stage_load(e, v, tct_stage_kind(e, v), span);
        if (reg == NO_REG) return tct_val_error(e);
        v = tct_stage_reg_val(e, reg, span);
    }
    if (v->kind != V_REG && !is_model(v)) return v; // tokenizers, data sets, optimizers, parts of models
    tct_val *out = copied(e, v, name, span);
    TCT_PUSH(&e->stage->variables, out->reg);
    return out;
}

static bool other_type(tct_elab *e, const tct_val *to, const tct_val *v, tct_span span) {
    return tct_elab_error(e, "E0502", span, "the variable is %s, the value %s", tct_val_describe(e, to),
                          tct_val_describe(e, v));
}

static bool same_tensor(const tct_val *a, const tct_val *b) {
    return b->kind == V_REG && b->is_tensor_reg && b->dtype == a->dtype &&
           b->n_param_axes == a->n_param_axes &&
           (b->n_param_axes == 0 ||
            memcmp(b->param_axes, a->param_axes, b->n_param_axes * sizeof *b->param_axes) == 0);
}

static bool store(tct_elab *e, tct_val *to, tct_val *v, tct_span span) {
    if (v->kind == V_ERROR || to->kind == V_ERROR) return false;
    if (is_record(to)) {
        if (!is_record(v) || v->n_fields != to->n_fields) return other_type(e, to, v, span);
        for (uint32_t i = 0; i < to->n_fields; i++) {
            tct_val **f = tct_val_field(v, to->fields[i].name);
            if (!f) {
                tct_elab_error(e, "E0502", span, "the variable has the field `%s`, the value %s",
                               to->fields[i].name, tct_val_fields(e, v));
                return false;
            }
            if (!store(e, to->fields[i].val, *f, span)) return false;
        }
        return true;
    }
    if (is_model(to)) {
        if (!is_model(v) || tct_stage_type(e, to->reg)->table != tct_stage_type(e, v->reg)->table)
            return other_type(e, to, v, span);
        move(e, to->reg, v->reg, span);
        return true;
    }
    if (to->kind != V_REG)
        return tct_elab_error(e, "E0502", span,
                              "%s can't be replaced: only numbers, strings, lists, tensors "
                              "and models are stored in variables",
                              tct_val_describe(e, to));
    if (to->is_tensor_reg) {
        if (!same_tensor(to, v)) return other_type(e, to, v, span);
        move(e, to->reg, v->reg, span);
        return true;
    }
    const tct_reg_type t = *tct_stage_type(e, to->reg);
    uint32_t from = tct_stage_load(e, v, (tct_kind)t.kind, span);
    if (from == NO_REG) return false;
    if (t.kind == TCT_KIND_LIST && !tct_stage_same_list(e, to->reg, from))
        return tct_elab_error(e, "E0502", span, "the variable is a list with elements of another type");
    move(e, to->reg, from, span);
    return true;
}

bool tct_stage_store(tct_elab *e, tct_val *to, tct_val *v, tct_span span) {
    if (v->kind == V_PARAM) v = tct_stage_read_param(e, v, span);
    // A structure may be made of the fields that it replaces.
    if (is_record(v)) v = tct_stage_snapshot(e, v, NULL, span);
    return store(e, to, v, span);
}

tct_kind tct_stage_declared_kind(const tct_type *t, tct_kind *element) {
    *element = TCT_KIND_NONE;
    const char *n = t ? t->name.text : "";
    if (strcmp(n, "int") == 0) return TCT_KIND_INT;
    if (strcmp(n, "float") == 0) return TCT_KIND_FLOAT;
    if (strcmp(n, "bool") == 0 && !t->has_axes) return TCT_KIND_BOOL;
    if (strcmp(n, "string") == 0 || strcmp(n, "path") == 0) return TCT_KIND_STRING;
    if (strcmp(n, "list") != 0 || !t->element) return TCT_KIND_NONE;
    tct_kind inner;
    *element = tct_stage_declared_kind(t->element, &inner);
    return TCT_KIND_LIST;
}

// Whether a tensor has the dtype and the axes that its type names.
static bool tensor_fits(tct_elab *e, const tct_val *v, const tct_type *t) {
    if (!(v->kind == V_PARAM || (v->kind == V_REG && v->is_tensor_reg))) return false;
    if (strcmp(tct_dtype_name(v->dtype), t->name.text) != 0) return false;
    if (t->rest ? v->n_param_axes < t->n_axes : v->n_param_axes != t->n_axes) return false;
    for (uint32_t i = 0; i < t->n_axes; i++) {
        bool found = false;
        for (uint32_t k = 0; k < v->n_param_axes; k++)
            found |= strcmp(tct_axis_of(e->module, v->param_axes[k])->name, t->axes[i].name.text) == 0;
        if (!found) return false;
    }
    return true;
}

tct_val *tct_stage_as_declared(tct_elab *e, tct_val *v, const tct_type *t, const char *what, tct_span span) {
    if (v->kind == V_ERROR) return v;
    tct_kind element, want = tct_stage_declared_kind(t, &element), have = tct_stage_kind(e, v);
    tct_dtype dtype;
    const tct_item *item;
    bool fits = true;
    if (want == TCT_KIND_FLOAT && v->kind == V_INT) {
        tct_val *f = tct_val_float(e, (double)v->i, v->span);
        f->from = v->from;
        return f;
    }
    if (want == TCT_KIND_FLOAT && have == TCT_KIND_INT) return tct_stage_as_float(e, v, span);
    if (want == TCT_KIND_LIST && have == TCT_KIND_LIST) {
        uint32_t reg = tct_stage_load(e, v, TCT_KIND_LIST, span);
        if (reg == NO_REG) return tct_val_error(e);
        v = tct_stage_reg_val(e, reg, span);
        tct_kind inner = TCT_KIND_NONE;
        if (element == TCT_KIND_LIST) inner = tct_stage_declared_kind(t->element->element, &(tct_kind){0});
        if (element != TCT_KIND_NONE && tct_stage_list_of(e, reg, element, inner)) return v;
        fits = false;
    } else if (want != TCT_KIND_NONE) {
        fits = have == want;
    } else if (tct_elab_dtype_name(t->name.text, &dtype)) {
        bool number = t->n_axes == 0 && !t->rest && (have == TCT_KIND_INT || have == TCT_KIND_FLOAT);
        fits = number || tensor_fits(e, v, t); // a tensor without axes is a number here
    } else if ((item = tct_elab_item(e, t->name.text)) && item->kind == TCT_ITEM_MODEL) {
        fits = v->kind == V_STRUCT && v->model == item;
    }
    if (fits) return v;
    const char *name = t->name.text;
    tct_elab_error(e, "E0502", span, "%s is %s %s%s, found %s", what, strcmp(name, "int") == 0 ? "an" : "a",
                   name,
                   t->has_axes             ? " tensor with the declared axes"
                   : want == TCT_KIND_LIST ? " of the declared type"
                                           : "",
                   tct_val_describe(e, v));
    tct_elab_note(e, t->span, "declared here");
    return tct_val_error(e);
}
