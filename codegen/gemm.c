// Units of a product's kernels.
#include "codegen/gemm_kernels.h"

#include <assert.h>

static void emit(const void *data, LLVMModuleRef module, const tct_target *target) {
    const char *symbol = data;
    gemm_kernel k;
    tct_isa isa;
    bool known = gemm_kernel_parse(symbol, &k, &isa);
    assert(known);
    (void)known;
    switch (k.kind) {
    case GEMM_MICRO:
        gemm_emit_micro(&k, symbol, module, target);
        break;
    case GEMM_DOTS:
        gemm_emit_dots(&k, symbol, module, target);
        break;
    case GEMM_STREAM:
        gemm_emit_stream(&k, symbol, module, target);
        break;
    case GEMM_TILE_STREAM:
        gemm_emit_tile_stream(&k, symbol, module, target);
        break;
    case GEMM_COPY:
    case GEMM_TURN:
        gemm_emit_pack(&k, symbol, module, target);
        break;
    case GEMM_ROWS_K:
    case GEMM_ROWS_M:
    case GEMM_PANELS_K:
    case GEMM_PANELS_N:
        gemm_emit_words(&k, symbol, module, target);
        break;
    case GEMM_TILES:
    case GEMM_ENTER:
    case GEMM_LEAVE:
        gemm_emit_tiles(&k, symbol, module, target);
        break;
    }
}

tct_unit tct_gemm_unit(const char *symbol) {
    enum { COST = 4 }; // of a common kernel: unrolled code is long
    return (tct_unit){.name = symbol, .key = symbol, .emit = emit, .data = symbol, .cost = COST};
}

tct_isa tct_gemm_symbol_isa(const char *symbol) {
    gemm_kernel k;
    tct_isa isa = TCT_ISA_BASE;
    bool known = gemm_kernel_parse(symbol, &k, &isa);
    assert(known);
    (void)known;
    return isa;
}
