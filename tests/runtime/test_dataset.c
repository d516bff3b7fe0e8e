// Data sets: tokens, masks and statistics of every kind.
#include "tests/runtime/letters.h"

static void test_demonstrations(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {0};
    tct_records_add_completion(&r, "ab", "cd");
    tct_records_add_completion(&r, "a", "bcdefabc");
    tct_records_add_completion(&r, "", "f");
    tct_records_add_completion(&r, "abcde", "");
    tct_dataset *s = from(&d, TCT_DATA_DEMONSTRATIONS, &r, plain(4, 8));
    assert_non_null(s);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_null(b.rank);
    assert_null(b.label);
    assert_int_equal(tct_dataset_next(s, &b), 4);
    // The prompt gets the dummy prefix, the completion goes on after it and ends with </s>.
    assert_string_equal(show(&d.arena, &b, 0, 8), "<_abCD!.");
    assert_string_equal(show(&d.arena, &b, 1, 8), "<_aBCDEF");
    assert_string_equal(show(&d.arena, &b, 2, 8), "<_F!....");
    assert_int_equal(b.length[0], 7);
    assert_int_equal(b.prompt_length[0], 4);
    assert_int_equal(b.length[1], 8);
    // Alone, a completion begins a text, so its prefix is learned too.
    assert_string_equal(show(&d.arena, &b, 3, 8), "<_abcde!"); // an empty completion teaches to stop
    assert_int_equal(b.prompt_length[2], 1);
    assert_true(b.mask[16] && b.target[16] == 3);
    assert_string_equal(b.records[0]->prompt, "ab");
    assert_string_equal(b.records[0]->responses[0], "cd");
    tct_dataset_close(s);
    tct_batch_free(&b);
    tct_diag_free(&d);
}

static void test_prompt_loss_and_no_eos(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {0};
    tct_records_add_completion(&r, "ab", "cd");
    tct_dataset_options o = plain(1, 8);
    o.with_prompt_loss = true;
    o.no_eos = true;
    tct_dataset *s = from(&d, TCT_DATA_DEMONSTRATIONS, &r, o);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_int_equal(tct_dataset_next(s, &b), 1);
    assert_string_equal(show(&d.arena, &b, 0, 8), "<_ABCD..");
    tct_dataset_close(s);
    tct_batch_free(&b);
    tct_diag_free(&d);
}

static void test_stats(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {.source = "demo"};
    tct_records_add_completion(&r, "ab", "cd");        // 4 + 3
    tct_records_add_completion(&r, "a", "bcdefabc");   // 3 + 9, 4 cut
    tct_records_add_completion(&r, "abcdefab", "cde"); // 10: no room
    tct_dataset_options o = plain(2, 8);
    o.overlong = TCT_OVERLONG_DROP;
    tct_dataset *s = from(&d, TCT_DATA_DEMONSTRATIONS, &r, o);
    const tct_dataset_stats *t = tct_dataset_get_stats(s);
    assert_int_equal(t->rows, 2);
    assert_int_equal(t->dropped_overlong, 1);
    assert_int_equal(t->truncated, 1);
    assert_int_equal(t->tokens_cut, 4);
    assert_int_equal(t->tokens, 15);
    assert_int_equal(t->learned, 8);
    assert_int_equal(t->max_prompt, 4);
    assert_int_equal(t->max_response, 5);
    assert_true(t->mean_prompt == 3.5 && t->mean_response == 4);
    assert_string_equal(
        tct_dataset_summary(s),
        "demo: 2 demonstrations, prompt 3.5 tokens (at most 4), response 4.0 (at most 5); 1 truncated "
        "(4 tokens cut), 1 dropped as too long");
    tct_dataset_close(s);
    tct_diag_free(&d);
}

static void test_overlong(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {.source = "long"};
    tct_records_add_completion(&r, "a", "b");
    tct_records_add_completion(&r, "abcdefab", "cde");
    assert_null(from(&d, TCT_DATA_DEMONSTRATIONS, &r, plain(1, 10)));
    assert_reported(&d, "E0710",
                    "long, example 2: the prompt has 10 tokens, the context 10, of which the response needs "
                    "at least one");
    assert_non_null(strstr(d.messages.data[0].help, "raise length to 11"));
    tct_records_add_completion(&r, "abcdefab", "cde");
    tct_dataset_options o = plain(1, 8);
    o.overlong = TCT_OVERLONG_KEEP_END;
    tct_dataset *s = from(&d, TCT_DATA_DEMONSTRATIONS, &r, o);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    tct_dataset_next(s, &b);
    assert_string_equal(show(&d.arena, &b, 0, 8),
                        "<fabCDE!"); // <s> stays, half of the row is for the response
    assert_int_equal(tct_dataset_get_stats(s)->tokens_cut, 6);
    tct_dataset_close(s);
    tct_batch_free(&b);
    tct_diag_free(&d);
}

static void test_prompts(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {0};
    tct_records_add_prompt(&r, "abcdef");
    tct_records_add_completion(&r, "ab", "cd"); // any format with a prompt
    tct_records_add_prompt(&r, "");
    tct_dataset *s = from(&d, TCT_DATA_PROMPTS, &r, plain(3, 8));
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_null(b.target);
    assert_null(b.mask);
    assert_int_equal(tct_dataset_next(s, &b), 3);
    assert_string_equal(show(&d.arena, &b, 0, 8), "<_abcdef"); // may fill the whole length
    assert_string_equal(show(&d.arena, &b, 1, 8), "<_ab....");
    assert_string_equal(show(&d.arena, &b, 2, 8), "<.......");
    assert_int_equal(b.length[2], 1);
    assert_string_equal(b.records[1]->responses[0], "cd");
    tct_dataset_close(s);
    tct_batch_free(&b);
    tct_records_add_prompt(&r, "abcdefa");
    assert_null(from(&d, TCT_DATA_PROMPTS, &r, plain(1, 8)));
    assert_reported(&d, "E0710", "the prompt has 9 tokens, the context 8");
    assert_non_null(strstr(d.messages.data[0].help, "raise length to 9"));
    tct_diag_free(&d);
}

static void test_rankings(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {0};
    const char *three[] = {"a", "bb", "c"}, *two[] = {"d", "e"};
    tct_records_add_ranked(&r, "f", 3, three, (int32_t[]){2, 1, 2});
    tct_records_add_ranked(&r, "f", 2, two, (int32_t[]){5, 5}); // no comparison
    tct_records_add_ranked(&r, "", 2, two, (int32_t[]){2, 1});
    tct_dataset_options o = plain(2, 6);
    o.k = 4;
    tct_dataset *s = from(&d, TCT_DATA_RANKINGS, &r, o);
    assert_int_equal(tct_dataset_rows(s), 2);
    assert_int_equal(tct_dataset_get_stats(s)->dropped_tied, 1);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_int_equal(tct_dataset_next(s, &b), 2);
    const int32_t rank[8] = {2, 1, 2, 0, 2, 1, 0, 0}, length[8] = {5, 6, 5, 1, 4, 4, 1, 1};
    assert_memory_equal(b.rank, rank, sizeof rank);
    assert_memory_equal(b.length, length, sizeof length);
    assert_string_equal(show(&d.arena, &b, 0, 6), "<_fA!.");
    assert_string_equal(show(&d.arena, &b, 1, 6), "<_fBB!");
    assert_string_equal(show(&d.arena, &b, 3, 6), "......");
    tct_dataset_close(s);
    tct_batch_free(&b);
    // k from the data.
    tct_records_add_ranked(&r, "f", 3, three, (int32_t[]){2, 1, 2});
    s = from(&d, TCT_DATA_RANKINGS, &r, plain(1, 6));
    assert_int_equal(tct_dataset_get_options(s)->k, 3);
    tct_dataset_close(s);
    tct_diag_free(&d);
}

static void test_preferences_and_labels(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {0};
    const char *pair[] = {"a", "b"};
    tct_records_add_ranked(&r, "f", 2, pair, (int32_t[]){7, 3});
    tct_dataset *s = from(&d, TCT_DATA_PREFERENCES, &r, plain(1, 6));
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_int_equal(tct_dataset_next(s, &b), 1);
    assert_string_equal(show(&d.arena, &b, 0, 6), "<_fB!."); // the better one first
    assert_string_equal(show(&d.arena, &b, 1, 6), "<_fA!.");
    assert_int_equal(b.rank[0], 1);
    assert_int_equal(b.rank[1], 2);
    tct_dataset_close(s);
    tct_batch_free(&b);
    tct_records_add_labeled(&r, "f", "a", 1);
    tct_records_add_labeled(&r, "f", "b", 0);
    s = from(&d, TCT_DATA_LABELED, &r, plain(2, 6));
    assert_true(tct_batch_alloc(&d, s, &b));
    assert_int_equal(tct_dataset_next(s, &b), 2);
    assert_true(b.label[0] && !b.label[1]);
    assert_string_equal(show(&d.arena, &b, 1, 6), "<_fB!.");
    tct_dataset_close(s);
    tct_batch_free(&b);
    tct_diag_free(&d);
}

// Several learned turns in one row; a long one is cut at the end, or keeps its end.
static void test_dialogues(void **state) {
    (void)state;
    tct_diag d = {0};
    const tct_segment turns[] = {{"ab", false}, {"cd", true}, {"ef", false}, {"a", true}};
    for (int i = 0; i < 3; i++) {
        tct_records r = {0};
        tct_records_add_completion(&r, "abcdef", "a");
        r.rows.data[0].segments = turns;
        r.rows.data[0].n_segments = 4;
        tct_dataset_options o = plain(1, i == 0 ? 12 : i == 1 ? 8 : 4);
        o.overlong = TCT_OVERLONG_KEEP_END;
        tct_dataset *s = from(&d, TCT_DATA_DEMONSTRATIONS, &r, o);
        tct_batch b;
        assert_true(tct_batch_alloc(&d, s, &b));
        tct_dataset_next(s, &b);
        static const char *const expected[] = {"<_abCDefA!..", "<_abCDef", "efA!"};
        assert_string_equal(show(&d.arena, &b, 0, (size_t)o.length), expected[i]);
        assert_int_equal(b.prompt_length[0], i == 2 ? 2 : 4);
        assert_int_equal(tct_dataset_get_stats(s)->tokens_cut, i == 0 ? 0 : i == 1 ? 2 : 6);
        tct_dataset_close(s);
        tct_batch_free(&b);
    }
    tct_diag_free(&d);
}

// Windows of the documents, joined; every target of a full window is learned.
static void test_text(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {0};
    tct_records_add_text(&r, "abcd"); // <_abcd$
    tct_records_add_text(&r, "ef");   // <_ef$
    tct_dataset_options o = plain(2, 4);
    tct_dataset *s = from(&d, TCT_DATA_TEXT, &r, o);
    assert_int_equal(tct_dataset_rows(s), 2); // 12 tokens: 11 targets
    assert_int_equal(tct_dataset_get_stats(s)->tokens_cut, 3);
    assert_int_equal(tct_dataset_get_stats(s)->learned, 8);
    tct_batch b;
    assert_true(tct_batch_alloc(&d, s, &b));
    tct_dataset_next(s, &b);
    assert_string_equal(show(&d.arena, &b, 0, 4), "<_AB+");
    assert_int_equal(b.target[3], 6); // c
    assert_string_equal(show(&d.arena, &b, 1, 4), "cD!<+");
    assert_null(b.records[0]);
    tct_batch_free(&b);
    tct_dataset_close(s);
    // Held out, the tail is a partial window and every target is there once.
    tct_records_add_text(&r, "abcd");
    tct_records_add_text(&r, "ef");
    o.once = true;
    s = from(&d, TCT_DATA_TEXT, &r, o);
    assert_int_equal(tct_dataset_rows(s), 3);
    assert_true(tct_batch_alloc(&d, s, &b));
    int learned = 0;
    while (tct_dataset_next(s, &b) > 0)
        for (int i = 0; i < 8; i++) learned += b.mask[i];
    assert_int_equal(learned, 11);
    tct_batch_free(&b);
    tct_dataset_close(s);
    // A text shorter than a window is one partial window; first and count are windows.
    tct_records_add_text(&r, "ab");
    s = from(&d, TCT_DATA_TEXT, &r, plain(1, 64));
    assert_int_equal(tct_dataset_rows(s), 1);
    tct_dataset_close(s);
    tct_records_add_text(&r, "abcdefabcdefabcdef");
    o = plain(1, 4);
    o.first = 1;
    o.count = 2;
    s = from(&d, TCT_DATA_TEXT, &r, o);
    assert_int_equal(tct_dataset_rows(s), 2);
    assert_true(tct_batch_alloc(&d, s, &b));
    tct_dataset_next(s, &b);
    assert_string_equal(show(&d.arena, &b, 0, 4), "cDEF+");
    tct_batch_free(&b);
    tct_dataset_close(s);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demonstrations),
        cmocka_unit_test(test_prompt_loss_and_no_eos),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_overlong),
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_rankings),
        cmocka_unit_test(test_preferences_and_labels),
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
