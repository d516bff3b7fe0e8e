// tercet build: compiles a pipeline ahead of time into an executable.
#include "base/file.h"
#include "driver/assemble.h"
#include "driver/compile_program.h"
#include "driver/driver.h"
#include "driver/library_options.h"
#include "driver/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct build {
    tct_compile_request compile;
    tct_library_request library; // its sets are those of a trainer as well
    const char *out, *linker;
    tct_isa isas[TCT_N_ISAS]; // ascending
    uint32_t n_isas;
    TCT_VEC(const char *) links; // files with the foreign functions
} build;

enum { KEY_ISA = 256, KEY_LINK, KEY_LINKER, KEY_PIPELINE };

static const struct argp_option options[] = {
    {"output", 'o', "TRAINER", 0, "The executable to write", 0},
    {"set", 's', "KEY=VALUE", 0, "Give a config value, which is the trainer's default then", 0},
    {"isa", KEY_ISA, "SET,...", 0,
     "Instruction sets to carry code for, of base, avx2, avx512, avx512bf16, amx (default: all but base)", 0},
    {"link", KEY_LINK, "FILE", 0,
     "Take the foreign functions of the program from this object file or archive, into the trainer. May be "
     "given more "
     "than once; all must be in one of them",
     0},
    {"linker", KEY_LINKER, "LD", 0, "The linker (default: the first of ld.lld-19, ld.lld, ld in PATH)", 0},
    {"threads", 't', "N", 0, "Threads that compile (default: all cores)", 0},
    {"pipeline", KEY_PIPELINE, "NAME", 0, "Which pipeline, where the file has several", 0},
    {0},
};

static void parse_sets(struct argp_state *state, build *b, char *arg) {
    bool wanted[TCT_N_ISAS] = {false};
    char *rest;
    for (char *name = strtok_r(arg, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        tct_isa isa;
        if (!tct_isa_parse(name, &isa))
            argp_error(state, "--isa takes base, avx2, avx512, avx512bf16 and amx, not `%s`", name);
        else
            wanted[isa] = true;
    }
    b->n_isas = 0;
    for (int i = 0; i < TCT_N_ISAS; i++)
        if (wanted[i]) b->isas[b->n_isas++] = (tct_isa)i;
    if (!b->n_isas) argp_error(state, "--isa needs an instruction set");
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    build *b = state->input;
    switch (key) {
    case 'o':
        b->out = arg;
        return 0;
    case 's': {
        char *equals = strchr(arg, '=');
        if (!equals || equals == arg) argp_error(state, "--set takes KEY=VALUE, not `%s`", arg);
        *equals = 0;
        TCT_PUSH(tct_library_sets(&b->library), (tct_setting){arg, equals + 1});
        return 0;
    }
    case KEY_ISA:
        parse_sets(state, b, arg);
        return 0;
    case KEY_LINK:
        TCT_PUSH(&b->links, arg);
        return 0;
    case KEY_LINKER:
        b->linker = arg;
        return 0;
    case 't': {
        char *end;
        long n = strtol(arg, &end, 10);
        if (end == arg || *end || n < 1 || n > 1024)
            argp_error(state, "--threads takes a number from 1 to 1024, not `%s`", arg);
        b->compile.threads = (int)n;
        return 0;
    }
    case KEY_PIPELINE:
        b->compile.pipeline = b->library.pipeline = arg;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &b->compile.jit;
        state->child_inputs[1] = &b->library;
        return 0;
    case ARGP_KEY_ARG:
        if (b->compile.file) argp_error(state, "one FILE, please; `%s` is a second", arg);
        b->compile.file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    case ARGP_KEY_END:
        if (!b->out && !b->library.out)
            argp_error(state, "-o says which executable to write, or --lib which library");
        if (b->out && b->library.out) argp_error(state, "-o or --lib, not both");
        if (b->library.out && b->links.len)
            argp_error(state, "--link is for trainers: programs that use a library link what it calls");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void tell(const build *b, const tct_compiled *c, const char *linker) {
    struct stat st = {0};
    if (stat(b->out, &st) != 0) st.st_size = 0;
    const tct_compile_stats s = tct_compiler_stats(c->compiler);
    fprintf(stderr, "compiled %u graphs to %u kernels, %u of them from the cache, for", s.graphs, s.kernels,
            s.cached);
    for (uint32_t i = 0; i < b->n_isas; i++) fprintf(stderr, "%s %s", i ? "," : "", tct_isa_name(b->isas[i]));
    fprintf(stderr, " in %.2f s\nlinked with %s: %s, %.2f MB\n", c->seconds + s.code_seconds, linker, b->out,
            (double)st.st_size / 1e6);
}

static bool make(tct_diag *d, build *b, tct_compiled *c, tct_objects *objects) {
    const char *linker = tct_may_write(d, b->out) ? tct_linker(d, b->linker) : NULL;
    if (!linker || !tct_program_compile_ahead(d, &b->compile, b->isas, b->n_isas, c) ||
        !tct_assemble(
            d, c->compiler,
            &(tct_image){.program = c->draft->program, .n_variants = c->n_variants, .variants = c->variants},
            b->links.len > 0, objects) ||
        !tct_link_trainer(d, linker, objects, b->links.data, b->links.len, b->out))
        return false;
    tct_jit_say(&b->compile.jit, c->compiler);
    tell(b, c, linker);
    return true;
}

static bool make_library(tct_diag *d, build *b) {
    b->library.file = b->compile.file;
    b->library.linker = b->linker;
    b->library.isas = b->isas;
    b->library.n_isas = b->n_isas;
    b->library.threads = b->compile.threads;
    b->library.jit = b->compile.jit;
    return tct_library_build(d, &b->library);
}

int tct_cmd_build(int argc, char **argv) {
    static const struct argp_child shared[] = {
        {&tct_cache_argp, 0, NULL, 0}, {&tct_library_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse_option,
                                     "FILE",
                                     "Compiles the pipeline of a program into one executable that trains by "
                                     "itself, or graphs and a pipeline into a "
                                     "library for C programs.",
                                     shared,
                                     NULL,
                                     NULL};
    build b = {.isas = {TCT_ISA_AVX2, TCT_ISA_AVX512, TCT_ISA_AVX512BF16, TCT_ISA_AMX}, .n_isas = 4};
    argp_parse(&argp, argc, argv, 0, NULL, &b);
    b.compile.sets = b.library.sets.data;
    b.compile.n_sets = b.library.sets.len;
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_compiled c = {0};
    tct_objects objects = {0};
    if (b.library.out)
        make_library(&d, &b);
    else
        make(&d, &b, &c, &objects);
    tct_objects_free(&objects);
    tct_compiled_free(&c);
    tct_library_request_free(&b.library);
    TCT_VEC_FREE(&b.links);
    return tct_report(&d);
}
