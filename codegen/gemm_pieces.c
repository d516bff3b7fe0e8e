// Floats taken apart into pieces of bf16 (runtime/gemm_bf16.h), and squares of words turned, in registers.
#include "codegen/gemm_kernels.h"

static LLVMValueRef bits(const gemm_code *g, LLVMValueRef x) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    return LLVMBuildBitCast(g->b, x, LLVMVectorType(i32, g->lanes), "");
}

static LLVMValueRef bits_of(const gemm_code *g, uint32_t x) {
    return tct_llvm_splat(g->b, LLVMConstInt(LLVMInt32TypeInContext(g->context), x, 0), g->lanes);
}

LLVMValueRef gemm_take_piece(const gemm_code *g, LLVMValueRef *x, bool last) {
    if (last) return bits(g, *x);
    LLVMValueRef up = LLVMBuildAdd(g->b, bits(g, *x), bits_of(g, 0x8000), "");
    LLVMValueRef piece = LLVMBuildAnd(g->b, up, bits_of(g, 0xffff0000), "");
    *x = LLVMBuildFSub(g->b, *x, LLVMBuildBitCast(g->b, piece, g->vector, ""), "");
    return up;
}

// Words of the upper halves of neighbouring steps of k: x0 y0 x1 y1 …
static LLVMValueRef paired_halves(const gemm_code *g, LLVMValueRef even, LLVMValueRef odd) {
    LLVMValueRef low = LLVMBuildLShr(g->b, even, bits_of(g, 16), "");
    LLVMValueRef high = LLVMBuildAnd(g->b, odd, bits_of(g, 0xffff0000), "");
    return LLVMBuildBitCast(g->b, LLVMBuildOr(g->b, low, high, ""), g->vector, "");
}

void gemm_split_pair(const gemm_code *g, LLVMValueRef x[2], unsigned pieces, LLVMValueRef *out) {
    for (unsigned i = 0; i < pieces; i++) {
        bool last = i + 1 == pieces;
        LLVMValueRef even = gemm_take_piece(g, &x[0], last);
        out[i] = paired_halves(g, even, gemm_take_piece(g, &x[1], last));
    }
}

// x0 y0 x1 y1 … of the lower or the upper halves.
static LLVMValueRef zip(const gemm_code *g, LLVMValueRef x, LLVMValueRef y, bool upper) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef lane[GEMM_MAX_TURNED];
    for (unsigned i = 0; i < g->lanes; i++)
        lane[i] = LLVMConstInt(i32, i / 2 + (upper ? g->lanes / 2 : 0) + (i % 2) * g->lanes, 0);
    return LLVMBuildShuffleVector(g->b, x, y, LLVMConstVector(lane, g->lanes), "");
}

// Interleaving i with i + half, log2(n) times, does it.
void gemm_turn(const gemm_code *g, LLVMValueRef *x, unsigned n) {
    LLVMValueRef y[GEMM_MAX_TURNED];
    for (unsigned stage = 1; stage < n; stage *= 2) {
        for (unsigned i = 0; i < n / 2; i++) {
            y[2 * i] = zip(g, x[i], x[i + n / 2], false);
            y[2 * i + 1] = zip(g, x[i], x[i + n / 2], true);
        }
        for (unsigned i = 0; i < n; i++) x[i] = y[i];
    }
}
