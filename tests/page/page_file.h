// Pages that `tercet dump` writes, read back.
#ifndef TESTS_PAGE_PAGE_FILE_H
#define TESTS_PAGE_PAGE_FILE_H

#include "tests/support/machine.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

// What `tercet dump ARGUMENTS` prints, in the arena.
static inline char *page_dump(tct_arena *a, const char *arguments) {
    const char *folder = machine_folder(a);
    const char *command =
        tct_arena_printf(a, "'%s' dump %s >'%s/out' 2>'%s/err'", TERCET_PROGRAM, arguments, folder, folder);
    int status = system(command);
    char *text = machine_read(a, folder, "out");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("tercet dump %s: %s", arguments, machine_read(a, folder, "err"));
    machine_remove_folder(folder);
    return text;
}

static const char page_mark[] = "<script type=\"application/json\" id=\"data\">";

// The page's data. The caller releases it.
static inline json_t *page_data(const char *page) {
    const char *from = strstr(page, page_mark);
    assert_non_null(from);
    from += strlen(page_mark);
    const char *to = strstr(from, "</script>");
    assert_non_null(to);
    json_error_t error;
    json_t *data = json_loadb(from, (size_t)(to - from), 0, &error);
    if (!data) fail_msg("the page's data is no JSON: %s at %d", error.text, error.position);
    return data;
}

#endif
