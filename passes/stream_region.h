// What the pass `stream` takes in parts: a product and what belongs to it. Internal to passes/stream*.c.
#ifndef TCT_PASSES_STREAM_REGION_H
#define TCT_PASSES_STREAM_REGION_H

#include "passes/rewrite.h"
#include "passes/stream.h"

typedef enum tct_region_place {
    TCT_OUTSIDE,
    TCT_INSIDE,
    TCT_SUMMED // reduces the rows, leaves as a carry
} tct_region_place;

typedef struct tct_region {
    const tct_graph *g;
    tct_arena *arena; // the caller's
    tct_region_place *place;
    bool *output; // of the graph
    bool *below;  // depends on a node inside
    bool *anew;   // made of nothing but positions and constants, cheaply
    // What is cut: the rows, into `parts`; or, with parts 0, the batch, into its elements.
    tct_axis axes[TCT_IR_MAX_AXES];
    uint32_t n_axes;
    int64_t parts;
    bool views;      // parts read their pieces of what is outside where these lie
    double elements; // of the product
} tct_region;

static inline const tct_node *tct_region_node(const tct_region *r, tct_value v) {
    return tct_node_of(r->g, v);
}

// A region with nothing inside; what is cut is left to the caller.
tct_region tct_region_begin(tct_arena *arena, const tct_graph *g, tct_value product);
// At least half of the product's extent.
bool tct_region_is_large(const tct_region *r, tct_value v);
// Node v has one of the axes that are cut.
bool tct_region_is_cut(const tct_region *r, tct_value v);
// Node v does with each row (or element of the batch) what it does with every other, and gives such.
bool tct_region_is_row_wise(const tct_region *r, tct_value v);
// Puts the product inside, and whatever must be there then. False: something needs several rows at once.
bool tct_region_grow(tct_region *r, tct_value product);
// Node v, outside, is handed to the parts: constants, masks of positions and the like are made anew in them.
bool tct_region_is_entry(const tct_region *r, tct_value v);
// Somebody outside, or the graph's user, wants node v.
bool tct_region_leaves(const tct_region *r, tct_value v);

// The graph with the region as a scan; `within` is applied to its body. passes/stream_scan.c
tct_graph *tct_region_scan(const tct_region *r, tct_value product, const tct_stream_limits *within);
// The graph in which what needs large values of the region only after something that isn't row-wise has
// copies of these; `g` itself where nothing does, NULL where a copy's product would cost more than `limits`
// allow. r: what is cut, for `product`, nothing inside. *first, *second: the product and its copy,
// TCT_NO_VALUE without one. passes/stream_again.c
const tct_graph *tct_region_again(const tct_region *r, tct_value product, const tct_stream_limits *limits,
                                  tct_value *first, tct_value *second);

#endif
