// Opening a data set: options checked, examples read and tokenised, and a summary of what became of them.
#include "runtime/dataset_internal.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

const char *tct_data_kind_name(tct_data_kind k) {
    static const char *const names[TCT_N_DATA_KINDS] = {"text",     "demonstrations", "prompts",
                                                        "rankings", "preferences",    "labeled"};
    return names[k];
}

tct_dataset_options tct_dataset_defaults(void) {
    return (tct_dataset_options){.batch = 1, .length = 64, .shuffle = true, .pad = TCT_PAD_FROM_TOKENIZER};
}

void tct_dataset_close(tct_dataset *s) {
    if (!s) return;
    tct_records_free(&s->records);
    TCT_VEC_FREE(&s->tokens);
    TCT_VEC_FREE(&s->learned);
    TCT_VEC_FREE(&s->seqs);
    TCT_VEC_FREE(&s->rows);
    tct_arena_free(&s->arena);
    free(s);
}

static bool check_size(tct_diag *d, const tct_dataset_options *o) {
    int64_t elements;
    if (!__builtin_mul_overflow((int64_t)o->batch * (o->k ? o->k : 1), (int64_t)o->length, &elements) &&
        elements <= INT32_MAX)
        return true;
    return tct_error(d, "E0709", TCT_NO_SPAN, "a batch of %d rows of %d tokens is too large", (int)o->batch,
                     (int)o->length);
}

static bool check_options(tct_diag *d, const tct_dataset *s) {
    const tct_dataset_options *o = &s->options;
    int32_t least = s->kind == TCT_DATA_PROMPTS ? 1 : 2;
    if (o->batch < 1)
        return tct_error(d, "E0709", TCT_NO_SPAN, "batch is %d, it must be at least 1", (int)o->batch);
    if (o->length < least)
        return tct_error(d, "E0709", TCT_NO_SPAN, "length is %d, it must be at least %d", (int)o->length,
                         (int)least);
    if (o->k < 0 || o->k > 1024)
        return tct_error(d, "E0709", TCT_NO_SPAN,
                         "k is %d, it must be from 2 to 1024, or 0 for what the data have", (int)o->k);
    return check_size(d, o);
}

// Rows are masked by their length, so no padding token is needed; one that is also the end token would be
// learned as such by whatever reads tokens without the mask, so it is refused.
static bool check_tokens(tct_diag *d, tct_dataset *s) {
    tct_dataset_options *o = &s->options;
    const tct_tokenizer *t = s->tokenizer;
    size_t n;
    const int32_t *eos = tct_tokenizer_eos_ids(t, &n);
    bool from_tokenizer = o->pad == TCT_PAD_FROM_TOKENIZER;
    if (from_tokenizer) o->pad = tct_tokenizer_special(t, TCT_PAD);
    if (o->pad >= tct_tokenizer_size(t) || o->pad < TCT_PAD_NONE)
        return tct_error(d, "E0709", TCT_NO_SPAN, "the padding token is %d, the vocabulary goes from 0 to %d",
                         (int)o->pad, (int)tct_tokenizer_size(t) - 1);
    for (size_t i = 0; s->kind != TCT_DATA_TEXT && i < n; i++)
        if (eos[i] == o->pad) {
            tct_error(d, "E0712", TCT_NO_SPAN, "the padding token is the end token (%d, '%s')", (int)o->pad,
                      tct_tokenizer_token(t, o->pad));
            tct_help(
                d,
                "%s: rows are masked by their length, no padding token is needed, and one that is also the "
                "end "
                "token teaches models never to stop",
                from_tokenizer
                    ? "take pad_token out of tokenizer_config.json and pad_token_id out of the other files"
                    : "choose another pad");
            return false;
        }
    bool needs_end = s->kind != TCT_DATA_TEXT && s->kind != TCT_DATA_PROMPTS && !o->no_eos;
    if (needs_end && tct_tokenizer_special(t, TCT_EOS) < 0) {
        tct_error(d, "E0709", TCT_NO_SPAN, "the tokenizer has no end token to put after responses");
        tct_help(d,
                 "name one as eos_token in tokenizer_config.json; without it the model can't learn to stop");
        return false;
    }
    if (o->pad < 0) o->pad = 0;
    return true;
}

static const char *source_of(const tct_dataset *s) {
    return s->records.source ? s->records.source : "records";
}

static bool check_not_empty(tct_diag *d, const tct_dataset *s) {
    const tct_dataset_stats *t = &s->stats;
    if (s->n_rows > 0) return true;
    tct_error(d, "E0709", TCT_NO_SPAN,
              "%s: the data set is empty: of %zu examples, %zu were dropped as too long and %zu as tied",
              source_of(s), s->records.rows.len, t->dropped_overlong, t->dropped_tied);
    tct_help(d, s->records.rows.len == 0   ? "check the path, first and count"
                : t->dropped_overlong      ? "raise length, or set overlong to \"keep_end\""
                : s->kind == TCT_DATA_TEXT ? "the text has fewer than two tokens within first and count"
                                           : "rankings need at least two different ranks");
    return false;
}

static void summarize(tct_dataset *s) {
    const tct_dataset_stats *t = &s->stats;
    tct_buf b = {0};
    if (s->kind == TCT_DATA_TEXT) {
        tct_buf_printf(&b, "%s: %zu tokens of text in %zu windows of %d", source_of(s), t->tokens, t->rows,
                       (int)s->options.length);
        if (t->tokens_cut) tct_buf_printf(&b, ", %zu left over", t->tokens_cut);
    } else {
        tct_buf_printf(&b, "%s: %zu %s, prompt %.1f tokens (at most %zu)", source_of(s), t->rows,
                       tct_data_kind_name(s->kind), t->mean_prompt, t->max_prompt);
        if (s->kind != TCT_DATA_PROMPTS)
            tct_buf_printf(&b, ", response %.1f (at most %zu)", t->mean_response, t->max_response);
        tct_buf_printf(&b, "; %zu truncated (%zu tokens cut), %zu dropped as too long", t->truncated,
                       t->tokens_cut, t->dropped_overlong);
        if (s->kind == TCT_DATA_RANKINGS || s->kind == TCT_DATA_PREFERENCES)
            tct_buf_printf(&b, ", %zu dropped as tied", t->dropped_tied);
    }
    s->summary = tct_arena_strdup(&s->arena, b.data);
    tct_buf_free(&b);
}

static void take_fingerprint(tct_dataset *s) {
    const tct_dataset_options *o = &s->options;
    const int64_t settings[] = {(int64_t)s->kind, o->batch, o->length,          o->k,   (int64_t)o->seed,
                                o->shuffle,       o->once,  (int64_t)s->n_rows, o->pad, o->with_prompt_loss};
    XXH64_hash_t h = XXH3_64bits(settings, sizeof settings);
    h = XXH3_64bits_withSeed(s->tokens.data, s->tokens.len * sizeof *s->tokens.data, h);
    h = XXH3_64bits_withSeed(s->learned.data, s->learned.len * sizeof *s->learned.data, h);
    for (size_t i = 0; i < s->seqs.len; i++) {
        const int64_t seq[2] = {(int64_t)s->seqs.data[i].begin, s->seqs.data[i].len};
        h = XXH3_64bits_withSeed(seq, sizeof seq, h);
    }
    for (size_t i = 0; i < s->rows.len; i++) {
        const tct_record *r = s->rows.data[i].record;
        h = XXH3_64bits_withSeed(&r->label, sizeof r->label, h);
        if (r->ranks) h = XXH3_64bits_withSeed(r->ranks, (size_t)r->n_responses * sizeof *r->ranks, h);
    }
    s->fingerprint = h;
}

// The rest of opening, once s->records is there.
static tct_dataset *finish(tct_diag *d, tct_dataset *s, bool ok) {
    if (ok && tct_ds_encode(d, s) && check_size(d, &s->options) && check_not_empty(d, s)) {
        summarize(s);
        take_fingerprint(s);
        return s;
    }
    tct_dataset_close(s);
    return NULL;
}

static tct_dataset *start(tct_data_kind kind, const tct_tokenizer *t, const tct_dataset_options *o) {
    tct_dataset *s = tct_alloc(sizeof *s);
    s->kind = kind;
    s->options = *o;
    s->tokenizer = t;
    tct_template *style = &s->options.style;
    if (style->prompt) style->prompt = tct_arena_strdup(&s->arena, style->prompt);
    if (style->chat) style->chat = tct_arena_strdup(&s->arena, style->chat);
    return s;
}

tct_dataset *tct_dataset_open(tct_diag *d, tct_data_kind kind, const char *path, const tct_tokenizer *t,
                              const tct_dataset_options *o) {
    tct_dataset *s = start(kind, t, o);
    bool text = kind == TCT_DATA_TEXT; // its first and count are windows
    bool ok =
        check_options(d, s) && check_tokens(d, s) &&
        tct_records_read(d, path, &s->options.style, text ? 0 : o->first, text ? 0 : o->count, &s->records);
    return finish(d, s, ok);
}

tct_dataset *tct_dataset_from_records(tct_diag *d, tct_data_kind kind, tct_records *records,
                                      const tct_tokenizer *t, const tct_dataset_options *o) {
    tct_dataset *s = start(kind, t, o);
    s->records = *records;
    if (records->source) s->records.source = tct_arena_strdup(&s->arena, records->source);
    *records = (tct_records){0};
    bool ok = check_options(d, s) && check_tokens(d, s);
    if (kind != TCT_DATA_TEXT && (o->first || o->count)) {
        size_t n = s->records.rows.len, first = o->first < n ? o->first : n, left = n - first;
        size_t count = o->count && o->count < left ? o->count : left;
        if (count)
            memmove(s->records.rows.data, s->records.rows.data + first, count * sizeof *s->records.rows.data);
        s->records.rows.len = count;
    }
    return finish(d, s, ok);
}

tct_data_kind tct_dataset_kind(const tct_dataset *s) { return s->kind; }
const tct_dataset_options *tct_dataset_get_options(const tct_dataset *s) { return &s->options; }
size_t tct_dataset_rows(const tct_dataset *s) { return s->n_rows; }
const tct_dataset_stats *tct_dataset_get_stats(const tct_dataset *s) { return &s->stats; }
const char *tct_dataset_summary(const tct_dataset *s) { return s->summary; }
uint64_t tct_dataset_fingerprint(const tct_dataset *s) { return s->fingerprint; }

const tct_record *tct_dataset_record(const tct_dataset *s, size_t i) {
    return i < s->rows.len ? s->rows.data[i].record : NULL;
}
