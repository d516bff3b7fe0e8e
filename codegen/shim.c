// A caller reads its arguments out of slots and passes them as C does for the function's type.
#include "codegen/shim.h"

#include "runtime/linked.h"

#include <assert.h>
#include <string.h>

static LLVMTypeRef type_of(LLVMContextRef c, char letter) {
    switch (letter) {
    case 'l':
        return LLVMInt64TypeInContext(c);
    case 'd':
        return LLVMDoubleTypeInContext(c);
    case 'i':
        return LLVMInt32TypeInContext(c);
    case 'p':
        return LLVMPointerTypeInContext(c, 0);
    default:
        assert(letter == 'v');
        return LLVMVoidTypeInContext(c);
    }
}

// bool caller(const char *signature, void *fn, const tct_slot *args, tct_slot *result)
static LLVMValueRef new_caller(LLVMModuleRef module, const char *symbol) {
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(c, 0), params[] = {pointer, pointer, pointer, pointer};
    LLVMTypeRef type = LLVMFunctionType(LLVMInt1TypeInContext(c), params, 4, 0);
    LLVMValueRef caller = LLVMAddFunction(module, symbol, type);
    tct_llvm_attribute(caller, LLVMAttributeReturnIndex, "zeroext");
    return caller;
}

static void emit(const void *data, LLVMModuleRef module, const tct_target *target) {
    (void)target;
    const char *symbol = data, *signature = symbol + strlen(TCT_LINKED_CALLER), *letters = signature + 2;
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMValueRef caller = new_caller(module, symbol);
    LLVMBuilderRef b = LLVMCreateBuilderInContext(c);
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(c, caller, ""));
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c);
    unsigned n = (unsigned)strlen(letters);
    LLVMTypeRef *types = tct_alloc((n + 1) * sizeof *types);
    LLVMValueRef *values = tct_alloc((n + 1) * sizeof *values);
    for (unsigned i = 0; i < n; i++) {
        LLVMValueRef at = LLVMConstInt(i64, i, 0);
        types[i] = type_of(c, letters[i]);
        values[i] =
            tct_llvm_load(b, types[i], LLVMBuildInBoundsGEP2(b, i64, LLVMGetParam(caller, 2), &at, 1, ""), 8);
    }
    LLVMTypeRef gives = type_of(c, signature[0]);
    LLVMValueRef result =
        LLVMBuildCall2(b, LLVMFunctionType(gives, types, n, 0), LLVMGetParam(caller, 1), values, n, "");
    if (signature[0] != 'v') tct_llvm_store(b, result, LLVMGetParam(caller, 3), 8);
    LLVMBuildRet(b, LLVMConstInt(LLVMInt1TypeInContext(c), 1, 0));
    LLVMDisposeBuilder(b);
    tct_heap_free(types);
    tct_heap_free(values);
}

tct_unit tct_shim_unit(const char *symbol) {
    assert(strncmp(symbol, TCT_LINKED_CALLER, strlen(TCT_LINKED_CALLER)) == 0);
    return (tct_unit){.name = symbol, .emit = emit, .data = symbol};
}
