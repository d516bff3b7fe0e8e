// Sums over kept axes, as the gradients of a norm's weights: rows are gone through one after the other, and
// each task adds what it has of them to a part of its own. How rows are dealt out to tasks follows from
// shapes alone, and parts are added up in their order.
#include "codegen/loop.h"

enum {
    MOST_PARTS = 256,
    FEWEST_POINTS = 8192, // of a part: fewer are not worth a task
    FEWEST_ITEMS = 16,    // adding up reads one part for as many rows
};

int64_t tct_loop_part(int64_t results) {
    return (results + TCT_LOOP_LANES - 1) / TCT_LOOP_LANES * TCT_LOOP_LANES;
}

void tct_loop_add_up(tct_loop *l, uint32_t buf, tct_lv offset, tct_lv value, int64_t results) {
    tct_loop_store_to(l, buf, offset, value, TCT_NO_LV, true);
    l->stores[l->n_stores - 1].part = tct_loop_part(results);
    l->parts = true;
}

static int64_t up(int64_t n, int64_t by) { return (n + by - 1) / by; }

int64_t tct_loop_items_a_part(const tct_loop *l, double points_an_item) {
    int64_t n = up(tct_loop_items(l), MOST_PARTS),
            fewest = l->rows ? up(FEWEST_ITEMS, l->rows) : FEWEST_ITEMS;
    if (n < fewest) n = fewest;
    if ((double)n * points_an_item < FEWEST_POINTS) n = (int64_t)(FEWEST_POINTS / points_an_item) + 1;
    return n;
}

int64_t tct_loop_parts(const tct_loop *l) {
    return l->tile ? up(l->axes[1].size, l->tile_rows) : up(tct_loop_items(l), tct_loop_items_a_task(l));
}

tct_loop *tct_loop_of_parts(tct_arena *arena, uint32_t n, int64_t results, int64_t parts, tct_span span) {
    tct_loop *l = tct_loop_new(arena);
    l->span = span;
    l->n_bufs = 2 * n;
    l->buf_dtype = TCT_NEW_ARRAY(arena, uint8_t, l->n_bufs);
    uint32_t axes[2] = {tct_loop_add_axis(l, "result", results, false),
                        tct_loop_add_axis(l, "part", parts, true)};
    tct_lv counter[2] = {tct_loop_counter(l, axes[0]), tct_loop_counter(l, axes[1])};
    int64_t stride[2] = {1, tct_loop_part(results)};
    tct_lv at = tct_loop_affine(l, 0, 2, counter, stride);
    for (uint32_t k = 0; k < n; k++) {
        l->buf_dtype[k] = l->buf_dtype[n + k] = TCT_F32;
        tct_loop_value load = {.kind = TCT_LOOP_LOAD, .dtype = TCT_F32, .i = k},
                       sum = {.kind = TCT_LOOP_REDUCE, .dtype = TCT_F32, .op = TCT_IR_SUM};
        tct_lv x = tct_loop_value_of(l, load, 1, &at);
        tct_loop_store_to(l, n + k, counter[0], tct_loop_value_of(l, sum, 1, &x), TCT_NO_LV, false);
    }
    tct_loop_schedule(l);
    return l;
}
