// Few rows of A with a B that is contiguous in n: some rows of B at a time, each read straight on, with the
// sums in a near cache. With one row of A, registers hold its elements for all columns; with more, a vector
// of each of these rows of B for all rows of A. Then rows of B that are taken together are far apart: each is
// in a stretch of memory of its own that is read to its end, because caches fetch ahead within a page, and in
// one place of it only.
#include "codegen/gemm_kernels.h"

#include <assert.h>

enum { MAX_STEPS = 16 };
enum { TOGETHER = 8 }; // rows whose sums hide each other's latency, if there are registers for them
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

// `rows` rows of C, at `c` one vector each, gain `steps` steps of k: x are vectors of B, and the elements of
// A are in `a`, when there is one row, or else at `from`, step by step.
static void some_rows(const stream *s, unsigned steps, unsigned rows, LLVMValueRef *x, LLVMValueRef *a,
                      LLVMValueRef from, LLVMValueRef c, bool edge) {
    const gemm_code *g = &s->g;
    LLVMValueRef at[TOGETHER], sum[TOGETHER];
    for (unsigned r = 0; r < rows; r++) {
        at[r] = gemm_at(g, c, gemm_scaled(g, param(s, P_LDC), r));
        sum[r] = load(s, at[r], edge);
    }
    for (unsigned u = 0; u < steps; u++)
        for (unsigned r = 0; r < rows; r++) {
            LLVMValueRef place = gemm_index(g, u * s->k->rows + r);
            sum[r] = gemm_fma(g, a ? a[u] : gemm_load_splat(g, gemm_at(g, from, place)), x[u], sum[r]);
        }
    for (unsigned r = 0; r < rows; r++)
        if (edge)
            tct_llvm_masked_store(g->b, sum[r], at[r], g->bytes, s->mask);
        else
            tct_llvm_store(g->b, sum[r], at[r], g->bytes);
}

// All rows, some at a time; the elements of A are read as they are used.
static void many_rows(const stream *s, unsigned steps, LLVMValueRef *x, LLVMValueRef from, LLVMValueRef c,
                      bool edge) {
    const gemm_code *g = &s->g;
    unsigned together = s->k->columns / 2, rest = s->k->rows % together;
    assert(together >= 1 && together <= TOGETHER);
    if (s->k->rows < together) {
        some_rows(s, steps, rest, x, NULL, from, c, edge);
        return;
    }
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), body = gemm_block(g), after = gemm_block(g);
    LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef i = LLVMBuildPhi(g->b, g->i64, ""), row = LLVMBuildPhi(g->b, LLVMTypeOf(c), "");
    some_rows(s, steps, together, x, NULL, gemm_at(g, from, i), row, edge);
    LLVMValueRef next = LLVMBuildAdd(g->b, i, gemm_index(g, together), "");
    LLVMValueRef next_row = gemm_at(g, row, gemm_scaled(g, param(s, P_LDC), together));
    LLVMBasicBlockRef blocks[] = {before, body};
    LLVMAddIncoming(i, (LLVMValueRef[]){gemm_index(g, 0), next}, blocks, 2);
    LLVMAddIncoming(row, (LLVMValueRef[]){c, next_row}, blocks, 2);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, next, gemm_index(g, s->k->rows - rest), ""), body,
                    after);
    LLVMPositionBuilderAtEnd(g->b, after);
    if (rest) some_rows(s, steps, rest, x, NULL, gemm_at(g, from, next), next_row, edge);
}

// One vector of each row of C, from column j on, gains `steps` steps of k.
static void one_vector(const stream *s, unsigned steps, LLVMValueRef from, LLVMValueRef b, LLVMValueRef apart,
                       LLVMValueRef j, LLVMValueRef *a, bool edge) {
    const gemm_code *g = &s->g;
    LLVMValueRef x[MAX_STEPS], c = gemm_at(g, param(s, P_C), j);
    for (unsigned u = 0; u < steps; u++) {
        LLVMValueRef row = gemm_narrow_at(g, s->k->narrow, b, gemm_scaled(g, apart, u));
        LLVMValueRef at = gemm_narrow_at(g, s->k->narrow, row, j);
        x[u] = gemm_load_narrow(g, s->k->narrow, at, edge ? s->mask : NULL);
        if (a && s->k->narrow && !edge)
            gemm_fetch(g, gemm_narrow_at(g, s->k->narrow, at, gemm_scaled(g, apart, steps)), false,
                       GEMM_INTO_L1);
    }
    if (a)
        some_rows(s, steps, 1, x, a, NULL, c, edge);
    else
        many_rows(s, steps, x, from, c, edge);
}

// `steps` steps of k, for all columns: of A at `from`, of B at b and from there on `apart` elements apart.
static void group(const stream *s, unsigned steps, LLVMValueRef from, LLVMValueRef b, LLVMValueRef apart) {
    const gemm_code *g = &s->g;
    LLVMValueRef held[MAX_STEPS], *a = s->k->rows == 1 ? held : NULL;
    for (unsigned u = 0; a && u < steps; u++) a[u] = gemm_load_splat(g, gemm_at(g, from, gemm_index(g, u)));
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g), edge = gemm_block(g), done = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMValueRef j = LLVMBuildPhi(g->b, g->i64, ""),
                 next = LLVMBuildAdd(g->b, j, gemm_index(g, g->lanes), "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, j, s->whole, ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    one_vector(s, steps, from, b, apart, j, a, false);
    LLVMBasicBlockRef ends[] = {before, LLVMGetInsertBlock(g->b)};
    LLVMBuildBr(g->b, head);
    LLVMAddIncoming(j, (LLVMValueRef[]){gemm_index(g, 0), next}, ends, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, s->whole, param(s, P_N), ""), edge, done);
    LLVMPositionBuilderAtEnd(g->b, edge);
    one_vector(s, steps, from, b, apart, s->whole, a, true);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

// for (; k + steps <= K; k += steps); leaves the builder after it and returns k. The rows of B that a group
// takes are neighbours, or, unless that is NULL, `apart` rows apart.
static LLVMValueRef emit_groups(const stream *s, unsigned steps, LLVMValueRef first, LLVMValueRef apart) {
    const gemm_code *g = &s->g;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMValueRef k = LLVMBuildPhi(g->b, g->i64, ""), next = LLVMBuildAdd(g->b, k, gemm_index(g, steps), "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLE, next, param(s, P_K), ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef from = gemm_at(g, param(s, P_A), gemm_scaled(g, k, s->k->rows));
    LLVMValueRef row = apart ? LLVMBuildUDiv(g->b, k, gemm_index(g, steps), "") : k;
    LLVMValueRef b =
        gemm_narrow_at(g, s->k->narrow, param(s, P_B), LLVMBuildMul(g->b, row, param(s, P_BS), ""));
    group(s, steps, from, b, apart ? LLVMBuildMul(g->b, apart, param(s, P_BS), "") : param(s, P_BS));
    LLVMBasicBlockRef ends[] = {before, LLVMGetInsertBlock(g->b)};
    LLVMBuildBr(g->b, head);
    LLVMAddIncoming(k, (LLVMValueRef[]){first, next}, ends, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
    return k;
}

// Stores to C end what is known of A, so that LLVM reads its elements where they are used instead of keeping
// them all, which would be on the stack.
static void may_overlap(const gemm_code *g) {
    unsigned noalias = LLVMGetEnumAttributeKindForName("noalias", sizeof "noalias" - 1);
    LLVMRemoveEnumAttributeAtIndex(g->function, P_A + 1, noalias);
    LLVMRemoveEnumAttributeAtIndex(g->function, P_C + 1, noalias);
}

void gemm_emit_stream(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                      const tct_target *target) {
    assert(k->columns <= MAX_STEPS);
    stream s = {.g = gemm_begin(module, target, k->dtype, symbol, "ipipipiiipi"), .k = k};
    gemm_code *g = &s.g;
    bool far = k->rows > 1;
    if (far) may_overlap(g);
    LLVMValueRef rest = LLVMBuildSRem(g->b, param(&s, P_N), gemm_index(g, g->lanes), "");
    s.whole = LLVMBuildSub(g->b, param(&s, P_N), rest, "");
    s.mask = tct_llvm_prefix_mask(g->b, rest, g->lanes);
    LLVMValueRef apart = far ? LLVMBuildUDiv(g->b, param(&s, P_K), gemm_index(g, k->columns), "") : NULL;
    LLVMValueRef left = emit_groups(&s, k->columns, gemm_index(g, 0), apart);
    if (k->columns > 1) emit_groups(&s, 1, left, NULL);
    gemm_end(g);
}
