// Whether a program can be run at all: for programs that come from outside.
#ifndef TCT_RUNTIME_PROGRAM_VERIFY_H
#define TCT_RUNTIME_PROGRAM_VERIFY_H

#include "runtime/program.h"

// Every number in the program's tables names something that is there, instructions take registers of the
// kinds that they work on, jumps stay inside and the end can't be run past, built-ins get what builtins.def
// says, and what is bound to plans has their ports' shapes. The machine relies on all of it and checks at run
// time only what depends on data. `plans` are the program's, each verified. A program without instructions
// passes: it holds plans for a library and is not to be run. NULL when it holds, else what is wrong, in the
// arena.
const char *tct_program_verify(tct_arena *a, const tct_program *p, const tct_plan *const *plans);

#endif
