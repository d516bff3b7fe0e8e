// Whole programs, compiled and run in this process.
#ifndef TCT_TESTS_STAGE_PIPELINE_H
#define TCT_TESTS_STAGE_PIPELINE_H

#include "base/file.h"
#include "driver/compile_program.h"
#include "runtime/vm.h"
#include "tests/support/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STAGE_FOLDER TERCET_SOURCE_DIR "/tests/stage"

typedef struct pipeline_run {
    tct_compile_request compile;
    tct_run_options options;
    tct_diag d;
    bool ok;
    uint32_t graphs;
} pipeline_run;

// Runs the program of `r` into r->options.out; messages are in r->d, which the caller frees.
static inline void pipeline_go(pipeline_run *r) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 1);
    tct_compiled c = {0};
    if (!r->options.threads) r->options.threads = 1;
    r->compile.threads = r->options.threads;
    r->ok =
        tct_program_compile(&r->d, &r->compile, &c) && tct_program_run(&r->d, &c.draft->program, &r->options);
    if (c.draft) r->graphs = c.draft->n_graphs;
    tct_compiled_free(&c);
}

static inline void pipeline_print(const pipeline_run *r) {
    tct_buf text = {0};
    tct_diag_render(&r->d, &text, false);
    print_error("%s", text.data ? text.data : "");
    tct_buf_free(&text);
}

static inline void pipeline_succeeds(pipeline_run *r) {
    pipeline_go(r);
    if (!r->ok) pipeline_print(r);
    assert_true(r->ok);
    tct_diag_free(&r->d);
}

// A program of the folder of this test that holds itself to its assertions.
static inline void pipeline_holds(const char *name) {
    tct_arena a = {0};
    pipeline_run r = {.compile = {.file = tct_path_join(&a, STAGE_FOLDER, name)},
                      .options = {.out = machine_folder(&a)}};
    pipeline_succeeds(&r);
    machine_remove_folder(r.options.out);
    tct_arena_free(&a);
}

// The program `text`, in a folder of its own whose path is in r->options.out, as prog.tct.
static inline void pipeline_write(tct_arena *a, pipeline_run *r, const char *text) {
    tct_diag d = {0};
    const char *out = machine_folder(a), *path = tct_path_join(a, out, "prog.tct");
    assert_true(tct_file_write(&d, path, text, strlen(text)));
    r->compile.file = path;
    r->options.out = out;
    tct_diag_free(&d);
}

// The program `text` is refused, when compiled or when run, with the code and a message that holds `words`;
// and with nothing else.
static inline void pipeline_refused(const char *text, const char *code, const char *words) {
    tct_arena a = {0};
    pipeline_run r = {0};
    pipeline_write(&a, &r, text);
    pipeline_go(&r);
    const tct_message *m = r.d.messages.len ? &r.d.messages.data[0] : NULL;
    bool as_expected =
        !r.ok && r.d.n_errors == 1 && m && strcmp(m->code, code) == 0 && strstr(m->text, words);
    if (!as_expected) {
        print_error("%s\nexpected %s with \"%s\", found:\n", text, code, words);
        pipeline_print(&r);
    }
    assert_true(as_expected);
    machine_remove_folder(r.options.out);
    tct_diag_free(&r.d);
    tct_arena_free(&a);
}

#endif
