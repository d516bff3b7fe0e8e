// The executor: places of buffers, kernels over tasks, scans forward and in reverse with carries, foreign
// functions and printing. Plans are written by hand here; what codegen makes is tested there.
#include "runtime/foreign.h"
#include "runtime/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 6 };

// out[i] = x[i] + y[i] · args[0]
static void combine(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const float *x = bufs[0], *y = bufs[1];
    float *out = bufs[2];
    for (int64_t i = begin; i < end; i++) out[i] = x[i] + y[i] * (float)args[0];
}

static tct_plan_port port(const char *name, uint64_t bytes) {
    static const char *const axes[] = {"T"};
    static const int64_t sizes[] = {N};
    return (tct_plan_port){.name = name,
                           .dtype = TCT_F32,
                           .n_axes = 1,
                           .axis = axes,
                           .size = sizes,
                           .bytes = bytes,
                           .alias = -1};
}

static void test_places(void **state) {
    (void)state;
    // t = in0 + 10 · const; out0 = t + 2 · in1, half of it through an offset
    static const float constants[N] = {1, 2, 3, 4, 5, 6};
    tct_plan_port inputs[] = {port("a", 24), port("b", 24)}, outputs[] = {port("c", 24)};
    tct_plan_buffer buffers[] = {
        {.place = TCT_PLACE_INPUT, .index = 0, .bytes = 24},
        {.place = TCT_PLACE_CONST, .bytes = 24},
        {.place = TCT_PLACE_ARENA, .offset = 64, .bytes = 24},
        {.place = TCT_PLACE_INPUT, .index = 1, .bytes = 24},
        {.place = TCT_PLACE_OUTPUT, .index = 0, .bytes = 24},
        {.place = TCT_PLACE_ARENA, .offset = 64 + 12, .bytes = 12},
        {.place = TCT_PLACE_INPUT, .index = 1, .offset = 12, .bytes = 12},
        {.place = TCT_PLACE_OUTPUT, .index = 0, .offset = 12, .bytes = 12},
    };
    uint32_t operands[] = {0, 1, 2, 2, 3, 4, 5, 6, 7};
    int64_t args[] = {10, 2};
    tct_plan_kernel kernels[] = {{"combine", (void *)combine}};
    tct_step steps[] = {
        {.kind = TCT_STEP_KERNEL,
         .operand = 0,
         .n_operands = 3,
         .arg = 0,
         .n_args = 1,
         .n_tasks = N,
         .label = "first"},
        {.kind = TCT_STEP_KERNEL,
         .operand = 3,
         .n_operands = 3,
         .arg = 1,
         .n_args = 1,
         .n_tasks = N / 2,
         .label = "left"},
        {.kind = TCT_STEP_KERNEL,
         .operand = 6,
         .n_operands = 3,
         .arg = 1,
         .n_args = 1,
         .n_tasks = N / 2,
         .label = "right"},
    };
    tct_plan plan = {.name = "p",
                     .n_inputs = 2,
                     .n_outputs = 1,
                     .n_buffers = 8,
                     .n_steps = 3,
                     .n_kernels = 1,
                     .n_operands = 9,
                     .n_args = 2,
                     .inputs = inputs,
                     .outputs = outputs,
                     .buffers = buffers,
                     .steps = steps,
                     .kernels = kernels,
                     .operands = operands,
                     .args = args,
                     .constants = constants,
                     .constant_bytes = 24,
                     .arena_bytes = 128};
    float a[N] = {1, 1, 1, 1, 1, 1}, b[N] = {0, 1, 2, 3, 4, 5}, c[N];
    _Alignas(64) unsigned char arena[128];
    tct_pool *pool = tct_pool_new(2);
    tct_diag d = {0};
    assert_true(tct_plan_run(&d, &plan, pool, (void *[]){a, b}, (void *[]){c}, arena, NULL));
    for (int i = 0; i < N; i++) assert_float_equal(c[i], 1 + 10 * constants[i] + 2 * b[i], 0);

    tct_buf text = {0};
    tct_plan_print(&plan, &text);
    assert_non_null(strstr(text.data, "in0 a: f32[T=6]"));
    assert_non_null(strstr(text.data, "kernel first combine 10 (%0 in0, %1 const+0, %2 arena+64) tasks 6"));
    assert_non_null(strstr(text.data, "memory arena 128"));
    tct_buf_free(&text);
    tct_pool_free(pool);
    tct_diag_free(&d);
}

// One step of a scan: carry' = carry + x · 2, y = carry'
static void check_scan(int64_t trips, bool reverse) {
    tct_plan_port inputs[] = {port("carry", 4), port("x", 4)}, outputs[] = {port("next", 4), port("y", 4)};
    tct_plan_buffer body_buffers[] = {
        {.place = TCT_PLACE_INPUT, .index = 0, .bytes = 4},
        {.place = TCT_PLACE_INPUT, .index = 1, .bytes = 4},
        {.place = TCT_PLACE_OUTPUT, .index = 0, .bytes = 4},
        {.place = TCT_PLACE_OUTPUT, .index = 1, .bytes = 4},
        {.place = TCT_PLACE_CONST, .bytes = 4},
    };
    static const float zero[1] = {0};
    outputs[0].alias = 0;
    uint32_t body_operands[] = {0, 1, 2, 2, 4, 3};
    int64_t body_args[] = {2, 1};
    tct_plan_kernel kernels[] = {{"combine", (void *)combine}};
    tct_step body_steps[] = {
        {.kind = TCT_STEP_KERNEL, .operand = 0, .n_operands = 3, .arg = 0, .n_args = 1, .n_tasks = 1},
        {.kind = TCT_STEP_KERNEL, .operand = 3, .n_operands = 3, .arg = 1, .n_args = 1, .n_tasks = 1},
    };
    tct_plan body = {.name = "body",
                     .n_inputs = 2,
                     .n_outputs = 2,
                     .n_buffers = 5,
                     .n_steps = 2,
                     .n_kernels = 1,
                     .n_operands = 6,
                     .n_args = 2,
                     .inputs = inputs,
                     .outputs = outputs,
                     .buffers = body_buffers,
                     .steps = body_steps,
                     .kernels = kernels,
                     .operands = body_operands,
                     .args = body_args,
                     .constants = zero,
                     .constant_bytes = 4,
                     .arena_bytes = 64};
    int64_t strides[] = {0, 4, 0, 4};
    tct_plan_scan scan = {.body = &body,
                          .trips = trips,
                          .n_axes = 1,
                          .size = &trips,
                          .reverse = reverse,
                          .n_in = 2,
                          .n_out = 2,
                          .n_carries = 1,
                          .stride = strides,
                          .rows = (const tct_plan_rows[2]){{0}}};
    tct_plan_buffer buffers[] = {
        {.place = TCT_PLACE_INPUT, .index = 0, .bytes = 4},
        {.place = TCT_PLACE_INPUT, .index = 1, .bytes = 24},
        {.place = TCT_PLACE_OUTPUT, .index = 0, .bytes = 4},
        {.place = TCT_PLACE_OUTPUT, .index = 1, .bytes = 24},
        {.place = TCT_PLACE_ARENA, .bytes = tct_plan_scan_workspace(&scan)},
    };
    uint32_t operands[] = {0, 1, 2, 3, 4};
    tct_step step = {.kind = TCT_STEP_SCAN, .n_operands = 5};
    tct_plan plan = {.name = "scan",
                     .n_inputs = 2,
                     .n_outputs = 2,
                     .n_buffers = 5,
                     .n_steps = 1,
                     .n_operands = 5,
                     .n_scans = 1,
                     .inputs = inputs,
                     .outputs = outputs,
                     .buffers = buffers,
                     .steps = &step,
                     .operands = operands,
                     .scans = &scan,
                     .arena_bytes = buffers[4].bytes};
    float start = 100, x[N] = {1, 2, 3, 4, 5, 6}, last = -1, y[N] = {0};
    void *arena = aligned_alloc(64, (buffers[4].bytes + 63) / 64 * 64);
    tct_pool *pool = tct_pool_new(1);
    tct_diag d = {0};
    assert_true(tct_plan_run(&d, &plan, pool, (void *[]){&start, x}, (void *[]){&last, y}, arena, NULL));
    float carry = 100;
    for (int64_t t = 0; t < trips; t++) {
        int64_t at = reverse ? trips - 1 - t : t;
        carry += 2 * x[at];
        assert_float_equal(y[at], carry, 0);
    }
    assert_float_equal(last, carry, 0);
    assert_float_equal(start, 100, 0);
    tct_pool_free(pool);
    tct_diag_free(&d);
    free(arena);
}

static void test_scan(void **state) {
    (void)state;
    for (int64_t trips = 0; trips <= N; trips++) {
        check_scan(trips, false);
        check_scan(trips, true);
    }
}

// out[i] = x[i] + n; fails for a negative first element.
__attribute__((visibility("default"))) int test_foreign_function(const float *x, int64_t n, float *out,
                                                                 int64_t m);
int test_foreign_function(const float *x, int64_t n, float *out, int64_t m) {
    if (m != n) return 2;
    for (int64_t i = 0; i < n; i++) out[i] = x[i] + (float)n;
    return x[0] < 0 ? 7 : 0;
}

static void test_foreign(void **state) {
    (void)state;
    static const uint8_t dtypes[] = {TCT_F32, TCT_F32};
    static const uint32_t n_axes[] = {1, 1};
    static const int64_t size[] = {N}, *const sizes[] = {size, size};
    tct_plan_foreign foreign = {.symbol = "test_foreign_function",
                                .n_in = 1,
                                .n_out = 1,
                                .dtype = dtypes,
                                .n_axes = n_axes,
                                .size = sizes,
                                .fn = (void *)test_foreign_function,
                                .caller = tct_ffi_call};
    float x[N] = {1, 2, 3, 4, 5, 6}, y[N];
    tct_diag d = {0};
    assert_true(tct_foreign_call(&d, &foreign, (void *[]){x, y}));
    for (int i = 0; i < N; i++) assert_float_equal(y[i], x[i] + N, 0);
    x[0] = -1;
    assert_false(tct_foreign_call(&d, &foreign, (void *[]){x, y}));
    assert_int_equal(d.n_errors, 1);
    assert_string_equal(d.messages.data[0].code, "E0851");

    tct_plan_foreign missing = {.library = "/nonexistent.so", .symbol = "f"},
                     unknown = {.symbol = "no_such_function"};
    assert_false(tct_foreign_resolve(&d, &missing, NULL, tct_ffi_call));
    assert_false(tct_foreign_resolve(&d, &unknown, NULL, tct_ffi_call));
    tct_plan_foreign known = {.symbol = "strlen"};
    assert_true(tct_foreign_resolve(&d, &known, NULL, tct_ffi_call));
    assert_non_null(known.fn);
    assert_int_equal(d.n_errors, 3);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
