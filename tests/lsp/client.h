// A client of `tercet lsp`: starts the program and talks with it over pipes, message by message.
#ifndef TCT_TESTS_LSP_CLIENT_H
#define TCT_TESTS_LSP_CLIENT_H

#include "base/buf.h"
#include "tests/support/machine.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ANY_URI "file:///nowhere/test.tct"

// A program with something of everything.
static const char program[] =
    "use std.loss.sft\n"
    "\n"
    "config {\n"
    "    loss {\n"
    "        /// How much the loss counts.\n"
    "        weight: float = 0.5 in 0.0 .. 1.0\n"
    "    }\n"
    "}\n"
    "\n"
    "/// Two weights.\n"
    "model Pair(d: int = 4) {\n"
    "    axis C = d\n"
    "    /// The first.\n"
    "    param w: f32[C] = 0.0\n"
    "    param v: f32[C, E = 8] = 0.0\n"
    "}\n"
    "\n"
    "/// What is minimized.\n"
    "graph objective(m: Pair, logits: f32[B, T, V], target: i32[B, T], mask: bool[B, T]) -> (loss: f32, "
    "norm: f32) {\n"
    "    let logp = log_softmax(logits, V)\n"
    "    let loss = sft_loss(logits, target, mask)\n"
    "    var norm = sum(m.w * m.w, C)\n"
    "    for k in range(2) {\n"
    "        norm = norm + float(k)\n"
    "    }\n"
    "    return (loss = loss * config.loss.weight, norm = norm + sum(logp, [B, T, V]))\n"
    "}\n";

typedef struct client {
    pid_t pid;
    FILE *to, *from;
    int next_id;
    json_t *diagnostics; // by URI, what was published last
    json_t *log;         // window/logMessage, all of them
    json_t *orphans;     // errors that answer no request
    size_t published;    // publishDiagnostics that came
} client;

static inline client start_client(void) {
    int in[2], out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int k = 0; k < 2; k++) {
            close(in[k]);
            close(out[k]);
        }
        execl(TERCET_PROGRAM, TERCET_PROGRAM, "lsp", "--stdio", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    alarm(120); // a server that hangs ends the test
    return (client){.pid = pid,
                    .to = fdopen(in[1], "w"),
                    .from = fdopen(out[0], "r"),
                    .diagnostics = json_object(),
                    .log = json_array(),
                    .orphans = json_array()};
}

static inline void send_bytes(client *c, const char *text, size_t n) {
    fwrite(text, 1, n, c->to);
    fflush(c->to);
}

static inline void send_text(client *c, const char *text) { // with the header that belongs to it
    fprintf(c->to, "Content-Length: %zu\r\n\r\n%s", strlen(text), text);
    fflush(c->to);
}

static inline void send_json(client *c, json_t *message) {
    char *text = json_dumps(message, JSON_COMPACT);
    assert_non_null(text);
    send_text(c, text);
    free(text);
    json_decref(message);
}

// The next message of the server; NULL at its end.
static inline json_t *receive(client *c) {
    size_t n = 0;
    char line[256];
    while (fgets(line, sizeof line, c->from) && strcmp(line, "\r\n") != 0)
        if (sscanf(line, "Content-Length: %zu", &n) != 1) fail_msg("a header that is none: %s", line);
    if (feof(c->from)) return NULL;
    char *text = malloc(n + 1);
    assert_int_equal(fread(text, 1, n, c->from), n);
    text[n] = 0;
    json_error_t error;
    json_t *message = json_loadb(text, n, 0, &error);
    if (!message) fail_msg("no JSON: %s", text);
    assert_string_equal(json_string_value(json_object_get(message, "jsonrpc")), "2.0");
    free(text);
    return message;
}

// Takes in what is no answer.
static inline void take(client *c, json_t *message) {
    const char *method = json_string_value(json_object_get(message, "method"));
    json_t *params = json_object_get(message, "params");
    if (method && strcmp(method, "textDocument/publishDiagnostics") == 0) {
        json_object_set(c->diagnostics, json_string_value(json_object_get(params, "uri")),
                        json_object_get(params, "diagnostics"));
        c->published++;
    } else if (method && strcmp(method, "window/logMessage") == 0) {
        json_array_append(c->log, params);
    } else {
        assert_true(json_is_null(json_object_get(message, "id")));
        json_array_append(c->orphans, json_object_get(message, "error"));
    }
    json_decref(message);
}

// Sends a request and waits for its answer: the whole message, a new reference.
static inline json_t *ask(client *c, const char *method, json_t *params) {
    int id = ++c->next_id;
    send_json(c, json_pack("{s:s, s:i, s:s, s:o*}", "jsonrpc", "2.0", "id", id, "method", method, "params",
                           params));
    for (json_t *message; (message = receive(c));) {
        const json_t *answered = json_object_get(message, "id");
        if (json_is_integer(answered) && json_integer_value(answered) == id) return message;
        take(c, message);
    }
    fail_msg("no answer to %s", method);
    return NULL;
}

// The result of a request that succeeds, a new reference.
static inline json_t *result_of(client *c, const char *method, json_t *params) {
    json_t *message = ask(c, method, params), *result = json_incref(json_object_get(message, "result"));
    if (!result) fail_msg("%s: %s", method, json_dumps(message, 0));
    json_decref(message);
    return result;
}

static inline int error_of(client *c, const char *method, json_t *params) {
    json_t *message = ask(c, method, params);
    const json_t *code = json_object_get(json_object_get(message, "error"), "code");
    assert_true(json_is_integer(code));
    assert_null(json_object_get(message, "result"));
    int value = (int)json_integer_value(code);
    json_decref(message);
    return value;
}

static inline void notify(client *c, const char *method, json_t *params) {
    send_json(c, json_pack("{s:s, s:s, s:o*}", "jsonrpc", "2.0", "method", method, "params", params));
}

// What an editor says first. `encoding`: that it offers besides UTF-16, or NULL.
static inline void initialize(client *c, const char *encoding) {
    json_t *encodings = json_pack("[s]", "utf-16");
    if (encoding) json_array_append_new(encodings, json_string(encoding));
    json_t *params = json_pack(
        "{s:i, s:{s:s, s:s}, s:s, s:n, s:{s:{s:{s:b, s:b}, s:{s:b, s:{s:b}}, s:{s:[s,s]}, s:{s:b}}, "
        "s:{s:o}}, s:s, s:n}",
        "processId", (int)getpid(), "clientInfo", "name", "Editor", "version", "1.90.0", "locale", "en",
        "rootUri", "capabilities", "textDocument", "synchronization", "dynamicRegistration", 1, "didSave", 1,
        "completion", "dynamicRegistration", 1, "completionItem", "snippetSupport", 1, "hover",
        "contentFormat", "markdown", "plaintext", "documentSymbol", "hierarchicalDocumentSymbolSupport", 1,
        "general", "positionEncodings", encodings, "trace", "off", "workspaceFolders");
    json_t *result = result_of(c, "initialize", params);
    assert_true(json_is_object(json_object_get(result, "capabilities")));
    json_decref(result);
    notify(c, "initialized", json_object());
}

static inline client start_initialized(void) {
    client c = start_client();
    initialize(&c, NULL);
    return c;
}

// Ends a client; the exit status of the program.
static inline int end_client(client *c) {
    fclose(c->to);
    for (json_t *message; (message = receive(c));) take(c, message);
    fclose(c->from);
    int status;
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    alarm(0);
    json_decref(c->diagnostics);
    json_decref(c->log);
    json_decref(c->orphans);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void finish(client *c) {
    json_t *nothing = result_of(c, "shutdown", NULL);
    assert_true(json_is_null(nothing));
    json_decref(nothing);
    notify(c, "exit", NULL);
    assert_int_equal(json_array_size(c->orphans), 0);
    assert_int_equal(end_client(c), 0);
}

// Takes in everything up to the next diagnostics of a document; the list, borrowed.
static inline json_t *await_diagnostics(client *c, const char *uri) {
    json_object_del(c->diagnostics, uri);
    while (!json_object_get(c->diagnostics, uri)) {
        json_t *message = receive(c);
        if (!message) fail_msg("the server ended");
        take(c, message);
    }
    return json_object_get(c->diagnostics, uri);
}

static inline json_t *open_text(client *c, const char *uri, const char *text) {
    notify(c, "textDocument/didOpen",
           json_pack("{s:{s:s, s:s, s:i, s:s}}", "textDocument", "uri", uri, "languageId", "tercet",
                     "version", 1, "text", text));
    return await_diagnostics(c, uri);
}

static inline json_t *replace_text(client *c, const char *uri, const char *text) {
    notify(c, "textDocument/didChange",
           json_pack("{s:{s:s, s:i}, s:[{s:s}]}", "textDocument", "uri", uri, "version", 2, "contentChanges",
                     "text", text));
    return await_diagnostics(c, uri);
}

// The position of byte `offset`, in UTF-16 units or in bytes.
static inline json_t *position(const char *text, size_t offset, bool utf8) {
    int line = 0, column = 0;
    for (size_t k = 0; k < offset; k++) {
        unsigned char b = (unsigned char)text[k];
        if (b == '\n') {
            line++;
            column = 0;
        } else if (utf8) {
            column++;
        } else {
            column += (b & 0xC0) != 0x80 ? 1 + (b >= 0xF0) : 0;
        }
    }
    return json_pack("{s:i, s:i}", "line", line, "character", column);
}

// `|` in a text is the cursor: the text without it, on the heap, and where it was.
static inline char *cut_cursor(const char *text, size_t *offset) {
    const char *bar = strchr(text, '|');
    assert_non_null(bar);
    *offset = (size_t)(bar - text);
    char *whole = strdup(text);
    memmove(whole + *offset, whole + *offset + 1, strlen(whole) - *offset);
    return whole;
}

// A request about the place of the text that `mark` names by a `|` in it: "let |loss = ".
static inline json_t *ask_at(client *c, const char *method, const char *uri, const char *text,
                             const char *mark) {
    size_t within;
    char *needle = cut_cursor(mark, &within);
    const char *found = strstr(text, needle);
    if (!found) fail_msg("\"%s\" isn't in the text", needle);
    json_t *result = result_of(c, method,
                               json_pack("{s:{s:s}, s:o}", "textDocument", "uri", uri, "position",
                                         position(text, (size_t)(found - text) + within, false)));
    free(needle);
    return result;
}

#endif
