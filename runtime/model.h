// The parameters of a model that a program describes: allocated, initialised, read and written.
#ifndef TCT_RUNTIME_MODEL_H
#define TCT_RUNTIME_MODEL_H

#include "runtime/program.h"
#include "runtime/tensor.h"
#include "runtime/tokenizer.h"

// Zeroed parameters: desc->n_params tensors that own their data, the array on the heap. NULL after reporting
// E0801. Release with tct_params_free.
tct_tensor *tct_params_new(tct_diag *d, const tct_model_desc *desc);
void tct_params_free(const tct_model_desc *desc, tct_tensor *params); // NULL is fine

// Fills them as desc says. Element i of a parameter is a function of `seed`, the parameter's name and i
// alone.
void tct_params_init(tct_pool *pool, const tct_model_desc *desc, uint64_t seed, tct_tensor *params);

// Fills them from a Hugging Face folder; what config.json says must agree with desc. Warns of tensors that
// the model doesn't take. Reports E0701, E0704, E0705, E0714.
bool tct_params_load(tct_diag *d, const tct_model_desc *desc, const char *folder, tct_tensor *params);
// Writes a Hugging Face folder. `tokenizer` may be NULL. Reports E0702, E0704.
bool tct_params_save(tct_diag *d, const tct_model_desc *desc, const char *folder, const tct_tensor *params,
                     const tct_tokenizer *tokenizer);

#endif
