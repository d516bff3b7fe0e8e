// Matrix products: boxes of C as tasks, blocks of k, panels of A and B, and generated kernels inside.
#include "runtime/gemm.h"

#include "runtime/gemm_bf16.h"
#include "runtime/gemm_pack.h"
#include "runtime/gemm_stream.h"

#include <string.h>

enum { LINE = 64, PANELS_A_TASK = 12 };

// A run of a product, at the part of A that is packed at the moment.
typedef struct job {
    const tct_gemm_args *g;
    const tct_plan_kernel *kernels;
    void *const *bufs;
    const int64_t *tile_args;
    tct_pool *pool;
    tct_tile_fn tile;
    int64_t m0, m1, k0, k1;
    char *shared_a;
} job;

// Which blocks of B a thread has packed, at the beginning of its scratch. Blocks of k × a box's columns are
// counted through: those of the first columns, then those of the next. Packed ones lie in a ring.
typedef struct held {
    int64_t first, end;   // packed, but for those that the ring has overwritten
    int64_t steps, calls; // of block `end`: steps of k that are packed, and calls that have fetched for it
} held;

// One task's box of C and the scratch of its thread.
typedef struct box {
    const job *job;
    int64_t batch, m0, m1, n0, n1;
    int64_t block;  // of B, the box's first
    int64_t oldest; // of B, that a box below needs; -1: none is below
    char *c;
    tct_gemm_side a, b;
    held *held;
    char *packed_a, *packed_b, *tile, *epilogue_scratch;
} box;

// The block of B that is packed next: while kernels work, they fetch it, and what has come is packed, so that
// packing waits for no memory, and what was fetched doesn't have to stay in the cache for long. One call
// fetches one of `lines` cache lines of `turns` rows.
typedef struct ahead {
    held *held; // NULL: nothing to do
    tct_gemm_side b;
    int64_t n0, n1, k0, k1;
    const char *base;
    int64_t row_bytes, lines, turns, calls;
    char *out;
} ahead;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rounded(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
static int64_t blocks(int64_t n, int64_t size) { return n ? (n + size - 1) / size : 0; }

// Where part i begins when n elements are cut into parts of at most `size`, all as equal as whole units
// allow.
static int64_t part_begin(int64_t i, int64_t n, int64_t size, int64_t unit) {
    return least(i * blocks(n, unit) / blocks(n, size) * unit, n);
}

static uint64_t packed_a_bytes(const tct_gemm_args *g) {
    if (g->feed_a == TCT_GEMM_DIRECT || g->shared_a) return 0;
    return (uint64_t)rounded(g->kc * rounded(g->mc, g->mr) * g->element_bytes, LINE);
}
static int64_t block_bytes(const tct_gemm_args *g) {
    return rounded(least(g->kc, g->k) * rounded(g->nc, g->nr) * g->element_bytes, LINE);
}
// All blocks of a box's columns, and one that is on its way.
static int64_t ring_size(const tct_gemm_args *g) { return blocks(least(g->ks, g->k), g->kc) + 1; }
static uint64_t packed_b_bytes(const tct_gemm_args *g) {
    return g->feed_b == TCT_GEMM_DIRECT ? 0 : (uint64_t)(ring_size(g) * block_bytes(g));
}
static uint64_t tile_bytes(const tct_gemm_args *g) {
    return (uint64_t)rounded(g->mr * g->nr * g->element_bytes, LINE);
}

uint64_t tct_gemm_scratch(const tct_gemm_args *g) {
    if (g->path == TCT_GEMM_STREAM) return tct_gemm_stream_scratch(g);
    if (g->path == TCT_GEMM_BF16) return tct_gemm_bf16_scratch(g);
    return LINE + packed_a_bytes(g) + packed_b_bytes(g) + tile_bytes(g);
}

uint64_t tct_gemm_shared(const tct_gemm_args *g) {
    if (g->path == TCT_GEMM_STREAM) return tct_gemm_stream_shared(g);
    if (g->path == TCT_GEMM_BF16) return tct_gemm_bf16_shared(g);
    if (!g->shared_a) return 0;
    return (uint64_t)(rounded(least(g->ms, g->m), g->mr) * least(g->ks, g->k) * g->element_bytes);
}

int64_t tct_gemm_tasks(const tct_gemm_args *g) {
    if (g->path == TCT_GEMM_STREAM) return tct_gemm_stream_tasks(g);
    return g->batch * blocks(g->m, g->mc) * blocks(g->n, g->nc);
}

static void *kernel(const job *j, tct_gemm_slot slot) {
    int64_t place = j->g->slot[slot];
    return place < 0 ? NULL : j->kernels[place].fn;
}

// C's rows [m, m + rows) and columns [n, n + columns) become (or gain) the tile's, whatever C's strides.
static void scatter(const box *x, int64_t m, int64_t rows, int64_t n, int64_t columns, bool accumulate) {
    const tct_gemm_args *g = x->job->g;
    int64_t bytes = g->element_bytes, stride = tct_gemm_stride(&g->c_n), run;
    for (int64_t i = 0; i < rows; i++) {
        char *row = x->c + tct_gemm_locate(&g->c_m, m + i, &run) * bytes;
        for (int64_t j = 0; j < columns; j += run) {
            char *to = row + tct_gemm_locate(&g->c_n, n + j, &run) * bytes;
            const char *from = x->tile + (i * g->nr + j) * bytes;
            run = least(run, columns - j);
            for (int64_t e = 0; e < run; e++, to += stride * bytes, from += bytes) {
                if (!accumulate) {
                    memcpy(to, from, (size_t)bytes);
                } else if (bytes == 4) {
                    *(float *)to += *(const float *)from;
                } else {
                    *(double *)to += *(const double *)from;
                }
            }
        }
    }
}

static tct_gemm_micro_fn micro_of(const job *j, int64_t rows, int64_t columns) {
    const tct_gemm_args *g = j->g;
    bool rest = rows < g->mr, edge = columns < g->nr && g->path == TCT_GEMM_TILES;
    return (tct_gemm_micro_fn)kernel(j, rest ? (edge ? TCT_GEMM_REST_EDGE : TCT_GEMM_REST)
                                             : (edge ? TCT_GEMM_FULL_EDGE : TCT_GEMM_FULL));
}

typedef struct operand {
    const char *at;
    int64_t stride;
} operand;

static operand a_panel(const box *x, int64_t m, int64_t k, int64_t k_end) {
    const job *j = x->job;
    const tct_gemm_args *g = j->g;
    if (g->feed_a == TCT_GEMM_DIRECT) {
        int64_t at = m * tct_gemm_stride(&g->a_m) + k * tct_gemm_stride(&g->a_k);
        return (operand){x->a.base + at * g->element_bytes, tct_gemm_stride(g->a_by_row ? &g->a_m : &g->a_k)};
    }
    if (!g->shared_a) return (operand){x->packed_a + (m - x->m0) * (k_end - k) * g->element_bytes, g->mr};
    int64_t at = (k - j->k0) * rounded(j->m1 - j->m0, g->mr) + (m - j->m0) * (k_end - k);
    return (operand){j->shared_a + at * g->element_bytes, g->mr};
}

static operand b_panel(const box *x, const char *packed, int64_t n, int64_t k, int64_t k_end) {
    const tct_gemm_args *g = x->job->g;
    if (g->feed_b == TCT_GEMM_DIRECT) {
        int64_t at = n * tct_gemm_stride(&g->b_n) + k * tct_gemm_stride(&g->b_k);
        return (operand){x->b.base + at * g->bytes_b,
                         tct_gemm_stride(g->path == TCT_GEMM_DOTS ? &g->b_n : &g->b_k)};
    }
    return (operand){packed + (n - x->n0) * (k_end - k) * g->element_bytes, g->nr};
}

// What one call of a kernel is to fetch; of what is in place already, when there is nothing.
static operand fetched(const tct_gemm_args *g, ahead *f, operand a) {
    if (!f->held || f->held->calls >= f->calls) return (operand){a.at, 0};
    int64_t line = f->held->calls % f->lines, slice = f->held->calls / f->lines;
    f->held->calls++;
    return (operand){f->base + slice * f->turns * f->row_bytes + line * LINE,
                     f->row_bytes / g->element_bytes};
}

static void multiply_tile(const box *x, int64_t m, int64_t rows, int64_t n, int64_t columns, int64_t k,
                          operand a, operand b, bool accumulate, operand next) {
    const tct_gemm_args *g = x->job->g;
    tct_gemm_micro_fn micro = micro_of(x->job, rows, columns);
    int64_t m_run, n_run, at = tct_gemm_locate(&g->c_m, m, &m_run) + tct_gemm_locate(&g->c_n, n, &n_run);
    if (rows <= m_run && columns <= n_run && (columns == 1 || tct_gemm_stride(&g->c_n) == 1)) {
        micro(k, a.at, a.stride, b.at, b.stride, x->c + at * g->element_bytes, tct_gemm_stride(&g->c_m),
              columns, accumulate, next.at, next.stride);
        return;
    }
    micro(k, a.at, a.stride, b.at, b.stride, x->tile, g->nr, columns, false, next.at, next.stride);
    scatter(x, m, rows, n, columns, accumulate);
}

static void finish_rows(const box *x, int64_t m, int64_t rows) {
    const job *j = x->job;
    if (j->tile) j->tile(j->bufs, j->tile_args, x->batch, m, m + rows, x->n0, x->n1, x->epilogue_scratch);
}

static tct_gemm_side side_a(const job *j, int64_t batch) {
    const tct_gemm_args *g = j->g;
    int64_t run, at = tct_gemm_locate(&g->batch_a, batch, &run);
    return (tct_gemm_side){(const char *)j->bufs[1] + at * g->element_bytes,
                           &g->a_m,
                           &g->a_k,
                           g->feed_a,
                           g->mr,
                           g->element_bytes,
                           (tct_gemm_pack_fn)kernel(j, TCT_GEMM_PACK_A)};
}

static tct_gemm_side side_b(const job *j, int64_t batch) {
    const tct_gemm_args *g = j->g;
    int64_t run, at = tct_gemm_locate(&g->batch_b, batch, &run);
    return (tct_gemm_side){
        (const char *)j->bufs[2] + at * g->bytes_b,  &g->b_n, &g->b_k, g->feed_b, g->nr, g->element_bytes,
        (tct_gemm_pack_fn)kernel(j, TCT_GEMM_PACK_B)};
}

static int64_t blocks_of_k(const job *j) { return blocks(j->k1 - j->k0, j->g->kc); }

static char *ring_slot(const job *j, held *h, int64_t block) {
    return (char *)h + LINE + block % ring_size(j->g) * block_bytes(j->g);
}

// Block `block` of B in the ring: its place in the operand, and what is known of it.
static ahead block_of(const job *j, held *h, int64_t block) {
    const tct_gemm_args *g = j->g;
    int64_t columns = blocks(g->n, g->nc), column = block / blocks_of_k(j);
    ahead f = {.held = h, .b = side_b(j, column / columns), .out = ring_slot(j, h, block)};
    f.n0 = part_begin(column % columns, g->n, g->nc, g->nr);
    f.n1 = part_begin(column % columns + 1, g->n, g->nc, g->nr);
    f.k0 = j->k0 + block % blocks_of_k(j) * g->kc;
    f.k1 = least(f.k0 + g->kc, j->k1);
    return f;
}

// Packs steps of k that aren't packed yet, up to `to` of them.
static void pack_steps(const ahead *f, int64_t to) {
    held *h = f->held;
    tct_gemm_pack_block(&f->b, f->n0, f->n1, f->k0, f->k1, f->k0 + h->steps, f->k0 + to, f->out);
    h->steps = to;
    if (to < f->k1 - f->k0) return;
    h->end++;
    h->steps = h->calls = 0;
}

static const char *packed_block(const box *x, int64_t block) {
    held *h = x->held;
    bool there =
        block >= h->first && block < h->end && h->end - block + (h->steps > 0) <= ring_size(x->job->g);
    if (!there) {
        if (block != h->end) *h = (held){block, block, 0, 0};
        ahead f = block_of(x->job, h, block);
        pack_steps(&f, f.k1 - f.k0);
    }
    return ring_slot(x->job, h, block);
}

// What is to be packed while the box is computed: the next block that isn't yet, where the ring has room
// beside those from `oldest` on.
static ahead block_ahead(const box *x, int64_t oldest, int64_t last_block) {
    const job *j = x->job;
    const tct_gemm_args *g = j->g;
    held *h = x->held;
    bool along_n = g->feed_b == TCT_GEMM_COPIED;
    if (g->feed_b == TCT_GEMM_DIRECT || g->b_n.n > 1 || g->b_k.n > 1 || h->end > last_block ||
        h->end - oldest >= ring_size(g))
        return (ahead){.held = NULL};
    ahead f = block_of(j, h, h->end);
    int64_t n_stride = tct_gemm_stride(&g->b_n), k_stride = tct_gemm_stride(&g->b_k), steps = f.k1 - f.k0,
            columns = f.n1 - f.n0;
    f.turns = least(g->kc, j->k1 - j->k0) / TCT_GEMM_STEPS_A_FETCH;
    if (f.turns == 0) return (ahead){.held = NULL};
    f.base = f.b.base + (f.n0 * n_stride + f.k0 * k_stride) * g->element_bytes;
    f.row_bytes = (along_n ? k_stride : n_stride) * g->element_bytes;
    f.lines = blocks((along_n ? columns : steps) * g->element_bytes, LINE);
    f.calls = f.lines * blocks(along_n ? steps : columns, f.turns);
    return f;
}

// Packs what has been fetched, in steps that suit the pack kernels.
static void pack_fetched(ahead *f) {
    enum { STEPS = 16 };
    if (!f->held) return;
    int64_t calls = f->held->calls, steps = f->k1 - f->k0, fetched = calls < f->calls ? 0 : steps;
    if (f->b.feed == TCT_GEMM_COPIED)
        fetched = calls / f->lines * f->turns;
    else if (f->calls == f->lines)
        fetched = calls * LINE / f->b.element_bytes;
    fetched = fetched < steps ? fetched / STEPS * STEPS : steps;
    if (fetched <= f->held->steps) return;
    pack_steps(f, fetched);
    if (fetched == steps) f->held = NULL;
}

// Dot products go over a box's columns once for each some rows, each time fetching some of the next box's.
static void run_dots(const box *x) {
    const tct_gemm_args *g = x->job->g;
    int64_t some = blocks(x->n1 - x->n0, blocks(x->m1 - x->m0, g->mr)), next = x->n1;
    for (int64_t m = x->m0; m < x->m1; m += g->mr, next += some) {
        int64_t rows = least(g->mr, x->m1 - m);
        multiply_tile(x, m, rows, x->n0, x->n1 - x->n0, g->k, a_panel(x, m, 0, g->k),
                      b_panel(x, NULL, x->n0, 0, g->k), g->accumulate, b_panel(x, NULL, next, 0, g->k));
        finish_rows(x, m, rows);
    }
}

static void run_box(const box *x, int64_t last_block) {
    const job *j = x->job;
    const tct_gemm_args *g = j->g;
    if (g->path == TCT_GEMM_DOTS) {
        run_dots(x);
        return;
    }
    int64_t block = x->block;
    for (int64_t k = j->k0; k < j->k1; k += g->kc, block++) {
        int64_t k_end = least(k + g->kc, j->k1);
        const char *packed = g->feed_b == TCT_GEMM_DIRECT ? NULL : packed_block(x, block);
        if (g->feed_a != TCT_GEMM_DIRECT && !g->shared_a)
            tct_gemm_pack_block(&x->a, x->m0, x->m1, k, k_end, k, k_end, x->packed_a);
        ahead f = block_ahead(x, x->oldest < 0 ? block : x->oldest, last_block);
        for (int64_t m = x->m0; m < x->m1; m += g->mr) {
            int64_t rows = least(g->mr, x->m1 - m);
            operand a = a_panel(x, m, k, k_end);
            for (int64_t n = x->n0; n < x->n1; n += g->nr)
                multiply_tile(x, m, rows, n, least(g->nr, x->n1 - n), k_end - k, a,
                              b_panel(x, packed, n, k, k_end), k > 0 || g->accumulate, fetched(g, &f, a));
            pack_fetched(&f);
            if (k_end == g->k) finish_rows(x, m, rows);
        }
    }
}

// Without a k, C is zero (or stays) and only the epilogue is left to do.
static void run_empty_box(const box *x) {
    const tct_gemm_args *g = x->job->g;
    memset(x->tile, 0, (size_t)tile_bytes(g));
    for (int64_t m = x->m0; m < x->m1; m += g->mr) {
        int64_t rows = least(g->mr, x->m1 - m);
        for (int64_t n = x->n0; n < x->n1 && !g->accumulate; n += g->nr)
            scatter(x, m, rows, n, least(g->nr, x->n1 - n), false);
        finish_rows(x, m, rows);
    }
}

// Neighbouring tasks share columns of B, which are packed once for them.
static box box_of(const job *j, int64_t task, char *scratch) {
    const tct_gemm_args *g = j->g;
    int64_t rows = blocks(j->m1 - j->m0, g->mc), columns = blocks(g->n, g->nc), run;
    int64_t row = task % rows, column = task / rows % columns, batch = task / rows / columns;
    box x = {.job = j,
             .batch = batch,
             .block = task / rows * blocks_of_k(j),
             .oldest = row + 1 < rows ? task / rows * blocks_of_k(j) : -1,
             .m0 = j->m0 + part_begin(row, j->m1 - j->m0, g->mc, g->mr),
             .m1 = j->m0 + part_begin(row + 1, j->m1 - j->m0, g->mc, g->mr),
             .n0 = part_begin(column, g->n, g->nc, g->nr),
             .n1 = part_begin(column + 1, g->n, g->nc, g->nr),
             .a = side_a(j, batch),
             .b = side_b(j, batch),
             .held = (held *)scratch,
             .packed_b = scratch + LINE,
             .packed_a = scratch + LINE + packed_b_bytes(g),
             .tile = scratch + LINE + packed_b_bytes(g) + packed_a_bytes(g),
             .epilogue_scratch = scratch + tct_gemm_scratch(g)};
    x.c = (char *)j->bufs[0] + tct_gemm_locate(&g->batch_c, batch, &run) * g->element_bytes;
    return x;
}

static int64_t n_boxes(const job *j) {
    const tct_gemm_args *g = j->g;
    return g->batch * blocks(j->m1 - j->m0, g->mc) * blocks(g->n, g->nc);
}

static void run_boxes(void *ctx, int64_t begin, int64_t end, int thread) {
    const job *j = ctx;
    const tct_gemm_args *g = j->g;
    int64_t n = n_boxes(j), own_end = tct_pool_part_end(j->pool, n, thread);
    // Of the thread's own boxes the last one's columns are the last that it is to pack.
    int64_t last_block =
        own_end ? ((own_end - 1) / blocks(j->m1 - j->m0, g->mc) + 1) * blocks_of_k(j) - 1 : -1;
    for (int64_t t = begin; t < end; t++) {
        box x = box_of(j, t, tct_pool_scratch(j->pool, thread));
        if (g->k == 0)
            run_empty_box(&x);
        else
            run_box(&x, last_block);
    }
}

// Packs A's panels for all threads: a task is some panels of one block of k.
static void pack_a(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = ctx;
    const tct_gemm_args *g = j->g;
    tct_gemm_side a = side_a(j, 0);
    int64_t rows = j->m1 - j->m0, rows_a_task = PANELS_A_TASK * g->mr,
            tasks_a_block = blocks(rows, rows_a_task);
    for (int64_t t = begin; t < end; t++) {
        int64_t k = j->k0 + t / tasks_a_block * g->kc, k_end = least(k + g->kc, j->k1);
        int64_t m = part_begin(t % tasks_a_block, rows, rows_a_task, g->mr);
        int64_t m_end = part_begin(t % tasks_a_block + 1, rows, rows_a_task, g->mr);
        int64_t at = (k - j->k0) * rounded(rows, g->mr) + m * (k_end - k);
        tct_gemm_pack_block(&a, j->m0 + m, j->m0 + m_end, k, k_end, k, k_end,
                            j->shared_a + at * g->element_bytes);
    }
}

// What is packed of A at the moment, times B.
static void run_part(job *j) {
    const tct_gemm_args *g = j->g;
    if (g->shared_a)
        tct_pool_run(j->pool, blocks(j->k1 - j->k0, g->kc) * blocks(j->m1 - j->m0, PANELS_A_TASK * g->mr),
                     pack_a, j);
    for (int i = 0; i < tct_pool_threads(j->pool); i++)
        *(held *)tct_pool_scratch(j->pool, i) = (held){0, 0, 0, 0};
    tct_pool_run_near(j->pool, n_boxes(j), run_boxes, j);
}

void tct_gemm_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels, void *const *bufs,
                  const int64_t *tile_args) {
    job j = {.g = g, .kernels = kernels, .bufs = bufs, .tile_args = tile_args, .pool = pool};
    if (tct_gemm_tasks(g) == 0) return;
    if (g->path == TCT_GEMM_STREAM) {
        tct_gemm_stream_run(pool, g, kernels, bufs, tile_args);
        return;
    }
    if (g->path == TCT_GEMM_BF16) {
        tct_gemm_bf16_run(pool, g, kernels, bufs, tile_args);
        return;
    }
    j.tile = (tct_tile_fn)kernel(&j, TCT_GEMM_TILE);
    if (g->shared_a) j.shared_a = tct_pool_shared(pool, tct_gemm_shared(g));
    for (j.m0 = 0; j.m0 < g->m; j.m0 = j.m1) {
        j.m1 = least(j.m0 + g->ms, g->m);
        j.k1 = 0;
        do {
            j.k0 = j.k1;
            j.k1 = least(j.k0 + g->ks, g->k);
            run_part(&j);
        } while (j.k1 < g->k);
    }
}
