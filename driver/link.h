// Linking object code to an executable, with a linker and without a compiler.
#ifndef TCT_DRIVER_LINK_H
#define TCT_DRIVER_LINK_H

#include "base/diag.h"
#include "codegen/jit.h"

// The linker to use: `wanted`, a path or a name to look for in PATH, or when that is NULL the first of
// ld.lld-19, ld.lld and ld that is there. In d's arena; NULL after reporting E0846.
const char *tct_linker(tct_diag *d, const char *wanted);

// Links the trainer runtime, `objects`, the user's object files and archives `more` and the system's libc and
// libm to the executable `out`, which appears when it is complete or not at all. Its bytes depend on the
// objects and files, the runtime, the linker and the libraries alone. false after reporting E0702 (cannot be
// written), E0846 (no runtime, no libc) or E0847 (the linker failed; with its words).
bool tct_link_trainer(tct_diag *d, const char *linker, const tct_objects *objects, const char *const *more,
                      size_t n_more, const char *out);

// Links the library runtime and `objects` to one relocatable object, appended to `out`: what the `roots`
// (at least one) need and no more. It works in a folder beside `beside`. Errors as above.
bool tct_link_library(tct_diag *d, const char *linker, const tct_objects *objects, const char *beside,
                      const char *const *roots, size_t n_roots, tct_buf *out);

#endif
