// The interpreter: figures worked out by hand for every operation, and its properties on random graphs.
#include "runtime/rng.h"
#include "tests/support/random_graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// One test asks for more memory than there is, and wants NULL for it.
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

// Nodes that follow those of HEAD and give %x, and the numbers that %x must hold.
typedef struct figure {
    const char *text;
    int n;
    double want[12];
} figure;

static double number(const tct_ir_tensor *t, size_t at) {
    switch (t->dtype) {
    case TCT_F32:
        return (double)((const float *)t->data)[at];
    case TCT_F64:
        return ((const double *)t->data)[at];
    case TCT_BF16:
        return (double)tct_bf16_to_f32(((const tct_bf16 *)t->data)[at]);
    case TCT_I32:
        return ((const int32_t *)t->data)[at];
    case TCT_I64:
        return (double)((const int64_t *)t->data)[at];
    default:
        return ((const uint8_t *)t->data)[at];
    }
}

static size_t count_of(const tct_ir_module *m, const tct_ir_tensor *t) {
    size_t n = 1;
    for (int k = 0; k < t->n_axes; k++) n *= (size_t)tct_axis_of(m, t->axes[k])->size;
    return n;
}

static void fail_with(const tct_diag *d, const char *text) {
    tct_buf out = {0};
    tct_diag_render(d, &out, false);
    print_error("%s\n%s\n", text, out.data);
    tct_buf_free(&out);
    fail();
}

// a: f32[A, B] = -1, -0.5, 0, 0.5, 1, 1.5; i: i32[A, B] = -3 to 2; p: bool[A, B] alternating from false; b:
// i32[B] = 0, 1, 2; v: f32[B] = 1, 2, 3; j: i32[C] = 1, 5, 2, -1; s0: f32[A] = 0, 0.
static const char HEAD[] =
    "axis A = 2\naxis B = 3\naxis C = 4\naxis D = 2\naxis E = 5\naxis F = 6\naxis G = 1\n"
    "graph g {\n"
    "%b: i32[B] = iota %ra: i32[A] = iota\n"
    "%three: i32 = const 3 %two: i32 = const 2 %one: i32 = const 1\n"
    "%r3: i32[A] = mul %ra, %three\n"
    "%n: i32[A, B] = add %r3, %b\n" // 0..5
    "%i: i32[A, B] = sub %n, %three\n"
    "%nf: f32[A, B] = cast %n %af: f32[A, B] = cast %i\n"
    "%half: f32 = const 0.5 %a0: f32[A, B] = mul %nf, %half %oneF: f32 = const 1\n"
    "%a: f32[A, B] = sub %a0, %oneF\n"
    "%m2: i32[A, B] = mod %n, %two %p: bool[A, B] = eq %m2, %one\n"
    "%bf: f32[B] = cast %b %v: f32[B] = add %bf, %oneF\n"
    "%nan: f32 = const nan %inf: f32 = const inf %zero: f32 = const 0\n"
    "%c: i32[C] = iota %cs: i32[C] = mul %c, %three %cm: i32[C] = sub %two, %cs\n"
    "%seven: i32 = const 7 %j0: i32[C] = mod %cm, %seven\n" // 2 6 3 0
    "%j: i32[C] = sub %j0, %one\n"                          // 1 5 2 -1
    "%zab: f32[A, B] = mul %a, %zero %s0: f32[A] = sum %zab {B}\n";

static const figure figures[] = {
    {"%x: i32[B] = iota", 3, {0, 1, 2}},
    {"%x: f32[B] = iota", 3, {0, 1, 2}},
    {"%x: i64 = size {A, B}", 1, {6}},
    {"%x: f32[A, B] = neg %a", 6, {1, 0.5, 0, -0.5, -1, -1.5}},
    {"%x: i32[A, B] = abs %i", 6, {3, 2, 1, 0, 1, 2}},
    {"%x: f32[A, B] = abs %a", 6, {1, 0.5, 0, 0.5, 1, 1.5}},
    {"%x: f32[A, B] = sign %a", 6, {-1, -1, 0, 1, 1, 1}},
    {"%x: f32 = sign %nan", 1, {NAN}},
    {"%x: f32[A, B] = floor %a", 6, {-1, -1, 0, 0, 1, 1}},
    {"%x: f32[A, B] = round %a", 6, {-1, 0, 0, 0, 1, 2}},
    {"%x: f32[B] = exp %v", 3, {2.7182817459106445, 7.3890562057495117, 20.085536956787109}},
    {"%x: f32[B] = expm1 %v", 3, {1.7182817459106445, 6.3890562057495117, 19.085536956787109}},
    {"%x: f32[B] = log %v", 3, {0, 0.69314718246459961, 1.0986123085021973}},
    {"%x: f32[B] = log1p %v", 3, {0.69314718246459961, 1.0986123085021973, 1.3862943649291992}},
    {"%x: f32[B] = sqrt %v", 3, {1, 1.4142135381698608, 1.7320507764816284}},
    {"%x: f32[B] = rsqrt %v", 3, {1, 0.70710676908493042, 0.57735025882720947}},
    {"%x: f32[B] = sin %v", 3, {0.84147095680236816, 0.90929740667343140, 0.14112000167369843}},
    {"%x: f32[B] = cos %v", 3, {0.54030233621597290, -0.41614684462547302, -0.98999249935150146}},
    {"%x: f32[B] = tanh %v", 3, {0.76159417629241943, 0.96402758359909058, 0.99505478143692017}},
    {"%x: f32[B] = erf %v", 3, {0.84270077943801880, 0.99532228708267212, 0.99997788667678833}},
    {"%x: f32[B] = sigmoid %v", 3, {0.73105859756469727, 0.88079708814620972, 0.95257413387298584}},
    {"%x: f32[B] = softplus %v", 3, {1.3132616281509399, 2.1269280910491943, 3.0485873222351074}},
    {"%m: f32 = neg %inf %x: f32 = softplus %m", 1, {0}},
    {"%x: f32 = softplus %inf", 1, {INFINITY}},
    {"%x: f32 = softplus %nan", 1, {NAN}},
    {"%x: bool[A, B] = not %p", 6, {1, 0, 1, 0, 1, 0}},
    {"%x: i32[A, B] = cast %a", 6, {-1, 0, 0, 0, 1, 1}},
    {"%x: i32 = cast %nan", 1, {0}},
    {"%x: i32 = cast %inf", 1, {2147483647}},
    {"%l: i64 = const 16777217 %x: f32 = cast %l", 1, {16777216}},
    {"%l: i64 = const -3000000000 %x: i32 = cast %l", 1, {-2147483648.0}},
    {"%x: bool[A, B] = cast %a", 6, {1, 1, 0, 1, 1, 1}},
    {"%t: f32 = const 1.00390625 %x: bf16 = cast %t", 1, {1}},
    {"%t: f32 = const 1.01171875 %x: bf16 = cast %t", 1, {1.015625}},
    {"%x: f32[A, B] = stop_gradient %a", 6, {-1, -0.5, 0, 0.5, 1, 1.5}},
    {"%x: f32[A, B] = add %v, %a", 6, {0, 1.5, 3, 1.5, 3, 4.5}},
    {"%x: f32[A, B] = sub %v, %a", 6, {2, 2.5, 3, 0.5, 1, 1.5}},
    {"%x: i32[A, B] = mul %i, %i", 6, {9, 4, 1, 0, 1, 4}},
    {"%l: i32 = const 2147483647 %x: i32 = add %l, %one", 1, {-2147483648.0}},
    {"%x: f32[A, B] = div %a, %v", 6, {-1, -0.25, 0, 0.5, 0.5, 0.5}},
    {"%x: i32[A, B] = div %i, %two", 6, {-2, -1, -1, 0, 0, 1}},
    {"%z: i32 = const 0 %x: i32[A, B] = div %i, %z", 6, {0}},
    {"%l: i32 = const -2147483648 %o: i32 = const -1 %x: i32 = div %l, %o", 1, {-2147483648.0}},
    {"%l: i64 = const -9223372036854775808 %o: i64 = const -1 %x: i64 = div %l, %o",
     1,
     {-9223372036854775808.0}},
    {"%x: i32[A, B] = mod %i, %three", 6, {0, 1, 2, 0, 1, 2}},
    {"%o: i32 = const -2 %x: i32[A, B] = mod %i, %o", 6, {-1, 0, -1, 0, -1, 0}},
    {"%z: i32 = const 0 %x: i32[A, B] = mod %i, %z", 6, {0}},
    {"%x: f32[B] = pow %v, %v", 3, {1, 4, 27}},
    {"%x: f32[A, B] = max %a, %zero", 6, {0, 0, 0, 0.5, 1, 1.5}},
    {"%x: f32[A, B] = max %a, %nan", 6, {NAN, NAN, NAN, NAN, NAN, NAN}},
    {"%x: f32[A, B] = max %nan, %a", 6, {NAN, NAN, NAN, NAN, NAN, NAN}},
    {"%x: f32[A, B] = min %a, %zero", 6, {-1, -0.5, 0, 0, 0, 0}},
    {"%x: f32 = min %nan, %zero", 1, {NAN}},
    {"%x: bool[A, B] = lt %a, %half", 6, {1, 1, 1, 0, 0, 0}},
    {"%x: bool[A, B] = le %a, %half", 6, {1, 1, 1, 1, 0, 0}},
    {"%x: bool[A, B] = gt %i, %b", 6, {0}},
    {"%x: bool[A, B] = ge %i, %b", 6, {0, 0, 0, 1, 1, 1}},
    {"%x: bool = eq %nan, %nan", 1, {0}},
    {"%x: bool = ne %nan, %nan", 1, {1}},
    {"%x: bool = le %nan, %nan", 1, {0}},
    {"%q: bool[A, B] = lt %a, %half %x: bool[A, B] = and %p, %q", 6, {0, 1, 0, 0, 0, 0}},
    {"%q: bool[A, B] = lt %a, %half %x: bool[A, B] = or %p, %q", 6, {1, 1, 1, 1, 0, 1}},
    {"%x: f32[A, B] = where %p, %a, %nan", 6, {NAN, -0.5, NAN, 0.5, NAN, 1.5}},
    {"%x: f32[A] = sum %a {B}", 2, {-1.5, 3}},
    {"%x: f32 = sum %a {B, A}", 1, {1.5}},
    {"%x: i32[B] = sum %i {A}", 3, {-3, -1, 1}},
    {"%x: f32[B] = reduce_max %a {A}", 3, {0.5, 1, 1.5}},
    {"%w: f32[A, B] = where %p, %nan, %a %x: f32[A] = reduce_max %w {B}", 2, {NAN, NAN}},
    {"%x: i32[A] = reduce_min %i {B}", 2, {-3, 0}},
    {"%x: bool[B] = any %p {A}", 3, {1, 1, 1}},
    {"%x: bool[B] = all %p {A}", 3, {0}},
    {"%x: i32[A] = argmax %a {B}", 2, {2, 2}},
    {"%m: i32[A, B] = mul %i, %i %x: i32[B] = argmax %m {A}", 3, {0, 0, 1}},
    {"%m: f32[A, B] = mul %a, %zero %x: i32[A] = argmax %m {B}", 2, {0, 0}},
    {"%x: f32[A] = dot %a, %v {B}", 2, {-2, 7}},
    {"%x: f32[A, B] = dot %a, %v {}", 6, {-1, -1, 0, 0.5, 2, 4.5}},
    {"%x: i32[A] = dot %i, %i {B}", 2, {14, 5}},
    {"%r: f32[D, B] = rename %a {A} -> {D} %x: f32[A, D] = dot %a, %r {B}", 4, {1.25, -1, -1, 3.5}},
    {"%x: f32[A] = dot %a, %a {B}", 2, {1.25, 3.5}},
    {"%x: f32[D, B] = rename %a {A} -> {D}", 6, {-1, -0.5, 0, 0.5, 1, 1.5}},
    {"%x: f32[B, D] = rename %a {A} -> {D}", 6, {-1, 0.5, -0.5, 1, 0, 1.5}},
    {"%x: f32[D, A, B] = broadcast %a {D}", 12, {-1, -0.5, 0, 0.5, 1, 1.5, -1, -0.5, 0, 0.5, 1, 1.5}},
    {"%x: f32[A, D] = slice %a {B} -> {D} #0 by 2", 4, {-1, 0, 0.5, 1.5}},
    {"%x: f32[A, E] = pad %a {B} -> {E} #1 fill 9", 10, {9, -1, -0.5, 0, 9, 9, 0.5, 1, 1.5, 9}},
    {"%x: i32[A, E] = pad %i {B} -> {E} #0 fill -1", 10, {-3, -2, -1, -1, -1, 0, 1, 2, -1, -1}},
    {"%s: f32[A, D] = slice %a {B} -> {D} #0 by 1 %x: f32[A, E] = concat %s, %a {D, B} -> {E}",
     10,
     {-1, -0.5, -1, -0.5, 0, 0.5, 1, 0.5, 1, 1.5}},
    {"%x: f32[F] = merge %a {A, B} -> {F}", 6, {-1, -0.5, 0, 0.5, 1, 1.5}},
    {"%x: f32[F] = merge %a {B, A} -> {F}", 6, {-1, 0.5, -0.5, 1, 0, 1.5}},
    {"%f: f32[F] = merge %a {A, B} -> {F} %x: f32[B, A] = split %f {F} -> {B, A}",
     6,
     {-1, -0.5, 0, 0.5, 1, 1.5}},
    {"%f: f32[F] = merge %a {A, B} -> {F} %x: f32[A, B] = split %f {F} -> {B, A}",
     6,
     {-1, 0, 1, -0.5, 0.5, 1.5}},
    {"%x: f32[A, B] = flip %a {B}", 6, {0, -0.5, -1, 1.5, 1, 0.5}},
    {"%x: f32[C, A] = gather %a, %j {B}", 8, {-0.5, 1, 0, 0, 0, 1.5, 0, 0}},
    {"%k: i32[A] = sub %two, %ra %x: f32[A] = gather %a, %k {B}", 2, {0, 1}},
    {"%u: f32[C] = cast %c %x: f32[B] = scatter_add %v, %j, %u {B}", 3, {1, 2, 5}},
    {"%d: i32[C] = div %c, %two %u: f32[C] = cast %c %x: f32[B] = scatter_add %v, %d, %u {B}", 3, {2, 7, 3}},
    {"%d: i32[C] = div %c, %two %u: f32[C] = cast %c %x: f32[B] = put %v, %d, %u {B}", 3, {1, 3, 3}},
    {"%k: i32[A] = sub %two, %ra %u: f32[A] = cast %ra %x: f32[A, B] = put %a, %k, %u {B}",
     6,
     {-1, -0.5, 0, 0.5, 1, 1.5}},
    {"%k: (f32[A], f32[B, A]) = scan %s0, %a {B} #1 by 1 body { %0: f32[A] = input #0 \"s\" %1: f32[A] = "
     "input #1 "
     "\"x\" %2: f32[A] = add %0, %1 return s = %2, y = %2 } %x: f32[B, A] = get %k #1",
     6,
     {-1, 0.5, -1.5, 1.5, -1.5, 3}},
    {"%k: (f32[A], f32[B, A]) = scan %s0, %a {B} #1 by -1 body { %0: f32[A] = input #0 \"s\" %1: f32[A] = "
     "input #1 "
     "\"x\" %2: f32[A] = add %0, %1 return s = %2, y = %0 } %x: f32[B, A] = get %k #1",
     6,
     {-0.5, 2.5, 0, 1.5, 0, 0}},
    {"%k: (f32[A]) = scan %s0, %a {B} #1 by -1 body { %0: f32[A] = input #0 \"s\" %1: f32[A] = input #1 "
     "\"x\" %2: f32[A] = sub %1, %0 return s = %2 } %x: f32[A] = get %k #0",
     2,
     {-0.5, 1}},
    {"%k: (f32[B, A], f32) = fused %a \"loop\" body { %0: f32[A, B] = input #0 \"x\" %1: f32[B, A] = neg %0 "
     "%2: f32 "
     "= sum %0 {A, B} return y = %1, s = %2 } %x: f32[B, A] = get %k #0",
     6,
     {1, -0.5, 0.5, -1, 0, -1.5}},
};

// Runs HEAD and `nodes`, with the value %x as the result.
static tct_ir_tensor run(tct_ir_module *m, tct_arena *arena, const char *nodes, bool f64) {
    char text[4096];
    snprintf(text, sizeof text, "%s%s\nreturn out = %%x }", HEAD, nodes);
    tct_diag d = {0};
    tct_graph *g = tct_ir_parse(&d, m, "figure", text, strlen(text));
    tct_ir_tensor out = {0};
    if (!g || !tct_ir_interp(&d, arena, g, NULL, &out, &(tct_ir_interp_options){.f64 = f64}))
        fail_with(&d, text);
    tct_diag_free(&d);
    return out;
}

// Exact but for the last bit of the C library's functions.
static bool same(double a, double b) {
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1.2e-7 * fabs(b);
}

static void test_figures(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof figures / sizeof *figures; k++) {
        const figure *f = &figures[k];
        tct_ir_module *m = tct_ir_module_new();
        tct_arena arena = {0};
        tct_ir_tensor out = run(m, &arena, f->text, false);
        if (count_of(m, &out) != (size_t)f->n) fail_msg("%s: %zu elements", f->text, count_of(m, &out));
        for (int i = 0; i < f->n; i++)
            if (!same(number(&out, (size_t)i), f->want[i]))
                fail_msg("%s: element %d is %.17g, not %.17g", f->text, i, number(&out, (size_t)i),
                         f->want[i]);
        tct_arena_free(&arena);
        tct_ir_module_free(m);
    }
}

static void test_sums_of_f32_are_rounded_once(void **state) {
    (void)state;
    // 2^24 + 1 + 1: in float every step would round the 1 away.
    const char *text =
        "axis N = 3\ngraph g { %x: f32[N] = input #0 \"x\" %s: f32 = sum %x {N} %one: f32 = const 1\n"
        "%o: f32[N] = broadcast %one {N} %d: f32 = dot %x, %o {N} return s = %s, d = %d }";
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_graph *g = tct_ir_parse(&d, m, "sum", text, strlen(text));
    float x[] = {16777216, 1, 1};
    tct_ir_tensor in = {.dtype = TCT_F32, .n_axes = 1, .axes = {tct_axis_get(m, "N", 3)}, .data = x}, out[2];
    assert_true(tct_ir_interp(&d, &arena, g, &in, out, NULL));
    assert_true(number(&out[0], 0) == 16777218.0 && number(&out[1], 0) == 16777218.0);
    tct_arena_free(&arena);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_f64_mode_computes_in_double(void **state) {
    (void)state;
    tct_ir_module *m = tct_ir_module_new();
    tct_arena arena = {0};
    tct_ir_tensor out = run(m, &arena, "%t: f32 = const 0.1 %x: f32 = exp %t", true);
    assert_int_equal(out.dtype, TCT_F64);
    assert_true(fabs(number(&out, 0) - exp(0.1)) < 1e-16);
    tct_arena_free(&arena);
    tct_ir_module_free(m);
}

// Words of Philox4x32-10 for key 0 and counter 0, as published with Random123; and the generator of the
// runtime.
static void test_random_is_philox(void **state) {
    (void)state;
    static const uint32_t published[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    tct_ir_module *m = tct_ir_module_new();
    tct_arena arena = {0};
    tct_ir_tensor out = run(m, &arena, "%k: i64 = const 0 %x: f32[C] = random %k {C} #0", false);
    for (size_t i = 0; i < 4; i++) assert_true(number(&out, i) == (published[i] >> 8) * 0x1p-24);
    out = run(m, &arena, "%k: i64 = const -81985529216486895 %x: f32[B, A] = random %k {A, B} #77", false);
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 0; b < 3; b++) {
            size_t index = 3 * a + b; // in the order of the attribute, whatever the layout
            uint32_t word = tct_rng((uint64_t)INT64_C(-81985529216486895), 77, index / 4).v[index % 4];
            assert_true(number(&out, 2 * b + a) == (double)tct_rng_uniform(word));
        }
    tct_arena_free(&arena);
    tct_ir_module_free(m);
}

static bool has_op(const tct_graph *g, tct_ir_op op) {
    for (size_t v = 0; v < g->nodes.len; v++)
        if (g->nodes.data[v].op == op ||
            (g->nodes.data[v].attr.body && has_op(g->nodes.data[v].attr.body, op)))
            return true;
    return false;
}

static void rotate_layouts(tct_graph *g) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        tct_node *n = &g->nodes.data[v];
        tct_dtype dtype;
        if (n->op == TCT_IR_GET) // follows the carried values
            tct_ir_bundle_result(g, tct_node_of(g, n->in[0]), (uint32_t)n->attr.i, &dtype, n->axes,
                                 &n->n_axes);
        if (n->op == TCT_IR_INPUT || n->op == TCT_IR_GET || n->bundle || n->n_axes < 2) continue;
        tct_axis first = n->axes[0];
        memmove(n->axes, n->axes + 1, (n->n_axes - 1u) * sizeof first);
        n->axes[n->n_axes - 1] = first;
    }
}

static void compare(const tct_graph *a, bool a64, const tct_graph *b, bool b64, uint64_t seed,
                    double relative, double absolute) {
    tct_diag d = {0};
    tct_arena arena = {0};
    const tct_graph *graphs[2] = {a, b};
    bool f64[2] = {a64, b64};
    tct_ir_tensor *outs[2];
    for (int k = 0; k < 2; k++) {
        tct_ir_tensor *in = TCT_NEW_ARRAY(&arena, tct_ir_tensor, a->inputs.len);
        outs[k] = TCT_NEW_ARRAY(&arena, tct_ir_tensor, a->outputs.len);
        tct_random_inputs(graphs[k], &arena, seed, f64[k], in);
        if (!tct_ir_interp(&d, &arena, graphs[k], in, outs[k], &(tct_ir_interp_options){.f64 = f64[k]}))
            fail_with(&d, "random graph");
    }
    for (size_t k = 0; k < a->outputs.len; k++) {
        char why[200];
        if (a64 != b64 && tct_dtype_is_float(outs[0][k].dtype) && outs[0][k].dtype != TCT_F64) {
            tct_ir_tensor wide = outs[0][k]; // the same numbers as f64
            size_t n = count_of(a->module, &wide);
            double *data = TCT_NEW_ARRAY(&arena, double, n);
            for (size_t i = 0; i < n; i++) data[i] = number(&wide, i);
            wide.dtype = TCT_F64;
            wide.data = data;
            outs[0][k] = wide;
        }
        if (!tct_tensors_close(a->module, &outs[0][k], &outs[1][k], relative, absolute, why)) {
            tct_buf text = {0};
            tct_ir_print(a, &text, NULL);
            print_error("%s\nseed %llu, output %zu: %s\n", text.data, (unsigned long long)seed, k, why);
            tct_buf_free(&text);
            fail();
        }
    }
    tct_arena_free(&arena);
    tct_diag_free(&d);
}

// Layout is no part of the meaning (but for the order in which repeated indices are stored).
static void test_layouts_do_not_matter(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        unsigned classes = ~(1u << TCT_CLASS_OPAQUE); // a fused group fixes the layout of its operands
        tct_graph *g = tct_random_graph(m, &(tct_random_graph_options){.seed = seed, .classes = classes});
        if (!has_op(g, TCT_IR_PUT) && !has_op(g, TCT_IR_SCATTER_ADD)) {
            tct_graph *rotated = tct_graph_copy(g, "rotated");
            rotate_layouts(rotated);
            tct_diag d = {0};
            assert_true(tct_ir_verify(&d, rotated, "rotate"));
            compare(g, false, rotated, false, seed, 0, 0);
        }
        tct_ir_module_free(m);
    }
}

static void test_f32_is_close_to_f64(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        unsigned dtypes = 1u << TCT_F32 | 1u << TCT_F64 | 1u << TCT_I32 | 1u << TCT_BOOL;
        tct_graph *g = tct_random_graph(
            m, &(tct_random_graph_options){.seed = seed, .dtypes = dtypes, .tame = true, .continuous = true});
        compare(g, false, g, true, seed, 1e-3, 1e-3);
        tct_ir_module_free(m);
    }
}

static bool twice(void *ctx, tct_diag *d, const tct_node *n, const tct_graph *g, const tct_ir_tensor *in,
                  tct_ir_tensor *out) {
    (void)d;
    assert_string_equal(n->attr.name, "lib:twice");
    ++*(int *)ctx;
    for (size_t i = 0; i < count_of(g->module, in); i++)
        ((float *)out->data)[i] = 2 * ((const float *)in->data)[i];
    return true;
}

static void test_foreign_functions_are_called_back(void **state) {
    (void)state;
    const char *text = "axis A = 2\naxis B = 2\ngraph g { %0: f32[A, B] = input #0 \"x\"\n"
                       "%1: (f32[B, A]) = foreign %0 #0 \"lib:twice\" body { %0: f32[B, A] = input #0 \"x\"\n"
                       "return y = %0 } %2: f32[B, A] = get %1 #0 return out = %2 }";
    tct_ir_module *m = tct_ir_module_new();
    tct_diag d = {0};
    tct_arena arena = {0};
    tct_graph *g = tct_ir_parse(&d, m, "foreign", text, strlen(text));
    float x[] = {1, 2, 3, 4};
    tct_ir_tensor in = {.dtype = TCT_F32, .n_axes = 2, .data = x}, out;
    in.axes[0] = tct_axis_get(m, "A", 2);
    in.axes[1] = tct_axis_get(m, "B", 2);
    int calls = 0;
    assert_true(tct_ir_interp(&d, &arena, g, &in, &out,
                              &(tct_ir_interp_options){.foreign = twice, .foreign_ctx = &calls}));
    assert_int_equal(calls, 1);
    const double want[] = {2, 6, 4, 8}; // the function sees the layout that its body declares
    for (size_t i = 0; i < 4; i++) assert_true(number(&out, i) == want[i]);
    assert_false(tct_ir_interp(&d, &arena, g, &in, &out, NULL));
    assert_string_equal(d.messages.data[0].text, "the foreign function lib:twice can't be called here");
    in.dtype = TCT_F64;
    assert_false(tct_ir_interp(&d, &arena, g, &in, &out, NULL));
    assert_string_equal(d.messages.data[1].text, "input x is given another type");
    tct_arena_free(&arena);
    tct_diag_free(&d);
    tct_ir_module_free(m);
}

static void test_what_cannot_be_run_is_reported(void **state) {
    (void)state;
    const char *texts[] = {"axis T = ?\ngraph g { %0: f32[T] = iota return out = %0 }",
                           "axis T = 100000000000000\ngraph g { %0: f64[T] = iota return out = %0 }"};
    const char *messages[] = {"the size of axis T isn't known",
                              "not enough memory to interpret this operation"};
    const char *codes[] = {"E0810", "E0801"};
    for (int k = 0; k < 2; k++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        tct_arena arena = {0};
        tct_graph *g = tct_ir_parse(&d, m, "text", texts[k], strlen(texts[k]));
        tct_ir_tensor out;
        assert_non_null(g);
        assert_false(tct_ir_interp(&d, &arena, g, NULL, &out, NULL));
        assert_string_equal(d.messages.data[0].text, messages[k]);
        assert_string_equal(d.messages.data[0].code, codes[k]);
        tct_arena_free(&arena);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_sums_of_f32_are_rounded_once),
        cmocka_unit_test(test_f64_mode_computes_in_double),
        cmocka_unit_test(test_random_is_philox),
        cmocka_unit_test(test_layouts_do_not_matter),
        cmocka_unit_test(test_f32_is_close_to_f64),
        cmocka_unit_test(test_foreign_functions_are_called_back),
        cmocka_unit_test(test_what_cannot_be_run_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
