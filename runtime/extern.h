// Calls of the foreign C functions of stage code. How arguments and results are passed is described at
// tct_extern in runtime/program.h.
#ifndef TCT_RUNTIME_EXTERN_H
#define TCT_RUNTIME_EXTERN_H

#include "runtime/value.h"

// Opens e->library ("" or NULL: the program itself; relative to `folder`) and sets e->fn. The library stays
// open as long as the process. Reports E0850: where it looked, or which symbol is missing.
bool tct_extern_resolve(tct_diag *d, tct_extern *e, const char *folder);

// Calls it on the registers e->args and puts what it returns into regs[e->result]. Reports E0851 (a string
// that isn't UTF-8 or is NULL, arguments that the caller can't pass).
bool tct_extern_call(tct_diag *d, const tct_extern *e, const tct_reg_type *types, tct_value *regs);

#endif
