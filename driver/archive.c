#include "driver/archive.h"

#include <assert.h>
#include <string.h>

enum { HEADER = 60 };

static void put_header(const char *name, size_t bytes, tct_buf *out) {
    size_t start = out->len;
    tct_buf_printf(out, "%-16s%-12d%-6d%-6d%-8o%-10zu`\n", name, 0, 0, 0, 0644, bytes);
    assert(out->len - start == HEADER);
}

static void put_big_endian(uint32_t x, tct_buf *out) {
    for (int shift = 24; shift >= 0; shift -= 8) tct_buf_putc(out, (char)(x >> shift & 0xff));
}

// Members begin at even places.
static size_t even(size_t n) { return n + n % 2; }

void tct_archive_write(const char *member, const void *object, size_t n, const char *const *symbols,
                       size_t n_symbols, tct_buf *out) {
    static const char magic[] = "!<arch>\n";
    size_t names = 0, start = out->len;
    for (size_t i = 0; i < n_symbols; i++) names += strlen(symbols[i]) + 1;
    size_t index = 4 + 4 * n_symbols + names, first = sizeof magic - 1 + HEADER + even(index);
    tct_buf_puts(out, magic);
    put_header("/", even(index), out);
    put_big_endian((uint32_t)n_symbols, out);
    for (size_t i = 0; i < n_symbols; i++) put_big_endian((uint32_t)first, out);
    for (size_t i = 0; i < n_symbols; i++) tct_buf_add(out, symbols[i], strlen(symbols[i]) + 1);
    if (index % 2) tct_buf_putc(out, 0);
    assert(out->len - start == first && strlen(member) < 16);
    char name[17] = {0};
    memcpy(name, member, strlen(member));
    name[strlen(member)] = '/';
    put_header(name, n, out);
    tct_buf_add(out, object, n);
    if (n % 2) tct_buf_putc(out, '\n');
}
