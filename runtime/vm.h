// The machine that runs programs.
#ifndef TCT_RUNTIME_VM_H
#define TCT_RUNTIME_VM_H

#include "runtime/program.h"

typedef struct tct_run_options {
    const char *out;           // the run's folder
    uint64_t seed;             // mixed into every seed of the program; 0: those stand as they are written
    int threads;               // 0: all cores
    bool resume;               // go on from the folder's checkpoint
    double checkpoint_seconds; // between checkpoints; 0: never but at the ends of stages; < 0: at every
                               // safepoint (tests)
    bool progress;             // a bar on stderr
    const char *from_stage,
        *to_stage; // NULL: all. from_stage starts from the checkpoint that its predecessor's end left
} tct_run_options;

// Runs the whole program. Writes metrics.jsonl, summary.json, report.html, model folders and checkpoints
// under `out`. SIGINT and SIGTERM are held back: the first finishes the step, writes a checkpoint and ends
// the run with E0820, the second ends the process. `d` is used to render errors with places in the user's
// source. false after reporting.
bool tct_program_run(tct_diag *d, tct_program *p, const tct_run_options *options);

// The program as text: registers, instructions, tables. Before it has plans, the bindings of runs are left
// out.
void tct_program_print(const tct_program *p, tct_buf *out);

#endif
