#include "driver/assemble.h"

#include "base/file.h"
#include "codegen/bundle.h"
#include "driver/driver.h"
#include "runtime/signature.h"

typedef TCT_VEC(const char *) texts;

static const char *within(tct_arena *a, const char *folder, const char *path) {
    folder = tct_path_join(a, folder, "");
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 ? path + n : NULL;
}

// A file of the library as "std/loss/rm.tct", one of the program as seen from its folder.
static const char *source_path(tct_arena *a, const char *folder, const char *path) {
    const char *std = within(a, tct_std_dir(a), path), *own = folder ? within(a, folder, path) : NULL;
    return std ? tct_arena_printf(a, "std/%s", std) : own ? own : path;
}

static void write_image(const tct_diag *d, const tct_image *image, tct_buf *out) {
    tct_arena a = {0};
    tct_image_source *sources = TCT_NEW_ARRAY(&a, tct_image_source, d->sources.len + 1);
    for (size_t i = 0; i < d->sources.len; i++) {
        const tct_source *s = &d->sources.data[i];
        sources[i] = (tct_image_source){source_path(&a, image->program.folder, s->path), s->text, s->len};
    }
    tct_image whole = *image;
    whole.n_sources = (uint32_t)d->sources.len;
    whole.sources = sources;
    tct_image_write(&whole, out);
    tct_arena_free(&a);
}

static void add_signature(tct_arena *a, tct_buf *signature, texts *out) {
    TCT_PUSH(out, tct_arena_strdup(a, signature->data));
    tct_buf_free(signature);
}

static void plan_signatures(tct_arena *a, const tct_plan *plan, texts *out) {
    for (uint32_t i = 0; i < plan->n_foreigns; i++) {
        tct_buf signature = {0};
        tct_foreign_signature(&plan->foreigns[i], &signature);
        add_signature(a, &signature, out);
    }
    for (uint32_t i = 0; i < plan->n_scans; i++) plan_signatures(a, plan->scans[i].body, out);
}

// The types of all foreign functions that the program calls.
static void image_signatures(tct_arena *a, const tct_image *image, texts *out) {
    const tct_program *p = &image->program;
    for (uint32_t i = 0; i < p->n_externs; i++) {
        tct_buf signature = {0};
        tct_extern_signature(&p->externs[i], p->regs, &signature);
        add_signature(a, &signature, out);
    }
    for (uint32_t v = 0; v < image->n_variants; v++)
        for (uint32_t i = 0; i < p->n_plans; i++) plan_signatures(a, image->variants[v].plans[i], out);
}

static void plan_foreigns(const tct_plan *plan, texts *out) {
    for (uint32_t i = 0; i < plan->n_foreigns; i++) TCT_PUSH(out, plan->foreigns[i].symbol);
    for (uint32_t i = 0; i < plan->n_scans; i++) plan_foreigns(plan->scans[i].body, out);
}

// The names of all of them.
static void image_foreigns(const tct_image *image, texts *out) {
    const tct_program *p = &image->program;
    for (uint32_t i = 0; i < p->n_externs; i++) TCT_PUSH(out, p->externs[i].symbol);
    for (uint32_t v = 0; v < image->n_variants; v++)
        for (uint32_t i = 0; i < p->n_plans; i++) plan_foreigns(image->variants[v].plans[i], out);
}

bool tct_assemble(tct_diag *d, tct_compiler *c, const tct_image *image, bool link_foreign, tct_objects *out) {
    tct_objects more = {0};
    tct_buf bytes = {0};
    texts kernels = {0}, signatures = {0}, foreigns = {0};
    for (uint32_t i = 0; i < tct_compiler_n_kernels(c); i++) TCT_PUSH(&kernels, tct_compiler_kernel(c, i));
    image_signatures(&d->arena, image, &signatures);
    if (link_foreign) image_foreigns(image, &foreigns);
    write_image(d, image, &bytes);
    tct_bundle bundle = {.image = bytes.data,
                         .image_bytes = bytes.len,
                         .kernels = kernels.data,
                         .n_kernels = kernels.len,
                         .signatures = signatures.data,
                         .n_signatures = signatures.len,
                         .foreigns = foreigns.data,
                         .n_foreigns = foreigns.len};
    bool ok = tct_compiler_objects(d, c, out) && tct_bundle_objects(d, &bundle, &more);
    tct_objects_append(out, &more);
    tct_buf_free(&bytes);
    TCT_VEC_FREE(&kernels);
    TCT_VEC_FREE(&signatures);
    TCT_VEC_FREE(&foreigns);
    return ok;
}
