// Targets: instruction sets as LLVM sees them.
#include "codegen/target.h"

#include <assert.h>
#include <pthread.h>

static const char triple[] = "x86_64-unknown-linux-gnu";

tct_target tct_target_of(tct_isa isa) {
    switch (isa) {
    case TCT_ISA_AVX2:
        return (tct_target){isa, "x86-64-v3", "", 32, 16, true, false};
    case TCT_ISA_AVX512:
        return (tct_target){isa, "x86-64-v4", "-prefer-256-bit", 64, 32, true, true};
    case TCT_ISA_AVX512BF16:
        return (tct_target){isa, "x86-64-v4", "-prefer-256-bit,+avx512bf16", 64, 32, true, true};
    case TCT_ISA_AMX:
        return (tct_target){isa,  "x86-64-v4", "-prefer-256-bit,+avx512bf16,+amx-tile,+amx-bf16", 64, 32,
                            true, true};
    case TCT_ISA_BASE:
    case TCT_N_ISAS:
        break;
    }
    return (tct_target){TCT_ISA_BASE, "x86-64", "", 16, 16, false, false};
}

tct_isa tct_target_kernel_isa(const tct_target *t, bool has_bf16) {
    if (t->isa < TCT_ISA_AVX512BF16) return t->isa;
    return has_bf16 ? TCT_ISA_AVX512BF16 : TCT_ISA_AVX512;
}

unsigned tct_target_lanes(const tct_target *t, tct_dtype dtype) {
    return t->vector_bytes / (unsigned)tct_dtype_size(dtype);
}

LLVMTypeRef tct_target_type(LLVMContextRef c, tct_dtype dtype) {
    switch (dtype) {
    case TCT_F32:
        return LLVMFloatTypeInContext(c);
    case TCT_F64:
        return LLVMDoubleTypeInContext(c);
    case TCT_BF16:
        return LLVMBFloatTypeInContext(c);
    case TCT_I32:
        return LLVMInt32TypeInContext(c);
    case TCT_I64:
        return LLVMInt64TypeInContext(c);
    case TCT_I8:
    case TCT_BOOL:
        return LLVMInt8TypeInContext(c);
    case TCT_N_DTYPES:
        break;
    }
    assert(!"a dtype is one of the table's");
    return NULL;
}

static void register_x86(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

LLVMTargetMachineRef tct_target_machine(tct_diag *d, const tct_target *t) {
    static pthread_once_t registered = PTHREAD_ONCE_INIT; // LLVM's registry is global; so is the guard
    pthread_once(&registered, register_x86);
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        tct_error(d, "E0840", TCT_NO_SPAN, "LLVM has no code generator for %s: %s", triple, message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    return LLVMCreateTargetMachine(target, triple, t->cpu, t->features, LLVMCodeGenLevelDefault, LLVMRelocPIC,
                                   LLVMCodeModelDefault);
}
