// The safetensors reader and writer: the reference implementation's bytes, shards, hostile files.
#include "base/file.h"
#include "runtime/safetensors.h"
#include "tests/runtime/safetensors_expected.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tercet-safetensors-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(tct_diag *d, const char *name) { return tct_path_join(&d->arena, folder, name); }

// Expects the last message to have this code and to contain this text.
static void assert_reported(const tct_diag *d, const char *code, const char *text) {
    assert_true(d->messages.len > 0);
    const tct_message *m = &d->messages.data[d->messages.len - 1];
    if (strcmp(m->code, code) != 0 || !strstr(m->text, text)) fail_msg("got %s: %s", m->code, m->text);
}

static void test_reads_reference_file(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_safetensors *s = tct_safetensors_open_memory(&d, "ref", reference_file, sizeof reference_file);
    assert_non_null(s);
    assert_int_equal(tct_safetensors_count(s), 8);
    assert_string_equal(tct_safetensors_at(s, 0)->name, "a.weight");
    assert_string_equal(tct_safetensors_metadata(s, "format"), "pt");
    assert_null(tct_safetensors_metadata(s, "other"));
    tct_tensor t;
    assert_true(tct_safetensors_load(&d, s, "b.weight", &t));
    assert_int_equal(t.n_axes, 2);
    assert_int_equal(t.sizes[1], 3);
    for (int i = 0; i < 6; i++) assert_true(tct_tensor_get(&t, i) == i + 1);
    tct_tensor_free(&t);
    assert_true(tct_safetensors_load(&d, s, "a.weight", &t));
    assert_int_equal(t.n_axes, 0);
    assert_true(tct_tensor_get(&t, 0) == 0.5);
    tct_tensor_free(&t);
    assert_true(tct_safetensors_load(&d, s, "rank", &t));
    assert_int_equal(tct_tensor_elements(&t), 0);
    tct_tensor_free(&t);
    // Into memory that is there, floats converted.
    double pair[2];
    assert_true(tct_tensor_borrow(&d, TCT_F64, 1, NULL, (int64_t[]){2}, pair, &t));
    assert_true(tct_safetensors_load_into(&d, s, "small", &t));
    assert_true(pair[0] == 1.0 && pair[1] == -2.0);
    assert_false(tct_safetensors_load_into(&d, s, "ids", &t));
    assert_reported(&d, "E0705", "'ids' is I64, f64 was expected");
    assert_false(tct_safetensors_load_into(&d, s, "b.weight", &t));
    assert_reported(&d, "E0705", "has 6 elements, 2 were expected");
    assert_false(tct_safetensors_load(&d, s, "b.wieght", &t));
    assert_reported(&d, "E0705", "no tensor 'b.wieght'");
    assert_string_equal(d.messages.data[d.messages.len - 1].help, "the nearest name is 'b.weight'");
    tct_safetensors_close(s);
    tct_diag_free(&d);
}

static bool produce_wide(tct_diag *d, void *context, tct_safetensors_sink *sink) {
    const unsigned char *bytes = context; // byte by byte
    for (int i = 0; i < 8; i++)
        if (!tct_safetensors_put(d, sink, bytes + i, 1)) return false;
    return true;
}

// Every tensor of the reference file, written by us, gives the same bytes.
static void test_writes_reference_bytes(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_safetensors *s = tct_safetensors_open_memory(&d, "ref", reference_file, sizeof reference_file);
    const char *path = in_folder(&d, "same.safetensors");
    tct_safetensors_writer *w = tct_safetensors_writer_new(path);
    tct_tensor t[8];
    double wide = 0.1;
    for (size_t i = 0; i < 8; i++) {
        const tct_safetensors_entry *e = tct_safetensors_at(s, 7 - i);
        assert_true(tct_safetensors_load(&d, s, e->name, &t[i]));
        if (strcmp(e->name, "wide") == 0)
            tct_safetensors_writer_stream(w, e->name, e->dtype, e->n_axes, e->sizes, produce_wide, &wide);
        else
            tct_safetensors_writer_add(w, e->name, &t[i]);
    }
    assert_true(tct_safetensors_writer_finish(&d, w));
    char *bytes;
    size_t len;
    assert_true(tct_file_read(&d, path, &bytes, &len));
    assert_int_equal(len, sizeof reference_file);
    assert_memory_equal(bytes, reference_file, len);
    tct_heap_free(bytes);
    for (size_t i = 0; i < 8; i++) tct_tensor_free(&t[i]);
    tct_safetensors_close(s);
    tct_diag_free(&d);
}

// Bytes of a file with this header and `len` bytes of data.
static size_t make_file(unsigned char *out, const char *json, const void *data, size_t len) {
    size_t n = strlen(json);
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(n >> (8 * i));
    memcpy(out + 8, json, n);
    if (len) memcpy(out + 8 + n, data, len);
    return 8 + n + len;
}

static void test_half_floats_and_foreign_types(void **state) {
    (void)state;
    tct_diag d = {0};
    unsigned char file[512];
    const unsigned char data[] = {0x00, 0x3C, 0x00, 0xC1, 9, 2, 0}; // 1.0, -2.5; 9; true, false
    size_t len = make_file(file,
                           "{\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                           "\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]},"
                           "\"f\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[5,7]}}",
                           data, sizeof data);
    tct_safetensors *s = tct_safetensors_open_memory(&d, "half", file, len);
    assert_non_null(s);
    tct_tensor t;
    assert_true(tct_safetensors_load(&d, s, "h", &t));
    assert_int_equal(t.dtype, TCT_F32);
    assert_true(tct_tensor_get(&t, 0) == 1.0 && tct_tensor_get(&t, 1) == -2.5);
    tct_tensor_free(&t);
    assert_true(tct_safetensors_load(&d, s, "f", &t));
    assert_memory_equal(t.data, "\1\0", 2);
    tct_tensor_free(&t);
    assert_false(tct_safetensors_load(&d, s, "u", &t));
    assert_reported(&d, "E0704", "dtype U8");
    tct_safetensors_close(s);
    tct_diag_free(&d);
}

static void test_refuses_bad_headers(void **state) {
    (void)state;
    static const struct {
        const char *json, *expected;
    } bad[] = {
        {"[]", "not a JSON object"},
        {"{\"a\":1}", "an object {dtype, shape, data_offsets} was expected"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", "'dtype' must be a string"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}}", "'shape' must be a list"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "sizes must be whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", "sizes must be whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
         "more than 8 axes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "must be [begin, end]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
         "don't make the number of bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
         "don't make the number of bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         "overlap another tensor's"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
         "at the end belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         "duplicate"},
        {"{\"__metadata__\":{\"x\":1}}", "values must be strings"},
        {"{\"__metadata__\":[]}", "an object of strings"},
        {"{\"a\":", "not a JSON object"},
    };
    tct_diag d = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned char file[512];
        size_t len = make_file(file, bad[i].json, "12345678", 8);
        assert_null(tct_safetensors_open_memory(&d, "bad", file, len));
        assert_reported(&d, "E0704", bad[i].expected);
    }
    assert_null(tct_safetensors_open_memory(&d, "bad", "\1\0\0", 3));
    assert_reported(&d, "E0704", "shorter than 8 bytes");
    assert_null(tct_safetensors_open_memory(&d, "bad", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10));
    assert_reported(&d, "E0704", "claims 18446744073709551615 bytes");
    assert_null(tct_safetensors_open(&d, "/nowhere/x.safetensors"));
    assert_reported(&d, "E0701", "/nowhere/x.safetensors");
    tct_diag_free(&d);
}

// Every truncation and many corruptions of a good file: refused or read, never out of bounds.
static void test_survives_corruption(void **state) {
    (void)state;
    size_t opened = 0;
    for (size_t len = 0; len < sizeof reference_file; len++) {
        tct_diag d = {0};
        unsigned char *copy = malloc(len ? len : 1); // exact size, so that a sanitizer sees every overrun
        memcpy(copy, reference_file, len);
        assert_null(tct_safetensors_open_memory(&d, "cut", copy, len));
        free(copy);
        tct_diag_free(&d);
    }
    for (size_t at = 0; at < sizeof reference_file; at++)
        for (int k = 0; k < 5; k++) {
            tct_diag d = {0};
            unsigned char *copy = malloc(sizeof reference_file);
            memcpy(copy, reference_file, sizeof reference_file);
            copy[at] = (unsigned char[]){0, 0xFF, '"', '9', copy[at] ^ 1}[k];
            tct_safetensors *s = tct_safetensors_open_memory(&d, "bent", copy, sizeof reference_file);
            for (size_t i = 0; s && i < tct_safetensors_count(s); i++) {
                tct_tensor t;
                if (tct_safetensors_load(&d, s, tct_safetensors_at(s, i)->name, &t)) tct_tensor_free(&t);
            }
            opened += s != NULL;
            tct_safetensors_close(s);
            free(copy);
            tct_diag_free(&d);
        }
    assert_true(opened > 0);
}

static void test_shards(void **state) {
    (void)state;
    tct_diag d = {0};
    float x = 1, y = 2;
    tct_tensor t, u;
    assert_true(tct_tensor_borrow(&d, TCT_F32, 1, NULL, (int64_t[]){1}, &x, &t));
    assert_true(tct_tensor_borrow(&d, TCT_F32, 1, NULL, (int64_t[]){1}, &y, &u));
    tct_safetensors_writer *w = tct_safetensors_writer_new(in_folder(&d, "m-1.safetensors"));
    tct_safetensors_writer_add(w, "x", &t);
    tct_safetensors_writer_metadata(w, "note", "first");
    assert_true(tct_safetensors_writer_finish(&d, w));
    w = tct_safetensors_writer_new(in_folder(&d, "m-2.safetensors"));
    tct_safetensors_writer_add(w, "x", &u);
    tct_safetensors_writer_add(w, "y", &u);
    assert_true(tct_safetensors_writer_finish(&d, w));
    const char *index = in_folder(&d, "m.safetensors.index.json");
#define INDEX(text) assert_true(tct_file_write(&d, index, text, strlen(text)))
    INDEX("{\"metadata\":{},\"weight_map\":{\"y\":\"m-2.safetensors\",\"x\":\"m-1.safetensors\"}}");
    tct_safetensors *s = tct_safetensors_open(&d, index);
    assert_non_null(s);
    assert_int_equal(tct_safetensors_count(s), 2);
    tct_tensor got;
    assert_true(tct_safetensors_load(&d, s, "x", &got)); // the first shard's, as the map says
    assert_true(tct_tensor_get(&got, 0) == 1);
    tct_tensor_free(&got);
    assert_string_equal(tct_safetensors_metadata(s, "note"), "first");
    tct_safetensors_close(s);

    INDEX("{\"weight_map\":{\"z\":\"m-1.safetensors\"}}");
    assert_null(tct_safetensors_open(&d, index));
    assert_reported(&d, "E0704", "tensor 'z' is not in");
    INDEX("{\"weight_map\":{\"x\":\"../m-1.safetensors\"}}");
    assert_null(tct_safetensors_open(&d, index));
    assert_reported(&d, "E0704", "must name a file of the same folder");
    INDEX("{\"weight_map\":{\"x\":\"m-3.safetensors\"}}");
    assert_null(tct_safetensors_open(&d, index));
    assert_reported(&d, "E0701", "m-3.safetensors");
    INDEX("{}");
    assert_null(tct_safetensors_open(&d, index));
    assert_reported(&d, "E0704", "weight_map");
    INDEX("{\n\"weight_map\":}");
    assert_null(tct_safetensors_open(&d, index));
    assert_reported(&d, "E0704", "index.json:2:");
    tct_diag_free(&d);
}

static bool produce_too_little(tct_diag *d, void *context, tct_safetensors_sink *sink) {
    return tct_safetensors_put(d, sink, context, 3);
}

static bool produce_too_much(tct_diag *d, void *context, tct_safetensors_sink *sink) {
    return tct_safetensors_put(d, sink, context, 4) && tct_safetensors_put(d, sink, context, 1);
}

// A failed write leaves neither the file nor a temporary behind.
static void test_writer_refuses(void **state) {
    (void)state;
    tct_diag d = {0};
    const char *path = in_folder(&d, "fail.safetensors");
    float x = 1;
    tct_tensor t;
    assert_true(tct_tensor_borrow(&d, TCT_F32, 0, NULL, NULL, &x, &t));
    tct_safetensors_writer *w = tct_safetensors_writer_new(path);
    tct_safetensors_writer_add(w, "x", &t);
    tct_safetensors_writer_add(w, "x", &t);
    assert_false(tct_safetensors_writer_finish(&d, w));
    assert_reported(&d, "E0704", "two tensors are called 'x'");
    w = tct_safetensors_writer_new(path);
    tct_safetensors_writer_add(w, "\xff", &t);
    assert_false(tct_safetensors_writer_finish(&d, w));
    assert_reported(&d, "E0704", "not UTF-8");
    w = tct_safetensors_writer_new(path);
    tct_safetensors_writer_stream(w, "x", TCT_F32, 0, NULL, produce_too_little, &x);
    assert_false(tct_safetensors_writer_finish(&d, w));
    assert_reported(&d, "E0704", "lacks 1 of its 4 bytes");
    w = tct_safetensors_writer_new(path);
    tct_safetensors_writer_stream(w, "x", TCT_F32, 0, NULL, produce_too_much, &x);
    assert_false(tct_safetensors_writer_finish(&d, w));
    assert_reported(&d, "E0704", "more bytes");
    w = tct_safetensors_writer_new(path);
    tct_safetensors_writer_stream(w, "x", TCT_F32, 1, (int64_t[]){-1}, produce_too_much, &x);
    assert_false(tct_safetensors_writer_finish(&d, w));
    assert_reported(&d, "E0703", "impossible shape");
    assert_int_not_equal(access(path, F_OK), 0);
    char command[160];
    snprintf(command, sizeof command, "test -z \"$(ls %s | grep fail)\"", folder);
    assert_int_equal(system(command), 0);
    w = tct_safetensors_writer_new("/nowhere/x.safetensors");
    assert_false(tct_safetensors_writer_finish(&d, w));
    assert_reported(&d, "E0702", "/nowhere/x.safetensors");
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_reference_file),
        cmocka_unit_test(test_writes_reference_bytes),
        cmocka_unit_test(test_half_floats_and_foreign_types),
        cmocka_unit_test(test_refuses_bad_headers),
        cmocka_unit_test(test_survives_corruption),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_writer_refuses),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
