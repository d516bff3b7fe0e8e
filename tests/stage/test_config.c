// Which config values are fixed by compilation and why, and that the others give the same program: values
// given when it starts and values that it is compiled with run to the same bits.
#include "runtime/settings.h"
#include "tests/stage/pipeline.h"

#define PROGRAM STAGE_FOLDER "/config.tct"

// What is fixed in config.tct, in its order.
static const struct {
    const char *name, *reason;
} fixed[] = {
    {"batch", "decides the size of axis B"},
    {"length", "decides the size of axis T"},
    {"parts", "decides how many parts there are"},
    {"rows", "decides how many rows a part has"},
    {"new", "decides the size of axis T of what is generated"},
    {"layers", "is the hyper-parameter layers of Gpt2"},
    {"width", "is the hyper-parameter d of Gpt2"},
    {"heads", "is the hyper-parameter heads of Gpt2"},
    {"std", "is the hyper-parameter std of Gpt2"},
    {"step", "is the step of a range"},
    {"power", "is in a power of ints"},
    {"axis", "is the name of an axis"},
    {"size", "decides the size of axis N"},
    {"taken", "decides the size of axis B"},
    {"group", "is the name of a summary"},
    {"loops", "decides how often the loop of a graph is written out"},
    {"slice", "decides what is sliced"},
    {"fill", "fills the places that an operation adds"},
    {"more", "chooses a side in a graph"},
    {"kind", NULL}, // but for the condition on it
    {"model", "chooses an element of a list"},
    {"extra", "chooses what is compiled"},
    {"state", "is read where a model or a generating graph is built"},
};

// Another value for each that is free.
static const tct_setting others[] = {
    {"free.steps", "6"},     {"free.warmup", "1"}, {"free.lr", "0.005"},      {"free.last", "0.5"},
    {"free.both", "true"},   {"free.beta", "0.9"}, {"free.bound", "0.01"},    {"free.clip", "false"},
    {"free.count", "2"},     {"free.factor", "5"}, {"free.note", "other"},    {"free.title", "none"},
    {"free.seed", "6"},      {"free.top", "1"},    {"free.temperature", "2"}, {"free.gamma", "0.5"},
    {"free.weight", "0.75"}, {"free.rate", "0.2"}, {"free.shift", "-0.125"},  {"free.index", "0"},
    {"free.turn", "1"},
};
enum { N_OTHERS = sizeof others / sizeof *others };

// A program and what messages of it need.
typedef struct made {
    tct_diag d;
    tct_compiled c;
    tct_program *p;
    const tct_config_value *config; // as it was compiled
} made;

static void make(made *m, const tct_setting *sets, size_t n, bool whole) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 1);
    tct_compile_request request = {.file = PROGRAM, .sets = sets, .n_sets = n, .threads = 2};
    *m = (made){0};
    bool ok = whole ? tct_program_compile(&m->d, &request, &m->c) : tct_program_draft(&m->d, &request, &m->c);
    if (!ok) fail_msg("%s", m->d.messages.data[0].text);
    m->p = &m->c.draft->program;
    m->config = m->p->config;
}

static void drop(made *m) {
    tct_compiled_free(&m->c);
    tct_diag_free(&m->d);
}

static void what_is_fixed(void **state) {
    (void)state;
    made m;
    make(&m, NULL, 0, false);
    size_t seen = 0;
    for (uint32_t i = 0; i < m.p->n_config; i++) {
        const tct_config_value *c = &m.p->config[i];
        const char *reason = NULL;
        if (strncmp(c->name, "fixed.", 6) == 0) {
            assert_string_equal(c->name + 6, fixed[seen].name);
            reason = fixed[seen++].reason;
        }
        if ((reason == NULL) != (c->fixed == NULL) || (reason && strcmp(reason, c->fixed) != 0))
            fail_msg("%s: %s", c->name, c->fixed ? c->fixed : "free");
        const tct_source *source = tct_diag_source(&m.d, c->fixed_at.file);
        assert_true(!c->fixed || (source && strcmp(source->path, PROGRAM) == 0)); // not in the library
    }
    assert_int_equal(seen, sizeof fixed / sizeof *fixed);
    assert_int_equal(m.p->n_guards, 2);
    assert_string_equal(m.p->guards[0].text, "config.fixed.kind == \"small\"");
    assert_string_equal(m.p->guards[1].text, "rate > 0.0 and sure");
    drop(&m);
}

// All that a run leaves, but for times.
static tct_buf outcome(made *m) {
    static const char *const files[] = {"metrics.jsonl", "summary.json", "a/model.safetensors",
                                        "b/model.safetensors"};
    tct_arena a = {0};
    tct_buf all = {0};
    tct_run_options o = {.out = machine_folder(&a), .threads = 1};
    if (!tct_program_run(&m->d, m->p, &o)) fail_msg("%s", m->d.messages.data[m->d.messages.len - 1].text);
    for (int i = 0; i < 4; i++) {
        char *data, *end;
        size_t len;
        assert_true(tct_file_read(&m->d, tct_path_join(&a, o.out, files[i]), &data, &len));
        for (char *time; i == 0 && (time = strstr(data, "\"time\":")); len = strlen(data)) {
            end = strchr(time, ',') + 1;
            memmove(time, end, strlen(end) + 1);
        }
        tct_buf_add(&all, data, len);
        tct_heap_free(data);
    }
    machine_remove_folder(o.out);
    tct_arena_free(&a);
    return all;
}

static bool same(const tct_buf *a, const tct_buf *b) {
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void give(made *m, const tct_setting *sets, size_t n) {
    m->p->config = m->config;
    if (!tct_settings_apply(&m->d, m->p, sets, n)) fail_msg("%s", m->d.messages.data[0].text);
}

static void same_values(const made *a, const made *b) {
    for (uint32_t i = 0; i < a->p->n_config; i++) {
        const tct_config_value *x = &a->p->config[i], *y = &b->p->config[i];
        assert_string_equal(x->value, y->value);
        assert_int_equal(x->is_default, y->is_default);
        assert_true(x->low == y->low && x->high == y->high);
    }
}

static void given_values_have_effect(void **state) {
    (void)state;
    made m;
    make(&m, NULL, 0, true);
    tct_buf usual = outcome(&m);
    for (size_t i = 0; i < N_OTHERS; i++) {
        give(&m, &others[i], 1);
        tct_buf other = outcome(&m);
        if (same(&usual, &other)) fail_msg("%s has no effect", others[i].name);
        tct_buf_free(&other);
        made compiled;
        make(&compiled, &others[i], 1, false);
        if (compiled.p->hash != m.p->hash) fail_msg("%s changes the program", others[i].name);
        same_values(&m, &compiled);
        drop(&compiled);
    }
    give(&m, NULL, 0);
    tct_buf again = outcome(&m);
    assert_true(same(&usual, &again));
    tct_buf_free(&usual);
    tct_buf_free(&again);
    drop(&m);
}

static void same_bits_however_they_are_given(void **state) {
    (void)state;
    made start, compiled;
    make(&start, NULL, 0, true);
    make(&compiled, others, N_OTHERS, true);
    assert_true(start.p->hash == compiled.p->hash);
    give(&start, others, N_OTHERS);
    same_values(&start, &compiled);
    tct_buf a = outcome(&start), b = outcome(&compiled);
    assert_true(a.len > 0 && same(&a, &b));
    tct_buf_free(&a);
    tct_buf_free(&b);
    drop(&start);
    drop(&compiled);
}

// A fixed value makes another program, and is refused where the program is there already.
static void fixed_values_make_other_programs(void **state) {
    (void)state;
    static const tct_setting sets[] = {
        {"fixed.batch", "2"},    {"fixed.loops", "3"},    {"fixed.more", "false"}, {"fixed.group", "x"},
        {"fixed.heads", "1"},    {"fixed.kind", "large"}, {"fixed.step", "3"},     {"fixed.model", "0"},
        {"fixed.extra", "true"}, {"free.rate", "0"},
    };
    made m;
    make(&m, NULL, 0, false);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        made other;
        make(&other, &sets[i], 1, false);
        if (other.p->hash == m.p->hash) fail_msg("%s makes the same program", sets[i].name);
        drop(&other);
        tct_diag d = {0};
        assert_false(tct_settings_apply(&d, m.p, &sets[i], 1));
        assert_string_equal(d.messages.data[0].code, "E0406");
        assert_non_null(strstr(d.messages.data[0].help, sets[i].name));
        tct_diag_free(&d);
    }
    tct_diag d = {0};
    tct_setting harmless[] = {{"fixed.kind", "small"}, {"fixed.batch", "4"}};
    assert_true(tct_settings_apply(&d, m.p, harmless, 2)); // what they are
    tct_diag_free(&d);
    drop(&m);
}

// What is wrong with `text`, when it was compiled and starts with `set`: its code, and words of the message
// with its notes.
static void refused_at_start(const char *text, tct_setting set, bool ahead, const char *code,
                             const char *const *words) {
    tct_arena a = {0};
    pipeline_run r = {.compile.threads = 1};
    tct_compiled c = {0};
    pipeline_write(&a, &r, text);
    r.options = (tct_run_options){.out = r.options.out, .threads = 1, .ahead = ahead};
    bool compiled =
        tct_program_compile(&r.d, &r.compile, &c) && tct_settings_apply(&r.d, &c.draft->program, &set, 1);
    if (!compiled) pipeline_print(&r);
    assert_true(compiled);
    bool ok = tct_program_run(&r.d, &c.draft->program, &r.options);
    assert_true(!ok && r.d.n_errors > 0);
    assert_string_equal(r.d.messages.data[0].code, code);
    tct_buf all = {0};
    tct_diag_render(&r.d, &all, false);
    for (; *words; words++)
        if (!strstr(all.data, *words)) fail_msg("no \"%s\" in\n%s", *words, all.data);
    tct_buf_free(&all);
    machine_remove_folder(r.options.out);
    tct_compiled_free(&c);
    tct_diag_free(&r.d);
    tct_arena_free(&a);
}

// A condition that is small in memory and huge when it is written out: what it follows from is fixed.
static void conditions_of_any_size(void **state) {
    (void)state;
    tct_buf text = {0};
    tct_buf_puts(&text, "config {\nx: float = 0.5\n}\n"
                        "graph pick(a: f32[N], x: float) -> f32[N] {\nlet x0 = x\n");
    for (int i = 0; i < 60; i++) tct_buf_printf(&text, "let x%d = x%d + x%d\n", i + 1, i, i);
    tct_buf_puts(&text, "if x60 > 1.0 {\nreturn a\n} else {\nreturn 2.0 * a\n}\n}\n"
                        "pipeline p {\nstage s {\nlet y = pick(tensor([1.0], \"N\", 1), config.x)\n"
                        "log(y = sum(y, N))\n}\n}\n");
    tct_arena a = {0};
    pipeline_run r = {0};
    tct_compiled c = {0};
    pipeline_write(&a, &r, text.data);
    assert_true(tct_program_draft(&r.d, &r.compile, &c));
    assert_string_equal(c.draft->program.config[0].fixed, "chooses a side in a graph");
    assert_int_equal(c.draft->program.n_guards, 0);
    machine_remove_folder(r.options.out);
    tct_compiled_free(&c);
    tct_diag_free(&r.d);
    tct_arena_free(&a);
    tct_buf_free(&text);
}

#define DATA STAGE_FOLDER "/data/"
#define LETTERS "tokenizer: path = \"" DATA "letters\"\n"

static void other_tokenizers(void **state) {
    (void)state;
    static const char text[] = "config {\n" LETTERS "}\npipeline p {\nlet t = tokenizer(config.tokenizer)\n"
                               "stage s {\nlog(n = t.vocab)\n}\n}\n";
    static const char *const words[] = {
        "768 tokens instead of 11, beginning token 0 instead of 1, end token 0 instead of 2, "
        "padding token 1 instead of 0",
        "config.tokenizer = " TERCET_SOURCE_DIR "/examples", "prog.tct --set tokenizer=…", NULL};
    tct_setting other = {"tokenizer", TERCET_SOURCE_DIR "/examples/instructgpt/data/tokenizer"};
    refused_at_start(text, other, true, "E0717", words);
}

static void data_of_other_sizes(void **state) {
    (void)state;
    static const char text[] =
        "config {\n" LETTERS "length: int = 4\nk: int = 2\nranked: bool = false\n}\npipeline p {\n"
        "let t = tokenizer(config.tokenizer)\nstage s {\nif config.ranked {\n"
        "let r = rankings(\"" DATA "rankings.jsonl\", t, batch = 1, length = 8, k = config.k)\n} else {\n"
        "let d = prompts(\"" DATA
        "demonstrations.jsonl\", t, batch = 1, length = config.length div 2)\n}\n}\n}\n";
    static const char *const longer[] = {"the context 2", "config.length = 4 decides the size of axis T",
                                         "prog.tct --set length=…", NULL};
    static const char *const more[] = {"3 responses, but k is 2", "config.k = 2 decides the size of axis K",
                                       "another value is given by --set k=…", NULL};
    refused_at_start(text, (tct_setting){"ranked", "false"}, true, "E0710", longer);
    refused_at_start(text, (tct_setting){"ranked", "true"}, false, "E0709", more);
}

static void other_folders(void **state) {
    (void)state;
    static const char save[] =
        "use std.model.gpt2\nconfig {\n" LETTERS "}\npipeline p {\nlet t = tokenizer(config.tokenizer)\n"
        "let a = Gpt2(layers = 1, heads = 2, d = 4, vocab = t.vocab, context = 8)\n"
        "let b = Gpt2(layers = 1, heads = 2, d = 8, vocab = t.vocab, context = 8)\n"
        "stage s {\nsave(a, \"a\", t)\nsave(b, \"b\", t)\n}\n}\n";
    tct_arena a = {0};
    pipeline_run r = {0};
    pipeline_write(&a, &r, save);
    pipeline_succeeds(&r);
    const char *text = tct_arena_printf(&a,
                                        "use std.model.gpt2\nconfig {\nfolder: path = \"%s/a\"\n}\npipeline "
                                        "p {\nlet m = Gpt2(from = config.folder)\n"
                                        "stage s {\nlog(d = m.d)\n}\n}\n",
                                        r.options.out);
    const char *words[] = {"\"n_embd\" is 8, but Gpt2 was declared with 4",
                           "config.folder = ", "--set folder=…", NULL};
    refused_at_start(text, (tct_setting){"folder", tct_path_join(&a, r.options.out, "b")}, true, "E0714",
                     words);
    machine_remove_folder(r.options.out);
    tct_arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_fixed),
        cmocka_unit_test(given_values_have_effect),
        cmocka_unit_test(same_bits_however_they_are_given),
        cmocka_unit_test(fixed_values_make_other_programs),
        cmocka_unit_test(conditions_of_any_size),
        cmocka_unit_test(other_tokenizers),
        cmocka_unit_test(data_of_other_sizes),
        cmocka_unit_test(other_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
