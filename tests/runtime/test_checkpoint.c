// Checkpoints: interrupted anywhere and resumed, a run gives the same bits; what is not a checkpoint is
// refused.
#include "base/file.h"
#include "tests/support/machine.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmocka.h>

enum { STEPS = 6, WIDE = 40 };

// Operands: w v noise tokens lr | w v loss
static void train_kernel(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {
    (void)args, (void)begin, (void)end, (void)scratch;
    const float *noise = bufs[2], lr = *(const float *)bufs[4];
    const int32_t *tokens = bufs[3];
    float *w = bufs[5], *v = bufs[6], loss = 0;
    for (int i = 0; i < WIDE; i++) {
        float g = w[i] + noise[i % 3] * 0.01f + (float)(tokens[i % 16] % 7);
        loss += g * g;
        v[i] = 0.9f * v[i] + g;
        w[i] -= lr * v[i];
    }
    *(float *)bufs[7] = loss;
}

static void noise_kernel(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {
    (void)args, (void)begin, (void)end, (void)scratch;
    int64_t key;
    memcpy(&key, bufs[0], sizeof key);
    for (int i = 0; i < 3; i++) ((float *)bufs[1])[i] = (float)(key >> (8 * i) & 255) / 255;
}

static const char *const wide_axis[] = {"N"};
static const int64_t wide_size[] = {WIDE};
static const tct_model_param wide_params[] = {
    {.name = "w", .n_axes = 1, .axis = wide_axis, .size = wide_size, .init = TCT_INIT_NORMAL, .init_b = 1}};

static uint32_t number(machine *m, int64_t i) {
    uint32_t r = machine_reg(m, TCT_KIND_INT, NULL);
    machine_int(m, r, i);
    return r;
}
static uint32_t boolean(machine *m, bool b) {
    uint32_t r = machine_reg(m, TCT_KIND_BOOL, NULL);
    machine_bool(m, r, b);
    return r;
}
static uint32_t string(machine *m, const char *s) {
    uint32_t r = machine_reg(m, TCT_KIND_STRING, NULL);
    machine_string(m, r, s);
    return r;
}

// Two stages. Each step: a batch of text, noise of a fresh key, an update, a record, a line of metrics, and a
// safepoint before all of it. In step `stop_at` (counted over both stages) the process signals itself.
static void build(machine *m, int stop_at) {
    uint32_t model = machine_object(m, TCT_KIND_MODEL, 0, "model"),
             opt = machine_object(m, TCT_KIND_OPTIMIZER, 0, "opt"),
             tok = machine_reg(m, TCT_KIND_TOKENIZER, "tok"),
             data = machine_object(m, TCT_KIND_DATASET, TCT_DATA_TEXT, "d"),
             made = machine_object(m, TCT_KIND_DATASET, TCT_DATA_DEMONSTRATIONS, "made"),
             records = machine_reg(m, TCT_KIND_RECORDS, "records"),
             losses = machine_list(m, TCT_KIND_FLOAT, "losses"), i = machine_reg(m, TCT_KIND_INT, "i"),
             all = machine_reg(m, TCT_KIND_INT, "all"), more = machine_reg(m, TCT_KIND_BOOL, "more"),
             loss = machine_reg(m, TCT_KIND_FLOAT, "loss"), lr = machine_reg(m, TCT_KIND_FLOAT, "lr"),
             key = machine_reg(m, TCT_KIND_INT, "key"), noise = machine_tensor(m, TCT_F32, "M=3", "noise"),
             signal = machine_reg(m, TCT_KIND_INT, "signal"), hit = machine_reg(m, TCT_KIND_BOOL, NULL),
             ignored = machine_reg(m, TCT_KIND_INT, NULL);
    uint32_t batch[] = {machine_tensor(m, TCT_I32, "B=2 T=8", "tokens"),
                        machine_tensor(m, TCT_I32, "B=2 T=8", "target"),
                        machine_tensor(m, TCT_BOOL, "B=2 T=8", "mask")};
    static const uint32_t zero[] = {0};
    static const char *const state_names[] = {"v"};
    static const double inits[] = {0};
    uint32_t *models = TCT_NEW_ARRAY(&m->arena, uint32_t, 1);
    models[0] = model;
    TCT_PUSH(&m->models, (tct_model_desc){.type = "Wide", .n_params = 1, .params = wide_params});
    TCT_PUSH(&m->optimizers,
             (tct_optimizer_desc){"sgd", 1, 1, 1, models, zero, zero, state_names, inits, true});
    TCT_PUSH(&m->config,
             (tct_config_value){.name = "lr", .type = "float", .value = "0.01", .is_default = true});
    static uint32_t raise_args[1];
    raise_args[0] = signal;
    TCT_PUSH(&m->externs,
             (tct_extern){"raise", "libc.so.6", "raise", 1, raise_args, UINT32_MAX, NULL, tct_ffi_call});
    uint32_t make_noise =
        machine_add_plan(m, machine_plan(m, "noise", "key i64", "noise f32 M=3", noise_kernel));
    uint32_t train = machine_add_plan(
        m, machine_plan(m, "train", "w f32 N=40; v f32 N=40; noise f32 M=3; t i32 B=2 T=8; lr f32",
                        "w f32 N=40 @0; v f32 N=40 @1; loss f32", train_kernel));
    uint32_t zero_reg = number(m, 0), one = number(m, 1), steps = number(m, STEPS), eight = number(m, 8),
             two = number(m, 2), stop = number(m, 0), sigint = number(m, SIGINT), yes = boolean(m, true),
             no = boolean(m, false);
    TCT_PUSH(&m->tokenizers, (tct_tokenizer_desc){.vocab = 768, .bos = 0, .eos = 0, .pad = 1});
    MACHINE_CALL(m, TCT_BUILTIN_TOKENIZER, tok, string(m, "examples/instructgpt/data/tokenizer"));
    MACHINE_CALL(m, TCT_BUILTIN_RECORDS, records, tok);
    m->calls.data[m->calls.len - 1].n_args = 0;
    machine_emit(m, TCT_I_MODEL, model, 0, one, UINT32_MAX);
    machine_emit(m, TCT_I_OPTIMIZER, opt, 0, 0, 0);
    machine_emit(m, TCT_I_LIST, losses, 0, 0, 0);
    machine_float(m, lr, 0.01);
    machine_emit(m, TCT_I_MOVE, all, zero_reg, 0, 0);
    MACHINE_CALL(m, TCT_BUILTIN_TEXT, data, string(m, "examples/instructgpt/data/pretrain_heldout.jsonl.gz"),
                 tok, two, eight, one, yes, no, zero_reg, number(m, 20));
    for (int stage = 0; stage < 2; stage++) {
        machine_stage(m, stage ? "second" : "first", true);
        machine_emit(m, TCT_I_MOVE, i, zero_reg, 0, 0);
        uint32_t head = machine_emit(m, TCT_I_ILT, more, i, steps, 0);
        uint32_t leave = machine_emit(m, TCT_I_JUMP_IFNOT, 0, more, 0, 0);
        machine_emit(m, TCT_I_PROGRESS, 0, i, steps, 0);
        machine_int(m, stop, stop_at); // a constant of the program that runs, not a register that is restored
        machine_emit(m, TCT_I_IEQ, hit, all, stop, 0);
        machine_emit(m, TCT_I_MOVE, signal, zero_reg, 0, 0);
        uint32_t skip = machine_emit(m, TCT_I_JUMP_IFNOT, 0, hit, 0, 0);
        machine_emit(m, TCT_I_MOVE, signal, sigint, 0, 0);
        machine_patch(m, skip);
        machine_emit(m, TCT_I_EXTERN, 0, 0, 0, 0);
        machine_emit(m, TCT_I_SAFEPOINT, 0, 0, 0, 0);
        machine_call(m, TCT_BUILTIN_NEXT, 1, &data, 3, batch);
        machine_call(m, TCT_BUILTIN_KEY, 0, &key, 1, &key);
        machine_run(m, make_noise, &(tct_bind){TCT_BIND_REG, key, 0}, &(tct_bind){TCT_BIND_REG, noise, 0});
        machine_emit(m, TCT_I_STEP, 0, opt, 0, 0);
        machine_run(
            m, train,
            (tct_bind[]){{TCT_BIND_PARAM, model, 0},
                         {TCT_BIND_STATE, opt, 0},
                         {TCT_BIND_REG, noise, 0},
                         {TCT_BIND_REG, batch[0], 0},
                         {TCT_BIND_REG, lr, 0}},
            (tct_bind[]){{TCT_BIND_PARAM, model, 0}, {TCT_BIND_STATE, opt, 0}, {TCT_BIND_REG, loss, 0}});
        MACHINE_CALL(m, TCT_BUILTIN_APPEND, NO_REG, losses, loss);
        MACHINE_CALL(m, TCT_BUILTIN_ADD_DEMONSTRATION, NO_REG, records, string(m, "Say a word."),
                     string(m, "word"));
        machine_log(m, NULL, "loss key", (uint32_t[]){loss, key});
        machine_emit(m, TCT_I_IADD, i, i, one, 0);
        machine_emit(m, TCT_I_IADD, all, all, one, 0);
        machine_emit(m, TCT_I_JUMP, 0, head, 0, 0);
        machine_patch(m, leave);
        if (stage == 0) // the second stage has a data set of what the first one made
            MACHINE_CALL(m, TCT_BUILTIN_DEMONSTRATIONS_OF, made, records, tok, two, number(m, 16), zero_reg,
                         yes, no, zero_reg, zero_reg);
        machine_log(m, stage ? "second" : "first", "loss", &loss);
        machine_stage(m, stage ? "second" : "first", false);
    }
    MACHINE_CALL(m, TCT_BUILTIN_ROWS, ignored, made);
    machine_log(m, "rows", "made", &ignored);
    MACHINE_CALL(m, TCT_BUILTIN_SAVE, NO_REG, model, string(m, "model"), tok);
}

static bool go(const char *out, int stop_at, tct_run_options o, tct_diag *d) {
    machine m = {0};
    build(&m, stop_at);
    o.out = out;
    bool ok = tct_program_run(d, machine_done(&m), &o);
    machine_free(&m);
    return ok;
}

static void must(const char *out, int stop_at, tct_run_options o) {
    tct_diag d = {0};
    if (!go(out, stop_at, o, &d)) {
        tct_buf text = {0};
        tct_diag_render(&d, &text, false);
        fail_msg("%s", text.data);
    }
    tct_diag_free(&d);
}

// metrics.jsonl without its times.
static char *metrics(tct_arena *a, const char *out) {
    char *text = machine_read(a, out, "metrics.jsonl"), *to = text;
    assert_non_null(text);
    for (const char *from = text; *from;) {
        if (strncmp(from, "\"time\":", 7) == 0) from += 7 + strcspn(from + 7, ",");
        *to++ = *from++;
    }
    *to = 0;
    return text;
}

static void assert_same_run(const char *a, const char *b) {
    tct_arena scratch = {0};
    assert_string_equal(metrics(&scratch, a), metrics(&scratch, b));
    assert_string_equal(machine_read(&scratch, a, "summary.json"), machine_read(&scratch, b, "summary.json"));
    tct_diag d = {0};
    char *x, *y;
    size_t nx, ny;
    assert_true(tct_file_read(&d, tct_path_join(&scratch, a, "model/model.safetensors"), &x, &nx));
    assert_true(tct_file_read(&d, tct_path_join(&scratch, b, "model/model.safetensors"), &y, &ny));
    assert_int_equal(nx, ny);
    assert_memory_equal(x, y, nx);
    tct_heap_free(x);
    tct_heap_free(y);
    tct_arena_free(&scratch);
}

typedef struct folders {
    tct_arena arena;
    const char *whole, *parts;
} folders;

static int make_folders(void **state) {
    folders *f = tct_alloc(sizeof *f);
    f->whole = machine_folder(&f->arena);
    f->parts = machine_folder(&f->arena);
    *state = f;
    return f->whole && f->parts ? 0 : -1;
}

static int remove_folders(void **state) {
    folders *f = *state;
    machine_remove_folder(f->whole);
    machine_remove_folder(f->parts);
    tct_arena_free(&f->arena);
    free(f);
    return 0;
}

static const tct_run_options plain = {.threads = 1};

static void resumed_from_every_safepoint_it_is_the_same_run(void **state) {
    folders *f = *state;
    must(f->whole, -1, plain);
    for (int stop = 0; stop < 2 * STEPS; stop++) {
        tct_diag d = {0};
        assert_false(go(f->parts, stop, plain, &d));
        assert_int_equal(d.n_errors, 1);
        assert_string_equal(d.messages.data[0].code, "E0820");
        tct_diag_free(&d);
        tct_run_options o = plain;
        o.resume = true;
        o.threads = 2;
        must(f->parts, -1, o);
        assert_same_run(f->whole, f->parts);
    }
}

static void interrupted_at_every_step_in_turn_too(void **state) {
    folders *f = *state;
    must(f->whole, -1, plain);
    for (int stop = 0; stop < 2 * STEPS; stop++) {
        tct_diag d = {0};
        tct_run_options o = plain;
        o.resume = stop > 0;
        assert_false(go(f->parts, stop, o, &d));
        tct_diag_free(&d);
    }
    tct_run_options o = plain;
    o.resume = true;
    must(f->parts, -1, o);
    assert_same_run(f->whole, f->parts);
}

static void killed_at_any_moment_it_can_be_resumed(void **state) {
    folders *f = *state;
    must(f->whole, -1, plain);
    tct_run_options o = plain;
    o.checkpoint_seconds = -1;
    const char *manifest = tct_path_join(&f->arena, f->parts, "checkpoint/manifest.json");
    for (int round = 0; round < 12; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            tct_diag d = {0};
            tct_run_options again = o;
            again.resume = round > 0;
            if (!freopen("/dev/null", "w", stdout)) _exit(2);
            bool ok = go(f->parts, -1, again, &d);
            _exit(ok ? 0 : 1);
        }
        // The first round leaves a checkpoint, later ones are killed while they load, run and save.
        for (int wait = 0; round == 0 && wait < 10000 && access(manifest, F_OK) != 0; wait++) usleep(1000);
        usleep(round == 0 ? 0 : 3000 + (useconds_t)round * 4100);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    }
    o.resume = true;
    must(f->parts, -1, o);
    assert_same_run(f->whole, f->parts);
}

static void stages_can_be_run_one_by_one(void **state) {
    folders *f = *state;
    must(f->whole, -1, plain);
    tct_run_options o = plain;
    o.to_stage = "first";
    must(f->parts, -1, o);
    tct_arena scratch = {0};
    assert_null(strstr(metrics(&scratch, f->parts), "second"));
    o = (tct_run_options){.threads = 1, .from_stage = "second"};
    must(f->parts, -1, o);
    assert_same_run(f->whole, f->parts);
    must(f->parts, -1, o); // again from the same checkpoint
    assert_same_run(f->whole, f->parts);
    tct_arena_free(&scratch);
    tct_diag d = {0};
    o.from_stage = "secnd";
    assert_false(go(f->parts, -1, o, &d));
    assert_non_null(strstr(d.messages.data[0].help, "second"));
    tct_diag_free(&d);
}

// Resuming `f->parts` fails with `code`; the message holds `words`.
static void refuse(folders *f, tct_run_options o, uint64_t hash, const char *code, const char *words) {
    machine m = {0};
    tct_diag d = {0};
    build(&m, -1);
    tct_program *p = machine_done(&m);
    if (hash) {
        p->hash = hash;
        m.config.data[0].value = "0.02";
    }
    o.out = f->parts;
    o.resume = true;
    assert_false(tct_program_run(&d, p, &o));
    tct_buf text = {0};
    tct_diag_render(&d, &text, false);
    if (strcmp(d.messages.data[0].code, code) != 0 || !strstr(text.data, words)) fail_msg("%s", text.data);
    tct_buf_free(&text);
    tct_diag_free(&d);
    machine_free(&m);
}

static void interrupt(folders *f, int at) {
    tct_diag d = {0};
    assert_false(go(f->parts, at, plain, &d));
    tct_diag_free(&d);
}

static void another_program_is_told_apart(void **state) {
    folders *f = *state;
    refuse(f, plain, 0, "E0830", "there is no checkpoint");
    interrupt(f, 8);
    refuse(f, plain, 0x99, "E0831", "another program");
    refuse(f, plain, 0x99, "E0831", "lr was 0.01, is 0.02");
    refuse(f, plain, 0x1234, "E0831", "lr was 0.01, is 0.02");
    refuse(f, plain, 0x1234, "E0831", "other config values");
    tct_run_options o = plain;
    o.seed = 5;
    refuse(f, o, 0, "E0831", "--seed 0");
}

static void overwrite(folders *f, const char *name, const void *data, size_t len) {
    tct_diag d = {0};
    assert_true(tct_file_write(&d, tct_path_join(&f->arena, f->parts, name), data, len));
}

static void metrics_that_lost_lines_are_refused(void **state) {
    folders *f = *state;
    interrupt(f, 8);
    overwrite(f, "metrics.jsonl", "", 0);
    refuse(f, plain, 0, "E0830", "lines are missing");
}

static void damaged_files_are_refused(void **state) {
    folders *f = *state;
    interrupt(f, 8);
    static const char *const names[] = {"checkpoint/machine.json", "checkpoint/tensors.safetensors",
                                        "checkpoint/manifest.json"};
    for (int i = 0; i < 3; i++) {
        tct_diag d = {0};
        char *text;
        size_t len;
        assert_true(tct_file_read(&d, tct_path_join(&f->arena, f->parts, names[i]), &text, &len));
        for (size_t cut = 0; cut < len; cut += len / 7 + 1) {
            overwrite(f, names[i], text, cut);
            refuse(f, plain, 0, "E0830", "");
        }
        for (size_t at = 0; i < 2 && at < len; at += len / 11 + 1) {
            text[at] ^= 4;
            overwrite(f, names[i], text, len);
            refuse(f, plain, 0, "E0830", "is not what was written");
            text[at] ^= 4;
        }
        overwrite(f, names[i], text, len);
        assert_int_equal(unlink(tct_path_join(&f->arena, f->parts, names[i])), 0);
        refuse(f, plain, 0, "E0830", i < 2 ? "is missing" : "there is no checkpoint");
        overwrite(f, names[i], text, len);
        tct_heap_free(text);
    }
    tct_run_options o = plain;
    o.resume = true;
    must(f->parts, -1, o); // put back, it is whole again
}

// Writes machine.json and the manifest that belongs to it.
static void forge(folders *f, json_t *was) {
    char *text = json_dumps(was, JSON_ENCODE_ANY), hash[17];
    overwrite(f, "checkpoint/machine.json", text, strlen(text));
    json_t *manifest = json_loads(machine_read(&f->arena, f->parts, "checkpoint/manifest.json"), 0, NULL);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)XXH3_64bits(text, strlen(text)));
    json_t *file = json_object_get(json_object_get(manifest, "files"), "machine.json");
    json_object_set_new(file, "xxh3", json_string(hash));
    json_object_set_new(file, "bytes", json_integer((json_int_t)strlen(text)));
    char *whole = json_dumps(manifest, 0);
    overwrite(f, "checkpoint/manifest.json", whole, strlen(whole));
    free(text);
    free(whole);
    json_decref(manifest);
}

// Changes the n-th value of a document, counted in depth first order, to number `kind` of some others.
static bool mutate(json_t *node, int *n, int kind) {
    size_t i;
    const char *key;
    json_t *child;
    void *tmp;
#define OTHER                                                                                                \
    (kind == 0   ? json_null()                                                                               \
     : kind == 1 ? json_integer(-7)                                                                          \
     : kind == 2 ? json_string("x")                                                                          \
     : kind == 3 ? json_array()                                                                              \
     : kind == 4 ? json_integer(1 << 30)                                                                     \
                 : json_pack("{s:n}", "nothing"))
    if (json_is_object(node)) {
        json_object_foreach_safe(node, tmp, key, child) {
            if ((*n)-- == 0) return json_object_set_new(node, key, OTHER) == 0;
            if (mutate(child, n, kind)) return true;
        }
    } else if (json_is_array(node)) {
        json_array_foreach(node, i, child) {
            if ((*n)-- == 0) return json_array_set_new(node, i, OTHER) == 0;
            if (mutate(child, n, kind)) return true;
        }
    }
    return false;
}

static void forged_checkpoints_do_no_harm(void **state) {
    folders *f = *state;
    interrupt(f, 8);
    json_t *was = json_loads(machine_read(&f->arena, f->parts, "checkpoint/machine.json"), 0, NULL);
    char *lines = machine_read(&f->arena, f->parts, "metrics.jsonl");
    int refused = 0, accepted = 0;
    for (int n = 0;; n++) {
        json_t *forged = json_deep_copy(was);
        int count = n;
        bool changed = mutate(forged, &count, n % 6);
        if (changed) {
            forge(f, forged);
            overwrite(f, "metrics.jsonl", lines, strlen(lines));
            tct_diag d = {0};
            tct_run_options o = plain;
            o.resume = true;
            o.to_stage = "first"; // from the second stage on nothing is left: it ends at the next stage's end
            if (go(f->parts, -1, o, &d))
                accepted++;
            else
                refused++;
            tct_diag_free(&d);
        }
        json_decref(forged);
        if (!changed) break;
    }
    json_decref(was);
    assert_true(refused > 60);
    assert_true(accepted < refused);
}

int main(void) {
#define WITH_FOLDERS(test) cmocka_unit_test_setup_teardown(test, make_folders, remove_folders)
    const struct CMUnitTest tests[] = {
        WITH_FOLDERS(resumed_from_every_safepoint_it_is_the_same_run),
        WITH_FOLDERS(interrupted_at_every_step_in_turn_too),
        WITH_FOLDERS(killed_at_any_moment_it_can_be_resumed),
        WITH_FOLDERS(stages_can_be_run_one_by_one),
        WITH_FOLDERS(another_program_is_told_apart),
        WITH_FOLDERS(metrics_that_lost_lines_are_refused),
        WITH_FOLDERS(damaged_files_are_refused),
        WITH_FOLDERS(forged_checkpoints_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
