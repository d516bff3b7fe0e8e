// Words that were encoded before: text repeats its words, and looking one up is cheaper than merging again.
#include "runtime/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

// Long words are rare; a table full of them would be large.
enum { LONGEST = 64, MOST = 1 << 16 };

static size_t slot_of(const tct_tok_memo *m, const char *word, size_t len, uint64_t hash) {
    size_t mask = m->n_slots - 1, i = (size_t)hash & mask;
    for (; m->slots[i]; i = (i + 1) & mask) {
        const struct tct_tok_known *k = &m->words.data[m->slots[i] - 1];
        if (k->hash == hash && k->len == len && memcmp(m->text.data + k->text, word, len) == 0) break;
    }
    return i;
}

bool tct_tok_memo_get(const tct_tok_memo *m, const char *word, size_t len, tct_ids *out) {
    if (!m->n_slots || len > LONGEST) return false;
    uint32_t at = m->slots[slot_of(m, word, len, XXH3_64bits(word, len))];
    if (!at) return false;
    const struct tct_tok_known *k = &m->words.data[at - 1];
    for (uint32_t i = 0; i < k->n_ids; i++) TCT_PUSH(out, m->ids.data[k->ids + i]);
    return true;
}

static void grow(tct_tok_memo *m) {
    free(m->slots);
    m->n_slots = m->n_slots ? m->n_slots * 2 : 1024;
    m->slots = tct_alloc(m->n_slots * sizeof *m->slots);
    for (size_t w = 0; w < m->words.len; w++) {
        size_t i = (size_t)m->words.data[w].hash & (m->n_slots - 1);
        while (m->slots[i]) i = (i + 1) & (m->n_slots - 1);
        m->slots[i] = (uint32_t)w + 1;
    }
}

void tct_tok_memo_put(tct_tok_memo *m, const char *word, size_t len, const int32_t *ids, size_t n_ids) {
    if (len > LONGEST || m->words.len == MOST) return;
    if (2 * m->words.len >= m->n_slots) grow(m);
    struct tct_tok_known k = {XXH3_64bits(word, len), m->text.len, m->ids.len, (uint32_t)len,
                              (uint32_t)n_ids};
    size_t at = slot_of(m, word, len, k.hash);
    tct_buf_add(&m->text, word, len);
    for (size_t i = 0; i < n_ids; i++) TCT_PUSH(&m->ids, ids[i]);
    TCT_PUSH(&m->words, k);
    m->slots[at] = (uint32_t)m->words.len;
}

void tct_tok_memo_free(tct_tok_memo *m) {
    free(m->slots);
    TCT_VEC_FREE(&m->words);
    tct_buf_free(&m->text);
    TCT_VEC_FREE(&m->ids);
    *m = (tct_tok_memo){0};
}
