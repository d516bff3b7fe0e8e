// Images of whole programs: what is read back prints the same, runs the same, and is the same bytes again.
#include "runtime/foreign.h"
#include "runtime/image.h"
#include "tests/stage/pipeline.h"

// A program of the folder of this test, compiled, as an image.
typedef struct made {
    tct_diag d;
    tct_compiled c;
    tct_image image;
    tct_image_variant variant;
    tct_buf bytes;
} made;

static void make(tct_arena *a, const char *path, made *m) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 1);
    tct_compile_request request = {.file = path, .threads = 1};
    *m = (made){0};
    assert_true(tct_program_compile(&m->d, &request, &m->c));
    m->variant = (tct_image_variant){tct_isa_host(), m->c.draft->program.plans};
    tct_image_source *sources = TCT_NEW_ARRAY(a, tct_image_source, m->d.sources.len);
    for (size_t i = 0; i < m->d.sources.len; i++)
        sources[i] = (tct_image_source){m->d.sources.data[i].path, m->d.sources.data[i].text,
                                        m->d.sources.data[i].len};
    m->image = (tct_image){.program = m->c.draft->program,
                           .n_sources = (uint32_t)m->d.sources.len,
                           .sources = sources,
                           .n_variants = 1,
                           .variants = &m->variant};
    tct_image_write(&m->image, &m->bytes);
}

static void drop(made *m) {
    tct_buf_free(&m->bytes);
    tct_compiled_free(&m->c);
    tct_diag_free(&m->d);
}

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
        assert_true(tct_foreign_resolve(d, &read->foreigns[i], tct_ffi_call));
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

static void round_trip(const char *name) {
    tct_arena a = {0};
    made m;
    make(&a, tct_path_join(&a, STAGE_FOLDER, name), &m);
    tct_image got;
    read_back(&a, &m.bytes, &got);

    tct_buf again = {0};
    tct_image_write(&got, &again);
    assert_int_equal(again.len, m.bytes.len);
    assert_memory_equal(again.data, m.bytes.data, again.len);
    tct_buf_free(&again);

    got.program.plans = got.variants[0].plans;
    same_text(print_program, &got.program, &m.c.draft->program);
    for (uint32_t i = 0; i < got.program.n_plans; i++) {
        const tct_plan *plan = m.c.draft->program.plans[i];
        same_text(print_plan, got.program.plans[i], plan);
        resolve(&m.d, got.program.plans[i], plan);
    }
    for (uint32_t i = 0; i < got.program.n_externs; i++) got.program.externs[i].caller = tct_ffi_call;
    tct_run_options options = {.out = machine_folder(&a), .threads = 1};
    assert_true(tct_program_run(&m.d, &got.program, &options));
    machine_remove_folder(options.out);
    drop(&m);
    tct_arena_free(&a);
}

// Each of these programs holds itself to its assertions while it runs.
static void programs(void **state) {
    (void)state;
    static const char *const names[] = {"copies.tct", "data.tct",       "generation.tct",
                                        "graphs.tct", "statements.tct", "training.tct"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) round_trip(names[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
