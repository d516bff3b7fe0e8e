// Fields as bytes, in both directions.
#include "runtime/image_codec.h"

#include "runtime/program_shape.h"

#include <inttypes.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats and the header are written as they lie");

const unsigned char tct_image_magic[8] = {0x89, 'T', 'C', 'T', 'I', 'M', 'G', 0x0a};

uint64_t tct_image_hash(const unsigned char *bytes, size_t n) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, bytes, TCT_IMAGE_AT_HASH);
    XXH3_64bits_update(&state, bytes + TCT_IMAGE_HEADER, n - TCT_IMAGE_HEADER);
    return XXH3_64bits_digest(&state);
}

uint64_t tct_image_tables(void) {
    tct_buf text = {0};
    for (uint16_t op = 0; op <= TCT_I_END; op++)
        tct_buf_printf(&text, "%s %s\n", tct_instr_shape_of(op)->name, tct_instr_shape_of(op)->operands);
#define BUILTIN(id, name, signature, doc) tct_buf_puts(&text, name signature "\n");
#include "runtime/builtins.def"
#undef BUILTIN
#define FIELD(kind, name, type, axes) tct_buf_puts(&text, #kind " " #name " " #type " " axes "\n");
#include "runtime/datasets.def"
#undef FIELD
    for (int t = 0; t < TCT_N_DTYPES; t++) tct_buf_printf(&text, "%s\n", tct_dtype_name((tct_dtype)t));
    uint64_t hash = XXH3_64bits(text.data, text.len);
    tct_buf_free(&text);
    return hash;
}

bool tct_codec_fail(tct_codec *c, const char *fmt, ...) {
    if (c->failed) return false;
    c->failed = true;
    va_list ap;
    va_start(ap, fmt);
    const char *what = tct_arena_vprintf(&c->d->arena, fmt, ap);
    va_end(ap);
    tct_error(c->d, "E0715", TCT_NO_SPAN, "%s: the image is malformed at byte %zu: %s", c->name,
              (size_t)(c->at - c->begin), what);
    c->at = c->end;
    return false;
}

static void put(tct_codec *c, uint64_t x) {
    do {
        tct_buf_putc(c->out, (char)((x & 0x7f) | (x > 0x7f ? 0x80 : 0)));
        x >>= 7;
    } while (x);
}

static uint64_t take(tct_codec *c) {
    uint64_t x = 0;
    for (int shift = 0; c->at < c->end; shift += 7) {
        uint64_t byte = *c->at++;
        if (shift == 63 && byte > 1) break;
        x |= (byte & 0x7f) << shift;
        if (!(byte & 0x80)) return x;
    }
    tct_codec_fail(c, c->at == c->end ? "it ends inside a number" : "a number with more than 64 bits");
    return 0;
}

static uint64_t take_up_to(tct_codec *c, uint64_t most) {
    uint64_t x = take(c);
    if (x <= most) return x;
    tct_codec_fail(c, "%" PRIu64 " stands where at most %" PRIu64 " can", x, most);
    return 0;
}

#define CODE_UNSIGNED(name, type, most)                                                                      \
    void name(tct_codec *c, type *x) {                                                                       \
        if (c->out)                                                                                          \
            put(c, *x);                                                                                      \
        else                                                                                                 \
            *x = (type)take_up_to(c, most);                                                                  \
    }
CODE_UNSIGNED(tct_code_u8, uint8_t, UINT8_MAX)
CODE_UNSIGNED(tct_code_u16, uint16_t, UINT16_MAX)
CODE_UNSIGNED(tct_code_u32, uint32_t, UINT32_MAX)
CODE_UNSIGNED(tct_code_u64, uint64_t, UINT64_MAX)
CODE_UNSIGNED(tct_code_bool, bool, 1)

void tct_code_i64(tct_codec *c, int64_t *x) {
    if (c->out) {
        put(c, (uint64_t)*x << 1 ^ (*x < 0 ? UINT64_MAX : 0));
        return;
    }
    uint64_t coded = take(c);
    *x = (int64_t)(coded >> 1 ^ (coded & 1 ? UINT64_MAX : 0));
}

void tct_code_i32(tct_codec *c, int32_t *x) {
    int64_t wide = *x;
    tct_code_i64(c, &wide);
    if (wide < INT32_MIN || wide > INT32_MAX) {
        tct_codec_fail(c, "%" PRId64 " stands where 32 bits must do", wide);
        wide = 0;
    }
    *x = (int32_t)wide;
}

void tct_code_f64(tct_codec *c, double *x) {
    if (c->out) {
        tct_buf_add(c->out, x, sizeof *x);
        return;
    }
    *x = 0;
    if ((size_t)(c->end - c->at) < sizeof *x) {
        tct_codec_fail(c, "it ends inside a float");
        return;
    }
    memcpy(x, c->at, sizeof *x);
    c->at += sizeof *x;
}

void tct_code_maybe_text(tct_codec *c, const char **x) {
    if (c->out)
        put(c, *x ? tct_pool_text(c->pool, *x) : 0);
    else {
        uint64_t number = take_up_to(c, c->n_strings);
        *x = number ? c->strings[number - 1] : NULL;
    }
}

void tct_code_text(tct_codec *c, const char **x) {
    tct_code_maybe_text(c, x);
    if (*x) return;
    tct_codec_fail(c, "a string is missing");
    *x = "";
}

void tct_code_span(tct_codec *c, tct_span *x) {
    tct_code_u32(c, &x->file);
    if (x->file == 0) return;
    tct_code_u32(c, &x->begin);
    tct_code_u32(c, &x->end);
    if (c->out || c->failed) return;
    if (x->file > c->n_sources || x->begin > x->end || x->end > c->sources[x->file - 1].len)
        tct_codec_fail(c, "the place %u to %u of source %u does not exist", x->begin, x->end, x->file);
}

void tct_code_plan_number(tct_codec *c, const tct_plan **x) {
    if (c->out) {
        put(c, tct_pool_plan(c->pool, *x));
        return;
    }
    uint64_t number = take(c);
    if (number >= c->n_plans) {
        tct_codec_fail(c, "plan %" PRIu64 " of %u that came before", number, c->n_plans);
        *x = NULL;
        return;
    }
    *x = c->plans[number];
    if (c->nesting[number].depth > c->inner.depth) c->inner.depth = c->nesting[number].depth;
    c->inner.steps += c->nesting[number].steps;
}

void tct_code_count(tct_codec *c, uint32_t *n) {
    if (c->out) {
        put(c, *n);
        return;
    }
    enum { MOST = 1 << 30 }; // sums and doubles of counts fit 32 bits
    uint64_t left = (uint64_t)(c->end - c->at);
    *n = (uint32_t)take_up_to(c, left < MOST ? left : MOST);
}

void *tct_codec_room(tct_codec *c, uint32_t n, size_t size) {
    return tct_arena_alloc_array(c->arena, size, (size_t)n + 1);
}

void tct_code_bytes(tct_codec *c, const void **data, uint64_t n) {
    if (c->out) {
        if (n) tct_buf_add(c->out, *data, n);
        return;
    }
    *data = NULL;
    if (n > (uint64_t)(c->end - c->at)) {
        tct_codec_fail(c, "%" PRIu64 " bytes of data where %zu are left", n, (size_t)(c->end - c->at));
        return;
    }
    enum { ALIGN = 64 };
    unsigned char *room = tct_arena_alloc(c->arena, n + ALIGN);
    room += -(uintptr_t)room & (ALIGN - 1);
    if (n) memcpy(room, c->at, n);
    c->at += n;
    *data = room;
}
