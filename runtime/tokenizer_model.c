// The "model" and "added_tokens" parts of tokenizer.json.
#include "runtime/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool bad(tct_diag *d, const tct_tokenizer *t, const char *what) {
    return tct_error(d, "E0706", TCT_NO_SPAN, "%s: %s", t->label, what);
}

static bool load_vocab(tct_diag *d, tct_tokenizer *t, json_t *vocab) {
    const char *token;
    json_t *id;
    if (!json_is_object(vocab)) return bad(d, t, "model.vocab must be an object {token: id}");
    json_object_foreach(vocab, token, id) {
        json_int_t v = json_is_integer(id) ? json_integer_value(id) : -1;
        if (v < 0 || v > TCT_TOK_MAX_ID)
            return tct_error(d, "E0706", TCT_NO_SPAN,
                             "%s: model.vocab: the id of '%s' must be a whole number from 0 to %d", t->label,
                             token, TCT_TOK_MAX_ID);
        if (!tct_tok_vocab_add(&t->vocab, tct_arena_strdup(&t->arena, token), strlen(token), (int32_t)v))
            return tct_error(d, "E0706", TCT_NO_SPAN, "%s: model.vocab: '%s' has the id of another token, %d",
                             t->label, token, (int)v);
    }
    return t->vocab.tokens.len > 0 || bad(d, t, "model.vocab is empty");
}

// One merge, ["a", "b"] or "a b".
static bool load_merge(tct_diag *d, tct_tokenizer *t, json_t *merge, uint32_t rank, tct_buf *joined) {
    const char *left = NULL, *right = NULL;
    size_t left_len = 0;
    if (json_is_string(merge)) {
        left = json_string_value(merge);
        const char *space = strchr(left, ' ');
        if (space && !strchr(space + 1, ' ')) {
            left_len = (size_t)(space - left);
            right = space + 1;
        }
    } else if (json_array_size(merge) == 2) {
        left = json_string_value(json_array_get(merge, 0));
        right = json_string_value(json_array_get(merge, 1));
        left_len = left ? strlen(left) : 0;
    }
    if (!left || !right)
        return tct_error(d, "E0706", TCT_NO_SPAN,
                         "%s: model.merges: merge %u must be \"left right\" or [left, right]", t->label,
                         rank);
    joined->len = 0;
    tct_buf_add(joined, left, left_len);
    tct_buf_puts(joined, right);
    int32_t l = tct_tok_vocab_find(&t->vocab, left, left_len),
            r = tct_tok_vocab_find(&t->vocab, right, strlen(right));
    int32_t m = tct_tok_vocab_find(&t->vocab, joined->data, joined->len);
    if (l < 0 || r < 0 || m < 0)
        return tct_error(d, "E0706", TCT_NO_SPAN,
                         "%s: model.merges: '%.*s' + '%s' (merge %u): %s is not in the vocabulary", t->label,
                         (int)left_len, left, right, rank,
                         l < 0   ? "the left part"
                         : r < 0 ? "the right part"
                                 : "what it makes");
    tct_tok_vocab_add_merge(&t->vocab, l, r, rank, m);
    return true;
}

static bool load_merges(tct_diag *d, tct_tokenizer *t, json_t *merges) {
    if (!json_is_array(merges)) return bad(d, t, "model.merges must be a list");
    tct_buf joined = {0};
    bool ok = json_array_size(merges) < UINT32_MAX;
    size_t i;
    json_t *merge;
    json_array_foreach(merges, i, merge) {
        ok = load_merge(d, t, merge, (uint32_t)i, &joined);
        if (!ok) break;
    }
    tct_buf_free(&joined);
    return ok;
}

static bool load_bool(tct_diag *d, const tct_tokenizer *t, json_t *object, const char *key, bool *out) {
    json_t *v = json_object_get(object, key);
    *out = json_is_true(v);
    return !v || json_is_boolean(v) || json_is_null(v) ||
           tct_error(d, "E0706", TCT_NO_SPAN, "%s: '%s' must be true or false", t->label, key);
}

// Options of the model that change what it does and that Tercet has not must be off.
static bool must_be_off(tct_diag *d, const tct_tokenizer *t, json_t *model, const char *key) {
    json_t *v = json_object_get(model, key);
    bool off = !v || json_is_null(v) || (json_is_number(v) && json_number_value(v) == 0) ||
               (json_is_string(v) && json_string_length(v) == 0);
    return off || tct_error(d, "E0706", TCT_NO_SPAN, "%s: model.%s is not supported", t->label, key);
}

bool tct_tok_load_model(tct_diag *d, tct_tokenizer *t, json_t *model) {
    if (!json_is_object(model)) return bad(d, t, "an object with a 'model' was expected");
    const char *type = json_string_value(json_object_get(model, "type"));
    // Files from before the type was written down have vocab and merges all the same.
    if (type ? strcmp(type, "BPE") != 0 : !json_object_get(model, "merges"))
        return tct_error(d, "E0706", TCT_NO_SPAN, "%s: model type '%s' is not supported, only BPE is",
                         t->label, type ? type : "(none)");
    if (!must_be_off(d, t, model, "dropout") || !must_be_off(d, t, model, "continuing_subword_prefix") ||
        !must_be_off(d, t, model, "end_of_word_suffix") ||
        !load_bool(d, t, model, "fuse_unk", &t->fuse_unk) ||
        !load_bool(d, t, model, "byte_fallback", &t->byte_fallback) ||
        !load_bool(d, t, model, "ignore_merges", &t->ignore_merges) ||
        !load_vocab(d, t, json_object_get(model, "vocab")) ||
        !load_merges(d, t, json_object_get(model, "merges")))
        return false;
    const char *unk = json_string_value(json_object_get(model, "unk_token"));
    if (unk) {
        t->special[TCT_UNK] = tct_tok_vocab_find(&t->vocab, unk, strlen(unk));
        if (t->special[TCT_UNK] < 0)
            return tct_error(d, "E0706", TCT_NO_SPAN, "%s: the unk_token '%s' is not in the vocabulary",
                             t->label, unk);
    }
    for (int i = 0; i < 256; i++) {
        char name[8];
        int n = snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        t->byte_ids[i] = tct_tok_vocab_find(&t->vocab, name, (size_t)n);
    }
    return true;
}

static int by_content(const void *a, const void *b) {
    const tct_tok_added *x = a, *y = b;
    int c = memcmp(x->content, y->content, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

static bool load_one_added(tct_diag *d, tct_tokenizer *t, json_t *token) {
    tct_tok_added a = {0};
    bool special;
    const char *content = json_string_value(json_object_get(token, "content"));
    json_t *id = json_object_get(token, "id");
    if (!content || !content[0] || !json_is_integer(id) || json_integer_value(id) < 0 ||
        json_integer_value(id) > TCT_TOK_MAX_ID)
        return tct_error(d, "E0706", TCT_NO_SPAN,
                         "%s: an added token needs a 'content' and an 'id' from 0 to %d", t->label,
                         TCT_TOK_MAX_ID);
    if (!load_bool(d, t, token, "single_word", &a.single_word) ||
        !load_bool(d, t, token, "lstrip", &a.lstrip) || !load_bool(d, t, token, "rstrip", &a.rstrip) ||
        !load_bool(d, t, token, "normalized", &a.normalized) || !load_bool(d, t, token, "special", &special))
        return false;
    a.id = (int32_t)json_integer_value(id);
    a.content = tct_arena_strdup(&t->arena, content);
    a.len = strlen(content);
    if (!tct_tok_vocab_add(&t->vocab, a.content, a.len, a.id))
        return tct_error(d, "E0706", TCT_NO_SPAN, "%s: the added token '%s' has the id %d, but %s", t->label,
                         content, a.id,
                         tct_tok_vocab_find(&t->vocab, content, a.len) >= 0
                             ? "the model's vocabulary gives it another"
                             : "another token has that id");
    if (special) t->vocab.tokens.data[a.id].special = true;
    if (a.normalized) { // it is looked for in normalised text, so it is normalised too
        tct_buf normal = {0};
        pcre2_match_data *md = pcre2_match_data_create(1, NULL);
        bool ok = tct_tok_normalize(t, md, a.content, a.len, false, &normal);
        pcre2_match_data_free(md);
        a.content = tct_arena_strndup(&t->arena, normal.data, normal.len);
        a.len = normal.len;
        tct_buf_free(&normal);
        if (!ok)
            return tct_error(d, "E0706", TCT_NO_SPAN, "%s: the added token '%s' can't be normalised",
                             t->label, content);
    }
    if (a.len == 0) return true; // normalised to nothing: it never occurs
    if (a.normalized)
        TCT_PUSH(&t->normalized_added, a);
    else
        TCT_PUSH(&t->raw_added, a);
    return true;
}

bool tct_tok_load_added(tct_diag *d, tct_tokenizer *t, json_t *added) {
    size_t i;
    json_t *token;
    if (!added || json_is_null(added)) return true;
    if (!json_is_array(added)) return bad(d, t, "'added_tokens' must be a list");
    json_array_foreach(added, i, token) {
        if (!load_one_added(d, t, token)) return false;
    }
    if (t->raw_added.len) qsort(t->raw_added.data, t->raw_added.len, sizeof *t->raw_added.data, by_content);
    if (t->normalized_added.len)
        qsort(t->normalized_added.data, t->normalized_added.len, sizeof *t->normalized_added.data,
              by_content);
    return true;
}
