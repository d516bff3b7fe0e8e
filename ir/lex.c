// Text of the IR to tokens.
#include "ir/lex.h"

#include <string.h>

// ASCII alone, whatever the locale.
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_inner(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

static char peek(const tct_ir_lexer *l, size_t ahead) {
    return ahead < l->len - l->at ? l->text[l->at + ahead] : '\0';
}

static void skip_blanks(tct_ir_lexer *l) {
    while (l->at < l->len) {
        char c = l->text[l->at];
        if (c == ';')
            while (l->at < l->len && l->text[l->at] != '\n') l->at++;
        else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            l->at++;
        else
            return;
    }
}

static tct_span span_from(const tct_ir_lexer *l, size_t begin) {
    return (tct_span){l->file, (uint32_t)begin, (uint32_t)l->at};
}

static tct_ir_token token(tct_ir_lexer *l, tct_ir_token_kind kind, size_t begin, size_t text_begin) {
    return (tct_ir_token){.kind = kind,
                          .span = span_from(l, begin),
                          .text = tct_arena_strndup(l->arena, l->text + text_begin, l->at - text_begin)};
}

static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static tct_ir_token bad(tct_ir_lexer *l, size_t begin, const char *what) {
    tct_error(l->d, "E0601", span_from(l, begin), "%s", what);
    return (tct_ir_token){.kind = TCT_TOKEN_BAD, .span = span_from(l, begin), .text = ""};
}

// \" \\ and \xHH; \x00 is refused, since names are C strings.
static tct_ir_token lex_string(tct_ir_lexer *l) {
    size_t begin = l->at++, n = 0;
    size_t limit = l->at; // the text can only get shorter
    while (limit < l->len && l->text[limit] != '\n' && l->text[limit] != '"')
        limit += l->text[limit] == '\\' && limit + 1 < l->len ? 2 : 1;
    if (limit >= l->len || l->text[limit] != '"') {
        l->at = limit < l->len ? limit : l->len;
        return bad(l, begin, "this string has no closing quote");
    }
    char *text = tct_arena_alloc(l->arena, limit - l->at + 1);
    while (l->at < limit) {
        char c = l->text[l->at++];
        if (c == '\\') {
            char kind = l->text[l->at++];
            int high = kind == 'x' ? hex_digit(peek(l, 0)) : -1, low = high >= 0 ? hex_digit(peek(l, 1)) : -1;
            if (low >= 0) {
                c = (char)(high * 16 + low);
                l->at += 2;
            } else if (kind == '"' || kind == '\\') {
                c = kind;
            } else {
                return bad(l, begin,
                           "a backslash must be followed by \", \\ or x and two hexadecimal digits");
            }
        }
        if (!c) return bad(l, begin, "a string can't hold a NUL byte");
        text[n++] = c;
    }
    l->at = limit + 1;
    return (tct_ir_token){.kind = TCT_TOKEN_STRING, .span = span_from(l, begin), .text = text};
}

// Digits, letters and dots, with a sign in front or after an e.
static tct_ir_token lex_number(tct_ir_lexer *l) {
    size_t begin = l->at++;
    while (l->at < l->len) {
        char c = l->text[l->at], before = l->text[l->at - 1];
        bool exponent = (c == '+' || c == '-') && (before == 'e' || before == 'E');
        if (!is_inner(c) && !exponent) break;
        l->at++;
    }
    return token(l, TCT_TOKEN_NUMBER, begin, begin);
}

tct_ir_token tct_ir_lex(tct_ir_lexer *l) {
    skip_blanks(l);
    size_t begin = l->at;
    if (begin >= l->len)
        return (tct_ir_token){.kind = TCT_TOKEN_END, .span = span_from(l, begin), .text = ""};
    char c = l->text[begin];
    if (is_letter(c)) {
        while (l->at < l->len && is_inner(l->text[l->at])) l->at++;
        return token(l, TCT_TOKEN_WORD, begin, begin);
    }
    if (c == '"') return lex_string(l);
    if (c == '-' && peek(l, 1) == '>') {
        l->at += 2;
        return (tct_ir_token){.kind = TCT_TOKEN_ARROW, .span = span_from(l, begin), .text = "->"};
    }
    if (is_digit(c) || c == '-') return lex_number(l);
    l->at++;
    if (c == '%') {
        while (l->at < l->len && is_inner(l->text[l->at])) l->at++;
        if (l->at == begin + 1) return bad(l, begin, "% must be followed by the label of a value");
        return token(l, TCT_TOKEN_VALUE, begin, begin + 1);
    }
    if (c && strchr("{}[](),:=@#'?", c))
        return (tct_ir_token){.kind = TCT_TOKEN_MARK, .mark = c, .span = span_from(l, begin), .text = ""};
    return bad(l, begin, "this character begins nothing that the IR has");
}
