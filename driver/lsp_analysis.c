// Checking documents: each by itself, or as part of another open program that uses it, because there it may
// see names and config that it doesn't declare.
#include "driver/hooks.h"
#include "driver/lsp.h"
#include "frontend/elab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct tct_lsp_tokenizer { // what a tokenizer told, as long as its file stays as it is
    const char *path;
    struct timespec time;
    off_t size;
    tct_token_info info;
} tct_lsp_tokenizer;

// A tokenizer takes longer to read than a program to check.
static bool tokenizer(void *ctx, tct_diag *d, const char *path, tct_token_info *out) {
    tct_lsp_server *s = ctx;
    struct stat st;
    tct_lsp_tokenizer *t = NULL;
    const char *file = tct_arena_printf(&d->arena, "%s/tokenizer.json", path);
    bool there = stat(file, &st) == 0;
    for (size_t k = 0; k < s->n_tokenizers; k++)
        if (strcmp(s->tokenizers[k].path, path) == 0) t = &s->tokenizers[k];
    if (there && t && t->size == st.st_size && t->time.tv_sec == st.st_mtim.tv_sec &&
        t->time.tv_nsec == st.st_mtim.tv_nsec) {
        *out = t->info;
        return true;
    }
    if (!tct_driver_hooks.tokenizer(tct_driver_hooks.ctx, d, path, out)) return false;
    if (!there) return true;
    if (!t) {
        s->tokenizers = tct_arena_realloc(&s->arena, s->tokenizers, s->n_tokenizers * sizeof *s->tokenizers,
                                          (s->n_tokenizers + 1) * sizeof *s->tokenizers);
        t = &s->tokenizers[s->n_tokenizers++];
        t->path = tct_arena_strdup(&s->arena, path);
    }
    t->time = st.st_mtim;
    t->size = st.st_size;
    t->info = *out;
    return true;
}

static bool same_file(const char *path, const char *canonical) {
    if (strcmp(path, canonical) == 0) return true;
    char *real = realpath(path, NULL);
    bool same = real && strcmp(real, canonical) == 0;
    free(real);
    return same;
}

static const tct_ast *find_file(const tct_package *p, const char *canonical) {
    for (size_t k = 0; k < p->files.len; k++)
        if (same_file(p->files.data[k]->path, canonical)) return p->files.data[k];
    return NULL;
}

bool tct_lsp_uses(const tct_lsp_analysis *a, const char *path) {
    return a && find_file(&a->package, path) != NULL;
}

// Whether a file uses another, by whatever way; `seen` counts the files on it.
static bool reaches(const tct_package *p, const tct_ast *from, const tct_ast *to, size_t seen) {
    for (uint32_t k = 0; seen <= p->files.len && k < from->n_items; k++) {
        const tct_ast *used = from->items[k]->kind == TCT_ITEM_USE ? from->items[k]->used : NULL;
        if (used && (used == to || reaches(p, used, to, seen + 1))) return true;
    }
    return false;
}

// The open program that the document is a part of: the first that uses it and isn't used by it.
static const tct_lsp_document *program_of(const tct_lsp_server *s, const tct_lsp_document *doc) {
    for (size_t k = 0; k < s->documents.len; k++) {
        const tct_lsp_document *other = s->documents.data[k];
        if (other == doc || !other->analysis || !other->analysis->own) continue;
        const tct_package *p = &other->analysis->package;
        const tct_ast *whole = find_file(p, other->path), *part = find_file(p, doc->path);
        if (whole && part && !reaches(p, part, whole, 0)) return other;
    }
    return NULL;
}

typedef struct texts { // of open documents, one with another text than its own
    const tct_lsp_server *s;
    const tct_lsp_document *doc;
    const char *text;
    size_t len;
} texts;

static const char *unsaved(void *ctx, const char *path, size_t *len) {
    const texts *t = ctx;
    for (size_t k = 0; k < t->s->documents.len; k++) {
        const tct_lsp_document *open = t->s->documents.data[k];
        if (strcmp(open->path, path) != 0) continue;
        *len = open == t->doc ? t->len : open->text.len;
        return open == t->doc ? t->text : open->text.data;
    }
    return NULL;
}

static tct_lsp_analysis *analyse_as(tct_lsp_server *s, const tct_lsp_document *program, texts *t,
                                    uint32_t cursor) {
    enum { MAX_MESSAGES = 100 };
    tct_lsp_analysis *a = tct_alloc(sizeof *a);
    const tct_stage_hooks hooks = {s, tct_driver_hooks.grad, tokenizer, tct_driver_hooks.folder_value};
    a->diag.max_errors = MAX_MESSAGES;
    a->own = program == t->doc;
    a->package.unsaved = unsaved;
    a->package.unsaved_ctx = t;
    tct_package_load_text(&a->diag, &a->package, program->path, a->own ? t->text : program->text.data,
                          a->own ? t->len : program->text.len, s->std_dir);
    a->package.unsaved = NULL;
    a->package.unsaved_ctx = NULL;
    a->ast = find_file(&a->package, t->doc->path);
    if (!a->ast) return a;
    tct_index_begin(&a->index, &a->diag, a->ast->file, cursor);
    a->package.index = &a->index;
    size_t folder = strlen(s->std_dir);
    bool library = strncmp(t->doc->path, s->std_dir, folder) == 0 && t->doc->path[folder] == '/';
    tct_check(&a->diag, &a->package, NULL, 0, library, &hooks);
    a->package.index = NULL;
    return a;
}

tct_lsp_analysis *tct_lsp_analyse(tct_lsp_server *s, const tct_lsp_document *doc, const char *text,
                                  size_t len, uint32_t cursor) {
    texts t = {s, doc, text, len};
    const tct_lsp_document *program = program_of(s, doc);
    tct_lsp_analysis *a = analyse_as(s, program ? program : doc, &t, cursor);
    if (a->ast || a->own) return a;
    tct_lsp_analysis_free(a); // the program doesn't use it any more
    return analyse_as(s, doc, &t, cursor);
}

void tct_lsp_analysis_free(tct_lsp_analysis *a) {
    if (!a) return;
    tct_index_free(&a->index);
    tct_package_free(&a->package);
    tct_diag_free(&a->diag);
    tct_heap_free(a);
}

static void analyse(tct_lsp_server *s, tct_lsp_document *doc) {
    tct_lsp_analysis *fresh = tct_lsp_analyse(s, doc, doc->text.data, doc->text.len, TCT_NO_CURSOR);
    tct_lsp_analysis_free(doc->analysis);
    doc->analysis = fresh;
    tct_lsp_publish(s, doc);
}

void tct_lsp_changed(tct_lsp_server *s, const char *path) {
    tct_lsp_document *changed = NULL;
    for (size_t k = 0; path && k < s->documents.len; k++)
        if (strcmp(s->documents.data[k]->path, path) == 0) changed = s->documents.data[k];
    tct_lsp_analysis *before = changed ? changed->analysis : NULL; // what it used is checked anew
    if (changed) {
        changed->analysis = tct_lsp_analyse(s, changed, changed->text.data, changed->text.len, TCT_NO_CURSOR);
        tct_lsp_publish(s, changed);
    }
    for (size_t k = 0; k < s->documents.len; k++) {
        tct_lsp_document *doc = s->documents.data[k];
        if (doc == changed) continue;
        bool concerned =
            !path || tct_lsp_uses(doc->analysis, path) ||
            (changed && (tct_lsp_uses(before, doc->path) || tct_lsp_uses(changed->analysis, doc->path)));
        if (concerned) analyse(s, doc);
    }
    tct_lsp_analysis_free(before);
}
