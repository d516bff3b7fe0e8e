// Weights of generation that come narrow: parameters that a step does nothing else with than multiply them
// and take rows of them. They are converted once a call, so that a token reads two bytes or one for each. In
// int8, a parameter's numbers that one product sums share a scale, which is their largest number over 127.
#include "frontend/stage_internal.h"

#include <string.h>

enum { NOBODY = -1, LARGEST = 127 };

// A value that is a parameter, some of it or under other names: which parameter, and its axes, by axis.
typedef struct origin {
    int64_t leaf;
    tct_axis axis[TCT_IR_MAX_AXES];
} origin;

typedef struct use {                         // of a parameter
    bool multiplied, otherwise, differently; // with different axes summed
    uint32_t n_summed;
    tct_axis summed[TCT_IR_MAX_AXES]; // the parameter's
} use;

static tct_axis axis_in(const tct_node *n, const origin *o, tct_axis a) {
    int k = 0;
    while (n->axes[k] != a) k++;
    return o->axis[k];
}

static bool has(const tct_axis *axes, uint32_t n, tct_axis a) {
    for (uint32_t k = 0; k < n; k++)
        if (axes[k] == a) return true;
    return false;
}

static bool is_view(const tct_node *n) { return n->op == TCT_IR_RENAME || n->op == TCT_IR_SLICE; }

static origin origin_of(const tct_graph *g, const tct_node *n, const origin *of, uint32_t n_leaves) {
    origin o = {.leaf = NOBODY};
    if (n->op == TCT_IR_INPUT && n->attr.i < (int64_t)n_leaves) {
        o.leaf = n->attr.i;
        memcpy(o.axis, n->axes, n->n_axes * sizeof *n->axes);
    } else if (is_view(n) && of[n->in[0]].leaf != NOBODY) {
        const tct_node *in = tct_node_of(g, n->in[0]);
        o.leaf = of[n->in[0]].leaf;
        for (int k = 0; k < n->n_axes; k++) {
            tct_axis a = n->axes[k] == n->attr.to[0] ? n->attr.axes[0] : n->axes[k];
            o.axis[k] = axis_in(in, &of[n->in[0]], a);
        }
    }
    return o;
}

static void note_product(const tct_node *dot, const tct_node *operand, const origin *o, use *u) {
    tct_axis summed[TCT_IR_MAX_AXES];
    uint32_t n = dot->attr.n_axes;
    for (uint32_t k = 0; k < n; k++) summed[k] = axis_in(operand, o, dot->attr.axes[k]);
    for (uint32_t k = 0; k < n && u->multiplied; k++)
        u->differently |= n != u->n_summed || !has(u->summed, u->n_summed, summed[k]);
    u->multiplied = true;
    u->n_summed = n;
    memcpy(u->summed, summed, n * sizeof *summed);
}

static void note_uses(const tct_graph *g, const tct_node *n, const origin *of, use *uses) {
    for (uint32_t k = 0; k < n->n_in; k++) {
        const origin *o = &of[n->in[k]];
        if (o->leaf == NOBODY) continue;
        if (n->op == TCT_IR_DOT)
            note_product(n, tct_node_of(g, n->in[k]), o, &uses[o->leaf]);
        else if (!(k == 0 && (is_view(n) || n->op == TCT_IR_GATHER)))
            uses[o->leaf].otherwise = true;
    }
}

static stage_narrow judge(const tct_val *leaf, const use *u, stage_weights weights) {
    stage_narrow w = {.dtype = weights == STAGE_WEIGHTS_INT8 ? TCT_I8 : TCT_BF16, .n_summed = u->n_summed};
    memcpy(w.summed, u->summed, sizeof w.summed);
    for (uint32_t k = 0; k < leaf->n_param_axes; k++)
        if (!has(u->summed, u->n_summed, leaf->param_axes[k])) w.scale[w.n_scale++] = leaf->param_axes[k];
    w.is_narrow = leaf->dtype == TCT_F32 && u->multiplied && !u->otherwise &&
                  (w.dtype == TCT_BF16 || (!u->differently && w.n_summed && w.n_scale));
    return w;
}

const stage_narrow *tct_stage_narrow_leaves(tct_elab *e, const tct_graph *step, const stage_model *m,
                                            stage_weights weights) {
    if (weights == STAGE_WEIGHTS_F32) return NULL;
    origin *of = TCT_NEW_ARRAY(&e->arena, origin, step->nodes.len);
    use *uses = TCT_NEW_ARRAY(&e->arena, use, m->n_leaves + 1);
    for (tct_value v = 0; v < step->nodes.len; v++) {
        const tct_node *n = tct_node_of(step, v);
        of[v] = origin_of(step, n, of, m->n_leaves);
        note_uses(step, n, of, uses);
    }
    for (size_t k = 0; k < step->outputs.len; k++) {
        const origin *o = &of[step->outputs.data[k].value];
        if (o->leaf != NOBODY) uses[o->leaf].otherwise = true;
    }
    stage_narrow *narrow = TCT_NEW_ARRAY(&e->arena, stage_narrow, m->n_leaves + 1);
    bool any = false;
    for (uint32_t i = 0; i < m->n_leaves; i++) {
        narrow[i] = judge(m->leaves[i], &uses[i], weights);
        any |= narrow[i].is_narrow;
    }
    return any ? narrow : NULL;
}

static tct_value input(tct_graph *g, const tct_val *leaf, uint32_t number, tct_dtype dtype) {
    const char *name = tct_arena_printf(&g->module->arena, "m.%u", number);
    return tct_ir_input(g, name, dtype, leaf->param_axes, leaf->n_param_axes);
}

tct_value tct_stage_weight(tct_graph *g, const tct_val *leaf, uint32_t number, const stage_narrow *narrow) {
    if (!narrow || !narrow->is_narrow) return input(g, leaf, number, leaf->dtype);
    tct_value x = tct_ir_cast(g, input(g, leaf, number, narrow->dtype), TCT_F32);
    if (narrow->dtype != TCT_I8) return x;
    const char *name = tct_arena_printf(&g->module->arena, "m.%u.scale", number);
    tct_value scale = tct_ir_input(g, name, TCT_F32, narrow->scale, narrow->n_scale);
    return tct_ir_binary(g, NULL, TCT_IR_MUL, x, scale);
}

const uint32_t *tct_stage_weight_sources(tct_elab *e, const stage_model *m, const stage_narrow *narrow,
                                         uint32_t *n) {
    uint32_t *sources = TCT_NEW_ARRAY(&e->arena, uint32_t, 2 * m->n_leaves + 1), made = m->n_leaves;
    *n = 0;
    for (uint32_t i = 0; i < m->n_leaves; i++) {
        sources[(*n)++] = narrow[i].is_narrow ? made++ : i;
        if (narrow[i].is_narrow && narrow[i].dtype == TCT_I8) sources[(*n)++] = made++;
    }
    return sources;
}

tct_graph *tct_stage_narrowing(tct_ir_module *module, const char *name, const stage_model *m,
                               const stage_narrow *narrow, tct_span span) {
    tct_graph *g = tct_graph_new(module, name);
    g->span = span;
    tct_value *in = TCT_NEW_ARRAY(&module->arena, tct_value, m->n_leaves + 1);
    for (uint32_t i = 0; i < m->n_leaves; i++) in[i] = input(g, m->leaves[i], i, m->leaves[i]->dtype);
    for (uint32_t i = 0; i < m->n_leaves; i++) {
        const stage_narrow *w = &narrow[i];
        const char *output = tct_arena_printf(&module->arena, "m.%u", i);
        if (!w->is_narrow) continue;
        if (w->dtype != TCT_I8) {
            tct_ir_output(g, output, tct_ir_cast(g, in[i], w->dtype), -1);
            continue;
        }
        tct_value most = tct_ir_unary(g, NULL, TCT_IR_ABS, in[i]);
        most = tct_ir_reduce(g, NULL, TCT_IR_REDUCE_MAX, most, w->summed, w->n_summed);
        tct_value scale = tct_ir_binary(g, NULL, TCT_IR_DIV, most, tct_ir_const(g, TCT_F32, LARGEST));
        tct_value x = tct_ir_binary(g, NULL, TCT_IR_DIV, in[i], scale); // NaN, and so 0, where all are 0
        x = tct_ir_cast(g, tct_ir_unary(g, NULL, TCT_IR_ROUND, x), TCT_I8);
        tct_ir_output(g, output, x, -1);
        tct_ir_output(g, tct_arena_printf(&module->arena, "m.%u.scale", i), scale, -1);
    }
    return g;
}
