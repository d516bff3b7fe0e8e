// Products of factors in bf16, of f32 to be rounded to it, and of f32 in pieces of bf16. Internal to
// runtime/gemm*.c and plan_verify_gemm.c.
//
// Both factors are packed as 32-bit words along k: an f32, or two neighbouring bf16s of which the first is
// the lower half. For vectors, A lies in rows of words, each as long as a block of k and a whole number of
// cache lines; B in panels of nr columns, a step of words after the other. For tiles, both lie in panels of
// 16 rows or columns, tile after tile: of A, 16 rows of 16 words; of B, 16 steps of words of 16 columns. All
// end with zeros up to a multiple of k_unit steps, so micro-kernels see whole units.
//
// An f32 of a finite x with |x| < 2^127·(2 - 2^-8) is the sum of three bf16s: x rounded, what that left
// rounded, and what this left, which fits. A tile of one piece is followed by that of the
// next, the largest first. Of the nine products of two such factors the six largest are summed; the others
// are less than 2^-24 of the product.
#ifndef TCT_RUNTIME_GEMM_BF16_H
#define TCT_RUNTIME_GEMM_BF16_H

#include "runtime/gemm.h"

// Packs `w` rows or columns by k steps; in: `stride` elements from one step of k to the next, or from one row
// (column) to the next, as the kernel was made for. Rows of A begin out_stride words apart, panels of B do.
typedef void (*tct_gemm_words_fn)(void *out, int64_t out_stride, const void *in, int64_t stride, int64_t w,
                                  int64_t k);
typedef void (*tct_gemm_mode_fn)(void);

// Words from one panel of tiles to the next, of k words of each piece: a line more than they take, so that
// panels begin in different sets of the caches.
static inline int64_t tct_gemm_panel_of_tiles(int64_t k, int64_t pieces) {
    return (k * pieces + 1) * TCT_GEMM_SIDE;
}

// Cache lines that each unit of k fetches from `next` on, next_stride words further than the one before.
enum { TCT_GEMM_LINES_AHEAD = 8 };

// Streams in tiles of a B that is contiguous along k multiply B by A and turn the sums: rows of B are rows of
// tiles, and A is packed as B is elsewhere, but for a word's two steps of k, which are half a unit apart.
static inline bool tct_gemm_swaps_factors(const tct_gemm_args *g) {
    return g->path == TCT_GEMM_STREAM && g->k_unit > 1 && g->feed_b == TCT_GEMM_TURNED;
}

// All rows of A in tiles, of a stream's part of up to kc steps: bytes; what lies between two panels, in
// words; and packing steps [k, k_end) of a batch element. `pack`: NULL when gathered.
uint64_t tct_gemm_tile_rows_bytes(const tct_gemm_args *g);
int64_t tct_gemm_tile_rows_panel(const tct_gemm_args *g, int64_t steps);
void tct_gemm_tile_rows_pack(const tct_gemm_args *g, tct_gemm_words_fn pack, const char *a, int64_t k,
                             int64_t k_end, char *out);

uint64_t tct_gemm_bf16_scratch(const tct_gemm_args *g); // bytes of a thread
uint64_t tct_gemm_bf16_shared(const tct_gemm_args *g);  // bytes of all threads
void tct_gemm_bf16_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels,
                       void *const *bufs, const int64_t *tile_args);

#endif
