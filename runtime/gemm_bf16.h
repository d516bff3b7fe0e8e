// Products with a factor that is bf16, or f32 to be rounded to it. Internal to runtime/gemm*.c and
// plan_verify_gemm.c.
//
// Both factors are packed as 32-bit words along k: an f32, or two neighbouring bf16s of which the first is
// the lower half. A lies in rows of words, each as long as a block of k and a whole number of cache lines; B
// in panels of nr columns, a step of words after the other. Rows end and panels stop with zeros up to a
// multiple of k_unit steps, so micro-kernels see whole units.
#ifndef TCT_RUNTIME_GEMM_BF16_H
#define TCT_RUNTIME_GEMM_BF16_H

#include "runtime/gemm.h"

// Packs `w` rows or columns by k steps; in: `stride` elements from one step of k to the next, or from one row
// (column) to the next, as the kernel was made for. Rows of A begin out_stride words apart, panels of B do.
typedef void (*tct_gemm_words_fn)(void *out, int64_t out_stride, const void *in, int64_t stride, int64_t w,
                                  int64_t k);
typedef void (*tct_gemm_mode_fn)(void);

uint64_t tct_gemm_bf16_scratch(const tct_gemm_args *g); // bytes of a thread
uint64_t tct_gemm_bf16_shared(const tct_gemm_args *g);  // bytes of all threads
void tct_gemm_bf16_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels,
                       void *const *bufs, const int64_t *tile_args);

#endif
