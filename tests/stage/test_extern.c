// Foreign functions called from programs. The library is compiled here, by the compiler that the system has.
#include "tests/stage/pipeline.h"

// The source `text` as `folder`/`name`.
static void put(tct_arena *a, const char *folder, const char *name, const char *text) {
    tct_diag d = {0};
    assert_true(tct_file_write(&d, tct_path_join(a, folder, name), text, strlen(text)));
    tct_diag_free(&d);
}

static const char *with_library(tct_arena *a) {
    const char *out = machine_folder(a);
    const char *command =
        tct_arena_printf(a, "cc -shared -fPIC -o %s/libforeign.so " STAGE_FOLDER "/foreign.c", out);
    if (system(command) != 0) {
        print_message("SKIPPED: `%s` fails\n", command);
        machine_remove_folder(out);
        skip();
    }
    return out;
}

static void foreign(void **state) {
    (void)state;
    tct_arena a = {0};
    const char *out = with_library(&a);
    put(&a, out, "foreign.tct", machine_read(&a, STAGE_FOLDER, "foreign.tct"));
    for (int threads = 1; threads <= 2; threads++) {
        pipeline_run r = {.compile = {.file = tct_path_join(&a, out, "foreign.tct")},
                          .options = {.out = out, .threads = threads}};
        pipeline_succeeds(&r);
    }
    machine_remove_folder(out);
    tct_arena_free(&a);
}

// The program is refused with the code and a message that holds `words`.
static void refuse(tct_arena *a, const char *out, const char *text, const char *code, const char *words) {
    put(a, out, "prog.tct", text);
    pipeline_run r = {.compile = {.file = tct_path_join(a, out, "prog.tct")}, .options = {.out = out}};
    pipeline_go(&r);
    const tct_message *m = r.d.messages.len ? &r.d.messages.data[0] : NULL;
    if (r.ok || !m || strcmp(m->code, code) != 0 || !strstr(m->text, words)) {
        print_error("%s\nexpected %s with \"%s\", found:\n", text, code, words);
        pipeline_print(&r);
        fail();
    }
    tct_diag_free(&r.d);
}

static void refused(void **state) {
    (void)state;
    tct_arena a = {0};
    const char *out = with_library(&a);
    refuse(&a, out,
           "extern fn nothing(a: int) -> int from \"libforeign.so\"\npipeline p {\n print(nothing(1))\n}\n",
           "E0850", "no function 'nothing'");
    refuse(&a, out,
           "extern fn foreign_add(a, b: int) -> int from \"libnowhere.so\"\npipeline p {\n "
           "print(foreign_add(1, 2))\n}\n",
           "E0850", "cannot be opened");
    refuse(&a, out,
           "extern fn foreign_add(a, b: int) -> int from \"libforeign.so\"\npipeline p {\n "
           "print(foreign_add(1, 2.5))\n}\n",
           "E0502", "an int is expected");
    refuse(&a, out,
           "extern fn foreign_halves(x: list[float]) -> list[float] from \"libforeign.so\"\n"
           "pipeline p {\n print(foreign_halves([\"a\"]))\n}\n",
           "E0502", "a list of another type");
    refuse(&a, out,
           "extern fn foreign_fails(x: f32[T]) -> f32[T] from \"libforeign.so\"\n"
           "pipeline p {\n let y = foreign_fails(tensor([1.0], \"T\", 1))\n}\n",
           "E0851", "status 7");
    refuse(
        &a, out,
        "extern fn foreign_first(x: f32[T, B]) -> f32[B, K = 2] from \"libforeign.so\"\nuse std.optim.sgd\n"
        "model M() {\n axis B = 2, T = 3\n param x: f32[B, T] = 1.0\n}\npipeline p {\n let m = M()\n let o = "
        "sgd(m)\n"
        " minimize sum(foreign_first(m.x), [B, K]) with o(lr = 0.1)\n}\n",
        "E0622", "");
    machine_remove_folder(out);
    tct_arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(foreign), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
