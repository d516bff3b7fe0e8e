// What the files program_verify*.c share.
#ifndef TCT_RUNTIME_PROGRAM_VERIFY_INTERNAL_H
#define TCT_RUNTIME_PROGRAM_VERIFY_INTERNAL_H

#include "runtime/program.h"

typedef struct tct_verifier {
    tct_arena *arena;
    const tct_program *p;
    const tct_plan *const *plans;
    const char *wrong; // NULL: nothing so far
} tct_verifier;

// Keeps the first complaint. False.
bool tct_wrong(tct_verifier *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// The register's type, NULL after a complaint when it isn't there.
const tct_reg_type *tct_verify_reg(tct_verifier *v, uint32_t reg);
bool tct_verify_kind(tct_verifier *v, uint32_t reg, tct_kind kind);
// Two types whose values can take each other's place; tensors: but for sizes.
bool tct_same_type(const tct_reg_type *a, const tct_reg_type *b);

bool tct_same_shape(uint8_t dtype, uint32_t n_axes, const int64_t *size, const tct_plan_port *port);

// program_verify_table.c: the tables apart from instructions.
bool tct_verify_tables(tct_verifier *v);
// program_verify_config.c
bool tct_verify_config(tct_verifier *v);
bool tct_verify_config_read(tct_verifier *v, const tct_instr *at); // of a CONFIG instruction
bool tct_verify_decided(tct_verifier *v, const tct_decided *by);
// program_verify_run.c
bool tct_verify_run(tct_verifier *v, const tct_run *run);
bool tct_verify_generator(tct_verifier *v, const tct_generator *g, const tct_model_desc *model);
// program_verify_call.c
bool tct_verify_call(tct_verifier *v, const tct_call *c);

#endif
