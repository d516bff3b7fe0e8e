// Thread pool. A run is open while its range has tasks left; workers that come too late for it just wait for
// the next, so a worker that the system has put aside never holds a run up.
#include "runtime/pool.h"

#include "base/arena.h"

#include <assert.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKER_SPINS = 2000, // pauses before a worker sleeps, some 50 µs
    CALLER_SPINS = 2000, // pauses before the caller gives its core to a worker that is late
    RANGES_A_THREAD = 8, // so that uneven tasks spread
};

// pool->gate: the number of the run, whether it takes workers, and how many are in.
#define GATE_RUN ((uint64_t)1 << 17)
#define GATE_OPEN ((uint64_t)1 << 16)
#define GATE_INSIDE (GATE_OPEN - 1)

// Ranges that a thread still has to take: first << 32 | end.
typedef struct part {
    _Alignas(64) _Atomic uint64_t left;
} part;

typedef struct worker {
    tct_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct tct_pool {
    int threads;
    worker *workers; // threads - 1
    void **scratch;  // one a thread
    uint64_t scratch_bytes;
    void *shared;
    uint64_t shared_bytes;
    bool lent;           // scratch and shared are the caller's
    tct_pool_work *work; // NULL: nobody watches
    // The run; written by the caller while the gate is shut and nobody inside.
    tct_task_fn task;
    void *ctx;
    int64_t n, range;
    bool near;
    part *parts; // one a thread
    _Alignas(64) _Atomic int64_t next;
    _Alignas(64) _Atomic uint64_t gate;
    _Alignas(64) _Atomic uint32_t bell; // counts runs; what workers sleep on
    _Atomic uint32_t sleepers;
    _Atomic bool stop;
};

static void sleep_on(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static void pause_briefly(void) { __builtin_ia32_pause(); }

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void note(tct_pool_work *w, uint64_t begin, int64_t tasks) {
    if (!tasks) return;
    w->end = now();
    if (!w->tasks) w->begin = begin;
    w->busy += w->end - begin;
    w->tasks += tasks;
}

// The first range of a part, or the last; -1 when there is none.
static int64_t take(part *x, bool last) {
    uint64_t left = atomic_load_explicit(&x->left, memory_order_relaxed);
    for (;;) {
        uint64_t first = left >> 32, end = left & UINT32_MAX;
        if (first >= end) return -1;
        uint64_t then = last ? left - 1 : left + ((uint64_t)1 << 32);
        if (atomic_compare_exchange_weak_explicit(&x->left, &left, then, memory_order_relaxed,
                                                  memory_order_relaxed))
            return (int64_t)(last ? end - 1 : first);
    }
}

// Where the thread's next range begins; n or more when there is none.
static int64_t next_begin(tct_pool *p, int thread) {
    if (!p->near) return atomic_fetch_add_explicit(&p->next, p->range, memory_order_relaxed);
    int64_t range = -1;
    for (int i = 0; i < p->threads && range < 0; i++)
        range = take(&p->parts[(thread + i) % p->threads], i > 0);
    return range < 0 ? p->n : range * p->range;
}

static void take_ranges(tct_pool *p, int thread) {
    tct_pool_work *work = p->work;
    uint64_t start = work ? now() : 0;
    int64_t done = 0;
    for (;;) {
        int64_t begin = next_begin(p, thread);
        if (begin >= p->n) break;
        int64_t end = p->n - begin < p->range ? p->n : begin + p->range;
        p->task(p->ctx, begin, end, thread);
        done += end - begin;
    }
    if (work) note(&work[thread], start, done);
}

static bool enter(tct_pool *p) {
    uint64_t gate = atomic_load(&p->gate);
    while (gate & GATE_OPEN)
        if (atomic_compare_exchange_weak(&p->gate, &gate, gate + 1)) return true;
    return false;
}

// Returns when the bell has moved on from `seen`.
static uint32_t await_bell(tct_pool *p, uint32_t seen) {
    for (int spin = 0; spin < WORKER_SPINS; spin++) {
        uint32_t now = atomic_load_explicit(&p->bell, memory_order_acquire);
        if (now != seen) return now;
        pause_briefly();
    }
    atomic_fetch_add(&p->sleepers, 1);
    uint32_t now;
    while ((now = atomic_load(&p->bell)) == seen) sleep_on(&p->bell, seen);
    atomic_fetch_sub(&p->sleepers, 1);
    return now;
}

static void *work(void *arg) {
    worker *w = arg;
    tct_pool *p = w->pool;
    uint32_t seen = 0;
    for (;;) {
        seen = await_bell(p, seen);
        if (atomic_load(&p->stop)) return NULL;
        if (!enter(p)) continue;
        take_ranges(p, w->index);
        atomic_fetch_sub(&p->gate, 1);
    }
}

static void ring(tct_pool *p) {
    atomic_fetch_add(&p->bell, 1);
    if (atomic_load(&p->sleepers)) wake_all(&p->bell);
}

int tct_pool_cores(void) {
    cpu_set_t mine;
    return sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
}

tct_pool *tct_pool_new(int threads) {
    if (threads == 0) threads = tct_pool_cores();
    assert(threads >= 1);
    tct_pool *p = tct_try_alloc(sizeof *p, 64);
    if (!p) tct_out_of_memory(sizeof *p);
    p->workers = tct_alloc((size_t)threads * sizeof *p->workers);
    p->scratch = tct_alloc((size_t)threads * sizeof *p->scratch);
    p->parts = tct_try_alloc((size_t)threads * sizeof *p->parts, sizeof *p->parts);
    if (!p->parts) tct_out_of_memory((size_t)threads * sizeof *p->parts);
    // A system that gives fewer threads than asked for makes a smaller pool: results don't depend on it.
    for (p->threads = 1; p->threads < threads; p->threads++) {
        worker *w = &p->workers[p->threads - 1];
        *w = (worker){.pool = p, .index = p->threads};
        if (pthread_create(&w->thread, NULL, work, w) != 0) break;
    }
    return p;
}

void tct_pool_free(tct_pool *p) {
    if (!p) return;
    atomic_store(&p->stop, true);
    ring(p);
    for (int i = 0; i + 1 < p->threads; i++) pthread_join(p->workers[i].thread, NULL);
    for (int i = 0; i < p->threads && !p->lent; i++) free(p->scratch[i]);
    if (!p->lent) free(p->shared);
    free(p->scratch);
    free(p->parts);
    free(p->workers);
    free(p);
}

int tct_pool_threads(const tct_pool *p) { return p->threads; }

// All of it by the caller, where that is as good.
static bool run_alone(tct_pool *p, int64_t n, tct_task_fn task, void *ctx) {
    if (p->threads > 1 && n > 1) return false;
    if (n <= 0) return true;
    uint64_t start = p->work ? now() : 0;
    task(ctx, 0, n, 0);
    if (p->work) note(p->work, start, n);
    return true;
}

static void run_together(tct_pool *p, int64_t n, tct_task_fn task, void *ctx) {
    p->task = task;
    p->ctx = ctx;
    p->n = n;
    atomic_fetch_add(&p->gate, GATE_RUN | GATE_OPEN);
    ring(p);
    take_ranges(p, 0);
    atomic_fetch_and(&p->gate, ~GATE_OPEN);
    for (int spin = 0; atomic_load_explicit(&p->gate, memory_order_acquire) & GATE_INSIDE; spin++) {
        if (spin < CALLER_SPINS)
            pause_briefly();
        else
            sched_yield();
    }
}

void tct_pool_run(tct_pool *p, int64_t n, tct_task_fn task, void *ctx) {
    if (run_alone(p, n, task, ctx)) return;
    p->near = false;
    p->range = n / ((int64_t)p->threads * RANGES_A_THREAD);
    if (p->range < 1) p->range = 1;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    run_together(p, n, task, ctx);
}

// More tasks than half a word can count go in ranges.
static int64_t near_range(int64_t n) { return n / UINT32_MAX + 1; }

static int64_t near_end(const tct_pool *p, int64_t n, int64_t thread) {
    int64_t range = near_range(n), ranges = (n + range - 1) / range, threads = p->threads;
    return ranges / threads * (thread + 1) + ranges % threads * (thread + 1) / threads;
}

int64_t tct_pool_part_end(const tct_pool *p, int64_t n, int thread) {
    int64_t end = near_end(p, n, thread) * near_range(n);
    return end < n ? end : n;
}

void tct_pool_run_near(tct_pool *p, int64_t n, tct_task_fn task, void *ctx) {
    if (run_alone(p, n, task, ctx)) return;
    p->near = true;
    p->range = near_range(n);
    for (int64_t i = 0; i < p->threads; i++) {
        uint64_t begin = (uint64_t)near_end(p, n, i - 1), end = (uint64_t)near_end(p, n, i);
        atomic_store_explicit(&p->parts[i].left, begin << 32 | end, memory_order_relaxed);
    }
    run_together(p, n, task, ctx);
}

void tct_pool_watch(tct_pool *p, tct_pool_work *work) { p->work = work; }

void tct_pool_reserve_scratch(tct_pool *p, uint64_t bytes) {
    if (bytes <= p->scratch_bytes) return;
    assert(!p->lent);
    for (int i = 0; i < p->threads; i++) {
        free(p->scratch[i]);
        p->scratch[i] = tct_try_alloc(bytes, 64);
        if (!p->scratch[i]) tct_out_of_memory(bytes);
    }
    p->scratch_bytes = bytes;
}

void tct_pool_lend(tct_pool *p, void *memory, uint64_t scratch_bytes, uint64_t shared_bytes) {
    assert(!p->scratch_bytes && !p->shared_bytes && scratch_bytes % 64 == 0);
    p->lent = true;
    p->scratch_bytes = scratch_bytes;
    p->shared_bytes = shared_bytes;
    for (int i = 0; i < p->threads; i++) p->scratch[i] = (char *)memory + (uint64_t)i * scratch_bytes;
    p->shared = (char *)memory + (uint64_t)p->threads * scratch_bytes;
}

void *tct_pool_scratch(tct_pool *p, int thread) { return p->scratch[thread]; }

void *tct_pool_shared(tct_pool *p, uint64_t bytes) {
    if (bytes > p->shared_bytes) {
        assert(!p->lent);
        free(p->shared);
        p->shared = tct_try_alloc(bytes, 64);
        if (!p->shared) tct_out_of_memory(bytes);
        p->shared_bytes = bytes;
    }
    return p->shared;
}
