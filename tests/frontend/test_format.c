// The formatter: what it makes of given text; and on random programs, on all of the repository's and on
// mutants of them, that it changes no tree, keeps every comment, and has nothing more to do the second time.
#include "base/file.h"
#include "frontend/ast.h"
#include "frontend/lexer.h"
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

// The comments of a text, each on a line of its own.
static tct_buf comments(const char *text) {
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_tokens tokens = {0};
    tct_buf out = {0};
    tct_lex(&d, tct_diag_add_source(&d, "test.tct", text, strlen(text)), &arena, &tokens);
    for (size_t k = 0; k < tokens.comments.len; k++) {
        const tct_comment *c = &tokens.comments.data[k];
        tct_buf_printf(&out, "%.*s\n", (int)(c->end - c->begin), text + c->begin);
    }
    if (!out.data) tct_buf_puts(&out, "");
    tct_tokens_free(&tokens);
    tct_arena_free(&arena);
    tct_diag_free(&d);
    return out;
}

// Same tree, same comments in the same order, nothing more to do the second time.
static void check_text(const char *text) {
    tct_buf before = tree(text), once = format(text), after = tree(once.data), twice = format(once.data);
    tct_buf said = comments(text), kept = comments(once.data);
    if (strcmp(before.data, after.data) != 0 || strcmp(said.data, kept.data) != 0 ||
        strcmp(once.data, twice.data) != 0)
        fprintf(stderr, "%s\n----\n%s\n", text, once.data);
    assert_string_equal(before.data, after.data);
    assert_string_equal(said.data, kept.data);
    assert_string_equal(once.data, twice.data);
    tct_buf *all[] = {&before, &once, &after, &twice, &said, &kept};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) tct_buf_free(all[k]);
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

static bool parses(const char *text, size_t len) {
    tct_diag d = {0};
    tct_ast_free(tct_parse(&d, tct_diag_add_source(&d, "test.tct", text, len)));
    bool ok = d.n_errors == 0;
    tct_diag_free(&d);
    return ok;
}

// Every program in the repository, one after the other. `canonical`: it is to be in canonical layout.
static void each_file(void (*use)(const char *path, const char *text, bool canonical)) {
    static const struct {
        const char *folder;
        bool canonical;
    } folders[] = {{"std", true},
                   {"examples", true},
                   {"tests/stage", false},
                   {"tests/std", false},
                   {"tests/fuzz/corpus", false}};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        tct_arena a = {0};
        size_t n;
        tct_module *modules = tct_modules(&a, folders[f].folder, &n);
        assert_true(n > 0);
        for (size_t k = 0; k < n; k++) {
            tct_diag d = {0};
            char *text;
            size_t len;
            assert_true(tct_file_read(&d, modules[k].path, &text, &len));
            if (folders[f].canonical || (parses(text, len) && strlen(text) == len))
                use(modules[k].path, text, folders[f].canonical);
            tct_heap_free(text);
            tct_diag_free(&d);
        }
        tct_arena_free(&a);
    }
}

// The library and the examples are in canonical layout already.
static void check_file(const char *path, const char *text, bool canonical) {
    check_text(text);
    tct_buf out = format(text);
    if (canonical && strcmp(text, out.data) != 0) fail_msg("%s: run `tercet fmt --in-place`", path);
    tct_buf_free(&out);
}

static void test_files(void **state) {
    (void)state;
    each_file(check_file);
}

static uint32_t draw(uint64_t *random, size_t n) { // below n
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*random >> 33) % n);
}

typedef struct pieces { // the tokens of a text; comments stay in the space between them
    tct_diag d;
    tct_arena arena;
    tct_tokens tokens;
    const char *text;
    uint32_t end;
} pieces;

static void take_apart(pieces *p, const char *text) {
    *p = (pieces){.text = text, .end = (uint32_t)strlen(text)};
    tct_lex(&p->d, tct_diag_add_source(&p->d, "test.tct", text, p->end), &p->arena, &p->tokens);
}

static void put_away(pieces *p) {
    tct_tokens_free(&p->tokens);
    tct_arena_free(&p->arena);
    tct_diag_free(&p->d);
}

// What stands between the tokens k - 1 and k.
static void add_space(const pieces *p, size_t k, tct_buf *out) {
    uint32_t begin = k ? p->tokens.list.data[k - 1].end : 0;
    uint32_t end = k < p->tokens.list.len ? p->tokens.list.data[k].begin : p->end;
    tct_buf_add(out, p->text + begin, end - begin);
}

static void add_token(const pieces *p, size_t k, tct_buf *out) {
    const tct_token *t = &p->tokens.list.data[k];
    tct_buf_add(out, p->text + t->begin, t->end - t->begin);
}

// The text with spaces and tabs between tokens, at the beginnings and at the ends of lines.
static void spread(const char *path, const char *text, bool canonical) {
    (void)path, (void)canonical;
    tct_buf expected = format(text);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t random = seed;
        pieces p;
        take_apart(&p, text);
        tct_buf out = {0};
        for (size_t k = 0; k < p.tokens.list.len; k++) {
            tct_buf space = {0};
            add_space(&p, k, &space);
            for (size_t c = 0; c < space.len; c++) {
                bool line = space.data[c] == '\n';
                if (line && draw(&random, 3) == 0) tct_buf_puts(&out, " \t ");
                tct_buf_putc(&out, space.data[c]);
                if (line && draw(&random, 3) == 0) tct_buf_puts(&out, "   ");
            }
            bool comment = memmem(space.data ? space.data : "", space.len, "//", 2) != NULL;
            if (!comment && draw(&random, 4) == 0) tct_buf_puts(&out, "  ");
            add_token(&p, k, &out);
            tct_buf_free(&space);
        }
        add_space(&p, p.tokens.list.len, &out);
        tct_buf got = format(out.data);
        if (strcmp(got.data, expected.data) != 0) fprintf(stderr, "%s\n", out.data);
        assert_string_equal(got.data, expected.data);
        tct_buf_free(&got);
        tct_buf_free(&out);
        put_away(&p);
    }
    tct_buf_free(&expected);
}

// Where spaces stand makes no difference, but that lines end.
static void test_spaces_make_no_difference(void **state) {
    (void)state;
    each_file(spread);
}

static size_t mutants, tried;

// Leaves tokens out, writes them twice or in another order, and puts lines and comments between them.
static void mutate(const char *path, const char *text, bool canonical) {
    (void)path, (void)canonical;
    pieces p;
    take_apart(&p, text);
    size_t n = p.tokens.list.len, some = 30000 / (n + 1); // more of a short text, which is parsed faster
    for (uint64_t seed = 1; seed <= (some < 5 ? 5 : some > 150 ? 150 : some); seed++) {
        uint64_t random = seed * 977;
        tct_buf out = {0};
        size_t often = 6 * n / (1 + draw(&random, 8)) + 6; // a few changes in all
        for (size_t k = 0; k < n; k++) {
            add_space(&p, k, &out);
            uint32_t what = draw(&random, often);
            if (what == 0) tct_buf_puts(&out, "\n");
            if (what == 1) tct_buf_puts(&out, " // a comment\n\n\n");
            if (what == 2) tct_buf_puts(&out, "\n/// documentation\n//\n");
            if (what == 3 && k + 1 < n) { // exchanged with the next one
                add_token(&p, k + 1, &out);
                tct_buf_putc(&out, ' ');
                add_token(&p, k, &out);
                k++;
                continue;
            }
            if (what == 4) continue;
            add_token(&p, k, &out);
            if (what == 5) {
                tct_buf_putc(&out, ' ');
                add_token(&p, k, &out);
            }
        }
        add_space(&p, n, &out);
        tried++;
        if (parses(out.data, out.len)) {
            mutants++;
            check_text(out.data);
        }
        tct_buf_free(&out);
    }
    put_away(&p);
}

static void test_mutants(void **state) {
    (void)state;
    mutants = tried = 0;
    each_file(mutate);
    print_message("%zu of %zu mutants parse\n", mutants, tried);
    assert_true(mutants > 300);
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
        cmocka_unit_test(test_spaces_make_no_difference),
        cmocka_unit_test(test_mutants),
        cmocka_unit_test(test_errors_leave_the_file_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
