// What the files of completion share.
#ifndef TCT_DRIVER_LSP_COMPLETE_H
#define TCT_DRIVER_LSP_COMPLETE_H

#include "driver/lsp.h"

enum { // CompletionItemKind
    TCT_COMPLETE_FUNCTION = 3,
    TCT_COMPLETE_FIELD = 5,
    TCT_COMPLETE_VARIABLE = 6,
    TCT_COMPLETE_CLASS = 7,
    TCT_COMPLETE_MODULE = 9,
    TCT_COMPLETE_PROPERTY = 10,
    TCT_COMPLETE_KEYWORD = 14,
    TCT_COMPLETE_FILE = 17,
    TCT_COMPLETE_AXIS = 25,
};

typedef enum tct_lsp_in {
    TCT_LSP_IN_FILE, // outside of all items
    TCT_LSP_IN_GRAPH,
    TCT_LSP_IN_OPTIMIZER,
    TCT_LSP_IN_STAGES, // a pipeline or fn
    TCT_LSP_IN_MODEL,
    TCT_LSP_IN_CONFIG,
} tct_lsp_in;

// The cursor, as far as the text before it tells (lsp_place.c). Strings live in the arena given.
typedef struct tct_lsp_place {
    uint32_t offset, word_begin, word_end; // the word that the cursor is in
    tct_lsp_in in;
    bool text;         // in a comment or a string
    const char *use;   // what is written after `use`, up to the cursor; NULL: no use
    bool use_file;     // in quotes
    const char *chain; // "a.b." before the word; "" without a dot
    bool after_colon;  // a type is expected
    bool in_axes;      // in the brackets of a type
    const char *axes;  // that the types of this item name before the cursor: "B T "
    const char *call;  // at the beginning of an argument: what is called; NULL
    const char *given; // arguments that the call names already: " a b "
} tct_lsp_place;
void tct_lsp_place_at(tct_arena *arena, const char *text, size_t len, uint32_t offset, tct_lsp_place *out);

// The items of an answer: those that begin with what is written, each name once (lsp_list.c).
typedef struct tct_lsp_list {
    json_t *items;
    const char *prefix;
    size_t n_prefix;
    json_t *seen; // names
} tct_lsp_list;
void tct_lsp_list_begin(tct_lsp_list *l, const char *prefix, size_t n);
// `group` 'a' … 'e' goes before the name in the order; detail and doc may be NULL.
void tct_lsp_list_add(tct_lsp_list *l, const char *name, int kind, char group, const char *detail,
                      const char *doc);
json_t *tct_lsp_list_end(tct_lsp_list *l);

// Modules and files that `use` may name; named arguments of the call at the place (lsp_offers.c).
void tct_lsp_modules(tct_lsp_list *l, tct_lsp_server *s, const tct_lsp_document *doc, const tct_lsp_place *p);
void tct_lsp_named_arguments(tct_lsp_list *l, tct_lsp_analysis *a, const tct_lsp_place *p);

#endif
