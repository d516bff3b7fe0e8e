// Generation with a made-up model whose next token depends on everything in its cache.
#include "runtime/generate.h"

#include "tests/support/machine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { B = 3, P = 4, NEW = 5, S = P + NEW, V = 11, EOS = 9, PAD = 10 };

// Operands: table f32[V, V], cache i32[B, S], token i32[B, N], start, last | cache, logits f32[B, V].
// logits[v] = table[hash of all tokens up to the last, v].
static void model(void *const *bufs, int rows, int n) {
    const float *table = bufs[0];
    const int32_t *token = bufs[2], *start = bufs[3], *last = bufs[4];
    int32_t *cache = bufs[5];
    float *logits = bufs[6];
    assert_ptr_equal(bufs[1], bufs[5]);
    for (int b = 0; b < rows; b++) {
        for (int i = 0; i < n; i++) {
            assert_in_range(start[b] + i, 0, S - 1);
            assert_in_range(token[b * n + i], 0, V - 1);
            cache[b * S + start[b] + i] = token[b * n + i];
        }
        uint32_t hash = 1;
        for (int i = 0; i <= start[b] + last[b]; i++) hash = hash * 31 + (uint32_t)cache[b * S + i];
        for (int v = 0; v < V; v++) logits[b * V + v] = table[hash % V * V + (uint32_t)v];
    }
}

#define MODEL(name, rows, n)                                                                                 \
    static void name(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {    \
        (void)args, (void)begin, (void)end, (void)scratch;                                                   \
        model(bufs, rows, n);                                                                                \
    }
MODEL(prefill_3, 3, P)
MODEL(prefill_1, 1, P)
MODEL(step_3, 3, 1)
MODEL(step_2, 2, 1)

typedef struct bench {
    machine m;
    tct_diag d;
    tct_generator g;
    tct_pool *pool;
    tct_generate_room *room;
    float table[V * V];
    char arena[64] __attribute__((aligned(64)));
    int32_t tokens[B * S], target[B * S], length[B], prompt_length[B];
    bool mask[B * S], ended[B];
    float logp[B * S];
} bench;

#define PORTS(b, n)                                                                                          \
    "t f32 V=11 W=11; c i32 B=" #b " S=9; token i32 B=" #b " N=" #n "; start i32 B=" #b "; last i32 B=" #b,  \
        "c i32 B=" #b " S=9 @1; logits f32 B=" #b " V=11"

// All rows at once, or two at once, which enter one by one.
static void open_bench(bench *k, int threads, bool queue) {
    memset(k, 0, sizeof *k);
    const tct_plan *prefill = queue ? machine_plan(&k->m, "prefill", PORTS(1, 4), prefill_1)
                                    : machine_plan(&k->m, "prefill", PORTS(3, 4), prefill_3);
    const tct_plan *step = queue ? machine_plan(&k->m, "step", PORTS(2, 1), step_2)
                                 : machine_plan(&k->m, "step", PORTS(3, 1), step_3);
    const tct_plan *plans[] = {prefill, step};
    k->g = (tct_generator){.step = 1,
                           .convert = TCT_NO_PLAN,
                           .batch = B,
                           .places = queue ? 2 : B,
                           .fill = queue ? 1 : B,
                           .prompt = P,
                           .max_new = NEW,
                           .vocab = V,
                           .n_cache = 1,
                           .cache = &step->inputs[1]};
    k->pool = tct_pool_new(threads);
    k->room = tct_generate_open(&k->d, k->pool, &k->g, plans);
    assert_non_null(k->room);
    for (int i = 0; i < V * V; i++) k->table[i] = (float)((i * 37) % 29) / 8;
}

static void close_bench(bench *k) {
    tct_generate_close(k->room);
    tct_pool_free(k->pool);
    tct_diag_free(&k->d);
    machine_free(&k->m);
}

static bool go(bench *k, const int32_t *prompts, const int32_t *lengths, tct_generate_options o) {
    static const int32_t eos[] = {EOS};
    o.eos = eos;
    o.n_eos = 1;
    o.pad = PAD;
    tct_rollout out = {k->tokens, k->target, k->mask, k->logp, k->length, k->prompt_length, k->ended};
    void *params[] = {k->table};
    return tct_generate(&k->d, k->pool, k->room, params, 1, k->arena, prompts, lengths, &o, &out);
}

static const int32_t prompts[B * P] = {1, 2, PAD, PAD, 3, 4, 5, 6, 7, PAD, PAD, PAD};
static const int32_t lengths[B] = {2, 4, 1};
static const tct_generate_options greedy = {.max_new = NEW, .sampling = {.temperature = 0, .top_p = 1}};
static const tct_generate_options sampled = {.max_new = NEW,
                                             .sampling = {.temperature = 1, .top_p = 1, .seed = 4}};

// The likeliest next token of a whole row, computed afresh.
static int32_t next_of(const bench *k, const int32_t *row, int n) {
    uint32_t hash = 1;
    for (int i = 0; i < n; i++) hash = hash * 31 + (uint32_t)row[i];
    const float *logits = k->table + hash % V * V;
    int32_t best = 0;
    for (int v = 1; v < V; v++)
        if (logits[v] > logits[best]) best = v;
    return best;
}

static void greedy_rows_follow_the_model(void **state) {
    (void)state;
    bench k;
    open_bench(&k, 1, false);
    assert_true(go(&k, prompts, lengths, greedy));
    for (int b = 0; b < B; b++) {
        const int32_t *row = k.tokens + b * S;
        assert_int_equal(k.prompt_length[b], lengths[b]);
        for (int t = 0; t < lengths[b]; t++) assert_int_equal(row[t], prompts[b * P + t]);
        int n = lengths[b];
        while (n < lengths[b] + NEW) {
            int32_t want = next_of(&k, row, n);
            assert_int_equal(row[n++], want);
            if (want == EOS) break;
        }
        assert_int_equal(k.length[b], n);
        assert_int_equal(k.ended[b], row[n - 1] == EOS);
        for (int t = n; t < S; t++) assert_int_equal(row[t], PAD);
        for (int t = 0; t < S; t++) {
            assert_int_equal(k.mask[b * S + t], t >= lengths[b] - 1 && t < n - 1);
            assert_int_equal(k.target[b * S + t], t + 1 < S ? row[t + 1] : PAD);
            assert_true(k.mask[b * S + t] ? k.logp[b * S + t] < 0 : k.logp[b * S + t] == 0);
        }
    }
    close_bench(&k);
}

static void rows_do_not_see_their_neighbours(void **state) {
    (void)state;
    bench all, alone;
    open_bench(&all, 1, false);
    open_bench(&alone, 2, false);
    assert_true(go(&all, prompts, lengths, sampled));
    for (int b = 0; b < B; b++) {
        int32_t other[B * P], other_lengths[B] = {1, 1, 1};
        for (int i = 0; i < B * P; i++) other[i] = 8;
        memcpy(other + b * P, prompts + b * P, P * sizeof *other);
        other_lengths[b] = lengths[b];
        assert_true(go(&alone, other, other_lengths, sampled));
        assert_memory_equal(all.tokens + b * S, alone.tokens + b * S, S * sizeof *all.tokens);
        assert_memory_equal(all.logp + b * S, alone.logp + b * S, S * sizeof *all.logp);
        assert_int_equal(all.length[b], alone.length[b]);
    }
    close_bench(&all);
    close_bench(&alone);
}

// Rows that wait for a place are what they are without waiting, and so are all that grow beside them.
static void rows_of_a_queue_are_the_same(void **state) {
    (void)state;
    bench all, queue;
    open_bench(&all, 1, false);
    open_bench(&queue, 2, true);
    bool early = false;
    for (uint64_t seed = 1; seed < 30; seed++) {
        tct_generate_options o = sampled;
        o.sampling.seed = seed;
        const int32_t some[B] = {2, seed % 3 ? 4 : 0, 1};
        assert_true(go(&all, prompts, some, o));
        assert_true(go(&queue, prompts, some, o));
        assert_memory_equal(all.tokens, queue.tokens, sizeof all.tokens);
        assert_memory_equal(all.target, queue.target, sizeof all.target);
        assert_memory_equal(all.mask, queue.mask, sizeof all.mask);
        assert_memory_equal(all.logp, queue.logp, sizeof all.logp);
        assert_memory_equal(all.length, queue.length, sizeof all.length);
        assert_memory_equal(all.ended, queue.ended, sizeof all.ended);
        early |= all.ended[0] && all.length[0] < 2 + NEW;
    }
    assert_true(early); // another row took the place before the first step was the last
    close_bench(&all);
    close_bench(&queue);
}

static void a_row_of_length_0_stays_empty(void **state) {
    (void)state;
    bench k;
    open_bench(&k, 1, false);
    const int32_t some[B] = {2, 0, 0}, none[B] = {0, 0, 0};
    assert_true(go(&k, prompts, some, greedy));
    assert_true(k.length[0] > 2);
    assert_int_equal(k.length[1], 0);
    for (int t = 0; t < S; t++) assert_int_equal(k.tokens[S + t], PAD);
    assert_true(go(&k, prompts, none, greedy));
    assert_int_equal(k.length[0], 0);
    close_bench(&k);
}

typedef struct heard {
    int n;
    int32_t token[B * NEW];
    int64_t row[B * NEW];
    int stop_after;
} heard;

static bool hear(void *context, int64_t row, int32_t token) {
    heard *h = context;
    h->row[h->n] = row;
    h->token[h->n++] = token;
    return h->n != h->stop_after;
}

static void tokens_are_told_as_they_come(void **state) {
    (void)state;
    bench k;
    open_bench(&k, 1, false);
    heard h = {.stop_after = -1};
    tct_generate_options o = sampled;
    o.on_token = hear;
    o.context = &h;
    assert_true(go(&k, prompts, lengths, o));
    int made = 0, at[B];
    for (int b = 0; b < B; b++) {
        made += k.length[b] - lengths[b];
        at[b] = lengths[b];
    }
    assert_int_equal(h.n, made);
    for (int i = 0; i < h.n; i++) assert_int_equal(h.token[i], k.tokens[h.row[i] * S + at[h.row[i]]++]);
    h = (heard){.stop_after = 2};
    assert_true(go(&k, prompts, lengths, o));
    assert_int_equal(h.n, 2);
    close_bench(&k);
}

static void what_does_not_fit_is_an_error(void **state) {
    (void)state;
    bench k;
    open_bench(&k, 1, false);
    const int32_t longer[B] = {2, 5, 1};
    assert_false(go(&k, prompts, longer, greedy));
    assert_string_equal(k.d.messages.data[0].code, "E0814");
    assert_non_null(strstr(k.d.messages.data[0].text, "row 1 has 5 tokens"));
    tct_generate_options o = greedy;
    o.max_new = NEW + 1;
    assert_false(go(&k, prompts, lengths, o));
    assert_string_equal(k.d.messages.data[1].code, "E0814");
    o = greedy;
    o.sampling.temperature = -1;
    assert_false(go(&k, prompts, lengths, o));
    assert_string_equal(k.d.messages.data[2].code, "E0817");
    for (int i = 0; i < V * V; i++) k.table[i] = NAN;
    assert_false(go(&k, prompts, lengths, greedy));
    assert_non_null(strstr(k.d.messages.data[3].text, "not finite"));
    close_bench(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_rows_follow_the_model),  cmocka_unit_test(rows_do_not_see_their_neighbours),
        cmocka_unit_test(a_row_of_length_0_stays_empty), cmocka_unit_test(tokens_are_told_as_they_come),
        cmocka_unit_test(what_does_not_fit_is_an_error), cmocka_unit_test(rows_of_a_queue_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
