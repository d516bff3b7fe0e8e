// Images that were damaged by accident or on purpose: they are refused with the reason, or what they hold can
// be printed, written and run without reading or writing past anything.
#include "base/version.h"
#include "runtime/image_codec.h"
#include "runtime/settings.h"
#include "tests/stage/image.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

enum { EXIT_SANITIZER = 99, SECONDS = 2 };

// Memory that isn't there is an ordinary error here, and a report ends with a status of its own.
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1:max_allocation_size_mb=1024:exitcode=99";
}

static bool refused(const void *bytes, size_t n, const char *code, const char *words) {
    tct_diag d = {0};
    tct_arena a = {0};
    tct_image got;
    void *copy = malloc(n ? n : 1); // on the heap to the byte, where reading past it shows
    if (n) memcpy(copy, bytes, n);
    bool ok = tct_image_read(&d, &a, "image", copy, n, &got);
    free(copy);
    bool as_expected = !ok && d.messages.len == 1 && strcmp(d.messages.data[0].code, code) == 0 &&
                       strstr(d.messages.data[0].text, words);
    if (!as_expected && d.messages.len) print_error("%zu bytes: %s\n", n, d.messages.data[0].text);
    tct_arena_free(&a);
    tct_diag_free(&d);
    return as_expected;
}

static void truncated(void **state) {
    (void)state;
    made_image m;
    make_image(STAGE_FOLDER "/generation.tct", NULL, NULL, 0, &m);
    const char *bytes = m.bytes.data;
    for (size_t n = 0; n < 300; n++) assert_true(refused(bytes, n, "E0715", n ? "truncated" : "no image"));
    for (size_t n = 300; n < m.bytes.len; n += 1 + n % 97) {
        tct_buf lengths = {0};
        tct_buf_printf(&lengths, "it says that it has %zu bytes, there are %zu", m.bytes.len, n);
        assert_true(refused(bytes, n, "E0715", lengths.data));
        tct_buf_free(&lengths);
    }
    tct_buf_putc(&m.bytes, 0);
    assert_true(refused(m.bytes.data, m.bytes.len, "E0715", "damaged"));
    drop_image(&m);
}

static void flipped(void **state) {
    (void)state;
    made_image m;
    make_image(STAGE_FOLDER "/generation.tct", NULL, NULL, 0, &m);
    for (size_t i = TCT_IMAGE_AT_HASH; i < m.bytes.len; i += i < 400 ? 1 : 23) {
        m.bytes.data[i] ^= (char)(1 << i % 8);
        assert_true(refused(m.bytes.data, m.bytes.len, "E0715", "checksum"));
        m.bytes.data[i] ^= (char)(1 << i % 8);
    }
    drop_image(&m);
}

static void reseal(tct_buf *b) {
    uint64_t hash = tct_image_hash((const unsigned char *)b->data, b->len);
    memcpy(b->data + TCT_IMAGE_AT_HASH, &hash, sizeof hash);
}

static void versions(void **state) {
    (void)state;
    made_image m;
    make_image(STAGE_FOLDER "/copies.tct", NULL, NULL, 0, &m);
    char *at = m.bytes.data;
    static const char other[] = "9.8.7";
    memset(at + TCT_IMAGE_AT_VERSION, 0, TCT_IMAGE_VERSION_BYTES);
    memcpy(at + TCT_IMAGE_AT_VERSION, other, sizeof other);
    reseal(&m.bytes);
    tct_diag d = {0};
    tct_image got;
    assert_true(tct_image_read(&d, &m.arena, "image", at, m.bytes.len, &got)); // the format is what counts
    assert_string_equal(got.version, other);
    at[TCT_IMAGE_AT_FORMAT]++;
    assert_true(refused(at, m.bytes.len, "E0716", "made by Tercet 9.8.7 (image format 2"));
    assert_true(refused(at, m.bytes.len, "E0716", tct_version()));
    at[TCT_IMAGE_AT_FORMAT]--;
    at[TCT_IMAGE_AT_TABLES] ^= 1;
    assert_true(refused(at, m.bytes.len, "E0716", "9.8.7"));
    memset(at + TCT_IMAGE_AT_VERSION, 0x1b, TCT_IMAGE_VERSION_BYTES); // nothing that a terminal would obey
    assert_true(refused(at, m.bytes.len, "E0716", "an unknown version"));
    at[0] = 'x';
    assert_true(refused(at, m.bytes.len, "E0715", "no image"));
    tct_diag_free(&d);
    drop_image(&m);
}

static uint64_t draw(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

// Changes bytes past the first `from`: one bit, one byte, or a number made small or huge.
static void mutate(tct_buf *b, size_t from, uint64_t *random) {
    for (uint64_t n = 1 + draw(random) % 2; n > 0; n--) {
        char *at = b->data + from + draw(random) % (b->len - from);
        uint64_t how = draw(random) % 4, x = draw(random);
        if (how == 0)
            *at ^= (char)(1 << x % 8);
        else if (how == 1)
            *at = (char)x;
        else
            *at = (char)(how == 2 ? x % 3 : 0x7f + x % 2);
    }
    reseal(b);
}

static void nothing(void) {}

static void without_kernels(const tct_plan *p) {
    for (uint32_t i = 0; i < p->n_kernels; i++) p->kernels[i].fn = (void *)nothing;
    for (uint32_t i = 0; i < p->n_scans; i++) without_kernels(p->scans[i].body);
}

static bool has_foreigns(const tct_plan *p) {
    bool has = p->n_foreigns > 0;
    for (uint32_t i = 0; i < p->n_scans; i++) has |= has_foreigns(p->scans[i].body);
    return has;
}

// Everything of an image that was accepted is looked at; kernels that do nothing stand in for those of the
// compiler, so that it is the machine and the executor that run.
static void use(tct_image *image, const char *out) {
    tct_buf text = {0};
    image->program.plans = image->variants[0].plans;
    tct_program_print(&image->program, &text);
    bool foreigns = image->program.n_externs > 0;
    for (uint32_t i = 0; i < image->program.n_plans; i++) {
        const tct_plan *plan = image->program.plans[i];
        tct_plan_print(plan, &text);
        without_kernels(plan);
        foreigns |= has_foreigns(plan);
    }
    tct_image_write(image, &text);
    tct_buf_free(&text);
    tct_diag d = {0};
    for (uint32_t i = 0; i < image->n_sources; i++)
        tct_diag_add_source(&d, image->sources[i].path, image->sources[i].text, image->sources[i].len);
    tct_run_options options = {.out = out, .threads = 1};
    bool set = image->program.n_config > 0 && strlen(image->program.config[0].name) % 2;
    tct_setting first = {set ? image->program.config[0].name : "", "1"};
    tct_settings_apply(&d, &image->program, &first, set);
    if (!foreigns) tct_program_run(&d, &image->program, &options);
    tct_diag_render(&d, &text, false);
    tct_buf_free(&text);
    tct_diag_free(&d);
}

// In a process of its own, which may run into its time limit or out of memory, but not into a signal of
// another kind.
static void use_apart(const tct_buf *bytes, const char *out, uint64_t number) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
#ifndef SANITIZED // which takes address space by the terabyte, and has its say on stderr
        struct rlimit limit = {(rlim_t)4 << 30, (rlim_t)4 << 30};
        setrlimit(RLIMIT_AS, &limit);
        dup2(null, 2);
#endif
        alarm(SECONDS);
        tct_diag d = {0};
        tct_arena a = {0};
        tct_image got;
        if (tct_image_read(&d, &a, "image", bytes->data, bytes->len, &got)) use(&got, out);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    bool fine = WIFEXITED(status) ? WEXITSTATUS(status) != EXIT_SANITIZER : WTERMSIG(status) == SIGALRM;
    if (!fine) print_error("mutant %llu: status %x\n", (unsigned long long)number, status);
    assert_true(fine);
}

static void mutants_of(const char *name, uint64_t mutants, uint64_t runs, uint64_t seed) {
    made_image m;
    tct_arena paths = {0};
    make_image(tct_path_join(&paths, STAGE_FOLDER, name), NULL, NULL, 0, &m);
    // Strings and sources come first and hold no numbers: most of the mutants are made after them.
    size_t sources = 0;
    for (uint32_t i = 0; i < m.image.n_sources; i++) sources += m.image.sources[i].len;
    const char *out = machine_folder(&paths);
    uint64_t accepted = 0, used = 0;
    for (uint64_t i = 0; i < mutants; i++) {
        uint64_t random = seed + i;
        tct_buf b = {0};
        tct_buf_add(&b, m.bytes.data, m.bytes.len);
        mutate(&b, i % 8 == 0 ? TCT_IMAGE_HEADER : TCT_IMAGE_HEADER + sources, &random);
        tct_diag d = {0};
        tct_arena a = {0};
        tct_image got;
        bool ok = tct_image_read(&d, &a, "image", b.data, b.len, &got);
        assert_true(ok || (d.messages.len == 1 && strcmp(d.messages.data[0].code, "E0715") == 0));
        accepted += ok;
        if (ok && used < runs) {
            used++;
            use_apart(&b, out, i);
        }
        tct_diag_free(&d);
        tct_arena_free(&a);
        tct_buf_free(&b);
    }
    print_message("%s: %llu of %llu mutants accepted, %llu used\n", name, (unsigned long long)accepted,
                  (unsigned long long)mutants, (unsigned long long)used);
    assert_true(used > 0);
    machine_remove_folder(out);
    drop_image(&m);
    tct_arena_free(&paths);
}

static void mutants(void **state) {
    (void)state;
    const char *many = getenv("TERCET_IMAGE_MUTANTS"); // a long hunt, by hand
    uint64_t scale = many ? strtoull(many, NULL, 10) : 1, seed = many ? (uint64_t)getpid() << 32 : 0;
    static const char *const names[] = {"statements.tct", "copies.tct", "data.tct",
                                        "training.tct",   "config.tct", "generation.tct"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        mutants_of(names[i], 600 * scale, 12 * scale, seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(truncated), cmocka_unit_test(flipped),
                                       cmocka_unit_test(versions), cmocka_unit_test(mutants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
