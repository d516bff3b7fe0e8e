// Choices that are the same for all lanes, as which third of a concatenation a row belongs to: what only the
// one side of a choice wants isn't read where the other is taken.
#include "codegen/loop.h"

// When a value is wanted: never so far, always, or where the condition of that number holds.
typedef uint32_t wanted;
enum { NEVER = UINT32_MAX - 1, ALWAYS = UINT32_MAX };

static void want(wanted *when, tct_lv v, wanted as) {
    if (v == TCT_NO_LV || when[v] == as) return;
    when[v] = when[v] == NEVER ? as : ALWAYS;
}

static bool is_choice(const tct_loop_value *v) { return v->kind == TCT_LOOP_OP && v->op == TCT_IR_WHERE; }

// Users come behind what they use.
static wanted *find_wanted(const tct_loop *l) {
    wanted *when = TCT_NEW_ARRAY(l->arena, wanted, l->n_values);
    for (tct_lv v = 0; v < l->n_values; v++) when[v] = NEVER;
    for (uint32_t s = 0; s < l->n_stores; s++) {
        want(when, l->stores[s].offset, ALWAYS);
        want(when, l->stores[s].value, ALWAYS);
        want(when, l->stores[s].guard, ALWAYS);
    }
    for (tct_lv v = l->n_values; v-- > 0;) {
        const tct_loop_value *x = &l->values[v];
        wanted as = x->kind == TCT_LOOP_REDUCE ? ALWAYS : when[v];
        for (uint32_t k = 0; k < x->n_in; k++)
            want(when, x->in[k], is_choice(x) && k == 1 && as == ALWAYS ? x->in[0] : as);
    }
    return when;
}

// Whether loops further in than what the load is in decide about the condition.
static bool is_further_in(uint32_t condition, uint32_t load) {
    uint32_t beyond = condition & ~load;
    return beyond && 32 - __builtin_clz(beyond) > 32 - (load ? __builtin_clz(load) : 32);
}

void tct_loop_spare_loads(tct_loop *l) {
    if (l->lane_axis < 0) return;
    wanted *when = find_wanted(l);
    for (tct_lv v = 0; v < l->n_values; v++) {
        tct_loop_value *x = &l->values[v];
        tct_lv condition = when[v];
        if (x->kind != TCT_LOOP_LOAD || x->n_in > 1 || condition >= v) continue;
        uint32_t axes = l->values[condition].axes;
        if (axes >> l->lane_axis & 1 || !(x->axes >> l->lane_axis & 1) || is_further_in(axes, x->axes))
            continue;
        tct_lv *in = TCT_NEW_ARRAY(l->arena, tct_lv, 2);
        in[0] = x->in[0];
        in[1] = condition;
        x->in = in;
        x->n_in = 2;
        x->axes |= axes;
    }
}
