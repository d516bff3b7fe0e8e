#include "driver/lsp_complete.h"

#include <string.h>

void tct_lsp_list_begin(tct_lsp_list *l, const char *prefix, size_t n) {
    *l = (tct_lsp_list){.items = json_array(), .prefix = prefix, .n_prefix = n, .seen = json_object()};
}

static json_t *on_one_line(const char *text) {
    tct_buf line = {0};
    for (; *text; text++) {
        bool space = *text == ' ' || *text == '\n';
        if (!space || !line.len || line.data[line.len - 1] != ' ') tct_buf_putc(&line, space ? ' ' : *text);
    }
    json_t *out = tct_lsp_text(line.data, line.len);
    tct_buf_free(&line);
    return out;
}

void tct_lsp_list_add(tct_lsp_list *l, const char *name, int kind, char group, const char *detail,
                      const char *doc) {
    if (strncasecmp(name, l->prefix, l->n_prefix) != 0 || json_object_get(l->seen, name)) return;
    json_object_set_new(l->seen, name, json_true());
    char order[256];
    snprintf(order, sizeof order, "%c%s", group, name);
    json_t *item = json_pack("{s:s, s:i, s:o}", "label", name, "kind", kind, "sortText",
                             tct_lsp_text(order, strlen(order)));
    if (detail && detail[0]) json_object_set_new(item, "detail", on_one_line(detail));
    if (doc && doc[0])
        json_object_set_new(
            item, "documentation",
            json_pack("{s:s, s:o}", "kind", "markdown", "value", tct_lsp_text(doc, strlen(doc))));
    json_array_append_new(l->items, item);
}

json_t *tct_lsp_list_end(tct_lsp_list *l) {
    json_decref(l->seen);
    return json_pack("{s:b, s:o}", "isIncomplete", false, "items", l->items);
}
