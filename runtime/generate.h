// Generation with a cache of keys and values: a prefill over prompts, then one token a row and step. With
// fewer places than rows, rows wait in a queue: when some have ended, the next prompts enter their places.
#ifndef TCT_RUNTIME_GENERATE_H
#define TCT_RUNTIME_GENERATE_H

#include "runtime/program.h"
#include "runtime/sample.h"

typedef struct tct_generate_options {
    int64_t max_new; // 1 to the generator's
    tct_sampling sampling;
    const int32_t *eos; // any of these ends a row
    size_t n_eos;
    int32_t pad; // fills rows after their end
    // Called for every token in order of steps, then places; false stops generation (rows stay as they are).
    // May be NULL.
    bool (*on_token)(void *context, int64_t row, int32_t token);
    void *context;
    struct tct_trace *trace; // may be NULL
} tct_generate_options;

// B = the generator's batch, T = prompt + max_new (of the options). The caller provides the arrays.
typedef struct tct_rollout {
    int32_t *tokens, *target;        // [B, T]; target[t] = tokens[t + 1]
    bool *mask;                      // [B, T]: target[t] was generated
    float *logp;                     // [B, T]: of target[t] where mask, else 0
    int32_t *length, *prompt_length; // [B] tokens of the row, an end token included
    bool *ended;                     // [B] by an end token
} tct_rollout;

typedef struct tct_generate_room tct_generate_room;

// Cache, logits, narrow weights and bookkeeping for one generator of a program with these plans, reused from
// call to call with the same pool. Reports E0801. Release with tct_generate_close.
tct_generate_room *tct_generate_open(tct_diag *d, tct_pool *pool, const tct_generator *g,
                                     const tct_plan *const *plans);
void tct_generate_close(tct_generate_room *room);
// Bytes of arena that the generator's plans need.
uint64_t tct_generate_arena(const tct_generator *g, const tct_plan *const *plans);
// Bytes of its narrow weights, beside the parameters; 0: there are none.
uint64_t tct_generate_narrow_bytes(const tct_generator *g, const tct_plan *const *plans);

// Continues prompts [B, g->prompt], right-padded, of prompt_length tokens each. A row of length 0 is a
// filler: it stays empty, and takes no place. `params`: the model's parameters in order. `arena`: as large as
// tct_generate_arena says, 64-byte aligned. A row's tokens depend on its prompt, its number, the options and
// the generator alone, not on the rows beside it. Reports E0814 (a length or max_new that wasn't compiled
// for, logits that aren't numbers).
bool tct_generate(tct_diag *d, tct_pool *pool, tct_generate_room *room, void *const *params,
                  uint32_t n_params, void *arena, const int32_t *prompts, const int32_t *prompt_length,
                  const tct_generate_options *o, const tct_rollout *out);

#endif
