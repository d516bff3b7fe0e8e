// Internal to codegen/gemm*.c: the kernels that products are made of, each described by a small record that
// its symbol spells out.
#ifndef TCT_CODEGEN_GEMM_KERNELS_H
#define TCT_CODEGEN_GEMM_KERNELS_H

#include "codegen/gemm.h"

typedef enum gemm_kernel_kind {
    GEMM_MICRO,  // tct_gemm_micro_fn: rows × vectors of C in registers
    GEMM_DOTS,   // tct_gemm_micro_fn: A and B contiguous in k
    GEMM_STREAM, // tct_gemm_micro_fn: B contiguous in n, the sums in memory
    GEMM_COPY,   // tct_gemm_pack_fn: the panel's axis is contiguous
    GEMM_TURN,   // tct_gemm_pack_fn: k is contiguous
    // Of products in bf16 (runtime/gemm_bf16.h): tct_gemm_words_fn, with `rows` for the unit of k; then
    // tiles' tct_gemm_micro_fn and tct_gemm_mode_fns.
    GEMM_ROWS_K,   // rows of words, or panels of `columns` rows in tiles; k is contiguous
    GEMM_ROWS_M,   // the same; m is contiguous
    GEMM_PANELS_K, // panels of `columns`; k is contiguous
    GEMM_PANELS_N, // panels of `columns`; n is contiguous
    GEMM_TILES,
    GEMM_ENTER,
    GEMM_LEAVE,
    GEMM_TILE_STREAM, // tct_gemm_micro_fn: of a stream in tiles, up to 32 steps of k, or 32 columns
} gemm_kernel_kind;

typedef struct gemm_kernel {
    gemm_kernel_kind kind;
    tct_dtype dtype; // of micro-kernels in bf16: of what they multiply; of packing: of what they read
    unsigned rows;   // MICRO, DOTS, STREAM: of C; TURN: those turned together
    unsigned
        columns; // MICRO: vectors; DOTS, STREAM: rows of B at once; COPY, TURN: elements of a panel's step
    bool edge;   // MICRO: the last vector is masked
    bool by_row; // MICRO: A is contiguous in k, not in m; TILE_STREAM: B is, not in n
    bool far;    // MICRO: B comes from memory; fetch ahead of it
    unsigned
        panel_a; // MICRO: rows of a packed panel of A, vectors of one of B, which tell the strides; 0: read
    unsigned
        panel_b;  // in place; DOTS: rows of B, from `next` on, that a step fetches, 0: those that come next
    bool rounded; // ROWS, PANELS: f32 is rounded to bf16
    unsigned narrow; // DOTS, STREAM: bytes of B's elements, which are widened as they are read (2: bf16, 1:
                     // i8); 0: B has the dtype
    unsigned pieces_a, pieces_b; // TILES: of A's and B's elements; ROWS, PANELS: pieces_a, of what they read
} gemm_kernel;

// The symbol, for one instruction set; and back. The parse fails on anything that the first didn't make.
void gemm_kernel_symbol(const gemm_kernel *k, tct_isa isa, char out[TCT_GEMM_SYMBOL]);
bool gemm_kernel_parse(const char *symbol, gemm_kernel *out, tct_isa *out_isa);

void gemm_emit_micro(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                     const tct_target *target);
void gemm_emit_dots(const gemm_kernel *k, const char *symbol, LLVMModuleRef module, const tct_target *target);
void gemm_emit_stream(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                      const tct_target *target);
void gemm_emit_words(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                     const tct_target *target);
void gemm_emit_tile_stream(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                           const tct_target *target);
void gemm_emit_tiles(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                     const tct_target *target);
// Of a stream in tiles: what A is packed as; then its kernels (codegen/gemm_bf16.c).
void gemm_plan_tile_stream(const tct_target *target, tct_gemm_plan *out);
void gemm_list_tile_stream(const tct_target *target, tct_gemm_plan *out);
// Of a product with a factor in bf16: all of the plan but what follows from its axes (codegen/gemm_bf16.c).
void gemm_plan_bf16(const tct_gemm_problem *problem, const tct_target *target, tct_gemm_plan *out);
void gemm_emit_pack(const gemm_kernel *k, const char *symbol, LLVMModuleRef module, const tct_target *target);

// The micro-kernel's parameter that is fetched from and may be anything.
enum { GEMM_NEXT = 9 };

// What they share: a function under construction.
typedef struct gemm_code {
    LLVMBuilderRef b;
    LLVMContextRef context;
    LLVMValueRef function;
    LLVMTypeRef element, vector, i64;
    unsigned lanes, bytes; // of a vector; of an element
    bool pairs;            // elements are pairs of bf16, their products summed in f32
} gemm_code;

// A void function of pointers and i64s: 'p' and 'i' in `params`; pointers named in `apart` (bits) don't
// overlap the others.
gemm_code gemm_begin(LLVMModuleRef module, const tct_target *target, tct_dtype dtype, const char *symbol,
                     const char *params);
void gemm_end(gemm_code *g); // returns void and releases the builder
LLVMValueRef gemm_index(const gemm_code *g, int64_t i);
// p + offset elements
LLVMValueRef gemm_at(const gemm_code *g, LLVMValueRef p, LLVMValueRef offset);
LLVMValueRef gemm_scaled(const gemm_code *g, LLVMValueRef stride, unsigned times); // stride · times
LLVMBasicBlockRef gemm_block(const gemm_code *g);
LLVMValueRef gemm_fma(const gemm_code *g, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);
// Asks for the line at an address, which may be any.
enum { GEMM_INTO_L2 = 2, GEMM_INTO_L1 = 3 };
void gemm_fetch(const gemm_code *g, LLVMValueRef at, bool to_write, int level);
LLVMValueRef gemm_load_splat(const gemm_code *g, LLVMValueRef at);
// Of an operand whose elements are `narrow` bytes wide (see gemm_kernel): p + offset elements; a vector of
// them, widened; `mask` NULL: all lanes, else the others are 0.
LLVMValueRef gemm_narrow_at(const gemm_code *g, unsigned narrow, LLVMValueRef p, LLVMValueRef offset);
LLVMValueRef gemm_load_narrow(const gemm_code *g, unsigned narrow, LLVMValueRef at, LLVMValueRef mask);

// --- In pieces of bf16 (runtime/gemm_bf16.h) ---

// Rounds *x to a piece, whose bits are the upper halves of what is returned, and leaves the rest in *x. The
// last piece is all that is left, as is: a NaN stays one.
LLVMValueRef gemm_take_piece(const gemm_code *g, LLVMValueRef *x, bool last);
// The words of each piece of two neighbouring steps of k.
void gemm_split_pair(const gemm_code *g, LLVMValueRef x[2], unsigned pieces, LLVMValueRef *out);
// n vectors, a power of two up to the lanes: one after the other they then hold, lane by lane, that lane of
// all of them. Of a square, vector i's lane j becomes vector j's lane i.
enum { GEMM_MAX_TURNED = 16 };
void gemm_turn(const gemm_code *g, LLVMValueRef *x, unsigned n);
// Which products of pieces are summed, the largest last: pairs of which each shares one with the pair before.
typedef struct gemm_piece_pair {
    unsigned a, b;
} gemm_piece_pair;
enum { GEMM_PIECE_PAIRS = 6 };
extern const gemm_piece_pair gemm_piece_pairs[GEMM_PIECE_PAIRS];

// Tile registers, by number; rows of memory are stride_bytes apart.
void gemm_tile_load(const gemm_code *g, unsigned tile, LLVMValueRef at, LLVMValueRef stride_bytes);
void gemm_tile_store(const gemm_code *g, unsigned tile, LLVMValueRef at, LLVMValueRef stride_bytes);
void gemm_tile_clear(const gemm_code *g, unsigned tile);
void gemm_tile_multiply(const gemm_code *g, unsigned sum, unsigned a, unsigned b); // sum += a · b

#endif
