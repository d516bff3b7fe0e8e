// What passes share: rebuilding a graph node by node into a new one. Internal to passes/.
#ifndef TCT_PASSES_REWRITE_H
#define TCT_PASSES_REWRITE_H

#include "ir/ir.h"

// One rebuild. Zero-initialised by begin, over after finish or abandon. `to` and `map` may be read freely.
typedef struct tct_rewrite {
    const tct_graph *from;
    tct_graph *to;
    const char *pass;
    tct_value *map;  // map[old] = new, TCT_NO_VALUE where there is none (yet)
    tct_arena arena; // dies with the rebuild
    bool changed;    // set by whoever made something else than a copy
} tct_rewrite;

// Starts a new graph of the same module, named as `from`, with all inputs in order.
void tct_rewrite_begin(tct_rewrite *r, const tct_graph *from, const char *pass);
// Copies node v (not an input) with its operands looked up in the map; an operand whose order matters gets
// its old order.
tct_value tct_rewrite_copy(tct_rewrite *r, tct_value v);
// As copy, with another body; results keep their numbers.
tct_value tct_rewrite_copy_with_body(tct_rewrite *r, tct_value v, tct_graph *body);
// What is appended from now on stands for node v: its span, and the pass.
void tct_rewrite_at(tct_rewrite *r, tct_value v);
// Adds the outputs and releases everything but the result: `from` itself when nothing has changed.
tct_graph *tct_rewrite_finish(tct_rewrite *r);

// v in the given order of axes (the same set): its own node permuted, where nothing depends on its order
// (`pinned`, from tct_find_pinned, not marked; NULL: don't), otherwise a copy, by a cast to its own dtype.
// Marks v in `pinned`.
tct_value tct_in_order(tct_graph *g, tct_value v, const tct_axis *axes, uint32_t n, bool *pinned);
// False for a matrix product whose last axis would be a batch axis, with free ones there: slow to write.
bool tct_may_have_order(const tct_graph *g, tct_value v, const tct_axis *axes);
// By node, with room for `extra` more: the order of its axes matters to somebody: inputs and results of
// bundles, operands of scans, foreign functions and fused groups, indices of put, outputs.
bool *tct_find_pinned(tct_arena *arena, const tct_graph *g, size_t extra);
// Permutes the axes of node v, which is neither input nor result of a bundle.
void tct_set_order(tct_graph *g, tct_value v, const tct_axis *axes, uint32_t n);
bool tct_same_order(const tct_axis *a, uint32_t n, const tct_axis *b, uint32_t m);
bool tct_same_axes(const tct_axis *a, uint32_t n, const tct_axis *b, uint32_t m); // as sets

// Number of uses of each node by live nodes and outputs: 0 for dead ones. In the arena.
uint32_t *tct_count_uses(tct_arena *arena, const tct_graph *g);

// Sets of axes as arrays: b without / with those of c. Results hold up to TCT_IR_MAX_AXES.
uint32_t tct_axes_minus(tct_axis *out, const tct_axis *b, uint32_t n, const tct_axis *c, uint32_t m);
uint32_t tct_axes_common(tct_axis *out, const tct_axis *b, uint32_t n, const tct_axis *c, uint32_t m);
bool tct_axes_have(const tct_axis *a, uint32_t n, tct_axis x);

// Emission for passes: operands are known to fit.
static inline tct_value tct_un(tct_graph *g, tct_ir_op op, tct_value x) {
    return tct_ir_unary(g, NULL, op, x);
}
static inline tct_value tct_bin(tct_graph *g, tct_ir_op op, tct_value a, tct_value b) {
    return tct_ir_binary(g, NULL, op, a, b);
}
tct_value tct_const_like(tct_graph *g, tct_value like, double value); // scalar of that dtype
tct_value tct_const_int(tct_graph *g, tct_dtype dtype, int64_t value);
tct_value tct_zeros(tct_graph *g, tct_dtype dtype, const tct_axis *axes, uint32_t n);
tct_value tct_sum(tct_graph *g, tct_value x, const tct_axis *axes, uint32_t n); // x where n is 0
// x * y over the contracted axes; a plain product where there are none.
tct_value tct_contract(tct_graph *g, tct_value a, tct_value b, const tct_axis *axes, uint32_t n);

#endif
