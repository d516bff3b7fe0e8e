// The tables of a program: registers, constants, models, optimizers, stages.
#include "runtime/dataset.h"
#include "runtime/plan_verify.h"
#include "runtime/program_verify_internal.h"
#include "runtime/tensor.h"

static bool is_element(uint8_t kind) { return kind <= TCT_KIND_STRING; } // NONE: of a list that stays empty

static bool verify_register(tct_verifier *v, uint32_t number) {
    const tct_reg_type *t = &v->p->regs[number];
    const tct_program *p = v->p;
    uint64_t bytes;
    bool ok = true;
    switch ((tct_kind)t->kind) {
    case TCT_KIND_LIST:
        ok = is_element(t->element) || (t->element == TCT_KIND_LIST && is_element(t->element2));
        break;
    case TCT_KIND_TENSOR:
        ok = tct_plan_shape_bytes(t->dtype, t->n_axes, t->size, &bytes);
        break;
    case TCT_KIND_MODEL:
        ok = t->table < p->n_models;
        break;
    case TCT_KIND_OPTIMIZER:
        ok = t->table < p->n_optimizers;
        break;
    case TCT_KIND_TOKENIZER:
        ok = t->table < p->n_tokenizers;
        break;
    case TCT_KIND_DATASET:
        ok = t->table < TCT_N_DATA_KINDS;
        break;
    default:
        ok = t->kind <= TCT_KIND_RECORDS;
    }
    return ok || tct_wrong(v, "register %u has an impossible type", number);
}

static bool verify_const(tct_verifier *v, uint32_t number) {
    const tct_const *c = &v->p->consts[number];
    bool ok = c->kind >= TCT_KIND_INT && c->kind <= TCT_KIND_STRING && (c->kind != TCT_KIND_STRING || c->s);
    return ok || tct_wrong(v, "constant %u has no value", number);
}

// The file's dimensions name every axis once.
static bool dims_fit(const tct_model_param *p) {
    uint32_t n = 0, seen = 0;
    if (p->n_dims > TCT_MAX_AXES) return false;
    for (uint32_t g = 0; g < p->n_dims; g++)
        for (uint32_t i = 0; i < p->dim_n[g]; i++, n++) {
            uint8_t axis = p->dim_axis[g][i];
            if (axis >= p->n_axes || seen >> axis & 1) return false;
            seen |= 1u << axis;
        }
    return p->n_dims == 0 || n == p->n_axes;
}

static bool verify_model(tct_verifier *v, const tct_model_desc *m) {
    for (uint32_t i = 0; i < m->n_params; i++) {
        const tct_model_param *p = &m->params[i];
        uint64_t bytes;
        if (!tct_plan_shape_bytes(p->dtype, p->n_axes, p->size, &bytes) || p->init > TCT_INIT_UNIFORM ||
            !dims_fit(p))
            return tct_wrong(v, "parameter %s of %s has an impossible shape", p->name, m->type);
    }
    return true;
}
