// Programs compiled in this process, as images.
#ifndef TCT_TESTS_STAGE_IMAGE_H
#define TCT_TESTS_STAGE_IMAGE_H

#include "runtime/image.h"
#include "tests/stage/pipeline.h"

// A compiled program and its image, with the plans of one instruction set.
typedef struct made_image {
    tct_arena arena;
    tct_diag d;
    tct_compiled c;
    tct_image image;
    tct_image_variant variant;
    tct_buf bytes;
} made_image;

// Drop it with drop_image, also after a failure.
static inline void make_image(const char *path, const char *isa, const tct_setting *sets, size_t n_sets,
                              made_image *m) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 1);
    *m = (made_image){0};
    tct_compile_request request = {.file = path, .threads = 1, .isa = isa, .sets = sets, .n_sets = n_sets};
    bool ok = tct_program_compile(&m->d, &request, &m->c);
    tct_buf text = {0};
    tct_diag_render(&m->d, &text, false);
    if (!ok) print_error("%s", text.data);
    tct_buf_free(&text);
    assert_true(ok);
    m->variant = (tct_image_variant){tct_isa_host(), m->c.draft->program.plans};
    tct_image_source *sources = TCT_NEW_ARRAY(&m->arena, tct_image_source, m->d.sources.len);
    for (size_t i = 0; i < m->d.sources.len; i++)
        sources[i] = (tct_image_source){m->d.sources.data[i].path, m->d.sources.data[i].text,
                                        m->d.sources.data[i].len};
    m->image = (tct_image){.program = m->c.draft->program,
                           .n_sources = (uint32_t)m->d.sources.len,
                           .sources = sources,
                           .n_variants = 1,
                           .variants = &m->variant};
    tct_image_write(&m->image, &m->bytes);
}

static inline void drop_image(made_image *m) {
    tct_buf_free(&m->bytes);
    tct_compiled_free(&m->c);
    tct_diag_free(&m->d);
    tct_arena_free(&m->arena);
}

#endif
