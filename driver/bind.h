// Tensors for the inputs of a graph: by name, with the sizes of axes taken from them.
#ifndef TCT_DRIVER_BIND_H
#define TCT_DRIVER_BIND_H

#include "driver/graphs.h"
#include "runtime/safetensors.h"

// A graph and a tensor for each of its inputs. Zero-initialise; release with tct_bound_free.
typedef struct tct_bound {
    tct_graph_file file;
    tct_graph *graph;
    tct_tensor *inputs; // graph->inputs.len, in declared layout; floats as f64 where that was asked for
    size_t n_inputs;
} tct_bound;

// Builds the graph of `r` for the tensors of `in` (NULL: none), called `prefix` (may be "") and the
// parameter's name, a structure's dotted; names without the prefix are left alone. Scalar and static
// parameters may be 0-d tensors, given with --set, or have defaults. Models for which `r` has a folder take
// from there what `in` hasn't. `f64`: float inputs are held as f64, and the file's may be F64 as well. The
// request must outlive *out. false after reporting: E0705 (a tensor is missing, has another dtype or number
// of axes, or is taken by nobody), E0302 (two tensors that disagree on an axis), E0904 (a size nobody gives).
bool tct_bind_inputs(tct_diag *d, const tct_graph_request *r, const tct_safetensors *in, const char *prefix,
                     bool f64, tct_bound *out);
void tct_bound_free(tct_bound *b);

#endif
