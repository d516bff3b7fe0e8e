#include "runtime/hf.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tct_hf_model {
    tct_arena arena;
    const char *folder;
    json_t *config;
    tct_safetensors *weights;
    bool *used; // beside the weights' entries
};

// Names of the base model under a head; files have them or not.
static const char *const prefixes[] = {"transformer.", "model."};

void tct_hf_close(tct_hf_model *m) {
    if (!m) return;
    tct_safetensors_close(m->weights);
    json_decref(m->config);
    free(m->used);
    tct_arena_free(&m->arena);
    free(m);
}

static json_t *read_object(tct_diag *d, const char *path) {
    char *text;
    size_t len;
    json_error_t error;
    if (!tct_file_read(d, path, &text, &len)) return NULL;
    json_t *root = json_loadb(text, len, 0, &error);
    tct_heap_free(text);
    if (json_is_object(root)) return root;
    if (root)
        tct_error(d, "E0714", TCT_NO_SPAN, "%s: a JSON object was expected", path);
    else
        tct_error(d, "E0714", TCT_NO_SPAN, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    json_decref(root);
    return NULL;
}

tct_hf_model *tct_hf_open(tct_diag *d, const char *folder) {
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    tct_hf_model *m = tct_alloc(sizeof *m);
    m->folder = tct_arena_strdup(&m->arena, folder);
    m->config = read_object(d, tct_path_join(&m->arena, folder, "config.json"));
    const char *path = NULL;
    for (int i = 0; i < 2 && !path; i++) {
        const char *candidate = tct_path_join(&m->arena, folder, names[i]);
        if (access(candidate, F_OK) == 0) path = candidate;
    }
    if (m->config && !path) {
        tct_error(d, "E0714", TCT_NO_SPAN, "%s has neither %s nor %s", folder, names[0], names[1]);
        if (access(tct_path_join(&m->arena, folder, "pytorch_model.bin"), F_OK) == 0)
            tct_help(
                d, "its pytorch_model.bin is a Python pickle, which runs code when it is read: convert it to "
                   "safetensors where it came from");
    }
    if (m->config && path) m->weights = tct_safetensors_open(d, path);
    if (m->weights) {
        m->used = tct_alloc(tct_safetensors_count(m->weights) * sizeof *m->used);
        return m;
    }
    tct_hf_close(m);
    return NULL;
}

json_t *tct_hf_config(const tct_hf_model *m) { return m->config; }

json_t *tct_hf_value(const json_t *config, const char *key) {
    json_t *value = json_object_get(config, key);
    return value ? value : json_object_get(json_object_get(config, "rope_parameters"), key);
}

const char *tct_hf_folder(const tct_hf_model *m) { return m->folder; }

bool tct_hf_config_int(tct_diag *d, const tct_hf_model *m, const char *key, int64_t min, int64_t max,
                       int64_t fallback, int64_t *out) {
    json_t *v = json_object_get(m->config, key);
    if ((!v || json_is_null(v)) && fallback >= 0) {
        *out = fallback;
        return true;
    }
    if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
        return tct_error(d, "E0714", TCT_NO_SPAN,
                         "%s/config.json: '%s' must be a whole number from %lld to %lld%s", m->folder, key,
                         (long long)min, (long long)max, v ? "" : ", and it is missing");
    *out = json_integer_value(v);
    return true;
}

const tct_safetensors_entry *tct_hf_find(const tct_hf_model *m, const char *name) {
    const tct_safetensors_entry *e = tct_safetensors_find(m->weights, name);
    for (size_t i = 0; !e && i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], n) == 0) {
            e = tct_safetensors_find(m->weights, name + n);
        } else {
            tct_buf longer = {0};
            tct_buf_printf(&longer, "%s%s", prefixes[i], name);
            e = tct_safetensors_find(m->weights, longer.data);
            tct_buf_free(&longer);
        }
    }
    return e;
}

// The entry called `name`, noted as used; its name in the file, or `name` itself for the error about it.
static const char *use(tct_hf_model *m, const char *name) {
    const tct_safetensors_entry *e = tct_hf_find(m, name);
    if (!e) return name;
    m->used[e - tct_safetensors_at(m->weights, 0)] = true;
    return e->name;
}

bool tct_hf_load(tct_diag *d, tct_hf_model *m, const char *name, tct_tensor *out) {
    return tct_safetensors_load(d, m->weights, use(m, name), out);
}

bool tct_hf_load_into(tct_diag *d, tct_hf_model *m, const char *name, tct_tensor *out) {
    const tct_safetensors_entry *e = tct_hf_find(m, name);
    bool same = !e || e->n_axes == out->n_axes;
    for (int i = 0; e && same && i < e->n_axes; i++) same = e->sizes[i] == out->sizes[i];
    if (!same) {
        tct_tensor file = {.dtype = e->dtype, .n_axes = e->n_axes};
        memcpy(file.sizes, e->sizes, sizeof file.sizes);
        return tct_error(d, "E0705", TCT_NO_SPAN, "%s: tensor '%s' is %s, %s was expected", e->file, e->name,
                         tct_tensor_describe(&d->arena, &file), tct_tensor_describe(&d->arena, out));
    }
    return tct_safetensors_load_into(d, m->weights, use(m, name), out);
}

// Buffers that are made from the configuration and are no parameters.
static bool is_buffer(const char *name) {
    static const char *const ends[] = {".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (len >= n && strcmp(name + len - n, ends[i]) == 0) return true;
    }
    return false;
}

const char *tct_hf_unused(const tct_hf_model *m, size_t i) {
    for (size_t k = 0; k < tct_safetensors_count(m->weights); k++) {
        const char *name = tct_safetensors_at(m->weights, k)->name;
        if (!m->used[k] && !is_buffer(name) && i-- == 0) return name;
    }
    return NULL;
}

static bool write_json(tct_diag *d, const char *path, json_t *value) {
    char *text = json_dumps(value, JSON_INDENT(2));
    if (!text) return tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: not a JSON value", path);
    tct_buf b = {0};
    tct_buf_printf(&b, "%s\n", text);
    free(text);
    bool ok = tct_file_write(d, path, b.data, b.len);
    tct_buf_free(&b);
    return ok;
}

// The tensors' type as PyTorch calls it: the widest float among them.
static const char *torch_dtype(const tct_named_tensor *tensors, size_t n) {
    static const struct {
        tct_dtype dtype;
        const char *name;
    } types[] = {{TCT_F64, "float64"}, {TCT_F32, "float32"}, {TCT_BF16, "bfloat16"}};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++)
            if (tensors[i].tensor->dtype == types[k].dtype) return types[k].name;
    return NULL;
}

// What generation needs to know of the tokenizer.
static json_t *generation_of(const tct_tokenizer *t) {
    static const char *const keys[] = {"bos_token_id", "eos_token_id", "pad_token_id"};
    json_t *root = json_object();
    size_t n;
    const int32_t *eos = tct_tokenizer_eos_ids(t, &n);
    for (int i = TCT_BOS; i <= TCT_PAD; i++) {
        int32_t id = tct_tokenizer_special(t, (tct_special)i);
        if (id >= 0 && !(i == TCT_EOS && n > 1)) json_object_set_new(root, keys[i], json_integer(id));
    }
    if (n > 1) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++) json_array_append_new(list, json_integer(eos[i]));
        json_object_set_new(root, keys[TCT_EOS], list);
    }
    return root;
}

// Architectures have token ids of their own where config.json leaves them out: it says which there are, and
// null for none.
static void name_tokens(json_t *config, const tct_tokenizer *t) {
    static const char *const keys[] = {"bos_token_id", "eos_token_id", "pad_token_id"};
    json_t *ids = generation_of(t);
    for (int i = TCT_BOS; i <= TCT_PAD; i++) {
        json_t *id = json_object_get(ids, keys[i]);
        if (json_object_get(config, keys[i]) || (!id && i == TCT_PAD))
            continue; // no padding is what is usual
        json_object_set_new(config, keys[i], id ? json_incref(id) : json_null());
    }
    json_decref(ids);
}

static bool write_weights(tct_diag *d, const char *path, const tct_named_tensor *tensors, size_t n) {
    tct_safetensors_writer *w = tct_safetensors_writer_new(path);
    for (size_t i = 0; i < n; i++) tct_safetensors_writer_add(w, tensors[i].name, tensors[i].tensor);
    return tct_safetensors_writer_finish(d, w);
}

bool tct_hf_save(tct_diag *d, const char *folder, json_t *config, const tct_named_tensor *tensors, size_t n,
                 const tct_tokenizer *tokenizer, json_t *generation) {
    tct_arena a = {0};
    json_t *copy = json_copy(config);
    const char *type = torch_dtype(tensors, n);
    if (type && !json_object_get(copy, "torch_dtype") && !json_object_get(copy, "dtype"))
        json_object_set_new(copy, "torch_dtype", json_string(type));
    if (tokenizer) name_tokens(copy, tokenizer);
    json_t *generating = generation ? json_incref(generation) : tokenizer ? generation_of(tokenizer) : NULL;
    bool ok =
        tct_make_dir(d, folder) && write_json(d, tct_path_join(&a, folder, "config.json"), copy) &&
        (!generating || write_json(d, tct_path_join(&a, folder, "generation_config.json"), generating)) &&
        (!tokenizer || tct_tokenizer_save(d, tokenizer, folder)) &&
        write_weights(d, tct_path_join(&a, folder, "model.safetensors"), tensors, n);
    json_decref(generating);
    json_decref(copy);
    tct_arena_free(&a);
    return ok;
}
