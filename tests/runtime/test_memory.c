// What a program takes is compared with what there is, before anything is taken.
#include "runtime/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static const int64_t sizes[] = {1000, 10};
static const tct_model_param params[] = {{.dtype = TCT_F32, .n_axes = 2, .size = sizes},
                                         {.dtype = TCT_BF16, .n_axes = 1, .size = sizes}};
static const tct_model_desc models[] = {{.n_params = 2, .params = params}};
static const uint32_t of[] = {0, 0}, which[] = {0, 1}, reg = 0;
static const tct_optimizer_desc optimizers[] = {{.n_models = 1,
                                                 .n_params = 2,
                                                 .n_states = 2,
                                                 .models = &reg,
                                                 .param_model = of,
                                                 .param_index = which,
                                                 .accumulates = true}};
static const tct_reg_type regs[] = {{.kind = TCT_KIND_MODEL}, {.kind = TCT_KIND_OPTIMIZER}};
static const tct_instr instrs[] = {{.op = TCT_I_MODEL}, {.op = TCT_I_OPTIMIZER, .dst = 1}, {.op = TCT_I_END}};

static tct_program program(const tct_plan *const *plans) {
    return (tct_program){.name = "p",
                         .n_regs = 2,
                         .regs = regs,
                         .n_instrs = 3,
                         .instrs = instrs,
                         .n_models = 1,
                         .models = models,
                         .n_optimizers = 1,
                         .optimizers = optimizers,
                         .n_plans = 1,
                         .plans = plans};
}

static void sums(void **state) {
    (void)state;
    tct_plan plan = {.name = "step", .arena_bytes = 4096};
    const tct_plan *plans[] = {&plan};
    tct_program p = program(plans);
    tct_memory_need n = tct_memory_needed(&p);
    assert_int_equal(n.models, 40000 + 2000);
    assert_int_equal(n.optimizers, 2 * (40000 + 4000) + 42000);
    assert_int_equal(n.arena, 4096);
    assert_string_equal(n.plan, "step");
    assert_int_equal(tct_memory_total(&n), n.models + n.optimizers + 4096);
}

static void told(void **state) {
    (void)state;
    tct_diag d = {.max_errors = 20};
    tct_plan plan = {.name = "step", .arena_bytes = 4096};
    const tct_plan *plans[] = {&plan};
    tct_program p = program(plans);
    assert_true(tct_memory_check(&d, &p, false));
    assert_int_equal(d.messages.len, 0);
    plan.arena_bytes = (uint64_t)1 << 60;
    assert_false(tct_memory_check(&d, &p, false));
    assert_string_equal(d.messages.data[0].code, "E0849");
    tct_diag_free(&d);
}

// What a batch takes is known for one size of it, and what fits follows.
static void fitting(void **state) {
    (void)state;
    static const char *const axis[] = {"B", "T"};
    static const int64_t size[] = {8, 64};
    static const tct_plan_port ports[] = {
        {.name = "w", .n_axes = 1, .axis = axis + 1, .size = size + 1, .bytes = 1000},
        {.name = "key", .bytes = 8},
        {.name = "tokens", .n_axes = 2, .axis = axis, .size = size, .bytes = 2048}};
    static const tct_bind binds[] = {
        {.kind = TCT_BIND_PARAM}, {.kind = TCT_BIND_REG}, {.kind = TCT_BIND_REG}};
    static const tct_run runs[] = {{.plan = 1, .inputs = binds}};
    tct_plan small = {.name = "small", .arena_bytes = 10},
             plan = {.name = "step", .arena_bytes = 9000, .n_inputs = 3, .inputs = ports};
    const tct_plan *plans[] = {&small, &plan};
    tct_program p = program(plans);
    p.n_plans = 2;
    p.runs = runs;
    p.n_runs = 1;
    tct_memory_need n = tct_memory_needed(&p);
    assert_string_equal(n.axis, "B");
    assert_int_equal(n.size, 8);
    assert_int_equal(n.parameters, 1000);
    assert_int_equal(tct_memory_fitting(&n, 8999), 7);
    assert_int_equal(tct_memory_fitting(&n, 4000), 3);
    assert_int_equal(tct_memory_fitting(&n, 1999), 0);
    assert_int_equal(tct_memory_fitting(&n, 500), 0);
    // Far too much for any machine, of which some rows would be little enough.
    plan.arena_bytes = (uint64_t)1 << 62;
    static const int64_t many[] = {(int64_t)1 << 61, 2};
    tct_plan_port large[] = {ports[0], ports[1], ports[2]};
    large[2].size = many;
    plan.inputs = large;
    tct_diag d = {.max_errors = 20};
    tct_buf text = {0};
    assert_false(tct_memory_check(&d, &p, false));
    tct_diag_render(&d, &text, false);
    if (!strstr(text.data, "with axis B = ") || !strstr(text.data, "instead of 2305843009213693952"))
        fail_msg("%s", text.data);
    tct_buf_free(&text);
    tct_diag_free(&d);
}

// Keys and values of many rows, and of those on their way to a place: how much of them there is room for.
static void generating(void **state) {
    (void)state;
    static const tct_plan_port cache = {.name = "k", .bytes = (uint64_t)1 << 60};
    static const tct_generator generator = {
        .convert = TCT_NO_PLAN, .places = 16, .fill = 4, .n_cache = 1, .cache = &cache};
    tct_plan plan = {.name = "step", .arena_bytes = 4096};
    const tct_plan *plans[] = {&plan};
    tct_program p = program(plans);
    p.n_generators = 1;
    p.generators = &generator;
    assert_int_equal(tct_memory_needed(&p).generation, cache.bytes / 4 * 5);
    tct_diag d = {.max_errors = 20};
    tct_buf text = {0};
    assert_false(tct_memory_check(&d, &p, false));
    tct_diag_render(&d, &text, false);
    if (!strstr(text.data, "0 % of what generation keeps") || !strstr(text.data, "at_once"))
        fail_msg("%s", text.data);
    tct_buf_free(&text);
    tct_diag_free(&d);
}

// A limit of the address space, as by `ulimit -v`, is the least of what there is.
static void limited(void **state) {
    (void)state;
    struct rlimit before, now;
    const char *why;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    uint64_t there = tct_memory_available(&why);
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    now = before;
    now.rlim_cur = pages * 4096 + (64 << 20);
    if (now.rlim_cur > before.rlim_max || there < (256u << 20)) skip();
    assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
    uint64_t left = tct_memory_available(&why);
    tct_diag d = {.max_errors = 20};
    tct_plan plan = {.name = "step", .arena_bytes = 128 << 20};
    const tct_plan *plans[] = {&plan};
    tct_program p = program(plans);
    bool fits = tct_memory_check(&d, &p, true);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_true(left <= 64 << 20);
    assert_non_null(strstr(why, "ulimit"));
    assert_false(fits);
    assert_string_equal(d.messages.data[0].code, "E0849");
    tct_diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),       cmocka_unit_test(told),    cmocka_unit_test(fitting),
        cmocka_unit_test(generating), cmocka_unit_test(limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
