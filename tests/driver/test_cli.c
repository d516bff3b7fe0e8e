// The command line: exit statuses, help, and the commands that need no model. Runs the `tercet` beside this
// test.
#include "base/file.h"
#include "driver/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct tct_outcome {
    int status;
    tct_buf out; // stdout and stderr
} tct_outcome;

static tct_outcome run(const char *arguments) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    tct_arena a = {0};
    tct_buf command = {0};
    tct_buf_printf(&command, "{ TERCET_STD=std %s/tercet %s\n} 2>&1", tct_path_dir(&a, self), arguments);
    FILE *pipe = popen(command.data, "r");
    assert_non_null(pipe);
    tct_outcome o = {0};
    tct_buf_puts(&o.out, "");
    char chunk[4096];
    for (size_t k; (k = fread(chunk, 1, sizeof chunk, pipe)) > 0;) tct_buf_add(&o.out, chunk, k);
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    o.status = WEXITSTATUS(status);
    tct_buf_free(&command);
    tct_arena_free(&a);
    return o;
}

// Status, and a text that the output holds.
static void gives(const char *arguments, int status, const char *text) {
    tct_outcome o = run(arguments);
    if (o.status != status || !strstr(o.out.data, text))
        fprintf(stderr, "tercet %s: status %d\n%s\nexpected %d and \"%s\"\n", arguments, o.status, o.out.data,
                status, text);
    assert_int_equal(o.status, status);
    assert_non_null(strstr(o.out.data, text));
    tct_buf_free(&o.out);
}

static void test_usage(void **state) {
    (void)state;
    gives("", TCT_EXIT_USAGE, "Usage: tercet");
    gives("--help", TCT_EXIT_OK, "Exit status");
    gives("--version", TCT_EXIT_OK, "tercet ");
    gives("chekc x.tct", TCT_EXIT_USAGE, "did you mean `tercet check`?");
}

static void test_every_command_has_help(void **state) {
    (void)state;
    static const char *const names[] = {
#define COMMAND(name, args, doc) #name,
#include "driver/commands.def"
#undef COMMAND
    };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        char arguments[64], usage[64];
        snprintf(arguments, sizeof arguments, "%s --help", names[k]);
        snprintf(usage, sizeof usage, "Usage: tercet %s", names[k]);
        gives(arguments, TCT_EXIT_OK, usage);
        gives("--help", TCT_EXIT_OK, usage + strlen("Usage: "));
        snprintf(arguments, sizeof arguments, "%s --no-such-option", names[k]);
        gives(arguments, TCT_EXIT_USAGE, "no-such-option");
    }
}

// What needs no compiler starts without one: loading LLVM takes longer than checking a program.
static void test_compiler_is_apart(void **state) {
    (void)state;
    tct_outcome o = run("--version; ldd " TERCET_PROGRAM);
    assert_null(strstr(o.out.data, "LLVM"));
    assert_non_null(strstr(o.out.data, "libc.so"));
    tct_buf_free(&o.out);
    char folder[] = "/tmp/tercet-alone-XXXXXX", command[512];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "cp " TERCET_PROGRAM " %s", folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "--version; %s/tercet run x.tct; echo status $?; rm -r %s", folder,
             folder);
    o = run(command);
    assert_non_null(strstr(o.out.data, "tercet-compiler: No such file"));
    assert_non_null(strstr(o.out.data, "status 1"));
    tct_buf_free(&o.out);
}

static void test_check(void **state) {
    (void)state;
    gives("check", TCT_EXIT_USAGE, "Usage");
    gives("check std/core.tct", TCT_EXIT_OK, "std/core.tct: ok");
    gives("check tests/errors/chain.tct", TCT_EXIT_ERROR, "error[E0105]");
    gives("check no/such.tct std/core.tct", TCT_EXIT_ERROR, "std/core.tct: ok");
    gives("check --set lr std/core.tct", TCT_EXIT_USAGE, "KEY=VALUE");
    gives("check tests", TCT_EXIT_ERROR, "E0701");
    gives("check /dev/null", TCT_EXIT_OK, "ok");
    gives("check /dev/zero", TCT_EXIT_ERROR, "doesn't end");
}

static void test_fmt(void **state) {
    (void)state;
    char path[] = "/tmp/tercet-fmt-XXXXXX", arguments[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "use   std.core\n", 15), 15);
    close(fd);
    snprintf(arguments, sizeof arguments, "fmt %s", path);
    gives(arguments, TCT_EXIT_OK, "use std.core\n");
    snprintf(arguments, sizeof arguments, "fmt --check %s", path);
    gives(arguments, TCT_EXIT_ERROR, path);
    snprintf(arguments, sizeof arguments, "fmt --in-place %s", path);
    gives(arguments, TCT_EXIT_OK, "");
    snprintf(arguments, sizeof arguments, "fmt --check %s", path);
    gives(arguments, TCT_EXIT_OK, "");
    snprintf(arguments, sizeof arguments, "fmt - <%s", path);
    gives(arguments, TCT_EXIT_OK, "use std.core\n");
    snprintf(arguments, sizeof arguments, "fmt <%s", path);
    gives(arguments, TCT_EXIT_OK, "use std.core\n");
    unlink(path);
    gives("fmt tests/errors/items.tct", TCT_EXIT_ERROR, "E0104");
    gives("fmt --check --in-place x.tct", TCT_EXIT_USAGE, "exclude each other");
    gives("fmt --in-place </dev/null", TCT_EXIT_USAGE, "needs a FILE");
}

static void test_std_and_ops(void **state) {
    (void)state;
    gives("std", TCT_EXIT_OK, "std.loss.rm ");
    gives("std loss.rm", TCT_EXIT_OK, "graph rm_loss(");
    gives("std std.loss.rn", TCT_EXIT_ERROR, "did you mean `std.loss.rm`?");
    gives("std --builtins", TCT_EXIT_OK, "tokenizer(path: path)");
    gives("ops", TCT_EXIT_OK, "### dot");
    gives("ops softplus", TCT_EXIT_OK, "log(1 + exp(x))");
    gives("ops dott", TCT_EXIT_ERROR, "did you mean `dot`?");
    gives("ops >/dev/full", TCT_EXIT_ERROR, "cannot write the output");
}

// What `tercet run` says before anything is compiled.
static void test_run_options(void **state) {
    (void)state;
    static const char program[] = "run examples/instructgpt/instructgpt.tct ";
    static const struct {
        const char *options;
        int status;
        const char *text;
    } cases[] = {
        {"--list-stages", TCT_EXIT_OK, "\nppo\n    PPO against the reward model.\n"},
        {"--list-stages --json", TCT_EXIT_OK,
         "\"name\": \"ppo\",\n    \"doc\": \"PPO against the reward model.\""},
        {"--json", TCT_EXIT_USAGE, "--json belongs to --list-stages"},
        {"--from-stage ppoo", TCT_EXIT_ERROR, "did you mean `ppo`?"},
        {"--to-stage training", TCT_EXIT_ERROR, "there are pretrain, sft,"},
        {"--from-stage ppo --to-stage sft", TCT_EXIT_ERROR, "stage `ppo` is after `sft`"},
        {"--set lr", TCT_EXIT_USAGE, "KEY=VALUE"},
        {"--threads 0", TCT_EXIT_USAGE, "from 1 to 1024"},
        {"--checkpoint-every -1", TCT_EXIT_USAGE, "takes seconds"},
        {"x.tct", TCT_EXIT_USAGE, "is a second"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments, "%s%s", program, cases[i].options);
        gives(arguments, cases[i].status, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_every_command_has_help),
        cmocka_unit_test(test_compiler_is_apart),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_fmt),
        cmocka_unit_test(test_std_and_ops),
        cmocka_unit_test(test_run_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
