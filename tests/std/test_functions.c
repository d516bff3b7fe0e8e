// Losses, reinforcement learning and activations of the library against figures: values and gradients.
#include "tests/std/figures.h"

typedef struct function {
    const char *figure, *results, *total; // total: NULL where the one result is a scalar
    double absolute;                      // what rounding to f32 leaves where terms cancel
} function;

static const function functions[] = {
    {"rm_loss", "rm_loss", NULL, 0},
    {"sft_loss", "sft_loss", NULL, 0},
    {"ppo_policy_loss", "ppo_policy_loss", NULL, 0},
    {"ppo_value_loss", "ppo_value_loss", NULL, 0},
    {"gae", "gae", "gae_total", 0},
    {"whiten", "whiten", "whiten_total", 0},
    {"kl", "kl_results", "kl_total", 0},
    {"dpo", "dpo_loss", NULL, 0},
    {"cdpo", "cdpo_loss", NULL, 0},
    {"ipo", "ipo_loss", NULL, 0},
    {"hinge", "hinge_loss", NULL, 0},
    {"simpo", "simpo_loss", NULL, 0},
    {"kto", "kto_loss", NULL, 0},
    {"orpo", "orpo_loss", NULL, 0},
    {"grpo_advantage", "grpo_advantage_results", "grpo_advantage_total", 1e-6},
    {"grpo_loss", "grpo_loss_results", "grpo_loss_total", 0},
    {"rloo_advantage", "rloo_advantage", "rloo_advantage_total", 0},
    {"plain/adaptive_beta", "adaptive_beta", NULL, 0},
    {"plain/centered_advantage", "centered_advantage", NULL, 0},
    {"plain/completion_logp", "completion_logp", NULL, 0},
    {"plain/constant_length_mean", "constant_length_mean", NULL, 0},
    {"plain/dr_grpo_loss", "dr_grpo_loss", NULL, 0},
    {"plain/explained_variance", "explained_variance", NULL, 0},
    {"plain/gelu", "gelu", NULL, 0},
    {"plain/gelu_tanh", "gelu_tanh", NULL, 0},
    {"plain/kl_exact", "kl_exact", NULL, 0},
    {"plain/layer_norm", "layer_norm", NULL, 0},
    {"plain/log_sigmoid", "log_sigmoid", NULL, 0},
    {"plain/log_softmax", "log_softmax", NULL, 0},
    {"plain/logsumexp", "logsumexp", NULL, 0},
    {"plain/mean_entropy", "mean_entropy", NULL, 0},
    {"plain/ppo_dual_clip_loss", "ppo_dual_clip_loss", NULL, 0},
    {"plain/ppo_policy_stats", "ppo_policy_stats", NULL, 0},
    {"plain/ppo_value_clip_fraction", "ppo_value_clip_fraction", NULL, 0},
    {"plain/preference_accuracy", "preference_accuracy", NULL, 0},
    {"plain/reinforce_advantage", "reinforce_advantage", NULL, 0},
    {"plain/reinforce_loss", "reinforce_loss", NULL, 0},
    {"plain/relu", "relu", NULL, 0},
    {"plain/rm_accuracy", "rm_accuracy", NULL, 0},
    {"plain/rm_best_loss", "rm_best_loss", NULL, 0},
    {"plain/rm_centering", "rm_centering", NULL, 0},
    {"plain/rm_margin", "rm_margin", NULL, 0},
    {"plain/rm_margin_loss", "rm_margin_loss", NULL, 0},
    {"plain/rms_norm", "rms_norm", NULL, 0},
    {"plain/sequence_mean", "sequence_mean", NULL, 0},
    {"plain/sequence_sum", "sequence_sum", NULL, 0},
    {"plain/sft_loss_sum", "sft_loss_sum", NULL, 0},
    {"plain/silu", "silu", NULL, 0},
    {"plain/softmax", "softmax", NULL, 0},
    {"plain/token_accuracy", "token_accuracy", NULL, 0},
    {"plain/token_logp", "token_logp", NULL, 0},
    {"plain/token_mean", "token_mean", NULL, 0},
    {"plain/token_rewards", "token_rewards", NULL, 0},
};

typedef struct one_case {
    const tct_safetensors *figures;
    char prefix[32]; // "case0"
    bool total;      // the graph is that of the sum
    double absolute;
    size_t compared;
} one_case;

static void compare(void *ctx, const char *how, const tct_graph *g, const tct_tensor *outputs) {
    one_case *c = ctx;
    for (size_t k = 0; k < g->outputs.len; k++) {
        char name[128], what[400];
        const char *out = g->outputs.data[k].name;
        bool named = strncmp(out, "grad.", 5) == 0 || strcmp(out, "out") == 0;
        snprintf(name, sizeof name, "%s.%s%s", c->prefix, named ? "" : "out.", out);
        snprintf(what, sizeof what, "%s: %s", how, name);
        tct_diag d = {0};
        tct_tensor expected;
        if (!tct_safetensors_find(c->figures, name) || (c->total && strcmp(out, "out") == 0))
            continue; // a total's value, gradients to cotangents
        if (!tct_safetensors_load(&d, c->figures, name, &expected)) figures_fail(&d, what);
        figures_agree(what, &outputs[k], &expected, c->absolute);
        c->compared++;
        tct_tensor_free(&expected);
        tct_diag_free(&d);
    }
}

// The case's inputs, and its cotangents as cotangent_NAME, in a file of their own.
static tct_safetensors *inputs_of(tct_diag *d, const one_case *c, char *path) {
    strcpy(path, "/tmp/tercet-figures-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    size_t n = tct_safetensors_count(c->figures);
    tct_tensor *kept = tct_alloc((n + 1) * sizeof *kept);
    tct_safetensors_writer *w = tct_safetensors_writer_new(path);
    for (size_t i = 0; i < n; i++) {
        const char *name = tct_safetensors_at(c->figures, i)->name;
        size_t len = strlen(c->prefix);
        if (strncmp(name, c->prefix, len) != 0 || name[len] != '.') continue;
        const char *rest = name + len + 1;
        bool input = strncmp(rest, "in.", 3) == 0, cotangent = strncmp(rest, "cotangent.", 10) == 0;
        if (!input && !(cotangent && c->total)) continue;
        if (!tct_safetensors_load(d, c->figures, name, &kept[i])) figures_fail(d, name);
        const char *as = input ? rest + 3 : tct_arena_printf(&d->arena, "cotangent_%s", rest + 10);
        tct_safetensors_writer_add(w, as, &kept[i]);
    }
    tct_safetensors *s = tct_safetensors_writer_finish(d, w) ? tct_safetensors_open(d, path) : NULL;
    if (!s) figures_fail(d, path);
    for (size_t i = 0; i < n; i++) tct_tensor_free(&kept[i]);
    free(kept);
    return s;
}

static void run_graph(one_case *c, const char *graph, bool gradient) {
    tct_diag d = {0};
    char path[64], what[128];
    snprintf(what, sizeof what, "%s, %s", graph, c->prefix);
    tct_safetensors *in = inputs_of(&d, c, path);
    tct_graph_request r = {.file = FIGURES_TCT, .graph = graph};
    tct_bound b = {0};
    if (!tct_bind_inputs(&d, &r, in, "", false, &b)) figures_fail(&d, what);
    if (gradient) b.graph = tct_graph_gradient(&d, b.graph, NULL);
    if (!b.graph) figures_fail(&d, what);
    figures_everywhere(&b, what, compare, c);
    tct_bound_free(&b);
    tct_safetensors_close(in);
    unlink(path);
    tct_diag_free(&d);
}

static bool has_gradients(const one_case *c) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.grad.", c->prefix);
    for (size_t i = 0; i < tct_safetensors_count(c->figures); i++)
        if (strncmp(tct_safetensors_at(c->figures, i)->name, prefix, strlen(prefix)) == 0) return true;
    return false;
}

static void test_function(void **state) {
    const function *f = *state;
    tct_diag d = {0};
    char path[300];
    snprintf(path, sizeof path, FIGURES "%s.safetensors", f->figure);
    tct_safetensors *figures = tct_safetensors_open(&d, path);
    if (!figures) figures_fail(&d, path);
    int cases = atoi(tct_safetensors_metadata(figures, "cases"));
    assert_true(cases > 0);
    for (int k = 0; k < cases; k++) {
        one_case c = {.figures = figures, .absolute = f->absolute};
        snprintf(c.prefix, sizeof c.prefix, "case%d", k);
        run_graph(&c, f->results, has_gradients(&c) && !f->total);
        c.total = true;
        if (f->total) run_graph(&c, f->total, true);
        size_t expected = 0;
        for (size_t i = 0; i < tct_safetensors_count(figures); i++) {
            const char *name = tct_safetensors_at(figures, i)->name;
            size_t len = strlen(c.prefix);
            if (strncmp(name, c.prefix, len) != 0 || name[len] != '.') continue;
            expected += strncmp(name + len, ".out", 4) == 0 || strncmp(name + len, ".grad.", 6) == 0;
        }
        assert_true(c.compared >= expected && c.compared % expected == 0); // every figure, every way
    }
    tct_safetensors_close(figures);
    tct_diag_free(&d);
}

int main(void) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 0);
    enum { N = sizeof functions / sizeof *functions };
    struct CMUnitTest tests[N];
    for (size_t k = 0; k < N; k++)
        tests[k] = (struct CMUnitTest){.name = functions[k].figure,
                                       .test_func = test_function,
                                       .initial_state = (void *)(uintptr_t)&functions[k]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
