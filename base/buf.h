// Growable text buffer and a growable-array macro, both on the heap.
#ifndef TCT_BASE_BUF_H
#define TCT_BASE_BUF_H

#include "base/arena.h"

#include <stdarg.h>

// Zero-initialise. `data` is NUL-terminated once anything was appended. The holder frees it with
// tct_buf_free.
typedef struct tct_buf {
    char *data;
    size_t len, cap;
} tct_buf;

void tct_buf_add(tct_buf *b, const void *data, size_t n);
void tct_buf_puts(tct_buf *b, const char *s);
void tct_buf_putc(tct_buf *b, char c);
void tct_buf_printf(tct_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tct_buf_vprintf(tct_buf *b, const char *fmt, va_list ap);
void tct_buf_free(tct_buf *b);

// Growable array: `TCT_VEC(int) v = {0}; TCT_PUSH(&v, 3); v.data[0]; v.len; TCT_VEC_FREE(&v);`
#define TCT_VEC(type)                                                                                        \
    struct {                                                                                                 \
        type *data;                                                                                          \
        size_t len, cap;                                                                                     \
    }
#define TCT_PUSH(v, ...)                                                                                     \
    do {                                                                                                     \
        (v)->data = tct_vec_reserve((v)->data, &(v)->cap, (v)->len + 1, sizeof *(v)->data);                  \
        (v)->data[(v)->len++] = (__VA_ARGS__);                                                               \
    } while (0)
#define TCT_VEC_FREE(v)                                                                                      \
    do {                                                                                                     \
        tct_heap_free((v)->data);                                                                            \
        (v)->data = NULL;                                                                                    \
        (v)->len = (v)->cap = 0;                                                                             \
    } while (0)

void *tct_vec_reserve(void *data, size_t *cap, size_t want, size_t elem);
void tct_heap_free(void *p);

#endif
