// Fusion: operations become kernels. After it a graph holds inputs, products, scans, calls, fused groups (kind loop: one
// loop kernel; kind gemm: a product with its epilogue), gets, and movement that products read as views.
#include "passes/fuse.h"
#include "passes/passes.h"

static bool is_fused(const tct_graph *g) {
    for (size_t v = 0; v < g->nodes.len; v++)
        if (g->nodes.data[v].op == TCT_IR_FUSED) return true;
    return false;
}

tct_graph *tct_pass_fuse(tct_graph *g) {
    if (is_fused(g)) return g;
    tct_fusion f = {.g = tct_fuse_prepare(g)};
    tct_fuse_classify(&f);
    tct_fuse_merge(&f);
    g = tct_fuse_build(&f);
    tct_arena_free(&f.arena);
    return g;
}
