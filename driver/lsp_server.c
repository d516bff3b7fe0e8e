// The requests and notifications of the protocol, and which of them may come when.
#include "driver/lsp.h"

#include "base/version.h"

#include <stdlib.h>
#include <string.h>

typedef struct failure { // of a request
    int code;            // 0: none
    const char *text;
    char *owned; // heap, or NULL
} failure;

static json_t *fail(failure *f, int code, const char *text) {
    f->code = code;
    f->text = text;
    return NULL;
}

static void respond_error(tct_lsp_server *s, json_t *id, int code, const char *text) {
    json_t *error = json_pack("{s:i, s:o}", "code", code, "message", tct_lsp_text(text, strlen(text)));
    tct_lsp_send(s->out, json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "error", error));
}

static bool offers_utf8(const json_t *params) {
    const json_t *general = json_object_get(json_object_get(params, "capabilities"), "general");
    const json_t *encodings = json_object_get(general, "positionEncodings"), *encoding;
    size_t k;
    json_array_foreach(encodings, k, encoding) {
        const char *name = json_string_value(encoding);
        if (name && strcmp(name, "utf-8") == 0) return true;
    }
    return false;
}

static json_t *initialize(tct_lsp_server *s, const json_t *params, failure *f) {
    if (s->initialized) return fail(f, TCT_LSP_INVALID_REQUEST, "initialize was called before");
    s->initialized = true;
    s->utf8 = offers_utf8(params);
    json_t *sync = json_pack("{s:b, s:i, s:b}", "openClose", true, "change", 2, "save", true);
    json_t *completion = json_pack("{s:[s, s, s]}", "triggerCharacters", ".", "(", "\"");
    json_t *capabilities = json_pack("{s:s, s:o, s:b, s:b, s:o, s:b, s:b}", "positionEncoding",
                                     s->utf8 ? "utf-8" : "utf-16", "textDocumentSync", sync, "hoverProvider",
                                     true, "definitionProvider", true, "completionProvider", completion,
                                     "documentFormattingProvider", true, "documentSymbolProvider", true);
    return json_pack("{s:o, s:{s:s, s:s}}", "capabilities", capabilities, "serverInfo", "name", "tercet",
                     "version", tct_version());
}

static json_t *shut_down(tct_lsp_server *s, const json_t *params, failure *f) {
    (void)params, (void)f;
    s->shut_down = true;
    return json_null();
}

// The document that a request is about; NULL after failing.
static tct_lsp_document *document(tct_lsp_server *s, const json_t *params, failure *f) {
    const char *uri = json_string_value(json_object_get(json_object_get(params, "textDocument"), "uri"));
    tct_lsp_document *doc = uri ? tct_lsp_find(s, uri) : NULL;
    if (!uri) fail(f, TCT_LSP_INVALID_PARAMS, "textDocument.uri is missing");
    if (uri && !doc) fail(f, TCT_LSP_INVALID_PARAMS, "this document isn't open");
    return doc;
}

typedef json_t *(*place_request)(tct_lsp_server *s, tct_lsp_document *doc, uint32_t offset);

static json_t *at_place(tct_lsp_server *s, const json_t *params, failure *f, place_request answer) {
    tct_lsp_document *doc = document(s, params, f);
    uint32_t offset;
    if (!doc) return NULL;
    const json_t *position = json_object_get(params, "position");
    if (!tct_lsp_offset(doc->text.data, doc->text.len, position, s->utf8, &offset))
        return fail(f, TCT_LSP_INVALID_PARAMS, "position is missing or malformed");
    return answer(s, doc, offset);
}

static json_t *hover(tct_lsp_server *s, const json_t *params, failure *f) {
    return at_place(s, params, f, tct_lsp_hover);
}

static json_t *definition(tct_lsp_server *s, const json_t *params, failure *f) {
    return at_place(s, params, f, tct_lsp_definition);
}

static json_t *completion(tct_lsp_server *s, const json_t *params, failure *f) {
    return at_place(s, params, f, tct_lsp_completion);
}

static json_t *symbols(tct_lsp_server *s, const json_t *params, failure *f) {
    tct_lsp_document *doc = document(s, params, f);
    return doc ? tct_lsp_symbols(s, doc) : NULL;
}

static json_t *formatting(tct_lsp_server *s, const json_t *params, failure *f) {
    tct_lsp_document *doc = document(s, params, f);
    json_t *edits = doc ? tct_lsp_formatting(s, doc, &f->owned) : NULL;
    if (f->owned) fail(f, TCT_LSP_REQUEST_FAILED, f->owned);
    return edits;
}

static bool changed_on_disk(tct_lsp_server *s, const json_t *params) {
    (void)params;
    tct_lsp_changed(s, NULL);
    return true;
}

static const struct {
    const char *method;
    json_t *(*answer)(tct_lsp_server *s, const json_t *params, failure *f);
} requests[] = {
    {"initialize", initialize},
    {"shutdown", shut_down},
    {"textDocument/hover", hover},
    {"textDocument/definition", definition},
    {"textDocument/completion", completion},
    {"textDocument/documentSymbol", symbols},
    {"textDocument/formatting", formatting},
};

static const struct {
    const char *method;
    bool (*take)(tct_lsp_server *s, const json_t *params); // false: malformed params
} notifications[] = {
    {"textDocument/didOpen", tct_lsp_did_open},
    {"textDocument/didChange", tct_lsp_did_change},
    {"textDocument/didClose", tct_lsp_did_close},
    {"textDocument/didSave", changed_on_disk}, // what isn't open may have changed with it
    {"workspace/didChangeWatchedFiles", changed_on_disk},
};

static void request(tct_lsp_server *s, const char *method, json_t *id, const json_t *params) {
    failure f = {0};
    json_t *result = NULL;
    bool known = false;
    if (!s->initialized && strcmp(method, "initialize") != 0) {
        fail(&f, TCT_LSP_NOT_INITIALIZED, "the first request is initialize");
    } else if (s->shut_down) {
        fail(&f, TCT_LSP_INVALID_REQUEST, "after shutdown comes exit");
    } else {
        for (size_t k = 0; k < sizeof requests / sizeof *requests && !known; k++) {
            known = strcmp(requests[k].method, method) == 0;
            if (known) result = requests[k].answer(s, params, &f);
        }
        if (!known) fail(&f, TCT_LSP_METHOD_NOT_FOUND, "this server has no such method");
    }
    if (f.code)
        respond_error(s, id, f.code, f.text);
    else
        tct_lsp_send(s->out, json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result));
    tct_heap_free(f.owned);
}

static void notify(tct_lsp_server *s, const char *method, const json_t *params) {
    if (!s->initialized || s->shut_down) return;
    for (size_t k = 0; k < sizeof notifications / sizeof *notifications; k++) {
        if (strcmp(notifications[k].method, method) != 0) continue;
        if (notifications[k].take(s, params)) return;
        // A notification has no answer: this is for the client's log.
        json_t *text =
            json_sprintf("%s with malformed parameters, or for a document that isn't open", method);
        tct_lsp_send(s->out, json_pack("{s:s, s:s, s:{s:i, s:o}}", "jsonrpc", "2.0", "method",
                                       "window/logMessage", "params", "type", 1, "message", text));
        return;
    }
}

// false: exit.
static bool message(tct_lsp_server *s, const json_t *root) {
    const json_t *method = json_object_get(root, "method");
    const char *version = json_string_value(json_object_get(root, "jsonrpc"));
    json_t *id = json_object_get(root, "id"), *nobody = json_null();
    bool valid_id = !id || json_is_string(id) || json_is_integer(id) || json_is_null(id);
    if (!json_is_object(root) || !version || strcmp(version, "2.0") != 0 || !valid_id ||
        (method && !json_is_string(method))) {
        respond_error(s, id && valid_id ? id : nobody, TCT_LSP_INVALID_REQUEST, "no message of JSON-RPC 2.0");
        return true;
    }
    if (!method) { // an answer to a request, and this server asks nothing
        if (!json_object_get(root, "result") && !json_object_get(root, "error"))
            respond_error(s, id ? id : nobody, TCT_LSP_INVALID_REQUEST, "a message without a method");
        return true;
    }
    const char *name = json_string_value(method);
    if (!id && strcmp(name, "exit") == 0) return false;
    if (id)
        request(s, name, id, json_object_get(root, "params"));
    else
        notify(s, name, json_object_get(root, "params"));
    return true;
}

int tct_lsp_serve(FILE *in, FILE *out, const char *std_dir) {
    tct_lsp_server s = {.in = {in, false}, .out = out};
    char *real = realpath(std_dir, NULL); // paths are compared
    s.std_dir = tct_arena_strdup(&s.arena, real ? real : std_dir);
    free(real);
    tct_buf content = {0};
    for (bool go_on = true; go_on;) {
        const char *why;
        json_error_t error;
        tct_lsp_received got = tct_lsp_receive(&s.in, &content, &why);
        if (got == TCT_LSP_END) break;
        if (got == TCT_LSP_MALFORMED) {
            respond_error(&s, json_null(), TCT_LSP_PARSE_ERROR, why);
            continue;
        }
        json_t *root = json_loadb(content.data, content.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
        if (root)
            go_on = message(&s, root);
        else
            respond_error(&s, json_null(), TCT_LSP_PARSE_ERROR, error.text);
        json_decref(root);
    }
    tct_buf_free(&content);
    tct_lsp_documents_free(&s);
    tct_arena_free(&s.arena);
    return s.shut_down ? 0 : 1;
}
