// Images written: every string and every plan once, in the order in which they are met.
#include "base/version.h"
#include "runtime/image_codec.h"

#include <assert.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

// Byte strings that were met, each numbered once. Open addressing: 0 for an empty place, else number + 1.
typedef struct byte_set {
    tct_buf bytes;
    TCT_VEC(size_t) ends;
    TCT_VEC(uint64_t) hashes;
    uint32_t *places;
    size_t n_places; // a power of two
} byte_set;

struct tct_image_pool {
    byte_set strings;         // with their NULs
    byte_set plans;           // as fields
    byte_set pointers;        // to plans: their addresses only find what was met, and are written nowhere
    TCT_VEC(uint32_t) number; // of the plan at pointer i
};

static void make_room(byte_set *s) {
    if (2 * (s->ends.len + 1) <= s->n_places) return;
    tct_heap_free(s->places);
    s->n_places = s->n_places ? 2 * s->n_places : 256;
    s->places = tct_alloc(s->n_places * sizeof *s->places);
    for (size_t i = 0; i < s->hashes.len; i++) {
        size_t at = s->hashes.data[i] & (s->n_places - 1);
        while (s->places[at]) at = (at + 1) & (s->n_places - 1);
        s->places[at] = (uint32_t)i + 1;
    }
}

// The number of `n` bytes, and whether they are new.
static uint32_t number_of(byte_set *s, const void *bytes, size_t n, bool *is_new) {
    make_room(s);
    uint64_t hash = XXH3_64bits(bytes, n);
    size_t at = hash & (s->n_places - 1);
    for (; s->places[at]; at = (at + 1) & (s->n_places - 1)) {
        uint32_t i = s->places[at] - 1;
        size_t begin = i ? s->ends.data[i - 1] : 0;
        *is_new = false;
        if (s->hashes.data[i] == hash && s->ends.data[i] - begin == n &&
            memcmp(s->bytes.data + begin, bytes, n) == 0)
            return i;
    }
    *is_new = true;
    tct_buf_add(&s->bytes, bytes, n);
    TCT_PUSH(&s->ends, s->bytes.len);
    TCT_PUSH(&s->hashes, hash);
    s->places[at] = (uint32_t)s->ends.len;
    return (uint32_t)s->ends.len - 1;
}

static void free_set(byte_set *s) {
    tct_buf_free(&s->bytes);
    TCT_VEC_FREE(&s->ends);
    TCT_VEC_FREE(&s->hashes);
    tct_heap_free(s->places);
}

uint32_t tct_pool_text(tct_image_pool *p, const char *s) {
    bool is_new;
    return number_of(&p->strings, s, strlen(s) + 1, &is_new) + 1;
}

uint32_t tct_pool_plan(tct_image_pool *p, const tct_plan *plan) {
    bool is_new;
    uint32_t pointer = number_of(&p->pointers, &plan, sizeof plan, &is_new);
    if (!is_new) return p->number.data[pointer];
    TCT_PUSH(&p->number, 0);
    for (uint32_t i = 0; i < plan->n_scans; i++) tct_pool_plan(p, plan->scans[i].body);
    tct_buf bytes = {0};
    tct_plan copy = *plan;
    tct_code_plan(&(tct_codec){.out = &bytes, .pool = p}, &copy);
    uint32_t number = number_of(&p->plans, bytes.data, bytes.len, &is_new);
    tct_buf_free(&bytes);
    return p->number.data[pointer] = number;
}

// The body goes into a buffer of its own, since the strings and plans that it refers to stand before it.
static void write_body(tct_image_pool *pool, const tct_image *image, tct_buf *out) {
    tct_buf rest = {0};
    tct_image copy = *image;
    tct_codec c = {.out = &rest, .pool = pool};
    tct_code_sources(&c, &copy);
    for (uint32_t v = 0; v < image->n_variants; v++)
        for (uint32_t i = 0; i < image->program.n_plans; i++)
            tct_pool_plan(pool, image->variants[v].plans[i]);
    uint32_t n_plans = (uint32_t)pool->plans.ends.len;
    tct_code_count(&c, &n_plans);
    tct_buf_add(&rest, pool->plans.bytes.data, pool->plans.bytes.len);
    tct_code_variants(&c, &copy);
    tct_code_program(&c, &copy.program, image->n_variants ? image->variants[0].plans : NULL);

    tct_codec first = {.out = out};
    uint32_t n_strings = (uint32_t)pool->strings.ends.len;
    uint64_t bytes = pool->strings.bytes.len;
    tct_code_count(&first, &n_strings);
    tct_code_u64(&first, &bytes);
    tct_buf_add(out, pool->strings.bytes.data, bytes);
    tct_buf_add(out, rest.data, rest.len);
    tct_buf_free(&rest);
}

void tct_image_write(const tct_image *image, tct_buf *out) {
    tct_buf bytes = {0};
    unsigned char header[TCT_IMAGE_HEADER] = {0};
    tct_buf_add(&bytes, header, sizeof header);
    tct_image_pool pool = {0};
    write_body(&pool, image, &bytes);
    free_set(&pool.strings);
    free_set(&pool.plans);
    free_set(&pool.pointers);
    TCT_VEC_FREE(&pool.number);

    unsigned char *at = (unsigned char *)bytes.data;
    uint32_t format = TCT_IMAGE_FORMAT, header_bytes = TCT_IMAGE_HEADER;
    uint64_t tables = tct_image_tables(), length = bytes.len;
    assert(strlen(tct_version()) < TCT_IMAGE_VERSION_BYTES);
    memcpy(at, tct_image_magic, sizeof tct_image_magic);
    memcpy(at + TCT_IMAGE_AT_FORMAT, &format, sizeof format);
    memcpy(at + TCT_IMAGE_AT_HEADER, &header_bytes, sizeof header_bytes);
    memcpy(at + TCT_IMAGE_AT_VERSION, tct_version(), strlen(tct_version()));
    memcpy(at + TCT_IMAGE_AT_TABLES, &tables, sizeof tables);
    memcpy(at + TCT_IMAGE_AT_LENGTH, &length, sizeof length);
    uint64_t hash = tct_image_hash(at, bytes.len);
    memcpy(at + TCT_IMAGE_AT_HASH, &hash, sizeof hash);
    tct_buf_add(out, bytes.data, bytes.len);
    tct_buf_free(&bytes);
}
