// Conditions that hold for the first elements of a row and fail for those behind, as causal masks do: the
// lanes' loop runs without a test up to where the condition may fail.
#include "codegen/loop_emit.h"

static bool has_lanes(const tct_loop *l, tct_lv v) { return l->values[v].axes >> l->lane_axis & 1; }

// An integer that is an index and doesn't wrap round.
static bool is_index(const tct_loop *l, tct_lv v) {
    const tct_loop_value *x = &l->values[v];
    int64_t low, high;
    return x->kind == TCT_LOOP_NUMBER && (x->dtype == TCT_I32 || x->dtype == TCT_I64) &&
           tct_loop_range(l, x->in[0], &low, &high) && low >= INT32_MIN && high < INT32_MAX;
}

// A comparison of two integers: which of them grows along the lanes, so that it holds at first; -1: none.
static int rising_side(const tct_loop *l, const tct_loop_value *v) {
    if (v->kind != TCT_LOOP_OP) return -1;
    bool less = v->op == TCT_IR_LE || v->op == TCT_IR_LT, more = v->op == TCT_IR_GE || v->op == TCT_IR_GT;
    int side = more;
    if (!(less || more) || !is_index(l, v->in[0]) || !is_index(l, v->in[1])) return -1;
    return tct_loop_runs_along(l, l->values[v->in[side]].in[0], 1) && !has_lanes(l, v->in[!side]) ? side : -1;
}

tct_lv tct_loop_prefix_of(const tct_loop *l) {
    if (l->lane_axis < 0 || tct_loop_is_column(l) || l->once || l->ordered || l->tile) return TCT_NO_LV;
    if (l->axes[l->lane_axis].size < 2 * TCT_LOOP_LANES * (int64_t)l->unroll) return TCT_NO_LV;
    for (tct_lv v = 0; v < l->n_values; v++)
        if (rising_side(l, &l->values[v]) >= 0) return v;
    return TCT_NO_LV;
}

LLVMValueRef tct_loop_prefix_end(tct_loop_emitter *e, int level) {
    const tct_loop *l = e->l;
    const tct_loop_value *v = &l->values[l->prefix];
    int side = rising_side(l, v);
    const tct_loop_value *rising = &l->values[l->values[v->in[side]].in[0]];
    LLVMValueRef n = tct_loop_get(e, l->values[v->in[!side]].in[0])[0];
    tct_loop_at(e, level);
    bool equal = v->op == TCT_IR_LE || v->op == TCT_IR_GE;
    n = LLVMBuildAdd(e->b, n, tct_loop_number(e, equal), "");
    if (rising->kind == TCT_LOOP_AXIS) return n;
    n = LLVMBuildSub(e->b, n, tct_loop_number(e, rising->i), "");
    for (uint32_t k = 0; k < rising->n_in; k++) {
        if (has_lanes(l, rising->in[k])) continue;
        LLVMValueRef x = tct_loop_get(e, rising->in[k])[0];
        tct_loop_at(e, level);
        n = LLVMBuildSub(e->b, n, LLVMBuildMul(e->b, x, tct_loop_number(e, rising->coef[k]), ""), "");
    }
    return n;
}
