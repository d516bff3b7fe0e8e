// What a report's page draws, as text of a script.
#ifndef TCT_RUNTIME_REPORT_DATA_H
#define TCT_RUNTIME_REPORT_DATA_H

#include "runtime/program.h"

#include <jansson.h>

// Appends [{"name", "doc", "metrics": {name: {"count", "kept", "points": [[step, value], …]}}, "samples"},
// …], a stage each; it may stand inside <script>. Long curves keep every kept-th point. `samples` as in
// report.h. Reports E0701 and E0708.
bool tct_report_data(tct_diag *d, const tct_program *p, const char *metrics, const json_t *samples,
                     tct_buf *out);

#endif
