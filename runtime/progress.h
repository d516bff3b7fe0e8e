// A line on the terminal that says how far a stage is: bar, step, rate, time left, its last metrics.
#ifndef TCT_RUNTIME_PROGRESS_H
#define TCT_RUNTIME_PROGRESS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct tct_progress tct_progress;

// Draws on `out` when that is a terminal; elsewhere writes a line every ten seconds and at the end of a
// stage. Does nothing where it isn't `wanted`. Close with tct_progress_close, which leaves the last line
// standing.
tct_progress *tct_progress_open(FILE *out, bool wanted);
void tct_progress_close(tct_progress *p);

// A stage begins: number `index` (from 1) of `count`.
void tct_progress_stage(tct_progress *p, const char *name, int index, int count);
// It has done `done` of `total` steps (total 0: unknown). `now`: seconds on a steady clock.
void tct_progress_step(tct_progress *p, int64_t done, int64_t total, double now);
// A figure that was logged; the last few stand behind the bar.
void tct_progress_metric(tct_progress *p, const char *name, double value);
// The stage has ended: its line stays.
void tct_progress_stage_end(tct_progress *p, double now);
// Takes the line away so that something else can be printed; the next step draws it again.
void tct_progress_clear(tct_progress *p);

// The line for a terminal of `width` columns, without its end: for tests. `seconds`: since the stage began,
// of which `steps` were done in this run.
void tct_progress_line(const tct_progress *p, double seconds, int width, tct_buf *out);

#endif
