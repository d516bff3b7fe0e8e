// The graphs of a pipeline for the page.
#include "driver/dump_graph.h"
#include "driver/page.h"

static const char *param_name(const tct_program *p, uint32_t model, uint32_t index) {
    const tct_reg_type *r = &p->regs[model];
    return p->models[r->table].params[index].name;
}

static const char *reg_name(const tct_program *p, uint32_t reg) {
    return p->regs[reg].name ? p->regs[reg].name : "";
}

// What an input is bound to: "policy.block.0.qkv", "opt.body.wte.m", "opt.step", "tokens".
static const char *bound_name(tct_diag *d, const tct_program *p, const tct_bind *b, const char *own) {
    const char *reg = b->kind == TCT_BIND_DROP ? "" : reg_name(p, b->reg);
    if (b->kind == TCT_BIND_PARAM)
        return tct_arena_printf(&d->arena, "%s.%s", reg, param_name(p, b->reg, b->index));
    if (b->kind == TCT_BIND_STEP) return tct_arena_printf(&d->arena, "%s.step", reg);
    if (b->kind == TCT_BIND_STATE || b->kind == TCT_BIND_GRAD) {
        const tct_optimizer_desc *o = &p->optimizers[p->regs[b->reg].table];
        uint32_t states = b->kind == TCT_BIND_STATE ? o->n_states : 1, k = b->index / states;
        const char *param = param_name(p, o->models[o->param_model[k]], o->param_index[k]);
        return tct_arena_printf(&d->arena, "%s.%s.%s", reg, param,
                                b->kind == TCT_BIND_STATE ? o->state_name[b->index % states] : "grad");
    }
    return reg[0] ? reg : own;
}

// What runs a graph first: "stage sft, line 288", "generate, for each token".
static const char *runner_of(tct_diag *d, const tct_program *p, uint32_t graph) {
    for (uint32_t i = 0; i < p->n_generators; i++) {
        if (p->generators[i].prefill == graph) return "generate, for the prompt";
        if (p->generators[i].step == graph) return "generate, for each token";
        if (p->generators[i].convert == graph) return "generate, for its narrow weights";
    }
    for (uint32_t i = 0; i < p->n_instrs; i++) {
        const tct_instr *x = &p->instrs[i];
        const tct_source *s = tct_diag_source(d, x->span.file);
        if (x->op != TCT_I_RUN || p->runs[x->a].plan != graph || !s) continue;
        uint32_t line, col;
        tct_diag_line_col(s, x->span.begin, &line, &col);
        const char *stage = tct_dump_stage_at(p, i);
        return stage ? tct_arena_printf(&d->arena, "stage %s, line %u", stage, line)
                     : tct_arena_printf(&d->arena, "line %u", line);
    }
    return NULL;
}

const tct_page_graph *tct_page_program_graphs(tct_diag *d, const tct_draft *draft) {
    const tct_program *p = &draft->program;
    tct_page_graph *graphs = TCT_NEW_ARRAY(&d->arena, tct_page_graph, draft->n_graphs);
    for (uint32_t k = 0; k < draft->n_graphs; k++)
        graphs[k] = (tct_page_graph){.name = tct_dump_graph_name(&d->arena, draft, k),
                                     .about = runner_of(d, p, k),
                                     .graph = draft->graphs[k]};
    for (uint32_t r = 0; r < p->n_runs; r++) {
        tct_page_graph *g = &graphs[p->runs[r].plan];
        size_t n = g->graph->inputs.len;
        const char **names = TCT_NEW_ARRAY(&d->arena, const char *, n);
        for (size_t k = 0; k < n; k++) {
            const char *own = tct_node_of(g->graph, g->graph->inputs.data[k])->attr.name;
            names[k] = bound_name(d, p, &p->runs[r].inputs[k], own);
        }
        if (!g->inputs) g->inputs = names;
    }
    return graphs;
}
