// Static libraries: an ar file with one object and an index of its symbols.
#ifndef TCT_DRIVER_ARCHIVE_H
#define TCT_DRIVER_ARCHIVE_H

#include "base/buf.h"

// Appends the archive. `member`: the object's name in it, at most 15 bytes. `symbols`: what it defines for
// others. No time, owner or folder goes into it.
void tct_archive_write(const char *member, const void *object, size_t n, const char *const *symbols,
                       size_t n_symbols, tct_buf *out);

#endif
