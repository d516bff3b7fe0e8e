// From compiled plans to all object code of an executable or a library but for the runtime.
#ifndef TCT_DRIVER_ASSEMBLE_H
#define TCT_DRIVER_ASSEMBLE_H

#include "codegen/compile.h"
#include "runtime/image.h"

// Code of all kernels of `c`, callers of foreign functions, and the image. Of `image`, the program and the
// variants count; the sources are those of `d`, the library's by a name that doesn't tell where it is
// installed. `link_foreign`: foreign functions are linked, not looked for in their libraries when the
// program starts. false after reporting.
bool tct_assemble(tct_diag *d, tct_compiler *c, const tct_image *image, bool link_foreign, tct_objects *out);

#endif
