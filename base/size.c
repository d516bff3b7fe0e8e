#include "base/size.h"

#include <stdlib.h>
#include <string.h>

void tct_bytes_print(uint64_t bytes, tct_buf *out) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double x = (double)bytes;
    size_t u = 0;
    for (; x >= 1024 && u + 1 < sizeof units / sizeof *units; u++) x /= 1024;
    tct_buf_printf(out, u && x < 100 ? "%.1f %s" : "%.0f %s", x, units[u]);
}

bool tct_bytes_parse(const char *text, uint64_t *out) {
    static const char letters[] = "KMGT";
    if (*text < '0' || *text > '9') return false; // no sign, no "inf"
    char *end;
    double x = strtod(text, &end);
    const char *letter = *end ? strchr(letters, *end) : NULL;
    if (letter) {
        for (const char *u = letters; u <= letter; u++) x *= 1024;
        end++;
        if (strncmp(end, "iB", 2) == 0) end++;
    }
    if (*end == 'B') end++;
    if (*end || !(x >= 1) || x >= 0x1p63) return false;
    *out = (uint64_t)x;
    return true;
}
