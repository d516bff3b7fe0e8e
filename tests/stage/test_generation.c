// Generation against the trainer's own figures, and models that are saved and read again.
#include "tests/stage/pipeline.h"

static const char reading[] =
    "use std.model.gpt2\nuse std.model.llama\n"
    "graph difference(a, b: Gpt2, tokens: i32[B, T]) -> f32 {\n"
    " return max(abs(gpt2_logits(a, tokens) - gpt2_logits(b, tokens)), [B, T, V])\n}\n"
    "graph llama_difference(a, b: Llama, tokens: i32[B, T]) -> f32 {\n"
    " return max(abs(llama_logits(a, tokens) - llama_logits(b, tokens)), [B, T, V])\n}\n"
    "pipeline p {\n"
    " let tok = tokenizer(\"gpt2\")\n"
    " let saved = Gpt2(from = \"gpt2\")\n"
    " let fresh = Gpt2(layers = 2, heads = 2, d = 16, vocab = tok.vocab, context = 16, std = 0.3, seed = 1)\n"
    " let other = Gpt2(layers = 2, heads = 2, d = 16, vocab = tok.vocab, context = 16, std = 0.3, seed = 2)\n"
    " let llama = Llama(from = \"models/llama\")\n"
    " let born = Llama(layers = 2, heads = 4, groups = 2, d = 16, hidden = 24, vocab = tok.vocab, context = "
    "16, std = 0.3, "
    "seed = 2)\n"
    " stage s {\n"
    "  let asked = prompts(\"" STAGE_FOLDER
    "/data/demonstrations.jsonl\", tok, batch = 5, length = 6, shuffle = false)\n"
    "  let b = next(asked)\n"
    "  assert difference(saved, fresh, b.tokens) == 0.0 and difference(saved, other, b.tokens) > 0.1\n"
    "  assert sum(abs(saved.body.wte - fresh.body.wte), [V, C]) == 0.0\n"
    "  assert llama_difference(llama, born, b.tokens) == 0.0\n"
    "  let r = generate(saved, b, tok, max_new = 7, seed = 5)\n"
    "  let q = generate(fresh, b, tok, max_new = 7, seed = 5)\n"
    "  assert str(list(r.tokens)) == str(list(q.tokens)) and str(list(r.logp)) == str(list(q.logp))\n"
    "  assign(other, saved)\n"
    "  assert difference(other, fresh, b.tokens) == 0.0\n"
    "  save(other, \"again\", tok)\n"
    " }\n}\n";

static bool same_file(tct_arena *a, const char *folder, const char *one, const char *other) {
    char *x = machine_read(a, folder, one), *y = machine_read(a, folder, other);
    return x && y && strcmp(x, y) == 0;
}

static void saved_models_are_the_same(void **state) {
    (void)state;
    tct_arena a = {0};
    tct_diag d = {0};
    const char *out = machine_folder(&a), *path = tct_path_join(&a, out, "prog.tct");
    pipeline_run r = {.compile = {.file = STAGE_FOLDER "/generation.tct"}, .options = {.out = out}};
    pipeline_succeeds(&r);
    assert_true(tct_file_write(&d, path, reading, strlen(reading)));
    pipeline_run again = {.compile = {.file = path}, .options = {.out = out}};
    pipeline_succeeds(&again);
    assert_true(same_file(&a, out, "gpt2/config.json", "again/config.json"));
    assert_true(same_file(&a, out, "gpt2/tokenizer.json", "again/tokenizer.json"));

    // What Hugging Face writes for "as usual", and what isn't what was compiled.
    char *config = machine_read(&a, out, "gpt2/config.json");
    const char *inner = strstr(config, "\"n_inner\": 64");
    assert_non_null(inner);
    config = tct_arena_printf(&a, "%.*s\"n_inner\": null%s", (int)(inner - config), config, inner + 13);
    assert_true(tct_file_write(&d, tct_path_join(&a, out, "gpt2/config.json"), config, strlen(config)));
    pipeline_run usual = {.compile = {.file = path}, .options = {.out = out}};
    pipeline_succeeds(&usual);
    machine_remove_folder(out);
    tct_diag_free(&d);
    tct_arena_free(&a);
}

#define MODEL(body)                                                                                          \
    "use std.model.gpt2\npipeline p {\n let tok = tokenizer(\"" STAGE_FOLDER "/data/letters\")\n"            \
    " let m = Gpt2(layers = 1, heads = 2, d = 8, vocab = tok.vocab, context = 8)\n stage s {\n"              \
    "  let asked = prompts(\"" STAGE_FOLDER "/data/demonstrations.jsonl\", tok, batch = 5, length = 6)\n"    \
    "  let b = next(asked)\n" body "\n}\n}\n"

static void refused(void **state) {
    (void)state;
    pipeline_refused(MODEL("let r = generate(m, b, tok, max_new = 0)"), "E0509", "decides shapes");
    pipeline_refused(MODEL("let r = generate(m, b, tok, max_new = 2, weights = \"int4\")"), "E0515", "int4");
    pipeline_refused(MODEL("let r = generate(m, b, tok, max_new = 2, weights = 8)"), "E0502", "");
    pipeline_refused(MODEL("let r = generate(m, tok, b, max_new = 2)"), "E0502", "a batch of prompts");
    pipeline_refused(MODEL("let r = generate(m, {tokens = b.tokens, length = b.tokens, prompt = b.prompt}, "
                           "tok, max_new = 2)"),
                     "E0502", "a batch of prompts");
    pipeline_refused(
        MODEL("let r = generate(m, {tokens = f32(b.tokens), length = b.length, prompt = b.prompt}, tok, "
              "max_new = 2)"),
        "E0502", "a batch of prompts");
    pipeline_refused(MODEL("let r = generate(m.body, b, tok, max_new = 2)"), "E0502", "a model");
    pipeline_refused(MODEL("let r = generate(m, b, tok, max_new = 2, temperature = -1.0)"), "E0817", "");
    pipeline_refused(MODEL("let n = Gpt2(from = \"nowhere\")"), "E0701", "nowhere");
    pipeline_refused(MODEL("let n = Gpt2Reward(layers = 1, heads = 2, d = 8, vocab = 11)\n"
                           "let r = generate(n, b, tok, max_new = 2)"),
                     "E0506", "can't generate");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(saved_models_are_the_same),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
