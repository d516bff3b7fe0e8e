// stop_gradient(x) is x. Only for graphs that nobody will differentiate any more; other passes leave it
// alone.
#include "passes/passes.h"
#include "passes/rewrite.h"

tct_graph *tct_pass_drop_stops(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "drop_stops");
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (n->op == TCT_IR_STOP_GRADIENT) {
            r.map[v] = r.map[n->in[0]];
            r.changed = true;
        } else if (n->op == TCT_IR_SCAN) {
            tct_rewrite_copy_with_body(&r, v, tct_pass_drop_stops(n->attr.body));
        } else {
            tct_rewrite_copy(&r, v);
        }
    }
    return tct_rewrite_finish(&r);
}
