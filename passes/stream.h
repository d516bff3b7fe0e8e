// What the pass `stream` may be told by tests. Internal to passes/.
#ifndef TCT_PASSES_STREAM_H
#define TCT_PASSES_STREAM_H

#include "ir/ir.h"

typedef struct tct_stream_limits {
    double bytes; // a product's result that is larger is taken in parts; parts are at most so large
    double rows;  // of the product in each part, at least: fewer, and its other operand is read too often
    double batch; // a batch of products whose results are larger is taken one product at a time; 0: never
    double shown; // a product with at least twice so many rows, of which a mask hides columns, is taken in
                  // parts of at least so many, each without the columns that it doesn't see; 0: never
    double again; // multiply-adds an element at most of such a product that is computed once more for later
                  // users
    const struct tct_stream_limits
        *within; // for what is left of one product of a batch; NULL: it stays whole
} tct_stream_limits;

// As tct_pass_stream, with other limits.
tct_graph *tct_stream(tct_graph *g, const tct_stream_limits *limits);

#endif
