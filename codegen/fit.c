// The pass knows lives of values, the planner what lies where: what the plan takes too much, the pass is
// asked to free in addition, until it fits.
#include "codegen/fit.h"

#include "passes/passes.h"
#include "passes/remat.h"

#include <math.h>

enum { MOST_TRIES = 8 };

uint64_t tct_fit_ports(const tct_graph *g) {
    uint64_t bytes = 0;
    for (size_t k = 0; k < g->inputs.len + g->outputs.len; k++) {
        const tct_output *o = k < g->inputs.len ? NULL : &g->outputs.data[k - g->inputs.len];
        const tct_node *n = tct_node_of(g, o ? o->value : g->inputs.data[k]);
        if (!o || o->alias < 0)
            bytes += (uint64_t)tct_node_elements(g, n) * tct_dtype_size((tct_dtype)n->dtype);
    }
    return bytes;
}

// Bytes of the arena. False after reporting.
static bool measure(tct_diag *d, tct_graph *g, const tct_target *targets, uint32_t n, uint64_t *out) {
    tct_graph *fused = tct_pass_fuse(g);
    *out = 0;
    for (uint32_t i = 0; i < n; i++) {
        tct_arena arena = {0};
        tct_kernel_set *set = tct_kernel_set_new();
        const tct_plan_origin *origin;
        const tct_plan *plan = tct_plan_make(d, &arena, fused, &targets[i], set, NULL, &origin);
        if (plan && plan->arena_bytes > *out) *out = plan->arena_bytes;
        tct_kernel_set_free(set);
        tct_arena_free(&arena);
        if (!plan) return false;
    }
    return true;
}

tct_graph *tct_fit(tct_diag *d, tct_graph *g, const tct_target *targets, uint32_t n_targets, uint64_t arena,
                   tct_fitted *out) {
    *out = (tct_fitted){0};
    if (!measure(d, g, targets, n_targets, &out->before)) return NULL;
    out->after = out->before;
    double all = tct_remat_cost(g), free = (double)out->before - (double)arena;
    tct_graph *best = g;
    for (int i = 0; i < MOST_TRIES && out->after > arena; i++) {
        tct_remat_done done;
        tct_graph *made =
            tct_remat(g, &(tct_remat_limits){.bytes = free, .cost = arena ? INFINITY : all / 3}, &done);
        uint64_t bytes;
        if (made == g) break;
        if (!measure(d, made, targets, n_targets, &bytes)) return NULL;
        if (bytes < out->after) {
            best = made;
            out->after = bytes;
            out->share = done.cost / all;
            out->values = done.values;
        }
        if (done.bytes < free) break; // there is no more
        free += (double)bytes - (double)arena;
    }
    return best;
}
