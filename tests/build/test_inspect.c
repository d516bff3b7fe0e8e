// tercet inspect: what it tells of a trainer, and what it says of files that are none.
#include "tests/build/building.h"

#include "driver/inspect.h"
#include "runtime/image_codec.h"

#include <elf.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#define STAGE TERCET_SOURCE_DIR "/tests/stage/"

static const char *file(place *p, const char *name) { return tct_path_join(&p->d.arena, p->folder, name); }

static void tells(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " STAGE "runs.tct -o $D/trainer --isa avx2,avx512 --set ppo.lr=0.5");
    SUCCEEDS(p, TERCET " inspect --json --source --plan $D/trainer > $D/all.json");
    json_t *all = json_load_file(file(p, "all.json"), 0, NULL);
    assert_non_null(all);
    assert_string_equal(json_string_value(json_object_get(all, "pipeline")), "runs");
    assert_string_equal(json_string_value(json_object_get(all, "version")), "0.1.0");
    SUCCEEDS(p, TERCET " --version");
    assert_non_null(strstr(p->said, json_string_value(json_object_get(all, "version"))));

    size_t i;
    json_t *x;
    bool lr = false;
    json_array_foreach(json_object_get(all, "config"), i, x) {
        if (strcmp(json_string_value(json_object_get(x, "name")), "ppo.lr") != 0) continue;
        lr = true;
        assert_string_equal(json_string_value(json_object_get(x, "value")), "0.5");
        assert_true(json_is_false(json_object_get(x, "default")));
        assert_string_equal(json_string_value(json_object_get(x, "doc")), "Learning rate.");
    }
    assert_true(lr);
    size_t kernels = json_array_size(json_object_get(all, "kernels"));
    assert_true(kernels > 20);
    json_array_foreach(json_object_get(all, "kernels"), i, x) {
        assert_true(json_integer_value(json_object_get(x, "code_bytes")) > 0);
        assert_true(json_array_size(json_object_get(x, "sets")) >= 1);
    }
    assert_true(json_array_size(json_object_get(all, "graphs")) > 3);
    json_array_foreach(json_object_get(all, "graphs"), i, x) {
        json_t *plans = json_object_get(x, "plans");
        const char *text = json_string_value(json_object_get(json_object_get(plans, "avx512"), "text"));
        assert_non_null(text);
        assert_non_null(strstr(text, json_string_value(json_object_get(x, "name"))));
        assert_non_null(json_object_get(plans, "avx2"));
        assert_non_null(strstr(json_string_value(json_object_get(x, "called_at")), "runs.tct:"));
    }
    char *source;
    assert_true(tct_file_read(&p->d, STAGE "runs.tct", &source, NULL));
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(all, "sources"), 0), "text")),
        source);
    tct_heap_free(source);

    SUCCEEDS(p, TERCET " inspect $D/trainer");
    assert_non_null(strstr(p->said, "built by Tercet 0.1.0"));
    assert_non_null(strstr(p->said, "ppo.lr: float = 0.5  (given)"));
    assert_null(strstr(p->said, "graph sft("));
    json_array_foreach(json_object_get(all, "stages"), i, x)
        assert_non_null(strstr(p->said, json_string_value(json_object_get(x, "name"))));
    SUCCEEDS(p, TERCET " inspect --source --plan $D/trainer");
    assert_non_null(strstr(p->said, "graph sft("));
    assert_non_null(strstr(p->said, "memory arena"));
    json_decref(all);

    SUCCEEDS(p, "strip -o $D/bare $D/trainer && " TERCET " inspect $D/bare");
    assert_non_null(strstr(p->said, "pipeline runs"));
}

static void foreign_functions(void **state) {
    place *p = *state;
    SUCCEEDS(p,
             "cd $D && cp " STAGE "foreign.tct . && cc -shared -fPIC -o libforeign.so " STAGE
             "foreign.c && " TERCET " build foreign.tct -o trainer --isa avx2 && " TERCET " inspect trainer");
    assert_non_null(strstr(p->said, "  foreign_add of "));
    assert_non_null(strstr(p->said, "  foreign_squares_grad of ")); // of a graph
}

static void not_trainers(void **state) {
    place *p = *state;
    FAILS(p, 1, "E0701", TERCET " inspect $D/nothing");
    FAILS(p, 1, "E0701", TERCET " inspect $D");
    FAILS(p, 1, "is no trainer: it is no ELF file", TERCET " inspect " STAGE "runs.tct");
    FAILS(p, 1, "it has no section .tercet", TERCET " inspect " TERCET_PROGRAM);
    FAILS(p, 1, "E0715", ": > $D/empty; " TERCET " inspect $D/empty");
    FAILS(p, 2, "Usage", TERCET " inspect");
}

// Reads the file in this process; false after a report of E0715 or E0716.
static bool inspect(const char *path, char *code, char *words, size_t n) {
    tct_diag d = {0};
    tct_inspection x;
    bool ok = tct_inspect(&d, path, &x);
    if (ok) {
        tct_buf text = {0};
        tct_inspect_options all = {true, true};
        tct_inspect_text(&d, &x, &all, &text);
        tct_inspect_json(&d, &x, &all, &text);
        tct_buf_free(&text);
    } else {
        assert_int_equal(d.messages.len, 1);
        snprintf(code, 8, "%s", d.messages.data[0].code);
        snprintf(words, n, "%s", d.messages.data[0].text);
    }
    tct_inspection_close(&x);
    tct_diag_free(&d);
    return ok;
}

static void put(const char *path, const char *data, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void damaged(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " STAGE "statements.tct -o $D/trainer --isa avx2 && strip $D/trainer");
    char *bytes, code[8], words[400];
    const char *bad = file(p, "bad");
    size_t n;
    assert_true(tct_file_read(&p->d, file(p, "trainer"), &bytes, &n));
    for (size_t i = 0; i < 150; i++) {
        size_t len = i < 70 ? i : i < 140 ? n - (i - 69) : n / 11 * (i - 139);
        put(bad, bytes, len);
        assert_false(inspect(bad, code, words, sizeof words));
        assert_string_equal(code, "E0715");
        if (len >= 4) assert_non_null(strstr(words, "truncated"));
    }
    Elf64_Ehdr h;
    memcpy(&h, bytes, sizeof h);
    size_t table = h.e_shnum * sizeof(Elf64_Shdr);
    put(bad, bytes, n);
    int fd = open(bad, O_WRONLY);
    assert_true(fd >= 0);
    for (size_t i = 0; i < 3 * (sizeof h + table); i++) { // headers, each byte in three ways
        size_t at = i / 3 < sizeof h ? i / 3 : h.e_shoff + i / 3 - sizeof h;
        char was = bytes[at], now = (char)(i % 3 == 0 ? 0xff : i % 3 == 1 ? 0 : was ^ 1 << i % 7);
        assert_int_equal(pwrite(fd, &now, 1, (off_t)at), 1);
        if (!inspect(bad, code, words, sizeof words)) assert_true(strcmp(code, "E0715") == 0);
        assert_int_equal(pwrite(fd, &was, 1, (off_t)at), 1);
    }
    close(fd);
    char *image = memmem(bytes, n, tct_image_magic, sizeof tct_image_magic);
    while (image &&
           memcmp(image + TCT_IMAGE_AT_VERSION, "0.1.0", 6) != 0) // the runtime knows the magic as well
        image = memmem(image + 1, n - (size_t)(image + 1 - bytes), tct_image_magic, sizeof tct_image_magic);
    assert_non_null(image);
    image[TCT_IMAGE_AT_VERSION + 4] = '7';
    image[TCT_IMAGE_AT_FORMAT] = 9;
    put(bad, bytes, n);
    assert_false(inspect(bad, code, words, sizeof words));
    assert_string_equal(code, "E0716");
    assert_non_null(strstr(words, "was made by Tercet 0.1.7 (image format 9"));
    assert_non_null(strstr(words, "this is Tercet 0.1.0"));
    tct_heap_free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells, open_place, close_place),
        cmocka_unit_test_setup_teardown(foreign_functions, open_place, close_place),
        cmocka_unit_test_setup_teardown(not_trainers, open_place, close_place),
        cmocka_unit_test_setup_teardown(damaged, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
