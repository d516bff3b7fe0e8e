// Generators of a program: the decode graph of a model for one number of new tokens at a time.
#include "frontend/stage_internal.h"

#include <string.h>

static tct_val *port_leaf(tct_elab *e, void *ctx, const char *path, const tct_member *m, tct_dtype dtype,
                          const tct_axis *axes, uint32_t n, tct_scope *scope, const char *file_prefix) {
    (void)ctx, (void)scope, (void)file_prefix;
    if (!tct_elab_shape(e, axes, n, m->span)) return tct_val_error(e);
    tct_elab_at(e, m->name.span);
    return tct_val_tensor(e, tct_ir_input(e->builder->graph, path, dtype, axes, n), m->name.span);
}

static void collect_leaves(const tct_val *v, const tct_val **out, uint32_t *n) {
    if (v->kind == V_TENSOR || v->kind == V_PARAM) out[(*n)++] = v;
    for (uint32_t i = 0; v->kind == V_LIST && i < v->n_items; i++) collect_leaves(v->items[i], out, n);
    for (uint32_t i = 0; v->kind == V_STRUCT && i < v->n_fields; i++)
        collect_leaves(v->fields[i].val, out, n);
}

typedef struct decode_shape {
    int64_t batch, tokens, positions; // B, N, S
    const stage_narrow *narrow;       // what the weights come as; NULL: as they are
} decode_shape;

static tct_val *substituted(tct_elab *e, const tct_val *v, tct_val *const *leaves_in) {
    tct_val *c = TCT_NEW(&e->arena, tct_val);
    *c = *v;
    if (v->kind == V_PARAM) return leaves_in[v->i];
    if (v->kind == V_LIST) {
        c->items = TCT_NEW_ARRAY(&e->arena, tct_val *, v->n_items + 1);
        for (uint32_t i = 0; i < v->n_items; i++) c->items[i] = substituted(e, v->items[i], leaves_in);
    }
    if (v->kind == V_STRUCT) {
        c->fields = TCT_NEW_ARRAY(&e->arena, tct_field, v->n_fields + 1);
        for (uint32_t i = 0; i < v->n_fields; i++)
            c->fields[i] =
                (tct_field){.name = v->fields[i].name, .val = substituted(e, v->fields[i].val, leaves_in)};
    }
    return c;
}

static tct_graph *decode_graph(tct_elab *e, const tct_val *model, const tct_member *decode,
                               decode_shape shape, tct_plan_port **cache_out, uint32_t *n_cache,
                               int64_t *vocab, tct_span span) {
    const tct_item *graph = tct_elab_item(e, decode->name.text),
                   *cache_item = tct_elab_item(e, decode->type->name.text);
    if (!graph || graph->kind != TCT_ITEM_GRAPH || graph->n_params != 5 || !cache_item ||
        cache_item->kind != TCT_ITEM_MODEL) {
        tct_elab_error(
            e, "E0506", decode->span,
            "decode names a graph (m, inout cache, token, start, last) and the model of its cache");
        return NULL;
    }
    const stage_model *sm = model->data;
    struct tct_stage_state *s = e->stage;
    e->stage = NULL;
    tct_builder b = {.kind = TCT_BUILD_TOP};
    b.graph = tct_graph_new(e->module, tct_arena_strdup(&e->module->arena, decode->name.text));
    b.graph->span = span;
    tct_builder *outer = e->builder;
    e->builder = &b;
    tct_elab_new_graph(e);
    tct_scope_push(e, true);
    tct_axis B = tct_axis_get(e->module, "B", shape.batch), N = tct_axis_get(e->module, "N", shape.tokens);
    tct_axis S = tct_axis_get(e->module, "S", shape.positions);
    tct_scope_bind_axis(e, "B", B, span);
    tct_scope_bind_axis(e, "N", N, span);
    tct_scope_bind_axis(e, "S", S, span);
    tct_val **inputs = TCT_NEW_ARRAY(&e->arena, tct_val *, sm->n_leaves + 1);
    for (uint32_t i = 0; i < sm->n_leaves; i++)
        inputs[i] = tct_val_tensor(
            e, tct_stage_weight(b.graph, sm->leaves[i], i, shape.narrow ? &shape.narrow[i] : NULL), span);
    tct_val *m = substituted(e, model, inputs);
    m->has_reg = false;
    m->data = NULL;
    tct_actual *cache_args = TCT_NEW_ARRAY(&e->arena, tct_actual, decode->n_args + 1);
    tct_scope_push(e, true);
    for (uint32_t i = 0; i < m->n_fields; i++)
        tct_scope_bind(e, m->fields[i].name, m->fields[i].val, span, false);
    for (uint32_t i = 0; i < decode->n_args; i++) {
        cache_args[i].name = decode->args[i].name;
        cache_args[i].expr = decode->args[i].value;
        cache_args[i].val = tct_elab_expr(e, decode->args[i].value);
    }
    tct_scope_pop(e);
    tct_val *cache =
        tct_elab_model(e, cache_item, cache_args, decode->n_args, "cache", "", false, port_leaf, NULL, span);
    tct_graph *out = NULL;
    if (cache->kind != V_ERROR) {
        const tct_val **before = TCT_NEW_ARRAY(&e->arena, const tct_val *, b.graph->inputs.len + 1);
        uint32_t n = 0;
        collect_leaves(cache, before, &n);
        tct_val *after = cache;
        tct_axis token_axes[2] = {B, N};
        tct_actual actuals[5] = {
            {.val = m},
            {.val = cache, .place = &after},
            {.val = tct_val_tensor(e, tct_ir_input(b.graph, "token", TCT_I32, token_axes, 2), span)},
            {.val = tct_val_tensor(e, tct_ir_input(b.graph, "start", TCT_I32, &B, 1), span)},
            {.val = tct_val_tensor(e, tct_ir_input(b.graph, "last", TCT_I32, &B, 1), span)},
        };
        tct_val *logits = tct_elab_expand(e, graph, actuals, 5, NULL, 0, span);
        if (logits->kind == V_TENSOR && tct_elab_node(e, logits->value)->n_axes == 2) {
            const tct_val **done = TCT_NEW_ARRAY(&e->arena, const tct_val *, n + 1);
            uint32_t n_done = 0;
            collect_leaves(after, done, &n_done);
            if (cache_out) *cache_out = TCT_NEW_ARRAY(&e->arena, tct_plan_port, n + 1);
            for (uint32_t i = 0; i < n; i++) {
                const tct_node *in = tct_elab_node(e, before[i]->value);
                tct_ir_output(b.graph, in->attr.name, done[i]->value, (int32_t)in->attr.i);
                if (!cache_out) continue;
                tct_plan_port *p = &(*cache_out)[i];
                *p = (tct_plan_port){
                    .name = in->attr.name, .dtype = in->dtype, .n_axes = in->n_axes, .alias = -1};
                const char **axis = TCT_NEW_ARRAY(&e->arena, const char *, in->n_axes + 1);
                int64_t *size = TCT_NEW_ARRAY(&e->arena, int64_t, in->n_axes + 1);
                p->bytes = tct_dtype_size((tct_dtype)in->dtype);
                for (uint32_t k = 0; k < in->n_axes; k++) {
                    axis[k] = tct_arena_strdup(&e->arena, tct_axis_of(e->module, in->axes[k])->name);
                    size[k] = tct_axis_of(e->module, in->axes[k])->size;
                    p->bytes *= (uint64_t)size[k];
                }
                p->axis = axis;
                p->size = size;
            }
            const tct_node *l = tct_elab_node(e, logits->value);
            *vocab = tct_axis_of(e->module, l->axes[l->axes[0] == B])->size;
            if (l->axes[0] != B) { // [B, V] is what the machine reads
                tct_ir_attr attr = {.dtype = (tct_dtype)l->dtype};
                tct_axis v_axis = l->axes[0];
                tct_value copy = tct_ir_emit(b.graph, NULL, TCT_IR_CAST, &logits->value, 1, &attr);
                b.graph->nodes.data[copy].axes[0] = B;
                b.graph->nodes.data[copy].axes[1] = v_axis;
                logits = tct_val_tensor(e, copy, span);
            }
            tct_ir_output(b.graph, "logits", logits->value, -1);
            *n_cache = n;
            out = b.graph;
        } else if (logits->kind != V_ERROR) {
            tct_elab_error(e, "E0506", decode->span, "%s must return the logits f32[B, V]", graph->name.text);
        }
    }
    tct_scope_pop(e);
    e->builder = outer;
    e->stage = s;
    return out;
}

static uint32_t add_graph(tct_elab *e, tct_graph *g) {
    stage *s = e->stage;
    uint32_t k = 0;
    while (k < s->graphs.len && !tct_ir_equal(s->graphs.data[k], g)) k++;
    if (k == s->graphs.len) TCT_PUSH(&s->graphs, g);
    return k;
}

// Rows can be moved from cache to cache when each is one piece of every tensor.
static bool has_rows_first(tct_elab *e, const tct_generator *g, const tct_member *decode, tct_span span) {
    for (uint32_t i = 0; i < g->n_cache; i++) {
        const tct_plan_port *p = &g->cache[i];
        if (p->n_axes > 0 && strcmp(p->axis[0], "B") == 0) continue;
        tct_elab_error(
            e, "E0506", span,
            "at_once needs the rows of the cache one after the other, but %s does not begin with axis B",
            p->name);
        tct_elab_note(e, decode->span, "the cache is named here");
        return false;
    }
    return true;
}

// The step with narrow weights, and what makes them of the parameters.
static bool narrow_step(tct_elab *e, const tct_val *model, const tct_member *decode, stage_weights weights,
                        tct_graph **step, tct_generator *g, tct_span span) {
    const stage_model *m = model->data;
    const stage_narrow *narrow = tct_stage_narrow_leaves(e, *step, m, weights);
    if (!narrow) return true;
    const char *name = tct_arena_printf(&e->module->arena, "%s_weights", decode->name.text);
    decode_shape shape = {g->places, 1, g->prompt + g->max_new, narrow};
    tct_plan_port *cache;
    *step = decode_graph(e, model, decode, shape, &cache, &g->n_cache, &g->vocab, span);
    if (!*step) return false;
    g->cache = cache;
    g->weights = tct_stage_weight_sources(e, m, narrow, &g->n_weights);
    g->convert = add_graph(e, tct_stage_narrowing(e->module, name, m, narrow, span));
    return true;
}

uint32_t tct_stage_generator(tct_elab *e, const tct_val *model, const stage_generation *o, tct_span span) {
    enum { FILLS = 4 }; // until all places are filled: prompts wait until there is room for so many
    const tct_member *decode = tct_model_member(model->model, TCT_MEMBER_DECODE);
    if (!decode) {
        tct_elab_error(e, "E0506", span, "%s can't generate: it has no decode member",
                       model->model->name.text);
        tct_elab_note(e, model->model->name.span, "declared here");
        tct_elab_help(e, "decode NAME: CACHE(…) names the graph that generation runs");
        return NO_REG;
    }
    int64_t positions = o->prompt + o->max_new;
    tct_generator g = {.batch = o->batch,
                       .places = o->batch,
                       .fill = o->batch,
                       .prompt = o->prompt,
                       .max_new = o->max_new,
                       .convert = TCT_NO_PLAN};
    if (o->at_once > 0 && o->at_once < o->batch) {
        g.places = o->at_once;
        g.fill = (o->at_once + FILLS - 1) / FILLS;
    }
    tct_plan_port *cache = NULL;
    tct_graph *prefill = decode_graph(e, model, decode, (decode_shape){g.fill, o->prompt, positions, NULL},
                                      NULL, &g.n_cache, &g.vocab, span);
    if (!prefill) return NO_REG;
    tct_graph *step = decode_graph(e, model, decode, (decode_shape){g.places, 1, positions, NULL}, &cache,
                                   &g.n_cache, &g.vocab, span);
    if (!step) return NO_REG;
    g.cache = cache;
    if (g.fill < g.places && !has_rows_first(e, &g, decode, span)) return NO_REG;
    g.prefill = add_graph(e, prefill);
    if (!narrow_step(e, model, decode, o->weights, &step, &g, span)) return NO_REG;
    g.step = add_graph(e, step);
    TCT_PUSH(&e->stage->generators, g);
    return (uint32_t)e->stage->generators.len - 1;
}
