// The phases of a graph: as it was written, after every pass of a list, and what code is made of it. What
// `dump` and `opt` share.
#ifndef TCT_DRIVER_PHASES_H
#define TCT_DRIVER_PHASES_H

#include "codegen/compile.h"
#include "passes/passes.h"

// A phase as it is handed out. Names are unique in a run: "ir", then those of the passes, from the second
// time on with a number ("canonicalise#2"), then "kernel", "llvm", "asm", "plan", "memory".
typedef struct tct_phase {
    uint32_t number; // of "ir": 1
    const char *name;
    const char *list;             // of all passes, written out
    const tct_graph *before;      // passes alone: what the pass got
    const tct_graph *graph;       // NULL: a phase of code
    double seconds;               // passes alone
    const tct_compiler *compiler; // code alone
    const tct_plan *plan;
} tct_phase;

typedef struct tct_phases_request {
    const char *passes; // as for tct_passes_run
    const char *from;   // the phase that the graph is the result of (E0602); NULL: "ir"
    bool verify_each;
    bool code;       // phases of code follow, when there are no passes left
    const char *isa; // as for tct_compiler_new
    // Called for the graph as it comes in and after everything that is done to it.
    void (*each)(void *ctx, const tct_phase *phase);
    void *ctx;
} tct_phases_request;

// False after reporting what passes and the compiler report.
bool tct_phases_run(tct_diag *d, tct_graph *g, const tct_phases_request *r);

// `name` means the phase: "cse" and "cse#1" are one. Reports E0602 and returns false where `list`, written
// out, has no such phase.
bool tct_phase_is(const tct_phase *phase, const char *name);
bool tct_phase_known(tct_diag *d, const char *list, const char *name);

// Appends a phase in its text form. `sources` NULL: without places; `bare`: without passes either.
void tct_phase_text(const tct_phase *phase, const tct_diag *sources, bool bare, tct_buf *out);

// "03-cse.tir", in the arena: a file of --dump-dir.
const char *tct_phase_file(tct_arena *a, const tct_phase *phase);

// An axis of g whose size isn't known, NULL: all are.
const char *tct_phases_unknown_size(const tct_graph *g);

#endif
