// Batches: which rows, in which order, and how they fill the caller's buffers.
#include "runtime/dataset_internal.h"
#include "runtime/rng.h"

#include <stdlib.h>
#include <string.h>

enum { ORDER_STREAM = 0x6461 }; // the generator's stream for the order of data

static int32_t responses_of(const tct_dataset *s) {
    return s->kind == TCT_DATA_RANKINGS || s->kind == TCT_DATA_PREFERENCES ? s->options.k : 1;
}

bool tct_batch_alloc(tct_diag *d, const tct_dataset *s, tct_batch *out) {
    size_t rows = (size_t)s->options.batch, seqs = rows * (size_t)responses_of(s),
           tokens = seqs * (size_t)s->options.length;
    bool ranked = s->kind == TCT_DATA_RANKINGS || s->kind == TCT_DATA_PREFERENCES,
         prompts = s->kind == TCT_DATA_PROMPTS;
    // In this order everything is aligned: 8-byte, 4-byte, 1-byte arrays.
    size_t bytes = rows * (sizeof(tct_record *) + sizeof(uint64_t)) +
                   (2 * tokens + 3 * seqs) * sizeof(int32_t) + tokens + rows;
    *out = (tct_batch){.memory = tct_try_alloc(bytes, 64)};
    if (!out->memory) return tct_error(d, "E0801", TCT_NO_SPAN, "no memory for a batch of %zu bytes", bytes);
    char *p = out->memory;
    out->records = (const tct_record **)(void *)p;
    out->row_ids = (uint64_t *)(void *)(p += rows * sizeof(tct_record *));
    int32_t *words = (int32_t *)(void *)(p += rows * sizeof(uint64_t));
    out->tokens = words;
    out->target = prompts ? NULL : words + tokens;
    out->length = words + 2 * tokens;
    out->prompt_length = words + 2 * tokens + seqs;
    out->rank = ranked ? words + 2 * tokens + 2 * seqs : NULL;
    p = (char *)(words + 2 * tokens + 3 * seqs);
    out->mask = prompts ? NULL : (bool *)p;
    out->label = s->kind == TCT_DATA_LABELED ? (bool *)(p + tokens) : NULL;
    return true;
}

void tct_batch_free(tct_batch *b) {
    free(b->memory);
    *b = (tct_batch){0};
}

static uint64_t stream_of(const tct_dataset *s, uint64_t epoch) {
    return tct_rng_fold(tct_rng_fold(ORDER_STREAM, (uint64_t)s->kind), epoch);
}

static uint64_t row_at(const tct_dataset *s, uint64_t epoch, uint64_t index) {
    return s->options.shuffle ? tct_rng_permute(s->options.seed, stream_of(s, epoch), s->n_rows, index)
                              : index;
}

// Fills one sequence: `n` tokens, `has_next` when tokens[n] is there to be the last target.
static void fill_seq(const tct_dataset *s, tct_batch *b, size_t seq, const int32_t *tokens,
                     const bool *learned, int32_t n, int32_t prompt, bool has_next) {
    int32_t length = s->options.length, pad = s->options.pad;
    size_t at = seq * (size_t)length;
    for (int32_t t = 0; t < length; t++) {
        bool next = t + 1 < n || (t + 1 == n && has_next);
        if (b->tokens) b->tokens[at + (size_t)t] = t < n ? tokens[t] : pad;
        if (b->target) b->target[at + (size_t)t] = next ? tokens[t + 1] : pad;
        if (b->mask) b->mask[at + (size_t)t] = next && learned[t + 1];
    }
    // A filler is a row of one padding token, all masked: lengths are never 0, so that reading a row's last
    // token is safe.
    if (b->length) b->length[seq] = n ? n : 1;
    if (b->prompt_length) b->prompt_length[seq] = n ? prompt : 1;
}

static void fill_window(const tct_dataset *s, tct_batch *b, int32_t row, uint64_t epoch, uint64_t window) {
    size_t length = (size_t)s->options.length, phase = 0;
    if (s->options.shuffle && s->slack) // windows begin elsewhere in each epoch
        phase =
            (size_t)tct_rng_permute(s->options.seed, tct_rng_fold(stream_of(s, epoch), 1), s->slack + 1, 0);
    size_t begin = phase + (size_t)window * length, left = s->tokens.len - begin;
    size_t n = left > length ? length : left; // a partial window's last token is only a target
    if (left <= length) n = left - 1;
    fill_seq(s, b, (size_t)row, s->tokens.data + begin, s->learned.data + begin, (int32_t)n, 0, true);
}

static void fill_row(const tct_dataset *s, tct_batch *b, int32_t row, const tct_ds_row *r) {
    int32_t k = responses_of(s);
    for (int32_t i = 0; i < k; i++) {
        size_t seq = (size_t)row * (size_t)k + (size_t)i;
        bool there = r && i < r->n;
        int32_t from = i; // preferences: the better one first
        if (there && s->kind == TCT_DATA_PREFERENCES && r->record->ranks[0] > r->record->ranks[1])
            from = 1 - i;
        const tct_ds_seq *q = there ? &s->seqs.data[r->first + (size_t)from] : NULL;
        fill_seq(s, b, seq, q ? s->tokens.data + q->begin : NULL, q ? s->learned.data + q->begin : NULL,
                 q ? q->len : 0, q ? q->prompt : 0, false);
        if (b->rank)
            b->rank[seq] = !there ? 0 : s->kind == TCT_DATA_PREFERENCES ? i + 1 : r->record->ranks[i];
    }
    if (b->label) b->label[row] = r && r->record->label == 1;
    if (b->records) b->records[row] = r ? r->record : NULL;
}

int32_t tct_dataset_next(tct_dataset *s, tct_batch *b) {
    int32_t rows = 0;
    if (s->options.once && s->at.index >= s->n_rows) return b->n_rows = 0;
    for (int32_t row = 0; row < s->options.batch; row++) {
        bool there = s->at.index < s->n_rows; // not past the end of a held-out epoch
        uint64_t id = there ? row_at(s, s->at.epoch, s->at.index) : 0;
        if (s->kind == TCT_DATA_TEXT && there) {
            fill_window(s, b, row, s->at.epoch, id);
            if (b->records) b->records[row] = NULL;
        } else {
            fill_row(s, b, row, there ? &s->rows.data[id] : NULL);
        }
        if (b->row_ids) b->row_ids[row] = id;
        rows += there;
        if (there && ++s->at.index == s->n_rows && !s->options.once)
            s->at = (tct_dataset_position){s->at.epoch + 1, 0};
    }
    return b->n_rows = rows;
}

tct_dataset_position tct_dataset_tell(const tct_dataset *s) { return s->at; }

bool tct_dataset_seek(tct_dataset *s, tct_dataset_position p) {
    if (p.index > s->n_rows || (p.index == s->n_rows && !s->options.once) || (s->options.once && p.epoch > 0))
        return false;
    s->at = p;
    return true;
}

void tct_dataset_rewind(tct_dataset *s) { s->at = (tct_dataset_position){0, 0}; }

size_t tct_dataset_batches(const tct_dataset *s) {
    size_t batch = (size_t)s->options.batch;
    return (s->n_rows + batch - 1) / batch;
}
