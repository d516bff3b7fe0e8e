// Unified differences of two lists of lines.
#ifndef TCT_BASE_LINEDIFF_H
#define TCT_BASE_LINEDIFF_H

#include "base/buf.h"

#include <stdbool.h>

typedef struct tct_line {
    const char *key;  // what is compared
    const char *text; // what is shown
} tct_line;

// Appends hunks with three lines around every difference; a line that both have is shown as `b` has it.
// Returns false, and appends nothing, when all keys are equal. Lines that occur once in both are found
// whatever moved around them (patience); time grows with n log n and the length of the rest.
bool tct_linediff(const tct_line *a, size_t n_a, const tct_line *b, size_t n_b, tct_buf *out);

#endif
