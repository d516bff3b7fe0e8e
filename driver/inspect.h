// What is inside of an executable that `tercet build` made.
#ifndef TCT_DRIVER_INSPECT_H
#define TCT_DRIVER_INSPECT_H

#include "driver/elf.h"
#include "runtime/image.h"

typedef struct tct_inspected_kernel {
    const char *symbol;
    uint32_t sets;  // bit i: the plans of the image's variant i run it
    uint64_t bytes; // of code; 0 when the file doesn't tell
} tct_inspected_kernel;

// A C function that the program calls, from stage code or from a graph.
typedef struct tct_inspected_foreign {
    const char *symbol, *library; // library: NULL for the program itself
} tct_inspected_foreign;

// Everything is in the arena of the diag that it was made with, or in the mapped file. Zero-initialise;
// release with tct_inspection_close.
typedef struct tct_inspection {
    tct_elf elf;
    size_t image_bytes;
    tct_image image;
    TCT_VEC(tct_inspected_kernel) kernels;   // ascending by symbol
    TCT_VEC(tct_inspected_foreign) foreigns; // each once, as they are met
    tct_span *called_at;                     // of each of the program's plans: where stage code runs it first
} tct_inspection;

// false after reporting E0701, E0715 or E0716. The sources become those of `d`, which must have had none.
bool tct_inspect(tct_diag *d, const char *path, tct_inspection *out);
void tct_inspection_close(tct_inspection *x);

// Steps of a plan and of the bodies of its scans.
uint32_t tct_inspect_steps(const tct_plan *plan);
// Kernels of variant i (UINT32_MAX: of any) and their code.
uint32_t tct_inspect_kernels(const tct_inspection *x, uint32_t variant, uint64_t *bytes);

typedef struct tct_inspect_options {
    bool plan, source; // with the plans' and the sources' text
} tct_inspect_options;

// Appended as text for a person, or as one JSON object.
void tct_inspect_text(const tct_diag *d, const tct_inspection *x, const tct_inspect_options *o, tct_buf *out);
void tct_inspect_json(const tct_diag *d, const tct_inspection *x, const tct_inspect_options *o, tct_buf *out);

// "examples/a.tct:12:3", in the arena; NULL for no place.
const char *tct_inspect_place(const tct_diag *d, tct_arena *a, tct_span span);

#endif
