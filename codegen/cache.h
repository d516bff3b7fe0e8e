// The compile cache: object code in a folder, so that what was compiled once is only loaded the next time.
//
// An entry is a file that holds its whole key and a checksum. It is written under another name and renamed,
// and nothing in it is believed before all of it has been checked: an entry that is damaged, of another
// version or no entry at all is compiled anew and replaced. Several processes may use one folder. Nothing
// here is ever needed: what cannot be read is compiled, what cannot be written is not kept.
#ifndef TCT_CODEGEN_CACHE_H
#define TCT_CODEGEN_CACHE_H

#include "base/diag.h"

// One process's use of one folder. tct_cache_get and tct_cache_put may be called from any thread; everything
// else belongs to the owner.
typedef struct tct_cache tct_cache;

// Always succeeds; a folder that is not there is made when there is something to keep. `generator` begins
// every key: tct_codegen_identity's line. Both are copied.
tct_cache *tct_cache_open(const char *folder, const char *generator);
// Flushes. NULL is nothing.
void tct_cache_close(tct_cache *c);

// The object that was kept for `key`, in `*object` (release with tct_heap_free); false when there is none.
// Marks it as used.
bool tct_cache_get(tct_cache *c, const char *key, void **object, size_t *len);
// Keeps an object for `key`. A failure is only noted.
void tct_cache_put(tct_cache *c, const char *key, const void *object, size_t len);
// Adds what happened since the last flush to the folder's counters, and drops what was used least recently
// if the folder has grown over its limit.
void tct_cache_flush(tct_cache *c);

typedef struct tct_cache_use { // of this process
    uint64_t hits, misses;
    uint64_t replaced; // misses that met an entry which could not be used
    // Why something that was compiled could not be kept, or NULL. What a user would want to know, once.
    const char *problem;
    // Every oddity met, one a line, for those who ask for all of it.
    const char *const *notes;
    size_t n_notes;
} tct_cache_use;
// The texts live until the next call that is given the cache.
tct_cache_use tct_cache_used(tct_cache *c);

// --- A folder, without a use of it ---

enum { TCT_CACHE_BLOCK = 4096 };            // files take whole blocks, also as counted here
#define TCT_CACHE_LIMIT (UINT64_C(1) << 30) // default
#define TCT_CACHE_LEAST_LIMIT (UINT64_C(1) << 20)

typedef struct tct_cache_state {
    bool there;              // the folder is
    uint64_t entries, bytes; // in it now
    uint64_t limit;          // bytes that are kept at most
    uint64_t hits, misses;   // since it was made or cleared
} tct_cache_state;
// E0844 when there is something that cannot be read.
bool tct_cache_survey(tct_diag *d, const char *folder, tct_cache_state *out);
// Removes all entries and the counters, and nothing that is not the cache's. E0844.
bool tct_cache_clear(tct_diag *d, const char *folder);
// Sets the limit in bytes (TCT_CACHE_LEAST_LIMIT or more) and drops what is over it. E0844.
bool tct_cache_set_limit(tct_diag *d, const char *folder, uint64_t limit);

#endif
