// Matrix products: boxes of C as tasks, blocks of k, panels of A and B, and generated kernels inside.
#include "runtime/gemm.h"

#include "runtime/gemm_pack.h"

#include <string.h>

// A run of a product.
typedef struct job {
    const tct_gemm_args *g;
    const tct_plan_kernel *kernels;
    void *const *bufs;
    const int64_t *tile_args;
    tct_pool *pool;
    tct_tile_fn tile;
} job;

// One task's box of C and the scratch of its thread.
typedef struct box {
    const job *job;
    int64_t batch, m0, m1, n0, n1;
    char *c;
    tct_gemm_side a, b;
    char *packed_a, *packed_b, *tile, *epilogue_scratch;
} box;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rounded(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

static uint64_t packed_a_bytes(const tct_gemm_args *g) {
    return g->feed_a == TCT_GEMM_DIRECT ? 0 : (uint64_t)rounded(g->kc * g->mr * g->element_bytes, 64);
}
static uint64_t packed_b_bytes(const tct_gemm_args *g) {
    return g->feed_b == TCT_GEMM_DIRECT
               ? 0
               : (uint64_t)rounded(g->kc * rounded(g->nc, g->nr) * g->element_bytes, 64);
}
static uint64_t tile_bytes(const tct_gemm_args *g) {
    return (uint64_t)rounded(g->mr * g->nr * g->element_bytes, 64);
}

uint64_t tct_gemm_scratch(const tct_gemm_args *g) {
    return packed_a_bytes(g) + packed_b_bytes(g) + tile_bytes(g);
}

static int64_t blocks(int64_t n, int64_t size) { return n ? (n + size - 1) / size : 0; }

int64_t tct_gemm_tasks(const tct_gemm_args *g) {
    return g->batch * blocks(g->m, g->mc) * blocks(g->n, g->nc);
}

static void *kernel(const job *j, tct_gemm_slot slot) {
    int64_t place = j->g->slot[slot];
    return place < 0 ? NULL : j->kernels[place].fn;
}

// C's rows [m, m + rows) and columns [n, n + columns) become (or gain) the tile's, whatever C's strides.
static void scatter(const box *x, int64_t m, int64_t rows, int64_t n, int64_t columns, const char *tile,
                    int64_t ld, bool accumulate) {
    const tct_gemm_args *g = x->job->g;
    int64_t bytes = g->element_bytes, stride = tct_gemm_stride(&g->c_n), run;
    for (int64_t i = 0; i < rows; i++) {
        char *row = x->c + tct_gemm_locate(&g->c_m, m + i, &run) * bytes;
        for (int64_t j = 0; j < columns; j += run) {
            char *to = row + tct_gemm_locate(&g->c_n, n + j, &run) * bytes;
            const char *from = tile + (i * ld + j) * bytes;
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

static operand a_panel(const box *x, int64_t m, int64_t rows, int64_t k, int64_t k_end) {
    const tct_gemm_args *g = x->job->g;
    if (g->feed_a == TCT_GEMM_DIRECT) {
        int64_t at = m * tct_gemm_stride(&g->a_m) + k * tct_gemm_stride(&g->a_k);
        return (operand){x->a.base + at * g->element_bytes, tct_gemm_stride(g->a_by_row ? &g->a_m : &g->a_k)};
    }
    tct_gemm_pack_panel(&x->a, m, m + rows, k, k_end, x->packed_a);
    return (operand){x->packed_a, g->mr};
}

static operand b_panel(const box *x, int64_t n, int64_t k, int64_t k_end) {
    const tct_gemm_args *g = x->job->g;
    if (g->feed_b == TCT_GEMM_DIRECT) {
        int64_t at = n * tct_gemm_stride(&g->b_n) + k * tct_gemm_stride(&g->b_k);
        return (operand){x->b.base + at * g->element_bytes,
                         tct_gemm_stride(g->path == TCT_GEMM_DOTS ? &g->b_n : &g->b_k)};
    }
    return (operand){x->packed_b + (n - x->n0) * (k_end - k) * g->element_bytes, g->nr};
}

static void pack_b(const box *x, int64_t k, int64_t k_end) {
    const tct_gemm_args *g = x->job->g;
    for (int64_t n = x->n0; n < x->n1; n += g->nr)
        tct_gemm_pack_panel(&x->b, n, least(n + g->nr, x->n1), k, k_end,
                            x->packed_b + (n - x->n0) * (k_end - k) * g->element_bytes);
}

static void multiply_tile(const box *x, int64_t m, int64_t rows, int64_t n, int64_t columns, int64_t k,
                          operand a, operand b, bool accumulate) {
    const tct_gemm_args *g = x->job->g;
    tct_gemm_micro_fn micro = micro_of(x->job, rows, columns);
    int64_t m_run, n_run, at = tct_gemm_locate(&g->c_m, m, &m_run) + tct_gemm_locate(&g->c_n, n, &n_run);
    if (rows <= m_run && columns <= n_run && (columns == 1 || tct_gemm_stride(&g->c_n) == 1)) {
        micro(k, a.at, a.stride, b.at, b.stride, x->c + at * g->element_bytes, tct_gemm_stride(&g->c_m),
              columns, accumulate);
        return;
    }
    micro(k, a.at, a.stride, b.at, b.stride, x->tile, g->nr, columns, false);
    scatter(x, m, rows, n, columns, x->tile, g->nr, accumulate);
}

static void finish_rows(const box *x, int64_t m, int64_t rows) {
    const job *j = x->job;
    if (j->tile) j->tile(j->bufs, j->tile_args, x->batch, m, m + rows, x->n0, x->n1, x->epilogue_scratch);
}

static void clear_rows(const box *x, int64_t m, int64_t rows) {
    const tct_gemm_args *g = x->job->g;
    memset(x->tile, 0, (size_t)tile_bytes(g));
    for (int64_t n = x->n0; n < x->n1; n += g->nr)
        scatter(x, m, rows, n, least(g->nr, x->n1 - n), x->tile, g->nr, false);
}

static void run_box(const box *x) {
    const tct_gemm_args *g = x->job->g;
    for (int64_t k = 0; k < g->k; k += g->kc) {
        int64_t k_end = least(k + g->kc, g->k);
        if (g->feed_b != TCT_GEMM_DIRECT) pack_b(x, k, k_end);
        for (int64_t m = x->m0; m < x->m1; m += g->mr) {
            int64_t rows = least(g->mr, x->m1 - m);
            operand a = a_panel(x, m, rows, k, k_end);
            for (int64_t n = x->n0; n < x->n1; n += g->nr)
                multiply_tile(x, m, rows, n, least(g->nr, x->n1 - n), k_end - k, a, b_panel(x, n, k, k_end),
                              k > 0 || g->accumulate);
            if (k_end == g->k) finish_rows(x, m, rows);
        }
    }
    if (g->k > 0) return;
    for (int64_t m = x->m0; m < x->m1; m += g->mr) {
        int64_t rows = least(g->mr, x->m1 - m);
        if (!g->accumulate) clear_rows(x, m, rows);
        finish_rows(x, m, rows);
    }
}

static tct_gemm_side side(const job *j, int64_t batch, int operand_index, const tct_gemm_axes *batch_axes,
                          const tct_gemm_axes *w, const tct_gemm_axes *k, int64_t feed, int64_t width,
                          tct_gemm_slot slot) {
    const tct_gemm_args *g = j->g;
    int64_t run, at = tct_gemm_locate(batch_axes, batch, &run);
    return (tct_gemm_side){.base = (const char *)j->bufs[operand_index] + at * g->element_bytes,
                           .w = w,
                           .k = k,
                           .feed = feed,
                           .width = width,
                           .element_bytes = g->element_bytes,
                           .lanes = g->lanes,
                           .pack = (tct_gemm_pack_fn)kernel(j, slot)};
}

static void run_tasks(void *ctx, int64_t begin, int64_t end, int thread) {
    const job *j = ctx;
    const tct_gemm_args *g = j->g;
    char *scratch = tct_pool_scratch(j->pool, thread);
    int64_t rows = blocks(g->m, g->mc), columns = blocks(g->n, g->nc), run;
    for (int64_t t = begin; t < end; t++) {
        int64_t batch = t / (rows * columns), row = t / columns % rows, column = t % columns;
        box x = {.job = j,
                 .batch = batch,
                 .m0 = row * g->mc,
                 .m1 = least((row + 1) * g->mc, g->m),
                 .n0 = column * g->nc,
                 .n1 = least((column + 1) * g->nc, g->n),
                 .packed_b = scratch,
                 .packed_a = scratch + packed_b_bytes(g),
                 .tile = scratch + packed_b_bytes(g) + packed_a_bytes(g),
                 .epilogue_scratch = scratch + tct_gemm_scratch(g)};
        x.c = (char *)j->bufs[0] + tct_gemm_locate(&g->batch_c, batch, &run) * g->element_bytes;
        x.a = side(j, batch, 1, &g->batch_a, &g->a_m, &g->a_k, g->feed_a, g->mr, TCT_GEMM_PACK_A);
        x.b = side(j, batch, 2, &g->batch_b, &g->b_n, &g->b_k, g->feed_b, g->nr, TCT_GEMM_PACK_B);
        run_box(&x);
    }
}

void tct_gemm_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels, void *const *bufs,
                  const int64_t *tile_args) {
    job j = {g, kernels, bufs, tile_args, pool, NULL};
    j.tile = (tct_tile_fn)kernel(&j, TCT_GEMM_TILE);
    tct_pool_run(pool, tct_gemm_tasks(g), run_tasks, &j);
}
