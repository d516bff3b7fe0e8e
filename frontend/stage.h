// Programs from stage code.
#ifndef TCT_FRONTEND_STAGE_H
#define TCT_FRONTEND_STAGE_H

#include "frontend/elab.h"
#include "runtime/program.h"

// What a tokenizer tells at compile time; -1: it has no such token.
typedef struct tct_token_info {
    int64_t vocab, bos, eos, pad;
} tct_token_info;

// What the frontend asks of others without knowing them.
typedef struct tct_stage_hooks {
    void *ctx;
    // The graph with gradients, as passes/passes.h's tct_grad says.
    tct_graph *(*grad)(tct_diag *d, tct_graph *g, uint32_t loss, const uint32_t *wrt, uint32_t n_wrt);
    // Reads a tokenizer's folder; false after reporting.
    bool (*tokenizer)(void *ctx, tct_diag *d, const char *path, tct_token_info *out);
    // The value of a key in a model folder's config.json as source text ("64", "1e-05", "true", or a string's
    // characters), NULL where it is absent. false after reporting.
    bool (*folder_value)(void *ctx, tct_diag *d, const char *folder, const char *key, const char **out);
} tct_stage_hooks;

// A program whose plans are still graphs: program.plans is NULL, graphs[k] belongs there. Everything lives in
// the elaborator's arena and in `module`.
typedef struct tct_draft {
    tct_program program;
    tct_graph **graphs;
    uint32_t n_graphs;
} tct_draft;

// Elaborates the pipeline `name` (NULL: the only one). NULL after reporting; E05xx.
tct_draft *tct_elab_program(tct_elab *e, tct_ir_module *module, const char *name,
                            const tct_stage_hooks *hooks);

typedef enum stage_weights { STAGE_WEIGHTS_F32, STAGE_WEIGHTS_BF16, STAGE_WEIGHTS_INT8 } stage_weights;

// The same, and afterwards a generator (the last of program.generators) for the model in the pipeline's
// variable `model`: rows of up to `prompt` tokens, continued by up to max_new.
tct_draft *tct_elab_generator(tct_elab *e, tct_ir_module *module, const char *model, int64_t batch,
                              int64_t prompt, int64_t max_new, stage_weights weights,
                              const tct_stage_hooks *hooks);

#endif
