// Choosing a token from logits.
#ifndef TCT_RUNTIME_SAMPLE_H
#define TCT_RUNTIME_SAMPLE_H

#include <stdint.h>

typedef struct tct_sampling {
    double temperature; // ≥ 0; 0: the likeliest token, the first of equals
    int64_t top_k;      // only the k likeliest; 0: all
    double top_p;       // only the fewest that make up this share, 0 < p; ≥ 1: all
    uint64_t seed;
} tct_sampling;

typedef struct tct_choice {
    int32_t token;
    float logp; // log-softmax of logits / temperature at the token, before top_k and top_p; at temperature 0
                // of the logits themselves
} tct_choice;

// Chooses from logits [n], n ≥ 1. The random number is a function of (seed, row, position) alone. Equals are
// ordered by number. Logits that aren't numbers are never chosen; when there is nothing but such, token -1.
// `room` holds n entries of tct_sample_entry. Thread-safe.
typedef struct tct_sample_entry {
    float logit;
    int32_t token;
    double weight;
} tct_sample_entry;
tct_choice tct_sample(const tct_sampling *s, const float *logits, int64_t n, uint64_t row, uint64_t position,
                      tct_sample_entry *room);

#endif
