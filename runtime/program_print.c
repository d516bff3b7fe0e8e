// Programs as text.
#include "runtime/program_shape.h"
#include "runtime/value.h"
#include "runtime/vm.h"

#include <inttypes.h>

static const char *const builtin_names[] = {
#define BUILTIN(id, name, ...) name,
#include "runtime/builtins.def"
#undef BUILTIN
};

static void print_type(const tct_program *p, const tct_reg_type *t, tct_buf *out) {
    switch ((tct_kind)t->kind) {
    case TCT_KIND_LIST:
        tct_buf_printf(out, "list[%s%s%s%s]", tct_kind_name((tct_kind)t->element),
                       t->element == TCT_KIND_LIST ? "[" : "",
                       t->element == TCT_KIND_LIST ? tct_kind_name((tct_kind)t->element2) : "",
                       t->element == TCT_KIND_LIST ? "]" : "");
        return;
    case TCT_KIND_TENSOR:
        tct_buf_printf(out, "%s[", tct_dtype_name((tct_dtype)t->dtype));
        for (int i = 0; i < t->n_axes; i++)
            tct_buf_printf(out, "%s%s=%" PRId64, i ? ", " : "", t->axis[i], t->size[i]);
        tct_buf_puts(out, "]");
        return;
    case TCT_KIND_MODEL:
        tct_buf_puts(out, p->models[t->table].type);
        return;
    case TCT_KIND_OPTIMIZER:
        tct_buf_puts(out, p->optimizers[t->table].type);
        return;
    case TCT_KIND_DATASET:
        tct_buf_printf(out, "dataset(%s)", tct_data_kind_name((tct_data_kind)t->table));
        return;
    default:
        tct_buf_puts(out, tct_kind_name((tct_kind)t->kind));
    }
}

static void print_regs(const uint32_t *regs, uint32_t n, tct_buf *out) {
    for (uint32_t i = 0; i < n; i++) tct_buf_printf(out, "%sr%u", i ? ", " : "", regs[i]);
}

static void print_bind(const tct_bind *b, const char *port, tct_buf *out) {
    static const char *const names[] = {"", ".param ", ".state ", ".grad ", ".step", ""};
    tct_buf_printf(out, "%s = ", port);
    if (b->kind == TCT_BIND_DROP) {
        tct_buf_puts(out, "_");
        return;
    }
    tct_buf_printf(out, "r%u%s", b->reg, names[b->kind]);
    if (b->kind == TCT_BIND_PARAM || b->kind == TCT_BIND_STATE || b->kind == TCT_BIND_GRAD)
        tct_buf_printf(out, "%u", b->index);
}

static void print_run(const tct_program *p, const tct_run *r, tct_buf *out) {
    if (!p->plans) { // not compiled yet: what binds to what isn't known either
        tct_buf_printf(out, "graph %u", r->plan);
        return;
    }
    const tct_plan *plan = p->plans[r->plan];
    tct_buf_printf(out, "%s(", plan->name);
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        if (i) tct_buf_puts(out, ", ");
        print_bind(&r->inputs[i], plan->inputs[i].name, out);
    }
    tct_buf_puts(out, ") -> (");
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        if (i) tct_buf_puts(out, ", ");
        print_bind(&r->outputs[i], plan->outputs[i].name, out);
    }
    tct_buf_puts(out, ")");
}

static void print_const(const tct_const *c, tct_buf *out) {
    if (c->kind == TCT_KIND_STRING)
        tct_buf_printf(out, c->i ? "\"%s\" beside the program" : "\"%s\"", c->s);
    else if (c->kind == TCT_KIND_FLOAT)
        tct_print_double(c->f, out);
    else if (c->kind == TCT_KIND_BOOL)
        tct_buf_puts(out, c->i ? "true" : "false");
    else
        tct_buf_printf(out, "%" PRId64, c->i);
}

static void print_log(const tct_log *l, tct_buf *out) {
    if (l->group) tct_buf_printf(out, "\"%s\" ", l->group);
    for (uint32_t i = 0; i < l->n; i++)
        tct_buf_printf(out, "%s%s = r%u", i ? ", " : "", l->names[i], l->regs[i]);
}

static void print_operand(const tct_program *p, const tct_instr *at, char what, tct_buf *out) {
    switch (what) {
    case 'd':
        tct_buf_printf(out, "r%u", at->dst);
        return;
    case 'a':
        tct_buf_printf(out, "r%u", at->a);
        return;
    case 'b':
        tct_buf_printf(out, "r%u", at->b);
        return;
    case 'k':
        print_const(&p->consts[at->a], out);
        return;
    case 'K':
        tct_buf_puts(out, p->config[at->a].name);
        return;
    case 'm':
        tct_buf_printf(out, "%u", at->b);
        return;
    case 'n':
        tct_buf_printf(out, "%u", at->c);
        return;
    case 'j':
        tct_buf_printf(out, "@%u", at->a);
        return;
    case 'J':
        tct_buf_printf(out, "@%u", at->b);
        return;
    case 'B': {
        const tct_call *c = &p->calls[at->a];
        tct_buf_printf(out, "%s(", builtin_names[c->builtin]);
        print_regs(c->args, c->n_args, out);
        tct_buf_puts(out, ") -> (");
        print_regs(c->results, c->n_results, out);
        tct_buf_puts(out, ")");
        if (c->builtin == TCT_BUILTIN_GENERATE) tct_buf_printf(out, " with generator %u", c->generator);
        for (uint32_t i = 0; i < c->n_pairs; i++)
            tct_buf_printf(out, "%s%u = %u", i ? ", " : " parameters ", c->pairs[2 * i], c->pairs[2 * i + 1]);
        return;
    }
    case 'R':
        print_run(p, &p->runs[at->a], out);
        return;
    case 'X':
        tct_buf_printf(out, "%s(", p->externs[at->a].name);
        print_regs(p->externs[at->a].args, p->externs[at->a].n_args, out);
        tct_buf_puts(out, ")");
        if (p->externs[at->a].result != UINT32_MAX) tct_buf_printf(out, " -> r%u", p->externs[at->a].result);
        return;
    case 'M':
        tct_buf_puts(out, p->models[at->a].type);
        tct_buf_printf(out, at->c == UINT32_MAX ? " seed r%u" : " from r%u",
                       at->c == UINT32_MAX ? at->b : at->c);
        return;
    case 'O':
        tct_buf_printf(out, "%s of ", p->optimizers[at->a].type);
        print_regs(p->optimizers[at->a].models, p->optimizers[at->a].n_models, out);
        return;
    case 'L':
        print_log(&p->logs[at->a], out);
        return;
    default: // 'S'
        tct_buf_puts(out, p->stages[at->a].name);
    }
}

static void print_instr(const tct_program *p, uint32_t i, tct_buf *out) {
    const tct_instr *at = &p->instrs[i];
    const tct_instr_shape *shape = tct_instr_shape_of(at->op);
    tct_buf_printf(out, "%5u  %s", i, shape->name);
    for (const char *o = shape->operands; *o; o++) {
        tct_buf_puts(out, o == shape->operands ? " " : ", ");
        print_operand(p, at, *o, out);
    }
    tct_buf_putc(out, '\n');
}

static void print_model(const tct_model_desc *m, tct_buf *out) {
    static const char *const inits[] = {"constant", "normal", "uniform"};
    tct_buf_printf(out, "model %s", m->type);
    if (m->architecture) tct_buf_printf(out, " as %s", m->architecture);
    tct_buf_putc(out, '\n');
    for (uint32_t i = 0; i < m->n_params; i++) {
        const tct_model_param *p = &m->params[i];
        tct_buf_printf(out, "  %u %s: %s[", i, p->name, tct_dtype_name((tct_dtype)p->dtype));
        for (int a = 0; a < p->n_axes; a++)
            tct_buf_printf(out, "%s%s=%" PRId64, a ? ", " : "", p->axis[a], p->size[a]);
        tct_buf_printf(out, "] = %s(", inits[p->init]);
        tct_print_double(p->init_a, out);
        if (p->init != TCT_INIT_CONSTANT) {
            tct_buf_puts(out, ", ");
            tct_print_double(p->init_b, out);
        }
        tct_buf_puts(out, ")");
        if (p->file_name) tct_buf_printf(out, " as \"%s\"", p->file_name);
        tct_buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < m->n_config; i++)
        tct_buf_printf(out, "  %s = %s\n", m->config[i].key, m->config[i].json);
}

static void print_optimizer(const tct_optimizer_desc *o, tct_buf *out) {
    tct_buf_printf(out, "optimizer %s of ", o->type);
    print_regs(o->models, o->n_models, out);
    if (o->accumulates) tct_buf_puts(out, ", adds gradients up");
    tct_buf_putc(out, '\n');
    for (uint32_t i = 0; i < o->n_states; i++) {
        tct_buf_printf(out, "  state %s = ", o->state_name[i]);
        tct_print_double(o->state_init[i], out);
        tct_buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < o->n_params; i++)
        tct_buf_printf(out, "  %u: parameter %u of r%u\n", i, o->param_index[i],
                       o->models[o->param_model[i]]);
}

static void print_generator(const tct_generator *g, uint32_t number, tct_buf *out) {
    tct_buf_printf(out,
                   "generator %u: %" PRId64 " rows, %" PRId64 " at once, of %" PRId64 " and up to %" PRId64
                   " more, vocabulary %" PRId64 ", graphs %u and %u, cache of %u tensors",
                   number, g->batch, g->places, g->prompt, g->max_new, g->vocab, g->prefill, g->step,
                   g->n_cache);
    if (g->convert != TCT_NO_PLAN) tct_buf_printf(out, ", narrow weights by graph %u", g->convert);
    tct_buf_putc(out, '\n');
}

static void print_bound(const tct_config_code *code, double bound, tct_buf *out) {
    if (code->end)
        tct_buf_printf(out, "@%u", code->begin);
    else
        tct_print_double(bound, out);
}

static void print_config(const tct_config_value *c, tct_buf *out) {
    tct_buf_printf(out, "config %s: %s = %s", c->name, c->type, c->value);
    if (c->derived.end) tct_buf_printf(out, ", by default @%u", c->derived.begin);
    if (c->is_ranged) {
        tct_buf_puts(out, " in ");
        print_bound(&c->low_code, c->low, out);
        tct_buf_puts(out, " .. ");
        print_bound(&c->high_code, c->high, out);
    }
    if (c->fixed) tct_buf_printf(out, ", fixed: %s", c->fixed);
    tct_buf_putc(out, '\n');
}

static void print_guard(const tct_program *p, const tct_config_guard *g, tct_buf *out) {
    tct_buf_printf(out, "config: `%s` was %s, @%u, of", g->text, g->holds ? "true" : "false", g->code.begin);
    for (uint32_t i = 0; i < g->of.n; i++)
        tct_buf_printf(out, "%s %s", i ? "," : "", p->config[g->of.config[i]].name);
    tct_buf_putc(out, '\n');
}

void tct_program_print(const tct_program *p, tct_buf *out) {
    for (uint32_t i = 0; i < p->n_config; i++) print_config(&p->config[i], out);
    for (uint32_t i = 0; i < p->n_guards; i++) print_guard(p, &p->guards[i], out);
    tct_program_print_code(p, out);
}

static void print_tokenizer(const tct_tokenizer_desc *t, tct_buf *out) {
    tct_buf_printf(out,
                   "tokenizer of %" PRId64 " tokens, bos %" PRId64 ", eos %" PRId64 ", pad %" PRId64 "\n",
                   t->vocab, t->bos, t->eos, t->pad);
}

void tct_program_print_code(const tct_program *p, tct_buf *out) {
    tct_buf_printf(out, "program %s of %s, %016" PRIx64 "\n", p->name, p->path, p->hash);
    for (uint32_t i = 0; i < p->n_models; i++) print_model(&p->models[i], out);
    for (uint32_t i = 0; i < p->n_optimizers; i++) print_optimizer(&p->optimizers[i], out);
    for (uint32_t i = 0; i < p->n_tokenizers; i++) print_tokenizer(&p->tokenizers[i], out);
    for (uint32_t i = 0; i < p->n_generators; i++) print_generator(&p->generators[i], i, out);
    for (uint32_t i = 0; i < p->n_regs; i++) {
        tct_buf_printf(out, "r%u: ", i);
        print_type(p, &p->regs[i], out);
        if (p->regs[i].name) tct_buf_printf(out, " %s", p->regs[i].name);
        tct_buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < p->n_instrs; i++) print_instr(p, i, out);
}
