// Instructions from TCT_I_CONST to TCT_I_MATH2: on values as they are, numbers and strings.
#ifndef TCT_RUNTIME_VM_SCALAR_H
#define TCT_RUNTIME_VM_SCALAR_H

#include "runtime/vm_state.h"

// Carries one of them out. Reports E0809 and E0811.
bool tct_vm_scalar(tct_vm *vm, const tct_instr *at);

// A path of the program as a string: from the program's folder, unless it is absolute.
tct_value tct_vm_path(const tct_program *p, const char *text);

#endif
