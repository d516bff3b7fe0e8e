// The folder of a cache: what is in it, how much that is, and what goes when it is too much.
#include "codegen/cache_folder.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Counters lie in a file that is replaced as a whole under a lock, so readers need none. They may drift when
// a process dies before it counts; the next clean-up measures the folder.
static const char state_name[] = "tercet-cache.json", lock_name[] = "tercet-cache.lock";
static const time_t abandoned_seconds = 3600; // what is still temporary after that, nobody is writing

bool tct_cache_trusted(const char *folder, char **why) {
    struct stat st;
    *why = NULL;
    if (stat(folder, &st) != 0) return true;
    const char *what = NULL;
    if (!S_ISDIR(st.st_mode))
        what = "is no folder";
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        what = "belongs to another user, whose code will not be run";
    else if (st.st_mode & S_IWOTH)
        what = "may be written to by everybody; code from it will not be run";
    if (!what) return true;
    tct_buf text = {0};
    tct_buf_printf(&text, "%s %s", folder, what);
    *why = text.data;
    return false;
}

static char *join(const char *folder, const char *name) {
    tct_buf path = {0};
    tct_buf_printf(&path, "%s/%s", folder, name);
    return path.data;
}

static bool failed(tct_diag *d, const char *what, const char *path) {
    return tct_error(d, "E0844", TCT_NO_SPAN, "cannot %s %s: %s", what, path, strerror(errno));
}

static bool write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

bool tct_cache_write(tct_diag *d, const char *folder, const char *path, const void *data, size_t len) {
    char *temporary = join(folder, TCT_CACHE_TEMPORARY "XXXXXX");
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        tct_diag ignored = {
            0}; // what keeps the folder from being made keeps the file from being made as well
        tct_make_dir(&ignored, folder);
        tct_diag_free(&ignored);
        memcpy(temporary + strlen(temporary) - 6, "XXXXXX", 6);
        fd = mkostemp(temporary, O_CLOEXEC);
    }
    bool ok = fd >= 0 && write_all(fd, data, len) && fchmod(fd, 0644) == 0; // the folder says who may read
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok && fd >= 0) unlink(temporary);
    errno = error;
    if (!ok) failed(d, "write to", folder);
    free(temporary);
    return ok;
}

// --- Counters ---

typedef struct counters {
    uint64_t limit, bytes, hits, misses;
    bool known; // else they start anew
} counters;

static uint64_t number(const json_t *root, const char *key, bool *ok) {
    const json_t *v = json_object_get(root, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0) {
        *ok = false;
        return 0;
    }
    return (uint64_t)json_integer_value(v);
}

static counters read_counters(const char *folder) {
    counters c = {.limit = TCT_CACHE_LIMIT};
    char *path = join(folder, state_name), *text;
    size_t len;
    tct_diag d = {0};
    if (tct_file_read(&d, path, &text, &len)) {
        json_t *root = json_loadb(text, len, 0, NULL);
        bool ok = true;
        counters found = {number(root, "limit", &ok), number(root, "bytes", &ok), number(root, "hits", &ok),
                          number(root, "misses", &ok), true};
        if (ok && found.limit >= TCT_CACHE_LEAST_LIMIT) c = found;
        json_decref(root);
        tct_heap_free(text);
    }
    tct_diag_free(&d);
    free(path);
    return c;
}

static bool write_counters(tct_diag *d, const char *folder, const counters *c) {
    char *path = join(folder, state_name);
    tct_buf text = {0};
    tct_buf_printf(&text, "{\"limit\": %llu, \"bytes\": %llu, \"hits\": %llu, \"misses\": %llu}\n",
                   (unsigned long long)c->limit, (unsigned long long)c->bytes, (unsigned long long)c->hits,
                   (unsigned long long)c->misses);
    bool ok = tct_cache_write(d, folder, path, text.data, text.len);
    tct_buf_free(&text);
    free(path);
    return ok;
}

// The descriptor that holds the lock, or -1 when others hold it for all of `milliseconds`, or errno says why.
static int lock(const char *folder, int milliseconds) {
    char *path = join(folder, lock_name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    free(path);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || milliseconds-- <= 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return fd;
}

// --- What is in the folder ---

typedef struct file {
    char name[TCT_CACHE_NAME + 1];
    uint64_t bytes;
    struct timespec used;
} file;

typedef struct contents {
    TCT_VEC(file) entries, temporary; // temporary: of a process that is writing, or that died
    uint64_t bytes;                   // of the entries
} contents;

static void contents_free(contents *c) {
    TCT_VEC_FREE(&c->entries);
    TCT_VEC_FREE(&c->temporary);
}

static bool list(const char *folder, contents *out) {
    *out = (contents){0};
    DIR *dir = opendir(folder);
    if (!dir) return false;
    for (const struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name), prefix = strlen(TCT_CACHE_TEMPORARY);
        bool entry = len == TCT_CACHE_NAME && strspn(e->d_name, "0123456789abcdef") == len;
        bool temporary = len == prefix + 6 && strncmp(e->d_name, TCT_CACHE_TEMPORARY, prefix) == 0;
        struct stat st;
        if (!entry && !temporary) continue;
        if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode)) continue;
        file f = {.bytes = tct_cache_blocks((uint64_t)st.st_size), .used = st.st_mtim};
        memcpy(f.name, e->d_name, len + 1);
        if (temporary) {
            TCT_PUSH(&out->temporary, f);
            continue;
        }
        TCT_PUSH(&out->entries, f);
        out->bytes += f.bytes;
    }
    closedir(dir);
    return true;
}

static int by_use(const void *a, const void *b) {
    const file *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec) return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static bool drop(const char *folder, const file *f) {
    char *path = join(folder, f->name);
    bool gone = unlink(path) == 0 || errno == ENOENT;
    free(path);
    return gone;
}

// Drops the least recently used entries until `most` bytes are left, and what was abandoned; not what others
// are writing. The bytes that are left.
static uint64_t shrink(const char *folder, uint64_t most) {
    contents c;
    if (!list(folder, &c)) return 0;
    time_t now = time(NULL);
    for (size_t k = 0; k < c.temporary.len; k++)
        if (now - c.temporary.data[k].used.tv_sec > abandoned_seconds) drop(folder, &c.temporary.data[k]);
    if (c.bytes > most) qsort(c.entries.data, c.entries.len, sizeof *c.entries.data, by_use);
    for (size_t k = 0; k < c.entries.len && c.bytes > most; k++)
        if (drop(folder, &c.entries.data[k])) c.bytes -= c.entries.data[k].bytes;
    uint64_t left = c.bytes;
    contents_free(&c);
    return left;
}

bool tct_cache_count(const char *folder, uint64_t bytes, uint64_t hits, uint64_t misses) {
    enum { PATIENCE = 20 }; // milliseconds: nobody should wait for a counter
    int fd = lock(folder, PATIENCE);
    if (fd < 0) return false;
    counters c = read_counters(folder);
    c.hits += hits;
    c.misses += misses;
    c.bytes += bytes;
    if (!c.known || c.bytes > c.limit)
        c.bytes = shrink(folder,
                         c.known ? c.limit / 4 * 3 : c.limit); // with room for a while, so that this is rare
    tct_diag d = {0};
    bool ok = write_counters(&d, folder, &c);
    tct_diag_free(&d);
    close(fd);
    return ok;
}

// --- For `tercet cache` ---

bool tct_cache_survey(tct_diag *d, const char *folder, tct_cache_state *out) {
    contents c;
    *out = (tct_cache_state){.limit = TCT_CACHE_LIMIT};
    if (!list(folder, &c)) {
        if (errno == ENOENT) return true;
        return failed(d, "read", folder);
    }
    counters n = read_counters(folder);
    *out = (tct_cache_state){true, c.entries.len, c.bytes, n.limit, n.hits, n.misses};
    contents_free(&c);
    return true;
}

// Takes the lock for a command that can wait; -1 after reporting.
static int lock_patiently(tct_diag *d, const char *folder) {
    int fd = lock(folder, 10000);
    if (fd >= 0) return fd;
    if (errno == EWOULDBLOCK)
        tct_error(d, "E0844", TCT_NO_SPAN, "%s is being cleaned up by another process; try again", folder);
    else
        failed(d, "write to", folder);
    return -1;
}

bool tct_cache_clear(tct_diag *d, const char *folder) {
    struct stat st;
    if (stat(folder, &st) != 0 && errno == ENOENT) return true;
    int fd = lock_patiently(d, folder);
    if (fd < 0) return false;
    errno = 0;
    bool ok = shrink(folder, 0) == 0 || failed(d, "remove files of", folder);
    counters n = {.limit = read_counters(folder).limit};
    ok = ok && write_counters(d, folder, &n);
    close(fd);
    return ok;
}

bool tct_cache_set_limit(tct_diag *d, const char *folder, uint64_t limit) {
    if (!tct_make_dir(d, folder)) return false;
    int fd = lock_patiently(d, folder);
    if (fd < 0) return false;
    counters c = read_counters(folder);
    c.limit = limit;
    c.bytes = shrink(folder, limit);
    bool ok = write_counters(d, folder, &c);
    close(fd);
    return ok;
}
