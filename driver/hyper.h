// Hyper-parameters of models, read off the tensors that are there.
#ifndef TCT_DRIVER_HYPER_H
#define TCT_DRIVER_HYPER_H

#include "driver/graphs.h"
#include "runtime/safetensors.h"

typedef TCT_VEC(tct_setting) tct_settings;

// For each model parameter of the graph, the hyper-parameters that the tensors of `in` (called `prefix` and
// their dotted names) tell and nobody gave: an axis declared as `axis C = d` gives d, the number of parts in
// a list its count, a tensor under `if tied` a truth value. Where tensors disagree the first one counts, and
// reading the others reports it. Appends to `out`; texts are in the arena.
void tct_infer_hyper(tct_arena *a, const tct_graph_file *f, const tct_safetensors *in, const char *prefix,
                     tct_settings *out);

#endif
