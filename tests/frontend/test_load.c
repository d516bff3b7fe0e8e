// Packages: what is loaded, once, in which order; what is missing; circles.
#include "base/file.h"
#include "frontend/ast.h"
#include "frontend/modules.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct tct_place {
    char dir[64];
    tct_arena arena;
    tct_diag d;
    tct_package package;
} tct_place;

static const char *in(tct_place *p, const char *name) { return tct_path_join(&p->arena, p->dir, name); }

static void put(tct_place *p, const char *name, const char *text) {
    const char *path = in(p, name);
    assert_true(tct_make_dir(&p->d, tct_path_dir(&p->arena, path)));
    assert_true(tct_file_write(&p->d, path, text, strlen(text)));
}

static tct_place *open_place(void) {
    tct_place *p = tct_alloc(sizeof *p);
    strcpy(p->dir, "/tmp/tercet-load-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    put(p, "std/core.tct", "graph one(x: f32) -> f32 { return x }\n");
    put(p, "std/loss/rm.tct", "use std.a\nuse std.b\n");
    put(p, "std/a.tct", "use std.b\n");
    put(p, "std/b.tct", "use std.a\n");
    return p;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void close_place(tct_place *p) {
    nftw(p->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    tct_package_free(&p->package);
    tct_arena_free(&p->arena);
    tct_diag_free(&p->d);
    tct_heap_free(p);
}

static bool load(tct_place *p, const char *name) {
    return tct_package_load(&p->d, &p->package, in(p, name), in(p, "std"));
}

// The loaded files' names, in order.
static void files_are(tct_place *p, size_t n, const char *const *names) {
    assert_int_equal(p->package.files.len, n);
    for (size_t k = 0; k < n; k++) {
        char *expected = realpath(in(p, names[k]), NULL),
             *got = realpath(p->package.files.data[k]->path, NULL);
        assert_string_equal(got, expected);
        free(expected);
        free(got);
    }
}

static void test_order_and_circles(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "main.tct", "use \"lib/x.tct\"\nuse std.loss.rm\nuse \"main.tct\"\nuse \"./lib/../lib/x.tct\"\n");
    put(p, "lib/x.tct", "use \"../main.tct\"\nuse std.a\nuse std.core\n");
    assert_true(load(p, "main.tct"));
    files_are(p, 6,
              (const char *const[]){"std/core.tct", "lib/x.tct", "std/loss/rm.tct", "std/a.tct", "std/b.tct",
                                    "main.tct"});
    const tct_ast *main = p->package.files.data[5];
    assert_ptr_equal(main->items[2]->used, main);
    assert_ptr_equal(main->items[0]->used, main->items[3]->used);
    assert_string_equal(main->items[1]->used->path, in(p, "std/loss/rm.tct"));
    close_place(p);
}

static void test_what_is_missing_is_reported(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "main.tct", "use std.c\nuse \"no.tct\"\nuse std.loss.rm\nuse other\n");
    assert_false(load(p, "main.tct"));
    assert_int_equal(p->d.n_errors, 3);
    for (size_t k = 0; k < 3; k++) assert_string_equal(p->d.messages.data[k].code, "E0210");
    assert_non_null(p->package.files.data[p->package.files.len - 1]->items[2]->used);
    close_place(p);
}

static void test_errors_in_used_files_are_reported_there(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "main.tct", "use \"x.tct\"\nuse \"x.tct\"\n");
    put(p, "x.tct", "graph\n");
    assert_false(load(p, "main.tct"));
    assert_int_equal(p->d.n_errors, 1);
    const tct_source *s = tct_diag_source(&p->d, p->d.messages.data[0].span.file);
    assert_string_equal(s->path, in(p, "x.tct"));
    close_place(p);
}

static void test_no_library(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "main.tct", "use std.a\n");
    assert_false(tct_package_load(&p->d, &p->package, in(p, "main.tct"), in(p, "nowhere")));
    assert_int_equal(p->d.n_errors, 1);
    assert_non_null(strstr(p->d.messages.data[0].text, "nowhere/core.tct"));
    close_place(p);
}

static void test_no_file(void **state) {
    (void)state;
    tct_place *p = open_place();
    assert_false(load(p, "absent.tct"));
    assert_string_equal(p->d.messages.data[0].code, "E0701");
    assert_int_equal(p->package.files.len, 1); // the core
    close_place(p);
}

static void test_core_itself(void **state) {
    (void)state;
    tct_place *p = open_place();
    assert_true(load(p, "std/core.tct"));
    assert_int_equal(p->package.files.len, 1);
    close_place(p);
}

static void test_text_that_is_no_file(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "x.tct", "");
    const char *text = "use \"x.tct\"\n";
    assert_true(
        tct_package_load_text(&p->d, &p->package, in(p, "unsaved.tct"), text, strlen(text), in(p, "std")));
    assert_int_equal(p->package.files.len, 3);
    close_place(p);
}

// A pipe that nobody writes to would be waited for without an end.
static void test_what_is_used_is_a_file(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "main.tct", "use \"pipe\"\nuse \"std\"\nuse \"/dev/zero\"\n");
    assert_int_equal(mkfifo(in(p, "pipe"), 0600), 0);
    assert_false(load(p, "main.tct"));
    assert_int_equal(p->d.messages.len, 3);
    for (size_t k = 0; k < 3; k++) {
        assert_string_equal(p->d.messages.data[k].code, "E0701");
        assert_true(p->d.messages.data[k].span.file != 0);
    }
    close_place(p);
}

static const char *unsaved(void *ctx, const char *path, size_t *len) {
    (void)ctx;
    const char *slash = strrchr(path, '/');
    const char *text = strcmp(slash, "/x.tct") == 0     ? "graph edited(x: f32) -> f32 { return x }\n"
                       : strcmp(slash, "/new.tct") == 0 ? "graph fresh(x: f32) -> f32 { return x }\n"
                                                        : NULL;
    if (text) *len = strlen(text);
    return text;
}

static void test_texts_that_are_not_saved(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "x.tct", "graph saved(x: f32) -> f32 { return x }\n");
    put(p, "main.tct", "use \"x.tct\"\nuse \"new.tct\"\n");
    p->package.unsaved = unsaved;
    assert_true(load(p, "main.tct"));
    assert_int_equal(p->package.files.len, 4);
    assert_string_equal(p->package.files.data[1]->items[0]->name.text, "edited");
    assert_string_equal(p->package.files.data[2]->items[0]->name.text, "fresh");
    close_place(p);
}

static void test_modules_are_listed(void **state) {
    (void)state;
    tct_place *p = open_place();
    put(p, "std/.hidden.tct", "");
    put(p, "std/notes.txt", "");
    size_t n;
    tct_module *m = tct_modules(&p->arena, in(p, "std"), &n);
    const char *expected[] = {"std.a", "std.b", "std.core", "std.loss.rm"};
    assert_int_equal(n, 4);
    for (size_t k = 0; k < n; k++) assert_string_equal(m[k].name, expected[k]);
    close_place(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_circles),
        cmocka_unit_test(test_what_is_missing_is_reported),
        cmocka_unit_test(test_errors_in_used_files_are_reported_there),
        cmocka_unit_test(test_no_library),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_core_itself),
        cmocka_unit_test(test_text_that_is_no_file),
        cmocka_unit_test(test_what_is_used_is_a_file),
        cmocka_unit_test(test_texts_that_are_not_saved),
        cmocka_unit_test(test_modules_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
