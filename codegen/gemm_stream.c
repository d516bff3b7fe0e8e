// Few rows of A with a B that is contiguous in n: some rows of B at a time, each read straight on, with the
// sums in the nearest cache.
#include "codegen/gemm_kernels.h"

#include <assert.h>

enum { MAX_STEPS = 8, MAX_ROWS = 8 };
enum { P_K, P_A, P_AS, P_B, P_BS, P_C, P_LDC, P_N };

typedef struct stream {
    gemm_code g;
    const gemm_kernel *k;
    LLVMValueRef whole, mask; // columns in whole vectors; the last vector's
} stream;

static LLVMValueRef param(const stream *s, unsigned i) { return LLVMGetParam(s->g.function, i); }

static LLVMValueRef load(const stream *s, LLVMValueRef at, bool edge) {
    const gemm_code *g = &s->g;
    if (edge) return tct_llvm_masked_load(g->b, g->vector, at, g->bytes, s->mask, LLVMConstNull(g->vector));
    return tct_llvm_load(g->b, g->vector, at, g->bytes);
}

// One vector of each row of C, from column j on, gains `steps` steps of k.
static void one_vector(const stream *s, unsigned steps, LLVMValueRef b, LLVMValueRef j, LLVMValueRef *a,
                       bool edge) {
    const gemm_code *g = &s->g;
    LLVMValueRef x[MAX_STEPS];
    for (unsigned u = 0; u < steps; u++)
        x[u] = load(s, gemm_at(g, gemm_at(g, b, gemm_scaled(g, param(s, P_BS), u)), j), edge);
    for (unsigned i = 0; i < s->k->rows; i++) {
        LLVMValueRef at = gemm_at(g, gemm_at(g, param(s, P_C), gemm_scaled(g, param(s, P_LDC), i)), j);
        LLVMValueRef sum = load(s, at, edge);
        for (unsigned u = 0; u < steps; u++) sum = gemm_fma(g, a[i * steps + u], x[u], sum);
        if (edge)
            tct_llvm_masked_store(g->b, sum, at, g->bytes, s->mask);
        else
            tct_llvm_store(g->b, sum, at, g->bytes);
    }
}

// `steps` steps of k from `step` on, for all columns.
static void group(const stream *s, unsigned steps, LLVMValueRef step) {
    const gemm_code *g = &s->g;
    LLVMValueRef a[MAX_ROWS * MAX_STEPS];
    for (unsigned i = 0; i < s->k->rows; i++)
        for (unsigned u = 0; u < steps; u++) {
            LLVMValueRef k = LLVMBuildAdd(g->b, step, gemm_index(g, u), ""), as = param(s, P_AS);
            LLVMValueRef at = s->k->by_row
                                  ? LLVMBuildAdd(g->b, gemm_scaled(g, as, i), k, "")
                                  : LLVMBuildAdd(g->b, LLVMBuildMul(g->b, k, as, ""), gemm_index(g, i), "");
            a[i * steps + u] = gemm_load_splat(g, gemm_at(g, param(s, P_A), at));
        }
    LLVMValueRef b = gemm_at(g, param(s, P_B), LLVMBuildMul(g->b, step, param(s, P_BS), ""));
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g), edge = gemm_block(g), done = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMValueRef j = LLVMBuildPhi(g->b, g->i64, ""),
                 next = LLVMBuildAdd(g->b, j, gemm_index(g, g->lanes), "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, j, s->whole, ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    one_vector(s, steps, b, j, a, false);
    LLVMBuildBr(g->b, head);
    LLVMAddIncoming(j, (LLVMValueRef[]){gemm_index(g, 0), next}, (LLVMBasicBlockRef[]){before, body}, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, s->whole, param(s, P_N), ""), edge, done);
    LLVMPositionBuilderAtEnd(g->b, edge);
    one_vector(s, steps, b, s->whole, a, true);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

// for (; k + steps <= K; k += steps); leaves the builder after it and returns k.
static LLVMValueRef emit_groups(const stream *s, unsigned steps, LLVMValueRef first) {
    const gemm_code *g = &s->g;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMValueRef k = LLVMBuildPhi(g->b, g->i64, ""), next = LLVMBuildAdd(g->b, k, gemm_index(g, steps), "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLE, next, param(s, P_K), ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    group(s, steps, k);
    LLVMBasicBlockRef from[] = {before, LLVMGetInsertBlock(g->b)};
    LLVMBuildBr(g->b, head);
    LLVMAddIncoming(k, (LLVMValueRef[]){first, next}, from, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
    return k;
}

void gemm_emit_stream(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                      const tct_target *target) {
    assert(k->rows <= MAX_ROWS && k->columns <= MAX_STEPS);
    stream s = {.g = gemm_begin(module, target, k->dtype, symbol, "ipipipiiipi"), .k = k};
    gemm_code *g = &s.g;
    LLVMValueRef rest = LLVMBuildSRem(g->b, param(&s, P_N), gemm_index(g, g->lanes), "");
    s.whole = LLVMBuildSub(g->b, param(&s, P_N), rest, "");
    s.mask = tct_llvm_prefix_mask(g->b, rest, g->lanes);
    LLVMValueRef left = emit_groups(&s, k->columns, gemm_index(g, 0));
    if (k->columns > 1) emit_groups(&s, 1, left);
    gemm_end(g);
}
