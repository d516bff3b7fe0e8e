// Between passes/layout.c (choosing orders) and passes/layout_wants.c (what users of a value would like).
// Internal.
#ifndef TCT_PASSES_LAYOUT_H
#define TCT_PASSES_LAYOUT_H

#include "passes/rewrite.h"

enum { TCT_MAX_WANTS = 8 };

// Some user of a value would like these axes next to each other in this order (inner false), or the last axis
// to be one of them (inner true); `weight` elements move more slowly otherwise.
typedef struct tct_want {
    bool inner;
    uint8_t n;
    tct_axis axes[TCT_IR_MAX_AXES];
    double weight;
} tct_want;

typedef struct tct_wants {
    uint8_t n;
    bool pinned; // the order of the node's axes must stay: outputs, operands of scans and calls, indices of
                 // put
    tct_want list[TCT_MAX_WANTS];
} tct_wants;

// For every node, in the arena.
tct_wants *tct_layout_wants(tct_arena *arena, const tct_graph *g);
// Elements that move slowly when the axes stand in this order.
double tct_layout_cost(const tct_ir_module *m, const tct_want *wants, int n, const tct_axis *order,
                       int n_axes);
// Adds a want to a list; the lightest is forgotten when there is no room. Wants that say nothing are dropped.
void tct_layout_want(const tct_ir_module *m, tct_wants *w, const tct_want *want);

#endif
