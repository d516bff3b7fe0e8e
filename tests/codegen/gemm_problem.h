// Random matrix products, for the tests of their kernels.
#ifndef TCT_TESTS_CODEGEN_GEMM_PROBLEM_H
#define TCT_TESTS_CODEGEN_GEMM_PROBLEM_H

#include "codegen/gemm.h"

static inline uint32_t next_random(uint32_t *seed) { return *seed = *seed * 1664525u + 1013904223u; }

// Axes as a tensor contraction has them: sizes at random, strides from a random order of axes in each
// operand, and now and then a hole between the elements.
static inline tct_gemm_problem random_problem(uint32_t *seed, int64_t largest) {
    tct_gemm_problem p = {
        .dtype = TCT_F32, .n_axes = 2 + next_random(seed) / 7 % 5, .accumulate = next_random(seed) >> 31};
    const int64_t sizes[] = {1, 2, 3, 5, 8, 13, 16, largest};
    for (uint32_t i = 0; i < p.n_axes; i++) {
        uint32_t role = next_random(seed) / 1024 % 7;
        tct_gemm_axis *x = &p.axes[i];
        x->size = sizes[next_random(seed) / 4096 % 8];
        x->in_a = role != 2 && role != 5, x->in_b = role != 1 && role != 4, x->in_c = role != 3 && role != 6;
    }
    for (int which = 0; which < 3; which++) {
        uint32_t order[TCT_GEMM_MAX_AXES];
        for (uint32_t i = 0; i < p.n_axes; i++) order[i] = i;
        for (uint32_t i = p.n_axes - 1; i > 0; i--) {
            uint32_t j = next_random(seed) / 512 % (i + 1), t = order[i];
            order[i] = order[j], order[j] = t;
        }
        int64_t stride = next_random(seed) / 2048 % 5 == 0 ? 2 : 1;
        for (uint32_t i = 0; i < p.n_axes; i++) {
            tct_gemm_axis *x = &p.axes[order[i]];
            if (!(which == 0 ? x->in_a : which == 1 ? x->in_b : x->in_c)) continue;
            *(which == 0 ? &x->a : which == 1 ? &x->b : &x->c) = stride;
            stride *= x->size;
        }
    }
    return p;
}

#endif
