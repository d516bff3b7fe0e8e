// From a .tct file to a program that can run: what `run`, `dump` and `generate` share.
#ifndef TCT_DRIVER_COMPILE_PROGRAM_H
#define TCT_DRIVER_COMPILE_PROGRAM_H

#include "codegen/compile.h"
#include "driver/hooks.h"
#include "driver/jit_options.h"
#include "frontend/stage.h"
#include "runtime/image.h"

// Everything that a compiled program needs while it runs. Zero-initialise; release with tct_compiled_free.
typedef struct tct_compiled {
    tct_package package;
    tct_elab *elab;
    tct_ir_module *module;
    tct_compiler *compiler;
    tct_draft *draft;    // its program has its plans
    uint32_t n_variants; // made ahead of time; 0 otherwise
    tct_image_variant variants[TCT_N_ISAS];
    double seconds; // that all of it took
} tct_compiled;

typedef struct tct_compile_request {
    const char *file, *pipeline; // pipeline NULL: the only one
    const tct_setting *sets;
    size_t n_sets;
    int threads;
    const char *isa; // NULL: the host's best
    tct_jit_options jit;
} tct_compile_request;

// Loads, elaborates and differentiates: a program without plans, with its hash and its config values as they
// are when it starts. false after reporting.
bool tct_program_draft(tct_diag *d, const tct_compile_request *r, tct_compiled *out);
// The same unless it is done already; fuses and compiles. false after reporting.
bool tct_program_compile(tct_diag *d, const tct_compile_request *r, tct_compiled *out);
// Ahead of time, for several ascending instruction sets: fills out->variants; the program has the plans of
// the first. Object code comes from out->compiler.
bool tct_program_compile_ahead(tct_diag *d, const tct_compile_request *r, const tct_isa *sets,
                               uint32_t n_sets, tct_compiled *out);
void tct_compiled_free(tct_compiled *c);

#endif
