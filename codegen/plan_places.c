#include "codegen/plan_places.h"

#include "base/places.h"

void tct_step_places(const tct_plan *plan, const tct_plan_origin *origin, uint32_t step,
                     const tct_diag *sources, tct_buf *out) {
    const tct_step *s = &plan->steps[step];
    TCT_VEC(tct_span) spans = {0};
    TCT_PUSH(&spans, s->span);
    tct_value v = origin ? origin->node[step] : TCT_NO_VALUE;
    const tct_node *n = v != TCT_NO_VALUE ? tct_node_of(origin->graph, v) : NULL;
    bool fused = n && n->op == TCT_IR_FUSED; // the steps of a scan's body have their own
    for (size_t k = 0; fused && k < n->attr.body->nodes.len; k++)
        if (n->attr.body->nodes.data[k].op != TCT_IR_INPUT)
            TCT_PUSH(&spans, n->attr.body->nodes.data[k].span);
    tct_places_print(sources, spans.data, spans.len, out);
    TCT_VEC_FREE(&spans);
}

typedef struct noting {
    const tct_plan *plan;
    const tct_plan_origin *origin;
    const tct_diag *sources;
} noting;

// The origin of a plan that is `in` or one of its scans' bodies.
static const tct_plan_origin *origin_of(const tct_plan *plan, const tct_plan *in, const tct_plan_origin *of) {
    if (!of || plan == in) return of;
    for (uint32_t k = 0; k < in->n_scans; k++) {
        const tct_plan_origin *found = origin_of(plan, in->scans[k].body, of->scans[k]);
        if (found) return found;
    }
    return NULL;
}

static void note(void *ctx, const tct_plan *plan, uint32_t step, tct_buf *out) {
    const noting *n = ctx;
    tct_buf places = {0};
    tct_step_places(plan, origin_of(plan, n->plan, n->origin), step, n->sources, &places);
    if (places.len) tct_buf_printf(out, "  ; %s", places.data);
    tct_buf_free(&places);
}

void tct_plan_print_places(const tct_plan *plan, const tct_plan_origin *origin, const tct_diag *sources,
                           tct_buf *out) {
    noting n = {plan, origin, sources};
    tct_plan_print_noted(plan, sources ? note : NULL, &n, out);
}
