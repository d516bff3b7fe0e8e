// Examples to token rows: prompt and response are tokenised apart, so that the boundary between them is
// certain.
#include "runtime/dataset_internal.h"

#include <limits.h>
#include <string.h>

typedef struct encoding {
    tct_diag *d;
    tct_dataset *s;
    tct_encoder *encoder;
    const tct_record *record;
    double prompt_sum, response_sum;
    size_t n_seqs;
} encoding;

// "file:line", or "source, example n" for what the program made.
static const char *place(const encoding *e) {
    const tct_records *r = &e->s->records;
    const char *source = r->source ? r->source : "records";
    if (e->record->line) return tct_arena_printf(&e->s->arena, "%s:%u", source, e->record->line);
    return tct_arena_printf(&e->s->arena, "%s, example %zu", source, (size_t)(e->record - r->rows.data) + 1);
}

static bool encode(encoding *e, const char *text, unsigned flags, tct_ids *out) {
    if (tct_encoder_encode(e->d, e->encoder, text, strlen(text), flags, out)) return true;
    tct_note_at(e->d, TCT_NO_SPAN, "in %s", place(e));
    return false;
}

static bool is_eos(const tct_tokenizer *t, int32_t id) {
    size_t n;
    const int32_t *ids = tct_tokenizer_eos_ids(t, &n);
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

static void append_eos(const tct_dataset *s, tct_ids *ids) {
    int32_t eos = tct_tokenizer_special(s->tokenizer, TCT_EOS);
    if (eos < 0 || s->options.no_eos || (ids->len && is_eos(s->tokenizer, ids->data[ids->len - 1]))) return;
    TCT_PUSH(ids, eos);
}

static void append_tokens(tct_dataset *s, const int32_t *ids, size_t n, bool learned) {
    for (size_t i = 0; i < n; i++) {
        TCT_PUSH(&s->tokens, ids[i]);
        TCT_PUSH(&s->learned, learned);
    }
}

// A prompt of n tokens where fewer than that fit: what the options say. *keep is how many of its last tokens
// stay.
static bool overlong(encoding *e, size_t n, size_t fits, bool *drop, size_t *keep) {
    tct_dataset *s = e->s;
    *drop = false;
    switch (s->options.overlong) {
    case TCT_OVERLONG_DROP:
        *drop = true;
        s->stats.dropped_overlong++;
        return true;
    case TCT_OVERLONG_KEEP_END:
        *keep = fits;
        s->stats.truncated++;
        s->stats.tokens_cut += n - fits;
        return true;
    default:
        tct_error(e->d, "E0710", TCT_NO_SPAN, "%s: the prompt has %zu tokens, the context %d%s", place(e), n,
                  s->options.length,
                  s->kind == TCT_DATA_PROMPTS ? "" : ", of which the response needs at least one");
        tct_help(e->d,
                 "raise length to %zu or more, or set overlong to \"drop\" (leave such examples out) or "
                 "\"keep_end\" "
                 "(cut the beginning of the prompt)",
                 n + (s->kind != TCT_DATA_PROMPTS));
        return false;
    }
}

// Closes the sequence that began at `begin`, whose first learned token is `prompt` tokens later.
static bool close_seq(encoding *e, size_t begin, size_t prompt) {
    tct_dataset *s = e->s;
    size_t n = s->tokens.len - begin, labels = 0;
    for (size_t i = begin; i < begin + n; i++) {
        s->learned.data[i] |= s->options.with_prompt_loss;
        labels += i > begin && s->learned.data[i]; // the first token has nothing before it to be learned from
    }
    if (s->kind != TCT_DATA_PROMPTS && labels == 0) {
        tct_error(e->d, "E0711", TCT_NO_SPAN, "%s: all labels are masked: the response has no token to learn",
                  place(e));
        tct_help(e->d, "take the example out, or give it a response%s",
                 prompt ? "" : " (the prompt is empty and the tokenizer puts no token before the text)");
        return false;
    }
    TCT_PUSH(&s->seqs, (tct_ds_seq){begin, (int32_t)n, (int32_t)prompt});
    s->stats.learned += s->kind == TCT_DATA_PROMPTS ? 0 : labels;
    e->prompt_sum += (double)prompt;
    e->response_sum += (double)(n - prompt);
    e->n_seqs++;
    if (prompt > s->stats.max_prompt) s->stats.max_prompt = prompt;
    if (n - prompt > s->stats.max_response) s->stats.max_response = n - prompt;
    return true;
}

// A prompt that fits and as much of the response as fits after it.
static bool add_seq(encoding *e, const tct_ids *prompt, const tct_ids *response) {
    tct_dataset *s = e->s;
    size_t begin = s->tokens.len, room = (size_t)s->options.length - prompt->len;
    size_t n = response->len < room ? response->len : room;
    append_tokens(s, prompt->data, prompt->len, false);
    append_tokens(s, response->data, n, true);
    if (n < response->len) {
        s->stats.truncated++;
        s->stats.tokens_cut += response->len - n;
    }
    return close_seq(e, begin, prompt->len);
}

// Tokens of the prompt that go into the row: all, or its special prefix and its end when it is too long.
static bool fit_prompt(encoding *e, tct_ids *prompt, size_t longest_response, bool *drop) {
    size_t length = (size_t)e->s->options.length, least = e->s->kind == TCT_DATA_PROMPTS ? 0 : 1,
           keep = prompt->len;
    *drop = false;
    if (prompt->len + least <= length) return true;
    size_t reserve = longest_response < length / 2 ? longest_response : length / 2; // for the response
    if (e->s->kind == TCT_DATA_PROMPTS) reserve = 0;
    if (reserve < least) reserve = least;
    if (!overlong(e, prompt->len, length - reserve, drop, &keep)) return false;
    if (*drop || keep >= prompt->len) return true;
    tct_ids prefix = {0};
    bool ok = encode(e, "", TCT_ENCODE_PREFIX, &prefix);
    size_t head = prefix.len < keep ? prefix.len : 0;
    memmove(prompt->data + head, prompt->data + prompt->len - (keep - head),
            (keep - head) * sizeof *prompt->data);
    prompt->len = keep;
    TCT_VEC_FREE(&prefix);
    return ok;
}

// Prompt and responses, each response a sequence of its own.
static bool encode_responses(encoding *e) {
    tct_dataset *s = e->s;
    const tct_record *r = e->record;
    size_t first = s->seqs.len, longest = 0;
    bool ok, drop = false, prompts = s->kind == TCT_DATA_PROMPTS;
    int n = prompts ? 0 : r->n_responses;
    tct_ids prompt = {0}, response = {0};
    TCT_VEC(tct_ids) all = {0};
    ok = encode(e, r->prompt, TCT_ENCODE_PREFIX, &prompt);
    for (int i = 0; ok && i < n; i++) {
        TCT_PUSH(&all, (tct_ids){0});
        tct_ids *ids = &all.data[i];
        ok = encode(e, r->responses[i], *r->prompt ? TCT_ENCODE_CONTINUE : TCT_ENCODE_PLAIN, ids);
        append_eos(s, ids);
        if (ids->len > longest) longest = ids->len;
    }
    if (ok && prompts && prompt.len == 0) {
        ok = tct_error(e->d, "E0709", TCT_NO_SPAN, "%s: the prompt has no tokens", place(e));
        tct_help(e->d, "a tokenizer without a beginning-of-text token can't continue an empty prompt");
    }
    ok = ok && fit_prompt(e, &prompt, longest, &drop);
    for (int i = 0; ok && !drop && i < (prompts ? 1 : n); i++)
        ok = add_seq(e, &prompt, prompts ? &response : &all.data[i]);
    if (ok && !drop) TCT_PUSH(&s->rows, (tct_ds_row){r, first, (int32_t)(s->seqs.len - first)});
    for (size_t i = 0; i < all.len; i++) TCT_VEC_FREE(&all.data[i]);
    TCT_VEC_FREE(&all);
    TCT_VEC_FREE(&prompt);
    return ok;
}

// A dialogue with several learned turns is one sequence; it is cut at its end, or at its beginning when
// asked.
static bool encode_dialogue(encoding *e) {
    tct_dataset *s = e->s;
    const tct_record *r = e->record;
    size_t begin = s->tokens.len, length = (size_t)s->options.length, prompt = 0, keep = 0;
    bool drop = false;
    for (int i = 0; i < r->n_segments; i++) {
        tct_ids ids = {0};
        bool ok = encode(e, r->segments[i].text, i ? TCT_ENCODE_CONTINUE : TCT_ENCODE_PREFIX, &ids);
        if (ok && r->segments[i].learned && i == r->n_segments - 1) append_eos(s, &ids);
        append_tokens(s, ids.data, ids.len, r->segments[i].learned);
        TCT_VEC_FREE(&ids);
        if (!ok) return false;
    }
    size_t n = s->tokens.len - begin;
    while (prompt < n && !s->learned.data[begin + prompt]) prompt++;
    if (n > length && prompt >= length) {
        if (!overlong(e, prompt, length, &drop, &keep)) return false;
        if (drop) {
            s->tokens.len = s->learned.len = begin;
            return true;
        }
        // What was counted as cut is the prompt's share; the end of the dialogue stays.
        s->stats.tokens_cut += n - prompt;
        memmove(s->tokens.data + begin, s->tokens.data + begin + n - length, length * sizeof *s->tokens.data);
        memmove(s->learned.data + begin, s->learned.data + begin + n - length, length);
        for (prompt = 0; prompt < length && !s->learned.data[begin + prompt];) prompt++;
    } else if (n > length) {
        s->stats.truncated++;
        s->stats.tokens_cut += n - length;
    }
    if (n > length) s->tokens.len = s->learned.len = begin + length;
    if (!close_seq(e, begin, prompt)) return false;
    TCT_PUSH(&s->rows, (tct_ds_row){r, s->seqs.len - 1, 1});
    return true;
}

static bool wrong_kind(encoding *e, const char *needed) {
    return tct_error(e->d, "E0709", TCT_NO_SPAN, "%s: %s need %s", place(e), tct_data_kind_name(e->s->kind),
                     needed);
}

// Whether a ranking has two different ranks.
static bool has_comparison(const tct_record *r) {
    for (int i = 1; i < r->n_responses; i++)
        if (r->ranks[i] != r->ranks[0]) return true;
    return false;
}

static bool check_ranked(encoding *e) {
    tct_dataset *s = e->s;
    const tct_record *r = e->record;
    if (!r->ranks)
        return wrong_kind(e,
                          "{\"prompt\", \"responses\", \"ranks\"} or {\"prompt\", \"chosen\", \"rejected\"}");
    for (int i = 0; i < r->n_responses; i++)
        if (r->ranks[i] < 1)
            return tct_error(e->d, "E0713", TCT_NO_SPAN,
                             "%s: rank %d is %d: ranks begin at 1 (1 = best, equal = tie)", place(e), i + 1,
                             (int)r->ranks[i]);
    if (r->n_responses < 2)
        return tct_error(e->d, "E0713", TCT_NO_SPAN, "%s: a ranking needs at least 2 responses", place(e));
    if (s->kind == TCT_DATA_PREFERENCES && r->n_responses != 2) return wrong_kind(e, "exactly 2 responses");
    if (r->n_responses <= s->options.k) return true;
    tct_error(e->d, "E0709", TCT_NO_SPAN, "%s: %d responses, but k is %d", place(e), r->n_responses,
              (int)s->options.k);
    tct_help(e->d, "raise k to %d", r->n_responses);
    return false;
}

static bool encode_record(encoding *e) {
    tct_dataset *s = e->s;
    const tct_record *r = e->record;
    bool answered = r->n_responses == 1 && !r->ranks;
    switch (s->kind) {
    case TCT_DATA_DEMONSTRATIONS:
        if (!answered) return wrong_kind(e, "{\"prompt\", \"completion\"} or {\"messages\"} with an answer");
        if (r->label == 0) return wrong_kind(e, "desirable completions, and this one is labelled false");
        return r->segments ? encode_dialogue(e) : encode_responses(e);
    case TCT_DATA_LABELED:
        if (!answered || r->label < 0)
            return wrong_kind(e, "{\"prompt\", \"completion\", \"label\"} with label true or false");
        return encode_responses(e);
    case TCT_DATA_RANKINGS:
    case TCT_DATA_PREFERENCES:
        if (!check_ranked(e)) return false;
        if (!has_comparison(r)) {
            s->stats.dropped_tied++;
            return true;
        }
        return encode_responses(e);
    default:
        return encode_responses(e);
    }
}

// All documents in a row, each ended by eos where there is one; windows are cut from it when they are read.
static bool encode_text(encoding *e) {
    tct_dataset *s = e->s;
    size_t length = (size_t)s->options.length, begin = s->options.first, count = s->options.count;
    for (size_t i = 0; i < s->records.rows.len; i++) {
        e->record = &s->records.rows.data[i];
        if (e->record->n_responses != 1 || e->record->ranks || *e->record->prompt)
            return wrong_kind(e, "a text file or {\"text\"}");
        tct_ids ids = {0};
        bool ok = encode(e, e->record->responses[0], TCT_ENCODE_PREFIX, &ids);
        append_eos(s, &ids);
        append_tokens(s, ids.data, ids.len, true);
        TCT_VEC_FREE(&ids);
        if (!ok) return false;
    }
    size_t n = s->tokens.len;
    if (begin > 0 || count > 0) { // windows first … first + count - 1
        size_t from = begin < n / length ? begin * length : n;
        size_t to = count && count < (n - from) / length + 1 ? from + count * length + 1 : n;
        if (to > n) to = n;
        if (to > from) memmove(s->tokens.data, s->tokens.data + from, (to - from) * sizeof *s->tokens.data);
        n = s->tokens.len = s->learned.len = to - from;
    }
    if (n < 2) return true; // empty, reported by the caller
    s->n_rows = (n - 1) / length;
    bool partial = s->n_rows == 0 || (s->options.once && (n - 1) % length);
    s->n_rows += partial;
    s->slack = partial ? 0 : (n - 1) - s->n_rows * length;
    s->stats.tokens_cut = s->slack;
    return true;
}

static int32_t largest_k(const tct_records *r) {
    int32_t k = 2;
    for (size_t i = 0; i < r->rows.len; i++)
        if (r->rows.data[i].n_responses > k) k = r->rows.data[i].n_responses;
    return k;
}

static bool encode_records(encoding *e) {
    tct_dataset *s = e->s;
    if (s->kind == TCT_DATA_TEXT) return encode_text(e);
    if (s->kind == TCT_DATA_PREFERENCES) s->options.k = 2;
    if (s->kind == TCT_DATA_RANKINGS && s->options.k == 0) s->options.k = largest_k(&s->records);
    for (size_t i = 0; i < s->records.rows.len; i++) {
        e->record = &s->records.rows.data[i];
        if (!encode_record(e)) return false;
    }
    s->n_rows = s->rows.len;
    return true;
}

bool tct_ds_encode(tct_diag *d, tct_dataset *s) {
    encoding e = {.d = d, .s = s, .encoder = tct_encoder_new(s->tokenizer)};
    bool ok = encode_records(&e);
    tct_encoder_free(e.encoder);
    if (!ok) return false;
    tct_dataset_stats *stats = &s->stats;
    if (s->kind == TCT_DATA_TEXT) stats->learned = s->tokens.len > 1 ? s->tokens.len - 1 - s->slack : 0;
    stats->rows = s->n_rows;
    stats->tokens = s->tokens.len;
    if (e.n_seqs) {
        stats->mean_prompt = e.prompt_sum / (double)e.n_seqs;
        stats->mean_response = e.response_sum / (double)e.n_seqs;
    }
    return true;
}
