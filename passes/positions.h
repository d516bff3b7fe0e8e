// What values made of positions (masks, above all) can be within a box of them. Internal to passes/.
#ifndef TCT_PASSES_POSITIONS_H
#define TCT_PASSES_POSITIONS_H

#include "ir/ir.h"

enum { TCT_BOX_AXES = 2 };

// Positions from[k] to to[k] - 1 along each axis; along all others, all of them.
typedef struct tct_box {
    tct_axis axes[TCT_BOX_AXES];
    int64_t from[TCT_BOX_AXES], to[TCT_BOX_AXES];
} tct_box;

// All values of an integer or of a bool (0 and 1) lie between low and high. Not known: any value.
typedef struct tct_reach {
    bool known;
    int64_t low, high;
} tct_reach;

// Of node v, from those of its operands (`of`, by node).
tct_reach tct_reach_in(const tct_graph *g, tct_value v, const tct_box *box, const tct_reach *of);

#endif
