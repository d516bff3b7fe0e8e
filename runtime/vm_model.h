// Models and optimizers of the stage machine: made and read.
#ifndef TCT_RUNTIME_VM_MODEL_H
#define TCT_RUNTIME_VM_MODEL_H

#include "runtime/vm_state.h"

// A model of program.models[number] with fresh parameters. Element i of a parameter is a function of `seed`,
// the parameter's name and i alone. Reports E0801.
bool tct_vm_new_model(tct_vm *vm, uint32_t number, uint64_t seed, tct_value *out);
// The same with uninitialised (zero) parameters.
bool tct_vm_blank_model(tct_vm *vm, uint32_t number, tct_value *out);
// With parameters from a Hugging Face folder; config.json must agree with the descriptor. Reports E0701,
// E0704, E0705, E0714.
bool tct_vm_load_model(tct_vm *vm, uint32_t number, const char *folder, tct_value *out);
// Fresh state for the models in the registers that its descriptor names.
bool tct_vm_new_optimizer(tct_vm *vm, uint32_t number, tct_value *out);
// The same for these models, which the optimizer holds as well.
bool tct_vm_optimizer_of(tct_vm *vm, uint32_t number, tct_model *const *models, tct_value *out);
// The parameter that state or gradient sum number i of an optimizer belongs to.
const tct_model_param *tct_optimizer_param(const tct_optimizer *o, uint32_t param);

#endif
