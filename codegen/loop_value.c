// Emitting values of loop kernels: each at its level, loads and stores as wide as memory allows.
#include "codegen/loop_emit.h"

#include <assert.h>

LLVMValueRef tct_loop_number(const tct_loop_emitter *e, int64_t x) {
    return LLVMConstInt(e->i64, (uint64_t)x, 1);
}

static void set_place(tct_loop_emitter *e) {
    if (e->debug) LLVMSetCurrentDebugLocation2(e->b, tct_debug_place(e->debug, e->place));
}

tct_span tct_loop_place(tct_loop_emitter *e, tct_span place) {
    tct_span before = e->place;
    e->place = place;
    set_place(e);
    return before;
}

void tct_loop_at(tct_loop_emitter *e, int level) {
    LLVMValueRef end = LLVMGetBasicBlockTerminator(e->block[level]);
    if (end)
        LLVMPositionBuilderBefore(e->b, end);
    else
        LLVMPositionBuilderAtEnd(e->b, e->block[level]);
    set_place(e); // which LLVM takes from the instruction at the position
}

LLVMValueRef tct_loop_mask(const tct_loop_emitter *e, unsigned u) {
    return u + 1 == e->width ? e->mask : NULL;
}

bool tct_loop_has_lanes(const tct_loop_emitter *e, uint32_t axes) {
    return e->l->lane_axis >= 0 && axes >> e->l->lane_axis & 1;
}

static int level_of_axes(const tct_loop_emitter *e, uint32_t axes, uint32_t stage) {
    const tct_loop *l = e->l;
    uint32_t reduced = axes >> l->n_kept;
    if (l->rows) { // which are loaded once where they share something
        if (stage || axes >> (l->n_kept - 1) & 1) return reduced ? LEVEL_REDUCED : LEVEL_ROW;
        return axes ? LEVEL_ITEM : LEVEL_FUNCTION;
    }
    if (reduced) return LEVEL_REDUCED + 31 - __builtin_clz(reduced);
    if (tct_loop_is_column(l) && (stage || tct_loop_has_lanes(e, axes))) return LEVEL_LANES;
    if (stage) return LEVEL_ITEM;
    if (l->tile) axes &= ~UINT32_C(1); // the batch is an argument of the function
    return axes ? LEVEL_ITEM : LEVEL_FUNCTION;
}

int tct_loop_level_of(const tct_loop_emitter *e, const tct_loop_value *v) {
    return level_of_axes(e, v->axes, v->stage);
}

void tct_loop_bind(tct_loop_emitter *e, tct_lv v, int level, LLVMValueRef *what, unsigned n) {
    e->known[v].epoch = e->epoch[level];
    for (unsigned u = 0; u < n; u++) e->known[v].v[u] = what[u];
}

static LLVMValueRef lanes_of(tct_loop_emitter *e, LLVMValueRef x) {
    return LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind ? x : tct_llvm_splat(e->b, x, TCT_LOOP_LANES);
}

static LLVMValueRef lane_numbers(tct_loop_emitter *e) {
    LLVMValueRef lane[TCT_LOOP_LANES];
    for (int k = 0; k < TCT_LOOP_LANES; k++) lane[k] = tct_loop_number(e, k);
    return LLVMConstVector(lane, TCT_LOOP_LANES);
}

static LLVMValueRef times(tct_loop_emitter *e, LLVMValueRef x, int64_t by) {
    if (by == 1) return x;
    LLVMValueRef k = tct_loop_number(e, by);
    if (LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind) k = tct_llvm_splat(e->b, k, TCT_LOOP_LANES);
    return LLVMBuildMul(e->b, x, k, "");
}

// The sum of an affine value's terms, without those that differ by lane, each added at the level where it is
// known. The builder ends up where the sum may be used at `level`.
static LLVMValueRef scalar_part(tct_loop_emitter *e, const tct_loop_value *v, int level) {
    LLVMValueRef sum = tct_loop_number(e, v->i);
    for (int at = LEVEL_FUNCTION; at <= level; at++) {
        for (uint32_t k = 0; k < v->n_in; k++) {
            const tct_loop_value *term = &e->l->values[v->in[k]];
            if (tct_loop_has_lanes(e, term->axes) || tct_loop_level_of(e, term) != at) continue;
            LLVMValueRef x = tct_loop_get(e, v->in[k])[0];
            tct_loop_at(e, at);
            sum = LLVMBuildAdd(e->b, sum, times(e, x, v->coef[k]), "");
        }
    }
    tct_loop_at(e, level);
    return sum;
}

// Index of lane 0 of the first vector; the lanes are neighbours in memory.
static LLVMValueRef first_index(tct_loop_emitter *e, tct_lv v, int level) {
    LLVMValueRef lane = e->counter[e->l->lane_axis];
    if (tct_loop_is_lane_counter(e->l, v)) {
        tct_loop_at(e, level);
        return lane;
    }
    LLVMValueRef sum = scalar_part(e, &e->l->values[v], level);
    return LLVMBuildAdd(e->b, sum, lane, "");
}

static LLVMValueRef element(tct_loop_emitter *e, tct_dtype dtype, LLVMValueRef base, LLVMValueRef index) {
    return LLVMBuildGEP2(e->b, tct_loop_memory_type(e->c, dtype, 0), base, &index, 1, "");
}

static LLVMValueRef both(tct_loop_emitter *e, LLVMValueRef mask, LLVMValueRef guard) {
    if (!guard) return mask;
    guard = lanes_of(e, guard);
    return mask ? LLVMBuildAnd(e->b, mask, guard, "") : guard;
}

// A vector from 16 places; lanes that `mask` leaves out read element 0 and are worth 0.
static LLVMValueRef gather(tct_loop_emitter *e, tct_dtype dtype, LLVMValueRef base, LLVMValueRef index,
                           LLVMValueRef mask) {
    LLVMTypeRef t = tct_loop_memory_type(e->c, dtype, TCT_LOOP_LANES);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->c);
    if (mask) index = LLVMBuildSelect(e->b, mask, index, LLVMConstNull(LLVMTypeOf(index)), "");
    LLVMValueRef r = LLVMGetPoison(t);
    for (unsigned k = 0; k < TCT_LOOP_LANES; k++) {
        LLVMValueRef at = LLVMBuildExtractElement(e->b, index, LLVMConstInt(i32, k, 0), "");
        LLVMValueRef x = tct_llvm_load(e->b, tct_loop_memory_type(e->c, dtype, 0),
                                       element(e, dtype, base, at), (unsigned)tct_dtype_size(dtype));
        r = LLVMBuildInsertElement(e->b, r, x, LLVMConstInt(i32, k, 0), "");
    }
    return mask ? LLVMBuildSelect(e->b, mask, r, LLVMConstNull(t), "") : r;
}

// The store's guard is tested lane by lane: few kernels store to scattered places, and those that do store
// little.
static void scatter(tct_loop_emitter *e, tct_dtype dtype, LLVMValueRef base, LLVMValueRef index,
                    LLVMValueRef x, LLVMValueRef mask, int level) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->c);
    for (unsigned k = 0; k < TCT_LOOP_LANES; k++) {
        LLVMValueRef lane = LLVMConstInt(i32, k, 0);
        LLVMBasicBlockRef then = NULL, after = NULL;
        if (mask) {
            then = LLVMAppendBasicBlockInContext(e->c, e->fn, "store");
            after = LLVMAppendBasicBlockInContext(e->c, e->fn, "stored");
            LLVMBuildCondBr(e->b, LLVMBuildExtractElement(e->b, mask, lane, ""), then, after);
            LLVMPositionBuilderAtEnd(e->b, then);
        }
        LLVMValueRef at = LLVMBuildExtractElement(e->b, index, lane, "");
        tct_llvm_store(e->b, LLVMBuildExtractElement(e->b, x, lane, ""), element(e, dtype, base, at),
                       (unsigned)tct_dtype_size(dtype));
        if (mask) {
            LLVMBuildBr(e->b, after);
            LLVMPositionBuilderAtEnd(e->b, after);
            e->block[level] = after;
        }
    }
}

static LLVMValueRef load_scalar(tct_loop_emitter *e, const tct_loop_value *v, LLVMValueRef index,
                                LLVMValueRef guard) {
    tct_dtype dtype = (tct_dtype)v->dtype;
    if (guard) index = LLVMBuildSelect(e->b, guard, index, tct_loop_number(e, 0), "");
    LLVMTypeRef t = tct_loop_memory_type(e->c, dtype, 0);
    LLVMValueRef x =
        tct_llvm_load(e->b, t, element(e, dtype, e->bufs[v->i], index), (unsigned)tct_dtype_size(dtype));
    return guard ? LLVMBuildSelect(e->b, guard, x, LLVMConstNull(t), "") : x;
}

static LLVMValueRef load_contiguous(tct_loop_emitter *e, tct_dtype dtype, LLVMValueRef pointer,
                                    LLVMValueRef mask) {
    LLVMTypeRef t = tct_loop_memory_type(e->c, dtype, TCT_LOOP_LANES);
    unsigned align = (unsigned)tct_dtype_size(dtype);
    return mask ? tct_llvm_masked_load(e->b, t, pointer, align, mask, LLVMConstNull(t))
                : tct_llvm_load(e->b, t, pointer, align);
}

// What a later turn of the lanes, or the next item, reads. A whole block ahead of a mask, that is far.
static void ask_ahead(tct_loop_emitter *e, LLVMValueRef pointer, uint32_t ahead) {
    enum { READ = 0, NEAREST = 3, SECOND = 2, DATA = 1 };
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->c), i8 = LLVMInt8TypeInContext(e->c), t = LLVMTypeOf(pointer);
    LLVMValueRef by = tct_loop_number(e, ahead);
    LLVMValueRef args[] = {LLVMBuildGEP2(e->b, i8, pointer, &by, 1, ""), LLVMConstInt(i32, READ, 0),
                           LLVMConstInt(i32, e->l->only == TCT_NO_LV ? NEAREST : SECOND, 0),
                           LLVMConstInt(i32, DATA, 0)};
    tct_llvm_intrinsic(e->b, "llvm.prefetch", &t, 1, args, 4);
}

// Whether vector `u` of those side by side is the current pass's part of what is asked for ahead.
static bool asks_for(const tct_loop_emitter *e, const tct_loop_value *v, unsigned u) {
    uint32_t pass = UINT32_C(1) << e->pass, parts = (uint32_t)__builtin_popcount(v->ahead_passes);
    return v->ahead_passes & pass && u % parts == (uint32_t)__builtin_popcount(v->ahead_passes & (pass - 1));
}

// Where zeros lie, for the widest vectors side by side.
static LLVMValueRef some_zeros(tct_loop_emitter *e) {
    LLVMModuleRef module = LLVMGetGlobalParent(e->fn);
    LLVMValueRef zeros = LLVMGetNamedGlobal(module, "tct_zeros");
    if (zeros) return zeros;
    LLVMTypeRef t = LLVMArrayType2(LLVMDoubleTypeInContext(e->c), TCT_LOOP_MAX_UNROLL * TCT_LOOP_LANES);
    zeros = LLVMAddGlobal(module, t, "tct_zeros");
    LLVMSetInitializer(zeros, LLVMConstNull(t));
    LLVMSetGlobalConstant(zeros, 1);
    LLVMSetLinkage(zeros, LLVMPrivateLinkage);
    LLVMSetAlignment(zeros, 64);
    return zeros;
}

static void emit_load(tct_loop_emitter *e, const tct_loop_value *v, int level, LLVMValueRef *out) {
    tct_dtype dtype = (tct_dtype)v->dtype;
    bool lanes = tct_loop_has_lanes(e, v->axes), contiguous = lanes && tct_loop_runs_along(e->l, v->in[0], 1);
    LLVMValueRef *guard = v->n_in > 1 ? tct_loop_get(e, v->in[1]) : NULL;
    bool guard_lanes = guard && tct_loop_has_lanes(e, e->l->values[v->in[1]].axes);
    if (!lanes) {
        LLVMValueRef index = tct_loop_get(e, v->in[0])[0];
        tct_loop_at(e, level);
        out[0] = tct_loop_emit_widen(e->b, dtype, 0, load_scalar(e, v, index, guard ? guard[0] : NULL));
        return;
    }
    LLVMValueRef pointer = NULL, *index = NULL;
    if (contiguous) {
        LLVMValueRef first = first_index(e, v->in[0], level);
        pointer = element(e, dtype, e->bufs[v->i], first);
        if (guard && !guard_lanes) {
            pointer = LLVMBuildSelect(e->b, guard[0], pointer, some_zeros(e), "");
            guard = NULL;
        }
    } else {
        index = tct_loop_get(e, v->in[0]);
        tct_loop_at(e, level);
    }
    bool index_lanes = tct_loop_has_lanes(e, e->l->values[v->in[0]].axes);
    for (unsigned u = 0; u < e->width; u++) {
        LLVMValueRef g = guard ? guard[guard_lanes ? u : 0] : NULL, x;
        LLVMValueRef at =
            contiguous ? element(e, dtype, pointer, tct_loop_number(e, u * TCT_LOOP_LANES)) : NULL;
        if (v->ahead && asks_for(e, v, u)) ask_ahead(e, at, v->ahead);
        if (contiguous)
            x = load_contiguous(e, dtype, at, both(e, tct_loop_mask(e, u), g));
        else
            x = gather(e, dtype, e->bufs[v->i], lanes_of(e, index[index_lanes ? u : 0]),
                       both(e, tct_loop_mask(e, u), g));
        out[u] = tct_loop_emit_widen(e->b, dtype, TCT_LOOP_LANES, x);
    }
}

// An index whose lanes differ, as vectors.
static void emit_index_lanes(tct_loop_emitter *e, const tct_loop_value *v, int level, LLVMValueRef *out) {
    if (v->kind == TCT_LOOP_AXIS) {
        tct_loop_at(e, level);
        for (unsigned u = 0; u < e->width; u++) {
            LLVMValueRef first =
                LLVMBuildAdd(e->b, e->counter[v->i], tct_loop_number(e, u * TCT_LOOP_LANES), "");
            out[u] = LLVMBuildAdd(e->b, tct_llvm_splat(e->b, first, TCT_LOOP_LANES), lane_numbers(e), "");
        }
        return;
    }
    for (uint32_t k = 0; k < v->n_in; k++) tct_loop_get(e, v->in[k]);
    LLVMValueRef rest = lanes_of(e, scalar_part(e, v, level));
    for (unsigned u = 0; u < e->width; u++) {
        out[u] = rest;
        for (uint32_t k = 0; k < v->n_in; k++)
            if (tct_loop_has_lanes(e, e->l->values[v->in[k]].axes))
                out[u] = LLVMBuildAdd(e->b, out[u], times(e, e->known[v->in[k]].v[u], v->coef[k]), "");
    }
}

static LLVMValueRef index_to_number(tct_loop_emitter *e, tct_dtype dtype, unsigned lanes, LLVMValueRef x) {
    LLVMTypeRef t = tct_loop_register_type(e->c, dtype, lanes);
    if (dtype == TCT_I64) return x;
    if (dtype == TCT_I32) return LLVMBuildTrunc(e->b, x, t, "");
    return tct_loop_emit_op(e->b, TCT_IR_CAST, TCT_I64, dtype, lanes, &x);
}

static void emit_division(tct_loop_emitter *e, const tct_loop_value *v, int level, LLVMValueRef *out) {
    LLVMValueRef *x = tct_loop_get(e, v->in[0]), by = tct_loop_get(e, v->in[1])[0];
    tct_loop_at(e, tct_loop_level_of(e, &e->l->values[v->in[1]]));
    tct_loop_divisor d = tct_loop_divide_by(e->b, by);
    tct_loop_at(e, level);
    for (unsigned u = 0; u < e->width; u++) out[u] = tct_loop_divided(e->b, x[u], TCT_LOOP_LANES, &d);
}

// Lanes that are divided by one number. Without a fused multiply-add nothing could be put right.
static bool shares_divisor(const tct_loop_emitter *e, const tct_loop_value *v) {
    return v->kind == TCT_LOOP_OP && v->op == TCT_IR_DIV && v->dtype == TCT_F32 &&
           tct_loop_has_lanes(e, e->l->values[v->in[0]].axes) &&
           !tct_loop_has_lanes(e, e->l->values[v->in[1]].axes) &&
           tct_llvm_has_isa(LLVMGetGlobalParent(e->fn), TCT_ISA_AVX2);
}

static LLVMValueRef emit_one(tct_loop_emitter *e, const tct_loop_value *v, unsigned lanes, LLVMValueRef *in) {
    LLVMBuilderRef b = e->b;
    tct_dtype dtype = (tct_dtype)v->dtype, from = v->n_in ? (tct_dtype)e->l->values[v->in[0]].dtype : dtype;
    LLVMValueRef by = tct_loop_number(e, v->i);
    if (lanes && (v->kind == TCT_LOOP_DIV || v->kind == TCT_LOOP_MOD || v->kind == TCT_LOOP_WITHIN))
        by = tct_llvm_splat(b, by, lanes);
    switch ((tct_loop_kind)v->kind) {
    case TCT_LOOP_DIV:
        return LLVMBuildUDiv(b, in[0], by, "");
    case TCT_LOOP_MOD:
        return LLVMBuildURem(b, in[0], by, "");
    case TCT_LOOP_WITHIN: // below 0 is far above as unsigned
        return LLVMBuildICmp(b, LLVMIntULT, in[0], by, "");
    case TCT_LOOP_INDEX:
        return tct_dtype_size(from) < sizeof(int64_t)
                   ? LLVMBuildSExt(b, in[0], tct_loop_register_type(e->c, TCT_I64, lanes), "")
                   : in[0];
    case TCT_LOOP_NUMBER:
        return index_to_number(e, dtype, lanes, in[0]);
    case TCT_LOOP_RANDOM:
        return tct_loop_emit_random(b, lanes, in[0], v->i, in[1]);
    default:
        return tct_loop_emit_op(b, (tct_ir_op)v->op, v->op == TCT_IR_WHERE ? dtype : from, dtype, lanes, in);
    }
}

static void emit_general(tct_loop_emitter *e, const tct_loop_value *v, int level, LLVMValueRef *out) {
    bool lanes = tct_loop_has_lanes(e, v->axes);
    LLVMValueRef *operand[3], in[3];
    assert(v->n_in <= 3);
    for (uint32_t k = 0; k < v->n_in; k++) operand[k] = tct_loop_get(e, v->in[k]);
    tct_loop_at(e, level);
    for (unsigned u = 0; u < (lanes ? e->width : 1); u++) {
        for (uint32_t k = 0; k < v->n_in; k++) {
            bool differs = tct_loop_has_lanes(e, e->l->values[v->in[k]].axes);
            in[k] = operand[k][differs ? u : 0];
            if (lanes && !differs) in[k] = tct_llvm_splat(e->b, in[k], TCT_LOOP_LANES);
        }
        out[u] = emit_one(e, v, lanes ? TCT_LOOP_LANES : 0, in);
    }
}

// Where a kept value's vector `u` lies in scratch memory, at the current point of the reduced axes.
static LLVMValueRef kept_place(tct_loop_emitter *e, const tct_loop_value *v, unsigned u) {
    const tct_loop *l = e->l;
    LLVMValueRef at = tct_loop_number(e, 0);
    bool column = tct_loop_is_column(l);
    for (uint32_t a = l->n_kept; a < l->n_axes; a++) {
        int64_t size = l->axes[a].size;
        if ((int)a == l->lane_axis) size = (size + TCT_LOOP_LANES - 1) / TCT_LOOP_LANES * TCT_LOOP_LANES;
        at = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, at, tct_loop_number(e, size), ""), e->counter[a], "");
    }
    if (column) at = LLVMBuildMul(e->b, at, tct_loop_number(e, TCT_LOOP_LANES * (int64_t)l->unroll), "");
    at = LLVMBuildAdd(e->b, at, tct_loop_number(e, (int64_t)u * TCT_LOOP_LANES), "");
    LLVMTypeRef t = tct_loop_register_type(e->c, (tct_dtype)v->dtype, 0), i8 = LLVMInt8TypeInContext(e->c);
    LLVMValueRef offset = tct_loop_number(e, (int64_t)v->offset);
    LLVMValueRef base = LLVMBuildGEP2(e->b, i8, e->scratch, &offset, 1, "");
    return LLVMBuildGEP2(e->b, t, base, &at, 1, "");
}

static void read_kept(tct_loop_emitter *e, const tct_loop_value *v, int level, LLVMValueRef *out) {
    tct_loop_at(e, level);
    LLVMTypeRef t = tct_loop_register_type(e->c, (tct_dtype)v->dtype, TCT_LOOP_LANES);
    for (unsigned u = 0; u < e->width; u++) out[u] = tct_llvm_load(e->b, t, kept_place(e, v, u), 4);
}

static void write_kept(tct_loop_emitter *e, const tct_loop_value *v, int level, LLVMValueRef *what) {
    tct_loop_at(e, level);
    for (unsigned u = 0; u < e->width; u++) tct_llvm_store(e->b, what[u], kept_place(e, v, u), 4);
}

LLVMValueRef *tct_loop_get(tct_loop_emitter *e, tct_lv n) {
    const tct_loop_value *v = &e->l->values[n];
    int level = tct_loop_level_of(e, v);
    tct_loop_known *known = &e->known[n];
    if (known->epoch == e->epoch[level]) return known->v;
    assert(v->kind != TCT_LOOP_REDUCE);
    bool lanes = tct_loop_has_lanes(e, v->axes);
    LLVMValueRef out[TCT_LOOP_MAX_UNROLL] = {0};
    tct_span outer = tct_loop_place(e, v->span);
    // A kept value is kept where its lanes are; further out it is computed once anyway.
    bool kept = v->kept && level == LEVEL_REDUCED + (int)(e->l->n_axes - e->l->n_kept) - 1;
    if (kept && e->pass > v->first) {
        read_kept(e, v, level, out);
    } else if (v->kind == TCT_LOOP_CONST) {
        out[0] = tct_loop_emit_const(e->c, (tct_dtype)v->dtype, 0, v->f, v->i);
    } else if (v->kind == TCT_LOOP_LOAD) {
        emit_load(e, v, level, out);
    } else if (v->kind == TCT_LOOP_AXIS && !lanes) {
        out[0] = e->counter[v->i];
    } else if (lanes && (v->kind == TCT_LOOP_AXIS || v->kind == TCT_LOOP_AFFINE)) {
        emit_index_lanes(e, v, level, out);
    } else if (v->kind == TCT_LOOP_AFFINE) {
        out[0] = scalar_part(e, v, level);
    } else if (shares_divisor(e, v)) {
        emit_division(e, v, level, out);
    } else {
        emit_general(e, v, level, out);
    }
    if (kept && e->pass == v->first) write_kept(e, v, level, out);
    tct_loop_bind(e, n, level, out, lanes ? e->width : 1);
    tct_loop_place(e, outer);
    return known->v;
}

static void store_scalar(tct_loop_emitter *e, const tct_loop_store *s, int level, LLVMValueRef index,
                         LLVMValueRef x, LLVMValueRef guard) {
    tct_dtype dtype = (tct_dtype)e->l->buf_dtype[s->buf];
    LLVMBasicBlockRef then = NULL, after = NULL;
    tct_loop_at(e, level);
    if (guard) {
        then = LLVMAppendBasicBlockInContext(e->c, e->fn, "store");
        after = LLVMAppendBasicBlockInContext(e->c, e->fn, "stored");
        LLVMBuildCondBr(e->b, guard, then, after);
        LLVMPositionBuilderAtEnd(e->b, then);
    }
    LLVMValueRef pointer = element(e, dtype, e->bufs[s->buf], index);
    unsigned align = (unsigned)tct_dtype_size(dtype);
    if (s->add) {
        LLVMValueRef old = tct_llvm_load(e->b, tct_loop_memory_type(e->c, dtype, 0), pointer, align);
        LLVMValueRef in[2] = {tct_loop_emit_widen(e->b, dtype, 0, old), x};
        x = tct_loop_emit_op(e->b, TCT_IR_ADD, dtype, dtype, 0, in);
    }
    tct_llvm_store(e->b, tct_loop_emit_narrow(e->b, dtype, 0, x), pointer, align);
    if (guard) {
        LLVMBuildBr(e->b, after);
        LLVMPositionBuilderAtEnd(e->b, after);
        e->block[level] = after;
    }
}

enum { LINE = 64 };

static LLVMValueRef address(tct_loop_emitter *e, LLVMValueRef pointer) {
    return LLVMBuildPtrToInt(e->b, pointer, e->i64, "");
}

static LLVMValueRef is_multiple(tct_loop_emitter *e, LLVMValueRef x, int64_t of) {
    LLVMValueRef rest = LLVMBuildAnd(e->b, x, tct_loop_number(e, of - 1), "");
    return LLVMBuildICmp(e->b, LLVMIntEQ, rest, tct_loop_number(e, 0), "");
}

// Whether vectors of a buffer that is stored to past the caches begin where lines do: callers may give any
// place.
static LLVMValueRef is_aligned(tct_loop_emitter *e, uint32_t buf) {
    tct_loop_at(e, LEVEL_FUNCTION);
    LLVMValueRef at = address(e, e->bufs[buf]);
    if (!e->l->peel) return is_multiple(e, at, LINE);
    LLVMValueRef first = address(e, e->bufs[e->l->stores[e->l->peel - 1].buf]);
    LLVMValueRef same = is_multiple(e, LLVMBuildSub(e->b, at, first, ""), LINE);
    return LLVMBuildAnd(e->b, same, is_multiple(e, first, sizeof(float)), "");
}

LLVMValueRef tct_loop_before_line(tct_loop_emitter *e, const tct_loop_store *s, LLVMValueRef at, int level) {
    e->counter[e->l->lane_axis] = at;
    LLVMValueRef first = first_index(e, s->offset, level);
    LLVMValueRef place = address(e, element(e, TCT_F32, e->bufs[s->buf], first));
    LLVMValueRef bytes = LLVMBuildAnd(e->b, LLVMBuildNeg(e->b, place, ""), tct_loop_number(e, LINE - 1), "");
    return LLVMBuildLShr(e->b, bytes, tct_loop_number(e, 2), "");
}

static void store_past(tct_loop_emitter *e, LLVMValueRef x, LLVMValueRef at, LLVMValueRef aligned,
                       int level) {
    LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(e->c, e->fn, "past"),
                      otherwise = LLVMAppendBasicBlockInContext(e->c, e->fn, "through"),
                      after = LLVMAppendBasicBlockInContext(e->c, e->fn, "stored");
    LLVMBuildCondBr(e->b, aligned, then, otherwise);
    LLVMPositionBuilderAtEnd(e->b, then);
    tct_llvm_store_past(e->b, x, at, LINE);
    LLVMBuildBr(e->b, after);
    LLVMPositionBuilderAtEnd(e->b, otherwise);
    tct_llvm_store(e->b, x, at, 4);
    LLVMBuildBr(e->b, after);
    e->block[level] = after;
}

static void store_lanes(tct_loop_emitter *e, const tct_loop_store *s, int level, LLVMValueRef *value,
                        LLVMValueRef *guard) {
    const tct_loop *l = e->l;
    tct_dtype dtype = (tct_dtype)l->buf_dtype[s->buf];
    unsigned align = (unsigned)tct_dtype_size(dtype);
    bool contiguous = tct_loop_runs_along(l, s->offset, 1),
         value_lanes = tct_loop_has_lanes(e, l->values[s->value].axes);
    bool guard_lanes = guard && tct_loop_has_lanes(e, l->values[s->guard].axes);
    LLVMValueRef pointer = NULL, *index = NULL;
    if (contiguous)
        pointer = element(e, dtype, e->bufs[s->buf], first_index(e, s->offset, level));
    else
        index = tct_loop_get(e, s->offset);
    LLVMValueRef aligned = s->past ? is_aligned(e, s->buf) : NULL;
    for (unsigned u = 0; u < e->width; u++) {
        tct_loop_at(e, level);
        LLVMValueRef mask = both(e, tct_loop_mask(e, u), guard ? guard[guard_lanes ? u : 0] : NULL);
        LLVMValueRef x = lanes_of(e, value[value_lanes ? u : 0]), at = NULL;
        if (contiguous) at = element(e, dtype, pointer, tct_loop_number(e, u * TCT_LOOP_LANES));
        if (s->add) {
            LLVMValueRef old = contiguous ? load_contiguous(e, dtype, at, mask)
                                          : gather(e, dtype, e->bufs[s->buf], index[u], mask);
            LLVMValueRef in[2] = {tct_loop_emit_widen(e->b, dtype, TCT_LOOP_LANES, old), x};
            x = tct_loop_emit_op(e->b, TCT_IR_ADD, dtype, dtype, TCT_LOOP_LANES, in);
        }
        x = tct_loop_emit_narrow(e->b, dtype, TCT_LOOP_LANES, x);
        if (!contiguous)
            scatter(e, dtype, e->bufs[s->buf], index[u], x, mask, level);
        else if (mask)
            tct_llvm_masked_store(e->b, x, at, align, mask);
        else if (s->past)
            store_past(e, x, at, aligned, level);
        else
            tct_llvm_store(e->b, x, at, align);
    }
}

void tct_loop_emit_store(tct_loop_emitter *e, const tct_loop_store *s, int level) {
    tct_span outer = tct_loop_place(e, s->span);
    LLVMValueRef *value = tct_loop_get(e, s->value);
    LLVMValueRef *guard = s->guard == TCT_NO_LV ? NULL : tct_loop_get(e, s->guard);
    if (tct_loop_has_lanes(e, e->l->values[s->offset].axes)) {
        store_lanes(e, s, level, value, guard);
    } else {
        LLVMValueRef index = tct_loop_get(e, s->offset)[0];
        store_scalar(e, s, level, index, value[0], guard ? guard[0] : NULL);
    }
    tct_loop_place(e, outer);
}
