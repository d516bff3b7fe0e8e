// Differences of lines: whatever the lists, the hunks turn one into the other.
#include "base/linediff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// The lines of "a b c".
static size_t split(tct_arena *arena, const char *words, tct_line *out) {
    size_t n = 0;
    for (; *words; words += words[strcspn(words, " ")] ? strcspn(words, " ") + 1 : strcspn(words, " ")) {
        const char *word = tct_arena_strndup(arena, words, strcspn(words, " "));
        out[n++] = (tct_line){word, word};
    }
    return n;
}

static void check(const char *a, const char *b, const char *expected) {
    tct_arena arena = {0};
    tct_line x[100], y[100];
    tct_buf out = {0};
    size_t n = split(&arena, a, x), m = split(&arena, b, y);
    assert_true(tct_linediff(x, n, y, m, &out) == (strlen(expected) > 0));
    assert_string_equal(out.data ? out.data : "", expected);
    tct_buf_free(&out);
    tct_arena_free(&arena);
}

static void test_hunks(void **state) {
    (void)state;
    check("", "", "");
    check("a b c", "a b c", "");
    check("", "a b", "@@ -0,0 +1,2 @@\n+a\n+b\n");
    check("a b", "", "@@ -1,2 +0,0 @@\n-a\n-b\n");
    check("1 2 3 4 5 6 7 8 9", "1 2 3 4 x 6 7 8 9", "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
    // Two differences with six lines between them share a hunk, with seven they don't.
    check("a 1 2 3 4 5 6 b", "A 1 2 3 4 5 6 B", "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
    check("a 1 2 3 4 5 6 7 b", "A 1 2 3 4 5 6 7 B",
          "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
    // Equal lines everywhere: found by the lines that are there once, and one by one between them.
    check("x x a x x", "x a x x x", "@@ -1,5 +1,5 @@\n x\n-x\n a\n+x\n x\n x\n");
    check("x y x y", "y x y x", "@@ -1,4 +1,4 @@\n-x\n y\n x\n y\n+x\n");
}

// Applies hunks to list a; what comes out is list b.
static void apply(const tct_line *a, size_t n_a, const char *hunks, tct_buf *out) {
    size_t at = 0; // of a, done
    for (const char *line = hunks; *line; line = strchr(line, '\n') + 1) {
        if (line[0] == '@') {
            size_t begin = (size_t)atoll(line + 4), count = (size_t)atoll(strchr(line, ',') + 1);
            for (size_t to = count ? begin - 1 : begin; at < to; at++) tct_buf_printf(out, "%s ", a[at].key);
            continue;
        }
        size_t len = strcspn(line + 1, "\n");
        if (line[0] != '+') {
            assert_true(at < n_a && strlen(a[at].key) == len && memcmp(a[at].key, line + 1, len) == 0);
            at++;
        }
        if (line[0] != '-') {
            tct_buf_add(out, line + 1, len);
            tct_buf_putc(out, ' ');
        }
    }
    for (; at < n_a; at++) tct_buf_printf(out, "%s ", a[at].key);
}

static void test_random_lists(void **state) {
    (void)state;
    uint32_t random = 1;
    static const char *const words[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    for (int round = 0; round < 3000; round++) {
        tct_line a[40], b[40];
        size_t n[2], kinds = 1 + (size_t)round % 12;
        for (int side = 0; side < 2; side++) {
            random = random * 1664525u + 1013904223u;
            n[side] = (random >> 16) % 40;
            for (size_t k = 0; k < n[side]; k++) {
                random = random * 1664525u + 1013904223u;
                const char *word = words[(random >> 16) % kinds];
                (side ? b : a)[k] = (tct_line){word, word};
            }
        }
        tct_buf out = {0}, got = {0}, want = {0};
        tct_buf_puts(&got, "");
        tct_buf_puts(&want, "");
        tct_linediff(a, n[0], b, n[1], &out);
        apply(a, n[0], out.data ? out.data : "", &got);
        for (size_t k = 0; k < n[1]; k++) tct_buf_printf(&want, "%s ", b[k].key);
        assert_string_equal(got.data, want.data);
        tct_buf_free(&out);
        tct_buf_free(&got);
        tct_buf_free(&want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hunks), cmocka_unit_test(test_random_lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
