// Whole files in, whole files out. Writing goes to a temporary name in the same folder and is renamed.
#ifndef TCT_BASE_FILE_H
#define TCT_BASE_FILE_H

#include "base/diag.h"

// Reads a whole file into `*out` (heap, NUL-terminated; the caller frees with tct_heap_free). Reports E0701.
bool tct_file_read(tct_diag *d, const char *path, char **out, size_t *out_len);

// Writes `data` to `path` atomically (temporary name, fsync, rename). Reports E0702 (disk full, no such
// folder, …).
bool tct_file_write(tct_diag *d, const char *path, const void *data, size_t len);

// The same in pieces: open a temporary, write, then commit (rename) or abandon (unlink).
typedef struct tct_file_writer tct_file_writer;
tct_file_writer *tct_file_writer_open(tct_diag *d, const char *path);
bool tct_file_writer_add(tct_diag *d, tct_file_writer *w, const void *data, size_t len);
bool tct_file_writer_commit(tct_diag *d, tct_file_writer *w); // frees w, also on failure
void tct_file_writer_abandon(tct_file_writer *w);             // frees w

// Makes a folder and its parents; no error when it is there.
bool tct_make_dir(tct_diag *d, const char *path);

// A read-only mapping of a file. Release with tct_file_unmap.
typedef struct tct_mapping {
    const unsigned char *data;
    size_t len;
} tct_mapping;
bool tct_file_map(tct_diag *d, const char *path, tct_mapping *out);
void tct_file_unmap(tct_mapping *m);

// "dir/name" in the arena; `name` alone when it is absolute or dir is empty.
const char *tct_path_join(tct_arena *a, const char *dir, const char *name);
// The folder of this executable, in the arena; "." where the system doesn't tell.
const char *tct_program_folder(tct_arena *a);
// The folder part of `path` ("." when it has none), in the arena.
const char *tct_path_dir(tct_arena *a, const char *path);

#endif
