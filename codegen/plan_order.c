// The order of steps: that of the graph, but whoever frees at least as much memory as he takes goes first,
// and before him whoever makes little of much, as a norm does: what he reads has just been written. Then,
// with life times known, results overwrite operands that die with their step.
#include "codegen/plan_build.h"

typedef struct follower {
    uint32_t step, next;
} follower;

enum { HAS_RUN = UINT32_MAX, LITTLE = 64 }; // results that much smaller than what is read

typedef TCT_VEC(uint32_t) heap; // of steps, the lowest number first

typedef struct ordering {
    tct_planner *p;
    uint32_t *waits;     // by step: for how many; HAS_RUN
    uint32_t *followers; // by step: the first of them in `list`
    TCT_VEC(follower) list;
    uint32_t *uses;       // root storages that steps use, each once
    uint32_t *first_use;  // by step, and one more
    uint32_t *users;      // steps, by what they use
    uint32_t *first_user; // by root storage, and one more
    uint32_t *left;       // by root storage: users that didn't run yet
    bool *taken;          // by root storage
    bool *good;           // by step: it is ready and frees at least what it takes, so it always will
    // Steps that are ready: those that make little of much, the other good ones, and all of them. Some of the
    // latter have run.
    heap near, best, ready;
} ordering;

// --- Heaps ---

static void push(heap *h, uint32_t step) {
    TCT_PUSH(h, step);
    size_t k = h->len - 1;
    for (; k > 0 && h->data[(k - 1) / 2] > step; k = (k - 1) / 2) h->data[k] = h->data[(k - 1) / 2];
    h->data[k] = step;
}

static uint32_t pop(heap *h) {
    uint32_t top = h->data[0], last = h->data[--h->len];
    size_t k = 0;
    for (size_t child; (child = 2 * k + 1) < h->len; k = child) {
        if (child + 1 < h->len && h->data[child + 1] < h->data[child]) child++;
        if (h->data[child] >= last) break;
        h->data[k] = h->data[child];
    }
    h->data[k] = last;
    return top;
}

// --- Who uses which memory ---

static void collect_uses(ordering *o) {
    tct_planner *p = o->p;
    size_t n = p->steps.len, n_storages = p->storages.len, all = 0;
    for (size_t s = 0; s < n; s++) all += p->steps.data[s].n_operands;
    uint32_t *seen = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_storages); // use + 1 of the step at hand
    o->uses = TCT_NEW_ARRAY(&p->temporary, uint32_t, all);
    o->first_use = TCT_NEW_ARRAY(&p->temporary, uint32_t, n + 1);
    o->left = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_storages);
    uint32_t found = 0;
    for (size_t s = 0; s < n; s++) {
        const tct_pstep *step = &p->steps.data[s];
        o->first_use[s] = found;
        for (uint32_t k = 0; k < step->n_operands; k++) {
            uint32_t root = tct_root(p, step->operands[k].storage);
            if (seen[root] > o->first_use[s]) continue;
            o->uses[found++] = root;
            seen[root] = found;
            o->left[root]++;
        }
    }
    o->first_use[n] = found;
    o->users = TCT_NEW_ARRAY(&p->temporary, uint32_t, found);
    o->first_user = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_storages + 1);
    uint32_t *fill = TCT_NEW_ARRAY(&p->temporary, uint32_t, n_storages);
    for (size_t r = 0, at = 0; r < n_storages; at += o->left[r++]) o->first_user[r] = fill[r] = (uint32_t)at;
    o->first_user[n_storages] = found;
    for (uint32_t s = 0; s < n; s++)
        for (uint32_t u = o->first_use[s]; u < o->first_use[s + 1]; u++) o->users[fill[o->uses[u]]++] = s;
}

// --- Who may run ---

static void add_follower(ordering *o, uint32_t step, uint32_t before) {
    if (before == step || before == UINT32_MAX) return;
    follower f = {step, o->followers[before]};
    o->followers[before] = (uint32_t)o->list.len;
    TCT_PUSH(&o->list, f);
    o->waits[step]++;
}

// Bytes of the arena that the step frees less those that it takes. It only grows while other steps run.
static int64_t gain(const ordering *o, uint32_t step) {
    int64_t bytes = 0;
    for (uint32_t u = o->first_use[step]; u < o->first_use[step + 1]; u++) {
        uint32_t root = o->uses[u];
        const tct_storage *at = &o->p->storages.data[root];
        if (at->place != TCT_PLACE_ARENA) continue;
        if (!o->taken[root]) bytes -= (int64_t)at->bytes;
        if (o->left[root] == 1) bytes += (int64_t)at->bytes;
    }
    return bytes;
}

// Whether a step makes little of what other steps have written.
static bool makes_little(const ordering *o, uint32_t step) {
    const tct_pstep *s = &o->p->steps.data[step];
    uint64_t reads = 0, writes = 0;
    for (uint32_t k = 0; k < s->n_operands; k++) {
        const tct_storage *at = &o->p->storages.data[s->operands[k].storage];
        if (s->operands[k].written)
            writes += at->bytes;
        else if (at->writer != UINT32_MAX)
            reads += at->bytes;
    }
    return s->kind == TCT_STEP_KERNEL && writes * LITTLE <= reads;
}

static void look_again(ordering *o, uint32_t step) {
    if (o->waits[step] || o->good[step] || gain(o, step) < 0) return;
    o->good[step] = true;
    push(&o->best, step);
}

static void make_ready(ordering *o, uint32_t step) {
    push(&o->ready, step);
    if (makes_little(o, step)) {
        o->good[step] = true;
        push(&o->near, step);
    }
    look_again(o, step);
}

static void start(ordering *o) {
    tct_planner *p = o->p;
    size_t n = p->steps.len;
    o->waits = TCT_NEW_ARRAY(&p->temporary, uint32_t, n);
    o->followers = TCT_NEW_ARRAY(&p->temporary, uint32_t, n);
    o->good = TCT_NEW_ARRAY(&p->temporary, bool, n);
    o->taken = TCT_NEW_ARRAY(&p->temporary, bool, p->storages.len);
    collect_uses(o);
    for (size_t s = 0; s < n; s++) o->followers[s] = UINT32_MAX;
    for (uint32_t s = 0; s < n; s++) {
        const tct_pstep *step = &p->steps.data[s];
        for (uint32_t k = 0; k < step->n_operands; k++)
            if (step->operands[k].read)
                add_follower(o, s, p->storages.data[step->operands[k].storage].writer);
        for (uint32_t e = step->first_edge; e != UINT32_MAX; e = p->edges.data[e].next)
            add_follower(o, s, p->edges.data[e].before);
    }
    for (uint32_t s = 0; s < n; s++)
        if (!o->waits[s]) make_ready(o, s);
}
static uint32_t choose(ordering *o) {
    if (o->near.len) return pop(&o->near);
    if (o->best.len) return pop(&o->best);
    while (o->ready.len) {
        uint32_t step = pop(&o->ready);
        if (o->waits[step] != HAS_RUN) return step;
    }
    return UINT32_MAX;
}

static void run(ordering *o, uint32_t step, uint32_t position) {
    tct_planner *p = o->p;
    p->steps.data[step].position = position;
    p->order[position] = step;
    o->waits[step] = HAS_RUN;
    for (uint32_t u = o->first_use[step]; u < o->first_use[step + 1]; u++) {
        uint32_t root = o->uses[u];
        tct_storage *at = &p->storages.data[root];
        bool fresh = !o->taken[root];
        if (fresh) at->first = position;
        at->last = position;
        o->taken[root] = true;
        o->left[root]--;
        if (!fresh && o->left[root] != 1) continue; // else the gain of others has grown
        for (uint32_t k = o->first_user[root]; k < o->first_user[root + 1]; k++) look_again(o, o->users[k]);
    }
    for (uint32_t f = o->followers[step]; f != UINT32_MAX; f = o->list.data[f].next)
        if (--o->waits[o->list.data[f].step] == 0) make_ready(o, o->list.data[f].step);
}

// --- Overwriting ---

static bool used_once(const tct_planner *p, const tct_pstep *s, uint32_t root) {
    uint32_t n = 0;
    for (uint32_t j = 0; j < s->n_operands; j++) n += tct_root(p, s->operands[j].storage) == root;
    return n == 1;
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
        if (!s->operands[k].written || s->operands[k].offset || to->place != TCT_PLACE_ARENA ||
            to->first != s->position || !used_once(p, s, out))
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

// What a scan carries lies where the last of it belongs from the start: there, too, if nobody else wants it.
static void share_carries(tct_planner *p, tct_pstep *s) {
    for (uint32_t k = 0; k < s->scan->n_carries; k++) {
        uint32_t in = tct_root(p, s->operands[k].storage),
                 out = tct_root(p, s->operands[s->scan->n_in + k].storage);
        tct_storage *from = &p->storages.data[in], *to = &p->storages.data[out];
        if (s->operands[k].offset || from->place != TCT_PLACE_ARENA || to->place != TCT_PLACE_ARENA ||
            from->last != s->position || to->first != s->position || from->bytes != to->bytes ||
            !used_once(p, s, in) || !used_once(p, s, out))
            continue;
        to->root = in;
        from->last = to->last;
    }
}

void tct_plan_order(tct_planner *p) {
    ordering o = {.p = p};
    uint32_t n = (uint32_t)p->steps.len, position = 0;
    p->order = TCT_NEW_ARRAY(&p->temporary, uint32_t, n);
    start(&o);
    for (uint32_t step; (step = choose(&o)) != UINT32_MAX;) run(&o, step, position++);
    TCT_VEC_FREE(&o.ready);
    TCT_VEC_FREE(&o.best);
    TCT_VEC_FREE(&o.near);
    TCT_VEC_FREE(&o.list);
    for (uint32_t at = 0; at < position; at++) {
        tct_pstep *s = &p->steps.data[p->order[at]];
        if (s->scan) share_carries(p, s);
        if (!s->loop || s->scatter_base) continue;
        if (s->gemm) share_product(p, s);
        share_operands(p, s);
    }
}
