// Fitting graphs into memory: as much is computed again (passes/remat.c) as a limit asks for.
#ifndef TCT_CODEGEN_FIT_H
#define TCT_CODEGEN_FIT_H

#include "codegen/plan.h"

// Of a graph that was fitted, or needn't be.
typedef struct tct_fitted {
    uint64_t before, after; // bytes of the arena, of the target that takes most
    double share;           // of the graph's arithmetic, that is done a second time
    uint32_t values;        // computed again; 0: the graph is as it was
} tct_fitted;

// Bytes of the caller's: inputs, and outputs with memory of their own.
uint64_t tct_fit_ports(const tct_graph *g);
// `g`, which all passes but fusion have been through, such that its arena takes at most `arena` bytes on all
// targets, with as little as possible computed again. Where that can't be had, as near to it as can be. 0: as
// little memory as can be had for a third of the graph's arithmetic. NULL after reporting E0843.
tct_graph *tct_fit(tct_diag *d, tct_graph *g, const tct_target *targets, uint32_t n_targets, uint64_t arena,
                   tct_fitted *out);

#endif
