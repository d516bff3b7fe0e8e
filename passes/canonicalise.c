// Canonical form: algebraic identities that hold for every input, NaN and infinity included (the sign of a
// zero may change, and sums may be grouped otherwise). Needs nothing; leaves: no broadcast as operand of an
// elementwise operation, reduction or contraction that doesn't need it, constants to the right, no dead
// nodes. Every value is simplified when it is made, its operands having been already, so one walk nearly
// suffices; it is repeated while anything changes.
#include "passes/canonicalise.h"

#include "passes/passes.h"

enum { MAX_ROUNDS = 4 };

bool tct_canon_const(const tct_canon *c, tct_value v, double *out) {
    const tct_node *n = tct_canon_node(c, v);
    if (n->op == TCT_IR_BROADCAST) n = tct_canon_node(c, n->in[0]);
    if (n->op != TCT_IR_CONST) return false;
    *out = tct_dtype_is_float((tct_dtype)n->dtype) ? n->attr.f : (double)n->attr.i;
    return true;
}

tct_value tct_canon_un(tct_canon *c, tct_ir_op op, tct_value x) { return tct_canon_make(c, op, &x, 1, NULL); }

tct_value tct_canon_bin(tct_canon *c, tct_ir_op op, tct_value a, tct_value b) {
    return tct_canon_make(c, op, (tct_value[]){a, b}, 2, NULL);
}

tct_value tct_canon_widen(tct_canon *c, tct_value x, const tct_axis *axes, uint32_t n) {
    const tct_node *node = tct_canon_node(c, x);
    tct_ir_attr attr = {0};
    attr.n_axes = (uint8_t)tct_axes_minus(attr.axes, axes, n, node->axes, node->n_axes);
    return attr.n_axes ? tct_canon_make(c, TCT_IR_BROADCAST, &x, 1, &attr) : x;
}

// f(broadcast a, broadcast b) = broadcast f(a, b): computed once for each different point.
static tct_value sink_broadcast(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                                const tct_ir_attr *attr) {
    tct_value plain[3];
    tct_axis axes[3 * TCT_IR_MAX_AXES];
    uint32_t n_axes = 0;
    bool any = false;
    for (uint32_t k = 0; k < n_in; k++) {
        const tct_node *n = tct_canon_node(c, in[k]);
        bool broadcast = n->op == TCT_IR_BROADCAST;
        plain[k] = broadcast ? n->in[0] : in[k];
        any = any || broadcast;
        for (int a = 0; a < n->n_axes; a++)
            if (!tct_axes_have(axes, n_axes, n->axes[a])) axes[n_axes++] = n->axes[a];
    }
    return any ? tct_canon_widen(c, tct_canon_make(c, op, plain, n_in, attr), axes, n_axes) : TCT_NO_VALUE;
}

static tct_value apply_rules(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                             const tct_ir_attr *attr) {
    switch (tct_ir_ops[op].cls) {
    case TCT_CLASS_ELEMENTWISE: {
        tct_value v = sink_broadcast(c, op, in, n_in, attr);
        return v != TCT_NO_VALUE ? v : tct_canon_arith(c, op, in, n_in, attr);
    }
    case TCT_CLASS_REDUCTION:
    case TCT_CLASS_CONTRACTION:
        return tct_canon_reduce(c, op, in, attr);
    case TCT_CLASS_MOVEMENT:
        return tct_canon_move(c, op, in, n_in, attr);
    default:
        return TCT_NO_VALUE;
    }
}

tct_value tct_canon_make(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                         const tct_ir_attr *attr) {
    tct_value v = apply_rules(c, op, in, n_in, attr);
    return v != TCT_NO_VALUE ? v : tct_ir_emit(c->r.to, NULL, op, in, n_in, attr);
}

static void note_uses(tct_canon *c, tct_value v, uint32_t uses) {
    while (c->uses.len <= v) TCT_PUSH(&c->uses, 0);
    c->uses.data[v] += uses;
}

static void visit(tct_canon *c, tct_value v) {
    tct_rewrite *r = &c->r;
    const tct_node *n = tct_node_of(r->from, v);
    tct_value few[8], *in = n->n_in <= 8 ? few : TCT_NEW_ARRAY(&r->arena, tct_value, n->n_in);
    for (uint32_t k = 0; k < n->n_in; k++) in[k] = r->map[n->in[k]];
    size_t mark = r->to->nodes.len;
    tct_rewrite_at(r, v);
    tct_value made = apply_rules(c, (tct_ir_op)n->op, in, n->n_in, &n->attr);
    if (made == TCT_NO_VALUE) {
        if (n->op == TCT_IR_SCAN)
            tct_rewrite_copy_with_body(r, v, tct_pass_canonicalise(n->attr.body));
        else
            tct_rewrite_copy(r, v);
        return;
    }
    r->map[v] = made;
    r->changed = true;
    const tct_node *now = tct_canon_node(c, made);
    if (made >= mark && now->op != TCT_IR_GET && !now->bundle) tct_set_order(r->to, made, n->axes, n->n_axes);
}

static tct_graph *one_round(tct_graph *g) {
    tct_canon c = {0};
    tct_rewrite_begin(&c.r, g, "canonicalise");
    uint32_t *uses = tct_count_uses(&c.r.arena, g);
    for (size_t v = 0; v < g->nodes.len; v++) {
        if (g->nodes.data[v].op != TCT_IR_INPUT) {
            if (!uses[v]) {
                c.r.changed = true;
                continue;
            }
            visit(&c, (tct_value)v);
        }
        note_uses(&c, c.r.map[v], uses[v]);
    }
    TCT_VEC_FREE(&c.uses);
    return tct_rewrite_finish(&c.r);
}

tct_graph *tct_pass_canonicalise(tct_graph *g) {
    for (int round = 0; round < MAX_ROUNDS; round++) {
        tct_graph *next = one_round(g);
        if (next == g) break;
        g = next;
    }
    return g;
}
