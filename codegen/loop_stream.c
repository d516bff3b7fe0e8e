// What of a kernel's memory is too large for any cache: results are then stored past the caches, and operands
// asked for ahead.
#include "codegen/loop.h"

enum {
    LARGE = 16 << 20,        // bytes; a smaller result may still be in a shared cache when it is read next
    LARGE_OPERAND = 1 << 20, // bytes that a core's own cache has lost by the time they are read
    AHEAD = 2048,            // bytes, past which the hardware's own prefetching has set in
    FURTHER = 512, // bytes, more than a row: what is stored lies elsewhere in its page than what is asked for
    CHEAP_AGAIN = 32,        // operations, of all that is computed twice instead of kept
    ROWS_BELOW = 16,         // of a strip
    LONGEST_NEXT = 32 << 10, // bytes of a row that may be asked for while the one before is gone through
    LONGEST_ROW = 256 << 10, // bytes of an item that lie in a core's own cache together with the next one's
};

static uint32_t set_of(uint32_t axis) { return UINT32_C(1) << axis; }

static double points(const tct_loop *l, uint32_t axes) {
    double n = 1;
    for (uint32_t a = 0; a < l->n_axes; a++)
        if (axes & set_of(a)) n *= (double)l->axes[a].size;
    return n;
}

bool tct_loop_is_lane_counter(const tct_loop *l, tct_lv v) {
    return l->values[v].kind == TCT_LOOP_AXIS && l->values[v].i == l->lane_axis;
}

bool tct_loop_runs_along(const tct_loop *l, tct_lv offset, int64_t unit) {
    const tct_loop_value *x = &l->values[offset];
    if (tct_loop_is_lane_counter(l, offset)) return true;
    if (x->kind != TCT_LOOP_AFFINE || x->i % unit) return false;
    bool found = false;
    for (uint32_t k = 0; k < x->n_in; k++) {
        if (tct_loop_is_lane_counter(l, x->in[k])) {
            if (x->coef[k] != 1) return false;
            found = true;
        } else if (l->values[x->in[k]].axes & set_of((uint32_t)l->lane_axis) || x->coef[k] % unit) {
            return false;
        }
    }
    return found;
}

static double bytes(const tct_loop *l, uint32_t axes, uint8_t dtype) {
    return points(l, axes) * (double)tct_dtype_size((tct_dtype)dtype);
}

// Items follow each other in memory: one that is read several times, or computed with for long, leaves the
// time to fetch the next. Where the last pass reads it, that asks: what it stores waits for memory, too.
// Where it doesn't, each of those that do asks for a part, so that memory is idle in none of them. Where the
// last pass goes line by line, the last before it that reads asks. Rows that the nearest cache doesn't hold
// are asked for in the first pass, a little ahead.
static void look_ahead(const tct_loop *l, tct_loop_value *v, uint32_t need) {
    double row = points(l, v->axes & ~(set_of((uint32_t)l->n_kept) - 1)) * 4;
    bool rows = (uint32_t)l->lane_axis >= l->n_kept && l->n_kept && l->n_passes > 1;
    v->ahead = rows && row <= LONGEST_NEXT ? (uint32_t)row : AHEAD;
    v->ahead_passes = 1;
    if (!rows || l->once || row > LONGEST_NEXT) return;
    v->ahead += FURTHER;
    uint32_t last = set_of(l->n_passes - 1);
    v->ahead_passes = l->peel && need != last ? need & ~last : need;
    while ((uint32_t)__builtin_popcount(v->ahead_passes) > (need & last || l->peel ? 1 : l->unroll))
        v->ahead_passes &= v->ahead_passes - 1;
}

// Whether a store could go past the caches if its vectors began with lines.
static bool is_large(const tct_loop *l, const tct_loop_store *s, const bool *in_place) {
    uint8_t dtype = l->buf_dtype[s->buf];
    return !s->add && s->guard == TCT_NO_LV && !in_place[s->buf] && tct_dtype_size((tct_dtype)dtype) == 4 &&
           tct_loop_runs_along(l, s->offset, 1) && bytes(l, s->axes, dtype) >= LARGE;
}

// Whether the lanes that a store belongs to may begin anywhere: no sum is grouped by them.
static bool may_peel(const tct_loop *l, const tct_loop_store *s) {
    if (l->once) return false;
    if (tct_loop_is_column(l)) return l->n_axes == l->n_kept;
    bool ends = s->axes >> l->n_kept && s->stage + 1u == l->n_passes;
    for (uint32_t v = 0; v < l->n_values && ends; v++)
        ends = l->values[v].kind != TCT_LOOP_REDUCE || l->values[v].stage < l->n_passes;
    return ends;
}

// Rows of odd length: where no store of the last pass begins with a line anyway, one of them decides where
// the lanes begin.
static void peel(tct_loop *l, const bool *in_place) {
    for (uint32_t k = 0; k < l->n_stores; k++)
        if (l->stores[k].past) return;
    for (uint32_t k = 0; k < l->n_stores; k++) {
        tct_loop_store *s = &l->stores[k];
        if (!is_large(l, s, in_place) || !may_peel(l, s)) continue;
        if (!l->peel) l->peel = k + 1;
        s->past = s->offset == l->stores[l->peel - 1].offset;
    }
    // What is kept is read from wherever the lanes are, to the end of a vector.
    if (l->peel && l->scratch) l->scratch += 64;
}

// What goes past the caches waits in the queue of stores until memory has taken it, and other stores wait
// behind it, but no loads: the passes of the next row run on meanwhile, unless they keep something. Computing
// that again takes less time.
static void keep_none(tct_loop *l) {
    bool past = false;
    double cost = 0;
    for (uint32_t k = 0; k < l->n_stores; k++) past |= l->stores[k].past;
    for (uint32_t k = 0; k < l->n_values; k++)
        if (l->values[k].kept) cost += tct_loop_value_cost(&l->values[k]);
    if (!past || l->peel || cost > CHEAP_AGAIN || tct_loop_is_column(l)) return;
    for (uint32_t k = 0; k < l->n_values; k++) l->values[k].kept = false;
    l->scratch = 0;
}

// Columns of a large matrix are gone through in strips: what lies ahead in memory is another strip's, so rows
// below are asked for. Where a strip is as wide as the matrix, rows follow each other, and caches fetch ahead
// by themselves.
static void look_below(const tct_loop *l, tct_loop_value *v) {
    const tct_loop_value *x = &l->values[v->in[0]];
    for (uint32_t k = 0; x->kind == TCT_LOOP_AFFINE && k < x->n_in; k++) {
        const tct_loop_value *term = &l->values[x->in[k]];
        int64_t bytes = x->coef[k] * 4 * ROWS_BELOW;
        if (x->coef[k] <= l->block) continue;
        if (term->kind == TCT_LOOP_AXIS && term->i == l->n_axes - 1 && bytes > 0 && bytes <= LONGEST_ROW)
            v->ahead = (uint32_t)bytes;
    }
    v->ahead_passes = 1;
}

// Where a mask leaves out the end of a block of memory, what lies ahead of it is left out, too, and the next
// block begins suddenly: so the same place of the next block is asked for. A block are the inner axes up to
// the first that the mask varies along.
static bool look_beyond(const tct_loop *l, tct_loop_value *v) {
    const tct_loop_value *x = &l->values[v->in[0]];
    bool masked = false;
    int64_t stride = 0;
    if (l->only == TCT_NO_LV || x->kind != TCT_LOOP_AFFINE) return false;
    do {
        int64_t next = INT64_MAX;
        uint32_t axes = 0;
        for (uint32_t k = 0; k < x->n_in; k++) {
            if (x->coef[k] <= stride || x->coef[k] >= next) continue;
            next = x->coef[k];
            axes = l->values[x->in[k]].axes;
        }
        if (next > LONGEST_ROW / 4) return false;
        stride = next;
        if (masked) break;
        masked = (l->values[l->only].axes & axes) != 0;
    } while (true);
    v->ahead = (uint32_t)(stride * 4);
    v->ahead_passes = 1;
    return true;
}

// Whether lanes of a load differ in whether they are read, or rows come in another order than that of memory.
static bool may_be_left_out(const tct_loop *l, const tct_loop_value *v) {
    if (v->n_in > 1 && l->values[v->in[1]].axes >> l->lane_axis & 1) return true;
    const tct_loop_value *x = &l->values[v->in[0]];
    for (uint32_t k = 0; v->n_in > 1 && k < x->n_in; k++)
        if (l->values[x->in[k]].kind != TCT_LOOP_AXIS) return true;
    return false;
}

void tct_loop_stream(tct_loop *l, const bool *in_place) {
    if (l->lane_axis < 0 || l->tile || l->ordered) return;
    for (uint32_t k = 0; k < l->n_stores; k++) {
        tct_loop_store *s = &l->stores[k];
        s->past = is_large(l, s, in_place) && tct_loop_runs_along(l, s->offset, TCT_LOOP_LANES);
    }
    peel(l, in_place);
    keep_none(l);
    bool strips = (uint32_t)l->lane_axis < l->n_kept && l->n_axes > l->n_kept;
    uint32_t *need = tct_alloc((l->n_values + 1) * sizeof *need);
    tct_loop_passes(l, need);
    for (uint32_t k = 0; k < l->n_values; k++) {
        tct_loop_value *v = &l->values[k];
        bool vectors =
            v->kind == TCT_LOOP_LOAD && !may_be_left_out(l, v) && tct_dtype_size((tct_dtype)v->dtype) == 4;
        if (!vectors || !tct_loop_runs_along(l, v->in[0], 1) || bytes(l, v->axes, v->dtype) < LARGE_OPERAND)
            continue;
        if (strips)
            look_below(l, v);
        else if (!look_beyond(l, v))
            look_ahead(l, v, need[k]);
    }
    tct_heap_free(need);
}
