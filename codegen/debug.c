#include "codegen/debug.h"

#include <string.h>
#include <unistd.h>

static const char producer[] = "tercet";

static LLVMMetadataRef file_of(tct_debug *d, const char *path) {
    char folder[4096];
    if (!getcwd(folder, sizeof folder)) strcpy(folder, ".");
    return LLVMDIBuilderCreateFile(d->builder, path, strlen(path), folder, strlen(folder));
}

// Every module that has debug information says so, once.
static void mark_module(LLVMModuleRef module, LLVMContextRef context) {
    static const char version[] = "Debug Info Version";
    if (LLVMGetModuleFlag(module, version, strlen(version))) return;
    LLVMValueRef number = LLVMConstInt(LLVMInt32TypeInContext(context), LLVMDebugMetadataVersion(), 0);
    LLVMAddModuleFlag(module, LLVMModuleFlagBehaviorWarning, version, strlen(version),
                      LLVMValueAsMetadata(number));
}

void tct_debug_begin(tct_debug *d, const tct_diag *sources, LLVMValueRef fn, tct_span span) {
    LLVMModuleRef module = LLVMGetGlobalParent(fn);
    *d = (tct_debug){
        .sources = sources, .builder = LLVMCreateDIBuilder(module), .context = LLVMGetModuleContext(module)};
    d->scope = TCT_NEW_ARRAY(&d->arena, LLVMMetadataRef, sources->sources.len + 1);
    mark_module(module, d->context);
    const tct_source *s = tct_diag_source(sources, span.file);
    uint32_t line = 0, col = 0;
    if (s) tct_diag_line_col(s, span.begin, &line, &col);
    LLVMMetadataRef file = file_of(d, s ? s->path : "kernel");
    // Lines are enough: kernels have no variables that anybody knows by name.
    LLVMMetadataRef unit = LLVMDIBuilderCreateCompileUnit(
        d->builder, LLVMDWARFSourceLanguageC, file, producer, strlen(producer), true, "", 0, 0, "", 0,
        LLVMDWARFEmissionLineTablesOnly, 0, false, false, "", 0, "", 0);
    LLVMMetadataRef type = LLVMDIBuilderCreateSubroutineType(d->builder, file, NULL, 0, LLVMDIFlagZero);
    size_t length;
    const char *name = LLVMGetValueName2(fn, &length);
    d->function = LLVMDIBuilderCreateFunction(d->builder, unit, name, length, "", 0, file, line, type, false,
                                              true, line, LLVMDIFlagZero, true);
    LLVMSetSubprogram(fn, d->function);
    d->scope[s ? span.file : 0] = d->function;
    d->home = LLVMDIBuilderCreateDebugLocation(d->context, line, col, d->function, NULL);
}

LLVMMetadataRef tct_debug_place(tct_debug *d, tct_span span) {
    const tct_source *s = tct_diag_source(d->sources, span.file);
    if (!s) return d->home;
    LLVMMetadataRef *scope = &d->scope[span.file];
    if (!*scope)
        *scope = LLVMDIBuilderCreateLexicalBlockFile(d->builder, d->function, file_of(d, s->path), 0);
    uint32_t line, col;
    tct_diag_line_col(s, span.begin, &line, &col);
    return LLVMDIBuilderCreateDebugLocation(d->context, line, col, *scope, NULL);
}

void tct_debug_end(tct_debug *d, LLVMValueRef fn) {
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i))
            if (!LLVMInstructionGetDebugLoc(i)) LLVMInstructionSetDebugLoc(i, d->home);
    LLVMDIBuilderFinalize(d->builder);
    LLVMDisposeDIBuilder(d->builder);
    tct_arena_free(&d->arena);
}
