// What the files of the stage elaborator share.
#ifndef TCT_FRONTEND_STAGE_INTERNAL_H
#define TCT_FRONTEND_STAGE_INTERNAL_H

#include "frontend/elab_internal.h"
#include "frontend/stage.h"

enum { NO_REG = UINT32_MAX };

typedef struct stage_optimizer {
    const tct_item *item;
    uint32_t reg, table;
    tct_val **models; // model structures, in the order of the descriptor
    uint32_t n_models;
    const tct_arg *fixed; // hyper-parameters given when it was made, already evaluated in fixed_val
    tct_val **fixed_val;
    uint32_t n_fixed;
} stage_optimizer;

typedef struct stage_model { // of a model value: what its register holds
    uint32_t table;
    tct_val **leaves; // V_PARAM by number
    uint32_t n_leaves;
} stage_model;

typedef struct stage_data {
    const char *kind; // of datasets.def
    int64_t batch, length, k;
} stage_data;

typedef struct stage_tokenizer {
    tct_token_info info;
} stage_tokenizer;

typedef struct stage_loop {
    struct stage_loop *outer;
    TCT_VEC(uint32_t) breaks, continues; // jumps to be patched
} stage_loop;

typedef struct stage_fn { // a fn being expanded
    struct stage_fn *outer;
    const tct_item *item;
    TCT_VEC(uint32_t) exits;
    tct_val *result; // registers that return writes, NULL until the first return
} stage_fn;

typedef struct stage_run { // a graph and what feeds it
    uint32_t n_inputs, cap;
    tct_bind *inputs;
    const struct tct_stage_state *stage; // also while a graph is expanded, which has no stage code
} stage_run;

typedef struct stage_same {
    uint32_t a, b;
} stage_same;

typedef struct stage_branch { // an if that is decided when the program runs
    struct stage_branch *outer;
    tct_val *condition;
    tct_span place;
} stage_branch;

typedef struct stage_guard { // a condition that chose what was compiled
    tct_val *condition;
    tct_span place, own_place; // own_place: in the program's own files
} stage_guard;

typedef struct stage_known { // a tokenizer that was read in an earlier pass
    const char *path;
    tct_token_info info;
} stage_known;

struct tct_stage_state {
    const tct_stage_hooks *hooks;
    TCT_VEC(stage_known) known;
    TCT_VEC(tct_span) one_sided; // conditions of ifs whose sides can't both be compiled: from pass to pass
    TCT_VEC(stage_guard) guards;
    TCT_VEC(tct_reg_type) regs;
    TCT_VEC(tct_instr) instrs;
    TCT_VEC(tct_const) consts;
    TCT_VEC(tct_call) calls;
    TCT_VEC(tct_run) runs;
    TCT_VEC(tct_graph *) graphs;
    TCT_VEC(tct_model_desc) models;
    TCT_VEC(tct_optimizer_desc) optimizers;
    TCT_VEC(tct_tokenizer_desc) tokenizers;
    TCT_VEC(tct_generator) generators;
    TCT_VEC(tct_log) logs;
    TCT_VEC(tct_extern) externs;
    TCT_VEC(tct_stage_desc) stages;
    TCT_VEC(uint32_t) variables; // registers that assignments change
    TCT_VEC(stage_same) same;    // lists of one type that was open when they were linked
    stage_loop *loop;
    stage_fn *fn;
    stage_branch *branch;
    bool of_config; // code of the config table, which stands by itself
    bool in_stage;  // inside `stage`, not only in the pipeline
    int loop_depth;
    stage_run *run; // bindings of the graph being built
    uint32_t n_graphs_named;
    uint32_t work; // expansions of fns and turns of loops that are written out
};
typedef struct tct_stage_state stage;

// Code (stage_code.c)
// Counts one more expansion of a fn or turn of a loop that is written out; false after reporting too many.
bool tct_stage_one_more(tct_elab *e, tct_span span);
uint32_t tct_stage_reg(tct_elab *e, tct_reg_type type);
uint32_t tct_stage_emit(tct_elab *e, tct_opcode op, uint32_t dst, uint32_t a, uint32_t b, uint32_t c,
                        tct_span span);
void tct_stage_patch(tct_elab *e, uint32_t instr, uint32_t target); // the jump's target
uint32_t tct_stage_here(tct_elab *e);
tct_val *tct_stage_scalar_reg(tct_elab *e, tct_kind kind, const char *name,
                              tct_span span);                         // a fresh register
tct_val *tct_stage_reg_val(tct_elab *e, uint32_t reg, tct_span span); // the value that a register holds
tct_val *tct_stage_tensor_reg(tct_elab *e, tct_dtype dtype, const tct_axis *axes, uint32_t n, tct_span span);
tct_val *tct_stage_list_reg(tct_elab *e, tct_kind element, tct_kind element2, tct_span span);
// The value in a register of `kind`: constants are loaded, ints become floats where a float is wanted. NO_REG
// after reporting E0502.
uint32_t tct_stage_load(tct_elab *e, tct_val *v, tct_kind kind, tct_span span);
tct_kind tct_stage_number_kind(tct_dtype dtype);        // of a scalar tensor's element
tct_kind tct_stage_kind(tct_elab *e, const tct_val *v); // KIND_NONE for what is no scalar, list or tensor
const tct_reg_type *tct_stage_type(tct_elab *e, uint32_t reg);

// Config (stage_config.c)
// Registers for the config values that the program reads when it starts. First in the code.
void tct_stage_config_begin(tct_elab *e);
uint32_t tct_stage_read_config(tct_elab *e, uint32_t cell, tct_span span); // into a new register
// The program's table, as many as e->config. Emits the code of values that follow from others: last in the
// code.
const tct_config_value *tct_stage_config_table(tct_elab *e);
// `out`, which was computed so, says it: if its parts are static or of config, it can become static.
tct_val *tct_stage_follows(tct_elab *e, tct_val *out, tct_config_node how);
static inline tct_config_node tct_how_operator(tct_operator op, tct_val *a, tct_val *b) {
    return (tct_config_node){.kind = TCT_HOW_OPERATOR, .n = b ? 2 : 1, .op = op, .part = {a, b}};
}
tct_decided tct_stage_decided(const tct_config_set *by);
// The conditions that chose what was compiled. Before the table, whose code is the last.
const tct_config_guard *tct_stage_guards(tct_elab *e, uint32_t *n);
// Whether the if whose condition stands at `place` is decided when the program runs. One whose sides can't
// both be compiled is decided now; tct_stage_one_side says that it is such a one, and the program is
// elaborated again.
bool tct_stage_both_sides(const tct_elab *e, tct_span place);
void tct_stage_one_side(tct_elab *e, tct_span place);

// Operators and functions of numbers on values (stage_expr.c, stage_call.c)
tct_val *tct_stage_binary(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span);
tct_val *tct_stage_unary(tct_elab *e, tct_operator op, tct_val *a, tct_span span);
tct_val *tct_stage_function(tct_elab *e, const char *name, tct_val *const *v, tct_span span);

// The values that names stand for (stage_value.c)
// The value as it is now: what later assignments would change is copied.
tct_val *tct_stage_snapshot(tct_elab *e, tct_val *v, const char *name, tct_span span);
// The value of a new variable, with registers of its own.
tct_val *tct_stage_variable(tct_elab *e, tct_val *v, const char *name, tct_span span);
// Stores v where the variable `to` is. false after reporting E0502.
bool tct_stage_store(tct_elab *e, tct_val *to, tct_val *v, tct_span span);
// The value as what a declaration says it is: an int becomes a float where that is declared. V_ERROR after
// reporting E0502; `what` is declared so, "`x` of f".
tct_val *tct_stage_as_declared(tct_elab *e, tct_val *v, const tct_type *t, const char *what, tct_span span);
// The kind that a declared type names; KIND_NONE: no number, string or list. `element` of a list.
tct_kind tct_stage_declared_kind(const tct_type *t, tct_kind *element);
// The tensor that a parameter is now, in a register.
tct_val *tct_stage_read_param(tct_elab *e, const tct_val *param, tct_span span);

// Types of lists (stage_list.c)
// A list written out, in a register. NO_REG after reporting E0502.
uint32_t tct_stage_make_list(tct_elab *e, tct_val *v, tct_span span);
// Whether the elements of the list in a register are of this kind; they are from now on where that was open.
bool tct_stage_list_of(tct_elab *e, uint32_t list, tct_kind element, tct_kind element2);
// Whether two lists are of one type; they are from now on where that was open.
bool tct_stage_same_list(tct_elab *e, uint32_t a, uint32_t b);
bool tct_stage_is_element(tct_elab *e, const tct_val *v);               // a list of the machine can hold it
bool tct_stage_has_elements(tct_elab *e, uint32_t list, tct_span span); // false after reporting: still open

// Graphs in stages (stage_graph.c)
tct_builder *tct_stage_graph_begin(tct_elab *e, stage_run *run, tct_span span);
// Ends the graph: v's tensors become outputs, in registers. 0-d results become numbers.
tct_val *tct_stage_graph_end(tct_elab *e, tct_builder *b, stage_run *run, tct_val *v, tct_span span);
// Emits the run of a finished graph with given output bindings; shares equal graphs.
void tct_stage_graph_run(tct_elab *e, tct_graph *g, const stage_run *run, const tct_bind *outputs,
                         tct_span span);
tct_val *tct_stage_value(tct_elab *e, const tct_expr *x); // any expression of stage code
void tct_stage_bind_input(tct_elab *e, stage_run *run, tct_bind bind);
void tct_stage_enter_scope(tct_elab *e); // axes of one expression
tct_value tct_stage_input(tct_elab *e, tct_builder *b, stage_run *run, const char *name, tct_dtype dtype,
                          const tct_axis *axes, uint32_t n, tct_bind bind);

// v with its axes in the order in which the expression names them, as an output (stage_order.c)
tct_value tct_stage_in_order(const tct_builder *b, tct_value v);

// Models (stage_model.c)
tct_val *tct_stage_new_model(tct_elab *e, const tct_item *item, const tct_expr *call);
tct_val *tct_stage_new_optimizer(tct_elab *e, const tct_item *item, const tct_expr *call);
stage_model *tct_stage_model_of(const tct_val *v); // NULL: no model value
tct_val *tct_stage_model_like(tct_elab *e, const tct_val *model,
                              uint32_t reg); // the same structure on another register

// Generators (stage_generate.c)
typedef struct stage_generation {
    int64_t batch, at_once, prompt, max_new; // at_once of batch rows grow side by side; 0: all
    stage_weights weights;
} stage_generation;
// A new generator's number; NO_REG after reporting.
uint32_t tct_stage_generator(tct_elab *e, const tct_val *model, const stage_generation *o, tct_span span);

// Narrow weights of generation (stage_weights.c)
typedef struct stage_narrow { // a parameter of the model, in the graph of a step
    bool is_narrow;
    tct_dtype dtype;
    uint32_t n_summed, n_scale; // of i8: its axes that products sum; the others, for which there are scales
    tct_axis summed[TCT_IR_MAX_AXES], scale[TCT_IR_MAX_AXES];
} stage_narrow;
// By parameter, in e's arena: those that are narrow, to judge by what `step` does with its first inputs,
// which are the parameters. NULL when none is.
const stage_narrow *tct_stage_narrow_leaves(tct_elab *e, const tct_graph *step, const stage_model *m,
                                            stage_weights weights);
// Parameter `number` as the graph takes it, in f32; `narrow` may be NULL.
tct_value tct_stage_weight(tct_graph *g, const tct_val *leaf, uint32_t number, const stage_narrow *narrow);
// What these inputs are, as tct_generator.weights tells it.
const uint32_t *tct_stage_weight_sources(tct_elab *e, const stage_model *m, const stage_narrow *narrow,
                                         uint32_t *n);
// The graph that makes narrow weights of the parameters.
tct_graph *tct_stage_narrowing(tct_ir_module *module, const char *name, const stage_model *m,
                               const stage_narrow *narrow, tct_span span);

// Calls (stage_call.c, stage_builtin.c)
tct_val *tct_stage_call(tct_elab *e, const tct_expr *x, bool statement);
bool tct_stage_is_builtin(const char *name);
tct_val *tct_stage_builtin(tct_elab *e, const char *name, const tct_expr *x);
// A tokenizer in a folder, which may be another one when the program runs, with the same tokens
// (stage_tokenizer.c).
tct_val *tct_stage_tokenizer(tct_elab *e, tct_val *path, tct_span place, tct_span span);
// The structure of a batch of `data`: registers for its fields. batch sizes: 0 for n_rows of next.
tct_val *tct_stage_batch(tct_elab *e, const stage_data *data, uint32_t *regs, uint32_t *n_regs,
                         tct_span span);

// A structure of tensors taken a few rows at a time, in a loop (stage_rows.c). `count`: how many parts, or
// with by_size how many rows a part; `seed`: a register with the seed of the order, NULL: as they stand.
typedef struct stage_rows {
    tct_val *part;             // the structure that the loop's body sees
    uint32_t index, end, step; // registers
    uint32_t head, exit;       // places in the code
} stage_rows;
bool tct_stage_rows_begin(tct_elab *e, tct_val *batch, tct_val *count, tct_val *seed, bool by_size,
                          tct_span span, stage_rows *out);
// total += part inside the loop, from 0 before it.
void tct_stage_rows_total(tct_elab *e, stage_rows *rows, tct_val *total, tct_val *part, tct_span span);
void tct_stage_rows_next(tct_elab *e, stage_rows *rows, tct_span span); // the jump back alone
void tct_stage_rows_end(tct_elab *e, stage_rows *rows, tct_span span);

tct_val *tct_stage_minimize(tct_elab *e, const tct_expr *x); // stage_minimize.c
bool tct_stage_block(tct_elab *e, const tct_block *b); // stage_stmt.c; false: what follows isn't reached

#endif
