// `tercet build --lib`: graphs and a pipeline as a C header and a static library.
#ifndef TCT_DRIVER_LIBRARY_H
#define TCT_DRIVER_LIBRARY_H

#include "driver/graphs.h"
#include "driver/jit_options.h"
#include "runtime/isa.h"
#include "runtime/linked.h"

typedef TCT_VEC(tct_setting) tct_settings;

// A graph that becomes a function.
typedef struct tct_library_graph {
    const char *graph, *as; // as: the function's name; NULL: the graph's, with _grad for one with gradients
    bool gradients;
    tct_settings sets, axes, models; // as of eval and dump, beside those of all graphs
} tct_library_graph;

typedef struct tct_library_request {
    const char *file;
    const char *out; // path without ending: out.h and out.a; its last part is the library's name
    tct_settings sets, axes, models; // of all graphs; sets: of the pipeline as well
    TCT_VEC(tct_library_graph) graphs;
    const char *pipeline; // the pipeline that becomes a function
    bool no_pipeline;     // none does; otherwise NULL stands for the only one
    const char *linker;   // NULL: as tct_linker finds it
    const tct_isa *isas;  // ascending
    uint32_t n_isas;
    int threads; // that compile
    tct_jit_options jit;
} tct_library_request;

void tct_library_request_free(tct_library_request *r); // the vectors

// Writes both files, each complete or not at all. The same input gives the same bytes. false after reporting.
bool tct_library_build(tct_diag *d, const tct_library_request *r);

// A pointer in a function's structure.
typedef struct tct_library_field {
    const char *name;     // a C identifier
    const char *standing; // what NULL stands for, as text; NULL: nothing
} tct_library_field;

typedef struct tct_library_function {
    const char *name; // "margin_loss"; in C with the library's name before it
    const char *graph, *doc;
    bool gradients;
    const tct_plan *plan; // its ports
    const tct_library_field *inputs, *outputs;
} tct_library_function;

// What was compiled, for the header and the description.
typedef struct tct_library_contents {
    const char *name, *upper, *file;
    const tct_library_function *functions;
    uint32_t n_functions;
    const tct_program *program; // with the pipeline; NULL: none
    tct_linked_library table;   // but for abi and description
} tct_library_contents;

// library_names.c: C identifiers for everything in the contents' functions, which have graph, plan, gradients
// and `name` as it was asked for, or NULL. false after reporting a name that can't be used.
bool tct_library_names(tct_diag *d, tct_library_contents *x, tct_library_function *functions);
// Whether a text can be the name of something in C.
bool tct_is_c_name(const char *s);

// Appends NAME.h, and the number that it calls its ABI.
uint64_t tct_library_header(const tct_library_contents *x, tct_buf *out);
// Appends the description as JSON.
void tct_library_describe(const tct_library_contents *x, uint64_t abi, tct_buf *out);

#endif
