// Paths in programs. What a program holds must not depend on the folder that it is compiled in, nor on how
// its file was named: it is relative to the folder of the main file, and found from there again when it runs.
#include "base/file.h"
#include "frontend/elab_internal.h"

#include <string.h>

static const char *main_folder(tct_elab *e) {
    const tct_ast *main = e->package->files.data[e->package->files.len - 1];
    return tct_path_dir(&e->arena, main->path);
}

const char *tct_elab_beside(tct_elab *e, const char *path) {
    const char *folder = tct_path_join(&e->arena, main_folder(e), "");
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 ? path + n : path;
}

tct_val *tct_elab_path(tct_elab *e, const tct_ast *file, const char *text, tct_span span) {
    tct_val *v = tct_val_string(e, tct_path_join(&e->arena, tct_path_dir(&e->arena, file->path), text), span);
    v->beside = tct_elab_beside(e, v->s) != v->s;
    return v;
}
