// Making the executable: linkers, reproducibility, and everything that can go wrong on the way.
#include "tests/build/building.h"

#define FOLDER TERCET_SOURCE_DIR "/tests/stage"
#define PROGRAM FOLDER "/training.tct"
#define BUILD TERCET " build " PROGRAM " --isa avx2"

// Nothing stays but these files of the folder.
static void left(place *p, const char *files) {
    SUCCEEDS(p, "cd $D && test \"$(ls -A | sort | tr '\\n' ' ')\" = \"%s\" || { ls -A; exit 1; }", files);
}

// Each linker is enough by itself: PATH has nothing else, and no compiler.
static void linker_alone(void **state) {
    place *p = *state;
    static const char *const linkers[] = {"ld.lld-19", "ld.lld", "ld"};
    int found = 0;
    for (size_t i = 0; i < sizeof linkers / sizeof *linkers; i++) {
        if (sh(p, "command -v %s", linkers[i]) != 0) continue;
        found++;
        SUCCEEDS(p, "rm -rf $D/bin $D/out && mkdir $D/bin && ln -s $(command -v %s) $D/bin/%s", linkers[i],
                 linkers[i]);
        SUCCEEDS(p, "PATH=$D/bin " BUILD " -o $D/trainer");
        if (!strstr(p->said, linkers[i])) fail_msg("%s is not named:\n%s", linkers[i], p->said);
        SUCCEEDS(p, "test -x $D/trainer && $D/trainer --folder " FOLDER " --out $D/out");
    }
    assert_true(found >= 2);
}

static void linkers_missing_or_failing(void **state) {
    place *p = *state;
    FAILS(p, 1, "error[E0846]: an executable needs a linker", "PATH=$D " BUILD " -o $D/trainer");
    FAILS(p, 1, "error[E0846]: there is no linker `nothing`", BUILD " -o $D/trainer --linker nothing");
    FAILS(p, 1, "error[E0846]: the trainer runtime", "TERCET_RUNTIME=$D/none.o " BUILD " -o $D/trainer");
    left(p, "");
    SUCCEEDS(p, "printf '#!/bin/sh\\necho I am out of order >&2\\nexit 3\\n' > $D/bad && chmod +x $D/bad");
    FAILS(p, 1, "error[E0847]: the linker", BUILD " -o $D/trainer --linker $D/bad");
    assert_non_null(strstr(p->said, "I am out of order"));
    SUCCEEDS(p, "printf '#!/bin/sh\\nkill -9 $$\\n' > $D/bad");
    FAILS(p, 1, "error[E0847]: the linker", BUILD " -o $D/trainer --linker $D/bad");
    left(p, "bad ");
}

// The same bytes again: later, from another folder, by another way to the file, with other variables and
// threads.
static void reproducible(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " PROGRAM " -o $D/a --threads 1");
    SUCCEEDS(p, "sleep 1; cd $D && TZ=Asia/Tokyo LANG=C LD_RUN_PATH=/nowhere SOURCE_DATE_EPOCH=5 " TERCET
                " build " PROGRAM " -o b --threads 2");
    SUCCEEDS(p, "cmp $D/a $D/b");
    SUCCEEDS(p, "ln -s " TERCET_SOURCE_DIR "/tests $D/tests && cd $D && " TERCET
                " build tests/../tests/stage/training.tct -o ./c");
    SUCCEEDS(p, "cmp $D/a $D/c");
    SUCCEEDS(p, "cd " TERCET_SOURCE_DIR "/tests/stage && " TERCET " build training.tct -o $D/d");
    SUCCEEDS(p, "cmp $D/a $D/d");
    FAILS(p, 1, "", "grep -c -a -F -e " TERCET_SOURCE_DIR " -e $D $D/a");
}

static void bad_input(void **state) {
    place *p = *state;
    SUCCEEDS(p,
             "printf 'pipeline p {\\n    stage s {\\n        let x = nothing\\n    }\\n}\\n' > $D/wrong.tct");
    FAILS(p, 1, "error[E0", TERCET " build $D/wrong.tct -o $D/trainer");
    FAILS(p, 1, "error[E0701]", TERCET " build $D/none.tct -o $D/trainer");
    FAILS(p, 2, "-o says which executable", TERCET " build $D/wrong.tct");
    FAILS(p, 2, "not `mmx`", BUILD " -o $D/trainer --isa mmx");
    left(p, "wrong.tct ");
}

static void places_that_cannot_be_written(void **state) {
    place *p = *state;
    SUCCEEDS(p, "mkdir $D/folder && echo old > $D/trainer");
    FAILS(p, 1, "error[E0702]: cannot write", BUILD " -o $D/none/trainer");
    FAILS(p, 1, "it is a folder", BUILD " -o $D/folder");
    FAILS(p, 1, "it is a device", BUILD " -o /dev/full");
    // A limit for the size of files stands for a disk that is full.
    static const char *const linkers[] = {"ld.lld-19", "ld"};
    for (size_t i = 0; i < sizeof linkers / sizeof *linkers; i++)
        FAILS(p, 1, "error[E0847]: the linker",
              "trap '' XFSZ; ulimit -f 1000; " BUILD " -o $D/trainer --linker %s", linkers[i]);
    FAILS(p, 1, "error[E0702]: cannot write", "trap '' XFSZ; ulimit -f 1; " BUILD " -o $D/trainer");
    SUCCEEDS(p, "test \"$(cat $D/trainer)\" = old"); // what was there is still there
    left(p, "folder trainer ");
    SUCCEEDS(p, BUILD " -o $D/trainer && $D/trainer --list-stages");
    left(p, "folder trainer ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(linker_alone, open_place, close_place),
        cmocka_unit_test_setup_teardown(linkers_missing_or_failing, open_place, close_place),
        cmocka_unit_test_setup_teardown(reproducible, open_place, close_place),
        cmocka_unit_test_setup_teardown(bad_input, open_place, close_place),
        cmocka_unit_test_setup_teardown(places_that_cannot_be_written, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
