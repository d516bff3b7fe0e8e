// Tables of the page's data: strings, places and sources, each once.
#include "driver/page_data.h"

#include <stdio.h>

json_t *tct_page_string(const char *s, size_t len) {
    json_t *string = json_stringn(s ? s : "", len);
    if (string) return string;
    char *copy = tct_alloc(len + 1);
    for (size_t k = 0; k < len; k++) copy[k] = (unsigned char)s[k] < 0x80 ? s[k] : '?';
    string = json_stringn(copy, len);
    tct_heap_free(copy);
    return string;
}

static tct_page_table new_table(void) { return (tct_page_table){json_array(), json_object()}; }

static void drop_table(tct_page_table *t) {
    json_decref(t->list);
    json_decref(t->ids);
}

void tct_page_data_begin(tct_page_data *p, tct_diag *d, tct_compiler *compiler) {
    *p = (tct_page_data){.d = d,
                         .compiler = compiler,
                         .strings = new_table(),
                         .spans = new_table(),
                         .sources = new_table(),
                         .kernels = new_table()};
}

void tct_page_data_end(tct_page_data *p) {
    drop_table(&p->strings);
    drop_table(&p->spans);
    drop_table(&p->sources);
    drop_table(&p->kernels);
    tct_buf_free(&p->scratch);
    tct_arena_free(&p->arena);
}

uint32_t tct_page_number(tct_page_table *t, const char *key, bool *fresh) {
    json_t *known = json_object_get(t->ids, key);
    *fresh = !known;
    if (known) return (uint32_t)json_integer_value(known);
    uint32_t number = (uint32_t)json_array_size(t->list);
    json_object_set_new_nocheck(t->ids, key, json_integer(number));
    return number;
}

uint32_t tct_page_intern(tct_page_data *p, const char *s, size_t len) {
    bool fresh;
    uint32_t number = tct_page_number(&p->strings, tct_arena_strndup(&p->arena, s, len), &fresh);
    if (fresh) json_array_append_new(p->strings.list, tct_page_string(s, len));
    return number;
}

bool tct_page_has_source(const tct_page_data *p, uint32_t file) {
    char key[16];
    snprintf(key, sizeof key, "%u", file);
    return json_object_get(p->sources.ids, key) != NULL;
}

uint32_t tct_page_source(tct_page_data *p, uint32_t file) {
    char key[16];
    bool fresh;
    snprintf(key, sizeof key, "%u", file);
    uint32_t number = tct_page_number(&p->sources, key, &fresh);
    const tct_source *s = tct_diag_source(p->d, file);
    if (fresh)
        json_array_append_new(p->sources.list,
                              json_pack("{s:o, s:o}", "path", tct_page_string(s->path, strlen(s->path)),
                                        "text", tct_page_string(s->text, s->len)));
    return number;
}

int32_t tct_page_span(tct_page_data *p, tct_span span) {
    const tct_source *s = tct_diag_source(p->d, span.file);
    if (!s) return -1;
    char key[48];
    bool fresh;
    snprintf(key, sizeof key, "%u:%u:%u", span.file, span.begin, span.end);
    uint32_t number = tct_page_number(&p->spans, key, &fresh), at[4];
    if (fresh) {
        tct_diag_line_col(s, span.begin, &at[0], &at[1]);
        tct_diag_line_col(s, span.end, &at[2], &at[3]);
        json_array_append_new(p->spans.list, json_pack("[i, i, i, i, i]", (int)tct_page_source(p, span.file),
                                                       (int)at[0], (int)at[1], (int)at[2], (int)at[3]));
    }
    return (int32_t)number;
}
