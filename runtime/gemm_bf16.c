// Products with factors in bf16 or in pieces of it: boxes of C as tasks, each of which packs its B at once
// and its A row by row of tiles, just before they multiply it. What another thread has packed would come from
// that one's cache, which takes longer than packing.
#include "runtime/gemm_bf16.h"

#include "runtime/gemm_pack.h"

#include <string.h>

enum { LINE_WORDS = 16, WORD = 4, PIECE_BYTES = TCT_GEMM_LINES_AHEAD * LINE_WORDS * WORD };

typedef struct side {
    const char *base; // of the batch element
    const tct_gemm_axes *w, *k;
    int64_t feed, bytes, round;
    tct_gemm_words_fn pack; // NULL when gathered
} side;

// A run of a product.
typedef struct job {
    const tct_gemm_args *g;
    const tct_plan_kernel *kernels;
    void *const *bufs;
    const int64_t *tile_args;
    tct_pool *pool;
    tct_gemm_micro_fn micro;
    tct_tile_fn tile;
    tct_gemm_mode_fn enter, leave; // NULL: there is no mode
    int64_t mc, nc; // of a box: less than the plan's where threads would have none; no bit depends on it
    float *sums;    // of all parts of k but the first, one after the other: whole tiles, row by row
} job;

// One task's box of C and the scratch of its thread.
typedef struct box {
    const job *job;
    int64_t batch, part, m0, m1, n0, n1, k0, k1;
    side a, b;
    char *c, *packed_a, *packed_b, *tile, *epilogue_scratch;
} box;

// What is fetched little by little while tiles multiply: rows, each of them in pieces side by side.
typedef struct ahead {
    const char *base;
    int64_t stride, rows, pieces; // stride in bytes
    int64_t at;                   // calls so far; each takes a piece of as many rows as it has units
} ahead;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rounded(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
static int64_t blocks(int64_t n, int64_t size) { return n ? (n + size - 1) / size : 0; }

// --- Where packed words lie ---

// Of one piece.
static int64_t words(const tct_gemm_args *g, int64_t k) {
    return g->k_unit == 1 ? k : rounded(k, g->k_unit) / 2;
}

// Of a block of A or B. `width` rows (or columns) make a panel, `panel` words from the next. In it, they are
// w_step words apart, and the words of one `step`; after `unit` of these come those of the next piece,
// `piece` words after the first, or of the next step of k.
typedef struct layout {
    int64_t width, panel, w_step, step, unit, piece, pieces;
} layout;

static bool has_tiles(const tct_gemm_args *g) { return g->k_unit == 2 * TCT_GEMM_SIDE; }

static layout layout_of_a(const tct_gemm_args *g, int64_t k) {
    enum { SIDE = TCT_GEMM_SIDE };
    if (has_tiles(g))
        return (layout){
            SIDE, tct_gemm_panel_of_tiles(words(g, k), g->pieces_a), SIDE, 1, SIDE, SIDE * SIDE, g->pieces_a};
    // An odd number of cache lines, so that rows fall into different sets of the caches.
    int64_t row = (blocks(words(g, least(g->kc, g->k)), LINE_WORDS) | 1) * LINE_WORDS;
    return (layout){.width = 1, .panel = row, .step = 1, .unit = 1, .piece = 1, .pieces = 1};
}

// Of a right factor in tiles.
static layout layout_of_tiles(const tct_gemm_args *g, int64_t k, int64_t pieces) {
    enum { SIDE = TCT_GEMM_SIDE };
    return (layout){SIDE, tct_gemm_panel_of_tiles(words(g, k), pieces), 1, SIDE, SIDE, SIDE * SIDE, pieces};
}

static layout layout_of_b(const tct_gemm_args *g, int64_t k) {
    if (has_tiles(g)) return layout_of_tiles(g, k, g->pieces_b);
    return (layout){g->nr, words(g, k) * g->nr, 1, g->nr, 1, g->nr, 1};
}

static int64_t row_at(const layout *l, int64_t w) {
    return w / l->width * l->panel + w % l->width * l->w_step;
}

static int64_t word_at(const layout *l, int64_t word, int64_t piece) {
    return (word / l->unit * l->pieces + piece) * l->piece + word % l->unit * l->step;
}

static int64_t block_words(const layout *l, int64_t w) {
    return rounded(row_at(l, rounded(w, l->width)), LINE_WORDS);
}

// Of the longest block of k.
static int64_t block_words_a(const tct_gemm_args *g, int64_t rows) {
    layout l = layout_of_a(g, least(g->kc, g->k));
    return block_words(&l, rounded(rows, g->mr));
}
static int64_t block_words_b(const tct_gemm_args *g) {
    layout l = layout_of_b(g, least(g->kc, g->k));
    return block_words(&l, rounded(g->nc, g->nr));
}

// Of one register tile's rows.
static uint64_t packed_a_bytes(const tct_gemm_args *g) {
    if (g->feed_a == TCT_GEMM_DIRECT) return 0;
    return (uint64_t)(block_words_a(g, g->mr) * WORD);
}
static uint64_t packed_b_bytes(const tct_gemm_args *g) {
    if (g->b_kept) return 0;
    return (uint64_t)(blocks(least(g->kb, g->k), g->kc) * block_words_b(g) * WORD);
}
static uint64_t tile_bytes(const tct_gemm_args *g) {
    return (uint64_t)(rounded(g->mr * g->nr, LINE_WORDS) * WORD);
}

// Of a block of what is kept.
static int64_t kept_block_words(const tct_gemm_args *g) {
    layout l = layout_of_b(g, least(g->kc, g->k));
    return block_words(&l, rounded(g->n, g->nr));
}

uint64_t tct_gemm_kept(const tct_gemm_args *g) {
    return (uint64_t)(blocks(g->k, g->kc) * kept_block_words(g) * WORD);
}

uint64_t tct_gemm_bf16_scratch(const tct_gemm_args *g) {
    return packed_a_bytes(g) + packed_b_bytes(g) + tile_bytes(g);
}

// --- Parts of k ---

static int64_t parts(const tct_gemm_args *g) { return g->k ? blocks(g->k, g->ks) : 1; }
static int64_t sums_row(const tct_gemm_args *g) { return rounded(g->n, g->nr); }
static int64_t sums_part(const tct_gemm_args *g) { return rounded(g->m, g->mr) * sums_row(g); }

uint64_t tct_gemm_bf16_shared(const tct_gemm_args *g) {
    return (uint64_t)((parts(g) - 1) * sums_part(g)) * sizeof(float);
}

// --- Packing ---

// Where a piece of step k lies, of a row (or column) whose words begin at `out`.
static char *element_at(const tct_gemm_args *g, const layout *l, char *out, int64_t k, int64_t piece) {
    if (g->k_unit == 1) return out + word_at(l, k, piece) * WORD;
    return out + word_at(l, k / 2, piece) * WORD + k % 2 * WORD / 2;
}

// Element by element, steps [k, k_end) of w rows (or columns) of a panel, whose words begin at `out`.
static void gather(const tct_gemm_args *g, const side *s, const layout *l, char *out, int64_t w, int64_t k,
                   int64_t k_end, const char *in) {
    int64_t w_stride = tct_gemm_stride(s->w) * s->bytes, k_stride = tct_gemm_stride(s->k) * s->bytes;
    for (int64_t j = 0; j < w; j++, in += w_stride, out += l->w_step * WORD)
        for (int64_t i = k; i < k_end; i++) {
            const char *from = in + (i - k) * k_stride;
            float x;
            tct_bf16 h;
            if (s->bytes == 1) {
                x = *(const int8_t *)from;
                h = tct_f32_to_bf16(x); // exact
            } else if (s->bytes == sizeof h) {
                memcpy(&h, from, sizeof h);
                x = tct_bf16_to_f32(h);
            } else {
                memcpy(&x, from, sizeof x);
                h = tct_f32_to_bf16(x);
                if (s->round) x = tct_bf16_to_f32(h);
            }
            if (g->k_unit == 1) memcpy(element_at(g, l, out, i, 0), &x, sizeof x);
            for (int64_t piece = 0; piece < l->pieces && g->k_unit > 1; piece++) {
                memcpy(element_at(g, l, out, i, piece), &h, sizeof h);
                x -= tct_bf16_to_f32(h);
                h = tct_f32_to_bf16(x);
            }
        }
}

// Zeros from step k of a block to the end of the unit.
static void fill_unit(const tct_gemm_args *g, const layout *l, char *out, int64_t w, int64_t k) {
    for (int64_t j = 0; j < w && g->k_unit > 1; j++, out += l->w_step * WORD)
        for (int64_t i = k; i % g->k_unit; i++)
            for (int64_t piece = 0; piece < l->pieces; piece++)
                memset(element_at(g, l, out, i, piece), 0, WORD / 2);
}

// Packs [w, w_end) × [k, k_end) of a block of that many steps.
static void pack_block(const tct_gemm_args *g, const side *s, const layout *l, int64_t w0, int64_t w_end,
                       int64_t k0, int64_t k_end, char *out) {
    int64_t w_run, k_run;
    for (int64_t w = w0; w < w_end; w += w_run) {
        int64_t at_w = tct_gemm_locate(s->w, w, &w_run), in_panel = (w - w0) % l->width;
        w_run = least(w_run, w_end - w);
        if (in_panel || !s->pack) w_run = least(w_run, l->width - in_panel);
        char *begin = out + row_at(l, w - w0) * WORD;
        for (int64_t k = k0; k < k_end; k += k_run) {
            int64_t at_k = tct_gemm_locate(s->k, k, &k_run);
            k_run = least(k_run, k_end - k);
            const char *from = s->base + (at_w + at_k) * s->bytes;
            if (s->pack)
                s->pack(begin + word_at(l, words(g, k - k0), 0) * WORD, l->panel, from,
                        tct_gemm_stride(s->feed == TCT_GEMM_COPIED ? s->k : s->w), w_run, k_run);
            else
                gather(g, s, l, begin, w_run, k - k0, k - k0 + k_run, from);
            if (!s->pack && k + k_run == k_end) fill_unit(g, l, begin, w_run, k_end - k0);
        }
    }
}

uint64_t tct_gemm_tile_rows_bytes(const tct_gemm_args *g) {
    return (uint64_t)(block_words_a(g, g->m) * WORD);
}

int64_t tct_gemm_tile_rows_panel(const tct_gemm_args *g, int64_t steps) {
    return layout_of_a(g, steps).panel;
}

void tct_gemm_tile_rows_pack(const tct_gemm_args *g, tct_gemm_words_fn pack, const char *a, int64_t k,
                             int64_t k_end, char *out) {
    side s = {a, &g->a_m, &g->a_k, g->feed_a, g->bytes_a, 0, pack};
    bool right = tct_gemm_swaps_factors(g);
    layout l = right ? layout_of_tiles(g, k_end - k, g->pieces_a) : layout_of_a(g, k_end - k);
    pack_block(g, &s, &l, 0, g->m, k, k_end, out);
}

// --- Boxes ---

static void *kernel(const job *j, tct_gemm_slot slot) {
    int64_t place = j->g->slot[slot];
    return place < 0 ? NULL : j->kernels[place].fn;
}

static side side_a(const job *j, int64_t batch) {
    const tct_gemm_args *g = j->g;
    int64_t run, at = tct_gemm_locate(&g->batch_a, batch, &run);
    return (side){
        (const char *)j->bufs[1] + at * g->bytes_a,   &g->a_m, &g->a_k, g->feed_a, g->bytes_a, g->round_a,
        (tct_gemm_words_fn)kernel(j, TCT_GEMM_PACK_A)};
}

static side side_b(const job *j, int64_t batch) {
    const tct_gemm_args *g = j->g;
    int64_t run, at = tct_gemm_locate(&g->batch_b, batch, &run);
    return (side){
        (const char *)j->bufs[2] + at * g->bytes_b,   &g->b_n, &g->b_k, g->feed_b, g->bytes_b, g->round_b,
        (tct_gemm_words_fn)kernel(j, TCT_GEMM_PACK_B)};
}

// C's rows [m, m + rows) and columns [n, n + columns) become (or gain) the tile's, whatever C's strides.
static void scatter(const box *x, int64_t m, int64_t rows, int64_t n, int64_t columns, bool accumulate) {
    const tct_gemm_args *g = x->job->g;
    int64_t stride = tct_gemm_stride(&g->c_n), run;
    for (int64_t i = 0; i < rows; i++) {
        float *row = (float *)x->c + tct_gemm_locate(&g->c_m, m + i, &run);
        for (int64_t j = 0; j < columns; j += run) {
            float *to = row + tct_gemm_locate(&g->c_n, n + j, &run);
            const float *from = (const float *)x->tile + i * g->nr + j;
            run = least(run, columns - j);
            for (int64_t e = 0; e < run; e++, to += stride) *to = accumulate ? *to + from[e] : from[e];
        }
    }
}

static void multiply_tile(const box *x, int64_t m, int64_t n, int64_t k, const char *a, int64_t a_row,
                          const char *b, bool accumulate, const ahead *next) {
    const job *j = x->job;
    const tct_gemm_args *g = j->g;
    if (x->part) {
        float *c = j->sums + (x->part - 1) * sums_part(g) + m * sums_row(g) + n;
        j->micro(words(g, k), a, a_row, b, g->nr, c, sums_row(g), g->nr, accumulate, next->base,
                 next->stride / WORD);
        return;
    }
    int64_t rows = least(g->mr, x->m1 - m), columns = least(g->nr, x->n1 - n), m_run, n_run;
    int64_t at = tct_gemm_locate(&g->c_m, m, &m_run) + tct_gemm_locate(&g->c_n, n, &n_run);
    if (g->mr <= m_run && g->nr <= n_run && rows == g->mr && columns == g->nr &&
        (columns == 1 || tct_gemm_stride(&g->c_n) == 1)) {
        j->micro(words(g, k), a, a_row, b, g->nr, x->c + at * WORD, tct_gemm_stride(&g->c_m), columns,
                 accumulate, next->base, next->stride / WORD);
        return;
    }
    j->micro(words(g, k), a, a_row, b, g->nr, x->tile, g->nr, g->nr, false, next->base, next->stride / WORD);
    scatter(x, m, rows, n, columns, accumulate);
}

static void finish_rows(const box *x, int64_t m, int64_t rows) {
    const job *j = x->job;
    if (j->tile) j->tile(j->bufs, j->tile_args, x->batch, m, m + rows, x->n0, x->n1, x->epilogue_scratch);
}

// A's rows from m on, in block k of kc; packed just now unless read in place.
static const char *a_rows(const box *x, int64_t m, int64_t k, int64_t k_end, int64_t *stride) {
    const tct_gemm_args *g = x->job->g;
    if (g->feed_a == TCT_GEMM_DIRECT) { // pairs as they lie
        int64_t row = tct_gemm_stride(&g->a_m);
        *stride = row / 2;
        return x->a.base + (m * row + k) * g->bytes_a;
    }
    layout l = layout_of_a(g, k_end - k);
    *stride = l.panel;
    pack_block(g, &x->a, &l, m, least(m + g->mr, x->m1), k, k_end, x->packed_a);
    return x->packed_a;
}

// --- What comes next ---

static bool is_left(const ahead *x, int64_t units) { return x->at / x->pieces * units < x->rows; }

// What a call fetches: a part of the first of the two that isn't done, or what is near anyway.
static ahead fetched(ahead *first, ahead *second, int64_t units, const char *near) {
    ahead *x = is_left(first, units) ? first : second;
    if (!is_left(x, units)) return (ahead){.base = near};
    const char *base = x->base + x->at / x->pieces * units * x->stride + x->at % x->pieces * PIECE_BYTES;
    x->at++;
    return (ahead){.base = base, .stride = x->stride};
}

// w rows (or columns) of an operand by that many steps, as they lie in memory.
static ahead ahead_of(const tct_gemm_args *g, const side *s, int64_t w, int64_t w_end, int64_t k,
                      int64_t k_end) {
    bool regular = (s->pack || s->feed == TCT_GEMM_DIRECT) && s->w->n <= 1 && s->k->n <= 1;
    if (!has_tiles(g) || !regular) return (ahead){.pieces = 1};
    bool along_w = s->feed == TCT_GEMM_COPIED;
    int64_t stride_w = tct_gemm_stride(s->w), stride_k = tct_gemm_stride(s->k), steps = k_end - k;
    return (ahead){.base = s->base + (w * stride_w + k * stride_k) * s->bytes,
                   .stride = (along_w ? stride_k : stride_w) * s->bytes,
                   .rows = along_w ? steps : w_end - w,
                   .pieces = blocks((along_w ? w_end - w : steps) * s->bytes, PIECE_BYTES)};
}

// What is packed of A after rows m and block k of kc, of steps [first, k_end).
static ahead a_after(const box *x, int64_t m, int64_t k, int64_t first, int64_t k_end) {
    const tct_gemm_args *g = x->job->g;
    k += g->kc;
    if (k >= k_end) k = first, m += g->mr;
    if (m >= x->m1) return (ahead){.pieces = 1};
    return ahead_of(g, &x->a, m, least(m + g->mr, x->m1), k, least(k + g->kc, k_end));
}

// Where the block of kc from step `at` on lies in what is packed of B from step k on.
static char *block_of_b(const box *x, int64_t at, int64_t k, const layout *l) {
    const tct_gemm_args *g = x->job->g;
    if (!g->b_kept) return x->packed_b + (at - k) / g->kc * block_words_b(g) * WORD;
    return x->packed_b + (at / g->kc * kept_block_words(g) + row_at(l, x->n0)) * WORD;
}

// Rows of the box times what is packed of B, steps [k, k_end): a row's part of C stays in the caches for all
// of them.
static void multiply_rows(const box *x, int64_t m, int64_t k, int64_t k_end, ahead *later) {
    const tct_gemm_args *g = x->job->g;
    for (int64_t end, first = k; k < k_end; k = end) {
        end = least(k + g->kc, k_end);
        layout l = layout_of_b(g, end - k);
        const char *block = block_of_b(x, k, first, &l);
        int64_t stride, units = words(g, end - k) / LINE_WORDS;
        const char *a = a_rows(x, m, k, end, &stride);
        ahead soon = a_after(x, m, k, first, k_end);
        for (int64_t n = x->n0; n < x->n1; n += g->nr) {
            ahead next = fetched(&soon, later, units, a);
            multiply_tile(x, m, n, end - k, a, stride, block + row_at(&l, n - x->n0) * WORD,
                          k > x->k0 || (g->accumulate && !x->part), &next);
        }
    }
}

// `after`: the thread's next box, or NULL.
static void run_box(const box *x, const box *after) {
    const job *j = x->job;
    const tct_gemm_args *g = j->g;
    for (int64_t k = x->k0, k_end; k < x->k1; k = k_end) {
        k_end = least(k + g->kb, x->k1);
        for (int64_t at = k, end; at < k_end; at = end) {
            end = least(at + g->kc, k_end);
            if (at < g->b_done_steps) continue;
            layout l = layout_of_b(g, end - at);
            char *block = block_of_b(x, at, k, &l);
            int64_t n = g->b_done > x->n0 ? least(g->b_done, x->n1) : x->n0;
            pack_block(g, &x->b, &l, n, x->n1, at, end, block + row_at(&l, n - x->n0) * WORD);
        }
        ahead none = {.pieces = 1}, later = none;
        if (k_end < x->k1)
            later = ahead_of(g, &x->b, x->n0, x->n1, k_end, least(k_end + g->kb, x->k1));
        else if (after)
            later =
                ahead_of(g, &after->b, after->n0, after->n1, after->k0, least(after->k0 + g->kb, after->k1));
        // Not before it is needed soon: it would be gone again. Up to half of the calls fetch A.
        int64_t calls = blocks(later.rows, words(g, g->kc) / LINE_WORDS) * later.pieces;
        int64_t a_row = blocks(k_end - k, g->kc) * blocks(x->n1 - x->n0, g->nr);
        for (int64_t m = x->m0; m < x->m1; m += g->mr) {
            bool soon = blocks(x->m1 - m, g->mr) * a_row <= 2 * calls + a_row;
            multiply_rows(x, m, k, k_end, soon ? &later : &none);
            if (k_end == g->k && !j->sums) finish_rows(x, m, least(g->mr, x->m1 - m));
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

// Neighbouring tasks share rows of A and take B in the order of memory.
static box box_of(const job *j, int64_t task, char *scratch) {
    const tct_gemm_args *g = j->g;
    int64_t rows = blocks(g->m, j->mc), columns = blocks(g->n, j->nc), run;
    int64_t row = task / columns % rows, column = task % columns;
    int64_t batch = task / (rows * columns), part = batch / g->batch; // one of the two is always 0
    batch %= g->batch;
    return (box){.job = j,
                 .batch = batch,
                 .part = part,
                 .k0 = part * g->ks,
                 .k1 = least((part + 1) * g->ks, g->k),
                 .m0 = row * j->mc,
                 .m1 = least((row + 1) * j->mc, g->m),
                 .n0 = column * j->nc,
                 .n1 = least((column + 1) * j->nc, g->n),
                 .a = side_a(j, batch),
                 .b = side_b(j, batch),
                 .c = (char *)j->bufs[0] + tct_gemm_locate(&g->batch_c, batch, &run) * WORD,
                 .packed_b = g->b_kept ? j->bufs[g->b_kept] : scratch,
                 .packed_a = scratch + packed_b_bytes(g),
                 .tile = scratch + packed_b_bytes(g) + packed_a_bytes(g),
                 .epilogue_scratch = scratch + tct_gemm_bf16_scratch(g)};
}

static int64_t n_boxes(const job *j) {
    const tct_gemm_args *g = j->g;
    return g->batch * parts(g) * blocks(g->m, j->mc) * blocks(g->n, j->nc);
}

static void run_boxes(void *ctx, int64_t begin, int64_t end, int thread) {
    const job *j = ctx;
    int64_t own_end = tct_pool_part_end(j->pool, n_boxes(j), thread);
    if (j->enter) j->enter();
    for (int64_t t = begin; t < end; t++) {
        char *scratch = tct_pool_scratch(j->pool, thread);
        box x = box_of(j, t, scratch), after;
        if (t + 1 < own_end) after = box_of(j, t + 1, scratch);
        if (j->g->k == 0)
            run_empty_box(&x);
        else
            run_box(&x, t + 1 < own_end ? &after : NULL);
    }
    if (j->leave) j->leave();
}

// Adds the other parts' sums to C's rows of a task, in the order of k.
static void add_parts(void *ctx, int64_t begin, int64_t end, int thread) {
    const job *j = ctx;
    const tct_gemm_args *g = j->g;
    int64_t stride = tct_gemm_stride(&g->c_n), run;
    for (int64_t t = begin; t < end; t++) {
        box x = box_of(j, 0, tct_pool_scratch(j->pool, thread));
        int64_t m = t * g->mr, rows = least(g->mr, g->m - m);
        for (int64_t i = m; i < m + rows; i++) {
            float *row = (float *)x.c + tct_gemm_locate(&g->c_m, i, &run);
            for (int64_t n = 0; n < g->n; n += run) {
                float *to = row + tct_gemm_locate(&g->c_n, n, &run);
                run = least(run, g->n - n);
                for (int64_t part = 1; part < parts(g); part++) {
                    const float *from = j->sums + (part - 1) * sums_part(g) + i * sums_row(g) + n;
                    for (int64_t e = 0; e < run; e++) to[e * stride] += from[e];
                }
            }
        }
        for (x.n0 = 0; x.n0 < g->n; x.n0 = x.n1) {
            x.n1 = least(x.n0 + j->nc, g->n);
            finish_rows(&x, m, rows);
        }
    }
}

// Boxes of which every thread has as many, if that is worth the packing: a box packs (rows + columns) × k
// elements for rows × columns × k products of them.
static void cut_boxes(const tct_pool *pool, const tct_gemm_args *g, int64_t *mc, int64_t *nc) {
    enum { ENOUGH = 4, FEWEST = 64 }; // boxes of a thread; rows or columns of one
    int64_t threads = tct_pool_threads(pool), first_row = blocks(g->m, g->mc),
            first_column = blocks(g->n, g->nc);
    *mc = g->mc, *nc = g->nc;
    int64_t times = g->batch * parts(g);
    if (threads == 1 || times * first_row * first_column >= ENOUGH * threads) return;
    // What packing an element costs, in products: one and a half cycles of A, whose runs are short, half as
    // much of B. Tiles take a cycle for 512 products of one piece.
    double products = g->pieces_a * g->pieces_b > 6 ? 6 : (double)(g->pieces_a * g->pieces_b);
    double a = has_tiles(g) ? 720 / products : 48, b = 0.57 * a, best = 0;
    int64_t last_row = g->b_kept ? first_row : blocks(g->m, FEWEST);
    for (int64_t i = first_row; i <= last_row; i++) {
        for (int64_t l = first_column; l <= blocks(g->n, FEWEST); l++) {
            int64_t rows = rounded(blocks(g->m, i), g->mr), columns = rounded(blocks(g->n, l), g->nr);
            int64_t tasks = times * blocks(g->m, rows) * blocks(g->n, columns);
            double each = (double)(rows * columns) + a * (double)rows + b * (double)columns;
            double cost = (double)blocks(tasks, threads) * each;
            if (best > 0 && cost >= best) continue;
            best = cost;
            *mc = rows;
            *nc = columns;
            if (tasks >= ENOUGH * threads) break;
        }
        if (times * i >= ENOUGH * threads) break;
    }
}

void tct_gemm_bf16_run(tct_pool *pool, const tct_gemm_args *g, const tct_plan_kernel *kernels,
                       void *const *bufs, const int64_t *tile_args) {
    job j = {.g = g, .kernels = kernels, .bufs = bufs, .tile_args = tile_args, .pool = pool};
    cut_boxes(pool, g, &j.mc, &j.nc);
    j.micro = (tct_gemm_micro_fn)kernel(&j, TCT_GEMM_FULL);
    j.tile = (tct_tile_fn)kernel(&j, TCT_GEMM_TILE);
    j.enter = (tct_gemm_mode_fn)kernel(&j, TCT_GEMM_ENTER);
    j.leave = (tct_gemm_mode_fn)kernel(&j, TCT_GEMM_LEAVE);
    if (parts(g) > 1) j.sums = tct_pool_shared(pool, tct_gemm_bf16_shared(g));
    tct_pool_run_near(pool, n_boxes(&j), run_boxes, &j);
    if (j.sums) tct_pool_run(pool, blocks(g->m, g->mr), add_parts, &j);
}
