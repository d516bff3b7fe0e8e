// Tokenizers: files and texts that are refused, and by which words; bent files.
#include "base/file.h"
#include "runtime/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MADE TERCET_SOURCE_DIR "/tests/runtime/tokenizers/"

static void assert_reported(const tct_diag *d, const char *code, const char *text) {
    assert_true(d->messages.len > 0);
    const tct_message *m = &d->messages.data[d->messages.len - 1];
    if (strcmp(m->code, code) != 0 || !strstr(m->text, text)) fail_msg("got %s: %s", m->code, m->text);
}

#define MODEL                                                                                                \
    "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}"

static void test_refuses_by_name(void **state) {
    (void)state;
    static const struct {
        const char *json, *expected;
    } bad[] = {
        {"[]", "a JSON object was expected"},
        {"{", "bad:1:"},
        {"{}", "an object with a 'model' was expected"},
        {"{" MODEL ", \"extra\": 1}", "the part 'extra' is not supported"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}", "model type 'Unigram' is not supported"},
        {"{\"model\": {\"vocab\": {\"a\": 0}}}", "model type '(none)'"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"dropout\": 0.1}}",
         "model.dropout"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"end_of_word_suffix\": "
         "\"</w>\"}}",
         "model.end_of_word_suffix is not supported"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}", "model.vocab is empty"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}}", "the id of 'a'"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 2000000000}, \"merges\": []}}", "the id of 'a'"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}}",
         "the id of another token"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}}",
         "the right part is not in the vocabulary"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [[\"a\", \"b\"]]}}",
         "what it makes is not"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a\"]}}", "merge 0 must be"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [7]}}", "merge 0 must be"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"unk_token\": \"?\"}}",
         "unk_token '?'"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"byte_fallback\": 3}}",
         "'byte_fallback' must be"},
        {"{" MODEL ", \"normalizer\": {\"type\": \"Precompiled\"}}",
         "the normalizer 'Precompiled' is not supported"},
        {"{" MODEL ", \"normalizer\": {\"type\": \"Prepend\"}}", "normalizer: 'prepend' must be a string"},
        {"{" MODEL
         ", \"normalizer\": {\"type\": \"Replace\", \"content\": \"x\", \"pattern\": {\"String\": \"\"}}}",
         "'pattern' must be"},
        {"{" MODEL ", \"normalizer\": 4}", "an object with a 'type' was expected"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}}",
         "the pre_tokenizer 'UnicodeScripts' is not supported"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Sequence\"}}",
         "a Sequence needs a list 'pretokenizers'"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"ab\"}}",
         "must be one character"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Metaspace\", \"prepend_scheme\": \"maybe\"}}",
         "always, first or never"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}, "
         "\"behavior\": \"Isolated\"}}",
         "malformed"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a{1,3}+\"}, "
         "\"behavior\": \"Isolated\"}}",
         "a repeated {n,m}+"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a-z&&b]\"}, "
         "\"behavior\": \"Isolated\"}}",
         "a class within a class"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\h\"}, "
         "\"behavior\": \"Isolated\"}}",
         "the escape \\h"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"x\\\\\"}, "
         "\"behavior\": \"Isolated\"}}",
         "the pattern 'x\\'"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, "
         "\"behavior\": \"Odd\"}}",
         "'behavior'"},
        {"{" MODEL ", \"post_processor\": {\"type\": \"BertProcessing\"}}",
         "the post_processor 'BertProcessing' is not supported"},
        {"{" MODEL ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
         "{\"id\": \"x\"}}]}}",
         "'single' must be"},
        {"{" MODEL ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": "
         "{}}, {\"SpecialToken\": {\"id\": \"x\"}}],"
         " \"special_tokens\": {\"x\": {\"ids\": [9]}}}}",
         "'single' must be"},
        {"{" MODEL ", \"decoder\": {\"type\": \"WordPiece\"}}", "the decoder 'WordPiece' is not supported"},
        {"{" MODEL ", \"decoder\": {\"type\": \"Strip\", \"content\": \" \", \"start\": -1, \"stop\": 0}}",
         "'start' must be"},
        {"{" MODEL ", \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}, {\"type\": "
         "\"ByteFallback\"}]}}",
         "only one Strip can follow"},
        {"{" MODEL ", \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}, {\"type\": "
         "\"ByteLevel\"}]}}",
         "only one Strip can follow"},
        {"{" MODEL ", \"added_tokens\": 5}", "'added_tokens' must be a list"},
        {"{" MODEL ", \"added_tokens\": [{\"id\": 3}]}", "needs a 'content'"},
        {"{" MODEL ", \"added_tokens\": [{\"id\": 5, \"content\": \"a\"}]}",
         "the model's vocabulary gives it another"},
        {"{" MODEL ", \"added_tokens\": [{\"id\": 1, \"content\": \"z\"}]}", "another token has that id"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tct_diag d = {0};
        assert_null(tct_tokenizer_parse(&d, "bad", bad[i].json, strlen(bad[i].json)));
        assert_int_equal(d.n_errors, 1);
        assert_reported(&d, "E0706", bad[i].expected);
        tct_diag_free(&d);
    }
}

static void test_refuses_text(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ids ids = {0};
    tct_tokenizer *t = tct_tokenizer_parse(&d, "ab", "{" MODEL "}", strlen("{" MODEL "}"));
    assert_non_null(t);
    assert_true(tct_tokenizer_encode(&d, t, "abba", 4, 0, &ids));
    assert_int_equal(ids.len, 3);
    assert_false(tct_tokenizer_encode(&d, t, "abé", 4, 0, &ids));
    assert_reported(&d, "E0707", "ab has no token for 'é'");
    assert_false(tct_tokenizer_encode(&d, t, "ab\xC3", 3, 0, &ids));
    assert_reported(&d, "E0707", "not UTF-8 at byte 2");
    assert_false(tct_tokenizer_encode(&d, t, "\xED\xA0\x80", 3, 0, &ids));
    assert_reported(&d, "E0707", "not UTF-8 at byte 0");
    tct_tokenizer_close(t);
    // A pattern that explodes on this text is stopped.
    const char *slow = "{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": "
                       "\"(?:a|aa|aaa)+[xyz]\"}, \"behavior\": \"Isolated\"}}";
    t = tct_tokenizer_parse(&d, "slow", slow, strlen(slow));
    assert_non_null(t);
    char many[201];
    memset(many, 'a', 199);
    strcpy(many + 199, "b");
    assert_false(tct_tokenizer_encode(&d, t, many, 200, 0, &ids));
    assert_reported(&d, "E0707", "needs too many steps");
    tct_tokenizer_close(t);
    TCT_VEC_FREE(&ids);
    tct_diag_free(&d);
}

// Truncations and corruptions of a tokenizer file: refused or read, never a crash.
static void test_survives_corruption(void **state) {
    (void)state;
    tct_diag d = {0};
    char *json;
    size_t len, opened = 0;
    assert_true(tct_file_read(&d, MADE "added.json", &json, &len));
    for (size_t at = 0; at < len; at += at < 2200 ? 7 : 401)
        for (int k = 0; k < 4; k++) {
            tct_diag e = {0};
            tct_ids ids = {0};
            size_t n = k == 0 ? at : len;
            char *copy = malloc(n ? n : 1), was = json[at];
            if (k) json[at] = "\"{7"[k - 1];
            memcpy(copy, json, n);
            json[at] = was;
            tct_tokenizer *t = tct_tokenizer_parse(&e, "bent", copy, n);
            if (t) (void)tct_tokenizer_encode(&e, t, "a cat <mask> 12", 15, TCT_ENCODE_SPECIAL, &ids);
            opened += t != NULL;
            tct_tokenizer_close(t);
            TCT_VEC_FREE(&ids);
            free(copy);
            tct_diag_free(&e);
        }
    assert_true(opened > 0);
    tct_heap_free(json);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_by_name),
        cmocka_unit_test(test_refuses_text),
        cmocka_unit_test(test_survives_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
