// Kernels of several instruction sets from one compilation.
#include "tests/codegen/compare.h"

static const tct_isa sets[] = {TCT_ISA_AVX2, TCT_ISA_AVX512, TCT_ISA_AVX512BF16};
enum { N_SETS = sizeof sets / sizeof *sets };

typedef struct compiled {
    tct_diag d;
    tct_ir_module *module;
    tct_compiler *compiler;
    tct_plan *plans[N_SETS];
    tct_objects objects;
} compiled;

static void compile(compiled *x, tct_dtype dtype, int threads) {
    tct_random_graph_options o = {.seed = 7, .dtypes = 1u << dtype, .tame = true, .n_nodes = 20};
    x->module = tct_ir_module_new();
    tct_graph *g = tct_random_graph(x->module, &o);
    x->compiler = tct_compiler_new_ahead(sets, N_SETS, threads);
    assert_true(tct_compile_graph_ahead(&x->d, x->compiler, g, NULL, x->plans));
    assert_true(tct_compiler_objects(&x->d, x->compiler, &x->objects));
}

static void release(compiled *x) {
    tct_objects_free(&x->objects);
    tct_compiler_free(x->compiler);
    tct_ir_module_free(x->module);
    tct_diag_free(&x->d);
}

static bool has_kernel(const compiled *x, const char *symbol) {
    for (uint32_t i = 0; i < tct_compiler_n_kernels(x->compiler); i++)
        if (strcmp(tct_compiler_kernel(x->compiler, i), symbol) == 0) return true;
    return false;
}

static bool names_set(const char *symbol, tct_isa isa) {
    const char *at = strstr(symbol, tct_isa_name(isa));
    return at && (at[strlen(tct_isa_name(isa))] == 0 || at[strlen(tct_isa_name(isa))] == '_');
}

// The symbols of kernels tell the set that they are for, and all of them are compiled.
static void test_symbols(void **state) {
    (void)state;
    for (int dtype = TCT_F32; dtype <= TCT_BF16; dtype++) {
        if (dtype == TCT_F64) continue;
        compiled x = {0};
        compile(&x, (tct_dtype)dtype, 1);
        assert_true(x.objects.n > 0);
        for (int s = 0; s < N_SETS; s++) {
            assert_true(x.plans[s]->n_kernels > 0);
            for (uint32_t k = 0; k < x.plans[s]->n_kernels; k++) {
                const char *symbol = x.plans[s]->kernels[k].symbol;
                assert_true(has_kernel(&x, symbol));
                bool own = names_set(symbol, sets[s]);
                assert_true(own || (sets[s] == TCT_ISA_AVX512BF16 && names_set(symbol, TCT_ISA_AVX512)));
                if (dtype == TCT_F32 && sets[s] == TCT_ISA_AVX512BF16) assert_false(own);
                assert_null(x.plans[s]->kernels[k].fn);
            }
        }
        bool shared = true;
        for (uint32_t k = 0; k < x.plans[1]->n_kernels; k++)
            shared = shared && x.plans[1]->kernels[k].symbol == x.plans[2]->kernels[k].symbol;
        assert_int_equal(shared, dtype == TCT_F32);
        release(&x);
    }
}

// The same graphs give the same bytes, whatever the number of threads.
static void test_reproducible(void **state) {
    (void)state;
    compiled x = {0}, y = {0};
    compile(&x, TCT_F32, 1);
    compile(&y, TCT_F32, 3);
    assert_int_equal(x.objects.n, y.objects.n);
    for (size_t i = 0; i < x.objects.n; i++) {
        size_t n = LLVMGetBufferSize(x.objects.data[i]);
        assert_int_equal(n, LLVMGetBufferSize(y.objects.data[i]));
        assert_memory_equal(LLVMGetBufferStart(x.objects.data[i]), LLVMGetBufferStart(y.objects.data[i]), n);
    }
    release(&x);
    release(&y);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_symbols), cmocka_unit_test(test_reproducible)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
