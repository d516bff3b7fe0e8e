#include "runtime/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static size_t text_slot(const tct_tok_vocab *v, const char *text, size_t len) {
    size_t mask = v->text_slots - 1, i = (size_t)XXH3_64bits(text, len) & mask;
    while (v->by_text[i]) {
        const tct_tok_entry *e = &v->tokens.data[v->by_text[i] - 1];
        if (e->len == len && memcmp(e->text, text, len) == 0) break;
        i = (i + 1) & mask;
    }
    return i;
}

int32_t tct_tok_vocab_find(const tct_tok_vocab *v, const char *text, size_t len) {
    return v->text_used ? v->by_text[text_slot(v, text, len)] - 1 : -1;
}

static void grow_texts(tct_tok_vocab *v) {
    free(v->by_text);
    v->text_slots = v->text_slots ? v->text_slots * 2 : 1024;
    v->by_text = tct_alloc(v->text_slots * sizeof *v->by_text);
    for (size_t id = 0; id < v->tokens.len; id++) {
        const tct_tok_entry *e = &v->tokens.data[id];
        if (e->text) v->by_text[text_slot(v, e->text, e->len)] = (int32_t)id + 1;
    }
}

bool tct_tok_vocab_add(tct_tok_vocab *v, const char *text, size_t len, int32_t id) {
    int32_t there = tct_tok_vocab_find(v, text, len);
    if (there >= 0) return there == id;
    while (v->tokens.len <= (size_t)id) TCT_PUSH(&v->tokens, (tct_tok_entry){0});
    if (v->tokens.data[id].text || len > UINT32_MAX) return false;
    if (v->text_used * 2 >= v->text_slots) grow_texts(v);
    v->tokens.data[id] = (tct_tok_entry){text, (uint32_t)len, false};
    v->by_text[text_slot(v, text, len)] = id + 1;
    v->text_used++;
    return true;
}

static size_t merge_slot(const tct_tok_vocab *v, int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t mask = v->merge_slots - 1, i = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & mask;
    while (v->merges[i].left >= 0 && (v->merges[i].left != left || v->merges[i].right != right))
        i = (i + 1) & mask;
    return i;
}

const struct tct_tok_merge *tct_tok_vocab_merge(const tct_tok_vocab *v, int32_t left, int32_t right) {
    if (!v->merge_used) return NULL;
    const struct tct_tok_merge *m = &v->merges[merge_slot(v, left, right)];
    return m->left >= 0 ? m : NULL;
}

static void grow_merges(tct_tok_vocab *v) {
    struct tct_tok_merge *old = v->merges;
    size_t n = v->merge_slots;
    v->merge_slots = n ? n * 2 : 1024;
    v->merges = tct_alloc(v->merge_slots * sizeof *v->merges);
    for (size_t i = 0; i < v->merge_slots; i++) v->merges[i].left = -1;
    for (size_t i = 0; i < n; i++)
        if (old[i].left >= 0) v->merges[merge_slot(v, old[i].left, old[i].right)] = old[i];
    free(old);
}

void tct_tok_vocab_add_merge(tct_tok_vocab *v, int32_t left, int32_t right, uint32_t rank, int32_t merged) {
    if (v->merge_used * 2 >= v->merge_slots) grow_merges(v);
    struct tct_tok_merge *m = &v->merges[merge_slot(v, left, right)];
    v->merge_used += m->left < 0;
    *m = (struct tct_tok_merge){left, right, rank, merged};
}

void tct_tok_vocab_free(tct_tok_vocab *v) {
    TCT_VEC_FREE(&v->tokens);
    free(v->by_text);
    free(v->merges);
    *v = (tct_tok_vocab){0};
}
