// Hugging Face model folders: config.json, model.safetensors (or shards), tokenizer, generation_config.json.
#ifndef TCT_RUNTIME_HF_H
#define TCT_RUNTIME_HF_H

#include "runtime/safetensors.h"
#include "runtime/tokenizer.h"

#include <jansson.h>

// An opened folder. Tensors are mapped, not read, until asked for. Not thread-safe (it notes which were
// used).
typedef struct tct_hf_model tct_hf_model;

// Reports E0701, E0704, E0714. Close with tct_hf_close.
tct_hf_model *tct_hf_open(tct_diag *d, const char *folder);
void tct_hf_close(tct_hf_model *m);

json_t *tct_hf_config(const tct_hf_model *m); // borrowed; an object
const char *tct_hf_folder(const tct_hf_model *m);
// The value of a key of a config.json, NULL where it is absent. transformers 5 keeps what belongs to rotary
// positions ("rope_theta") in an object of its own, "rope_parameters". Borrowed.
json_t *tct_hf_value(const json_t *config, const char *key);
// A value of config.json; reports E0714 (missing, or of another type or range) and returns false. `fallback`
// ≥ 0 is used where the key is absent or null; pass -1 for a key that must be there.
bool tct_hf_config_int(tct_diag *d, const tct_hf_model *m, const char *key, int64_t min, int64_t max,
                       int64_t fallback, int64_t *out);

// The tensor called `name`, also where the file has it with or without a "transformer." or "model." prefix;
// NULL when there is none.
const tct_safetensors_entry *tct_hf_find(const tct_hf_model *m, const char *name);
// Loads it, noting that it was used. Reports E0705 and E0704.
bool tct_hf_load(tct_diag *d, tct_hf_model *m, const char *name, tct_tensor *out);
// The same into memory that is there: shape must match (E0705), floats are converted.
bool tct_hf_load_into(tct_diag *d, tct_hf_model *m, const char *name, tct_tensor *out);
// Names of tensors that nobody loaded, in order, buffers that are no parameters (….attn.bias,
// ….attn.masked_bias, ….rotary_emb.inv_freq) left out; NULL when i is past the last.
const char *tct_hf_unused(const tct_hf_model *m, size_t i);

typedef struct tct_named_tensor {
    const char *name;
    const tct_tensor *tensor; // borrowed
} tct_named_tensor;

// Writes a folder (made if need be), each file atomically, weights last. `tokenizer` and `generation` may be
// NULL; without `generation` a generation_config.json with the tokenizer's bos, eos and pad ids is written.
// When `config` lacks "torch_dtype", the widest dtype of the tensors is put there. Nothing is taken over.
// Reports E0702, E0704.
bool tct_hf_save(tct_diag *d, const char *folder, json_t *config, const tct_named_tensor *tensors, size_t n,
                 const tct_tokenizer *tokenizer, json_t *generation);

#endif
