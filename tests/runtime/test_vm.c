// The stage machine: instructions, plans on registers, errors with places.
#include "tests/support/machine.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// Runs in a fresh folder and gives summary.json; the machine is freed. NULL: it failed, *error is its code.
static json_t *run_with(machine *m, int threads, const char **error, tct_arena *keep) {
    tct_diag d = {0};
    const char *out = machine_folder(&m->arena);
    assert_non_null(out);
    tct_run_options o = {.out = out, .threads = threads};
    bool ok = tct_program_run(&d, machine_done(m), &o);
    json_t *summary = NULL;
    if (ok) summary = json_loads(machine_read(&m->arena, out, "summary.json"), 0, NULL);
    if (error) *error = d.n_errors ? tct_arena_strdup(keep, d.messages.data[0].code) : NULL;
    if (!ok && !error) {
        tct_buf text = {0};
        tct_diag_render(&d, &text, false);
        print_error("%s\n", text.data);
        tct_buf_free(&text);
    }
    machine_remove_folder(out);
    tct_diag_free(&d);
    machine_free(m);
    return summary;
}

static json_t *run(machine *m) {
    json_t *summary = run_with(m, 1, NULL, NULL);
    assert_non_null(summary);
    return summary;
}

static double number(json_t *summary, const char *group, const char *name) {
    json_t *v = json_object_get(json_object_get(summary, group), name);
    assert_true(json_is_number(v) || json_is_boolean(v));
    return json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
}

static void counts_in_a_loop(void **state) {
    (void)state;
    machine m = {0};
    uint32_t i = machine_reg(&m, TCT_KIND_INT, "i"), n = machine_reg(&m, TCT_KIND_INT, "n"),
             sum = machine_reg(&m, TCT_KIND_INT, "sum"), one = machine_reg(&m, TCT_KIND_INT, "one"),
             more = machine_reg(&m, TCT_KIND_BOOL, "more");
    machine_int(&m, i, 0);
    machine_int(&m, n, 10);
    machine_int(&m, sum, 0);
    machine_int(&m, one, 1);
    uint32_t head = machine_emit(&m, TCT_I_ILT, more, i, n, 0);
    uint32_t leave = machine_emit(&m, TCT_I_JUMP_IFNOT, 0, more, 0, 0);
    machine_emit(&m, TCT_I_IADD, sum, sum, i, 0);
    machine_emit(&m, TCT_I_IADD, i, i, one, 0);
    machine_emit(&m, TCT_I_JUMP, 0, head, 0, 0);
    machine_patch(&m, leave);
    machine_log(&m, "loop", "sum i", (uint32_t[]){sum, i});
    json_t *s = run(&m);
    assert_int_equal(number(s, "loop", "sum"), 45);
    assert_int_equal(number(s, "loop", "i"), 10);
    json_decref(s);
}

static void divides_downwards(void **state) {
    (void)state;
    static const int64_t cases[][4] = {{7, 2, 3, 1},
                                       {-7, 2, -4, 1},
                                       {7, -2, -4, -1},
                                       {-7, -2, 3, -1},
                                       {6, 3, 2, 0},
                                       {-6, 3, -2, 0},
                                       {INT64_MIN, 1, INT64_MIN, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        machine m = {0};
        uint32_t r[4];
        for (int i = 0; i < 4; i++) r[i] = machine_reg(&m, TCT_KIND_INT, NULL);
        machine_int(&m, r[0], cases[k][0]);
        machine_int(&m, r[1], cases[k][1]);
        machine_emit(&m, TCT_I_IDIV, r[2], r[0], r[1], 0);
        machine_emit(&m, TCT_I_IMOD, r[3], r[0], r[1], 0);
        machine_log(&m, "x", "div mod", r + 2);
        json_t *s = run(&m);
        assert_true(json_integer_value(json_object_get(json_object_get(s, "x"), "div")) == cases[k][2]);
        assert_true(json_integer_value(json_object_get(json_object_get(s, "x"), "mod")) == cases[k][3]);
        json_decref(s);
    }
}

static void reports_numbers_that_do_not_fit(void **state) {
    (void)state;
    struct {
        tct_opcode op;
        int64_t a, b;
        const char *code;
    } cases[] = {{TCT_I_IDIV, 1, 0, "E0809"},         {TCT_I_IMOD, 1, 0, "E0809"},
                 {TCT_I_IADD, INT64_MAX, 1, "E0811"}, {TCT_I_ISUB, INT64_MIN, 1, "E0811"},
                 {TCT_I_IMUL, INT64_MAX, 2, "E0811"}, {TCT_I_IDIV, INT64_MIN, -1, "E0811"}};
    tct_arena keep = {0};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        machine m = {0};
        uint32_t a = machine_reg(&m, TCT_KIND_INT, "a"), b = machine_reg(&m, TCT_KIND_INT, "b");
        machine_int(&m, a, cases[k].a);
        machine_int(&m, b, cases[k].b);
        machine_emit(&m, cases[k].op, a, a, b, 0);
        const char *error;
        assert_null(run_with(&m, 1, &error, &keep));
        assert_string_equal(error, cases[k].code);
    }
    machine m = {0};
    uint32_t f = machine_reg(&m, TCT_KIND_FLOAT, "f"), i = machine_reg(&m, TCT_KIND_INT, "i");
    machine_float(&m, f, NAN);
    machine_emit(&m, TCT_I_INT, i, f, 0, 0);
    const char *error;
    assert_null(run_with(&m, 1, &error, &keep));
    assert_string_equal(error, "E0811");
    tct_arena_free(&keep);
}

static void an_error_has_its_place(void **state) {
    (void)state;
    machine m = {0};
    tct_diag d = {0};
    uint32_t file = tct_diag_add_source(&d, "a.tct", "let x = l[3]\n", 13);
    uint32_t l = machine_list(&m, TCT_KIND_INT, "l"), i = machine_reg(&m, TCT_KIND_INT, "i");
    machine_emit(&m, TCT_I_LIST, l, 0, 0, 0);
    machine_int(&m, i, 3);
    uint32_t at = machine_emit(&m, TCT_I_GET, i, l, i, 0);
    m.instrs.data[at].span = (tct_span){file, 8, 12};
    const char *out = machine_folder(&m.arena);
    tct_run_options o = {.out = out, .threads = 1};
    assert_false(tct_program_run(&d, machine_done(&m), &o));
    assert_int_equal(d.n_errors, 1);
    assert_string_equal(d.messages.data[0].code, "E0812");
    assert_int_equal(d.messages.data[0].span.begin, 8);
    machine_remove_folder(out);
    tct_diag_free(&d);
    machine_free(&m);
}

static void lists_are_values(void **state) {
    (void)state;
    machine m = {0};
    uint32_t a = machine_list(&m, TCT_KIND_FLOAT, "a"), b = machine_list(&m, TCT_KIND_FLOAT, "b"),
             x = machine_reg(&m, TCT_KIND_FLOAT, "x"), na = machine_reg(&m, TCT_KIND_INT, "na"),
             nb = machine_reg(&m, TCT_KIND_INT, "nb"), mean = machine_reg(&m, TCT_KIND_FLOAT, "mean"),
             sd = machine_reg(&m, TCT_KIND_FLOAT, "sd");
    machine_emit(&m, TCT_I_LIST, a, 0, 0, 0);
    machine_float(&m, x, 1.0);
    MACHINE_CALL(&m, TCT_BUILTIN_APPEND, NO_REG, a, x);
    machine_emit(&m, TCT_I_MOVE, b, a, 0, 0);
    machine_float(&m, x, 4.0);
    MACHINE_CALL(&m, TCT_BUILTIN_APPEND, NO_REG, b, x);
    MACHINE_CALL(&m, TCT_BUILTIN_LEN, na, a);
    MACHINE_CALL(&m, TCT_BUILTIN_LEN, nb, b);
    MACHINE_CALL(&m, TCT_BUILTIN_MEAN, mean, b);
    MACHINE_CALL(&m, TCT_BUILTIN_STDDEV, sd, b);
    machine_log(&m, "l", "a b mean sd", (uint32_t[]){na, nb, mean, sd});
    json_t *s = run(&m);
    assert_int_equal(number(s, "l", "a"), 1);
    assert_int_equal(number(s, "l", "b"), 2);
    assert_true(number(s, "l", "mean") == 2.5);
    assert_true(number(s, "l", "sd") == 1.5);
    json_decref(s);
}

// y = x + 1, n = 3; operands: x, y
static void add_one(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {
    (void)args, (void)begin, (void)end, (void)scratch;
    const float *x = bufs[0];
    float *y = bufs[1];
    // Backwards and forwards: a result that overwrote its input would show.
    for (int i = 0; i < 3; i++) y[2 - i] = x[i] + 1;
    for (int i = 0; i < 3; i++) y[i] = x[i] + 1;
}

// z += x, in place of z; operands: z, x, z
static void accumulate(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {
    (void)args, (void)begin, (void)end, (void)scratch;
    const float *x = bufs[1];
    float *z = bufs[2];
    for (int i = 0; i < 3; i++) z[i] += 2 * x[i];
}

static uint32_t tensor_123(machine *m, const char *name) {
    uint32_t t = machine_tensor(m, TCT_F32, "N=3", name), l = machine_list(m, TCT_KIND_FLOAT, NULL),
             x = machine_reg(m, TCT_KIND_FLOAT, NULL);
    machine_emit(m, TCT_I_LIST, l, 0, 0, 0);
    for (int i = 1; i <= 3; i++) {
        machine_float(m, x, i);
        MACHINE_CALL(m, TCT_BUILTIN_APPEND, NO_REG, l, x);
    }
    MACHINE_CALL(m, TCT_BUILTIN_TENSOR, t, l);
    return t;
}

// Puts element i of tensor t into a register.
static uint32_t element(machine *m, uint32_t t, int64_t i) {
    uint32_t l = machine_list(m, TCT_KIND_FLOAT, NULL), at = machine_reg(m, TCT_KIND_INT, NULL),
             x = machine_reg(m, TCT_KIND_FLOAT, NULL);
    MACHINE_CALL(m, TCT_BUILTIN_LIST, l, t);
    machine_int(m, at, i);
    machine_emit(m, TCT_I_GET, x, l, at, 0);
    return x;
}

static void tensors_are_values(void **state) {
    (void)state;
    machine m = {0};
    uint32_t plain = machine_add_plan(&m, machine_plan(&m, "add_one", "x f32 N=3", "y f32 N=3", add_one));
    uint32_t in_place = machine_add_plan(
        &m, machine_plan(&m, "accumulate", "z f32 N=3; x f32 N=3", "z f32 N=3 @0", accumulate));
    uint32_t a = tensor_123(&m, "a"), b = machine_tensor(&m, TCT_F32, "N=3", "b"),
             c = machine_tensor(&m, TCT_F32, "N=3", "c"), d = machine_tensor(&m, TCT_F32, "N=3", "d");
#define REG(r) (tct_bind){TCT_BIND_REG, (r), 0}
    machine_emit(&m, TCT_I_MOVE, b, a, 0, 0);
    // a = a + 1: the tensor is shared with b, and it is an input of the run.
    machine_run(&m, plain, &REG(a), &REG(a));
    // Again: now a's own, still an input.
    machine_run(&m, plain, &REG(a), &REG(a));
    // c = b with 2 a added: in place of a shared input.
    machine_run(&m, in_place, (tct_bind[]){REG(b), REG(a)}, &REG(c));
    // b += 2 b: an input in place that is also read elsewhere.
    machine_emit(&m, TCT_I_MOVE, d, b, 0, 0);
    machine_run(&m, in_place, (tct_bind[]){REG(b), REG(b)}, &REG(b));
    // The same with the result thrown away leaves its input as it was.
    machine_run(&m, in_place, (tct_bind[]){REG(d), REG(a)}, &(tct_bind){TCT_BIND_DROP, 0, 0});
    uint32_t out[] = {element(&m, a, 0), element(&m, b, 0), element(&m, c, 0), element(&m, d, 0),
                      element(&m, a, 2), element(&m, b, 2), element(&m, c, 2), element(&m, d, 2)};
    machine_log(&m, "t", "a0 b0 c0 d0 a2 b2 c2 d2", out);
    json_t *s = run(&m);
    static const struct {
        const char *name;
        double want;
    } want[] = {{"a0", 3}, {"b0", 3}, {"c0", 7}, {"d0", 1}, {"a2", 5}, {"b2", 9}, {"c2", 13}, {"d2", 3}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_true(number(s, "t", want[i].name) == want[i].want);
    json_decref(s);
}

// One step of momentum on w of 1000: v = 0.5 v + w, w -= lr v, loss = sum w² before.
// operands: w v lr | w v loss
enum { WIDE = 1000 };
static void momentum(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {
    (void)args, (void)begin, (void)end, (void)scratch;
    float *w = bufs[3], *v = bufs[4], lr = *(const float *)bufs[2], loss = 0;
    assert_ptr_equal(bufs[0], bufs[3]);
    assert_ptr_equal(bufs[1], bufs[4]);
    for (int i = 0; i < WIDE; i++) {
        loss += w[i] * w[i];
        v[i] = 0.5f * v[i] + w[i];
        w[i] -= lr * v[i];
    }
    *(float *)bufs[5] = loss;
}

static const char *const wide_axis[] = {"N"};
static const int64_t wide_size[] = {WIDE};
static const tct_model_param wide_params[] = {{.name = "part.0.w",
                                               .n_axes = 1,
                                               .axis = wide_axis,
                                               .size = wide_size,
                                               .init = TCT_INIT_NORMAL,
                                               .init_a = 0.5,
                                               .init_b = 2}};

static void add_wide_model(machine *m, uint32_t model, tct_optimizer_desc *opt) {
    TCT_PUSH(&m->models, (tct_model_desc){.type = "Wide", .n_params = 1, .params = wide_params});
    static const uint32_t zero[] = {0};
    static const char *const state_names[] = {"v"};
    static const double inits[] = {0.25};
    uint32_t *models = TCT_NEW_ARRAY(&m->arena, uint32_t, 1);
    models[0] = model;
    *opt = (tct_optimizer_desc){.type = "momentum",
                                .n_models = 1,
                                .n_params = 1,
                                .n_states = 1,
                                .models = models,
                                .param_model = zero,
                                .param_index = zero,
                                .state_name = state_names,
                                .state_init = inits};
    TCT_PUSH(&m->optimizers, *opt);
}

static json_t *train(int threads, uint32_t steps, int64_t seed) {
    machine m = {0};
    uint32_t model = machine_object(&m, TCT_KIND_MODEL, 0, "model"),
             seed_reg = machine_reg(&m, TCT_KIND_INT, "s"),
             opt = machine_object(&m, TCT_KIND_OPTIMIZER, 0, "opt"),
             lr = machine_reg(&m, TCT_KIND_FLOAT, "lr"), loss = machine_reg(&m, TCT_KIND_FLOAT, "loss");
    tct_optimizer_desc desc;
    add_wide_model(&m, model, &desc);
    uint32_t plan =
        machine_add_plan(&m, machine_plan(&m, "momentum", "w f32 N=1000; v f32 N=1000; lr f32",
                                          "w f32 N=1000 @0; v f32 N=1000 @1; loss f32", momentum));
    machine_int(&m, seed_reg, seed);
    machine_float(&m, lr, 0.1);
    machine_emit(&m, TCT_I_MODEL, model, 0, seed_reg, UINT32_MAX);
    machine_emit(&m, TCT_I_OPTIMIZER, opt, 0, 0, 0);
    for (uint32_t i = 0; i < steps; i++)
        machine_run(&m, plan, (tct_bind[]){{TCT_BIND_PARAM, model, 0}, {TCT_BIND_STATE, opt, 0}, REG(lr)},
                    (tct_bind[]){{TCT_BIND_PARAM, model, 0}, {TCT_BIND_STATE, opt, 0}, REG(loss)});
    machine_log(&m, "w", "loss", &loss);
    json_t *s = run_with(&m, threads, NULL, NULL);
    assert_non_null(s);
    return s;
}

static void parameters_are_updated_in_place(void **state) {
    (void)state;
    json_t *one = train(1, 1, 7), *again = train(2, 1, 7), *later = train(1, 2, 7), *other = train(1, 1, 8);
    double loss = number(one, "w", "loss");
    // Mean 0.5 and deviation 2: E w² = 4.25; the mean of 1000 has deviation below 0.2.
    assert_true(fabs(loss / WIDE - 4.25) < 0.8);
    assert_true(loss == number(again, "w", "loss"));
    assert_true(number(later, "w", "loss") < loss);
    assert_true(number(other, "w", "loss") != loss);
    json_decref(one);
    json_decref(again);
    json_decref(later);
    json_decref(other);
}

static void a_tensor_of_another_shape_is_an_error(void **state) {
    (void)state;
    machine m = {0};
    tct_arena keep = {0};
    uint32_t plan = machine_add_plan(&m, machine_plan(&m, "add_one", "x f32 N=4", "y f32 N=4", add_one));
    uint32_t a = tensor_123(&m, "a");
    machine_run(&m, plan, &REG(a), &REG(a));
    const char *error;
    assert_null(run_with(&m, 1, &error, &keep));
    assert_string_equal(error, "E0816");
    tct_arena_free(&keep);
}

static void keys_are_fresh_and_repeat(void **state) {
    (void)state;
    json_t *runs[2];
    for (int k = 0; k < 2; k++) {
        machine m = {0};
        uint32_t a = machine_reg(&m, TCT_KIND_INT, "a"), b = machine_reg(&m, TCT_KIND_INT, "b");
        machine_call(&m, TCT_BUILTIN_KEY, 0, &a, 1, &a);
        machine_call(&m, TCT_BUILTIN_KEY, 0, &a, 1, &b);
        machine_log(&m, "k", "a b", (uint32_t[]){a, b});
        runs[k] = run(&m);
    }
    assert_true(json_equal(runs[0], runs[1]));
    assert_false(number(runs[0], "k", "a") == number(runs[0], "k", "b"));
    json_decref(runs[0]);
    json_decref(runs[1]);
}

static void takes_rows_in_order(void **state) {
    (void)state;
    machine m = {0};
    uint32_t t = tensor_123(&m, "t"), n = machine_reg(&m, TCT_KIND_INT, "n"),
             order = machine_list(&m, TCT_KIND_INT, "o"), first = machine_reg(&m, TCT_KIND_INT, NULL),
             zero = machine_reg(&m, TCT_KIND_INT, NULL), part = machine_tensor(&m, TCT_F32, "M=2", "part"),
             rest = machine_tensor(&m, TCT_F32, "M=1", "rest"), two = machine_reg(&m, TCT_KIND_INT, NULL),
             one = machine_reg(&m, TCT_KIND_INT, NULL);
    machine_int(&m, n, 3);
    machine_int(&m, zero, 0);
    machine_int(&m, one, 1);
    machine_int(&m, two, 2);
    machine_int(&m, first, 5);
    MACHINE_CALL(&m, TCT_BUILTIN_ORDER, order, n, first);
    MACHINE_CALL(&m, TCT_BUILTIN_TAKE, part, t, order, zero, two);
    MACHINE_CALL(&m, TCT_BUILTIN_TAKE, rest, t, order, two, one);
    uint32_t x[] = {element(&m, part, 0), element(&m, part, 1), element(&m, rest, 0)};
    machine_log(&m, "o", "a b c", x);
    json_t *s = run(&m);
    double a = number(s, "o", "a"), b = number(s, "o", "b"), c = number(s, "o", "c");
    assert_true(a + b + c == 6 && a * b * c == 6);
    json_decref(s);
}

static void warns_of_figures_that_are_not_finite(void **state) {
    (void)state;
    machine m = {0};
    tct_diag d = {0};
    uint32_t x = machine_reg(&m, TCT_KIND_FLOAT, "x");
    machine_stage(&m, "only", true);
    machine_float(&m, x, INFINITY);
    machine_log(&m, NULL, "loss", &x);
    machine_log(&m, NULL, "loss", &x);
    machine_stage(&m, "only", false);
    const char *out = machine_folder(&m.arena);
    tct_run_options o = {.out = out, .threads = 1};
    assert_true(tct_program_run(&d, machine_done(&m), &o));
    assert_int_equal(d.messages.len, 1);
    assert_string_equal(d.messages.data[0].code, "E0821");
    assert_non_null(strstr(d.messages.data[0].text, "loss is inf in stage only"));
    const char *lines = machine_read(&m.arena, out, "metrics.jsonl");
    assert_non_null(strstr(lines, "\"loss\":null}\n"));
    machine_remove_folder(out);
    tct_diag_free(&d);
    machine_free(&m);
}

static void prints_the_program(void **state) {
    (void)state;
    machine m = {0};
    uint32_t plan = machine_add_plan(&m, machine_plan(&m, "add_one", "x f32 N=3", "y f32 N=3", add_one));
    uint32_t a = machine_tensor(&m, TCT_F32, "N=3", "a"), i = machine_reg(&m, TCT_KIND_INT, "i");
    machine_int(&m, i, 42);
    machine_run(&m, plan, &REG(a), &REG(a));
    tct_buf text = {0};
    tct_program_print(machine_done(&m), &text);
    assert_string_equal(text.data, "program test of test.tct, 0000000000001234\n"
                                   "r0: f32[N=3] a\n"
                                   "r1: int i\n"
                                   "    0  const r1, 42\n"
                                   "    1  run add_one(x = r0) -> (y = r0)\n"
                                   "    2  end\n");
    tct_buf_free(&text);
    machine_free(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_in_a_loop),
        cmocka_unit_test(divides_downwards),
        cmocka_unit_test(reports_numbers_that_do_not_fit),
        cmocka_unit_test(an_error_has_its_place),
        cmocka_unit_test(lists_are_values),
        cmocka_unit_test(tensors_are_values),
        cmocka_unit_test(parameters_are_updated_in_place),
        cmocka_unit_test(a_tensor_of_another_shape_is_an_error),
        cmocka_unit_test(keys_are_fresh_and_repeat),
        cmocka_unit_test(takes_rows_in_order),
        cmocka_unit_test(warns_of_figures_that_are_not_finite),
        cmocka_unit_test(prints_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
