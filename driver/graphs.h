// Graphs of a file, built from what the command line says: what `eval` and `dump` share.
#ifndef TCT_DRIVER_GRAPHS_H
#define TCT_DRIVER_GRAPHS_H

#include "frontend/elab.h"
#include "passes/passes.h"
#include "runtime/tensor.h"

typedef struct tct_graph_request {
    const char *file, *graph;
    // --set: config values, hyper-parameters ("m.layers"), static and scalar arguments, names for `..`
    // ("x.rest" = "B T").
    const tct_setting *sets;
    size_t n_sets;
    const tct_setting *axes; // --axis: sizes by name
    size_t n_axes;
    const tct_setting *models; // --model: a Hugging Face folder for a model parameter
    size_t n_models;
} tct_graph_request;

// A file that was loaded and one of its graphs. Zero-initialise; release with tct_graph_close, which frees
// every graph that was built. The request must outlive it.
typedef struct tct_graph_file {
    const tct_graph_request *request;
    tct_package package;
    tct_elab *elab;
    tct_ir_module *module;
    const tct_graph_param *params;
    size_t n_params;
    TCT_VEC(tct_setting) given; // of the request, as the elaborator takes them
} tct_graph_file;

// Loads the file, evaluates its config, reads the hyper-parameters that folders give, and checks that every
// name on the command line means something. false after reporting.
bool tct_graph_open(tct_diag *d, const tct_graph_request *r, tct_graph_file *out);
void tct_graph_close(tct_graph_file *f);

// The graph with what was given and `n` further settings. NULL after reporting.
tct_graph *tct_graph_build(tct_diag *d, tct_graph_file *f, const tct_setting *more, size_t n);

const tct_item *tct_graph_item(const tct_graph_file *f); // the graph in its file
const tct_graph_param *tct_graph_param_named(const tct_graph_file *f, const char *name); // NULL: none
// A scalar argument given with --set, NULL when there is none.
const char *tct_graph_given(const tct_graph_file *f, const char *name);

// The number that --set gives a scalar tensor, or its default. false after reporting that the text is no
// number of its dtype.
bool tct_graph_scalar(tct_diag *d, const tct_graph_file *f, const tct_graph_param *p, double *out);

// The graph with a gradient of its first result for every float input: passes before differentiation, then
// autodiff; `trace` may be NULL. NULL after reporting: the first result is no float scalar, or an operation
// has no derivative.
tct_graph *tct_graph_gradient(tct_diag *d, tct_graph *g, const tct_pass_trace *trace);

// Reports the axes whose sizes a graph's inputs leave unknown, and how to give them. True when there are
// none.
bool tct_graph_sizes_known(tct_diag *d, const tct_graph_file *f, const tct_graph *g);

// "NAME=VALUE" of an option in two; false when there is no name or no "=". Changes `text`.
bool tct_split_setting(char *text, tct_setting *out);

#endif
