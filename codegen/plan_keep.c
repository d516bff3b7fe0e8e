// Products that read the same B, or more and more of its columns, as queries of later and later rows do of
// keys, or of its steps of k, as their probabilities do of values: what one has packed stays for those that
// follow.
#include "codegen/plan_build.h"

#include <string.h>

enum { MOST_BYTES = 1 << 20 }; // a core's own cache holds it beside everything else

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static bool may_keep(const tct_pstep *s) {
    if (!s->gemm || s->scatter_base) return false;
    const tct_gemm_args *g = &s->gemm->args;
    return g->path == TCT_GEMM_BF16 && g->k_unit == 2 * TCT_GEMM_SIDE && g->batch == 1 && g->m && g->n &&
           g->k && g->m <= g->mc && (g->k <= g->kc || g->k % g->kc == 0) && g->k <= g->ks && g->b_n.n <= 1 &&
           tct_gemm_kept(g) <= MOST_BYTES;
}

// How products that pack the same matrix in the same way differ in what they take of it.
typedef enum growth {
    GROWTH_NONE,    // they don't
    GROWTH_COLUMNS, // in columns
    GROWTH_STEPS,   // in steps of k, whole blocks of them
    GROWTH_ALIEN,   // one can't use what the other packs
} growth;

static bool same_stride(const tct_gemm_axes *x, const tct_gemm_axes *y) {
    return x->n <= 1 && y->n <= 1 && (!x->n || !y->n || x->stride[0] == y->stride[0]);
}

static growth growth_of(const tct_pstep *s, const tct_pstep *t) {
    const tct_gemm_args *g = &s->gemm->args, *h = &t->gemm->args;
    if (s->operands[2].storage != t->operands[2].storage || s->operands[2].offset != t->operands[2].offset ||
        g->bytes_b != h->bytes_b || g->round_b != h->round_b || g->pieces_b != h->pieces_b ||
        g->feed_b != h->feed_b || g->nr != h->nr || g->kc != h->kc || !same_stride(&g->b_n, &h->b_n))
        return GROWTH_ALIEN;
    if (g->k == h->k && memcmp(&g->b_k, &h->b_k, sizeof g->b_k) == 0) {
        if (g->n == h->n) return GROWTH_NONE;
        return g->k <= g->kc ? GROWTH_COLUMNS : GROWTH_ALIEN;
    }
    bool whole = g->k % g->kc == 0 && h->k % h->kc == 0;
    return g->n == h->n && whole && same_stride(&g->b_k, &h->b_k) ? GROWTH_STEPS : GROWTH_ALIEN;
}

// What there is packed already.
typedef struct packed {
    uint32_t storage;
    growth growth;
    int64_t columns, steps; // by the widest, and by the longest product so far
} packed;

static void keep(tct_planner *p, uint32_t step, packed *done) {
    tct_pstep *s = &p->steps.data[step];
    tct_operand *operands = TCT_NEW_ARRAY(&p->temporary, tct_operand, s->n_operands + 1);
    memcpy(operands, s->operands, s->n_operands * sizeof *operands);
    operands[s->n_operands] = (tct_operand){done->storage, 0, false, true};
    s->operands = operands;
    tct_gemm_args *g = &s->gemm->args;
    g->b_kept = s->n_operands++;
    bool steps = done->growth == GROWTH_STEPS || g->k > g->kc;
    int64_t columns = g->n / g->nr * g->nr;
    g->b_done_steps = steps ? least(done->steps, g->k) : 0;
    g->b_done = steps ? 0 : least(done->columns, columns);
    if (columns > done->columns) done->columns = columns;
    if (g->k > done->steps) done->steps = g->k;
    s->gemm->scratch = tct_gemm_scratch(g);
    tct_storage *to = &p->storages.data[done->storage];
    uint64_t bytes = tct_gemm_kept(g);
    if (bytes > to->bytes) to->bytes = bytes;
}

// Steps from `first` on that pack what it packs, one after the other.
static void keep_for(tct_planner *p, uint32_t first, bool *seen) {
    packed done = {.storage = UINT32_MAX};
    uint32_t before = first;
    for (uint32_t i = first + 1; i < p->steps.len; i++) {
        if (seen[i] || !may_keep(&p->steps.data[i])) continue;
        growth how = growth_of(&p->steps.data[first], &p->steps.data[i]);
        if (how == GROWTH_ALIEN || (how != GROWTH_NONE && done.growth != GROWTH_NONE && how != done.growth))
            continue;
        seen[i] = true;
        if (done.storage == UINT32_MAX) {
            done.storage = tct_new_storage(p, TCT_F32, 0);
            p->storages.data[done.storage].writer = first;
            keep(p, first, &done);
        }
        if (how != GROWTH_NONE) done.growth = how;
        keep(p, i, &done);
        tct_add_edge(p, before, i);
        before = i;
    }
}

void tct_plan_keep(tct_planner *p) {
    bool *seen = TCT_NEW_ARRAY(&p->temporary, bool, p->steps.len);
    for (uint32_t i = 0; i < p->steps.len; i++)
        if (!seen[i] && may_keep(&p->steps.data[i])) keep_for(p, i, seen);
}
