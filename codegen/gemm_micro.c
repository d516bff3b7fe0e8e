// The micro-kernel: a tile of C in registers, one broadcast of A and a few vectors of B a step of k.
#include "codegen/gemm_kernels.h"

#include <assert.h>

enum {
    UNROLL = 4,      // steps of k a turn of the loop
    MAX_TILE = 32,   // vectors of C
    ROWS_A_BASE = 3, // rows that share a pointer: 0, 1 and 2 strides are what an address can add
    MAX_BASES = MAX_TILE / ROWS_A_BASE + 1,
    FETCH_AHEAD = 24, // steps of k, for B from memory
    SPARE = 4,        // registers
    CODE_LINE = 64,   // what is decoded together: loops that begin there run 3 % faster
};

enum { P_K, P_A, P_AS, P_B, P_BS, P_C, P_LDC, P_N, P_ACCUMULATE, P_NEXT, P_NEXT_STRIDE };

typedef struct micro {
    gemm_code g;
    const gemm_kernel *k;
    LLVMValueRef as, bs, mask, zero;
    bool fetches_a; // which lies in place, each step of k in another line
} micro;

// What a turn of the loop carries.
typedef struct state {
    LLVMValueRef sum[MAX_TILE], a[MAX_BASES], b, next, left;
} state;

static unsigned n_bases(const micro *m) {
    return m->k->by_row ? (m->k->rows + ROWS_A_BASE - 1) / ROWS_A_BASE : 1;
}

static LLVMValueRef param(const micro *m, unsigned i) { return LLVMGetParam(m->g.function, i); }

static LLVMValueRef address_of_a(const micro *m, const state *s, unsigned row, unsigned step) {
    const gemm_code *g = &m->g;
    LLVMValueRef base = s->a[m->k->by_row ? row / ROWS_A_BASE : 0];
    unsigned strides = m->k->by_row ? row % ROWS_A_BASE : step, ones = m->k->by_row ? step : row;
    LLVMValueRef at = strides ? gemm_at(g, base, gemm_scaled(g, m->as, strides)) : base;
    return ones ? gemm_at(g, at, gemm_index(g, ones)) : at;
}

// Vector j of a row of B or C that starts at `row`; the last one of an edge is masked.
static LLVMValueRef load_vector(const micro *m, LLVMValueRef row, unsigned j) {
    const gemm_code *g = &m->g;
    LLVMValueRef at = gemm_at(g, row, gemm_index(g, (int64_t)j * g->lanes));
    if (m->k->edge && j == m->k->columns - 1)
        return tct_llvm_masked_load(g->b, g->vector, at, g->bytes, m->mask, m->zero);
    return tct_llvm_load(g->b, g->vector, at, g->bytes);
}

static void store_vector(const micro *m, LLVMValueRef row, unsigned j, LLVMValueRef x) {
    const gemm_code *g = &m->g;
    LLVMValueRef at = gemm_at(g, row, gemm_index(g, (int64_t)j * g->lanes));
    if (m->k->edge && j == m->k->columns - 1)
        tct_llvm_masked_store(g->b, x, at, g->bytes, m->mask);
    else
        tct_llvm_store(g->b, x, at, g->bytes);
}

static void one_step(const micro *m, state *s, unsigned step) {
    const gemm_code *g = &m->g;
    tct_llvm_barrier(g->b); // Vectors that are loaded before their step take registers away from the sums.
    unsigned rows = m->k->rows, columns = m->k->columns;
    if (m->fetches_a) {
        LLVMValueRef last = address_of_a(m, s, rows - 1, step);
        gemm_fetch(g, gemm_at(g, last, gemm_scaled(g, m->as, FETCH_AHEAD)), false, GEMM_INTO_L1);
    }
    LLVMValueRef row = step ? gemm_at(g, s->b, gemm_scaled(g, m->bs, step)) : s->b, b[MAX_TILE];
    for (unsigned j = 0; j < columns; j++) b[j] = load_vector(m, row, j);
    if (m->k->far) {
        LLVMValueRef ahead = gemm_at(g, row, gemm_scaled(g, m->bs, FETCH_AHEAD));
        for (unsigned j = 0; j < columns; j++)
            gemm_fetch(g, gemm_at(g, ahead, gemm_index(g, (int64_t)j * g->lanes)), false, GEMM_INTO_L1);
    }
    for (unsigned i = 0; i < rows; i++) {
        LLVMValueRef a = gemm_load_splat(g, address_of_a(m, s, i, step));
        for (unsigned j = 0; j < columns; j++) {
            LLVMValueRef *sum = &s->sum[i * columns + j];
            *sum = gemm_fma(g, a, b[j], *sum);
        }
    }
}

static void each_value(const micro *m, state *s, LLVMValueRef **out, unsigned *n) {
    *n = 0;
    for (unsigned i = 0; i < m->k->rows * m->k->columns; i++) out[(*n)++] = &s->sum[i];
    for (unsigned i = 0; i < n_bases(m); i++) out[(*n)++] = &s->a[i];
    out[(*n)++] = &s->b;
    out[(*n)++] = &s->next;
    out[(*n)++] = &s->left;
}

// while (left >= steps) { `steps` steps }; leaves the builder after the loop.
static void loop(const micro *m, state *s, unsigned steps) {
    const gemm_code *g = &m->g;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), head = gemm_block(g), body = gemm_block(g),
                      after = gemm_block(g);
    LLVMBuildBr(g->b, head);
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMValueRef *values[MAX_TILE + MAX_BASES + 3], phi[MAX_TILE + MAX_BASES + 3];
    unsigned n;
    each_value(m, s, values, &n);
    for (unsigned i = 0; i < n; i++) {
        phi[i] = LLVMBuildPhi(g->b, LLVMTypeOf(*values[i]), "");
        LLVMAddIncoming(phi[i], values[i], &before, 1);
        *values[i] = phi[i];
    }
    state out = *s;
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSGE, s->left, gemm_index(g, steps), ""), body, after);
    LLVMPositionBuilderAtEnd(g->b, body);
    for (unsigned step = 0; step < steps; step++) one_step(m, s, step);
    LLVMValueRef forward = m->k->by_row ? gemm_index(g, steps) : gemm_scaled(g, m->as, steps);
    for (unsigned i = 0; i < n_bases(m); i++) s->a[i] = gemm_at(g, s->a[i], forward);
    s->b = gemm_at(g, s->b, gemm_scaled(g, m->bs, steps));
    if (steps == UNROLL) {
        gemm_fetch(g, s->next, false, GEMM_INTO_L2);
        s->next = gemm_at(g, s->next, param(m, P_NEXT_STRIDE));
    }
    s->left = LLVMBuildSub(g->b, s->left, gemm_index(g, steps), "");
    for (unsigned i = 0; i < n; i++) LLVMAddIncoming(phi[i], values[i], &body, 1);
    tct_llvm_align_loop(LLVMBuildBr(g->b, head), CODE_LINE);
    LLVMPositionBuilderAtEnd(g->b, after);
    *s = out;
}

static void store_tile(const micro *m, const state *s, bool accumulate) {
    const gemm_code *g = &m->g;
    for (unsigned i = 0; i < m->k->rows; i++) {
        LLVMValueRef row = gemm_at(g, param(m, P_C), gemm_scaled(g, param(m, P_LDC), i));
        for (unsigned j = 0; j < m->k->columns; j++) {
            LLVMValueRef x = s->sum[i * m->k->columns + j];
            if (accumulate) x = LLVMBuildFAdd(g->b, load_vector(m, row, j), x, "");
            store_vector(m, row, j, x);
        }
    }
}

void gemm_emit_micro(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                     const tct_target *target) {
    assert(k->rows * k->columns <= MAX_TILE);
    bool pairs = k->dtype == TCT_BF16; // as words, two steps of k in each
    micro m = {.g = gemm_begin(module, target, pairs ? TCT_F32 : k->dtype, symbol, "ipipipiiipi"), .k = k};
    gemm_code *g = &m.g;
    g->pairs = pairs;
    m.as = k->panel_a ? gemm_index(g, k->panel_a) : param(&m, P_AS);
    m.bs = k->panel_b ? gemm_index(g, (int64_t)k->panel_b * g->lanes) : param(&m, P_BS);
    m.zero = LLVMConstNull(g->vector);
    // With more registers in use, LLVM spills.
    m.fetches_a = !k->by_row && !k->panel_a && (k->rows + 1) * k->columns + SPARE <= target->n_registers;
    if (k->edge) {
        LLVMValueRef whole = gemm_index(g, (int64_t)(k->columns - 1) * g->lanes);
        m.mask = tct_llvm_prefix_mask(g->b, LLVMBuildSub(g->b, param(&m, P_N), whole, ""), g->lanes);
    }
    for (unsigned i = 0; i < k->rows; i++) {
        LLVMValueRef row = gemm_at(g, param(&m, P_C), gemm_scaled(g, param(&m, P_LDC), i));
        for (unsigned j = 0; j < k->columns; j++)
            gemm_fetch(g, gemm_at(g, row, gemm_index(g, (int64_t)j * g->lanes)), true, GEMM_INTO_L1);
    }
    state s = {.b = param(&m, P_B), .next = param(&m, P_NEXT), .left = param(&m, P_K)};
    for (unsigned i = 0; i < k->rows * k->columns; i++) s.sum[i] = m.zero;
    for (unsigned i = 0; i < n_bases(&m); i++)
        s.a[i] = i ? gemm_at(g, param(&m, P_A), gemm_scaled(g, m.as, i * ROWS_A_BASE)) : param(&m, P_A);
    loop(&m, &s, UNROLL);
    loop(&m, &s, 1);

    LLVMBasicBlockRef add = gemm_block(g), overwrite = gemm_block(g), done = gemm_block(g);
    LLVMValueRef accumulate = LLVMBuildICmp(g->b, LLVMIntNE, param(&m, P_ACCUMULATE), gemm_index(g, 0), "");
    LLVMBuildCondBr(g->b, accumulate, add, overwrite);
    LLVMPositionBuilderAtEnd(g->b, add);
    store_tile(&m, &s, true);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, overwrite);
    store_tile(&m, &s, false);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    gemm_end(g);
}
