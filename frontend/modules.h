// The modules of the library: the .tct files under a folder.
#ifndef TCT_FRONTEND_MODULES_H
#define TCT_FRONTEND_MODULES_H

#include "base/arena.h"

typedef struct tct_module {
    const char *name; // "std.loss.rm"
    const char *path; // "<std_dir>/loss/rm.tct"
} tct_module;

// All of them, sorted by name, in the arena; *n is 0 where there are none or the folder can't be read.
tct_module *tct_modules(tct_arena *a, const char *std_dir, size_t *n);
// The .tct files of one folder, names alone, sorted, in the arena.
const char **tct_folder_files(tct_arena *a, const char *dir, size_t *n);

#endif
