// Parts of rows without the columns that a mask hides from them: the same numbers as of the whole.
#include "passes/passes.h"
#include "passes/stream.h"
#include "tests/codegen/compare.h"

#include <math.h>

// A product of 24 x 22 and what follows; the mask is %m, the constant behind it %n.
#define SIZES "axis B = 2 axis T = 24 axis S = 22 axis D = 3 "
#define BEGIN                                                                                                \
    "graph g {\n%q: f32[T, D] = input #0 \"q\"\n%k: f32[S, D] = input #1 \"k\"\n%v: f32[S, D] = input #2 "   \
    "\"v\"\n"                                                                                                \
    "%w: f32[T, D] = input #3 \"w\"\n%pad: bool[S] = input #4 \"pad\"\n%z: f32 = const 0\n"                  \
    "%i: i32[T] = iota\n%j: i32[S] = iota\n"
#define SCORES "%a: f32[T, S] = dot %q, %k {D}\n"
#define SOFTMAX                                                                                              \
    "%x: f32[T] = reduce_max %b {S}\n%c: f32[T, S] = sub %b, %x\n%e: f32[T, S] = exp %c\n"                   \
    "%l: f32[T] = sum %e {S}\n%p: f32[T, S] = div %e, %l\n%o: f32[T, D] = dot %p, %v {S}\n"
// As differentiation makes it, of the sum of the results times w.
#define BACKWARD                                                                                             \
    "%dv: f32[S, D] = dot %p, %w {T}\n%dp: f32[T, S] = dot %w, %v {D}\n%dl: f32[T, S] = div %dp, %l\n"       \
    "%t: f32[T, S] = mul %dl, %p\n%u: f32[T] = sum %t {S}\n%ds: f32[T, S] = sub %dl, %u\n"                   \
    "%de: f32[T, S] = mul %ds, %e\n%da: f32[T, S] = where %m, %de, %z\n%dq: f32[T, D] = dot %da, %k {S}\n"   \
    "%dk: f32[S, D] = dot %da, %q {T}\n"
#define CAUSAL "%m: bool[T, S] = le %j, %i\n"
#define PADDED "%up: bool[T, S] = le %j, %i\n%m: bool[T, S] = and %up, %pad\n"
#define WINDOW                                                                                               \
    "%up: bool[T, S] = le %j, %i\n%n4: i32 = const 4\n%far: i32[T, S] = sub %i, %j\n"                        \
    "%near: bool[T, S] = lt %far, %n4\n%m: bool[T, S] = and %up, %near\n"
#define BEHIND(C) "%n: f32 = const " C "\n%b: f32[T, S] = where %m, %a, %n\n"
#define RETURN "return o = %o\n}"
#define RETURN_ALL "return o = %o, dv = %dv, dq = %dq, dk = %dk\n}"

static double multiplications(const tct_graph *g) {
    double sum = 0;
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (n->op != TCT_IR_DOT) continue;
        double here = (double)tct_node_elements(g, n);
        for (int k = 0; k < n->attr.n_axes; k++)
            here *= (double)tct_axis_of(g->module, n->attr.axes[k])->size;
        sum += here;
    }
    return sum;
}

static const tct_stream_limits in_parts = {.bytes = 1e9, .rows = 1, .shown = 4};

// At most the share `most` of the multiplications is left; 1: the graph stays as it is.
static void check(tct_compiler *c, const char *text, double most) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = compare_parse(&d, m, text), *parts = tct_stream(g, &in_parts);
    if (most == 1) {
        assert_ptr_equal(parts, g);
    } else {
        double share = multiplications(parts) / multiplications(g);
        if (share > most) compare_fail("more is multiplied than expected", parts, NULL, &d);
        for (uint64_t seed = 1; seed <= 4; seed++) {
            compare_interpreted(g, parts, "stream", seed, 1e-5);
            compare_graph(c, parts, seed, &(compare_options){.relative = 1e-4, .absolute = 1e-4});
        }
    }
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

static void masks(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    check(c, SIZES BEGIN SCORES CAUSAL BEHIND("-1e30") SOFTMAX RETURN, 0.9);
    check(c, SIZES BEGIN SCORES CAUSAL BEHIND("-1e30") SOFTMAX BACKWARD RETURN_ALL, 0.95);
    // What is hidden counts: the constant is as large as what is seen, or larger, or there is nothing to see.
    check(c, SIZES BEGIN SCORES CAUSAL BEHIND("-1") SOFTMAX BACKWARD RETURN_ALL, 0.95);
    check(c, SIZES BEGIN SCORES CAUSAL BEHIND("0") SOFTMAX BACKWARD RETURN_ALL, 0.95);
    check(c, SIZES BEGIN SCORES CAUSAL BEHIND("3") SOFTMAX BACKWARD RETURN_ALL, 0.95);
    check(c, SIZES BEGIN SCORES PADDED BEHIND("-1e30") SOFTMAX BACKWARD RETURN_ALL, 0.95);
    check(c, SIZES BEGIN SCORES WINDOW BEHIND("-1e30") SOFTMAX BACKWARD RETURN_ALL, 0.8);
    check(c, SIZES BEGIN SCORES WINDOW BEHIND("0.5") SOFTMAX BACKWARD RETURN_ALL, 0.8);
    // Nobody but the first rows sees anything.
    check(c, SIZES BEGIN SCORES "%f: i32 = const 3\n%m: bool[T] = lt %i, %f\n" BEHIND("-1e30") SOFTMAX RETURN,
          0.9);
    // Turned around, and with a shift.
    check(c,
          SIZES BEGIN SCORES
          "%m: bool[T, S] = gt %j, %i\n%n: f32 = const -1e30\n%b: f32[T, S] = where %m, %n, %a\n" SOFTMAX
              RETURN,
          0.9);
    check(c,
          SIZES BEGIN SCORES
          "%f: i32 = const -3\n%s: i32[T] = add %i, %f\n%m: bool[T, S] = le %j, %s\n" BEHIND("-1e30")
              SOFTMAX RETURN,
          0.95);
    // Nothing is hidden, or nobody knows what, or somebody wants it.
    check(c, SIZES BEGIN SCORES "%m: bool[T, S] = lt %j, %i\n%b: f32[T, S] = add %a, %z\n" SOFTMAX RETURN, 1);
    check(c, SIZES BEGIN SCORES "%m: bool[S] = not %pad\n" BEHIND("-1e30") SOFTMAX RETURN, 1);
    check(c,
          SIZES BEGIN SCORES CAUSAL "%n: f32[S] = cast %j\n%b: f32[T, S] = where %m, %a, %n\n" SOFTMAX RETURN,
          1);
    check(c,
          SIZES BEGIN SCORES CAUSAL BEHIND("-1e30") SOFTMAX
          "%y: i32[T] = argmax %p {S}\nreturn o = %o, y = %y\n}",
          1);
    tct_compiler_free(c);
    tct_diag_free(&d);
}

// Sizes that no part divides, more rows than columns and fewer, one of either.
static void sizes(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    static const struct {
        int rows, columns;
        double most;
    } cases[] = {{61, 61, 0.95}, {509, 509, 0.7}, {61, 509, 0.4}, {509, 61, 1},
                 {33, 1, 1},     {1, 33, 1},      {9, 33, 0.5}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[4000];
        snprintf(text, sizeof text, "axis T = %d axis S = %d axis D = 5 %s", cases[k].rows, cases[k].columns,
                 BEGIN SCORES PADDED BEHIND("-2") SOFTMAX BACKWARD RETURN_ALL);
        check(c, text, cases[k].most);
    }
    tct_compiler_free(c);
    tct_diag_free(&d);
}

// Infinities and what is no number reach whom they reached before.
static void make_special(const tct_graph *g, tct_ir_tensor *in) {
    (void)g;
    float *q = in[0].data, *v = in[2].data;
    q[3 * 5] = INFINITY;
    q[3 * 9 + 1] = NAN;
    v[3 * 20] = INFINITY;
    v[3 * 21 + 1] = NAN;
}

static void special(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = compare_parse(&d, m, SIZES BEGIN SCORES CAUSAL BEHIND("-1e30") SOFTMAX RETURN);
    tct_graph *parts = tct_stream(g, &in_parts);
    assert_true(parts != g);
    tct_ir_tensor in[5], whole, cut;
    tct_random_inputs(g, &arena, 1, false, in);
    make_special(g, in);
    assert_true(tct_ir_interp(&d, &arena, g, in, &whole, NULL) &&
                tct_ir_interp(&d, &arena, parts, in, &cut, NULL));
    int numbers = 0;
    for (int k = 0; k < 24 * 3; k++) {
        float a = ((float *)whole.data)[k], b = ((float *)cut.data)[k];
        assert_int_equal(isnan(a), isnan(b));
        if (!isnan(a)) assert_true(isinf(a) ? a == b : fabsf(a - b) < 1e-5f), numbers++;
    }
    assert_true(numbers > 0);
    tct_arena_free(&arena);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// Chains of operations on the scores, with a choice by a mask of positions somewhere among them.
typedef struct chain {
    tct_buf text;
    uint64_t state;
    int n; // values so far
} chain;

static uint32_t pick(chain *c, uint32_t n) {
    c->state = c->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(c->state >> 33) % n;
}

static void add_step(chain *c, int kind) {
    int n = c->n++;
    tct_buf *t = &c->text;
    static const char *const masks[] = {"m", "m2"};
    switch (kind) {
    case 0:
        tct_buf_printf(t, "%%s%d: f32[T, S] = where %%%s, %%s%d, %%c%d\n", n + 1, masks[pick(c, 2)], n,
                       pick(c, 3));
        break;
    case 1:
        tct_buf_printf(t, "%%s%d: f32[T, S] = where %%%s, %%c%d, %%s%d\n", n + 1, masks[pick(c, 2)],
                       pick(c, 3), n);
        break;
    case 2:
        tct_buf_printf(t, "%%x%d: f32[T] = reduce_max %%s%d {S}\n%%s%d: f32[T, S] = sub %%s%d, %%x%d\n", n, n,
                       n + 1, n, n);
        break;
    case 3:
        tct_buf_printf(t, "%%s%d: f32[T, S] = tanh %%s%d\n", n + 1, n);
        break;
    case 4:
        tct_buf_printf(t,
                       "%%x%d: f32[T] = sum %%s%d {S}\n%%y%d: f32[T] = tanh %%x%d\n%%s%d: f32[T, S] = mul "
                       "%%s%d, %%y%d\n",
                       n, n, n, n, n + 1, n, n);
        break;
    case 5:
        tct_buf_printf(t, "%%s%d: f32[T, S] = mul %%s%d, %%dp\n", n + 1, n);
        break;
    case 6:
        tct_buf_printf(t, "%%x%d: f32[T] = dot %%s%d, %%dp {S}\n%%s%d: f32[T, S] = add %%s%d, %%x%d\n", n, n,
                       n + 1, n, n);
        break;
    default:
        tct_buf_printf(t, "%%s%d: f32[T, S] = neg %%s%d\n", n + 1, n);
    }
}

static void random_chains(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *compiler = tct_compiler_new(&d, NULL, 1);
    int parts = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        chain c = {.state = seed * 77};
        int shift = (int)pick(&c, 9) - 4;
        tct_buf_printf(&c.text,
                       "axis T = %u axis S = %u axis D = 3 %s"
                       "%%c0: f32 = const 0\n%%c1: f32 = const -0.5\n"
                       "%%c2: f32 = const -40\n%%shift: i32 = const %d\n%%is: i32[T] = add %%i, %%shift\n"
                       "%%m: bool[T, S] = le %%j, %%is\n%%m1: bool[T, S] = gt %%j, %%i\n%%m2: bool[T, S] = "
                       "and %%m1, %%pad\n"
                       "%%s0: f32[T, S] = dot %%q, %%k {D}\n%%dp: f32[T, S] = dot %%w, %%v {D}\n",
                       20 + pick(&c, 20), 20 + pick(&c, 20), BEGIN, shift);
        add_step(&c, (int)pick(&c, 2));
        for (int k = 0; k < 5; k++) add_step(&c, (int)pick(&c, 8));
        tct_buf_printf(
            &c.text,
            "%%o: f32[T, D] = dot %%s%d, %%v {S}\n%%h: f32[T, S] = where %%m, %%s%d, %%z\n"
            "%%e: f32[S, D] = dot %%h, %%w {T}\n%%r: f32[S] = sum %%h {T}\n%%a: f32 = sum %%h {T, S}\n"
            "return o = %%o, e = %%e, r = %%r, a = %%a\n}",
            c.n, c.n - (int)pick(&c, 3));
        // In f64, so that what cancels tells mistakes from rounding.
        for (char *at = c.text.data; (at = strstr(at, "f32"));) memcpy(at, "f64", 3);
        tct_graph *g = compare_parse(&d, m, c.text.data), *after = tct_stream(g, &in_parts);
        if (after != g) {
            parts++;
            compare_interpreted(g, after, "stream", seed, 1e-9);
            if (seed % 4 == 0)
                compare_graph(compiler, after, seed, &(compare_options){.relative = 1e-7, .absolute = 1e-7});
        }
        tct_buf_free(&c.text);
        tct_ir_module_free(m);
    }
    assert_true(parts >= 20);
    tct_compiler_free(compiler);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks),
        cmocka_unit_test(sizes),
        cmocka_unit_test(special),
        cmocka_unit_test(random_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
