// Columns of a product that a mask hides from a part of its rows. Internal to passes/stream*.c.
//
// In a box of hidden columns, all values that are wanted of the region follow from values of the rows alone:
// a choice took the constant behind the mask there. So nothing has to be computed there.
#ifndef TCT_PASSES_STREAM_HIDDEN_H
#define TCT_PASSES_STREAM_HIDDEN_H

#include "passes/stream_region.h"

typedef enum tct_hidden_is {
    TCT_HIDDEN_UNKNOWN,
    TCT_HIDDEN_ROWS,   // the same in all hidden columns: a value of the rows
    TCT_HIDDEN_PRODUCT // a product with a factor outside of the region, times a value of the rows
} tct_hidden_is;

// What a node is in the hidden columns.
typedef struct tct_hidden {
    uint8_t is;
    bool zero;     // surely
    uint8_t taken; // of a choice: the operand that is taken everywhere there; 0: differs, or is none
    int8_t truth;  // of a bool: what it is everywhere there; -1: differs, or is none
} tct_hidden;

// Rows [from, to) of the region see columns [low, high) alone.
typedef struct tct_part {
    int64_t from, to, low, high;
    tct_hidden *hidden; // by node
} tct_part;

enum { TCT_MOST_PARTS = 16 };

typedef struct tct_shown {
    tct_axis rows, columns;
    uint32_t n_parts;
    tct_part parts[TCT_MOST_PARTS];
    double share; // of all elements that the parts see
} tct_shown;

static inline bool tct_has_columns(const tct_region *r, tct_value v, tct_axis columns) {
    return !tct_region_node(r, v)->bundle && tct_node_has_axis(tct_region_node(r, v), columns);
}

// The region's rows in parts of `rows` rows, and what they see of the columns, in steps of as many. False: no
// mask hides anything, or somebody wants to know what is hidden. In the region's arena.
// passes/stream_hidden.c
bool tct_region_show(const tct_region *r, tct_axis columns, int64_t rows, tct_shown *out);

// The graph with the region's parts one after the other, each on what it sees. passes/stream_parts.c
tct_graph *tct_region_unroll(const tct_region *r, const tct_shown *shown);

#endif
