// From the body of a fused group to kernel IR.
#ifndef TCT_CODEGEN_LOWER_H
#define TCT_CODEGEN_LOWER_H

#include "codegen/gemm.h"
#include "codegen/loop.h"

// Where an input or output of the body lies in memory: the buffer it is among the kernel's, and a stride in
// elements for each of its axes. An offset into the buffer is the plan's business.
typedef struct tct_lower_port {
    uint32_t buf;
    int64_t stride[TCT_IR_MAX_AXES];
} tct_lower_port;

typedef struct tct_lower_spec {
    const tct_graph *body;
    const tct_lower_port *in, *out; // a port for each input and output of the body
    uint32_t n_bufs;
    // All that the body reduces are sums of columns, to be added up row by row (tct_fuse_sums_by_rows), or
    // over a product's rows.
    bool by_rows;
    // The epilogue of a product: `dot` is the body's product, which lies in buffer 0 with the strides of
    // `dot_port`; `problem` and `gemm` say what the kernel's batch, row and column count: `axis` gives the IR
    // axis of each of the problem's. An output that is the product itself is not stored again. NULL for a
    // loop kernel.
    const tct_gemm_plan *gemm;
    const tct_axis *axis;
    tct_value dot;
    tct_lower_port dot_port;
} tct_lower_spec;

// Row-major strides of a node.
void tct_lower_row_major(const tct_ir_module *m, const tct_node *n, int64_t stride[TCT_IR_MAX_AXES]);

// Whether v of a body is a sum of columns that the kernel stores in parts.
bool tct_lower_sums_columns(const tct_graph *body, bool by_rows, tct_value v);

// The kernel, scheduled; in the arena. A body whose output is scatter_add or put has one output, which shares
// its memory with the base: the kernel doesn't read the base. A sum of columns is stored in parts
// (tct_loop_add_up).
tct_loop *tct_lower(tct_arena *arena, const tct_lower_spec *spec);

#endif
