// Products that read the same B, or more and more of its columns, as queries of later and later rows do of
// keys: what one has packed stays for those that follow.
#include "codegen/plan_build.h"

#include <string.h>

enum { MOST_BYTES = 1 << 20 }; // a core's own cache holds it beside everything else

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static bool may_keep(const tct_pstep *s) {
    if (!s->gemm || s->loop || s->scatter_base) return false;
    const tct_gemm_args *g = &s->gemm->args;
    return g->path == TCT_GEMM_BF16 && g->k_unit == 2 * TCT_GEMM_SIDE && g->batch == 1 && g->m && g->n &&
           g->k && g->m <= g->mc && g->k <= g->kc && g->k <= g->kb && g->k <= g->ks && g->b_n.n <= 1 &&
           tct_gemm_kept(g) <= MOST_BYTES;
}

// Whether both pack columns of the same matrix in the same way; one may have more of them.
static bool pack_alike(const tct_pstep *s, const tct_pstep *t) {
    const tct_gemm_args *g = &s->gemm->args, *h = &t->gemm->args;
    return s->operands[2].storage == t->operands[2].storage &&
           s->operands[2].offset == t->operands[2].offset && g->k == h->k && g->bytes_b == h->bytes_b &&
           g->round_b == h->round_b && g->pieces_b == h->pieces_b && g->feed_b == h->feed_b &&
           g->nr == h->nr && g->b_n.n == h->b_n.n && (!g->b_n.n || g->b_n.stride[0] == h->b_n.stride[0]) &&
           memcmp(&g->b_k, &h->b_k, sizeof g->b_k) == 0;
}

static void keep(tct_planner *p, uint32_t step, uint32_t storage, int64_t done) {
    tct_pstep *s = &p->steps.data[step];
    tct_operand *operands = TCT_NEW_ARRAY(&p->temporary, tct_operand, s->n_operands + 1);
    memcpy(operands, s->operands, s->n_operands * sizeof *operands);
    operands[s->n_operands] = (tct_operand){storage, 0, false, true};
    s->operands = operands;
    s->gemm->args.b_kept = s->n_operands++;
    s->gemm->args.b_done = done;
    s->gemm->scratch = tct_gemm_scratch(&s->gemm->args);
    tct_storage *to = &p->storages.data[storage];
    uint64_t bytes = tct_gemm_kept(&s->gemm->args);
    if (bytes > to->bytes) to->bytes = bytes;
}

// Steps from `first` on that pack what it packs, one after the other.
static void keep_for(tct_planner *p, uint32_t first, bool *seen) {
    uint32_t before = first, storage = UINT32_MAX;
    int64_t done = 0;
    for (uint32_t i = first + 1; i < p->steps.len; i++) {
        if (seen[i] || !may_keep(&p->steps.data[i]) || !pack_alike(&p->steps.data[first], &p->steps.data[i]))
            continue;
        seen[i] = true;
        if (storage == UINT32_MAX) {
            storage = tct_new_storage(p, TCT_F32, 0);
            p->storages.data[storage].writer = first;
            keep(p, first, storage, 0);
        }
        const tct_gemm_args *g = &p->steps.data[before].gemm->args;
        if (g->n / g->nr * g->nr > done) done = g->n / g->nr * g->nr;
        keep(p, i, storage, least(done, p->steps.data[i].gemm->args.n / g->nr * g->nr));
        tct_add_edge(p, before, i);
        before = i;
    }
}

void tct_plan_keep(tct_planner *p) {
    bool *seen = TCT_NEW_ARRAY(&p->temporary, bool, p->steps.len);
    for (uint32_t i = 0; i < p->steps.len; i++)
        if (!seen[i] && may_keep(&p->steps.data[i])) keep_for(p, i, seen);
}
