// minimize: a loss, its gradients, clipping and the optimizers' updates, as one graph; or as two when
// gradients are added over parts of a batch.
#include "frontend/stage_internal.h"

#include <string.h>

typedef struct use { // one optimizer of `with`
    const stage_optimizer *o;
    const tct_expr *call;
    tct_value step;  // step count in the graph
    tct_val **hyper; // by parameter of the optimizer's item
} use;

typedef struct trained {  // one parameter
    uint32_t use, number; // of which optimizer, which of its parameters
    const tct_val *leaf;
    tct_value grad;
    uint32_t input; // of the loss graph
} trained;

typedef struct work {
    tct_elab *e;
    const tct_minimize *m;
    tct_span span;
    use *uses;
    uint32_t n_uses;
    trained *params;
    uint32_t n_params;
} work;

static bool find_uses(work *w) {
    tct_elab *e = w->e;
    w->uses = TCT_NEW_ARRAY(&e->arena, use, w->m->n_with + 1);
    for (uint32_t i = 0; i < w->m->n_with; i++) {
        const tct_expr *x = w->m->with[i];
        if (x->kind != TCT_EXPR_CALL || x->a->kind != TCT_EXPR_NAME)
            return tct_elab_error(e, "E0505", x->span,
                                  "an optimizer with its rates is expected: with opt(lr = …)");
        tct_symbol *s = tct_scope_find(e, x->a->name.text, false);
        if (s && s->val->kind == V_ERROR) return false;
        if (!s || s->val->kind != V_OPAQUE || !s->val->s || strcmp(s->val->s, "an optimizer") != 0) {
            const tct_item *item = tct_elab_item(e, x->a->name.text);
            bool kind = item && item->kind == TCT_ITEM_OPTIMIZER;
            tct_elab_error(e, "E0505", x->a->span,
                           kind ? "`%s` is a kind of optimizer, not one with models and states"
                                : "`%s` is no optimizer",
                           x->a->name.text);
            if (kind)
                tct_elab_help(e, "make one first, for the models it trains: let opt = %s(policy)",
                              x->a->name.text);
            return false;
        }
        if (e->index) tct_index_expr(e, x->a, s->val);
        w->uses[w->n_uses++] = (use){.o = s->val->data, .call = x};
        if (e->index) tct_index_arguments(e, w->uses[i].o->item, x);
    }
    return true;
}

// The values of an optimizer's hyper-parameters: given here, when it was made, or by default.
static bool hyper_parameters(work *w, use *u) {
    tct_elab *e = w->e;
    const tct_item *item = u->o->item;
    u->hyper = TCT_NEW_ARRAY(&e->arena, tct_val *, item->n_params + 1);
    for (uint32_t i = 0; i < u->call->n_args + u->o->n_fixed; i++) {
        bool here = i < u->call->n_args;
        const tct_arg *a = here ? &u->call->args[i] : &u->o->fixed[i - u->call->n_args];
        uint32_t k = 0;
        while (a->name.text && k < item->n_params && strcmp(item->params[k].name.text, a->name.text) != 0)
            k++;
        if (!a->name.text) k = here ? i : item->n_params;
        if (k >= item->n_params) {
            tct_elab_error(e, "E0338", a->value->span, "%s has no hyper-parameter `%s`", item->name.text,
                           a->name.text ? a->name.text : "there");
            return false;
        }
        for (uint32_t j = 0; here && j < i; j++)
            if (a->name.text && u->call->args[j].name.text &&
                strcmp(u->call->args[j].name.text, a->name.text) == 0) {
                tct_elab_error(e, "E0338", a->value->span, "%s gets `%s` twice", item->name.text,
                               a->name.text);
                tct_elab_note(e, u->call->args[j].value->span, "the first time here");
                return false;
            }
        if (u->hyper[k]) continue; // what is given here goes first
        u->hyper[k] = here ? tct_stage_value(e, a->value) : u->o->fixed_val[i - u->call->n_args];
        if (u->hyper[k]->kind == V_ERROR) return false;
        tct_kind kind = tct_stage_kind(e, u->hyper[k]);
        if (kind != TCT_KIND_INT && kind != TCT_KIND_FLOAT)
            return tct_elab_error(e, "E0502", a->value->span, "%s of %s is a number, found %s",
                                  item->params[k].name.text, item->name.text,
                                  tct_val_describe(e, u->hyper[k]));
    }
    struct tct_stage_state *s = e->stage;
    for (uint32_t k = 0; k < item->n_params; k++) {
        if (u->hyper[k]) continue;
        if (!item->params[k].value) {
            tct_elab_error(e, "E0340", u->call->span, "%s lacks its hyper-parameter `%s`", item->name.text,
                           item->params[k].name.text);
            tct_elab_note(e, item->params[k].name.span, "declared here");
            return false;
        }
        e->stage = NULL;
        u->hyper[k] = tct_elab_expr(e, item->params[k].value);
        e->stage = s;
        if (u->hyper[k]->kind == V_ERROR) return false;
    }
    return true;
}

// Which inputs of the loss graph are parameters of trained models.
static bool find_params(work *w, const stage_run *run) {
    tct_elab *e = w->e;
    w->params = TCT_NEW_ARRAY(&e->arena, trained, run->n_inputs + 1);
    for (uint32_t u = 0; u < w->n_uses; u++) {
        const stage_optimizer *o = w->uses[u].o;
        uint32_t number = 0;
        for (uint32_t m = 0; m < o->n_models; m++) {
            const stage_model *model = tct_stage_model_of(o->models[m]);
            for (uint32_t k = 0; k < model->n_leaves; k++, number++)
                for (uint32_t i = 0; i < run->n_inputs; i++) {
                    const tct_bind *b = &run->inputs[i];
                    if (b->kind != TCT_BIND_PARAM || b->reg != o->models[m]->reg || b->index != k) continue;
                    for (uint32_t t = 0; t < w->n_params; t++)
                        if (w->params[t].input == i)
                            return tct_elab_error(e, "E0505", w->span,
                                                  "two of these optimizers train the same model");
                    w->params[w->n_params++] =
                        (trained){.use = u, .number = number, .leaf = model->leaves[k], .input = i};
                }
        }
    }
    if (w->n_params) return true;
    tct_elab_error(e, "E0511", w->m->objective->span,
                   "this doesn't depend on any parameter that the optimizers train");
    for (uint32_t i = 0; i < w->n_uses; i++)
        for (uint32_t m = 0; m < w->uses[i].o->n_models; m++)
            tct_elab_note(e, w->uses[i].o->models[m]->span, "%s trains this model",
                          w->uses[i].call->a->name.text);
    return false;
}

// Results of the objective, as tensors: the scalar first, then what else it gives. NULL after reporting.
static tct_val *named_results(work *w, tct_val *v) {
    tct_elab *e = w->e;
    tct_val *s = tct_val_new(e, V_STRUCT, w->span);
    bool several = v->kind == V_STRUCT && !v->model;
    for (uint32_t i = 0; i < (several ? v->n_fields : 1); i++) {
        tct_val *result = several ? v->fields[i].val : v;
        tct_value x = tct_elab_operand(e, result, TCT_F32, w->m->objective->span);
        if (x == TCT_NO_VALUE) return NULL;
        tct_val_add_field(e, s, several ? v->fields[i].name : "loss", tct_val_tensor(e, x, w->span));
    }
    return s;
}

// The loss graph with gradients; results as values of the new graph.
static bool differentiate(work *w, tct_builder *b, tct_val *results) {
    tct_elab *e = w->e;
    tct_graph *g = b->graph;
    tct_value *order = TCT_NEW_ARRAY(&e->arena, tct_value, results->n_fields + 1);
    for (uint32_t i = 0; i < results->n_fields; i++) {
        order[i] = results->fields[i].val->value;
        tct_ir_output(g, tct_arena_strdup(&e->module->arena, results->fields[i].name), order[i], -1);
    }
    const tct_node *loss = tct_node_of(g, order[0]);
    if (loss->n_axes != 0 || (loss->dtype != TCT_F32 && loss->dtype != TCT_F64)) {
        tct_elab_error(e, "E0511", w->m->objective->span, "what is minimized is a scalar f32, found %s",
                       tct_val_describe(e, tct_val_tensor(e, order[0], w->span)));
        if (loss->n_axes) tct_elab_help(e, "mean(x, [B, T]) or sum(x, [B, T]) makes it one number");
        return false;
    }
    uint32_t *wrt = TCT_NEW_ARRAY(&e->arena, uint32_t, w->n_params + 1);
    for (uint32_t i = 0; i < w->n_params; i++) wrt[i] = w->params[i].input;
    tct_graph *d = e->stage->hooks->grad(e->d, g, 0, wrt, w->n_params);
    if (!d) return false;
    b->graph = d;
    d->span = w->span;
    for (size_t i = 0; i < b->imports.len; i++) { // inputs keep their numbers, not their nodes
        tct_import *m = &b->imports.data[i];
        m->input = d->inputs.data[tct_node_of(g, m->input)->attr.i];
    }
    for (uint32_t i = 0; i < results->n_fields; i++)
        results->fields[i].val = tct_val_tensor(e, d->outputs.data[i].value, w->span);
    for (uint32_t i = 0; i < w->n_params; i++)
        w->params[i].grad = d->outputs.data[results->n_fields + i].value;
    d->outputs.len = 0;
    return true;
}

static tct_value global_norm(work *w, tct_graph *g) {
    tct_value total = TCT_NO_VALUE;
    for (uint32_t i = 0; i < w->n_params; i++) {
        const tct_node n = *tct_node_of(g, w->params[i].grad);
        tct_value square = tct_ir_binary(g, NULL, TCT_IR_MUL, w->params[i].grad, w->params[i].grad);
        tct_value sum = n.n_axes ? tct_ir_reduce(g, NULL, TCT_IR_SUM, square, n.axes, n.n_axes) : square;
        sum = tct_ir_cast(g, sum, TCT_F32);
        total = total == TCT_NO_VALUE ? sum : tct_ir_binary(g, NULL, TCT_IR_ADD, total, sum);
    }
    return tct_ir_unary(g, NULL, TCT_IR_SQRT, total);
}

// min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it.
static bool clip(work *w, tct_graph *g, tct_value norm, tct_val *bound) {
    tct_elab *e = w->e;
    tct_value c = tct_elab_operand(e, bound, TCT_F32, w->m->clip->span);
    if (c == TCT_NO_VALUE) return false;
    tct_value scale = tct_ir_binary(g, NULL, TCT_IR_DIV, c,
                                    tct_ir_binary(g, NULL, TCT_IR_ADD, norm, tct_ir_const(g, TCT_F32, 1e-6)));
    scale = tct_ir_binary(g, NULL, TCT_IR_MIN, scale, tct_ir_const(g, TCT_F32, 1));
    for (uint32_t i = 0; i < w->n_params; i++) {
        tct_dtype dtype = (tct_dtype)tct_node_of(g, w->params[i].grad)->dtype;
        w->params[i].grad =
            tct_ir_binary(g, NULL, TCT_IR_MUL, w->params[i].grad, tct_ir_cast(g, scale, dtype));
    }
    return true;
}

typedef struct outputs {
    tct_bind *binds;
    uint32_t n;
} outputs;

static void add_output(work *w, tct_graph *g, outputs *out, const char *name, tct_value v, int32_t alias,
                       tct_bind bind) {
    tct_elab *e = w->e;
    tct_ir_output(g, name, v, alias);
    out->binds = tct_arena_realloc(&e->arena, out->binds, out->n * sizeof *out->binds,
                                   (out->n + 1) * sizeof *out->binds);
    out->binds[out->n++] = bind;
}

// Runs an optimizer's body for one parameter.
static bool update(work *w, tct_builder *b, stage_run *run, const trained *t, uint32_t input, outputs *out) {
    tct_elab *e = w->e;
    use *u = &w->uses[t->use];
    const tct_item *item = u->o->item;
    const tct_optimizer_desc *desc = &e->stage->optimizers.data[u->o->table];
    struct tct_stage_state *s = e->stage;
    if (u->step == TCT_NO_VALUE) {
        tct_bind bind = {.kind = TCT_BIND_STEP, .reg = u->o->reg};
        u->step = tct_stage_input(e, b, run, "step", TCT_F32, NULL, 0, bind);
    }
    tct_val **hyper = TCT_NEW_ARRAY(&e->arena, tct_val *, item->n_params + 1);
    for (uint32_t k = 0; k < item->n_params; k++) {
        tct_value v = tct_elab_operand(e, u->hyper[k], TCT_F32, w->span);
        if (v == TCT_NO_VALUE) return false;
        hyper[k] = tct_val_tensor(e, v, w->span);
    }
    tct_scope *scope = tct_scope_push(e, true);
    scope->item = item;
    scope->call = w->span;
    e->stage = NULL;
    const tct_ast *file = e->file;
    e->file = tct_elab_item_file(e, item);
    for (uint32_t k = 0; k < item->n_params; k++)
        tct_scope_bind(e, item->params[k].name.text, hyper[k], item->name.span, false);
    tct_val *before = tct_val_tensor(e, b->graph->inputs.data[input], w->span);
    tct_scope_bind(e, "param", before, item->name.span, true);
    tct_scope_bind(e, "grad", tct_val_tensor(e, t->grad, w->span), item->name.span, false);
    tct_scope_bind(e, "step", tct_val_tensor(e, u->step, w->span), item->name.span, false);
    uint32_t *state_input = TCT_NEW_ARRAY(&e->arena, uint32_t, desc->n_states + 1);
    for (uint32_t k = 0; k < desc->n_states; k++) {
        tct_bind bind = {.kind = TCT_BIND_STATE, .reg = u->o->reg, .index = t->number * desc->n_states + k};
        state_input[k] = run->n_inputs;
        const char *name = tct_arena_printf(&e->module->arena, "%s%u", desc->state_name[k], run->n_inputs);
        tct_value v =
            tct_stage_input(e, b, run, name, TCT_F32, t->leaf->param_axes, t->leaf->n_param_axes, bind);
        tct_scope_bind(e, desc->state_name[k], tct_val_tensor(e, v, w->span), item->name.span, true);
    }
    bool ok = true;
    tct_block rest = {.stmts = TCT_NEW_ARRAY(&e->arena, tct_stmt *, item->body->n_stmts + 1),
                      .span = item->body->span};
    for (uint32_t i = 0; i < item->body->n_stmts; i++)
        if (item->body->stmts[i]->kind != TCT_STMT_STATE) rest.stmts[rest.n_stmts++] = item->body->stmts[i];
    size_t errors = e->d->n_errors;
    tct_elab_block(e, &rest);
    ok = e->d->n_errors == errors;
    for (uint32_t k = 0; ok && k <= desc->n_states; k++) {
        const char *name = k == desc->n_states ? "param" : desc->state_name[k];
        tct_dtype dtype = k == desc->n_states ? t->leaf->dtype : TCT_F32;
        tct_value v = tct_elab_operand(e, tct_scope_find(e, name, false)->val, dtype, item->name.span);
        if (v == TCT_NO_VALUE)
            ok = false;
        else if (tct_elab_node(e, v)->n_axes != t->leaf->n_param_axes)
            ok = tct_elab_error(e, "E0511", item->name.span, "%s of %s must keep the axes of the parameter",
                                name, item->name.text);
        else {
            tct_bind bind = {
                .kind = TCT_BIND_STATE, .reg = u->o->reg, .index = t->number * desc->n_states + k};
            if (k == desc->n_states)
                bind = (tct_bind){.kind = TCT_BIND_PARAM, .reg = t->leaf->reg, .index = (uint32_t)t->leaf->i};
            const char *out_name = tct_arena_printf(&e->module->arena, "new.%s.%u", name, out->n);
            add_output(w, b->graph, out, out_name, v, (int32_t)(k == desc->n_states ? input : state_input[k]),
                       bind);
        }
    }
    e->file = file;
    e->stage = s;
    tct_scope_pop(e);
    return ok;
}

// Results into registers.
static tct_val *result_registers(work *w, tct_builder *b, tct_val *results, tct_value norm, outputs *out,
                                 tct_val ***scalars) {
    tct_elab *e = w->e;
    tct_val *r = tct_val_new(e, V_STRUCT, w->span);
    uint32_t n = results ? results->n_fields : 0;
    *scalars = TCT_NEW_ARRAY(&e->arena, tct_val *, 2 * (n + 1) + 1);
    for (uint32_t i = 0; i < n + (norm != TCT_NO_VALUE); i++) {
        bool is_norm = i == n;
        tct_value v = is_norm ? norm : results->fields[i].val->value;
        const char *name = is_norm ? "grad_norm" : results->fields[i].name;
        const tct_node node = *tct_node_of(b->graph, v);
        tct_val *t = tct_stage_tensor_reg(e, (tct_dtype)node.dtype, node.axes, node.n_axes, w->span);
        add_output(w, b->graph, out, tct_arena_strdup(&e->module->arena, name), v, -1,
                   (tct_bind){.kind = TCT_BIND_REG, .reg = t->reg});
        if (node.n_axes == 0) {
            tct_kind kind = node.dtype == TCT_BOOL                    ? TCT_KIND_BOOL
                            : tct_dtype_is_int((tct_dtype)node.dtype) ? TCT_KIND_INT
                                                                      : TCT_KIND_FLOAT;
            (*scalars)[2 * i] = t;
            t = (*scalars)[2 * i + 1] = tct_stage_scalar_reg(e, kind, NULL, w->span);
        }
        tct_val_add_field(e, r, name, t);
    }
    return r;
}

static void read_scalars(work *w, tct_val **scalars, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (scalars[2 * i])
            tct_stage_emit(w->e, TCT_I_ITEM, scalars[2 * i + 1]->reg, scalars[2 * i]->reg, 0, 0, w->span);
}

static bool finish_updates(work *w, tct_builder *b, stage_run *run, const uint32_t *inputs, tct_value *norm,
                           tct_val *bound, outputs *out) {
    *norm = global_norm(w, b->graph);
    if (bound && !clip(w, b->graph, *norm, bound)) return false;
    for (uint32_t i = 0; i < w->n_uses; i++) w->uses[i].step = TCT_NO_VALUE;
    for (uint32_t i = 0; i < w->n_params; i++)
        if (!update(w, b, run, &w->params[i], inputs[i], out)) return false;
    return true;
}

// One graph: forward, backward, update.
static tct_val *whole(work *w, tct_val *bound) {
    tct_elab *e = w->e;
    stage_run *run = TCT_NEW(&e->arena, stage_run);
    tct_builder *outer = e->builder;
    tct_builder *b = tct_stage_graph_begin(e, run, w->span);
    tct_val *v = tct_elab_expr(e, w->m->objective);
    tct_val *out = tct_val_error(e);
    if (v->kind != V_ERROR) {
        tct_val *results = named_results(w, v);
        outputs o = {0};
        tct_val **scalars = NULL;
        tct_value norm = TCT_NO_VALUE;
        if (results && find_params(w, run) && differentiate(w, b, results)) {
            uint32_t *inputs = TCT_NEW_ARRAY(&e->arena, uint32_t, w->n_params + 1);
            for (uint32_t i = 0; i < w->n_params; i++) inputs[i] = w->params[i].input;
            if (finish_updates(w, b, run, inputs, &norm, bound, &o)) {
                out = result_registers(w, b, results, norm, &o, &scalars);
                for (uint32_t i = 0; i < w->n_uses; i++)
                    tct_stage_emit(e, TCT_I_STEP, 0, w->uses[i].o->reg, 0, 0, w->span);
                b->graph->mixed = w->m->mixed;
                tct_stage_graph_run(e, b->graph, run, o.binds, w->span);
                read_scalars(w, scalars, results->n_fields + 1);
            }
        }
    }
    tct_scope_pop(e);
    TCT_VEC_FREE(&b->imports);
    e->builder = outer;
    return out;
}

// `for part in parts`: gradients are added over the parts, then one update. The parts are a structure cut
// into equal numbers of rows, split(batch, n).
static tct_val *in_parts(work *w, tct_val *bound) {
    tct_elab *e = w->e;
    stage *s = e->stage;
    const tct_expr *x = w->m->parts;
    if (x->kind != TCT_EXPR_CALL || x->a->kind != TCT_EXPR_NAME || strcmp(x->a->name.text, "split") != 0 ||
        x->n_args != 2) {
        tct_elab_error(e, "E0512", x->span, "the parts of a batch are expected: for part in split(batch, n)");
        return tct_val_error(e);
    }
    for (uint32_t i = 0; i < w->n_uses; i++) {
        s->optimizers.data[w->uses[i].o->table].accumulates = true;
        tct_stage_emit(e, TCT_I_ZERO_GRAD, 0, w->uses[i].o->reg, 0, 0, w->span);
    }
    tct_val *out = tct_val_error(e);
    tct_val *batch = tct_stage_value(e, x->args[0].value), *count = tct_stage_value(e, x->args[1].value);
    stage_rows rows;
    if (batch->kind == V_ERROR || !tct_stage_rows_begin(e, batch, count, NULL, false, x->span, &rows))
        return out;
    tct_scope_push(e, false);
    tct_scope_bind(e, w->m->part.text, rows.part, w->m->part.span, false);
    stage_run *run = TCT_NEW(&e->arena, stage_run);
    tct_builder *outer = e->builder;
    tct_builder *b = tct_stage_graph_begin(e, run, w->span);
    tct_val *v = tct_elab_expr(e, w->m->objective), *results = NULL, *sums = NULL;
    bool ok = v->kind != V_ERROR;
    if (ok) {
        results = named_results(w, v);
        outputs o = {0};
        tct_val **scalars = NULL;
        ok = results && find_params(w, run) && differentiate(w, b, results);
        for (uint32_t i = 0; ok && i < w->n_params; i++) {
            trained *t = &w->params[i];
            tct_bind bind = {.kind = TCT_BIND_GRAD, .reg = w->uses[t->use].o->reg, .index = t->number};
            const char *name = tct_arena_printf(&e->module->arena, "sum%u", i);
            int32_t input = (int32_t)run->n_inputs;
            tct_value in = tct_stage_input(e, b, run, name, t->leaf->dtype, t->leaf->param_axes,
                                           t->leaf->n_param_axes, bind);
            tct_value sum = tct_ir_binary(b->graph, NULL, TCT_IR_ADD, in, t->grad);
            add_output(w, b->graph, &o, tct_arena_printf(&e->module->arena, "new.%s", name), sum, input,
                       bind);
        }
        if (ok) {
            sums = result_registers(w, b, results, TCT_NO_VALUE, &o, &scalars);
            b->graph->mixed = w->m->mixed;
            tct_stage_graph_run(e, b->graph, run, o.binds, w->span);
            read_scalars(w, scalars, results->n_fields);
            for (uint32_t i = 0; i < sums->n_fields; i++) { // numbers are added up as well
                tct_val *part = sums->fields[i].val;
                tct_kind kind = tct_stage_kind(e, part);
                if (kind != TCT_KIND_FLOAT && kind != TCT_KIND_INT) continue;
                tct_val *total = tct_stage_scalar_reg(e, kind, NULL, w->span);
                tct_stage_rows_total(e, &rows, total, part, w->span);
                sums->fields[i].val = total;
            }
        }
    }
    tct_scope_pop(e); // of the graph
    TCT_VEC_FREE(&b->imports);
    e->builder = outer;
    tct_scope_pop(e);
    tct_stage_rows_end(e, &rows, w->span);
    if (!ok) return out;

    stage_run *apply = TCT_NEW(&e->arena, stage_run);
    b = tct_stage_graph_begin(e, apply, w->span);
    outputs o = {0};
    tct_val **scalars = NULL;
    tct_value norm;
    uint32_t *inputs = TCT_NEW_ARRAY(&e->arena, uint32_t, w->n_params + 1);
    for (uint32_t i = 0; i < w->n_params; i++) {
        trained *t = &w->params[i];
        tct_bind param = {.kind = TCT_BIND_PARAM, .reg = t->leaf->reg, .index = (uint32_t)t->leaf->i};
        tct_bind grad = {.kind = TCT_BIND_GRAD, .reg = w->uses[t->use].o->reg, .index = t->number};
        inputs[i] = apply->n_inputs;
        const char *name = tct_arena_printf(&e->module->arena, "p%u", i),
                   *grad_name = tct_arena_printf(&e->module->arena, "g%u", i);
        tct_stage_input(e, b, apply, name, t->leaf->dtype, t->leaf->param_axes, t->leaf->n_param_axes, param);
        t->grad = tct_stage_input(e, b, apply, grad_name, t->leaf->dtype, t->leaf->param_axes,
                                  t->leaf->n_param_axes, grad);
    }
    if (finish_updates(w, b, apply, inputs, &norm, bound, &o)) {
        tct_val *r = result_registers(w, b, NULL, norm, &o, &scalars);
        for (uint32_t i = 0; i < w->n_uses; i++)
            tct_stage_emit(e, TCT_I_STEP, 0, w->uses[i].o->reg, 0, 0, w->span);
        tct_stage_graph_run(e, b->graph, apply, o.binds, w->span);
        read_scalars(w, scalars, 1);
        tct_val_add_field(e, sums, "grad_norm", r->fields[0].val);
        out = sums;
    }
    tct_scope_pop(e);
    TCT_VEC_FREE(&b->imports);
    e->builder = outer;
    return out;
}

tct_val *tct_stage_minimize(tct_elab *e, const tct_expr *x) {
    work w = {.e = e, .m = x->minimize, .span = x->span};
    if (!find_uses(&w)) return tct_val_error(e);
    for (uint32_t i = 0; i < w.n_uses; i++)
        if (!hyper_parameters(&w, &w.uses[i])) return tct_val_error(e);
    tct_val *bound = x->minimize->clip ? tct_stage_value(e, x->minimize->clip) : NULL;
    if (bound && bound->kind == V_ERROR) return bound;
    return x->minimize->part.text ? in_parts(&w, bound) : whole(&w, bound);
}
