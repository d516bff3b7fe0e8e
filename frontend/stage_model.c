// Models and optimizers of a program.
#include "base/file.h"
#include "frontend/stage_internal.h"

#include <string.h>

typedef struct leaves {
    TCT_VEC(tct_model_param) params;
    TCT_VEC(tct_val *) vals;
    uint32_t reg;
    bool ok;
} leaves;

static tct_val *stage_leaf(tct_elab *e, void *ctx, const char *path, const tct_member *m, tct_dtype dtype,
                           const tct_axis *axes, uint32_t n, tct_scope *scope, const char *file_prefix) {
    (void)scope;
    leaves *l = ctx;
    for (uint32_t i = 0; i < n; i++)
        if (tct_axis_of(e->module, axes[i])->size == 0) {
            tct_elab_error(e, "E0302", m->span, "axis %s of %s has no size, which memory needs",
                           tct_axis_of(e->module, axes[i])->name, path);
            tct_elab_help(e, "axis %s = …", tct_axis_of(e->module, axes[i])->name);
            return tct_val_error(e);
        }
    tct_model_param p;
    if (!tct_elab_shape(e, axes, n, m->span)) return tct_val_error(e);
    if (!tct_elab_model_param(e, path, m, dtype, axes, n, file_prefix, &p)) return tct_val_error(e);
    TCT_PUSH(&l->params, p);
    tct_val *v = tct_val_new(e, V_PARAM, m->name.span);
    v->reg = l->reg;
    v->i = (int64_t)l->vals.len;
    v->dtype = dtype;
    tct_axis *kept = TCT_NEW_ARRAY(&e->arena, tct_axis, n + 1);
    if (n) memcpy(kept, axes, n * sizeof *kept);
    v->param_axes = kept;
    v->n_param_axes = n;
    TCT_PUSH(&l->vals, v);
    return v;
}

stage_model *tct_stage_model_of(const tct_val *v) {
    return v->kind == V_STRUCT && v->model && v->has_reg ? (stage_model *)(uintptr_t)v->data : NULL;
}

// Hyper-parameters that config.json of a folder gives: keys mapped to a bare name.
static bool folder_arguments(tct_elab *e, const tct_item *item, const char *folder, tct_actual *args,
                             uint32_t *n, tct_span span) {
    const tct_member *hf = tct_model_member(item, TCT_MEMBER_HUGGINGFACE);
    if (!hf) {
        tct_elab_error(e, "E0504", span, "%s has no huggingface member, so it can't be read from a folder",
                       item->name.text);
        tct_elab_note(e, item->name.span, "declared here");
        return false;
    }
    for (uint32_t i = 0; i < hf->n_args; i++) {
        const tct_expr *x = hf->args[i].value;
        if (x->kind != TCT_EXPR_NAME) continue;
        const tct_param *p = NULL;
        for (uint32_t k = 0; k < item->n_params && !p; k++)
            if (strcmp(item->params[k].name.text, x->name.text) == 0) p = &item->params[k];
        const char *text = NULL;
        if (!p) continue;
        if (!e->stage->hooks->folder_value(e->stage->hooks->ctx, e->d, folder, hf->args[i].name.text,
                                           &text)) {
            tct_note_at(e->d, span, "the sizes of this model are read when the program is compiled");
            return false;
        }
        if (!text) continue;
        bool given = false;
        for (uint32_t k = 0; k < *n; k++)
            given |= args[k].name.text && strcmp(args[k].name.text, p->name.text) == 0;
        if (given) continue;
        tct_val *v = tct_elab_literal(e, p->type ? p->type->name.text : "int", text, span);
        if (!v)
            return tct_elab_error(e, "E0504", span, "config.json in %s: %s is %s, and %s of %s is %s", folder,
                                  hf->args[i].name.text, text, p->name.text, item->name.text,
                                  p->type ? p->type->name.text : "int");
        args[*n].name = p->name;
        args[(*n)++].val = v;
    }
    return true;
}

static tct_val *instance(tct_elab *e, const tct_item *item, const tct_actual *args, uint32_t n, uint32_t reg,
                         leaves *l, tct_span span) {
    l->reg = reg;
    tct_val *v = tct_elab_model(e, item, args, n, "", "", false, stage_leaf, l, span);
    if (v->kind == V_ERROR) return v;
    stage_model *m = TCT_NEW(&e->arena, stage_model);
    m->n_leaves = (uint32_t)l->vals.len;
    m->leaves = TCT_NEW_ARRAY(&e->arena, tct_val *, l->vals.len + 1);
    if (l->vals.len) memcpy(m->leaves, l->vals.data, l->vals.len * sizeof *m->leaves);
    v->has_reg = true;
    v->reg = reg;
    v->data = m;
    return v;
}

// File prefix of top-level parts: "transformer" for `as "transformer"`. The part's own prefix is given by
// elab_model.
tct_val *tct_stage_new_model(tct_elab *e, const tct_item *item, const tct_expr *call) {
    tct_actual *args = TCT_NEW_ARRAY(&e->arena, tct_actual, call->n_args + item->n_params + 64);
    uint32_t n = 0;
    tct_val *seed = NULL, *from = NULL;
    for (uint32_t i = 0; i < call->n_args; i++) {
        const tct_arg *a = &call->args[i];
        tct_val *v = tct_stage_value(e, a->value);
        if (v->kind == V_ERROR) return v;
        if (a->name.text && strcmp(a->name.text, "seed") == 0)
            seed = v;
        else if (a->name.text && strcmp(a->name.text, "from") == 0) {
            from = v;
            if (a->value->kind == TCT_EXPR_STRING &&
                e->file) // as every path, relative to the file that says it
                from = tct_elab_path(e, e->file, v->s, v->span);
        } else {
            args[n].name = a->name;
            args[n].expr = a->value;
            args[n++].val = v;
        }
    }
    // The folder may be another when the program runs: what is settled here are the sizes.
    if (from && tct_val_is_config(from) && !from->fold) // can't be computed: it is to be told why
        from = tct_elab_fix(e, from, call->span, "is the folder of a model");
    if (from && from->kind == V_ERROR) return from;
    if (from && tct_val_static_kind(e, from) != V_STRING) {
        tct_elab_error(e, "E0337", call->span, "the folder of a model must be known at compile time");
        return tct_val_error(e);
    }
    if (from && !folder_arguments(e, item, from->fold ? from->fold->s : from->s, args, &n, call->span))
        return tct_val_error(e);
    const tct_config_set *sizes = from ? from->from : NULL;
    for (uint32_t i = 0; i < n; i++) sizes = tct_config_union(e, sizes, args[i].val->from);
    tct_reg_type t = {.kind = TCT_KIND_MODEL, .table = (uint32_t)e->stage->models.len};
    uint32_t reg = tct_stage_reg(e, t);
    leaves l = {0};
    tct_val *v = instance(e, item, args, n, reg, &l, call->span);
    tct_model_desc d = {
        .type = item->name.text, .n_params = (uint32_t)l.params.len, .sizes = tct_stage_decided(sizes)};
    tct_model_param *params = TCT_NEW_ARRAY(&e->arena, tct_model_param, l.params.len + 1);
    if (l.params.len) memcpy(params, l.params.data, l.params.len * sizeof *params);
    d.params = params;
    TCT_VEC_FREE(&l.params);
    TCT_VEC_FREE(&l.vals);
    if (v->kind == V_ERROR || !tct_elab_model_config(e, item, v, &d)) return tct_val_error(e);
    TCT_PUSH(&e->stage->models, d);
    ((stage_model *)(uintptr_t)v->data)->table = t.table;
    uint32_t seed_reg =
        tct_stage_load(e, seed ? seed : tct_val_int(e, 0, call->span), TCT_KIND_INT, call->span);
    uint32_t from_reg = from ? tct_stage_load(e, from, TCT_KIND_STRING, call->span) : NO_REG;
    tct_stage_emit(e, TCT_I_MODEL, reg, t.table, seed_reg, from_reg, call->span);
    return v;
}

static tct_val *moved(tct_elab *e, const tct_val *v, uint32_t reg, tct_val **leaf_out) {
    tct_val *c = TCT_NEW(&e->arena, tct_val);
    *c = *v;
    if (v->kind == V_PARAM) {
        c->reg = reg;
        leaf_out[v->i] = c;
    }
    if (v->kind == V_LIST) {
        c->items = TCT_NEW_ARRAY(&e->arena, tct_val *, v->n_items + 1);
        for (uint32_t i = 0; i < v->n_items; i++) c->items[i] = moved(e, v->items[i], reg, leaf_out);
    }
    if (v->kind == V_STRUCT) {
        c->fields = TCT_NEW_ARRAY(&e->arena, tct_field, v->n_fields + 1);
        for (uint32_t i = 0; i < v->n_fields; i++)
            c->fields[i] =
                (tct_field){.name = v->fields[i].name, .val = moved(e, v->fields[i].val, reg, leaf_out)};
    }
    return c;
}

tct_val *tct_stage_model_like(tct_elab *e, const tct_val *model, uint32_t reg) {
    const stage_model *from = model->data;
    stage_model *m = TCT_NEW(&e->arena, stage_model);
    *m = *from;
    m->leaves = TCT_NEW_ARRAY(&e->arena, tct_val *, from->n_leaves + 1);
    tct_val *v = moved(e, model, reg, m->leaves);
    v->reg = reg;
    v->data = m;
    return v;
}

tct_val *tct_stage_new_optimizer(tct_elab *e, const tct_item *item, const tct_expr *call) {
    stage_optimizer *o = TCT_NEW(&e->arena, stage_optimizer);
    o->item = item;
    o->models = TCT_NEW_ARRAY(&e->arena, tct_val *, call->n_args + 1);
    o->fixed_val = TCT_NEW_ARRAY(&e->arena, tct_val *, call->n_args + 1);
    tct_arg *fixed = TCT_NEW_ARRAY(&e->arena, tct_arg, call->n_args + 1);
    tct_optimizer_desc d = {.type = item->name.text};
    uint32_t n_params = 0;
    for (uint32_t i = 0; i < call->n_args; i++) {
        const tct_arg *a = &call->args[i];
        tct_val *v = tct_stage_value(e, a->value);
        if (v->kind == V_ERROR) return v;
        if (a->name.text) {
            fixed[o->n_fixed] = *a;
            o->fixed_val[o->n_fixed++] = v;
            continue;
        }
        if (!tct_stage_model_of(v)) {
            tct_elab_error(e, "E0505", a->value->span, "%s is made for models, found %s", item->name.text,
                           tct_val_describe(e, v));
            tct_elab_help(e, "let opt = %s(policy); rates are given where it is used: with opt(lr = …)",
                          item->name.text);
            return tct_val_error(e);
        }
        o->models[o->n_models++] = v;
        n_params += tct_stage_model_of(v)->n_leaves;
    }
    o->fixed = fixed;
    if (o->n_models == 0) {
        tct_elab_error(e, "E0505", call->span, "%s needs the models that it is to train", item->name.text);
        tct_elab_help(e, "let opt = %s(policy)", item->name.text);
        return tct_val_error(e);
    }
    uint32_t *models = TCT_NEW_ARRAY(&e->arena, uint32_t, o->n_models),
             *pm = TCT_NEW_ARRAY(&e->arena, uint32_t, n_params + 1),
             *pi = TCT_NEW_ARRAY(&e->arena, uint32_t, n_params + 1);
    for (uint32_t m = 0; m < o->n_models; m++) {
        models[m] = o->models[m]->reg;
        for (uint32_t k = 0; k < tct_stage_model_of(o->models[m])->n_leaves; k++) {
            pm[d.n_params] = m;
            pi[d.n_params++] = k;
        }
    }
    const char **names = TCT_NEW_ARRAY(&e->arena, const char *, item->body->n_stmts + 1);
    double *init = TCT_NEW_ARRAY(&e->arena, double, item->body->n_stmts + 1);
    struct tct_stage_state *s = e->stage;
    for (uint32_t i = 0; i < item->body->n_stmts; i++) {
        const tct_stmt *st = item->body->stmts[i];
        if (st->kind != TCT_STMT_STATE) continue;
        e->stage = NULL;
        tct_val *v = tct_elab_static(e, st->value, V_FLOAT, "is the first value of an optimizer's state");
        e->stage = s;
        if (!v) return tct_val_error(e);
        names[d.n_states] = st->names[0].text;
        init[d.n_states++] = v->f;
    }
    d.n_models = o->n_models;
    d.models = models;
    d.param_model = pm;
    d.param_index = pi;
    d.state_name = names;
    d.state_init = init;
    o->table = (uint32_t)s->optimizers.len;
    TCT_PUSH(&s->optimizers, d);
    tct_reg_type t = {.kind = TCT_KIND_OPTIMIZER, .table = o->table};
    o->reg = tct_stage_reg(e, t);
    tct_stage_emit(e, TCT_I_OPTIMIZER, o->reg, o->table, 0, 0, call->span);
    tct_val *v = tct_val_new(e, V_OPAQUE, call->span);
    v->s = "an optimizer";
    v->reg = o->reg;
    v->data = o;
    return v;
}
