// x / s, where s repeats over x (a sum over a row, say), as x * (1 / s): one division for each s instead of
// one for each x, which costs as much as ten products. Differs from the quotient in the last bit; where 1 / s
// overflows (s below 2^-128) the result is infinite. Not in bf16, whose reciprocals are too coarse.
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { FEWER = 8 }; // times as many elements as s: else it isn't worth a pass over s

static bool repeats(const tct_graph *g, const tct_node *n) {
    return n->op == TCT_IR_DIV && (n->dtype == TCT_F32 || n->dtype == TCT_F64) &&
           tct_node_elements(g, tct_node_of(g, n->in[1])) * FEWER <= tct_node_elements(g, n);
}

tct_graph *tct_pass_reciprocal(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "reciprocal");
    tct_value *made = TCT_NEW_ARRAY(&r.arena, tct_value, g->nodes.len); // by divisor
    for (size_t v = 0; v < g->nodes.len; v++) made[v] = TCT_NO_VALUE;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (n->op == TCT_IR_SCAN) {
            tct_rewrite_copy_with_body(&r, v, tct_pass_reciprocal(n->attr.body));
        } else if (repeats(g, n)) {
            tct_rewrite_at(&r, v);
            tct_value s = r.map[n->in[1]], *inverse = &made[n->in[1]];
            if (*inverse == TCT_NO_VALUE) *inverse = tct_bin(r.to, TCT_IR_DIV, tct_const_like(r.to, s, 1), s);
            tct_value y = tct_bin(r.to, TCT_IR_MUL, r.map[n->in[0]], *inverse);
            r.map[v] = tct_in_order(r.to, y, n->axes, n->n_axes, NULL);
            r.changed = true;
        } else {
            tct_rewrite_copy(&r, v);
        }
    }
    return tct_rewrite_finish(&r);
}
