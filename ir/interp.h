// Reference interpreter: plain scalar code, the oracle for every pass and every kernel. Slow by design.
#ifndef TCT_IR_INTERP_H
#define TCT_IR_INTERP_H

#include "ir/ir.h"

// A dense tensor in the layout of its node's axes. Owner: the arena it was made in.
typedef struct tct_ir_tensor {
    tct_dtype dtype; // bool: 1 byte
    uint8_t n_axes;
    tct_axis axes[TCT_IR_MAX_AXES];
    void *data;
} tct_ir_tensor;

typedef struct tct_ir_interp_options {
    bool f64; // hold and compute all floats in double: inputs are given and results returned as f64
    // Calls a foreign function: `in` as the inputs of its body (dtype, layout), `out` made and to be filled.
    // NULL: graphs with foreign nodes are refused.
    bool (*foreign)(void *ctx, tct_diag *d, const tct_node *n, const tct_graph *g, const tct_ir_tensor *in,
                    tct_ir_tensor *out);
    void *foreign_ctx;
} tct_ir_interp_options;

// Evaluates g on inputs[k] (dtype and axes as the input node has, with f64 as said above), writes outputs[k]
// into the arena. false after reporting: E0801 no memory, E0810 an unknown size, an input of another type, a
// foreign function without a way to call it, or what that function reported.
bool tct_ir_interp(tct_diag *d, tct_arena *arena, const tct_graph *g, const tct_ir_tensor *inputs,
                   tct_ir_tensor *outputs, const tct_ir_interp_options *options);

#endif
