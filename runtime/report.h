// report.html: one file that shows a run: curves of every metric, configuration, results, sample answers.
// It holds everything that it needs and opens without a network.
#ifndef TCT_RUNTIME_REPORT_H
#define TCT_RUNTIME_REPORT_H

#include "runtime/program.h"

#include <jansson.h>

typedef struct tct_report {
    const tct_program *program;
    const char *metrics;   // path of metrics.jsonl
    const json_t *summary; // object of objects
    const json_t *samples; // array of {"stage", "title", "rows": [[prompt, response], …]}
    uint64_t seed;
    int threads;
    double seconds;
} tct_report;

// Writes it to `path`. Everything is borrowed. Reports E0701 (metrics), E0702.
bool tct_report_write(tct_diag *d, const tct_report *r, const char *path);

#endif
