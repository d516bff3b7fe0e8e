// tercet explain: which operations became which kernel, why the others are apart, and what it costs.
#include "base/file.h"
#include "driver/compile_program.h"
#include "driver/driver.h"
#include "driver/explain.h"
#include "driver/graph_options.h"
#include "driver/jit_options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct explain_arguments {
    tct_graph_options graph;
    tct_jit_options jit;
    const char *pipeline, *isa;
    bool grad, measure, json;
    int threads;
} explain_arguments;

enum { KEY_GRAD = 256, KEY_PIPELINE, KEY_ISA, KEY_MEASURE, KEY_JSON };

static const struct argp_option options[] = {
    {"grad", KEY_GRAD, NULL, 0, "The graph with the gradients of its first result", 0},
    {"pipeline", KEY_PIPELINE, "NAME", 0,
     "A graph of this pipeline, by the number or the name of --graph; without --graph: what graphs there are",
     0},
    {"measure", KEY_MEASURE, NULL, 0,
     "Run it on random numbers: time, rates and share of peak of every kernel", 0},
    {"json", KEY_JSON, NULL, 0, "As JSON, with everything", 0},
    {"threads", 't', "N", 0, "Threads (default: all cores)", 0},
    {"isa", KEY_ISA, "SET", 0,
     "Compile for base, avx2, avx512, avx512bf16 or amx (default: the best of this machine)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    explain_arguments *o = state->input;
    switch (key) {
    case KEY_GRAD:
        o->grad = true;
        return 0;
    case KEY_PIPELINE:
        o->pipeline = arg;
        return 0;
    case KEY_MEASURE:
        o->measure = true;
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case KEY_ISA:
        o->isa = arg;
        return 0;
    case 't': {
        char *end;
        long n = strtol(arg, &end, 10);
        if (end == arg || *end || n < 1 || n > 1024)
            argp_error(state, "--threads takes a number from 1 to 1024, not `%s`", arg);
        o->threads = (int)n;
        return 0;
    }
    case ARGP_KEY_INIT:
        o->graph.no_graph = true;
        state->child_inputs[0] = &o->graph;
        state->child_inputs[1] = &o->jit;
        return 0;
    case ARGP_KEY_END:
        if (!o->graph.graph && !o->pipeline) argp_error(state, "--graph NAME is missing");
        if (!o->graph.graph && o->measure) argp_error(state, "--measure needs --graph: one graph at a time");
        if (o->pipeline && (o->grad || o->graph.axes.len || o->graph.models.len))
            argp_error(state,
                       "graphs of a pipeline have their gradients, sizes and models: --grad, --axis and "
                       "--model are for graphs by themselves");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool explain(tct_diag *d, const explain_arguments *o, tct_graph *g, tct_buf *out) {
    tct_compiler *c = tct_jit_compiler(d, &o->jit, o->isa, o->threads);
    if (c) tct_compiler_libraries(c, tct_path_dir(&d->arena, o->graph.file));
    tct_explanation e = {0};
    tct_pool *pool = o->measure ? tct_pool_new(o->threads) : NULL;
    tct_trace *trace = NULL;
    tct_isa isa = tct_isa_host();
    if (o->isa) tct_isa_parse(o->isa, &isa);
    bool ok = c && tct_explanation_make(d, c, g, o->measure, NULL, &e);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    tct_peak_assume(isa, o->threads ? o->threads : cores > 0 ? (int)cores : 1, &e.peak);
    if (ok && o->measure) {
        trace = tct_trace_open(d, pool, NULL, 0);
        ok = trace && tct_explanation_measure(d, g, pool, trace, &e);
    }
    if (ok && o->json)
        tct_explain_json(&e, out);
    else if (ok)
        tct_explain_text(&e, out);
    tct_trace_close(d, trace);
    tct_explanation_free(&e);
    tct_pool_free(pool);
    tct_compiler_free(c);
    return ok;
}

static bool explain_graph(tct_diag *d, const explain_arguments *o, tct_buf *out) {
    tct_graph_request r = tct_graph_options_request(&o->graph);
    tct_graph_file f = {0};
    tct_graph *g = tct_graph_open(d, &r, &f) ? tct_graph_build(d, &f, NULL, 0) : NULL;
    bool ok = g && tct_graph_sizes_known(d, &f, g);
    if (ok && o->grad) ok = (g = tct_graph_gradient(d, g, NULL)) != NULL;
    ok = ok && explain(d, o, g, out);
    tct_graph_close(&f);
    return ok;
}

// --- Pipelines ---

// The first instruction that runs graph `i`, NULL for none.
static const tct_instr *runner_of(const tct_program *p, uint32_t i) {
    for (uint32_t k = 0; k < p->n_instrs; k++)
        if (p->instrs[k].op == TCT_I_RUN && p->runs[p->instrs[k].a].plan == i) return &p->instrs[k];
    return NULL;
}

// The stage that it stands in, or what else runs graph `i`.
static const char *stage_of(const tct_program *p, const tct_instr *at, uint32_t i) {
    for (uint32_t s = 0; s < p->n_stages && at; s++)
        if (at >= p->instrs + p->stages[s].begin && at < p->instrs + p->stages[s].end)
            return p->stages[s].name;
    for (uint32_t k = 0; k < p->n_generators; k++) {
        if (p->generators[k].prefill == i) return "generate, prompts";
        if (p->generators[k].step == i) return "generate, a token";
        if (p->generators[k].convert == i) return "generate, weights";
    }
    return "";
}

static void list_graphs(const tct_diag *d, const tct_draft *draft, tct_buf *out) {
    tct_buf_printf(out, "%6s  %-16s %-20s %6s  %s\n", "graph", "name", "stage", "nodes", "source");
    for (uint32_t i = 0; i < draft->n_graphs; i++) {
        const tct_instr *at = runner_of(&draft->program, i);
        tct_buf_printf(out, "%6u  %-16s %-20s %6zu  ", i, draft->graphs[i]->name,
                       stage_of(&draft->program, at, i), draft->graphs[i]->nodes.len);
        tct_explain_place(d, at ? at->span : TCT_NO_SPAN, out);
        tct_buf_putc(out, '\n');
    }
}

static tct_graph *find_graph(tct_diag *d, const tct_draft *draft, const char *name) {
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (end != name && !*end && number < draft->n_graphs) return draft->graphs[number];
    const char **names = TCT_NEW_ARRAY(&d->arena, const char *, draft->n_graphs + 1);
    for (uint32_t i = 0; i < draft->n_graphs; i++) {
        names[i] = draft->graphs[i]->name;
        if (strcmp(names[i], name) == 0) return draft->graphs[i];
    }
    tct_error(d, "E0902", TCT_NO_SPAN, "pipeline %s has no graph `%s`", draft->program.name, name);
    const char *near = tct_nearest(name, names, draft->n_graphs);
    if (near)
        tct_help(d, "did you mean %s?", near);
    else
        tct_help(d, "it has %u graphs, from 0 on; without --graph they are listed", draft->n_graphs);
    return NULL;
}

static bool explain_pipeline(tct_diag *d, const explain_arguments *o, tct_buf *out) {
    tct_package package = {0};
    bool ok = tct_package_load(d, &package, o->graph.file, tct_std_dir(&d->arena));
    if (ok) {
        tct_ir_module *module = tct_ir_module_new();
        tct_elab *e = tct_elab_new(d, &package, o->graph.sets.data, o->graph.sets.len);
        tct_draft *draft = d->n_errors ? NULL : tct_elab_program(e, module, o->pipeline, &tct_driver_hooks);
        tct_graph *g = draft && o->graph.graph ? find_graph(d, draft, o->graph.graph) : NULL;
        ok = draft && (g || !o->graph.graph);
        if (ok && g)
            ok = explain(d, o, g, out);
        else if (ok)
            list_graphs(d, draft, out);
        tct_elab_free(e);
        tct_ir_module_free(module);
    }
    tct_package_free(&package);
    return ok;
}

int tct_cmd_explain(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&tct_graph_argp, 0, NULL, 0}, {&tct_jit_argp, 0, "Compiling:", 1}, {0}};
    static const struct argp argp = {
        options,
        parse_option,
        "FILE",
        "Says which operations became which kernel, why neighbours didn't become one, what is kept and what "
        "is "
        "computed again for the backward pass, and what every kernel computes and moves. All sizes must be "
        "known (--axis, --set, --model).",
        children,
        NULL,
        NULL};
    explain_arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_buf text = {0};
    if (o.pipeline ? explain_pipeline(&d, &o, &text) : explain_graph(&d, &o, &text)) tct_write_out(&d, &text);
    tct_buf_free(&text);
    tct_graph_options_free(&o.graph);
    return tct_report(&d);
}
