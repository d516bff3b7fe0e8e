// Elaboration: from syntax trees to tensor IR and programs. One walk evaluates what is static, builds IR for
// what is tensor, and reports what doesn't fit.
#ifndef TCT_FRONTEND_ELAB_H
#define TCT_FRONTEND_ELAB_H

#include "base/setting.h"
#include "frontend/ast.h"
#include "ir/ir.h"

typedef struct tct_elab tct_elab;

// `package` and `d` outlive it. Evaluates the config with the overrides in `sets`; reports E04xx (unknown key
// with the nearest one, wrong type, out of range). Always returns an elaborator; d->n_errors tells.
tct_elab *tct_elab_new(tct_diag *d, const tct_package *package, const tct_setting *sets, size_t n_sets);
void tct_elab_free(tct_elab *e);

struct tct_stage_hooks;
// Types, shapes and config of every item of the package's own files, or of the library too. With `hooks`
// (frontend/stage.h; may be NULL) its pipelines too, whose tokenizers and model folders are then read.
bool tct_check(tct_diag *d, const tct_package *package, const tct_setting *sets, size_t n_sets, bool library,
               const struct tct_stage_hooks *hooks);

// Builds graph `name` with inputs for its parameters (a model's dotted: "m.block.0.qkv"), results as outputs
// ("out" for one unnamed), and for each inout parameter its tensors as further outputs, aliased to their
// inputs. `settings` give axis sizes ("B"), hyper-parameters ("m.layers") and static arguments
// ("shift_mean"); axes not given have size 0 (unknown) and print as such. A scalar tensor parameter with
// value NULL takes its default and becomes no input. NULL after reporting.
tct_graph *tct_elab_graph(tct_elab *e, tct_ir_module *m, const char *name, const tct_setting *settings,
                          size_t n);

// A model among the parameters of the graph built last: its tensors are the inputs from first_input on, in
// the order of desc->params, whose axes have size 0 where it isn't known. In the elaborator's arena.
struct tct_model_desc;
typedef struct tct_graph_model {
    const char *name; // of the graph's parameter
    uint32_t first_input;
    const struct tct_model_desc *desc;
} tct_graph_model;
const tct_graph_model *tct_elab_graph_models(const tct_elab *e, size_t *n);

// The parameters of a graph as eval needs them: a tensor by name with its declared axes.
typedef struct tct_graph_param {
    const char *name;
    const char *type; // "f32", "int", "axis", "Gpt2"
    // is_static: int, float, bool or string, or an axis (is_axis). has_value: a scalar tensor whose default
    // is the number `value`; other defaults are expressions.
    bool is_static, is_axis, is_model, has_default, has_value, rest;
    double value;
    tct_dtype dtype;
    uint32_t n_axes;
    const char *const *axes;
    const tct_item *model; // is_model: its item
} tct_graph_param;
// In the elaborator's arena. NULL (and E0201 with the nearest name) when there is no such graph.
const tct_graph_param *tct_elab_params(tct_elab *e, const char *graph, size_t *n);

// The built-in operations of graphs and conversions, one after the other; false past the last. In static
// memory.
typedef struct tct_operation {
    const char *name, *doc;
    const char *usage; // "sum(x, T) or sum(x, [B, T])"; NULL: it takes a tensor
} tct_operation;
bool tct_operation_at(size_t k, tct_operation *out);

#endif
