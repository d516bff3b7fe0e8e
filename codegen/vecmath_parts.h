// Internal to vecmath*.c: shorthand to write arithmetic on values of one type, scalar or vector.
#ifndef TCT_CODEGEN_VECMATH_PARTS_H
#define TCT_CODEGEN_VECMATH_PARTS_H

#include "codegen/llvm.h"

#include <stdbool.h>
#include <stddef.h>

// `type` is float or double or a vector of it, `bits` the integer type of the same shape.
typedef struct vm {
    LLVMBuilderRef b;
    unsigned lanes; // 0: scalar
    LLVMTypeRef element, type, bit_element, bits;
} vm;

typedef LLVMValueRef val;

vm vm_of(LLVMBuilderRef b, LLVMTypeRef type);
// The same shape with double elements.
vm vm_wide(const vm *v);

val vm_num(const vm *v, double x);  // x in every lane
val vm_int(const vm *v, int64_t x); // integer x in every lane
val vm_add(const vm *v, val x, val y);
val vm_sub(const vm *v, val x, val y);
val vm_mul(const vm *v, val x, val y);
val vm_div(const vm *v, val x, val y);
val vm_neg(const vm *v, val x);
val vm_fma(const vm *v, val x, val y, val z);                 // x·y + z, fused where the target can
val vm_poly(const vm *v, val x, const double *c, unsigned n); // c[0] + c[1]·x + …
val vm_abs(const vm *v, val x);
val vm_copysign(const vm *v, val magnitude, val sign);
val vm_sqrt(const vm *v, val x);
val vm_trunc(const vm *v, val x);
val vm_if(const vm *v, val condition, val then, val otherwise);
val vm_cmp(const vm *v, LLVMRealPredicate p, val x, val y);
val vm_at_least(const vm *v, val x, double low); // x below `low` becomes `low`; NaN stays
val vm_at_most(const vm *v, val x, double high);
// Rounds to the nearest integer, |x| < 2²² (float) or 2⁵¹ (double); *whole, when asked for, gets it as an
// integer.
val vm_round(const vm *v, val x, val *whole);
val vm_round_product(const vm *v, val x, double by, val *whole); // of x·by
val vm_to_bits(const vm *v, val x);
val vm_from_bits(const vm *v, val x);
val vm_exp2_int(const vm *v, val n); // 2ⁿ, n an integer within the normal exponents
// x·2ⁿ, n a whole number, in one instruction that rounds once and overflows as it should, and 0 but `where`;
// if there is one.
bool vm_has_scale(const vm *v);
val vm_scale_where(const vm *v, val where, val x, val n);

// The f32 functions.
val vm_exp(const vm *v, val x);
val vm_expm1(const vm *v, val x);
val vm_log(const vm *v, val x);
val vm_log1p(const vm *v, val x);
val vm_tanh(const vm *v, val x);
val vm_sigmoid(const vm *v, val x);
val vm_softplus(const vm *v, val x);
val vm_erf(const vm *v, val x);
val vm_sin(const vm *v, val x);
val vm_cos(const vm *v, val x);
val vm_pow(const vm *v, val x, val y);

#endif
