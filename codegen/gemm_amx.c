// Products of bf16, or of f32 in pieces of it, in tile registers: up to 2 × 2 tiles of C, and of A and B what
// they need at a time. Tiles are configured once for many calls: entering takes them, leaving gives them
// back, between which nothing else uses them.
#include "codegen/gemm_kernels.h"
#include "runtime/gemm_bf16.h"

#include <assert.h>
#include <limits.h>

enum { P_K, P_A, P_AS, P_B, P_BS, P_C, P_LDC, P_N, P_ACCUMULATE, P_NEXT, P_NEXT_STRIDE };
enum { TILE = TCT_GEMM_SIDE, WORD = 4, FIRST_A = 4, FIRST_B = 6, N_TILES = 8 };

// A block of k of one piece has about that many units of 32 steps, one of three pieces a third. In one block,
// a call fetches all of the next call's C.
enum { UNITS = 12 };

typedef struct tiles {
    gemm_code g;
    unsigned rows, columns;      // in tiles
    unsigned pieces_a, pieces_b; // of an element
    bool by_row;                 // A is read in place: rows of words
    LLVMValueRef c_then, next;   // of a unit: what it fetches of C and of what follows,
    unsigned fetched;            // how many lines of both it has fetched
} tiles;

static LLVMValueRef param(const tiles *t, unsigned i) { return LLVMGetParam(t->g.function, i); }

static LLVMValueRef number(const gemm_code *g, unsigned tile) {
    return LLVMConstInt(LLVMInt8TypeInContext(g->context), tile, 0);
}

void gemm_tile_load(const gemm_code *g, unsigned tile, LLVMValueRef at, LLVMValueRef stride_bytes) {
    LLVMValueRef args[] = {number(g, tile), at, stride_bytes};
    tct_llvm_intrinsic(g->b, "llvm.x86.tileloadd64", NULL, 0, args, 3);
}

void gemm_tile_store(const gemm_code *g, unsigned tile, LLVMValueRef at, LLVMValueRef stride_bytes) {
    LLVMValueRef args[] = {number(g, tile), at, stride_bytes};
    tct_llvm_intrinsic(g->b, "llvm.x86.tilestored64", NULL, 0, args, 3);
}

void gemm_tile_clear(const gemm_code *g, unsigned tile) {
    LLVMValueRef args[] = {number(g, tile)};
    tct_llvm_intrinsic(g->b, "llvm.x86.tilezero", NULL, 0, args, 1);
}

void gemm_tile_multiply(const gemm_code *g, unsigned sum, unsigned a, unsigned b) {
    LLVMValueRef args[] = {number(g, sum), number(g, a), number(g, b)};
    tct_llvm_intrinsic(g->b, "llvm.x86.tdpbf16ps", NULL, 0, args, 3);
}

const gemm_piece_pair gemm_piece_pairs[GEMM_PIECE_PAIRS] = {{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}, {0, 0}};

static LLVMValueRef in_bytes(const gemm_code *g, LLVMValueRef words) {
    return LLVMBuildMul(g->b, words, gemm_index(g, WORD), "");
}

static LLVMValueRef tile_of_c(const tiles *t, unsigned i, unsigned j) {
    const gemm_code *g = &t->g;
    LLVMValueRef row = gemm_at(g, param(t, P_C), gemm_scaled(g, param(t, P_LDC), i * TILE));
    return gemm_at(g, row, gemm_index(g, (int64_t)j * TILE));
}

static void each_tile_of_c(const tiles *t,
                           void (*visit)(const tiles *t, unsigned i, unsigned j, LLVMValueRef ldc)) {
    LLVMValueRef ldc = in_bytes(&t->g, param(t, P_LDC));
    for (unsigned i = 0; i < t->rows; i++)
        for (unsigned j = 0; j < t->columns; j++) visit(t, i, j, ldc);
}

static unsigned sum_of(const tiles *t, unsigned i, unsigned j) { return i * t->columns + j; }

static void load_sum(const tiles *t, unsigned i, unsigned j, LLVMValueRef ldc) {
    gemm_tile_load(&t->g, sum_of(t, i, j), tile_of_c(t, i, j), ldc);
}

static void clear_sum(const tiles *t, unsigned i, unsigned j, LLVMValueRef ldc) {
    (void)ldc;
    gemm_tile_clear(&t->g, sum_of(t, i, j));
}

static void store_sum(const tiles *t, unsigned i, unsigned j, LLVMValueRef ldc) {
    gemm_tile_store(&t->g, sum_of(t, i, j), tile_of_c(t, i, j), ldc);
}

// From a panel to the next (runtime/gemm_bf16.h).
static LLVMValueRef panel_of(const tiles *t, unsigned pieces) {
    const gemm_code *g = &t->g;
    LLVMValueRef lines = LLVMBuildAdd(g->b, gemm_scaled(g, param(t, P_K), pieces), gemm_index(g, 1), "");
    return gemm_scaled(g, lines, TILE);
}

static unsigned most_pieces(const tiles *t) { return t->pieces_a > t->pieces_b ? t->pieces_a : t->pieces_b; }

// Of one unit.
static unsigned rows_fetched(const tiles *t) { return (t->rows * TILE * most_pieces(t) + UNITS - 1) / UNITS; }

// The unit's lines up to number `to`: fetched little by little, they don't take all places for lines on their
// way from the tiles that are loaded.
static void fetch(tiles *t, unsigned to) {
    const gemm_code *g = &t->g;
    unsigned of_c = rows_fetched(t) * t->columns;
    for (; t->fetched < to; t->fetched++) {
        unsigned i = t->fetched, beyond = i - of_c;
        if (i < of_c)
            gemm_fetch(
                g,
                gemm_at(g, gemm_at(g, t->c_then, gemm_scaled(g, param(t, P_LDC), (int64_t)(i / t->columns))),
                        gemm_index(g, (int64_t)(i % t->columns) * TILE)),
                false, GEMM_INTO_L1);
        else
            gemm_fetch(g, gemm_at(g, t->next, gemm_index(g, (int64_t)beyond * TILE)), false, GEMM_INTO_L2);
    }
}

// A tile of one piece of A times one of B; what the registers hold already isn't loaded.
static void multiply_piece(const tiles *t, LLVMValueRef a, LLVMValueRef b, bool load_a, bool load_b) {
    const gemm_code *g = &t->g;
    LLVMValueRef line = gemm_index(g, TILE * WORD), a_stride = t->by_row ? in_bytes(g, param(t, P_AS)) : line;
    LLVMValueRef below = t->by_row ? gemm_scaled(g, param(t, P_AS), TILE) : panel_of(t, t->pieces_a);
    for (unsigned j = 0; j < t->columns && load_b; j++)
        gemm_tile_load(g, FIRST_B + j, gemm_at(g, b, gemm_scaled(g, panel_of(t, t->pieces_b), j)), line);
    for (unsigned i = 0; i < t->rows; i++) {
        if (load_a) gemm_tile_load(g, FIRST_A + i, gemm_at(g, a, gemm_scaled(g, below, i)), a_stride);
        for (unsigned j = 0; j < t->columns; j++)
            gemm_tile_multiply(g, sum_of(t, i, j), FIRST_A + i, FIRST_B + j);
    }
}

// The unit's pieces from a and b on.
static void multiply(tiles *t, LLVMValueRef a, LLVMValueRef b) {
    const gemm_code *g = &t->g;
    unsigned held_a = UINT_MAX, held_b = UINT_MAX,
             lines = rows_fetched(t) * t->columns + TCT_GEMM_LINES_AHEAD;
    unsigned n = 0, done = 0;
    for (int i = 0; i < GEMM_PIECE_PAIRS; i++)
        n += gemm_piece_pairs[i].a < t->pieces_a && gemm_piece_pairs[i].b < t->pieces_b;
    t->fetched = 0;
    for (int i = 0; i < GEMM_PIECE_PAIRS; i++) {
        unsigned pa = gemm_piece_pairs[i].a, pb = gemm_piece_pairs[i].b;
        if (pa >= t->pieces_a || pb >= t->pieces_b) continue;
        fetch(t, lines * ++done / n);
        multiply_piece(t, gemm_at(g, a, gemm_index(g, (int64_t)pa * TILE * TILE)),
                       gemm_at(g, b, gemm_index(g, (int64_t)pb * TILE * TILE)), pa != held_a, pb != held_b);
        held_a = pa;
        held_b = pb;
    }
}

// k words of each piece of A's and B's panels; k is a multiple of a tile's.
static void emit_multiply(tiles *t) {
    const gemm_code *g = &t->g;
    LLVMBasicBlockRef load = gemm_block(g), clear = gemm_block(g), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g);
    LLVMValueRef c_first = gemm_at(g, param(t, P_C), gemm_index(g, (int64_t)t->columns * TILE));
    LLVMValueRef add = LLVMBuildICmp(g->b, LLVMIntNE, param(t, P_ACCUMULATE), gemm_index(g, 0), "");
    LLVMBuildCondBr(g->b, add, load, clear);
    LLVMPositionBuilderAtEnd(g->b, load);
    each_tile_of_c(t, load_sum);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, clear);
    each_tile_of_c(t, clear_sum);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMTypeRef pointer = LLVMTypeOf(param(t, P_A));
    LLVMValueRef left = LLVMBuildPhi(g->b, g->i64, ""), a = LLVMBuildPhi(g->b, pointer, ""),
                 b = LLVMBuildPhi(g->b, pointer, ""), c_then = LLVMBuildPhi(g->b, pointer, ""),
                 next = LLVMBuildPhi(g->b, pointer, "");
    t->c_then = c_then;
    t->next = next;
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSGT, left, gemm_index(g, 0), ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    multiply(t, a, b);
    LLVMValueRef left_then = LLVMBuildSub(g->b, left, gemm_index(g, TILE), "");
    LLVMValueRef a_then = gemm_at(g, a, gemm_index(g, t->by_row ? TILE : (int64_t)t->pieces_a * TILE * TILE));
    LLVMValueRef b_then = gemm_at(g, b, gemm_index(g, (int64_t)t->pieces_b * TILE * TILE));
    LLVMValueRef c_beyond = gemm_at(g, c_then, gemm_scaled(g, param(t, P_LDC), rows_fetched(t)));
    LLVMValueRef next_then = gemm_at(g, next, param(t, P_NEXT_STRIDE));
    LLVMBuildBr(g->b, head);
    LLVMBasicBlockRef from[] = {load, clear, body};
    LLVMAddIncoming(left, (LLVMValueRef[]){param(t, P_K), param(t, P_K), left_then}, from, 3);
    LLVMAddIncoming(a, (LLVMValueRef[]){param(t, P_A), param(t, P_A), a_then}, from, 3);
    LLVMAddIncoming(b, (LLVMValueRef[]){param(t, P_B), param(t, P_B), b_then}, from, 3);
    LLVMAddIncoming(c_then, (LLVMValueRef[]){c_first, c_first, c_beyond}, from, 3);
    LLVMAddIncoming(next, (LLVMValueRef[]){param(t, P_NEXT), param(t, P_NEXT), next_then}, from, 3);
    LLVMPositionBuilderAtEnd(g->b, after);
    each_tile_of_c(t, store_sum);
}

// Palette 1: every tile 16 rows of 64 bytes.
static LLVMValueRef configuration(const gemm_code *g, LLVMModuleRef module) {
    enum { BYTES = 64, ROW_BYTES = 16, ROWS = 48 };
    char bytes[BYTES] = {1};
    for (int i = 0; i < N_TILES; i++) {
        bytes[ROW_BYTES + 2 * i] = TILE * WORD; // of two bytes, the lower
        bytes[ROWS + i] = TILE;
    }
    LLVMValueRef text = LLVMConstStringInContext2(g->context, bytes, BYTES, 1);
    LLVMValueRef global = LLVMAddGlobal(module, LLVMTypeOf(text), "");
    LLVMSetInitializer(global, text);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, BYTES);
    return global;
}

void gemm_emit_tiles(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                     const tct_target *target) {
    bool micro = k->kind == GEMM_TILES;
    tiles t = {.g = gemm_begin(module, target, TCT_F32, symbol, micro ? "ipipipiiipi" : ""),
               .rows = k->rows,
               .columns = k->columns,
               .pieces_a = k->pieces_a,
               .pieces_b = k->pieces_b,
               .by_row = k->by_row};
    gemm_code *g = &t.g;
    if (micro) {
        assert(k->rows * k->columns <= FIRST_A && FIRST_A + k->rows <= FIRST_B &&
               FIRST_B + k->columns <= N_TILES);
        emit_multiply(&t);
    } else if (k->kind == GEMM_ENTER) {
        LLVMValueRef args[] = {configuration(g, module)};
        tct_llvm_intrinsic(g->b, "llvm.x86.ldtilecfg", NULL, 0, args, 1);
    } else {
        tct_llvm_intrinsic(g->b, "llvm.x86.tilerelease", NULL, 0, NULL, 0);
    }
    gemm_end(g);
}
