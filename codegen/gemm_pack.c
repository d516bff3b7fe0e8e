// Packing kernels: a panel of A or B, rewritten so that each step of k is one contiguous row. Where k is
// contiguous, blocks of as many rows as steps are turned in registers.
#include "codegen/gemm_kernels.h"

#include <assert.h>

enum { MAX_LANES = GEMM_MAX_TURNED, STEPS = 4 }; // of k, copied at once
enum { P_OUT, P_IN, P_STRIDE, P_W, P_K };

typedef struct pack {
    gemm_code g;
    const tct_target *target;
    unsigned rows;  // that are turned together
    unsigned panel; // elements of a step in the panel
} pack;

static LLVMValueRef param(const pack *p, unsigned i) { return LLVMGetParam(p->g.function, i); }

// Lanes [from, from + n) of x.
static LLVMValueRef part(const gemm_code *g, LLVMValueRef x, unsigned from, unsigned n) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef lane[MAX_LANES];
    for (unsigned i = 0; i < n; i++) lane[i] = LLVMConstInt(i32, from + i, 0);
    return LLVMBuildShuffleVector(g->b, x, LLVMGetPoison(LLVMTypeOf(x)), LLVMConstVector(lane, n), "");
}

// A counting loop, open between its begin and end; up to three pointers advance with it.
typedef struct counted {
    LLVMBasicBlockRef head, after;
    LLVMValueRef at, phi[3], step[3];
    unsigned n;
    int64_t by;
} counted;

// for (at = 0; at + by <= end; at += by), pointer[i] advancing by step[i] elements a turn.
static counted begin_loop(const gemm_code *g, LLVMValueRef end, int64_t by, LLVMValueRef *pointer,
                          LLVMValueRef *step, unsigned n) {
    counted l = {.head = gemm_block(g), .after = NULL, .n = n, .by = by};
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b), body = gemm_block(g);
    l.after = gemm_block(g);
    LLVMBuildBr(g->b, l.head);
    LLVMPositionBuilderAtEnd(g->b, l.head);
    l.at = LLVMBuildPhi(g->b, g->i64, "");
    LLVMAddIncoming(l.at, (LLVMValueRef[]){gemm_index(g, 0)}, &before, 1);
    for (unsigned i = 0; i < n; i++) {
        l.phi[i] = LLVMBuildPhi(g->b, LLVMTypeOf(pointer[i]), "");
        LLVMAddIncoming(l.phi[i], &pointer[i], &before, 1);
        l.step[i] = step[i];
    }
    LLVMValueRef next = LLVMBuildAdd(g->b, l.at, gemm_index(g, by), "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLE, next, end, ""), body, l.after);
    LLVMPositionBuilderAtEnd(g->b, body);
    return l;
}

// Leaves the builder after the loop, where `at` and `phi` have their last values.
static void end_loop(const gemm_code *g, const counted *l) {
    LLVMBasicBlockRef from = LLVMGetInsertBlock(g->b);
    LLVMValueRef next = LLVMBuildAdd(g->b, l->at, gemm_index(g, l->by), "");
    LLVMAddIncoming(l->at, &next, &from, 1);
    for (unsigned i = 0; i < l->n; i++) {
        LLVMValueRef moved = gemm_at(g, l->phi[i], l->step[i]);
        LLVMAddIncoming(l->phi[i], &moved, &from, 1);
    }
    LLVMBuildBr(g->b, l->head);
    LLVMPositionBuilderAtEnd(g->b, l->after);
}

// `steps` of k of a whole panel.
static void copy_steps(const pack *p, LLVMValueRef in, LLVMValueRef out, unsigned steps) {
    const gemm_code *g = &p->g;
    unsigned whole = p->panel / g->lanes, rest = p->panel % g->lanes;
    LLVMValueRef mask = tct_llvm_prefix_mask(g->b, gemm_index(g, rest), g->lanes);
    for (unsigned step = 0; step < steps; step++) {
        LLVMValueRef row = gemm_at(g, in, gemm_scaled(g, param(p, P_STRIDE), step));
        for (unsigned i = 0; i < whole + (rest > 0); i++) {
            LLVMValueRef from = gemm_at(g, row, gemm_index(g, (int64_t)i * g->lanes));
            LLVMValueRef to =
                gemm_at(g, out, gemm_index(g, (int64_t)step * p->panel + (int64_t)i * g->lanes));
            if (i < whole)
                tct_llvm_store(g->b, tct_llvm_load(g->b, g->vector, from, g->bytes), to, g->bytes);
            else
                tct_llvm_masked_store(
                    g->b,
                    tct_llvm_masked_load(g->b, g->vector, from, g->bytes, mask, LLVMConstNull(g->vector)), to,
                    g->bytes, mask);
        }
    }
}

// All steps of k, `at_once` at a time; the pointers move on behind them, the rest is returned.
static LLVMValueRef copy_panel(const pack *p, LLVMValueRef pointer[2], LLVMValueRef k, unsigned at_once) {
    const gemm_code *g = &p->g;
    LLVMValueRef step[] = {gemm_scaled(g, param(p, P_STRIDE), at_once),
                           gemm_index(g, (int64_t)at_once * p->panel)};
    counted l = begin_loop(g, k, at_once, pointer, step, 2);
    copy_steps(p, l.phi[0], l.phi[1], at_once);
    end_loop(g, &l);
    pointer[0] = l.phi[0];
    pointer[1] = l.phi[1];
    return LLVMBuildSub(g->b, k, l.at, "");
}

// A panel at the matrix's edge: whole vectors of the panel's axis, then what is left of it under a mask.
static void copy_edge(const pack *p) {
    const gemm_code *g = &p->g;
    LLVMValueRef w = param(p, P_W);
    LLVMValueRef rest = LLVMBuildSRem(g->b, w, gemm_index(g, g->lanes), "");
    LLVMValueRef mask = tct_llvm_prefix_mask(g->b, rest, g->lanes);
    LLVMValueRef some = LLVMBuildICmp(g->b, LLVMIntNE, rest, gemm_index(g, 0), "");
    LLVMValueRef pointer[] = {param(p, P_IN), param(p, P_OUT)},
                 step[] = {param(p, P_STRIDE), gemm_index(g, p->panel)};
    counted k = begin_loop(g, param(p, P_K), 1, pointer, step, 2);
    LLVMValueRef lanes[] = {gemm_index(g, g->lanes), gemm_index(g, g->lanes)};
    counted i = begin_loop(g, w, g->lanes, k.phi, lanes, 2);
    tct_llvm_store(g->b, tct_llvm_load(g->b, g->vector, i.phi[0], g->bytes), i.phi[1], g->bytes);
    end_loop(g, &i);
    LLVMBasicBlockRef tail = gemm_block(g), next = gemm_block(g);
    LLVMBuildCondBr(g->b, some, tail, next);
    LLVMPositionBuilderAtEnd(g->b, tail);
    LLVMValueRef x =
        tct_llvm_masked_load(g->b, g->vector, i.phi[0], g->bytes, mask, LLVMConstNull(g->vector));
    tct_llvm_masked_store(g->b, x, i.phi[1], g->bytes, mask);
    LLVMBuildBr(g->b, next);
    LLVMPositionBuilderAtEnd(g->b, next);
    end_loop(g, &k);
}

static void emit_copy(const pack *p) {
    const gemm_code *g = &p->g;
    LLVMBasicBlockRef whole = gemm_block(g), edge = gemm_block(g), done = gemm_block(g);
    LLVMValueRef is_whole = LLVMBuildICmp(g->b, LLVMIntEQ, param(p, P_W), gemm_index(g, p->panel), "");
    LLVMBuildCondBr(g->b, is_whole, whole, edge);
    LLVMPositionBuilderAtEnd(g->b, whole);
    LLVMValueRef pointer[] = {param(p, P_IN), param(p, P_OUT)};
    LLVMValueRef left = copy_panel(p, pointer, param(p, P_K), STEPS);
    copy_panel(p, pointer, left, 1);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, edge);
    copy_edge(p);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

// `lanes` steps of k of `rows` rows from `first` on, to out. When `limited`, rows from the panel's end on
// read its last one again and are not written.
// some: so many steps of k, less than a vector; NULL: a vector of them.
static void turn_rows(const pack *p, LLVMValueRef in, LLVMValueRef out, LLVMValueRef first, bool limited,
                      LLVMValueRef some) {
    const gemm_code *g = &p->g;
    unsigned padded = 1;
    while (padded < p->rows) padded *= 2;
    LLVMValueRef x[MAX_LANES], loaded = some ? tct_llvm_prefix_mask(g->b, some, g->lanes) : NULL;
    for (unsigned i = 0; i < padded; i++) {
        if (i >= p->rows) {
            x[i] = x[p->rows - 1];
            continue;
        }
        LLVMValueRef row = LLVMBuildAdd(g->b, first, gemm_index(g, i), "");
        LLVMValueRef bounds[] = {row, LLVMBuildSub(g->b, param(p, P_W), gemm_index(g, 1), "")};
        LLVMTypeRef i64 = g->i64;
        if (limited) row = tct_llvm_intrinsic(g->b, "llvm.smin", &i64, 1, bounds, 2);
        row = LLVMBuildMul(g->b, row, param(p, P_STRIDE), "");
        LLVMValueRef from = gemm_at(g, in, row);
        x[i] = some ? tct_llvm_masked_load(g->b, g->vector, from, g->bytes, loaded, LLVMConstNull(g->vector))
                    : tct_llvm_load(g->b, g->vector, from, g->bytes);
    }
    gemm_turn(g, x, padded); // element (step, row) is at step · padded + row
    unsigned steps_a_vector = g->lanes / padded;
    LLVMValueRef left = limited ? LLVMBuildSub(g->b, param(p, P_W), first, "") : gemm_index(g, p->rows);
    LLVMValueRef mask = tct_llvm_prefix_mask(g->b, left, padded);
    bool masked = limited || (p->rows < padded && p->target->has_masks);
    LLVMBasicBlockRef done = some ? gemm_block(g) : NULL;
    for (unsigned step = 0; step < g->lanes - (some != NULL); step++) {
        if (some) {
            LLVMBasicBlockRef store = gemm_block(g);
            LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSGT, some, gemm_index(g, step), ""), store,
                            done);
            LLVMPositionBuilderAtEnd(g->b, store);
        }
        LLVMValueRef at = gemm_at(g, gemm_at(g, out, gemm_index(g, (int64_t)step * p->panel)), first);
        LLVMValueRef v = x[step / steps_a_vector];
        if (steps_a_vector > 1) v = part(g, v, step % steps_a_vector * padded, padded);
        if (masked)
            tct_llvm_masked_store(g->b, v, at, g->bytes, mask);
        else
            tct_llvm_store(g->b, p->rows < padded ? part(g, v, 0, p->rows) : v, at, g->bytes);
    }
    if (!some) return;
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static void turn_group(const pack *p, LLVMValueRef first, bool limited) {
    const gemm_code *g = &p->g;
    LLVMValueRef lanes = gemm_index(g, g->lanes), pointer[] = {param(p, P_IN), param(p, P_OUT)};
    LLVMValueRef step[] = {lanes, gemm_index(g, (int64_t)g->lanes * p->panel)};
    counted k = begin_loop(g, param(p, P_K), g->lanes, pointer, step, 2);
    turn_rows(p, k.phi[0], k.phi[1], first, limited, NULL);
    end_loop(g, &k);
    LLVMBasicBlockRef rest = gemm_block(g), done = gemm_block(g);
    LLVMValueRef some = LLVMBuildSub(g->b, param(p, P_K), k.at, "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSGT, some, gemm_index(g, 0), ""), rest, done);
    LLVMPositionBuilderAtEnd(g->b, rest);
    turn_rows(p, k.phi[0], k.phi[1], first, limited, some);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

// Groups of rows one after the other, each along all of k.
static void emit_turn(const pack *p) {
    const gemm_code *g = &p->g;
    counted group = begin_loop(g, param(p, P_W), p->rows, NULL, NULL, 0);
    turn_group(p, group.at, false);
    end_loop(g, &group);
    LLVMBasicBlockRef rest = gemm_block(g), done = gemm_block(g);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, group.at, param(p, P_W), ""), rest, done);
    LLVMPositionBuilderAtEnd(g->b, rest);
    turn_group(p, group.at, true);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

void gemm_emit_pack(const gemm_kernel *k, const char *symbol, LLVMModuleRef module,
                    const tct_target *target) {
    pack p = {.g = gemm_begin(module, target, k->dtype, symbol, "ppiii"),
              .target = target,
              .rows = k->rows,
              .panel = k->columns};
    assert(p.g.lanes <= MAX_LANES && p.rows <= p.g.lanes);
    if (k->kind == GEMM_TURN)
        emit_turn(&p);
    else
        emit_copy(&p);
    gemm_end(&p.g);
}
