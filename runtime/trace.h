// What a run spends its time on: sums for every step of every plan, and on request a file in Chrome's trace
// event format (https://ui.perfetto.dev opens it). The caller's thread is one track, with slices for stages,
// steps of the training loop, calls, runs of plans and kernels within each other; each further thread of the
// pool is a track with its part of the kernels.
//
// A trace belongs to one pool and the thread that runs plans on it. Everywhere NULL stands for no trace, and
// costs a comparison.
#ifndef TCT_RUNTIME_TRACE_H
#define TCT_RUNTIME_TRACE_H

#include "runtime/peak.h"
#include "runtime/plan.h"

typedef struct tct_trace tct_trace;

// Bytes of a file, unless asked for otherwise: some 600 thousand kernels.
#define TCT_TRACE_LIMIT (UINT64_C(200) << 20)
enum { TCT_TRACE_LINES = 10 }; // of a table, unless asked for otherwise

// Measures the machine (runtime/peak.h), then begins. `path`: the file, written under a temporary name until
// tct_trace_close; NULL: sums alone. Once it has `limit` bytes (0: TCT_TRACE_LIMIT) only stages are added to
// it; the sums go on. `d` knows the sources that places in plans name, and outlives the trace, as the pool
// and all plans do. NULL after reporting: E0702 when the file cannot be written, E0801.
tct_trace *tct_trace_open(tct_diag *d, tct_pool *pool, const char *path, uint64_t limit);
// Completes the file and frees `t`. A file that could not be written to the end (a full disk) is reported
// here as E0702: nothing that is traced suffers from it.
bool tct_trace_close(tct_diag *d, tct_trace *t);

const tct_peak *tct_trace_peak(const tct_trace *t);

// A moment at which something begins; what runs between it and its end lies within it.
typedef struct tct_trace_mark {
    uint64_t at;     // nanoseconds on the steady clock
    uint64_t nested; // of the trace before it
} tct_trace_mark;

tct_trace_mark tct_trace_begin(tct_trace *t);

typedef enum tct_trace_kind { TCT_TRACE_STAGE, TCT_TRACE_STEP, TCT_TRACE_CALL } tct_trace_kind;
// Something of the program has ended. Calls of less than ten microseconds are left out.
void tct_trace_end(tct_trace *t, tct_trace_mark mark, tct_trace_kind kind, const char *name, tct_span place);

// For the executor: what the trace knows of a plan, made when it is first asked for.
typedef struct tct_trace_plan tct_trace_plan;
// From now on (until told false) the caller runs trips of a scan on its own, while other threads run others:
// its steps are traced, and are held to what one thread could do.
void tct_trace_apart(tct_trace *t, bool apart);
tct_trace_plan *tct_trace_plan_of(tct_trace *t, const tct_plan *plan);
void tct_trace_end_step(tct_trace *t, tct_trace_plan *p, uint32_t step, tct_trace_mark mark);
void tct_trace_end_plan(tct_trace *t, tct_trace_plan *p, tct_trace_mark mark);

// All runs of one step of a plan: seconds, those without what ran within it (the body of a scan), and those
// of the shortest run.
typedef struct tct_trace_sum {
    uint64_t calls;
    double seconds, own, shortest;
} tct_trace_sum;
// One for each step; NULL when the plan never ran. Valid until the next run or tct_trace_close.
const tct_trace_sum *tct_trace_sums(const tct_trace *t, const tct_plan *plan);

// Appends a table of the `lines` most expensive kernels, and what the file holds.
void tct_trace_table(const tct_trace *t, int lines, tct_buf *out);

#endif
