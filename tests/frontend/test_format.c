// The formatter: what it makes of given text, and on random programs that it changes no tree, loses no
// comment, and has nothing more to do the second time.
#include "base/file.h"
#include "frontend/ast.h"
#include "frontend/modules.h"
#include "tests/support/random_program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void fail_with(tct_diag *d, const char *text) {
    tct_buf out = {0};
    tct_diag_render(d, &out, false);
    fprintf(stderr, "%s\n----\n%s\n", text, out.data ? out.data : ""); // cmocka cuts long texts
    tct_buf_free(&out);
    fail();
}

static tct_buf format(const char *text) {
    tct_diag d = {0};
    tct_buf out = {0};
    if (!tct_format(&d, tct_diag_add_source(&d, "test.tct", text, strlen(text)), &out)) fail_with(&d, text);
    tct_diag_free(&d);
    return out;
}

static tct_buf tree(const char *text) {
    tct_diag d = {0};
    tct_ast *ast = tct_parse(&d, tct_diag_add_source(&d, "test.tct", text, strlen(text)));
    tct_buf out = {0};
    tct_ast_print(ast, &out);
    if (d.n_errors) fail_with(&d, text);
    tct_ast_free(ast);
    tct_diag_free(&d);
    return out;
}

static void becomes(const char *text, const char *expected) {
    tct_buf once = format(text), twice = format(once.data);
    assert_string_equal(once.data, expected);
    assert_string_equal(twice.data, expected);
    tct_buf_free(&once);
    tct_buf_free(&twice);
}

static void test_layout(void **state) {
    (void)state;
    becomes("graph f( x:f32[ ..,C ] )->f32{return - x**-2+g (x,T->U)}",
            "graph f(x: f32[.., C]) -> f32 { return -x ** -2 + g(x, T -> U) }\n");
    becomes("graph f()->f32\n{\nif a{\nb=1}\nelse\n{ c=2 }\n return{a=1,b=[1,2]}\n}",
            "graph f() -> f32 {\n    if a {\n        b = 1\n    } else { c = 2 }\n    return {a = 1, b = [1, "
            "2]}\n}\n");
    becomes("model M {axis A=1,B=2\nhuggingface \"G\" {a=1 b=2\nc=3}}",
            "model M {\n    axis A = 1, B = 2\n    huggingface \"G\" {\n        a = 1\n        b = 2\n       "
            " c = 3\n    }\n}\n");
    becomes("config {\nlr:float=1e-5 in 0.0..1.0\n}", "config {\n    lr: float = 1e-5 in 0.0 .. 1.0\n}\n");
}

static void test_line_breaks_inside_parentheses_stay(void **state) {
    (void)state;
    becomes(
        "graph f(a: f32,\n  b: f32)\n -> f32 {\n  return g(\na,\n      b)\n}",
        "graph f(a: f32,\n        b: f32)\n    -> f32 {\n    return g(\n        a,\n        b\n    )\n}\n");
    becomes("graph f() -> f32 {\n let a = b\n* c\n return a\n}",
            "graph f() -> f32 {\n    let a = b\n        * c\n    return a\n}\n");
}

static void test_comments_and_empty_lines(void **state) {
    (void)state;
    becomes(
        "\n\n// head\n\n\n\nuse std.a // why\n/// Doc.\n\n\ngraph f() -> f32 { // opens\n\n\n // "
        "first\n\n\n\n return 1\n"
        " // last\n\n}\n// end",
        "// head\n\nuse std.a  // why\n/// Doc.\ngraph f() -> f32 {  // opens\n    // first\n\n    return 1\n"
        "    // last\n}\n\n// end\n");
    becomes("", "");
    becomes("// only", "// only\n");
    becomes("graph f() -> f32 {\n    return 1\n}\ngraph g() -> f32 {\n    return 1\n}",
            "graph f() -> f32 {\n    return 1\n}\n\ngraph g() -> f32 {\n    return 1\n}\n");
}

static size_t count_comments(const char *text) {
    size_t n = 0;
    bool string = false;
    for (; *text; text++) {
        if (*text == '\\' && string) {
            text++;
        } else if (*text == '"') {
            string = !string;
        } else if (!string && text[0] == '/' && text[1] == '/') {
            n++;
            text += strcspn(text, "\n") - 1;
        }
    }
    return n;
}

static void check_text(const char *text) {
    tct_buf before = tree(text), once = format(text), after = tree(once.data), twice = format(once.data);
    if (strcmp(before.data, after.data) != 0) fprintf(stderr, "%s\n----\n%s\n", text, once.data);
    assert_string_equal(before.data, after.data);
    assert_string_equal(once.data, twice.data);
    assert_int_equal(count_comments(text), count_comments(once.data));
    tct_buf_free(&before);
    tct_buf_free(&once);
    tct_buf_free(&after);
    tct_buf_free(&twice);
}

static void test_random_programs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        tct_buf text = {0};
        tct_random_program(seed, 2 + (int)(seed % 4), &text);
        check_text(text.data);
        tct_buf_free(&text);
    }
}

// Every program in the repository keeps its tree; the library is in canonical layout already.
static void test_files(void **state) {
    (void)state;
    const char *folders[] = {"std", "examples/instructgpt", "examples/stories"};
    size_t total = 0;
    for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++) {
        tct_arena a = {0};
        size_t n;
        tct_module *modules = tct_modules(&a, folders[f], &n);
        for (size_t k = 0; k < n; k++) {
            tct_diag d = {0};
            char *text;
            assert_true(tct_file_read(&d, modules[k].path, &text, NULL));
            check_text(text);
            tct_buf canonical = format(text);
            if (strcmp(text, canonical.data) != 0)
                fail_msg("%s: run `tercet fmt --in-place`", modules[k].path);
            tct_buf_free(&canonical);
            tct_heap_free(text);
            tct_diag_free(&d);
        }
        total += n;
        tct_arena_free(&a);
    }
    assert_true(total > 0);
}

static void test_errors_leave_the_file_alone(void **state) {
    (void)state;
    const char *text = "graph f( { ) }";
    tct_diag d = {0};
    tct_buf out = {0};
    assert_false(tct_format(&d, tct_diag_add_source(&d, "test.tct", text, strlen(text)), &out));
    assert_true(d.n_errors > 0);
    assert_int_equal(out.len, 0);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_line_breaks_inside_parentheses_stay),
        cmocka_unit_test(test_comments_and_empty_lines),
        cmocka_unit_test(test_random_programs),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_errors_leave_the_file_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
