// Reductions in the code of a kernel: partial results in lanes and vectors, folded in a fixed order.
#include "codegen/loop_emit.h"

#include <assert.h>
#include <float.h>
#include <math.h>

enum { MAX_REDUCTIONS = 32 };

// Of a reduction that ends with the current pass.
typedef struct accumulator {
    tct_lv value;
    LLVMValueRef best[TCT_LOOP_MAX_UNROLL]; // memory
    // Of argmax where it was; of the largest or smallest float a NaN, if there was one.
    LLVMValueRef place[TCT_LOOP_MAX_UNROLL];
    // Of a sum that runs ahead: the reference, one for all vectors, and the largest value of the same row, if
    // it is sought, whose NaN this sum notices, too.
    LLVMValueRef reference;
    struct accumulator *largest;
    bool noticed; // its NaN is looked for by such a sum
} accumulator;

struct tct_loop_reductions {
    accumulator acc[MAX_REDUCTIONS];
    uint32_t n;
    unsigned lanes;
};

tct_loop_reductions *tct_loop_reductions_new(tct_arena *arena) { return TCT_NEW(arena, tct_loop_reductions); }

// A NaN is looked for beside the comparison, which each next one waits for.
static bool seeks_nan(tct_ir_op op, tct_dtype of) {
    return (op == TCT_IR_REDUCE_MAX || op == TCT_IR_REDUCE_MIN) && tct_dtype_is_float(of);
}

static LLVMValueRef the_nan_of(tct_loop_emitter *e, LLVMValueRef x, LLVMValueRef otherwise) {
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, ""), x, otherwise, "");
}

// A lane's reference is no infinity, so that what is -inf vanishes.
static void begin_ahead(tct_loop_emitter *e, accumulator *a, int parent) {
    LLVMTypeRef t = tct_loop_register_type(e->c, TCT_F32, TCT_LOOP_LANES);
    tct_lv of = e->l->values[a->value].in[0];
    a->reference =
        tct_loop_variable(e, parent, t, tct_loop_emit_const(e->c, TCT_F32, TCT_LOOP_LANES, -FLT_MAX, 0));
    for (uint32_t k = 0; k < e->reductions->n; k++) {
        accumulator *m = &e->reductions->acc[k];
        const tct_loop_value *x = &e->l->values[m->value];
        if (x->op != TCT_IR_REDUCE_MAX || x->in[0] != of || m->noticed) continue;
        m->noticed = true;
        a->largest = m;
    }
}

void tct_loop_begin_reductions(tct_loop_emitter *e, int parent, unsigned vectors) {
    const tct_loop *l = e->l;
    tct_loop_reductions *s = e->reductions;
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
        *a = (accumulator){.value = v};
        if (tct_loop_runs_ahead(x)) begin_ahead(e, a, parent);
        for (unsigned u = 0; u < vectors; u++) {
            a->best[u] = tct_loop_variable(e, parent, t, none);
            bool shared = nan && u > 0 && !tct_loop_is_column(l); // lanes are folded in the end
            a->place[u] = shared                   ? a->place[0]
                          : x->op == TCT_IR_ARGMAX ? tct_loop_variable(e, parent, pt, nowhere)
                          : nan                    ? tct_loop_variable(e, parent, t, LLVMConstNull(t))
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

// Where an element is much larger than the reference (or no number) a new one is taken, and the sums so far
// are scaled. That is rare.
static void refer_anew(tct_loop_emitter *e, const accumulator *a, LLVMValueRef *x, int level) {
    const double slack = 8; // exponents that a sum may grow by before
    LLVMBuilderRef b = e->b;
    LLVMTypeRef t = LLVMTypeOf(x[0]);
    LLVMValueRef old = LLVMBuildLoad2(b, t, a->reference, ""), now = old, beyond = NULL;
    LLVMValueRef most =
        LLVMBuildFAdd(b, old, tct_loop_emit_const(e->c, TCT_F32, TCT_LOOP_LANES, slack, 0), "");
    for (unsigned u = 0; u < e->width; u++) {
        LLVMValueRef above = LLVMBuildFCmp(b, LLVMRealUGT, x[u], most, "");
        beyond = beyond ? LLVMBuildOr(b, beyond, above, "") : above;
    }
    LLVMTypeRef bits = LLVMIntTypeInContext(e->c, TCT_LOOP_LANES);
    LLVMValueRef any =
        LLVMBuildICmp(b, LLVMIntNE, LLVMBuildBitCast(b, beyond, bits, ""), LLVMConstNull(bits), "");
    LLVMBasicBlockRef anew = LLVMAppendBasicBlockInContext(e->c, e->fn, "anew"),
                      on = LLVMAppendBasicBlockInContext(e->c, e->fn, "on");
    LLVMBuildCondBr(b, any, anew, on);
    LLVMPositionBuilderAtEnd(b, anew);
    for (unsigned u = 0; u < e->width; u++) {
        now = tct_loop_emit_combine(b, TCT_IR_REDUCE_MAX, TCT_F32, now, x[u]);
        if (!a->largest) continue;
        LLVMValueRef place = a->largest->place[u];
        LLVMBuildStore(b, the_nan_of(e, x[u], LLVMBuildLoad2(b, t, place, "")), place);
    }
    LLVMValueRef by = LLVMBuildFSub(b, old, now, "");
    by = tct_loop_emit_op(b, TCT_IR_EXP, TCT_F32, TCT_F32, TCT_LOOP_LANES, &by);
    for (unsigned u = 0; u < e->l->unroll; u++)
        LLVMBuildStore(b, LLVMBuildFMul(b, LLVMBuildLoad2(b, t, a->best[u], ""), by, ""), a->best[u]);
    LLVMBuildStore(b, now, a->reference);
    LLVMBuildBr(b, on);
    e->block[level] = on;
    tct_loop_at(e, level);
}

static void accumulate_ahead(tct_loop_emitter *e, const accumulator *a, int level) {
    LLVMValueRef *in = tct_loop_get(e, e->l->values[a->value].in[0]), x[TCT_LOOP_MAX_UNROLL];
    tct_loop_at(e, level);
    LLVMValueRef least = tct_loop_emit_const(e->c, TCT_F32, TCT_LOOP_LANES, -INFINITY, 0);
    for (unsigned u = 0; u < e->width; u++) {
        LLVMValueRef mask = tct_loop_mask(e, u);
        x[u] = mask ? LLVMBuildSelect(e->b, mask, in[u], least, "") : in[u];
    }
    refer_anew(e, a, x, level);
    LLVMTypeRef t = LLVMTypeOf(x[0]);
    LLVMValueRef reference = LLVMBuildLoad2(e->b, t, a->reference, "");
    for (unsigned u = 0; u < e->width; u++) {
        LLVMValueRef part = LLVMBuildFSub(e->b, x[u], reference, "");
        part = tct_loop_emit_op(e->b, TCT_IR_EXP, TCT_F32, TCT_F32, TCT_LOOP_LANES, &part);
        LLVMValueRef sum = LLVMBuildLoad2(e->b, t, a->best[u], "");
        LLVMBuildStore(e->b, LLVMBuildFAdd(e->b, sum, part, ""), a->best[u]);
    }
}

// The sum in the lanes of one vector, put right by what the exponent should have been.
static LLVMValueRef put_right(tct_loop_emitter *e, const accumulator *a, LLVMValueRef sum, int level) {
    LLVMValueRef c = tct_loop_get(e, e->l->values[a->value].in[1])[0];
    tct_loop_at(e, level);
    LLVMValueRef reference = LLVMBuildLoad2(e->b, LLVMTypeOf(sum), a->reference, "");
    LLVMValueRef by = LLVMBuildFSub(e->b, reference, tct_llvm_splat(e->b, c, TCT_LOOP_LANES), "");
    by = tct_loop_emit_op(e->b, TCT_IR_EXP, TCT_F32, TCT_F32, TCT_LOOP_LANES, &by);
    return LLVMBuildFMul(e->b, sum, by, "");
}

static void accumulate(tct_loop_emitter *e, const accumulator *a, int level) {
    const tct_loop *l = e->l;
    const tct_loop_value *r = &l->values[a->value], *of = &l->values[r->in[0]];
    tct_lv element = r->in[0];
    if (l->only != TCT_NO_LV) { // which holds here
        element = of->in[1];
        of = &l->values[element];
    }
    tct_dtype dtype = (tct_dtype)of->dtype;
    unsigned lanes = e->reductions->lanes;
    // In a row kernel lanes that don't exist must not count; in a column kernel they are nobody's result.
    bool masked = !tct_loop_is_column(l);
    LLVMValueRef *x = tct_loop_get(e, element),
                 *at = r->op == TCT_IR_ARGMAX ? tct_loop_get(e, r->in[1]) : NULL;
    bool x_lanes = tct_loop_has_lanes(e, of->axes);
    bool at_lanes = at && tct_loop_has_lanes(e, l->values[r->in[1]].axes);
    tct_loop_at(e, level);
    for (unsigned u = 0; u < (lanes ? e->width : 1); u++) {
        LLVMValueRef now = vector_of(e, x[x_lanes ? u : 0], lanes),
                     mask = masked ? tct_loop_mask(e, u) : NULL;
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
        if (!a->place[u] || a->noticed) continue;
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
void tct_loop_end_reductions(tct_loop_emitter *e, int level, unsigned vectors) {
    const tct_loop *l = e->l;
    tct_loop_reductions *s = e->reductions;
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
        if (!tct_loop_is_column(l)) {
            for (unsigned n = vectors; n > 1; n = (n + 1) / 2)
                for (unsigned u = 0, far = (n + 1) / 2; u + far < n; u++)
                    fold(e, op, from, &best[u], &place[u], best[u + far], place[u + far]);
            if (tct_loop_runs_ahead(r)) best[0] = put_right(e, a, best[0], level);
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

void tct_loop_reduce(tct_loop_emitter *e, int level) {
    tct_loop_reductions *s = e->reductions;
    for (uint32_t k = 0; k < s->n; k++) {
        tct_span outer = tct_loop_place(e, e->l->values[s->acc[k].value].span);
        if (s->acc[k].reference)
            accumulate_ahead(e, &s->acc[k], level);
        else
            accumulate(e, &s->acc[k], level);
        tct_loop_place(e, outer);
    }
}
