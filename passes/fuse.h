// Fusion: which operations become one kernel. Internal to passes/fuse*.c, but for the view of a value, which
// the planner asks for too.
#ifndef TCT_PASSES_FUSE_H
#define TCT_PASSES_FUSE_H

#include "passes/fusion.h"

// A value that is another value's memory seen through strides: element (i0, i1, …) of `node` lies at
// offset + Σ i[k] * stride[k] of `base`, which is row-major.
typedef struct tct_view {
    tct_value base;
    int64_t offset, stride[TCT_IR_MAX_AXES];
} tct_view;
// False where some movement on the way copies. Goes through rename, slice, split, merge, broadcast, after and
// stop_gradient.
bool tct_view_of(const tct_graph *g, tct_value v, tct_view *out);

// Operand k of a scan, of which the body reads a part at each of the positions that the scan runs along.
// Along axis a of the body's input, wide[a] elements lie before the next of the axis around it: as many as
// the input has, or more, of which it takes the first (of the outermost axis: as many as it has).
typedef struct tct_scan_view {
    tct_view view;
    int64_t wide[TCT_IR_MAX_AXES];
} tct_scan_view;
// `operand`: what becomes operand k, a value of g. False: it is to be copied first, since it is moved by more
// than strides, lies in another order, or in too short stretches, or in rows that caches have few places for.
bool tct_scan_view_of(const tct_graph *g, const tct_node *scan, uint32_t k, tct_value operand,
                      tct_scan_view *out);
// The body of a scan of a fused graph as it reads its operands where they lie: an input that is part of
// something wider has that one's sizes, and what the body takes of it is a slice. Not fused yet. `bytes`: of
// each input from its first element to the last that is taken; may be NULL.
tct_graph *tct_scan_body(const tct_graph *g, const tct_node *scan, uint64_t *bytes);

// Operand k of a product, as it lies in memory: behind a cast from bf16, which the product does on the way,
// and behind one to bf16, where what is rounded lies in memory in any case; of few rows also behind a cast
// from i8: many rows would widen it again and again.
typedef struct tct_fuse_factor {
    tct_value v;
    uint32_t n_casts;
    tct_value casts[2]; // of it, up to the operand
} tct_fuse_factor;
tct_fuse_factor tct_fuse_factor_of(const tct_graph *g, const tct_node *dot, uint32_t k);

// passes/fuse_columns.c. Sums of columns: a kernel of rows, in the order of memory, adds up parts of them on
// its way. Whether a reduction's operand is contiguous along what it reduces.
bool tct_fuse_reduces_rows(const tct_graph *g, const tct_node *n);
// Whether n, a reduction, can be added up row by row.
bool tct_fuse_may_sum_columns(const tct_graph *g, const tct_node *n);
// Whether v, in the body of a group, is a sum of columns beside a reduction of rows.
bool tct_fuse_is_column_sum(const tct_graph *body, tct_value v);
// Whether sums of columns are all that the body reduces, and better added up row by row than in strips.
bool tct_fuse_sums_by_rows(const tct_graph *body);

bool tct_fuse_is_stored(const tct_node *n); // computed by something else than a loop kernel

typedef enum tct_fuse_kind {
    TCT_FUSE_STORED, // computed by something else than a loop kernel: inputs, products, scans, calls
    TCT_FUSE_INLINE, // costs next to nothing: computed again by every kernel that wants it
    TCT_FUSE_ANCHOR, // computed by one kernel; in memory if another one wants it
} tct_fuse_kind;

// A value that another one is made of, through inline nodes; `moved`: not at the same point of the axes they
// share.
typedef struct tct_fuse_source {
    tct_value v;
    bool moved;
} tct_fuse_source;

typedef struct tct_fuse_sources {
    uint32_t n;
    tct_fuse_source *data;
} tct_fuse_sources;

// Anchors that become one kernel. Its domain: the axes that its loops run over, some of them reduced.
typedef struct tct_fuse_group {
    uint32_t n, cap;
    tct_value *members; // in order
    uint32_t n_axes, n_reduced;
    tct_axis axes[TCT_IR_MAX_AXES], reduced[TCT_IR_MAX_AXES]; // ascending
    tct_value last;                                           // of the members
    tct_value dot; // the product whose epilogue it is, or TCT_NO_VALUE
    bool alone;    // takes no others: scatter
    uint32_t reductions;
    bool columns; // some members are sums of columns, over what isn't reduced
} tct_fuse_group;

typedef struct tct_fusion {
    const tct_graph *g;
    tct_arena arena;
    uint8_t *kind;             // by node: tct_fuse_kind
    bool *in_memory;           // by node: somebody who is no loop kernel wants it
    int *cost;                 // by node: of computing it again from its sources
    tct_fuse_sources *sources; // by node
    uint32_t *group;           // by node; UINT32_MAX: none
    tct_fuse_group *groups;
    uint32_t n_groups;
    uint32_t *user_begin; // by node: its users among anchors and stored nodes are users[user_begin[v] ..
                          // user_begin[v+1])
    tct_value *users;
    uint32_t *rank;        // by node, the same for all of a group: higher than that of all it needs
    tct_value *ranked;     // by rank: somebody who has it, or TCT_NO_VALUE
    uint32_t *mark, marks; // scratch of walks, by node
    // From tct_fuse_build: the nodes of the new graph that stand for what isn't inline
    tct_value *built;
} tct_fusion;

// What decides whether an elementwise operation is computed again by every kernel that wants it.
typedef struct tct_fuse_thrift {
    uint32_t large, small; // values that it is made of: as large as itself, and much smaller
    bool costly, reads;    // it takes too much arithmetic; too many of those values
    bool result; // more than a little arithmetic on what reductions give, much smaller than what they read
} tct_fuse_thrift;
// Whether operand k of n is read at another point of the axes than n.
bool tct_fuse_moves(const tct_node *n, uint32_t k);
tct_fuse_thrift tct_fuse_thrift_of(const tct_fusion *f, tct_value v);

tct_fusion tct_fuse_groups(tct_graph *g); // passes/fuse.c: prepared, classified and merged; release `arena`
void tct_fuse_classify(tct_fusion *f);    // passes/fuse_classify.c: kind, in_memory, sources, users
void tct_fuse_merge(tct_fusion *f);       // passes/fuse_merge.c: groups
tct_graph *tct_fuse_build(tct_fusion *f); // passes/fuse_build.c: the graph with fused nodes
// passes/fuse_columns.c. Whether all that a group reduces are sums of columns, of rows that are many and not
// too long; whether group a, of rows as they lie in memory, may compute the sums of such a group b on its
// way; whether sums of columns that two groups have taken let them be one.
bool tct_fuse_sums_only_columns(const tct_fusion *f, const tct_fuse_group *g);
bool tct_fuse_may_take_columns(const tct_fusion *f, uint32_t a, uint32_t b);
bool tct_fuse_columns_allow(const tct_fusion *f, uint32_t a, uint32_t b);
// passes/fuse_order.c
void tct_fuse_order_start(tct_fusion *f);
// Whether group b can be reached from the n values in `from`, by way of something that is neither one of them
// nor in group a (UINT32_MAX: none) nor in b.
bool tct_fuse_leads_around(tct_fusion *f, const tct_value *from, uint32_t n, uint32_t a, uint32_t b);
// The units of x and y are about to become one; nothing leads around from one to the other.
void tct_fuse_order_unite(tct_fusion *f, tct_value x, tct_value y);
// passes/fuse_merge.c, after merging: all reasons (a set of 1 << tct_fusion_reason) why the groups a and b,
// one of which feeds the other, are not one, and in `edge` what goes with them.
uint32_t tct_fuse_why_apart(tct_fusion *f, uint32_t a, uint32_t b, tct_fusion_edge *edge);
// The same for a product that isn't part of a group, and a group that uses it.
uint32_t tct_fuse_why_no_epilogue(tct_fusion *f, tct_value dot, uint32_t g, tct_fusion_edge *edge);
// Rewrites that make graphs easier to fuse; see passes/fuse_prepare.c.
tct_graph *tct_fuse_prepare(tct_graph *g);
tct_graph *tct_fuse_products(tct_graph *g); // passes/fuse_products.c
// The rows of a product without a batch: the axes of its result, but for those of size 1, that don't come
// from the factor which has the innermost one. 0: there are none.
uint32_t tct_fuse_rows_of(const tct_graph *g, const tct_node *dot, tct_axis rows[TCT_IR_MAX_AXES]);
// passes/fuse_masked.c. Masks of a graph: made of positions alone, and cheap.
typedef struct tct_fuse_masks {
    const tct_graph *g;
    int *cost;        // by node: of a mask, 0: it is none
    tct_value *where; // by node: the mask under which all that is wanted of it is; TCT_NO_VALUE: everywhere
} tct_fuse_masks;
tct_fuse_masks tct_fuse_find_masks(tct_arena *arena, const tct_graph *g); // in the arena
// The operand of a product that is likely to be 0 where a mask hides it, as a softmax is; -1: neither.
int tct_fuse_vanishing(const tct_fuse_masks *m, const tct_node *dot);
// v with its axes as `like` has them, by giving the node that order where it is one of a rewrite's own.
tct_value tct_fuse_in_order(tct_graph *g, tct_value v, const tct_node *like);
tct_graph *tct_fuse_inline(tct_graph *g); // passes/fuse_inline.c

#endif
