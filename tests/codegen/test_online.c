// Sums of exponentials in the pass that looks for the largest: as the interpreter has them, whatever is in a
// row.
#include "tests/codegen/compare.h"

#include <math.h>

enum { KINDS = 12, ROWS = 6 * KINDS };

// A row for each way in which the largest may come late, be unusual or not be there.
static float element(int kind, int64_t at, int64_t size, float ordinary) {
    bool last = at + 1 == size, early = at < size / 2;
    switch (kind) {
    case 0: // rises all the way
        return 80.0F * (float)at / (float)size;
    case 1: // ... far beyond what exp can hold
        return 3e4F * (float)at / (float)size;
    case 2:
        return -80.0F * (float)at / (float)size;
    case 3: // what a mask hides comes first
        return early ? -INFINITY : ordinary;
    case 4:
        return early ? -1e30F : ordinary;
    case 5:
        return last ? 90.0F : ordinary;
    case 6:
        return last ? NAN : ordinary;
    case 7:
        return at == 3 ? NAN : ordinary;
    case 8:
        return at == 70 ? INFINITY : ordinary;
    case 9:
        return -INFINITY;
    case 10:
        return at == 5 ? -3e38F : at == 6 ? 3e38F : ordinary;
    default:
        return ordinary;
    }
}

static void fill_rows(const tct_graph *g, tct_ir_tensor *inputs) {
    float *x = inputs[0].data;
    int64_t size = tct_node_elements(g, tct_node_of(g, g->inputs.data[0])) / ROWS;
    for (int64_t i = 0; i < ROWS * size; i++) x[i] = element((int)(i / size % KINDS), i % size, size, x[i]);
}

static void check(int size, const char *more, int passes) {
    tct_diag d = {0};
    tct_buf text = {0}, kernel = {0};
    tct_buf_printf(&text,
                   "axis A = %d axis B = %d graph g { %%x: f32[A, B] = input #0 \"x\"\n"
                   "%%m: f32[A] = reduce_max %%x {B}\n%%d: f32[A, B] = sub %%x, %%m\n"
                   "%%e: f32[A, B] = exp %%d\n%%s: f32[A] = sum %%e {B}\n%s }",
                   ROWS, size, more);
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = tct_ir_parse(&d, m, "test.tir", text.data, text.len);
    if (!g) tct_diag_report(&d);
    assert_non_null(g);
    const tct_plan *plan = tct_compile_graph(&d, c, g, NULL);
    assert_non_null(plan);
    tct_compiler_dump(c, plan, TCT_DUMP_KERNEL, NULL, &kernel);
    if (!strstr(kernel.data, tct_arena_printf(&d.arena, "; %d passes", passes))) fail_msg("%s", kernel.data);
    compare_graph(c, g, 1, &(compare_options){.relative = 3e-6, .absolute = 1e-30, .adjust = fill_rows});
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_buf_free(&text);
    tct_buf_free(&kernel);
    tct_diag_free(&d);
}

static void one_pass(void **state) {
    (void)state;
    static const int sizes[] = {65, 127, 1000, 1024, 2003};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) check(sizes[k], "return m = %m, s = %s", 1);
}

// The largest isn't wanted, and not quite what is subtracted.
static void another_reference(void **state) {
    (void)state;
    check(1000,
          "%h: f32 = const 3\n%c: f32[A] = add %m, %h\n%f: f32[A, B] = sub %x, %c\n"
          "%i: f32[A, B] = exp %f\n%t: f32[A] = sum %i {B}\nreturn t = %t",
          1);
}

// Probabilities want the exponentials again: those of a long row are computed again, those of others kept.
static void wanted_again(void **state) {
    (void)state;
    check(1000, "%p: f32[A, B] = div %e, %s\nreturn p = %p", 3);
    check(9001, "%p: f32[A, B] = div %e, %s\nreturn p = %p", 2);
}

// Rows that stay in registers.
static void short_rows(void **state) {
    (void)state;
    static const int sizes[] = {2, 15, 16, 17, 33, 48, 61, 64};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        check(sizes[k], "%p: f32[A, B] = div %e, %s\nreturn m = %m, p = %p", 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_pass),
        cmocka_unit_test(another_reference),
        cmocka_unit_test(wanted_again),
        cmocka_unit_test(short_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
