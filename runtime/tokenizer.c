// Opening a tokenizer with its special ids, looking tokens up, and saving its files.
#include "base/file.h"
#include "runtime/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Files that belong to a tokenizer and are copied with it; the first is the one that is understood.
static const char *const companions[] = {
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt",     "tokenizer.model",       "chat_template.jinja"};

static void free_steps(tct_tok_steps *steps) {
    for (size_t i = 0; i < steps->len; i++) pcre2_code_free(steps->data[i].re);
    TCT_VEC_FREE(steps);
}

void tct_tokenizer_close(tct_tokenizer *t) {
    if (!t) return;
    free_steps(&t->normalizer);
    free_steps(&t->splitter);
    free_steps(&t->decoder);
    for (size_t i = 0; i < t->files.len; i++) tct_heap_free(t->files.data[i].data);
    TCT_VEC_FREE(&t->files);
    TCT_VEC_FREE(&t->raw_added);
    TCT_VEC_FREE(&t->normalized_added);
    TCT_VEC_FREE(&t->prefix);
    TCT_VEC_FREE(&t->suffix);
    TCT_VEC_FREE(&t->eos_ids);
    tct_tok_vocab_free(&t->vocab);
    tct_arena_free(&t->arena);
    free(t);
}

tct_tokenizer *tct_tokenizer_parse(tct_diag *d, const char *label, const char *json, size_t len) {
    tct_tokenizer *t = tct_alloc(sizeof *t);
    t->label = tct_arena_strdup(&t->arena, label);
    for (int i = 0; i < TCT_N_SPECIAL; i++) t->special[i] = -1;
    json_error_t error;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
    bool ok = root ? tct_tok_load(d, t, root)
                   : tct_error(d, "E0706", TCT_NO_SPAN, "%s:%d:%d: %s", label, error.line, error.column,
                               error.text);
    json_decref(root);
    if (ok) {
        tct_tok_file file = {companions[0], tct_alloc(len + 1), len};
        memcpy(file.data, json, len);
        TCT_PUSH(&t->files, file);
        return t;
    }
    tct_tokenizer_close(t);
    return NULL;
}

// Sets an id that isn't set yet, if the vocabulary has it.
static bool take_id(tct_diag *d, tct_tokenizer *t, const char *path, const char *key, tct_special which,
                    json_int_t id) {
    if (id < 0 || id >= tct_tokenizer_size(t))
        return tct_error(d, "E0706", TCT_NO_SPAN, "%s: '%s' is %lld, the vocabulary goes from 0 to %d", path,
                         key, (long long)id, (int)tct_tokenizer_size(t) - 1);
    if (t->special[which] < 0) t->special[which] = (int32_t)id;
    return true;
}

// tokenizer_config.json: "bos_token": "<s>" or {"content": "<s>"}.
static bool read_token_names(tct_diag *d, tct_tokenizer *t, const char *path, json_t *root) {
    static const char *const keys[] = {"bos_token", "eos_token", "pad_token", "unk_token"};
    for (int i = 0; i < TCT_N_SPECIAL; i++) {
        json_t *v = json_object_get(root, keys[i]);
        if (json_is_object(v)) v = json_object_get(v, "content");
        if (!v || json_is_null(v)) continue;
        const char *name = json_string_value(v);
        int32_t id = name ? tct_tok_vocab_find(&t->vocab, name, strlen(name)) : -1;
        if (id < 0)
            return tct_error(d, "E0706", TCT_NO_SPAN, "%s: the %s '%s' is not in the vocabulary", path,
                             keys[i], name ? name : "(not a string)");
        if (t->special[i] < 0) t->special[i] = id;
        if (i == TCT_UNK) continue;
        t->vocab.tokens.data[id].special = true; // a token that the file itself needn't have marked
    }
    return true;
}

// generation_config.json and config.json: "eos_token_id": 2 or [2, 7].
static bool read_token_ids(tct_diag *d, tct_tokenizer *t, const char *path, json_t *root) {
    static const char *const keys[] = {"bos_token_id", "eos_token_id", "pad_token_id"};
    for (int i = TCT_BOS; i <= TCT_PAD; i++) {
        json_t *v = json_object_get(root, keys[i]), *item;
        size_t k;
        if (!v || json_is_null(v)) continue;
        bool first_list = i == TCT_EOS && t->eos_ids.len == 0;
        if (json_is_integer(v)) {
            if (i == TCT_PAD && json_integer_value(v) < 0) continue; // -1 is how some files say none
            if (!take_id(d, t, path, keys[i], (tct_special)i, json_integer_value(v))) return false;
            if (first_list) TCT_PUSH(&t->eos_ids, (int32_t)json_integer_value(v));
            continue;
        }
        bool ok = i == TCT_EOS && json_is_array(v);
        json_array_foreach(v, k, item) {
            ok = ok && json_is_integer(item);
            if (!ok) break;
            if (!take_id(d, t, path, keys[i], TCT_EOS, json_integer_value(item))) return false;
            if (first_list) TCT_PUSH(&t->eos_ids, (int32_t)json_integer_value(item));
        }
        if (!ok) return tct_error(d, "E0706", TCT_NO_SPAN, "%s: '%s' must be a token id", path, keys[i]);
    }
    return true;
}

typedef bool (*config_reader)(tct_diag *d, tct_tokenizer *t, const char *path, json_t *root);

// Reads an optional file of the folder.
static bool read_config(tct_diag *d, tct_tokenizer *t, const char *folder, const char *name,
                        config_reader read) {
    const char *path = tct_path_join(&t->arena, folder, name);
    char *text;
    size_t len;
    json_error_t error;
    if (access(path, F_OK) != 0) return true;
    if (!tct_file_read(d, path, &text, &len)) return false;
    json_t *root = json_loadb(text, len, 0, &error);
    tct_heap_free(text);
    bool ok = json_is_object(root) ? read(d, t, path, root)
              : root ? tct_error(d, "E0706", TCT_NO_SPAN, "%s: a JSON object was expected", path)
                     : tct_error(d, "E0706", TCT_NO_SPAN, "%s:%d:%d: %s", path, error.line, error.column,
                                 error.text);
    json_decref(root);
    return ok;
}

tct_tokenizer *tct_tokenizer_open(tct_diag *d, const char *folder) {
    tct_arena scratch = {0};
    const char *path = tct_path_join(&scratch, folder, companions[0]);
    char *text;
    size_t len;
    tct_tokenizer *t = NULL;
    if (tct_file_read(d, path, &text, &len)) {
        t = tct_tokenizer_parse(d, path, text, len);
        tct_heap_free(text);
    }
    bool ok = t && read_config(d, t, folder, "tokenizer_config.json", read_token_names) &&
              read_config(d, t, folder, "generation_config.json", read_token_ids) &&
              read_config(d, t, folder, "config.json", read_token_ids);
    for (size_t i = 1; ok && i < sizeof companions / sizeof *companions; i++) {
        const char *companion = tct_path_join(&scratch, folder, companions[i]);
        tct_tok_file file = {.name = companions[i]};
        if (access(companion, F_OK) != 0) continue;
        ok = tct_file_read(d, companion, &file.data, &file.len);
        if (ok) TCT_PUSH(&t->files, file);
    }
    tct_arena_free(&scratch);
    if (ok && t->special[TCT_EOS] >= 0) {
        bool listed = false;
        for (size_t i = 0; i < t->eos_ids.len; i++) listed |= t->eos_ids.data[i] == t->special[TCT_EOS];
        if (!listed) TCT_PUSH(&t->eos_ids, t->special[TCT_EOS]);
    }
    if (ok) return t;
    tct_tokenizer_close(t);
    return NULL;
}

bool tct_tokenizer_save(tct_diag *d, const tct_tokenizer *t, const char *folder) {
    tct_arena scratch = {0};
    bool ok = tct_make_dir(d, folder);
    for (size_t i = 0; ok && i < t->files.len; i++)
        ok = tct_file_write(d, tct_path_join(&scratch, folder, t->files.data[i].name), t->files.data[i].data,
                            t->files.data[i].len);
    tct_arena_free(&scratch);
    return ok;
}

int32_t tct_tokenizer_size(const tct_tokenizer *t) { return (int32_t)t->vocab.tokens.len; }

const char *tct_tokenizer_token(const tct_tokenizer *t, int32_t id) {
    return id >= 0 && (size_t)id < t->vocab.tokens.len ? t->vocab.tokens.data[id].text : NULL;
}

int32_t tct_tokenizer_find(const tct_tokenizer *t, const char *token) {
    return tct_tok_vocab_find(&t->vocab, token, strlen(token));
}

bool tct_tokenizer_is_special(const tct_tokenizer *t, int32_t id) {
    return id >= 0 && (size_t)id < t->vocab.tokens.len && t->vocab.tokens.data[id].special;
}

int32_t tct_tokenizer_special(const tct_tokenizer *t, tct_special which) { return t->special[which]; }

bool tct_tokenizer_set_special(tct_tokenizer *t, tct_special which, int32_t id) {
    if (id < -1 || id >= tct_tokenizer_size(t)) return false;
    t->special[which] = id;
    if (which == TCT_EOS) {
        t->eos_ids.len = 0;
        if (id >= 0) TCT_PUSH(&t->eos_ids, id);
    }
    return true;
}

const int32_t *tct_tokenizer_eos_ids(const tct_tokenizer *t, size_t *n) {
    *n = t->eos_ids.len;
    return t->eos_ids.data;
}
