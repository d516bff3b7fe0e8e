// Graphs in stage code: which expressions are graphs, what feeds them, where their results go.
#include "frontend/stage_internal.h"

#include <assert.h>
#include <string.h>

// What an expression without effects names: a variable, a field, an element with a static number. NULL:
// something else.
static tct_val *peek(tct_elab *e, const tct_expr *x) {
    if (x->kind == TCT_EXPR_NAME) {
        tct_symbol *s = tct_scope_find(e, x->name.text, false);
        return s ? s->val : NULL;
    }
    if (x->kind == TCT_EXPR_FIELD) {
        tct_val *a = peek(e, x->a);
        if (a && a->kind == V_ERROR) return a;
        tct_val **f = a && a->kind == V_STRUCT ? tct_val_field(a, x->name.text) : NULL;
        return f ? *f : NULL;
    }
    if (x->kind == TCT_EXPR_INDEX && x->n_args == 1) {
        tct_val *a = peek(e, x->a);
        return a && a->kind == V_LIST && a->n_items ? a->items[0] : NULL;
    }
    return NULL;
}

// What is wrong already counts as a tensor: as a part of a graph it is passed on without another report.
static bool is_tensor_value(const tct_val *v) {
    return v->kind == V_TENSOR || v->kind == V_ERROR || v->kind == V_PARAM ||
           (v->kind == V_REG && v->is_tensor_reg);
}

static const char *callee(const tct_expr *x) {
    const tct_expr *a = x->a;
    if (a->kind == TCT_EXPR_INDEX) a = a->a;
    return a->kind == TCT_EXPR_NAME ? a->name.text : "";
}

static bool tensor_type(const tct_type *t) {
    tct_dtype dtype;
    return t && tct_elab_dtype_name(t->name.text, &dtype) &&
           (strcmp(t->name.text, "bool") != 0 || t->has_axes);
}

static bool valued(tct_elab *e, const tct_expr *x);

static bool call_valued(tct_elab *e, const tct_expr *x) {
    const char *name = callee(x);
    const tct_item *item = tct_elab_item(e, name);
    if (item && item->kind == TCT_ITEM_GRAPH) return true;
    if (item && item->kind == TCT_ITEM_EXTERN) {
        for (uint32_t i = 0; i < item->n_params; i++)
            if (tensor_type(item->params[i].type)) return true;
        return false;
    }
    if (item) return false;
    if (strcmp(name, "take") == 0 || strcmp(name, "tensor") == 0) return true;
    static const char *const makers[] = {"zeros", "ones", "iota", "random"};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        if (strcmp(name, makers[i]) == 0) return true;
    if (!tct_elab_is_operation(name)) return false;
    bool procedure = tct_stage_is_builtin(name); // which takes what is wrong already without another report
    for (uint32_t i = 0; i < x->n_args; i++) {
        const tct_val *v = procedure ? peek(e, x->args[i].value) : NULL;
        if (!(v && v->kind == V_ERROR) && valued(e, x->args[i].value)) return true;
    }
    return false;
}

static bool valued(tct_elab *e, const tct_expr *x) {
    switch (x->kind) {
    case TCT_EXPR_NAME:
    case TCT_EXPR_INDEX: {
        tct_val *v = peek(e, x);
        return v && is_tensor_value(v);
    }
    case TCT_EXPR_FIELD: {
        tct_val *v = peek(e, x);
        if (v) return is_tensor_value(v);
        return x->a->kind == TCT_EXPR_CALL && valued(e, x->a);
    }
    case TCT_EXPR_UNARY:
        return valued(e, x->a);
    case TCT_EXPR_BINARY:
        return valued(e, x->a) || valued(e, x->b);
    case TCT_EXPR_CALL:
        return call_valued(e, x);
    case TCT_EXPR_SCAN:
        return true;
    case TCT_EXPR_LIST:
        for (uint32_t i = 0; i < x->n_args; i++)
            if (valued(e, x->args[i].value)) return true;
        return false;
    case TCT_EXPR_IF: { // what it is shows in what its first side ends with
        const tct_stmt *last = x->then && x->then->n_stmts ? x->then->stmts[x->then->n_stmts - 1] : NULL;
        return last && last->kind == TCT_STMT_EXPR && valued(e, last->value);
    }
    default:
        return false;
    }
}

// Carried out by stage code itself, whatever its value.
static bool direct(tct_elab *e, const tct_expr *x) {
    switch (x->kind) {
    case TCT_EXPR_NAME:
    case TCT_EXPR_INDEX:
        return true;
    case TCT_EXPR_FIELD:
        return direct(e, x->a);
    case TCT_EXPR_CALL: {
        const char *name = callee(x);
        const tct_item *item = tct_elab_item(e, name);
        if (!item && strcmp(name, "log") == 0 && (x->n_args == 0 || x->args[0].name.text))
            return true; // logging
        if (item) return !call_valued(e, x);
        return tct_stage_is_builtin(name) && !(tct_elab_is_operation(name) && call_valued(e, x));
    }
    case TCT_EXPR_UNARY:
    case TCT_EXPR_BINARY:
    case TCT_EXPR_SCAN:
        return false;
    default:
        return true;
    }
}

bool tct_stage_is_tensor(tct_elab *e, const tct_expr *x) { return !direct(e, x) && valued(e, x); }

void tct_stage_enter_scope(tct_elab *e) {
    tct_scope *outer = e->scope;
    tct_scope *s = tct_scope_push(e, true);
    s->parent = outer; // variables of the stage are seen; axes are this expression's own
}

tct_builder *tct_stage_graph_begin(tct_elab *e, stage_run *run, tct_span span) {
    tct_builder *b = TCT_NEW(&e->arena, tct_builder);
    b->kind = TCT_BUILD_RUN;
    b->graph =
        tct_graph_new(e->module, tct_arena_printf(&e->module->arena, "g%u", e->stage->n_graphs_named++));
    b->graph->span = span;
    b->run = run;
    run->stage = e->stage;
    e->builder = b;
    e->n_random = 0;
    tct_elab_new_graph(e);
    tct_stage_enter_scope(e);
    return b;
}

void tct_stage_bind_input(tct_elab *e, stage_run *run, tct_bind bind) {
    if (run->n_inputs == run->cap) {
        uint32_t cap = run->cap ? run->cap * 2 : 16;
        run->inputs = tct_arena_realloc(&e->arena, run->inputs, run->cap * sizeof *run->inputs,
                                        cap * sizeof *run->inputs);
        run->cap = cap;
    }
    run->inputs[run->n_inputs++] = bind;
}

tct_value tct_stage_input(tct_elab *e, tct_builder *b, stage_run *run, const char *name, tct_dtype dtype,
                          const tct_axis *axes, uint32_t n, tct_bind bind) {
    assert(b->graph->inputs.len == run->n_inputs);
    tct_stage_bind_input(e, run, bind);
    return tct_ir_input(b->graph, name, dtype, axes, n);
}

// A number of the machine as a scalar tensor: nothing of it may be lost.
static bool becomes(tct_kind k, tct_dtype dtype) {
    bool real = dtype == TCT_F32 || dtype == TCT_F64 || dtype == TCT_BF16;
    return k == TCT_KIND_FLOAT  ? real
           : k == TCT_KIND_INT  ? dtype != TCT_BOOL
           : k == TCT_KIND_BOOL ? dtype == TCT_BOOL
                                : false;
}

tct_value tct_stage_import(tct_elab *e, tct_builder *b, const tct_val *v, tct_dtype dtype, tct_span span) {
    assert(b->kind == TCT_BUILD_RUN);
    bool number = v->kind == V_REG && !v->is_tensor_reg;
    uint32_t second = v->kind == V_PARAM ? (uint32_t)v->i : number ? (uint32_t)dtype : 0;
    for (size_t i = 0; i < b->imports.len; i++) {
        const tct_import *m = &b->imports.data[i];
        if (m->kind == v->kind && m->a == v->reg && m->b == second) return m->input;
    }
    tct_kind k = (tct_kind)b->run->stage->regs.data[v->reg].kind;
    if (number && !becomes(k, dtype)) {
        bool scalar = k == TCT_KIND_INT || k == TCT_KIND_FLOAT || k == TCT_KIND_BOOL;
        tct_elab_error(e, scalar ? "E0333" : "E0332", span,
                       scalar ? "%s can't become %s, which its tensor has"
                              : "a tensor or a number is expected here, found %s",
                       tct_val_describe(e, v), tct_dtype_name(dtype));
        return TCT_NO_VALUE;
    }
    tct_bind bind = {.kind = v->kind == V_PARAM ? TCT_BIND_PARAM : TCT_BIND_REG,
                     .reg = v->reg,
                     .index = v->kind == V_PARAM ? (uint32_t)v->i : 0};
    const char *name =
        tct_arena_printf(&e->module->arena, v->kind == V_PARAM ? "p%u" : "x%u", b->run->n_inputs);
    tct_value in =
        tct_stage_input(e, b, b->run, name, number ? dtype : v->dtype, v->param_axes, v->n_param_axes, bind);
    TCT_PUSH(&b->imports, (tct_import){.kind = v->kind, .a = v->reg, .b = second, .input = in});
    return in;
}

void tct_stage_graph_run(tct_elab *e, tct_graph *g, const stage_run *run, const tct_bind *outputs,
                         tct_span span) {
    stage *s = e->stage;
    uint32_t plan = 0;
    while (plan < s->graphs.len && !tct_ir_equal(s->graphs.data[plan], g)) plan++;
    if (plan == s->graphs.len) TCT_PUSH(&s->graphs, g);
    tct_run r = {.plan = plan, .inputs = run->inputs, .outputs = outputs};
    TCT_PUSH(&s->runs, r);
    tct_stage_emit(e, TCT_I_RUN, 0, (uint32_t)s->runs.len - 1, 0, 0, span);
}

typedef struct collected {
    tct_bind *outputs;
    uint32_t n;
    struct {
        uint32_t tensor, scalar;
    } *items; // scalars to be read after the run
    uint32_t n_items;
} collected;

tct_kind tct_stage_number_kind(tct_dtype dtype) {
    return dtype == TCT_BOOL ? TCT_KIND_BOOL : tct_dtype_is_int(dtype) ? TCT_KIND_INT : TCT_KIND_FLOAT;
}

// An input that is a result as well: an int that was taken for an f32 comes back as a float.
static tct_val *given_back(tct_elab *e, uint32_t reg, tct_dtype dtype, tct_span span) {
    tct_val *v = tct_stage_reg_val(e, reg, span);
    if (v->is_tensor_reg) return v;
    return tct_stage_reg_val(e, tct_stage_load(e, v, tct_stage_number_kind(dtype), span), span);
}

// Turns the tensors of v into outputs of the graph and registers.
static tct_val *collect(tct_elab *e, tct_builder *b, stage_run *run, tct_val *v, collected *c,
                        tct_span span) {
    if (v->kind == V_STRUCT && !v->model && !v->data) {
        tct_val *out = tct_val_new(e, V_STRUCT, span);
        for (uint32_t i = 0; i < v->n_fields; i++)
            tct_val_keep_field(e, out, &v->fields[i], collect(e, b, run, v->fields[i].val, c, span));
        return out;
    }
    if (v->kind != V_TENSOR) return v;
    const tct_node n = *tct_node_of(b->graph, v->value);
    if (n.op == TCT_IR_INPUT && run->inputs[n.attr.i].kind == TCT_BIND_REG)
        return given_back(e, run->inputs[n.attr.i].reg, n.dtype, span);
    tct_val *t = tct_stage_tensor_reg(e, (tct_dtype)n.dtype, n.axes, n.n_axes, span);
    tct_ir_output(b->graph, tct_arena_printf(&e->module->arena, "y%u", c->n), v->value, -1);
    c->outputs =
        tct_arena_realloc(&e->arena, c->outputs, c->n * sizeof *c->outputs, (c->n + 1) * sizeof *c->outputs);
    c->outputs[c->n++] = (tct_bind){.kind = TCT_BIND_REG, .reg = t->reg};
    if (n.n_axes) return t;
    tct_val *scalar = tct_stage_scalar_reg(e, tct_stage_number_kind(n.dtype), NULL, span);
    c->items = tct_arena_realloc(&e->arena, c->items, c->n_items * sizeof *c->items,
                                 (c->n_items + 1) * sizeof *c->items);
    c->items[c->n_items].tensor = t->reg;
    c->items[c->n_items++].scalar = scalar->reg;
    return scalar;
}

tct_val *tct_stage_graph_end(tct_elab *e, tct_builder *b, stage_run *run, tct_val *v, tct_span span) {
    collected c = {0};
    tct_val *out = collect(e, b, run, v, &c, span);
    tct_scope_pop(e);
    TCT_VEC_FREE(&b->imports);
    if (c.n == 0) return out;
    tct_stage_graph_run(e, b->graph, run, c.outputs, span);
    for (uint32_t i = 0; i < c.n_items; i++)
        tct_stage_emit(e, TCT_I_ITEM, c.items[i].scalar, c.items[i].tensor, 0, 0, span);
    return out;
}

tct_val *tct_stage_value(tct_elab *e, const tct_expr *x) {
    tct_builder *outer = e->builder;
    if (!tct_stage_is_tensor(e, x)) {
        e->builder = NULL;
        tct_val *v = tct_elab_expr(e, x);
        e->builder = outer;
        return v;
    }
    stage_run *run = TCT_NEW(&e->arena, stage_run);
    uint32_t n_random = e->n_random;
    tct_builder *b = tct_stage_graph_begin(e, run, x->span);
    tct_val *v = tct_elab_expr(e, x);
    if (v->kind == V_TENSOR) v->value = tct_stage_in_order(b, v->value);
    e->builder = outer;
    e->n_random = n_random;
    return tct_stage_graph_end(e, b, run, v, x->span);
}
