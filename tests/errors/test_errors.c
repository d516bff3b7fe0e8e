// Golden errors: every NAME.tct of this folder gives exactly the messages of NAME.txt. Set TERCET_UPDATE=1 to
// rewrite those that differ. A case whose first lines are `// --set KEY=VALUE` is checked with these config
// values, one whose first line is `// --pipeline NAME` is compiled as well, and given each of the values of
// `// --start KEY=VALUE` lines after it by itself, as a trainer is when it starts. Every code of syntax,
// names, types, config and stages has a case, and every code has its section in docs/errors.md.
#include "base/file.h"
#include "frontend/elab.h"
#include "frontend/modules.h"
#include "frontend/stage.h"
#include "passes/passes.h"
#include "runtime/settings.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *id, *summary;
} codes[] = {
#define CODE(id, summary) {#id, summary},
#include "base/codes.def"
#undef CODE
};
enum { N_CODES = sizeof codes / sizeof codes[0], MAX_SETS = 16, MAX_ERRORS = 20 };

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

// The lines at the top of a case that begin with "// --set " or, what a trainer is given when it starts, with
// "// --start ": KEY=VALUE.
static size_t read_sets(tct_arena *a, const char *text, const char *begin, tct_setting *sets) {
    size_t n = 0;
    for (; strncmp(text, begin, strlen(begin)) == 0 && n < MAX_SETS; n++) {
        text += strlen(begin);
        size_t length = strcspn(text, "\n"), key = strcspn(text, "=");
        assert_true(key < length);
        sets[n].name = tct_arena_strndup(a, text, key);
        sets[n].value = tct_arena_strndup(a, text + key + 1, length - key - 1);
        text += length + 1;
    }
    return n;
}

// The `// --pipeline NAME` line at the top of a case, which is compiled as `tercet run` does: true when there
// is one. `name`: NULL where it gives none.
static bool read_pipeline(tct_arena *a, const char *text, const char **name) {
    static const char begin[] = "// --pipeline";
    if (strncmp(text, begin, sizeof begin - 1) != 0) return false;
    const char *rest = text + sizeof begin - 1;
    size_t length = strcspn(rest, "\n");
    *name = length > 1 ? tct_arena_strndup(a, rest + 1, length - 1) : NULL;
    return true;
}

// Each of the values is given to the program by itself.
static void compile_pipeline(tct_diag *d, const tct_package *package, const char *name,
                             const tct_setting *start, size_t n) {
    tct_ir_module *m = tct_ir_module_new();
    tct_elab *e = tct_elab_new(d, package, NULL, 0);
    tct_draft *draft = tct_elab_program(e, m, name, &hooks);
    for (size_t i = 0; draft && i < n; i++) tct_settings_apply(d, &draft->program, &start[i], 1);
    tct_elab_free(e);
    tct_ir_module_free(m);
}

// What `tercet check` says about the case; the codes that it reports are marked in `seen`.
static tct_buf messages_of(const char *path, bool *seen) {
    tct_diag d = {.max_errors = MAX_ERRORS};
    char *text;
    size_t len;
    assert_true(tct_file_read(&d, path, &text, &len));
    tct_setting sets[MAX_SETS];
    size_t n_sets = read_sets(&d.arena, text, "// --set ", sets);
    tct_package package = {0};
    const char *pipeline;
    if (tct_package_load_text(&d, &package, path, text, len, "std") &&
        tct_check(&d, &package, sets, n_sets, false, &hooks) && read_pipeline(&d.arena, text, &pipeline)) {
        n_sets = read_sets(&d.arena, strchr(text, '\n') + 1, "// --start ", sets);
        compile_pipeline(&d, &package, pipeline, sets, n_sets);
    }
    for (size_t m = 0; m < d.messages.len; m++)
        for (int k = 0; k < N_CODES; k++)
            if (strcmp(d.messages.data[m].code, codes[k].id) == 0) seen[k] = true;
    tct_buf out = {0};
    tct_buf_puts(&out, "");
    tct_diag_render(&d, &out, false);
    tct_package_free(&package);
    tct_heap_free(text);
    tct_diag_free(&d);
    return out;
}

// True when the case gives what its .txt says, or was rewritten.
static bool check_case(const char *path, bool *seen) {
    tct_diag d = {0};
    const char *golden = tct_arena_printf(&d.arena, "%.*s.txt", (int)strlen(path) - 4, path);
    tct_buf got = messages_of(path, seen);
    char *expected = NULL;
    bool same = tct_file_read(&d, golden, &expected, NULL) && strcmp(expected, got.data) == 0;
    if (!same && getenv("TERCET_UPDATE")) {
        same = tct_file_write(&d, golden, got.data, got.len);
        fprintf(stderr, "%s: rewritten\n", golden);
    }
    if (!same)
        fprintf(stderr, "%s: expected\n%s\nfound\n%s\n", path, expected ? expected : "(no file)", got.data);
    tct_heap_free(expected);
    tct_buf_free(&got);
    tct_diag_free(&d);
    return same;
}

static void test_cases(void **state) {
    (void)state;
    tct_arena a = {0};
    bool seen[N_CODES] = {0};
    size_t n, differing = 0, missing = 0;
    const char **names = tct_folder_files(&a, "tests/errors", &n);
    for (size_t k = 0; k < n; k++)
        differing += !check_case(tct_path_join(&a, "tests/errors", names[k]), seen);
    for (int k = 0; k < N_CODES; k++) {
        bool of_source = codes[k].id[1] == '0' && codes[k].id[2] >= '1' && codes[k].id[2] <= '5';
        if (!of_source || seen[k]) continue;
        fprintf(stderr, "%s (%s): no case in tests/errors\n", codes[k].id, codes[k].summary);
        missing++;
    }
    tct_arena_free(&a);
    assert_true(n > 0);
    assert_int_equal(differing, 0);
    assert_int_equal(missing, 0);
}

static void test_no_code_stands_for_two_errors(void **state) {
    (void)state;
    for (int k = 1; k < N_CODES; k++)
        if (strcmp(codes[k - 1].id, codes[k].id) >= 0) fail_msg("%s: twice, or out of order", codes[k].id);
}

// A section `## E0104 …` for every code, and none for a code that isn't there.
static void test_every_code_is_explained(void **state) {
    (void)state;
    tct_diag d = {0};
    char *text;
    assert_true(tct_file_read(&d, "docs/errors.md", &text, NULL));
    size_t missing = 0;
    for (int k = 0; k < N_CODES; k++) {
        const char *heading = tct_arena_printf(&d.arena, "\n## %s %s\n", codes[k].id, codes[k].summary);
        if (strstr(text, heading)) continue;
        fprintf(stderr, "docs/errors.md has no section `## %s %s`\n", codes[k].id, codes[k].summary);
        missing++;
    }
    for (const char *at = text; (at = strstr(at, "\n## E")); at++) {
        bool known = false;
        for (int k = 0; k < N_CODES; k++) known = known || strncmp(at + 4, codes[k].id, 5) == 0;
        if (!known) fail_msg("docs/errors.md explains %.5s, which base/codes.def lacks", at + 4);
    }
    tct_heap_free(text);
    tct_diag_free(&d);
    assert_int_equal(missing, 0);
}

// Every "E…" in the program's own source is in base/codes.def.
static void test_every_code_used_is_listed(void **state) {
    (void)state;
    static const char *const folders[] = {"base", "runtime", "ir", "passes", "codegen", "frontend", "driver"};
    tct_diag d = {0};
    size_t unlisted = 0;
    for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++) {
        DIR *folder = opendir(folders[f]);
        assert_non_null(folder);
        for (const struct dirent *entry; (entry = readdir(folder));) {
            size_t length = strlen(entry->d_name);
            if (length < 2 || strcmp(entry->d_name + length - 2, ".c") != 0) continue;
            const char *path = tct_path_join(&d.arena, folders[f], entry->d_name);
            char *text;
            assert_true(tct_file_read(&d, path, &text, NULL));
            for (const char *at = text; (at = strstr(at, "\"E")); at++) {
                if (strspn(at + 2, "0123456789") != 4 || at[6] != '"') continue;
                bool listed = false;
                for (int k = 0; k < N_CODES; k++) listed = listed || strncmp(at + 1, codes[k].id, 5) == 0;
                if (listed) continue;
                fprintf(stderr, "%s: %.5s is not in base/codes.def\n", path, at + 1);
                unlisted++;
            }
            tct_heap_free(text);
        }
        closedir(folder);
    }
    tct_diag_free(&d);
    assert_int_equal(unlisted, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_no_code_stands_for_two_errors),
        cmocka_unit_test(test_every_code_is_explained),
        cmocka_unit_test(test_every_code_used_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
