// Making the symbols of a relocatable object its own business.
#ifndef TCT_DRIVER_LOCALIZE_H
#define TCT_DRIVER_LOCALIZE_H

#include "base/buf.h"

#include <stdbool.h>

typedef struct tct_export {
    const char *from, *to; // the symbol's name in the object, and the name under which everybody may see it
} tct_export;

// Appends the x86-64 ELF object `bytes` with all symbols that it defines local but for the exports, which are
// visible from other objects and from outside of a shared object. What it doesn't define it goes on asking
// for. NULL, or what is wrong with the object: something in it can't be understood, or an export is not
// defined.
const char *tct_localize(const char *bytes, size_t n, const tct_export *exports, size_t n_exports,
                         tct_buf *out);

#endif
