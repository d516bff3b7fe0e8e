// Patterns of tokenizer.json, which are Oniguruma's, as PCRE2's. The two agree on what tokenizers use, but
// for some character classes, which are written out here; what can't be is refused.
#include "runtime/tokenizer_internal.h"

#include <string.h>

const char tct_tok_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// Unicode's White_Space and Oniguruma's word characters, for use within a class.
static const char white[] = "\\p{Z}\\t-\\r\\x{85}",
                  word[] = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}"
                           "\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}";

// Appends the translation of the escape at p (which begins with a backslash); returns its length, 0: refused.
static size_t escape(const char *p, bool in_class, tct_buf *out) {
    switch (p[1]) {
    case 0:
    case 'h': // hexadecimal there, horizontal space here
    case 'H':
    case 'C':
    case 'K':
        return 0;
    case 's':
    case 'w':
        tct_buf_printf(out, in_class ? "%s" : "[%s]", p[1] == 's' ? white : word);
        return 2;
    case 'S':
    case 'W':
        if (in_class) return 0;
        tct_buf_printf(out, "[^%s]", p[1] == 'S' ? white : word);
        return 2;
    case 'p':
    case 'P':
    case 'x': {
        const char *end = p[2] == '{' ? strchr(p, '}') : NULL;
        size_t len = end ? (size_t)(end - p) + 1 : 2;
        tct_buf_add(out, p, len);
        return len;
    }
    default:
        tct_buf_add(out, p, 2);
        return 2;
    }
}

// NULL when all was translated, else what can't be.
static const char *translate(const char *pattern, tct_buf *out) {
    bool in_class = false, first = false, counting = false;
    for (const char *p = pattern; *p;) {
        if (*p == '\\') {
            size_t n = escape(p, in_class, out);
            if (n == 0)
                return in_class ? "a negated escape within a class, or \\h" : "the escape \\h, \\C or \\K";
            p += n;
            first = false;
            continue;
        }
        if (in_class) {
            if (*p == '[' && p[1] == ':') {
                const char *end = strstr(p, ":]");
                if (!end) return "an unclosed [:class:]";
                tct_buf_add(out, p, (size_t)(end + 2 - p));
                p = end + 2;
                first = false;
                continue;
            }
            if (*p == '[' || (*p == '&' && p[1] == '&')) return "a class within a class";
            if (*p == ']' && !first) in_class = false;
            first = first && *p == '^';
        } else if (*p == '[') {
            in_class = first = true;
        } else if (*p == '{') {
            counting = true;
        } else if (*p == '}') {
            if (counting && p[1] == '+') return "a repeated {n,m}+";
            counting = false;
        }
        tct_buf_putc(out, *p++);
    }
    return NULL;
}

pcre2_code *tct_tok_regex(tct_diag *d, const char *where, const char *pattern, bool literal) {
    tct_buf translated = {0};
    tct_buf_puts(&translated, "");
    const char *refused = NULL;
    if (literal)
        tct_buf_puts(&translated, pattern);
    else
        refused = translate(pattern, &translated);
    uint32_t options =
        PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *re = NULL;
    if (refused) {
        tct_error(d, "E0706", TCT_NO_SPAN, "%s: the pattern '%s' has %s, which is not supported", where,
                  pattern, refused);
    } else {
        re = pcre2_compile((PCRE2_SPTR)translated.data, translated.len, options, &error, &at, NULL);
        if (re) {
            pcre2_jit_compile(re,
                              PCRE2_JIT_COMPLETE); // where it can't, the interpreter gives the same matches
        } else {
            unsigned char why[128];
            pcre2_get_error_message(error, why, sizeof why);
            tct_error(d, "E0706", TCT_NO_SPAN, "%s: the pattern '%s' is malformed: %s", where, pattern,
                      (char *)why);
        }
    }
    tct_buf_free(&translated);
    return re;
}

bool tct_tok_regex_next(const pcre2_code *re, pcre2_match_data *md, const char *text, size_t len, size_t from,
                        size_t *begin, size_t *end, bool *failed) {
    int rc = pcre2_match(re, (PCRE2_SPTR)text, len, from, PCRE2_NO_UTF_CHECK, md, NULL);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(re, (PCRE2_SPTR)text, len, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, md, NULL);
    *failed = rc < 0 && rc != PCRE2_ERROR_NOMATCH;
    if (rc < 0) return false;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(md);
    *begin = at[0];
    *end = at[1] < at[0] ? at[0] : at[1];
    return true;
}
