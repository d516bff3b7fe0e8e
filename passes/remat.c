// Rematerialisation: values of the forward pass that the backward pass wants are not kept but computed again
// before their first late user, from what is kept still.
//
// The forward pass ends where the most is alive. Every value in memory that is wanted behind it is a
// candidate. What it costs is what must be computed a second time to have it: all operations back to leaves,
// to values that are kept, and to those that are computed again in any case, which are shared. The value with
// the lowest cost for each byte goes first, unless simulated lives show that the peak stays as high without
// it: what is computed again lives as well, and so does what it is computed from. Every choice changes the
// price of the others and the place of the peak, so values are chosen one by one. A transformer ends up with
// its residual stream, and computes a layer again when the backward pass gets there.
#include "passes/remat.h"

#include "passes/passes.h"
#include "passes/remat_life.h"
#include "passes/rewrite.h"

#include <math.h>
#include <string.h>

enum {
    SMALL_BY = 8,              // what is so much smaller than a value is kept for it, not computed again
    WORTH_BY = 2000,           // what is so much smaller than all that is alive is kept
    BYTE_COSTS = 8,            // additions in the time in which a byte is written and read
    MOST_OPERATIONS = 1 << 14, // computed again for one value: the walk is recursive
};

static const tct_node *node(const tct_lives *l, tct_value v) { return tct_node_of(l->g, v); }

// --- What operations cost ---

static double node_cost(const tct_graph *g, const tct_node *n) {
    double trips = 1, points = 1;
    if (n->op == TCT_IR_SCAN) {
        for (int k = 0; k < n->attr.n_axes; k++)
            trips *= (double)tct_axis_of(g->module, n->attr.axes[k])->size;
        return trips * tct_remat_cost(n->attr.body);
    }
    if (n->bundle || tct_lives_is_leaf(n) || n->op == TCT_IR_GET) return 0;
    points = (double)tct_node_elements(g, n);
    if (tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION)
        points = (double)tct_node_elements(g, tct_node_of(g, n->in[0]));
    for (int k = 0; k < n->attr.n_axes && n->op == TCT_IR_DOT; k++)
        points *= (double)tct_axis_of(g->module, n->attr.axes[k])->size;
    return points * (n->op == TCT_IR_DOT ? 2 : tct_ir_op_cost((tct_ir_op)n->op));
}

double tct_remat_cost(const tct_graph *g) {
    double sum = 0;
    for (tct_value v = 0; v < g->nodes.len; v++) sum += node_cost(g, tct_node_of(g, v));
    return sum;
}

// --- The choice ---

// What it takes to compute a value again.
typedef struct price {
    double cost, time,
        kept; // additions; these and what they move; bytes of small values that are kept for it
    TCT_VEC(tct_value) nodes;
} price;

static bool is_kept(const tct_lives *l, tct_value root) {
    return root <= l->turn && l->late[root] != TCT_NO_VALUE && !l->dropped[root];
}

static bool may_be_done_again(const tct_node *n) {
    return tct_ir_ops[n->op].cls != TCT_CLASS_LEAF && n->op != TCT_IR_FOREIGN && n->op != TCT_IR_FUSED &&
           n->op != TCT_IR_SCATTER_ADD && n->op != TCT_IR_PUT;
}

// Adds what node v takes to the price of computing `of` again, and marks it. False where that can't be done.
static bool walk(tct_lives *l, tct_value of, tct_value v, price *p) {
    const tct_node *n = node(l, v);
    tct_value root = l->root[v];
    if (tct_lives_again(l, v) || tct_lives_is_leaf(n) || (root != of && is_kept(l, root))) return true;
    double bytes = tct_lives_bytes(l->g, n);
    if (root != of && !n->bundle && bytes * SMALL_BY <= l->bytes[of]) {
        p->kept += bytes;
        return true;
    }
    if (!may_be_done_again(n) || p->nodes.len >= MOST_OPERATIONS) return false;
    l->again[v] = true;
    TCT_PUSH(&p->nodes, v);
    p->cost += node_cost(l->g, n);
    p->time += node_cost(l->g, n) + BYTE_COSTS * l->bytes[v];
    for (uint32_t i = 0; i < tct_lives_operands(n); i++)
        if (!walk(l, of, n->in[i], p)) return false;
    return true;
}

// The time for each byte that is freed when `root` isn't kept, in additions; infinity where that can't be
// had. Marks what is computed again.
static double price_of(tct_lives *l, tct_value root, price *p) {
    p->cost = p->time = p->kept = 0;
    p->nodes.len = 0;
    if (!walk(l, root, root, p) || 2 * p->kept >= l->bytes[root]) return INFINITY;
    return p->time / (l->bytes[root] - p->kept);
}

static void unmark(tct_lives *l, const price *p) {
    for (size_t i = 0; i < p->nodes.len; i++) l->again[p->nodes.data[i]] = false;
}

// Whether without `root` less would be alive where the most is.
static bool is_candidate(const tct_lives *l, const bool *refused, tct_value root) {
    return is_kept(l, root) && !refused[root] && l->bytes[root] * WORTH_BY >= l->most &&
           l->early[root] < l->peak && l->late[root] > l->peak;
}

static tct_value cheapest(tct_lives *l, const bool *refused, double most_cost, price *p) {
    tct_value best = TCT_NO_VALUE;
    double lowest = INFINITY;
    for (tct_value v = 0; v <= l->turn && v < l->g->nodes.len; v++) {
        if (!is_candidate(l, refused, v)) continue;
        double each = price_of(l, v, p);
        if (each < lowest && p->cost <= most_cost) {
            lowest = each;
            best = v;
        }
        unmark(l, p);
    }
    return best;
}

static void choose(tct_lives *l, tct_arena *arena, const tct_remat_limits *limits, tct_remat_done *done) {
    bool *refused = TCT_NEW_ARRAY(arena, bool, l->g->nodes.len);
    double start = l->most;
    price p = {0};
    tct_value best;
    while (start - l->most < limits->bytes &&
           (best = cheapest(l, refused, limits->cost - done->cost, &p)) != TCT_NO_VALUE) {
        double before = l->most;
        price_of(l, best, &p);
        l->dropped[best] = true;
        tct_lives_simulate(l);
        if (l->most < before) {
            done->cost += p.cost;
            done->values++;
            continue;
        }
        refused[best] = true;
        l->dropped[best] = false;
        unmark(l, &p);
        tct_lives_simulate(l);
    }
    done->bytes = start - l->most;
    TCT_VEC_FREE(&p.nodes);
}

// --- The graph ---

typedef struct copies {
    const tct_lives *l;
    tct_rewrite *r;
    bool *made;      // by node: the map holds its second computation
    tct_value token; // the last product before the late user
} copies;

// An operand of a second computation that is there from the first: not before the late user's turn, so that
// neither fusion nor the order of steps takes the second for part of the first.
static tct_value waiting(const copies *c, const tct_node *user, tct_value in) {
    const tct_node *n = node(c->l, in);
    if (user->bundle || tct_lives_is_leaf(n) || n->bundle || n->n_axes == 0 || c->token == TCT_NO_VALUE)
        return c->r->map[in];
    tct_value x[] = {c->r->map[in], c->token};
    return tct_ir_emit(c->r->to, NULL, TCT_IR_AFTER, x, 2, &(tct_ir_attr){0});
}

// Node v once more.
static tct_value compute(copies *c, tct_value v) {
    const tct_lives *l = c->l;
    if (!tct_lives_again(l, v) || c->made[v]) return c->r->map[v];
    tct_node n = *node(l, v);
    c->made[v] = true;
    if (n.op == TCT_IR_AFTER) return c->r->map[v] = compute(c, n.in[0]);
    tct_value *in = TCT_NEW_ARRAY(&l->g->module->arena, tct_value, n.n_in + 1);
    for (uint32_t i = 0; i < n.n_in; i++) {
        in[i] = compute(c, n.in[i]);
        tct_rewrite_at(c->r, v);
        if (!tct_lives_again(l, n.in[i])) in[i] = waiting(c, &n, n.in[i]);
    }
    tct_rewrite_at(c->r, v);
    n.in = in;
    n.span = c->r->to->span;
    n.pass = c->r->pass;
    return c->r->map[v] = tct_ir_append(c->r->to, &n);
}

static tct_graph *rebuild(const tct_lives *l) {
    tct_rewrite r;
    tct_rewrite_begin(&r, l->g, "remat");
    copies c = {
        .l = l, .r = &r, .made = TCT_NEW_ARRAY(&r.arena, bool, l->g->nodes.len), .token = TCT_NO_VALUE};
    for (tct_value v = 0; v < l->g->nodes.len; v++) {
        const tct_node *n = node(l, v);
        if (n->op == TCT_IR_INPUT) continue;
        for (uint32_t i = 0; v > l->turn && i < n->n_in; i++)
            if (n->in[i] <= l->turn) compute(&c, n->in[i]);
        tct_rewrite_copy(&r, v);
        if (n->op == TCT_IR_DOT) c.token = r.map[v];
    }
    r.changed = true;
    return tct_rewrite_finish(&r);
}

tct_graph *tct_remat(tct_graph *g, const tct_remat_limits *limits, tct_remat_done *done) {
    *done = (tct_remat_done){0};
    if (g->nodes.len == 0) return g;
    tct_arena arena = {0};
    tct_lives l = tct_lives_of(&arena, g);
    choose(&l, &arena, limits, done);
    tct_graph *made = done->values ? rebuild(&l) : g;
    tct_arena_free(&arena);
    return made;
}

tct_graph *tct_pass_remat(tct_graph *g) {
    tct_remat_done done;
    return tct_remat(g, &(tct_remat_limits){.bytes = INFINITY, .cost = tct_remat_cost(g) / 3}, &done);
}
