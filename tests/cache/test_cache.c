// The compile cache as a store: what is kept comes back, and nothing else is ever believed.
#include "codegen/cache.h"
#include "codegen/identity.h"
#include "tests/support/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MAGIC = 8, CHECKED = 24, HEADER = 40, OBJECT = 300 };
static const char generator[] = "a generator";

typedef struct world {
    tct_arena arena;
    const char *folder;
} world;

static int set_up(void **state) {
    world *w = calloc(1, sizeof *w);
    w->folder = machine_folder(&w->arena);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    world *w = *state;
    machine_remove_folder(w->folder);
    tct_arena_free(&w->arena);
    free(w);
    return 0;
}

// The object of key number k: what it holds tells k, its length too.
static size_t object_of(int k, unsigned char *out) {
    size_t n = OBJECT + (size_t)(k % 7);
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)((size_t)k * 31 + i * 7);
    return n;
}

static void put(tct_cache *c, int k) {
    unsigned char object[2 * OBJECT];
    char key[32];
    snprintf(key, sizeof key, "kernel %d", k);
    tct_cache_put(c, key, object, object_of(k, object));
}

// Whether the object of key k is there; one that is there must be its own.
static bool get(tct_cache *c, int k) {
    unsigned char expected[2 * OBJECT];
    char key[32];
    void *object;
    size_t len;
    snprintf(key, sizeof key, "kernel %d", k);
    if (!tct_cache_get(c, key, &object, &len)) return false;
    size_t n = object_of(k, expected);
    assert_int_equal(len, n);
    assert_memory_equal(object, expected, n);
    tct_heap_free(object);
    return true;
}

// Path of the only entry.
static char *entry_path(const world *w) {
    DIR *dir = opendir(w->folder);
    char *found = NULL;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (strlen(e->d_name) != 32) continue;
        assert_null(found);
        found = tct_arena_printf((tct_arena *)(uintptr_t)&w->arena, "%s/%s", w->folder, e->d_name);
    }
    closedir(dir);
    assert_non_null(found);
    return found;
}

static void write_file(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
}

static size_t read_file(const char *path, unsigned char *out, size_t room) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, room, f);
    fclose(f);
    return n;
}

static int count_names(const char *folder, const char *prefix) {
    DIR *dir = opendir(folder);
    int n = 0;
    for (const struct dirent *e; (e = readdir(dir));) n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return n;
}

static tct_cache_state survey(const char *folder) {
    tct_diag d = {0};
    tct_cache_state s;
    assert_true(tct_cache_survey(&d, folder, &s));
    tct_diag_free(&d);
    return s;
}

static void test_kept(void **state) {
    world *w = *state;
    const char *folder = tct_arena_printf(&w->arena, "%s/not/there/yet", w->folder);
    assert_false(survey(folder).there);
    tct_cache *c = tct_cache_open(folder, generator);
    for (int k = 0; k < 20; k++) assert_false(get(c, k));
    assert_int_not_equal(access(folder, F_OK), 0); // looking makes nothing
    for (int k = 0; k < 20; k++) put(c, k);
    for (int k = 0; k < 20; k++) assert_true(get(c, k));
    assert_false(get(c, 20));
    tct_cache_use use = tct_cache_used(c);
    assert_int_equal(use.hits, 20);
    assert_int_equal(use.misses, 21);
    assert_int_equal(use.replaced, 0);
    assert_null(use.problem);
    assert_int_equal(use.n_notes, 0);
    tct_cache_close(c);

    c = tct_cache_open(folder, generator); // another process
    for (int k = 0; k < 20; k++) assert_true(get(c, k));
    tct_cache_close(c);
    tct_cache_state s = survey(folder);
    assert_true(s.there);
    assert_int_equal(s.entries, 20);
    assert_int_equal(s.bytes, 20 * TCT_CACHE_BLOCK);
    assert_int_equal(s.hits, 40);
    assert_int_equal(s.misses, 21);
    assert_int_equal(s.limit, TCT_CACHE_LIMIT);

    c = tct_cache_open(folder, "another generator"); // whose code is other code
    for (int k = 0; k < 20; k++) assert_false(get(c, k));
    assert_int_equal(tct_cache_used(c).replaced, 0);
    tct_cache_close(c);
}

// What lies in an entry's place is not believed, is told, and makes room for the right one.
static void rejected(world *w, const char *what) {
    tct_cache *c = tct_cache_open(w->folder, generator);
    if (get(c, 1)) fail_msg("%s: the entry was believed", what);
    tct_cache_use use = tct_cache_used(c);
    assert_int_equal(use.replaced, 1);
    assert_int_equal(use.n_notes, 1);
    assert_non_null(strstr(use.notes[0], w->folder));
    put(c, 1);
    assert_null(tct_cache_used(c).problem);
    assert_true(get(c, 1));
    tct_cache_close(c);
}

static void seal(unsigned char *entry, size_t n) {
    XXH128_hash_t hash = XXH3_128bits(entry + CHECKED, n - CHECKED);
    memcpy(entry + MAGIC, &hash.low64, 8);
    memcpy(entry + MAGIC + 8, &hash.high64, 8);
}

static void test_damage(void **state) {
    world *w = *state;
    unsigned char good[2048], bad[2048];
    tct_cache *c = tct_cache_open(w->folder, generator);
    put(c, 1);
    tct_cache_close(c);
    char *path = entry_path(w);
    size_t n = read_file(path, good, sizeof good);
    assert_true(n > HEADER + OBJECT && n < sizeof good - 1);

    for (size_t cut = 0; cut < n; cut++) {
        write_file(path, good, cut);
        rejected(w, "cut off");
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(bad, good, n);
        bad[i] ^= (unsigned char)(1u << i % 8);
        write_file(path, bad, n);
        rejected(w, "a flipped bit");
    }
    memcpy(bad, good, n);
    bad[n] = 0;
    write_file(path, bad, n + 1);
    rejected(w, "one byte too many");
    memset(bad, 0, n);
    write_file(path, bad, n);
    rejected(w, "zeros, as a crash of the system leaves them");
    static const char foreign[] = "#!/bin/sh\necho this is no entry, and longer than the header of one\n";
    write_file(path, foreign, sizeof foreign);
    rejected(w, "a foreign file");

    // With a right checksum.
    for (size_t at = CHECKED; at < HEADER; at += 4) {
        memcpy(bad, good, n);
        bad[at] ^= 2; // the version, the length of the key, both halves of that of the object
        seal(bad, n);
        write_file(path, bad, n);
        rejected(w, "a header of another version, or with wrong lengths");
    }
    memcpy(bad, good, n);
    memset(bad + CHECKED + 4, 0xff, 12);
    seal(bad, n);
    write_file(path, bad, n);
    rejected(w, "the largest lengths");
    memcpy(bad, good, n);
    bad[HEADER] ^= 1;
    seal(bad, n);
    write_file(path, bad, n);
    rejected(w, "an entry with another key");
}

static void test_no_file(void **state) {
    world *w = *state;
    tct_cache *c = tct_cache_open(w->folder, generator);
    put(c, 1);
    tct_cache_close(c);
    char *path = entry_path(w);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    rejected(w, "a pipe"); // and nobody waits for it
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    rejected(w, "a link");
    assert_int_equal(unlink(path), 0);
    write_file(path, "", 0);
    assert_int_equal(truncate(path, INT64_C(1) << 32), 0);
    rejected(w, "a file of four gigabytes");

    assert_int_equal(unlink(path), 0); // what can't be replaced
    assert_int_equal(mkdir(path, 0700), 0);
    c = tct_cache_open(w->folder, generator);
    assert_false(get(c, 1));
    put(c, 1);
    assert_non_null(tct_cache_used(c).problem);
    assert_false(get(c, 1));
    tct_cache_close(c);
    assert_int_equal(count_names(w->folder, "tmp-"), 0);
    assert_int_equal(rmdir(path), 0);
}

// Nothing can be written: all goes on without, and the reason is known.
static void unwritable(world *w, const char *folder) {
    tct_cache *c = tct_cache_open(folder, generator);
    assert_false(get(c, 1));
    put(c, 1);
    put(c, 2);
    tct_cache_use use = tct_cache_used(c);
    assert_non_null(use.problem);
    assert_non_null(strstr(use.problem, w->folder));
    assert_false(get(c, 1));
    tct_cache_close(c);
}

static void test_unwritable(void **state) {
    world *w = *state;
    const char *file = tct_arena_printf(&w->arena, "%s/file", w->folder);
    write_file(file, "x", 1);
    unwritable(w, file);
    unwritable(w, tct_arena_printf(&w->arena, "%s/below", file));

    tct_cache *c = tct_cache_open(w->folder, generator);
    put(c, 7);
    tct_cache_close(c);
    assert_int_equal(chmod(w->folder, 0555), 0);
    bool root = geteuid() == 0; // may write everywhere, so somebody else looks
    if (root) assert_int_equal(seteuid(65534), 0);
    unwritable(w, w->folder);
    c = tct_cache_open(w->folder, generator); // what is there serves
    assert_true(get(c, 7));
    assert_null(tct_cache_used(c).problem);
    tct_cache_close(c);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(w->folder, 0700), 0);
}

// A full disk, played by a limit on the size of files.
static void test_full(void **state) {
    world *w = *state;
    tct_cache *c = tct_cache_open(w->folder, generator);
    put(c, 1);
    tct_cache_close(c);
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 64;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    c = tct_cache_open(w->folder, generator);
    put(c, 2);
    bool told = tct_cache_used(c).problem != NULL, kept = get(c, 1), lost = !get(c, 2);
    tct_cache_close(c);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(told);
    assert_true(kept);
    assert_true(lost);
    assert_int_equal(count_names(w->folder, "tmp-"), 0);
}

// Code is run only from folders that nobody else can have written to.
static void test_trust(void **state) {
    world *w = *state;
    tct_cache *c = tct_cache_open(w->folder, generator);
    put(c, 1);
    tct_cache_close(c);
    assert_int_equal(chmod(w->folder, 0777), 0);
    c = tct_cache_open(w->folder, generator);
    assert_false(get(c, 1));
    put(c, 2);
    assert_non_null(strstr(tct_cache_used(c).problem, "everybody"));
    tct_cache_close(c);
    assert_int_equal(chmod(w->folder, 0700), 0);
    c = tct_cache_open(w->folder, generator);
    assert_true(get(c, 1));
    assert_false(get(c, 2));
    tct_cache_close(c);
    if (geteuid() != 0) return;
    assert_int_equal(chown(w->folder, 65534, 65534), 0);
    c = tct_cache_open(w->folder, generator);
    assert_false(get(c, 1));
    assert_non_null(strstr(tct_cache_used(c).problem, "another user"));
    tct_cache_close(c);
}

static void used_at(const char *path, time_t when) {
    struct timespec times[2] = {{when, 0}, {when, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

// The limit in blocks is 256; what was used least recently goes, and nothing that isn't the cache's.
static void test_limit(void **state) {
    world *w = *state;
    enum { ENTRIES = 250 };
    tct_diag d = {0};
    assert_true(tct_cache_set_limit(&d, w->folder, TCT_CACHE_LEAST_LIMIT));
    const char *mine = tct_arena_printf(&w->arena, "%s/notes.txt", w->folder),
               *old = tct_arena_printf(&w->arena, "%s/tmp-abcdef", w->folder),
               *new = tct_arena_printf(&w->arena, "%s/tmp-ghijkl", w->folder);
    write_file(mine, "mine", 4);
    write_file(old, "abandoned", 9);
    write_file(new, "in the making", 13);
    time_t now = time(NULL);
    used_at(old, now - 7200);
    tct_cache *c = tct_cache_open(w->folder, generator);
    for (int k = 0; k < ENTRIES; k++) put(c, k);
    tct_cache_close(c);
    assert_int_equal(survey(w->folder).entries, ENTRIES);
    assert_int_equal(access(old, F_OK), 0); // no clean-up so far

    DIR *dir = opendir(w->folder); // all used long ago, the even ones of late
    for (const struct dirent *e; (e = readdir(dir));)
        if (strlen(e->d_name) == 32)
            used_at(tct_arena_printf(&w->arena, "%s/%s", w->folder, e->d_name), now - 100000);
    closedir(dir);
    c = tct_cache_open(w->folder, generator);
    for (int k = 0; k < ENTRIES; k += 2) assert_true(get(c, k));
    for (int k = ENTRIES; k < ENTRIES + 10; k++) put(c, k);
    tct_cache_close(c);

    tct_cache_state s = survey(w->folder);
    assert_in_range(s.bytes, TCT_CACHE_LEAST_LIMIT / 2, TCT_CACHE_LEAST_LIMIT * 3 / 4);
    assert_int_equal(s.limit, TCT_CACHE_LEAST_LIMIT);
    c = tct_cache_open(w->folder, generator);
    for (int k = 0; k < ENTRIES; k += 2) assert_true(get(c, k));
    for (int k = ENTRIES; k < ENTRIES + 10; k++) assert_true(get(c, k));
    int left = 0;
    for (int k = 1; k < ENTRIES; k += 2) left += get(c, k);
    assert_int_equal(left, s.entries - ENTRIES / 2 - 10);
    assert_in_range(left, 1, ENTRIES / 2 - 1);
    tct_cache_close(c);
    assert_int_equal(access(mine, F_OK), 0);
    assert_int_not_equal(access(old, F_OK), 0);
    assert_int_equal(access(new, F_OK), 0);

    assert_true(tct_cache_clear(&d, w->folder));
    s = survey(w->folder);
    assert_int_equal(s.entries + s.bytes + s.hits + s.misses, 0);
    assert_int_equal(s.limit, TCT_CACHE_LEAST_LIMIT);
    assert_int_equal(access(mine, F_OK), 0);
    tct_diag_free(&d);
}

// Counters that are lost or damaged are counted anew; the entries serve all the same.
static void test_counters(void **state) {
    world *w = *state;
    static const char *const damaged[] = {
        "", "{", "[]", "{}", "\0", "{\"limit\": -1, \"bytes\": 0, \"hits\": 0, \"misses\": 0}", NULL};
    const char *path = tct_arena_printf(&w->arena, "%s/tercet-cache.json", w->folder);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        tct_cache *c = tct_cache_open(w->folder, generator);
        put(c, (int)i);
        tct_cache_close(c);
        if (damaged[i])
            write_file(path, damaged[i], strlen(damaged[i]));
        else
            unlink(path);
        c = tct_cache_open(w->folder, generator);
        assert_true(get(c, (int)i));
        tct_cache_close(c);
        tct_cache_state s = survey(w->folder);
        assert_int_equal(s.hits, 1);
        assert_int_equal(s.entries, i + 1);
        assert_int_equal(s.limit, TCT_CACHE_LIMIT);
    }
}

// --- Many at once ---

enum { KEYS = 300, TURNS = 1500 };

// Puts, gets, cleans up and now and then damages, until all turns are over. get() holds entries to their
// keys.
static void stir(tct_cache *c, const char *folder, unsigned seed, bool destroy) {
    tct_diag d = {0};
    for (int t = 0; t < TURNS; t++) {
        seed = seed * 1103515245u + 12345u;
        int k = (int)(seed >> 16) % KEYS;
        if (!get(c, k)) put(c, k);
        if (t % 100 == 99) tct_cache_flush(c);
        if (destroy && t % 400 == 399) tct_cache_clear(&d, folder);
    }
    assert_null(tct_cache_used(c).problem);
    tct_diag_free(&d);
}

static void test_processes(void **state) {
    world *w = *state;
    tct_diag d = {0};
    assert_true(tct_cache_set_limit(&d, w->folder, TCT_CACHE_LEAST_LIMIT));
    tct_diag_free(&d);
    pid_t children[4];
    for (unsigned i = 0; i < 4; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            tct_cache *c = tct_cache_open(w->folder, generator);
            stir(c, w->folder, i, i == 0);
            bool whole = tct_cache_used(c).replaced == 0; // nobody ever sees half an entry
            tct_cache_close(c);
            _exit(whole ? 0 : 1);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_true(survey(w->folder).entries > 0);
    tct_cache *c = tct_cache_open(w->folder, generator); // the next clean-up brings it under its limit
    for (int k = 0; k < KEYS; k++) put(c, k);
    tct_cache_close(c);
    assert_true(survey(w->folder).bytes <= TCT_CACHE_LEAST_LIMIT);
    assert_int_equal(count_names(w->folder, "tmp-"), 0);
}

typedef struct stirrer {
    tct_cache *cache;
    const char *folder;
    unsigned seed;
    pthread_t thread;
} stirrer;

static void *stir_thread(void *arg) {
    stirrer *s = arg;
    for (int t = 0; t < TURNS; t++) {
        s->seed = s->seed * 1103515245u + 12345u;
        int k = (int)(s->seed >> 16) % KEYS;
        if (!get(s->cache, k)) put(s->cache, k);
    }
    return NULL;
}

static void test_threads(void **state) {
    world *w = *state;
    stirrer stirrers[4];
    tct_cache *c = tct_cache_open(w->folder, generator);
    for (unsigned i = 0; i < 4; i++) {
        stirrers[i] = (stirrer){.cache = c, .folder = w->folder, .seed = i};
        assert_int_equal(pthread_create(&stirrers[i].thread, NULL, stir_thread, &stirrers[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(stirrers[i].thread, NULL);
    tct_cache_use use = tct_cache_used(c);
    assert_int_equal(use.hits + use.misses, 4 * TURNS);
    assert_int_equal(use.replaced, 0);
    assert_null(use.problem);
    tct_cache_close(c);
    tct_cache_state s = survey(w->folder);
    assert_int_equal(s.entries, KEYS);
    assert_int_equal(s.hits + s.misses, 4 * TURNS);
}

static void test_identity(void **state) {
    (void)state;
    tct_buf a = {0}, b = {0};
    const char *why = NULL;
    assert_true(tct_codegen_identity(&a, &why));
    assert_true(tct_codegen_identity(&b, &why));
    assert_string_equal(a.data, b.data);
    assert_non_null(strstr(a.data, " llvm "));
    assert_null(strchr(a.data, '\n'));
    tct_buf_free(&a);
    tct_buf_free(&b);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_kept),
                                       TEST(test_damage),
                                       TEST(test_no_file),
                                       TEST(test_unwritable),
                                       TEST(test_full),
                                       TEST(test_trust),
                                       TEST(test_limit),
                                       TEST(test_counters),
                                       TEST(test_processes),
                                       TEST(test_threads),
                                       cmocka_unit_test(test_identity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
