// Arena: memory for what dies together. Blocks grow geometrically; nothing is freed one by one.
#ifndef TCT_BASE_ARENA_H
#define TCT_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tct_arena_block tct_arena_block;

// Zero-initialise to make an empty arena. Not thread-safe: one arena, one thread.
typedef struct tct_arena {
    tct_arena_block *head;
    size_t used, total; // bytes handed out, bytes reserved
} tct_arena;

// Memory of `size` bytes, zeroed, aligned to 16. Never NULL: see tct_out_of_memory.
void *tct_arena_alloc(tct_arena *a, size_t size);
// Grows an array that was allocated from `a`: a copy when it can't be extended.
void *tct_arena_realloc(tct_arena *a, void *old, size_t old_size, size_t new_size);
char *tct_arena_strndup(tct_arena *a, const char *s, size_t n);
char *tct_arena_strdup(tct_arena *a, const char *s);
char *tct_arena_printf(tct_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *tct_arena_vprintf(tct_arena *a, const char *fmt, va_list ap);
// Frees every block and leaves an empty arena.
void tct_arena_free(tct_arena *a);

#define TCT_NEW(arena, type) ((type *)tct_arena_alloc((arena), sizeof(type)))
#define TCT_NEW_ARRAY(arena, type, n) ((type *)tct_arena_alloc_array((arena), sizeof(type), (n)))

// As tct_arena_alloc(size * n), with the product checked.
void *tct_arena_alloc_array(tct_arena *a, size_t size, size_t n);

// Heap memory for objects with an owner of their own. Small allocations don't fail: when the system has none
// left, the program says so and exits with status 1. Large ones (tensors, plan arenas) go through
// tct_try_alloc.
void *tct_alloc(size_t size);            // zeroed
void *tct_realloc(void *p, size_t size); // not zeroed past the old size
char *tct_strdup(const char *s);
void *tct_try_alloc(size_t size, size_t align); // zeroed; NULL when there is none; release with free()
// The same with anything in it: large memory that is used bit by bit, or not at all, costs nothing before.
void *tct_try_alloc_dirty(size_t size, size_t align);
_Noreturn void tct_out_of_memory(size_t size);

#endif
