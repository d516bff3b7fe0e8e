// Programs for the stage machine, put together by hand: plans are C functions, no compiler is needed.
#ifndef TESTS_SUPPORT_MACHINE_H
#define TESTS_SUPPORT_MACHINE_H

#include "runtime/dataset.h"
#include "runtime/vm.h"

// A program that grows. Everything lives in the arena.
typedef struct machine {
    tct_arena arena;
    tct_program program;
    TCT_VEC(tct_reg_type) regs;
    TCT_VEC(tct_instr) instrs;
    TCT_VEC(tct_const) consts;
    TCT_VEC(tct_call) calls;
    TCT_VEC(tct_run) runs;
    TCT_VEC(const tct_plan *) plans;
    TCT_VEC(tct_model_desc) models;
    TCT_VEC(tct_optimizer_desc) optimizers;
    TCT_VEC(tct_tokenizer_desc) tokenizers;
    TCT_VEC(tct_generator) generators;
    TCT_VEC(tct_log) logs;
    TCT_VEC(tct_extern) externs;
    TCT_VEC(tct_stage_desc) stages;
    TCT_VEC(tct_config_value) config;
} machine;

enum { NO_REG = UINT32_MAX };

uint32_t machine_reg(machine *m, tct_kind kind, const char *name);
uint32_t machine_list(machine *m, tct_kind element, const char *name);
// axes: "B=4 T=8"
uint32_t machine_tensor(machine *m, tct_dtype dtype, const char *axes, const char *name);
uint32_t machine_object(machine *m, tct_kind kind, uint32_t table,
                        const char *name); // model, optimizer, data set

// Each returns the instruction's number.
uint32_t machine_emit(machine *m, tct_opcode op, uint32_t dst, uint32_t a, uint32_t b, uint32_t c);
void machine_int(machine *m, uint32_t dst, int64_t i);
void machine_float(machine *m, uint32_t dst, double f);
void machine_bool(machine *m, uint32_t dst, bool b);
void machine_string(machine *m, uint32_t dst, const char *s);
uint32_t machine_call(machine *m, tct_builtin builtin, uint32_t n_args, const uint32_t *args,
                      uint32_t n_results, const uint32_t *results); // number of the call
// names: "loss lr"
void machine_log(machine *m, const char *group, const char *names, const uint32_t *regs);
void machine_stage(machine *m, const char *name, bool begin);
void machine_patch(machine *m, uint32_t instr); // its jump goes to the next instruction

#define MACHINE_CALL(m, builtin, results, ...)                                                               \
    machine_call((m), (builtin), sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__},           \
                 (uint32_t)((results) != NO_REG), (uint32_t[]){(results)})

// A plan of one kernel: operands are inputs, then outputs. ports: "w f32 N=8; lr f32" and "w f32 N=8 @0; loss
// f32"
// (@i: in place of input i).
const tct_plan *machine_plan(machine *m, const char *name, const char *inputs, const char *outputs,
                             tct_kernel_fn kernel);
uint32_t machine_add_plan(machine *m, const tct_plan *plan);
void machine_run(machine *m, uint32_t plan, const tct_bind *inputs, const tct_bind *outputs);

// Ends the program and gives it; valid until the machine changes.
tct_program *machine_done(machine *m);
void machine_free(machine *m);

// A fresh folder under /tmp; machine_remove_folder removes it with what it holds.
const char *machine_folder(tct_arena *a);
void machine_remove_folder(const char *path);
// A file's text in the arena, NULL when there is none.
char *machine_read(tct_arena *a, const char *folder, const char *name);

#endif
