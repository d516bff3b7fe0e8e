// What is stored narrow stays narrow as long as it can: movement of a widening cast moves what it widens, so
// that a table is gathered from as it lies in memory. And integers that stand for numbers, q · s, are
// multiplied as they are where s lacks the summed axes: what they sum is multiplied by s instead. Then a
// product reads them in place, and s meets fewer numbers. Sums are rounded at other places than before.
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool is_float(const tct_node *n) { return tct_dtype_is_float((tct_dtype)n->dtype); }

// A cast of fewer bytes to more, to a float.
static bool is_widened(const tct_graph *g, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op != TCT_IR_CAST || !is_float(n)) return false;
    tct_dtype from = (tct_dtype)tct_node_of(g, n->in[0])->dtype;
    return (from == TCT_I8 || from == TCT_BF16) && tct_dtype_size((tct_dtype)n->dtype) > tct_dtype_size(from);
}

static bool is_widened_integer(const tct_graph *g, tct_value v) {
    return is_widened(g, v) && tct_node_of(g, tct_node_of(g, v)->in[0])->dtype == TCT_I8;
}

// v = q · s, q a widened integer.
static bool is_scaled(const tct_graph *g, tct_value v, tct_value *q, tct_value *s) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op != TCT_IR_MUL) return false;
    int k = is_widened_integer(g, n->in[0]) ? 0 : is_widened_integer(g, n->in[1]) ? 1 : -1;
    if (k < 0) return false;
    *q = n->in[k];
    *s = n->in[1 - k];
    return tct_node_of(g, *q)->n_axes == n->n_axes; // s has no axes of its own
}

static bool moves(tct_ir_op op) {
    return op == TCT_IR_GATHER || op == TCT_IR_SLICE || op == TCT_IR_RENAME || op == TCT_IR_BROADCAST;
}

// Node n with `x` for its first operand.
static tct_value moved(tct_graph *g, const tct_rewrite *r, const tct_node *n, tct_value x) {
    tct_value in[2] = {x, n->n_in > 1 ? r->map[n->in[1]] : TCT_NO_VALUE};
    tct_value y = tct_ir_emit(g, NULL, (tct_ir_op)n->op, in, n->n_in, &n->attr);
    const tct_node *made = tct_node_of(g, y);
    if (tct_same_axes(made->axes, made->n_axes, n->axes, n->n_axes)) tct_set_order(g, y, n->axes, n->n_axes);
    return y;
}

static tct_value move_widened(tct_rewrite *r, const tct_node *n, tct_value cast) {
    const tct_node *c = tct_node_of(r->to, cast);
    tct_dtype to = (tct_dtype)c->dtype;
    return tct_ir_cast(r->to, moved(r->to, r, n, c->in[0]), to);
}

// A scale follows where it has the axis that is moved along.
static tct_value move_scaled(tct_rewrite *r, const tct_node *n, tct_value q, tct_value s) {
    bool along = n->op != TCT_IR_BROADCAST && tct_node_has_axis(tct_node_of(r->to, s), n->attr.axes[0]);
    tct_value x = move_widened(r, n, q);
    return tct_bin(r->to, TCT_IR_MUL, x, along ? moved(r->to, r, n, s) : s);
}

static tct_value rewrite_movement(tct_rewrite *r, const tct_node *n) {
    tct_value x = r->map[n->in[0]], q, s;
    if (is_widened(r->to, x)) return move_widened(r, n, x);
    return is_scaled(r->to, x, &q, &s) ? move_scaled(r, n, q, s) : TCT_NO_VALUE;
}

static tct_value rewrite_dot(tct_rewrite *r, const tct_node *n) {
    tct_value in[2] = {r->map[n->in[0]], r->map[n->in[1]]}, scale[2], q;
    int n_scales = 0;
    for (int k = 0; k < 2; k++) {
        tct_value s;
        if (!is_scaled(r->to, in[k], &q, &s)) continue;
        tct_axis summed[TCT_IR_MAX_AXES];
        const tct_node *node = tct_node_of(r->to, s);
        if (tct_axes_common(summed, n->attr.axes, n->attr.n_axes, node->axes, node->n_axes)) continue;
        in[k] = q;
        scale[n_scales++] = s;
    }
    if (n_scales == 0) return TCT_NO_VALUE;
    tct_value y = tct_ir_dot(r->to, NULL, in[0], in[1], n->attr.axes, n->attr.n_axes);
    tct_set_order(r->to, y, n->axes, n->n_axes);
    for (int k = 0; k < n_scales; k++) y = tct_bin(r->to, TCT_IR_MUL, y, scale[k]);
    return y;
}

tct_graph *tct_pass_narrow(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "narrow");
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (n->op == TCT_IR_INPUT) continue;
        tct_rewrite_at(&r, v);
        if (n->op == TCT_IR_SCAN) {
            tct_rewrite_copy_with_body(&r, v, tct_pass_narrow(n->attr.body));
            continue;
        }
        tct_value made = n->op == TCT_IR_DOT       ? rewrite_dot(&r, n)
                         : moves((tct_ir_op)n->op) ? rewrite_movement(&r, n)
                                                   : TCT_NO_VALUE;
        if (made == TCT_NO_VALUE) {
            tct_rewrite_copy(&r, v);
            continue;
        }
        if (!tct_same_order(tct_node_of(r.to, made)->axes, tct_node_of(r.to, made)->n_axes, n->axes,
                            n->n_axes))
            tct_set_order(r.to, made, n->axes, n->n_axes);
        r.map[v] = made;
        r.changed = true;
    }
    return tct_rewrite_finish(&r);
}
