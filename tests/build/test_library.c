// Libraries of tercet build --lib: their header compiles everywhere, their functions give what tercet eval
// gives, and they keep to themselves.
#include "tests/build/building.h"

#include "driver/archive.h"
#include "driver/localize.h"
#include "runtime/safetensors.h"

#include <dirent.h>

#define FILES TERCET_SOURCE_DIR "/tests/build/library/"
#define STAGE TERCET_SOURCE_DIR "/tests/stage/"
#define MARGIN TERCET " build " TERCET_SOURCE_DIR "/examples/loss/margin.tct --isa avx2,avx512"
#define SIZES " --axis P=2 --axis K=4"
#define STRICT " -Wall -Wextra -Werror -pedantic -O1 -I$D "
#define LINK " -lm -lpthread"

static const char *file(place *p, const char *name) { return tct_path_join(&p->d.arena, p->folder, name); }

// The same tensors that use_margin.c makes.
static void write_inputs(place *p) {
    enum { P = 2, K = 4 };
    const char *const axes[] = {"P", "K"};
    const int64_t sizes[] = {P, K};
    tct_tensor reward, rank;
    assert_true(tct_tensor_new(&p->d, TCT_F32, 2, axes, sizes, &reward));
    assert_true(tct_tensor_new(&p->d, TCT_I32, 2, axes, sizes, &rank));
    for (int i = 0; i < P * K; i++) {
        ((float *)reward.data)[i] = (float)(i * 7 % 5) * 0.3f - 0.4f;
        ((int32_t *)rank.data)[i] = i * 5 % 4;
    }
    tct_safetensors_writer *w = tct_safetensors_writer_new(file(p, "in.safetensors"));
    tct_safetensors_writer_add(w, "reward", &reward);
    tct_safetensors_writer_add(w, "rank", &rank);
    assert_true(tct_safetensors_writer_finish(&p->d, w));
    tct_tensor_free(&reward);
    tct_tensor_free(&rank);
}

static void add_expected(place *p, tct_safetensors *from, const char *name, tct_buf *out) {
    tct_tensor t;
    assert_true(tct_safetensors_load(&p->d, from, name, &t));
    tct_buf_puts(out, name);
    for (int64_t i = 0; i < tct_tensor_elements(&t); i++) tct_buf_printf(out, " %.9g", tct_tensor_get(&t, i));
    tct_buf_putc(out, '\n');
    tct_tensor_free(&t);
}

// Every compiler that is there: as C and as C++.
static void as_eval_says(void **state) {
    place *p = *state;
    write_inputs(p);
    SUCCEEDS(p, TERCET " eval " TERCET_SOURCE_DIR
                       "/examples/loss/margin.tct --graph margin_loss --grad --set step=0.25 "
                       "--in $D/in.safetensors --out $D/out.safetensors");
    tct_safetensors *all = tct_safetensors_open(&p->d, file(p, "out.safetensors"));
    assert_non_null(all);
    tct_buf expected = {0};
    add_expected(p, all, "out", &expected);
    add_expected(p, all, "grad.reward", &expected);
    add_expected(p, all, "grad.step", &expected);
    tct_safetensors_close(all);

    SUCCEEDS(p, MARGIN " --lib $D/margin --set step=0.25" SIZES " --graph margin_loss --grad --as loss");
    static const char *const compilers[] = {"gcc -std=c17", "clang-19 -std=c17", "g++ -x c++ -std=c++17",
                                            "clang++-19 -x c++ -std=c++20"};
    int used = 0;
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        const char *words = strchr(compilers[i], ' ');
        if (sh(p, "command -v %.*s", (int)(words - compilers[i]), compilers[i]) != 0) {
            print_message("SKIPPED: there is no %s\n", compilers[i]);
            continue;
        }
        SUCCEEDS(p, "%s" STRICT "-c -o $D/use.o " FILES "use_margin.c", compilers[i]);
        SUCCEEDS(p, "cc -o $D/use $D/use.o $D/margin.a" LINK " && $D/use");
        assert_string_equal(p->said, expected.data);
        used++;
    }
    assert_true(used > 0);
    tct_buf_free(&expected);
}

// Nothing but the library's own names is seen from outside, so that several go into one program.
static void keeps_to_itself(void **state) {
    place *p = *state;
    SUCCEEDS(p, MARGIN " --lib $D/one" SIZES " --graph margin_loss");
    SUCCEEDS(p, MARGIN " --lib $D/other" SIZES " --graph margin_loss --linker ld");
    SUCCEEDS(p, TERCET " build " STAGE "runs.tct --lib $D/runs --isa avx2");
    SUCCEEDS(p, "for l in one other runs; do nm $D/$l.a | grep -E ' [A-TV-Z] ' | grep -v \" T ${l}_\" && "
                "exit 1; done; true");
    SUCCEEDS(p, "gcc -std=c17" STRICT "-o $D/use " FILES "use_two.c $D/one.a $D/other.a $D/runs.a" LINK
                " && $D/use");
    assert_string_equal(p->said, "1 0.722222\n");
    FAILS(p, 1, "has several libraries in it", TERCET " inspect $D/use");
    // As shared objects, which ask for nothing that is not there.
    SUCCEEDS(p, "cd $D && for l in one runs; do gcc -shared -o lib$l.so -Wl,--whole-archive $l.a "
                "-Wl,--no-whole-archive "
                "-Wl,-z,defs -Wl,-z,text" LINK
                " && nm -D lib$l.so | grep -E ' [A-TV-Z] ' | grep -v \" T ${l}_\" && "
                "exit 1; done; true");
    SUCCEEDS(p, "gcc -std=c17" STRICT "-o $D/threads " FILES "use_threads.c $D/one.a" LINK " && $D/threads");
    assert_string_equal(p->said, "0 wrong\n");
    SUCCEEDS(p, TERCET " inspect $D/libone.so");
    assert_non_null(strstr(p->said, "library one of "));
}

static void foreign_functions(void **state) {
    place *p = *state;
    SUCCEEDS(p, "cd $D && cp " STAGE "foreign.tct . && cc -shared -fPIC -o libforeign.so " STAGE
                "foreign.c && " TERCET
                " build foreign.tct --lib squares --isa avx2 --graph total --grad && gcc -std=c17" STRICT
                "-o use " FILES "use_foreign.c squares.a" LINK " && ./use");
    assert_string_equal(p->said + strlen(p->said) - strlen("182 91 4 24\n"), "182 91 4 24\n");
    SUCCEEDS(p, "$D/use $D");
    FAILS(p, 5, "the work failed: error[E0850]", "cd $D && rm libforeign.so && ./use");
}

static void same_bytes(void **state) {
    place *p = *state;
    SUCCEEDS(p, "mkdir $D/a $D/b && cp " TERCET_SOURCE_DIR "/examples/loss/margin.tct $D/b");
    SUCCEEDS(p, MARGIN " --lib $D/a/margin" SIZES " --graph margin_loss --grad --threads 1 --cache off");
    SUCCEEDS(p, MARGIN " --lib $D/b/margin" SIZES " --graph margin_loss --grad --threads 2 --cache $D/cache");
    SUCCEEDS(p, "cmp $D/a/margin.a $D/b/margin.a && cmp $D/a/margin.h $D/b/margin.h");
    SUCCEEDS(p, MARGIN " --lib $D/b/margin" SIZES " --graph margin_loss --grad --threads 2 --cache $D/cache");
    SUCCEEDS(p, "cmp $D/a/margin.a $D/b/margin.a");
    SUCCEEDS(p, "cd $D/b && " TERCET " build margin.tct --isa avx2,avx512 --lib margin" SIZES
                " --graph margin_loss --grad && cmp margin.a ../a/margin.a && cmp margin.h ../a/margin.h");
    SUCCEEDS(p, "cd $D && ls | grep -v -x -e a -e b -e cache -e in.safetensors && exit 1; ls a b");
    SUCCEEDS(p, MARGIN " --lib $D/b/margin --axis P=3 --axis K=4 --graph margin_loss --grad");
    SUCCEEDS(p, "test \"$(grep 'define MARGIN_ABI' $D/a/margin.h)\" != \"$(grep 'define MARGIN_ABI' "
                "$D/b/margin.h)\"");
}

static void runs_a_pipeline(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " STAGE
                       "runs.tct --lib $D/runs --isa avx2 --graph count_of --axis B=2 --axis T=3 "
                       "--pipeline runs");
    SUCCEEDS(p, "gcc -std=c17" STRICT "-o $D/use " FILES "use_runs.c $D/runs.a" LINK);
    SUCCEEDS(p, "cd " STAGE " && $D/use $D/a ppo.lr=0.125"); // its paths begin in the current folder
    SUCCEEDS(p,
             TERCET " run " STAGE "runs.tct --isa avx2 --seed 5 --threads 1 --out $D/b --set ppo.lr=0.125");
    SUCCEEDS(p, "cd $D/b && for f in $(find . -name model.safetensors); do cmp $f ../a/$f || exit 1; done; "
                "test $(find . -name model.safetensors | wc -l) -gt 1");
    // Sizes of a model from its folder.
    SUCCEEDS(p, TERCET " build " STAGE
                       "runs.tct --lib $D/net --isa avx2 --graph sft --model m=$D/b/first --axis B=2 "
                       "--axis T=4 && grep m_body_wte $D/net.h");
    FAILS(p, 1, "an argument cannot be used: error[E0903]", "$D/use $D/c nonsense");
    FAILS(p, 1, "the work failed: error[E0405]", "$D/use $D/c ppo.rl=1");
    assert_non_null(strstr(p->said, "ppo.lr"));
}

// Graphs of models: structures with a pointer for each parameter, nested names, names that C has taken.
static void models(void **state) {
    place *p = *state;
    SUCCEEDS(p, TERCET " build " STAGE
                       "runs.tct --lib $D/net --isa avx2 --graph sft --grad --set m.vocab=11 --set "
                       "m.context=8 --set m.d=8 --set m.heads=2 --set m.layers=2 --axis B=2 --axis T=4 "
                       "--graph sft --as forward "
                       "--set m.vocab=11 --set m.context=8 --set m.d=8 --set m.heads=2 --set m.layers=1 "
                       "--axis B=1 --axis T=2");
    SUCCEEDS(p, "grep -c 'const float \\*m_' $D/net.h");
    assert_true(atoi(p->said) > 30);
    SUCCEEDS(p, "for c in 'gcc -std=c17' 'g++ -x c++'; do echo '#include \"net.h\"' > $D/x.c && $c" STRICT
                "-c -o $D/x.o $D/x.c || exit 1; done");
    SUCCEEDS(p, "cd $D && printf 'graph f(int: f32[B], a_b: f32[B], class: f32) -> (new: f32[B], out: f32) "
                "{\\n    return "
                "(new = int + a_b, out = class)\\n}\\n' > names.tct && " TERCET
                " build names.tct --lib names --isa avx2 --graph f --axis B=2");
    SUCCEEDS(p,
             "grep -q '\\*int_; // f32\\[B=2\\], 2 elements' $D/names.h && grep -q '\\*new_;' $D/names.h && "
             "grep -q '\\*class_;' $D/names.h");
    SUCCEEDS(p, "for c in 'gcc -std=c17' 'g++ -x c++'; do echo '#include \"names.h\"' > $D/x.c && $c" STRICT
                "-c -o $D/x.o $D/x.c || exit 1; done");
}

// The examples: the C program learns, and the Python program says what it says to the digit.
static void examples(void **state) {
    place *p = *state;
    SUCCEEDS(p, "cd " TERCET_SOURCE_DIR "/examples/c && " TERCET
                " build ranking.tct --lib $D/ranking --graph ranking --grad --as loss --axis P=16 --axis K=6 "
                "--axis F=8");
    SUCCEEDS(p,
             "gcc -std=c17" STRICT "-o $D/train " TERCET_SOURCE_DIR "/examples/c/train.c $D/ranking.a" LINK);
    SUCCEEDS(p, "$D/train");
    assert_non_null(strstr(p->said, "step   0  loss 1."));
    assert_non_null(strstr(p->said, "step 200  loss 0.1"));
    char *said = tct_arena_strdup(&p->d.arena, p->said);
    SUCCEEDS(
        p, "cd $D && cc -shared -o libranking.so -Wl,--whole-archive ranking.a -Wl,--no-whole-archive" LINK);
    if (sh(p, "python3 --version") != 0) {
        print_message("SKIPPED: there is no python3\n");
        return;
    }
    SUCCEEDS(p, "python3 " TERCET_SOURCE_DIR "/examples/c/train.py $D/libranking.so");
    assert_string_equal(p->said, said);
}

static void refused(void **state) {
    place *p = *state;
    FAILS(p, 2, "-o or --lib, not both", MARGIN " --lib $D/x -o $D/y --graph margin_loss");
    FAILS(p, 2, "-o says which", MARGIN);
    FAILS(p, 2, "for libraries", MARGIN " --graph margin_loss");
    FAILS(p, 2, "for libraries", MARGIN " -o $D/x --graph margin_loss");
    FAILS(p, 2, "--grad belongs to the --graph before it", MARGIN " --lib $D/x --grad --graph margin_loss");
    FAILS(p, 2, "--as takes a name", MARGIN " --lib $D/x --graph margin_loss --as 2x");
    FAILS(p, 1, "cannot be called `2x`", MARGIN " --lib $D/2x --graph margin_loss");
    FAILS(p, 1, "cannot be called `int`", MARGIN " --lib $D/int --graph margin_loss");
    FAILS(p, 1, "cannot be called `tct_x`", MARGIN " --lib $D/tct_x --graph margin_loss");
    FAILS(p, 1, "would be called x_create", MARGIN " --lib $D/x" SIZES " --graph margin_loss --as create");
    FAILS(p, 1, "would be called x_margin_loss",
          MARGIN " --lib $D/x" SIZES " --graph margin_loss --graph margin_loss");
    FAILS(p, 1, "E0904", MARGIN " --lib $D/x --graph margin_loss --axis P=2");
    FAILS(p, 1, "E0201", MARGIN " --lib $D/x" SIZES " --graph margin_los");
    FAILS(p, 1, "E0702", MARGIN " --lib $D/none/x" SIZES " --graph margin_loss");
    FAILS(p, 1, "E0514", MARGIN " --lib $D/x");
    FAILS(p, 1, "TERCET_LIBRARY_RUNTIME",
          "TERCET_LIBRARY_RUNTIME=$D/none " MARGIN " --lib $D/x" SIZES " --graph margin_loss");
    FAILS(p, 1, "E0846", MARGIN " --lib $D/x" SIZES " --graph margin_loss --linker no-such-linker");
    FAILS(p, 1, "E0847", MARGIN " --lib $D/x" SIZES " --graph margin_loss --linker /bin/false");
    SUCCEEDS(p, "ls $D");
    assert_string_equal(p->said, "");
}

static void objects(void **state) {
    place *p = *state;
    SUCCEEDS(p, "cd $D && printf 'int f(void) { return 1; }\\nint g(void) { return f() + 1; }\\n' > a.c && "
                "cc -c a.c");
    char *bytes;
    size_t n;
    assert_true(tct_file_read(&p->d, file(p, "a.o"), &bytes, &n));
    const tct_export all[] = {{"g", "visible_name"}, {"h", "h"}};
    tct_buf out = {0};
    assert_non_null(strstr(tct_localize(bytes, n, all, 2, &out), "missing"));
    assert_int_equal(out.len, 0);
    assert_null(tct_localize(bytes, n, all, 1, &out));
    tct_buf archive = {0};
    const char *const symbols[] = {"visible_name"};
    tct_archive_write("member.o", out.data, out.len, symbols, 1, &archive);
    assert_true(tct_file_write(&p->d, file(p, "a.a"), archive.data, archive.len));
    SUCCEEDS(p, "cd $D && printf 'int visible_name(void);\\nint main(void) { return visible_name() - 2; "
                "}\\n' > m.c && cc m.c "
                "a.a && ./a.out && ar t a.a && nm a.a");
    assert_non_null(strstr(p->said, "member.o\n"));
    assert_non_null(strstr(p->said, " t f\n"));
    assert_non_null(strstr(p->said, " T visible_name\n"));
    for (size_t i = 0; i < n;
         i++) { // what isn't an object, or no whole one, is told; nothing is read past its end
        char *copy = malloc(i ? i : 1);
        memcpy(copy, bytes, i);
        out.len = 0;
        if (i < n / 2) assert_non_null(tct_localize(copy, i, all, 1, &out));
        free(copy);
    }
    for (size_t i = 0; i < 4 * n; i++) {
        char was = bytes[i / 4];
        bytes[i / 4] = (char)(i % 4 == 0 ? 0xff : i % 4 == 1 ? 0 : i % 4 == 2 ? 1 : was ^ 0x40);
        out.len = 0;
        tct_localize(bytes, n, all, 1, &out);
        bytes[i / 4] = was;
    }
    tct_buf_free(&archive);
    tct_buf_free(&out);
    tct_heap_free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_eval_says, open_place, close_place),
        cmocka_unit_test_setup_teardown(keeps_to_itself, open_place, close_place),
        cmocka_unit_test_setup_teardown(foreign_functions, open_place, close_place),
        cmocka_unit_test_setup_teardown(same_bytes, open_place, close_place),
        cmocka_unit_test_setup_teardown(runs_a_pipeline, open_place, close_place),
        cmocka_unit_test_setup_teardown(models, open_place, close_place),
        cmocka_unit_test_setup_teardown(examples, open_place, close_place),
        cmocka_unit_test_setup_teardown(refused, open_place, close_place),
        cmocka_unit_test_setup_teardown(objects, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
