// The stage machine's own state: shared by the files vm*.c, of no concern to others.
#ifndef TCT_RUNTIME_VM_STATE_H
#define TCT_RUNTIME_VM_STATE_H

#include "runtime/generate.h"
#include "runtime/metrics.h"
#include "runtime/progress.h"
#include "runtime/trace.h"
#include "runtime/value.h"
#include "runtime/vm.h"

#include <jansson.h>

// Reused between runs of plans: pointers to ports, what outputs need when they can't go straight to their
// place, and room for scalars.
typedef struct tct_run_room {
    void **in, **out;         // ports' memory
    const void **origin;      // where each input came from
    struct tct_pending *todo; // outputs to be put in their place after the run
    uint64_t *scalars;        // one for each port
} tct_run_room;

typedef struct tct_vm {
    tct_diag *d;
    tct_program *program;
    const tct_run_options *options;
    tct_pool *pool;
    void *arena; // of the largest plan
    tct_run_room room;
    tct_generate_room **generators; // one for each of the program's, NULL until it is used

    tct_value *config; // one for each of the program's

    // What a checkpoint holds.
    tct_value *regs;
    uint32_t pc;         // the next instruction
    int32_t stage;       // number of the stage that runs, -1 between stages
    int64_t done, total; // its progress
    uint64_t draws;      // keys that were taken
    double elapsed;      // seconds of earlier runs that this one goes on from
    json_t *summary;     // an object of objects
    json_t *samples;     // an array of {"stage", "title", "rows": [[prompt, response], …]}

    tct_metrics *metrics;
    tct_progress *progress;
    tct_trace *trace; // NULL: none
    tct_trace_mark stage_mark, step_mark;
    int64_t step;          // of the stage's outermost loop, -1: none
    double started, saved; // clock at the beginning and at the last checkpoint
    bool interrupted;      // a signal asked to stop at the next safepoint
    bool stopped;          // it did
    json_t *warned;        // metrics that were not finite once, by "stage/name"
} tct_vm;

double tct_vm_clock(void);                  // seconds, monotonic
double tct_vm_elapsed(const tct_vm *vm);    // of the run, earlier parts included
const char *tct_vm_stage(const tct_vm *vm); // "" between stages
// `seed` of the program under the run's seed.
uint64_t tct_vm_seed(const tct_vm *vm, int64_t seed);

// vm_run.c. Finds the room that the largest run needs; E0801.
bool tct_vm_room_open(tct_vm *vm);
void tct_vm_room_close(tct_vm *vm);
// The room of generator `number`, made when it is first used. E0801.
tct_generate_room *tct_vm_generator(tct_vm *vm, uint32_t number);
bool tct_vm_run_plan(tct_vm *vm, const tct_run *run);

// vm_check.c. Whether the values that `at` reads are there; reports E0818.
bool tct_vm_check(tct_vm *vm, const tct_instr *at);

// vm_log.c
bool tct_vm_log(tct_vm *vm, const tct_instr *at);
bool tct_vm_summary(tct_vm *vm, const tct_instr *at);
bool tct_vm_open_outputs(tct_vm *vm, uint64_t metrics_bytes);
bool tct_vm_finish_outputs(tct_vm *vm, bool show_table);

// vm_checkpoint.c. `stage`: NULL, or the stage that has just ended: its checkpoint is kept for --from-stage.
bool tct_vm_save(tct_vm *vm, const char *stage);
// Goes on from the folder's checkpoint, or from the one that `after_stage` left when that isn't NULL.
bool tct_vm_restore(tct_vm *vm, const char *after_stage, uint64_t *out_metrics_bytes);

// vm_call*.c. One function for each built-in, `vm` and the call's registers checked by the frontend.
#define BUILTIN(id, ...) bool tct_vm_call_##id(tct_vm *vm, const tct_call *c);
#include "runtime/builtins.def"
#undef BUILTIN

// Argument i of a call, and where its result i goes.
static inline tct_value *tct_arg(tct_vm *vm, const tct_call *c, uint32_t i) { return &vm->regs[c->args[i]]; }
static inline tct_value *tct_result(tct_vm *vm, const tct_call *c, uint32_t i) {
    return &vm->regs[c->results[i]];
}
static inline const tct_reg_type *tct_result_type(const tct_vm *vm, const tct_call *c, uint32_t i) {
    return &vm->program->regs[c->results[i]];
}

#endif
