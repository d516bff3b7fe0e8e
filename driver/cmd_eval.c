// tercet eval: runs one graph of a file on tensors from a file.
#include "base/file.h"
#include "driver/driver.h"
#include "driver/evaluate.h"
#include "driver/graph_options.h"
#include "driver/jit_options.h"

#include <stdlib.h>
#include <string.h>

typedef struct eval_arguments {
    tct_graph_options graph;
    const char *in, *out, *isa, *trace;
    bool grad, interp, f64;
    int threads;
    tct_jit_options jit;
} eval_arguments;

enum { KEY_IN = 256, KEY_OUT, KEY_GRAD, KEY_INTERP, KEY_F64, KEY_ISA, KEY_TRACE };

static const struct argp_option options[] = {
    {"in", KEY_IN, "FILE", 0,
     "safetensors file with the inputs by parameter name, a model's parameters dotted (m.body.wte)", 0},
    {"out", KEY_OUT, "FILE", 0, "safetensors file for the results by name; `out` for one without a name", 0},
    {"grad", KEY_GRAD, NULL, 0, "Write grad.INPUT of the first result, a scalar, for every float input", 0},
    {"interp", KEY_INTERP, NULL, 0, "Use the reference interpreter, not compiled code", 0},
    {"f64", KEY_F64, NULL, 0, "Hold and compute all floats in f64 (with the interpreter)", 0},
    {"threads", 't', "N", 0, "Threads (default: all cores). The results don't depend on it", 0},
    {"isa", KEY_ISA, "SET", 0,
     "Compile for base, avx2, avx512, avx512bf16 or amx (default: the best of this machine)", 0},
    {"trace", KEY_TRACE, "FILE", 0,
     "Write what every kernel took as a trace for ui.perfetto.dev, and a table of the most expensive ones",
     0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    eval_arguments *o = state->input;
    switch (key) {
    case KEY_IN:
        o->in = arg;
        return 0;
    case KEY_OUT:
        o->out = arg;
        return 0;
    case KEY_GRAD:
        o->grad = true;
        return 0;
    case KEY_INTERP:
        o->interp = true;
        return 0;
    case KEY_F64:
        o->f64 = o->interp = true;
        return 0;
    case KEY_ISA:
        o->isa = arg;
        return 0;
    case KEY_TRACE:
        o->trace = arg;
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
        state->child_inputs[0] = &o->graph;
        state->child_inputs[1] = &o->jit;
        return 0;
    case ARGP_KEY_END:
        if (!o->out) argp_error(state, "--out FILE is missing");
        if (o->trace && o->interp)
            argp_error(state, "--trace is of compiled kernels; the interpreter has none");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool run(tct_diag *d, const eval_arguments *o, const tct_bound *b, tct_tensor *outputs) {
    const char *folder = tct_path_dir(&d->arena, o->graph.file);
    if (o->interp) return tct_evaluate_interp(d, b, folder, o->f64, outputs);
    tct_compiler *c = tct_jit_compiler(d, &o->jit, o->isa, o->threads);
    if (c) tct_compiler_libraries(c, folder);
    const tct_plan *plan = c ? tct_compile_graph(d, c, b->graph, NULL) : NULL;
    if (plan) tct_jit_say(&o->jit, c);
    bool ok = plan && tct_evaluate_plan(d, b, plan, o->threads, o->trace, outputs);
    if (c) tct_compiler_free(c);
    return ok;
}

static bool evaluate(tct_diag *d, const eval_arguments *o, tct_bound *b) {
    if (o->grad) b->graph = tct_graph_gradient(d, b->graph, NULL);
    if (!b->graph) return false;
    size_t n = b->graph->outputs.len;
    tct_tensor *outputs = TCT_NEW_ARRAY(&d->arena, tct_tensor, n + 1);
    if (!run(d, o, b, outputs)) return false;
    tct_safetensors_writer *w = tct_safetensors_writer_new(o->out);
    for (size_t k = 0; k < n; k++) tct_safetensors_writer_add(w, b->graph->outputs.data[k].name, &outputs[k]);
    bool ok = tct_safetensors_writer_finish(d, w);
    for (size_t k = 0; k < n; k++) tct_tensor_free(&outputs[k]);
    return ok;
}

int tct_cmd_eval(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&tct_graph_argp, 0, NULL, 0}, {&tct_jit_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse_option,
        "FILE",
        "Runs a graph on tensors. Sizes of axes are those of the tensors in the order of the declaration; "
        "dimensions for "
        "`..` come first. Scalars are tensors without axes, or given with --set, or have their defaults.",
        children,
        NULL,
        NULL};
    eval_arguments o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    tct_diag d = {.max_errors = TCT_MAX_ERRORS};
    tct_graph_request r = tct_graph_options_request(&o.graph);
    tct_safetensors *in = o.in ? tct_safetensors_open(&d, o.in) : NULL;
    tct_bound b = {0};
    if ((in || !o.in) && tct_bind_inputs(&d, &r, in, "", o.f64, &b)) evaluate(&d, &o, &b);
    int status = tct_report(&d);
    tct_bound_free(&b);
    if (in) tct_safetensors_close(in);
    tct_graph_options_free(&o.graph);
    return status;
}
