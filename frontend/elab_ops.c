// The built-in operations of graphs: which there are, and their arguments.
#include "frontend/elab_ops.h"

#include <string.h>

tct_val *tct_op_fail(op_call *c) {
    tct_elab_after_report(c->e, c->before);
    return tct_val_error(c->e);
}

bool tct_op_show_usage(op_call *c) {
    if (c->op) tct_elab_help(c->e, "%s", c->op->usage);
    return false;
}

tct_graph *tct_op_graph(op_call *c) { return c->e->builder->graph; }

tct_val *tct_op_done(op_call *c, tct_value v) { return tct_elab_result(c->e, v, c->x->span, c->before); }

tct_val *tct_op_val(op_call *c, uint32_t k) {
    if (!c->val[k]) c->val[k] = tct_elab_expr(c->e, c->arg[k]);
    return c->val[k];
}

// Argument k as a tensor; static numbers become `dtype`. Evaluated before the place is stamped, so that
// nested expressions keep their own.
tct_value tct_op_tensor_of(op_call *c, uint32_t k, tct_dtype dtype) {
    tct_val *v = tct_op_val(c, k);
    bool boolean = tct_val_static_kind(c->e, v) == V_BOOL;
    tct_value value = tct_elab_operand(c->e, v, boolean ? TCT_BOOL : dtype, c->arg[k]->span);
    tct_elab_at(c->e, c->x->span);
    return value;
}

tct_value tct_op_tensor(op_call *c, uint32_t k) {
    tct_val *v = tct_op_val(c, k);
    tct_val_kind kind = tct_val_static_kind(c->e, v);
    tct_dtype dtype = kind == V_BOOL                                     ? TCT_BOOL
                      : kind == V_INT && c->arg[k]->kind != TCT_EXPR_INT ? TCT_I32
                                                                         : TCT_F32;
    tct_value value = tct_elab_operand(c->e, v, dtype, c->arg[k]->span);
    tct_elab_at(c->e, c->x->span);
    return value;
}

const tct_node *tct_op_node(op_call *c, tct_value v) { return tct_elab_node(c->e, v); }

bool tct_op_has(op_call *c, tct_value v, tct_axis a, tct_span span) {
    if (tct_node_has_axis(tct_op_node(c, v), a)) return true;
    tct_elab_error(c->e, "E0303", span, "this tensor has no axis %s: it is %s", tct_axis_local_name(c->e, a),
                   tct_val_describe(c->e, tct_val_tensor(c->e, v, span)));
    return false;
}

int64_t tct_op_size_of(op_call *c, tct_axis a) { return tct_axis_of(c->e->module, a)->size; }

// `K -> J` as its sides. The left one must exist.
bool tct_op_arrow(op_call *c, uint32_t k, const tct_expr **from, const tct_expr **to) {
    const tct_expr *x = c->arg[k];
    if (x->kind != TCT_EXPR_ARROW) {
        tct_elab_error(c->e, "E0331", x->span, "an arrow is expected here: the old axis -> the new one");
        return tct_op_show_usage(c);
    }
    *from = x->a;
    *to = x->b;
    return true;
}

// The axis named on the right of an arrow, with `size`: the one in scope when there is one of that name, else
// a new one.
bool tct_op_target_axis(op_call *c, const tct_expr *x, int64_t size, tct_axis *out) {
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
    int64_t have = tct_op_size_of(c, *out);
    if (have == size || have == 0 || size == 0)
        return true; // where one isn't known yet, the axis in scope stands
    tct_elab_error(e, "E0302", x->span, "this makes an axis %s of size %lld, but %s is %lld", x->name.text,
                   (long long)size, x->name.text, (long long)have);
    if (s->span.file) tct_elab_note(e, s->span, "%s was bound to %lld here", x->name.text, (long long)have);
    tct_elab_help(e, "sizes must agree; a name that isn't used yet makes a new axis");
    return false;
}

static const operation operations[] = {
    {"where", "c a b", tct_op_where, "where(condition, a, b)",
     "a where the condition is true, b elsewhere, element by element."},
    {"sum", "x axes", tct_op_sum, "sum(x, T) or sum(x, [B, T])", "The sum over one axis or several."},
    {"mean", "x axes", tct_op_mean, "mean(x, T) or mean(x, [B, T])", "The mean over one axis or several."},
    {"max", "a b", tct_op_max, "max(x, T) along an axis, max(a, b) element by element",
     "The largest along an axis, or the larger of two tensors element by element; NaN if any is."},
    {"min", "a b", tct_op_min, "min(x, T) along an axis, min(a, b) element by element",
     "The smallest along an axis, or the smaller of two tensors element by element; NaN if any is."},
    {"any", "x axes", tct_op_any, "any(x, T)", "True where any along the axes is."},
    {"all", "x axes", tct_op_all, "all(x, T)", "True where all along the axes are."},
    {"argmax", "x axis", tct_op_argmax, "argmax(x, V)",
     "The position of the first maximum along an axis (i32)."},
    {"dot", "a b axes", tct_op_dot, "dot(x, w, C) or dot(x, w, [H, D])",
     "The sum over the named axes of a * b. Axes that both have and that aren't named are kept."},
    {"rename", "x axis", tct_op_rename, "rename(x, K -> J)",
     "The same tensor with another name for an axis."},
    {"split", "x axes", tct_op_split, "split(x, C -> [H, D = 64])",
     "Takes an axis apart, row-major; one size may be left out."},
    {"merge", "x axes", tct_op_merge, "merge(x, [H, D] -> C)",
     "Several axes as one, row-major in the order given."},
    {"broadcast", "x axes", tct_op_broadcast, "broadcast(x, [B, T])",
     "The same value for every point of axes that the tensor lacks."},
    {"zeros", "axes", tct_op_zeros, "zeros([B, T])", "A tensor of zeros (f32)."},
    {"ones", "axes", tct_op_ones, "ones([B, T])", "A tensor of ones (f32)."},
    {"flip", "x axis", tct_op_flip, "flip(x, T)", "An axis in reverse order."},
    {"slice", "x axis start stop", tct_op_slice, "slice(x, T -> U, start, stop)",
     "Positions start to stop - 1 of an axis, as a new one; both static."},
    {"at", "x axis i", tct_op_at, "at(x, T, i)", "One position of an axis, which goes; static."},
    {"shift", "x axis n fill?", tct_op_shift, "shift(x, T, n, fill)",
     "y[t] = x[t - n], with `fill` (0) where that is outside; n static."},
    {"pad", "x axis before after fill?", tct_op_pad, "pad(x, T -> U, before, after, fill)",
     "Adds places of value `fill` (0) before and after an axis, as a new one; both static."},
    {"concat", "list axis", tct_op_concat, "concat([a, b], T -> U)",
     "Tensors after each other along an axis, as a new one."},
    {"gather", "x axis index", tct_op_gather, "gather(x, V, index)",
     "x at index (i32) along an axis; other axes that both have go together. An index outside gives 0."},
    {"scatter_add", "base axis index update", tct_op_scatter_add, "scatter_add(base, V, index, update)",
     "base plus, at index (i32) along an axis, update; an index outside is dropped."},
    {"put", "base axis index update", tct_op_put, "put(base, V, index, update)",
     "base with update stored at index (i32) along an axis; the last one stays; an index outside is "
     "dropped."},
    {"iota", "axis", tct_op_iota, "iota(T)", "0, 1, 2, … along an axis (i32)."},
    {"one_hot", "index axis", tct_op_one_hot, "one_hot(index, V)",
     "1 where the position along the axis is the index, 0 elsewhere (f32)."},
    {"size", "axes", tct_op_size, "size(T)",
     "The size of an axis, or the product of several: a static number where it is known."},
    {"random", "key axes", tct_op_random, "random(key, [B, T])",
     "Uniform in [0, 1), a pure function of the key (i64), of which random in the graph it is, and of the "
     "position."},
    {"rank", "x", tct_op_rank, "rank(x)", "How many axes a tensor has; static."},
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

bool tct_operation_at(size_t k, tct_operation *out) {
    static const char cast[] = "Converts: to integers by truncation, saturating; to bool by x != 0.";
    size_t n = sizeof operations / sizeof *operations;
    if (k < n) {
        *out = (tct_operation){operations[k].name, operations[k].doc, operations[k].usage};
        return true;
    }
    k -= n;
    if (k < TCT_N_DTYPES) {
        *out = (tct_operation){tct_dtype_name((tct_dtype)k), cast, NULL};
        return true;
    }
    k -= TCT_N_DTYPES;
    for (int op = 0; op < TCT_IR_N_OPS; op++) {
        tct_ir_op found;
        if (!simple_op(tct_ir_ops[op].name, &found) || k-- > 0) continue;
        *out = (tct_operation){tct_ir_ops[op].name, tct_ir_ops[op].doc, NULL};
        return true;
    }
    return false;
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
                return tct_op_show_usage(c);
            }
        } else {
            position++;
        }
        if (k >= n) {
            tct_elab_error(c->e, "E0339", a->value->span, "%s takes %u argument%s, found %u", c->name, n,
                           n == 1 ? "" : "s", c->x->n_args);
            return tct_op_show_usage(c);
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
            return tct_op_show_usage(c);
        }
    return true;
}

static tct_val *static_math(op_call *c, const char *name) {
    uint32_t n = c->x->n_args;
    if (n == 0 || tct_elab_number_arity(name) != n) return NULL;
    for (uint32_t i = 0; i < n; i++)
        if (c->x->args[i].name.text || tct_elab_is_axis(c->e, c->x->args[i].value)) return NULL;
    tct_val *v[2] = {NULL, NULL};
    bool config = false;
    for (uint32_t i = 0; i < n; i++) {
        const tct_expr *x = c->x->args[i].value;
        // Only what is static without evaluating tensors: literals, names of static values, config,
        // arithmetic on them.
        if (x->kind == TCT_EXPR_CALL && x->a->kind == TCT_EXPR_NAME && tct_elab_item(c->e, x->a->name.text))
            return NULL;
        v[i] = c->val[i] = tct_elab_expr(c->e, x);
        config |= tct_val_is_config(v[i]);
        tct_val_kind kind = tct_val_static_kind(c->e, v[i]);
        if (kind != V_INT && kind != V_FLOAT) return v[i]->kind == V_ERROR ? v[i] : NULL;
    }
    if (config) return tct_stage_number_function(c->e, name, v, c->x->span);
    return tct_elab_number_function(c->e, name, v, c->x->span);
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
        tct_op_show_usage(&c);
        return tct_val_error(e);
    }
    if (!arguments(&c, o ? o->params : "x")) return tct_val_error(e);
    if (o) return o->build(&c);
    return cast ? tct_op_cast_to(&c, dtype) : tct_op_elementwise(&c, op, 1);
}
