// The arithmetic that vector functions are written in.
#include "codegen/vecmath_parts.h"

static vm shape(LLVMBuilderRef b, LLVMTypeRef element, unsigned lanes) {
    LLVMContextRef c = LLVMGetTypeContext(element);
    bool is_double = LLVMGetTypeKind(element) == LLVMDoubleTypeKind;
    LLVMTypeRef bits = is_double ? LLVMInt64TypeInContext(c) : LLVMInt32TypeInContext(c);
    return (vm){b,       lanes,
                element, lanes ? LLVMVectorType(element, lanes) : element,
                bits,    lanes ? LLVMVectorType(bits, lanes) : bits};
}

vm vm_of(LLVMBuilderRef b, LLVMTypeRef type) {
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        return shape(b, LLVMGetElementType(type), LLVMGetVectorSize(type));
    return shape(b, type, 0);
}

vm vm_wide(const vm *v) {
    return shape(v->b, LLVMDoubleTypeInContext(LLVMGetTypeContext(v->element)), v->lanes);
}

static val everywhere(const vm *v, val one) {
    enum { MAX_LANES = 256 };
    val all[MAX_LANES];
    if (!v->lanes) return one;
    for (unsigned i = 0; i < v->lanes && i < MAX_LANES; i++) all[i] = one;
    return LLVMConstVector(all, v->lanes);
}

val vm_num(const vm *v, double x) { return everywhere(v, LLVMConstReal(v->element, x)); }
val vm_int(const vm *v, int64_t x) { return everywhere(v, LLVMConstInt(v->bit_element, (uint64_t)x, true)); }
val vm_add(const vm *v, val x, val y) { return LLVMBuildFAdd(v->b, x, y, ""); }
val vm_sub(const vm *v, val x, val y) { return LLVMBuildFSub(v->b, x, y, ""); }
val vm_mul(const vm *v, val x, val y) { return LLVMBuildFMul(v->b, x, y, ""); }
val vm_div(const vm *v, val x, val y) { return LLVMBuildFDiv(v->b, x, y, ""); }
val vm_neg(const vm *v, val x) { return LLVMBuildFNeg(v->b, x, ""); }

static val unary(const vm *v, const char *name, val x) {
    LLVMTypeRef type = v->type;
    return tct_llvm_intrinsic(v->b, name, &type, 1, &x, 1);
}

val vm_fma(const vm *v, val x, val y, val z) {
    LLVMTypeRef type = v->type;
    val args[] = {x, y, z};
    return tct_llvm_intrinsic(v->b, "llvm.fmuladd", &type, 1, args, 3);
}

val vm_poly(const vm *v, val x, const double *c, unsigned n) {
    val sum = vm_num(v, c[n - 1]);
    for (unsigned i = n - 1; i-- > 0;) sum = vm_fma(v, sum, x, vm_num(v, c[i]));
    return sum;
}

val vm_abs(const vm *v, val x) { return unary(v, "llvm.fabs", x); }
val vm_sqrt(const vm *v, val x) { return unary(v, "llvm.sqrt", x); }
val vm_trunc(const vm *v, val x) { return unary(v, "llvm.trunc", x); }

val vm_copysign(const vm *v, val magnitude, val sign) {
    LLVMTypeRef type = v->type;
    val args[] = {magnitude, sign};
    return tct_llvm_intrinsic(v->b, "llvm.copysign", &type, 1, args, 2);
}

val vm_if(const vm *v, val condition, val then, val otherwise) {
    return LLVMBuildSelect(v->b, condition, then, otherwise, "");
}

val vm_cmp(const vm *v, LLVMRealPredicate p, val x, val y) { return LLVMBuildFCmp(v->b, p, x, y, ""); }

val vm_at_least(const vm *v, val x, double low) {
    val bound = vm_num(v, low);
    return vm_if(v, vm_cmp(v, LLVMRealOLT, x, bound), bound, x);
}

val vm_at_most(const vm *v, val x, double high) {
    val bound = vm_num(v, high);
    return vm_if(v, vm_cmp(v, LLVMRealOGT, x, bound), bound, x);
}

// Adding 1.5·2²³ (or 2⁵²) leaves the integer in the low bits of the sum.
static val shift_of(const vm *v) {
    bool is_double = LLVMGetTypeKind(v->element) == LLVMDoubleTypeKind;
    return vm_num(v, is_double ? 0x1.8p52 : 0x1.8p23);
}

static val rounded(const vm *v, val sum, val *whole) {
    val shift = shift_of(v);
    if (whole) *whole = LLVMBuildSub(v->b, vm_to_bits(v, sum), vm_to_bits(v, shift), "");
    return vm_sub(v, sum, shift);
}

val vm_round(const vm *v, val x, val *whole) { return rounded(v, vm_add(v, x, shift_of(v)), whole); }

val vm_round_product(const vm *v, val x, double by, val *whole) {
    return rounded(v, vm_fma(v, x, vm_num(v, by), shift_of(v)), whole);
}

val vm_to_bits(const vm *v, val x) { return LLVMBuildBitCast(v->b, x, v->bits, ""); }
val vm_from_bits(const vm *v, val x) { return LLVMBuildBitCast(v->b, x, v->type, ""); }

val vm_exp2_int(const vm *v, val n) {
    bool is_double = LLVMGetTypeKind(v->element) == LLVMDoubleTypeKind;
    val biased = LLVMBuildAdd(v->b, n, vm_int(v, is_double ? 1023 : 127), "");
    return vm_from_bits(v, LLVMBuildShl(v->b, biased, vm_int(v, is_double ? 52 : 23), ""));
}

bool vm_has_scale(const vm *v) {
    enum { LANES = 16 };
    return v->lanes == LANES && LLVMGetTypeKind(v->element) == LLVMFloatTypeKind &&
           tct_llvm_has_isa(tct_llvm_module(v->b), TCT_ISA_AVX512);
}

val vm_scale_where(const vm *v, val where, val x, val n) {
    enum { CURRENT_ROUNDING = 4 };
    LLVMContextRef c = tct_llvm_context(v->b);
    val mask = LLVMBuildBitCast(v->b, where, LLVMInt16TypeInContext(c), "");
    val args[] = {x, n, LLVMConstNull(v->type), mask,
                  LLVMConstInt(LLVMInt32TypeInContext(c), CURRENT_ROUNDING, 0)};
    return tct_llvm_intrinsic(v->b, "llvm.x86.avx512.mask.scalef.ps.512", NULL, 0, args, 5);
}
