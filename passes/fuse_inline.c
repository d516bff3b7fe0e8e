// Undoes fusion: the bodies of fused groups take their places in the graph. Groups may come from a text, so
// what they hold together is nothing to rely on.
#include "passes/fuse.h"
#include "passes/rewrite.h"

// Appends the body of fused node `n`, whose operands are in[], and puts its results into out[].
static void place_body(tct_graph *to, const tct_graph *body, const tct_value *in, tct_value *out) {
    tct_value *map = tct_alloc((body->nodes.len + 1) * sizeof *map);
    tct_value **inner = tct_alloc((body->nodes.len + 1) * sizeof *inner); // results of groups within
    for (tct_value v = 0; v < body->nodes.len; v++) {
        const tct_node *n = tct_node_of(body, v);
        if (n->op == TCT_IR_INPUT) {
            map[v] = in[n->attr.i];
        } else if (n->op == TCT_IR_FUSED) {
            tct_value *operands = tct_alloc((n->n_in + 1) * sizeof *operands);
            for (uint32_t k = 0; k < n->n_in; k++) operands[k] = map[n->in[k]];
            inner[v] = tct_alloc((tct_ir_bundle_count(n) + 1) * sizeof *inner[v]);
            place_body(to, n->attr.body, operands, inner[v]);
            tct_heap_free(operands);
        } else if (n->op == TCT_IR_GET && inner[n->in[0]]) {
            map[v] = inner[n->in[0]][n->attr.i];
        } else {
            tct_ir_copy_node(to, body, v, map);
        }
    }
    for (size_t k = 0; k < body->outputs.len; k++) out[k] = map[body->outputs.data[k].value];
    for (size_t v = 0; v < body->nodes.len; v++) tct_heap_free(inner[v]);
    tct_heap_free(inner);
    tct_heap_free(map);
}

tct_graph *tct_fuse_inline(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "fuse");
    tct_value **results = TCT_NEW_ARRAY(&r.arena, tct_value *, g->nodes.len);
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (n->op == TCT_IR_INPUT) continue;
        if (n->op == TCT_IR_FUSED) {
            tct_value *in = TCT_NEW_ARRAY(&r.arena, tct_value, n->n_in);
            for (uint32_t k = 0; k < n->n_in; k++) in[k] = r.map[n->in[k]];
            results[v] = TCT_NEW_ARRAY(&r.arena, tct_value, tct_ir_bundle_count(n));
            place_body(r.to, n->attr.body, in, results[v]);
            r.changed = true;
        } else if (n->op == TCT_IR_GET && results[n->in[0]]) {
            r.map[v] = results[n->in[0]][n->attr.i];
        } else {
            tct_rewrite_copy(&r, v);
        }
    }
    return tct_rewrite_finish(&r);
}
