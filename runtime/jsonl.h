// JSON lines, plain or gzipped: one value a line. CRLF, a BOM and blank lines are fine.
#ifndef TCT_RUNTIME_JSONL_H
#define TCT_RUNTIME_JSONL_H

#include "base/diag.h"

#include <jansson.h>

typedef enum tct_read { TCT_READ_OK, TCT_READ_END, TCT_READ_ERROR } tct_read;

// Not thread-safe.
typedef struct tct_jsonl tct_jsonl;

// Opens `path` (gzip is recognised by its first bytes). Reports E0701 and returns NULL.
tct_jsonl *tct_jsonl_open(tct_diag *d, const char *path);
void tct_jsonl_close(tct_jsonl *r);
// Number, from 1, of the line read last.
uint32_t tct_jsonl_line(const tct_jsonl *r);
const char *tct_jsonl_path(const tct_jsonl *r);

// The next line without its end, valid until the next call; blank lines come too. Reports E0701 (unreadable,
// broken gzip) or E0708 (longer than 256 MiB).
tct_read tct_jsonl_next_line(tct_diag *d, tct_jsonl *r, const char **text, size_t *len);
// The next line that isn't blank, parsed; the caller owns *out (json_decref). Reports E0708 with
// path:line:column.
tct_read tct_jsonl_next(tct_diag *d, tct_jsonl *r, json_t **out);

#endif
