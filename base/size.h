// Sizes of memory as text.
#ifndef TCT_BASE_SIZE_H
#define TCT_BASE_SIZE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

// Appends "64 B", "1.5 MiB", "230 GiB": three digits or so.
void tct_bytes_print(uint64_t bytes, tct_buf *out);
// "500M", "1.5G", "64KiB", "4096": a number, and a unit of 1024 by its letter, with or without "B" or "iB"
// behind it. False for anything else, and for 0.
bool tct_bytes_parse(const char *text, uint64_t *out);

#endif
