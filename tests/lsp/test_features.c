// What the language server says about places of a document, as a process with messages as editors send them.
#include "tests/lsp/client.h"

#include "base/file.h"

#define EXAMPLE TERCET_SOURCE_DIR "/examples/instructgpt/instructgpt.tct"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hover),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_stage_code),
        cmocka_unit_test(test_completion_in_graphs),
        cmocka_unit_test(test_completion_elsewhere),
        cmocka_unit_test(test_formatting),
        cmocka_unit_test(test_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
