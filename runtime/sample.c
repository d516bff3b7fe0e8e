#include "runtime/sample.h"

#include "runtime/rng.h"
#include "runtime/softmax.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

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

// The logits in blocks; the sum of a block's weights is kept in room[block].
typedef struct row {
    const float *logits;
    int64_t n;
    float largest, scale;
    tct_sample_entry *room;
} row;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static double block_sum(const row *r, int64_t begin, float *weights) {
    int64_t n = least(TCT_SOFTMAX_BLOCK, r->n - begin);
    return tct_softmax_block(r->logits + begin, n, r->largest, r->scale, weights);
}

static double sum_blocks(const row *r) {
    double total = 0;
    for (int64_t i = 0; i < r->n; i += TCT_SOFTMAX_BLOCK)
        total += r->room[i / TCT_SOFTMAX_BLOCK].weight = block_sum(r, i, NULL);
    return total;
}

// The token at share u of all weights: its block, then itself.
static int64_t draw_of_all(const row *r, double u, double total) {
    float weights[TCT_SOFTMAX_BLOCK];
    int64_t begin = 0, last = (r->n - 1) / TCT_SOFTMAX_BLOCK * TCT_SOFTMAX_BLOCK, token = -1;
    double sum = 0;
    while (begin < last && u * total >= sum + r->room[begin / TCT_SOFTMAX_BLOCK].weight) {
        sum += r->room[begin / TCT_SOFTMAX_BLOCK].weight;
        begin += TCT_SOFTMAX_BLOCK;
    }
    while (r->room[begin / TCT_SOFTMAX_BLOCK].weight <= 0) begin -= TCT_SOFTMAX_BLOCK; // rounding led too far
    block_sum(r, begin, weights);
    for (int64_t i = 0; i < least(TCT_SOFTMAX_BLOCK, r->n - begin); i++) {
        if (weights[i] <= 0) continue;
        token = begin + i;
        sum += (double)weights[i];
        if (u * total < sum) break;
    }
    return token;
}

static int64_t list_entries(const row *r, tct_sample_entry *room) {
    float weights[TCT_SOFTMAX_BLOCK];
    int64_t m = 0;
    for (int64_t i = 0; i < r->n; i++) {
        if (i % TCT_SOFTMAX_BLOCK == 0) block_sum(r, i, weights);
        if (isnan(r->logits[i])) continue;
        room[m++] = (tct_sample_entry){r->logits[i], (int32_t)i, (double)weights[i % TCT_SOFTMAX_BLOCK]};
    }
    return m;
}

tct_choice tct_sample(const tct_sampling *s, const float *logits, int64_t n, uint64_t number,
                      uint64_t position, tct_sample_entry *room) {
    static const double steepest = 1e30; // the largest logit alone has weight
    float largest = tct_softmax_largest(logits, n);
    if (isinf(largest)) return (tct_choice){-1, NAN};
    double scale = s->temperature > 0 ? 1 / s->temperature : 1;
    row r = {logits, n, largest, (float)(scale < steepest ? scale : steepest), room};
    double total = sum_blocks(&r);
    int64_t token = 0;
    if (s->temperature > 0) {
        tct_philox bits = tct_rng(s->seed, tct_rng_fold(UINT64_C(0x73616d706c65), number), position);
        double u = tct_rng_uniform53(bits.v[0], bits.v[1]);
        if ((s->top_k > 0 && s->top_k < n) || s->top_p < 1) {
            tct_sample_entry *from;
            int64_t m = list_entries(&r, room);
            int64_t kept = keep_likeliest(room, m, s->top_k, s->top_p, total, &from);
            token = draw(from, kept, u);
        } else {
            token = draw_of_all(&r, u, total);
        }
    } else {
        while (logits[token] != largest) token++;
    }
    return (tct_choice){(int32_t)token,
                        (float)(((double)logits[token] - (double)largest) * scale - log(total))};
}
