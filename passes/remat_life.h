// How long values live when some are computed a second time. Internal to passes/remat*.c.
#ifndef TCT_PASSES_REMAT_LIFE_H
#define TCT_PASSES_REMAT_LIFE_H

#include "ir/ir.h"

// A graph, what is alive in it, and what shall be computed again. Arrays are by node; those "by root" are
// valid for values that have memory of their own, of which others are views.
typedef struct tct_lives {
    const tct_graph *g;
    tct_value *root;
    tct_value turn;          // after this node the most is alive in g: the forward pass ends here
    tct_value *last;         // by root: its last user, the number of nodes for outputs, TCT_NO_VALUE: none
    tct_value *early, *late; // by root: its last user up to the turn, its first one behind it
    double *bytes;           // by root: of the plan's own memory; 0 for what stays within a kernel
    double *within;          // by node: what a scan takes while it runs
    bool *dropped;           // by root: no longer kept from `early` to `late`
    bool *again;             // by node: computed a second time, and with it all views of it
    // From tct_lives_simulate:
    double most;      // bytes alive
    tct_value peak;   // after this node
    tct_value *when;  // second computation: just before this node; TCT_NO_VALUE: none
    tct_value *until; // by root: the last node that reads what is kept longer, or was computed again
    double *change;
} tct_lives;

// Everything but `dropped` and `again`, which are false. In the arena.
tct_lives tct_lives_of(tct_arena *arena, const tct_graph *g);
// What is alive where, now that some values are computed a second time.
void tct_lives_simulate(tct_lives *l);
// Whether node v is computed a second time: itself, or as a view of what is.
bool tct_lives_again(const tct_lives *l, tct_value v);
bool tct_lives_is_leaf(const tct_node *n);
double tct_lives_bytes(const tct_graph *g, const tct_node *n);
// Operands that a second computation of n needs.
uint32_t tct_lives_operands(const tct_node *n);

#endif
