// The peak loop.
#include "codegen/peak.h"

enum { CHAINS_WIDE = 24, CHAINS = 12 }; // independent sums: more than latency × ports

static const tct_dtype dtypes[] = {TCT_F32, TCT_F64};

static unsigned chains_of(const tct_target *target) {
    return target->n_registers >= 32 ? CHAINS_WIDE : CHAINS;
}

static LLVMValueRef constant(LLVMTypeRef type, double x) {
    enum { MAX_LANES = 16 };
    LLVMValueRef lane[MAX_LANES];
    unsigned n = LLVMGetVectorSize(type);
    for (unsigned i = 0; i < n; i++) lane[i] = LLVMConstReal(LLVMGetElementType(type), x);
    return LLVMConstVector(lane, n);
}

static void emit(const void *data, LLVMModuleRef module, const tct_target *target) {
    tct_dtype dtype = *(const tct_dtype *)data;
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c), params[] = {i64, LLVMPointerTypeInContext(c, 0)};
    LLVMTypeRef type = LLVMVectorType(tct_target_type(c, dtype), tct_target_lanes(target, dtype));
    LLVMTypeRef signature = LLVMFunctionType(LLVMVoidTypeInContext(c), params, 2, 0);
    LLVMValueRef fn = LLVMAddFunction(module, tct_peak_symbol(dtype), signature), sum[CHAINS_WIDE],
                 next[CHAINS_WIDE];
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(c, fn, ""),
                      loop = LLVMAppendBasicBlockInContext(c, fn, ""),
                      done = LLVMAppendBasicBlockInContext(c, fn, "");
    LLVMBuilderRef b = LLVMCreateBuilderInContext(c);
    LLVMPositionBuilderAtEnd(b, entry);
    // From memory, so that nothing can be known of it.
    LLVMValueRef factor = tct_llvm_load(b, type, LLVMGetParam(fn, 1), (unsigned)tct_dtype_size(dtype));
    LLVMBuildBr(b, loop);
    LLVMPositionBuilderAtEnd(b, loop);
    LLVMBasicBlockRef from[] = {entry, loop};
    LLVMValueRef left = LLVMBuildPhi(b, i64, ""), one = LLVMConstInt(i64, 1, 0);
    for (unsigned i = 0; i < chains_of(target); i++) {
        sum[i] = LLVMBuildPhi(b, type, "");
        LLVMAddIncoming(sum[i], (LLVMValueRef[]){constant(type, i)}, from, 1);
    }
    for (unsigned i = 0; i < chains_of(target); i++) {
        LLVMValueRef args[] = {sum[i], factor, factor};
        next[i] = tct_llvm_intrinsic(b, "llvm.fmuladd", &type, 1, args, 3);
        LLVMAddIncoming(sum[i], &next[i], &loop, 1);
    }
    LLVMValueRef rest = LLVMBuildSub(b, left, one, "");
    LLVMAddIncoming(left, (LLVMValueRef[]){LLVMGetParam(fn, 0), rest}, from, 2);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSGT, rest, LLVMConstInt(i64, 0, 0), ""), loop, done);
    LLVMPositionBuilderAtEnd(b, done);
    LLVMValueRef all = next[0];
    for (unsigned i = 1; i < chains_of(target); i++) all = LLVMBuildFAdd(b, all, next[i], "");
    tct_llvm_store(b, all, LLVMGetParam(fn, 1), (unsigned)tct_dtype_size(dtype));
    LLVMBuildRetVoid(b);
    LLVMDisposeBuilder(b);
}

const char *tct_peak_symbol(tct_dtype dtype) { return dtype == TCT_F64 ? "tct_peak_f64" : "tct_peak_f32"; }

tct_unit tct_peak_unit(tct_dtype dtype) {
    return (tct_unit){.name = tct_peak_symbol(dtype),
                      .key = tct_peak_symbol(dtype),
                      .emit = emit,
                      .data = &dtypes[dtype == TCT_F64]};
}

double tct_peak_flops(const tct_target *target, tct_dtype dtype) {
    return 2.0 * chains_of(target) * tct_target_lanes(target, dtype);
}
