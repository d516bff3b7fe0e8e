#include "passes/remat_life.h"

#include "passes/fuse.h"
#include "passes/rewrite.h"

#include <string.h>

static const tct_node *node(const tct_lives *l, tct_value v) { return tct_node_of(l->g, v); }

bool tct_lives_is_leaf(const tct_node *n) {
    return tct_ir_ops[n->op].cls == TCT_CLASS_LEAF && n->op != TCT_IR_RANDOM;
}

double tct_lives_bytes(const tct_graph *g, const tct_node *n) {
    return n->bundle ? 0 : (double)tct_node_elements(g, n) * (double)tct_dtype_size((tct_dtype)n->dtype);
}

bool tct_lives_again(const tct_lives *l, tct_value v) { return l->again[v] || l->again[l->root[v]]; }

uint32_t tct_lives_operands(const tct_node *n) { return n->op == TCT_IR_AFTER ? 1 : n->n_in; }

// The memory of results that the caller gives is not the plan's.
static void find_outputs(tct_lives *l, bool *given) {
    for (size_t i = 0; i < l->g->outputs.len; i++) {
        tct_value root = l->root[l->g->outputs.data[i].value];
        l->last[root] = (tct_value)l->g->nodes.len;
        given[root] = true;
    }
}

// Arithmetic on nothing but leaves is done where it is wanted, wherever it stands.
static bool is_arithmetic_on(const tct_node *n, const bool *leaves) {
    if (tct_lives_is_leaf(n)) return true;
    if (tct_ir_ops[n->op].cls != TCT_CLASS_ELEMENTWISE && n->op != TCT_IR_BROADCAST) return false;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!leaves[n->in[i]]) return false;
    return true;
}

// A value has no memory when it is an elementwise operation that becomes part of a kernel together with all
// its users: these stand close to it, with no product between.
static void find_bytes(tct_lives *l, const tct_value *product, const bool *given, bool *leaves) {
    for (tct_value v = 0; v < l->g->nodes.len; v++) {
        const tct_node *n = node(l, v);
        if ((leaves[v] = is_arithmetic_on(n, leaves))) continue;
        if (l->root[v] != v || tct_lives_is_leaf(n) || given[v] || l->last[v] == TCT_NO_VALUE) continue;
        tct_value before = product[l->last[v]];
        if (n->op == TCT_IR_GET || n->op == TCT_IR_DOT || (before != TCT_NO_VALUE && before > v))
            l->bytes[v] = tct_lives_bytes(l->g, n);
    }
}

static void find_uses(tct_lives *l, tct_arena *arena) {
    size_t n = l->g->nodes.len;
    // By node: the last product up to it.
    tct_value *product = TCT_NEW_ARRAY(arena, tct_value, n + 1), at = TCT_NO_VALUE;
    bool *given = TCT_NEW_ARRAY(arena, bool, n);
    for (tct_value v = 0; v < n; v++) {
        const tct_node *x = node(l, v);
        tct_view view;
        l->root[v] = !x->bundle && tct_view_of(l->g, v, &view) ? view.base : v;
        if (x->op == TCT_IR_DOT || x->op == TCT_IR_SCAN) at = v;
        product[v] = at;
        for (uint32_t i = 0; i < x->n_in; i++) l->last[l->root[x->in[i]]] = v;
    }
    product[n] = at;
    find_outputs(l, given);
    find_bytes(l, product, given, TCT_NEW_ARRAY(arena, bool, n));
}

static void find_turn(tct_lives *l) {
    size_t n = l->g->nodes.len;
    for (tct_value v = 0; v < n; v++) l->early[v] = v;
    for (tct_value v = 0; v < n; v++)
        for (uint32_t i = 0; i < node(l, v)->n_in; i++) {
            tct_value root = l->root[node(l, v)->in[i]];
            if (v <= l->turn) l->early[root] = v;
            if (v > l->turn && l->late[root] == TCT_NO_VALUE) l->late[root] = v;
        }
}

static void find_within(tct_lives *l) {
    for (tct_value v = 0; v < l->g->nodes.len; v++) {
        if (node(l, v)->op != TCT_IR_SCAN) continue;
        tct_arena arena = {0};
        l->within[v] = tct_lives_of(&arena, node(l, v)->attr.body).most;
        tct_arena_free(&arena);
    }
}

tct_lives tct_lives_of(tct_arena *arena, const tct_graph *g) {
    size_t n = g->nodes.len, all = n * sizeof(tct_value);
    tct_lives l = {.g = g, .turn = (tct_value)n};
    l.root = TCT_NEW_ARRAY(arena, tct_value, n);
    l.last = TCT_NEW_ARRAY(arena, tct_value, n);
    l.early = TCT_NEW_ARRAY(arena, tct_value, n);
    l.late = TCT_NEW_ARRAY(arena, tct_value, n);
    l.when = TCT_NEW_ARRAY(arena, tct_value, n);
    l.until = TCT_NEW_ARRAY(arena, tct_value, n);
    l.bytes = TCT_NEW_ARRAY(arena, double, n);
    l.within = TCT_NEW_ARRAY(arena, double, n);
    l.dropped = TCT_NEW_ARRAY(arena, bool, n);
    l.again = TCT_NEW_ARRAY(arena, bool, n);
    l.change = TCT_NEW_ARRAY(arena, double, n + 2);
    memset(l.last, 0xFF, all); // TCT_NO_VALUE
    memset(l.late, 0xFF, all);
    find_uses(&l, arena);
    find_within(&l);
    tct_lives_simulate(&l);
    l.turn = l.peak;
    find_turn(&l);
    return l;
}

static void read_until(tct_lives *l, tct_value v, tct_value at) {
    tct_value root = l->root[v];
    if (l->until[root] < at) l->until[root] = at;
}

// Node v is wanted by node `at` behind the turn, or by a second computation just before that.
static void want(tct_lives *l, tct_value v, tct_value at) {
    read_until(l, v, at);
    if (!tct_lives_again(l, v) || l->when[v] != TCT_NO_VALUE) return;
    l->when[v] = at;
    for (uint32_t i = 0; i < tct_lives_operands(node(l, v)); i++) want(l, node(l, v)->in[i], at);
}

static void lives(tct_lives *l, double bytes, tct_value from, tct_value to) {
    l->change[from] += bytes;
    l->change[to + 1] -= bytes;
}

void tct_lives_simulate(tct_lives *l) {
    size_t n = l->g->nodes.len;
    memset(l->when, 0xFF, n * sizeof *l->when); // TCT_NO_VALUE
    memset(l->until, 0, n * sizeof *l->until);
    memset(l->change, 0, (n + 2) * sizeof *l->change);
    for (tct_value v = l->turn + 1; v < n; v++)
        for (uint32_t i = 0; i < node(l, v)->n_in; i++)
            if (node(l, v)->in[i] <= l->turn) want(l, node(l, v)->in[i], v);
    for (tct_value v = 0; v < n; v++) {
        if (l->bytes[v] <= 0) continue;
        bool twice = l->again[v] && l->when[v] != TCT_NO_VALUE;
        tct_value last = l->last[v] < n ? l->last[v] : (tct_value)n - 1;
        if (!twice) {
            lives(l, l->bytes[v], v, l->until[v] > last ? l->until[v] : last);
            continue;
        }
        lives(l, l->bytes[v], v, l->early[v]);
        lives(l, l->bytes[v], l->when[v], l->until[v] > l->when[v] ? l->until[v] : l->when[v]);
    }
    double alive = 0;
    l->most = 0;
    for (tct_value v = 0; v < n; v++) {
        alive += l->change[v];
        if (alive + l->within[v] <= l->most) continue;
        l->most = alive + l->within[v];
        l->peak = v;
    }
}
