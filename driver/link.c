#include "driver/link.h"

#include "base/file.h"
#include "driver/driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const unsigned char tct_embed_trainer_layout[]; // driver/trainer.ld
extern const size_t tct_embed_trainer_layout_len;

// What is linked with the code of a program.
typedef struct linked_runtime {
    const char *name, *variable, *file;
} linked_runtime;
static const linked_runtime trainer_runtime = {"trainer", "TERCET_RUNTIME", "trainer-runtime.o"},
                            library_runtime = {"library", "TERCET_LIBRARY_RUNTIME", "library-runtime.a"};

// `name` in the folders of PATH, NULL where there is none.
static const char *in_path(tct_arena *a, const char *name) {
    if (strchr(name, '/')) return access(name, X_OK) == 0 ? name : NULL;
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        const char *full = tct_path_join(a, tct_arena_strndup(a, path, n), name);
        if (n && access(full, X_OK) == 0) return full;
        path += n + (path[n] == ':');
    }
    return NULL;
}

const char *tct_linker(tct_diag *d, const char *wanted) {
    static const char *const known[] = {"ld.lld-19", "ld.lld", "ld"};
    const char *found = wanted ? in_path(&d->arena, wanted) : NULL;
    for (size_t i = 0; !wanted && !found && i < sizeof known / sizeof *known; i++)
        found = in_path(&d->arena, known[i]);
    if (found) return found;
    if (wanted) {
        tct_error(d, "E0846", TCT_NO_SPAN, "there is no linker `%s`", wanted);
        tct_help(d, "without --linker, ld.lld-19, ld.lld and ld are looked for in PATH");
    } else {
        tct_error(d, "E0846", TCT_NO_SPAN,
                  "an executable needs a linker, and PATH has no ld.lld-19, ld.lld or ld");
        tct_help(d, "install one (Debian: lld-19 or binutils), or give its path: --linker /path/to/ld.lld");
    }
    return NULL;
}

// The file that a library was loaded from into this process, NULL after reporting.
static const char *library_file(tct_diag *d, const char *name) {
    void *library = dlopen(name, RTLD_LAZY);
    struct link_map *map;
    const char *file = NULL;
    if (library && dlinfo(library, RTLD_DI_LINKMAP, &map) == 0)
        file = tct_arena_strdup(&d->arena, map->l_name);
    if (!file) tct_error(d, "E0846", TCT_NO_SPAN, "the system's %s cannot be found: %s", name, dlerror());
    if (library) dlclose(library);
    return file;
}

static const char *runtime_file(tct_diag *d, const linked_runtime *r) {
    static const char *const places[] = {".", "../lib/tercet"};
    const char *set = getenv(r->variable), *bin = tct_program_folder(&d->arena);
    if (set && set[0]) {
        if (access(set, R_OK) == 0) return tct_arena_strdup(&d->arena, set);
        tct_error(d, "E0846", TCT_NO_SPAN, "the %s runtime cannot be read: %s is %s: %s", r->name,
                  r->variable, set, strerror(errno));
        return NULL;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *file = tct_path_join(&d->arena, tct_path_join(&d->arena, bin, places[i]), r->file);
        if (access(file, R_OK) == 0) return file;
    }
    tct_error(d, "E0846", TCT_NO_SPAN, "the %s runtime, %s, is neither in %s nor in %s/../lib/tercet",
              r->name, r->file, bin, bin);
    tct_help(d, "it is made with Tercet; the environment variable %s says where it is", r->variable);
    return NULL;
}

// Everything that the linker says goes to `said`. Its exit status, -1 when it couldn't be started or died.
static int run(const char *const *args, tct_buf *said) {
    int pipes[2];
    if (pipe(pipes) != 0) return -1;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipes[0]);
    posix_spawn_file_actions_addclose(&actions, pipes[1]);
    // No variable that changes what is linked.
    const char *kept[] = {"PATH", "LD_LIBRARY_PATH", "TMPDIR"}, *environment[8] = {"LC_ALL=C"};
    tct_arena a = {0};
    for (size_t i = 0, n = 1; i < sizeof kept / sizeof *kept; i++)
        if (getenv(kept[i])) environment[n++] = tct_arena_printf(&a, "%s=%s", kept[i], getenv(kept[i]));
    pid_t child;
    int status = posix_spawn(&child, args[0], &actions, NULL, (char *const *)(uintptr_t)args,
                             (char *const *)(uintptr_t)environment);
    tct_arena_free(&a);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    if (status == 0) {
        char piece[4096];
        for (ssize_t n; (n = read(pipes[0], piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR);)
            if (n > 0) tct_buf_add(said, piece, (size_t)n);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
        status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    } else {
        tct_buf_puts(said, strerror(status));
        status = -1;
    }
    close(pipes[0]);
    return status;
}

typedef TCT_VEC(const char *) arguments;

// A folder beside `out` for what is linked; its name never gets into the executable.
static char *work_folder(tct_diag *d, const char *out) {
    char *folder = tct_arena_printf(&d->arena, "%s.XXXXXX", out);
    if (mkdtemp(folder)) return folder;
    tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", out, strerror(errno));
    return NULL;
}

static void remove_folder(const char *folder, const arguments *files) {
    for (size_t i = 0; i < files->len; i++) unlink(files->data[i]);
    rmdir(folder);
}

// A file that nobody needs after a crash: no temporary name, no waiting for the disk.
static bool write_part(tct_diag *d, const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(data, 1, n, f) == n;
    if (f && fclose(f) != 0) ok = false;
    return ok || tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", path, strerror(errno));
}

static bool write_objects(tct_diag *d, const tct_objects *objects, const char *folder, arguments *files) {
    for (size_t i = 0; i < objects->n; i++) {
        const char *file = tct_arena_printf(&d->arena, "%s/tercet-kernel-%zu.o", folder, i);
        TCT_PUSH(files, file);
        LLVMMemoryBufferRef o = objects->data[i];
        if (!write_part(d, file, LLVMGetBufferStart(o), LLVMGetBufferSize(o))) return false;
    }
    return true;
}

// Runs args[0] with the rest, and frees the arguments.
static bool run_linker(tct_diag *d, arguments *args) {
    TCT_PUSH(args, NULL);
    tct_buf said = {0};
    int status = run(args->data, &said);
    while (said.len && said.data[said.len - 1] == '\n') said.data[--said.len] = 0;
    if (status != 0)
        tct_error(d, "E0847", TCT_NO_SPAN, "the linker %s failed: %s", args->data[0],
                  said.len ? said.data : "it died");
    tct_buf_free(&said);
    TCT_VEC_FREE(args);
    return status == 0;
}

static bool link_files(tct_diag *d, const char *linker, const arguments *files, const char *const *more,
                       size_t n_more, const char *layout, const char *out) {
    const char *runtime = runtime_file(d, &trainer_runtime),
               *libm = runtime ? library_file(d, "libm.so.6") : NULL;
    const char *libc = libm ? library_file(d, "libc.so.6") : NULL;
    if (!libc) return false;
    const char *const before[] = {linker,
                                  "-o",
                                  out,
                                  "-pie",
                                  "--dynamic-linker=/lib64/ld-linux-x86-64.so.2",
                                  "--eh-frame-hdr",
                                  "--gc-sections",
                                  "--build-id=none",
                                  "--hash-style=gnu",
                                  "--strip-debug",
                                  "-z",
                                  "relro",
                                  "-z",
                                  "now",
                                  "-z",
                                  "noexecstack",
                                  "--as-needed",
                                  "--allow-shlib-undefined",
                                  "-T",
                                  layout,
                                  runtime};
    arguments args = {0};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) TCT_PUSH(&args, before[i]);
    // Otherwise lld writes into a mapping of the file, and dies where the disk is full.
    if (strstr(linker, "lld")) TCT_PUSH(&args, "--no-mmap-output-file");
    for (size_t i = 0; i < files->len; i++) TCT_PUSH(&args, files->data[i]);
    for (size_t i = 0; i < n_more; i++) TCT_PUSH(&args, more[i]);
    TCT_PUSH(&args, libm);
    TCT_PUSH(&args, libc);
    return run_linker(d, &args);
}

// On the disk before it has its name.
static bool put_in_place(tct_diag *d, const char *linked, const char *out) {
    int fd = open(linked, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0 && rename(linked, out) == 0;
    if (!ok) tct_error(d, "E0702", TCT_NO_SPAN, "cannot write %s: %s", out, strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

bool tct_link_trainer(tct_diag *d, const char *linker, const tct_objects *objects, const char *const *more,
                      size_t n_more, const char *out) {
    const char *folder = work_folder(d, out);
    if (!folder) return false;
    arguments files = {0};
    const char *linked = tct_path_join(&d->arena, folder, "linked");
    const char *layout = tct_path_join(&d->arena, folder, "layout.ld");
    bool ok = write_objects(d, objects, folder, &files) &&
              write_part(d, layout, tct_embed_trainer_layout, tct_embed_trainer_layout_len) &&
              link_files(d, linker, &files, more, n_more, layout, linked);
    ok = ok && put_in_place(d, linked, out);
    TCT_PUSH(&files, linked);
    TCT_PUSH(&files, layout);
    remove_folder(folder, &files);
    TCT_VEC_FREE(&files);
    return ok;
}

static bool link_relocatable(tct_diag *d, const char *linker, const arguments *files,
                             const char *const *roots, size_t n_roots, const char *out) {
    const char *runtime = runtime_file(d, &library_runtime);
    if (!runtime) return false;
    arguments args = {0};
    const char *const before[] = {linker,           "-r", "-o", out, "--gc-sections", "--strip-debug",
                                  "--build-id=none"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) TCT_PUSH(&args, before[i]);
    if (strstr(linker, "lld")) TCT_PUSH(&args, "--no-mmap-output-file");
    TCT_PUSH(&args, "-e");
    TCT_PUSH(&args, roots[0]);
    for (size_t i = 0; i < n_roots; i++) {
        TCT_PUSH(&args, "-u");
        TCT_PUSH(&args, roots[i]);
    }
    for (size_t i = 0; i < files->len; i++) TCT_PUSH(&args, files->data[i]);
    TCT_PUSH(&args, runtime);
    return run_linker(d, &args);
}

bool tct_link_library(tct_diag *d, const char *linker, const tct_objects *objects, const char *beside,
                      const char *const *roots, size_t n_roots, tct_buf *out) {
    const char *folder = work_folder(d, beside);
    if (!folder) return false;
    arguments files = {0};
    const char *linked = tct_path_join(&d->arena, folder, "linked.o");
    bool ok = write_objects(d, objects, folder, &files) &&
              link_relocatable(d, linker, &files, roots, n_roots, linked);
    char *bytes;
    size_t n;
    if (ok && (ok = tct_file_read(d, linked, &bytes, &n))) {
        tct_buf_add(out, bytes, n);
        tct_heap_free(bytes);
    }
    TCT_PUSH(&files, linked);
    remove_folder(folder, &files);
    TCT_VEC_FREE(&files);
    return ok;
}
