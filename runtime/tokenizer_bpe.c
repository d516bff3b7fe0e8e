// Byte-pair encoding of one word: a linked list of symbols and a heap of the merges that are possible, so
// that a long word (a whole text, where there is no pre-tokenizer) takes n log n.
#include "runtime/tokenizer_internal.h"
#include "runtime/utf8.h"

typedef struct tct_tok_symbol symbol;
typedef struct tct_tok_candidate candidate;

// Lower rank first, then further left.
static bool before(const candidate *a, const candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(tct_tok_scratch *s, candidate c) {
    TCT_PUSH(&s->heap, c);
    candidate *h = s->heap.data;
    size_t i = s->heap.len - 1;
    for (; i > 0 && before(&c, &h[(i - 1) / 2]); i = (i - 1) / 2) h[i] = h[(i - 1) / 2];
    h[i] = c;
}

static candidate heap_pop(tct_tok_scratch *s) {
    candidate *h = s->heap.data, top = h[0], last = h[--s->heap.len];
    size_t n = s->heap.len, i = 0;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && before(&h[child + 1], &h[child])) child++;
        if (!before(&h[child], &last)) break;
        h[i] = h[child];
        i = child;
    }
    if (n) h[i] = last;
    return top;
}

static void offer(const tct_tokenizer *t, tct_tok_scratch *s, int32_t at) {
    const symbol *left = &s->symbols.data[at];
    if (left->next < 0) return;
    int32_t right = s->symbols.data[left->next].id;
    const struct tct_tok_merge *m = tct_tok_vocab_merge(&t->vocab, left->id, right);
    if (m) heap_push(s, (candidate){m->rank, at, left->id, right, m->merged});
}

static void add_symbol(tct_tok_scratch *s, int32_t id) {
    int32_t n = (int32_t)s->symbols.len;
    TCT_PUSH(&s->symbols, (symbol){id, n - 1, n + 1});
}

// Characters to symbols. An unknown character is its bytes, or the unknown token (several in a row are one
// when fuse_unk says so). As in the reference implementation, bytes don't end a row of unknowns.
static bool first_symbols(const tct_tokenizer *t, tct_tok_scratch *s, const char *word, size_t len,
                          size_t *bad) {
    int32_t unk = t->special[TCT_UNK];
    bool pending = false;
    for (size_t at = 0, n; at < len; at += n) {
        n = tct_utf8_len((unsigned char)word[at]);
        int32_t id = tct_tok_vocab_find(&t->vocab, word + at, n);
        bool bytes = id < 0 && t->byte_fallback;
        for (size_t i = 0; bytes && i < n; i++) bytes = t->byte_ids[(unsigned char)word[at + i]] >= 0;
        if (bytes) {
            for (size_t i = 0; i < n; i++) add_symbol(s, t->byte_ids[(unsigned char)word[at + i]]);
            continue;
        }
        if (id < 0 && unk < 0) {
            *bad = at;
            return false;
        }
        if (pending && !(id < 0 && t->fuse_unk)) add_symbol(s, unk);
        pending = id < 0;
        if (id >= 0) add_symbol(s, id);
    }
    if (pending) add_symbol(s, unk);
    return true;
}

bool tct_tok_bpe(const tct_tokenizer *t, tct_tok_scratch *s, const char *word, size_t len, tct_ids *out,
                 size_t *bad) {
    if (t->ignore_merges) {
        int32_t id = tct_tok_vocab_find(&t->vocab, word, len);
        if (id >= 0) {
            TCT_PUSH(out, id);
            return true;
        }
    }
    s->symbols.len = s->heap.len = 0;
    if (!first_symbols(t, s, word, len, bad)) return false;
    int32_t n = (int32_t)s->symbols.len;
    if (n == 0) return true;
    s->symbols.data[n - 1].next = -1;
    for (int32_t i = 0; i + 1 < n; i++) offer(t, s, i);
    while (s->heap.len) {
        candidate c = heap_pop(s);
        symbol *left = &s->symbols.data[c.at];
        if (left->id != c.left || left->next < 0) continue; // merged meanwhile
        symbol *right = &s->symbols.data[left->next];
        if (right->id != c.right) continue;
        left->id = c.merged;
        right->id = -1;
        left->next = right->next;
        if (left->next >= 0) s->symbols.data[left->next].prev = c.at;
        if (left->prev >= 0) offer(t, s, left->prev);
        offer(t, s, c.at);
    }
    for (int32_t i = 0; i >= 0; i = s->symbols.data[i].next) TCT_PUSH(out, s->symbols.data[i].id);
    return true;
}
