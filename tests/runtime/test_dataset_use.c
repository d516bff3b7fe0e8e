// Data sets: order and resume, held-out epochs, and errors that say what to do.
#include "base/file.h"
#include "tests/runtime/letters.h"

#include <unistd.h>

#define SHARED TERCET_SOURCE_DIR "/../shared/data/"

static tct_dataset *numbered(tct_diag *d, tct_data_kind kind, int n, tct_dataset_options o) {
    tct_records r = {0};
    for (int i = 0; i < n; i++) {
        char text[8];
        snprintf(text, sizeof text, "%c%c%c", 'a' + i / 36, 'a' + i / 6 % 6, 'a' + i % 6);
        tct_records_add_completion(&r, kind == TCT_DATA_TEXT ? "" : text, text);
    }
    return from(d, kind, &r, o);
}

// Each epoch shows every row once, in an order of its own; batches go on into the next epoch.
static void test_order(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_dataset_options o = plain(7, 12);
    o.shuffle = true;
    o.seed = 5;
    tct_dataset *s = numbered(&d, TCT_DATA_DEMONSTRATIONS, 50, o);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    int seen[50] = {0}, first[50], second[50];
    for (int i = 0; i < 50; i++) { // 350 rows: seven epochs
        assert_int_equal(tct_dataset_next(s, &b), 7);
        for (int k = 0; k < 7; k++) {
            int at = i * 7 + k;
            assert_ptr_equal(b.records[k], tct_dataset_record(s, b.row_ids[k]));
            seen[b.row_ids[k]]++;
            if (at < 50) first[at] = (int)b.row_ids[k];
            if (at >= 50 && at < 100) second[at - 50] = (int)b.row_ids[k];
            if (at == 49)
                for (int j = 0; j < 50; j++) assert_int_equal(seen[j], 1);
        }
    }
    for (int j = 0; j < 50; j++) assert_int_equal(seen[j], 7);
    assert_memory_not_equal(first, second, sizeof first);
    assert_int_equal(tct_dataset_tell(s).epoch, 7);
    assert_int_equal(tct_dataset_tell(s).index, 0);
    assert_int_equal(tct_dataset_batches(s), 8);
    tct_batch_free(&b);
    tct_dataset_close(s);
    tct_diag_free(&d);
}

// Another program that seeks to a position gets the same bytes as the one that went on.
static void test_resume(void **state) {
    (void)state;
    tct_diag d = {0};
    static const tct_data_kind kinds[] = {TCT_DATA_DEMONSTRATIONS, TCT_DATA_TEXT, TCT_DATA_PROMPTS};
    for (int k = 0; k < 3; k++) {
        tct_dataset_options o = plain(7, 10);
        o.shuffle = true;
        o.seed = 99;
        tct_dataset *a = numbered(&d, kinds[k], 40, o), *b = numbered(&d, kinds[k], 40, o);
        assert_true(tct_dataset_fingerprint(a) == tct_dataset_fingerprint(b));
        tct_batch x, y;
        assert_true(tct_batch_alloc(&d, a, &x));
        assert_true(tct_batch_alloc(&d, b, &y));
        for (int i = 0; i < 30; i++) {
            tct_dataset_position p = tct_dataset_tell(a);
            tct_dataset_next(a, &x);
            assert_true(tct_dataset_seek(b, p));
            tct_dataset_next(b, &y);
            assert_memory_equal(x.tokens, y.tokens, 70 * sizeof *x.tokens);
            assert_memory_equal(x.row_ids, y.row_ids, 7 * sizeof *x.row_ids);
        }
        assert_false(tct_dataset_seek(b, (tct_dataset_position){0, tct_dataset_rows(b)}));
        tct_batch_free(&x);
        tct_batch_free(&y);
        tct_dataset_close(a);
        o.seed = 100;
        tct_dataset *c = numbered(&d, kinds[k], 40, o);
        assert_true(tct_dataset_fingerprint(c) != tct_dataset_fingerprint(b));
        tct_dataset_close(b);
        tct_dataset_close(c);
    }
    tct_diag_free(&d);
}

static void test_held_out(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_dataset_options o = plain(4, 12);
    o.once = true;
    tct_dataset *s = numbered(&d, TCT_DATA_DEMONSTRATIONS, 10, o);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    for (int pass = 0; pass < 2; pass++) {
        static const int expected[] = {4, 4, 2, 0, 0};
        for (int i = 0; i < 5; i++) {
            assert_int_equal(tct_dataset_next(s, &b), expected[i]);
            assert_int_equal(b.n_rows, expected[i]);
            if (i == 2) {
                assert_int_equal(b.row_ids[1], 9);
                assert_string_equal(show(&d.arena, &b, 3, 12), "............");
                assert_int_equal(b.length[3], 1);
                assert_null(b.records[3]);
                assert_non_null(b.records[1]);
            }
        }
        tct_dataset_rewind(s);
    }
    assert_int_equal(tct_dataset_batches(s), 3);
    tct_batch partial = {.tokens = b.tokens}; // arrays that aren't wanted are left out
    assert_int_equal(tct_dataset_next(s, &partial), 4);
    tct_batch_free(&b);
    tct_dataset_close(s);
    tct_diag_free(&d);
}

// Each mistake is an error that names the example and says what to do.
static void test_refuses(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {.source = "bad"};
    const char *three[] = {"a", "b", "c"};
    tct_dataset_options o = plain(1, 8);

    assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, o));
    assert_reported(&d, "E0709", "the data set is empty");
    tct_records_add_completion(&r, "ab", "");
    o.no_eos = true;
    assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, o));
    assert_reported(&d, "E0711", "example 1: all labels are masked");
    o.no_eos = false;
    o.pad = 2;
    tct_records_add_completion(&r, "ab", "c");
    assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, o));
    assert_reported(&d, "E0712", "the padding token is the end token (2, '</s>')");
    o.pad = 1000;
    assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, o));
    assert_reported(&d, "E0709", "the padding token is 1000");
    o.pad = TCT_PAD_NONE;

    tct_records_add_ranked(&r, "f", 3, three, (int32_t[]){1, 2, 3});
    o.k = 2;
    assert_null(from(&d, TCT_DATA_RANKINGS, &r, o));
    assert_reported(&d, "E0709", "3 responses, but k is 2");
    assert_string_equal(d.messages.data[d.messages.len - 1].help, "raise k to 3");
    tct_records_add_ranked(&r, "f", 3, three, (int32_t[]){1, 0, 3});
    o.k = 0;
    assert_null(from(&d, TCT_DATA_RANKINGS, &r, o));
    assert_reported(&d, "E0713", "rank 2 is 0");
    tct_records_add_ranked(&r, "f", 1, three, (int32_t[]){1});
    assert_null(from(&d, TCT_DATA_RANKINGS, &r, o));
    assert_reported(&d, "E0713", "at least 2 responses");
    tct_records_add_ranked(&r, "f", 3, three, (int32_t[]){1, 2, 3});
    assert_null(from(&d, TCT_DATA_PREFERENCES, &r, o));
    assert_reported(&d, "E0709", "preferences need exactly 2 responses");
    tct_records_add_completion(&r, "f", "a");
    assert_null(from(&d, TCT_DATA_RANKINGS, &r, o));
    assert_reported(&d, "E0709", "rankings need {\"prompt\", \"responses\", \"ranks\"}");
    tct_records_add_completion(&r, "f", "a");
    assert_null(from(&d, TCT_DATA_LABELED, &r, o));
    assert_reported(&d, "E0709", "labeled need");
    tct_records_add_labeled(&r, "f", "a", 0);
    assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, o));
    assert_reported(&d, "E0709", "labelled false");
    tct_records_add_prompt(&r, "f");
    assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, o));
    assert_reported(&d, "E0709", "demonstrations need");
    tct_records_add_prompt(&r, "f");
    assert_null(from(&d, TCT_DATA_TEXT, &r, o));
    assert_reported(&d, "E0709", "text need a text file");
    tct_records_add_text(&r, "x");
    assert_null(from(&d, TCT_DATA_TEXT, &r, o));
    assert_reported(&d, "E0707", "no token for 'x'");
    assert_string_equal(d.messages.data[d.messages.len - 1].notes[0].text, "in records, example 1");

    static const struct {
        int32_t batch, length, k;
        const char *expected;
    } sizes[] = {{0, 8, 0, "batch is 0"},   {1, 1, 0, "length is 1"},           {1, 8, -1, "k is -1"},
                 {1, 8, 9999, "k is 9999"}, {1 << 20, 1 << 20, 0, "too large"}, {-5, 8, 0, "batch is -5"}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        o = plain(sizes[i].batch, sizes[i].length);
        o.k = sizes[i].k;
        tct_records_add_completion(&r, "a", "b");
        assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, o));
        assert_reported(&d, "E0709", sizes[i].expected);
    }
    tct_diag_free(&d);
}

static void test_needs_an_end_token(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_tokenizer *t = tct_tokenizer_parse(&d, "letters", letters, strlen(letters));
    tct_records r = {0};
    tct_records_add_completion(&r, "a", "b");
    tct_dataset_options o = plain(1, 8);
    assert_null(tct_dataset_from_records(&d, TCT_DATA_DEMONSTRATIONS, &r, t, &o));
    assert_reported(&d, "E0709", "no end token");
    tct_records_add_text(&r, "abc"); // text and prompts need none
    tct_dataset *s = tct_dataset_from_records(&d, TCT_DATA_TEXT, &r, t, &o);
    assert_non_null(s);
    tct_dataset_close(s);
    tct_tokenizer_close(t);
    tct_diag_free(&d);
}

// From a file, with its name and line in what goes wrong.
static void test_from_file(void **state) {
    (void)state;
    tct_diag d = {0};
    char path[] = "/tmp/tercet-dataset-XXXXXX.jsonl";
    int fd = mkstemps(path, 6);
    assert_true(fd >= 0);
    close(fd);
    const char *text = "{\"prompt\": \"ab\", \"completion\": \"c\"}\n\n{\"prompt\": \"abcdefabcdef\", "
                       "\"completion\": \"c\"}\n"
                       "{\"prompt\": \"f\", \"completion\": \"d\"}\n";
    assert_true(tct_file_write(&d, path, text, strlen(text)));
    tct_dataset_options o = plain(2, 9);
    assert_null(tct_dataset_open(&d, TCT_DATA_DEMONSTRATIONS, path, tokenizer, &o));
    assert_reported(&d, "E0710", ".jsonl:3: the prompt has 14 tokens");
    o.overlong = TCT_OVERLONG_DROP;
    o.style.prompt = "e{prompt}d";
    tct_dataset *s = tct_dataset_open(&d, TCT_DATA_DEMONSTRATIONS, path, tokenizer, &o);
    assert_non_null(s);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_int_equal(tct_dataset_next(s, &b), 2);
    assert_string_equal(show(&d.arena, &b, 0, 9), "<_eabdC!.");
    assert_string_equal(show(&d.arena, &b, 1, 9), "<_efdD!..");
    assert_int_equal(b.records[1]->line, 4);
    tct_batch_free(&b);
    tct_dataset_close(s);
    o.first = 2;
    s = tct_dataset_open(&d, TCT_DATA_DEMONSTRATIONS, path, tokenizer, &o);
    assert_int_equal(tct_dataset_rows(s), 1);
    tct_dataset_close(s);
    unlink(path);
    tct_diag_free(&d);
}

// Bent files of every format, read as every kind: batches or an error, never a crash.
static void test_survives_corruption(void **state) {
    (void)state;
    static const char good[] =
        "{\"prompt\": \"ab\", \"completion\": \"c\", \"label\": true}\n"
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": "
        "\"b\"}]}\n"
        "{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"], \"ranks\": [1, 2]}\n"
        "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n{\"text\": \"abc\"}\n";
    char path[] = "/tmp/tercet-dataset-XXXXXX.jsonl", bent[sizeof good];
    int fd = mkstemps(path, 6), opened = 0;
    assert_true(fd >= 0);
    close(fd);
    for (size_t at = 0; at < sizeof good - 1; at++) {
        memcpy(bent, good, sizeof good);
        bent[at] = "\"{}[]:,9-x\xFF\n"[at * 7 % 12];
        tct_diag d = {0};
        assert_true(tct_file_write(&d, path, bent, sizeof good - 1));
        for (int kind = 0; kind < TCT_N_DATA_KINDS; kind++)
            for (size_t row = 0; row < 5; row++) {
                tct_dataset_options o = plain(2, 6);
                o.first = kind == TCT_DATA_TEXT ? 0 : row;
                o.count = kind == TCT_DATA_TEXT ? 0 : 1;
                o.style.chat = "plain";
                o.overlong = TCT_OVERLONG_KEEP_END;
                tct_dataset *s = tct_dataset_open(&d, (tct_data_kind)kind, path, tokenizer, &o);
                tct_batch b = {0};
                if (!s) continue;
                assert_true(tct_batch_alloc(&d, s, &b));
                assert_int_equal(tct_dataset_next(s, &b), 2);
                opened++;
                tct_batch_free(&b);
                tct_dataset_close(s);
            }
        tct_diag_free(&d);
    }
    assert_true(opened > 100);
    unlink(path);
}

// HH-RLHF with GPT-2's tokenizer: prompt and response put together again are the file's dialogue.
static void test_real_preferences(void **state) {
    (void)state;
    if (access(SHARED "gpt2", F_OK) != 0 || access(SHARED "hh_harmless_dev.jsonl.gz", F_OK) != 0) {
        print_message("SKIPPED: %s is not there\n", SHARED);
        return;
    }
    tct_diag d = {0};
    tct_tokenizer *t = tct_tokenizer_open(&d, SHARED "gpt2");
    assert_non_null(t);
    assert_true(tct_tokenizer_set_special(t, TCT_EOS, tct_tokenizer_find(t, "<|endoftext|>")));
    tct_dataset_options o = plain(8, 1024);
    o.once = true;
    tct_dataset *s = tct_dataset_open(&d, TCT_DATA_PREFERENCES, SHARED "hh_harmless_dev.jsonl.gz", t, &o);
    if (!s) fail_msg("%s", d.messages.data[0].text);
    print_message("%s\n", tct_dataset_summary(s));
    assert_int_equal(tct_dataset_rows(s) + tct_dataset_get_stats(s)->dropped_tied, 1156);
    tct_batch b;
    tct_buf text = {0};
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_int_equal(tct_dataset_next(s, &b), 8);
    for (size_t seq = 0; seq < 16; seq++) {
        const tct_record *r = b.records[seq / 2];
        text.len = 0;
        tct_tokenizer_decode(t, b.tokens + seq * 1024, (size_t)b.length[seq], TCT_DECODE_SKIP_SPECIAL, &text);
        assert_string_equal(text.data, tct_arena_printf(&d.arena, "%s%s", r->prompt, r->responses[seq % 2]));
        assert_int_equal(b.tokens[seq * 1024 + (size_t)b.length[seq] - 1], 50256);
    }
    tct_buf_free(&text);
    tct_batch_free(&b);
    tct_dataset_close(s);
    tct_tokenizer_close(t);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_held_out),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_needs_an_end_token),
        cmocka_unit_test(test_from_file),
        cmocka_unit_test(test_survives_corruption),
        cmocka_unit_test(test_real_preferences),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
