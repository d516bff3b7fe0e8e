// Internal to codegen/plan*.c: a plan in the making. Steps in the graph's order, on storages that have no
// place yet; then an order of steps, then places.
#ifndef TCT_CODEGEN_PLAN_BUILD_H
#define TCT_CODEGEN_PLAN_BUILD_H

#include "codegen/lower.h"
#include "codegen/plan.h"

// Memory of one value. Several may become one (`root`).
typedef struct tct_storage {
    uint8_t place, dtype; // tct_place
    uint32_t index;
    uint64_t bytes, offset;
    uint32_t root;        // itself, or whose memory it is
    uint32_t writer;      // the step that writes it, of several the last; UINT32_MAX: the caller
    bool scratch;         // lives within its one step
    uint32_t first, last; // of its root: position in the order
} tct_storage;

// Where a value of the graph lies: strides in elements.
typedef struct tct_located {
    uint32_t storage;
    int64_t offset, stride[TCT_IR_MAX_AXES];
} tct_located;

// Where a value lies that is a part of another one: bytes into that one's storage.
typedef struct tct_part {
    uint32_t storage;
    int64_t offset;
    bool is_part;
} tct_part;

typedef struct tct_operand {
    uint32_t storage;
    int64_t offset; // bytes
    bool read, written;
} tct_operand;

typedef struct tct_pstep {
    tct_step_kind kind;
    tct_value node; // of the planned graph; TCT_NO_VALUE: a copy that planning needed
    uint32_t n_operands;
    tct_operand *operands;
    const char *label;
    tct_span span;
    double flops, bytes;
    tct_loop *loop; // loop kernels, and the epilogue of a product; in an arena of its own on the heap
    // Scatters, and products that add to what is there: the operand that the result starts as, counted from
    // 1; 0: none.
    uint32_t scatter_base;
    tct_gemm_plan *gemm; // products
    tct_plan_scan *scan;
    const tct_plan_origin *scan_origin;
    tct_plan_foreign *foreign;
    uint32_t first_edge; // UINT32_MAX: none
    uint32_t position;   // in the order
} tct_pstep;

// A step that must run before another one though that needs nothing of it: the other overwrites what it
// reads.
typedef struct tct_edge {
    uint32_t before, next; // next edge of the same later step, UINT32_MAX: none
} tct_edge;

typedef struct tct_planner {
    tct_diag *d;
    tct_arena *arena; // the plan's
    tct_arena temporary;
    const tct_graph *g;
    const tct_target *target;
    tct_kernel_set *set;
    const uint64_t *input_bytes; // of each input; NULL: as its type says
    TCT_VEC(tct_storage) storages;
    TCT_VEC(tct_pstep) steps;
    TCT_VEC(tct_edge) edges;
    tct_located *value; // by node
    bool *located;
    tct_part **parts;                              // by node and result; NULL: none of its results is one
    bool *assembled;                               // by node: its parts are written where they belong
    uint32_t **bundle;                             // by node: storages of its results
    uint32_t *order;                               // steps as they run
    TCT_VEC(const tct_plan_origin *) scan_origins; // by scan of the plan
    uint64_t arena_bytes;
} tct_planner;

// The operand that is the result of a step with a base.
static inline uint32_t tct_scatter_result(const tct_pstep *s) { return s->gemm ? 0 : s->n_operands - 1; }

static inline uint32_t tct_root(const tct_planner *p, uint32_t s) {
    while (p->storages.data[s].root != s) s = p->storages.data[s].root;
    return s;
}

// Of input k.
uint64_t tct_input_bytes(const tct_planner *p, size_t k);

uint32_t tct_new_storage(tct_planner *p, tct_dtype dtype, uint64_t bytes);
tct_pstep *tct_new_step(tct_planner *p, tct_step_kind kind, uint32_t n_operands);
// A step that copies `n` elements, for what stands at `span`.
// Step `after` runs after step `before`.
void tct_add_edge(tct_planner *p, uint32_t before, uint32_t after);
uint32_t tct_copy_step(tct_planner *p, uint32_t from, int64_t from_offset, uint32_t to, tct_dtype dtype,
                       int64_t n, tct_span span);

// codegen/plan_assemble.c. Finds the values that are put together from others which nobody else reads, and
// gives them memory.
void tct_plan_assemble(tct_planner *p);
// Result k of node v, `result` in its body, as an operand that `step` writes: memory of its own, or its place
// in what it is a part of.
tct_operand tct_result_of(tct_planner *p, tct_value v, uint32_t k, const tct_node *result, uint32_t step);

// codegen/plan_spread.c. The storage of result k of node v, a scan: for all trips, or carried. What the trips
// write of it: *rows, and bytes from one position of each axis of the scan to the next. A step that did
// nothing but copy the result into another order is left out, and its storage this one.
uint32_t tct_plan_scan_result(tct_planner *p, tct_value v, const tct_plan_scan *scan, uint32_t k,
                              tct_plan_rows *rows, int64_t *stride);

// codegen/plan_parts.c. Step `at`, the kernel or product of node v, stores sums of columns in parts: gives
// these memory, and adds steps that add them up to the node's results.
void tct_plan_parts(tct_planner *p, tct_value v, uint32_t at);

bool tct_plan_steps(tct_planner *p);  // codegen/plan_steps.c: the graph as steps
void tct_plan_keep(tct_planner *p);   // codegen/plan_keep.c: what several products pack is packed once
void tct_plan_share(tct_planner *p);  // codegen/plan_share.c: outputs, donated inputs, scatter in place
void tct_plan_order(tct_planner *p);  // codegen/plan_order.c: order, life times, operands overwritten
void tct_plan_places(tct_planner *p); // codegen/plan_memory.c: offsets in the arena
void tct_plan_beside(const tct_planner *p,
                     tct_step *steps);    // codegen/plan_beside.c: kernels that share a dispatch
tct_plan *tct_plan_write(tct_planner *p); // codegen/plan_write.c
const tct_plan_origin *tct_plan_origin_write(tct_planner *p); // after it

#endif
