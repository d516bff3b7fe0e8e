// The built-in operations of graphs: from calls to IR nodes.
#include "frontend/elab_internal.h"

#include <string.h>

typedef struct op_call {
    tct_elab *e;
    const tct_expr *x;
    const char *name;
    const struct operation *op; // NULL for elementwise functions and conversions
    const tct_expr *arg[6];     // by parameter
    tct_val *val[6];            // evaluated, once
    size_t before;              // messages there were
} op_call;

typedef struct operation {
    const char *name;
    const char *params; // "x axes", a ? behind optional ones
    tct_val *(*build)(op_call *c);
    const char *usage; // an example for messages
} operation;

static tct_val *fail(op_call *c) {
    tct_elab_after_report(c->e, c->before);
    return tct_val_error(c->e);
}

static bool show_usage(op_call *c) {
    if (c->op) tct_elab_help(c->e, "%s", c->op->usage);
    return false;
}

static tct_graph *graph(op_call *c) { return c->e->builder->graph; }

static tct_val *done(op_call *c, tct_value v) { return tct_elab_result(c->e, v, c->x->span, c->before); }

static tct_val *val(op_call *c, uint32_t k) {
    if (!c->val[k]) c->val[k] = tct_elab_expr(c->e, c->arg[k]);
    return c->val[k];
}

// Argument k as a tensor; static numbers become `dtype`. Evaluated before the place is stamped, so that
// nested expressions keep their own.
static tct_value tensor_of(op_call *c, uint32_t k, tct_dtype dtype) {
    tct_val *v = val(c, k);
    tct_value value = tct_elab_operand(c->e, v, v->kind == V_BOOL ? TCT_BOOL : dtype, c->arg[k]->span);
    tct_elab_at(c->e, c->x->span);
    return value;
}

static tct_value tensor(op_call *c, uint32_t k) {
    tct_val *v = val(c, k);
    tct_dtype dtype = v->kind == V_BOOL                                     ? TCT_BOOL
                      : v->kind == V_INT && c->arg[k]->kind != TCT_EXPR_INT ? TCT_I32
                                                                            : TCT_F32;
    tct_value value = tct_elab_operand(c->e, v, dtype, c->arg[k]->span);
    tct_elab_at(c->e, c->x->span);
    return value;
}

static const tct_node *node(op_call *c, tct_value v) { return tct_elab_node(c->e, v); }

static bool has(op_call *c, tct_value v, tct_axis a, tct_span span) {
    if (tct_node_has_axis(node(c, v), a)) return true;
    tct_elab_error(c->e, "E0303", span, "this tensor has no axis %s: it is %s", tct_axis_local_name(c->e, a),
                   tct_val_describe(c->e, tct_val_tensor(c->e, v, span)));
    return false;
}

static int64_t size_of(op_call *c, tct_axis a) { return tct_axis_of(c->e->module, a)->size; }

// `K -> J` as its sides. The left one must exist.
static bool arrow(op_call *c, uint32_t k, const tct_expr **from, const tct_expr **to) {
    const tct_expr *x = c->arg[k];
    if (x->kind != TCT_EXPR_ARROW) {
        tct_elab_error(c->e, "E0331", x->span, "an arrow is expected here: the old axis -> the new one");
        return show_usage(c);
    }
    *from = x->a;
    *to = x->b;
    return true;
}

// The axis named on the right of an arrow, with `size`: the one in scope when there is one of that name, else
// a new one.
static bool target_axis(op_call *c, const tct_expr *x, int64_t size, tct_axis *out) {
    tct_elab *e = c->e;
    if (x->kind != TCT_EXPR_NAME)
        return tct_elab_error(e, "E0331", x->span, "the name of an axis is expected here");
    tct_symbol *var = tct_scope_find(e, x->name.text, false);
    tct_symbol *s = var && var->val->kind == V_AXIS ? var : NULL;
    tct_scope *f = tct_scope_function(e);
    for (size_t i = 0; i < f->symbols.len && !s; i++)
        if (f->symbols.data[i].is_axis && strcmp(f->symbols.data[i].name, x->name.text) == 0)
            s = &f->symbols.data[i];
    if (!s) {
        *out = tct_scope_new_axis(e, x->name.text, size, x->span);
        return true;
    }
    *out = s->val->axis;
    int64_t have = size_of(c, *out);
    if (have == size || have == 0 || size == 0)
        return true; // where one isn't known yet, the axis in scope stands
    tct_elab_error(e, "E0302", x->span, "this makes an axis %s of size %lld, but %s is %lld", x->name.text,
                   (long long)size, x->name.text, (long long)have);
    if (s->span.file) tct_elab_note(e, s->span, "%s was bound to %lld here", x->name.text, (long long)have);
    tct_elab_help(e, "sizes must agree; a name that isn't used yet makes a new axis");
    return false;
}

static tct_val *elementwise(op_call *c, tct_ir_op op, uint32_t n) {
    tct_elab *e = c->e;
    tct_val *v[3];
    tct_dtype dtype = TCT_F32;
    bool have = false;
    for (uint32_t i = 0; i < n; i++) {
        v[i] = val(c, i);
        if (v[i]->kind == V_ERROR) return fail(c);
        if (!(op == TCT_IR_WHERE && i == 0) && !have) have = tct_elab_dtype(e, v[i], &dtype);
    }
    tct_value in[3];
    for (uint32_t i = 0; i < n; i++) {
        bool condition = op == TCT_IR_WHERE && i == 0;
        tct_dtype want = condition || (!have && v[i]->kind == V_BOOL) ? TCT_BOOL : dtype;
        in[i] = tct_elab_operand(e, v[i], want, c->arg[i]->span);
        if (in[i] == TCT_NO_VALUE) return fail(c);
    }
    tct_elab_at(e, c->x->span);
    return done(c, tct_ir_emit(graph(c), e->d, op, in, n, NULL));
}

static tct_val *where_(op_call *c) { return elementwise(c, TCT_IR_WHERE, 3); }

static tct_val *reduce(op_call *c, tct_ir_op op) {
    tct_value x = tensor(c, 0);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (x == TCT_NO_VALUE || !tct_elab_axes(c->e, c->arg[1], axes, &n)) return fail(c);
    for (uint32_t i = 0; i < n; i++)
        if (!has(c, x, axes[i], c->arg[1]->span)) return fail(c);
    return done(c, tct_ir_reduce(graph(c), c->e->d, op, x, axes, n));
}

static tct_val *sum_(op_call *c) { return reduce(c, TCT_IR_SUM); }
static tct_val *any_(op_call *c) { return reduce(c, TCT_IR_ANY); }
static tct_val *all_(op_call *c) { return reduce(c, TCT_IR_ALL); }
static tct_val *argmax_(op_call *c) { return reduce(c, TCT_IR_ARGMAX); }

static tct_val *mean_(op_call *c) {
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    tct_val *s = reduce(c, TCT_IR_SUM);
    if (s->kind == V_ERROR || !tct_elab_axes(c->e, c->arg[1], axes, &n)) return s;
    tct_ir_attr attr = {.n_axes = (uint8_t)n, .dtype = node(c, s->value)->dtype};
    memcpy(attr.axes, axes, n * sizeof *axes);
    tct_value count = tct_ir_emit(graph(c), c->e->d, TCT_IR_SIZE, NULL, 0, &attr);
    return done(c, tct_ir_binary(graph(c), c->e->d, TCT_IR_DIV, s->value, count));
}

// max(x, V) reduces, max(a, b) compares.
static tct_val *max_(op_call *c) {
    return tct_elab_is_axis(c->e, c->arg[1]) ? reduce(c, TCT_IR_REDUCE_MAX) : elementwise(c, TCT_IR_MAX, 2);
}
static tct_val *min_(op_call *c) {
    return tct_elab_is_axis(c->e, c->arg[1]) ? reduce(c, TCT_IR_REDUCE_MIN) : elementwise(c, TCT_IR_MIN, 2);
}

static tct_val *dot_(op_call *c) {
    tct_value a = tensor(c, 0), b = tensor(c, 1);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (a == TCT_NO_VALUE || b == TCT_NO_VALUE || !tct_elab_axes(c->e, c->arg[2], axes, &n)) return fail(c);
    for (uint32_t i = 0; i < n; i++)
        if (!has(c, a, axes[i], c->arg[2]->span) || !has(c, b, axes[i], c->arg[2]->span)) return fail(c);
    return done(c, tct_ir_dot(graph(c), c->e->d, a, b, axes, n));
}

static tct_val *rename_(op_call *c) {
    tct_value x = tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_axis from, to;
    if (x == TCT_NO_VALUE || !arrow(c, 1, &l, &r) || !tct_elab_axis(c->e, l, &from) ||
        !has(c, x, from, l->span) || !target_axis(c, r, size_of(c, from), &to))
        return fail(c);
    if (from != to && tct_node_has_axis(node(c, x), to)) {
        tct_elab_error(c->e, "E0302", r->span, "the tensor has an axis %s already: it is %s",
                       tct_axis_local_name(c->e, to),
                       tct_val_describe(c->e, tct_val_tensor(c->e, x, r->span)));
        return fail(c);
    }
    return done(c, tct_ir_rename(graph(c), c->e->d, x, from, to));
}

static tct_val *split_(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_ir_attr attr = {.n_axes = 1};
    if (x == TCT_NO_VALUE || !arrow(c, 1, &l, &r) || !tct_elab_axis(e, l, &attr.axes[0]) ||
        !has(c, x, attr.axes[0], l->span))
        return fail(c);
    if (r->kind != TCT_EXPR_LIST || r->n_args > TCT_IR_MAX_AXES || r->n_args == 0) {
        tct_elab_error(e, "E0331", r->span, "split(x, C -> [H, D = 64]) takes a list of axes");
        return fail(c);
    }
    int64_t total = size_of(c, attr.axes[0]), known = 1, size[TCT_IR_MAX_AXES];
    int missing = -1, n_missing = 0;
    for (uint32_t i = 0; i < r->n_args; i++) {
        const tct_arg *a = &r->args[i];
        size[i] = 0;
        if (a->name.text) {
            tct_val *s = tct_elab_static(e, a->value, V_INT);
            if (!s) return fail(c);
            if (s->known && s->i < 1) {
                tct_elab_error(e, "E0302", a->value->span, "an axis has at least one position, found %lld",
                               (long long)s->i);
                return fail(c);
            }
            size[i] = s->known ? s->i : 0;
        } else if (tct_elab_is_axis(e, a->value)) {
            tct_axis axis;
            if (!tct_elab_axis(e, a->value, &axis)) return fail(c);
            size[i] = size_of(c, axis);
        } else {
            missing = (int)i;
            n_missing++;
            continue;
        }
        known = size[i] ? known * size[i] : 0;
    }
    if (n_missing == 1 && total && known) {
        if (total % known) {
            tct_elab_error(e, "E0302", r->span, "axis %s of size %lld can't be divided by %lld",
                           tct_axis_local_name(e, attr.axes[0]), (long long)total, (long long)known);
            return fail(c);
        }
        size[missing] = total / known;
    }
    if (n_missing > 1 && total) {
        tct_elab_error(e, "E0302", r->span, "the sizes of all axes but one must be known: [H = 4, D]");
        return fail(c);
    }
    if (!n_missing && total && known && total != known) {
        tct_elab_error(e, "E0302", r->span, "axis %s has %lld positions, these axes %lld",
                       tct_axis_local_name(e, attr.axes[0]), (long long)total, (long long)known);
        return fail(c);
    }
    attr.n_to = (uint8_t)r->n_args;
    for (uint32_t i = 0; i < r->n_args; i++) {
        const tct_arg *a = &r->args[i];
        tct_expr named = {.kind = TCT_EXPR_NAME, .name = a->name, .span = a->name.span};
        if (!target_axis(c, a->name.text ? &named : a->value, size[i], &attr.to[i])) return fail(c);
    }
    return done(c, tct_ir_emit(graph(c), e->d, TCT_IR_SPLIT, &x, 1, &attr));
}

static tct_val *merge_(op_call *c) {
    tct_value x = tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_ir_attr attr = {.n_to = 1};
    uint32_t n;
    if (x == TCT_NO_VALUE || !arrow(c, 1, &l, &r) || !tct_elab_axes(c->e, l, attr.axes, &n)) return fail(c);
    attr.n_axes = (uint8_t)n;
    int64_t size = 1;
    for (uint32_t i = 0; i < n; i++) {
        if (!has(c, x, attr.axes[i], l->span)) return fail(c);
        size *= size_of(c, attr.axes[i]);
    }
    if (!target_axis(c, r, size, &attr.to[0])) return fail(c);
    return done(c, tct_ir_emit(graph(c), c->e->d, TCT_IR_MERGE, &x, 1, &attr));
}

static tct_val *broadcast_(op_call *c) {
    tct_value x = tensor(c, 0);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (x == TCT_NO_VALUE || !tct_elab_axes(c->e, c->arg[1], axes, &n)) return fail(c);
    tct_axis fresh[TCT_IR_MAX_AXES];
    uint32_t n_fresh = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!tct_node_has_axis(node(c, x), axes[i])) fresh[n_fresh++] = axes[i];
    return done(c, tct_ir_broadcast(graph(c), x, fresh, n_fresh));
}

static tct_val *filled(op_call *c, double value) {
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (!tct_elab_axes(c->e, c->arg[0], axes, &n)) return fail(c);
    tct_elab_at(c->e, c->x->span);
    return done(c, tct_ir_broadcast(graph(c), tct_ir_const(graph(c), TCT_F32, value), axes, n));
}
static tct_val *zeros_(op_call *c) { return filled(c, 0); }
static tct_val *ones_(op_call *c) { return filled(c, 1); }

static tct_val *flip_(op_call *c) {
    tct_value x = tensor(c, 0);
    tct_ir_attr attr = {.n_axes = 1};
    if (x == TCT_NO_VALUE || !tct_elab_axis(c->e, c->arg[1], &attr.axes[0]) ||
        !has(c, x, attr.axes[0], c->arg[1]->span))
        return fail(c);
    return done(c, tct_ir_emit(graph(c), c->e->d, TCT_IR_FLIP, &x, 1, &attr));
}

static tct_val *slice_(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_axis from, to;
    if (x == TCT_NO_VALUE || !arrow(c, 1, &l, &r) || !tct_elab_axis(e, l, &from) || !has(c, x, from, l->span))
        return fail(c);
    tct_val *start = tct_elab_static(e, c->arg[2], V_INT), *stop = tct_elab_static(e, c->arg[3], V_INT);
    if (!start || !stop) return fail(c);
    int64_t size = size_of(c, from);
    bool known = start->known && stop->known;
    if (known && (start->i < 0 || stop->i <= start->i || (size && stop->i > size))) {
        tct_elab_error(e, "E0302", c->x->span, "no positions %lld up to %lld in axis %s", (long long)start->i,
                       (long long)stop->i, tct_axis_local_name(e, from));
        if (size)
            tct_elab_help(e, "%s has %lld positions: 0 <= start < stop <= %lld", tct_axis_local_name(e, from),
                          (long long)size, (long long)size);
        else
            tct_elab_help(e, "0 <= start < stop");
        return fail(c);
    }
    if (!target_axis(c, r, known ? stop->i - start->i : 0, &to)) return fail(c);
    tct_elab_at(e, c->x->span);
    return done(c, tct_ir_slice(graph(c), e->d, x, from, to, start->i, 1));
}

static tct_val *at_(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tensor(c, 0);
    tct_ir_attr attr = {.n_axes = 1};
    if (x == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &attr.axes[0]) ||
        !has(c, x, attr.axes[0], c->arg[1]->span))
        return fail(c);
    tct_val *i = tct_elab_static(e, c->arg[2], V_INT);
    if (!i) return fail(c);
    int64_t size = size_of(c, attr.axes[0]);
    if (i->known && size && (i->i < 0 || i->i >= size)) {
        tct_elab_error(e, "E0302", c->arg[2]->span, "no position %lld in axis %s: it has 0 to %lld",
                       (long long)i->i, tct_axis_local_name(e, attr.axes[0]), (long long)size - 1);
        return fail(c);
    }
    tct_elab_at(e, c->x->span);
    tct_value in[] = {x, tct_ir_const(graph(c), TCT_I32, (double)i->i)};
    return done(c, tct_ir_emit(graph(c), e->d, TCT_IR_GATHER, in, 2, &attr));
}

static tct_value padded(op_call *c, tct_value x, tct_axis from, tct_axis to, int64_t before, double fill) {
    tct_ir_attr attr = {.n_axes = 1, .n_to = 1, .axes = {from}, .to = {to}, .i = before, .f = fill};
    return tct_ir_emit(graph(c), c->e->d, TCT_IR_PAD, &x, 1, &attr);
}

static bool fill_value(op_call *c, uint32_t k, double *out) {
    *out = 0;
    if (!c->arg[k]) return true;
    tct_val *v = val(c, k);
    if (v->kind == V_ERROR) return false;
    if (v->kind != V_INT && v->kind != V_FLOAT && v->kind != V_BOOL)
        return tct_elab_error(c->e, "E0337", c->arg[k]->span,
                              "the filler must be a number known at compile time, found %s",
                              tct_val_describe(c->e, v));
    *out = v->kind == V_FLOAT ? v->f : (double)v->i;
    return true;
}

static tct_val *shift_(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tensor(c, 0);
    tct_axis axis;
    double fill;
    if (x == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &axis) || !has(c, x, axis, c->arg[1]->span))
        return fail(c);
    tct_val *by = tct_elab_static(e, c->arg[2], V_INT);
    if (!by || !fill_value(c, 3, &fill)) return fail(c);
    int64_t size = size_of(c, axis), n = by->i, cut = n < 0 ? -n : n;
    if (n == 0) return done(c, x);
    tct_elab_at(e, c->x->span);
    if (size && cut >= size) {
        tct_axis axes[TCT_IR_MAX_AXES];
        uint32_t n_axes = node(c, x)->n_axes;
        memcpy(axes, node(c, x)->axes, n_axes * sizeof *axes);
        return done(
            c, tct_ir_broadcast(graph(c), tct_ir_const(graph(c), node(c, x)->dtype, fill), axes, n_axes));
    }
    const char *name = tct_arena_printf(&e->module->arena, "%s_cut", tct_axis_of(e->module, axis)->name);
    tct_axis shorter = tct_axis_get(e->module, name, size ? size - cut : 0);
    tct_value kept = tct_ir_slice(graph(c), e->d, x, axis, shorter, n < 0 ? cut : 0, 1);
    return done(c, padded(c, kept, shorter, axis, n > 0 ? n : 0, fill));
}

static tct_val *pad_(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_axis from, to;
    double fill;
    if (x == TCT_NO_VALUE || !arrow(c, 1, &l, &r) || !tct_elab_axis(e, l, &from) || !has(c, x, from, l->span))
        return fail(c);
    tct_val *before = tct_elab_static(e, c->arg[2], V_INT), *after = tct_elab_static(e, c->arg[3], V_INT);
    if (!before || !after || !fill_value(c, 4, &fill)) return fail(c);
    if (before->i < 0 || after->i < 0) {
        tct_elab_error(e, "E0302", c->x->span, "pad adds positions: %lld before and %lld after are too few",
                       (long long)before->i, (long long)after->i);
        tct_elab_help(e, "slice takes positions away");
        return fail(c);
    }
    int64_t size = size_of(c, from);
    if (!target_axis(c, r, size && before->known && after->known ? size + before->i + after->i : 0, &to))
        return fail(c);
    tct_elab_at(e, c->x->span);
    return done(c, padded(c, x, from, to, before->i, fill));
}

static tct_val *concat_(op_call *c) {
    tct_elab *e = c->e;
    const tct_expr *l = NULL, *r = NULL;
    if (c->arg[0]->kind != TCT_EXPR_LIST || c->arg[0]->n_args == 0 || c->arg[0]->n_args > TCT_IR_MAX_AXES) {
        tct_elab_error(e, "E0332", c->arg[0]->span, "concat([a, b], T -> U) takes a list of 1 to %d tensors",
                       TCT_IR_MAX_AXES);
        return fail(c);
    }
    if (!arrow(c, 1, &l, &r)) return fail(c);
    // The axis is found by name in each tensor: its sizes may differ.
    if (l->kind != TCT_EXPR_NAME) {
        tct_elab_error(e, "E0331", l->span, "the name of an axis is expected here");
        return fail(c);
    }
    tct_value in[TCT_IR_MAX_AXES];
    tct_ir_attr attr = {.n_to = 1};
    uint32_t n = c->arg[0]->n_args;
    attr.n_axes = (uint8_t)n;
    int64_t total = 0;
    bool known = true;
    for (uint32_t i = 0; i < n; i++) {
        const tct_expr *part = c->arg[0]->args[i].value;
        in[i] = tct_elab_operand(e, tct_elab_expr(e, part), TCT_F32, part->span);
        if (in[i] == TCT_NO_VALUE) return fail(c);
        tct_symbol *s = tct_scope_find(e, l->name.text, false);
        bool found = false;
        for (uint32_t k = 0; k < node(c, in[i])->n_axes && !found; k++) {
            tct_axis a = node(c, in[i])->axes[k];
            if (s && s->val->kind == V_AXIS
                    ? a == s->val->axis
                    : strcmp(tct_axis_local_name(e, a), l->name.text) == 0 ||
                          strcmp(tct_axis_of(e->module, a)->name, l->name.text) == 0) {
                attr.axes[i] = a;
                found = true;
            }
        }
        if (!found) {
            tct_elab_error(e, "E0303", part->span, "this tensor has no axis %s", l->name.text);
            return fail(c);
        }
        total += size_of(c, attr.axes[i]);
        known &= size_of(c, attr.axes[i]) > 0;
    }
    if (!target_axis(c, r, known ? total : 0, &attr.to[0])) return fail(c);
    tct_elab_at(e, c->x->span);
    return done(c, tct_ir_emit(graph(c), e->d, TCT_IR_CONCAT, in, n, &attr));
}

static tct_val *indexed(op_call *c, tct_ir_op op, uint32_t n) {
    tct_elab *e = c->e;
    tct_value in[3];
    tct_ir_attr attr = {.n_axes = 1};
    in[0] = tensor(c, 0);
    if (in[0] == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &attr.axes[0]) ||
        !has(c, in[0], attr.axes[0], c->arg[1]->span))
        return fail(c);
    in[1] = tensor_of(c, 2, TCT_I32);
    if (in[1] == TCT_NO_VALUE) return fail(c);
    if (node(c, in[1])->dtype != TCT_I32) {
        tct_elab_error(e, "E0301", c->arg[2]->span, "an index is i32, found %s",
                       tct_val_describe(e, tct_val_tensor(e, in[1], c->x->span)));
        tct_elab_help(e, "i32(x) converts");
        return fail(c);
    }
    if (n == 3 && (in[2] = tensor_of(c, 3, node(c, in[0])->dtype)) == TCT_NO_VALUE) return fail(c);
    return done(c, tct_ir_emit(graph(c), e->d, op, in, n, &attr));
}
static tct_val *gather_(op_call *c) { return indexed(c, TCT_IR_GATHER, 2); }
static tct_val *scatter_add_(op_call *c) { return indexed(c, TCT_IR_SCATTER_ADD, 3); }
static tct_val *put_(op_call *c) { return indexed(c, TCT_IR_PUT, 3); }

static tct_val *iota_(op_call *c) {
    tct_elab *e = c->e;
    tct_ir_attr attr = {.n_axes = 1, .dtype = TCT_I32};
    if (!tct_elab_axis(e, c->arg[0], &attr.axes[0])) return fail(c);
    tct_elab_at(e, c->x->span);
    return done(c, tct_ir_emit(graph(c), e->d, TCT_IR_IOTA, NULL, 0, &attr));
}

static tct_val *one_hot_(op_call *c) {
    tct_elab *e = c->e;
    tct_value index = tensor_of(c, 0, TCT_I32);
    tct_ir_attr attr = {.n_axes = 1, .dtype = TCT_I32};
    if (index == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &attr.axes[0])) return fail(c);
    tct_value at = tct_ir_emit(graph(c), e->d, TCT_IR_IOTA, NULL, 0, &attr);
    return done(c, tct_ir_cast(graph(c), tct_ir_binary(graph(c), e->d, TCT_IR_EQ, index, at), TCT_F32));
}

static tct_val *size_(op_call *c) {
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (!tct_elab_axes(c->e, c->arg[0], axes, &n)) return fail(c);
    tct_val *v = tct_val_int(c->e, 1, c->x->span);
    for (uint32_t i = 0; i < n; i++) {
        v->i *= size_of(c, axes[i]);
        if (size_of(c, axes[i]) == 0) v->known = false;
    }
    v->size_of = n == 1;
    v->axis = axes[0];
    return v;
}

static tct_val *random_(op_call *c) {
    tct_elab *e = c->e;
    tct_value key = tensor_of(c, 0, TCT_I64);
    tct_ir_attr attr = {.i = e->n_random++};
    uint32_t n;
    if (key == TCT_NO_VALUE || !tct_elab_axes(e, c->arg[1], attr.axes, &n)) return fail(c);
    attr.n_axes = (uint8_t)n;
    return done(c, tct_ir_emit(graph(c), e->d, TCT_IR_RANDOM, &key, 1, &attr));
}

static tct_val *rank_(op_call *c) {
    tct_value x = tensor(c, 0);
    if (x == TCT_NO_VALUE) return fail(c);
    return tct_val_int(c->e, node(c, x)->n_axes, c->x->span);
}

static tct_val *cast_to(op_call *c, tct_dtype to) {
    tct_val *v = val(c, 0);
    // A static number in a conversion is meant to be that number.
    bool number = tct_val_is_number(v);
    tct_value x = tct_elab_operand(c->e, v, number ? (v->kind == V_FLOAT ? TCT_F64 : TCT_I64) : TCT_BOOL,
                                   c->arg[0]->span);
    if (x == TCT_NO_VALUE) return fail(c);
    tct_elab_at(c->e, c->x->span);
    return done(c, tct_ir_cast(graph(c), x, to));
}

static const operation operations[] = {
    {"where", "c a b", where_, "where(condition, a, b)"},
    {"sum", "x axes", sum_, "sum(x, T) or sum(x, [B, T])"},
    {"mean", "x axes", mean_, "mean(x, T) or mean(x, [B, T])"},
    {"max", "a b", max_, "max(x, T) along an axis, max(a, b) element by element"},
    {"min", "a b", min_, "min(x, T) along an axis, min(a, b) element by element"},
    {"any", "x axes", any_, "any(x, T)"},
    {"all", "x axes", all_, "all(x, T)"},
    {"argmax", "x axis", argmax_, "argmax(x, V)"},
    {"dot", "a b axes", dot_, "dot(x, w, C) or dot(x, w, [H, D])"},
    {"rename", "x axis", rename_, "rename(x, K -> J)"},
    {"split", "x axes", split_, "split(x, C -> [H, D = 64])"},
    {"merge", "x axes", merge_, "merge(x, [H, D] -> C)"},
    {"broadcast", "x axes", broadcast_, "broadcast(x, [B, T])"},
    {"zeros", "axes", zeros_, "zeros([B, T])"},
    {"ones", "axes", ones_, "ones([B, T])"},
    {"flip", "x axis", flip_, "flip(x, T)"},
    {"slice", "x axis start stop", slice_, "slice(x, T -> U, start, stop)"},
    {"at", "x axis i", at_, "at(x, T, i)"},
    {"shift", "x axis n fill?", shift_, "shift(x, T, n, fill)"},
    {"pad", "x axis before after fill?", pad_, "pad(x, T -> U, before, after, fill)"},
    {"concat", "list axis", concat_, "concat([a, b], T -> U)"},
    {"gather", "x axis index", gather_, "gather(x, V, index)"},
    {"scatter_add", "base axis index update", scatter_add_, "scatter_add(base, V, index, update)"},
    {"put", "base axis index update", put_, "put(base, V, index, update)"},
    {"iota", "axis", iota_, "iota(T)"},
    {"one_hot", "index axis", one_hot_, "one_hot(index, V)"},
    {"size", "axes", size_, "size(T)"},
    {"random", "key axes", random_, "random(key, [B, T])"},
    {"rank", "x", rank_, "rank(x)"},
};

static const operation *find(const char *name) {
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, name) == 0) return &operations[i];
    return NULL;
}

static bool simple_op(const char *name, tct_ir_op *out) {
    tct_ir_op op = tct_ir_op_by_name(name, strlen(name));
    *out = op;
    return op != TCT_IR_N_OPS && tct_ir_ops[op].cls == TCT_CLASS_ELEMENTWISE && tct_ir_ops[op].arity == 1 &&
           op != TCT_IR_CAST;
}

bool tct_elab_is_operation(const char *name) {
    tct_ir_op op;
    tct_dtype dtype;
    return find(name) || simple_op(name, &op) || tct_elab_dtype_name(name, &dtype);
}

// Fills c->arg from the call by the names in `params`.
static bool arguments(op_call *c, const char *params) {
    const char *names[6];
    size_t len[6];
    bool optional[6];
    uint32_t n = 0, position = 0;
    for (const char *p = params; *p;) {
        size_t l = strcspn(p, " ");
        optional[n] = p[l - 1] == '?';
        names[n] = p;
        len[n] = l - optional[n];
        n++;
        p += l + (p[l] == ' ');
    }
    for (uint32_t i = 0; i < c->x->n_args; i++) {
        const tct_arg *a = &c->x->args[i];
        uint32_t k = position;
        if (a->name.text) {
            for (k = 0; k < n; k++)
                if (strlen(a->name.text) == len[k] && strncmp(names[k], a->name.text, len[k]) == 0) break;
            if (k == n) {
                tct_elab_error(c->e, "E0338", a->name.span, "%s has no parameter %s", c->name, a->name.text);
                return show_usage(c);
            }
        } else {
            position++;
        }
        if (k >= n) {
            tct_elab_error(c->e, "E0339", a->value->span, "%s takes %u argument%s, found %u", c->name, n,
                           n == 1 ? "" : "s", c->x->n_args);
            return show_usage(c);
        }
        if (c->arg[k]) {
            tct_elab_error(c->e, "E0338", a->value->span, "%s gets %.*s twice", c->name, (int)len[k],
                           names[k]);
            tct_elab_note(c->e, c->arg[k]->span, "the first time here");
            return false;
        }
        c->arg[k] = a->value;
    }
    for (uint32_t k = 0; k < n; k++)
        if (!c->arg[k] && !optional[k]) {
            tct_elab_error(c->e, "E0340", c->x->span, "%s lacks its argument %.*s", c->name, (int)len[k],
                           names[k]);
            return show_usage(c);
        }
    return true;
}

// Functions of static numbers stay static: sqrt(64), max(heads, 2), exp(-1).
static tct_val *static_math(op_call *c, const char *name) {
    for (uint32_t i = 0; i < c->x->n_args; i++)
        if (c->x->args[i].name.text || tct_elab_is_axis(c->e, c->x->args[i].value)) return NULL;
    static const struct {
        const char *name;
        double (*fn)(double);
    } one[] = {{"sqrt", sqrt}, {"exp", exp},  {"log", log},     {"sin", sin},        {"cos", cos},
               {"tanh", tanh}, {"abs", fabs}, {"floor", floor}, {"round", nearbyint}};
    tct_val *v[2] = {NULL, NULL};
    uint32_t n = c->x->n_args;
    bool two = strcmp(name, "max") == 0 || strcmp(name, "min") == 0;
    bool conversion = strcmp(name, "int") == 0 || strcmp(name, "float") == 0;
    size_t which = sizeof one / sizeof *one;
    for (size_t i = 0; i < sizeof one / sizeof *one; i++)
        if (strcmp(one[i].name, name) == 0) which = i;
    bool candidate = (two && n == 2) || (n == 1 && (conversion || which < sizeof one / sizeof *one));
    if (!candidate) return NULL;
    for (uint32_t i = 0; i < n; i++) {
        const tct_expr *x = c->x->args[i].value;
        // Only what is static without evaluating tensors: literals, names of static values, config,
        // arithmetic on them.
        if (x->kind == TCT_EXPR_CALL && x->a->kind == TCT_EXPR_NAME && tct_elab_item(c->e, x->a->name.text))
            return NULL;
        v[i] = c->val[i] = tct_elab_expr(c->e, x);
        if (!tct_val_is_number(v[i])) return v[i]->kind == V_ERROR ? v[i] : NULL;
    }
    double a = v[0]->kind == V_INT ? (double)v[0]->i : v[0]->f;
    tct_val *r;
    if (two) {
        double b = v[1]->kind == V_INT ? (double)v[1]->i : v[1]->f;
        bool first = strcmp(name, "max") == 0 ? a >= b : a <= b;
        bool ints = v[0]->kind == V_INT && v[1]->kind == V_INT;
        r = ints ? tct_val_int(c->e, first ? v[0]->i : v[1]->i, c->x->span)
                 : tct_val_float(c->e, first ? a : b, c->x->span);
        r->known = v[0]->known && v[1]->known;
        return r;
    }
    if (strcmp(name, "int") == 0) {
        if (!(fabs(a) < 9e18)) {
            tct_elab_error(c->e, "E0341", c->x->span, "%g doesn't fit into an int", a);
            return tct_val_error(c->e);
        }
        r = v[0]->kind == V_INT ? tct_val_int(c->e, v[0]->i, c->x->span)
                                : tct_val_int(c->e, (int64_t)a, c->x->span);
    } else if (conversion) {
        r = tct_val_float(c->e, a, c->x->span);
    } else if (strcmp(name, "abs") == 0 && v[0]->kind == V_INT && v[0]->i != INT64_MIN) {
        r = tct_val_int(c->e, v[0]->i < 0 ? -v[0]->i : v[0]->i, c->x->span);
    } else {
        r = tct_val_float(c->e, one[which].fn(a), c->x->span);
    }
    r->known = v[0]->known;
    return r;
}

tct_val *tct_elab_operation(tct_elab *e, const char *name, const tct_expr *x) {
    op_call c = {.e = e, .x = x, .name = name, .before = e->d->messages.len};
    tct_val *s = static_math(&c, name);
    if (s) return s;
    const operation *o = c.op = find(name);
    tct_ir_op op;
    tct_dtype dtype;
    bool simple = simple_op(name, &op), cast = tct_elab_dtype_name(name, &dtype);
    if (!o && !simple && !cast) return NULL;
    if (!e->builder && strcmp(name, "size") != 0) {
        tct_elab_error(e, "E0343", x->span, "%s works on tensors, and there are none outside of graphs",
                       name);
        return tct_val_error(e);
    }
    if (x->a->kind == TCT_EXPR_INDEX) {
        tct_elab_error(e, "E0338", x->a->span, "%s takes its axes as arguments", name);
        show_usage(&c);
        return tct_val_error(e);
    }
    if (!arguments(&c, o ? o->params : "x")) return tct_val_error(e);
    if (o) return o->build(&c);
    return cast ? cast_to(&c, dtype) : elementwise(&c, op, 1);
}
