// Plans of products with factors in bf16: how words are packed, which micro-kernel multiplies them, and how
// the work is cut. All of it follows from shapes and instruction set.
#include "runtime/gemm_bf16.h"
#include "codegen/gemm_kernels.h"

#include <assert.h>
#include <string.h>

enum {
    TILE = TCT_GEMM_SIDE,
    TILE_UNIT = 2 * TILE, // steps of k
    K_BLOCK = 384,        // steps of k: a few rows of A stay in L1,
    NARROW_K_BLOCK = 192, // and a narrow B beside them
    COLUMNS = 768,        // of a box of C: what is packed of A is used that often,
    ROWS = 1024,          // and what is packed of B
    PACKED_B = 3 << 18,   // bytes that a box has of B at once: they stay in L2
    MANY_BOXES = 4,    // with fewer, k is cut into parts: threads that share rows or columns pack them twice
    PART_STEPS = 1024, // each; of that many steps in pieces, adding sums costs little
    ALIASED = 2048,    // bytes between rows that fall into the same few sets of a cache
};

typedef struct planner {
    const tct_gemm_problem *problem;
    const tct_target *target;
    tct_gemm_plan *out;
    tct_gemm_args *g;
    bool tiles; // pairs in tile registers
} planner;

static int64_t ceil_div(int64_t n, int64_t d) { return (n + d - 1) / d; }
static int64_t rounded(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }
static bool is_plain(const tct_gemm_axes *list) { return list->n <= 1; }
static int64_t innermost(const tct_gemm_axes *list) { return list->n ? list->stride[list->n - 1] : 1; }

// Pieces of k that are regular in memory begin at whole units.
static bool is_whole(const tct_gemm_axes *k, int64_t unit) {
    return k->n <= 1 || k->size[k->n - 1] % unit == 0;
}

static int64_t feed_of(const planner *p, const tct_gemm_axes *w, const tct_gemm_axes *k, int64_t bytes) {
    if (p->target->isa == TCT_ISA_BASE || bytes == 1 || !is_whole(k, p->g->k_unit)) return TCT_GEMM_GATHERED;
    if (k->n && innermost(k) == 1) return TCT_GEMM_TURNED;
    return innermost(w) == 1 ? TCT_GEMM_COPIED : TCT_GEMM_GATHERED;
}

// The register tile: multiply-adds for every load, within the registers.
static void choose_tile(planner *p) {
    tct_gemm_args *g = p->g;
    int64_t lanes = tct_target_lanes(p->target, TCT_F32), vectors = g->n > lanes ? 2 : 1;
    int64_t rows = p->target->n_registers == 32 ? 12 : p->target->has_fma ? 6 : 4;
    g->mr = g->m < rows ? (g->m ? g->m : 1) : rows;
    g->nr = vectors * lanes;
    if (!p->tiles) return;
    g->mr = g->m <= TILE ? TILE : 2 * TILE;
    g->nr = g->n <= TILE ? TILE : 2 * TILE;
}

static void choose_feeds(planner *p) {
    tct_gemm_args *g = p->g;
    g->feed_a = feed_of(p, &g->a_m, &g->a_k, g->bytes_a);
    g->feed_b = feed_of(p, &g->b_n, &g->b_k, g->bytes_b);
    g->a_by_row = 1;
    // Rows of bf16 are pairs as they lie; not where caches would have few
    // places for them.
    int64_t row = innermost(&g->a_m);
    if (g->k_unit > 1 && g->bytes_a == 2 && is_plain(&g->a_m) && is_plain(&g->a_k) &&
        innermost(&g->a_k) == 1 && g->m % g->mr == 0 && g->k % g->k_unit == 0 && row % 2 == 0 &&
        row * 2 % ALIASED != 0)
        g->feed_a = TCT_GEMM_DIRECT;
}

// Of a packed element.
static int64_t packed_bytes(const tct_gemm_args *g, int64_t pieces) {
    return g->k_unit == 1 ? 4 : 2 * pieces;
}

static void choose_boxes(planner *p) {
    tct_gemm_args *g = p->g;
    int64_t m = g->m ? g->m : 1, n = g->n ? g->n : 1, k = g->k ? g->k : 1;
    int64_t bytes_a = packed_bytes(g, g->pieces_a), bytes_b = packed_bytes(g, g->pieces_b);
    bool narrow = p->tiles && n <= 2 * g->nr;
    int64_t most_k = (narrow ? NARROW_K_BLOCK : K_BLOCK) * 2 / (bytes_a > bytes_b ? bytes_a : bytes_b);
    g->kc = k > most_k * 4 / 3 ? rounded(ceil_div(k, ceil_div(k, most_k)), TILE_UNIT) : rounded(k, TILE_UNIT);
    g->ms = m;
    g->nc = rounded(ceil_div(n, ceil_div(n, COLUMNS)), g->nr);
    g->mc = rounded(ceil_div(m, ceil_div(m, ROWS)), g->mr);
    int64_t boxes = g->batch * ceil_div(m, g->mc) * ceil_div(n, g->nc), parts = 1;
    int64_t steps = g->pieces_a * g->pieces_b > 1 ? PART_STEPS : 6 * PART_STEPS;
    while (p->tiles && g->batch == 1 && 2 * parts * boxes <= MANY_BOXES && k >= 2 * parts * steps) parts *= 2;
    g->ks = rounded(ceil_div(k, parts), g->kc);
    g->kb = PACKED_B / bytes_b / g->nc / g->kc * g->kc;
    if (g->kb < g->kc) g->kb = g->kc;
}

static void add_kernel(planner *p, tct_gemm_slot slot, gemm_kernel kernel, tct_isa isa) {
    char symbol[TCT_GEMM_SYMBOL];
    gemm_kernel_symbol(&kernel, isa, symbol);
    uint32_t i = 0;
    while (i < p->out->n_kernels && strcmp(p->out->symbol[i], symbol) != 0) i++;
    if (i == p->out->n_kernels) memcpy(p->out->symbol[p->out->n_kernels++], symbol, sizeof symbol);
    p->g->slot[slot] = i;
}

static void add_pack(planner *p, tct_gemm_slot slot, int64_t feed, int64_t bytes, bool round) {
    if (feed != TCT_GEMM_COPIED && feed != TCT_GEMM_TURNED) return;
    bool b = slot == TCT_GEMM_PACK_B, along_k = feed == TCT_GEMM_TURNED, pairs = p->g->k_unit > 1;
    bool right = b || tct_gemm_swaps_factors(p->g);
    gemm_kernel k = {.dtype = bytes == 2 ? TCT_BF16 : TCT_F32,
                     .rows = (unsigned)p->g->k_unit,
                     .columns = p->tiles ? TILE
                                : b      ? (unsigned)p->g->nr
                                         : 0,
                     .rounded = round,
                     .pieces_a = (unsigned)(b ? p->g->pieces_b : p->g->pieces_a),
                     .pieces_b = 1};
    k.kind = right ? (along_k ? GEMM_PANELS_K : GEMM_PANELS_N) : (along_k ? GEMM_ROWS_K : GEMM_ROWS_M);
    add_kernel(p, slot, k, tct_target_kernel_isa(p->target, pairs));
}

static void list_kernels(planner *p) {
    tct_gemm_args *g = p->g;
    bool pairs = g->k_unit > 1;
    for (int i = 0; i < TCT_GEMM_N_SLOTS; i++) g->slot[i] = -1;
    if (g->k > 0) {
        int64_t lanes = tct_target_lanes(p->target, TCT_F32);
        gemm_kernel micro = {.kind = GEMM_MICRO,
                             .dtype = pairs ? TCT_BF16 : TCT_F32,
                             .rows = (unsigned)g->mr,
                             .columns = (unsigned)(g->nr / lanes),
                             .by_row = true,
                             .panel_b = (unsigned)(g->nr / lanes)};
        if (p->tiles) {
            micro = (gemm_kernel){.kind = GEMM_TILES,
                                  .dtype = TCT_BF16,
                                  .rows = (unsigned)(g->mr / TILE),
                                  .columns = (unsigned)(g->nr / TILE),
                                  .by_row = g->feed_a == TCT_GEMM_DIRECT,
                                  .pieces_a = (unsigned)g->pieces_a,
                                  .pieces_b = (unsigned)g->pieces_b};
            gemm_kernel enter = {.kind = GEMM_ENTER, .dtype = TCT_BF16},
                        leave = {.kind = GEMM_LEAVE, .dtype = TCT_BF16};
            add_kernel(p, TCT_GEMM_ENTER, enter, TCT_ISA_AMX);
            add_kernel(p, TCT_GEMM_LEAVE, leave, TCT_ISA_AMX);
        }
        add_kernel(p, TCT_GEMM_FULL, micro, p->tiles ? TCT_ISA_AMX : tct_target_kernel_isa(p->target, pairs));
        add_pack(p, TCT_GEMM_PACK_A, g->feed_a, g->bytes_a, g->round_a);
        add_pack(p, TCT_GEMM_PACK_B, g->feed_b, g->bytes_b, g->round_b);
    }
    if (p->problem->epilogue) g->slot[TCT_GEMM_TILE] = p->out->n_kernels;
}

void gemm_plan_tile_stream(const tct_target *target, tct_gemm_plan *out) {
    tct_gemm_args *g = &out->args;
    planner p = {.target = target, .out = out, .g = g, .tiles = true};
    g->k_unit = TILE_UNIT;
    g->pieces_a = TCT_GEMM_PIECES;
    g->pieces_b = g->bytes_b == g->element_bytes ? TCT_GEMM_PIECES : 1;
    g->feed_a = feed_of(&p, &g->a_m, &g->a_k, g->bytes_a);
}

void gemm_list_tile_stream(const tct_target *target, tct_gemm_plan *out) {
    tct_gemm_args *g = &out->args;
    planner p = {.target = target, .out = out, .g = g, .tiles = true};
    gemm_kernel multiply = {.kind = GEMM_TILE_STREAM,
                            .dtype = TCT_BF16,
                            .rows = (unsigned)ceil_div(g->m, TILE),
                            .columns = 2,
                            .by_row = g->feed_b == TCT_GEMM_TURNED,
                            .narrow = g->bytes_b == g->element_bytes ? 0 : (unsigned)g->bytes_b,
                            .pieces_a = (unsigned)g->pieces_a,
                            .pieces_b = (unsigned)g->pieces_b},
                enter = {.kind = GEMM_ENTER, .dtype = TCT_BF16},
                leave = {.kind = GEMM_LEAVE, .dtype = TCT_BF16};
    add_kernel(&p, TCT_GEMM_FULL, multiply, TCT_ISA_AMX);
    add_kernel(&p, TCT_GEMM_ENTER, enter, TCT_ISA_AMX);
    add_kernel(&p, TCT_GEMM_LEAVE, leave, TCT_ISA_AMX);
    add_pack(&p, TCT_GEMM_PACK_A, g->feed_a, g->bytes_a, false);
}

static int64_t factor_bytes(tct_gemm_factor f) {
    return f == TCT_FACTOR_I8 ? 1 : f == TCT_FACTOR_BF16 ? 2 : 4;
}

void gemm_plan_bf16(const tct_gemm_problem *problem, const tct_target *target, tct_gemm_plan *out) {
    assert(problem->dtype == TCT_F32);
    planner p = {.problem = problem, .target = target, .out = out, .g = &out->args};
    tct_gemm_args *g = p.g;
    tct_gemm_factor a = out->swapped ? problem->b : problem->a, b = out->swapped ? problem->a : problem->b;
    p.tiles = target->isa >= TCT_ISA_AMX;
    bool exact = a == TCT_FACTOR_EXACT || b == TCT_FACTOR_EXACT;
    bool pairs = p.tiles || (!exact && target->isa >= TCT_ISA_AVX512BF16);
    g->path = TCT_GEMM_BF16;
    g->pieces_a = a == TCT_FACTOR_EXACT && p.tiles ? TCT_GEMM_PIECES : 1;
    g->pieces_b = b == TCT_FACTOR_EXACT && p.tiles ? TCT_GEMM_PIECES : 1;
    g->k_unit = p.tiles ? TILE_UNIT : pairs ? 2 : 1;
    g->bytes_a = factor_bytes(a);
    g->bytes_b = factor_bytes(b);
    g->round_a = a == TCT_FACTOR_ROUNDED;
    g->round_b = b == TCT_FACTOR_ROUNDED;
    choose_tile(&p);
    choose_feeds(&p);
    choose_boxes(&p);
    list_kernels(&p);
}
