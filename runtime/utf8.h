// UTF-8, one character at a time.
#ifndef TCT_RUNTIME_UTF8_H
#define TCT_RUNTIME_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length of the well-formed character at s (1 to 4) and its code point; 0 when there is none. When it isn't
// well formed, *bad is the number of bytes (≥ 1) that one U+FFFD stands for (Unicode's "maximal subpart"),
// and *partial says that the text ended within a character that may yet become well formed. n ≥ 1.
static inline size_t tct_utf8_decode(const unsigned char *s, size_t n, uint32_t *code, size_t *bad,
                                     bool *partial) {
    unsigned char c = s[0];
    size_t len = c < 0x80                 ? 1
                 : c >= 0xC2 && c <= 0xDF ? 2
                 : (c & 0xF0) == 0xE0     ? 3
                 : c >= 0xF0 && c <= 0xF4 ? 4
                                          : 0;
    *bad = 1;
    *partial = false;
    if (len == 0) return 0;
    uint32_t value = len == 1 ? c : len == 2 ? c & 0x1Fu : len == 3 ? c & 0x0Fu : c & 0x07u;
    for (size_t i = 1; i < len; i++) {
        unsigned char low = 0x80, high = 0xBF;
        if (i == 1 && c == 0xE0) low = 0xA0;  // overlong
        if (i == 1 && c == 0xED) high = 0x9F; // surrogates
        if (i == 1 && c == 0xF0) low = 0x90;  // overlong
        if (i == 1 && c == 0xF4) high = 0x8F; // past U+10FFFF
        *bad = i;
        if (i >= n) {
            *partial = true;
            return 0;
        }
        if (s[i] < low || s[i] > high) return 0;
        value = value << 6 | (s[i] & 0x3Fu);
    }
    *code = value;
    return len;
}

// Length of the character that starts at s in text known to be well formed.
static inline size_t tct_utf8_len(unsigned char first) {
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

// Offset of the first byte that is not well-formed UTF-8; n when all of it is.
static inline size_t tct_utf8_check(const char *text, size_t n) {
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0, bad;
    uint32_t code;
    bool partial;
    while (at < n) {
        size_t len = s[at] < 0x80 ? 1 : tct_utf8_decode(s + at, n - at, &code, &bad, &partial);
        if (len == 0) break;
        at += len;
    }
    return at;
}

// Writes a code point (a valid one) and returns its length, 1 to 4.
static inline size_t tct_utf8_encode(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80u | (code & 0x3Fu));
    out[0] = (char)((0xF00u >> len & 0xF0u) | code);
    return len;
}

#endif
