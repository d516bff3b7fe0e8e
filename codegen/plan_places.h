// Which lines of the source the steps of a plan are for: all that were fused into one, not the first alone.
#ifndef TCT_CODEGEN_PLAN_PLACES_H
#define TCT_CODEGEN_PLAN_PLACES_H

#include "codegen/compile.h"

// Appends the lines of a step ("examples/loss/margin.tct:4, 6-8"); nothing where none are known. `origin` is
// the plan's, or NULL.
void tct_step_places(const tct_plan *plan, const tct_plan_origin *origin, uint32_t step,
                     const tct_diag *sources, tct_buf *out);
// The plan as tct_plan_print has it, with these lines as comments. `sources` NULL: without.
void tct_plan_print_places(const tct_plan *plan, const tct_plan_origin *origin, const tct_diag *sources,
                           tct_buf *out);

#endif
