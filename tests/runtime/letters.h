// A tokenizer of one token a letter, and what tests of data sets share.
#ifndef TCT_TESTS_RUNTIME_LETTERS_H
#define TCT_TESTS_RUNTIME_LETTERS_H

#include "runtime/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// One token a character, and <s> before every text.
static const char letters[] = "{\"added_tokens\": [{\"id\": 0, \"content\": \"<pad>\", \"special\": true}, "
                              "{\"id\": 1, \"content\": \"<s>\", \"special\": true},"
                              " {\"id\": 2, \"content\": \"</s>\", \"special\": true}],"
                              "\"normalizer\": {\"type\": \"Prepend\", \"prepend\": \"_\"},"
                              "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
                              "[{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": {\"id\": \"A\"}}],"
                              " \"special_tokens\": {\"<s>\": {\"ids\": [1]}}},"
                              "\"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {\"_\": 3, \"a\": "
                              "4, \"b\": 5, \"c\": 6, \"d\": 7, \"e\": 8, \"f\": 9}}}";

static tct_tokenizer *tokenizer;

static int open_tokenizer(void **state) {
    (void)state;
    tct_diag d = {0};
    tokenizer = tct_tokenizer_parse(&d, "letters", letters, strlen(letters));
    if (!tokenizer) return -1;
    tct_tokenizer_set_special(tokenizer, TCT_BOS, 1);
    tct_tokenizer_set_special(tokenizer, TCT_EOS, 2);
    tct_tokenizer_set_special(tokenizer, TCT_PAD, 0);
    return 0;
}

static int close_tokenizer(void **state) {
    (void)state;
    tct_tokenizer_close(tokenizer);
    return 0;
}

static inline tct_dataset_options plain(int32_t batch, int32_t length) {
    tct_dataset_options o = tct_dataset_defaults();
    o.batch = batch;
    o.length = length;
    o.shuffle = false;
    return o;
}

static inline void assert_reported(const tct_diag *d, const char *code, const char *text) {
    assert_true(d->messages.len > 0);
    const tct_message *m = &d->messages.data[d->messages.len - 1];
    if (strcmp(m->code, code) != 0 || !strstr(m->text, text)) fail_msg("got %s: %s", m->code, m->text);
    if (strcmp(code, "E0710") >= 0 && strcmp(code, "E0712") <= 0) assert_non_null(m->help);
}

// A row's tokens as letters, the learned targets in upper case, fillers as dots: "<abC$." for tokens <abc and
// target C learned.
static inline const char *show(tct_arena *a, const tct_batch *b, size_t seq, size_t length) {
    static const char names[] = ".<$_abcdef";
    tct_buf out = {0};
    for (size_t t = 0; t < length; t++) {
        int32_t id = b->tokens[seq * length + t];
        bool learned = t > 0 && b->mask && b->mask[seq * length + t - 1];
        if (learned) assert_int_equal(b->target[seq * length + t - 1], id);
        char c = names[id];
        tct_buf_putc(&out, learned && c >= 'a' ? (char)(c - 32) : learned && c == '$' ? '!' : c);
    }
    if (b->mask && b->mask[seq * length + length - 1]) tct_buf_putc(&out, '+'); // a target past the row
    const char *text = tct_arena_strdup(a, out.data);
    tct_buf_free(&out);
    return text;
}

static inline tct_dataset *from(tct_diag *d, tct_data_kind kind, tct_records *r, tct_dataset_options o) {
    tct_dataset *s = tct_dataset_from_records(d, kind, r, tokenizer, &o);
    assert_int_equal(r->rows.len, 0); // taken over
    return s;
}

#endif
