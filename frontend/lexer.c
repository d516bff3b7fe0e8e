#include "frontend/lexer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

// Spellings that other languages use, and what is meant. Each is reported once a file and read as `meant`
// (END: left out).
typedef struct tct_habit {
    const char *spelling;
    tct_token_kind meant;
    const char *text, *help;
} tct_habit;

static const tct_habit habits[] = {
    {"...", TCT_TOK_DOTS, "`...` is not an operator", "further axes are written `..`"},
    {"&&", TCT_TOK_AND, "`&&` is not an operator", "write `and`"},
    {"||", TCT_TOK_OR, "`||` is not an operator", "write `or`"},
    {"+=", TCT_TOK_ASSIGN, "`+=` is not an operator", "write `x = x + e`"},
    {"-=", TCT_TOK_ASSIGN, "`-=` is not an operator", "write `x = x - e`"},
    {"*=", TCT_TOK_ASSIGN, "`*=` is not an operator", "write `x = x * e`"},
    {"/=", TCT_TOK_ASSIGN, "`/=` is not an operator", "write `x = x / e`"},
    {"=>", TCT_TOK_ARROW, "`=>` is not an operator", "write `->`"},
    {"::", TCT_TOK_DOT, "`::` is not an operator", "write `.`"},
    {"!", TCT_TOK_NOT, "`!` is not an operator", "write `not`"},
    {"&", TCT_TOK_AND, "`&` is not an operator", "write `and`"},
    {"|", TCT_TOK_OR, "`|` is not an operator", "write `or`"},
    {"^", TCT_TOK_POWER, "`^` is not an operator", "a power is written `**`"},
    {"@", TCT_TOK_STAR, "`@` is not an operator", "a contraction names its axis: `dot(a, b, C)`"},
    {";", TCT_TOK_END, "unexpected `;`", "a statement ends at the end of its line"},
};
enum { N_HABITS = sizeof habits / sizeof habits[0] };

// Characters that look like one of ours, and what is meant (END: left out).
static const struct {
    utf8proc_int32_t c;
    tct_token_kind meant;
    const char *ascii;
} lookalikes[] = {
    {0x2212, TCT_TOK_MINUS, "-"}, {0x2013, TCT_TOK_MINUS, "-"}, {0x2014, TCT_TOK_MINUS, "-"},
    {0x00D7, TCT_TOK_STAR, "*"},  {0x00B7, TCT_TOK_STAR, "*"},  {0x2264, TCT_TOK_LE, "<="},
    {0x2265, TCT_TOK_GE, ">="},   {0x2260, TCT_TOK_NE, "!="},   {0x2192, TCT_TOK_ARROW, "->"},
    {0x2026, TCT_TOK_DOTS, ".."}, {0x201C, TCT_TOK_END, "\""},  {0x201D, TCT_TOK_END, "\""},
    {0x00A0, TCT_TOK_END, " "},
};

typedef struct tct_lexer {
    tct_diag *d;
    tct_arena *arena;
    tct_tokens *out;
    uint32_t file, pos, len;
    const char *text;
    bool after_bad; // a character was left out: the next token's errors are its echo
    bool newline;   // a line began since the last token
    bool habit_seen[N_HABITS];
    tct_buf doc;        // `///` lines since the last token
    const char **names; // interned, open addressing
    size_t n_names, cap_names;
} tct_lexer;

static const char *const spellings[TCT_N_TOKENS] = {
#define TCT_TOKEN_SPELLING(id, spelling) [TCT_TOK_##id] = spelling,
    TCT_KEYWORDS(TCT_TOKEN_SPELLING) TCT_PUNCTUATION(TCT_TOKEN_SPELLING)
#undef TCT_TOKEN_SPELLING
};

const char *tct_token_spelling(tct_token_kind kind) { return spellings[kind]; }

const char *tct_token_describe(tct_diag *d, uint32_t file, const tct_token *t) {
    const tct_source *s = tct_diag_source(d, file);
    int len = (int)(t->end - t->begin);
    switch (t->kind) {
    case TCT_TOK_END:
        return "the end of the file";
    case TCT_TOK_NAME:
        return tct_arena_printf(&d->arena, "the name `%s`", t->text);
    case TCT_TOK_INT:
    case TCT_TOK_FLOAT:
        return tct_arena_printf(&d->arena, "the number %.*s", len, s->text + t->begin);
    case TCT_TOK_STRING:
        return "a string";
    default:
        return tct_arena_printf(&d->arena, "`%s`", spellings[t->kind]);
    }
}

static size_t hash_name(const char *s, size_t n) {
    size_t h = 1469598103934665603u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h ^ h >> 29;
}

static size_t name_slot(const tct_lexer *x, const char *s, size_t n) {
    size_t k = hash_name(s, n) & (x->cap_names - 1);
    while (x->names[k] && (strncmp(x->names[k], s, n) != 0 || x->names[k][n]))
        k = (k + 1) & (x->cap_names - 1);
    return k;
}

static const char *intern(tct_lexer *x, const char *s, size_t n) {
    if (x->n_names * 2 >= x->cap_names) {
        const char **old = x->names;
        size_t old_cap = x->cap_names;
        x->cap_names = old_cap ? old_cap * 2 : 256;
        x->names = tct_alloc(x->cap_names * sizeof *x->names);
        for (size_t k = 0; k < old_cap; k++)
            if (old[k]) x->names[name_slot(x, old[k], strlen(old[k]))] = old[k];
        tct_heap_free(old);
    }
    size_t k = name_slot(x, s, n);
    if (!x->names[k]) {
        x->names[k] = tct_arena_strndup(x->arena, s, n);
        x->n_names++;
    }
    return x->names[k];
}

static tct_span span_of(const tct_lexer *x, uint32_t begin, uint32_t end) {
    return (tct_span){x->file, begin, end};
}

// The byte at distance k, 0 past the end.
static unsigned char peek(const tct_lexer *x, uint32_t k) {
    return x->pos + k < x->len ? (unsigned char)x->text[x->pos + k] : 0;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static tct_token *add(tct_lexer *x, tct_token_kind kind, uint32_t begin, uint32_t end) {
    tct_token t = {.kind = kind,
                   .begin = begin,
                   .end = end,
                   .newline = x->newline,
                   .open = TCT_NO_TOKEN,
                   .match = TCT_NO_TOKEN,
                   .text = spellings[kind]};
    if (x->doc.len) t.doc = tct_arena_strndup(x->arena, x->doc.data, x->doc.len);
    x->doc.len = 0;
    x->newline = false;
    t.broken = x->after_bad;
    x->after_bad = false;
    TCT_PUSH(&x->out->list, t);
    return &x->out->list.data[x->out->list.len - 1];
}

// One code point at `pos`; bytes that aren't UTF-8 give -1 and length 1.
static utf8proc_int32_t code_point(const tct_lexer *x, uint32_t pos, uint32_t *length) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)x->text + pos, (utf8proc_ssize_t)(x->len - pos), &c);
    *length = n > 0 ? (uint32_t)n : 1;
    return n > 0 ? c : -1;
}

// Reports the first byte that isn't UTF-8, wherever it stands.
static void check_utf8(tct_lexer *x) {
    uint32_t n;
    for (uint32_t pos = 0; pos < x->len; pos += n) {
        if (code_point(x, pos, &n) >= 0) continue;
        tct_error(x->d, "E0101", span_of(x, pos, pos + 1), "the file is not UTF-8: byte 0x%02X",
                  (unsigned char)x->text[pos]);
        tct_help(x->d, "save the file in the encoding UTF-8");
        return;
    }
}

static void comment(tct_lexer *x) {
    uint32_t begin = x->pos;
    while (x->pos < x->len && x->text[x->pos] != '\n') x->pos++;
    uint32_t end = x->pos;
    while (end > begin && (x->text[end - 1] == ' ' || x->text[end - 1] == '\t' || x->text[end - 1] == '\r'))
        end--;
    tct_comment c = {begin, end, x->newline};
    TCT_PUSH(&x->out->comments, c);
    bool doc = end - begin >= 3 && memcmp(x->text + begin, "///", 3) == 0 &&
               !(end - begin > 3 && x->text[begin + 3] == '/');
    if (!doc || !c.own_line) return;
    uint32_t from = begin + 3 + (begin + 3 < end && x->text[begin + 3] == ' ');
    bool first = x->doc.len == 0;
    if (!first) tct_buf_putc(&x->doc, '\n');
    tct_buf_add(&x->doc, x->text + from, end - from);
    if (x->doc.len == 0) tct_buf_putc(&x->doc, '\n'); // an empty first line still makes documentation
}

// A comment in the manner of another language: reported once, read as a comment.
static void foreign_comment(tct_lexer *x, const char *opening, const char *closing) {
    uint32_t begin = x->pos, n = (uint32_t)strlen(opening);
    tct_error(x->d, "E0106", span_of(x, begin, begin + n), "`%s` does not begin a comment", opening);
    tct_help(x->d, "a comment runs from `//` to the end of the line");
    const char *stop = NULL;
    size_t left = x->len - begin - n;
    if (left) stop = memmem(x->text + begin + n, left, closing, strlen(closing));
    x->pos =
        stop ? (uint32_t)(stop - x->text) + (closing[0] == '\n' ? 0 : (uint32_t)strlen(closing)) : x->len;
}

static void skip_word(tct_lexer *x) {
    while (is_letter(peek(x, 0)) || is_digit(peek(x, 0))) x->pos++;
}

static void number(tct_lexer *x) {
    uint32_t begin = x->pos;
    bool is_float = false;
    while (is_digit(peek(x, 0))) x->pos++;
    if (peek(x, 0) == '.' && is_digit(peek(x, 1))) {
        is_float = true;
        x->pos++;
        while (is_digit(peek(x, 0))) x->pos++;
    } else if (peek(x, 0) == '.' && peek(x, 1) != '.') {
        x->pos++;
        skip_word(x);
        int digits = (int)(x->pos - begin);
        tct_error(x->d, "E0103", span_of(x, begin, x->pos), "malformed number `%.*s`", digits,
                  x->text + begin);
        tct_help(x->d, "a digit follows the point: `1.0`");
        add(x, TCT_TOK_FLOAT, begin, x->pos);
        return;
    }
    if (peek(x, 0) == 'e' || peek(x, 0) == 'E') {
        uint32_t sign = peek(x, 1) == '+' || peek(x, 1) == '-';
        if (is_digit(peek(x, 1 + sign))) {
            is_float = true;
            x->pos += 1 + sign;
            while (is_digit(peek(x, 0))) x->pos++;
        }
    }
    if (is_letter(peek(x, 0))) {
        skip_word(x);
        int length = (int)(x->pos - begin);
        tct_error(x->d, "E0103", span_of(x, begin, x->pos), "malformed number `%.*s`", length,
                  x->text + begin);
        tct_help(x->d, "numbers are written `12`, `0.5` or `1e-5`; a name begins with a letter");
        add(x, TCT_TOK_INT, begin, x->pos);
        return;
    }
    // The text is NUL-terminated and a character that no number contains follows: strtod and strtoll stop
    // there.
    tct_token *t = add(x, is_float ? TCT_TOK_FLOAT : TCT_TOK_INT, begin, x->pos);
    errno = 0;
    bool too_large;
    if (is_float) {
        t->f = strtod(x->text + begin, NULL);
        too_large = errno == ERANGE && t->f > 1.0;
    } else {
        t->i = strtoll(x->text + begin, NULL, 10);
        t->f = (double)t->i;
        too_large = errno == ERANGE;
    }
    if (too_large) {
        tct_error(x->d, "E0103", span_of(x, begin, x->pos), "the number is too large");
        tct_help(x->d, is_float ? "the largest float is about 1.8e308"
                                : "the largest integer is 9223372036854775807");
    }
}

static int hex_digit(int c) {
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// `\u{1F600}`, pos after the u. False when malformed.
static bool unicode_escape(tct_lexer *x, tct_buf *value) {
    if (peek(x, 0) != '{') return false;
    utf8proc_int32_t c = 0;
    uint32_t k = 1;
    for (; hex_digit(peek(x, k)) >= 0 && k <= 6; k++) c = c * 16 + hex_digit(peek(x, k));
    if (k == 1 || peek(x, k) != '}' || c == 0 || !utf8proc_codepoint_valid(c)) return false;
    utf8proc_uint8_t bytes[4];
    tct_buf_add(value, bytes, (size_t)utf8proc_encode_char(c, bytes));
    x->pos += k + 1;
    return true;
}

static void escape(tct_lexer *x, tct_buf *value) {
    static const char from[] = "ntr\"\\", to[] = "\n\t\r\"\\";
    uint32_t begin = x->pos++;
    unsigned char c = peek(x, 0);
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        tct_buf_putc(value, to[known - from]);
        x->pos++;
        return;
    }
    if (c == 'u') {
        x->pos++;
        if (unicode_escape(x, value)) return;
    } else if (c && c != '\n') {
        uint32_t n;
        code_point(x, x->pos, &n);
        x->pos += n;
    }
    tct_error(x->d, "E0107", span_of(x, begin, x->pos), "unknown escape in a string");
    tct_help(x->d, "known are \\n \\t \\r \\\" \\\\ and \\u{…} with the code point's hexadecimal digits");
}

static void string(tct_lexer *x, char quote) {
    uint32_t begin = x->pos++;
    tct_buf value = {0};
    while (x->pos < x->len && x->text[x->pos] != quote && x->text[x->pos] != '\n') {
        if (x->text[x->pos] == '\\') {
            escape(x, &value);
        } else {
            if (x->text[x->pos] == 0)
                tct_error(x->d, "E0101", span_of(x, x->pos, x->pos + 1),
                          "a string cannot hold the character U+0000");
            else
                tct_buf_putc(&value, x->text[x->pos]);
            x->pos++;
        }
    }
    if (x->pos < x->len && x->text[x->pos] == quote) {
        x->pos++;
        if (quote == '\'') {
            tct_error(x->d, "E0106", span_of(x, begin, x->pos), "a string stands in double quotes");
            tct_help(x->d, "write \"%s\"", value.data ? value.data : "");
        }
    } else {
        uint32_t end = x->pos;
        while (end > begin + 1 && (x->text[end - 1] == '\r' || x->text[end - 1] == ' ')) end--;
        tct_error(x->d, "E0102", span_of(x, begin, end), "the string has no end");
        tct_help(x->d, "close it with \" on the same line; a line break in a string is written \\n");
    }
    tct_token *t = add(x, TCT_TOK_STRING, begin, x->pos);
    t->text = value.data ? tct_arena_strndup(x->arena, value.data, value.len) : "";
    tct_buf_free(&value);
}

static void word(tct_lexer *x) {
    uint32_t begin = x->pos;
    skip_word(x);
    size_t n = x->pos - begin;
    tct_token_kind kind = TCT_TOK_NAME;
    for (int k = TCT_TOK_USE; k <= TCT_TOK_FALSE; k++)
        if (strlen(spellings[k]) == n && memcmp(spellings[k], x->text + begin, n) == 0)
            kind = (tct_token_kind)k;
    const char *text = intern(x, x->text + begin, n);
    add(x, kind, begin, x->pos)->text = text;
}

// Reports a character, or a run of them, that begins no token.
static void unexpected(tct_lexer *x) {
    uint32_t begin = x->pos, n;
    utf8proc_int32_t c = code_point(x, begin, &n);
    x->pos += n;
    x->after_bad = true;
    if (c < 0) return; // reported by check_utf8
    for (size_t k = 0; k < sizeof lookalikes / sizeof lookalikes[0]; k++) {
        if (lookalikes[k].c != c) continue;
        tct_error(x->d, "E0101", span_of(x, begin, x->pos), "unexpected character `%.*s` (U+%04X)", (int)n,
                  x->text + begin, (unsigned)c);
        tct_help(x->d, "the language writes `%s`", lookalikes[k].ascii);
        if (lookalikes[k].meant != TCT_TOK_END) {
            add(x, lookalikes[k].meant, begin, x->pos);
            x->after_bad = false;
        }
        return;
    }
    while (x->pos < x->len && (unsigned char)x->text[x->pos] >= 0x80 && code_point(x, x->pos, &n) >= 0)
        x->pos += n;
    tct_span where = span_of(x, begin, x->pos);
    if (c < 32 || c == 127) {
        while (x->pos < x->len && x->text[x->pos] == (char)c) x->pos++;
        tct_error(x->d, "E0101", where, "unexpected character U+%04X", (unsigned)c);
        return;
    }
    tct_error(x->d, "E0101", where, "unexpected character `%.*s`", (int)(x->pos - begin), x->text + begin);
    if (c >= 0x80)
        tct_help(
            x->d,
            "names are made of ASCII letters, digits and `_`; other letters go into strings and comments");
}

static bool habit(tct_lexer *x) {
    for (int k = 0; k < N_HABITS; k++) {
        uint32_t n = (uint32_t)strlen(habits[k].spelling);
        if (x->len - x->pos < n || memcmp(x->text + x->pos, habits[k].spelling, n) != 0) continue;
        if (!x->habit_seen[k]) {
            tct_error(x->d, "E0106", span_of(x, x->pos, x->pos + n), "%s", habits[k].text);
            tct_help(x->d, "%s", habits[k].help);
        }
        x->habit_seen[k] = true;
        if (habits[k].meant == TCT_TOK_END)
            x->newline = true;
        else
            add(x, habits[k].meant, x->pos, x->pos + n);
        x->pos += n;
        return true;
    }
    return false;
}

static bool punctuation(tct_lexer *x) {
    for (int k = TCT_TOK_ARROW; k < TCT_N_TOKENS; k++) {
        uint32_t n = (uint32_t)strlen(spellings[k]);
        if (x->len - x->pos < n || memcmp(x->text + x->pos, spellings[k], n) != 0) continue;
        add(x, (tct_token_kind)k, x->pos, x->pos + n);
        x->pos += n;
        return true;
    }
    return false;
}

// `.5`: a point before a digit, where no field can stand.
static bool leading_point(tct_lexer *x) {
    if (peek(x, 0) != '.' || !is_digit(peek(x, 1))) return false;
    if (x->out->list.len) {
        tct_token_kind last = x->out->list.data[x->out->list.len - 1].kind;
        if (last == TCT_TOK_NAME || last == TCT_TOK_RPAREN || last == TCT_TOK_RBRACKET ||
            last == TCT_TOK_DOTS || last == TCT_TOK_INT)
            return false;
    }
    uint32_t begin = x->pos++;
    while (is_digit(peek(x, 0))) x->pos++;
    int length = (int)(x->pos - begin);
    tct_error(x->d, "E0103", span_of(x, begin, x->pos), "malformed number `%.*s`", length, x->text + begin);
    tct_help(x->d, "a digit stands before the point: `0%.*s`", length, x->text + begin);
    add(x, TCT_TOK_FLOAT, begin, x->pos);
    return true;
}

static void next(tct_lexer *x) {
    unsigned char c = peek(x, 0);
    if (c == '\n') {
        x->newline = true;
        x->pos++;
    } else if (c == ' ' || c == '\t' || c == '\r') {
        x->pos++;
    } else if (c == '/' && peek(x, 1) == '/') {
        comment(x);
    } else if (c == '/' && peek(x, 1) == '*') {
        foreign_comment(x, "/*", "*/");
    } else if (c == '#') {
        foreign_comment(x, "#", "\n");
    } else if (is_letter(c)) {
        word(x);
    } else if (is_digit(c)) {
        number(x);
    } else if (c == '"' || c == '\'') {
        string(x, (char)c);
    } else if (!leading_point(x)) {
        // `...` is longer than `..`, `!=` than `!`: habits of two characters and more go first but for the
        // ones that are ours.
        bool ours = (c == '!' || c == '=' || c == '<' || c == '>') && peek(x, 1) == '=';
        if (!ours && habit(x)) return;
        if (!punctuation(x)) unexpected(x);
    }
}

void tct_lex(tct_diag *d, uint32_t file, tct_arena *arena, tct_tokens *out) {
    const tct_source *s = tct_diag_source(d, file);
    tct_lexer x = {.d = d,
                   .arena = arena,
                   .out = out,
                   .file = file,
                   .text = s->text,
                   .len = (uint32_t)s->len,
                   .newline = true};
    *out = (tct_tokens){.file = file};
    check_utf8(&x);
    if (x.len >= 3 && memcmp(x.text, "\xEF\xBB\xBF", 3) == 0) x.pos = 3;
    while (x.pos < x.len) next(&x);
    x.newline = true;
    add(&x, TCT_TOK_END, x.len, x.len);
    tct_buf_free(&x.doc);
    tct_heap_free(x.names);
}

void tct_tokens_free(tct_tokens *t) {
    TCT_VEC_FREE(&t->list);
    TCT_VEC_FREE(&t->comments);
}
