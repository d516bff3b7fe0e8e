// The language server (`tercet lsp`): what its files share. docs/editors.md says what it can do.
#ifndef TCT_DRIVER_LSP_H
#define TCT_DRIVER_LSP_H

#include "frontend/ast.h"
#include "frontend/index.h"
#include "frontend/stage.h"

#include <jansson.h>
#include <stdio.h>

// Error codes of JSON-RPC and of the protocol.
enum {
    TCT_LSP_PARSE_ERROR = -32700,
    TCT_LSP_INVALID_REQUEST = -32600,
    TCT_LSP_METHOD_NOT_FOUND = -32601,
    TCT_LSP_INVALID_PARAMS = -32602,
    TCT_LSP_NOT_INITIALIZED = -32002,
    TCT_LSP_REQUEST_FAILED = -32803,
};

// Messages (lsp_transport.c)

typedef enum tct_lsp_received {
    TCT_LSP_MESSAGE,
    TCT_LSP_MALFORMED, // *why says what is wrong; the next call goes on with what follows
    TCT_LSP_END,
} tct_lsp_received;

typedef struct tct_lsp_reader {
    FILE *in;
    bool lost; // what is no message was told; the rest of it is skipped
} tct_lsp_reader;
// The content of the next message, into an emptied `content`.
tct_lsp_received tct_lsp_receive(tct_lsp_reader *r, tct_buf *content, const char **why);
void tct_lsp_send(FILE *out, json_t *message);    // takes the reference
json_t *tct_lsp_text(const char *text, size_t n); // a string; what isn't UTF-8 in it is replaced

// Documents (lsp_documents.c)

// What was found in a document, as part of the program that it is checked with. Owns everything in it.
typedef struct tct_lsp_analysis {
    tct_diag diag;
    tct_package package;
    tct_index index;    // of the document; file 0 where it couldn't be loaded
    const tct_ast *ast; // of the document, NULL where it couldn't be loaded
    bool own;           // checked by itself, not as part of another open program
} tct_lsp_analysis;

typedef struct tct_lsp_document {
    char *uri, *path; // path: canonical, or the URI where that names no file
    tct_buf text;     // never NULL
    json_int_t version;
    tct_lsp_analysis *analysis; // of the text as it is
} tct_lsp_document;

typedef struct tct_lsp_server {
    tct_lsp_reader in;
    FILE *out;
    const char *std_dir;
    TCT_VEC(tct_lsp_document *) documents; // by URI
    bool utf8;                             // how positions count; else UTF-16
    bool initialized, shut_down;
    struct tct_lsp_tokenizer *tokenizers; // read once while they don't change
    size_t n_tokenizers;
    tct_arena arena;
} tct_lsp_server;

tct_lsp_document *tct_lsp_find(const tct_lsp_server *s, const char *uri);
// The file that a URI names: canonical where it is there; the URI itself for other schemes. Heap.
char *tct_lsp_path(const char *uri);
// The URI of a file, that of the open document where there is one. Heap.
char *tct_lsp_uri(const tct_lsp_server *s, const char *path);
// Each reports false where params aren't what the protocol says.
bool tct_lsp_did_open(tct_lsp_server *s, const json_t *params);
bool tct_lsp_did_change(tct_lsp_server *s, const json_t *params);
bool tct_lsp_did_close(tct_lsp_server *s, const json_t *params);
void tct_lsp_documents_free(tct_lsp_server *s);

// Positions (lsp_position.c). Lines end with \n, \r\n or \r. What lies past a line's or the text's end is its
// end.
bool tct_lsp_offset(const char *text, size_t len, const json_t *position, bool utf8, uint32_t *out);
json_t *tct_lsp_position(const char *text, size_t len, uint32_t offset, bool utf8);
json_t *tct_lsp_range(const char *text, size_t len, uint32_t begin, uint32_t end, bool utf8);
// A range in a source; a location adds its file.
json_t *tct_lsp_span(const tct_lsp_server *s, const tct_diag *d, tct_span span);
json_t *tct_lsp_location(const tct_lsp_server *s, const tct_diag *d, tct_span span);

// Analysis (lsp_analysis.c)

// Checks the document with `text` in place of its own, and where `cursor` isn't TCT_NO_CURSOR, notes what is
// in scope there. Owner: the caller; release with tct_lsp_analysis_free.
tct_lsp_analysis *tct_lsp_analyse(tct_lsp_server *s, const tct_lsp_document *doc, const char *text,
                                  size_t len, uint32_t cursor);
void tct_lsp_analysis_free(tct_lsp_analysis *a);
bool tct_lsp_uses(const tct_lsp_analysis *a, const char *path); // whether the file is part of the program
// Analyses anew and publishes what depends on the file; NULL: everything.
void tct_lsp_changed(tct_lsp_server *s, const char *path);

// Diagnostics (lsp_diagnostics.c)
void tct_lsp_publish(tct_lsp_server *s, const tct_lsp_document *doc);
void tct_lsp_publish_none(tct_lsp_server *s, const char *uri);

// Declarations (lsp_declaration.c)

// What a place of the source declares. The most special of the pointers says what.
typedef struct tct_lsp_declaration {
    const tct_ast *ast;
    const tct_item *item; // that it is, or that it stands in
    const tct_param *param;
    const tct_result *result;
    const tct_member *member;
    const tct_config_entry *entry;
    const tct_stmt *stage;
    bool local; // a let, var, loop variable, carry or axis
    tct_name name;
    const char *config; // of an entry: the groups that it is in, "ppo."; in `arena`
} tct_lsp_declaration;

// What is declared at exactly this place; false: nothing.
bool tct_lsp_declared_at(const tct_package *p, tct_arena *arena, tct_span name, tct_lsp_declaration *out);
// The item of that name that the file sees; NULL.
const tct_item *tct_lsp_item(const tct_lsp_analysis *a, const char *name);
const tct_ast *tct_lsp_file(const tct_package *p, uint32_t file); // NULL: not of the package
// The item that the byte of the document is in; NULL.
const tct_item *tct_lsp_item_at(const tct_lsp_analysis *a, uint32_t offset);

// The word at an offset of the document.
typedef struct tct_lsp_word {
    uint32_t begin, end; // equal: there is none
    const char *text;    // in the analysis's arena
} tct_lsp_word;
tct_lsp_word tct_lsp_word_at(tct_lsp_analysis *a, uint32_t offset);

// What the name at an offset means. `entry` is what elaboration knows of it, NULL: nothing. `use`: the offset
// is in the name of what is used.
typedef struct tct_lsp_meaning {
    tct_lsp_word word;
    const tct_index_entry *entry;
    const tct_item *use;
    bool has_declaration;
    tct_lsp_declaration declaration;
} tct_lsp_meaning;
tct_lsp_meaning tct_lsp_meaning_at(tct_lsp_analysis *a, uint32_t offset);

// Manual (lsp_manual.c)

// A declaration as it is written, without its body: "graph f(x: f32[B]) -> f32". In the arena.
const char *tct_lsp_signature(tct_arena *arena, const tct_diag *d, const tct_lsp_declaration *decl);
const char *tct_lsp_doc(const tct_lsp_declaration *decl); // NULL: none
// Signature and documentation of an operation of graphs, or with `stage` of a procedure of stages where there
// is one. false: `name` is neither.
typedef struct tct_lsp_manual_entry {
    const char *name, *doc;
    const char *signature; // NULL: name(x)
} tct_lsp_manual_entry;
bool tct_lsp_manual(const char *name, bool stage, tct_lsp_manual_entry *out);
// Procedure and operation number k; false past the last.
bool tct_lsp_procedure(size_t k, tct_lsp_manual_entry *out);
bool tct_lsp_operation(size_t k, tct_lsp_manual_entry *out);

// Requests about a place of a document. Each returns a new reference.
json_t *tct_lsp_hover(tct_lsp_server *s, tct_lsp_document *doc, uint32_t offset); // lsp_hover.c
json_t *tct_lsp_definition(tct_lsp_server *s, tct_lsp_document *doc, uint32_t offset);
json_t *tct_lsp_completion(tct_lsp_server *s, tct_lsp_document *doc, uint32_t offset); // lsp_completion.c
// Requests about a document.
json_t *tct_lsp_symbols(tct_lsp_server *s, tct_lsp_document *doc); // lsp_symbols.c
// NULL, and the first message in *why (heap), where it has syntax errors. lsp_format.c
json_t *tct_lsp_formatting(tct_lsp_server *s, tct_lsp_document *doc, char **why);

// Serves until the client says `exit` or closes the input; the exit status that the protocol demands.
int tct_lsp_serve(FILE *in, FILE *out, const char *std_dir); // lsp_server.c

#endif
