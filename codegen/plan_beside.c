// Which kernels may share a dispatch: neighbours in the order, none of which writes what another one touches.
#include "codegen/plan_build.h"

static bool overlap(const tct_planner *p, const tct_operand *a, const tct_operand *b) {
    uint32_t x = tct_root(p, a->storage), y = tct_root(p, b->storage);
    if (x == y) return true;
    const tct_storage *s = &p->storages.data[x], *t = &p->storages.data[y];
    return s->place == TCT_PLACE_ARENA && t->place == TCT_PLACE_ARENA && s->offset < t->offset + t->bytes &&
           t->offset < s->offset + s->bytes;
}

static bool collide(const tct_planner *p, const tct_pstep *a, const tct_pstep *b) {
    for (uint32_t i = 0; i < a->n_operands; i++)
        for (uint32_t k = 0; k < b->n_operands; k++)
            if ((a->operands[i].written || b->operands[k].written) &&
                overlap(p, &a->operands[i], &b->operands[k]))
                return true;
    return false;
}

void tct_plan_beside(const tct_planner *p, tct_step *steps) {
    uint32_t first = 0, operands = 0; // of the kernels that share a dispatch so far
    for (uint32_t i = 0; i < p->steps.len; i++) {
        const tct_pstep *s = &p->steps.data[p->order[i]];
        bool beside = i > 0 && steps[i].kind == TCT_STEP_KERNEL && steps[i - 1].kind == TCT_STEP_KERNEL &&
                      i - first < TCT_PLAN_MOST_BESIDE &&
                      operands + s->n_operands <= TCT_PLAN_MOST_OPERANDS_BESIDE;
        for (uint32_t k = first; beside && k < i; k++) beside = !collide(p, &p->steps.data[p->order[k]], s);
        if (!beside) first = i, operands = 0;
        operands += s->n_operands;
        steps[i].beside = beside;
    }
}
