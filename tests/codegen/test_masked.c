// What a mask hides at run time is left out by sums of products: of one row's attention over a cache, the
// places that are not filled yet.
#include "tests/codegen/compare.h"

#include <math.h>

enum { ROWS = 4, HEADS = 2 };

typedef struct shape {
    int places, head;
    const char *cache; // its axes
} shape;

static tct_graph *parse(tct_diag *d, tct_ir_module *m, const shape *s) {
    tct_buf text = {0};
    tct_buf_printf(&text,
                   "axis B = %d axis H = %d axis S = %d axis D = %d graph g {\n"
                   "%%q: f32[B, H, D] = input #0 \"q\"\n%%k: f32[%s] = input #1 \"k\"\n"
                   "%%v: f32[%s] = input #2 \"v\"\n%%start: i32[B] = input #3 \"start\"\n"
                   "%%s: f32[B, H, S] = dot %%q, %%k {D}\n%%h: f32 = const 0.25\n"
                   "%%r: f32[B, H, S] = mul %%s, %%h\n%%i: i32[S] = iota\n"
                   "%%a: bool[B, S] = le %%i, %%start\n%%n: f32 = const -1e30\n"
                   "%%w: f32[B, H, S] = where %%a, %%r, %%n\n%%m: f32[B, H] = reduce_max %%w {S}\n"
                   "%%d: f32[B, H, S] = sub %%w, %%m\n%%e: f32[B, H, S] = exp %%d\n"
                   "%%z: f32[B, H] = sum %%e {S}\n%%p: f32[B, H, S] = div %%e, %%z\n"
                   "%%o: f32[B, H, D] = dot %%p, %%v {S}\nreturn o = %%o }",
                   ROWS, HEADS, s->places, s->head, s->cache, s->cache);
    tct_graph *g = compare_parse(d, m, text.data);
    tct_buf_free(&text);
    return g;
}

// The last place that each row sees: none, one, some, all.
static int last_place(int row, int64_t places) {
    return row == 0 ? -1 : row == 1 ? 0 : row == 2 ? (int)(places / 2) : (int)places - 1;
}

static int64_t places_of(const tct_graph *g) {
    const tct_node *k = tct_node_of(g, g->inputs.data[1]);
    return tct_node_elements(g, k) / tct_node_elements(g, tct_node_of(g, g->inputs.data[0]));
}

static void see_some(const tct_graph *g, tct_ir_tensor *inputs) {
    for (int b = 0; b < ROWS; b++) ((int32_t *)inputs[3].data)[b] = last_place(b, places_of(g));
}

static const shape shapes[] = {
    {7, 64, "B, H, S, D"},   {40, 64, "B, H, S, D"},  {70, 40, "B, H, S, D"},   {33, 128, "B, H, S, D"},
    {100, 80, "B, H, S, D"}, {128, 64, "B, S, H, D"}, {40, 16, "B, S, H, D"},   {64, 5, "B, H, S, D"},
    {300, 32, "S, B, H, D"}, {64, 48, "B, H, D, S"},  {1000, 64, "B, H, S, D"},
};

static void as_interpreted(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        compare_graph(c, parse(&d, m, &shapes[k]), k,
                      &(compare_options){.relative = 1e-5, .absolute = 1e-6, .adjust = see_some});
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// Hidden places of the cache [B, H, S, D] become `with`.
static void fill_hidden(const shape *s, tct_ir_tensor *t, float with) {
    float *x = t->data;
    int64_t row = (int64_t)s->places * s->head;
    for (int64_t i = 0; i < ROWS * HEADS * row; i++)
        if (i % row / s->head > last_place((int)(i / row / HEADS), s->places)) x[i] = with;
}

// Neither is read, so the bits are those of whatever stands there; the first row, which sees nothing, has the
// mean of all.
static void hidden_is_not_read(void **state) {
    (void)state;
    const shape s = {40, 64, "B, H, S, D"};
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_buf kernels = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = parse(&d, m, &s);
    const tct_plan *plan = tct_compile_graph(&d, c, g, NULL);
    assert_non_null(plan);
    tct_compiler_dump(c, plan, TCT_DUMP_KERNEL, NULL, &kernels);
    const char *first = strstr(kernels.data, "only where");
    if (!first || !strstr(first + 1, "only where")) fail_msg("%s", kernels.data);
    tct_ir_tensor in[4], out[2];
    const float with[2] = {0, NAN};
    for (int k = 0; k < 2; k++) {
        tct_random_inputs(g, &arena, 1, false, in);
        see_some(g, in);
        fill_hidden(&s, &in[1], with[k]);
        fill_hidden(&s, &in[2], with[k]);
        compare_run(g, plan, 2, in, &arena, &out[k]);
    }
    size_t a_row = (size_t)(HEADS * s.head);
    const float *a = out[0].data, *b = out[1].data;
    assert_memory_equal(a + a_row, b + a_row, (ROWS - 1) * a_row * sizeof *a);
    for (size_t k = 0; k < a_row; k++) assert_true(a[k] == 0 && isnan(b[k]));
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_buf_free(&kernels);
    tct_arena_free(&arena);
    tct_diag_free(&d);
}

// What lies ahead of a key may be hidden: the same one of the next head is asked for.
static void asks_for_the_next_block(void **state) {
    (void)state;
    const shape s = {1000, 64, "B, H, S, D"};
    tct_diag d = {0};
    tct_buf kernels = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    const tct_plan *plan = tct_compile_graph(&d, c, parse(&d, m, &s), NULL);
    assert_non_null(plan);
    tct_compiler_dump(c, plan, TCT_DUMP_KERNEL, NULL, &kernels);
    if (!strstr(kernels.data, "256000 bytes ahead")) fail_msg("%s", kernels.data);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_buf_free(&kernels);
    tct_diag_free(&d);
}

// A factor that no mask has made zero takes part: 0 times infinity is no number.
static void other_zeros_count(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_buf kernels = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = compare_parse(&d, m,
                                 "axis B = 64 axis S = 100 axis D = 64 graph g {\n"
                                 "%x: f32[B, S] = input #0 \"x\"\n%v: f32[B, S, D] = input #1 \"v\"\n"
                                 "%e: f32[B, S] = exp %x\n%o: f32[B, D] = dot %e, %v {S}\nreturn o = %o }");
    const tct_plan *plan = tct_compile_graph(&d, c, g, NULL);
    assert_non_null(plan);
    tct_compiler_dump(c, plan, TCT_DUMP_KERNEL, NULL, &kernels);
    assert_null(strstr(kernels.data, "only where"));
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_buf_free(&kernels);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_interpreted),
        cmocka_unit_test(hidden_is_not_read),
        cmocka_unit_test(asks_for_the_next_block),
        cmocka_unit_test(other_zeros_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
