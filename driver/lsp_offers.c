// Modules, files and named arguments for completion.
#include "base/file.h"
#include "driver/lsp_complete.h"
#include "frontend/modules.h"

#include <string.h>

void tct_lsp_modules(tct_lsp_list *l, tct_lsp_server *s, const tct_lsp_document *doc,
                     const tct_lsp_place *p) {
    tct_arena arena = {0};
    size_t n;
    if (p->use_file) {
        const char *slash = strrchr(p->use, '/');
        const char *folder = slash ? tct_arena_strndup(&arena, p->use, (size_t)(slash - p->use)) : ".";
        const char *dir = tct_path_join(&arena, tct_path_dir(&arena, doc->path), folder);
        const char **files = tct_folder_files(&arena, dir, &n);
        for (size_t k = 0; k < n; k++) tct_lsp_list_add(l, files[k], TCT_COMPLETE_FILE, 'a', NULL, NULL);
    } else {
        // What follows the last dot: that is the word which the editor replaces.
        const char *dot = strrchr(p->use, '.');
        size_t before = dot ? (size_t)(dot + 1 - p->use) : 0;
        tct_module *modules = tct_modules(&arena, s->std_dir, &n);
        for (size_t k = 0; k < n; k++)
            if (strncmp(modules[k].name, p->use, before) == 0)
                tct_lsp_list_add(l, modules[k].name + before, TCT_COMPLETE_MODULE, 'a', modules[k].path,
                                 NULL);
    }
    tct_arena_free(&arena);
}

static void argument(tct_lsp_list *l, tct_arena *arena, const tct_lsp_place *p, const char *name,
                     const char *detail, const char *doc) {
    if (strstr(p->given, tct_arena_printf(arena, " %s ", name))) return;
    tct_lsp_list_add(l, tct_arena_printf(arena, "%s = ", name), TCT_COMPLETE_PROPERTY, 'a', detail, doc);
}

static void of_item(tct_lsp_list *l, tct_lsp_analysis *a, const tct_lsp_place *p, const tct_item *item) {
    for (uint32_t k = 0; k < item->n_params; k++) {
        const tct_lsp_declaration decl = {.param = &item->params[k]};
        argument(l, &a->diag.arena, p, item->params[k].name.text,
                 tct_lsp_signature(&a->diag.arena, &a->diag, &decl), item->params[k].doc);
    }
    if (item->kind != TCT_ITEM_MODEL || p->in != TCT_LSP_IN_STAGES) return;
    argument(l, &a->diag.arena, p, "from", "from: path", "A Hugging Face folder to read it from.");
    argument(l, &a->diag.arena, p, "seed", "seed: int", "Of fresh parameters.");
}

// The parameters in "name(a: int, b: list[T] = x) -> c".
static void of_signature(tct_lsp_list *l, tct_arena *arena, const tct_lsp_place *p, const char *signature) {
    const char *at = strchr(signature, '(');
    while (at && at[1] && at[1] != ')') {
        at += 1 + strspn(at + 1, " ");
        size_t name = strcspn(at, ":,)"), whole = 0;
        for (int depth = 0; at[whole] && !(depth == 0 && (at[whole] == ',' || at[whole] == ')')); whole++)
            depth += (at[whole] == '(' || at[whole] == '[') - (at[whole] == ')' || at[whole] == ']');
        if (at[name] == ':')
            argument(l, arena, p, tct_arena_strndup(arena, at, name), tct_arena_strndup(arena, at, whole),
                     NULL);
        at += whole;
        if (*at != ',') break;
    }
}

void tct_lsp_named_arguments(tct_lsp_list *l, tct_lsp_analysis *a, const tct_lsp_place *p) {
    static const char optimizer[] = "an optimizer: ";
    if (!p->call) return;
    const char *name = p->call;
    for (size_t k = 0; k < a->index.scope.len; k++) { // `with opt(lr = …)`
        const tct_index_name *n = &a->index.scope.data[k];
        if (strcmp(n->name, name) == 0 && n->type && strncmp(n->type, optimizer, sizeof optimizer - 1) == 0)
            name = n->type + sizeof optimizer - 1;
    }
    const tct_item *item = tct_lsp_item(a, name);
    tct_lsp_manual_entry manual;
    if (item) {
        of_item(l, a, p, item);
        return;
    }
    for (size_t k = 0; p->in == TCT_LSP_IN_STAGES && tct_lsp_procedure(k, &manual); k++)
        if (strcmp(manual.name, name) == 0) of_signature(l, &a->diag.arena, p, manual.signature);
}
