// f32: exp, log and what is made of them. The polynomials are minimax fits of our own
// (scripts/fit-vecmath); ln 2 is split in two so that n·ln2 loses nothing (Cody and Waite).
#include "codegen/vecmath_parts.h"

static const double log2_e = 1.44269504089, ln2_high = 0.693145751953125, ln2_low = 1.42860682030942e-6;

// eʳ = 1 + r + r²·Σ exp_tail[i]·rⁱ for |r| ≤ ln2/2
static const double exp_tail[] = {0.500000006179, 0.166665430732, 0.0416662822732, 0.00836657808374,
                                  0.00139464409795};
// log(1 + f) = f − f²/2 + f³·Σ log_tail[i]·fⁱ for √½ ≤ 1 + f ≤ √2
static const double log_tail[] = {0.333333166359, -0.250008119727, 0.200022949385, -0.166244999993,
                                  0.141809588773, -0.131290936215, 0.128834797003, -0.0786093728368};
// erf(x) = x + x·Σ erf_near[i]·x²ⁱ for |x| ≤ 1
static const double erf_near[] = {0.12837916573,    -0.376126258247,    0.112835851512,  -0.0268538119903,
                                  0.00518832772938, -0.000801019365851, 7.85386063158e-5};
// log(1 − erf(x)) = Σ erf_far[i]·xⁱ for 1 ≤ x ≤ 4
static const double erf_far[] = {0.00018803388784, -1.12957839593,    -0.633219946353,   -0.108418522796,
                                 0.0252082239119,  -0.00420455026677, 0.000441334145633, -2.16866700725e-5};

#define LENGTH(a) (unsigned)(sizeof(a) / sizeof *(a))

// x = n·ln2 + r
static val split_ln2(const vm *v, val x, val *n) {
    val whole = vm_round(v, vm_mul(v, x, vm_num(v, log2_e)), n);
    val r = vm_fma(v, whole, vm_num(v, -ln2_high), x);
    return vm_fma(v, whole, vm_num(v, -ln2_low), r);
}

// eʳ − 1
static val exp_near_zero(const vm *v, val r) {
    val tail = vm_poly(v, r, exp_tail, LENGTH(exp_tail));
    return vm_fma(v, vm_mul(v, r, r), tail, r);
}

val vm_exp(const vm *v, val x) {
    // Masks are -inf: they must not go through subnormal numbers, which take a processor a hundred times as
    // long.
    val zero = vm_num(v, 0), vanishes = vm_cmp(v, LLVMRealOLT, x, vm_num(v, -104));
    val n, r = split_ln2(v, vm_at_most(v, vm_if(v, vanishes, zero, x), 89), &n);
    val e = vm_add(v, exp_near_zero(v, r), vm_num(v, 1));
    // 2ⁿ in two steps: the first is exact, the second rounds to a subnormal or overflows as it should.
    val half = LLVMBuildAShr(v->b, n, vm_int(v, 1), "");
    e = vm_mul(v, e, vm_exp2_int(v, half));
    e = vm_mul(v, e, vm_exp2_int(v, LLVMBuildSub(v->b, n, half, "")));
    return vm_if(v, vanishes, zero, e);
}

val vm_expm1(const vm *v, val x) {
    val n, r = split_ln2(v, vm_at_most(v, vm_at_least(v, x, -18), 89), &n);
    // 2·(2ⁿ⁻¹·(eʳ − 1) + (2ⁿ⁻¹ − ½)): 2ⁿ alone would overflow at n = 128.
    val half = vm_exp2_int(v, LLVMBuildSub(v->b, n, vm_int(v, 1), ""));
    val e = vm_fma(v, half, exp_near_zero(v, r), vm_sub(v, half, vm_num(v, 0.5)));
    e = vm_add(v, e, e);
    return vm_if(v, vm_cmp(v, LLVMRealOLT, vm_abs(v, x), vm_num(v, 0x1p-25)), x, e);
}

// u = 2ᵉ·m with √½ ≤ m < √2, u normal and positive; *bits: what to take from u's bits to get m's, e in the
// exponent field.
static val split_exponent(const vm *v, val u, val *bits) {
    val above = LLVMBuildSub(v->b, vm_to_bits(v, u), vm_int(v, 0x3F3504F3), ""); // √½
    *bits = LLVMBuildAnd(v->b, above, vm_int(v, (int64_t)0xFF800000), "");
    val e = LLVMBuildAShr(v->b, above, vm_int(v, 23), "");
    return LLVMBuildSIToFP(v->b, e, v->type, "");
}

static val without_exponent(const vm *v, val u, val bits) {
    return vm_from_bits(v, LLVMBuildSub(v->b, vm_to_bits(v, u), bits, ""));
}

// e·ln2 + log(1 + f)
static val log_sum(const vm *v, val e, val f) {
    val square = vm_mul(v, f, f);
    val tail = vm_mul(v, vm_mul(v, f, square), vm_poly(v, f, log_tail, LENGTH(log_tail)));
    tail = vm_fma(v, e, vm_num(v, ln2_low), tail);
    tail = vm_fma(v, square, vm_num(v, -0.5), tail);
    return vm_fma(v, e, vm_num(v, ln2_high), vm_add(v, f, tail));
}

// What a logarithm of u is where u is no positive finite number; `inside` elsewhere.
static val log_edges(const vm *v, val u, val inside) {
    val infinity = vm_num(v, __builtin_inf());
    val y = vm_if(v, vm_cmp(v, LLVMRealOEQ, u, infinity), infinity, inside);
    y = vm_if(v, vm_cmp(v, LLVMRealOEQ, u, vm_num(v, 0)), vm_neg(v, infinity), y);
    return vm_if(v, vm_cmp(v, LLVMRealUGE, u, vm_num(v, 0)), vm_if(v, vm_cmp(v, LLVMRealUNO, u, u), u, y),
                 vm_num(v, __builtin_nan("")));
}

val vm_log(const vm *v, val x) {
    val tiny = vm_cmp(v, LLVMRealOLT, x, vm_num(v, 0x1p-126));
    val u = vm_if(v, tiny, vm_mul(v, x, vm_num(v, 0x1p23)), x), bits;
    val e = split_exponent(v, u, &bits);
    e = vm_add(v, e, vm_if(v, tiny, vm_num(v, -23), vm_num(v, 0)));
    val f = vm_sub(v, without_exponent(v, u, bits), vm_num(v, 1));
    return log_edges(v, x, log_sum(v, e, f));
}

val vm_log1p(const vm *v, val x) {
    val one = vm_num(v, 1), u = vm_add(v, x, one);
    val large = vm_cmp(v, LLVMRealOGT, x, one); // what u lost, exactly
    val lost = vm_if(v, large, vm_sub(v, one, vm_sub(v, u, x)), vm_sub(v, x, vm_sub(v, u, one)));
    val bits, e = split_exponent(v, u, &bits);
    val f = vm_sub(v, without_exponent(v, u, bits), one);
    // A large u lost nothing, and the scale of its exponent may not exist.
    val exact = vm_fma(v, lost, without_exponent(v, one, bits), f);
    f = vm_if(v, vm_cmp(v, LLVMRealOGT, u, vm_num(v, 0x1p25)), f, exact);
    val y = log_edges(v, u, log_sum(v, e, f));
    return vm_if(v, vm_cmp(v, LLVMRealOLT, vm_abs(v, x), vm_num(v, 0x1p-25)), x, y);
}

val vm_tanh(const vm *v, val x) {
    val e = vm_expm1(v, vm_mul(v, vm_abs(v, x), vm_num(v, -2)));
    return vm_copysign(v, vm_div(v, vm_neg(v, e), vm_add(v, e, vm_num(v, 2))), x);
}

val vm_sigmoid(const vm *v, val x) {
    val one = vm_num(v, 1), e = vm_exp(v, vm_neg(v, vm_abs(v, x)));
    val top = vm_if(v, vm_cmp(v, LLVMRealOLT, x, vm_num(v, 0)), e, one);
    return vm_div(v, top, vm_add(v, one, e));
}

val vm_softplus(const vm *v, val x) {
    val rest = vm_log1p(v, vm_exp(v, vm_neg(v, vm_abs(v, x))));
    return vm_add(v, vm_at_least(v, x, 0), rest);
}

val vm_erf(const vm *v, val x) {
    val a = vm_at_most(v, vm_abs(v, x), 4);
    val near = vm_fma(v, x, vm_poly(v, vm_mul(v, a, a), erf_near, LENGTH(erf_near)), x);
    val far = vm_sub(v, vm_num(v, 1), vm_exp(v, vm_poly(v, a, erf_far, LENGTH(erf_far))));
    return vm_if(v, vm_cmp(v, LLVMRealOLT, a, vm_num(v, 1)), near, vm_copysign(v, far, x));
}
