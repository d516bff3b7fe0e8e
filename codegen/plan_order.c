// The order of steps: that of the graph, but whoever frees at least as much memory as he takes goes first.
// Then, with life times known, results overwrite operands that die with their step.
#include "codegen/plan_build.h"

typedef struct follower {
    uint32_t step, next;
} follower;

typedef struct ordering {
    tct_planner *p;
    uint32_t *waits;     // by step: for how many
    uint32_t *followers; // by step: the first of them in `list`
    TCT_VEC(follower) list;
    uint32_t *uses; // by root storage: operands of steps that didn't run yet
    bool *taken;    // by root storage
    TCT_VEC(uint32_t) ready;
} ordering;

static void add_follower(ordering *o, uint32_t step, uint32_t before) {
    if (before == step || before == UINT32_MAX) return;
    follower f = {step, o->followers[before]};
    o->followers[before] = (uint32_t)o->list.len;
    TCT_PUSH(&o->list, f);
    o->waits[step]++;
}

static void start(ordering *o) {
    tct_planner *p = o->p;
    size_t n = p->steps.len;
    o->waits = TCT_NEW_ARRAY(&p->temporary, uint32_t, n);
    o->followers = TCT_NEW_ARRAY(&p->temporary, uint32_t, n);
    o->uses = TCT_NEW_ARRAY(&p->temporary, uint32_t, p->storages.len);
    o->taken = TCT_NEW_ARRAY(&p->temporary, bool, p->storages.len);
    for (size_t s = 0; s < n; s++) o->followers[s] = UINT32_MAX;
    for (uint32_t s = 0; s < n; s++) {
        const tct_pstep *step = &p->steps.data[s];
        for (uint32_t k = 0; k < step->n_operands; k++) {
            o->uses[tct_root(p, step->operands[k].storage)]++;
            if (step->operands[k].read)
                add_follower(o, s, p->storages.data[step->operands[k].storage].writer);
        }
        for (uint32_t e = step->first_edge; e != UINT32_MAX; e = p->edges.data[e].next)
            add_follower(o, s, p->edges.data[e].before);
    }
    for (uint32_t s = 0; s < n; s++)
        if (!o->waits[s]) TCT_PUSH(&o->ready, s);
}

// Operands of s in the memory `root`; `first`: k is the first of them.
static uint32_t operands_in(const tct_planner *p, const tct_pstep *s, uint32_t root, uint32_t k,
                            bool *first) {
    uint32_t n = 0;
    *first = true;
    for (uint32_t j = 0; j < s->n_operands; j++) {
        if (tct_root(p, s->operands[j].storage) != root) continue;
        n++;
        if (j < k) *first = false;
    }
    return n;
}

// Bytes of the arena that the step frees less those that it takes.
static int64_t gain(const ordering *o, uint32_t step) {
    const tct_planner *p = o->p;
    const tct_pstep *s = &p->steps.data[step];
    int64_t bytes = 0;
    for (uint32_t k = 0; k < s->n_operands; k++) {
        uint32_t root = tct_root(p, s->operands[k].storage);
        const tct_storage *at = &p->storages.data[root];
        bool first;
        uint32_t here = operands_in(p, s, root, k, &first);
        if (at->place != TCT_PLACE_ARENA || !first) continue;
        if (!o->taken[root]) bytes -= (int64_t)at->bytes;
        if (o->uses[root] == here) bytes += (int64_t)at->bytes;
    }
    return bytes;
}

static size_t choose(const ordering *o) {
    size_t first = 0, best = SIZE_MAX;
    for (size_t k = 0; k < o->ready.len; k++) {
        if (o->ready.data[k] < o->ready.data[first]) first = k;
        if (best != SIZE_MAX && o->ready.data[k] > o->ready.data[best]) continue;
        if (gain(o, o->ready.data[k]) >= 0) best = k;
    }
    return best == SIZE_MAX ? first : best;
}

static void run(ordering *o, uint32_t step, uint32_t position) {
    tct_planner *p = o->p;
    tct_pstep *s = &p->steps.data[step];
    s->position = position;
    p->order[position] = step;
    for (uint32_t k = 0; k < s->n_operands; k++) {
        uint32_t root = tct_root(p, s->operands[k].storage);
        tct_storage *at = &p->storages.data[root];
        if (!o->taken[root]) at->first = position;
        at->last = position;
        o->taken[root] = true;
        o->uses[root]--;
    }
    for (uint32_t f = o->followers[step]; f != UINT32_MAX; f = o->list.data[f].next)
        if (--o->waits[o->list.data[f].step] == 0) TCT_PUSH(&o->ready, o->list.data[f].step);
}

// --- Overwriting ---

static bool used_once(const tct_planner *p, const tct_pstep *s, uint32_t root) {
    bool first;
    return operands_in(p, s, root, 0, &first) == 1;
}

// The product of a kernel with an epilogue may lie where one of the results goes.
static void share_product(tct_planner *p, tct_pstep *s) {
    uint32_t c = tct_root(p, s->operands[0].storage);
    if (!p->storages.data[s->operands[0].storage].scratch) return;
    for (uint32_t k = 3; k < s->n_operands; k++) {
        if (!s->operands[k].written) continue;
        uint32_t root = tct_root(p, s->operands[k].storage);
        if (p->storages.data[root].bytes != p->storages.data[c].bytes || !used_once(p, s, root) ||
            !tct_loop_may_share(s->loop, k, 0))
            continue;
        p->storages.data[c].root = root;
        return;
    }
}

static void share_operands(tct_planner *p, tct_pstep *s) {
    for (uint32_t k = s->gemm ? 3 : 0; k < s->n_operands; k++) {
        uint32_t out = tct_root(p, s->operands[k].storage);
        tct_storage *to = &p->storages.data[out];
        if (!s->operands[k].written || to->place != TCT_PLACE_ARENA || to->first != s->position ||
            !used_once(p, s, out))
            continue;
        for (uint32_t j = s->gemm ? 3 : 0; j < s->n_operands; j++) {
            uint32_t in = tct_root(p, s->operands[j].storage);
            tct_storage *from = &p->storages.data[in];
            if (!s->operands[j].read || s->operands[j].written || s->operands[j].offset || in == out ||
                from->place != TCT_PLACE_ARENA || from->last != s->position || from->bytes != to->bytes ||
                !used_once(p, s, in) || !tct_loop_may_share(s->loop, k, j))
                continue;
            to->root = in;
            from->last = to->last;
            break;
        }
    }
}

void tct_plan_order(tct_planner *p) {
    ordering o = {.p = p};
    uint32_t n = (uint32_t)p->steps.len, position = 0;
    p->order = TCT_NEW_ARRAY(&p->temporary, uint32_t, n);
    start(&o);
    while (o.ready.len) {
        size_t k = choose(&o);
        uint32_t step = o.ready.data[k];
        o.ready.data[k] = o.ready.data[--o.ready.len];
        run(&o, step, position++);
    }
    TCT_VEC_FREE(&o.ready);
    TCT_VEC_FREE(&o.list);
    for (uint32_t at = 0; at < position; at++) {
        tct_pstep *s = &p->steps.data[p->order[at]];
        if (!s->loop || s->scatter_base) continue;
        if (s->gemm) share_product(p, s);
        share_operands(p, s);
    }
}
