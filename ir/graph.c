// Modules and graphs: interned axes, creation, copies, equality.
#include "ir/ir.h"

#include <assert.h>
#include <math.h>
#include <string.h>

tct_ir_module *tct_ir_module_new(void) { return tct_alloc(sizeof(tct_ir_module)); }

void tct_ir_module_drop(tct_ir_module *m, size_t first) {
    while (m->graphs.len > first) {
        tct_graph *g = m->graphs.data[--m->graphs.len];
        TCT_VEC_FREE(&g->nodes);
        TCT_VEC_FREE(&g->inputs);
        TCT_VEC_FREE(&g->outputs);
    }
}

void tct_ir_module_free(tct_ir_module *m) {
    if (!m) return;
    tct_ir_module_drop(m, 0);
    TCT_VEC_FREE(&m->graphs);
    TCT_VEC_FREE(&m->axes);
    tct_arena_free(&m->arena);
    tct_heap_free(m);
}

tct_graph *tct_graph_new(tct_ir_module *m, const char *name) {
    tct_graph *g = TCT_NEW(&m->arena, tct_graph);
    g->module = m;
    g->name = tct_arena_strdup(&m->arena, name);
    TCT_PUSH(&m->graphs, g);
    return g;
}

tct_axis tct_axis_get(tct_ir_module *m, const char *name, int64_t size) {
    assert(size >= 0);
    for (size_t a = 0; a < m->axes.len; a++)
        if (m->axes.data[a].size == size && strcmp(m->axes.data[a].name, name) == 0) return (tct_axis)a;
    tct_axis_info info = {tct_arena_strdup(&m->arena, name), size};
    TCT_PUSH(&m->axes, info);
    return (tct_axis)(m->axes.len - 1);
}

bool tct_node_has_axis(const tct_node *n, tct_axis a) {
    for (int k = 0; k < n->n_axes; k++)
        if (n->axes[k] == a) return true;
    return false;
}

int64_t tct_node_elements(const tct_graph *g, const tct_node *n) {
    int64_t product = 1;
    for (int k = 0; k < n->n_axes; k++) product *= tct_axis_of(g->module, n->axes[k])->size;
    return product;
}

// Enters node v (an INPUT) at its position; positions that have no node yet hold TCT_NO_VALUE.
static void enter_input(tct_graph *g, tct_value v) {
    size_t at = (size_t)g->nodes.data[v].attr.i;
    while (g->inputs.len <= at) TCT_PUSH(&g->inputs, TCT_NO_VALUE);
    g->inputs.data[at] = v;
}

tct_value tct_ir_append(tct_graph *g, const tct_node *n) {
    assert(g->nodes.len < TCT_NO_VALUE);
    tct_value v = (tct_value)g->nodes.len;
    TCT_PUSH(&g->nodes, *n);
    if (n->op == TCT_IR_INPUT) enter_input(g, v);
    return v;
}

tct_value tct_ir_copy_node(tct_graph *to, const tct_graph *from, tct_value v, tct_value *map) {
    assert(to->module == from->module && v < from->nodes.len);
    tct_node n = from->nodes.data[v];
    tct_arena *arena = &to->module->arena;
    const tct_value *in = n.in;
    n.in = TCT_NEW_ARRAY(arena, tct_value, n.n_in);
    for (uint32_t k = 0; k < n.n_in; k++) {
        n.in[k] = map[in[k]];
        assert(n.in[k] < to->nodes.len);
    }
    const tct_axis *axes = n.axes; // a copy of its own: a pass may permute it
    n.axes = TCT_NEW_ARRAY(arena, tct_axis, n.n_axes);
    if (n.n_axes) memcpy(n.axes, axes, n.n_axes * sizeof *axes);
    return map[v] = tct_ir_append(to, &n);
}

tct_graph *tct_graph_copy(const tct_graph *g, const char *name) {
    tct_graph *copy = tct_graph_new(g->module, name);
    tct_value *map = tct_alloc(g->nodes.len * sizeof *map);
    for (size_t v = 0; v < g->nodes.len; v++) {
        tct_ir_copy_node(copy, g, (tct_value)v, map);
        tct_node *n = &copy->nodes.data[v];
        if (n->attr.body) n->attr.body = tct_graph_copy(n->attr.body, n->attr.body->name);
    }
    tct_heap_free(map);
    for (size_t k = 0; k < g->outputs.len; k++) TCT_PUSH(&copy->outputs, g->outputs.data[k]);
    copy->span = g->span;
    copy->pass = g->pass;
    copy->mixed = g->mixed;
    return copy;
}

static bool same_string(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

// The same bits; all NaN are one.
static bool same_double(double a, double b) {
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

bool tct_ir_attr_equal(tct_ir_op op, const tct_ir_attr *a, const tct_ir_attr *b) {
    unsigned uses = tct_ir_ops[op].attrs;
    if (op == TCT_IR_CONST) uses &= ~(unsigned)(tct_dtype_is_float(a->dtype) ? TCT_IR_INT : TCT_IR_FLOAT);
    if (uses & TCT_IR_AXES &&
        (a->n_axes != b->n_axes || memcmp(a->axes, b->axes, a->n_axes * sizeof *a->axes) != 0))
        return false;
    if (uses & TCT_IR_TO && (a->n_to != b->n_to || memcmp(a->to, b->to, a->n_to * sizeof *a->to) != 0))
        return false;
    if (uses & TCT_IR_INT && (a->i != b->i || a->step != b->step)) return false;
    if (uses & TCT_IR_FLOAT && !same_double(a->f, b->f)) return false;
    if (uses & TCT_IR_DTYPE && a->dtype != b->dtype) return false;
    if (uses & TCT_IR_NAME && !same_string(a->name, b->name)) return false;
    return !(uses & TCT_IR_BODY) || a->body == b->body ||
           (a->body && b->body && tct_ir_equal(a->body, b->body));
}

static bool equal_nodes(const tct_node *x, const tct_node *y) {
    if (x->op != y->op || x->n_in != y->n_in || x->bundle != y->bundle) return false;
    if (!x->bundle && (x->dtype != y->dtype || x->n_axes != y->n_axes)) return false;
    for (uint32_t k = 0; k < x->n_in; k++)
        if (x->in[k] != y->in[k]) return false;
    for (int k = 0; !x->bundle && k < x->n_axes; k++)
        if (x->axes[k] != y->axes[k]) return false;
    return tct_ir_attr_equal((tct_ir_op)x->op, &x->attr, &y->attr);
}

bool tct_ir_equal(const tct_graph *a, const tct_graph *b) {
    assert(a->module == b->module);
    if (a->nodes.len != b->nodes.len || a->inputs.len != b->inputs.len || a->outputs.len != b->outputs.len ||
        a->mixed != b->mixed)
        return false;
    for (size_t v = 0; v < a->nodes.len; v++)
        if (!equal_nodes(&a->nodes.data[v], &b->nodes.data[v])) return false;
    for (size_t k = 0; k < a->inputs.len; k++)
        if (a->inputs.data[k] != b->inputs.data[k]) return false;
    for (size_t k = 0; k < a->outputs.len; k++) {
        const tct_output *x = &a->outputs.data[k], *y = &b->outputs.data[k];
        if (!same_string(x->name, y->name) || x->value != y->value || x->alias != y->alias) return false;
    }
    return true;
}
