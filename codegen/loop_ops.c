// The elementwise operations, conversions and reduction steps of loop kernels, on scalars and vectors alike.
#include "codegen/loop.h"
#include "codegen/vecmath.h"

#include <assert.h>
#include <float.h>
#include <math.h>

static LLVMTypeRef widened(LLVMTypeRef t, unsigned lanes) { return lanes ? LLVMVectorType(t, lanes) : t; }

LLVMTypeRef tct_loop_register_type(LLVMContextRef c, tct_dtype dtype, unsigned lanes) {
    switch (dtype) {
    case TCT_F64:
        return widened(LLVMDoubleTypeInContext(c), lanes);
    case TCT_I32:
        return widened(LLVMInt32TypeInContext(c), lanes);
    case TCT_I64:
        return widened(LLVMInt64TypeInContext(c), lanes);
    case TCT_I8:
        return widened(LLVMInt8TypeInContext(c), lanes);
    case TCT_BOOL:
        return widened(LLVMInt1TypeInContext(c), lanes);
    default:
        return widened(LLVMFloatTypeInContext(c), lanes);
    }
}

LLVMTypeRef tct_loop_memory_type(LLVMContextRef c, tct_dtype dtype, unsigned lanes) {
    if (dtype == TCT_BOOL) return widened(LLVMInt8TypeInContext(c), lanes);
    if (dtype == TCT_BF16) return widened(LLVMInt16TypeInContext(c), lanes);
    return tct_loop_register_type(c, dtype, lanes);
}

static LLVMValueRef splat_const(LLVMValueRef x, unsigned lanes) {
    if (!lanes) return x;
    LLVMValueRef all[TCT_LOOP_LANES];
    assert(lanes <= TCT_LOOP_LANES);
    for (unsigned k = 0; k < lanes; k++) all[k] = x;
    return LLVMConstVector(all, lanes);
}

LLVMValueRef tct_loop_emit_const(LLVMContextRef c, tct_dtype dtype, unsigned lanes, double f, int64_t i) {
    LLVMTypeRef t = tct_loop_register_type(c, dtype, 0);
    if (dtype == TCT_F64) return splat_const(LLVMConstReal(t, f), lanes);
    if (dtype == TCT_F32) return splat_const(LLVMConstReal(t, (double)(float)f), lanes);
    if (dtype == TCT_BF16)
        return splat_const(LLVMConstReal(t, tct_bf16_to_f32(tct_f32_to_bf16((float)f))), lanes);
    return splat_const(LLVMConstInt(t, dtype == TCT_BOOL ? i != 0 : (uint64_t)i, 1), lanes);
}

static LLVMValueRef int_const(LLVMTypeRef like, int64_t x) {
    bool vector = LLVMGetTypeKind(like) == LLVMVectorTypeKind;
    LLVMTypeRef t = vector ? LLVMGetElementType(like) : like;
    return splat_const(LLVMConstInt(t, (uint64_t)x, 1), vector ? LLVMGetVectorSize(like) : 0);
}

static LLVMValueRef real_const(LLVMTypeRef like, double x) {
    bool vector = LLVMGetTypeKind(like) == LLVMVectorTypeKind;
    LLVMTypeRef t = vector ? LLVMGetElementType(like) : like;
    return splat_const(LLVMConstReal(t, x), vector ? LLVMGetVectorSize(like) : 0);
}

static LLVMValueRef call1(LLVMBuilderRef b, const char *name, LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    return tct_llvm_intrinsic(b, name, &t, 1, &x, 1);
}

// Rounds an f32 to the nearest bf16, still as f32; a NaN stays one.
static LLVMValueRef round_bf16(LLVMBuilderRef b, unsigned lanes, LLVMValueRef x) {
    LLVMContextRef c = tct_llvm_context(b);
    LLVMTypeRef it = tct_loop_register_type(c, TCT_I32, lanes);
    LLVMValueRef bits = LLVMBuildBitCast(b, x, it, "");
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, int_const(it, 16), ""), int_const(it, 1), "");
    LLVMValueRef up = LLVMBuildAdd(b, LLVMBuildAdd(b, bits, int_const(it, 0x7FFF), ""), odd, "");
    LLVMValueRef quiet = LLVMBuildOr(b, bits, int_const(it, 0x00400000), "");
    LLVMValueRef nan = LLVMBuildFCmp(b, LLVMRealUNO, x, x, "");
    LLVMValueRef rounded = LLVMBuildSelect(b, nan, quiet, up, "");
    rounded = LLVMBuildAnd(b, rounded, int_const(it, (int64_t)0xFFFF0000u), "");
    return LLVMBuildBitCast(b, rounded, tct_loop_register_type(c, TCT_F32, lanes), "");
}

LLVMValueRef tct_loop_emit_widen(LLVMBuilderRef b, tct_dtype dtype, unsigned lanes, LLVMValueRef x) {
    LLVMContextRef c = tct_llvm_context(b);
    if (dtype == TCT_BOOL) return LLVMBuildICmp(b, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
    if (dtype != TCT_BF16) return x;
    LLVMTypeRef it = tct_loop_register_type(c, TCT_I32, lanes);
    LLVMValueRef bits = LLVMBuildShl(b, LLVMBuildZExt(b, x, it, ""), int_const(it, 16), "");
    return LLVMBuildBitCast(b, bits, tct_loop_register_type(c, TCT_F32, lanes), "");
}

LLVMValueRef tct_loop_emit_narrow(LLVMBuilderRef b, tct_dtype dtype, unsigned lanes, LLVMValueRef x) {
    LLVMContextRef c = tct_llvm_context(b);
    if (dtype == TCT_BOOL) return LLVMBuildZExt(b, x, tct_loop_memory_type(c, dtype, lanes), "");
    if (dtype != TCT_BF16) return x;
    LLVMTypeRef it = tct_loop_register_type(c, TCT_I32, lanes);
    LLVMValueRef bits = LLVMBuildLShr(b, LLVMBuildBitCast(b, x, it, ""), int_const(it, 16), "");
    return LLVMBuildTrunc(b, bits, tct_loop_memory_type(c, dtype, lanes), "");
}

static LLVMValueRef to_float(LLVMBuilderRef b, tct_dtype from, tct_dtype to, unsigned lanes, LLVMValueRef x) {
    LLVMTypeRef t = tct_loop_register_type(tct_llvm_context(b), to, lanes);
    LLVMValueRef y;
    if (from == TCT_BOOL) {
        y = LLVMBuildUIToFP(b, x, t, "");
    } else if (tct_dtype_is_int(from)) {
        y = LLVMBuildSIToFP(b, x, t, "");
    } else if (from == TCT_F64) {
        y = to == TCT_F64 ? x : LLVMBuildFPTrunc(b, x, t, "");
    } else {
        y = to == TCT_F64 ? LLVMBuildFPExt(b, x, t, "") : x;
    }
    return to == TCT_BF16 && from != TCT_BOOL && from != TCT_BF16 ? round_bf16(b, lanes, y) : y;
}

static LLVMValueRef saturate(LLVMBuilderRef b, tct_dtype to, LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef low[] = {x, int_const(t, tct_dtype_least(to))};
    LLVMValueRef high[] = {tct_llvm_intrinsic(b, "llvm.smax", &t, 1, low, 2),
                           int_const(t, tct_dtype_most(to))};
    return tct_llvm_intrinsic(b, "llvm.smin", &t, 1, high, 2);
}

// Truncated, saturating, NaN to 0: in range before it is converted, by instructions that vectors have, too.
static LLVMValueRef float_to_i8(LLVMBuilderRef b, unsigned lanes, LLVMValueRef x) {
    LLVMContextRef c = tct_llvm_context(b);
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef least = real_const(t, INT8_MIN), most = real_const(t, INT8_MAX);
    LLVMValueRef y = LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOGT, x, least, ""), x, least, "");
    y = LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOLT, y, most, ""), y, most, "");
    LLVMValueRef nan = LLVMBuildFCmp(b, LLVMRealUNO, x, x, "");
    y = LLVMBuildSelect(b, nan, LLVMConstNull(t), y, "");
    y = LLVMBuildFPToSI(b, y, tct_loop_register_type(c, TCT_I32, lanes), "");
    return LLVMBuildTrunc(b, y, tct_loop_register_type(c, TCT_I8, lanes), "");
}

static LLVMValueRef cast(LLVMBuilderRef b, tct_dtype from, tct_dtype to, unsigned lanes, LLVMValueRef x) {
    LLVMTypeRef t = tct_loop_register_type(tct_llvm_context(b), to, lanes);
    if (from == to) return x;
    if (tct_dtype_is_float(to)) return to_float(b, from, to, lanes, x);
    if (to == TCT_BOOL)
        return tct_dtype_is_float(from) ? LLVMBuildFCmp(b, LLVMRealUNE, x, LLVMConstNull(LLVMTypeOf(x)), "")
                                        : LLVMBuildICmp(b, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
    if (from == TCT_BOOL) return LLVMBuildZExt(b, x, t, "");
    if (tct_dtype_is_int(from))
        return tct_dtype_size(from) < tct_dtype_size(to) ? LLVMBuildSExt(b, x, t, "")
                                                         : LLVMBuildTrunc(b, saturate(b, to, x), t, "");
    if (to == TCT_I8) return float_to_i8(b, lanes, x);
    LLVMTypeRef overload[] = {t, LLVMTypeOf(x)};
    return tct_llvm_intrinsic(b, "llvm.fptosi.sat", overload, 2, &x, 1);
}

static LLVMValueRef compare(LLVMBuilderRef b, tct_ir_op op, tct_dtype dtype, LLVMValueRef x, LLVMValueRef y) {
    static const LLVMRealPredicate real[] = {LLVMRealOLT, LLVMRealOLE, LLVMRealOGT,
                                             LLVMRealOGE, LLVMRealOEQ, LLVMRealUNE};
    static const LLVMIntPredicate integer[] = {LLVMIntSLT, LLVMIntSLE, LLVMIntSGT,
                                               LLVMIntSGE, LLVMIntEQ,  LLVMIntNE};
    unsigned k = op == TCT_IR_LT   ? 0
                 : op == TCT_IR_LE ? 1
                 : op == TCT_IR_GT ? 2
                 : op == TCT_IR_GE ? 3
                 : op == TCT_IR_EQ ? 4
                                   : 5;
    return tct_dtype_is_float(dtype) ? LLVMBuildFCmp(b, real[k], x, y, "")
                                     : LLVMBuildICmp(b, integer[k], x, y, "");
}

// A constant other than NaN, the same in all lanes.
static bool is_number(LLVMValueRef x) {
    LLVMBool inexact;
    if (LLVMIsAConstant(x) && LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind)
        x = LLVMGetAggregateElement(x, 0);
    return x && LLVMIsAConstantFP(x) && !isnan(LLVMConstRealGetDouble(x, &inexact));
}

// The larger (smaller) of two, NaN if either is.
static LLVMValueRef extreme(LLVMBuilderRef b, bool larger, tct_dtype dtype, LLVMValueRef x, LLVMValueRef y) {
    if (!tct_dtype_is_float(dtype))
        return LLVMBuildSelect(b, LLVMBuildICmp(b, larger ? LLVMIntSGT : LLVMIntSLT, x, y, ""), x, y, "");
    LLVMRealPredicate before = larger ? LLVMRealOGT : LLVMRealOLT;
    if (is_number(y)) { // only the other one may be NaN, and stands second: one instruction
        LLVMValueRef number = y;
        y = x;
        x = number;
    }
    LLVMValueRef m = LLVMBuildSelect(b, LLVMBuildFCmp(b, before, x, y, ""), x, y, "");
    if (is_number(x)) return m;
    return LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""), x, m, "");
}

// Rounded towards minus infinity, x / 0 = 0; `rest`: x - y * quotient, x mod 0 = 0.
static LLVMValueRef int_divide(LLVMBuilderRef b, bool rest, LLVMValueRef x, LLVMValueRef y) {
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef zero = LLVMConstNull(t), one = int_const(t, 1), minus = int_const(t, -1);
    LLVMValueRef by_zero = LLVMBuildICmp(b, LLVMIntEQ, y, zero, "");
    LLVMValueRef by_minus = LLVMBuildICmp(b, LLVMIntEQ, y, minus, ""); // the machine traps on MIN / -1
    LLVMValueRef safe = LLVMBuildSelect(b, LLVMBuildOr(b, by_zero, by_minus, ""), one, y, "");
    LLVMValueRef q = LLVMBuildSDiv(b, x, safe, "");
    LLVMValueRef r = LLVMBuildSub(b, x, LLVMBuildMul(b, q, safe, ""), "");
    LLVMValueRef inexact = LLVMBuildICmp(b, LLVMIntNE, r, zero, "");
    LLVMValueRef opposite = LLVMBuildICmp(b, LLVMIntSLT, LLVMBuildXor(b, r, safe, ""), zero, "");
    LLVMValueRef down = LLVMBuildAnd(b, inexact, opposite, "");
    LLVMValueRef result;
    if (rest) {
        result = LLVMBuildSelect(b, down, LLVMBuildAdd(b, r, safe, ""), r, "");
        result = LLVMBuildSelect(b, by_minus, zero, result, "");
    } else {
        result = LLVMBuildSelect(b, down, LLVMBuildSub(b, q, one, ""), q, "");
        result = LLVMBuildSelect(b, by_minus, LLVMBuildNeg(b, x, ""), result, "");
    }
    return LLVMBuildSelect(b, by_zero, zero, result, "");
}

static LLVMValueRef sign(LLVMBuilderRef b, tct_dtype dtype, LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef zero = LLVMConstNull(t);
    if (!tct_dtype_is_float(dtype)) {
        LLVMValueRef above =
            LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSGT, x, zero, ""), int_const(t, 1), zero, "");
        return LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, x, zero, ""), int_const(t, -1), above, "");
    }
    // Zeros and NaN are their own sign.
    LLVMValueRef above =
        LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOGT, x, zero, ""), real_const(t, 1), x, "");
    return LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOLT, x, zero, ""), real_const(t, -1), above, "");
}

static tct_vecmath function_of(tct_ir_op op) {
    switch (op) {
    case TCT_IR_EXP:
        return TCT_VM_EXP;
    case TCT_IR_EXPM1:
        return TCT_VM_EXPM1;
    case TCT_IR_LOG:
        return TCT_VM_LOG;
    case TCT_IR_LOG1P:
        return TCT_VM_LOG1P;
    case TCT_IR_SQRT:
        return TCT_VM_SQRT;
    case TCT_IR_RSQRT:
        return TCT_VM_RSQRT;
    case TCT_IR_SIN:
        return TCT_VM_SIN;
    case TCT_IR_COS:
        return TCT_VM_COS;
    case TCT_IR_TANH:
        return TCT_VM_TANH;
    case TCT_IR_ERF:
        return TCT_VM_ERF;
    case TCT_IR_SIGMOID:
        return TCT_VM_SIGMOID;
    case TCT_IR_SOFTPLUS:
        return TCT_VM_SOFTPLUS;
    case TCT_IR_POW:
        return TCT_VM_POW;
    default:
        return TCT_N_VECMATH;
    }
}

static LLVMValueRef negate(LLVMBuilderRef b, tct_dtype dtype, LLVMValueRef x) {
    return tct_dtype_is_float(dtype) ? LLVMBuildFNeg(b, x, "") : LLVMBuildNeg(b, x, "");
}

static LLVMValueRef absolute(LLVMBuilderRef b, tct_dtype dtype, LLVMValueRef x) {
    if (tct_dtype_is_float(dtype)) return call1(b, "llvm.fabs", x);
    LLVMValueRef below = LLVMBuildICmp(b, LLVMIntSLT, x, LLVMConstNull(LLVMTypeOf(x)), "");
    return LLVMBuildSelect(b, below, LLVMBuildNeg(b, x, ""), x, "");
}

// A product and a sum may become one operation.
static LLVMValueRef contracted(LLVMValueRef x) {
    if (LLVMCanValueUseFastMathFlags(x)) LLVMSetFastMathFlags(x, LLVMFastMathAllowContract);
    return x;
}

static LLVMValueRef arithmetic(LLVMBuilderRef b, tct_ir_op op, tct_dtype dtype, LLVMValueRef x,
                               LLVMValueRef y) {
    bool real = tct_dtype_is_float(dtype), fuse = dtype != TCT_BF16; // bf16 rounds between the two
    LLVMValueRef r;
    switch (op) {
    case TCT_IR_ADD:
        r = real ? LLVMBuildFAdd(b, x, y, "") : LLVMBuildAdd(b, x, y, "");
        break;
    case TCT_IR_SUB:
        r = real ? LLVMBuildFSub(b, x, y, "") : LLVMBuildSub(b, x, y, "");
        break;
    case TCT_IR_MUL:
        r = real ? LLVMBuildFMul(b, x, y, "") : LLVMBuildMul(b, x, y, "");
        break;
    default: // DIV
        return real ? LLVMBuildFDiv(b, x, y, "") : int_divide(b, false, x, y);
    }
    return real && fuse ? contracted(r) : r;
}

static LLVMValueRef emit(LLVMBuilderRef b, tct_ir_op op, tct_dtype from, tct_dtype to, unsigned lanes,
                         LLVMValueRef *in) {
    switch (op) {
    case TCT_IR_NEG:
        return negate(b, from, in[0]);
    case TCT_IR_ABS:
        return absolute(b, from, in[0]);
    case TCT_IR_SIGN:
        return sign(b, from, in[0]);
    case TCT_IR_FLOOR:
        return call1(b, "llvm.floor", in[0]);
    case TCT_IR_ROUND:
        return call1(b, "llvm.roundeven", in[0]);
    case TCT_IR_NOT:
        return LLVMBuildNot(b, in[0], "");
    case TCT_IR_CAST:
        return cast(b, from, to, lanes, in[0]);
    case TCT_IR_STOP_GRADIENT:
        return in[0];
    case TCT_IR_ADD:
    case TCT_IR_SUB:
    case TCT_IR_MUL:
    case TCT_IR_DIV:
        return arithmetic(b, op, from, in[0], in[1]);
    case TCT_IR_MOD:
        return int_divide(b, true, in[0], in[1]);
    case TCT_IR_MAX:
    case TCT_IR_MIN:
        return extreme(b, op == TCT_IR_MAX, from, in[0], in[1]);
    case TCT_IR_LT:
    case TCT_IR_LE:
    case TCT_IR_GT:
    case TCT_IR_GE:
    case TCT_IR_EQ:
    case TCT_IR_NE:
        return compare(b, op, from, in[0], in[1]);
    case TCT_IR_AND:
        return LLVMBuildAnd(b, in[0], in[1], "");
    case TCT_IR_OR:
        return LLVMBuildOr(b, in[0], in[1], "");
    case TCT_IR_WHERE:
        return LLVMBuildSelect(b, in[0], in[1], in[2], "");
    default:
        return tct_vecmath_emit(b, function_of(op), in[0], op == TCT_IR_POW ? in[1] : NULL);
    }
}

LLVMValueRef tct_loop_emit_op(LLVMBuilderRef b, tct_ir_op op, tct_dtype from, tct_dtype to, unsigned lanes,
                              LLVMValueRef *in) {
    LLVMValueRef r = emit(b, op, from, to, lanes, in);
    bool exact = op == TCT_IR_CAST || op == TCT_IR_NEG || op == TCT_IR_ABS || op == TCT_IR_SIGN ||
                 op == TCT_IR_MAX || op == TCT_IR_MIN || op == TCT_IR_WHERE || op == TCT_IR_STOP_GRADIENT;
    return to == TCT_BF16 && !exact ? round_bf16(b, lanes, r) : r;
}

// Four numbers come of one block: number `index` is word index % 4 of block index / 4.
LLVMValueRef tct_loop_emit_random(LLVMBuilderRef b, unsigned lanes, LLVMValueRef key, int64_t stream,
                                  LLVMValueRef index) {
    LLVMContextRef c = tct_llvm_context(b);
    LLVMTypeRef t32 = tct_loop_register_type(c, TCT_I32, lanes),
                t64 = tct_loop_register_type(c, TCT_I64, lanes);
    LLVMValueRef half = int_const(t64, 32), low = int_const(t64, 0xFFFFFFFF);
    LLVMValueRef block = LLVMBuildLShr(b, index, int_const(t64, 2), "");
    // Words are kept in 64 bits: that is how the products are made.
    LLVMValueRef v[4] = {LLVMBuildAnd(b, block, low, ""), LLVMBuildLShr(b, block, half, ""),
                         int_const(t64, (int64_t)((uint64_t)stream & 0xFFFFFFFFu)),
                         int_const(t64, (int64_t)((uint64_t)stream >> 32))};
    LLVMValueRef k0 = LLVMBuildAnd(b, key, low, ""), k1 = LLVMBuildLShr(b, key, half, "");
    for (int round = 0; round < 10; round++) {
        LLVMValueRef p0 = LLVMBuildMul(b, v[0], int_const(t64, 0xD2511F53), "");
        LLVMValueRef p1 = LLVMBuildMul(b, v[2], int_const(t64, 0xCD9E8D57), "");
        LLVMValueRef w0 = LLVMBuildXor(b, LLVMBuildXor(b, LLVMBuildLShr(b, p1, half, ""), v[1], ""), k0, "");
        LLVMValueRef w2 = LLVMBuildXor(b, LLVMBuildXor(b, LLVMBuildLShr(b, p0, half, ""), v[3], ""), k1, "");
        v[0] = w0;
        v[1] = LLVMBuildAnd(b, p1, low, "");
        v[2] = w2;
        v[3] = LLVMBuildAnd(b, p0, low, "");
        k0 = LLVMBuildAnd(b, LLVMBuildAdd(b, k0, int_const(t64, 0x9E3779B9), ""), low, "");
        k1 = LLVMBuildAnd(b, LLVMBuildAdd(b, k1, int_const(t64, 0xBB67AE85), ""), low, "");
    }
    LLVMValueRef which = LLVMBuildAnd(b, index, int_const(t64, 3), ""), word = v[0];
    for (int k = 1; k < 4; k++)
        word = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntEQ, which, int_const(t64, k), ""), v[k], word, "");
    word = LLVMBuildTrunc(b, LLVMBuildLShr(b, word, int_const(t64, 8), ""), t32, "");
    LLVMTypeRef ft = tct_loop_register_type(c, TCT_F32, lanes);
    return LLVMBuildFMul(b, LLVMBuildSIToFP(b, word, ft, ""), real_const(ft, 0x1p-24), "");
}

LLVMValueRef tct_loop_emit_neutral(LLVMContextRef c, tct_ir_op op, tct_dtype dtype, unsigned lanes) {
    LLVMTypeRef t = tct_loop_register_type(c, dtype, lanes);
    bool real = tct_dtype_is_float(dtype);
    int64_t least = tct_dtype_least(dtype), most = tct_dtype_most(dtype);
    switch (op) {
    case TCT_IR_REDUCE_MAX:
    case TCT_IR_ARGMAX:
        return real ? real_const(t, -INFINITY) : int_const(t, least);
    case TCT_IR_REDUCE_MIN:
        return real ? real_const(t, INFINITY) : int_const(t, most);
    case TCT_IR_ALL:
        return int_const(t, 1);
    default: // SUM, ANY
        return LLVMConstNull(t);
    }
}

LLVMValueRef tct_loop_emit_combine(LLVMBuilderRef b, tct_ir_op op, tct_dtype dtype, LLVMValueRef acc,
                                   LLVMValueRef x) {
    switch (op) {
    case TCT_IR_REDUCE_MAX:
    case TCT_IR_REDUCE_MIN: {
        bool larger = op == TCT_IR_REDUCE_MAX, real = tct_dtype_is_float(dtype);
        LLVMValueRef before = real ? LLVMBuildFCmp(b, larger ? LLVMRealOGT : LLVMRealOLT, x, acc, "")
                                   : LLVMBuildICmp(b, larger ? LLVMIntSGT : LLVMIntSLT, x, acc, "");
        return LLVMBuildSelect(b, before, x, acc, "");
    }
    case TCT_IR_ANY:
        return LLVMBuildOr(b, acc, x, "");
    case TCT_IR_ALL:
        return LLVMBuildAnd(b, acc, x, "");
    default: // SUM; bf16 sums are rounded once, at the end
        return tct_dtype_is_float(dtype) ? contracted(LLVMBuildFAdd(b, acc, x, ""))
                                         : LLVMBuildAdd(b, acc, x, "");
    }
}
