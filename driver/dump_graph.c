#include "driver/dump_graph.h"

#include "driver/compile_program.h"
#include "driver/driver.h"

#include <string.h>

bool tct_dump_pipeline_open(tct_diag *d, const tct_graph_request *r, const char *pipeline,
                            tct_dump_graph *out) {
    if (!tct_package_load(d, &out->package, r->file, tct_std_dir(&d->arena))) return false;
    out->module = tct_ir_module_new();
    out->elab = tct_elab_new(d, &out->package, r->sets, r->n_sets);
    if (!d->n_errors) out->draft = tct_elab_program(out->elab, out->module, pipeline, &tct_driver_hooks);
    return out->draft != NULL;
}

const char *tct_dump_graph_name(tct_arena *a, const tct_draft *draft, uint32_t k) {
    const char *name = draft->graphs[k]->name;
    uint32_t times = 1;
    for (uint32_t i = 0; i < k; i++) times += strcmp(draft->graphs[i]->name, name) == 0;
    return times > 1 ? tct_arena_printf(a, "%s#%u", name, times) : name;
}

static tct_graph *find_in(tct_diag *d, const tct_draft *draft, const char *name) {
    const char **names = TCT_NEW_ARRAY(&d->arena, const char *, draft->n_graphs);
    for (uint32_t k = 0; k < draft->n_graphs; k++) {
        names[k] = tct_dump_graph_name(&d->arena, draft, k);
        if (strcmp(names[k], name) == 0) return draft->graphs[k];
    }
    tct_error(d, "E0201", TCT_NO_SPAN, "pipeline %s has no graph `%s`", draft->program.name, name);
    const char *near = tct_nearest(name, names, draft->n_graphs);
    if (near)
        tct_help(d, "did you mean `%s`? --list shows all", near);
    else
        tct_help(d, "`tercet dump FILE --pipeline %s --list` shows what it has", draft->program.name);
    return NULL;
}

bool tct_dump_graph_open(tct_diag *d, const tct_graph_request *r, const char *pipeline, tct_dump_graph *out) {
    if (!pipeline) {
        out->graph = tct_graph_open(d, r, &out->file) ? tct_graph_build(d, &out->file, NULL, 0) : NULL;
        return out->graph != NULL;
    }
    if (tct_dump_pipeline_open(d, r, pipeline, out)) out->graph = find_in(d, out->draft, r->graph);
    return out->graph != NULL;
}

void tct_dump_graph_close(tct_dump_graph *g) {
    tct_graph_close(&g->file);
    if (g->elab) tct_elab_free(g->elab);
    tct_ir_module_free(g->module);
    tct_package_free(&g->package);
    *g = (tct_dump_graph){0};
}

// --- Lists ---

// A parameter as it is written in the file.
static void print_param(const tct_diag *d, const tct_param *p, tct_buf *out) {
    const tct_source *s = tct_diag_source(d, p->name.span.file);
    tct_buf_puts(out, p->name.text);
    if (!p->type || !s) return;
    tct_buf_puts(out, ": ");
    tct_buf_add(out, s->text + p->type->span.begin, p->type->span.end - p->type->span.begin);
}

static void print_place(const tct_diag *d, tct_span span, tct_buf *out) {
    const tct_source *s = tct_diag_source(d, span.file);
    uint32_t line, col;
    if (!s) return;
    tct_diag_line_col(s, span.begin, &line, &col);
    tct_buf_printf(out, "  %s:%u", s->path, line);
}

static void list_items(const tct_diag *d, const tct_ast *file, tct_buf *out) {
    for (uint32_t i = 0; i < file->n_items; i++) {
        const tct_item *item = file->items[i];
        if (item->kind != TCT_ITEM_GRAPH && item->kind != TCT_ITEM_PIPELINE) continue;
        bool graph = item->kind == TCT_ITEM_GRAPH;
        tct_buf_printf(out, "%s %s", graph ? "graph" : "pipeline", item->name.text);
        if (graph) tct_buf_putc(out, '(');
        for (uint32_t k = 0; graph && k < item->n_params; k++) {
            if (k) tct_buf_puts(out, ", ");
            print_param(d, &item->params[k], out);
        }
        if (graph) tct_buf_putc(out, ')');
        print_place(d, item->name.span, out);
        tct_buf_putc(out, '\n');
    }
}

const char *tct_dump_stage_at(const tct_program *p, uint32_t at) {
    for (uint32_t s = 0; s < p->n_stages; s++)
        if (at >= p->stages[s].begin && at < p->stages[s].end) return p->stages[s].name;
    return NULL;
}

static void list_runs(const tct_diag *d, const tct_program *p, uint32_t graph, tct_buf *out) {
    for (uint32_t i = 0; i < p->n_instrs; i++) {
        const tct_instr *x = &p->instrs[i];
        if (x->op != TCT_I_RUN || p->runs[x->a].plan != graph) continue;
        const char *stage = tct_dump_stage_at(p, i);
        tct_buf_printf(out, "    %s%s", stage ? "in stage " : "", stage ? stage : "before all stages");
        print_place(d, x->span, out);
        tct_buf_putc(out, '\n');
    }
}

static void list_generators(const tct_program *p, uint32_t graph, tct_buf *out) {
    for (uint32_t i = 0; i < p->n_generators; i++) {
        if (p->generators[i].prefill == graph) tct_buf_puts(out, "    by generate, for the prompt\n");
        if (p->generators[i].step == graph) tct_buf_puts(out, "    by generate, for each token\n");
        if (p->generators[i].convert == graph) tct_buf_puts(out, "    by generate, for its narrow weights\n");
    }
}

static void list_graphs(tct_diag *d, const tct_draft *draft, tct_buf *out) {
    tct_buf_printf(out, "pipeline %s\n", draft->program.name);
    for (uint32_t k = 0; k < draft->n_graphs; k++) {
        const tct_graph *g = draft->graphs[k];
        tct_buf_printf(out, "  %s: %zu nodes, %zu inputs, %zu results\n",
                       tct_dump_graph_name(&d->arena, draft, k), g->nodes.len, g->inputs.len, g->outputs.len);
        list_runs(d, &draft->program, k, out);
        list_generators(&draft->program, k, out);
    }
}

bool tct_dump_list(tct_diag *d, const tct_graph_request *r, const char *pipeline, tct_buf *out) {
    tct_dump_graph g = {0};
    bool ok;
    if (pipeline) {
        ok = tct_dump_pipeline_open(d, r, pipeline, &g);
        if (ok) list_graphs(d, g.draft, out);
    } else {
        ok = tct_package_load(d, &g.package, r->file, tct_std_dir(&d->arena));
        if (ok) list_items(d, g.package.files.data[g.package.files.len - 1], out);
    }
    tct_dump_graph_close(&g);
    return ok;
}
