// What is said of data that doesn't fit what was settled while the program was compiled.
#ifndef TCT_RUNTIME_DECIDED_H
#define TCT_RUNTIME_DECIDED_H

#include "runtime/program.h"

// Adds to the error reported last which config values decided what didn't fit, and how it is compiled for
// others. `ahead`: by `tercet build`, else by `tercet run`.
void tct_note_decided(tct_diag *d, const tct_program *p, const tct_decided *by, bool ahead);

#endif
