// What the files here share.
#ifndef TCT_LIBRARY_LIBRARY_H
#define TCT_LIBRARY_LIBRARY_H

#include "library/api.h"
#include "runtime/image.h"

// As messages call it.
#define TCT_LIBRARY_ITSELF "this library"

enum { TCT_LIBRARY_MAX_THREADS = 1024 };

// What the first error that was reported means to the caller.
tct_library_status tct_library_status_of(const tct_diag *d);

// The instruction set that `isa` names as a limit; NULL: none. E0903.
bool tct_library_limit(tct_diag *d, const char *isa, tct_isa *out);
bool tct_library_threads(tct_diag *d, int threads); // E0903

// Called by the functions of graphs, which codegen/library.h makes: graph number `graph` on structures of
// pointers.
tct_library_status tct_library_call(tct_library_context *context, uint32_t graph, void *const *inputs,
                                    void *const *outputs);

#endif
