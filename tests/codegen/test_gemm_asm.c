// The machine code of micro-kernels, where speed is decided: accumulators stay in registers, multiply and add
// are one instruction, and a broadcast that is used once comes with it.
#include "base/diag.h"
#include "codegen/gemm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *assembly(const char *symbol, tct_isa isa) {
    tct_diag d = {0};
    tct_target target = tct_target_of(isa);
    tct_unit unit = tct_gemm_unit(symbol);
    tct_buf text = {0};
    assert_true(tct_unit_text(&d, &target, &unit, TCT_TEXT_ASM, &text));
    tct_diag_free(&d);
    return text.data;
}

static int count(const char *text, const char *word) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)); p += strlen(word)) n++;
    return n;
}

// Lines that name both a vector register and the stack.
static int stack_vectors(const char *text, const char *vector) {
    int n = 0;
    for (const char *line = text; line; line = strchr(line + 1, '\n')) {
        const char *end = strchr(line + 1, '\n'), *reg = strstr(line, vector), *stack = strstr(line, "(%rsp");
        n += end && reg && stack && reg < end && stack < end;
    }
    return n;
}

static void check(const char *symbol, tct_isa isa, const char *vector, int tile) {
    char *text = assembly(symbol, isa);
    if (stack_vectors(text, vector)) fail_msg("%s spills %d vectors", symbol, stack_vectors(text, vector));
    // The unrolled loop and the loop over the steps left.
    int expected = tile * (TCT_GEMM_STEPS_A_FETCH + 1), found = count(text, "vfmadd231p");
    if (found < expected) fail_msg("%s has %d fused multiply-adds, not %d", symbol, found, expected);
    free(text);
}

static void test_avx512(void **state) {
    (void)state;
    static const int tiles[][2] = {{6, 4}, {8, 3}, {9, 3}, {12, 2}, {10, 2}, {5, 4}};
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
        for (int variant = 0; variant < 6; variant++) {
            static const char *const variants[] = {"", "r", "e", "er", "a12b3", "rb4"};
            char symbol[TCT_GEMM_SYMBOL];
            snprintf(symbol, sizeof symbol, "tct_gemm_micro_f32_avx512_%dx%d%s", tiles[i][0], tiles[i][1],
                     variants[variant]);
            check(symbol, TCT_ISA_AVX512, "zmm", tiles[i][0] * tiles[i][1]);
        }
    check("tct_gemm_micro_f64_avx512_8x3", TCT_ISA_AVX512, "zmm", 24);
}

static void test_avx2(void **state) {
    (void)state;
    check("tct_gemm_micro_f32_avx2_6x2", TCT_ISA_AVX2, "ymm", 12);
    check("tct_gemm_micro_f32_avx2_4x3r", TCT_ISA_AVX2, "ymm", 12);
    check("tct_gemm_micro_f64_avx2_6x2", TCT_ISA_AVX2, "ymm", 12);
}

// With one vector of B a row, each broadcast of A has a single use: the multiply-add loads it itself. With
// several, one load serves them all.
static void test_broadcasts(void **state) {
    (void)state;
    char *narrow = assembly("tct_gemm_micro_f32_avx512_12x1", TCT_ISA_AVX512);
    char *wide = assembly("tct_gemm_micro_f32_avx512_12x2", TCT_ISA_AVX512);
    assert_true(count(narrow, "{1to16}") >= 12 * TCT_GEMM_STEPS_A_FETCH);
    assert_true(count(wide, "vbroadcastss") >= 12 * TCT_GEMM_STEPS_A_FETCH);
    free(narrow);
    free(wide);
}

static void test_llvm_text(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_target target = tct_target_of(TCT_ISA_AVX512);
    tct_unit unit = tct_gemm_unit("tct_gemm_copy_f32_avx512_0x48");
    for (int stage = TCT_TEXT_LLVM; stage <= TCT_TEXT_LLVM_OPT; stage++) {
        tct_buf text = {0};
        assert_true(tct_unit_text(&d, &target, &unit, (tct_text_stage)stage, &text));
        assert_non_null(strstr(text.data, "define void @tct_gemm_copy_f32_avx512_0x48"));
        tct_buf_free(&text);
    }
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_broadcasts),
        cmocka_unit_test(test_llvm_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
