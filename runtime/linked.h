// What `tercet build` links into a trainer beside the runtime: the image, and the functions that were
// compiled for it. codegen/bundle.h makes the object that defines them.
#ifndef TCT_RUNTIME_LINKED_H
#define TCT_RUNTIME_LINKED_H

#include "runtime/image.h"

// A kernel by the symbol that plans name it by; the caller (runtime/caller.h) of foreign functions of one
// type, TCT_LINKED_CALLER and its signature; or a foreign function that was linked, TCT_LINKED_FOREIGN and
// its name.
typedef struct tct_linked_function {
    const char *symbol;
    void *address;
} tct_linked_function;

#define TCT_LINKED_CALLER "tct_call_" // prefixes
#define TCT_LINKED_FOREIGN "tct_foreign_"

extern const unsigned char tct_linked_image[]; // runtime/image.h, in section TCT_IMAGE_SECTION
extern const uint64_t tct_linked_image_bytes;
extern const tct_linked_function tct_linked_functions[]; // ascending by strcmp of their symbols
extern const uint64_t tct_linked_n_functions;

// What a library of `tercet build --lib` carries beside that; made by codegen/library.h.
typedef struct tct_linked_default { // the value of an input for which the caller gives NULL
    uint32_t graph, input;
    uint64_t bits; // the element's bytes, from the first on
} tct_linked_default;

typedef struct tct_linked_library {
    uint64_t abi;
    const char *description; // JSON
    // Working memory of any graph: the plan's arena, scratch of each thread, what threads share. Multiples
    // of 64.
    uint64_t arena_bytes, scratch_bytes, shared_bytes;
    uint64_t first_plan, n_graphs; // graph i is the program's plan number first_plan + i
    uint64_t n_defaults;
    const tct_linked_default *defaults;
} tct_linked_library;

extern const tct_linked_library tct_linked_library_table;

// Reads the image into *out, in d's arena, and its sources into `d`, which must have none. `what` says in
// messages whose it is: "this trainer". E0715, E0716.
bool tct_linked_read(tct_diag *d, const char *what, tct_image *out);

// Gives image->program the plans of the best instruction set that is at most `limit` and that this processor
// has, and all their functions, those of libraries that weren't linked from image->program.folder. E0845 when
// there is none, E0850 when a foreign function is missing.
bool tct_linked_choose(tct_diag *d, const char *what, tct_image *image, tct_isa limit);

#endif
