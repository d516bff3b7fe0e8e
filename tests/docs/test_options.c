// docs/commands.md against `tercet COMMAND --help`: the tables of a command's section name its options, all
// and no others. And wherever a page of the documentation shows a command with options, that command has
// them.
#include "base/file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_COMMANDS = 0
#define COMMAND(name, arguments, text) +1
#include "driver/commands.def"
#undef COMMAND
};

static const char *const names[N_COMMANDS] = {
#define COMMAND(name, arguments, text) #name,
#include "driver/commands.def"
#undef COMMAND
};

typedef struct tct_words {
    const char **data;
    size_t len, cap;
} tct_words;

static bool holds(const tct_words *words, const char *word) {
    for (size_t i = 0; i < words->len; i++)
        if (strcmp(words->data[i], word) == 0) return true;
    return false;
}

// Adds the options, --a-b, of a piece of text that are not there yet.
static void add_options(tct_arena *a, tct_words *words, const char *text, size_t len) {
    for (const char *at = text; at + 2 < text + len; at++) {
        bool begins = at == text || strchr(" `[(", at[-1]);
        if (!begins || strncmp(at, "--", 2) != 0) continue;
        size_t n = 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz0123456789-");
        if (n == 2) continue;
        const char *word = tct_arena_strndup(a, at, n);
        if (!holds(words, word)) TCT_PUSH(words, word);
        at += n - 1;
    }
}

// The options that --help lists: those at the beginning of a line.
static void options_of_help(tct_arena *a, const char *command, tct_words *words) {
    FILE *pipe = popen(tct_arena_printf(a, TERCET_PROGRAM " %s --help", command), "r");
    assert_non_null(pipe);
    char line[1000];
    while (fgets(line, sizeof line, pipe)) {
        size_t blanks = strspn(line, " ");
        if (blanks == 0 || blanks > 6) continue;
        const char *option = strstr(line + blanks, "--");
        if (!option || option - line > 6) continue;
        add_options(a, words, option, strcspn(option, "=[ \n"));
    }
    assert_int_equal(pclose(pipe), 0);
}

// The rows of the tables in the section `## NAME`.
static void options_of_page(tct_arena *a, const char *page, const char *command, tct_words *words) {
    const char *section = strstr(page, tct_arena_printf(a, "\n## %s\n", command));
    if (!section) fail_msg("docs/commands.md has no section `## %s`", command);
    const char *end = strstr(section + 4, "\n## ");
    if (!end) end = section + strlen(section);
    for (const char *at = section + 1; at < end; at += strcspn(at, "\n") + 1) {
        if (at[0] != '|') continue;
        const char *cell = strchr(at + 1, '|'); // options stand in the first column
        add_options(a, words, at, (size_t)(cell - at));
    }
}

static uint32_t missing(const char *command, const tct_words *from, const tct_words *in, const char *what) {
    uint32_t n = 0;
    for (size_t i = 0; i < from->len; i++) {
        if (strcmp(from->data[i], "--help") == 0 || strcmp(from->data[i], "--usage") == 0) continue;
        if (holds(in, from->data[i])) continue;
        fprintf(stderr, "%s: %s %s\n", command, from->data[i], what);
        n++;
    }
    return n;
}

static char *read_page(const char *path) {
    tct_diag d = {0};
    char *text;
    assert_true(tct_file_read(&d, path, &text, NULL));
    tct_diag_free(&d);
    return text;
}

static void test_tables(void **state) {
    (void)state;
    tct_arena a = {0};
    char *page = read_page("docs/commands.md");
    uint32_t wrong = 0;
    for (int i = 0; i < N_COMMANDS; i++) {
        tct_words help = {0}, tables = {0};
        options_of_help(&a, names[i], &help);
        options_of_page(&a, page, names[i], &tables);
        assert_true(holds(&help, "--help"));
        wrong += missing(names[i], &help, &tables, "is not in docs/commands.md");
        wrong += missing(names[i], &tables, &help, "of docs/commands.md does not exist");
        TCT_VEC_FREE(&help);
        TCT_VEC_FREE(&tables);
    }
    tct_heap_free(page);
    tct_arena_free(&a);
    assert_int_equal(wrong, 0);
}

// Each `tercet COMMAND … --option` of a page, to the end of the line or of the command.
static uint32_t check_uses(tct_arena *a, const char *path, const tct_words help[N_COMMANDS], uint32_t *n) {
    char *page = read_page(path);
    uint32_t wrong = 0;
    for (const char *at = page; (at = strstr(at, "tercet ")); at++) {
        const char *name = at + strlen("tercet ");
        size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz");
        for (int i = 0; i < N_COMMANDS; i++) {
            if (strlen(names[i]) != len || memcmp(names[i], name, len) != 0) continue;
            tct_words used = {0};
            add_options(a, &used, name + len, strcspn(name + len, "\n`|&;'\""));
            wrong += missing(path, &used, &help[i], tct_arena_printf(a, "is no option of %s", names[i]));
            *n += (uint32_t)used.len;
            TCT_VEC_FREE(&used);
        }
    }
    tct_heap_free(page);
    return wrong;
}

static void test_uses(void **state) {
    (void)state;
    tct_arena a = {0};
    tct_words help[N_COMMANDS] = {0};
    for (int i = 0; i < N_COMMANDS; i++) options_of_help(&a, names[i], &help[i]);
    uint32_t n = 0, wrong = check_uses(&a, "README.md", help, &n);
    DIR *docs = opendir("docs");
    assert_non_null(docs);
    for (const struct dirent *entry; (entry = readdir(docs));)
        if (strstr(entry->d_name, ".md"))
            wrong += check_uses(&a, tct_path_join(&a, "docs", entry->d_name), help, &n);
    closedir(docs);
    for (int i = 0; i < N_COMMANDS; i++) TCT_VEC_FREE(&help[i]);
    tct_arena_free(&a);
    printf("%u options used\n", n);
    assert_true(n > 50);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables), cmocka_unit_test(test_uses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
