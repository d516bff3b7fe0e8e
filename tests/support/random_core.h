// Internal to tests/support/random_*.c: the maker of a random graph and its helpers.
#ifndef TCT_TESTS_RANDOM_CORE_H
#define TCT_TESTS_RANDOM_CORE_H

#include "tests/support/random_graph.h"

enum { MAX_POOL = 4, TRIES = 8 };

typedef struct maker {
    tct_graph *g;
    tct_ir_module *m;
    tct_random_graph_options o;
    uint64_t state;
    tct_axis pool[MAX_POOL];
    tct_diag d; // of nodes that were tried and don't fit
    int depth, fresh;
} maker;

enum {
    FLOATS = 1u << TCT_F32 | 1u << TCT_F64 | 1u << TCT_BF16,
    INTS = 1u << TCT_I32 | 1u << TCT_I64,
    BOOLS = 1u << TCT_BOOL,
    NUMBERS = FLOATS | INTS,
    ANY_DTYPE = NUMBERS | BOOLS,
};

int rg_below(maker *k, int n);
bool rg_chance(maker *k, int percent);
int64_t rg_size_of(const maker *k, tct_axis a);
const tct_node *rg_node(const maker *k, tct_value v);
tct_axis rg_fresh_axis(maker *k, int64_t size);
tct_value rg_put(maker *k, tct_ir_op op, const tct_value *in, uint32_t n_in, const tct_ir_attr *attr);
tct_value rg_unary(maker *k, tct_ir_op op, tct_value x);
tct_value rg_binary(maker *k, tct_ir_op op, tct_value a, tct_value b);
tct_value rg_constant(maker *k, tct_dtype t, double x);
tct_value rg_pick(maker *k, unsigned dtypes, int min_axes);
tct_ir_attr rg_some_axes(maker *k, const tct_node *n, bool least);
tct_ir_attr rg_one_axis(maker *k, tct_value x);

tct_value rg_make_movement(maker *k);

#endif
