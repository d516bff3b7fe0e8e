// libFuzzer target of images: whatever the bytes, an image is refused or comes out so that it can be printed,
// written and read again. The input is what follows the header, which is made to fit it; where it begins with
// '!' it is the whole image.
#include "runtime/image_codec.h"

#include "base/version.h"
#include "runtime/vm.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(tct_buf *b, size_t at, uint64_t x, size_t width) { memcpy(b->data + at, &x, width); }

static void add_header(tct_buf *b) {
    static const char zeros[TCT_IMAGE_HEADER] = {0};
    tct_buf_add(b, zeros, sizeof zeros);
    memcpy(b->data, tct_image_magic, sizeof tct_image_magic);
    strncpy(b->data + TCT_IMAGE_AT_VERSION, tct_version(), TCT_IMAGE_VERSION_BYTES);
    put(b, TCT_IMAGE_AT_FORMAT, TCT_IMAGE_FORMAT, 4);
    put(b, TCT_IMAGE_AT_HEADER, TCT_IMAGE_HEADER, 4);
    put(b, TCT_IMAGE_AT_TABLES, tct_image_tables(), 8);
}

static bool read_image(tct_arena *a, const tct_buf *bytes, tct_image *out) {
    tct_diag d = {0};
    bool ok = tct_image_read(&d, a, "image", bytes->data, bytes->len, out);
    if (ok != (d.n_errors == 0)) abort();
    tct_diag_free(&d);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tct_buf bytes = {0}, written = {0}, again = {0}, text = {0};
    tct_arena arena = {0};
    tct_image image;
    if (size && data[0] == '!') {
        tct_buf_add(&bytes, data + 1, size - 1);
    } else {
        add_header(&bytes);
        tct_buf_add(&bytes, data, size);
        put(&bytes, TCT_IMAGE_AT_LENGTH, bytes.len, 8);
        put(&bytes, TCT_IMAGE_AT_HASH, tct_image_hash((const unsigned char *)bytes.data, bytes.len), 8);
    }
    if (read_image(&arena, &bytes, &image)) {
        tct_program_print(&image.program, &text);
        for (uint32_t v = 0; v < image.n_variants; v++)
            for (uint32_t k = 0; k < image.program.n_plans; k++)
                tct_plan_print(image.variants[v].plans[k], &text);
        tct_image_write(&image, &written);
        if (!read_image(&arena, &written, &image)) abort();
        tct_image_write(&image, &again);
        if (again.len != written.len || memcmp(again.data, written.data, again.len) != 0) abort();
    }
    tct_arena_free(&arena);
    tct_buf *all[] = {&bytes, &written, &again, &text};
    for (size_t k = 0; k < 4; k++) tct_buf_free(all[k]);
    return 0;
}
