// Matrix products: boxes of C as tasks, blocks of k, panels of A and B, and generated kernels inside.
#include "runtime/gemm.h"

#include "runtime/gemm_bf16.h"
#include "runtime/gemm_pack.h"
#include "runtime/gemm_stream.h"

#include <string.h>

enum { LINE = 64, PANELS_A_TASK = 24 };

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

// One task's box of C and the scratch of its thread.
typedef struct box {
    const job *job;
    int64_t batch, m0, m1, n0, n1;
    char *c;
    tct_gemm_side a, b;
    char *packed_a, *packed_b[2], *tile, *epilogue_scratch;
} box;

// The block of B that comes next: while kernels work on the present one, they fetch it, and what has come is
// packed, so that packing waits for no memory. `rows` rows of `lines` cache lines are fetched, `turns` rows
// of one line a call.
typedef struct ahead {
    const tct_gemm_side *b; // NULL: nothing to do
    int64_t n0, n1, k0, k1;
    const char *base;
    int64_t row_bytes, rows, lines, turns, calls;
    int64_t packed; // steps of k
    char *out;
} ahead;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rounded(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
static int64_t blocks(int64_t n, int64_t size) { return n ? (n + size - 1) / size : 0; }

static uint64_t packed_a_bytes(const tct_gemm_args *g) {
    if (g->feed_a == TCT_GEMM_DIRECT || g->shared_a) return 0;
    return (uint64_t)rounded(g->kc * rounded(g->mc, g->mr) * g->element_bytes, LINE);
}
static uint64_t packed_b_bytes(const tct_gemm_args *g) {
    if (g->feed_b == TCT_GEMM_DIRECT) return 0;
    return (uint64_t)rounded(g->kc * rounded(g->nc, g->nr) * g->element_bytes, LINE);
}
static uint64_t tile_bytes(const tct_gemm_args *g) {
    return (uint64_t)rounded(g->mr * g->nr * g->element_bytes, LINE);
}

uint64_t tct_gemm_scratch(const tct_gemm_args *g) {
    if (g->path == TCT_GEMM_STREAM) return tct_gemm_stream_scratch(g);
    if (g->path == TCT_GEMM_BF16) return tct_gemm_bf16_scratch(g);
    return packed_a_bytes(g) + 2 * packed_b_bytes(g) + tile_bytes(g);
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
        return (operand){x->b.base + at * g->element_bytes,
                         tct_gemm_stride(g->path == TCT_GEMM_DOTS ? &g->b_n : &g->b_k)};
    }
    return (operand){packed + (n - x->n0) * (k_end - k) * g->element_bytes, g->nr};
}

static void multiply_tile(const box *x, int64_t m, int64_t rows, int64_t n, int64_t columns, int64_t k,
                          operand a, operand b, bool accumulate, ahead *f) {
    const tct_gemm_args *g = x->job->g;
    tct_gemm_micro_fn micro = micro_of(x->job, rows, columns);
    const char *next = a.at;
    int64_t next_stride = 0;
    if (f->b && f->calls < f->lines * blocks(f->rows, f->turns)) {
        int64_t line = f->calls % f->lines, slice = f->calls / f->lines;
        next = f->base + slice * f->turns * f->row_bytes + line * LINE;
        next_stride = f->row_bytes / g->element_bytes;
        f->calls++;
    }
    int64_t m_run, n_run, at = tct_gemm_locate(&g->c_m, m, &m_run) + tct_gemm_locate(&g->c_n, n, &n_run);
    if (rows <= m_run && columns <= n_run && (columns == 1 || tct_gemm_stride(&g->c_n) == 1)) {
        micro(k, a.at, a.stride, b.at, b.stride, x->c + at * g->element_bytes, tct_gemm_stride(&g->c_m),
              columns, accumulate, next, next_stride);
        return;
    }
    micro(k, a.at, a.stride, b.at, b.stride, x->tile, g->nr, columns, false, next, next_stride);
    scatter(x, m, rows, n, columns, accumulate);
}

static void finish_rows(const box *x, int64_t m, int64_t rows) {
    const job *j = x->job;
    if (j->tile) j->tile(j->bufs, j->tile_args, x->batch, m, m + rows, x->n0, x->n1, x->epilogue_scratch);
}

// What comes after [k, k_end) of this box: its next block of k, or the first of the next box.
static ahead block_ahead(const box *x, const box *then, int64_t k, int64_t k_end, char *out) {
    const job *j = x->job;
    const tct_gemm_args *g = j->g;
    bool further = k_end < j->k1, along_n = g->feed_b == TCT_GEMM_COPIED;
    const box *of = further ? x : then;
    ahead f = {.turns = (k_end - k) / TCT_GEMM_STEPS_A_FETCH, .out = out};
    if (g->feed_b == TCT_GEMM_DIRECT || g->b_n.n > 1 || g->b_k.n > 1 || !of || f.turns == 0) return f;
    int64_t n_stride = tct_gemm_stride(&g->b_n), k_stride = tct_gemm_stride(&g->b_k);
    f.b = &of->b;
    f.n0 = of->n0;
    f.n1 = of->n1;
    f.k0 = further ? k_end : j->k0;
    f.k1 = least(f.k0 + g->kc, j->k1);
    f.base = of->b.base + (f.n0 * n_stride + f.k0 * k_stride) * g->element_bytes;
    f.row_bytes = (along_n ? k_stride : n_stride) * g->element_bytes;
    f.rows = along_n ? f.k1 - f.k0 : f.n1 - f.n0;
    f.lines = blocks((along_n ? f.n1 - f.n0 : f.k1 - f.k0) * g->element_bytes, LINE);
    return f;
}

// Packs what has been fetched, in steps that suit the pack kernels.
static void pack_fetched(ahead *f) {
    enum { STEPS = 16 };
    if (!f->b) return;
    int64_t slices = blocks(f->rows, f->turns), fetched;
    if (f->b->feed == TCT_GEMM_COPIED)
        fetched = f->calls / f->lines * f->turns;
    else
        fetched = f->calls >= f->lines * slices ? f->k1 - f->k0
                                                : (slices == 1 ? f->calls * LINE / f->b->element_bytes : 0);
    int64_t to = least(fetched / STEPS * STEPS, f->k1 - f->k0);
    if (to < f->packed + STEPS) return;
    tct_gemm_pack_block(f->b, f->n0, f->n1, f->k0, f->k1, f->k0 + f->packed, f->k0 + to, f->out);
    f->packed = to;
}

// `ready`: steps of k of the first block of B that are packed already; returns the same for the block after
// the box.
static int64_t run_box(box *x, const box *then, int64_t ready) {
    const job *j = x->job;
    const tct_gemm_args *g = j->g;
    for (int64_t k = j->k0; k < j->k1; k += g->kc) {
        int64_t k_end = least(k + g->kc, j->k1);
        char *packed = x->packed_b[0];
        if (g->feed_b != TCT_GEMM_DIRECT && ready < k_end - k)
            tct_gemm_pack_block(&x->b, x->n0, x->n1, k, k_end, k + ready, k_end, packed);
        if (g->feed_a != TCT_GEMM_DIRECT && !g->shared_a)
            tct_gemm_pack_block(&x->a, x->m0, x->m1, k, k_end, k, k_end, x->packed_a);
        ahead f = block_ahead(x, then, k, k_end, x->packed_b[1]);
        for (int64_t m = x->m0; m < x->m1; m += g->mr) {
            int64_t rows = least(g->mr, x->m1 - m);
            operand a = a_panel(x, m, k, k_end);
            for (int64_t n = x->n0; n < x->n1; n += g->nr)
                multiply_tile(x, m, rows, n, least(g->nr, x->n1 - n), k_end - k, a,
                              b_panel(x, packed, n, k, k_end), k > 0 || g->accumulate, &f);
            pack_fetched(&f);
            if (k_end == g->k) finish_rows(x, m, rows);
        }
        ready = f.packed;
        x->packed_b[0] = x->packed_b[1];
        x->packed_b[1] = packed;
    }
    return ready;
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

static tct_gemm_side side_a(const job *j, int64_t batch) {
    const tct_gemm_args *g = j->g;
    int64_t run, at = tct_gemm_locate(&g->batch_a, batch, &run);
    return (tct_gemm_side){(const char *)j->bufs[1] + at * g->element_bytes,
                           &g->a_m,
                           &g->a_k,
                           g->feed_a,
                           g->mr,
                           g->element_bytes,
                           g->lanes,
                           (tct_gemm_pack_fn)kernel(j, TCT_GEMM_PACK_A)};
}

static tct_gemm_side side_b(const job *j, int64_t batch) {
    const tct_gemm_args *g = j->g;
    int64_t run, at = tct_gemm_locate(&g->batch_b, batch, &run);
    return (tct_gemm_side){(const char *)j->bufs[2] + at * g->element_bytes,
                           &g->b_n,
                           &g->b_k,
                           g->feed_b,
                           g->nr,
                           g->element_bytes,
                           g->lanes,
                           (tct_gemm_pack_fn)kernel(j, TCT_GEMM_PACK_B)};
}

// Neighbouring tasks share rows of A and take B in the order of memory.
static box box_of(const job *j, int64_t task, char *scratch) {
    const tct_gemm_args *g = j->g;
    int64_t rows = blocks(j->m1 - j->m0, g->mc), columns = blocks(g->n, g->nc), run;
    int64_t batch = task / (rows * columns), row = task / columns % rows, column = task % columns;
    box x = {.job = j,
             .batch = batch,
             .m0 = j->m0 + row * g->mc,
             .m1 = least(j->m0 + (row + 1) * g->mc, j->m1),
             .n0 = column * g->nc,
             .n1 = least((column + 1) * g->nc, g->n),
             .a = side_a(j, batch),
             .b = side_b(j, batch),
             .packed_b = {scratch, scratch + packed_b_bytes(g)},
             .packed_a = scratch + 2 * packed_b_bytes(g),
             .tile = scratch + 2 * packed_b_bytes(g) + packed_a_bytes(g),
             .epilogue_scratch = scratch + tct_gemm_scratch(g)};
    x.c = (char *)j->bufs[0] + tct_gemm_locate(&g->batch_c, batch, &run) * g->element_bytes;
    return x;
}

static void run_boxes(void *ctx, int64_t begin, int64_t end, int thread) {
    const job *j = ctx;
    char *scratch = tct_pool_scratch(j->pool, thread);
    box x = box_of(j, begin, scratch), then;
    int64_t ready = 0;
    for (int64_t t = begin; t < end; t++) {
        bool last = t + 1 == end;
        if (!last) then = box_of(j, t + 1, scratch);
        if (j->g->k == 0)
            run_empty_box(&x);
        else
            ready = run_box(&x, last ? NULL : &then, ready);
        if (last) return;
        memcpy(then.packed_b, x.packed_b, sizeof x.packed_b);
        x = then;
    }
}

// Packs A's panels for all threads: a task is some panels of one block of k.
static void pack_a(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = ctx;
    const tct_gemm_args *g = j->g;
    tct_gemm_side a = side_a(j, 0);
    int64_t rows_a_task = PANELS_A_TASK * g->mr, tasks_a_block = blocks(j->m1 - j->m0, rows_a_task);
    for (int64_t t = begin; t < end; t++) {
        int64_t k = j->k0 + t / tasks_a_block * g->kc, k_end = least(k + g->kc, j->k1);
        int64_t m = j->m0 + t % tasks_a_block * rows_a_task, m_end = least(m + rows_a_task, j->m1);
        int64_t at = (k - j->k0) * rounded(j->m1 - j->m0, g->mr) + (m - j->m0) * (k_end - k);
        tct_gemm_pack_block(&a, m, m_end, k, k_end, k, k_end, j->shared_a + at * g->element_bytes);
    }
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
            if (g->shared_a)
                tct_pool_run(pool, blocks(j.k1 - j.k0, g->kc) * blocks(j.m1 - j.m0, PANELS_A_TASK * g->mr),
                             pack_a, &j);
            tct_pool_run(pool, g->batch * blocks(j.m1 - j.m0, g->mc) * blocks(g->n, g->nc), run_boxes, &j);
        } while (j.k1 < g->k);
    }
}
