// Programs as fields of an image.
#include "runtime/image_codec.h"

// A new field must be written and read, too.
_Static_assert(sizeof(tct_reg_type) == 152, "code_reg misses a field");
_Static_assert(sizeof(tct_instr) == 32, "code_instr misses a field");
_Static_assert(sizeof(tct_const) == 32, "code_const misses a field");
_Static_assert(sizeof(tct_call) == 64, "code_call misses a field");
_Static_assert(sizeof(tct_decided) == 16, "code_decided misses a field");
_Static_assert(sizeof(tct_tokenizer_desc) == 48, "code_tokenizer misses a field");
_Static_assert(sizeof(tct_config_code) == 12, "code_config_code misses a field");
_Static_assert(sizeof(tct_bind) == 12, "code_bind misses a field");
_Static_assert(sizeof(tct_run) == 24, "code_runs misses a field");
_Static_assert(sizeof(tct_model_param) == 88, "code_param misses a field");
_Static_assert(sizeof(tct_model_desc) == 56, "code_model misses a field");
_Static_assert(sizeof(tct_config_pair) == 16, "code_pair misses a field");
_Static_assert(sizeof(tct_optimizer_desc) == 72, "code_optimizer misses a field");
_Static_assert(sizeof(tct_generator) == 88, "code_generator misses a field");
_Static_assert(sizeof(tct_log) == 32, "code_log misses a field");
_Static_assert(sizeof(tct_extern) == 64, "code_extern misses a field");
_Static_assert(sizeof(tct_config_value) == 128, "code_config misses a field");
_Static_assert(sizeof(tct_config_guard) == 56, "code_guard misses a field");
_Static_assert(sizeof(tct_stage_desc) == 24, "code_stage misses a field");
_Static_assert(sizeof(tct_program) == 216, "tct_code_program misses a field");

static void code_reg(tct_codec *c, tct_reg_type *r) {
    tct_code_u8(c, &r->kind);
    tct_code_u8(c, &r->element);
    tct_code_u8(c, &r->element2);
    tct_code_u8(c, &r->dtype);
    tct_code_u8(c, &r->n_axes);
    if (r->n_axes > sizeof r->axis / sizeof *r->axis) {
        tct_codec_fail(c, "a register with %u axes", r->n_axes);
        r->n_axes = 0;
    }
    for (int i = 0; i < r->n_axes; i++) {
        tct_code_text(c, &r->axis[i]);
        tct_code_i64(c, &r->size[i]);
    }
    tct_code_u32(c, &r->table);
    tct_code_maybe_text(c, &r->name);
}

static void code_instr(tct_codec *c, tct_instr *i) {
    tct_code_u16(c, &i->op);
    tct_code_u32(c, &i->dst);
    tct_code_u32(c, &i->a);
    tct_code_u32(c, &i->b);
    tct_code_u32(c, &i->c);
    tct_code_span(c, &i->span);
}

static void code_const(tct_codec *c, tct_const *x) {
    tct_code_u8(c, &x->kind);
    tct_code_i64(c, &x->i);
    tct_code_f64(c, &x->f);
    tct_code_maybe_text(c, &x->s);
}

static void code_decided(tct_codec *c, tct_decided *x) {
    tct_code_count(c, &x->n);
    TCT_CODE_TABLE(c, x->config, x->n, uint32_t, tct_code_u32);
}

static void code_call(tct_codec *c, tct_call *x) {
    tct_code_u32(c, &x->builtin);
    tct_code_count(c, &x->n_args);
    TCT_CODE_TABLE(c, x->args, x->n_args, uint32_t, tct_code_u32);
    tct_code_count(c, &x->n_results);
    TCT_CODE_TABLE(c, x->results, x->n_results, uint32_t, tct_code_u32);
    tct_code_u32(c, &x->generator);
    tct_code_count(c, &x->n_pairs);
    uint32_t n = c->failed ? 0 : 2 * x->n_pairs;
    TCT_CODE_TABLE(c, x->pairs, n, uint32_t, tct_code_u32);
    code_decided(c, &x->sizes);
}

static void code_bind(tct_codec *c, tct_bind *b) {
    tct_code_u8(c, &b->kind);
    tct_code_u32(c, &b->reg);
    tct_code_u32(c, &b->index);
}

// How many bindings a run has its plan says.
static void code_runs(tct_codec *c, tct_program *p, const tct_plan *const *plans) {
    tct_run *made = c->out ? NULL : tct_codec_room(c, p->n_runs, sizeof *made);
    for (uint32_t i = 0; i < p->n_runs && !c->failed; i++) {
        tct_run r = {0};
        if (c->out) r = p->runs[i];
        tct_code_u32(c, &r.plan);
        if (r.plan >= p->n_plans) {
            tct_codec_fail(c, "a run of plan %u of %u", r.plan, p->n_plans);
            return;
        }
        TCT_CODE_TABLE(c, r.inputs, plans[r.plan]->n_inputs, tct_bind, code_bind);
        TCT_CODE_TABLE(c, r.outputs, plans[r.plan]->n_outputs, tct_bind, code_bind);
        if (made) made[i] = r;
    }
    if (made) p->runs = made;
}

static void code_pair(tct_codec *c, tct_config_pair *p) {
    tct_code_text(c, &p->key);
    tct_code_text(c, &p->json);
}

static void code_dims(tct_codec *c, tct_model_param *p) {
    tct_code_count(c, &p->n_dims);
    TCT_CODE_TABLE(c, p->dim_n, p->n_dims, uint8_t, tct_code_u8);
    const uint8_t **groups = c->out ? NULL : tct_codec_room(c, p->n_dims, sizeof *groups);
    for (uint32_t i = 0; i < p->n_dims && !c->failed; i++) {
        const uint8_t *group = c->out ? p->dim_axis[i] : NULL;
        TCT_CODE_TABLE(c, group, p->dim_n[i], uint8_t, tct_code_u8);
        if (groups) groups[i] = group;
    }
    if (groups) p->dim_axis = groups;
}

static void code_param(tct_codec *c, tct_model_param *p) {
    tct_code_text(c, &p->name);
    tct_code_u8(c, &p->dtype);
    tct_code_u8(c, &p->n_axes);
    TCT_CODE_TABLE(c, p->axis, p->n_axes, const char *, tct_code_text);
    TCT_CODE_TABLE(c, p->size, p->n_axes, int64_t, tct_code_i64);
    tct_code_u8(c, &p->init);
    tct_code_f64(c, &p->init_a);
    tct_code_f64(c, &p->init_b);
    tct_code_maybe_text(c, &p->file_name);
    code_dims(c, p);
}

static void code_model(tct_codec *c, tct_model_desc *m) {
    tct_code_text(c, &m->type);
    tct_code_maybe_text(c, &m->architecture);
    tct_code_count(c, &m->n_params);
    TCT_CODE_TABLE(c, m->params, m->n_params, tct_model_param, code_param);
    tct_code_count(c, &m->n_config);
    TCT_CODE_TABLE(c, m->config, m->n_config, tct_config_pair, code_pair);
    code_decided(c, &m->sizes);
}

static void code_tokenizer(tct_codec *c, tct_tokenizer_desc *t) {
    tct_code_i64(c, &t->vocab);
    tct_code_i64(c, &t->bos);
    tct_code_i64(c, &t->eos);
    tct_code_i64(c, &t->pad);
    code_decided(c, &t->path);
}

static void code_optimizer(tct_codec *c, tct_optimizer_desc *o) {
    tct_code_text(c, &o->type);
    tct_code_count(c, &o->n_models);
    TCT_CODE_TABLE(c, o->models, o->n_models, uint32_t, tct_code_u32);
    tct_code_count(c, &o->n_params);
    TCT_CODE_TABLE(c, o->param_model, o->n_params, uint32_t, tct_code_u32);
    TCT_CODE_TABLE(c, o->param_index, o->n_params, uint32_t, tct_code_u32);
    tct_code_count(c, &o->n_states);
    TCT_CODE_TABLE(c, o->state_name, o->n_states, const char *, tct_code_text);
    TCT_CODE_TABLE(c, o->state_init, o->n_states, double, tct_code_f64);
    tct_code_bool(c, &o->accumulates);
}

static void code_generator(tct_codec *c, tct_generator *g) {
    tct_code_u32(c, &g->prefill);
    tct_code_u32(c, &g->step);
    tct_code_i64(c, &g->batch);
    tct_code_i64(c, &g->places);
    tct_code_i64(c, &g->fill);
    tct_code_i64(c, &g->prompt);
    tct_code_i64(c, &g->max_new);
    tct_code_i64(c, &g->vocab);
    tct_code_count(c, &g->n_cache);
    TCT_CODE_TABLE(c, g->cache, g->n_cache, tct_plan_port, tct_code_port);
    tct_code_u32(c, &g->convert);
    tct_code_count(c, &g->n_weights);
    TCT_CODE_TABLE(c, g->weights, g->n_weights, uint32_t, tct_code_u32);
}

static void code_log(tct_codec *c, tct_log *l) {
    tct_code_maybe_text(c, &l->group);
    tct_code_count(c, &l->n);
    TCT_CODE_TABLE(c, l->names, l->n, const char *, tct_code_text);
    TCT_CODE_TABLE(c, l->regs, l->n, uint32_t, tct_code_u32);
}

static void code_extern(tct_codec *c, tct_extern *e) {
    tct_code_text(c, &e->name);
    tct_code_maybe_text(c, &e->library);
    tct_code_text(c, &e->symbol);
    tct_code_count(c, &e->n_args);
    TCT_CODE_TABLE(c, e->args, e->n_args, uint32_t, tct_code_u32);
    tct_code_u32(c, &e->result);
}

static void code_config_code(tct_codec *c, tct_config_code *x) {
    tct_code_u32(c, &x->begin);
    tct_code_u32(c, &x->end);
    tct_code_u32(c, &x->reg);
}

static void code_config(tct_codec *c, tct_config_value *v) {
    tct_code_text(c, &v->name);
    tct_code_text(c, &v->type);
    tct_code_text(c, &v->value);
    tct_code_maybe_text(c, &v->doc);
    tct_code_bool(c, &v->is_default);
    tct_code_bool(c, &v->beside);
    tct_code_bool(c, &v->is_ranged);
    tct_code_f64(c, &v->low);
    tct_code_f64(c, &v->high);
    code_config_code(c, &v->derived);
    code_config_code(c, &v->low_code);
    code_config_code(c, &v->high_code);
    tct_code_maybe_text(c, &v->fixed);
    tct_code_span(c, &v->fixed_at);
    tct_code_span(c, &v->declared_at);
}

static void code_guard(tct_codec *c, tct_config_guard *g) {
    code_config_code(c, &g->code);
    tct_code_bool(c, &g->holds);
    tct_code_text(c, &g->text);
    code_decided(c, &g->of);
    tct_code_span(c, &g->at);
}

static void code_stage(tct_codec *c, tct_stage_desc *s) {
    tct_code_text(c, &s->name);
    tct_code_maybe_text(c, &s->doc);
    tct_code_u32(c, &s->begin);
    tct_code_u32(c, &s->end);
}

void tct_code_program(tct_codec *c, tct_program *p, const tct_plan *const *plans) {
    tct_code_text(c, &p->name);
    tct_code_text(c, &p->path);
    tct_code_u64(c, &p->hash);
    tct_code_count(c, &p->n_regs);
    TCT_CODE_TABLE(c, p->regs, p->n_regs, tct_reg_type, code_reg);
    tct_code_count(c, &p->n_instrs);
    TCT_CODE_TABLE(c, p->instrs, p->n_instrs, tct_instr, code_instr);
    tct_code_count(c, &p->n_consts);
    TCT_CODE_TABLE(c, p->consts, p->n_consts, tct_const, code_const);
    tct_code_count(c, &p->n_calls);
    TCT_CODE_TABLE(c, p->calls, p->n_calls, tct_call, code_call);
    tct_code_count(c, &p->n_runs);
    code_runs(c, p, plans);
    tct_code_count(c, &p->n_models);
    TCT_CODE_TABLE(c, p->models, p->n_models, tct_model_desc, code_model);
    tct_code_count(c, &p->n_optimizers);
    TCT_CODE_TABLE(c, p->optimizers, p->n_optimizers, tct_optimizer_desc, code_optimizer);
    tct_code_count(c, &p->n_tokenizers);
    TCT_CODE_TABLE(c, p->tokenizers, p->n_tokenizers, tct_tokenizer_desc, code_tokenizer);
    tct_code_count(c, &p->n_generators);
    TCT_CODE_TABLE(c, p->generators, p->n_generators, tct_generator, code_generator);
    tct_code_count(c, &p->n_logs);
    TCT_CODE_TABLE(c, p->logs, p->n_logs, tct_log, code_log);
    tct_code_count(c, &p->n_externs);
    TCT_CODE_TABLE(c, p->externs, p->n_externs, tct_extern, code_extern);
    tct_code_count(c, &p->n_config);
    TCT_CODE_TABLE(c, p->config, p->n_config, tct_config_value, code_config);
    tct_code_count(c, &p->n_guards);
    TCT_CODE_TABLE(c, p->guards, p->n_guards, tct_config_guard, code_guard);
    tct_code_count(c, &p->n_stages);
    TCT_CODE_TABLE(c, p->stages, p->n_stages, tct_stage_desc, code_stage);
}
