// From functions that emit LLVM IR to object code, and from object code to addresses.
#ifndef TCT_CODEGEN_JIT_H
#define TCT_CODEGEN_JIT_H

#include "codegen/cache.h"
#include "codegen/target.h"

// One thing to compile, usually one kernel. `emit` adds external functions to `module`, whose triple and data
// layout are set. It runs on any thread. It must be deterministic.
typedef struct tct_unit {
    const char *name; // for messages and dumps
    const char *key;  // all that `emit` depends on but for the target, as text; needed where there is a cache
    void (*emit)(const void *data, LLVMModuleRef module, const tct_target *target);
    const void *data; // only read; outlives the compilation
    double cost;      // rough size (IR instructions), to balance the work
} tct_unit;

// An object for each unit of one compilation, in their order. Release with tct_objects_free.
typedef struct tct_objects {
    LLVMMemoryBufferRef *data;
    size_t n;
    size_t n_cached; // of these, taken from the cache
} tct_objects;

// Takes from `cache` what is there (NULL: nothing), emits, optimises and compiles the rest on up to `threads`
// threads, and keeps that in the cache. An object depends on its unit and the target alone. Returns false
// after reporting E0841 when LLVM refuses a unit (an error of ours).
bool tct_units_compile(tct_diag *d, const tct_target *target, const tct_unit *units, size_t n, int threads,
                       tct_cache *cache, tct_objects *out);
void tct_objects_free(tct_objects *objects);
// Moves all of `more` to the end of `objects`.
void tct_objects_append(tct_objects *objects, tct_objects *more);

// One unit as text, for `tercet dump`.
typedef enum tct_text_stage { TCT_TEXT_LLVM, TCT_TEXT_LLVM_OPT, TCT_TEXT_ASM } tct_text_stage;
bool tct_unit_text(tct_diag *d, const tct_target *target, const tct_unit *unit, tct_text_stage stage,
                   tct_buf *out);

// Code in memory. Owned by the caller; what it maps lives until tct_jit_free. One thread at a time; the code
// itself may run on all.
typedef struct tct_jit tct_jit;

// NULL after reporting E0842.
tct_jit *tct_jit_new(tct_diag *d);
// For code with debug information: code and lines are written as well to a dump that `perf inject --jit`
// reads, in the folder that $JITDUMPDIR names, or the home folder, under .debug/jit. NULL after reporting
// E0842.
tct_jit *tct_jit_new_dumping(tct_diag *d);
void tct_jit_free(tct_jit *jit);
// From now on functions are written to /tmp/perf-PID.map when they are looked up, where `perf report` finds
// their names. (gdb knows them in any case.) E0702.
bool tct_jit_use_perf(tct_diag *d, tct_jit *jit);
// Takes the objects' buffers over and empties `objects`. Symbols that they need and don't define come from
// the process (libm).
bool tct_jit_add(tct_diag *d, tct_jit *jit, tct_objects *objects);
// The address of a function, or NULL after reporting E0842.
void *tct_jit_lookup(tct_diag *d, tct_jit *jit, const char *symbol);

#endif
