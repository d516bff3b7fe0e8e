// What a scheduled kernel computes and moves.
#include "codegen/loop.h"

static double points(const tct_loop *l, uint32_t axes) {
    double n = 1;
    for (uint32_t a = 0; a < l->n_axes; a++)
        if (axes >> a & 1) n *= (double)l->axes[a].size;
    return n;
}

double tct_loop_flops(const tct_loop *l) {
    uint32_t *need = tct_alloc(l->n_values * sizeof *need), reduced = 0;
    tct_loop_passes(l, need);
    for (uint32_t a = l->n_kept; a < l->n_axes; a++) reduced |= UINT32_C(1) << a;
    double flops = 0;
    for (uint32_t v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        if (x->kind == TCT_LOOP_LOAD) continue;
        int times = x->kept || l->once || !need[v] ? 1 : __builtin_popcount(need[v]);
        uint32_t axes = x->kind == TCT_LOOP_REDUCE ? x->axes | reduced : x->axes;
        flops += tct_loop_value_cost(x) * times * points(l, axes);
    }
    for (uint32_t s = 0; s < l->n_stores; s++)
        if (l->stores[s].part) flops += points(l, l->stores[s].axes);
    tct_heap_free(need);
    return flops;
}

// Elements that an access reaches: no more than the points that it is made at, nor than lie between its ends.
static double reach(const tct_loop *l, tct_lv offset, uint32_t axes) {
    double n = points(l, axes);
    int64_t low, high;
    if (tct_loop_range(l, offset, &low, &high) && (double)(high - low + 1) < n) n = (double)(high - low + 1);
    return n;
}

double tct_loop_bytes(const tct_loop *l, uint32_t buf, double whole) {
    double size = (double)tct_dtype_size((tct_dtype)l->buf_dtype[buf]), loaded = 0, stored = 0;
    for (uint32_t v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        if (x->kind == TCT_LOOP_LOAD && x->i == buf) loaded += size * reach(l, x->in[0], x->axes);
    }
    for (uint32_t s = 0; s < l->n_stores; s++) {
        const tct_loop_store *store = &l->stores[s];
        if (store->buf != buf) continue;
        if (store->part) return size * (double)(tct_loop_parts(l) * store->part);
        double bytes = size * reach(l, store->offset, store->axes);
        stored += bytes;
        if (store->add) loaded += bytes;
    }
    return (loaded < whole ? loaded : whole) + (stored < whole ? stored : whole);
}
