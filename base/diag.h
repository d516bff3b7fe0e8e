// Diagnostics: errors are values with a place in the user's source. A function that can fail on input takes a
// `tct_diag *` and returns false (or NULL) after it has reported; the caller decides when to render.
#ifndef TCT_BASE_DIAG_H
#define TCT_BASE_DIAG_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

// Half-open byte range of one source file. `file` is an id from tct_diag_add_source; 0 says "no place".
typedef struct tct_span {
    uint32_t file, begin, end;
} tct_span;

#define TCT_NO_SPAN ((tct_span){0, 0, 0})

typedef enum tct_severity { TCT_ERROR, TCT_WARNING } tct_severity;

typedef struct tct_note {
    tct_span span; // may be TCT_NO_SPAN
    const char *text;
} tct_note;

typedef struct tct_message {
    tct_severity severity;
    const char *code; // "E0203", from base/codes.def; explained in docs/errors.md
    tct_span span;
    const char *label; // text beside the caret, or NULL
    const char *text;
    const char *help; // what to do, or NULL
    tct_note *notes;
    size_t n_notes;
} tct_message;

typedef struct tct_line_col {
    uint32_t line, col; // from 1
} tct_line_col;

typedef struct tct_source {
    const char *path, *text; // `text` NUL-terminated, owned by the diag; NULL: only places in it are known
    size_t len;
    TCT_VEC(uint32_t) lines;      // where each begins
    TCT_VEC(tct_line_col) places; // without text: what a span's `begin` counts
} tct_source;

// Collects messages in the order reported. One diag per compilation or run; owns sources and messages.
// Not thread-safe. Zero-initialise; release with tct_diag_free.
typedef struct tct_diag {
    tct_arena arena;
    TCT_VEC(tct_message) messages;
    TCT_VEC(tct_source) sources;
    size_t n_errors;
    size_t max_errors; // 0: no limit; errors past it are counted and not kept
} tct_diag;

// Registers a source text (copied) and returns its id (from 1).
uint32_t tct_diag_add_source(tct_diag *d, const char *path, const char *text, size_t len);
const tct_source *tct_diag_source(const tct_diag *d, uint32_t file); // NULL for 0 or an unknown id
// Registers a file whose text isn't there, only places in it (a graph in text form tells them). Returns its
// id.
uint32_t tct_diag_add_places(tct_diag *d, const char *path);
// The span of a place in such a file. tct_diag_line_col gives line and column back; there is no text to show.
tct_span tct_diag_place(tct_diag *d, uint32_t file, uint32_t line, uint32_t col);

// Reports an error and returns false, so that `return tct_error(...)` reads well. `code` is one of codes.def.
bool tct_error(tct_diag *d, const char *code, tct_span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void tct_warning(tct_diag *d, const char *code, tct_span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// These attach to the message reported last.
void tct_label(tct_diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tct_note_at(tct_diag *d, tct_span span, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void tct_help(tct_diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Line and column of a span's begin, from 1; the column counts Unicode code points.
void tct_diag_line_col(const tct_source *s, uint32_t offset, uint32_t *line, uint32_t *col);

// Appends all messages as text, source lines and carets included. `color`: ANSI colours.
void tct_diag_render(const tct_diag *d, tct_buf *out, bool color);
void tct_diag_free(tct_diag *d);
// Writes all messages to stderr, in colour on a terminal unless NO_COLOR is set, and frees d. Returns whether
// there was no error.
bool tct_diag_report(tct_diag *d);

// The nearest of `names` to `word` by edit distance, NULL when none is near enough to be meant.
const char *tct_nearest(const char *word, const char *const *names, size_t n);

#endif
