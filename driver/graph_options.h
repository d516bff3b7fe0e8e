// Options of the commands that name a graph of a file.
#ifndef TCT_DRIVER_GRAPH_OPTIONS_H
#define TCT_DRIVER_GRAPH_OPTIONS_H

#include "driver/graphs.h"

#include <argp.h>

typedef struct tct_graph_options {
    const char *file, *graph;
    bool no_graph; // --graph may be missing
    TCT_VEC(tct_setting) sets;
    TCT_VEC(tct_setting) axes;
    TCT_VEC(tct_setting) models;
} tct_graph_options;

// FILE, --graph, --set, --axis and --model; the input of this child is a tct_graph_options.
extern const struct argp tct_graph_argp;

// Borrows from `o`.
tct_graph_request tct_graph_options_request(const tct_graph_options *o);
void tct_graph_options_free(tct_graph_options *o);

#endif
