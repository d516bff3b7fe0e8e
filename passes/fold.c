// Constant folding: a scalar that depends on no input becomes a constant. The reference interpreter computes
// it, in the dtypes of the graph, so that there is one definition of what an operation gives. Tensors on the
// way (an iota, say) may have up to MAX_ELEMENTS. Random numbers, scans and calls are left alone. Needs
// nothing; one walk.
#include "ir/interp.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { MAX_ELEMENTS = 4096 };

static bool may_fold(const tct_graph *g, const tct_node *n) {
    switch (tct_ir_ops[n->op].cls) {
    case TCT_CLASS_LEAF:
        if (n->op == TCT_IR_INPUT || n->op == TCT_IR_RANDOM) return false;
        break;
    case TCT_CLASS_SCAN:
    case TCT_CLASS_OPAQUE:
        return false;
    default:
        break;
    }
    for (int k = 0; k < n->attr.n_axes; k++)
        if (tct_axis_of(g->module, n->attr.axes[k])->size == 0) return false;
    int64_t elements = tct_node_elements(g, n);
    return elements > 0 && elements <= MAX_ELEMENTS;
}

static bool *find_constants(tct_arena *arena, const tct_graph *g) {
    bool *constant = TCT_NEW_ARRAY(arena, bool, g->nodes.len);
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        constant[v] = may_fold(g, n);
        for (uint32_t k = 0; k < n->n_in; k++) constant[v] = constant[v] && constant[n->in[k]];
    }
    return constant;
}

static bool is_target(const tct_graph *g, const bool *constant, const uint32_t *uses, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    return constant[v] && uses[v] && n->n_axes == 0 && n->op != TCT_IR_CONST;
}

// A graph of the constant nodes that some target needs, with the targets as outputs; NULL when there are
// none.
static tct_graph *constant_part(tct_arena *arena, const tct_graph *g, const bool *constant,
                                const uint32_t *uses) {
    bool *needed = TCT_NEW_ARRAY(arena, bool, g->nodes.len), any = false;
    for (size_t v = g->nodes.len; v-- > 0;) {
        if (is_target(g, constant, uses, (tct_value)v)) any = needed[v] = true;
        if (!needed[v]) continue;
        const tct_node *n = &g->nodes.data[v];
        for (uint32_t k = 0; k < n->n_in; k++) needed[n->in[k]] = true;
    }
    if (!any) return NULL;
    tct_value *map = TCT_NEW_ARRAY(arena, tct_value, g->nodes.len);
    tct_graph *part = tct_graph_new(g->module, "constants");
    for (size_t v = 0; v < g->nodes.len; v++) {
        if (needed[v]) tct_ir_copy_node(part, g, (tct_value)v, map);
        if (is_target(g, constant, uses, (tct_value)v)) tct_ir_output(part, "c", map[v], -1);
    }
    return part;
}

static tct_ir_attr value_of(const tct_ir_tensor *t) {
    tct_ir_attr attr = {.dtype = t->dtype};
    switch (t->dtype) {
    case TCT_F32:
        attr.f = *(const float *)t->data;
        break;
    case TCT_F64:
        attr.f = *(const double *)t->data;
        break;
    case TCT_BF16:
        attr.f = tct_bf16_to_f32(*(const tct_bf16 *)t->data);
        break;
    case TCT_I32:
        attr.i = *(const int32_t *)t->data;
        break;
    case TCT_I64:
        attr.i = *(const int64_t *)t->data;
        break;
    case TCT_I8:
        attr.i = *(const int8_t *)t->data;
        break;
    default:
        attr.i = *(const uint8_t *)t->data;
        break;
    }
    return attr;
}

// Values of the targets in order, NULL when there are none.
static const tct_ir_tensor *evaluate(tct_arena *arena, tct_graph *part) {
    if (!part) return NULL;
    tct_diag d = {0};
    tct_ir_tensor *values = TCT_NEW_ARRAY(arena, tct_ir_tensor, part->outputs.len);
    bool ok = tct_ir_interp(&d, arena, part, NULL, values, &(tct_ir_interp_options){0});
    tct_diag_free(&d);
    TCT_VEC_FREE(&part->nodes);
    TCT_VEC_FREE(&part->outputs);
    return ok ? values : NULL;
}

tct_graph *tct_pass_fold(tct_graph *g) {
    tct_rewrite r;
    tct_rewrite_begin(&r, g, "fold");
    const bool *constant = find_constants(&r.arena, g);
    const uint32_t *uses = tct_count_uses(&r.arena, g);
    const tct_ir_tensor *values = evaluate(&r.arena, constant_part(&r.arena, g, constant, uses));
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op == TCT_IR_INPUT) continue;
        if (values && is_target(g, constant, uses, v)) {
            tct_ir_attr attr = value_of(values++);
            tct_rewrite_at(&r, v);
            r.map[v] = tct_ir_emit(r.to, NULL, TCT_IR_CONST, NULL, 0, &attr);
            r.changed = true;
        } else if (n->op == TCT_IR_SCAN) {
            tct_rewrite_copy_with_body(&r, v, tct_pass_fold(n->attr.body));
        } else {
            tct_rewrite_copy(&r, v);
        }
    }
    return tct_rewrite_finish(&r);
}
