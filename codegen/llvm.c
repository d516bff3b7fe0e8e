// LLVM's C API, the parts that differ between versions and the idioms that all generators share.
#include "codegen/llvm.h"

#include <assert.h>
#include <llvm-c/DebugInfo.h>
#include <stdbool.h>
#include <string.h>

LLVMModuleRef tct_llvm_module(LLVMBuilderRef b) {
    return LLVMGetGlobalParent(LLVMGetBasicBlockParent(LLVMGetInsertBlock(b)));
}

LLVMContextRef tct_llvm_context(LLVMBuilderRef b) { return LLVMGetModuleContext(tct_llvm_module(b)); }

void tct_llvm_set_isa(LLVMModuleRef module, tct_isa isa) {
    LLVMValueRef one = LLVMConstInt(LLVMInt32TypeInContext(LLVMGetModuleContext(module)), 1, 0);
    for (tct_isa i = TCT_ISA_AVX2; i <= isa; i++)
        LLVMAddModuleFlag(module, LLVMModuleFlagBehaviorError, tct_isa_name(i), strlen(tct_isa_name(i)),
                          LLVMValueAsMetadata(one));
}

bool tct_llvm_has_isa(LLVMModuleRef module, tct_isa isa) {
    return isa == TCT_ISA_BASE ||
           LLVMGetModuleFlag(module, tct_isa_name(isa), strlen(tct_isa_name(isa))) != NULL;
}

LLVMValueRef tct_llvm_intrinsic(LLVMBuilderRef b, const char *name, LLVMTypeRef *overload,
                                unsigned n_overload, LLVMValueRef *args, unsigned n_args) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id != 0);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(tct_llvm_module(b), id, overload, n_overload);
    return LLVMBuildCall2(b, LLVMGlobalGetValueType(fn), fn, args, n_args, "");
}

#if LLVM_VERSION_MAJOR >= 22
static void align_argument(LLVMBuilderRef b, LLVMValueRef call, unsigned argument, unsigned align) {
    unsigned kind = LLVMGetEnumAttributeKindForName("align", 5);
    LLVMAddCallSiteAttribute(call, argument + 1, LLVMCreateEnumAttribute(tct_llvm_context(b), kind, align));
}
#endif

LLVMValueRef tct_llvm_masked_load(LLVMBuilderRef b, LLVMTypeRef type, LLVMValueRef pointer, unsigned align,
                                  LLVMValueRef mask, LLVMValueRef otherwise) {
    LLVMTypeRef overload[] = {type, LLVMTypeOf(pointer)};
#if LLVM_VERSION_MAJOR >= 22
    LLVMValueRef args[] = {pointer, mask, otherwise};
    LLVMValueRef call = tct_llvm_intrinsic(b, "llvm.masked.load", overload, 2, args, 3);
    align_argument(b, call, 0, align);
    return call;
#else
    LLVMTypeRef i32 = LLVMInt32TypeInContext(tct_llvm_context(b));
    LLVMValueRef args[] = {pointer, LLVMConstInt(i32, align, 0), mask, otherwise};
    return tct_llvm_intrinsic(b, "llvm.masked.load", overload, 2, args, 4);
#endif
}

void tct_llvm_masked_store(LLVMBuilderRef b, LLVMValueRef value, LLVMValueRef pointer, unsigned align,
                           LLVMValueRef mask) {
    LLVMTypeRef overload[] = {LLVMTypeOf(value), LLVMTypeOf(pointer)};
#if LLVM_VERSION_MAJOR >= 22
    LLVMValueRef args[] = {value, pointer, mask};
    align_argument(b, tct_llvm_intrinsic(b, "llvm.masked.store", overload, 2, args, 3), 1, align);
#else
    LLVMTypeRef i32 = LLVMInt32TypeInContext(tct_llvm_context(b));
    LLVMValueRef args[] = {value, pointer, LLVMConstInt(i32, align, 0), mask};
    tct_llvm_intrinsic(b, "llvm.masked.store", overload, 2, args, 4);
#endif
}

LLVMValueRef tct_llvm_gather(LLVMBuilderRef b, LLVMTypeRef type, LLVMValueRef pointers, unsigned align) {
    LLVMContextRef c = tct_llvm_context(b);
    LLVMTypeRef mask_type = LLVMVectorType(LLVMInt1TypeInContext(c), LLVMGetVectorSize(type));
    LLVMTypeRef overload[] = {type, LLVMTypeOf(pointers)};
#if LLVM_VERSION_MAJOR >= 22
    LLVMValueRef args[] = {pointers, LLVMConstAllOnes(mask_type), LLVMGetPoison(type)};
    LLVMValueRef call = tct_llvm_intrinsic(b, "llvm.masked.gather", overload, 2, args, 3);
    align_argument(b, call, 0, align);
    return call;
#else
    LLVMValueRef args[] = {pointers, LLVMConstInt(LLVMInt32TypeInContext(c), align, 0),
                           LLVMConstAllOnes(mask_type), LLVMGetPoison(type)};
    return tct_llvm_intrinsic(b, "llvm.masked.gather", overload, 2, args, 4);
#endif
}

LLVMValueRef tct_llvm_load(LLVMBuilderRef b, LLVMTypeRef type, LLVMValueRef pointer, unsigned align) {
    LLVMValueRef load = LLVMBuildLoad2(b, type, pointer, "");
    LLVMSetAlignment(load, align);
    return load;
}

void tct_llvm_store(LLVMBuilderRef b, LLVMValueRef value, LLVMValueRef pointer, unsigned align) {
    LLVMSetAlignment(LLVMBuildStore(b, value, pointer), align);
}

void tct_llvm_store_past(LLVMBuilderRef b, LLVMValueRef value, LLVMValueRef pointer, unsigned align) {
    LLVMContextRef c = tct_llvm_context(b);
    LLVMMetadataRef one = LLVMValueAsMetadata(LLVMConstInt(LLVMInt32TypeInContext(c), 1, 0));
    LLVMValueRef store = LLVMBuildStore(b, value, pointer);
    LLVMSetAlignment(store, align);
    unsigned kind = LLVMGetMDKindIDInContext(c, "nontemporal", strlen("nontemporal"));
    LLVMSetMetadata(store, kind, LLVMMetadataAsValue(c, LLVMMDNodeInContext2(c, &one, 1)));
}

LLVMValueRef tct_llvm_splat(LLVMBuilderRef b, LLVMValueRef x, unsigned lanes) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(tct_llvm_context(b));
    LLVMValueRef none = LLVMGetPoison(LLVMVectorType(LLVMTypeOf(x), lanes));
    LLVMValueRef one = LLVMBuildInsertElement(b, none, x, LLVMConstInt(i32, 0, 0), "");
    return LLVMBuildShuffleVector(b, one, none, LLVMConstNull(LLVMVectorType(i32, lanes)), "");
}

LLVMValueRef tct_llvm_prefix_mask(LLVMBuilderRef b, LLVMValueRef n, unsigned lanes) {
    enum { MAX_LANES = 64 };
    assert(lanes <= MAX_LANES);
    LLVMTypeRef i64 = LLVMTypeOf(n), i32 = LLVMInt32TypeInContext(tct_llvm_context(b));
    LLVMValueRef bounds[] = {n, LLVMConstInt(i64, lanes, 0)};
    LLVMValueRef some = tct_llvm_intrinsic(b, "llvm.smin", &i64, 1, bounds, 2);
    bounds[0] = some;
    bounds[1] = LLVMConstInt(i64, 0, 0);
    some = LLVMBuildTrunc(b, tct_llvm_intrinsic(b, "llvm.smax", &i64, 1, bounds, 2), i32, "");
    LLVMValueRef lane[MAX_LANES];
    for (unsigned i = 0; i < lanes; i++) lane[i] = LLVMConstInt(i32, i, 0);
    return LLVMBuildICmp(b, LLVMIntSLT, LLVMConstVector(lane, lanes), tct_llvm_splat(b, some, lanes), "");
}

void tct_llvm_barrier(LLVMBuilderRef b) {
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(tct_llvm_context(b)), NULL, 0, 0);
    static const char clobbered[] = "~{memory}";
    LLVMValueRef nothing = LLVMGetInlineAsm(type, "", 0, clobbered, sizeof clobbered - 1, true, false,
                                            LLVMInlineAsmDialectATT, false);
    LLVMBuildCall2(b, type, nothing, NULL, 0, "");
}

// Metadata of a loop: a node whose first operand is itself, then its properties.
void tct_llvm_align_loop(LLVMValueRef branch, unsigned bytes) {
    static const char property[] = "llvm.loop.align";
    LLVMContextRef c =
        LLVMGetModuleContext(LLVMGetGlobalParent(LLVMGetBasicBlockParent(LLVMGetInstructionParent(branch))));
    LLVMMetadataRef self = LLVMTemporaryMDNode(c, NULL, 0);
    LLVMMetadataRef align[] = {LLVMMDStringInContext2(c, property, sizeof property - 1),
                               LLVMValueAsMetadata(LLVMConstInt(LLVMInt32TypeInContext(c), bytes, 0))};
    LLVMMetadataRef parts[] = {self, LLVMMDNodeInContext2(c, align, 2)},
                    node = LLVMMDNodeInContext2(c, parts, 2);
    LLVMMetadataReplaceAllUsesWith(self, node);
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(c, "llvm.loop", 9), LLVMMetadataAsValue(c, node));
}

void tct_llvm_attribute(LLVMValueRef function, LLVMAttributeIndex index, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    assert(kind != 0);
    LLVMContextRef c = LLVMGetModuleContext(LLVMGetGlobalParent(function));
    LLVMAddAttributeAtIndex(function, index, LLVMCreateEnumAttribute(c, kind, 0));
}

LLVMErrorRef tct_llvm_add_object(LLVMOrcLLJITRef jit, LLVMOrcJITDylibRef dylib, LLVMMemoryBufferRef object) {
    return LLVMOrcLLJITAddObjectFile(jit, dylib, object);
}
