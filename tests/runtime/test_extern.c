// Foreign functions of stage code, called through libffi.
#include "runtime/extern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

// 2 x + n, + 100 when flag is set, + the length of the text.
static double mixed(int64_t n, double x, int32_t flag, const char *text) {
    return 2 * x + (double)n + (flag ? 100 : 0) + (double)strlen(text);
}

static int64_t total(const int64_t *x, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static int32_t longer(const char *const *x, int64_t n, int64_t than) {
    for (int64_t i = 0; i < n; i++)
        if ((int64_t)strlen(x[i]) > than) return 1;
    return 0;
}

static const char *second(const char *const *x, int64_t n) { return n > 1 ? x[1] : NULL; }

static const char *broken_text(void) { return "\xff"; }

static void doubled(const double *x, int64_t n, double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = 2 * x[i];
}

static void lengths(const char *const *x, int64_t n, int64_t *out) {
    for (int64_t i = 0; i < n; i++) out[i] = (int64_t)strlen(x[i]);
}

enum { N_REGS = 6, RESULT = 5 };

typedef struct call {
    tct_diag d;
    tct_reg_type types[N_REGS];
    tct_value regs[N_REGS];
    uint32_t args[N_REGS];
    tct_extern e;
} call;

static void set(call *c, uint32_t i, tct_value v, tct_kind element) {
    c->types[i] = (tct_reg_type){.kind = v.kind, .element = (uint8_t)element};
    c->regs[i] = v;
    c->args[i] = i;
}

#define CALL(c, function, count, result_kind, result_element)                                                \
    ((c)->types[RESULT] = (tct_reg_type){.kind = (result_kind), .element = (result_element)},                \
     (c)->e = (tct_extern){.name = #function,                                                                \
                           .symbol = #function,                                                              \
                           .n_args = (count),                                                                \
                           .args = (c)->args,                                                                \
                           .result = RESULT,                                                                 \
                           .fn = (void *)function,                                                           \
                           .caller = tct_ffi_call},                                                          \
     tct_extern_call(&(c)->d, &(c)->e, (c)->types, (c)->regs))

static void close_call(call *c) {
    for (int i = 0; i < N_REGS; i++) tct_value_drop(&c->regs[i]);
    tct_diag_free(&c->d);
}

static tct_value texts(int n, const char *const *x) {
    tct_value l = tct_value_list();
    for (int i = 0; i < n; i++) tct_list_push(l.list, tct_value_string(x[i], strlen(x[i])));
    return l;
}

static void passes_scalars_and_text(void **state) {
    (void)state;
    call c = {0};
    set(&c, 0, tct_value_int(7), TCT_KIND_NONE);
    set(&c, 1, tct_value_float(0.5), TCT_KIND_NONE);
    set(&c, 2, tct_value_bool(true), TCT_KIND_NONE);
    set(&c, 3, tct_value_string("ün", 3), TCT_KIND_NONE);
    assert_true(CALL(&c, mixed, 4, TCT_KIND_FLOAT, 0));
    assert_true(c.regs[RESULT].f == 111);
    close_call(&c);
}

static void passes_lists(void **state) {
    (void)state;
    call c = {0};
    tct_value l = tct_value_list();
    for (int i = 1; i <= 4; i++) tct_list_push(l.list, tct_value_int(i * 10));
    set(&c, 0, l, TCT_KIND_INT);
    assert_true(CALL(&c, total, 1, TCT_KIND_INT, 0));
    assert_int_equal(c.regs[RESULT].i, 100);
    tct_value_drop(&c.regs[0]);
    set(&c, 0, texts(3, (const char *[]){"a", "bcd", ""}), TCT_KIND_STRING);
    set(&c, 1, tct_value_int(3), TCT_KIND_NONE);
    assert_true(CALL(&c, longer, 2, TCT_KIND_BOOL, 0));
    assert_false(c.regs[RESULT].b);
    c.regs[1].i = 2;
    assert_true(CALL(&c, longer, 2, TCT_KIND_BOOL, 0));
    assert_true(c.regs[RESULT].b);
    assert_true(CALL(&c, second, 1, TCT_KIND_STRING, 0));
    assert_string_equal(c.regs[RESULT].text->text, "bcd");
    close_call(&c);
}

static void takes_lists(void **state) {
    (void)state;
    call c = {0};
    tct_value l = tct_value_list();
    for (int i = 0; i < 3; i++) tct_list_push(l.list, tct_value_float(i + 0.25));
    set(&c, 0, l, TCT_KIND_FLOAT);
    assert_true(CALL(&c, doubled, 1, TCT_KIND_LIST, TCT_KIND_FLOAT));
    assert_int_equal(c.regs[RESULT].list->len, 3);
    assert_true(c.regs[RESULT].list->items[2].f == 4.5);
    tct_value_drop(&c.regs[0]);
    set(&c, 0, texts(2, (const char *[]){"four", "ten letter"}), TCT_KIND_STRING);
    assert_true(CALL(&c, lengths, 1, TCT_KIND_LIST, TCT_KIND_INT));
    assert_int_equal(c.regs[RESULT].list->items[1].i, 10);
    tct_value_drop(&c.regs[0]);
    set(&c, 0, tct_value_list(), TCT_KIND_FLOAT);
    assert_true(CALL(&c, doubled, 1, TCT_KIND_LIST, TCT_KIND_FLOAT));
    assert_int_equal(c.regs[RESULT].list->len, 0);
    close_call(&c);
}

static void refuses_broken_strings(void **state) {
    (void)state;
    call c = {0};
    set(&c, 0, texts(1, (const char *[]){"one"}), TCT_KIND_STRING);
    assert_false(CALL(&c, second, 1, TCT_KIND_STRING, 0));
    assert_false(CALL(&c, broken_text, 0, TCT_KIND_STRING, 0));
    assert_int_equal(c.d.n_errors, 2);
    assert_string_equal(c.d.messages.data[0].code, "E0851");
    assert_string_equal(c.d.messages.data[1].code, "E0851");
    close_call(&c);
}

static void finds_functions_in_libraries(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_extern e = {.name = "f", .library = "libm.so.6", .symbol = "sqrt"};
    assert_true(tct_extern_resolve(&d, &e, NULL));
    assert_non_null(e.fn);
    e.symbol = "no_such_function";
    assert_false(tct_extern_resolve(&d, &e, NULL));
    assert_non_null(strstr(d.messages.data[0].text, "no_such_function"));
    e.library = "/nowhere/libnothing.so";
    assert_false(tct_extern_resolve(&d, &e, NULL));
    assert_string_equal(d.messages.data[1].code, "E0850");
    assert_non_null(strstr(d.messages.data[1].text, "looked for /nowhere/libnothing.so"));
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_scalars_and_text),
        cmocka_unit_test(passes_lists),
        cmocka_unit_test(takes_lists),
        cmocka_unit_test(refuses_broken_strings),
        cmocka_unit_test(finds_functions_in_libraries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
