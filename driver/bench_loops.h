// `tercet bench loops`.
#ifndef TCT_DRIVER_BENCH_LOOPS_H
#define TCT_DRIVER_BENCH_LOOPS_H

#include "driver/bench_gemm.h"

// Kernels that are no products, written in .tct and compiled as a user's are: elementwise, by rows, by
// columns, an optimizer. Bytes are those of inputs and outputs, each once. Each is measured in turns with the
// rates (tct_peak_memory_rate) of a triad over as many bytes, and of reading and writing as many as it does,
// the best of each. Takes up to 3 GB of memory. `names`: those to measure, NULL: all. false after reporting.
bool tct_bench_loops(tct_diag *d, const tct_bench_options *o, const char *const *names, size_t n, FILE *out);
// Their names, divided by commas.
void tct_bench_loops_names(tct_buf *out);

#endif
