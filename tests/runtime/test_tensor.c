// Dtypes, tensors and the random generator.
#include "runtime/rng.h"
#include "runtime/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// AddressSanitizer: an allocation that can't be is NULL, as without it.
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

static uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float of_bits(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static void test_bf16_rounds_to_nearest_even(void **state) {
    (void)state;
    // Every bf16 comes back unchanged, NaNs as quiet NaNs.
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = tct_bf16_to_f32((tct_bf16)h);
        tct_bf16 back = tct_f32_to_bf16(f);
        if (isnan(f))
            assert_true(isnan(tct_bf16_to_f32(back)));
        else
            assert_int_equal(back, h);
    }
    assert_int_equal(tct_f32_to_bf16(of_bits(0x3F808000)), 0x3F80); // a tie goes to the even one below
    assert_int_equal(tct_f32_to_bf16(of_bits(0x3F818000)), 0x3F82); // and to the even one above
    assert_int_equal(tct_f32_to_bf16(of_bits(0x3F808001)), 0x3F81);
    assert_int_equal(tct_f32_to_bf16(of_bits(0x3F807FFF)), 0x3F80);
    assert_int_equal(tct_f32_to_bf16(of_bits(0x7F7FFFFF)), 0x7F80); // rounds up to infinity
    assert_int_equal(tct_f32_to_bf16(-INFINITY), 0xFF80);
    assert_true(isnan(tct_bf16_to_f32(tct_f32_to_bf16(of_bits(0x7F800001))))); // payload in the low half only
}

static void test_f16_is_exact(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        int exponent = (int)(h >> 10 & 31);
        double fraction = h & 1023, sign = h & 0x8000 ? -1 : 1;
        float got = tct_f16_to_f32((uint16_t)h);
        if (exponent == 31 && fraction > 0)
            assert_true(isnan(got));
        else if (exponent == 31)
            assert_true(isinf(got) && !signbit(got) == (sign > 0));
        else
            assert_true((double)got ==
                        sign * ldexp(exponent ? 1024 + fraction : fraction, exponent ? exponent - 25 : -24));
    }
    assert_int_equal(bits_of(tct_f16_to_f32(0x8000)), 0x80000000u);
}

static void test_dtype_names(void **state) {
    (void)state;
    for (int t = 0; t < TCT_N_DTYPES; t++) {
        tct_dtype back;
        assert_true(tct_dtype_parse(tct_dtype_name((tct_dtype)t), &back));
        assert_int_equal(back, t);
        assert_true(tct_dtype_size((tct_dtype)t) > 0);
    }
    tct_dtype none;
    assert_false(tct_dtype_parse("f16", &none));
    assert_string_equal(tct_dtype_file_name(TCT_BF16), "BF16");
}

static void test_shapes(void **state) {
    (void)state;
    int64_t n;
    size_t bytes;
    assert_true(tct_shape_bytes(TCT_F32, 0, NULL, &n, &bytes));
    assert_int_equal(n, 1);
    assert_int_equal(bytes, 4);
    assert_true(tct_shape_bytes(TCT_F64, 2, (int64_t[]){3, 5}, &n, &bytes));
    assert_int_equal(bytes, 120);
    assert_true(tct_shape_bytes(TCT_F32, 3, (int64_t[]){INT64_MAX, INT64_MAX, 0}, &n, &bytes));
    assert_int_equal(bytes, 0);
    assert_false(tct_shape_bytes(TCT_F32, 2, (int64_t[]){INT64_MAX, 2}, &n, &bytes));
    assert_false(tct_shape_bytes(TCT_F32, 1, (int64_t[]){INT64_MAX / 2}, &n, &bytes));
    assert_false(tct_shape_bytes(TCT_F32, 1, (int64_t[]){-1}, &n, &bytes));
    assert_false(tct_shape_bytes(TCT_F32, 9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, &n, &bytes));
}

static void test_new_copy_cast(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_tensor t, c, k;
    assert_true(tct_tensor_new(&d, TCT_F32, 2, (const char *[]){"B", "T"}, (int64_t[]){2, 3}, &t));
    assert_int_equal((uintptr_t)t.data % TCT_TENSOR_ALIGN, 0);
    assert_int_equal(tct_tensor_elements(&t), 6);
    const double values[] = {0, -1.75, 3e9, -3e9, NAN, 2.5};
    for (int i = 0; i < 6; i++) tct_tensor_set(&t, i, values[i]);
    assert_true(tct_tensor_copy(&d, &t, &c));
    assert_memory_equal(c.data, t.data, t.bytes);
    assert_string_equal(tct_tensor_describe(&d.arena, &c), "f32[B=2, T=3]");
    assert_true(tct_tensor_cast(&d, &t, TCT_I32, &k));
    const int32_t expected[] = {0, -1, INT32_MAX, INT32_MIN, 0, 2};
    assert_memory_equal(k.data, expected, sizeof expected);
    tct_tensor_free(&k);
    assert_true(tct_tensor_cast(&d, &t, TCT_BOOL, &k));
    const uint8_t truth[] = {0, 1, 1, 1, 1, 1};
    assert_memory_equal(k.data, truth, sizeof truth);
    tct_tensor_free(&k);
    tct_tensor_free(&c);
    tct_tensor_free(&t);
    assert_null(t.data);

    int64_t wide[] = {INT64_MAX, INT64_MIN, 7};
    assert_true(tct_tensor_borrow(&d, TCT_I64, 1, NULL, (int64_t[]){3}, wide, &t));
    assert_true(tct_tensor_cast(&d, &t, TCT_I32, &k));
    const int32_t narrow[] = {INT32_MAX, INT32_MIN, 7};
    assert_memory_equal(k.data, narrow, sizeof narrow);
    tct_tensor_free(&k);
    tct_tensor_free(&t); // borrowed: nothing of ours is freed
    assert_int_equal(wide[2], 7);
    assert_int_equal(d.n_errors, 0);

    assert_false(tct_tensor_new(&d, TCT_F32, 1, NULL, (int64_t[]){-4}, &t));
    assert_string_equal(d.messages.data[0].code, "E0703");
    assert_non_null(strstr(d.messages.data[0].text, "f32[-4]"));
    assert_false(tct_tensor_new(&d, TCT_F32, 1, NULL, (int64_t[]){INT64_C(1) << 60}, &t));
    assert_string_equal(d.messages.data[1].code, "E0801");
    assert_null(t.data);
    const char *longest = "a_name_of_thirty_two_characters__";
    assert_false(tct_tensor_new(&d, TCT_F32, 1, &longest, (int64_t[]){1}, &t));
    tct_diag_free(&d);
}

// Known answers from the Random123 distribution's kat_vectors (philox4x32 10).
static void test_philox_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        tct_philox c;
        memcpy(c.v, kat[i].counter, sizeof c.v);
        c = tct_philox4x32(c, kat[i].key[0], kat[i].key[1]);
        assert_memory_equal(c.v, kat[i].expected, sizeof c.v);
    }
}

static void test_uniform_bounds(void **state) {
    (void)state;
    assert_true(tct_rng_uniform(0) == 0.0f && tct_rng_uniform(UINT32_MAX) < 1.0f);
    assert_true(tct_rng_uniform_open(0) > 0.0f && tct_rng_uniform_open(UINT32_MAX) < 1.0f);
    assert_true(tct_rng_uniform53(UINT32_MAX, UINT32_MAX) < 1.0 && tct_rng_uniform53(0, 0) == 0.0);
    assert_int_equal(tct_rng_below(0, 7), 0);
    assert_int_equal(tct_rng_below(UINT32_MAX, 7), 6);
    double sum = 0;
    for (uint64_t i = 0; i < 10000; i++) sum += (double)tct_rng_uniform(tct_rng(1, 2, i).v[i % 4]);
    assert_true(fabs(sum / 10000 - 0.5) < 0.015); // five standard errors
}

static void test_permutation(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint64_t n = sizes[k];
        bool *seen = calloc(n, 1);
        uint64_t moved = 0;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t p = tct_rng_permute(42, k, n, i);
            assert_true(p < n && !seen[p]);
            seen[p] = true;
            moved += p != tct_rng_permute(43, k, n, i);
        }
        if (n >= 100) assert_true(moved > n * 9 / 10); // another seed is another order
        free(seen);
    }
    // Each of the 24 orders of four comes up about as often as the others.
    int count[256] = {0};
    for (uint64_t stream = 0; stream < 24000; stream++) {
        int code = 0;
        for (uint64_t i = 0; i < 4; i++) code = code * 4 + (int)tct_rng_permute(7, stream, 4, i);
        count[code]++;
    }
    int orders = 0;
    for (int i = 0; i < 256; i++) {
        orders += count[i] > 0;
        if (count[i]) assert_in_range(count[i], 500, 1700);
    }
    assert_int_equal(orders, 24);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16_rounds_to_nearest_even),
        cmocka_unit_test(test_f16_is_exact),
        cmocka_unit_test(test_dtype_names),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_new_copy_cast),
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_uniform_bounds),
        cmocka_unit_test(test_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
