// metrics.jsonl: one JSON object a line, on disk as soon as it is written.
#ifndef TCT_RUNTIME_METRICS_H
#define TCT_RUNTIME_METRICS_H

#include "base/diag.h"

typedef struct tct_metrics tct_metrics;

// Opens `path` for appending after its first `keep` bytes; what lies beyond is cut off (0: starts anew). A
// file shorter than `keep` is an error, since lines are missing. Reports E0702; E0830 for the short file.
// Close with tct_metrics_close.
tct_metrics *tct_metrics_open(tct_diag *d, const char *path, uint64_t keep);
void tct_metrics_close(tct_metrics *m);
// Appends one line; `text` is without its end. Reports E0702.
bool tct_metrics_line(tct_diag *d, tct_metrics *m, const char *text, size_t len);
// Length of the file.
uint64_t tct_metrics_bytes(const tct_metrics *m);

// Appends `s` as a JSON string, quotes included.
void tct_json_string(const char *s, size_t len, tct_buf *out);
// Appends a number that reads back as `f`; null when it isn't finite.
void tct_json_number(double f, tct_buf *out);

#endif
