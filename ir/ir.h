// Tensor IR: an SSA graph of primitive operations on tensors with named axes. docs/ir.md specifies it and its
// text form.
#ifndef TCT_IR_IR_H
#define TCT_IR_IR_H

#include "base/diag.h"
#include "base/dtype.h"

#include <stdbool.h>
#include <stdint.h>

enum { TCT_IR_MAX_AXES = 8 };

typedef enum tct_ir_op {
#define OP(id, ...) TCT_IR_##id,
#include "ir/ops.def"
#undef OP
    TCT_IR_N_OPS
} tct_ir_op;

typedef enum tct_ir_class {
    TCT_CLASS_LEAF,
    TCT_CLASS_ELEMENTWISE,
    TCT_CLASS_REDUCTION,
    TCT_CLASS_CONTRACTION,
    TCT_CLASS_MOVEMENT,
    TCT_CLASS_SCAN,
    TCT_CLASS_OPAQUE,
} tct_ir_class;

enum { // tct_ir_op_info.attrs
    TCT_IR_NONE = 0,
    TCT_IR_AXES = 1,
    TCT_IR_TO = 2,
    TCT_IR_INT = 4,
    TCT_IR_FLOAT = 8,
    TCT_IR_DTYPE = 16,
    TCT_IR_NAME = 32,
    TCT_IR_BODY = 64,
};

typedef enum tct_ir_rule {
    TCT_IR_RULE_SAME,
    TCT_IR_RULE_BOOL,
    TCT_IR_RULE_LOGIC,
    TCT_IR_RULE_FLOATING,
    TCT_IR_RULE_ATTR,
    TCT_IR_RULE_FIRST,
    TCT_IR_RULE_INDEX,
    TCT_IR_RULE_SPECIAL,
} tct_ir_rule;

typedef struct tct_ir_op_info {
    const char *id, *name;
    int arity; // -1: any
    tct_ir_class cls;
    unsigned attrs;
    tct_ir_rule rule;
    const char *derivative, *doc;
} tct_ir_op_info;
extern const tct_ir_op_info tct_ir_ops[TCT_IR_N_OPS];
// What one result of an elementwise operation or one element of a reduction costs, in additions: a division
// or a root 6, exp, log, tanh and their like 16, a random number 60, the rest 1.
int tct_ir_op_cost(tct_ir_op op);
// TCT_IR_N_OPS when there is no such operation.
tct_ir_op tct_ir_op_by_name(const char *name, size_t len);

// An axis is a name and a size, interned in the module: equal ids are equal axes. Size 0: not known.
typedef uint32_t tct_axis; // index into module->axes
typedef struct tct_axis_info {
    const char *name;
    int64_t size;
} tct_axis_info;

typedef uint32_t tct_value; // node index in its graph
#define TCT_NO_VALUE UINT32_MAX

struct tct_graph;

typedef struct tct_ir_attr {
    uint8_t n_axes, n_to;
    tct_axis axes[TCT_IR_MAX_AXES], to[TCT_IR_MAX_AXES];
    int64_t i, step;
    double f;
    tct_dtype dtype;
    const char *name;
    struct tct_graph *body;
} tct_ir_attr;

typedef struct tct_node {
    uint16_t op; // tct_ir_op
    uint8_t dtype, n_axes;
    bool bundle; // several results, read with get; dtype and axes unused
    uint32_t n_in;
    tct_value *in;
    tct_axis *axes; // of the result, outermost first: this order is its layout in memory
    tct_ir_attr attr;
    tct_span span;    // the source that caused it
    const char *pass; // the pass that made it, NULL: the frontend
} tct_node;

typedef struct tct_output {
    const char *name;
    tct_value value;
    int32_t alias; // number of the input whose memory it may take over (donated by the caller), or -1
} tct_output;

// What several graphs share: axes, strings, memory. Owner: whoever made it; graphs live in its arena. One
// thread.
typedef struct tct_ir_module {
    tct_arena arena;
    TCT_VEC(tct_axis_info) axes;
    TCT_VEC(struct tct_graph *) graphs; // all that were made in it
} tct_ir_module;

// A graph. Nodes stand in topological order: operands before users. Inputs are nodes of op INPUT, in any
// place; inputs[k] is the node with attr.i == k.
typedef struct tct_graph {
    tct_ir_module *module;
    const char *name;
    TCT_VEC(tct_node) nodes; // heap, as the next two; released with the module
    TCT_VEC(tct_value) inputs;
    TCT_VEC(tct_output) outputs;
    // Stamped on every node made while set.
    tct_span span;
    const char *pass;
    bool mixed; // its author wants large products in bf16; for who chooses the passes
} tct_graph;

tct_ir_module *tct_ir_module_new(void);
void tct_ir_module_free(tct_ir_module *m); // and every graph made in it
// Frees all graphs but the first so many: nothing may refer to the others any more.
void tct_ir_module_drop(tct_ir_module *m, size_t first);
// A graph of the module; freed with it. Bodies of scans and fused groups are graphs of the same module.
tct_graph *tct_graph_new(tct_ir_module *m, const char *name);
// Deep copy, bodies included, in the same module.
tct_graph *tct_graph_copy(const tct_graph *g, const char *name);

tct_axis tct_axis_get(tct_ir_module *m, const char *name, int64_t size);
static inline const tct_axis_info *tct_axis_of(const tct_ir_module *m, tct_axis a) {
    return &m->axes.data[a];
}
static inline const tct_node *tct_node_of(const tct_graph *g, tct_value v) { return &g->nodes.data[v]; }
bool tct_node_has_axis(const tct_node *n, tct_axis a);
// Elements of the result, 0 when a size is unknown (or is 0).
int64_t tct_node_elements(const tct_graph *g, const tct_node *n);
// The attributes that `op` uses are the same (bodies: equal graphs).
bool tct_ir_attr_equal(tct_ir_op op, const tct_ir_attr *a, const tct_ir_attr *b);

// Builders: append a node, with result dtype and axes inferred (ir/infer.c). Where operands don't fit
// together the error goes to `d` with the graph's current span and the value is TCT_NO_VALUE; any operand
// TCT_NO_VALUE gives TCT_NO_VALUE without a message, so that one mistake is reported once. Passes, which make
// no mistakes, give d = NULL: then a misfit is an assertion. The builders that take no `d` can't fail on user
// input.
tct_value tct_ir_emit(tct_graph *g, tct_diag *d, tct_ir_op op, const tct_value *in, uint32_t n_in,
                      const tct_ir_attr *attr);
tct_value tct_ir_input(tct_graph *g, const char *name, tct_dtype dtype, const tct_axis *axes,
                       uint32_t n_axes);
tct_value tct_ir_const(tct_graph *g, tct_dtype dtype, double value); // integers and bool: exact below 2^53
tct_value tct_ir_unary(tct_graph *g, tct_diag *d, tct_ir_op op, tct_value x);
tct_value tct_ir_binary(tct_graph *g, tct_diag *d, tct_ir_op op, tct_value a, tct_value b);
tct_value tct_ir_where(tct_graph *g, tct_diag *d, tct_value c, tct_value a, tct_value b);
tct_value tct_ir_cast(tct_graph *g, tct_value x, tct_dtype to); // x itself when it has that dtype
tct_value tct_ir_reduce(tct_graph *g, tct_diag *d, tct_ir_op op, tct_value x, const tct_axis *axes,
                        uint32_t n);
tct_value tct_ir_dot(tct_graph *g, tct_diag *d, tct_value a, tct_value b, const tct_axis *axes, uint32_t n);
tct_value tct_ir_rename(tct_graph *g, tct_diag *d, tct_value x, tct_axis from, tct_axis to);
tct_value tct_ir_broadcast(tct_graph *g, tct_value x, const tct_axis *axes,
                           uint32_t n); // x where it has them all
tct_value tct_ir_slice(tct_graph *g, tct_diag *d, tct_value x, tct_axis axis, tct_axis to, int64_t start,
                       int64_t step);
tct_value tct_ir_get(tct_graph *g, tct_value bundle, uint32_t index);
void tct_ir_output(tct_graph *g, const char *name, tct_value v, int32_t alias);

// Infers dtype, axes and `bundle` of a node whose op, operands and attributes are set; axes in the default
// order. Used by the builders, the parser and the verifier. Reports with codes E03xx.
bool tct_ir_infer(const tct_graph *g, tct_diag *d, tct_node *n, tct_span span);
// dtype and axes of result `index` of a bundle.
void tct_ir_bundle_result(const tct_graph *g, const tct_node *bundle, uint32_t index, tct_dtype *dtype,
                          tct_axis axes[TCT_IR_MAX_AXES], uint8_t *n_axes);
uint32_t tct_ir_bundle_count(const tct_node *bundle);

// Rebuilding: a pass walks `from` in order and emits into a new graph. tct_ir_copy_node appends a copy of
// node v of `from` with operands looked up in map (map[old] = new), keeping its span, pass and layout. Sets
// and returns map[v]. Its body, if any, is shared with the old graph; an input keeps its position.
tct_value tct_ir_copy_node(tct_graph *to, const tct_graph *from, tct_value v, tct_value *map);
// Appends a node that is complete (op, operands, attributes, dtype, axes; pointers into the module's arena).
tct_value tct_ir_append(tct_graph *g, const tct_node *n);

// Text form (docs/ir.md). Printing then parsing gives an equal graph. `sources` (may be NULL): print the
// source places of nodes, looked up there, and a table of the files.
void tct_ir_print(const tct_graph *g, tct_buf *out, const tct_diag *sources);
// Without the places, and without the passes that made nodes: what the graph is, and nothing of where it is
// from.
void tct_ir_print_bare(const tct_graph *g, tct_buf *out);
// Parses one graph and verifies it. NULL after reporting E0601 (text), E03xx (operands), E0603 (graph) or
// E0604 (the text is no graph at all, or ends in the middle of one). Registers the text as a source of `d`.
// The nodes' spans are the places that the text gives; if it has no table of files they point into the text
// itself. Any bytes are safe.
tct_graph *tct_ir_parse(tct_diag *d, tct_ir_module *m, const char *path, const char *text, size_t len);
// A double so that it reads back to the same bits, in as few digits as that takes: "0.1", "1e-05", "-inf",
// "nan".
void tct_ir_print_double(tct_buf *out, double x);
// Equal as graphs: same nodes in the same order with the same attributes, names of graph and spans ignored.
bool tct_ir_equal(const tct_graph *a, const tct_graph *b);
// Everything that ir.md demands of a graph. `after` names the pass for the message, may be NULL. Reports
// E0603.
bool tct_ir_verify(tct_diag *d, const tct_graph *g, const char *after);

// The manual: one operation, or all of them by class (name NULL), as Markdown. false: no such operation.
bool tct_ir_ops_manual(tct_buf *out, const char *name);

#endif
