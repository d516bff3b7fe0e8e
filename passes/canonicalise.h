// Between passes/canonicalise.c (the walk), canonicalise_arith.c and canonicalise_shape.c (the rules).
// Internal.
#ifndef TCT_PASSES_CANONICALISE_H
#define TCT_PASSES_CANONICALISE_H

#include "passes/rewrite.h"

typedef struct tct_canon {
    tct_rewrite r;
    TCT_VEC(uint32_t) uses; // of nodes of r.to, as far as known; 0 for what a rule has just made
} tct_canon;

// The operation on operands that are canonical already, simplified. A pointer to a node of r.to doesn't
// survive it.
tct_value tct_canon_make(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                         const tct_ir_attr *attr);
// Rules: the simpler equal value, TCT_NO_VALUE when none applies.
tct_value tct_canon_arith(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                          const tct_ir_attr *attr);
tct_value tct_canon_reduce(tct_canon *c, tct_ir_op op, const tct_value *in,
                           const tct_ir_attr *attr); // and dot
tct_value tct_canon_move(tct_canon *c, tct_ir_op op, const tct_value *in, uint32_t n_in,
                         const tct_ir_attr *attr);
tct_value tct_canon_index(tct_canon *c, tct_ir_op op, const tct_value *in, const tct_ir_attr *attr);

static inline const tct_node *tct_canon_node(const tct_canon *c, tct_value v) {
    return tct_node_of(c->r.to, v);
}
// v is made by op. At most one node uses it, for rules that would otherwise do its work twice.
static inline bool tct_canon_is(const tct_canon *c, tct_value v, tct_ir_op op) {
    return tct_canon_node(c, v)->op == op;
}
static inline bool tct_canon_single(const tct_canon *c, tct_value v) {
    return v >= c->uses.len || c->uses.data[v] <= 1;
}
// v is a scalar constant, or the same constant broadcast.
bool tct_canon_const(const tct_canon *c, tct_value v, double *out);
tct_value tct_canon_un(tct_canon *c, tct_ir_op op, tct_value x);
tct_value tct_canon_bin(tct_canon *c, tct_ir_op op, tct_value a, tct_value b);
// x, broadcast along the axes that it lacks.
tct_value tct_canon_widen(tct_canon *c, tct_value x, const tct_axis *axes, uint32_t n);
// 0 <= index < size of the axis.
tct_value tct_canon_inside(tct_canon *c, tct_value index, tct_axis along);
// The index i when v is true at position i along the axis and nowhere else; otherwise TCT_NO_VALUE.
tct_value tct_canon_position(const tct_canon *c, tct_value v, tct_axis along);
// x without axis `one`, of size 1, which goes into the axis `beside`.
tct_value tct_canon_drop_axis(tct_canon *c, tct_value x, tct_axis one, tct_axis beside);

#endif
