// JSON lines and the formats of examples.
#include "base/file.h"
#include "runtime/jsonl.h"
#include "runtime/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define SHARED TERCET_SOURCE_DIR "/../shared/data/"

static char folder[64];
static char path[128];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tercet-records-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *write_bytes(const char *name, const void *data, size_t len) {
    tct_diag d = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(tct_file_write(&d, path, data, len));
    tct_diag_free(&d);
    return path;
}

static const char *write_text(const char *name, const char *text) {
    return write_bytes(name, text, strlen(text));
}

static void assert_reported(const tct_diag *d, const char *code, const char *text) {
    assert_true(d->messages.len > 0);
    const tct_message *m = &d->messages.data[d->messages.len - 1];
    if (strcmp(m->code, code) != 0 || !strstr(m->text, text)) fail_msg("got %s: %s", m->code, m->text);
}

static void test_lines(void **state) {
    (void)state;
    tct_diag d = {0};
    const char *text;
    size_t len;
    tct_jsonl *r = tct_jsonl_open(&d, write_text("lines", "\xEF\xBB\xBFone\r\n\n\xEF\xBB\xBFtwo\n\r\nlast"));
    static const char *const expected[] = {"one", "", "\xEF\xBB\xBFtwo", "", "last"};
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(tct_jsonl_next_line(&d, r, &text, &len), TCT_READ_OK);
        assert_int_equal(len, strlen(expected[i]));
        assert_memory_equal(text, expected[i], len);
        assert_int_equal(tct_jsonl_line(r), i + 1);
    }
    assert_int_equal(tct_jsonl_next_line(&d, r, &text, &len), TCT_READ_END);
    assert_int_equal(tct_jsonl_next_line(&d, r, &text, &len), TCT_READ_END);
    tct_jsonl_close(r);
    assert_null(tct_jsonl_open(&d, "/nowhere/x.jsonl"));
    assert_reported(&d, "E0701", "/nowhere/x.jsonl");
    assert_null(tct_jsonl_open(&d, folder));
    assert_reported(&d, "E0701", "is a folder");
    tct_diag_free(&d);
}

static void test_values_and_bad_lines(void **state) {
    (void)state;
    tct_diag d = {0};
    json_t *v;
    tct_jsonl *r = tct_jsonl_open(&d, write_text("v.jsonl", "\n  \n{\"a\": 1}\r\n[2]\n\n{\"a\": }\n"));
    assert_int_equal(tct_jsonl_next(&d, r, &v), TCT_READ_OK);
    assert_int_equal(tct_jsonl_line(r), 3);
    assert_int_equal(json_integer_value(json_object_get(v, "a")), 1);
    json_decref(v);
    assert_int_equal(tct_jsonl_next(&d, r, &v), TCT_READ_OK);
    json_decref(v);
    assert_int_equal(tct_jsonl_next(&d, r, &v), TCT_READ_ERROR);
    assert_reported(&d, "E0708", "v.jsonl:6:7: the line is not a JSON value");
    tct_jsonl_close(r);
    static const char *const bad[] = {"{\"a\": \"\xFF\"}", "{\"a\": \"\\u0000\"}", "{\"a\":1,\"a\":2}",
                                      "{\"a\":1} {\"b\":2}", "{"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r = tct_jsonl_open(&d, write_text("bad.jsonl", bad[i]));
        assert_int_equal(tct_jsonl_next(&d, r, &v), TCT_READ_ERROR);
        assert_reported(&d, "E0708", "bad.jsonl:1:");
        tct_jsonl_close(r);
    }
    tct_diag_free(&d);
}

// A line longer than any buffer, gzipped; and the same gzip cut short or bent.
static void test_gzip(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_buf long_line = {0};
    tct_buf_puts(&long_line, "{\"text\": \"");
    for (uint32_t i = 0; i < 100000; i++) tct_buf_printf(&long_line, "%u ", i * 2654435761u % 1000003);
    tct_buf_puts(&long_line, "\"}\n{\"text\": \"end\"}\n");
    snprintf(path, sizeof path, "%s/long.jsonl.gz", folder);
    gzFile gz = gzopen(path, "wb");
    assert_int_equal(gzwrite(gz, long_line.data, (unsigned)long_line.len), (int)long_line.len);
    assert_int_equal(gzclose(gz), Z_OK);
    tct_records r = {0};
    assert_true(tct_records_read(&d, path, NULL, 0, 0, &r));
    assert_int_equal(r.rows.len, 2);
    assert_true(strlen(r.rows.data[0].responses[0]) > 500000);
    assert_string_equal(r.rows.data[1].responses[0], "end");
    assert_int_equal(r.rows.data[1].line, 2);
    tct_records_free(&r);

    char *bytes;
    size_t len;
    assert_true(tct_file_read(&d, path, &bytes, &len));
    assert_false(tct_records_read(&d, write_bytes("cut.jsonl.gz", bytes, len / 2), NULL, 0, 0, &r));
    assert_reported(&d, "E0701", "the gzip data end too soon");
    tct_records_free(&r);
    memset(bytes + len / 2, 0xFF, 64);
    assert_false(tct_records_read(&d, write_bytes("bent.jsonl.gz", bytes, len), NULL, 0, 0, &r));
    assert_reported(&d, "E0701", "cannot read");
    tct_records_free(&r);
    tct_heap_free(bytes);
    tct_buf_free(&long_line);
    tct_diag_free(&d);
}

static void test_formats(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_records r = {0};
    const tct_template style = {.prompt = "Q: {prompt}\nA:"};
    assert_true(tct_records_read(
        &d,
        write_text(
            "all.jsonl",
            "{\"prompt\": \"p\", \"completion\": \" c\", \"id\": 7}\n"
            "{\"prompt\": \"p\", \"completion\": \" c\", \"label\": true}\n"
            "{\"prompt\": \"p\", \"completion\": \" c\", \"label\": 0}\n"
            "{\"prompt\": \"p\", \"chosen\": \" yes\", \"rejected\": \" no\"}\n"
            "{\"chosen\": \"\\n\\nHuman: a\\n\\nAssistant: b\\n\\nHuman: c\\n\\nAssistant: good one\","
            " \"rejected\": \"\\n\\nHuman: a\\n\\nAssistant: b\\n\\nHuman: c\\n\\nAssistant: good two\"}\n"
            "{\"prompt\": \"p\", \"responses\": [\"x\", \"y\", \"z\"], \"ranks\": [2, 1, 2]}\n"
            "{\"prompt\": \"only\"}\n"
            "{\"text\": \"document\"}\n"),
        &style, 0, 0, &r));
    assert_int_equal(r.rows.len, 8);
    const tct_record *row = r.rows.data;
    assert_string_equal(row[0].prompt, "Q: p\nA:");
    assert_string_equal(row[0].responses[0], " c");
    assert_int_equal(row[0].label, -1);
    assert_int_equal(row[1].label, 1);
    assert_int_equal(row[2].label, 0);
    assert_int_equal(row[3].n_responses, 2);
    assert_int_equal(row[3].ranks[0], 1);
    assert_int_equal(row[3].ranks[1], 2);
    assert_string_equal(row[4].prompt, "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:");
    assert_string_equal(row[4].responses[1], " good two");
    assert_int_equal(row[5].n_responses, 3);
    assert_int_equal(row[5].ranks[1], 1);
    assert_string_equal(row[6].prompt, "Q: only\nA:");
    assert_int_equal(row[6].n_responses, 0);
    assert_string_equal(row[7].prompt, "");
    assert_string_equal(row[7].responses[0], "document");
    assert_int_equal(row[7].line, 8);
    tct_records_free(&r);
    // A range of rows.
    assert_true(tct_records_read(&d, path, NULL, 5, 2, &r));
    assert_int_equal(r.rows.len, 2);
    assert_string_equal(r.rows.data[1].prompt, "only");
    assert_int_equal(r.rows.data[1].line, 7);
    tct_records_free(&r);
    // The same as one JSON array.
    assert_true(tct_records_read(
        &d, write_text("array.json", " \n[{\"prompt\": \"a\"},\n {\"prompt\": \"b\"}]"), NULL, 1, 0, &r));
    assert_int_equal(r.rows.len, 1);
    assert_string_equal(r.rows.data[0].prompt, "b");
    tct_records_free(&r);
    // Plain text.
    assert_true(tct_records_read(&d, write_text("plain.txt", "[not\r\njson]\n"), NULL, 0, 0, &r));
    assert_string_equal(r.rows.data[0].responses[0], "[not\njson]\n");
    tct_records_free(&r);
    assert_int_equal(d.n_errors, 0);
    tct_diag_free(&d);
}

static void assert_dialogue(const char *chat, const char *json, const char *prompt, const char *response,
                            const char *segments) {
    tct_diag d = {0};
    tct_records r = {0};
    const tct_template style = {.chat = chat};
    if (!tct_records_read(&d, write_text("m.jsonl", json), &style, 0, 0, &r))
        fail_msg("%s", d.messages.data[0].text);
    const tct_record *row = r.rows.data;
    assert_string_equal(row->prompt, prompt);
    if (response)
        assert_string_equal(row->responses[0], response);
    else
        assert_int_equal(row->n_responses, 0);
    tct_buf b = {0};
    tct_buf_puts(&b, "");
    for (int i = 0; i < row->n_segments; i++)
        tct_buf_printf(&b, row->segments[i].learned ? "[%s]" : "%s", row->segments[i].text);
    assert_string_equal(b.data, segments);
    tct_buf_free(&b);
    tct_records_free(&r);
    tct_diag_free(&d);
}

#define SAY(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"

static void test_messages(void **state) {
    (void)state;
    const char *one = "{\"messages\":[" SAY("user", "hi") "," SAY("assistant", "hello") "]}";
    const char *two = "{\"messages\":[" SAY("system", "Be kind.") "," SAY("user", "hi") "," SAY(
        "assistant", "hello") "," SAY("user", "bye") "," SAY("assistant", "so long") "]}";
    const char *open = "{\"messages\":[" SAY("user", "hi") "]}";
    assert_dialogue(NULL, one, "\n\nHuman: hi\n\nAssistant:", " hello", "");
    assert_dialogue("hh", two,
                    "Be kind.\n\nHuman: hi\n\nAssistant: hello\n\nHuman: bye\n\nAssistant:", " so long",
                    "Be kind.\n\nHuman: hi\n\nAssistant:[ hello]\n\nHuman: bye\n\nAssistant:[ so long]");
    assert_dialogue("hh", open, "\n\nHuman: hi\n\nAssistant:", NULL, "");
    assert_dialogue("chatml", one, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
                    "hello<|im_end|>", "");
    assert_dialogue("chatml", open, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", NULL, "");
    assert_dialogue("plain", two, "Be kind.\nhi\nhello\nbye\n", "so long",
                    "Be kind.\nhi\n[hello]\nbye\n[so long]");
    assert_dialogue("plain", open, "hi\n", NULL, "");
}

static void test_bad_rows_are_named(void **state) {
    (void)state;
    static const struct {
        const char *row, *code, *expected;
    } bad[] = {
        {"3", "E0708", "an object such as"},
        {"{\"instruction\": \"x\"}", "E0708", "none of the known formats"},
        {"{\"prompt\": 4}", "E0708", "'prompt' must be a string"},
        {"{\"prompt\": \"a\", \"completion\": null}", "E0708", "'completion' must be a string"},
        {"{\"prompt\": \"a\", \"chosen\": \"b\"}", "E0708", "'rejected' must be a string"},
        {"{\"chosen\": \"Human: a\", \"rejected\": \"Human: b\"}", "E0708", "dialogues that begin alike"},
        {"{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"], \"ranks\": [1]}", "E0713",
         "1 ranks for 2 responses"},
        {"{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"]}", "E0713", "0 ranks for 2 responses"},
        {"{\"prompt\": \"a\", \"responses\": [\"b\"], \"ranks\": [1]}", "E0713", "2 to 1024 texts"},
        {"{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"], \"ranks\": [0, 1]}", "E0713", "rank 1 must be"},
        {"{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"], \"ranks\": [1, 1.5]}", "E0713",
         "rank 2 must be"},
        {"{\"prompt\": \"a\", \"responses\": [\"b\", 5], \"ranks\": [1, 2]}", "E0708",
         "response 2 must be a string"},
        {"{\"messages\": []}", "E0708", "'messages' must be a list"},
        {"{\"messages\": [" SAY("user", "a") ", {\"role\": \"tool\", \"content\": \"b\"}]}", "E0708",
         "message 2 needs"},
        {"{\"messages\": [{\"role\": \"user\"}]}", "E0708", "message 1 needs"},
        {"{\"text\": []}", "E0708", "'text' must be a string"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tct_diag d = {0};
        tct_records r = {0};
        char file[512];
        snprintf(file, sizeof file, "{\"text\": \"fine\"}\n\n%s\n", bad[i].row);
        assert_false(tct_records_read(&d, write_text("bad.jsonl", file), NULL, 0, 0, &r));
        assert_int_equal(d.n_errors, 1);
        assert_reported(&d, bad[i].code, "bad.jsonl:3: ");
        assert_reported(&d, bad[i].code, bad[i].expected);
        tct_records_free(&r);
        snprintf(file, sizeof file, "[{\"text\": \"fine\"}, %s]", bad[i].row);
        assert_false(tct_records_read(&d, write_text("bad.json", file), NULL, 0, 0, &r));
        assert_reported(&d, bad[i].code, "bad.json, item 2: ");
        tct_records_free(&r);
        tct_diag_free(&d);
    }
    tct_diag d = {0};
    tct_records r = {0};
    assert_false(tct_records_read(&d, write_text("a.json", "[{\"text\":\n \"a\"}"), NULL, 0, 0, &r));
    assert_reported(&d, "E0708", "a.json:");
    assert_false(tct_records_read(&d, write_bytes("nul.txt", "a\0b", 3), NULL, 0, 0, &r));
    assert_reported(&d, "E0708", "NUL bytes");
    assert_false(tct_records_read(&d, path, &(tct_template){.prompt = "no hole"}, 0, 0, &r));
    assert_reported(&d, "E0709", "has no {prompt}");
    assert_false(tct_records_read(&d, path, &(tct_template){.chat = "chatlm"}, 0, 0, &r));
    assert_reported(&d, "E0709", "no chat style 'chatlm'");
    assert_string_equal(d.messages.data[d.messages.len - 1].help, "was 'chatml' meant?");
    tct_records_free(&r);
    tct_diag_free(&d);
}

// The real files: every row of each is understood.
static void test_real_files(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t rows;
        int responses;
    } files[] = {
        {"hh_harmless_dev.jsonl.gz", 1156, 2}, {"pandalm_kway.jsonl", 21, 5}, {"tinyshakespeare.txt", 1, 1}};
    for (size_t i = 0; i < 3; i++) {
        tct_diag d = {0};
        tct_records r = {0};
        snprintf(path, sizeof path, SHARED "%s", files[i].name);
        if (access(path, F_OK) != 0) {
            print_message("SKIPPED: %s is not there\n", path);
            continue;
        }
        if (!tct_records_read(&d, path, NULL, 0, 0, &r)) fail_msg("%s", d.messages.data[0].text);
        assert_int_equal(r.rows.len, files[i].rows);
        for (size_t k = 0; k < r.rows.len; k++) {
            const tct_record *row = &r.rows.data[k];
            assert_in_range(row->n_responses, i == 1 ? 3 : files[i].responses, files[i].responses);
            if (i == 0) { // ends in the turn that is answered, and the answers are what the file has after it
                size_t n = strlen(row->prompt), turn = strlen("\n\nAssistant:");
                assert_true(n > turn);
                assert_string_equal(row->prompt + n - turn, "\n\nAssistant:");
            }
        }
        tct_records_free(&r);
        tct_diag_free(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_values_and_bad_lines),
        cmocka_unit_test(test_gzip),       cmocka_unit_test(test_formats),
        cmocka_unit_test(test_messages),   cmocka_unit_test(test_bad_rows_are_named),
        cmocka_unit_test(test_real_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
