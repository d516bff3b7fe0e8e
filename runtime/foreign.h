// Calls of foreign C functions through libffi. Kept apart from the executor, so that a trainer without
// foreign functions links no libffi.
#ifndef TCT_RUNTIME_FOREIGN_H
#define TCT_RUNTIME_FOREIGN_H

#include "runtime/plan.h"

// Opens the foreign's library (NULL or "": the program itself), finds its function and sets `fn` and `call`.
// The library stays open as long as the process. Returns false after reporting E0850.
bool tct_foreign_resolve(tct_diag *d, tct_plan_foreign *foreign);

// Calls foreign->fn(operands…): for each operand, inputs first, a pointer to its data and then its axes'
// sizes as int64_t, outermost first. The function returns an int, 0 when it is content; anything else is
// reported as E0851.
bool tct_foreign_call(tct_diag *d, const tct_plan_foreign *foreign, void *const *operands);

#endif
