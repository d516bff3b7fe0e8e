// How the fields of an image become bytes and bytes become fields: one function describes a structure for
// both directions, so that writer and reader can't differ. Shared by the files image*.c, of no concern to
// others.
//
// Whole numbers are LEB128, signed ones zigzag before; floats are eight bytes; a string is a number in the
// pool that comes first, 0 for none; a plan is its number among the plans.
#ifndef TCT_RUNTIME_IMAGE_CODEC_H
#define TCT_RUNTIME_IMAGE_CODEC_H

#include "runtime/image.h"

// Strings and plans that were written, each once.
typedef struct tct_image_pool tct_image_pool;

// Scans in scans, and the steps of a plan and of all bodies in it, each as often as it is referred to.
typedef struct tct_nesting {
    uint32_t depth;
    uint64_t steps;
} tct_nesting;

typedef struct tct_codec {
    tct_buf *out; // NULL: reading
    tct_image_pool *pool;

    // Reading. After a failure, which is reported once, everything reads as 0.
    tct_diag *d;
    tct_arena *arena;
    const char *name;
    const unsigned char *begin, *at, *end;
    bool failed;
    const char *const *strings;
    const tct_plan *const *plans; // that came before
    const tct_nesting *nesting;   // of each
    tct_nesting inner;            // of those that the present one refers to: the deepest, and all steps
    uint32_t n_strings, n_plans, n_sources;
    const tct_image_source *sources;
} tct_codec;

// Reports E0715 with the place unless something failed before, and ends the reading. False.
bool tct_codec_fail(tct_codec *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void tct_code_u8(tct_codec *c, uint8_t *x);
void tct_code_u16(tct_codec *c, uint16_t *x);
void tct_code_u32(tct_codec *c, uint32_t *x);
void tct_code_u64(tct_codec *c, uint64_t *x);
void tct_code_i32(tct_codec *c, int32_t *x);
void tct_code_i64(tct_codec *c, int64_t *x);
void tct_code_f64(tct_codec *c, double *x);
void tct_code_bool(tct_codec *c, bool *x);
void tct_code_text(tct_codec *c, const char **x);       // never NULL
void tct_code_maybe_text(tct_codec *c, const char **x); // or NULL
void tct_code_span(tct_codec *c, tct_span *x);          // inside its source
void tct_code_plan_number(tct_codec *c, const tct_plan **x);
// Elements of a table that follows. Read: no more than there are bytes left, so that what is reserved for the
// table is bounded.
void tct_code_count(tct_codec *c, uint32_t *n);
// `n` bytes; read: a copy in the arena, 64-aligned.
void tct_code_bytes(tct_codec *c, const void **data, uint64_t n);

// Memory for n elements in the arena.
void *tct_codec_room(tct_codec *c, uint32_t n, size_t size);

// A table of `n` elements, each as `code` describes it. Read: a new table in the arena.
#define TCT_CODE_TABLE(c, table, n, type, code)                                                              \
    do {                                                                                                     \
        type *made_ = (c)->out ? NULL : tct_codec_room((c), (n), sizeof(type));                              \
        for (uint32_t i_ = 0; i_ < (n) && !(c)->failed; i_++) {                                              \
            type one_ = {0};                                                                                 \
            if (!made_) one_ = (table)[i_];                                                                  \
            code((c), &one_);                                                                                \
            if (made_) made_[i_] = one_;                                                                     \
        }                                                                                                    \
        if (made_) (table) = made_;                                                                          \
    } while (0)

// image_plan.c. A plan and, before it, the bodies of its scans are numbered; a body comes before its plan.
void tct_code_plan(tct_codec *c, tct_plan *p);
void tct_code_port(tct_codec *c, tct_plan_port *p);
// image_body.c. Variants: the number of the program's plans as well.
void tct_code_sources(tct_codec *c, tct_image *image);
void tct_code_variants(tct_codec *c, tct_image *image);
// image_program.c. `plans`: those of any variant, for what the program's runs bind.
void tct_code_program(tct_codec *c, tct_program *p, const tct_plan *const *plans);

// A number that changes with every table that numbers in an image refer to.
uint64_t tct_image_tables(void);

// The header, at the offsets that image.h gives.
enum {
    TCT_IMAGE_AT_FORMAT = 8,
    TCT_IMAGE_AT_HEADER = 12,
    TCT_IMAGE_AT_VERSION = 16,
    TCT_IMAGE_VERSION_BYTES = 32,
    TCT_IMAGE_AT_TABLES = 48,
    TCT_IMAGE_AT_LENGTH = 56,
    TCT_IMAGE_AT_HASH = 64,
    TCT_IMAGE_HEADER = 72,
};
extern const unsigned char tct_image_magic[8];
uint64_t tct_image_hash(const unsigned char *bytes, size_t n);

// image_write.c: the number of a string (from 1) or plan that is being written.
uint32_t tct_pool_text(tct_image_pool *p, const char *s);
uint32_t tct_pool_plan(tct_image_pool *p, const tct_plan *plan);

#endif
