// bench/compare as a process: it lists its groups, measures Tercet by itself, says which peers aren't here,
// and what the peers' programs speak. No figure decides.
#include "base/file.h"
#include "tests/support/machine.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct place {
    tct_arena arena;
    const char *folder;
} place;

static int setup(void **state) {
    place *p = tct_alloc(sizeof *p);
    p->folder = machine_folder(&p->arena);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    place *p = *state;
    machine_remove_folder(p->folder);
    tct_arena_free(&p->arena);
    tct_heap_free(p);
    return 0;
}

// The standard output of a command, which ends with `status`.
static char *output_of(place *p, const char *command, int status) {
    const char *line = tct_arena_printf(&p->arena, "%s >'%s/out' 2>'%s/err'", command, p->folder, p->folder);
    int is = system(line);
    if (is != status << 8)
        fail_msg("%s: status %d\n%s", command, is, machine_read(&p->arena, p->folder, "err"));
    return machine_read(&p->arena, p->folder, "out");
}

static char *compare(place *p, const char *options, int status) {
    return output_of(p,
                     tct_arena_printf(&p->arena,
                                      "bench/compare --program " TERCET_PROGRAM
                                      " --python $(which python3) --llmc . --scratch '%s' %s",
                                      p->folder, options),
                     status);
}

// The next line of `*text` as JSON, NULL at its end.
static json_t *next_line(char **text) {
    if (!**text) return NULL;
    char *line = *text, *end = strchr(line, '\n');
    assert_non_null(end);
    *end = 0;
    *text = end + 1;
    json_t *j = json_loads(line, 0, NULL);
    if (!j) fail_msg("`%s` is no JSON", line);
    return j;
}

static double number(const json_t *row, const char *key) {
    const json_t *x = json_object_get(row, key);
    assert_true(json_is_number(x));
    double value = json_number_value(x);
    assert_true(value > 0);
    return value;
}

static void test_groups(void **state) {
    place *p = *state;
    char *text = compare(p, "--list", 0);
    static const char *const groups[] = {"gemm",    "attention", "loops",      "step", "bf16",     "small",
                                         "scaling", "memory",    "generation", "ppo",  "compiling"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        assert_non_null(strstr(text, tct_arena_printf(&p->arena, "%s ", groups[i])));
    compare(p, "--only step,nothing", 2);
    assert_non_null(strstr(machine_read(&p->arena, p->folder, "err"), "there is no group nothing"));
}

static void test_alone(void **state) {
    place *p = *state;
    char *text = compare(p, "--only attention --quick --no-peers --rounds 1 --json", 0);
    int rows = 0;
    for (json_t *row; (row = next_line(&text)); rows++) {
        assert_int_equal(json_object_size(json_object_get(row, "peers")), 0);
        assert_true(number(row, "limit") > 0 && number(row, "ours") > 0);
        json_decref(row);
    }
    assert_int_equal(rows, 2); // forward, forward and backward
}

// A Python without PyTorch and JAX, in every peer's place; and llm.c's folder holds none.
static void test_absent(void **state) {
    place *p = *state;
    static const char *const stub = "import sys\nsys.meta_path.insert(0, type('No', (), {'find_spec': "
                                    "staticmethod(lambda name, path, target=None: (_ for _ in ()).throw("
                                    "ImportError(name)) if name in ('torch', 'jax') else None)}))\n";
    tct_diag d = {0};
    assert_true(
        tct_file_write(&d, tct_path_join(&p->arena, p->folder, "sitecustomize.py"), stub, strlen(stub)));
    setenv("PYTHONPATH", p->folder, 1);
    char *text = compare(p, "--only small --quick --rounds 1 --json", 0);
    unsetenv("PYTHONPATH");
    json_t *row = next_line(&text);
    const json_t *peers = json_object_get(row, "peers"), *bars = json_object_get(row, "bars");
    assert_string_equal(json_string_value(json_object_get(peers, "PyTorch")), "PyTorch isn't installed");
    assert_string_equal(json_string_value(json_object_get(peers, "JAX")), "JAX isn't installed");
    int unknown = 0;
    for (size_t i = 0; i < json_array_size(bars); i++)
        unknown += json_is_null(json_object_get(json_array_get(bars, i), "met"));
    assert_int_equal(unknown, 2); // beside PyTorch, beside the faster peer
    json_decref(row);
    tct_diag_free(&d);
}

// A peer's facts, then a line for each line that it is given.
static void test_turns(void **state) {
    place *p = *state;
    char *text = output_of(p,
                           "printf '0\\n0.05\\n' | PYTHONPATH=bench/peers python3 -c 'import turns, time; "
                           "turns.serve(lambda: time.sleep(0.01), first_s=1.5)'",
                           0);
    json_t *facts = next_line(&text), *once = next_line(&text), *often = next_line(&text);
    assert_true(number(facts, "first_s") == 1.5);
    assert_int_equal(number(once, "runs"), 1);
    assert_true(number(once, "ms") >= 10 && number(often, "ms") >= 10);
    assert_true(number(often, "runs") >= 1 && number(often, "median_ms") >= number(often, "ms"));
    assert_null(next_line(&text));
    json_decref(facts), json_decref(once), json_decref(often);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
