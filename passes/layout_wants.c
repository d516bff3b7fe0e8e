// What the users of a value would like its layout to be, found by one walk from the outputs back to the
// inputs.
#include "passes/layout.h"

#include <string.h>

static bool is_one(const tct_ir_module *m, tct_axis a) { return tct_axis_of(m, a)->size == 1; }

static bool same_want(const tct_want *a, const tct_want *b) {
    return a->inner == b->inner && tct_same_order(a->axes, a->n, b->axes, b->n);
}

void tct_layout_want(const tct_ir_module *m, tct_wants *w, const tct_want *want) {
    tct_want clean = {.inner = want->inner, .weight = want->weight};
    for (int k = 0; k < want->n; k++)
        if (!is_one(m, want->axes[k])) clean.axes[clean.n++] = want->axes[k];
    if (clean.n < (want->inner ? 1 : 2)) return;
    int lightest = 0;
    for (int k = 0; k < w->n; k++) {
        if (same_want(&w->list[k], &clean)) {
            w->list[k].weight += clean.weight;
            return;
        }
        if (w->list[k].weight < w->list[lightest].weight) lightest = k;
    }
    if (w->n < TCT_MAX_WANTS)
        w->list[w->n++] = clean;
    else if (w->list[lightest].weight < clean.weight)
        w->list[lightest] = clean;
}

// A group costs its weight for every neighbour that isn't one.
double tct_layout_cost(const tct_ir_module *m, const tct_want *wants, int n, const tct_axis *order,
                       int n_axes) {
    tct_axis real[TCT_IR_MAX_AXES];
    int n_real = 0;
    for (int k = 0; k < n_axes; k++)
        if (!is_one(m, order[k])) real[n_real++] = order[k];
    double cost = 0;
    for (int w = 0; w < n; w++) {
        const tct_want *want = &wants[w];
        if (want->inner) {
            if (n_real && !tct_axes_have(want->axes, want->n, real[n_real - 1])) cost += want->weight;
            continue;
        }
        for (int k = 0; k + 1 < want->n; k++) {
            int at = 0;
            while (at < n_real && real[at] != want->axes[k]) at++;
            if (at + 1 >= n_real || real[at + 1] != want->axes[k + 1]) cost += want->weight;
        }
    }
    return cost;
}

// The want in terms of an operand's axes: `from` of the result is the axes `to` of the operand; axes that the
// operand lacks fall out.
static tct_want translated(const tct_want *want, tct_axis from, const tct_axis *to, int n_to,
                           const tct_node *operand) {
    tct_want t = {.inner = want->inner, .weight = want->weight};
    for (int k = 0; k < want->n; k++) {
        bool moved = n_to && want->axes[k] == from;
        for (int a = 0; a < (moved ? n_to : 1) && t.n < TCT_IR_MAX_AXES; a++) {
            tct_axis axis = moved ? to[a] : want->axes[k];
            if (tct_node_has_axis(operand, axis)) t.axes[t.n++] = axis;
        }
    }
    return t;
}

static void hand_on(const tct_graph *g, const tct_wants *mine, const tct_node *n, uint32_t k,
                    tct_wants *theirs, tct_axis from, const tct_axis *to, int n_to) {
    const tct_node *operand = tct_node_of(g, n->in[k]);
    for (int w = 0; w < mine->n; w++) {
        tct_want t = translated(&mine->list[w], from, to, n_to, operand);
        tct_layout_want(g->module, theirs, &t);
    }
}

static void want_order(const tct_graph *g, tct_wants *w, const tct_axis *axes, uint32_t n, double weight) {
    if (!n) return;
    tct_want own = {.n = (uint8_t)n, .weight = weight};
    memcpy(own.axes, axes, n * sizeof *axes);
    tct_layout_want(g->module, w, &own);
    tct_want last = {.inner = true, .n = 1, .axes = {axes[n - 1]}, .weight = weight};
    tct_layout_want(g->module, w, &last);
}

// A scan reads slices: the axes that it runs along first, then as the body sees it. Initial values keep their
// order, which the final ones have.
static void scan_wants(const tct_graph *g, const tct_node *n, tct_wants *all) {
    for (uint32_t k = 0; k < n->n_in; k++) {
        const tct_node *x = tct_node_of(g, n->in[k]),
                       *seen = tct_node_of(n->attr.body, n->attr.body->inputs.data[k]);
        tct_axis order[TCT_IR_MAX_AXES];
        uint32_t len = tct_axes_common(order, n->attr.axes, n->attr.n_axes, x->axes, x->n_axes);
        for (int a = 0; a < seen->n_axes; a++) order[len++] = seen->axes[a];
        want_order(g, &all[n->in[k]], order, len, (double)tct_node_elements(g, x));
        if (k < n->attr.i) all[n->in[k]].pinned = true;
    }
}

static bool is_fixed(const tct_node *n) { return n->op == TCT_IR_INPUT || n->op == TCT_IR_GET; }

// The order of the contracted axes, alike in both operands: that of the one that can't be changed, if any.
static const tct_node *leading(const tct_graph *g, const tct_node *n) {
    const tct_node *b = tct_node_of(g, n->in[1]);
    while (b->op == TCT_IR_CAST) b = tct_node_of(g, b->in[0]);
    return is_fixed(b) ? b : tct_node_of(g, n->in[0]);
}

// A matrix product likes its contracted axes as one, and the free axes of each operand as one.
static void dot_wants(const tct_graph *g, const tct_node *n, tct_wants *all) {
    const tct_node *lead = leading(g, n);
    for (uint32_t k = 0; k < 2; k++) {
        const tct_node *me = tct_node_of(g, n->in[k]), *other = tct_node_of(g, n->in[1 - k]);
        double weight = (double)tct_node_elements(g, me);
        tct_want contracted = {.weight = weight}, open = {.weight = weight};
        for (int a = 0; a < lead->n_axes; a++)
            if (tct_axes_have(n->attr.axes, n->attr.n_axes, lead->axes[a]))
                contracted.axes[contracted.n++] = lead->axes[a];
        open.n = (uint8_t)tct_axes_minus(open.axes, n->axes, n->n_axes, other->axes, other->n_axes);
        tct_layout_want(g->module, &all[n->in[k]], &contracted);
        tct_layout_want(g->module, &all[n->in[k]], &open);
    }
}

// Whoever asks for a row's largest goes over the row again (softmax): it should be contiguous.
static void row_wants(const tct_graph *g, const tct_node *n, tct_wants *all) {
    tct_want row = {
        .inner = true, .n = n->attr.n_axes, .weight = (double)tct_node_elements(g, tct_node_of(g, n->in[0]))};
    memcpy(row.axes, n->attr.axes, n->attr.n_axes * sizeof *row.axes);
    tct_layout_want(g->module, &all[n->in[0]], &row);
}

static void pin(tct_wants *all, tct_value v) { all[v].pinned = true; }

static void node_wants(const tct_graph *g, tct_value v, tct_wants *all) {
    const tct_node *n = tct_node_of(g, v);
    tct_wants *mine = &all[v];
    if (mine->pinned) want_order(g, mine, n->axes, n->n_axes, (double)tct_node_elements(g, n));
    switch (n->op) {
    case TCT_IR_DOT:
        dot_wants(g, n, all);
        return;
    case TCT_IR_RENAME:
    case TCT_IR_SLICE:
    case TCT_IR_PAD:
        hand_on(g, mine, n, 0, &all[n->in[0]], n->attr.to[0], n->attr.axes, 1);
        return;
    case TCT_IR_MERGE: {
        tct_want group = {.n = n->attr.n_axes, .weight = (double)tct_node_elements(g, n)};
        memcpy(group.axes, n->attr.axes, n->attr.n_axes * sizeof *group.axes);
        tct_layout_want(g->module, &all[n->in[0]], &group);
        hand_on(g, mine, n, 0, &all[n->in[0]], n->attr.to[0], n->attr.axes, n->attr.n_axes);
        return;
    }
    case TCT_IR_SPLIT: // the last part stands for the whole
        hand_on(g, mine, n, 0, &all[n->in[0]], n->attr.to[n->attr.n_to - 1], n->attr.axes, 1);
        return;
    case TCT_IR_CONCAT:
        for (uint32_t k = 0; k < n->n_in; k++)
            hand_on(g, mine, n, k, &all[n->in[k]], n->attr.to[0], &n->attr.axes[k], 1);
        return;
    case TCT_IR_PUT:
        pin(all, n->in[1]);
        hand_on(g, mine, n, 0, &all[n->in[0]], 0, NULL, 0);
        return;
    case TCT_IR_SCATTER_ADD:
        hand_on(g, mine, n, 0, &all[n->in[0]], 0, NULL, 0);
        return;
    case TCT_IR_SCAN:
        scan_wants(g, n, all);
        return;
    case TCT_IR_FOREIGN:
    case TCT_IR_FUSED:
        for (uint32_t k = 0; k < n->n_in; k++) pin(all, n->in[k]);
        return;
    default:
        if (n->op == TCT_IR_REDUCE_MAX) row_wants(g, n, all);
        for (uint32_t k = 0; k < n->n_in; k++)
            if (n->op != TCT_IR_GATHER && n->op != TCT_IR_GET && (n->op != TCT_IR_AFTER || k == 0))
                hand_on(g, mine, n, k, &all[n->in[k]], 0, NULL, 0);
    }
}

tct_wants *tct_layout_wants(tct_arena *arena, const tct_graph *g) {
    tct_wants *all = TCT_NEW_ARRAY(arena, tct_wants, g->nodes.len);
    for (size_t k = 0; k < g->outputs.len; k++) pin(all, g->outputs.data[k].value);
    for (size_t v = g->nodes.len; v-- > 0;) node_wants(g, (tct_value)v, all);
    return all;
}
