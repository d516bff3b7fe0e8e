// What `tercet build` links into a trainer beside the runtime: the image, and the functions that were
// compiled for it. codegen/bundle.h makes the object that defines them.
#ifndef TCT_RUNTIME_LINKED_H
#define TCT_RUNTIME_LINKED_H

#include "runtime/image.h"

// A kernel by the symbol that plans name it by, or the caller (runtime/caller.h) of foreign functions of one
// type, TCT_LINKED_CALLER and its signature.
typedef struct tct_linked_function {
    const char *symbol;
    void *address;
} tct_linked_function;

#define TCT_LINKED_CALLER "tct_call_" // a prefix

extern const unsigned char tct_linked_image[]; // runtime/image.h, in section TCT_IMAGE_SECTION
extern const uint64_t tct_linked_image_bytes;
extern const tct_linked_function tct_linked_functions[]; // ascending by strcmp of their symbols
extern const uint64_t tct_linked_n_functions;

// Reads the image into *out, in d's arena, and its sources into `d`, which must have none. `what` says in
// messages whose it is: "this trainer". E0715, E0716.
bool tct_linked_read(tct_diag *d, const char *what, tct_image *out);

// Gives image->program the plans of the best instruction set that is at most `limit` and that this processor
// has, and all their functions. E0845 when there is none, E0850 when a foreign function is missing.
bool tct_linked_choose(tct_diag *d, const char *what, tct_image *image, tct_isa limit);

#endif
