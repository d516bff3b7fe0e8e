// Files of examples: which format a row has is told by its keys (docs/data.md).
#include "runtime/jsonl.h"
#include "runtime/records.h"

#include <string.h>

typedef struct context {
    tct_diag *d;
    tct_records *to;
    const tct_template *style;
    const char *path;
    uint32_t at; // line of the file, or item of its array
    bool items;
} context;

// Reports a bad row with its place; `what` says what was expected.
static bool bad(const context *c, const char *code, const char *what) {
    return c->items ? tct_error(c->d, code, TCT_NO_SPAN, "%s, item %u: %s", c->path, c->at, what)
                    : tct_error(c->d, code, TCT_NO_SPAN, "%s:%u: %s", c->path, c->at, what);
}

static const char *text_of(const context *c, json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    if (!text) bad(c, "E0708", tct_arena_printf(&c->to->arena, "'%s' must be a string", key));
    return text;
}

// The row's prompt with the template applied; NULL after reporting.
static const char *prompt_of(const context *c, json_t *row) {
    const char *prompt = text_of(c, row, "prompt");
    return prompt ? tct_template_apply(&c->to->arena, c->style, prompt) : NULL;
}

static bool read_ranked(const context *c, json_t *row) {
    const char *prompt = prompt_of(c, row);
    json_t *responses = json_object_get(row, "responses"), *ranks = json_object_get(row, "ranks");
    size_t n = json_array_size(responses);
    if (!prompt) return false;
    if (!json_is_array(responses) || n < 2 || n > 1024)
        return bad(c, "E0713", "'responses' must be a list of 2 to 1024 texts");
    if (!json_is_array(ranks) || json_array_size(ranks) != n)
        return bad(c, "E0713",
                   tct_arena_printf(
                       &c->to->arena,
                       "%zu ranks for %zu responses: give each response its rank, 1 = best, equal = tie",
                       json_array_size(ranks), n));
    const char **texts = TCT_NEW_ARRAY(&c->to->arena, const char *, n);
    int32_t *numbers = TCT_NEW_ARRAY(&c->to->arena, int32_t, n);
    for (size_t i = 0; i < n; i++) {
        json_t *rank = json_array_get(ranks, i);
        texts[i] = json_string_value(json_array_get(responses, i));
        if (!texts[i])
            return bad(c, "E0708", tct_arena_printf(&c->to->arena, "response %zu must be a string", i + 1));
        if (!json_is_integer(rank) || json_integer_value(rank) < 1 || json_integer_value(rank) > INT32_MAX)
            return bad(c, "E0713",
                       tct_arena_printf(&c->to->arena,
                                        "rank %zu must be a whole number of at least 1 (1 = best)", i + 1));
        numbers[i] = (int32_t)json_integer_value(rank);
    }
    tct_records_add_ranked(c->to, prompt, (int)n, texts, numbers);
    return true;
}

// Equal texts are a tie: there is nothing to compare.
static void add_pair(const context *c, const char *prompt, const char *chosen, const char *rejected) {
    const char *pair[2] = {chosen, rejected};
    const int32_t ranks[2] = {1, strcmp(chosen, rejected) == 0 ? 1 : 2};
    tct_records_add_ranked(c->to, prompt, 2, pair, ranks);
}

// HH-RLHF: two whole dialogues. What they share, up to its last "\n\nAssistant:", is the prompt.
static bool read_dialogues(const context *c, const char *chosen, const char *rejected) {
    static const char turn[] = "\n\nAssistant:";
    size_t same = 0, cut = 0, len = strlen(turn);
    while (chosen[same] && chosen[same] == rejected[same]) same++;
    for (size_t end = len; end <= same; end++)
        if (memcmp(chosen + end - len, turn, len) == 0) cut = end;
    if (!cut)
        return bad(c, "E0708",
                   "'chosen' and 'rejected' must be dialogues that begin alike, up to a "
                   "\"\\n\\nAssistant:\", or stand "
                   "beside a 'prompt'");
    add_pair(c, tct_arena_strndup(&c->to->arena, chosen, cut), chosen + cut, rejected + cut);
    return true;
}

static bool read_preference(const context *c, json_t *row) {
    const char *chosen = text_of(c, row, "chosen"), *rejected = chosen ? text_of(c, row, "rejected") : NULL;
    if (!rejected) return false;
    if (!json_object_get(row, "prompt")) return read_dialogues(c, chosen, rejected);
    const char *prompt = prompt_of(c, row);
    if (prompt) add_pair(c, prompt, chosen, rejected);
    return prompt != NULL;
}

static bool read_completion(const context *c, json_t *row) {
    const char *prompt = prompt_of(c, row), *completion = prompt ? text_of(c, row, "completion") : NULL;
    json_t *label = json_object_get(row, "label");
    if (!completion) return false;
    int value = json_is_boolean(label)   ? json_is_true(label)
                : json_is_integer(label) ? (int)json_integer_value(label)
                                         : -1;
    tct_records_add_labeled(c->to, prompt, completion, value == 0 || value == 1 ? value : -1);
    return true;
}

typedef TCT_VEC(tct_segment) segments;

// Appends text to the last segment when that is of the same sort, else a new one.
static void say(const context *c, segments *s, bool learned, const char *text) {
    tct_segment *last = s->len ? &s->data[s->len - 1] : NULL;
    if (!*text && !learned) return;
    if (last && last->learned == learned)
        last->text = tct_arena_printf(&c->to->arena, "%s%s", last->text, text);
    else
        TCT_PUSH(s, (tct_segment){tct_arena_strdup(&c->to->arena, text), learned});
}

// One message in the chat style; with `content` NULL only what comes before an assistant's answer.
static void say_message(const context *c, segments *s, const char *role, const char *content) {
    const char *chat = c->style && c->style->chat ? c->style->chat : "hh";
    bool learned = strcmp(role, "assistant") == 0;
    tct_arena *a = &c->to->arena;
    if (strcmp(chat, "chatml") == 0) {
        say(c, s, false, tct_arena_printf(a, "<|im_start|>%s\n", role));
        if (!content) return;
        say(c, s, learned, tct_arena_printf(a, "%s<|im_end|>", content));
        say(c, s, false, "\n");
    } else if (strcmp(chat, "plain") == 0) {
        if (!content) return;
        say(c, s, learned, content);
        say(c, s, false, "\n");
    } else {
        say(c, s, false,
            learned                     ? "\n\nAssistant:"
            : strcmp(role, "user") == 0 ? "\n\nHuman: "
            : s->len                    ? "\n\n"
                                        : "");
        if (content) say(c, s, learned, tct_arena_printf(a, learned ? " %s" : "%s", content));
    }
}

static bool read_messages(const context *c, json_t *row) {
    json_t *list = json_object_get(row, "messages"), *message;
    size_t i;
    segments s = {0};
    bool ok = json_array_size(list) > 0, answered = false;
    json_array_foreach(list, i, message) {
        const char *role = json_string_value(json_object_get(message, "role"));
        const char *content = json_string_value(json_object_get(message, "content"));
        ok = role && content &&
             (strcmp(role, "system") == 0 || strcmp(role, "user") == 0 || strcmp(role, "assistant") == 0);
        if (!ok) break;
        say_message(c, &s, role, content);
        answered = strcmp(role, "assistant") == 0;
    }
    if (!ok)
        bad(c, "E0708",
            json_array_size(list) == 0
                ? "'messages' must be a list of {\"role\", \"content\"}"
                : tct_arena_printf(&c->to->arena,
                                   "message %zu needs a 'role' (system, user or assistant) and a 'content'",
                                   i + 1));
    if (ok) {
        if (!answered) say_message(c, &s, "assistant", NULL);
        if (answered && s.len && !s.data[s.len - 1].learned) s.len--; // the separator after the last answer
        size_t before = answered ? s.len - 1 : s.len;
        const char *prompt = "";
        for (size_t k = 0; k < before; k++)
            prompt = tct_arena_printf(&c->to->arena, "%s%s", prompt, s.data[k].text);
        if (answered)
            tct_records_add_completion(c->to, prompt, s.data[s.len - 1].text);
        else
            tct_records_add_prompt(c->to, prompt);
        if (answered && s.len > 2) {
            tct_segment *copy = TCT_NEW_ARRAY(&c->to->arena, tct_segment, s.len);
            memcpy(copy, s.data, s.len * sizeof *copy);
            tct_record *r = &c->to->rows.data[c->to->rows.len - 1];
            r->segments = copy;
            r->n_segments = (int)s.len;
        }
    }
    TCT_VEC_FREE(&s);
    return ok;
}

static bool read_row(const context *c, json_t *row) {
    size_t before = c->to->rows.len;
    bool ok;
    if (!json_is_object(row))
        ok = bad(c, "E0708", "an object such as {\"prompt\": …} was expected");
    else if (json_object_get(row, "messages"))
        ok = read_messages(c, row);
    else if (json_object_get(row, "responses"))
        ok = read_ranked(c, row);
    else if (json_object_get(row, "chosen") || json_object_get(row, "rejected"))
        ok = read_preference(c, row);
    else if (json_object_get(row, "completion"))
        ok = read_completion(c, row);
    else if (json_object_get(row, "prompt")) {
        const char *prompt = prompt_of(c, row);
        ok = prompt != NULL;
        if (ok) tct_records_add_prompt(c->to, prompt);
    } else if (json_object_get(row, "text")) {
        const char *text = text_of(c, row, "text");
        ok = text != NULL;
        if (ok) tct_records_add_text(c->to, text);
    } else {
        ok = bad(
            c, "E0708",
            "none of the known formats: keys must be prompt and completion (and label); messages; prompt, "
            "chosen and rejected; chosen and rejected; prompt, responses and ranks; prompt; or text");
    }
    for (size_t i = before; i < c->to->rows.len; i++) c->to->rows.data[i].line = c->at;
    return ok;
}

static bool is_json(const char *path) {
    static const char *const ends[] = {".jsonl", ".json", ".ndjson"};
    size_t len = strlen(path);
    if (len > 3 && strcmp(path + len - 3, ".gz") == 0) len -= 3;
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(ends[i]);
        if (len > n && memcmp(path + len - n, ends[i], n) == 0) return true;
    }
    return false;
}

// All lines of the file, joined by newlines.
static bool read_whole(tct_diag *d, tct_jsonl *in, tct_buf *all) {
    const char *text;
    size_t len;
    tct_read rc;
    while ((rc = tct_jsonl_next_line(d, in, &text, &len)) == TCT_READ_OK) {
        tct_buf_add(all, text, len);
        tct_buf_putc(all, '\n');
    }
    return rc == TCT_READ_END;
}

// One plain text document. A NUL would end it, so it is refused.
static bool read_plain(context *c, tct_jsonl *in) {
    tct_buf all = {0};
    bool ok = read_whole(c->d, in, &all);
    if (ok && all.len && memchr(all.data, 0, all.len)) {
        c->at = 1;
        ok = bad(c, "E0708", "the file has NUL bytes: it is not a text");
    }
    if (ok && all.len) tct_records_add_text(c->to, all.data);
    tct_buf_free(&all);
    return ok;
}

static bool kept(size_t i, size_t first, size_t count) {
    return i >= first && (count == 0 || i - first < count);
}

static bool read_array(context *c, tct_jsonl *in, size_t first, size_t count) {
    tct_buf all = {0};
    json_error_t error;
    json_t *rows = NULL, *row;
    size_t i;
    bool ok = read_whole(c->d, in, &all);
    if (ok) {
        rows = json_loadb(all.data, all.len, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_array(rows))
            ok = tct_error(c->d, "E0708", TCT_NO_SPAN, "%s:%d:%d: not a JSON array: %s", c->path, error.line,
                           error.column, error.text);
    }
    c->items = true;
    json_array_foreach(rows, i, row) {
        c->at = (uint32_t)(i + 1);
        if (ok && kept(i, first, count)) ok = read_row(c, row);
        if (!ok) break;
    }
    json_decref(rows);
    tct_buf_free(&all);
    return ok;
}

static bool read_lines(context *c, tct_jsonl *in, size_t first, size_t count) {
    tct_read rc;
    json_t *row;
    size_t i = 0;
    while ((rc = tct_jsonl_next(c->d, in, &row)) == TCT_READ_OK) {
        c->at = tct_jsonl_line(in);
        bool ok = !kept(i++, first, count) || read_row(c, row);
        json_decref(row);
        if (!ok) return false;
    }
    return rc == TCT_READ_END;
}

// Whether the first character that is not blank is a '['.
static bool is_array(tct_diag *d, const char *path, bool *array) {
    tct_jsonl *in = tct_jsonl_open(d, path);
    const char *text;
    size_t len;
    tct_read rc = TCT_READ_ERROR;
    bool decided = false;
    *array = false;
    while (in && !decided && (rc = tct_jsonl_next_line(d, in, &text, &len)) == TCT_READ_OK)
        for (size_t i = 0; i < len && !decided; i++)
            if (!strchr(" \t\r", text[i])) {
                *array = text[i] == '[';
                decided = true;
            }
    tct_jsonl_close(in);
    return in && rc != TCT_READ_ERROR;
}

bool tct_records_read(tct_diag *d, const char *path, const tct_template *style, size_t first, size_t count,
                      tct_records *r) {
    context c = {.d = d, .to = r, .style = style, .path = path};
    bool json = is_json(path), array = false;
    r->source = tct_arena_strdup(&r->arena, path);
    if ((style && !tct_template_check(d, style)) || (json && !is_array(d, path, &array))) return false;
    tct_jsonl *in = tct_jsonl_open(d, path);
    if (!in) return false;
    bool ok = !json   ? read_plain(&c, in)
              : array ? read_array(&c, in, first, count)
                      : read_lines(&c, in, first, count);
    tct_jsonl_close(in);
    return ok;
}
