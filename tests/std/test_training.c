// Optimizers, schedules and three steps of AdamW on whole models against figures from PyTorch: as programs
// that `tercet run` carries out.
#include "base/file.h"
#include "runtime/hf.h"
#include "tests/std/figures.h"
#include "tests/support/machine.h"

#include <jansson.h>

static const char *const prelude =
    "use std.loss.sft\nuse std.model.gpt2\nuse std.model.llama\nuse std.optim.adamw\nuse std.optim.schedule\n"
    "use std.optim.sgd\n"
    "model Vector(n: int) {\n"
    "    axis N = n\n"
    "    param w: f32[N] = 0.0 as \"w\"\n"
    "    huggingface \"Vector\" { n = n }\n"
    "}\n"
    "graph weighted(m: Vector, g: f32[N]) -> f32 {\n"
    "    return sum(m.w * g, N)\n"
    "}\n"
    "graph gpt2_objective(m: Gpt2, tokens, target: i32[B, T], mask: bool[B, T]) -> f32 {\n"
    "    return sft_loss(gpt2_logits(m, tokens), target, mask)\n"
    "}\n"
    "graph llama_objective(m: Llama, tokens, target: i32[B, T], mask: bool[B, T]) -> f32 {\n"
    "    return sft_loss(llama_logits(m, tokens), target, mask)\n"
    "}\n"
    "graph qwen2_objective(m: Qwen2, tokens, target: i32[B, T], mask: bool[B, T]) -> f32 {\n"
    "    return sft_loss(qwen2_logits(m, tokens), target, mask)\n"
    "}\n";

// A program that grows, and the folder it runs in.
typedef struct program {
    tct_diag d;
    tct_buf text;
    const char *folder;
} program;

static program begin(void) {
    program p = {0};
    p.folder = machine_folder(&p.d.arena);
    char *tokenizer;
    size_t len;
    const char *dir = tct_arena_printf(&p.d.arena, "%s/tokenizer", p.folder);
    if (!tct_file_read(&p.d, TERCET_SOURCE_DIR "/tests/runtime/tokenizers/words.json", &tokenizer, &len) ||
        !tct_make_dir(&p.d, dir) ||
        !tct_file_write(&p.d, tct_path_join(&p.d.arena, dir, "tokenizer.json"), tokenizer, len))
        figures_fail(&p.d, "no tokenizer");
    tct_heap_free(tokenizer);
    tct_buf_puts(&p.text, prelude);
    return p;
}

static void end(program *p) {
    tct_buf_free(&p->text);
    machine_remove_folder(p->folder);
    tct_diag_free(&p->d);
}

static void run(program *p, int threads) {
    const char *path = tct_path_join(&p->d.arena, p->folder, "program.tct");
    if (!tct_file_write(&p->d, path, p->text.data, p->text.len)) figures_fail(&p->d, path);
    const char *command =
        tct_arena_printf(&p->d.arena, "'%s' run '%s' --out '%s/run%d' --threads %d >'%s/log' 2>&1",
                         TERCET_PROGRAM, path, p->folder, threads, threads, p->folder);
    if (system(command) == 0) return;
    fprintf(stderr, "%s\n%s", command, machine_read(&p->d.arena, p->folder, "log"));
    fail();
}

// Of line `step` of the metrics of the run with one thread.
static double metric(program *p, int step, const char *name) {
    const char *line =
        machine_read(&p->d.arena, tct_path_join(&p->d.arena, p->folder, "run1"), "metrics.jsonl");
    assert_non_null(line);
    for (int k = 0; k < step; k++) line = strchr(line, '\n') + 1;
    json_t *row = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
    const json_t *value = json_object_get(row, name);
    assert_true(json_is_number(value));
    double x = json_number_value(value);
    json_decref(row);
    return x;
}

// let NAME = tensor([…], "N", n): the elements of one of the figures' tensors.
static void add_tensor(program *p, const char *name, const tct_safetensors *figures, const char *figure) {
    tct_tensor t;
    if (!tct_safetensors_load(&p->d, figures, figure, &t)) figures_fail(&p->d, figure);
    int64_t n = tct_tensor_elements(&t);
    tct_buf_printf(&p->text, "        let %s = tensor([", name);
    for (int64_t i = 0; i < n; i++) {
        char number[40];
        snprintf(number, sizeof number, "%.9g", tct_tensor_get(&t, i));
        tct_buf_printf(&p->text, "%s%s%s", i ? ", " : "", number, strpbrk(number, ".e") ? "" : ".0");
    }
    tct_buf_printf(&p->text, "], \"N\", %lld)\n", (long long)n);
    tct_tensor_free(&t);
}

static double scalar(tct_diag *d, const tct_safetensors *figures, const char *name) {
    tct_tensor t;
    if (!tct_safetensors_load(d, figures, name, &t)) figures_fail(d, name);
    double x = tct_tensor_get(&t, 0);
    tct_tensor_free(&t);
    return x;
}

static const char *pipeline = "pipeline train {\n    let tok = tokenizer(\"tokenizer\")\n";

static void one_optimizer(const char *name, const tct_safetensors *figures, int number) {
    program p = begin();
    tct_arena *a = &p.d.arena;
    const char *in = tct_arena_printf(a, "case%d.in.", number);
    const tct_safetensors_entry *param = tct_safetensors_find(figures, tct_arena_printf(a, "%sparam", in));
    assert_non_null(param);
    long long n = 1;
    for (int i = 0; i < param->n_axes; i++) n *= param->sizes[i];
    tct_buf_printf(&p.text, "%s    let m = Vector(n = %lld)\n    stage s {\n", pipeline, n);
    add_tensor(&p, "start", figures, param->name);
    tct_buf_puts(&p.text, "        m.w = start\n");
    tct_buf_printf(&p.text, "        let opt = %s(m", name);
    static const char *const rates[][2] = {{"beta1", "beta1"},
                                           {"beta2", "beta2"},
                                           {"eps", "eps"},
                                           {"weight_decay", "decay"},
                                           {"momentum", "momentum"}};
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        const char *figure = tct_arena_printf(a, "%s%s", in, rates[k][0]);
        if (tct_safetensors_find(figures, figure))
            tct_buf_printf(&p.text, ", %s = %.9g", rates[k][1], scalar(&p.d, figures, figure) + 0.0);
    }
    tct_buf_puts(&p.text, ")\n");
    for (int step = 0; step < 3; step++) {
        const char *g = tct_arena_printf(a, "g%d", step);
        add_tensor(&p, g, figures, tct_arena_printf(a, "%sgrad%d", in, step));
        tct_buf_printf(&p.text, "        let r%d = minimize weighted(m, %s) with opt(lr = %.9g)\n", step, g,
                       scalar(&p.d, figures, tct_arena_printf(a, "%slr", in)));
        tct_buf_printf(&p.text, "        save(m, \"step%d\", tok)\n", step + 1);
    }
    tct_buf_puts(&p.text, "    }\n}\n");
    run(&p, 1);
    for (int step = 1; step <= 3; step++) {
        tct_tensor found, expected;
        const char *figure = tct_arena_printf(a, "case%d.out.step%d", number, step);
        tct_hf_model *saved = tct_hf_open(&p.d, tct_arena_printf(a, "%s/run1/step%d", p.folder, step));
        if (!saved || !tct_hf_load(&p.d, saved, "w", &found) ||
            !tct_safetensors_load(&p.d, figures, figure, &expected))
            figures_fail(&p.d, figure);
        figures_agree(tct_arena_printf(a, "%s: %s", name, figure), &found, &expected, 0);
        tct_tensor_free(&found);
        tct_tensor_free(&expected);
        tct_hf_close(saved);
    }
    end(&p);
}

static void test_optimizer(void **state) {
    const char *name = *state;
    tct_diag d = {0};
    tct_safetensors *figures =
        tct_safetensors_open(&d, tct_arena_printf(&d.arena, FIGURES "%s.safetensors", name));
    if (!figures) figures_fail(&d, name);
    int cases = atoi(tct_safetensors_metadata(figures, "cases"));
    assert_true(cases > 0);
    for (int k = 0; k < cases; k++) one_optimizer(name, figures, k);
    tct_safetensors_close(figures);
    tct_diag_free(&d);
}

static void test_schedules(void **state) {
    (void)state;
    tct_diag d = {0};
    tct_safetensors *figures = tct_safetensors_open(&d, FIGURES "schedules.safetensors");
    if (!figures) figures_fail(&d, "schedules");
    int cases = atoi(tct_safetensors_metadata(figures, "cases"));
    assert_true(cases > 0);
    for (int k = 0; k < cases; k++) {
        program p = begin();
        tct_arena *a = &p.d.arena;
        const char *in = tct_arena_printf(a, "case%d.in.", k);
        int total = (int)scalar(&d, figures, tct_arena_printf(a, "%stotal", in)),
            warmup = (int)scalar(&d, figures, tct_arena_printf(a, "%swarmup", in));
        double peak = scalar(&d, figures, tct_arena_printf(a, "%speak", in)),
               floor_ = scalar(&d, figures, tct_arena_printf(a, "%sfloor", in));
        tct_buf_printf(&p.text,
                       "%s    stage s {\n        for step in range(%d) {\n"
                       "            log(constant = constant(step, %.9g, warmup = %d), "
                       "linear = linear(step, %d, %.9g, %.9g, warmup = %d), "
                       "cosine = cosine(step, %d, %.9g, %.9g, warmup = %d))\n        }\n    }\n}\n",
                       pipeline, total, peak, warmup, total, peak, floor_ + 0.0, warmup, total, peak,
                       floor_ + 0.0, warmup);
        run(&p, 1);
        static const char *const names[] = {"constant", "linear", "cosine"};
        for (size_t i = 0; i < 3; i++) {
            tct_tensor expected, found;
            const char *figure = tct_arena_printf(a, "case%d.out.%s", k, names[i]);
            if (!tct_safetensors_load(&d, figures, figure, &expected)) figures_fail(&d, figure);
            assert_int_equal(tct_tensor_elements(&expected), total);
            if (!tct_tensor_copy(&d, &expected, &found)) figures_fail(&d, figure);
            for (int step = 0; step < total; step++) tct_tensor_set(&found, step, metric(&p, step, names[i]));
            figures_agree(figure, &found, &expected, 0);
            tct_tensor_free(&expected);
            tct_tensor_free(&found);
        }
        end(&p);
    }
    tct_safetensors_close(figures);
    tct_diag_free(&d);
}

typedef struct model {
    const char *folder, *type, *objective;
} model;

// A bias of the keys moves all scores of a query alike, which softmax doesn't see: its gradient is 0 but for
// rounding, and Adam makes whole steps of that, up to three either way.
static void check_qkv_bias(const char *what, const tct_tensor *found, const tct_tensor *expected) {
    int64_t d = tct_tensor_elements(expected) / 3;
    for (int part = 0; part < 3; part++) {
        tct_diag diag = {0};
        tct_tensor x, y;
        size_t offset = (size_t)(part * d) * sizeof(float);
        if (!tct_tensor_borrow(&diag, TCT_F32, 1, NULL, &d, (char *)found->data + offset, &x) ||
            !tct_tensor_borrow(&diag, TCT_F32, 1, NULL, &d, (char *)expected->data + offset, &y))
            figures_fail(&diag, what);
        figures_agree(what, &x, &y, part == 1 ? 6e-3 : 0);
    }
}

static void check_after(program *p, const model *m, const tct_safetensors *figures, const char *saved_in) {
    tct_hf_model *saved = tct_hf_open(&p->d, saved_in);
    if (!saved) figures_fail(&p->d, m->folder);
    for (size_t i = 0; i < tct_safetensors_count(figures); i++) {
        const char *name = tct_safetensors_at(figures, i)->name;
        if (strncmp(name, "after.", 6) != 0) continue;
        tct_tensor found, expected;
        if (!tct_hf_load(&p->d, saved, name + 6, &found) ||
            !tct_safetensors_load(&p->d, figures, name, &expected))
            figures_fail(&p->d, name);
        const char *what = tct_arena_printf(&p->d.arena, "%s: %s", m->folder, name);
        if (strstr(name, "c_attn.bias"))
            check_qkv_bias(what, &found, &expected);
        else
            figures_agree(what, &found, &expected, 0);
        tct_tensor_free(&found);
        tct_tensor_free(&expected);
    }
    tct_hf_close(saved);
}

static void test_steps(void **state) {
    const model *m = *state;
    program p = begin();
    tct_arena *a = &p.d.arena;
    const char *folder = tct_arena_printf(a, FIGURES "%s", m->folder);
    tct_safetensors *figures =
        tct_safetensors_open(&p.d, tct_arena_printf(a, "%s/figures.safetensors", folder));
    if (!figures) figures_fail(&p.d, folder);
    const tct_safetensors_entry *tokens = tct_safetensors_find(figures, "tokens");
    long long rows = tokens->sizes[0];
    tct_buf_printf(&p.text, "%s    let m = %s(from = \"%s\")\n    stage s {\n", pipeline, m->type, folder);
    static const char *const names[] = {"tokens", "target", "mask"};
    for (int k = 0; k < 3; k++) add_tensor(&p, tct_arena_printf(a, "flat_%s", names[k]), figures, names[k]);
    for (int k = 0; k < 3; k++)
        tct_buf_printf(&p.text, "        let %s = %s(split(flat_%s, N -> [B = %lld, T]))\n", names[k],
                       k < 2 ? "i32" : "bool", names[k], rows);
    tct_buf_printf(&p.text,
                   "        let opt = adamw(m, decay = 0.01)\n"
                   "        for step in range(3) {\n"
                   "            let r = minimize %s(m, tokens, target, mask) with opt(lr = 1e-3)\n"
                   "            log(loss = r.loss)\n"
                   "        }\n"
                   "        save(m, \"after\", tok)\n    }\n}\n",
                   m->objective);
    run(&p, 1);
    tct_tensor losses, found;
    if (!tct_safetensors_load(&p.d, figures, "losses", &losses) || !tct_tensor_copy(&p.d, &losses, &found))
        figures_fail(&p.d, m->folder);
    for (int step = 0; step < 3; step++) tct_tensor_set(&found, step, metric(&p, step, "loss"));
    figures_agree(tct_arena_printf(a, "%s: losses", m->folder), &found, &losses, 0);
    tct_tensor_free(&losses);
    tct_tensor_free(&found);
    check_after(&p, m, figures, tct_arena_printf(a, "%s/run1/after", p.folder));
    run(&p, 2);
    tct_mapping x, y;
    if (!tct_file_map(&p.d, tct_arena_printf(a, "%s/run1/after/model.safetensors", p.folder), &x) ||
        !tct_file_map(&p.d, tct_arena_printf(a, "%s/run2/after/model.safetensors", p.folder), &y))
        figures_fail(&p.d, m->folder);
    assert_true(x.len == y.len && memcmp(x.data, y.data, x.len) == 0);
    tct_file_unmap(&x);
    tct_file_unmap(&y);
    tct_safetensors_close(figures);
    end(&p);
}

int main(void) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 0);
    static const model gpt2 = {"gpt2", "Gpt2", "gpt2_objective"},
                       llama = {"llama", "Llama", "llama_objective"},
                       tied = {"llama_tied", "Llama", "llama_objective"},
                       qwen2 = {"qwen2", "Qwen2", "qwen2_objective"};
#define CASE(label, function, data)                                                                          \
    {.name = label, .test_func = function, .initial_state = (void *)(uintptr_t)(data)}
    const struct CMUnitTest tests[] = {
        CASE("adamw", test_optimizer, "adamw"), CASE("adamw_tf", test_optimizer, "adamw_tf"),
        CASE("sgd", test_optimizer, "sgd"),     CASE("schedules", test_schedules, NULL),
        CASE("gpt2", test_steps, &gpt2),        CASE("llama", test_steps, &llama),
        CASE("llama_tied", test_steps, &tied),  CASE("qwen2", test_steps, &qwen2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
