// tercet reduce as a process: planted failures, exits of all kinds, what it leaves behind.
#include "base/file.h"
#include "tests/support/machine.h"
#include "tests/support/place.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define gives(p, arguments, status, wanted) place_gives(p, TERCET_PROGRAM, arguments, status, wanted)

static void write_graph(place *p, const char *stage) {
    gives(p,
          tct_arena_printf(&p->d.arena,
                           "dump '" TERCET_SOURCE_DIR
                           "/examples/loss/margin.tct' --graph margin_loss --axis P=64 --axis K=9 --stage %s",
                           stage),
          0, "graph margin_loss");
    assert_int_equal(
        rename(tct_path_join(&p->d.arena, p->folder, "log"), tct_path_join(&p->d.arena, p->folder, "g.tir")),
        0);
}

static int leftovers(void) {
    DIR *tmp = opendir("/tmp");
    int n = 0;
    for (const struct dirent *e; (e = readdir(tmp));) n += strncmp(e->d_name, "tercet-reduce-", 14) == 0;
    closedir(tmp);
    return n;
}

static void test_planted_failures(void **state) {
    place *p = *state;
    write_graph(p, "grad");
    // "Fails" for every graph with a maximum that comes from line 7.
    static const char command[] = "reduce g.tir --command '! grep -q \" = max .*margin.tct:7\" {}'";
    const char *log = gives(p, command, 0, "return");
    assert_non_null(strstr(log, "source margin.tct = "));
    assert_string_equal(strstr(log, "axis "),
                        "axis P = 1\naxis K = 1\naxis J = 1\ngraph margin_loss {\n"
                        "  %0: f32[P, K, J] = input #0 \"r5\" @ margin.tct:7:28 by reduce\n"
                        "  %1: f32 = const 0 @ margin.tct:7:48\n"
                        "  %2: f32[P, K, J] = max %0, %1 @ margin.tct:7:17\n"
                        "  return out = %2\n}\n");
    assert_string_equal(gives(p, command, 0, ""), log); // the same again
    // A pass that makes something of a graph: tercet itself is the command.
    const char *fused = tct_arena_printf(
        &p->d.arena,
        "reduce g.tir -o small.tir --command '%s opt {} --passes default,fuse' --match nothing.like.it",
        TERCET_PROGRAM);
    gives(p, fused, 1, "E0605");
    write_graph(p, "ir");
    fused = tct_arena_printf(
        &p->d.arena,
        "reduce g.tir -o small.tir --command '%s opt {} --passes cse --stats && false' --match "
        "\"rename 1\"",
        TERCET_PROGRAM);
    gives(p, fused, 0, "");
    const char *small = machine_read(&p->d.arena, p->folder, "small.tir");
    const char *first = strstr(small, " = rename "), *second = first ? strstr(first + 1, " = rename ") : NULL;
    assert_non_null(second); // two equal ones are what it takes
    assert_null(strstr(second + 1, " = rename "));
}

static void test_exits(void **state) {
    place *p = *state;
    write_graph(p, "grad");
    gives(p, "reduce g.tir --command 'kill -SEGV $$ # {}'", 0, "graph margin_loss {\n  return\n}\n");
    gives(p, "reduce g.tir --command 'true {}'", 1,
          "error[E0605]: the command does not fail for g.tir: its exit status is 0");
    gives(p, "reduce g.tir --command 'echo no; false {}' --match yes", 1, "its output has no 'yes'");
    time_t start = time(NULL);
    gives(p, "reduce g.tir --timeout 0.2 --command 'sleep 100; false {}'", 1,
          "takes longer than 0.2 seconds");
    assert_true(time(NULL) - start < 20);
    gives(p, "reduce g.tir --command 'false'", 2, "has no {}");
    gives(p, "reduce g.tir", 2, "--command COMMAND is missing");
    gives(p, "reduce --command 'false {}'", 2, "FILE is missing");
    gives(p, "reduce none.tir --command 'false {}'", 1, "E0701");
    gives(p, "reduce g.tir --command 'false {}' --timeout soon", 2, "--timeout is a number");
    assert_true(tct_file_write(&p->d, tct_path_join(&p->d.arena, p->folder, "bad.tir"), "graph g {", 9));
    gives(p, "reduce bad.tir --command 'false {}'", 1, "E0604");
    gives(p, "reduce g.tir --command 'false {}' -o nowhere/x.tir", 1, "E0702");
}

static void test_nothing_is_left_behind(void **state) {
    place *p = *state;
    write_graph(p, "grad");
    int before = leftovers();
    gives(p, "reduce g.tir --command '! grep -q tanh {}'", 1, "E0605");
    gives(p, "reduce g.tir --command '! grep -q max {}'", 0, "");
    assert_true(leftovers() <= before);
}

int main(void) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 0);
#define TEST(function) cmocka_unit_test_setup_teardown(function, place_open, place_close)
    const struct CMUnitTest tests[] = {TEST(test_planted_failures), TEST(test_exits),
                                       TEST(test_nothing_is_left_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
