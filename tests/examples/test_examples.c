// The examples from end to end with few steps: that they end, what they leave behind, and that neither the
// number of threads nor an interruption changes a bit of it.
#include "base/file.h"
#include "tests/support/machine.h"
#include "tests/support/place.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SHARED TERCET_SOURCE_DIR "/../shared/data"

static const char *const instructgpt[] = {
    "examples/instructgpt/instructgpt.tct",
    "model.layers=1",
    "model.d=32",
    "pretrain.steps=12",
    "sft.count=64",
    "sft.epochs=1",
    "batch=20",
    "heldout=20",
    "labeler.count=40",
    "labeler.rounds=1",
    "labeler.heldout=20",
    "ppo.steps=3",
    "ppo.batch=8",
    "ppo.minibatch=4",
    "ptx.batch=2",
    NULL,
};

static const char *const stories[] = {
    "examples/stories/stories.tct",
    "batch=10",
    "heldout=10",
    "tries=1",
    "story=16",
    "rm.count=20",
    "rm.k=3",
    "ppo.steps=2",
    "ppo.batch=8",
    "ppo.minibatch=4",
    NULL,
};

static const char *const models[] = {"base", "sft", "rm", "ppo", "ppo_ptx"};

enum { N_MODELS = sizeof models / sizeof *models };

// Starts the example into the folder `out`; what it prints goes to out.txt beside it.
static pid_t start(place *p, const char *const *example, const char *out, const char *const *more) {
    const char *arguments[64] = {TERCET_PROGRAM, "run", example[0], "--out",
                                 tct_path_join(&p->d.arena, p->folder, out)};
    uint32_t n = 5;
    for (uint32_t i = 1; example[i]; i++) {
        arguments[n++] = "--set";
        arguments[n++] = example[i];
    }
    for (uint32_t i = 0; more && more[i]; i++) arguments[n++] = more[i];
    const char *text = tct_arena_printf(&p->d.arena, "%s/%s.txt", p->folder, out);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("TERCET_STD", "std", 1);
        if (!freopen(text, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0) _exit(126);
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return child;
}

static char *read_text(place *p, const char *name, size_t *size) {
    char *text;
    if (!tct_file_read(&p->d, tct_path_join(&p->d.arena, p->folder, name), &text, size))
        fail_msg("no %s", name);
    return text;
}

static void run(place *p, const char *const *example, const char *out, const char *const *more) {
    int status;
    pid_t child = start(p, example, out, more);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    size_t size;
    char *text = read_text(p, tct_arena_printf(&p->d.arena, "%s.txt", out), &size);
    print_message("%s\n", text);
    tct_heap_free(text);
    fail_msg("%s ended with %d", example[0], status);
}

// The members of summary.json's group are numbers with these names and no others.
static void has_figures(const json_t *summary, const char *group, const char *const *names, size_t n) {
    const json_t *o = json_object_get(summary, group);
    if (!json_is_object(o)) fail_msg("summary.json lacks %s", group);
    assert_int_equal(json_object_size(o), n);
    for (size_t i = 0; i < n; i++)
        if (!json_is_number(json_object_get(o, names[i]))) fail_msg("%s lacks %s", group, names[i]);
}

static json_t *summary_of(place *p, const char *out) {
    size_t size;
    char *text = read_text(p, tct_arena_printf(&p->d.arena, "%s/summary.json", out), &size);
    json_t *summary = json_loads(text, 0, NULL);
    tct_heap_free(text);
    assert_non_null(summary);
    return summary;
}

static void same_models(place *p, const char *a, const char *b) {
    for (size_t i = 0; i < N_MODELS; i++) {
        size_t size_a, size_b;
        char *x =
            read_text(p, tct_arena_printf(&p->d.arena, "%s/%s/model.safetensors", a, models[i]), &size_a);
        char *y =
            read_text(p, tct_arena_printf(&p->d.arena, "%s/%s/model.safetensors", b, models[i]), &size_b);
        if (size_a != size_b || memcmp(x, y, size_a) != 0)
            fail_msg("%s of the runs %s and %s differ", models[i], a, b);
        tct_heap_free(x);
        tct_heap_free(y);
    }
}

static void logs(const char *metrics, const char *stage, const char *const *names) {
    const char *line = metrics;
    tct_arena a = {0};
    const char *head = tct_arena_printf(&a, "{\"stage\":\"%s\"", stage);
    for (uint32_t i = 0; names[i]; i++) {
        const char *key = tct_arena_printf(&a, "\"%s\":", names[i]);
        bool found = false;
        for (line = metrics; *line && !found; line = strchr(line, '\n') + 1) {
            const char *at = strstr(line, key);
            found = strncmp(line, head, strlen(head)) == 0 && at && at < strchr(line, '\n');
        }
        if (!found) fail_msg("stage %s doesn't log %s", stage, names[i]);
    }
    tct_arena_free(&a);
}

static void test_instructgpt(void **state) {
    place *p = *state;
    run(p, instructgpt, "one", (const char *[]){"--threads", "1", NULL});
    json_t *summary = summary_of(p, "one");
    assert_int_equal(json_object_size(summary), 5);
    has_figures(summary, "rm", (const char *[]){"accuracy", "labeler_agreement"}, 2);
    static const char *const policies[] = {"base", "sft", "ppo", "ppo_ptx"};
    for (int i = 0; i < 4; i++)
        has_figures(summary, policies[i],
                    (const char *[]){"gold_reward", "win_rate_vs_sft", "kl", "pretrain_loss"}, 4);
    json_t *sft = json_object_get(summary, "sft");
    assert_true(json_number_value(json_object_get(sft, "win_rate_vs_sft")) == 0.5);
    double kl = json_number_value(json_object_get(sft, "kl")); // of the model from itself
    assert_true(kl > -1e-3 && kl < 1e-3);
    json_decref(summary);

    size_t size;
    char *metrics = read_text(p, "one/metrics.jsonl", &size);
    logs(metrics, "sft", (const char *[]){"loss", "accuracy", "tokens_per_s", "lr", "grad_norm", NULL});
    logs(metrics, "reward_model",
         (const char *[]){"loss", "accuracy", "margin", "reward_min", "reward_mean", "reward_max", NULL});
    logs(metrics, "ppo_ptx",
         (const char *[]){"kl",      "kl_coefficient", "entropy",       "score",
                          "reward",  "approx_kl",      "clip_fraction", "value_clip_fraction",
                          "ratio",   "ratio_min",      "ratio_max",     "explained_variance",
                          "returns", "values",         "length",        "ended",
                          "lr",      "episodes_per_s", "ptx_loss",      NULL});
    tct_heap_free(metrics);
    char *report = read_text(p, "one/report.html", &size);
    assert_non_null(strstr(report, "PPO-ptx"));
    tct_heap_free(report);

    run(p, instructgpt, "two", (const char *[]){"--threads", "2", NULL});
    same_models(p, "one", "two");
}

// Killed in the middle of PPO, then resumed from its last checkpoint.
static void test_resume(void **state) {
    place *p = *state;
    run(p, instructgpt, "whole", NULL);
    pid_t child = start(p, instructgpt, "resumed", (const char *[]){"--checkpoint-every", "0.001", NULL});
    const char *metrics = tct_path_join(&p->d.arena, p->folder, "resumed/metrics.jsonl");
    bool reached = false;
    for (int wait = 0; wait < 120000 && !reached && waitpid(child, NULL, WNOHANG) == 0; wait++) {
        usleep(1000);
        FILE *f = fopen(metrics, "r");
        char line[4096];
        while (f && !reached && fgets(line, sizeof line, f))
            reached = strstr(line, "\"stage\":\"ppo\"") != NULL;
        if (f) fclose(f);
    }
    assert_true(reached);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    run(p, instructgpt, "resumed", (const char *[]){"--resume", NULL});
    same_models(p, "whole", "resumed");
    json_t *whole = summary_of(p, "whole"), *resumed = summary_of(p, "resumed");
    assert_true(json_equal(whole, resumed));
    json_decref(whole);
    json_decref(resumed);
}

static void test_stories(void **state) {
    place *p = *state;
    if (access(SHARED "/stories260K/model.safetensors", R_OK) != 0) {
        print_message("SKIPPED: %s is not there\n", SHARED "/stories260K");
        skip();
    }
    run(p, stories, "stories", NULL);
    json_t *summary = summary_of(p, "stories");
    has_figures(summary, "rm", (const char *[]){"accuracy"}, 1);
    const char *const names[] = {"score", "score_sd", "win_rate_vs_sft", "kl"};
    has_figures(summary, "sft", names, 4);
    has_figures(summary, "ppo", names, 4);
    json_decref(summary);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_instructgpt, place_open, place_close),
        cmocka_unit_test_setup_teardown(test_resume, place_open, place_close),
        cmocka_unit_test_setup_teardown(test_stories, place_open, place_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
