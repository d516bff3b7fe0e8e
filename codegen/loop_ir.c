// Building kernel IR: values by content, and index arithmetic that simplifies as it is made.
#include "codegen/loop.h"

#include <assert.h>
#include <string.h>

tct_loop *tct_loop_new(tct_arena *arena) {
    tct_loop *l = TCT_NEW(arena, tct_loop);
    l->arena = arena;
    l->lane_axis = -1;
    l->unroll = 1;
    return l;
}

uint32_t tct_loop_add_axis(tct_loop *l, const char *name, int64_t size, bool reduced) {
    assert(l->n_axes < TCT_LOOP_MAX_AXES);
    l->axes[l->n_axes] = (tct_loop_axis){name, size, reduced};
    return l->n_axes++;
}

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 29;
}

static uint64_t bits_of(double f) {
    uint64_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static uint64_t hash_value(const tct_loop_value *v) {
    uint64_t h = mix((uint64_t)v->kind << 32 | (uint64_t)v->dtype << 16 | v->op, (uint64_t)v->i);
    h = mix(h, bits_of(v->f));
    for (uint32_t k = 0; k < v->n_in; k++) h = mix(mix(h, v->in[k]), v->coef ? (uint64_t)v->coef[k] : 0);
    return h;
}

static bool same_value(const tct_loop_value *a, const tct_loop_value *b) {
    if (a->kind != b->kind || a->dtype != b->dtype || a->op != b->op || a->i != b->i || a->n_in != b->n_in ||
        bits_of(a->f) != bits_of(b->f))
        return false;
    for (uint32_t k = 0; k < a->n_in; k++)
        if (a->in[k] != b->in[k] || (a->coef && a->coef[k] != b->coef[k])) return false;
    return true;
}

static void grow_table(tct_loop *l) {
    uint32_t size = l->table_size ? 2 * l->table_size : 64;
    uint32_t *table = TCT_NEW_ARRAY(l->arena, uint32_t, size); // value + 1; 0: free
    for (uint32_t v = 0; v < l->n_values; v++) {
        uint64_t at = hash_value(&l->values[v]) & (size - 1);
        while (table[at]) at = (at + 1) & (size - 1);
        table[at] = v + 1;
    }
    l->table = table;
    l->table_size = size;
}

static tct_lv intern(tct_loop *l, tct_loop_value v) {
    if (2 * l->n_values >= l->table_size) grow_table(l);
    uint64_t at = hash_value(&v) & (l->table_size - 1);
    for (; l->table[at]; at = (at + 1) & (l->table_size - 1))
        if (same_value(&l->values[l->table[at] - 1], &v)) return l->table[at] - 1;
    if (l->n_values == l->cap_values) {
        uint32_t cap = l->cap_values ? 2 * l->cap_values : 64;
        l->values = tct_arena_realloc(l->arena, l->values, l->cap_values * sizeof *l->values,
                                      cap * sizeof *l->values);
        l->cap_values = cap;
    }
    tct_lv *in = TCT_NEW_ARRAY(l->arena, tct_lv, v.n_in);
    if (v.n_in) memcpy(in, v.in, v.n_in * sizeof *in);
    v.in = in;
    if (v.coef) {
        int64_t *coef = TCT_NEW_ARRAY(l->arena, int64_t, v.n_in);
        if (v.n_in) memcpy(coef, v.coef, v.n_in * sizeof *coef);
        v.coef = coef;
    }
    v.span = l->span;
    l->values[l->n_values] = v;
    l->table[at] = l->n_values + 1;
    return l->n_values++;
}

tct_lv tct_loop_value_of(tct_loop *l, tct_loop_value proto, uint32_t n_in, const tct_lv *in) {
    proto.n_in = n_in;
    proto.in = (tct_lv *)in;
    return intern(l, proto);
}

tct_lv tct_loop_const(tct_loop *l, tct_dtype dtype, double f, int64_t i) {
    return intern(l, (tct_loop_value){.kind = TCT_LOOP_CONST, .dtype = (uint8_t)dtype, .f = f, .i = i});
}

// An axis of size 1 has no loop.
tct_lv tct_loop_counter(tct_loop *l, uint32_t axis) {
    assert(axis < l->n_axes);
    if (l->axes[axis].size == 1) return tct_loop_affine(l, 0, 0, NULL, NULL);
    return intern(l, (tct_loop_value){.kind = TCT_LOOP_AXIS, .dtype = TCT_I64, .i = axis});
}

enum { MAX_TERMS = 64 };

// A sum in the making: terms sorted by value, no coefficient 0.
typedef struct sum {
    int64_t c;
    uint32_t n;
    tct_lv term[MAX_TERMS];
    int64_t coef[MAX_TERMS];
} sum;

static void add_term(const tct_loop *l, sum *s, tct_lv term, int64_t coef) {
    if (coef == 0) return;
    const tct_loop_value *v = &l->values[term];
    if (v->kind == TCT_LOOP_AFFINE) {
        s->c += coef * v->i;
        for (uint32_t k = 0; k < v->n_in; k++) add_term(l, s, v->in[k], coef * v->coef[k]);
        return;
    }
    uint32_t k = 0;
    while (k < s->n && s->term[k] < term) k++;
    if (k < s->n && s->term[k] == term) {
        s->coef[k] += coef;
        if (s->coef[k] != 0) return;
        s->n--;
        memmove(s->term + k, s->term + k + 1, (s->n - k) * sizeof *s->term);
        memmove(s->coef + k, s->coef + k + 1, (s->n - k) * sizeof *s->coef);
        return;
    }
    assert(s->n < MAX_TERMS);
    memmove(s->term + k + 1, s->term + k, (s->n - k) * sizeof *s->term);
    memmove(s->coef + k + 1, s->coef + k, (s->n - k) * sizeof *s->coef);
    s->term[k] = term;
    s->coef[k] = coef;
    s->n++;
}

// c·k·(x / k) + c·(x % k) = c·x. True when one was found.
static bool rejoin(const tct_loop *l, sum *s) {
    for (uint32_t m = 0; m < s->n; m++) {
        const tct_loop_value *mod = &l->values[s->term[m]];
        if (mod->kind != TCT_LOOP_MOD) continue;
        for (uint32_t d = 0; d < s->n; d++) {
            const tct_loop_value *div = &l->values[s->term[d]];
            if (div->kind != TCT_LOOP_DIV || div->in[0] != mod->in[0] || div->i != mod->i ||
                s->coef[d] != s->coef[m] * mod->i)
                continue;
            tct_lv dv = s->term[d], mv = s->term[m], x = mod->in[0];
            int64_t dc = s->coef[d], mc = s->coef[m];
            add_term(l, s, dv, -dc);
            add_term(l, s, mv, -mc);
            add_term(l, s, x, mc);
            return true;
        }
    }
    return false;
}

static tct_lv from_sum(tct_loop *l, sum *s) {
    while (rejoin(l, s)) continue;
    if (s->n == 1 && s->c == 0 && s->coef[0] == 1) return s->term[0];
    return intern(l, (tct_loop_value){.kind = TCT_LOOP_AFFINE,
                                      .dtype = TCT_I64,
                                      .i = s->c,
                                      .n_in = s->n,
                                      .in = s->term,
                                      .coef = s->coef});
}

tct_lv tct_loop_affine(tct_loop *l, int64_t c, uint32_t n, const tct_lv *terms, const int64_t *coef) {
    sum s = {.c = c};
    for (uint32_t k = 0; k < n; k++) add_term(l, &s, terms[k], coef[k]);
    return from_sum(l, &s);
}

bool tct_loop_range(const tct_loop *l, tct_lv v, int64_t *low, int64_t *high) {
    const tct_loop_value *x = &l->values[v];
    switch ((tct_loop_kind)x->kind) {
    case TCT_LOOP_AXIS:
        *low = 0;
        *high = l->axes[x->i].size - 1;
        return true;
    case TCT_LOOP_MOD:
        *low = 0;
        *high = x->i - 1;
        return true;
    case TCT_LOOP_DIV:
        if (!tct_loop_range(l, x->in[0], low, high)) return false;
        *low /= x->i;
        *high /= x->i;
        return true;
    case TCT_LOOP_AFFINE:
        *low = *high = x->i;
        for (uint32_t k = 0; k < x->n_in; k++) {
            int64_t a, b;
            if (!tct_loop_range(l, x->in[k], &a, &b)) return false;
            *low += x->coef[k] * (x->coef[k] > 0 ? a : b);
            *high += x->coef[k] * (x->coef[k] > 0 ? b : a);
        }
        return true;
    default:
        return false;
    }
}

// x as by·quotient + rest, with 0 <= rest < by; false when that isn't known.
static bool apart(tct_loop *l, tct_lv x, int64_t by, tct_lv *quotient, tct_lv *rest) {
    sum s = {0}, q = {0}, r = {0};
    add_term(l, &s, x, 1);
    for (uint32_t k = 0; k < s.n; k++) {
        if (s.coef[k] % by == 0)
            add_term(l, &q, s.term[k], s.coef[k] / by);
        else
            add_term(l, &r, s.term[k], s.coef[k]);
    }
    int64_t whole = s.c >= 0 ? s.c / by : -((-s.c + by - 1) / by);
    q.c = whole;
    r.c = s.c - whole * by;
    tct_lv rest_value = from_sum(l, &r);
    int64_t low, high;
    if (!tct_loop_range(l, rest_value, &low, &high) || low < 0 || high >= by) return false;
    *quotient = from_sum(l, &q);
    *rest = rest_value;
    return true;
}

tct_lv tct_loop_divide(tct_loop *l, tct_lv x, int64_t by) {
    tct_lv quotient, rest;
    if (by == 1) return x;
    if (apart(l, x, by, &quotient, &rest)) return quotient;
    return intern(l, (tct_loop_value){.kind = TCT_LOOP_DIV, .dtype = TCT_I64, .i = by, .n_in = 1, .in = &x});
}

tct_lv tct_loop_modulo(tct_loop *l, tct_lv x, int64_t by) {
    tct_lv quotient, rest;
    if (by == 1) return tct_loop_affine(l, 0, 0, NULL, NULL);
    if (apart(l, x, by, &quotient, &rest)) return rest;
    return intern(l, (tct_loop_value){.kind = TCT_LOOP_MOD, .dtype = TCT_I64, .i = by, .n_in = 1, .in = &x});
}

tct_lv tct_loop_within(tct_loop *l, tct_lv x, int64_t size) {
    int64_t low, high;
    if (tct_loop_range(l, x, &low, &high)) {
        if (low >= 0 && high < size) return TCT_NO_LV;
        if (high < 0 || low >= size) return tct_loop_const(l, TCT_BOOL, 0, 0);
    }
    return intern(
        l, (tct_loop_value){.kind = TCT_LOOP_WITHIN, .dtype = TCT_BOOL, .i = size, .n_in = 1, .in = &x});
}

void tct_loop_store_to(tct_loop *l, uint32_t buf, tct_lv offset, tct_lv value, tct_lv guard, bool add) {
    if (l->n_stores == l->cap_stores) {
        uint32_t cap = l->cap_stores ? 2 * l->cap_stores : 4;
        l->stores = tct_arena_realloc(l->arena, l->stores, l->cap_stores * sizeof *l->stores,
                                      cap * sizeof *l->stores);
        l->cap_stores = cap;
    }
    l->stores[l->n_stores++] = (tct_loop_store){
        .buf = buf, .offset = offset, .value = value, .guard = guard, .add = add, .span = l->span};
}

static void mark(const tct_loop *l, tct_lv v, bool *seen) {
    if (v == TCT_NO_LV || seen[v]) return;
    seen[v] = true;
    for (uint32_t k = 0; k < l->values[v].n_in; k++) mark(l, l->values[v].in[k], seen);
}

bool tct_loop_wants_split(const tct_loop *l, uint32_t *axis, int64_t *inner) {
    bool *seen = TCT_NEW_ARRAY(l->arena, bool, l->n_values), found = false;
    for (uint32_t s = 0; s < l->n_stores; s++) {
        mark(l, l->stores[s].offset, seen);
        mark(l, l->stores[s].value, seen);
        mark(l, l->stores[s].guard, seen);
    }
    for (uint32_t v = 0; v < l->n_values && !found; v++) {
        const tct_loop_value *x = &l->values[v];
        if (!seen[v] || (x->kind != TCT_LOOP_DIV && x->kind != TCT_LOOP_MOD)) continue;
        const tct_loop_value *of = &l->values[x->in[0]];
        if (of->kind != TCT_LOOP_AXIS || l->axes[of->i].size % x->i != 0) continue;
        *axis = (uint32_t)of->i;
        *inner = x->i;
        found = true;
    }
    return found;
}
