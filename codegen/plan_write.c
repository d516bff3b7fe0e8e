// The finished plan as tables, in the plan's arena.
#include "codegen/plan_build.h"

#include <string.h>

typedef struct writer {
    tct_planner *p;
    TCT_VEC(tct_plan_buffer) buffers;
    // Buffers that lie in a storage, as lists: by root storage the first, by buffer the next; UINT32_MAX: no
    // more.
    uint32_t *first_buffer;
    TCT_VEC(uint32_t) next_buffer;
    TCT_VEC(uint32_t) operands;
    TCT_VEC(int64_t) args;
    TCT_VEC(tct_plan_kernel) kernels;
    TCT_VEC(tct_plan_scan) scans;
    TCT_VEC(tct_plan_foreign) foreigns;
} writer;

static uint32_t buffer_of(writer *w, const tct_operand *o) {
    uint32_t root = tct_root(w->p, o->storage);
    const tct_storage *s = &w->p->storages.data[root];
    const tct_storage *own = &w->p->storages.data[o->storage];
    tct_plan_buffer b = {.place = s->place,
                         .dtype = own->dtype,
                         .index = s->index,
                         .offset = s->offset + (uint64_t)o->offset,
                         .bytes = s->bytes - (uint64_t)o->offset,
                         .first_step = s->first,
                         .last_step = s->last};
    for (uint32_t k = w->first_buffer[root]; k != UINT32_MAX; k = w->next_buffer.data[k])
        if (w->buffers.data[k].dtype == b.dtype && w->buffers.data[k].offset == b.offset) return k;
    TCT_PUSH(&w->buffers, b);
    TCT_PUSH(&w->next_buffer, w->first_buffer[root]);
    return w->first_buffer[root] = (uint32_t)(w->buffers.len - 1);
}

static uint32_t add_kernel(writer *w, const char *symbol) {
    for (size_t k = 0; k < w->kernels.len; k++)
        if (w->kernels.data[k].symbol == symbol) return (uint32_t)k;
    tct_plan_kernel kernel = {.symbol = symbol};
    TCT_PUSH(&w->kernels, kernel);
    return (uint32_t)(w->kernels.len - 1);
}

// The kernels of a product stand next to each other: found as they are, or appended.
static uint32_t add_kernels(writer *w, const char *const *symbols, uint32_t n) {
    for (size_t k = 0; k + n <= w->kernels.len; k++) {
        uint32_t same = 0;
        while (same < n && w->kernels.data[k + same].symbol == symbols[same]) same++;
        if (same == n) return (uint32_t)k;
    }
    uint32_t first = (uint32_t)w->kernels.len;
    for (uint32_t k = 0; k < n; k++) {
        tct_plan_kernel kernel = {.symbol = symbols[k]};
        TCT_PUSH(&w->kernels, kernel);
    }
    return first;
}

static void write_loop(writer *w, tct_pstep *s, tct_step *out) {
    tct_loop *l = s->loop;
    int64_t items = tct_loop_items(l), chunk = tct_loop_items_a_task(l);
    TCT_PUSH(&w->args, items);
    TCT_PUSH(&w->args, chunk);
    TCT_PUSH(&w->args, l->n_kept ? l->axes[0].size : 1);
    out->n_tasks = (items + chunk - 1) / chunk;
    bool *in_place = TCT_NEW_ARRAY(&w->p->temporary, bool, s->n_operands);
    for (uint32_t k = 0; k < s->n_operands; k++)
        for (uint32_t j = 0; j < s->n_operands; j++)
            in_place[k] |=
                j != k && tct_root(w->p, s->operands[j].storage) == tct_root(w->p, s->operands[k].storage);
    tct_loop_stream(l, in_place);
    out->scratch = l->scratch;
    out->kernel = add_kernel(w, tct_kernel_set_loop(w->p->set, w->p->target, l));
    s->loop = NULL;
}

static void write_gemm(writer *w, tct_pstep *s, tct_step *out) {
    const tct_gemm_plan *g = s->gemm;
    const char *symbols[TCT_GEMM_MAX_KERNELS + 1];
    uint32_t n = 0;
    for (; n < g->n_kernels; n++) symbols[n] = tct_kernel_set_gemm(w->p->set, g->symbol[n], s->span);
    if (s->loop) symbols[n++] = tct_kernel_set_loop(w->p->set, w->p->target, s->loop);
    s->loop = NULL;
    out->kernel = add_kernels(w, symbols, n);
    const int64_t *args = (const int64_t *)&g->args;
    for (size_t k = 0; k < TCT_GEMM_N_ARGS; k++) TCT_PUSH(&w->args, args[k]);
    out->n_tasks = g->n_tasks;
    out->scratch = g->scratch;
}

static tct_step write_step(writer *w, tct_pstep *s) {
    tct_step out = {.kind = (uint8_t)s->kind,
                    .operand = (uint32_t)w->operands.len,
                    .n_operands = s->n_operands,
                    .arg = (uint32_t)w->args.len,
                    .n_tasks = 1,
                    .label = s->label,
                    .span = s->span,
                    .flops = s->flops,
                    .bytes = s->bytes};
    for (uint32_t k = 0; k < s->n_operands; k++) TCT_PUSH(&w->operands, buffer_of(w, &s->operands[k]));
    switch (s->kind) {
    case TCT_STEP_KERNEL:
        write_loop(w, s, &out);
        break;
    case TCT_STEP_GEMM:
        write_gemm(w, s, &out);
        break;
    case TCT_STEP_SCAN:
        out.kernel = (uint32_t)w->scans.len;
        out.scratch = tct_plan_scan_scratch(s->scan);
        TCT_PUSH(&w->scans, *s->scan);
        TCT_PUSH(&w->p->scan_origins, s->scan_origin);
        break;
    case TCT_STEP_FOREIGN:
        out.kernel = (uint32_t)w->foreigns.len;
        TCT_PUSH(&w->foreigns, *s->foreign);
        break;
    }
    out.n_args = (uint32_t)w->args.len - out.arg;
    return out;
}

static tct_plan_port port_of(tct_planner *p, const char *name, const tct_node *n, int32_t alias) {
    tct_plan_port port = {.name = tct_arena_strdup(p->arena, name ? name : ""),
                          .dtype = n->dtype,
                          .n_axes = n->n_axes,
                          .bytes = (uint64_t)tct_node_elements(p->g, n) * tct_dtype_size((tct_dtype)n->dtype),
                          .alias = alias};
    const char **axis = TCT_NEW_ARRAY(p->arena, const char *, n->n_axes);
    int64_t *size = TCT_NEW_ARRAY(p->arena, int64_t, n->n_axes);
    for (int k = 0; k < n->n_axes; k++) {
        axis[k] = tct_arena_strdup(p->arena, tct_axis_of(p->g->module, n->axes[k])->name);
        size[k] = tct_axis_of(p->g->module, n->axes[k])->size;
    }
    port.axis = axis;
    port.size = size;
    return port;
}

static void write_ports(tct_planner *p, tct_plan *plan) {
    const tct_graph *g = p->g;
    plan->n_inputs = (uint32_t)g->inputs.len;
    plan->n_outputs = (uint32_t)g->outputs.len;
    tct_plan_port *in = TCT_NEW_ARRAY(p->arena, tct_plan_port, g->inputs.len);
    tct_plan_port *out = TCT_NEW_ARRAY(p->arena, tct_plan_port, g->outputs.len);
    for (size_t k = 0; k < g->inputs.len; k++) {
        const tct_node *n = tct_node_of(g, g->inputs.data[k]);
        in[k] = port_of(p, n->attr.name, n, -1);
        in[k].bytes = tct_input_bytes(p, k);
    }
    for (size_t k = 0; k < g->outputs.len; k++) {
        const tct_output *o = &g->outputs.data[k];
        out[k] = port_of(p, o->name, tct_node_of(g, o->value), o->alias);
    }
    plan->inputs = in;
    plan->outputs = out;
}

// A copy of a vector's elements in the plan's arena.
#define KEEP(p, v) keep((p)->arena, (v).data, (v).len * sizeof *(v).data)
static void *keep(tct_arena *arena, const void *data, size_t bytes) {
    void *copy = tct_arena_alloc(arena, bytes);
    if (bytes) memcpy(copy, data, bytes);
    return copy;
}

tct_plan *tct_plan_write(tct_planner *p) {
    writer w = {.p = p, .first_buffer = TCT_NEW_ARRAY(&p->temporary, uint32_t, p->storages.len)};
    for (size_t k = 0; k < p->storages.len; k++) w.first_buffer[k] = UINT32_MAX;
    tct_plan *plan = TCT_NEW(p->arena, tct_plan);
    size_t n = p->steps.len;
    tct_step *steps = TCT_NEW_ARRAY(p->arena, tct_step, n);
    plan->name = tct_arena_strdup(p->arena, p->g->name);
    plan->n_steps = (uint32_t)n;
    plan->steps = steps;
    for (size_t k = 0; k < n; k++) {
        steps[k] = write_step(&w, &p->steps.data[p->order[k]]);
        if (steps[k].scratch > plan->scratch_bytes) plan->scratch_bytes = steps[k].scratch;
    }
    tct_plan_beside(p, steps);
    write_ports(p, plan);
    plan->n_buffers = (uint32_t)w.buffers.len;
    plan->buffers = KEEP(p, w.buffers);
    plan->n_operands = (uint32_t)w.operands.len;
    plan->operands = KEEP(p, w.operands);
    plan->n_args = (uint32_t)w.args.len;
    plan->args = KEEP(p, w.args);
    plan->n_kernels = (uint32_t)w.kernels.len;
    plan->kernels = KEEP(p, w.kernels);
    plan->n_scans = (uint32_t)w.scans.len;
    plan->scans = KEEP(p, w.scans);
    plan->n_foreigns = (uint32_t)w.foreigns.len;
    plan->foreigns = KEEP(p, w.foreigns);
    plan->arena_bytes = p->arena_bytes;
    TCT_VEC_FREE(&w.buffers);
    TCT_VEC_FREE(&w.next_buffer);
    TCT_VEC_FREE(&w.operands);
    TCT_VEC_FREE(&w.args);
    TCT_VEC_FREE(&w.kernels);
    TCT_VEC_FREE(&w.scans);
    TCT_VEC_FREE(&w.foreigns);
    return plan;
}

const tct_plan_origin *tct_plan_origin_write(tct_planner *p) {
    tct_plan_origin *o = TCT_NEW(p->arena, tct_plan_origin);
    tct_value *node = TCT_NEW_ARRAY(p->arena, tct_value, p->steps.len);
    for (size_t k = 0; k < p->steps.len; k++) node[k] = p->steps.data[p->order[k]].node;
    o->graph = p->g;
    o->node = node;
    o->scans = KEEP(p, p->scan_origins);
    return o;
}
