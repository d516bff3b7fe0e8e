// Hugging Face tokenizer.json: BPE, byte-level (GPT-2, Llama 3, Qwen) or with byte fallback (Llama 2,
// sentencepiece). What it understands and what each rule does is in docs/data.md. A component that it doesn't
// know is an error that names it.
#ifndef TCT_RUNTIME_TOKENIZER_H
#define TCT_RUNTIME_TOKENIZER_H

#include "base/diag.h"

// Immutable after opening and setting special ids: encoding and decoding from several threads is fine.
typedef struct tct_tokenizer tct_tokenizer;

typedef TCT_VEC(int32_t) tct_ids; // token ids; free with TCT_VEC_FREE

// Opens `folder`/tokenizer.json. Special ids come from, in this order, tokenizer_config.json,
// generation_config.json and config.json of the folder, each where present. Reports E0701 or E0706. Close
// with tct_tokenizer_close.
tct_tokenizer *tct_tokenizer_open(tct_diag *d, const char *folder);
// From the text of a tokenizer.json alone; `label` stands for the path in messages.
tct_tokenizer *tct_tokenizer_parse(tct_diag *d, const char *label, const char *json, size_t len);
void tct_tokenizer_close(tct_tokenizer *t);

// Largest id + 1: the least vocabulary a model needs.
int32_t tct_tokenizer_size(const tct_tokenizer *t);
// The text of a token as the file has it ("Ġthe", "<0x0A>"); NULL for an id without one.
const char *tct_tokenizer_token(const tct_tokenizer *t, int32_t id);
int32_t tct_tokenizer_find(const tct_tokenizer *t, const char *token); // -1: none
bool tct_tokenizer_is_special(const tct_tokenizer *t, int32_t id);

typedef enum tct_special { TCT_BOS, TCT_EOS, TCT_PAD, TCT_UNK, TCT_N_SPECIAL } tct_special;
int32_t tct_tokenizer_special(const tct_tokenizer *t, tct_special which); // -1: none
// Overrides an id (-1: none). Before sharing between threads. False when the id is out of range.
bool tct_tokenizer_set_special(tct_tokenizer *t, tct_special which, int32_t id);
// All ids that end a text (generation_config.json may have several); includes TCT_EOS. n may be 0.
const int32_t *tct_tokenizer_eos_ids(const tct_tokenizer *t, size_t *n);

enum {
    TCT_ENCODE_PLAIN = 0,
    TCT_ENCODE_PREFIX = 1,  // the template's tokens before the text (BOS)
    TCT_ENCODE_SUFFIX = 2,  // and after it
    TCT_ENCODE_SPECIAL = 3, // both: what Hugging Face calls add_special_tokens
    // The text goes on after earlier text: no dummy space or ▁ is put before it.
    TCT_ENCODE_CONTINUE = 4,
};
// Appends the ids of `text` (UTF-8, `len` bytes). Added tokens that occur in the text become their ids.
// Reports E0707: not UTF-8, or a character that the vocabulary can't express.
bool tct_tokenizer_encode(tct_diag *d, const tct_tokenizer *t, const char *text, size_t len, unsigned flags,
                          tct_ids *out);

// The same for many texts: what one of them taught is kept for the next. One thread at a time; the tokenizer
// outlives it.
typedef struct tct_encoder tct_encoder;
tct_encoder *tct_encoder_new(const tct_tokenizer *t);
bool tct_encoder_encode(tct_diag *d, tct_encoder *e, const char *text, size_t len, unsigned flags,
                        tct_ids *out);
void tct_encoder_free(tct_encoder *e);

enum {
    TCT_DECODE_PLAIN = 0,
    TCT_DECODE_SKIP_SPECIAL = 1, // leaves special tokens out
    TCT_DECODE_CONTINUE = 2, // the ids go on after earlier ones: the leading space of the first word stays
};
// Appends the text of `ids`: always valid UTF-8, U+FFFD where the bytes are not. Ids without a token are left
// out.
void tct_tokenizer_decode(const tct_tokenizer *t, const int32_t *ids, size_t n, unsigned flags, tct_buf *out);

// Decoding as the tokens come. What the pushes and the finish append is, joined, exactly what
// tct_tokenizer_decode gives for all ids; each piece is valid UTF-8 by itself. Zero-initialise, set
// `tokenizer` and `flags`; finish releases it and makes it ready for another text.
typedef struct tct_decoder {
    const tct_tokenizer *tokenizer; // outlives the decoder
    unsigned flags;
    bool started;  // a token has been seen
    int to_strip;  // leading characters still to be stripped from fused text
    tct_buf bytes; // bytes that may yet become a character, or characters that may yet be stripped
    tct_buf held;  // run of byte-fallback bytes not yet judged
} tct_decoder;
void tct_decoder_push(tct_decoder *s, int32_t id, tct_buf *out);
void tct_decoder_finish(tct_decoder *s, tct_buf *out);

// Writes tokenizer.json and, where they were read, tokenizer_config.json and its companions
// (special_tokens_map.json, vocab.json, merges.txt, tokenizer.model) into `folder`, byte for byte.
bool tct_tokenizer_save(tct_diag *d, const tct_tokenizer *t, const char *folder);

#endif
