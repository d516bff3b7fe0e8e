// Reverse mode, between passes/grad.c (the tape), passes/vjp*.c (one rule an operation) and passes/activity.c
// (what the loss depends on). Internal to passes/.
#ifndef TCT_PASSES_VJP_H
#define TCT_PASSES_VJP_H

#include "passes/rewrite.h"

// Slots: one for every tensor, one for every result of a bundle. first[v] is the slot of node v (of its
// result 0).
typedef struct tct_slots {
    uint32_t *first;
    uint32_t n;
} tct_slots;
tct_slots tct_slots_of(tct_arena *arena, const tct_graph *g);

// Which slots lie on a way of floats from the marked inputs to the marked outputs. Arrays in the arena.
bool *tct_activity(tct_arena *arena, const tct_graph *g, const tct_slots *s, const bool *inputs,
                   const bool *outputs);
// The same for the body of scan n, run to a fixed point over the carries. `operands` marks what n's operands
// depend on, `results` what the loss needs of n's results; gives marks for the body's inputs and outputs.
void tct_activity_scan(tct_arena *arena, const tct_node *n, const bool *operands, const bool *results,
                       bool *body_inputs, bool *body_outputs);

// One differentiation: `from` is copied into `to`, then walked backwards, where each rule adds to the
// cotangents of its node's operands. Bodies of scans have a tape of their own.
typedef struct tct_tape {
    tct_diag *d;
    tct_arena *arena; // dies with the differentiation
    const tct_graph *from;
    tct_graph *to;
    tct_value *map; // from → to
    tct_slots slots;
    const bool *active;   // by slot
    tct_value *cotangent; // by slot, in `to`; TCT_NO_VALUE: zero
    bool *masked;         // by slot: a where has put zeros where the value itself may be NaN or infinite
    tct_value at;         // the node of `from` whose rule runs
    bool at_masked;       // masked[] of its cotangent
} tct_tape;

// Prepares a tape; map must hold the inputs of `from`. `inputs` and `outputs` as in tct_activity.
void tct_tape_begin(tct_tape *t, const bool *inputs, const bool *outputs);
void tct_tape_forward(tct_tape *t);  // copies all nodes but inputs
bool tct_tape_backward(tct_tape *t); // false after reporting E0622
void tct_tape_seed(tct_tape *t, tct_value from, tct_value cotangent);
// Cotangent of node `from` (a tensor), zeros where it has none, with the axes in that node's order
// (tct_in_order).
tct_value tct_tape_result(tct_tape *t, tct_value from, bool *pinned);
// prefix + name, with the prefix repeated until no output of g is called so.
const char *tct_unique_name(tct_arena *arena, const tct_graph *g, const char *prefix, const char *name);

// For rules. Operand k of the current node takes part.
bool tct_tape_wants(const tct_tape *t, uint32_t k);
// The value in `to` of operand k of the current node.
tct_value tct_tape_operand(const tct_tape *t, uint32_t k);
// Adds to the cotangent of operand k. `c` may have more axes than the operand (they are summed: the one place
// where broadcasting is undone) or fewer (it is broadcast).
void tct_tape_add(tct_tape *t, uint32_t k, tct_value c);
void tct_tape_add_result(tct_tape *t, uint32_t k, uint32_t result, tct_value c); // operand k is a bundle
// c * factor; where the cotangent is masked, 0 stays 0 whatever the factor is.
tct_value tct_tape_scale(tct_tape *t, tct_value c, tct_value factor);
tct_value tct_tape_divide(tct_tape *t, tct_value c, tct_value divisor); // the same for c / divisor

// A rule: y is the node's value in `to`, c its cotangent with the same axes (any order). For bundles y is the
// bundle and c is TCT_NO_VALUE; the rule looks at tct_tape.cotangent. Returns false after reporting.
typedef bool (*tct_vjp)(tct_tape *t, const tct_node *n, tct_value y, tct_value c);
// NULL: the operation has no derivative.
tct_vjp tct_vjp_of(tct_ir_op op);

#define TCT_VJP(name) bool tct_vjp_##name(tct_tape *t, const tct_node *n, tct_value y, tct_value c)
// passes/vjp_shape.c
TCT_VJP(sum);
TCT_VJP(extremum);
TCT_VJP(dot);
TCT_VJP(rename);
TCT_VJP(broadcast);
TCT_VJP(after);
TCT_VJP(slice);
TCT_VJP(pad);
TCT_VJP(concat);
TCT_VJP(split);
TCT_VJP(merge);
TCT_VJP(flip);
TCT_VJP(gather);
TCT_VJP(scatter_add);
TCT_VJP(put);
// passes/vjp_body.c
TCT_VJP(scan);
TCT_VJP(foreign);
TCT_VJP(get);
// The forward scan with the carried values of every step as further results; used in place of node v.
tct_value tct_vjp_extend_scan(tct_tape *t, tct_value v);

#endif
