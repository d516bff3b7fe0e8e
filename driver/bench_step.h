// `tercet bench step` and `tercet bench decode`.
#ifndef TCT_DRIVER_BENCH_STEP_H
#define TCT_DRIVER_BENCH_STEP_H

#include "driver/bench_gemm.h"

typedef struct tct_bench_model {
    const char *name; // "gpt2-124m"
    int64_t layers, heads, d, vocab, context;
    const char *file; // NULL, or a program whose pipeline ends with the step, with the config values batch
                      // and seq; the numbers above say nothing then, but for the context
} tct_bench_model;

// A model by name; NULL when there is none. `names` may be NULL; else it gets a list for messages.
const tct_bench_model *tct_bench_model_by_name(const char *name, const char **names);

// One training step with AdamW and clipping: time, share of peak, memory, compile time.
bool tct_bench_step(tct_diag *d, const tct_bench_options *o, const tct_bench_model *m, int64_t batch,
                    int64_t seq, FILE *out);
// Generation with a cache, one token a row at a time.
bool tct_bench_decode(tct_diag *d, const tct_bench_options *o, const tct_bench_model *m, int64_t batch,
                      int64_t prompt, int64_t max_new, FILE *out);

#endif
