// `tercet dump --format html`: one page that shows graphs from their source to machine code.
#ifndef TCT_DRIVER_PAGE_H
#define TCT_DRIVER_PAGE_H

#include "frontend/ast.h"
#include "frontend/stage.h"
#include "ir/ir.h"

// A graph with known sizes, as the frontend made it.
typedef struct tct_page_graph {
    const char *name, *about; // about: what runs it ("sft, line 288"), NULL: nothing to tell
    tct_graph *graph;
    const char *const *inputs; // names to show for them, NULL: their own
} tct_page_graph;

typedef struct tct_page_request {
    const char *title;
    const tct_package *package; // whose functions and models the page tells apart
    const char *isa;            // as for tct_compiler_new
    bool grad;                  // differentiate first
    const tct_page_graph *graphs;
    uint32_t n_graphs;
} tct_page_request;

// Runs the passes on every graph, plans and compiles it, and appends the page that shows all of it: HTML that
// needs no other file and no network. false after reporting what compiling reports.
bool tct_page_write(tct_diag *d, const tct_page_request *r, tct_buf *out);

// The graphs of a program for a page, in the arena of `d`, its inputs named after what they are bound to.
const tct_page_graph *tct_page_program_graphs(tct_diag *d, const tct_draft *draft);

#endif
