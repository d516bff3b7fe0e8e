// The object that makes a library for C programs of kernels, image and library runtime.
#ifndef TCT_CODEGEN_LIBRARY_H
#define TCT_CODEGEN_LIBRARY_H

#include "codegen/jit.h"
#include "runtime/linked.h"

typedef struct tct_library_parts {
    tct_linked_library table;
    const char *const *functions; // table.n_graphs: the C function of each graph
} tct_library_parts;

// One object that defines tct_linked_library_table and the functions of graphs: status f(context, inputs,
// outputs). false after reporting E0841.
bool tct_library_objects(tct_diag *d, const tct_library_parts *parts, tct_objects *out);

#endif
