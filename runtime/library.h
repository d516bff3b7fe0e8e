// Finding the shared libraries that foreign functions live in.
#ifndef TCT_RUNTIME_LIBRARY_H
#define TCT_RUNTIME_LIBRARY_H

#include "base/diag.h"

// Finds `symbol` in the library `path` (NULL or "": the program itself). Looks for the library at `path`,
// from `folder` (NULL: the current one) unless it is absolute; then for its last part in the program's folder
// and in the folder `examples` there, where a build of this repository puts the libraries of its examples;
// then leaves its last part to the system. The library stays open as long as the process. NULL after
// reporting E0850: where it looked, or that the library lacks the function.
void *tct_library_symbol(tct_diag *d, const char *folder, const char *path, const char *symbol);

#endif
