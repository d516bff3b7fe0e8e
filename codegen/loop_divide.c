// Division of many by one.
#include "codegen/loop.h"

static LLVMValueRef number(LLVMBuilderRef b, double x) {
    return LLVMConstReal(LLVMFloatTypeInContext(tct_llvm_context(b)), x);
}

tct_loop_divisor tct_loop_divide_by(LLVMBuilderRef b, LLVMValueRef by) {
    LLVMTypeRef t = LLVMTypeOf(by);
    LLVMValueRef size = tct_llvm_intrinsic(b, "llvm.fabs", &t, 1, &by, 1);
    LLVMValueRef small = LLVMBuildFCmp(b, LLVMRealOLT, size, number(b, 0x1p-64), ""),
                 large = LLVMBuildFCmp(b, LLVMRealOGT, size, number(b, 0x1p64), "");
    tct_loop_divisor d;
    d.scale = LLVMBuildSelect(b, large, number(b, 0x1p-64), number(b, 1), "");
    d.scale = LLVMBuildSelect(b, small, number(b, 0x1p64), d.scale, "");
    d.scaled = LLVMBuildFMul(b, by, d.scale, "");
    d.reciprocal = LLVMBuildFDiv(b, number(b, 1), d.scaled, "");
    return d;
}

LLVMValueRef tct_loop_divided(LLVMBuilderRef b, LLVMValueRef x, unsigned lanes, const tct_loop_divisor *d) {
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef r = tct_llvm_splat(b, d->reciprocal, lanes), by = tct_llvm_splat(b, d->scaled, lanes);
    x = LLVMBuildFMul(b, x, tct_llvm_splat(b, d->scale, lanes), "");
    LLVMValueRef q = LLVMBuildFMul(b, x, r, "");
    LLVMValueRef rest[] = {LLVMBuildFNeg(b, q, ""), by, x};
    LLVMValueRef correct[] = {tct_llvm_intrinsic(b, "llvm.fma", &t, 1, rest, 3), r, q};
    LLVMValueRef better = tct_llvm_intrinsic(b, "llvm.fma", &t, 1, correct, 3);
    return LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealUEQ, better, q, ""), q, better, "");
}
