#include "runtime/records.h"

#include <string.h>

void tct_records_free(tct_records *r) {
    TCT_VEC_FREE(&r->rows);
    tct_arena_free(&r->arena);
    *r = (tct_records){0};
}

static void add(tct_records *r, const char *prompt, int n, const char *const *responses, const int32_t *ranks,
                int label) {
    tct_record row = {.prompt = tct_arena_strdup(&r->arena, prompt), .n_responses = n, .label = label};
    row.responses = n ? TCT_NEW_ARRAY(&r->arena, const char *, (size_t)n) : NULL;
    for (int i = 0; i < n; i++) row.responses[i] = tct_arena_strdup(&r->arena, responses[i]);
    if (ranks) {
        int32_t *copy = TCT_NEW_ARRAY(&r->arena, int32_t, (size_t)n);
        if (n) memcpy(copy, ranks, (size_t)n * sizeof *copy);
        row.ranks = copy;
    }
    TCT_PUSH(&r->rows, row);
}

void tct_records_add_text(tct_records *r, const char *text) { add(r, "", 1, &text, NULL, -1); }

void tct_records_add_prompt(tct_records *r, const char *prompt) { add(r, prompt, 0, NULL, NULL, -1); }

void tct_records_add_completion(tct_records *r, const char *prompt, const char *completion) {
    add(r, prompt, 1, &completion, NULL, -1);
}

void tct_records_add_labeled(tct_records *r, const char *prompt, const char *completion, int label) {
    add(r, prompt, 1, &completion, NULL, label);
}

void tct_records_add_ranked(tct_records *r, const char *prompt, int n, const char *const *responses,
                            const int32_t *ranks) {
    add(r, prompt, n, responses, ranks, -1);
}

const char *tct_template_apply(tct_arena *a, const tct_template *style, const char *prompt) {
    const char *hole = style && style->prompt ? strstr(style->prompt, "{prompt}") : NULL;
    if (!hole) return tct_arena_strdup(a, prompt);
    return tct_arena_printf(a, "%.*s%s%s", (int)(hole - style->prompt), style->prompt, prompt,
                            hole + strlen("{prompt}"));
}

bool tct_template_check(tct_diag *d, const tct_template *style) {
    static const char *const chats[] = {"hh", "chatml", "plain"};
    if (style->prompt && !strstr(style->prompt, "{prompt}"))
        return tct_error(d, "E0709", TCT_NO_SPAN,
                         "the template '%s' has no {prompt} in it, so every prompt would be the same",
                         style->prompt);
    for (size_t i = 0; i < 3; i++)
        if (!style->chat || strcmp(style->chat, chats[i]) == 0) return true;
    tct_error(d, "E0709", TCT_NO_SPAN, "there is no chat style '%s': hh, chatml and plain are known",
              style->chat);
    const char *near = tct_nearest(style->chat, chats, 3);
    if (near) tct_help(d, "was '%s' meant?", near);
    return false;
}
