// Streaming: a product whose result is too large to be wanted in memory whole is computed part by part,
// together with everything that reads it, forward and backward, so that a part never leaves the cache.
//
// Of a batch of products (the scores of attention, for each row and head) the parts are the elements of the
// batch, which have nothing to do with each other and run beside each other; what is left of one may be cut
// again. Of a single product (logits over a vocabulary) they are some rows; sums over rows (gradients of
// weights) are added up from part to part. The region becomes a scan. Needs layout before it, so that parts
// are contiguous; fusion and planning see the body as a graph of its own.
#include "passes/stream.h"

#include "passes/passes.h"
#include "passes/stream_hidden.h"

#include <string.h>

static const tct_stream_limits one_of_a_batch = {.bytes = 1 << 20, .rows = 128, .shown = 64};
static const tct_stream_limits usual = {
    .bytes = 128 << 20, .rows = 128, .batch = 8 << 20, .again = 128, .within = &one_of_a_batch};

static int64_t size_of(const tct_graph *g, tct_axis a) { return tct_axis_of(g->module, a)->size; }

static double bytes_of(const tct_graph *g, tct_value v) {
    const tct_node *n = tct_node_of(g, v);
    return (double)tct_node_elements(g, n) * (double)tct_dtype_size((tct_dtype)n->dtype);
}

// The axis to cut, outermost but for axes of size 1, and the fewest parts that are small enough. False: none.
static bool cut_rows(tct_region *r, tct_value product, const tct_stream_limits *limits) {
    const tct_node *n = tct_region_node(r, product), *a = tct_region_node(r, n->in[0]),
                   *b = tct_region_node(r, n->in[1]);
    r->parts = 0;
    int at = 0;
    while (at < n->n_axes && size_of(r->g, n->axes[at]) == 1) at++;
    if (at == n->n_axes || n->n_axes >= TCT_IR_MAX_AXES) return false;
    tct_axis axis = r->axes[0] = n->axes[at];
    r->n_axes = 1;
    const tct_node *of = tct_node_has_axis(a, axis) ? a : b, *other = of == a ? b : a;
    double rows = 1, bytes = bytes_of(r->g, product);
    for (int k = 0; k < n->n_axes; k++)
        if (tct_node_has_axis(of, n->axes[k]) && !tct_node_has_axis(other, n->axes[k]))
            rows *= (double)size_of(r->g, n->axes[k]);
    int64_t size = size_of(r->g, axis);
    if (tct_node_has_axis(other, axis)) rows *= (double)size; // a batch of products
    for (int64_t parts = 2; parts <= size && rows / (double)parts >= limits->rows; parts++) {
        if (size % parts) continue;
        r->parts = parts;
        if (bytes / (double)parts <= limits->bytes) break;
    }
    return r->parts > 0;
}

// Axis number `which` of the batch, or all of them with -1. False: there is none.
static bool cut_batch(tct_region *r, tct_value product, int which) {
    const tct_node *n = tct_region_node(r, product), *a = tct_region_node(r, n->in[0]),
                   *b = tct_region_node(r, n->in[1]);
    r->parts = 0;
    r->n_axes = 0;
    for (int k = 0, found = 0; k < n->n_axes; k++) {
        tct_axis axis = n->axes[k];
        if (!tct_node_has_axis(a, axis) || !tct_node_has_axis(b, axis) || size_of(r->g, axis) == 1) continue;
        if (which < 0 || found == which) r->axes[r->n_axes++] = axis;
        found++;
    }
    return r->n_axes > 0;
}

// The region of `product` in g, cut as `like`. False: it wants more than a part.
static bool grown(const tct_region *like, const tct_graph *g, tct_value product, tct_region *r) {
    *r = tct_region_begin(like->arena, g, product);
    r->n_axes = like->n_axes;
    r->parts = like->parts;
    memcpy(r->axes, like->axes, sizeof r->axes);
    return tct_region_grow(r, product);
}

// cut: what is cut of `product`. NULL where that can't be done.
static tct_graph *stream_cut(const tct_region *cut, tct_value product, const tct_stream_limits *limits) {
    tct_region r;
    if (cut->parts) return grown(cut, cut->g, product, &r) ? tct_region_scan(&r, product, NULL) : NULL;
    tct_value first, second;
    const tct_graph *g = tct_region_again(cut, product, limits, &first, &second);
    if (!g || (second != TCT_NO_VALUE && !grown(cut, g, second, &r)) || !grown(cut, g, first, &r))
        return NULL;
    return tct_region_scan(&r, first, limits->within);
}

static tct_graph *stream_one(const tct_graph *g, tct_value product, const tct_stream_limits *limits) {
    double bytes = bytes_of(g, product);
    bool batch = limits->batch > 0 && bytes > limits->batch, rows = bytes > limits->bytes;
    if (!batch && !rows) return NULL;
    tct_arena arena = {0};
    tct_region cut = tct_region_begin(&arena, g, product);
    tct_graph *made = NULL;
    for (int which = -1; batch && !made && cut_batch(&cut, product, which); which++)
        made = stream_cut(&cut, product, limits);
    if (!made && rows && cut_rows(&cut, product, limits)) made = stream_cut(&cut, product, limits);
    tct_arena_free(&arena);
    return made;
}

// Of a product's free axes, the one of the rows and the one of the columns of which a mask hides the most.
static tct_graph *show_one(const tct_graph *g, tct_value product, const tct_stream_limits *limits) {
    static const double worth = 0.8; // of the elements; more, and the parts gain nothing
    enum { NEAT = 16, FEW = 8 };
    const tct_node *n = tct_node_of(g, product), *a = tct_node_of(g, n->in[0]), *b = tct_node_of(g, n->in[1]);
    tct_arena arena = {0};
    tct_region best = {0};
    tct_shown most = {.share = worth};
    for (int k = 0; k < n->n_axes * n->n_axes; k++) {
        tct_axis rows = n->axes[k / n->n_axes], columns = n->axes[k % n->n_axes];
        const tct_node *of = tct_node_has_axis(a, rows) ? a : b, *other = of == a ? b : a;
        int64_t size = size_of(g, rows);
        if (tct_node_has_axis(other, rows) || tct_node_has_axis(of, columns)) continue;
        if ((double)size < 2 * limits->shown) continue;
        int64_t parts = (int64_t)((double)size / limits->shown);
        if (parts > FEW)
            parts = parts / 2 > FEW ? parts / 2 : FEW; // more are worth it from twice the rows on
        if (parts > TCT_MOST_PARTS) parts = TCT_MOST_PARTS;
        int64_t part = (size + parts - 1) / parts;
        if (part >= NEAT) part = (part + NEAT - 1) / NEAT * NEAT;
        tct_region r = tct_region_begin(&arena, g, product);
        r.views = true;
        r.n_axes = 1;
        r.axes[0] = rows;
        r.parts = (size + part - 1) / part;
        tct_shown shown;
        if (r.parts < 2 || !tct_region_grow(&r, product) || !tct_region_show(&r, columns, part, &shown))
            continue;
        if (shown.share >= most.share) continue;
        most = shown;
        best = r;
    }
    tct_graph *made = most.n_parts ? tct_region_unroll(&best, &most) : NULL;
    tct_arena_free(&arena);
    return made;
}

// Each product once: what is in parts already is left to the other cuts.
static tct_graph *show(tct_graph *g, const tct_stream_limits *limits) {
    TCT_VEC(tct_axis) pieces = {0};
    for (tct_value v = 0; v < g->nodes.len && limits->shown > 0; v++) {
        const tct_node *n = tct_node_of(g, v);
        bool done = n->op != TCT_IR_DOT;
        for (size_t k = 0; k < pieces.len; k++) done |= tct_node_has_axis(n, pieces.data[k]);
        size_t first = g->module->axes.len;
        tct_graph *made = done ? NULL : show_one(g, v, limits);
        if (!made) continue;
        for (size_t k = first; k < g->module->axes.len; k++) TCT_PUSH(&pieces, (tct_axis)k);
        g = made;
        v = 0;
    }
    TCT_VEC_FREE(&pieces);
    return g;
}

static tct_graph *cut(tct_graph *g, const tct_stream_limits *limits) {
    for (tct_value v = 0; v < g->nodes.len; v++) {
        if (tct_node_of(g, v)->op != TCT_IR_DOT) continue;
        tct_graph *made = stream_one(g, v, limits);
        if (made) return cut(made, limits); // one product fewer is outside of scans
    }
    return g;
}

tct_graph *tct_stream(tct_graph *g, const tct_stream_limits *limits) { return cut(show(g, limits), limits); }

tct_graph *tct_pass_stream(tct_graph *g) { return tct_stream(g, &usual); }
