// Packing kernels of products in bf16: rows and panels of words along k (runtime/gemm_bf16.h). A vector holds
// as many words as the machine has lanes; where words lie the other way round than they are wanted, squares
// of them are turned in registers.
#include "codegen/gemm_kernels.h"
#include "codegen/loop.h"

#include <assert.h>

enum { MAX_LANES = 16 };
enum { P_OUT, P_OUT_STRIDE, P_IN, P_STRIDE, P_W, P_K };

typedef struct packer {
    gemm_code g; // of words
    const gemm_kernel *k;
    LLVMTypeRef source;
    unsigned per; // steps of k in a word
} packer;

static LLVMValueRef param(const packer *p, unsigned i) { return LLVMGetParam(p->g.function, i); }
static LLVMValueRef add(const packer *p, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildAdd(p->g.b, x, y, "");
}
static LLVMValueRef minus(const packer *p, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildSub(p->g.b, x, y, "");
}
static LLVMValueRef times(const packer *p, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildMul(p->g.b, x, y, "");
}
static LLVMValueRef index_of(const packer *p, int64_t i) { return gemm_index(&p->g, i); }

// --- Loops ---

typedef struct counter {
    LLVMBasicBlockRef head, after;
    LLVMValueRef at;
    int64_t by;
} counter;

// for (at = 0; at < end; at += by)
static counter begin_loop(const packer *p, LLVMValueRef end, int64_t by) {
    const gemm_code *g = &p->g;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), body = gemm_block(g);
    counter c = {.head = gemm_block(g), .after = gemm_block(g), .by = by};
    LLVMBuildBr(g->b, c.head);
    LLVMPositionBuilderAtEnd(g->b, c.head);
    c.at = LLVMBuildPhi(g->b, g->i64, "");
    LLVMAddIncoming(c.at, (LLVMValueRef[]){index_of(p, 0)}, &before, 1);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, c.at, end, ""), body, c.after);
    LLVMPositionBuilderAtEnd(g->b, body);
    return c;
}

static void end_loop(const packer *p, const counter *c) {
    const gemm_code *g = &p->g;
    LLVMBasicBlockRef from = LLVMGetInsertBlock(g->b);
    LLVMValueRef next = add(p, c->at, index_of(p, c->by));
    LLVMAddIncoming(c->at, &next, &from, 1);
    LLVMBuildBr(g->b, c->head);
    LLVMPositionBuilderAtEnd(g->b, c->after);
}

// --- Words ---

// The first `count` (an i64, may be ≤ 0) of a vector of elements from `at` on, as floats; the others are
// zero.
static LLVMValueRef load_floats(const packer *p, LLVMValueRef at, LLVMValueRef count) {
    const gemm_code *g = &p->g;
    LLVMTypeRef type = LLVMVectorType(p->source, g->lanes);
    LLVMValueRef mask = tct_llvm_prefix_mask(g->b, count, g->lanes);
    unsigned align = p->k->dtype == TCT_BF16 ? 2 : 4;
    LLVMValueRef x = tct_llvm_masked_load(g->b, type, at, align, mask, LLVMConstNull(type));
    return tct_loop_emit_widen(g->b, p->k->dtype, g->lanes, x);
}

// Two vectors of floats as one of bf16, the low one first, as words.
static LLVMValueRef narrow(const packer *p, LLVMValueRef low, LLVMValueRef high) {
    LLVMValueRef args[] = {high, low};
    LLVMValueRef x = tct_llvm_intrinsic(p->g.b, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", NULL, 0, args, 2);
    return LLVMBuildBitCast(p->g.b, x, p->g.vector, "");
}

// Elements as bf16 in a vector of words, zero from `count` on.
static LLVMValueRef load_halves(const packer *p, LLVMValueRef at, LLVMValueRef count) {
    const gemm_code *g = &p->g;
    unsigned n = 2 * g->lanes;
    LLVMTypeRef type = LLVMVectorType(p->source, n);
    LLVMValueRef mask = tct_llvm_prefix_mask(g->b, count, n);
    LLVMValueRef x = tct_llvm_masked_load(g->b, type, at, 2, mask, LLVMConstNull(type));
    return LLVMBuildBitCast(g->b, x, g->vector, "");
}

static LLVMValueRef source_at(const packer *p, LLVMValueRef offset) {
    return LLVMBuildGEP2(p->g.b, p->source, param(p, P_IN), &offset, 1, "");
}

// A vector of words of one row (or column) whose k is contiguous, from word `word` on; zero past k's end.
static LLVMValueRef words_along_k(const packer *p, LLVMValueRef row, LLVMValueRef word) {
    const gemm_code *g = &p->g;
    LLVMValueRef k = times(p, word, index_of(p, p->per)), left = minus(p, param(p, P_K), k);
    LLVMValueRef offset = add(p, times(p, row, param(p, P_STRIDE)), k);
    if (p->per == 1) {
        LLVMValueRef x = load_floats(p, source_at(p, offset), left);
        return p->k->rounded ? tct_loop_emit_op(g->b, TCT_IR_CAST, TCT_F32, TCT_BF16, g->lanes, &x) : x;
    }
    if (p->k->dtype == TCT_BF16) return load_halves(p, source_at(p, offset), left);
    LLVMValueRef lanes = index_of(p, g->lanes);
    return narrow(p, load_floats(p, source_at(p, offset), left),
                  load_floats(p, source_at(p, add(p, offset, lanes)), minus(p, left, lanes)));
}

// x0 y0 x1 y1 … of vectors of halves that lie in one: first all of x, then all of y.
static LLVMValueRef interleave(const packer *p, LLVMValueRef x) {
    const gemm_code *g = &p->g;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context), i16 = LLVMInt16TypeInContext(g->context);
    LLVMTypeRef halves = LLVMVectorType(i16, 2 * g->lanes);
    LLVMValueRef lane[2 * MAX_LANES];
    for (unsigned i = 0; i < 2 * g->lanes; i++) lane[i] = LLVMConstInt(i32, i / 2 + i % 2 * g->lanes, 0);
    x = LLVMBuildBitCast(g->b, x, halves, "");
    x = LLVMBuildShuffleVector(g->b, x, LLVMGetPoison(halves), LLVMConstVector(lane, 2 * g->lanes), "");
    return LLVMBuildBitCast(g->b, x, g->vector, "");
}

// The words `word` of a vector of rows (or columns) from `w` on, which lie side by side; zero past k's end.
static LLVMValueRef words_along_w(const packer *p, LLVMValueRef w, LLVMValueRef word) {
    const gemm_code *g = &p->g;
    LLVMValueRef x[2], left = minus(p, param(p, P_W), w);
    for (unsigned i = 0; i < p->per; i++) {
        LLVMValueRef k = add(p, times(p, word, index_of(p, p->per)), index_of(p, i));
        LLVMValueRef there = LLVMBuildICmp(g->b, LLVMIntSLT, k, param(p, P_K), "");
        LLVMValueRef count = LLVMBuildSelect(g->b, there, left, index_of(p, 0), "");
        x[i] = load_floats(p, source_at(p, add(p, times(p, k, param(p, P_STRIDE)), w)), count);
    }
    if (p->per == 1)
        return p->k->rounded ? tct_loop_emit_op(g->b, TCT_IR_CAST, TCT_F32, TCT_BF16, g->lanes, x) : x[0];
    return interleave(p, narrow(p, x[0], x[1]));
}

static LLVMValueRef zip(const gemm_code *g, LLVMValueRef x, LLVMValueRef y, bool upper) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef lane[MAX_LANES];
    for (unsigned i = 0; i < g->lanes; i++)
        lane[i] = LLVMConstInt(i32, i / 2 + (upper ? g->lanes / 2 : 0) + (i % 2) * g->lanes, 0);
    return LLVMBuildShuffleVector(g->b, x, y, LLVMConstVector(lane, g->lanes), "");
}

// A square of words: vector i's word j becomes vector j's word i. Interleaving i with i + half does it in
// log2 stages.
static void turn(const packer *p, LLVMValueRef *x) {
    const gemm_code *g = &p->g;
    LLVMValueRef y[MAX_LANES];
    for (unsigned stage = 1; stage < g->lanes; stage *= 2) {
        for (unsigned i = 0; i < g->lanes / 2; i++) {
            y[2 * i] = zip(g, x[i], x[i + g->lanes / 2], false);
            y[2 * i + 1] = zip(g, x[i], x[i + g->lanes / 2], true);
        }
        for (unsigned i = 0; i < g->lanes; i++) x[i] = y[i];
    }
}

// --- Rows and panels ---

static LLVMValueRef out_at(const packer *p, LLVMValueRef offset) {
    return gemm_at(&p->g, param(p, P_OUT), offset);
}

// Words of whole units.
static LLVMValueRef all_words(const packer *p) {
    if (p->per == 1) return param(p, P_K);
    LLVMValueRef up = add(p, param(p, P_K), index_of(p, (int64_t)p->k->rows - 1));
    LLVMValueRef units = LLVMBuildUDiv(p->g.b, up, index_of(p, p->k->rows), "");
    return times(p, units, index_of(p, p->k->rows / p->per));
}

// The first word of panel column j: panels are out_stride apart, their columns side by side.
static LLVMValueRef column_at(const packer *p, LLVMValueRef j) {
    LLVMValueRef width = index_of(p, p->k->columns);
    LLVMValueRef panel = LLVMBuildUDiv(p->g.b, j, width, ""), within = LLVMBuildURem(p->g.b, j, width, "");
    return add(p, times(p, panel, param(p, P_OUT_STRIDE)), within);
}

static void store_column(const packer *p, LLVMValueRef x, LLVMValueRef j, LLVMValueRef word,
                         LLVMValueRef count) {
    const gemm_code *g = &p->g;
    LLVMValueRef at = add(p, column_at(p, j), times(p, word, index_of(p, p->k->columns)));
    tct_llvm_masked_store(g->b, x, out_at(p, at), 4, tct_llvm_prefix_mask(g->b, count, g->lanes));
}

static void store_row(const packer *p, LLVMValueRef x, LLVMValueRef row, LLVMValueRef word,
                      LLVMValueRef count) {
    const gemm_code *g = &p->g;
    LLVMValueRef at = add(p, times(p, row, param(p, P_OUT_STRIDE)), word);
    tct_llvm_masked_store(g->b, x, out_at(p, at), 4, tct_llvm_prefix_mask(g->b, count, g->lanes));
}

static void emit_rows_k(const packer *p) {
    LLVMValueRef words = all_words(p);
    counter row = begin_loop(p, param(p, P_W), 1), word = begin_loop(p, words, p->g.lanes);
    store_row(p, words_along_k(p, row.at, word.at), row.at, word.at, minus(p, words, word.at));
    end_loop(p, &word);
    end_loop(p, &row);
}

static void emit_rows_m(const packer *p) {
    const gemm_code *g = &p->g;
    LLVMValueRef words = all_words(p), x[MAX_LANES];
    counter row = begin_loop(p, param(p, P_W), g->lanes), word = begin_loop(p, words, g->lanes);
    for (unsigned i = 0; i < g->lanes; i++) x[i] = words_along_w(p, row.at, add(p, word.at, index_of(p, i)));
    turn(p, x);
    LLVMValueRef left = minus(p, words, word.at);
    for (unsigned i = 0; i < g->lanes; i++) {
        LLVMValueRef at = add(p, row.at, index_of(p, i));
        LLVMValueRef there = LLVMBuildICmp(g->b, LLVMIntSLT, at, param(p, P_W), "");
        store_row(p, x[i], at, word.at, LLVMBuildSelect(g->b, there, left, index_of(p, 0), ""));
    }
    end_loop(p, &word);
    end_loop(p, &row);
}

static void emit_panels_n(const packer *p) {
    counter word = begin_loop(p, all_words(p), 1), column = begin_loop(p, param(p, P_W), p->g.lanes);
    store_column(p, words_along_w(p, column.at, word.at), column.at, word.at,
                 minus(p, param(p, P_W), column.at));
    end_loop(p, &column);
    end_loop(p, &word);
}

static void emit_panels_k(const packer *p) {
    const gemm_code *g = &p->g;
    LLVMValueRef words = all_words(p), last = minus(p, param(p, P_W), index_of(p, 1)), x[MAX_LANES];
    counter column = begin_loop(p, param(p, P_W), g->lanes), word = begin_loop(p, words, g->lanes);
    for (unsigned i = 0; i < g->lanes; i++) { // past the last column it again, which isn't stored
        LLVMValueRef bounds[] = {add(p, column.at, index_of(p, i)), last};
        LLVMTypeRef i64 = g->i64;
        x[i] = words_along_k(p, tct_llvm_intrinsic(g->b, "llvm.smin", &i64, 1, bounds, 2), word.at);
    }
    turn(p, x);
    LLVMValueRef left = minus(p, param(p, P_W), column.at);
    for (unsigned i = 0; i < g->lanes; i++) {
        LLVMValueRef at = add(p, word.at, index_of(p, i));
        LLVMValueRef there = LLVMBuildICmp(g->b, LLVMIntSLT, at, words, "");
        store_column(p, x[i], column.at, at, LLVMBuildSelect(g->b, there, left, index_of(p, 0), ""));
    }
    end_loop(p, &word);
    end_loop(p, &column);
}

void gemm_emit_words(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                     const tct_target *target) {
    packer p = {
        .g = gemm_begin(module, target, TCT_F32, symbol, "pipiii"), .k = k, .per = k->rows > 1 ? 2 : 1};
    p.source = tct_loop_memory_type(p.g.context, k->dtype, 0);
    assert(p.g.lanes <= MAX_LANES);
    switch (k->kind) {
    case GEMM_ROWS_K:
        emit_rows_k(&p);
        break;
    case GEMM_ROWS_M:
        emit_rows_m(&p);
        break;
    case GEMM_PANELS_N:
        emit_panels_n(&p);
        break;
    default:
        emit_panels_k(&p);
    }
    gemm_end(&p.g);
}
