// Why steps of a plan are apart, for the page: the sentences of `tercet explain`.
#include "driver/page_data.h"

#include <string.h>

// A sentence is the same for every layer but for the numbers of its kernels, and shorter with names of files
// in place of paths: "kernel 12" becomes "{a}" or "{b}", which the page fills in.
static void add_short(tct_page_data *p, const char *text, const char *a, const char *b, tct_buf *out) {
    size_t n_a = strlen(a), n_b = strlen(b);
    while (*text) {
        bool word = strncmp(text, "kernel ", 7) == 0;
        if (word && strncmp(text + 7, a, n_a) == 0 && !strchr("0123456789.", text[7 + n_a])) {
            tct_buf_puts(out, "{a}");
            text += 7 + n_a;
            continue;
        }
        if (word && strncmp(text + 7, b, n_b) == 0 && !strchr("0123456789.", text[7 + n_b])) {
            tct_buf_puts(out, "{b}");
            text += 7 + n_b;
            continue;
        }
        for (size_t k = 0; k < p->d->sources.len; k++) {
            const char *path = p->d->sources.data[k].path, *slash = strrchr(path, '/');
            size_t n = slash ? (size_t)(slash + 1 - path) : 0;
            if (n && strncmp(text, path, strlen(path)) == 0) text += n;
        }
        tct_buf_putc(out, *text++);
    }
}

static json_t *sentence(tct_page_data *p, tct_buf *text, const char *a, const char *b) {
    if (!text->len) return json_integer(-1);
    tct_buf out = {0};
    add_short(p, text->data, a, b, &out);
    json_t *number = json_integer(tct_page_intern(p, out.data, out.len));
    tct_buf_free(&out);
    return number;
}

static json_t *edge_json(tct_page_data *p, const tct_explained *x, const tct_fusion_edge *edge) {
    const char *a = tct_arena_printf(&p->arena, "%s%u", x->prefix, x->step_of[edge->from]),
               *b = tct_arena_printf(&p->arena, "%s%u", x->prefix, x->step_of[edge->to]);
    json_t *reasons = json_array();
    tct_buf text = {0};
    for (int why = 0; why < TCT_N_APART; why++) {
        if (!(edge->reasons >> why & 1)) continue;
        text.len = 0;
        tct_explain_reason(p->explanation, x, edge, (tct_fusion_reason)why, &text);
        json_array_append_new(reasons, sentence(p, &text, a, b));
    }
    text.len = 0;
    tct_explain_again(x, edge, &text);
    json_t *again = sentence(p, &text, a, b);
    text.len = 0;
    tct_explain_advice(p->explanation, x, edge, &text);
    json_t *advice = sentence(p, &text, a, b);
    tct_buf_free(&text);
    return json_pack("[i, i, o, o, o]", (int)edge->from, (int)edge->to, reasons, again, advice);
}

json_t *tct_page_apart(tct_page_data *p, const tct_explained *x) {
    json_t *list = json_array();
    for (size_t k = 0; k < x->report.edges.len; k++)
        json_array_append_new(list, edge_json(p, x, &x->report.edges.data[k]));
    return list;
}
