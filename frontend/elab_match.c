// Arguments to parameters.
#include "frontend/elab_internal.h"

#include <string.h>

// "(x, by = …)"
static const char *parameters_text(tct_elab *e, const tct_param *params, uint32_t n) {
    const char *text = "(";
    for (uint32_t i = 0; i < n; i++)
        text = tct_arena_printf(&e->arena, "%s%s%s%s", text, i ? ", " : "", params[i].name.text,
                                params[i].value ? " = …" : "");
    return tct_arena_printf(&e->arena, "%s)", text);
}

bool tct_elab_match(tct_elab *e, const char *what, const tct_param *params, uint32_t n_params,
                    const tct_actual *actuals, uint32_t n, tct_span span, int32_t *out) {
    bool ok = true;
    uint32_t position = 0;
    for (uint32_t k = 0; k < n_params; k++) out[k] = -1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = position;
        const tct_name *name = &actuals[i].name;
        tct_span place = actuals[i].expr ? actuals[i].expr->span : span;
        if (name->text) {
            for (k = 0; k < n_params; k++)
                if (strcmp(params[k].name.text, name->text) == 0) break;
            if (k == n_params) {
                const char **names = TCT_NEW_ARRAY(&e->arena, const char *, n_params);
                for (uint32_t j = 0; j < n_params; j++) names[j] = params[j].name.text;
                const char *near = tct_nearest(name->text, names, n_params);
                ok = tct_elab_error(e, "E0338", name->span, "%s has no parameter `%s`", what, name->text);
                if (near)
                    tct_elab_help(e, "did you mean `%s`?", near);
                else
                    tct_elab_help(e, "it takes %s", parameters_text(e, params, n_params));
                continue;
            }
        } else {
            position++;
        }
        if (k >= n_params) {
            ok = tct_elab_error(e, "E0339", place, "%s takes %u argument%s, found %u", what, n_params,
                                n_params == 1 ? "" : "s", n);
            tct_elab_help(e, "it takes %s", parameters_text(e, params, n_params));
            break;
        }
        if (out[k] >= 0) {
            ok = tct_elab_error(e, "E0338", place, "%s gets `%s` twice", what, params[k].name.text);
            if (actuals[out[k]].expr) tct_elab_note(e, actuals[out[k]].expr->span, "the first time here");
            continue;
        }
        out[k] = (int32_t)i;
    }
    if (!ok) return false;
    for (uint32_t k = 0; k < n_params; k++)
        if (out[k] < 0 && !params[k].value) {
            ok = tct_elab_error(e, "E0340", span, "%s lacks its argument `%s`", what, params[k].name.text);
            if (params[k].name.span.file) tct_elab_note(e, params[k].name.span, "declared here");
        }
    return ok;
}
