// The memory plan: every storage of the arena gets an offset, such that those alive at the same time don't
// overlap. The largest first, each at the lowest place that is free for its whole life.
#include "codegen/plan_build.h"

#include <stdlib.h>

enum { ALIGN = 64 };

typedef struct placed {
    uint32_t storage;
    uint64_t begin, end;
} placed;

static uint64_t rounded(uint64_t bytes) {
    return bytes ? (bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1) : ALIGN;
}

typedef struct by_size {
    uint64_t bytes;
    uint32_t storage;
} by_size;

static int compare(const void *a, const void *b) {
    const by_size *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->storage < y->storage ? -1 : x->storage > y->storage;
}

// `list` is kept sorted by begin.
static uint64_t lowest_place(const tct_planner *p, const placed *list, size_t n, const tct_storage *s) {
    uint64_t at = 0, bytes = rounded(s->bytes);
    for (size_t k = 0; k < n; k++) {
        const tct_storage *other = &p->storages.data[list[k].storage];
        if (other->last < s->first || s->last < other->first) continue;
        if (at + bytes <= list[k].begin) return at;
        if (list[k].end > at) at = list[k].end;
    }
    return at;
}

void tct_plan_places(tct_planner *p) {
    size_t n = 0, done = 0, all = p->storages.len;
    by_size *order = TCT_NEW_ARRAY(&p->temporary, by_size, all);
    placed *list = TCT_NEW_ARRAY(&p->temporary, placed, all);
    for (uint32_t s = 0; s < all; s++) {
        const tct_storage *x = &p->storages.data[s];
        if (x->root == s && x->place == TCT_PLACE_ARENA && x->writer != UINT32_MAX)
            order[n++] = (by_size){x->bytes, s};
    }
    if (n) qsort(order, n, sizeof *order, compare);
    for (size_t k = 0; k < n; k++) {
        tct_storage *s = &p->storages.data[order[k].storage];
        s->offset = lowest_place(p, list, done, s);
        placed here = {order[k].storage, s->offset, s->offset + rounded(s->bytes)};
        size_t at = done++;
        for (; at > 0 && list[at - 1].begin > here.begin; at--) list[at] = list[at - 1];
        list[at] = here;
        if (here.end > p->arena_bytes) p->arena_bytes = here.end;
    }
}
