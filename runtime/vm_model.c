// Models and optimizers as values of the machine.
#include "runtime/vm_model.h"

#include "runtime/decided.h"
#include "runtime/model.h"

#include <assert.h>
#include <stdlib.h>

bool tct_vm_blank_model(tct_vm *vm, uint32_t number, tct_value *out) {
    const tct_model_desc *desc = &vm->program->models[number];
    *out = (tct_value){0};
    tct_tensor *params = tct_params_new(vm->d, desc);
    if (!params) return false;
    tct_model *m = tct_alloc(sizeof *m);
    *m = (tct_model){.refs = 1, .number = number, .desc = desc, .params = params};
    *out = (tct_value){.kind = TCT_KIND_MODEL, .model = m};
    return true;
}

bool tct_vm_new_model(tct_vm *vm, uint32_t number, uint64_t seed, tct_value *out) {
    if (!tct_vm_blank_model(vm, number, out)) return false;
    tct_params_init(vm->pool, out->model->desc, seed, out->model->params);
    return true;
}

bool tct_vm_load_model(tct_vm *vm, uint32_t number, const char *folder, tct_value *out) {
    if (!tct_vm_blank_model(vm, number, out)) return false;
    if (tct_params_load(vm->d, out->model->desc, folder, out->model->params)) return true;
    const tct_message *m = vm->d->messages.len ? &vm->d->messages.data[vm->d->messages.len - 1] : NULL;
    bool of_sizes = m && (strcmp(m->code, "E0705") == 0 || strcmp(m->code, "E0714") == 0);
    if (of_sizes) tct_note_decided(vm->d, vm->program, &out->model->desc->sizes, vm->options->ahead);
    tct_value_drop(out);
    return false;
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
            tct_tensor_fill(t, desc->state_init[s]);
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
