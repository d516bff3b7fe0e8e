// Which columns each part of a region's rows sees. Columns are hidden when all that is wanted of them can be
// said without them; that is tried, from the outermost ones inwards.
#include "passes/stream_hidden.h"

#include "passes/positions.h"

#include <string.h>

typedef struct hiding {
    const tct_region *r;
    tct_axis columns;
    tct_hidden *is; // by node
} hiding;

static const tct_node *node(const hiding *h, tct_value v) { return tct_region_node(h->r, v); }
static bool has_columns(const hiding *h, tct_value v) { return tct_has_columns(h->r, v, h->columns); }

// Outside of the region, and the same for all rows.
static bool is_factor(const hiding *h, tct_value v) {
    return h->r->place[v] == TCT_OUTSIDE && has_columns(h, v) && !tct_region_is_cut(h->r, v);
}

static bool is_zero(const hiding *h, tct_value v) {
    const tct_node *n = node(h, v);
    if (n->op == TCT_IR_CONST)
        return tct_dtype_is_float((tct_dtype)n->dtype) ? n->attr.f == 0 : n->attr.i == 0;
    return n->op == TCT_IR_BROADCAST && is_zero(h, n->in[0]);
}

// Zero times something that is surely a number.
static bool is_zero_still(const hiding *h, const tct_node *n) {
    const tct_node *by = n->n_in == 2 ? node(h, n->in[1]) : NULL;
    double f = by && by->op == TCT_IR_CONST ? by->attr.f : 0;
    switch (n->op) {
    case TCT_IR_NEG:
    case TCT_IR_ABS:
    case TCT_IR_CAST:
    case TCT_IR_BROADCAST:
    case TCT_IR_AFTER:
        return h->is[n->in[0]].zero;
    case TCT_IR_MUL:
    case TCT_IR_DIV:
        return h->is[n->in[0]].zero && f != 0 && f - f == 0;
    default:
        return false;
    }
}

static tct_hidden product_there(const hiding *h, const tct_node *n) {
    bool a = has_columns(h, n->in[0]), b = has_columns(h, n->in[1]);
    tct_hidden is = {.truth = -1};
    if (a != b && is_factor(h, n->in[a ? 0 : 1])) is.is = TCT_HIDDEN_PRODUCT;
    return is;
}

static tct_hidden elementwise_there(const hiding *h, const tct_node *n) {
    tct_hidden is = {.is = TCT_HIDDEN_ROWS, .truth = -1};
    uint32_t products = 0, first = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        uint8_t operand = h->is[n->in[k]].is;
        if (operand == TCT_HIDDEN_UNKNOWN) is.is = TCT_HIDDEN_UNKNOWN;
        if (operand == TCT_HIDDEN_PRODUCT && !products++) first = k;
    }
    if (n->op == TCT_IR_WHERE && h->is[n->in[0]].truth >= 0) {
        tct_hidden taken = h->is[n->in[h->is[n->in[0]].truth ? 1 : 2]];
        is.taken = h->is[n->in[0]].truth ? 1 : 2;
        is.is = taken.is == TCT_HIDDEN_ROWS ? TCT_HIDDEN_ROWS : TCT_HIDDEN_UNKNOWN;
        is.zero = taken.zero;
        return is;
    }
    if (is.is == TCT_HIDDEN_UNKNOWN) return is;
    bool scaled = products == 1 && (n->op == TCT_IR_MUL || n->op == TCT_IR_NEG || n->op == TCT_IR_AFTER ||
                                    (n->op == TCT_IR_DIV && first == 0));
    if (products) is.is = scaled ? TCT_HIDDEN_PRODUCT : TCT_HIDDEN_UNKNOWN;
    is.zero = !products && is_zero_still(h, n);
    return is;
}

// truth: of node v in the hidden columns, -1 when it isn't the same everywhere.
static tct_hidden there(const hiding *h, tct_value v, int8_t truth) {
    const tct_node *n = node(h, v);
    if (n->bundle) return (tct_hidden){.truth = -1};
    if (!has_columns(h, v)) return (tct_hidden){.is = TCT_HIDDEN_ROWS, .zero = is_zero(h, v), .truth = truth};
    if (truth >= 0) return (tct_hidden){.is = TCT_HIDDEN_ROWS, .zero = !truth, .truth = truth};
    if (h->r->place[v] == TCT_OUTSIDE && !h->r->anew[v]) return (tct_hidden){.truth = -1};
    if (n->op == TCT_IR_DOT) return product_there(h, n);
    if (tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE || n->op == TCT_IR_BROADCAST || n->op == TCT_IR_AFTER)
        return elementwise_there(h, n);
    return (tct_hidden){.truth = -1};
}

// A product's part that reduces hidden columns, of its operands there.
static bool contracts(const hiding *h, const tct_node *n) {
    const tct_hidden *a = &h->is[n->in[0]], *b = &h->is[n->in[1]];
    if (a->zero || b->zero) return true;
    if (a->is != TCT_HIDDEN_ROWS) {
        const tct_hidden *other = a;
        a = b;
        b = other;
    }
    if (a->is != TCT_HIDDEN_ROWS) return false;
    if (b->is == TCT_HIDDEN_PRODUCT) return n->attr.n_axes == 1;
    return b->is == TCT_HIDDEN_ROWS || is_factor(h, n->in[a == &h->is[n->in[0]] ? 1 : 0]);
}

static bool reduces(const hiding *h, const tct_node *n) {
    const tct_hidden *x = &h->is[n->in[0]];
    switch (n->op) {
    case TCT_IR_DOT:
        return contracts(h, n);
    case TCT_IR_SUM:
        return x->is == TCT_HIDDEN_ROWS || (x->is == TCT_HIDDEN_PRODUCT && n->attr.n_axes == 1);
    case TCT_IR_REDUCE_MAX:
    case TCT_IR_REDUCE_MIN:
    case TCT_IR_ANY:
    case TCT_IR_ALL:
        return x->is == TCT_HIDDEN_ROWS;
    default:
        return false;
    }
}

static bool is_movement_of(const hiding *h, const tct_node *n) {
    if (tct_ir_ops[n->op].cls != TCT_CLASS_MOVEMENT || n->op == TCT_IR_BROADCAST) return false;
    return tct_axes_have(n->attr.axes, n->attr.n_axes, h->columns) ||
           ((tct_ir_ops[n->op].attrs & TCT_IR_TO) && tct_axes_have(n->attr.to, n->attr.n_to, h->columns));
}

// Node v of the region does without the hidden columns.
static bool does_without(const hiding *h, tct_value v) {
    const tct_node *n = node(h, v);
    if (is_movement_of(h, n)) return false;
    bool reduction = n->op == TCT_IR_DOT || tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION;
    if (reduction && tct_axes_have(n->attr.axes, n->attr.n_axes, h->columns)) return reduces(h, n);
    if (!has_columns(h, v)) return true;
    if (h->r->place[v] == TCT_INSIDE) return !tct_region_leaves(h->r, v);
    bool a = has_columns(h, n->in[0]), b = n->n_in == 2 && has_columns(h, n->in[1]);
    return a != b && h->is[n->in[a ? 0 : 1]].is == TCT_HIDDEN_ROWS;
}

static int8_t truth_of(const hiding *h, tct_value v, const tct_reach *reach) {
    return node(h, v)->dtype == TCT_BOOL && reach->known && reach->low == reach->high ? (int8_t)reach->low
                                                                                      : -1;
}

// The part's rows do without the columns before low and from high on.
static bool can_hide(hiding *h, const tct_part *part) {
    const tct_graph *g = h->r->g;
    size_t n = g->nodes.len;
    int64_t size = tct_axis_of(g->module, h->columns)->size;
    tct_reach *reach[2] = {TCT_NEW_ARRAY(h->r->arena, tct_reach, n),
                           TCT_NEW_ARRAY(h->r->arena, tct_reach, n)};
    tct_box boxes[2] = {{{h->r->axes[0], h->columns}, {part->from, 0}, {part->to, part->low}},
                        {{h->r->axes[0], h->columns}, {part->from, part->high}, {part->to, size}}};
    for (tct_value v = 0; v < n; v++) {
        int8_t truth[2] = {-1, -1};
        bool relevant = h->r->place[v] != TCT_OUTSIDE || h->r->anew[v];
        for (int side = 0; side < 2; side++) {
            if (relevant) reach[side][v] = tct_reach_in(g, v, &boxes[side], reach[side]);
            truth[side] = truth_of(h, v, &reach[side][v]);
        }
        if (part->low == 0) truth[0] = truth[1];
        if (part->high == size) truth[1] = truth[0];
        h->is[v] = there(h, v, truth[0] == truth[1] ? truth[0] : -1);
    }
    for (tct_value v = 0; v < n; v++)
        if (h->r->place[v] != TCT_OUTSIDE && !does_without(h, v)) return false;
    return true;
}

// As few columns as can be, but `step` of them at least.
static void hide(hiding *h, tct_part *part, int64_t step) {
    int64_t size = tct_axis_of(h->r->g->module, h->columns)->size;
    part->low = 0;
    part->high = size;
    for (int64_t high = step; high < size; high += step) {
        if (!can_hide(h, &(tct_part){.from = part->from, .to = part->to, .high = high})) continue;
        part->high = high;
        break;
    }
    for (int64_t low = step; low < part->high; low += step) {
        if (!can_hide(h, &(tct_part){.from = part->from, .to = part->to, .low = low, .high = part->high}))
            break;
        part->low = low;
    }
    bool any = part->low > 0 || part->high < size;
    if (any) can_hide(h, part); // leaves in h->is what holds for these
    part->hidden = any ? h->is : NULL;
}

bool tct_region_show(const tct_region *r, tct_axis columns, int64_t rows, tct_shown *out) {
    int64_t height = tct_axis_of(r->g->module, r->axes[0])->size, seen = 0;
    *out = (tct_shown){.rows = r->axes[0], .columns = columns};
    for (int64_t from = 0; from < height; from += rows) {
        if (out->n_parts == TCT_MOST_PARTS) return false;
        tct_part *part = &out->parts[out->n_parts++];
        part->from = from;
        part->to = from + rows < height ? from + rows : height;
        hiding h = {.r = r, .columns = columns, .is = TCT_NEW_ARRAY(r->arena, tct_hidden, r->g->nodes.len)};
        hide(&h, part, rows);
        seen += (part->to - part->from) * (part->high - part->low);
    }
    out->share = (double)seen / (double)height / (double)tct_axis_of(r->g->module, columns)->size;
    return out->n_parts > 1 && out->share < 1;
}
