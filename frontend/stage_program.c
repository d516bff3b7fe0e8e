// A whole pipeline as a program.
#include "frontend/stage_internal.h"

#include <string.h>

static const tct_item *find_pipeline(tct_elab *e, const char *name) {
    const tct_item *found = NULL;
    uint32_t n = 0;
    TCT_VEC(const char *) names = {0};
    for (size_t f = 0; f < e->package->files.len; f++)
        for (uint32_t i = 0; i < e->package->files.data[f]->n_items; i++) {
            const tct_item *it = e->package->files.data[f]->items[i];
            if (it->kind != TCT_ITEM_PIPELINE) continue;
            TCT_PUSH(&names, it->name.text);
            if (!name || strcmp(it->name.text, name) == 0) {
                found = it;
                n++;
            }
        }
    const char *list = "";
    for (size_t i = 0; i < names.len; i++)
        list = tct_arena_printf(&e->arena, "%s%s%s", list, i ? ", " : "", names.data[i]);
    if (n > 1) {
        tct_error(e->d, "E0514", TCT_NO_SPAN, "the program has %u pipelines, and none is named: %s", n, list);
        tct_help(e->d, "--pipeline %s", names.data[0]);
        found = NULL;
    } else if (!found && names.len == 0) {
        tct_error(e->d, "E0514", TCT_NO_SPAN, "the program has no pipeline to run");
        tct_help(e->d, "`pipeline NAME { … }` declares one; `tercet eval` and `tercet dump` need none");
    } else if (!found) {
        tct_error(e->d, "E0514", TCT_NO_SPAN, "unknown pipeline `%s`", name);
        tct_help(e->d, "there are %s", list);
    }
    TCT_VEC_FREE(&names);
    return found;
}

// Moves a growing array into the arena.
#define TAKE(vec, field, count)                                                                              \
    do {                                                                                                     \
        size_t bytes = (vec)->len * sizeof *(vec)->data;                                                     \
        void *kept = tct_arena_alloc(&e->arena, bytes);                                                      \
        if (bytes) memcpy(kept, (vec)->data, bytes);                                                         \
        (count) = (uint32_t)(vec)->len;                                                                      \
        TCT_VEC_FREE(vec);                                                                                   \
        (field) = kept;                                                                                      \
    } while (0)

typedef struct generation {
    const char *model;
    stage_generation o;
} generation;

// The whole pipeline once. NULL after reporting.
static tct_draft *pass(tct_elab *e, const tct_item *item, stage *s, const generation *g) {
    e->pipeline = e->stage = s;
    e->builder = NULL;
    e->file = tct_elab_item_file(e, item);
    size_t errors = e->d->n_errors;
    tct_stage_config_begin(e);
    tct_scope_push(e, true);
    tct_stage_block(e, item->body);
    tct_stage_emit(e, TCT_I_END, 0, 0, 0, 0, item->span);
    if (g && e->d->n_errors == errors) {
        tct_symbol *m = tct_scope_find(e, g->model, false);
        if (m && tct_stage_model_of(m->val))
            tct_stage_generator(e, m->val, &g->o, m->span);
        else
            tct_error(e->d, "E0506", item->span, "there is no model %s to generate with", g->model);
    }
    tct_scope_pop(e);
    for (size_t i = 0; i < s->regs.len; i++) // lists that stay empty
        if (s->regs.data[i].kind == TCT_KIND_LIST) {
            bool nested = s->regs.data[i].element == TCT_KIND_LIST;
            tct_stage_list_of(e, (uint32_t)i, nested ? TCT_KIND_LIST : TCT_KIND_FLOAT,
                              nested ? TCT_KIND_FLOAT : TCT_KIND_NONE);
        }
    tct_draft *d = TCT_NEW(&e->arena, tct_draft);
    tct_program *p = &d->program;
    p->name = item->name.text;
    p->path = tct_elab_beside(e, tct_elab_item_file(e, item)->path);
    p->guards = tct_stage_guards(e, &p->n_guards);
    p->config = tct_stage_config_table(e);
    p->n_config = (uint32_t)e->config.len;
    tct_stage_emit(e, TCT_I_END, 0, 0, 0, 0, item->span);
    TAKE(&s->regs, p->regs, p->n_regs);
    TAKE(&s->instrs, p->instrs, p->n_instrs);
    TAKE(&s->consts, p->consts, p->n_consts);
    TAKE(&s->calls, p->calls, p->n_calls);
    TAKE(&s->runs, p->runs, p->n_runs);
    TAKE(&s->models, p->models, p->n_models);
    TAKE(&s->optimizers, p->optimizers, p->n_optimizers);
    TAKE(&s->tokenizers, p->tokenizers, p->n_tokenizers);
    TAKE(&s->generators, p->generators, p->n_generators);
    TAKE(&s->logs, p->logs, p->n_logs);
    TAKE(&s->externs, p->externs, p->n_externs);
    TAKE(&s->stages, p->stages, p->n_stages);
    TAKE(&s->graphs, d->graphs, d->n_graphs);
    p->n_plans = d->n_graphs;
    TCT_VEC_FREE(&s->guards);
    TCT_VEC_FREE(&s->variables);
    TCT_VEC_FREE(&s->same);
    e->pipeline = e->stage = NULL;
    e->file = NULL;
    return e->d->n_errors == errors ? d : NULL;
}

// A pass in which config values turn out to be fixed is done again, with their values as constants; what it
// reported may have come of a side that isn't taken.
static tct_draft *elaborate(tct_elab *e, tct_ir_module *module, const char *name,
                            const tct_stage_hooks *hooks, const generation *g) {
    const tct_item *item = find_pipeline(e, name);
    if (!item || e->d->n_errors) return NULL;
    e->module = module;
    for (size_t i = 0; i < e->config.len; i++) e->config.data[i].fixed = NULL;
    tct_mark mark = tct_elab_mark(e);
    size_t n_graphs = module->graphs.len;
    stage s = {.hooks = hooks};
    tct_draft *d = NULL;
    for (bool again = true; again;) {
        uint32_t fixed = e->n_fixed;
        d = pass(e, item, &s, g);
        again = e->n_fixed > fixed;
        if (again) tct_elab_forget(e, mark);
        if (again) tct_ir_module_drop(module, n_graphs);
        stage next = {.hooks = hooks, .known = s.known, .one_sided = s.one_sided};
        s = next;
    }
    TCT_VEC_FREE(&s.known);
    TCT_VEC_FREE(&s.one_sided);
    return d;
}

tct_draft *tct_elab_program(tct_elab *e, tct_ir_module *module, const char *name,
                            const tct_stage_hooks *hooks) {
    return elaborate(e, module, name, hooks, NULL);
}

tct_draft *tct_elab_generator(tct_elab *e, tct_ir_module *module, const char *model, int64_t batch,
                              int64_t prompt, int64_t max_new, stage_weights weights,
                              const tct_stage_hooks *hooks) {
    stage_generation o = {.batch = batch, .prompt = prompt, .max_new = max_new, .weights = weights};
    return elaborate(e, module, NULL, hooks, &(generation){model, o});
}
