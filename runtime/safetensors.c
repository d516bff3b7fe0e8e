#include "runtime/safetensors.h"

#include "base/file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_HEADER = 100000000 }; // the reference implementation's limit

typedef struct part {
    tct_mapping mapping; // empty for memory of the caller's
    const char *label;
} part;

struct tct_safetensors {
    tct_arena arena;
    TCT_VEC(part) parts;
    TCT_VEC(tct_safetensors_entry) entries;
    TCT_VEC(const char *) metadata; // key, value, key, value, …
};

// Types of the format; those without a counterpart here can be listed and skipped, not loaded.
static const struct {
    const char *name;
    size_t size;
    bool loadable;
    tct_dtype dtype;
} file_types[] = {
    {"F32", 4, true, TCT_F32},   {"F64", 8, true, TCT_F64},      {"BF16", 2, true, TCT_BF16},
    {"F16", 2, true, TCT_F32},   {"I32", 4, true, TCT_I32},      {"I64", 8, true, TCT_I64},
    {"BOOL", 1, true, TCT_BOOL}, {"U8", 1, false, TCT_I32},      {"I8", 1, true, TCT_I8},
    {"I16", 2, false, TCT_I32},  {"U16", 2, false, TCT_I32},     {"U32", 4, false, TCT_I64},
    {"U64", 8, false, TCT_I64},  {"F8_E4M3", 1, false, TCT_F32}, {"F8_E5M2", 1, false, TCT_F32},
    {"C64", 8, false, TCT_F64},
};

static bool malformed(tct_diag *d, const char *label, const char *name, const char *what) {
    return tct_error(d, "E0704", TCT_NO_SPAN, "%s: tensor '%s': %s", label, name, what);
}

// Checks one header entry against the data's `len` bytes and appends it to `s`.
static bool read_entry(tct_diag *d, tct_safetensors *s, const char *label, const char *name, json_t *info,
                       const unsigned char *data, size_t len) {
    tct_safetensors_entry e = {.name = tct_arena_strdup(&s->arena, name), .file = label};
    if (!json_is_object(info))
        return malformed(d, label, name, "an object {dtype, shape, data_offsets} was expected");
    const char *type = json_string_value(json_object_get(info, "dtype"));
    json_t *shape = json_object_get(info, "shape"), *offsets = json_object_get(info, "data_offsets");
    if (!type) return malformed(d, label, name, "'dtype' must be a string");
    if (!json_is_array(shape)) return malformed(d, label, name, "'shape' must be a list of sizes");
    if (json_array_size(shape) > TCT_MAX_AXES) return malformed(d, label, name, "more than 8 axes");
    e.n_axes = (int)json_array_size(shape);
    size_t elements = 1, bytes, item = 0;
    bool overflow = false;
    for (int i = 0; i < e.n_axes; i++) {
        json_t *size = json_array_get(shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return malformed(d, label, name, "sizes must be whole numbers of at least 0");
        e.sizes[i] = json_integer_value(size);
        overflow |= __builtin_mul_overflow(elements, (size_t)e.sizes[i], &elements);
    }
    if (json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return malformed(d, label, name, "'data_offsets' must be [begin, end]");
    int64_t begin = json_integer_value(json_array_get(offsets, 0)),
            end = json_integer_value(json_array_get(offsets, 1));
    if (begin < 0 || end < begin || (uint64_t)end > len)
        return malformed(d, label, name, "data_offsets lie outside the file (is it cut short?)");
    e.data = data + begin;
    e.bytes = (size_t)(end - begin);
    e.file_dtype = tct_arena_strdup(&s->arena, type);
    for (size_t i = 0; i < sizeof file_types / sizeof *file_types; i++)
        if (strcmp(type, file_types[i].name) == 0) {
            item = file_types[i].size;
            e.loadable = file_types[i].loadable;
            e.dtype = file_types[i].dtype;
        }
    if (item && (overflow || __builtin_mul_overflow(elements, item, &bytes) || bytes != e.bytes))
        return malformed(d, label, name,
                         "dtype and shape don't make the number of bytes that data_offsets span");
    TCT_PUSH(&s->entries, e);
    return true;
}

static int by_data(const void *a, const void *b) {
    const tct_safetensors_entry *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); // empty ones first
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const tct_safetensors_entry *)a)->name, ((const tct_safetensors_entry *)b)->name);
}

static bool read_metadata(tct_diag *d, tct_safetensors *s, const char *label, json_t *object) {
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return malformed(d, label, "__metadata__", "an object of strings was expected");
    json_object_foreach(object, key, value) {
        if (!json_is_string(value)) return malformed(d, label, "__metadata__", "values must be strings");
        TCT_PUSH(&s->metadata, tct_arena_strdup(&s->arena, key));
        TCT_PUSH(&s->metadata, tct_arena_strdup(&s->arena, json_string_value(value)));
    }
    return true;
}

// Adds the tensors of one file's bytes to `s`.
static bool read_part(tct_diag *d, tct_safetensors *s, const char *label, const unsigned char *file,
                      size_t len) {
    if (len < 8)
        return tct_error(d, "E0704", TCT_NO_SPAN, "%s: not a safetensors file: shorter than 8 bytes", label);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) header = header << 8 | file[i];
    if (header > len - 8 || header > MAX_HEADER)
        return tct_error(d, "E0704", TCT_NO_SPAN,
                         "%s: the header claims %llu bytes, the file has %zu (cut short, or not safetensors)",
                         label, (unsigned long long)header, len - 8);
    json_error_t error;
    json_t *root = json_loadb((const char *)file + 8, (size_t)header, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        tct_error(d, "E0704", TCT_NO_SPAN, "%s: the header is not a JSON object: %s", label,
                  root ? "another value" : error.text);
        json_decref(root);
        return false;
    }
    const unsigned char *data = file + 8 + header;
    size_t data_len = len - 8 - (size_t)header, first = s->entries.len;
    const char *name;
    json_t *value;
    bool ok = true;
    json_object_foreach(root, name, value) {
        ok = strcmp(name, "__metadata__") == 0 ? read_metadata(d, s, label, value)
                                               : read_entry(d, s, label, name, value, data, data_len);
        if (!ok) break;
    }
    json_decref(root);
    if (!ok) return false;
    size_t n = s->entries.len - first;
    if (n) qsort(s->entries.data + first, n, sizeof *s->entries.data, by_data);
    const unsigned char *at = data;
    for (size_t i = first; i < s->entries.len; i++) {
        const tct_safetensors_entry *e = &s->entries.data[i];
        if (e->data != at)
            return malformed(d, label, e->name,
                             e->data < at ? "its data overlap another tensor's"
                                          : "bytes before its data belong to no tensor");
        at += e->bytes;
    }
    if (at != data + data_len)
        return tct_error(d, "E0704", TCT_NO_SPAN, "%s: %zu bytes at the end belong to no tensor", label,
                         (size_t)(data + data_len - at));
    return true;
}

static bool open_part(tct_diag *d, tct_safetensors *s, const char *path) {
    part p = {.label = tct_arena_strdup(&s->arena, path)};
    if (!tct_file_map(d, path, &p.mapping)) return false;
    TCT_PUSH(&s->parts, p);
    return read_part(d, s, p.label, p.mapping.data, p.mapping.len);
}

// The tensors that a weight_map names, each from the shard that it names.
static bool open_shards(tct_diag *d, tct_safetensors *s, const char *path, json_t *map) {
    const char *dir = tct_path_dir(&s->arena, path), *name;
    TCT_VEC(tct_safetensors_entry) kept = {0};
    json_t *value, *opened = json_object();
    bool ok = true;
    json_object_foreach(map, name, value) {
        const char *file = json_string_value(value);
        if (!file || !file[0] || strchr(file, '/')) {
            ok = tct_error(d, "E0704", TCT_NO_SPAN,
                           "%s: weight_map of '%s' must name a file of the same folder", path, name);
            break;
        }
        if (!json_object_get(opened, file)) {
            json_object_set_new(opened, file, json_true());
            ok = open_part(d, s, tct_path_join(&s->arena, dir, file));
            if (!ok) break;
        }
    }
    if (ok && s->entries.len) qsort(s->entries.data, s->entries.len, sizeof *s->entries.data, by_name);
    if (ok) json_object_foreach(map, name, value) {
            const char *shard = tct_path_join(&s->arena, dir, json_string_value(value));
            const tct_safetensors_entry *found = NULL, *first = tct_safetensors_find(s, name);
            for (const tct_safetensors_entry *e = first;
                 e && e < s->entries.data + s->entries.len && strcmp(e->name, name) == 0; e++)
                if (strcmp(e->file, shard) == 0) found = e;
            if (!found) {
                ok = tct_error(d, "E0704", TCT_NO_SPAN, "%s: tensor '%s' is not in %s", path, name, shard);
                break;
            }
            TCT_PUSH(&kept, *found);
        }
    json_decref(opened);
    TCT_VEC_FREE(&s->entries);
    s->entries.data = kept.data;
    s->entries.len = kept.len;
    s->entries.cap = kept.cap;
    return ok;
}

static bool open_index(tct_diag *d, tct_safetensors *s, const char *path) {
    char *text;
    size_t len;
    json_error_t error;
    if (!tct_file_read(d, path, &text, &len)) return false;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    tct_heap_free(text);
    json_t *map = json_object_get(root, "weight_map");
    bool ok;
    if (!root)
        ok = tct_error(d, "E0704", TCT_NO_SPAN, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    else if (!json_is_object(map))
        ok = tct_error(d, "E0704", TCT_NO_SPAN, "%s: an object with a 'weight_map' was expected", path);
    else
        ok = open_shards(d, s, path, map);
    json_decref(root);
    return ok;
}

static tct_safetensors *opened(tct_safetensors *s, bool ok) {
    if (!ok) {
        tct_safetensors_close(s);
        return NULL;
    }
    if (s->entries.len) qsort(s->entries.data, s->entries.len, sizeof *s->entries.data, by_name);
    return s;
}

tct_safetensors *tct_safetensors_open(tct_diag *d, const char *path) {
    tct_safetensors *s = tct_alloc(sizeof *s);
    size_t len = strlen(path);
    bool index = len > 11 && strcmp(path + len - 11, ".index.json") == 0;
    return opened(s, index ? open_index(d, s, path) : open_part(d, s, path));
}

tct_safetensors *tct_safetensors_open_memory(tct_diag *d, const char *label, const void *data, size_t len) {
    tct_safetensors *s = tct_alloc(sizeof *s);
    return opened(s, read_part(d, s, tct_arena_strdup(&s->arena, label), data, len));
}

void tct_safetensors_close(tct_safetensors *s) {
    if (!s) return;
    for (size_t i = 0; i < s->parts.len; i++) tct_file_unmap(&s->parts.data[i].mapping);
    TCT_VEC_FREE(&s->parts);
    TCT_VEC_FREE(&s->entries);
    TCT_VEC_FREE(&s->metadata);
    tct_arena_free(&s->arena);
    free(s);
}

size_t tct_safetensors_count(const tct_safetensors *s) { return s->entries.len; }

const tct_safetensors_entry *tct_safetensors_at(const tct_safetensors *s, size_t i) {
    return &s->entries.data[i];
}

const tct_safetensors_entry *tct_safetensors_find(const tct_safetensors *s, const char *name) {
    size_t lo = 0, hi = s->entries.len; // the first entry that is not before `name`
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(s->entries.data[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->entries.len && strcmp(s->entries.data[lo].name, name) == 0 ? &s->entries.data[lo] : NULL;
}

const char *tct_safetensors_metadata(const tct_safetensors *s, const char *key) {
    for (size_t i = 0; i < s->metadata.len; i += 2)
        if (strcmp(s->metadata.data[i], key) == 0) return s->metadata.data[i + 1];
    return NULL;
}

// The entry called `name`, when it can be loaded.
static const tct_safetensors_entry *wanted(tct_diag *d, const tct_safetensors *s, const char *name) {
    const tct_safetensors_entry *e = tct_safetensors_find(s, name);
    if (!e) {
        const char **names = tct_alloc((s->entries.len + 1) * sizeof *names);
        for (size_t i = 0; i < s->entries.len; i++) names[i] = s->entries.data[i].name;
        const char *near = tct_nearest(name, names, s->entries.len);
        tct_error(d, "E0705", TCT_NO_SPAN, "there is no tensor '%s' in %s", name,
                  s->entries.len ? s->entries.data[0].file : "the file, which is empty");
        if (near) tct_help(d, "the nearest name is '%s'", near);
        free(names);
    } else if (!e->loadable) {
        tct_error(d, "E0704", TCT_NO_SPAN,
                  "%s: tensor '%s' has dtype %s; f32, f64, bf16, f16, i32, i64 and bool can be read", e->file,
                  name, e->file_dtype);
        e = NULL;
    }
    return e;
}

// Copies the entry's n elements to t->data, converting where the dtypes differ.
static void convert(const tct_safetensors_entry *e, tct_tensor *t, int64_t n) {
    bool half = strcmp(e->file_dtype, "F16") == 0;
    if (!half && e->dtype == t->dtype) {
        if (e->bytes) memcpy(t->data, e->data, e->bytes);
        if (t->dtype == TCT_BOOL)
            for (int64_t i = 0; i < n; i++) ((uint8_t *)t->data)[i] = ((uint8_t *)t->data)[i] != 0;
        return;
    }
    size_t item = half ? 2 : tct_dtype_size(e->dtype);
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = 0; // the file's element need not be aligned
        memcpy(&bits, e->data + (size_t)i * item, item);
        tct_tensor one = {.dtype = e->dtype, .data = &bits};
        tct_tensor_set(t, i, half ? (double)tct_f16_to_f32((uint16_t)bits) : tct_tensor_get(&one, 0));
    }
}

bool tct_safetensors_load(tct_diag *d, const tct_safetensors *s, const char *name, tct_tensor *out) {
    const tct_safetensors_entry *e = wanted(d, s, name);
    *out = (tct_tensor){0};
    if (!e || !tct_tensor_new(d, e->dtype, e->n_axes, NULL, e->sizes, out)) return false;
    convert(e, out, tct_tensor_elements(out));
    return true;
}

bool tct_safetensors_load_into(tct_diag *d, const tct_safetensors *s, const char *name, tct_tensor *out) {
    const tct_safetensors_entry *e = wanted(d, s, name);
    if (!e) return false;
    int64_t n = 1;
    for (int i = 0; i < e->n_axes; i++) n *= e->sizes[i];
    if (n != tct_tensor_elements(out))
        return tct_error(
            d, "E0705", TCT_NO_SPAN, "%s: tensor '%s' has %lld elements, %lld were expected (%s)", e->file,
            name, (long long)n, (long long)tct_tensor_elements(out), tct_tensor_describe(&d->arena, out));
    if (e->dtype != out->dtype && !(tct_dtype_is_float(e->dtype) && tct_dtype_is_float(out->dtype)))
        return tct_error(d, "E0705", TCT_NO_SPAN, "%s: tensor '%s' is %s, %s was expected", e->file, name,
                         e->file_dtype, tct_dtype_name(out->dtype));
    convert(e, out, n);
    return true;
}
