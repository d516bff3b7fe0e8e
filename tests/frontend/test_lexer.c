// Tokens, their values and places; bytes of any kind.
#include "frontend/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct tct_lexed {
    tct_diag d;
    tct_arena arena;
    tct_tokens tokens;
} tct_lexed;

static tct_lexed lex_bytes(const char *text, size_t len) {
    tct_lexed x = {0};
    tct_lex(&x.d, tct_diag_add_source(&x.d, "test.tct", text, len), &x.arena, &x.tokens);
    return x;
}

static tct_lexed lex(const char *text) { return lex_bytes(text, strlen(text)); }

static void release(tct_lexed *x) {
    tct_tokens_free(&x->tokens);
    tct_arena_free(&x->arena);
    tct_diag_free(&x->d);
}

static const tct_token *token(const tct_lexed *x, size_t k) {
    assert_true(k < x->tokens.list.len);
    return &x->tokens.list.data[k];
}

static void test_kinds_and_places(void **state) {
    (void)state;
    tct_lexed x = lex("let a_1=x->[..]\n  and 1..2");
    static const tct_token_kind kinds[] = {TCT_TOK_LET,   TCT_TOK_NAME,     TCT_TOK_ASSIGN, TCT_TOK_NAME,
                                           TCT_TOK_ARROW, TCT_TOK_LBRACKET, TCT_TOK_DOTS,   TCT_TOK_RBRACKET,
                                           TCT_TOK_AND,   TCT_TOK_INT,      TCT_TOK_DOTS,   TCT_TOK_INT,
                                           TCT_TOK_END};
    assert_int_equal(x.tokens.list.len, sizeof kinds / sizeof kinds[0]);
    for (size_t k = 0; k < x.tokens.list.len; k++) assert_int_equal(token(&x, k)->kind, kinds[k]);
    assert_int_equal(token(&x, 1)->begin, 4);
    assert_int_equal(token(&x, 1)->end, 7);
    assert_string_equal(token(&x, 1)->text, "a_1");
    assert_true(token(&x, 0)->newline);
    assert_false(token(&x, 1)->newline);
    assert_true(token(&x, 8)->newline);
    assert_int_equal(x.d.n_errors, 0);
    release(&x);
}

static void test_every_spelling_is_its_token(void **state) {
    (void)state;
    for (int k = TCT_TOK_USE; k < TCT_N_TOKENS; k++) {
        tct_lexed x = lex(tct_token_spelling((tct_token_kind)k));
        assert_int_equal(x.tokens.list.len, 2);
        assert_int_equal(token(&x, 0)->kind, k);
        assert_int_equal(x.d.n_errors, 0);
        release(&x);
    }
}

static void test_names_are_interned(void **state) {
    (void)state;
    tct_buf text = {0};
    for (int round = 0; round < 2; round++)
        for (int k = 0; k < 1000; k++) tct_buf_printf(&text, "name%d ", k);
    tct_lexed x = lex(text.data);
    for (size_t k = 0; k < 1000; k++) {
        assert_ptr_equal(token(&x, k)->text, token(&x, k + 1000)->text);
        if (k) assert_ptr_not_equal(token(&x, k)->text, token(&x, k - 1)->text);
    }
    tct_buf_free(&text);
    release(&x);
}

static void test_numbers(void **state) {
    (void)state;
    tct_lexed x = lex("0 9223372036854775807 0.5 1e-5 2.5E+3 1e-400 7e");
    assert_int_equal(token(&x, 0)->i, 0);
    assert_true(token(&x, 1)->i == INT64_MAX);
    assert_true(token(&x, 2)->f == 0.5);
    assert_true(token(&x, 3)->f == 1e-5);
    assert_true(token(&x, 4)->f == 2500.0);
    assert_true(token(&x, 5)->f == 0.0); // too small is no error
    assert_int_equal(x.d.n_errors, 1);   // 7e
    assert_string_equal(x.d.messages.data[0].code, "E0103");
    release(&x);
}

static void test_strings(void **state) {
    (void)state;
    tct_lexed x = lex("\"a\\n\\\"\\\\\\t\\u{e9}\\u{1F600}\" \"// no comment\"");
    assert_string_equal(token(&x, 0)->text, "a\n\"\\\t\xC3\xA9\xF0\x9F\x98\x80");
    assert_string_equal(token(&x, 1)->text, "// no comment");
    assert_int_equal(x.d.n_errors, 0);
    release(&x);
    const char *bad[] = {"\"\\u{}\"", "\"\\u{0}\"", "\"\\u{110000}\"", "\"\\u{D800}\"", "\"\\u12\"",
                         "\"\\x\"",   "\"\\"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        x = lex(bad[k]);
        assert_true(x.d.n_errors > 0);
        assert_string_equal(x.d.messages.data[0].code, "E0107");
        release(&x);
    }
}

static void test_documentation_and_comments(void **state) {
    (void)state;
    tct_lexed x =
        lex("/// One.\n///two\n///\n/// three\nlet a // said\n//// no doc\nlet b /// no doc either\nlet c");
    assert_string_equal(token(&x, 0)->doc, "One.\ntwo\n\nthree");
    assert_null(token(&x, 1)->doc);
    assert_null(token(&x, 2)->doc);
    assert_null(token(&x, 4)->doc);
    assert_int_equal(x.tokens.comments.len, 7);
    assert_true(x.tokens.comments.data[0].own_line);
    assert_false(x.tokens.comments.data[4].own_line);
    release(&x);
}

static void test_line_ends_and_byte_order_mark(void **state) {
    (void)state;
    tct_lexed x = lex("\xEF\xBB\xBFlet a\r\nlet b // c\r\n");
    assert_int_equal(x.tokens.list.len, 5);
    assert_true(token(&x, 2)->newline);
    assert_int_equal(x.tokens.comments.data[0].end - x.tokens.comments.data[0].begin, 4);
    assert_int_equal(x.d.n_errors, 0);
    release(&x);
}

static void test_any_bytes(void **state) {
    (void)state;
    char all[256];
    for (int k = 0; k < 256; k++) all[k] = (char)k;
    tct_lexed x = lex_bytes(all, sizeof all);
    assert_true(x.d.n_errors > 0);
    release(&x);
    for (int k = 0; k < 256; k++) { // each alone, and each in a string and a comment
        char text[] = {(char)k, '\n', '"', (char)k, '"', '\n', '/', '/', (char)k};
        x = lex_bytes(text, sizeof text);
        assert_int_equal(token(&x, x.tokens.list.len - 1)->kind, TCT_TOK_END);
        assert_int_equal(token(&x, x.tokens.list.len - 1)->begin, sizeof text);
        release(&x);
    }
}

static void test_brackets_always_balance(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        tct_buf text = {0};
        static const char *const parts[] = {"(",   ")",  "[",      "]",  "{", "}",
                                            "let", "\n", "graph ", "x ", ",", "\nreturn "};
        for (int k = 0; k < 30; k++) {
            seed = seed * 1664525 + 1013904223;
            tct_buf_puts(&text, parts[(seed >> 16) % 12]);
        }
        tct_lexed x = lex(text.data);
        tct_match_brackets(&x.d, &x.tokens);
        uint32_t open = TCT_NO_TOKEN;
        for (uint32_t k = 0; k < x.tokens.list.len; k++) {
            const tct_token *t = token(&x, k);
            if (t->match != TCT_NO_TOKEN && t->match < k) {
                assert_int_equal(t->match, open);
                assert_int_equal(token(&x, open)->kind + 1, t->kind);
                open = token(&x, open)->open;
            }
            assert_true(t->open == open);
            if (t->match != TCT_NO_TOKEN && t->match > k) open = k;
        }
        assert_true(open == TCT_NO_TOKEN);
        release(&x);
        tct_buf_free(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_places),
        cmocka_unit_test(test_every_spelling_is_its_token),
        cmocka_unit_test(test_names_are_interned),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_documentation_and_comments),
        cmocka_unit_test(test_line_ends_and_byte_order_mark),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_brackets_always_balance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
