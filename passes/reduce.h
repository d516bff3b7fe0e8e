// Shrinking a graph that makes something fail to a small one that still does.
#ifndef TCT_PASSES_REDUCE_H
#define TCT_PASSES_REDUCE_H

#include "ir/ir.h"

typedef struct tct_reduce_state {
    const char *what;      // is tried now: "outputs", "nodes", "sizes", …
    size_t nodes, inputs;  // of the smallest graph so far, bodies included
    uint32_t tests, found; // so far; found: of those that failed as they should
} tct_reduce_state;

typedef struct tct_reduce_request {
    // Whether a graph in text form still fails. Equal texts are asked about once.
    bool (*fails)(void *ctx, const char *text, size_t len);
    // Called after every test; may be NULL. `text` is the smallest failing graph where the test found one,
    // else NULL.
    void (*progress)(void *ctx, const tct_reduce_state *state, const char *text, size_t len);
    void *ctx;
} tct_reduce_request;

// Appends the smallest graph that was found, in text form; for the text in `out` fails() was true. `text`
// must be a graph (otherwise E06xx is reported) that fails: the caller has asked. Outputs are dropped, nodes
// replaced by operands, inputs and zeros, axes shrunk, fused groups and scans taken apart, unused inputs
// removed, until nothing of it is possible any more. Every graph that is tried verifies. The result depends
// on the text and the answers alone.
bool tct_reduce(tct_diag *d, const char *path, const char *text, size_t len, const tct_reduce_request *r,
                tct_buf *out);

#endif
