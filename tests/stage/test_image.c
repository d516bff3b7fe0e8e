// Images of whole programs: what is read back prints the same, runs the same, and is the same bytes again.
#include "runtime/foreign.h"
#include "tests/stage/image.h"

static void read_back(tct_arena *a, const tct_buf *bytes, tct_image *out) {
    tct_diag d = {0};
    bool ok = tct_image_read(&d, a, "image", bytes->data, bytes->len, out);
    tct_buf text = {0};
    tct_diag_render(&d, &text, false);
    if (!ok) print_error("%s", text.data ? text.data : "");
    assert_true(ok);
    tct_buf_free(&text);
    tct_diag_free(&d);
}

static void *address_of(const tct_plan *from, const char *symbol) {
    for (uint32_t i = 0; i < from->n_kernels; i++)
        if (strcmp(from->kernels[i].symbol, symbol) == 0) return from->kernels[i].fn;
    for (uint32_t i = 0; i < from->n_scans; i++) {
        void *fn = address_of(from->scans[i].body, symbol);
        if (fn) return fn;
    }
    return NULL;
}

// Gives the kernels of a plan that was read the addresses that those of the compiler have.
static void resolve(tct_diag *d, const tct_plan *read, const tct_plan *from) {
    for (uint32_t i = 0; i < read->n_kernels; i++) {
        read->kernels[i].fn = address_of(from, read->kernels[i].symbol);
        assert_non_null(read->kernels[i].fn);
    }
    for (uint32_t i = 0; i < read->n_scans; i++) resolve(d, read->scans[i].body, from);
    for (uint32_t i = 0; i < read->n_foreigns; i++)
        assert_true(tct_foreign_resolve(d, &read->foreigns[i], NULL, tct_ffi_call));
}

static void same_text(void (*print)(const void *x, tct_buf *out), const void *x, const void *y) {
    tct_buf a = {0}, b = {0};
    print(x, &a);
    print(y, &b);
    assert_string_equal(a.data, b.data);
    tct_buf_free(&a);
    tct_buf_free(&b);
}

static void print_program(const void *x, tct_buf *out) { tct_program_print(x, out); }
static void print_plan(const void *x, tct_buf *out) { tct_plan_print(x, out); }

static void same_places(const tct_plan *a, const tct_plan *b) {
    for (uint32_t i = 0; i < a->n_steps; i++)
        assert_memory_equal(&a->steps[i].span, &b->steps[i].span, sizeof a->steps[i].span);
}

static void same_tables(const tct_program *a, const tct_program *b) {
    assert_int_equal(a->n_config, b->n_config);
    for (uint32_t i = 0; i < a->n_config; i++) {
        assert_string_equal(a->config[i].name, b->config[i].name);
        assert_string_equal(a->config[i].type, b->config[i].type);
        assert_string_equal(a->config[i].value, b->config[i].value);
        assert_string_equal(a->config[i].doc ? a->config[i].doc : "-",
                            b->config[i].doc ? b->config[i].doc : "-");
        assert_int_equal(a->config[i].is_default, b->config[i].is_default);
    }
    assert_int_equal(a->n_stages, b->n_stages);
    for (uint32_t i = 0; i < a->n_stages; i++) {
        assert_string_equal(a->stages[i].doc ? a->stages[i].doc : "-",
                            b->stages[i].doc ? b->stages[i].doc : "-");
        assert_int_equal(a->stages[i].begin, b->stages[i].begin);
        assert_int_equal(a->stages[i].end, b->stages[i].end);
    }
    for (uint32_t i = 0; i < a->n_instrs; i++)
        assert_memory_equal(&a->instrs[i].span, &b->instrs[i].span, sizeof a->instrs[i].span);
}

// The image read and written again is the same; it holds what the compiler made.
static void holds_the_same(made_image *m, tct_image *got) {
    read_back(&m->arena, &m->bytes, got);
    tct_buf again = {0};
    tct_image_write(got, &again);
    assert_int_equal(again.len, m->bytes.len);
    assert_memory_equal(again.data, m->bytes.data, again.len);
    tct_buf_free(&again);

    const tct_program *made = &m->c.draft->program;
    assert_null(got->program.plans);
    got->program.plans = got->variants[0].plans;
    same_text(print_program, &got->program, made);
    same_tables(&got->program, made);
    for (uint32_t i = 0; i < got->program.n_plans; i++) {
        same_text(print_plan, got->program.plans[i], made->plans[i]);
        same_places(got->program.plans[i], made->plans[i]);
        resolve(&m->d, got->program.plans[i], made->plans[i]);
    }
    for (uint32_t i = 0; i < got->program.n_externs; i++) got->program.externs[i].caller = tct_ffi_call;
    assert_int_equal(got->n_sources, m->image.n_sources);
    for (uint32_t i = 0; i < got->n_sources; i++) {
        assert_string_equal(got->sources[i].path, m->image.sources[i].path);
        assert_string_equal(got->sources[i].text, m->image.sources[i].text);
    }
}

// Each of these programs holds itself to its assertions while it runs.
static void programs(void **state) {
    (void)state;
    static const char *const names[] = {"config.tct", "copies.tct",     "data.tct",    "generation.tct",
                                        "graphs.tct", "statements.tct", "training.tct"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tct_arena a = {0};
        made_image m;
        make_image(tct_path_join(&a, STAGE_FOLDER, names[i]), NULL, NULL, 0, &m);
        tct_image got;
        holds_the_same(&m, &got);
        got.program.folder = STAGE_FOLDER;
        tct_run_options options = {.out = machine_folder(&a), .threads = 1};
        assert_true(tct_program_run(&m.d, &got.program, &options));
        machine_remove_folder(options.out);
        drop_image(&m);
        tct_arena_free(&a);
    }
}

static void example(void **state) {
    (void)state;
    static const tct_setting small[] = {{"model.layers", "1"}, {"model.d", "32"}};
    made_image m;
    tct_image got;
    make_image(TERCET_SOURCE_DIR "/examples/instructgpt/instructgpt.tct", NULL, small, 2, &m);
    holds_the_same(&m, &got);
    drop_image(&m);
}

static void variants(void **state) {
    (void)state;
    made_image base, best;
    make_image(STAGE_FOLDER "/training.tct", "base", NULL, 0, &base);
    make_image(STAGE_FOLDER "/training.tct", NULL, NULL, 0, &best);
    if (tct_isa_host() == TCT_ISA_BASE) {
        print_message("SKIPPED: this machine has one instruction set\n");
        drop_image(&base);
        drop_image(&best);
        skip();
    }
    tct_image_variant two[] = {{TCT_ISA_BASE, base.image.variants[0].plans}, best.variant};
    tct_image both = best.image, got;
    both.n_variants = 2;
    both.variants = two;
    tct_buf bytes = {0}, equal = {0};
    tct_image_write(&both, &bytes);
    read_back(&best.arena, &bytes, &got);
    assert_int_equal(got.n_variants, 2);
    assert_int_equal(got.variants[0].isa, TCT_ISA_BASE);
    assert_int_equal(got.variants[1].isa, tct_isa_host());
    for (uint32_t i = 0; i < got.program.n_plans; i++) {
        same_text(print_plan, got.variants[0].plans[i], two[0].plans[i]);
        same_text(print_plan, got.variants[1].plans[i], two[1].plans[i]);
    }
    // The same plans twice take the room of one table of numbers.
    two[0].plans = two[1].plans;
    tct_image_write(&both, &equal);
    assert_true(equal.len <= best.bytes.len + 16 + 3 * both.program.n_plans);
    read_back(&best.arena, &equal, &got);
    for (uint32_t i = 0; i < got.program.n_plans; i++)
        assert_ptr_equal(got.variants[0].plans[i], got.variants[1].plans[i]);
    tct_buf_free(&bytes);
    tct_buf_free(&equal);
    drop_image(&base);
    drop_image(&best);
}

// Compiled again, and read from memory that lies elsewhere: the same bytes.
static void bytes_repeat(void **state) {
    (void)state;
    made_image a, b;
    make_image(STAGE_FOLDER "/training.tct", NULL, NULL, 0, &a);
    make_image(STAGE_FOLDER "/training.tct", NULL, NULL, 0, &b);
    assert_int_equal(a.bytes.len, b.bytes.len);
    assert_memory_equal(a.bytes.data, b.bytes.data, a.bytes.len);
    drop_image(&a);
    drop_image(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(programs), cmocka_unit_test(example),
                                       cmocka_unit_test(variants), cmocka_unit_test(bytes_repeat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
