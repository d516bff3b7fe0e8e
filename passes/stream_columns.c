// What hidden columns add to reductions. There are n of them; a value x of the rows that stands in each adds
// n * x to a sum. To a product with a factor that differs from column to column, it adds x times the sum of
// that factor; computed as n * x times a mean, which doesn't overflow where no element does.
#include "passes/stream_columns.h"

static const tct_node *node(const tct_parts_maker *m, tct_value v) { return tct_region_node(m->r, v); }
static bool has_columns(const tct_parts_maker *m, tct_value v) {
    return tct_has_columns(m->r, v, m->shown->columns);
}

static int64_t size_of(const tct_parts_maker *m, tct_axis a) { return tct_axis_of(m->r->g->module, a)->size; }

static tct_value times(const tct_parts_maker *m, tct_value x, double by) {
    tct_graph *g = m->to->to;
    bool whole = !tct_dtype_is_float((tct_dtype)tct_node_of(g, x)->dtype);
    tct_value c =
        whole ? tct_const_int(g, (tct_dtype)tct_node_of(g, x)->dtype, (int64_t)by) : tct_const_like(g, x, by);
    return by == 1 ? x : tct_bin(g, TCT_IR_MUL, x, c);
}

static tct_value hidden_value(tct_parts_maker *m, tct_value v) {
    if (!has_columns(m, v)) return tct_part_operand(m, v);
    if (m->hidden[v] != TCT_NO_VALUE) return m->hidden[v];
    const tct_node *n = node(m, v);
    const tct_hidden *is = &m->part->hidden[v];
    tct_graph *g = m->to->to;
    tct_value x;
    if (is->truth >= 0) {
        x = tct_const_int(g, TCT_BOOL, is->truth);
    } else if (is->taken) {
        x = hidden_value(m, n->in[is->taken]);
    } else if (n->op == TCT_IR_BROADCAST || n->op == TCT_IR_AFTER) {
        x = hidden_value(m, n->in[0]);
    } else {
        tct_value *in = TCT_NEW_ARRAY(m->r->arena, tct_value, n->n_in + 1);
        for (uint32_t k = 0; k < n->n_in; k++) in[k] = hidden_value(m, n->in[k]);
        x = tct_ir_emit(g, NULL, (tct_ir_op)n->op, in, n->n_in, &n->attr);
    }
    return m->hidden[v] = x;
}

// With all axes that node v has beside the columns.
static tct_value hidden_wide(tct_parts_maker *m, tct_value v) {
    tct_axis axes[TCT_IR_MAX_AXES];
    const tct_node *n = node(m, v);
    uint32_t len = tct_axes_minus(axes, n->axes, n->n_axes, &m->shown->columns, 1);
    for (uint32_t k = 0; k < len; k++)
        if (axes[k] == m->shown->rows) axes[k] = m->rows;
    tct_value x = hidden_value(m, v);
    return len ? tct_ir_broadcast(m->to->to, x, axes, len) : x;
}

// Of an operand of which `others` axes are reduced beside the columns.
static tct_value reducible(tct_parts_maker *m, tct_value v, uint32_t others) {
    return others ? hidden_wide(m, v) : hidden_value(m, v);
}

static double n_hidden(const tct_parts_maker *m) {
    return (double)(size_of(m, m->shown->columns) - (m->part->high - m->part->low));
}

static double scale_of(const tct_parts_maker *m, tct_value v) {
    return tct_dtype_is_float((tct_dtype)node(m, v)->dtype) ? (double)size_of(m, m->shown->columns) : 1;
}

static tct_value block_sum(tct_parts_maker *m, tct_value v, uint32_t k) {
    tct_graph *g = m->to->to;
    tct_value x = m->to->map[v];
    if (m->blocks[k] != m->shown->columns)
        x = tct_ir_slice(g, NULL, x, m->shown->columns, m->blocks[k], m->borders[k], 1);
    return tct_sum(g, times(m, x, 1 / scale_of(m, v)), &m->blocks[k], 1);
}

// Over the blocks before number k, or behind and with it; of at least one.
static tct_value sum_before(tct_parts_maker *m, tct_value v, uint32_t k) {
    if (m->before[v][k] != TCT_NO_VALUE) return m->before[v][k];
    tct_value sum = block_sum(m, v, k - 1);
    if (k > 1) sum = tct_bin(m->to->to, TCT_IR_ADD, sum_before(m, v, k - 1), sum);
    return m->before[v][k] = sum;
}

static tct_value sum_behind(tct_parts_maker *m, tct_value v, uint32_t k) {
    if (m->behind[v][k] != TCT_NO_VALUE) return m->behind[v][k];
    tct_value sum = block_sum(m, v, k);
    if (k + 1 < m->n_blocks) sum = tct_bin(m->to->to, TCT_IR_ADD, sum, sum_behind(m, v, k + 1));
    return m->behind[v][k] = sum;
}

// The sum of v, outside of the region, over hidden columns, over scale_of().
static tct_value factor_sum(tct_parts_maker *m, tct_value v) {
    uint32_t low = 0, high = 0;
    while (m->borders[low] < m->part->low) low++;
    while (m->borders[high] < m->part->high) high++;
    if (!m->before[v]) {
        m->before[v] = TCT_NEW_ARRAY(m->r->arena, tct_value, m->n_blocks + 1);
        m->behind[v] = TCT_NEW_ARRAY(m->r->arena, tct_value, m->n_blocks + 1);
        for (uint32_t k = 0; k <= m->n_blocks; k++) m->before[v][k] = m->behind[v][k] = TCT_NO_VALUE;
    }
    tct_value before = low ? sum_before(m, v, low) : TCT_NO_VALUE;
    tct_value behind = high < m->n_blocks ? sum_behind(m, v, high) : TCT_NO_VALUE;
    if (before == TCT_NO_VALUE || behind == TCT_NO_VALUE) return low ? before : behind;
    return tct_bin(m->to->to, TCT_IR_ADD, before, behind);
}

// A product with a factor, times a value of the rows: that product, and that value (or TCT_NO_VALUE: 1).
static tct_value scaled_product(tct_parts_maker *m, tct_value v, tct_value *by) {
    const tct_node *n = node(m, v);
    tct_graph *g = m->to->to;
    *by = TCT_NO_VALUE;
    if (n->op == TCT_IR_DOT) return v;
    uint32_t which = m->part->hidden[n->in[0]].is == TCT_HIDDEN_PRODUCT ? 0 : 1;
    tct_value product = scaled_product(m, n->in[which], by);
    if (n->op == TCT_IR_AFTER) return product;
    if (*by == TCT_NO_VALUE && n->op != TCT_IR_MUL) *by = tct_ir_const(g, (tct_dtype)n->dtype, 1);
    if (n->op == TCT_IR_NEG) {
        *by = tct_un(g, TCT_IR_NEG, *by);
        return product;
    }
    tct_value x = hidden_value(m, n->in[1 - which]);
    *by = *by == TCT_NO_VALUE ? x : tct_bin(g, (tct_ir_op)n->op, *by, x);
    return product;
}

// The sum of x times node v, a scaled product, over hidden columns. x may be TCT_NO_VALUE.
static tct_value sum_of_product(tct_parts_maker *m, tct_value v, tct_value x) {
    tct_graph *g = m->to->to;
    tct_value by, product = scaled_product(m, v, &by);
    const tct_node *n = node(m, product);
    uint32_t rows = has_columns(m, n->in[0]) ? 1 : 0;
    tct_value sum = factor_sum(m, n->in[1 - rows]);
    sum = tct_contract(g, tct_part_operand(m, n->in[rows]), sum, n->attr.axes, n->attr.n_axes);
    if (x != TCT_NO_VALUE) by = by == TCT_NO_VALUE ? x : tct_bin(g, TCT_IR_MUL, by, x);
    if (by != TCT_NO_VALUE) sum = tct_bin(g, TCT_IR_MUL, sum, by);
    return times(m, sum, scale_of(m, product));
}

// Of node v, a product that contracts columns.
static tct_value contracted(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    const tct_hidden *is[2] = {&m->part->hidden[n->in[0]], &m->part->hidden[n->in[1]]};
    uint32_t rows = is[0]->is == TCT_HIDDEN_ROWS ? 0 : 1;
    tct_value other = n->in[1 - rows];
    if (is[1 - rows]->is == TCT_HIDDEN_PRODUCT) return sum_of_product(m, other, hidden_value(m, n->in[rows]));
    tct_axis rest[TCT_IR_MAX_AXES];
    uint32_t len = tct_axes_minus(rest, n->attr.axes, n->attr.n_axes, &m->shown->columns, 1);
    for (uint32_t k = 0; k < len; k++)
        if (rest[k] == m->shown->rows) rest[k] = m->rows;
    bool both = is[1 - rows]->is == TCT_HIDDEN_ROWS;
    tct_value x = times(m, reducible(m, n->in[rows], len), both ? n_hidden(m) : scale_of(m, v));
    return tct_contract(m->to->to, x, both ? reducible(m, other, len) : factor_sum(m, other), rest, len);
}

static tct_value reduced(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    tct_graph *g = m->to->to;
    if (n->op == TCT_IR_DOT) return contracted(m, v);
    if (m->part->hidden[n->in[0]].is == TCT_HIDDEN_PRODUCT) return sum_of_product(m, n->in[0], TCT_NO_VALUE);
    tct_axis rest[TCT_IR_MAX_AXES];
    uint32_t len = tct_axes_minus(rest, n->attr.axes, n->attr.n_axes, &m->shown->columns, 1);
    for (uint32_t k = 0; k < len; k++)
        if (rest[k] == m->shown->rows) rest[k] = m->rows;
    tct_value x = reducible(m, n->in[0], len);
    if (len) x = tct_ir_reduce(g, NULL, (tct_ir_op)n->op, x, rest, len);
    return n->op == TCT_IR_SUM ? times(m, x, n_hidden(m)) : x;
}

static tct_ir_op joining(tct_ir_op reduction) {
    switch (reduction) {
    case TCT_IR_REDUCE_MAX:
        return TCT_IR_MAX;
    case TCT_IR_REDUCE_MIN:
        return TCT_IR_MIN;
    case TCT_IR_ANY:
        return TCT_IR_OR;
    case TCT_IR_ALL:
        return TCT_IR_AND;
    default:
        return TCT_IR_ADD;
    }
}

tct_value tct_part_complete(tct_parts_maker *m, tct_value v, tct_value y) {
    const tct_node *n = node(m, v);
    bool zero = m->part->hidden[n->in[0]].zero || (n->op == TCT_IR_DOT && m->part->hidden[n->in[1]].zero);
    if (zero && joining((tct_ir_op)n->op) == TCT_IR_ADD) return y;
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t len = n->n_axes;
    for (uint32_t k = 0; k < len; k++) axes[k] = n->axes[k] == m->shown->rows ? m->rows : n->axes[k];
    tct_value x = reduced(m, v);
    y = tct_bin(m->to->to, joining((tct_ir_op)n->op), y, x);
    tct_set_order(m->to->to, y, axes, len);
    return y;
}

bool tct_part_hides_zero(const tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    return m->part->hidden[n->in[has_columns(m, n->in[0]) ? 0 : 1]].zero;
}

tct_value tct_part_hidden_sum(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    tct_axis over[TCT_IR_MAX_AXES];
    for (uint32_t k = 0; k < n->attr.n_axes; k++)
        over[k] = n->attr.axes[k] == m->shown->rows ? m->rows : n->attr.axes[k];
    uint32_t with = has_columns(m, n->in[0]) ? 0 : 1;
    tct_value x = hidden_wide(m, n->in[with]);
    if (n->op == TCT_IR_SUM) return tct_sum(m->to->to, x, over, n->attr.n_axes);
    return tct_contract(m->to->to, x, tct_part_operand(m, n->in[1 - with]), over, n->attr.n_axes);
}
