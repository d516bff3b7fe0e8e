// Compiled random graphs against the interpreter.
#include "tests/codegen/compare.h"

static int number_from(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

// Many graphs by one compiler: kernels that they share are shared.
static void on_random_graphs(const char *isa, const tct_random_graph_options *like, int first, int n,
                             double relative, double absolute) {
    tct_diag d = {0};
    tct_isa set;
    if (isa && tct_isa_parse(isa, &set) && set > tct_isa_host()) return;
    tct_compiler *c = tct_compiler_new(&d, isa, 1);
    assert_non_null(c);
    for (int k = 0; k < n; k++) {
        tct_random_graph_options o = *like;
        compare_options close = {.relative = relative, .absolute = absolute};
        o.seed = (uint64_t)(first + k);
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g = tct_random_graph(m, &o);
        if (getenv("TERCET_VERBOSE")) fprintf(stderr, "seed %d\n", first + k);
        compare_graph(c, g, o.seed, &close);
        tct_ir_module_free(m);
    }
    tct_compiler_free(c);
    tct_diag_free(&d);
}

enum {
    POINTWISE = 1 << TCT_CLASS_LEAF | 1 << TCT_CLASS_ELEMENTWISE,
    SUMMING = POINTWISE | 1 << TCT_CLASS_REDUCTION,
    MOVING = SUMMING | 1 << TCT_CLASS_MOVEMENT,
    MULTIPLYING = MOVING | 1 << TCT_CLASS_CONTRACTION,
    EVERYTHING = 0,
};

static void test_family(unsigned classes, const char *isa, int n) {
    tct_random_graph_options o = {
        .classes = classes, .tame = true, .continuous = true, .permute = true, .aliases = true};
    on_random_graphs(isa, &o, number_from("TERCET_SEED", 1), number_from("TERCET_GRAPHS", n), 1e-4, 1e-4);
}

static void test_pointwise(void **state) {
    (void)state;
    test_family(POINTWISE, NULL, 30);
}
static void test_summing(void **state) {
    (void)state;
    test_family(SUMMING, NULL, 30);
}
static void test_moving(void **state) {
    (void)state;
    test_family(MOVING, NULL, 40);
}
static void test_multiplying(void **state) {
    (void)state;
    test_family(MULTIPLYING, NULL, 30);
}
static void test_everything(void **state) {
    (void)state;
    test_family(EVERYTHING, NULL, 30);
}
static void test_everything_avx2(void **state) {
    (void)state;
    test_family(EVERYTHING, "avx2", 15);
}
static void test_everything_base(void **state) {
    (void)state;
    test_family(EVERYTHING, "base", 15);
}

// Sizes around and far from the lengths of vectors and blocks.
static void test_large(void **state) {
    (void)state;
    static const int64_t sizes[][4] = {
        {131, 3, 67, 1}, {64, 17, 1, 5}, {1, 257, 16, 2}, {7, 33, 128, 1}, {1000, 19, 1, 1}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        tct_random_graph_options o = {
            .tame = true, .continuous = true, .permute = true, .max_elements = 40000};
        memcpy(o.sizes, sizes[k], sizeof o.sizes);
        on_random_graphs(NULL, &o, number_from("TERCET_SEED", 1) + 100 * (int)k,
                         number_from("TERCET_GRAPHS", 12) / 3 + 1, 1e-4, 1e-4);
    }
}

static void test_integers(void **state) {
    (void)state;
    tct_random_graph_options o = {
        .dtypes = 1 << TCT_I32 | 1 << TCT_I64 | 1 << TCT_BOOL, .permute = true, .aliases = true};
    on_random_graphs(NULL, &o, number_from("TERCET_SEED", 1), number_from("TERCET_GRAPHS", 30), 0, 0);
    on_random_graphs("base", &o, number_from("TERCET_SEED", 1), number_from("TERCET_GRAPHS", 30) / 2, 0, 0);
}

static void test_doubles(void **state) {
    (void)state;
    tct_random_graph_options o = {.dtypes = 1 << TCT_F64, .tame = true, .continuous = true, .permute = true};
    on_random_graphs(NULL, &o, number_from("TERCET_SEED", 1), number_from("TERCET_GRAPHS", 20), 1e-9, 1e-9);
}

static void test_bf16(void **state) {
    (void)state;
    tct_random_graph_options o = {
        .dtypes = 1 << TCT_BF16, .classes = MULTIPLYING, .n_nodes = 10, .tame = true, .continuous = true};
    on_random_graphs(NULL, &o, number_from("TERCET_SEED", 1), number_from("TERCET_GRAPHS", 20), 0.05, 0.05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointwise),
        cmocka_unit_test(test_summing),
        cmocka_unit_test(test_moving),
        cmocka_unit_test(test_multiplying),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_everything_avx2),
        cmocka_unit_test(test_everything_base),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
