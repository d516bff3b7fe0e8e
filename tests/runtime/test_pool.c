// The thread pool: every task once, whatever the sizes, in runs back to back and after pauses.
#include "runtime/pool.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MAX_TASKS = 5000 };

typedef struct counts {
    _Atomic int seen[MAX_TASKS];
    _Atomic int threads_inside;
    int max_thread;
    tct_pool *pool;
} counts;

static void count(void *ctx, int64_t begin, int64_t end, int thread) {
    counts *c = ctx;
    assert_in_range(thread, 0, c->max_thread);
    char *scratch = tct_pool_scratch(c->pool, thread);
    for (int64_t i = begin; i < end; i++) {
        atomic_fetch_add(&c->seen[i], 1);
        memset(scratch, (int)i, 64); // private: a race here is what the sanitizers look for
    }
}

typedef void (*run_fn)(tct_pool *pool, int64_t n, tct_task_fn task, void *ctx);

static void check_run(tct_pool *pool, run_fn run, int64_t n) {
    counts *c = calloc(1, sizeof *c);
    c->pool = pool;
    c->max_thread = tct_pool_threads(pool) - 1;
    run(pool, n, count, c);
    for (int64_t i = 0; i < n; i++) assert_int_equal(c->seen[i], 1);
    for (int64_t i = n; i < MAX_TASKS; i++) assert_int_equal(c->seen[i], 0);
    free(c);
}

static void test_every_task_once(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 16, 17, 100, 4999};
    for (int threads = 1; threads <= 7; threads += 2) {
        tct_pool *pool = tct_pool_new(threads);
        assert_int_equal(tct_pool_threads(pool), threads);
        tct_pool_reserve_scratch(pool, 64);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            check_run(pool, tct_pool_run, sizes[i]);
            check_run(pool, tct_pool_run_near, sizes[i]);
        }
        tct_pool_free(pool);
    }
}

// The parts that threads begin with lie beside each other and are all of it.
static void test_parts(void **state) {
    (void)state;
    tct_pool *pool = tct_pool_new(3);
    static const int64_t sizes[] = {0, 1, 2, 3, 100, ((int64_t)1 << 40) + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t begin = 0;
        for (int t = 0; t < tct_pool_threads(pool); t++) {
            int64_t end = tct_pool_part_end(pool, sizes[i], t);
            assert_in_range(end - begin, sizes[i] / 3 - sizes[i] / 1000000,
                            sizes[i] / 3 + sizes[i] / 1000000 + 1);
            begin = end;
        }
        assert_int_equal(begin, sizes[i]);
    }
    tct_pool_free(pool);
}

// A thread whose part is done helps the others: nobody waits for tasks that only one was given.
static void stall(void *ctx, int64_t begin, int64_t end, int thread) {
    counts *c = ctx;
    count(ctx, begin, end, thread);
    // The first task ends when all others have run, so somebody else must have taken those of its part.
    for (int64_t i = begin; i < end; i++)
        for (int64_t other = 1; i == 0 && other < MAX_TASKS / 100; other++)
            while (!c->seen[other]) sched_yield();
}

static void test_helping(void **state) {
    (void)state;
    tct_pool *pool = tct_pool_new(2);
    tct_pool_reserve_scratch(pool, 64);
    counts *c = calloc(1, sizeof *c);
    c->pool = pool;
    c->max_thread = 1;
    if (tct_pool_threads(pool) == 2) tct_pool_run_near(pool, MAX_TASKS / 100, stall, c);
    free(c);
    tct_pool_free(pool);
}

static void add(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    atomic_fetch_add((_Atomic int64_t *)ctx, end - begin);
}

// Every task is counted for the thread that ran it, while somebody watches.
static void test_watched(void **state) {
    (void)state;
    tct_pool *pool = tct_pool_new(3);
    tct_pool_work work[3] = {0};
    _Atomic int64_t sum = 0;
    tct_pool_watch(pool, work);
    for (int run = 0; run < 50; run++) tct_pool_run(pool, 1 + 7 * run, add, &sum);
    int64_t tasks = 0;
    for (int i = 0; i < 3; i++) {
        tasks += work[i].tasks;
        if (work[i].tasks)
            assert_true(work[i].begin < work[i].end && work[i].busy <= work[i].end - work[i].begin);
    }
    assert_int_equal(tasks, sum);
    tct_pool_watch(pool, NULL);
    tct_pool_run(pool, 100, add, &sum);
    for (int i = 0; i < 3; i++) tasks -= work[i].tasks;
    assert_int_equal(tasks, 0);
    tct_pool_free(pool);
}

static void test_many_short_runs(void **state) {
    (void)state;
    tct_pool *pool = tct_pool_new(3);
    _Atomic int64_t sum = 0;
    int64_t expected = 0;
    for (int64_t i = 0; i < 20000; i++) {
        tct_pool_run(pool, i % 50, add, &sum);
        expected += i % 50;
        assert_int_equal(sum, expected); // all of a run is done when it returns
    }
    tct_pool_free(pool);
}

static void test_runs_after_sleep(void **state) {
    (void)state;
    tct_pool *pool = tct_pool_new(4);
    _Atomic int64_t sum = 0;
    for (int i = 0; i < 20; i++) {
        nanosleep(&(struct timespec){0, 3000000}, NULL); // long enough for the workers to sleep
        tct_pool_run(pool, 1000, add, &sum);
    }
    assert_int_equal(sum, 20000);
    tct_pool_free(pool);
}

static void test_scratch_grows(void **state) {
    (void)state;
    tct_pool *pool = tct_pool_new(2);
    for (uint64_t bytes = 1; bytes < 1 << 22; bytes *= 8) {
        tct_pool_reserve_scratch(pool, bytes);
        for (int t = 0; t < 2; t++) {
            unsigned char *p = tct_pool_scratch(pool, t);
            assert_int_equal((uintptr_t)p % 64, 0);
            memset(p, 1, bytes);
        }
        unsigned char *shared = tct_pool_shared(pool, bytes);
        assert_int_equal((uintptr_t)shared % 64, 0);
        memset(shared, 2, bytes);
    }
    tct_pool_free(pool);
}

static void test_default_threads(void **state) {
    (void)state;
    tct_pool *pool = tct_pool_new(0);
    assert_true(tct_pool_threads(pool) >= 1);
    tct_pool_free(pool);
    tct_pool_free(NULL);
}

// Memory of the caller's: each thread's part, then what they share, and nothing of it is freed.
static void test_lent_memory(void **state) {
    (void)state;
    enum { THREADS = 3, SCRATCH = 128, SHARED = 256 };
    static _Alignas(64) char memory[THREADS * SCRATCH + SHARED];
    assert_true(tct_pool_cores() >= 1);
    tct_pool *pool = tct_pool_new(THREADS);
    tct_pool_lend(pool, memory, SCRATCH, SHARED);
    tct_pool_reserve_scratch(pool, SCRATCH);
    for (int i = 0; i < tct_pool_threads(pool); i++)
        assert_ptr_equal(tct_pool_scratch(pool, i), memory + i * SCRATCH);
    assert_ptr_equal(tct_pool_shared(pool, SHARED), memory + tct_pool_threads(pool) * SCRATCH);
    tct_pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_helping),         cmocka_unit_test(test_watched),
        cmocka_unit_test(test_many_short_runs), cmocka_unit_test(test_runs_after_sleep),
        cmocka_unit_test(test_scratch_grows),   cmocka_unit_test(test_default_threads),
        cmocka_unit_test(test_lent_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
