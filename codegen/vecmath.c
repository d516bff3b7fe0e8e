// Which function is emitted how.
#include "codegen/vecmath.h"

#include "codegen/vecmath_parts.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned arity;
} table[TCT_N_VECMATH] = {
#define TCT_VECMATH_ROW(id, name, n) [id] = {name, n},
    TCT_VECMATH(TCT_VECMATH_ROW)
#undef TCT_VECMATH_ROW
};

const char *tct_vecmath_name(tct_vecmath fn) { return table[fn].name; }
unsigned tct_vecmath_arity(tct_vecmath fn) { return table[fn].arity; }

// One call of libm's function a lane.
static val call_libm(const vm *v, tct_vecmath fn, val x, val y) {
    LLVMModuleRef module = tct_llvm_module(v->b);
    LLVMTypeRef params[] = {v->element, v->element};
    LLVMTypeRef type = LLVMFunctionType(v->element, params, table[fn].arity, false);
    val callee = LLVMGetNamedFunction(module, table[fn].name);
    if (!callee) callee = LLVMAddFunction(module, table[fn].name, type);
    if (!v->lanes) {
        val args[] = {x, y};
        return LLVMBuildCall2(v->b, type, callee, args, table[fn].arity, "");
    }
    val result = LLVMGetPoison(v->type);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(tct_llvm_context(v->b));
    for (unsigned i = 0; i < v->lanes; i++) {
        val lane = LLVMConstInt(i32, i, 0);
        val args[] = {LLVMBuildExtractElement(v->b, x, lane, ""),
                      y ? LLVMBuildExtractElement(v->b, y, lane, "") : NULL};
        val one = LLVMBuildCall2(v->b, type, callee, args, table[fn].arity, "");
        result = LLVMBuildInsertElement(v->b, result, one, lane, "");
    }
    return result;
}

static val emit_f64(const vm *v, tct_vecmath fn, val x, val y) {
    val one = vm_num(v, 1);
    if (fn == TCT_VM_SIGMOID) {
        val e = call_libm(v, TCT_VM_EXP, vm_neg(v, vm_abs(v, x)), NULL);
        val top = vm_if(v, vm_cmp(v, LLVMRealOLT, x, vm_num(v, 0)), e, one);
        return vm_div(v, top, vm_add(v, one, e));
    }
    if (fn == TCT_VM_SOFTPLUS) {
        val e = call_libm(v, TCT_VM_EXP, vm_neg(v, vm_abs(v, x)), NULL);
        return vm_add(v, vm_at_least(v, x, 0), call_libm(v, TCT_VM_LOG1P, e, NULL));
    }
    return call_libm(v, fn, x, y);
}

static val emit_f32(const vm *v, tct_vecmath fn, val x, val y) {
    switch (fn) {
    case TCT_VM_EXP:
        return vm_exp(v, x);
    case TCT_VM_EXPM1:
        return vm_expm1(v, x);
    case TCT_VM_LOG:
        return vm_log(v, x);
    case TCT_VM_LOG1P:
        return vm_log1p(v, x);
    case TCT_VM_TANH:
        return vm_tanh(v, x);
    case TCT_VM_SIGMOID:
        return vm_sigmoid(v, x);
    case TCT_VM_SOFTPLUS:
        return vm_softplus(v, x);
    case TCT_VM_ERF:
        return vm_erf(v, x);
    case TCT_VM_SIN:
        return vm_sin(v, x);
    case TCT_VM_COS:
        return vm_cos(v, x);
    case TCT_VM_POW:
        return vm_pow(v, x, y);
    case TCT_VM_SQRT:
    case TCT_VM_RSQRT:
    case TCT_N_VECMATH:
        break;
    }
    assert(!"sqrt and rsqrt are the same for all types");
    return NULL;
}

LLVMValueRef tct_vecmath_emit(LLVMBuilderRef b, tct_vecmath fn, LLVMValueRef x, LLVMValueRef y) {
    vm v = vm_of(b, LLVMTypeOf(x));
    if (fn == TCT_VM_SQRT) return vm_sqrt(&v, x);
    if (fn == TCT_VM_RSQRT) return vm_div(&v, vm_num(&v, 1), vm_sqrt(&v, x));
    return LLVMGetTypeKind(v.element) == LLVMDoubleTypeKind ? emit_f64(&v, fn, x, y) : emit_f32(&v, fn, x, y);
}
