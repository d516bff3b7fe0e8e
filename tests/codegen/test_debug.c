// Debug information: it says the right lines, and the code is what it is without.
#include "codegen/compile.h"
#include "tests/support/random_graph.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// Lines of a listing that aren't comments about places, in the caller's buffer.
static void without_comments(const char *text, tct_buf *out, size_t *n_comments) {
    *n_comments = 0;
    while (*text) {
        size_t len = strcspn(text, "\n");
        bool comment = strncmp(text, "\t# ", 3) == 0 || strncmp(text, "# ", 2) == 0;
        *n_comments += comment;
        if (!comment) tct_buf_add(out, text, len + 1);
        text += len + (text[len] == '\n');
    }
}

static uint32_t add_lines(tct_diag *d) {
    tct_buf text = {0};
    for (int k = 0; k < 500; k++) tct_buf_printf(&text, "line %03d\n", k + 1);
    uint32_t file = tct_diag_add_source(d, "lines.tct", text.data, text.len);
    tct_buf_free(&text);
    return file;
}

// Every node gets a line of its own, some of another file.
static void mark(tct_graph *g, const uint32_t file[2], uint32_t *line) {
    for (size_t v = 0; v < g->nodes.len; v++) {
        uint32_t at = (*line)++ % 500 * 9;
        g->nodes.data[v].span = (tct_span){file[v % 3 == 0], at, at + 4};
        if (g->nodes.data[v].attr.body) mark(g->nodes.data[v].attr.body, file, line);
    }
}

static void test_the_code_is_the_same(void **state) {
    (void)state;
    static const char *const sets[] = {"base", "avx2", "avx512"};
    size_t kernels = 0, comments = 0;
    for (uint64_t seed = 0; seed < 18; seed++) {
        tct_ir_module *m = tct_ir_module_new();
        tct_diag d = {0};
        uint32_t file[2] = {add_lines(&d), add_lines(&d)}, line = 0;
        tct_graph *g = tct_random_graph(m, &(tct_random_graph_options){.seed = seed, .n_nodes = 25});
        mark(g, file, &line);
        tct_compiler *c = tct_compiler_new(&d, sets[seed % 3], 1);
        const tct_plan *plan = tct_compile_graph(&d, c, g, &(tct_compile_options){.defer = true});
        assert_non_null(plan);
        tct_buf with = {0}, without = {0}, bare = {0};
        size_t n;
        tct_compiler_dump(c, plan, TCT_DUMP_ASM, &d, &with);
        tct_compiler_dump(c, plan, TCT_DUMP_ASM, NULL, &without);
        if (with.len) {
            without_comments(with.data, &bare, &n);
            assert_string_equal(bare.data, without.data);
            assert_null(strstr(without.data, "lines.tct"));
            comments += n;
        }
        kernels += tct_compiler_stats(c).kernels;
        tct_buf_free(&with);
        tct_buf_free(&without);
        tct_buf_free(&bare);
        tct_compiler_free(c);
        tct_diag_free(&d);
        tct_ir_module_free(m);
    }
    assert_true(kernels > 50 && comments > 5 * kernels);
}

static const char softmax[] = "source soft.tct = \"my/soft.tct\"\n"
                              "axis B = 8 axis V = 100 axis W = 100\n"
                              "graph g { %x: f32[B, V] = input #0 \"x\" @ soft.tct:3:9\n"
                              "%w: f32[V, W] = input #1 \"w\" @ soft.tct:3:20\n"
                              "%m: f32[B] = reduce_max %x {V} @ soft.tct:4:9\n"
                              "%s: f32[B, V] = sub %x, %m @ soft.tct:5:9\n"
                              "%e: f32[B, V] = exp %s @ soft.tct:6:9\n"
                              "%t: f32[B] = sum %e {V} @ soft.tct:7:9\n"
                              "%y: f32[B, V] = div %e, %t @ soft.tct:9:9\n"
                              "%z: f32[B, W] = dot %y, %w {V} @ soft.tct:12:3\n"
                              "return z = %z }";

typedef struct compiled {
    tct_diag d;
    tct_ir_module *m;
    tct_graph *g;
    tct_compiler *c;
    tct_plan *plan;
} compiled;

static void compile(compiled *x, bool ahead, bool debug) {
    *x = (compiled){.m = tct_ir_module_new()};
    x->g = tct_ir_parse(&x->d, x->m, "test.tir", softmax, strlen(softmax));
    assert_non_null(x->g);
    x->c = ahead ? tct_compiler_new_ahead((tct_isa[]){TCT_ISA_AVX2}, 1, 1)
                 : tct_compiler_new(&x->d, "avx512", 1);
    tct_compiler_debug(x->c, debug ? &x->d : NULL);
    if (ahead)
        assert_true(tct_compile_graph_ahead(&x->d, x->c, x->g, NULL, &x->plan));
    else
        x->plan = tct_compile_graph(&x->d, x->c, x->g, &(tct_compile_options){.defer = true});
    assert_non_null(x->plan);
}

static void release(compiled *x) {
    tct_compiler_free(x->c);
    tct_diag_free(&x->d);
    tct_ir_module_free(x->m);
}

static void test_places_of_kernels_and_steps(void **state) {
    (void)state;
    static const char *const expected[][7] = {
        [TCT_DUMP_KERNEL] = {"avx512: my/soft.tct:4-7, 9\n",
                             "= f32 exp %5  keep from pass 1 at 0  ; my/soft.tct:6:9\n",
                             "= f32 div %6, %7  ; my/soft.tct:9:9\n", "] = %8  ; my/soft.tct:9:9\n",
                             "; tct_gemm_"},
        [TCT_DUMP_LLVM] = {"avx512: my/soft.tct:4-7, 9\n", "fsub <16 x float>", " ; my/soft.tct:5:9\n",
                           " ; my/soft.tct:12:3\n", ") #0 {\n"},
        [TCT_DUMP_ASM] = {"\t# my/soft.tct:4\n", "\t# my/soft.tct:6\n", "\t# my/soft.tct:7\n",
                          "\t# my/soft.tct:9\n", "\t# my/soft.tct:12\n"},
        [TCT_DUMP_PLAN] = {"  ; my/soft.tct:4-7, 9\n", "  ; my/soft.tct:12\n"},
    };
    compiled x;
    compile(&x, false, false);
    for (int stage = 0; stage < 4; stage++) {
        tct_buf out = {0};
        tct_compiler_dump(x.c, x.plan, (tct_dump_stage)stage, &x.d, &out);
        for (int k = 0; k < 7 && expected[stage][k]; k++)
            if (!strstr(out.data, expected[stage][k]))
                fail_msg("no `%s` in\n%s", expected[stage][k], out.data);
        assert_null(strstr(out.data, "!dbg"));
        assert_null(strstr(out.data, ".loc"));
        tct_buf_free(&out);
    }
    release(&x);
}

// The bytes of a section of an object, NULL: it has none.
static const void *section(LLVMMemoryBufferRef object, const char *name, size_t *size) {
    const char *bytes = LLVMGetBufferStart(object);
    const Elf64_Ehdr *head = (const void *)bytes;
    const Elf64_Shdr *sections = (const void *)(bytes + head->e_shoff);
    const char *names = bytes + sections[head->e_shstrndx].sh_offset;
    for (int k = 0; k < head->e_shnum; k++)
        if (strcmp(names + sections[k].sh_name, name) == 0) {
            *size = sections[k].sh_size;
            return bytes + sections[k].sh_offset;
        }
    return NULL;
}

static void test_objects(void **state) {
    (void)state;
    compiled with, without;
    compile(&with, true, true);
    compile(&without, true, false);
    tct_objects a, b;
    assert_true(tct_compiler_objects(&with.d, with.c, &a) && tct_compiler_objects(&without.d, without.c, &b));
    assert_int_equal(a.n, b.n);
    for (size_t k = 0; k < a.n; k++) {
        static const char *const same[] = {".text", ".rodata.cst4", ".rodata.cst32"};
        for (size_t s = 0; s < sizeof same / sizeof *same; s++) {
            size_t n = 0, m = 0;
            const void *x = section(a.data[k], same[s], &n), *y = section(b.data[k], same[s], &m);
            assert_int_equal(n, m);
            if (x) assert_memory_equal(x, y, n);
        }
        size_t n;
        assert_non_null(section(a.data[k], ".debug_line", &n));
        assert_null(section(b.data[k], ".debug_line", &n));
    }
    tct_objects_free(&a);
    tct_objects_free(&b);
    release(&with);
    release(&without);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_code_is_the_same),
        cmocka_unit_test(test_places_of_kernels_and_steps),
        cmocka_unit_test(test_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
