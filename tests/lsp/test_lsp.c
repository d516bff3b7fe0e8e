// The language server as a process, with messages as editors send them: what it answers, and that nothing a
// client sends upsets it.
#include "tests/lsp/client.h"

#include "base/file.h"

// Life

static void test_life(void **state) {
    (void)state;
    client c = start_client();
    assert_int_equal(error_of(&c, "textDocument/hover", json_object()), -32002);
    notify(&c, "textDocument/didOpen", json_object()); // dropped, as it came too early
    initialize(&c, NULL);
    assert_int_equal(error_of(&c, "initialize", json_object()), -32600);
    assert_int_equal(error_of(&c, "textDocument/rename", json_object()), -32601);
    notify(&c, "$/setTrace", json_pack("{s:s}", "value", "off"));
    notify(&c, "workspace/nonsense", json_object());
    json_t *nothing = result_of(&c, "shutdown", NULL);
    json_decref(nothing);
    assert_int_equal(error_of(&c, "textDocument/hover", json_object()), -32600);
    notify(&c, "exit", NULL);
    assert_int_equal(json_array_size(c.orphans), 0);
    assert_int_equal(end_client(&c), 0);
}

static void test_ends_without_shutdown(void **state) {
    (void)state;
    client c = start_initialized();
    notify(&c, "exit", NULL);
    assert_int_equal(end_client(&c), 1);
    c = start_initialized();
    assert_int_equal(end_client(&c), 1); // the editor went away
}

// Diagnostics

static void test_typing_a_mistake(void **state) {
    (void)state;
    client c = start_initialized();
    const char *uri = ANY_URI;
    assert_int_equal(json_array_size(open_text(&c, uri, program)), 0);
    // After `let logp = …` a line is typed that names an axis which isn't there.
    static const char typed[] = "\n    let total = sum(logp, [B, Q])";
    int line = 19, column = 37;
    json_t *list = NULL;
    for (size_t k = 0; k + 1 < sizeof typed; k++) {
        char text[2] = {typed[k], 0};
        notify(&c, "textDocument/didChange",
               json_pack("{s:{s:s, s:i}, s:[{s:{s:{s:i, s:i}, s:{s:i, s:i}}, s:i, s:s}]}", "textDocument",
                         "uri", uri, "version", (int)k + 2, "contentChanges", "range", "start", "line", line,
                         "character", column, "end", "line", line, "character", column, "rangeLength", 0,
                         "text", text));
        list = await_diagnostics(&c, uri);
        column++;
        if (typed[k] == '\n') line++, column = 0;
        // Whatever is half written, the rest is still known.
        json_t *hover = ask_at(&c, "textDocument/hover", uri, program, "objecti|ve");
        assert_non_null(
            strstr(json_string_value(json_object_get(json_object_get(hover, "contents"), "value")),
                   "What is minimized."));
        json_decref(hover);
    }
    assert_int_equal(json_array_size(list), 1);
    const json_t *d = json_array_get(list, 0), *range = json_object_get(d, "range");
    int start_line, start, end_line, end;
    assert_int_equal(json_unpack((json_t *)(uintptr_t)range, "{s:{s:i, s:i}, s:{s:i, s:i}}", "start", "line",
                                 &start_line, "character", &start, "end", "line", &end_line, "character",
                                 &end),
                     0);
    assert_int_equal(start_line, 20);
    assert_int_equal(end_line, 20);
    assert_int_equal(start, 30);
    assert_int_equal(end, 31);
    assert_string_equal(json_string_value(json_object_get(d, "code")), "E0331");
    assert_string_equal(json_string_value(json_object_get(d, "source")), "tercet");
    assert_int_equal(json_integer_value(json_object_get(d, "severity")), 1);
    assert_string_equal(json_string_value(json_object_get(d, "message")),
                        "unknown axis `Q`\nhelp: axes in scope: C, E, B, T, V");
    const char *link = json_string_value(json_object_get(json_object_get(d, "codeDescription"), "href"));
    assert_non_null(link);
    assert_non_null(strstr(link, "/docs/errors.md#e0331-axis-expected-or-unknown-axis"));
    // Correcting it: Q becomes T.
    notify(&c, "textDocument/didChange",
           json_pack("{s:{s:s, s:i}, s:[{s:{s:{s:i, s:i}, s:{s:i, s:i}}, s:s}]}", "textDocument", "uri", uri,
                     "version", 99, "contentChanges", "range", "start", "line", 20, "character", 30, "end",
                     "line", 20, "character", 31, "text", "T"));
    assert_int_equal(json_array_size(await_diagnostics(&c, uri)), 0);
    finish(&c);
}

static const char *first_code(json_t *list) {
    return json_string_value(json_object_get(json_array_get(list, 0), "code"));
}

static void test_related_places(void **state) {
    (void)state;
    client c = start_initialized();
    json_t *list = open_text(&c, ANY_URI,
                             "graph f(x: f32[B]) -> f32 {\n    return sum(x, B)\n}\n\n"
                             "graph f(x: f32[B]) -> f32 {\n    return sum(x, B)\n}\n");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(first_code(list), "E0206");
    const json_t *related = json_object_get(json_array_get(list, 0), "relatedInformation");
    const json_t *note = json_array_get(related, 0);
    assert_string_equal(json_string_value(json_object_get(note, "message")), "first declared here");
    const json_t *where = json_object_get(note, "location");
    assert_string_equal(json_string_value(json_object_get(where, "uri")), ANY_URI);
    const json_t *start = json_object_get(json_object_get(where, "range"), "start");
    assert_int_equal(json_integer_value(json_object_get(start, "line")), 0);
    // Several mistakes are all told, each once.
    list = replace_text(&c, ANY_URI,
                        "graph f(x: f32[B]) -> f32 {\n    let a = sum(x, Q)\n    let b = nothing\n"
                        "    return a + b\n}\n");
    assert_int_equal(json_array_size(list), 2);
    finish(&c);
}

// Files that aren't saved

static void test_used_files_as_they_are_edited(void **state) {
    (void)state;
    tct_arena a = {0};
    tct_diag d = {0};
    const char *folder = machine_folder(&a);
    static const char part[] = "graph twice(x: f32[B]) -> f32[B] {\n    return 2 * x\n}\n";
    static const char broken[] =
        "graph twice(x: f32[B, T]) -> f32[B] {\n    return 2 * sum(x, T) + config.bias\n}\n";
    static const char whole[] = "use \"part one.tct\"\n\nconfig {\n    bias: float = 1.0\n}\n\n"
                                "graph f(x: f32[B]) -> f32[B] {\n    return twice(x)\n}\n";
    const char *part_path = tct_path_join(&a, folder, "part one.tct");
    const char *whole_path = tct_path_join(&a, folder, "whole.tct");
    assert_true(tct_file_write(&d, part_path, part, strlen(part)));
    assert_true(tct_file_write(&d, whole_path, whole, strlen(whole)));
    const char *part_uri = tct_arena_printf(&a, "file://%s/part%%20one.tct", folder);
    const char *whole_uri = tct_arena_printf(&a, "file://%s/whole.tct", folder);
    client c = start_initialized();
    assert_int_equal(json_array_size(open_text(&c, whole_uri, whole)), 0);
    assert_int_equal(json_array_size(open_text(&c, part_uri, part)), 0);
    // The program sees the part as it is edited; the part sees the program's config.
    assert_int_equal(json_array_size(replace_text(&c, part_uri, broken)), 0);
    json_t *list = await_diagnostics(&c, whole_uri);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(first_code(list), "E0334");
    json_t *place = ask_at(&c, "textDocument/definition", whole_uri, whole, "return tw|ice");
    assert_string_equal(json_string_value(json_object_get(place, "uri")), part_uri);
    json_decref(place);
    place = ask_at(&c, "textDocument/definition", part_uri, broken, "config.bi|as");
    assert_string_equal(json_string_value(json_object_get(place, "uri")), whole_uri);
    json_decref(place);
    // Closed without saving, it is what the file says.
    notify(&c, "textDocument/didClose", json_pack("{s:{s:s}}", "textDocument", "uri", part_uri));
    assert_int_equal(json_array_size(await_diagnostics(&c, whole_uri)), 0);
    // A file that is only in the editor can be used as well, and one that is broken is told where it is used.
    const char *fresh_uri = tct_arena_printf(&a, "file://%s/fresh.tct", folder);
    open_text(&c, fresh_uri, "graph g(x: f32[B]) -> f32[B] {\n    return x +\n}\n");
    list = replace_text(&c, whole_uri,
                        "use \"fresh.tct\"\n\ngraph f(x: f32[B]) -> f32[B] {\n    return g(x)\n}\n");
    assert_int_equal(json_array_size(list), 1);
    const json_t *start = json_object_get(json_object_get(json_array_get(list, 0), "range"), "start");
    assert_int_equal(json_integer_value(json_object_get(start, "line")), 0);
    assert_int_equal(json_integer_value(json_object_get(start, "character")), 4);
    assert_non_null(
        strstr(json_string_value(json_object_get(json_array_get(list, 0), "message")), "fresh.tct:2: "));
    finish(&c);
    machine_remove_folder(folder);
    tct_arena_free(&a);
    tct_diag_free(&d);
}

// Positions

static void test_encodings(void **state) {
    (void)state;
    // On the line: 4 + 1 characters of 2 bytes, one of 3 bytes and one that is two UTF-16 units.
    static const char text[] =
        "graph f(x: f32[B]) -> f32 {\n    let y = sum(x, B) // äöü€\xF0\x9F\x8E\xAF\r\n"
        "    let z = \"äöü€\xF0\x9F\x8E\xAF\" + yy\r\n    return y\n}\n";
    for (int utf8 = 0; utf8 < 2; utf8++) {
        client c = start_client();
        initialize(&c, utf8 ? "utf-8" : NULL);
        json_t *list = open_text(&c, ANY_URI, text);
        assert_int_equal(json_array_size(list), 1);
        const json_t *range = json_object_get(json_array_get(list, 0), "range");
        json_t *begin = position(text, (size_t)(strstr(text, "yy") - text), utf8);
        assert_true(json_equal(json_object_get(range, "start"), begin));
        // An edit after those characters: yy becomes "".
        json_t *end = position(text, (size_t)(strstr(text, "yy") - text) + 2, utf8);
        notify(&c, "textDocument/didChange",
               json_pack("{s:{s:s, s:i}, s:[{s:{s:o, s:o}, s:s}]}", "textDocument", "uri", ANY_URI, "version",
                         2, "contentChanges", "range", "start", begin, "end", end, "text", "\"\""));
        assert_int_equal(json_array_size(await_diagnostics(&c, ANY_URI)), 0);
        finish(&c);
    }
}

static void test_edits_out_of_the_text(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, "graph f() -> f32 {\n    return 1.0\n}\n");
    // Past the end is the end: two lines are added there.
    notify(&c, "textDocument/didChange",
           json_pack("{s:{s:s, s:i}, s:[{s:{s:{s:i, s:i}, s:{s:i, s:i}}, s:s}]}", "textDocument", "uri",
                     ANY_URI, "version", 2, "contentChanges", "range", "start", "line", 1000, "character",
                     1000, "end", "line", 2000, "character", 0, "text",
                     "\ngraph g() -> f32 {\n    return f()\n}\n"));
    assert_int_equal(json_array_size(await_diagnostics(&c, ANY_URI)), 0);
    // Backwards, negative or without a number: refused, and the text stays.
    static const char *const ranges[] = {
        "{\"start\":{\"line\":2,\"character\":0},\"end\":{\"line\":1,\"character\":0}}",
        "{\"start\":{\"line\":-1,\"character\":0},\"end\":{\"line\":1,\"character\":0}}",
        "{\"start\":{\"line\":1e3,\"character\":0},\"end\":{\"line\":1,\"character\":0}}",
        "{\"start\":{\"line\":1},\"end\":{\"line\":1,\"character\":0}}",
        "{}",
        "[]"};
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/"
                 "didChange\",\"params\":{\"textDocument\":{\"uri\":\"%s\","
                 "\"version\":3},\"contentChanges\":[{\"range\":%s,\"text\":\"?\"}]}}",
                 ANY_URI, ranges[k]);
        send_text(&c, text);
        assert_int_equal(json_array_size(await_diagnostics(&c, ANY_URI)), 0);
    }
    json_t *symbols =
        result_of(&c, "textDocument/documentSymbol", json_pack("{s:{s:s}}", "textDocument", "uri", ANY_URI));
    assert_int_equal(json_array_size(symbols), 2);
    assert_int_equal(json_array_size(c.log), sizeof ranges / sizeof *ranges);
    json_decref(symbols);
    finish(&c);
}

// Bad messages

// After whatever was sent the server answers with an error without id, and goes on.
static void is_refused(client *c, const char *bytes, size_t n, int code) {
    size_t before = json_array_size(c->orphans);
    send_bytes(c, bytes, n);
    json_decref(
        result_of(c, "textDocument/documentSymbol", json_pack("{s:{s:s}}", "textDocument", "uri", ANY_URI)));
    if (json_array_size(c->orphans) != before + 1)
        fail_msg("%zu errors after %s", json_array_size(c->orphans) - before, bytes);
    const json_t *error = json_array_get(c->orphans, before);
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    assert_true(json_string_length(json_object_get(error, "message")) > 0);
}

static void content_is_refused(client *c, const char *content, int code) {
    tct_buf b = {0};
    tct_buf_printf(&b, "Content-Length: %zu\r\n\r\n%s", strlen(content), content);
    is_refused(c, b.data, b.len, code);
    tct_buf_free(&b);
}

static void test_bad_messages(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    content_is_refused(&c, "{\"jsonrpc\":\"2.0\",", -32700);
    content_is_refused(&c, "", -32700);
    content_is_refused(&c, "not JSON", -32700);
    content_is_refused(&c, "{\"jsonrpc\":\"2.0\",\"method\":\"x\xFF\"}", -32700);
    content_is_refused(&c, "[]", -32600);
    content_is_refused(&c, "17", -32600);
    content_is_refused(&c, "{}", -32600);
    content_is_refused(&c, "{\"jsonrpc\":\"1.0\",\"method\":\"exit\"}", -32600);
    content_is_refused(&c, "{\"jsonrpc\":\"2.0\",\"method\":7}", -32600);
    content_is_refused(&c, "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"shutdown\"}", -32600);
    content_is_refused(&c, "{\"jsonrpc\":\"2.0\"}", -32600);
    tct_buf deep = {0};
    for (int k = 0; k < 100000; k++) tct_buf_putc(&deep, '[');
    content_is_refused(&c, deep.data, -32700);
    tct_buf_free(&deep);
#define REFUSED(text, code) is_refused(&c, text, sizeof text - 1, code)
    REFUSED("nonsense\r\n\r\n", -32700);
    REFUSED("Content-Type: text\r\n\r\n", -32700);
    REFUSED("Content-Length: many\r\n\r\n", -32700);
    REFUSED("Content-Length: -5\r\n\r\n", -32700);
    REFUSED("\0\1\2\3\xFF\r\n", -32700);
    REFUSED("Content-Length: 10\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"$/x\"}", -32700); // too short
    REFUSED("Content-Length: 65\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"$/x\"}Content-Length: 33\r\n\r\n"
            "{\"jsonrpc\":\"2.0\",\"method\":\"$/yy\"}",
            -32700); // too long
    // Requests whose parameters are wrong.
    assert_int_equal(error_of(&c, "textDocument/hover", NULL), -32602);
    assert_int_equal(error_of(&c, "textDocument/hover", json_array()), -32602);
    assert_int_equal(error_of(&c, "textDocument/hover", json_pack("{s:{s:i}}", "textDocument", "uri", 3)),
                     -32602);
    assert_int_equal(
        error_of(&c, "textDocument/hover", json_pack("{s:{s:s}}", "textDocument", "uri", ANY_URI)), -32602);
    assert_int_equal(error_of(&c, "textDocument/completion",
                              json_pack("{s:{s:s}, s:{s:i, s:i}}", "textDocument", "uri", "file:///other",
                                        "position", "line", 0, "character", 0)),
                     -32602);
    json_array_clear(c.orphans);
    finish(&c);
}

static void test_huge_content_length(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    // What is promised never comes: no memory is taken for it, and the end of the input is told.
    static const char huge[] = "Content-Length: 99999999999999999999\r\n\r\n{\"jsonrpc\":";
    send_bytes(&c, huge, sizeof huge - 1);
    fclose(c.to);
    json_t *message = receive(&c);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(message, "error"), "code")), -32700);
    json_decref(message);
    assert_null(receive(&c));
    c.to = fopen("/dev/null", "w");
    assert_int_equal(end_client(&c), 1);
}

// The same messages get the same bytes.
static char *transcript(size_t *n) {
    char in[] = "/tmp/tercet-lsp-XXXXXX", out[sizeof in + 8], command[1024];
    int fd = mkstemp(in);
    FILE *f = fdopen(fd, "w");
    json_t *string = json_string(program);
    char *text = json_dumps(string, JSON_ENCODE_ANY);
    json_decref(string);
    tct_buf messages[5] = {0};
    tct_buf_puts(&messages[0],
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"capabilities\":{}}}");
    tct_buf_printf(&messages[1],
                   "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/"
                   "didOpen\",\"params\":{\"textDocument\":{\"uri\":\"%s\","
                   "\"version\":1,\"text\":%s}}}",
                   ANY_URI, text);
    tct_buf_printf(&messages[2],
                   "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"textDocument/"
                   "completion\",\"params\":{\"textDocument\":"
                   "{\"uri\":\"%s\"},\"position\":{\"line\":20,\"character\":4}}}",
                   ANY_URI);
    tct_buf_puts(&messages[3], "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"shutdown\"}");
    tct_buf_puts(&messages[4], "{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}");
    for (int k = 0; k < 5; k++) {
        fprintf(f, "Content-Length: %zu\r\n\r\n%s", messages[k].len, messages[k].data);
        tct_buf_free(&messages[k]);
    }
    fclose(f);
    free(text);
    snprintf(out, sizeof out, "%s.out", in);
    snprintf(command, sizeof command, "%s lsp <%s >%s", TERCET_PROGRAM, in, out);
    assert_int_equal(system(command), 0);
    tct_diag d = {0};
    char *bytes;
    assert_true(tct_file_read(&d, out, &bytes, n));
    unlink(in);
    unlink(out);
    return bytes;
}

static void test_deterministic(void **state) {
    (void)state;
    size_t n[2];
    char *a = transcript(&n[0]), *b = transcript(&n[1]);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(a, b, n[0]);
    assert_non_null(strstr(a, "log_softmax"));
    tct_heap_free(a);
    tct_heap_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_ends_without_shutdown),
        cmocka_unit_test(test_typing_a_mistake),
        cmocka_unit_test(test_related_places),
        cmocka_unit_test(test_used_files_as_they_are_edited),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_edits_out_of_the_text),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_huge_content_length),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
