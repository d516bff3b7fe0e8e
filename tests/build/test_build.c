// Trainers do what `tercet run` does, to the bit.
#include "tests/build/building.h"

#define STAGE TERCET_SOURCE_DIR "/tests/stage/"

// Everything that two runs leave behind and that has no time in it.
static void same_results(place *p, const char *a, const char *b) {
    SUCCEEDS(p,
             "cd $D/%s && for f in $(find . -name '*.safetensors' -o -name '*.json' ! -name machine.json "
             "! -name manifest.json); do cmp $f $D/%s/$f || exit 1; done",
             a, b);
    SUCCEEDS(
        p,
        "cd $D && for r in %s %s; do sed -E 's/\"time\": ?[-+.e0-9]+//' $r/metrics.jsonl > $r.metrics; done"
        " && cmp %s.metrics %s.metrics",
        a, b, a, b);
    SUCCEEDS(p, "cd $D && test $(find %s | wc -l) = $(find %s | wc -l) && test -s %s/summary.json", a, b, a);
}

static void same_bits(void **state) {
    place *p = *state;
    static const char *const programs[] = {"runs", "training"}, *const sets[] = {"avx2", "avx512"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        SUCCEEDS(p, TERCET " build " STAGE "%s.tct -o $D/trainer", programs[i]);
        for (size_t s = 0; s < sizeof sets / sizeof *sets; s++)
            for (int threads = 1; has_isa(sets[s]) && threads <= 2; threads++) {
                SUCCEEDS(p, "rm -rf $D/a $D/b");
                SUCCEEDS(p, "$D/trainer --out $D/a --isa %s --threads %d --seed 5", sets[s], threads);
                SUCCEEDS(p, TERCET " run " STAGE "%s.tct --out $D/b --isa %s --threads %d --seed 5",
                         programs[i], sets[s], threads);
                same_results(p, "a", "b");
            }
    }
}

// What one of them began, the other ends.
static void checkpoints_are_shared(void **state) {
    place *p = *state;
    static const char run[] = TERCET " run " STAGE "runs.tct --isa avx2", trainer[] = "$D/trainer --isa avx2";
    SUCCEEDS(p, TERCET " build " STAGE "runs.tct -o $D/trainer --isa avx2");
    SUCCEEDS(p, "%s --out $D/whole", trainer);
    SUCCEEDS(p, "%s --out $D/a --to-stage first && %s --out $D/a --resume", run, trainer);
    same_results(p, "whole", "a");
    SUCCEEDS(p, "%s --out $D/b --to-stage first && %s --out $D/b --from-stage second", trainer, run);
    same_results(p, "whole", "b");
    SUCCEEDS(p, TERCET " build " STAGE "training.tct -o $D/other --isa avx2");
    FAILS(p, 1, "error[E0831]: the checkpoint", "$D/other --out $D/a --resume");
}

// Foreign functions of both kinds, called by compiled code here and by libffi there.
static void foreign_functions(void **state) {
    place *p = *state;
    if (sh(p, "cc -shared -fPIC -o $D/libforeign.so " STAGE "foreign.c") != 0) {
        print_message("SKIPPED: no library of foreign functions: %s\n", p->said);
        skip();
    }
    SUCCEEDS(p, "cp " STAGE "foreign.tct $D");
    SUCCEEDS(p, TERCET " build $D/foreign.tct -o $D/trainer --isa avx2");
    SUCCEEDS(p, "$D/trainer --out $D/a"); // it holds itself to its assertions
    SUCCEEDS(p, "rm $D/libforeign.so");
    FAILS(p, 1, "error[E0850]", "$D/trainer --out $D/a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_bits, open_place, close_place),
        cmocka_unit_test_setup_teardown(checkpoints_are_shared, open_place, close_place),
        cmocka_unit_test_setup_teardown(foreign_functions, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
