// Each task multiplies one part of k and one stretch of columns into sums of its own; then the parts' sums
// are added, in the order of k, where the result belongs.
#include "runtime/gemm_stream.h"

#include "runtime/gemm_bf16.h"
#include "runtime/gemm_pack.h"

#include <string.h>

enum { LINE = 64, PAGE = 4096, APART = 576 };

typedef struct stream {
    const tct_gemm_args *g;
    void *const *bufs;
    const int64_t *tile_args;
    tct_pool *pool;
    tct_gemm_micro_fn multiply, add;
    void *pack;                    // tct_gemm_pack_fn, of tiles tct_gemm_words_fn
    tct_gemm_mode_fn enter, leave; // NULL: there is no mode
    tct_tile_fn tile;
    int64_t parts, pieces, boxes; // of k; of n; of n, when parts are added
    int64_t cuts, columns;        // of a piece, and of a cut
    int64_t row;                  // elements from one row of sums to the next
    char *sums;                   // [batch, piece, part, m, row]
    const void *ones;             // as many as parts
} stream;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t blocks(int64_t n, int64_t size) { return n ? (n + size - 1) / size : 0; }
static int64_t rounded(int64_t n, int64_t unit) { return blocks(n, unit) * unit; }

// Rows of sums are apart by what isn't nearly a multiple of a page: a load that follows a store at the same
// place of another page waits for it.
static int64_t row_bytes(const tct_gemm_args *g) {
    int64_t bytes = g->nc * g->element_bytes;
    return bytes <= APART ? APART : rounded(bytes - APART, PAGE) + APART;
}

static bool has_tiles(const tct_gemm_args *g) { return g->k_unit > 1; }

// Of sums: of whole tiles.
static int64_t rows_of_sums(const tct_gemm_args *g) {
    return has_tiles(g) ? rounded(g->m, TCT_GEMM_SIDE) : g->m;
}

static uint64_t packed_bytes(const tct_gemm_args *g) {
    if (has_tiles(g)) return (uint64_t)rounded((int64_t)tct_gemm_tile_rows_bytes(g), LINE);
    if (g->feed_a == TCT_GEMM_DIRECT) return 0;
    return (uint64_t)rounded(g->kc * g->mr * g->element_bytes, LINE);
}

uint64_t tct_gemm_stream_scratch(const tct_gemm_args *g) {
    return packed_bytes(g) + (uint64_t)rounded(g->nr * g->element_bytes, LINE);
}

uint64_t tct_gemm_stream_shared(const tct_gemm_args *g) {
    return (uint64_t)(tct_gemm_stream_tasks(g) * rows_of_sums(g) * row_bytes(g));
}

int64_t tct_gemm_stream_tasks(const tct_gemm_args *g) {
    return g->batch * blocks(g->k, g->kc) * blocks(g->n, g->nc);
}

static char *sums_of(const stream *s, int64_t batch, int64_t n, int64_t part, int64_t m) {
    const tct_gemm_args *g = s->g;
    int64_t row = ((batch * s->pieces + n / g->nc) * s->parts + part) * rows_of_sums(g) + m;
    return s->sums + (row * s->row + n % g->nc) * g->element_bytes;
}

// A tile's words of neighbouring steps of k become words of steps half a unit apart.
static void set_apart(uint32_t *tile) {
    enum { SIDE = TCT_GEMM_SIDE, HALF = SIDE / 2 };
    uint32_t low[HALF * SIDE], high[HALF * SIDE];
    for (int i = 0; i < HALF * SIDE; i++) {
        uint32_t x = tile[i], y = tile[HALF * SIDE + i];
        low[i] = (x & 0xffff) | y << 16;
        high[i] = x >> 16 | (y & 0xffff0000);
    }
    for (int row = 0; row < HALF; row++) {
        memcpy(tile + 2 * row * SIDE, low + row * SIDE, SIDE * sizeof *tile);
        memcpy(tile + (2 * row + 1) * SIDE, high + row * SIDE, SIDE * sizeof *tile);
    }
}

// Steps [k, k_end) of A, where the kernel finds them; *stride is what it needs beside that.
static const char *rows_of_a(const stream *s, int64_t batch, int64_t k, int64_t k_end, char *scratch,
                             int64_t *stride) {
    const tct_gemm_args *g = s->g;
    int64_t run, at = tct_gemm_locate(&g->batch_a, batch, &run);
    const char *base = (const char *)s->bufs[1] + at * g->element_bytes;
    if (has_tiles(g)) {
        *stride = tct_gemm_tile_rows_panel(g, k_end - k);
        tct_gemm_tile_rows_pack(g, (tct_gemm_words_fn)s->pack, base, k, k_end, scratch);
        int64_t panels = tct_gemm_swaps_factors(g) ? blocks(g->m, TCT_GEMM_SIDE) : 0;
        int64_t units = blocks(k_end - k, g->k_unit), tile = TCT_GEMM_SIDE * TCT_GEMM_SIDE;
        for (int64_t i = 0; i < panels; i++)
            for (int64_t j = 0; j < units * g->pieces_a; j++)
                set_apart((uint32_t *)scratch + i * *stride + j * tile);
        return scratch;
    }
    *stride = tct_gemm_stride(&g->a_m);
    if (g->feed_a == TCT_GEMM_DIRECT) return base + k * tct_gemm_stride(&g->a_k) * g->element_bytes;
    tct_gemm_side a = {base, &g->a_m, &g->a_k, g->feed_a, g->mr, g->element_bytes, (tct_gemm_pack_fn)s->pack};
    // Element i of step u * steps + r is at (r * apart + u) * m + i, and what is left after that in order.
    int64_t steps = (k_end - k) / g->apart, rest = k + steps * g->apart;
    a.width = g->apart * g->m;
    for (int64_t u = 0; u < g->apart && steps > 0; u++) {
        int64_t from = k + u * steps, to = from + steps;
        tct_gemm_pack_block(&a, 0, g->m, from, to, from, to, scratch + u * g->m * g->element_bytes);
    }
    a.width = g->m;
    a.feed = TCT_GEMM_GATHERED;
    tct_gemm_pack_block(&a, 0, g->m, rest, k_end, rest, k_end,
                        scratch + (rest - k) * g->m * g->element_bytes);
    *stride = g->mr;
    return scratch;
}

// One task's part of k and stretch of columns.
typedef struct part {
    int64_t batch, index, k, k_end, n, columns;
    const char *b;
} part;

// Pieces are cut until all threads have work: no sum depends on it.
static void cut_pieces(stream *s, int64_t tasks) {
    const tct_gemm_args *g = s->g;
    int64_t piece = least(g->nc, g->n), cuts = tasks ? blocks(tct_pool_threads(s->pool), tasks) : 1;
    s->columns = has_tiles(g) ? rounded(blocks(piece, cuts), g->k_unit) : piece;
    s->cuts = blocks(piece, s->columns);
}

// Neighbouring tasks take B in the order of memory.
static part part_of(const stream *s, int64_t task) {
    const tct_gemm_args *g = s->g;
    int64_t in_row = s->pieces * s->cuts, at_n = task % in_row, cut = at_n % s->cuts * s->columns;
    part p = {.batch = task / (in_row * s->parts),
              .index = task / in_row % s->parts,
              .n = least(at_n / s->cuts * g->nc + cut, g->n)}; // the last piece may have fewer cuts
    p.k = p.index * g->kc;
    p.k_end = least(p.k + g->kc, g->k);
    p.columns = least(least(s->columns, least(g->nc, g->n) - cut), g->n - p.n);
    int64_t run, at = tct_gemm_locate(&g->batch_b, p.batch, &run) + p.k * tct_gemm_stride(&g->b_k) +
                      p.n * tct_gemm_stride(&g->b_n);
    p.b = (const char *)s->bufs[2] + at * g->bytes_b;
    return p;
}

// All of the part at once, into sums that begin with zeros.
static void multiply_part(const stream *s, const part *p, const char *a, int64_t stride) {
    const tct_gemm_args *g = s->g;
    for (int64_t i = 0; i < g->m; i++)
        memset(sums_of(s, p->batch, p->n, p->index, i), 0, (size_t)(p->columns * g->element_bytes));
    s->multiply(p->k_end - p->k, a, stride, p->b, tct_gemm_stride(&g->b_k),
                sums_of(s, p->batch, p->n, p->index, 0), s->row, p->columns, true, a, 0);
}

// 32 rows of B at a time, which are steps of k or, where it is to be turned, columns; what comes after the
// part's last is fetched of `then`.
static void multiply_tiles(const stream *s, const part *p, const char *a, int64_t stride, const char *then) {
    const tct_gemm_args *g = s->g;
    bool columns = g->feed_b == TCT_GEMM_TURNED;
    int64_t unit = g->k_unit, row = tct_gemm_stride(columns ? &g->b_n : &g->b_k), steps = p->k_end - p->k,
            rows = columns ? p->columns : steps;
    int64_t unit_a = unit / 2 * TCT_GEMM_SIDE * g->pieces_a * g->element_bytes;
    const char *b = p->b;
    for (int64_t i = 0; i < rows; i += unit, b += unit * row * g->bytes_b) {
        int64_t some = least(unit, rows - i);
        char *sums = sums_of(s, p->batch, p->n, p->index, 0);
        const char *next = i + unit < rows ? b + unit * row * g->bytes_b : then;
        if (columns)
            s->multiply(steps, a, stride, b, row, sums + i * g->element_bytes, s->row, some, false, next, 0);
        else
            s->multiply(some, a + i / unit * unit_a, stride, b, row, sums, s->row, p->columns, i > 0, next,
                        0);
    }
}

static void multiply(void *ctx, int64_t begin, int64_t end, int thread) {
    const stream *s = ctx;
    if (s->enter) s->enter();
    for (int64_t t = begin; t < end; t++) {
        part p = part_of(s, t);
        if (p.columns <= 0) continue;
        int64_t stride;
        const char *a = rows_of_a(s, p.batch, p.k, p.k_end, tct_pool_scratch(s->pool, thread), &stride);
        if (has_tiles(s->g))
            multiply_tiles(s, &p, a, stride, t + 1 < end ? part_of(s, t + 1).b : p.b);
        else
            multiply_part(s, &p, a, stride);
    }
    if (s->leave) s->leave();
}

// Copies columns of C to or from a row of neighbours.
static void move_columns(const stream *s, char *c, int64_t n, int64_t columns, char *row, bool to_c) {
    const tct_gemm_args *g = s->g;
    int64_t bytes = g->element_bytes, stride = tct_gemm_stride(&g->c_n), run;
    for (int64_t j = 0; j < columns; j += run) {
        char *at = c + tct_gemm_locate(&g->c_n, n + j, &run) * bytes;
        run = least(run, columns - j);
        for (int64_t e = 0; e < run; e++, at += stride * bytes)
            memcpy(to_c ? at : row + (j + e) * bytes, to_c ? row + (j + e) * bytes : at, (size_t)bytes);
    }
}

static void add(void *ctx, int64_t begin, int64_t end, int thread) {
    const stream *s = ctx;
    const tct_gemm_args *g = s->g;
    char *scratch = tct_pool_scratch(s->pool, thread), *own = scratch + packed_bytes(g);
    for (int64_t t = begin; t < end; t++) {
        int64_t batch = t / s->boxes, n = t % s->boxes * g->nr, columns = least(g->nr, g->n - n), run, n_run;
        char *c = (char *)s->bufs[0] + tct_gemm_locate(&g->batch_c, batch, &run) * g->element_bytes;
        int64_t at = tct_gemm_locate(&g->c_n, n, &n_run);
        bool direct = columns <= n_run && (columns == 1 || tct_gemm_stride(&g->c_n) == 1);
        for (int64_t i = 0; i < g->m; i++) {
            char *row = c + tct_gemm_locate(&g->c_m, i, &run) * g->element_bytes;
            char *to = direct ? row + at * g->element_bytes : own;
            if (!g->accumulate)
                memset(to, 0, (size_t)(columns * g->element_bytes));
            else if (!direct)
                move_columns(s, row, n, columns, own, false);
            s->add(s->parts, s->ones, 0, sums_of(s, batch, n, 0, i), rows_of_sums(g) * s->row, to, 0, columns,
                   true, s->ones, 0);
            if (!direct) move_columns(s, row, n, columns, own, true);
        }
        if (s->tile)
            s->tile(s->bufs, s->tile_args, batch, 0, g->m, n, n + columns,
                    scratch + tct_gemm_stream_scratch(g));
    }
}

static void *kernel(const tct_gemm_args *g, const tct_plan_kernel *kernels, tct_gemm_slot slot) {
    return g->slot[slot] < 0 ? NULL : kernels[g->slot[slot]].fn;
}

void tct_gemm_stream_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels,
                         void *const *bufs, const int64_t *tile_args) {
    float ones_f32[TCT_GEMM_MAX_PARTS];
    double ones_f64[TCT_GEMM_MAX_PARTS];
    for (int i = 0; i < TCT_GEMM_MAX_PARTS; i++) ones_f64[i] = ones_f32[i] = 1;
    stream s = {.g = g,
                .bufs = bufs,
                .tile_args = tile_args,
                .pool = pool,
                .multiply = (tct_gemm_micro_fn)kernel(g, kernels, TCT_GEMM_FULL),
                .add = (tct_gemm_micro_fn)kernel(g, kernels, TCT_GEMM_REST),
                .pack = kernel(g, kernels, TCT_GEMM_PACK_A),
                .enter = (tct_gemm_mode_fn)kernel(g, kernels, TCT_GEMM_ENTER),
                .leave = (tct_gemm_mode_fn)kernel(g, kernels, TCT_GEMM_LEAVE),
                .tile = (tct_tile_fn)kernel(g, kernels, TCT_GEMM_TILE),
                .parts = blocks(g->k, g->kc),
                .pieces = blocks(g->n, g->nc),
                .boxes = blocks(g->n, g->nr),
                .row = row_bytes(g) / g->element_bytes,
                .sums = tct_pool_shared(pool, tct_gemm_stream_shared(g)),
                .ones = g->element_bytes == 4 ? (const void *)ones_f32 : ones_f64};
    cut_pieces(&s, tct_gemm_stream_tasks(g));
    tct_pool_run(pool, tct_gemm_stream_tasks(g) * s.cuts, multiply, &s);
    tct_pool_run(pool, g->batch * s.boxes, add, &s);
}
