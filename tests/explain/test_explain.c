// `tercet explain`, held to golden files: every NAME.tct of this folder has lines `// explain ARGUMENTS` at
// its top, and NAME.txt is what they print one after the other, for one instruction set and two threads. Set
// TERCET_UPDATE=1 to rewrite those that differ. The JSON of the same commands must agree with the text and
// with itself, and
// --measure must add figures, whatever they are.
#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define FOLDER "tests/explain"

// What a command prints, both streams; its exit status is *status.
static char *output_of(tct_arena *a, const char *command, int *status) {
    FILE *f = popen(tct_arena_printf(a, "TERCET_STD=std '%s' %s 2>&1", TERCET_PROGRAM, command), "r");
    assert_non_null(f);
    tct_buf b = {0};
    char chunk[4096];
    tct_buf_puts(&b, "");
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) tct_buf_add(&b, chunk, n);
    int s = pclose(f);
    *status = WIFEXITED(s) ? WEXITSTATUS(s) : -1;
    char *text = tct_arena_strndup(a, b.data, b.len);
    tct_buf_free(&b);
    return text;
}

static char *explain(tct_arena *a, const char *file, const char *arguments, const char *more) {
    int status;
    char *text = output_of(
        a, tct_arena_printf(a, "explain %s %s --isa avx2 --threads 2 %s", file, arguments, more), &status);
    if (status) fail_msg("explain %s %s: %s", file, arguments, text);
    return text;
}

// Calls `check` with the arguments of every `// explain` line of every case.
typedef void (*checker)(tct_arena *a, const char *file, const char *arguments, void *ctx);

static void each_line(tct_arena *a, const char *file, checker check, void *ctx) {
    static const char begin[] = "// explain ";
    tct_diag d = {0};
    char *text;
    assert_true(tct_file_read(&d, file, &text, NULL));
    int n = 0;
    for (const char *at = text; strncmp(at, begin, sizeof begin - 1) == 0; n++) {
        at += sizeof begin - 1;
        size_t length = strcspn(at, "\n");
        check(a, file, tct_arena_strndup(a, at, length), ctx);
        at += length + 1;
    }
    assert_true(n > 0);
    tct_heap_free(text);
    tct_diag_free(&d);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static size_t cases(tct_arena *a, char **files, size_t room) {
    DIR *dir = opendir(FOLDER);
    assert_non_null(dir);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        if (length < 4 || strcmp(e->d_name + length - 4, ".tct") != 0) continue;
        assert_true(n < room);
        files[n++] = tct_arena_printf(a, FOLDER "/%s", e->d_name);
    }
    closedir(dir);
    qsort(files, n, sizeof *files, by_name);
    return n;
}

static void add_text(tct_arena *a, const char *file, const char *arguments, void *ctx) {
    tct_buf_printf(ctx, "$ explain %s\n%s\n", arguments, explain(a, file, arguments, ""));
}

static void golden_files(void **state) {
    (void)state;
    tct_arena a = {0};
    char *files[64];
    size_t n = cases(&a, files, 64);
    int different = 0;
    for (size_t i = 0; i < n; i++) {
        tct_diag d = {0};
        tct_buf got = {0};
        each_line(&a, files[i], add_text, &got);
        const char *golden = tct_arena_printf(&a, "%.*s.txt", (int)strlen(files[i]) - 4, files[i]);
        char *expected = NULL;
        bool same = tct_file_read(&d, golden, &expected, NULL) && strcmp(expected, got.data) == 0;
        if (!same && getenv("TERCET_UPDATE")) same = tct_file_write(&d, golden, got.data, got.len);
        if (!same) fprintf(stderr, "%s: this comes out now:\n%s\n", golden, got.data);
        different += !same;
        tct_heap_free(expected);
        tct_buf_free(&got);
        tct_diag_free(&d);
    }
    tct_arena_free(&a);
    if (different) fail_msg("%d files differ; TERCET_UPDATE=1 rewrites them", different);
}

// --- JSON ---

typedef struct totals {
    json_t *numbers; // of kernels so far
    int kernels, edges;
    double flops, bytes;
} totals;

static const char *text_at(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    if (!s) fail_msg("no text '%s'", key);
    return s;
}

static double number_at(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v)) fail_msg("no number '%s'", key);
    return json_number_value(v);
}

static void check_edge(const json_t *edge, totals *t) {
    assert_non_null(json_object_get(t->numbers, text_at(edge, "from"))); // it ran before
    const json_t *reasons = json_object_get(edge, "reasons"), *r;
    assert_true(json_array_size(reasons) > 0);
    size_t i;
    json_array_foreach(reasons, i, r) {
        assert_true(strlen(text_at(r, "reason")) > 0);
        assert_true(strlen(text_at(r, "text")) > 10);
    }
    assert_true(number_at(json_object_get(edge, "value"), "bytes") > 0);
    text_at(json_object_get(edge, "user"), "op");
    t->edges++;
}

static void check_kernels(const json_t *plan, totals *t, bool outermost) {
    const json_t *kernels = json_object_get(plan, "kernels"), *k, *e;
    size_t i, j;
    assert_true(json_array_size(kernels) > 0);
    json_array_foreach(kernels, i, k) {
        const char *kind = text_at(k, "kind");
        double flops = number_at(k, "flops"), bytes = number_at(k, "bytes");
        bool scan = strcmp(kind, "scan") == 0;
        assert_true(number_at(k, "least_seconds") >= 0);
        if (outermost) {
            t->flops += flops;
            t->bytes += bytes;
        }
        if (bytes > 0)
            assert_float_equal(number_at(k, "flops_per_byte"), flops / bytes, 1e-6 * flops / bytes);
        text_at(k, "bound");
        t->kernels += !scan;
        json_array_foreach(json_object_get(k, "apart"), j, e) check_edge(e, t);
        json_object_set_new(t->numbers, text_at(k, "number"), json_true());
        if (scan) {
            assert_true(number_at(k, "trips") > 0);
            check_kernels(json_object_get(k, "body"), t, false);
        }
    }
    const json_t *copies = json_object_get(plan, "computed_again");
    json_array_foreach(copies, i, k) {
        assert_true(json_array_size(json_object_get(k, "kernels")) >= 2);
        json_array_foreach(json_object_get(k, "kernels"), j, e)
            assert_non_null(json_object_get(t->numbers, json_string_value(e)));
    }
}

static void check_json(tct_arena *a, const char *file, const char *arguments, void *ctx) {
    if (strstr(arguments, "--pipeline") && !strstr(arguments, "--graph")) return; // a list
    json_error_t error;
    json_t *root = json_loads(explain(a, file, arguments, "--json"), JSON_REJECT_DUPLICATES, &error);
    if (!root) fail_msg("%s %s: %s", file, arguments, error.text);
    totals t = {.numbers = json_object()};
    check_kernels(root, &t, true);
    const char *text = explain(a, file, arguments, "");
    const char *counted = tct_arena_printf(a, ": %d kernel%s, ", t.kernels, t.kernels == 1 ? "" : "s");
    if (!strstr(text, counted)) fail_msg("%s %s: JSON has%s", file, arguments, counted);
    assert_false(json_is_true(json_object_get(json_object_get(root, "peak"), "measured")));
    *(int *)ctx += t.edges;
    json_decref(t.numbers);
    json_decref(root);
}

static void json_agrees(void **state) {
    (void)state;
    tct_arena a = {0};
    char *files[64];
    int edges = 0;
    size_t n = cases(&a, files, 64);
    for (size_t i = 0; i < n; i++) each_line(&a, files[i], check_json, &edges);
    assert_true(edges > 20);
    tct_arena_free(&a);
}

// A matrix product is exactly 2MNK, and a gather's bytes are those of the rows that it takes.
static void figures_are_exact(void **state) {
    (void)state;
    tct_arena a = {0};
    json_t *root =
        json_loads(explain(&a, FOLDER "/products.tct",
                           "--graph attention --axis B=2 --axis T=64 --axis S=64 --axis D=32", "--json"),
                   0, NULL);
    const json_t *kernels = json_object_get(root, "kernels");
    assert_float_equal(number_at(json_array_get(kernels, 0), "flops"), 2.0 * 2 * 64 * 64 * 32, 0);
    assert_float_equal(number_at(json_array_get(kernels, 0), "bytes"), 4.0 * 2 * (2 * 64 * 32 + 64 * 64), 0);
    assert_float_equal(number_at(json_array_get(kernels, 2), "flops"), 2.0 * 2 * 64 * 64 * 32, 0);
    json_decref(root);
    tct_arena_free(&a);
}

static void measures(void **state) {
    (void)state;
    tct_arena a = {0};
    int status;
    const char *command = "explain " FOLDER "/movement.tct --graph embedding --grad --axis B=64 --axis V=100 "
                          "--axis C=32 --threads 2 --measure --cache off ";
    char *text = output_of(&a, command, &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(text, "peak (measured): "));
    assert_non_null(strstr(text, "a run took "));
    assert_non_null(strstr(text, " of peak\n"));
    json_t *root = json_loads(output_of(&a, tct_arena_printf(&a, "%s --json", command), &status), 0, NULL),
           *k;
    assert_non_null(root);
    double runs = number_at(json_object_get(root, "run"), "runs"), sum = 0;
    assert_true(runs >= 5);
    size_t i;
    json_array_foreach(json_object_get(root, "kernels"), i, k) {
        const json_t *m = json_object_get(k, "measured");
        assert_float_equal(number_at(m, "calls"), runs, 0);
        sum += number_at(m, "seconds");
    }
    assert_true(sum > 0);
    // The shortest calls of all kernels take no longer than the shortest run.
    assert_true(sum <= number_at(json_object_get(root, "run"), "seconds"));
    json_decref(root);
    tct_arena_free(&a);
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *arguments, *text;
        int status;
    } wrong[] = {
        {"products.tct --graph layer", "E0904", 1},
        {"products.tct --graph lair --axis B=2", "E0201", 1},
        {"products.tct", "--graph NAME is missing", 2},
        {"plans.tct --pipeline training --graph 1", "E0902", 1},
        {"plans.tct --pipeline training --graph 0 --grad", "graphs of a pipeline have their gradients", 2},
        {"plans.tct --pipeline training --measure", "--measure needs --graph", 2},
        {"plans.tct --pipeline nothing --graph 0", "nothing", 1},
        {"products.tct --graph halves --axis B=2 --axis C=2 --axis F=2 --grad", "E0620", 1},
    };
    tct_arena a = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int status;
        const char *text =
            output_of(&a, tct_arena_printf(&a, "explain " FOLDER "/%s", wrong[i].arguments), &status);
        if (status != wrong[i].status || !strstr(text, wrong[i].text))
            fail_msg("%s: status %d\n%s", wrong[i].arguments, status, text);
    }
    tct_arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_files), cmocka_unit_test(json_agrees), cmocka_unit_test(figures_are_exact),
        cmocka_unit_test(measures),     cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
