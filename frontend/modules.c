#include "frontend/modules.h"

#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FOLDERS = 8 }; // below each other: a folder that contains itself ends here

typedef struct tct_walk {
    tct_arena *arena;
    TCT_VEC(tct_module) found;
} tct_walk;

static bool is_tct(const char *name) {
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".tct") == 0;
}

static void walk(tct_walk *w, const char *dir, const char *prefix, int depth) {
    DIR *folder = opendir(dir);
    if (!folder) return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        const char *path = tct_path_join(w->arena, dir, entry->d_name);
        struct stat st;
        if (stat(path, &st) != 0) continue;
        if (S_ISDIR(st.st_mode) && depth < MAX_FOLDERS) {
            walk(w, path, tct_arena_printf(w->arena, "%s.%s", prefix, entry->d_name), depth + 1);
        } else if (S_ISREG(st.st_mode) && is_tct(entry->d_name)) {
            int stem = (int)strlen(entry->d_name) - 4;
            tct_module m = {tct_arena_printf(w->arena, "%s.%.*s", prefix, stem, entry->d_name), path};
            TCT_PUSH(&w->found, m);
        }
    }
    closedir(folder);
}

static int compare_modules(const void *a, const void *b) {
    return strcmp(((const tct_module *)a)->name, ((const tct_module *)b)->name);
}

tct_module *tct_modules(tct_arena *a, const char *std_dir, size_t *n) {
    tct_walk w = {.arena = a};
    walk(&w, std_dir, "std", 0);
    *n = w.found.len;
    tct_module *modules = TCT_NEW_ARRAY(a, tct_module, w.found.len);
    if (*n) {
        qsort(w.found.data, *n, sizeof *modules, compare_modules);
        memcpy(modules, w.found.data, *n * sizeof *modules);
    }
    TCT_VEC_FREE(&w.found);
    return modules;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **tct_folder_files(tct_arena *a, const char *dir, size_t *n) {
    TCT_VEC(const char *) found = {0};
    DIR *folder = opendir(dir);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_tct(entry->d_name)) TCT_PUSH(&found, tct_arena_strdup(a, entry->d_name));
    if (folder) closedir(folder);
    *n = found.len;
    const char **names = TCT_NEW_ARRAY(a, const char *, found.len);
    if (*n) {
        qsort(found.data, *n, sizeof *names, compare_names);
        memcpy(names, found.data, *n * sizeof *names);
    }
    TCT_VEC_FREE(&found);
    return names;
}
