// Calls of the foreign C functions of graphs.
#ifndef TCT_RUNTIME_FOREIGN_H
#define TCT_RUNTIME_FOREIGN_H

#include "runtime/plan.h"

// Opens the foreign's library (NULL or "": the program itself; relative to `folder`) and finds its function;
// `caller` will call it. The library stays open as long as the process. Returns false after reporting E0850.
bool tct_foreign_resolve(tct_diag *d, tct_plan_foreign *foreign, const char *folder, tct_caller caller);

// Calls foreign->fn(operands…), whose type runtime/signature.h tells. The function returns 0 when it is
// content; anything else is reported as E0851.
bool tct_foreign_call(tct_diag *d, const tct_plan_foreign *foreign, void *const *operands);

#endif
