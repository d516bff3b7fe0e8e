// Passes over tensor IR: one file each, one line in passes.def.
#ifndef TCT_PASSES_PASSES_H
#define TCT_PASSES_PASSES_H

#include "ir/ir.h"

// A pass returns a new graph of the same module (or `g` itself when it changed nothing); it never edits `g`.
// Inputs and outputs keep number, names, dtypes, axes and order. Passes can't fail on valid graphs.
typedef tct_graph *(*tct_pass_fn)(tct_graph *g);

typedef struct tct_pass {
    const char *name, *doc;
    tct_pass_fn run;
} tct_pass;
extern const tct_pass tct_passes[];
extern const size_t tct_n_passes;
const tct_pass *tct_pass_by_name(const char *name, size_t len);
#define PASS(name, doc) tct_graph *tct_pass_##name(tct_graph *g);
#include "passes/passes.def"
#undef PASS

typedef struct tct_pass_trace {
    bool verify_each;
    // Called after every pass of the list, by its name; may be NULL. `before` is what the pass got: `g`
    // itself where it changed nothing.
    void (*after)(void *ctx, const char *pass, const tct_graph *before, const tct_graph *g, double seconds);
    void *ctx;
} tct_pass_trace;

// Runs a comma-separated list ("canonicalise,cse,fuse"); "default" and "early" stand for lists below,
// "mixed" for the second with bf16
// behind it, "grad" for tct_grad of the first output with respect to all float inputs. NULL after reporting
// an unknown name (E0602), a broken graph (E0603, which names the pass), or that there is no gradient.
tct_graph *tct_passes_run(tct_diag *d, tct_graph *g, const char *list, const tct_pass_trace *trace);
// The list with "default" and "early" written out, in the arena. NULL after reporting an unknown name.
const char *tct_passes_expand(tct_diag *d, tct_arena *arena, const char *list);
// Before differentiation: nothing that would change a derivative. Stable forms have stable derivatives.
extern const char *const tct_passes_early;
// Before code generation, after differentiation.
extern const char *const tct_passes_default;
// The same in mixed precision.
extern const char *const tct_passes_mixed;

// Reverse-mode differentiation (passes/grad.c); callers run the list "early" first. A copy of `g` whose
// outputs are those of g, then for each k in wrt (numbers of inputs) "grad.<input name>" = d outputs[loss] /
// d input, same dtype and axes order as the input ("grad.grad.<input name>" where the first name is taken:
// graphs can be differentiated again). Output `loss` must be a float scalar (E0620), inputs in wrt floats
// (E0621); an operation on the way without a derivative is E0622 with its span and the reason from the table.
// NULL after reporting.
tct_graph *tct_grad(tct_diag *d, const tct_graph *g, uint32_t loss, const uint32_t *wrt, uint32_t n_wrt);

#endif
