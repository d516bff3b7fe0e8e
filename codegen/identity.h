// Who generates the code: the name that cached objects carry.
#ifndef TCT_CODEGEN_IDENTITY_H
#define TCT_CODEGEN_IDENTITY_H

#include "base/buf.h"

#include <stdbool.h>

// Appends a line without its end that differs whenever the code generators may differ: a hash of the running
// executable, LLVM's version, size and time of LLVM's library. Nobody has to count a version up. False, and
// nothing appended, when one of them cannot be read; `*why` then is a static text. Thread-safe.
bool tct_codegen_identity(tct_buf *out, const char **why);

#endif
