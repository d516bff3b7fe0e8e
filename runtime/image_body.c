// Sources and variants as fields of an image.
#include "runtime/image_codec.h"

_Static_assert(sizeof(tct_image_source) == 24, "code_source misses a field");
_Static_assert(sizeof(tct_image_variant) == 16, "tct_code_variants misses a field");

static void code_source(tct_codec *c, tct_image_source *s) {
    uint64_t len = s->len;
    const void *text = s->text;
    tct_code_text(c, &s->path);
    tct_code_u64(c, &len);
    tct_code_bytes(c, &text, len);
    *s = (tct_image_source){s->path, text, len};
}

// Number, from 1, of a source before number i that is the same; 0: none. A file may have been read several
// times.
static uint32_t same_source(const tct_image *image, uint32_t i) {
    const tct_image_source *sources = image->sources, *x = &sources[i];
    for (uint32_t k = 0; k < i; k++)
        if (sources[k].len == x->len && strcmp(sources[k].path, x->path) == 0 &&
            memcmp(sources[k].text, x->text, x->len) == 0)
            return k + 1;
    return 0;
}

void tct_code_sources(tct_codec *c, tct_image *image) {
    tct_code_count(c, &image->n_sources);
    tct_image_source *made = c->out ? NULL : tct_codec_room(c, image->n_sources, sizeof *made);
    for (uint32_t i = 0; i < image->n_sources && !c->failed; i++) {
        uint32_t same = c->out ? same_source(image, i) : 0;
        tct_image_source one = c->out ? image->sources[i] : (tct_image_source){0};
        tct_code_u32(c, &same);
        if (same > i)
            tct_codec_fail(c, "source %u is the same as source %u", i, same - 1);
        else if (same == 0)
            code_source(c, &one);
        else if (made)
            one = made[same - 1];
        if (made) made[i] = one;
    }
    if (made) image->sources = made;
}

void tct_code_variants(tct_codec *c, tct_image *image) {
    uint32_t n_plans = image->program.n_plans;
    tct_code_count(c, &n_plans);
    image->program.n_plans = n_plans;
    tct_code_count(c, &image->n_variants);
    tct_image_variant *made = c->out ? NULL : tct_codec_room(c, image->n_variants, sizeof *made);
    for (uint32_t i = 0; i < image->n_variants && !c->failed; i++) {
        uint8_t isa = c->out ? (uint8_t)image->variants[i].isa : 0;
        const tct_plan *const *plans = c->out ? image->variants[i].plans : NULL;
        tct_code_u8(c, &isa);
        TCT_CODE_TABLE(c, plans, n_plans, const tct_plan *, tct_code_plan_number);
        if (made) made[i] = (tct_image_variant){(tct_isa)isa, plans};
    }
    if (made) image->variants = made;
}
