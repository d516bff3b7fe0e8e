// Normalisation, and splitting text into words before byte-pair encoding.
#include "runtime/tokenizer_internal.h"
#include "runtime/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

// Appends `text` with every match of s->re replaced by s->text.
static bool replace(const tct_tok_step *s, pcre2_match_data *md, const char *text, size_t len, tct_buf *out) {
    size_t at = 0, from = 0, begin, end;
    bool failed = false;
    while (from <= len && tct_tok_regex_next(s->re, md, text, len, from, &begin, &end, &failed)) {
        tct_buf_add(out, text + at, begin - at);
        tct_buf_add(out, s->text, s->text_len);
        at = end;
        from = end > begin ? end : end < len ? end + tct_utf8_len((unsigned char)text[end]) : len + 1;
    }
    tct_buf_add(out, text + at, len - at);
    return !failed;
}

static bool normal_form(int form, const char *text, size_t len, tct_buf *out) {
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &mapped, (utf8proc_option_t)form);
    if (n < 0) return false;
    tct_buf_add(out, mapped, (size_t)n);
    free(mapped);
    return true;
}

bool tct_tok_normalize(const tct_tokenizer *t, pcre2_match_data *md, const char *text, size_t len,
                       bool continues, tct_buf *out) {
    tct_buf now = {0}, next = {0};
    bool ok = true;
    tct_buf_add(&now, text, len);
    for (size_t i = 0; ok && i < t->normalizer.len; i++) {
        const tct_tok_step *s = &t->normalizer.data[i];
        next.len = 0;
        tct_buf_add(&next, "", 0);
        if (s->kind == TCT_TOK_PREPEND) {
            if (now.len && !continues) tct_buf_add(&next, s->text, s->text_len);
            tct_buf_add(&next, now.data, now.len);
        } else if (s->kind == TCT_TOK_REPLACE) {
            ok = replace(s, md, now.data, now.len, &next);
        } else {
            ok = normal_form(s->form, now.data, now.len, &next);
        }
        tct_buf swap = now;
        now = next;
        next = swap;
    }
    tct_buf_add(out, now.data, now.len);
    tct_buf_free(&now);
    tct_buf_free(&next);
    return ok;
}

typedef struct range {
    size_t begin, end;
    bool match;
} range;
typedef TCT_VEC(range) ranges;

// Cuts text into matches of s->re and what lies between.
static bool find_ranges(const tct_tok_step *s, pcre2_match_data *md, const char *text, size_t len,
                        ranges *out) {
    size_t at = 0, from = 0, begin, end;
    bool failed = false;
    while (from <= len && tct_tok_regex_next(s->re, md, text, len, from, &begin, &end, &failed)) {
        if (begin > at) TCT_PUSH(out, (range){at, begin, false});
        TCT_PUSH(out, (range){begin, end, true});
        at = end;
        from = end > begin ? end : end < len ? end + tct_utf8_len((unsigned char)text[end]) : len + 1;
    }
    if (at < len) TCT_PUSH(out, (range){at, len, false});
    return !failed;
}

// Joins neighbours as the behaviour says, in place.
static void join_ranges(tct_tok_split how, ranges *r) {
    size_t n = 0;
    bool previous = false;
    if (how == TCT_TOK_WITH_NEXT) { // from the right, to the right end of the array
        n = r->len;
        for (size_t i = r->len; i-- > 0;) {
            range x = r->data[i];
            if (x.match && !previous && n < r->len)
                r->data[n].begin = x.begin;
            else
                r->data[--n] = x;
            previous = x.match;
        }
        if (n) memmove(r->data, r->data + n, (r->len - n) * sizeof *r->data);
        r->len -= n;
        return;
    }
    for (size_t i = 0; i < r->len; i++) {
        range x = r->data[i];
        bool join = how == TCT_TOK_WITH_PREVIOUS ? x.match && !previous
                                                 : how == TCT_TOK_CONTIGUOUS && x.match == previous;
        if (how == TCT_TOK_REMOVED && x.match) continue;
        if (join && n)
            r->data[n - 1].end = x.end;
        else
            r->data[n++] = x;
        previous = x.match;
    }
    r->len = n;
}

static void add_visible(tct_buf *b, const char *text, size_t len) {
    enum { MOST = 2 }; // bytes of a visible character
    b->data = tct_vec_reserve(b->data, &b->cap, b->len + MOST * len + 1, 1);
    for (size_t i = 0; i < len; i++)
        b->len += tct_utf8_encode(tct_tok_byte_char((unsigned char)text[i]), b->data + b->len);
    b->data[b->len] = 0;
}

// Appends one piece, its bytes as visible characters when asked.
static void emit(tct_tok_pieces *out, const char *text, size_t len, const tct_tok_piece *from, size_t offset,
                 bool bytes) {
    if (len == 0) return;
    tct_tok_piece p = {out->text.len, 0, from->first && offset == 0, from->continues && offset == 0};
    if (bytes) {
        add_visible(&out->text, text, len);
    } else {
        tct_buf_add(&out->text, text, len);
    }
    p.end = out->text.len;
    TCT_PUSH(&out->list, p);
}

// A dummy space before a piece: always, or only at the beginning of the text, never when it goes on.
static bool wants_space(const tct_tok_step *s, const tct_tok_piece *p, const char *text, size_t len,
                        const char *space, size_t space_len) {
    if (s->where == TCT_TOK_NEVER || p->continues || (s->where == TCT_TOK_FIRST && !p->first)) return false;
    return len < space_len || memcmp(text, space, space_len) != 0;
}

bool tct_tok_split_step(const tct_tok_step *s, pcre2_match_data *md, const tct_tok_pieces *in,
                        tct_tok_pieces *out) {
    ranges r = {0};
    tct_buf changed = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < in->list.len; i++) {
        const tct_tok_piece *p = &in->list.data[i];
        const char *text = in->text.data + p->begin;
        size_t len = p->end - p->begin;
        bool bytes = s->kind == TCT_TOK_BYTES, meta = s->kind == TCT_TOK_METASPACE;
        if (bytes || meta) {
            changed.len = 0;
            tct_buf_add(&changed, "", 0);
            if (bytes) {
                if (wants_space(s, p, text, len, " ", 1)) tct_buf_putc(&changed, ' ');
                tct_buf_add(&changed, text, len);
            } else {
                // A space is the character already when the piece is asked whether it begins with it.
                bool blank = len > 0 && text[0] == ' ';
                if (!blank && wants_space(s, p, text, len, s->text, s->text_len))
                    tct_buf_add(&changed, s->text, s->text_len);
                for (size_t k = 0; k < len; k++)
                    if (text[k] == ' ')
                        tct_buf_add(&changed, s->text, s->text_len);
                    else
                        tct_buf_putc(&changed, text[k]);
            }
            text = changed.data;
            len = changed.len;
        }
        if ((bytes && !s->re) || (meta && s->whole)) {
            emit(out, text, len, p, 0, bytes);
            continue;
        }
        r.len = 0;
        ok = find_ranges(s, md, text, len, &r);
        for (size_t k = 0; s->invert && k < r.len; k++) r.data[k].match = !r.data[k].match;
        join_ranges(bytes ? TCT_TOK_ISOLATED : meta ? TCT_TOK_WITH_NEXT : s->split, &r);
        for (size_t k = 0; k < r.len; k++)
            emit(out, text + r.data[k].begin, r.data[k].end - r.data[k].begin, p, r.data[k].begin, bytes);
    }
    TCT_VEC_FREE(&r);
    tct_buf_free(&changed);
    return ok;
}
