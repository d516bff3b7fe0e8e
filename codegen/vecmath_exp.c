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
// erf(x) = x·Σ erf_all[i]·sⁱ, s = 2·(x / 3.92)² − 1, for |x| ≤ 3.92; beyond it is 1
static const double erf_end = 3.92;
static const double erf_all[] = {0.360736811318,   -0.180108628197,   0.134084555418,   -0.109179226024,
                                 0.0905969661928,  -0.0740198084122,  0.0583960273039,  -0.0434369041384,
                                 0.0296974842733,  -0.0199949282643,  0.0142100654569,  -0.00766065661766,
                                 0.00191989270101, -0.00139445420202, 0.00209878008664, -0.000843950059946};
// tanh(x) = x·Σ tanh_top[i]·x²ⁱ / Σ tanh_bottom[i]·x²ⁱ for |x| ≤ 9.02; beyond it is 1
static const double tanh_end = 9.02;
static const double tanh_top[] = {0.999999979011, 0.133797173618, 0.00349403390313, 2.05834715831e-5,
                                  1.33190604556e-8};
static const double tanh_bottom[] = {1.0, 0.467130326005, 0.0258710706241, 0.000328309181533,
                                     7.7620143439e-7};

#define LENGTH(a) (unsigned)(sizeof(a) / sizeof *(a))

// x = n·ln2 + r; *whole is n as it comes, *n as an integer.
static val split_ln2(const vm *v, val x, val *whole, val *n) {
    *whole = vm_round_product(v, x, log2_e, n);
    val r = vm_fma(v, *whole, vm_num(v, -ln2_high), x);
    return vm_fma(v, *whole, vm_num(v, -ln2_low), r);
}

// eʳ − 1
static val exp_near_zero(const vm *v, val r) {
    val tail = vm_poly(v, r, exp_tail, LENGTH(exp_tail));
    return vm_fma(v, vm_mul(v, r, r), tail, r);
}

// eʳ, |r| ≤ ln2/2
static val exp_of(const vm *v, val r) {
    val one = vm_num(v, 1), tail = vm_poly(v, r, exp_tail, LENGTH(exp_tail));
    return vm_fma(v, vm_fma(v, tail, r, one), r, one);
}

val vm_exp(const vm *v, val x) {
    // Masks are -inf: they must not go through subnormal numbers, which take a processor a hundred times as
    // long, even where it only scales by 2ⁿ.
    val n, whole, zero = vm_num(v, 0), least = vm_num(v, -104);
    if (vm_has_scale(v)) { // lanes that are left out take no time, whatever is in them
        val r = split_ln2(v, vm_at_most(v, x, 200), &whole, &n);
        return vm_scale_where(v, vm_cmp(v, LLVMRealUGE, x, least), exp_of(v, r), whole);
    }
    val vanishes = vm_cmp(v, LLVMRealOLT, x, least);
    val r = split_ln2(v, vm_at_most(v, vm_if(v, vanishes, zero, x), 89), &whole, &n);
    // 2ⁿ in two steps: the first is exact, the second rounds to a subnormal or overflows as it should.
    val half = LLVMBuildAShr(v->b, n, vm_int(v, 1), "");
    val e = vm_mul(v, exp_of(v, r), vm_exp2_int(v, half));
    e = vm_mul(v, e, vm_exp2_int(v, LLVMBuildSub(v->b, n, half, "")));
    return vm_if(v, vanishes, zero, e);
}

val vm_expm1(const vm *v, val x) {
    val whole, n, r = split_ln2(v, vm_at_most(v, vm_at_least(v, x, -18), 89), &whole, &n);
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

// `inside`, but ±1 where |x| is greater than `end`.
static val one_beyond(const vm *v, val x, double end, val inside) {
    val beyond = vm_cmp(v, LLVMRealOGT, vm_abs(v, x), vm_num(v, end));
    return vm_if(v, beyond, vm_copysign(v, vm_num(v, 1), x), inside);
}

val vm_tanh(const vm *v, val x) {
    val square = vm_mul(v, x, x);
    val top = vm_mul(v, x, vm_poly(v, square, tanh_top, LENGTH(tanh_top)));
    return one_beyond(v, x, tanh_end, vm_div(v, top, vm_poly(v, square, tanh_bottom, LENGTH(tanh_bottom))));
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
    val scaled = vm_mul(v, x, vm_num(v, 2 / (erf_end * erf_end)));
    val at = vm_fma(v, scaled, x, vm_num(v, -1));
    return one_beyond(v, x, erf_end, vm_mul(v, x, vm_poly(v, at, erf_all, LENGTH(erf_all))));
}
