// Options of the commands that compile just in time, and the compiler that they get.
#ifndef TCT_DRIVER_JIT_OPTIONS_H
#define TCT_DRIVER_JIT_OPTIONS_H

#include "codegen/compile.h"

#include <argp.h>

typedef struct tct_jit_options {
    const char *cache; // --cache: a folder or "off"; NULL: as the environment says
    bool perf;         // --perf: names of kernels for perf
    bool debug;        // --debug: lines of the source for gdb
    bool mixed;        // --precision bf16: large products in bf16 (passes/bf16.c)
    uint64_t memory;   // --memory: of a graph, TCT_LEAST_MEMORY for `least`; 0: not given
    bool verbose;      // say on stderr what came from the cache and what didn't
} tct_jit_options;

// --cache, --precision, --memory and --verbose, and with them --debug and --perf; the input of these children
// is a tct_jit_options.
extern const struct argp tct_cache_argp, tct_jit_argp;

// The folder of the compile cache: `option` (a folder, or "off"; NULL: not given), else TERCET_CACHE ("off"
// or empty: none), else $XDG_CACHE_HOME/tercet, else ~/.cache/tercet. NULL: there is to be none, and `*why`
// says for what reason.
const char *tct_cache_folder(tct_arena *a, const char *option, const char **why);

// tct_compiler_new, with the cache, names for perf and lines for gdb. `d` then must outlive the compiler.
tct_compiler *tct_jit_compiler(tct_diag *d, const tct_jit_options *o, const char *isa, int threads);
// What graphs go through before fusion.
const char *tct_jit_passes(const tct_jit_options *o);
// Precision, limit of memory and cache alone, for a compiler that has none yet.
void tct_jit_prepare(tct_diag *d, const tct_jit_options *o, tct_compiler *c);
// After compiling: warns when something could not be kept; with `verbose`, says all. Writes to stderr.
void tct_jit_say(const tct_jit_options *o, const tct_compiler *c);

#endif
