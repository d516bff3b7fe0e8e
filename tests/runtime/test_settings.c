// Config values given when a program starts: types, ranges, what follows from others, what is fixed.
#include "runtime/settings.h"
#include "tests/support/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// a: int = 2; b: int = 3 * a in 1 .. 10 * a; c: float = if b < 10 { 0.5 } else { 1.5 }; d: bool; e: path; f:
// fixed; g: float = log(h) - 1; h: float = 1.
enum { A, B, C, D, E, F, G, H, N };

static uint32_t begin(machine *m) { return (uint32_t)m->instrs.len; }

static tct_config_code code(machine *m, uint32_t from, uint32_t reg) {
    return (tct_config_code){from, (uint32_t)m->instrs.len, reg};
}

static void build(machine *m) {
    static const char *const names[] = {"a", "b", "c", "deep.d", "e", "f", "g", "h"};
    static const char *const types[] = {"int", "int", "float", "bool", "path", "int", "float", "float"};
    static const char *const values[] = {"2", "6", "0.5", "true", "data", "7", "-1", "1"};
    for (int i = 0; i < N; i++)
        TCT_PUSH(&m->config, (tct_config_value){
                                 .name = names[i], .type = types[i], .value = values[i], .is_default = true});
    machine_emit(m, TCT_I_END, 0, 0, 0, 0);
    uint32_t x = machine_reg(m, TCT_KIND_INT, NULL), k = machine_reg(m, TCT_KIND_INT, NULL),
             f = machine_reg(m, TCT_KIND_FLOAT, NULL), one = machine_reg(m, TCT_KIND_FLOAT, NULL),
             less = machine_reg(m, TCT_KIND_BOOL, NULL), at;
    tct_config_value *v = m->config.data;
    v[A].is_ranged = v[B].is_ranged = true;
    v[A].low = -100, v[A].high = 100;
    v[B].low = 1;

    at = begin(m);
    machine_emit(m, TCT_I_CONFIG, x, A, 0, 0);
    machine_int(m, k, 3);
    machine_emit(m, TCT_I_IMUL, x, k, x, 0);
    v[B].derived = code(m, at, x);
    at = begin(m);
    machine_emit(m, TCT_I_CONFIG, x, A, 0, 0);
    machine_int(m, k, 10);
    machine_emit(m, TCT_I_IMUL, x, k, x, 0);
    v[B].high_code = code(m, at, x);

    at = begin(m);
    machine_emit(m, TCT_I_CONFIG, x, B, 0, 0);
    machine_int(m, k, 10);
    machine_emit(m, TCT_I_ILT, less, x, k, 0);
    uint32_t otherwise = machine_emit(m, TCT_I_JUMP_IFNOT, 0, less, 0, 0);
    machine_float(m, f, 0.5);
    uint32_t end = machine_emit(m, TCT_I_JUMP, 0, 0, 0, 0);
    machine_patch(m, otherwise);
    machine_float(m, f, 1.5);
    machine_patch(m, end);
    v[C].derived = code(m, at, f);

    at = begin(m);
    machine_emit(m, TCT_I_CONFIG, f, H, 0, 0);
    machine_emit(m, TCT_I_MATH, f, f, TCT_MATH_LOG, 0);
    machine_float(m, one, 1);
    machine_emit(m, TCT_I_FSUB, f, f, one, 0);
    v[G].derived = code(m, at, f);
    v[F].fixed = "decides the size of axis T";
}

typedef struct fixture {
    machine m;
    tct_diag d;
    tct_program *p;
} fixture;

static int setup(void **state) {
    fixture *f = tct_alloc(sizeof *f);
    build(&f->m);
    f->p = machine_done(&f->m);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    tct_diag_free(&f->d);
    machine_free(&f->m);
    free(f);
    return 0;
}

// "a=3 b=4" as settings.
static size_t settings(tct_diag *d, const char *text, tct_setting out[8]) {
    size_t n = 0;
    char *words = tct_arena_strdup(&d->arena, text);
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " ")) {
        char *equals = strchr(w, '=');
        *equals = 0;
        out[n++] = (tct_setting){w, equals + 1};
    }
    return n;
}

static void gives(fixture *f, const char *sets, const char *b, const char *c, const char *g) {
    tct_setting list[8];
    size_t n = settings(&f->d, sets, list);
    f->p->config = f->m.config.data;
    if (!tct_settings_apply(&f->d, f->p, list, n)) fail_msg("%s: %s", sets, f->d.messages.data[0].text);
    const tct_config_value *v = f->p->config;
    if (strcmp(v[B].value, b) || strcmp(v[C].value, c) || strcmp(v[G].value, g))
        fail_msg("%s gives b = %s, c = %s, g = %s", sets, v[B].value, v[C].value, v[G].value);
}

static void what_follows_is_computed(void **state) {
    fixture *f = *state;
    gives(f, "", "6", "0.5", "-1");
    gives(f, "a=5", "15", "1.5", "-1");
    gives(f, "a=5 b=4", "4", "0.5", "-1");
    gives(f, "c=0.123456789012345", "6", "0.123456789012345", "-1");
    gives(f, "h=2.718281828459045", "6", "0.5", "0");
    gives(f, "a=3 a=4 f=7", "12", "1.5", "-1");
    gives(f, "deep.d=0 e=/x", "6", "0.5", "-1");
    assert_string_equal(f->p->config[D].value, "false");
    assert_string_equal(f->p->config[E].value, "/x");
    assert_false(f->p->config[E].is_default);
    assert_true(f->p->config[A].is_default);
    assert_true(f->p->config != f->m.config.data && f->p->config[B].high == 20);
}

static void wrong_values_are_told(void **state) {
    fixture *f = *state;
    static const struct {
        const char *set, *code, *words, *help;
    } cases[] = {
        {"aa=1", "E0405", "unknown config value `aa`", "did you mean `a`?"},
        {"d=true", "E0405", "`d`", "`deep.d`"},
        {"nothing=1", "E0405", "`nothing`", "there are a, b, c, deep.d, e"},
        {"a=1.5", "E0402", "config.a is declared int, found \"1.5\"", NULL},
        {"c=nan", "E0402", "declared float", NULL},
        {"deep.d=maybe", "E0402", "declared bool", NULL},
        {"a=101", "E0403", "config.a is from -100 to 100, found 101", NULL},
        {"b=30", "E0403", "config.b is from 1 to 20, found 30", NULL},
        {"a=-4", "E0403", "config.b is from 1 to -40, found -12", NULL},
        {"f=8", "E0406", "it decides the size of axis T", "tercet build test.tct --set f=8 -o"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tct_setting list[8];
        tct_diag d = {0};
        size_t n = settings(&d, cases[i].set, list);
        assert_false(tct_settings_apply(&d, f->p, list, n));
        const tct_message *m = &d.messages.data[0];
        if (d.n_errors != 1 || strcmp(m->code, cases[i].code) || !strstr(m->text, cases[i].words))
            fail_msg("%s: %s %s", cases[i].set, m->code, m->text);
        if (cases[i].help && (!m->help || !strstr(m->help, cases[i].help)))
            fail_msg("%s: %s", cases[i].set, m->help ? m->help : "no help");
        assert_ptr_equal(f->p->config, f->m.config.data);
        tct_diag_free(&d);
    }
}

// Such programs no front end makes.
static void circles_end(void **state) {
    fixture *f = *state;
    f->m.config.data[A].derived = f->m.config.data[C].derived;
    f->m.config.data[A].type = "float";
    assert_false(tct_settings_apply(&f->d, f->p, NULL, 0));
    assert_string_equal(f->d.messages.data[0].code, "E0404");
}

static void a_run_reads_them(void **state) {
    (void)state;
    machine m = {0};
    tct_diag d = {0};
    tct_arena a = {0};
    TCT_PUSH(&m.config, (tct_config_value){.name = "x", .type = "float", .value = "0.1", .is_default = true});
    TCT_PUSH(&m.config, (tct_config_value){.name = "s", .type = "string", .value = "", .is_default = true});
    uint32_t x = machine_reg(&m, TCT_KIND_FLOAT, NULL), s = machine_reg(&m, TCT_KIND_STRING, NULL);
    machine_emit(&m, TCT_I_CONFIG, x, 0, 0, 0);
    machine_emit(&m, TCT_I_CONFIG, s, 1, 0, 0);
    machine_log(&m, NULL, "x s", (uint32_t[]){x, s});
    tct_program *p = machine_done(&m);
    tct_run_options o = {.out = machine_folder(&a), .threads = 1};
    tct_setting sets[] = {{"x", "0.30000000000000004"}, {"s", "a=b"}};
    assert_true(tct_settings_apply(&d, p, sets, 2) && tct_program_run(&d, p, &o));
    const char *metrics = machine_read(&a, o.out, "metrics.jsonl");
    assert_non_null(strstr(metrics, "\"x\":0.30000000000000004,\"s\":\"a=b\""));
    machine_remove_folder(o.out);
    tct_arena_free(&a);
    tct_diag_free(&d);
    machine_free(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_follows_is_computed, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_values_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(circles_end, setup, teardown),
        cmocka_unit_test(a_run_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
