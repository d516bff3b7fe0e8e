// A program: the stages as bytecode for a register machine, with tables of models, optimizers, plans and
// calls. The frontend makes it, the machine (runtime/vm.h) runs it, an ahead-of-time trainer carries it as
// constant data.
//
// A checkpoint is the machine's registers and position, so everything that changes while a program runs is in
// a register or belongs to a value in one.
#ifndef TCT_RUNTIME_PROGRAM_H
#define TCT_RUNTIME_PROGRAM_H

#include "base/diag.h"
#include "base/dtype.h"
#include "runtime/plan.h"

typedef enum tct_kind {
    TCT_KIND_NONE, // never written
    TCT_KIND_INT,
    TCT_KIND_FLOAT,
    TCT_KIND_BOOL,
    TCT_KIND_STRING,
    TCT_KIND_LIST,
    TCT_KIND_TENSOR,
    TCT_KIND_MODEL,
    TCT_KIND_OPTIMIZER,
    TCT_KIND_TOKENIZER,
    TCT_KIND_DATASET,
    TCT_KIND_RECORDS,
} tct_kind;

// The static type of a register. A register holds values of one type only.
typedef struct tct_reg_type {
    uint8_t kind, element; // element: kind of a list's elements (LIST for lists of lists: see element2)
    uint8_t element2;
    uint8_t dtype, n_axes; // tensors
    const char *axis[8];
    int64_t size[8];
    uint32_t table;   // models: index of program.models; optimizers: of program.optimizers; tokenizers: of
                      // program.tokenizers; data sets: a tct_data_kind
    const char *name; // the variable, for messages; NULL for a temporary
} tct_reg_type;

typedef enum tct_opcode {
    TCT_I_CONST,  // dst = consts[a]
    TCT_I_CONFIG, // dst = config[a] as it is in this run
    TCT_I_MOVE,   // dst = a; tensors and lists are values: later changes of one don't show in the other.
                  // Models, optimizers, data sets and records are references.
    TCT_I_IADD,
    TCT_I_ISUB,
    TCT_I_IMUL,
    TCT_I_IDIV /* towards minus infinity; by 0: E0809 */,
    TCT_I_IMOD,
    TCT_I_FADD,
    TCT_I_FSUB,
    TCT_I_FMUL,
    TCT_I_FDIV,
    TCT_I_FMOD,
    TCT_I_FPOW,
    TCT_I_INEG,
    TCT_I_FNEG,
    TCT_I_NOT,
    TCT_I_ILT,
    TCT_I_ILE,
    TCT_I_IEQ,
    TCT_I_FLT,
    TCT_I_FLE,
    TCT_I_FEQ,
    TCT_I_BEQ,
    TCT_I_SEQ,        // the others by swap and not
    TCT_I_SADD,       // strings joined
    TCT_I_FLOAT,      // dst = float of int a
    TCT_I_INT,        // dst = int of float a, truncated; E0811 when it doesn't fit
    TCT_I_MATH,       // dst = tct_math number b of float a
    TCT_I_MATH2,      // dst = tct_math2 number c of floats a, b
    TCT_I_LIST,       // dst = new empty list
    TCT_I_GET,        // dst = element b (int register) of list a; E0812 outside
    TCT_I_ITEM,       // dst = element of the 0-d tensor a, as float, int or bool by dst's kind
    TCT_I_JUMP,       // to a
    TCT_I_JUMP_IF,    // to b when bool a
    TCT_I_JUMP_IFNOT, // to b unless bool a
    TCT_I_CALL,       // calls[a]: a built-in
    TCT_I_RUN,        // runs[a]: a plan
    TCT_I_EXTERN,     // externs[a]: a foreign function on scalars, strings and lists
    TCT_I_MODEL,      // dst = a new model of models[a] with fresh parameters, seed in int register b, or
                      // parameters from the folder in string register c (c = UINT32_MAX: none)
    TCT_I_OPTIMIZER,  // dst = new state of optimizers[a]
    TCT_I_ZERO_GRAD,  // sets the gradient sums of optimizer a to zero
    TCT_I_STEP,       // optimizer a: step = step + 1
    TCT_I_LOG,        // logs[a]: a line of metrics.jsonl
    TCT_I_SUMMARY,    // logs[a]: into summary.json under logs[a].group
    TCT_I_ASSERT,     // bool a, else E0813 with string register b
    TCT_I_STAGE,      // stage a begins
    TCT_I_STAGE_END,  // stage a ends
    TCT_I_PROGRESS,   // loop progress: int registers a (done) of b (total) in this stage
    TCT_I_SAFEPOINT,  // a checkpoint may be written here; everything that the rest needs is in registers
    TCT_I_END,
} tct_opcode;

typedef enum tct_math {
    TCT_MATH_ABS,
    TCT_MATH_EXP,
    TCT_MATH_LOG,
    TCT_MATH_SQRT,
    TCT_MATH_FLOOR,
    TCT_MATH_ROUND,
    TCT_MATH_SIN,
    TCT_MATH_COS,
    TCT_MATH_TANH
} tct_math;
typedef enum tct_math2 { TCT_MATH2_MIN, TCT_MATH2_MAX } tct_math2;

typedef struct tct_instr {
    uint16_t op;
    uint32_t dst, a, b, c;
    tct_span span;
} tct_instr;

typedef struct tct_const {
    uint8_t kind; // INT, FLOAT, BOOL, STRING
    int64_t i;    // STRING: 1 for a path relative to the program's folder, else 0
    double f;
    const char *s;
} tct_const;

typedef enum tct_builtin {
#define BUILTIN(id, ...) TCT_BUILTIN_##id,
#include "runtime/builtins.def"
#undef BUILTIN
    TCT_N_BUILTINS
} tct_builtin;

// Config values, numbers of program.config, that decided something while the program was compiled.
typedef struct tct_decided {
    uint32_t n;
    const uint32_t *config;
} tct_decided;

typedef struct tct_call {
    uint32_t builtin; // tct_builtin
    uint32_t n_args, n_results;
    const uint32_t *args, *results; // registers; results of a structure field by field (datasets.def)
    uint32_t generator;             // GENERATE: index of program.generators
    // ASSIGN, EMA: pairs of parameter numbers (dst, src) of the two models
    uint32_t n_pairs;
    const uint32_t *pairs;
    tct_decided sizes; // of the results
} tct_call;

// Where an input of a plan comes from, or an output goes.
typedef enum tct_bind_kind {
    TCT_BIND_REG,   // the tensor in register reg; or a scalar register as a 0-d tensor of the port's dtype
    TCT_BIND_PARAM, // parameter `index` of the model in reg
    TCT_BIND_STATE, // state number `index` (parameter * n_states + state) of the optimizer in reg
    TCT_BIND_GRAD,  // gradient sum of parameter `index` of the optimizer in reg
    TCT_BIND_STEP,  // the step count of the optimizer in reg, f32
    TCT_BIND_DROP,  // outputs that nobody reads
} tct_bind_kind;

typedef struct tct_bind {
    uint8_t kind;
    uint32_t reg, index;
} tct_bind;

typedef struct tct_run {
    uint32_t plan;
    const tct_bind *inputs, *outputs; // as many as the plan has
} tct_run;

typedef enum tct_init_kind { TCT_INIT_CONSTANT, TCT_INIT_NORMAL, TCT_INIT_UNIFORM } tct_init_kind;

// One parameter of a model. In memory it is row-major in the order of `axis`.
typedef struct tct_model_param {
    const char *name; // "block.0.attn.qkv"
    uint8_t dtype, n_axes;
    const char *const *axis;
    const int64_t *size;
    uint8_t init; // tct_init_kind; a, b: constant; mean, deviation; low, high
    double init_a, init_b;
    // In a Hugging Face folder: tensor name (NULL: `name`) and dimensions, each a group of axes (numbers into
    // `axis`) merged in order; n_dims 0: as in memory.
    const char *file_name;
    uint32_t n_dims;
    const uint8_t *dim_n; // axes of each group
    const uint8_t *const *dim_axis;
} tct_model_param;

typedef struct tct_config_pair {
    const char *key;
    const char *json; // the value as JSON text
} tct_config_pair;

typedef struct tct_model_desc {
    const char *type;         // "Gpt2"
    const char *architecture; // "GPT2LMHeadModel", NULL: none declared
    uint32_t n_params, n_config;
    const tct_model_param *params;
    const tct_config_pair *config; // of config.json, as written; checked when read
    tct_decided sizes;
} tct_model_desc;

// What the program was compiled for; checked when a tokenizer is read. -1: it has no such token.
typedef struct tct_tokenizer_desc {
    int64_t vocab, bos, eos, pad;
    tct_decided path; // where it was read while compiling
} tct_tokenizer_desc;

typedef struct tct_optimizer_desc {
    const char *type; // "adamw"
    uint32_t n_models, n_params, n_states;
    const uint32_t *models;        // registers of the models it was made for
    const uint32_t *param_model;   // n_params: which of `models`
    const uint32_t *param_index;   // n_params: parameter of that model
    const char *const *state_name; // n_states
    const double *state_init;
    bool accumulates; // keeps gradient sums
} tct_optimizer_desc;

enum { TCT_NO_PLAN = UINT32_MAX };

// What generation runs: decode graphs compiled for one batch and length. Plan inputs: the model's parameters
// in order, the cache tensors, token [B, N], start [B], last [B]; outputs: the cache tensors (in place),
// logits [B, V]. With narrow weights, `convert` makes them of the parameters, and in place of these a step
// takes `weights`: parameter i, or, from n_params of the model on, output i - n_params of `convert`. Of
// `batch` rows, `places` grow side by side; `fill` prompts enter at once: all of them, or fewer than there
// are places.
typedef struct tct_generator {
    uint32_t prefill, step; // plans with N = prompt length, B = fill and N = 1, B = places
    int64_t batch, places, fill, prompt, max_new, vocab;
    uint32_t convert; // plan, or TCT_NO_PLAN
    uint32_t n_cache, n_weights;
    const tct_plan_port *cache; // shapes of a step's, each beginning with B when fill < places
    const uint32_t *weights;    // n_weights; 0 without `convert`
} tct_generator;

typedef struct tct_log {
    const char *group; // summary: the object's name; logs: NULL
    uint32_t n;
    const char *const *names;
    const uint32_t *regs; // float, int, bool or string registers
} tct_log;

// A foreign function of stage code. C type of an argument: int64_t, double, bool as int32_t, const char *; a
// list is two arguments, pointer to elements (const int64_t *, const double *, const char *const *) and
// int64_t count. The result: void, int64_t, double, int32_t for bool; a string: const char * that the
// function keeps alive until its next call; a list of numbers: a last argument pointing to room for as many
// elements as the first list argument has.
typedef struct tct_extern {
    const char *name, *library, *symbol;
    uint32_t n_args;
    const uint32_t *args;
    uint32_t result;   // register, UINT32_MAX: none
    void *fn;          // resolved when the program is loaded
    tct_caller caller; // of fn; set by whoever made or loaded the program
} tct_extern;

// A value in terms of config values: the instructions [begin, end) leave it in `reg`. They stand behind
// TCT_I_END, compute with numbers, strings and conditions alone (TCT_I_CONST to TCT_I_MATH2, jumps) and jump
// within or to `end`. end == 0: no code.
typedef struct tct_config_code {
    uint32_t begin, end, reg;
} tct_config_code;

typedef struct tct_config_value {
    const char *name, *type, *value, *doc; // "ppo.lr", "float", "1e-05"; doc may be NULL
    bool is_default;                       // not set by hand
    bool beside;                           // a path relative to the program's folder
    bool is_ranged;                        // a number from low to high
    double low, high;
    tct_config_code derived;             // its default, where that depends on other values: then `value` is
                                         // what it was while compiling
    tct_config_code low_code, high_code; // likewise of the range
    const char *fixed; // NULL: read when the program starts. Else what it did while the program was compiled,
                       // "decides the size of axis T": it can't be another value any more
    tct_span fixed_at, declared_at;
} tct_config_value;

// A condition on config values that chose what was compiled: values may be given as long as it stays so.
typedef struct tct_config_guard {
    tct_config_code code; // gives a bool
    bool holds;           // what it was while compiling
    const char *text;     // as written: "gamma > 0.0"
    tct_decided of;       // what it follows from
    tct_span at;
} tct_config_guard;

typedef struct tct_stage_desc {
    const char *name, *doc;
    uint32_t begin, end; // instructions
} tct_stage_desc;

// Immutable while it runs, but for extern pointers. Owner: whoever made it (an arena, or the executable).
typedef struct tct_program {
    const char *name, *path; // the pipeline and its file, by its name in its folder
    const char *folder; // where the program's relative paths begin: set by whoever made or loaded it; NULL:
                        // the current folder
    uint64_t hash;      // of everything below but config; a checkpoint belongs to one hash
    uint32_t n_regs, n_instrs, n_consts, n_calls, n_runs, n_plans, n_models, n_optimizers, n_tokenizers,
        n_generators, n_logs, n_externs, n_config, n_guards, n_stages;
    const tct_reg_type *regs;
    const tct_instr *instrs;
    const tct_const *consts;
    const tct_call *calls;
    const tct_run *runs;
    const tct_plan *const *plans;
    const tct_model_desc *models;
    const tct_optimizer_desc *optimizers;
    const tct_tokenizer_desc *tokenizers;
    const tct_generator *generators;
    const tct_log *logs;
    tct_extern *externs;
    const tct_config_value *config;
    const tct_config_guard *guards;
    const tct_stage_desc *stages;
} tct_program;

#endif
