// libFuzzer target of the language server: whatever comes over the wire, it answers in whole messages and
// ends. Where the input begins with '!' it is the bytes of the wire; else its lines are contents of messages,
// each with the header that belongs to it.
#include "driver/lsp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_lines(tct_buf *wire, const char *text, size_t size) {
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t n = end ? (size_t)(end - text) : size;
        tct_buf_printf(wire, "Content-Length: %zu\r\n\r\n", n);
        tct_buf_add(wire, text, n);
        text += n + (end != NULL);
        size -= n + (end != NULL);
    }
}

// Every byte belongs to a message of JSON.
static void check_answers(const char *text, size_t len) {
    for (const char *at = text; at < text + len;) {
        char *end;
        if (strncmp(at, "Content-Length: ", 16) != 0) abort();
        size_t n = strtoul(at + 16, &end, 10);
        if (strncmp(end, "\r\n\r\n", 4) != 0 || n > len - (size_t)(end + 4 - text)) abort();
        json_t *message = json_loadb(end + 4, n, JSON_ALLOW_NUL, NULL);
        if (!json_object_get(message, "jsonrpc")) abort();
        json_decref(message);
        at = end + 4 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tct_buf wire = {0};
    tct_buf_puts(&wire, "");
    if (size && data[0] == '!')
        tct_buf_add(&wire, data + 1, size - 1);
    else
        add_lines(&wire, (const char *)data, size);
    char *answers = NULL;
    size_t n = 0;
    FILE *in = fmemopen(wire.data, wire.len + !wire.len, "r"), *out = open_memstream(&answers, &n);
    if (!in || !out) abort();
    tct_lsp_serve(in, out, "std");
    fclose(in);
    fclose(out);
    check_answers(answers, n);
    free(answers);
    tct_buf_free(&wire);
    return 0;
}
