// Whole graphs with inputs for their parameters, for eval, dump and check.
#include "frontend/elab_internal.h"
#include "runtime/program.h"

#include <string.h>

tct_elab *tct_elab_new(tct_diag *d, const tct_package *package, const tct_setting *sets, size_t n_sets) {
    tct_elab *e = tct_alloc(sizeof *e);
    e->d = d;
    e->package = package;
    e->index = package->index;
    tct_ir_module *scratch =
        tct_ir_module_new(); // config expressions make no tensors, but name axes in messages
    e->module = scratch;
    tct_elab_items(e);
    tct_elab_config(e, sets, n_sets);
    e->sound = tct_elab_declarations(e);
    e->module = NULL;
    tct_ir_module_free(scratch);
    return e;
}

void tct_elab_free(tct_elab *e) {
    TCT_VEC_FREE(&e->config);
    TCT_VEC_FREE(&e->graph_models);
    tct_arena_free(&e->arena);
    tct_heap_free(e);
}

static const tct_item *find_graph(tct_elab *e, const char *name) {
    const tct_item *item = tct_elab_item(e, name);
    if (item && item->kind == TCT_ITEM_GRAPH) return item;
    TCT_VEC(const char *) names = {0};
    for (size_t f = 0; f < e->package->files.len; f++)
        for (uint32_t i = 0; i < e->package->files.data[f]->n_items; i++)
            if (e->package->files.data[f]->items[i]->kind == TCT_ITEM_GRAPH)
                TCT_PUSH(&names, e->package->files.data[f]->items[i]->name.text);
    tct_error(e->d, "E0201", item ? item->name.span : TCT_NO_SPAN,
              item ? "`%s` is no graph" : "unknown graph `%s`", name);
    const char *near = tct_nearest(name, names.data, names.len);
    if (near) tct_help(e->d, "did you mean `%s`?", near);
    TCT_VEC_FREE(&names);
    return NULL;
}

// The first of that name counts; what repeats it is used as well.
static const char *setting(tct_elab *e, const char *name) {
    const char *value = NULL;
    bool found = false;
    for (size_t i = 0; i < e->n_settings; i++)
        if (strcmp(e->settings[i].name, name) == 0) {
            e->setting_used[i] = true;
            if (!found) value = e->settings[i].value;
            found = true;
        }
    return value;
}

// Left out, so that the default is taken.
static bool left_out(tct_elab *e, const tct_param *p) {
    for (size_t i = 0; p->value && i < e->n_settings; i++)
        if (!e->settings[i].value && strcmp(e->settings[i].name, p->name.text) == 0) return true;
    return false;
}

// Binds an axis of the graph: with the size that a setting gives, else `declared` (NULL: unknown).
static bool sized_axis(tct_elab *e, const char *name, const tct_expr *declared, tct_span span) {
    tct_scope *f = tct_scope_function(e);
    for (size_t i = 0; i < f->symbols.len; i++)
        if (f->symbols.data[i].is_axis && strcmp(f->symbols.data[i].name, name) == 0) return true;
    const char *text = setting(e, name);
    int64_t size = 0;
    if (text) {
        tct_val *v = tct_elab_literal(e, "int", text, span);
        if (!v || v->i < 1) return tct_elab_error(e, "E0302", span, "axis %s can't have size %s", name, text);
        size = v->i;
    } else if (declared) {
        tct_val *v = tct_elab_static(e, declared, V_INT, tct_elab_sizes_axis(e, name));
        if (!v) return false;
        if (v->known && v->i < 1)
            return tct_elab_error(e, "E0302", declared->span, "an axis has at least one position, found %lld",
                                  (long long)v->i);
        size = v->known ? v->i : 0;
    }
    return tct_scope_bind_axis(e, name, tct_axis_get(e->module, name, size), span);
}

static bool axis_from_settings(tct_elab *e, const char *name, tct_span span) {
    return sized_axis(e, name, NULL, span);
}

typedef struct leaves {
    TCT_VEC(tct_model_param) params;
} leaves;

static tct_val *input_leaf(tct_elab *e, void *ctx, const char *path, const tct_member *member,
                           tct_dtype dtype, const tct_axis *axes, uint32_t n, tct_scope *scope,
                           const char *file_prefix) {
    (void)scope;
    leaves *l = ctx;
    tct_model_param p;
    if (!tct_elab_shape(e, axes, n, member->span) ||
        !tct_elab_model_param(e, path, member, dtype, axes, n, file_prefix, &p))
        return tct_val_error(e);
    TCT_PUSH(&l->params, p);
    tct_elab_at(e, member->name.span);
    return tct_val_tensor(e, tct_ir_input(e->builder->graph, path, dtype, axes, n), member->name.span);
}

// The arguments that a model's `decode` member gives to the structure it keeps, in terms of that model.
static uint32_t decoder_arguments(tct_elab *e, const tct_member *decoder, const tct_val *decoding,
                                  const tct_item *model, tct_actual *out) {
    uint32_t n = decoder->n_args < model->n_params ? decoder->n_args : model->n_params;
    tct_scope_push(e, true);
    for (uint32_t i = 0; i < decoding->n_fields; i++)
        tct_scope_bind(e, decoding->fields[i].name, decoding->fields[i].val, decoder->span, false);
    for (uint32_t i = 0; i < n; i++) {
        out[i].name = decoder->args[i].name;
        out[i].val = tct_elab_expr(e, decoder->args[i].value);
    }
    tct_scope_pop(e);
    return n;
}

// Hyper-parameters of a model that is a parameter, from settings "m.layers"; the cache of a decode graph has
// the shape that the model it decodes says. `before`: values of the parameters before it. false after
// reporting.
static bool hyper_arguments(tct_elab *e, const tct_item *item, const tct_param *p, const tct_item *model,
                            tct_val *const *before, tct_actual *args, uint32_t *n) {
    for (uint32_t i = 0; i < model->n_params; i++) {
        const tct_param *h = &model->params[i];
        const char *text = setting(e, tct_arena_printf(&e->arena, "%s.%s", p->name.text, h->name.text));
        if (!text) continue;
        const char *type = h->type ? h->type->name.text : "int";
        tct_val *v = tct_elab_literal(e, type, text, p->name.span);
        if (!v)
            return tct_elab_error(e, "E0337", h->name.span, "%s.%s is %s, found %s", p->name.text,
                                  h->name.text, type, text);
        args[*n].name = h->name;
        args[(*n)++].val = v;
    }
    for (uint32_t i = 0; *n == 0 && item->params + i < p; i++)
        for (uint32_t k = 0; *n == 0 && before[i] && before[i]->model && k < before[i]->model->n_members;
             k++) {
            const tct_member *m = &before[i]->model->members[k];
            if (m->kind == TCT_MEMBER_DECODE && strcmp(m->type->name.text, model->name.text) == 0)
                *n = decoder_arguments(e, m, before[i], model, args);
        }
    return true;
}

static tct_val *model_param(tct_elab *e, const tct_item *item, const tct_param *p, const tct_item *model,
                            tct_val *const *before) {
    tct_actual *args = TCT_NEW_ARRAY(&e->arena, tct_actual, model->n_params + 1);
    uint32_t n = 0;
    if (!hyper_arguments(e, item, p, model, before, args, &n)) return tct_val_error(e);
    const char *path = tct_arena_strdup(&e->module->arena, p->name.text);
    tct_graph_model entry = {.name = path, .first_input = (uint32_t)e->builder->graph->inputs.len};
    leaves l = {0};
    tct_val *v = tct_elab_model(e, model, args, n, path, "", true, input_leaf, &l, p->name.span);
    tct_model_desc *desc = TCT_NEW(&e->arena, tct_model_desc);
    tct_model_param *params = TCT_NEW_ARRAY(&e->arena, tct_model_param, l.params.len + 1);
    if (l.params.len) memcpy(params, l.params.data, l.params.len * sizeof *params);
    *desc = (tct_model_desc){.type = model->name.text, .n_params = (uint32_t)l.params.len, .params = params};
    TCT_VEC_FREE(&l.params);
    if (v->kind == V_ERROR || !tct_elab_model_config(e, model, v, desc)) return tct_val_error(e);
    entry.desc = desc;
    TCT_PUSH(&e->graph_models, entry);
    return v;
}

static tct_val *static_param(tct_elab *e, const tct_param *p) {
    const char *text = setting(e, p->name.text);
    const char *type = p->type->name.text;
    if (text) {
        tct_val *v = tct_elab_literal(e, type, text, p->name.span);
        if (v) return v;
        tct_elab_error(e, "E0337", p->name.span, "%s is %s, found %s", p->name.text, type, text);
        return tct_val_error(e);
    }
    if (p->value) return tct_elab_expr(e, p->value);
    tct_val *v = strcmp(type, "float") == 0  ? tct_val_float(e, 1, p->name.span)
                 : strcmp(type, "bool") == 0 ? tct_val_bool(e, false, p->name.span)
                 : strcmp(type, "int") == 0  ? tct_val_int(e, 1, p->name.span)
                                             : tct_val_string(e, "", p->name.span);
    v->known = false;
    return v;
}

static bool is_static_type(const tct_type *t) {
    static const char *const names[] = {"int", "float", "string", "path"};
    if (strcmp(t->name.text, "bool") == 0) return !t->has_axes;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(t->name.text, names[i]) == 0) return true;
    return false;
}

static bool is_axis_kind(const tct_type *t) {
    return strcmp(t->name.text, "axis") == 0 || strcmp(t->name.text, "axes") == 0;
}

static bool tensor_type(const tct_type *t, tct_dtype *dtype) {
    if (is_static_type(t)) return false;
    if (strcmp(t->name.text, "real") == 0) {
        *dtype = TCT_F32;
        return true;
    }
    return tct_elab_dtype_name(t->name.text, dtype);
}

// Further axes of `..`: a setting "x.rest" by whoever knows the tensor; otherwise the graph's own parameters
// of type axes.
static bool rest_axes(tct_elab *e, const tct_item *item, const tct_param *p, tct_axis *axes, uint32_t *n) {
    const char *rest = setting(e, tct_arena_printf(&e->arena, "%s.rest", p->name.text));
    tct_buf names = {0};
    for (uint32_t i = 0; !rest && i < item->n_params; i++)
        if (item->params[i].type && strcmp(item->params[i].type->name.text, "axes") == 0)
            tct_buf_printf(&names, "%s%s", names.len ? " " : "", item->params[i].name.text);
    const char *list = rest ? rest : names.data ? names.data : "";
    bool ok = true;
    while (ok && *list && *n < TCT_IR_MAX_AXES) {
        size_t len = strcspn(list, " ");
        const char *name = tct_arena_strndup(&e->module->arena, list, len);
        ok = axis_from_settings(e, name, p->type->span);
        if (ok) axes[(*n)++] = tct_scope_find(e, name, true)->val->axis;
        list += len + (list[len] == ' ');
    }
    tct_buf_free(&names);
    return ok;
}

// A value for one parameter of the graph, as the caller of the expansion gives it.
static tct_val *argument(tct_elab *e, const tct_item *item, const tct_param *p, tct_val *const *before) {
    tct_dtype dtype;
    if (!p->type || is_axis_kind(p->type)) return NULL;
    if (is_static_type(p->type)) return static_param(e, p);
    if (tensor_type(p->type, &dtype)) {
        tct_axis axes[TCT_IR_MAX_AXES];
        uint32_t n = 0;
        if (p->type->n_axes > TCT_IR_MAX_AXES) {
            tct_elab_error(e, "E0331", p->type->span, "%u axes: a tensor has at most %d", p->type->n_axes,
                           TCT_IR_MAX_AXES);
            return tct_val_error(e);
        }
        if (p->type->rest && !rest_axes(e, item, p, axes, &n)) return tct_val_error(e);
        for (uint32_t i = 0; i < p->type->n_axes && n < TCT_IR_MAX_AXES; i++) {
            const tct_type_axis *a = &p->type->axes[i];
            if (!sized_axis(e, a->name.text, a->size, a->name.span)) return tct_val_error(e);
            axes[n++] = tct_scope_find(e, a->name.text, true)->val->axis;
        }
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t k = 0; k < i; k++)
                if (axes[i] == axes[k]) {
                    tct_elab_error(e, "E0330", p->type->span, "%s would have the axis %s twice", p->name.text,
                                   tct_axis_of(e->module, axes[i])->name);
                    return tct_val_error(e);
                }
        if (!tct_elab_shape(e, axes, n, p->type->span)) return tct_val_error(e);
        tct_elab_at(e, p->name.span);
        tct_value v = tct_ir_input(e->builder->graph, tct_arena_strdup(&e->module->arena, p->name.text),
                                   dtype, axes, n);
        return tct_val_tensor(e, v, p->name.span);
    }
    const tct_item *model = tct_elab_item(e, p->type->name.text);
    if (!model || model->kind != TCT_ITEM_MODEL) {
        tct_elab_error(e, "E0201", p->type->span, "unknown type or model `%s`", p->type->name.text);
        const char *near = tct_elab_suggest(e, p->type->name.text);
        if (near) tct_elab_help(e, "did you mean `%s`?", near);
        return tct_val_error(e);
    }
    return model_param(e, item, p, model, before);
}

tct_value tct_elab_reordered(tct_graph *g, tct_value v, const tct_axis *order) {
    const tct_node *n = tct_node_of(g, v); // moves when a node is made
    uint32_t n_axes = n->n_axes;
    if (memcmp(order, n->axes, n_axes * sizeof *order) == 0) return v;
    bool copy = n->op == TCT_IR_INPUT || n->op == TCT_IR_GET; // whose order is not theirs to choose
    for (size_t i = 0; i < g->outputs.len; i++) copy |= g->outputs.data[i].value == v;
    if (copy) {
        tct_ir_attr attr = {.dtype = (tct_dtype)n->dtype};
        v = tct_ir_emit(g, NULL, TCT_IR_CAST, &v, 1, &attr);
    }
    memcpy(g->nodes.data[v].axes, order, n_axes * sizeof *order);
    return v;
}

// The value with its axes in the order that the declared type names them: what leaves a graph has that order.
static tct_value in_declared_order(tct_elab *e, tct_value v, const tct_type *type) {
    tct_graph *g = e->builder->graph;
    const tct_node *n = tct_node_of(g, v);
    tct_axis order[TCT_IR_MAX_AXES];
    uint32_t k = 0;
    for (uint32_t i = 0; i < n->n_axes; i++) { // `..` comes first
        bool declared = false;
        for (uint32_t j = 0; j < type->n_axes; j++)
            declared |= strcmp(tct_axis_of(e->module, n->axes[i])->name, type->axes[j].name.text) == 0;
        if (!declared) order[k++] = n->axes[i];
    }
    for (uint32_t j = 0; j < type->n_axes; j++)
        for (uint32_t i = 0; i < n->n_axes; i++)
            if (strcmp(tct_axis_of(e->module, n->axes[i])->name, type->axes[j].name.text) == 0)
                order[k++] = n->axes[i];
    return k == n->n_axes ? tct_elab_reordered(g, v, order) : v;
}

// Outputs of a value: a tensor by its name, a structure's tensors dotted.
static void add_outputs(tct_elab *e, const char *name, tct_val *v, const tct_val *input,
                        const tct_type *type) {
    const char *kept = tct_arena_strdup(&e->module->arena, name);
    if (v->kind == V_TENSOR || v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_BOOL) {
        tct_value out = tct_elab_operand(e, v,
                                         v->kind == V_BOOL  ? TCT_BOOL
                                         : v->kind == V_INT ? TCT_I32
                                                            : TCT_F32,
                                         v->span);
        int32_t alias = -1;
        if (input && input->kind == V_TENSOR) {
            const tct_node *n = tct_node_of(e->builder->graph, input->value);
            alias = n->op == TCT_IR_INPUT ? (int32_t)n->attr.i : -1;
        }
        if (out != TCT_NO_VALUE && type) out = in_declared_order(e, out, type);
        if (out != TCT_NO_VALUE) tct_ir_output(e->builder->graph, kept, out, alias);
    }
    for (uint32_t i = 0; v->kind == V_STRUCT && i < v->n_fields; i++) {
        const tct_val *f = v->fields[i].val;
        if (v->model && f->kind != V_TENSOR && f->kind != V_STRUCT && f->kind != V_LIST)
            continue; // hyper-parameters
        tct_val **in = input ? tct_val_field(input, v->fields[i].name) : NULL;
        add_outputs(e, tct_arena_printf(&e->arena, "%s.%s", name, v->fields[i].name), v->fields[i].val,
                    in ? *in : NULL, NULL);
    }
    for (uint32_t i = 0; v->kind == V_LIST && i < v->n_items; i++)
        add_outputs(e, tct_arena_printf(&e->arena, "%s.%u", name, i), v->items[i],
                    input && i < input->n_items ? input->items[i] : NULL, NULL);
}

static tct_val *no_leaf(tct_elab *e, void *ctx, const char *path, const tct_member *member, tct_dtype dtype,
                        const tct_axis *axes, uint32_t n, tct_scope *scope, const char *file_prefix) {
    (void)ctx, (void)path, (void)dtype, (void)axes, (void)n, (void)scope, (void)file_prefix;
    return tct_val_new(e, V_NONE, member->name.span);
}

// The axes of models that are parameters, before tensors name them: the models know the sizes. A conflict
// between two models is told where they are bound in earnest.
static void bind_model_axes(tct_elab *e, const tct_item *item) {
    tct_val **seen = TCT_NEW_ARRAY(&e->arena, tct_val *, item->n_params + 1);
    for (uint32_t i = 0; i < item->n_params; i++) {
        const tct_param *p = &item->params[i];
        const tct_item *model = p->type ? tct_elab_item(e, p->type->name.text) : NULL;
        if (!model || model->kind != TCT_ITEM_MODEL) continue;
        tct_actual *args = TCT_NEW_ARRAY(&e->arena, tct_actual, model->n_params + 1);
        uint32_t n = 0;
        if (!hyper_arguments(e, item, p, model, seen, args, &n)) return;
        tct_val *v = seen[i] = tct_elab_model(e, model, args, n, "", "", true, no_leaf, NULL, p->name.span);
        for (uint32_t k = 0; v->kind == V_STRUCT && k < v->n_axes; k++)
            if (tct_axis_of(e->module, v->axes[k].axis)->size && !tct_scope_find(e, v->axes[k].name, true))
                tct_scope_bind_axis(e, v->axes[k].name, v->axes[k].axis, p->name.span);
    }
}

void tct_elab_build_model(tct_elab *e, const tct_item *item) {
    tct_builder top = {.kind = TCT_BUILD_TOP};
    top.graph = tct_graph_new(e->module, tct_arena_strdup(&e->module->arena, item->name.text));
    top.graph->span = item->name.span;
    e->builder = &top;
    leaves l = {0};
    tct_scope_push(e, true);
    tct_val *v = tct_elab_model(e, item, NULL, 0, item->name.text, "", true, input_leaf, &l, TCT_NO_SPAN);
    tct_model_desc desc = {0};
    if (v->kind != V_ERROR) tct_elab_model_config(e, item, v, &desc);
    tct_scope_pop(e);
    TCT_VEC_FREE(&l.params);
    e->builder = NULL;
}

tct_graph *tct_elab_build(tct_elab *e, const tct_item *item) {
    tct_builder top = {.kind = TCT_BUILD_TOP};
    e->graph_models.len = 0;
    top.graph = tct_graph_new(e->module, tct_arena_strdup(&e->module->arena, item->name.text));
    top.graph->span = item->name.span;
    size_t errors = tct_elab_faults(e);
    e->builder = &top;
    e->n_random = 0;
    tct_elab_new_graph(e);
    e->needs_size = TCT_NO_SPAN;
    e->file = tct_elab_item_file(e, item);
    tct_scope_push(e, true);
    // Sizes by name that no parameter has belong to axes that models leave open.
    for (size_t i = 0; i < e->n_settings; i++) {
        bool parameter = strchr(e->settings[i].name, '.') != NULL;
        for (uint32_t k = 0; k < item->n_params; k++)
            parameter |= strcmp(item->params[k].name.text, e->settings[i].name) == 0;
        if (!parameter)
            axis_from_settings(e, tct_arena_strdup(&e->module->arena, e->settings[i].name), item->name.span);
        e->setting_used[i] = false;
    }
    bind_model_axes(e, item);
    tct_actual *actuals = TCT_NEW_ARRAY(&e->arena, tct_actual, item->n_params + 1);
    tct_val **before = TCT_NEW_ARRAY(&e->arena, tct_val *, item->n_params + 1),
            **after = TCT_NEW_ARRAY(&e->arena, tct_val *, item->n_params + 1);
    bool ok = true;
    uint32_t n = 0;
    for (uint32_t i = 0; i < item->n_params; i++) {
        const tct_param *p = &item->params[i];
        if (p->type && is_axis_kind(p->type)) { // the axis of that name
            if (!axis_from_settings(e, p->name.text, p->name.span)) ok = false;
            tct_expr *x = TCT_NEW(&e->arena, tct_expr);
            *x = (tct_expr){.kind = TCT_EXPR_NAME, .name = p->name, .span = p->name.span};
            actuals[n].name = p->name;
            actuals[n++].expr = x;
            continue;
        }
        if (left_out(e, p)) continue;
        tct_val *v = p->type ? argument(e, item, p, before) : tct_val_error(e);
        ok &= v->kind != V_ERROR;
        before[i] = v;
        after[i] = v;
        actuals[n].name = p->name;
        actuals[n].val = v;
        actuals[n++].place = p->inout ? &after[i] : NULL;
    }
    if (ok) {
        tct_val *out = tct_elab_expand(e, item, actuals, n, NULL, 0, TCT_NO_SPAN);
        if (out->kind == V_STRUCT && !out->model)
            for (uint32_t i = 0; i < out->n_fields; i++)
                add_outputs(e, out->fields[i].name, out->fields[i].val, NULL,
                            i < item->n_results ? item->results[i].type : NULL);
        else
            add_outputs(e, "out", out, NULL, item->n_results == 1 ? item->results[0].type : NULL);
        for (uint32_t i = 0; i < item->n_params; i++)
            if (item->params[i].inout)
                add_outputs(e, item->params[i].name.text, after[i], before[i], item->params[i].type);
    }
    tct_scope_pop(e);
    e->builder = NULL;
    return tct_elab_faults(e) == errors ? top.graph : NULL;
}

tct_graph *tct_elab_graph(tct_elab *e, tct_ir_module *m, const char *name, const tct_setting *settings,
                          size_t n) {
    const tct_item *item = find_graph(e, name);
    if (!item) return NULL;
    e->module = m;
    e->settings = settings;
    e->n_settings = n;
    e->setting_used = TCT_NEW_ARRAY(&e->arena, bool, n + 1);
    tct_graph *g = e->sound ? tct_elab_build(e, item) : NULL;
    for (size_t i = 0; g && i < n; i++)
        if (!e->setting_used[i] && strchr(settings[i].name, '.') && !strstr(settings[i].name, ".rest")) {
            tct_error(e->d, "E0338", item->name.span, "%s has no hyper-parameter %s", name, settings[i].name);
            g = NULL;
        }
    e->n_settings = 0;
    e->module = NULL;
    return g;
}

const tct_graph_model *tct_elab_graph_models(const tct_elab *e, size_t *n) {
    *n = e->graph_models.len;
    return e->graph_models.data;
}

static bool is_number(const tct_expr *x) {
    switch (x->kind) {
    case TCT_EXPR_INT:
    case TCT_EXPR_FLOAT:
    case TCT_EXPR_BOOL:
        return true;
    case TCT_EXPR_UNARY:
        return is_number(x->a);
    case TCT_EXPR_BINARY:
        return is_number(x->a) && is_number(x->b);
    default:
        return false;
    }
}

// The default of a scalar tensor where that is a number by itself, as -0.5 or 1.0 / 3.0.
static bool default_number(tct_elab *e, const tct_param *p, double *out) {
    if (!p->value || p->type->n_axes || p->type->rest || !is_number(p->value)) return false;
    tct_val *v = tct_elab_expr(e, p->value);
    *out = v->kind == V_FLOAT ? v->f : (double)v->i;
    return v->kind == V_FLOAT || v->kind == V_INT || v->kind == V_BOOL;
}

const tct_graph_param *tct_elab_params(tct_elab *e, const char *graph, size_t *n) {
    const tct_item *item = find_graph(e, graph);
    if (!item) return NULL;
    tct_graph_param *out = TCT_NEW_ARRAY(&e->arena, tct_graph_param, item->n_params + 1);
    for (uint32_t i = 0; i < item->n_params; i++) {
        const tct_param *p = &item->params[i];
        tct_graph_param *o = &out[i];
        o->name = p->name.text;
        o->has_default = p->value != NULL;
        o->type = p->type->name.text;
        o->is_axis = is_axis_kind(p->type);
        o->is_static = is_static_type(p->type) || o->is_axis;
        o->rest = p->type->rest;
        o->is_model = !o->is_static && !tensor_type(p->type, &o->dtype);
        if (o->is_model) o->model = tct_elab_item(e, o->type);
        if (!o->is_static && !o->is_model) o->has_value = default_number(e, p, &o->value);
        const char **axes = TCT_NEW_ARRAY(&e->arena, const char *, p->type->n_axes + 1);
        for (uint32_t k = 0; k < p->type->n_axes; k++) axes[k] = p->type->axes[k].name.text;
        o->axes = axes;
        o->n_axes = p->type->n_axes;
    }
    *n = item->n_params;
    return out;
}
