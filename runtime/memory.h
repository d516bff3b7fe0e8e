// What a program takes, and what there is: told before the first step.
#ifndef TCT_RUNTIME_MEMORY_H
#define TCT_RUNTIME_MEMORY_H

#include "runtime/program.h"

typedef struct tct_memory_need {
    uint64_t models, optimizers,
        generation;   // bytes of parameters; states and gradient sums; caches and narrow weights
    uint64_t arena;   // of the plan that takes most
    const char *plan; // its name; NULL: none
    // What it is called with: the outermost axis of the first tensor that isn't a parameter, NULL: there is
    // none; bytes of parameters, as much as gradients take when all are kept at once.
    const char *axis;
    int64_t size;
    uint64_t parameters;
} tct_memory_need;

// Every model, copy and optimizer that the instructions make, each once, and the rooms of plans. Batches and
// data sets are not in it.
tct_memory_need tct_memory_needed(const tct_program *p);
uint64_t tct_memory_total(const tct_memory_need *n);

// The largest size of need->axis with which the intermediates fit into `room` bytes, from what is planned for
// need->size: as though all of it grew with the axis but gradients, so it is rather too small. 0: not one.
int64_t tct_memory_fitting(const tct_memory_need *need, uint64_t room);

// Bytes that this process may still take: of the machine, of its control group, of its address space (ulimit
// -v); the least of them, and in *why what that is, static. Unknown limits are none: UINT64_MAX.
uint64_t tct_memory_available(const char **why);

// Whether the program may find what it needs; E0849 says what it needs, what there is, and what to do.
bool tct_memory_check(tct_diag *d, const tct_program *p, bool ahead);

#endif
