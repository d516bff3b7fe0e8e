// Golden files: tests/passes/golden/*.tir hold `; run: LIST`, a graph, a line `; gives:`, and the graph
// expected then. LIST is as for tct_passes_run. The graph that comes out is also run against the one that
// went in. TERCET_UPDATE_GOLDEN=1 writes what comes out.
#include "base/file.h"
#include "tests/passes/gradient_check.h"
#include "tests/support/random_graph.h"

#include <glob.h>

static const char *const FOLDER = TERCET_SOURCE_DIR "/tests/passes/golden/";
static const char *const MARK = "; gives:\n";

// The outputs that both have are the same numbers. Nothing is compared where sizes are unknown or too large
// for the interpreter.
static void same_numbers(const tct_graph *before, const tct_graph *after, const char *path) {
    enum { LARGE = 1 << 20 };
    for (size_t a = 0; a < before->module->axes.len; a++)
        if (before->module->axes.data[a].size == 0) return;
    for (size_t v = 0; v < before->nodes.len; v++)
        if (tct_node_elements(before, &before->nodes.data[v]) > LARGE) return;
    tct_arena arena = {0};
    tct_ir_tensor *in = make_inputs(before, &arena, true);
    tct_ir_tensor *a = interpret(before, &arena, in), *b = interpret(after, &arena, in);
    for (size_t k = 0; k < before->outputs.len; k++) {
        char why[200];
        if (!tct_tensors_close(before->module, &a[k], &b[k], 1e-6, 1e-6, why))
            fail_msg("%s: output %s: %s", path, before->outputs.data[k].name, why);
    }
    tct_arena_free(&arena);
}

static bool check_file(const char *path) {
    tct_diag d = {0};
    char *text;
    size_t len;
    assert_true(tct_file_read(&d, path, &text, &len));
    char *mark = strstr(text, MARK), *end_of_line = strchr(text, '\n');
    if (strncmp(text, "; run: ", 7) != 0 || !mark) fail_msg("%s lacks '; run:' or '; gives:'", path);
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = tct_ir_parse(&d, m, path, text, (size_t)(mark - text));
    if (!g) fail_with(&d, NULL, path);
    const char *list = tct_arena_strndup(&m->arena, text + 7, (size_t)(end_of_line - text) - 7);
    tct_graph *after = tct_passes_run(&d, g, list, &(tct_pass_trace){.verify_each = true});
    if (!after) fail_with(&d, g, path);
    same_numbers(g, after, path);
    tct_buf have = {0};
    tct_ir_print(after, &have, NULL);
    bool same = strcmp(have.data, mark + strlen(MARK)) == 0;
    if (!same && getenv("TERCET_UPDATE_GOLDEN")) {
        tct_buf whole = {0};
        tct_buf_add(&whole, text, (size_t)(mark - text) + strlen(MARK));
        tct_buf_puts(&whole, have.data);
        assert_true(tct_file_write(&d, path, whole.data, whole.len));
        tct_buf_free(&whole);
        same = true;
    }
    if (!same) fprintf(stderr, "%s: this comes out now:\n%s\n", path, have.data);
    tct_buf_free(&have);
    tct_heap_free(text);
    tct_diag_free(&d);
    tct_ir_module_free(m);
    return same;
}

static void test_golden(void **state) {
    (void)state;
    glob_t files;
    char pattern[1000];
    snprintf(pattern, sizeof pattern, "%s*.tir", FOLDER);
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    int wrong = 0;
    for (size_t k = 0; k < files.gl_pathc; k++) wrong += !check_file(files.gl_pathv[k]);
    if (wrong)
        fail_msg("%d of %d golden files differ; TERCET_UPDATE_GOLDEN=1 rewrites them", wrong,
                 (int)files.gl_pathc);
    globfree(&files);
}

// There is a golden file for every pass.
static void test_every_pass_has_one(void **state) {
    (void)state;
    for (size_t p = 0; p < tct_n_passes; p++) {
        char pattern[1000];
        glob_t files;
        snprintf(pattern, sizeof pattern, "%s%s*.tir", FOLDER, tct_passes[p].name);
        if (glob(pattern, 0, NULL, &files) != 0) fail_msg("no golden file for pass %s", tct_passes[p].name);
        globfree(&files);
    }
}

static void test_unknown_pass(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_graph *g = parse_text(&d, m, "graph g { %0: f32 = const 1 return y = %0 }");
    assert_null(tct_passes_run(&d, g, "cse,canonicalize", NULL));
    assert_int_equal(d.n_errors, 1);
    assert_string_equal(d.messages.data[0].code, "E0602");
    assert_string_equal(d.messages.data[0].help, "did you mean 'canonicalise'?");
    assert_ptr_equal(tct_passes_run(&d, g, "cse,dce", NULL), g);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_every_pass_has_one),
        cmocka_unit_test(test_unknown_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
