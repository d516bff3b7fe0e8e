// Streaming: a matrix product too large to be wanted in memory whole (logits over a vocabulary) is computed a
// few rows at a time, together with everything that reads it, forward and backward. What is done with one row
// must not depend on others; sums over rows (gradients of weights) are added up from part to part. The region
// becomes a scan over parts of its rows. Needs layout before it, so that parts are contiguous; fusion and
// planning see the body as a graph of its own.
//
// A region grows from a product's result: operations of the same extent beside it, everything that reads
// these, and what lies between. It is given up when one of them needs several rows at once.
#include "passes/stream.h"

#include "passes/passes.h"
#include "passes/rewrite.h"

#include <assert.h>
#include <string.h>

static const tct_stream_limits usual = {.bytes = 128 << 20, .rows = 128};

typedef enum place { OUTSIDE, INSIDE, SUMMED } place; // SUMMED: reduces the rows, leaves as a carry

typedef struct region {
    const tct_graph *g;
    tct_arena *arena;
    place *place;
    bool *output;  // of the graph
    bool *below;   // depends on a node inside
    tct_axis rows; // the axis that is cut
    int64_t parts;
    double elements; // of the product
} region;

static const tct_node *node(const region *r, tct_value v) { return tct_node_of(r->g, v); }

static int64_t size_of(const tct_graph *g, tct_axis a) { return tct_axis_of(g->module, a)->size; }

static bool is_large(const region *r, tct_value v) {
    return 2 * (double)tct_node_elements(r->g, node(r, v)) >= r->elements;
}

static bool has_rows(const region *r, tct_value v) { return tct_node_has_axis(node(r, v), r->rows); }

// Whether node v does with each row what it does with every other, and gives rows.
static bool is_row_wise(const region *r, tct_value v) {
    const tct_node *n = node(r, v);
    if (n->bundle || !tct_node_has_axis(n, r->rows)) return false;
    switch (tct_ir_ops[n->op].cls) {
    case TCT_CLASS_ELEMENTWISE:
        return true;
    case TCT_CLASS_REDUCTION:
    case TCT_CLASS_CONTRACTION:
        return !tct_axes_have(n->attr.axes, n->attr.n_axes, r->rows);
    case TCT_CLASS_MOVEMENT:
        if (n->op == TCT_IR_BROADCAST) return true;
        if (n->op == TCT_IR_SCATTER_ADD || n->op == TCT_IR_PUT) return false;
        return !tct_axes_have(n->attr.axes, n->attr.n_axes, r->rows) &&
               ((tct_ir_ops[n->op].attrs & TCT_IR_TO) == 0 ||
                !tct_axes_have(n->attr.to, n->attr.n_to, r->rows));
    default:
        return false;
    }
}

// Whether node v adds rows up. (Partial sums in bf16 would each be rounded.)
static bool is_sum(const region *r, tct_value v) {
    const tct_node *n = node(r, v);
    return (n->op == TCT_IR_SUM || n->op == TCT_IR_DOT) && n->dtype != TCT_BF16 &&
           tct_axes_have(n->attr.axes, n->attr.n_axes, r->rows);
}

static bool enter(region *r, tct_value v, bool *grown) {
    if (r->place[v] == INSIDE) return true;
    if (r->place[v] == SUMMED || !is_row_wise(r, v) || (r->output[v] && is_large(r, v))) return false;
    r->place[v] = INSIDE;
    *grown = true;
    return true;
}

// Everything that node v wants beside it.
static bool grow_at(region *r, tct_value v, bool *grown) {
    const tct_node *n = node(r, v);
    for (uint32_t k = 0; k < n->n_in; k++) {
        tct_value in = n->in[k];
        bool joins =
            r->place[in] == OUTSIDE && node(r, in)->op != TCT_IR_INPUT && is_large(r, in) && has_rows(r, in);
        if (joins && !enter(r, in, grown)) return false;
        if (r->place[in] != INSIDE || !is_large(r, in) || r->place[v] != OUTSIDE) continue;
        if (is_sum(r, v)) {
            r->place[v] = SUMMED;
            *grown = true;
        } else if (!enter(r, v, grown)) {
            return false;
        }
    }
    return true;
}

// What lies on a way from inside to inside belongs there; another product would do its work again for
// nothing.
static bool close_ways(region *r, bool *grown) {
    size_t n = r->g->nodes.len;
    bool *above = TCT_NEW_ARRAY(r->arena, bool, n); // the region depends on it
    memset(r->below, 0, n * sizeof *r->below);
    for (tct_value v = 0; v < n; v++)
        for (uint32_t k = 0; k < node(r, v)->n_in; k++) {
            tct_value in = node(r, v)->in[k];
            r->below[v] |= r->below[in] || r->place[in] != OUTSIDE;
        }
    for (tct_value v = (tct_value)n; v-- > 0;)
        if (above[v] || r->place[v] != OUTSIDE)
            for (uint32_t k = 0; k < node(r, v)->n_in; k++) above[node(r, v)->in[k]] = true;
    for (tct_value v = 0; v < n; v++) {
        if (r->place[v] == SUMMED && above[v]) return false;
        if (!r->below[v] || !above[v] || r->place[v] != OUTSIDE) continue;
        if (node(r, v)->op == TCT_IR_DOT || !enter(r, v, grown)) return false;
    }
    return true;
}

static bool grow(region *r, tct_value product) {
    bool grown = false;
    if (!enter(r, product, &grown)) return false;
    do {
        grown = false;
        for (tct_value v = 0; v < r->g->nodes.len; v++)
            if (node(r, v)->n_in && (r->place[v] != OUTSIDE || !node(r, v)->bundle))
                if (!grow_at(r, v, &grown)) return false;
        // A bundle that reads something large wants it whole.
        for (tct_value v = 0; v < r->g->nodes.len; v++)
            for (uint32_t k = 0; node(r, v)->bundle && k < node(r, v)->n_in; k++)
                if (r->place[node(r, v)->in[k]] == INSIDE && is_large(r, node(r, v)->in[k])) return false;
        if (!close_ways(r, &grown)) return false;
    } while (grown);
    return true;
}

// Constants and the like are made anew in the body.
static bool is_entry(const region *r, tct_value v) {
    const tct_node *n = node(r, v);
    bool anew = tct_ir_ops[n->op].cls == TCT_CLASS_LEAF && n->op != TCT_IR_INPUT && n->n_in == 0;
    return r->place[v] == OUTSIDE && (!anew || has_rows(r, v));
}

// A part of an operand must be a piece of its memory, unless it is small.
static bool entries_fit(const region *r) {
    for (tct_value v = 0; v < r->g->nodes.len; v++)
        for (uint32_t k = 0; r->place[v] != OUTSIDE && k < node(r, v)->n_in; k++) {
            tct_value in = node(r, v)->in[k];
            const tct_node *o = node(r, in);
            if (!is_entry(r, in) || !has_rows(r, in)) continue;
            if (o->n_axes >= TCT_IR_MAX_AXES) return false;
            int at = 0;
            while (o->axes[at] != r->rows && size_of(r->g, o->axes[at]) == 1) at++;
            if (o->axes[at] != r->rows && 16 * (double)tct_node_elements(r->g, o) > r->elements) return false;
        }
    return true;
}

// The axis to cut, outermost but for axes of size 1, and the fewest parts that are small enough; parts 0:
// none.
static void cut(region *r, tct_value product, const tct_stream_limits *limits) {
    const tct_node *n = node(r, product), *a = node(r, n->in[0]), *b = node(r, n->in[1]);
    r->parts = 0;
    int at = 0;
    while (at < n->n_axes && size_of(r->g, n->axes[at]) == 1) at++;
    if (at == n->n_axes || n->n_axes >= TCT_IR_MAX_AXES) return;
    r->rows = n->axes[at];
    const tct_node *of = tct_node_has_axis(a, r->rows) ? a : b, *other = of == a ? b : a;
    double rows = 1, bytes = r->elements * (double)tct_dtype_size((tct_dtype)n->dtype);
    for (int k = 0; k < n->n_axes; k++)
        if (tct_node_has_axis(of, n->axes[k]) && !tct_node_has_axis(other, n->axes[k]))
            rows *= (double)size_of(r->g, n->axes[k]);
    if (tct_node_has_axis(other, r->rows)) rows *= (double)size_of(r->g, r->rows); // a batch of products
    int64_t size = size_of(r->g, r->rows);
    for (int64_t parts = 2; parts <= size && rows / (double)parts >= limits->rows; parts++) {
        if (size % parts) continue;
        r->parts = parts;
        if (bytes / (double)parts <= limits->bytes) return;
    }
}

// --- The scan ---

typedef struct maker {
    const region *r;
    tct_rewrite *to;
    tct_graph *body;
    tct_axis outer, inner; // of the rows: parts, and rows of a part
    tct_value *map;        // into the body
    TCT_VEC(tct_value) operands;
} maker;

static void substitute(const maker *m, tct_axis *axes, uint32_t n) {
    for (uint32_t k = 0; k < n; k++)
        if (axes[k] == m->r->rows) axes[k] = m->inner;
}

static tct_axis *substituted(const maker *m, const tct_axis *axes, uint32_t n) {
    tct_axis *out = TCT_NEW_ARRAY(&m->r->g->module->arena, tct_axis, n + 1);
    if (n) memcpy(out, axes, n * sizeof *out);
    substitute(m, out, n);
    return out;
}

static tct_value body_input(maker *m, tct_value operand, const tct_node *like) {
    const char *name = tct_arena_printf(&m->r->g->module->arena, "x%zu", m->operands.len);
    TCT_PUSH(&m->operands, operand);
    m->body->span = like->span;
    return tct_ir_input(m->body, name, (tct_dtype)like->dtype, substituted(m, like->axes, like->n_axes),
                        like->n_axes);
}

static void add_entry(maker *m, tct_value v) {
    if (m->map[v] != TCT_NO_VALUE) return;
    const tct_node *n = node(m->r, v);
    if (!is_entry(m->r, v)) {
        m->map[v] = m->r->place[v] == OUTSIDE ? tct_ir_copy_node(m->body, m->r->g, v, m->map) : TCT_NO_VALUE;
        return;
    }
    tct_value operand = m->to->map[v];
    if (has_rows(m->r, v)) {
        tct_rewrite_at(m->to, v);
        tct_ir_attr attr = {.n_axes = 1, .axes = {m->r->rows}, .n_to = 2, .to = {m->outer, m->inner}};
        operand = tct_ir_emit(m->to->to, NULL, TCT_IR_SPLIT, &operand, 1, &attr);
    }
    m->map[v] = body_input(m, operand, n);
}

static void add_step(maker *m, tct_value v) {
    tct_node n = *node(m->r, v);
    tct_arena *arena = &m->r->g->module->arena;
    tct_value *in = TCT_NEW_ARRAY(arena, tct_value, n.n_in + 1);
    for (uint32_t k = 0; k < n.n_in; k++) in[k] = m->map[n.in[k]];
    n.in = in;
    n.axes = substituted(m, n.axes, n.n_axes);
    substitute(m, n.attr.axes, n.attr.n_axes);
    m->map[v] = tct_ir_append(m->body, &n);
}

static bool leaves(const region *r, tct_value v) {
    if (r->output[v]) return true;
    for (tct_value u = v + 1; u < r->g->nodes.len; u++)
        for (uint32_t k = 0; r->place[u] == OUTSIDE && k < node(r, u)->n_in; k++)
            if (node(r, u)->in[k] == v) return true;
    return false;
}

// Result `index` of the scan stands for node v.
static void hand_out(maker *m, tct_value scan, uint32_t index, tct_value v) {
    const tct_node *n = node(m->r, v);
    tct_graph *to = m->to->to;
    tct_rewrite_at(m->to, v);
    tct_value x = tct_ir_get(to, scan, index);
    if (m->r->place[v] == INSIDE) {
        tct_ir_attr attr = {.n_axes = 2, .axes = {m->outer, m->inner}, .n_to = 1, .to = {m->r->rows}};
        x = tct_ir_emit(to, NULL, TCT_IR_MERGE, &x, 1, &attr);
    }
    m->to->map[v] = tct_in_order(to, x, n->axes, n->n_axes, NULL);
}

static void make_scan(maker *m, tct_value product) {
    const region *r = m->r;
    tct_graph *to = m->to->to;
    TCT_VEC(tct_value) results = {0};
    m->body = tct_graph_new(r->g->module, "part");
    m->body->pass = m->to->pass;
    size_t n = r->g->nodes.len;
    tct_value *carried = TCT_NEW_ARRAY(r->arena, tct_value, n);
    for (tct_value v = 0; v < n; v++) {
        if (r->place[v] != SUMMED) continue;
        const tct_node *s = node(r, v);
        tct_rewrite_at(m->to, v);
        carried[v] = body_input(m, tct_zeros(to, (tct_dtype)s->dtype, s->axes, s->n_axes), s);
        TCT_PUSH(&results, v);
    }
    size_t carries = results.len;
    for (tct_value v = 0; v < n; v++) {
        if (r->place[v] == OUTSIDE) continue;
        for (uint32_t k = 0; k < node(r, v)->n_in; k++) add_entry(m, node(r, v)->in[k]);
        add_step(m, v);
        if (r->place[v] == INSIDE && leaves(r, v)) TCT_PUSH(&results, v);
    }
    for (size_t k = 0; k < results.len; k++) {
        tct_value y = m->map[results.data[k]];
        m->body->span = node(r, results.data[k])->span;
        if (k < carries) {
            const tct_node *s = node(r, results.data[k]);
            y = tct_bin(m->body, TCT_IR_ADD, carried[results.data[k]], y);
            tct_set_order(m->body, y, s->axes, s->n_axes);
        }
        tct_ir_output(m->body, tct_arena_printf(&r->g->module->arena, "y%zu", k), y, -1);
    }
    tct_rewrite_at(m->to, product);
    tct_ir_attr attr = {.n_axes = 1, .axes = {m->outer}, .i = (int64_t)carries, .step = 1, .body = m->body};
    tct_value scan = tct_ir_emit(to, NULL, TCT_IR_SCAN, m->operands.data, (uint32_t)m->operands.len, &attr);
    for (uint32_t k = 0; k < results.len; k++) hand_out(m, scan, k, results.data[k]);
    TCT_VEC_FREE(&results);
    TCT_VEC_FREE(&m->operands);
}

// What doesn't depend on the region, the region, what does.
static tct_graph *rebuild(region *r, tct_value product) {
    tct_rewrite to;
    tct_rewrite_begin(&to, r->g, "stream");
    tct_ir_module *module = r->g->module;
    const tct_axis_info rows = *tct_axis_of(module, r->rows);
    maker m = {.r = r,
               .to = &to,
               .outer =
                   tct_axis_get(module, tct_arena_printf(&module->arena, "%s_parts", rows.name), r->parts),
               .inner = tct_axis_get(module, tct_arena_printf(&module->arena, "%s_part", rows.name),
                                     rows.size / r->parts),
               .map = TCT_NEW_ARRAY(&to.arena, tct_value, r->g->nodes.len)};
    memset(m.map, 0xFF, r->g->nodes.len * sizeof *m.map); // TCT_NO_VALUE
    for (int later = 0; later < 2; later++) {
        for (tct_value v = 0; v < r->g->nodes.len; v++)
            if (node(r, v)->op != TCT_IR_INPUT && r->place[v] == OUTSIDE && r->below[v] == (later != 0))
                tct_rewrite_copy(&to, v);
        if (!later) make_scan(&m, product);
    }
    to.changed = true;
    return tct_rewrite_finish(&to);
}

static tct_graph *stream_one(tct_graph *g, tct_value product, const tct_stream_limits *limits) {
    tct_arena arena = {0};
    size_t n = g->nodes.len;
    region r = {.g = g,
                .arena = &arena,
                .place = TCT_NEW_ARRAY(&arena, place, n),
                .output = TCT_NEW_ARRAY(&arena, bool, n),
                .below = TCT_NEW_ARRAY(&arena, bool, n),
                .elements = (double)tct_node_elements(g, tct_node_of(g, product))};
    for (size_t k = 0; k < g->outputs.len; k++) r.output[g->outputs.data[k].value] = true;
    cut(&r, product, limits);
    bool fits = r.parts && grow(&r, product) && entries_fit(&r);
    tct_graph *made = fits ? rebuild(&r, product) : g;
    tct_arena_free(&arena);
    return made;
}

tct_graph *tct_stream(tct_graph *g, const tct_stream_limits *limits) {
    for (tct_value v = 0; v < g->nodes.len; v++) {
        const tct_node *n = tct_node_of(g, v);
        if (n->op != TCT_IR_DOT ||
            (double)tct_node_elements(g, n) * (double)tct_dtype_size((tct_dtype)n->dtype) <= limits->bytes)
            continue;
        tct_graph *made = stream_one(g, v, limits);
        if (made != g) return tct_stream(made, limits); // one product fewer is outside of scans
    }
    return g;
}

tct_graph *tct_pass_stream(tct_graph *g) { return tct_stream(g, &usual); }
