// The language server as a process, with messages as editors send them: what it answers, and that nothing a
// client sends upsets it.
#include "tests/lsp/client.h"

#include "base/file.h"

#define EXAMPLE TERCET_SOURCE_DIR "/examples/instructgpt/instructgpt.tct"

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

// Hover and definition

static void hover_says(client *c, const char *uri, const char *text, const char *mark, const char *expected) {
    json_t *hover = ask_at(c, "textDocument/hover", uri, text, mark);
    const char *value = json_string_value(json_object_get(json_object_get(hover, "contents"), "value"));
    if (!value || !strstr(value, expected))
        fail_msg("%s: %s\nexpected %s", mark, value ? value : "nothing", expected);
    json_decref(hover);
}

static void hover_is_silent(client *c, const char *text, const char *mark) {
    json_t *hover = ask_at(c, "textDocument/hover", ANY_URI, text, mark);
    assert_true(json_is_null(hover));
    json_decref(hover);
}

static void test_hover(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    hover_says(&c, ANY_URI, program, "let lo|gp", "logp: f32[B, T, V]");
    hover_says(&c, ANY_URI, program, "sum(lo|gp", "logp: f32[B, T, V]");
    hover_says(&c, ANY_URI, program, "sft_l|oss(logits", "graph sft_loss(");
    hover_says(&c, ANY_URI, program, "sft_l|oss(logits", "gives here: `f32`");
    hover_says(&c, ANY_URI, program, "log_soft|max(", "graph log_softmax(x: real[.., A], A: axis)");
    hover_says(&c, ANY_URI, program, "= su|m(m.w", "sum(x, T) or sum(x, [B, T])");
    hover_says(&c, ANY_URI, program, "config.loss.we|ight", "config.loss.weight: float = 0.5 in 0.0 .. 1.0");
    hover_says(&c, ANY_URI, program, "config.loss.we|ight", "How much the loss counts.");
    hover_says(&c, ANY_URI, program, "(m.|w", "param w: f32[C] = 0.0");
    hover_says(&c, ANY_URI, program, "(m.|w", "The first.");
    hover_says(&c, ANY_URI, program, "m: Pa|ir", "Two weights.");
    hover_says(&c, ANY_URI, program, "lo|gits: f32", "logits: f32[B, T, V]");
    hover_says(&c, ANY_URI, program, "logits, |V)", "axis V");
    hover_says(&c, ANY_URI, program, "i32[B, |T]", "axis T");
    hover_says(&c, ANY_URI, program, "norm + float(|k", "k: int = 0");
    hover_says(&c, ANY_URI, program, "std.lo|ss.sft", "graph sft_loss(");
    hover_is_silent(&c, program, "/// What is min|imized.");
    hover_is_silent(&c, program, "}\n|\n/// Two");
    finish(&c);
}

static void defined_at(client *c, const char *mark, const char *file, int line, int column) {
    json_t *place = ask_at(c, "textDocument/definition", ANY_URI, program, mark);
    const char *uri = json_string_value(json_object_get(place, "uri"));
    const json_t *start = json_object_get(json_object_get(place, "range"), "start");
    if (!uri || !strstr(uri, file)) fail_msg("%s: %s", mark, uri ? uri : "nothing");
    if (line >= 0) assert_int_equal(json_integer_value(json_object_get(start, "line")), line);
    if (column >= 0) assert_int_equal(json_integer_value(json_object_get(start, "character")), column);
    json_decref(place);
}

static void test_definition(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    defined_at(&c, "sum(lo|gp", "/nowhere/test.tct", 19, 8);
    defined_at(&c, "softmax(logi|ts", "/nowhere/test.tct", 18, 25);
    defined_at(&c, "m: Pa|ir", "/nowhere/test.tct", 10, 6);
    defined_at(&c, "(m.|w", "/nowhere/test.tct", 13, 10);
    defined_at(&c, "config.loss.we|ight", "/nowhere/test.tct", 5, 8);
    defined_at(&c, "config.lo|ss", "/nowhere/test.tct", 3, 4);
    defined_at(&c, "norm = no|rm + float", "/nowhere/test.tct", 21, 8);
    defined_at(&c, "        no|rm = norm + float", "/nowhere/test.tct", 21, 8);
    defined_at(&c, "float(|k", "/nowhere/test.tct", 22, 8);
    defined_at(&c, "sum(logp, [|B", "/nowhere/test.tct", 18, 37);
    defined_at(&c, "std.lo|ss.sft", "std/loss/sft.tct", 0, 0);
    defined_at(&c, "log_soft|max(", "std/core.tct", -1, -1);
    finish(&c);
}

// The pipeline of the example: what is known of stage code.
static void test_stage_code(void **state) {
    (void)state;
    client c = start_initialized();
    tct_diag d = {0};
    char *text;
    assert_true(tct_file_read(&d, EXAMPLE, &text, NULL));
    const char *uri = "file://" EXAMPLE;
    assert_int_equal(json_array_size(open_text(&c, uri, text)), 0);
    hover_says(&c, uri, text, "let sc|ore =", "f32[B = 64]");
    hover_says(&c, uri, text, "let (adv|antage, returns)", "f32[B = 64, T = 48]");
    hover_says(&c, uri, text, "crit|ic = clone", "critic: Gpt2Reward");
    hover_says(&c, uri, text, "let ran|ks", "ranks: list[int]");
    hover_says(&c, uri, text, "gen|erate(policy, next", "generate(model: model, prompts: batch(prompts)");
    hover_says(&c, uri, text, "tok, max|_new = config.response, temperature", "max_new: int");
    hover_says(&c, uri, text, "with opt(l|r = lr)", "lr: f32");
    hover_says(&c, uri, text, "stage pre|train", "what GPT-3 was to InstructGPT");
    tct_heap_free(text);
    tct_diag_free(&d);
    finish(&c);
}

// Completion

// The labels that are offered at the bar, as one string: " a b c ".
static char *offered(client *c, const char *text) {
    size_t offset;
    char *whole = cut_cursor(text, &offset);
    replace_text(c, ANY_URI, whole);
    json_t *answer =
        result_of(c, "textDocument/completion",
                  json_pack("{s:{s:s}, s:o, s:{s:i}}", "textDocument", "uri", ANY_URI, "position",
                            position(whole, offset, false), "context", "triggerKind", 1));
    tct_buf labels = {0};
    tct_buf_puts(&labels, "\n");
    size_t k;
    const json_t *item;
    json_array_foreach(json_object_get(answer, "items"), k, item)
        tct_buf_printf(&labels, "%s\n", json_string_value(json_object_get(item, "label")));
    json_decref(answer);
    free(whole);
    return labels.data;
}

static bool has_label(const char *labels, const char *name) {
    char line[64];
    snprintf(line, sizeof line, "\n%s\n", name);
    return strstr(labels, line) != NULL;
}

// `before` and `after` are put around what is typed; every word of `wanted` is offered, none of `unwanted`.
static void offers(client *c, const char *before, const char *after, const char *wanted,
                   const char *unwanted) {
    tct_buf text = {0};
    tct_buf_printf(&text, "%s|%s", before, after);
    char *labels = offered(c, text.data), word[32];
    for (int side = 0; side < 2; side++)
        for (const char *w = side ? unwanted : wanted; *w;
             w += strcspn(w, ",") + (w[strcspn(w, ",")] == ',')) {
            snprintf(word, sizeof word, "%.*s", (int)strcspn(w, ","), w);
            if (has_label(labels, word) == (side == 1))
                fail_msg("%s is %s at:\n%s|\namong:%s", word, side ? "offered" : "not offered", before,
                         labels);
        }
    free(labels);
    tct_buf_free(&text);
}

static void test_completion_in_graphs(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    char head[2048];
    snprintf(head, sizeof head, "%.*s", (int)(strstr(program, "    for k in") - program), program);
    static const char tail[] = "\n    return (loss = loss, norm = norm)\n}\n";
    char at[4096];
#define AT(typed) (snprintf(at, sizeof at, "%s%s", head, typed), at)
    offers(&c, AT("    let y = "), tail, "logp,loss,norm,m,mask,sum,log_softmax,sft_loss,objective,V,if",
           "y,stage,minimize,generate,tct_cursor");
    offers(&c, AT("    let y = lo"), tail, "logp,loss,logits,log_softmax,log", "norm,sum,m");
    offers(&c, AT("    let y = m."), tail, "w,v,d", "logp,sum,C");
    offers(&c, AT("    let y = sum(m."), tail, "w,v,d", "logp,sum");
    offers(&c, AT("    let y = unknown(logp, m."), tail, "w,v,d", "logp,sum");
    offers(&c, AT("    let y = sum(logp, ["), tail, "B,T,V,C", "");
    offers(&c, AT("    let y: "), tail, "f32,bool,Pair,int", "logp,sum");
    offers(&c, AT("    let y: f32["), tail, "B,T,V,C", "logp,sum,f32");
    offers(&c, AT("    let y = sft_loss("), tail, "logits = ,target = ,mask = ,logp", "");
    offers(&c, AT("    let y = sft_loss(logits, mask = mask, "), tail, "target = ", "mask = ");
    offers(&c, AT("    let y = config."), tail, "loss", "weight,sum");
    offers(&c, AT("    let y = config.loss."), tail, "weight", "loss");
    offers(&c, AT("    for l in "), tail, "m,logp", "l");
    offers(&c, AT("    if "), tail, "m,logp,true", "");
    offers(&c, AT("    "), tail, "let,var,for,if,return,scan,norm", "stage,model");
    offers(&c, AT("    // "), tail, "", "let,logp");
    offers(&c, AT("    let y = \"m."), tail, "", "w,logp");
    offers(&c, AT("    for q in range(3) {\n        let z = q\n        "), tail, "z,q,norm", "");
    finish(&c);
}

static void test_completion_elsewhere(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    offers(&c, "", program, "use,graph,model,pipeline", "let,sum");
    offers(&c, "use std.lo", program, "loss.sft,loss.dpo", "rl.gae");
    offers(&c, "use std.rl.", program, "gae,kl", "loss.sft");
    offers(&c, "graph f(x: f32[B, T], y: i32[", "\n", "B,T", "sum");
    offers(&c, "graph f(x: f32[B, T], ", ") -> f32 {\n    return 1.0\n}\n", "inout", "");
    offers(&c, "model M(d: int) {\n    axis C = ", "\n}\n", "d", "generate");
    offers(&c, "model M(d: int) {\n    ", "\n}\n", "param,part,axis", "stage");
    offers(&c, "use std.model.gpt2\n\npipeline p {\n    let m = Gpt2(layers = 1, ", ")\n}\n",
           "heads = ,seed = ,from = ", "layers = ");
    offers(&c,
           "use std.model.gpt2\n\npipeline p {\n    let tok = tokenizer(\"nowhere\")\n    let d = "
           "prompts(\"x\", ",
           "\n}\n", "tok = ,batch = ,length = ,config", "axis");
    offers(&c,
           "use std.model.gpt2\nuse std.optim.adamw\n\npipeline p {\n"
           "    let m = Gpt2(layers = 1, heads = 1, d = 8, vocab = 16, context = 8, seed = 1)\n    let opt = "
           "adamw(m)\n"
           "    let x = m.",
           "\n}\n", "body,layers", "");
    offers(&c,
           "use std.model.gpt2\nuse std.optim.adamw\n\npipeline p {\n"
           "    let m = Gpt2(layers = 1, heads = 1, d = 8, vocab = 16, context = 8, seed = 1)\n    let opt = "
           "adamw(m)\n"
           "    let x = minimize nothing with opt(",
           "\n}\n", "lr = ,beta1 = ", "");
    finish(&c);
}

// Formatting and symbols

// A text after the edits of an answer, which don't overlap.
static char *edited(const char *text, const json_t *edits) {
    char *out = strdup(text);
    for (size_t k = json_array_size(edits); k-- > 0;) {
        const json_t *edit = json_array_get(edits, k), *range = json_object_get(edit, "range");
        size_t at[2];
        for (int side = 0; side < 2; side++) {
            const json_t *p = json_object_get(range, side ? "end" : "start");
            const char *line = out;
            for (json_int_t n = json_integer_value(json_object_get(p, "line")); n > 0; n--)
                line = strchr(line, '\n') + 1;
            at[side] = (size_t)(line - out) + (size_t)json_integer_value(json_object_get(p, "character"));
        }
        tct_buf b = {0};
        tct_buf_add(&b, out, at[0]);
        tct_buf_puts(&b, json_string_value(json_object_get(edit, "newText")));
        tct_buf_puts(&b, out + at[1]);
        free(out);
        out = strdup(b.data);
        tct_buf_free(&b);
    }
    return out;
}

static json_t *format_params(void) {
    return json_pack("{s:{s:s}, s:{s:i, s:b}}", "textDocument", "uri", ANY_URI, "options", "tabSize", 4,
                     "insertSpaces", 1);
}

static void test_formatting(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    json_t *edits = result_of(&c, "textDocument/formatting", format_params());
    assert_int_equal(json_array_size(edits), 0); // it is canonical already
    json_decref(edits);
    static const char spaced[] = "graph f(x: f32[B]) -> f32 {\n    return sum(x, B)\n}\n\n\n\n\n";
    static const char *const texts[] = {"// head\ngraph f( x:f32[B] )->f32{\n  return sum( x,B )  // all\n}",
                                        spaced, "", "\n\n", "// only a comment"};
    static const char *const laid_out[] = {
        "// head\ngraph f(x: f32[B]) -> f32 {\n    return sum(x, B)  // all\n}\n",
        "graph f(x: f32[B]) -> f32 {\n    return sum(x, B)\n}\n", "", "", "// only a comment\n"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        replace_text(&c, ANY_URI, texts[k]);
        edits = result_of(&c, "textDocument/formatting", format_params());
        char *out = edited(texts[k], edits);
        assert_string_equal(out, laid_out[k]);
        free(out);
        json_decref(edits);
    }
    replace_text(&c, ANY_URI, "graph f( {");
    assert_int_equal(error_of(&c, "textDocument/formatting", format_params()), -32803);
    finish(&c);
}

static void test_symbols(void **state) {
    (void)state;
    client c = start_initialized();
    open_text(&c, ANY_URI, program);
    json_t *symbols =
        result_of(&c, "textDocument/documentSymbol", json_pack("{s:{s:s}}", "textDocument", "uri", ANY_URI));
    assert_int_equal(json_array_size(symbols), 3);
    static const char *const names[] = {"config", "Pair", "objective"};
    static const int kinds[] = {3, 5, 12};
    for (size_t k = 0; k < 3; k++) {
        const json_t *s = json_array_get(symbols, k);
        assert_string_equal(json_string_value(json_object_get(s, "name")), names[k]);
        assert_int_equal(json_integer_value(json_object_get(s, "kind")), kinds[k]);
    }
    const json_t *members = json_object_get(json_array_get(symbols, 1), "children");
    assert_int_equal(json_array_size(members), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(members, 1), "name")), "w");
    json_decref(symbols);
    finish(&c);
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
        cmocka_unit_test(test_hover),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_stage_code),
        cmocka_unit_test(test_completion_in_graphs),
        cmocka_unit_test(test_completion_elsewhere),
        cmocka_unit_test(test_formatting),
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_edits_out_of_the_text),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_huge_content_length),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
