// `tercet bench peak` and `tercet bench gemm`.
#ifndef TCT_DRIVER_BENCH_GEMM_H
#define TCT_DRIVER_BENCH_GEMM_H

#include "base/diag.h"
#include "codegen/gemm.h"
#include "driver/jit_options.h"
#include "runtime/isa.h"

#include <stdio.h>

typedef struct tct_bench_options {
    int threads; // 0: all cores
    bool json;   // one JSON object a line; else a table
    tct_isa isa;
    double seconds;          // a figure; 0: the default
    tct_gemm_factor factors; // gemm: of both; not f32: beside f32
    tct_gemm_factor weights; // gemm: of B, beside f32; decode: of the weights
    int runs;                // step: measured ones; 0: none, only until the plan is ready
    tct_jit_options jit;
    // step and decode
    const char *trace; // NULL, or a file for a trace of what is measured (runtime/trace.h)
    int profile;       // lines of the table of the most expensive kernels, 0: none without a trace
} tct_bench_options;

// Multiply-adds in registers: GFLOP/s of f32 and f64, and of bf16 where the instruction set has it.
void tct_bench_peak(const tct_bench_options *o, FILE *out);

// The f32 figure of tct_bench_peak alone, for benchmarks that are measured against it.
double tct_bench_peak_gflops(const tct_bench_options *o);

typedef struct tct_bench_shape {
    int64_t m, n, k, batch;
    char layout[3]; // A's and B's: 'n' as written (rows are contiguous), 't' transposed
} tct_bench_shape;

// Matrix products, each measured in turns with the peak loop, best of the turns. `shapes` NULL: the
// default list.
bool tct_bench_gemm(tct_diag *d, const tct_bench_options *o, const tct_bench_shape *shapes, size_t n,
                    FILE *out);
// "256x768x768", "256x768x768:nt", "24x64x64x64:nt" (batch first). False when `text` is none.
bool tct_bench_shape_parse(const char *text, tct_bench_shape *out);

#endif
