// Dot products: few rows of A with many rows of B, both contiguous in k. B is read once, straight on.
#include "codegen/gemm_kernels.h"

#include <assert.h>

enum { MAX_SUMS = 32, MAX_ROWS = 32, MAX_LANES = 16 };
enum { P_K, P_A, P_AS, P_B, P_BS, P_C, P_LDC, P_N, P_ACCUMULATE, P_NEXT };

typedef struct dots {
    gemm_code g;
    unsigned rows, at_once, narrow;
    unsigned fetches;       // of rows of B from P_NEXT on, a step; 0: of those that come next
    LLVMValueRef next;      // the first of them, for the columns at work
    LLVMValueRef tail_mask; // of the last, partial vector of k
} dots;

static LLVMValueRef param(const dots *d, unsigned i) { return LLVMGetParam(d->g.function, i); }

static void multiply(const dots *d, unsigned columns, LLVMValueRef b, LLVMValueRef at, bool tail,
                     LLVMValueRef *sum) {
    const gemm_code *g = &d->g;
    LLVMValueRef x[MAX_ROWS], zero = LLVMConstNull(g->vector);
    for (unsigned j = 0; j < columns; j++) {
        LLVMValueRef row = gemm_narrow_at(g, d->narrow, b, gemm_scaled(g, param(d, P_BS), j));
        LLVMValueRef p = gemm_narrow_at(g, d->narrow, row, at);
        x[j] = gemm_load_narrow(g, d->narrow, p, tail ? d->tail_mask : NULL);
        LLVMValueRef ahead = gemm_narrow_at(g, d->narrow, p, gemm_scaled(g, param(d, P_BS), columns));
        if (!tail && !d->fetches) gemm_fetch(g, ahead, false, GEMM_INTO_L1);
    }
    for (unsigned i = 0; i < d->fetches && !tail; i++) {
        LLVMValueRef row = gemm_narrow_at(g, d->narrow, d->next, gemm_scaled(g, param(d, P_BS), i));
        gemm_fetch(g, gemm_narrow_at(g, d->narrow, row, at), false, GEMM_INTO_L1);
    }
    for (unsigned i = 0; i < d->rows; i++) {
        LLVMValueRef p = gemm_at(g, gemm_at(g, param(d, P_A), gemm_scaled(g, param(d, P_AS), i)), at);
        LLVMValueRef a = tail ? tct_llvm_masked_load(g->b, g->vector, p, g->bytes, d->tail_mask, zero)
                              : tct_llvm_load(g->b, g->vector, p, g->bytes);
        for (unsigned j = 0; j < columns; j++)
            sum[i * columns + j] = gemm_fma(g, a, x[j], sum[i * columns + j]);
    }
}

// Vectors x and y with sums in blocks of `block` lanes: one with all of them in blocks of half that, x's
// first. y may be NULL.
static LLVMValueRef halve(const gemm_code *g, LLVMValueRef x, LLVMValueRef y, unsigned block) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef lane[2][MAX_LANES], none = LLVMGetPoison(LLVMTypeOf(x));
    for (unsigned h = 0; h < 2; h++)
        for (unsigned i = 0; i < g->lanes; i++) {
            unsigned at = i / (block / 2) * block + h * block / 2 + i % (block / 2);
            lane[h][i] = at < g->lanes || y ? LLVMConstInt(i32, at, 0) : LLVMGetPoison(i32);
        }
    LLVMValueRef lower =
        LLVMBuildShuffleVector(g->b, x, y ? y : none, LLVMConstVector(lane[0], g->lanes), "");
    LLVMValueRef upper =
        LLVMBuildShuffleVector(g->b, x, y ? y : none, LLVMConstVector(lane[1], g->lanes), "");
    return LLVMBuildFAdd(g->b, lower, upper, "");
}

// The sums of the lanes of each of n vectors, a vector's worth of them at a time: halves onto halves, so the
// order is fixed.
static void totals(const gemm_code *g, LLVMValueRef *sum, unsigned n, LLVMValueRef *out) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    for (unsigned first = 0; first < n; first += g->lanes) {
        unsigned some = n - first < g->lanes ? n - first : g->lanes, left = some;
        LLVMValueRef x[MAX_LANES];
        for (unsigned i = 0; i < some; i++) x[i] = sum[first + i];
        for (unsigned block = g->lanes; block > 1; block /= 2) {
            for (unsigned i = 0; i < left; i += 2)
                x[i / 2] = halve(g, x[i], i + 1 < left ? x[i + 1] : NULL, block);
            left = (left + 1) / 2;
        }
        for (unsigned i = 0; i < some; i++)
            out[first + i] = LLVMBuildExtractElement(g->b, x[0], LLVMConstInt(i32, i, 0), "");
    }
}

static void store_sums(const dots *d, unsigned columns, LLVMValueRef j, LLVMValueRef *sum) {
    const gemm_code *g = &d->g;
    LLVMValueRef add = LLVMBuildICmp(g->b, LLVMIntNE, param(d, P_ACCUMULATE), gemm_index(g, 0), "");
    LLVMBasicBlockRef old = gemm_block(g), store = gemm_block(g), from = LLVMGetInsertBlock(g->b);
    LLVMValueRef at[MAX_SUMS], value[MAX_SUMS], previous[MAX_SUMS];
    for (unsigned i = 0; i < d->rows * columns; i++) {
        LLVMValueRef row = gemm_at(g, param(d, P_C), gemm_scaled(g, param(d, P_LDC), i / columns));
        at[i] = gemm_at(g, row, LLVMBuildAdd(g->b, j, gemm_index(g, i % columns), ""));
    }
    totals(g, sum, d->rows * columns, value);
    LLVMBuildCondBr(g->b, add, old, store);
    LLVMPositionBuilderAtEnd(g->b, old);
    for (unsigned i = 0; i < d->rows * columns; i++)
        previous[i] = tct_llvm_load(g->b, g->element, at[i], g->bytes);
    LLVMBuildBr(g->b, store);
    LLVMPositionBuilderAtEnd(g->b, store);
    LLVMBasicBlockRef incoming[] = {from, old};
    LLVMValueRef phi[MAX_SUMS];
    for (unsigned i = 0; i < d->rows * columns; i++) {
        phi[i] = LLVMBuildPhi(g->b, g->element, "");
        LLVMAddIncoming(phi[i], (LLVMValueRef[]){LLVMConstReal(g->element, -0.0), previous[i]}, incoming, 2);
    }
    for (unsigned i = 0; i < d->rows * columns; i++)
        tct_llvm_store(g->b, LLVMBuildFAdd(g->b, phi[i], value[i], ""), at[i], g->bytes);
}

// `columns` dot products a row of A, over all of k.
static void emit_columns(dots *d, unsigned columns, LLVMValueRef j) {
    const gemm_code *g = &d->g;
    unsigned n = d->rows * columns;
    LLVMValueRef b = gemm_narrow_at(g, d->narrow, param(d, P_B), LLVMBuildMul(g->b, j, param(d, P_BS), ""));
    if (d->fetches) {
        LLVMValueRef turn = LLVMBuildUDiv(g->b, j, gemm_index(g, d->at_once), "");
        LLVMValueRef row = LLVMBuildMul(g->b, gemm_scaled(g, turn, d->fetches), param(d, P_BS), "");
        d->next = gemm_narrow_at(g, d->narrow, param(d, P_NEXT), row);
    }
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g), tail = gemm_block(g), store = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMValueRef at = LLVMBuildPhi(g->b, g->i64, ""), phi[MAX_SUMS], sum[MAX_SUMS], end[MAX_SUMS];
    for (unsigned i = 0; i < n; i++) sum[i] = phi[i] = LLVMBuildPhi(g->b, g->vector, "");
    LLVMValueRef next = LLVMBuildAdd(g->b, at, gemm_index(g, g->lanes), "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLE, next, param(d, P_K), ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    multiply(d, columns, b, at, false, sum);
    LLVMBuildBr(g->b, head);
    LLVMBasicBlockRef from[] = {before, body};
    LLVMAddIncoming(at, (LLVMValueRef[]){gemm_index(g, 0), next}, from, 2);
    for (unsigned i = 0; i < n; i++)
        LLVMAddIncoming(phi[i], (LLVMValueRef[]){LLVMConstNull(g->vector), sum[i]}, from, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, at, param(d, P_K), ""), tail, store);
    LLVMPositionBuilderAtEnd(g->b, tail);
    for (unsigned i = 0; i < n; i++) sum[i] = phi[i];
    multiply(d, columns, b, at, true, sum);
    LLVMBuildBr(g->b, store);
    LLVMPositionBuilderAtEnd(g->b, store);
    LLVMBasicBlockRef ends[] = {after, tail};
    for (unsigned i = 0; i < n; i++) {
        end[i] = LLVMBuildPhi(g->b, g->vector, "");
        LLVMAddIncoming(end[i], (LLVMValueRef[]){phi[i], sum[i]}, ends, 2);
    }
    store_sums(d, columns, j, end);
}

// for (; j + columns <= n; j += columns); leaves the builder after it and returns j.
static LLVMValueRef emit_loop(dots *d, unsigned columns, LLVMValueRef first) {
    const gemm_code *g = &d->g;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMValueRef j = LLVMBuildPhi(g->b, g->i64, ""), next = LLVMBuildAdd(g->b, j, gemm_index(g, columns), "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLE, next, param(d, P_N), ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    emit_columns(d, columns, j);
    LLVMBasicBlockRef from[] = {before, LLVMGetInsertBlock(g->b)};
    LLVMBuildBr(g->b, head);
    LLVMAddIncoming(j, (LLVMValueRef[]){first, next}, from, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
    return j;
}

void gemm_emit_dots(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                    const tct_target *target) {
    assert(k->rows * k->columns <= MAX_SUMS);
    dots d = {.g = gemm_begin(module, target, k->dtype, symbol, "ipipipiiipi"),
              .rows = k->rows,
              .at_once = k->columns,
              .narrow = k->narrow,
              .fetches = k->panel_b};
    gemm_code *g = &d.g;
    LLVMValueRef tail = LLVMBuildSRem(g->b, param(&d, P_K), gemm_index(g, g->lanes), "");
    d.tail_mask = tct_llvm_prefix_mask(g->b, tail, g->lanes);
    LLVMValueRef j = emit_loop(&d, k->columns, gemm_index(g, 0));
    if (k->columns > 1) emit_loop(&d, 1, j);
    gemm_end(g);
}
