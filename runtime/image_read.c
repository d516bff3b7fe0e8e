// Images read. The header decides whether the rest is worth looking at; then fields are read one after the
// other, and what they say is checked.
#include "base/version.h"
#include "runtime/image_codec.h"
#include "runtime/plan_verify.h"
#include "runtime/program_verify.h"

#include <inttypes.h>

static uint64_t number_at(const unsigned char *bytes, size_t at, size_t width) {
    uint64_t x = 0;
    memcpy(&x, bytes + at, width);
    return x;
}

uint64_t tct_image_length(const void *bytes, size_t n) {
    if (n < TCT_IMAGE_HEADER || memcmp(bytes, tct_image_magic, sizeof tct_image_magic) != 0) return 0;
    return number_at(bytes, TCT_IMAGE_AT_LENGTH, 8);
}

static bool check_version(tct_diag *d, tct_arena *a, const char *name, const unsigned char *bytes,
                          const char **version) {
    const unsigned char *text = bytes + TCT_IMAGE_AT_VERSION;
    size_t len = 0;
    while (len < TCT_IMAGE_VERSION_BYTES && text[len] > ' ' && text[len] < 0x7f) len++;
    *version = len ? tct_arena_strndup(a, (const char *)text, len) : "an unknown version";
    uint64_t format = number_at(bytes, TCT_IMAGE_AT_FORMAT, 4),
             header = number_at(bytes, TCT_IMAGE_AT_HEADER, 4),
             tables = number_at(bytes, TCT_IMAGE_AT_TABLES, 8);
    if (format == TCT_IMAGE_FORMAT && header == TCT_IMAGE_HEADER && tables == tct_image_tables()) return true;
    tct_error(d, "E0716", TCT_NO_SPAN,
              "%s was made by Tercet %s (image format %" PRIu64 ", tables %016" PRIx64
              "); this is Tercet %s (format %d, tables %016" PRIx64 ")",
              name, *version, format, tables, tct_version(), TCT_IMAGE_FORMAT, tct_image_tables());
    tct_help(d, "build it again with this Tercet (`tercet build`), or use the Tercet that made it");
    return false;
}

static bool check_header(tct_diag *d, tct_arena *a, const char *name, const unsigned char *bytes, size_t n,
                         const char **version) {
    size_t magic = n < sizeof tct_image_magic ? n : sizeof tct_image_magic;
    if (memcmp(bytes, tct_image_magic, magic) != 0 || n == 0)
        return tct_error(d, "E0715", TCT_NO_SPAN, "%s holds no image of Tercet: it does not begin like one",
                         name);
    if (n < TCT_IMAGE_HEADER) {
        tct_error(d, "E0715", TCT_NO_SPAN, "%s: the image is truncated: %zu bytes of a header of %d", name, n,
                  TCT_IMAGE_HEADER);
        return false;
    }
    if (!check_version(d, a, name, bytes, version)) return false;
    uint64_t length = number_at(bytes, TCT_IMAGE_AT_LENGTH, 8);
    if (length != n) {
        tct_error(d, "E0715", TCT_NO_SPAN,
                  "%s: the image is %s: it says that it has %" PRIu64 " bytes, there are %zu", name,
                  n < length ? "truncated" : "damaged", length, n);
        return false;
    }
    uint64_t says = number_at(bytes, TCT_IMAGE_AT_HASH, 8), has = tct_image_hash(bytes, n);
    if (says == has) return true;
    tct_error(d, "E0715", TCT_NO_SPAN,
              "%s: the image is damaged: its checksum is %016" PRIx64 ", it says %016" PRIx64, name, has,
              says);
    tct_help(d, "copy the file again, or build it again");
    return false;
}

// The pool: all strings, each with its NUL.
static bool read_strings(tct_codec *c) {
    uint32_t n;
    uint64_t bytes;
    const void *data;
    tct_code_count(c, &n);
    tct_code_u64(c, &bytes);
    tct_code_bytes(c, &data, bytes);
    if (c->failed) return false;
    const char **strings = tct_codec_room(c, n, sizeof *strings);
    const char *at = data, *end = at + bytes;
    for (uint32_t i = 0; i < n; i++) {
        strings[i] = at;
        const char *nul = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (!nul) return tct_codec_fail(c, "string %u of %u has no end", i, n);
        at = nul + 1;
    }
    if (at != end) return tct_codec_fail(c, "there is more after string %u, the last", n);
    c->strings = strings;
    c->n_strings = n;
    return true;
}

// Nobody who walks a plan with its bodies gets lost in it.
enum { MAX_DEPTH = 16, MAX_STEPS = 1 << 24 };

static bool read_plans(tct_codec *c) {
    uint32_t n;
    tct_code_count(c, &n);
    const tct_plan **plans = tct_codec_room(c, n, sizeof *plans);
    tct_nesting *nesting = tct_codec_room(c, n, sizeof *nesting);
    c->plans = plans;
    c->nesting = nesting;
    for (; c->n_plans < n && !c->failed; c->n_plans++) {
        tct_plan *p = TCT_NEW(c->arena, tct_plan);
        c->inner = (tct_nesting){0};
        tct_code_plan(c, p);
        if (c->failed) break;
        plans[c->n_plans] = p;
        nesting[c->n_plans] = (tct_nesting){c->inner.depth + 1, c->inner.steps + p->n_steps};
        if (c->inner.depth >= MAX_DEPTH || nesting[c->n_plans].steps > MAX_STEPS)
            return tct_codec_fail(c, "plan %u (%s) nests too deeply", c->n_plans, p->name);
        const char *wrong = tct_plan_verify(&c->d->arena, p);
        if (wrong) return tct_codec_fail(c, "plan %u (%s): %s", c->n_plans, p->name, wrong);
    }
    return !c->failed;
}

// The program binds the ports of one variant's plans; the others' are as many.
static bool same_ports(const tct_image *image, uint32_t variant) {
    for (uint32_t i = 0; i < image->program.n_plans; i++) {
        const tct_plan *a = image->variants[0].plans[i], *b = image->variants[variant].plans[i];
        if (a->n_inputs != b->n_inputs || a->n_outputs != b->n_outputs) return false;
    }
    return true;
}

static bool check_variants(tct_codec *c, const tct_image *image) {
    if (image->n_variants == 0 && image->program.n_plans)
        return tct_codec_fail(c, "%u plans for no instruction set", image->program.n_plans);
    for (uint32_t i = 0; i < image->n_variants; i++) {
        int isa = (int)image->variants[i].isa;
        if (isa >= TCT_N_ISAS || (i && isa <= (int)image->variants[i - 1].isa))
            return tct_codec_fail(c, "variant %u is for instruction set %d", i, isa);
        if (!same_ports(image, i)) return tct_codec_fail(c, "the plans of variant %u have other ports", i);
    }
    return true;
}

static bool read_body(tct_codec *c, tct_image *out) {
    if (!read_strings(c)) return false;
    tct_code_sources(c, out);
    c->sources = out->sources;
    c->n_sources = c->failed ? 0 : out->n_sources;
    if (!read_plans(c)) return false;
    tct_code_variants(c, out);
    if (c->failed || !check_variants(c, out)) return false;
    tct_code_program(c, &out->program, out->n_variants ? out->variants[0].plans : NULL);
    if (!c->failed && c->at != c->end) tct_codec_fail(c, "%zu bytes are left over", (size_t)(c->end - c->at));
    if (c->failed) return false;
    const char *wrong = out->n_variants ? NULL : tct_program_verify(&c->d->arena, &out->program, NULL);
    for (uint32_t i = 0; i < out->n_variants && !wrong; i++)
        wrong = tct_program_verify(&c->d->arena, &out->program, out->variants[i].plans);
    if (wrong) tct_codec_fail(c, "the program: %s", wrong);
    return !wrong;
}

bool tct_image_read(tct_diag *d, tct_arena *a, const char *name, const void *bytes, size_t n,
                    tct_image *out) {
    *out = (tct_image){0};
    tct_image image = {0};
    if (!check_header(d, a, name, bytes, n, &image.version)) return false;
    tct_codec c = {.d = d, .arena = a, .name = name, .begin = bytes};
    c.at = c.begin + TCT_IMAGE_HEADER;
    c.end = c.begin + n;
    if (!read_body(&c, &image)) return false;
    *out = image;
    return true;
}
