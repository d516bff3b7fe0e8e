// Running a graph whose inputs are bound.
#ifndef TCT_DRIVER_EVALUATE_H
#define TCT_DRIVER_EVALUATE_H

#include "codegen/compile.h"
#include "driver/bind.h"

// Results of b->graph: `outputs` has room for graph->outputs.len tensors, which then own their data; release
// each with tct_tensor_free. false after reporting, outputs are then empty. Inputs are not changed.

// With the reference interpreter; with `f64` for inputs bound with f64: floats are held and given as f64.
// `libraries`: where relative paths of foreign functions' libraries begin, NULL: the current folder.
bool tct_evaluate_interp(tct_diag *d, const tct_bound *b, const char *libraries, bool f64,
                         tct_tensor *outputs);
// With the plan compiled from b->graph. `trace`: NULL, or a file for a trace, whose table goes to stderr.
bool tct_evaluate_plan(tct_diag *d, const tct_bound *b, const tct_plan *plan, int threads, const char *trace,
                       tct_tensor *outputs);

#endif
