// Products with factors in bf16, or of f32 in pieces of it, against a naive one in double: every kind of
// factor, all layouts, odd and empty sizes, several axes a side, every instruction set that this machine
// runs, and the same bits for any number of threads.
#include "base/diag.h"
#include "runtime/plan_verify.h"
#include "tests/codegen/gemm_problem.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_CACHED = 2048, POOLS = 3 };

// One session: kernels compiled so far, by symbol.
typedef struct session {
    tct_diag d;
    tct_jit *jit;
    char symbols[MAX_CACHED][TCT_GEMM_SYMBOL];
    void *functions[MAX_CACHED];
    size_t n;
    tct_pool *pool[POOLS];
} session;

static int open_session(void **state) {
    static const int threads[POOLS] = {1, 2, 5};
    session *s = calloc(1, sizeof *s);
    s->jit = tct_jit_new(&s->d);
    for (int i = 0; i < POOLS; i++) s->pool[i] = tct_pool_new(threads[i]);
    *state = s;
    return s->jit ? 0 : -1;
}

static int close_session(void **state) {
    session *s = *state;
    for (int i = 0; i < POOLS; i++) tct_pool_free(s->pool[i]);
    tct_jit_free(s->jit);
    tct_diag_free(&s->d);
    free(s);
    return 0;
}

static void *find(session *s, const char *symbol) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->symbols[i], symbol) == 0) return s->functions[i];
    return NULL;
}

// Each kernel for the instruction set that its name says, as a compiler of plans does it.
static void compile_missing(session *s, const tct_gemm_plan *plan) {
    for (uint32_t i = 0; i < plan->n_kernels; i++) {
        if (find(s, plan->symbol[i])) continue;
        assert_true(s->n < MAX_CACHED);
        strcpy(s->symbols[s->n], plan->symbol[i]);
        tct_target target = tct_target_of(tct_gemm_symbol_isa(plan->symbol[i]));
        tct_unit unit = tct_gemm_unit(s->symbols[s->n]);
        tct_objects objects;
        assert_true(tct_units_compile(&s->d, &target, &unit, 1, 1, NULL, &objects));
        assert_true(tct_jit_add(&s->d, s->jit, &objects));
        s->functions[s->n] = tct_jit_lookup(&s->d, s->jit, unit.name);
        assert_non_null(s->functions[s->n++]);
    }
}

// A factor as it lies in memory, and the numbers that it stands for.
typedef struct factor {
    void *data;
    float *value;
    int64_t n;
} factor;

static int64_t span_of(const tct_gemm_problem *p, char which) {
    int64_t last = 0;
    for (uint32_t i = 0; i < p->n_axes; i++) {
        const tct_gemm_axis *x = &p->axes[i];
        bool in = which == 'a' ? x->in_a : which == 'b' ? x->in_b : x->in_c;
        int64_t stride = which == 'a' ? x->a : which == 'b' ? x->b : x->c;
        if (x->size == 0) return in ? 1 : last + 1;
        if (in) last += (x->size - 1) * stride;
    }
    return last + 1;
}

// Exactly as large as needed, so that a sanitizer sees what reads past it.
static factor factor_of(const tct_gemm_problem *p, char which, tct_gemm_factor kind, uint32_t *seed) {
    factor f = {.n = span_of(p, which)};
    size_t bytes = kind == TCT_FACTOR_I8 ? 1 : kind == TCT_FACTOR_BF16 ? 2 : 4;
    f.data = malloc((size_t)f.n * bytes);
    f.value = malloc((size_t)f.n * sizeof *f.value);
    for (int64_t i = 0; i < f.n; i++) {
        float x = (float)((double)(int32_t)next_random(seed) * 0x1p-31);
        tct_bf16 h = tct_f32_to_bf16(x);
        int8_t q = (int8_t)(x * 127);
        f.value[i] = kind == TCT_FACTOR_EXACT ? x : kind == TCT_FACTOR_I8 ? q : tct_bf16_to_f32(h);
        if (kind == TCT_FACTOR_I8)
            memcpy((char *)f.data + i, &q, sizeof q);
        else if (kind == TCT_FACTOR_BF16)
            memcpy((char *)f.data + i * 2, &h, sizeof h);
        else
            memcpy((char *)f.data + i * 4, &x, sizeof x);
    }
    return f;
}

static double summed(const tct_gemm_problem *p, uint32_t axis, const float *a, const float *b,
                     double *magnitude) {
    if (axis == p->n_axes) {
        *magnitude += fabs((double)*a * *b);
        return (double)*a * *b;
    }
    const tct_gemm_axis *x = &p->axes[axis];
    if (x->in_c) return summed(p, axis + 1, a, b, magnitude);
    double sum = 0;
    for (int64_t i = 0; i < x->size; i++)
        sum += summed(p, axis + 1, a + (x->in_a ? i * x->a : 0), b + (x->in_b ? i * x->b : 0), magnitude);
    return sum;
}

// Products of bf16 are exact in f32, so the error is that of the sums: k·ε·Σ|products|, twice that where
// pairs are added before they are rounded.
static void compare(const tct_gemm_problem *p, uint32_t axis, const float *a, const float *b,
                    const float *before, const float *c, double k) {
    if (axis == p->n_axes) {
        double magnitude = 0, expected = summed(p, 0, a, b, &magnitude);
        if (p->accumulate) {
            expected += (double)*before;
            magnitude += fabs(expected);
        }
        if (!(fabs((double)*c - expected) <= 2 * (k + 2) * 0x1p-24 * magnitude + 0x1p-100))
            fail_msg("%.9g, not %.9g", (double)*c, expected);
        return;
    }
    const tct_gemm_axis *x = &p->axes[axis];
    if (!x->in_c) {
        compare(p, axis + 1, a, b, before, c, k);
        return;
    }
    for (int64_t i = 0; i < x->size; i++)
        compare(p, axis + 1, a + (x->in_a ? i * x->a : 0), b + (x->in_b ? i * x->b : 0), before + i * x->c,
                c + i * x->c, k);
}

static bool paths_taken[TCT_GEMM_BF16 + 1];

typedef struct product {
    tct_gemm_plan plan;
    tct_plan_kernel kernels[TCT_GEMM_MAX_KERNELS];
} product;

static product prepare(session *s, tct_isa isa, const tct_gemm_problem *p) {
    tct_target target = tct_target_of(isa);
    product x;
    tct_gemm_plan_make(p, &target, &x.plan);
    compile_missing(s, &x.plan);
    for (uint32_t i = 0; i < x.plan.n_kernels; i++)
        x.kernels[i] = (tct_plan_kernel){x.plan.symbol[i], find(s, x.plan.symbol[i])};
    return x;
}

static void run(tct_pool *pool, const product *x, void *const *bufs) {
    tct_pool_reserve_scratch(pool, x->plan.scratch);
    memset(tct_pool_scratch(pool, 0), 0xFF, x->plan.scratch); // NaNs, where nothing is packed
    tct_gemm_run(pool, &x->plan.args, x->kernels, bufs, NULL);
}

static void check_problem(session *s, tct_isa isa, const tct_gemm_problem *p) {
    product x = prepare(s, isa, p);
    paths_taken[x.plan.args.path] = true;
    uint32_t seed = 7;
    factor a = factor_of(p, 'a', p->a, &seed), b = factor_of(p, 'b', p->b, &seed),
           c = factor_of(p, 'c', TCT_FACTOR_EXACT, &seed);
    size_t bytes = (size_t)c.n * sizeof(float);
    float *first = malloc(bytes), *result = malloc(bytes);
    for (int i = 0; i < POOLS; i++) {
        memcpy(result, c.data, bytes);
        void *bufs[] = {result, x.plan.swapped ? b.data : a.data, x.plan.swapped ? a.data : b.data};
        run(s->pool[i], &x, bufs);
        if (i == 0) {
            memcpy(first, result, bytes);
            compare(p, 0, a.value, b.value, c.value, result, (double)x.plan.args.k);
        } else {
            assert_memory_equal(first, result, bytes);
        }
    }
    free(a.data), free(a.value), free(b.data), free(b.value), free(c.data), free(c.value);
    free(first), free(result);
}

// C[batch, m, n] with each matrix stored straight or transposed.
static tct_gemm_problem matrices(const int64_t size[4], int form) {
    int64_t batch = size[0], m = size[1], n = size[2], k = size[3];
    bool ta = form & 1, tb = form & 2, tc = form & 4;
    return (tct_gemm_problem){
        .dtype = TCT_F32,
        .accumulate = form & 8,
        .n_axes = 4,
        .axes = {{batch, m * k, n * k, m * n, true, true, true},
                 {m, ta ? 1 : k, 0, tc ? 1 : n, true, false, true},
                 {n, 0, tb ? k : 1, tc ? m : 1, false, true, true},
                 {k, ta ? m : 1, tb ? 1 : n, 0, true, true, false}},
    };
}

// Kinds of A and B, of which one at least isn't exact.
static void choose_factors(tct_gemm_problem *p, int which) {
    static const tct_gemm_factor kinds[][2] = {
        {TCT_FACTOR_BF16, TCT_FACTOR_BF16},    {TCT_FACTOR_ROUNDED, TCT_FACTOR_BF16},
        {TCT_FACTOR_BF16, TCT_FACTOR_ROUNDED}, {TCT_FACTOR_ROUNDED, TCT_FACTOR_ROUNDED},
        {TCT_FACTOR_EXACT, TCT_FACTOR_BF16},   {TCT_FACTOR_ROUNDED, TCT_FACTOR_EXACT},
        {TCT_FACTOR_EXACT, TCT_FACTOR_I8},     {TCT_FACTOR_I8, TCT_FACTOR_EXACT},
        {TCT_FACTOR_I8, TCT_FACTOR_BF16},      {TCT_FACTOR_BF16, TCT_FACTOR_EXACT},
        {TCT_FACTOR_ROUNDED, TCT_FACTOR_I8},
    };
    size_t n = sizeof kinds / sizeof *kinds;
    p->a = kinds[(size_t)which % n][0];
    p->b = kinds[(size_t)which % n][1];
}

static void check_isa(session *s, tct_isa isa) {
    if (tct_isa_host() < isa) {
        print_message("this machine has no %s: skipped\n", tct_isa_name(isa));
        skip();
    }
    static const int64_t sizes[][4] = {
        {1, 1, 1, 1},    {1, 1, 1, 0},    {1, 0, 5, 3},      {1, 3, 0, 4},    {0, 3, 4, 5},
        {1, 5, 7, 0},    {1, 2, 3, 4},    {1, 7, 13, 11},    {1, 17, 31, 29}, {1, 64, 64, 64},
        {3, 64, 64, 64}, {2, 61, 67, 71}, {1, 101, 97, 9},   {1, 1, 100, 70}, {1, 33, 257, 33},
        {1, 97, 1, 53},  {1, 32, 32, 33}, {1, 37, 70, 1100},
    };
    int which = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 16; form++)
            for (int turn = 0; turn < 2; turn++) {
                tct_gemm_problem p = matrices(sizes[i], form);
                choose_factors(&p, which += 1 + turn);
                check_problem(s, isa, &p);
            }
    uint32_t seed = 1;
    for (int i = 0; i < 200; i++) {
        tct_gemm_problem p = random_problem(&seed, 32);
        choose_factors(&p, i);
        check_problem(s, isa, &p);
    }
}

// Few rows, and a narrow matrix that is contiguous along k or along n, of every size that a kernel treats in
// its own way: it is read as it lies.
static void check_streams(session *s, tct_isa isa) {
    static const int64_t sizes[][4] = {
        {1, 1, 300, 150}, {1, 1, 5003, 19}, {1, 1, 64, 777},  {2, 1, 130, 331},  {1, 2, 259, 173},
        {1, 4, 67, 541},  {1, 5, 257, 33},  {1, 8, 1300, 40}, {1, 16, 131, 259}, {1, 17, 70, 130},
        {1, 32, 97, 640}, {1, 63, 65, 300}, {1, 64, 33, 96},  {1, 64, 2600, 33},
    };
    memset(paths_taken, 0, sizeof paths_taken);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 16; form++)
            for (int kind = 0; kind < 2; kind++) {
                tct_gemm_problem p = matrices(sizes[i], form);
                p.b = kind ? TCT_FACTOR_I8 : TCT_FACTOR_BF16;
                check_problem(s, isa, &p);
            }
    assert_true(paths_taken[TCT_GEMM_DOTS] && paths_taken[TCT_GEMM_STREAM]);
}

static void test_streams(void **state) {
    for (int isa = TCT_ISA_BASE; isa <= (int)tct_isa_host(); isa++)
        if (isa != TCT_ISA_AVX512BF16) // as AVX512
            check_streams(*state, (tct_isa)isa);
}

static void test_base(void **state) { check_isa(*state, TCT_ISA_BASE); }
static void test_avx2(void **state) { check_isa(*state, TCT_ISA_AVX2); }
static void test_avx512(void **state) { check_isa(*state, TCT_ISA_AVX512); }
static void test_avx512bf16(void **state) { check_isa(*state, TCT_ISA_AVX512BF16); }
static void test_amx(void **state) { check_isa(*state, TCT_ISA_AMX); }

// Integers of an image that were changed don't get past the verifier.
typedef struct change {
    size_t at;
    int64_t value;
} change;

static void check_damage(const int64_t size[4], const change *changes, size_t n) {
    const uint64_t m = (uint64_t)size[1], columns = (uint64_t)size[2], k = (uint64_t)size[3],
                   bytes[4] = {m * columns * 4, m * k * 4, k * columns * 4};
    tct_gemm_problem p = matrices(size, 0);
    tct_target target = tct_target_of(TCT_ISA_AMX);
    tct_gemm_plan plan;
    tct_gemm_plan_make(&p, &target, &plan);
    tct_arena arena = {0};
    assert_null(tct_gemm_verify(&arena, &plan.args, bytes, plan.n_kernels, plan.scratch));
    for (size_t i = 0; i < n; i++) {
        tct_gemm_args g = plan.args;
        memcpy((char *)&g + changes[i].at, &changes[i].value, sizeof(int64_t));
        if (!tct_gemm_verify(&arena, &g, bytes, plan.n_kernels, plan.scratch))
            fail_msg("change %zu of %" PRId64 " rows is let through", i, size[1]);
    }
    tct_arena_free(&arena);
}

#define CHANGE(field, value) {offsetof(tct_gemm_args, field), value}

static void test_damage(void **state) {
    (void)state;
    static const change pieces[] = {
        CHANGE(pieces_a, 2),      CHANGE(pieces_a, 0), CHANGE(pieces_b, 4), CHANGE(pieces_b, -1),
        CHANGE(round_a, 1),       CHANGE(bytes_b, 2),  CHANGE(bytes_a, 3),  CHANGE(k_unit, 2),
        CHANGE(k_unit, 0),        CHANGE(kc, 100),     CHANGE(kc, 0),       CHANGE(kb, 100),
        CHANGE(mr, 24),           CHANGE(nr, 40),      CHANGE(nc, 600),     CHANGE(m, 131),
        CHANGE(ks, 100),          CHANGE(ks, 0),       CHANGE(shared_a, 1), CHANGE(feed_b, TCT_GEMM_DIRECT),
        CHANGE(element_bytes, 8),
    };
    check_damage((const int64_t[]){1, 200, 530, 300}, pieces, sizeof pieces / sizeof *pieces);
    static const change stream[] = {
        CHANGE(pieces_a, 2),
        CHANGE(pieces_a, 4),
        CHANGE(k_unit, 2),
        CHANGE(k_unit, 64),
        CHANGE(kc, 100),
        CHANGE(kc, 0),
        CHANGE(kc, -32),
        CHANGE(nr, 40),
        CHANGE(mr, 16),
        CHANGE(m, 33),
        CHANGE(bytes_a, 2),
        CHANGE(bytes_b, 8),
        CHANGE(shared_a, 1),
        CHANGE(apart, 0),
        CHANGE(nc, 500),
        CHANGE(element_bytes, 8),
        CHANGE(slot[TCT_GEMM_ENTER], -1),
        CHANGE(slot[TCT_GEMM_LEAVE], -1),
        CHANGE(feed_a, TCT_GEMM_DIRECT),
        CHANGE(feed_b, TCT_GEMM_COPIED),
        CHANGE(feed_b, TCT_GEMM_TURNED),
    };
    check_damage((const int64_t[]){1, 32, 1030, 1300}, stream, sizeof stream / sizeof *stream);
}

// What the planner makes, the verifier lets through: trainers carry such plans.
static void test_verified(void **state) {
    (void)state;
    static const int64_t rows[] = {1, 2, 8, 9, 16, 31, 63, 64, 65, 96, 128, 192, 257},
                         columns[] = {1, 16, 64, 97, 256, 384, 768, 1030, 3072},
                         steps[] = {1, 16, 32, 64, 100, 256, 768, 2100};
    enum { N_ROWS = sizeof rows / sizeof *rows, N_COLUMNS = sizeof columns / sizeof *columns };
    tct_arena arena = {0};
    for (tct_isa isa = TCT_ISA_BASE; isa <= TCT_ISA_AMX; isa++) {
        tct_target target = tct_target_of(isa);
        for (size_t i = 0; i < N_ROWS * N_COLUMNS * (sizeof steps / sizeof *steps); i++)
            for (int form = 0; form < 8; form++)
                for (int kind = -1; kind < 11; kind++) {
                    const int64_t m = rows[i % N_ROWS], n = columns[i / N_ROWS % N_COLUMNS],
                                  k = steps[i / N_ROWS / N_COLUMNS];
                    tct_gemm_problem p = matrices((const int64_t[]){1, m, n, k}, form);
                    if (kind >= 0) choose_factors(&p, kind);
                    tct_gemm_plan plan;
                    tct_gemm_plan_make(&p, &target, &plan);
                    tct_gemm_args *g = &plan.args;
                    const uint64_t bytes[4] = {(uint64_t)(m * n) * 4, (uint64_t)(g->m * k * g->bytes_a),
                                               (uint64_t)(g->n * k * g->bytes_b)};
                    const char *why = tct_gemm_verify(&arena, g, bytes, plan.n_kernels, plan.scratch);
                    if (why)
                        fail_msg("isa %d, %" PRId64 "x%" PRId64 "x%" PRId64 ", form %d, factors %d: %s", isa,
                                 m, n, k, form, kind, why);
                }
    }
    tct_arena_free(&arena);
}

// Large enough for pieces.
static void test_pieces(void **state) {
    session *s = *state;
    if (tct_isa_host() < TCT_ISA_AMX) {
        print_message("this machine has no amx: skipped\n");
        skip();
    }
    static const int64_t sizes[][4] = {{1, 192, 96, 32},  {1, 193, 97, 33},  {2, 192, 96, 70},
                                       {1, 200, 600, 40}, {1, 210, 530, 61}, {1, 97, 128, 300},
                                       {1, 65, 97, 2100}, {1, 128, 64, 128}, {1, 130, 64, 230}};
    tct_target target = tct_target_of(TCT_ISA_AMX);
    int in_pieces = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 16; form++) {
            tct_gemm_problem p = matrices(sizes[i], form);
            tct_gemm_plan plan;
            tct_gemm_plan_make(&p, &target, &plan);
            if (plan.args.path != TCT_GEMM_BF16) continue; // read where they lie
            assert_int_equal(plan.args.pieces_a * plan.args.pieces_b, 9);
            assert_int_equal(plan.args.ks < plan.args.k, sizes[i][3] > 2048); // in parts
            check_problem(s, TCT_ISA_AMX, &p);
            in_pieces++;
        }
    assert_in_range(in_pieces, 100, 130);
}

// Few rows, which tiles multiply with a B that is read as it lies.
static void test_few_rows(void **state) {
    session *s = *state;
    if (tct_isa_host() < TCT_ISA_AMX) {
        print_message("this machine has no amx: skipped\n");
        skip();
    }
    static const int64_t sizes[][4] = {{1, 9, 300, 150},   {1, 16, 131, 259}, {1, 17, 2070, 33},
                                       {1, 31, 520, 1200}, {2, 32, 130, 331}, {1, 33, 97, 640},
                                       {1, 48, 64, 1030},  {1, 63, 65, 700}};
    tct_target target = tct_target_of(TCT_ISA_AMX);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool in_tiles[2] = {false, false}; // along n, along k
        for (int form = 0; form < 16; form++) {
            tct_gemm_problem p = matrices(sizes[i], form);
            tct_gemm_plan plan;
            tct_gemm_plan_make(&p, &target, &plan);
            if (plan.args.path == TCT_GEMM_STREAM && plan.args.pieces_b == TCT_GEMM_PIECES)
                in_tiles[plan.args.feed_b == TCT_GEMM_TURNED] = true;
            check_problem(s, TCT_ISA_AMX, &p);
        }
        assert_true(in_tiles[0] && (in_tiles[1] || sizes[i][1] < 16));
    }
}

static void fill(float *x, size_t n, uint32_t *seed, int exponent) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)ldexp((double)(int32_t)next_random(seed), exponent + (int)(next_random(seed) >> 29));
}

static void multiply(session *s, tct_isa isa, const tct_gemm_problem *p, void *const *bufs) {
    product x = prepare(s, isa, p);
    assert_false(x.plan.swapped);
    run(s->pool[1], &x, bufs);
}

// The error of sums of products, relative to the sums of their magnitudes.
static double mean_error(const float *a, const float *b, const float *c, int64_t m, int64_t n, int64_t k) {
    double squares = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0, magnitude = 0;
            for (int64_t e = 0; e < k; e++) {
                double x = (double)a[i * k + e] * (double)b[e * n + j];
                sum += x;
                magnitude += fabs(x);
            }
            double error = ((double)c[i * n + j] - sum) / magnitude;
            squares += error * error;
        }
    return sqrt(squares / (double)(m * n));
}

// Pieces lose nothing that a chain of fused multiply-adds would keep, whatever the numbers' size.
static void check_accuracy(session *s, int64_t m) {
    enum { M = 192, N = 96, K = 768 };
    const int64_t size[4] = {1, m, N, K};
    tct_gemm_problem p = matrices(size, 0);
    float *a = malloc(M * K * sizeof *a), *b = malloc(K * N * sizeof *b), *c = malloc(M * N * sizeof *c);
    static const int exponents[][2] = {{-31, -31}, {-90, 30}, {50, -120}};
    uint32_t seed = 5;
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
        fill(a, M * K, &seed, exponents[i][0]);
        fill(b, K * N, &seed, exponents[i][1]);
        void *bufs[] = {c, a, b};
        multiply(s, TCT_ISA_AMX, &p, bufs);
        double pieces = mean_error(a, b, c, m, N, K);
        multiply(s, TCT_ISA_AVX512, &p, bufs);
        double fused = mean_error(a, b, c, m, N, K);
        if (!(pieces <= fused)) fail_msg("an error of %g, %g with fused multiply-adds", pieces, fused);
    }
    // What isn't finite stays so.
    fill(a, M * K, &seed, -31);
    fill(b, K * N, &seed, -31);
    a[3] = INFINITY, a[K + 7] = NAN, a[2 * K + 5] = -FLT_MAX;
    union {
        uint32_t bits;
        float x;
    } quiet = {.bits = 0x7fffffff};
    a[3 * K + 9] = quiet.x;
    void *bufs[] = {c, a, b};
    multiply(s, TCT_ISA_AMX, &p, bufs);
    for (int i = 0; i < N; i++) {
        assert_false(isfinite(c[i]));
        assert_true(isnan(c[N + i]));
        assert_false(isfinite(c[2 * N + i])); // too large for a piece
        assert_true(isnan(c[3 * N + i]));
        assert_true(isfinite(c[4 * N + i]));
    }
    free(a), free(b), free(c);
}

static void test_accuracy(void **state) {
    if (tct_isa_host() < TCT_ISA_AMX) {
        print_message("this machine has no amx: skipped\n");
        skip();
    }
    check_accuracy(*state, 192);
    check_accuracy(*state, 20);
}

// NaN and infinity come through rounding and products as IEEE has it.
static void test_special(void **state) {
    session *s = *state;
    const int64_t size[4] = {1, 3, 20, 40};
    tct_gemm_problem p = matrices(size, 0);
    choose_factors(&p, 3);
    float a[3 * 40], b[40 * 20], c[3 * 20];
    for (int i = 0; i < 3 * 40; i++) a[i] = 1;
    for (int i = 0; i < 40 * 20; i++) b[i] = 1;
    a[39] = INFINITY, a[40 + 7] = NAN;
    void *bufs[] = {c, a, b};
    multiply(s, tct_isa_host(), &p, bufs);
    for (int i = 0; i < 20; i++) {
        assert_true(isinf(c[i]) && c[i] > 0);
        assert_true(isnan(c[20 + i]));
        assert_true(c[40 + i] == 40);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amx),     cmocka_unit_test(test_avx512bf16), cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_avx2),    cmocka_unit_test(test_base),       cmocka_unit_test(test_streams),
        cmocka_unit_test(test_special), cmocka_unit_test(test_damage),     cmocka_unit_test(test_verified),
        cmocka_unit_test(test_pieces),  cmocka_unit_test(test_accuracy),   cmocka_unit_test(test_few_rows),
    };
    return cmocka_run_group_tests(tests, open_session, close_session);
}
