// A structure of tensors, some rows at a time: what minibatches and split loop over.
#include "frontend/stage_internal.h"

#include <string.h>

static void call(tct_elab *e, tct_builtin id, const uint32_t *args, uint32_t n, uint32_t result,
                 tct_span span) {
    uint32_t *a = TCT_NEW_ARRAY(&e->arena, uint32_t, n + 1), *r = TCT_NEW(&e->arena, uint32_t);
    memcpy(a, args, n * sizeof *a);
    *r = result;
    tct_call c = {.builtin = id,
                  .n_args = n,
                  .args = a,
                  .n_results = result == NO_REG ? 0 : 1,
                  .results = r,
                  .generator = NO_REG};
    TCT_PUSH(&e->stage->calls, c);
    tct_stage_emit(e, TCT_I_CALL, 0, (uint32_t)e->stage->calls.len - 1, 0, 0, span);
}

static uint32_t number(tct_elab *e, int64_t i, tct_span span) {
    return tct_stage_load(e, tct_val_int(e, i, span), TCT_KIND_INT, span);
}

// A variable register with a first value.
static uint32_t counter(tct_elab *e, int64_t first, tct_span span) {
    uint32_t reg = tct_stage_scalar_reg(e, TCT_KIND_INT, NULL, span)->reg;
    tct_stage_emit(e, TCT_I_MOVE, reg, number(e, first, span), 0, 0, span);
    return reg;
}

// 0, 1, …, n - 1 as a list.
static uint32_t as_they_stand(tct_elab *e, int64_t n, tct_span span) {
    uint32_t list = tct_stage_list_reg(e, TCT_KIND_INT, TCT_KIND_NONE, span)->reg;
    tct_stage_emit(e, TCT_I_LIST, list, 0, 0, 0, span);
    uint32_t i = counter(e, 0, span), end = number(e, n, span), one = number(e, 1, span);
    uint32_t more = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, span)->reg;
    uint32_t head = tct_stage_here(e);
    tct_stage_emit(e, TCT_I_ILT, more, i, end, 0, span);
    uint32_t exit = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, more, 0, 0, span);
    uint32_t args[] = {list, i};
    call(e, TCT_BUILTIN_APPEND, args, 2, NO_REG, span);
    tct_stage_emit(e, TCT_I_IADD, i, i, one, 0, span);
    tct_stage_emit(e, TCT_I_JUMP, 0, head, 0, 0, span);
    tct_stage_patch(e, exit, tct_stage_here(e));
    return list;
}

static bool is_record(const tct_val *v) { return v->kind == V_STRUCT && !v->model && !v->has_reg; }

static bool has_rows(const tct_val *v) { return v->kind == V_REG && v->is_tensor_reg && v->n_param_axes > 0; }

// The rows that all tensors of a structure have; false after reporting that they differ.
static bool count_rows(tct_elab *e, const tct_val *batch, tct_span span, int64_t *rows) {
    for (uint32_t i = 0; i < batch->n_fields; i++) {
        const tct_val *f = batch->fields[i].val;
        if (is_record(f) && !count_rows(e, f, span, rows)) return false;
        if (!has_rows(f)) continue;
        int64_t n = tct_stage_type(e, f->reg)->size[0];
        if (*rows && n != *rows)
            return tct_elab_error(e, "E0512", span, "%s has %lld rows, the fields before it %lld",
                                  batch->fields[i].name, (long long)n, (long long)*rows);
        *rows = n;
    }
    return true;
}

// `size` rows of every tensor; what has no rows is the same in every part, and lists are left out. args: of
// take.
static tct_val *cut(tct_elab *e, const tct_val *batch, int64_t size, uint32_t args[4], tct_span span) {
    tct_val *out = tct_val_new(e, V_STRUCT, span);
    for (uint32_t i = 0; i < batch->n_fields; i++) {
        tct_val *f = batch->fields[i].val;
        const char *name = batch->fields[i].name;
        if (is_record(f)) {
            tct_val_add_field(e, out, name, cut(e, f, size, args, span));
            continue;
        }
        if (!has_rows(f)) {
            if (tct_stage_kind(e, f) != TCT_KIND_LIST) tct_val_add_field(e, out, name, f);
            continue;
        }
        const tct_reg_type t = *tct_stage_type(e, f->reg);
        tct_axis axes[8];
        for (uint32_t k = 0; k < t.n_axes; k++)
            axes[k] = tct_axis_get(e->module, t.axis[k], k == 0 ? size : t.size[k]);
        tct_val *part = tct_stage_tensor_reg(e, (tct_dtype)t.dtype, axes, t.n_axes, span);
        args[0] = f->reg;
        call(e, TCT_BUILTIN_TAKE, args, 4, part->reg, span);
        tct_val_add_field(e, out, name, part);
    }
    return out;
}

bool tct_stage_rows_begin(tct_elab *e, tct_val *batch, tct_val *count, tct_val *seed, bool by_size,
                          tct_span span, stage_rows *out) {
    if (batch->kind == V_ERROR || count->kind == V_ERROR) return false;
    if (!is_record(batch))
        return tct_elab_error(e, "E0512", span, "what is cut into parts is a structure of tensors, found %s",
                              tct_val_describe(e, batch));
    count = tct_elab_fix(e, count, span,
                         by_size ? "decides how many rows a part has" : "decides how many parts there are");
    if (count->kind == V_ERROR) return false;
    if (count->kind != V_INT || count->i < 1)
        return tct_elab_error(e, "E0509", span,
                              "the number of %s decides shapes: it must be a positive int known at compile "
                              "time, found %s",
                              by_size ? "rows" : "parts", tct_val_describe(e, count));
    int64_t rows = 0;
    if (!count_rows(e, batch, span, &rows)) return false;
    if (rows == 0) return tct_elab_error(e, "E0512", span, "the structure has no tensors");
    if (rows % count->i)
        return by_size ? tct_elab_error(e, "E0512", span, "%lld rows can't be cut into parts of %lld each",
                                        (long long)rows, (long long)count->i)
                       : tct_elab_error(e, "E0512", span, "%lld rows can't be cut into %lld equal parts",
                                        (long long)rows, (long long)count->i);
    int64_t size = by_size ? count->i : rows / count->i;
    uint32_t order;
    if (seed) {
        order = tct_stage_list_reg(e, TCT_KIND_INT, TCT_KIND_NONE, span)->reg;
        uint32_t args[] = {number(e, rows, span), tct_stage_load(e, seed, TCT_KIND_INT, span)};
        if (args[1] == NO_REG) return false;
        call(e, TCT_BUILTIN_ORDER, args, 2, order, span);
    } else {
        order = as_they_stand(e, rows, span);
    }
    uint32_t size_reg = number(e, size, span), total = number(e, rows, span);
    out->index = counter(e, 0, span);
    out->end = total;
    uint32_t more = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, span)->reg;
    out->head = tct_stage_here(e);
    tct_stage_emit(e, TCT_I_SAFEPOINT, 0, 0, 0, 0, span);
    tct_stage_emit(e, TCT_I_ILT, more, out->index, total, 0, span);
    out->exit = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, more, 0, 0, span);
    out->part = cut(e, batch, size, (uint32_t[]){0, order, out->index, size_reg}, span);
    out->step = size_reg;
    return true;
}

void tct_stage_rows_total(tct_elab *e, stage_rows *rows, tct_val *total, tct_val *part, tct_span span) {
    // The first part sets the total: there is no place before the loop any more.
    uint32_t zero = number(e, 0, span), first = tct_stage_scalar_reg(e, TCT_KIND_BOOL, NULL, span)->reg;
    tct_stage_emit(e, TCT_I_IEQ, first, rows->index, zero, 0, span);
    uint32_t skip = tct_stage_emit(e, TCT_I_JUMP_IFNOT, 0, first, 0, 0, span);
    tct_stage_emit(e, TCT_I_MOVE, total->reg, part->reg, 0, 0, span);
    uint32_t done = tct_stage_emit(e, TCT_I_JUMP, 0, 0, 0, 0, span);
    tct_stage_patch(e, skip, tct_stage_here(e));
    bool real = tct_stage_kind(e, total) == TCT_KIND_FLOAT;
    tct_stage_emit(e, real ? TCT_I_FADD : TCT_I_IADD, total->reg, total->reg, part->reg, 0, span);
    tct_stage_patch(e, done, tct_stage_here(e));
}

void tct_stage_rows_next(tct_elab *e, stage_rows *rows, tct_span span) {
    tct_stage_emit(e, TCT_I_IADD, rows->index, rows->index, rows->step, 0, span);
    tct_stage_emit(e, TCT_I_JUMP, 0, rows->head, 0, 0, span);
}

void tct_stage_rows_end(tct_elab *e, stage_rows *rows, tct_span span) {
    tct_stage_rows_next(e, rows, span);
    tct_stage_patch(e, rows->exit, tct_stage_here(e));
}
