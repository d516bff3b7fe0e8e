// Expressions of stage code that are no graphs: static values, and code for the machine on numbers, strings
// and lists.
#include "frontend/stage_internal.h"

#include <string.h>

static bool is_static(const tct_val *v) {
    return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_BOOL || v->kind == V_STRING;
}

// Axes of a tensor that an expression uses come into that expression's scope.
static tct_val *with_axes(tct_elab *e, tct_val *v, tct_span span) {
    if (e->builder && ((v->kind == V_REG && v->is_tensor_reg) || v->kind == V_PARAM))
        for (uint32_t i = 0; i < v->n_param_axes; i++) {
            const char *name = tct_axis_of(e->module, v->param_axes[i])->name;
            if (!tct_scope_bind_axis(e, name, v->param_axes[i], span)) return tct_val_error(e);
        }
    return v;
}

static tct_val *no_name(tct_elab *e, const tct_expr *x) {
    tct_elab_error(e, "E0201", x->span, "unknown name `%s`", x->name.text);
    const char *near = tct_elab_suggest(e, x->name.text);
    if (near) tct_elab_help(e, "did you mean `%s`?", near);
    return tct_val_error(e);
}

static tct_val *name(tct_elab *e, const tct_expr *x) {
    tct_symbol *s = tct_scope_find(e, x->name.text, false);
    return s ? s->val : no_name(e, x);
}

static bool dotted_config(const tct_expr *x, tct_buf *out) {
    if (x->kind == TCT_EXPR_NAME) return strcmp(x->name.text, "config") == 0;
    if (x->kind != TCT_EXPR_FIELD || !dotted_config(x->a, out)) return false;
    tct_buf_printf(out, "%s%s", out->len ? "." : "", x->name.text);
    return true;
}

static tct_val *field(tct_elab *e, const tct_expr *x) {
    tct_buf dotted = {0};
    bool config = dotted_config(x, &dotted);
    const char *path = config ? tct_arena_strdup(&e->arena, dotted.data) : NULL;
    tct_buf_free(&dotted);
    if (config) return tct_elab_config_value(e, path, x->span);
    tct_val *a = tct_elab_expr(e, x->a);
    if (a->kind == V_ERROR) return a;
    tct_val **f = a->kind == V_STRUCT ? tct_val_field(a, x->name.text) : NULL;
    if (f) return *f;
    const char **names = TCT_NEW_ARRAY(&e->arena, const char *, a->n_fields + 1);
    for (uint32_t i = 0; i < a->n_fields; i++) names[i] = a->fields[i].name;
    const char *near = tct_nearest(x->name.text, names, a->n_fields);
    if (a->kind == V_STRUCT)
        tct_elab_error(e, "E0202", x->op_span, "%s has no field `%s`", tct_val_describe(e, a), x->name.text);
    else
        tct_elab_error(e, "E0342", x->op_span, "%s has no fields, so no `%s`", tct_val_describe(e, a),
                       x->name.text);
    if (near)
        tct_elab_help(e, "did you mean `%s`?", near);
    else if (a->n_fields)
        tct_elab_help(e, "it has %s", tct_val_fields(e, a));
    return tct_val_error(e);
}

static bool all_elements(tct_elab *e, const tct_val *list) {
    for (uint32_t i = 0; i < list->n_items; i++)
        if (!tct_stage_is_element(e, list->items[i])) return false;
    return true;
}

static tct_val *element(tct_elab *e, const tct_expr *x) {
    tct_val *a = tct_elab_expr(e, x->a);
    if (a->kind == V_ERROR || x->n_args != 1) return tct_val_error(e);
    tct_val *i = tct_stage_value(e, x->args[0].value);
    if (i->kind == V_ERROR) return i;
    if (a->kind == V_LIST && !all_elements(e, a))
        i = tct_elab_fix(e, i, x->args[0].value->span, "chooses an element of a list");
    if (i->kind == V_ERROR) return i;
    if (a->kind == V_LIST && i->kind == V_INT) {
        if (i->i >= 0 && i->i < a->n_items) return a->items[i->i];
        tct_elab_error(e, "E0342", x->span, "no element %lld: %s counts from 0", (long long)i->i,
                       tct_val_describe(e, a));
        return tct_val_error(e);
    }
    uint32_t list = tct_stage_load(e, a, TCT_KIND_LIST, x->a->span),
             index = tct_stage_load(e, i, TCT_KIND_INT, x->span);
    if (list == NO_REG || index == NO_REG || !tct_stage_has_elements(e, list, x->a->span))
        return tct_val_error(e);
    const tct_reg_type t = *tct_stage_type(e, list);
    tct_val *out = t.element == TCT_KIND_LIST
                       ? tct_stage_list_reg(e, (tct_kind)t.element2, TCT_KIND_NONE, x->span)
                       : tct_stage_scalar_reg(e, (tct_kind)t.element, NULL, x->span);
    tct_stage_emit(e, TCT_I_GET, out->reg, list, index, 0, x->span);
    return out;
}

static tct_val *emit2(tct_elab *e, tct_opcode op, tct_kind result, uint32_t a, uint32_t b, tct_span span) {
    tct_val *out = tct_stage_scalar_reg(e, result, NULL, span);
    tct_stage_emit(e, op, out->reg, a, b, 0, span);
    return out;
}

static tct_val *negated(tct_elab *e, tct_val *v, tct_span span) {
    return emit2(e, TCT_I_NOT, TCT_KIND_BOOL, v->reg, 0, span);
}

static tct_val *comparison(tct_elab *e, tct_operator op, tct_kind kind, uint32_t a, uint32_t b,
                           tct_span span) {
    bool text = kind == TCT_KIND_STRING, boolean = kind == TCT_KIND_BOOL, real = kind == TCT_KIND_FLOAT;
    tct_opcode eq = text ? TCT_I_SEQ : boolean ? TCT_I_BEQ : real ? TCT_I_FEQ : TCT_I_IEQ;
    tct_opcode lt = real ? TCT_I_FLT : TCT_I_ILT, le = real ? TCT_I_FLE : TCT_I_ILE;
    switch (op) {
    case TCT_OP_EQ:
        return emit2(e, eq, TCT_KIND_BOOL, a, b, span);
    case TCT_OP_NE:
        return negated(e, emit2(e, eq, TCT_KIND_BOOL, a, b, span), span);
    case TCT_OP_LT:
        return emit2(e, lt, TCT_KIND_BOOL, a, b, span);
    case TCT_OP_LE:
        return emit2(e, le, TCT_KIND_BOOL, a, b, span);
    case TCT_OP_GT:
        return emit2(e, lt, TCT_KIND_BOOL, b, a, span);
    default:
        return emit2(e, le, TCT_KIND_BOOL, b, a, span);
    }
}

// out = left, and the jump over what would be done if the left side didn't decide.
static uint32_t decided_by_left(tct_elab *e, tct_operator op, uint32_t out, uint32_t left, tct_span span) {
    tct_stage_emit(e, TCT_I_MOVE, out, left, 0, 0, span);
    return tct_stage_emit(e, op == TCT_OP_OR ? TCT_I_JUMP_IF : TCT_I_JUMP_IFNOT, 0, left, 0, 0, span);
}

static tct_val *logical_of(tct_elab *e, tct_operator op, tct_val *const sides[2], tct_span span) {
    uint32_t a = tct_stage_load(e, sides[0], TCT_KIND_BOOL, span),
             b = tct_stage_load(e, sides[1], TCT_KIND_BOOL, span);
    if (a == NO_REG || b == NO_REG) return tct_val_error(e);
    tct_val *out = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, span);
    uint32_t skip = decided_by_left(e, op, out->reg, a, span);
    tct_stage_emit(e, TCT_I_MOVE, out->reg, b, 0, 0, span);
    tct_stage_patch(e, skip, tct_stage_here(e));
    return tct_stage_follows(e, out, tct_how_operator(op, sides[0], sides[1]));
}

// Short circuit: the right side's code is skipped.
static tct_val *logical(tct_elab *e, const tct_expr *x) {
    bool is_or = x->op == TCT_OP_OR;
    tct_val *sides[2] = {tct_stage_value(e, x->a), NULL};
    tct_val *a = sides[0];
    if (a->kind == V_ERROR) return a;
    if (a->kind == V_BOOL) {
        if ((a->i != 0) == is_or) return a;
        tct_val *b = tct_stage_value(e, x->b);
        return b->kind == V_BOOL || tct_stage_load(e, b, TCT_KIND_BOOL, x->b->span) != NO_REG
                   ? b
                   : tct_val_error(e);
    }
    uint32_t left = tct_stage_load(e, a, TCT_KIND_BOOL, x->a->span);
    if (left == NO_REG) return tct_val_error(e);
    tct_val *out = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, x->span);
    uint32_t skip = decided_by_left(e, x->op, out->reg, left, x->span);
    sides[1] = tct_stage_value(e, x->b);
    uint32_t right = tct_stage_load(e, sides[1], TCT_KIND_BOOL, x->b->span);
    if (right == NO_REG) return tct_val_error(e);
    tct_stage_emit(e, TCT_I_MOVE, out->reg, right, 0, 0, x->span);
    tct_stage_patch(e, skip, tct_stage_here(e));
    return tct_stage_follows(e, out, tct_how_operator(x->op, sides[0], sides[1]));
}

static tct_val *arithmetic(tct_elab *e, tct_operator op, tct_kind kind, uint32_t a, uint32_t b,
                           tct_span span) {
    bool real = kind == TCT_KIND_FLOAT;
    switch (op) {
    case TCT_OP_ADD:
        return emit2(e, real ? TCT_I_FADD : TCT_I_IADD, kind, a, b, span);
    case TCT_OP_SUB:
        return emit2(e, real ? TCT_I_FSUB : TCT_I_ISUB, kind, a, b, span);
    case TCT_OP_MUL:
        return emit2(e, real ? TCT_I_FMUL : TCT_I_IMUL, kind, a, b, span);
    case TCT_OP_DIV:
        return emit2(e, TCT_I_FDIV, kind, a, b, span);
    case TCT_OP_MOD:
        return emit2(e, real ? TCT_I_FMOD : TCT_I_IMOD, kind, a, b, span);
    case TCT_OP_POW:
        return emit2(e, TCT_I_FPOW, kind, a, b, span);
    default: { // div
        if (!real) return emit2(e, TCT_I_IDIV, kind, a, b, span);
        tct_val *q = emit2(e, TCT_I_FDIV, kind, a, b, span);
        return emit2(e, TCT_I_MATH, kind, q->reg, TCT_MATH_FLOOR, span);
    }
    }
}

tct_val *tct_stage_binary(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span) {
    if (a->kind == V_ERROR || b->kind == V_ERROR) return tct_val_error(e);
    tct_kind ka = tct_stage_kind(e, a), kb = tct_stage_kind(e, b);
    bool power = op == TCT_OP_POW && ka == TCT_KIND_INT && kb == TCT_KIND_INT;
    if (power && tct_val_can_fold(a) && tct_val_can_fold(b)) { // the machine has none of ints
        a = tct_elab_fix(e, a, span, "is in a power of ints");
        b = tct_elab_fix(e, b, span, "is in a power of ints");
        if (a->kind == V_ERROR || b->kind == V_ERROR) return tct_val_error(e);
    }
    if (op == TCT_OP_AND || op == TCT_OP_OR) return logical_of(e, op, (tct_val *[]){a, b}, span);
    if (is_static(a) && is_static(b))
        return tct_stage_follows(e, tct_elab_binary(e, op, a, b, span), tct_how_operator(op, a, b));
    bool numbers =
        (ka == TCT_KIND_INT || ka == TCT_KIND_FLOAT) && (kb == TCT_KIND_INT || kb == TCT_KIND_FLOAT);
    tct_kind kind = ka == kb ? ka : TCT_KIND_FLOAT;
    bool compares = op >= TCT_OP_LT && op <= TCT_OP_NE;
    bool equality = op == TCT_OP_EQ || op == TCT_OP_NE;
    bool joins = ka == TCT_KIND_STRING && kb == TCT_KIND_STRING && (op == TCT_OP_ADD || equality);
    bool bools = ka == TCT_KIND_BOOL && kb == TCT_KIND_BOOL && equality;
    if (!numbers && !joins && !bools) {
        tct_elab_error(e, "E0503", span, "this operator doesn't work on %s and %s", tct_val_describe(e, a),
                       tct_val_describe(e, b));
        if (ka == TCT_KIND_STRING && op == TCT_OP_ADD) tct_elab_help(e, "str(…) makes a string");
        return tct_val_error(e);
    }
    if (numbers && kind == TCT_KIND_INT && (op == TCT_OP_DIV || op == TCT_OP_POW)) {
        tct_elab_error(e, "E0341", span, "%s works on floats, found two integers",
                       op == TCT_OP_DIV ? "/" : "**");
        tct_elab_help(e, op == TCT_OP_DIV ? "a div b rounds down; float(a) / b divides exactly"
                                          : "float(a) ** b");
        return tct_val_error(e);
    }
    uint32_t ra = tct_stage_load(e, a, kind, span), rb = tct_stage_load(e, b, kind, span);
    if (ra == NO_REG || rb == NO_REG) return tct_val_error(e);
    tct_val *out = compares ? comparison(e, op, kind, ra, rb, span)
                   : joins  ? emit2(e, TCT_I_SADD, TCT_KIND_STRING, ra, rb, span)
                            : arithmetic(e, op, kind, ra, rb, span);
    return tct_stage_follows(e, out, tct_how_operator(op, a, b));
}

static tct_val *binary(tct_elab *e, const tct_expr *x) {
    if (x->op == TCT_OP_AND || x->op == TCT_OP_OR) return logical(e, x);
    tct_val *a = tct_stage_value(e, x->a), *b = tct_stage_value(e, x->b);
    return tct_stage_binary(e, x->op, a, b, x->span);
}

tct_val *tct_stage_unary(tct_elab *e, tct_operator op, tct_val *a, tct_span span) {
    if (a->kind == V_ERROR) return a;
    bool negate = op == TCT_OP_NEG;
    tct_kind kind = tct_stage_kind(e, a);
    bool fits = negate ? kind == TCT_KIND_INT || kind == TCT_KIND_FLOAT : kind == TCT_KIND_BOOL;
    if (fits && is_static(a)) {
        tct_val *v = negate && a->kind == V_INT && a->i != INT64_MIN ? tct_val_int(e, -a->i, span)
                     : negate && a->kind == V_FLOAT                  ? tct_val_float(e, -a->f, span)
                     : !negate                                       ? tct_val_bool(e, !a->i, span)
                                                                     : NULL;
        if (v) return tct_stage_follows(e, v, tct_how_operator(op, a, NULL));
    }
    if (!fits || a->kind != V_REG) {
        tct_elab_error(e, "E0503", span, "%s doesn't work on %s", negate ? "-" : "not",
                       tct_val_describe(e, a));
        return tct_val_error(e);
    }
    tct_val *out = emit2(e,
                         !negate                ? TCT_I_NOT
                         : kind == TCT_KIND_INT ? TCT_I_INEG
                                                : TCT_I_FNEG,
                         kind, a->reg, 0, span);
    return tct_stage_follows(e, out, tct_how_operator(op, a, NULL));
}

static tct_val *unary(tct_elab *e, const tct_expr *x) {
    return tct_stage_unary(e, x->op, tct_stage_value(e, x->a), x->span);
}

// The value of a block of stage code whose last statement is an expression, or an if that has one.
static tct_val *block_value(tct_elab *e, const tct_block *b) {
    if (!b || b->n_stmts == 0 || b->stmts[b->n_stmts - 1]->kind != TCT_STMT_EXPR) {
        tct_elab_error(e, "E0345", b ? b->span : TCT_NO_SPAN,
                       "this block must end with an expression, the value of the if");
        return tct_val_error(e);
    }
    tct_block before = *b;
    before.n_stmts--;
    tct_scope_push(e, false);
    tct_stage_block(e, &before);
    tct_val *v = tct_stage_value(e, b->stmts[b->n_stmts - 1]->value);
    tct_scope_pop(e);
    return v;
}

// Chooses at run time: both sides end in one register. An int on one side and a float on the other is a
// float.
static tct_val *choice(tct_elab *e, const tct_expr *x, tct_val *c) {
    uint32_t condition = tct_stage_load(e, c, TCT_KIND_BOOL, x->a->span);
    if (condition == NO_REG) return tct_val_error(e);
    uint32_t to_else = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, condition, 0, 0, x->span);
    tct_val *a = block_value(e, x->then);
    if (a->kind == V_ERROR) return a;
    tct_kind kind = tct_stage_kind(e, a);
    if (kind == TCT_KIND_NONE || kind == TCT_KIND_RECORDS) {
        tct_elab_error(
            e, "E0503", x->span,
            "an if that is decided at run time chooses between numbers, strings, lists or tensors, "
            "found %s",
            tct_val_describe(e, a));
        return tct_val_error(e);
    }
    uint32_t from = tct_stage_load(e, a, kind, x->span);
    if (from == NO_REG) return tct_val_error(e);
    tct_reg_type t = *tct_stage_type(e, from);
    t.name = NULL;
    uint32_t out = tct_stage_reg(e, t);
    uint32_t first = tct_stage_emit(e, TCT_I_MOVE, out, from, 0, 0, x->span);
    uint32_t to_end = tct_stage_emit(e, TCT_I_JUMP, 0, 0, 0, 0, x->span);
    tct_stage_patch(e, to_else, tct_stage_here(e));
    tct_val *b = block_value(e, x->otherwise);
    if (b->kind == V_ERROR) return b;
    if (kind == TCT_KIND_INT && tct_stage_kind(e, b) == TCT_KIND_FLOAT) { // the first side was a float, too
        e->stage->instrs.data[first].op = TCT_I_FLOAT;
        e->stage->regs.data[out].kind = TCT_KIND_FLOAT;
    }
    if (kind == TCT_KIND_LIST) tct_stage_same_list(e, out, from);
    if (!tct_stage_store(e, tct_stage_reg_val(e, out, x->span), b, x->span)) return tct_val_error(e);
    tct_stage_patch(e, to_end, tct_stage_here(e));
    tct_config_node how = {.kind = TCT_HOW_CHOICE, .n = 3, .part = {c, a, b}};
    return tct_stage_follows(e, tct_stage_reg_val(e, out, x->span), how);
}

// What config decides is decided at run time if both sides can be compiled.
static tct_val *conditional(tct_elab *e, const tct_expr *x) {
    tct_val *c = tct_stage_value(e, x->a);
    if (!tct_stage_both_sides(e, x->a->span))
        c = tct_elab_decide(e, c, x->a->span, "chooses what is compiled");
    if (c->kind == V_BOOL) return block_value(e, c->i ? x->then : x->otherwise);
    size_t faults = tct_elab_faults(e);
    stage_branch branch = {e->stage->branch, c, x->a->span};
    e->stage->branch = &branch;
    tct_val *v = choice(e, x, c);
    e->stage->branch = branch.outer;
    bool failed = v->kind == V_ERROR || tct_elab_faults(e) > faults;
    if (failed && tct_val_is_config(c)) tct_stage_one_side(e, x->a->span);
    return v;
}

static tct_val *evaluate(tct_elab *e, const tct_expr *x) {
    switch (x->kind) {
    case TCT_EXPR_INT:
        return tct_val_int(e, x->i, x->span);
    case TCT_EXPR_FLOAT:
        return tct_val_float(e, x->f, x->span);
    case TCT_EXPR_BOOL:
        return tct_val_bool(e, x->i, x->span);
    case TCT_EXPR_STRING:
        return tct_val_string(e, x->name.text, x->span);
    case TCT_EXPR_NAME:
        return name(e, x);
    case TCT_EXPR_FIELD:
        return field(e, x);
    case TCT_EXPR_INDEX:
        return element(e, x);
    case TCT_EXPR_UNARY:
        return unary(e, x);
    case TCT_EXPR_BINARY:
        return binary(e, x);
    case TCT_EXPR_CALL:
        return tct_stage_call(e, x, false);
    case TCT_EXPR_IF:
        return conditional(e, x);
    case TCT_EXPR_MINIMIZE:
        return tct_stage_minimize(e, x);
    case TCT_EXPR_LIST: {
        tct_val *v = tct_val_new(e, V_LIST, x->span);
        v->items = TCT_NEW_ARRAY(&e->arena, tct_val *, x->n_args + 1);
        v->n_items = x->n_args;
        for (uint32_t i = 0; i < x->n_args; i++) {
            v->items[i] = tct_stage_value(e, x->args[i].value);
            if (v->items[i]->kind == V_ERROR) return v->items[i];
        }
        return v;
    }
    case TCT_EXPR_TUPLE:
    case TCT_EXPR_STRUCT: {
        tct_val *v = tct_val_new(e, V_STRUCT, x->span);
        for (uint32_t i = 0; i < x->n_args; i++) {
            const char *n =
                x->args[i].name.text ? x->args[i].name.text : tct_arena_printf(&e->arena, "%u", i);
            tct_val *f = tct_stage_value(e, x->args[i].value);
            if (f->kind == V_ERROR) return f;
            if (tct_val_field(v, n)) {
                tct_elab_error(e, "E0204", x->args[i].name.span, "the field `%s` is given twice", n);
                return tct_val_error(e);
            }
            tct_val_add_field(e, v, n, f);
            v->fields[v->n_fields - 1].span = x->args[i].name.span;
        }
        return v;
    }
    case TCT_EXPR_ARROW:
    case TCT_EXPR_SCAN:
        break;
    }
    tct_elab_error(e, "E0503", x->span,
                   x->kind == TCT_EXPR_ARROW ? "-> stands in arguments of operations only"
                                             : "this has no meaning in stage code");
    return tct_val_error(e);
}

tct_val *tct_stage_scalar(tct_elab *e, const tct_expr *x) {
    tct_builder *outer = e->builder; // of the graph that this is a part of: code for the machine is in none
    e->builder = NULL;
    tct_val *v = evaluate(e, x);
    e->builder = outer;
    return with_axes(e, v, x->span);
}
