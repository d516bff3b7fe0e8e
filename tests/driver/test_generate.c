// `tercet generate` on a real model: the published text, the same text on any number of threads, errors.
#include "base/file.h"
#include "driver/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const model = TERCET_SOURCE_DIR "/../shared/data/stories260K";

static void need_model(void) {
    if (access(model, F_OK) == 0) return;
    print_message("SKIPPED: %s is not there\n", model);
    skip();
}

// What the `tercet` beside this test prints, and its exit status.
static char *run(tct_arena *a, const char *arguments, int *status) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    FILE *pipe = popen(
        tct_arena_printf(a, "TERCET_STD=std %s/tercet generate %s 2>&1", tct_path_dir(a, self), arguments),
        "r");
    assert_non_null(pipe);
    char chunk[4096];
    tct_buf text = {0};
    tct_buf_puts(&text, "");
    for (size_t k; (k = fread(chunk, 1, sizeof chunk, pipe)) > 0;) tct_buf_add(&text, chunk, k);
    int how = pclose(pipe);
    assert_true(WIFEXITED(how));
    *status = WEXITSTATUS(how);
    char *copy = tct_arena_strdup(a, text.data);
    tct_buf_free(&text);
    return copy;
}

static void gives_the_published_text(void **state) {
    (void)state;
    need_model();
    tct_arena a = {0};
    tct_diag d = {0};
    char *expected;
    int status;
    assert_true(tct_file_read(&d, tct_path_join(&a, model, "expected_greedy.txt"), &expected, NULL));
    for (int threads = 1; threads <= 3; threads += 2) {
        // The published text is 200 tokens long.
        char *text = run(&a,
                         tct_arena_printf(&a, "--model %s --max-new 200 --temperature 0 --raw --threads %d",
                                          model, threads),
                         &status);
        assert_int_equal(status, TCT_EXIT_OK);
        assert_string_equal(text, expected);
    }
    tct_heap_free(expected);
    tct_diag_free(&d);
    tct_arena_free(&a);
}

static void samples_repeat(void **state) {
    (void)state;
    need_model();
    tct_arena a = {0};
    int status;
    char *text[3];
    for (int i = 0; i < 3; i++)
        text[i] = run(&a,
                      tct_arena_printf(&a,
                                       "--model %s --prompt 'Tom and his dog' --max-new 30 --top-k 40 "
                                       "--top-p 0.95 --raw --threads %d --seed %d",
                                       model, i == 1 ? 2 : 1, i == 2 ? 2 : 1),
                      &status);
    assert_true(strlen(text[0]) > 20);
    assert_string_equal(text[0], text[1]);
    assert_string_not_equal(text[0], text[2]);
    char *whole = run(
        &a,
        tct_arena_printf(
            &a, "--model %s --prompt 'Tom and his dog' --max-new 30 --top-k 40 --top-p 0.95 --seed 1", model),
        &status);
    assert_ptr_equal(strstr(whole, "Tom and his dog"), whole);
    assert_ptr_equal(strstr(whole + strlen("Tom and his dog"), text[0]), whole + strlen("Tom and his dog"));
    assert_non_null(strstr(whole, "30 tokens in "));
    tct_arena_free(&a);
}

// Narrow weights go on with nearly the same text, which doesn't depend on the number of threads.
static void reads_narrow_weights(void **state) {
    (void)state;
    need_model();
    tct_arena a = {0};
    static const char *const kinds[] = {"f32", "bf16", "int8"};
    char *text[3];
    int status;
    for (int i = 0; i < 3; i++) {
        for (int threads = 1; threads <= 3; threads += 2) {
            char *now =
                run(&a,
                    tct_arena_printf(&a,
                                     "--model %s --prompt 'Tom and his dog' --max-new 40 --temperature 0 "
                                     "--raw --weights %s --threads %d",
                                     model, kinds[i], threads),
                    &status);
            assert_int_equal(status, TCT_EXIT_OK);
            if (threads > 1) assert_string_equal(text[i], now);
            text[i] = now;
        }
        assert_memory_equal(text[i], text[0], 20);
    }
    assert_non_null(
        strstr(run(&a, "--model x --weights int4", &status), "takes f32, bf16 or int8, not `int4`"));
    assert_int_equal(status, TCT_EXIT_USAGE);
    tct_arena_free(&a);
}

static void says_what_is_wrong(void **state) {
    (void)state;
    tct_arena a = {0};
    int status;
    assert_non_null(strstr(run(&a, "", &status), "--model DIR is needed"));
    assert_int_equal(status, TCT_EXIT_USAGE);
    assert_non_null(
        strstr(run(&a, "--model x --temperature -1", &status), "--temperature takes a number of at least 0"));
    assert_int_equal(status, TCT_EXIT_USAGE);
    assert_non_null(strstr(run(&a, "--model /nowhere", &status), "E0701"));
    assert_int_equal(status, TCT_EXIT_ERROR);
    need_model();
    assert_non_null(strstr(run(&a, tct_arena_printf(&a, "--model %s --max-new 600", model), &status),
                           "--max-new 511 is the most that fits"));
    assert_int_equal(status, TCT_EXIT_ERROR);
    tct_arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_published_text),
        cmocka_unit_test(samples_repeat),
        cmocka_unit_test(reads_narrow_weights),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
