// Internal to driver/page*.c: what the page shows, as JSON. driver/page/model.js reads it.
#ifndef TCT_DRIVER_PAGE_DATA_H
#define TCT_DRIVER_PAGE_DATA_H

#include "codegen/compile.h"

#include <jansson.h>

// Things that are written once and referred to by number.
typedef struct tct_page_table {
    json_t *list; // in the order of their numbers
    json_t *ids;  // number by key
} tct_page_table;

typedef struct tct_page_data {
    tct_diag *d;
    tct_compiler *compiler;
    tct_page_table strings, spans, sources, kernels;
    tct_buf scratch;
    tct_arena arena;
} tct_page_data;

void tct_page_data_begin(tct_page_data *p, tct_diag *d, tct_compiler *compiler);
void tct_page_data_end(tct_page_data *p);

// The number of `key`; where it is new, the caller appends its entry to the list.
uint32_t tct_page_number(tct_page_table *t, const char *key, bool *fresh);

// A string as JSON; bytes that are no UTF-8 become '?'.
json_t *tct_page_string(const char *s, size_t len);
uint32_t tct_page_intern(tct_page_data *p, const char *s, size_t len);
// The number of a span: [source, line, column, line, column behind it]; -1 without a place.
int32_t tct_page_span(tct_page_data *p, tct_span span);

// The number of a source among those of the page, which it is one of from now on.
uint32_t tct_page_source(tct_page_data *p, uint32_t file);
bool tct_page_has_source(const tct_page_data *p, uint32_t file);

// One version of a graph as columns, nodes of bodies included (driver/page_ir.c). With a plan (else NULL) and
// its origin, the bodies of scans are those that were planned.
json_t *tct_page_version(tct_page_data *p, const tct_graph *g, const tct_plan *plan,
                         const tct_plan_origin *origin);

// A plan, the plans of its scans within it (driver/page_plan.c).
json_t *tct_page_plan(tct_page_data *p, const tct_plan *plan, const tct_plan_origin *origin);

// {"text", "at"}: a kernel's text without the places in it, and these as runs of lines: [how many, source or
// -1, line, …] (driver/page_text.c). Changes `text`.
json_t *tct_page_kernel_text(tct_page_data *p, char *text, bool assembly);

#endif
