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
    return tct_verify_decided(v, &m->sizes);
}

static bool verify_optimizer(tct_verifier *v, const tct_optimizer_desc *o) {
    for (uint32_t i = 0; i < o->n_models; i++)
        if (!tct_verify_kind(v, o->models[i], TCT_KIND_MODEL)) return false;
    for (uint32_t i = 0; i < o->n_params; i++) {
        if (o->param_model[i] >= o->n_models)
            return tct_wrong(v, "%s has no model %u", o->type, o->param_model[i]);
        const tct_reg_type *model = &v->p->regs[o->models[o->param_model[i]]];
        if (o->param_index[i] >= v->p->models[model->table].n_params)
            return tct_wrong(v, "%s trains a parameter %u that is not there", o->type, o->param_index[i]);
    }
    uint64_t states = (uint64_t)o->n_params * o->n_states;
    return states <= UINT32_MAX || tct_wrong(v, "%s has too many states", o->type);
}

// Names of stages become names of files.
static bool is_name(const char *s) {
    return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(s);
}

bool tct_verify_tables(tct_verifier *v) {
    const tct_program *p = v->p;
    for (uint32_t i = 0; i < p->n_regs; i++)
        if (!verify_register(v, i)) return false;
    for (uint32_t i = 0; i < p->n_consts; i++)
        if (!verify_const(v, i)) return false;
    for (uint32_t i = 0; i < p->n_models; i++)
        if (!verify_model(v, &p->models[i])) return false;
    for (uint32_t i = 0; i < p->n_tokenizers; i++)
        if (!tct_verify_decided(v, &p->tokenizers[i].path)) return false;
    for (uint32_t i = 0; i < p->n_optimizers; i++)
        if (!verify_optimizer(v, &p->optimizers[i])) return false;
    for (uint32_t i = 0; i < p->n_stages; i++) {
        if (!is_name(p->stages[i].name)) return tct_wrong(v, "stage %u has no name", i);
        if (p->stages[i].begin > p->stages[i].end || p->stages[i].end > p->n_instrs)
            return tct_wrong(v, "stage %s lies outside of the program", p->stages[i].name);
    }
    return true;
}
