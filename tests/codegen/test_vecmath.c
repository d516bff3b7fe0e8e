// Vector functions against libm in double: errors in ulp over a sample of all f32 bit patterns (`--step 1`:
// over all of them; docs/numerics.md has the figures), exact at the edges, and the same bits in a vector and
// alone.
#include "base/diag.h"
#include "codegen/jit.h"
#include "codegen/vecmath.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCK = 4096, SAMPLE_STEP = 1499 };

static double sigmoid_exact(double x) { return 1 / (1 + exp(-x)); }
static double softplus_exact(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double rsqrt_exact(double x) { return 1 / sqrt(x); }

// The bounds are what docs/numerics.md promises; the baseline without fused multiply-add gets its own.
static const struct {
    tct_vecmath fn;
    double (*exact)(double);
    double max_ulp, max_ulp_base;
} functions[] = {
    {TCT_VM_EXP, exp, 0.9, 1.2},   {TCT_VM_EXPM1, expm1, 1.7, 1.8},
    {TCT_VM_LOG, log, 0.9, 0.9},   {TCT_VM_LOG1P, log1p, 1.5, 1.5},
    {TCT_VM_TANH, tanh, 5.2, 5.9}, {TCT_VM_SIGMOID, sigmoid_exact, 2.4, 2.4},
    {TCT_VM_ERF, erf, 3.6, 4.1},   {TCT_VM_SOFTPLUS, softplus_exact, 1.8, 1.8},
    {TCT_VM_SIN, sin, 1.6, 1.6},   {TCT_VM_COS, cos, 1.6, 1.6},
    {TCT_VM_SQRT, sqrt, 0.5, 0.5}, {TCT_VM_RSQRT, rsqrt_exact, 1.5, 1.5},
};

typedef struct kernel {
    tct_vecmath fn;
    unsigned lanes; // 0: scalar
    char name[32];
} kernel;

typedef void (*kernel_fn)(float *out, const float *x, const float *y, int64_t n);

// for (i = 0; i < n; i += lanes) out[i…] = fn(x[i…], y[i…])
static void emit(const void *data, LLVMModuleRef module, const tct_target *target) {
    (void)target;
    const kernel *k = data;
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(c, 0), i64 = LLVMInt64TypeInContext(c),
                f32 = LLVMFloatTypeInContext(c);
    LLVMTypeRef params[] = {pointer, pointer, pointer, i64};
    LLVMValueRef fn =
        LLVMAddFunction(module, k->name, LLVMFunctionType(LLVMVoidTypeInContext(c), params, 4, 0));
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(c, fn, ""),
                      loop = LLVMAppendBasicBlockInContext(c, fn, ""),
                      done = LLVMAppendBasicBlockInContext(c, fn, "");
    LLVMBuilderRef b = LLVMCreateBuilderInContext(c);
    LLVMPositionBuilderAtEnd(b, entry);
    LLVMBuildBr(b, loop);
    LLVMPositionBuilderAtEnd(b, loop);
    LLVMValueRef i = LLVMBuildPhi(b, i64, "");
    LLVMTypeRef type = k->lanes ? LLVMVectorType(f32, k->lanes) : f32;
    LLVMValueRef at[3];
    for (unsigned p = 0; p < 3; p++) at[p] = LLVMBuildGEP2(b, f32, LLVMGetParam(fn, p), &i, 1, "");
    LLVMValueRef x = tct_llvm_load(b, type, at[1], 4), y = NULL;
    if (tct_vecmath_arity(k->fn) == 2) y = tct_llvm_load(b, type, at[2], 4);
    tct_llvm_store(b, tct_vecmath_emit(b, k->fn, x, y), at[0], 4);
    LLVMValueRef next = LLVMBuildAdd(b, i, LLVMConstInt(i64, k->lanes ? k->lanes : 1, 0), "");
    LLVMValueRef zero = LLVMConstInt(i64, 0, 0);
    LLVMAddIncoming(i, (LLVMValueRef[]){zero, next}, (LLVMBasicBlockRef[]){entry, loop}, 2);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, LLVMGetParam(fn, 3), ""), loop, done);
    LLVMPositionBuilderAtEnd(b, done);
    LLVMBuildRetVoid(b);
    LLVMDisposeBuilder(b);
}

typedef struct session {
    tct_diag d;
    tct_jit *jit;
    tct_isa isa;
    kernel_fn vector[TCT_N_VECMATH], scalar[TCT_N_VECMATH];
} session;

static void check_reported_nothing(tct_diag *d) {
    tct_buf text = {0};
    tct_diag_render(d, &text, false);
    if (text.len) fail_msg("%s", text.data);
    tct_buf_free(&text);
}

static void open_session(session *s, tct_isa isa) {
    *s = (session){.isa = isa};
    tct_target target = tct_target_of(isa);
    kernel kernels[TCT_N_VECMATH * 2];
    tct_unit units[TCT_N_VECMATH * 2];
    for (size_t i = 0; i < TCT_N_VECMATH * 2; i++) {
        kernel *k = &kernels[i];
        *k = (kernel){.fn = (tct_vecmath)(i / 2), .lanes = i % 2 ? 0 : tct_target_lanes(&target, TCT_F32)};
        snprintf(k->name, sizeof k->name, "test_%s_%u", tct_vecmath_name(k->fn), k->lanes);
        units[i] = (tct_unit){.name = k->name, .emit = emit, .data = k};
    }
    tct_objects objects;
    s->jit = tct_jit_new(&s->d);
    assert_true(tct_units_compile(&s->d, &target, units, TCT_N_VECMATH * 2, 2, NULL, &objects));
    assert_true(tct_jit_add(&s->d, s->jit, &objects));
    for (size_t i = 0; i < TCT_N_VECMATH * 2; i++) {
        kernel_fn *to = i % 2 ? s->scalar : s->vector;
        to[i / 2] = (kernel_fn)tct_jit_lookup(&s->d, s->jit, kernels[i].name);
        assert_non_null(to[i / 2]);
    }
    check_reported_nothing(&s->d);
}

static void close_session(session *s) {
    tct_jit_free(s->jit);
    tct_diag_free(&s->d);
}

static float from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static bool same_bits(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

// |got − exact| in units of the last place of a float near `exact`.
static double ulps(float got, double exact) {
    float rounded = (float)exact;
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (isinf(rounded) || isinf(got)) return rounded == got || fabs(exact) >= 0x1.fffffep127 ? 0 : INFINITY;
    int exponent;
    frexp(exact, &exponent);
    double unit = exact == 0 || exponent - 24 < -149 ? 0x1p-149 : ldexp(1, exponent - 24);
    return fabs((double)got - exact) / unit;
}

static uint32_t mix(uint32_t x) {
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    return x ^ x >> 16;
}

static uint64_t step = SAMPLE_STEP; // between the bit patterns that are tried

// The largest error of one function; fails where scalar and vector differ.
static double worst(const session *s, tct_vecmath fn, double (*exact)(double), float *where) {
    static float x[BLOCK], y[BLOCK], alone[BLOCK];
    double max = 0;
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
        for (int i = 0; i < BLOCK; i++, bits += step) x[i] = from_bits((uint32_t)bits);
        s->vector[fn](y, x, NULL, BLOCK);
        s->scalar[fn](alone, x, NULL, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            if (!same_bits(y[i], alone[i]))
                fail_msg("%s(%a): %a in a vector, %a alone", tct_vecmath_name(fn), (double)x[i], (double)y[i],
                         (double)alone[i]);
            double error = ulps(y[i], exact((double)x[i]));
            if (error > max) {
                max = error;
                *where = x[i];
            }
        }
    }
    return max;
}

static double worst_pow(const session *s, float at[2]) {
    static float x[BLOCK], e[BLOCK], y[BLOCK], alone[BLOCK];
    static const float edges[] = {
        0,       -0.0f, 1,      -1,       2,         -2,  0.5f,        -0.5f,        3,    -3,   1e-40f,
        -1e-40f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN, 16777215.0f, -16777216.0f, 1.5f, -1.5f};
    enum { N_EDGES = sizeof edges / sizeof *edges };
    double max = 0;
    for (uint32_t block = 0; block < 400 * (SAMPLE_STEP / step); block++) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            uint32_t n = block * BLOCK + i;
            x[i] = n < N_EDGES * N_EDGES ? edges[n / N_EDGES] : from_bits(mix(2 * n));
            e[i] = n < N_EDGES * N_EDGES ? edges[n % N_EDGES] : from_bits(mix(2 * n + 1));
            // Most random pairs overflow; bring three in four to where the result is finite.
            if (n >= N_EDGES * N_EDGES && n % 4)
                e[i] = (float)(remainder(e[i], 100) / (fabs(log2(fabs(x[i]))) + 0.01));
        }
        s->vector[TCT_VM_POW](y, x, e, BLOCK);
        s->scalar[TCT_VM_POW](alone, x, e, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            double error = ulps(y[i], pow((double)x[i], (double)e[i]));
            if (!same_bits(y[i], alone[i])) error = INFINITY;
            if (error > max) {
                max = error;
                at[0] = x[i], at[1] = e[i];
            }
        }
    }
    return max;
}

static void check_isa(tct_isa isa) {
    if (tct_isa_host() < isa) {
        print_message("this machine has no %s: skipped\n", tct_isa_name(isa));
        skip();
    }
    session s;
    open_session(&s, isa);
    bool base = isa == TCT_ISA_BASE, bad = false;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        float where = 0;
        double error = worst(&s, functions[i].fn, functions[i].exact, &where);
        double limit = base ? functions[i].max_ulp_base : functions[i].max_ulp;
        print_message("%s %-8s %.3f ulp (bound %.1f) at %a\n", tct_isa_name(isa),
                      tct_vecmath_name(functions[i].fn), error, limit, (double)where);
        bad |= error > limit;
    }
    float at[2] = {0, 0};
    double error = worst_pow(&s, at);
    print_message("%s %-8s %.3f ulp (bound 0.6) at %a, %a\n", tct_isa_name(isa), "pow", error, (double)at[0],
                  (double)at[1]);
    bad |= error > 0.6;
    close_session(&s);
    assert_false(bad);
}

static void test_base(void **state) {
    (void)state;
    check_isa(TCT_ISA_BASE);
}
static void test_avx2(void **state) {
    (void)state;
    check_isa(TCT_ISA_AVX2);
}
static void test_avx512(void **state) {
    (void)state;
    check_isa(TCT_ISA_AVX512);
}

static void test_edges(void **state) {
    (void)state;
    session s;
    open_session(&s, tct_isa_host());
    static const struct {
        tct_vecmath fn;
        float x, y;
    } edges[] = {
        {TCT_VM_EXP, -INFINITY, 0},
        {TCT_VM_EXP, INFINITY, INFINITY},
        {TCT_VM_EXP, 0, 1},
        {TCT_VM_EXP, 89, INFINITY},
        {TCT_VM_EXP, -104, 0},
        {TCT_VM_EXP, -1e30f, 0},
        {TCT_VM_EXP, 1e30f, INFINITY},
        {TCT_VM_EXP, NAN, NAN},
        {TCT_VM_LOG, 0, -INFINITY},
        {TCT_VM_LOG, -0.0f, -INFINITY},
        {TCT_VM_LOG, 1, 0},
        {TCT_VM_LOG, -1, NAN},
        {TCT_VM_LOG, INFINITY, INFINITY},
        {TCT_VM_LOG, -INFINITY, NAN},
        {TCT_VM_LOG1P, -1, -INFINITY},
        {TCT_VM_LOG1P, -0.0f, -0.0f},
        {TCT_VM_LOG1P, -2, NAN},
        {TCT_VM_LOG1P, INFINITY, INFINITY},
        {TCT_VM_EXPM1, -INFINITY, -1},
        {TCT_VM_EXPM1, -0.0f, -0.0f},
        {TCT_VM_TANH, INFINITY, 1},
        {TCT_VM_TANH, -INFINITY, -1},
        {TCT_VM_TANH, -0.0f, -0.0f},
        {TCT_VM_SIGMOID, -INFINITY, 0},
        {TCT_VM_SIGMOID, INFINITY, 1},
        {TCT_VM_SIGMOID, 0, 0.5f},
        {TCT_VM_SOFTPLUS, -INFINITY, 0},
        {TCT_VM_SOFTPLUS, 200, 200},
        {TCT_VM_SOFTPLUS, INFINITY, INFINITY},
        {TCT_VM_SOFTPLUS, NAN, NAN},
        {TCT_VM_ERF, INFINITY, 1},
        {TCT_VM_ERF, -INFINITY, -1},
        {TCT_VM_ERF, -0.0f, -0.0f},
        {TCT_VM_ERF, NAN, NAN},
        {TCT_VM_SIN, INFINITY, NAN},
        {TCT_VM_SIN, -0.0f, -0.0f},
        {TCT_VM_COS, 0, 1},
        {TCT_VM_COS, -INFINITY, NAN},
        {TCT_VM_SQRT, -1, NAN},
        {TCT_VM_SQRT, -0.0f, -0.0f},
        {TCT_VM_RSQRT, 0, INFINITY},
        {TCT_VM_RSQRT, INFINITY, 0},
        {TCT_VM_TANH, NAN, NAN},
        {TCT_VM_SIGMOID, NAN, NAN},
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        float y;
        s.scalar[edges[i].fn](&y, &edges[i].x, NULL, 1);
        if (!same_bits(y, edges[i].y))
            fail_msg("%s(%g) is %g, not %g", tct_vecmath_name(edges[i].fn), (double)edges[i].x, (double)y,
                     (double)edges[i].y);
    }
    close_session(&s);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--step") == 0) step = strtoull(argv[2], NULL, 10);
    if (step == 0 || step > SAMPLE_STEP) step = SAMPLE_STEP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
