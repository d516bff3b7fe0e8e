// LLVM's C API and what differs between its versions (19 to 22), in one place. Nothing here uses the global
// context.
#ifndef TCT_CODEGEN_LLVM_H
#define TCT_CODEGEN_LLVM_H

#include "runtime/isa.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/LLJITUtils.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>

#include <stdint.h>

// The module that `b` is emitting into.
LLVMModuleRef tct_llvm_module(LLVMBuilderRef b);
LLVMContextRef tct_llvm_context(LLVMBuilderRef b);

// The instruction set that code in a module may use, for what emits instructions that LLVM doesn't find by
// itself; the baseline unless it is set.
void tct_llvm_set_isa(LLVMModuleRef module, tct_isa isa);
bool tct_llvm_has_isa(LLVMModuleRef module, tct_isa isa);

// Calls an overloaded intrinsic, "llvm.fma" say; `overload` are the types its name is mangled with.
LLVMValueRef tct_llvm_intrinsic(LLVMBuilderRef b, const char *name, LLVMTypeRef *overload,
                                unsigned n_overload, LLVMValueRef *args, unsigned n_args);

// Lanes of `mask` (a vector of i1) that are off read as `otherwise` and are not written. `align` in bytes.
// From LLVM 22 on the alignment is an attribute of the pointer and no argument.
LLVMValueRef tct_llvm_masked_load(LLVMBuilderRef b, LLVMTypeRef type, LLVMValueRef pointer, unsigned align,
                                  LLVMValueRef mask, LLVMValueRef otherwise);
void tct_llvm_masked_store(LLVMBuilderRef b, LLVMValueRef value, LLVMValueRef pointer, unsigned align,
                           LLVMValueRef mask);

// One element from each of a vector of pointers.
LLVMValueRef tct_llvm_gather(LLVMBuilderRef b, LLVMTypeRef type, LLVMValueRef pointers, unsigned align);

// Loads and stores of scalars or vectors with an alignment that need not be the type's natural one.
LLVMValueRef tct_llvm_load(LLVMBuilderRef b, LLVMTypeRef type, LLVMValueRef pointer, unsigned align);
void tct_llvm_store(LLVMBuilderRef b, LLVMValueRef value, LLVMValueRef pointer, unsigned align);
// Past the caches, `align` as large as the value; other threads may see it only after "llvm.x86.sse.sfence".
void tct_llvm_store_past(LLVMBuilderRef b, LLVMValueRef value, LLVMValueRef pointer, unsigned align);

// `x` in every lane of a vector of `lanes`.
LLVMValueRef tct_llvm_splat(LLVMBuilderRef b, LLVMValueRef x, unsigned lanes);
// The first `n` of `lanes` (an i64, may be ≤ 0 or ≥ lanes) as a vector of i1.
LLVMValueRef tct_llvm_prefix_mask(LLVMBuilderRef b, LLVMValueRef n, unsigned lanes);

// A place that loads and stores don't move across.
void tct_llvm_barrier(LLVMBuilderRef b);
// The loop that `branch` closes begins at a multiple of `bytes`.
void tct_llvm_align_loop(LLVMValueRef branch, unsigned bytes);

// Adds a function attribute without a value: "nounwind", "noinline".
void tct_llvm_attribute(LLVMValueRef function, LLVMAttributeIndex index, const char *name);

// An object buffer becomes part of `dylib`. The buffer is taken over, also on failure.
LLVMErrorRef tct_llvm_add_object(LLVMOrcLLJITRef jit, LLVMOrcJITDylibRef dylib, LLVMMemoryBufferRef object);

#endif
