// Hugging Face model folders: round trip, names with and without a prefix, what is refused.
#include "base/file.h"
#include "runtime/hf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SHARED TERCET_SOURCE_DIR "/../shared/data/"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tercet-hf-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void assert_reported(const tct_diag *d, const char *code, const char *text) {
    assert_true(d->messages.len > 0);
    const tct_message *m = &d->messages.data[d->messages.len - 1];
    if (strcmp(m->code, code) != 0 || !strstr(m->text, text)) fail_msg("got %s: %s", m->code, m->text);
}

static const char *in_folder(tct_diag *d, const char *name) { return tct_path_join(&d->arena, folder, name); }

static void write_text(tct_diag *d, const char *name, const char *text) {
    assert_true(tct_make_dir(d, tct_path_dir(&d->arena, in_folder(d, name))));
    assert_true(tct_file_write(d, in_folder(d, name), text, strlen(text)));
}

static json_t *read_json(tct_diag *d, const char *name) {
    json_error_t error;
    json_t *v = json_load_file(in_folder(d, name), 0, &error);
    assert_non_null(v);
    return v;
}

static void test_round_trip(void **state) {
    (void)state;
    tct_diag d = {0};
    float wte[6] = {1, 2, 3, 4, 5, 6}, bias[4] = {1, 0, 1, 1};
    tct_bf16 half[2] = {0x3F80, 0x4000};
    tct_tensor a, b, c;
    assert_true(tct_tensor_borrow(&d, TCT_F32, 2, NULL, (int64_t[]){3, 2}, wte, &a));
    assert_true(tct_tensor_borrow(&d, TCT_F32, 2, NULL, (int64_t[]){2, 2}, bias, &b));
    assert_true(tct_tensor_borrow(&d, TCT_BF16, 1, NULL, (int64_t[]){2}, half, &c));
    const tct_named_tensor tensors[] = {
        {"transformer.wte.weight", &a}, {"transformer.h.0.attn.bias", &b}, {"score.weight", &c}};
    json_t *config = json_pack("{s:s, s:i, s:f}", "model_type", "gpt2", "n_embd", 2, "eps", 1e-5);
    assert_true(tct_hf_save(&d, in_folder(&d, "deep/model"), config, tensors, 3, NULL, NULL));
    assert_null(json_object_get(config, "torch_dtype")); // the caller's object is as it was
    json_decref(config);

    tct_hf_model *m = tct_hf_open(&d, in_folder(&d, "deep/model"));
    assert_non_null(m);
    assert_string_equal(json_string_value(json_object_get(tct_hf_config(m), "torch_dtype")), "float32");
    assert_true(json_real_value(json_object_get(tct_hf_config(m), "eps")) == 1e-5);
    int64_t n;
    assert_true(tct_hf_config_int(&d, m, "n_embd", 1, 100, -1, &n));
    assert_int_equal(n, 2);
    assert_true(tct_hf_config_int(&d, m, "n_head", 1, 100, 12, &n));
    assert_int_equal(n, 12);
    assert_false(tct_hf_config_int(&d, m, "n_head", 1, 100, -1, &n));
    assert_reported(&d, "E0714", "'n_head' must be a whole number from 1 to 100, and it is missing");
    assert_false(tct_hf_config_int(&d, m, "n_embd", 3, 100, 5, &n));
    assert_false(tct_hf_config_int(&d, m, "model_type", 3, 100, 5, &n));
    assert_reported(&d, "E0714", "'model_type' must be a whole number");

    // The buffer is no parameter; what wasn't loaded is known.
    assert_string_equal(tct_hf_unused(m, 0), "score.weight");
    assert_string_equal(tct_hf_unused(m, 1), "transformer.wte.weight");
    assert_null(tct_hf_unused(m, 2));
    tct_tensor t;
    assert_true(tct_hf_load(&d, m, "wte.weight", &t)); // without the prefix
    assert_memory_equal(t.data, wte, sizeof wte);
    tct_tensor_free(&t);
    assert_true(tct_hf_load(&d, m, "model.score.weight", &t)); // with one that the file has not
    assert_int_equal(t.dtype, TCT_BF16);
    tct_tensor_free(&t);
    assert_null(tct_hf_unused(m, 0));
    float into[6];
    assert_true(tct_tensor_borrow(&d, TCT_F32, 2, NULL, (int64_t[]){3, 2}, into, &t));
    assert_true(tct_hf_load_into(&d, m, "transformer.wte.weight", &t));
    assert_memory_equal(into, wte, sizeof wte);
    assert_true(tct_tensor_borrow(&d, TCT_F32, 2, (const char *[]){"C", "V"}, (int64_t[]){2, 3}, into, &t));
    assert_false(tct_hf_load_into(&d, m, "wte.weight", &t));
    assert_reported(&d, "E0705", "tensor 'transformer.wte.weight' is f32[3, 2], f32[C=2, V=3] was expected");
    assert_false(tct_hf_load(&d, m, "wpe.weight", &t));
    assert_reported(&d, "E0705", "no tensor 'wpe.weight'");
    assert_null(tct_hf_find(m, "h.1.attn.bias"));
    tct_hf_close(m);
    tct_diag_free(&d);
}

// A tokenizer goes with the model, and its special ids into generation_config.json.
static void test_tokenizer_is_saved(void **state) {
    (void)state;
    tct_diag d = {0};
    write_text(
        &d, "tok/tokenizer.json",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"</s>\": 1, \"b\": 2}, \"merges\": []}}\n");
    write_text(&d, "tok/tokenizer_config.json", "{\"eos_token\": \"</s>\"}");
    write_text(&d, "tok/generation_config.json", "{\"eos_token_id\": [1, 2]}");
    tct_tokenizer *t = tct_tokenizer_open(&d, in_folder(&d, "tok"));
    assert_non_null(t);
    float x = 1;
    tct_tensor a;
    assert_true(tct_tensor_borrow(&d, TCT_F32, 1, NULL, (int64_t[]){1}, &x, &a));
    json_t *config = json_pack("{s:s, s:s}", "model_type", "llama", "torch_dtype", "bfloat16");
    assert_true(tct_hf_save(&d, in_folder(&d, "saved"), config, &(tct_named_tensor){"x", &a}, 1, t, NULL));
    json_t *generation = read_json(&d, "saved/generation_config.json"),
           *kept = read_json(&d, "saved/config.json");
    assert_int_equal(json_array_size(json_object_get(generation, "eos_token_id")), 2);
    assert_null(json_object_get(generation, "bos_token_id"));
    assert_string_equal(json_string_value(json_object_get(kept, "torch_dtype")), "bfloat16");
    json_decref(generation);
    json_decref(kept);
    tct_tokenizer_close(t);
    t = tct_tokenizer_open(&d, in_folder(&d, "saved"));
    assert_non_null(t);
    size_t n;
    assert_int_equal(tct_tokenizer_special(t, TCT_EOS), 1);
    tct_tokenizer_eos_ids(t, &n);
    assert_int_equal(n, 2);
    tct_tokenizer_close(t);
    // The caller's own generation settings win.
    generation = json_pack("{s:i}", "max_new_tokens", 7);
    assert_true(
        tct_hf_save(&d, in_folder(&d, "saved"), config, &(tct_named_tensor){"x", &a}, 1, NULL, generation));
    json_decref(generation);
    generation = read_json(&d, "saved/generation_config.json");
    assert_int_equal(json_integer_value(json_object_get(generation, "max_new_tokens")), 7);
    json_decref(generation);
    json_decref(config);
    tct_diag_free(&d);
}

static void test_refuses(void **state) {
    (void)state;
    tct_diag d = {0};
    assert_null(tct_hf_open(&d, in_folder(&d, "none")));
    assert_reported(&d, "E0701", "none/config.json");
    write_text(&d, "bad/config.json", "[]");
    assert_null(tct_hf_open(&d, in_folder(&d, "bad")));
    assert_reported(&d, "E0714", "a JSON object was expected");
    write_text(&d, "bad/config.json", "{\n\n?");
    assert_null(tct_hf_open(&d, in_folder(&d, "bad")));
    assert_reported(&d, "E0714", "bad/config.json:3:");
    write_text(&d, "bad/config.json", "{}");
    assert_null(tct_hf_open(&d, in_folder(&d, "bad")));
    assert_reported(&d, "E0714", "has neither model.safetensors nor model.safetensors.index.json");
    write_text(&d, "bad/pytorch_model.bin", "x");
    assert_null(tct_hf_open(&d, in_folder(&d, "bad")));
    assert_non_null(strstr(d.messages.data[d.messages.len - 1].help, "safetensors"));
    write_text(&d, "bad/model.safetensors", "x");
    assert_null(tct_hf_open(&d, in_folder(&d, "bad")));
    assert_reported(&d, "E0704", "bad/model.safetensors");
    tct_diag_free(&d);
}

// A sharded folder is opened through its index.
static void test_shards(void **state) {
    (void)state;
    tct_diag d = {0};
    float x = 3;
    tct_tensor a;
    assert_true(tct_tensor_borrow(&d, TCT_F32, 1, NULL, (int64_t[]){1}, &x, &a));
    write_text(&d, "shards/config.json", "{}");
    write_text(&d, "shards/model.safetensors.index.json",
               "{\"weight_map\": {\"model.x\": \"part-1.safetensors\"}}");
    tct_safetensors_writer *w = tct_safetensors_writer_new(in_folder(&d, "shards/part-1.safetensors"));
    tct_safetensors_writer_add(w, "model.x", &a);
    assert_true(tct_safetensors_writer_finish(&d, w));
    tct_hf_model *m = tct_hf_open(&d, in_folder(&d, "shards"));
    assert_non_null(m);
    tct_tensor t;
    assert_true(tct_hf_load(&d, m, "x", &t));
    assert_true(tct_tensor_get(&t, 0) == 3);
    tct_tensor_free(&t);
    tct_hf_close(m);
    tct_diag_free(&d);
}

// The real model, opened, saved and opened again: the same tensors, byte for byte.
static void test_real_model(void **state) {
    (void)state;
    if (access(SHARED "stories260K", F_OK) != 0) {
        print_message("SKIPPED: %s is not there\n", SHARED "stories260K");
        return;
    }
    tct_diag d = {0};
    tct_hf_model *m = tct_hf_open(&d, SHARED "stories260K"), *again;
    assert_non_null(m);
    tct_tokenizer *t = tct_tokenizer_open(&d, SHARED "stories260K");
    assert_non_null(t);
    assert_int_equal(tct_tokenizer_special(t, TCT_BOS), 1);
    assert_int_equal(tct_tokenizer_special(t, TCT_EOS), 2);
    size_t n = 0;
    const char *name;
    tct_named_tensor list[64];
    tct_tensor tensors[64];
    while (n < 64 && (name = tct_hf_unused(m, 0))) {
        list[n] = (tct_named_tensor){tct_arena_strdup(&d.arena, name), &tensors[n]};
        assert_true(tct_hf_load(&d, m, name, &tensors[n]));
        n++;
    }
    assert_int_equal(n, 1 + 5 * 9 + 1); // embedding, nine a layer, last norm
    assert_true(tct_hf_save(&d, in_folder(&d, "real"), tct_hf_config(m), list, n, t, NULL));
    again = tct_hf_open(&d, in_folder(&d, "real"));
    assert_non_null(again);
    assert_true(json_equal(tct_hf_config(m), tct_hf_config(again)));
    for (size_t i = 0; i < n; i++) {
        tct_tensor x;
        assert_true(tct_hf_load(&d, again, list[i].name, &x));
        assert_int_equal(x.bytes, tensors[i].bytes);
        assert_memory_equal(x.data, tensors[i].data, x.bytes);
        tct_tensor_free(&x);
        tct_tensor_free(&tensors[i]);
    }
    tct_tokenizer_close(t);
    tct_hf_close(m);
    tct_hf_close(again);
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_tokenizer_is_saved),
        cmocka_unit_test(test_refuses),    cmocka_unit_test(test_shards),
        cmocka_unit_test(test_real_model),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
