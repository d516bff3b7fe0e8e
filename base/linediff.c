#include "base/linediff.h"

#include "base/arena.h"

#include <stdint.h>
#include <string.h>

enum {
    AROUND = 3,              // lines shown around a difference
    LARGEST_TABLE = 1 << 20, // cells of the table that compares two ranges line by line
};

#define NONE SIZE_MAX

typedef struct differ {
    const tct_line *a, *b;
    size_t *id_a, *id_b; // by line: equal numbers are equal keys
    size_t *partner;     // by line of a: the line of b that it is, NONE
    size_t n_ids;
    // Scratch of one range, by id: how often it is there and where last. Cleared after use.
    size_t *count_a, *count_b, *at_b;
} differ;

static uint64_t hash_of(const char *s) {
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001B3);
    return h ^ h >> 29;
}

// Numbers for the keys of both.
static void number_lines(differ *d, size_t n_a, size_t n_b) {
    size_t mask = 63;
    while (mask < 2 * (n_a + n_b)) mask = 2 * mask + 1;
    struct slot {
        const char *key;
        size_t id;
    } *slots = tct_alloc((mask + 1) * sizeof *slots);
    for (size_t k = 0; k < n_a + n_b; k++) {
        const char *key = k < n_a ? d->a[k].key : d->b[k - n_a].key;
        size_t at = hash_of(key) & mask;
        while (slots[at].key && strcmp(slots[at].key, key) != 0) at = (at + 1) & mask;
        if (!slots[at].key) slots[at] = (struct slot){key, d->n_ids++};
        (k < n_a ? d->id_a : d->id_b)[k < n_a ? k : k - n_a] = slots[at].id;
    }
    tct_heap_free(slots);
}

// The longest common subsequence of two short ranges, by the table that everybody knows.
static void compare_lines(differ *d, size_t a, size_t n, size_t b, size_t m) {
    if (!n || !m || n > LARGEST_TABLE / (m + 1) - 1) return;
    uint32_t *best = tct_alloc((n + 1) * (m + 1) * sizeof *best); // of the rests from (i, j) on
    for (size_t i = n; i-- > 0;)
        for (size_t j = m; j-- > 0;) {
            uint32_t skip_a = best[(i + 1) * (m + 1) + j], skip_b = best[i * (m + 1) + j + 1];
            uint32_t skip = skip_a > skip_b ? skip_a : skip_b;
            bool same = d->id_a[a + i] == d->id_b[b + j];
            best[i * (m + 1) + j] = same ? best[(i + 1) * (m + 1) + j + 1] + 1 : skip;
        }
    for (size_t i = 0, j = 0; i < n && j < m;) {
        if (d->id_a[a + i] == d->id_b[b + j])
            d->partner[a + i++] = b + j++;
        else if (best[(i + 1) * (m + 1) + j] >= best[i * (m + 1) + j + 1])
            i++;
        else
            j++;
    }
    tct_heap_free(best);
}

// Lines that are once in both ranges, as many as stand in one order: their places in a, ascending.
static size_t find_anchors(differ *d, size_t a, size_t n, size_t b, size_t m, size_t *anchors) {
    for (size_t i = 0; i < n; i++) d->count_a[d->id_a[a + i]]++;
    for (size_t j = 0; j < m; j++) {
        d->count_b[d->id_b[b + j]]++;
        d->at_b[d->id_b[b + j]] = b + j;
    }
    // The longest ascending subsequence of places in b: last[l] ends one of length l + 1.
    size_t *last = tct_alloc((n + 1) * sizeof *last), *before = tct_alloc((n + 1) * sizeof *before),
           longest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t id = d->id_a[a + i];
        if (d->count_a[id] != 1 || d->count_b[id] != 1) continue;
        size_t low = 0, high = longest;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (d->at_b[d->id_a[a + last[middle]]] < d->at_b[id])
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low ? last[low - 1] : NONE;
        last[low] = i;
        if (low == longest) longest++;
    }
    for (size_t k = longest, i = longest ? last[longest - 1] : NONE; k-- > 0; i = before[i]) {
        anchors[k] = a + i;
        d->partner[a + i] = d->at_b[d->id_a[a + i]];
    }
    for (size_t i = 0; i < n; i++) d->count_a[d->id_a[a + i]] = 0;
    for (size_t j = 0; j < m; j++) d->count_b[d->id_b[b + j]] = 0;
    tct_heap_free(last);
    tct_heap_free(before);
    return longest;
}

typedef struct range {
    size_t a, n, b, m;
} range;

// Partners within two ranges: equal ends, then anchors, then what lies between these, then line by line.
static void compare(differ *d, size_t n_a, size_t n_b) {
    TCT_VEC(range) open = {0};
    TCT_PUSH(&open, ((range){0, n_a, 0, n_b}));
    size_t *anchors = tct_alloc((n_a + 1) * sizeof *anchors);
    while (open.len) {
        range r = open.data[--open.len];
        for (; r.n && r.m && d->id_a[r.a] == d->id_b[r.b]; r.a++, r.b++, r.n--, r.m--) d->partner[r.a] = r.b;
        for (; r.n && r.m && d->id_a[r.a + r.n - 1] == d->id_b[r.b + r.m - 1]; r.n--, r.m--)
            d->partner[r.a + r.n - 1] = r.b + r.m - 1;
        if (!r.n || !r.m) continue;
        size_t n = find_anchors(d, r.a, r.n, r.b, r.m, anchors);
        if (!n) {
            compare_lines(d, r.a, r.n, r.b, r.m);
            continue;
        }
        range rest = r;
        for (size_t k = 0; k < n; k++) {
            size_t at_a = anchors[k], at_b = d->partner[anchors[k]];
            TCT_PUSH(&open, ((range){rest.a, at_a - rest.a, rest.b, at_b - rest.b}));
            rest.a = at_a + 1;
            rest.b = at_b + 1;
        }
        rest.n = r.a + r.n - rest.a;
        rest.m = r.b + r.m - rest.b;
        TCT_PUSH(&open, rest);
    }
    tct_heap_free(anchors);
    TCT_VEC_FREE(&open);
}

// --- Hunks ---

typedef struct edit {
    char kind; // ' ' in both, '-' in a, '+' in b
    const char *text;
} edit;

static void print_hunk(const edit *edits, size_t begin, size_t end, size_t line_a, size_t line_b,
                       tct_buf *out) {
    size_t n_a = 0, n_b = 0;
    for (size_t k = begin; k < end; k++) {
        n_a += edits[k].kind != '+';
        n_b += edits[k].kind != '-';
    }
    tct_buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", n_a ? line_a : line_a - 1, n_a,
                   n_b ? line_b : line_b - 1, n_b);
    for (size_t k = begin; k < end; k++) tct_buf_printf(out, "%c%s\n", edits[k].kind, edits[k].text);
}

static bool print_hunks(const edit *edits, size_t n, tct_buf *out) {
    bool any = false;
    size_t line_a = 1, line_b = 1, done = 0; // of edits[done]
    for (size_t k = 0; k < n;) {
        if (edits[k].kind == ' ') {
            k++;
            continue;
        }
        size_t begin = k > done + AROUND ? k - AROUND : done, end = k, last = k;
        while (end < n && end <= last + 2 * AROUND + 1) {
            if (edits[end].kind != ' ') last = end;
            end++;
        }
        end = last + AROUND + 1 < n ? last + AROUND + 1 : n;
        for (; done < begin; done++) {
            line_a += edits[done].kind != '+';
            line_b += edits[done].kind != '-';
        }
        print_hunk(edits, begin, end, line_a, line_b, out);
        for (; done < end; done++) {
            line_a += edits[done].kind != '+';
            line_b += edits[done].kind != '-';
        }
        any = true;
        k = end;
    }
    return any;
}

bool tct_linediff(const tct_line *a, size_t n_a, const tct_line *b, size_t n_b, tct_buf *out) {
    tct_arena arena = {0};
    differ d = {.a = a, .b = b};
    d.id_a = TCT_NEW_ARRAY(&arena, size_t, n_a);
    d.id_b = TCT_NEW_ARRAY(&arena, size_t, n_b);
    d.partner = TCT_NEW_ARRAY(&arena, size_t, n_a);
    for (size_t i = 0; i < n_a; i++) d.partner[i] = NONE;
    number_lines(&d, n_a, n_b);
    d.count_a = TCT_NEW_ARRAY(&arena, size_t, d.n_ids);
    d.count_b = TCT_NEW_ARRAY(&arena, size_t, d.n_ids);
    d.at_b = TCT_NEW_ARRAY(&arena, size_t, d.n_ids);
    compare(&d, n_a, n_b);
    edit *edits = TCT_NEW_ARRAY(&arena, edit, n_a + n_b);
    size_t n = 0, j = 0;
    for (size_t i = 0; i < n_a; i++) {
        if (d.partner[i] == NONE) {
            edits[n++] = (edit){'-', a[i].text};
            continue;
        }
        while (j < d.partner[i]) edits[n++] = (edit){'+', b[j++].text};
        edits[n++] = (edit){' ', b[j++].text};
    }
    while (j < n_b) edits[n++] = (edit){'+', b[j++].text};
    bool any = print_hunks(edits, n, out);
    tct_arena_free(&arena);
    return any;
}
