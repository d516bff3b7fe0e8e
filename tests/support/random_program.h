// Random programs that the grammar of docs/language.md allows, in random layout with comments.
#ifndef TCT_TESTS_SUPPORT_RANDOM_PROGRAM_H
#define TCT_TESTS_SUPPORT_RANDOM_PROGRAM_H

#include "base/buf.h"

// Appends the program of this seed: a few items, each at most `depth` levels deep.
void tct_random_program(uint64_t seed, int depth, tct_buf *out);

#endif
