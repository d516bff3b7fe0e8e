// The loops of a kernel: items, passes, lanes and their remainders.
#include "codegen/loop_emit.h"

#include <assert.h>

// What a loop over lanes calls for `e->width` vectors from the lane counter on, with `level` open.
typedef void (*piece_fn)(tct_loop_emitter *e, int level);

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
    LLVMBasicBlockRef next; // the end of the body, where a part of it may be gone past; NULL: nothing is
    LLVMValueRef variable, counter;
    int64_t step;
} loop;

// Opens `level` as the body of: for (; variable + step <= end; variable += step), step 1: while (variable <
// end).
static loop begin_loop(tct_loop_emitter *e, int parent, int level, LLVMValueRef variable, LLVMValueRef end,
                       int64_t step) {
    loop p = {parent, level, new_block(e, "head"), new_block(e, "after"), NULL, variable, NULL, step};
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

// The rest of a loop's body happens only where `holds`.
static void go_past(tct_loop_emitter *e, loop *p, LLVMValueRef holds) {
    LLVMBasicBlockRef rest = new_block(e, "rest");
    p->next = new_block(e, "next");
    tct_loop_at(e, p->level);
    LLVMBuildCondBr(e->b, holds, rest, p->next);
    e->block[p->level] = rest;
}

static void end_loop(tct_loop_emitter *e, const loop *p) {
    tct_loop_at(e, p->level);
    if (p->next) {
        LLVMBuildBr(e->b, p->next);
        LLVMPositionBuilderAtEnd(e->b, p->next);
    }
    LLVMBuildStore(e->b, LLVMBuildAdd(e->b, p->counter, tct_loop_number(e, p->step), ""), p->variable);
    LLVMBuildBr(e->b, p->head);
    e->block[p->parent] = p->after;
}

// Runs `piece` over the lanes from a variable to `end`, which are less than a vector, if there are any.
static void over_few(tct_loop_emitter *e, int parent, int level, LLVMValueRef at, LLVMValueRef end,
                     piece_fn piece) {
    LLVMBasicBlockRef rest = new_block(e, "rest"), after = new_block(e, "after");
    tct_loop_at(e, parent);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, at, end, ""), rest, after);
    open_level(e, level, rest);
    LLVMPositionBuilderAtEnd(e->b, rest);
    e->width = 1;
    e->counter[e->l->lane_axis] = at;
    e->mask = tct_llvm_prefix_mask(e->b, LLVMBuildSub(e->b, end, at, ""), TCT_LOOP_LANES);
    piece(e, level);
    e->mask = NULL;
    tct_loop_at(e, level);
    LLVMBuildBr(e->b, after);
    e->block[parent] = after;
}

// The lanes before the first line that the kernel's peeled store begins in.
static void over_head(tct_loop_emitter *e, int parent, int level, LLVMValueRef variable, LLVMValueRef end,
                      piece_fn piece) {
    tct_loop_at(e, parent);
    LLVMValueRef at = LLVMBuildLoad2(e->b, e->i64, variable, "");
    LLVMValueRef few = tct_loop_before_line(e, &e->l->stores[e->l->peel - 1], at, parent);
    LLVMValueRef ends[2] = {LLVMBuildAdd(e->b, at, few, ""), end};
    LLVMValueRef line = tct_llvm_intrinsic(e->b, "llvm.smin", &e->i64, 1, ends, 2);
    LLVMBuildStore(e->b, line, variable);
    over_few(e, parent, level, at, line, piece);
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
    tct_loop_at(e, parent);
    over_few(e, parent, level, LLVMBuildLoad2(e->b, e->i64, variable, ""), end, piece);
}

static bool is_needed(const tct_loop_emitter *e, tct_lv v) {
    uint32_t *need = tct_alloc((e->l->n_values + 1) * sizeof *need);
    tct_loop_passes(e->l, need);
    bool needed = need[v] >> e->pass & 1;
    tct_heap_free(need);
    return needed;
}

// The lanes for which the kernel's prefix is known to hold, as many vectors at a time as over_lanes takes.
static void over_prefix(tct_loop_emitter *e, int parent, int level, LLVMValueRef variable, LLVMValueRef end,
                        piece_fn piece) {
    const tct_loop *l = e->l;
    if (l->prefix == TCT_NO_LV || !is_needed(e, l->prefix)) return;
    LLVMValueRef ends[2] = {tct_loop_prefix_end(e, parent), end}, holds[TCT_LOOP_MAX_UNROLL];
    tct_loop_at(e, parent);
    LLVMValueRef last = tct_llvm_intrinsic(e->b, "llvm.smin", &e->i64, 1, ends, 2);
    loop p = begin_loop(e, parent, level, variable, last, TCT_LOOP_LANES * (int64_t)l->unroll);
    for (unsigned u = 0; u < l->unroll; u++)
        holds[u] = tct_loop_emit_const(e->c, TCT_BOOL, TCT_LOOP_LANES, 0, 1);
    e->width = l->unroll;
    e->counter[l->lane_axis] = p.counter;
    tct_loop_bind(e, l->prefix, level, holds, l->unroll);
    piece(e, level);
    end_loop(e, &p);
}

LLVMValueRef tct_loop_variable(tct_loop_emitter *e, int level, LLVMTypeRef t, LLVMValueRef first) {
    LLVMValueRef v = new_variable(e, t);
    tct_loop_at(e, level);
    LLVMBuildStore(e->b, first, v);
    return v;
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
    tct_loop_reduce(e, level);
    emit_stores(e, level, true);
}

// The pass of a row that is in registers: what an earlier one has computed is there. `holds`: where it
// happens, NULL: everywhere.
static void emit_once(tct_loop_emitter *e, int parent, LLVMValueRef holds) {
    const tct_loop *l = e->l;
    int64_t rest = l->axes[l->lane_axis].size % TCT_LOOP_LANES;
    LLVMBasicBlockRef body = new_block(e, "body"), after = new_block(e, "after");
    tct_loop_at(e, parent);
    if (holds)
        LLVMBuildCondBr(e->b, holds, body, after);
    else
        LLVMBuildBr(e->b, body);
    if (e->pass == 0)
        open_level(e, LEVEL_REDUCED, body);
    else
        e->block[LEVEL_REDUCED] = body;
    LLVMPositionBuilderAtEnd(e->b, body);
    e->width = l->unroll;
    e->counter[l->lane_axis] = tct_loop_number(e, 0);
    if (rest) {
        tct_loop_at(e, LEVEL_FUNCTION);
        e->mask = tct_llvm_prefix_mask(e->b, tct_loop_number(e, rest), TCT_LOOP_LANES);
    }
    emit_point(e, LEVEL_REDUCED);
    e->mask = NULL;
    tct_loop_at(e, LEVEL_REDUCED);
    LLVMBuildBr(e->b, after);
    e->block[parent] = after;
}

// The condition of the pass where it is the same for all of it; NULL: it is not, or there is none.
static LLVMValueRef holds_for_all(tct_loop_emitter *e) {
    const tct_loop *l = e->l;
    bool outside = l->only != TCT_NO_LV && tct_loop_level_of(e, &l->values[l->only]) < LEVEL_REDUCED;
    return outside ? tct_loop_get(e, l->only)[0] : NULL;
}

// How many turns a loop of the pass takes, with `level` open around it.
static LLVMValueRef turns(tct_loop_emitter *e, int level, int64_t size, LLVMValueRef holds) {
    LLVMValueRef n = tct_loop_number(e, size);
    tct_loop_at(e, level);
    return holds ? LLVMBuildSelect(e->b, holds, n, tct_loop_number(e, 0), "") : n;
}

static void emit_pass(tct_loop_emitter *e, int parent) {
    const tct_loop *l = e->l;
    bool column = tct_loop_is_column(l), rows = l->lane_axis >= 0 && !column;
    unsigned vectors = column ? e->width : rows ? l->unroll : 1;
    tct_loop_begin_reductions(e, parent, vectors);
    loop open[TCT_LOOP_MAX_AXES];
    uint32_t n = 0, last = rows ? l->n_axes - 1 : l->n_axes;
    int outer = parent;
    LLVMValueRef holds = holds_for_all(e);
    for (uint32_t a = l->n_kept; a < last; a++) {
        int level = LEVEL_REDUCED + (int)(a - l->n_kept);
        LLVMValueRef variable = tct_loop_variable(e, outer, e->i64, tct_loop_number(e, 0));
        open[n] = begin_loop(e, outer, level, variable, turns(e, outer, l->axes[a].size, holds), 1);
        e->counter[a] = open[n].counter;
        if (l->only != TCT_NO_LV && tct_loop_level_of(e, &l->values[l->only]) == level)
            go_past(e, &open[n], tct_loop_get(e, l->only)[0]);
        outer = level;
        n++;
    }
    if (l->once) {
        emit_once(e, outer, holds);
    } else if (rows) {
        LLVMValueRef variable = tct_loop_variable(e, outer, e->i64, tct_loop_number(e, 0));
        int64_t size = l->axes[last].size;
        int level = LEVEL_REDUCED + (int)(last - l->n_kept);
        bool peel = l->peel && e->pass + 1 == l->n_passes;
        LLVMValueRef end = turns(e, outer, size, holds);
        if (peel) over_head(e, outer, level, variable, end, emit_point);
        over_prefix(e, outer, level, variable, end, emit_point);
        over_lanes(e, outer, level, variable, end, peel ? 0 : size, emit_point);
    } else {
        emit_point(e, outer);
    }
    while (n > 0) end_loop(e, &open[--n]);
    tct_loop_end_reductions(e, parent, vectors);
}

// Everything for one item, or for the lanes of one that are open.
static void emit_passes(tct_loop_emitter *e, int level) {
    const tct_loop *l = e->l;
    for (e->pass = 0; e->pass < l->n_passes; e->pass++) emit_pass(e, level);
    emit_stores(e, level, false);
}

// --- Items ---

// The kept axis of which an item has more than one; -1: none.
static int item_axis(const tct_loop *l) {
    return tct_loop_is_column(l) ? l->lane_axis : l->rows ? (int)l->n_kept - 1 : -1;
}

// Counters of the kept axes from the number of an item. Returns the part of the item's axis.
static LLVMValueRef emit_item_counters(tct_loop_emitter *e, LLVMValueRef item) {
    const tct_loop *l = e->l;
    LLVMValueRef rest = item, part = NULL;
    tct_loop_at(e, LEVEL_ITEM);
    for (uint32_t a = l->n_kept; a-- > 0;) {
        int64_t items = tct_loop_items_along(l, a);
        LLVMValueRef size = tct_loop_number(e, items), digit = rest;
        if (a > 0) {
            bool one = (int)a == item_axis(l) && items == 1;
            digit = one ? tct_loop_number(e, 0) : LLVMBuildURem(e->b, rest, size, "");
            if (!one) rest = LLVMBuildUDiv(e->b, rest, size, "");
        }
        if ((int)a == item_axis(l))
            part = digit;
        else
            e->counter[a] = digit;
    }
    return part;
}

static void emit_rows(tct_loop_emitter *e, LLVMValueRef variable, LLVMValueRef end) {
    loop p = begin_loop(e, LEVEL_ITEM, LEVEL_ROW, variable, end, 1);
    e->counter[e->l->n_kept - 1] = p.counter;
    emit_passes(e, LEVEL_ROW);
    end_loop(e, &p);
}

static void emit_item(tct_loop_emitter *e, LLVMValueRef item, LLVMValueRef outer_size) {
    const tct_loop *l = e->l;
    LLVMValueRef part = emit_item_counters(e, item);
    if (item_axis(l) < 0) {
        emit_passes(e, LEVEL_ITEM);
        return;
    }
    int64_t size = l->axes[item_axis(l)].size, length = l->rows ? l->rows : l->block;
    bool runtime = item_axis(l) == 0;
    LLVMValueRef first = LLVMBuildMul(e->b, part, tct_loop_number(e, length), "");
    LLVMValueRef end = LLVMBuildAdd(e->b, first, tct_loop_number(e, length), "");
    LLVMValueRef limit = runtime ? outer_size : tct_loop_number(e, size);
    LLVMValueRef ends[2] = {end, limit};
    end = tct_llvm_intrinsic(e->b, "llvm.smin", &e->i64, 1, ends, 2);
    LLVMValueRef variable = tct_loop_variable(e, LEVEL_ITEM, e->i64, first);
    if (l->rows) {
        emit_rows(e, variable, end);
        return;
    }
    if (l->peel) over_head(e, LEVEL_ITEM, LEVEL_LANES, variable, end, emit_passes);
    bool whole = !runtime && size % l->block == 0 && !l->peel;
    over_lanes(e, LEVEL_ITEM, LEVEL_LANES, variable, end, whole ? l->block : 0, emit_passes);
}

static LLVMValueRef in_part(tct_loop_emitter *e, uint32_t buf, LLVMValueRef at) {
    return LLVMBuildGEP2(e->b, LLVMFloatTypeInContext(e->c), e->bufs[buf], &at, 1, "");
}

static LLVMValueRef zeros(const tct_loop_emitter *e) {
    return LLVMConstNull(LLVMVectorType(LLVMFloatTypeInContext(e->c), TCT_LOOP_LANES));
}

// Where the parts of the item's task lie that sums over kept axes are added to; its first item begins them.
static void begin_parts(tct_loop_emitter *e, LLVMValueRef item, LLVMValueRef chunk) {
    const tct_loop *l = e->l;
    tct_loop_at(e, LEVEL_ITEM);
    LLVMValueRef task = LLVMBuildUDiv(e->b, item, chunk, "");
    LLVMValueRef first = LLVMBuildICmp(e->b, LLVMIntEQ, item, LLVMBuildMul(e->b, task, chunk, ""), "");
    for (uint32_t k = 0; k < l->n_stores; k++) {
        const tct_loop_store *s = &l->stores[k];
        if (!s->part) continue;
        tct_loop_at(e, LEVEL_ITEM);
        LLVMValueRef part = tct_loop_number(e, s->part), at = LLVMBuildMul(e->b, task, part, "");
        e->bufs[s->buf] = in_part(e, s->buf, at);
        LLVMValueRef end = LLVMBuildSelect(e->b, first, part, tct_loop_number(e, 0), "");
        LLVMValueRef variable = tct_loop_variable(e, LEVEL_ITEM, e->i64, tct_loop_number(e, 0));
        loop p = begin_loop(e, LEVEL_ITEM, LEVEL_LANES, variable, end, TCT_LOOP_LANES);
        tct_loop_at(e, LEVEL_LANES);
        tct_llvm_store(e->b, zeros(e), in_part(e, s->buf, p.counter), sizeof(float));
        end_loop(e, &p);
    }
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
    LLVMValueRef variable = tct_loop_variable(e, LEVEL_FUNCTION, e->i64, first);
    loop p = begin_loop(e, LEVEL_FUNCTION, LEVEL_ITEM, variable, end, 1);
    if (e->l->parts) begin_parts(e, p.counter, arg[TCT_LOOP_ARG_CHUNK]);
    emit_item(e, p.counter, arg[TCT_LOOP_ARG_OUTER]);
    end_loop(e, &p);
}

static void clear_columns(tct_loop_emitter *e, int level) {
    const tct_loop *l = e->l;
    for (uint32_t k = 0; k < l->n_stores; k++) {
        if (!l->stores[k].part) continue;
        for (unsigned u = 0; u < e->width; u++) {
            LLVMValueRef mask = tct_loop_mask(e, u);
            tct_loop_at(e, level);
            LLVMValueRef column =
                LLVMBuildAdd(e->b, e->counter[l->lane_axis], tct_loop_number(e, u * TCT_LOOP_LANES), "");
            LLVMValueRef at = in_part(e, l->stores[k].buf, column);
            if (mask)
                tct_llvm_masked_store(e->b, zeros(e), at, sizeof(float), mask);
            else
                tct_llvm_store(e->b, zeros(e), at, sizeof(float));
        }
    }
}

// The parts that a tile's sums over rows are added to: its columns of them begin with zeros.
static void begin_tile_parts(tct_loop_emitter *e) {
    const tct_loop *l = e->l;
    tct_loop_at(e, LEVEL_FUNCTION);
    LLVMValueRef tile = LLVMBuildUDiv(e->b, LLVMGetParam(e->fn, 3), tct_loop_number(e, l->tile_rows), "");
    for (uint32_t k = 0; k < l->n_stores; k++) {
        const tct_loop_store *s = &l->stores[k];
        if (s->part)
            e->bufs[s->buf] = in_part(e, s->buf, LLVMBuildMul(e->b, tile, tct_loop_number(e, s->part), ""));
    }
    LLVMValueRef column = tct_loop_variable(e, LEVEL_FUNCTION, e->i64, LLVMGetParam(e->fn, 5));
    over_lanes(e, LEVEL_FUNCTION, LEVEL_LANES, column, LLVMGetParam(e->fn, 6), 0, clear_columns);
}

// A tile: rows [m0, m1) and columns [n0, n1) of a batch element.
static void emit_tile(tct_loop_emitter *e) {
    if (e->l->parts) begin_tile_parts(e);
    e->counter[0] = LLVMGetParam(e->fn, 2);
    LLVMValueRef variable = tct_loop_variable(e, LEVEL_FUNCTION, e->i64, LLVMGetParam(e->fn, 3));
    loop p = begin_loop(e, LEVEL_FUNCTION, LEVEL_ITEM, variable, LLVMGetParam(e->fn, 4), 1);
    e->counter[1] = p.counter;
    LLVMValueRef column = tct_loop_variable(e, LEVEL_ITEM, e->i64, LLVMGetParam(e->fn, 5));
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
    e.reductions = tct_loop_reductions_new(&arena);
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
