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
                SUCCEEDS(p, "$D/trainer --folder " STAGE " --out $D/a --isa %s --threads %d --seed 5",
                         sets[s], threads);
                SUCCEEDS(p, TERCET " run " STAGE "%s.tct --out $D/b --isa %s --threads %d --seed 5",
                         programs[i], sets[s], threads);
                same_results(p, "a", "b");
            }
    }
}

// Values that are given when a trainer starts are those that `tercet run` is given.
static void given_values(void **state) {
    place *p = *state;
    static const char sets[] = "--set free.steps=3 --set free.lr=0.005 --set free.count=2 --set "
                               "free.factor=5 --set free.note=other --set "
                               "free.clip=false --set free.temperature=2 --set free.rate=0.2 --set "
                               "free.shift=-0.125 --set free.gamma=0.5";
    SUCCEEDS(p, TERCET " build " STAGE "config.tct -o $D/trainer --isa avx2 --set fixed.parts=4");
    SUCCEEDS(p, "$D/trainer --folder " STAGE " --out $D/a %s", sets);
    SUCCEEDS(p, TERCET " run " STAGE "config.tct --isa avx2 --out $D/b --set fixed.parts=4 %s", sets);
    same_results(p, "a", "b");
    FAILS(p, 1, "error[E0831]: the checkpoint",
          "$D/trainer --folder " STAGE " --out $D/a --resume"); // other values
    FAILS(p, 1, "--set fixed.parts=2 -o", "$D/trainer --set fixed.parts=2");
    FAILS(p, 1, "config.free.rate is 0, but", "$D/trainer --set free.rate=0");
}

// What one of them began, the other ends.
static void checkpoints_are_shared(void **state) {
    place *p = *state;
    static const char run[] = TERCET " run " STAGE "runs.tct --isa avx2",
                      trainer[] = "$D/trainer --isa avx2 --folder " STAGE;
    SUCCEEDS(p, TERCET " build " STAGE "runs.tct -o $D/trainer --isa avx2");
    SUCCEEDS(p, "%s --out $D/whole", trainer);
    SUCCEEDS(p, "%s --out $D/a --to-stage first && %s --out $D/a --resume", run, trainer);
    same_results(p, "whole", "a");
    SUCCEEDS(p, "%s --out $D/b --to-stage first && %s --out $D/b --from-stage second", trainer, run);
    same_results(p, "whole", "b");
    SUCCEEDS(p, TERCET " build " STAGE "training.tct -o $D/other --isa avx2");
    FAILS(p, 1, "error[E0831]: the checkpoint", "$D/other --folder " STAGE " --out $D/a --resume");
}

// Relative paths begin in the trainer's folder; those of the command line in the current one.
static void paths(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " STAGE "runs.tct -o $D/trainer --isa avx2");
    FAILS(p, 1, "error[E0701]: cannot open", "cd " STAGE " && $D/trainer --out $D/a");
    SUCCEEDS(p, "cd " STAGE " && $D/trainer --out $D/a --set tokenizer=data/letters --set "
                "demonstrations=data/demonstrations.jsonl --set rankings=data/rankings.jsonl");
    SUCCEEDS(p, "mkdir -p $D/b/elsewhere && cp -r " STAGE
                "data $D/b && cp $D/trainer $D/b && cd $D/b/elsewhere && "
                "../trainer --out $D/c");
    SUCCEEDS(p, TERCET " run " STAGE "runs.tct --isa avx2 --out $D/d");
    SUCCEEDS(p, "cmp $D/a/first/model.safetensors $D/d/first/model.safetensors && "
                "cmp $D/c/first/model.safetensors $D/d/first/model.safetensors");
    // A program is the same wherever it lies and however it is named: what one run left, another goes on
    // with.
    SUCCEEDS(p, "cd " STAGE " && " TERCET " run runs.tct --isa avx2 --out $D/d --from-stage second");
    SUCCEEDS(p, "$D/trainer --folder " STAGE " --isa avx2 --out $D/d --from-stage second");
}

// Paths that are made of paths, in config and in stages, and those that stand in stages as they are.
static void paths_of_paths(void **state) {
    place *p = *state;
    static const char text[] =
        "config {\n    data: path = \"data\"\n    letters: path = config.data + \"/letters\"\n}\n\n"
        "pipeline p {\n    let tok = tokenizer(config.letters)\n    stage s {\n"
        "        let a = demonstrations(config.data + \"/demonstrations.jsonl\", tok, batch = 2, "
        "length = 8)\n"
        "        let b = rankings(\"data/rankings.jsonl\", tok, batch = 1, length = 8, k = 4)\n"
        "        summary(\"n\", a = batches(a), b = batches(b))\n    }\n}\n";
    assert_true(tct_file_write(&p->d, tct_path_join(&p->d.arena, p->folder, "prog.tct"), text, strlen(text)));
    SUCCEEDS(p, "cp -r " STAGE "data $D/data && mkdir $D/away && cd $D/away && " TERCET
                " build ../prog.tct -o trainer --isa avx2 && cd .. && " TERCET
                " build prog.tct -o trainer --isa avx2 && cmp trainer away/trainer");
    SUCCEEDS(p, "cd / && $D/trainer --out $D/a && cd $D && " TERCET
                " run prog.tct --out $D/b && cmp a/summary.json "
                "b/summary.json");
    FAILS(p, 1, "error[E0701]: cannot open", "cd $D && away/trainer --out $D/c");
    SUCCEEDS(p, "cd $D/away && ./trainer --folder .. --out $D/c && cmp $D/a/summary.json $D/c/summary.json");
    FAILS(p, 1, "cannot open /nowhere/letters", "$D/trainer --set data=/nowhere --out $D/c");
    SUCCEEDS(p, "$D/trainer --help");
    assert_non_null(strstr(p->said, "letters: path = \"data/letters\" in --folder"));
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

    // Or they are in the trainer.
    SUCCEEDS(p, "cc -c -fPIC -o $D/foreign.o " STAGE "foreign.c");
    SUCCEEDS(p, TERCET " build $D/foreign.tct -o $D/whole --isa avx2 --link $D/foreign.o");
    SUCCEEDS(p, "$D/whole --out $D/b");
    SUCCEEDS(p, "echo 'int nothing;' | cc -c -fPIC -x c -o $D/empty.o -");
    FAILS(p, 1, "error[E0847]", TERCET " build $D/foreign.tct -o $D/none --isa avx2 --link $D/empty.o");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_bits, open_place, close_place),
        cmocka_unit_test_setup_teardown(given_values, open_place, close_place),
        cmocka_unit_test_setup_teardown(checkpoints_are_shared, open_place, close_place),
        cmocka_unit_test_setup_teardown(paths, open_place, close_place),
        cmocka_unit_test_setup_teardown(paths_of_paths, open_place, close_place),
        cmocka_unit_test_setup_teardown(foreign_functions, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
