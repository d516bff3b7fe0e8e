// Many places of sources at once, as the lines that they lie in.
#ifndef TCT_BASE_PLACES_H
#define TCT_BASE_PLACES_H

#include "base/diag.h"

// Appends "examples/loss/margin.tct:4, 6-8; std/core.tct:12": each line once, in order, files in the order of
// their paths. Spans without a place are left out; nothing is appended where none has one.
void tct_places_print(const tct_diag *sources, const tct_span *spans, size_t n, tct_buf *out);

#endif
