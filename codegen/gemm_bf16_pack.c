// Packing kernels of products in bf16: rows and panels of words along k (runtime/gemm_bf16.h). A vector holds
// as many words as the machine has lanes; where words lie the other way round than they are wanted, squares
// of them are turned in registers.
#include "codegen/gemm_kernels.h"
#include "codegen/loop.h"

#include <assert.h>

enum { MAX_LANES = GEMM_MAX_TURNED };
enum { P_OUT, P_OUT_STRIDE, P_IN, P_STRIDE, P_W, P_K };

typedef struct packer {
    gemm_code g; // of words
    const gemm_kernel *k;
    LLVMTypeRef source;
    unsigned per;    // steps of k in a word
    unsigned pieces; // of an element
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

// for (at = begin; at < end; at += by)
static counter begin_loop_at(const packer *p, LLVMValueRef begin, LLVMValueRef end, int64_t by) {
    const gemm_code *g = &p->g;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), body = gemm_block(g);
    counter c = {.head = gemm_block(g), .after = gemm_block(g), .by = by};
    LLVMBuildBr(g->b, c.head);
    LLVMPositionBuilderAtEnd(g->b, c.head);
    c.at = LLVMBuildPhi(g->b, g->i64, "");
    LLVMAddIncoming(c.at, &begin, &before, 1);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, c.at, end, ""), body, c.after);
    LLVMPositionBuilderAtEnd(g->b, body);
    return c;
}

static counter begin_loop(const packer *p, LLVMValueRef end, int64_t by) {
    return begin_loop_at(p, index_of(p, 0), end, by);
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

// Runs of a block are too short for the hardware to fetch ahead of them: a vector asks for the one as many
// runs further on.
static void fetch_run_ahead(const packer *p, LLVMValueRef at) {
    const gemm_code *g = &p->g;
    LLVMValueRef ahead = times(p, param(p, P_STRIDE), index_of(p, g->lanes));
    gemm_fetch(g, LLVMBuildGEP2(g->b, p->source, at, &ahead, 1, ""), false, GEMM_INTO_L1);
}

// A vector of n elements from `at` on, of which all but the first `count` (an i64, may be ≤ 0; NULL: n) are
// zero.
static LLVMValueRef load_first(const packer *p, LLVMValueRef at, LLVMValueRef count, unsigned n) {
    LLVMTypeRef type = LLVMVectorType(p->source, n);
    unsigned align = p->k->dtype == TCT_BF16 ? 2 : 4;
    if (!count) {
        LLVMValueRef x = LLVMBuildLoad2(p->g.b, type, at, "");
        LLVMSetAlignment(x, align);
        return x;
    }
    LLVMValueRef mask = tct_llvm_prefix_mask(p->g.b, count, n);
    return tct_llvm_masked_load(p->g.b, type, at, align, mask, LLVMConstNull(type));
}

static void store_first(const packer *p, LLVMValueRef x, LLVMValueRef at, LLVMValueRef count) {
    if (count)
        tct_llvm_masked_store(p->g.b, x, at, 4, tct_llvm_prefix_mask(p->g.b, count, p->g.lanes));
    else
        LLVMSetAlignment(LLVMBuildStore(p->g.b, x, at), 4);
}

// As floats.
static LLVMValueRef load_floats(const packer *p, LLVMValueRef at, LLVMValueRef count) {
    bool of_b = p->k->kind == GEMM_PANELS_K || p->k->kind == GEMM_PANELS_N; // tiles fetch A
    if (of_b) fetch_run_ahead(p, at);
    LLVMValueRef x = load_first(p, at, count, p->g.lanes);
    return tct_loop_emit_widen(p->g.b, p->k->dtype, p->g.lanes, x);
}

// Two vectors of floats as one of bf16, the low one first, as words.
static LLVMValueRef narrow(const packer *p, LLVMValueRef low, LLVMValueRef high) {
    LLVMValueRef args[] = {high, low};
    LLVMValueRef x = tct_llvm_intrinsic(p->g.b, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", NULL, 0, args, 2);
    return LLVMBuildBitCast(p->g.b, x, p->g.vector, "");
}

// Words of the upper halves of two vectors: side by side, the low one first.
static LLVMValueRef upper_halves(const packer *p, LLVMValueRef low, LLVMValueRef high) {
    const gemm_code *g = &p->g;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context), i16 = LLVMInt16TypeInContext(g->context);
    LLVMTypeRef halves = LLVMVectorType(i16, 2 * g->lanes);
    LLVMValueRef lane[2 * MAX_LANES];
    for (unsigned i = 0; i < 2 * g->lanes; i++) lane[i] = LLVMConstInt(i32, 2 * i + 1, 0);
    LLVMValueRef x = LLVMBuildShuffleVector(g->b, LLVMBuildBitCast(g->b, low, halves, ""),
                                            LLVMBuildBitCast(g->b, high, halves, ""),
                                            LLVMConstVector(lane, 2 * g->lanes), "");
    return LLVMBuildBitCast(g->b, x, g->vector, "");
}

// Elements as bf16 in a vector of words.
static LLVMValueRef load_halves(const packer *p, LLVMValueRef at, LLVMValueRef count) {
    return LLVMBuildBitCast(p->g.b, load_first(p, at, count, 2 * p->g.lanes), p->g.vector, "");
}

static LLVMValueRef source_at(const packer *p, LLVMValueRef offset) {
    return LLVMBuildGEP2(p->g.b, p->source, param(p, P_IN), &offset, 1, "");
}

// A vector of words, of each piece, of one row (or column) whose k is contiguous, from word `word` on; zero
// past k's end, unless all of them are `whole`.
static void words_along_k(const packer *p, LLVMValueRef row, LLVMValueRef word, bool whole,
                          LLVMValueRef *out) {
    const gemm_code *g = &p->g;
    LLVMValueRef k = times(p, word, index_of(p, p->per));
    LLVMValueRef left = whole ? NULL : minus(p, param(p, P_K), k);
    LLVMValueRef offset = add(p, times(p, row, param(p, P_STRIDE)), k);
    if (p->per == 1) {
        LLVMValueRef x = load_floats(p, source_at(p, offset), left);
        *out = p->k->rounded ? tct_loop_emit_op(g->b, TCT_IR_CAST, TCT_F32, TCT_BF16, g->lanes, &x) : x;
        return;
    }
    if (p->k->dtype == TCT_BF16) {
        *out = load_halves(p, source_at(p, offset), left);
        return;
    }
    LLVMValueRef lanes = index_of(p, g->lanes);
    LLVMValueRef low = load_floats(p, source_at(p, offset), left);
    LLVMValueRef high =
        load_floats(p, source_at(p, add(p, offset, lanes)), whole ? NULL : minus(p, left, lanes));
    if (p->pieces == 1) *out = narrow(p, low, high);
    for (unsigned i = 0; i < p->pieces && p->pieces > 1; i++) {
        bool last = i + 1 == p->pieces;
        LLVMValueRef upper = gemm_take_piece(g, &low, last);
        out[i] = upper_halves(p, upper, gemm_take_piece(g, &high, last));
    }
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

// The words `word`, of each piece, of a vector of rows (or columns) from `w` on, which lie side by side; zero
// past k's end.
static void words_along_w(const packer *p, LLVMValueRef w, LLVMValueRef word, LLVMValueRef *out) {
    const gemm_code *g = &p->g;
    LLVMValueRef x[2], left = minus(p, param(p, P_W), w);
    for (unsigned i = 0; i < p->per; i++) {
        LLVMValueRef k = add(p, times(p, word, index_of(p, p->per)), index_of(p, i));
        LLVMValueRef there = LLVMBuildICmp(g->b, LLVMIntSLT, k, param(p, P_K), "");
        LLVMValueRef count = LLVMBuildSelect(g->b, there, left, index_of(p, 0), "");
        x[i] = load_floats(p, source_at(p, add(p, times(p, k, param(p, P_STRIDE)), w)), count);
    }
    if (p->per == 1)
        *out = p->k->rounded ? tct_loop_emit_op(g->b, TCT_IR_CAST, TCT_F32, TCT_BF16, g->lanes, x) : x[0];
    else if (p->pieces == 1)
        *out = interleave(p, narrow(p, x[0], x[1]));
    else
        gemm_split_pair(g, x, p->pieces, out);
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

// Where word `word` of a piece of a row (or column) is: a unit has those of one piece after another.
static LLVMValueRef place_of(const packer *p, LLVMValueRef word, unsigned piece) {
    const gemm_code *g = &p->g;
    if (p->pieces == 1) return word;
    int64_t unit = p->k->rows / p->per;
    LLVMValueRef begin = LLVMBuildAnd(g->b, word, index_of(p, -unit), "");
    LLVMValueRef before = times(p, begin, index_of(p, p->pieces - 1));
    return add(p, add(p, word, before), index_of(p, piece * unit));
}

static void store_columns(const packer *p, const LLVMValueRef *x, LLVMValueRef j, LLVMValueRef word,
                          LLVMValueRef count) {
    const gemm_code *g = &p->g;
    LLVMValueRef column = column_at(p, j), mask = tct_llvm_prefix_mask(g->b, count, g->lanes);
    for (unsigned i = 0; i < p->pieces; i++) {
        LLVMValueRef at = add(p, column, times(p, place_of(p, word, i), index_of(p, p->k->columns)));
        tct_llvm_masked_store(g->b, x[i], out_at(p, at), 4, mask);
    }
}

static void store_row(const packer *p, LLVMValueRef x, LLVMValueRef row, LLVMValueRef word, unsigned piece,
                      LLVMValueRef count) {
    const gemm_code *g = &p->g;
    LLVMValueRef at = add(p, times(p, row, param(p, P_OUT_STRIDE)), word);
    if (p->k->columns) { // whole rows of tiles: vectors are as long
        assert(p->k->columns == g->lanes && p->k->rows == p->per * g->lanes);
        LLVMValueRef width = index_of(p, p->k->columns), in_panel = LLVMBuildURem(g->b, row, width, "");
        LLVMValueRef panel = LLVMBuildUDiv(g->b, row, width, "");
        LLVMValueRef begin = add(p, times(p, panel, param(p, P_OUT_STRIDE)), times(p, in_panel, width));
        at = add(p, begin, times(p, place_of(p, word, piece), width));
    }
    store_first(p, x, out_at(p, at), count);
}

// Words [begin, end) of a row, of which a vector's are all there, or not.
static void emit_row_k(const packer *p, LLVMValueRef row, LLVMValueRef begin, LLVMValueRef end, bool whole) {
    LLVMValueRef x[TCT_GEMM_PIECES];
    counter word = begin_loop_at(p, begin, end, p->g.lanes);
    words_along_k(p, row, word.at, whole, x);
    for (unsigned i = 0; i < p->pieces; i++)
        store_row(p, x[i], row, word.at, i, whole ? NULL : minus(p, end, word.at));
    end_loop(p, &word);
}

static void emit_rows_k(const packer *p) {
    int64_t steps = (int64_t)p->per * p->g.lanes;
    LLVMValueRef vectors = LLVMBuildUDiv(p->g.b, param(p, P_K), index_of(p, steps), "");
    LLVMValueRef whole = times(p, vectors, index_of(p, p->g.lanes)), words = all_words(p);
    counter row = begin_loop(p, param(p, P_W), 1);
    emit_row_k(p, row.at, index_of(p, 0), whole, true);
    emit_row_k(p, row.at, whole, words, false);
    end_loop(p, &row);
}

static void emit_rows_m(const packer *p) {
    const gemm_code *g = &p->g;
    LLVMValueRef words = all_words(p), x[MAX_LANES];
    counter row = begin_loop(p, param(p, P_W), g->lanes), word = begin_loop(p, words, g->lanes);
    for (unsigned i = 0; i < g->lanes; i++) words_along_w(p, row.at, add(p, word.at, index_of(p, i)), &x[i]);
    LLVMValueRef left = minus(p, words, word.at);
    gemm_turn(g, x, g->lanes);
    for (unsigned i = 0; i < g->lanes; i++) {
        LLVMValueRef at = add(p, row.at, index_of(p, i));
        LLVMValueRef there = LLVMBuildICmp(g->b, LLVMIntSLT, at, param(p, P_W), "");
        store_row(p, x[i], at, word.at, 0, LLVMBuildSelect(g->b, there, left, index_of(p, 0), ""));
    }
    end_loop(p, &word);
    end_loop(p, &row);
}

// In pieces, floats are turned, before each becomes three: 16 rows by a unit of k, of which all are there, or
// only some (`left`, an i64, may be NULL, of the rows).
static void emit_split_rows_m_at(const packer *p, LLVMValueRef row, LLVMValueRef word, LLVMValueRef left) {
    const gemm_code *g = &p->g;
    LLVMValueRef x[2][MAX_LANES], none = index_of(p, 0);
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned i = 0; i < g->lanes; i++) {
            LLVMValueRef k = add(p, times(p, word, index_of(p, 2)), index_of(p, half * g->lanes + i));
            LLVMValueRef there = LLVMBuildICmp(g->b, LLVMIntSLT, k, param(p, P_K), "");
            LLVMValueRef count = left ? LLVMBuildSelect(g->b, there, left, none, "") : NULL;
            x[half][i] = load_floats(p, source_at(p, add(p, times(p, k, param(p, P_STRIDE)), row)), count);
        }
        gemm_turn(g, x[half], g->lanes);
    }
    for (unsigned i = 0; i < g->lanes; i++) {
        LLVMValueRef there = left ? LLVMBuildICmp(g->b, LLVMIntSLT, index_of(p, i), left, "") : NULL;
        LLVMValueRef count = left ? LLVMBuildSelect(g->b, there, index_of(p, g->lanes), none, "") : NULL;
        for (unsigned piece = 0; piece < p->pieces; piece++) {
            bool last = piece + 1 == p->pieces;
            LLVMValueRef low = gemm_take_piece(g, &x[0][i], last);
            LLVMValueRef both = upper_halves(p, low, gemm_take_piece(g, &x[1][i], last));
            store_row(p, both, add(p, row, index_of(p, i)), word, piece, count);
        }
    }
}

static void emit_split_rows_m(const packer *p) {
    const gemm_code *g = &p->g;
    LLVMValueRef lanes = index_of(p, g->lanes),
                 units = LLVMBuildUDiv(g->b, param(p, P_K), index_of(p, p->k->rows), "");
    counter row = begin_loop(p, param(p, P_W), g->lanes);
    LLVMValueRef left = minus(p, param(p, P_W), row.at);
    LLVMValueRef all = LLVMBuildICmp(g->b, LLVMIntSGE, left, lanes, "");
    LLVMValueRef whole = LLVMBuildSelect(g->b, all, times(p, units, lanes), index_of(p, 0), "");
    counter word = begin_loop(p, whole, g->lanes);
    emit_split_rows_m_at(p, row.at, word.at, NULL);
    end_loop(p, &word);
    word = begin_loop_at(p, whole, all_words(p), g->lanes);
    emit_split_rows_m_at(p, row.at, word.at, left);
    end_loop(p, &word);
    end_loop(p, &row);
}

static void emit_panels_n(const packer *p) {
    LLVMValueRef x[TCT_GEMM_PIECES];
    counter word = begin_loop(p, all_words(p), 1), column = begin_loop(p, param(p, P_W), p->g.lanes);
    words_along_w(p, column.at, word.at, x);
    store_columns(p, x, column.at, word.at, minus(p, param(p, P_W), column.at));
    end_loop(p, &column);
    end_loop(p, &word);
}

// Column j of the vector from `column` on; past the last column it again, which isn't stored.
static LLVMValueRef column_or_last(const packer *p, LLVMValueRef column, unsigned j) {
    LLVMValueRef last = minus(p, param(p, P_W), index_of(p, 1));
    LLVMValueRef bounds[] = {add(p, column, index_of(p, j)), last};
    LLVMTypeRef i64 = p->g.i64;
    return tct_llvm_intrinsic(p->g.b, "llvm.smin", &i64, 1, bounds, 2);
}

static void emit_panels_k(const packer *p) {
    const gemm_code *g = &p->g;
    LLVMValueRef words = all_words(p), x[MAX_LANES];
    counter column = begin_loop(p, param(p, P_W), g->lanes), word = begin_loop(p, words, g->lanes);
    for (unsigned i = 0; i < g->lanes; i++)
        words_along_k(p, column_or_last(p, column.at, i), word.at, false, &x[i]);
    gemm_turn(g, x, g->lanes);
    LLVMValueRef left = minus(p, param(p, P_W), column.at);
    for (unsigned i = 0; i < g->lanes; i++) {
        LLVMValueRef at = add(p, word.at, index_of(p, i));
        LLVMValueRef there = LLVMBuildICmp(g->b, LLVMIntSLT, at, words, "");
        store_columns(p, &x[i], column.at, at, LLVMBuildSelect(g->b, there, left, index_of(p, 0), ""));
    }
    end_loop(p, &word);
    end_loop(p, &column);
}

// In pieces, floats are turned: one square of them for what would be three of words.
static void emit_split_panels_k(const packer *p) {
    const gemm_code *g = &p->g;
    LLVMValueRef x[MAX_LANES], pieces[TCT_GEMM_PIECES];
    counter column = begin_loop(p, param(p, P_W), g->lanes), word = begin_loop(p, all_words(p), g->lanes / 2);
    LLVMValueRef k = times(p, word.at, index_of(p, 2)), k_left = minus(p, param(p, P_K), k);
    for (unsigned i = 0; i < g->lanes; i++) {
        LLVMValueRef row = times(p, column_or_last(p, column.at, i), param(p, P_STRIDE));
        x[i] = load_floats(p, source_at(p, add(p, row, k)), k_left);
    }
    gemm_turn(g, x, g->lanes);
    LLVMValueRef left = minus(p, param(p, P_W), column.at);
    for (unsigned i = 0; i < g->lanes / 2; i++) {
        gemm_split_pair(g, &x[2 * i], p->pieces, pieces);
        store_columns(p, pieces, column.at, add(p, word.at, index_of(p, i)), left);
    }
    end_loop(p, &word);
    end_loop(p, &column);
}

void gemm_emit_words(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                     const tct_target *target) {
    packer p = {.g = gemm_begin(module, target, TCT_F32, symbol, "pipiii"),
                .k = k,
                .per = k->rows > 1 ? 2 : 1,
                .pieces = k->pieces_a};
    p.source = tct_loop_memory_type(p.g.context, k->dtype, 0);
    assert(p.g.lanes <= MAX_LANES && p.pieces <= TCT_GEMM_PIECES);
    switch (k->kind) {
    case GEMM_ROWS_K:
        emit_rows_k(&p);
        break;
    case GEMM_ROWS_M:
        if (p.pieces > 1)
            emit_split_rows_m(&p);
        else
            emit_rows_m(&p);
        break;
    case GEMM_PANELS_N:
        emit_panels_n(&p);
        break;
    default:
        if (p.pieces > 1)
            emit_split_panels_k(&p);
        else
            emit_panels_k(&p);
    }
    gemm_end(&p.g);
}
