#include "runtime/sample.h"

#include "runtime/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

static int64_t first_maximum(const float *logits, int64_t n) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(logits[i]) && (best < 0 || logits[i] > logits[best])) best = i;
    return best;
}

// a before b: likelier, or as likely and of a lower number. A strict order, so any correct selection gives
// the same set.
static bool before(const tct_sample_entry *a, const tct_sample_entry *b) {
    return a->logit > b->logit || (a->logit == b->logit && a->token < b->token);
}

static void sift(tct_sample_entry *heap, int64_t n, int64_t at) {
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= n) return;
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (before(&heap[at], &heap[child])) return;
        tct_sample_entry t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
        at = child;
    }
}

// Moves the first entry of the heap to its end, place n - 1.
static void pop(tct_sample_entry *heap, int64_t n) {
    tct_sample_entry t = heap[0];
    heap[0] = heap[n - 1];
    heap[n - 1] = t;
    sift(heap, n - 1, 0);
}

// How many entries stay, and *out where they stand: the k likeliest (k ≤ 0: all), and of those the fewest
// that make up the share p. They are moved to the end of the array one after the other, the likeliest last.
static int64_t keep_likeliest(tct_sample_entry *entries, int64_t n, int64_t k, double p, double total,
                              tct_sample_entry **out) {
    for (int64_t i = n / 2; i-- > 0;) sift(entries, n, i);
    bool limited = k > 0 && k < n;
    int64_t moved = 0, kept = 0;
    double whole = limited ? 0 : total, sum = 0;
    for (; limited && moved < k; moved++) {
        whole += entries[0].weight;
        pop(entries, n - moved);
    }
    if (!(p < 1)) kept = moved;
    while (p < 1 && (kept == 0 || sum < p * whole) && kept < (limited ? k : n)) {
        if (kept == moved) pop(entries, n - moved++);
        sum += entries[n - ++kept].weight;
    }
    *out = entries + (n - kept);
    return kept;
}

static int32_t draw(const tct_sample_entry *entries, int64_t n, double u) {
    double total = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) total += entries[i].weight;
    int32_t last = -1;
    for (int64_t i = 0; i < n; i++) {
        if (entries[i].weight <= 0) continue;
        last = entries[i].token;
        sum += entries[i].weight;
        if (u * total < sum) return last;
    }
    return last;
}

tct_choice tct_sample(const tct_sampling *s, const float *logits, int64_t n, uint64_t row, uint64_t position,
                      tct_sample_entry *room) {
    int64_t best = first_maximum(logits, n);
    if (best < 0 || isinf(logits[best])) return (tct_choice){-1, NAN};
    double scale = s->temperature > 0 ? 1 / s->temperature : 1, top = (double)logits[best] * scale, total = 0;
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(logits[i])) continue;
        room[m] = (tct_sample_entry){logits[i], (int32_t)i, exp((double)logits[i] * scale - top)};
        total += room[m++].weight;
    }
    int64_t token = best;
    if (s->temperature > 0) {
        tct_philox r = tct_rng(s->seed, tct_rng_fold(UINT64_C(0x73616d706c65), row), position);
        tct_sample_entry *from = room;
        int64_t kept = m;
        if ((s->top_k > 0 && s->top_k < m) || s->top_p < 1)
            kept = keep_likeliest(room, m, s->top_k, s->top_p, total, &from);
        token = draw(from, kept, tct_rng_uniform53(r.v[0], r.v[1]));
    }
    return (tct_choice){(int32_t)token, (float)((double)logits[token] * scale - top - log(total))};
}
