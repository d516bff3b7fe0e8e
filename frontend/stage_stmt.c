// Statements of stage code.
#include "frontend/stage_internal.h"

#include <string.h>

static void let(tct_elab *e, const tct_stmt *s) {
    tct_val *v = tct_stage_value(e, s->value);
    const char *name = s->names[0].text;
    if (v->kind == V_NONE) {
        tct_elab_error(e, "E0513", s->value->span, "this gives no value to name");
        v = tct_val_error(e);
    }
    if (s->type && !s->tuple)
        v = tct_stage_as_declared(e, v, s->type, tct_arena_printf(&e->arena, "`%s`", name), s->value->span);
    if (v->kind != V_ERROR)
        v = s->mutable ? tct_stage_variable(e, v, s->tuple ? NULL : name, s->span)
                       : tct_stage_snapshot(e, v, s->tuple ? NULL : name, s->span);
    bool has_reg = v->kind == V_REG || v->kind == V_OPAQUE || (v->kind == V_STRUCT && v->has_reg);
    if (has_reg && !s->tuple) { // the variable's name, for messages and dumps
        tct_reg_type *t = &e->stage->regs.data[v->reg];
        if (!t->name) t->name = name;
    }
    tct_elab_bind_names(e, s, v);
}

// model.parameter = tensor: a graph whose result goes where the parameter is. Axes that the value lacks are
// filled.
static void assign_parameter(tct_elab *e, const tct_stmt *s, const tct_val *param) {
    stage_run *run = TCT_NEW(&e->arena, stage_run);
    tct_builder *outer = e->builder, *b = tct_stage_graph_begin(e, run, s->span);
    tct_val *v = tct_elab_expr(e, s->value);
    tct_value x = v->kind == V_ERROR ? TCT_NO_VALUE : tct_elab_operand(e, v, param->dtype, s->value->span);
    if (x != TCT_NO_VALUE) {
        const tct_node n = *tct_node_of(b->graph, x);
        bool fits = n.dtype == param->dtype;
        for (uint32_t i = 0; i < n.n_axes; i++) {
            uint32_t k = 0;
            while (k < param->n_param_axes && param->param_axes[k] != n.axes[i]) k++;
            fits = fits && k < param->n_param_axes;
        }
        if (fits) {
            tct_bind *out = TCT_NEW(&e->arena, tct_bind);
            *out = (tct_bind){.kind = TCT_BIND_PARAM, .reg = param->reg, .index = (uint32_t)param->i};
            x = tct_ir_broadcast(b->graph, x, param->param_axes, param->n_param_axes);
            tct_ir_attr attr = {.dtype = param->dtype};
            x = tct_ir_emit(b->graph, NULL, TCT_IR_CAST, &x, 1, &attr); // in the parameter's own order
            for (uint32_t i = 0; i < param->n_param_axes; i++)
                b->graph->nodes.data[x].axes[i] = param->param_axes[i];
            tct_ir_output(b->graph, "y", x, -1);
            tct_stage_graph_run(e, b->graph, run, out, s->span);
        } else {
            tct_elab_error(e, "E0502", s->span, "the parameter is %s, the value %s",
                           tct_val_describe(e, param), tct_val_describe(e, v));
        }
    }
    tct_scope_pop(e);
    TCT_VEC_FREE(&b->imports);
    e->builder = outer;
}

static void assign(tct_elab *e, const tct_stmt *s) {
    if (s->target->kind == TCT_EXPR_FIELD) {
        tct_val *target = tct_stage_value(e, s->target);
        if (target->kind == V_ERROR) return;
        if (target->kind == V_PARAM) {
            assign_parameter(e, s, target);
            return;
        }
    }
    tct_val *v = tct_stage_value(e, s->value);
    tct_val **place = tct_elab_place(e, s->target);
    if (place) tct_stage_store(e, *place, v, s->value->span);
}

static void enter_loop(tct_elab *e, stage_loop *l) {
    *l = (stage_loop){.outer = e->stage->loop};
    e->stage->loop = l;
    e->stage->loop_depth++;
}

static void leave_loop(tct_elab *e, stage_loop *l, uint32_t continue_to) {
    for (size_t i = 0; i < l->continues.len; i++) tct_stage_patch(e, l->continues.data[i], continue_to);
    for (size_t i = 0; i < l->breaks.len; i++) tct_stage_patch(e, l->breaks.data[i], tct_stage_here(e));
    TCT_VEC_FREE(&l->continues);
    TCT_VEC_FREE(&l->breaks);
    e->stage->loop = l->outer;
    e->stage->loop_depth--;
}

static void body(tct_elab *e, const tct_block *b, const char *name, tct_val *v, tct_span span) {
    tct_scope_push(e, false);
    if (name) tct_scope_bind(e, name, v, span, false);
    tct_stage_block(e, b);
    tct_scope_pop(e);
}

static uint32_t constant(tct_elab *e, int64_t i, tct_span span) {
    return tct_stage_load(e, tct_val_int(e, i, span), TCT_KIND_INT, span);
}

// for i in range(first, end, step): a loop of the machine with a counter.
static void for_range(tct_elab *e, const tct_stmt *s) {
    const tct_expr *r = s->value;
    if (r->n_args < 1 || r->n_args > 3) {
        tct_elab_error(e, "E0339", r->span, "range(n), range(first, end) or range(first, end, step)");
        return;
    }
    tct_val *bound[3];
    uint32_t reg[3];
    for (uint32_t i = 0; i < r->n_args; i++) {
        bound[i] = tct_stage_value(e, r->args[i].value);
        bound[i] = tct_stage_snapshot(e, bound[i], NULL, s->span); // the body may assign to it
        reg[i] = tct_stage_load(e, bound[i], TCT_KIND_INT, r->args[i].value->span);
        if (reg[i] == NO_REG) return;
    }
    int64_t step = 1;
    if (r->n_args == 3)
        bound[2] = tct_elab_fix(e, bound[2], r->args[2].value->span, "is the step of a range");
    if (r->n_args == 3 && bound[2]->kind == V_ERROR) return;
    if (r->n_args == 3 && bound[2]->kind != V_INT) {
        tct_elab_error(e, "E0509", r->args[2].value->span,
                       "the step of a range must be known at compile time");
        return;
    }
    if (r->n_args == 3) step = bound[2]->i;
    if (step == 0) {
        tct_elab_error(e, "E0341", r->span, "a range with step 0");
        return;
    }
    uint32_t first = r->n_args > 1 ? reg[0] : constant(e, 0, s->span), end = r->n_args > 1 ? reg[1] : reg[0];
    tct_val *i = tct_stage_scalar_reg(e, TCT_KIND_INT, s->names[0].text, s->span);
    uint32_t by = constant(e, step, s->span),
             more = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, s->span)->reg;
    tct_stage_emit(e, TCT_I_MOVE, i->reg, first, 0, 0, s->span);
    stage_loop l;
    bool outermost = e->stage->loop_depth == 0 && e->stage->in_stage && step == 1;
    enter_loop(e, &l);
    uint32_t head = tct_stage_emit(e, TCT_I_SAFEPOINT, 0, 0, 0, 0, s->span);
    if (outermost) tct_stage_emit(e, TCT_I_PROGRESS, 0, i->reg, end, 0, s->span);
    tct_stage_emit(e, TCT_I_ILT, more, step > 0 ? i->reg : end, step > 0 ? end : i->reg, 0, s->span);
    uint32_t exit = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, more, 0, 0, s->span);
    body(e, s->body, s->names[0].text, i, s->names[0].span);
    uint32_t next = tct_stage_here(e);
    tct_stage_emit(e, TCT_I_IADD, i->reg, i->reg, by, 0, s->span);
    tct_stage_emit(e, TCT_I_JUMP, 0, head, 0, 0, s->span);
    tct_stage_patch(e, exit, tct_stage_here(e));
    leave_loop(e, &l, next);
}

static void for_list(tct_elab *e, const tct_stmt *s, tct_val *list) {
    list = tct_stage_snapshot(e, list, NULL, s->span);
    uint32_t reg = tct_stage_load(e, list, TCT_KIND_LIST, s->value->span);
    if (reg == NO_REG || !tct_stage_has_elements(e, reg, s->value->span)) return;
    const tct_reg_type t = *tct_stage_type(e, reg);
    tct_val *n = tct_stage_scalar_reg(e, TCT_KIND_INT, NULL, s->span),
            *i = tct_stage_scalar_reg(e, TCT_KIND_INT, NULL, s->span);
    uint32_t *args = TCT_NEW(&e->arena, uint32_t), *results = TCT_NEW(&e->arena, uint32_t);
    *args = reg;
    *results = n->reg;
    tct_call c = {.builtin = TCT_BUILTIN_LEN,
                  .n_args = 1,
                  .args = args,
                  .n_results = 1,
                  .results = results,
                  .generator = NO_REG};
    TCT_PUSH(&e->stage->calls, c);
    tct_stage_emit(e, TCT_I_CALL, 0, (uint32_t)e->stage->calls.len - 1, 0, 0, s->span);
    uint32_t zero = constant(e, 0, s->span), one = constant(e, 1, s->span);
    uint32_t more = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, s->span)->reg;
    tct_stage_emit(e, TCT_I_MOVE, i->reg, zero, 0, 0, s->span);
    tct_val *item = t.element == TCT_KIND_LIST
                        ? tct_stage_list_reg(e, (tct_kind)t.element2, TCT_KIND_NONE, s->span)
                        : tct_stage_scalar_reg(e, (tct_kind)t.element, s->names[0].text, s->span);
    stage_loop l;
    enter_loop(e, &l);
    uint32_t head = tct_stage_emit(e, TCT_I_SAFEPOINT, 0, 0, 0, 0, s->span);
    tct_stage_emit(e, TCT_I_ILT, more, i->reg, n->reg, 0, s->span);
    uint32_t exit = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, more, 0, 0, s->span);
    tct_stage_emit(e, TCT_I_GET, item->reg, reg, i->reg, 0, s->span);
    body(e, s->body, s->names[0].text, item, s->names[0].span);
    uint32_t next = tct_stage_here(e);
    tct_stage_emit(e, TCT_I_IADD, i->reg, i->reg, one, 0, s->span);
    tct_stage_emit(e, TCT_I_JUMP, 0, head, 0, 0, s->span);
    tct_stage_patch(e, exit, tct_stage_here(e));
    leave_loop(e, &l, next);
}

static void data_call(tct_elab *e, tct_builtin id, uint32_t data, const uint32_t *results, uint32_t n,
                      tct_span span) {
    uint32_t *args = TCT_NEW(&e->arena, uint32_t);
    *args = data;
    tct_call c = {
        .builtin = id, .n_args = 1, .args = args, .n_results = n, .results = results, .generator = NO_REG};
    TCT_PUSH(&e->stage->calls, c);
    tct_stage_emit(e, TCT_I_CALL, 0, (uint32_t)e->stage->calls.len - 1, 0, 0, span);
}

// for b in data: from the first batch to the last of a data set opened with `once`.
static void for_data(tct_elab *e, const tct_stmt *s, tct_val *data) {
    data_call(e, TCT_BUILTIN_REWIND, data->reg, NULL, 0, s->span);
    uint32_t *more = TCT_NEW(&e->arena, uint32_t);
    *more = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, s->span)->reg;
    stage_loop l;
    enter_loop(e, &l);
    uint32_t head = tct_stage_emit(e, TCT_I_SAFEPOINT, 0, 0, 0, 0, s->span);
    data_call(e, TCT_BUILTIN_HAS_NEXT, data->reg, more, 1, s->span);
    uint32_t exit = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, *more, 0, 0, s->span);
    uint32_t *regs = TCT_NEW_ARRAY(&e->arena, uint32_t, 16), n = 0;
    tct_val *batch = tct_stage_batch(e, data->data, regs, &n, s->span);
    data_call(e, TCT_BUILTIN_NEXT, data->reg, regs, n, s->span);
    body(e, s->body, s->names[0].text, batch, s->names[0].span);
    tct_stage_emit(e, TCT_I_JUMP, 0, head, 0, 0, s->span);
    tct_stage_patch(e, exit, tct_stage_here(e));
    leave_loop(e, &l, head);
}

// for mb in minibatches(batch, rows, seed) or split(batch, parts).
static void for_rows(tct_elab *e, const tct_stmt *s, bool minibatches) {
    const tct_expr *x = s->value;
    if (x->n_args != (minibatches ? 3u : 2u)) {
        tct_elab_error(e, "E0339", x->span,
                       minibatches ? "minibatches(batch, rows, seed)" : "split(batch, parts)");
        return;
    }
    tct_val *batch = tct_stage_value(e, x->args[0].value), *count = tct_stage_value(e, x->args[1].value);
    tct_val *seed = minibatches ? tct_stage_value(e, x->args[2].value) : NULL;
    stage_rows rows;
    if (batch->kind == V_ERROR || count->kind == V_ERROR || (seed && seed->kind == V_ERROR)) return;
    batch = tct_stage_snapshot(e, batch, NULL, s->span);
    if (!tct_stage_rows_begin(e, batch, count, seed, minibatches, x->span, &rows)) return;
    stage_loop l;
    enter_loop(e, &l);
    body(e, s->body, s->names[0].text, rows.part, s->names[0].span);
    uint32_t next = tct_stage_here(e);
    tct_stage_rows_end(e, &rows, s->span);
    leave_loop(e, &l, next);
}

static bool all_elements(tct_elab *e, const tct_val *list) {
    for (uint32_t i = 0; i < list->n_items; i++)
        if (!tct_stage_is_element(e, list->items[i])) return false;
    return true;
}

// for l in [model.a, model.b]: what no list of the machine can hold is written out, one turn after the other.
static void for_each(tct_elab *e, const tct_stmt *s, const tct_val *list) {
    stage_loop l;
    enter_loop(e, &l);
    for (uint32_t i = 0; i < list->n_items && tct_stage_one_more(e, s->value->span); i++) {
        body(e, s->body, s->names[0].text, list->items[i], s->names[0].span);
        for (size_t k = 0; k < l.continues.len; k++)
            tct_stage_patch(e, l.continues.data[k], tct_stage_here(e));
        l.continues.len = 0;
    }
    leave_loop(e, &l, tct_stage_here(e));
}

static void for_loop(tct_elab *e, const tct_stmt *s) {
    const tct_expr *x = s->value;
    const char *callee = x->kind == TCT_EXPR_CALL && x->a->kind == TCT_EXPR_NAME ? x->a->name.text : "";
    if (strcmp(callee, "range") == 0) {
        for_range(e, s);
        return;
    }
    if (strcmp(callee, "minibatches") == 0 || strcmp(callee, "split") == 0) {
        for_rows(e, s, callee[0] == 'm');
        return;
    }
    tct_val *v = tct_stage_value(e, x);
    if (v->kind == V_ERROR) return;
    if (v->kind == V_OPAQUE && strcmp(v->s, "a data set") == 0)
        for_data(e, s, v);
    else if (v->kind == V_LIST && !all_elements(e, v))
        for_each(e, s, v);
    else if (v->kind == V_LIST || (v->kind == V_REG && tct_stage_kind(e, v) == TCT_KIND_LIST))
        for_list(e, s, v);
    else
        tct_elab_error(e, "E0513", x->span,
                       "for goes over a range, a list, a data set, minibatches or split, found %s",
                       tct_val_describe(e, v));
}

static void while_loop(tct_elab *e, const tct_stmt *s) {
    stage_loop l;
    enter_loop(e, &l);
    uint32_t head = tct_stage_emit(e, TCT_I_SAFEPOINT, 0, 0, 0, 0, s->span);
    uint32_t c = tct_stage_load(e, tct_stage_value(e, s->value), TCT_KIND_BOOL, s->value->span);
    uint32_t exit = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, c, 0, 0, s->span);
    body(e, s->body, NULL, NULL, s->span);
    tct_stage_emit(e, TCT_I_JUMP, 0, head, 0, 0, s->span);
    tct_stage_patch(e, exit, tct_stage_here(e));
    leave_loop(e, &l, head);
}

static void sides(tct_elab *e, const tct_stmt *s, tct_val *c) {
    uint32_t condition = tct_stage_load(e, c, TCT_KIND_BOOL, s->value->span);
    if (condition == NO_REG) return;
    uint32_t to_else = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, condition, 0, 0, s->span);
    body(e, s->body, NULL, NULL, s->span);
    if (!s->otherwise) {
        tct_stage_patch(e, to_else, tct_stage_here(e));
        return;
    }
    uint32_t to_end = tct_stage_emit(e, TCT_I_JUMP, 0, 0, 0, 0, s->span);
    tct_stage_patch(e, to_else, tct_stage_here(e));
    body(e, s->otherwise, NULL, NULL, s->span);
    tct_stage_patch(e, to_end, tct_stage_here(e));
}

// What config decides is decided at run time if both sides can be compiled.
static void if_statement(tct_elab *e, const tct_stmt *s) {
    tct_val *c = tct_stage_value(e, s->value);
    if (!tct_stage_both_sides(e, s->value->span))
        c = tct_elab_decide(e, c, s->value->span, "chooses what is compiled");
    if (c->kind == V_BOOL) {
        if (c->i)
            body(e, s->body, NULL, NULL, s->span);
        else if (s->otherwise)
            body(e, s->otherwise, NULL, NULL, s->span);
        return;
    }
    size_t faults = tct_elab_faults(e);
    stage_branch branch = {e->stage->branch, c, s->value->span};
    e->stage->branch = &branch;
    sides(e, s, c);
    e->stage->branch = branch.outer;
    if (tct_elab_faults(e) > faults && tct_val_is_config(c)) tct_stage_one_side(e, s->value->span);
}

static void return_statement(tct_elab *e, const tct_stmt *s) {
    stage_fn *f = e->stage->fn;
    if (!f) {
        tct_elab_error(e, "E0513", s->span, "return stands in a fn or a graph, and this is a stage");
        return;
    }
    tct_val *v = s->value ? tct_stage_value(e, s->value) : NULL;
    bool last = f->item->body->n_stmts && f->item->body->stmts[f->item->body->n_stmts - 1] == s;
    const tct_type *type = f->item->n_results ? f->item->results[0].type : NULL;
    if (v && type) {
        const char *what = tct_arena_printf(&e->arena, "the result of %s", f->item->name.text);
        v = tct_stage_as_declared(e, v, type, what, s->value->span);
    }
    if (v && v->kind == V_ERROR) {
        if (!f->result) f->result = v;
    } else if (v && !f->result && last) {
        f->result = v; // the only return, at the end: no need of a variable
    } else if (v && !f->result) {
        f->result = tct_stage_variable(e, v, NULL, s->span);
    } else if (v) {
        tct_stage_store(e, f->result, v, s->value->span);
    }
    if (last) return;
    uint32_t jump = tct_stage_emit(e, TCT_I_JUMP, 0, 0, 0, 0, s->span);
    TCT_PUSH(&f->exits, jump);
}

static void assertion(tct_elab *e, const tct_stmt *s) {
    tct_val *c = tct_stage_value(e, s->value);
    uint32_t condition = tct_stage_load(e, c, TCT_KIND_BOOL, s->value->span);
    tct_val *m =
        s->message ? tct_stage_value(e, s->message) : tct_val_string(e, "this doesn't hold", s->span);
    uint32_t message = tct_stage_load(e, m, TCT_KIND_STRING, s->span);
    if (condition != NO_REG && message != NO_REG)
        tct_stage_emit(e, TCT_I_ASSERT, 0, condition, message, 0, s->span);
}

static void stage_statement(tct_elab *e, const tct_stmt *s) {
    if (e->stage->in_stage || e->stage->fn || e->stage->loop) {
        tct_elab_error(e, "E0513", s->span, "a stage stands directly in the pipeline, in no loop and no fn");
        return;
    }
    for (size_t i = 0; i < e->stage->stages.len; i++)
        if (strcmp(e->stage->stages.data[i].name, s->names[0].text) == 0) {
            tct_elab_error(e, "E0513", s->names[0].span, "a second stage `%s`", s->names[0].text);
            return;
        }
    for (const stage_branch *b = e->stage->branch; b; b = b->outer)
        if (tct_val_is_config(b->condition)) tct_stage_one_side(e, b->place);
    uint32_t number = (uint32_t)e->stage->stages.len;
    tct_stage_desc d = {.name = s->names[0].text, .doc = s->doc, .begin = tct_stage_here(e)};
    TCT_PUSH(&e->stage->stages, d);
    tct_stage_emit(e, TCT_I_STAGE, 0, number, 0, 0, s->span);
    e->stage->in_stage = true;
    body(e, s->body, NULL, NULL, s->span);
    e->stage->in_stage = false;
    tct_stage_emit(e, TCT_I_STAGE_END, 0, number, 0, 0, s->span);
    e->stage->stages.data[number].end = tct_stage_here(e);
}

static void jump(tct_elab *e, const tct_stmt *s, bool out) {
    stage_loop *l = e->stage->loop;
    if (!l) {
        tct_elab_error(e, "E0513", s->span, "%s stands in a loop only", out ? "break" : "continue");
        return;
    }
    uint32_t at = tct_stage_emit(e, TCT_I_JUMP, 0, 0, 0, 0, s->span);
    if (out)
        TCT_PUSH(&l->breaks, at);
    else
        TCT_PUSH(&l->continues, at);
}

static void expression(tct_elab *e, const tct_stmt *s) {
    if (s->value->kind == TCT_EXPR_CALL && !tct_stage_is_tensor(e, s->value)) {
        tct_val *v = tct_stage_call(e, s->value, true);
        if (e->index) tct_index_expr(e, s->value, v);
        return;
    }
    tct_val *v = tct_stage_value(e, s->value);
    if (v->kind != V_ERROR && s->value->kind != TCT_EXPR_MINIMIZE) {
        tct_elab_error(e, "E0513", s->span, "the value of this expression isn't used");
        tct_elab_help(e, "let x = … names it");
    }
}

bool tct_stage_block(tct_elab *e, const tct_block *b) {
    for (uint32_t i = 0; i < b->n_stmts; i++) {
        const tct_stmt *s = b->stmts[i];
        if (e->index) tct_index_statement(e, b, i, false);
        switch (s->kind) {
        case TCT_STMT_LET:
            let(e, s);
            break;
        case TCT_STMT_ASSIGN:
            assign(e, s);
            break;
        case TCT_STMT_FOR:
            for_loop(e, s);
            break;
        case TCT_STMT_WHILE:
            while_loop(e, s);
            break;
        case TCT_STMT_IF:
            if_statement(e, s);
            break;
        case TCT_STMT_RETURN:
            return_statement(e, s);
            break;
        case TCT_STMT_ASSERT:
            assertion(e, s);
            break;
        case TCT_STMT_BREAK:
            jump(e, s, true);
            break;
        case TCT_STMT_CONTINUE:
            jump(e, s, false);
            break;
        case TCT_STMT_EXPR:
            expression(e, s);
            break;
        case TCT_STMT_STAGE:
            stage_statement(e, s);
            break;
        case TCT_STMT_AXIS:
        case TCT_STMT_YIELD:
        case TCT_STMT_STATE:
            tct_elab_error(e, "E0513", s->span, "this is a statement of graphs, and this is stage code");
            break;
        }
    }
    if (e->index) tct_index_statement(e, b, b->n_stmts, true);
    return true;
}
