// Debug information of one kernel: which line of the source each of its instructions is for. It changes
// nothing about the code; debuggers, profilers and `tercet dump` read it.
#ifndef TCT_CODEGEN_DEBUG_H
#define TCT_CODEGEN_DEBUG_H

#include "base/diag.h"
#include "codegen/llvm.h"

#include <llvm-c/DebugInfo.h>

typedef struct tct_debug {
    const tct_diag *sources;
    LLVMDIBuilderRef builder;
    LLVMContextRef context;
    LLVMMetadataRef function, home; // its subprogram, and where that stands
    LLVMMetadataRef *scope;         // by file of the sources, NULL: none yet
    tct_arena arena;
} tct_debug;

// For function `fn`, which has no body yet or a whole one, made for what stands at `span`. `sources` is only
// read, and may be by several threads at once.
void tct_debug_begin(tct_debug *d, const tct_diag *sources, LLVMValueRef fn, tct_span span);
// What an instruction's place is set to; the function's own where the span has none.
LLVMMetadataRef tct_debug_place(tct_debug *d, tct_span span);
// Gives the function's own place to instructions that have none, and ends.
void tct_debug_end(tct_debug *d, LLVMValueRef fn);

#endif
