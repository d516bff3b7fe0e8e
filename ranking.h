// ranking.h: made by Tercet 0.1.0 from examples/c/ranking.tct. Link ranking.a with -lm -lpthread.
#ifndef RANKING_H
#define RANKING_H

#define RANKING_ABI UINT64_C(0x487655aba2979446)

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The functions below that take a version get RANKING_ABI, and refuse to work when this header and the
// library were not made together: the number changes with every shape, every name and every structure here.
uint64_t ranking_abi(void);

typedef enum ranking_status {
    RANKING_OK,
    RANKING_NO_MEMORY,   // the system has not enough
    RANKING_ARGUMENT,    // a pointer is missing or not aligned, or an option says what it can't
    RANKING_PROCESSOR,   // the library has no code for this processor
    RANKING_ABI_DIFFERS, // the header belongs to another library
    RANKING_FAILED       // the work itself failed: the message says how
} ranking_status;

// "the system has not enough memory", …: a sentence for each status. Never NULL. Thread-safe.
const char *ranking_status_text(ranking_status status);

// Version of Tercet that made the library, and everything that is in it as JSON: graphs with the names,
// types, axes and bytes of inputs and outputs in the order of their structures, stages, config. Static
// memory. Thread-safe.
const char *ranking_version(void);
const char *ranking_description(void);

// What graphs run in: threads, working memory, the code for this processor. The library has no state outside
// of contexts. A context serves one call at a time; several contexts work at the same time without minding
// each other. Results don't depend on the number of threads, nor on what ran before.
typedef struct ranking_context ranking_context;

typedef struct ranking_options {
    int threads;     // that work on a call, its caller counted; 0: as many as the caller may run on
    const char *isa; // "avx2", "avx512", …: no better instruction set than this; NULL: the best there is
    void *workspace; // working memory of the caller's, aligned to 64 bytes, which stays the context's until
                     // it is destroyed; NULL: the context finds its own
    size_t workspace_bytes; // of it, at least ranking_workspace_bytes(threads)
} ranking_options;

// What the graphs need beside their inputs and outputs, for any of them and any processor. threads as above.
// Thread-safe.
size_t ranking_workspace_bytes(int threads);

// Makes a context; `options` may be NULL: all zero. After a failure *context is NULL, or a context that is
// good for its message and to be destroyed. Thread-safe.
ranking_status ranking_create(uint64_t abi, const ranking_options *options,
                                      ranking_context **context);
void ranking_destroy(ranking_context *context); // NULL is fine

// What went wrong in the last function that failed with this context; "" when none has. Valid until the next
// call with it.
const char *ranking_message(const ranking_context *context);

// The graphs. Each takes a structure of pointers to inputs and one of pointers to outputs. The caller owns
// all that they point to; tensors are packed, row-major in the order of axes given, aligned to their
// elements. Outputs may not overlap with inputs or each other; all are written, or after a failure undefined.
// The working memory comes from the context: a call takes no memory from the system but a few bytes for each
// scan. NULL stands for the value of an input that is given with one.
//
// Workspace: 2688 bytes, and 0 for each thread.

// Graph ranking, and the gradient of its first output to every float input.
//
// Pairwise ranking of K items for each of P queries by a linear score. Rank 1 is the best. Every pair in the wrong
// order costs, and the more the further its ranks lie apart. `right` is the share of pairs in the right order.
typedef struct ranking_loss_in {
    const float *weight; // f32[F=8], 8 elements
    const float *features; // f32[P=16, K=6, F=8], 768 elements
    const int32_t *rank; // i32[P=16, K=6], 96 elements
} ranking_loss_in;

typedef struct ranking_loss_out {
    float *loss; // f32
    float *right; // f32
    float *grad_weight; // f32[F=8], 8 elements
    float *grad_features; // f32[P=16, K=6, F=8], 768 elements
} ranking_loss_out;

ranking_status ranking_loss(ranking_context *context, const ranking_loss_in *in, const ranking_loss_out *out);

// Elements of each.
#define RANKING_LOSS_IN_WEIGHT 8
#define RANKING_LOSS_IN_FEATURES 768
#define RANKING_LOSS_IN_RANK 96
#define RANKING_LOSS_OUT_LOSS 1
#define RANKING_LOSS_OUT_RIGHT 1
#define RANKING_LOSS_OUT_GRAD_WEIGHT 8
#define RANKING_LOSS_OUT_GRAD_FEATURES 768


#ifdef __cplusplus
}
#endif

#endif
