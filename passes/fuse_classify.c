// Which values are worth memory: products and other calls always, arithmetic over one large operand never,
// the rest where more than one kernel wants it.
#include "passes/fuse.h"
#include "passes/rewrite.h"

#include <assert.h>
#include <string.h>

enum {
    MOST_COST = 15,       // of what is computed again by every kernel that wants it: less than an exp
    MOST_RESULT_COST = 5, // of what reductions' results alone make: less than a division
    MOST_SMALL = 4,       // small values that it reads
    SMALL_BY = 8,         // small: that much smaller than the result
    MOST_SOURCES = 24
};

// Indices cost as arithmetic does, constants nothing.
static int cost_of(const tct_node *n) {
    return n->op == TCT_IR_CONST || n->op == TCT_IR_SIZE ? 0 : tct_ir_op_cost((tct_ir_op)n->op);
}

static bool is_scatter(const tct_node *n) { return n->op == TCT_IR_SCATTER_ADD || n->op == TCT_IR_PUT; }

bool tct_fuse_is_stored(const tct_node *n) {
    return n->op == TCT_IR_INPUT || n->op == TCT_IR_DOT || n->op == TCT_IR_SCAN || n->op == TCT_IR_FOREIGN ||
           n->op == TCT_IR_FUSED || n->op == TCT_IR_GET;
}

static tct_fuse_kind first_kind(const tct_node *n) {
    if (tct_fuse_is_stored(n)) return TCT_FUSE_STORED;
    switch (n->op) {
    case TCT_IR_CONST:
    case TCT_IR_SIZE:
    case TCT_IR_IOTA:
        return TCT_FUSE_INLINE;
    default:
        return tct_ir_ops[n->op].cls == TCT_CLASS_MOVEMENT && !is_scatter(n) ? TCT_FUSE_INLINE
                                                                             : TCT_FUSE_ANCHOR;
    }
}

static void add_source(tct_fuse_source *list, uint32_t *n, tct_value v, bool moved) {
    for (uint32_t k = 0; k < *n; k++) {
        if (list[k].v != v) continue;
        list[k].moved |= moved;
        return;
    }
    assert(*n < MOST_SOURCES * 8);
    list[(*n)++] = (tct_fuse_source){v, moved};
}

bool tct_fuse_moves(const tct_node *n, uint32_t k) {
    if (tct_ir_ops[n->op].cls != TCT_CLASS_MOVEMENT || n->op == TCT_IR_BROADCAST) return false;
    if (n->op == TCT_IR_GATHER) return k == 0;
    if (n->op == TCT_IR_AFTER) return k == 1; // all of it
    return true;
}

static void find_sources(tct_fusion *f, tct_value v) {
    const tct_node *n = tct_node_of(f->g, v);
    tct_fuse_source list[MOST_SOURCES * 8];
    uint32_t count = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        tct_value o = n->in[k];
        bool moved = tct_fuse_moves(n, k);
        if (f->kind[o] != TCT_FUSE_INLINE) {
            add_source(list, &count, o, moved);
            continue;
        }
        for (uint32_t s = 0; s < f->sources[o].n; s++)
            add_source(list, &count, f->sources[o].data[s].v, moved || f->sources[o].data[s].moved);
    }
    f->sources[v].n = count;
    f->sources[v].data = TCT_NEW_ARRAY(&f->arena, tct_fuse_source, count);
    if (count) memcpy(f->sources[v].data, list, count * sizeof *list);
}

static bool is_small_beside(const tct_fusion *f, tct_value small, tct_value v) {
    return tct_node_elements(f->g, tct_node_of(f->g, small)) * SMALL_BY <=
           tct_node_elements(f->g, tct_node_of(f->g, v));
}

// Made of reductions alone, and much smaller than what they reduce: to store it costs next to nothing, while
// a kernel that goes through what is reduced along other axes would compute it again and again.
static bool is_result(const tct_fusion *f, tct_value v) {
    for (uint32_t k = 0; k < f->sources[v].n; k++) {
        tct_value s = f->sources[v].data[k].v;
        const tct_node *n = tct_node_of(f->g, s);
        bool reduces = tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION && is_small_beside(f, v, n->in[0]);
        if (!reduces && (tct_fuse_is_stored(n) || !is_result(f, s))) return false;
    }
    return f->sources[v].n > 0;
}

tct_fuse_thrift tct_fuse_thrift_of(const tct_fusion *f, tct_value v) {
    tct_fuse_thrift t = {.costly = f->cost[v] > MOST_COST};
    for (uint32_t k = 0; k < f->sources[v].n; k++) {
        if (is_small_beside(f, f->sources[v].data[k].v, v))
            t.small++;
        else
            t.large++;
    }
    t.reads = t.large > 1 || t.small > MOST_SMALL;
    t.result = f->cost[v] > MOST_RESULT_COST && is_result(f, v);
    return t;
}

// Arithmetic that costs less than writing its result to memory and reading it back.
static bool is_cheap(const tct_fusion *f, tct_value v) {
    if (tct_ir_ops[tct_node_of(f->g, v)->op].cls != TCT_CLASS_ELEMENTWISE) return false;
    tct_fuse_thrift t = tct_fuse_thrift_of(f, v);
    return !t.costly && !t.reads && !t.result;
}

// Everything that v is a view of goes to memory, and v itself where it is no view.
static void want_in_memory(tct_fusion *f, tct_value v, bool view_will_do) {
    const tct_node *n = tct_node_of(f->g, v);
    tct_view view;
    if (view_will_do && f->kind[v] == TCT_FUSE_INLINE && tct_ir_ops[n->op].cls == TCT_CLASS_MOVEMENT &&
        tct_view_of(f->g, v, &view)) {
        want_in_memory(f, view.base, false);
        return;
    }
    f->in_memory[v] = true;
}

// Whether a concat's operands lie behind each other in it, each of them computed, and for nothing else: then
// kernels write them where they belong (codegen/plan_assemble.c), and it costs nothing. As a kernel of its
// own it would ask at every point which of them it is.
static bool is_assembled(const tct_graph *g, const uint32_t *uses, const tct_node *n) {
    if (n->op != TCT_IR_CONCAT || n->axes[0] != n->attr.to[0]) return false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *x = tct_node_of(g, n->in[k]);
        tct_ir_class cls = tct_ir_ops[x->op].cls;
        bool computed = x->op == TCT_IR_DOT || cls == TCT_CLASS_ELEMENTWISE || cls == TCT_CLASS_REDUCTION;
        if (!computed || uses[n->in[k]] != 1 || x->axes[0] != n->attr.axes[k] ||
            memcmp(x->axes + 1, n->axes + 1, (n->n_axes - 1u) * sizeof *x->axes) != 0)
            return false;
    }
    return true;
}

static void want_parts(tct_fusion *f) {
    const tct_graph *g = f->g;
    uint32_t *uses = TCT_NEW_ARRAY(&f->arena, uint32_t, g->nodes.len);
    for (tct_value v = 0; v < g->nodes.len; v++)
        for (uint32_t k = 0; k < tct_node_of(g, v)->n_in; k++) uses[tct_node_of(g, v)->in[k]]++;
    for (size_t k = 0; k < g->outputs.len; k++) uses[g->outputs.data[k].value]++;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (!f->in_memory[v] || !is_assembled(g, uses, n)) continue;
        for (uint32_t k = 0; k < n->n_in; k++) f->in_memory[n->in[k]] = true;
    }
}

static void find_wants(tct_fusion *f) {
    const tct_graph *g = f->g;
    tct_scan_view seen;
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        f->kind[v] = (uint8_t)first_kind(n);
    }
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        for (uint32_t k = 0; k < n->n_in; k++) {
            if (n->op == TCT_IR_DOT)
                want_in_memory(f, tct_fuse_factor_of(g, n, k).v, true);
            else if (n->op == TCT_IR_SCAN)
                want_in_memory(f, n->in[k], tct_scan_view_of(g, n, k, n->in[k], &seen));
            else if (n->op == TCT_IR_FOREIGN || n->op == TCT_IR_FUSED || (is_scatter(n) && k == 0))
                want_in_memory(f, n->in[k], false);
        }
    }
    for (size_t k = 0; k < g->outputs.len; k++) want_in_memory(f, g->outputs.data[k].value, false);
    want_parts(f);
}

static void find_users(tct_fusion *f) {
    size_t n = f->g->nodes.len;
    f->user_begin = TCT_NEW_ARRAY(&f->arena, uint32_t, n + 1);
    for (tct_value v = 0; v < n; v++)
        if (f->kind[v] != TCT_FUSE_INLINE)
            for (uint32_t k = 0; k < f->sources[v].n; k++) f->user_begin[f->sources[v].data[k].v + 1]++;
    for (size_t v = 0; v < n; v++) f->user_begin[v + 1] += f->user_begin[v];
    f->users = TCT_NEW_ARRAY(&f->arena, tct_value, f->user_begin[n]);
    uint32_t *at = TCT_NEW_ARRAY(&f->arena, uint32_t, n);
    for (tct_value v = 0; v < n; v++) {
        if (f->kind[v] == TCT_FUSE_INLINE) continue;
        for (uint32_t k = 0; k < f->sources[v].n; k++) {
            tct_value s = f->sources[v].data[k].v;
            f->users[f->user_begin[s] + at[s]++] = v;
        }
    }
}

void tct_fuse_classify(tct_fusion *f) {
    size_t n = f->g->nodes.len;
    f->kind = TCT_NEW_ARRAY(&f->arena, uint8_t, n);
    f->in_memory = TCT_NEW_ARRAY(&f->arena, bool, n);
    f->sources = TCT_NEW_ARRAY(&f->arena, tct_fuse_sources, n);
    int *cost = f->cost = TCT_NEW_ARRAY(&f->arena, int, n);
    find_wants(f);
    for (tct_value v = 0; v < n; v++) {
        const tct_node *node = tct_node_of(f->g, v);
        find_sources(f, v);
        cost[v] = f->kind[v] == TCT_FUSE_STORED || tct_ir_ops[node->op].cls == TCT_CLASS_REDUCTION
                      ? 0
                      : cost_of(node);
        for (uint32_t k = 0; k < node->n_in; k++)
            if (f->kind[node->in[k]] == TCT_FUSE_INLINE && !is_small_beside(f, node->in[k], v))
                cost[v] += cost[node->in[k]];
        if (f->kind[v] == TCT_FUSE_ANCHOR && is_cheap(f, v)) f->kind[v] = TCT_FUSE_INLINE;
        if (f->kind[v] == TCT_FUSE_INLINE &&
            (f->in_memory[v] || f->sources[v].n > MOST_SOURCES || cost[v] > MOST_COST))
            f->kind[v] = TCT_FUSE_ANCHOR;
    }
    find_users(f);
}
