// Random valid graphs, with inputs for them: for differential tests of passes and kernels against the
// interpreter. The same options give the same graph, whatever the machine.
#ifndef TCT_TESTS_RANDOM_GRAPH_H
#define TCT_TESTS_RANDOM_GRAPH_H

#include "ir/interp.h"

typedef struct tct_random_graph_options {
    uint64_t seed;
    int n_nodes;          // about as many, helpers of an operation counted; 0: 30
    unsigned classes;     // bits 1 << TCT_CLASS_…; 0: all. Leaves are always there. OPAQUE: fused groups.
    unsigned dtypes;      // bits 1 << TCT_F32 …; 0: f32, f64, i32, i64, bool and, rarely, bf16
    int64_t sizes[4];     // sizes of the axes A, B, C, D; 0: one of 1, 2, 3, 4, 5, 7, 8, 13, 16, 17
    int64_t max_elements; // of a tensor; 0: 2000
    bool permute;         // layouts other than the default one
    bool aliases;         // outputs may take over inputs of their type
    // Floats stay finite and of moderate size: arguments of log, sqrt, division and the like are bent into
    // their domain.
    bool tame;
    // No operation that turns a difference in rounding into a different number: no rounding, comparison of
    // floats, argmax, conversion to integers or bf16. For comparisons with a tolerance.
    bool continuous;
} tct_random_graph_options;

// A verified graph of the module, with at least one input and one output.
tct_graph *tct_random_graph(tct_ir_module *m, const tct_random_graph_options *options);

// Values for g's inputs, in the arena: floats in (-2, 2), some of them equal; integers from -2 to 9. `f64`:
// as the interpreter wants them in f64 mode (the same numbers). `inputs` has room for g->inputs.len.
void tct_random_inputs(const tct_graph *g, tct_arena *arena, uint64_t seed, bool f64, tct_ir_tensor *inputs);

// Same dtype, axes as a set, and numbers: |a - b| <= absolute + relative · max(|a|, |b|), NaN equal to NaN,
// integers equal. Otherwise false and what differs first in `why`.
bool tct_tensors_close(const tct_ir_module *m, const tct_ir_tensor *a, const tct_ir_tensor *b,
                       double relative, double absolute, char why[200]);

#endif
