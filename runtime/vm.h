// The machine that runs programs.
#ifndef TCT_RUNTIME_VM_H
#define TCT_RUNTIME_VM_H

#include "runtime/run_options.h"

// Runs the whole program. A trace that can't be begun is reported before anything is written, one that can't
// be completed after all else is. Writes metrics.jsonl, summary.json, report.html, model folders and
// checkpoints under `out`. SIGINT and SIGTERM are held back: the first finishes the step, writes a checkpoint
// and ends the run with E0820, the second ends the process. `d` is used to render errors with places in the
// user's source. false after reporting.
bool tct_program_run(tct_diag *d, tct_program *p, const tct_run_options *options);

// The program as text: registers, instructions, tables. Before it has plans, the bindings of runs are left
// out.
void tct_program_print(const tct_program *p, tct_buf *out);
// The same without config: nothing of it changes with values that are given when the program starts.
void tct_program_print_code(const tct_program *p, tct_buf *out);

#endif
