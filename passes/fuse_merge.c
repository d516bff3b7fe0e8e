// Grouping anchors into kernels. Greedy, in an order that gives the most valuable merges the first choice:
//   1. elementwise with elementwise, 2. with a reduction that is the only one to want the result, 3. with
//   reductions along what is contiguous (softmax, norms), 4. sums of columns with reductions of the rows that
//   they read (gradients of norms), 5. products take the elementwise group behind them as epilogue, 6. and
//   sums over their rows (gradients of biases, norms of gradients), 7. with the other reductions, 8. groups
//   over one domain that read the same large value.
// Two groups may merge when they agree about their domain, no value moves between them, and no third one
// stands between.
#include "passes/fuse.h"

#include <assert.h>
#include <string.h>

enum {
    MOST_MEMBERS = 40,
    MOST_EPILOGUE = 24,
    MOST_REDUCTIONS = 12,
    MOST_INPUTS = 28,
    FEW_RESULTS = 64, // a kernel that reduces to fewer runs in fewer pieces than a machine has threads
    MANY_POINTS = 16384,
};

static bool is_reduction(const tct_node *n) { return tct_ir_ops[n->op].cls == TCT_CLASS_REDUCTION; }
static const tct_node *node(const tct_fusion *f, tct_value v) { return tct_node_of(f->g, v); }

// --- Sets of axes, ascending ---

static uint32_t sorted(tct_axis *out, const tct_axis *in, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) {
        uint32_t at = k;
        for (; at > 0 && out[at - 1] > in[k]; at--) out[at] = out[at - 1];
        out[at] = in[k];
    }
    return n;
}

static bool same_set(const tct_axis *a, uint32_t n, const tct_axis *b, uint32_t m) {
    return n == m && (n == 0 || memcmp(a, b, n * sizeof *a) == 0);
}

static uint32_t without(tct_axis *out, const tct_axis *a, uint32_t n, const tct_axis *b, uint32_t m) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < n; k++) {
        bool there = false;
        for (uint32_t j = 0; j < m; j++) there |= a[k] == b[j];
        if (!there) out[count++] = a[k];
    }
    return count;
}

static int64_t points(const tct_fusion *f, const tct_axis *a, uint32_t n) {
    int64_t p = 1;
    for (uint32_t k = 0; k < n; k++) p *= tct_axis_of(f->g->module, a[k])->size;
    return p;
}

// --- Order ---

static uint32_t group_of(const tct_fusion *f, tct_value v) { return f->group[v]; }

// Whether something outside both leads from group a to group b.
static bool stands_between(tct_fusion *f, uint32_t a, uint32_t b) {
    return tct_fuse_leads_around(f, f->groups[a].members, f->groups[a].n, a, b);
}

// Whether a member of b is made of a member of a (all such uses), and whether one of them is moved.
static bool feeds(const tct_fusion *f, uint32_t a, uint32_t b, bool *moved) {
    const tct_fuse_group *gb = &f->groups[b];
    bool any = false;
    *moved = false;
    for (uint32_t m = 0; m < gb->n; m++) {
        const tct_fuse_sources *s = &f->sources[gb->members[m]];
        for (uint32_t k = 0; k < s->n; k++) {
            if (group_of(f, s->data[k].v) != a) continue;
            any = true;
            *moved |= s->data[k].moved;
        }
    }
    return any;
}

// --- Legality ---

static bool domains_agree(const tct_fuse_group *a, const tct_fuse_group *b) {
    if (a->n_reduced == 0 && b->n_reduced == 0) return same_set(a->axes, a->n_axes, b->axes, b->n_axes);
    if (a->n_reduced && b->n_reduced)
        return same_set(a->axes, a->n_axes, b->axes, b->n_axes) &&
               same_set(a->reduced, a->n_reduced, b->reduced, b->n_reduced);
    const tct_fuse_group *r = a->n_reduced ? a : b, *e = a->n_reduced ? b : a;
    tct_axis kept[TCT_IR_MAX_AXES];
    uint32_t n = without(kept, r->axes, r->n_axes, r->reduced, r->n_reduced);
    return same_set(r->axes, r->n_axes, e->axes, e->n_axes) || same_set(kept, n, e->axes, e->n_axes);
}

static bool is_used_outside(const tct_fusion *f, const tct_fuse_group *g, uint32_t self, uint32_t other) {
    for (uint32_t m = 0; m < g->n; m++) {
        tct_value v = g->members[m];
        if (f->in_memory[v]) return true;
        for (uint32_t k = f->user_begin[v]; k < f->user_begin[v + 1]; k++) {
            uint32_t u = group_of(f, f->users[k]);
            if (u != self && u != other) return true;
        }
    }
    return false;
}

// A reduction to few results has few pieces: it must not pull work in that would otherwise run in many.
static bool would_starve(const tct_fusion *f, uint32_t a, uint32_t b) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    if (ga->n_reduced && gb->n_reduced) return false;
    if (!ga->n_reduced && !gb->n_reduced) return false;
    const tct_fuse_group *r = ga->n_reduced ? ga : gb, *e = ga->n_reduced ? gb : ga;
    tct_axis kept[TCT_IR_MAX_AXES];
    uint32_t n = without(kept, r->axes, r->n_axes, r->reduced, r->n_reduced);
    if (points(f, kept, n) >= FEW_RESULTS || points(f, e->axes, e->n_axes) < MANY_POINTS) return false;
    return is_used_outside(f, e, e == ga ? a : b, e == ga ? b : a) || r == ga;
}

static void add_inputs(tct_fusion *f, const tct_fuse_group *g, uint32_t a, uint32_t b, uint32_t mark,
                       uint32_t *n) {
    for (uint32_t m = 0; m < g->n; m++) {
        const tct_fuse_sources *s = &f->sources[g->members[m]];
        for (uint32_t k = 0; k < s->n; k++) {
            tct_value v = s->data[k].v;
            uint32_t at = group_of(f, v);
            if ((at != UINT32_MAX && (at == a || at == b)) || f->mark[v] == mark) continue;
            f->mark[v] = mark;
            ++*n;
        }
    }
}

// Of a group that the two would be.
typedef struct together {
    uint32_t members, reductions, inputs;
} together;

static together put_together(tct_fusion *f, uint32_t a, uint32_t b) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    together t = {.members = ga->n + gb->n, .reductions = ga->reductions + gb->reductions};
    uint32_t mark = ++f->marks;
    add_inputs(f, ga, a, b, mark, &t.inputs);
    add_inputs(f, gb, a, b, mark, &t.inputs);
    return t;
}

static bool small_enough(tct_fusion *f, uint32_t a, uint32_t b) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    if (ga->n + gb->n > MOST_MEMBERS || ga->reductions + gb->reductions > MOST_REDUCTIONS) return false;
    return put_together(f, a, b).inputs <= MOST_INPUTS;
}

static bool moves_between(const tct_fusion *f, uint32_t a, uint32_t b) {
    bool there, back;
    feeds(f, a, b, &there);
    feeds(f, b, a, &back);
    return there || back;
}

// Whether two groups could be one, as far as values between them go.
static bool may_be_one(tct_fusion *f, uint32_t a, uint32_t b) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    return !ga->alone && !gb->alone && ga->dot == TCT_NO_VALUE && gb->dot == TCT_NO_VALUE &&
           small_enough(f, a, b) && !moves_between(f, a, b) && !stands_between(f, a, b) &&
           !stands_between(f, b, a);
}

static bool may_merge(tct_fusion *f, uint32_t a, uint32_t b) {
    return a != b && domains_agree(&f->groups[a], &f->groups[b]) && !would_starve(f, a, b) &&
           tct_fuse_columns_allow(f, a, b) && may_be_one(f, a, b);
}

// --- Merging ---

static void merge(tct_fusion *f, uint32_t into, uint32_t from) {
    tct_fuse_group *a = &f->groups[into], *b = &f->groups[from];
    tct_fuse_order_unite(f, a->members[0], b->members[0]);
    tct_value *all = TCT_NEW_ARRAY(&f->arena, tct_value, a->n + b->n);
    uint32_t i = 0, j = 0, n = 0;
    while (i < a->n || j < b->n)
        all[n++] =
            j == b->n || (i < a->n && a->members[i] < b->members[j]) ? a->members[i++] : b->members[j++];
    for (uint32_t k = 0; k < b->n; k++) f->group[b->members[k]] = into;
    if (b->n_reduced && !a->n_reduced) {
        a->n_axes = b->n_axes;
        memcpy(a->axes, b->axes, sizeof a->axes);
        a->n_reduced = b->n_reduced;
        memcpy(a->reduced, b->reduced, sizeof a->reduced);
    }
    a->members = all;
    a->n = n;
    a->reductions += b->reductions;
    a->columns |= b->columns;
    if (b->last > a->last) a->last = b->last;
    b->n = 0;
}

static void start_groups(tct_fusion *f) {
    size_t n = f->g->nodes.len;
    f->group = TCT_NEW_ARRAY(&f->arena, uint32_t, n);
    f->groups = TCT_NEW_ARRAY(&f->arena, tct_fuse_group, n);
    f->mark = TCT_NEW_ARRAY(&f->arena, uint32_t, n);
    for (tct_value v = 0; v < n; v++) {
        f->group[v] = UINT32_MAX;
        if (f->kind[v] != TCT_FUSE_ANCHOR) continue;
        const tct_node *x = node(f, v);
        tct_fuse_group *g = &f->groups[f->n_groups];
        f->group[v] = f->n_groups++;
        g->members = TCT_NEW_ARRAY(&f->arena, tct_value, 1);
        g->members[0] = g->last = v;
        g->n = 1;
        g->dot = TCT_NO_VALUE;
        g->alone = x->op == TCT_IR_SCATTER_ADD || x->op == TCT_IR_PUT;
        const tct_node *domain = is_reduction(x) ? node(f, x->in[0]) : x;
        g->n_axes = sorted(g->axes, domain->axes, domain->n_axes);
        if (!is_reduction(x)) continue;
        g->n_reduced = sorted(g->reduced, x->attr.axes, x->attr.n_axes);
        g->reductions = 1;
    }
}

static bool reduces_rows(const tct_fusion *f, const tct_fuse_group *g) {
    for (uint32_t m = 0; m < g->n; m++) {
        const tct_node *n = node(f, g->members[m]);
        if (is_reduction(n)) return tct_fuse_reduces_rows(f->g, n);
    }
    return false;
}

typedef enum phase { ELEMENTWISE, INTERNAL, ROWS, EVERYTHING } phase;

static bool belongs(const tct_fusion *f, phase p, uint32_t a, uint32_t b) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    if (p == ELEMENTWISE) return !ga->n_reduced && !gb->n_reduced;
    if (p == EVERYTHING) return true;
    if (p == INTERNAL) return !ga->n_reduced && gb->n_reduced && !is_used_outside(f, ga, a, b);
    return (!ga->n_reduced || reduces_rows(f, ga)) && (!gb->n_reduced || reduces_rows(f, gb));
}

static bool takes_columns(tct_fusion *f, uint32_t a, uint32_t b) {
    return a != UINT32_MAX && a != b && tct_fuse_may_take_columns(f, a, b) && may_be_one(f, a, b);
}

// A group that reads rows, or computes them, of which group b sums the columns; UINT32_MAX: none.
static uint32_t rows_of(tct_fusion *f, uint32_t b) {
    const tct_fuse_group *gb = &f->groups[b];
    int64_t all = points(f, gb->axes, gb->n_axes);
    for (uint32_t m = 0; m < gb->n; m++) {
        const tct_fuse_sources *s = &f->sources[gb->members[m]];
        for (uint32_t k = 0; k < s->n; k++) {
            tct_value v = s->data[k].v;
            if (tct_node_elements(f->g, node(f, v)) != all) continue;
            if (takes_columns(f, group_of(f, v), b)) return group_of(f, v);
            for (uint32_t u = f->user_begin[v]; u < f->user_begin[v + 1]; u++)
                if (takes_columns(f, group_of(f, f->users[u]), b)) return group_of(f, f->users[u]);
        }
    }
    return UINT32_MAX;
}

static void merge_columns(tct_fusion *f) {
    for (uint32_t b = 0; b < f->n_groups; b++) {
        if (!tct_fuse_sums_only_columns(f, &f->groups[b])) continue;
        uint32_t a = rows_of(f, b);
        if (a == UINT32_MAX) continue;
        merge(f, a, b);
        f->groups[a].columns = true;
    }
}

static bool merge_along_edges(tct_fusion *f, phase p) {
    bool merged = false;
    for (tct_value v = 0; v < f->g->nodes.len; v++) {
        if (f->kind[v] != TCT_FUSE_ANCHOR) continue;
        for (uint32_t k = 0; k < f->sources[v].n; k++) {
            tct_value s = f->sources[v].data[k].v;
            if (f->kind[s] != TCT_FUSE_ANCHOR) continue;
            uint32_t a = group_of(f, s), b = group_of(f, v);
            if (a == b || !belongs(f, p, a, b) || !may_merge(f, a, b)) continue;
            merge(f, a, b);
            merged = true;
        }
    }
    return merged;
}

// Groups that read the same large value, over one domain and with the same reduced axes.
static bool merge_siblings(tct_fusion *f) {
    bool merged = false;
    for (tct_value v = 0; v < f->g->nodes.len; v++) {
        if (f->kind[v] == TCT_FUSE_INLINE || tct_node_elements(f->g, node(f, v)) < FEW_RESULTS) continue;
        for (uint32_t i = f->user_begin[v]; i < f->user_begin[v + 1]; i++) {
            for (uint32_t j = i + 1; j < f->user_begin[v + 1]; j++) {
                uint32_t a = group_of(f, f->users[i]), b = group_of(f, f->users[j]);
                if (a == UINT32_MAX || b == UINT32_MAX || a == b) continue;
                const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
                bool alike = same_set(ga->reduced, ga->n_reduced, gb->reduced, gb->n_reduced) &&
                             same_set(ga->axes, ga->n_axes, gb->axes, gb->n_axes);
                if (!alike || !may_merge(f, a, b)) continue;
                merge(f, a, b);
                merged = true;
            }
        }
    }
    return merged;
}

// --- Epilogues ---

static bool reads_moved(const tct_fusion *f, const tct_fuse_group *g, tct_value v) {
    for (uint32_t m = 0; m < g->n; m++) {
        const tct_fuse_sources *s = &f->sources[g->members[m]];
        for (uint32_t k = 0; k < s->n; k++)
            if (s->data[k].v == v && s->data[k].moved) return true;
    }
    return false;
}

// The product runs where the group runs: nobody who needs it may come between, and the group reads it point
// by point.
static bool may_take(tct_fusion *f, uint32_t g, tct_value dot) {
    return !reads_moved(f, &f->groups[g], dot) && !tct_fuse_leads_around(f, &dot, 1, UINT32_MAX, g);
}

// The product among the sources of a group whose result has the group's domain and would be computed last, of
// those before `before`.
static tct_value find_dot(tct_fusion *f, uint32_t g, tct_value before) {
    const tct_fuse_group *group = &f->groups[g];
    tct_value best = TCT_NO_VALUE;
    for (uint32_t m = 0; m < group->n; m++) {
        const tct_fuse_sources *s = &f->sources[group->members[m]];
        for (uint32_t k = 0; k < s->n; k++) {
            tct_value v = s->data[k].v;
            tct_axis axes[TCT_IR_MAX_AXES];
            const tct_node *n = node(f, v);
            if (n->op != TCT_IR_DOT || f->group[v] != UINT32_MAX || v >= before) continue;
            if (!same_set(axes, sorted(axes, n->axes, n->n_axes), group->axes, group->n_axes)) continue;
            if (best == TCT_NO_VALUE || v > best) best = v;
        }
    }
    return best;
}

static void take_epilogues(tct_fusion *f) {
    for (uint32_t g = 0; g < f->n_groups; g++) {
        tct_fuse_group *group = &f->groups[g];
        if (!group->n || group->n_reduced || group->alone || group->n > MOST_EPILOGUE) continue;
        tct_value dot = find_dot(f, g, TCT_NO_VALUE);
        while (dot != TCT_NO_VALUE && !may_take(f, g, dot)) dot = find_dot(f, g, dot);
        if (dot == TCT_NO_VALUE) continue;
        tct_fuse_order_unite(f, dot, group->members[0]);
        group->dot = dot;
        f->group[dot] = g;
    }
}

// Whether v has the product's axes in their order, but for those that it sums.
static bool lies_like(const tct_fusion *f, tct_value v, tct_value dot) {
    const tct_node *n = node(f, v), *d = node(f, dot);
    int at = 0;
    for (int k = 0; k < d->n_axes; k++)
        if (at < n->n_axes && n->axes[at] == d->axes[k]) at++;
    return at == n->n_axes && (is_reduction(n) || at == d->n_axes);
}

// Whether all that the group reduces is sums over the rows of a product, which nobody within it reads.
static bool sums_rows(const tct_fusion *f, uint32_t at, tct_value dot) {
    const tct_fuse_group *g = &f->groups[at];
    tct_axis rows[TCT_IR_MAX_AXES], sums[TCT_IR_MAX_AXES];
    uint32_t n_rows = tct_fuse_rows_of(f->g, node(f, dot), rows), n_sums = 0;
    for (uint32_t k = 0; k < g->n_reduced; k++)
        if (tct_axis_of(f->g->module, g->reduced[k])->size != 1) sums[n_sums++] = g->reduced[k];
    tct_axis ascending[TCT_IR_MAX_AXES];
    if (!n_rows || !same_set(ascending, sorted(ascending, rows, n_rows), sums, n_sums)) return false;
    for (uint32_t m = 0; m < g->n; m++) {
        tct_value v = g->members[m];
        const tct_node *n = node(f, v);
        if (!lies_like(f, v, dot)) return false;
        if (!is_reduction(n)) continue;
        if (n->op != TCT_IR_SUM || n->dtype != TCT_F32) return false;
        for (uint32_t k = f->user_begin[v]; k < f->user_begin[v + 1]; k++)
            if (group_of(f, f->users[k]) == at) return false;
    }
    return true;
}

// The product that the group reads, or whose epilogue it reads, over the same domain.
static tct_value find_summed(const tct_fusion *f, const tct_fuse_group *g) {
    for (uint32_t m = 0; m < g->n; m++) {
        const tct_fuse_sources *s = &f->sources[g->members[m]];
        for (uint32_t k = 0; k < s->n; k++) {
            tct_value v = s->data[k].v;
            uint32_t at = group_of(f, v);
            if (at != UINT32_MAX) v = f->groups[at].dot;
            tct_axis axes[TCT_IR_MAX_AXES];
            if (v == TCT_NO_VALUE || node(f, v)->op != TCT_IR_DOT) continue;
            if (same_set(axes, sorted(axes, node(f, v)->axes, node(f, v)->n_axes), g->axes, g->n_axes))
                return v;
        }
    }
    return TCT_NO_VALUE;
}

// Whether group `sums` may join the product's epilogue `at`.
static bool may_join(tct_fusion *f, uint32_t at, uint32_t sums) {
    const tct_fuse_group *e = &f->groups[at], *g = &f->groups[sums];
    for (uint32_t m = 0; m < e->n; m++)
        if (!lies_like(f, e->members[m], e->dot)) return false;
    if (e->n + g->n > MOST_EPILOGUE || !small_enough(f, at, sums) || moves_between(f, at, sums) ||
        reads_moved(f, g, e->dot) || stands_between(f, sums, at))
        return false;
    tct_value *from = TCT_NEW_ARRAY(&f->arena, tct_value, e->n + 1u);
    if (e->n) memcpy(from, e->members, e->n * sizeof *from);
    from[e->n] = e->dot;
    return !tct_fuse_leads_around(f, from, e->n + 1, at, sums);
}

static void take_sums(tct_fusion *f) {
    for (uint32_t g = 0; g < f->n_groups; g++) {
        tct_fuse_group *group = &f->groups[g];
        if (!group->n || !group->n_reduced || group->alone || group->dot != TCT_NO_VALUE ||
            group->n > MOST_EPILOGUE || points(f, group->axes, group->n_axes) < MANY_POINTS)
            continue;
        tct_value dot = find_summed(f, group);
        if (dot == TCT_NO_VALUE || !sums_rows(f, g, dot)) continue;
        uint32_t at = group_of(f, dot);
        if (at != UINT32_MAX) {
            if (may_join(f, at, g)) merge(f, at, g);
        } else if (may_take(f, g, dot)) {
            tct_fuse_order_unite(f, dot, group->members[0]);
            group->dot = dot;
            f->group[dot] = g;
        }
    }
}

// A product that reads through casts is a group with them, if nothing else is.
static void take_casts(tct_fusion *f) {
    for (tct_value v = 0; v < f->g->nodes.len; v++) {
        const tct_node *n = node(f, v);
        if (n->op != TCT_IR_DOT || f->group[v] != UINT32_MAX) continue;
        if (!tct_fuse_factor_of(f->g, n, 0).n_casts && !tct_fuse_factor_of(f->g, n, 1).n_casts) continue;
        f->group[v] = f->n_groups;
        f->groups[f->n_groups++] = (tct_fuse_group){.dot = v, .last = v};
    }
}

void tct_fuse_merge(tct_fusion *f) {
    start_groups(f);
    tct_fuse_order_start(f);
    merge_along_edges(f, ELEMENTWISE);
    merge_along_edges(f, INTERNAL);
    merge_along_edges(f, ROWS);
    merge_columns(f);
    take_epilogues(f);
    take_sums(f);
    // A group that has taken a reduction in agrees with others than before.
    while (merge_along_edges(f, EVERYTHING)) {
    }
    while (merge_siblings(f) && merge_along_edges(f, EVERYTHING)) {
    }
    take_casts(f);
}

// --- Reasons ---

static uint32_t because(tct_fusion_reason r) { return UINT32_C(1) << r; }

static tct_fusion_domain domain_of(const tct_fuse_group *g) {
    tct_fusion_domain d = {.n_axes = g->n_axes, .n_reduced = g->n_reduced};
    memcpy(d.axes, g->axes, sizeof d.axes);
    memcpy(d.reduced, g->reduced, sizeof d.reduced);
    return d;
}

static uint32_t say_large(together t, tct_fusion_edge *e) {
    e->operations = t.members;
    e->reductions = t.reductions;
    e->inputs = t.inputs;
    e->most_operations = MOST_MEMBERS;
    e->most_reductions = MOST_REDUCTIONS;
    e->most_inputs = MOST_INPUTS;
    return because(TCT_APART_LARGE);
}

static uint32_t say_pieces(const tct_fusion *f, const tct_fuse_group *a, const tct_fuse_group *b,
                           tct_fusion_edge *e) {
    const tct_fuse_group *r = a->n_reduced ? a : b, *other = r == a ? b : a;
    tct_axis kept[TCT_IR_MAX_AXES];
    uint32_t n = without(kept, r->axes, r->n_axes, r->reduced, r->n_reduced);
    e->pieces = points(f, kept, n);
    e->points = points(f, other->axes, other->n_axes);
    return because(TCT_APART_PIECES);
}

uint32_t tct_fuse_why_apart(tct_fusion *f, uint32_t a, uint32_t b, tct_fusion_edge *edge) {
    const tct_fuse_group *ga = &f->groups[a], *gb = &f->groups[b];
    if (ga->alone || gb->alone) return because(TCT_APART_SCATTER);
    if (gb->dot != TCT_NO_VALUE) edge->product = gb->dot;
    if (ga->dot != TCT_NO_VALUE) edge->product = ga->dot;
    if (ga->dot != TCT_NO_VALUE && gb->dot != TCT_NO_VALUE) return because(TCT_APART_PRODUCT);
    uint32_t why = 0;
    if (!domains_agree(ga, gb)) {
        why |= because(TCT_APART_DOMAIN);
        edge->from_domain = domain_of(ga);
        edge->to_domain = domain_of(gb);
    } else if (would_starve(f, a, b)) {
        why |= say_pieces(f, ga, gb, edge);
    } else if (!tct_fuse_columns_allow(f, a, b)) {
        why |= because(TCT_APART_COLUMNS);
    }
    if (!small_enough(f, a, b)) why |= say_large(put_together(f, a, b), edge);
    if (moves_between(f, a, b)) why |= because(TCT_APART_MOVED);
    if (stands_between(f, a, b) || stands_between(f, b, a)) why |= because(TCT_APART_BETWEEN);
    if (why || edge->product == TCT_NO_VALUE) return why;
    edge->from_domain = domain_of(ga);
    edge->to_domain = domain_of(gb);
    return because(ga->n_reduced || gb->n_reduced ? TCT_APART_REDUCES : TCT_APART_EPILOGUE);
}

uint32_t tct_fuse_why_no_epilogue(tct_fusion *f, tct_value dot, uint32_t g, tct_fusion_edge *edge) {
    const tct_fuse_group *group = &f->groups[g];
    edge->product = group->dot;
    if (group->alone) return because(TCT_APART_SCATTER);
    if (group->dot != TCT_NO_VALUE) return because(TCT_APART_PRODUCT);
    uint32_t why = 0;
    const tct_node *n = node(f, dot);
    tct_axis axes[TCT_IR_MAX_AXES];
    edge->to_domain = domain_of(group);
    if (!same_set(axes, sorted(axes, n->axes, n->n_axes), group->axes, group->n_axes)) {
        why |= because(TCT_APART_SHAPE);
        edge->from_domain.n_axes = sorted(edge->from_domain.axes, n->axes, n->n_axes);
    } else if (group->n_reduced) {
        why |= because(TCT_APART_REDUCES);
    }
    if (group->n > MOST_EPILOGUE) {
        why |= say_large((together){.members = group->n}, edge);
        edge->most_operations = MOST_EPILOGUE;
    }
    if (reads_moved(f, group, dot)) why |= because(TCT_APART_MOVED);
    if (tct_fuse_leads_around(f, &dot, 1, UINT32_MAX, g)) why |= because(TCT_APART_BETWEEN);
    return why;
}
