// Sums of columns are computed in parts; other steps add these up.
#include "codegen/plan_build.h"

#include <assert.h>

// The store of the kernel that goes to a buffer in parts; NULL: there is none.
static const tct_loop_store *in_parts(const tct_loop *l, uint32_t buf) {
    for (uint32_t s = 0; s < l->n_stores; s++)
        if (l->stores[s].buf == buf && l->stores[s].part) return &l->stores[s];
    return NULL;
}

// The step's operand that is result 0 of node v.
static uint32_t first_result(const tct_planner *p, tct_value v, uint32_t at) {
    return p->steps.data[at].n_operands - (uint32_t)tct_node_of(p->g, v)->attr.body->outputs.len;
}

// One step for all sums of one size.
static void add_up(tct_planner *p, tct_value v, uint32_t at, uint32_t n, const uint32_t *result,
                   int64_t size) {
    const tct_graph *body = tct_node_of(p->g, v)->attr.body;
    uint32_t first = first_result(p, v, at);
    int64_t parts = tct_loop_parts(p->steps.data[at].loop);
    tct_pstep *s = tct_new_step(p, TCT_STEP_KERNEL, 2 * n);
    uint32_t next = (uint32_t)(p->steps.len - 1);
    for (uint32_t k = 0; k < n; k++) {
        const tct_node *sum = tct_node_of(body, body->outputs.data[result[k]].value);
        tct_operand *to = &p->steps.data[at].operands[first + result[k]];
        uint32_t memory =
            tct_new_storage(p, TCT_F32, (uint64_t)(parts * tct_loop_part(size)) * sizeof(float));
        p->storages.data[memory].writer = at;
        *to = (tct_operand){memory, 0, false, true};
        s->operands[k] = (tct_operand){memory, 0, true, false};
        s->operands[n + k] = tct_result_of(p, v, result[k], sum, next);
        p->bundle[v][result[k]] = s->operands[n + k].storage;
        s->bytes += (double)(parts + 1) * (double)size * sizeof(float);
    }
    tct_arena *arena = tct_alloc(sizeof *arena);
    s->span = p->steps.data[at].span;
    s->loop = tct_loop_of_parts(arena, n, size, parts, s->span);
    s->label = TCT_SUM_OF_PARTS;
    s->flops = tct_loop_flops(s->loop);
}

void tct_plan_parts(tct_planner *p, tct_value v, uint32_t at) {
    const tct_graph *body = tct_node_of(p->g, v)->attr.body;
    uint32_t first = first_result(p, v, at), n_out = (uint32_t)body->outputs.len;
    const tct_loop *l = p->steps.data[at].loop;
    bool *done = TCT_NEW_ARRAY(&p->temporary, bool, n_out);
    uint32_t *same = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_out);
    for (uint32_t k = 0; k < n_out; k++) {
        if (done[k] || !in_parts(l, first + k)) continue;
        int64_t size = tct_node_elements(body, tct_node_of(body, body->outputs.data[k].value));
        uint32_t n = 0;
        for (uint32_t j = k; j < n_out; j++) {
            const tct_node *other = tct_node_of(body, body->outputs.data[j].value);
            if (done[j] || !in_parts(l, first + j) || tct_node_elements(body, other) != size) continue;
            done[j] = true;
            same[n++] = j;
        }
        add_up(p, v, at, n, same, size);
    }
}
