// Streamed graphs: the same numbers as the graph that they were made of, interpreted and compiled.
#include "passes/passes.h"
#include "passes/stream.h"
#include "tests/codegen/compare.h"

static const tct_node *find(const tct_graph *g, tct_ir_op op) {
    for (size_t v = 0; v < g->nodes.len; v++)
        if (g->nodes.data[v].op == op) return &g->nodes.data[v];
    return NULL;
}

// The negative log-likelihood of targets, in which logits are needed by a maximum, a sum and a gather.
#define LOSS(B, T) SIZED(B, T, 33, 5)
#define SIZED(B, T, V, C)                                                                                    \
    "axis B = " #B " axis T = " #T " axis V = " #V " axis C = " #C " graph loss {\n"                         \
    "%x: f32[B, T, C] = input #0 \"x\"\n%w: f32[V, C] = input #1 \"w\"\n"                                    \
    "%y: i32[B, T] = input #2 \"y\"\n%l: f32[B, T, V] = dot %x, %w {C}\n"                                    \
    "%m: f32[B, T] = reduce_max %l {V}\n%s: f32[B, T, V] = sub %l, %m\n%e: f32[B, T, V] = exp %s\n"          \
    "%z: f32[B, T] = sum %e {V}\n%g: f32[B, T] = log %z\n%t: f32[B, T] = gather %s, %y {V}\n"                \
    "%p: f32[B, T] = sub %g, %t\n%n: f32 = sum %p {B, T}\n"

// `parts` parts are expected, of at least `rows` rows each; 0: the graph stays.
static void check_loss(tct_compiler *c, const char *text, double rows, int64_t parts) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = compare_gradient(&d, m, text, 0, 2, "default");
    tct_graph *streamed = tct_stream(g, &(tct_stream_limits){.bytes = 4 * 33, .rows = rows});
    const tct_node *scan = find(streamed, TCT_IR_SCAN);
    if (!parts) {
        assert_ptr_equal(streamed, g);
        assert_null(scan);
    } else {
        assert_non_null(scan);
        assert_int_equal(tct_axis_of(m, scan->attr.axes[0])->size, parts);
        assert_int_equal(scan->attr.i, 1); // the gradient of w is carried
        assert_null(find(streamed, TCT_IR_DOT));
        for (size_t v = 0; v < streamed->nodes.len; v++) // no logits
            assert_true(tct_node_elements(m->graphs.data[0], &streamed->nodes.data[v]) <
                        tct_node_elements(g, find(g, TCT_IR_EXP)));
        compare_interpreted(g, streamed, "stream", 1, 1e-5);
        compare_graph(c, streamed, 1, &(compare_options){.relative = 1e-5, .absolute = 1e-5});
    }
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

static void losses(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    assert_non_null(c);
#define END "return loss = %n\n}"
    check_loss(c, LOSS(6, 4) END, 1, 6);
    check_loss(c, LOSS(6, 4) END, 8, 3); // two of six make eight rows
    check_loss(c, LOSS(7, 4) END, 8, 0); // seven can't be halved
    check_loss(c, LOSS(7, 4) END, 4, 7);
    check_loss(c, LOSS(1, 6) END, 1, 6); // the outermost axis has nothing to cut
    // Logits that somebody wants, or that have something to do with each other, stay whole.
    check_loss(c, LOSS(6, 4) "return loss = %n, logits = %l\n}", 1, 0);
    check_loss(c, LOSS(6, 4) "%a: f32[T, V] = reduce_max %l {B}\nreturn loss = %n, most = %a\n}", 1, 0);
#undef END
    tct_compiler_free(c);
    tct_diag_free(&d);
}

// What a product adds to lies where its result lies: no copy of a large sum in every part.
static void adds_in_place(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    tct_graph *g = compare_gradient(&d, m, SIZED(4, 40, 300, 64) "return loss = %n\n}", 0, 2, "default");
    g = tct_stream(g, &(tct_stream_limits){.bytes = 4 * 300 * 64, .rows = 1});
    const tct_plan *plan = tct_compile_graph(&d, c, g, NULL);
    assert_int_equal(plan->n_scans, 1);
    const tct_plan *body = plan->scans[0].body;
    bool adds = false;
    for (uint32_t k = 0; k < body->n_steps; k++) {
        const tct_step *s = &body->steps[k];
        assert_string_not_equal(s->label, "copy");
        if (strcmp(s->label, "dot+=") != 0) continue;
        const tct_plan_buffer *out = &body->buffers[body->operands[s->operand]];
        assert_int_equal(out->place, TCT_PLACE_INPUT); // which the result takes over
        assert_int_equal(out->index, 0);
        adds = true;
    }
    assert_true(adds);
    tct_compiler_free(c);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// Attention, behind and before something that mixes heads, with its gradient.
#define ATTENTION                                                                                            \
    "axis B = 2 axis T = 12 axis S = 12 axis H = 4 axis D = 3 axis E = 20 graph attention {\n"               \
    "%q: f32[B, T, H, D] = input #0 \"q\"\n%k: f32[B, S, H, D] = input #1 \"k\"\n"                           \
    "%v: f32[B, S, H, D] = input #2 \"v\"\n%w: f32[H, D, E] = input #3 \"w\"\n%h: f32[H, T, S] = input #4 "  \
    "\"h\"\n"                                                                                                \
    "%i: i32[T] = iota\n%j: i32[S] = iota\n%m: bool[T, S] = le %j, %i\n%n: f32 = const -1e+30\n"             \
    "%a: f32[B, H, T, S] = dot %q, %k {D}\n%r: f32[B, H, T, S] = add %a, %h\n"                               \
    "%b: f32[B, H, T, S] = where %m, %r, %n\n%x: f32[B, H, T] = reduce_max %b {S}\n"                         \
    "%c: f32[B, H, T, S] = sub %b, %x\n%e: f32[B, H, T, S] = exp %c\n%z: f32[B, H, T] = sum %e {S}\n"        \
    "%p: f32[B, H, T, S] = div %e, %z\n%y: f32[B, H, T, D] = dot %p, %v {S}\n"                               \
    "%o: f32[B, T, E] = dot %y, %w {H, D}\n%s: f32[B, T, E] = mul %o, %o\n%l: f32 = sum %s {B, T, E}\n"      \
    "return loss = %l\n}"

// Whether a value of the graph itself, outside of scans, has both axes.
static bool has_both(const tct_graph *g, const char *a, const char *b) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        bool has[2] = {false};
        for (int k = 0; k < n->n_axes; k++) {
            has[0] |= strcmp(tct_axis_of(g->module, n->axes[k])->name, a) == 0;
            has[1] |= strcmp(tct_axis_of(g->module, n->axes[k])->name, b) == 0;
        }
        if (has[0] && has[1] && n->n_axes > 3) return true;
    }
    return false;
}

// One row and head at a time, the scores computed again for the backward pass; `within`: and some rows of
// these.
static void check_attention(tct_compiler *c, const tct_stream_limits *within, double again, int scans) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    tct_graph *g = compare_gradient(&d, m, ATTENTION, 0, 2, "default");
    const tct_stream_limits limits = {
        .bytes = 1e9, .rows = 1, .batch = 1000, .again = again, .within = within};
    tct_graph *streamed = tct_stream(g, &limits);
    assert_int_equal(compare_count(streamed, TCT_IR_SCAN), scans);
    if (scans) {
        assert_false(has_both(streamed, "T", "S"));
        const tct_graph *body = find(streamed, TCT_IR_SCAN)->attr.body;
        assert_int_equal(compare_count(body, TCT_IR_SCAN), within != NULL);
        compare_interpreted(g, streamed, "stream", 1, 1e-5);
        compare_graph(c, streamed, 1,
                      &(compare_options){.relative = 1e-3, .absolute = 1e-3}); // differences of large ones
        const tct_plan *plan = tct_compile_graph(&d, c, streamed, NULL);
        assert_int_equal(plan->n_scans, scans);
        for (int k = 0; k < scans; k++) {
            assert_true(plan->scans[k].apart);
            assert_int_equal(plan->scans[k].trips, 8);
        }
    } else {
        assert_ptr_equal(streamed, g);
    }
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

static void attention(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    check_attention(c, NULL, 3, 2);
    check_attention(c, &(tct_stream_limits){.bytes = 200, .rows = 4}, 3, 2);
    check_attention(c, NULL, 2, 0); // three multiply-adds are too many to do them twice
    tct_compiler_free(c);
    tct_diag_free(&d);
}

static void random_graphs(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_compiler *c = tct_compiler_new(&d, NULL, 1);
    int streamed = 0;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_random_graph_options o = {.seed = seed,
                                      .n_nodes = 25,
                                      .classes = 1u << TCT_CLASS_ELEMENTWISE | 1u << TCT_CLASS_REDUCTION |
                                                 1u << TCT_CLASS_CONTRACTION | 1u << TCT_CLASS_MOVEMENT,
                                      .dtypes = 1u << TCT_F32 | 1u << TCT_I32 | 1u << TCT_BOOL,
                                      .permute = seed % 2,
                                      .tame = true,
                                      .continuous = true};
        tct_stream_limits limits = {.rows = 1, .batch = seed % 3 == 0, .again = 1e9};
        tct_graph *g = tct_random_graph(m, &o), *after = tct_stream(g, &limits);
        if (after != g) {
            streamed++;
            compare_interpreted(g, after, "stream", seed, 1e-4);
            compare_graph(c, after, seed, &(compare_options){.relative = 1e-3, .absolute = 1e-3});
        }
        tct_ir_module_free(m);
    }
    assert_true(streamed >= 20);
    tct_compiler_free(c);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses),
        cmocka_unit_test(adds_in_place),
        cmocka_unit_test(attention),
        cmocka_unit_test(random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
