// Between passes/stream_parts.c (parts of a region's rows) and stream_columns.c (what hidden columns add).
// Internal.
#ifndef TCT_PASSES_STREAM_COLUMNS_H
#define TCT_PASSES_STREAM_COLUMNS_H

#include "passes/stream_hidden.h"

typedef struct tct_parts_maker {
    const tct_region *r;
    const tct_shown *shown;
    tct_rewrite *to;
    // Of the part at hand.
    const tct_part *part;
    tct_axis rows, columns; // in place of the region's
    tct_value *map;         // by node
    tct_value *hidden;      // by node: what it is in hidden columns, without that axis
    // Of all parts. The borders of what they see cut the columns into blocks.
    uint32_t n_blocks;
    int64_t *borders;
    tct_axis *blocks;
    tct_value **results;     // by node that leaves the region: of each part
    tct_value **sums;        // by sum over rows: so far, of each block; [0] where it has no columns
    tct_value **hidden_sums; // what parts add that don't see the block, before one that does: has no columns
    // By node outside: of the blocks before each border, and behind it, the sum over the size of all columns.
    tct_value **before, **behind;
} tct_parts_maker;

// Node v outside of the region, or inside and made already, as the part sees it.
tct_value tct_part_operand(tct_parts_maker *m, tct_value v);
// y, node v's reduction over the columns that the part sees, with what hidden ones add.
// passes/stream_columns.c
tct_value tct_part_complete(tct_parts_maker *m, tct_value v, tct_value y);
// What node v, a sum over rows with columns, is in each hidden column; surely zero.
tct_value tct_part_hidden_sum(tct_parts_maker *m, tct_value v);
bool tct_part_hides_zero(const tct_parts_maker *m, tct_value v);

#endif
