// Values that are nothing but others behind each other in memory: their parts are written where they belong,
// and no step puts them together.
#include "codegen/plan_build.h"

#include <string.h>

static const tct_node *node(const tct_planner *p, tct_value v) { return tct_node_of(p->g, v); }

static bool is_fused(const tct_node *n, const char *how) {
    return n->op == TCT_IR_FUSED && strcmp(n->attr.name, how) == 0;
}

static bool is_output(const tct_planner *p, tct_value v, bool aliased) {
    for (size_t k = 0; k < p->g->outputs.len; k++) {
        const tct_output *o = &p->g->outputs.data[k];
        if (o->value == v && (!aliased || o->alias >= 0)) return true;
    }
    return false;
}

// Whether the inputs of a concat in a body lie behind each other in its result, and are inputs of the body.
static bool is_in_order(const tct_graph *body, const tct_node *concat) {
    if (concat->op != TCT_IR_CONCAT || concat->axes[0] != concat->attr.to[0]) return false;
    for (uint32_t k = 0; k < concat->n_in; k++) {
        const tct_node *part = tct_node_of(body, concat->in[k]);
        if (part->op != TCT_IR_INPUT || part->axes[0] != concat->attr.axes[k] ||
            memcmp(part->axes + 1, concat->axes + 1, (concat->n_axes - 1u) * sizeof *part->axes) != 0)
            return false;
    }
    return true;
}

// Whether a kernel of its own writes value v, which nobody but one node reads, once.
static bool is_writable(const tct_planner *p, const uint32_t *uses, tct_value v) {
    const tct_node *n = node(p, v), *from = n;
    if (uses[v] != 1) return false;
    if (n->op == TCT_IR_DOT) return true;
    if (n->op != TCT_IR_GET) return false;
    from = node(p, n->in[0]);
    if (!is_fused(from, "loop") && !is_fused(from, "gemm")) return false;
    const tct_graph *body = from->attr.body;
    const tct_node *result = tct_node_of(body, body->outputs.data[n->attr.i].value);
    bool scatter = result->op == TCT_IR_SCATTER_ADD || result->op == TCT_IR_PUT;
    // A product that its own epilogue reads is in memory of its own.
    if (scatter || (result->op == TCT_IR_DOT && body->outputs.len > 1)) return false;
    for (tct_value u = v + 1; u < p->g->nodes.len; u++) {
        const tct_node *other = node(p, u);
        if (other->op == TCT_IR_GET && other->in[0] == n->in[0] && other->attr.i == n->attr.i) return false;
    }
    return true;
}

static bool may_assemble(const tct_planner *p, const uint32_t *uses, tct_value v) {
    const tct_node *n = node(p, v);
    if (!is_fused(n, "loop")) return false;
    const tct_graph *body = n->attr.body;
    size_t places = 0; // more than there are inputs: one of them has two
    for (size_t k = 0; k < body->outputs.len; k++) {
        const tct_node *concat = tct_node_of(body, body->outputs.data[k].value);
        if (!is_in_order(body, concat)) return false;
        places += concat->n_in;
    }
    for (uint32_t k = 0; k < n->n_in; k++)
        if (!is_writable(p, uses, n->in[k])) return false;
    if (places != n->n_in) return false;
    for (tct_value u = v + 1; u < p->g->nodes.len; u++)
        if (node(p, u)->op == TCT_IR_GET && node(p, u)->in[0] == v && is_output(p, u, true)) return false;
    return true;
}

// Of the node that computes v.
static tct_part *new_part(tct_planner *p, tct_value v) {
    const tct_node *n = node(p, v);
    bool dot = n->op == TCT_IR_DOT;
    tct_value from = dot ? v : n->in[0];
    size_t results = dot ? 1 : node(p, from)->attr.body->outputs.len;
    if (!p->parts[from]) p->parts[from] = TCT_NEW_ARRAY(&p->temporary, tct_part, results);
    return &p->parts[from][dot ? 0 : n->attr.i];
}

static void assemble(tct_planner *p, tct_value v) {
    const tct_node *n = node(p, v);
    const tct_graph *body = n->attr.body;
    p->bundle[v] = TCT_NEW_ARRAY(&p->temporary, uint32_t, body->outputs.len);
    for (size_t k = 0; k < body->outputs.len; k++) {
        const tct_node *concat = tct_node_of(body, body->outputs.data[k].value);
        uint64_t bytes = tct_dtype_size((tct_dtype)concat->dtype);
        p->bundle[v][k] =
            tct_new_storage(p, (tct_dtype)concat->dtype, (uint64_t)tct_node_elements(p->g, concat) * bytes);
        int64_t at = 0;
        for (uint32_t i = 0; i < concat->n_in; i++) {
            const tct_node *part = tct_node_of(body, concat->in[i]);
            *new_part(p, n->in[part->attr.i]) = (tct_part){p->bundle[v][k], at, true};
            at += tct_node_elements(p->g, part) * (int64_t)bytes;
        }
    }
}

void tct_plan_assemble(tct_planner *p) {
    size_t n = p->g->nodes.len;
    uint32_t *uses = TCT_NEW_ARRAY(&p->temporary, uint32_t, n);
    p->parts = TCT_NEW_ARRAY(&p->temporary, tct_part *, n);
    p->assembled = TCT_NEW_ARRAY(&p->temporary, bool, n);
    for (tct_value v = 0; v < n; v++)
        for (uint32_t k = 0; k < node(p, v)->n_in; k++) uses[node(p, v)->in[k]]++;
    for (size_t k = 0; k < p->g->outputs.len; k++) uses[p->g->outputs.data[k].value]++;
    for (tct_value v = 0; v < n; v++) {
        p->assembled[v] = may_assemble(p, uses, v);
        if (p->assembled[v]) assemble(p, v);
    }
}

tct_operand tct_result_of(tct_planner *p, tct_value v, uint32_t k, const tct_node *result, uint32_t step) {
    const tct_part *part = p->parts[v] && p->parts[v][k].is_part ? &p->parts[v][k] : NULL;
    uint64_t bytes = (uint64_t)tct_node_elements(p->g, result) * tct_dtype_size((tct_dtype)result->dtype);
    uint32_t s = part ? part->storage : tct_new_storage(p, (tct_dtype)result->dtype, bytes);
    uint32_t before = p->storages.data[s].writer;
    // Who waits for the last waits for all.
    if (before != UINT32_MAX && before != step) tct_add_edge(p, before, step);
    p->storages.data[s].writer = step;
    return (tct_operand){s, part ? part->offset : 0, false, true};
}
