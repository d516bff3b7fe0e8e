// Starting again: what a second start compiles, that results are the same bits with the cache, without it and
// with a damaged one, and what debuggers and profilers see.
#include "base/file.h"
#include "codegen/compile.h"
#include "tests/support/machine.h"
#include "tests/support/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct place {
    tct_arena arena;
    const char *folder;
} place;

static int set_up(void **state) {
    place *p = tct_alloc(sizeof *p);
    p->folder = machine_folder(&p->arena);
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    place *p = *state;
    machine_remove_folder(p->folder);
    tct_arena_free(&p->arena);
    free(p);
    return 0;
}

static void write_text(place *p, const char *name, const char *text) {
    tct_diag d = {0};
    assert_true(tct_file_write(&d, tct_path_join(&p->arena, p->folder, name), text, strlen(text)));
}

// What a shell prints in the folder, errors included; $tercet is the program. Fails unless it ends with
// `status`.
static const char *shell(place *p, int status, const char *script) {
    const char *command = tct_arena_printf(&p->arena, "cd '%s' && tercet='%s' && { %s\n} >log 2>&1",
                                           p->folder, TERCET_PROGRAM, script);
    int ended = system(command);
    const char *log = machine_read(&p->arena, p->folder, "log");
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != status) fail_msg("%s\n%s", script, log);
    return log;
}

static void says(const char *log, const char *text) {
    if (!strstr(log, text)) fail_msg("expected \"%s\" in\n%s", text, log);
}

// A program of a product and a loss after it.
static void write_program(place *p, const char *loss) {
    write_text(p, "f.tct",
               tct_arena_printf(&p->arena,
                                "graph f(B: axis, C: axis, D: axis, key: i64 = 7) -> f32 {\n"
                                "    let x = random(key, [B, C]) - 0.5\n"
                                "    let w = random(key + 1, [C, D]) - 0.5\n"
                                "    let y = dot(x, w, C)\n"
                                "    return mean(%s, [B, D])\n"
                                "}\n",
                                loss));
}

#define EVAL "$tercet eval f.tct --graph f --axis B=40 --axis C=50 --axis D=60 --out y --verbose "

typedef struct kernels {
    unsigned compiled, cached;
} kernels;

static kernels kernels_of(const char *log) {
    kernels k;
    const char *at = strstr(log, " kernels compiled");
    if (!at) fail_msg("no count of kernels in\n%s", log);
    while (at > log && at[-1] >= '0' && at[-1] <= '9') at--;
    assert_int_equal(sscanf(at, "%u kernels compiled, %u taken from the cache", &k.compiled, &k.cached), 2);
    return k;
}

static void same_results(place *p) { shell(p, 0, "cmp y expected"); }

static void test_second_start(void **state) {
    place *p = *state;
    write_program(p, "y * y");
    kernels k = kernels_of(shell(p, 0, EVAL "--cache off --threads 1 && cp y expected"));
    const unsigned all = k.compiled;
    assert_true(all >= 2);
    assert_int_equal(k.cached, 0);

    k = kernels_of(shell(p, 0, EVAL "--cache kept"));
    assert_int_equal(k.compiled, all);
    same_results(p);
    k = kernels_of(shell(p, 0, EVAL "--cache kept"));
    assert_int_equal(k.compiled, 0);
    assert_int_equal(k.cached, all);
    same_results(p);

    write_program(p, "exp(y) * 0.25"); // the product is the same
    k = kernels_of(shell(p, 0, EVAL "--cache kept"));
    assert_in_range(k.compiled, 1, all - 1);
    assert_true(k.cached >= 1);
    write_program(p, "y * y");
    k = kernels_of(shell(p, 0, EVAL "--cache kept"));
    assert_int_equal(k.compiled, 0);
    same_results(p);

    if (tct_isa_host() == TCT_ISA_BASE) return;
    k = kernels_of(shell(p, 0, EVAL "--cache kept --isa base")); // code of another set
    assert_true(k.compiled >= 2);
    assert_int_equal(kernels_of(shell(p, 0, EVAL "--cache kept --isa base")).compiled, 0);
}

static void test_damaged(void **state) {
    place *p = *state;
    write_program(p, "y * y");
    shell(p, 0, EVAL "--cache kept && cp y expected");
    const char *log =
        shell(p, 0,
              "for f in kept/????????????????????????????????; do printf x | dd of=$f bs=1 seek=100 "
              "conv=notrunc 2>/dev/null; done\n" EVAL "--cache kept");
    kernels k = kernels_of(log);
    assert_int_equal(k.cached, 0);
    says(log, "entries could not be used");
    says(log, "it is damaged or cut off");
    same_results(p);
    assert_int_equal(kernels_of(shell(p, 0, EVAL "--cache kept")).compiled, 0);
    log =
        shell(p, 0,
              "for f in kept/????????????????????????????????; do : >$f; done; $tercet eval f.tct --graph f "
              "--axis B=40 --axis C=50 --axis D=60 --out y --cache kept");
    assert_string_equal(log, ""); // nobody who didn't ask is bothered
    same_results(p);
}

static void test_useless_folder(void **state) {
    place *p = *state;
    write_program(p, "y * y");
    shell(p, 0, EVAL "--cache off && cp y expected");
    const char *log = shell(p, 0, ": >file; " EVAL "--cache file/kept");
    says(log, "warning[E0844]");
    says(log, "TERCET_CACHE=off");
    same_results(p);
    log = shell(p, 0, "mkdir open; chmod 777 open; " EVAL "--cache open");
    says(log, "everybody");
    same_results(p);
    shell(p, 0, "test -z \"$(ls -A open)\"");
}

static void test_place(void **state) {
    place *p = *state;
    shell(p, 0,
          "test \"$(TERCET_CACHE=$PWD/a $tercet cache | head -1)\" = \"path     $PWD/a (not there yet)\"");
    shell(
        p, 0,
        "test \"$(TERCET_CACHE=$PWD/a $tercet cache --cache b --json | cut -c -13)\" = '{\"path\": \"b\",'");
    shell(p, 0,
          "unset TERCET_CACHE; XDG_CACHE_HOME=$PWD/x $tercet cache | grep \"^path     $PWD/x/tercet \"");
    shell(p, 0,
          "unset TERCET_CACHE; XDG_CACHE_HOME=x HOME=$PWD/h $tercet cache | grep \"^path     "
          "$PWD/h/.cache/tercet \"");
    says(shell(p, 0, "env -u TERCET_CACHE -u HOME -u XDG_CACHE_HOME $tercet cache"), "HOME is not set");
    says(shell(p, 0, "TERCET_CACHE=off $tercet cache --json"), "\"path\": null");
    write_program(p, "y * y");
    says(shell(p, 0, "TERCET_CACHE=off " EVAL), "TERCET_CACHE switches it off");
    says(shell(p, 0, "TERCET_CACHE= " EVAL), "TERCET_CACHE switches it off");
    says(shell(p, 0, EVAL "--cache off"), "--cache switches it off");
    shell(p, 0, "TERCET_CACHE=$PWD/a " EVAL "&& test -d a");
}

static void test_command(void **state) {
    place *p = *state;
    write_program(p, "y * y");
    unsigned all = kernels_of(shell(p, 0, EVAL "--cache kept")).compiled;
    shell(p, 0, EVAL "--cache kept");
    const char *log = shell(p, 0, "$tercet cache --cache kept");
    says(log, tct_arena_printf(&p->arena, "entries  %u\n", all));
    says(log, tct_arena_printf(&p->arena, "hits     %u of %u look-ups\n", all, 2 * all));
    says(log, "of 1024 MB");
    log = shell(p, 0, "$tercet cache --cache kept --limit 1.5M --json");
    says(log, "\"limit\": 1572864");
    says(log, tct_arena_printf(&p->arena, "\"entries\": %u", all));
    log = shell(p, 0, "$tercet cache --cache kept --clear --json");
    says(log, "\"entries\": 0");
    says(log, "\"limit\": 1572864");
    says(log, "\"misses\": 0");
    assert_int_equal(kernels_of(shell(p, 0, EVAL "--cache kept")).compiled, all);
    static const char *const sizes[] = {"5", "x", "-1G", "1Q", "1GG", "nan", "1e300", ""};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        says(shell(p, 2, tct_arena_printf(&p->arena, "$tercet cache --cache kept --limit '%s'", sizes[k])),
             "--limit takes");
    says(shell(p, 1, ": >file; $tercet cache --cache file"), "E0844");
    says(shell(p, 1, "$tercet cache --cache file --clear"), "E0844");
    says(shell(p, 1, "$tercet cache --cache file/x --limit 2M"), "E0");
    shell(p, 0, "$tercet cache --cache none --clear && test ! -e none");
}

static void test_at_once(void **state) {
    place *p = *state;
    write_program(p, "y * y");
    shell(p, 0, EVAL "--cache off && cp y expected");
    for (int round = 0; round < 3; round++) {
        shell(p, 0,
              "rm -rf kept; for i in 1 2 3 4; do $tercet eval f.tct --graph f --axis B=40 --axis C=50 --axis "
              "D=60 "
              "--out y$i --cache kept & pids=\"$pids $!\"; done; for i in $pids; do wait $i || exit 1; done\n"
              "for i in 1 2 3 4; do cmp y$i expected || exit 1; done");
        assert_int_equal(kernels_of(shell(p, 0, EVAL "--cache kept")).compiled, 0);
    }
}

static void test_step(void **state) {
    place *p = *state;
    static const char command[] =
        "$tercet bench step --model gpt2-1m --batch 2 --seq 8 --runs 0 --json --cache kept";
    says(shell(p, 0, command), "\"cached\": 0}");
    const char *log = shell(p, 0, command);
    says(log, "\"compiled\": 0,");
    says(log, "\"ready_ms\": ");
}

// A trainer is the same file whether its kernels were compiled or were there.
static void test_trainer(void **state) {
    place *p = *state;
    write_text(p, "t.tct",
               "use std.optim.adamw\n"
               "model Line(d: int = 8) {\n"
               "    axis D = d\n"
               "    param w: f32[D] = normal(0.0, 1.0)\n"
               "}\n"
               "graph distance(m: Line, key: i64) -> f32 {\n"
               "    let x = m.w * random(key, [D])\n"
               "    return sum(x * x, D)\n"
               "}\n"
               "pipeline fit {\n"
               "    let m = Line()\n"
               "    let opt = adamw(m)\n"
               "    let out = minimize distance(m, key()) with opt(lr = 0.1)\n"
               "}\n");
    static const char build[] = "$tercet build t.tct --verbose -o ";
    kernels k = kernels_of(shell(p, 0, tct_arena_printf(&p->arena, "%s a --cache off", build)));
    assert_true(k.compiled > 0);
    k = kernels_of(shell(p, 0, tct_arena_printf(&p->arena, "%s b --cache kept", build)));
    assert_int_equal(k.cached, 0);
    k = kernels_of(shell(p, 0, tct_arena_printf(&p->arena, "%s c --cache kept", build)));
    assert_int_equal(k.compiled, 0);
    shell(p, 0, "cmp a b && cmp b c");
}

// Objects from the cache are those that would be compiled, for all sets.
static void test_objects(void **state) {
    place *p = *state;
    static const tct_isa sets[] = {TCT_ISA_AVX2, TCT_ISA_AVX512, TCT_ISA_AVX512BF16};
    tct_objects objects[3];
    for (int k = 0; k < 3; k++) { // without, first, from the cache
        tct_diag d = {0};
        tct_ir_module *m = tct_ir_module_new();
        tct_graph *g =
            tct_random_graph(m, &(tct_random_graph_options){.seed = 5, .tame = true, .n_nodes = 40});
        tct_compiler *c = tct_compiler_new_ahead(sets, 3, 2);
        tct_plan *plans[3];
        if (k) tct_compiler_use_cache(c, tct_cache_open(p->folder, "test"));
        assert_true(tct_compile_graph_ahead(&d, c, g, NULL, plans));
        assert_true(tct_compiler_objects(&d, c, &objects[k]));
        assert_true(objects[k].n > 3);
        assert_int_equal(objects[k].n_cached, k == 2 ? objects[k].n : 0);
        assert_int_equal(tct_compiler_stats(c).compiled, objects[k].n - objects[k].n_cached);
        tct_compiler_free(c);
        tct_ir_module_free(m);
        tct_diag_free(&d);
        assert_int_equal(objects[k].n, objects[0].n);
        for (size_t i = 0; i < objects[k].n; i++) {
            size_t n = LLVMGetBufferSize(objects[0].data[i]);
            assert_int_equal(LLVMGetBufferSize(objects[k].data[i]), n);
            assert_memory_equal(LLVMGetBufferStart(objects[k].data[i]),
                                LLVMGetBufferStart(objects[0].data[i]), n);
        }
    }
    for (int k = 0; k < 3; k++) tct_objects_free(&objects[k]);
}

// --- Names of kernels ---

static void test_perf(void **state) {
    place *p = *state;
    write_program(p, "y * y");
    for (int k = 0; k < 2; k++) { // compiled, and from the cache
        const char *log =
            shell(p, 0, EVAL "--cache kept --perf & wait $!; cat /tmp/perf-$!.map && rm /tmp/perf-$!.map");
        kernels n = kernels_of(log);
        unsigned found = 0;
        for (const char *line = log; line; line = strchr(line, '\n')) {
            if (*line == '\n') line++;
            unsigned long address, size;
            char name[200];
            if (sscanf(line, "%lx %lx %199s", &address, &size, name) != 3 || size == 0 || size > 100000)
                continue;
            found += strncmp(name, "loop_", 5) == 0 || strncmp(name, "tile_", 5) == 0 ||
                     strncmp(name, "tct_gemm_", 9) == 0;
        }
        assert_int_equal(found, n.compiled + n.cached);
    }
}

static bool gdb_works(void) {
    if (system("command -v gdb >/dev/null && gdb -batch -ex run --args true >/dev/null 2>&1") == 0)
        return true;
    print_message("SKIPPED: gdb is not here, or may not trace\n");
    return false;
}

#define GDB                                                                                                  \
    "gdb -batch -iex 'set debuginfod enabled off' -ex 'set breakpoint pending on' -ex 'set confirm off' "
#define ARGS                                                                                                 \
    "--args $tercet eval f.tct --graph f --axis B=40 --axis C=50 --axis D=60 --out y --threads 1 "           \
    "</dev/null "

static void test_gdb(void **state) {
    place *p = *state;
    if (!gdb_works()) return;
    write_program(p, "y * y");
    shell(p, 0, EVAL "--cache kept"); // a kernel from the cache is no worse
    const char *log =
        shell(p, 0,
              "k=$($tercet dump f.tct --graph f --axis B=40 --axis C=50 --axis D=60 --stage asm | sed -n "
              "'s/\\t.globl\\t\\(loop_.*\\)/\\1/p' | head -1); echo kernel $k; " GDB
              "-ex \"break $k\" -ex run -ex 'stepi 25' -ex bt -ex kill " ARGS "--cache kept");
    char symbol[200], frame[300];
    const char *at = strstr(log, "kernel ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "kernel %199s", symbol), 1);
    snprintf(frame, sizeof frame, "in %s ()", symbol);
    const char *top = strstr(log, "#0 "), *next = top ? strstr(top, "#1 ") : NULL;
    if (!next) fail_msg("no backtrace in\n%s", log);
    says(top, frame);
    assert_true(strstr(top, frame) < next);
    if (strstr(top, "??")) fail_msg("the callers of the kernel are not seen:\n%s", log);
    says(next, "main (");
}

static void test_gdb_lines(void **state) {
    place *p = *state;
    if (!gdb_works()) return;
    write_program(p, "y * y");
    shell(p, 0, EVAL "--cache off && cp y expected");
    const char *log = shell(p, 0,
                            GDB "-ex 'break f.tct:2' -ex run -ex bt -ex 'delete' -ex continue " ARGS
                                "--debug --cache kept");
    says(log, "at f.tct:2");
    says(log, "let x = random(key, [B, C]) - 0.5");
    same_results(p);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_second_start), TEST(test_damaged), TEST(test_useless_folder),
                                       TEST(test_place),        TEST(test_command), TEST(test_at_once),
                                       TEST(test_step),         TEST(test_trainer), TEST(test_objects),
                                       TEST(test_perf),         TEST(test_gdb),     TEST(test_gdb_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
