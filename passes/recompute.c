// Recomputation: a training step keeps values of the forward pass for the backward pass. One that follows
// from others that are kept in any case, in a few operations an element, is computed again where it is needed
// late: the activation behind a matrix product from that product, a normalised row from the row and its mean,
// softmax from its exponentials and their sum. Its memory is free in between, when the most is taken.
//
// What is kept is judged where most is alive. `after` ties the second computation to a product that the late
// user has waited for, so that nobody takes it for the first one. Wants its graph without dead nodes.
#include "passes/recompute.h"

#include "passes/passes.h"
#include "passes/rewrite.h"

#include <string.h>

enum { MOST_STEPS = 24, SMALL_BY = 8 };

static const tct_recompute_limits usual = {.bytes = 4 << 20, .cost = 48};

typedef struct keeper {
    const tct_graph *g;
    const tct_recompute_limits *limits;
    tct_value *last; // user; the number of nodes for outputs
    double *bytes;
    tct_value peak;   // after this node the most is alive
    tct_value *token; // what a second computation waits for; TCT_NO_VALUE: there is none
} keeper;

static const tct_node *node(const keeper *k, tct_value v) { return tct_node_of(k->g, v); }

static bool is_leaf(const tct_node *n) { return tct_ir_ops[n->op].cls == TCT_CLASS_LEAF; }

static bool is_kept(const keeper *k, tct_value v) {
    return !is_leaf(node(k, v)) && !node(k, v)->bundle && v <= k->peak && k->last[v] != TCT_NO_VALUE &&
           k->last[v] > k->peak;
}

static void measure(keeper *k, tct_arena *arena) {
    size_t n = k->g->nodes.len;
    k->last = TCT_NEW_ARRAY(arena, tct_value, n);
    k->bytes = TCT_NEW_ARRAY(arena, double, n);
    double *freed = TCT_NEW_ARRAY(arena, double, n + 1), alive = 0, most = -1; // freed: behind a node
    memset(k->last, 0xFF, n * sizeof *k->last);                                // TCT_NO_VALUE
    for (tct_value v = 0; v < n; v++) {
        const tct_node *x = node(k, v);
        if (!x->bundle)
            k->bytes[v] = (double)tct_node_elements(k->g, x) * (double)tct_dtype_size((tct_dtype)x->dtype);
        for (uint32_t i = 0; i < x->n_in; i++) k->last[x->in[i]] = v;
    }
    for (size_t i = 0; i < k->g->outputs.len; i++) k->last[k->g->outputs.data[i].value] = (tct_value)n;
    for (tct_value v = 0; v < n; v++)
        if (!is_leaf(node(k, v)) && k->last[v] != TCT_NO_VALUE) freed[k->last[v]] += k->bytes[v];
    for (tct_value v = 0; v < n; v++) {
        if (!is_leaf(node(k, v)) && k->last[v] != TCT_NO_VALUE) alive += k->bytes[v];
        if (alive > most) {
            most = alive;
            k->peak = v;
        }
        alive -= freed[v];
    }
}

// Walks the computation of v back to what is there anyway; gives its cost, more than the limit when it can't
// be done. `large` becomes true when a large value is read.
static int cost_of(const keeper *k, tct_value of, tct_value v, int steps, bool *large) {
    int none = k->limits->cost + 1;
    const tct_node *n = node(k, v);
    if (v != of) {
        if (is_leaf(n)) return n->op == TCT_IR_RANDOM ? none : 0;
        if (k->bytes[v] * SMALL_BY <= k->bytes[of]) return n->bundle ? none : 0;
        if (is_kept(k, v) && k->token[v] == TCT_NO_VALUE) {
            *large = true;
            return 0;
        }
    }
    bool simple = tct_ir_ops[n->op].cls == TCT_CLASS_ELEMENTWISE || n->op == TCT_IR_BROADCAST;
    if (!simple || steps == 0) return none;
    int cost = tct_ir_op_cost((tct_ir_op)n->op);
    for (uint32_t i = 0; i < n->n_in && cost < none; i++) cost += cost_of(k, of, n->in[i], steps - 1, large);
    return cost;
}

// The nearest product behind v that u, its first late user, has waited for. One that needs nothing but v, as
// the square in the derivative of tanh, waits for none: then the last product of the graph before it.
static tct_value product_before(const keeper *k, tct_value v, tct_value u, tct_arena *arena) {
    size_t n = k->g->nodes.len;
    bool *seen = TCT_NEW_ARRAY(arena, bool, n);
    TCT_VEC(tct_value) queue = {0};
    tct_value found = TCT_NO_VALUE;
    TCT_PUSH(&queue, u);
    for (size_t at = 0; at < queue.len && found == TCT_NO_VALUE; at++) {
        const tct_node *x = node(k, queue.data[at]);
        for (uint32_t i = 0; i < x->n_in; i++) {
            tct_value in = x->in[i];
            if (in <= v || seen[in]) continue;
            seen[in] = true;
            if (node(k, in)->op == TCT_IR_DOT && found == TCT_NO_VALUE) found = in;
            TCT_PUSH(&queue, in);
        }
    }
    TCT_VEC_FREE(&queue);
    for (tct_value w = u; found == TCT_NO_VALUE && w-- > k->peak;)
        if (node(k, w)->op == TCT_IR_DOT) found = w;
    return found;
}

static tct_value first_late_user(const keeper *k, tct_value v) {
    for (tct_value u = k->peak + 1; u < k->g->nodes.len; u++)
        for (uint32_t i = 0; i < node(k, u)->n_in; i++)
            if (node(k, u)->in[i] == v) return u;
    return TCT_NO_VALUE;
}

// The walk visits shared operands more than once, so its depth is bounded, and its cost.
static bool choose(keeper *k, tct_arena *arena) {
    bool any = false;
    size_t n = k->g->nodes.len;
    k->token = TCT_NEW_ARRAY(arena, tct_value, n);
    memset(k->token, 0xFF, n * sizeof *k->token); // TCT_NO_VALUE
    for (tct_value v = 0; v <= k->peak && v < n; v++) {
        bool large = false;
        if (!is_kept(k, v) || k->last[v] == n || k->bytes[v] < k->limits->bytes ||
            tct_ir_ops[node(k, v)->op].cls != TCT_CLASS_ELEMENTWISE ||
            cost_of(k, v, v, MOST_STEPS, &large) > k->limits->cost || !large)
            continue;
        tct_arena temporary = {0};
        k->token[v] = product_before(k, v, first_late_user(k, v), &temporary);
        tct_arena_free(&temporary);
        any |= k->token[v] != TCT_NO_VALUE;
    }
    return any;
}

typedef struct copied {
    tct_value old, new;
} copied;

typedef struct copies {
    const keeper *k;
    tct_rewrite *r;
    bool *again; // by node: the map holds its second computation
    tct_value of;
    TCT_VEC(copied) made;
} copies;

// Node v of the computation of c->of, once more.
static tct_value compute(copies *c, tct_value v) {
    const keeper *k = c->k;
    tct_node n = *node(k, v);
    if (v != c->of) {
        if (is_leaf(&n) || c->again[v] || k->bytes[v] * SMALL_BY <= k->bytes[c->of]) return c->r->map[v];
        for (size_t i = 0; i < c->made.len; i++)
            if (c->made.data[i].old == v) return c->made.data[i].new;
    }
    tct_value made;
    tct_rewrite_at(c->r, v);
    if (v != c->of && is_kept(k, v) && k->token[v] == TCT_NO_VALUE) {
        tct_value in[] = {c->r->map[v], c->r->map[k->token[c->of]]};
        made = tct_ir_emit(c->r->to, NULL, TCT_IR_AFTER, in, 2, &(tct_ir_attr){0});
    } else {
        tct_value *in = TCT_NEW_ARRAY(&k->g->module->arena, tct_value, n.n_in + 1);
        for (uint32_t i = 0; i < n.n_in; i++) in[i] = compute(c, n.in[i]);
        n.in = in;
        n.span = c->r->to->span;
        n.pass = c->r->pass;
        made = tct_ir_append(c->r->to, &n);
    }
    TCT_PUSH(&c->made, (copied){v, made});
    return made;
}

static tct_graph *rebuild(const keeper *k) {
    tct_rewrite r;
    tct_rewrite_begin(&r, k->g, "recompute");
    copies c = {.k = k, .r = &r, .again = TCT_NEW_ARRAY(&r.arena, bool, k->g->nodes.len)};
    for (tct_value v = 0; v < k->g->nodes.len; v++) {
        const tct_node *n = node(k, v);
        if (n->op == TCT_IR_INPUT) continue;
        for (uint32_t i = 0; v > k->peak && i < n->n_in; i++) {
            tct_value in = n->in[i];
            if (k->token[in] == TCT_NO_VALUE || c.again[in]) continue;
            c.of = in;
            c.made.len = 0;
            r.map[in] = compute(&c, in);
            c.again[in] = true;
        }
        tct_rewrite_copy(&r, v);
    }
    TCT_VEC_FREE(&c.made);
    r.changed = true;
    return tct_rewrite_finish(&r);
}

tct_graph *tct_recompute(tct_graph *g, const tct_recompute_limits *limits) {
    if (g->nodes.len == 0) return g;
    tct_arena arena = {0};
    keeper k = {.g = g, .limits = limits};
    measure(&k, &arena);
    tct_graph *made = choose(&k, &arena) ? rebuild(&k) : g;
    tct_arena_free(&arena);
    return made;
}

tct_graph *tct_pass_recompute(tct_graph *g) { return tct_recompute(g, &usual); }
