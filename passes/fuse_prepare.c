// Before fusion: what no kernel does as it stands is put differently.
//   - reductions of much to little become two, so that the first runs in many pieces; of a product it sums
//     rows, which its epilogue does,
//   - x + scatter_add(0, i, u) adds into x,
//   - what no output needs goes.
#include "passes/fuse.h"
#include "passes/rewrite.h"

#include <math.h>
#include <stdint.h>

enum {
    FEW_RESULTS = 32,  // fewer results than this can't keep the threads busy
    MUCH_WORK = 32768, // elements from which on that matters
    CHUNK = 4096,      // of an axis that is cut for it
};

static int64_t product(const tct_graph *g, const tct_axis *a, uint32_t n) {
    int64_t p = 1;
    for (uint32_t k = 0; k < n; k++) p *= tct_axis_of(g->module, a[k])->size;
    return p;
}

// --- Reductions ---

static double neutral(tct_ir_op op) {
    switch (op) {
    case TCT_IR_REDUCE_MAX:
        return -INFINITY;
    case TCT_IR_REDUCE_MIN:
        return INFINITY;
    case TCT_IR_ALL:
        return 1;
    default:
        return 0;
    }
}

// Cuts axis `a` of x into pieces of CHUNK, the last one filled up; returns the axes of pieces and within.
static tct_value cut(tct_rewrite *r, tct_ir_op op, tct_value x, tct_axis a, tct_axis *piece,
                     tct_axis *within) {
    tct_graph *g = r->to;
    tct_ir_module *m = g->module;
    const char *name = tct_arena_strdup(&m->arena, tct_axis_of(m, a)->name);
    int64_t size = tct_axis_of(m, a)->size, pieces = (size + CHUNK - 1) / CHUNK;
    if (size % CHUNK) {
        tct_axis whole = tct_axis_get(m, tct_arena_printf(&m->arena, "%s.whole", name), pieces * CHUNK);
        tct_ir_attr pad = {.n_axes = 1, .axes = {a}, .n_to = 1, .to = {whole}, .f = neutral(op)};
        x = tct_ir_emit(g, NULL, TCT_IR_PAD, &x, 1, &pad);
        a = whole;
    }
    *piece = tct_axis_get(m, tct_arena_printf(&m->arena, "%s.piece", name), pieces);
    *within = tct_axis_get(m, tct_arena_printf(&m->arena, "%s.within", name), CHUNK);
    tct_ir_attr split = {.n_axes = 1, .axes = {a}, .n_to = 2, .to = {*piece, *within}};
    return tct_ir_emit(g, NULL, TCT_IR_SPLIT, &x, 1, &split);
}

// The product that v is computed from point by point, or NULL.
static const tct_node *product_behind(const tct_graph *g, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op == TCT_IR_DOT) return n;
    if (tct_ir_ops[n->op].cls != TCT_CLASS_ELEMENTWISE) return NULL;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *x = tct_node_of(g, n->in[k]);
        const tct_node *dot = x->n_axes == n->n_axes ? product_behind(g, n->in[k]) : NULL;
        if (dot) return dot;
    }
    return NULL;
}

// Everything of a product's result: its rows, then the sums of its columns.
static tct_value sum_product(tct_rewrite *r, const tct_node *n) {
    tct_graph *g = r->to;
    const tct_node *dot = product_behind(r->from, n->in[0]);
    tct_axis rows[TCT_IR_MAX_AXES], rest[TCT_IR_MAX_AXES];
    uint32_t n_rows = dot ? tct_fuse_rows_of(r->from, dot, rows) : 0, n_rest = 0;
    for (int k = 0; k < n->attr.n_axes; k++)
        if (!tct_axes_have(rows, n_rows, n->attr.axes[k])) rest[n_rest++] = n->attr.axes[k];
    if (!n_rows || product(g, rest, n_rest) < FEW_RESULTS) return TCT_NO_VALUE;
    tct_value x = tct_ir_reduce(g, NULL, TCT_IR_SUM, r->map[n->in[0]], rows, n_rows);
    return tct_fuse_in_order(g, tct_ir_reduce(g, NULL, TCT_IR_SUM, x, rest, n_rest), n);
}

static bool room_for_another_axis(const tct_node *o) { return o->n_axes < TCT_IR_MAX_AXES; }

static bool integers(const tct_node *n) { return tct_dtype_is_int((tct_dtype)n->dtype); }

static tct_value rewrite_reduction(tct_rewrite *r, const tct_node *n) {
    tct_graph *g = r->to;
    const tct_node *o = tct_node_of(r->from, n->in[0]);
    tct_ir_op op = (tct_ir_op)n->op;
    int64_t results = tct_node_elements(r->from, n), reduced = product(r->from, n->attr.axes, n->attr.n_axes);
    if (results >= FEW_RESULTS || reduced < MUCH_WORK || op == TCT_IR_ARGMAX || n->dtype == TCT_BF16)
        return TCT_NO_VALUE;
    if (op == TCT_IR_SUM && results == 1) {
        tct_value sum = sum_product(r, n);
        if (sum != TCT_NO_VALUE) return sum;
    }
    // Outer axes of those reduced are left to the second step until there are enough pieces.
    tct_axis first[TCT_IR_MAX_AXES], second[TCT_IR_MAX_AXES];
    uint32_t n_first = 0, n_second = 0;
    int64_t pieces = results;
    for (int k = 0; k < o->n_axes; k++) {
        if (!tct_axes_have(n->attr.axes, n->attr.n_axes, o->axes[k])) continue;
        int64_t size = tct_axis_of(g->module, o->axes[k])->size;
        if (pieces < FEW_RESULTS && size <= MUCH_WORK * 4) {
            second[n_second++] = o->axes[k];
            pieces *= size;
        } else {
            first[n_first++] = o->axes[k];
        }
    }
    tct_value x = r->map[n->in[0]];
    if (!n_first || product(g, first, n_first) < 64 || pieces < FEW_RESULTS) {
        tct_axis largest = n->attr.axes[0];
        for (int k = 1; k < n->attr.n_axes; k++)
            if (tct_axis_of(g->module, n->attr.axes[k])->size > tct_axis_of(g->module, largest)->size)
                largest = n->attr.axes[k];
        bool fills = op == TCT_IR_SUM || op == TCT_IR_ANY || op == TCT_IR_ALL || !integers(n);
        if (tct_axis_of(g->module, largest)->size < 4 * CHUNK || !room_for_another_axis(o) || !fills)
            return TCT_NO_VALUE;
        n_first = 0;
        for (int k = 0; k < n->attr.n_axes; k++)
            if (n->attr.axes[k] != largest) first[n_first++] = n->attr.axes[k];
        x = cut(r, op, x, largest, &second[0], &first[n_first]);
        n_first++;
        n_second = 1;
    }
    x = tct_ir_reduce(g, NULL, op, x, first, n_first);
    return tct_fuse_in_order(g, tct_ir_reduce(g, NULL, op, x, second, n_second), n);
}

// --- Scatter ---

static bool is_zero(const tct_graph *g, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    if (n->op == TCT_IR_BROADCAST) return is_zero(g, n->in[0]);
    return n->op == TCT_IR_CONST &&
           (tct_dtype_is_float((tct_dtype)n->dtype) ? n->attr.f == 0 : n->attr.i == 0);
}

// The base lies in memory as the result does.
static tct_value rewrite_scatter(tct_rewrite *r, const tct_node *n) {
    tct_graph *g = r->to;
    tct_value in[3] = {r->map[n->in[0]], r->map[n->in[1]], r->map[n->in[2]]};
    const tct_node *index = tct_node_of(r->from, n->in[1]);
    in[0] = tct_in_order(g, in[0], n->axes, n->n_axes, NULL);
    in[1] = tct_in_order(g, in[1], index->axes, index->n_axes, NULL); // the order in which it is worked off
    return tct_fuse_in_order(g, tct_ir_emit(g, NULL, (tct_ir_op)n->op, in, 3, &n->attr), n);
}

// Only where the sum in another order is the same to everybody: the scattered zeros have no other user.
static tct_value rewrite_add(tct_rewrite *r, const tct_node *n, const uint32_t *uses) {
    for (int k = 0; k < 2; k++) {
        tct_value v = n->in[k], x = n->in[1 - k];
        const tct_node *s = tct_node_of(r->from, v), *base = tct_node_of(r->from, x);
        if (s->op != TCT_IR_SCATTER_ADD || uses[v] != 1 || !is_zero(r->from, s->in[0]) ||
            s->n_axes != n->n_axes || !tct_same_order(base->axes, base->n_axes, n->axes, n->n_axes))
            continue;
        tct_node sum = *s; // axes as n has them, which is as x has them
        sum.in = (tct_value[3]){x, s->in[1], s->in[2]};
        sum.axes = n->axes;
        return rewrite_scatter(r, &sum);
    }
    return TCT_NO_VALUE;
}

// --- Scans and calls ---

static tct_value operand_in_order(tct_rewrite *r, const tct_node *n, uint32_t k) {
    tct_scan_view seen;
    if (n->op == TCT_IR_SCAN && tct_scan_view_of(r->to, n, k, r->map[n->in[k]], &seen) &&
        tct_fuse_is_stored(tct_node_of(r->to, seen.view.base)))
        return r->map[n->in[k]];
    const tct_node *in = tct_node_of(n->attr.body, n->attr.body->inputs.data[k]);
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t count = 0;
    const tct_node *operand = tct_node_of(r->to, r->map[n->in[k]]);
    if (n->op == TCT_IR_SCAN)
        count = tct_axes_common(axes, n->attr.axes, n->attr.n_axes, operand->axes, operand->n_axes);
    for (int a = 0; a < in->n_axes; a++) axes[count++] = in->axes[a];
    return tct_in_order(r->to, r->map[n->in[k]], axes, count, NULL);
}

// Carried values keep their layout from step to step.
static tct_graph *steady_body(const tct_rewrite *r, const tct_node *n) {
    tct_graph *body = tct_graph_copy(n->attr.body, n->attr.body->name);
    body->pass = r->pass;
    for (int64_t k = 0; k < n->attr.i; k++) {
        const tct_node *in = tct_node_of(body, body->inputs.data[k]);
        tct_axis axes[TCT_IR_MAX_AXES];
        for (int a = 0; a < in->n_axes; a++) axes[a] = in->axes[a];
        body->span = in->span;
        body->outputs.data[k].value = tct_in_order(body, body->outputs.data[k].value, axes, in->n_axes, NULL);
    }
    return body;
}

// Operands as the body wants them; what a scan runs along comes first, unless they can be read as they lie.
static tct_value rewrite_call(tct_rewrite *r, const tct_node *n) {
    bool scan = n->op == TCT_IR_SCAN;
    tct_value *in = TCT_NEW_ARRAY(&r->arena, tct_value, n->n_in);
    for (uint32_t k = 0; k < n->n_in; k++) in[k] = operand_in_order(r, n, k);
    tct_ir_attr attr = n->attr;
    if (scan) attr.body = steady_body(r, n);
    return tct_ir_emit(r->to, NULL, (tct_ir_op)n->op, in, n->n_in, &attr);
}

static tct_value rewrite_get(tct_rewrite *r, const tct_node *n) {
    tct_value made = tct_ir_get(r->to, r->map[n->in[0]], (uint32_t)n->attr.i);
    return tct_in_order(r->to, made, n->axes, n->n_axes, NULL);
}

static tct_value rewrite(tct_rewrite *r, tct_value v, const uint32_t *uses) {
    const tct_node *n = tct_node_of(r->from, v);
    switch (n->op) {
    case TCT_IR_SCATTER_ADD:
    case TCT_IR_PUT:
        return rewrite_scatter(r, n);
    case TCT_IR_ADD:
        return rewrite_add(r, n, uses);
    case TCT_IR_SCAN:
    case TCT_IR_FOREIGN:
        return rewrite_call(r, n);
    case TCT_IR_GET:
        return rewrite_get(r, n);
    default:
        return tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION ? rewrite_reduction(r, n) : TCT_NO_VALUE;
    }
}

tct_graph *tct_fuse_prepare(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "fuse");
    r.changed = true;
    uint32_t *uses = tct_count_uses(&r.arena, g);
    for (tct_value v = 0; v < g->nodes.len; v++) {
        if (!uses[v] || tct_node_of(g, v)->op == TCT_IR_INPUT) continue;
        tct_rewrite_at(&r, v);
        tct_value made = rewrite(&r, v, uses);
        if (made == TCT_NO_VALUE)
            tct_rewrite_copy(&r, v);
        else
            r.map[v] = made;
    }
    return tct_rewrite_finish(&r);
}
