// Mixed precision: large products take their factors rounded to bf16. Rounding stands in the graph, as a cast
// to bf16 and back, so that nothing else changes its meaning: sums, norms, softmax, losses, parameters and
// the optimizer stay in f32, and so does what a product sums. Fusion then reads what the casts stand on: bf16
// that a producer has written, or f32 that is rounded as it is packed.
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { FEWEST = 32 };                    // rows, columns and summed numbers of a product
static const double much_work = 1 << 20; // multiplications

static double size_of(const tct_graph *g, tct_axis a) { return (double)tct_axis_of(g->module, a)->size; }

// Products of batches are of small matrices.
static bool is_worth_it(const tct_graph *g, const tct_node *n) {
    const tct_node *a = tct_node_of(g, n->in[0]), *b = tct_node_of(g, n->in[1]);
    double rows = 1, columns = 1, summed = 1;
    for (int k = 0; k < n->n_axes; k++) {
        bool in_a = tct_node_has_axis(a, n->axes[k]), in_b = tct_node_has_axis(b, n->axes[k]);
        if (in_a && in_b) return false;
        *(in_a ? &rows : &columns) *= size_of(g, n->axes[k]);
    }
    for (int k = 0; k < n->attr.n_axes; k++) summed *= size_of(g, n->attr.axes[k]);
    return n->dtype == TCT_F32 && rows >= FEWEST && columns >= FEWEST && summed >= FEWEST &&
           rows * columns * summed >= much_work;
}

// x, or what has been made of it for another product.
static tct_value rounded(tct_rewrite *r, tct_value v, tct_value *made) {
    if (made[v] != TCT_NO_VALUE) return made[v];
    const tct_node *n = tct_node_of(r->from, v);
    bool is_bf16 = n->op == TCT_IR_CAST && tct_node_of(r->from, n->in[0])->dtype == TCT_BF16;
    made[v] = is_bf16 ? r->map[v] : tct_ir_cast(r->to, tct_ir_cast(r->to, r->map[v], TCT_BF16), TCT_F32);
    return made[v];
}

tct_graph *tct_pass_bf16(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "bf16");
    tct_value *made = TCT_NEW_ARRAY(&r.arena, tct_value, g->nodes.len);
    for (size_t v = 0; v < g->nodes.len; v++) made[v] = TCT_NO_VALUE;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (n->op == TCT_IR_INPUT) continue;
        tct_rewrite_at(&r, v);
        if (n->op == TCT_IR_SCAN) {
            tct_rewrite_copy_with_body(&r, v, tct_pass_bf16(n->attr.body));
        } else if (n->op == TCT_IR_DOT && is_worth_it(g, n)) {
            tct_value a = rounded(&r, n->in[0], made), b = rounded(&r, n->in[1], made);
            r.changed |= a != r.map[n->in[0]] || b != r.map[n->in[1]];
            r.map[v] = tct_ir_dot(r.to, NULL, a, b, n->attr.axes, n->attr.n_axes);
            tct_set_order(r.to, r.map[v], n->axes, n->n_axes);
        } else {
            tct_rewrite_copy(&r, v);
        }
    }
    return tct_rewrite_finish(&r);
}
