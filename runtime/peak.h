// The measuring stick: the most that this machine does, in arithmetic and in moving bytes.
#ifndef TCT_RUNTIME_PEAK_H
#define TCT_RUNTIME_PEAK_H

#include "base/diag.h"
#include "base/dtype.h"
#include "runtime/isa.h"
#include "runtime/pool.h"

// A loop of independent fused multiply-adds in registers, `turns` × tct_peak_flops operations; `sink`,
// 64-byte aligned, gives one vector and takes one. For the dtypes that `isa` has multiply-adds of, on a
// machine that has `isa`: f32, f64, and bf16 summed in f32 from avx512bf16 on.
bool tct_peak_has(tct_isa isa, tct_dtype dtype);
typedef void (*tct_peak_fn)(int64_t turns, void *sink);
tct_peak_fn tct_peak_loop(tct_isa isa, tct_dtype dtype);
double tct_peak_flops(tct_isa isa, tct_dtype dtype);

typedef struct tct_peak {
    tct_isa isa;
    int threads;
    double f32, f64, bf16; // operations a second, of all threads; bf16 is f32 where it has none of its own
    double memory,
        cache;            // bytes a second, read or written: of 96 MB, and of what a core's own caches hold
    uint64_t cache_bytes; // that the caches of all the pool's cores hold
} tct_peak;

// Measures on the pool's threads, in a quarter of a second and 96 MB. Reports E0801.
bool tct_peak_measure(tct_diag *d, tct_pool *pool, tct_isa isa, tct_peak *out);

// Bytes a second of memory that moves as `in` bytes read and `out` bytes written do, in whole MB: by the
// triad a = b + factor * c, which reads two bytes for one that it writes, stored through the caches or past
// them, whichever is faster, and by reading alone for what is left of `in`. Where less than two bytes are
// read for one written it is the triad over as many in all; 2/3 and 1/3 of a number are the triad alone.
// `memory`: in + out bytes, at least 3 MB, 64-byte aligned, borrowed and overwritten; it should have been
// written to, since memory that never was is all one page. Takes as long as moving it some 12 times.
double tct_peak_memory_rate(tct_pool *pool, tct_isa isa, void *memory, uint64_t in, uint64_t out);

// Reads n blocks of memory once, each 64-byte aligned: what takes as long as their bytes need to come.
void tct_peak_read(tct_pool *pool, tct_isa isa, const void *const *blocks, const uint64_t *bytes, size_t n);

// What a core of 3 GHz does with `isa`, times `threads`, where nothing is measured: 24 GFLOP/s in f32 for
// base, 96 above (half in f64), 10 GB/s from memory (40 in all), 50 from a cache of 1 MB.
void tct_peak_assume(tct_isa isa, int threads, tct_peak *out);

typedef enum tct_limit { TCT_LIMIT_COMPUTE, TCT_LIMIT_MEMORY, TCT_LIMIT_CACHE } tct_limit;
// The least time in seconds that `flops` operations on numbers of `dtype` and `bytes` moved could take, and
// which of the limits it is. Operands that fit into the caches are taken to be there.
double tct_peak_seconds(const tct_peak *peak, tct_dtype dtype, double flops, double bytes, tct_limit *limit);
const char *tct_limit_name(tct_limit limit); // "compute", "memory", "cache"

#endif
