// Text to ids: added tokens are cut out first, what is left is normalised, split into words and encoded.
#include "runtime/tokenizer_internal.h"
#include "runtime/utf8.h"

#include <string.h>
#include <utf8proc.h>

struct tct_encoder {
    const tct_tokenizer *t;
    pcre2_match_data *md;
    tct_tok_pieces a, b; // take turns
    tct_tok_scratch scratch;
    tct_tok_memo memo;
    bool begins_raw[256], begins_normalized[256]; // bytes that added tokens begin with
    // Of the text at hand.
    tct_diag *d;
    tct_ids *out;
    bool continues; // it goes on after earlier text
};

typedef struct tct_encoder encoder;

// The longest added token that `text` begins with; NULL: none. The list is sorted, so the tokens that agree
// with the first k bytes are a range of it, which each byte narrows.
static const tct_tok_added *match_added(const tct_tok_added_list *list, const char *text, size_t len) {
    size_t lo = 0, hi = list->len;
    const tct_tok_added *found = NULL;
    for (size_t k = 0; lo < hi; k++) {
        if (list->data[lo].len == k) found = &list->data[lo++];
        if (k == len) break;
        unsigned char c = (unsigned char)text[k];
        for (int bound = 0; bound < 2; bound++) { // first token with byte k ≥ c, then first with > c
            size_t left = lo, right = hi;
            while (left < right) {
                size_t mid = left + (right - left) / 2;
                if ((unsigned char)list->data[mid].content[k] < c + bound)
                    left = mid + 1;
                else
                    right = mid;
            }
            if (bound == 0)
                lo = left;
            else
                hi = left;
        }
    }
    return found;
}

static bool is_space(uint32_t code) {
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
    return (code >= 9 && code <= 13) || code == 0x85 || c == UTF8PROC_CATEGORY_ZS ||
           c == UTF8PROC_CATEGORY_ZL || c == UTF8PROC_CATEGORY_ZP;
}

// Unicode's word characters: letters, marks, digits, letter numbers, connectors, joiners, letters in circles.
static bool is_word(uint32_t code) {
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NL) || c == UTF8PROC_CATEGORY_PC ||
           code == 0x200C || code == 0x200D || (code >= 0x24B6 && code <= 0x24E9) ||
           (code >= 0x1F130 && code <= 0x1F149) || (code >= 0x1F150 && code <= 0x1F169) ||
           (code >= 0x1F170 && code <= 0x1F189);
}

static uint32_t char_at(const char *text, size_t at, size_t len) {
    uint32_t code = 0;
    size_t bad;
    bool partial;
    tct_utf8_decode((const unsigned char *)text + at, len - at, &code, &bad, &partial);
    return code;
}

static size_t char_before(const char *text, size_t at) {
    do at--;
    while (((unsigned char)text[at] & 0xC0) == 0x80);
    return at;
}

// Whether the match at [begin, end) counts; widens it over the spaces that the token swallows.
static bool accept(const tct_tok_added *a, const char *text, size_t len, size_t from, size_t *begin,
                   size_t *end) {
    if (a->single_word && ((*begin > 0 && is_word(char_at(text, char_before(text, *begin), len))) ||
                           (*end < len && is_word(char_at(text, *end, len)))))
        return false;
    while (a->lstrip && *begin > from && is_space(char_at(text, char_before(text, *begin), len)))
        *begin = char_before(text, *begin);
    while (a->rstrip && *end < len && is_space(char_at(text, *end, len)))
        *end += tct_utf8_len((unsigned char)text[*end]);
    return true;
}

static bool gave_up(encoder *e) {
    return tct_error(e->d, "E0707", TCT_NO_SPAN, "a pattern of %s needs too many steps on this text",
                     e->t->label);
}

static bool encode_words(encoder *e, const char *text, size_t len, bool first) {
    if (len == 0) return true;
    tct_tok_pieces *in = &e->a, *out = &e->b;
    in->text.len = in->list.len = 0;
    tct_buf_add(&in->text, text, len);
    TCT_PUSH(&in->list, (tct_tok_piece){0, len, first, first && e->continues});
    for (size_t i = 0; i < e->t->splitter.len; i++) {
        out->text.len = out->list.len = 0;
        if (!tct_tok_split_step(&e->t->splitter.data[i], e->md, in, out)) return gave_up(e);
        tct_tok_pieces *swap = in;
        in = out;
        out = swap;
    }
    for (size_t i = 0; i < in->list.len; i++) {
        const tct_tok_piece *p = &in->list.data[i];
        const char *word = in->text.data + p->begin;
        size_t bad, n = p->end - p->begin, before = e->out->len;
        if (tct_tok_memo_get(&e->memo, word, n, e->out)) continue;
        if (!tct_tok_bpe(e->t, &e->scratch, word, n, e->out, &bad))
            return tct_error(e->d, "E0707", TCT_NO_SPAN, "%s has no token for '%.*s'", e->t->label,
                             (int)tct_utf8_len((unsigned char)word[bad]), word + bad);
        tct_tok_memo_put(&e->memo, word, n, e->out->data + before, e->out->len - before);
    }
    return true;
}

// Cuts the tokens of `list`, which begin with the bytes of `begins`, out of text; `within` encodes what lies
// between.
static bool cut_added(encoder *e, const tct_tok_added_list *list, const bool begins[256], const char *text,
                      size_t len, bool first, bool (*within)(encoder *, const char *, size_t, bool)) {
    size_t done = 0;
    for (size_t at = 0; list->len && at < len;) {
        if (!begins[(unsigned char)text[at]]) {
            at++;
            continue;
        }
        const tct_tok_added *a = match_added(list, text + at, len - at);
        size_t begin = at, end = a ? at + a->len : at + 1;
        if (a && accept(a, text, len, done, &begin, &end)) {
            if (begin > done && !within(e, text + done, begin - done, first && done == 0)) return false;
            TCT_PUSH(e->out, a->id);
            done = end;
        } else if (a) {
            end = at + a->len; // a match that doesn't count is passed over whole
        }
        at = end;
    }
    return done >= len || within(e, text + done, len - done, first && done == 0);
}

static bool encode_stretch(encoder *e, const char *text, size_t len, bool first) {
    tct_buf normal = {0};
    bool ok = true;
    if (e->t->normalizer.len) {
        ok = tct_tok_normalize(e->t, e->md, text, len, first && e->continues, &normal) || gave_up(e);
        text = normal.data;
        len = normal.len;
    }
    ok = ok && cut_added(e, &e->t->normalized_added, e->begins_normalized, text, len, first, encode_words);
    tct_buf_free(&normal);
    return ok;
}

static void note_begins(const tct_tok_added_list *list, bool begins[256]) {
    for (size_t i = 0; i < list->len; i++)
        if (list->data[i].len) begins[(unsigned char)list->data[i].content[0]] = true;
}

tct_encoder *tct_encoder_new(const tct_tokenizer *t) {
    tct_encoder *e = tct_alloc(sizeof *e);
    e->t = t;
    e->md = pcre2_match_data_create(1, NULL);
    if (!e->md) tct_out_of_memory(64);
    note_begins(&t->raw_added, e->begins_raw);
    note_begins(&t->normalized_added, e->begins_normalized);
    return e;
}

void tct_encoder_free(tct_encoder *e) {
    if (!e) return;
    pcre2_match_data_free(e->md);
    tct_buf_free(&e->a.text);
    tct_buf_free(&e->b.text);
    TCT_VEC_FREE(&e->a.list);
    TCT_VEC_FREE(&e->b.list);
    TCT_VEC_FREE(&e->scratch.symbols);
    TCT_VEC_FREE(&e->scratch.heap);
    tct_tok_memo_free(&e->memo);
    tct_heap_free(e);
}

bool tct_encoder_encode(tct_diag *d, tct_encoder *e, const char *text, size_t len, unsigned flags,
                        tct_ids *out) {
    const tct_tokenizer *t = e->t;
    size_t valid = tct_utf8_check(text, len);
    if (valid < len) return tct_error(d, "E0707", TCT_NO_SPAN, "the text is not UTF-8 at byte %zu", valid);
    if (len > INT32_MAX / 8)
        return tct_error(d, "E0707", TCT_NO_SPAN, "a text of %zu bytes is too long to tokenise", len);
    e->d = d;
    e->out = out;
    e->continues = (flags & TCT_ENCODE_CONTINUE) != 0;
    for (size_t i = 0; flags & TCT_ENCODE_PREFIX && i < t->prefix.len; i++) TCT_PUSH(out, t->prefix.data[i]);
    bool ok = cut_added(e, &t->raw_added, e->begins_raw, text, len, true, encode_stretch);
    for (size_t i = 0; flags & TCT_ENCODE_SUFFIX && i < t->suffix.len; i++) TCT_PUSH(out, t->suffix.data[i]);
    return ok;
}

bool tct_tokenizer_encode(tct_diag *d, const tct_tokenizer *t, const char *text, size_t len, unsigned flags,
                          tct_ids *out) {
    tct_encoder *e = tct_encoder_new(t);
    bool ok = tct_encoder_encode(d, e, text, len, flags, out);
    tct_encoder_free(e);
    return ok;
}
