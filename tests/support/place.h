// A folder of a test's own, and the program run in it.
#ifndef TESTS_SUPPORT_PLACE_H
#define TESTS_SUPPORT_PLACE_H

#include "base/diag.h"

typedef struct place {
    tct_diag d;
    const char *folder;
} place;

// cmocka's setup and teardown: *state is a place; its folder goes with it.
int place_open(void **state);
int place_close(void **state);

// `PROGRAM ARGUMENTS` in the folder ends with `status`. Its output, which contains all of `wanted` ("a|b"),
// in the place's arena; the file `log` has it, too.
const char *place_gives(place *p, const char *program, const char *arguments, int status, const char *wanted);

#endif
