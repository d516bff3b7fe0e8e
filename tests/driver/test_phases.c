// The phases of graphs: every one of them goes back in and gives the same from there on, byte for byte; what
// `dump` and `opt` show of them; files that are no graphs.
#include "base/file.h"
#include "driver/driver.h"
#include "driver/dump_graph.h"
#include "driver/phases.h"
#include "tests/support/machine.h"
#include "tests/support/place.h"

#include <dirent.h>
#include <glob.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MARGIN "'" TERCET_SOURCE_DIR "/examples/loss/margin.tct' --graph margin_loss"

// --- Every phase of every graph goes on ---

enum { MOST_PHASES = 40 };

typedef struct texts {
    const tct_diag *d;
    bool code;
    tct_buf text[MOST_PHASES]; // by number
    char name[MOST_PHASES][40];
    uint32_t n;
} texts;

static void collect(void *ctx, const tct_phase *phase) {
    texts *t = ctx;
    assert_true(phase->number < MOST_PHASES);
    // Machine code as text takes long; a test of its own has it.
    if (strcmp(phase->name, "llvm") == 0 || strcmp(phase->name, "asm") == 0) return;
    tct_phase_text(phase, t->d, false, &t->text[phase->number]);
    snprintf(t->name[phase->number], sizeof t->name[0], "%s", phase->name);
    if (phase->number >= t->n) t->n = phase->number + 1;
}

static void free_texts(texts *t) {
    for (int k = 0; k < MOST_PHASES; k++) tct_buf_free(&t->text[k]);
}

static bool run_phases(tct_diag *d, tct_graph *g, const char *passes, const char *from, texts *out) {
    tct_phases_request r = {
        .passes = passes, .from = from, .code = out->code, .isa = "avx2", .each = collect, .ctx = out};
    out->d = d;
    return tct_phases_run(d, g, &r);
}

// From the text of phase `k` on.
static void go_on(const texts *all, uint32_t k, const char *passes, const char *graph) {
    tct_diag d = {0};
    tct_ir_module *m = tct_ir_module_new();
    texts again = {.code = all->code};
    tct_graph *g = tct_ir_parse(&d, m, "phase.tir", all->text[k].data, all->text[k].len);
    if (!g || !run_phases(&d, g, passes, all->name[k], &again)) {
        tct_diag_report(&d);
        fail_msg("%s doesn't go on from %s", graph, all->name[k]);
    }
    assert_int_equal(again.n, all->n);
    for (uint32_t at = k; at < all->n; at++) {
        if (!all->text[at].len) continue;
        if (again.text[at].len != all->text[at].len ||
            memcmp(again.text[at].data, all->text[at].data, all->text[at].len) != 0)
            fail_msg("%s: %s is another one from %s on", graph, all->name[at], all->name[k]);
    }
    free_texts(&again);
    tct_ir_module_free(m);
    tct_diag_free(&d);
}

// A node without a place, or of a pass that there isn't, in a graph or its bodies.
static void check_origins(const tct_graph *g, const char *name) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        const tct_node *n = &g->nodes.data[v];
        if (!n->span.file) fail_msg("%s: a node without a place: %s", name, tct_ir_ops[n->op].name);
        if (n->attr.body) check_origins(n->attr.body, name);
    }
}

typedef struct counts {
    int graphs, gradients, phases;
} counts;

// `every`: only each so manieth phase is gone on from.
static void check_graph(tct_diag *d, tct_graph *g, const char *name, uint32_t every, counts *n) {
    check_origins(g, name);
    for (int grad = 0; grad < 2; grad++) {
        const char *passes = grad ? "early,grad,default,fuse" : "default,fuse";
        texts all = {.code = !tct_phases_unknown_size(g)};
        size_t errors = d->n_errors;
        bool ok = run_phases(d, g, passes, NULL, &all);
        assert_true(ok || grad);
        if (!ok) d->n_errors = d->messages.len = errors; // no gradient is no failure
        uint32_t end = 1;                                // of the graphs
        while (end < all.n && strcmp(all.name[end], "kernel") != 0) end++;
        for (uint32_t k = 1; ok && k < end; k += every) {
            go_on(&all, k, passes, name);
            n->phases++;
        }
        *(grad ? &n->gradients : &n->graphs) += ok;
        free_texts(&all);
    }
}

static void check_file(const char *path, counts *n) {
    tct_diag d = {0};
    tct_package package = {0};
    assert_true(tct_package_load(&d, &package, path, TERCET_SOURCE_DIR "/std"));
    const tct_ast *file = package.files.data[package.files.len - 1];
    for (uint32_t i = 0; i < file->n_items; i++) {
        if (file->items[i]->kind != TCT_ITEM_GRAPH) continue;
        tct_diag one = {0};
        tct_graph_request r = {.file = path, .graph = file->items[i]->name.text};
        tct_dump_graph g = {0};
        if (tct_dump_graph_open(&one, &r, NULL, &g)) // static arguments may be missing
            check_graph(&one, g.graph, r.graph, g.graph->nodes.len > 60 ? 7 : 2, n);
        tct_dump_graph_close(&g);
        tct_diag_free(&one);
    }
    tct_package_free(&package);
    tct_diag_free(&d);
}

static void test_every_phase_goes_on(void **state) {
    (void)state;
    static const char *const patterns[] = {"std/*.tct", "std/*/*.tct", "examples/*/*.tct"};
    counts n = {0};
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        char pattern[1000];
        glob_t files;
        snprintf(pattern, sizeof pattern, "%s/%s", TERCET_SOURCE_DIR, patterns[p]);
        assert_int_equal(glob(pattern, 0, NULL, &files), 0);
        for (size_t k = 0; k < files.gl_pathc; k++) check_file(files.gl_pathv[k], &n);
        globfree(&files);
    }
    printf("%d graphs, %d gradients, %d phases\n", n.graphs, n.gradients, n.phases);
    assert_true(n.graphs > 60 && n.gradients > 30 && n.phases > 600);
}

// Graphs of a pipeline, of known sizes: kernels, plan and memory as well.
static void test_phases_of_a_pipeline(void **state) {
    (void)state;
    static const char *const graphs[] = {"g4", "g5", "g8", "g15", "g2"};
    counts n = {0};
    for (size_t k = 0; k < sizeof graphs / sizeof *graphs; k++) {
        tct_diag d = {0};
        tct_graph_request r = {.file = "examples/stories/stories.tct", .graph = graphs[k]};
        tct_dump_graph g = {0};
        if (!tct_dump_graph_open(&d, &r, "stories", &g)) {
            tct_diag_report(&d);
            fail();
        }
        check_graph(&d, g.graph, graphs[k], g.graph->nodes.len > 100 ? 4 : 1, &n);
        tct_dump_graph_close(&g);
        tct_diag_free(&d);
    }
    assert_int_equal(n.graphs, 5);
}

// --- The commands ---

static const char *log_of(place *p) { return machine_read(&p->d.arena, p->folder, "log"); }

#define gives(p, arguments, status, wanted) place_gives(p, TERCET_PROGRAM, arguments, status, wanted)

static void put(place *p, const char *name, const char *text) {
    assert_true(tct_file_write(&p->d, tct_path_join(&p->d.arena, p->folder, name), text, strlen(text)));
}

static void same_file(place *p, const char *name, const char *a, const char *b) {
    const char *x = machine_read(&p->d.arena, tct_path_join(&p->d.arena, p->folder, a), name),
               *y = machine_read(&p->d.arena, tct_path_join(&p->d.arena, p->folder, b), name);
    if (strcmp(x, y) != 0) fail_msg("%s/%s and %s/%s differ", a, name, b, name);
}

// The file of a folder whose name ends so; NULL: there is none.
static const char *file_of(place *p, const char *folder, const char *ending) {
    glob_t files;
    const char *pattern = tct_arena_printf(&p->d.arena, "%s/%s/*-%s", p->folder, folder, ending);
    const char *name = NULL;
    if (glob(pattern, 0, NULL, &files) == 0)
        name = tct_arena_strdup(&p->d.arena, strrchr(files.gl_pathv[0], '/') + 1);
    globfree(&files);
    return name;
}

// Every graph of the folder `all` goes on by the command in its first line, and writes the files behind it
// again.
static void test_dump_dir(void **state) {
    place *p = *state;
    gives(p, "dump " MARGIN " --grad --axis P=8 --axis K=3 --dump-dir all", 0, "");
    gives(p, "fmt --check all/00-ast.tct", 0, "");
    gives(p, "check all/00-ast.tct", 0, "");
    glob_t files;
    const char *pattern = tct_arena_printf(&p->d.arena, "%s/all/*", p->folder);
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    assert_true(files.gl_pathc > 20);
    for (size_t k = 1; k < files.gl_pathc; k++) {
        const char *file = strrchr(files.gl_pathv[k], '/') + 1;
        if (!strstr(file, ".tir")) continue;
        const char *text = machine_read(&p->d.arena, tct_path_join(&p->d.arena, p->folder, "all"), file);
        const char *begin = strstr(text, "tercet opt "), *options = strstr(begin, " --passes");
        assert_true(begin && options);
        const char *rest = tct_arena_strndup(&p->d.arena, options, strcspn(options, "\n"));
        gives(p, tct_arena_printf(&p->d.arena, "opt all/%s%s --dump-dir again", file, rest), 0, "");
        for (size_t j = k + 1; j < files.gl_pathc; j++)
            same_file(p, strrchr(files.gl_pathv[j], '/') + 1, "all", "again");
        assert_int_equal(system(tct_arena_printf(&p->d.arena, "rm -r '%s/again'", p->folder)), 0);
    }
    globfree(&files);
    // From the source on, it is the same but for the name of the file.
    gives(p, "dump all/00-ast.tct --graph margin_loss --grad --axis P=8 --axis K=3 --bare --dump-dir a", 0,
          "");
    gives(p, "dump " MARGIN " --grad --axis P=8 --axis K=3 --bare --dump-dir b", 0, "");
    same_file(p, file_of(p, "a", "fuse.tir"), "a", "b");
    same_file(p, file_of(p, "a", "asm.s"), "a", "b");
    // Without sizes there are no kernels.
    gives(p, "dump " MARGIN " --dump-dir open", 0, "warning[E0904]: margin_loss: the size of P is not known");
    assert_non_null(file_of(p, "open", "fuse.tir"));
    assert_null(file_of(p, "open", "kernel.txt"));
    put(p, "file", "");
    gives(p, "dump " MARGIN " --dump-dir file/x", 1, "E0702");
}

static void test_dump(void **state) {
    place *p = *state;
    gives(p, "dump '" TERCET_SOURCE_DIR "/examples/stories/stories.tct' --list", 0,
          "graph value_step(m: LlamaReward, tokens: i32[B, T], mask: bool[B, T], |pipeline stories  "
          "|stories.tct:177");
    gives(p, "dump " MARGIN " --after cse", 0, "graph margin_loss {|margin.tct:8:12");
    gives(p, "dump " MARGIN " --after ir --bare", 0, ": f32 = div %");
    assert_null(strstr(log_of(p), "margin.tct"));
    gives(p, "dump " MARGIN " --grad --after grad", 0, "grad.reward = %|by grad");
    gives(p, "dump " MARGIN " --after grad", 1, "E0602|there is no phase called 'grad'");
    gives(p, "dump " MARGIN " --diff canonicalise#9", 1, "E0602|did you mean 'canonicalise#2'?");
    gives(p, "dump " MARGIN " --diff frobnicate", 1, "phases are: ir, drop_stops, canonicalise, fold, ");
    gives(p, "dump " MARGIN " --diff stable", 0, "; stable changed nothing\n");
    gives(p, "dump " MARGIN " --diff ir", 1, "'ir' is no pass");
    gives(p, "dump " MARGIN " --grad --diff canonicalise#2", 0,
          "--- before canonicalise#2\n+++ after canonicalise#2\n@@ -|\n-  %25: f32[P, K, J] = broadcast %24 "
          "{P, K, J} @ "
          "margin.tct:8:12 by grad\n|by canonicalise\n");
    gives(p, "dump " MARGIN " --grad --stage memory --axis P=64 --axis K=9", 0,
          "arena of |AAAAAAAA|most at step |made by\nA |margin.tct:4-8");
    gives(p, "dump " MARGIN " --stage memory --axis P=64 --axis K=9", 0, "nothing lies in the arena");
    gives(p, "dump " MARGIN " --stage ir --diff cse", 2, "stand in place of --stage");
    gives(p, "dump " MARGIN " --after cse --diff cse", 2, "exclude each other");
    gives(p, "dump " MARGIN " --pipeline x --stage ir", 1, "E0514");
    gives(p, "dump " MARGIN " --pipeline x --stage grad", 2, "come with their gradients");
}

// What is printed of a small graph, whole: tests/driver/golden/*.txt. TERCET_UPDATE=1 writes what comes out.
static void test_golden(void **state) {
    place *p = *state;
    static const char *const cases[][2] = {
        {"ir", "--stage ir"},
        {"grad", "--stage grad"},
        {"opt", "--stage opt --grad --axis P=64 --axis K=9"},
        {"kernel", "--stage kernel --grad --axis P=64 --axis K=9 --isa avx2"},
        {"memory", "--stage memory --grad --axis P=64 --axis K=9"},
        {"diff", "--diff fuse"},
        {"list", "--list"},
    };
    bool differs = false;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const char *command = tct_arena_printf(
            &p->d.arena, "'%s' dump examples/loss/margin.tct --graph margin_loss %s >'%s/log' 2>&1",
            TERCET_PROGRAM, cases[k][1], p->folder);
        assert_int_equal(system(command), 0);
        const char *got = log_of(p);
        const char *path = tct_arena_printf(&p->d.arena, "tests/driver/golden/%s.txt", cases[k][0]);
        if (getenv("TERCET_UPDATE")) assert_true(tct_file_write(&p->d, path, got, strlen(got)));
        char *want;
        assert_true(tct_file_read(&p->d, path, &want, NULL));
        if (strcmp(got, want) != 0) {
            fprintf(stderr, "%s: this comes out now:\n%s\n", path, got);
            differs = true;
        }
        tct_heap_free(want);
    }
    assert_false(differs);
}

static void test_opt(void **state) {
    place *p = *state;
    gives(p, "dump " MARGIN " --stage ir --axis P=8 --axis K=3", 0, "");
    assert_int_equal(
        rename(tct_path_join(&p->d.arena, p->folder, "log"), tct_path_join(&p->d.arena, p->folder, "m.tir")),
        0);
    gives(p, "opt m.tir --passes early,grad,default,fuse --verify-each", 0, "fused|grad.step = |by grad");
    gives(p, "opt m.tir", 0, "fused");
    gives(p, "opt m.tir --stage plan --isa avx2", 0, "plan margin_loss|loop_");
#define LAYER                                                                                                \
    "dump '" TERCET_SOURCE_DIR                                                                               \
    "/examples/passes/passes.tct' --graph layer --axis B=256 --axis C=96 --axis F=128 --stage plan"
    gives(p, LAYER " --isa amx", 0, "256x128x96 bf16 pieces 3x3 a turned b copied");
    gives(p, LAYER " --isa avx512bf16", 0, "256x128x96 tiles a ");
    gives(p, "opt m.tir --passes grad,cse --from grad --after cse", 0, "graph margin_loss {");
    gives(p, "opt m.tir --from cse --after fold", 1,
          "E0602|phase 'fold' is over where the graph stands, at 'cse'");
    gives(p, "opt m.tir --from sce", 1, "E0602|did you mean 'cse'?");
    gives(p, "opt m.tir --stage ir", 2, "--stage is kernel, llvm, asm, plan or memory");
    gives(p, "opt m.tir --passes cse,dce -o out.tir --time-passes --stats", 0,
          "rewritten\n; cse |; dce |; all |%");
    gives(p, "opt out.tir --passes cse --diff cse", 0, "; cse changed nothing\n");
    gives(p, "opt m.tir --passes cse,grad --stats --json", 0, "");
    json_error_t error;
    json_t *all = json_loads(log_of(p), 0, &error), *cse = json_array_get(json_object_get(all, "passes"), 0),
           *grad = json_array_get(json_object_get(all, "passes"), 1);
    assert_string_equal(json_string_value(json_object_get(cse, "pass")), "cse");
    assert_int_equal(json_integer_value(json_object_get(cse, "removed")), 3);
    assert_int_equal(json_integer_value(json_object_get(cse, "made")), 0);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(cse, "removed_by_operation"), "const")), 2);
    assert_int_equal(json_integer_value(json_object_get(grad, "removed")), 0);
    assert_int_equal(json_integer_value(json_object_get(grad, "nodes")), 46);
    assert_true(json_is_real(json_object_get(grad, "seconds")));
    json_decref(all);
}

static void test_no_graphs(void **state) {
    place *p = *state;
    gives(p, "dump " MARGIN " --stage grad", 0, "");
    const char *text = log_of(p);
    size_t len = strlen(text), step = len / 23;
    // Cut off anywhere: a message, and no crash.
    for (size_t n = 0; n < len - 2; n += step) {
        put(p, "cut.tir", tct_arena_strndup(&p->d.arena, text, n));
        gives(p, "opt cut.tir --passes default,fuse", 1, "error[E06|cut.tir");
    }
    gives(p, tct_arena_printf(&p->d.arena, "opt '%s'", TERCET_PROGRAM), 1,
          "E0604|bytes that are no text|tercet dump");
    gives(p, "opt '" TERCET_SOURCE_DIR "/examples/loss/margin.tct'", 1, "E06");
    put(p, "a.json", "{\"graph\": 1}");
    gives(p, "opt a.json", 1, "E0604|this is no graph in text form");
    put(p, "empty.tir", "");
    gives(p, "opt empty.tir", 1, "E0604|it is empty");
    gives(p, "opt .", 1, "E0701");
    put(p, "old.tir", "graph g { %0: f32 = const 1 %1: f32 = quantize %0 return y = %1 }");
    gives(p, "opt old.tir", 1, "E0601|found 'quantize'|may be of another version of Tercet");
    put(p, "nothing.tir", "graph g { return }");
    gives(p, "opt nothing.tir --passes early,grad", 1, "E0620|no result");
}

int main(void) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 0);
#define TEST(function) cmocka_unit_test_setup_teardown(function, place_open, place_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_phase_goes_on),
        cmocka_unit_test(test_phases_of_a_pipeline),
        TEST(test_dump_dir),
        TEST(test_dump),
        TEST(test_golden),
        TEST(test_opt),
        TEST(test_no_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
