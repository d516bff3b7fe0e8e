// An image: a program with its sources and its plans as bytes, for a file or the section of an executable.
// Little-endian, no pointers, nothing that depends on when, where or at which addresses it was made.
//
//     offset  bytes
//          0      8  89 "TCTIMG" 0A
//          8      4  format, TCT_IMAGE_FORMAT
//         12      4  bytes of this header
//         16     32  version of Tercet that wrote it, filled up with zeros
//         48      8  fingerprint of the tables that numbers in it refer to: instructions, built-ins, dtypes
//         56      8  bytes of the whole image
//         64      8  XXH3 of all of it but these eight bytes
//         72      …  strings, sources, plans, variants, program
//
// What follows the header is written field by field (runtime/image_codec.h).
#ifndef TCT_RUNTIME_IMAGE_H
#define TCT_RUNTIME_IMAGE_H

#include "runtime/isa.h"
#include "runtime/program.h"

#define TCT_IMAGE_SECTION ".tercet" // of an executable

enum { TCT_IMAGE_FORMAT = 1 }; // one more whenever the fields change

// Source number i is file i + 1 of the program's and the plans' places, as tct_diag_add_source counts.
typedef struct tct_image_source {
    const char *path, *text; // `text` NUL-terminated
    size_t len;
} tct_image_source;

// The program's plans compiled for one instruction set.
typedef struct tct_image_variant {
    tct_isa isa;
    const tct_plan *const *plans; // program.n_plans of them
} tct_image_variant;

typedef struct tct_image {
    const char *version; // of the Tercet that made it
    tct_program program; // plans: those of the variant that was chosen, or NULL
    uint32_t n_sources, n_variants;
    const tct_image_source *sources;
    const tct_image_variant *variants; // ascending instruction sets, each at most once
} tct_image;

// Appends the image. Equal plans, of one variant or several, are stored once. The version written is that of
// this Tercet; image->version and image->program.plans are not looked at. Equal images give equal bytes.
void tct_image_write(const tct_image *image, tct_buf *out);

// Bytes that the image at `bytes` says it has; 0 when none begins there.
uint64_t tct_image_length(const void *bytes, size_t n);

// Reads an image of exactly `n` bytes. Everything in *out lives in `a` and nothing in `bytes`. `name` says in
// messages where it comes from. Nothing is believed before it was checked: a program and plans that come out
// stay within their tables and buffers when they run, whatever `bytes` was. Kernels and foreign functions
// have no addresses yet, program.plans is NULL. false after reporting E0715 (no image, truncated, damaged,
// malformed) or E0716 (of another version of Tercet).
bool tct_image_read(tct_diag *d, tct_arena *a, const char *name, const void *bytes, size_t n, tct_image *out);

#endif
