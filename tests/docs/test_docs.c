// The documentation's examples. In docs/*.md and README.md, a block tagged ```tct is parsed, one tagged
// ```tct check is checked as `tercet check` does, one tagged ```tir is a graph as it is printed, and one
// tagged with a language and a name, as ```tct loss.tct, becomes a file in the page's current folder. Of a
// block tagged ```console every command `$ …` (lines that begin with `> ` continue it) is run, at first in
// the root of the repository, and its output compared, where `…` stands for any text, as a line for any
// number of lines.
#include "frontend/stage.h"
#include "passes/passes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "session.h"

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

// A graph in text form that reads, verifies, and prints as it stands there.
static void check_graph(const char *path, size_t line, const char *text, size_t len, tct_counts *n) {
    tct_diag d = {0};
    tct_buf again = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = tct_ir_parse(&d, m, path, text, len);
    if (g && tct_ir_verify(&d, g, NULL))
        tct_ir_print(g, &again, strncmp(text, "source ", 7) == 0 ? &d : NULL);
    if (d.n_errors) show(path, line, &d);
    bool same = again.len >= len && memcmp(again.data, text, len) == 0;
    if (!d.n_errors && !same) fprintf(stderr, "%s:%zu: this graph prints as\n%s", path, line, again.data);
    n->parsed++;
    n->wrong += !same;
    tct_ir_module_free(m);
    tct_buf_free(&again);
    tct_diag_free(&d);
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

// Whether a line is as the pattern, in which `…` stands for any text.
static bool line_matches(const char *pattern, size_t p, const char *text, size_t t) {
    static const char any[] = "…";
    const char *mark = memmem(pattern, p, any, strlen(any));
    if (!mark) return p == t && memcmp(pattern, text, p) == 0;
    size_t before = (size_t)(mark - pattern), rest = p - before - strlen(any);
    if (t < before || memcmp(pattern, text, before) != 0) return false;
    for (size_t skip = before; skip <= t; skip++)
        if (line_matches(mark + strlen(any), rest, text + skip, t - skip)) return true;
    return false;
}

// Whether the lines of `text` are those of `pattern`, where a line `…` stands for any number of them. Empty
// lines at the end don't count.
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
        if (!*text) return !pattern[strspn(pattern, "\n")];
        if (!line_matches(pattern, p, text, t)) return false;
        pattern = next_pattern;
        text += t + (text[t] == '\n');
    }
    return !text[strspn(text, "\n")];
}

static void run_command(tct_session *session, const char *path, size_t line, const char *command,
                        const char *expected, tct_counts *n) {
    tct_buf got = {0};
    session_run(session, command, &got);
    n->run++;
    if (!lines_match(expected, got.data)) {
        fprintf(stderr, "%s:%zu: `%s` gives\n%s\nnot\n%s\n", path, line, command, got.data, expected);
        n->wrong++;
    }
    tct_buf_free(&got);
}

// Runs the `$ …` lines of a console block; what follows each, to the next, is its output.
static void run_console(tct_session *session, const char *path, size_t line, const char *text, size_t len,
                        tct_counts *n) {
    const char *end = text + len;
    while (text < end) {
        if (strncmp(text, "$ ", 2) != 0) fail_msg("%s:%zu: `$ ` and a command is expected", path, line);
        size_t at = line, length = strcspn(text, "\n");
        tct_buf command = {0}, expected = {0};
        tct_buf_add(&command, text + 2, length - 2);
        for (text += length + 1, line++; strncmp(text, "> ", 2) == 0; text += length + 1, line++) {
            length = strcspn(text, "\n");
            tct_buf_add(&command, "\n", 1);
            tct_buf_add(&command, text + 2, length - 2);
        }
        tct_buf_puts(&command, "");
        tct_buf_puts(&expected, "");
        for (; text < end && strncmp(text, "$ ", 2) != 0; text += length + 1, line++) {
            length = strcspn(text, "\n");
            tct_buf_add(&expected, text, length + 1);
        }
        run_command(session, path, at, command.data, expected.data, n);
        tct_buf_free(&command);
        tct_buf_free(&expected);
    }
}

// A block of a page, tagged with `tag`.
static void check_block(tct_session *session, const char *path, size_t line, const char *tag,
                        const char *text, size_t len, tct_counts *n) {
    const char *second = strchr(tag, ' ');
    if (strcmp(tag, "tct") == 0)
        check_program(path, line, text, len, false, n);
    else if (strcmp(tag, "tct check") == 0)
        check_program(path, line, text, len, true, n);
    else if (strcmp(tag, "tir") == 0)
        check_graph(path, line, text, len, n);
    else if (strcmp(tag, "console") == 0)
        run_console(session, path, line, text, len, n);
    else if (second && strchr(second, '.'))
        session_write(session, second + 1, text, len);
    else if (second)
        fail_msg("%s:%zu: `%s` is no tag of a block", path, line, tag);
}

static void check_file(const char *path, tct_counts *n) {
    tct_diag d = {0};
    tct_session session;
    char *text;
    assert_true(tct_file_read(&d, path, &text, NULL));
    session_open(&session);
    size_t line = 1, block_line = 0;
    const char *block = NULL, *tag = NULL;
    for (const char *at = text; *at; line++) {
        size_t length = strcspn(at, "\n");
        const char *next = at + length + (at[length] == '\n');
        if (strncmp(at, "```", 3) == 0) {
            if (block)
                check_block(&session, path, block_line, tag, block, (size_t)(at - block), n);
            else
                tag = tct_arena_printf(&session.arena, "%.*s", (int)(length - 3), at + 3);
            block = block ? NULL : next;
            block_line = line + 1;
        }
        at = next;
    }
    if (block) fail_msg("%s:%zu: this block has no end", path, block_line);
    session_close(&session);
    tct_heap_free(text);
    tct_diag_free(&d);
}

// `tercet` is the one beside this test, its library the one of the repository, and Python the system's, which
// has NumPy.
static void set_environment(tct_arena *a) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    const char *path = getenv("PATH");
    setenv("PATH", tct_arena_printf(a, "%s:/usr/bin:%s", tct_path_dir(a, self), path ? path : ""), 1);
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 1);
    setenv("COLUMNS", "100", 1);
}

// Of all pages of a folder, or of `only` one.
static void check_pages(tct_arena *a, const char *folder, const char *only, tct_counts *n) {
    DIR *pages = opendir(folder[0] ? folder : ".");
    assert_non_null(pages);
    for (const struct dirent *entry; (entry = readdir(pages));) {
        size_t length = strlen(entry->d_name);
        const char *path = tct_path_join(a, folder, entry->d_name);
        if (length > 3 && strcmp(entry->d_name + length - 3, ".md") == 0 &&
            (!only || strcmp(only, path) == 0))
            check_file(path, n);
    }
    closedir(pages);
}

static void test_examples(void **state) {
    const char *only = *state;
    tct_arena a = {0};
    tct_counts n = {0};
    set_environment(&a);
    check_pages(&a, "", only, &n);
    check_pages(&a, "docs", only, &n);
    tct_arena_free(&a);
    printf("%zu programs parsed, %zu checked, %zu commands run\n", n.parsed, n.checked, n.run);
    assert_true(only || (n.parsed >= 3 && n.checked >= 8 && n.run >= 50));
    assert_int_equal(n.wrong, 0);
}

// docs/passes.md shows every pass at work.
static void test_every_pass_is_shown(void **state) {
    (void)state;
    tct_diag d = {0};
    char *text;
    assert_true(tct_file_read(&d, "docs/passes.md", &text, NULL));
    for (size_t k = 0; k <= tct_n_passes; k++) {
        const char *name = k < tct_n_passes ? tct_passes[k].name : "grad";
        const char *head = tct_arena_printf(&d.arena, "\n## %s\n", name),
                   *shown = tct_arena_printf(&d.arena, " --diff %s", name), *section = strstr(text, head);
        const char *next = section ? strstr(section + 1, "\n## ") : NULL,
                   *found = section ? strstr(section, shown) : NULL;
        if (!found || (next && found > next)) fail_msg("docs/passes.md doesn't show `%s` at work", name);
    }
    tct_heap_free(text);
    tct_diag_free(&d);
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
    assert_true(lines_match("a\n", "a\n\n"));
    assert_true(lines_match("a\n\n", "a\n"));
    assert_false(lines_match("a\nb\n", "a\n\nb\n"));
    assert_true(lines_match("a … c …\n", "a b c d\n"));
    assert_true(lines_match("loss 0.1…\n", "loss 0.1\n"));
    assert_false(lines_match("loss 0.1…\n", "loss 0.2\n"));
    assert_false(lines_match("… ms\n", "a\nb ms\n"));
}

// With an argument, docs/data.md for example, that page alone.
int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wildcard),
                                       cmocka_unit_test_prestate(test_examples, argc > 1 ? argv[1] : NULL),
                                       cmocka_unit_test(test_every_pass_is_shown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
