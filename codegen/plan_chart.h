// The memory plan as a chart of time and address.
#ifndef TCT_CODEGEN_PLAN_CHART_H
#define TCT_CODEGEN_PLAN_CHART_H

#include "codegen/compile.h"

// Appends, for the plan and then for those of its scans: a chart with a row for every step (or for several,
// in long plans: that which needs most) and a column for every range of addresses of the arena, a table of
// what lies there, and what the caller gives. `origin` and `sources` may be NULL: without lines of the
// source.
void tct_plan_print_memory(const tct_plan *plan, const tct_plan_origin *origin, const tct_diag *sources,
                           tct_buf *out);

#endif
