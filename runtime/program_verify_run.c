// Runs of plans and generators: what is bound to a port has its shape.
#include "runtime/program_verify_internal.h"

bool tct_same_shape(uint8_t dtype, uint32_t n_axes, const int64_t *size, const tct_plan_port *port) {
    bool same = dtype == port->dtype && n_axes == port->n_axes;
    for (uint32_t i = 0; same && i < n_axes; i++) same = size[i] == port->size[i];
    return same;
}

// The parameter that a state or a gradient sum of an optimizer belongs to; NULL when the number is none of
// them.
static const tct_model_param *param_of(const tct_verifier *v, const tct_reg_type *t, uint32_t index) {
    const tct_program *p = v->p;
    if (t->kind == TCT_KIND_MODEL) {
        const tct_model_desc *m = &p->models[t->table];
        return index < m->n_params ? &m->params[index] : NULL;
    }
    const tct_optimizer_desc *o = &p->optimizers[t->table];
    if (index >= o->n_params) return NULL;
    return &p->models[p->regs[o->models[o->param_model[index]]].table].params[o->param_index[index]];
}

// A parameter, a state or a gradient sum.
static bool fixed_place_fits(const tct_verifier *v, const tct_bind *b, const tct_plan_port *port) {
    const tct_reg_type *t = &v->p->regs[b->reg];
    const tct_model_param *param = NULL;
    uint8_t dtype;
    if (b->kind == TCT_BIND_PARAM) {
        if (t->kind == TCT_KIND_MODEL) param = param_of(v, t, b->index);
    } else if (t->kind == TCT_KIND_OPTIMIZER) {
        const tct_optimizer_desc *o = &v->p->optimizers[t->table];
        if (b->kind == TCT_BIND_GRAD)
            param = o->accumulates ? param_of(v, t, b->index) : NULL;
        else
            param = o->n_states ? param_of(v, t, b->index / o->n_states) : NULL;
    }
    if (!param) return false;
    dtype = b->kind == TCT_BIND_STATE ? TCT_F32 : param->dtype;
    return tct_same_shape(dtype, param->n_axes, param->size, port);
}

static bool register_fits(const tct_reg_type *t, const tct_plan_port *port, bool output) {
    if (t->kind >= TCT_KIND_INT && t->kind <= TCT_KIND_BOOL) return port->n_axes == 0;
    // An input's sizes are looked at when it is bound.
    if (t->kind != TCT_KIND_TENSOR || t->dtype != port->dtype || t->n_axes != port->n_axes) return false;
    return !output || tct_same_shape(t->dtype, t->n_axes, t->size, port);
}

static bool bind_fits(tct_verifier *v, const tct_bind *b, const tct_plan_port *port, bool output) {
    if (b->kind == TCT_BIND_DROP) return output;
    const tct_reg_type *t = tct_verify_reg(v, b->reg);
    if (!t) return false;
    switch ((tct_bind_kind)b->kind) {
    case TCT_BIND_REG:
        return register_fits(t, port, output);
    case TCT_BIND_PARAM:
    case TCT_BIND_STATE:
    case TCT_BIND_GRAD:
        return fixed_place_fits(v, b, port);
    case TCT_BIND_STEP:
        return !output && t->kind == TCT_KIND_OPTIMIZER && port->n_axes == 0;
    case TCT_BIND_DROP:
        break;
    }
    return false;
}

bool tct_verify_run(tct_verifier *v, const tct_run *run) {
    const tct_plan *plan = v->plans[run->plan]; // a number that the reader of runs has looked at
    for (uint32_t i = 0; i < plan->n_inputs; i++)
        if (!bind_fits(v, &run->inputs[i], &plan->inputs[i], false))
            return tct_wrong(v, "what is bound to input '%s' of %s does not fit it", plan->inputs[i].name,
                             plan->name);
    for (uint32_t i = 0; i < plan->n_outputs; i++)
        if (!bind_fits(v, &run->outputs[i], &plan->outputs[i], true))
            return tct_wrong(v, "what is bound to output '%s' of %s does not fit it", plan->outputs[i].name,
                             plan->name);
    return true;
}

static bool port_is(const tct_plan_port *port, tct_dtype dtype, uint32_t n_axes, int64_t first,
                    int64_t second) {
    return tct_same_shape(dtype, n_axes, (int64_t[]){first, second}, port);
}

static bool is_param(const tct_model_param *p, const tct_plan_port *port) {
    return tct_same_shape(p->dtype, p->n_axes, p->size, port);
}

static bool takes_params(const tct_model_desc *model, const tct_plan *plan) {
    for (uint32_t i = 0; i < model->n_params; i++)
        if (!is_param(&model->params[i], &plan->inputs[i])) return false;
    return true;
}

// Parameters and results of `convert` as the step takes them.
static bool takes_weights(const tct_generator *g, const tct_model_desc *model, const tct_plan *convert,
                          const tct_plan *plan) {
    if (convert->n_inputs != model->n_params || !takes_params(model, convert)) return false;
    for (uint32_t i = 0; i < convert->n_outputs; i++)
        if (convert->outputs[i].alias >= 0) return false;
    for (uint32_t i = 0; i < g->n_weights; i++) {
        uint32_t from = g->weights[i], made = from - model->n_params;
        if (from < model->n_params) {
            if (!is_param(&model->params[from], &plan->inputs[i])) return false;
            continue;
        }
        if (made >= convert->n_outputs) return false;
        const tct_plan_port *x = &convert->outputs[made];
        if (!tct_same_shape(x->dtype, x->n_axes, x->size, &plan->inputs[i])) return false;
    }
    return true;
}

// One of a generator's two plans, for `rows` rows of `n` tokens. `convert`: NULL where it takes parameters.
static bool decoder_fits(const tct_generator *g, const tct_model_desc *model, const tct_plan *convert,
                         const tct_plan *plan, int64_t rows, int64_t n) {
    uint32_t params = convert ? g->n_weights : model->n_params;
    if (plan->n_inputs != (uint64_t)params + g->n_cache + 3 || plan->n_outputs != g->n_cache + 1)
        return false;
    if (!(convert ? takes_weights(g, model, convert, plan) : takes_params(model, plan))) return false;
    for (uint32_t i = 0; i < g->n_cache; i++) {
        const tct_plan_port *out = &plan->outputs[i];
        uint64_t all = g->cache[i].bytes, row = all / (uint64_t)g->places;
        uint64_t bytes = rows == g->places ? all : row * (uint64_t)rows;
        if (plan->inputs[params + i].bytes != bytes || out->bytes != bytes ||
            out->alias != (int64_t)params + i)
            return false;
    }
    const tct_plan_port *rest = &plan->inputs[params + g->n_cache];
    return port_is(&rest[0], TCT_I32, 2, rows, n) && port_is(&rest[1], TCT_I32, 1, rows, 0) &&
           port_is(&rest[2], TCT_I32, 1, rows, 0) &&
           port_is(&plan->outputs[g->n_cache], TCT_F32, 2, rows, g->vocab);
}

bool tct_verify_generator(tct_verifier *v, const tct_generator *g, const tct_model_desc *model) {
    const tct_plan *convert = g->convert < v->p->n_plans ? v->plans[g->convert] : NULL;
    bool ok = g->prefill < v->p->n_plans && g->step < v->p->n_plans &&
              (convert || (g->convert == TCT_NO_PLAN && g->n_weights == 0)) && g->batch >= 1 &&
              g->batch <= INT32_MAX && g->prompt >= 1 && g->prompt <= INT32_MAX && g->max_new >= 1 &&
              g->max_new <= INT32_MAX && g->vocab >= 1 && g->vocab <= INT32_MAX;
    // Prompts enter all at once, or fewer than there are places for, whose rows of the cache are pieces.
    ok = ok && g->places >= 1 && g->places <= g->batch && g->fill >= 1 &&
         (g->places == g->batch ? g->fill == g->batch : g->fill <= g->places);
    for (uint32_t i = 0; ok && i < g->n_cache && g->places < g->batch; i++)
        ok = g->cache[i].n_axes > 0 && g->cache[i].size[0] == g->places;
    ok = ok && decoder_fits(g, model, NULL, v->plans[g->prefill], g->fill, g->prompt) &&
         decoder_fits(g, model, convert, v->plans[g->step], g->places, 1);
    return ok || tct_wrong(v, "its generator and the model %s do not fit each other", model->type);
}
