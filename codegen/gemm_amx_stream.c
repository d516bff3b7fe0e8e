// Streams in tile registers (runtime/gemm_stream.h): up to 32 steps of k of a few rows of A, packed as pieces
// of bf16, times that many rows of B from memory. 32 columns of B at a time are taken apart into pieces, just
// as tiles want them, in one of two small blocks, while tiles multiply what is in the other. Vectors and
// tiles don't wait for each other, and what was taken apart is read back from the nearest cache. Where B's
// rows are columns of the product, they are the left factor: what is contiguous along k is a row of a tile as
// it is, and sums are turned once, at the end.
#include "codegen/gemm_kernels.h"

#include <assert.h>
#include <limits.h>

enum { P_K, P_A, P_AS, P_B, P_BS, P_C, P_LDC, P_N, P_ACCUMULATE, P_NEXT };
enum { TILE = TCT_GEMM_SIDE, WORD = 4, FIRST_A = 4, FIRST_B = 6, LINE = 64 };
enum { SIDE = 2, STEPS = 2 * TILE, COLUMNS = SIDE * TILE };
static_assert(STEPS == COLUMNS, "units of rows along n and along k are as large");
enum { FETCH = 256 }; // bytes of a row asked for at once: with less, caches don't notice that it goes on

typedef struct stream {
    gemm_code g;
    const gemm_kernel *k;
    unsigned bytes;          // of an element of B
    LLVMValueRef b, next;    // the rows of B that lie in memory as such, of one k or one column each; those
                             // that are fetched after them
    LLVMValueRef rows;       // where they begin, in elements from the first; past the last: it again
    LLVMValueRef n_rows;     // up to 32
    LLVMValueRef n_elements; // of each
    LLVMValueRef row_bytes;
    LLVMValueRef accumulates; // sums begin with C, or where they are kept
    LLVMValueRef kept;        // by_row: turned sums, tile after tile
} stream;

// 32 elements of each row, on their way into a block.
typedef struct unit {
    LLVMValueRef begin, mask[SIDE], block;
    LLVMValueRef fetched, first_row; // what is asked for meanwhile: of the rows from this one on
} unit;

static LLVMValueRef param(const stream *s, unsigned i) { return LLVMGetParam(s->g.function, i); }
static LLVMValueRef add(const gemm_code *g, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildAdd(g->b, x, y, "");
}

static unsigned units_a_fetch(const stream *s) { return FETCH / (COLUMNS * s->bytes); }

static LLVMValueRef row_of_b(const stream *s, LLVMValueRef base, LLVMValueRef row) {
    const gemm_code *g = &s->g;
    LLVMValueRef place = LLVMBuildInBoundsGEP2(g->b, g->i64, s->rows, &row, 1, "");
    return gemm_narrow_at(g, s->k->narrow, base, tct_llvm_load(g->b, g->i64, place, sizeof(int64_t)));
}

static LLVMValueRef on_stack(const gemm_code *g, LLVMTypeRef type, unsigned n) {
    LLVMValueRef x = LLVMBuildArrayAlloca(g->b, type, gemm_index(g, n), "");
    LLVMSetAlignment(x, LINE);
    return x;
}

static LLVMValueRef smaller(const gemm_code *g, LLVMValueRef x, LLVMValueRef y) {
    LLVMTypeRef i64 = g->i64;
    LLVMValueRef args[] = {x, y};
    return tct_llvm_intrinsic(g->b, "llvm.smin", &i64, 1, args, 2);
}

static void find_rows(const stream *s) {
    const gemm_code *g = &s->g;
    LLVMValueRef last = LLVMBuildSub(g->b, s->n_rows, gemm_index(g, 1), "");
    for (unsigned i = 0; i < STEPS; i++) {
        LLVMValueRef at = gemm_index(g, i), row = smaller(g, at, last);
        LLVMValueRef place = LLVMBuildInBoundsGEP2(g->b, g->i64, s->rows, &at, 1, "");
        tct_llvm_store(g->b, LLVMBuildMul(g->b, row, param(s, P_BS), ""), place, sizeof(int64_t));
    }
}

// The elements from `begin` on; behind the last ones that are fetched come the first of the rows at `next`.
static unit begin_unit(const stream *s, LLVMValueRef begin, LLVMValueRef block) {
    const gemm_code *g = &s->g;
    unit u = {.begin = begin, .block = block};
    LLVMValueRef left = LLVMBuildSub(g->b, s->n_elements, begin, "");
    for (unsigned j = 0; j < SIDE; j++) {
        LLVMValueRef count = LLVMBuildSub(g->b, left, gemm_index(g, (int64_t)j * TILE), "");
        u.mask[j] = tct_llvm_prefix_mask(g->b, count, g->lanes);
    }
    LLVMValueRef fetch = gemm_index(g, FETCH), at = gemm_scaled(g, begin, s->bytes);
    LLVMValueRef within = LLVMBuildURem(g->b, at, fetch, "");
    LLVMValueRef ahead = add(g, LLVMBuildSub(g->b, at, within, ""), fetch);
    LLVMValueRef whole = LLVMBuildMul(
        g->b, LLVMBuildUDiv(g->b, add(g, s->row_bytes, gemm_index(g, FETCH - 1)), fetch, ""), fetch, "");
    LLVMValueRef here = LLVMBuildICmp(g->b, LLVMIntULT, ahead, whole, "");
    LLVMValueRef bytes = LLVMBuildSelect(g->b, here, ahead, LLVMBuildSub(g->b, ahead, whole, ""), "");
    LLVMValueRef base = LLVMBuildSelect(g->b, here, s->b, s->next, "");
    u.fetched = LLVMBuildGEP2(g->b, LLVMInt8TypeInContext(g->context), base, &bytes, 1, "");
    u.first_row = LLVMBuildUDiv(g->b, gemm_scaled(g, within, STEPS), fetch, "");
    return u;
}

// Vector `half` of a row's elements.
static LLVMValueRef load(const stream *s, const unit *u, unsigned row, unsigned half) {
    const gemm_code *g = &s->g;
    LLVMValueRef at = add(g, u->begin, gemm_index(g, (int64_t)half * TILE));
    LLVMValueRef begin = row_of_b(s, s->b, gemm_index(g, row));
    return gemm_load_narrow(g, s->k->narrow, gemm_narrow_at(g, s->k->narrow, begin, at), u->mask[half]);
}

// Two neighbouring steps of k of 16 columns become word `word` of tile j.
static void store_pair(const stream *s, const unit *u, LLVMValueRef x[2], unsigned j, unsigned word) {
    const gemm_code *g = &s->g;
    LLVMValueRef words[TCT_GEMM_PIECES];
    gemm_split_pair(g, x, s->k->pieces_b, words);
    for (unsigned piece = 0; piece < s->k->pieces_b; piece++) {
        unsigned line = (j * s->k->pieces_b + piece) * TILE + word;
        tct_llvm_store(g->b, words[piece], gemm_at(g, u->block, gemm_index(g, (int64_t)line * TILE)), LINE);
    }
}

// Rows are steps of k: pair i.
static void take_steps(const stream *s, const unit *u, unsigned i) {
    for (unsigned j = 0; j < SIDE; j++) {
        LLVMValueRef x[2] = {load(s, u, 2 * i, j), load(s, u, 2 * i + 1, j)};
        store_pair(s, u, x, j, i);
    }
}

// Rows are columns: row i. Steps of k that are half a unit apart become a word, as they do in A.
static void take_row(const stream *s, const unit *u, unsigned i) {
    LLVMValueRef x[SIDE] = {load(s, u, i, 0), load(s, u, i, 1)};
    store_pair(s, u, x, i / TILE, i % TILE);
}

// Some of the lines that are asked for while the unit is taken apart.
static void fetch_ahead(const stream *s, const unit *u, unsigned i) {
    const gemm_code *g = &s->g;
    LLVMValueRef row = row_of_b(s, u->fetched, add(g, u->first_row, gemm_index(g, i)));
    for (unsigned line = 0; line < FETCH / LINE; line++) {
        LLVMValueRef at = gemm_index(g, (int64_t)line * LINE);
        gemm_fetch(g, LLVMBuildGEP2(g->b, LLVMInt8TypeInContext(g->context), row, &at, 1, ""), false,
                   GEMM_INTO_L2);
    }
}

// Part `part` of `parts` of what a unit takes; NULL: none is to come.
static void some_of_unit(const stream *s, const unit *u, unsigned part, unsigned parts) {
    if (!u) return;
    unsigned fetched = STEPS / units_a_fetch(s), taken = s->k->by_row ? COLUMNS : STEPS / 2;
    for (unsigned i = part * taken / parts; i < (part + 1) * taken / parts; i++)
        if (s->k->by_row)
            take_row(s, u, i);
        else
            take_steps(s, u, i);
    for (unsigned i = part * fetched / parts; i < (part + 1) * fetched / parts; i++) fetch_ahead(s, u, i);
}

static unsigned groups_of(const stream *s) { return (s->k->rows + SIDE - 1) / SIDE; }
static unsigned rows_of(const stream *s, unsigned group) {
    return group * SIDE + SIDE <= s->k->rows ? SIDE : 1;
}

// Turned or not.
static unsigned sum_of(unsigned i, unsigned j) { return i * SIDE + j; }

static LLVMValueRef kept_tile(const stream *s, unsigned i, unsigned j) {
    return gemm_at(&s->g, s->kept, gemm_index(&s->g, (int64_t)sum_of(i, j) * TILE * TILE));
}

static LLVMValueRef tile_of_c(const stream *s, LLVMValueRef column, unsigned i, unsigned j) {
    const gemm_code *g = &s->g;
    LLVMValueRef row = gemm_at(g, param(s, P_C), gemm_scaled(g, param(s, P_LDC), i * TILE));
    return gemm_at(g, row, add(g, column, gemm_index(g, (int64_t)j * TILE)));
}

// Where the sums of 16 rows and columns are, and what lies between two lines of them.
static LLVMValueRef place_of_sums(const stream *s, LLVMValueRef column, unsigned i, unsigned j) {
    return s->k->by_row ? kept_tile(s, i, j) : tile_of_c(s, column, i, j);
}
static LLVMValueRef line_of_sums(const stream *s) {
    const gemm_code *g = &s->g;
    return s->k->by_row ? gemm_index(g, TILE * WORD) : gemm_scaled(g, param(s, P_LDC), WORD);
}

// Sums begin with what there is or with nothing.
static void begin_sums(const stream *s, LLVMValueRef column, unsigned group) {
    const gemm_code *g = &s->g;
    LLVMBasicBlockRef load = gemm_block(g), clear = gemm_block(g), after = gemm_block(g);
    LLVMBuildCondBr(g->b, s->accumulates, load, clear);
    for (int clears = 0; clears < 2; clears++) {
        LLVMPositionBuilderAtEnd(g->b, clears ? clear : load);
        for (unsigned i = 0; i < rows_of(s, group); i++)
            for (unsigned j = 0; j < SIDE; j++)
                if (clears)
                    gemm_tile_clear(g, sum_of(i, j));
                else
                    gemm_tile_load(g, sum_of(i, j), place_of_sums(s, column, group * SIDE + i, j),
                                   line_of_sums(s));
        LLVMBuildBr(g->b, after);
    }
    LLVMPositionBuilderAtEnd(g->b, after);
}

static void end_sums(const stream *s, LLVMValueRef column, unsigned group) {
    for (unsigned i = 0; i < rows_of(s, group); i++)
        for (unsigned j = 0; j < SIDE; j++)
            gemm_tile_store(&s->g, sum_of(i, j), place_of_sums(s, column, group * SIDE + i, j),
                            line_of_sums(s));
}

// What is kept becomes C.
static void turn_sums(const stream *s) {
    const gemm_code *g = &s->g;
    LLVMValueRef x[TILE];
    for (unsigned i = 0; i < s->k->rows; i++)
        for (unsigned j = 0; j < SIDE; j++) {
            LLVMValueRef from = kept_tile(s, i, j), to = tile_of_c(s, gemm_index(g, 0), i, j);
            for (unsigned n = 0; n < TILE; n++)
                x[n] =
                    tct_llvm_load(g->b, g->vector, gemm_at(g, from, gemm_index(g, (int64_t)n * TILE)), LINE);
            gemm_turn(g, x, TILE);
            for (unsigned m = 0; m < TILE; m++)
                tct_llvm_store(g->b, x[m], gemm_at(g, to, gemm_scaled(g, param(s, P_LDC), m)), WORD);
        }
}

// Some rows of A, a unit of k, times the block; `next` is taken apart on the way.
static void multiply_group(const stream *s, LLVMValueRef a, LLVMValueRef block, unsigned group,
                           const unit *next) {
    const gemm_code *g = &s->g;
    LLVMValueRef line = gemm_index(g, TILE * WORD);
    unsigned held_a = UINT_MAX, held_b = UINT_MAX, parts = groups_of(s) * GEMM_PIECE_PAIRS,
             part = group * GEMM_PIECE_PAIRS;
    for (unsigned n = 0; n < GEMM_PIECE_PAIRS; n++, part++) {
        unsigned pa = gemm_piece_pairs[n].a, pb = gemm_piece_pairs[n].b;
        if (pa < s->k->pieces_a && pb < s->k->pieces_b) {
            for (unsigned j = 0; j < SIDE && pb != held_b; j++) {
                LLVMValueRef at = gemm_index(g, (int64_t)(j * s->k->pieces_b + pb) * TILE * TILE);
                gemm_tile_load(g, FIRST_B + j, gemm_at(g, block, at), line);
            }
            for (unsigned i = 0; i < rows_of(s, group); i++) {
                LLVMValueRef panel = gemm_scaled(g, param(s, P_AS), group * SIDE + i);
                LLVMValueRef at = add(g, panel, gemm_index(g, (int64_t)pa * TILE * TILE));
                if (pa != held_a) gemm_tile_load(g, FIRST_A + i, gemm_at(g, a, at), line);
                for (unsigned j = 0; j < SIDE; j++) {
                    unsigned of_a = FIRST_A + i, of_b = FIRST_B + j;
                    gemm_tile_multiply(g, sum_of(i, j), s->k->by_row ? of_b : of_a,
                                       s->k->by_row ? of_a : of_b);
                }
            }
            held_a = pa;
            held_b = pb;
        }
        some_of_unit(s, next, part, parts);
    }
}

// Sums are held in tiles from one unit to the next: of the same columns, if registers have all rows.
static bool holds_sums(const stream *s) { return s->k->by_row && groups_of(s) == 1; }

// The unit whose elements begin at `begin` times A, for C's columns from `column` on.
static void multiply_unit(const stream *s, LLVMValueRef column, LLVMValueRef begin, LLVMValueRef block,
                          const unit *next) {
    const gemm_code *g = &s->g;
    stream x = *s;
    LLVMValueRef a = param(s, P_A);
    if (s->k->by_row) {
        a = gemm_at(g, a, gemm_scaled(g, begin, s->k->pieces_a * TILE * TILE / STEPS));
        x.accumulates = LLVMBuildICmp(g->b, LLVMIntNE, begin, gemm_index(g, 0), "");
    } else {
        column = begin;
    }
    for (unsigned group = 0; group < groups_of(s); group++) {
        if (!holds_sums(s)) begin_sums(&x, column, group);
        multiply_group(s, a, block, group, next);
        if (!holds_sums(s)) end_sums(s, column, group);
    }
}

// All units of some rows of B, one being taken apart while the one before it is multiplied.
static void emit_rows(const stream *s, LLVMValueRef column, LLVMValueRef one, LLVMValueRef other) {
    const gemm_code *g = &s->g;
    find_rows(s);
    unit first = begin_unit(s, gemm_index(g, 0), one);
    some_of_unit(s, &first, 0, 1);
    if (holds_sums(s)) begin_sums(s, column, 0);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMTypeRef pointer = LLVMTypeOf(one);
    LLVMValueRef begin = LLVMBuildPhi(g->b, g->i64, ""), block = LLVMBuildPhi(g->b, pointer, ""),
                 filled = LLVMBuildPhi(g->b, pointer, "");
    LLVMValueRef then = add(g, begin, gemm_index(g, COLUMNS));
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, then, s->n_elements, ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    unit next = begin_unit(s, then, filled);
    multiply_unit(s, column, begin, block, &next);
    LLVMBasicBlockRef from[] = {before, LLVMGetInsertBlock(g->b)};
    LLVMBuildBr(g->b, head);
    LLVMAddIncoming(begin, (LLVMValueRef[]){gemm_index(g, 0), then}, from, 2);
    LLVMAddIncoming(block, (LLVMValueRef[]){one, filled}, from, 2);
    LLVMAddIncoming(filled, (LLVMValueRef[]){other, block}, from, 2);
    LLVMPositionBuilderAtEnd(g->b, after);
    multiply_unit(s, column, begin, block, NULL);
    if (holds_sums(s)) end_sums(s, column, 0);
    if (s->k->by_row) turn_sums(s);
}

void gemm_emit_tile_stream(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                           const tct_target *target) {
    enum { BLOCK = SIDE * TCT_GEMM_PIECES * TILE * TILE };
    stream s = {.g = gemm_begin(module, target, TCT_F32, symbol, "ipipipiiipi"), .k = k};
    gemm_code *g = &s.g;
    s.bytes = k->narrow ? k->narrow : g->bytes;
    assert(g->lanes == TILE && k->rows >= 1 && STEPS % units_a_fetch(&s) == 0);
    LLVMValueRef one = on_stack(g, g->element, BLOCK), other = on_stack(g, g->element, BLOCK);
    s.rows = on_stack(g, g->i64, STEPS);
    s.b = param(&s, P_B);
    s.next = param(&s, P_NEXT);
    s.n_rows = param(&s, k->by_row ? P_N : P_K);
    s.n_elements = param(&s, k->by_row ? P_K : P_N);
    s.row_bytes = gemm_scaled(g, s.n_elements, s.bytes);
    LLVMValueRef none = gemm_index(g, 0);
    s.accumulates = k->by_row ? LLVMConstInt(LLVMInt1TypeInContext(g->context), 0, 0)
                              : LLVMBuildICmp(g->b, LLVMIntNE, param(&s, P_ACCUMULATE), none, "");
    if (k->by_row) s.kept = on_stack(g, g->element, k->rows * SIDE * TILE * TILE);
    emit_rows(&s, gemm_index(g, 0), one, other);
    gemm_end(g);
}
