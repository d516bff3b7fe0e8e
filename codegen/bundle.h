// The object that, beside kernels, makes a trainer of the runtime.
#ifndef TCT_CODEGEN_BUNDLE_H
#define TCT_CODEGEN_BUNDLE_H

#include "codegen/jit.h"

typedef struct tct_bundle {
    const void *image; // runtime/image.h
    size_t image_bytes;
    const char *const *kernels; // symbols, each defined by another object
    size_t n_kernels;
    const char *const
        *signatures; // types of foreign functions that are called, as runtime/caller.h spells them
    size_t n_signatures;
    const char *const *foreigns; // names of foreign functions that are linked, defined by other objects
    size_t n_foreigns;
} tct_bundle;

// Objects that define what runtime/linked.h declares: the image, the table of functions, callers of foreign
// functions. Neither order nor repetition of names matters. false after reporting E0841.
bool tct_bundle_objects(tct_diag *d, const tct_bundle *bundle, tct_objects *out);

#endif
