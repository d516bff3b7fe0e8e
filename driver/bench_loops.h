// `tercet bench loops`.
#ifndef TCT_DRIVER_BENCH_LOOPS_H
#define TCT_DRIVER_BENCH_LOOPS_H

#include "driver/bench_gemm.h"

// Kernels that are no products, written in .tct and compiled as a user's are: elementwise, by rows, by
// columns, an optimizer. Each is measured in turns with the rate at which the machine moves large arrays
// (tct_peak_memory_rate), the best of each; bytes are those of inputs and outputs, each once. `names`: those
// to measure, NULL: all. false after reporting.
bool tct_bench_loops(tct_diag *d, const tct_bench_options *o, const char *const *names, size_t n, FILE *out);
// Their names, divided by commas.
void tct_bench_loops_names(tct_buf *out);

#endif
