// Internal to driver/page*.c: what the page shows, as JSON. driver/page/model.js reads it.
#ifndef TCT_DRIVER_PAGE_DATA_H
#define TCT_DRIVER_PAGE_DATA_H

#include "driver/explain.h"

#include <jansson.h>

// Things that are written once and referred to by number.
typedef struct tct_page_table {
    json_t *list; // in the order of their numbers
    json_t *ids;  // number by key
} tct_page_table;

typedef struct tct_page_data {
    tct_diag *d;
    tct_compiler *compiler;
    tct_isa isa;
    const tct_explanation *explanation; // of the graph at hand
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

// The graphs of a version: itself, then bodies. Nodes are numbered block by block.
typedef struct tct_page_block {
    const tct_graph *g;
    const tct_plan *plan; // of the graph itself and of a scan's body, where they were planned; else NULL
    const tct_plan_origin *origin;
    uint32_t first; // number of its first node
    uint32_t owner; // number of the node whose body it is, UINT32_MAX: none
} tct_page_block;

// Zero-initialise; the holder frees the list.
typedef struct tct_page_blocks {
    TCT_VEC(tct_page_block) list;
    uint32_t n_nodes;
} tct_page_blocks;

// One version of a graph as columns (driver/page_ir.c). With a plan (else NULL) and its origin, the bodies of
// scans are those that were planned.
json_t *tct_page_version(tct_page_data *p, const tct_graph *g, const tct_plan *plan,
                         const tct_plan_origin *origin, tct_page_blocks *blocks);
// By node of `after`: the node of `before` that it is, or -1 (driver/page_match.c).
json_t *tct_page_match(const tct_page_blocks *before, const tct_page_blocks *after);

// A plan of the explanation, the plans of its scans within it (driver/page_plan.c).
json_t *tct_page_plan(tct_page_data *p, const tct_explained *x);
// [from, to, reasons, why it isn't computed again, what to do]: nodes of the fused graph and strings, -1 for
// none (driver/page_apart.c).
json_t *tct_page_apart(tct_page_data *p, const tct_explained *x);

// {"text", "at"}: a kernel's text without the places in it, and these as runs of lines: [how many, source or
// -1, line, …] (driver/page_text.c). Changes `text`.
json_t *tct_page_kernel_text(tct_page_data *p, char *text, bool assembly);

#endif
