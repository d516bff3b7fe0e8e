// Calls of stage code: procedures, foreign functions, functions of numbers, model and optimizer constructors,
// logging.
#include "frontend/stage_internal.h"

#include <string.h>

static const struct {
    const char *name;
    tct_math fn;
} math_table[] = {{"abs", TCT_MATH_ABS},   {"exp", TCT_MATH_EXP},     {"log", TCT_MATH_LOG},
                  {"sqrt", TCT_MATH_SQRT}, {"floor", TCT_MATH_FLOOR}, {"round", TCT_MATH_ROUND},
                  {"sin", TCT_MATH_SIN},   {"cos", TCT_MATH_COS},     {"tanh", TCT_MATH_TANH}};

// max, min and abs of ints are ints: not every int is a float.
static tct_val *choose_int(tct_elab *e, const char *name, tct_val *a, tct_val *b, tct_span span) {
    bool lowest = strcmp(name, "min") == 0;
    uint32_t first = tct_stage_load(e, a, TCT_KIND_INT, span);
    uint32_t second =
        b ? tct_stage_load(e, b, TCT_KIND_INT, span) : tct_stage_scalar_reg(e, TCT_KIND_INT, NULL, span)->reg;
    if (!b) tct_stage_emit(e, TCT_I_INEG, second, first, 0, 0, span);
    tct_val *out = tct_stage_scalar_reg(e, TCT_KIND_INT, NULL, span);
    uint32_t less = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, span)->reg;
    tct_stage_emit(e, TCT_I_MOVE, out->reg, first, 0, 0, span);
    tct_stage_emit(e, TCT_I_ILT, less, lowest ? second : first, lowest ? first : second, 0, span);
    uint32_t skip = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, less, 0, 0, span);
    tct_stage_emit(e, TCT_I_MOVE, out->reg, second, 0, 0, span);
    tct_stage_patch(e, skip, tct_stage_here(e));
    return out;
}

static int math_number(const char *name) {
    for (size_t i = 0; i < sizeof math_table / sizeof *math_table; i++)
        if (strcmp(math_table[i].name, name) == 0) return (int)math_table[i].fn;
    return -1;
}

static tct_val *function(tct_elab *e, const char *name, tct_val *const *v, tct_span span) {
    int math = math_number(name);
    bool two = tct_elab_number_arity(name) == 2, to_int = strcmp(name, "int") == 0;
    tct_kind kind = tct_stage_kind(e, v[0]);
    if (strcmp(name, "float") == 0)
        return tct_stage_reg_val(e, tct_stage_load(e, v[0], TCT_KIND_FLOAT, span), span);
    if (to_int && kind == TCT_KIND_INT)
        return tct_stage_reg_val(e, tct_stage_load(e, v[0], kind, span), span);
    bool ints = kind == TCT_KIND_INT && (!two || tct_stage_kind(e, v[1]) == TCT_KIND_INT);
    if (ints && (two || math == TCT_MATH_ABS)) return choose_int(e, name, v[0], two ? v[1] : NULL, span);
    uint32_t a = tct_stage_load(e, v[0], TCT_KIND_FLOAT, span);
    uint32_t b = two ? tct_stage_load(e, v[1], TCT_KIND_FLOAT, span) : 0;
    tct_val *out = tct_stage_scalar_reg(e, to_int ? TCT_KIND_INT : TCT_KIND_FLOAT, NULL, span);
    if (two)
        tct_stage_emit(e, TCT_I_MATH2, out->reg, a, b,
                       strcmp(name, "max") == 0 ? TCT_MATH2_MAX : TCT_MATH2_MIN, span);
    else
        tct_stage_emit(e, to_int ? TCT_I_INT : TCT_I_MATH, out->reg, a, (uint32_t)(math < 0 ? 0 : math), 0,
                       span);
    return out;
}

tct_val *tct_stage_function(tct_elab *e, const char *name, tct_val *const *v, tct_span span) {
    uint32_t n = tct_elab_number_arity(name);
    bool all_static = true;
    for (uint32_t i = 0; i < n; i++) all_static &= v[i]->kind != V_REG;
    tct_val *out = all_static ? tct_elab_number_function(e, name, v, span) : function(e, name, v, span);
    tct_config_node how = {
        .kind = TCT_HOW_FUNCTION, .n = n, .name = name, .part = {v[0], n > 1 ? v[1] : NULL}};
    return tct_stage_follows(e, out, how);
}

// exp, min, float … of numbers. NULL: `name` is none of these, or not so many arguments.
static tct_val *scalar_function(tct_elab *e, const char *name, const tct_expr *x) {
    uint32_t n = tct_elab_number_arity(name);
    if (n == 0 || x->n_args != n || x->args[0].name.text) return NULL;
    tct_val *v[2] = {NULL, NULL};
    for (uint32_t i = 0; i < n; i++) {
        v[i] = tct_stage_value(e, x->args[i].value);
        if (v[i]->kind == V_ERROR) return v[i];
        tct_kind k = tct_stage_kind(e, v[i]);
        if (k != TCT_KIND_INT && k != TCT_KIND_FLOAT) {
            tct_elab_error(e, "E0502", x->args[i].value->span, "%s works on numbers and tensors, found %s",
                           name, tct_val_describe(e, v[i]));
            return tct_val_error(e);
        }
    }
    return tct_stage_function(e, name, v, x->span);
}

// log(loss = x, …) and summary("rm", accuracy = x, …).
static tct_val *log_call(tct_elab *e, const tct_expr *x, bool summary) {
    const char *group = NULL;
    uint32_t first = summary ? 1 : 0;
    if (summary) {
        tct_val *g =
            x->n_args && !x->args[0].name.text ? tct_stage_value(e, x->args[0].value) : tct_val_error(e);
        g = tct_elab_fix(e, g, x->span, "is the name of a summary");
        if (g->kind != V_STRING) {
            tct_elab_error(e, "E0507", x->span,
                           "the name of a summary comes first, as a string that is known at compile time");
            tct_elab_help(e, "summary(\"rm\", accuracy = x)");
            return tct_val_error(e);
        }
        group = g->s;
    }
    const char **names = TCT_NEW_ARRAY(&e->arena, const char *, x->n_args + 1);
    uint32_t *regs = TCT_NEW_ARRAY(&e->arena, uint32_t, x->n_args + 1), n = 0;
    for (uint32_t i = first; i < x->n_args; i++) {
        const tct_arg *a = &x->args[i];
        if (!a->name.text) {
            tct_elab_error(e, "E0507", a->value->span, "what is logged needs a name");
            tct_elab_help(e, summary ? "summary(\"rm\", accuracy = x)" : "log(loss = x)");
            return tct_val_error(e);
        }
        tct_val *v = tct_stage_value(e, a->value);
        tct_kind k = tct_stage_kind(e, v);
        if (v->kind == V_ERROR) return v;
        if (k != TCT_KIND_INT && k != TCT_KIND_FLOAT && k != TCT_KIND_BOOL && k != TCT_KIND_STRING) {
            tct_elab_error(e, "E0507", a->value->span, "numbers, bools and strings are logged, found %s",
                           tct_val_describe(e, v));
            return tct_val_error(e);
        }
        names[n] = a->name.text;
        regs[n++] = tct_stage_load(e, v, k, a->value->span);
    }
    tct_log l = {.group = group, .n = n, .names = names, .regs = regs};
    TCT_PUSH(&e->stage->logs, l);
    tct_stage_emit(e, summary ? TCT_I_SUMMARY : TCT_I_LOG, 0, (uint32_t)e->stage->logs.len - 1, 0, 0,
                   x->span);
    return tct_val_new(e, V_NONE, x->span);
}

static tct_val *extern_call(tct_elab *e, const tct_item *item, const tct_expr *x) {
    tct_actual *actuals = TCT_NEW_ARRAY(&e->arena, tct_actual, x->n_args + 1);
    for (uint32_t i = 0; i < x->n_args; i++)
        actuals[i] = (tct_actual){.name = x->args[i].name, .expr = x->args[i].value};
    int32_t *which = TCT_NEW_ARRAY(&e->arena, int32_t, item->n_params + 1);
    if (!tct_elab_match(e, item->name.text, item->params, item->n_params, actuals, x->n_args, x->span, which))
        return tct_val_error(e);
    uint32_t *args = TCT_NEW_ARRAY(&e->arena, uint32_t, item->n_params + 1);
    for (uint32_t k = 0; k < item->n_params; k++) {
        const tct_param *p = &item->params[k];
        const tct_expr *a = which[k] < 0 ? p->value : x->args[which[k]].value;
        tct_kind element, kind = tct_stage_declared_kind(p->type, &element);
        if (kind == TCT_KIND_NONE) {
            tct_elab_error(e, "E0508", x->span, "`%s` of %s has a type that stage code can't pass",
                           p->name.text, item->name.text);
            tct_elab_note(e, p->type ? p->type->span : p->name.span, "declared here");
            tct_elab_help(
                e, "int, float, bool, string and lists of them are passed from stages; tensors in graphs");
            return tct_val_error(e);
        }
        args[k] = tct_stage_load(e, tct_stage_value(e, a), kind, a->span);
        if (args[k] == NO_REG) return tct_val_error(e);
        if (kind == TCT_KIND_LIST && !tct_stage_list_of(e, args[k], element, TCT_KIND_NONE)) {
            tct_elab_error(e, "E0502", a->span, "`%s` of %s is a list of another type", p->name.text,
                           item->name.text);
            tct_elab_note(e, p->type->span, "declared here");
            return tct_val_error(e);
        }
    }
    tct_extern ext = {.name = item->name.text,
                      .library = tct_elab_library(e, item),
                      .symbol = item->name.text,
                      .n_args = item->n_params,
                      .args = args,
                      .result = NO_REG};
    tct_val *out = tct_val_new(e, V_NONE, x->span);
    if (item->n_results) {
        tct_kind element, kind = tct_stage_declared_kind(item->results[0].type, &element);
        if (kind == TCT_KIND_NONE || item->n_results > 1) {
            tct_elab_error(e, "E0508", x->span, "%s gives %s that stage code can't take", item->name.text,
                           item->n_results > 1 ? "several results" : "a type");
            tct_elab_note(e, item->results[0].type->span, "declared here");
            tct_elab_help(
                e, "int, float, bool, string and lists of them come back to stages; tensors to graphs");
            return tct_val_error(e);
        }
        out = kind == TCT_KIND_LIST ? tct_stage_list_reg(e, element, TCT_KIND_NONE, x->span)
                                    : tct_stage_scalar_reg(e, kind, NULL, x->span);
        ext.result = out->reg;
    }
    TCT_PUSH(&e->stage->externs, ext);
    tct_stage_emit(e, TCT_I_EXTERN, ext.result, (uint32_t)e->stage->externs.len - 1, 0, 0, x->span);
    return out;
}

static bool always_returns(const tct_block *b) {
    const tct_stmt *last = b->n_stmts ? b->stmts[b->n_stmts - 1] : NULL;
    if (!last || last->kind == TCT_STMT_RETURN) return last != NULL;
    return last->kind == TCT_STMT_IF && last->otherwise && always_returns(last->body) &&
           always_returns(last->otherwise);
}

// A procedure is expanded where it is called.
static tct_val *fn_call(tct_elab *e, const tct_item *item, const tct_expr *x) {
    for (stage_fn *f = e->stage->fn; f; f = f->outer)
        if (f->item == item) {
            tct_elab_error(e, "E0345", x->span,
                           "%s calls itself; procedures are expanded where they are called", item->name.text);
            return tct_val_error(e);
        }
    tct_actual *actuals = TCT_NEW_ARRAY(&e->arena, tct_actual, x->n_args + 1);
    for (uint32_t i = 0; i < x->n_args; i++)
        actuals[i] = (tct_actual){.name = x->args[i].name, .expr = x->args[i].value};
    int32_t *which = TCT_NEW_ARRAY(&e->arena, int32_t, item->n_params + 1);
    if (!tct_elab_match(e, item->name.text, item->params, item->n_params, actuals, x->n_args, x->span, which))
        return tct_val_error(e);
    for (uint32_t i = 0; i < x->n_args; i++) {
        actuals[i].val = tct_stage_value(e, actuals[i].expr);
        if (actuals[i].val->kind == V_ERROR) return actuals[i].val;
    }
    if (!tct_stage_one_more(e, x->span) || !tct_elab_may_nest(e, item->body->height, x->span))
        return tct_val_error(e);
    stage_fn f = {.outer = e->stage->fn, .item = item};
    stage_loop *loop = e->stage->loop;
    const tct_ast *file = e->file;
    tct_scope *s = tct_scope_push(e, true);
    s->item = item;
    s->call = x->span;
    e->file = tct_elab_item_file(e, item);
    e->stage->fn = &f;
    e->stage->loop = NULL;
    e->level += item->body->height;
    bool ok = true;
    for (uint32_t k = 0; k < item->n_params; k++) {
        const tct_param *p = &item->params[k];
        tct_val *v = which[k] < 0 ? tct_stage_value(e, p->value) : actuals[which[k]].val;
        if (p->type) {
            const char *what = tct_arena_printf(&e->arena, "`%s` of %s", p->name.text, item->name.text);
            v = tct_stage_as_declared(e, v, p->type, what,
                                      which[k] < 0 ? x->span : actuals[which[k]].expr->span);
        }
        ok = ok && v->kind != V_ERROR;
        tct_scope_bind(e, p->name.text, v, p->name.span, false);
    }
    if (ok) tct_stage_block(e, item->body);
    if (ok && (f.result || item->n_results) && !always_returns(item->body)) {
        ok = tct_elab_error(e, "E0344", item->name.span, "%s can end without a return", item->name.text);
        if (item->n_results) tct_elab_note(e, item->results[0].type->span, "the result is declared here");
    }
    for (size_t i = 0; i < f.exits.len; i++) tct_stage_patch(e, f.exits.data[i], tct_stage_here(e));
    TCT_VEC_FREE(&f.exits);
    e->level -= item->body->height;
    e->stage->fn = f.outer;
    e->stage->loop = loop;
    e->file = file;
    tct_scope_pop(e);
    if (!ok) return tct_val_error(e);
    return f.result ? f.result : tct_val_new(e, V_NONE, x->span);
}

tct_val *tct_stage_call(tct_elab *e, const tct_expr *x, bool statement) {
    const tct_expr *callee = x->a;
    if (callee->kind != TCT_EXPR_NAME) {
        tct_elab_error(e, "E0203", callee->span, "only graphs, fns and procedures are called, by their name");
        return tct_val_error(e);
    }
    const char *name = callee->name.text;
    bool logs = strcmp(name, "log") == 0 && (x->n_args == 0 || x->args[0].name.text);
    if (logs || strcmp(name, "summary") == 0) {
        if (!statement) {
            tct_elab_error(e, "E0507", x->span, "%s is a statement of its own: it gives no value", name);
            return tct_val_error(e);
        }
        return log_call(e, x, !logs);
    }
    const tct_item *item = tct_elab_item(e, name);
    if (item && item->kind == TCT_ITEM_MODEL) return tct_stage_new_model(e, item, x);
    if (item && item->kind == TCT_ITEM_OPTIMIZER) return tct_stage_new_optimizer(e, item, x);
    if (item && item->kind == TCT_ITEM_FN) return fn_call(e, item, x);
    if (item && item->kind == TCT_ITEM_EXTERN) return extern_call(e, item, x);
    if (item) {
        tct_elab_error(e, "E0203", x->a->span, "the %s `%s` can't be called",
                       item->kind == TCT_ITEM_PIPELINE ? "pipeline" : "item", name);
        return tct_val_error(e);
    }
    tct_val *v = NULL;
    if (!(tct_stage_is_builtin(name) && strcmp(name, "mean") == 0)) v = scalar_function(e, name, x);
    if (v) return v;
    if (tct_stage_is_builtin(name)) return tct_stage_builtin(e, name, x);
    if (tct_elab_is_operation(name)) {
        tct_elab_error(e, "E0343", x->span, "%s works on tensors, and none of its arguments is one", name);
        return tct_val_error(e);
    }
    const tct_symbol *value = tct_scope_find(e, name, false);
    if (value) {
        tct_elab_error(e, "E0203", callee->span, "`%s` is %s, and can't be called", name,
                       tct_val_describe(e, value->val));
        tct_elab_note(e, value->span, "declared here");
        return tct_val_error(e);
    }
    tct_elab_error(e, "E0201", callee->span, "unknown graph, fn or procedure `%s`", name);
    const char *near = tct_elab_suggest(e, name);
    if (near) tct_elab_help(e, "did you mean `%s`?", near);
    return tct_val_error(e);
}
