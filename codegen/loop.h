// Kernel IR of a loop kernel: what is computed for every point of a domain of axes, and how the loops run.
//
// A domain is a list of axes, some of them reduced. Values are scalars of one point: numbers, or indices
// (i64) made of the axes' counters. Every reduction runs over all reduced axes; what needs its result runs
// over them again, in a later pass. One of the axes is cut into lanes: a reduced one (a row kernel: rows are
// reduced along the vector), or one that stays (a column kernel: every lane is a result of its own).
// codegen/lower.h makes a kernel from a graph, tct_loop_schedule decides about the loops, tct_loop_emit
// writes it as LLVM IR.
#ifndef TCT_CODEGEN_LOOP_H
#define TCT_CODEGEN_LOOP_H

#include "codegen/target.h"
#include "ir/ir.h"

typedef uint32_t tct_lv; // value of a loop kernel
#define TCT_NO_LV UINT32_MAX

enum { TCT_LOOP_MAX_AXES = 24, TCT_LOOP_LANES = 16, TCT_LOOP_MAX_UNROLL = 4 };

typedef enum tct_loop_kind {
    TCT_LOOP_CONST,  // f or i of dtype
    TCT_LOOP_AXIS,   // index: the counter of axis i
    TCT_LOOP_AFFINE, // index: i + Σ coef[k] * in[k]
    TCT_LOOP_DIV,    // index: in[0] / i, in[0] >= 0
    TCT_LOOP_MOD,    // index: in[0] % i, in[0] >= 0
    TCT_LOOP_INDEX,  // index: the integer in[0]
    TCT_LOOP_NUMBER, // dtype: the index in[0]
    TCT_LOOP_WITHIN, // bool: 0 <= in[0] < i
    TCT_LOOP_LOAD,   // dtype: buffer i at element in[0]; with in[1]: 0 where that is false
    TCT_LOOP_OP,     // dtype: the elementwise operation `op`
    TCT_LOOP_RANDOM, // f32: stream i of key in[0] at counter in[1]
    TCT_LOOP_REDUCE, // dtype: the reduction `op` of in[0] over all reduced axes; argmax: in[1] is the
                     // position; sum: with in[1], of exp(in[0] - in[1]), see tct_loop_run_ahead
} tct_loop_kind;

typedef struct tct_loop_value {
    uint8_t kind, dtype; // tct_loop_kind, tct_dtype (indices: i64)
    uint16_t op;         // tct_ir_op
    uint32_t n_in;
    tct_lv *in;
    int64_t *coef; // AFFINE
    int64_t i;
    double f;
    tct_span span; // the source that asked for it first
    // From tct_loop_schedule:
    uint32_t axes; // set of axes along which it varies
    uint8_t stage; // passes that must be over before it can be computed
    bool kept;     // computed in pass `first`, read from scratch memory in later ones
    uint8_t first;
    uint64_t offset; // of what is kept, in scratch memory
    // From tct_loop_stream, of a load: how many bytes further memory is asked for; 0: not at all. In which
    // passes (pass p is bit p): each asks for its part of the vectors side by side, so that memory is busy in
    // all.
    uint32_t ahead, ahead_passes;
} tct_loop_value;

typedef struct tct_loop_store {
    uint32_t buf;
    tct_lv offset, value, guard; // guard: TCT_NO_LV, or stores only where true
    bool add;                    // adds to what is there
    // Of a sum over kept axes (tct_loop_add_up): elements of a part of the buffer. 0: it is none.
    int64_t part;
    tct_span span;
    // From tct_loop_schedule:
    uint32_t axes;
    uint8_t stage;
    bool past; // from tct_loop_stream: past the caches
} tct_loop_store;

typedef struct tct_loop_axis {
    const char *name;
    int64_t size;
    bool reduced;
} tct_loop_axis;

// Owner: the arena it was made in.
typedef struct tct_loop {
    tct_arena *arena;
    uint32_t n_axes;
    tct_loop_axis
        axes[TCT_LOOP_MAX_AXES]; // kept ones, then reduced ones; each outermost first once scheduled
    tct_loop_value *values;
    uint32_t n_values, cap_values;
    tct_loop_store *stores;
    uint32_t n_stores, cap_stores;
    uint32_t n_bufs;
    uint8_t *buf_dtype;
    bool ordered;                // the reduced axes must run in the order given (scatter)
    bool parts;                  // some stores are sums over kept axes
    uint32_t *table, table_size; // values by content
    tct_span span; // stamped on every value and store made while set; in the end the kernel's own
    // From tct_loop_schedule:
    uint32_t n_kept; // axes[0 .. n_kept) are not reduced
    int lane_axis;   // -1: none
    uint32_t unroll; // vectors of lanes side by side
    int64_t block;   // column kernels: elements of the lane axis in one item
    int64_t rows; // row kernels: how many of the innermost kept axis are one item, so that what all of them
                  // share is loaded once; 0: one
    bool once;    // row kernels: the vectors side by side hold a row, which stays in registers
    uint32_t n_passes;
    uint64_t scratch;  // bytes
    bool tile;         // the epilogue of a product: axes are batch, row, column;
    int64_t tile_rows; // called for so many rows at a time at most, the first a multiple of that
    double cost;       // operations a point, loads and stores included
    tct_lv only;   // the pass goes past what isn't so: all it does is to add zeros there; TCT_NO_LV: nothing
    tct_lv prefix; // a comparison that holds for the first lanes of a row; TCT_NO_LV: there is none
    // From tct_loop_stream: 1 + the store at whose lines the lanes of the last pass begin; 0: at the first
    // element.
    uint32_t peel;
} tct_loop;

tct_loop *tct_loop_new(tct_arena *arena);
uint32_t tct_loop_add_axis(tct_loop *l, const char *name, int64_t size, bool reduced);

// Values; equal ones are made once.
tct_lv tct_loop_const(tct_loop *l, tct_dtype dtype, double f, int64_t i);
tct_lv tct_loop_counter(tct_loop *l, uint32_t axis);
tct_lv tct_loop_affine(tct_loop *l, int64_t c, uint32_t n, const tct_lv *terms, const int64_t *coef);
tct_lv tct_loop_divide(tct_loop *l, tct_lv x, int64_t by);
tct_lv tct_loop_modulo(tct_loop *l, tct_lv x, int64_t by);
tct_lv tct_loop_within(tct_loop *l, tct_lv x, int64_t size); // TCT_NO_LV: always
// The general case: `proto` with kind, dtype, op, i, f; operands copied.
tct_lv tct_loop_value_of(tct_loop *l, tct_loop_value proto, uint32_t n_in, const tct_lv *in);
void tct_loop_store_to(tct_loop *l, uint32_t buf, tct_lv offset, tct_lv value, tct_lv guard, bool add);
// codegen/loop_parts.c. A sum over kept axes, of `value` at every point: `offset`, below `results`, varies
// along all reduced axes, none of which need be reduced by anything. Every task has a part of the buffer,
// which it begins with zeros and adds to in the order of its items; tct_loop_of_parts adds up the parts. f32
// alone. Of a tile it is a sum over rows, `offset` is the column, and a part is that of `tile_rows` rows.
void tct_loop_add_up(tct_loop *l, uint32_t buf, tct_lv offset, tct_lv value, int64_t results);
int64_t tct_loop_part(int64_t results); // elements of a part
int64_t tct_loop_parts(const tct_loop *l);
int64_t tct_loop_items_a_part(const tct_loop *l, double points_an_item);
// Adds up parts in their order: buffers 0 .. n - 1 are `parts` parts of `results` elements each, n .. 2 n - 1
// the sums.
tct_loop *tct_loop_of_parts(tct_arena *arena, uint32_t n, int64_t results, int64_t parts, tct_span span);
// An axis that is taken apart somewhere (x / k, x % k) and would be better two: true and which, where.
bool tct_loop_wants_split(const tct_loop *l, uint32_t *axis, int64_t *inner);

// Decides order of loops, lanes, passes and scratch memory. Neighbouring axes that run through memory as one
// become one.
void tct_loop_schedule(tct_loop *l);
// Decides which large operands are asked for ahead and which large results stored past the caches, of a
// scheduled kernel whose buffers have their places. `in_place`: by buffer, whether another one lies there.
void tct_loop_stream(tct_loop *l, const bool *in_place);
// Items of work: every item is one point of the kept axes, or `rows` (row kernels), or one block of lanes
// (column kernels).
int64_t tct_loop_items(const tct_loop *l);
int64_t tct_loop_items_along(const tct_loop *l, uint32_t axis); // a kept one
int64_t tct_loop_items_a_task(const tct_loop *l);
// Buffer `out`, which is stored to, may be the same memory as buffer `in`, which is loaded from.
bool tct_loop_may_share(const tct_loop *l, uint32_t out, uint32_t in);
// Whether lanes run along an axis that is kept.
bool tct_loop_is_column(const tct_loop *l);
// Whether v is the counter of the lanes.
bool tct_loop_is_lane_counter(const tct_loop *l, tct_lv v);
// Whether the lanes at an offset are neighbours in memory, and its other terms whole multiples of `unit`
// elements.
bool tct_loop_runs_along(const tct_loop *l, tct_lv offset, int64_t unit);
// Whether anything is loaded from a buffer.
bool tct_loop_loads(const tct_loop *l, uint32_t buf);
// A bound on the value of an index: false when there is none.
bool tct_loop_range(const tct_loop *l, tct_lv v, int64_t *low, int64_t *high);

// In which passes every value that varies along a reduced axis is computed: pass p is bit p of need[value].
void tct_loop_passes(const tct_loop *l, uint32_t *need);
// What a value costs, in additions (tct_ir_op_cost): a load or an element of a reduction 1, indices nothing.
double tct_loop_value_cost(const tct_loop_value *v);

// codegen/loop_online.c. Has sums of exp(a - c) computed in the pass that c waits for, of a kernel whose
// lanes have been chosen, where that saves a pass through memory. True if there are any; passes are to be
// counted again.
bool tct_loop_run_ahead(tct_loop *l);
bool tct_loop_runs_ahead(const tct_loop_value *v);

// codegen/loop_choice.c. Has what is read for one side of a choice alone, the same for all lanes, read only
// where that side is taken, of a kernel whose lanes have been chosen.
void tct_loop_spare_loads(tct_loop *l);

// codegen/loop_prefix.c. A comparison of integers that holds for the first lanes of a row and fails for the
// rest, of a kernel that is scheduled otherwise: the row is gone through in two loops. TCT_NO_LV: none.
tct_lv tct_loop_prefix_of(const tct_loop *l);

// codegen/loop_cost.c. Arithmetic of a scheduled kernel in additions (tct_loop_value_cost), every value once
// for every point of the axes that it varies along and every pass that computes it.
double tct_loop_flops(const tct_loop *l);
// Bytes of a buffer of `whole` bytes that are read and written, each once: of a gather, the rows it takes.
double tct_loop_bytes(const tct_loop *l, uint32_t buf, double whole);

// Everything the code depends on, as text: two kernels with equal texts are the same kernel. `sources` (NULL:
// without): adds the places of values and stores as comments.
void tct_loop_print(const tct_loop *l, const tct_diag *sources, tct_buf *out);

// Arguments of the kernel function: items, items a task, size of the outermost axis.
enum { TCT_LOOP_ARG_ITEMS, TCT_LOOP_ARG_CHUNK, TCT_LOOP_ARG_OUTER, TCT_LOOP_N_ARGS };

// Adds a tct_kernel_fn (or, for a tile, a tct_tile_fn) called `symbol` to the module. Vectors have one length
// on all instruction sets, so sums have one order; LLVM cuts them to what there is. `sources` (NULL:
// without): every instruction gets the place of the value that it is for.
void tct_loop_emit(const tct_loop *l, const char *symbol, LLVMModuleRef module, const tct_diag *sources);

// Elementwise operations on registers (codegen/loop_ops.c). `lanes` 0: scalars. bf16 lives in f32 registers,
// rounded; bool in i1.
LLVMTypeRef tct_loop_register_type(LLVMContextRef c, tct_dtype dtype, unsigned lanes);
LLVMValueRef tct_loop_emit_op(LLVMBuilderRef b, tct_ir_op op, tct_dtype from, tct_dtype to, unsigned lanes,
                              LLVMValueRef *in);
// x / by with an f32 divisor that all lanes share (codegen/loop_divide.c): by its reciprocal, then put right
// by what is left (Markstein 1990), to the bits of a division, at a third of its cost. The divisor is brought
// into the middle of the exponents first. Where the correction is no number (0, infinity, overflow), or
// nothing, the product stands. Needs a fused multiply-add.
typedef struct tct_loop_divisor {
    LLVMValueRef scale, scaled, reciprocal;
} tct_loop_divisor;
tct_loop_divisor tct_loop_divide_by(LLVMBuilderRef b, LLVMValueRef by);
LLVMValueRef tct_loop_divided(LLVMBuilderRef b, LLVMValueRef x, unsigned lanes, const tct_loop_divisor *d);
LLVMValueRef tct_loop_emit_const(LLVMContextRef c, tct_dtype dtype, unsigned lanes, double f, int64_t i);
// From memory's representation of a dtype to its register, and back.
LLVMTypeRef tct_loop_memory_type(LLVMContextRef c, tct_dtype dtype, unsigned lanes);
LLVMValueRef tct_loop_emit_widen(LLVMBuilderRef b, tct_dtype dtype, unsigned lanes, LLVMValueRef x);
LLVMValueRef tct_loop_emit_narrow(LLVMBuilderRef b, tct_dtype dtype, unsigned lanes, LLVMValueRef x);
LLVMValueRef tct_loop_emit_random(LLVMBuilderRef b, unsigned lanes, LLVMValueRef key, int64_t stream,
                                  LLVMValueRef counter);
// Reductions: the neutral element and one step. The largest and the smallest leave out what is NaN
// (codegen/loop_emit.c sees to that).
LLVMValueRef tct_loop_emit_neutral(LLVMContextRef c, tct_ir_op op, tct_dtype dtype, unsigned lanes);
LLVMValueRef tct_loop_emit_combine(LLVMBuilderRef b, tct_ir_op op, tct_dtype dtype, LLVMValueRef acc,
                                   LLVMValueRef x);

#endif
