// The safetensors format: u64 header length, JSON header, packed little-endian row-major data.
// Reading maps the file and believes nothing: lengths, JSON, dtypes, shapes, ranges and overlaps are checked.
#ifndef TCT_RUNTIME_SAFETENSORS_H
#define TCT_RUNTIME_SAFETENSORS_H

#include "runtime/tensor.h"

// One tensor of a file. `dtype` is what loading gives: an F16 tensor loads as f32. A tensor of a type that
// Tercet has not (U8, F8_E4M3, …) is listed with loadable = false; loading it is an error, skipping it is
// not.
typedef struct tct_safetensors_entry {
    const char *name;
    const char *file_dtype; // "F32", "F16", …, as in the header
    bool loadable;
    tct_dtype dtype;
    int n_axes;
    int64_t sizes[TCT_MAX_AXES];
    const unsigned char *data; // within the mapping, any alignment
    size_t bytes;              // in the file
    const char *file;          // path of the file (shard) it is in
} tct_safetensors_entry;

// An opened file, or the shards of an index. Immutable after opening; reading from several threads is fine.
typedef struct tct_safetensors tct_safetensors;

// Opens one file (`….safetensors`) or, for a path that ends in ".index.json", all shards that it names (in
// the same folder). Reports E0701 or E0704 and returns NULL. Close with tct_safetensors_close.
tct_safetensors *tct_safetensors_open(tct_diag *d, const char *path);
// The same over `len` bytes of memory, which must outlive the result; `label` stands for the path in
// messages.
tct_safetensors *tct_safetensors_open_memory(tct_diag *d, const char *label, const void *data, size_t len);
void tct_safetensors_close(tct_safetensors *s);

// Entries, sorted by name.
size_t tct_safetensors_count(const tct_safetensors *s);
const tct_safetensors_entry *tct_safetensors_at(const tct_safetensors *s, size_t i);
const tct_safetensors_entry *tct_safetensors_find(const tct_safetensors *s, const char *name); // NULL: none
// A value of `__metadata__`, NULL when absent.
const char *tct_safetensors_metadata(const tct_safetensors *s, const char *key);

// A copy of one tensor that owns its data (F16 converted to f32, bools made 0 or 1). Axes have no names.
// Reports E0705 (no such tensor; suggests the nearest name) or E0704 (a dtype that Tercet has not).
bool tct_safetensors_load(tct_diag *d, const tct_safetensors *s, const char *name, tct_tensor *out);
// As above, into `out->data` that is there already: same element count required, dtypes converted between
// floats. Saves the second copy where parameters live in an arena.
bool tct_safetensors_load_into(tct_diag *d, const tct_safetensors *s, const char *name, tct_tensor *out);

// ---- Writing. Declare every tensor, then finish: the header goes out first and the data straight from where
// it is. Order in the file as in the reference implementation: wider dtypes first, then by name, so that
// every tensor is aligned. The file appears under its name only when complete.
typedef struct tct_safetensors_writer tct_safetensors_writer;

// Where a producer puts its bytes, in order, in pieces of any size.
typedef struct tct_safetensors_sink tct_safetensors_sink;
bool tct_safetensors_put(tct_diag *d, tct_safetensors_sink *sink, const void *data, size_t len);
// Called once, during finish; puts exactly the tensor's bytes. False after reporting stops the writing.
typedef bool (*tct_safetensors_producer)(tct_diag *d, void *context, tct_safetensors_sink *sink);

tct_safetensors_writer *tct_safetensors_writer_new(const char *path);
// `t` and its data are borrowed until finish or abandon. Axis names aren't stored.
void tct_safetensors_writer_add(tct_safetensors_writer *w, const char *name, const tct_tensor *t);
// A tensor whose data doesn't lie packed in memory.
void tct_safetensors_writer_stream(tct_safetensors_writer *w, const char *name, tct_dtype dtype, int n_axes,
                                   const int64_t *sizes, tct_safetensors_producer producer, void *context);
// Adds to `__metadata__`, which always has "format": "pt".
void tct_safetensors_writer_metadata(tct_safetensors_writer *w, const char *key, const char *value);
// Writes the file and frees `w`, also on failure. Reports E0702, or E0704 (a name used twice, a producer that
// put another number of bytes, a name that is not UTF-8).
bool tct_safetensors_writer_finish(tct_diag *d, tct_safetensors_writer *w);
void tct_safetensors_writer_abandon(tct_safetensors_writer *w);

#endif
