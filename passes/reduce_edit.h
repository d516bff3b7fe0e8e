// Edits that make a graph smaller. Internal to passes/reduce*.c.
#ifndef TCT_PASSES_REDUCE_EDIT_H
#define TCT_PASSES_REDUCE_EDIT_H

#include "passes/rewrite.h"

// What becomes of a node: one of these, or the node that stands in for it, one above it.
#define TCT_REDUCE_KEEP TCT_NO_VALUE
#define TCT_REDUCE_INPUT (TCT_NO_VALUE - 1)
#define TCT_REDUCE_ZERO (TCT_NO_VALUE - 2)
#define TCT_REDUCE_DROP (TCT_NO_VALUE - 3) // of a node that nobody uses

typedef struct tct_reduce_edit {
    const tct_value *nodes;   // by node; NULL: all are kept
    const bool *drop_outputs; // by output; NULL: none
    const tct_value *outputs; // by output: the node that it is from now on; NULL: as they are
    bool drop_inputs;         // those that nothing uses
    uint32_t keep_inputs;     // but not the first so many
    bool drop_aliases;        // no output takes over an input's memory
    bool keep_unused;         // nodes that nobody uses stay, with what they need, unless they are dropped
} tct_reduce_edit;

// A new graph of the same module, without what no output needs. It need not verify.
tct_graph *tct_reduce_apply(const tct_graph *g, const tct_reduce_edit *e);
// Whether w may stand in for v: the same dtype and axes, in one order.
bool tct_reduce_fits(const tct_graph *g, tct_value v, tct_value w);
// Node v may be replaced by an input or by zeros: it is a tensor, and no input already (or zero).
bool tct_reduce_is_plain(const tct_graph *g, tct_value v);

// The graph with node v, a fused group or scan, taken apart: one step of a scan, whose slices are inputs.
tct_graph *tct_reduce_unwrap(const tct_graph *g, tct_value v);
// By node of g, in the arena: somebody uses it.
bool *tct_reduce_used(tct_arena *arena, const tct_graph *g);
// The graph with another body of node v.
tct_graph *tct_reduce_with_body(const tct_graph *g, tct_value v, tct_graph *body);
// The graph with node v, a fused group or scan, without the operands that its body doesn't use and the
// results that nobody reads; what a scan carries stays. NULL: nothing changes.
tct_graph *tct_reduce_trim(const tct_graph *g, tct_value v);

// The graph with axis a of the given size, and the sizes of other axes that follow from it; a == UINT32_MAX:
// all axes that are larger. NULL: nothing changes.
tct_graph *tct_reduce_resize(const tct_graph *g, tct_axis a, int64_t size);

size_t tct_reduce_count(const tct_graph *g); // nodes, those of bodies too

#endif
