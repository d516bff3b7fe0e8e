// The loops of a kernel: items, passes, lanes and their remainders.
#include "codegen/loop_emit.h"

#include <assert.h>

// What a loop over lanes calls for `e->width` vectors from the lane counter on, with `level` open.
typedef void (*piece_fn)(tct_loop_emitter *e, int level);

// Accumulators of the reductions that end with the current pass.
enum { MAX_REDUCTIONS = 32 };
typedef struct accumulator {
    tct_lv value;
    LLVMValueRef best[TCT_LOOP_MAX_UNROLL]; // memory
    // Of argmax where it was; of the largest or smallest float a NaN, if there was one.
    LLVMValueRef place[TCT_LOOP_MAX_UNROLL];
} accumulator;

typedef struct pass_state {
    accumulator acc[MAX_REDUCTIONS];
    uint32_t n;
    unsigned lanes;
} pass_state;

static bool is_column(const tct_loop *l) { return l->lane_axis >= 0 && (uint32_t)l->lane_axis < l->n_kept; }

static LLVMBasicBlockRef new_block(tct_loop_emitter *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->c, e->fn, name);
}

static void open_level(tct_loop_emitter *e, int level, LLVMBasicBlockRef block) {
    e->block[level] = block;
    e->epoch[level] = ++e->epochs;
}

// A variable; promoted to a register later.
static LLVMValueRef new_variable(tct_loop_emitter *e, LLVMTypeRef t) {
    return LLVMBuildAlloca(e->start, t, "");
}

typedef struct loop {
    int parent, level;
    LLVMBasicBlockRef head, after;
    LLVMValueRef variable, counter;
    int64_t step;
} loop;

// Opens `level` as the body of: for (; variable + step <= end; variable += step), step 1: while (variable <
// end).
static loop begin_loop(tct_loop_emitter *e, int parent, int level, LLVMValueRef variable, LLVMValueRef end,
                       int64_t step) {
    loop p = {parent, level, new_block(e, "head"), new_block(e, "after"), variable, NULL, step};
    LLVMBasicBlockRef body = new_block(e, "body");
    tct_loop_at(e, parent);
    LLVMBuildBr(e->b, p.head);
    LLVMPositionBuilderAtEnd(e->b, p.head);
    p.counter = LLVMBuildLoad2(e->b, e->i64, variable, "");
    LLVMValueRef last = LLVMBuildAdd(e->b, p.counter, tct_loop_number(e, step), "");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLE, last, end, ""), body, p.after);
    open_level(e, level, body);
    return p;
}

static void end_loop(tct_loop_emitter *e, const loop *p) {
    tct_loop_at(e, p->level);
    LLVMBuildStore(e->b, LLVMBuildAdd(e->b, p->counter, tct_loop_number(e, p->step), ""), p->variable);
    LLVMBuildBr(e->b, p->head);
    e->block[p->parent] = p->after;
}

// Runs `piece` over [variable, end): several vectors at a time, then one, then what is left of one. `size` is
// end minus the start where that is known to the code, else 0.
static void over_lanes(tct_loop_emitter *e, int parent, int level, LLVMValueRef variable, LLVMValueRef end,
                       int64_t size, piece_fn piece) {
    const tct_loop *l = e->l;
    int64_t wide = TCT_LOOP_LANES * (int64_t)l->unroll, lanes = TCT_LOOP_LANES;
    if (!size || size >= wide) {
        loop p = begin_loop(e, parent, level, variable, end, wide);
        e->width = l->unroll;
        e->counter[l->lane_axis] = p.counter;
        piece(e, level);
        end_loop(e, &p);
    }
    if (l->unroll > 1 && (!size || size % wide >= lanes)) {
        loop p = begin_loop(e, parent, level, variable, end, lanes);
        e->width = 1;
        e->counter[l->lane_axis] = p.counter;
        piece(e, level);
        end_loop(e, &p);
    }
    if (size && size % lanes == 0) return;
    LLVMBasicBlockRef rest = new_block(e, "rest"), after = new_block(e, "after");
    tct_loop_at(e, parent);
    LLVMValueRef at = LLVMBuildLoad2(e->b, e->i64, variable, "");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, at, end, ""), rest, after);
    open_level(e, level, rest);
    LLVMPositionBuilderAtEnd(e->b, rest);
    e->width = 1;
    e->counter[l->lane_axis] = at;
    e->mask = tct_llvm_prefix_mask(e->b, LLVMBuildSub(e->b, end, at, ""), TCT_LOOP_LANES);
    piece(e, level);
    e->mask = NULL;
    tct_loop_at(e, level);
    LLVMBuildBr(e->b, after);
    e->block[parent] = after;
}

static LLVMValueRef variable_from(tct_loop_emitter *e, int level, LLVMTypeRef t, LLVMValueRef first) {
    LLVMValueRef v = new_variable(e, t);
    tct_loop_at(e, level);
    LLVMBuildStore(e->b, first, v);
    return v;
}

// --- Reductions ---

static pass_state *state_of(tct_loop_emitter *e) { return e->state; }

// A NaN is looked for beside the comparison, which each next one waits for.
static bool seeks_nan(tct_ir_op op, tct_dtype of) {
    return (op == TCT_IR_REDUCE_MAX || op == TCT_IR_REDUCE_MIN) && tct_dtype_is_float(of);
}

static LLVMValueRef the_nan_of(tct_loop_emitter *e, LLVMValueRef x, LLVMValueRef otherwise) {
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, ""), x, otherwise, "");
}

static void begin_accumulators(tct_loop_emitter *e, int parent, unsigned vectors) {
    const tct_loop *l = e->l;
    pass_state *s = state_of(e);
    s->n = 0;
    s->lanes = l->lane_axis >= 0 ? TCT_LOOP_LANES : 0;
    for (tct_lv v = 0; v < l->n_values; v++) {
        const tct_loop_value *x = &l->values[v];
        if (x->kind != TCT_LOOP_REDUCE || x->stage != e->pass + 1) continue;
        assert(s->n < MAX_REDUCTIONS);
        accumulator *a = &s->acc[s->n++];
        tct_span outer = tct_loop_place(e, x->span);
        tct_dtype from = (tct_dtype)l->values[x->in[0]].dtype;
        LLVMTypeRef t = tct_loop_register_type(e->c, from, s->lanes);
        LLVMTypeRef pt = tct_loop_register_type(e->c, TCT_I64, s->lanes);
        LLVMValueRef none = tct_loop_emit_neutral(e->c, (tct_ir_op)x->op, from, s->lanes);
        LLVMValueRef nowhere = tct_loop_emit_const(e->c, TCT_I64, s->lanes, 0, INT64_MAX);
        bool nan = seeks_nan((tct_ir_op)x->op, from);
        a->value = v;
        for (unsigned u = 0; u < vectors; u++) {
            a->best[u] = variable_from(e, parent, t, none);
            bool shared = nan && u > 0 && !is_column(l); // lanes are folded in the end
            a->place[u] = shared                   ? a->place[0]
                          : x->op == TCT_IR_ARGMAX ? variable_from(e, parent, pt, nowhere)
                          : nan                    ? variable_from(e, parent, t, LLVMConstNull(t))
                                                   : NULL;
        }
        tct_loop_place(e, outer);
    }
}

// Whether (x, at) goes before (best, place): larger, or as large and earlier; a NaN is larger than all
// numbers.
static LLVMValueRef goes_before(tct_loop_emitter *e, tct_dtype dtype, LLVMValueRef x, LLVMValueRef at,
                                LLVMValueRef best, LLVMValueRef place) {
    LLVMBuilderRef b = e->b;
    LLVMValueRef larger, same, earlier = LLVMBuildICmp(b, LLVMIntSLT, at, place, "");
    if (tct_dtype_is_float(dtype)) {
        LLVMValueRef x_nan = LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""),
                     best_nan = LLVMBuildFCmp(b, LLVMRealUNO, best, best, "");
        larger = LLVMBuildOr(b, LLVMBuildFCmp(b, LLVMRealOGT, x, best, ""),
                             LLVMBuildAnd(b, x_nan, LLVMBuildNot(b, best_nan, ""), ""), "");
        same = LLVMBuildOr(b, LLVMBuildFCmp(b, LLVMRealOEQ, x, best, ""),
                           LLVMBuildAnd(b, x_nan, best_nan, ""), "");
    } else {
        larger = LLVMBuildICmp(b, LLVMIntSGT, x, best, "");
        same = LLVMBuildICmp(b, LLVMIntEQ, x, best, "");
    }
    return LLVMBuildOr(b, larger, LLVMBuildAnd(b, same, earlier, ""), "");
}

static LLVMValueRef vector_of(tct_loop_emitter *e, LLVMValueRef x, unsigned lanes) {
    bool is_vector = LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind;
    return lanes && !is_vector ? tct_llvm_splat(e->b, x, lanes) : x;
}

static void accumulate(tct_loop_emitter *e, const accumulator *a, int level) {
    const tct_loop *l = e->l;
    const tct_loop_value *r = &l->values[a->value], *of = &l->values[r->in[0]];
    tct_dtype dtype = (tct_dtype)of->dtype;
    unsigned lanes = state_of(e)->lanes;
    // In a row kernel lanes that don't exist must not count; in a column kernel they are nobody's result.
    LLVMValueRef mask = is_column(l) ? NULL : e->mask;
    LLVMValueRef *x = tct_loop_get(e, r->in[0]),
                 *at = r->op == TCT_IR_ARGMAX ? tct_loop_get(e, r->in[1]) : NULL;
    bool x_lanes = tct_loop_has_lanes(e, of->axes);
    bool at_lanes = at && tct_loop_has_lanes(e, l->values[r->in[1]].axes);
    tct_loop_at(e, level);
    for (unsigned u = 0; u < (lanes ? e->width : 1); u++) {
        LLVMValueRef now = vector_of(e, x[x_lanes ? u : 0], lanes);
        LLVMValueRef old = LLVMBuildLoad2(e->b, LLVMTypeOf(now), a->best[u], "");
        if (at) {
            LLVMValueRef place = vector_of(e, at[at_lanes ? u : 0], lanes);
            LLVMValueRef old_place = LLVMBuildLoad2(e->b, LLVMTypeOf(place), a->place[u], "");
            LLVMValueRef take = goes_before(e, dtype, now, place, old, old_place);
            if (mask) take = LLVMBuildAnd(e->b, take, mask, "");
            LLVMBuildStore(e->b, LLVMBuildSelect(e->b, take, now, old, ""), a->best[u]);
            LLVMBuildStore(e->b, LLVMBuildSelect(e->b, take, place, old_place, ""), a->place[u]);
            continue;
        }
        LLVMValueRef sum = tct_loop_emit_combine(e->b, (tct_ir_op)r->op, dtype, old, now);
        if (mask) sum = LLVMBuildSelect(e->b, mask, sum, old, "");
        LLVMBuildStore(e->b, sum, a->best[u]);
        if (!a->place[u]) continue;
        LLVMValueRef none = LLVMBuildLoad2(e->b, LLVMTypeOf(now), a->place[u], ""),
                     nan = the_nan_of(e, now, none);
        if (mask) nan = LLVMBuildSelect(e->b, mask, nan, none, "");
        LLVMBuildStore(e->b, nan, a->place[u]);
    }
}

static LLVMValueRef upper_half(tct_loop_emitter *e, LLVMValueRef x, unsigned half) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->c);
    LLVMValueRef pick[TCT_LOOP_LANES];
    for (unsigned k = 0; k < TCT_LOOP_LANES; k++) pick[k] = LLVMConstInt(i32, k < half ? k + half : k, 0);
    return LLVMBuildShuffleVector(e->b, x, LLVMGetPoison(LLVMTypeOf(x)),
                                  LLVMConstVector(pick, TCT_LOOP_LANES), "");
}

// One of two partial results, in *best and *place.
static void fold(tct_loop_emitter *e, tct_ir_op op, tct_dtype dtype, LLVMValueRef *best, LLVMValueRef *place,
                 LLVMValueRef other, LLVMValueRef other_place) {
    if (op != TCT_IR_ARGMAX) {
        *best = tct_loop_emit_combine(e->b, op, dtype, *best, other);
        if (*place) *place = the_nan_of(e, other_place, *place);
        return;
    }
    LLVMValueRef take = goes_before(e, dtype, other, other_place, *best, *place);
    *best = LLVMBuildSelect(e->b, take, other, *best, "");
    *place = LLVMBuildSelect(e->b, take, other_place, *place, "");
}

// The results of a pass, known from here on at `level`. The order of every sum follows from the shape.
static void end_accumulators(tct_loop_emitter *e, int level, unsigned vectors) {
    const tct_loop *l = e->l;
    pass_state *s = state_of(e);
    tct_loop_at(e, level);
    for (uint32_t k = 0; k < s->n; k++) {
        const accumulator *a = &s->acc[k];
        const tct_loop_value *r = &l->values[a->value];
        tct_ir_op op = (tct_ir_op)r->op;
        tct_dtype from = (tct_dtype)l->values[r->in[0]].dtype;
        LLVMTypeRef t = tct_loop_register_type(e->c, from, s->lanes),
                    pt = tct_loop_register_type(e->c, TCT_I64, s->lanes);
        LLVMValueRef best[TCT_LOOP_MAX_UNROLL], place[TCT_LOOP_MAX_UNROLL] = {0};
        tct_span outer = tct_loop_place(e, r->span);
        for (unsigned u = 0; u < vectors; u++) {
            best[u] = LLVMBuildLoad2(e->b, t, a->best[u], "");
            if (a->place[u]) place[u] = LLVMBuildLoad2(e->b, op == TCT_IR_ARGMAX ? pt : t, a->place[u], "");
        }
        unsigned lanes = s->lanes, results = vectors;
        if (!is_column(l)) {
            for (unsigned n = vectors; n > 1; n /= 2)
                for (unsigned u = 0; u < n / 2; u++)
                    fold(e, op, from, &best[u], &place[u], best[u + n / 2], place[u + n / 2]);
            for (unsigned half = lanes / 2; half; half /= 2)
                fold(e, op, from, &best[0], &place[0], upper_half(e, best[0], half),
                     place[0] ? upper_half(e, place[0], half) : NULL);
            LLVMValueRef zero = LLVMConstNull(LLVMInt32TypeInContext(e->c));
            if (lanes) best[0] = LLVMBuildExtractElement(e->b, best[0], zero, "");
            if (lanes && place[0]) place[0] = LLVMBuildExtractElement(e->b, place[0], zero, "");
            lanes = 0;
            results = 1;
        }
        for (unsigned u = 0; u < results; u++) {
            if (seeks_nan(op, from)) best[u] = the_nan_of(e, place[u], best[u]);
            if (op == TCT_IR_ARGMAX)
                best[u] = LLVMBuildTrunc(e->b, place[u], tct_loop_register_type(e->c, TCT_I32, lanes), "");
            else if (from == TCT_BF16) // accumulated in f32
                best[u] = tct_loop_emit_op(e->b, TCT_IR_CAST, TCT_F32, TCT_BF16, lanes, &best[u]);
        }
        tct_loop_bind(e, a->value, level, best, results);
        tct_loop_place(e, outer);
    }
}

// --- Passes ---

// Stores that belong here: those at every point of the pass at hand, or those of a whole item. All values are
// there before the first is stored: a result may lie where an operand was.
static void emit_stores(tct_loop_emitter *e, int level, bool points) {
    const tct_loop *l = e->l;
    for (int storing = 0; storing < 2; storing++) {
        for (uint32_t k = 0; k < l->n_stores; k++) {
            const tct_loop_store *s = &l->stores[k];
            if ((s->axes >> l->n_kept != 0) != points || (points && s->stage != e->pass)) continue;
            if (storing)
                tct_loop_emit_store(e, s, level);
            else
                tct_loop_get(e, s->value);
        }
    }
}

static void emit_point(tct_loop_emitter *e, int level) {
    pass_state *s = state_of(e);
    for (uint32_t k = 0; k < s->n; k++) {
        tct_span outer = tct_loop_place(e, e->l->values[s->acc[k].value].span);
        accumulate(e, &s->acc[k], level);
        tct_loop_place(e, outer);
    }
    emit_stores(e, level, true);
}

static void emit_pass(tct_loop_emitter *e, int parent) {
    const tct_loop *l = e->l;
    bool column = is_column(l), rows = l->lane_axis >= 0 && !column;
    unsigned vectors = column ? e->width : rows ? l->unroll : 1;
    begin_accumulators(e, parent, vectors);
    loop open[TCT_LOOP_MAX_AXES];
    uint32_t n = 0, last = rows ? l->n_axes - 1 : l->n_axes;
    int outer = parent;
    for (uint32_t a = l->n_kept; a < last; a++) {
        int level = LEVEL_REDUCED + (int)(a - l->n_kept);
        LLVMValueRef variable = variable_from(e, outer, e->i64, tct_loop_number(e, 0));
        open[n] = begin_loop(e, outer, level, variable, tct_loop_number(e, l->axes[a].size), 1);
        e->counter[a] = open[n++].counter;
        outer = level;
    }
    if (rows) {
        LLVMValueRef variable = variable_from(e, outer, e->i64, tct_loop_number(e, 0));
        int64_t size = l->axes[last].size;
        over_lanes(e, outer, LEVEL_REDUCED + (int)(last - l->n_kept), variable, tct_loop_number(e, size),
                   size, emit_point);
    } else {
        emit_point(e, outer);
    }
    while (n > 0) end_loop(e, &open[--n]);
    end_accumulators(e, parent, vectors);
}

// Everything for one item, or for the lanes of one that are open.
static void emit_passes(tct_loop_emitter *e, int level) {
    const tct_loop *l = e->l;
    for (e->pass = 0; e->pass < l->n_passes; e->pass++) emit_pass(e, level);
    emit_stores(e, level, false);
}

// --- Items ---

// Counters of the kept axes from the number of an item. Returns the block of lanes in a column kernel.
static LLVMValueRef emit_item_counters(tct_loop_emitter *e, LLVMValueRef item, int64_t blocks,
                                       LLVMValueRef n_blocks) {
    const tct_loop *l = e->l;
    LLVMValueRef rest = item, block = NULL;
    tct_loop_at(e, LEVEL_ITEM);
    for (uint32_t a = l->n_kept; a-- > 0;) {
        bool lane = (int)a == l->lane_axis, outermost = a == 0;
        LLVMValueRef size = lane ? n_blocks : tct_loop_number(e, l->axes[a].size), digit = rest;
        if (!outermost) {
            bool one = lane && blocks == 1;
            digit = one ? tct_loop_number(e, 0) : LLVMBuildURem(e->b, rest, size, "");
            if (!one) rest = LLVMBuildUDiv(e->b, rest, size, "");
        }
        if (lane)
            block = digit;
        else
            e->counter[a] = digit;
    }
    return block;
}

static void emit_item(tct_loop_emitter *e, LLVMValueRef item, LLVMValueRef outer_size) {
    const tct_loop *l = e->l;
    if (!is_column(l)) {
        emit_item_counters(e, item, 1, NULL);
        emit_passes(e, LEVEL_ITEM);
        return;
    }
    int64_t size = l->axes[l->lane_axis].size, blocks = (size + l->block - 1) / l->block;
    bool runtime = l->lane_axis == 0;
    LLVMValueRef block = emit_item_counters(e, item, blocks, tct_loop_number(e, blocks));
    LLVMValueRef first = LLVMBuildMul(e->b, block, tct_loop_number(e, l->block), "");
    LLVMValueRef end = LLVMBuildAdd(e->b, first, tct_loop_number(e, l->block), "");
    LLVMValueRef limit = runtime ? outer_size : tct_loop_number(e, size);
    LLVMValueRef ends[2] = {end, limit};
    end = tct_llvm_intrinsic(e->b, "llvm.smin", &e->i64, 1, ends, 2);
    LLVMValueRef variable = variable_from(e, LEVEL_ITEM, e->i64, first);
    bool whole = !runtime && size % l->block == 0;
    over_lanes(e, LEVEL_ITEM, LEVEL_LANES, variable, end, whole ? l->block : 0, emit_passes);
}

static void emit_items(tct_loop_emitter *e) {
    LLVMValueRef args = LLVMGetParam(e->fn, 1), arg[TCT_LOOP_N_ARGS];
    tct_loop_at(e, LEVEL_FUNCTION);
    for (int k = 0; k < TCT_LOOP_N_ARGS; k++) {
        LLVMValueRef at = tct_loop_number(e, k);
        arg[k] = tct_llvm_load(e->b, e->i64, LLVMBuildGEP2(e->b, e->i64, args, &at, 1, ""), 8);
    }
    LLVMValueRef first = LLVMBuildMul(e->b, LLVMGetParam(e->fn, 2), arg[TCT_LOOP_ARG_CHUNK], "");
    LLVMValueRef ends[2] = {LLVMBuildMul(e->b, LLVMGetParam(e->fn, 3), arg[TCT_LOOP_ARG_CHUNK], ""),
                            arg[TCT_LOOP_ARG_ITEMS]};
    LLVMValueRef end = tct_llvm_intrinsic(e->b, "llvm.smin", &e->i64, 1, ends, 2);
    LLVMValueRef variable = variable_from(e, LEVEL_FUNCTION, e->i64, first);
    loop p = begin_loop(e, LEVEL_FUNCTION, LEVEL_ITEM, variable, end, 1);
    emit_item(e, p.counter, arg[TCT_LOOP_ARG_OUTER]);
    end_loop(e, &p);
}

// A tile: rows [m0, m1) and columns [n0, n1) of a batch element.
static void emit_tile(tct_loop_emitter *e) {
    e->counter[0] = LLVMGetParam(e->fn, 2);
    LLVMValueRef variable = variable_from(e, LEVEL_FUNCTION, e->i64, LLVMGetParam(e->fn, 3));
    loop p = begin_loop(e, LEVEL_FUNCTION, LEVEL_ITEM, variable, LLVMGetParam(e->fn, 4), 1);
    e->counter[1] = p.counter;
    LLVMValueRef column = variable_from(e, LEVEL_ITEM, e->i64, LLVMGetParam(e->fn, 5));
    over_lanes(e, LEVEL_ITEM, LEVEL_LANES, column, LLVMGetParam(e->fn, 6), 0, emit_passes);
    end_loop(e, &p);
}

static LLVMTypeRef function_type(const tct_loop_emitter *e) {
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->c, 0), params[8];
    unsigned n = 0, numbers = e->l->tile ? 5 : 2;
    params[n++] = pointer;
    params[n++] = pointer;
    while (numbers-- > 0) params[n++] = e->i64;
    params[n++] = pointer;
    return LLVMFunctionType(LLVMVoidTypeInContext(e->c), params, n, 0);
}

static void load_buffers(tct_loop_emitter *e) {
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->c, 0);
    for (uint32_t k = 0; k < e->l->n_bufs; k++) {
        LLVMValueRef at = tct_loop_number(e, k);
        e->bufs[k] =
            tct_llvm_load(e->b, pointer, LLVMBuildGEP2(e->b, pointer, LLVMGetParam(e->fn, 0), &at, 1, ""), 8);
    }
}

void tct_loop_emit(const tct_loop *l, const char *symbol, LLVMModuleRef module, const tct_diag *sources) {
    tct_arena arena = {0};
    tct_debug debug;
    tct_loop_emitter e = {.l = l, .c = LLVMGetModuleContext(module)};
    e.i64 = LLVMInt64TypeInContext(e.c);
    e.b = LLVMCreateBuilderInContext(e.c);
    e.start = LLVMCreateBuilderInContext(e.c);
    e.bufs = TCT_NEW_ARRAY(&arena, LLVMValueRef, l->n_bufs);
    e.known = TCT_NEW_ARRAY(&arena, tct_loop_known, l->n_values);
    e.state = TCT_NEW(&arena, pass_state);
    e.fn = LLVMAddFunction(module, symbol, function_type(&e));
    tct_llvm_attribute(e.fn, LLVMAttributeFunctionIndex, "nounwind");
    e.place = l->span;
    if (sources) {
        e.debug = &debug;
        tct_debug_begin(&debug, sources, e.fn, l->span);
    }
    e.scratch = LLVMGetLastParam(e.fn);
    LLVMBasicBlockRef start = new_block(&e, "start"), entry = new_block(&e, "entry");
    LLVMPositionBuilderAtEnd(e.start, start);
    open_level(&e, LEVEL_FUNCTION, entry);
    tct_loop_at(&e, LEVEL_FUNCTION);
    load_buffers(&e);
    if (l->tile)
        emit_tile(&e);
    else
        emit_items(&e);
    tct_loop_at(&e, LEVEL_FUNCTION);
    for (uint32_t k = 0; k < l->n_stores; k++) {
        if (!l->stores[k].past) continue;
        tct_llvm_intrinsic(e.b, "llvm.x86.sse.sfence", NULL, 0, NULL, 0);
        break;
    }
    LLVMBuildRetVoid(e.b);
    LLVMBuildBr(e.start, entry);
    if (sources) tct_debug_end(&debug, e.fn);
    LLVMDisposeBuilder(e.b);
    LLVMDisposeBuilder(e.start);
    tct_arena_free(&arena);
}
