// Callers of foreign C functions, each for one type of function.
#ifndef TCT_CODEGEN_SHIM_H
#define TCT_CODEGEN_SHIM_H

#include "codegen/jit.h"

// The unit that emits a tct_caller (runtime/caller.h) for functions of this type, as external function
// TCT_LINKED_CALLER and the signature. `symbol` is that name; it outlives the compilation.
tct_unit tct_shim_unit(const char *symbol);

#endif
