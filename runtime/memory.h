// What a program takes, and what there is: told before the first step.
#ifndef TCT_RUNTIME_MEMORY_H
#define TCT_RUNTIME_MEMORY_H

#include "runtime/program.h"

typedef struct tct_memory_need {
    uint64_t models, optimizers,
        generation;   // bytes of parameters; states and gradient sums; caches and narrow weights
    uint64_t arena;   // of the plan that takes most
    const char *plan; // its name; NULL: none
} tct_memory_need;

// Every model, copy and optimizer that the instructions make, each once, and the rooms of plans. Batches and
// data sets are not in it.
tct_memory_need tct_memory_needed(const tct_program *p);
uint64_t tct_memory_total(const tct_memory_need *n);

// Bytes that this process may still take: of the machine, of its control group, of its address space (ulimit
// -v); the least of them, and in *why what that is, static. Unknown limits are none: UINT64_MAX.
uint64_t tct_memory_available(const char **why);

// Whether the program may find what it needs; E0849 says what it needs, what there is, and what to do.
bool tct_memory_check(tct_diag *d, const tct_program *p, bool ahead);

#endif
