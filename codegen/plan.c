// Planning, step by step.
#include "codegen/plan_build.h"

static bool sizes_known(tct_diag *d, const tct_graph *g) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        for (int k = 0; k < n->n_axes; k++) {
            const tct_axis_info *a = tct_axis_of(g->module, n->axes[k]);
            if (a->size) continue;
            tct_error(d, "E0843", n->span, "the size of axis %s of '%s' isn't known", a->name, g->name);
            tct_help(d, "only graphs with known sizes can be compiled: give the axis a size");
            return false;
        }
    }
    return true;
}

tct_plan *tct_plan_make(tct_diag *d, tct_arena *arena, const tct_graph *g, const tct_target *target,
                        tct_kernel_set *set, const uint64_t *input_bytes, const tct_plan_origin **origin) {
    if (!sizes_known(d, g)) return NULL;
    tct_planner p = {
        .d = d, .arena = arena, .g = g, .target = target, .set = set, .input_bytes = input_bytes};
    tct_plan *plan = NULL;
    if (tct_plan_steps(&p)) {
        tct_plan_keep(&p);
        tct_plan_share(&p);
        tct_plan_order(&p);
        tct_plan_places(&p);
        plan = tct_plan_write(&p);
        *origin = tct_plan_origin_write(&p);
    }
    TCT_VEC_FREE(&p.storages);
    TCT_VEC_FREE(&p.steps);
    TCT_VEC_FREE(&p.edges);
    TCT_VEC_FREE(&p.scan_origins);
    tct_arena_free(&p.temporary);
    return plan;
}

uint64_t tct_input_bytes(const tct_planner *p, size_t k) {
    const tct_node *n = tct_node_of(p->g, p->g->inputs.data[k]);
    if (p->input_bytes) return p->input_bytes[k];
    return (uint64_t)tct_node_elements(p->g, n) * tct_dtype_size((tct_dtype)n->dtype);
}

uint32_t tct_new_storage(tct_planner *p, tct_dtype dtype, uint64_t bytes) {
    tct_storage s = {.place = TCT_PLACE_ARENA, .dtype = (uint8_t)dtype, .bytes = bytes, .writer = UINT32_MAX};
    s.root = (uint32_t)p->storages.len;
    TCT_PUSH(&p->storages, s);
    return s.root;
}

tct_pstep *tct_new_step(tct_planner *p, tct_step_kind kind, uint32_t n_operands) {
    tct_pstep s = {.kind = kind, .n_operands = n_operands, .node = TCT_NO_VALUE, .first_edge = UINT32_MAX};
    s.operands = TCT_NEW_ARRAY(&p->temporary, tct_operand, n_operands);
    TCT_PUSH(&p->steps, s);
    return &p->steps.data[p->steps.len - 1];
}

void tct_add_edge(tct_planner *p, uint32_t before, uint32_t after) {
    tct_pstep *s = &p->steps.data[after];
    tct_edge e = {before, s->first_edge};
    s->first_edge = (uint32_t)p->edges.len;
    TCT_PUSH(&p->edges, e);
}

uint32_t tct_copy_step(tct_planner *p, uint32_t from, int64_t from_offset, uint32_t to, tct_dtype dtype,
                       int64_t n, tct_span span) {
    tct_pstep *s = tct_new_step(p, TCT_STEP_KERNEL, 2);
    tct_arena *arena = tct_alloc(sizeof *arena);
    tct_loop *l = tct_loop_new(arena);
    l->span = span;
    l->n_bufs = 2;
    l->buf_dtype = TCT_NEW_ARRAY(arena, uint8_t, 2);
    l->buf_dtype[0] = l->buf_dtype[1] = (uint8_t)dtype;
    tct_loop_add_axis(l, "element", n, false);
    tct_lv at = tct_loop_counter(l, 0);
    tct_lv x = tct_loop_value_of(l, (tct_loop_value){.kind = TCT_LOOP_LOAD, .dtype = (uint8_t)dtype, .i = 0},
                                 1, &at);
    tct_loop_store_to(l, 1, at, x, TCT_NO_LV, false);
    tct_loop_schedule(l);
    s->loop = l;
    s->label = "copy";
    s->span = span;
    s->bytes = 2.0 * (double)n * (double)tct_dtype_size(dtype);
    s->operands[0] = (tct_operand){from, from_offset, true, false};
    s->operands[1] = (tct_operand){to, 0, false, true};
    return (uint32_t)(p->steps.len - 1);
}
