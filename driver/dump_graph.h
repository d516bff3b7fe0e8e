// The graph that a command is about: one of a file, or one of those that a pipeline of it runs.
#ifndef TCT_DRIVER_DUMP_GRAPH_H
#define TCT_DRIVER_DUMP_GRAPH_H

#include "driver/graphs.h"
#include "frontend/stage.h"

// Zero-initialise; release with tct_dump_graph_close, which frees the graph. The request must outlive it.
typedef struct tct_dump_graph {
    tct_graph *graph;
    tct_graph_file file; // of a graph of the file
    // Of a pipeline's:
    tct_package package;
    tct_elab *elab;
    tct_ir_module *module;
    tct_draft *draft;
} tct_dump_graph;

// Graph r->graph of the file or, where `pipeline` is given, of that pipeline: by its name as tct_dump_list
// has it. The latter has its gradients and the updates of `minimize` in it. False after reporting (E0201,
// E05xx).
bool tct_dump_graph_open(tct_diag *d, const tct_graph_request *r, const char *pipeline, tct_dump_graph *out);
// The whole of `pipeline` (NULL: the only one) in out->draft, and no graph.
bool tct_dump_pipeline_open(tct_diag *d, const tct_graph_request *r, const char *pipeline,
                            tct_dump_graph *out);
void tct_dump_graph_close(tct_dump_graph *g);

// The name of a draft's graph: its own, with a number where an earlier one has it. In the arena.
const char *tct_dump_graph_name(tct_arena *a, const tct_draft *draft, uint32_t graph);
// The stage that instruction `at` is in, NULL: none.
const char *tct_dump_stage_at(const tct_program *p, uint32_t at);

// Appends the graphs of a file with their parameters, and its pipelines; or the graphs of `pipeline` with the
// stages that run them.
bool tct_dump_list(tct_diag *d, const tct_graph_request *r, const char *pipeline, tct_buf *out);

#endif
