// What the elaborator's files share.
#ifndef TCT_FRONTEND_ELAB_INTERNAL_H
#define TCT_FRONTEND_ELAB_INTERNAL_H

#include "frontend/elab.h"
#include "frontend/index.h"

#include <math.h>

typedef enum tct_val_kind {
    V_ERROR, // reported already; whatever it meets becomes an error silently
    V_NONE,
    V_INT, // known says whether i is
    V_FLOAT,
    V_BOOL,
    V_STRING,
    V_LIST,   // items
    V_TENSOR, // value in the graph of builder
    V_STRUCT, // fields; model set for instances of a model
    V_AXIS,
    V_REG,    // a register of the stage being elaborated
    V_PARAM,  // parameter number i of the model in register reg
    V_OPAQUE, // stage values without structure (tokenizer, data set, optimizer): handled by stage code
              // through reg
} tct_val_kind;

struct tct_builder;
struct tct_val;

// Config values that a value follows from: numbers of tct_elab.config, ascending. NULL: none.
typedef struct tct_config_set {
    uint32_t n, cell[];
} tct_config_set;

typedef struct tct_field {
    const char *name;
    struct tct_val *val;
    tct_span span; // where it is declared; may be TCT_NO_SPAN
} tct_field;

typedef struct tct_axis_binding {
    const char *name;
    tct_axis axis;
    tct_span span; // what bound it
} tct_axis_binding;

// How a register was computed from config values.
typedef struct tct_config_node {
    enum {
        TCT_HOW_CELL,
        TCT_HOW_OPERATOR, // of one part or two
        TCT_HOW_FUNCTION,
        TCT_HOW_FLOAT, // of an int
        TCT_HOW_CHOICE // condition, then, otherwise
    } kind;
    uint32_t n, cell, size; // size: of all of it written out, parts of parts included
    tct_operator op;
    const char *name;
    struct tct_val *part[3];
} tct_config_node;

// A compile-time value. In the elaborator's arena; not changed once made, but for the fields of structures
// that are variables.
typedef struct tct_val {
    tct_val_kind kind;
    bool known; // INT, FLOAT, BOOL: the value is known; false only while checking with unknown sizes
    int64_t i;
    double f;
    const char *s;
    struct tct_val **items;
    uint32_t n_items;
    tct_field *fields;
    uint32_t n_fields;
    const tct_item *model;
    const tct_axis_binding *axes; // of a model instance
    uint32_t n_axes;
    struct tct_builder *builder;
    tct_value value;
    tct_axis axis; // AXIS; INT: the axis whose unknown size this is, when size_of is set
    bool size_of;
    uint32_t reg; // REG, PARAM, OPAQUE; STRUCT that is a stage model: its register, when has_reg
    bool has_reg;
    bool is_tensor_reg; // REG that holds a tensor (a scalar one has no axes)
    tct_dtype dtype;    // REG, PARAM: of the tensor, or what a number becomes in a graph
    const tct_axis *param_axes;
    uint32_t n_param_axes;
    bool beside;      // STRING: a path that begins with the folder of the main file, whatever that is called
    const void *data; // of stage values: see stage_internal.h
    // Static values and REG: the config values that it follows from. A register that follows from nothing
    // else can still become static, tct_elab_fix; `fold` is its value then, NULL where that can't be
    // computed.
    const tct_config_set *from;
    struct tct_val *fold;
    const struct tct_config_node *how; // such a register: how it was computed
    tct_span span;
} tct_val;

typedef struct tct_symbol {
    const char *name;
    tct_val *val;
    tct_span span;
    bool is_axis, mutable, used;
    const struct tct_builder *builder; // the graph that was being built when it was declared
} tct_symbol;

// A lexical scope. The innermost `function` scope holds the axes.
typedef struct tct_scope {
    struct tct_scope *parent;
    TCT_VEC(tct_symbol) symbols;
    bool function;
    TCT_VEC(tct_axis) in_use; // function: axes that a new one must not be mistaken for
    const tct_item *item;     // function: what is being expanded
    tct_span call;            // function: where it was called
    struct tct_scope *caller; // function: the scope of the call
} tct_scope;

typedef enum tct_builder_kind { TCT_BUILD_TOP, TCT_BUILD_SCAN, TCT_BUILD_RUN } tct_builder_kind;

typedef struct tct_import {
    tct_val_kind kind; // TENSOR (value of the parent's graph), REG, PARAM
    uint32_t a, b;     // value; register and dtype; register and parameter
    tct_value input;
} tct_import;

// A graph under construction. A scan's body imports from its parent, a stage's graph from registers.
typedef struct tct_builder {
    tct_builder_kind kind;
    struct tct_builder *parent;
    tct_graph *graph;
    tct_axis scan_axis;
    TCT_VEC(tct_import) imports;
    struct stage_run *run; // RUN: what feeds the inputs
    tct_value *ordered;    // whose axes stand in an order that a type declares
    uint32_t n_ordered;
} tct_builder;

typedef struct tct_config_cell {
    const char *name; // dotted
    const tct_config_entry *entry;
    const tct_ast *file;
    tct_val *val;
    const tct_config_set *value_from, *range_from; // what its default and its bounds read
    bool from_command_line, evaluating, is_ranged;
    double bounds[2]; // is_ranged: from, to
    // In the pipeline that is being elaborated: why it can't be another value when the program starts, NULL
    // as long as it can, and the register that it is in then.
    const char *fixed;
    tct_span fixed_at;
    uint32_t reg;
} tct_config_cell;

struct tct_stage_state;

struct tct_elab {
    tct_diag *d;
    const tct_package *package;
    tct_arena arena;
    tct_ir_module *module;
    tct_builder *builder; // where tensor operations go; NULL outside of graphs
    tct_scope *scope;
    struct tct_item_slot *items; // by name (elab_items.c)
    size_t n_item_slots;         // a power of two
    TCT_VEC(tct_config_cell) config;
    const tct_config_set **config_reads; // where config values that are read are noted; NULL: nowhere
    const tct_setting *settings;         // of the graph being built
    size_t n_settings;
    bool *setting_used;
    TCT_VEC(tct_graph_model) graph_models; // of the graph built last
    uint32_t depth;                        // of calls
    uint32_t level;                        // heights of what is being expanded, added up
    uint32_t work;                         // expansions and turns of loops in this graph
    uint32_t repeated;                     // errors that were dropped as repetitions
    uint32_t repeated_before;              // this graph
    bool too_deep;                         // reported
    uint32_t n_fixed;                      // config values fixed in this pipeline
    bool in_scan;                          // directly, not in a graph that the scan calls
    uint32_t n_random;                     // stream numbers given out in this graph
    tct_val *returned;                     // set by return; ends the block
    tct_val **yielded;                     // set by yield
    uint32_t n_yielded;
    const tct_name *yield_names;
    bool muted;                       // the message reported last was a repetition
    tct_span needs_size;              // an unknown size was used as a number here
    struct tct_stage_state *stage;    // NULL outside of stage code
    struct tct_stage_state *pipeline; // the pipeline being elaborated, also while it expands graphs
    const tct_ast *file;              // of the item being expanded
    bool sound;                       // the declarations have no errors
    struct tct_index *index;          // what editors want to know; NULL: nobody asks
};

// Errors, once for each place and code; inside expanded items a note says where the call is.
bool tct_elab_error(tct_elab *e, const char *code, tct_span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void tct_elab_note(tct_elab *e, tct_span span, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void tct_elab_help(tct_elab *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Errors there were, repetitions included: to see whether something failed.
size_t tct_elab_faults(const tct_elab *e);
// A graph begins: expansions are counted from 0.
void tct_elab_new_graph(tct_elab *e);
// Counts one more expansion or turn of a loop; false after reporting that there are too many.
bool tct_elab_one_more(tct_elab *e, tct_span span);
// Whether something of this height may be expanded inside of what is; false after reporting. Added to
// e->level by the caller, and taken off again.
bool tct_elab_may_nest(tct_elab *e, uint32_t height, tct_span span);
// After tct_ir_emit reported by itself: adds the notes, drops repetitions. n: messages there were before.
void tct_elab_after_report(tct_elab *e, size_t n);

// Values (elab_value.c)
tct_val *tct_val_new(tct_elab *e, tct_val_kind kind, tct_span span);
tct_val *tct_val_error(tct_elab *e);
tct_val *tct_val_int(tct_elab *e, int64_t i, tct_span span);
tct_val *tct_val_float(tct_elab *e, double f, tct_span span);
tct_val *tct_val_bool(tct_elab *e, bool b, tct_span span);
tct_val *tct_val_string(tct_elab *e, const char *s, tct_span span);
tct_val *tct_val_tensor(tct_elab *e, tct_value v, tct_span span); // of the current builder
tct_val *tct_val_copy(tct_elab *e, const tct_val *v);        // structures and lists deeply, leaves shared
tct_val **tct_val_field(const tct_val *v, const char *name); // NULL: no such field
void tct_val_add_field(tct_elab *e, tct_val *v, const char *name, tct_val *field);
// The same with name and place of another field.
void tct_val_keep_field(tct_elab *e, tct_val *v, const tct_field *like, tct_val *field);
bool tct_val_is_number(const tct_val *v);                    // static int or float
const char *tct_val_describe(tct_elab *e, const tct_val *v); // "f32[B, T]", "an int", "the model Gpt2"
const char *tct_axes_text(tct_elab *e, const tct_axis *axes, uint32_t n);
const char *tct_type_text(tct_elab *e, const tct_type *t); // as written: "f32[.., T]"
const char *tct_val_fields(tct_elab *e, const tct_val *v); // names of a structure's fields: "a, b"

// Scopes
tct_scope *tct_scope_push(tct_elab *e, bool function);
void tct_scope_pop(tct_elab *e);
tct_scope *tct_scope_function(tct_elab *e); // the innermost
tct_symbol *tct_scope_find(tct_elab *e, const char *name, bool is_axis);
void tct_scope_bind(tct_elab *e, const char *name, tct_val *val, tct_span span, bool mutable);
// Binds an axis name in the innermost function. Reports E0330 when it is bound to another axis already.
bool tct_scope_bind_axis(tct_elab *e, const char *name, tct_axis axis, tct_span span);
// An axis called `name` of `size` that is not mistaken for one in use, bound in the innermost function.
tct_axis tct_scope_new_axis(tct_elab *e, const char *name, int64_t size, tct_span span);
// Whether the current function calls the axis so. An axis without a name there has that of its own.
bool tct_axis_is_called(tct_elab *e, tct_axis axis, const char *name);
// What the current function calls an axis.
const char *tct_axis_local_name(tct_elab *e, tct_axis axis);

// Items (elab_items.c)
void tct_elab_items(tct_elab *e); // makes e->items, of the package
// The item of that name: of the side (the library or not) of the file being expanded, then of the other. So a
// program may give a name of the library another meaning, and the library keeps its own.
const tct_item *tct_elab_item(tct_elab *e, const char *name);
bool tct_elab_of_library(const tct_elab *e, const tct_ast *file);
const tct_ast *tct_elab_item_file(tct_elab *e, const tct_item *item);

// After the error: the nearest of variables, items and operations to a name that isn't there; NULL.
const char *tct_elab_suggest(tct_elab *e, const char *name);

// Tensors
// The value as an operand in the current graph, static numbers as constants of `dtype`. TCT_NO_VALUE for
// V_ERROR, or after reporting E0332 for something that is no tensor.
tct_value tct_elab_operand(tct_elab *e, tct_val *v, tct_dtype dtype, tct_span span);
// dtype that v has or brings; false for static numbers.
bool tct_elab_dtype(tct_elab *e, const tct_val *v, tct_dtype *out);
const tct_node *tct_elab_node(tct_elab *e, tct_value v);
tct_val *tct_elab_result(tct_elab *e, tct_value v, tct_span span, size_t messages_before);
// x with the axes that it lacks. TCT_NO_VALUE after reporting that there are too many.
tct_value tct_elab_broadcast(tct_elab *e, tct_value x, const tct_axis *axes, uint32_t n, tct_span span);
// Whether there can be a tensor with these axes; false after reporting E0611 or E0612.
bool tct_elab_shape(tct_elab *e, const tct_axis *axes, uint32_t n, tct_span span);
void tct_elab_at(tct_elab *e, tct_span span); // stamps the place on nodes made next

// Expressions (elab_expr.c)
tct_val *tct_elab_expr(tct_elab *e, const tct_expr *x);
// A static value of the wanted kind (INT, FLOAT (an int converts), BOOL, STRING); NULL after reporting E0337.
// `use`: what it does, for tct_elab_fix.
tct_val *tct_elab_static(tct_elab *e, const tct_expr *x, tct_val_kind want, const char *use);
const char *tct_elab_sizes_axis(tct_elab *e, const char *axis); // "decides the size of axis T"
tct_val *tct_elab_binary(tct_elab *e, tct_operator op, tct_val *a, tct_val *b, tct_span span);
// The built-in operation `name` on a call's arguments; NULL when there is none of that name (elab_ops.c).
tct_val *tct_elab_operation(tct_elab *e, const char *name, const tct_expr *call);
bool tct_elab_is_operation(const char *name);
// Functions of static numbers (elab_number.c): how many arguments (0: no such function), and the value.
uint32_t tct_elab_number_arity(const char *name);
tct_val *tct_elab_number_function(tct_elab *e, const char *name, tct_val *const *v, tct_span span);

// Axes (elab_axes.c)
tct_symbol *tct_elab_axis_symbol(tct_elab *e, const char *name); // NULL: no axis of that name is in scope
bool tct_elab_axis(tct_elab *e, const tct_expr *x, tct_axis *out);
bool tct_elab_axes(tct_elab *e, const tct_expr *x, tct_axis out[TCT_IR_MAX_AXES], uint32_t *n);
bool tct_elab_is_axis(tct_elab *e, const tct_expr *x); // would tct_elab_axes understand it, without a report

// Calls (elab_call.c)
typedef struct tct_actual { // an argument, evaluated or not yet
    tct_name name;
    const tct_expr *expr;
    tct_val *val;
    tct_val **place; // where an inout argument is stored; NULL: where expr says
} tct_actual;
// Expands a call. `map`: f[V = K], pairs of callee and caller axes.
tct_val *tct_elab_call(tct_elab *e, const tct_item *item, const tct_expr *call);
tct_val *tct_elab_expand(tct_elab *e, const tct_item *item, tct_actual *actuals, uint32_t n,
                         const tct_arg *map, uint32_t n_map, tct_span span);
// Axes that the results of what is being expanded bring come into the caller's scope by the callee's name,
// where that name and axis are free.
void tct_elab_export_axes(tct_elab *e, const tct_item *item, tct_scope *caller);
// An extern fn on tensors, as a foreign node (elab_foreign.c).
const char *tct_elab_library(tct_elab *e, const tct_item *item); // where the file of an extern is to be
tct_val *tct_elab_foreign(tct_elab *e, const tct_item *item, tct_actual *actuals, uint32_t n, tct_span span);
bool tct_elab_dtype_name(const char *name, tct_dtype *out);
// elab_match.c: assigns arguments to parameters by position and name: out[k] = actual of parameter k, or -1.
// Reports E0338…E0340.
bool tct_elab_match(tct_elab *e, const char *what, const tct_param *params, uint32_t n_params,
                    const tct_actual *actuals, uint32_t n, tct_span span, int32_t *out);

// Blocks (elab_block.c)
bool tct_elab_block(tct_elab *e, const tct_block *b); // false after a return or an error that ends it
tct_val *tct_elab_scan(tct_elab *e, const tct_expr *x);
tct_val *tct_elab_block_value(tct_elab *e, const tct_block *b);       // of an if expression
bool tct_elab_bind_names(tct_elab *e, const tct_stmt *s, tct_val *v); // let and var
// Where an assignment goes: to be looked at. NULL after reporting.
tct_val **tct_elab_place(tct_elab *e, const tct_expr *x);
// Assigns in a graph. Values are never changed: the structures around the place are made anew.
bool tct_elab_assign(tct_elab *e, const tct_expr *target, tct_val *v);

// Models (elab_model.c)
// Makes the leaf for one parameter: path "block.0.qkv", in memory order.
typedef tct_val *(*tct_leaf_fn)(tct_elab *e, void *ctx, const char *path, const tct_member *member,
                                tct_dtype dtype, const tct_axis *axes, uint32_t n, tct_scope *model_scope,
                                const char *file_prefix);
// hyper: fields of a structure value by name (NULL: defaults; unknown where there is none and
// `representative`).
tct_val *tct_elab_model(tct_elab *e, const tct_item *item, const tct_actual *args, uint32_t n_args,
                        const char *path, const char *file_prefix, bool representative, tct_leaf_fn leaf,
                        void *ctx, tct_span span);
// Descriptors (model_desc.c). Of one parameter, for leaves; axes whose size isn't known have size 0.
struct tct_model_param;
bool tct_elab_model_param(tct_elab *e, const char *path, const tct_member *m, tct_dtype dtype,
                          const tct_axis *axes, uint32_t n, const char *file_prefix,
                          struct tct_model_param *out);
// Architecture and the pairs of config.json in terms of an instance whose hyper-parameters are known.
struct tct_model_desc;
bool tct_elab_model_config(tct_elab *e, const tct_item *item, const tct_val *instance,
                           struct tct_model_desc *out);
const tct_member *tct_model_member(const tct_item *item, tct_member_kind kind); // the first; NULL: none

// Whole items (elab_graph.c): a graph with inputs for its parameters, NULL after reporting; a model with
// defaults, to report what is wrong with it.
tct_graph *tct_elab_build(tct_elab *e, const tct_item *item);
void tct_elab_build_model(tct_elab *e, const tct_item *item);

// The value with its axes in this order, for an output: a node made for it is laid out so; an input, or what
// is an output already, is copied.
tct_value tct_elab_reordered(tct_graph *g, tct_value v, const tct_axis *order);

// Declarations (check.c): names declared twice, unknown types, axes that occur twice. false after reporting.
bool tct_elab_declarations(tct_elab *e);

// Config (config.c)
typedef struct tct_mark { // messages there were
    size_t messages, errors;
    uint32_t repeated, work;
    bool too_deep;
} tct_mark;
tct_mark tct_elab_mark(const tct_elab *e);
void tct_elab_forget(tct_elab *e, tct_mark mark); // what was reported since
void tct_elab_config(tct_elab *e, const tct_setting *sets, size_t n);
// A config value: static, or where a program is elaborated that can read it when it runs, a register.
tct_val *tct_elab_config_value(tct_elab *e, const char *dotted, tct_span span);
const tct_config_set *tct_config_union(tct_elab *e, const tct_config_set *a, const tct_config_set *b);
// Whether v is static or can become so; the second: without the first, a register that follows from config.
bool tct_val_can_fold(const tct_val *v);
bool tct_val_is_config(const tct_val *v);
// The kind of a register of config once it is static; v's own otherwise.
tct_val_kind tct_val_static_kind(const tct_elab *e, const tct_val *v);
// v as a static value. The config values that it follows from are fixed from now on; `use` says what it does,
// "decides the size of axis T", at `place`. V_ERROR, without a report, where its value can't be computed: the
// program is elaborated again then.
tct_val *tct_elab_fix(tct_elab *e, tct_val *v, tct_span place, const char *use);
void tct_elab_fix_cells(tct_elab *e, const tct_config_set *cells, tct_span place, const char *use);
// The same of a condition that chooses what is compiled. What it was computed from may change as long as it
// doesn't, which the program checks when it starts.
tct_val *tct_elab_decide(tct_elab *e, tct_val *c, tct_span place, const char *use);
// The place, or the call that led to it, in the program's own files rather than the library's.
tct_span tct_elab_own_place(tct_elab *e, tct_span place);
// Paths that a program names are relative to the file that names them. As a string, for what looks at them
// while the program is compiled: beginning with that file's folder, and marked `beside` unless it is
// absolute.
tct_val *tct_elab_path(tct_elab *e, const tct_ast *file, const char *text, tct_span span);
// Such a string as seen from the folder of the main file: what the program holds. Others are as they are.
const char *tct_elab_beside(tct_elab *e, const char *path);

// A literal given as text, as a value of type `type` ("int", "float", "bool", "string", "path"); NULL when it
// is none.
tct_val *tct_elab_literal(tct_elab *e, const char *type, const char *text, tct_span span);
tct_literal tct_val_literal(const tct_val *v);         // of a known static value
const char *tct_config_type(const tct_config_cell *c); // as written; "" without

// For editors (index.c); called only where e->index isn't NULL.
// A name that is written at `span` and declared at `declared`; v, its value, may be NULL.
void tct_index_name_at(tct_elab *e, tct_span span, tct_span declared, const tct_val *v);
// The same where it is declared, if `name` stands there.
void tct_index_declared(tct_elab *e, const char *name, tct_span span, const tct_val *v);
void tct_index_expr(tct_elab *e, const tct_expr *x, tct_val *v); // of value v, just evaluated
void tct_index_arguments(tct_elab *e, const tct_item *item, const tct_expr *call); // the names of named ones
void tct_index_scope(tct_elab *e, tct_span span); // the cursor's, if it is in there
// The same from the end of statement i - 1 of a block to the end of statement i, or with `ends` of the block.
void tct_index_statement(tct_elab *e, const tct_block *b, uint32_t i, bool ends);

// Stage code (stage_*.c). Whether the expression is tensor valued, so that it belongs into a graph.
bool tct_stage_is_tensor(tct_elab *e, const tct_expr *x);
// Evaluates an expression that isn't: static, or with code for the machine.
tct_val *tct_stage_scalar(tct_elab *e, const tct_expr *x);
// A register or parameter as an input of the stage's graph.
// (a number as a scalar of `dtype`).
tct_value tct_stage_import(tct_elab *e, tct_builder *b, const tct_val *v, tct_dtype dtype, tct_span span);
// How much code there is; and drops what came since, which computed nothing that is still needed.
typedef struct tct_code_mark {
    size_t regs, instrs;
} tct_code_mark;
tct_code_mark tct_stage_code_mark(const tct_elab *e);
void tct_stage_code_forget(tct_elab *e, tct_code_mark mark);
// Whether what is elaborated now can read registers; the register of config value `cell`.
bool tct_stage_at_run_time(const tct_elab *e);
tct_val *tct_stage_config(tct_elab *e, uint32_t cell, tct_span span);
// Operators and functions of numbers on values one of which is a register of config, also within a graph.
tct_val *tct_stage_operator(tct_elab *e, tct_operator op, tct_val *a, tct_val *b,
                            tct_span span); // b NULL: unary
tct_val *tct_stage_number_function(tct_elab *e, const char *name, tct_val *const *v, tct_span span);
// An int of config as a float.
tct_val *tct_stage_as_float(tct_elab *e, tct_val *v, tct_span span);

#endif
