// libFuzzer target of the elaborator: any program is safe to check, its pipelines too, and to index for an
// editor even where it doesn't parse. Run it in the root of the repository, which holds the library.
#include "frontend/index.h"
#include "frontend/stage.h"
#include "passes/passes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool tokenizer(void *ctx, tct_diag *d, const char *path, tct_token_info *out) {
    (void)ctx, (void)d, (void)path;
    *out = (tct_token_info){.vocab = 11, .bos = 1, .eos = 2, .pad = 0};
    return true;
}

// Any folder has any key that is asked for.
static bool folder_value(void *ctx, tct_diag *d, const char *folder, const char *key, const char **out) {
    (void)ctx, (void)d, (void)folder;
    *out = strstr(key, "layer") ? "2" : "4";
    return true;
}

static tct_graph *differentiate(tct_diag *d, tct_graph *g, uint32_t loss, const uint32_t *wrt, uint32_t n) {
    tct_graph *early = tct_passes_run(d, g, "early", NULL);
    return early ? tct_grad(d, early, loss, wrt, n) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const tct_stage_hooks hooks = {NULL, differentiate, tokenizer, folder_value};
    tct_diag d = {.max_errors = 20};
    tct_package package = {0};
    tct_index index = {0};
    bool loaded = tct_package_load_text(&d, &package, "fuzz.tct", (const char *)data, size, "std");
    uint32_t cursor = size ? ((uint32_t)data[0] + 256u * data[size - 1]) % (uint32_t)(size + 1) : 0;
    tct_index_begin(&index, &d, package.files.data[package.files.len - 1]->file, cursor);
    package.index = &index;
    size_t errors = d.n_errors;
    bool sound = tct_check(&d, &package, NULL, 0, false, &hooks);
    if (loaded ? sound != (d.n_errors == 0) : d.n_errors != errors) abort();
    tct_index_at(&index, cursor);
    tct_index_free(&index);
    tct_buf out = {0};
    tct_diag_render(&d, &out, false);
    tct_buf_free(&out);
    tct_package_free(&package);
    tct_diag_free(&d);
    return 0;
}
