#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *tct_vec_reserve(void *data, size_t *cap, size_t want, size_t elem) {
    if (want <= *cap) return data;
    size_t grown = *cap ? *cap * 2 : 8, bytes;
    if (grown < want) grown = want;
    if (__builtin_mul_overflow(grown, elem, &bytes)) tct_out_of_memory(SIZE_MAX);
    *cap = grown;
    return tct_realloc(data, bytes);
}

void tct_heap_free(void *p) { free(p); }

void tct_buf_add(tct_buf *b, const void *data, size_t n) {
    b->data = tct_vec_reserve(b->data, &b->cap, b->len + n + 1, 1);
    if (n) memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = 0;
}

void tct_buf_puts(tct_buf *b, const char *s) { tct_buf_add(b, s, strlen(s)); }

void tct_buf_putc(tct_buf *b, char c) { tct_buf_add(b, &c, 1); }

void tct_buf_vprintf(tct_buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0) {
        b->data = tct_vec_reserve(b->data, &b->cap, b->len + (size_t)n + 1, 1);
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void tct_buf_printf(tct_buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    tct_buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void tct_buf_free(tct_buf *b) {
    free(b->data);
    *b = (tct_buf){0};
}
