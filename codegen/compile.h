// Compiling graphs: passes, fusion, plan and machine code in one call.
#ifndef TCT_CODEGEN_COMPILE_H
#define TCT_CODEGEN_COMPILE_H

#include "codegen/jit.h"
#include "ir/ir.h"
#include "passes/passes.h"
#include "runtime/plan.h"

// Owns the just-in-time session, where there is one, every plan and all machine code made with it. Equal
// kernels of all its graphs share code. One thread at a time; the plans themselves may be run by anyone for
// as long as the compiler lives.
typedef struct tct_compiler tct_compiler;

typedef struct tct_compile_options {
    const char *passes; // as for tct_passes_run; NULL: "default". Fusion follows in any case
    bool defer; // no machine code yet: tct_compiler_finish makes that of all deferred plans, in parallel
    const tct_pass_trace *trace; // may be NULL
} tct_compile_options;

#define TCT_SUM_OF_PARTS "sum of parts"

// What a plan was made from.
typedef struct tct_plan_origin {
    const tct_graph *graph; // after fusion
    // By step: its node, TCT_NO_VALUE for what planning added: a copy, or the adding up of the parts in which
    // an earlier step computes sums (labelled TCT_SUM_OF_PARTS).
    const tct_value *node;
    const struct tct_plan_origin *const *scans; // by scan: of its body
} tct_plan_origin;

// A limit of tct_compiler_memory: as little as can be had for a third more arithmetic.
#define TCT_LEAST_MEMORY UINT64_MAX

typedef struct tct_compile_stats { // sums since tct_compiler_new
    double pass_seconds, plan_seconds, code_seconds;
    uint32_t graphs, steps;
    uint32_t kernels, kernel_hits; // distinct kernels; uses that an equal kernel served
    uint32_t compiled, cached;     // kernels that LLVM compiled, that came from the cache
    uint32_t again;    // values computed a second time because of a limit on memory: of these graphs
    double again_most; // the largest share of arithmetic that is done again,
    uint64_t kept_from, kept_to; // and the bytes of its intermediates without and with it
} tct_compile_stats;

// `isa`: a name of runtime/isa.h ("base", "avx2", "avx512", "avx512bf16", "amx") or NULL for the best that
// this machine has. `threads`: how many kernels are compiled at once, 0: as many as there are cores. NULL
// after reporting.
tct_compiler *tct_compiler_new(tct_diag *d, const char *isa, int threads);
void tct_compiler_free(tct_compiler *c); // and every plan made with it
// Kernels are looked for in `cache` before they are compiled, and kept there. The compiler takes it over.
void tct_compiler_use_cache(tct_compiler *c, tct_cache *cache);
tct_cache *tct_compiler_cache(const tct_compiler *c); // NULL: none
// tct_jit_use_perf, before anything is compiled; after tct_compiler_debug with lines (tct_jit_new_dumping).
bool tct_compiler_use_perf(tct_diag *d, tct_compiler *c);

// Machine code made from now on tells debuggers and profilers which lines of `sources` it is for; NULL: it
// does not any more. The code is the same. `sources` must outlive the compiler.
void tct_compiler_debug(tct_compiler *c, const tct_diag *sources);
// What graphs go through before fusion: tct_passes_default, or another list that outlives the compiler.
void tct_compiler_passes(tct_compiler *c, const char *passes);
const char *tct_compiler_pass_list(const tct_compiler *c,
                                   const tct_graph *g); // tct_passes_mixed if g says so

// From now on what a graph's inputs, outputs and intermediates take together is kept to so many bytes, by
// computing values a second time (passes/remat.c); 0, as at first: no limit. A graph that can't be kept to it
// is E0848, which says what it would take.
void tct_compiler_memory(tct_compiler *c, uint64_t bytes);

// The plan of g, whose sizes are all known. The plan keeps nothing of g or its module. `o` may be NULL: all
// zero. Inputs and outputs of the plan are those of g, in order. NULL after reporting (an unknown pass, a
// size that isn't known: E0843, code that LLVM refuses: E0841, a foreign function that isn't there: E0850).
tct_plan *tct_compile_graph(tct_diag *d, tct_compiler *c, tct_graph *g, const tct_compile_options *o);
// Where relative paths of libraries begin; the text outlives the compiler. NULL, as at first: the current
// folder.
void tct_compiler_libraries(tct_compiler *c, const char *folder);
// Machine code for all deferred plans. Without it they must not be run.
bool tct_compiler_finish(tct_diag *d, tct_compiler *c);

// Of a plan that this compiler made; valid for as long as the module of its graph.
const tct_plan_origin *tct_compiler_origin(const tct_compiler *c, const tct_plan *plan);

// Ahead of time: plans for several instruction sets from one compilation of a graph, and kernels as object
// code that this machine need not be able to run. `sets` ascending.
tct_compiler *tct_compiler_new_ahead(const tct_isa *sets, uint32_t n_sets, int threads);
// The plans of g in plans[0 .. n_sets), without addresses. Errors as of tct_compile_graph.
bool tct_compile_graph_ahead(tct_diag *d, tct_compiler *c, tct_graph *g, const tct_compile_options *o,
                             tct_plan **plans);
// Object code of all kernels of all plans so far. A kernel is an external function by the symbol that plans
// name it by, which tells its instruction set; one whose code is the same for two sets is there once.
bool tct_compiler_objects(tct_diag *d, tct_compiler *c, tct_objects *out);
// The symbols of all kernels, in no order.
uint32_t tct_compiler_n_kernels(const tct_compiler *c);
const char *tct_compiler_kernel(const tct_compiler *c, uint32_t i);

tct_compile_stats tct_compiler_stats(const tct_compiler *c);

typedef enum tct_dump_stage { TCT_DUMP_KERNEL, TCT_DUMP_LLVM, TCT_DUMP_ASM, TCT_DUMP_PLAN } tct_dump_stage;
// Appends the texts of a plan: its kernels as kernel IR, LLVM IR or assembly, each once, or the plan itself.
// `sources` (NULL: without): adds as comments which lines of theirs everything is for; those of a kernel are
// those of its first use.
void tct_compiler_dump(const tct_compiler *c, const tct_plan *plan, tct_dump_stage stage,
                       const tct_diag *sources, tct_buf *out);
// The same of one kernel, by the symbol that plans have.
void tct_compiler_kernel_text(const tct_compiler *c, const char *symbol, tct_dump_stage stage,
                              const tct_diag *sources, tct_buf *out);

#endif
