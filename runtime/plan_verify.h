// Whether a plan stays within its tables and buffers: for plans that come from outside.
#ifndef TCT_RUNTIME_PLAN_VERIFY_H
#define TCT_RUNTIME_PLAN_VERIFY_H

#include "runtime/plan.h"

struct tct_gemm_args;

// The executor reads and writes nothing but the plan's tables and the operands that its buffers name, each
// within its port, the arena or the constants, when this holds; bodies of scans must have passed. What
// generated kernels do with the operands and integers that they get is theirs: they are trusted like the
// code that they are. NULL when it holds, else what is wrong, in the arena.
const char *tct_plan_verify(tct_arena *a, const tct_plan *plan);

// The same for one product: `bytes` of C, A, B and what packed panels stay in, `n_kernels` from the step's
// first on, `scratch` bytes a thread.
const char *tct_gemm_verify(tct_arena *a, const struct tct_gemm_args *g, const uint64_t bytes[4],
                            uint32_t n_kernels, uint64_t scratch);

// Elements and bytes of a shape; false when there are too many axes, a negative size or an overflow.
bool tct_plan_shape_bytes(uint8_t dtype, uint32_t n_axes, const int64_t *size, uint64_t *bytes);

#endif
