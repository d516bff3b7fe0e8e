// Models and optimizers in memory.
#include "runtime/vm_model.h"

#include "runtime/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

bool tct_vm_blank_model(tct_vm *vm, uint32_t number, tct_value *out) {
    const tct_model_desc *desc = &vm->program->models[number];
    tct_model *m = tct_alloc(sizeof *m);
    *m = (tct_model){.refs = 1, .number = number, .desc = desc};
    m->params = tct_alloc((desc->n_params + 1) * sizeof *m->params);
    *out = (tct_value){.kind = TCT_KIND_MODEL, .model = m};
    for (uint32_t i = 0; i < desc->n_params; i++) {
        const tct_model_param *p = &desc->params[i];
        if (tct_tensor_new(vm->d, (tct_dtype)p->dtype, p->n_axes, p->axis, p->size, &m->params[i])) continue;
        tct_value_drop(out);
        return false;
    }
    return true;
}

typedef struct fill {
    const tct_model_param *param;
    tct_tensor *t;
    uint64_t seed, stream;
    int64_t n;
} fill;

// Four elements from one draw: two Box–Muller pairs, or four uniforms.
static void draw_four(const fill *f, int64_t block, double out[4]) {
    tct_philox r = tct_rng(f->seed, f->stream, (uint64_t)block);
    double a = f->param->init_a, b = f->param->init_b;
    for (int k = 0; k < 4; k++) out[k] = a + (b - a) * (double)tct_rng_uniform(r.v[k]);
    if (f->param->init == TCT_INIT_UNIFORM) return;
    for (int k = 0; k < 4; k += 2) {
        double radius = sqrt(-2 * log((double)tct_rng_uniform_open(r.v[k])));
        double angle = 2 * M_PI * (double)tct_rng_uniform(r.v[k + 1]);
        out[k] = a + b * radius * cos(angle);
        out[k + 1] = a + b * radius * sin(angle);
    }
}

static void fill_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const fill *f = ctx;
    for (int64_t block = begin; block < end; block++) {
        double x[4];
        draw_four(f, block, x);
        for (int64_t i = block * 4; i < block * 4 + 4 && i < f->n; i++) tct_tensor_set(f->t, i, x[i % 4]);
    }
}

static void fill_constant(tct_tensor *t, double value) {
    int64_t n = tct_tensor_elements(t);
    for (int64_t i = 0; i < n; i++) tct_tensor_set(t, i, value);
}

static void initialise(tct_pool *pool, const tct_model_param *p, uint64_t seed, tct_tensor *t) {
    fill f = {p, t, seed, XXH3_64bits(p->name, strlen(p->name)), tct_tensor_elements(t)};
    if (p->init != TCT_INIT_CONSTANT)
        tct_pool_run(pool, (f.n + 3) / 4, fill_blocks, &f);
    else if (p->init_a != 0)
        fill_constant(t, p->init_a);
}

bool tct_vm_new_model(tct_vm *vm, uint32_t number, uint64_t seed, tct_value *out) {
    if (!tct_vm_blank_model(vm, number, out)) return false;
    tct_model *m = out->model;
    for (uint32_t i = 0; i < m->desc->n_params; i++)
        initialise(vm->pool, &m->desc->params[i], seed, &m->params[i]);
    return true;
}

const tct_model_param *tct_optimizer_param(const tct_optimizer *o, uint32_t param) {
    const tct_model *m = o->models[o->desc->param_model[param]];
    return &m->desc->params[o->desc->param_index[param]];
}

static bool make_states(tct_vm *vm, tct_optimizer *o) {
    const tct_optimizer_desc *desc = o->desc;
    for (uint32_t i = 0; i < desc->n_params; i++) {
        const tct_model_param *p = tct_optimizer_param(o, i);
        for (uint32_t s = 0; s < desc->n_states; s++) {
            tct_tensor *t = &o->states[(size_t)i * desc->n_states + s];
            if (!tct_tensor_new(vm->d, TCT_F32, p->n_axes, p->axis, p->size, t)) return false;
            if (desc->state_init[s] != 0) fill_constant(t, desc->state_init[s]);
        }
        if (o->grads &&
            !tct_tensor_new(vm->d, (tct_dtype)p->dtype, p->n_axes, p->axis, p->size, &o->grads[i]))
            return false;
    }
    return true;
}

bool tct_vm_optimizer_of(tct_vm *vm, uint32_t number, tct_model *const *models, tct_value *out) {
    const tct_optimizer_desc *desc = &vm->program->optimizers[number];
    tct_optimizer *o = tct_alloc(sizeof *o);
    *o = (tct_optimizer){.refs = 1, .number = number, .desc = desc};
    o->models = tct_alloc((desc->n_models + 1) * sizeof(tct_model *));
    o->states = tct_alloc(((size_t)desc->n_params * desc->n_states + 1) * sizeof *o->states);
    if (desc->accumulates) o->grads = tct_alloc((desc->n_params + 1) * sizeof *o->grads);
    *out = (tct_value){.kind = TCT_KIND_OPTIMIZER, .optimizer = o};
    for (uint32_t i = 0; i < desc->n_models; i++) {
        o->models[i] = models[i];
        models[i]->refs++;
    }
    if (make_states(vm, o)) return true;
    tct_value_drop(out);
    return false;
}

bool tct_vm_new_optimizer(tct_vm *vm, uint32_t number, tct_value *out) {
    const tct_optimizer_desc *desc = &vm->program->optimizers[number];
    tct_model **models = tct_alloc((desc->n_models + 1) * sizeof(tct_model *));
    for (uint32_t i = 0; i < desc->n_models; i++) {
        assert(vm->regs[desc->models[i]].kind == TCT_KIND_MODEL);
        models[i] = vm->regs[desc->models[i]].model;
    }
    bool ok = tct_vm_optimizer_of(vm, number, models, out);
    free(models);
    return ok;
}
