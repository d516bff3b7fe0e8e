// The pages of the documentation among themselves: links lead somewhere, the index names every page, and what
// is made of a table in the source has its place.
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *read_page(const char *path) {
    tct_diag d = {0};
    char *text;
    assert_true(tct_file_read(&d, path, &text, NULL));
    tct_diag_free(&d);
    return text;
}

// The anchor of a heading: lower case, blanks as hyphens, without punctuation.
static const char *anchor_of(tct_arena *a, const char *heading, size_t len) {
    tct_buf anchor = {0};
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)heading[i];
        char lower = c == ' ' ? '-' : (char)tolower(c);
        if (isalnum(c) || c == '-' || c == '_' || c == ' ' || c >= 0x80) tct_buf_add(&anchor, &lower, 1);
    }
    tct_buf_puts(&anchor, "");
    const char *result = tct_arena_strdup(a, anchor.data);
    tct_buf_free(&anchor);
    return result;
}

static bool has_anchor(tct_arena *a, const char *path, const char *anchor) {
    char *text = read_page(path);
    bool found = false;
    for (const char *at = text; *at && !found; at += strcspn(at, "\n") + (at[strcspn(at, "\n")] != 0)) {
        size_t level = strspn(at, "#"), len = strcspn(at, "\n");
        if (level && at[level] == ' ')
            found = strcmp(anchor_of(a, at + level + 1, len - level - 1), anchor) == 0;
    }
    tct_heap_free(text);
    return found;
}

// Blanks out what stands in blocks and between backticks: code has no links.
static void drop_code(char *text) {
    bool block = false, code = false;
    for (char *at = text; *at; at++) {
        if ((at == text || at[-1] == '\n') && strncmp(at, "```", 3) == 0) {
            block = !block;
            memset(at, ' ', strcspn(at, "\n"));
        }
        if (*at == '`') code = !code;
        if ((block || code) && *at != '\n') *at = ' ';
    }
}

static uint32_t check_links(tct_arena *a, const char *path, uint32_t *n) {
    char *text = read_page(path);
    drop_code(text);
    uint32_t wrong = 0;
    for (const char *at = text; (at = strstr(at, "](")); at += 2) {
        const char *link = tct_arena_strndup(a, at + 2, strcspn(at + 2, ")\n"));
        if (strncmp(link, "http", 4) == 0) continue;
        const char *hash = strchr(link, '#');
        const char *file = hash ? tct_arena_strndup(a, link, (size_t)(hash - link)) : link;
        const char *target = *file ? tct_path_join(a, tct_path_dir(a, path), file) : path;
        ++*n;
        if (access(target, R_OK) != 0 || (hash && !has_anchor(a, target, hash + 1))) {
            fprintf(stderr, "%s: the link %s leads nowhere\n", path, link);
            wrong++;
        }
    }
    tct_heap_free(text);
    return wrong;
}

static void test_links(void **state) {
    (void)state;
    tct_arena a = {0};
    uint32_t n = 0, wrong = check_links(&a, "README.md", &n);
    char *index = read_page("docs/README.md");
    DIR *docs = opendir("docs");
    assert_non_null(docs);
    for (const struct dirent *entry; (entry = readdir(docs));) {
        if (!strstr(entry->d_name, ".md")) continue;
        wrong += check_links(&a, tct_path_join(&a, "docs", entry->d_name), &n);
        if (strcmp(entry->d_name, "README.md") == 0) continue;
        if (!strstr(index, tct_arena_printf(&a, "(%s)", entry->d_name))) {
            fprintf(stderr, "docs/README.md doesn't name %s\n", entry->d_name);
            wrong++;
        }
    }
    closedir(docs);
    tct_heap_free(index);
    tct_arena_free(&a);
    assert_true(n > 30);
    assert_int_equal(wrong, 0);
}

static void test_folders(void **state) {
    (void)state;
    tct_arena a = {0};
    char *page = read_page("docs/architecture.md");
    DIR *root = opendir(".");
    assert_non_null(root);
    uint32_t wrong = 0;
    for (const struct dirent *entry; (entry = readdir(root));) {
        const char *name = entry->d_name;
        bool ours = entry->d_type == DT_DIR && name[0] != '.' && strncmp(name, "build", 5) != 0 &&
                    strcmp(name, "runs") != 0;
        if (!ours || strstr(page, tct_arena_printf(&a, "\n| `%s` |", name))) continue;
        fprintf(stderr, "docs/architecture.md doesn't say what %s/ holds\n", name);
        wrong++;
    }
    closedir(root);
    tct_heap_free(page);
    tct_arena_free(&a);
    assert_int_equal(wrong, 0);
}

static void test_passes(void **state) {
    (void)state;
    char *page = read_page("docs/passes.md");
    uint32_t wrong = 0;
#define PASS(name, text)                                                                                     \
    if (!strstr(page, "\n## " #name "\n"))                                                                   \
        fprintf(stderr, "docs/passes.md has no section %s\n", #name), wrong++;
#include "passes/passes.def"
#undef PASS
    tct_heap_free(page);
    assert_int_equal(wrong, 0);
}

// Every procedure of stages stands in the reference; what it does exactly, `tercet std --builtins` says.
static void test_builtins(void **state) {
    (void)state;
    char *page = read_page("docs/language.md");
    uint32_t wrong = 0;
#define BUILTIN(id, name, signature, text)                                                                   \
    if (!strstr(page, name "(") && !strstr(page, "`" name "`"))                                              \
        fprintf(stderr, "docs/language.md lacks %s\n", name), wrong++;
#include "runtime/builtins.def"
#undef BUILTIN
    tct_heap_free(page);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_links), cmocka_unit_test(test_folders),
                                       cmocka_unit_test(test_passes), cmocka_unit_test(test_builtins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
