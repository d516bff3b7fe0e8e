// From a product's axes to its plan: what is row and what is column, which strides merge, how operands reach
// the micro-kernel, and how the work is cut. All of it follows from shapes and instruction set.
#include "codegen/gemm_kernels.h"

#include <assert.h>
#include <string.h>

enum {
    K_BLOCK_BYTES = 1536,    // of one row of A or column of B: a panel of A stays in L1
    BOX_COLUMNS_BYTES = 640, // of one row of C's box: the packed block of B stays in L2
    BOX_ROWS = 256,          // so that what is fetched ahead comes in time
    SHARED_ROWS = 1024,      // of A, packed once for all tasks,
    SHARED_BYTES = 3 << 19,  // and what that may take
    COLUMNS_BYTES = 3 << 19, // of B, packed by a thread
    MIN_BOXES = 32,          // when the work allows it
    FEW_BOXES = 8,           // the same, where it costs speed
    MIN_TASKS = 16,          // of streams
    MAX_ROWS = 12,           // of a register tile: with more, LLVM spills
    MAX_DOT_ROWS = 63,       // with more, packing B pays
    MAX_STREAMED_ROWS = 64,  // with a narrow B, or in tiles
    DOT_ROWS = 8,            // at once
    MAX_STREAM_ROWS = 64,
    ROWS_IN_TILES = 8,           // the fewest of a stream in tiles,
    ROWS_IN_TURNED_TILES = 16,   // of one along k,
    TURNED_BYTES = 1 << 13,      // and of a task's sums for a row there, so that there are tasks to share out
    STREAM_BYTES = 256,          // of a row of B, for streaming it,
    STREAM_ROW_SUMS = 1 << 15,   // of a task's sums for one row,
    STREAM_SUMS = 1 << 18,       // and for several,
    TILE_SUMS = 1 << 19,         // more in tiles: memory is fastest along whole rows of B,
    TILE_TASKS = 2,              // parts of k are fewer, since threads share columns, too,
    TILE_STEPS = 2048,           // and that long at most,
    STREAM_BOX_BYTES = 2048,     // of a row of C, when parts are added,
    STREAM_TASK_BYTES = 1 << 17, // of B, and
    STREAM_STEPS = 8,            // of k at once, for one row
    PART_STEPS = 32,             // of k, for each row of C: writing sums costs little beside them;
    STREAM_TASKS = 4,            // fewer for that many tasks,
    PART_GROUPS = 12,            // when there are as many groups of rows of B in each
    DIRECT_BYTES = 1 << 20,      // of A, for reading it in place,
    FEW_PANELS = 6,              // of B: packed rows are read 5 % faster
    PAGE = 4096,
    ROWS_IN_PIECES = 64,      // the fewest of a product of f32 in pieces,
    ROWS_BESIDE_STREAMS = 65, // and of one that could be streamed:
    COLUMNS_IN_PIECES = 64,   // with less, taking A apart costs more than is gained
    STEPS_IN_PIECES = 32,
    SMALL_BYTES = 1 << 17, // an operand that L2 holds beside everything else
    NEAR_BYTES = 5 << 18,  // both operands, and
    NEAR_SIDE = 3 << 18,   // one of them, for tiles to read them where they lie;
    NEAR_ROWS = 192,       // then with fewer rows tiles should be full,
    NEAR_STREAM_ROWS =
        8, // and with more than these streaming without tiles of bf16 costs more than is gained
};
static const double min_task_flops = 1 << 20;

typedef struct planner {
    const tct_gemm_problem *problem;
    const tct_target *target;
    tct_gemm_plan *out;
    tct_gemm_args *g;
    int64_t lanes;
    bool widened; // B is narrow, and A isn't
    bool near;    // tiles read A and B where they lie, out of L2
} planner;

// A's and B's strides of an axis, seen through a swap.
static int64_t stride_a(const planner *p, uint32_t i) {
    const tct_gemm_axis *x = &p->problem->axes[i];
    return p->out->swapped ? (x->in_b ? x->b : 0) : (x->in_a ? x->a : 0);
}
static int64_t stride_b(const planner *p, uint32_t i) {
    const tct_gemm_axis *x = &p->problem->axes[i];
    return p->out->swapped ? (x->in_a ? x->a : 0) : (x->in_b ? x->b : 0);
}

static void append(tct_gemm_axes *list, int64_t size, int64_t stride) {
    if (size == 1) return;
    int64_t last = list->n - 1;
    if (last >= 0 && list->stride[last] == size * stride) {
        list->size[last] *= size;
        list->stride[last] = stride;
        return;
    }
    list->size[list->n] = size;
    list->stride[list->n++] = stride;
}

static int64_t innermost(const tct_gemm_axes *list) { return list->n ? list->stride[list->n - 1] : 1; }
static bool is_plain(const tct_gemm_axes *list) { return list->n <= 1; }
static int64_t ceil_div(int64_t n, int64_t d) { return (n + d - 1) / d; }
static int64_t rounded(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// What is stored along memory becomes n; where neither side is, the longer one.
static bool should_swap(const tct_gemm_problem *problem) {
    int64_t m = 1, n = 1;
    bool m_contiguous = false, n_contiguous = false;
    for (uint32_t i = 0; i < problem->n_axes; i++) {
        const tct_gemm_axis *x = &problem->axes[i];
        if (!x->in_c || (x->in_a && x->in_b)) continue;
        *(x->in_a ? &m : &n) *= x->size;
        if (x->size > 1 && x->c == 1) *(x->in_a ? &m_contiguous : &n_contiguous) = true;
    }
    return m_contiguous == n_contiguous ? m > n : m_contiguous;
}

static void sort_outputs(planner *p) {
    tct_gemm_args *g = p->g;
    g->batch = g->m = g->n = 1;
    for (uint32_t i = 0; i < p->problem->n_axes; i++) {
        const tct_gemm_axis *x = &p->problem->axes[i];
        if (!x->in_c) continue;
        assert(x->in_a || x->in_b);
        if (x->in_a && x->in_b) {
            p->out->batch_axes[p->out->n_batch++] = (uint8_t)i;
            g->batch *= x->size;
            // Never merged: three lists that advance together.
            append(&g->batch_a, x->size, stride_a(p, i));
            append(&g->batch_b, x->size, stride_b(p, i));
            append(&g->batch_c, x->size, x->c);
        } else if (x->in_a != p->out->swapped) {
            p->out->m_axes[p->out->n_m++] = (uint8_t)i;
            g->m *= x->size;
            append(&g->a_m, x->size, stride_a(p, i));
            append(&g->c_m, x->size, x->c);
        } else {
            p->out->n_axes[p->out->n_n++] = (uint8_t)i;
            g->n *= x->size;
            append(&g->b_n, x->size, stride_b(p, i));
            append(&g->c_n, x->size, x->c);
        }
    }
}

// The summed axes in the order given, or by falling strides of A or of B.
static void try_order(planner *p, int by, tct_gemm_axes *a_k, tct_gemm_axes *b_k) {
    uint32_t order[TCT_GEMM_MAX_AXES], n = 0;
    for (uint32_t i = 0; i < p->problem->n_axes; i++) {
        if (p->problem->axes[i].in_c) continue;
        uint32_t at = n++;
        for (; at > 0 && by; at--) {
            int64_t before = by == 1 ? stride_a(p, order[at - 1]) : stride_b(p, order[at - 1]);
            if (before >= (by == 1 ? stride_a(p, i) : stride_b(p, i))) break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    *a_k = *b_k = (tct_gemm_axes){0};
    for (uint32_t i = 0; i < n; i++) {
        append(a_k, p->problem->axes[order[i]].size, stride_a(p, order[i]));
        append(b_k, p->problem->axes[order[i]].size, stride_b(p, order[i]));
    }
}

static void sort_summed(planner *p) {
    tct_gemm_args *g = p->g;
    g->k = 1;
    for (uint32_t i = 0; i < p->problem->n_axes; i++)
        if (!p->problem->axes[i].in_c) g->k *= p->problem->axes[i].size;
    try_order(p, 0, &g->a_k, &g->b_k);
    for (int by = 1; by <= 2; by++) {
        tct_gemm_axes a_k, b_k;
        try_order(p, by, &a_k, &b_k);
        if (a_k.n + b_k.n >= g->a_k.n + g->b_k.n) continue;
        g->a_k = a_k;
        g->b_k = b_k;
    }
}

// Packing costs more than it gains where L2 holds both operands and vectors find B's columns side by side.
static bool is_near(const planner *p) {
    const tct_gemm_args *g = p->g;
    int64_t a = g->m * g->k * g->element_bytes, b = g->n * g->k * g->element_bytes;
    return is_plain(&g->a_m) && is_plain(&g->a_k) && is_plain(&g->b_n) && is_plain(&g->b_k) &&
           (innermost(&g->a_k) == 1 || innermost(&g->a_m) == 1) && innermost(&g->b_n) == 1 &&
           a <= NEAR_SIDE && b <= NEAR_SIDE && a + b <= NEAR_BYTES;
}

// Cycles of a tile's step of k: multiply-adds, or the latency of a chain of sums; loads get in their way a
// little, of B less where its rows are long stretches of memory.
static double step_cycles(const planner *p, int64_t rows, int64_t vectors) {
    double multiplies = (double)(rows * vectors) / 2;
    return (multiplies > 4 ? multiplies : 4) + (p->near ? 0.12 * (double)rows + 0.15 * (double)vectors
                                                        : 0.07 * (double)rows + 0.25 * (double)vectors);
}

static double tile_cycles(const planner *p, int64_t rows, int64_t vectors) {
    return rows && vectors
               ? step_cycles(p, rows, vectors) * (double)p->g->k + 3 * (double)(rows * vectors) + 20
               : 0;
}

// The register tile that wastes least on this shape.
static void choose_tile(planner *p) {
    tct_gemm_args *g = p->g;
    int64_t registers = p->target->n_registers, spare = p->target->has_fma ? 1 : 3,
            all_vectors = ceil_div(g->n, p->lanes);
    double best = 0;
    for (int64_t vectors = 1; vectors <= least(4, all_vectors ? all_vectors : 1); vectors++)
        for (int64_t rows = 1;
             rows <= least(MAX_ROWS, g->m ? g->m : 1) && rows * vectors + vectors + spare <= registers;
             rows++) {
            int64_t nr = vectors * p->lanes, rest = g->m % rows, edge = ceil_div(g->n % nr, p->lanes);
            double cycles = (double)(g->n / nr) * ((double)(g->m / rows) * tile_cycles(p, rows, vectors) +
                                                   tile_cycles(p, rest, vectors)) +
                            (double)(g->m / rows) * tile_cycles(p, rows, edge) + tile_cycles(p, rest, edge);
            if (best > 0 && cycles >= best * 0.999) continue;
            best = cycles;
            g->mr = rows;
            g->nr = nr;
        }
}

static bool has_tiles(const planner *p) {
    return p->problem->dtype == TCT_F32 && p->target->isa >= TCT_ISA_AMX;
}

static bool suits_dots(const planner *p) {
    const tct_gemm_args *g = p->g;
    bool streamed = p->widened || (has_tiles(p) && g->n * g->k * g->bytes_b > SMALL_BYTES);
    return g->m <= (streamed ? MAX_STREAMED_ROWS : MAX_DOT_ROWS) && g->k >= 2 * p->lanes &&
           is_plain(&g->a_k) && is_plain(&g->b_k) && is_plain(&g->a_m) && is_plain(&g->b_n) &&
           innermost(&g->a_k) == 1 && innermost(&g->b_k) == 1;
}

// Few rows wait for B's memory, which is fastest along its rows.
static bool suits_stream(const planner *p) {
    const tct_gemm_args *g = p->g;
    return g->m >= 1 && g->m <= MAX_STREAM_ROWS && g->k > 1 && is_plain(&g->b_n) && is_plain(&g->b_k) &&
           innermost(&g->b_n) == 1 &&
           (p->widened ||
            (g->n * g->element_bytes >= STREAM_BYTES && g->n * g->k * g->element_bytes > SMALL_BYTES));
}

// Tiles take 16 rows in the time of one. B is streamed along n or, where it suits dot products, along k.
static bool suits_tile_stream(const planner *p) {
    const tct_gemm_args *g = p->g;
    bool along_k =
        g->path == TCT_GEMM_DOTS && g->n * g->k * g->bytes_b > SMALL_BYTES && g->m >= ROWS_IN_TURNED_TILES;
    return has_tiles(p) && g->m >= ROWS_IN_TILES && g->k >= STEPS_IN_PIECES && (along_k || suits_stream(p));
}

// Of what tiles compute, most is wanted: they are whole, or there are many of them.
static bool fills_tiles(const planner *p) {
    const tct_gemm_args *g = p->g;
    int64_t unit = 2 * TCT_GEMM_SIDE;
    return !p->near || g->m >= NEAR_ROWS || 10 * g->m * g->n >= 9 * rounded(g->m, unit) * rounded(g->n, unit);
}

// Where tiles of bf16 are that much faster than multiply-adds, they do the work of f32, in pieces. i8, which
// no kernel packs, is for streams.
static bool suits_pieces(const planner *p) {
    const tct_gemm_args *g = p->g;
    bool large = g->n * g->k * g->bytes_b > SMALL_BYTES;
    return has_tiles(p) && g->bytes_b != 1 && g->m >= (large ? ROWS_BESIDE_STREAMS : ROWS_IN_PIECES) &&
           g->k >= STEPS_IN_PIECES && g->n >= COLUMNS_IN_PIECES && fills_tiles(p);
}

static int64_t packed_feed(const planner *p, const tct_gemm_axes *w, const tct_gemm_axes *k) {
    if (p->target->isa == TCT_ISA_BASE) return TCT_GEMM_GATHERED;
    if (innermost(w) == 1) return TCT_GEMM_COPIED;
    return innermost(k) == 1 && k->n ? TCT_GEMM_TURNED : TCT_GEMM_GATHERED;
}

static void choose_feeds(planner *p) {
    tct_gemm_args *g = p->g;
    int64_t bytes = g->element_bytes;
    bool plain_a = is_plain(&g->a_m) && is_plain(&g->a_k), plain_b = is_plain(&g->b_n) && is_plain(&g->b_k);
    g->feed_a = packed_feed(p, &g->a_m, &g->a_k);
    g->a_by_row = plain_a && innermost(&g->a_k) == 1;
    // Packing pays when what is packed is used often: A once for each panel of B, and the other way round.
    // Rows of A that are contiguous in k can be read in place, unless they are a multiple of a page apart:
    // caches then have few places for them.
    bool small_a = g->m * g->k * bytes <= SMALL_BYTES, paged = innermost(&g->a_m) * bytes % PAGE == 0;
    bool in_l2 = g->m * g->k * bytes <= DIRECT_BYTES;
    if (plain_a && (g->a_by_row || innermost(&g->a_m) == 1) &&
        (small_a || (g->a_by_row &&
                     ((in_l2 && !paged && g->n <= FEW_PANELS * g->nr) || g->n <= 2 * g->nr || g->batch > 1))))
        g->feed_a = TCT_GEMM_DIRECT;
    if (p->near) g->feed_a = TCT_GEMM_DIRECT;
    g->shared_a = g->feed_a != TCT_GEMM_DIRECT && g->batch == 1;
    g->feed_b = packed_feed(p, &g->b_n, &g->b_k);
    if (plain_b && innermost(&g->b_n) == 1) {
        bool small_b = g->k * g->n * bytes <= SMALL_BYTES;
        if (p->near || g->m <= 2 * g->mr || (small_b && g->m <= 16 * g->mr)) g->feed_b = TCT_GEMM_DIRECT;
    }
}

// Halves a box's side, in whole tiles.
static int64_t halved(int64_t size, int64_t unit) { return rounded(ceil_div(size, 2), unit); }

// What is packed at once: all of k where it fits, since C is read again for each part.
static void choose_parts(planner *p) {
    tct_gemm_args *g = p->g;
    int64_t bytes = g->element_bytes, m = g->m ? g->m : 1, most = g->k ? g->k : 1;
    g->ms = m;
    g->ks = most;
    if (g->shared_a) {
        g->ms = least(rounded(m, g->mr), rounded(SHARED_ROWS, g->mr));
        most = least(most, SHARED_BYTES / bytes / g->ms);
    }
    if (g->feed_b != TCT_GEMM_DIRECT) most = least(most, COLUMNS_BYTES / bytes / g->nc);
    if (most < g->ks) g->ks = most > g->kc ? most / g->kc * g->kc : g->kc;
}

// Boxes of C: as wide as caches like, smaller until there are tasks to share out. What a box needs of B is
// packed for all boxes below it, so lower ones cost little.
static void choose_boxes(planner *p) {
    tct_gemm_args *g = p->g;
    int64_t bytes = g->element_bytes, k_most = K_BLOCK_BYTES / bytes, m = g->m ? g->m : 1,
            n = g->n ? g->n : 1;
    g->kc = g->k ? g->k : 1;
    if (g->k > k_most * 4 / 3 && g->m > g->mr) g->kc = rounded(ceil_div(g->k, ceil_div(g->k, k_most)), 8);
    int64_t columns = least(rounded(n, g->nr), rounded(BOX_COLUMNS_BYTES / bytes - g->nr + 1, g->nr));
    int64_t rows = least(rounded(m, g->mr), rounded(BOX_ROWS, g->mr));
    for (;;) {
        int64_t tasks = g->batch * ceil_div(m, rows) * ceil_div(n, columns);
        double flops = 2.0 * (double)(rows * columns) * (double)g->k;
        if (tasks >= MIN_BOXES || flops < 2 * min_task_flops) break;
        if (columns > g->nr)
            columns -= g->nr;
        else if (rows > (p->near ? g->mr : BOX_ROWS / 2) && tasks < FEW_BOXES)
            rows = halved(rows, g->mr);
        else
            break;
    }
    g->nc = rounded(ceil_div(n, ceil_div(n, columns)), g->nr);
    g->mc = rounded(ceil_div(m, ceil_div(m, rows)), g->mr);
}

// Boxes of dot products: rows of B, as many as make a task worth its while.
static void choose_dot_boxes(planner *p) {
    tct_gemm_args *g = p->g;
    g->mr = g->m <= DOT_ROWS ? g->m : ceil_div(g->m, ceil_div(g->m, DOT_ROWS));
    g->kc = g->ks = g->k;
    g->mc = rounded(g->m, g->mr);
    g->ms = g->m;
    int64_t columns = ceil_div((int64_t)min_task_flops, 2 * g->m * g->k);
    g->nc = g->nr = rounded(least(columns < 8 ? 8 : columns, g->n), 8);
}

// Stretches of B's columns whose sums a near cache holds, and parts of k until there are tasks to share out.
// With one row, sums share L1 with B, and adding those of many parts costs nothing.
static void choose_stream_boxes(planner *p) {
    tct_gemm_args *g = p->g;
    bool row = g->m == 1, tiles = g->k_unit > 1;
    int64_t bytes = g->element_bytes, unit = tiles ? g->k_unit : p->lanes,
            box = least(STREAM_BOX_BYTES / bytes, rounded(g->n, unit));
    int64_t sums = row     ? STREAM_ROW_SUMS
                   : tiles ? TILE_SUMS
                           : STREAM_SUMS,
            columns = sums / (g->m * bytes) / box * box;
    if (g->feed_b == TCT_GEMM_TURNED) columns = least(columns, TURNED_BYTES / bytes);
    if (columns < box) columns = box;
    g->mr = g->mc = g->ms = g->m;
    g->ks = g->k;
    g->apart = row ? 1 : p->target->n_registers / 2;
    g->nr = box;
    g->nc = rounded(ceil_div(g->n, ceil_div(g->n, columns)), box);
    int64_t pieces = g->batch * ceil_div(g->n, g->nc), some = pieces ? pieces : 1;
    int64_t parts, few;
    if (tiles) {
        parts = ceil_div(TILE_TASKS, some);
        few = ceil_div(g->k, TILE_STEPS);
    } else {
        parts = least(ceil_div(MIN_TASKS, some), g->k / (PART_STEPS * g->m));
        few = least(ceil_div(STREAM_TASKS, some), g->k / (PART_GROUPS * g->apart));
    }
    if (parts < few) parts = few;
    parts = least(parts, TCT_GEMM_MAX_PARTS);
    parts = least(parts, g->k * least(g->nc, g->n) * bytes / STREAM_TASK_BYTES);
    g->kc = rounded(ceil_div(g->k, parts < 1 ? 1 : parts), tiles ? g->k_unit : row ? STREAM_STEPS : g->apart);
}

static void plan_stream(planner *p) {
    tct_gemm_args *g = p->g;
    bool tiles = suits_tile_stream(p);
    g->feed_b = g->path == TCT_GEMM_DOTS ? TCT_GEMM_TURNED : TCT_GEMM_DIRECT;
    g->path = TCT_GEMM_STREAM;
    g->a_by_row = g->m == 1 && is_plain(&g->a_k) && innermost(&g->a_k) == 1;
    g->feed_a = packed_feed(p, &g->a_m, &g->a_k) == TCT_GEMM_TURNED ? TCT_GEMM_TURNED : TCT_GEMM_GATHERED;
    if (g->a_by_row) g->feed_a = TCT_GEMM_DIRECT;
    if (tiles) gemm_plan_tile_stream(p->target, p->out);
    choose_stream_boxes(p);
}

static void add_kernel(planner *p, tct_gemm_slot slot, gemm_kernel kernel) {
    kernel.dtype = p->problem->dtype;
    char symbol[TCT_GEMM_SYMBOL];
    gemm_kernel_symbol(&kernel, tct_target_kernel_isa(p->target, kernel.dtype == TCT_BF16), symbol);
    uint32_t i = 0;
    while (i < p->out->n_kernels && strcmp(p->out->symbol[i], symbol) != 0) i++;
    if (i == p->out->n_kernels) memcpy(p->out->symbol[p->out->n_kernels++], symbol, sizeof symbol);
    p->g->slot[slot] = i;
}

static void add_micro(planner *p, tct_gemm_slot slot, int64_t rows, int64_t columns) {
    const tct_gemm_args *g = p->g;
    if (rows == 0 || columns == 0) return;
    gemm_kernel k = {.kind = GEMM_MICRO,
                     .rows = (unsigned)rows,
                     .columns = (unsigned)ceil_div(columns, p->lanes),
                     .edge = columns % p->lanes != 0,
                     .by_row = g->feed_a == TCT_GEMM_DIRECT && g->a_by_row,
                     .far = g->feed_b == TCT_GEMM_DIRECT && g->m <= g->mr,
                     .panel_a = g->feed_a == TCT_GEMM_DIRECT ? 0 : (unsigned)g->mr,
                     .panel_b = g->feed_b == TCT_GEMM_DIRECT ? 0 : (unsigned)(g->nr / p->lanes)};
    add_kernel(p, slot, k);
}

static void list_kernels(planner *p) {
    tct_gemm_args *g = p->g;
    for (int i = 0; i < TCT_GEMM_N_SLOTS; i++) g->slot[i] = -1;
    int64_t rest = g->m % g->mr, edge = g->n % g->nr, full_m = g->m >= g->mr, full_n = g->n >= g->nr;
    if (g->k > 0 && g->path == TCT_GEMM_DOTS) {
        // As many rows of B at once as registers hold, beside one of A.
        int64_t at_once = least(8, ((int64_t)p->target->n_registers - 2) / (g->mr + 1));
        gemm_kernel k = {.kind = GEMM_DOTS,
                         .rows = (unsigned)g->mr,
                         .columns = (unsigned)(at_once ? at_once : 1),
                         .narrow = p->widened ? (unsigned)g->bytes_b : 0};
        int64_t passes = ceil_div(g->m, g->mr); // over a box's columns, each for a part of the next box's
        if (passes > 1) k.panel_b = (unsigned)ceil_div(k.columns, passes);
        add_kernel(p, TCT_GEMM_FULL, k);
        k.rows = (unsigned)rest;
        if (rest) add_kernel(p, TCT_GEMM_REST, k);
    } else if (g->path == TCT_GEMM_STREAM) {
        gemm_kernel k = {.kind = GEMM_STREAM,
                         .rows = (unsigned)g->m,
                         .columns = (unsigned)(g->m > 1 ? g->apart : STREAM_STEPS),
                         .narrow = p->widened ? (unsigned)g->bytes_b : 0};
        if (g->k_unit > 1)
            gemm_list_tile_stream(p->target, p->out);
        else
            add_kernel(p, TCT_GEMM_FULL, k);
        k.narrow = 0;
        k.rows = 1;
        k.columns = STREAM_STEPS;
        add_kernel(p, TCT_GEMM_REST, k);
    } else if (g->k > 0) {
        add_micro(p, TCT_GEMM_FULL, full_m * g->mr, full_n * g->nr);
        add_micro(p, TCT_GEMM_FULL_EDGE, full_m * g->mr, edge);
        add_micro(p, TCT_GEMM_REST, rest, full_n * g->nr);
        add_micro(p, TCT_GEMM_REST_EDGE, rest, edge);
    }
    for (int i = 0; i < 2 && g->k > 0 && g->k_unit <= 1; i++) {
        int64_t feed = i ? g->feed_b : g->feed_a, width = i ? g->nr : g->mr;
        if (feed != TCT_GEMM_COPIED && feed != TCT_GEMM_TURNED) continue;
        gemm_kernel k = {.kind = feed == TCT_GEMM_TURNED ? GEMM_TURN : GEMM_COPY, .columns = (unsigned)width};
        if (g->path == TCT_GEMM_STREAM) k.columns *= (unsigned)g->apart;
        if (feed == TCT_GEMM_TURNED) k.rows = (unsigned)least(width, p->lanes);
        add_kernel(p, i ? TCT_GEMM_PACK_B : TCT_GEMM_PACK_A, k);
    }
    if (p->problem->epilogue) g->slot[TCT_GEMM_TILE] = p->out->n_kernels;
}

void tct_gemm_plan_make(const tct_gemm_problem *problem, const tct_target *target, tct_gemm_plan *out) {
    assert(problem->dtype == TCT_F32 || problem->dtype == TCT_F64);
    assert(problem->n_axes <= TCT_GEMM_MAX_AXES);
    *out = (tct_gemm_plan){.swapped = should_swap(problem)};
    planner p = {.problem = problem,
                 .target = target,
                 .out = out,
                 .g = &out->args,
                 .lanes = tct_target_lanes(target, problem->dtype)};
    tct_gemm_args *g = p.g;
    g->element_bytes = g->bytes_a = g->bytes_b = (int64_t)tct_dtype_size(problem->dtype);
    g->accumulate = problem->accumulate;
    sort_outputs(&p);
    sort_summed(&p);
    tct_gemm_factor a = out->swapped ? problem->b : problem->a, b = out->swapped ? problem->a : problem->b;
    p.near = a == TCT_FACTOR_EXACT && b == TCT_FACTOR_EXACT && is_near(&p);
    p.widened = a == TCT_FACTOR_EXACT && (b == TCT_FACTOR_BF16 || b == TCT_FACTOR_I8) && g->m && g->n && g->k;
    g->path = suits_dots(&p) && !suits_pieces(&p) ? TCT_GEMM_DOTS : TCT_GEMM_TILES;
    p.widened &= g->path == TCT_GEMM_DOTS || suits_stream(&p);
    if (p.widened) g->bytes_b = b == TCT_FACTOR_I8 ? 1 : 2;
    if ((a != TCT_FACTOR_EXACT || b != TCT_FACTOR_EXACT) && !p.widened) {
        gemm_plan_bf16(problem, target, out);
    } else if (g->path == TCT_GEMM_DOTS && g->m && g->n && !suits_tile_stream(&p)) {
        g->feed_a = g->feed_b = TCT_GEMM_DIRECT;
        g->a_by_row = true;
        choose_dot_boxes(&p);
    } else if (suits_pieces(&p)) {
        gemm_plan_bf16(problem, target, out);
    } else if (suits_tile_stream(&p) || (suits_stream(&p) && (!p.near || g->m <= NEAR_STREAM_ROWS))) {
        plan_stream(&p);
    } else {
        g->path = TCT_GEMM_TILES;
        choose_tile(&p);
        choose_feeds(&p);
        choose_boxes(&p);
        choose_parts(&p);
    }
    if (g->path != TCT_GEMM_BF16) list_kernels(&p);
    out->n_tasks = tct_gemm_tasks(g);
    out->scratch = tct_gemm_scratch(g);
    double outputs = (double)g->batch * (double)g->m * (double)g->n;
    out->flops = 2 * outputs * (double)g->k;
    out->bytes = (double)g->element_bytes * outputs * (problem->accumulate ? 2 : 1) +
                 (double)g->batch * (double)g->k * (double)(g->m * g->bytes_a + g->n * g->bytes_b);
}
