// Products that come from outside: that the loops around the kernels end, divide by no zero, find their
// kernels, and address nothing past their operands and scratch memory.
#include "runtime/gemm.h"
#include "runtime/plan_verify.h"

#include <inttypes.h>

static const int64_t most_side = (int64_t)1 << 40, most_block = (int64_t)1 << 28, most_line = 16;

// The product of an axis list's sizes is `n`; the largest offset is added to *far.
static bool covers(const tct_gemm_axes *x, int64_t n, int64_t *far) {
    int64_t product = 1;
    if (x->n < 0 || x->n > TCT_GEMM_MAX_AXES) return false;
    for (int64_t i = 0; i < x->n; i++) {
        int64_t step;
        if (x->size[i] < 0 || x->stride[i] < 0 || __builtin_mul_overflow(product, x->size[i], &product) ||
            __builtin_mul_overflow(x->size[i] - (x->size[i] > 0), x->stride[i], &step) ||
            __builtin_add_overflow(*far, step, far))
            return false;
    }
    return product == n;
}

static bool in_range(int64_t x, int64_t low, int64_t high) { return x >= low && x <= high; }

static bool sides_fit(const tct_gemm_args *g) {
    return (g->element_bytes == 4 || g->element_bytes == 8) && in_range(g->path, 0, TCT_GEMM_BF16) &&
           in_range(g->feed_a, 0, TCT_GEMM_GATHERED) && in_range(g->feed_b, 0, TCT_GEMM_GATHERED) &&
           in_range(g->accumulate, 0, 1) && in_range(g->shared_a, 0, 1) && in_range(g->a_by_row, 0, 1) &&
           in_range(g->batch, 0, most_side) && in_range(g->m, 0, most_side) && in_range(g->n, 0, most_side) &&
           in_range(g->k, 0, most_side);
}

// Pieces are of f32, in tiles' units.
static bool pieces_fit(int64_t pieces, int64_t bytes, int64_t rounded, int64_t k_unit) {
    return pieces == 1 || (pieces == TCT_GEMM_PIECES && bytes == 4 && !rounded && k_unit > 2);
}

static bool stream_in_tiles_fits(const tct_gemm_args *g) {
    return g->k_unit == 2 * TCT_GEMM_SIDE && g->element_bytes == 4 && g->pieces_a == TCT_GEMM_PIECES &&
           in_range(g->kc, 1, most_block) && g->nr % g->k_unit == 0 &&
           (g->kc >= g->k || g->kc % g->k_unit == 0) && g->slot[TCT_GEMM_ENTER] >= 0 &&
           g->slot[TCT_GEMM_LEAVE] >= 0;
}

// What A and B are in memory, and how they are packed.
static bool factors_fit(const tct_gemm_args *g) {
    bool reads_narrow = g->path == TCT_GEMM_DOTS || g->path == TCT_GEMM_STREAM;
    if (g->path == TCT_GEMM_STREAM && g->k_unit > 1 && !stream_in_tiles_fits(g)) return false;
    if (g->path != TCT_GEMM_BF16)
        return g->bytes_a == g->element_bytes &&
               (g->bytes_b == g->element_bytes ||
                (reads_narrow && g->element_bytes == 4 && (g->bytes_b == 2 || g->bytes_b == 1)));
    return g->element_bytes == 4 && (g->bytes_a == 1 || g->bytes_a == 2 || g->bytes_a == 4) &&
           (g->bytes_b == 1 || g->bytes_b == 2 || g->bytes_b == 4) &&
           (g->k_unit == 1 || g->k_unit == 2 || g->k_unit == 32) &&
           (g->k_unit < 2 * TCT_GEMM_SIDE || (g->mr % TCT_GEMM_SIDE == 0 && g->nr % TCT_GEMM_SIDE == 0)) &&
           pieces_fit(g->pieces_a, g->bytes_a, g->round_a, g->k_unit) &&
           pieces_fit(g->pieces_b, g->bytes_b, g->round_b, g->k_unit) && in_range(g->kc, 1, most_block) &&
           in_range(g->kb, 1, most_block) && (g->kb >= g->k || g->kb % g->kc == 0) &&
           (g->kc >= g->k || g->kc % g->k_unit == 0);
}

// Blocks are made of whole tiles, so that panels lie beside each other.
static bool blocks_fit(const tct_gemm_args *g) {
    if (!in_range(g->mr, 1, most_block) || !in_range(g->nr, 1, most_block) ||
        !in_range(g->mc, 1, most_block) || !in_range(g->nc, 1, most_block) ||
        !in_range(g->ms, 1, most_side) || !in_range(g->kc, g->k > 0, most_block) ||
        !in_range(g->ks, g->k > 0, most_side))
        return false;
    // A stream has one panel of rows, and its parts a bound.
    if (g->path == TCT_GEMM_STREAM &&
        (g->mr != g->m || g->mc != g->m || g->k == 0 || (g->k - 1) / g->kc >= TCT_GEMM_MAX_PARTS ||
         !in_range(g->apart, 1, most_block)))
        return false;
    // So have the parts of a product in bf16, each of which has a C of whole tiles.
    int64_t sums;
    if (g->path == TCT_GEMM_BF16 && g->ks < g->k &&
        (g->batch != 1 || (g->k - 1) / g->ks >= TCT_GEMM_MAX_PARTS ||
         __builtin_mul_overflow(g->m + g->mr, (g->n + g->nr) * TCT_GEMM_MAX_PARTS, &sums) ||
         sums > most_side))
        return false;
    bool whole = g->mc % g->mr == 0 && g->nc % g->nr == 0 && (g->ms >= g->m || g->ms % g->mr == 0) &&
                 (g->ks >= g->k || g->ks % g->kc == 0);
    return whole && (!g->shared_a || g->batch == 1);
}

// What a kernel reads as neighbours are neighbours.
static bool is_contiguous(const tct_gemm_axes *x) { return x->n == 0 || x->stride[x->n - 1] == 1; }
static bool is_plain(const tct_gemm_axes *x) { return x->n <= 1; }

static bool feed_fits(int64_t feed, const tct_gemm_axes *w, const tct_gemm_axes *k, bool k_contiguous) {
    switch ((tct_gemm_feed)feed) {
    case TCT_GEMM_DIRECT:
        return is_plain(w) && is_plain(k) && is_contiguous(k_contiguous ? k : w);
    case TCT_GEMM_COPIED:
        return is_contiguous(w);
    case TCT_GEMM_TURNED:
        return is_contiguous(k);
    case TCT_GEMM_GATHERED:
        break;
    }
    return true;
}

static bool feeds_fit(const tct_gemm_args *g) {
    bool dots = g->path == TCT_GEMM_DOTS;
    if (g->path == TCT_GEMM_BF16 && g->feed_b == TCT_GEMM_DIRECT) return false;
    if (g->path == TCT_GEMM_BF16 && ((g->bytes_a == 1 && g->feed_a != TCT_GEMM_GATHERED) ||
                                     (g->bytes_b == 1 && g->feed_b != TCT_GEMM_GATHERED)))
        return false;
    // Read in place, by whole tiles and units: rows of bf16.
    if (g->path == TCT_GEMM_BF16 && g->feed_a == TCT_GEMM_DIRECT &&
        (!g->a_by_row || g->bytes_a != 2 || g->k_unit == 1 || g->m % g->mr != 0 || g->k % g->k_unit != 0 ||
         (g->a_m.n && g->a_m.stride[g->a_m.n - 1] % 2 != 0)))
        return false;
    if (g->shared_a && (g->path == TCT_GEMM_STREAM || g->path == TCT_GEMM_BF16)) return false;
    // In tiles, B may lie along k.
    bool turned = g->k_unit > 1 && g->feed_b == TCT_GEMM_TURNED && is_plain(&g->b_n) && is_plain(&g->b_k);
    if (g->path == TCT_GEMM_STREAM && g->feed_b != TCT_GEMM_DIRECT && !turned) return false;
    // A row alone may be read in place.
    if (g->path == TCT_GEMM_STREAM && g->feed_a == TCT_GEMM_DIRECT &&
        (!g->a_by_row || g->m > 1 || g->k_unit > 1))
        return false;
    if (dots && (g->feed_a != TCT_GEMM_DIRECT || g->feed_b != TCT_GEMM_DIRECT || !g->a_by_row)) return false;
    return feed_fits(g->feed_a, &g->a_m, &g->a_k, g->a_by_row) &&
           feed_fits(g->feed_b, &g->b_n, &g->b_k, dots);
}

static bool is_needed(const tct_gemm_args *g, tct_gemm_slot slot) {
    bool full_m = g->m >= g->mr, rest = g->m % g->mr != 0, dots = g->path == TCT_GEMM_DOTS;
    bool full_n = dots || g->n >= g->nr, edge = !dots && g->n % g->nr != 0;
    if (g->path == TCT_GEMM_BF16 && slot < TCT_GEMM_PACK_A) return slot == TCT_GEMM_FULL;
    if (g->path == TCT_GEMM_STREAM && slot != TCT_GEMM_PACK_A)
        return slot == TCT_GEMM_FULL || slot == TCT_GEMM_REST;
    switch (slot) {
    case TCT_GEMM_FULL:
        return full_m && full_n;
    case TCT_GEMM_FULL_EDGE:
        return full_m && edge;
    case TCT_GEMM_REST:
        return rest && full_n;
    case TCT_GEMM_REST_EDGE:
        return rest && edge;
    case TCT_GEMM_PACK_A:
        return g->feed_a == TCT_GEMM_COPIED || g->feed_a == TCT_GEMM_TURNED;
    case TCT_GEMM_PACK_B:
        return g->feed_b == TCT_GEMM_COPIED || g->feed_b == TCT_GEMM_TURNED;
    default:
        return false;
    }
}

static bool kernels_fit(const tct_gemm_args *g, uint32_t n_kernels) {
    bool empty = tct_gemm_tasks(g) == 0 || g->k == 0;
    for (int i = 0; i < TCT_GEMM_N_SLOTS; i++) {
        if (g->slot[i] < -1 || g->slot[i] >= (int64_t)n_kernels) return false;
        if (g->slot[i] < 0 && !empty && is_needed(g, (tct_gemm_slot)i)) return false;
    }
    return true;
}

// The last element that an operand's axes reach lies within its bytes.
static bool reaches(const tct_gemm_axes *const lists[3], const int64_t sizes[3], int64_t element,
                    uint64_t bytes) {
    int64_t far = 0;
    for (int i = 0; i < 3; i++)
        if (!covers(lists[i], sizes[i], &far)) return false;
    bool none = sizes[0] == 0 || sizes[1] == 0 || sizes[2] == 0;
    return none || (uint64_t)far < bytes / (uint64_t)element;
}

// Sizes of packed memory don't overflow.
static bool packed_fits(const tct_gemm_args *g) {
    int64_t rows = (g->ms < g->m ? g->ms : g->m) + g->mr, steps = g->ks < g->k ? g->ks : g->k, product;
    if (g->path == TCT_GEMM_STREAM)
        return g->batch <= most_block && g->n <= most_block && g->m <= most_block / TCT_GEMM_MAX_PARTS &&
               !__builtin_mul_overflow(g->batch * g->m, (g->n + most_line) * TCT_GEMM_MAX_PARTS, &product) &&
               product <= most_side;
    if (g->feed_b != TCT_GEMM_DIRECT &&
        (__builtin_mul_overflow(g->nc + g->nr, steps, &product) || product > most_side))
        return false;
    return !g->shared_a || (!__builtin_mul_overflow(rows, steps, &product) && product <= most_side);
}

// What stays packed is B in whole panels and blocks of k, which boxes of different columns pack.
static bool kept_fits(const tct_gemm_args *g, uint64_t bytes) {
    int64_t product;
    if (!g->b_kept) return g->b_done == 0 && g->b_done_steps == 0;
    return g->path == TCT_GEMM_BF16 && g->k_unit == 2 * TCT_GEMM_SIDE && g->batch == 1 && g->m <= g->mc &&
           g->k <= g->ks && (g->k <= g->kc || (g->k % g->kc == 0 && g->b_done == 0)) &&
           in_range(g->b_done, 0, g->n) && g->b_done % g->nr == 0 && in_range(g->b_done_steps, 0, g->k) &&
           g->b_done_steps % g->kc == 0 &&
           !__builtin_mul_overflow(g->n + g->nr, (g->k + g->kc + g->k_unit) * TCT_GEMM_PIECES, &product) &&
           product <= most_side && tct_gemm_kept(g) <= bytes;
}

const char *tct_gemm_verify(tct_arena *a, const tct_gemm_args *g, const uint64_t bytes[4], uint32_t n_kernels,
                            uint64_t scratch) {
    if (!sides_fit(g) || !factors_fit(g)) return "its product has impossible sizes";
    const tct_gemm_axes *const lists_c[] = {&g->batch_c, &g->c_m, &g->c_n},
                               *const lists_a[] = {&g->batch_a, &g->a_m, &g->a_k},
                               *const lists_b[] = {&g->batch_b, &g->b_k, &g->b_n};
    const int64_t sizes_c[] = {g->batch, g->m, g->n}, sizes_a[] = {g->batch, g->m, g->k},
                  sizes_b[] = {g->batch, g->k, g->n};
    if (!reaches(lists_c, sizes_c, g->element_bytes, bytes[0]) ||
        !reaches(lists_a, sizes_a, g->bytes_a, bytes[1]) || !reaches(lists_b, sizes_b, g->bytes_b, bytes[2]))
        return "its product reaches past an operand";
    int64_t rows, tasks;
    if (!blocks_fit(g) || !feeds_fit(g) || !packed_fits(g) || __builtin_mul_overflow(g->batch, g->m, &rows) ||
        __builtin_mul_overflow(rows, g->n, &tasks))
        return "its product is cut into impossible blocks";
    if (!kernels_fit(g, n_kernels)) return "its product lacks a kernel";
    if (!kept_fits(g, bytes[3])) return "its product keeps what it packs where it does not fit";
    uint64_t own = tct_gemm_scratch(g);
    if (own > scratch)
        return tct_arena_printf(a, "its product needs %" PRIu64 " bytes of scratch memory, it has %" PRIu64,
                                own, scratch);
    return NULL;
}
