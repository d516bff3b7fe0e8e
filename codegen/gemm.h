// Plans matrix products and generates their kernels.
#ifndef TCT_CODEGEN_GEMM_H
#define TCT_CODEGEN_GEMM_H

#include "codegen/jit.h"
#include "runtime/gemm.h"

// One axis of a product. In A, B and C: batch. In A and C: a row axis (m). In B and C: a column axis (n). In
// A or B or both and not in C: summed (k; a stride of 0 where an operand lacks it). Strides in elements.
typedef struct tct_gemm_axis {
    int64_t size, a, b, c;
    bool in_a, in_b, in_c; // C's axes are each in A or B or both
} tct_gemm_axis;

// What A or B is in memory. TCT_FACTOR_EXACT, which all zeros are: of C's dtype.
typedef enum tct_gemm_factor {
    TCT_FACTOR_EXACT,
    TCT_FACTOR_ROUNDED, // f32, to be rounded to bf16
    TCT_FACTOR_BF16,    // bf16
    TCT_FACTOR_I8,      // i8
} tct_gemm_factor;

// Of two factors in bf16 or i8, or f32 to be rounded to bf16, C (f32) has the sums of exact products.
typedef struct tct_gemm_problem {
    tct_dtype dtype; // of C: f32 or f64
    tct_gemm_factor a, b;
    bool accumulate; // C += instead of C =
    bool epilogue;   // a tct_tile_fn is to run on finished boxes
    uint32_t n_axes;
    tct_gemm_axis axes[TCT_GEMM_MAX_AXES]; // those of C in C's order of memory, outermost first
} tct_gemm_problem;

enum { TCT_GEMM_MAX_KERNELS = TCT_GEMM_N_SLOTS, TCT_GEMM_SYMBOL = 48 };

// Everything for the step. Operands: C, then A and B, or B and A when `swapped`; then the epilogue's.
// Arguments: args as TCT_GEMM_N_ARGS int64s, then the epilogue's. Kernels: `symbol[0 .. n_kernels)`, and the
// epilogue's after them.
typedef struct tct_gemm_plan {
    tct_gemm_args args;
    bool swapped; // C's rows come from B: what is stored along memory is always n
    uint32_t n_batch, n_m, n_n;
    uint8_t batch_axes[TCT_GEMM_MAX_AXES], m_axes[TCT_GEMM_MAX_AXES],
        n_axes[TCT_GEMM_MAX_AXES]; // of problem.axes:
                                   // what the epilogue's batch, row and column count, row-major
    uint32_t n_kernels;
    char symbol[TCT_GEMM_MAX_KERNELS][TCT_GEMM_SYMBOL];
    int64_t n_tasks;
    uint64_t scratch; // bytes a thread
    double flops, bytes;
} tct_gemm_plan;

// From shapes to a plan, for an instruction set. Sizes may be 0 and 1.
void tct_gemm_plan_make(const tct_gemm_problem *problem, const tct_target *target, tct_gemm_plan *out);

// The unit that emits the kernel of a symbol out of a plan. Equal symbols are equal code: compile each once.
// `symbol` outlives the compilation.
tct_unit tct_gemm_unit(const char *symbol);
// The instruction set that it is for.
tct_isa tct_gemm_symbol_isa(const char *symbol);

#endif
