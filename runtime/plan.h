// A plan is data: which kernels run, on which buffers, in which order. Codegen makes it, the executor here
// runs it, an ahead-of-time trainer carries it as a constant table. Nothing in it depends on the number of
// threads.
#ifndef TCT_RUNTIME_PLAN_H
#define TCT_RUNTIME_PLAN_H

#include "base/diag.h"
#include "base/dtype.h"
#include "runtime/caller.h"
#include "runtime/pool.h"

// A loop kernel runs tasks [begin, end) of its step's n_tasks. `bufs` are the step's operands in order,
// `args` the step's integers (sizes, strides), `scratch` private memory of the calling thread (step.scratch
// bytes, 64-aligned). How work is cut into tasks follows from the shapes alone.
typedef void (*tct_kernel_fn)(void *const *bufs, const int64_t *args, int64_t begin, int64_t end,
                              void *scratch);

// A tile kernel is the epilogue of a matrix product: it runs on the box [m0, m1) × [n0, n1) of one batch
// element, while the products are still in cache. Rows and columns are row-major linear indices over the
// product's M and N axes.
typedef void (*tct_tile_fn)(void *const *bufs, const int64_t *args, int64_t batch, int64_t m0, int64_t m1,
                            int64_t n0, int64_t n1, void *scratch);

typedef enum tct_place {
    TCT_PLACE_ARENA,  // `offset` bytes into the plan's arena
    TCT_PLACE_INPUT,  // the caller's input `index`, plus `offset`
    TCT_PLACE_OUTPUT, // the caller's output `index`, plus `offset`
    TCT_PLACE_CONST,  // `offset` bytes into the plan's constant data
} tct_place;

typedef struct tct_plan_buffer {
    uint8_t place, dtype;
    uint32_t index;
    uint64_t offset, bytes;
    uint32_t first_step, last_step; // life time, for printing the memory plan
} tct_plan_buffer;

typedef enum tct_step_kind {
    TCT_STEP_KERNEL, // kernels[kernel] as tct_kernel_fn over n_tasks
    TCT_STEP_GEMM,   // args: tct_gemm_args (runtime/gemm.h) as int64s, then the epilogue's; kernels[kernel..]
                   // what its slots count from; operands: C, A, B, then the epilogue's. The tile kernel sees
                   // all operands.
    TCT_STEP_SCAN,    // scans[kernel]
    TCT_STEP_FOREIGN, // foreigns[kernel]: a C function of the user's
} tct_step_kind;

// Kernels that share a dispatch, and their operands, are no more than that.
enum { TCT_PLAN_MOST_BESIDE = 64, TCT_PLAN_MOST_OPERANDS_BESIDE = 512 };

typedef struct tct_step {
    uint8_t kind;
    bool beside;                  // a kernel that may run at the same time as the kernel before it, and as
                                  // those that that one runs beside
    uint32_t kernel;              // index of the table that the kind names
    uint32_t operand, n_operands; // range of plan->operands
    uint32_t arg, n_args;         // range of plan->args
    int64_t n_tasks;
    uint64_t scratch;    // bytes a thread
    const char *label;   // "softmax+scale", for printing and profiling
    tct_span span;       // source place of the operation that named it
    double flops, bytes; // what it computes and moves
} tct_step;

typedef struct tct_plan_kernel {
    const char *symbol;
    void *fn; // resolved by the just-in-time compiler or the linker; a tct_kernel_fn, tct_tile_fn or
              // micro-kernel
} tct_plan_kernel;

struct tct_plan;

// A scan runs `body` once for each position of its axes, the last of them fastest (`reverse`: from the last
// to the first). Operand i of the step feeds body input i, for i < n_in, and takes body output i - n_in after
// that. At positions p, operand i stands at its base + the sum of p[a] * stride[i * n_axes + a] bytes, so a
// body's ports are aligned to their elements only. A carry is one body input and one body output, which takes
// over that input's memory (its port says so).
//
// Without carries the trips may be `apart`: they run beside each other, each on one thread, in memory of that
// thread (the step's scratch: tct_plan_scan_scratch). Else the step has one operand more, number n_in +
// n_out: workspace of tct_plan_scan_workspace bytes, the body's arena, and the threads share the work of each
// trip.
//
// In trips apart, the body may write a result into memory of the thread, from which rows of `bytes` are
// brought to where they belong, `apart` bytes from one another, while they are in a cache.
typedef struct tct_plan_rows {
    int64_t bytes; // 0: the body writes the result where it belongs
    int64_t apart;
} tct_plan_rows;

typedef struct tct_plan_scan {
    const struct tct_plan *body;
    int64_t trips; // the product of the sizes
    uint32_t n_axes;
    const int64_t *size; // n_axes
    bool reverse, apart;
    uint32_t n_in, n_out;
    // Inputs 0..n_carries-1 start as operands 0..n_carries-1; outputs 0..n_carries-1 are the next values.
    // They lie in the step's operands n_in..n_in+n_carries-1 from the first step on.
    uint32_t n_carries;
    const int64_t *stride;     // (n_in + n_out) * n_axes
    const tct_plan_rows *rows; // n_out
} tct_plan_scan;

// A foreign function: its name, the library it comes from and the shapes of its operands (runtime/foreign.h).
typedef struct tct_plan_foreign {
    const char *library, *symbol;
    uint32_t n_in, n_out;
    const uint8_t *dtype;       // n_in + n_out
    const uint32_t *n_axes;     // n_in + n_out
    const int64_t *const *size; // n_in + n_out rows
    void *fn;                   // resolved when the plan is loaded
    tct_caller caller;          // of fn
} tct_plan_foreign;

typedef struct tct_plan_port {
    const char *name; // "policy.block.0.qkv", "tokens", "loss"
    uint8_t dtype;
    uint32_t n_axes;
    const char *const *axis; // names, outermost first
    const int64_t *size;
    uint64_t bytes;
    int32_t alias; // outputs: the input whose memory it takes (donated), or -1
} tct_plan_port;

// Immutable once made; may be run by several callers at once, each with an arena of its own.
typedef struct tct_plan {
    const char *name;
    uint32_t n_inputs, n_outputs, n_buffers, n_steps, n_kernels, n_operands, n_args, n_scans, n_foreigns;
    const tct_plan_port *inputs, *outputs;
    const tct_plan_buffer *buffers;
    const tct_step *steps;
    tct_plan_kernel *kernels;
    const uint32_t *operands; // buffer ids
    const int64_t *args;
    const tct_plan_scan *scans;
    tct_plan_foreign *foreigns;
    const void *constants;
    uint64_t constant_bytes, arena_bytes, scratch_bytes;
} tct_plan;

struct tct_trace;

// Runs the plan. `inputs` and `outputs` are the caller's memory (aligned to their elements, as large as the
// ports say); an output with an alias must be the same pointer as that input. `arena` holds
// plan->arena_bytes, 64-byte aligned. Scratch memory comes from the pool. `trace` (runtime/trace.h) may be
// NULL. Returns
// false after reporting when a foreign call failed; outputs are then undefined.
bool tct_plan_run(tct_diag *d, const tct_plan *plan, tct_pool *pool, void *const *inputs,
                  void *const *outputs, void *arena, struct tct_trace *trace);

// What a step computes with: bf16 for products that multiply it as it is, otherwise its first operand's
// dtype, where that is f64, or f32.
tct_dtype tct_plan_step_dtype(const tct_plan *plan, const tct_step *step);

// Bytes of a scan step's workspace operand.
uint64_t tct_plan_scan_workspace(const tct_plan_scan *scan);
// Bytes of scratch that a thread needs for a scan's step.
uint64_t tct_plan_scan_scratch(const tct_plan_scan *scan);
// Bytes that all threads share when the plan runs (tct_pool_shared).
uint64_t tct_plan_shared(const tct_plan *plan);

// Appends what step `i` is called in tables and traces: its label, with the sizes of a product ("dot+tanh
// 256x768x768"), the name of a foreign function, the steps of a scan.
void tct_plan_step_name(const tct_plan *plan, uint32_t i, tct_buf *out);

// Appends the plan as text: one line a step with kernel, operands, sizes, tasks, then the memory plan.
void tct_plan_print(const tct_plan *plan, tct_buf *out);
// The same, with what `note` appends at the end of each step's line; plans of scans follow, with theirs.
typedef void (*tct_plan_note)(void *ctx, const tct_plan *plan, uint32_t step, tct_buf *out);
void tct_plan_print_noted(const tct_plan *plan, tct_plan_note note, void *ctx, tct_buf *out);
void tct_plan_print_step(const tct_plan *plan, uint32_t step, tct_buf *out); // its line, without an end

#endif
