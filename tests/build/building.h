// Building trainers and running them, by the command line.
#ifndef TCT_TESTS_BUILD_BUILDING_H
#define TCT_TESTS_BUILD_BUILDING_H

#include "base/file.h"
#include "runtime/isa.h"
#include "tests/support/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define TERCET "TERCET_STD=" TERCET_SOURCE_DIR "/std NO_COLOR=1 " TERCET_PROGRAM

// A folder of its own for a test, and what its last command printed.
typedef struct place {
    tct_diag d;
    const char *folder;
    char *said;
    int status;
} place;

static inline int open_place(void **state) {
    place *p = tct_alloc(sizeof *p);
    p->folder = machine_folder(&p->d.arena);
    *state = p;
    return 0;
}

static inline int close_place(void **state) {
    place *p = *state;
    machine_remove_folder(p->folder);
    tct_heap_free(p->said);
    tct_diag_free(&p->d);
    free(p);
    return 0;
}

// Runs a shell command, with the variable $D for the place's folder. p->said has all that it prints.
__attribute__((format(printf, 2, 3))) static inline int sh(place *p, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *words = tct_arena_vprintf(&p->d.arena, fmt, ap);
    va_end(ap);
    setenv("D", p->folder, 1);
    FILE *f = popen(tct_arena_printf(&p->d.arena, "{ %s\n} 2>&1", words), "r");
    assert_non_null(f);
    tct_buf said = {0};
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) tct_buf_add(&said, piece, n);
    int status = pclose(f);
    p->status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
    tct_buf_puts(&said, "");
    tct_heap_free(p->said);
    p->said = said.data ? said.data : tct_strdup("");
    return p->status;
}

#define SUCCEEDS(p, ...)                                                                                     \
    do {                                                                                                     \
        if (sh((p), __VA_ARGS__) != 0)                                                                       \
            fail_msg("%s\nended with %d:\n%s", (#__VA_ARGS__), (p)->status, (p)->said);                      \
    } while (0)

// The command ends with this status and says these words.
#define FAILS(p, code, words, ...)                                                                           \
    do {                                                                                                     \
        sh((p), __VA_ARGS__);                                                                                \
        if ((p)->status != (code) || !strstr((p)->said, (words)))                                            \
            fail_msg("%s\nended with %d, and should with %d and \"%s\":\n%s", (#__VA_ARGS__), (p)->status,   \
                     (code), (words), (p)->said);                                                            \
    } while (0)

static inline bool has_isa(const char *name) {
    tct_isa isa;
    assert_true(tct_isa_parse(name, &isa));
    if (isa <= tct_isa_host()) return true;
    print_message("SKIPPED: this processor has no %s\n", name);
    return false;
}

#endif
