// Examples as text, before tokenisation: read from a file in any format of docs/data.md, or made by the
// program.
#ifndef TCT_RUNTIME_RECORDS_H
#define TCT_RUNTIME_RECORDS_H

#include "base/diag.h"

// A stretch of a dialogue. `learned`: the model is to produce it (an assistant's turn, a completion).
typedef struct tct_segment {
    const char *text;
    bool learned;
} tct_segment;

// One example. Unused fields are empty. All text lives in the arena of its tct_records.
typedef struct tct_record {
    const char *prompt;     // as the model sees it, template applied; "" for plain text
    const char **responses; // completion; chosen, rejected; K answers; a document (plain text)
    const int32_t *ranks;   // [n_responses], 1 = best, equal = tie; NULL when not ranked
    int n_responses;
    int label;                   // KTO: 1 desirable, 0 not; -1 elsewhere
    const tct_segment *segments; // a dialogue with several learned turns; NULL: prompt then responses
    int n_segments;
    uint32_t line; // line of the file it came from, from 1; 0: made by the program
} tct_record;

typedef struct tct_records {
    tct_arena arena;
    const char *source; // path, or what the program calls it; for messages
    TCT_VEC(tct_record) rows;
} tct_records;

// How a prompt and a dialogue become text.
typedef struct tct_template {
    // Put around every prompt of the formats that have one, with {prompt} in it; NULL: the prompt as it is.
    const char *prompt;
    // How {"messages"} are written out: "hh" ("\n\nHuman: …\n\nAssistant: …", the default), "chatml"
    // ("<|im_start|>role\n…<|im_end|>\n") or "plain" (contents one after the other, newline between).
    const char *chat;
} tct_template;

// Zero-initialise `r`; release with tct_records_free. The adders copy what they are given.
void tct_records_free(tct_records *r);
void tct_records_add_text(tct_records *r, const char *text);
void tct_records_add_prompt(tct_records *r, const char *prompt);
void tct_records_add_completion(tct_records *r, const char *prompt, const char *completion);
// label: 1 desirable, 0 not.
void tct_records_add_labeled(tct_records *r, const char *prompt, const char *completion, int label);
// n responses with ranks from 1 (equal = tie).
void tct_records_add_ranked(tct_records *r, const char *prompt, int n, const char *const *responses,
                            const int32_t *ranks);

// Reads a file, appending to `r` and setting r->source. `.jsonl`, `.json`, `.ndjson` (also `.gz`): JSON
// lines, or one JSON array of such objects; the format is told by the keys of each object. Anything else is
// one plain text document. Only rows `first` … `first + count - 1` are kept (count 0: to the end). Reports
// E0701, E0708, E0713 by file and line.
bool tct_records_read(tct_diag *d, const char *path, const tct_template *style, size_t first, size_t count,
                      tct_records *r);
// Fills {prompt} in; `style` may be NULL. In the arena.
const char *tct_template_apply(tct_arena *a, const tct_template *style, const char *prompt);
// Checks a template: E0709 for a prompt without {prompt} or an unknown chat style.
bool tct_template_check(tct_diag *d, const tct_template *style);

#endif
