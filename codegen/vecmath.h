// Mathematical functions as straight-line LLVM IR on scalars and vectors of any length: no calls, no
// branches. The same operations whatever the number of lanes, so a scalar tail gives a vector's bits. Errors
// in ulp: docs/numerics.md.
#ifndef TCT_CODEGEN_VECMATH_H
#define TCT_CODEGEN_VECMATH_H

#include "codegen/llvm.h"

// X(enum, name, arguments)
#define TCT_VECMATH(X)                                                                                       \
    X(TCT_VM_EXP, "exp", 1)                                                                                  \
    X(TCT_VM_EXPM1, "expm1", 1)                                                                              \
    X(TCT_VM_LOG, "log", 1)                                                                                  \
    X(TCT_VM_LOG1P, "log1p", 1)                                                                              \
    X(TCT_VM_TANH, "tanh", 1)                                                                                \
    X(TCT_VM_SIGMOID, "sigmoid", 1)   /* 1 / (1 + exp(-x)) */                                                \
    X(TCT_VM_SOFTPLUS, "softplus", 1) /* log(1 + exp(x)) */                                                  \
    X(TCT_VM_ERF, "erf", 1)                                                                                  \
    X(TCT_VM_SIN, "sin", 1)                                                                                  \
    X(TCT_VM_COS, "cos", 1)                                                                                  \
    X(TCT_VM_SQRT, "sqrt", 1)                                                                                \
    X(TCT_VM_RSQRT, "rsqrt", 1) /* 1 / sqrt(x), two rounded operations */                                    \
    X(TCT_VM_POW, "pow", 2)

typedef enum tct_vecmath {
#define TCT_VECMATH_ENUM(id, name, n) id,
    TCT_VECMATH(TCT_VECMATH_ENUM)
#undef TCT_VECMATH_ENUM
        TCT_N_VECMATH
} tct_vecmath;

const char *tct_vecmath_name(tct_vecmath fn);
unsigned tct_vecmath_arity(tct_vecmath fn);

// Emits fn(x) or fn(x, y) at the builder's position. `x` (and `y`, of the same type; NULL for one argument)
// is float, double, or a vector of either. IEEE at infinities, NaN, signed zeros, overflow; subnormal
// arguments and results are handled. f64 calls libm a lane: it serves checking, not speed.
LLVMValueRef tct_vecmath_emit(LLVMBuilderRef b, tct_vecmath fn, LLVMValueRef x, LLVMValueRef y);

#endif
