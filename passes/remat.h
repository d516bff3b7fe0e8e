// Trading computation for memory. A training step keeps values of the forward pass for the backward pass;
// here as many of them are computed again as it takes, products and scans included, and the cheapest first.
// `recompute` does that with what costs next to nothing; this is what a limit on memory asks for.
#ifndef TCT_PASSES_REMAT_H
#define TCT_PASSES_REMAT_H

#include "ir/ir.h"

typedef struct tct_remat_limits {
    double bytes; // to be freed where the most is alive
    double cost;  // of what is computed a second time, at most, in additions
} tct_remat_limits;

typedef struct tct_remat_done {
    double bytes; // of what is no longer kept where the most was alive,
    double cost;  // and what it costs to compute it again, in additions
    uint32_t values;
} tct_remat_done;

// A graph that keeps less than g, where the most is alive, and computes it again: the values that cost least
// for each byte, until the limits are reached. Wants its graph as `stream` leaves it, without dead nodes; may
// be run again on its own result, which has another place where the most is alive. `g` itself, and `done` all
// zero, where nothing can be had.
tct_graph *tct_remat(tct_graph *g, const tct_remat_limits *limits, tct_remat_done *done);
// The additions that a graph takes, as `cost` above counts.
double tct_remat_cost(const tct_graph *g);

#endif
