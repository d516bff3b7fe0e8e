// Data sets: examples tokenised into rows of fixed shape, in an order that is a pure function of (seed,
// epoch, index). Formats, tokenisation and masks are described in docs/data.md.
#ifndef TCT_RUNTIME_DATASET_H
#define TCT_RUNTIME_DATASET_H

#include "base/dtype.h"
#include "runtime/records.h"
#include "runtime/tokenizer.h"

typedef enum tct_data_kind {
    TCT_DATA_TEXT,           // language modelling: windows of the documents joined by eos
    TCT_DATA_DEMONSTRATIONS, // prompt and completion, or a dialogue
    TCT_DATA_PROMPTS,        // prompts alone
    TCT_DATA_RANKINGS,       // K responses to a prompt, with ranks
    TCT_DATA_PREFERENCES,    // rankings with K = 2: 0 is the chosen, 1 the rejected
    TCT_DATA_LABELED,        // prompt, completion and whether it is desirable (KTO)
    TCT_N_DATA_KINDS
} tct_data_kind;
const char *tct_data_kind_name(tct_data_kind k); // "text", "demonstrations", …

// What to do with a prompt that leaves no room for a response within `length`.
typedef enum tct_overlong { TCT_OVERLONG_ERROR, TCT_OVERLONG_DROP, TCT_OVERLONG_KEEP_END } tct_overlong;

enum { TCT_PAD_FROM_TOKENIZER = -2, TCT_PAD_NONE = -1 };

typedef struct tct_dataset_options {
    int32_t batch;  // rows a batch (P for rankings), ≥ 1
    int32_t length; // T, ≥ 2; for prompts the longest prompt, ≥ 1
    int32_t k;      // rankings: K; 0: the largest of the data
    uint64_t seed;
    bool shuffle;          // a new order every epoch
    bool once;             // held-out: one epoch, last batch padded with masked rows; otherwise without end
    bool no_eos;           // don't append eos to responses and documents
    bool with_prompt_loss; // the prompt's tokens are learned too
    tct_overlong overlong;
    int32_t pad; // filler id, TCT_PAD_FROM_TOKENIZER or TCT_PAD_NONE (id 0, masked by length anyway)
    tct_template style;
    size_t first, count; // rows of the file to use; count 0: to the end
} tct_dataset_options;

// Batch 1, length 64, shuffle, everything else off. Start from this.
tct_dataset_options tct_dataset_defaults(void);

// Lengths are in tokens, special tokens included.
typedef struct tct_dataset_stats {
    size_t rows;             // examples in use (text: windows)
    size_t dropped_overlong; // prompt without room, dropped as asked
    size_t dropped_tied;     // rankings without any comparison
    size_t truncated;        // responses cut at the end, or prompts cut at their beginning
    size_t tokens_cut;       // tokens lost to that; for text, the tail that fills no window
    size_t tokens, learned;  // tokens in rows, and those with a label
    size_t max_prompt, max_response;
    double mean_prompt, mean_response;
} tct_dataset_stats;

// Buffers of one batch; B = batch, K = responses a row (1 unless rankings or preferences), T = length.
// Row-major. The caller provides them (tct_batch_alloc) and may leave any of the arrays NULL. A row is
// right-padded. mask[…,t] says that target[…,t] = tokens[…,t+1] is to be learned; a target past the row's end
// is the filler and masked. Rows at and past n_rows (held-out's last batch) and responses past a ranking's
// own are fillers: one padding token, length 1 (so that reading the last token is safe), rank 0, mask 0.
typedef struct tct_batch {
    int32_t *tokens;        // [B, K, T]
    int32_t *target;        // [B, K, T]; not for prompts
    bool *mask;             // [B, K, T]; not for prompts
    int32_t *length;        // [B, K] tokens of the row
    int32_t *prompt_length; // [B, K] tokens before the first learned one; 0 for text
    int32_t *rank;          // [B, K] 1 = best, equal = tie, 0 = absent; rankings and preferences
    bool *label;            // [B] desirable; labeled
    // Filled by next. records: the examples of the real rows, owned by the data set, NULL elsewhere and for
    // text.
    const tct_record **records; // [B]
    uint64_t *row_ids;          // [B] the example's number in the data set (window for text)
    int32_t n_rows;             // real rows
    void *memory;               // of tct_batch_alloc
} tct_batch;

typedef struct tct_dataset tct_dataset;

// Reads, tokenises and checks a whole file. `t` is borrowed and must outlive the data set. Reports E0701,
// E0707, E0708 and the errors that say what to do: E0709 (empty data set, wrong kind of data, K too small),
// E0710, E0711, E0712, E0713. NULL then.
tct_dataset *tct_dataset_open(tct_diag *d, tct_data_kind kind, const char *path, const tct_tokenizer *t,
                              const tct_dataset_options *o);
// The same from records that the program made; takes them over (`records` is empty afterwards, also on
// failure). The template isn't applied again.
tct_dataset *tct_dataset_from_records(tct_diag *d, tct_data_kind kind, tct_records *records,
                                      const tct_tokenizer *t, const tct_dataset_options *o);
void tct_dataset_close(tct_dataset *s);

tct_data_kind tct_dataset_kind(const tct_dataset *s);
const tct_dataset_options *tct_dataset_get_options(const tct_dataset *s); // with k and pad resolved
size_t tct_dataset_rows(const tct_dataset *s);
const tct_dataset_stats *tct_dataset_get_stats(const tct_dataset *s);
// One line: "sft.jsonl: 175 demonstrations, prompt 31.2 (max 140), response …, 3 truncated (41 tokens), …".
const char *tct_dataset_summary(const tct_dataset *s);
// A hash of every token and option that decides the rows: a resumed run checks that it reads the same data.
uint64_t tct_dataset_fingerprint(const tct_dataset *s);
// Example i in the order of the file; NULL for text.
const tct_record *tct_dataset_record(const tct_dataset *s, size_t i);

// Allocates every array that the kind has (others NULL), zeroed. E0801. Release with tct_batch_free.
bool tct_batch_alloc(tct_diag *d, const tct_dataset *s, tct_batch *out);
void tct_batch_free(tct_batch *b);
// Fills the next batch and returns its real rows: always `batch` for an endless data set (it goes on into the
// next epoch), 0 at the end of a held-out one.
int32_t tct_dataset_next(tct_dataset *s, tct_batch *b);

// Where the next batch begins. Seeking to a position gives exactly the batches that followed it.
typedef struct tct_dataset_position {
    uint64_t epoch, index;
} tct_dataset_position;
tct_dataset_position tct_dataset_tell(const tct_dataset *s);
bool tct_dataset_seek(tct_dataset *s, tct_dataset_position p); // false: index out of range
// Back to (0, 0): a held-out data set is read again.
void tct_dataset_rewind(tct_dataset *s);
// Batches in one epoch, the partial last one counted.
size_t tct_dataset_batches(const tct_dataset *s);

#endif
