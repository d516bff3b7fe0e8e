// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011). A draw is a pure function of
// (key, counter): nothing is stored, so any thread may compute any element, in any order, to the same bits.
#ifndef TCT_RUNTIME_RNG_H
#define TCT_RUNTIME_RNG_H

#include <stdint.h>

typedef struct tct_philox {
    uint32_t v[4];
} tct_philox;

// Ten rounds over a 128-bit counter with a 64-bit key.
static inline tct_philox tct_philox4x32(tct_philox c, uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c.v[0], p1 = (uint64_t)0xCD9E8D57u * c.v[2];
        c = (tct_philox){{(uint32_t)(p1 >> 32) ^ c.v[1] ^ k0, (uint32_t)p1,
                          (uint32_t)(p0 >> 32) ^ c.v[3] ^ k1, (uint32_t)p0}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

// Four words for element `index` of stream (`seed`, `stream`). `stream` tells uses apart (data order, dropout
// of one layer at one step, sampling of one row); two uses never share one.
static inline tct_philox tct_rng(uint64_t seed, uint64_t stream, uint64_t index) {
    tct_philox c = {{(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    return tct_philox4x32(c, (uint32_t)seed, (uint32_t)(seed >> 32));
}

// A stream derived from another by a number: chain it for (step, row, layer), …
static inline uint64_t tct_rng_fold(uint64_t stream, uint64_t number) {
    tct_philox p = tct_rng(UINT64_C(0x7465726365743031), stream, number);
    return (uint64_t)p.v[1] << 32 | p.v[0];
}

// Uniform in [0, 1): 24 bits, exact in f32.
static inline float tct_rng_uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }
// Uniform in (0, 1): never 0 and never 1, for logarithms.
static inline float tct_rng_uniform_open(uint32_t word) { return ((float)(word >> 9) + 0.5f) * 0x1p-23f; }
// Uniform in [0, 1) with 53 bits.
static inline double tct_rng_uniform53(uint32_t hi, uint32_t lo) {
    return (double)(((uint64_t)hi << 32 | lo) >> 11) * 0x1p-53;
}
// Uniform in [0, n) for n > 0, by multiplication; its bias is below n/2³².
static inline uint32_t tct_rng_below(uint32_t word, uint32_t n) {
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

// Position `i` of a permutation of [0, n) that depends on (seed, stream) alone: a four-round Feistel network
// over the smallest even number of bits that holds n, walked until it falls inside. n ≥ 1, i < n. O(1)
// memory, so an order is described by (seed, epoch) and a position in it by one number.
static inline uint64_t tct_rng_permute(uint64_t seed, uint64_t stream, uint64_t n, uint64_t i) {
    unsigned half = 1;
    while (half < 32 && (n - 1) >> (2 * half)) half++;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (tct_rng(seed, stream, right | round << 60).v[0] & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

#endif
