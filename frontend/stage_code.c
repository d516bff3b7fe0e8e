// Registers and instructions of a program under construction.
#include "frontend/stage_internal.h"

#include <string.h>

bool tct_stage_one_more(tct_elab *e, tct_span span) {
    enum { MAX_WORK = 20000 };
    if (++e->stage->work <= MAX_WORK) return true;
    if (e->stage->work > MAX_WORK + 1) { // reported
        e->stage->work = MAX_WORK + 2;
        e->repeated++;
        return false;
    }
    tct_elab_error(e, "E0345", span, "more than %d calls of fns in one pipeline, which are all written out",
                   MAX_WORK);
    tct_elab_help(e, "a loop runs its body again without writing it out again");
    return false;
}

uint32_t tct_stage_reg(tct_elab *e, tct_reg_type type) {
    TCT_PUSH(&e->stage->regs, type);
    return (uint32_t)e->stage->regs.len - 1;
}

const tct_reg_type *tct_stage_type(tct_elab *e, uint32_t reg) { return &e->stage->regs.data[reg]; }

uint32_t tct_stage_emit(tct_elab *e, tct_opcode op, uint32_t dst, uint32_t a, uint32_t b, uint32_t c,
                        tct_span span) {
    tct_instr i = {.op = (uint16_t)op, .dst = dst, .a = a, .b = b, .c = c, .span = span};
    TCT_PUSH(&e->stage->instrs, i);
    return (uint32_t)e->stage->instrs.len - 1;
}

uint32_t tct_stage_here(tct_elab *e) { return (uint32_t)e->stage->instrs.len; }

void tct_stage_patch(tct_elab *e, uint32_t instr, uint32_t target) {
    tct_instr *i = &e->stage->instrs.data[instr];
    if (i->op == TCT_I_JUMP)
        i->a = target;
    else
        i->b = target;
}

static const char *kind_text(tct_kind k) {
    switch (k) {
    case TCT_KIND_INT:
        return "an int";
    case TCT_KIND_FLOAT:
        return "a float";
    case TCT_KIND_BOOL:
        return "a bool";
    case TCT_KIND_STRING:
        return "a string";
    case TCT_KIND_LIST:
        return "a list";
    case TCT_KIND_RECORDS:
        return "records";
    case TCT_KIND_TENSOR:
        return "a tensor";
    default:
        return "a value of stage code";
    }
}

tct_val *tct_stage_reg_val(tct_elab *e, uint32_t reg, tct_span span) {
    const tct_reg_type *t = tct_stage_type(e, reg);
    tct_val *v = tct_val_new(e, V_REG, span);
    v->reg = reg;
    v->s = kind_text((tct_kind)t->kind);
    if (t->kind == TCT_KIND_TENSOR) {
        v->is_tensor_reg = true;
        v->dtype = (tct_dtype)t->dtype;
        tct_axis *axes = TCT_NEW_ARRAY(&e->arena, tct_axis, t->n_axes + 1);
        for (uint32_t i = 0; i < t->n_axes; i++) axes[i] = tct_axis_get(e->module, t->axis[i], t->size[i]);
        v->param_axes = axes;
        v->n_param_axes = t->n_axes;
    }
    return v;
}

tct_val *tct_stage_scalar_reg(tct_elab *e, tct_kind kind, const char *name, tct_span span) {
    tct_reg_type t = {.kind = (uint8_t)kind, .name = name};
    return tct_stage_reg_val(e, tct_stage_reg(e, t), span);
}

tct_val *tct_stage_list_reg(tct_elab *e, tct_kind element, tct_kind element2, tct_span span) {
    tct_reg_type t = {.kind = TCT_KIND_LIST, .element = (uint8_t)element, .element2 = (uint8_t)element2};
    return tct_stage_reg_val(e, tct_stage_reg(e, t), span);
}

tct_val *tct_stage_tensor_reg(tct_elab *e, tct_dtype dtype, const tct_axis *axes, uint32_t n, tct_span span) {
    tct_reg_type t = {.kind = TCT_KIND_TENSOR, .dtype = (uint8_t)dtype, .n_axes = (uint8_t)n};
    for (uint32_t i = 0; i < n; i++) {
        t.axis[i] = tct_arena_strdup(&e->arena, tct_axis_of(e->module, axes[i])->name);
        t.size[i] = tct_axis_of(e->module, axes[i])->size;
    }
    return tct_stage_reg_val(e, tct_stage_reg(e, t), span);
}

tct_kind tct_stage_kind(tct_elab *e, const tct_val *v) {
    switch (v->kind) {
    case V_INT:
        return TCT_KIND_INT;
    case V_FLOAT:
        return TCT_KIND_FLOAT;
    case V_BOOL:
        return TCT_KIND_BOOL;
    case V_STRING:
        return TCT_KIND_STRING;
    case V_LIST:
        return TCT_KIND_LIST;
    case V_REG:
        return (tct_kind)tct_stage_type(e, v->reg)->kind;
    case V_PARAM:
        return v->n_param_axes ? TCT_KIND_TENSOR : tct_stage_number_kind(v->dtype);
    default:
        return TCT_KIND_NONE;
    }
}

static uint32_t constant(tct_elab *e, const tct_val *v, tct_kind kind, tct_span span) {
    tct_const c = {.kind = (uint8_t)kind, .i = v->i, .f = v->f, .s = v->s};
    if (kind == TCT_KIND_FLOAT && v->kind == V_INT) c.f = (double)v->i;
    if (kind == TCT_KIND_STRING) c.i = v->beside;
    if (v->beside) c.s = tct_elab_beside(e, v->s);
    uint32_t k = 0;
    for (; k < e->stage->consts.len; k++) {
        const tct_const *o = &e->stage->consts.data[k];
        bool same = o->kind == c.kind && (kind == TCT_KIND_STRING  ? strcmp(o->s, c.s) == 0 && o->i == c.i
                                          : kind == TCT_KIND_FLOAT ? memcmp(&o->f, &c.f, sizeof c.f) == 0
                                                                   : o->i == c.i);
        if (same) break;
    }
    if (k == e->stage->consts.len) TCT_PUSH(&e->stage->consts, c);
    uint32_t reg = tct_stage_scalar_reg(e, kind, NULL, span)->reg;
    tct_stage_emit(e, TCT_I_CONST, reg, k, 0, 0, span);
    return reg;
}

uint32_t tct_stage_load(tct_elab *e, tct_val *v, tct_kind kind, tct_span span) {
    if (v->kind == V_ERROR) return NO_REG;
    if (v->kind == V_PARAM) v = tct_stage_read_param(e, v, span);
    tct_kind have = tct_stage_kind(e, v);
    if (kind == TCT_KIND_FLOAT && have == TCT_KIND_INT && v->kind == V_REG) {
        uint32_t reg = tct_stage_scalar_reg(e, kind, NULL, span)->reg;
        tct_stage_emit(e, TCT_I_FLOAT, reg, v->reg, 0, 0, span);
        return reg;
    }
    bool fits = have == kind || (kind == TCT_KIND_FLOAT && have == TCT_KIND_INT);
    if (!fits) {
        tct_elab_error(e, "E0502", span, "%s is expected here, found %s", kind_text(kind),
                       tct_val_describe(e, v));
        return NO_REG;
    }
    if (v->kind == V_REG) return v->reg;
    return v->kind == V_LIST ? tct_stage_make_list(e, v, span) : constant(e, v, kind, span);
}
