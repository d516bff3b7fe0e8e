// The graph after fusion: every group is a fused node with a body, everything else stays.
#include "passes/fuse.h"
#include "passes/rewrite.h"

#include <assert.h>
#include <string.h>

typedef struct building {
    tct_fusion *f;
    tct_rewrite r;
    bool *done; // by group
    // The group at hand: its body, the operands of the fused node, and what is where in the body.
    tct_graph *body;
    uint32_t at;
    tct_value *in_body; // by node of the old graph; valid where stamp says so
    uint32_t *stamp, stamps;
    TCT_VEC(tct_value) operands; // nodes of the old graph
} building;

static const tct_node *node(const building *b, tct_value v) { return tct_node_of(b->f->g, v); }

static void emit_value(building *b, tct_value v);

static tct_value set_body(building *b, tct_value v, tct_value made) {
    b->in_body[v] = made;
    b->stamp[v] = b->stamps;
    return made;
}

static bool is_member(const building *b, tct_value v) { return b->f->group[v] == b->at; }

static tct_value body_input(building *b, tct_value v) {
    const tct_node *n = node(b, v);
    const char *name = tct_arena_printf(&b->f->g->module->arena, "x%zu", b->operands.len);
    TCT_PUSH(&b->operands, v);
    b->body->span = n->span;
    return set_body(b, v, tct_ir_input(b->body, name, (tct_dtype)n->dtype, n->axes, n->n_axes));
}

static tct_value body_value(building *b, tct_value v) {
    if (b->stamp[v] == b->stamps) return b->in_body[v];
    const tct_node *n = node(b, v);
    if (is_member(b, v) || b->f->kind[v] == TCT_FUSE_INLINE) {
        for (uint32_t k = 0; k < n->n_in; k++) body_value(b, n->in[k]);
        b->stamp[v] = b->stamps;
        return tct_ir_copy_node(b->body, b->f->g, v, b->in_body);
    }
    return body_input(b, v);
}

static bool wanted_outside(const building *b, tct_value v) {
    const tct_fusion *f = b->f;
    if (f->in_memory[v]) return true;
    for (uint32_t k = f->user_begin[v]; k < f->user_begin[v + 1]; k++)
        if (f->group[f->users[k]] != f->group[v]) return true;
    return false;
}

// Operands of a product stay outside: they may be views.
static void body_dot(building *b, tct_value dot) {
    const tct_node *n = node(b, dot);
    tct_fuse_factor x[2] = {tct_fuse_factor_of(b->f->g, n, 0), tct_fuse_factor_of(b->f->g, n, 1)};
    for (uint32_t k = 0; k < n->n_in; k++) {
        tct_value v = x[k].v;
        bool there = b->stamp[v] == b->stamps && tct_node_of(b->body, b->in_body[v])->op == TCT_IR_INPUT;
        if (!there) body_input(b, v);
        for (uint32_t c = 0; c < x[k].n_casts; c++)
            set_body(b, x[k].casts[c], tct_ir_copy_node(b->body, b->f->g, x[k].casts[c], b->in_body));
    }
    b->stamp[dot] = b->stamps;
    tct_ir_copy_node(b->body, b->f->g, dot, b->in_body);
    // A product that stays within the kernel lies in memory as the result does.
    const tct_fuse_group *g = &b->f->groups[b->at];
    const tct_node *last = n;
    for (uint32_t k = 0; k < g->n; k++)
        if (node(b, g->members[k])->n_axes == n->n_axes) last = node(b, g->members[k]);
    if (!wanted_outside(b, dot)) tct_set_order(b->body, b->in_body[dot], last->axes, last->n_axes);
    // A view that the product reads is something else to the rest of the body.
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (b->f->kind[x[k].v] == TCT_FUSE_INLINE) b->stamp[x[k].v] = 0;
        for (uint32_t c = 0; c < x[k].n_casts; c++) b->stamp[x[k].casts[c]] = 0;
    }
}

static const char *kind_name(const tct_fuse_group *g) { return g->dot != TCT_NO_VALUE ? "gemm" : "loop"; }

static void emit_group(building *b, uint32_t at) {
    tct_fusion *f = b->f;
    const tct_fuse_group *g = &f->groups[at];
    tct_ir_module *m = f->g->module;
    TCT_VEC(tct_value) results = {0};
    b->done[at] = true;
    b->at = at;
    b->stamps++;
    b->operands.len = 0;
    b->body = tct_graph_new(m, kind_name(g));
    b->body->pass = b->r.pass;
    if (g->dot != TCT_NO_VALUE) body_dot(b, g->dot);
    for (uint32_t k = 0; k < g->n; k++) body_value(b, g->members[k]);
    for (uint32_t k = 0; k <= g->n; k++) { // the product last
        tct_value v = k < g->n ? g->members[k] : g->dot;
        if (v == TCT_NO_VALUE || !wanted_outside(b, v)) continue;
        const char *name = tct_arena_printf(&m->arena, "y%zu", results.len);
        tct_ir_output(b->body, name, b->in_body[v], -1);
        TCT_PUSH(&results, v);
    }
    tct_graph *body = b->body;
    // Operands come first in the new graph; that may emit other groups.
    uint32_t n_in = (uint32_t)b->operands.len;
    tct_value *in = TCT_NEW_ARRAY(&b->r.arena, tct_value, n_in);
    if (n_in) memcpy(in, b->operands.data, n_in * sizeof *in);
    for (uint32_t k = 0; k < n_in; k++) {
        emit_value(b, in[k]);
        in[k] = b->r.map[in[k]];
    }
    tct_rewrite_at(&b->r, results.data[0]);
    tct_ir_attr attr = {.name = kind_name(g), .body = body};
    tct_value fused = tct_ir_emit(b->r.to, NULL, TCT_IR_FUSED, in, n_in, &attr);
    for (uint32_t k = 0; k < g->n; k++) f->built[g->members[k]] = fused;
    if (g->dot != TCT_NO_VALUE) f->built[g->dot] = fused;
    for (size_t k = 0; k < results.len; k++)
        b->r.map[results.data[k]] = tct_ir_get(b->r.to, fused, (uint32_t)k);
    TCT_VEC_FREE(&results);
}

// Node v of the old graph, in the new one: by its group, or as it is.
static void emit_value(building *b, tct_value v) {
    if (b->r.map[v] != TCT_NO_VALUE) return;
    uint32_t at = b->f->group[v];
    if (at != UINT32_MAX) {
        assert(!b->done[at]);
        emit_group(b, at);
        return;
    }
    const tct_node *n = node(b, v);
    for (uint32_t k = 0; k < n->n_in; k++) emit_value(b, n->in[k]);
    b->f->built[v] = tct_rewrite_copy(&b->r, v);
}

tct_graph *tct_fuse_build(tct_fusion *f) {
    const tct_graph *g = f->g;
    building b = {.f = f};
    tct_rewrite_begin(&b.r, g, "fuse");
    b.r.changed = true;
    b.done = TCT_NEW_ARRAY(&f->arena, bool, f->n_groups);
    f->built = TCT_NEW_ARRAY(&f->arena, tct_value, g->nodes.len);
    for (size_t v = 0; v < g->nodes.len; v++) f->built[v] = TCT_NO_VALUE;
    b.in_body = TCT_NEW_ARRAY(&f->arena, tct_value, g->nodes.len);
    b.stamp = TCT_NEW_ARRAY(&f->arena, uint32_t, g->nodes.len);
    // In the old order as far as groups allow: that keeps what belongs together close.
    for (tct_value v = 0; v < g->nodes.len; v++) {
        if (f->kind[v] == TCT_FUSE_INLINE) continue;
        uint32_t at = f->group[v];
        if (at != UINT32_MAX && v != f->groups[at].last && f->groups[at].dot != v) continue;
        if (at != UINT32_MAX && f->groups[at].dot == v && f->groups[at].n) continue;
        emit_value(&b, v);
    }
    for (size_t k = 0; k < g->outputs.len; k++) emit_value(&b, g->outputs.data[k].value);
    TCT_VEC_FREE(&b.operands);
    return tct_rewrite_finish(&b.r);
}
