// What a trainer is and says: what it needs, its instruction sets, its command line, damage.
#include "tests/build/building.h"

#define FOLDER TERCET_SOURCE_DIR "/tests/stage"
#define PROGRAM FOLDER "/runs.tct"
#define EXAMPLE TERCET_SOURCE_DIR "/examples/instructgpt"

static void says(const place *p, const char *words) {
    if (!strstr(p->said, words)) fail_msg("expected \"%s\" in:\n%s", words, p->said);
}

// The system's libc and libm, and nothing of ours: no file, no environment, no folder to be in.
static void needs_only_the_system(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " PROGRAM " -o $D/trainer");
    SUCCEEDS(p, "ldd $D/trainer | sed 's/ *(0x.*//; s/ =>.*//; s/^[ \\t]*//' | sort | tr '\\n' ' '");
    assert_string_equal(p->said, "/lib64/ld-linux-x86-64.so.2 libc.so.6 libm.so.6 linux-vdso.so.1 ");
    SUCCEEDS(p, "mkdir $D/empty && cd $D/empty && env -i $D/trainer --list-stages && test -z \"$(ls -A)\"");
    FAILS(p, 1, "", "nm $D/trainer | grep -c -i -e ffi_call -e llvm");
    SUCCEEDS(p, "nm $D/trainer | grep -c -e loop_[0-9a-f]*_avx512"); // perf and gdb see kernels
}

static void instruction_sets(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " PROGRAM " -o $D/trainer --isa avx512,avx2,avx2");
    FAILS(p, 1, "error[E0845]: this trainer was built for avx2, avx512, and it may use no more than base",
          "$D/trainer --out $D/out --isa base");
    says(p, "`tercet build --isa base` builds one that runs here");
    FAILS(p, 2, "no instruction set called `sse`", "$D/trainer --isa sse");
    SUCCEEDS(p, TERCET " build " PROGRAM " -o $D/old --isa base");
    SUCCEEDS(p, "$D/old --folder " FOLDER " --out $D/out");
    // One with the next better set gives that set's bits, which are not those of base.
    if (has_isa("avx2")) {
        SUCCEEDS(p, "$D/trainer --folder " FOLDER " --isa avx2 --out $D/a && " TERCET
                    " run --isa avx2 --out $D/b " PROGRAM);
        SUCCEEDS(p, "cmp $D/a/first/model.safetensors $D/b/first/model.safetensors");
    }
}

static void command_line(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " PROGRAM " -o $D/trainer --isa avx2");
    SUCCEEDS(p, "$D/trainer --help");
    static const char *const words[] = {"Usage: trainer",
                                        "pipeline runs of",
                                        "--resume",
                                        "--threads",
                                        "--checkpoint-every",
                                        "--trace",
                                        "ppo.lr: float = 0.02, from 0 to 1\n        Learning rate.",
                                        "ppo.note: string = \"as it was\"",
                                        "Stages:\n  first\n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) says(p, words[i]);
    SUCCEEDS(p, "$D/trainer --version");
    says(p, "built by tercet ");
    SUCCEEDS(p, "$D/trainer --list-stages --json > $D/a && " TERCET " run " PROGRAM
                " --list-stages --json > $D/b && cmp $D/a $D/b");
    FAILS(p, 2, "unrecognized option", "$D/trainer --wrong");
    FAILS(p, 1, "error[E0405]", "$D/trainer --set ppo.ls=1");
    says(p, "did you mean `ppo.lr`?");
    FAILS(p, 1, "error[E0402]", "$D/trainer --set ppo.lr=high");
    FAILS(p, 1, "error[E0403]", "$D/trainer --set ppo.lr=2");
    FAILS(p, 1, "error[E0902]", "$D/trainer --to-stage last");
    FAILS(p, 1, "error[E0830]", "$D/trainer --folder " FOLDER " --out $D/none --resume");
}

static void damage(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " PROGRAM " -o $D/trainer --isa avx2");
    // Cut off, anywhere behind the first pages.
    SUCCEEDS(p, "stat -c %%s $D/trainer");
    long long size = atoll(p->said), cuts[] = {60000, 100000, size / 4, size / 2, size * 9 / 10, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        SUCCEEDS(p, "head -c %lld $D/trainer > $D/cut && chmod +x $D/cut", cuts[i]);
        FAILS(p, 1, "error[E0715]: this trainer was cut off", "$D/cut --help");
        says(p, "copy it again, or build it again");
    }
    // A byte of the image is another.
    SUCCEEDS(p, "cp $D/trainer $D/bad && LC_ALL=C grep -a -b -o TCTIMG $D/bad | tail -1");
    long long at = atoll(p->said);
    SUCCEEDS(p,
             "b=$(od -An -tu1 -j %lld -N1 $D/bad) && printf \"\\\\$(printf %%o $((b ^ 1)))\" | "
             "dd of=$D/bad bs=1 seek=%lld conv=notrunc status=none",
             at + 2000, at + 2000);
    FAILS(p, 1, "error[E0715]: this trainer: the image is damaged", "$D/bad --out $D/out");
    FAILS(p, 1, "error[E0715]", "$D/bad --help");
    SUCCEEDS(p, "cp $D/trainer $D/bad && printf x | dd of=$D/bad bs=1 seek=%lld conv=notrunc status=none",
             at + 7);
    FAILS(p, 1, "error[E0716]: this trainer was made by", "$D/bad --out $D/out");
    FAILS(p, 1, "", "test -e $D/out");
}

// The limits that the InstructGPT example is held to: 6 MB, and a first step within 100 ms of the start.
// Processor time is what is measured: of everything up to the end of one step, saving its results included.
static void small_and_quick(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " EXAMPLE "/instructgpt.tct -o $D/trainer --set pretrain.steps=1");
    // Not the build's own, which sanitizers may be in.
    if (sh(p, "cc -shared -fPIC -o $D/liblabeler.so " EXAMPLE "/labeler.c -lm") != 0) {
        print_message("SKIPPED: no library of the example: %s\n", p->said);
        skip();
    }
    SUCCEEDS(p, "stat -c %%s $D/trainer");
    assert_in_range(atoll(p->said), 500000, 6000000);
    FAILS(p, 1, "error[E0406]: config.batch was fixed", "$D/trainer --set batch=5");
    says(p, "tercet build instructgpt.tct --set batch=5 -o");
    SUCCEEDS(p, "$D/trainer --help");
    says(p, "pretrain.lr: float = 0.004, from 0 to 1\n");
    says(p, "Fixed: it decides the size of axis B.\n");
    double least = 1e9;
    for (int i = 0; i < 5; i++) {
        SUCCEEDS(p, "cd " TERCET_SOURCE_DIR
                    " && bash -c 'TIMEFORMAT=\"cpu %%3U %%3S\"; time $D/trainer --folder " EXAMPLE
                    " --out $D/out --to-stage pretrain'");
        double user, system;
        const char *cpu = strstr(p->said, "cpu ");
        assert_non_null(cpu);
        assert_int_equal(sscanf(cpu, "cpu %lf %lf", &user, &system), 2);
        if (user + system < least) least = user + system;
        SUCCEEDS(p, "grep -c '\"step\":0' $D/out/metrics.jsonl");
    }
    print_message("one step: %.0f ms of processor time\n", 1000 * least);
    assert_true(least < 0.15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(needs_only_the_system, open_place, close_place),
        cmocka_unit_test_setup_teardown(instruction_sets, open_place, close_place),
        cmocka_unit_test_setup_teardown(command_line, open_place, close_place),
        cmocka_unit_test_setup_teardown(damage, open_place, close_place),
        cmocka_unit_test_setup_teardown(small_and_quick, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
