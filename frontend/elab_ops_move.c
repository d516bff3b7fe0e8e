// Operations that move: renaming, splitting and merging of axes, positions, and access by index.
#include "frontend/elab_ops.h"

#include <string.h>

tct_val *tct_op_rename(op_call *c) {
    tct_value x = tct_op_tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_axis from, to;
    if (x == TCT_NO_VALUE || !tct_op_arrow(c, 1, &l, &r) || !tct_elab_axis(c->e, l, &from) ||
        !tct_op_has(c, x, from, l->span) || !tct_op_target_axis(c, r, tct_op_size_of(c, from), &to))
        return tct_op_fail(c);
    if (from != to && tct_node_has_axis(tct_op_node(c, x), to)) {
        tct_elab_error(c->e, "E0302", r->span, "the tensor has an axis %s already: it is %s",
                       tct_axis_local_name(c->e, to),
                       tct_val_describe(c->e, tct_val_tensor(c->e, x, r->span)));
        return tct_op_fail(c);
    }
    return tct_op_done(c, tct_ir_rename(tct_op_graph(c), c->e->d, x, from, to));
}

tct_val *tct_op_split(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tct_op_tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_ir_attr attr = {.n_axes = 1};
    if (x == TCT_NO_VALUE || !tct_op_arrow(c, 1, &l, &r) || !tct_elab_axis(e, l, &attr.axes[0]) ||
        !tct_op_has(c, x, attr.axes[0], l->span))
        return tct_op_fail(c);
    if (r->kind != TCT_EXPR_LIST || r->n_args > TCT_IR_MAX_AXES || r->n_args == 0) {
        tct_elab_error(e, "E0331", r->span, "split(x, C -> [H, D = 64]) takes a list of axes");
        return tct_op_fail(c);
    }
    int64_t total = tct_op_size_of(c, attr.axes[0]), known = 1, size[TCT_IR_MAX_AXES];
    int missing = -1, n_missing = 0;
    for (uint32_t i = 0; i < r->n_args; i++) {
        const tct_arg *a = &r->args[i];
        size[i] = 0;
        if (a->name.text) {
            tct_val *s = tct_elab_static(e, a->value, V_INT, "decides the size of an axis");
            if (!s) return tct_op_fail(c);
            if (s->known && s->i < 1) {
                tct_elab_error(e, "E0302", a->value->span, "an axis has at least one position, found %lld",
                               (long long)s->i);
                return tct_op_fail(c);
            }
            size[i] = s->known ? s->i : 0;
        } else if (tct_elab_is_axis(e, a->value)) {
            tct_axis axis;
            if (!tct_elab_axis(e, a->value, &axis)) return tct_op_fail(c);
            size[i] = tct_op_size_of(c, axis);
        } else {
            missing = (int)i;
            n_missing++;
            continue;
        }
        if (__builtin_mul_overflow(known, size[i], &known)) {
            tct_elab_error(e, "E0302", r->span, "these axes have more positions than fit into 64 bits");
            return tct_op_fail(c);
        }
    }
    if (n_missing == 1 && total && known) {
        if (total % known) {
            tct_elab_error(e, "E0302", r->span, "axis %s of size %lld can't be divided by %lld",
                           tct_axis_local_name(e, attr.axes[0]), (long long)total, (long long)known);
            return tct_op_fail(c);
        }
        size[missing] = total / known;
    }
    if (n_missing > 1 && total) {
        tct_elab_error(e, "E0302", r->span, "the sizes of all axes but one must be known: [H = 4, D]");
        return tct_op_fail(c);
    }
    if (!n_missing && total && known && total != known) {
        tct_elab_error(e, "E0302", r->span, "axis %s has %lld positions, these axes %lld",
                       tct_axis_local_name(e, attr.axes[0]), (long long)total, (long long)known);
        return tct_op_fail(c);
    }
    attr.n_to = (uint8_t)r->n_args;
    for (uint32_t i = 0; i < r->n_args; i++) {
        const tct_arg *a = &r->args[i];
        tct_expr named = {.kind = TCT_EXPR_NAME, .name = a->name, .span = a->name.span};
        if (!tct_op_target_axis(c, a->name.text ? &named : a->value, size[i], &attr.to[i]))
            return tct_op_fail(c);
    }
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), e->d, TCT_IR_SPLIT, &x, 1, &attr));
}

tct_val *tct_op_merge(op_call *c) {
    tct_value x = tct_op_tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_ir_attr attr = {.n_to = 1};
    uint32_t n;
    if (x == TCT_NO_VALUE || !tct_op_arrow(c, 1, &l, &r) || !tct_elab_axes(c->e, l, attr.axes, &n))
        return tct_op_fail(c);
    attr.n_axes = (uint8_t)n;
    int64_t size = 1;
    for (uint32_t i = 0; i < n; i++) {
        if (!tct_op_has(c, x, attr.axes[i], l->span)) return tct_op_fail(c);
        if (__builtin_mul_overflow(size, tct_op_size_of(c, attr.axes[i]), &size)) size = 0; // reported below
    }
    if (!tct_op_target_axis(c, r, size, &attr.to[0])) return tct_op_fail(c);
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), c->e->d, TCT_IR_MERGE, &x, 1, &attr));
}

tct_val *tct_op_broadcast(op_call *c) {
    tct_value x = tct_op_tensor(c, 0);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n;
    if (x == TCT_NO_VALUE || !tct_elab_axes(c->e, c->arg[1], axes, &n)) return tct_op_fail(c);
    return tct_op_done(c, tct_elab_broadcast(c->e, x, axes, n, c->x->span));
}

tct_val *tct_op_flip(op_call *c) {
    tct_value x = tct_op_tensor(c, 0);
    tct_ir_attr attr = {.n_axes = 1};
    if (x == TCT_NO_VALUE || !tct_elab_axis(c->e, c->arg[1], &attr.axes[0]) ||
        !tct_op_has(c, x, attr.axes[0], c->arg[1]->span))
        return tct_op_fail(c);
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), c->e->d, TCT_IR_FLIP, &x, 1, &attr));
}

tct_val *tct_op_slice(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tct_op_tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_axis from, to;
    if (x == TCT_NO_VALUE || !tct_op_arrow(c, 1, &l, &r) || !tct_elab_axis(e, l, &from) ||
        !tct_op_has(c, x, from, l->span))
        return tct_op_fail(c);
    tct_val *start = tct_elab_static(e, c->arg[2], V_INT, "decides what is sliced"),
            *stop = tct_elab_static(e, c->arg[3], V_INT, "decides what is sliced");
    if (!start || !stop) return tct_op_fail(c);
    int64_t size = tct_op_size_of(c, from);
    bool known = start->known && stop->known;
    if (known && (start->i < 0 || stop->i <= start->i || (size && stop->i > size))) {
        tct_elab_error(e, "E0302", c->x->span, "no positions %lld up to %lld in axis %s", (long long)start->i,
                       (long long)stop->i, tct_axis_local_name(e, from));
        if (size)
            tct_elab_help(e, "%s has %lld positions: 0 <= start < stop <= %lld", tct_axis_local_name(e, from),
                          (long long)size, (long long)size);
        else
            tct_elab_help(e, "0 <= start < stop");
        return tct_op_fail(c);
    }
    if (!tct_op_target_axis(c, r, known ? stop->i - start->i : 0, &to)) return tct_op_fail(c);
    tct_elab_at(e, c->x->span);
    return tct_op_done(c, tct_ir_slice(tct_op_graph(c), e->d, x, from, to, start->i, 1));
}

tct_val *tct_op_at(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tct_op_tensor(c, 0);
    tct_ir_attr attr = {.n_axes = 1};
    if (x == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &attr.axes[0]) ||
        !tct_op_has(c, x, attr.axes[0], c->arg[1]->span))
        return tct_op_fail(c);
    tct_val *i = tct_elab_static(e, c->arg[2], V_INT, "chooses a position of an axis");
    if (!i) return tct_op_fail(c);
    int64_t size = tct_op_size_of(c, attr.axes[0]);
    if (i->known && size && (i->i < 0 || i->i >= size)) {
        tct_elab_error(e, "E0302", c->arg[2]->span, "no position %lld in axis %s: it has 0 to %lld",
                       (long long)i->i, tct_axis_local_name(e, attr.axes[0]), (long long)size - 1);
        return tct_op_fail(c);
    }
    if (i->i < 0 || i->i > INT32_MAX) {
        tct_elab_error(e, "E0302", c->arg[2]->span, "no axis has a position %lld", (long long)i->i);
        return tct_op_fail(c);
    }
    tct_elab_at(e, c->x->span);
    tct_value in[] = {x, tct_ir_const(tct_op_graph(c), TCT_I32, (double)i->i)};
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), e->d, TCT_IR_GATHER, in, 2, &attr));
}

static tct_value padded(op_call *c, tct_value x, tct_axis from, tct_axis to, int64_t before, double fill) {
    tct_ir_attr attr = {.n_axes = 1, .n_to = 1, .axes = {from}, .to = {to}, .i = before, .f = fill};
    return tct_ir_emit(tct_op_graph(c), c->e->d, TCT_IR_PAD, &x, 1, &attr);
}

static bool fill_value(op_call *c, uint32_t k, double *out) {
    *out = 0;
    if (!c->arg[k]) return true;
    tct_val *v =
        tct_elab_fix(c->e, tct_op_val(c, k), c->arg[k]->span, "fills the places that an operation adds");
    if (v->kind == V_ERROR) return false;
    if (v->kind != V_INT && v->kind != V_FLOAT && v->kind != V_BOOL)
        return tct_elab_error(c->e, "E0337", c->arg[k]->span,
                              "the filler must be a number known at compile time, found %s",
                              tct_val_describe(c->e, v));
    *out = v->kind == V_FLOAT ? v->f : (double)v->i;
    return true;
}

static bool has_axis_called(op_call *c, tct_value x, const char *name) {
    const tct_node *n = tct_op_node(c, x);
    for (uint32_t i = 0; i < n->n_axes; i++)
        if (strcmp(tct_axis_of(c->e->module, n->axes[i])->name, name) == 0) return true;
    return false;
}

tct_val *tct_op_shift(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tct_op_tensor(c, 0);
    tct_axis axis;
    double fill;
    if (x == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &axis) || !tct_op_has(c, x, axis, c->arg[1]->span))
        return tct_op_fail(c);
    tct_val *by = tct_elab_static(e, c->arg[2], V_INT, "decides how far is shifted");
    if (!by || !fill_value(c, 3, &fill)) return tct_op_fail(c);
    int64_t size = tct_op_size_of(c, axis), n = by->i;
    if (n == 0) return tct_op_done(c, x);
    if (n == INT64_MIN) n++; // as good as
    int64_t cut = n < 0 ? -n : n;
    tct_elab_at(e, c->x->span);
    if (size && cut >= size) {
        tct_axis axes[TCT_IR_MAX_AXES];
        uint32_t n_axes = tct_op_node(c, x)->n_axes;
        memcpy(axes, tct_op_node(c, x)->axes, n_axes * sizeof *axes);
        return tct_op_done(c, tct_ir_broadcast(tct_op_graph(c),
                                               tct_ir_const(tct_op_graph(c), tct_op_node(c, x)->dtype, fill),
                                               axes, n_axes));
    }
    const char *name = tct_arena_printf(&e->module->arena, "%s_cut", tct_axis_of(e->module, axis)->name);
    while (has_axis_called(c, x, name)) name = tct_arena_printf(&e->module->arena, "%s_", name);
    tct_axis shorter = tct_axis_get(e->module, name, size ? size - cut : 0);
    tct_value kept = tct_ir_slice(tct_op_graph(c), e->d, x, axis, shorter, n < 0 ? cut : 0, 1);
    return tct_op_done(c, padded(c, kept, shorter, axis, n > 0 ? n : 0, fill));
}

tct_val *tct_op_pad(op_call *c) {
    tct_elab *e = c->e;
    tct_value x = tct_op_tensor(c, 0);
    const tct_expr *l = NULL, *r = NULL;
    tct_axis from, to;
    double fill;
    if (x == TCT_NO_VALUE || !tct_op_arrow(c, 1, &l, &r) || !tct_elab_axis(e, l, &from) ||
        !tct_op_has(c, x, from, l->span))
        return tct_op_fail(c);
    tct_val *before = tct_elab_static(e, c->arg[2], V_INT, "decides the size of an axis"),
            *after = tct_elab_static(e, c->arg[3], V_INT, "decides the size of an axis");
    if (!before || !after || !fill_value(c, 4, &fill)) return tct_op_fail(c);
    if (before->i < 0 || after->i < 0) {
        tct_elab_error(e, "E0302", c->x->span, "pad adds positions: %lld before and %lld after are too few",
                       (long long)before->i, (long long)after->i);
        tct_elab_help(e, "slice takes positions away");
        return tct_op_fail(c);
    }
    int64_t size = tct_op_size_of(c, from), whole = 0;
    bool known = size && before->known && after->known;
    if (known && (__builtin_add_overflow(size, before->i, &whole) ||
                  __builtin_add_overflow(whole, after->i, &whole))) {
        tct_elab_error(e, "E0302", c->x->span, "an axis with more positions than fit into 64 bits");
        return tct_op_fail(c);
    }
    if (!tct_op_target_axis(c, r, whole, &to)) return tct_op_fail(c);
    tct_elab_at(e, c->x->span);
    return tct_op_done(c, padded(c, x, from, to, before->i, fill));
}

tct_val *tct_op_concat(op_call *c) {
    tct_elab *e = c->e;
    const tct_expr *l = NULL, *r = NULL;
    if (c->arg[0]->kind != TCT_EXPR_LIST || c->arg[0]->n_args == 0 || c->arg[0]->n_args > TCT_IR_MAX_AXES) {
        tct_elab_error(e, "E0332", c->arg[0]->span, "concat([a, b], T -> U) takes a list of 1 to %d tensors",
                       TCT_IR_MAX_AXES);
        return tct_op_fail(c);
    }
    if (!tct_op_arrow(c, 1, &l, &r)) return tct_op_fail(c);
    // The axis is found by name in each tensor: its sizes may differ.
    if (l->kind != TCT_EXPR_NAME) {
        tct_elab_error(e, "E0331", l->span, "the name of an axis is expected here");
        return tct_op_fail(c);
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
        if (in[i] == TCT_NO_VALUE) return tct_op_fail(c);
        tct_symbol *s = tct_scope_find(e, l->name.text, false);
        bool found = false;
        for (uint32_t k = 0; k < tct_op_node(c, in[i])->n_axes && !found; k++) {
            tct_axis a = tct_op_node(c, in[i])->axes[k];
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
            return tct_op_fail(c);
        }
        int64_t size = tct_op_size_of(c, attr.axes[i]);
        known = known && size > 0 && !__builtin_add_overflow(total, size, &total);
    }
    if (!tct_op_target_axis(c, r, known ? total : 0, &attr.to[0])) return tct_op_fail(c);
    tct_elab_at(e, c->x->span);
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), e->d, TCT_IR_CONCAT, in, n, &attr));
}

static tct_val *indexed(op_call *c, tct_ir_op op, uint32_t n) {
    tct_elab *e = c->e;
    tct_value in[3];
    tct_ir_attr attr = {.n_axes = 1};
    in[0] = tct_op_tensor(c, 0);
    if (in[0] == TCT_NO_VALUE || !tct_elab_axis(e, c->arg[1], &attr.axes[0]) ||
        !tct_op_has(c, in[0], attr.axes[0], c->arg[1]->span))
        return tct_op_fail(c);
    in[1] = tct_op_tensor_of(c, 2, TCT_I32);
    if (in[1] == TCT_NO_VALUE) return tct_op_fail(c);
    if (tct_op_node(c, in[1])->dtype != TCT_I32) {
        tct_elab_error(e, "E0301", c->arg[2]->span, "an index is i32, found %s",
                       tct_val_describe(e, tct_val_tensor(e, in[1], c->x->span)));
        tct_elab_help(e, "i32(x) converts");
        return tct_op_fail(c);
    }
    if (n == 3 && (in[2] = tct_op_tensor_of(c, 3, tct_op_node(c, in[0])->dtype)) == TCT_NO_VALUE)
        return tct_op_fail(c);
    return tct_op_done(c, tct_ir_emit(tct_op_graph(c), e->d, op, in, n, &attr));
}
tct_val *tct_op_gather(op_call *c) { return indexed(c, TCT_IR_GATHER, 2); }
tct_val *tct_op_scatter_add(op_call *c) { return indexed(c, TCT_IR_SCATTER_ADD, 3); }
tct_val *tct_op_put(op_call *c) { return indexed(c, TCT_IR_PUT, 3); }
