// Entries: reading what was kept, keeping what was compiled.
#include "codegen/cache.h"

#include "codegen/cache_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

// An entry: magic, checksum of all that follows it, version, length of the key, length of the object, key,
// object. Numbers are little-endian.
enum { MAGIC = 8, CHECKED = 24, HEADER = 40, VERSION = 1, MAX_NOTES = 100 };
static const char magic[MAGIC + 1] = "TCTCACHE";
static const uint64_t max_entry = UINT64_C(1) << 26; // no kernel is near that
static const time_t use_seconds = 60;                // how exact the time of an entry's last use is

struct tct_cache {
    char *folder, *generator;
    char *distrust; // why nothing of the folder is used, or NULL
    _Atomic uint64_t hits, misses, replaced, new_hits, new_misses, new_bytes; // new: since the last flush
    pthread_mutex_t lock;                                                     // of what follows
    char *problem;
    TCT_VEC(char *) notes;
};

tct_cache *tct_cache_open(const char *folder, const char *generator) {
    tct_cache *c = tct_alloc(sizeof *c);
    c->folder = tct_strdup(folder);
    c->generator = tct_strdup(generator);
    pthread_mutex_init(&c->lock, NULL);
    if (!tct_cache_trusted(folder, &c->distrust)) c->problem = tct_strdup(c->distrust);
    return c;
}

void tct_cache_close(tct_cache *c) {
    if (!c) return;
    tct_cache_flush(c);
    for (size_t k = 0; k < c->notes.len; k++) free(c->notes.data[k]);
    TCT_VEC_FREE(&c->notes);
    pthread_mutex_destroy(&c->lock);
    free(c->problem);
    free(c->distrust);
    free(c->folder);
    free(c->generator);
    free(c);
}

static void note(tct_cache *c, const char *path, const char *what) {
    pthread_mutex_lock(&c->lock);
    if (c->notes.len < MAX_NOTES) {
        tct_buf text = {0};
        tct_buf_printf(&text, "%s: %s", path, what);
        TCT_PUSH(&c->notes, text.data);
    }
    pthread_mutex_unlock(&c->lock);
}

// The first thing that keeps entries from being written; there will be no more tries.
static void give_up(tct_cache *c, const char *why) {
    pthread_mutex_lock(&c->lock);
    if (!c->problem) c->problem = tct_strdup(why);
    pthread_mutex_unlock(&c->lock);
}

static bool gave_up(tct_cache *c) {
    pthread_mutex_lock(&c->lock);
    bool yes = c->problem != NULL;
    pthread_mutex_unlock(&c->lock);
    return yes;
}

// The key as the entry holds it.
static tct_buf full_key(const tct_cache *c, const char *key) {
    tct_buf full = {0};
    tct_buf_printf(&full, "%s\n%s", c->generator, key);
    return full;
}

static char *path_of(const tct_cache *c, const tct_buf *full) {
    XXH128_hash_t hash = XXH3_128bits(full->data, full->len);
    tct_buf path = {0};
    tct_buf_printf(&path, "%s/%016" PRIx64 "%016" PRIx64, c->folder, hash.high64, hash.low64);
    return path.data;
}

// --- Reading ---

// The whole file on the heap. NULL: there is none, or it can't be read, and `*why` says why.
static unsigned char *read_entry(const char *path, size_t *len, const char **why) {
    *why = NULL;
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); // whatever lies there, no waiting for it
    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR) *why = strerror(errno);
        return NULL;
    }
    struct stat st;
    unsigned char *bytes = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *why = "it is no file";
    } else if (st.st_size < HEADER || (uint64_t)st.st_size > max_entry) {
        *why = st.st_size < HEADER ? "it is cut off" : "it is larger than any entry";
    } else {
        size_t size = (size_t)st.st_size, done = 0;
        bytes = tct_alloc(size);
        while (done < size) {
            ssize_t n = read(fd, bytes + done, size - done);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) break;
            done += (size_t)n;
        }
        *len = size;
        if (done < size) {
            *why = "it cannot be read to its end";
            free(bytes);
            bytes = NULL;
        } else if (time(NULL) - st.st_mtim.tv_sec > use_seconds) {
            futimens(fd, NULL); // used now; where that can't be written, older entries go first by chance
        }
    }
    close(fd);
    return bytes;
}

// What keeps an entry from being believed, or NULL.
static const char *complaint(const unsigned char *bytes, size_t len, const tct_buf *full) {
    uint64_t check[2], object;
    uint32_t version, key;
    if (memcmp(bytes, magic, MAGIC) != 0) return "it is no entry of this cache";
    memcpy(check, bytes + MAGIC, sizeof check);
    XXH128_hash_t hash = XXH3_128bits(bytes + CHECKED, len - CHECKED);
    if (check[0] != hash.low64 || check[1] != hash.high64) return "it is damaged or cut off";
    memcpy(&version, bytes + CHECKED, sizeof version);
    memcpy(&key, bytes + CHECKED + 4, sizeof key);
    memcpy(&object, bytes + CHECKED + 8, sizeof object);
    if (version != VERSION) return "it is of another version";
    if (key > len - HEADER || object != len - HEADER - key) return "its lengths do not fit";
    if (key != full->len || memcmp(bytes + HEADER, full->data, key) != 0)
        return "it belongs to another kernel";
    return NULL;
}

bool tct_cache_get(tct_cache *c, const char *key, void **object, size_t *len) {
    const char *why = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;
    tct_buf full = full_key(c, key);
    char *path = path_of(c, &full);
    if (!c->distrust) bytes = read_entry(path, &size, &why);
    if (bytes) why = complaint(bytes, size, &full);
    bool ok = bytes && !why;
    if (ok) {
        *len = size - HEADER - full.len;
        memmove(bytes, bytes + HEADER + full.len, *len);
        *object = bytes;
    } else {
        free(bytes);
    }
    if (why) {
        note(c, path, why);
        atomic_fetch_add(&c->replaced, 1);
    }
    atomic_fetch_add(ok ? &c->hits : &c->misses, 1);
    atomic_fetch_add(ok ? &c->new_hits : &c->new_misses, 1);
    free(path);
    tct_buf_free(&full);
    return ok;
}

// --- Writing ---

static tct_buf entry_of(const tct_buf *full, const void *object, size_t len) {
    tct_buf out = {0};
    uint32_t version = VERSION, key = (uint32_t)full->len;
    uint64_t size = len, check[2] = {0};
    tct_buf_add(&out, magic, MAGIC);
    tct_buf_add(&out, check, sizeof check);
    tct_buf_add(&out, &version, sizeof version);
    tct_buf_add(&out, &key, sizeof key);
    tct_buf_add(&out, &size, sizeof size);
    tct_buf_add(&out, full->data, full->len);
    tct_buf_add(&out, object, len);
    XXH128_hash_t hash = XXH3_128bits(out.data + CHECKED, out.len - CHECKED);
    check[0] = hash.low64;
    check[1] = hash.high64;
    memcpy(out.data + MAGIC, check, sizeof check);
    return out;
}

void tct_cache_put(tct_cache *c, const char *key, const void *object, size_t len) {
    if (gave_up(c)) return;
    tct_buf full = full_key(c, key), entry = entry_of(&full, object, len);
    char *path = path_of(c, &full);
    tct_diag d = {0};
    if (tct_cache_write(&d, c->folder, path, entry.data, entry.len))
        atomic_fetch_add(&c->new_bytes, tct_cache_blocks(entry.len));
    else
        give_up(c, d.messages.data[0].text);
    tct_diag_free(&d);
    free(path);
    tct_buf_free(&entry);
    tct_buf_free(&full);
}

void tct_cache_flush(tct_cache *c) {
    uint64_t bytes = atomic_exchange(&c->new_bytes, 0), hits = atomic_exchange(&c->new_hits, 0),
             misses = atomic_exchange(&c->new_misses, 0);
    if (c->distrust || bytes + hits + misses == 0 || tct_cache_count(c->folder, bytes, hits, misses)) return;
    atomic_fetch_add(&c->new_bytes, bytes); // with the next flush
    atomic_fetch_add(&c->new_hits, hits);
    atomic_fetch_add(&c->new_misses, misses);
}

tct_cache_use tct_cache_used(tct_cache *c) {
    return (tct_cache_use){.hits = c->hits,
                           .misses = c->misses,
                           .replaced = c->replaced,
                           .problem = c->problem,
                           .notes = (const char *const *)c->notes.data,
                           .n_notes = c->notes.len};
}
