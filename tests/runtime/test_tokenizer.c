// Tokenizers: what the reference implementation makes of the same texts (make_tokenizer_expected.py),
// streaming, special ids. An argument is another file of expected results.
#include "base/file.h"
#include "runtime/tokenizer.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MADE TERCET_SOURCE_DIR "/tests/runtime/tokenizers/"
#define SHARED TERCET_SOURCE_DIR "/../shared/data/"

static const char *expected_file = MADE "expected.json";

static void assert_reported(const tct_diag *d, const char *code, const char *text) {
    assert_true(d->messages.len > 0);
    const tct_message *m = &d->messages.data[d->messages.len - 1];
    if (strcmp(m->code, code) != 0 || !strstr(m->text, text)) fail_msg("got %s: %s", m->code, m->text);
}

static void print_ids(const char *what, const int32_t *ids, size_t n) {
    print_error("%s:", what);
    for (size_t i = 0; i < n; i++) print_error(" %d", (int)ids[i]);
    print_error("\n");
}

static void read_ids(json_t *list, tct_ids *out) {
    size_t i;
    json_t *v;
    out->len = 0;
    json_array_foreach(list, i, v) TCT_PUSH(out, (int32_t)json_integer_value(v));
}

// Compares one encoding; prints the two where they differ. An encoder that has seen this text and others
// gives the same as one that has seen none.
static int differs(tct_encoder *e, const char *name, json_t *text, json_t *expected, unsigned flags) {
    tct_diag d = {0};
    tct_ids got = {0}, want = {0};
    read_ids(expected, &want);
    bool ok = true;
    for (int time = 0; ok && time < 2; time++) {
        got.len = 0;
        ok = tct_encoder_encode(&d, e, json_string_value(text), json_string_length(text), flags, &got);
    }
    bool same = ok && got.len == want.len &&
                (got.len == 0 || memcmp(got.data, want.data, got.len * sizeof *got.data) == 0);
    if (!same) {
        char *quoted = json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        print_error("%s: %s%s\n", name, quoted, ok ? "" : d.messages.data[0].text);
        print_ids("  got     ", got.data, got.len);
        print_ids("  expected", want.data, want.len);
        free(quoted);
    }
    TCT_VEC_FREE(&got);
    TCT_VEC_FREE(&want);
    tct_diag_free(&d);
    return !same;
}

// Compares one decoding, whole and token by token.
static int decodes_differently(const tct_tokenizer *t, const char *name, json_t *list, json_t *expected,
                               unsigned flags) {
    if (json_is_null(expected)) return 0; // versions of the reference disagree
    tct_ids ids = {0};
    tct_buf whole = {0}, streamed = {0};
    read_ids(list, &ids);
    tct_tokenizer_decode(t, ids.data, ids.len, flags, &whole);
    tct_decoder s = {.tokenizer = t, .flags = flags};
    tct_buf_puts(&streamed, "");
    for (size_t i = 0; i < ids.len; i++) tct_decoder_push(&s, ids.data[i], &streamed);
    tct_decoder_finish(&s, &streamed);
    size_t n = json_string_length(expected);
    bool same = whole.len == n && memcmp(whole.data, json_string_value(expected), n) == 0 &&
                streamed.len == n && memcmp(streamed.data, whole.data, n) == 0;
    if (!same) {
        print_ids(name, ids.data, ids.len);
        json_t *got = json_stringn(whole.data, whole.len);
        char *a = json_dumps(got, JSON_ENCODE_ANY | JSON_ENSURE_ASCII),
             *b = json_dumps(expected, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        print_error("  got      %s\n  expected %s\n", a, b);
        free(a);
        free(b);
        json_decref(got);
    }
    tct_buf_free(&whole);
    tct_buf_free(&streamed);
    TCT_VEC_FREE(&ids);
    return !same;
}

static int compare_all(const tct_tokenizer *t, const char *name, json_t *cases) {
    int wrong = 0;
    size_t i;
    json_t *row;
    tct_encoder *e = tct_encoder_new(t);
    json_array_foreach(json_object_get(cases, "texts"), i, row) {
        json_t *text = json_array_get(row, 0), *plain = json_array_get(row, 1),
               *special = json_array_get(row, 2);
        wrong += differs(e, name, text, plain, TCT_ENCODE_PLAIN);
        wrong += differs(e, name, text, special, TCT_ENCODE_SPECIAL);
        wrong += decodes_differently(t, name, special, json_array_get(row, 3), TCT_DECODE_PLAIN);
        wrong += decodes_differently(t, name, special, json_array_get(row, 4), TCT_DECODE_SKIP_SPECIAL);
    }
    tct_encoder_free(e);
    json_array_foreach(json_object_get(cases, "ids"), i, row) {
        wrong +=
            decodes_differently(t, name, json_array_get(row, 0), json_array_get(row, 1), TCT_DECODE_PLAIN);
        wrong += decodes_differently(t, name, json_array_get(row, 0), json_array_get(row, 2),
                                     TCT_DECODE_SKIP_SPECIAL);
    }
    return wrong;
}

static tct_tokenizer *open_made(tct_diag *d, const char *name) {
    char path[256], *text;
    size_t len;
    snprintf(path, sizeof path, MADE "%s.json", name);
    assert_true(tct_file_read(d, path, &text, &len));
    tct_tokenizer *t = tct_tokenizer_parse(d, path, text, len);
    tct_heap_free(text);
    return t;
}

static void test_equals_reference(void **state) {
    (void)state;
    json_error_t error;
    json_t *all = json_load_file(expected_file, JSON_ALLOW_NUL, &error), *cases;
    const char *name;
    int compared = 0, failed = 0;
    assert_non_null(all);
    json_object_foreach(all, name, cases) {
        tct_diag d = {0};
        tct_tokenizer *t;
        if (strncmp(name, "shared/", 7) == 0) {
            char folder[256];
            snprintf(folder, sizeof folder, SHARED "%s", name + 7);
            if (access(folder, F_OK) != 0) {
                print_message("SKIPPED: %s is not there; its cases are not checked\n", folder);
                continue;
            }
            t = tct_tokenizer_open(&d, folder);
        } else {
            t = open_made(&d, name);
        }
        if (!t) fail_msg("%s: %s", name, d.messages.data[0].text);
        int wrong = compare_all(t, name, cases);
        if (wrong) print_error("%s: %d results differ\n", name, wrong);
        failed += wrong;
        compared++;
        tct_tokenizer_close(t);
        tct_diag_free(&d);
    }
    assert_true(compared >= 12);
    assert_int_equal(failed, 0);
    json_decref(all);
}

static void assert_encodes(const tct_tokenizer *t, const char *text, unsigned flags, const char *tokens) {
    tct_diag d = {0};
    tct_ids ids = {0};
    tct_buf got = {0};
    assert_true(tct_tokenizer_encode(&d, t, text, strlen(text), flags, &ids));
    tct_buf_puts(&got, "");
    for (size_t i = 0; i < ids.len; i++)
        tct_buf_printf(&got, "%s%s", i ? "|" : "", tct_tokenizer_token(t, ids.data[i]));
    assert_string_equal(got.data, tokens);
    tct_buf_free(&got);
    TCT_VEC_FREE(&ids);
    tct_diag_free(&d);
}

// A text that goes on gets no dummy space, and its ids decode with the space they have.
static void test_continued_text(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_tokenizer *t = open_made(&d, "fallback");
    assert_encodes(t, "the they", TCT_ENCODE_PLAIN, "▁the|▁they");
    assert_encodes(t, " they", TCT_ENCODE_CONTINUE, "▁they");
    assert_encodes(t, "they", TCT_ENCODE_CONTINUE | TCT_ENCODE_PREFIX, "<s>|t|he|y");
    assert_encodes(t, "a</s>the", TCT_ENCODE_CONTINUE, "a|</s>|▁the");
    int32_t they = tct_tokenizer_find(t, "▁they");
    tct_buf text = {0};
    tct_tokenizer_decode(t, &they, 1, TCT_DECODE_PLAIN, &text);
    tct_tokenizer_decode(t, &they, 1, TCT_DECODE_CONTINUE, &text);
    assert_string_equal(text.data, "they they");
    tct_tokenizer_close(t);
    text.len = 0;
    t = open_made(&d, "metaspace_always");
    assert_encodes(t, "pears", TCT_ENCODE_PLAIN, "▁pears");
    assert_encodes(t, " pears", TCT_ENCODE_CONTINUE, "▁pears");
    int32_t the = tct_tokenizer_find(t, "▁the");
    tct_tokenizer_decode(t, &the, 1, TCT_DECODE_PLAIN, &text);
    tct_tokenizer_decode(t, &the, 1, TCT_DECODE_CONTINUE, &text);
    assert_string_equal(text.data, "the the");
    tct_tokenizer_close(t);
    t = open_made(&d, "added"); // add_prefix_space
    assert_encodes(t, "the", TCT_ENCODE_PLAIN, "Ġthe");
    assert_encodes(t, "the", TCT_ENCODE_CONTINUE, "t|he");
    tct_tokenizer_close(t);
    tct_buf_free(&text);
    tct_diag_free(&d);
}

// Characters are printed when they are complete, never in halves.
static void test_streaming(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_tokenizer *t = open_made(&d, "wide");
    tct_ids ids = {0};
    tct_buf out = {0};
    const char *text = "a👍🏽é";
    assert_true(tct_tokenizer_encode(&d, t, text, strlen(text), TCT_ENCODE_SPECIAL, &ids));
    tct_decoder s = {.tokenizer = t, .flags = TCT_DECODE_SKIP_SPECIAL};
    size_t pieces = 0;
    for (size_t i = 0; i < ids.len; i++) {
        size_t before = out.len;
        tct_decoder_push(&s, ids.data[i], &out);
        pieces += out.len > before;
        if (out.len > before) assert_int_not_equal((unsigned char)out.data[before] & 0xC0, 0x80);
    }
    assert_true(pieces >= 4);
    tct_decoder_finish(&s, &out);
    assert_string_equal(out.data, text);
    // Cut within a character: it is marked at the end, and the decoder begins anew.
    out.len = 0;
    tct_decoder_push(&s, ids.data[2], &out);
    assert_int_equal(out.len, 0);
    tct_decoder_finish(&s, &out);
    assert_string_equal(out.data, "\uFFFD");
    out.len = 0;
    tct_decoder_push(&s, ids.data[1], &out);
    tct_decoder_push(&s, 1 << 20, &out); // no such token
    tct_decoder_push(&s, -1, &out);
    tct_decoder_finish(&s, &out);
    assert_string_equal(out.data, "a");
    tct_buf_free(&out);
    TCT_VEC_FREE(&ids);
    tct_tokenizer_close(t);
    tct_diag_free(&d);
}

static void write_text(const char *folder, const char *name, const char *text) {
    tct_diag d = {0};
    assert_true(tct_file_write(&d, tct_path_join(&d.arena, folder, name), text, strlen(text)));
    tct_diag_free(&d);
}

static void test_special_ids_and_saving(void **state) {
    (void)state;
    tct_diag d = {0};
    char folder[] = "/tmp/tercet-tokenizer-XXXXXX", *json, *copy;
    size_t len, copy_len, n;
    assert_non_null(mkdtemp(folder));
    assert_true(tct_file_read(&d, MADE "wide.json", &json, &len));
    write_text(folder, "tokenizer.json", json);
    tct_tokenizer *t = tct_tokenizer_open(&d, folder);
    assert_non_null(t);
    for (int i = 0; i < TCT_N_SPECIAL; i++) assert_int_equal(tct_tokenizer_special(t, (tct_special)i), -1);
    assert_int_equal(tct_tokenizer_size(t), tct_tokenizer_find(t, "<tool>s") + 1);
    assert_true(tct_tokenizer_is_special(t, tct_tokenizer_find(t, "<|end|>")));
    assert_false(tct_tokenizer_is_special(t, tct_tokenizer_find(t, "<tool>")));
    assert_int_equal(tct_tokenizer_find(t, "no such token"), -1);
    assert_null(tct_tokenizer_token(t, -1));
    assert_true(tct_tokenizer_set_special(t, TCT_PAD, 3));
    assert_false(tct_tokenizer_set_special(t, TCT_PAD, 100000));
    assert_int_equal(tct_tokenizer_special(t, TCT_PAD), 3);
    int begin = tct_tokenizer_find(t, "<|begin|>"), end = tct_tokenizer_find(t, "<|end|>");
    int im_end = tct_tokenizer_find(t, "<|im_end|>");
    tct_tokenizer_close(t);

    char text[256];
    write_text(
        folder, "tokenizer_config.json",
        "{\"bos_token\": \"<|begin|>\", \"pad_token\": {\"content\": \"<tool>\"}, \"eos_token\": null}");
    snprintf(text, sizeof text, "{\"eos_token_id\": [%d, %d], \"pad_token_id\": %d}", end, im_end, im_end);
    write_text(folder, "generation_config.json", text);
    write_text(folder, "config.json", "{\"bos_token_id\": 5, \"eos_token_id\": 6, \"pad_token_id\": -1}");
    t = tct_tokenizer_open(&d, folder);
    assert_non_null(t);
    assert_int_equal(tct_tokenizer_special(t, TCT_BOS), begin);
    assert_int_equal(tct_tokenizer_special(t, TCT_EOS), end);
    assert_int_equal(tct_tokenizer_special(t, TCT_PAD), tct_tokenizer_find(t, "<tool>"));
    assert_true(tct_tokenizer_is_special(t, tct_tokenizer_find(t, "<tool>")));
    const int32_t *eos = tct_tokenizer_eos_ids(t, &n);
    assert_int_equal(n, 2);
    assert_int_equal(eos[1], im_end);

    char saved[64];
    snprintf(saved, sizeof saved, "%s/a/copy", folder);
    assert_true(tct_tokenizer_save(&d, t, saved));
    assert_true(tct_file_read(&d, tct_path_join(&d.arena, saved, "tokenizer.json"), &copy, &copy_len));
    assert_int_equal(copy_len, len);
    assert_memory_equal(copy, json, len);
    tct_heap_free(copy);
    assert_int_equal(access(tct_path_join(&d.arena, saved, "tokenizer_config.json"), F_OK), 0);
    tct_tokenizer_close(t);

    write_text(folder, "tokenizer_config.json", "{\"bos_token\": \"<nope>\"}");
    assert_null(tct_tokenizer_open(&d, folder));
    assert_reported(&d, "E0706", "the bos_token '<nope>' is not in the vocabulary");
    write_text(folder, "tokenizer_config.json", "{\n oops");
    assert_null(tct_tokenizer_open(&d, folder));
    assert_reported(&d, "E0706", "tokenizer_config.json:2:");
    write_text(folder, "tokenizer_config.json", "{}");
    write_text(folder, "generation_config.json", "{\"eos_token_id\": 70000}");
    assert_null(tct_tokenizer_open(&d, folder));
    assert_reported(&d, "E0706", "'eos_token_id' is 70000, the vocabulary goes from 0 to");
    assert_null(tct_tokenizer_open(&d, "/nowhere"));
    assert_reported(&d, "E0701", "/nowhere/tokenizer.json");
    snprintf(text, sizeof text, "rm -rf %s", folder);
    assert_int_equal(system(text), 0);
    tct_heap_free(json);
    tct_diag_free(&d);
}

// A long text without words takes n log n: seconds would be a fall back to n².
static void test_long_word(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ids ids = {0};
    tct_buf text = {0}, back = {0};
    for (int i = 0; i < 40000; i++) tct_buf_puts(&text, "the house is a");
    tct_tokenizer *t = open_made(&d, "fallback");
    assert_true(tct_tokenizer_encode(&d, t, text.data, text.len, 0, &ids));
    assert_true(ids.len < text.len * 3 / 4);
    tct_tokenizer_decode(t, ids.data, ids.len, 0, &back);
    assert_int_equal(back.len, text.len);
    assert_memory_equal(back.data, text.data, text.len);
    tct_tokenizer_close(t);
    TCT_VEC_FREE(&ids);
    tct_buf_free(&text);
    tct_buf_free(&back);
    tct_diag_free(&d);
}

int main(int argc, char **argv) {
    if (argc > 1) expected_file = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_reference), cmocka_unit_test(test_continued_text),
        cmocka_unit_test(test_streaming),        cmocka_unit_test(test_special_ids_and_saving),

        cmocka_unit_test(test_long_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
