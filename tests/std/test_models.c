// Whole models against figures from PyTorch: logits, loss, the gradient of every parameter.
#include "runtime/hf.h"
#include "runtime/model.h"
#include "tests/std/figures.h"
#include "tests/support/machine.h"

typedef struct model {
    const char *folder, *graph;
} model;

static const model models[] = {
    {"gpt2", "gpt2_figures"},
    {"llama", "llama_figures"},
    {"llama_tied", "llama_figures"},
    {"qwen2", "qwen2_figures"},
};

typedef struct comparison {
    tct_graph_model model; // its inputs; gradients follow the graph's results in that order
    const tct_safetensors *figures;
} comparison;

static const tct_tensor *result(const tct_graph *g, const tct_tensor *outputs, const char *name) {
    for (size_t k = 0; k < g->outputs.len; k++)
        if (strcmp(g->outputs.data[k].name, name) == 0) return &outputs[k];
    return NULL;
}

static void check_figure(const comparison *c, const char *how, const char *name, const tct_tensor *found) {
    tct_diag d = {0};
    tct_tensor expected;
    char what[400];
    snprintf(what, sizeof what, "%s: %s", how, name);
    if (!tct_safetensors_load(&d, c->figures, name, &expected)) figures_fail(&d, what);
    figures_agree(what, found, &expected, 0);
    tct_tensor_free(&expected);
    tct_diag_free(&d);
}

// The gradients as a folder, so that they have the names and dimensions of the files.
static void check_gradients(const comparison *c, const char *how, const tct_graph *g,
                            const tct_tensor *outputs) {
    tct_diag d = {0};
    const tct_model_desc *desc = c->model.desc;
    tct_tensor *grads = TCT_NEW_ARRAY(&d.arena, tct_tensor, desc->n_params);
    for (uint32_t k = 0; k < desc->n_params; k++) {
        const char *name = tct_arena_printf(&d.arena, "grad.%s", desc->params[k].name);
        const tct_tensor *t = result(g, outputs, name);
        assert_non_null(t);
        grads[k] = *t;
    }
    const char *path = machine_folder(&d.arena);
    tct_hf_model *written = NULL;
    if (tct_params_save(&d, desc, path, grads, NULL)) written = tct_hf_open(&d, path);
    if (!written) figures_fail(&d, how);
    size_t compared = 0, expected = 0;
    for (size_t i = 0; i < tct_safetensors_count(c->figures); i++) {
        const char *name = tct_safetensors_at(c->figures, i)->name;
        if (strncmp(name, "grad.", 5) != 0) continue;
        tct_tensor t;
        expected++;
        if (!tct_hf_load(&d, written, name + 5, &t)) figures_fail(&d, how);
        check_figure(c, how, name, &t);
        tct_tensor_free(&t);
        compared++;
    }
    assert_true(compared == desc->n_params && compared == expected);
    tct_hf_close(written);
    machine_remove_folder(path);
    tct_diag_free(&d);
}

static void compare(void *ctx, const char *how, const tct_graph *g, const tct_tensor *outputs) {
    const comparison *c = ctx;
    check_figure(c, how, "loss", result(g, outputs, "loss"));
    check_figure(c, how, "logits", result(g, outputs, "logits"));
    check_gradients(c, how, g, outputs);
}

// tokens, target and mask of the figures, in a file of their own.
static tct_safetensors *batch_of(tct_diag *d, const tct_safetensors *figures, const char *path) {
    static const char *const names[] = {"tokens", "target", "mask"};
    tct_tensor kept[3];
    tct_safetensors_writer *w = tct_safetensors_writer_new(path);
    for (int k = 0; k < 3; k++) {
        if (!tct_safetensors_load(d, figures, names[k], &kept[k])) figures_fail(d, path);
        tct_safetensors_writer_add(w, names[k], &kept[k]);
    }
    tct_safetensors *s = tct_safetensors_writer_finish(d, w) ? tct_safetensors_open(d, path) : NULL;
    if (!s) figures_fail(d, path);
    for (int k = 0; k < 3; k++) tct_tensor_free(&kept[k]);
    return s;
}

static void test_model(void **state) {
    const model *m = *state;
    tct_diag d = {0};
    const char *folder = tct_arena_printf(&d.arena, FIGURES "%s", m->folder);
    tct_safetensors *figures =
        tct_safetensors_open(&d, tct_arena_printf(&d.arena, "%s/figures.safetensors", folder));
    if (!figures) figures_fail(&d, folder);
    const char *path = tct_arena_printf(&d.arena, "%s/batch.safetensors", machine_folder(&d.arena));
    tct_safetensors *in = batch_of(&d, figures, path);
    tct_setting from = {"m", folder};
    tct_graph_request r = {.file = FIGURES_TCT, .graph = m->graph, .models = &from, .n_models = 1};
    tct_bound b = {0};
    if (!tct_bind_inputs(&d, &r, in, "", false, &b)) figures_fail(&d, m->folder);
    size_t n_models;
    const tct_graph_model *found = tct_elab_graph_models(b.file.elab, &n_models);
    assert_int_equal(n_models, 1);
    comparison c = {.figures = figures, .model = found[0]};
    b.graph = tct_graph_gradient(&d, b.graph, NULL);
    if (!b.graph) figures_fail(&d, m->folder);
    figures_everywhere(&b, m->folder, compare, &c);
    tct_bound_free(&b);
    tct_safetensors_close(in);
    tct_safetensors_close(figures);
    machine_remove_folder(tct_arena_strndup(&d.arena, path, (size_t)(strrchr(path, '/') - path)));
    tct_diag_free(&d);
}

int main(void) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 0);
    enum { N = sizeof models / sizeof *models };
    struct CMUnitTest tests[N];
    for (size_t k = 0; k < N; k++)
        tests[k] = (struct CMUnitTest){.name = models[k].folder,
                                       .test_func = test_model,
                                       .initial_state = (void *)(uintptr_t)&models[k]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
