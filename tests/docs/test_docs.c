// The documentation's examples. In docs/*.md and README.md, a block tagged ```tct is parsed, one tagged
// ```tct check is checked as `tercet check` does, and of one tagged ```console every command `$ tercet …` is
// run in the root of the repository and its output compared, where a line `…` stands for any number of lines.
#include "base/file.h"
#include "frontend/stage.h"
#include "passes/passes.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// Every folder is a tokenizer of eight tokens, and no model folder has a config.
static bool small_tokenizer(void *ctx, tct_diag *d, const char *path, tct_token_info *out) {
    (void)ctx, (void)d, (void)path;
    *out = (tct_token_info){8, 0, 1, 2};
    return true;
}
static bool no_value(void *ctx, tct_diag *d, const char *folder, const char *key, const char **out) {
    (void)ctx, (void)d, (void)folder, (void)key;
    *out = NULL;
    return true;
}
static tct_graph *gradient(tct_diag *d, tct_graph *g, uint32_t loss, const uint32_t *wrt, uint32_t n) {
    return tct_grad(d, g, loss, wrt, n);
}
static const tct_stage_hooks hooks = {NULL, gradient, small_tokenizer, no_value};

typedef struct tct_counts {
    size_t parsed, checked, run, wrong;
} tct_counts;

static void show(const char *path, size_t line, const tct_diag *d) {
    tct_buf out = {0};
    tct_diag_render(d, &out, false);
    fprintf(stderr, "%s:%zu: this example has errors\n%s", path, line, out.data ? out.data : "");
    tct_buf_free(&out);
}

static void check_program(const char *path, size_t line, const char *text, size_t len, bool whole,
                          tct_counts *n) {
    tct_diag d = {0};
    if (whole) {
        tct_package package = {0};
        if (tct_package_load_text(&d, &package, path, text, len, "std"))
            tct_check(&d, &package, NULL, 0, false, &hooks);
        if (d.n_errors) show(path, line, &d);
        tct_package_free(&package);
        n->checked++;
    } else {
        tct_ast_free(tct_parse(&d, tct_diag_add_source(&d, path, text, len)));
        if (d.n_errors) show(path, line, &d);
        n->parsed++;
    }
    n->wrong += d.n_errors > 0;
    tct_diag_free(&d);
}

// Whether the lines of `text` are those of `pattern`, where `…` stands for any number of them.
static bool lines_match(const char *pattern, const char *text) {
    while (*pattern) {
        size_t p = strcspn(pattern, "\n"), t = strcspn(text, "\n");
        const char *next_pattern = pattern + p + (pattern[p] == '\n');
        if (p == strlen("…") && memcmp(pattern, "…", p) == 0) {
            for (const char *rest = text;; rest += strcspn(rest, "\n") + 1) {
                if (lines_match(next_pattern, rest)) return true;
                if (!rest[0] || !rest[strcspn(rest, "\n")]) return !*next_pattern;
            }
        }
        if (!*text || p != t || memcmp(pattern, text, p) != 0) return false;
        pattern = next_pattern;
        text += t + (text[t] == '\n');
    }
    return !*text;
}

static void run_command(const char *path, size_t line, const char *command, const char *expected,
                        tct_counts *n) {
    tct_buf shell = {0}, got = {0};
    tct_buf_printf(&shell, "(%s) 2>&1 </dev/null", command);
    FILE *pipe = popen(shell.data, "r");
    assert_non_null(pipe);
    char chunk[4096];
    for (size_t k; (k = fread(chunk, 1, sizeof chunk, pipe)) > 0;) tct_buf_add(&got, chunk, k);
    pclose(pipe);
    tct_buf_puts(&got, "");
    n->run++;
    if (!lines_match(expected, got.data)) {
        fprintf(stderr, "%s:%zu: `%s` gives\n%s\nnot\n%s\n", path, line, command, got.data, expected);
        n->wrong++;
    }
    tct_buf_free(&shell);
    tct_buf_free(&got);
}

// Runs the `$ …` lines of a console block; what follows each, to the next, is its output.
static void run_console(const char *path, size_t line, const char *text, size_t len, tct_counts *n) {
    if (strncmp(text, "$ tercet", 8) != 0) return;
    const char *end = text + len;
    while (text < end) {
        assert_true(text[0] == '$' && text[1] == ' ');
        size_t at = line, length = strcspn(text, "\n");
        tct_buf command = {0}, expected = {0};
        tct_buf_add(&command, text + 2, length - 2);
        tct_buf_puts(&expected, "");
        for (text += length + 1, line++; text < end && text[0] != '$'; text += length + 1, line++) {
            length = strcspn(text, "\n");
            tct_buf_add(&expected, text, length + 1);
        }
        run_command(path, at, command.data, expected.data, n);
        tct_buf_free(&command);
        tct_buf_free(&expected);
    }
}

static void check_file(const char *path, tct_counts *n) {
    tct_diag d = {0};
    char *text;
    assert_true(tct_file_read(&d, path, &text, NULL));
    size_t line = 1;
    const char *block = NULL, *tag = NULL;
    size_t tag_len = 0, block_line = 0;
    for (const char *at = text; *at; line++) {
        size_t length = strcspn(at, "\n");
        const char *next = at + length + (at[length] == '\n');
        if (strncmp(at, "```", 3) == 0) {
            if (!block) {
                block = next;
                block_line = line + 1;
                tag = at + 3;
                tag_len = length - 3;
            } else {
                size_t size = (size_t)(at - block);
                if (tag_len == 3 && memcmp(tag, "tct", 3) == 0)
                    check_program(path, block_line, block, size, false, n);
                if (tag_len == 9 && memcmp(tag, "tct check", 9) == 0)
                    check_program(path, block_line, block, size, true, n);
                if (tag_len == 7 && memcmp(tag, "console", 7) == 0)
                    run_console(path, block_line, block, size, n);
                block = NULL;
            }
        }
        at = next;
    }
    if (block) fail_msg("%s:%zu: this block has no end", path, block_line);
    tct_heap_free(text);
    tct_diag_free(&d);
}

// `tercet` is the one beside this test, and its library the one of the repository.
static void set_environment(tct_arena *a) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    const char *path = getenv("PATH");
    setenv("PATH", tct_arena_printf(a, "%s:%s", tct_path_dir(a, self), path ? path : ""), 1);
    setenv("TERCET_STD", "std", 1);
    setenv("COLUMNS", "100", 1);
}

static void test_examples(void **state) {
    (void)state;
    tct_arena a = {0};
    tct_counts n = {0};
    set_environment(&a);
    if (access("README.md", F_OK) == 0) check_file("README.md", &n);
    DIR *docs = opendir("docs");
    assert_non_null(docs);
    for (const struct dirent *entry; (entry = readdir(docs));) {
        size_t length = strlen(entry->d_name);
        if (length > 3 && strcmp(entry->d_name + length - 3, ".md") == 0)
            check_file(tct_path_join(&a, "docs", entry->d_name), &n);
    }
    closedir(docs);
    tct_arena_free(&a);
    printf("%zu programs parsed, %zu checked, %zu commands run\n", n.parsed, n.checked, n.run);
    assert_true(n.parsed >= 3 && n.checked >= 8 && n.run >= 3);
    assert_int_equal(n.wrong, 0);
}

static void test_wildcard(void **state) {
    (void)state;
    assert_true(lines_match("a\n", "a\n"));
    assert_false(lines_match("a\n", "a\nb\n"));
    assert_true(lines_match("a\n…\nc\n", "a\nb\nb\nc\n"));
    assert_true(lines_match("a\n…\n", "a\n"));
    assert_true(lines_match("…\nc\n", "c\n"));
    assert_false(lines_match("a\n…\nc\n", "a\nb\n"));
    assert_false(lines_match("a\n", ""));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wildcard), cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
