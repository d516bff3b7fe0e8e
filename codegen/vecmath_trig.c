// f32: sin and cos, for all arguments. x·2/π mod 4 comes from a table over x's exponent (Payne and Hanek's
// idea), in double arithmetic: the high part of 2/π has so few bits that its product with x is exact.
#include "codegen/vecmath_parts.h"

// 2/π in binary, from the bit of weight ½ on.
static const uint64_t two_over_pi[] = {0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
                                       0xFE5163ABDEBBC561};

enum {
    FIRST_EXPONENT = 147, // biased; smaller arguments (|x| < 2²⁰) take 2/π as it is
    N_EXPONENTS = 254 - FIRST_EXPONENT + 1,
};

// sin r = r + r³·Σ sin_tail[i]·r²ⁱ, cos r = 1 − r²/2 + r⁴·Σ cos_tail[i]·r²ⁱ for |r| ≤ π/4
static const double sin_tail[] = {-0.166666548734, 0.0083321735407, -0.000195166554885};
static const double cos_tail[] = {0.0416666467479, -0.00138873614574, 2.44377308427e-5};

// `n` bits of 2/π, n ≤ 64, the first of weight 2⁻¹⁻ˢᵏⁱᵖ; bits before the point are 0.
static uint64_t bits_of_two_over_pi(int skip, int n) {
    uint64_t bits = 0;
    for (int i = skip; i < skip + n; i++) {
        uint64_t bit = i < 0 ? 0 : two_over_pi[i / 64] >> (63 - i % 64) & 1;
        bits = bits << 1 | bit;
    }
    return bits;
}

// 2^exponent · 2/π mod 4 = *high + *low: *high has the bits of weight 2 to 2⁻²⁶, *low the 53 after them.
static void reduced(int exponent, double *high, double *low) {
    *high = (double)bits_of_two_over_pi(exponent - 2, 28) * 0x1p-26;
    *low = (double)bits_of_two_over_pi(exponent + 26, 53) * 0x1p-79;
}

static val constant_table(const vm *w, const double *numbers, unsigned n) {
    val all[N_EXPONENTS];
    for (unsigned i = 0; i < n; i++) all[i] = LLVMConstReal(w->element, numbers[i]);
    LLVMTypeRef type = LLVMArrayType2(w->element, n);
    val global = LLVMAddGlobal(tct_llvm_module(w->b), type, "two_over_pi");
    LLVMSetInitializer(global, LLVMConstArray2(w->element, all, n));
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

static val look_up(const vm *w, val table, val index) {
    val at = LLVMBuildGEP2(w->b, w->element, table, &index, 1, "");
    if (!w->lanes) return tct_llvm_load(w->b, w->element, at, 8);
    return tct_llvm_gather(w->b, w->type, at, 8);
}

// |x| = (n + f)·π/2 with |f| ≤ ½; returns f·π/2 as float, *quadrant = n.
static val reduce(const vm *v, val x, val *quadrant) {
    double highs[N_EXPONENTS], lows[N_EXPONENTS], high, low;
    for (int i = 0; i < N_EXPONENTS; i++) reduced(i + FIRST_EXPONENT - 150, &highs[i], &lows[i]);
    vm w = vm_wide(v);
    val a = vm_abs(v, x), bits = vm_to_bits(v, a);
    val index =
        LLVMBuildSub(v->b, LLVMBuildLShr(v->b, bits, vm_int(v, 23), ""), vm_int(v, FIRST_EXPONENT), "");
    val big = LLVMBuildICmp(v->b, LLVMIntSGE, index, vm_int(v, 0), "");
    val beyond = LLVMBuildICmp(v->b, LLVMIntSGE, index, vm_int(v, N_EXPONENTS), "");
    index = vm_if(v, LLVMBuildAnd(v->b, big, LLVMBuildNot(v->b, beyond, ""), ""), index, vm_int(v, 0));
    // The mantissa as an integer: x / 2^(exponent − 150).
    val mantissa = LLVMBuildAnd(v->b, bits, vm_int(v, 0x7FFFFF), "");
    mantissa = LLVMBuildOr(v->b, mantissa, vm_int(v, 0x800000), "");
    val whole = LLVMBuildUIToFP(v->b, mantissa, w.type, "");
    val m = vm_if(&w, big, whole, LLVMBuildFPExt(v->b, a, w.type, ""));
    reduced(0, &high, &low);
    val h = vm_if(&w, big, look_up(&w, constant_table(&w, highs, N_EXPONENTS), index), vm_num(&w, high));
    val l = vm_if(&w, big, look_up(&w, constant_table(&w, lows, N_EXPONENTS), index), vm_num(&w, low));
    val product = vm_mul(&w, m, h), n = vm_round(&w, vm_fma(&w, m, l, product), NULL);
    val f = vm_fma(&w, m, l, vm_sub(&w, product, n));
    *quadrant = LLVMBuildFPToSI(v->b, n, v->bits, "");
    val r = LLVMBuildFPTrunc(v->b, vm_mul(&w, f, vm_num(&w, 1.5707963267948966)), v->type, "");
    return vm_add(v, r, vm_sub(v, x, x)); // NaN for infinities and NaN
}

// sin(r + n·π/2)
static val sine(const vm *v, val r, val n) {
    val square = vm_mul(v, r, r);
    val s = vm_fma(v, vm_mul(v, square, r), vm_poly(v, square, sin_tail, 3), r);
    val c = vm_fma(v, square, vm_num(v, -0.5), vm_num(v, 1));
    c = vm_fma(v, vm_mul(v, square, square), vm_poly(v, square, cos_tail, 3), c);
    val odd = LLVMBuildICmp(v->b, LLVMIntNE, LLVMBuildAnd(v->b, n, vm_int(v, 1), ""), vm_int(v, 0), "");
    val sign = LLVMBuildShl(v->b, LLVMBuildAnd(v->b, n, vm_int(v, 2), ""), vm_int(v, 30), "");
    return vm_from_bits(v, LLVMBuildXor(v->b, vm_to_bits(v, vm_if(v, odd, c, s)), sign, ""));
}

val vm_sin(const vm *v, val x) {
    val n, r = reduce(v, x, &n);
    val sign = LLVMBuildAnd(v->b, vm_to_bits(v, x), vm_int(v, (int64_t)0x80000000), "");
    return vm_from_bits(v, LLVMBuildXor(v->b, vm_to_bits(v, sine(v, r, n)), sign, ""));
}

val vm_cos(const vm *v, val x) {
    val n, r = reduce(v, x, &n);
    return sine(v, r, LLVMBuildAdd(v->b, n, vm_int(v, 1), ""));
}
