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

void tct_code_sources(tct_codec *c, tct_image *image) {
    tct_code_count(c, &image->n_sources);
    TCT_CODE_TABLE(c, image->sources, image->n_sources, tct_image_source, code_source);
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
