// From a kernel's meaning to its loops: axes that are one become one, lanes are chosen, passes counted, rows
// kept.
#include "codegen/loop.h"

#include <assert.h>
#include <string.h>

enum {
    ELEMENTS_A_TASK = 32768,
    LONGEST_BLOCK = 8192, // elements of the lane axis in an item, when nothing is reduced
    SPLIT_BLOCK = 4096,
    ROWS = 32,          // of an item that shares what it loads
    DEAREST_ONCE = 100, // operations at a point of a row that is computed without a loop
};
static const uint64_t LARGEST_SCRATCH = 1 << 20;

static uint32_t set_of(uint32_t axis) { return UINT32_C(1) << axis; }

static uint32_t reduced_axes(const tct_loop *l) {
    uint32_t set = 0;
    for (uint32_t a = 0; a < l->n_axes; a++)
        if (l->axes[a].reduced) set |= set_of(a);
    return set;
}

static void reach(const tct_loop *l, tct_lv v, bool *seen) {
    if (v == TCT_NO_LV || seen[v]) return;
    seen[v] = true;
    for (uint32_t k = 0; k < l->values[v].n_in; k++) reach(l, l->values[v].in[k], seen);
}

// Leaves only what the stores need, in the same order.
static void drop_unused(tct_loop *l) {
    bool *seen = TCT_NEW_ARRAY(l->arena, bool, l->n_values);
    tct_lv *now = TCT_NEW_ARRAY(l->arena, tct_lv, l->n_values);
    for (uint32_t s = 0; s < l->n_stores; s++) {
        reach(l, l->stores[s].offset, seen);
        reach(l, l->stores[s].value, seen);
        reach(l, l->stores[s].guard, seen);
    }
    uint32_t n = 0;
    for (uint32_t v = 0; v < l->n_values; v++) {
        if (!seen[v]) continue;
        now[v] = n;
        l->values[n] = l->values[v];
        for (uint32_t k = 0; k < l->values[n].n_in; k++) l->values[n].in[k] = now[l->values[n].in[k]];
        n++;
    }
    l->n_values = n;
    for (uint32_t s = 0; s < l->n_stores; s++) {
        tct_loop_store *store = &l->stores[s];
        store->offset = now[store->offset];
        store->value = now[store->value];
        if (store->guard != TCT_NO_LV) store->guard = now[store->guard];
    }
}

// Axes take the places that `place` gives them; those with -1 (no value varies along them) go.
static void renumber(tct_loop *l, const int *place, uint32_t n) {
    tct_loop_axis axes[TCT_LOOP_MAX_AXES];
    for (uint32_t a = 0; a < l->n_axes; a++)
        if (place[a] >= 0) axes[place[a]] = l->axes[a];
    memcpy(l->axes, axes, n * sizeof *axes);
    l->n_axes = n;
    for (uint32_t v = 0; v < l->n_values; v++)
        if (l->values[v].kind == TCT_LOOP_AXIS) l->values[v].i = place[l->values[v].i];
}

// Kept axes before reduced ones; axes of size 1 have no loop.
static void order_axes(tct_loop *l) {
    int place[TCT_LOOP_MAX_AXES];
    uint32_t n = 0;
    for (int reduced = 0; reduced < 2; reduced++) {
        for (uint32_t a = 0; a < l->n_axes; a++) {
            if (l->axes[a].reduced != (reduced == 1)) continue;
            place[a] = l->axes[a].size == 1 ? -1 : (int)n++;
        }
        if (!reduced) l->n_kept = n;
    }
    renumber(l, place, n);
}

static bool is_axis(const tct_loop *l, tct_lv v, uint32_t axis) {
    return l->values[v].kind == TCT_LOOP_AXIS && l->values[v].i == axis;
}

// The coefficient of an axis's counter among the terms of an affine value.
static int64_t coefficient(const tct_loop *l, const tct_loop_value *v, uint32_t axis) {
    for (uint32_t k = 0; k < v->n_in; k++)
        if (is_axis(l, v->in[k], axis)) return v->coef[k];
    return 0;
}

static bool used_alone(const tct_loop *l, uint32_t axis) {
    for (uint32_t v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        for (uint32_t k = 0; x->kind != TCT_LOOP_AFFINE && k < x->n_in; k++)
            if (is_axis(l, x->in[k], axis)) return true;
    }
    for (uint32_t s = 0; s < l->n_stores; s++)
        if (is_axis(l, l->stores[s].offset, axis)) return true;
    return false;
}

// Whether every index treats `outer` and `inner` as the two digits of one number.
static bool are_one(const tct_loop *l, uint32_t outer, uint32_t inner) {
    if (l->axes[outer].reduced != l->axes[inner].reduced || used_alone(l, outer) || used_alone(l, inner))
        return false;
    for (uint32_t v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        if (x->kind == TCT_LOOP_AFFINE &&
            coefficient(l, x, outer) != coefficient(l, x, inner) * l->axes[inner].size)
            return false;
    }
    return true;
}

static void join(tct_loop *l, uint32_t outer) {
    for (uint32_t v = 0; v < l->n_values; v++) {
        tct_loop_value *x = &l->values[v];
        if (x->kind != TCT_LOOP_AFFINE) continue;
        for (uint32_t k = 0; k < x->n_in; k++) {
            if (!is_axis(l, x->in[k], outer)) continue;
            x->n_in--;
            memmove(x->in + k, x->in + k + 1, (x->n_in - k) * sizeof *x->in);
            memmove(x->coef + k, x->coef + k + 1, (x->n_in - k) * sizeof *x->coef);
            break;
        }
    }
    l->axes[outer + 1].size *= l->axes[outer].size;
    int place[TCT_LOOP_MAX_AXES];
    for (uint32_t a = 0; a < l->n_axes; a++) place[a] = a == outer ? -1 : a > outer ? (int)a - 1 : (int)a;
    if (!l->axes[outer].reduced) l->n_kept--;
    renumber(l, place, l->n_axes - 1);
}

static void join_axes(tct_loop *l) {
    for (uint32_t a = 0; a + 1 < l->n_axes;) {
        drop_unused(l); // the counters of joined axes
        if (are_one(l, a, a + 1))
            join(l, a);
        else
            a++;
    }
    drop_unused(l);
}

// Which axes every value varies along, and after how many passes it is known.
static void analyse(tct_loop *l) {
    uint32_t reduced = reduced_axes(l);
    for (uint32_t v = 0; v < l->n_values; v++) {
        tct_loop_value *x = &l->values[v];
        x->axes = x->kind == TCT_LOOP_AXIS ? set_of((uint32_t)x->i) : 0;
        x->stage = 0;
        for (uint32_t k = 0; k < (tct_loop_runs_ahead(x) ? 1 : x->n_in); k++) {
            x->axes |= l->values[x->in[k]].axes;
            if (l->values[x->in[k]].stage > x->stage) x->stage = l->values[x->in[k]].stage;
        }
        if (x->kind == TCT_LOOP_REDUCE) {
            x->axes &= ~reduced;
            if (l->lane_axis >= 0 && (uint32_t)l->lane_axis < l->n_kept)
                x->axes |= set_of((uint32_t)l->lane_axis);
            x->stage++;
        }
    }
    l->n_passes = 0;
    for (uint32_t v = 0; v < l->n_values; v++)
        if (l->values[v].kind == TCT_LOOP_REDUCE && l->values[v].stage > l->n_passes)
            l->n_passes = l->values[v].stage;
    for (uint32_t s = 0; s < l->n_stores; s++) {
        tct_loop_store *store = &l->stores[s];
        tct_lv parts[3] = {store->offset, store->value, store->guard};
        store->axes = 0;
        store->stage = 0;
        for (int k = 0; k < 3; k++) {
            if (parts[k] == TCT_NO_LV) continue;
            const tct_loop_value *x = &l->values[parts[k]];
            store->axes |= x->axes;
            if (x->stage > store->stage) store->stage = x->stage;
        }
        // The same number at the same place is still added as often.
        if (l->ordered && store->add) store->axes |= reduced;
        if (store->axes & reduced && store->stage + 1u > l->n_passes) l->n_passes = store->stage + 1u;
    }
    // The last pass has read what others would read again for their sums.
    for (uint32_t s = 0; s < l->n_stores; s++)
        if (l->stores[s].part && l->n_passes) l->stores[s].stage = (uint8_t)(l->n_passes - 1u);
}

// What lanes along `axis` cost an access at `offset`: one piece of memory, one number for all, or one by one.
static double access_cost(const tct_loop *l, tct_lv offset, uint32_t axis) {
    const tct_loop_value *x = &l->values[offset];
    if (!(x->axes & set_of(axis))) return 0.2;
    if (is_axis(l, offset, axis)) return 1;
    if (x->kind != TCT_LOOP_AFFINE) return 10;
    for (uint32_t k = 0; k < x->n_in; k++)
        if (l->values[x->in[k]].axes & set_of(axis) && (!is_axis(l, x->in[k], axis) || x->coef[k] != 1))
            return 10;
    return 1;
}

static double lane_cost(const tct_loop *l, uint32_t axis) {
    double cost = 0;
    for (uint32_t v = 0; v < l->n_values; v++)
        if (l->values[v].kind == TCT_LOOP_LOAD) cost += access_cost(l, l->values[v].in[0], axis);
    for (uint32_t s = 0; s < l->n_stores; s++) cost += 1.5 * access_cost(l, l->stores[s].offset, axis);
    int64_t size = l->axes[axis].size,
            rounded = (size + TCT_LOOP_LANES - 1) / TCT_LOOP_LANES * TCT_LOOP_LANES;
    return (cost + 1) * ((double)rounded / (double)size);
}

static void choose_lanes(tct_loop *l) {
    double best = 0;
    for (uint32_t a = 0; a < l->n_axes; a++) {
        if ((l->ordered && l->axes[a].reduced) || (l->parts && !l->axes[a].reduced)) continue;
        double cost = lane_cost(l, a);
        if (l->lane_axis >= 0 && cost > best) continue;
        l->lane_axis = (int)a;
        best = cost;
    }
    if (l->lane_axis < 0) return;
    // The lane axis runs innermost among its kind.
    uint32_t lane = (uint32_t)l->lane_axis, last = l->axes[lane].reduced ? l->n_axes - 1 : l->n_kept - 1;
    int place[TCT_LOOP_MAX_AXES];
    for (uint32_t a = 0; a < l->n_axes; a++)
        place[a] = a == lane ? (int)last : a > lane && a <= last ? (int)a - 1 : (int)a;
    renumber(l, place, l->n_axes);
    l->lane_axis = (int)last;
}

static bool is_dear(const tct_loop_value *v) {
    return v->kind == TCT_LOOP_RANDOM || (v->kind == TCT_LOOP_OP && tct_ir_op_cost((tct_ir_op)v->op) >= 16);
}

// In which passes every value is computed: pass p is bit p. Values that vary along no reduced axis have none.
static void needed_in(const tct_loop *l, uint32_t *need, bool decide) {
    uint32_t reduced = reduced_axes(l);
    memset(need, 0, l->n_values * sizeof *need);
    for (uint32_t s = 0; s < l->n_stores; s++) {
        const tct_loop_store *store = &l->stores[s];
        if (!(store->axes & reduced)) continue;
        need[store->offset] |= set_of(store->stage);
        need[store->value] |= set_of(store->stage);
        if (store->guard != TCT_NO_LV) need[store->guard] |= set_of(store->stage);
    }
    for (uint32_t v = l->n_values; v-- > 0;) {
        tct_loop_value *x = &l->values[v];
        if (x->kind == TCT_LOOP_REDUCE) {
            for (uint32_t k = 0; k < x->n_in; k++) need[x->in[k]] |= set_of(x->stage - 1u);
            continue;
        }
        if (!(x->axes & reduced)) continue;
        uint32_t first = need[v] & -need[v];
        if (decide)
            x->kept = is_dear(x) && !l->once && x->dtype != TCT_BOOL && need[v] != first &&
                      l->lane_axis >= 0 && x->axes & set_of((uint32_t)l->lane_axis) &&
                      x->axes & set_of(l->n_axes - 1);
        for (uint32_t k = 0; k < x->n_in; k++) need[x->in[k]] |= x->kept ? first : need[v];
    }
}

static int64_t reduced_points(const tct_loop *l) {
    int64_t n = 1;
    for (uint32_t a = l->n_kept; a < l->n_axes; a++) n *= l->axes[a].size;
    return n;
}

bool tct_loop_is_column(const tct_loop *l) { return l->lane_axis >= 0 && (uint32_t)l->lane_axis < l->n_kept; }

static void keep_rows(tct_loop *l) {
    uint32_t *need = TCT_NEW_ARRAY(l->arena, uint32_t, l->n_values);
    needed_in(l, need, true);
    int64_t lanes = TCT_LOOP_LANES * (int64_t)l->unroll, points = reduced_points(l);
    if (tct_loop_is_column(l)) {
        points *= lanes;
    } else if (l->lane_axis >= 0) {
        int64_t size = l->axes[l->lane_axis].size;
        points = points / size * ((size + TCT_LOOP_LANES - 1) / TCT_LOOP_LANES * TCT_LOOP_LANES);
    }
    for (uint32_t v = 0; v < l->n_values; v++) {
        tct_loop_value *x = &l->values[v];
        if (!x->kept) continue;
        uint64_t bytes = (uint64_t)points * (x->dtype == TCT_F64 || x->dtype == TCT_I64 ? 8 : 4);
        if (l->scratch + bytes > LARGEST_SCRATCH) {
            x->kept = false;
            continue;
        }
        x->offset = l->scratch;
        l->scratch += (bytes + 63) & ~UINT64_C(63);
    }
    // What was dropped changes where the others are first computed, and that alone.
    needed_in(l, need, false);
    for (uint32_t v = 0; v < l->n_values; v++)
        if (l->values[v].kept) l->values[v].first = (uint8_t)__builtin_ctz(need[v]);
}

double tct_loop_value_cost(const tct_loop_value *v) {
    switch ((tct_loop_kind)v->kind) {
    case TCT_LOOP_LOAD:
        return 1;
    case TCT_LOOP_REDUCE:
        return tct_loop_runs_ahead(v) ? 2 + tct_ir_op_cost(TCT_IR_EXP) : 1;
    case TCT_LOOP_RANDOM:
        return tct_ir_op_cost(TCT_IR_RANDOM);
    case TCT_LOOP_OP:
        return tct_ir_op_cost((tct_ir_op)v->op);
    default:
        return 0;
    }
}

// Whether a row is so short that it stays in registers from pass to pass.
static bool fits_registers(const tct_loop *l) {
    return l->lane_axis >= 0 && !tct_loop_is_column(l) && l->n_axes == l->n_kept + 1 && !l->ordered &&
           l->axes[l->lane_axis].size <= TCT_LOOP_LANES * TCT_LOOP_MAX_UNROLL && l->cost <= DEAREST_ONCE;
}

// Whether rows in registers that follow each other along the innermost kept axis load something that is the
// same for all of them.
static bool rows_share(const tct_loop *l) {
    if (!l->once || l->n_kept < 2) return false;
    for (uint32_t v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        if (x->kind == TCT_LOOP_LOAD && x->axes >> l->n_kept && !(x->axes & set_of(l->n_kept - 1)))
            return true;
    }
    return false;
}

static void choose_unroll(tct_loop *l) {
    bool scattered = false;
    uint32_t reductions = 0;
    l->cost = 0;
    for (uint32_t v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        l->cost += tct_loop_value_cost(x);
        reductions += x->kind == TCT_LOOP_REDUCE;
        if (x->kind == TCT_LOOP_LOAD && l->lane_axis >= 0)
            scattered |= access_cost(l, x->in[0], (uint32_t)l->lane_axis) > 1;
    }
    for (uint32_t s = 0; s < l->n_stores; s++) l->cost += 1;
    if (l->lane_axis < 0) return;
    bool reduces = reductions || l->ordered;
    if (scattered)
        l->unroll = 1;
    else if (reduces)
        l->unroll = reductions <= 2 || (l->cost <= 14 && reductions <= 3) ? 4 : 2;
    else
        l->unroll = l->cost <= 10 ? 2 : 1;
    if (fits_registers(l)) {
        l->once = true;
        l->unroll = (uint32_t)((l->axes[l->lane_axis].size + TCT_LOOP_LANES - 1) / TCT_LOOP_LANES);
    }
    while (!l->once && l->unroll > 1 && l->unroll * TCT_LOOP_LANES > l->axes[l->lane_axis].size)
        l->unroll /= 2;
    if (rows_share(l)) l->rows = l->axes[l->n_kept - 1].size < ROWS ? l->axes[l->n_kept - 1].size : ROWS;
    if (!tct_loop_is_column(l)) return;
    int64_t size = l->axes[l->lane_axis].size;
    if (l->n_axes > l->n_kept)
        l->block = TCT_LOOP_LANES * (int64_t)l->unroll;
    else if (l->lane_axis == 0)
        l->block = SPLIT_BLOCK; // the size of an outermost axis is no part of the code
    else
        l->block = size <= LONGEST_BLOCK ? size : SPLIT_BLOCK;
}

static bool is_zero(const tct_loop_value *v) { return v->kind == TCT_LOOP_CONST && v->f == 0 && v->i == 0; }

// The condition, the same for all lanes, without which every sum of the only pass takes zeros.
static tct_lv only_where(const tct_loop *l) {
    tct_lv only = TCT_NO_LV;
    if (l->tile || l->ordered || l->n_passes != 1) return TCT_NO_LV;
    for (uint32_t s = 0; s < l->n_stores; s++)
        if (l->stores[s].axes & reduced_axes(l)) return TCT_NO_LV;
    for (uint32_t v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        if (x->kind != TCT_LOOP_REDUCE) continue;
        const tct_loop_value *of = &l->values[x->in[0]];
        if (x->op != TCT_IR_SUM || tct_loop_runs_ahead(x) || of->kind != TCT_LOOP_OP ||
            of->op != TCT_IR_WHERE || !is_zero(&l->values[of->in[2]]) ||
            (only != TCT_NO_LV && only != of->in[0]))
            return TCT_NO_LV;
        only = of->in[0];
    }
    bool lanes =
        l->lane_axis >= 0 && only != TCT_NO_LV && l->values[only].axes & set_of((uint32_t)l->lane_axis);
    return lanes ? TCT_NO_LV : only;
}

void tct_loop_schedule(tct_loop *l) {
    drop_unused(l);
    if (l->tile) {
        l->n_kept = l->n_axes;
        l->lane_axis = 2;
    } else {
        order_axes(l);
        join_axes(l);
        analyse(l);
        choose_lanes(l);
    }
    analyse(l);
    if (!l->tile && tct_loop_run_ahead(l)) {
        drop_unused(l);
        analyse(l);
    }
    tct_loop_spare_loads(l);
    choose_unroll(l);
    keep_rows(l);
    l->only = only_where(l);
    l->prefix = tct_loop_prefix_of(l);
}

int64_t tct_loop_items_along(const tct_loop *l, uint32_t axis) {
    int64_t size = l->axes[axis].size, part = (int)axis == l->lane_axis          ? l->block
                                              : axis + 1 == l->n_kept && l->rows ? l->rows
                                                                                 : 1;
    return (size + part - 1) / part;
}

int64_t tct_loop_items(const tct_loop *l) {
    int64_t n = 1;
    for (uint32_t a = 0; a < l->n_kept; a++) n *= tct_loop_items_along(l, a);
    return n;
}

int64_t tct_loop_items_a_task(const tct_loop *l) {
    if (l->parts)
        return tct_loop_items_a_part(l, (double)reduced_points(l) * (l->rows ? (double)l->rows : 1));
    double work = (double)reduced_points(l) * (1 + l->cost / 16);
    if (tct_loop_is_column(l))
        work *= (double)(l->block < l->axes[l->lane_axis].size ? l->block : l->axes[l->lane_axis].size);
    if (l->rows) work *= (double)l->rows;
    int64_t n = (int64_t)(ELEMENTS_A_TASK / work);
    return n < 1 ? 1 : n;
}

void tct_loop_passes(const tct_loop *l, uint32_t *need) { needed_in(l, need, false); }

bool tct_loop_may_share(const tct_loop *l, uint32_t out, uint32_t in) {
    const tct_loop_store *store = NULL;
    for (uint32_t s = 0; s < l->n_stores; s++) {
        if (l->stores[s].buf != out) continue;
        if (store) return false;
        store = &l->stores[s];
    }
    if (!store || store->guard != TCT_NO_LV || store->add ||
        tct_dtype_size((tct_dtype)l->buf_dtype[out]) != tct_dtype_size((tct_dtype)l->buf_dtype[in]))
        return false;
    uint32_t *need = tct_alloc(l->n_values * sizeof *need);
    needed_in(l, need, false);
    bool ok = true;
    for (uint32_t v = 0; v < l->n_values && ok; v++) {
        const tct_loop_value *x = &l->values[v];
        if (x->kind != TCT_LOOP_LOAD || x->i != in) continue;
        // Every element is read by the very point that writes it, and not in a later pass.
        ok = x->in[0] == store->offset && need[v] >> store->stage <= 1;
    }
    tct_heap_free(need);
    return ok;
}

bool tct_loop_loads(const tct_loop *l, uint32_t buf) {
    for (uint32_t v = 0; v < l->n_values; v++)
        if (l->values[v].kind == TCT_LOOP_LOAD && l->values[v].i == buf) return true;
    return false;
}
