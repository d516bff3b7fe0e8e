// tercet dump: what a graph is at any stage between text and machine code.
#include "driver/compile_program.h"
#include "driver/dot.h"
#include "driver/driver.h"
#include "driver/graph_options.h"
#include "driver/page.h"
#include "passes/passes.h"
#include "runtime/vm.h"

#include <string.h>
#include <unistd.h>

typedef enum dump_stage {
    STAGE_AST,
    STAGE_IR,
    STAGE_GRAD,
    STAGE_OPT,
    STAGE_KERNEL,
    STAGE_LLVM,
    STAGE_ASM,
    STAGE_PLAN,
    STAGE_PROGRAM,
    N_STAGES,
} dump_stage;

static const char *const stage_names[N_STAGES] = {"ast",  "ir",  "grad", "opt",    "kernel",
                                                  "llvm", "asm", "plan", "program"};

typedef enum dump_format { FORMAT_TEXT, FORMAT_HTML, FORMAT_DOT, N_FORMATS } dump_format;

static const char *const format_names[N_FORMATS] = {"text", "html", "dot"};

typedef struct dump_arguments {
    tct_graph_options graph;
    const char *stage_name, *pipeline, *isa;
    dump_format format;
    dump_stage stage;
    bool grad;
} dump_arguments;

enum { KEY_STAGE = 256, KEY_GRAD, KEY_PIPELINE, KEY_ISA, KEY_FORMAT };

static const struct argp_option options[] = {
    {"stage", KEY_STAGE, "STAGE", 0,
     "ast, ir, grad (differentiated), opt (what passes and fusion make of it), kernel, llvm, asm, plan, or "
     "program (a "
     "pipeline's code, without --graph)",
     0},
    {"grad", KEY_GRAD, NULL, 0, "Differentiate first, for opt and what comes after it", 0},
    {"pipeline", KEY_PIPELINE, "NAME", 0, "Which pipeline, where the file has several", 0},
    {"isa", KEY_ISA, "SET", 0, "Compile for base, avx2 or avx512 (default: the best of this machine)", 0},
    {"format", KEY_FORMAT, "text|html|dot", 0,
     "text; html: one page with all stages beside each other, of a graph or, without --graph, of all graphs "
     "of a "
     "pipeline; dot: a graph for Graphviz, at the stage ir, grad or opt (the default)",
     0},
    {0},
};

static void check_format(dump_arguments *o, struct argp_state *state) {
    if (o->format == FORMAT_HTML) {
        if (o->stage_name) argp_error(state, "--format html shows every stage; leave --stage out");
        if (isatty(STDOUT_FILENO))
            argp_error(state, "--format html writes a page of megabytes; send it to a file: > page.html");
    } else if (o->format == FORMAT_DOT) {
        if (!o->stage_name) o->stage_name = stage_names[o->stage = STAGE_OPT];
        if (o->stage != STAGE_IR && o->stage != STAGE_GRAD && o->stage != STAGE_OPT)
            argp_error(state, "--format dot draws the stages ir, grad and opt, not %s", o->stage_name);
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    dump_arguments *o = state->input;
    switch (key) {
    case KEY_STAGE:
        o->stage_name = arg;
        for (o->stage = 0; o->stage < N_STAGES && strcmp(stage_names[o->stage], arg) != 0;) o->stage++;
        if (o->stage == N_STAGES)
            argp_error(state, "--stage is ast, ir, grad, opt, kernel, llvm, asm, plan or program, not `%s`",
                       arg);
        return 0;
    case KEY_GRAD:
        o->grad = true;
        return 0;
    case KEY_PIPELINE:
        o->pipeline = arg;
        return 0;
    case KEY_ISA:
        o->isa = arg;
        return 0;
    case KEY_FORMAT:
        for (o->format = 0; o->format < N_FORMATS && strcmp(format_names[o->format], arg) != 0;) o->format++;
        if (o->format == N_FORMATS) argp_error(state, "--format is text, html or dot, not `%s`", arg);
        return 0;
    case ARGP_KEY_INIT:
        o->graph.no_graph = true;
        state->child_inputs[0] = &o->graph;
        return 0;
    case ARGP_KEY_END:
        check_format(o, state);
        if (o->format == FORMAT_HTML) return 0;
        if (!o->stage_name) argp_error(state, "--stage STAGE is missing");
        if (!o->graph.graph && o->stage != STAGE_AST && o->stage != STAGE_PROGRAM)
            argp_error(state, "--graph NAME is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// The tree of the file, or of the graph alone wherever it is.
static bool dump_ast(tct_diag *d, const tct_graph_request *r, tct_buf *out) {
    tct_package package = {0};
    bool ok = tct_package_load(d, &package, r->file, tct_std_dir(&d->arena));
    if (ok && !r->graph) tct_ast_print(package.files.data[package.files.len - 1], out);
    tct_package_free(&package);
    if (!ok || !r->graph) return ok;
    tct_graph_file f = {0};
    ok = tct_graph_open(d, r, &f);
    if (ok) {
        tct_item *item = (tct_item *)(uintptr_t)tct_graph_item(&f);
        tct_ast one = {.items = &item, .n_items = 1, .file = item->span.file, .path = r->file};
        tct_ast_print(&one, out);
    }
    tct_graph_close(&f);
    return ok;
}

static bool dump_code(tct_diag *d, const dump_arguments *o, tct_graph *g, tct_buf *out) {
    static const tct_dump_stage stages[] = {TCT_DUMP_KERNEL, TCT_DUMP_LLVM, TCT_DUMP_ASM, TCT_DUMP_PLAN};
    tct_compiler *c = tct_compiler_new(d, o->isa, 0);
    tct_compile_options compile = {.defer = true};
    const tct_plan *plan = c ? tct_compile_graph(d, c, g, &compile) : NULL;
    if (plan) tct_compiler_dump(c, plan, stages[o->stage - STAGE_KERNEL], d, out);
    if (c) tct_compiler_free(c);
    return plan != NULL;
}

static bool dump_graph(tct_diag *d, const dump_arguments *o, tct_graph_file *f, tct_buf *out) {
    tct_graph *g = tct_graph_build(d, f, NULL, 0);
    if (!g) return false;
    if (o->stage >= STAGE_KERNEL && !tct_graph_sizes_known(d, f, g)) return false;
    if (o->stage == STAGE_GRAD || (o->grad && o->stage > STAGE_GRAD)) g = tct_graph_gradient(d, g, NULL);
    if (!g) return false;
    if (o->stage >= STAGE_KERNEL) return dump_code(d, o, g, out);
    if (o->stage == STAGE_OPT) g = tct_passes_run(d, g, "default,fuse", NULL);
    if (g && o->format == FORMAT_DOT)
        tct_dot_print(g, d, out);
    else if (g)
        tct_ir_print(g, out, d);
    return g != NULL;
}

static bool dump_page(tct_diag *d, const dump_arguments *o, tct_buf *out) {
    tct_graph_request r = tct_graph_options_request(&o->graph);
    tct_graph_file f = {0};
    tct_graph *g = tct_graph_open(d, &r, &f) ? tct_graph_build(d, &f, NULL, 0) : NULL;
    bool ok = false;
    if (g && tct_graph_sizes_known(d, &f, g)) {
        tct_page_graph one = {r.graph, g, NULL};
        tct_page_request page = {r.graph, &f.package, o->isa, o->grad, &one, 1};
        ok = tct_page_write(d, &page, out);
    }
    tct_graph_close(&f);
    return ok;
}

static bool dump_pipeline_page(tct_diag *d, const dump_arguments *o, tct_buf *out) {
    tct_package package = {0};
    bool ok = tct_package_load(d, &package, o->graph.file, tct_std_dir(&d->arena));
    if (ok) {
        tct_ir_module *module = tct_ir_module_new();
        tct_elab *e = tct_elab_new(d, &package, o->graph.sets.data, o->graph.sets.len);
        tct_draft *draft = d->n_errors ? NULL : tct_elab_program(e, module, o->pipeline, &tct_driver_hooks);
        if (draft) {
            tct_page_request page = {
                draft->program.name, &package, o->isa, o->grad, tct_page_program_graphs(d, draft),
                draft->n_graphs};
            ok = tct_page_write(d, &page, out);
        } else {
            ok = false;
        }
        tct_elab_free(e);
        tct_ir_module_free(module);
    }
    tct_package_free(&package);
    return ok;
}

static bool dump_program(tct_diag *d, const dump_arguments *o, tct_buf *out) {
    tct_package package = {0};
    bool ok = tct_package_load(d, &package, o->graph.file, tct_std_dir(&d->arena));
    if (ok) {
        tct_ir_module *module = tct_ir_module_new();
        tct_elab *e = tct_elab_new(d, &package, o->graph.sets.data, o->graph.sets.len);
        tct_draft *draft = d->n_errors ? NULL : tct_elab_program(e, module, o->pipeline, &tct_driver_hooks);
        if (draft) tct_program_print(&draft->program, out);
        ok = draft != NULL;
        tct_elab_free(e);
        tct_ir_module_free(module);
    }
    tct_package_free(&package);
    return ok;
}

static bool dump(tct_diag *d, const dump_arguments *o, tct_buf *out) {
    tct_graph_request r = tct_graph_options_request(&o->graph);
    if (o->format == FORMAT_HTML) return r.graph ? dump_page(d, o, out) : dump_pipeline_page(d, o, out);
    if (o->stage == STAGE_AST) return dump_ast(d, &r, out);
    if (o->stage == STAGE_PROGRAM) return dump_program(d, o, out);
    tct_graph_file f = {0};
    bool ok = tct_graph_open(d, &r, &f) && dump_graph(d, o, &f, out);
    tct_graph_close(&f);
    return ok;
}

int tct_cmd_dump(int argc, char **argv) {
    static const struct argp_child children[] = {{&tct_graph_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse_option,
                                     "FILE",
                                     "Prints a graph at a stage of its compilation. Sizes that aren't known "
                                     "are printed as ?; from the stage kernel "
                                     "on all must be given.",
                                     children,
                                     NULL,
                                     NULL};
    dump_arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_buf text = {0};
    if (dump(&d, &o, &text)) tct_write_out(&d, &text);
    tct_buf_free(&text);
    tct_graph_options_free(&o.graph);
    return tct_report(&d);
}
