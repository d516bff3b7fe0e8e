// What a data set is made of. Internal to runtime/dataset*.c.
#ifndef TCT_RUNTIME_DATASET_INTERNAL_H
#define TCT_RUNTIME_DATASET_INTERNAL_H

#include "runtime/dataset.h"

// One tokenised sequence: tokens [begin, begin + len) of the data set's.
typedef struct tct_ds_seq {
    size_t begin;
    int32_t len, prompt; // prompt: tokens before the first learned one
} tct_ds_seq;

// One example: its sequences, one for each response (or one).
typedef struct tct_ds_row {
    const tct_record *record;
    size_t first;
    int32_t n;
} tct_ds_row;

struct tct_dataset {
    tct_arena arena;
    tct_data_kind kind;
    tct_dataset_options options;
    const tct_tokenizer *tokenizer; // borrowed
    tct_records records;
    tct_ids tokens;
    TCT_VEC(bool) learned; // beside tokens
    TCT_VEC(tct_ds_seq) seqs;
    TCT_VEC(tct_ds_row) rows;
    size_t n_rows; // rows, or windows of a text
    size_t
        slack; // text: tokens that no window holds; the windows begin at a different one of them each epoch
    tct_dataset_stats stats;
    const char *summary;
    uint64_t fingerprint;
    tct_dataset_position at;
};

// ---- dataset_encode.c: tokenises s->records into rows and counts. Reports E0707, E0709 to E0711, E0713.
bool tct_ds_encode(tct_diag *d, tct_dataset *s);

#endif
