// An order of kernels in the making: every unit (a group, or a stored value) has a rank, and whoever needs
// another one's result has the higher rank. It tells at once where no path can be, and merging two units
// mends it between their ranks.
#include "passes/fuse.h"

typedef struct walk {
    tct_fusion *f;
    uint32_t mark;
    TCT_VEC(tct_value) stack;
} walk;

static void visit(walk *w, tct_value v) {
    if (w->f->mark[v] == w->mark) return;
    w->f->mark[v] = w->mark;
    TCT_PUSH(&w->stack, v);
}

static void visit_unit(walk *w, tct_value v) {
    const tct_fusion *f = w->f;
    if (f->group[v] == UINT32_MAX) {
        visit(w, v);
        return;
    }
    const tct_fuse_group *g = &f->groups[f->group[v]];
    for (uint32_t m = 0; m < g->n; m++) visit(w, g->members[m]);
    if (g->dot != TCT_NO_VALUE) visit(w, g->dot);
}

void tct_fuse_order_start(tct_fusion *f) {
    size_t n = f->g->nodes.len;
    f->rank = TCT_NEW_ARRAY(&f->arena, uint32_t, n);
    f->ranked = TCT_NEW_ARRAY(&f->arena, tct_value, n);
    for (tct_value v = 0; v < n; v++) {
        f->rank[v] = v; // operands stand above their users
        f->ranked[v] = f->kind[v] == TCT_FUSE_INLINE ? TCT_NO_VALUE : v;
    }
}

bool tct_fuse_leads_around(tct_fusion *f, const tct_value *from, uint32_t n, uint32_t a, uint32_t b) {
    walk w = {.f = f, .mark = ++f->marks};
    uint32_t bound = f->rank[f->groups[b].members[0]];
    bool found = false;
    for (uint32_t k = 0; k < n; k++) visit(&w, from[k]);
    while (w.stack.len && !found) {
        tct_value v = w.stack.data[--w.stack.len];
        bool start = false;
        for (uint32_t k = 0; k < n && !start; k++) start = from[k] == v;
        for (uint32_t k = f->user_begin[v]; k < f->user_begin[v + 1] && !found; k++) {
            tct_value u = f->users[k];
            uint32_t g = f->group[u];
            if (g != UINT32_MAX && g == b)
                found = !start;
            else if ((g == UINT32_MAX || g != a) && f->rank[u] < bound)
                visit_unit(&w, u);
        }
    }
    TCT_VEC_FREE(&w.stack);
    return found;
}

static void set_rank(tct_fusion *f, tct_value v, uint32_t rank) {
    f->rank[v] = rank;
    if (f->group[v] == UINT32_MAX) return;
    const tct_fuse_group *g = &f->groups[f->group[v]];
    for (uint32_t m = 0; m < g->n; m++) f->rank[g->members[m]] = rank;
    if (g->dot != TCT_NO_VALUE) f->rank[g->dot] = rank;
}

// Between the two ranks: first what the lower one doesn't lead to, then the two, then what it leads to.
void tct_fuse_order_unite(tct_fusion *f, tct_value x, tct_value y) {
    tct_value low = f->rank[x] < f->rank[y] ? x : y, high = low == x ? y : x;
    uint32_t begin = f->rank[low], end = f->rank[high], at = begin, n_after = 0;
    walk w = {.f = f, .mark = ++f->marks};
    visit_unit(&w, low);
    while (w.stack.len) {
        tct_value v = w.stack.data[--w.stack.len];
        for (uint32_t k = f->user_begin[v]; k < f->user_begin[v + 1]; k++)
            if (f->rank[f->users[k]] < end) visit_unit(&w, f->users[k]);
    }
    TCT_VEC_FREE(&w.stack);
    tct_value *after = tct_alloc((end - begin + 1) * sizeof *after);
    for (uint32_t r = begin + 1; r < end; r++) {
        tct_value v = f->ranked[r];
        if (v == TCT_NO_VALUE) continue;
        if (f->mark[v] == w.mark) {
            after[n_after++] = v;
            continue;
        }
        f->ranked[at] = v;
        set_rank(f, v, at++);
    }
    set_rank(f, low, at);
    set_rank(f, high, at);
    f->ranked[at++] = low;
    for (uint32_t k = 0; k < n_after; k++) {
        f->ranked[at] = after[k];
        set_rank(f, after[k], at++);
    }
    while (at <= end) f->ranked[at++] = TCT_NO_VALUE;
    tct_heap_free(after);
}
