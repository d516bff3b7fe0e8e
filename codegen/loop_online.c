// Sums of exp(a - c), where c is known only after a pass over a: they needn't wait for it. A running
// reference in place of c, close to the largest a so far, keeps the sum in range, and the sum is put right
// when c is known.
#include "codegen/loop.h"

// Elements: a shorter row is in registers anyway, a longer one has left the nearest cache when it is read
// again.
static const int64_t longest_in_registers = TCT_LOOP_LANES * TCT_LOOP_MAX_UNROLL, longest_near = 8192;

static bool is_op(const tct_loop_value *v, tct_ir_op op) {
    return v->kind == TCT_LOOP_OP && v->op == op && v->dtype == TCT_F32;
}

static bool has_other_uses(const tct_loop *l, tct_lv v, tct_lv but) {
    for (tct_lv u = 0; u < l->n_values; u++)
        for (uint32_t k = 0; u != but && k < l->values[u].n_in; k++)
            if (l->values[u].in[k] == v) return true;
    for (uint32_t s = 0; s < l->n_stores; s++)
        if (l->stores[s].value == v) return true;
    return false;
}

static bool may_run_ahead(const tct_loop *l, tct_lv s, int64_t row) {
    const tct_loop_value *sum = &l->values[s];
    if (sum->kind != TCT_LOOP_REDUCE || sum->op != TCT_IR_SUM || sum->n_in != 1) return false;
    const tct_loop_value *e = &l->values[sum->in[0]];
    if (!is_op(e, TCT_IR_EXP) || !is_op(&l->values[e->in[0]], TCT_IR_SUB)) return false;
    const tct_loop_value *d = &l->values[e->in[0]], *a = &l->values[d->in[0]], *c = &l->values[d->in[1]];
    return !(c->axes >> l->n_kept) && a->axes >> l->lane_axis & 1 && c->stage == a->stage + 1 &&
           // What is needed again is better kept than computed a second time.
           (row > longest_near || !has_other_uses(l, sum->in[0], s));
}

bool tct_loop_run_ahead(tct_loop *l) {
    bool any = false;
    if (l->lane_axis < 0 || tct_loop_is_column(l) || l->ordered) return false;
    int64_t row = 1;
    for (uint32_t a = l->n_kept; a < l->n_axes; a++) row *= l->axes[a].size;
    for (tct_lv s = 0; s < l->n_values && row > longest_in_registers; s++) {
        if (!may_run_ahead(l, s, row)) continue;
        tct_loop_value *sum = &l->values[s];
        const tct_loop_value *d = &l->values[l->values[sum->in[0]].in[0]];
        tct_lv *in = TCT_NEW_ARRAY(l->arena, tct_lv, 2);
        in[0] = d->in[0];
        in[1] = d->in[1];
        sum->in = in;
        sum->n_in = 2;
        any = true;
    }
    return any;
}

bool tct_loop_runs_ahead(const tct_loop_value *v) {
    return v->kind == TCT_LOOP_REDUCE && v->op == TCT_IR_SUM && v->n_in == 2;
}
