// Internal to runtime/gemm*.c: products of few rows with a B that is read as it lies.
#ifndef TCT_RUNTIME_GEMM_STREAM_H
#define TCT_RUNTIME_GEMM_STREAM_H

#include "runtime/gemm.h"

// As those of runtime/gemm.h, for products of the path TCT_GEMM_STREAM.
uint64_t tct_gemm_stream_scratch(const tct_gemm_args *g);
uint64_t tct_gemm_stream_shared(const tct_gemm_args *g);
int64_t tct_gemm_stream_tasks(const tct_gemm_args *g);
void tct_gemm_stream_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels,
                         void *const *bufs, const int64_t *tile_args);

#endif
