#include "tests/support/place.h"

#include "tests/support/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

int place_open(void **state) {
    place *p = tct_alloc(sizeof *p);
    p->folder = machine_folder(&p->d.arena);
    *state = p;
    return p->folder ? 0 : -1;
}

int place_close(void **state) {
    place *p = *state;
    machine_remove_folder(p->folder);
    tct_diag_free(&p->d);
    tct_heap_free(p);
    return 0;
}

const char *place_gives(place *p, const char *program, const char *arguments, int status,
                        const char *wanted) {
    const char *command =
        tct_arena_printf(&p->d.arena, "cd '%s' && '%s' %s >log 2>&1", p->folder, program, arguments);
    int found = system(command);
    found = WIFEXITED(found) ? WEXITSTATUS(found) : -1;
    const char *log = machine_read(&p->d.arena, p->folder, "log");
    for (const char *at = wanted; *at;) {
        size_t len = strcspn(at, "|");
        const char *text = tct_arena_strndup(&p->d.arena, at, len);
        if (!strstr(log, text))
            fail_msg("tercet %s: status %d\n%s\nexpected \"%s\"", arguments, found, log, text);
        at += len + (at[len] == '|');
    }
    if (found != status) fail_msg("tercet %s: status %d, not %d\n%s", arguments, found, status, log);
    return log;
}
