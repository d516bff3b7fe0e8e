// What fusion made of a graph, and why: for `tercet explain`, and whoever else wants to tell.
#ifndef TCT_PASSES_FUSION_H
#define TCT_PASSES_FUSION_H

#include "ir/ir.h"

// Why what computes a value and what uses it are two kernels.
typedef enum tct_fusion_reason {
    TCT_APART_SCAN,     // one is a scan: its body is a plan of its own, and values enter and leave by memory
    TCT_APART_FOREIGN,  // one is a foreign function: it takes and gives memory
    TCT_APART_OPERAND,  // a product reads its operands from memory, many times over
    TCT_APART_SCATTER,  // one is a scatter, which is a kernel by itself
    TCT_APART_PRODUCT,  // each is a product's kernel, or is to be the epilogue of another product
    TCT_APART_REDUCES,  // an epilogue sees one tile of its product at a time: it takes sums over its rows
    TCT_APART_EPILOGUE, // one is a product with its epilogue, chosen before the two could become one
    TCT_APART_SHAPE,    // the product has other axes than the kernel, whose epilogue it would be
    TCT_APART_DOMAIN,   // their loops run over different axes, or reduce over different ones
    TCT_APART_MOVED,    // the value is read at other points than those where it is made
    TCT_APART_BETWEEN,  // something third needs the one and is needed by the other
    TCT_APART_LARGE,    // the kernel would become too large
    TCT_APART_PIECES,   // the work would run in too few pieces
    TCT_APART_COLUMNS,  // sums of columns that the one adds up beside what it reduces don't go with the other
    TCT_N_APART
} tct_fusion_reason;
extern const char *const tct_fusion_reason_names[TCT_N_APART]; // "scan", "operand", …

// Why a value isn't computed again by a kernel that uses it.
typedef enum tct_fusion_again {
    TCT_AGAIN_WHOLE,  // it is no elementwise operation: a reduction, product, scan, call or scatter
    TCT_AGAIN_COSTLY, // it takes more arithmetic than memory
    TCT_AGAIN_READS,  // it is made of several large values: reading those takes longer than reading it
    TCT_AGAIN_RESULT, // it is made of what reductions give, much smaller than what they read
    TCT_AGAIN_WANTED, // it is cheap, but it lies in memory in any case: a result, or read by a product or
                      // call
    TCT_N_AGAIN
} tct_fusion_again;
extern const char
    *const tct_fusion_again_names[TCT_N_AGAIN]; // "whole", "costly", "reads", "result", "wanted"

// What the loops of a kernel run over; some of the axes are reduced.
typedef struct tct_fusion_domain {
    uint32_t n_axes, n_reduced;
    tct_axis axes[TCT_IR_MAX_AXES], reduced[TCT_IR_MAX_AXES];
} tct_fusion_domain;

// A value that goes through memory from one kernel to another.
typedef struct tct_fusion_edge {
    tct_value from, to;    // nodes of the report's `fused`: groups, products, scans, calls
    tct_value value, user; // nodes of its `graph`: what is carried, and the first that uses it in `to`
    uint32_t reasons;      // set of 1 << tct_fusion_reason, at least one
    tct_fusion_domain from_domain, to_domain; // DOMAIN, REDUCES; SHAPE: the product's axes, and the kernel's
    uint32_t operations, reductions, inputs;  // LARGE: of both together
    uint32_t most_operations, most_reductions, most_inputs; // and how many a kernel takes
    int64_t pieces, points;                                 // PIECES: of the kernel, and of the work
    tct_value movement; // MOVED: what moves it, TCT_NO_VALUE where several do
    tct_value between;  // BETWEEN: the first node there
    tct_value product;  // PRODUCT, EPILOGUE: the product of `to` or `from`
    tct_fusion_again again;
    uint32_t again_cost;               // COSTLY: an element, in additions (tct_ir_op_cost), indices included
    uint32_t again_large, again_small; // READS: values as large as itself, and smaller ones
    bool saved; // computed on the way to a forward result, and used for something else: kept for the backward
                // pass
} tct_fusion_edge;

// A value that several kernels compute, each for itself, because it costs less than memory.
typedef struct tct_fusion_copy {
    tct_value node; // of `graph`
    uint32_t n_kernels;
    const tct_value *kernels; // nodes of `fused`, ascending
    uint32_t cost;            // an element, in additions
    bool backward;            // of a forward result, computed again for the backward pass
} tct_fusion_copy;

enum { TCT_FUSION_FORWARD = 1, TCT_FUSION_BACKWARD = 2 }; // sets

typedef struct tct_fusion_report {
    const tct_graph *graph;         // what was fused, after its preparation
    tct_graph *fused;               // as tct_pass_fuse gives it
    TCT_VEC(tct_fusion_edge) edges; // by `to`, then by `value`
    TCT_VEC(tct_fusion_copy) copies;
    bool *forward; // by node of `graph`: a forward result depends on it
    uint8_t *part; // by node of `fused`: whether it computes forward values, others, or both
    tct_arena arena;
} tct_fusion_report;

// Fuses `g`, which is as it is before fusion. `forward_output`: by output of g, whether it is a result of the
// forward pass; NULL: all are. Release with tct_fusion_report_free; the graphs are the module's.
void tct_fusion_report_make(tct_graph *g, const bool *forward_output, tct_fusion_report *out);
void tct_fusion_report_free(tct_fusion_report *r);

#endif
