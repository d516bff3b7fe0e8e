// Models to and from Hugging Face folders. A tensor in a file may have its axes in another order than in
// memory, and several of them merged into one.
#include "runtime/hf.h"
#include "runtime/model.h"

#include <math.h>
#include <stdlib.h>

static const char *file_name(const tct_model_param *p) { return p->file_name ? p->file_name : p->name; }

// A parameter as the file has it: its dimensions, and its axes in the file's order.
typedef struct layout {
    int n_dims;
    int64_t dims[TCT_MAX_AXES];
    uint8_t order[TCT_MAX_AXES]; // axes of the parameter, outermost of the file first
    bool same_order;
} layout;

static layout layout_of(const tct_model_param *p) {
    layout l = {.n_dims = (int)p->n_dims, .same_order = true};
    uint32_t k = 0;
    for (uint32_t g = 0; g < p->n_dims; g++) {
        l.dims[g] = 1;
        for (uint32_t i = 0; i < p->dim_n[g]; i++) {
            uint8_t axis = p->dim_axis[g][i];
            l.dims[g] *= p->size[axis];
            l.same_order &= axis == k;
            l.order[k++] = axis;
        }
    }
    if (p->n_dims == 0) {
        l.n_dims = p->n_axes;
        for (uint8_t i = 0; i < p->n_axes; i++) {
            l.dims[i] = p->size[i];
            l.order[i] = i;
        }
    }
    return l;
}

// Copies between the memory's order and the file's: both packed, elements of `width` bytes.
static void permute(const tct_model_param *p, const layout *l, size_t width, bool to_file, const void *from,
                    void *to) {
    int64_t stride[TCT_MAX_AXES], at[TCT_MAX_AXES] = {0}, n = 1;
    for (int i = p->n_axes; i-- > 0;) {
        stride[i] = n;
        n *= p->size[i];
    }
    int64_t place = 0;
    for (int64_t i = 0; i < n; i++) {
        const char *source = (const char *)from + (size_t)(to_file ? place : i) * width;
        memcpy((char *)to + (size_t)(to_file ? i : place) * width, source, width);
        for (int k = p->n_axes; k-- > 0;) {
            uint8_t axis = l->order[k];
            place += stride[axis];
            if (++at[k] < p->size[axis]) break;
            place -= stride[axis] * p->size[axis];
            at[k] = 0;
        }
    }
}

static bool load_param(tct_diag *d, tct_hf_model *hf, const tct_model_param *p, tct_tensor *t) {
    layout l = layout_of(p);
    tct_tensor view;
    if (l.same_order)
        return tct_tensor_borrow(d, t->dtype, l.n_dims, NULL, l.dims, t->data, &view) &&
               tct_hf_load_into(d, hf, file_name(p), &view);
    if (!tct_tensor_new(d, t->dtype, l.n_dims, NULL, l.dims, &view)) return false;
    bool ok = tct_hf_load_into(d, hf, file_name(p), &view);
    if (ok) permute(p, &l, tct_dtype_size(t->dtype), false, view.data, t->data);
    tct_tensor_free(&view);
    return ok;
}

static bool same_json(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return x == y || fabs(x - y) <= 1e-12 * fabs(y);
    }
    return json_equal(a, b) == 1;
}

// Positions that are stretched for a longer context. No model here does that, and without it the numbers
// would be other ones.
static bool check_rope(tct_diag *d, const tct_hf_model *hf, const tct_model_desc *desc) {
    const json_t *config = tct_hf_config(hf), *scaling = json_object_get(config, "rope_scaling");
    if (!json_is_object(scaling)) scaling = json_object_get(config, "rope_parameters");
    if (!json_is_object(scaling)) return true;
    const json_t *type = json_object_get(scaling, "rope_type");
    if (!type) type = json_object_get(scaling, "type");
    const char *name = json_string_value(type);
    if (!type || (name && strcmp(name, "default") == 0)) return true;
    tct_error(d, "E0714", TCT_NO_SPAN, "%s/config.json: positions are scaled (%s), which %s does not do",
              tct_hf_folder(hf), name ? name : "rope_scaling", desc->type);
    return false;
}

// config.json may leave out what is usual; what it says must be what the model was compiled for.
static bool check_config(tct_diag *d, const tct_hf_model *hf, const tct_model_desc *desc) {
    bool ok = check_rope(d, hf, desc);
    for (uint32_t i = 0; i < desc->n_config; i++) {
        const tct_config_pair *pair = &desc->config[i];
        json_t *found = tct_hf_value(tct_hf_config(hf), pair->key);
        if (!found || json_is_null(found)) continue;
        json_t *want = json_loads(pair->json, JSON_DECODE_ANY, NULL);
        if (!want || !same_json(found, want)) {
            char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
            ok = tct_error(d, "E0714", TCT_NO_SPAN,
                           "%s/config.json: \"%s\" is %s, but %s was declared with %s", tct_hf_folder(hf),
                           pair->key, text ? text : "?", desc->type, pair->json);
            free(text);
        }
        json_decref(want);
    }
    return ok;
}

static void warn_unused(tct_diag *d, const tct_hf_model *hf, const tct_model_desc *desc) {
    size_t n = 0;
    while (tct_hf_unused(hf, n)) n++;
    if (!n) return;
    tct_warning(d, "E0714", TCT_NO_SPAN, "%s has %zu tensor%s that %s does not take, '%s'%s",
                tct_hf_folder(hf), n, n == 1 ? "" : "s", desc->type, tct_hf_unused(hf, 0),
                n == 1 ? "" : " the first of them");
}

bool tct_params_load(tct_diag *d, const tct_model_desc *desc, const char *folder, tct_tensor *params) {
    tct_hf_model *hf = tct_hf_open(d, folder);
    if (!hf) return false;
    bool ok = check_config(d, hf, desc);
    if (ok)
        for (uint32_t i = 0; i < desc->n_params; i++) ok &= load_param(d, hf, &desc->params[i], &params[i]);
    if (ok) warn_unused(d, hf, desc);
    tct_hf_close(hf);
    return ok;
}

static json_t *config_of(const tct_model_desc *desc) {
    json_t *config = json_object();
    json_object_set_new(config, "architectures",
                        json_pack("[s]", desc->architecture ? desc->architecture : desc->type));
    for (uint32_t i = 0; i < desc->n_config; i++)
        json_object_set_new(config, desc->config[i].key,
                            json_loads(desc->config[i].json, JSON_DECODE_ANY, NULL));
    return config;
}

// The parameter in the file's shape: a view of it, or a copy that *out owns.
static bool file_tensor(tct_diag *d, const tct_model_param *p, const tct_tensor *t, tct_tensor *out) {
    layout l = layout_of(p);
    if (l.same_order) return tct_tensor_borrow(d, t->dtype, l.n_dims, NULL, l.dims, t->data, out);
    if (!tct_tensor_new(d, t->dtype, l.n_dims, NULL, l.dims, out)) return false;
    permute(p, &l, tct_dtype_size(t->dtype), true, t->data, out->data);
    return true;
}

bool tct_params_save(tct_diag *d, const tct_model_desc *desc, const char *folder, const tct_tensor *params,
                     const tct_tokenizer *tokenizer) {
    uint32_t n = desc->n_params;
    tct_named_tensor *named = tct_alloc((n + 1) * sizeof *named);
    tct_tensor *tensors = tct_alloc((n + 1) * sizeof *tensors);
    bool ok = true;
    for (uint32_t i = 0; ok && i < n; i++) {
        ok = file_tensor(d, &desc->params[i], &params[i], &tensors[i]);
        named[i] = (tct_named_tensor){file_name(&desc->params[i]), &tensors[i]};
    }
    json_t *config = config_of(desc);
    ok = ok && tct_hf_save(d, folder, config, named, n, tokenizer, NULL);
    json_decref(config);
    for (uint32_t i = 0; i < n; i++) tct_tensor_free(&tensors[i]);
    free(tensors);
    free(named);
    return ok;
}
