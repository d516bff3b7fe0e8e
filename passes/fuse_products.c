// Before fusion: products that no generated kernel does.
//   - of other types than f32 and f64, tiny ones and those of single numbers become sums of elementwise
//   products, which
//     fuse with what is around them, and leave out what a mask hides; bf16 products are computed in f32,
//   - of more axes than a kernel takes, axes that play the same part are merged.
#include "passes/fuse.h"
#include "passes/rewrite.h"

#include <stdint.h>

enum {
    TINY_PRODUCT = 1024, // multiplications
    WORTH_SKIPPING = 8,  // multiplications for an element of a mask
};

tct_value tct_fuse_in_order(tct_graph *g, tct_value v, const tct_node *like) {
    const tct_node *n = tct_node_of(g, v);
    if (tct_same_order(n->axes, n->n_axes, like->axes, like->n_axes)) return v;
    if (n->op == TCT_IR_INPUT || n->op == TCT_IR_GET)
        return tct_in_order(g, v, like->axes, like->n_axes, NULL);
    tct_set_order(g, v, like->axes, like->n_axes);
    return v;
}

static int64_t size_of(const tct_graph *g, tct_axis a) { return tct_axis_of(g->module, a)->size; }

static int64_t multiplications(const tct_graph *g, const tct_node *n) {
    int64_t p = tct_node_elements(g, n);
    for (int k = 0; k < n->attr.n_axes; k++) p *= size_of(g, n->attr.axes[k]);
    return p;
}

// What reads every number of an operand once is no work for a blocked kernel: few multiplications, and many
// vectors each with a matrix (or vector) of its own, as in the attention of one token.
static bool is_sum(const tct_graph *g, const tct_node *n) {
    const tct_node *a = tct_node_of(g, n->in[0]), *b = tct_node_of(g, n->in[1]);
    int64_t batch = 1, rows = 1, columns = 1;
    for (int k = 0; k < n->n_axes; k++) {
        bool in_a = tct_node_has_axis(a, n->axes[k]), in_b = tct_node_has_axis(b, n->axes[k]);
        *(in_a && in_b ? &batch : in_a ? &rows : &columns) *= size_of(g, n->axes[k]);
    }
    bool vectors = (rows == 1 && columns == 1) || (batch > 1 && (rows == 1 || columns == 1));
    return !n->attr.n_axes || !tct_dtype_is_float((tct_dtype)n->dtype) || vectors ||
           multiplications(g, n) <= TINY_PRODUCT;
}

// Axes that play the same part: in A, in B, in the result.
typedef struct part {
    uint32_t n;
    tct_axis axes[2 * TCT_IR_MAX_AXES], merged;
} part;

enum { IN_A = 1, IN_B = 2, IN_C = 4, N_PARTS = 8 };

static uint32_t find_parts(const tct_graph *g, const tct_node *n, part parts[N_PARTS]) {
    const tct_node *a = tct_node_of(g, n->in[0]), *b = tct_node_of(g, n->in[1]);
    uint32_t count = 0;
    for (int k = 0; k < a->n_axes + b->n_axes; k++) {
        tct_axis x = k < a->n_axes ? a->axes[k] : b->axes[k - a->n_axes];
        if (k >= a->n_axes && tct_node_has_axis(a, x)) continue;
        int which = (tct_node_has_axis(a, x) ? IN_A : 0) | (tct_node_has_axis(b, x) ? IN_B : 0) |
                    (tct_node_has_axis(n, x) ? IN_C : 0);
        parts[which].axes[parts[which].n++] = x;
        count++;
    }
    return count;
}

static tct_value merge(tct_graph *g, tct_value v, const part *p) {
    tct_ir_attr attr = {.n_axes = (uint8_t)p->n, .n_to = 1, .to = {p->merged}};
    for (uint32_t k = 0; k < p->n; k++) attr.axes[k] = p->axes[k];
    return tct_ir_emit(g, NULL, TCT_IR_MERGE, &v, 1, &attr);
}

static tct_value split(tct_graph *g, tct_value v, const part *p) {
    tct_ir_attr attr = {.n_axes = 1, .axes = {p->merged}, .n_to = (uint8_t)p->n};
    for (uint32_t k = 0; k < p->n; k++) attr.to[k] = p->axes[k];
    return tct_ir_emit(g, NULL, TCT_IR_SPLIT, &v, 1, &attr);
}

static void name_merged(tct_graph *g, part parts[N_PARTS]) {
    tct_ir_module *m = g->module;
    for (int which = 0; which < N_PARTS; which++) {
        int64_t size = 1;
        for (uint32_t k = 0; k < parts[which].n; k++) size *= size_of(g, parts[which].axes[k]);
        parts[which].merged = tct_axis_get(m, tct_arena_printf(&m->arena, "dot.%d", which), size);
    }
}

static tct_value multiply(tct_graph *g, tct_value a, tct_value b, const tct_axis *axes, uint32_t n,
                          bool sum) {
    return sum ? tct_sum(g, tct_bin(g, TCT_IR_MUL, a, b), axes, n) : tct_ir_dot(g, NULL, a, b, axes, n);
}

// Has node v, and what it is made of, copied before its turn.
static tct_value copy_now(tct_rewrite *r, tct_value v) {
    if (r->map[v] != TCT_NO_VALUE) return r->map[v];
    const tct_node *n = tct_node_of(r->from, v);
    for (uint32_t k = 0; k < n->n_in; k++) copy_now(r, n->in[k]);
    return tct_rewrite_copy(r, v);
}

// A sum of products only where it is wanted, and of a factor that vanishes where it hasn't: the kernel then
// skips the rest (`only` of codegen/loop.h). Nothing where a mask has nearly as many elements as the
// products.
static tct_value sum_where(tct_rewrite *r, const tct_fuse_masks *m, tct_value v, const tct_value x[2]) {
    tct_graph *g = r->to;
    const tct_node *n = tct_node_of(r->from, v);
    tct_value y = tct_bin(g, TCT_IR_MUL, x[0], x[1]), where = m->where[v];
    int factor = where == TCT_NO_VALUE ? tct_fuse_vanishing(m, n) : -1;
    const tct_node *mask = where != TCT_NO_VALUE ? tct_node_of(r->from, where)
                           : factor >= 0         ? tct_node_of(r->from, n->in[factor])
                                                 : NULL;
    if (mask && tct_node_elements(r->from, mask) * WORTH_SKIPPING <= multiplications(r->from, n)) {
        tct_value in[3] = {TCT_NO_VALUE, y, tct_const_like(g, y, 0)};
        in[0] = factor < 0 ? copy_now(r, where)
                           : tct_bin(g, TCT_IR_NE, x[factor], tct_const_like(g, x[factor], 0));
        y = tct_ir_emit(g, NULL, TCT_IR_WHERE, in, 3, NULL);
    }
    return tct_sum(g, y, n->attr.axes, n->attr.n_axes);
}

static tct_value rewrite_dot(tct_rewrite *r, const tct_fuse_masks *m, tct_value v) {
    tct_graph *g = r->to;
    const tct_node *n = tct_node_of(r->from, v);
    tct_value x[2] = {r->map[n->in[0]], r->map[n->in[1]]}, y;
    bool bf16 = n->dtype == TCT_BF16, sum = is_sum(r->from, n);
    for (int k = 0; k < 2 && bf16; k++) x[k] = tct_ir_cast(g, x[k], TCT_F32);
    part parts[N_PARTS] = {0};
    if (find_parts(r->from, n, parts) <= TCT_IR_MAX_AXES) {
        y = sum ? sum_where(r, m, v, x) : tct_ir_dot(g, NULL, x[0], x[1], n->attr.axes, n->attr.n_axes);
    } else {
        tct_axis summed[N_PARTS];
        uint32_t n_summed = 0;
        name_merged(g, parts);
        for (int which = 1; which < N_PARTS; which++) {
            if (!parts[which].n) continue;
            if (which & IN_A) x[0] = merge(g, x[0], &parts[which]);
            if (which & IN_B) x[1] = merge(g, x[1], &parts[which]);
            if (!(which & IN_C)) summed[n_summed++] = parts[which].merged;
        }
        y = multiply(g, x[0], x[1], summed, n_summed, sum);
        for (int which = IN_C; which < N_PARTS; which++)
            if (parts[which].n) y = split(g, y, &parts[which]);
    }
    y = tct_fuse_in_order(g, y, n);
    return bf16 ? tct_fuse_in_order(g, tct_ir_cast(g, y, TCT_BF16), n) : y;
}

uint32_t tct_fuse_rows_of(const tct_graph *g, const tct_node *dot, tct_axis rows[TCT_IR_MAX_AXES]) {
    const tct_node *a = tct_node_of(g, dot->in[0]), *b = tct_node_of(g, dot->in[1]);
    const tct_node *other = NULL; // the factor that rows come from
    uint32_t n = 0;
    for (int k = dot->n_axes; k-- > 0;) {
        tct_axis x = dot->axes[k];
        if (size_of(g, x) == 1) continue;
        bool in_a = tct_node_has_axis(a, x);
        if (in_a && tct_node_has_axis(b, x)) return 0;
        if (!other) other = in_a ? b : a;
        if (tct_node_has_axis(other, x)) rows[n++] = x;
    }
    return n;
}

static bool is_fine(const tct_graph *g, const tct_node *n) {
    part parts[N_PARTS] = {0};
    return (n->dtype == TCT_F32 || n->dtype == TCT_F64) && !is_sum(g, n) &&
           find_parts(g, n, parts) <= TCT_IR_MAX_AXES;
}

tct_graph *tct_fuse_products(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "fuse");
    tct_fuse_masks masks = tct_fuse_find_masks(&r.arena, g);
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (r.map[v] != TCT_NO_VALUE) continue;
        tct_rewrite_at(&r, v);
        if (n->op != TCT_IR_DOT || is_fine(g, n)) {
            tct_rewrite_copy(&r, v);
            continue;
        }
        r.map[v] = rewrite_dot(&r, &masks, v);
        r.changed = true;
    }
    return tct_rewrite_finish(&r);
}
