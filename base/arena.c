#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct tct_arena_block {
    tct_arena_block *next;
    size_t size, used;
    alignas(16) unsigned char data[];
};

enum { MIN_BLOCK = 4096, MAX_BLOCK = 1 << 20, HUGE_PAGE = 1 << 21, MOST_EMPTY = 4 };

_Noreturn void tct_out_of_memory(size_t size) {
    fprintf(stderr, "tercet: out of memory (asked for %zu bytes)\n", size);
    exit(1);
}

void *tct_alloc(size_t size) {
    void *p = calloc(1, size ? size : 1);
    if (!p) tct_out_of_memory(size);
    return p;
}

void *tct_realloc(void *p, size_t size) {
    p = realloc(p, size ? size : 1);
    if (!p) tct_out_of_memory(size);
    return p;
}

char *tct_strdup(const char *s) {
    size_t n = strlen(s) + 1;
    return memcpy(tct_alloc(n), s, n);
}

void *tct_try_alloc_dirty(size_t size, size_t align) {
    if (size > SIZE_MAX - align) return NULL;
    size_t rounded = (size + align - 1) / align * align;
    // Kernels stride through large tensors: with small pages, each row would cost them an address
    // translation. The end has a large page, too, where what that leaves empty is a quarter at most.
    int huge = rounded >= HUGE_PAGE;
    size_t empty = (HUGE_PAGE - rounded % HUGE_PAGE) % HUGE_PAGE;
    if (huge && empty <= rounded / MOST_EMPTY && rounded <= SIZE_MAX - HUGE_PAGE) rounded += empty;
    if (align < sizeof(void *)) align = sizeof(void *);
    void *p = NULL;
    if (posix_memalign(&p, huge && align < HUGE_PAGE ? HUGE_PAGE : align, rounded ? rounded : align) != 0)
        return NULL;
    if (huge) madvise(p, rounded, MADV_HUGEPAGE);
    return p;
}

void *tct_try_alloc(size_t size, size_t align) {
    void *p = tct_try_alloc_dirty(size, align);
    if (p && size) memset(p, 0, size);
    return p;
}

static size_t round16(size_t n) {
    if (n > SIZE_MAX - 64) tct_out_of_memory(n);
    return (n + 15) & ~(size_t)15;
}

void *tct_arena_alloc(tct_arena *a, size_t size) {
    size_t need = round16(size ? size : 1);
    if (!a->head || a->head->size - a->head->used < need) {
        size_t grow = a->total < MIN_BLOCK ? MIN_BLOCK : a->total > MAX_BLOCK ? MAX_BLOCK : a->total;
        size_t block_size = need > grow ? need : grow;
        tct_arena_block *b = malloc(sizeof *b + block_size);
        if (!b) tct_out_of_memory(block_size);
        b->next = a->head;
        b->size = block_size;
        b->used = 0;
        a->head = b;
        a->total += block_size;
    }
    void *p = a->head->data + a->head->used;
    a->head->used += need;
    a->used += need;
    return memset(p, 0, need);
}

void *tct_arena_alloc_array(tct_arena *a, size_t size, size_t n) {
    size_t total;
    if (__builtin_mul_overflow(size, n, &total)) tct_out_of_memory(SIZE_MAX);
    return tct_arena_alloc(a, total);
}

void *tct_arena_realloc(tct_arena *a, void *old, size_t old_size, size_t new_size) {
    if (new_size <= old_size) return old;
    size_t have = round16(old_size), want = round16(new_size);
    tct_arena_block *b = a->head;
    // The last allocation of the newest block grows in place.
    if (old && b && (unsigned char *)old + have == b->data + b->used && want - have <= b->size - b->used) {
        memset((unsigned char *)old + have, 0, want - have);
        b->used += want - have;
        a->used += want - have;
        return old;
    }
    void *p = tct_arena_alloc(a, new_size);
    if (old_size) memcpy(p, old, old_size);
    return p;
}

char *tct_arena_strndup(tct_arena *a, const char *s, size_t n) {
    char *p = tct_arena_alloc(a, n + 1);
    if (n) memcpy(p, s, n);
    return p;
}

char *tct_arena_strdup(tct_arena *a, const char *s) { return tct_arena_strndup(a, s, strlen(s)); }

char *tct_arena_vprintf(tct_arena *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = tct_arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    vsnprintf(p, (size_t)(n < 0 ? 0 : n) + 1, fmt, again);
    va_end(again);
    return p;
}

char *tct_arena_printf(tct_arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *p = tct_arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

void tct_arena_free(tct_arena *a) {
    for (tct_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (tct_arena){0};
}
