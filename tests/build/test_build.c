// Trainers: they do what `tercet run` does, to the bit.
#include "tests/build/building.h"

#define STAGE TERCET_SOURCE_DIR "/tests/stage/"

// Everything that two runs leave behind and that has no time in it.
static void same_results(place *p, const char *a, const char *b) {
    SUCCEEDS(p,
             "cd $D && for f in $(cd %s && find . -name '*.safetensors' -o -name '*.json' ! -name "
             "machine.json ! -name "
             "manifest.json); do cmp %s/$f %s/$f || exit 1; done",
             a, a, b);
    SUCCEEDS(p,
             "cd $D && for r in %s %s; do sed -E 's/\"time\": ?[-+.e0-9]+//' $r/metrics.jsonl > $r.metrics; "
             "done && "
             "cmp %s.metrics %s.metrics",
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_bits, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
