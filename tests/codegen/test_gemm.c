// Matrix products against a naive one in double: all layouts, odd and empty sizes, several axes a side,
// batches, every instruction set that this machine runs, and the same bits for any number of threads.
#include "base/diag.h"
#include "tests/codegen/gemm_problem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_CACHED = 4096 };

// One session: kernels compiled so far, by symbol.
typedef struct session {
    tct_diag d;
    tct_jit *jit;
    char symbols[MAX_CACHED][TCT_GEMM_SYMBOL];
    void *functions[MAX_CACHED];
    size_t n;
    tct_pool *pool[4];
} session;

static const int thread_counts[4] = {1, 2, 3, 7};

static int open_session(void **state) {
    session *s = calloc(1, sizeof *s);
    s->jit = tct_jit_new(&s->d);
    for (int i = 0; i < 4; i++) s->pool[i] = tct_pool_new(thread_counts[i]);
    *state = s;
    return s->jit ? 0 : -1;
}

static int close_session(void **state) {
    session *s = *state;
    for (int i = 0; i < 4; i++) tct_pool_free(s->pool[i]);
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

static void compile_missing(session *s, const tct_target *target, const tct_gemm_plan *plan) {
    tct_unit units[TCT_GEMM_MAX_KERNELS] = {0};
    size_t n = 0;
    for (uint32_t i = 0; i < plan->n_kernels; i++)
        if (!find(s, plan->symbol[i])) units[n++] = tct_gemm_unit(plan->symbol[i]);
    tct_objects objects;
    assert_true(tct_units_compile(&s->d, target, units, n, 2, NULL, &objects));
    assert_true(tct_jit_add(&s->d, s->jit, &objects));
    for (size_t i = 0; i < n; i++) {
        assert_true(s->n < MAX_CACHED);
        strcpy(s->symbols[s->n], units[i].name);
        s->functions[s->n] = tct_jit_lookup(&s->d, s->jit, units[i].name);
        assert_non_null(s->functions[s->n++]);
    }
}

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

static double element(const void *data, tct_dtype t, int64_t i) {
    return t == TCT_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

// Σ over the axes from `axis` on, C's indices being fixed by now.
static double summed(const tct_gemm_problem *p, uint32_t axis, const void *a, int64_t at_a, const void *b,
                     int64_t at_b, double *magnitude) {
    if (axis == p->n_axes) {
        double product = element(a, p->dtype, at_a) * element(b, p->dtype, at_b);
        *magnitude += fabs(product);
        return product;
    }
    const tct_gemm_axis *x = &p->axes[axis];
    if (x->in_c) return summed(p, axis + 1, a, at_a, b, at_b, magnitude);
    double sum = 0;
    for (int64_t i = 0; i < x->size; i++)
        sum += summed(p, axis + 1, a, at_a + (x->in_a ? i * x->a : 0), b, at_b + (x->in_b ? i * x->b : 0),
                      magnitude);
    return sum;
}

// Walks C and compares. The bound on the error of a sum of k rounded products is k·ε·Σ|products|.
static void compare(const tct_gemm_problem *p, uint32_t axis, const void *a, int64_t at_a, const void *b,
                    int64_t at_b, const void *before, const void *c, int64_t at_c, double k) {
    if (axis < p->n_axes) {
        const tct_gemm_axis *x = &p->axes[axis];
        if (!x->in_c) {
            compare(p, axis + 1, a, at_a, b, at_b, before, c, at_c, k);
            return;
        }
        for (int64_t i = 0; i < x->size; i++)
            compare(p, axis + 1, a, at_a + (x->in_a ? i * x->a : 0), b, at_b + (x->in_b ? i * x->b : 0),
                    before, c, at_c + i * x->c, k);
        return;
    }
    double magnitude = 0, expected = summed(p, 0, a, at_a, b, at_b, &magnitude);
    if (p->accumulate) {
        expected += element(before, p->dtype, at_c);
        magnitude += fabs(expected);
    }
    double got = element(c, p->dtype, at_c), epsilon = p->dtype == TCT_F32 ? 0x1p-24 : 0x1p-53;
    if (!(fabs(got - expected) <= (k + 2) * epsilon * magnitude))
        fail_msg("C at %lld is %.9g, not %.9g", (long long)at_c, got, expected);
}

static void fill(void *data, tct_dtype t, int64_t n, uint32_t *seed) {
    for (int64_t i = 0; i < n; i++) {
        double x = (double)(int32_t)next_random(seed) * 0x1p-31;
        if (t == TCT_F32)
            ((float *)data)[i] = (float)x;
        else
            ((double *)data)[i] = x;
    }
}

// Exactly as large as needed, so that a sanitizer or a guard value sees what reads or writes past it.
static void *operand(const tct_gemm_problem *p, char which, int64_t *n, uint32_t *seed) {
    *n = span_of(p, which);
    void *data = malloc((size_t)*n * tct_dtype_size(p->dtype));
    fill(data, p->dtype, *n, seed);
    return data;
}

static void check_problem(session *s, tct_isa isa, const tct_gemm_problem *p) {
    tct_target target = tct_target_of(isa);
    tct_gemm_plan plan;
    tct_gemm_plan_make(p, &target, &plan);
    compile_missing(s, &target, &plan);
    tct_plan_kernel kernels[TCT_GEMM_MAX_KERNELS];
    for (uint32_t i = 0; i < plan.n_kernels; i++)
        kernels[i] = (tct_plan_kernel){plan.symbol[i], find(s, plan.symbol[i])};
    uint32_t seed = 7;
    int64_t n_a, n_b, n_c;
    void *a = operand(p, 'a', &n_a, &seed), *b = operand(p, 'b', &n_b, &seed),
         *before = operand(p, 'c', &n_c, &seed);
    size_t bytes = (size_t)n_c * tct_dtype_size(p->dtype);
    void *first = malloc(bytes), *c = malloc(bytes);
    for (int i = 0; i < 4; i++) {
        memcpy(c, before, bytes);
        void *bufs[] = {c, plan.swapped ? b : a, plan.swapped ? a : b};
        tct_pool_reserve_scratch(s->pool[i], plan.scratch);
        tct_gemm_run(s->pool[i], &plan.args, kernels, bufs, NULL);
        if (i == 0) {
            memcpy(first, c, bytes);
            int64_t at_c = 0;
            compare(p, 0, a, 0, b, 0, before, c, at_c, (double)plan.args.k);
        } else {
            assert_memory_equal(first, c, bytes);
        }
    }
    free(a), free(b), free(before), free(first), free(c);
}

// C[batch, m, n] with each matrix stored straight or transposed.
static tct_gemm_problem matrices(tct_dtype dtype, int64_t batch, int64_t m, int64_t n, int64_t k, bool ta,
                                 bool tb, bool tc, bool accumulate) {
    return (tct_gemm_problem){
        .dtype = dtype,
        .accumulate = accumulate,
        .n_axes = 4,
        .axes = {{batch, m * k, n * k, m * n, true, true, true},
                 {m, ta ? 1 : k, 0, tc ? 1 : n, true, false, true},
                 {n, 0, tb ? k : 1, tc ? m : 1, false, true, true},
                 {k, ta ? m : 1, tb ? 1 : n, 0, true, true, false}},
    };
}

static void check_sizes(session *s, tct_isa isa, tct_dtype dtype) {
    static const int64_t sizes[][4] = {
        {1, 1, 1, 1},      {1, 1, 1, 0},      {1, 0, 5, 3},       {1, 3, 0, 4},      {0, 3, 4, 5},
        {1, 5, 7, 0},      {1, 2, 3, 4},      {1, 7, 13, 11},     {1, 17, 31, 29},   {1, 64, 64, 64},
        {3, 64, 64, 64},   {2, 61, 67, 71},   {1, 101, 97, 89},   {1, 1, 100, 70},   {1, 5, 257, 33},
        {1, 97, 1, 53},    {1, 9, 50, 401},   {1, 37, 200, 1100}, {1, 150, 131, 7},  {2, 16, 48, 130},
        {1, 8, 96, 96},    {1, 1, 173, 259},  {1, 2, 259, 173},   {1, 3, 1031, 67},  {1, 4, 67, 541},
        {1, 5, 300, 150},  {1, 7, 64, 1030},  {2, 6, 130, 331},   {1, 8, 1300, 40},  {1, 1, 5003, 19},
        {1, 13, 210, 331}, {1, 32, 130, 777}, {1, 63, 97, 600},   {1, 12, 3100, 19},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 16; form++) {
            tct_gemm_problem p = matrices(dtype, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3], form & 1,
                                          form & 2, form & 4, form & 8);
            check_problem(s, isa, &p);
        }
}

static void check_isa(session *s, tct_isa isa) {
    if (tct_isa_host() < isa) {
        print_message("this machine has no %s: skipped\n", tct_isa_name(isa));
        skip();
    }
    check_sizes(s, isa, TCT_F32);
    check_sizes(s, isa, TCT_F64);
    uint32_t seed = 1;
    for (int i = 0; i < 250; i++) {
        tct_gemm_problem p = random_problem(&seed, 20);
        check_problem(s, isa, &p);
    }
}

static void test_base(void **state) { check_isa(*state, TCT_ISA_BASE); }
static void test_avx2(void **state) { check_isa(*state, TCT_ISA_AVX2); }
static void test_avx512(void **state) { check_isa(*state, TCT_ISA_AVX512); }

// An epilogue: doubles each element and counts what it saw.
static void twice(void *const *bufs, const int64_t *args, int64_t batch, int64_t m0, int64_t m1, int64_t n0,
                  int64_t n1, void *scratch) {
    (void)scratch;
    float *c = bufs[0];
    int *seen = bufs[3];
    for (int64_t m = m0; m < m1; m++)
        for (int64_t n = n0; n < n1; n++) {
            int64_t at = (batch * args[0] + m) * args[1] + n;
            c[at] *= 2;
            seen[at]++;
        }
}

static void test_epilogue(void **state) {
    session *s = *state;
    tct_target target = tct_target_of(tct_isa_host());
    for (int small = 0; small < 5; small++) {
        bool parts = small == 4; // of k, where f32 is multiplied in pieces
        int64_t m = parts ? 70 : small % 2 ? 3 : 60, n = 130, k = parts ? 2100 : small == 2 ? 0 : 700;
        tct_gemm_problem p = matrices(TCT_F32, parts ? 1 : 2, m, n, k, false, small < 3, false, false);
        p.epilogue = true;
        tct_gemm_plan plan;
        tct_gemm_plan_make(&p, &target, &plan);
        assert_false(plan.swapped);
        compile_missing(s, &target, &plan);
        tct_plan_kernel kernels[TCT_GEMM_MAX_KERNELS + 1];
        for (uint32_t i = 0; i < plan.n_kernels; i++)
            kernels[i] = (tct_plan_kernel){plan.symbol[i], find(s, plan.symbol[i])};
        kernels[plan.n_kernels] = (tct_plan_kernel){"twice", (void *)twice};
        uint32_t seed = 3;
        int64_t n_a, n_b, n_c;
        float *a = operand(&p, 'a', &n_a, &seed), *b = operand(&p, 'b', &n_b, &seed),
              *c = operand(&p, 'c', &n_c, &seed);
        int *seen = calloc((size_t)n_c, sizeof *seen);
        void *bufs[] = {c, a, b, seen};
        int64_t args[] = {m, n};
        tct_pool_reserve_scratch(s->pool[1], plan.scratch);
        tct_gemm_run(s->pool[1], &plan.args, kernels, bufs, args);
        for (int64_t i = 0; i < n_c; i++) {
            assert_int_equal(seen[i], 1);
            c[i] /= 2;
        }
        compare(&p, 0, a, 0, b, 0, NULL, c, 0, (double)k);
        free(a), free(b), free(c), free(seen);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_epilogue),
    };
    return cmocka_run_group_tests(tests, open_session, close_session);
}
