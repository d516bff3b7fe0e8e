// Results that take over memory whatever the order of steps will be: the caller's outputs, inputs that the
// caller donates to an output, and what a scatter or a product adds to.
#include "codegen/plan_build.h"

#include <assert.h>

// Who reads what, kept up while storages become one and copies are added, so that nothing is looked for in
// all steps.
typedef struct reader {
    uint32_t step, next; // next reader of the same storage, UINT32_MAX: none
} reader;

typedef struct sharing {
    tct_planner *p;
    TCT_VEC(reader) readers;
    TCT_VEC(uint32_t) first_reader; // by storage; UINT32_MAX: none
    // By storage: the next of those that have become one, of a root also their last; UINT32_MAX: none.
    TCT_VEC(uint32_t) next_member;
    TCT_VEC(uint32_t) last_member;
    TCT_VEC(uint32_t) walked; // by step: the last walk that came by
    uint32_t walks;
    // The first step that must run after one with a higher number; no step before it waits for a later one.
    uint32_t first_backward;
} sharing;

// Takes storages and steps in that are new since the last call.
static void take_in(sharing *w, uint32_t first_step) {
    tct_planner *p = w->p;
    while (w->first_reader.len < p->storages.len) {
        uint32_t s = (uint32_t)w->first_reader.len;
        assert(p->storages.data[s].root == s);
        TCT_PUSH(&w->first_reader, UINT32_MAX);
        TCT_PUSH(&w->next_member, UINT32_MAX);
        TCT_PUSH(&w->last_member, s);
    }
    for (uint32_t t = first_step; t < p->steps.len; t++) {
        const tct_pstep *s = &p->steps.data[t];
        TCT_PUSH(&w->walked, 0);
        for (uint32_t k = 0; k < s->n_operands; k++) {
            if (!s->operands[k].read) continue;
            reader r = {t, w->first_reader.data[s->operands[k].storage]};
            w->first_reader.data[s->operands[k].storage] = (uint32_t)w->readers.len;
            TCT_PUSH(&w->readers, r);
        }
    }
}

// A copy as a step; where it writes is new.
static uint32_t add_copy(sharing *w, uint32_t from, int64_t from_offset, uint32_t to, tct_dtype dtype,
                         int64_t n, tct_span span) {
    uint32_t step = tct_copy_step(w->p, from, from_offset, to, dtype, n, span);
    w->p->storages.data[to].writer = step;
    take_in(w, step);
    return step;
}

// The memory of `s`, a root, is that of `root` from now on.
static void unite(sharing *w, uint32_t s, uint32_t root) {
    assert(w->p->storages.data[s].root == s && w->p->storages.data[root].root == root && s != root);
    w->p->storages.data[s].root = root;
    w->next_member.data[w->last_member.data[root]] = s;
    w->last_member.data[root] = w->last_member.data[s];
}

static void add_edge(sharing *w, uint32_t before, uint32_t after) {
    tct_add_edge(w->p, before, after);
    if (before > after && after < w->first_backward) w->first_backward = after;
}

// Whether step `to` must run after step `from`.
static bool leads(sharing *w, uint32_t from, uint32_t to) {
    const tct_planner *p = w->p;
    TCT_VEC(uint32_t) stack = {0};
    uint32_t mark = ++w->walks;
    bool found = from == to;
    TCT_PUSH(&stack, to);
    while (stack.len && !found) {
        uint32_t at = stack.data[--stack.len];
        if (at < from && at < w->first_backward) continue;
        const tct_pstep *s = &p->steps.data[at];
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
            if (before == UINT32_MAX || w->walked.data[before] == mark) continue;
            w->walked.data[before] = mark;
            found = before == from;
            TCT_PUSH(&stack, before);
        }
    }
    TCT_VEC_FREE(&stack);
    return found;
}

// Whether all other steps that read the memory of `root` may do so before step `at`; then they must.
static bool read_before(sharing *w, uint32_t root, uint32_t at) {
    for (int adding = 0; adding < 2; adding++)
        for (uint32_t m = root; m != UINT32_MAX; m = w->next_member.data[m])
            for (uint32_t r = w->first_reader.data[m]; r != UINT32_MAX; r = w->readers.data[r].next) {
                uint32_t t = w->readers.data[r].step;
                if (t == at) continue;
                if (adding)
                    add_edge(w, t, at);
                else if (leads(w, at, t))
                    return false;
            }
    return true;
}

static tct_storage *storage(tct_planner *p, uint32_t s) { return &p->storages.data[s]; }

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
static bool take_over(sharing *w, uint32_t at, uint32_t result, uint32_t root) {
    tct_planner *p = w->p;
    if (storage(p, result)->bytes != storage(p, root)->bytes || !writes_where_it_reads(p, at, result, root) ||
        !read_before(w, root, at))
        return false;
    unite(w, result, root);
    return true;
}

static uint32_t input_storage(const tct_planner *p, uint32_t input) {
    return p->value[p->g->inputs.data[input]].storage;
}

// Output `k` of the graph as a copy of what lies in storage `s`.
static void copy_output(sharing *w, uint32_t k, uint32_t s) {
    tct_planner *p = w->p;
    const tct_output *o = &p->g->outputs.data[k];
    const tct_node *n = tct_node_of(p->g, o->value);
    int64_t elements = tct_node_elements(p->g, n);
    tct_dtype dtype = (tct_dtype)n->dtype;
    uint32_t to = tct_new_storage(p, dtype, storage(p, s)->bytes);
    if (o->alias < 0) {
        storage(p, to)->place = TCT_PLACE_OUTPUT;
        storage(p, to)->index = k;
        add_copy(w, s, 0, to, dtype, elements, n->span);
        return;
    }
    // Into an input's memory: from a copy of our own, because the source may be another donated input.
    uint32_t between = tct_new_storage(p, dtype, storage(p, s)->bytes),
             target = input_storage(p, (uint32_t)o->alias);
    add_copy(w, s, 0, between, dtype, elements, n->span);
    uint32_t step = add_copy(w, between, 0, to, dtype, elements, n->span);
    bool ok = take_over(w, step, to, tct_root(p, target));
    assert(ok);
    (void)ok;
}

static bool is_caller_s(const tct_planner *p, uint32_t s) {
    return p->storages.data[s].place == TCT_PLACE_INPUT;
}

static void place_outputs(sharing *w) {
    tct_planner *p = w->p;
    size_t n = p->g->outputs.len;
    bool *copied = TCT_NEW_ARRAY(&p->temporary, bool, n);
    // Inputs that are outputs as they came: saved before anything takes their memory over.
    for (uint32_t k = 0; k < n; k++) {
        const tct_output *o = &p->g->outputs.data[k];
        uint32_t s = p->value[o->value].storage;
        if (is_caller_s(p, s) && o->alias != (int32_t)storage(p, s)->index) copy_output(w, k, s);
    }
    for (uint32_t k = 0; k < n; k++) {
        const tct_output *o = &p->g->outputs.data[k];
        uint32_t s = p->value[o->value].storage;
        const tct_storage *at = storage(p, s);
        if (is_caller_s(p, s)) continue;
        bool fresh = at->place == TCT_PLACE_ARENA && at->root == s;
        if (fresh && o->alias >= 0) {
            copied[k] = !take_over(w, at->writer, s, tct_root(p, input_storage(p, (uint32_t)o->alias)));
        } else if (fresh) {
            storage(p, s)->place = TCT_PLACE_OUTPUT;
            storage(p, s)->index = k;
        } else {
            copied[k] = true;
        }
    }
    for (uint32_t k = 0; k < n; k++)
        if (copied[k]) copy_output(w, k, p->value[p->g->outputs.data[k].value].storage);
}

// A scatter adds to its base. If nobody wants that any more it is the result's memory from the start;
// otherwise it is copied first.
static void place_scatter(sharing *w, uint32_t at) {
    tct_planner *p = w->p;
    const tct_pstep *s = &p->steps.data[at];
    tct_operand base = s->operands[s->scatter_base - 1];
    uint32_t result = s->operands[tct_scatter_result(s)].storage, root = tct_root(p, base.storage);
    if (tct_root(p, result) == root) return;
    if (is_free_base(p, s) && storage(p, root)->place == TCT_PLACE_ARENA &&
        storage(p, tct_root(p, result))->place != TCT_PLACE_INPUT && read_before(w, root, at)) {
        unite(w, root, tct_root(p, result));
        return;
    }
    tct_dtype dtype = (tct_dtype)storage(p, result)->dtype;
    uint64_t bytes = storage(p, result)->bytes;
    uint32_t copy = tct_new_storage(p, dtype, bytes);
    uint32_t step = add_copy(w, base.storage, base.offset, copy, dtype,
                             (int64_t)(bytes / tct_dtype_size(dtype)), s->span);
    unite(w, copy, tct_root(p, result));
    add_edge(w, step, at);
}

void tct_plan_share(tct_planner *p) {
    sharing w = {.p = p, .first_backward = UINT32_MAX};
    take_in(&w, 0);
    place_outputs(&w);
    size_t n = p->steps.len;
    for (uint32_t t = 0; t < n; t++)
        if (p->steps.data[t].scatter_base) place_scatter(&w, t);
    TCT_VEC_FREE(&w.readers);
    TCT_VEC_FREE(&w.first_reader);
    TCT_VEC_FREE(&w.next_member);
    TCT_VEC_FREE(&w.last_member);
    TCT_VEC_FREE(&w.walked);
}
