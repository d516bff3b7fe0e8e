// What the pass `recompute` may be told by tests. Internal to passes/.
#ifndef TCT_PASSES_RECOMPUTE_H
#define TCT_PASSES_RECOMPUTE_H

#include "ir/ir.h"

typedef struct tct_recompute_limits {
    double bytes; // a value that takes less is kept
    int cost;     // of an element, as tct_ir_op_cost counts: what costs more is kept
} tct_recompute_limits;

// As tct_pass_recompute, with other limits.
tct_graph *tct_recompute(tct_graph *g, const tct_recompute_limits *limits);

#endif
