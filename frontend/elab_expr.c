// Expressions: static evaluation, arithmetic on tensors, fields, indices.
#include "frontend/elab_internal.h"

#include <assert.h>
#include <string.h>

// Static arithmetic

static const char *const operator_text[] = {"-", "not", "+", "-",  "*",  "/",  "div", "%", "**",
                                            "<", "<=",  ">", ">=", "==", "!=", "and", "or"};

static bool compare(tct_operator op, double a, double b) {
    switch (op) {
    case TCT_OP_LT:
        return a < b;
    case TCT_OP_LE:
        return a <= b;
    case TCT_OP_GT:
        return a > b;
    case TCT_OP_GE:
        return a >= b;
    case TCT_OP_EQ:
        return a == b;
    default:
        return a != b;
    }
}

static tct_val *static_int(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span) {
    int64_t r = 0, x = a->i, y = b->i;
    bool overflow = false;
    if (op >= TCT_OP_LT && op <= TCT_OP_NE) {
        bool result = op == TCT_OP_LT   ? x < y
                      : op == TCT_OP_LE ? x <= y
                      : op == TCT_OP_GT ? x > y
                      : op == TCT_OP_GE ? x >= y
                      : op == TCT_OP_EQ ? x == y
                                        : x != y;
        tct_val *v = tct_val_bool(e, result, span);
        v->known = a->known && b->known;
        return v;
    }
    if (op == TCT_OP_DIV) {
        tct_elab_error(e, "E0341", span, "/ divides floats, found two integers");
        tct_elab_help(e, "a div b rounds down; float(a) / b divides exactly");
        return tct_val_error(e);
    }
    if (!a->known || !b->known) {
        tct_val *v = tct_val_int(e, 0, span);
        v->known = false;
        return v;
    }
    switch (op) {
    case TCT_OP_ADD:
        overflow = __builtin_add_overflow(x, y, &r);
        break;
    case TCT_OP_SUB:
        overflow = __builtin_sub_overflow(x, y, &r);
        break;
    case TCT_OP_MUL:
        overflow = __builtin_mul_overflow(x, y, &r);
        break;
    case TCT_OP_FLOORDIV:
    case TCT_OP_MOD:
        if (y == 0 || (x == INT64_MIN && y == -1)) {
            tct_elab_error(e, "E0341", span, "%lld %s %lld has no value", (long long)x, operator_text[op],
                           (long long)y);
            return tct_val_error(e);
        }
        r = x / y;
        if (x % y != 0 && (x < 0) != (y < 0)) r--;
        if (op == TCT_OP_MOD) r = x - r * y;
        break;
    case TCT_OP_POW:
        if (y < 0) return tct_val_float(e, pow((double)x, (double)y), span);
        r = 1;
        // By squaring: a large exponent of 1 must not take as many turns. The last square isn't needed and
        // may overflow.
        for (int64_t base = x, n = y; n > 0 && !overflow; n /= 2) {
            if (n % 2) overflow = __builtin_mul_overflow(r, base, &r);
            if (n > 1) overflow |= __builtin_mul_overflow(base, base, &base);
        }
        break;
    default:
        break;
    }
    if (overflow) {
        tct_elab_error(e, "E0341", span, "the result of %s doesn't fit into 64 bits", operator_text[op]);
        return tct_val_error(e);
    }
    return tct_val_int(e, r, span);
}

enum { MAX_STRING = 1 << 20 };

static tct_val *static_binary(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span) {
    bool numbers = tct_val_is_number(a) && tct_val_is_number(b) && op != TCT_OP_AND && op != TCT_OP_OR;
    if (numbers && a->kind == V_INT && b->kind == V_INT) return static_int(e, op, a, b, span);
    if (numbers) {
        double x = a->kind == V_INT ? (double)a->i : a->f, y = b->kind == V_INT ? (double)b->i : b->f;
        tct_val *v;
        if (op >= TCT_OP_LT && op <= TCT_OP_NE)
            v = tct_val_bool(e, compare(op, x, y), span);
        else {
            double r = op == TCT_OP_ADD        ? x + y
                       : op == TCT_OP_SUB      ? x - y
                       : op == TCT_OP_MUL      ? x * y
                       : op == TCT_OP_DIV      ? x / y
                       : op == TCT_OP_FLOORDIV ? floor(x / y)
                       : op == TCT_OP_MOD      ? x - y * floor(x / y)
                                               : pow(x, y);
            v = tct_val_float(e, r, span);
        }
        v->known = a->known && b->known;
        return v;
    }
    if (a->kind == V_STRING && b->kind == V_STRING) {
        if (op == TCT_OP_ADD && strlen(a->s) + strlen(b->s) > MAX_STRING) {
            tct_elab_error(e, "E0341", span, "a string of more than %d bytes", MAX_STRING);
            return tct_val_error(e);
        }
        if (op == TCT_OP_ADD) {
            tct_val *v = tct_val_string(e, tct_arena_printf(&e->arena, "%s%s", a->s, b->s), span);
            v->beside = a->beside;
            return v;
        }
        if (op == TCT_OP_EQ) return tct_val_bool(e, strcmp(a->s, b->s) == 0, span);
        if (op == TCT_OP_NE) return tct_val_bool(e, strcmp(a->s, b->s) != 0, span);
    }
    if (a->kind == V_BOOL && b->kind == V_BOOL && (op == TCT_OP_EQ || op == TCT_OP_NE)) {
        tct_val *v = tct_val_bool(e, (a->i == b->i) == (op == TCT_OP_EQ), span);
        v->known = a->known && b->known;
        return v;
    }
    tct_elab_error(e, "E0341", span, "%s doesn't work on %s and %s", operator_text[op],
                   tct_val_describe(e, a), tct_val_describe(e, b));
    if (a->kind == V_STRING && tct_val_is_number(b) && op == TCT_OP_ADD)
        tct_elab_help(e, "str(…) makes a string");
    return tct_val_error(e);
}

static bool is_static(const tct_val *v) {
    return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_BOOL || v->kind == V_STRING;
}

static bool is_tensor(const tct_val *v) {
    return v->kind == V_TENSOR || v->kind == V_REG || v->kind == V_PARAM;
}

// Broadcasting is by name: the same name with two sizes is the user's mistake, told with both sizes.
static bool same_name_two_sizes(tct_elab *e, tct_value a, tct_value b, tct_span span) {
    const tct_node *x = tct_elab_node(e, a), *y = tct_elab_node(e, b);
    for (uint32_t i = 0; i < x->n_axes; i++)
        for (uint32_t k = 0; k < y->n_axes; k++) {
            const tct_axis_info *p = tct_axis_of(e->module, x->axes[i]),
                                *q = tct_axis_of(e->module, y->axes[k]);
            if (x->axes[i] == y->axes[k] || strcmp(p->name, q->name) != 0) continue;
            if (p->size && q->size)
                tct_elab_error(e, "E0302", span, "axis %s is %lld on the left and %lld on the right", p->name,
                               (long long)p->size, (long long)q->size);
            else
                tct_elab_error(
                    e, "E0302", span,
                    "axis %s of the left and of the right are two axes that need not have one size", p->name);
            tct_elab_help(e, "rename(x, %s -> …) gives one of them a name of its own", p->name);
            return true;
        }
    return false;
}

tct_val *tct_elab_binary(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span) {
    if (a->kind == V_ERROR || b->kind == V_ERROR) return tct_val_error(e);
    if (is_static(a) && is_static(b)) return static_binary(e, op, a, b, span);
    bool config = tct_val_is_config(a) || tct_val_is_config(b);
    if (config && tct_val_can_fold(a) && tct_val_can_fold(b)) return tct_stage_operator(e, op, a, b, span);
    bool fits = (is_tensor(a) || is_static(a)) && (is_tensor(b) || is_static(b)) && a->kind != V_STRING &&
                b->kind != V_STRING;
    if (!fits || !e->builder) {
        tct_elab_error(e, "E0332", span, "%s doesn't work on %s and %s", operator_text[op],
                       tct_val_describe(e, a), tct_val_describe(e, b));
        return tct_val_error(e);
    }
    static const tct_ir_op ops[] = {
        [TCT_OP_ADD] = TCT_IR_ADD, [TCT_OP_SUB] = TCT_IR_SUB,      [TCT_OP_MUL] = TCT_IR_MUL,
        [TCT_OP_DIV] = TCT_IR_DIV, [TCT_OP_FLOORDIV] = TCT_IR_DIV, [TCT_OP_MOD] = TCT_IR_MOD,
        [TCT_OP_POW] = TCT_IR_POW, [TCT_OP_LT] = TCT_IR_LT,        [TCT_OP_LE] = TCT_IR_LE,
        [TCT_OP_GT] = TCT_IR_GT,   [TCT_OP_GE] = TCT_IR_GE,        [TCT_OP_EQ] = TCT_IR_EQ,
        [TCT_OP_NE] = TCT_IR_NE,   [TCT_OP_AND] = TCT_IR_AND,      [TCT_OP_OR] = TCT_IR_OR,
    };
    tct_dtype da = TCT_F32, db = TCT_F32;
    bool ta = tct_elab_dtype(e, a, &da), tb = tct_elab_dtype(e, b, &db);
    if (!ta) da = db;
    if (!tb) db = da;
    bool floating = da == TCT_F32 || da == TCT_F64 || da == TCT_BF16;
    if (op == TCT_OP_DIV && !floating) {
        tct_elab_error(e, "E0341", span, "/ divides floats, found %s", tct_dtype_name(da));
        tct_elab_help(e, "x div y rounds down; f32(x) / y divides exactly");
        return tct_val_error(e);
    }
    size_t before = e->d->messages.len;
    tct_value x = tct_elab_operand(e, a, da, span), y = tct_elab_operand(e, b, db, span);
    if (x == TCT_NO_VALUE || y == TCT_NO_VALUE) return tct_val_error(e);
    tct_elab_at(e, span);
    if (da != db) {
        tct_elab_error(e, "E0301", span, "%s needs one dtype on both sides, found %s and %s",
                       operator_text[op], tct_val_describe(e, a), tct_val_describe(e, b));
        bool logic = op == TCT_OP_AND || op == TCT_OP_OR; // of two different dtypes one is no bool
        bool left = logic ? da != TCT_BOOL : da == TCT_BOOL || (db == TCT_F32 && da != TCT_F64);
        const char *dtype = logic ? "bool" : tct_dtype_name(left ? db : da);
        tct_elab_help(e, "convert the %s side: %s(…)", left ? "left" : "right", dtype);
        return tct_val_error(e);
    }
    if (same_name_two_sizes(e, x, y, span)) return tct_val_error(e);
    if (op == TCT_OP_FLOORDIV && floating)
        x = tct_ir_unary(e->builder->graph, e->d, TCT_IR_FLOOR,
                         tct_ir_binary(e->builder->graph, e->d, TCT_IR_DIV, x, y));
    else if (op == TCT_OP_POW && tb == false && b->known && tct_val_is_number(b) &&
             (b->kind == V_INT ? b->i == 2 : b->f == 2))
        x = tct_ir_binary(e->builder->graph, e->d, TCT_IR_MUL, x, x);
    else
        x = tct_ir_binary(e->builder->graph, e->d, ops[op], x, y);
    return tct_elab_result(e, x, span, before);
}

static tct_val *unary(tct_elab *e, const tct_expr *x) {
    tct_val *a = tct_elab_expr(e, x->a);
    if (a->kind == V_ERROR) return a;
    if (tct_val_is_config(a)) return tct_stage_operator(e, x->op, a, NULL, x->span);
    bool negate = x->op == TCT_OP_NEG;
    tct_val *v = NULL;
    if (negate && a->kind == V_INT && a->i != INT64_MIN) v = tct_val_int(e, -a->i, x->span);
    if (negate && a->kind == V_FLOAT) v = tct_val_float(e, -a->f, x->span);
    if (!negate && a->kind == V_BOOL) v = tct_val_bool(e, !a->i, x->span);
    if (v) {
        v->known = a->known;
        return v;
    }
    if (!is_tensor(a) || !e->builder) {
        tct_elab_error(e, "E0341", x->span, "%s doesn't work on %s", operator_text[x->op],
                       tct_val_describe(e, a));
        return tct_val_error(e);
    }
    size_t before = e->d->messages.len;
    tct_elab_at(e, x->span);
    tct_value in = tct_elab_operand(e, a, TCT_F32, x->span);
    return tct_elab_result(e, tct_ir_unary(e->builder->graph, e->d, negate ? TCT_IR_NEG : TCT_IR_NOT, in),
                           x->span, before);
}

static tct_val *binary(tct_elab *e, const tct_expr *x) {
    tct_val *a = tct_elab_expr(e, x->a);
    if ((x->op == TCT_OP_AND || x->op == TCT_OP_OR) && a->kind == V_BOOL) {
        // The right side may not be evaluable.
        if (a->known && (a->i != 0) == (x->op == TCT_OP_OR)) return a;
        tct_val *right = tct_elab_expr(e, x->b);
        tct_dtype dtype;
        bool fits = tct_val_static_kind(e, right) == V_BOOL || right->kind == V_ERROR ||
                    (tct_elab_dtype(e, right, &dtype) && dtype == TCT_BOOL);
        if (fits) return right;
        tct_elab_error(e, "E0341", x->span, "%s doesn't work on %s and %s", operator_text[x->op],
                       tct_val_describe(e, a), tct_val_describe(e, right));
        return tct_val_error(e);
    }
    tct_val *b = tct_elab_expr(e, x->b);
    return tct_elab_binary(e, x->op, a, b, x->span);
}

// Names, fields, indices

static bool dotted_config(const tct_expr *x, tct_buf *out) {
    if (x->kind == TCT_EXPR_NAME) return strcmp(x->name.text, "config") == 0;
    if (x->kind != TCT_EXPR_FIELD || !dotted_config(x->a, out)) return false;
    if (out->len) tct_buf_putc(out, '.');
    tct_buf_puts(out, x->name.text);
    return true;
}

static tct_val *field(tct_elab *e, const tct_expr *x) {
    tct_buf dotted = {0};
    if (dotted_config(x, &dotted) && !tct_scope_find(e, "config", false)) {
        const char *name = tct_arena_strdup(&e->arena, dotted.data);
        tct_buf_free(&dotted);
        return tct_elab_config_value(e, name, x->span);
    }
    tct_buf_free(&dotted);
    tct_val *a = tct_elab_expr(e, x->a);
    if (a->kind == V_ERROR) return a;
    if (a->kind != V_STRUCT) {
        tct_elab_error(e, "E0342", x->op_span, "%s has no fields, so no `%s`", tct_val_describe(e, a),
                       x->name.text);
        if (a->kind == V_TENSOR && strcmp(x->name.text, "shape") == 0)
            tct_elab_help(e, "size(T) is the size of axis T");
        return tct_val_error(e);
    }
    tct_val **f = tct_val_field(a, x->name.text);
    if (f) return *f;
    const char **names = TCT_NEW_ARRAY(&e->arena, const char *, a->n_fields);
    for (uint32_t i = 0; i < a->n_fields; i++) names[i] = a->fields[i].name;
    const char *near = tct_nearest(x->name.text, names, a->n_fields);
    tct_elab_error(e, "E0202", x->op_span, "%s has no field `%s`", tct_val_describe(e, a), x->name.text);
    if (near)
        tct_elab_help(e, "did you mean `%s`?", near);
    else
        tct_elab_help(e, "it has %s", tct_val_fields(e, a));
    return tct_val_error(e);
}

static tct_val *index_value(tct_elab *e, const tct_expr *x) {
    tct_val *a = tct_elab_expr(e, x->a);
    if (a->kind == V_ERROR) return a;
    if (a->kind != V_LIST || x->n_args != 1 || x->args[0].name.text) {
        tct_elab_error(e, "E0342", x->span, "%s can't be indexed", tct_val_describe(e, a));
        if (is_tensor(a))
            tct_elab_help(e, "at(x, T, 0) is one position of a tensor, slice(x, T -> U, 0, 8) several");
        return tct_val_error(e);
    }
    tct_val *i = tct_elab_static(e, x->args[0].value, V_INT, "chooses an element of a list");
    if (!i) return tct_val_error(e);
    if (!i->known) return a->n_items ? a->items[0] : tct_val_error(e);
    if (i->i < 0 || i->i >= a->n_items) {
        tct_elab_error(e, "E0342", x->args[0].value->span, "no element %lld: %s counts from 0",
                       (long long)i->i, tct_val_describe(e, a));
        return tct_val_error(e);
    }
    return a->items[i->i];
}

static tct_val *name(tct_elab *e, const tct_expr *x) {
    tct_symbol *s = tct_scope_find(e, x->name.text, false);
    if (s) return s->val;
    tct_symbol *axis = tct_elab_axis_symbol(e, x->name.text);
    if (axis) return axis->val;
    if (tct_elab_item(e, x->name.text)) {
        tct_elab_error(e, "E0201", x->span, "`%s` is no value: it is called with arguments", x->name.text);
        return tct_val_error(e);
    }
    tct_elab_error(e, "E0201", x->span, "unknown name `%s`", x->name.text);
    const char *near = tct_elab_suggest(e, x->name.text);
    if (near) tct_elab_help(e, "did you mean `%s`?", near);
    return tct_val_error(e);
}

static tct_val *call(tct_elab *e, const tct_expr *x) {
    const tct_expr *callee = x->a;
    if (callee->kind == TCT_EXPR_INDEX) callee = callee->a;
    if (callee->kind != TCT_EXPR_NAME) {
        tct_elab_error(e, "E0203", callee->span, "only graphs and operations are called, by their name");
        return tct_val_error(e);
    }
    const tct_item *item = tct_elab_item(e, callee->name.text);
    if (item) return tct_elab_call(e, item, x);
    tct_val *v = tct_elab_operation(e, callee->name.text, x);
    if (v) return v;
    const tct_symbol *value = tct_scope_find(e, callee->name.text, false);
    if (value) {
        tct_elab_error(e, "E0203", callee->span, "`%s` is %s, and no graph", callee->name.text,
                       tct_val_describe(e, value->val));
        tct_elab_note(e, value->span, "declared here");
        return tct_val_error(e);
    }
    tct_elab_error(e, "E0201", callee->span, "unknown graph or operation `%s`", callee->name.text);
    const char *near = tct_elab_suggest(e, callee->name.text);
    if (near)
        tct_elab_help(e, "did you mean `%s`?", near);
    else
        tct_elab_help(e,
                      "`tercet ops` lists the operations, `tercet std` the library, which `use` makes known");
    return tct_val_error(e);
}

static tct_val *structure(tct_elab *e, const tct_expr *x) {
    tct_val *v = tct_val_new(e, V_STRUCT, x->span);
    for (uint32_t i = 0; i < x->n_args; i++) {
        const char *n = x->args[i].name.text;
        if (!n) n = tct_arena_printf(&e->arena, "%u", i);
        if (tct_val_field(v, n)) {
            tct_elab_error(e, "E0204", x->args[i].name.span, "the field `%s` is given twice", n);
            for (uint32_t k = 0; k < i; k++)
                if (x->args[k].name.text && strcmp(x->args[k].name.text, n) == 0)
                    tct_elab_note(e, x->args[k].name.span, "the first time here");
            continue;
        }
        tct_val_add_field(e, v, n, tct_elab_expr(e, x->args[i].value));
        v->fields[v->n_fields - 1].span = x->args[i].name.span;
    }
    return v;
}

static tct_val *evaluate(tct_elab *e, const tct_expr *x) {
    if (e->stage && !tct_stage_is_tensor(e, x)) return tct_stage_scalar(e, x);
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
    case TCT_EXPR_UNARY:
        return unary(e, x);
    case TCT_EXPR_BINARY:
        return binary(e, x);
    case TCT_EXPR_CALL:
        return call(e, x);
    case TCT_EXPR_INDEX:
        return index_value(e, x);
    case TCT_EXPR_FIELD:
        return field(e, x);
    case TCT_EXPR_LIST: {
        tct_val *v = tct_val_new(e, V_LIST, x->span);
        v->items = TCT_NEW_ARRAY(&e->arena, tct_val *, x->n_args);
        v->n_items = x->n_args;
        for (uint32_t i = 0; i < x->n_args; i++) v->items[i] = tct_elab_expr(e, x->args[i].value);
        return v;
    }
    case TCT_EXPR_TUPLE:
    case TCT_EXPR_STRUCT:
        return structure(e, x);
    case TCT_EXPR_ARROW:
        tct_elab_error(e, "E0331", x->op_span, "-> stands in arguments of operations only");
        tct_elab_help(e, "rename(x, K -> J)");
        return tct_val_error(e);
    case TCT_EXPR_IF: {
        tct_val *c = tct_elab_static(e, x->a, V_BOOL, "chooses a side in a graph");
        if (!c) return tct_val_error(e);
        return tct_elab_block_value(e, c->i || !c->known ? x->then : x->otherwise);
    }
    case TCT_EXPR_SCAN:
        return tct_elab_scan(e, x);
    case TCT_EXPR_MINIMIZE:
        tct_elab_error(e, "E0501", x->span, "minimize is stage code, and this is a graph");
        return tct_val_error(e);
    }
    return tct_val_error(e);
}

tct_val *tct_elab_expr(tct_elab *e, const tct_expr *x) {
    tct_val *v = evaluate(e, x);
    if (e->index) tct_index_expr(e, x, v);
    return v;
}

static const char *kind_text(tct_val_kind k) {
    return k == V_INT ? "an int" : k == V_FLOAT ? "a float" : k == V_BOOL ? "a bool" : "a string";
}

const char *tct_elab_sizes_axis(tct_elab *e, const char *axis) {
    return tct_arena_printf(&e->arena, "decides the size of axis %s", axis);
}

tct_val *tct_elab_static(tct_elab *e, const tct_expr *x, tct_val_kind want, const char *use) {
    tct_code_mark mark = tct_stage_code_mark(e);
    tct_val *v = tct_elab_expr(e, x);
    if (tct_val_is_config(v)) {
        tct_stage_code_forget(e, mark);
        v = want == V_BOOL ? tct_elab_decide(e, v, x->span, use) : tct_elab_fix(e, v, x->span, use);
    }
    if (v->kind == V_ERROR) return NULL;
    if (v->kind == want) return v;
    if (want == V_FLOAT && v->kind == V_INT) {
        tct_val *f = tct_val_float(e, (double)v->i, x->span);
        f->known = v->known;
        return f;
    }
    tct_elab_error(e, "E0337", x->span, "%s that is known at compile time is expected, found %s",
                   kind_text(want), tct_val_describe(e, v));
    if (is_tensor(v) && want == V_BOOL) tct_elab_help(e, "where(c, a, b) chooses element by element");
    return NULL;
}
