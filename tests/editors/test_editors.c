// The files for editors: they are well-formed, their words are those of the lexer, they colour a sample as
// they should, and the client for VS Code talks with the program. What needs an editor that isn't there is
// skipped, and says so.
#include "base/dtype.h"
#include "base/file.h"
#include "frontend/lexer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char grammar_path[] = "editors/vscode/syntaxes/tercet.tmLanguage.json";

// Words of the grammar that are keywords in their places alone (docs/language.md, section 7).
static const char *const words_in_place[] = {"config", "model",  "axis",    "param", "part",
                                             "state",  "as",     "reverse", "clip",  "huggingface",
                                             "from",   "decode", "gradient"};
static const char *const other_types[] = {"int", "float", "string", "path", "real", "list", "axis", "axes"};

static json_t *load(const char *path) {
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root) fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

static void test_json(void **state) {
    (void)state;
    json_t *package = load("editors/vscode/package.json");
    const json_t *contributes = json_object_get(package, "contributes");
    const json_t *language = json_array_get(json_object_get(contributes, "languages"), 0);
    const json_t *grammar = json_array_get(json_object_get(contributes, "grammars"), 0);
    const char *files[] = {json_string_value(json_object_get(language, "configuration")),
                           json_string_value(json_object_get(grammar, "path")),
                           json_string_value(json_object_get(package, "main"))};
    for (size_t k = 0; k < 3; k++) {
        char path[256];
        snprintf(path, sizeof path, "editors/vscode/%s", files[k]);
        assert_int_equal(access(path, R_OK), 0);
    }
    json_t *root = load(grammar_path);
    assert_string_equal(json_string_value(json_object_get(grammar, "scopeName")),
                        json_string_value(json_object_get(root, "scopeName")));
    json_decref(load("editors/vscode/language-configuration.json"));
    json_decref(root);
    json_decref(package);
}

// The words in `found`, a JSON object, are those of the language, each once.
static void are_the_words(const json_t *found, const char *where) {
    json_t *wanted = json_object();
#define ADD_KEYWORD(id, spelling) json_object_set_new(wanted, spelling, json_true());
    TCT_KEYWORDS(ADD_KEYWORD)
#undef ADD_KEYWORD
    for (size_t k = 0; k < sizeof words_in_place / sizeof *words_in_place; k++)
        json_object_set_new(wanted, words_in_place[k], json_true());
    for (int t = 0; t < TCT_N_DTYPES; t++)
        json_object_set_new(wanted, tct_dtype_name((tct_dtype)t), json_true());
    for (size_t k = 0; k < sizeof other_types / sizeof *other_types; k++)
        json_object_set_new(wanted, other_types[k], json_true());
    const char *word;
    json_t *value;
    json_object_foreach(wanted, word, value) if (!json_object_get(found, word))
        fail_msg("%s lacks `%s`", where, word);
    json_object_foreach((json_t *)(uintptr_t)found, word, value) if (!json_object_get(wanted, word))
        fail_msg("%s has `%s`, which is no word of the language", where, word);
    json_decref(wanted);
}

// Alternatives of all groups of words in a regular expression: "\b(a|b|c)\b" has a, b and c.
static void add_alternatives(json_t *found, const char *regex) {
    for (const char *open = strchr(regex, '('); open; open = strchr(open + 1, '(')) {
        size_t n = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz0123456789|");
        if (open[1 + n] != ')' || n == 0) continue;
        for (const char *at = open + 1; at < open + 1 + n;) {
            char word[32];
            size_t len = strcspn(at, "|)");
            snprintf(word, sizeof word, "%.*s", (int)len, at);
            json_object_set_new(found, word, json_true());
            at += len + 1;
        }
    }
}

static void test_words_of_textmate(void **state) {
    (void)state;
    json_t *root = load(grammar_path), *found = json_object();
    static const char *const groups[] = {"keywords", "words"};
    for (size_t g = 0; g < 2; g++) {
        const json_t *group = json_object_get(json_object_get(root, "repository"), groups[g]), *pattern;
        size_t k;
        json_array_foreach(json_object_get(group, "patterns"), k, pattern)
            add_alternatives(found, json_string_value(json_object_get(pattern, "match")));
    }
    are_the_words(found, grammar_path);
    json_decref(found);
    json_decref(root);
}

static void add_words(json_t *found, char *list) {
    char *rest = NULL;
    for (char *w = strtok_r(list, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        json_object_set_new(found, w, json_true());
}

// What of a pattern of Vim is neither an escape nor punctuation: /\<\%(as\|from\)\>\ze\s\+"/ has as and from.
static void keep_words(char *pattern) {
    for (char *c = pattern; *c; c++) {
        size_t escape = *c != '\\' ? 0 : strncmp(c, "\\zs", 3) == 0 || strncmp(c, "\\ze", 3) == 0 ? 3 : 2;
        if (escape) {
            memset(c, ' ', escape);
            c += escape - 1;
        } else if (!strchr("abcdefghijklmnopqrstuvwxyz", *c)) {
            *c = ' ';
        }
    }
}

static void test_words_of_vim(void **state) {
    (void)state;
    static const char path[] = "editors/vim/syntax/tercet.vim";
    static const char *const groups[] = {"tercetStatement", "tercetItem", "tercetOperator", "tercetBoolean",
                                         "tercetType"};
    tct_diag d = {0};
    char *text, *rest = NULL, kind[16], group[32];
    json_t *found = json_object();
    assert_true(tct_file_read(&d, path, &text, NULL));
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int after = 0;
        bool ours = false;
        if (sscanf(line, "syntax %15s %31s %n", kind, group, &after) != 2 || !after) continue;
        for (size_t k = 0; k < sizeof groups / sizeof *groups; k++) ours |= strcmp(group, groups[k]) == 0;
        if (!ours) continue;
        if (strcmp(kind, "match") == 0) keep_words(line + after);
        add_words(found, line + after);
    }
    are_the_words(found, path);
    json_decref(found);
    tct_heap_free(text);
    tct_diag_free(&d);
}

// TextMate, as much of it as the grammar uses: the pattern that matches first, of several the one that comes
// first.

typedef struct rule {
    pcre2_code *match, *end;     // end: of a rule with begin and end
    const char *name, *captured; // captured: name of group 1
} rule;

typedef struct rules {
    rule list[64];
    size_t n;
} rules;

static pcre2_code *compile(const json_t *pattern, const char *key) {
    const char *text = json_string_value(json_object_get(pattern, key));
    int error;
    PCRE2_SIZE at;
    if (!text) return NULL;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &error, &at, NULL);
    if (!code) fail_msg("%s: error %d at %zu", text, error, (size_t)at);
    return code;
}

static void add_rules(rules *r, const json_t *root, const json_t *patterns) {
    size_t k;
    const json_t *p;
    json_array_foreach(patterns, k, p) {
        const char *include = json_string_value(json_object_get(p, "include"));
        if (include) {
            const json_t *group = json_object_get(json_object_get(root, "repository"), include + 1);
            assert_non_null(group);
            add_rules(r, root, json_object_get(group, "patterns"));
            continue;
        }
        assert_true(r->n < 64);
        rule *made = &r->list[r->n++];
        bool region = json_object_get(p, "begin") != NULL;
        *made = (rule){.match = compile(p, region ? "begin" : "match"), .end = compile(p, "end")};
        assert_non_null(made->match);
        made->name = json_string_value(json_object_get(p, "name"));
        made->captured =
            json_string_value(json_object_get(json_object_get(json_object_get(p, "captures"), "1"), "name"));
    }
    for (size_t i = 0; i < r->n; i++) assert_true(r->list[i].name || r->list[i].captured);
}

// Where `code` matches first in line[at…]; false: nowhere.
static bool find(const pcre2_code *code, const char *line, size_t at, size_t begin[2], size_t end[2]) {
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(code, NULL);
    int groups = pcre2_match(code, (PCRE2_SPTR)line, strlen(line), at, 0, m, NULL);
    for (int g = 0; g < 2; g++) {
        begin[g] = g < groups ? pcre2_get_ovector_pointer(m)[2 * g] : 0;
        end[g] = g < groups ? pcre2_get_ovector_pointer(m)[2 * g + 1] : 0;
    }
    pcre2_match_data_free(m);
    return groups > 0;
}

// The scope of each byte of a line.
static void scopes_of(const rules *r, const char *line, const char **scope) {
    size_t len = strlen(line);
    for (size_t at = 0; at < len;) {
        const rule *best = NULL;
        size_t begin[2], end[2], b[2], e[2];
        for (size_t k = 0; k < r->n; k++)
            if (find(r->list[k].match, line, at, b, e) && e[0] > b[0] && (!best || b[0] < begin[0])) {
                best = &r->list[k];
                memcpy(begin, b, sizeof b);
                memcpy(end, e, sizeof e);
            }
        if (!best) break;
        if (best->end) end[0] = find(best->end, line, end[0], b, e) ? e[0] : len;
        for (size_t k = begin[0]; k < end[0]; k++) scope[k] = best->name;
        for (size_t k = begin[1]; best->captured && k < end[1]; k++) scope[k] = best->captured;
        at = end[0];
    }
}

// Compares what was found with a file; TERCET_UPDATE=1 writes it.
static void is_golden(const char *path, const tct_buf *found) {
    tct_diag d = {0};
    char *expected;
    if (getenv("TERCET_UPDATE")) assert_true(tct_file_write(&d, path, found->data, found->len));
    assert_true(tct_file_read(&d, path, &expected, NULL));
    if (strcmp(expected, found->data) != 0) fail_msg("%s has\n%s\nfound\n%s", path, expected, found->data);
    tct_heap_free(expected);
    tct_diag_free(&d);
}

static void test_colours_of_textmate(void **state) {
    (void)state;
    json_t *root = load(grammar_path);
    rules r = {0};
    add_rules(&r, root, json_object_get(root, "patterns"));
    FILE *sample = fopen("tests/editors/sample.tct", "r");
    char line[256];
    tct_buf out = {0};
    for (int number = 1; fgets(line, sizeof line, sample); number++) {
        const char *scope[256] = {NULL};
        line[strcspn(line, "\n")] = 0;
        scopes_of(&r, line, scope);
        for (size_t k = 0, begin; line[k];) { // runs of one scope
            for (begin = k; line[k] && scope[k] == scope[begin] && line[k] != ' '; k++) {
            }
            if (k > begin && scope[begin])
                tct_buf_printf(&out, "%d %.*s %s\n", number, (int)(k - begin), line + begin, scope[begin]);
            k += line[k] == ' ' && k >= begin;
        }
    }
    fclose(sample);
    is_golden("tests/editors/sample_textmate.txt", &out);
    for (size_t k = 0; k < r.n; k++) {
        pcre2_code_free(r.list[k].match);
        pcre2_code_free(r.list[k].end);
    }
    tct_buf_free(&out);
    json_decref(root);
}

static bool there_is(const char *command) {
    char test[256];
    snprintf(test, sizeof test, "%s >/dev/null 2>&1", command);
    return system(test) == 0;
}

static void test_colours_of_vim(void **state) {
    (void)state;
    if (!there_is("vim --version | grep -q '+syntax'")) {
        print_message("SKIPPED: no vim with +syntax here\n");
        skip();
    }
    char out[] = "/tmp/tercet-vim-XXXXXX", command[512];
    close(mkstemp(out));
    snprintf(command, sizeof command,
             "TERCET_VIM=editors/vim TERCET_SAMPLE=tests/editors/sample.tct TERCET_OUT=%s "
             "vim -u NONE -i NONE -n -es -S tests/editors/highlight.vim",
             out);
    assert_int_equal(system(command), 0);
    tct_diag d = {0};
    tct_buf text = {0};
    assert_true(tct_file_read(&d, out, &text.data, &text.len));
    is_golden("tests/editors/sample_vim.txt", &text);
    tct_buf_free(&text);
    tct_diag_free(&d);
    unlink(out);
}

static void test_client_of_vscode(void **state) {
    (void)state;
    if (!there_is("node --version")) {
        print_message("SKIPPED: no node here\n");
        skip();
    }
    FILE *f = popen("node tests/editors/extension_test.js '" TERCET_SOURCE_DIR
                    "/editors/vscode/extension.js' '" TERCET_PROGRAM "'",
                    "r");
    tct_buf out = {0};
    for (int c; (c = getc(f)) != EOF;) tct_buf_putc(&out, (char)c);
    assert_int_equal(pclose(f), 0);
    assert_string_equal(out.data, "hover: graph f( x: f32[B]) -> f32\n"
                                  "diagnostic: E0331 2 0\n"
                                  "completion: sum 2\n"
                                  "corrected: 0\n"
                                  "definition: 0 9\n"
                                  "symbols: f 11\n"
                                  "formatting: graph f(x: f32[B]) -> f32 {\n\n");
    tct_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),           cmocka_unit_test(test_words_of_textmate),
        cmocka_unit_test(test_words_of_vim),   cmocka_unit_test(test_colours_of_textmate),
        cmocka_unit_test(test_colours_of_vim), cmocka_unit_test(test_client_of_vscode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
