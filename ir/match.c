#include "ir/match.h"

#include <math.h>
#include <string.h>

enum { MOST_CANDIDATES = 1000 }; // looked at for one node: graphs of one value a million times are nobody's

// Nodes of either graph are numbered in one row: before's, then after's.
typedef struct matcher {
    tct_arena *arena;
    const tct_graph *before, *after;
    tct_ir_match *m;
    uint32_t *value;            // by node of both: equal numbers are equal values
    uint32_t *rank;             // by node of both: how many equal ones its graph has before it
    uint32_t *uses;             // by node of both
    uint32_t *next;             // by node of before: the next one of the same chain, up
    uint32_t *head, head_mask;  // chains of before's nodes by hash
    TCT_VEC(tct_value) pending; // pairs whose operands are to be paired
} matcher;

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 29;
}

static uint64_t hash_attr(const tct_node *n, bool body) {
    const tct_ir_attr *attr = &n->attr;
    unsigned uses = tct_ir_ops[n->op].attrs;
    uint64_t h = n->op;
    if (uses & TCT_IR_AXES)
        for (int k = 0; k < attr->n_axes; k++) h = mix(h, attr->axes[k]);
    if (uses & TCT_IR_TO)
        for (int k = 0; k < attr->n_to; k++) h = mix(h, attr->to[k]);
    if (uses & TCT_IR_INT) h = mix(mix(h, (uint64_t)attr->i), (uint64_t)attr->step);
    if (uses & TCT_IR_FLOAT && !isnan(attr->f)) {
        uint64_t bits;
        memcpy(&bits, &attr->f, sizeof bits);
        h = mix(h, bits);
    }
    if (uses & TCT_IR_DTYPE) h = mix(h, attr->dtype);
    return body && attr->body ? mix(h, attr->body->nodes.len) : h;
}

static bool same_type(const tct_node *x, const tct_node *y, bool in_order) {
    if (x->bundle || y->bundle) return x->bundle == y->bundle;
    if (x->dtype != y->dtype || x->n_axes != y->n_axes) return false;
    for (int k = 0; k < x->n_axes; k++)
        if (in_order ? x->axes[k] != y->axes[k] : !tct_node_has_axis(y, x->axes[k])) return false;
    return true;
}

// --- Values: equal operations on equal values ---

typedef struct value_table {
    uint32_t *slot, mask; // node + 1 of both, 0: free
} value_table;

static const tct_node *node_of(const matcher *m, uint32_t v) {
    size_t n = m->before->nodes.len;
    return v < n ? &m->before->nodes.data[v] : &m->after->nodes.data[v - n];
}

static uint32_t value_at(const matcher *m, uint32_t base, tct_value v) { return m->value[base + v]; }

static bool same_value(const matcher *m, uint32_t a, uint32_t base_a, uint32_t b, uint32_t base_b) {
    const tct_node *x = node_of(m, a), *y = node_of(m, b);
    if (x->op != y->op || x->n_in != y->n_in || !same_type(x, y, true)) return false;
    for (uint32_t k = 0; k < x->n_in; k++)
        if (value_at(m, base_a, x->in[k]) != value_at(m, base_b, y->in[k])) return false;
    return tct_ir_attr_equal((tct_ir_op)x->op, &x->attr, &y->attr);
}

static void number_values(matcher *m) {
    uint32_t n = (uint32_t)m->before->nodes.len, all = n + (uint32_t)m->after->nodes.len;
    value_table t = {.mask = 63};
    while (t.mask < 2 * all) t.mask = 2 * t.mask + 1;
    t.slot = tct_alloc((t.mask + (size_t)1) * sizeof *t.slot);
    for (uint32_t v = 0; v < all; v++) {
        const tct_node *x = node_of(m, v);
        uint32_t base = v < n ? 0 : n;
        uint64_t h = hash_attr(x, true);
        for (uint32_t k = 0; k < x->n_in; k++) h = mix(h, value_at(m, base, x->in[k]));
        uint64_t at = h & t.mask;
        while (t.slot[at] && !same_value(m, v, base, t.slot[at] - 1, t.slot[at] - 1 < n ? 0 : n))
            at = (at + 1) & t.mask;
        if (!t.slot[at]) t.slot[at] = v + 1;
        m->value[v] = t.slot[at] - 1; // the first node of that value
    }
    tct_heap_free(t.slot);
}

// --- Chains of before's nodes that have no partner yet ---

static void start_chains(matcher *m) {
    uint32_t mask = 63;
    while (mask < m->before->nodes.len) mask = 2 * mask + 1;
    m->head_mask = mask;
    m->head = tct_arena_alloc(m->arena, (mask + (size_t)1) * sizeof *m->head);
    memset(m->head, 0xFF, (mask + (size_t)1) * sizeof *m->head);
}

static void chain(matcher *m, tct_value v, uint64_t hash) {
    uint32_t *head = &m->head[hash & m->head_mask];
    m->next[v] = *head;
    *head = v;
}

// The first node of a chain that may still find a partner; those before it are done for good.
static uint32_t first_free(matcher *m, uint64_t hash) {
    uint32_t *head = &m->head[hash & m->head_mask];
    while (*head != UINT32_MAX && m->m->to_after[*head] != TCT_NO_VALUE) *head = m->next[*head];
    return *head;
}

static void pair(matcher *m, tct_value a, tct_value b, tct_ir_fate fate) {
    m->m->to_after[a] = b;
    m->m->to_before[b] = a;
    m->m->before[a] = m->m->after[b] = (uint8_t)fate;
}

static bool is_free(const matcher *m, tct_value a, tct_value b) {
    return m->m->to_after[a] == TCT_NO_VALUE && m->m->to_before[b] == TCT_NO_VALUE;
}

static bool same_origin(const tct_node *x, const tct_node *y) {
    bool pass = x->pass == y->pass || (x->pass && y->pass && strcmp(x->pass, y->pass) == 0);
    return pass && x->span.file == y->span.file && x->span.begin == y->span.begin &&
           x->span.end == y->span.end;
}

static void rank_values(matcher *m) {
    uint32_t n = (uint32_t)m->before->nodes.len, all = n + (uint32_t)m->after->nodes.len;
    uint32_t *count = tct_alloc((all + (size_t)1) * sizeof *count);
    for (uint32_t v = 0; v < all; v++) {
        if (v == n) memset(count, 0, all * sizeof *count);
        m->rank[v] = count[m->value[v]]++;
    }
    tct_heap_free(count);
}

// The free node of before that has the value of node b and is most like it: the same origin first, then the
// same place among its equals, then the first one, which is what stays when equals become one.
static tct_value find_equal(matcher *m, tct_value b) {
    uint32_t n = (uint32_t)m->before->nodes.len, most = 0;
    tct_value best = TCT_NO_VALUE, c = first_free(m, mix(0, m->value[n + b]));
    for (int tries = 0; c != UINT32_MAX && tries < MOST_CANDIDATES; c = m->next[c], tries++) {
        if (m->value[c] != m->value[n + b] || !is_free(m, c, b)) continue;
        bool origin = same_origin(&m->before->nodes.data[c], &m->after->nodes.data[b]);
        uint32_t alike = 2 * origin + (m->rank[c] == m->rank[n + b]);
        if (best != TCT_NO_VALUE && alike < most) continue;
        best = c;
        most = alike;
    }
    return best;
}

static void count_uses(const tct_graph *g, uint32_t *uses) {
    for (size_t v = 0; v < g->nodes.len; v++)
        for (uint32_t k = 0; k < g->nodes.data[v].n_in; k++) uses[g->nodes.data[v].in[k]]++;
    for (size_t k = 0; k < g->outputs.len; k++) uses[g->outputs.data[k].value]++;
}

// The first free node of before that has the value and the origin of b, TCT_NO_VALUE: none.
static tct_value find_first(matcher *m, tct_value b) {
    uint32_t n = (uint32_t)m->before->nodes.len;
    tct_value first = TCT_NO_VALUE, c = first_free(m, mix(0, m->value[n + b]));
    for (int tries = 0; c != UINT32_MAX && tries < MOST_CANDIDATES; c = m->next[c], tries++)
        if (m->value[c] == m->value[n + b] && is_free(m, c, b) &&
            same_origin(&m->before->nodes.data[c], &m->after->nodes.data[b]))
            first = c;
    return first;
}

// The users of equal values are paired first, and their operands by position: so equal nodes of which there
// are several go to where they are used.
static void pair_equal_values(matcher *m) {
    const tct_graph *a = m->before, *b = m->after;
    start_chains(m);
    rank_values(m);
    count_uses(a, m->uses);
    count_uses(b, m->uses + a->nodes.len);
    for (tct_value v = 0; v < a->nodes.len; v++) chain(m, v, mix(0, m->value[v])); // so the last is the first
    for (size_t v = b->nodes.len; v-- > 0;) {
        if (m->m->to_before[v] != TCT_NO_VALUE) continue;
        tct_value best = find_equal(m, (tct_value)v);
        if (best == TCT_NO_VALUE) continue;
        pair(m, best, (tct_value)v, TCT_IR_SAME);
        m->pending.len = 0;
        TCT_PUSH(&m->pending, best);
        while (m->pending.len) {
            tct_value x = m->pending.data[--m->pending.len], y = m->m->to_after[x];
            for (uint32_t k = 0; k < a->nodes.data[x].n_in; k++) {
                tct_value i = a->nodes.data[x].in[k], j = b->nodes.data[y].in[k];
                if (!is_free(m, i, j)) continue;
                // More users than it had: equals became one, which is the first of them.
                if (m->uses[a->nodes.len + j] > m->uses[i]) {
                    tct_value first = find_first(m, j);
                    if (first != TCT_NO_VALUE) i = first;
                }
                pair(m, i, j, TCT_IR_SAME);
                TCT_PUSH(&m->pending, i);
            }
        }
    }
}

// --- Copies with other operands ---

static uint64_t hash_copy(const tct_node *n) {
    uint64_t h = mix(mix(n->op, n->span.file), n->span.begin);
    return mix(h, n->bundle ? 99 : n->dtype);
}

static bool is_copy(const tct_node *x, const tct_node *y) {
    return x->op == y->op && same_origin(x, y) && same_type(x, y, false);
}

// How alike they are: operands that went with them, and attributes.
static uint32_t likeness(const matcher *m, tct_value a, tct_value b) {
    const tct_node *x = &m->before->nodes.data[a], *y = &m->after->nodes.data[b];
    uint32_t operands = 0;
    for (uint32_t k = 0; k < x->n_in && k < y->n_in; k++) operands += m->m->to_after[x->in[k]] == y->in[k];
    return 2 * operands + (hash_attr(x, false) == hash_attr(y, false));
}

static void pair_copies(matcher *m) {
    const tct_graph *a = m->before, *b = m->after;
    start_chains(m);
    for (size_t v = a->nodes.len; v-- > 0;)
        if (m->m->to_after[v] == TCT_NO_VALUE) chain(m, (tct_value)v, hash_copy(&a->nodes.data[v]));
    for (tct_value v = 0; v < b->nodes.len; v++) {
        const tct_node *y = &b->nodes.data[v];
        if (m->m->to_before[v] != TCT_NO_VALUE) continue;
        tct_value best = TCT_NO_VALUE, c = first_free(m, hash_copy(y));
        uint32_t most = 0;
        for (int tries = 0; c != UINT32_MAX && tries < MOST_CANDIDATES; c = m->next[c], tries++) {
            if (!is_free(m, c, v) || !is_copy(&a->nodes.data[c], y)) continue;
            uint32_t alike = likeness(m, c, v);
            if (alike > most || (best == TCT_NO_VALUE && y->n_in)) {
                best = c;
                most = alike;
            }
        }
        if (best != TCT_NO_VALUE) pair(m, best, v, TCT_IR_REWRITTEN);
    }
}

// --- What stands where something else stood ---

static void replace(matcher *m, tct_value a, tct_value b) {
    if (is_free(m, a, b) && same_type(&m->before->nodes.data[a], &m->after->nodes.data[b], false))
        pair(m, a, b, TCT_IR_REPLACED);
}

static void pair_replacements(matcher *m) {
    const tct_graph *a = m->before, *b = m->after;
    for (size_t k = 0; k < a->outputs.len && k < b->outputs.len; k++)
        replace(m, a->outputs.data[k].value, b->outputs.data[k].value);
    for (size_t v = a->nodes.len; v-- > 0;) {
        tct_value y = m->m->to_after[v];
        if (y == TCT_NO_VALUE) continue;
        const tct_node *x = &a->nodes.data[v], *z = &b->nodes.data[y];
        for (uint32_t k = 0; x->op == z->op && k < x->n_in && k < z->n_in; k++)
            replace(m, x->in[k], z->in[k]);
    }
}

// A copy whose operands are the partners of those it had is the same after all.
static void settle_copies(matcher *m) {
    for (tct_value v = 0; v < m->after->nodes.len; v++) {
        tct_value was = m->m->to_before[v];
        if (m->m->after[v] != TCT_IR_REWRITTEN) continue;
        const tct_node *x = &m->before->nodes.data[was], *y = &m->after->nodes.data[v];
        bool same = x->n_in == y->n_in && same_type(x, y, true) &&
                    tct_ir_attr_equal((tct_ir_op)x->op, &x->attr, &y->attr);
        for (uint32_t k = 0; same && k < x->n_in; k++) same = m->m->to_after[x->in[k]] == y->in[k];
        if (same) m->m->before[was] = m->m->after[v] = TCT_IR_SAME;
    }
}

void tct_ir_match_graphs(tct_arena *arena, const tct_graph *before, const tct_graph *after,
                         tct_ir_match *out) {
    size_t n = before->nodes.len, n_after = after->nodes.len;
    *out = (tct_ir_match){.to_after = TCT_NEW_ARRAY(arena, tct_value, n),
                          .to_before = TCT_NEW_ARRAY(arena, tct_value, n_after),
                          .before = TCT_NEW_ARRAY(arena, uint8_t, n),
                          .after = TCT_NEW_ARRAY(arena, uint8_t, n_after)};
    for (size_t v = 0; v < n; v++) out->to_after[v] = TCT_NO_VALUE;
    for (size_t v = 0; v < n_after; v++) out->to_before[v] = TCT_NO_VALUE;
    matcher m = {.arena = arena,
                 .before = before,
                 .after = after,
                 .m = out,
                 .value = TCT_NEW_ARRAY(arena, uint32_t, n + n_after),
                 .rank = TCT_NEW_ARRAY(arena, uint32_t, n + n_after),
                 .uses = TCT_NEW_ARRAY(arena, uint32_t, n + n_after),
                 .next = TCT_NEW_ARRAY(arena, uint32_t, n)};
    number_values(&m);
    pair_equal_values(&m);
    pair_copies(&m);
    pair_replacements(&m);
    settle_copies(&m);
    TCT_VEC_FREE(&m.pending);
}
