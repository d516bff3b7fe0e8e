// Places: the lines of many spans, and sources of which only places are known.
#include "base/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_lines(void **state) {
    (void)state;
    tct_diag d = {0};
    uint32_t a = tct_diag_add_source(&d, "a.tct", "1\n2\n3\n4\n5\n6\n7\n", 14);
    uint32_t b = tct_diag_add_places(&d, "b.tct");
    tct_span spans[] = {
        {a, 8, 9},
        {a, 2, 3},
        tct_diag_place(&d, b, 12, 4),
        TCT_NO_SPAN,
        {a, 4, 5},
        {a, 8, 8},
        {a, 12, 13},
        tct_diag_place(&d, b, 12, 9),
        tct_diag_place(&d, b, 4000000000, 1),
        {99, 0, 0},
    };
    tct_buf out = {0};
    tct_places_print(&d, spans, sizeof spans / sizeof *spans, &out);
    assert_string_equal(out.data, "a.tct:2-3, 5, 7; b.tct:12, 4000000000");
    tct_buf_free(&out);
    tct_places_print(&d, &spans[3], 1, &out);
    assert_int_equal(out.len, 0);
    tct_buf_free(&out);
    tct_diag_free(&d);
}

static void test_places_without_text(void **state) {
    (void)state;
    tct_diag d = {0};
    uint32_t file = tct_diag_add_places(&d, "gone.tct"), line, col;
    tct_span x = tct_diag_place(&d, file, 7, 3), y = tct_diag_place(&d, file, UINT32_MAX, UINT32_MAX);
    tct_diag_line_col(tct_diag_source(&d, file), x.begin, &line, &col);
    assert_true(line == 7 && col == 3);
    tct_diag_line_col(tct_diag_source(&d, file), y.begin, &line, &col);
    assert_true(line == UINT32_MAX && col == UINT32_MAX);
    tct_diag_line_col(tct_diag_source(&d, file), 12345, &line, &col); // none that was given out
    assert_true(line == 1 && col == 1);
    tct_error(&d, "E0601", x, "wrong");
    tct_label(&d, "here");
    tct_buf out = {0};
    tct_diag_render(&d, &out, false);
    assert_string_equal(out.data, "error[E0601]: wrong\n  --> gone.tct:7:3: here\n");
    tct_buf_free(&out);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_places_without_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
