// Which node of a graph became which node of the graph that a pass made of it.
#ifndef TCT_IR_MATCH_H
#define TCT_IR_MATCH_H

#include "ir/ir.h"

typedef enum tct_ir_fate {
    TCT_IR_GONE,      // before alone: no longer there; after alone: new
    TCT_IR_SAME,      // the same operation on the same operands, or on their partners
    TCT_IR_REWRITTEN, // a copy with other operands, attributes, layout or body
    TCT_IR_REPLACED,  // another operation in its place: the same users, the same type
} tct_ir_fate;

// Arrays in an arena, by node of the graph before and of the graph after. Partners are mutual.
typedef struct tct_ir_match {
    tct_value *to_after, *to_before; // TCT_NO_VALUE: no partner
    uint8_t *before, *after;         // tct_ir_fate
} tct_ir_match;

// Passes don't tell what they did; this finds out, by structure first and then by what copies keep (origin,
// operation, operands). Every guess errs on the side of "gone" and "new", or pairs what looks alike. Both
// graphs are of one module.
void tct_ir_match_graphs(tct_arena *arena, const tct_graph *before, const tct_graph *after,
                         tct_ir_match *out);

#endif
