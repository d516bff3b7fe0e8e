// What code is generated for: the instruction set, its vectors, and LLVM's target machine for it.
#ifndef TCT_CODEGEN_TARGET_H
#define TCT_CODEGEN_TARGET_H

#include "base/diag.h"
#include "base/dtype.h"
#include "codegen/llvm.h"
#include "runtime/isa.h"

// A value; copy it freely. The strings are static. Code for a set depends on the set alone, never on the
// host's model, so a cached object or an ahead-of-time build gives the same bits as the just-in-time
// compiler.
typedef struct tct_target {
    tct_isa isa;
    const char *cpu, *features; // LLVM's names
    unsigned vector_bytes;      // 16, 32 or 64
    unsigned n_registers;       // vector registers: 16 or 32
    bool has_fma, has_masks;    // masked loads and stores cost nothing extra
} tct_target;

// `isa` as a target. For the host: tct_target_of(tct_isa_host()).
tct_target tct_target_of(tct_isa isa);
// The instruction set that a kernel is compiled for when a plan for `t` uses it. Only code with bf16 in it
// differs between avx512 and avx512bf16; all other kernels of the second are those of the first. What amx
// adds are tiles, which products in bf16 are made of and name by themselves.
tct_isa tct_target_kernel_isa(const tct_target *t, bool has_bf16);
// Lanes of one vector register for a dtype: 16 for f32 under AVX-512.
unsigned tct_target_lanes(const tct_target *t, tct_dtype dtype);

// The element type of a dtype in `c`: float, double, bfloat, i32, i64, i8 for bool.
LLVMTypeRef tct_target_type(LLVMContextRef c, tct_dtype dtype);

// A target machine, position-independent code, optimised. The caller disposes of it. NULL after reporting
// E0840 when this LLVM has no x86 back end. Thread-safe.
LLVMTargetMachineRef tct_target_machine(tct_diag *d, const tct_target *t);

#endif
