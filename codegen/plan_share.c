// Results that take over memory whatever the order of steps will be: the caller's outputs, inputs that the
// caller donates to an output, and what a scatter or a product adds to.
#include "codegen/plan_build.h"

#include <assert.h>

void tct_add_edge(tct_planner *p, uint32_t before, uint32_t after) {
    tct_pstep *s = &p->steps.data[after];
    tct_edge e = {before, s->first_edge};
    s->first_edge = (uint32_t)p->edges.len;
    TCT_PUSH(&p->edges, e);
}

bool tct_plan_leads(tct_planner *p, uint32_t from, uint32_t to) {
    if (p->walk_size < p->steps.len) {
        p->walk_size = 2 * (uint32_t)p->steps.len;
        p->walk = TCT_NEW_ARRAY(&p->temporary, uint32_t, p->walk_size);
        p->walks = 0;
    }
    TCT_VEC(uint32_t) stack = {0};
    uint32_t mark = ++p->walks;
    bool found = from == to;
    TCT_PUSH(&stack, to);
    while (stack.len && !found) {
        const tct_pstep *s = &p->steps.data[stack.data[--stack.len]];
        uint32_t edge = s->first_edge, k = 0;
        while (!found) {
            uint32_t before;
            if (k < s->n_operands) {
                const tct_operand *o = &s->operands[k++];
                if (!o->read) continue;
                before = p->storages.data[o->storage].writer;
            } else if (edge != UINT32_MAX) {
                before = p->edges.data[edge].before;
                edge = p->edges.data[edge].next;
            } else {
                break;
            }
            if (before == UINT32_MAX || p->walk[before] == mark) continue;
            p->walk[before] = mark;
            found = before == from;
            TCT_PUSH(&stack, before);
        }
    }
    TCT_VEC_FREE(&stack);
    return found;
}

static tct_storage *storage(tct_planner *p, uint32_t s) { return &p->storages.data[s]; }

static bool reads(const tct_planner *p, const tct_pstep *s, uint32_t root) {
    for (uint32_t k = 0; k < s->n_operands; k++)
        if (s->operands[k].read && tct_root(p, s->operands[k].storage) == root) return true;
    return false;
}

// Whether the step of a scatter may work in its base: it must not read anything else there.
static bool is_free_base(const tct_planner *p, const tct_pstep *s) {
    uint32_t base = s->scatter_base - 1, root = tct_root(p, s->operands[base].storage);
    if (s->loop && tct_loop_loads(s->loop, base)) return false;
    for (uint32_t k = 0; k < s->n_operands; k++)
        if (k != base && k != tct_scatter_result(s) && tct_root(p, s->operands[k].storage) == root)
            return false;
    return true;
}

// Whether step `at`, which writes `result`, may do so in the memory of `root`, as far as its own reads go.
static bool writes_where_it_reads(tct_planner *p, uint32_t at, uint32_t result, uint32_t root) {
    const tct_pstep *s = &p->steps.data[at];
    uint32_t out = 0;
    while (s->operands[out].storage != result || !s->operands[out].written) out++;
    if (s->scatter_base)
        return is_free_base(p, s) && tct_root(p, s->operands[s->scatter_base - 1].storage) == root;
    for (uint32_t k = 0; k < s->n_operands; k++) {
        const tct_operand *o = &s->operands[k];
        if (!o->read || tct_root(p, o->storage) != root) continue;
        if (!s->loop || o->offset || (s->gemm && k < 3) || !tct_loop_may_share(s->loop, out, k)) return false;
    }
    return true;
}

// Step `at` writes `result` in the memory of `root`: everybody else who reads that must have done so before.
// False when somebody can't.
static bool take_over(tct_planner *p, uint32_t at, uint32_t result, uint32_t root) {
    if (storage(p, result)->bytes != storage(p, root)->bytes || !writes_where_it_reads(p, at, result, root))
        return false;
    for (uint32_t t = 0; t < p->steps.len; t++)
        if (t != at && reads(p, &p->steps.data[t], root) && tct_plan_leads(p, at, t)) return false;
    for (uint32_t t = 0; t < p->steps.len; t++)
        if (t != at && reads(p, &p->steps.data[t], root)) tct_add_edge(p, t, at);
    storage(p, result)->root = root;
    return true;
}

static uint32_t input_storage(const tct_planner *p, uint32_t input) {
    return p->value[p->g->inputs.data[input]].storage;
}

// Output `k` of the graph as a copy of what lies in storage `s`.
static void copy_output(tct_planner *p, uint32_t k, uint32_t s) {
    const tct_output *o = &p->g->outputs.data[k];
    const tct_node *n = tct_node_of(p->g, o->value);
    int64_t elements = tct_node_elements(p->g, n);
    tct_dtype dtype = (tct_dtype)n->dtype;
    uint32_t to = tct_new_storage(p, dtype, storage(p, s)->bytes);
    if (o->alias < 0) {
        storage(p, to)->place = TCT_PLACE_OUTPUT;
        storage(p, to)->index = k;
        uint32_t step = tct_copy_step(p, s, 0, to, dtype, elements, n->span);
        storage(p, to)->writer = step;
        return;
    }
    // Into an input's memory: from a copy of our own, because the source may be another donated input.
    uint32_t between = tct_new_storage(p, dtype, storage(p, s)->bytes),
             target = input_storage(p, (uint32_t)o->alias);
    storage(p, between)->writer = tct_copy_step(p, s, 0, between, dtype, elements, n->span);
    uint32_t step = tct_copy_step(p, between, 0, to, dtype, elements, n->span);
    storage(p, to)->writer = step;
    bool ok = take_over(p, step, to, tct_root(p, target));
    assert(ok);
    (void)ok;
}

static bool is_caller_s(const tct_planner *p, uint32_t s) {
    return p->storages.data[s].place == TCT_PLACE_INPUT;
}

static void place_outputs(tct_planner *p) {
    size_t n = p->g->outputs.len;
    bool *copied = TCT_NEW_ARRAY(&p->temporary, bool, n);
    // Inputs that are outputs as they came: saved before anything takes their memory over.
    for (uint32_t k = 0; k < n; k++) {
        const tct_output *o = &p->g->outputs.data[k];
        uint32_t s = p->value[o->value].storage;
        if (is_caller_s(p, s) && o->alias != (int32_t)storage(p, s)->index) copy_output(p, k, s);
    }
    for (uint32_t k = 0; k < n; k++) {
        const tct_output *o = &p->g->outputs.data[k];
        uint32_t s = p->value[o->value].storage;
        const tct_storage *at = storage(p, s);
        if (is_caller_s(p, s)) continue;
        bool fresh = at->place == TCT_PLACE_ARENA && at->root == s;
        if (fresh && o->alias >= 0) {
            copied[k] = !take_over(p, at->writer, s, tct_root(p, input_storage(p, (uint32_t)o->alias)));
        } else if (fresh) {
            storage(p, s)->place = TCT_PLACE_OUTPUT;
            storage(p, s)->index = k;
        } else {
            copied[k] = true;
        }
    }
    for (uint32_t k = 0; k < n; k++)
        if (copied[k]) copy_output(p, k, p->value[p->g->outputs.data[k].value].storage);
}

// A scatter adds to its base. If nobody wants that any more it is the result's memory from the start;
// otherwise it is copied first.
static void place_scatter(tct_planner *p, uint32_t at) {
    const tct_pstep *s = &p->steps.data[at];
    tct_operand base = s->operands[s->scatter_base - 1];
    uint32_t result = s->operands[tct_scatter_result(s)].storage, root = tct_root(p, base.storage);
    if (tct_root(p, result) == root) return;
    bool free_base = is_free_base(p, s) && storage(p, root)->place == TCT_PLACE_ARENA &&
                     storage(p, tct_root(p, result))->place != TCT_PLACE_INPUT;
    for (uint32_t t = 0; t < p->steps.len && free_base; t++)
        if (t != at && reads(p, &p->steps.data[t], root) && tct_plan_leads(p, at, t)) free_base = false;
    if (free_base) {
        for (uint32_t t = 0; t < p->steps.len; t++)
            if (t != at && reads(p, &p->steps.data[t], root)) tct_add_edge(p, t, at);
        storage(p, root)->root = tct_root(p, result);
        return;
    }
    tct_dtype dtype = (tct_dtype)storage(p, result)->dtype;
    uint64_t bytes = storage(p, result)->bytes;
    uint32_t copy = tct_new_storage(p, dtype, bytes);
    storage(p, copy)->root = tct_root(p, result);
    uint32_t step = tct_copy_step(p, base.storage, base.offset, copy, dtype,
                                  (int64_t)(bytes / tct_dtype_size(dtype)), s->span);
    storage(p, copy)->writer = step;
    tct_add_edge(p, step, at);
}

void tct_plan_share(tct_planner *p) {
    place_outputs(p);
    size_t n = p->steps.len;
    for (uint32_t t = 0; t < n; t++)
        if (p->steps.data[t].scatter_base) place_scatter(p, t);
}
