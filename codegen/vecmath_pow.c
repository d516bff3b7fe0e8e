// f32: pow, as 2^(y·log2|x|) in double arithmetic, so that one rounding to float is left.
#include "codegen/vecmath_parts.h"

// log2((1 + s) / (1 − s)) = s·Σ log2_odd[i]·s²ⁱ for |s| ≤ 0.1716
static const double log2_odd[] = {2.88539008178,  0.961796694114, 0.577077942175,
                                  0.412209270597, 0.319904982529, 0.282909965111};
// 2ʳ = Σ exp2_all[i]·rⁱ for |r| ≤ ½
static const double exp2_all[] = {0.999999999959,   0.693147180535,   0.240226512142,    0.0555041097625,
                                  0.00961802552238, 0.00133334225307, 0.000154697579553, 1.53164886054e-5};

// log2 of a finite positive double that is normal.
static val log2_wide(const vm *w, val x) {
    val above = LLVMBuildSub(w->b, vm_to_bits(w, x), vm_int(w, 0x3FE6A09E667F3BCD), ""); // √½
    val e = LLVMBuildAShr(w->b, above, vm_int(w, 52), "");
    val m =
        vm_from_bits(w, LLVMBuildSub(w->b, vm_to_bits(w, x), LLVMBuildShl(w->b, e, vm_int(w, 52), ""), ""));
    val one = vm_num(w, 1), s = vm_div(w, vm_sub(w, m, one), vm_add(w, m, one));
    // The exponent as a double: |e| < 2⁵¹, through the low bits of 1.5·2⁵².
    val shift = vm_num(w, 0x1.8p52);
    val whole = vm_sub(w, vm_from_bits(w, LLVMBuildAdd(w->b, vm_to_bits(w, shift), e, "")), shift);
    return vm_fma(w, s, vm_poly(w, vm_mul(w, s, s), log2_odd, 6), whole);
}

static val exp2_wide(const vm *w, val x) {
    val n, whole = vm_round(w, x, &n);
    val r = vm_sub(w, x, whole);
    return vm_mul(w, vm_poly(w, r, exp2_all, 8), vm_exp2_int(w, n));
}

val vm_pow(const vm *v, val x, val y) {
    vm w = vm_wide(v);
    val zero = vm_num(v, 0), one = vm_num(v, 1), infinity = vm_num(v, __builtin_inf()), a = vm_abs(v, x);
    val wide_y = LLVMBuildFPExt(v->b, y, w.type, "");
    val t = vm_mul(&w, wide_y, log2_wide(&w, LLVMBuildFPExt(v->b, a, w.type, "")));
    t = vm_at_most(&w, vm_at_least(&w, t, -200), 200);
    val p = LLVMBuildFPTrunc(v->b, exp2_wide(&w, t), v->type, "");

    val positive = vm_cmp(v, LLVMRealOGT, y, zero), huge = vm_cmp(v, LLVMRealOEQ, vm_abs(v, y), infinity);
    // |x| = 0 or ∞, or y = ±∞: grows or vanishes by the sides of 1 and 0 they are on.
    val above = vm_cmp(v, LLVMRealOGT, a, one);
    val edge = vm_if(v, LLVMBuildICmp(v->b, LLVMIntEQ, above, positive, ""), infinity, zero);
    val extreme = LLVMBuildOr(v->b, vm_cmp(v, LLVMRealOEQ, a, zero), vm_cmp(v, LLVMRealOEQ, a, infinity), "");
    p = vm_if(v, LLVMBuildOr(v->b, extreme, huge, ""), edge, p);
    p = vm_if(v, LLVMBuildAnd(v->b, huge, vm_cmp(v, LLVMRealOEQ, a, one), ""), one, p);

    // Negative x: an odd y keeps the sign; a y that is no integer has no real power.
    val half = vm_mul(v, y, vm_num(v, 0.5));
    val integer = vm_cmp(v, LLVMRealOEQ, vm_trunc(v, y), y);
    val odd = LLVMBuildAnd(v->b, integer, vm_cmp(v, LLVMRealONE, vm_trunc(v, half), half), "");
    p = vm_if(v, odd, vm_copysign(v, p, x), p);
    val finite_negative =
        LLVMBuildAnd(v->b, vm_cmp(v, LLVMRealOLT, x, zero), vm_cmp(v, LLVMRealOLT, a, infinity), "");
    val unreal = LLVMBuildAnd(v->b, finite_negative, LLVMBuildNot(v->b, integer, ""), "");
    p = vm_if(v, unreal, vm_num(v, __builtin_nan("")), p);

    val unordered = vm_cmp(v, LLVMRealUNO, x, y);
    p = vm_if(v, unordered, vm_add(v, x, y), p);
    val certain = LLVMBuildOr(v->b, vm_cmp(v, LLVMRealOEQ, y, zero), vm_cmp(v, LLVMRealOEQ, x, one), "");
    return vm_if(v, certain, one, p);
}
