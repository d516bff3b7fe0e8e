// What a pass did to a graph, as a difference of texts.
#ifndef TCT_IR_DIFF_H
#define TCT_IR_DIFF_H

#include "ir/ir.h"

// Appends a unified difference of the text forms. Nodes keep the numbers that they had before, new ones get
// numbers above, and nodes of `after` stand in the order of `before` as far as their operands allow, so that
// nothing shows but what is different: where a node is from doesn't count, and is shown all the same, places
// as far as `sources` (may be NULL) has them, unless `bare`. `name`: of the pass, for the head. Returns
// false, and appends nothing, where there is no difference.
bool tct_ir_diff(const tct_graph *before, const tct_graph *after, const char *name, const tct_diag *sources,
                 bool bare, tct_buf *out);

#endif
