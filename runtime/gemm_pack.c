// Packing of panels with any strides: rectangles that are regular in memory go to generated kernels.
#include "runtime/gemm_pack.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t tct_gemm_locate(const tct_gemm_axes *axes, int64_t i, int64_t *run) {
    if (axes->n == 0) {
        *run = 1;
        return 0;
    }
    if (axes->n == 1) {
        *run = axes->size[0] - i;
        return i * axes->stride[0];
    }
    int64_t last = axes->n - 1, offset = 0;
    *run = axes->size[last] - i % axes->size[last];
    for (int64_t a = last; a > 0; a--) {
        offset += i % axes->size[a] * axes->stride[a];
        i /= axes->size[a];
    }
    return offset + i * axes->stride[0];
}

int64_t tct_gemm_stride(const tct_gemm_axes *axes) { return axes->n ? axes->stride[axes->n - 1] : 0; }

// Element by element; strides in bytes.
static void gather(char *out, int64_t out_stride, const char *in, int64_t w_stride, int64_t k_stride,
                   int64_t w, int64_t k, int64_t bytes) {
    for (int64_t step = 0; step < k; step++) {
        char *to = out + step * out_stride;
        const char *from = in + step * k_stride;
        if (bytes == 4)
            for (int64_t i = 0; i < w; i++) memcpy(to + i * 4, from + i * w_stride, 4);
        else
            for (int64_t i = 0; i < w; i++) memcpy(to + i * 8, from + i * w_stride, 8);
    }
}

// A rectangle that is regular in both directions.
static void pack_piece(const tct_gemm_side *s, char *out, const char *in, int64_t w, int64_t k) {
    int64_t bytes = s->element_bytes, w_stride = tct_gemm_stride(s->w), k_stride = tct_gemm_stride(s->k);
    if (s->feed == TCT_GEMM_GATHERED)
        gather(out, s->width * bytes, in, w_stride * bytes, k_stride * bytes, w, k, bytes);
    else
        s->pack(out, in, s->feed == TCT_GEMM_COPIED ? k_stride : w_stride, w, k);
}

// Packs [w0, w1) × [k0, k1) of one panel, w1 - w0 ≤ width.
static void pack_panel(const tct_gemm_side *s, int64_t w0, int64_t w1, int64_t k0, int64_t k1, char *out) {
    for (int64_t w = w0, w_run; w < w1; w += w_run) {
        int64_t at_w = tct_gemm_locate(s->w, w, &w_run);
        w_run = least(w_run, w1 - w);
        for (int64_t k = k0, k_run; k < k1; k += k_run) {
            int64_t at_k = tct_gemm_locate(s->k, k, &k_run);
            k_run = least(k_run, k1 - k);
            pack_piece(s, out + ((k - k0) * s->width + (w - w0)) * s->element_bytes,
                       s->base + (at_w + at_k) * s->element_bytes, w_run, k_run);
        }
    }
}

void tct_gemm_pack_block(const tct_gemm_side *s, int64_t w0, int64_t w1, int64_t k0, int64_t k1, int64_t from,
                         int64_t to, char *out) {
    // Memory is read along its rows: a few steps of k across all panels where the panels' own axis is
    // contiguous.
    enum { STEPS = 32 };
    int64_t steps = s->feed == TCT_GEMM_COPIED ? STEPS : to - from;
    for (int64_t k = from; k < to; k += steps)
        for (int64_t w = w0; w < w1; w += s->width)
            pack_panel(s, w, least(w + s->width, w1), k, least(k + steps, to),
                       out + ((w - w0) * (k1 - k0) + (k - k0) * s->width) * s->element_bytes);
}
