// The figures that a run ends with, as a table.
#ifndef TCT_RUNTIME_SUMMARY_H
#define TCT_RUNTIME_SUMMARY_H

#include "base/buf.h"

#include <jansson.h>

// Appends the summary (an object of objects of numbers, strings and booleans) as text: groups with the same
// keys are the rows of one table.
void tct_summary_text(const json_t *summary, tct_buf *out);
// The same as HTML tables.
void tct_summary_html(const json_t *summary, tct_buf *out);

// Appends `s` with what HTML means something by escaped.
void tct_html_text(const char *s, tct_buf *out);

#endif
