#include "codegen/library.h"

#include "codegen/llvm.h"

#include <string.h>

static LLVMValueRef whole(LLVMModuleRef module, uint64_t x) {
    return LLVMConstInt(LLVMInt64TypeInContext(LLVMGetModuleContext(module)), x, 0);
}

static LLVMValueRef constant(LLVMModuleRef module, const char *name, LLVMValueRef value, bool own) {
    LLVMValueRef global = LLVMAddGlobal(module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
    if (own) LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

static LLVMValueRef emit_defaults(LLVMModuleRef module, const tct_linked_library *t) {
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c), i64 = LLVMInt64TypeInContext(c), fields[] = {i32, i32, i64};
    LLVMTypeRef type = LLVMStructTypeInContext(c, fields, 3, 0);
    LLVMValueRef *all = tct_alloc((t->n_defaults + 1) * sizeof *all);
    for (uint64_t i = 0; i < t->n_defaults; i++) {
        const tct_linked_default *x = &t->defaults[i];
        LLVMValueRef values[] = {LLVMConstInt(i32, x->graph, 0), LLVMConstInt(i32, x->input, 0),
                                 whole(module, x->bits)};
        all[i] = LLVMConstNamedStruct(type, values, 3);
    }
    LLVMValueRef table = constant(module, "defaults", LLVMConstArray2(type, all, t->n_defaults), true);
    tct_heap_free(all);
    return table;
}

static void emit_table(LLVMModuleRef module, const tct_linked_library *t) {
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMValueRef text = constant(
        module, "description", LLVMConstStringInContext2(c, t->description, strlen(t->description), 0), true);
    LLVMValueRef values[] = {whole(module, t->abi),          text,
                             whole(module, t->arena_bytes),  whole(module, t->scratch_bytes),
                             whole(module, t->shared_bytes), whole(module, t->first_plan),
                             whole(module, t->n_graphs),     whole(module, t->n_defaults),
                             emit_defaults(module, t)};
    enum { N = sizeof values / sizeof *values };
    _Static_assert(sizeof(tct_linked_library) == N * 8, "the table misses a field");
    constant(module, "tct_linked_library_table", LLVMConstStructInContext(c, values, N, 0), false);
}

// status f(context, inputs, outputs) { return tct_library_call(context, number, inputs, outputs); }
static void emit_function(LLVMModuleRef module, const char *name, uint32_t number) {
    LLVMContextRef c = LLVMGetModuleContext(module);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c), pointer = LLVMPointerTypeInContext(c, 0);
    LLVMTypeRef takes[] = {pointer, pointer, pointer}, passes[] = {pointer, i32, pointer, pointer};
    LLVMTypeRef callee_type = LLVMFunctionType(i32, passes, 4, 0);
    LLVMValueRef callee = LLVMGetNamedFunction(module, "tct_library_call");
    if (!callee) callee = LLVMAddFunction(module, "tct_library_call", callee_type);
    LLVMSetVisibility(callee, LLVMHiddenVisibility);
    LLVMValueRef f = LLVMAddFunction(module, name, LLVMFunctionType(i32, takes, 3, 0));
    LLVMBuilderRef b = LLVMCreateBuilderInContext(c);
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(c, f, ""));
    LLVMValueRef args[] = {LLVMGetParam(f, 0), LLVMConstInt(i32, number, 0), LLVMGetParam(f, 1),
                           LLVMGetParam(f, 2)};
    LLVMBuildRet(b, LLVMBuildCall2(b, callee_type, callee, args, 4, ""));
    LLVMDisposeBuilder(b);
}

static void emit(const void *data, LLVMModuleRef module, const tct_target *target) {
    (void)target;
    const tct_library_parts *parts = data;
    emit_table(module, &parts->table);
    for (uint64_t i = 0; i < parts->table.n_graphs; i++)
        emit_function(module, parts->functions[i], (uint32_t)i);
}

bool tct_library_objects(tct_diag *d, const tct_library_parts *parts, tct_objects *out) {
    tct_target base = tct_target_of(TCT_ISA_BASE);
    tct_unit unit = {.name = "library", .emit = emit, .data = parts};
    return tct_units_compile(d, &base, &unit, 1, 1, NULL, out);
}
