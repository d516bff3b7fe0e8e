#include "runtime/library.h"

#include "base/buf.h"
#include "base/file.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

// Opens the file if it is there. A file that is there and can't be opened ends the search: *failed says why.
static void *open_file(const char *path, tct_buf *tried, const char **failed) {
    tct_buf_printf(tried, "%s%s", tried->len ? ", " : "", path);
    if (access(path, F_OK) != 0) return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) *failed = dlerror();
    return library;
}

static void *search(tct_arena *a, const char *path, tct_buf *tried, const char **failed) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    void *library = open_file(path, tried, failed);
    if (!library && !*failed) {
        const char *folder = tct_program_folder(a);
        library = open_file(tct_path_join(a, folder, name), tried, failed);
        if (!library && !*failed) {
            folder = tct_path_join(a, folder, "examples");
            library = open_file(tct_path_join(a, folder, name), tried, failed);
        }
    }
    if (library || *failed) return library;
    library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) *failed = dlerror();
    return library;
}

void *tct_library_symbol(tct_diag *d, const char *folder, const char *path, const char *symbol) {
    bool itself = !path || !*path;
    tct_arena a = {0};
    tct_buf tried = {0};
    if (!itself) path = tct_path_join(&a, folder, path);
    const char *failed = NULL;
    void *library = itself ? dlopen(NULL, RTLD_NOW | RTLD_LOCAL) : search(&a, path, &tried, &failed);
    void *fn = library ? dlsym(library, symbol) : NULL;
    if (!library) {
        tct_error(d, "E0850", TCT_NO_SPAN, "the library of '%s' cannot be opened: looked for %s (%s)", symbol,
                  itself ? "the program itself" : tried.data, failed ? failed : dlerror());
        tct_help(d, "build it with `cc -shared -fPIC -o %s …`", itself ? "libname.so" : path);
    } else if (!fn) {
        tct_error(d, "E0850", TCT_NO_SPAN, "%s has no function '%s'", itself ? "this program" : path, symbol);
        tct_help(d, "`nm -D` lists what a library exports; functions of C++ need extern \"C\"");
    }
    tct_buf_free(&tried);
    tct_arena_free(&a);
    return fn;
}
