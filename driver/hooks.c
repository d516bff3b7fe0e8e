#include "driver/hooks.h"

#include "base/file.h"
#include "passes/passes.h"
#include "runtime/hf.h"
#include "runtime/tokenizer.h"

#include <jansson.h>

static bool tokenizer_info(void *ctx, tct_diag *d, const char *path, tct_token_info *out) {
    (void)ctx;
    tct_tokenizer *t = tct_tokenizer_open(d, path);
    if (!t) return false;
    *out = (tct_token_info){tct_tokenizer_size(t), tct_tokenizer_special(t, TCT_BOS),
                            tct_tokenizer_special(t, TCT_EOS), tct_tokenizer_special(t, TCT_PAD)};
    tct_tokenizer_close(t);
    return true;
}

static bool folder_value(void *ctx, tct_diag *d, const char *folder, const char *key, const char **out) {
    (void)ctx;
    const char *path = tct_path_join(&d->arena, folder, "config.json");
    char *text;
    size_t len;
    if (!tct_file_read(d, path, &text, &len)) return false;
    json_error_t error;
    json_t *root = json_loadb(text, len, 0, &error);
    tct_heap_free(text);
    if (!json_is_object(root)) {
        json_decref(root);
        return tct_error(d, "E0714", TCT_NO_SPAN, "%s is no JSON object: %s", path, error.text);
    }
    const json_t *v = tct_hf_value(root, key);
    *out = NULL;
    if (json_is_integer(v))
        *out = tct_arena_printf(&d->arena, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        *out = tct_arena_printf(&d->arena, "%.17g", json_real_value(v));
    else if (json_is_boolean(v))
        *out = json_is_true(v) ? "true" : "false";
    else if (json_is_string(v))
        *out = tct_arena_strdup(&d->arena, json_string_value(v));
    json_decref(root);
    return true;
}

// Stable forms are found before differentiation: their gradients are stable then, too.
static tct_graph *differentiate(tct_diag *d, tct_graph *g, uint32_t loss, const uint32_t *wrt, uint32_t n) {
    tct_graph *early = tct_passes_run(d, g, "early", NULL);
    return early ? tct_grad(d, early, loss, wrt, n) : NULL;
}

const tct_stage_hooks tct_driver_hooks = {NULL, differentiate, tokenizer_info, folder_value};
