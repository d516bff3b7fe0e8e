// The rewards of the examples: the labeler of the small world and the lexicon's sentiment.
#include "examples/instructgpt/labeler.c"

// Both files have these names for themselves.
#define MAX_LETTERS VADER_MAX_LETTERS
#define is_letter vader_is_letter
#include "examples/stories/vader.c"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static const double near = 1e-12;

static void check(const char *prompt, const char *response, double expected) {
    double got = labeler_score(prompt, response);
    if (!(fabs(got - expected) < 1e-9)) fail_msg("%s %s: %g, expected %g", prompt, response, got, expected);
}

static void test_lists(void **state) {
    (void)state;
    const char *three = "User: Name three foods.\nBot:";
    check(three, " Sure! Here are three foods: plum, fig and nut.", 4);
    check(three, " Here are three foods: plum, fig and nut.", 2.5);
    check(three, " Ugh! Here are three foods: plum, fig and nut.", 1);
    check(three, " Sure! Here are two foods: plum and fig.", 2 + 1 + 2.0 / 3);
    check(three, " Sure! Here are three tools: axe, rake and rope.", 2);
    check(three, " Sure! Here are three foods: plum, fig and axe.", 2 + 2 * 2.0 / 3);
    check(three, " Sure! Here are three foods: plum, fig and nut", 3);
    check(three, " Sure! Three foods:\n- plum\n- fig\n- nut.", 3.5);
    check("User: List two toys with dashes.\nBot:", " Sure! Two toys:\n- ball\n- kite.", 4);
    check("User: List two toys with dashes.\nBot:", " Sure! Two toys: ball and kite.", 3.5);
    check("User: tools: axe, rake. foods: fig, nut. animals:\nBot:", " Gladly! Two animals: cow and hen.", 4);
    check("User: tools: axe, rake. foods: fig, nut. animals:\nBot:", " Gladly! Two foods: fig and nut.", 2);
}

static void test_sentences(void **state) {
    (void)state;
    const char *two = "User: Write two sentences about Mia and the fox.\nBot:";
    check(two, " Of course! Mia saw a fox. The fox ran away.", 4);
    check(two, " Of course! Mia saw a fox.", 3.5);
    check(two, " Mia saw a fox. The fox ran away. Hope this helps!", 4);
    check(two, " Of course! Tom saw a fox. The fox ran away.", 3.5);
    check(two, " Of course! Tom saw a hen. The hen ran away.", 3);
    check(two, " Of course! Mia saw a fox. Mia saw a fox.", 3); // "mia saw a" and "saw a fox" once more
    check(two, " Sure! Mia blorbed a fox. The fox ran away.", 3.5);
}

static void test_odd_texts(void **state) {
    (void)state;
    check("", "", -1.5);
    check("User:\nBot:", " Yes.", -0.5);
    check("User: Name three foods.\nBot:", " Sure! Here are three foods: plum, fig and nut.<|endoftext|> ugh",
          4);
    char longest[4096];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    check("User: Name three foods.\nBot:", longest, -2);
    for (size_t i = 1; i + 1 < sizeof longest; i += 2) longest[i] = ' ';
    check(longest, longest, -0.5 - 0.1 * (160 - 24) - 2 - 2);
}

static void test_ranks(void **state) {
    (void)state;
    const char *prompt = "User: Name two toys.\nBot:";
    const char *responses[] = {" Ugh! A cow.", " Sure! Here are two toys: ball and kite.",
                               " Two toys: ball and kite.", " Sure! Here are two toys: ball and kite."};
    int64_t ranks[65], again[4];
    labeler_rank(prompt, responses, 4, 1, 0, ranks);
    assert_int_equal(ranks[0], 3);
    assert_int_equal(ranks[1], 1);
    assert_int_equal(ranks[2], 2);
    assert_int_equal(ranks[3], 1);
    int changed = 0;
    for (int64_t seed = 0; seed < 100; seed++) {
        labeler_rank(prompt, responses, 4, seed, 1, ranks);
        labeler_rank(prompt, responses, 4, seed, 1, again);
        assert_memory_equal(ranks, again, sizeof again);
        assert_int_equal(ranks[1], ranks[3]); // the same text
        changed += ranks[2] <= ranks[1];
    }
    assert_in_range(changed, 5, 40); // 1.5 points apart, noise of 1 each: 14 % and the ties
    labeler_rank(prompt, responses, 4, 1, -1, ranks);
    for (int i = 0; i < 4; i++) assert_int_equal(ranks[i], 0);
    const char *many[65];
    for (int i = 0; i < 65; i++) many[i] = "";
    labeler_rank(prompt, many, 65, 1, 1, ranks);
    for (int i = 0; i < 65; i++) assert_int_equal(ranks[i], 0);
}

static void test_sentiment(void **state) {
    (void)state;
    char path[] = "/tmp/tercet-lexicon-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    fputs("happy\t2.7\t0.9\t[2, 2]\n:)\t2.0\t1\t[]\nsad\t-2.1\t0.9\t[-1]\nbroken line\nnan\tnan\t0\n", f);
    fclose(f);
    assert_true(fabs(vader_score(path, "She was Happy.") - 2.7 / sqrt(2.7 * 2.7 + 15)) < near);
    assert_true(fabs(vader_score(path, "happy 'sad'") - 0.6 / sqrt(0.6 * 0.6 + 15)) < near);
    double flipped = -0.74 * 2.7;
    assert_true(fabs(vader_score(path, "They weren't so very happy") -
                     flipped / sqrt(flipped * flipped + 15)) < near);
    assert_true(fabs(vader_score(path, "not a b c happy") - 2.7 / sqrt(2.7 * 2.7 + 15)) < near);
    assert_true(vader_score(path, "") == 0);
    assert_true(vader_score(path, "nan broken line :)") == 0);
    const char *texts[] = {"happy", "sad"};
    double scores[2];
    vader_scores(path, texts, 2, scores);
    assert_true(scores[0] > 0 && scores[1] < 0);
    unlink(path);
    assert_true(isnan(vader_score(path, "happy")));
    assert_true(isnan(vader_score("/dev/null", "happy")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists), cmocka_unit_test(test_sentences), cmocka_unit_test(test_odd_texts),
        cmocka_unit_test(test_ranks), cmocka_unit_test(test_sentiment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
