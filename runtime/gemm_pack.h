// Internal to runtime/gemm*.c: linear indices over axes, and packing.
#ifndef TCT_RUNTIME_GEMM_PACK_H
#define TCT_RUNTIME_GEMM_PACK_H

#include "runtime/gemm.h"

// Where linear index `i` lies, in elements. *run: how many indices from it on are `tct_gemm_stride` apart.
int64_t tct_gemm_locate(const tct_gemm_axes *axes, int64_t i, int64_t *run);
// The distance of neighbours along the innermost axis; 0 when there is none.
int64_t tct_gemm_stride(const tct_gemm_axes *axes);

// One operand as panels see it: `w` is m for A and n for B.
typedef struct tct_gemm_side {
    const char *base; // of the batch element
    const tct_gemm_axes *w, *k;
    int64_t feed, width, element_bytes;
    tct_gemm_pack_fn pack; // NULL when gathered
} tct_gemm_side;

// Packs [w0, w1) × [k0, k1) of the operand as panels of `width`, one after the other: panel p holds element
// (w, k) at (k - k0) · width + w - w0 - p · width. w0 is a multiple of the width. Of the steps of k only
// those in [from, to): a block may be packed bit by bit.
void tct_gemm_pack_block(const tct_gemm_side *s, int64_t w0, int64_t w1, int64_t k0, int64_t k1, int64_t from,
                         int64_t to, char *out);

#endif
