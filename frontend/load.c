// From a path to the trees of a file and of everything it uses.
#include "base/file.h"
#include "frontend/ast.h"
#include "frontend/modules.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 64 << 20 }; // bytes; spans count them in 32 bits

typedef struct tct_loader {
    tct_diag *d;
    tct_package *u;
    TCT_VEC(const char *) identities; // of files and main: canonical paths
    TCT_VEC(tct_ast *) trees;         // of identities
} tct_loader;

// The canonical path, so that two ways to one file are one file; the path itself where there is no file.
static const char *identity(tct_loader *l, const char *path) {
    char *real = realpath(path, NULL);
    const char *kept = tct_arena_strdup(&l->u->arena, real ? real : path);
    free(real);
    return kept;
}

static tct_ast *find(const tct_loader *l, const char *id) {
    for (size_t k = 0; k < l->identities.len; k++)
        if (strcmp(l->identities.data[k], id) == 0) return l->trees.data[k];
    return NULL;
}

static tct_ast *parse_text(tct_loader *l, const char *path, const char *text, size_t len) {
    if (len > MAX_FILE) {
        tct_error(l->d, "E0701", TCT_NO_SPAN, "%s is larger than %d bytes", path, MAX_FILE);
        return NULL;
    }
    tct_ast *ast = tct_parse(l->d, tct_diag_add_source(l->d, path, text, len));
    TCT_PUSH(&l->identities, identity(l, path));
    TCT_PUSH(&l->trees, ast);
    return ast;
}

static const char *unsaved(tct_loader *l, const char *path, size_t *len) {
    return l->u->unsaved ? l->u->unsaved(l->u->unsaved_ctx, identity(l, path), len) : NULL;
}

static bool exists(tct_loader *l, const char *path) {
    size_t len;
    return access(path, F_OK) == 0 || unsaved(l, path, &len);
}

// What isn't a file, such as a pipe, might never end or never begin.
static bool is_file(tct_loader *l, const tct_item *use, const char *path) {
    struct stat st;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode)) return true;
    return tct_error(l->d, "E0701", use->name.span, "%s is %s, a file was expected", path,
                     S_ISDIR(st.st_mode) ? "a folder" : "a device or a pipe");
}

// The tree of the file, read on first use.
static tct_ast *load_file(tct_loader *l, const char *path) {
    tct_ast *known = find(l, identity(l, path));
    if (known) return known;
    char *text;
    size_t len;
    const char *edited = unsaved(l, path, &len);
    if (edited) return parse_text(l, path, edited, len);
    if (!tct_file_read(l->d, path, &text, &len)) return NULL;
    tct_ast *ast = parse_text(l, path, text, len);
    tct_heap_free(text);
    return ast;
}

static void unknown_module(tct_loader *l, const tct_item *use, const char *path) {
    tct_error(l->d, "E0210", use->name.span, "there is no module `%s`", use->name.text);
    tct_note_at(l->d, TCT_NO_SPAN, "looked for %s", path);
    size_t n;
    tct_module *modules = tct_modules(&l->d->arena, l->u->std_dir, &n);
    const char **names = TCT_NEW_ARRAY(&l->d->arena, const char *, n);
    for (size_t k = 0; k < n; k++) names[k] = modules[k].name;
    const char *near = tct_nearest(use->name.text, names, n);
    const char *last = strrchr(use->name.text, '.');
    for (size_t k = 0; !near && last && k < n; k++) { // the same file name in another folder
        const char *module_last = strrchr(names[k], '.');
        if (strcmp(module_last, last) == 0) near = names[k];
    }
    if (near)
        tct_help(l->d, "did you mean `%s`?", near);
    else
        tct_help(l->d, "`tercet std` lists the modules");
}

static void unknown_file(tct_loader *l, const tct_item *use, const char *path) {
    tct_error(l->d, "E0210", use->name.span, "there is no file \"%s\"", use->name.text);
    tct_note_at(l->d, TCT_NO_SPAN, "looked for %s: the path is relative to the file that uses it", path);
    size_t n;
    const char **names = tct_folder_files(&l->d->arena, tct_path_dir(&l->d->arena, path), &n);
    const char *slash = strrchr(use->name.text, '/');
    const char *base = slash ? slash + 1 : use->name.text;
    int folder = slash ? (int)(base - use->name.text) : 0;
    const char *near = tct_nearest(base, names, n);
    if (!near) near = tct_nearest(tct_arena_printf(&l->d->arena, "%s.tct", base), names, n);
    if (near) tct_help(l->d, "did you mean \"%.*s%s\"?", folder, use->name.text, near);
}

// Where `use` looks; NULL after a report.
static const char *resolve(tct_loader *l, const tct_ast *user, const tct_item *use) {
    tct_arena *a = &l->u->arena;
    if (use->string) return tct_path_join(a, tct_path_dir(a, user->path), use->name.text);
    if (strncmp(use->name.text, "std.", 4) != 0) {
        tct_error(l->d, "E0210", use->name.span, "there is no module `%s`", use->name.text);
        tct_help(l->d,
                 "modules of the library begin with `std.`; a file of your own is named in quotes: "
                 "`use \"%s.tct\"`",
                 use->name.text);
        return NULL;
    }
    char *rest = tct_arena_strdup(a, use->name.text + 4);
    for (char *c = rest; *c; c++)
        if (*c == '.') *c = '/';
    return tct_path_join(a, l->u->std_dir, tct_arena_printf(a, "%s.tct", rest));
}

static void load_uses(tct_loader *l, tct_ast *ast) {
    for (uint32_t k = 0; k < ast->n_items; k++) {
        tct_item *use = ast->items[k];
        if (use->kind != TCT_ITEM_USE) continue;
        const char *path = resolve(l, ast, use);
        if (!path) continue;
        if (exists(l, path)) {
            if (is_file(l, use, path)) use->used = load_file(l, path);
        } else if (use->string) {
            unknown_file(l, use, path);
        } else {
            unknown_module(l, use, path);
        }
    }
}

static bool load(tct_diag *d, tct_package *u, const char *path, const char *text, size_t len,
                 const char *std_dir) {
    size_t errors = d->n_errors;
    tct_loader l = {.d = d, .u = u};
    u->std_dir = tct_arena_strdup(&u->arena, std_dir);
    tct_ast *main = text ? parse_text(&l, path, text, len) : load_file(&l, path);
    const char *core = tct_path_join(&u->arena, std_dir, "core.tct");
    bool library = exists(&l, core);
    if (library) {
        load_file(&l, core);
    } else {
        tct_error(d, "E0210", TCT_NO_SPAN, "the library is not there: no file %s", core);
        tct_help(d, "set the environment variable TERCET_STD to the folder that holds core.tct");
    }
    for (size_t k = 0; library && k < l.trees.len; k++) load_uses(&l, l.trees.data[k]);
    for (size_t k = 0; k < l.trees.len; k++)
        if (l.trees.data[k] != main) TCT_PUSH(&u->files, l.trees.data[k]);
    if (main) TCT_PUSH(&u->files, main);
    TCT_VEC_FREE(&l.identities);
    TCT_VEC_FREE(&l.trees);
    return d->n_errors == errors;
}

bool tct_package_load(tct_diag *d, tct_package *u, const char *path, const char *std_dir) {
    return load(d, u, path, NULL, 0, std_dir);
}

bool tct_package_load_text(tct_diag *d, tct_package *u, const char *path, const char *text, size_t len,
                           const char *std_dir) {
    return load(d, u, path, text, len, std_dir);
}

void tct_package_free(tct_package *u) {
    for (size_t k = 0; k < u->files.len; k++) tct_ast_free(u->files.data[k]);
    TCT_VEC_FREE(&u->files);
    tct_arena_free(&u->arena);
    u->std_dir = NULL;
}
