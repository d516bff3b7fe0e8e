// Common subexpressions: the same operation on the same operands with the same attributes is done once; the
// first node stays. Operands of commutative operations may stand either way. The order of axes isn't part of
// the question: it is layout. Foreign functions are left alone. Needs nothing; one walk over a hash table.
#include "passes/passes.h"
#include "passes/rewrite.h"

#include <string.h>

typedef struct table {
    tct_value *slots; // of r.to, TCT_NO_VALUE: free
    size_t mask;
} table;

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 29);
}

static bool commutes(uint16_t op) {
    return op == TCT_IR_ADD || op == TCT_IR_MUL || op == TCT_IR_MAX || op == TCT_IR_MIN || op == TCT_IR_EQ ||
           op == TCT_IR_NE || op == TCT_IR_AND || op == TCT_IR_OR;
}

static uint64_t hash(const tct_node *n, const tct_value *in) {
    const tct_ir_attr *attr = &n->attr;
    unsigned uses = tct_ir_ops[n->op].attrs;
    uint64_t h = mix(n->op, n->n_in);
    if (commutes(n->op))
        h = mix(h, (uint64_t)in[0] + in[1]);
    else
        for (uint32_t k = 0; k < n->n_in; k++) h = mix(h, in[k]);
    if (uses & TCT_IR_AXES)
        for (int k = 0; k < attr->n_axes; k++) h = mix(h, attr->axes[k]);
    if (uses & TCT_IR_TO)
        for (int k = 0; k < attr->n_to; k++) h = mix(h, attr->to[k]);
    if (uses & TCT_IR_INT) h = mix(mix(h, (uint64_t)attr->i), (uint64_t)attr->step);
    if (uses & TCT_IR_FLOAT) {
        uint64_t bits;
        memcpy(&bits, &attr->f, sizeof bits);
        h = mix(h, attr->f == attr->f ? bits : 1);
    }
    if (uses & TCT_IR_DTYPE) h = mix(h, attr->dtype);
    if (attr->body) h = mix(h, attr->body->nodes.len);
    return h;
}

static bool same(const tct_node *old, const tct_node *n, const tct_value *in) {
    if (old->op != n->op || old->n_in != n->n_in) return false;
    bool equal = n->n_in == 0 || memcmp(old->in, in, n->n_in * sizeof *in) == 0;
    bool swapped = commutes(n->op) && old->in[0] == in[1] && old->in[1] == in[0];
    return (equal || swapped) && tct_ir_attr_equal((tct_ir_op)n->op, &old->attr, &n->attr);
}

// The place of an equal node, or the free place where it belongs.
static tct_value *find(const table *t, const tct_graph *to, const tct_node *n, const tct_value *in) {
    size_t at = hash(n, in) & t->mask;
    while (t->slots[at] != TCT_NO_VALUE && !same(tct_node_of(to, t->slots[at]), n, in))
        at = (at + 1) & t->mask;
    return &t->slots[at];
}

tct_graph *tct_pass_cse(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "cse");
    table t = {.mask = 15};
    while (t.mask < 2 * g->nodes.len) t.mask = 2 * t.mask + 1;
    t.slots = TCT_NEW_ARRAY(&r.arena, tct_value, t.mask + 1);
    memset(t.slots, 0xFF, (t.mask + 1) * sizeof *t.slots); // TCT_NO_VALUE
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (n->op == TCT_IR_FOREIGN) {
            tct_rewrite_copy(&r, v);
            continue;
        }
        tct_value few[8], *in = n->n_in <= 8 ? few : TCT_NEW_ARRAY(&r.arena, tct_value, n->n_in);
        for (uint32_t k = 0; k < n->n_in; k++) in[k] = r.map[n->in[k]];
        tct_value *place = find(&t, r.to, n, in);
        if (*place != TCT_NO_VALUE) {
            r.map[v] = *place;
            r.changed = true;
            continue;
        }
        if (n->op == TCT_IR_SCAN)
            *place = tct_rewrite_copy_with_body(&r, v, tct_pass_cse(n->attr.body));
        else
            *place = tct_rewrite_copy(&r, v);
    }
    return tct_rewrite_finish(&r);
}
