// Models of the stage machine: parameters, copies, Hugging Face folders, generation from a program.
#include "base/file.h"
#include "runtime/safetensors.h"
#include "tests/support/machine.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const tokenizer_folder = "examples/instructgpt/data/tokenizer";
static const char *const axes[] = {"H", "D", "C"};
static const int64_t sizes[] = {2, 3, 4};

static const tct_model_param plain_params[] = {
    {.name = "w",
     .n_axes = 3,
     .axis = axes,
     .size = sizes,
     .init = TCT_INIT_UNIFORM,
     .init_a = -1,
     .init_b = 3},
    {.name = "one", .n_axes = 1, .axis = axes, .size = sizes, .init_a = 1}};
// In the file: [C, H·D].
static const uint8_t group_c[] = {2}, group_hd[] = {0, 1};
static const uint8_t group_n[] = {1, 2};
static const uint8_t *const groups[] = {group_c, group_hd};
static const tct_model_param turned_params[] = {{.name = "w",
                                                 .n_axes = 3,
                                                 .axis = axes,
                                                 .size = sizes,
                                                 .init = TCT_INIT_UNIFORM,
                                                 .init_a = -1,
                                                 .init_b = 3,
                                                 .file_name = "attn.weight",
                                                 .n_dims = 2,
                                                 .dim_n = group_n,
                                                 .dim_axis = groups}};
static const tct_config_pair config[] = {{"n_head", "2"}, {"eps", "1e-05"}, {"act", "\"gelu_new\""}};
static const tct_config_pair other_config[] = {{"n_head", "3"}, {"eps", "1e-05"}};
static const tct_model_desc descs[] = {
    {.type = "Plain", .n_params = 2, .params = plain_params},
    {.type = "Turned",
     .architecture = "Turned3",
     .n_params = 1,
     .params = turned_params,
     .n_config = 3,
     .config = config},
    {.type = "Turned", .n_params = 1, .params = turned_params, .n_config = 2, .config = other_config},
};

typedef struct setting {
    machine m;
    tct_diag d;
    const char *out;
    uint32_t seed, tok;
} setting;

static void begin(setting *s) {
    memset(s, 0, sizeof *s);
    s->out = machine_folder(&s->m.arena);
    for (size_t i = 0; i < sizeof descs / sizeof *descs; i++) TCT_PUSH(&s->m.models, descs[i]);
    s->seed = machine_reg(&s->m, TCT_KIND_INT, "seed");
    s->tok = machine_reg(&s->m, TCT_KIND_TOKENIZER, "tok");
    uint32_t path = machine_reg(&s->m, TCT_KIND_STRING, NULL);
    machine_int(&s->m, s->seed, 1);
    machine_string(&s->m, path, tokenizer_folder);
    TCT_PUSH(&s->m.tokenizers, (tct_tokenizer_desc){.vocab = 768, .bos = 0, .eos = 0, .pad = 1});
    MACHINE_CALL(&s->m, TCT_BUILTIN_TOKENIZER, s->tok, path);
}

static bool run(setting *s, int threads) {
    tct_run_options o = {.out = s->out, .threads = threads};
    return tct_program_run(&s->d, machine_done(&s->m), &o);
}

static void must_run(setting *s) {
    if (run(s, 1)) return;
    tct_buf text = {0};
    tct_diag_render(&s->d, &text, false);
    fail_msg("%s", text.data);
}

static void end(setting *s) {
    machine_remove_folder(s->out);
    tct_diag_free(&s->d);
    machine_free(&s->m);
}

static uint32_t fresh(setting *s, uint32_t desc) {
    uint32_t r = machine_object(&s->m, TCT_KIND_MODEL, desc, "model");
    machine_emit(&s->m, TCT_I_MODEL, r, desc, s->seed, UINT32_MAX);
    return r;
}

static uint32_t from_folder(setting *s, uint32_t desc, const char *name) {
    uint32_t r = machine_object(&s->m, TCT_KIND_MODEL, desc, "model"),
             path = machine_reg(&s->m, TCT_KIND_STRING, NULL);
    machine_string(&s->m, path, tct_path_join(&s->m.arena, s->out, name));
    machine_emit(&s->m, TCT_I_MODEL, r, desc, 0, path);
    return r;
}

static void save(setting *s, uint32_t model, const char *name) {
    uint32_t text = machine_reg(&s->m, TCT_KIND_STRING, NULL);
    machine_string(&s->m, text, name);
    MACHINE_CALL(&s->m, TCT_BUILTIN_SAVE, NO_REG, model, text, s->tok);
}

// A tensor that the run saved, copied into the arena.
static const float *saved(setting *s, const char *folder, const char *name, int n_axes) {
    tct_tensor t;
    const char *path = tct_arena_printf(&s->m.arena, "%s/%s/model.safetensors", s->out, folder);
    tct_safetensors *f = tct_safetensors_open(&s->d, path);
    assert_non_null(f);
    assert_true(tct_safetensors_load(&s->d, f, name, &t));
    assert_int_equal(t.n_axes, n_axes);
    float *copy = tct_arena_alloc(&s->m.arena, t.bytes);
    memcpy(copy, t.data, t.bytes);
    tct_tensor_free(&t);
    tct_safetensors_close(f);
    return copy;
}

static void a_folder_has_the_files_own_order(void **state) {
    (void)state;
    setting s;
    begin(&s);
    save(&s, fresh(&s, 0), "plain");
    save(&s, fresh(&s, 1), "turned");
    save(&s, from_folder(&s, 1, "turned"), "again");
    must_run(&s);
    const float *memory = saved(&s, "plain", "w", 3), *file = saved(&s, "turned", "attn.weight", 2),
                *again = saved(&s, "again", "attn.weight", 2), *one = saved(&s, "plain", "one", 1);
    for (int h = 0; h < 2; h++)
        for (int d = 0; d < 3; d++)
            for (int c = 0; c < 4; c++) assert_true(memory[(h * 3 + d) * 4 + c] == file[c * 6 + h * 3 + d]);
    assert_memory_equal(file, again, 24 * sizeof *file);
    for (int i = 0; i < 24; i++)
        assert_true(memory[i] >= -1 && memory[i] < 3 && (i == 0 || memory[i] != memory[i - 1]));
    assert_true(one[0] == 1 && one[1] == 1);
    json_t *json = json_loads(machine_read(&s.m.arena, s.out, "turned/config.json"), 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "n_head")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "architectures"), 0)),
                        "Turned3");
    json_decref(json);
    end(&s);
}

static void a_folder_of_another_configuration_is_refused(void **state) {
    (void)state;
    setting s;
    begin(&s);
    save(&s, fresh(&s, 1), "turned");
    from_folder(&s, 2, "turned");
    assert_false(run(&s, 1));
    assert_string_equal(s.d.messages.data[0].code, "E0714");
    assert_non_null(strstr(s.d.messages.data[0].text, "\"n_head\" is 2, but Turned was declared with 3"));
    end(&s);
}

static void saving_stays_inside_the_runs_folder(void **state) {
    (void)state;
    static const char *const names[] = {"../x", "/tmp/x", "a/../../x", ""};
    for (int i = 0; i < 4; i++) {
        setting s;
        begin(&s);
        save(&s, fresh(&s, 0), names[i]);
        assert_false(run(&s, 1));
        assert_string_equal(s.d.messages.data[0].code, "E0817");
        end(&s);
    }
}

static void copies_are_apart_and_averages_between(void **state) {
    (void)state;
    setting s;
    begin(&s);
    static const uint32_t pairs[] = {0, 0};
    uint32_t a = fresh(&s, 0), b = machine_object(&s.m, TCT_KIND_MODEL, 0, "b"),
             decay = machine_reg(&s.m, TCT_KIND_FLOAT, NULL);
    MACHINE_CALL(&s.m, TCT_BUILTIN_CLONE, b, a);
    machine_int(&s.m, s.seed, 2);
    uint32_t c = fresh(&s, 0);
    machine_float(&s.m, decay, 0.75);
    save(&s, a, "a");
    save(&s, c, "c");
    uint32_t call = MACHINE_CALL(&s.m, TCT_BUILTIN_EMA, NO_REG, b, c, decay);
    s.m.calls.data[call].n_pairs = 1;
    s.m.calls.data[call].pairs = pairs;
    save(&s, b, "b");
    call = MACHINE_CALL(&s.m, TCT_BUILTIN_ASSIGN, NO_REG, b, c);
    s.m.calls.data[call].n_pairs = 1;
    s.m.calls.data[call].pairs = pairs;
    save(&s, b, "same");
    save(&s, a, "a2");
    must_run(&s);
    const float *wa = saved(&s, "a", "w", 3), *wb = saved(&s, "b", "w", 3), *wc = saved(&s, "c", "w", 3);
    for (int i = 0; i < 24; i++) assert_true(fabsf(wb[i] - (0.75f * wa[i] + 0.25f * wc[i])) < 1e-6f);
    assert_memory_equal(wc, saved(&s, "same", "w", 3), 24 * sizeof *wc);
    assert_memory_equal(wa, saved(&s, "a2", "w", 3), 24 * sizeof *wa);
    end(&s);
}

// ---- A program that generates: the next token is the last one's row of a table.
enum { B = 2, P = 12, NEW = 6, VOCAB = 1024 };

static void table_model(void *const *bufs, int n) {
    const float *table = bufs[0];
    const int32_t *token = bufs[2], *last = bufs[4];
    for (int b = 0; b < B; b++)
        memcpy((float *)bufs[6] + b * VOCAB, table + (token[b * n + last[b]] % 64) * VOCAB,
               VOCAB * sizeof *table);
}
static void prefill_kernel(void *const *bufs, const int64_t *args, int64_t begin, int64_t end_,
                           void *scratch) {
    (void)args, (void)begin, (void)end_, (void)scratch;
    table_model(bufs, P);
}
static void step_kernel(void *const *bufs, const int64_t *args, int64_t begin, int64_t end_, void *scratch) {
    (void)args, (void)begin, (void)end_, (void)scratch;
    table_model(bufs, 1);
}

static const char *const table_axes[] = {"R", "V"};
static const int64_t table_sizes[] = {64, VOCAB};
static const tct_model_param table_params[] = {{.name = "t",
                                                .n_axes = 2,
                                                .axis = table_axes,
                                                .size = table_sizes,
                                                .init = TCT_INIT_NORMAL,
                                                .init_b = 3}};

// What a rollout of a program says, as text.
static char *generate(int threads, tct_arena *keep) {
    setting s;
    begin(&s);
    machine *m = &s.m;
    TCT_PUSH(&m->models, (tct_model_desc){.type = "Table", .n_params = 1, .params = table_params});
    const tct_plan *prefill = machine_plan(
        m, "prefill", "t f32 R=64 V=1024; c i32 B=2; token i32 B=2 N=12; start i32 B=2; last i32 B=2",
        "c i32 B=2 @1; logits f32 B=2 V=1024", prefill_kernel);
    const tct_plan *step = machine_plan(
        m, "step", "t f32 R=64 V=1024; c i32 B=2; token i32 B=2 N=1; start i32 B=2; last i32 B=2",
        "c i32 B=2 @1; logits f32 B=2 V=1024", step_kernel);
    tct_generator g = {.prefill = machine_add_plan(m, prefill),
                       .step = machine_add_plan(m, step),
                       .convert = TCT_NO_PLAN,
                       .batch = B,
                       .places = B,
                       .fill = B,
                       .prompt = P,
                       .max_new = NEW,
                       .vocab = VOCAB,
                       .n_cache = 1,
                       .cache = &prefill->inputs[1]};
    TCT_PUSH(&m->generators, g);
    uint32_t model = fresh(&s, 3), data = machine_object(m, TCT_KIND_DATASET, TCT_DATA_PROMPTS, "prompts"),
             path = machine_reg(m, TCT_KIND_STRING, NULL), drop = machine_reg(m, TCT_KIND_STRING, NULL),
             none = machine_reg(m, TCT_KIND_STRING, NULL), chat = machine_reg(m, TCT_KIND_STRING, NULL), n[5],
             yes = machine_reg(m, TCT_KIND_BOOL, NULL), t = machine_reg(m, TCT_KIND_FLOAT, NULL),
             tokens = machine_tensor(m, TCT_I32, "B=2 T=12", "tokens"),
             length = machine_tensor(m, TCT_I32, "B=2", "length"),
             texts = machine_list(m, TCT_KIND_STRING, "prompt");
    static const int64_t numbers[] = {0, 2, 12, NEW, 8};
    for (int i = 0; i < 5; i++) machine_int(m, n[i] = machine_reg(m, TCT_KIND_INT, NULL), numbers[i]);
    machine_string(m, path, "examples/instructgpt/data/prompts_heldout.jsonl.gz");
    machine_string(m, drop, "keep_end");
    machine_string(m, none, "");
    machine_string(m, chat, "hh");
    machine_bool(m, yes, true);
    machine_float(m, t, 1.0);
    MACHINE_CALL(m, TCT_BUILTIN_PROMPTS, data, path, s.tok, n[1], n[2], n[0], yes, yes, n[0], n[4], drop,
                 none, chat);
    machine_call(m, TCT_BUILTIN_NEXT, 1, &data, 3, (uint32_t[]){tokens, length, texts});
    uint32_t out[] = {
        machine_tensor(m, TCT_I32, "B=2 T=18", "tokens"),   machine_tensor(m, TCT_I32, "B=2 T=18", "target"),
        machine_tensor(m, TCT_BOOL, "B=2 T=18", "mask"),    machine_tensor(m, TCT_I32, "B=2", "length"),
        machine_tensor(m, TCT_I32, "B=2", "prompt_length"), machine_tensor(m, TCT_F32, "B=2 T=18", "logp"),
        machine_tensor(m, TCT_BOOL, "B=2", "ended"),        machine_list(m, TCT_KIND_STRING, "prompt"),
        machine_list(m, TCT_KIND_STRING, "response")};
    for (int round = 0; round < 3; round++) { // twice afresh, then with a seed of its own
        machine_call(
            m, TCT_BUILTIN_GENERATE, 12,
            (uint32_t[]){model, tokens, length, texts, s.tok, n[3], t, n[0], t, n[round == 2], n[0], none}, 9,
            out);
        uint32_t said = machine_reg(m, TCT_KIND_STRING, NULL), tensor = machine_list(m, TCT_KIND_INT, NULL),
                 ids = machine_reg(m, TCT_KIND_STRING, NULL), has = machine_reg(m, TCT_KIND_BOOL, NULL);
        MACHINE_CALL(m, TCT_BUILTIN_STR, said, out[8]);
        MACHINE_CALL(m, TCT_BUILTIN_LIST, tensor, out[0]);
        MACHINE_CALL(m, TCT_BUILTIN_STR, ids, tensor);
        MACHINE_CALL(m, TCT_BUILTIN_HAS_NEXT, has, data);
        machine_log(m,
                    round == 0   ? "first"
                    : round == 1 ? "second"
                                 : "third",
                    "said ids has_next", (uint32_t[]){said, ids, has});
    }
    uint32_t title = machine_reg(m, TCT_KIND_STRING, NULL);
    machine_string(m, title, "After </script> training");
    MACHINE_CALL(m, TCT_BUILTIN_SAMPLES, NO_REG, title, out[7], out[8], n[1]);
    tct_run_options o = {.out = s.out, .threads = threads};
    bool ok = tct_program_run(&s.d, machine_done(m), &o);
    tct_buf text = {0};
    tct_diag_render(&s.d, &text, false);
    if (!ok) fail_msg("%s", text.data);
    tct_buf_free(&text);
    char *summary = machine_read(keep, s.out, "summary.json");
    end(&s);
    return summary;
}

static void a_program_generates(void **state) {
    (void)state;
    tct_arena keep = {0};
    char *one = generate(1, &keep), *two = generate(2, &keep);
    assert_string_equal(one, two);
    json_t *json = json_loads(one, 0, NULL), *first = json_object_get(json, "first"),
           *second = json_object_get(json, "second");
    assert_string_not_equal(json_string_value(json_object_get(first, "ids")),
                            json_string_value(json_object_get(second, "ids")));
    assert_true(json_is_true(json_object_get(first, "has_next")));
    assert_true(strlen(json_string_value(json_object_get(first, "said"))) > 10);
    json_decref(json);
    tct_arena_free(&keep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_has_the_files_own_order),
        cmocka_unit_test(a_folder_of_another_configuration_is_refused),
        cmocka_unit_test(saving_stays_inside_the_runs_folder),
        cmocka_unit_test(copies_are_apart_and_averages_between),
        cmocka_unit_test(a_program_generates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
