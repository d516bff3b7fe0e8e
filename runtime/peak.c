#include "runtime/peak.h"

#include "base/arena.h"

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// --- Multiply-adds ---

// Independent sums: more than latency × ports, and no more than there are registers.
enum { CHAINS = 12, CHAINS_WIDE = 24 };
#define EACH4(X, fuse, i) X(i##0, fuse) X(i##1, fuse) X(i##2, fuse) X(i##3, fuse)
#define EACH(X, fuse) EACH4(X, fuse, 1) EACH4(X, fuse, 2) EACH4(X, fuse, 3)
#define EACH_WIDE(X, fuse) EACH(X, fuse) EACH4(X, fuse, 4) EACH4(X, fuse, 5) EACH4(X, fuse, 6)

#define START(i, fuse) vector s##i = factor + (float)i;
#define FUSE(i, fuse) s##i = fuse(s##i, factor, factor);
#define JOIN(i, fuse) factor += s##i;
// The factor comes from memory, so that nothing can be known of it.
#define LOOP(name, target, type, each, fuse)                                                                 \
    target static void name(int64_t turns, void *sink) {                                                     \
        typedef type vector;                                                                                 \
        vector factor;                                                                                       \
        memcpy(&factor, sink, sizeof factor);                                                                \
        each(START, fuse);                                                                                   \
        for (; turns > 0; turns--) {                                                                         \
            each(FUSE, fuse);                                                                                \
        }                                                                                                    \
        each(JOIN, fuse);                                                                                    \
        memcpy(sink, &factor, sizeof factor);                                                                \
    }
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f")))
#define TWO_STEPS(a, b, c) ((a) * (b) + (c))

LOOP(base_f32, , __m128, EACH, TWO_STEPS)
LOOP(base_f64, , __m128d, EACH, TWO_STEPS)
LOOP(avx2_f32, AVX2, __m256, EACH, _mm256_fmadd_ps)
LOOP(avx2_f64, AVX2, __m256d, EACH, _mm256_fmadd_pd)
LOOP(avx512_f32, AVX512, __m512, EACH_WIDE, _mm512_fmadd_ps)
LOOP(avx512_f64, AVX512, __m512d, EACH_WIDE, _mm512_fmadd_pd)
#define AVX512BF16 __attribute__((target("avx512f,avx512bf16")))
#define ADD_PAIRS(sum, x, y) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(y))
LOOP(avx512_bf16, AVX512BF16, __m512, EACH_WIDE, ADD_PAIRS)

enum { TILE_SUMS = 4, TILE_FLOPS = 2 * 16 * 16 * 32 };

// The compiler doesn't know what a configuration reads, hence the fence.
__attribute__((target("amx-tile,amx-bf16"))) static void tiles_bf16(int64_t turns, void *sink) {
    (void)sink;
    enum { PALETTE = 1, ROWS = 16, ROW_BYTES = 64, N_TILES = 8 };
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = PALETTE};
    for (int i = 0; i < N_TILES; i++) {
        config.row_bytes[i] = ROW_BYTES;
        config.rows[i] = ROWS;
    }
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (; turns > 0; turns--) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
}

bool tct_peak_has(tct_isa isa, tct_dtype dtype) {
    return dtype == TCT_F32 || dtype == TCT_F64 || (dtype == TCT_BF16 && isa >= TCT_ISA_AVX512BF16);
}

tct_peak_fn tct_peak_loop(tct_isa isa, tct_dtype dtype) {
    bool f64 = dtype == TCT_F64;
    if (dtype == TCT_BF16) return isa >= TCT_ISA_AMX ? tiles_bf16 : avx512_bf16;
    if (isa >= TCT_ISA_AVX512) return f64 ? avx512_f64 : avx512_f32;
    if (isa >= TCT_ISA_AVX2) return f64 ? avx2_f64 : avx2_f32;
    return f64 ? base_f64 : base_f32;
}

double tct_peak_flops(tct_isa isa, tct_dtype dtype) {
    if (dtype == TCT_BF16) return isa >= TCT_ISA_AMX ? TILE_SUMS * TILE_FLOPS : CHAINS_WIDE * 64;
    int bytes = isa >= TCT_ISA_AVX512 ? 64 : isa >= TCT_ISA_AVX2 ? 32 : 16;
    return 2.0 * (isa >= TCT_ISA_AVX512 ? CHAINS_WIDE : CHAINS) * bytes / (dtype == TCT_F64 ? 8 : 4);
}

// --- Moving bytes ---

// a = b + factor * c, in whole vectors.
#define TRIAD(name, target, type)                                                                            \
    target static void name(void *a, const void *b, const void *c, int64_t bytes) {                          \
        type *out = a;                                                                                       \
        const type *x = b, *y = c;                                                                           \
        int64_t n = bytes / (int64_t)sizeof(type);                                                           \
        for (int64_t i = 0; i < n; i++) out[i] = x[i] + 0.5F * y[i];                                         \
    }
TRIAD(triad_base, , __m128)
TRIAD(triad_avx2, AVX2, __m256)
TRIAD(triad_avx512, AVX512, __m512)

// The same past the caches: a vector that is stored in the ordinary way is read before. What comes is asked
// for ahead, since the hardware's own prefetching ends with a page.
enum { AHEAD = 2048, LINE = 64 };
#define TRIAD_PAST(name, target, type, load, store)                                                          \
    target static void name(void *a, const void *b, const void *c, int64_t bytes) {                          \
        char *out = a;                                                                                       \
        const char *x = b, *y = c;                                                                           \
        for (int64_t i = 0; i < bytes; i += LINE) {                                                          \
            _mm_prefetch(x + i + AHEAD, _MM_HINT_T0);                                                        \
            _mm_prefetch(y + i + AHEAD, _MM_HINT_T0);                                                        \
            for (int64_t k = i; k < i + LINE; k += (int64_t)sizeof(type)) {                                  \
                type sum = load((const float *)(x + k)) + 0.5F * load((const float *)(y + k));               \
                store((float *)(out + k), sum);                                                              \
            }                                                                                                \
        }                                                                                                    \
        _mm_sfence();                                                                                        \
    }
TRIAD_PAST(triad_past_base, , __m128, _mm_load_ps, _mm_stream_ps)
TRIAD_PAST(triad_past_avx2, AVX2, __m256, _mm256_load_ps, _mm256_stream_ps)
TRIAD_PAST(triad_past_avx512, AVX512, __m512, _mm512_load_ps, _mm512_stream_ps)

typedef void (*triad_fn)(void *a, const void *b, const void *c, int64_t bytes);

static triad_fn triad_of(tct_isa isa, bool past) {
    if (isa >= TCT_ISA_AVX512) return past ? triad_past_avx512 : triad_avx512;
    if (isa >= TCT_ISA_AVX2) return past ? triad_past_avx2 : triad_avx2;
    return past ? triad_past_base : triad_base;
}

// The sum of whole groups of vectors.
#define READ(name, target, type)                                                                             \
    target static float name(const void *from, int64_t bytes) {                                              \
        const type *x = from;                                                                                \
        type s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};                                                         \
        for (int64_t n = bytes / (int64_t)sizeof(type); n >= 4; n -= 4, x += 4)                              \
            s0 += x[0], s1 += x[1], s2 += x[2], s3 += x[3];                                                  \
        s0 += s1 + s2 + s3;                                                                                  \
        return s0[0];                                                                                        \
    }
READ(read_base, , __m128)
READ(read_avx2, AVX2, __m256)
READ(read_avx512, AVX512, __m512)

typedef float (*read_fn)(const void *from, int64_t bytes);

static read_fn read_of(tct_isa isa) {
    return isa >= TCT_ISA_AVX512 ? read_avx512 : isa >= TCT_ISA_AVX2 ? read_avx2 : read_base;
}

// --- Measuring ---

enum {
    ROUNDS = 5,          // the best of
    TURNS = 20000,       // of the loop, a task
    TASKS_A_THREAD = 8,  // so that a thread that is held up gives some away
    CACHE_PART = 1 << 16 // bytes of one of a task's three arrays
};
static const int64_t large_part = INT64_C(1) << 20, large_parts = 32;
static const double seconds_a_round = 0.008;

typedef struct measuring {
    tct_peak_fn loop;
    triad_fn triad;
    unsigned char *memory; // three arrays of `parts` parts
    int64_t part, parts;
    read_fn read;
    _Atomic float sum; // so that reading has a use
} measuring;

static void run_loop(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    _Alignas(64) double sink[8] = {0};
    for (int64_t i = begin; i < end; i++) ((const measuring *)ctx)->loop(TURNS, sink);
}

// The triad over three arrays, then what lies behind them is read.
static void run_moving(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    measuring *m = ctx;
    int64_t array = m->part * m->parts;
    for (int64_t i = begin; i < end; i++) {
        unsigned char *a = m->memory + i * m->part;
        if (i < m->parts)
            m->triad(a, a + array, a + 2 * array, m->part);
        else
            m->sum = m->read(a + 2 * array, m->part);
    }
}

// A thread keeps to one part, which stays in its caches.
static void run_triad_again(void *ctx, int64_t begin, int64_t end, int thread) {
    const measuring *m = ctx;
    unsigned char *a = m->memory + thread * 3 * m->part;
    for (int64_t i = begin; i < end; i++)
        for (int turn = 0; turn < 64; turn++) m->triad(a, a + m->part, a + 2 * m->part, m->part);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct reading {
    read_fn read;
    const void *const *blocks;
    const uint64_t *bytes;
    _Atomic float sum; // so that reading has a use
} reading;

static int64_t parts_of(uint64_t bytes) { return (int64_t)(bytes + (uint64_t)large_part - 1) / large_part; }

static void run_read(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    reading *r = ctx;
    for (int64_t t = begin; t < end; t++) {
        int64_t part = t, block = 0;
        for (; part >= parts_of(r->bytes[block]); block++) part -= parts_of(r->bytes[block]);
        int64_t left = (int64_t)r->bytes[block] - part * large_part;
        r->sum = r->read((const char *)r->blocks[block] + part * large_part,
                         left < large_part ? left : large_part);
    }
}

void tct_peak_read(tct_pool *pool, tct_isa isa, const void *const *blocks, const uint64_t *bytes, size_t n) {
    reading r = {.read = read_of(isa), .blocks = blocks, .bytes = bytes};
    int64_t parts = 0;
    for (size_t i = 0; i < n; i++) parts += parts_of(bytes[i]);
    tct_pool_run(pool, parts, run_read, &r);
}

// Tasks a second, the best of some rounds.
static double tasks_a_second(tct_pool *pool, int64_t tasks, tct_task_fn task, measuring *m) {
    double best = 0;
    tct_pool_run(pool, tasks, task, m); // warm
    for (int round = 0; round < ROUNDS; round++) {
        int64_t done = 0;
        double start = now(), seconds;
        do {
            tct_pool_run(pool, tasks, task, m);
            done += tasks;
        } while ((seconds = now() - start) < seconds_a_round);
        if ((double)done / seconds > best) best = (double)done / seconds;
    }
    return best;
}

double tct_peak_memory_rate(tct_pool *pool, tct_isa isa, void *memory, uint64_t in, uint64_t out) {
    uint64_t third = in > 2 * out ? out : (in + out) / 3, part = (uint64_t)large_part;
    measuring m = {.memory = memory, .part = large_part, .read = read_of(isa)};
    m.parts = (int64_t)(third / part);
    int64_t rest = (int64_t)((in + out) / part) - 3 * m.parts;
    if (in <= 2 * out) rest = 0;
    double best = 0;
    for (int past = 0; past < 2 && m.parts + rest > 0; past++) {
        m.triad = triad_of(isa, past);
        double share = (double)(3 * m.parts + rest) / (double)(m.parts + rest);
        double rate = tasks_a_second(pool, m.parts + rest, run_moving, &m) * share * (double)part;
        if (rate > best) best = rate;
    }
    return best;
}

// Bytes of a core's own caches, as the system tells.
static uint64_t own_cache(void) {
    long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? (uint64_t)bytes : UINT64_C(1) << 20;
}

static bool take_memory(tct_diag *d, int threads, measuring *m) {
    int64_t own = 3 * (int64_t)CACHE_PART * threads, bytes = 3 * large_part * large_parts;
    m->memory = tct_try_alloc((size_t)(bytes > own ? bytes : own), 64);
    return m->memory || tct_error(d, "E0801", TCT_NO_SPAN, "no memory to measure the machine's speed with");
}

bool tct_peak_measure(tct_diag *d, tct_pool *pool, tct_isa isa, tct_peak *out) {
    int threads = tct_pool_threads(pool);
    *out = (tct_peak){.isa = isa, .threads = threads, .cache_bytes = own_cache() * (uint64_t)threads};
    measuring m = {0};
    if (!take_memory(d, threads, &m)) return false;
    int64_t tasks = (int64_t)threads * TASKS_A_THREAD;
    m.loop = tct_peak_loop(isa, TCT_F32);
    out->f32 = tasks_a_second(pool, tasks, run_loop, &m) * TURNS * tct_peak_flops(isa, TCT_F32);
    m.loop = tct_peak_loop(isa, TCT_F64);
    out->f64 = tasks_a_second(pool, tasks, run_loop, &m) * TURNS * tct_peak_flops(isa, TCT_F64);
    out->bf16 = out->f32;
    if (tct_peak_has(isa, TCT_BF16)) {
        m.loop = tct_peak_loop(isa, TCT_BF16);
        out->bf16 = tasks_a_second(pool, tasks, run_loop, &m) * TURNS * tct_peak_flops(isa, TCT_BF16);
    }
    uint64_t array = (uint64_t)(large_part * large_parts);
    out->memory = tct_peak_memory_rate(pool, isa, m.memory, 2 * array, array);
    m.part = CACHE_PART;
    m.triad = triad_of(isa, false);
    out->cache = tasks_a_second(pool, tasks, run_triad_again, &m) * 64 * 3 * CACHE_PART;
    free(m.memory);
    return true;
}

void tct_peak_assume(tct_isa isa, int threads, tct_peak *out) {
    double f32 = isa >= TCT_ISA_AVX2 ? 96e9 : 24e9;
    *out = (tct_peak){.isa = isa,
                      .threads = threads,
                      .f32 = threads * f32,
                      .f64 = threads * f32 / 2,
                      .bf16 = threads * f32,
                      .memory = (threads < 4 ? threads : 4) * 10e9,
                      .cache = threads * 50e9,
                      .cache_bytes = (uint64_t)threads << 20};
}

double tct_peak_seconds(const tct_peak *peak, tct_dtype dtype, double flops, double bytes, tct_limit *limit) {
    bool cached = bytes <= (double)peak->cache_bytes;
    double compute = flops / (dtype == TCT_F64 ? peak->f64 : dtype == TCT_BF16 ? peak->bf16 : peak->f32);
    double moving = bytes / (cached ? peak->cache : peak->memory);
    *limit = compute >= moving ? TCT_LIMIT_COMPUTE : cached ? TCT_LIMIT_CACHE : TCT_LIMIT_MEMORY;
    return compute >= moving ? compute : moving;
}

const char *tct_limit_name(tct_limit limit) {
    static const char *const names[] = {"compute", "memory", "cache"};
    return names[limit];
}
