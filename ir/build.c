// Builders: append a node with its dtype and axes inferred.
#include "ir/ir.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Inference for nodes that can't be wrong: where they are, our invariant is broken, and the message says how.
static void infer_or_abort(const tct_graph *g, tct_node *n) {
    tct_diag d = {0};
    if (!tct_ir_infer(g, &d, n, n->span)) {
        tct_buf text = {0};
        tct_diag_render(&d, &text, false);
        fprintf(stderr, "invalid node in graph %s, made by %s:\n%s", g->name,
                n->pass ? n->pass : "the frontend", text.data);
        abort();
    }
    tct_diag_free(&d);
}

tct_value tct_ir_emit(tct_graph *g, tct_diag *d, tct_ir_op op, const tct_value *in, uint32_t n_in,
                      const tct_ir_attr *attr) {
    for (uint32_t k = 0; k < n_in; k++) {
        if (in[k] == TCT_NO_VALUE) return TCT_NO_VALUE;
        assert(in[k] < g->nodes.len);
    }
    tct_arena *arena = &g->module->arena;
    tct_node n = {.op = (uint16_t)op, .n_in = n_in, .span = g->span, .pass = g->pass};
    n.in = TCT_NEW_ARRAY(arena, tct_value, n_in);
    if (n_in) memcpy(n.in, in, n_in * sizeof *in);
    if (attr) n.attr = *attr;
    if (n.attr.name) n.attr.name = tct_arena_strdup(arena, n.attr.name);
    if ((op == TCT_IR_SLICE || op == TCT_IR_SCAN) && n.attr.step == 0) n.attr.step = 1; // left out
    if (!d)
        infer_or_abort(g, &n);
    else if (!tct_ir_infer(g, d, &n, n.span))
        return TCT_NO_VALUE;
    return tct_ir_append(g, &n);
}

static void set_axes(tct_ir_attr *attr, const tct_axis *axes, uint32_t n) {
    assert(n <= TCT_IR_MAX_AXES);
    attr->n_axes = (uint8_t)n;
    if (n) memcpy(attr->axes, axes, n * sizeof *axes);
}

tct_value tct_ir_input(tct_graph *g, const char *name, tct_dtype dtype, const tct_axis *axes,
                       uint32_t n_axes) {
    tct_ir_attr attr = {.dtype = dtype, .name = name, .i = (int64_t)g->inputs.len};
    set_axes(&attr, axes, n_axes);
    return tct_ir_emit(g, NULL, TCT_IR_INPUT, NULL, 0, &attr);
}

tct_value tct_ir_const(tct_graph *g, tct_dtype dtype, double value) {
    tct_ir_attr attr = {.dtype = dtype};
    if (tct_dtype_is_float(dtype)) {
        attr.f = value;
    } else {
        assert(value >= -0x1p53 && value <= 0x1p53);
        attr.i = dtype == TCT_BOOL ? value != 0 : (int64_t)value;
    }
    return tct_ir_emit(g, NULL, TCT_IR_CONST, NULL, 0, &attr);
}

tct_value tct_ir_unary(tct_graph *g, tct_diag *d, tct_ir_op op, tct_value x) {
    return tct_ir_emit(g, d, op, &x, 1, NULL);
}

tct_value tct_ir_binary(tct_graph *g, tct_diag *d, tct_ir_op op, tct_value a, tct_value b) {
    return tct_ir_emit(g, d, op, (tct_value[]){a, b}, 2, NULL);
}

tct_value tct_ir_where(tct_graph *g, tct_diag *d, tct_value c, tct_value a, tct_value b) {
    return tct_ir_emit(g, d, TCT_IR_WHERE, (tct_value[]){c, a, b}, 3, NULL);
}

tct_value tct_ir_cast(tct_graph *g, tct_value x, tct_dtype to) {
    if (x == TCT_NO_VALUE || (!tct_node_of(g, x)->bundle && tct_node_of(g, x)->dtype == to)) return x;
    return tct_ir_emit(g, NULL, TCT_IR_CAST, &x, 1, &(tct_ir_attr){.dtype = to});
}

tct_value tct_ir_reduce(tct_graph *g, tct_diag *d, tct_ir_op op, tct_value x, const tct_axis *axes,
                        uint32_t n) {
    tct_ir_attr attr = {0};
    set_axes(&attr, axes, n);
    return tct_ir_emit(g, d, op, &x, 1, &attr);
}

tct_value tct_ir_dot(tct_graph *g, tct_diag *d, tct_value a, tct_value b, const tct_axis *axes, uint32_t n) {
    tct_ir_attr attr = {0};
    set_axes(&attr, axes, n);
    return tct_ir_emit(g, d, TCT_IR_DOT, (tct_value[]){a, b}, 2, &attr);
}

tct_value tct_ir_rename(tct_graph *g, tct_diag *d, tct_value x, tct_axis from, tct_axis to) {
    return tct_ir_emit(g, d, TCT_IR_RENAME, &x, 1,
                       &(tct_ir_attr){.n_axes = 1, .axes = {from}, .n_to = 1, .to = {to}});
}

tct_value tct_ir_broadcast(tct_graph *g, tct_value x, const tct_axis *axes, uint32_t n) {
    if (x == TCT_NO_VALUE) return x;
    tct_ir_attr attr = {0};
    for (uint32_t k = 0; k < n; k++) {
        if (tct_node_has_axis(tct_node_of(g, x), axes[k])) continue;
        assert(attr.n_axes < TCT_IR_MAX_AXES);
        attr.axes[attr.n_axes++] = axes[k];
    }
    return attr.n_axes ? tct_ir_emit(g, NULL, TCT_IR_BROADCAST, &x, 1, &attr) : x;
}

tct_value tct_ir_slice(tct_graph *g, tct_diag *d, tct_value x, tct_axis axis, tct_axis to, int64_t start,
                       int64_t step) {
    return tct_ir_emit(
        g, d, TCT_IR_SLICE, &x, 1,
        &(tct_ir_attr){.n_axes = 1, .axes = {axis}, .n_to = 1, .to = {to}, .i = start, .step = step});
}

tct_value tct_ir_get(tct_graph *g, tct_value bundle, uint32_t index) {
    return tct_ir_emit(g, NULL, TCT_IR_GET, &bundle, 1, &(tct_ir_attr){.i = index});
}

void tct_ir_output(tct_graph *g, const char *name, tct_value v, int32_t alias) {
    assert(v < g->nodes.len);
    tct_output out = {tct_arena_strdup(&g->module->arena, name), v, alias};
    TCT_PUSH(&g->outputs, out);
}
