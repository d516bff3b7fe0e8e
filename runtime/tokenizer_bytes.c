#include "runtime/tokenizer_internal.h"

// Bytes that are printable in Latin-1 stand for themselves; the 68 others, in order, are U+0100 and up.
static bool visible(uint32_t c) {
    return (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF);
}

uint32_t tct_tok_byte_char(unsigned char byte) {
    if (visible(byte)) return byte;
    if (byte <= ' ') return 0x100u + byte;
    if (byte < 0xAD) return 0x100u + 33 + (byte - 0x7Fu); // 0x7F … 0xA0
    return 0x100u + 67;                                   // 0xAD
}

int tct_tok_char_byte(uint32_t code) {
    if (code < 0x100) return visible(code) ? (int)code : -1;
    uint32_t n = code - 0x100;
    if (n <= 32) return (int)n;
    if (n <= 66) return (int)(0x7F + n - 33);
    return n == 67 ? 0xAD : -1;
}
