// What a tokenizer is made of. Internal to runtime/tokenizer*.c.
#ifndef TCT_RUNTIME_TOKENIZER_INTERNAL_H
#define TCT_RUNTIME_TOKENIZER_INTERNAL_H

#include "runtime/tokenizer.h"

#include <jansson.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

// ---- tokenizer_vocab.c
enum { TCT_TOK_MAX_ID = (1 << 24) - 1 };

typedef struct tct_tok_entry {
    const char *text; // NULL: no token has this id
    uint32_t len;
    bool special;
} tct_tok_entry;

// Tokens by id and by text, merges by pair. Open addressing, power-of-two tables.
typedef struct tct_tok_vocab {
    TCT_VEC(tct_tok_entry) tokens; // [largest id + 1]
    int32_t *by_text;              // id + 1, 0: free
    size_t text_slots, text_used;
    struct tct_tok_merge {
        int32_t left, right; // left < 0: free
        uint32_t rank;
        int32_t merged;
    } *merges;
    size_t merge_slots, merge_used;
} tct_tok_vocab;

int32_t tct_tok_vocab_find(const tct_tok_vocab *v, const char *text, size_t len); // -1: none
// Adds a token whose text lives as long as the vocabulary; false when the id or the text is taken by another.
bool tct_tok_vocab_add(tct_tok_vocab *v, const char *text, size_t len, int32_t id);
const struct tct_tok_merge *tct_tok_vocab_merge(const tct_tok_vocab *v, int32_t left, int32_t right);
// A pair that is there already gets the later rank, as in the reference implementation.
void tct_tok_vocab_add_merge(tct_tok_vocab *v, int32_t left, int32_t right, uint32_t rank, int32_t merged);
void tct_tok_vocab_free(tct_tok_vocab *v);

// ---- tokenizer_regex.c
// Compiles a pattern of tokenizer.json (`literal`: plain text). Reports E0706 with `where`.
pcre2_code *tct_tok_regex(tct_diag *d, const char *where, const char *pattern, bool literal);
// The next match at or after `from`; false: none. UTF-8 must be valid. *failed: a resource limit was hit.
bool tct_tok_regex_next(const pcre2_code *re, pcre2_match_data *md, const char *text, size_t len, size_t from,
                        size_t *begin, size_t *end, bool *failed);
extern const char tct_tok_gpt2_pattern[];

// ---- Steps of normalisation, splitting and decoding, in order.
typedef enum tct_tok_kind {
    TCT_TOK_PREPEND,   // normalizer: text before non-empty text
    TCT_TOK_REPLACE,   // normalizer, decoder: pattern by text
    TCT_TOK_UNICODE,   // normalizer: a normal form
    TCT_TOK_SPLIT,     // pre-tokenizer: by pattern
    TCT_TOK_METASPACE, // pre-tokenizer, decoder: spaces are `text`
    TCT_TOK_BYTES,     // pre-tokenizer, decoder: bytes as visible characters
    TCT_TOK_FALLBACK,  // decoder: <0xXX> are bytes
    TCT_TOK_FUSE,      // decoder: all tokens become one
    TCT_TOK_STRIP,     // decoder: characters off both ends
    TCT_TOK_SPACED,    // decoder: a space between tokens (tokenizer.json without a decoder)
} tct_tok_kind;

typedef enum tct_tok_split {
    TCT_TOK_REMOVED,
    TCT_TOK_ISOLATED,
    TCT_TOK_WITH_PREVIOUS,
    TCT_TOK_WITH_NEXT,
    TCT_TOK_CONTIGUOUS,
} tct_tok_split;

typedef enum tct_tok_prepend { TCT_TOK_NEVER, TCT_TOK_FIRST, TCT_TOK_ALWAYS } tct_tok_prepend;

typedef struct tct_tok_step {
    tct_tok_kind kind;
    const char *text; // prepended; replacement; Metaspace's character; stripped character
    size_t text_len;
    pcre2_code *re;        // REPLACE, SPLIT, METASPACE (its character), BYTES (NULL: no split)
    tct_tok_split split;   // SPLIT
    bool invert;           // SPLIT
    bool whole;            // METASPACE: don't split into words
    tct_tok_prepend where; // METASPACE and BYTES: put a space before
    int form;              // UNICODE: utf8proc options
    int start, stop;       // STRIP: how many, at each end
} tct_tok_step;

typedef TCT_VEC(tct_tok_step) tct_tok_steps;

typedef struct tct_tok_added {
    const char *content; // normalised when `normalized`
    size_t len;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized;
} tct_tok_added;

typedef TCT_VEC(tct_tok_added) tct_tok_added_list; // sorted by bytes

typedef struct tct_tok_file {
    const char *name;
    char *data; // heap
    size_t len;
} tct_tok_file;

struct tct_tokenizer {
    tct_arena arena;
    const char *label; // path, for messages
    tct_tok_vocab vocab;
    bool byte_fallback, fuse_unk, ignore_merges;
    int32_t byte_ids[256]; // of <0xXX>; -1: none
    int32_t special[TCT_N_SPECIAL];
    tct_ids eos_ids;
    tct_tok_steps normalizer, splitter, decoder;
    tct_tok_added_list raw_added, normalized_added; // matched before and after normalisation
    tct_ids prefix, suffix;                         // the template's
    TCT_VEC(tct_tok_file) files;                    // as read, for saving
};

// ---- tokenizer_load.c: fills `t` from the parsed tokenizer.json.
bool tct_tok_load(tct_diag *d, tct_tokenizer *t, json_t *root);
// ---- tokenizer_model.c: the "model" and "added_tokens" parts of it.
bool tct_tok_load_model(tct_diag *d, tct_tokenizer *t, json_t *model);
bool tct_tok_load_added(tct_diag *d, tct_tokenizer *t, json_t *added);

// ---- tokenizer_split.c
typedef struct tct_tok_piece {
    size_t begin, end; // within the text of its tct_tok_pieces
    bool first;        // at the beginning of the whole text
    bool continues;    // and that text goes on after earlier text
} tct_tok_piece;

// Two of these take turns as the steps are run.
typedef struct tct_tok_pieces {
    tct_buf text;
    TCT_VEC(tct_tok_piece) list;
} tct_tok_pieces;

// Runs the normalizer over text, appending to `out`. False: a limit was hit (the caller reports).
bool tct_tok_normalize(const tct_tokenizer *t, pcre2_match_data *md, const char *text, size_t len,
                       bool continues, tct_buf *out);
// Runs one step of the splitter over all pieces of `in`, appending to the emptied `out`.
bool tct_tok_split_step(const tct_tok_step *s, pcre2_match_data *md, const tct_tok_pieces *in,
                        tct_tok_pieces *out);

// ---- tokenizer_bpe.c
struct tct_tok_symbol {
    int32_t id, prev, next; // id < 0: merged away
};
struct tct_tok_candidate {
    uint32_t rank;
    int32_t at, left, right, merged;
};
typedef struct tct_tok_scratch {
    TCT_VEC(struct tct_tok_symbol) symbols;
    TCT_VEC(struct tct_tok_candidate) heap;
} tct_tok_scratch;

// Appends the ids of one word. False: the vocabulary lacks the character at *bad.
bool tct_tok_bpe(const tct_tokenizer *t, tct_tok_scratch *s, const char *word, size_t len, tct_ids *out,
                 size_t *bad);

// ---- tokenizer_memo.c: the ids of words that were encoded before; a bounded number of them.
struct tct_tok_known {
    uint64_t hash;
    size_t text, ids; // where in the memo's
    uint32_t len, n_ids;
};

typedef struct tct_tok_memo {
    TCT_VEC(struct tct_tok_known) words;
    tct_buf text;
    tct_ids ids;
    uint32_t *slots; // word + 1, 0: free
    size_t n_slots;
} tct_tok_memo;

// Appends the ids of a word if it is known.
bool tct_tok_memo_get(const tct_tok_memo *m, const char *word, size_t len, tct_ids *out);
// Remembers a word that isn't known, if there is room.
void tct_tok_memo_put(tct_tok_memo *m, const char *word, size_t len, const int32_t *ids, size_t n_ids);
void tct_tok_memo_free(tct_tok_memo *m);

// ---- tokenizer_bytes.c: GPT-2's visible characters for bytes.
uint32_t tct_tok_byte_char(unsigned char byte);
int tct_tok_char_byte(uint32_t code); // -1: not one of them

#endif
