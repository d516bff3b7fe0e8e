// Arithmetic of the interpreter: one operation on one number. f32 and bf16 are computed in float, f64 in
// double.
#include "ir/interp_core.h"

#include <math.h>

tct_scalar tct_scalar_load(const tct_ir_tensor *t, int64_t at) {
    switch (t->dtype) {
    case TCT_F32:
        return (tct_scalar){.f = (double)((const float *)t->data)[at]};
    case TCT_F64:
        return (tct_scalar){.f = ((const double *)t->data)[at]};
    case TCT_BF16:
        return (tct_scalar){.f = (double)tct_bf16_to_f32(((const tct_bf16 *)t->data)[at])};
    case TCT_I32:
        return (tct_scalar){.i = ((const int32_t *)t->data)[at]};
    case TCT_I64:
        return (tct_scalar){.i = ((const int64_t *)t->data)[at]};
    case TCT_I8:
        return (tct_scalar){.i = ((const int8_t *)t->data)[at]};
    default:
        return (tct_scalar){.i = ((const uint8_t *)t->data)[at] != 0};
    }
}

void tct_scalar_store(const tct_ir_tensor *t, int64_t at, tct_scalar x) {
    switch (t->dtype) {
    case TCT_F32:
        ((float *)t->data)[at] = (float)x.f;
        return;
    case TCT_F64:
        ((double *)t->data)[at] = x.f;
        return;
    case TCT_BF16:
        ((tct_bf16 *)t->data)[at] = tct_f32_to_bf16((float)x.f);
        return;
    case TCT_I32:
        ((int32_t *)t->data)[at] = (int32_t)(uint32_t)(uint64_t)x.i;
        return;
    case TCT_I64:
        ((int64_t *)t->data)[at] = x.i;
        return;
    case TCT_I8:
        ((int8_t *)t->data)[at] = (int8_t)(uint8_t)(uint64_t)x.i;
        return;
    default:
        ((uint8_t *)t->data)[at] = x.i != 0;
    }
}

// Two's complement that wraps.
static int64_t wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t wrap_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static int64_t wrap_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

// FLOAT and FN(name): the type and the C library's name for it.
#define UNARY(suffix, FLOAT, FN)                                                                             \
    static FLOAT unary_##suffix(tct_ir_op op, FLOAT x) {                                                     \
        switch (op) {                                                                                        \
        case TCT_IR_NEG:                                                                                     \
            return -x;                                                                                       \
        case TCT_IR_ABS:                                                                                     \
            return FN(fabs)(x);                                                                              \
        case TCT_IR_SIGN:                                                                                    \
            return isnan(x) ? x : (FLOAT)((x > 0) - (x < 0));                                                \
        case TCT_IR_FLOOR:                                                                                   \
            return FN(floor)(x);                                                                             \
        case TCT_IR_ROUND:                                                                                   \
            return FN(nearbyint)(x);                                                                         \
        case TCT_IR_EXP:                                                                                     \
            return FN(exp)(x);                                                                               \
        case TCT_IR_EXPM1:                                                                                   \
            return FN(expm1)(x);                                                                             \
        case TCT_IR_LOG:                                                                                     \
            return FN(log)(x);                                                                               \
        case TCT_IR_LOG1P:                                                                                   \
            return FN(log1p)(x);                                                                             \
        case TCT_IR_SQRT:                                                                                    \
            return FN(sqrt)(x);                                                                              \
        case TCT_IR_RSQRT:                                                                                   \
            return 1 / FN(sqrt)(x);                                                                          \
        case TCT_IR_SIN:                                                                                     \
            return FN(sin)(x);                                                                               \
        case TCT_IR_COS:                                                                                     \
            return FN(cos)(x);                                                                               \
        case TCT_IR_TANH:                                                                                    \
            return FN(tanh)(x);                                                                              \
        case TCT_IR_ERF:                                                                                     \
            return FN(erf)(x);                                                                               \
        case TCT_IR_SIGMOID:                                                                                 \
            return 1 / (1 + FN(exp)(-x));                                                                    \
        case TCT_IR_SOFTPLUS:                                                                                \
            return (x > 0 ? x : 0) + FN(log1p)(FN(exp)(-FN(fabs)(x)));                                       \
        default: /* stop_gradient */                                                                         \
            return x;                                                                                        \
        }                                                                                                    \
    }                                                                                                        \
    static FLOAT binary_##suffix(tct_ir_op op, FLOAT a, FLOAT b) {                                           \
        switch (op) {                                                                                        \
        case TCT_IR_ADD:                                                                                     \
            return a + b;                                                                                    \
        case TCT_IR_SUB:                                                                                     \
            return a - b;                                                                                    \
        case TCT_IR_MUL:                                                                                     \
            return a * b;                                                                                    \
        case TCT_IR_DIV:                                                                                     \
            return a / b;                                                                                    \
        case TCT_IR_POW:                                                                                     \
            return FN(pow)(a, b);                                                                            \
        case TCT_IR_MAX:                                                                                     \
            return a > b || isnan(a) ? a : b;                                                                \
        default: /* min */                                                                                   \
            return a < b || isnan(a) ? a : b;                                                                \
        }                                                                                                    \
    }
#define FLOAT_NAME(name) name##f
#define DOUBLE_NAME(name) name
UNARY(f32, float, FLOAT_NAME)
UNARY(f64, double, DOUBLE_NAME)
#undef UNARY
#undef FLOAT_NAME
#undef DOUBLE_NAME

static int64_t unary_int(tct_ir_op op, int64_t x) {
    switch (op) {
    case TCT_IR_NEG:
        return wrap_sub(0, x);
    case TCT_IR_ABS:
        return x < 0 ? wrap_sub(0, x) : x;
    case TCT_IR_SIGN:
        return (x > 0) - (x < 0);
    case TCT_IR_NOT:
        return !x;
    default: // stop_gradient
        return x;
    }
}

static int64_t floor_div(int64_t a, int64_t b) {
    if (b == 0) return 0;
    if (b == -1) return wrap_sub(0, a); // INT64_MIN / -1 would trap
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t binary_int(tct_ir_op op, int64_t a, int64_t b) {
    switch (op) {
    case TCT_IR_ADD:
        return wrap_add(a, b);
    case TCT_IR_SUB:
        return wrap_sub(a, b);
    case TCT_IR_MUL:
        return wrap_mul(a, b);
    case TCT_IR_DIV:
        return floor_div(a, b);
    case TCT_IR_MOD:
        return b == 0 ? 0 : wrap_sub(a, wrap_mul(b, floor_div(a, b)));
    case TCT_IR_MAX:
        return a > b ? a : b;
    case TCT_IR_MIN:
        return a < b ? a : b;
    case TCT_IR_AND:
        return a && b;
    default: // or
        return a || b;
    }
}

// a < b, a == b and a > b as the operation wants them; all false where a NaN is compared.
static bool compare(tct_ir_op op, bool less, bool equal, bool greater) {
    switch (op) {
    case TCT_IR_LT:
        return less;
    case TCT_IR_LE:
        return less || equal;
    case TCT_IR_GT:
        return greater;
    case TCT_IR_GE:
        return greater || equal;
    case TCT_IR_EQ:
        return equal;
    default: // ne
        return !equal;
    }
}

tct_scalar tct_scalar_unary(tct_ir_op op, tct_dtype t, tct_scalar x) {
    if (t == TCT_F64) return (tct_scalar){.f = unary_f64(op, x.f)};
    if (tct_dtype_is_float(t)) return (tct_scalar){.f = (double)unary_f32(op, (float)x.f)};
    return (tct_scalar){.i = unary_int(op, x.i)};
}

tct_scalar tct_scalar_binary(tct_ir_op op, tct_dtype t, tct_scalar a, tct_scalar b) {
    if (tct_ir_ops[op].rule == TCT_IR_RULE_BOOL) {
        bool floats = tct_dtype_is_float(t);
        return (tct_scalar){.i = floats ? compare(op, a.f < b.f, a.f == b.f, a.f > b.f)
                                        : compare(op, a.i < b.i, a.i == b.i, a.i > b.i)};
    }
    if (t == TCT_F64) return (tct_scalar){.f = binary_f64(op, a.f, b.f)};
    if (tct_dtype_is_float(t)) return (tct_scalar){.f = (double)binary_f32(op, (float)a.f, (float)b.f)};
    return (tct_scalar){.i = binary_int(op, a.i, b.i)};
}

static int64_t saturate(double x, tct_dtype to) {
    if (isnan(x)) return 0;
    double low = (double)tct_dtype_least(to), high = -low; // a power of two, 1 above the largest
    if (x <= low) return tct_dtype_least(to);
    if (x >= high) return tct_dtype_most(to);
    return (int64_t)x;
}

tct_scalar tct_scalar_cast(tct_dtype from, tct_dtype to, tct_scalar x) {
    bool floats = tct_dtype_is_float(from);
    if (to == TCT_BOOL) return (tct_scalar){.i = floats ? x.f != 0 : x.i != 0};
    if (tct_dtype_is_int(to)) {
        if (floats) return (tct_scalar){.i = saturate(x.f, to)};
        if (x.i < tct_dtype_least(to)) return (tct_scalar){.i = tct_dtype_least(to)};
        if (x.i > tct_dtype_most(to)) return (tct_scalar){.i = tct_dtype_most(to)};
        return x;
    }
    if (floats) return x; // storing rounds
    return (tct_scalar){.f = to == TCT_F64 ? (double)x.i : (double)(float)x.i};
}
