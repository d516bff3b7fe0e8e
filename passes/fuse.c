// Fusion: operations become kernels. After it a graph holds inputs, products, scans, calls, fused groups
// (kind loop: one loop kernel; kind gemm: a product with its epilogue), gets, and movement that products read
// as views. The bodies of scans are left as they are: they are planned as graphs of their own.
#include "passes/fuse.h"
#include "passes/passes.h"

tct_fusion tct_fuse_groups(tct_graph *g) {
    tct_fusion f = {.g = tct_fuse_prepare(tct_fuse_products(tct_fuse_inline(g)))};
    tct_fuse_classify(&f);
    tct_fuse_merge(&f);
    return f;
}

tct_graph *tct_pass_fuse(tct_graph *g) {
    tct_fusion f = tct_fuse_groups(g);
    g = tct_fuse_build(&f);
    tct_arena_free(&f.arena);
    return g;
}
