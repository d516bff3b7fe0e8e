// Traces: what is in the file, that slices lie within each other, that sums agree with the file, and that
// files which are full, or can't be written, cost the run nothing. No time decides a test, but for order.
#include "runtime/trace.h"
#include "tests/support/machine.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { N = 64, TRIPS = 3, RUNS = 4 };

static void scale(void *const *bufs, const int64_t *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const float *x = bufs[0];
    float *y = bufs[1];
    for (int64_t i = begin; i < end; i++) y[i] = x[i] * (float)args[0];
}

// x -> scale -> scan over T of a body that scales twice -> y
static const char *const axis[] = {"T"};
static const int64_t one[] = {1}, all[] = {N};
static const tct_plan_port body_in[] = {
    {.name = "x", .dtype = TCT_F32, .n_axes = 1, .axis = axis, .size = one, .bytes = 4, .alias = -1}};
static const tct_plan_port port[] = {
    {.name = "x", .dtype = TCT_F32, .n_axes = 1, .axis = axis, .size = all, .bytes = 4 * N, .alias = -1}};
static tct_plan_kernel kernels[] = {{"scale", (void *)scale}};
static const int64_t args[] = {2};
static const uint32_t chain[] = {0, 1, 1, 2, 3};
static const tct_plan_buffer body_buffers[] = {
    {.place = TCT_PLACE_INPUT, .bytes = 4},
    {.place = TCT_PLACE_ARENA, .bytes = 4},
    {.place = TCT_PLACE_OUTPUT, .bytes = 4},
};
#define SCALE(name, from, tasks)                                                                             \
    {.kind = TCT_STEP_KERNEL,                                                                                \
     .operand = (from),                                                                                      \
     .n_operands = 2,                                                                                        \
     .n_args = 1,                                                                                            \
     .n_tasks = (tasks),                                                                                     \
     .label = (name),                                                                                        \
     .flops = (tasks),                                                                                       \
     .bytes = 8 * (tasks)}
static const tct_step body_steps[] = {SCALE("inner", 0, 1), SCALE("inner", 2, 1)};
static const tct_plan body = {.name = "body",
                              .n_inputs = 1,
                              .n_outputs = 1,
                              .n_buffers = 3,
                              .n_steps = 2,
                              .n_kernels = 1,
                              .n_operands = 4,
                              .n_args = 1,
                              .inputs = body_in,
                              .outputs = body_in,
                              .buffers = body_buffers,
                              .steps = body_steps,
                              .kernels = kernels,
                              .operands = chain,
                              .args = args,
                              .arena_bytes = 64};
static const int64_t stride[] = {4, 4};
static const int64_t trips[] = {TRIPS};
static const tct_plan_scan scans[] = {
    {.body = &body, .trips = TRIPS, .n_axes = 1, .size = trips, .n_in = 1, .n_out = 1, .stride = stride}};
static const tct_plan_buffer buffers[] = {
    {.place = TCT_PLACE_INPUT, .bytes = 4 * N},
    {.place = TCT_PLACE_ARENA, .bytes = 4 * N},
    {.place = TCT_PLACE_OUTPUT, .bytes = 4 * N},
    {.place = TCT_PLACE_ARENA, .offset = 4 * N, .bytes = 64},
};
static const tct_step steps[] = {
    SCALE("outer", 0, N),
    {.kind = TCT_STEP_SCAN, .operand = 2, .n_operands = 3, .label = "scan", .span = {1, 4, 5}},
};
static const tct_plan plan = {.name = "a \"plan\"",
                              .n_inputs = 1,
                              .n_outputs = 1,
                              .n_buffers = 4,
                              .n_steps = 2,
                              .n_kernels = 1,
                              .n_operands = 5,
                              .n_args = 1,
                              .n_scans = 1,
                              .inputs = port,
                              .outputs = port,
                              .buffers = buffers,
                              .steps = steps,
                              .kernels = kernels,
                              .operands = chain,
                              .args = args,
                              .scans = scans,
                              .arena_bytes = 4 * N + 64};

static void run_plan(tct_diag *d, tct_pool *pool, tct_trace *t) {
    float x[N], y[N];
    _Alignas(64) unsigned char arena[4 * N + 64];
    for (int i = 0; i < N; i++) x[i] = (float)i;
    assert_true(tct_plan_run(d, &plan, pool, (void *[]){x}, (void *[]){y}, arena, t));
    for (int i = 0; i < TRIPS; i++) assert_float_equal(y[i], 8 * i, 0);
}

static json_t *load(const char *folder, const char *name) {
    tct_arena a = {0};
    char *text = machine_read(&a, folder, name);
    assert_non_null(text);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root) fail_msg("%s:%d: %s", name, error.line, error.text);
    tct_arena_free(&a);
    return root;
}

static const char *text_of(const json_t *event, const char *key) {
    return json_string_value(json_object_get(event, key));
}

static int count(const json_t *root, const char *category) {
    int n = 0;
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        const char *found = text_of(e, "cat");
        n += found && strcmp(found, category) == 0;
    }
    return n;
}

static int64_t nanoseconds(const json_t *event, const char *key) {
    const json_t *v = json_object_get(event, key);
    assert_true(json_is_number(v));
    return llround(json_number_value(v) * 1000);
}

typedef struct slice {
    int64_t begin, end;
    const char *name, *category;
} slice;

static int by_begin(const void *a, const void *b) {
    const slice *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end > y->end ? -1 : x->end < y->end;
}

// Slices of one track, outermost first. Any two lie within each other or apart.
static size_t track(const json_t *root, int tid, slice *out, size_t room) {
    size_t n = 0, i;
    json_t *e;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        if (strcmp(text_of(e, "ph"), "X") != 0 || json_integer_value(json_object_get(e, "tid")) != tid)
            continue;
        assert_true(n < room);
        int64_t begin = nanoseconds(e, "ts"), took = nanoseconds(e, "dur");
        assert_true(begin >= 0 && took >= 0);
        out[n++] = (slice){begin, begin + took, text_of(e, "name"), text_of(e, "cat")};
    }
    qsort(out, n, sizeof *out, by_begin);
    slice open[32];
    int depth = 0;
    for (i = 0; i < n; i++) {
        while (depth && open[depth - 1].end <= out[i].begin) depth--;
        if (depth && out[i].end > open[depth - 1].end)
            fail_msg("%s leaves %s", out[i].name, open[depth - 1].name);
        assert_true(depth < 32);
        open[depth++] = out[i];
    }
    return n;
}

typedef struct place {
    tct_diag d;
    const char *folder, *path;
    tct_pool *pool;
} place;

static int setup(void **state) {
    place *p = tct_alloc(sizeof *p);
    p->folder = machine_folder(&p->d.arena);
    p->path = tct_arena_printf(&p->d.arena, "%s/trace.json", p->folder);
    p->pool = tct_pool_new(2);
    tct_diag_add_source(&p->d, "source.tct", "\n\n  scan\n", 9);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    place *p = *state;
    tct_pool_free(p->pool);
    machine_remove_folder(p->folder);
    tct_diag_free(&p->d);
    free(p);
    return 0;
}

static int files_in(const char *folder) {
    DIR *d = opendir(folder);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void holds_what_ran(void **state) {
    place *p = *state;
    tct_trace *t = tct_trace_open(&p->d, p->pool, p->path, 0);
    assert_non_null(t);
    assert_null(tct_trace_sums(t, &plan));
    tct_trace_mark stage = tct_trace_begin(t);
    for (int i = 0; i < RUNS; i++) {
        tct_trace_mark step = tct_trace_begin(t);
        run_plan(&p->d, p->pool, t);
        tct_trace_end(t, step, TCT_TRACE_STEP, "step", TCT_NO_SPAN);
    }
    tct_trace_end(t, stage, TCT_TRACE_STAGE, "sft", (tct_span){1, 4, 5});

    const tct_trace_sum *outer = tct_trace_sums(t, &plan), *inner = tct_trace_sums(t, &body);
    assert_int_equal(outer[0].calls, RUNS);
    assert_int_equal(outer[1].calls, RUNS);
    assert_int_equal(inner[0].calls, RUNS * TRIPS);
    double within = inner[0].seconds + inner[1].seconds;
    assert_float_equal(outer[0].own, outer[0].seconds, 0);
    assert_float_equal(outer[1].own, outer[1].seconds - within, 1e-9);
    assert_true(outer[1].own >= 0 && within > 0);
    double sums = within + outer[0].seconds;

    tct_buf table = {0};
    tct_trace_table(t, 2, &table);
    assert_non_null(strstr(table.data, "the 2 most expensive of 3 kernels, "));
    tct_trace_table(t, 10, &table);
    assert_non_null(strstr(table.data, "\n3 kernels, "));
    assert_non_null(strstr(table.data, "  scan of 3 at source.tct:3:3\n"));
    assert_non_null(strstr(table.data, "peak of 2 threads: "));
    tct_buf_free(&table);
    assert_true(tct_trace_close(&p->d, t));
    assert_int_equal(files_in(p->folder), 1);

    json_t *root = load(p->folder, "trace.json");
    assert_int_equal(count(root, "kernel"), RUNS * (1 + 2 * TRIPS));
    assert_int_equal(count(root, "scan"), RUNS);
    assert_int_equal(count(root, "plan"), RUNS * (1 + TRIPS));
    assert_int_equal(count(root, "step"), RUNS);
    assert_int_equal(count(root, "stage"), 1);
    slice slices[256];
    size_t n = track(root, 0, slices, 256);
    assert_string_equal(slices[0].category, "stage");
    double kernels_took = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(slices[i].end <= slices[0].end);
        if (strcmp(slices[i].category, "kernel") == 0)
            kernels_took += 1e-9 * (double)(slices[i].end - slices[i].begin);
    }
    assert_float_equal(kernels_took, sums, 1e-9);
    track(root, 1, slices, 256);
    const json_t *other = json_object_get(root, "otherData");
    assert_int_equal(json_integer_value(json_object_get(other, "left_out")), 0);
    json_decref(root);
}

static void tells_about_kernels(void **state) {
    place *p = *state;
    tct_trace *t = tct_trace_open(&p->d, p->pool, p->path, 0);
    run_plan(&p->d, p->pool, t);
    assert_true(tct_trace_close(&p->d, t));
    json_t *root = load(p->folder, "trace.json"), *e;
    size_t i;
    bool outer = false, scan = false;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        const char *name = text_of(e, "name");
        const json_t *a = json_object_get(e, "args");
        if (strcmp(name, "outer") == 0 && strcmp(text_of(e, "cat"), "kernel") == 0) {
            outer = true;
            assert_int_equal(json_integer_value(json_object_get(a, "flops")), N);
            assert_int_equal(json_integer_value(json_object_get(a, "bytes")), 8 * N);
            assert_int_equal(json_integer_value(json_object_get(a, "step")), 0);
            assert_string_equal(text_of(a, "plan"), "a \"plan\"");
        }
        if (strcmp(name, "scan of 3") == 0) {
            scan = true;
            assert_string_equal(text_of(a, "source"), "source.tct:3:3");
        }
    }
    assert_true(outer && scan);
    json_decref(root);
}

// Only stages, and what was open at that moment, follow once it is full; sums go on.
static void stops_at_the_limit(void **state) {
    place *p = *state;
    enum { LIMIT = 4096, MANY = 100 };
    tct_trace *t = tct_trace_open(&p->d, p->pool, p->path, LIMIT);
    for (int s = 0; s < 2; s++) {
        tct_trace_mark stage = tct_trace_begin(t);
        for (int i = 0; i < MANY; i++) run_plan(&p->d, p->pool, t);
        tct_trace_end(t, stage, TCT_TRACE_STAGE, s ? "second" : "first", TCT_NO_SPAN);
    }
    assert_int_equal(tct_trace_sums(t, &plan)[0].calls, 2 * MANY);
    tct_buf table = {0};
    tct_trace_table(t, 10, &table);
    assert_non_null(strstr(table.data, "--trace-limit takes more"));
    tct_buf_free(&table);
    assert_true(tct_trace_close(&p->d, t));
    json_t *root = load(p->folder, "trace.json");
    assert_in_range(count(root, "kernel"), 1, MANY);
    assert_int_equal(count(root, "stage"), 2);
    assert_true(json_integer_value(json_object_get(json_object_get(root, "otherData"), "left_out")) > MANY);
    assert_true(strlen(machine_read(&p->d.arena, p->folder, "trace.json")) < LIMIT + 1500);
    slice slices[256];
    track(root, 0, slices, 256);
    json_decref(root);
}

static void without_a_file(void **state) {
    place *p = *state;
    tct_trace *t = tct_trace_open(&p->d, p->pool, NULL, 0);
    run_plan(&p->d, p->pool, t);
    assert_int_equal(tct_trace_sums(t, &body)[1].calls, TRIPS);
    assert_true(tct_trace_close(&p->d, t));
    assert_int_equal(files_in(p->folder), 0);
    assert_true(tct_trace_close(&p->d, NULL));
}

static void refuses_what_cannot_be_written(void **state) {
    place *p = *state;
    const char *const paths[] = {tct_arena_printf(&p->d.arena, "%s/no/trace.json", p->folder), p->folder,
                                 "/dev/null"};
    for (int i = 0; i < 3; i++) {
        size_t before = p->d.messages.len;
        assert_null(tct_trace_open(&p->d, p->pool, paths[i], 0));
        assert_int_equal(p->d.messages.len, before + 1);
        assert_string_equal(p->d.messages.data[before].code, "E0702");
    }
    assert_int_equal(files_in(p->folder), 0);
}

// A limit of the system on the size of files stands for a disk that is full.
static void survives_a_full_disk(void **state) {
    place *p = *state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){3000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    tct_trace *t = tct_trace_open(&p->d, p->pool, p->path, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 300; i++) run_plan(&p->d, p->pool, t);
    assert_int_equal(tct_trace_sums(t, &plan)[0].calls, 300);
    assert_int_equal(p->d.n_errors, 0);
    assert_false(tct_trace_close(&p->d, t));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(p->d.n_errors, 1);
    assert_string_equal(p->d.messages.data[0].code, "E0702");
    assert_non_null(strstr(p->d.messages.data[0].text, "the trace is lost: "));
    assert_int_equal(files_in(p->folder), 0);
}

// A program of one stage whose loop runs a plan.
static tct_program *looping(machine *m) {
    uint32_t x = machine_tensor(m, TCT_F32, "N=1", "x"), i = machine_reg(m, TCT_KIND_INT, "i"),
             n = machine_reg(m, TCT_KIND_INT, "n"), by = machine_reg(m, TCT_KIND_INT, "by"),
             more = machine_reg(m, TCT_KIND_BOOL, "more");
    machine_stage(m, "train", true);
    machine_int(m, i, 0);
    machine_int(m, n, RUNS);
    machine_int(m, by, 1);
    uint32_t list = machine_list(m, TCT_KIND_FLOAT, "list"), f = machine_reg(m, TCT_KIND_FLOAT, "f");
    machine_emit(m, TCT_I_LIST, list, 0, 0, 0);
    machine_float(m, f, 3);
    MACHINE_CALL(m, TCT_BUILTIN_APPEND, NO_REG, list, f);
    MACHINE_CALL(m, TCT_BUILTIN_TENSOR, x, list);
    uint32_t p = machine_add_plan(m, machine_plan(m, "scale", "x f32 N=1", "y f32 N=1", scale));
    uint32_t head = machine_emit(m, TCT_I_PROGRESS, 0, i, n, 0);
    machine_emit(m, TCT_I_ILT, more, i, n, 0);
    uint32_t leave = machine_emit(m, TCT_I_JUMP_IFNOT, 0, more, 0, 0);
    machine_run(m, p, &(tct_bind){.kind = TCT_BIND_REG, .reg = x},
                &(tct_bind){.kind = TCT_BIND_REG, .reg = x});
    machine_emit(m, TCT_I_IADD, i, i, by, 0);
    machine_emit(m, TCT_I_JUMP, 0, head, 0, 0);
    machine_patch(m, leave);
    machine_stage(m, "train", false);
    return machine_done(m);
}

static void programs_are_traced(void **state) {
    place *p = *state;
    machine m = {0};
    tct_program *program = looping(&m);
    const char *out = tct_arena_printf(&p->d.arena, "%s/run", p->folder);
    tct_run_options o = {.out = out, .threads = 2, .trace = p->path};
    assert_true(tct_program_run(&p->d, program, &o));
    json_t *root = load(p->folder, "trace.json");
    assert_int_equal(count(root, "stage"), 1);
    assert_int_equal(count(root, "step"), RUNS);
    assert_int_equal(count(root, "plan"), RUNS);
    slice slices[256];
    size_t n = track(root, 0, slices, 256), next = 0;
    static const char *const names[RUNS] = {"step 0", "step 1", "step 2", "step 3"};
    for (size_t i = 0; i < n; i++)
        if (strcmp(slices[i].category, "step") == 0) assert_string_equal(slices[i].name, names[next++]);
    json_decref(root);

    // A trace that can't be written stops the run before it has changed anything.
    char *metrics = machine_read(&p->d.arena, out, "summary.json");
    assert_non_null(metrics);
    o.trace = p->folder;
    assert_false(tct_program_run(&p->d, program, &o));
    assert_string_equal(p->d.messages.data[0].code, "E0702");
    assert_string_equal(machine_read(&p->d.arena, out, "summary.json"), metrics);
    machine_free(&m);
}

static void limits_bound(void **state) {
    (void)state;
    tct_peak peak = {.f32 = 100, .f64 = 50, .memory = 10, .cache = 40, .cache_bytes = 1000};
    tct_limit limit;
    assert_float_equal(tct_peak_seconds(&peak, TCT_F32, 1000, 80, &limit), 10, 0);
    assert_int_equal(limit, TCT_LIMIT_COMPUTE);
    assert_float_equal(tct_peak_seconds(&peak, TCT_F64, 1000, 80, &limit), 20, 0);
    assert_float_equal(tct_peak_seconds(&peak, TCT_F32, 1000, 800, &limit), 20, 0);
    assert_int_equal(limit, TCT_LIMIT_CACHE);
    assert_float_equal(tct_peak_seconds(&peak, TCT_F32, 1000, 2000, &limit), 200, 0);
    assert_int_equal(limit, TCT_LIMIT_MEMORY);
}

static void machines_have_a_peak(void **state) {
    place *p = *state;
    for (int isa = TCT_ISA_BASE; isa <= (int)tct_isa_host(); isa++) {
        tct_peak peak;
        assert_true(tct_peak_measure(&p->d, p->pool, (tct_isa)isa, &peak));
        assert_true(peak.f32 > 0 && peak.f64 > 0 && peak.memory > 0 && peak.cache > 0 &&
                    peak.cache_bytes > 0);
    }
}

// In MB: the triad alone, reading alone, both, and more written than the triad writes.
static void memory_has_a_rate(void **state) {
    place *p = *state;
    static const uint64_t moves[][2] = {{2, 1}, {3, 0}, {5, 1}, {0, 4}};
    void *memory = tct_try_alloc(6 << 20, 64);
    assert_non_null(memory);
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        double rate =
            tct_peak_memory_rate(p->pool, tct_isa_host(), memory, moves[i][0] << 20, moves[i][1] << 20);
        assert_true(rate > 0 && rate < 1e13);
    }
    free(memory);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(holds_what_ran),
        TEST(tells_about_kernels),
        TEST(stops_at_the_limit),
        TEST(without_a_file),
        TEST(refuses_what_cannot_be_written),
        TEST(survives_a_full_disk),
        TEST(programs_are_traced),
        TEST(machines_have_a_peak),
        TEST(memory_has_a_rate),
        cmocka_unit_test(limits_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
