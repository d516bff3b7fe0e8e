// Matrix products: the loops around generated micro-kernels. Knows no instruction set; what to call and how
// to cut the work is in the arguments that codegen/gemm.h makes from the shapes.
//
// C[batch, m, n] (+)= Σk A[batch, m, k] · B[batch, k, n], each of batch, m, n, k a row-major list of axes
// with strides of their own in each operand.
#ifndef TCT_RUNTIME_GEMM_H
#define TCT_RUNTIME_GEMM_H

#include "runtime/plan.h"

enum { TCT_GEMM_MAX_AXES = 8 };

// A linear index over axes, outermost first. Neighbours that are one axis in memory have been merged; n may
// be 0.
typedef struct tct_gemm_axes {
    int64_t n, size[TCT_GEMM_MAX_AXES], stride[TCT_GEMM_MAX_AXES]; // strides in elements
} tct_gemm_axes;

typedef enum tct_gemm_path {
    TCT_GEMM_TILES,  // register tiles: B's columns lie side by side
    TCT_GEMM_DOTS,   // few rows, A and B contiguous in k: dot products, B is read once
    TCT_GEMM_STREAM, // few rows, B contiguous in n: long stretches of B, each read once, parts of k apart; in
                     // tiles (k_unit) B may be contiguous in k, too
    TCT_GEMM_BF16,   // a factor is narrow, to be rounded to bf16, or made of pieces in it: both are packed as
                     // words (runtime/gemm_bf16.h)
} tct_gemm_path;

// How a micro-kernel gets A or B.
typedef enum tct_gemm_feed {
    TCT_GEMM_DIRECT,   // read in place
    TCT_GEMM_COPIED,   // packed; the panel's own axis is contiguous
    TCT_GEMM_TURNED,   // packed; k is contiguous, turned in registers
    TCT_GEMM_GATHERED, // packed element by element
} tct_gemm_feed;

// Places of kernels within the step's kernels; -1 where the shapes need none.
typedef enum tct_gemm_slot {
    TCT_GEMM_FULL,      // mr × nr
    TCT_GEMM_FULL_EDGE, // mr × n % nr
    TCT_GEMM_REST,      // m % mr × nr; of streams, 1 row, which adds the parts of k
    TCT_GEMM_REST_EDGE, // m % mr × n % nr
    TCT_GEMM_PACK_A,
    TCT_GEMM_PACK_B,
    TCT_GEMM_TILE,  // the epilogue, a tct_tile_fn
    TCT_GEMM_ENTER, // tct_gemm_mode_fns, called before and after a thread's micro-kernels: of tiles
    TCT_GEMM_LEAVE,
    TCT_GEMM_N_SLOTS
} tct_gemm_slot;

// The step's integers; all int64 so that it lies in plan->args. What follows it there are the epilogue's own.
typedef struct tct_gemm_args {
    int64_t element_bytes, path, accumulate;
    // What A and B are in memory: element_bytes, or, of bf16, and B of dot products and streams, 2 (bf16) or
    // 1 (i8). Of bf16: whether f32 is rounded, and the steps of k that words go in: 1 (words are f32), or 2
    // or 32 (of pairs of bf16). Of streams, k_unit is 32 for those in tiles, whose A is packed as of bf16.
    int64_t bytes_a, bytes_b, round_a, round_b, k_unit;
    int64_t pieces_a, pieces_b; // where k_unit is 32: TCT_GEMM_PIECES, which an f32 is the sum of, or 1
    int64_t kb;                 // of bf16: steps of k for which a box packs B at once, whole blocks of kc
    // Of bf16 in tiles: the step's operand that B's panels stay in for later steps, block of kc after block,
    // and how many columns, or steps of k of all columns, earlier ones have put there; 0: what is packed is
    // in scratch memory. Rows are one box then, and k is whole blocks, or one, and steps aren't done in part.
    int64_t b_kept, b_done, b_done_steps;
    int64_t batch, m, n, k;
    int64_t mr, nr; // the register tile; of dot products, nr = nc; of streams, m and what is added at once
    int64_t kc;     // k's block: one pass of the micro-kernel; of streams, a part of k
    int64_t apart;  // of streams: this many rows of B are read at once, a part's steps / apart from each
                    // other; 1: neighbours are
    int64_t mc, nc; // a task's box of C
    int64_t ms, ks; // what of A is packed at once, for all threads, when shared_a; else m and k, of bf16 the
                    // steps of a part of k, which has sums of its own
    int64_t shared_a;
    int64_t feed_a, feed_b; // tct_gemm_feed; of streams B's is DIRECT, or TURNED by the kernel itself
    int64_t a_by_row;       // direct A: k is contiguous (else m is)
    int64_t slot[TCT_GEMM_N_SLOTS];
    tct_gemm_axes batch_a, batch_b, batch_c, a_m, a_k, b_k, b_n, c_m, c_n;
} tct_gemm_args;

enum { TCT_GEMM_PIECES = 3, TCT_GEMM_SIDE = 16 }; // rows of a tile, and its 32-bit columns
enum { TCT_GEMM_N_ARGS = sizeof(tct_gemm_args) / sizeof(int64_t) };
enum { TCT_GEMM_MAX_PARTS = 64 }; // of k, in a stream

// mr × n of C (rows ldc apart) from k steps of A and B. A: a[i * as + k] or a[k * as + i], whichever the
// kernel was made for; B: b[k * bs + j], of dot products b[j * bs + k]. Kernels for packed panels know as and
// bs. Strides in elements; accumulate: adds to C instead of overwriting it; of streams always. On the way it
// fetches next, next + next_stride, … (elements; any addresses) for what comes after.
typedef void (*tct_gemm_micro_fn)(int64_t k, const void *a, int64_t as, const void *b, int64_t bs, void *c,
                                  int64_t ldc, int64_t n, int64_t accumulate, const void *next,
                                  int64_t next_stride);
enum { TCT_GEMM_STEPS_A_FETCH = 4 }; // of k

// Packs `w` ≤ width rows (or columns) by k steps: out[k * width + i] = in[i, k]; one of i and k is contiguous
// and the other `stride` elements apart, as the kernel was made for.
typedef void (*tct_gemm_pack_fn)(void *out, const void *in, int64_t stride, int64_t w, int64_t k);

// Bytes of scratch that one thread needs, 64-aligned. An epilogue's own scratch lies after it.
uint64_t tct_gemm_scratch(const tct_gemm_args *g);
// Bytes of the operand that B's panels would stay in.
uint64_t tct_gemm_kept(const tct_gemm_args *g);
// Bytes that all threads share.
uint64_t tct_gemm_shared(const tct_gemm_args *g);
// Boxes that the product is cut into, from its shape alone.
int64_t tct_gemm_tasks(const tct_gemm_args *g);

// Runs a product. bufs: C, A, B, then what the epilogue uses. `kernels`: the step's. The pool's scratch must
// have been reserved. `tile_args`: the epilogue's integers.
void tct_gemm_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels, void *const *bufs,
                  const int64_t *tile_args);

#endif
