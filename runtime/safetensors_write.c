#include "base/file.h"
#include "runtime/safetensors.h"

#include <jansson.h>
#include <stdlib.h>

typedef struct pending {
    const char *name;
    tct_dtype dtype;
    int n_axes;
    int64_t sizes[TCT_MAX_AXES];
    size_t bytes;
    bool possible; // the shape fits in memory
    const void *data;
    tct_safetensors_producer producer; // instead of data
    void *context;
} pending;

struct tct_safetensors_writer {
    tct_arena arena;
    const char *path;
    TCT_VEC(pending) tensors;
    json_t *metadata;
};

struct tct_safetensors_sink {
    tct_file_writer *file;
    const char *name;
    size_t left; // bytes that the tensor still lacks
};

tct_safetensors_writer *tct_safetensors_writer_new(const char *path) {
    tct_safetensors_writer *w = tct_alloc(sizeof *w);
    w->path = tct_arena_strdup(&w->arena, path);
    w->metadata = json_pack("{s:s}", "format", "pt");
    return w;
}

void tct_safetensors_writer_abandon(tct_safetensors_writer *w) {
    json_decref(w->metadata);
    TCT_VEC_FREE(&w->tensors);
    tct_arena_free(&w->arena);
    free(w);
}

void tct_safetensors_writer_stream(tct_safetensors_writer *w, const char *name, tct_dtype dtype, int n_axes,
                                   const int64_t *sizes, tct_safetensors_producer producer, void *context) {
    pending p = {.name = tct_arena_strdup(&w->arena, name),
                 .dtype = dtype,
                 .n_axes = n_axes,
                 .producer = producer,
                 .context = context};
    int64_t elements;
    p.possible = tct_shape_bytes(dtype, n_axes, sizes, &elements, &p.bytes);
    for (int i = 0; i < n_axes && i < TCT_MAX_AXES; i++) p.sizes[i] = sizes[i];
    TCT_PUSH(&w->tensors, p);
}

void tct_safetensors_writer_add(tct_safetensors_writer *w, const char *name, const tct_tensor *t) {
    tct_safetensors_writer_stream(w, name, t->dtype, t->n_axes, t->sizes, NULL, NULL);
    w->tensors.data[w->tensors.len - 1].data = t->data;
}

void tct_safetensors_writer_metadata(tct_safetensors_writer *w, const char *key, const char *value) {
    json_object_set_new(w->metadata, key, json_string(value));
}

bool tct_safetensors_put(tct_diag *d, tct_safetensors_sink *sink, const void *data, size_t len) {
    if (len > sink->left)
        return tct_error(d, "E0704", TCT_NO_SPAN,
                         "more bytes were written for tensor '%s' than its shape takes", sink->name);
    sink->left -= len;
    return tct_file_writer_add(d, sink->file, data, len);
}

// The reference implementation's order: by dtype, widest first, so that all data are aligned; then by name.
static int dtype_order(tct_dtype t) {
    static const int order[TCT_N_DTYPES] = {[TCT_I64] = 0,  [TCT_F64] = 1, [TCT_F32] = 2, [TCT_I32] = 3,
                                            [TCT_BF16] = 4, [TCT_I8] = 5,  [TCT_BOOL] = 6};
    return order[t];
}

static int file_order(const void *a, const void *b) {
    const pending *x = a, *y = b;
    int by_dtype = dtype_order(x->dtype) - dtype_order(y->dtype);
    return by_dtype ? by_dtype : strcmp(x->name, y->name);
}

// The header's text, heap; NULL after reporting.
static char *header(tct_diag *d, const tct_safetensors_writer *w) {
    json_t *root = json_object();
    char *text = NULL;
    uint64_t offset = 0;
    if (json_object_set(root, "__metadata__", w->metadata) != 0) goto done;
    for (size_t i = 0; i < w->tensors.len; i++) {
        const pending *p = &w->tensors.data[i];
        if (!p->possible) {
            tct_error(d, "E0703", TCT_NO_SPAN, "%s: tensor '%s' has an impossible shape", w->path, p->name);
            goto done;
        }
        if (json_object_get(root, p->name)) {
            tct_error(d, "E0704", TCT_NO_SPAN, "%s: two tensors are called '%s'", w->path, p->name);
            goto done;
        }
        json_t *shape = json_array();
        for (int k = 0; k < p->n_axes; k++) json_array_append_new(shape, json_integer(p->sizes[k]));
        json_t *info = json_pack("{s:s, s:o, s:[I, I]}", "dtype", tct_dtype_file_name(p->dtype), "shape",
                                 shape, "data_offsets", (json_int_t)offset, (json_int_t)(offset + p->bytes));
        if (json_object_set_new(root, p->name, info) != 0) {
            tct_error(d, "E0704", TCT_NO_SPAN, "%s: the name of tensor %zu is not UTF-8", w->path, i + 1);
            goto done;
        }
        offset += p->bytes;
    }
    text = json_dumps(root, JSON_COMPACT);
done:
    json_decref(root);
    return text;
}

static bool write_tensor(tct_diag *d, tct_file_writer *file, const pending *p) {
    if (!p->producer) return p->bytes == 0 || tct_file_writer_add(d, file, p->data, p->bytes);
    tct_safetensors_sink sink = {file, p->name, p->bytes};
    if (!p->producer(d, p->context, &sink)) return false;
    return sink.left == 0 || tct_error(d, "E0704", TCT_NO_SPAN, "tensor '%s' lacks %zu of its %zu bytes",
                                       p->name, sink.left, p->bytes);
}

bool tct_safetensors_writer_finish(tct_diag *d, tct_safetensors_writer *w) {
    if (w->tensors.len) qsort(w->tensors.data, w->tensors.len, sizeof *w->tensors.data, file_order);
    char *text = header(d, w);
    tct_file_writer *file = text ? tct_file_writer_open(d, w->path) : NULL;
    bool ok = false;
    if (file) {
        size_t len = strlen(text), padded = (len + 7) / 8 * 8;
        unsigned char length[8];
        for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)padded >> (8 * i));
        ok = tct_file_writer_add(d, file, length, 8) && tct_file_writer_add(d, file, text, len) &&
             tct_file_writer_add(d, file, "        ", padded - len);
        for (size_t i = 0; ok && i < w->tensors.len; i++) ok = write_tensor(d, file, &w->tensors.data[i]);
        if (ok)
            ok = tct_file_writer_commit(d, file);
        else
            tct_file_writer_abandon(file);
    }
    free(text);
    tct_safetensors_writer_abandon(w);
    return ok;
}
