// Object code into memory, through ORC's LLJIT.
#include "codegen/jit.h"

#include "codegen/perf_map.h"

#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/OrcEE.h>
#include <stdlib.h>

struct tct_jit {
    LLVMOrcLLJITRef lljit;
    tct_perf_map *perf; // NULL: none
};

// Consumes `failure`; returns whether there was none.
static bool succeeded(tct_diag *d, LLVMErrorRef failure, const char *what) {
    if (!failure) return true;
    char *message = LLVMGetErrorMessage(failure);
    tct_error(d, "E0842", TCT_NO_SPAN, "%s: %s", what, message);
    LLVMDisposeErrorMessage(message);
    return false;
}

// The older linker of objects, which LLVM's listeners for perf and gdb work with.
static LLVMOrcObjectLayerRef with_listeners(void *perf, LLVMOrcExecutionSessionRef session,
                                            const char *triple) {
    (void)triple;
    LLVMOrcObjectLayerRef layer = LLVMOrcCreateRTDyldObjectLinkingLayerWithSectionMemoryManager(session);
    LLVMOrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer, perf);
    LLVMOrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer, LLVMCreateGDBRegistrationListener());
    return layer;
}

// `perf`: LLVM's listener that writes code and lines for perf, NULL: none.
static tct_jit *new_jit(tct_diag *d, LLVMJITEventListenerRef perf) {
    tct_target host = tct_target_of(tct_isa_host());
    LLVMTargetMachineRef machine = tct_target_machine(d, &host);
    if (!machine) return NULL;
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(
        builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine));
    if (perf) LLVMOrcLLJITBuilderSetObjectLinkingLayerCreator(builder, with_listeners, perf);
    LLVMOrcLLJITRef lljit;
    if (!succeeded(d, LLVMOrcCreateLLJIT(&lljit, builder), "code cannot be loaded into memory")) return NULL;
    tct_jit *jit = tct_alloc(sizeof *jit);
    jit->lljit = lljit;
    LLVMOrcDefinitionGeneratorRef process;
    LLVMErrorRef failure = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &process, LLVMOrcLLJITGetGlobalPrefix(lljit), NULL, NULL);
    if (!succeeded(d, failure, "the program's own symbols cannot be read")) {
        tct_jit_free(jit);
        return NULL;
    }
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(lljit), process);
    // gdb's interface: takes less than a millisecond for a hundred kernels.
    if (!perf && !succeeded(d, LLVMOrcLLJITEnableDebugSupport(lljit), "code cannot be shown to debuggers")) {
        tct_jit_free(jit);
        return NULL;
    }
    return jit;
}

tct_jit *tct_jit_new(tct_diag *d) { return new_jit(d, NULL); }

tct_jit *tct_jit_new_dumping(tct_diag *d) {
    LLVMJITEventListenerRef perf = LLVMCreatePerfJITEventListener();
    if (perf) return new_jit(d, perf);
    tct_error(d, "E0842", TCT_NO_SPAN, "this LLVM was built without support for perf");
    tct_help(d, "--perf without --debug shows kernels by their names");
    return NULL;
}

void tct_jit_free(tct_jit *jit) {
    if (!jit) return;
    LLVMErrorRef failure = LLVMOrcDisposeLLJIT(jit->lljit);
    if (failure) LLVMConsumeError(failure);
    tct_perf_map_close(jit->perf);
    free(jit);
}

bool tct_jit_use_perf(tct_diag *d, tct_jit *jit) {
    if (!jit->perf) jit->perf = tct_perf_map_open(d);
    return jit->perf != NULL;
}

bool tct_jit_add(tct_diag *d, tct_jit *jit, tct_objects *objects) {
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
    bool ok = true;
    for (size_t i = 0; i < objects->n; i++) {
        if (jit->perf) tct_perf_map_expect(jit->perf, objects->data[i]);
        if (ok)
            ok = succeeded(d, tct_llvm_add_object(jit->lljit, dylib, objects->data[i]),
                           "object code cannot be loaded");
        else
            LLVMDisposeMemoryBuffer(objects->data[i]);
    }
    objects->n = 0;
    tct_objects_free(objects);
    return ok;
}

void *tct_jit_lookup(tct_diag *d, tct_jit *jit, const char *symbol) {
    LLVMOrcExecutorAddress address = 0;
    if (!succeeded(d, LLVMOrcLLJITLookup(jit->lljit, &address, symbol), symbol)) return NULL;
    if (jit->perf && !tct_perf_map_add(d, jit->perf, symbol, address)) return NULL;
    return (void *)(uintptr_t)address; // NOLINT: an address is what the linker made
}
