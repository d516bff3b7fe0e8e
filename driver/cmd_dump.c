// tercet dump: what a graph is at any stage between text and machine code.
#include "base/file.h"
#include "driver/dot.h"
#include "driver/driver.h"
#include "driver/dump_graph.h"
#include "driver/graph_options.h"
#include "driver/page.h"
#include "driver/phase_options.h"
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
    STAGE_MEMORY,
    STAGE_PROGRAM,
    N_STAGES,
} dump_stage;

static const char *const stage_names[N_STAGES] = {"ast",  "ir",  "grad", "opt",    "kernel",
                                                  "llvm", "asm", "plan", "memory", "program"};

typedef enum dump_format { FORMAT_TEXT, FORMAT_HTML, FORMAT_DOT, N_FORMATS } dump_format;

static const char *const format_names[N_FORMATS] = {"text", "html", "dot"};

typedef struct dump_arguments {
    tct_graph_options graph;
    tct_phase_options phases;
    const char *stage_name, *pipeline;
    dump_stage stage;
    dump_format format;
    bool grad, list, mixed;
} dump_arguments;

enum { KEY_STAGE = 256, KEY_GRAD, KEY_PIPELINE, KEY_LIST, KEY_FORMAT, KEY_PRECISION };

static const struct argp_option options[] = {
    {"stage", KEY_STAGE, "STAGE", 0,
     "ast, ir, grad (differentiated), opt (what passes and fusion make of it), kernel, llvm, asm, plan, "
     "memory (the memory plan, as a chart), or program (a pipeline's code, without --graph)",
     0},
    {"grad", KEY_GRAD, NULL, 0, "Differentiate first, for opt and what comes after it", 0},
    {"precision", KEY_PRECISION, "TYPE", 0,
     "Factors of large products, for opt and what comes after it: f32 or bf16", 0},
    {"pipeline", KEY_PIPELINE, "NAME", 0,
     "A pipeline: --graph names one of the graphs that it runs, --list lists them", 0},
    {"list", KEY_LIST, NULL, 0, "List the graphs and pipelines of the file, or the graphs of --pipeline", 0},
    {"format", KEY_FORMAT, "text|html|dot", 0,
     "text; html: one page with all stages beside each other, of a graph or, without --graph, of all graphs "
     "of a pipeline; dot: a graph for Graphviz, after a pass or at the stage ir, grad or opt (the default)",
     0},
    {0},
};

static bool shows_phases(const dump_arguments *o) {
    return o->phases.after || o->phases.diff || o->phases.dump_dir;
}

static void check_format(dump_arguments *o, struct argp_state *state) {
    if (o->format == FORMAT_HTML) {
        if (o->stage_name || shows_phases(o))
            argp_error(state, "--format html shows every stage; leave --stage out, and --after and its like");
        if (isatty(STDOUT_FILENO))
            argp_error(state, "--format html writes a page of megabytes; send it to a file: > page.html");
    } else if (o->format == FORMAT_DOT) {
        if (!o->stage_name && !o->phases.after) o->stage_name = stage_names[o->stage = STAGE_OPT];
        bool graph = o->stage == STAGE_IR || o->stage == STAGE_GRAD || o->stage == STAGE_OPT;
        if (o->stage_name && !graph)
            argp_error(state, "--format dot draws the stages ir, grad and opt, not %s", o->stage_name);
        if (o->phases.diff || o->phases.dump_dir) argp_error(state, "--format dot draws one graph");
    }
}

static void check_arguments(dump_arguments *o, struct argp_state *state) {
    if (o->list) return;
    check_format(o, state);
    if (o->format == FORMAT_HTML && o->grad && (o->pipeline || !o->graph.graph))
        argp_error(state, "graphs of a pipeline come with their gradients; leave --grad out");
    if (o->format == FORMAT_HTML) return;
    if (shows_phases(o) && o->stage_name)
        argp_error(state, "--after, --diff and --dump-dir stand in place of --stage");
    if (!shows_phases(o) && !o->stage_name) argp_error(state, "--stage STAGE is missing");
    bool whole_file = o->stage_name && (o->stage == STAGE_AST || o->stage == STAGE_PROGRAM);
    if (!o->graph.graph && !whole_file)
        argp_error(state, "--graph NAME is missing; --list shows what there is");
    if (o->pipeline && (o->grad || (o->stage_name && o->stage == STAGE_GRAD)))
        argp_error(state, "graphs of a pipeline come with their gradients: --stage ir shows them");
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    dump_arguments *o = state->input;
    switch (key) {
    case KEY_STAGE:
        o->stage_name = arg;
        for (o->stage = 0; o->stage < N_STAGES && strcmp(stage_names[o->stage], arg) != 0;) o->stage++;
        if (o->stage == N_STAGES)
            argp_error(state,
                       "--stage is ast, ir, grad, opt, kernel, llvm, asm, plan, memory or program, not `%s`",
                       arg);
        return 0;
    case KEY_PRECISION:
        if (strcmp(arg, "f32") != 0 && strcmp(arg, "bf16") != 0)
            argp_error(state, "--precision takes f32 or bf16, not `%s`", arg);
        o->mixed = strcmp(arg, "bf16") == 0;
        return 0;
    case KEY_GRAD:
        o->grad = true;
        return 0;
    case KEY_PIPELINE:
        o->pipeline = arg;
        return 0;
    case KEY_LIST:
        o->list = true;
        return 0;
    case KEY_FORMAT:
        for (o->format = 0; o->format < N_FORMATS && strcmp(format_names[o->format], arg) != 0;) o->format++;
        if (o->format == N_FORMATS) argp_error(state, "--format is text, html or dot, not `%s`", arg);
        return 0;
    case ARGP_KEY_INIT:
        o->graph.no_graph = true;
        state->child_inputs[0] = &o->graph;
        state->child_inputs[1] = &o->phases;
        return 0;
    case ARGP_KEY_END:
        check_arguments(o, state);
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

// The file in its canonical layout: the first phase.
static bool write_source(tct_diag *d, const dump_arguments *o, const tct_dump_graph *g) {
    const tct_package *p = o->pipeline ? &g->package : &g->file.package;
    tct_buf text = {0};
    const char *path = tct_path_join(&d->arena, o->phases.dump_dir, "00-ast.tct");
    bool ok = tct_make_dir(d, o->phases.dump_dir) &&
              tct_format(d, p->files.data[p->files.len - 1]->file, &text) &&
              tct_file_write(d, path, text.data ? text.data : "", text.len);
    tct_buf_free(&text);
    return ok;
}

static bool dump_graph(tct_diag *d, const dump_arguments *o, tct_dump_graph *g, tct_buf *out) {
    bool stage = o->stage_name != NULL, code = stage && o->stage >= STAGE_KERNEL, grad = o->grad;
    if (stage && o->stage == STAGE_GRAD) grad = true;
    if (code && !o->pipeline && !tct_graph_sizes_known(d, &g->file, g->graph)) return false;
    if (o->phases.dump_dir && !write_source(d, o, g)) return false;
    tct_phases_shown show = {.options = &o->phases,
                             .passes = grad ? "early,grad,default,fuse" : "default,fuse"};
    if (o->mixed || g->graph->mixed) show.passes = grad ? "early,grad,mixed,fuse" : "mixed,fuse";
    if (stage && o->stage != STAGE_OPT) show.stage = o->stage_name;
    if (o->format == FORMAT_DOT) show.print = tct_dot_print;
    return tct_phases_show(d, g->graph, &show, out);
}

static bool dump_program(tct_diag *d, const tct_graph_request *r, const char *pipeline, tct_buf *out) {
    tct_dump_graph g = {0};
    bool ok = tct_dump_pipeline_open(d, r, pipeline, &g);
    if (ok) tct_program_print(&g.draft->program, out);
    tct_dump_graph_close(&g);
    return ok;
}

// Of a graph of the file.
static bool write_page(tct_diag *d, const dump_arguments *o, const tct_dump_graph *g, tct_buf *out) {
    tct_page_graph one = {.name = o->graph.graph, .graph = g->graph};
    tct_page_request page = {o->graph.graph, &g->file.package, o->phases.isa, o->grad, &one, 1};
    return tct_graph_sizes_known(d, &g->file, g->graph) && tct_page_write(d, &page, out);
}

// Of all graphs of a pipeline, or of the one that was opened.
static bool write_pipeline_page(tct_diag *d, const dump_arguments *o, const tct_dump_graph *g, tct_buf *out) {
    const tct_page_graph *graphs = tct_page_program_graphs(d, g->draft);
    tct_page_request page = {g->draft->program.name, &g->package, o->phases.isa, o->grad, graphs,
                             g->draft->n_graphs};
    for (uint32_t k = 0; g->graph && k < g->draft->n_graphs; k++) {
        if (graphs[k].graph != g->graph) continue;
        page.title = o->graph.graph;
        page.graphs = &graphs[k];
        page.n_graphs = 1;
    }
    return tct_page_write(d, &page, out);
}

static bool dump_page(tct_diag *d, const dump_arguments *o, const tct_graph_request *r, tct_buf *out) {
    tct_dump_graph g = {0};
    bool ok =
        r->graph ? tct_dump_graph_open(d, r, o->pipeline, &g) : tct_dump_pipeline_open(d, r, o->pipeline, &g);
    if (ok) ok = g.draft ? write_pipeline_page(d, o, &g, out) : write_page(d, o, &g, out);
    tct_dump_graph_close(&g);
    return ok;
}

static bool dump(tct_diag *d, const dump_arguments *o, tct_buf *out) {
    tct_graph_request r = tct_graph_options_request(&o->graph);
    if (o->list) return tct_dump_list(d, &r, o->pipeline, out);
    if (o->format == FORMAT_HTML) return dump_page(d, o, &r, out);
    if (o->stage_name && o->stage == STAGE_AST) return dump_ast(d, &r, out);
    if (o->stage_name && o->stage == STAGE_PROGRAM) return dump_program(d, &r, o->pipeline, out);
    tct_dump_graph g = {0};
    bool ok = tct_dump_graph_open(d, &r, o->pipeline, &g) && dump_graph(d, o, &g, out);
    tct_dump_graph_close(&g);
    return ok;
}

int tct_cmd_dump(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&tct_graph_argp, 0, NULL, 0}, {&tct_phase_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse_option,
                                     "FILE",
                                     "Prints a graph at a stage of its compilation, after a pass, or what a "
                                     "pass changed. Sizes that aren't known are printed as ?; from the stage "
                                     "kernel on all must be given.",
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
