// `tercet dump --format dot`: graphs for Graphviz.
#ifndef TCT_DRIVER_DOT_H
#define TCT_DRIVER_DOT_H

#include "ir/ir.h"

// Appends the graph, bodies of fused groups and scans as clusters, with the places of `sources` as tooltips.
void tct_dot_print(const tct_graph *g, const tct_diag *sources, tct_buf *out);

#endif
