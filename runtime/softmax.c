// Written with vectors of 16 floats, which compilers take apart where registers are smaller, once for each
// size of registers. Nothing is contracted, so all of them give the same bits.
#include "runtime/softmax.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t whole __attribute__((vector_size(LANES * sizeof(int32_t))));

#define BODY __attribute__((always_inline)) static inline
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f")))

static const float least = -87; // exponents below would be subnormal

// 16 logits from i on; where there are none, -infinity.
BODY void load(const float *logits, int64_t n, int64_t i, lanes *out) {
    if (i + LANES <= n) {
        memcpy(out, logits + i, sizeof *out);
        return;
    }
    float rest[LANES];
    for (int k = 0; k < LANES; k++) rest[k] = i + k < n ? logits[i + k] : -INFINITY;
    memcpy(out, rest, sizeof *out);
}

BODY float largest_of(const float *logits, int64_t n) {
    lanes most = (lanes){0} - INFINITY;
    for (int64_t i = 0; i < n; i += LANES) {
        lanes x;
        load(logits, n, i, &x);
        whole above = x > most;
        most = (lanes)(((whole)x & above) | ((whole)most & ~above));
    }
    float best = most[0];
    for (int k = 1; k < LANES; k++) best = most[k] > best ? most[k] : best;
    return best;
}

// exp(y) = 2^k · exp(r) with k the whole number nearest to y / ln 2, |r| ≤ ln 2 / 2, and y ≤ 0.
BODY double sum_of(const float *logits, int64_t n, float largest, float scale, float *out) {
    static const float per_ln2 = 1.44269504f, ln2_high = 0.693145752f, ln2_low = 1.42860677e-6f;
    static const float taylor[] = {1.f / 5040, 1.f / 720, 1.f / 120, 1.f / 24, 1.f / 6, 0.5f, 1, 1};
    lanes sum = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        lanes y;
        load(logits, n, i, &y);
        y = (y - largest) * scale;
        whole there = y > least; // not NaN
        y = (lanes)((whole)y & there);
        whole k = __builtin_convertvector(y * per_ln2 - 0.5f, whole);
        lanes turns = __builtin_convertvector(k, lanes), r = y - turns * ln2_high - turns * ln2_low;
        lanes p = r * taylor[0] + taylor[1];
        for (size_t t = 2; t < sizeof taylor / sizeof *taylor; t++) p = p * r + taylor[t];
        p = (lanes)((whole)(p * (lanes)((k + 127) << 23)) & there);
        if (out) memcpy(out + i, &p, sizeof p);
        sum += p;
    }
    double total = 0;
    for (int k = 0; k < LANES; k++) total += (double)sum[k];
    return total;
}

AVX512 static float largest_avx512(const float *x, int64_t n) { return largest_of(x, n); }
AVX2 static float largest_avx2(const float *x, int64_t n) { return largest_of(x, n); }
static float largest_base(const float *x, int64_t n) { return largest_of(x, n); }

AVX512 static double sum_avx512(const float *x, int64_t n, float largest, float scale, float *out) {
    return sum_of(x, n, largest, scale, out);
}
AVX2 static double sum_avx2(const float *x, int64_t n, float largest, float scale, float *out) {
    return sum_of(x, n, largest, scale, out);
}
static double sum_base(const float *x, int64_t n, float largest, float scale, float *out) {
    return sum_of(x, n, largest, scale, out);
}

// Looked up anew at each call, which costs next to nothing: the answers are kept by the compiler's runtime.
float tct_softmax_largest(const float *logits, int64_t n) {
    if (__builtin_cpu_supports("avx512f")) return largest_avx512(logits, n);
    return __builtin_cpu_supports("avx2") ? largest_avx2(logits, n) : largest_base(logits, n);
}

double tct_softmax_block(const float *logits, int64_t n, float largest, float scale, float *out) {
    if (__builtin_cpu_supports("avx512f")) return sum_avx512(logits, n, largest, scale, out);
    return __builtin_cpu_supports("avx2") ? sum_avx2(logits, n, largest, scale, out)
                                          : sum_base(logits, n, largest, scale, out);
}
