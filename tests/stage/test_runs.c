// Runs of one program: interrupted anywhere and resumed, by stages, on any number of threads, with other
// instructions, with other values.
#include "tests/stage/pipeline.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define PROGRAM STAGE_FOLDER "/runs.tct"

// What a run leaves, but for times.
typedef struct outcome {
    char *metrics, *summary;
    tct_buf models;
} outcome;

static void without_times(char *text) {
    static const char key[] = "\"time\":";
    char *to = text;
    for (const char *from = text; *from;) {
        if (strncmp(from, key, sizeof key - 1) == 0) from = strchr(from, ',') + 1;
        *to++ = *from++;
    }
    *to = 0;
}

static void add_file(const char *path, tct_buf *out) {
    tct_diag d = {0};
    char *data;
    size_t len;
    if (tct_file_read(&d, path, &data, &len)) {
        tct_buf_add(out, data, len);
        tct_heap_free(data);
    }
    tct_diag_free(&d);
}

static outcome outcome_of(tct_arena *a, const char *out) {
    static const char *const models[] = {"first", "average", "third"};
    outcome o = {machine_read(a, out, "metrics.jsonl"), machine_read(a, out, "summary.json"), {0}};
    assert_non_null(o.metrics);
    without_times(o.metrics);
    for (int i = 0; i < 3; i++)
        add_file(tct_path_join(a, out, tct_arena_printf(a, "%s/model.safetensors", models[i])), &o.models);
    return o;
}

static void same_outcome(const outcome *a, const outcome *b) {
    assert_string_equal(a->metrics, b->metrics);
    assert_string_equal(a->summary, b->summary);
    assert_int_equal(a->models.len, b->models.len);
    assert_memory_equal(a->models.data, b->models.data, a->models.len);
}

static outcome run_once(tct_arena *a, pipeline_run r) {
    r.compile.file = PROGRAM;
    r.options.out = machine_folder(a);
    pipeline_succeeds(&r);
    outcome o = outcome_of(a, r.options.out);
    machine_remove_folder(r.options.out);
    return o;
}

static void threads_and_instructions(void **state) {
    (void)state;
    tct_arena a = {0};
    outcome one = run_once(&a, (pipeline_run){.options = {.threads = 1}});
    for (int threads = 2; threads <= 3; threads++) {
        outcome more = run_once(&a, (pipeline_run){.options = {.threads = threads}});
        same_outcome(&one, &more);
        tct_buf_free(&more.models);
    }
    outcome again = run_once(&a, (pipeline_run){.options = {.threads = 1}});
    same_outcome(&one, &again);
    outcome seeded = run_once(&a, (pipeline_run){.options = {.threads = 1, .seed = 7}});
    assert_string_not_equal(one.metrics, seeded.metrics);
    tct_buf_free(&one.models);
    tct_buf_free(&again.models);
    tct_buf_free(&seeded.models);
    tct_arena_free(&a);
}

// The last loss of the first stage, whose sums are in another order with wider vectors.
static double last_loss(const char *metrics) {
    double loss = 0;
    for (const char *p = metrics; (p = strstr(p, "\"loss\":")); p++) loss = strtod(p + 7, NULL);
    return loss;
}

static void instruction_sets(void **state) {
    (void)state;
    static const char *const names[] = {"avx2", "avx512"};
    tct_arena a = {0};
    double loss[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        pipeline_run r = {.compile = {.file = PROGRAM, .isa = names[i]},
                          .options = {.out = machine_folder(&a), .to_stage = "first"}};
        pipeline_go(&r);
        bool lacks = !r.ok && r.d.messages.len && strcmp(r.d.messages.data[0].code, "E0840") == 0;
        if (lacks) print_message("SKIPPED: no %s here\n", names[i]);
        if (!r.ok && !lacks) pipeline_print(&r);
        assert_true(r.ok || lacks);
        if (r.ok) loss[i] = last_loss(machine_read(&a, r.options.out, "metrics.jsonl"));
        tct_diag_free(&r.d);
        machine_remove_folder(r.options.out);
    }
    if (loss[0] != 0 && loss[1] != 0) assert_float_equal(loss[0], loss[1], 1e-4);
    tct_arena_free(&a);
}

// Sends SIGTERM to this process after a while, unless it is told to stop first.
typedef struct interrupter {
    long nanoseconds;
    pthread_t thread;
} interrupter;

static void *interrupt(void *context) {
    const interrupter *i = context;
    struct timespec t = {i->nanoseconds / 1000000000, i->nanoseconds % 1000000000};
    nanosleep(&t, NULL);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void drain(const sigset_t *set) {
    struct timespec at_once = {0, 0};
    while (sigtimedwait(set, NULL, &at_once) > 0) {
    }
}

static void resumed_from_anywhere(void **state) {
    (void)state;
    tct_arena a = {0};
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &before); // a signal that comes too late waits
    outcome whole = run_once(&a, (pipeline_run){0});
    int interruptions = 0;
    tct_diag d = {0};
    tct_compiled c = {0};
    tct_compile_request request = {.file = PROGRAM, .threads = 2};
    assert_true(tct_program_compile(&d, &request, &c));
    for (int attempt = 0; attempt < 6; attempt++) {
        const char *out = machine_folder(&a);
        bool done = false;
        for (int part = 0; !done; part++) {
            assert_true(part < 200);
            interrupter i = {.nanoseconds = 1000000L * (3 + (attempt * 7 + part * 3) % 17)};
            tct_run_options options = {.out = out,
                                       .threads = 1 + part % 2,
                                       .resume = part > 0,
                                       .checkpoint_seconds = part % 3 ? 0 : -1};
            assert_int_equal(pthread_create(&i.thread, NULL, interrupt, &i), 0);
            size_t errors = d.n_errors;
            done = tct_program_run(&d, &c.draft->program, &options);
            pthread_join(i.thread, NULL);
            drain(&set);
            const tct_message *last = done ? NULL : &d.messages.data[d.messages.len - 1];
            assert_true(done || (d.n_errors == errors + 1 && strcmp(last->code, "E0820") == 0));
            interruptions += !done;
        }
        outcome parts = outcome_of(&a, out);
        same_outcome(&whole, &parts);
        tct_buf_free(&parts.models);
        machine_remove_folder(out);
    }
    tct_compiled_free(&c);
    tct_diag_free(&d);
    print_message("%d interruptions\n", interruptions);
    assert_true(interruptions > 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    tct_buf_free(&whole.models);
    tct_arena_free(&a);
}

static void stage_by_stage(void **state) {
    (void)state;
    static const char *const stages[] = {"first", "second", "third"};
    tct_arena a = {0};
    outcome whole = run_once(&a, (pipeline_run){0});
    const char *out = machine_folder(&a);
    for (int i = 0; i < 3; i++) {
        pipeline_run r = {.compile = {.file = PROGRAM},
                          .options = {.out = out, .from_stage = stages[i], .to_stage = stages[i]}};
        pipeline_succeeds(&r);
    }
    outcome parts = outcome_of(&a, out);
    same_outcome(&whole, &parts);
    // From the middle again: what was there after it is replaced.
    pipeline_run second = {.compile = {.file = PROGRAM}, .options = {.out = out, .from_stage = "second"}};
    pipeline_succeeds(&second);
    tct_buf_free(&parts.models);
    parts = outcome_of(&a, out);
    same_outcome(&whole, &parts);
    pipeline_run unknown = {.compile = {.file = PROGRAM}, .options = {.out = out, .from_stage = "secnd"}};
    pipeline_go(&unknown);
    assert_false(unknown.ok);
    assert_string_equal(unknown.d.messages.data[0].code, "E0902");
    tct_diag_free(&unknown.d);
    tct_buf_free(&parts.models);
    tct_buf_free(&whole.models);
    machine_remove_folder(out);
    tct_arena_free(&a);
}

static void other_values(void **state) {
    (void)state;
    tct_arena a = {0};
    static const tct_setting sets[] = {
        {"steps", "2"}, {"ppo.lr", "0.5"}, {"ppo.note", "other"}, {"ppo.clip", "false"}};
    outcome usual = run_once(&a, (pipeline_run){0});
    outcome other = run_once(&a, (pipeline_run){.compile = {.sets = sets, .n_sets = 4}});
    assert_non_null(strstr(other.metrics, "\"note\":\"other\",\"clip\":false"));
    assert_null(strstr(other.metrics, "\"stage\":\"first\",\"step\":2,"));
    assert_non_null(strstr(usual.metrics, "\"stage\":\"first\",\"step\":5,"));
    static const struct {
        const char *name, *value, *code, *words;
    } wrong[] = {
        {"ppo.lrr", "0.1", "E0405", "`ppo.lrr`"},
        {"ppo.lr", "2", "E0403", "config.ppo.lr is from 0 to 1, found 2"},
        {"steps", "1.5", "E0402", "declared int"},
        {"steps", "0", "E0403", "from 1 to 1000"},
        {"ppo.clip", "maybe", "E0402", "declared bool"},
        {"ppo.lr", "nan", "E0402", "declared float"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tct_setting set = {wrong[i].name, wrong[i].value};
        pipeline_run r = {.compile = {.file = PROGRAM, .sets = &set, .n_sets = 1},
                          .options = {.out = "/nowhere"}};
        pipeline_go(&r);
        assert_false(r.ok);
        assert_string_equal(r.d.messages.data[0].code, wrong[i].code);
        assert_non_null(strstr(r.d.messages.data[0].text, wrong[i].words));
        tct_diag_free(&r.d);
    }
    tct_buf_free(&usual.models);
    tct_buf_free(&other.models);
    tct_arena_free(&a);
}

// A checkpoint belongs to a program with its values.
static void other_programs_are_refused(void **state) {
    (void)state;
    tct_arena a = {0};
    const char *out = machine_folder(&a);
    pipeline_run r = {.compile = {.file = PROGRAM}, .options = {.out = out, .to_stage = "first"}};
    pipeline_succeeds(&r);
    tct_setting set = {"ppo.lr", "0.5"};
    pipeline_run other = {.compile = {.file = PROGRAM, .sets = &set, .n_sets = 1},
                          .options = {.out = out, .resume = true}};
    pipeline_go(&other);
    assert_false(other.ok);
    assert_string_equal(other.d.messages.data[0].code, "E0831");
    tct_diag_free(&other.d);
    pipeline_run none = {.compile = {.file = PROGRAM},
                         .options = {.out = tct_path_join(&a, out, "empty"), .resume = true}};
    pipeline_go(&none);
    assert_false(none.ok);
    assert_string_equal(none.d.messages.data[0].code, "E0830");
    tct_diag_free(&none.d);
    machine_remove_folder(out);
    tct_arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_instructions),
        cmocka_unit_test(instruction_sets),
        cmocka_unit_test(resumed_from_anywhere),
        cmocka_unit_test(stage_by_stage),
        cmocka_unit_test(other_values),
        cmocka_unit_test(other_programs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
