// `perf annotate` shows kernels by lines of the source: a run under perf, where it is here and may record.
#include "base/file.h"
#include "tests/support/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char program[] = "graph f(n: int, x: f32[A]) -> f32 {\n"
                              "    var y = x\n"
                              "    for i in range(n) {\n"
                              "        y = tanh(y) + exp(y)\n"
                              "    }\n"
                              "    return sum(y, A)\n"
                              "}\n";

// Six sines of sixteen million numbers take long enough for a few samples.
static const char run[] = "cd '%s' && export JITDUMPDIR=. && perf record -q -k mono -F 999 -o p.data sh -c "
                          "'echo $$ >pid && exec \"$0\" "
                          "eval p.tct --graph f --set n=6 --axis A=16777216 --in in.safetensors --out out "
                          "--perf --debug' '%s' >log 2>&1 "
                          "&& perf inject --jit -i p.data -o lines.data >>log 2>&1; done=$?; rm -f "
                          "/tmp/perf-$(cat pid).map; exit $done";

static bool has_perf(const char *folder) {
    char command[500];
    snprintf(command, sizeof command, "cd '%s' && perf record -q -k mono -o try.data true >/dev/null 2>&1",
             folder);
    if (system(command) == 0) return true;
    print_message("SKIPPED: perf is not here, or may not record\n");
    return false;
}

// {"x":{"dtype":"F32","shape":[16777216],"data_offsets":[0,67108864]}} and as many bytes of 0.
static void write_input(tct_diag *d, const char *folder) {
    static const char head[] =
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[16777216],\"data_offsets\":[0,67108864]}}    ";
    size_t n = sizeof head - 1, all = 8 + n + 67108864;
    unsigned char *bytes = tct_alloc(all);
    for (int k = 0; k < 8; k++) bytes[k] = (unsigned char)(n >> 8 * k);
    memcpy(bytes + 8, head, n);
    assert_true(tct_file_write(d, tct_path_join(&d->arena, folder, "in.safetensors"), bytes, all));
    tct_heap_free(bytes);
}

static void test_lines(void **state) {
    (void)state;
    tct_diag d = {0};
    const char *folder = machine_folder(&d.arena);
    if (has_perf(folder)) {
        assert_true(tct_file_write(&d, tct_path_join(&d.arena, folder, "p.tct"), program, strlen(program)));
        write_input(&d, folder);
        if (system(tct_arena_printf(&d.arena, run, folder, TERCET_PROGRAM)) != 0)
            fail_msg("%s", machine_read(&d.arena, folder, "log"));
        const char *command = tct_arena_printf(
            &d.arena,
            "cd '%s' && k=$(perf report -i lines.data --stdio 2>/dev/null | grep -o 'loop_[0-9a-z_]*' | head "
            "-1) && "
            "echo kernel $k >shown && perf annotate -i lines.data --stdio -s $k >>shown 2>/dev/null",
            folder);
        assert_int_equal(system(command), 0);
        const char *shown = machine_read(&d.arena, folder, "shown");
        if (!strstr(shown, "kernel loop_") || !strstr(shown, "y = tanh(y) + exp(y)"))
            fail_msg("no lines of the program in\n%s\n%s", machine_read(&d.arena, folder, "log"), shown);
    }
    machine_remove_folder(folder);
    tct_diag_free(&d);
}

int main(void) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
