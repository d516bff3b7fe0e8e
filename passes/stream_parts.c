// A region's rows in parts, one after the other, each on the columns that a mask shows it. What hidden
// columns add to reductions is said in values of the rows.
#include "passes/stream_columns.h"

#include <string.h>

static const tct_node *node(const tct_parts_maker *m, tct_value v) { return tct_region_node(m->r, v); }
static bool has_columns(const tct_parts_maker *m, tct_value v) {
    return tct_has_columns(m->r, v, m->shown->columns);
}

static int64_t size_of(const tct_parts_maker *m, tct_axis a) { return tct_axis_of(m->r->g->module, a)->size; }

// The axis of `size` positions of another one.
static tct_axis piece(const tct_parts_maker *m, tct_axis of, int64_t size) {
    tct_ir_module *module = m->r->g->module;
    const tct_axis_info *info = tct_axis_of(module, of);
    if (info->size == size) return of;
    return tct_axis_get(module, tct_arena_printf(&module->arena, "%s_%lld", info->name, (long long)size),
                        size);
}

static tct_value slice(const tct_parts_maker *m, tct_value x, tct_axis from, tct_axis to, int64_t start) {
    return from == to ? x : tct_ir_slice(m->to->to, NULL, x, from, to, start, 1);
}

static void substitute(const tct_parts_maker *m, tct_axis *axes, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) {
        if (axes[k] == m->shown->rows)
            axes[k] = m->rows;
        else if (axes[k] == m->shown->columns)
            axes[k] = m->columns;
    }
}

// A copy of node v of the region, of these operands and axes for the part's.
static tct_value copy_step(tct_parts_maker *m, tct_value v, const tct_value *operands) {
    tct_node n = *node(m, v);
    tct_arena *arena = &m->r->g->module->arena;
    n.in = TCT_NEW_ARRAY(arena, tct_value, n.n_in + 1);
    memcpy(n.in, operands, n.n_in * sizeof *n.in);
    n.axes = TCT_NEW_ARRAY(arena, tct_axis, n.n_axes + 1u);
    if (n.n_axes) memcpy(n.axes, node(m, v)->axes, n.n_axes * sizeof *n.axes);
    substitute(m, n.axes, n.n_axes);
    substitute(m, n.attr.axes, n.attr.n_axes);
    if (n.op == TCT_IR_AFTER) { // parts follow each other in any case
        m->to->to->span = n.span;
        return tct_in_order(m->to->to, n.in[0], n.axes, n.n_axes, NULL);
    }
    return tct_ir_append(m->to->to, &n);
}

// What is made of positions is made anew, of those of the part.
static tct_value operand_anew(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    tct_value *in = TCT_NEW_ARRAY(m->r->arena, tct_value, n->n_in + 1);
    for (uint32_t k = 0; k < n->n_in; k++) in[k] = tct_part_operand(m, n->in[k]);
    return copy_step(m, v, in);
}

tct_value tct_part_operand(tct_parts_maker *m, tct_value v) {
    if (m->map[v] != TCT_NO_VALUE) return m->map[v];
    const tct_shown *s = m->shown;
    tct_value x = m->to->map[v];
    bool cut = tct_region_is_cut(m->r, v), columns = has_columns(m, v);
    if (m->r->anew[v] && node(m, v)->n_in && (cut || columns)) return m->map[v] = operand_anew(m, v);
    if (cut) x = slice(m, x, s->rows, m->rows, m->part->from);
    if (columns) x = slice(m, x, s->columns, m->columns, m->part->low);
    return m->map[v] = x;
}

static void add_inside(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    tct_value *in = TCT_NEW_ARRAY(m->r->arena, tct_value, n->n_in + 1);
    for (uint32_t k = 0; k < n->n_in; k++) in[k] = tct_part_operand(m, n->in[k]);
    tct_value y = copy_step(m, v, in);
    if (m->part->hidden && tct_axes_have(n->attr.axes, n->attr.n_axes, m->shown->columns) &&
        !has_columns(m, v)) {
        tct_rewrite_at(m->to, v);
        y = tct_part_complete(m, v, y);
    }
    m->map[v] = y;
}

// x + y, either may be missing.
static tct_value plus(const tct_parts_maker *m, tct_value x, tct_value y) {
    if (x == TCT_NO_VALUE || y == TCT_NO_VALUE) return x == TCT_NO_VALUE ? y : x;
    return tct_bin(m->to->to, TCT_IR_ADD, x, y);
}

static void in_order_of(const tct_parts_maker *m, tct_value y, const tct_node *like) {
    tct_axis axes[TCT_IR_MAX_AXES];
    memcpy(axes, like->axes, like->n_axes * sizeof *axes);
    substitute(m, axes, like->n_axes);
    tct_set_order(m->to->to, y, axes, like->n_axes);
}

// A sum over rows in the columns of block k, of `part` over all columns that the part sees.
static tct_value add_block(tct_parts_maker *m, tct_value v, tct_value part, uint32_t k) {
    tct_axis all = m->columns;
    m->columns = m->blocks[k];
    tct_value y = slice(m, part, all, m->columns, m->borders[k] - m->part->low);
    tct_value sum = m->sums[v][k] != TCT_NO_VALUE ? m->sums[v][k] : m->hidden_sums[v][k];
    if (sum != TCT_NO_VALUE) {
        y = plus(m, sum, y);
        in_order_of(m, y, node(m, v));
    }
    m->columns = all;
    return y;
}

static void add_sum(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    tct_rewrite_at(m->to, v);
    if (!has_columns(m, v)) {
        tct_value before = m->sums[v][0];
        add_inside(m, v);
        tct_rewrite_at(m->to, v);
        m->sums[v][0] = plus(m, before, m->map[v]);
        if (before != TCT_NO_VALUE) in_order_of(m, m->sums[v][0], n);
        return;
    }
    tct_value *in = TCT_NEW_ARRAY(m->r->arena, tct_value, n->n_in + 1);
    for (uint32_t o = 0; o < n->n_in; o++) in[o] = tct_part_operand(m, n->in[o]);
    tct_value hidden = TCT_NO_VALUE, was = TCT_NO_VALUE, is = TCT_NO_VALUE, y = copy_step(m, v, in);
    for (uint32_t k = 0; k < m->n_blocks; k++) {
        bool seen = m->borders[k] >= m->part->low && m->borders[k] < m->part->high;
        tct_value *sum = &m->sums[v][k], *rest = &m->hidden_sums[v][k];
        if (seen) {
            *sum = add_block(m, v, y, k);
        } else if (!tct_part_hides_zero(m, v)) {
            tct_rewrite_at(m->to, v);
            if (hidden == TCT_NO_VALUE) hidden = tct_part_hidden_sum(m, v);
            if (*sum != TCT_NO_VALUE) {
                *sum = plus(m, *sum, hidden);
                tct_axis all = m->columns;
                m->columns = m->blocks[k];
                in_order_of(m, *sum, n);
                m->columns = all;
            } else if (is != TCT_NO_VALUE && was == *rest) {
                *rest = is; // as the block before
            } else {
                was = *rest;
                *rest = is = plus(m, *rest, hidden);
            }
        }
    }
}

// Values one after the other along the axis `to` of which they have pieces.
static tct_value concat(const tct_parts_maker *m, tct_value *x, tct_axis *axes, uint32_t n, tct_axis to) {
    while (n > 1) {
        uint32_t groups = 0;
        bool last = n <= TCT_IR_MAX_AXES;
        for (uint32_t at = 0; at < n; at += TCT_IR_MAX_AXES) {
            tct_ir_attr attr = {.n_to = 1};
            int64_t size = 0;
            for (uint32_t k = at; k < n && k < at + TCT_IR_MAX_AXES; k++) {
                attr.axes[attr.n_axes++] = axes[k];
                size += size_of(m, axes[k]);
            }
            attr.to[0] = last ? to : piece(m, to, size);
            x[groups] = attr.n_axes == 1
                            ? x[at]
                            : tct_ir_emit(m->to->to, NULL, TCT_IR_CONCAT, &x[at], attr.n_axes, &attr);
            axes[groups++] = attr.n_axes == 1 ? axes[at] : attr.to[0];
        }
        n = groups;
    }
    return x[0];
}

static void hand_out_rows(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    tct_axis axes[TCT_MOST_PARTS];
    for (uint32_t k = 0; k < m->shown->n_parts; k++)
        axes[k] = piece(m, m->shown->rows, m->shown->parts[k].to - m->shown->parts[k].from);
    tct_rewrite_at(m->to, v);
    tct_value x = concat(m, m->results[v], axes, m->shown->n_parts, m->shown->rows);
    m->to->map[v] = tct_in_order(m->to->to, x, n->axes, n->n_axes, NULL);
}

static void hand_out_sum(tct_parts_maker *m, tct_value v) {
    const tct_node *n = node(m, v);
    tct_rewrite_at(m->to, v);
    if (!has_columns(m, v)) {
        m->to->map[v] = m->sums[v][0];
        return;
    }
    tct_axis *axes = TCT_NEW_ARRAY(m->r->arena, tct_axis, m->n_blocks), wide[TCT_IR_MAX_AXES];
    for (uint32_t k = 0; k < m->n_blocks; k++) {
        axes[k] = m->columns = m->blocks[k];
        if (m->sums[v][k] != TCT_NO_VALUE) continue;
        memcpy(wide, n->axes, n->n_axes * sizeof *wide);
        substitute(m, wide, n->n_axes);
        tct_value x = m->hidden_sums[v][k]; // a column that nobody sees
        m->sums[v][k] = x == TCT_NO_VALUE ? tct_zeros(m->to->to, (tct_dtype)n->dtype, wide, n->n_axes)
                                          : tct_ir_broadcast(m->to->to, x, wide, n->n_axes);
    }
    tct_value x = concat(m, m->sums[v], axes, m->n_blocks, m->shown->columns);
    m->to->map[v] = tct_in_order(m->to->to, x, n->axes, n->n_axes, NULL);
}

static void make_part(tct_parts_maker *m, const tct_part *part) {
    size_t n = m->r->g->nodes.len;
    m->part = part;
    m->rows = piece(m, m->shown->rows, part->to - part->from);
    m->columns = piece(m, m->shown->columns, part->high - part->low);
    memset(m->map, 0xFF, n * sizeof *m->map); // TCT_NO_VALUE
    memset(m->hidden, 0xFF, n * sizeof *m->hidden);
    for (tct_value v = 0; v < n; v++) {
        if (m->r->place[v] == TCT_INSIDE) add_inside(m, v);
        if (m->r->place[v] == TCT_SUMMED) add_sum(m, v);
        if (m->results[v]) m->results[v][part - m->shown->parts] = m->map[v];
    }
}

// Where what the parts see begins and ends.
static void find_blocks(tct_parts_maker *m) {
    int64_t size = size_of(m, m->shown->columns), at = 0;
    m->borders = TCT_NEW_ARRAY(m->r->arena, int64_t, 2 * TCT_MOST_PARTS + 2);
    m->blocks = TCT_NEW_ARRAY(m->r->arena, tct_axis, 2 * TCT_MOST_PARTS + 1);
    while (at < size) {
        int64_t next = size;
        for (uint32_t k = 0; k < m->shown->n_parts; k++) {
            int64_t low = m->shown->parts[k].low, high = m->shown->parts[k].high;
            if (low > at && low < next) next = low;
            if (high > at && high < next) next = high;
        }
        m->borders[m->n_blocks] = at;
        m->blocks[m->n_blocks++] = piece(m, m->shown->columns, next - at);
        at = next;
    }
    m->borders[m->n_blocks] = size;
}

static tct_value *no_values(const tct_parts_maker *m, size_t n) {
    tct_value *x = TCT_NEW_ARRAY(m->r->arena, tct_value, n);
    memset(x, 0xFF, n * sizeof *x);
    return x;
}

static void make_parts(tct_parts_maker *m) {
    size_t n = m->r->g->nodes.len;
    for (tct_value v = 0; v < n; v++) {
        if (m->r->place[v] == TCT_SUMMED) {
            m->sums[v] = no_values(m, m->n_blocks);
            m->hidden_sums[v] = no_values(m, m->n_blocks);
        } else if (m->r->place[v] == TCT_INSIDE && tct_region_leaves(m->r, v)) {
            m->results[v] = no_values(m, m->shown->n_parts);
        }
    }
    for (uint32_t k = 0; k < m->shown->n_parts; k++) make_part(m, &m->shown->parts[k]);
    for (tct_value v = 0; v < n; v++) {
        if (m->results[v]) hand_out_rows(m, v);
        if (m->sums[v]) hand_out_sum(m, v);
    }
}

tct_graph *tct_region_unroll(const tct_region *r, const tct_shown *shown) {
    size_t n = r->g->nodes.len;
    tct_rewrite to;
    tct_rewrite_begin(&to, r->g, "stream");
    tct_parts_maker m = {.r = r, .shown = shown, .to = &to};
    m.map = no_values(&m, n);
    m.hidden = no_values(&m, n);
    m.results = TCT_NEW_ARRAY(r->arena, tct_value *, n);
    m.sums = TCT_NEW_ARRAY(r->arena, tct_value *, n);
    m.hidden_sums = TCT_NEW_ARRAY(r->arena, tct_value *, n);
    m.before = TCT_NEW_ARRAY(r->arena, tct_value *, n);
    m.behind = TCT_NEW_ARRAY(r->arena, tct_value *, n);
    find_blocks(&m);
    for (int later = 0; later < 2; later++) {
        for (tct_value v = 0; v < n; v++)
            if (tct_region_node(r, v)->op != TCT_IR_INPUT && r->place[v] == TCT_OUTSIDE &&
                r->below[v] == (later != 0))
                tct_rewrite_copy(&to, v);
        if (!later) make_parts(&m);
    }
    to.changed = true;
    return tct_rewrite_finish(&to);
}
