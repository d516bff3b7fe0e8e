// The file of a trace: Chrome's trace event format, written as it happens.
#ifndef TCT_RUNTIME_TRACE_FILE_H
#define TCT_RUNTIME_TRACE_FILE_H

#include "base/diag.h"

typedef struct tct_trace_file tct_trace_file;

typedef enum tct_slice_kind {
    TCT_SLICE_KERNEL, // left out once the file is full
    TCT_SLICE_AROUND, // left out when it begins after that
    TCT_SLICE_STAGE,  // written always; a program has few
} tct_slice_kind;

// E0702 when `path` cannot be written.
tct_trace_file *tct_trace_file_open(tct_diag *d, const char *path, uint64_t limit, int threads);
// A slice of a thread's track, in nanoseconds since the trace began. `rest` is what follows the times in its
// JSON object, the end of the object included.
void tct_trace_file_slice(tct_trace_file *f, tct_slice_kind kind, int thread, uint64_t begin, uint64_t end,
                          const char *rest, size_t len);

// How far it came.
typedef struct tct_trace_extent {
    const char *path;
    uint64_t bytes, events, left_out, limit;
    bool full;
    uint64_t full_at; // nanoseconds
    bool failed;      // tct_trace_file_close will say why
} tct_trace_extent;
tct_trace_extent tct_trace_file_extent(const tct_trace_file *f);

// Writes the end, `about` (a JSON object) included, gives the file its name and frees `f`. E0702.
bool tct_trace_file_close(tct_diag *d, tct_trace_file *f, const char *about);
void tct_trace_file_abandon(tct_trace_file *f); // leaves nothing; frees `f`

#endif
