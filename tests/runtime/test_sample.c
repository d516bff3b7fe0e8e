// Sampling: greedy, temperature, top-k, top-p; the random numbers behind it.
#include "runtime/sample.h"
#include "runtime/softmax.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 5, DRAWS = 20000 };
static const float logits[N] = {0.5f, 2.0f, -1.0f, 2.0f, 1.0f};

static double probability(double temperature, int token) {
    double total = 0;
    for (int i = 0; i < N; i++) total += exp((double)logits[i] / temperature);
    return exp((double)logits[token] / temperature) / total;
}

// How often each token comes.
static void count(tct_sampling s, double share[N]) {
    tct_sample_entry room[N];
    for (int i = 0; i < N; i++) share[i] = 0;
    for (int i = 0; i < DRAWS; i++) {
        tct_choice c = tct_sample(&s, logits, N, 3, (uint64_t)i, room);
        assert_in_range(c.token, 0, N - 1);
        share[c.token] += 1.0 / DRAWS;
    }
}

static void greedy_takes_the_first_maximum(void **state) {
    (void)state;
    tct_sample_entry room[N];
    tct_sampling s = {.temperature = 0, .top_p = 1};
    tct_choice c = tct_sample(&s, logits, N, 0, 0, room);
    assert_int_equal(c.token, 1);
    assert_true(fabs((double)c.logp - log(probability(1, 1))) < 1e-6);
}

static void frequencies_follow_the_softmax(void **state) {
    (void)state;
    double share[N];
    for (int k = 0; k < 3; k++) {
        double temperature = k == 0 ? 0.5 : k == 1 ? 1.0 : 2.5;
        count((tct_sampling){.temperature = temperature, .top_p = 1, .seed = 11}, share);
        // Five deviations of a share over 20000 draws are below 0.018.
        for (int i = 0; i < N; i++) assert_true(fabs(share[i] - probability(temperature, i)) < 0.018);
    }
}

static void top_k_keeps_the_likeliest(void **state) {
    (void)state;
    double share[N], kept = probability(1, 1) + probability(1, 3);
    count((tct_sampling){.temperature = 1, .top_k = 2, .top_p = 1, .seed = 1}, share);
    assert_true(share[0] == 0 && share[2] == 0 && share[4] == 0);
    assert_true(fabs(share[1] - probability(1, 1) / kept) < 0.018);
    count((tct_sampling){.temperature = 1, .top_k = 1, .top_p = 1, .seed = 1}, share);
    assert_true(share[1] > 0.9999); // of equals the first
    count((tct_sampling){.temperature = 1, .top_k = 100, .top_p = 1, .seed = 1}, share);
    assert_true(share[2] > 0);
}

static void top_p_keeps_the_fewest_that_suffice(void **state) {
    (void)state;
    double share[N], two = probability(1, 1) + probability(1, 3);
    count((tct_sampling){.temperature = 1, .top_p = two - 0.01, .seed = 2}, share);
    assert_true(share[0] == 0 && share[2] == 0 && share[4] == 0 && share[3] > 0);
    count((tct_sampling){.temperature = 1, .top_p = two + 0.01, .seed = 2}, share);
    assert_true(share[0] == 0 && share[2] == 0 && share[4] > 0);
    count((tct_sampling){.temperature = 1, .top_p = 1e-9, .seed = 2}, share);
    assert_true(share[1] > 0.9999);
    // Within the two of top_k the first alone makes up half.
    count((tct_sampling){.temperature = 1, .top_k = 2, .top_p = 0.4, .seed = 2}, share);
    assert_true(share[1] > 0.9999);
}

static void logp_is_that_of_the_whole_softmax(void **state) {
    (void)state;
    tct_sample_entry room[N];
    tct_sampling s = {.temperature = 0.7, .top_k = 2, .top_p = 0.9, .seed = 5};
    for (uint64_t i = 0; i < 20; i++) {
        tct_choice c = tct_sample(&s, logits, N, 0, i, room);
        assert_true(fabs((double)c.logp - log(probability(0.7, c.token))) < 1e-6);
    }
}

static void draws_differ_by_seed_row_and_position(void **state) {
    (void)state;
    tct_sample_entry room[N];
    int same[3] = {0};
    for (uint64_t i = 0; i < 200; i++) {
        tct_sampling s = {.temperature = 1, .top_p = 1, .seed = i}, next = s;
        next.seed = i + 1;
        int32_t token = tct_sample(&s, logits, N, i, i, room).token;
        assert_int_equal(token, tct_sample(&s, logits, N, i, i, room).token);
        same[0] += token == tct_sample(&next, logits, N, i, i, room).token;
        same[1] += token == tct_sample(&s, logits, N, i + 1, i, room).token;
        same[2] += token == tct_sample(&s, logits, N, i, i + 1, room).token;
    }
    for (int k = 0; k < 3; k++) assert_in_range(same[k], 20, 140);
}

static void what_is_not_a_number_is_never_taken(void **state) {
    (void)state;
    tct_sample_entry room[N];
    tct_sampling s = {.temperature = 1, .top_p = 1};
    const float some[N] = {NAN, -INFINITY, 1.0f, -INFINITY, NAN}, none[N] = {NAN, NAN, NAN, NAN, NAN},
                out[N] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    for (uint64_t i = 0; i < 50; i++) assert_int_equal(tct_sample(&s, some, N, 0, i, room).token, 2);
    assert_int_equal(tct_sample(&s, none, N, 0, 0, room).token, -1);
    assert_int_equal(tct_sample(&s, out, N, 0, 0, room).token, -1);
}

static void selection_agrees_with_sorting(void **state) {
    (void)state;
    enum { MANY = 300 };
    float wide[MANY];
    tct_sample_entry room[MANY];
    for (int i = 0; i < MANY; i++) wide[i] = (float)((i * 7919) % 101) / 25;
    for (int k = 1; k < MANY; k += 17) {
        tct_sampling s = {.temperature = 1, .top_k = k, .top_p = 1, .seed = 3};
        for (uint64_t i = 0; i < 30; i++) {
            int32_t token = tct_sample(&s, wide, MANY, 0, i, room).token;
            int ahead = 0; // tokens that come before it in order of likelihood
            for (int j = 0; j < MANY; j++)
                ahead += wide[j] > wide[token] || (wide[j] == wide[token] && j < token);
            assert_true(ahead < k);
        }
    }
}

// Against the C library, for every number of logits that a block can have.
static void weights_are_exponentials(void **state) {
    (void)state;
    float x[TCT_SOFTMAX_BLOCK], w[TCT_SOFTMAX_BLOCK];
    for (int n = 1; n <= TCT_SOFTMAX_BLOCK; n++) {
        float largest = -INFINITY;
        for (int i = 0; i < n; i++) {
            x[i] = (float)(n * 37 % 11) - (float)((i * 7919 + n) % 1013) / 11;
            if (i % 50 == 49) x[i] = i % 100 == 49 ? NAN : -INFINITY;
            if (x[i] > largest) largest = x[i];
        }
        assert_true(tct_softmax_largest(x, n) == largest);
        double sum = 0, scale = n % 3 ? 0.7 : 1, got = tct_softmax_block(x, n, largest, (float)scale, w);
        for (int i = 0; i < n; i++) {
            double y = ((double)x[i] - (double)largest) * (double)(float)scale,
                   expected = y > -87 ? exp(y) : 0;
            assert_true(fabs((double)w[i] - expected) <= 2e-5 * expected + 1e-37);
            if (y > -1) assert_true(fabs((double)w[i] - expected) <= 3e-7 * expected);
            sum += expected;
        }
        assert_true(fabs(got - sum) <= 1e-6 * sum);
        assert_true(tct_softmax_block(x, n, largest, (float)scale, NULL) == got);
    }
    const float none[2] = {NAN, -INFINITY};
    assert_true(tct_softmax_largest(none, 2) == -INFINITY);
}

// Many logits, in several blocks: frequencies are theirs wherever they stand.
static void draws_come_from_every_block(void **state) {
    (void)state;
    enum { MANY = 700 };
    float wide[MANY];
    tct_sample_entry room[MANY];
    int found[MANY] = {0};
    for (int i = 0; i < MANY; i++) wide[i] = i % 100 == 99 ? 5 : -INFINITY;
    tct_sampling s = {.temperature = 1, .top_p = 1, .seed = 9};
    for (uint64_t i = 0; i < 7000; i++) found[tct_sample(&s, wide, MANY, 0, i, room).token]++;
    for (int i = 0; i < MANY; i++) {
        if (i % 100 == 99)
            assert_in_range(found[i], 850, 1150);
        else
            assert_int_equal(found[i], 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_exponentials),
        cmocka_unit_test(draws_come_from_every_block),
        cmocka_unit_test(greedy_takes_the_first_maximum),
        cmocka_unit_test(frequencies_follow_the_softmax),
        cmocka_unit_test(top_k_keeps_the_likeliest),
        cmocka_unit_test(top_p_keeps_the_fewest_that_suffice),
        cmocka_unit_test(logp_is_that_of_the_whole_softmax),
        cmocka_unit_test(draws_differ_by_seed_row_and_position),
        cmocka_unit_test(what_is_not_a_number_is_never_taken),
        cmocka_unit_test(selection_agrees_with_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
