// What the files of graphs' built-in operations share. Internal to frontend/elab_ops*.c.
#ifndef TCT_FRONTEND_ELAB_OPS_H
#define TCT_FRONTEND_ELAB_OPS_H

#include "frontend/elab_internal.h"

struct operation;

// A call of an operation.
typedef struct op_call {
    tct_elab *e;
    const tct_expr *x;
    const char *name;
    const struct operation *op; // NULL for elementwise functions and conversions
    const tct_expr *arg[6];     // by parameter
    tct_val *val[6];            // evaluated, once
    size_t before;              // messages there were
} op_call;

typedef struct operation {
    const char *name;
    const char *params; // "x axes", a ? behind optional ones
    tct_val *(*build)(op_call *c);
    const char *usage; // an example for messages
    const char *doc;
} operation;

// Ends of a call: an error value after a report, the result otherwise.
tct_val *tct_op_fail(op_call *c);
tct_val *tct_op_done(op_call *c, tct_value v);
bool tct_op_show_usage(op_call *c); // the operation's usage as help for the message reported last; false

tct_graph *tct_op_graph(op_call *c);
const tct_node *tct_op_node(op_call *c, tct_value v);
tct_val *tct_op_val(op_call *c, uint32_t k); // argument k, evaluated
// Argument k as a tensor; static numbers become `dtype`, or what they are. TCT_NO_VALUE after reporting.
tct_value tct_op_tensor_of(op_call *c, uint32_t k, tct_dtype dtype);
tct_value tct_op_tensor(op_call *c, uint32_t k);
bool tct_op_has(op_call *c, tct_value v, tct_axis a, tct_span span); // reports E0303
int64_t tct_op_size_of(op_call *c, tct_axis a);                      // 0: not known
// Argument k, `K -> J`, as its sides; reports E0331.
bool tct_op_arrow(op_call *c, uint32_t k, const tct_expr **from, const tct_expr **to);
// The axis named on the right of an arrow, with `size`: the one in scope when there is one of that name, else
// a new one. Reports E0302 where the sizes differ.
bool tct_op_target_axis(op_call *c, const tct_expr *x, int64_t size, tct_axis *out);

// elab_ops_compute.c
tct_val *tct_op_elementwise(op_call *c, tct_ir_op op, uint32_t n);
tct_val *tct_op_cast_to(op_call *c, tct_dtype to);
tct_val *tct_op_where(op_call *c);
tct_val *tct_op_sum(op_call *c);
tct_val *tct_op_any(op_call *c);
tct_val *tct_op_all(op_call *c);
tct_val *tct_op_argmax(op_call *c);
tct_val *tct_op_mean(op_call *c);
tct_val *tct_op_max(op_call *c);
tct_val *tct_op_min(op_call *c);
tct_val *tct_op_dot(op_call *c);
tct_val *tct_op_zeros(op_call *c);
tct_val *tct_op_ones(op_call *c);
tct_val *tct_op_iota(op_call *c);
tct_val *tct_op_one_hot(op_call *c);
tct_val *tct_op_size(op_call *c);
tct_val *tct_op_random(op_call *c);
tct_val *tct_op_rank(op_call *c);

// elab_ops_move.c
tct_val *tct_op_rename(op_call *c);
tct_val *tct_op_split(op_call *c);
tct_val *tct_op_merge(op_call *c);
tct_val *tct_op_broadcast(op_call *c);
tct_val *tct_op_flip(op_call *c);
tct_val *tct_op_slice(op_call *c);
tct_val *tct_op_at(op_call *c);
tct_val *tct_op_shift(op_call *c);
tct_val *tct_op_pad(op_call *c);
tct_val *tct_op_concat(op_call *c);
tct_val *tct_op_gather(op_call *c);
tct_val *tct_op_scatter_add(op_call *c);
tct_val *tct_op_put(op_call *c);

#endif
