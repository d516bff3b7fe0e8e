// From a graph to a plan: which kernels run on which memory, in which order.
#ifndef TCT_CODEGEN_PLAN_H
#define TCT_CODEGEN_PLAN_H

#include "codegen/compile.h"
#include "codegen/gemm.h"
#include "codegen/loop.h"
#include "ir/ir.h"
#include "runtime/plan.h"

// Every kernel once, by what it does. Owner: the compiler.
typedef struct tct_kernel_set tct_kernel_set;
tct_kernel_set *tct_kernel_set_new(void); // one that no compiler has, for plans that nobody will run
void tct_kernel_set_free(tct_kernel_set *set);
// The symbol of a loop kernel for `target`. Takes the kernel over, and its arena, which is an object on the
// heap.
const char *tct_kernel_set_loop(tct_kernel_set *set, const tct_target *target, tct_loop *loop);
// `symbol` as tct_gemm_plan_make gave it; the result lives as long as the set.
// `span`: of the product that uses it.
const char *tct_kernel_set_gemm(tct_kernel_set *set, const char *symbol, tct_span span);

// The plan of a fused graph with known sizes (tct_pass_fuse), with kernels by symbol and no addresses yet.
// `input_bytes`: of each input, how many there are, fewer than its type has where it is the body of a scan
// that sees the end of a wider matrix; NULL: all of them. Made in `arena`, which must outlive it, as is what
// it was made from: `origin`. NULL after reporting E0843.
tct_plan *tct_plan_make(tct_diag *d, tct_arena *arena, const tct_graph *g, const tct_target *target,
                        tct_kernel_set *set, const uint64_t *input_bytes, const tct_plan_origin **origin);

#endif
