// What elaboration learns about the names of one file, for editors: where each is declared, its type, and
// what is in scope at the cursor. Put into tct_package.index it is filled by tct_check, of what is wrong as
// well; nothing is recorded, and nothing spent, where there is none.
#ifndef TCT_FRONTEND_INDEX_H
#define TCT_FRONTEND_INDEX_H

#include "base/diag.h"

typedef struct tct_index_entry {
    uint32_t begin, end; // bytes of the file: the name as it is written
    tct_span declared;   // the name where it is declared; TCT_NO_SPAN: in no file, or not known
    const char *type;    // "f32[B, T = 64]", "int = 3", "Gpt2", "axis T"; NULL: not known
    bool by_itself;      // learned from its item by itself, not from a call of it
} tct_index_entry;

typedef struct tct_index_name { // something that may be written at the cursor
    const char *name, *type;    // type NULL: not known
    tct_span declared;
    bool axis;
} tct_index_name;

#define TCT_NO_CURSOR UINT32_MAX

// Not thread-safe. Strings live in its arena. Release with tct_index_free.
typedef struct tct_index {
    uint32_t file;   // source id of the file whose names are recorded
    uint32_t cursor; // a byte of it, where scope and fields are asked for; TCT_NO_CURSOR
    TCT_VEC(tct_index_entry) entries;
    TCT_VEC(tct_index_name) scope;  // what is visible at the cursor, the innermost first; no name twice
    TCT_VEC(tct_index_name) fields; // of what stands before the dot in front of the cursor
    tct_arena arena;
    uint32_t *number_at; // by byte: number of the entry that begins there, and 1; 0: none
    uint32_t len;        // of the file
    bool scope_by_itself;
    bool reached; // the expression at the cursor was evaluated
    const void *last_expr, *last_val;
} tct_index;

// Begins an index of source `file` of `d`. Into a zeroed one.
void tct_index_begin(tct_index *index, const tct_diag *d, uint32_t file, uint32_t cursor);
// The entry of the name that stands at `offset` or ends there; NULL.
const tct_index_entry *tct_index_at(const tct_index *index, uint32_t offset);
void tct_index_free(tct_index *index);

#endif
