// Ids to text, one token at a time. Decoding a whole list is pushing all of it.
#include "runtime/tokenizer_internal.h"
#include "runtime/utf8.h"

#include <string.h>

// Appends the well-formed part of `bytes`, U+FFFD for what can't become well formed; keeps an unfinished
// character unless this is the end.
static void emit_bytes(tct_buf *bytes, bool end, tct_buf *out) {
    const unsigned char *s = (const unsigned char *)bytes->data;
    size_t at = 0, n = bytes->len, bad;
    while (at < n) {
        uint32_t code;
        bool partial;
        size_t len = tct_utf8_decode(s + at, n - at, &code, &bad, &partial);
        if (len) {
            tct_buf_add(out, s + at, len);
        } else if (partial && !end) {
            break;
        } else {
            tct_buf_puts(out, "\xEF\xBF\xBD");
            len = bad;
        }
        at += len;
    }
    if (at) memmove(bytes->data, bytes->data + at, n - at);
    bytes->len = n - at;
}

// A token of visible characters as the bytes it stands for; one with any other character as it is.
static void append_visible(const char *text, size_t len, tct_buf *bytes) {
    size_t before = bytes->len, n, bad;
    for (size_t at = 0; at < len; at += n) {
        uint32_t code;
        bool partial;
        n = tct_utf8_decode((const unsigned char *)text + at, len - at, &code, &bad, &partial);
        int byte = n ? tct_tok_char_byte(code) : -1;
        if (byte < 0) {
            bytes->len = before;
            tct_buf_add(bytes, text, len);
            return;
        }
        tct_buf_putc(bytes, (char)byte);
    }
}

// The byte of a token "<0xXX>", -1 for another.
static int fallback_byte(const char *text, size_t len) {
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static void strip_token(const tct_tok_step *s, const char **text, size_t *len) {
    for (int i = 0; i < s->start && *len >= s->text_len && memcmp(*text, s->text, s->text_len) == 0; i++) {
        *text += s->text_len;
        *len -= s->text_len;
    }
    for (int i = 0;
         i < s->stop && *len >= s->text_len && memcmp(*text + *len - s->text_len, s->text, s->text_len) == 0;
         i++)
        *len -= s->text_len;
}

static void replace_all(const tct_tok_step *s, const char *text, size_t len, tct_buf *out) {
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    if (!md) tct_out_of_memory(64);
    size_t at = 0, from = 0, begin, end;
    bool failed;
    while (from <= len && tct_tok_regex_next(s->re, md, text, len, from, &begin, &end, &failed)) {
        tct_buf_add(out, text + at, begin - at);
        tct_buf_add(out, s->text, s->text_len);
        at = end;
        from = end > begin ? end : end < len ? end + tct_utf8_len((unsigned char)text[end]) : len + 1;
    }
    tct_buf_add(out, text + at, len - at);
    pcre2_match_data_free(md);
}

// Text that Fuse and a Strip after it made of all tokens: characters at the beginning are dropped, as many as
// may have to be dropped at the end are held back.
static void emit_fused(tct_decoder *s, const tct_tok_step *strip, const char *text, size_t len,
                       tct_buf *out) {
    while (strip && s->to_strip > 0 && len > 0) {
        bool drop = len >= strip->text_len && memcmp(text, strip->text, strip->text_len) == 0;
        s->to_strip = drop ? s->to_strip - 1 : 0;
        if (!drop) break;
        text += strip->text_len;
        len -= strip->text_len;
    }
    tct_buf_add(&s->bytes, text, len);
    size_t hold = 0;
    for (int i = 0; strip && i < strip->stop && s->bytes.len - hold >= strip->text_len; i++) {
        if (memcmp(s->bytes.data + s->bytes.len - hold - strip->text_len, strip->text, strip->text_len) != 0)
            break;
        hold += strip->text_len;
    }
    size_t ready = s->bytes.len - hold;
    if (!ready) return;
    tct_buf_add(out, s->bytes.data, ready);
    memmove(s->bytes.data, s->bytes.data + ready, hold);
    s->bytes.len = hold;
}

static void run_steps(tct_decoder *s, size_t from, const char *text, size_t len, tct_buf *out);

// Bytes that were gathered: one text when they are well formed, else a U+FFFD each.
static void release_held(tct_decoder *s, size_t step, tct_buf *out) {
    if (!s->held.len) return;
    tct_buf run = s->held;
    s->held = (tct_buf){0};
    if (tct_utf8_check(run.data, run.len) == run.len)
        run_steps(s, step + 1, run.data, run.len, out);
    else
        for (size_t i = 0; i < run.len; i++) run_steps(s, step + 1, "\xEF\xBF\xBD", 3, out);
    tct_buf_free(&run);
}

// Passes one token's text through the steps from `from` on.
static void run_steps(tct_decoder *s, size_t from, const char *text, size_t len, tct_buf *out) {
    const tct_tok_steps *steps = &s->tokenizer->decoder;
    tct_buf a = {0}, b = {0};
    for (size_t i = from; i < steps->len; i++) {
        const tct_tok_step *step = &steps->data[i];
        switch (step->kind) {
        case TCT_TOK_BYTES:
            append_visible(text, len, &s->bytes);
            emit_bytes(&s->bytes, false, out);
            goto done;
        case TCT_TOK_FALLBACK: {
            int byte = fallback_byte(text, len);
            if (byte >= 0) {
                tct_buf_putc(&s->held, (char)byte);
                goto done;
            }
            release_held(s, i, out);
            break;
        }
        case TCT_TOK_FUSE:
            emit_fused(s, i + 1 < steps->len ? &steps->data[i + 1] : NULL, text, len, out);
            goto done;
        case TCT_TOK_STRIP:
            strip_token(step, &text, &len);
            break;
        case TCT_TOK_METASPACE:
        case TCT_TOK_REPLACE: {
            tct_tok_step space = *step;
            if (step->kind == TCT_TOK_METASPACE) { // the first token loses its leading space
                bool drop = !s->started && step->where != TCT_TOK_NEVER && !(s->flags & TCT_DECODE_CONTINUE);
                space.text = drop ? "" : " ";
                space.text_len = drop ? 0 : 1;
            }
            b.len = 0;
            replace_all(&space, text, len, &b);
            tct_buf swap = a;
            a = b;
            b = swap;
            text = a.data;
            len = a.len;
            break;
        }
        case TCT_TOK_SPACED:
            if (s->started) tct_buf_putc(out, ' ');
            break;
        default:
            break;
        }
    }
    tct_buf_add(out, text, len);
done:
    tct_buf_free(&a);
    tct_buf_free(&b);
}

void tct_decoder_push(tct_decoder *s, int32_t id, tct_buf *out) {
    const tct_tokenizer *t = s->tokenizer;
    const char *text = tct_tokenizer_token(t, id);
    if (!text || (s->flags & TCT_DECODE_SKIP_SPECIAL && tct_tokenizer_is_special(t, id))) return;
    if (!s->started && !(s->flags & TCT_DECODE_CONTINUE) && t->decoder.len) {
        const tct_tok_step *last = &t->decoder.data[t->decoder.len - 1];
        s->to_strip = last->kind == TCT_TOK_STRIP ? last->start : 0;
    }
    run_steps(s, 0, text, t->vocab.tokens.data[id].len, out);
    s->started = true;
}

void tct_decoder_finish(tct_decoder *s, tct_buf *out) {
    const tct_tok_steps *steps = &s->tokenizer->decoder;
    for (size_t i = 0; i < steps->len; i++)
        if (steps->data[i].kind == TCT_TOK_FALLBACK) release_held(s, i, out);
    if (steps->len && steps->data[0].kind == TCT_TOK_BYTES) emit_bytes(&s->bytes, true, out);
    tct_buf_free(&s->bytes); // characters held back for a Strip at the end are what it strips
    tct_buf_free(&s->held);
    *s = (tct_decoder){.tokenizer = s->tokenizer, .flags = s->flags};
}

void tct_tokenizer_decode(const tct_tokenizer *t, const int32_t *ids, size_t n, unsigned flags,
                          tct_buf *out) {
    tct_decoder s = {.tokenizer = t, .flags = flags};
    for (size_t i = 0; i < n; i++) tct_decoder_push(&s, ids[i], out);
    tct_decoder_finish(&s, out);
    tct_buf_add(out, "", 0); // an empty text is a text too
}
