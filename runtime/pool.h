// A persistent pool of threads that runs numbered tasks. Which thread runs which task never shows in a
// result.
#ifndef TCT_RUNTIME_POOL_H
#define TCT_RUNTIME_POOL_H

#include <stdint.h>

typedef struct tct_pool tct_pool;

// `threads` >= 1, the caller counted as one. 0: as many as the machine has cores.
tct_pool *tct_pool_new(int threads);
void tct_pool_free(tct_pool *pool);
int tct_pool_cores(void); // that the caller may run on
int tct_pool_threads(const tct_pool *pool);

// Runs task(ctx, begin, end, thread) over [0, n) cut into ranges, and returns when all are done. One caller
// at a time.
typedef void (*tct_task_fn)(void *ctx, int64_t begin, int64_t end, int thread);
void tct_pool_run(tct_pool *pool, int64_t n, tct_task_fn task, void *ctx);
// The same for tasks that gain when their thread has run the one before: each thread has a part of [0, n) to
// itself, which it takes one by one in order; when that is done, it takes from the ends of the others'.
void tct_pool_run_near(tct_pool *pool, int64_t n, tct_task_fn task, void *ctx);
int64_t tct_pool_part_end(const tct_pool *pool, int64_t n,
                          int thread); // of the part that a thread begins with

// What a thread has run. Times are nanoseconds on the steady clock: its first task began, its last one ended,
// and how much of the time between it worked.
typedef struct tct_pool_work {
    _Alignas(64) uint64_t begin;
    uint64_t end, busy;
    int64_t tasks;
} tct_pool_work;
// From now on thread i adds what it runs to work[i]; NULL: no more. Between runs the caller may read and
// clear them.
void tct_pool_watch(tct_pool *pool, tct_pool_work *work);

// Scratch memory of one thread, at least `bytes`, 64-byte aligned; grows between runs, never during one.
void tct_pool_reserve_scratch(tct_pool *pool, uint64_t bytes);
void *tct_pool_scratch(tct_pool *pool, int thread);
// Memory of at least `bytes` that all threads of a run share, 64-byte aligned, not cleared; for the caller,
// between runs. The next call may move it.
void *tct_pool_shared(tct_pool *pool, uint64_t bytes);

// Gives a pool that has run nothing yet memory of the caller's, 64-byte aligned, which must outlive it:
// scratch_bytes (a multiple of 64) for each thread, then shared_bytes. It then asks the system for none; runs
// must not need more.
void tct_pool_lend(tct_pool *pool, void *memory, uint64_t scratch_bytes, uint64_t shared_bytes);

#endif
