// A trace's own state: shared by the files trace*.c, of no concern to others.
#ifndef TCT_RUNTIME_TRACE_STATE_H
#define TCT_RUNTIME_TRACE_STATE_H

#include "runtime/trace.h"
#include "runtime/trace_file.h"

typedef struct tct_trace_step {
    const char *name, *place; // "dot 256x768x768", "std/nn.tct:4:9" (NULL: none)
    const char *event;        // of its slices, up to the rates
    size_t event_len;
    double least; // seconds that it could take
    uint8_t limit;
} tct_trace_step;

struct tct_trace_plan {
    const tct_plan *plan;
    tct_trace_sum *sums;
    tct_trace_step *steps;
    const char *event;
};

typedef struct tct_trace_place {
    tct_span span;
    const char *text;
} tct_trace_place;

struct tct_trace {
    tct_diag *d;
    tct_pool *pool;
    tct_peak peak;
    tct_trace_file *file; // NULL: sums alone
    tct_pool_work *work;  // of the step that runs, one a thread
    uint64_t started;     // nanoseconds
    uint64_t nested;      // that steps took within what runs
    int apart;            // scans whose trips run apart, around what runs
    tct_arena arena;
    TCT_VEC(tct_trace_plan *) plans;
    TCT_VEC(tct_trace_place) places;
    tct_buf text;
};

#endif
