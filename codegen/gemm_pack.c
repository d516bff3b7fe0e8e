// Packing kernels: a panel of A or B, rewritten so that each step of k is one contiguous row. Where k is
// contiguous, blocks of as many rows as steps are turned in registers.
#include "codegen/gemm_kernels.h"

#include <assert.h>

enum { MAX_LANES = 16 };
enum { P_OUT, P_OUT_STRIDE, P_IN, P_STRIDE, P_W, P_K };

typedef struct pack {
    gemm_code g;
    const tct_target *target;
    unsigned width;
    bool masked; // the panel may be narrower than `width`
} pack;

static LLVMValueRef param(const pack *p, unsigned i) { return LLVMGetParam(p->g.function, i); }

// Lanes [from, from + n) of x.
static LLVMValueRef part(const gemm_code *g, LLVMValueRef x, unsigned from, unsigned n) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef lane[MAX_LANES];
    for (unsigned i = 0; i < n; i++) lane[i] = LLVMConstInt(i32, from + i, 0);
    return LLVMBuildShuffleVector(g->b, x, LLVMGetPoison(LLVMTypeOf(x)), LLVMConstVector(lane, n), "");
}

// x0 y0 x1 y1 … of the lower or the upper halves.
static LLVMValueRef zip(const gemm_code *g, LLVMValueRef x, LLVMValueRef y, bool upper) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef lane[MAX_LANES];
    for (unsigned i = 0; i < g->lanes; i++)
        lane[i] = LLVMConstInt(i32, i / 2 + (upper ? g->lanes / 2 : 0) + (i % 2) * g->lanes, 0);
    return LLVMBuildShuffleVector(g->b, x, y, LLVMConstVector(lane, g->lanes), "");
}

// The first n lanes of x to `at`, of which the panel has `left` (an i64) when it is masked.
static void put(const pack *p, LLVMValueRef x, unsigned n, LLVMValueRef at, LLVMValueRef left) {
    const gemm_code *g = &p->g;
    if (p->masked)
        tct_llvm_masked_store(g->b, x, at, g->bytes,
                              tct_llvm_prefix_mask(g->b, left, LLVMGetVectorSize(LLVMTypeOf(x))));
    else if (n < LLVMGetVectorSize(LLVMTypeOf(x)) && p->target->has_masks)
        tct_llvm_masked_store(g->b, x, at, g->bytes,
                              tct_llvm_prefix_mask(g->b, gemm_index(g, n), LLVMGetVectorSize(LLVMTypeOf(x))));
    else
        tct_llvm_store(g->b, part(g, x, 0, n), at, g->bytes);
}

// One step of k of a panel whose own axis is contiguous.
static void copy_step(const pack *p, LLVMValueRef in, LLVMValueRef out) {
    const gemm_code *g = &p->g;
    for (unsigned from = 0; from < p->width; from += g->lanes) {
        LLVMValueRef at = gemm_at(g, in, gemm_index(g, from)), to = gemm_at(g, out, gemm_index(g, from));
        LLVMValueRef left = LLVMBuildSub(g->b, param(p, P_W), gemm_index(g, from), "");
        unsigned n = p->width - from < g->lanes ? p->width - from : g->lanes;
        if (p->masked || n < g->lanes) {
            LLVMValueRef mask = tct_llvm_prefix_mask(g->b, p->masked ? left : gemm_index(g, n), g->lanes);
            LLVMValueRef x =
                tct_llvm_masked_load(g->b, g->vector, at, g->bytes, mask, LLVMConstNull(g->vector));
            tct_llvm_masked_store(g->b, x, to, g->bytes, mask);
        } else {
            tct_llvm_store(g->b, tct_llvm_load(g->b, g->vector, at, g->bytes), to, g->bytes);
        }
    }
}

// `lanes` steps of k of up to `lanes` rows from `first` on; rows that the panel lacks read its last one
// again.
static void turn_rows(const pack *p, LLVMValueRef in, LLVMValueRef out, unsigned first) {
    const gemm_code *g = &p->g;
    unsigned rows = p->width - first < g->lanes ? p->width - first : g->lanes, padded = 1;
    while (padded < rows) padded *= 2;
    LLVMValueRef x[MAX_LANES], y[MAX_LANES];
    for (unsigned i = 0; i < padded; i++) {
        if (i >= rows) {
            x[i] = x[rows - 1];
            continue;
        }
        LLVMValueRef row = gemm_index(g, first + i),
                     last = LLVMBuildSub(g->b, param(p, P_W), gemm_index(g, 1), "");
        LLVMTypeRef i64 = g->i64;
        LLVMValueRef bounds[] = {row, last};
        if (p->masked) row = tct_llvm_intrinsic(g->b, "llvm.smin", &i64, 1, bounds, 2);
        row = LLVMBuildMul(g->b, row, param(p, P_STRIDE), "");
        x[i] = tct_llvm_load(g->b, g->vector, gemm_at(g, in, row), g->bytes);
    }
    // Interleaving row i with row i + half, log2(rows) times, puts element (step, row) at step · padded +
    // row.
    for (unsigned stage = 1; stage < padded; stage *= 2) {
        for (unsigned i = 0; i < padded / 2; i++) {
            y[2 * i] = zip(g, x[i], x[i + padded / 2], false);
            y[2 * i + 1] = zip(g, x[i], x[i + padded / 2], true);
        }
        for (unsigned i = 0; i < padded; i++) x[i] = y[i];
    }
    unsigned steps_a_vector = g->lanes / padded;
    LLVMValueRef left = LLVMBuildSub(g->b, param(p, P_W), gemm_index(g, first), "");
    for (unsigned step = 0; step < g->lanes; step++) {
        LLVMValueRef row = gemm_at(g, out, gemm_scaled(g, param(p, P_OUT_STRIDE), step));
        LLVMValueRef v = x[step / steps_a_vector];
        if (steps_a_vector > 1) v = part(g, v, step % steps_a_vector * padded, padded);
        put(p, v, rows, gemm_at(g, row, gemm_index(g, first)), left);
    }
}

// A loop over k, `steps` at a time, as far as whole ones go.
static void emit_loop(const pack *p, unsigned steps, bool turn) {
    const gemm_code *g = &p->g;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMTypeRef pointer = LLVMTypeOf(param(p, P_IN));
    LLVMValueRef in = LLVMBuildPhi(g->b, pointer, ""), out = LLVMBuildPhi(g->b, pointer, ""),
                 left = LLVMBuildPhi(g->b, g->i64, "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSGE, left, gemm_index(g, steps), ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    if (turn)
        for (unsigned first = 0; first < p->width; first += g->lanes) turn_rows(p, in, out, first);
    else
        copy_step(p, in, out);
    LLVMValueRef next_in = gemm_at(g, in, turn ? gemm_index(g, steps) : param(p, P_STRIDE));
    LLVMValueRef next_out = gemm_at(g, out, gemm_scaled(g, param(p, P_OUT_STRIDE), steps));
    LLVMValueRef next_left = LLVMBuildSub(g->b, left, gemm_index(g, steps), "");
    LLVMBuildBr(g->b, head);
    LLVMBasicBlockRef from[] = {before, body};
    LLVMAddIncoming(in, (LLVMValueRef[]){param(p, P_IN), next_in}, from, 2);
    LLVMAddIncoming(out, (LLVMValueRef[]){param(p, P_OUT), next_out}, from, 2);
    LLVMAddIncoming(left, (LLVMValueRef[]){param(p, P_K), next_left}, from, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
}

void gemm_emit_pack(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                    const tct_target *target) {
    pack p = {
        .g = gemm_begin(module, target, k->dtype, symbol, "pipiii"), .target = target, .width = k->rows};
    gemm_code *g = &p.g;
    assert(g->lanes <= MAX_LANES);
    bool turn = k->kind == GEMM_TURN;
    LLVMBasicBlockRef whole = gemm_block(g), narrow = gemm_block(g), done = gemm_block(g);
    LLVMValueRef full = LLVMBuildICmp(g->b, LLVMIntEQ, param(&p, P_W), gemm_index(g, p.width), "");
    LLVMBuildCondBr(g->b, full, whole, narrow);
    for (int i = 0; i < 2; i++) {
        LLVMPositionBuilderAtEnd(g->b, i ? narrow : whole);
        p.masked = i;
        emit_loop(&p, turn ? g->lanes : 1, turn);
        LLVMBuildBr(g->b, done);
    }
    LLVMPositionBuilderAtEnd(g->b, done);
    gemm_end(g);
}
