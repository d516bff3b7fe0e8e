// Internal to codegen/cache*.c: the folder that a cache lies in, its names and its counters.
#ifndef TCT_CODEGEN_CACHE_FOLDER_H
#define TCT_CODEGEN_CACHE_FOLDER_H

#include "codegen/cache.h"

#include <sys/types.h>

// Entries are called by the 32 digits of their key's hash, files in the making by a prefix and six letters.
enum { TCT_CACHE_NAME = 32 };
#define TCT_CACHE_TEMPORARY "tmp-"

// Whether code from the folder may be run: it is ours or the system's, and not everybody may write to it. A
// folder that isn't there may. `*why` gets a text on the heap when not.
bool tct_cache_trusted(const char *folder, char **why);

// Writes a file of the folder under a temporary name that `path` replaces when it is complete, and makes the
// folder if need be. Unlike tct_file_write it doesn't wait for the disk: an entry that a crash damages is
// compiled again. E0844.
bool tct_cache_write(tct_diag *d, const char *folder, const char *path, const void *data, size_t len);

// What `size` bytes take.
static inline uint64_t tct_cache_blocks(uint64_t size) {
    return (size + TCT_CACHE_BLOCK - 1) / TCT_CACHE_BLOCK * TCT_CACHE_BLOCK;
}

// Adds to the counters, and drops the least recently used entries when `bytes` goes over the limit. False
// when the folder can't be locked or written now: nothing has been added then.
bool tct_cache_count(const char *folder, uint64_t bytes, uint64_t hits, uint64_t misses);

#endif
