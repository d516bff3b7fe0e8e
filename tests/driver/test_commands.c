// eval, dump and opt as processes: what they compute, what they print, and what they say about bad input.
#include "base/file.h"
#include "driver/driver.h"
#include "runtime/safetensors.h"
#include "tests/support/machine.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_TCT TERCET_SOURCE_DIR "/tests/driver/eval.tct"

// A folder of files that the commands read and write.
typedef struct place {
    tct_diag d;
    const char *folder;
    tct_safetensors_writer *writer; // of in.safetensors
    TCT_VEC(tct_tensor *) tensors;
} place;

static int setup(void **state) {
    place *p = tct_alloc(sizeof *p);
    p->folder = machine_folder(&p->d.arena);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    place *p = *state;
    machine_remove_folder(p->folder);
    TCT_VEC_FREE(&p->tensors);
    tct_diag_free(&p->d);
    free(p);
    return 0;
}

static const char *in_folder(place *p, const char *name) {
    return tct_path_join(&p->d.arena, p->folder, name);
}

// Begins in.safetensors, or goes on with it. Element i is 0.25 i + 0.125 of a float, i of an integer, i mod 3
// != 0 of a bool. shape: "2 3", "" for a scalar.
static void add(place *p, const char *name, tct_dtype dtype, const char *shape) {
    if (!p->writer) p->writer = tct_safetensors_writer_new(in_folder(p, "in.safetensors"));
    int64_t sizes[TCT_MAX_AXES];
    int n = 0;
    for (char *end; *shape; shape = *end ? end + 1 : end) sizes[n++] = strtoll(shape, &end, 10);
    tct_tensor *t = TCT_NEW(&p->d.arena, tct_tensor);
    assert_true(tct_tensor_new(&p->d, dtype, n, NULL, sizes, t));
    for (int64_t i = 0; i < tct_tensor_elements(t); i++)
        tct_tensor_set(t, i,
                       tct_dtype_is_float(dtype) ? 0.25 * (double)i + 0.125
                       : dtype == TCT_BOOL       ? (double)(i % 3 != 0)
                                                 : (double)i);
    TCT_PUSH(&p->tensors, t);
    tct_safetensors_writer_add(p->writer, name, t);
}

static void finish(place *p) {
    if (!p->writer) p->writer = tct_safetensors_writer_new(in_folder(p, "in.safetensors"));
    assert_true(tct_safetensors_writer_finish(&p->d, p->writer));
    p->writer = NULL;
    for (size_t k = 0; k < p->tensors.len; k++) tct_tensor_free(p->tensors.data[k]);
    p->tensors.len = 0;
}

// Runs `tercet ARGUMENTS` in the folder; what it printed is in its file `log`.
static int run(place *p, const char *arguments) {
    const char *command =
        tct_arena_printf(&p->d.arena, "cd '%s' && '%s' %s >log 2>&1", p->folder, TERCET_PROGRAM, arguments);
    int status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// Status, and texts that the output holds, separated by '|'.
static void gives(place *p, const char *arguments, int status, const char *texts) {
    int found = run(p, arguments);
    const char *log = machine_read(&p->d.arena, p->folder, "log");
    for (const char *at = texts; *at;) {
        size_t len = strcspn(at, "|");
        const char *text = tct_arena_strndup(&p->d.arena, at, len);
        if (found != status || !strstr(log, text)) {
            fprintf(stderr, "tercet %s: status %d\n%s\nexpected %d and \"%s\"\n", arguments, found, log,
                    status, text);
            fail();
        }
        at += len + (at[len] == '|');
    }
    assert_int_equal(found, status);
}

// tercet eval of `graph` with `more`; `--out` is out.safetensors.
static void eval(place *p, const char *graph, const char *more, int status, const char *texts) {
    const char *arguments =
        tct_arena_printf(&p->d.arena, "eval '%s' --graph %s --in in.safetensors --out out.safetensors %s",
                         FILE_TCT, graph, more);
    unlink(in_folder(p, "out.safetensors"));
    gives(p, arguments, status, texts);
    assert_true((access(in_folder(p, "out.safetensors"), F_OK) == 0) == (status == 0));
}

// A tensor of out.safetensors: its shape and elements, the rest of `values` being 0.
static void holds(place *p, const char *name, tct_dtype dtype, const char *shape, int n,
                  const double *values) {
    tct_safetensors *s = tct_safetensors_open(&p->d, in_folder(p, "out.safetensors"));
    assert_non_null(s);
    tct_tensor t;
    if (!tct_safetensors_load(&p->d, s, name, &t)) fail_msg("no %s", name);
    assert_int_equal(t.dtype, dtype);
    tct_buf sizes = {0};
    tct_buf_puts(&sizes, "");
    for (int i = 0; i < t.n_axes; i++) tct_buf_printf(&sizes, "%s%lld", i ? " " : "", (long long)t.sizes[i]);
    assert_string_equal(sizes.data, shape);
    assert_int_equal(tct_tensor_elements(&t), n);
    for (int i = 0; i < n; i++) {
        if (fabs(tct_tensor_get(&t, i) - values[i]) > 1e-5 * fmax(1, fabs(values[i])))
            fail_msg("%s[%d] is %g, not %g", name, i, tct_tensor_get(&t, i), values[i]);
    }
    tct_buf_free(&sizes);
    tct_tensor_free(&t);
    tct_safetensors_close(s);
}
#define HOLDS(p, name, dtype, shape, ...)                                                                    \
    holds(p, name, dtype, shape, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

static void f_inputs(place *p) {
    add(p, "x", TCT_F32, "2 3");
    add(p, "w", TCT_F32, "3");
    add(p, "mask", TCT_BOOL, "2 3");
}

static void test_values_and_gradients(void **state) {
    place *p = *state;
    f_inputs(p);
    finish(p);
    static const char *const how[] = {"--grad --interp", "--grad", "--grad --threads 2", "--grad --f64"};
    for (int k = 0; k < 4; k++) {
        tct_dtype t = k == 3 ? TCT_F64 : TCT_F32;
        eval(p, "f", how[k], 0, "");
        HOLDS(p, "loss", t, "", 5.8125);
        HOLDS(p, "y", t, "3 2", 1.015625, 1.109375, 1.140625, 1.421875, 1.390625, 1.859375);
        HOLDS(p, "grad.x", t, "2 3", 0, 0.375, 0.625, 0, 0.375, 0.625);
        HOLDS(p, "grad.w", t, "3", 0, 1.5, 2);
        HOLDS(p, "grad.k", t, "", 3.625); // a default is an input as well
    }
    eval(p, "f", "--set k=2 --set n=0 --set scale=1", 0, "");
    HOLDS(p, "loss", TCT_F32, "", 3.625);
    eval(p, "f", "--set negative=true", 0, "");
    HOLDS(p, "loss", TCT_F32, "", 4 - 1.8125);
}

static void test_trace(void **state) {
    place *p = *state;
    f_inputs(p);
    finish(p);
    eval(p, "f", "--grad --trace trace.json", 0, " kernels, | at |eval.tct:|peak of |trace.json: ");
    HOLDS(p, "loss", TCT_F32, "", 5.8125);
    char *text = machine_read(&p->d.arena, p->folder, "trace.json");
    json_t *root = json_loads(text, 0, NULL);
    assert_true(json_is_array(json_object_get(root, "traceEvents")));
    json_decref(root);
    eval(p, "f", "--trace no/trace.json", 1, "E0702|cannot write no/trace.json");
    gives(p, "eval " FILE_TCT " --graph f --in in.safetensors --out o --interp --trace t", 2,
          "--trace|interpreter");
    gives(p, "run x.tct --trace-limit 3", 2, "--trace-limit belongs to --trace");
    gives(p, "run x.tct --trace t --trace-limit 0", 2, "--trace-limit takes a number");
}

static void test_scalars_in_the_file(void **state) {
    place *p = *state;
    f_inputs(p);
    add(p, "k", TCT_F32, "");
    add(p, "n", TCT_I64, "");
    add(p, "negative", TCT_BOOL, "");
    finish(p);
    eval(p, "f", "", 0, "");
    HOLDS(p, "loss", TCT_F32, "", 0.453125);
    eval(p, "f", "--set n=1", 0, "");
    HOLDS(p, "loss", TCT_F32, "", 4.453125);
    add(p, "x", TCT_F32, "3");
    add(p, "n", TCT_F32, "");
    finish(p);
    eval(p, "scaled", "", 1, "E0705|n is a static int|F32 without axes");
}

static void test_open_axes(void **state) {
    place *p = *state;
    add(p, "x", TCT_F32, "2 2 2");
    finish(p);
    eval(p, "squares", "", 0, "");
    HOLDS(p, "out", TCT_F32, "2 2", 0.15625, 1.15625, 3.15625, 6.15625);
    eval(p, "total", "", 0, "");
    HOLDS(p, "out", TCT_F32, "2 2", 0.5, 1.5, 2.5, 3.5);
    eval(p, "total", "--set x.rest='P A T'", 0, "");
    HOLDS(p, "out", TCT_F32, "2 2", 0.75, 1.25, 2.75, 3.25);
    eval(p, "total", "--set x.rest='P A'", 1, "names 2 axes");
    finish(p);
    eval(p, "positions", "--axis T=3", 0, "");
    HOLDS(p, "out", TCT_I32, "3", 0, 1, 2);
    eval(p, "positions", "", 1, "E0904|T|--axis NAME=SIZE");
    eval(p, "positions", "--axis U=3", 1, "E0902|has no axis U");
}

static void test_models(void **state) {
    place *p = *state;
    add(p, "m.w", TCT_F32, "2 3");
    add(p, "x", TCT_F32, "1 2");
    finish(p);
    eval(p, "apply", "", 0, ""); // d and k are those of the tensor
    HOLDS(p, "out", TCT_F32, "1 3", 0.34375, 0.46875, 0.59375);
    eval(p, "apply", "--set m.d=4", 1, "E0330|axis D|2|4");
    eval(p, "apply", "--set m.bias=true", 1, "E0705|no tensor m.b");
    eval(p, "apply", "--set m.bios=true", 1, "E0902|no hyper-parameter bios|did you mean m.bias?");
    eval(p, "apply", "--set m=4", 1, "E0902|m is a model");
    eval(p, "apply", "--model n=folder", 1, "E0902|no model called n|did you mean m?");
    eval(p, "apply", "--model m=folder", 1, "E0504|huggingface");
    for (int l = 0; l < 2; l++) {
        add(p, l ? "m.layer.1.w" : "m.layer.0.w", TCT_F32, "2 2");
        add(p, l ? "m.layer.1.b" : "m.layer.0.b", TCT_F32, "2");
    }
    add(p, "x", TCT_F32, "1 2");
    finish(p);
    eval(p, "deep", "--grad", 0, ""); // two layers, because the file has two
    HOLDS(p, "out", TCT_F32, "", 0.44174809);
    eval(p, "deep", "--set m.layers=1", 1, "takes no tensor m.layer.1.b");
    add(p, "m.seen", TCT_F32, "2 3");
    add(p, "x", TCT_F32, "2");
    add(p, "place", TCT_I32, "2");
    finish(p);
    static const char *const how[] = {"", "--interp"};
    for (int k = 0; k < 2; k++) { // axes that the model leaves open; a model that the graph changes
        eval(p, "remember", how[k], 0, "");
        HOLDS(p, "out", TCT_F32, "", 4.5 - 0.125 - 1.125 + 0.125 + 0.375);
        HOLDS(p, "m.seen", TCT_F32, "2 3", 0.125, 0.375, 0.625, 0.875, 0.375, 1.375);
    }
}

// A file of tests/figures/llama, with `from` replaced by `to`.
static void copy_llama(place *p, const char *name, const char *from, const char *to) {
    char *text;
    size_t len;
    assert_true(
        tct_file_read(&p->d, tct_arena_printf(&p->d.arena, TERCET_SOURCE_DIR "/tests/figures/llama/%s", name),
                      &text, &len));
    tct_buf copy = {0};
    char *at = *from ? strstr(text, from) : NULL;
    assert_true(at || !*from);
    tct_buf_add(&copy, text, at ? (size_t)(at - text) : len);
    if (at) tct_buf_printf(&copy, "%s%s", to, at + strlen(from));
    assert_true(tct_file_write(&p->d, in_folder(p, tct_arena_printf(&p->d.arena, "llama/%s", name)),
                               copy.data, copy.len));
    tct_buf_free(&copy);
    tct_heap_free(text);
}

static void test_model_folders(void **state) {
    place *p = *state;
    add(p, "tokens", TCT_I32, "2 8");
    finish(p);
    assert_true(tct_make_dir(&p->d, in_folder(p, "llama")));
    copy_llama(p, "model.safetensors", "", "");
    copy_llama(p, "config.json", "", "");
    const char *arguments =
        "eval " TERCET_SOURCE_DIR "/std/model/llama.tct --graph llama_logits --in in.safetensors "
        "--model m=llama --out ";
    gives(p, tct_arena_printf(&p->d.arena, "%s a.safetensors", arguments), 0, "");
    copy_llama(p, "config.json", "10000.0", "500.0"); // rotary positions of another base give other logits
    gives(p, tct_arena_printf(&p->d.arena, "%s b.safetensors", arguments), 0, "");
    assert_int_not_equal(system(tct_arena_printf(&p->d.arena, "cmp -s '%s/a.safetensors' '%s/b.safetensors'",
                                                 p->folder, p->folder)),
                         0);
    copy_llama(p, "config.json", "\"rope_type\": \"default\"", "\"rope_type\": \"llama3\"");
    gives(p, tct_arena_printf(&p->d.arena, "%s c.safetensors", arguments), 1, "E0714|scaled (llama3)");
    copy_llama(p, "config.json", "\"silu\"", "\"gelu\"");
    gives(p, tct_arena_printf(&p->d.arena, "%s c.safetensors", arguments), 1, "E0714|hidden_act");
}

static void test_foreign_functions(void **state) {
    place *p = *state;
    add(p, "x", TCT_F32, "2 3");
    add(p, "k", TCT_F32, "");
    finish(p);
    const char *program = in_folder(p, "eval.tct"), *source = in_folder(p, "triple.c");
    char *text;
    size_t len;
    assert_true(tct_file_read(&p->d, FILE_TCT, &text, &len) && tct_file_write(&p->d, program, text, len));
    tct_heap_free(text);
    static const char c[] = "#include <stdint.h>\n"
                            "int triple(const float *x, int64_t b, int64_t t, const float *k, float *y, "
                            "int64_t yb, int64_t yt) {\n"
                            "    for (int64_t i = 0; i < b * t; i++) y[i] = *k * x[i] + (float)(i % t);\n"
                            "    return yb != b || yt != t;\n"
                            "}\n"
                            "int triple_grad(const float *x, int64_t b, int64_t t, const float *k, const "
                            "float *c, int64_t cb, int64_t ct,\n"
                            "                float *dx, int64_t xb, int64_t xt, float *dk) {\n"
                            "    *dk = 0;\n"
                            "    for (int64_t i = 0; i < b * t; i++) dx[i] = *k * c[i], *dk += c[i] * x[i];\n"
                            "    return cb != b || ct != t || xb != b || xt != t;\n"
                            "}\n";
    const char *arguments = "eval eval.tct --graph foreign --in in.safetensors --out out.safetensors --grad";
    gives(p, arguments, 1, "E0850|triple");
    assert_true(tct_file_write(&p->d, source, c, strlen(c)));
    assert_int_equal(system(tct_arena_printf(
                         &p->d.arena, "cd '%s' && cc -shared -fPIC -o libtriple.so triple.c", p->folder)),
                     0);
    static const char *const how[] = {"", " --interp", " --f64"};
    for (int k = 0; k < 3; k++) {
        tct_dtype t = k == 2 ? TCT_F64 : TCT_F32;
        gives(p, tct_arena_printf(&p->d.arena, "%s%s", arguments, how[k]), 0, "");
        HOLDS(p, "out", t, "", 13.125);
        HOLDS(p, "grad.x", t, "2 3", 0.25, 0.25, 0.25, 0.25, 0.25, 0.25);
        HOLDS(p, "grad.k", t, "", 9);
    }
}

static void test_wrong_inputs(void **state) {
    place *p = *state;
    add(p, "x", TCT_F32, "2 3");
    add(p, "w", TCT_F32, "4");
    add(p, "mask", TCT_BOOL, "2 3");
    finish(p);
    eval(p, "f", "", 1, "E0302|axis T is 3 in x and 4 in w");
    add(p, "x", TCT_F64, "2 3");
    add(p, "w", TCT_F32, "3");
    add(p, "mask", TCT_BOOL, "2 3");
    finish(p);
    eval(p, "f", "", 1, "E0705|x is f32, but the file has F64[2, 3]|torch.float32");
    eval(p, "f", "--f64", 0, "");
    add(p, "x", TCT_F32, "2 3 1");
    add(p, "weight", TCT_F32, "3");
    add(p, "mask", TCT_I32, "2 3");
    finish(p);
    eval(p, "f", "", 1,
         "x is f32[B, T], but the file has F32[2, 3, 1]|no tensor w|weight|mask is bool|torch.bool");
    f_inputs(p);
    add(p, "maks", TCT_BOOL, "2 3");
    finish(p);
    eval(p, "f", "", 1, "E0705|f takes no tensor maks|did you mean mask?");
    add(p, "x", TCT_F32, "2 3");
    finish(p);
    eval(p, "four", "", 1, "E0336|axis C is 3 here, and four demands 4");
    eval(p, "squares", "--grad", 1, "E0620|only a float scalar");
    add(p, "x", TCT_F32, "0");
    finish(p);
    eval(p, "scaled", "--set n=1", 1, "axis B is empty in x");
    eval(p, "scaled", "", 1, "E0904|n is not known|--set n=VALUE");
    assert_true(tct_file_write(&p->d, in_folder(p, "in.safetensors"), "hello", 5));
    eval(p, "f", "", 1, "E0704");
    unlink(in_folder(p, "in.safetensors"));
    eval(p, "f", "", 1, "E0701");
}

static void test_wrong_commands(void **state) {
    place *p = *state;
    f_inputs(p);
    finish(p);
    eval(p, "f", "--set x=2", 1, "E0902|x is a tensor");
    eval(p, "f", "--set k=abc", 1, "E0902|k is f32");
    eval(p, "f", "--set n=2.5", 1, "n is int");
    eval(p, "f", "--set skale=2", 1, "E0405|scale");
    eval(p, "f", "--set scale=x", 1, "scale");
    eval(p, "fourr", "", 1, "E0201|four");
    eval(p, "f", "--isa mmx", 1, "mmx");
    eval(p, "f", "--threads 0", 2, "--threads");
    eval(p, "f", "--axis B=0", 2, "--axis B");
    eval(p, "f", "--set n", 2, "NAME=VALUE");
    eval(p, "f", "--nonsense", 2, "nonsense");
    eval(p, "f", "second.tct", 2, "one FILE");
    gives(p, "eval --graph f --out o", 2, "FILE is missing");
    gives(p, "eval x.tct --out o", 2, "--graph NAME is missing");
    gives(p, "eval x.tct --graph f", 2, "--out FILE is missing");
    gives(p, "eval x.tct --graph f --out o", 1, "E0701");
    gives(p,
          tct_arena_printf(&p->d.arena, "eval '%s' --graph f --in in.safetensors --out no/where", FILE_TCT),
          1, "E0702");
    gives(p, "eval --help", 0, "--grad|--interp|--set");
    gives(p, "dump --help", 0, "--stage");
    gives(p, "opt --help", 0, "--passes");
}

static void dump(place *p, const char *graph, const char *more, int status, const char *texts) {
    gives(p,
          tct_arena_printf(&p->d.arena, "dump '%s' %s%s %s", FILE_TCT, *graph ? "--graph " : "", graph, more),
          status, texts);
}

static void test_dump(void **state) {
    place *p = *state;
    dump(p, "", "--stage ast", 0, "(graph|(pipeline");
    dump(p, "four", "--stage ast", 0, "(graph");
    dump(p, "f", "--stage ir", 0, "axis B = ?|graph f {|input #0 \"x\"|return loss = |eval.tct:");
    dump(p, "f", "--stage ir --axis B=5 --set n=2", 0, "axis B = 5|axis T = ?");
    dump(p, "f", "--stage grad", 0, "grad.x = |grad.k = ");
    dump(p, "f", "--stage opt", 0, "fused|by fuse");
    dump(p, "f", "--stage opt --grad", 0, "fused|grad.w = ");
    dump(p, "f", "--stage kernel --axis B=4 --axis T=8", 0, "loop_|%0 = ");
    dump(p, "f", "--stage llvm --axis B=4 --axis T=8", 0, "define void @loop_");
    dump(p, "f", "--stage asm --axis B=4 --axis T=8", 0, ".text|loop_");
    dump(p, "f", "--stage plan --axis B=4 --axis T=8", 0, "plan f|in0 x: f32[B=4, T=8]");
    dump(p, "", "--stage program", 0, "hello");
    dump(p, "f", "--stage kernel --axis B=4", 1, "E0904|T");
    dump(p, "scaled", "--stage grad", 1, "E0620");
    dump(p, "nothing", "--stage ir", 1, "E0201");
    dump(p, "", "--stage ir", 2, "--graph NAME is missing");
    dump(p, "f", "--stage cuda", 2, "cuda");
    dump(p, "f", "--stage ir --format svg", 2, "--format");
    dump(p, "f", "--stage ir --format html", 2, "leave --stage out");
    dump(p, "f", "--stage plan --format dot", 2, "draws the stages ir, grad and opt");
    dump(p, "f", "", 2, "--stage STAGE is missing");
}

static void test_opt(void **state) {
    place *p = *state;
    dump(p, "f", "--stage grad --axis B=4 --axis T=8", 0, "");
    assert_int_equal(rename(in_folder(p, "log"), in_folder(p, "f.tir")), 0);
    gives(p, "opt f.tir --passes early --verify-each", 0, "graph f {");
    gives(p, "opt f.tir --passes default,fuse --print-after-all", 0, "; after cse|; after fuse|fused");
    gives(p, "opt f.tir --passes cse,dce --time-passes", 0, "; cse|; dce|ms");
    gives(p, "opt f.tir --passes canonicalize", 1, "E0602|did you mean 'canonicalise'?");
    gives(p, "opt f.tir", 0, "fused");
    gives(p, "opt --passes dce", 2, "FILE is missing");
    gives(p, "opt none.tir --passes dce", 1, "E0701");
    static const char broken[] = "graph f { %0: f32 = frobnicate return out = %0 }";
    assert_true(tct_file_write(&p->d, in_folder(p, "broken.tir"), broken, strlen(broken)));
    gives(p, "opt broken.tir --passes dce", 1, "E0601|broken.tir:1");
}

int main(void) {
    setenv("TERCET_STD", TERCET_SOURCE_DIR "/std", 0);
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_values_and_gradients),
        TEST(test_trace),
        TEST(test_scalars_in_the_file),
        TEST(test_open_axes),
        TEST(test_models),
        TEST(test_model_folders),
        TEST(test_foreign_functions),
        TEST(test_wrong_inputs),
        TEST(test_wrong_commands),
        TEST(test_dump),
        TEST(test_opt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
